//! The coins of a scan, who is not among them, and where the ranking came from, in words and columns.

use std::time::Duration;

use crate::domain::num::show_large;
use crate::domain::time::show_span;
use crate::render::grid::{Align, Grid};
use crate::render::paint::Tone;
use crate::render::remarks::Remark;
use crate::render::text::{clean, coins, count, fixed, instant, percent};
use crate::report::scan::{ScanReport, Shortfall};

/// A ranking that is older than this is said to be so.
const FRESH_S: u64 = 120;

/// What was found, in one sentence.
pub(crate) fn verdict(report: &ScanReport) -> (Tone, String) {
    let from = format!("from the {} most traded", report.looked_at());
    let changes = match (report.added.len(), report.removed.len()) {
        (0, 0) => "no change".to_owned(),
        (added, removed) => format!("{added} in, {removed} out"),
    };
    let found = count(report.universe.len(), "coin");
    match &report.shortfall {
        None => (Tone::Good, format!("{found} {from}, {} rejected; {changes}.", report.refused())),
        Some(short) => {
            let of = format!("{} of {}", short.found, count(short.wanted, "coin"));
            (Tone::Attention, format!("{of} {from}: {}; {changes}.", limits(report, short)))
        }
    }
}

/// Which limits kept the universe small.
fn limits(report: &ScanReport, short: &Shortfall) -> String {
    let mut limits = Vec::new();
    if report.sectors.iter().any(|row| row.cap == 0) {
        limits.push("the sector cap is less than one coin".to_owned());
    } else if short.sector_full > 0 {
        limits.push(format!("sectors full ({} left out)", short.sector_full));
    }
    match short.unsafe_now {
        0 => {}
        one_or_more => limits.push(format!("{one_or_more} not safe now")),
    }
    if limits.is_empty() {
        limits.push("there are no more".to_owned());
    }
    limits.join(", ")
}

/// What must not be overlooked of the ranking: that it is another than wanted, or an old one.
pub(crate) fn cautions(report: &ScanReport) -> Vec<String> {
    let mut cautions = Vec::new();
    if let Some(why) = &report.fallback {
        cautions.push(format!(
            "RANKED BY {}, not by the source that is configured: {}.",
            report.source.to_uppercase(),
            clean(why)
        ));
    }
    if report.from_cache {
        cautions.push(format!(
            "AN OLDER RANKING: {} did not answer, its list of {} before is used.",
            report.source,
            age(report.source_age_s)
        ));
    }
    cautions
}

/// The chosen coins' table, from the richest to the barest.
pub(crate) fn chosen(report: &ScanReport) -> Vec<Grid> {
    let heads = [
        ("rank", Align::Right),
        ("coin", Align::Left),
        ("sector", Align::Left),
        ("volume 24 h", Align::Right),
        ("funding/y", Align::Right),
        ("every", Align::Right),
        ("spread", Align::Right),
        ("age", Align::Right),
        ("how", Align::Left),
        ("sector by", Align::Left),
    ];
    let maybe = |text: Option<String>| text.unwrap_or_default();
    let rows: Vec<Vec<String>> = report
        .universe
        .iter()
        .map(|coin| {
            vec![
                coin.rank.to_string(),
                coin.symbol.coin(&report.quote).to_owned(),
                coin.sector.to_string(),
                show_large(coin.quote_volume_24h),
                maybe(coin.funding_annualised.map(percent)),
                maybe(coin.interval_hours.map(|hours| format!("{hours} h"))),
                maybe(coin.spread_bps.map(|spread| format!("{} bps", fixed(spread, 1)))),
                maybe(coin.age_days.map(|days| format!("{days} d"))),
                coin.how.as_str().to_owned(),
                coin.sector_from.as_str().to_owned(),
            ]
        })
        .collect();
    let grid = |shown: &[usize], gap: u16| Grid {
        columns: shown
            .iter()
            .filter_map(|at| heads.get(*at))
            .map(|(head, align)| ((*head).to_owned(), *align))
            .collect(),
        rows: rows
            .iter()
            .map(|row| (Tone::Plain, shown.iter().filter_map(|at| row.get(*at)).cloned().collect()))
            .collect(),
        gap,
    };
    vec![
        grid(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 2),
        grid(&[0, 1, 2, 3, 4, 6, 7, 8], 2),
        grid(&[0, 1, 2, 3, 4, 6, 7, 8], 1),
        grid(&[0, 1, 2, 3, 4, 8], 1),
        grid(&[0, 1, 2, 8], 1),
    ]
}

/// The rejected contracts' table, for terminals wide enough for every detail.
pub(crate) fn rejected(report: &ScanReport) -> Grid {
    let columns = [
        ("rank", Align::Right),
        ("coin", Align::Left),
        ("sector", Align::Left),
        ("reason", Align::Left),
        ("detail", Align::Left),
    ];
    let rows = report.rejected.iter().map(|row| {
        let cells = vec![
            row.rank.map_or_else(String::new, |rank| rank.to_string()),
            row.symbol.coin(&report.quote).to_owned(),
            row.sector.to_string(),
            words(row.reason.as_str()),
            clean(&row.detail),
        ];
        (Tone::Plain, cells)
    });
    Grid {
        columns: columns.into_iter().map(|(head, align)| (head.to_owned(), align)).collect(),
        rows: rows.collect(),
        gap: 2,
    }
}

/// The same line by line, for narrower ones.
pub(crate) fn rejected_list(report: &ScanReport) -> Vec<Remark> {
    let rows = report.rejected.iter().map(|row| {
        let rank = row.rank.map_or_else(|| "-".to_owned(), |rank| rank.to_string());
        let label = format!("{rank:>3} {}", row.symbol.coin(&report.quote));
        let text = format!("{}: {}", words(row.reason.as_str()), clean(&row.detail));
        (Tone::Plain, label, text)
    });
    rows.collect()
}

/// Who comes and who goes.
pub(crate) fn changes(report: &ScanReport) -> Vec<Remark> {
    let mut remarks = Vec::new();
    if !report.added.is_empty() {
        remarks.push((Tone::Good, "+ in".to_owned(), coins(&report.added, &report.quote)));
    }
    for row in &report.removed {
        let coin = row.symbol.coin(&report.quote);
        let text = format!("{coin} ({}): {}", words(row.reason.as_str()), clean(&row.detail));
        remarks.push((Tone::Attention, "- out".to_owned(), text));
    }
    remarks
}

/// Sectors against their cap, the rest in numbers, the source, and whether it counts.
pub(crate) fn totals(report: &ScanReport) -> Vec<Remark> {
    let row = |label: &str, text: String| (Tone::Plain, label.to_owned(), text);
    let sectors: Vec<String> = report
        .sectors
        .iter()
        .filter(|row| row.count > 0)
        .map(|row| format!("{} {}/{}", row.sector, row.count, row.cap))
        .collect();
    let mut rows = Vec::new();
    if !sectors.is_empty() {
        rows.push(row("sectors", sectors.join(" · ")));
    }
    let reasons: Vec<String> = report
        .reasons()
        .iter()
        .map(|(reason, count)| format!("{} {count}", words(reason.as_str())))
        .collect();
    if !reasons.is_empty() {
        let hint = if report.show_rejected { "" } else { "; `--rejected` lists them" };
        rows.push(row("left out", format!("{}{hint}", reasons.join(" · "))));
    }
    let rest = [(report.beyond, "rank too low"), (report.unfit, "do not qualify at all")];
    let rest: Vec<String> = rest
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    if !rest.is_empty() {
        rows.push(row("the rest", rest.join(", ")));
    }
    if report.universe.iter().any(|coin| coin.funding_annualised.is_some()) {
        rows.push(row("funding", "mean of 7 days as a year's: + longs pay, - longs receive".to_owned()));
    }
    rows.push(row("source", source(report)));
    let applied = if report.applied {
        "yes, this is the universe now"
    } else {
        "no; `rebal scan --apply` makes it the universe"
    };
    rows.push(row("applied", applied.to_owned()));
    rows
}

fn source(report: &ScanReport) -> String {
    let when = if report.source_age_s > FRESH_S || report.from_cache {
        format!(", read {} ({} before)", instant(report.source_at), age(report.source_age_s))
    } else {
        String::new()
    };
    let fallback = if report.fallback.is_some() { ", as a fallback" } else { "" };
    format!("24 h volume by {}{fallback}{when}", report.source)
}

/// A stable code as words.
fn words(code: &str) -> String {
    match code {
        // Beside a count it would read as a figure of its own.
        "size" => "no place left".to_owned(),
        code => code.replace('_', " "),
    }
}

/// To the minute, from a minute on.
fn age(seconds: u64) -> String {
    let step = if seconds >= 60 { 60 } else { 1 };
    show_span(Duration::from_secs(seconds - seconds % step))
}
