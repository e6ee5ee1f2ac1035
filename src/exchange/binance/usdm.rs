//! Binance USDⓈ-M futures as a venue.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use secrecy::SecretString;

use crate::decide::risk::ApprovedOrder;
use crate::decide::stops::ApprovedStop;
use crate::domain::account::{Health, KeyPermissions};
use crate::domain::candidate::{Candidate, FundingPast};
use crate::domain::entry::Entry;
use crate::domain::fill::Fill;
use crate::domain::funding::Settlement;
use crate::domain::market::Market;
use crate::domain::num::Price;
use crate::domain::order::{Order, OrderRequest, Resting};
use crate::domain::rules::Rules;
use crate::domain::stop::Conditional;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::binance::cache::{Cache, Listing};
use crate::exchange::binance::client::{Http, SetupError};
use crate::exchange::binance::session::{Credentials, Session, unreadable};
use crate::exchange::binance::{history, observe};
use crate::exchange::{Exchange, ExchangeError, Exposed, Observation, Reply, Settles};
use crate::wire::binance::api::Api;
use crate::wire::binance::error;
use crate::wire::binance::listed::Problem;
use crate::wire::binance::request::{Call, Request};
use crate::wire::binance::usdm::history::user_trades;
use crate::wire::binance::usdm::market::{self, DayStats, FundingPrint, FundingTerms, Kline};
use crate::wire::binance::usdm::{account, algo};
use crate::wire::binance::usdm::{listing, order};
use crate::wire::json::WireError;
use crate::wire::sign::Signer;

/// The official host of live accounts.
pub const LIVE_URL: &str = "https://fapi.binance.com";
/// The official host of demo ("testnet") accounts.
pub const TESTNET_URL: &str = "https://demo-fapi.binance.com";

/// Everything a connection needs to know.
pub struct Settings {
    /// `scheme://host[:port]`; must be an official host, or this machine.
    pub base_url: String,
    /// What [`Exchange::environment`] answers; names the cache file too.
    pub environment: String,
    /// API key and what signs with its secret; `None` reads public data only.
    pub credentials: Option<(SecretString, Signer)>,
    /// How long after its signed time a request may still be accepted.
    pub recv_window: Duration,
    /// Total time for one request, from connecting to the last byte.
    pub timeout: Duration,
    /// Reads in flight at once.
    pub concurrency: usize,
    /// How old cached trading rules may be.
    pub exchange_info_max_age: Duration,
    /// Folder of the cache; `None` keeps it in memory.
    pub cache: Option<PathBuf>,
    /// The asset that margin is posted in, for example `USDT`.
    pub quote: String,
}

/// A connection to Binance USDⓈ-M futures. Opens nothing until asked.
pub struct Usdm {
    session: Session,
    cache: Cache,
    environment: String,
    quote: String,
    problems: Mutex<Vec<Problem>>,
}

/// Most settlements that one answer holds.
const FUNDING_ROWS: usize = 1000;
/// Contracts that the exchange does not name among those with terms of their own settle this often.
const USUAL_FUNDING_HOURS: u32 = 8;
/// Funding histories asked for at once.
const FUNDING_AT_ONCE: usize = 10;

/// Trading rules and prices of every contract, for those who need no account.
pub type PublicMarkets = (Time, BTreeMap<Symbol, Rules>, BTreeMap<Symbol, Market>);

impl Usdm {
    /// Prepares a connection. Fails on a URL outside the allow-list.
    pub fn new(settings: Settings) -> Result<Usdm, SetupError> {
        let credentials = settings.credentials.map(|(key, signer)| Credentials { key, signer });
        let key = credentials.as_ref().map(|credentials| &credentials.key);
        let http = Http::new(Api::Usdm, &settings.base_url, key, settings.timeout, settings.concurrency)?;
        let session = Session::new(Api::Usdm, http, credentials, settings.recv_window, settings.concurrency);
        let max_age = settings.exchange_info_max_age;
        let cache = Cache::new(settings.cache, &settings.environment, session.host(), max_age);
        Ok(Usdm {
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

    /// Rows of market data that the last wave could not read, and why.
    fn problems(&self) -> Vec<Problem> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Rules (cached) and prices of every contract, without key or signature, for paper trading on
    /// live prices. Maintenance tiers are not public.
    pub async fn public_markets(&self) -> Result<PublicMarkets, ExchangeError> {
        self.markets(self.cache.load(self.session.now(), false)).await
    }

    async fn markets(&self, cached: Option<Arc<Listing>>) -> Result<PublicMarkets, ExchangeError> {
        let at = self.session.now();
        let rules = async {
            if let Some(listing) = cached {
                return Ok((listing, Vec::new()));
            }
            let info = self.read(Request::new(Call::ExchangeInfo), listing::exchange_info).await?;
            Ok((self.cache.store(self.session.now(), info.rows, None), info.problems))
        };
        let (rules, marks, quotes) = tokio::join!(
            rules,
            self.read(Request::new(Call::PremiumIndex), market::premium_index),
            self.read(Request::new(Call::BookTicker), market::book_ticker),
        );
        let ((listing, mut problems), marks, quotes) = (rules?, marks?, quotes?);
        problems.extend(marks.problems);
        problems.extend(quotes.problems);
        self.note(problems);
        Ok((at, listing.rules.clone(), market::markets(&marks.rows, &quotes.rows)))
    }

    /// What every contract traded in the last 24 hours (weight 40).
    pub async fn day_stats(&self) -> Result<BTreeMap<Symbol, DayStats>, ExchangeError> {
        let stats = self.read(Request::new(Call::Ticker24h), market::ticker_24h).await?;
        Ok(stats.rows)
    }

    /// How often and how far each contract's funding may go; absent means every 8 hours.
    pub async fn funding_terms(&self) -> Result<BTreeMap<Symbol, FundingTerms>, ExchangeError> {
        let terms = self.read(Request::new(Call::FundingInfo), market::funding_info).await?;
        Ok(terms.rows)
    }

    /// Settled funding of one contract, ascending: the first `limit` (at most 1000) prints at or
    /// after `since`. At most 500 such requests per five minutes.
    pub async fn funding_rates(
        &self,
        symbol: &Symbol,
        since: Time,
        limit: usize,
    ) -> Result<Vec<FundingPrint>, ExchangeError> {
        let request = Request::new(Call::FundingRate).with("symbol", symbol);
        let request = request.with("startTime", since.ms()).with("limit", limit.clamp(1, 1000));
        self.read(request, market::funding_rates).await
    }

    /// Everything that is listed, with prices and what it traded in 24 hours, in one wave; funding
    /// histories are asked for apart ([`Usdm::funding_past`]). Needs no key. The listing is never a
    /// cached one: a contract whose end was announced in the last hour must not be chosen.
    pub async fn candidates(&self) -> Result<(Time, Vec<Candidate>), ExchangeError> {
        let ((at, rules, markets), stats) = tokio::try_join!(self.markets(None), self.day_stats())?;
        let candidate = |(symbol, rules): (Symbol, Rules)| Candidate {
            market: markets.get(&symbol).copied(),
            // A contract that no longer trades keeps showing its last day.
            volume: stats.get(&symbol).and_then(|stats| stats.volume(at)),
            funding: None,
            rules,
        };
        Ok((at, rules.into_iter().map(candidate).collect()))
    }

    /// What the funding of `symbols` was lately: `None` where too little was settled to tell; a contract
    /// whose history could not be read is absent. `asked` is called after every answer. At most 500
    /// contracts per five minutes.
    pub async fn funding_past(
        &self,
        symbols: &[Symbol],
        asked: &dyn Fn(),
    ) -> Result<BTreeMap<Symbol, Option<FundingPast>>, ExchangeError> {
        let terms = self.funding_terms().await?;
        let now = self.session.now();
        let since = now - FundingPast::WINDOW - FundingPast::STALE;
        let one = async |symbol: &Symbol| {
            let prints = self.funding_rates(symbol, since, 1000).await;
            asked();
            let prints: Vec<_> = prints.ok()?.into_iter().map(|print| (print.at, print.rate)).collect();
            let told = terms.get(symbol).map(|terms| terms.interval_hours);
            Some((symbol.clone(), FundingPast::of_prints(&prints, told, now)))
        };
        let waiting = symbols.iter().map(one);
        let found = stream::iter(waiting).buffer_unordered(FUNDING_AT_ONCE).collect::<Vec<_>>().await;
        Ok(found.into_iter().flatten().collect())
    }

    /// Candles of one contract, ascending: the first `limit` (at most 1500) that open at or after
    /// `since`. `interval` is the exchange's word, for example `5m`.
    pub async fn klines(
        &self,
        symbol: &Symbol,
        interval: &str,
        since: Time,
        limit: usize,
    ) -> Result<Vec<Kline>, ExchangeError> {
        let request = Request::new(Call::Klines).with("symbol", symbol).with("interval", interval);
        let request = request.with("startTime", since.ms()).with("limit", limit.clamp(1, 1500));
        self.read(request, market::klines).await
    }

    /// What the key may do, or why nobody can tell: an environment without the endpoint (testnet) is
    /// "not verifiable", never "fine".
    async fn key_permissions(&self) -> Result<KeyPermissions, String> {
        if !self.session.has(Call::KeyPermissions) {
            return Err(format!("not verifiable here: {} does not tell what a key may do", self.environment));
        }
        self.read(Request::new(Call::KeyPermissions), account::key_permissions).await.map_err(unverified)
    }

    /// Trading rules for those who can do with old ones, or none: fresh ones only where they come
    /// soon.
    async fn some_rules(&self) -> BTreeMap<Symbol, Rules> {
        let asked = self.read(Request::new(Call::ExchangeInfo), listing::exchange_info);
        self.cache.some_rules(self.session.now(), asked).await
    }

    /// Asks, and reads the answer.
    async fn read<T>(
        &self,
        request: Request,
        read: impl Fn(&[u8]) -> Result<T, WireError>,
    ) -> Result<T, ExchangeError> {
        read(&self.session.ask(&request).await?).map_err(unreadable)
    }

    /// The same of one order; `None` where the exchange knows none. An answer about another one is none.
    async fn known<T>(
        &self,
        request: Request,
        read: impl Fn(&[u8]) -> Result<T, WireError>,
        same: impl Fn(&T) -> bool,
    ) -> Result<Option<T>, ExchangeError> {
        let endpoint = request.call.name();
        let found = match self.read(request, read).await {
            Err(ExchangeError::Rejected { code: -2013, .. }) => return Ok(None),
            answer => answer?,
        };
        if same(&found) {
            return Ok(Some(found));
        }
        Err(unreadable(WireError { endpoint, detail: "the answer is about another order".into() }))
    }

    fn note(&self, problems: Vec<Problem>) {
        *self.problems.lock().unwrap_or_else(PoisonError::into_inner) = problems;
    }

    /// Private, since only an approved order may be sent.
    async fn send(&self, order: &OrderRequest, stamp: Time) -> Reply {
        let reply = self.session.place(order, stamp).await;
        if let Reply::Rejected { code, .. } = &reply
            && error::outdates_rules(Api::Usdm, *code)
        {
            self.cache.forget();
        }
        reply
    }
}

impl Exchange for Usdm {
    fn environment(&self) -> String {
        self.environment.clone()
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
        let (observation, problems) = observe::observe(&self.session, &self.cache, &self.quote).await?;
        self.note(problems);
        Ok(observation)
    }

    async fn exposed(&self) -> Result<Exposed, ExchangeError> {
        let at = self.session.now();
        let held = self.read(Request::new(Call::PositionRisk), account::exposed);
        let (held, rules) = tokio::join!(held, self.some_rules());
        let (positions, hedge) = held?;
        Ok(Exposed { at, positions, rules, hedge, locked: BTreeMap::new(), dust: BTreeMap::new() })
    }

    fn remarks(&self) -> Vec<String> {
        let weight = format!("request weight used this minute: {}", self.used_weight());
        let left_out = self.problems().into_iter().map(|problem| format!("left out: {problem}"));
        std::iter::once(weight).chain(left_out).collect()
    }

    async fn place(&self, order: &ApprovedOrder, stamp: Time) -> Reply {
        self.send(order.request(), stamp).await
    }

    async fn order(&self, symbol: &Symbol, client_id: &str) -> Result<Option<Order>, ExchangeError> {
        let request = Request::by_client_id(Call::QueryOrder, symbol, client_id);
        let same = |order: &Order| order.symbol == *symbol && order.client_id == client_id;
        self.known(request, order::queried, same).await
    }

    async fn orders_since(&self, symbol: &Symbol, since: Time) -> Result<Vec<Order>, ExchangeError> {
        history::orders_since(&self.session, symbol, since).await
    }

    async fn fills_of(&self, symbol: &Symbol, order_id: i64) -> Result<Vec<Fill>, ExchangeError> {
        history::fills_of(&self.session, (Call::UserTrades, user_trades), symbol, order_id).await
    }

    async fn fills_since(&self, symbol: &Symbol, since: Time) -> Result<Vec<Fill>, ExchangeError> {
        history::fills_since(&self.session, symbol, since).await
    }

    async fn income_since(&self, since: Time) -> Result<Vec<Entry>, ExchangeError> {
        history::income_since(&self.session, since).await
    }

    async fn prices_around(
        &self,
        symbols: &[Symbol],
        at: Time,
    ) -> Result<BTreeMap<Symbol, [Price; 2]>, ExchangeError> {
        history::prices_around(&self.session, (Call::MarkKlines, market::mark_klines), symbols, at).await
    }

    async fn set_leverage(&self, symbol: &Symbol, leverage: u32) -> Result<(), ExchangeError> {
        let request = Request::new(Call::SetLeverage).with("symbol", symbol).with("leverage", leverage);
        let set = self.read(request, order::leverage_set).await?;
        if set == leverage {
            return Ok(());
        }
        let detail = format!("asked for leverage {leverage}, the exchange set {set}");
        Err(unreadable(WireError { endpoint: Call::SetLeverage.name(), detail }))
    }

    async fn set_cross(&self, symbol: &Symbol) -> Result<(), ExchangeError> {
        let call = Call::SetMarginType;
        let request = Request::new(call).with("symbol", symbol).with("marginType", "CROSSED");
        match self.session.ask(&request).await {
            // "No need to change margin type."
            Err(ExchangeError::Rejected { code: -4046, .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(body) if error::is_success(&body) => Ok(()),
            Ok(_) => {
                let detail = "the answer is not its success".into();
                Err(unreadable(WireError { endpoint: call.name(), detail }))
            }
        }
    }

    async fn cancel(&self, symbol: &Symbol, client_id: &str) -> Result<(), ExchangeError> {
        let (symbol, client_id) = (symbol.clone(), client_id.to_owned());
        self.cancel_resting(&Resting { symbol, client_id, conditional: false }).await
    }

    async fn resting(&self) -> Result<Vec<Resting>, ExchangeError> {
        let (orders, algos) = tokio::join!(
            self.read(Request::new(Call::OpenOrders), order::resting_orders),
            self.read(Request::new(Call::OpenAlgoOrders), order::resting_algos),
        );
        Ok(orders?.into_iter().chain(algos?).filter(Resting::is_ours).collect())
    }

    async fn cancel_resting(&self, order: &Resting) -> Result<(), ExchangeError> {
        let request = Request::cancel(order);
        match self.session.ask(&request).await {
            // "Unknown order sent.": filled or gone. Which of the two, only a query tells.
            Err(ExchangeError::Rejected { code: -2011 | -2013, .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(body) if error::is_success(&body) => Ok(()),
            Ok(_) => {
                let detail = "the answer is not its success".into();
                Err(unreadable(WireError { endpoint: request.call.name(), detail }))
            }
        }
    }

    async fn conditionals(&self) -> Result<Vec<Conditional>, ExchangeError> {
        self.read(Request::new(Call::OpenAlgoOrders), algo::open).await
    }

    async fn conditional(&self, client_id: &str) -> Result<Option<Conditional>, ExchangeError> {
        let request = Request::new(Call::QueryAlgo).with("clientAlgoId", client_id);
        self.known(request, algo::queried, |found: &Conditional| found.client_id == client_id).await
    }

    async fn place_stop(&self, stop: &ApprovedStop, stamp: Time) -> Reply<Conditional> {
        self.session.place_stop(stop.request(), stamp).await
    }

    async fn order_numbered(&self, symbol: &Symbol, number: i64) -> Result<Option<Order>, ExchangeError> {
        let request = Request::new(Call::QueryOrder).with("symbol", symbol).with("orderId", number);
        let same = |order: &Order| order.symbol == *symbol && order.order_id == number;
        self.known(request, order::queried, same).await
    }

    async fn health(&self) -> Health {
        let status = self.read(Request::new(Call::TradingStatus), account::trading_status);
        let (key, indicators) = tokio::join!(self.key_permissions(), status);
        Health { key, indicators: indicators.map_err(unverified) }
    }
}

impl Settles for Usdm {
    async fn settlements(&self, symbol: &Symbol, since: Time) -> Result<Vec<Settlement>, ExchangeError> {
        let mut prints: Vec<FundingPrint> = Vec::new();
        let mut from = since;
        loop {
            let page = self.funding_rates(symbol, from, FUNDING_ROWS).await?;
            if page.iter().any(|print| print.symbol != *symbol) {
                let detail = "rows of another contract".into();
                return Err(unreadable(WireError { endpoint: Call::FundingRate.name(), detail }));
            }
            let full = page.len() >= FUNDING_ROWS;
            let last = page.last().map(|print| print.at);
            prints.extend(page);
            let Some(last) = last.filter(|last| full && *last > from) else { break };
            // A page may end between two rows of one time, so the next one begins with both.
            prints.retain(|print| print.at < last);
            from = last;
        }
        let settled = |print: FundingPrint| Settlement {
            at: print.at,
            rate: print.rate,
            mark: print.mark,
            special: print.special,
        };
        Ok(prints.into_iter().map(settled).collect())
    }

    async fn funding_hours(
        &self,
        listed: &BTreeMap<Symbol, Rules>,
    ) -> Result<BTreeMap<Symbol, u32>, ExchangeError> {
        let terms = self.funding_terms().await?;
        let hours =
            |symbol: &Symbol| terms.get(symbol).map_or(USUAL_FUNDING_HOURS, |terms| terms.interval_hours);
        Ok(listed.keys().map(|symbol| (symbol.clone(), hours(symbol))).collect())
    }
}

/// Why a part of [`Health`] is unknown. A host without the endpoint will never tell, any other
/// failure may pass.
pub(super) fn unverified(error: ExchangeError) -> String {
    match &error {
        ExchangeError::Unavailable { endpoint, detail } if detail.ends_with(error::NO_SUCH_PATH) => {
            format!("not verifiable here: the host does not offer {endpoint}")
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
