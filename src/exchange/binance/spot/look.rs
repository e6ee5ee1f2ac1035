//! One concurrent wave of reads becomes one look at a spot account, or nothing.

use std::sync::Arc;

use crate::domain::order::Order;
use crate::domain::rules::Status;
use crate::exchange::binance::cache::{Cache, Listing};
use crate::exchange::binance::session::{Session, unreadable};
use crate::exchange::coins::{Look, Prices};
use crate::exchange::{ExchangeError, Observation};
use crate::wire::binance::listed::Problem;
use crate::wire::binance::request::{Call, Request};
use crate::wire::binance::spot::{account, listing, market, order};

/// Weight of the wave: 28, and 20 more when the listing is read anew.
const WAVE: [Call; 3] = [Call::SpotAccount, Call::SpotBookTicker, Call::SpotPrice];

/// Asks for what is held, without the hundreds of assets that are not.
pub(super) fn balances() -> Request {
    Request::new(Call::SpotAccount).with("omitZeroBalances", "true")
}

/// Reads everything a decision may see. Returns it with the rows of market data that could not be read.
pub(super) async fn observe(
    session: &Session,
    cache: &Cache,
    quote: &str,
) -> Result<(Observation, Vec<Problem>), ExchangeError> {
    session.ready(Call::SpotAccount)?;
    let at = session.now();
    let cached = cache.load(at, false);
    let listing = if cached.is_some() { 0 } else { Request::new(Call::SpotExchangeInfo).weight() };
    let wave: u32 = WAVE.iter().map(|call| Request::new(*call).weight()).sum();
    session.admit(Call::SpotAccount, wave + listing)?;

    let held = balances();
    let (held, priced) = tokio::join!(session.ask(&held), priced(session, cache, cached, quote));
    let Priced { listing, prices, problems } = priced?;
    let account = account::account(&held?).map_err(unreadable)?;

    // Every resting order ties something up, so without that there are none. Asking costs more than all
    // the rest.
    let waits = account.balances.values().any(|held| !held.locked.is_zero());
    let open_orders = if waits { open_orders(session).await? } else { Vec::new() };
    let looked = Look { quote, account: &account, rules: &listing.rules, prices: &prices };
    Ok((looked.observation(open_orders), problems))
}

/// What everybody may see.
pub(super) struct Priced {
    pub(super) listing: Arc<Listing>,
    pub(super) prices: Prices,
    /// Rows that could not be read.
    pub(super) problems: Vec<Problem>,
}

/// Rules and prices of every pair in one wave; rules only where they are not `cached`.
pub(super) async fn priced(
    session: &Session,
    cache: &Cache,
    cached: Option<Arc<Listing>>,
    quote: &str,
) -> Result<Priced, ExchangeError> {
    let at = session.now();
    let (books, last) = (Request::new(Call::SpotBookTicker), Request::new(Call::SpotPrice));
    let (books, last, listed) =
        tokio::join!(session.ask(&books), session.ask(&last), listed(session, cache, cached, quote));
    let (listing, mut problems) = listed?;
    let books = market::book_ticker(&books?).map_err(unreadable)?;
    let last = market::prices(&last?).map_err(unreadable)?;
    let ours = |problem: &Problem| problem.symbol.is_empty() || problem.symbol.ends_with(quote);
    problems.extend(books.problems.into_iter().chain(last.problems).filter(ours));
    Ok(Priced { listing, prices: Prices { at, books: books.rows, last: last.rows }, problems })
}

async fn open_orders(session: &Session) -> Result<Vec<Order>, ExchangeError> {
    let body = session.ask(&Request::new(Call::SpotOpenOrders)).await?;
    order::open_orders(&body).map_err(unreadable)
}

/// Rules from the cache, or read in the same wave.
async fn listed(
    session: &Session,
    cache: &Cache,
    cached: Option<Arc<Listing>>,
    quote: &str,
) -> Result<(Arc<Listing>, Vec<Problem>), ExchangeError> {
    if let Some(listing) = cached {
        return Ok((listing, Vec::new()));
    }
    let body = session.ask(&Request::new(Call::SpotExchangeInfo)).await?;
    let info = listing::exchange_info(&body, quote).map_err(unreadable)?;
    if !info.rows.values().any(|rules| rules.status == Status::Trading) {
        return Err(ExchangeError::Incoherent(format!("no coherent snapshot: nothing is traded in {quote}")));
    }
    Ok((cache.store(session.now(), info.rows, None), info.problems))
}
