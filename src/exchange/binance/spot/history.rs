//! Orders and executions of one pair over a span of time.

use std::time::Duration;

use crate::domain::fill::Fill;
use crate::domain::order::Order;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::ExchangeError;
use crate::exchange::binance::history::{Book, each_once, each_order_once};
use crate::exchange::binance::session::{Session, unreadable};
use crate::wire::binance::request::{Call, PAGE_ROWS, Request};
use crate::wire::binance::spot::{history, order};
use crate::wire::json::WireError;

/// The widest span one request may ask for.
const WINDOW: Duration = Duration::from_millis(86_400_000 - 1);

/// Executions of one pair at or after `since`, ascending; at most 89 days back where there are more than a
/// page.
pub(super) async fn fills_since(
    session: &Session,
    symbol: &Symbol,
    since: Time,
) -> Result<Vec<Fill>, ExchangeError> {
    let fills = rows_since(session, Call::SpotMyTrades, symbol, since, history::my_trades, |fill| fill.at);
    each_once(Call::SpotMyTrades, symbol, fills.await?)
}

/// Orders of one pair created at or after `since`, by number; at most 89 days back where there are more
/// than a page.
pub(super) async fn orders_since(
    session: &Session,
    symbol: &Symbol,
    since: Time,
) -> Result<Vec<Order>, ExchangeError> {
    let orders = rows_since(session, Call::SpotAllOrders, symbol, since, order::all_orders, |row| row.0);
    let orders = orders.await?.into_iter().map(|(_, order)| order).collect();
    each_order_once(Call::SpotAllOrders, symbol, orders)
}

/// A day per request would be a hundred requests for a quarter. Most pairs have less than a page of rows
/// in all, so that page is asked for first: one that is not full is everything there is, whichever end of
/// the book the exchange begins with. Only a full one is followed by days.
async fn rows_since<T>(
    session: &Session,
    call: Call,
    symbol: &Symbol,
    since: Time,
    read: fn(&[u8]) -> Result<Vec<T>, WireError>,
    at: fn(&T) -> Time,
) -> Result<Vec<T>, ExchangeError> {
    let request = Request::new(call).with("symbol", symbol).with("limit", PAGE_ROWS);
    let mut page = read(&session.ask(&request).await?).map_err(unreadable)?;
    if page.len() < PAGE_ROWS {
        page.retain(|row| at(row) >= since);
        return Ok(page);
    }
    let mut rows = Book { session, call, symbol: Some(symbol), read, window: WINDOW }
        // The exchange selects by the same time that is checked here.
        .since(since, |_| None)
        .await?;
    rows.retain(|row| at(row) >= since);
    Ok(rows)
}
