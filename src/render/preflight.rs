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
        // One text, so that no key is cut in two on a narrow terminal.
        let body = [&setting.key, " = ", &setting.value, " · ", &setting.origin].concat();
        (tone, String::new(), clean(&body))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{Format, Style, doctor, doctor_fits, sample};
    use crate::report::doctor::question::{CLOCK, HEARTBEAT, MAY_TRADE, POSITION_MODE};
    use crate::report::doctor::{Failure, Setting};

    fn report() -> DoctorReport {
        DoctorReport {
            schema: "rebal.doctor/1",
            heading: sample::heading("testnet"),
            checks: vec![
                CLOCK.warn("2 s off", "set it"),
                MAY_TRADE.ok("yes\u{1b}[31m\u{202e}"),
                POSITION_MODE.fail(Failure::Config, "hedge mode", "switch"),
                HEARTBEAT.unknown("not asked"),
            ],
            settings: Vec::new(),
            exit_code: 2,
        }
    }

    #[test]
    fn what_is_well_has_one_line_and_the_rest_says_what_to_do() {
        let shown = doctor(&report(), Format::Table, &Style { width: 80, ..Style::default() }).unwrap();
        let expected = "\
rebal doctor · TESTNET · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
1 failed, 1 warning, 1 not verifiable (?), 1 ok. Exit code 2.

Exchange
  warn clock          2 s off
                      needed: within 1 s of the exchange
                      do: set it

Account
  ok   may trade      yes[31m
  FAIL position mode  hedge mode
                      needed: one-way
                      do: switch

Messages
  ?    heartbeat      not asked
";
        assert!(shown == expected, "\n{shown}");
    }

    #[test]
    fn settings_stand_below_with_their_origin() {
        let setting =
            Setting { key: "risk.max_drawdown".into(), value: "0.3".into(), origin: "default".into() };
        let report = DoctorReport { settings: vec![setting], ..report() };
        let shown = doctor(&report, Format::Table, &Style::default()).unwrap();
        let end = "Every value and where it came from\n     risk.max_drawdown = 0.3 · default\n";
        assert!(shown.ends_with(end), "\n{shown}");
    }

    #[test]
    fn other_formats_have_a_row_per_check_and_no_page() {
        let of = |format| doctor(&report(), format, &Style::default()).unwrap();
        let csv = of(Format::Csv);
        assert_eq!(csv.lines().next(), Some("at,group,name,status,found,needed,fix"));
        let row = "2026-11-20T08:29:39.973Z,account,position_mode,fail,hedge mode,one-way,switch";
        assert!(csv.lines().any(|line| line == row), "\n{csv}");
        let row = "| Account | fail | position mode | hedge mode | one-way | switch |";
        let markdown = of(Format::Markdown);
        assert!(markdown.lines().any(|line| line == row), "\n{markdown}");
        let json: serde_json::Value = serde_json::from_str(&of(Format::Json)).unwrap();
        assert_eq!(json["checks"][3]["status"], "not_verifiable");
        assert_eq!((&json["mode"], &json["exit_code"]), (&"testnet".into(), &2.into()));
        assert!(doctor_fits(Format::Html).is_err());
    }
}
