//! A period in words and columns: how the equity changed, what each coin earned, what rebalancing did.

use std::time::Duration;

use crate::domain::entry::INSURANCE_CLEAR;
use crate::domain::history::PastHalt;
use crate::domain::num::{Notional, Rate, show_large};
use crate::render::grid::{Align, Grid};
use crate::render::paint::Tone;
use crate::render::remarks::Remark;
use crate::render::text::{clean, count, fixed, instant, money, percent, share, short_percent};
use crate::render::{bar, words};
use crate::report::period::{CoinRow, Named, PeriodReport};

/// Digits of an amount for people.
const FEWEST_DIGITS: usize = 2;
/// Digits of amounts that vanish at two.
const SMALL_DIGITS: usize = 4;
/// Digits that the exchange counts in.
const MOST_DIGITS: usize = 8;
/// Heights of a sparkline, lowest first.
const SPARKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// From when to when, and how often the account was read.
pub(crate) fn span(report: &PeriodReport) -> String {
    format!(
        "{} to {} ({}, {})",
        instant(report.from),
        instant(report.to),
        length(report.to.since(report.from)),
        count(report.readings, "reading")
    )
}

/// `7 days`, `1 day 3 h`, `5 h 20 min`.
pub(crate) fn length(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let days_said = count(usize::try_from(days).unwrap_or(usize::MAX), "day");
    match (days, hours, minutes) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (_, 0, _) => days_said,
        (_, hours, _) => format!("{days_said} {hours} h"),
    }
}

/// What a halt means and why it is there; empty where there is none.
pub(crate) fn halt(report: &PeriodReport) -> Option<(String, String)> {
    if !report.halted {
        return None;
    }
    let why = report.halt_reason.as_deref().map_or_else(String::new, |why| format!("{}; ", clean(why)));
    Some((clean(report.halt_id.as_deref().unwrap_or("unknown")), words::refused(&why)))
}

/// A halt that began in the period, and how it ended.
fn past_halt(halt: &PastHalt) -> String {
    let closed = halt.flat_at.map_or_else(|| "not closed".to_owned(), |at| format!("closed {}", instant(at)));
    let resumed = match halt.resumed_at {
        Some(at) => format!("trading was resumed {}", instant(at)),
        None => "not resumed yet".to_owned(),
    };
    format!(
        "Halted {} ({}), {closed}, {resumed}: {}.",
        instant(halt.at),
        clean(&halt.id),
        clean(&halt.reason)
    )
}

/// What the period came to, in a sentence or two.
pub(crate) fn verdict(report: &PeriodReport) -> Vec<(Tone, String)> {
    let quote = clean(&report.quote);
    let mut said = Vec::new();
    if let Some(alarm) = alarm(report) {
        said.push((Tone::Alarm, alarm));
    }
    if let Some(at) = report.liquidated_at {
        said.push((
            Tone::Alarm,
            format!("LIQUIDATED: the exchange closed positions by force at {}.", instant(at)),
        ));
    }
    said.extend(report.halts.iter().map(|halt| (Tone::Attention, past_halt(halt))));
    said.push(match report.readings {
        0 => (
            Tone::Attention,
            "Nobody read the account in this period: there is nothing to compare.".to_owned(),
        ),
        1 => (Tone::Attention, "One reading only: a change needs two.".to_owned()),
        _ => {
            let growth = report.growth.map_or_else(String::new, |rate| format!(" ({})", short_percent(rate)));
            let tone = if report.net_profit.is_negative() { Tone::Attention } else { Tone::Good };
            let effect =
                rebalancing(report).map_or_else(String::new, |effect| format!("; rebalancing {effect}"));
            (tone, format!("Net profit {} {quote}{growth}{effect}.", signed(report.net_profit)))
        }
    });
    said
}

/// What nothing explains, before everything else; `None` where all is explained.
pub(crate) fn alarm(report: &PeriodReport) -> Option<String> {
    (!report.unreconciled.is_zero()).then(|| {
        format!(
            "UNRECONCILED: {} {} of the change of equity is explained by nothing that the ledger knows.",
            signed(report.unreconciled),
            clean(&report.quote)
        )
    })
}

/// `earned 0.84 USDT against holding`; `None` where there is no twin.
fn rebalancing(report: &PeriodReport) -> Option<String> {
    let effect = report.rebalancing_effect?;
    let quote = clean(&report.quote);
    Some(match effect {
        effect if effect.is_zero() => "neither earned nor cost anything against holding".to_owned(),
        effect if effect.is_negative() => format!("cost {} {quote} against holding", plain(effect.abs())),
        effect => format!("earned {} {quote} more than holding", plain(effect)),
    })
}

/// From the equity at the start to that at the end: every line but the last adds up to the last.
pub(crate) fn bridge(report: &PeriodReport) -> Grid {
    let word = |named: &Named| match named.name.as_str() {
        INSURANCE_CLEAR => "INSURANCE_CLEAR (liquidation)".to_owned(),
        other => clean(other),
    };
    let others = report.other.iter().map(word).collect::<Vec<_>>().join(", ");
    let gap = if report.unreconciled.is_zero() { "all is explained" } else { "explained by nothing" };
    let mut lines = vec![
        ("equity at the start", report.equity_start, instant(report.from)),
        ("transfers", report.transfers, "deposits less withdrawals".to_owned()),
        ("net profit", report.net_profit, "of all coins, see below".to_owned()),
    ];
    if !report.fees_elsewhere.is_zero() {
        let why = "counted as fees, paid from another balance".to_owned();
        lines.push(("fees in other assets", -report.fees_elsewhere, why));
    }
    if !report.other_income.is_zero() || !report.other.is_empty() {
        lines.push(("other income", report.other_income, others));
    }
    lines.push(("unreconciled", report.unreconciled, gap.to_owned()));
    let amounts: Vec<Notional> = lines.iter().map(|line| line.1).collect();
    let digits = exact_digits(&amounts, report.equity_end);
    let row = |(index, (label, amount, why)): (usize, (&str, Notional, String))| {
        let loud = label == "unreconciled" && !amount.is_zero();
        let shown = if index == 0 { fixed(amount, digits) } else { with_sign(amount, digits) };
        (if loud { Tone::Alarm } else { Tone::Plain }, vec![label.to_owned(), shown, why])
    };
    let mut rows: Vec<(Tone, Vec<String>)> = lines.into_iter().enumerate().map(row).collect();
    let end = vec!["equity at the end".to_owned(), fixed(report.equity_end, digits), instant(report.to)];
    rows.push((Tone::Strong, end));
    Grid {
        columns: vec![
            ("from start to end".to_owned(), Align::Left),
            (clean(&report.quote), Align::Right),
            (String::new(), Align::Left),
        ],
        rows,
        gap: 2,
    }
}

/// The headline figures that the bridge does not hold.
pub(crate) fn headlines(report: &PeriodReport) -> Vec<Remark> {
    let quote = clean(&report.quote);
    let row = |label: &str, text: String| (Tone::Plain, label.to_owned(), text);
    let growth = report.growth.map_or("unknown".to_owned(), short_percent);
    let mut rows = vec![
        row("return", format!("{growth}, deposits and withdrawals apart")),
        row("max drawdown", share(report.max_drawdown)),
        row("funding", format!("{} {quote} {}", signed(report.funding_total), flow(report.funding_total))),
        row("fees", format!("{} {quote}{}", signed(report.fees_total), unvalued(report))),
        row("turnover", format!("{} {quote}", money(report.turnover))),
        row("trades", trades(report)),
        row("win rate", wins(report)),
        row("harvest", format!("{} {quote} from sales above the band, after fees", signed(report.harvest))),
    ];
    if report.heading.is_spot() {
        rows.retain(|(_, label, _)| label != "funding");
    }
    rows.extend(twin(report));
    rows
}

/// What holding would have earned, and what rebalancing did beside it.
pub(crate) fn twin(report: &PeriodReport) -> Vec<Remark> {
    let quote = clean(&report.quote);
    let row = |label: &str, text: String| (Tone::Plain, label.to_owned(), text);
    let others = report.hold_twin.as_ref().map(|twin| twin.others).filter(|others| !others.is_zero());
    let others = others.map_or_else(String::new, |others| {
        format!("; {} of it by coins outside the strategy, as in the account", signed(others))
    });
    match (report.hold_twin_profit, rebalancing(report)) {
        (Some(profit), Some(effect)) => vec![
            row("hold twin", format!("{} {quote} had nothing been rebalanced{others}", signed(profit))),
            row("rebalancing", effect),
        ],
        _ => vec![row("hold twin", "none: nothing was held".to_owned())],
    }
}

fn flow(funding: Notional) -> &'static str {
    match funding {
        funding if funding.is_zero() => "(nothing paid or received)",
        funding if funding.is_negative() => "(paid)",
        _ => "(received)",
    }
}

fn unvalued(report: &PeriodReport) -> String {
    let named: Vec<String> =
        report.fees_unvalued.iter().map(|fee| format!("{} {}", fee.amount, clean(&fee.name))).collect();
    if named.is_empty() { String::new() } else { format!(", and {} without a price", named.join(", ")) }
}

/// `4.86 per day`; nothing for less than a day, of which a rate would say what nobody saw.
pub(crate) fn per_day(report: &PeriodReport) -> Option<String> {
    let rate =
        report.trades_per_day.filter(|_| report.to.since(report.from) >= Duration::from_secs(86_400))?;
    Some(format!("{} per day", rate.rounded(2)))
}

/// `34, 4.86 per day, in 37 executions`.
pub(crate) fn trades(report: &PeriodReport) -> String {
    let per_day = per_day(report).map_or_else(String::new, |rate| format!(", {rate}"));
    let fills = count(usize::try_from(report.fills).unwrap_or(usize::MAX), "execution");
    format!("{}{per_day}, in {fills}", report.trades)
}

/// `71.4 %, 10 of 14 reductions with a profit after fees`.
pub(crate) fn wins(report: &PeriodReport) -> String {
    let Some(rate) = report.win_rate else { return "none, nothing was reduced".to_owned() };
    let reductions = count(usize::try_from(report.reductions).unwrap_or(usize::MAX), "reduction");
    format!("{}, {} of {reductions} with a profit after fees", share(rate), report.wins)
}

/// The coins' table, from the richest to the barest; the last row is the total.
pub(crate) fn coins(report: &PeriodReport) -> Vec<Grid> {
    let columns = Columns::of(report);
    vec![
        columns.grid(
            &[
                "coin",
                "net profit",
                "bar 5",
                "of equity",
                "realized",
                "floating",
                "funding",
                "fees",
                "trades",
                "win rate",
                "harvest",
            ],
            2,
        ),
        columns.grid(
            &[
                "coin",
                "net profit",
                "bar 3",
                "realized",
                "floating",
                "funding",
                "fees",
                "trades",
                "win rate",
                "harvest",
            ],
            2,
        ),
        columns.grid(
            &["coin", "net profit", "bar 3", "realized", "floating", "funding", "fees", "trades", "win rate"],
            2,
        ),
        columns.grid(
            &["coin", "net profit", "bar 3", "realized", "floating", "funding", "fees", "trades", "win rate"],
            1,
        ),
        columns.grid(
            &["coin", "net profit", "realized", "floating", "funding", "fees", "trades", "win rate"],
            1,
        ),
        columns.grid(&["coin", "net profit", "realized", "floating", "funding", "fees"], 1),
        columns.grid(&["coin", "net profit"], 1),
    ]
}

/// The same for paper and pages: every figure, and no bar.
pub(crate) fn every_column(report: &PeriodReport) -> Grid {
    let heads = [
        "coin",
        "sector",
        "net profit",
        "of equity",
        "realized",
        "floating",
        "funding",
        "fees",
        "trades",
        "win rate",
        "harvest",
        "turnover",
        "value",
    ];
    Columns::of(report).grid(&heads, 2)
}

/// How to read the coins' table, and whether its rows are rounded.
pub(crate) fn legend(report: &PeriodReport) -> Remark {
    let funding = if report.heading.is_spot() { "" } else { " + funding" };
    let sum = format!("net profit = realized + change of floating profit{funding} + fees; paid is negative");
    let rounded = if Columns::of(report).rounded {
        ". Rows are rounded here; every digit is in csv and json"
    } else {
        ""
    };
    (Tone::Plain, "columns".to_owned(), format!("{sum}{rounded}"))
}

/// One column's cells, the total last.
struct Columns {
    cells: Vec<(&'static str, Align, Vec<String>)>,
    /// Some column's total is not the sum of what is shown above it.
    rounded: bool,
}

impl Columns {
    fn of(report: &PeriodReport) -> Columns {
        let mut columns = Columns { cells: Vec::new(), rounded: false };
        let rows = &report.per_coin;
        let text = |part: &dyn Fn(&CoinRow) -> String, total: String| -> Vec<String> {
            rows.iter().map(part).chain([total]).collect()
        };
        let coin = |row: &CoinRow| row.symbol.coin(&report.quote).to_owned();
        columns.cells.push(("coin", Align::Left, text(&coin, "total".to_owned())));
        columns.cells.push(("sector", Align::Left, text(&|row| row.sector.to_string(), String::new())));
        columns.amounts("net profit", rows, |row| row.net_profit, report.net_profit, true);
        for (name, half) in [("bar 5", 5), ("bar 3", 3)] {
            columns.cells.push((name, Align::Left, bars(rows, half)));
        }
        let contribution = |row: &CoinRow| row.contribution.map_or_else(String::new, percent);
        let whole = report.net_profit.over(report.equity_start).map_or_else(String::new, percent);
        columns.cells.push(("of equity", Align::Right, text(&contribution, whole)));
        columns.amounts("realized", rows, |row| row.realized, report.realized_total, true);
        let floating = report.unrealized_change_total;
        columns.amounts("floating", rows, |row| row.unrealized_change, floating, true);
        if !report.heading.is_spot() {
            columns.amounts("funding", rows, |row| row.funding, report.funding_total, true);
        }
        columns.amounts("fees", rows, |row| row.fees, report.fees_total, true);
        columns.cells.push((
            "trades",
            Align::Right,
            text(&|row| row.trades.to_string(), report.trades.to_string()),
        ));
        let rate = |rate: Option<Rate>| {
            rate.map_or_else(String::new, |rate| format!("{:.1} %", rate * Rate::from(100)))
        };
        columns.cells.push((
            "win rate",
            Align::Right,
            text(&|row| rate(row.win_rate), rate(report.win_rate)),
        ));
        columns.amounts("harvest", rows, |row| row.harvest, report.harvest, true);
        columns.amounts("turnover", rows, |row| row.turnover, report.turnover, false);
        let value = |row: &CoinRow| row.value.map_or("?".to_owned(), money);
        let values = rows.iter().map(|row| row.value).sum::<Option<Notional>>();
        columns.cells.push(("value", Align::Right, text(&value, values.map_or("?".to_owned(), money))));
        columns
    }

    fn amounts(
        &mut self,
        name: &'static str,
        rows: &[CoinRow],
        part: fn(&CoinRow) -> Notional,
        total: Notional,
        sign: bool,
    ) {
        let amounts: Vec<Notional> = rows.iter().map(part).collect();
        let digits = digits(&amounts, total);
        self.rounded |= !adds_up(&amounts, total, digits);
        let shown = |amount: Notional| if sign { with_sign(amount, digits) } else { fixed(amount, digits) };
        let cells = amounts.into_iter().chain([total]).map(shown).collect();
        self.cells.push((name, Align::Right, cells));
    }

    fn grid(&self, names: &[&str], gap: u16) -> Grid {
        let chosen: Vec<_> =
            names.iter().filter_map(|name| self.cells.iter().find(|(own, ..)| own == name)).collect();
        let head = |name: &str| match name {
            "bar 5" => bar_head(5),
            "bar 3" => bar_head(3),
            other => other.to_owned(),
        };
        let height = chosen.first().map_or(0, |(_, _, cells)| cells.len());
        let row = |index: usize| {
            let cells = chosen.iter().filter_map(|(_, _, cells)| cells.get(index)).cloned().collect();
            (if index + 1 == height { Tone::Strong } else { Tone::Plain }, cells)
        };
        Grid {
            columns: chosen.iter().map(|(name, align, _)| (head(name), *align)).collect(),
            rows: (0..height).map(row).collect(),
            gap,
        }
    }
}

/// Net profits drawn beside the largest of them.
fn bars(rows: &[CoinRow], half: usize) -> Vec<String> {
    let largest = rows.iter().map(|row| row.net_profit.abs()).max().unwrap_or_default();
    let bar = |row: &CoinRow| {
        bar::bar(row.net_profit.over(largest), Some(Rate::ONE), Some(Rate::ONE), half).trim_end().to_owned()
    };
    rows.iter().map(bar).chain([String::new()]).collect()
}

fn bar_head(half: usize) -> String {
    let (loss, gain) = if half < 4 { ("-", "+") } else { ("loss", "gain") };
    format!("{loss:>half$}│{gain}")
}

/// Fees and funding of a week can be so small that two digits show nothing of them.
fn digits(amounts: &[Notional], total: Notional) -> usize {
    let mut all = amounts.iter().chain([&total]);
    let whole = all.clone().any(|amount| amount.abs() >= Notional::ONE);
    let small = all.any(|amount| !amount.is_zero() && amount.abs() < Notional::new(1, 1));
    if small && !whole { SMALL_DIGITS } else { FEWEST_DIGITS }
}

/// The fewest digits at which the shown amounts add up to the shown total and none of them vanishes;
/// two where no number of digits does.
pub(crate) fn exact_digits(amounts: &[Notional], total: Notional) -> usize {
    let vanishes = |amount: &Notional, digits| !amount.is_zero() && rounded(*amount, digits).is_zero();
    let fits = |digits: &usize| {
        adds_up(amounts, total, *digits) && !amounts.iter().any(|amount| vanishes(amount, *digits))
    };
    (FEWEST_DIGITS..=MOST_DIGITS).find(fits).unwrap_or(FEWEST_DIGITS)
}

fn adds_up(amounts: &[Notional], total: Notional, digits: usize) -> bool {
    amounts.iter().map(|amount| rounded(*amount, digits)).sum::<Notional>() == rounded(total, digits)
}

fn rounded(amount: Notional, digits: usize) -> Notional {
    amount.rounded(u32::try_from(digits).unwrap_or(u32::MAX))
}

/// With its sign, at so many digits; zero has none.
pub(crate) fn with_sign(amount: Notional, digits: usize) -> String {
    if rounded(amount, digits).is_zero() {
        fixed(Notional::ZERO, digits)
    } else {
        format!("{amount:+.digits$}")
    }
}

/// A single amount with its sign; small ones at four digits.
pub(crate) fn signed(amount: Notional) -> String {
    with_sign(amount, single_digits(amount))
}

/// The same without a sign.
pub(crate) fn plain(amount: Notional) -> String {
    fixed(amount, single_digits(amount))
}

fn single_digits(amount: Notional) -> usize {
    let small = !amount.is_zero() && amount.abs() < Notional::new(1, 1);
    if small { SMALL_DIGITS } else { FEWEST_DIGITS }
}

/// Equity over time on one line, its lowest and highest beside it; `None` where there are no two
/// points, and where the terminal has no blocks of eighths.
pub(crate) fn sparkline(values: &[Notional], width: usize, unicode: bool) -> Option<Remark> {
    let (low, high) = (values.iter().min().copied()?, values.iter().max().copied()?);
    if !unicode || values.len() < 2 {
        return None;
    }
    let columns = width.clamp(1, values.len());
    let spark = |column: usize| {
        // The last value of each stretch, so that the line ends where the period does.
        let value = values.get((column + 1) * values.len() / columns - 1).copied().unwrap_or_default();
        let height = (value - low).over(high - low).map_or(0.0, |share| share.approx() * 7.0);
        (0..8)
            .rev()
            .find(|step| *step as f64 <= height + 0.5)
            .and_then(|step| SPARKS.get(step))
            .unwrap_or(&'▁')
    };
    let line: String = (0..columns).map(spark).collect();
    Some((Tone::Plain, "equity".to_owned(), format!("{line}  {} to {}", scale(low), scale(high))))
}

fn scale(amount: Notional) -> String {
    if amount < Notional::from(100_000) { money(amount) } else { show_large(amount) }
}

/// Everything worth knowing, as bullets.
pub(crate) fn notes(report: &PeriodReport) -> Vec<Remark> {
    report.notes.iter().map(|note| (Tone::Plain, "note".to_owned(), clean(note))).collect()
}
