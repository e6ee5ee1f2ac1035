//! What the owner must hear of: from what a pass saw or did to alerts in the outbox.
//!
//! What a pass could not judge stays as it was: only a look that was believed ends an alert about
//! the account, only a pass that sent ends one about its orders.

use std::time::Duration;

use crate::decide::exposure::exposure;
use crate::decide::funding::Balance;
use crate::decide::risk::Limits;
use crate::domain::alert::{Alert, Level};
use crate::domain::entry::Entry;
use crate::domain::num::Rate;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::ExchangeError;
use crate::ledger::{Halt, Intent, Ledger, LedgerError, Outcome};
use crate::report::funding::EXCEEDS_PROFIT as FUNDING_EXCEEDS;

use super::act::Acted;
use super::observe::{INCOME_KEPT, LIQUIDATED};
use super::stop::Closed;
use super::stops;
use super::{PassError, Prepared};

/// From this share of the drawdown limit on, the owner hears of it.
const NEAR: (i64, u32) = (7, 1);

/// What a look that was believed ends.
const LOOKED: [&str; 7] = [
    "exchange_unavailable",
    "equity_unavailable",
    "foreign_orders",
    "refused",
    "drawdown_near",
    "liquidation_near",
    "leverage_high",
];
/// What a look ends that found nothing new.
const EVENTS: [&str; 3] = [LIQUIDATED, "changed_elsewhere", "unexplained_transfer"];

/// Tells of what a look at the account found.
pub async fn looked(ledger: &mut Ledger, prepared: &Prepared, limits: &Limits) -> Result<(), LedgerError> {
    let mut alerts = of_figures(prepared, limits);
    // From the limit on the halt is told instead, and says that it was a liquidation.
    let halts = prepared.nav.drawdown() >= limits.max_drawdown;
    for kind in EVENTS.into_iter().filter(|kind| !(halts && *kind == LIQUIDATED)) {
        let found: Vec<_> = prepared.seen.warnings.iter().filter(|warning| warning.code == kind).collect();
        if !found.is_empty() {
            let texts = found.iter().map(|warning| match &warning.symbol {
                Some(symbol) => format!("{symbol}: {}", warning.detail),
                None => warning.detail.clone(),
            });
            let text = texts.collect::<Vec<_>>().join("; ");
            let level = if kind == LIQUIDATED { Level::Critical } else { Level::Warning };
            alerts.push(Alert { kind, level, text });
        }
    }
    let over: Vec<&str> = LOOKED.into_iter().chain(EVENTS).collect();
    ledger.tell(prepared.seen.snapshot.at, &alerts, &over).await
}

fn of_figures(prepared: &Prepared, limits: &Limits) -> Vec<Alert> {
    let snapshot = &prepared.seen.snapshot;
    let drawdown = prepared.nav.drawdown();
    let carried = exposure(snapshot, &[]);
    let mut alerts = Vec::new();
    // From the limit on the halt is told instead.
    if drawdown < limits.max_drawdown && drawdown >= limits.max_drawdown * Rate::new(NEAR.0, NEAR.1) {
        let text = format!(
            "the loss from the peak is {}; at {} everything is closed",
            percent(drawdown),
            percent(limits.max_drawdown)
        );
        alerts.push(Alert { kind: "drawdown_near", level: Level::Warning, text });
    }
    if let Some(distance) =
        carried.liquidation_distance.filter(|distance| *distance < limits.min_liquidation_distance)
    {
        let text = format!("a fall of {} would liquidate the account", percent(distance));
        alerts.push(Alert { kind: "liquidation_near", level: Level::Critical, text });
    }
    if carried.leverage > limits.max_effective_leverage {
        let text = format!(
            "the effective leverage is {:.2}x, the limit is {}x; nothing is bought",
            carried.leverage, limits.max_effective_leverage
        );
        alerts.push(Alert { kind: "leverage_high", level: Level::Warning, text });
    }
    alerts
}

/// Tells of a pass that ended early.
pub async fn failed(ledger: &mut Ledger, at: Time, error: &PassError) -> Result<(), LedgerError> {
    let (kind, level) = match error {
        PassError::Exchange(ExchangeError::Incoherent(_)) => ("equity_unavailable", Level::Critical),
        PassError::Exchange(_) => ("exchange_unavailable", Level::Warning),
        // An account that reads as empty is one trouble, whichever of its figures is looked at first.
        PassError::Incoherent(_) | PassError::Unexplained(_) => ("equity_unavailable", Level::Critical),
        PassError::Foreign(_) | PassError::HaltedElsewhere { .. } => ("foreign_orders", Level::Critical),
        PassError::Breached(_) | PassError::Unlisted(_) => ("refused", Level::Critical),
        // Nothing can be written, or another pass tells its own.
        PassError::Ledger(_) | PassError::Unrecorded(_) => return Ok(()),
    };
    let text = format!("{error}; until this is over nothing is traded AND THE HARD STOP DOES NOT WATCH");
    ledger.tell(at, &[Alert { kind, level, text }], &[]).await
}

/// Tells of what stops at the exchange sold, once: each is an event of its own.
pub async fn sold(ledger: &mut Ledger, at: Time, settled: &[(Intent, Outcome)]) -> Result<(), LedgerError> {
    let texts: Vec<String> = stops::executed(settled)
        .iter()
        .map(|sold| format!("{}: {}", sold.symbol.as_ref().map_or("", Symbol::as_str), sold.detail))
        .collect();
    if texts.is_empty() {
        return Ok(());
    }
    let alert = Alert { kind: "exchange_stop", level: Level::Warning, text: texts.join("; ") };
    ledger.inform(at, &alert).await
}

/// Tells of coins that have no stop at the exchange although they should.
pub async fn unguarded(ledger: &mut Ledger, at: Time, acted: &Acted) -> Result<(), LedgerError> {
    let failed = acted
        .stops
        .iter()
        .filter_map(|changed| Some(format!("{}: {}", changed.change.symbol, changed.error.as_ref()?)));
    let without = acted.unguarded.iter().map(|(symbol, why)| format!("{symbol}: {why}"));
    let named: Vec<String> = failed.chain(without).collect();
    let alerts = (!named.is_empty()).then(|| {
        let text = format!("the stops at the exchange are not as they should be: {}", named.join("; "));
        Alert { kind: STOP_MISSING, level: Level::Critical, text }
    });
    ledger.tell(at, &alerts.into_iter().collect::<Vec<_>>(), &[STOP_MISSING]).await
}

const STOP_MISSING: &str = "stop_missing";

/// Tells of orders that did not do what they were sent for.
pub async fn acted(ledger: &mut Ledger, at: Time, acted: &Acted) -> Result<(), LedgerError> {
    let open: Vec<String> = acted
        .sent
        .iter()
        .filter_map(|sent| Some(format!("{}: {}", sent.leg.symbol, sent.outcome.error.as_ref()?)))
        .collect();
    if acted.complete() || open.is_empty() {
        return ledger.tell(at, &[], &["orders_incomplete"]).await;
    }
    let text = format!("{} orders did not do what they were sent for: {}", open.len(), open.join("; "));
    ledger.tell(at, &[Alert { kind: "orders_incomplete", level: Level::Warning, text }], &[]).await
}

const HALTED: &str = "halted";

/// Tells of a halt, of what it was at, and of what is still open under it.
pub async fn halted(
    ledger: &mut Ledger,
    at: Time,
    halt: &Halt,
    closed: Option<&Closed>,
) -> Result<(), LedgerError> {
    let done = match halt.flat_at {
        Some(at) if halt.is_over() => {
            format!("; everything is closed, the account is flat since {}", at.plainly())
        }
        Some(_) if closed.is_some_and(|closed| closed.flat) => "; what was to be closed is closed".to_owned(),
        _ => String::new(),
    };
    let text = format!("HALTED (halt {}): {}{done}", halt.id, halt.reason);
    if closed.is_some() {
        // The message of this very halt has not left yet: it says at once how closing ended.
        ledger.amend(HALTED, &text).await?;
    }
    let mut alerts = vec![Alert { kind: HALTED, level: Level::Critical, text }];
    if let Some(closed) = closed.filter(|closed| !closed.flat) {
        let left: Vec<String> =
            closed.remaining.iter().map(|left| format!("{} {}", left.symbol, left.qty)).collect();
        let text = match left.is_empty() {
            true => format!("NOT FLAT: nobody knows what is left: {}", closed.notes.join("; ")),
            false => format!("NOT FLAT: {} positions are left: {}", left.len(), left.join(", ")),
        };
        alerts.push(Alert { kind: "not_flat", level: Level::Critical, text });
    }
    ledger.tell(at, &alerts, if closed.is_some() { &["not_flat"] } else { &[] }).await
}

/// The job of the check below.
pub const FUNDING_CHECK: &str = "funding_check";

/// Once per `every`: tells where funding, since the ledger began, is what keeps the account from earning. By the ledger alone, as of its last reading: trading never waits for it.
pub async fn funding(ledger: &mut Ledger, at: Time, every: Duration, quote: &str) -> Result<(), LedgerError> {
    if ledger.job(FUNDING_CHECK).await?.is_some_and(|last| at.since(last) < every) {
        return Ok(());
    }
    let Some(start) = ledger.history_start(INCOME_KEPT).await? else { return Ok(()) };
    let Some(end) = ledger.reading_at(at).await? else { return Ok(()) };
    let entries = ledger.income_between(&start, &end).await?;
    let entries: Vec<Entry> = entries.into_iter().map(|booked| booked.entry).collect();
    let balance = Balance::of((start.equity, end.equity), &entries, quote);
    let alerts = balance.funding_is_the_trouble(end.equity).then(|| {
        let text = format!(
            "funding has cost {:.2} {quote} since {}; without it the account would have made {:+.2}, with it {:+.2}; see `rebal funding`",
            -balance.funding,
            start.at.plainly(),
            balance.before_funding(),
            balance.profit
        );
        Alert { kind: FUNDING_EXCEEDS, level: Level::Warning, text }
    });
    let alerts: Vec<Alert> = alerts.into_iter().collect();
    ledger.tell(at, &alerts, &[FUNDING_EXCEEDS]).await?;
    ledger.set_job(FUNDING_CHECK, at).await
}

/// Tells that a person lifted the halt.
pub async fn resumed(ledger: &mut Ledger, at: Time) -> Result<(), LedgerError> {
    ledger.tell(at, &[], &[HALTED, "not_flat", "drawdown_near"]).await
}

fn percent(rate: Rate) -> String {
    format!("{:.1} %", rate * Rate::from(100))
}
