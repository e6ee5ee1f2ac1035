//! Every figure on a line with its limit, and the verdict on all of them.

use std::time::Duration;

use crate::domain::num::Rate;
use crate::domain::time::show_span;
use crate::render::grid::{Align, Grid};
use crate::render::paint::Tone;
use crate::render::remarks::Remark;
use crate::render::text::{clean, count, fixed, money};
use crate::report::check::{Bound, Check, Figure, Status};
use crate::report::risk::RiskReport;

const HOUR_S: u64 = 3600;
const DAY_S: u64 = 86_400;

/// `All 12 figures are within their limits.`, or what is not.
pub(crate) fn verdict(report: &RiskReport) -> (Tone, String) {
    let (breaches, warnings) = (report.count(Status::Breach), report.count(Status::Warn));
    if breaches + warnings == 0 {
        let text = format!("All {} are within their limits.", count(report.checks.len(), "figure"));
        return (Tone::Good, text);
    }
    let mut numbers = Vec::new();
    match breaches {
        0 => {}
        1 => numbers.push("1 breach".to_owned()),
        many => numbers.push(format!("{many} breaches")),
    }
    if warnings > 0 {
        numbers.push(count(warnings, "warning"));
    }
    let names: Vec<&str> = remarkable(report).into_iter().map(|check| label(check.name)).collect();
    let tone = if breaches > 0 { Tone::Alarm } else { Tone::Attention };
    (tone, format!("{}: {}.", numbers.join(", "), names.join(", ")))
}

/// What a halt found, before its consequence; empty where there is nothing to add.
pub(crate) fn halted_with(report: &RiskReport) -> &'static str {
    if report.flat { "the account is flat; " } else { "POSITIONS ARE LEFT, run `rebal flatten`; " }
}

/// The halt that was lifted, as a sentence.
pub(crate) fn resumed(report: &RiskReport) -> Option<String> {
    let resumed = report.resumed.as_ref()?;
    Some(format!(
        "Halt {} is lifted: the stop is measured from a NAV of {} now, no longer from {}.",
        clean(&resumed.halt_id),
        fixed(resumed.new_peak, 4),
        fixed(resumed.old_peak, 4)
    ))
}

/// The figures' table, from the richest to the barest. The first tells every detail in its row, the
/// others only whom it is about.
pub(crate) fn grids(report: &RiskReport) -> [Grid; 4] {
    [
        grid(report, 2, &|check| clean(&check.detail)),
        grid(report, 2, &|check| subject(check, &report.quote)),
        grid(report, 1, &|check| subject(check, &report.quote)),
        grid(report, 1, &|_| String::new()),
    ]
}

fn grid(report: &RiskReport, gap: u16, detail: &dyn Fn(&Check) -> String) -> Grid {
    let columns = [
        ("figure", Align::Left),
        ("value", Align::Right),
        ("limit", Align::Right),
        ("verdict", Align::Left),
        ("detail", Align::Left),
    ];
    let row = |check: &Check| {
        let cells = vec![
            label(check.name).to_owned(),
            shown(check.value),
            limit(check),
            verdict_word(check.status).to_owned(),
            detail(check),
        ];
        (tone(check.status), cells)
    };
    Grid {
        columns: columns.into_iter().map(|(head, align)| (head.to_owned(), align)).collect(),
        rows: report.checks.iter().map(row).collect(),
        gap,
    }
}

/// The details of what is not within its limit, breaches first.
pub(crate) fn details(report: &RiskReport) -> Vec<Remark> {
    let remark = |check: &Check| (tone(check.status), label(check.name).to_owned(), clean(&check.detail));
    remarkable(report).into_iter().map(remark).collect()
}

/// The account's totals.
pub(crate) fn totals(report: &RiskReport) -> Vec<Remark> {
    let row = |label: &str, text: String| (Tone::Plain, label.to_owned(), text);
    vec![
        row("equity", format!("{} {}", money(report.equity), report.quote)),
        row("NAV", format!("{}, highest {}", fixed(report.nav, 4), fixed(report.peak_nav, 4))),
    ]
}

/// Breaches, then warnings, each in the report's order.
fn remarkable(report: &RiskReport) -> Vec<&Check> {
    let of = |status| report.checks.iter().filter(move |check| check.status == status);
    of(Status::Breach).chain(of(Status::Warn)).collect()
}

fn subject(check: &Check, quote: &str) -> String {
    let subject = clean(check.subject.as_deref().unwrap_or_default());
    match subject.strip_suffix(quote) {
        Some(coin) if !coin.is_empty() => coin.to_owned(),
        _ => subject,
    }
}

fn tone(status: Status) -> Tone {
    match status {
        Status::Ok => Tone::Plain,
        Status::Warn => Tone::Attention,
        Status::Breach => Tone::Alarm,
    }
}

fn verdict_word(status: Status) -> &'static str {
    match status {
        Status::Breach => "BREACH",
        other => other.as_str(),
    }
}

fn limit(check: &Check) -> String {
    let limit = shown(check.limit);
    match (check.bound, check.limit) {
        (_, Figure::Word(_)) | (Bound::Is, _) => limit,
        (Bound::Max, _) => format!("≤ {limit}"),
        (Bound::Min, _) => format!("≥ {limit}"),
    }
}

/// A figure as people read it: `12.5 %`, `2.03x`, `45.2 bps`, `5m 12s`.
fn shown(figure: Figure) -> String {
    match figure {
        Figure::Share(rate) => format!("{} %", (rate * Rate::from(100)).rounded(2)),
        Figure::Multiple(rate) => format!("{}x", rate.rounded(2)),
        Figure::Bps(rate) => format!("{} bps", rate.rounded(1)),
        Figure::Number(rate) => rate.rounded(4).to_string(),
        Figure::Span(span) => show_span(coarse(span)),
        Figure::At(time) => time.to_string().chars().take(10).collect(),
        Figure::Count(_) | Figure::Flag(_) | Figure::Word(_) => figure.to_string(),
    }
}

/// Minutes of a span of hours, and hours of one of days, are all that matters.
fn coarse(span: Duration) -> Duration {
    let seconds = span.as_secs();
    let step = match seconds {
        DAY_S.. => HOUR_S,
        HOUR_S.. => 60,
        _ => 1,
    };
    Duration::from_secs(seconds - seconds % step)
}

/// A figure's name as people say it.
fn label(name: &'static str) -> &'static str {
    match name {
        "effective_leverage" => "effective leverage",
        "margin_ratio" => "margin ratio",
        "liquidation_distance" => "fall to liquidation",
        "coin_liquidation_distance" => "nearest liquidation",
        "coin_share" => "largest coin",
        "sector_share" => "largest sector",
        "spread_bps" => "widest spread",
        "mark_gap" => "widest mark gap",
        "unresolved_orders" => "unresolved orders",
        "exchange_stops_missing" => "stops missing",
        "last_pass_age_s" => "last good pass",
        "indicators" => "trading indicators",
        "indicator_ufr" => "unfilled ratio (UFR)",
        "indicator_ifer" => "expired ratio (IFER)",
        "indicator_gcr" => "cancelled ratio (GCR)",
        "indicator_dr" => "dust ratio (DR)",
        "indicator_tmv" => "violations (TMV)",
        "key" => "API key",
        "key_withdrawals" => "key: withdrawals",
        "key_universal_transfer" => "key: universal transfer",
        "key_internal_transfer" => "key: internal transfer",
        "key_margin" => "key: margin loans",
        "key_options" => "key: options",
        "key_futures" => "key: futures",
        "key_spot" => "key: spot",
        "key_ip_restriction" => "key: IP restriction",
        "key_expiry" => "key: expiry",
        other => other,
    }
}
