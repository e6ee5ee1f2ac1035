//! The account at a glance in words and columns: what it is worth, how far each coin drifted, the last
//! passes.

use crate::domain::num::{Notional, Price, Rate};
use crate::domain::time::Time;
use crate::render::bar;
use crate::render::earnings::{self, signed};
use crate::render::grid::{Align, Grid};
use crate::render::paint::Tone;
use crate::render::remarks::Remark;
use crate::render::text::{self, clean, count, fixed, instant, money, percent, share, short_percent};
use crate::report::dashboard::{DashboardReport, PassLine, PositionRow};

/// From this part of the drawdown limit on the reader is warned.
const NEAR_LIMIT: (i64, u32) = (8, 1);

/// The account in one sentence, warnings first.
pub(crate) fn verdict(report: &DashboardReport) -> Vec<(Tone, String)> {
    let mut said = Vec::new();
    if let Some(alarm) = earnings::alarm(&report.period) {
        said.push((Tone::Alarm, alarm));
    }
    if report.unresolved > 0 {
        let orders = count(report.unresolved, "order");
        said.push((
            Tone::Attention,
            format!("The outcome of {orders} is not known; the next pass settles it."),
        ));
    }
    let tone = match report.drawdown.over(report.max_drawdown_limit) {
        Some(used) if used >= Rate::ONE => Tone::Alarm,
        Some(used) if used >= Rate::new(NEAR_LIMIT.0, NEAR_LIMIT.1) => Tone::Attention,
        _ => Tone::Good,
    };
    let text = format!(
        "{} {} at {}x, {} below its peak; {}.",
        money(report.equity),
        clean(&report.period.quote),
        fixed(report.effective_leverage, 2),
        share(report.drawdown),
        match report.period.halted {
            true => "nothing is bought while it is halted".to_owned(),
            false => format!("everything is sold at {}", share(report.max_drawdown_limit)),
        }
    );
    said.push((tone, text));
    said
}

/// The account's figures.
pub(crate) fn account(report: &DashboardReport) -> Vec<Remark> {
    let quote = clean(&report.period.quote);
    let row = |label: &str, text: String| (Tone::Plain, label.to_owned(), text);
    let mut rows = vec![
        row("equity", format!("{} {quote}, {} available", money(report.equity), money(report.available))),
        row("floating", format!("{} {quote}", signed(report.unrealized))),
        row("margin ratio", format!("{}; the exchange liquidates at 100 %", share(report.margin_ratio))),
        row("leverage", format!("{}x", fixed(report.effective_leverage, 2))),
        row("drawdown", format!("{} of {}", share(report.drawdown), share(report.max_drawdown_limit))),
        row("NAV", format!("{}, highest {}", fixed(report.nav, 4), fixed(report.peak_nav, 4))),
    ];
    if report.period.heading.is_spot() {
        rows.retain(|(_, label, _)| !matches!(label.as_str(), "margin ratio" | "leverage"));
    }
    rows
}

/// What came of it in the last 30 days.
pub(crate) fn lately(report: &DashboardReport) -> Vec<Remark> {
    let all = &report.period;
    let quote = clean(&all.quote);
    let row = |label: &str, text: String| (Tone::Plain, label.to_owned(), text);
    let growth = all.growth.map_or_else(String::new, |rate| format!(" ({})", short_percent(rate)));
    let loud = if all.unreconciled.is_zero() { Tone::Plain } else { Tone::Alarm };
    let mut rows = vec![
        row("net profit", format!("{} {quote}{growth}", signed(all.net_profit))),
        row("funding", format!("{} {quote}", signed(all.funding_total))),
        row("fees", format!("{} {quote}", signed(all.fees_total))),
        row("trades", earnings::trades(all)),
    ];
    if all.heading.is_spot() {
        rows.retain(|(_, label, _)| label != "funding");
    }
    rows.extend(earnings::twin(all));
    rows.push((loud, "unreconciled".to_owned(), format!("{} {quote}", signed(all.unreconciled))));
    rows
}

/// The positions' table, from the richest to the barest; the last row is the total.
pub(crate) fn positions(report: &DashboardReport) -> Vec<Grid> {
    vec![
        grid(report, &[COIN, VALUE, TARGET, DRIFT, BAR, ENTRY, MARK, FLOATING, FUNDING, YEARLY, NEXT], 6, 2),
        grid(report, &[COIN, VALUE, TARGET, DRIFT, BAR, ENTRY, MARK, FLOATING, FUNDING, YEARLY], 5, 2),
        grid(report, &[COIN, VALUE, DRIFT, BAR, ENTRY, MARK, FLOATING, FUNDING, YEARLY], 3, 1),
        grid(report, &[COIN, VALUE, DRIFT, BAR, FLOATING, FUNDING, YEARLY], 3, 1),
        grid(report, &[COIN, VALUE, DRIFT, FLOATING], 3, 1),
        grid(report, &[COIN, VALUE], 3, 1),
    ]
}

/// The same for paper and pages: every figure that any of them has, and no bar.
pub(crate) fn every_column(report: &DashboardReport) -> Grid {
    let mut shown = vec![
        COIN,
        DRIFT,
        BAND,
        VALUE,
        TARGET,
        QTY,
        ENTRY,
        MARK,
        LIQUIDATION,
        FLOATING,
        FUNDING,
        YEARLY,
        NEXT,
    ];
    let said = |column: &&str| report.positions.iter().any(|row| !cell(row, column, 0, "").is_empty());
    shown.retain(said);
    grid(report, &shown, 0, 2)
}

const COIN: &str = "coin";
const QTY: &str = "quantity";
const VALUE: &str = "value";
const TARGET: &str = "target";
const DRIFT: &str = "drift";
const BAR: &str = "bar";
const BAND: &str = "band";
const ENTRY: &str = "entry";
const MARK: &str = "mark";
const LIQUIDATION: &str = "liquidation";
const FLOATING: &str = "floating";
const FUNDING: &str = "funding";
pub(crate) const YEARLY: &str = "funding/y";
const NEXT: &str = "settles";

fn grid(report: &DashboardReport, shown: &[&'static str], half: usize, gap: u16) -> Grid {
    let of_contracts = |column: &&'static str| matches!(*column, FUNDING | YEARLY | NEXT | LIQUIDATION);
    let spot = report.period.heading.is_spot();
    let shown: Vec<&'static str> =
        shown.iter().copied().filter(|column| !(spot && of_contracts(column))).collect();
    let row = |row: &PositionRow| {
        let cells = shown.iter().map(|column| cell(row, column, half, &report.period.quote)).collect();
        (tone(row), cells)
    };
    let mut rows: Vec<(Tone, Vec<String>)> = report.positions.iter().map(row).collect();
    if !rows.is_empty() {
        rows.push((Tone::Strong, shown.iter().map(|column| total(report, column)).collect()));
    }
    let left = |column: &str| matches!(column, COIN | BAR | NEXT);
    let head = |column: &&'static str| {
        let text = if *column == BAR { bar::head(half) } else { (*column).to_owned() };
        (text, if left(column) { Align::Left } else { Align::Right })
    };
    Grid { columns: shown.iter().map(head).collect(), rows, gap }
}

/// A position that no strategy wants stands out.
fn tone(row: &PositionRow) -> Tone {
    if row.target.is_none() { Tone::Attention } else { Tone::Plain }
}

fn cell(row: &PositionRow, column: &str, half: usize, quote: &str) -> String {
    let price = |price: Option<Price>| price.map_or_else(String::new, text::price);
    match column {
        COIN => row.symbol.coin(quote).to_owned(),
        QTY => row.qty.to_string(),
        VALUE => row.value.map_or("?".to_owned(), money),
        TARGET => row.target.map_or("none".to_owned(), money),
        DRIFT => row.drift.map_or_else(String::new, percent),
        BAR => bar::bar(row.drift, row.sell_band, row.buy_band, half).trim_end().to_owned(),
        BAND => band(row),
        ENTRY => price(row.entry_price),
        MARK => price(row.mark_price),
        LIQUIDATION => price(row.liquidation_price),
        FLOATING => format!("{:+.2}", row.unrealized_pnl),
        FUNDING => format!("{:+.4}", row.funding),
        YEARLY => row
            .funding_annualised
            .map_or_else(String::new, |rate| format!("{:+.1} %", rate * Rate::from(100))),
        NEXT => row.next_funding.map_or_else(String::new, hour),
        _ => String::new(),
    }
}

/// `-25…+5 %`; empty outside the strategy.
pub(crate) fn band(row: &PositionRow) -> String {
    let Some(sell) = row.sell_band else { return String::new() };
    let points = |rate: Rate| (rate * Rate::from(100)).rounded(1);
    match row.buy_band {
        Some(buy) => format!("{}…{:+} %", -points(buy), points(sell)),
        None => format!("{:+} %", points(sell)),
    }
}

fn total(report: &DashboardReport, column: &str) -> String {
    let rows = &report.positions;
    match column {
        COIN => "total".to_owned(),
        VALUE => rows.iter().map(|row| row.value).sum::<Option<Notional>>().map_or("?".to_owned(), money),
        TARGET => money(rows.iter().filter_map(|row| row.target).sum()),
        FLOATING => format!("{:+.2}", rows.iter().map(|row| row.unrealized_pnl).sum::<Notional>()),
        FUNDING => format!("{:+.4}", rows.iter().map(|row| row.funding).sum::<Notional>()),
        _ => String::new(),
    }
}

/// `16:00`, of a time that is hours away.
fn hour(at: Time) -> String {
    at.to_string().get(11..16).unwrap_or_default().to_owned()
}

/// The last passes.
pub(crate) fn passes(report: &DashboardReport) -> Grid {
    let columns = [
        ("pass", Align::Right),
        ("at", Align::Left),
        ("outcome", Align::Left),
        ("orders", Align::Right),
        ("exit", Align::Right),
    ];
    let row = |pass: &PassLine| {
        let cells = vec![
            pass.pass_id.to_string(),
            instant(pass.at),
            clean(&pass.outcome).replace('_', " "),
            pass.orders.to_string(),
            pass.exit_code.map_or("never ended".to_owned(), |code| code.to_string()),
        ];
        (if pass.exit_code == Some(0) { Tone::Plain } else { Tone::Attention }, cells)
    };
    Grid {
        columns: columns.into_iter().map(|(head, align)| (head.to_owned(), align)).collect(),
        rows: report.passes.iter().map(row).collect(),
        gap: 2,
    }
}
