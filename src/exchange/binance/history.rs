//! The exchange's books over a span of time, all pages.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::domain::entry::Entry;
use crate::domain::fill::Fill;
use crate::domain::num::Price;
use crate::domain::order::Order;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::ExchangeError;
use crate::exchange::binance::session::{Session, unreadable};
use crate::wire::binance::request::{Call, PAGE_ROWS, Request};
use crate::wire::binance::usdm::market::Kline;
use crate::wire::binance::usdm::{history, order};
use crate::wire::json::WireError;

/// The widest span one request may ask for.
const WINDOW: Duration = Duration::from_millis(7 * 86_400_000 - 1);
/// How far back executions and income are kept (three months), with a day to spare.
const KEPT: Duration = Duration::from_secs(89 * 86_400);
const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
/// Contracts whose candles are asked for at once.
const CANDLES_AT_ONCE: usize = 10;

/// Executions of one contract at or after `since`, ascending; at most 89 days back.
pub(super) async fn fills_since(
    session: &Session,
    symbol: &Symbol,
    since: Time,
) -> Result<Vec<Fill>, ExchangeError> {
    let read = history::user_trades;
    let book = Book { session, call: Call::UserTrades, symbol: Some(symbol), read, window: WINDOW };
    let fills = book.since(since, |fill| Some(fill.at)).await?;
    each_once(Call::UserTrades, symbol, fills)
}

/// Executions of one contract, ascending, each of them once.
pub(super) fn each_once(
    call: Call,
    symbol: &Symbol,
    mut fills: Vec<Fill>,
) -> Result<Vec<Fill>, ExchangeError> {
    of_symbol(call, symbol, fills.iter().map(|fill| &fill.symbol))?;
    fills.sort_by_key(|fill| fill.trade_id);
    fills.dedup_by_key(|fill| fill.trade_id);
    Ok(fills)
}

/// Income rows at or after `since`, ascending; at most 89 days back. Two rows may be equal in every
/// column and still be two.
pub(super) async fn income_since(session: &Session, since: Time) -> Result<Vec<Entry>, ExchangeError> {
    let book = Book { session, call: Call::Income, symbol: None, read: history::income, window: WINDOW };
    let mut entries = book.since(since, |entry| Some(entry.at)).await?;
    entries.sort();
    Ok(entries)
}

/// Where candles are, and how the answer is read.
pub(super) type Candles = (Call, fn(&[u8]) -> Result<Vec<Kline>, WireError>);

/// Prices at the beginning and at the end of the minute that `at` falls into, from candles: the first is the end of
/// the minute before it.
pub(super) async fn prices_around(
    session: &Session,
    (call, read): Candles,
    symbols: &[Symbol],
    at: Time,
) -> Result<BTreeMap<Symbol, [Price; 2]>, ExchangeError> {
    let before = at.floor_to(MINUTE) - MINUTE;
    let one = async |symbol: &Symbol| {
        let request = Request::new(call).with("symbol", symbol).with("interval", "1m");
        let request = request.with("startTime", before.ms()).with("limit", 2);
        let candles = read(&session.ask(&request).await?).map_err(unreadable)?;
        match (candles.first(), candles.last()) {
            (Some(first), Some(last)) if first.open_time == before && last.open_time <= before + MINUTE => {
                Ok((symbol.clone(), [first.close, last.close]))
            }
            _ => {
                let detail = format!("no price of {symbol} at {at}");
                Err(unreadable(WireError { endpoint: call.name(), detail }))
            }
        }
    };
    stream::iter(symbols).map(one).buffer_unordered(CANDLES_AT_ONCE).try_collect().await
}

/// Orders of one contract created at or after `since`, by number; at most as far back as the exchange
/// keeps them.
pub(super) async fn orders_since(
    session: &Session,
    symbol: &Symbol,
    since: Time,
) -> Result<Vec<Order>, ExchangeError> {
    let read = order::all_orders;
    let book = Book { session, call: Call::AllOrders, symbol: Some(symbol), read, window: WINDOW };
    // An order shows its last change, not its creation, so only the exchange can select by that.
    let orders = book.since(since, |_| None).await?;
    each_order_once(Call::AllOrders, symbol, orders)
}

/// Orders of one contract by number, each of them once.
pub(super) fn each_order_once(
    call: Call,
    symbol: &Symbol,
    mut orders: Vec<Order>,
) -> Result<Vec<Order>, ExchangeError> {
    of_symbol(call, symbol, orders.iter().map(|order| &order.symbol))?;
    orders.sort_by_key(|order| order.order_id);
    orders.dedup_by_key(|order| order.order_id);
    Ok(orders)
}

/// Reads one page of executions.
pub(super) type ReadFills = fn(&[u8]) -> Result<Vec<Fill>, WireError>;

/// Executions of one order, ascending.
pub(super) async fn fills_of(
    session: &Session,
    (call, read): (Call, ReadFills),
    symbol: &Symbol,
    order_id: i64,
) -> Result<Vec<Fill>, ExchangeError> {
    let mut fills: Vec<Fill> = Vec::new();
    loop {
        let request = Request::new(call).with("symbol", symbol).with("orderId", order_id);
        let request = match fills.last() {
            Some(last) => request.with("fromId", last.trade_id.saturating_add(1)),
            None => request,
        };
        let body = session.ask(&request.with("limit", PAGE_ROWS)).await?;
        let mut page = read(&body).map_err(unreadable)?;
        of_symbol(call, symbol, page.iter().map(|fill| &fill.symbol))?;
        let full = page.len() >= PAGE_ROWS;
        let known = fills.last().map_or(i64::MIN, |last| last.trade_id);
        page.retain(|fill| fill.order_id == order_id && fill.trade_id > known);
        page.sort_by_key(|fill| fill.trade_id);
        let grew = !page.is_empty();
        fills.append(&mut page);
        if !full || !grew {
            return Ok(fills);
        }
    }
}

/// An answer about another contract than asked is no answer.
fn of_symbol<'a>(
    call: Call,
    asked: &Symbol,
    mut found: impl Iterator<Item = &'a Symbol>,
) -> Result<(), ExchangeError> {
    match found.find(|symbol| *symbol != asked) {
        Some(_) => {
            Err(unreadable(WireError { endpoint: call.name(), detail: "rows of another contract".into() }))
        }
        None => Ok(()),
    }
}

/// One of the exchange's books, read by time.
pub(super) struct Book<'s, T> {
    pub(super) session: &'s Session,
    pub(super) call: Call,
    pub(super) symbol: Option<&'s Symbol>,
    pub(super) read: fn(&[u8]) -> Result<Vec<T>, WireError>,
    /// The widest span one request may ask for.
    pub(super) window: Duration,
}

impl<T> Book<'_, T> {
    /// Every row from `since` to now, at most 89 days back: windows at once, each one halved where it holds
    /// more rows than a page. Disjoint windows need no guess about what a cut page left out, and two
    /// equal rows stay two.
    pub(super) async fn since(
        &self,
        since: Time,
        at: fn(&T) -> Option<Time>,
    ) -> Result<Vec<T>, ExchangeError> {
        let now = self.session.now() + Duration::from_secs(1);
        let since = since.max(now - KEPT);
        let windows =
            windows(since, now, self.window).into_iter().map(|(from, to)| self.between(from, to, at));
        Ok(try_join_all(windows).await?.into_iter().flatten().collect())
    }

    async fn between(
        &self,
        from: Time,
        to: Time,
        at: fn(&T) -> Option<Time>,
    ) -> Result<Vec<T>, ExchangeError> {
        let mut rows = Vec::new();
        let mut left = vec![(from, to)];
        while let Some((from, to)) = left.pop() {
            let request = Request::window(self.call, self.symbol, from, to);
            let body = self.session.ask(&request).await?;
            let page = (self.read)(&body).map_err(unreadable)?;
            if page.len() < PAGE_ROWS {
                rows.extend(page.into_iter().filter(|row| at(row).is_none_or(|at| from <= at && at <= to)));
                continue;
            }
            if from >= to {
                let detail = "more rows in one millisecond than a page holds".into();
                return Err(unreadable(WireError { endpoint: self.call.name(), detail }));
            }
            let middle = from + to.since(from) / 2;
            // `since` loses nothing here: both are whole milliseconds.
            left.push((middle + MILLISECOND, to));
            left.push((from, middle));
        }
        Ok(rows)
    }
}

/// Cuts a span into disjoint windows that one request may ask for.
fn windows(from: Time, to: Time, widest: Duration) -> Vec<(Time, Time)> {
    let mut windows = Vec::new();
    let mut start = from;
    while start <= to {
        let end = (start + widest).min(to);
        windows.push((start, end));
        start = end + MILLISECOND;
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_disjoint_and_cover_everything() {
        let at = |day: i64| Time::clamped(1_795_000_000_000 + day * 86_400_000);
        for (from, to, count) in [(0, 0, 1), (0, 6, 1), (0, 7, 2), (0, 14, 3), (0, 89, 13), (1, 0, 0)] {
            let windows = windows(at(from), at(to), WINDOW);
            assert_eq!(windows.len(), count, "{from}..{to}");
            for pair in windows.windows(2) {
                assert_eq!(pair[0].1 + MILLISECOND, pair[1].0);
            }
            for (start, end) in &windows {
                assert!(start <= end && end.since(*start) <= WINDOW);
            }
            if count > 0 {
                assert_eq!((windows[0].0, windows[count - 1].1), (at(from), at(to)));
            }
        }
    }
}
