//! One line per coin: where it stands against its band and what is done about it.

use crate::domain::num::Rate;
use crate::domain::order::Side;
use crate::render::bar::{bar, head};
use crate::render::grid::{Align, Grid, right, width_of};
use crate::render::paint::Tone;
use crate::render::text::{count, money, percent, short_percent};
use crate::render::words;
use crate::report::lines::{Action, Line};
use crate::report::plan::PlanReport;

/// How much is shown of each line; the first that fits the terminal is taken.
#[derive(Clone, Copy, Debug)]
struct Detail {
    gap: u16,
    /// Characters of a bar on each side of zero; 0 leaves it out.
    bar: usize,
    band: bool,
    target: bool,
    value: bool,
    /// Reasons in a few words instead of one, the quote asset behind amounts.
    wordy: bool,
}

const RICHEST: Detail = Detail { gap: 2, bar: 6, band: true, target: true, value: true, wordy: true };

const DETAILS: [Detail; 7] = [
    RICHEST,
    Detail { band: false, ..RICHEST },
    Detail { band: false, bar: 4, ..RICHEST },
    Detail { band: false, bar: 4, wordy: false, ..RICHEST },
    Detail { band: false, bar: 4, wordy: false, gap: 1, ..RICHEST },
    Detail { band: false, bar: 3, wordy: false, gap: 1, target: false, ..RICHEST },
    Detail { band: false, bar: 0, wordy: false, gap: 1, target: false, value: false },
];

/// The coins' table, from the richest to the barest.
pub(crate) fn grids(plan: &PlanReport) -> Vec<Grid> {
    let lines = plan.lines();
    DETAILS.iter().map(|detail| grid(&lines, plan, *detail)).collect()
}

fn grid(lines: &[Line], plan: &PlanReport, detail: Detail) -> Grid {
    let mut columns = vec![("coin".to_owned(), Align::Left)];
    let mut column = |shown: bool, head: &str, align: Align| {
        if shown {
            columns.push((head.to_owned(), align));
        }
    };
    column(detail.value, "value", Align::Right);
    column(detail.target, "target", Align::Right);
    column(true, "drift", Align::Right);
    column(detail.bar > 0, &head(detail.bar), Align::Left);
    column(detail.band, "band", Align::Right);
    column(true, "action", Align::Left);
    column(true, "why", Align::Left);
    let actions = actions(lines, &plan.quote, detail.wordy);
    let rows = lines.iter().zip(actions).map(|(line, action)| row(line, action, plan, detail)).collect();
    Grid { columns, rows, gap: detail.gap }
}

fn row(line: &Line, action: String, plan: &PlanReport, detail: Detail) -> (Tone, Vec<String>) {
    let mut cells = vec![line.symbol.coin(&plan.quote).to_owned()];
    if detail.value {
        cells.push(line.value.map_or("?".to_owned(), money));
    }
    if detail.target {
        cells.push(line.target.map_or_else(String::new, money));
    }
    cells.push(line.drift.map_or_else(String::new, percent));
    if detail.bar > 0 {
        cells.push(bar(line.drift, line.sell_band, line.buy_band, detail.bar));
    }
    if detail.band {
        cells.push(band(line));
    }
    cells.push(action);
    cells.push(why(line, detail.wordy));
    let tone = match line.action {
        Action::Trade { .. } => Tone::Strong,
        Action::Hold => Tone::Faint,
        Action::Skip { .. } => Tone::Attention,
    };
    (tone, cells)
}

/// What is done, its numbers aligned among all lines: `sell  0.5 ≈ 21.30`.
fn actions(lines: &[Line], quote: &str, wordy: bool) -> Vec<String> {
    let numbers = |line: &Line| match &line.action {
        Action::Trade { qty, notional, .. } => Some((qty.to_string(), money(*notional))),
        _ => None,
    };
    let widest = |part: fn((String, String)) -> String| {
        lines.iter().filter_map(numbers).map(part).map(|text| width_of(&text)).max().unwrap_or(0)
    };
    let (qty_width, worth_width) = (widest(|(qty, _)| qty), widest(|(_, worth)| worth));
    let unit = if wordy { format!(" {quote}") } else { String::new() };
    let action = |line: &Line| match (&line.action, numbers(line)) {
        (Action::Trade { side, .. }, Some((qty, worth))) => {
            let verb = if *side == Side::Buy { "buy " } else { "sell" };
            format!("{verb} {} ≈ {}{unit}", right(&qty, qty_width), right(&worth, worth_width))
        }
        (Action::Skip { .. }, _) => "skip".to_owned(),
        _ => "hold".to_owned(),
    };
    lines.iter().map(action).collect()
}

/// The band that really applies: `-25…+5 %`.
fn band(line: &Line) -> String {
    let Some(sell) = line.sell_band.filter(|band| band.is_positive()) else { return String::new() };
    let hundred = Rate::from(100);
    let shown = |band: Rate| (band * hundred).rounded(1).to_string();
    match line.buy_band {
        Some(buy) => format!("-{}…+{} %", shown(buy), shown(sell)),
        None => format!("+{} %", shown(sell)),
    }
}

/// Why this happens, or what a held coin waits for; in a few words, or in one.
pub(crate) fn why(line: &Line, wordy: bool) -> String {
    let pick = |(long, short): (&'static str, &'static str)| if wordy { long } else { short };
    match &line.action {
        Action::Trade { reason, orders: 1, .. } => pick(words::reason(*reason)).to_owned(),
        Action::Trade { reason, orders, .. } => {
            format!("{}, {}", pick(words::reason(*reason)), count(*orders, "order"))
        }
        Action::Skip { reason, .. } => pick(words::skip(*reason)).to_owned(),
        Action::Hold => waits_for(line),
    }
}

/// Below the threshold and still held: it looks forgotten unless the line says what it waits for.
fn waits_for(line: &Line) -> String {
    match (line.drift, line.sell_band, line.buy_band) {
        (Some(drift), Some(sell), Some(buy)) if sell.is_positive() && drift < -sell => {
            format!("buys at {}", short_percent(-buy))
        }
        _ => String::new(),
    }
}
