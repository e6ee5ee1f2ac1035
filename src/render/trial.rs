//! A backtest in words and columns: what became of the money, and what that leaves out.

use std::collections::BTreeMap;

use crate::domain::num::{Notional, Rate};
use crate::domain::plan::SkipReason;
use crate::render::earnings::{exact_digits, length, plain, signed, with_sign};
use crate::render::grid::{Align, Grid};
use crate::render::paint::Tone;
use crate::render::remarks::Remark;
use crate::render::text::{
    clean, coins as coins_of, count, fixed, instant, money, percent, share, short_percent,
};
use crate::render::words;
use crate::report::backtest::BacktestReport;
use crate::report::backtest::assumed::Maintenance;
use crate::report::backtest::coin::{CoinResult, RefusedRow};

/// Digits that are shown of a small amount.
const LEAST_DIGITS: u32 = 4;
/// Digits of amounts for people.
const DIGITS: usize = 2;

/// From when to when, over what.
pub(crate) fn span(report: &BacktestReport) -> String {
    format!(
        "{} over {}, {} to {} ({}, {} of {})",
        clean(&report.strategy),
        count(report.symbols.len(), "coin"),
        instant(report.from),
        instant(report.to),
        length(report.to.since(report.from)),
        count(report.bars, "bar"),
        length(std::time::Duration::from_secs(report.ground.interval_s)),
    )
}

/// What became of the money, in a sentence or two.
pub(crate) fn verdict(report: &BacktestReport) -> (Tone, String) {
    let quote = clean(&report.quote);
    let (start, end) = (money(report.start_equity), money(report.final_equity));
    let growth = report.growth.map_or_else(String::new, |rate| format!(" ({})", short_percent(rate)));
    let after = |at| length(report.to.min(at).since(report.from));
    if let Some(at) = report.liquidated_at {
        let text =
            format!("LIQUIDATED after {}, at {}: all of {start} {quote} is lost.", after(at), instant(at));
        return (Tone::Alarm, text);
    }
    if let (Some(at), 1) = (report.stopped_at, report.stops)
        && report.trades > 0
        && at == report.to
    {
        let text = format!(
            "STOPPED after {}, at {}: the drawdown reached {}, and everything was sold; {start} {quote} became \
             {end}{growth}.",
            after(at),
            instant(at),
            share(report.ground.max_drawdown_limit)
        );
        return (Tone::Bad, text);
    }
    let again = match report.stops {
        0 => String::new(),
        1 => " The hard stop sold everything once on the way.".to_owned(),
        stops => format!(" The hard stop sold everything {stops} times on the way."),
    };
    let text = format!("{start} {quote} became {end}{growth}; {}.{again}", effect(report));
    let good = !report.net_profit.is_negative() && report.stops == 0;
    (if good { Tone::Good } else { Tone::Attention }, text)
}

/// `rebalancing earned 3.10 USDT more than holding`.
pub(crate) fn effect(report: &BacktestReport) -> String {
    let quote = clean(&report.quote);
    match report.rebalancing_effect {
        None => match most_refused(report) {
            Some(reason) => format!("nothing was bought: {}", words::skip(reason).0),
            None => "nothing was bought".to_owned(),
        },
        // Less than what is shown of an amount is the last digit of a quantity, and nothing that anybody earned.
        Some(effect) if effect.rounded(LEAST_DIGITS).is_zero() => {
            "holding would have come to the same".to_owned()
        }
        Some(effect) if effect.is_negative() => {
            format!("holding would have earned {} {quote} more", plain(effect.abs()))
        }
        Some(effect) => format!("rebalancing earned {} {quote} more than holding", plain(effect)),
    }
}

/// Why most coins were not bought.
fn most_refused(report: &BacktestReport) -> Option<SkipReason> {
    let groups = by_reason(report.per_coin.iter().filter(|coin| coin.trades == 0));
    groups.into_iter().max_by_key(|(_, coins)| coins.len()).map(|(reason, _)| reason)
}

/// Coins of which purchases were refused, by reason.
fn by_reason<'a>(
    coins: impl Iterator<Item = &'a CoinResult>,
) -> BTreeMap<SkipReason, Vec<(&'a CoinResult, &'a RefusedRow)>> {
    let mut groups: BTreeMap<SkipReason, Vec<_>> = BTreeMap::new();
    for coin in coins {
        if let Some(refused) = &coin.refused {
            groups.entry(refused.reason).or_default().push((coin, refused));
        }
    }
    groups
}

/// What could not be bought and why, and which limits left out orders.
pub(crate) fn refusals(report: &BacktestReport) -> Vec<Remark> {
    let row = |label: &str, text: String| (Tone::Attention, label.to_owned(), text);
    let of = report.decisions_looked_at;
    let (unbought, bought): (Vec<&CoinResult>, Vec<&CoinResult>) =
        report.per_coin.iter().partition(|coin| coin.trades == 0);
    let mut rows = Vec::new();
    for (label, coins) in [("never bought", &unbought), ("refused", &bought)] {
        let groups = by_reason(coins.iter().copied());
        rows.extend(groups.iter().map(|(reason, group)| row(label, told(*reason, group, report))));
    }
    let silent: Vec<_> =
        unbought.iter().filter(|coin| coin.refused.is_none()).map(|coin| &coin.symbol).collect();
    if !silent.is_empty() {
        let names = coins_of(silent, &report.quote);
        rows.push(row("never bought", format!("{names}: wanted at none of {of} decisions looked at again")));
    }
    for limit in &report.limited {
        let decisions = count(usize::try_from(limit.decisions).unwrap_or(usize::MAX), "decision");
        let text = format!("{}: orders were left out at {decisions}", words::skip(limit.limit).0);
        rows.push(row("limit", text));
    }
    rows
}

/// Which coins had a reason, how often, and the figures of the first.
fn told(reason: SkipReason, group: &[(&CoinResult, &RefusedRow)], report: &BacktestReport) -> String {
    let names = coins_of(group.iter().map(|(coin, _)| &coin.symbol), &report.quote);
    let times = || group.iter().map(|(_, refused)| refused.times);
    let (least, most) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
    let times = if least == most { most.to_string() } else { format!("{least} to {most}") };
    let example = group.first().map_or_else(String::new, |(coin, refused)| {
        let name = clean(coin.symbol.coin(&report.quote));
        let lead = if group.len() > 1 { format!("; {name}: ") } else { "; ".to_owned() };
        lead + &clean(&refused.detail)
    });
    format!(
        "{names}: {} at {times} of {} decisions looked at again{example}",
        words::skip(reason).0,
        report.decisions_looked_at
    )
}

/// From the equity at the start to that at the end: every line but the last adds up to the last.
pub(crate) fn bridge(report: &BacktestReport) -> Grid {
    let sum = |of: fn(&CoinResult) -> Notional| report.per_coin.iter().map(of).sum::<Notional>();
    let mut lines = vec![
        ("equity at the start", report.start_equity, instant(report.from)),
        ("realized", sum(|coin| coin.realized), "by sales, over the average purchase price".to_owned()),
        ("floating", sum(|coin| coin.unrealized), "of what is held at the end, at the last close".to_owned()),
        (
            "fees",
            -report.fees,
            format!("{} of {} turned over", rate(report.ground.taker_fee), money(report.turnover)),
        ),
        ("funding", -report.funding, flow(report.funding).to_owned()),
    ];
    if !report.liquidation_loss.is_zero() {
        let why = match report.liquidation_loss.is_negative() {
            true => "lost beyond what was there; nobody pays it",
            false => "what it takes beside the losses above",
        };
        lines.push(("liquidation", -report.liquidation_loss, why.to_owned()));
    }
    let amounts: Vec<Notional> = lines.iter().map(|line| line.1).collect();
    let digits = exact_digits(&amounts, report.final_equity);
    let row = |(index, (label, amount, why)): (usize, (&str, Notional, String))| {
        let shown = if index == 0 { fixed(amount, digits) } else { with_sign(amount, digits) };
        (Tone::Plain, vec![label.to_owned(), shown, why])
    };
    let mut rows: Vec<_> = lines.into_iter().enumerate().map(row).collect();
    let end = vec!["equity at the end".to_owned(), fixed(report.final_equity, digits), instant(report.to)];
    rows.push((Tone::Strong, end));
    let columns = vec![
        ("from start to end".to_owned(), Align::Left),
        (clean(&report.quote), Align::Right),
        (String::new(), Align::Left),
    ];
    Grid { columns, rows, gap: 2 }
}

/// Which way funding went, of what was paid.
pub(crate) fn flow(paid: Notional) -> &'static str {
    match paid {
        paid if paid.is_zero() => "none",
        paid if paid.is_negative() => "received",
        _ => "paid",
    }
}

fn rate(rate: Rate) -> String {
    format!("{} %", (rate * Rate::from(100)).rounded(4))
}

/// The headline figures that the bridge does not hold.
pub(crate) fn headlines(report: &BacktestReport) -> Vec<Remark> {
    let quote = clean(&report.quote);
    let row = |label: &str, text: String| (Tone::Plain, label.to_owned(), text);
    let leverage = &report.effective_leverage;
    let times = |rate: Option<Rate>| rate.map_or("?".to_owned(), |rate| format!("{}x", fixed(rate, 2)));
    let mut rows = vec![
        row("return", report.growth.map_or("unknown".to_owned(), short_percent)),
        row(
            "max drawdown",
            format!("{}, deepest at {}", share(report.max_drawdown), instant(report.max_drawdown_at)),
        ),
        row("under water", under_water(report)),
        row(
            "leverage",
            format!(
                "{} on average, at most {} at {}",
                times(leverage.mean),
                times(leverage.highest),
                instant(leverage.highest_at)
            ),
        ),
        row("trades", trades(report)),
        row(
            "slippage",
            format!(
                "{} {quote} at {} per execution, in the profits already",
                money(report.slippage),
                rate(report.ground.slippage)
            ),
        ),
    ];
    match (report.hold_twin_profit, report.hold_twin_return) {
        (Some(profit), growth) => {
            let growth = growth.map_or_else(String::new, |rate| format!(" ({})", short_percent(rate)));
            rows.push(row(
                "hold twin",
                format!(
                    "{} {quote}{growth}: the first purchases, never touched again; {}",
                    signed(profit),
                    floor(report)
                ),
            ));
        }
        (None, _) => rows.push(row("hold twin", "none: nothing was bought".to_owned())),
    }
    rows.extend(
        report
            .rebalancing_effect
            .map(|effect| row("rebalancing", format!("{} {quote} beside the hold twin", signed(effect)))),
    );
    rows.push(row("hard stop", stop(report)));
    rows
}

/// What the figures of the hold twin leave out.
fn floor(report: &BacktestReport) -> String {
    if report.hold_twin_uncounted_loss.is_zero() {
        return "no liquidation is looked for".to_owned();
    }
    let lost = report.hold_twin_profit.unwrap_or_default() - report.hold_twin_uncounted_loss;
    format!(
        "all that there was, and no more is counted: by the prices at the end it is {}, and a liquidation, which is \
         not looked for, came before that",
        signed(lost)
    )
}

fn under_water(report: &BacktestReport) -> String {
    let all = report.under_water.share.map_or("?".to_owned(), share);
    match (report.under_water.from, report.under_water.to) {
        (Some(from), Some(to)) => format!(
            "{all} of the time; longest {} from {}{}",
            length(to.since(from)),
            instant(from),
            if report.under_water.recovered { "" } else { ", and not back by the end" }
        ),
        _ => format!("{all} of the time"),
    }
}

fn trades(report: &BacktestReport) -> String {
    let reason = |row: &crate::report::backtest::coin::ReasonRow| {
        format!("{} {}", row.trades, row.reason.replace('_', " "))
    };
    let reasons: Vec<String> = report.trades_by_reason.iter().map(reason).collect();
    let days = report.to.since(report.from).as_secs_f64() / 86_400.0;
    let per_day =
        if days > 0.0 { format!(", {:.1} per day", report.trades as f64 / days) } else { String::new() };
    match reasons.is_empty() {
        true => "none".to_owned(),
        false => format!("{}{per_day}: {}", report.trades, reasons.join(", ")),
    }
}

fn stop(report: &BacktestReport) -> String {
    let limit = share(report.ground.max_drawdown_limit);
    match (report.stopped_at, report.stops) {
        (Some(at), 1) => format!(
            "at {}, {} after the start; seen only at closes, which is optimistic",
            instant(at),
            length(at.since(report.from))
        ),
        (Some(at), stops) => format!(
            "{stops} times, first at {}, {} after the start; seen only at closes, which is optimistic",
            instant(at),
            length(at.since(report.from))
        ),
        (None, _) if report.liquidated_at.is_some() => "never: the liquidation came first".to_owned(),
        (None, _) => format!("never: the drawdown stayed below {limit} at every close"),
    }
}

/// The coins' table, from the richest to the barest; the last row is the total.
pub(crate) fn coins(report: &BacktestReport) -> Vec<Grid> {
    let every = [
        "coin",
        "net profit",
        "realized",
        "floating",
        "funding",
        "fees",
        "slippage",
        "trades",
        "win rate",
        "turnover",
        "value",
        "no price",
        "not bought",
    ];
    let unbought = report.per_coin.iter().any(|coin| coin.trades == 0 && coin.refused.is_some());
    [
        every.get(..every.len() - usize::from(!unbought)).unwrap_or(&every),
        &["coin", "net profit", "realized", "floating", "funding", "fees", "trades", "win rate"],
        &["coin", "net profit", "realized", "floating", "funding", "fees"],
        &["coin", "net profit", "trades"],
    ]
    .into_iter()
    .map(|heads| grid(report, heads))
    .collect()
}

fn grid(report: &BacktestReport, heads: &[&str]) -> Grid {
    let sum = |of: fn(&CoinResult) -> Notional| report.per_coin.iter().map(of).sum::<Notional>();
    let number = |of: fn(&CoinResult) -> u64| report.per_coin.iter().map(of).sum::<u64>();
    let total = report.per_coin.first().map(|first| CoinResult {
        symbol: first.symbol.clone(),
        net_profit: sum(|coin| coin.net_profit),
        trades: report.trades,
        realized: sum(|coin| coin.realized),
        unrealized: sum(|coin| coin.unrealized),
        fees: report.fees,
        funding: report.funding,
        slippage: report.slippage,
        turnover: report.turnover,
        reductions: number(|coin| coin.reductions),
        wins: number(|coin| coin.wins),
        value: sum(|coin| coin.value),
        unavailable: report.ground.unavailable,
        refused: None,
    });
    let name = |coin: &CoinResult| clean(coin.symbol.coin(&report.quote));
    let row = |coin: &CoinResult, name: String| heads.iter().map(|head| cell(coin, &name, head)).collect();
    let mut rows: Vec<(Tone, Vec<String>)> =
        report.per_coin.iter().map(|coin| (Tone::Plain, row(coin, name(coin)))).collect();
    rows.extend(total.map(|total| (Tone::Strong, row(&total, "total".to_owned()))));
    let align = |head: &&str| if matches!(*head, "coin" | "not bought") { Align::Left } else { Align::Right };
    Grid { columns: heads.iter().map(|head| ((*head).to_owned(), align(head))).collect(), rows, gap: 2 }
}

fn cell(coin: &CoinResult, name: &str, head: &str) -> String {
    match head {
        "coin" => name.to_owned(),
        "net profit" => with_sign(coin.net_profit, DIGITS),
        "realized" => with_sign(coin.realized, DIGITS),
        "floating" => with_sign(coin.unrealized, DIGITS),
        "funding" => with_sign(-coin.funding, DIGITS),
        "fees" => with_sign(-coin.fees, DIGITS),
        "slippage" => fixed(coin.slippage, DIGITS),
        "trades" => coin.trades.to_string(),
        "win rate" => wins(coin),
        "turnover" => money(coin.turnover),
        "value" => money(coin.value),
        "not bought" => match &coin.refused {
            Some(refused) if coin.trades == 0 => words::skip(refused.reason).0.to_owned(),
            _ => String::new(),
        },
        _ => coin.unavailable.to_string(),
    }
}

fn wins(coin: &CoinResult) -> String {
    match coin.reductions {
        0 => String::new(),
        reductions => format!("{:.1} %", coin.wins as f64 / reductions as f64 * 100.0),
    }
}

/// How to read the coins' table: what there is to say of the columns that it has.
pub(crate) fn legend(grid: &Grid) -> Option<Remark> {
    let text = grid.explained(&[
        (
            &["net profit", "realized", "funding", "fees"],
            "net profit = realized + floating + funding + fees, where paid is negative; in csv and json what was \
             paid is positive.",
        ),
        (&["slippage"], "slippage: what it cost, in the profits already."),
        (&["win rate"], "win rate: of the sales, those with a profit after the sale's own fee; the purchase's fee is not in it."),
        (&["net profit"], "Rows are rounded here; csv and json have every digit."),
    ])?;
    Some((Tone::Plain, "columns".to_owned(), text))
}

/// Whose prices and rules they were, and what was missing.
pub(crate) fn ground(report: &BacktestReport) -> Vec<Remark> {
    let row = |tone, label: &str, text: String| (tone, label.to_owned(), text);
    let cells = report.bars.saturating_mul(report.symbols.len()).max(1);
    let part = Rate::from_approx(report.ground.unavailable as f64 / cells as f64, 6).unwrap_or_default();
    let prices = match report.ground.unavailable {
        0 => "every coin has every bar".to_owned(),
        missing => format!(
            "{missing} of {cells} bars of single coins are unavailable ({}): not recorded or not yet listed; {}",
            percent(part).trim_start_matches('+'),
            traded_there(report.ground.sales_without_bar)
        ),
    };
    let gaps = match report.ground.missing_bars {
        0 => String::new(),
        missing => format!("; at {missing} times no coin has a bar"),
    };
    let tone = if report.ground.unavailable == 0 && gaps.is_empty() { Tone::Plain } else { Tone::Attention };
    vec![
        row(tone, "prices", prices + &gaps),
        row(Tone::Plain, "rules", rules(&report.ground.rules, report.ground.maintenance.as_ref())),
        row(
            Tone::Faint,
            "walked",
            format!(
                "{} in {} s: {:.1} million bar-updates per second, {} whole decisions",
                count(report.bars, "bar"),
                report.elapsed_s,
                report.bar_updates_per_s as f64 / 1e6,
                report.decisions
            ),
        ),
    ]
}

/// Whose trading rules they were, and at what a position is liquidated.
pub(crate) fn rules(origin: &str, maintenance: Option<&Maintenance>) -> String {
    let steps = format!("steps and smallest orders: {}", clean(origin));
    let Some(tiers) = maintenance else { return steps };
    let first = match tiers.first_lowest == tiers.first_highest {
        true => rate(tiers.first_lowest),
        false => format!("{} to {}", rate(tiers.first_lowest), rate(tiers.first_highest)),
    };
    let more = match tiers.last > tiers.first_highest {
        true => format!(" up to {}, more beyond, {} at most", money(tiers.first_up_to), rate(tiers.last)),
        false => String::new(),
    };
    format!(
        "{steps}; maintenance margin: {first} of a position{more}, assumed: no listing has the exchange's own"
    )
}

/// What happened to coins at bars that they do not have.
fn traded_there(sales: usize) -> String {
    match sales {
        0 => "nothing was traded there".to_owned(),
        sales => format!(
            "nothing was traded there but {} by the hard stop, at the last close before",
            count(sales, "sale")
        ),
    }
}

/// What is not as it will be at an exchange.
pub(crate) fn left_out(report: &BacktestReport) -> Vec<Remark> {
    report.not_modelled.iter().map(|text| (Tone::Plain, "–".to_owned(), clean(text))).collect()
}
