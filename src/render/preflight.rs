//! The doctor's rows in words: one line where all is well, what is needed and what to do where not.

use crate::render::grid::{Align, Grid, width_of};
use crate::render::paint::Tone;
use crate::render::remarks::Remark;
use crate::render::text::{clean, count};
use crate::report::doctor::{DoctorReport, Group, Row, Status};

/// How much failed, and with what the process ends.
pub(crate) fn verdict(report: &DoctorReport) -> (Tone, String) {
    let of = |status| report.count(status);
    let (failed, warnings, unknown) = (of(Status::Fail), of(Status::Warn), of(Status::NotVerifiable));
    let mut parts = Vec::new();
    if failed > 0 {
        parts.push(format!("{failed} failed"));
    }
    if warnings > 0 {
        parts.push(count(warnings, "warning"));
    }
    if unknown > 0 {
        parts.push(format!("{unknown} not verifiable (?)"));
    }
    parts.push(format!("{} ok", of(Status::Ok)));
    let tone = match (failed, warnings + unknown) {
        (0, 0) => Tone::Good,
        (0, _) => Tone::Attention,
        _ => Tone::Alarm,
    };
    (tone, format!("{}. Exit code {}.", parts.join(", "), report.exit_code))
}

/// Every row under the title of its group.
pub(crate) fn groups(report: &DoctorReport) -> Vec<(&'static str, Vec<Remark>)> {
    let names = report.checks.iter().map(|row| width_of(&label(row.name)));
    // One column for all groups: the eye runs down the marks.
    let width = usize::from(names.max().unwrap_or_default());
    let mut groups: Vec<(&'static str, Vec<Remark>)> = Vec::new();
    for row in &report.checks {
        let remark =
            (tone(row.status), format!("{:<4} {:<width$}", mark(row.status), label(row.name)), body(row));
        match groups.last_mut() {
            Some((last, remarks)) if *last == title(row.group) => remarks.push(remark),
            _ => groups.push((title(row.group), vec![remark])),
        }
    }
    groups
}

/// Every row in columns.
pub(crate) fn grid(report: &DoctorReport) -> Grid {
    let cells = |row: &Row| {
        let cells = [title(row.group), word(row.status), &label(row.name), &row.found, &row.needed, &row.fix];
        (tone(row.status), cells.map(clean).to_vec())
    };
    let heads = ["about", "status", "check", "found", "needed", "what to do"];
    Grid {
        columns: heads.map(|head| (head.to_owned(), Align::Left)).to_vec(),
        rows: report.checks.iter().map(cells).collect(),
        gap: 2,
    }
}

/// `key = value` with where it came from.
pub(crate) fn settings(report: &DoctorReport) -> Vec<Remark> {
    let remark = |setting: &crate::report::doctor::Setting| {
        let tone = if setting.origin == "default" { Tone::Faint } else { Tone::Plain };
        let body = format!("{} · {}", clean(&setting.value), clean(&setting.origin));
        (tone, clean(&setting.key), body)
    };
    report.settings.iter().map(remark).collect()
}

fn body(row: &Row) -> String {
    let found = clean(&row.found);
    if matches!(row.status, Status::Ok | Status::NotVerifiable) {
        return found;
    }
    let mut lines = vec![found, format!("needed: {}", clean(&row.needed))];
    if !row.fix.is_empty() {
        lines.push(format!("do: {}", clean(&row.fix)));
    }
    lines.join("\n")
}

/// `position_mode` as a person writes it.
fn label(name: &str) -> String {
    match name {
        "api_key" => "API key".to_owned(),
        "api_secret" => "API secret".to_owned(),
        "key_ip_restriction" => "key IP restriction".to_owned(),
        other => other.replace('_', " "),
    }
}

fn title(group: Group) -> &'static str {
    match group {
        Group::Configuration => "Configuration",
        Group::Secrets => "Secrets",
        Group::Exchange => "Exchange",
        Group::Key => "What the key may do",
        Group::Account => "Account",
        Group::Market => "Market",
        Group::State => "State",
        Group::Messages => "Messages",
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::NotVerifiable => "not verifiable",
        other => other.as_str(),
    }
}

fn mark(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Warn => "warn",
        Status::NotVerifiable => "?",
        Status::Fail => "FAIL",
    }
}

fn tone(status: Status) -> Tone {
    match status {
        Status::Ok => Tone::Plain,
        Status::Warn => Tone::Attention,
        Status::NotVerifiable => Tone::Faint,
        Status::Fail => Tone::Bad,
    }
}
