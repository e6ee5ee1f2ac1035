//! The verdict in one sentence, and the totals.

use std::collections::BTreeMap;

use crate::domain::num::{Notional, Rate};
use crate::domain::order::Side;
use crate::render::fees;
use crate::render::paint::Tone;
use crate::render::remarks::Remark;
use crate::render::text::{clean, count, fee, fixed, money, share, short_percent};
use crate::report::lines::{Counts, Nearest};
use crate::report::pass::{OrderOutcome, OrderReport, Outcome, PassReport, ShareRow};
use crate::report::plan::PlanReport;

/// What a plan comes to.
pub(crate) fn plan_verdict(plan: &PlanReport) -> (Tone, String) {
    let counts = plan.counts();
    if plan.legs.is_empty() {
        let (tone, text) = nothing_to_do(plan, counts);
        return (tone, text + &stops_to_change(plan));
    }
    let directions = [(counts.sell, "sell"), (counts.buy, "buy")].into_iter().filter(|(coins, _)| *coins > 0);
    let directions: Vec<String> =
        directions.map(|(coins, verb)| format!("{verb} {}", count(coins, "coin"))).collect();
    let mut text = format!(
        "{} worth {} {}: {}.",
        count(plan.legs.len(), "order"),
        money(plan.turnover),
        plan.quote,
        directions.join(", ")
    );
    text.push_str(&cannot(counts));
    text.push_str(&stops_to_change(plan));
    (Tone::Strong, text)
}

fn stops_to_change(plan: &PlanReport) -> String {
    match plan.stops.len() {
        0 => String::new(),
        stops => format!(" {} at the exchange to change.", count(stops, "stop")),
    }
}

/// Not being able to act is said as loudly as acting.
fn cannot(counts: Counts) -> String {
    match counts.skip {
        0 => String::new(),
        skip => format!(" {} cannot be traded, see below.", count(skip, "coin")),
    }
}

fn nothing_to_do(plan: &PlanReport, counts: Counts) -> (Tone, String) {
    if counts.skip > 0 {
        let text = format!(
            "Nothing can be traded: {} should be and cannot, see below; {} inside the band.",
            count(counts.skip, "coin"),
            counts.hold
        );
        return (Tone::Attention, text);
    }
    if counts.hold == 0 && counts.wait > 0 {
        return (Tone::Good, format!("Nothing to do: {} for a slot or cool down.", waiting(counts.wait)));
    }
    if counts.hold == 0 {
        return (
            Tone::Attention,
            "Nothing to do: there are no coins; list some in basket.symbols.".to_owned(),
        );
    }
    if plan.coins.iter().any(|coin| coin.stop.is_some()) {
        return (Tone::Good, above_stops(plan, counts));
    }
    let all = match counts.hold {
        1 => "the only coin is inside its band".to_owned(),
        2 => "both coins are inside their bands".to_owned(),
        many => format!("all {many} coins are inside their bands"),
    };
    let nearest = plan.nearest().map_or_else(String::new, |near| format!(" {}", nearest(&near, &plan.quote)));
    (Tone::Good, format!("Nothing to do: {all}.{nearest}"))
}

fn waiting(coins: usize) -> String {
    if coins == 1 { "1 coin waits".to_owned() } else { format!("{coins} coins wait") }
}

fn above_stops(plan: &PlanReport, counts: Counts) -> String {
    let held = match counts.hold {
        1 => "the only position is above its stop".to_owned(),
        many => format!("all {many} positions are above their stops"),
    };
    let waits = if counts.wait > 0 { format!(", {}", waiting(counts.wait)) } else { String::new() };
    let nearest = plan.nearest().map_or_else(String::new, |near| format!(" {}", nearest(&near, &plan.quote)));
    format!("Nothing to do: {held}{waits}.{nearest}")
}

fn nearest(near: &Nearest, quote: &str) -> String {
    let verb = if near.sells { "is sold" } else { "is bought" };
    format!(
        "Closest is {} at {}; it {verb} at {}.",
        near.symbol.coin(quote),
        short_percent(near.drift),
        short_percent(near.edge)
    )
}

/// Positions that are left are said before everything else; `None` where there are none.
pub(crate) fn pass_alarm(pass: &PassReport) -> Option<String> {
    if pass.outcome != Outcome::NotFlat {
        return None;
    }
    let left: Vec<String> =
        pass.remaining.iter().map(|left| format!("{} {}", clean(left.symbol.as_str()), left.qty)).collect();
    let left = match left.is_empty() {
        true => "nobody could see what is left".to_owned(),
        false => format!("{} left", left.join(", ")),
    };
    Some(format!("NOT FLAT: {left}. Every pass goes on closing; look at the exchange as well."))
}

/// What a pass came to.
pub(crate) fn pass_verdict(pass: &PassReport) -> (Tone, String) {
    let orders = count(pass.orders.len(), "order");
    let cannot = pass.plan.as_ref().map_or_else(String::new, |plan| cannot(plan.counts()));
    match (pass.outcome, &pass.plan) {
        (Outcome::NothingToDo, Some(plan)) => {
            let (tone, text) = nothing_to_do(plan, plan.counts());
            (tone, text + &stops_changed(pass))
        }
        (Outcome::NothingToDo, None) => (Tone::Good, "Nothing to do.".to_owned()),
        (Outcome::Traded, _) => {
            (Tone::Good, format!("Traded: {orders}, all filled.{cannot}{}", stops_changed(pass)))
        }
        (Outcome::Partial, _) if pass.stops.iter().any(|stop| stop.error.is_some()) => {
            (Tone::Bad, format!("Partly done: {}.{cannot}{}", tally(&pass.orders), stops_changed(pass)))
        }
        (Outcome::Partial, _) if pass.orders.is_empty() => {
            (Tone::Bad, format!("Nothing was sent, and an earlier order is still unsettled.{cannot}"))
        }
        (Outcome::Partial, _) => (Tone::Bad, format!("Partly done: {}.{cannot}", tally(&pass.orders))),
        (Outcome::DryRun, Some(plan)) => {
            let (tone, text) = plan_verdict(plan);
            (tone, format!("Dry run, nothing was sent. {text}"))
        }
        (Outcome::DryRun, None) => (Tone::Plain, "Dry run, nothing was sent.".to_owned()),
        (Outcome::Halted, _) => (Tone::Alarm, "Halted: nothing was sent.".to_owned()),
        (Outcome::Stopped, _) => {
            (Tone::Alarm, format!("HARD STOP: the account was closed with {orders} and is flat."))
        }
        (Outcome::NotFlat, _) => (Tone::Alarm, format!("Not flat after {orders}.")),
        (Outcome::Interrupted, _) => (
            Tone::Bad,
            format!("Interrupted after {orders}; what was in flight is recorded and settled next."),
        ),
    }
}

/// What became of the stops at the exchange; empty where nothing was changed.
fn stops_changed(pass: &PassReport) -> String {
    let failed = pass.stops.iter().filter(|stop| stop.error.is_some()).count();
    match (pass.stops.len(), failed) {
        (0, _) => String::new(),
        (all, 0) => format!(" {} at the exchange changed.", count(all, "stop")),
        (all, failed) => format!(" {failed} of {} at the exchange could not be changed.", count(all, "stop")),
    }
}

/// `3 of 5 orders filled, 1 rejected, 1 unknown`.
fn tally(orders: &[OrderReport]) -> String {
    let number = |status: OrderOutcome| orders.iter().filter(|order| order.status == status).count();
    let mut text = format!("{} of {} filled", number(OrderOutcome::Filled), count(orders.len(), "order"));
    for (status, said) in [
        (OrderOutcome::Partial, "filled in part"),
        (OrderOutcome::Expired, "unfilled"),
        (OrderOutcome::Rejected, "rejected"),
        (OrderOutcome::NotSent, "not sent"),
        (OrderOutcome::Unknown, "unknown"),
        (OrderOutcome::Accepted, "still open"),
    ] {
        if number(status) > 0 {
            text.push_str(&format!(", {} {said}", number(status)));
        }
    }
    text
}

/// The account before and after a plan.
pub(crate) fn totals(plan: &PlanReport) -> Vec<Remark> {
    let equity =
        format!("{} {quote}, {} available", money(plan.equity), money(plan.available), quote = plan.quote);
    let mut rows = vec![row("equity", equity)];
    rows.extend(account(plan));
    rows.extend(shares(&ShareRow::of(plan, &[]), &plan.quote));
    if !plan.legs.is_empty() {
        rows.push(turnover(plan));
    }
    rows.push(counts(plan));
    rows.extend(settings(plan));
    rows
}

/// What is set at the exchange before the first order.
fn settings(plan: &PlanReport) -> Option<Remark> {
    let mut leverages: BTreeMap<u32, usize> = BTreeMap::new();
    for leverage in plan.settings.iter().filter_map(|setting| setting.leverage) {
        *leverages.entry(leverage).or_default() += 1;
    }
    let said = |(leverage, coins): (u32, usize)| format!("leverage {leverage}x for {}", count(coins, "coin"));
    let mut parts: Vec<String> = leverages.into_iter().map(said).collect();
    match plan.settings.iter().filter(|setting| setting.to_cross).count() {
        0 => {}
        coins => parts.push(format!("cross margin for {}", count(coins, "coin"))),
    }
    (!parts.is_empty()).then(|| row("set first", parts.join(", ")))
}

/// The account before and after a pass.
pub(crate) fn pass_totals(pass: &PassReport, quote: &str) -> Vec<Remark> {
    let mut rows = Vec::new();
    match (pass.equity_before, pass.equity_after, &pass.plan) {
        (Some(before), Some(after), _) if before != after => rows.push(row(
            "equity",
            format!("{} → {} {quote} ({:+.2})", money(before), money(after), after - before),
        )),
        (Some(one), _, _) | (None, Some(one), _) => {
            rows.push(row("equity", format!("{} {quote}", money(one))))
        }
        (None, None, Some(plan)) => rows.push(row("equity", format!("{} {quote}", money(plan.equity)))),
        (None, None, None) => {}
    }
    if !pass.orders.is_empty() {
        rows.push(row("traded", traded(&pass.orders, quote)));
    }
    let Some(plan) = &pass.plan else { return rows };
    rows.extend(account(plan));
    rows.extend(shares(&pass.shares, quote));
    if !plan.legs.is_empty() && pass.orders.is_empty() {
        rows.push(turnover(plan));
    }
    rows.push(counts(plan));
    rows
}

/// Current against target shares: `BTC 21.3 → 20.0 of 20 %`, and what is cash.
fn shares(rows: &[ShareRow], quote: &str) -> Option<Remark> {
    if rows.is_empty() {
        return None;
    }
    let shown = |share: Option<Rate>| share.map_or("?".to_owned(), |share| fixed(share * Rate::from(100), 1));
    let coin = |row: &ShareRow| {
        let (before, after) = (shown(row.before), shown(row.after));
        let moved = if before == after { before } else { format!("{before} → {after}") };
        let target = (row.target * Rate::from(100)).rounded(2);
        format!("{} {moved} of {target} %", clean(row.symbol.coin(quote)))
    };
    let mut parts: Vec<String> = rows.iter().map(coin).collect();
    let after: Option<Rate> = rows.iter().map(|row| row.after).sum();
    let cash = after.map(|coins| Rate::ONE - coins);
    let cash_target = Rate::ONE - rows.iter().map(|row| row.target).sum();
    let cash_target = (cash_target * Rate::from(100)).rounded(2);
    parts.push(format!("cash {} of {cash_target} %", shown(cash)));
    Some(row("shares", parts.join(", ")))
}

/// What was really sold and bought, its fees and profit.
fn traded(orders: &[OrderReport], quote: &str) -> String {
    let worth = |side: Side| -> Notional {
        orders.iter().filter(|order| order.side == side).map(OrderReport::filled_notional).sum()
    };
    let profit: Notional = orders.iter().map(|order| order.realized_pnl).sum();
    let (fees, others) = fees::total(orders.iter().map(|order| &order.fees));
    format!(
        "sold {}, bought {} {quote}; fees {fees}{others}, realised profit {profit:+.2}",
        money(worth(Side::Sell)),
        money(worth(Side::Buy)),
    )
}

fn account(plan: &PlanReport) -> Vec<Remark> {
    let mut rows = vec![row("NAV", format!("{}, drawdown {}", fixed(plan.nav, 4), share(plan.drawdown)))];
    let (before, after) = (fixed(plan.leverage_before, 2), fixed(plan.leverage_after, 2));
    rows.push(row("leverage", if before == after { before } else { format!("{before} → {after}") }));
    rows.push(row(
        "liquidation",
        liquidation(plan.liquidation_distance_before, plan.liquidation_distance_after),
    ));
    rows
}

fn turnover(plan: &PlanReport) -> Remark {
    let text = format!("{} {}, fees about {}", money(plan.turnover), plan.quote, fee(plan.est_fees));
    row("turnover", text)
}

fn counts(plan: &PlanReport) -> Remark {
    let Counts { sell, buy, hold, skip, wait } = plan.counts();
    let wait = if wait > 0 { format!(", {wait} wait") } else { String::new() };
    row("coins", format!("{sell} sell, {buy} buy, {hold} hold, {skip} skip{wait}"))
}

fn liquidation(before: Option<Rate>, after: Option<Rate>) -> String {
    let Some(fall) = after else {
        return "no fall of the whole basket would liquidate".to_owned();
    };
    let now = match before {
        Some(before) if share(before) == share(fall) => String::new(),
        Some(before) => format!(" (now {})", share(before)),
        None => " (now none would)".to_owned(),
    };
    format!("a fall of {} of the whole basket would liquidate{now}", share(fall))
}

fn row(label: &str, text: String) -> Remark {
    (Tone::Plain, label.to_owned(), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fees::tests::paid;

    fn bought(symbol: &str, fees: &[(&str, &str, &str)]) -> OrderReport {
        OrderReport {
            symbol: symbol.parse().unwrap(),
            side: Side::Buy,
            reason: "entry".into(),
            client_order_id: "rb1".into(),
            status: OrderOutcome::Filled,
            qty: 1.into(),
            filled_qty: 1.into(),
            avg_price: Some(1.into()),
            fees: paid(symbol, fees),
            realized_pnl: Notional::ZERO,
            error: None,
        }
    }

    /// 0.001 BTC at 50,000 are 50; 0.002 BNB of another coin's purchase have no price here, nor have those that
    /// paid a part of the first.
    #[test]
    fn fees_in_coins_are_counted_at_what_they_cost() {
        let btc = bought("BTCUSDT", &[("40000", "0.004", "BNB"), ("50000", "0.001", "BTC")]);
        let eth = bought("ETHUSDT", &[("2000", "1.5", "USDT")]);
        let sol = bought("SOLUSDT", &[("100", "0.002", "BNB")]);
        let told = |orders: &[OrderReport]| traded(orders, "USDT");
        let rest = ", realised profit +0.00";
        assert_eq!(told(std::slice::from_ref(&eth)), format!("sold 0.00, bought 1.00 USDT; fees 1.50{rest}"));
        assert_eq!(
            told(&[eth, sol, btc]),
            format!("sold 0.00, bought 3.00 USDT; fees 51.50 and 0.006 BNB{rest}")
        );
    }
}
