//! What was closed, what is left, and how it went, in words and columns.

use crate::domain::num::Notional;
use crate::domain::order::Side;
use crate::render::fees;
use crate::render::grid::{Align, Grid};
use crate::render::paint::Tone;
use crate::render::remarks::Remark;
use crate::render::text::{clean, count, money, price};
use crate::report::flatten::{Closed, FlattenReport, Remaining};

/// Positions that are left are said before everything else; `None` where there are none.
pub(crate) fn alarm(report: &FlattenReport) -> Option<String> {
    let left = match report.remaining.len() {
        _ if report.flat => return None,
        0 => "nobody could see what remains".to_owned(),
        1 => "1 position remains".to_owned(),
        many => format!("{many} positions remain"),
    };
    Some(format!("NOT FLAT: {left}; run `rebal flatten` again or close them by hand."))
}

/// How it ended, in one sentence.
pub(crate) fn verdict(report: &FlattenReport) -> (Tone, String) {
    let closed = format!("{} closed", count(report.closed.len(), "position"));
    let mut parts = vec![if report.closed.is_empty() { "nothing to close".to_owned() } else { closed }];
    if report.cancelled > 0 {
        parts.push(format!("{} cancelled", count(report.cancelled, "resting order")));
    }
    if report.rounds > 0 && !report.closed.is_empty() {
        parts.push(format!("in {}", count(report.rounds.try_into().unwrap_or(usize::MAX), "round")));
    }
    if report.flat && report.symbols.is_empty() {
        return (Tone::Good, format!("Flat: {}.", parts.join(", ")));
    }
    if report.flat {
        let named = count(report.symbols.len(), "contract");
        let others = match report.others {
            0 => String::new(),
            1 => " 1 other position stays open.".to_owned(),
            many => format!(" {many} other positions stay open."),
        };
        return (Tone::Good, format!("Closed what was named ({named}): {}.{others}", parts.join(", ")));
    }
    let closed = if report.closed.is_empty() { "nothing was closed".to_owned() } else { parts.join(", ") };
    let left = match report.remaining.len() {
        0 => "what is left is not known".to_owned(),
        left => format!("{left} left"),
    };
    (Tone::Bad, format!("Not flat: {closed}, {left}."))
}

/// The closed positions' table, from the richest to the barest.
pub(crate) fn closed(report: &FlattenReport) -> Vec<Grid> {
    let quote = &report.quote;
    let full = |row: &Closed| {
        vec![
            row.symbol.coin(quote).to_owned(),
            verb(row.side).to_owned(),
            row.qty.to_string(),
            row.avg_price.map_or_else(String::new, price),
            row.avg_price.map_or_else(String::new, |price| money(row.qty * price)),
            fees::of(&row.fees, quote),
            format!("{:+.2}", row.realized_pnl),
        ]
    };
    let heads = ["coin", "side", "qty", "avg price", "worth", "fee", "profit"];
    let grid = |shown: &[usize], gap: u16| {
        let columns = shown.iter().filter_map(|at| heads.get(*at)).map(|head| {
            let align = if matches!(*head, "coin" | "side") { Align::Left } else { Align::Right };
            ((*head).to_owned(), align)
        });
        let cells = |row| {
            let all = full(row);
            shown.iter().filter_map(|at| all.get(*at)).cloned().collect()
        };
        Grid {
            columns: columns.collect(),
            rows: report.closed.iter().map(|row| (Tone::Good, cells(row))).collect(),
            gap,
        }
    };
    vec![
        grid(&[0, 1, 2, 3, 4, 5, 6], 2),
        grid(&[0, 1, 2, 3, 4, 5, 6], 1),
        grid(&[0, 1, 2, 3, 6], 1),
        grid(&[0, 1, 2, 6], 1),
    ]
}

/// What is left, and why.
pub(crate) fn remaining(report: &FlattenReport) -> Vec<Remark> {
    let remark = |left: &Remaining| {
        let label = format!("{} {}", left.symbol.coin(&report.quote), left.qty);
        (Tone::Bad, label, clean(&left.reason))
    };
    report.remaining.iter().map(remark).collect()
}

/// Profit and fees of all that was closed.
pub(crate) fn totals(report: &FlattenReport) -> Vec<Remark> {
    if report.closed.is_empty() {
        return Vec::new();
    }
    let profit: Notional = report.closed.iter().map(|row| row.realized_pnl).sum();
    let (in_quote, others) = fees::total(report.closed.iter().map(|row| &row.fees));
    let row = |label: &str, text: String| (Tone::Plain, label.to_owned(), text);
    vec![
        row("profit", format!("{profit:+.2} {} realised, without fees", report.quote)),
        row("fees", format!("{in_quote} {}{others}", report.quote)),
    ]
}

fn verb(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}
