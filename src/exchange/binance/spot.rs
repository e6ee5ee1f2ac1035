//! Binance Spot as a venue.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::decide::risk::ApprovedOrder;
use crate::domain::account::{Health, KeyPermissions};
use crate::domain::candidate::Candidate;
use crate::domain::entry::Entry;
use crate::domain::fill::Fill;
use crate::domain::funding::Settlement;
use crate::domain::num::Price;
use crate::domain::order::{Order, OrderRequest, Resting};
use crate::domain::rules::Rules;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::binance::cache::{Cache, Listing};
use crate::exchange::binance::client::{Http, SetupError};
use crate::exchange::binance::history as books;
use crate::exchange::binance::session::{Credentials, Session, unreadable};
use crate::exchange::binance::usdm::{PublicMarkets, Settings, unverified};
use crate::exchange::coins::{self, Sellable};
use crate::exchange::{Exchange, ExchangeError, Exposed, Kind, Observation, Reply, Settles};
use crate::wire::binance::api::Api;
use crate::wire::binance::error;
use crate::wire::binance::listed::Problem;
use crate::wire::binance::request::{Call, Request};
use crate::wire::binance::spot::history::my_trades;
use crate::wire::binance::spot::{account, listing, market, order};
use crate::wire::binance::usdm::account::key_permissions;
use crate::wire::json::WireError;

mod history;
mod look;

/// The official host of live accounts.
pub const LIVE_URL: &str = "https://api.binance.com";
/// The official host of test accounts: its own books, wiped about monthly.
pub const TESTNET_URL: &str = "https://testnet.binance.vision";

/// A connection to Binance Spot. Opens nothing until asked.
pub struct Spot {
    session: Session,
    cache: Cache,
    environment: String,
    quote: String,
    problems: Mutex<Vec<Problem>>,
}

impl Spot {
    /// Prepares a connection. Fails on a URL outside the allow-list.
    pub fn new(settings: Settings) -> Result<Spot, SetupError> {
        let credentials = settings.credentials.map(|(key, signer)| Credentials { key, signer });
        let key = credentials.as_ref().map(|credentials| &credentials.key);
        let http = Http::new(Api::Spot, &settings.base_url, key, settings.timeout, settings.concurrency)?;
        let session = Session::new(Api::Spot, http, credentials, settings.recv_window, settings.concurrency);
        // A listing holds the pairs of one quote asset.
        let name = format!("{} {}", settings.environment, settings.quote);
        let cache = Cache::new(settings.cache, &name, session.host(), settings.exchange_info_max_age);
        Ok(Spot {
            session,
            cache,
            environment: settings.environment,
            quote: settings.quote,
            problems: Mutex::new(Vec::new()),
        })
    }

    /// Request weight spent in the present minute, by the exchange's count where it told.
    fn used_weight(&self) -> u32 {
        self.session.limits().used(self.session.now())
    }

    /// Rules (cached) and prices of every pair, without key or signature, for paper trading on live prices.
    pub async fn public_markets(&self) -> Result<PublicMarkets, ExchangeError> {
        self.markets(self.cache.load(self.session.now(), false)).await
    }

    async fn markets(&self, cached: Option<Arc<Listing>>) -> Result<PublicMarkets, ExchangeError> {
        let priced = look::priced(&self.session, &self.cache, cached, &self.quote).await?;
        self.note(priced.problems);
        let rules = priced.listing.rules.clone();
        let markets = priced.prices.markets(&rules);
        Ok((priced.prices.at, rules, markets))
    }

    /// Everything that is listed, with prices and what it traded in 24 hours, in one wave. Needs no key. The
    /// listing is never a cached one: a pair that stopped within the hour must not be chosen.
    pub async fn candidates(&self) -> Result<(Time, Vec<Candidate>), ExchangeError> {
        let days = self.read(Request::new(Call::SpotTicker24h), market::ticker_24h);
        let ((at, rules, markets), days) = tokio::try_join!(self.markets(None), days)?;
        let candidate = |(symbol, rules): (Symbol, Rules)| Candidate {
            market: markets.get(&symbol).copied(),
            // A pair that no longer trades keeps showing its last day.
            volume: days.rows.get(&symbol).and_then(|day| day.volume(at)),
            funding: None,
            rules,
        };
        Ok((at, rules.into_iter().map(candidate).collect()))
    }

    fn note(&self, problems: Vec<Problem>) {
        *self.problems.lock().unwrap_or_else(PoisonError::into_inner) = problems;
    }

    /// What the key may do, or why nobody can tell.
    async fn key_permissions(&self) -> Result<KeyPermissions, String> {
        if !self.session.has(Call::KeyPermissions) {
            return Err(format!("not verifiable here: {} does not tell what a key may do", self.environment));
        }
        self.read(Request::new(Call::KeyPermissions), key_permissions).await.map_err(unverified)
    }

    /// Asks, and reads the answer.
    async fn read<T>(
        &self,
        request: Request,
        read: impl Fn(&[u8]) -> Result<T, WireError>,
    ) -> Result<T, ExchangeError> {
        read(&self.session.ask(&request).await?).map_err(unreadable)
    }

    /// Private, since only an approved order may be sent.
    async fn send(&self, order: &OrderRequest, stamp: Time) -> Reply {
        let reply = self.session.place(order, stamp).await;
        if let Reply::Rejected { code, .. } = &reply
            && error::outdates_rules(Api::Spot, *code)
        {
            self.cache.forget();
        }
        reply
    }

    /// Spot keeps every coin fully paid.
    fn no_margin(&self, what: &str) -> ExchangeError {
        ExchangeError::Incoherent(format!("a spot account has no {what} to set"))
    }
}

impl Exchange for Spot {
    fn environment(&self) -> String {
        self.environment.clone()
    }

    fn kind(&self) -> Kind {
        Kind::Spot
    }

    async fn connect(&mut self) -> Result<Time, ExchangeError> {
        self.session.sync().await
    }

    fn now(&self) -> Time {
        self.session.now()
    }

    fn not_before(&self) -> Option<Time> {
        self.session.limits().not_before()
    }

    fn recv_window(&self) -> Duration {
        self.session.recv_window()
    }

    async fn observe(&self) -> Result<Observation, ExchangeError> {
        let (observation, problems) = look::observe(&self.session, &self.cache, &self.quote).await?;
        self.note(problems);
        Ok(observation)
    }

    /// What could be sold, dust left out: nobody can close that. Prices help to tell dust, and closing
    /// goes on without them.
    async fn exposed(&self) -> Result<Exposed, ExchangeError> {
        let at = self.session.now();
        let info = self
            .read(Request::new(Call::SpotExchangeInfo), |bytes| listing::exchange_info(bytes, &self.quote));
        let (held, books, rules) = tokio::join!(
            self.read(look::balances(), account::account),
            self.read(Request::new(Call::SpotBookTicker), market::book_ticker),
            self.cache.some_rules(at, info),
        );
        let books = books.map(|books| books.rows).unwrap_or_default();
        let Sellable { positions, locked, dust } = coins::sellable(&held?, &rules, &books, &self.quote);
        Ok(Exposed { at, positions, rules, hedge: false, locked, dust })
    }

    fn remarks(&self) -> Vec<String> {
        let weight = format!("request weight used this minute: {}", self.used_weight());
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let left_out = problems.into_iter().map(|problem| format!("left out: {problem}"));
        std::iter::once(weight).chain(left_out).collect()
    }

    async fn place(&self, order: &ApprovedOrder, stamp: Time) -> Reply {
        self.send(order.request(), stamp).await
    }

    async fn order(&self, symbol: &Symbol, client_id: &str) -> Result<Option<Order>, ExchangeError> {
        let request = Request::by_client_id(Call::SpotQueryOrder, symbol, client_id);
        let order = match self.read(request, order::queried).await {
            // The second is an order of months ago that ended without any execution.
            Err(ExchangeError::Rejected { code: -2013 | -2026, .. }) => return Ok(None),
            answer => answer?,
        };
        if order.symbol != *symbol || order.client_id != client_id {
            let detail = "the answer is about another order".into();
            return Err(unreadable(WireError { endpoint: Call::SpotQueryOrder.name(), detail }));
        }
        Ok(Some(order))
    }

    async fn orders_since(&self, symbol: &Symbol, since: Time) -> Result<Vec<Order>, ExchangeError> {
        history::orders_since(&self.session, symbol, since).await
    }

    async fn fills_of(&self, symbol: &Symbol, order_id: i64) -> Result<Vec<Fill>, ExchangeError> {
        books::fills_of(&self.session, (Call::SpotMyTrades, my_trades), symbol, order_id).await
    }

    async fn fills_since(&self, symbol: &Symbol, since: Time) -> Result<Vec<Fill>, ExchangeError> {
        history::fills_since(&self.session, symbol, since).await
    }

    /// Spot has no such book. A deposit shows as a difference that no trade explains.
    async fn income_since(&self, _since: Time) -> Result<Vec<Entry>, ExchangeError> {
        Ok(Vec::new())
    }

    async fn prices_around(
        &self,
        symbols: &[Symbol],
        at: Time,
    ) -> Result<BTreeMap<Symbol, [Price; 2]>, ExchangeError> {
        books::prices_around(&self.session, (Call::SpotKlines, market::klines), symbols, at).await
    }

    async fn set_leverage(&self, _symbol: &Symbol, leverage: u32) -> Result<(), ExchangeError> {
        if leverage == 1 { Ok(()) } else { Err(self.no_margin("leverage")) }
    }

    /// What is fully paid cannot be isolated from anything.
    async fn set_cross(&self, _symbol: &Symbol) -> Result<(), ExchangeError> {
        Ok(())
    }

    async fn cancel(&self, symbol: &Symbol, client_id: &str) -> Result<(), ExchangeError> {
        let (symbol, client_id) = (symbol.clone(), client_id.to_owned());
        self.cancel_resting(&Resting { symbol, client_id, conditional: false }).await
    }

    async fn resting(&self) -> Result<Vec<Resting>, ExchangeError> {
        let orders = self.read(Request::new(Call::SpotOpenOrders), order::resting_orders).await?;
        Ok(orders.into_iter().filter(Resting::is_ours).collect())
    }

    async fn cancel_resting(&self, order: &Resting) -> Result<(), ExchangeError> {
        let call = Call::SpotCancelOrder;
        match self.session.ask(&Request::by_client_id(call, &order.symbol, &order.client_id)).await {
            // "Unknown order sent.": filled or gone. Which of the two, only a query tells.
            Err(ExchangeError::Rejected { code: -2011 | -2013, .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(body) if error::is_success(&body) => Ok(()),
            Ok(_) => {
                let detail = "the answer is not its success".into();
                Err(unreadable(WireError { endpoint: call.name(), detail }))
            }
        }
    }

    /// Spot keeps no indicators of how an account trades.
    async fn health(&self) -> Health {
        Health { key: self.key_permissions().await, indicators: Ok(Vec::new()) }
    }
}

/// Nothing settles: a coin that is paid in full is charged nothing for being held.
impl Settles for Spot {
    async fn settlements(&self, _symbol: &Symbol, _since: Time) -> Result<Vec<Settlement>, ExchangeError> {
        Ok(Vec::new())
    }

    async fn funding_hours(
        &self,
        _listed: &BTreeMap<Symbol, Rules>,
    ) -> Result<BTreeMap<Symbol, u32>, ExchangeError> {
        Ok(BTreeMap::new())
    }
}

#[cfg(test)]
mod tests;
