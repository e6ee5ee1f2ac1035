//! Skips, warnings and troubled orders in words, shared by the table and the markdown.

use std::collections::BTreeMap;

use crate::domain::stop::{StopAction, StopChange};
use crate::domain::symbol::Symbol;
use crate::render::paint::Tone;
use crate::render::text::{clean, coins, count, money, price, short_percent};
use crate::render::words;
use crate::report::pass::{OrderOutcome, OrderReport, Outcome, PassReport};
use crate::report::plan::PlanReport;
use crate::report::remarks::{Group, OneSided};

/// Up to this many coins of a group are told one by one; of more, one stands for all.
const TOLD_ONE_BY_ONE: usize = 3;

/// A label and what is said under it.
pub(crate) type Remark = (Tone, String, String);

/// Coins that should have been traded and were not, one remark per reason.
pub(crate) fn not_traded(plan: &PlanReport) -> Vec<Remark> {
    let remark = |group: Group<_>| {
        (Tone::Attention, words::skip(group.about).0.to_owned(), told(&group.rows, &plan.quote))
    };
    plan.skips().into_iter().map(remark).collect()
}

/// Warnings, one remark per kind.
pub(crate) fn warnings(plan: &PlanReport) -> Vec<Remark> {
    let bands =
        plan.one_sided().into_iter().map(|note| (Tone::Plain, "band".to_owned(), one_sided(&note, plan)));
    let others = plan
        .warning_groups()
        .into_iter()
        .map(|group| (Tone::Plain, clean(&group.about).replace('_', " "), told(&group.rows, &plan.quote)));
    bands.chain(others).collect()
}

/// Changes to the stops at the exchange, one remark per kind.
pub(crate) fn stops<'a>(changes: impl Iterator<Item = &'a StopChange>, quote: &str) -> Vec<Remark> {
    let mut by_action: BTreeMap<StopAction, Vec<String>> = BTreeMap::new();
    for change in changes {
        let coin = clean(change.symbol.coin(quote));
        let said = match (change.was, change.trigger) {
            (Some(was), Some(to)) => format!("{coin} {} → {}", price(was), price(to)),
            (None, Some(at)) => format!("{coin} at {}", price(at)),
            (_, None) => format!("{coin} ({})", clean(&change.detail)),
        };
        by_action.entry(change.action).or_default().push(said);
    }
    let remark = |(action, said): (StopAction, Vec<String>)| {
        (Tone::Plain, action.as_str().to_owned(), said.join(", "))
    };
    by_action.into_iter().map(remark).collect()
}

/// Those that could not be made, with what stood in the way.
pub(crate) fn stops_in_trouble(pass: &PassReport, quote: &str) -> Vec<Remark> {
    let failed = pass.stops.iter().filter_map(|stop| {
        let coin = clean(stop.change.symbol.coin(quote));
        Some((Tone::Bad, coin, format!("{}; the next pass looks again", clean(stop.error.as_ref()?))))
    });
    failed.collect()
}

/// What happens next with orders that did not do all they were sent for, one remark per status.
/// Of earlier passes' orders only those that are still open or unknown have a next.
pub(crate) fn troubled(pass: &PassReport, quote: &str) -> Vec<Remark> {
    let mut by_status: BTreeMap<OrderOutcome, Vec<&OrderReport>> = BTreeMap::new();
    if pass.outcome == Outcome::Stopped {
        // What was tried in vain on the way to flat has no next.
        return Vec::new();
    }
    let open = |order: &&OrderReport| matches!(order.status, OrderOutcome::Unknown | OrderOutcome::Accepted);
    let earlier = pass.settled.iter().filter(open);
    for order in earlier.chain(&pass.orders).filter(|order| !order.status.is_done()) {
        by_status.entry(order.status).or_default().push(order);
    }
    let remark = |(status, orders): (OrderOutcome, Vec<&OrderReport>)| {
        let named: Vec<String> = orders.iter().map(|order| with_error(order, quote)).collect();
        let text = match pass.outcome {
            Outcome::NotFlat => named.join(", "),
            _ => format!("{}: {}", named.join(", "), words::consequence(status)),
        };
        (tone(status), words::status(status).to_owned(), text)
    };
    by_status.into_iter().map(remark).collect()
}

/// Red for what was not done, yellow for what was done in part or still may be.
pub(crate) fn tone(status: OrderOutcome) -> Tone {
    match status {
        OrderOutcome::Filled => Tone::Good,
        OrderOutcome::Partial | OrderOutcome::Accepted => Tone::Attention,
        OrderOutcome::Expired | OrderOutcome::Rejected | OrderOutcome::NotSent | OrderOutcome::Unknown => {
            Tone::Bad
        }
    }
}

fn with_error(order: &OrderReport, quote: &str) -> String {
    let coin = order.symbol.coin(quote);
    match &order.error {
        Some(error) => format!("{coin} ({})", clean(error)),
        None => coin.to_owned(),
    }
}

/// Each coin's own words while there are few; the names and one example where there are many.
fn told(rows: &[(Option<Symbol>, String)], quote: &str) -> String {
    let names = |rows: &[(Option<Symbol>, String)]| {
        coins(rows.iter().filter_map(|(symbol, _)| symbol.as_ref()), quote)
    };
    let lead = |names: String, detail: &str| match names.is_empty() {
        true => clean(detail),
        false => format!("{names}: {}", clean(detail)),
    };
    let Some(first) = rows.first() else { return String::new() };
    if rows.iter().all(|row| row.1 == first.1) {
        return lead(names(rows), &first.1);
    }
    if rows.len() <= TOLD_ONE_BY_ONE {
        let each = |row: &(Option<Symbol>, String)| lead(names(std::slice::from_ref(row)), &row.1);
        return rows.iter().map(each).collect::<Vec<_>>().join("; ");
    }
    let example = lead(names(std::slice::from_ref(first)), &first.1);
    format!("{} ({}), for example {example}", names(rows), count(rows.len(), "coin"))
}

fn one_sided(note: &OneSided, plan: &PlanReport) -> String {
    let who = match note.coins.len() {
        few if few <= TOLD_ONE_BY_ONE && few < plan.coins.len() => coins(&note.coins, &plan.quote),
        many => count(many, "coin"),
    };
    let (sell, buy) = if note.coins.len() == 1 { ("sells", "buy") } else { ("sell", "buy") };
    let nearest = short_percent(-note.buy_band_from);
    let furthest = short_percent(-note.buy_band_to);
    let buy_at = if nearest == furthest { nearest } else { format!("{nearest} to {furthest}") };
    let (low, high) = (money(note.target_from), money(note.target_to));
    let target = if low == high { format!("target of {low}") } else { format!("targets of {low} to {high}") };
    let advice = if note.advice.is_empty() { String::new() } else { format!("; {}", clean(&note.advice)) };
    format!(
        "{who} {sell} at {} but can {buy} only at {buy_at}, since the smallest order is large beside the {target} {}{advice}",
        short_percent(note.sell_band),
        plan.quote,
    )
}
