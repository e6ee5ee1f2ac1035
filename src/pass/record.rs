//! The end of a pass: what the account was worth, and that it is over.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::decide::nav::Nav;
use crate::domain::history::{AssetPrice, Reading, Sample};
use crate::domain::num::{Notional, Price};
use crate::domain::snapshot::Coin;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::ledger::{EquityRow, Ledger, LedgerError, PassRow};

use super::act::Acted;
use super::observe::FUNDING_DUE;
use super::{PassError, Prepared, Settings};

/// The job of the calendar trigger.
pub(super) const CALENDAR: &str = "calendar";

/// The fewest and the most hours between two settlements.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(3600);
const LONGEST_INTERVAL: Duration = Duration::from_secs(8 * 3600);
/// What a process ends with when a leg was rejected, unfilled or is unknown.
pub const PARTIAL: u8 = 5;
/// What a process ends with when a signal stopped it.
pub const INTERRUPTED: u8 = 130;

/// The word for what a pass did, and its exit code.
#[must_use]
pub fn verdict(prepared: &Prepared, acted: &Acted) -> (&'static str, u8) {
    let open_ends = !prepared.settled.quarantined.is_empty();
    match acted {
        _ if acted.interrupted => ("interrupted", INTERRUPTED),
        _ if !acted.complete() || !acted.stops_stand() || !acted.notes.is_empty() || open_ends => {
            ("partial", PARTIAL)
        }
        _ if acted.sent.is_empty() => ("nothing_to_do", 0),
        _ => ("traded", 0),
    }
}

/// Writes down the reading that was decided on, the calendar, and the end of the pass.
pub async fn record(
    ledger: &mut Ledger,
    settings: &Settings,
    prepared: &Prepared,
    acted: &Acted,
) -> Result<(), PassError> {
    let wallet_change = acted.wallet_change(&settings.quote);
    read(ledger, acted.pass_id, prepared, &prepared.nav, wallet_change).await?;
    let seen = &prepared.seen;
    let starts = settings.every.is_some() && ledger.job(CALENDAR).await?.is_none();
    if starts || (prepared.memory.calendar_due && acted.complete()) {
        ledger.set_job(CALENDAR, seen.snapshot.at).await?;
    }
    remember(ledger, settings, prepared).await?;
    let (word, exit_code) = verdict(prepared, acted);
    ledger.end_pass(acted.pass_id, word, exit_code).await?;
    Ok(())
}

/// Keeps what the strategy remembers, where it changed.
async fn remember(ledger: &mut Ledger, settings: &Settings, prepared: &Prepared) -> Result<(), LedgerError> {
    let before = &prepared.memory;
    if !settings.strategy.has_memory() {
        return Ok(());
    }
    let after = settings.strategy.remember(&prepared.seen.snapshot, before);
    if let Some(first) = after.allocation.filter(|_| before.allocation.is_none()) {
        ledger.keep_allocation(first).await?;
    }
    if after.highs != before.highs {
        ledger.keep_highs(&after.highs).await?;
    }
    Ok(())
}

/// Writes down a reading as a pass of its own that ended with `word`.
pub async fn reading(
    ledger: &mut Ledger,
    prepared: &Prepared,
    nav: &Nav,
    word: &str,
) -> Result<(), LedgerError> {
    let at = prepared.seen.snapshot.at;
    let row = PassRow { at, outcome: word.into(), exit_code: None, plan: String::new() };
    let pass_id = ledger.plan_pass(&row, &[]).await?;
    // It is no pass that ended: nothing was decided in it.
    read(ledger, pass_id, prepared, nav, Notional::ZERO).await
}

async fn read(
    ledger: &mut Ledger,
    pass_id: i64,
    prepared: &Prepared,
    nav: &Nav,
    wallet_change: Notional,
) -> Result<(), LedgerError> {
    let seen = &prepared.seen;
    let reading = EquityRow {
        at: seen.snapshot.at,
        equity: seen.snapshot.balance.equity,
        wallet: seen.snapshot.balance.wallet + wallet_change,
        fill_seq: ledger.last_fill().await?,
        units: nav.units,
        nav: nav.nav,
        peak: nav.peak,
    };
    let before = ledger.last_equity().await?.map_or(0, |last| last.fill_seq);
    let mut assets: BTreeSet<String> =
        ledger.fee_assets_after(before, &seen.quote).await?.into_iter().collect();
    let by_others = seen.unbooked.iter().filter(|entry| entry.kind == "COMMISSION");
    assets.extend(by_others.map(|entry| entry.asset.clone()));
    for asset in assets {
        if let Some(price) = seen.fee_prices.get(&asset) {
            ledger.keep_asset_price(&AssetPrice { asset, at: reading.at, price: *price }).await?;
        }
    }
    let taken = seen.moved.changes();
    ledger.record_equity(pass_id, &reading, &samples(prepared), &seen.unbooked, &taken).await?;
    note_funding_due(ledger, prepared).await
}

/// Writes down when the coins settle next, so that the first reading after it asks for income rows
/// whatever the wallet holds. Written only where it changes: a quiet pass writes little.
async fn note_funding_due(ledger: &mut Ledger, prepared: &Prepared) -> Result<(), LedgerError> {
    let snapshot = &prepared.seen.snapshot;
    let next = |coin: &Coin| coin.market.and_then(|market| market.mark.next_funding);
    // Right after a settlement the exchange may still name that one.
    let ahead = |due: Time| if due > snapshot.at { due } else { snapshot.at + SHORTEST_INTERVAL };
    let due = snapshot.coins.values().filter_map(next).map(ahead).min();
    // Where nobody tells, the exchange's longest interval is as good as any: no pass asks in vain.
    let due = due.unwrap_or(snapshot.at + LONGEST_INTERVAL);
    match ledger.job(FUNDING_DUE).await? {
        Some(known) if known == due => Ok(()),
        _ => ledger.set_job(FUNDING_DUE, due).await,
    }
}

/// A look at the account as a reading that is not in the ledger, and its coins.
#[must_use]
pub fn look(prepared: &Prepared) -> (Reading, Vec<Sample>) {
    let (snapshot, nav) = (&prepared.seen.snapshot, &prepared.nav);
    let (at, equity) = (snapshot.at, snapshot.balance.equity);
    (Reading { pass_id: 0, at, fill_seq: 0, equity, nav: nav.nav, peak: nav.peak }, samples(prepared))
}

/// What is held, and what should be.
#[must_use]
pub fn samples(prepared: &Prepared) -> Vec<Sample> {
    let standings = &prepared.plan().coins;
    let target = |symbol: &Symbol| standings.iter().find(|one| one.symbol == *symbol).map(|one| one.target);
    let sample = |(symbol, coin): (&Symbol, &Coin)| {
        let (position, target) = (coin.position.as_ref(), target(symbol));
        (position.is_some() || target.is_some()).then(|| Sample {
            symbol: symbol.clone(),
            qty: coin.qty(),
            entry: position.map_or(Price::ZERO, |position| position.entry_price),
            mark: coin
                .market
                .map(|market| market.mark.price)
                .or(position.map(|position| position.mark_price)),
            unrealized: position.map_or(Notional::ZERO, |position| position.unrealized),
            target,
        })
    };
    prepared.seen.snapshot.coins.iter().filter_map(sample).collect()
}
