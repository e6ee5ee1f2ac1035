//! Deposits and withdrawals since the last reading, and what the account was worth just before each of them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::decide::nav::Transfer;
use crate::decide::worth::Since;
use crate::domain::entry::Entry;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::{Exchange, Kind};
use crate::ledger::{Cut, EquityRow, Ledger};

use super::PassError;
use super::observe::Seen;

/// Where nobody says what the prices were: between readings this close, they are taken to have moved before a
/// transfer: people move money because prices did. Over a longer gap the value of a unit is taken to have
/// moved evenly.
const SAME_MOMENT: Duration = Duration::from_secs(3600);
/// More transfers than this between two readings are a program's, and each would cost a wave of requests.
const MOST: usize = 8;

/// The transfers that `seen` contains and `last` does not, in order of time.
pub(super) async fn transfers<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    seen: &Seen,
    last: &EquityRow,
) -> Result<Vec<Transfer>, PassError> {
    let is_transfer = |entry: &&Entry| entry.is_transfer() && entry.asset == seen.quote;
    let mut moved: Vec<&Entry> = seen.unbooked.iter().filter(is_transfer).collect();
    moved.sort_by_key(|entry| entry.at);
    let before = match moved.is_empty() || moved.len() > MOST {
        true => None,
        false => worth_before(exchange, ledger, seen, last, &moved).await?,
    };
    let span = seen.snapshot.at.since(last.at);
    let elapsed = |at: Time| match seconds(at.since(last.at)).over(seconds(span)) {
        Some(elapsed) if span > SAME_MOMENT => elapsed.min(Rate::ONE),
        _ => Rate::ONE,
    };
    let transfer = |(index, entry): (usize, &&Entry)| Transfer {
        amount: entry.amount,
        elapsed: elapsed(entry.at),
        before: before.as_ref().and_then(|before| before.get(index).copied()),
    };
    Ok(moved.iter().enumerate().map(transfer).collect())
}

fn seconds(span: Duration) -> Rate {
    Rate::new(i64::try_from(span.as_millis()).unwrap_or(i64::MAX), 3)
}

/// What the account was worth just before each of `moved`; `None` where that cannot be told: prices that nobody
/// has, or an account that our own executions and income rows do not lead to.
async fn worth_before<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    seen: &Seen,
    last: &EquityRow,
    moved: &[&Entry],
) -> Result<Option<Vec<[Notional; 2]>>, PassError> {
    // A ledger that is only looked at may be too old to tell.
    if ledger.is_old().await? {
        return Ok(None);
    }
    let Some(reading) = ledger.reading_at(last.at).await? else { return Ok(None) };
    let samples = ledger.samples(&[reading.pass_id]).await?.remove(&reading.pass_id).unwrap_or_default();
    let now = seen.snapshot.at;
    let mut fills = Vec::new();
    let until = Cut::until(&reading, now + Duration::from_millis(1));
    ledger.each_trade(&Cut::before_trades(&reading), &until, |trade| fills.push(trade.fill)).await?;
    let since = Since {
        equity: last.equity,
        samples: &samples,
        fills: &fills,
        entries: &seen.unbooked,
        quote: &seen.quote,
        of_coins: exchange.kind() == Kind::Spot,
    };
    if !since.leads_to(now, &positions(seen), seen.snapshot.balance.equity) {
        return Ok(None);
    }
    let (mut worths, mut earlier) = (Vec::new(), Notional::ZERO);
    for entry in moved {
        let held: Vec<Symbol> = since.held(entry.at).into_keys().collect();
        // Without an answer the pass goes on with what it would assume.
        let Ok(prices) = exchange.prices_around(&held, entry.at).await else { return Ok(None) };
        let worth = |which: usize| {
            let price = |symbol: &Symbol| prices.get(symbol).and_then(|both| both.get(which)).copied();
            Some(since.worth(entry.at, price)? + earlier)
        };
        let (Some(first), Some(last)) = (worth(0), worth(1)) else { return Ok(None) };
        worths.push([first, last]);
        earlier += entry.amount;
    }
    Ok(Some(worths))
}

/// What is held now, and its price.
fn positions(seen: &Seen) -> BTreeMap<Symbol, (Qty, Price)> {
    let position = |coin: &crate::domain::snapshot::Coin| {
        let position = coin.position.as_ref()?;
        let mark = coin.market.map_or(position.mark_price, |market| market.mark.price);
        Some((position.symbol.clone(), (position.qty, mark)))
    };
    seen.snapshot.coins.values().filter_map(position).collect()
}
