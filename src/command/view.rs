//! From what a pass knows to what its reports say.

use crate::decide::exposure::exposure;
use crate::domain::num::{Notional, Qty};
use crate::domain::scope::Scope;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::ledger::{Halt, Intent, IntentState, Outcome};
use crate::pass::act::{Acted, Sent};
use crate::pass::stop::{Closed, STOPPED};
use crate::pass::stops::{self, Changed};
use crate::pass::{self, Prepared, Settings, record};
use crate::report::fees::Fees;
use crate::report::flatten::{self, FlattenReport, Remaining};
use crate::report::pass::{self as report, OrderOutcome, OrderReport, PassReport, ShareRow, StopReport};
use crate::report::plan::{PlanFigures, PlanReport};

use super::apply;
use super::context::Context;

/// The report of what was decided.
pub(super) fn plan_report(
    context: &Context,
    settings: &Settings,
    prepared: &Prepared,
    halt: Option<String>,
) -> PlanReport {
    let plan = prepared.plan();
    let snapshot = &prepared.seen.snapshot;
    let (before, after) = (exposure(snapshot, &[]), exposure(snapshot, &plan.legs));
    let figures = PlanFigures {
        plan_id: apply::plan_id(&plan.legs, snapshot.at),
        quote: context.config.quote.clone(),
        equity: snapshot.balance.equity,
        available: snapshot.balance.available,
        nav: pass::nav_rate(&prepared.nav),
        drawdown: prepared.nav.drawdown(),
        leverage_before: before.leverage,
        leverage_after: after.leverage,
        liquidation_before: before.liquidation_distance,
        liquidation_after: after.liquidation_distance,
        halted: halt,
        stops: stops::planned(prepared, settings.strategy.as_ref())
            .map_or_else(Vec::new, |found| found.changes()),
    };
    PlanReport::new(context.heading(snapshot.at), figures, plan)
}

/// The report of a pass that only looked.
pub(super) fn dry_run(context: &Context, prepared: &Prepared, plan: PlanReport) -> PassReport {
    let mut report =
        PassReport::new(context.heading(prepared.seen.snapshot.at), "", report::Outcome::DryRun, 0);
    report.halted = plan.halted;
    report.halt_id.clone_from(&plan.halt_id);
    report.equity_before = Some(prepared.seen.snapshot.balance.equity);
    report.equity_after = report.equity_before;
    report.shares = ShareRow::of(&plan, &[]);
    report.plan = Some(plan);
    report
}

/// The report of a pass that acted.
pub(super) fn pass_report(
    context: &Context,
    prepared: &Prepared,
    acted: &Acted,
    plan: PlanReport,
) -> PassReport {
    let (word, exit_code) = record::verdict(prepared, acted);
    let outcome = match word {
        "interrupted" => report::Outcome::Interrupted,
        "partial" => report::Outcome::Partial,
        "traded" => report::Outcome::Traded,
        _ => report::Outcome::NothingToDo,
    };
    let (at, quote) = (prepared.seen.snapshot.at, context.config.quote.as_str());
    let mut report = PassReport::new(context.heading(at), &acted.pass_id.to_string(), outcome, exit_code);
    let before = prepared.seen.snapshot.balance.equity;
    report.plan = Some(plan);
    report.orders = acted.sent.iter().map(|sent| sent_order(sent, quote)).collect();
    report.stops = acted.stops.iter().map(stop_report).collect();
    let orders = &report.orders;
    report.shares = report.plan.as_ref().map_or_else(Vec::new, |plan| ShareRow::of(plan, orders));
    let resolved = prepared.settled.resolved.iter();
    report.settled = resolved.map(|(intent, outcome)| settled_order(intent, outcome, quote)).collect();
    report.equity_before = Some(before);
    report.equity_after = match &acted.after {
        Some(after) => Some(after.balance.equity),
        None => acted.sent.is_empty().then_some(before),
    };
    report.notes.clone_from(&acted.notes);
    report.notes.extend(
        acted.unguarded.iter().map(|(symbol, why)| format!("{symbol} has no stop at the exchange: {why}")),
    );
    report.notes.extend(prepared.settled.quarantined.iter().map(|(symbol, until)| {
        format!("{symbol}: the outcome of an earlier order is unknown; it can no longer appear after {until}")
    }));
    report
}

/// The report of a pass in which everything was closed, or was to be.
pub(super) fn stopped_report(context: &Context, at: Time, halt: &Halt, closed: &Closed) -> PassReport {
    let exit_code = closed.exit_code(STOPPED);
    let outcome = match exit_code {
        STOPPED => report::Outcome::Stopped,
        record::INTERRUPTED => report::Outcome::Interrupted,
        record::PARTIAL => report::Outcome::Partial,
        _ => report::Outcome::NotFlat,
    };
    let pass_id = closed.last_pass.map(|id| id.to_string()).unwrap_or_default();
    let mut report = PassReport::new(context.heading(at), &pass_id, outcome, exit_code);
    report.halted = true;
    report.halt_id = Some(halt.id.clone());
    report.orders = tries(closed, &context.config.quote);
    report.remaining = remaining(closed);
    report.notes = vec![halt.reason.clone()];
    report.notes.extend(closed.notes.iter().cloned());
    report
}

/// Every order that did something, and of those that did nothing the last one per contract: thirty rows
/// of the same refusal hide what matters. The ledger has them all.
fn tries(closed: &Closed, quote: &str) -> Vec<OrderReport> {
    let orders: Vec<OrderReport> = closed.sent.iter().map(|sent| sent_order(sent, quote)).collect();
    let idle = |order: &OrderReport| order.filled_qty.is_zero() && order.status != OrderOutcome::Unknown;
    let mut shown: Vec<OrderReport> = Vec::new();
    for (at, order) in orders.iter().enumerate() {
        let later = orders.iter().skip(at + 1).any(|other| other.symbol == order.symbol);
        if !idle(order) || !later {
            shown.push(order.clone());
        }
    }
    for order in shown.iter_mut().filter(|order| idle(order)) {
        let count = orders.iter().filter(|other| other.symbol == order.symbol && idle(other)).count();
        if let Some(error) = order.error.as_mut().filter(|_| count > 1) {
            error.push_str(&format!(", {count} tries"));
        }
    }
    shown
}

fn remaining(closed: &Closed) -> Vec<Remaining> {
    let left = closed.remaining.iter().map(|left| Remaining {
        symbol: left.symbol.clone(),
        qty: left.qty,
        reason: left.reason.clone(),
    });
    left.collect()
}

/// The report of `rebal flatten`.
pub(super) fn flatten_report(
    context: &Context,
    at: Time,
    scope: &Scope,
    halt: Option<&Halt>,
    closed: &Closed,
) -> FlattenReport {
    let quote = context.config.quote.as_str();
    let orders: Vec<OrderReport> = closed.sent.iter().map(|sent| sent_order(sent, quote)).collect();
    let mut report =
        FlattenReport::new(context.heading(at), quote, flatten::Closed::of(&orders), remaining(closed))
            .under(halt.map(|halt| halt.id.clone()));
    let symbols: Vec<Symbol> = match scope {
        Scope::All => Vec::new(),
        Scope::Symbols(symbols) => symbols.iter().cloned().collect(),
    };
    report.others = closed.others;
    report.flat = closed.flat;
    report.cancelled = closed.cancelled;
    report.rounds = u32::try_from(closed.rounds).unwrap_or(u32::MAX);
    report.notes.clone_from(&closed.notes);
    let seen = |symbol: &Symbol| {
        report.closed.iter().any(|row| row.symbol == *symbol)
            || report.remaining.iter().any(|row| row.symbol == *symbol)
    };
    let absent = symbols.iter().filter(|symbol| closed.flat && !seen(symbol));
    let absent: Vec<String> = absent.map(|symbol| format!("{symbol}: there was no position")).collect();
    report.notes.extend(absent);
    report.symbols = symbols;
    report.exit_code = closed.exit_code(0);
    report
}

fn stop_report(changed: &Changed) -> StopReport {
    StopReport {
        change: changed.change.clone(),
        client_order_id: changed.client_id.clone(),
        error: changed.error.clone(),
    }
}

fn sent_order(sent: &Sent, quote: &str) -> OrderReport {
    let leg = &sent.leg;
    order(
        OrderReport {
            symbol: leg.symbol.clone(),
            side: leg.side,
            reason: leg.reason.as_str().to_owned(),
            qty: leg.qty,
            ..blank(&leg.symbol, leg.side)
        },
        &sent.outcome,
        quote,
    )
}

fn settled_order(intent: &Intent, outcome: &Outcome, quote: &str) -> OrderReport {
    // A stop that closed the position asked for whatever there was.
    let whole = outcome.order.as_ref().filter(|_| intent.is_stop()).map(|order| order.filled_qty);
    let qty = whole.unwrap_or(intent.qty);
    let asked = OrderReport { reason: intent.reason.clone(), qty, ..blank(&intent.symbol, intent.side) };
    order(asked, outcome, quote)
}

fn blank(symbol: &crate::domain::symbol::Symbol, side: crate::domain::order::Side) -> OrderReport {
    OrderReport {
        symbol: symbol.clone(),
        side,
        reason: String::new(),
        client_order_id: String::new(),
        status: OrderOutcome::Unknown,
        qty: Qty::ZERO,
        filled_qty: Qty::ZERO,
        avg_price: None,
        fees: Fees::default(),
        realized_pnl: Notional::ZERO,
        error: None,
    }
}

/// What was asked for, completed by what became of it.
fn order(asked: OrderReport, outcome: &Outcome, quote: &str) -> OrderReport {
    let filled = outcome.order.as_ref().map_or(Qty::ZERO, |order| order.filled_qty);
    let status = match (&outcome.state, &outcome.order) {
        (IntentState::Done, Some(order)) => OrderOutcome::of(&order.status, order.qty, filled),
        (IntentState::Accepted, _) => OrderOutcome::Accepted,
        (IntentState::Rejected, _) => OrderOutcome::Rejected,
        (IntentState::NotSent | IntentState::Abandoned | IntentState::Absent | IntentState::Planned, _) => {
            OrderOutcome::NotSent
        }
        _ => OrderOutcome::Unknown,
    };
    OrderReport {
        client_order_id: outcome.client_id.clone(),
        status,
        filled_qty: filled,
        avg_price: outcome
            .order
            .as_ref()
            .and_then(|order| order.avg_price)
            .filter(|price| price.is_positive()),
        fees: Fees::of(&outcome.fills, quote),
        realized_pnl: outcome.fills.iter().map(|fill| fill.realized).sum(),
        error: outcome.error.clone(),
        ..asked
    }
}
