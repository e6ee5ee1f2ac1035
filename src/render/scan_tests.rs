//! Scans in every format against expected text.

use serde_json::Value;

use super::*;
use crate::render::grid::width_of;
use crate::report::samples::{short_universe, universe};

fn style(width: u16) -> Style {
    Style { width, ..Style::default() }
}

/// Compares line by line, so that a failure shows the whole.
fn check(shown: &str, expected: &str) {
    let expected = expected.strip_prefix('\n').unwrap_or(expected);
    assert!(shown == expected, "\n{shown}");
}

fn table_of(report: &ScanReport, width: u16) -> String {
    scan(report, Format::Table, &style(width)).unwrap()
}

#[test]
fn a_universe_at_80_columns() {
    check(&table_of(&universe(), 80), "\n");
}

#[test]
fn a_universe_at_120_columns_with_all_that_is_left_out() {
    let report = ScanReport { show_rejected: true, ..universe() };
    check(&table_of(&report, 120), "\n");
}

#[test]
fn too_few_coins_from_an_old_list_at_80_columns() {
    check(&table_of(&short_universe(), 80), "\n");
}

#[test]
fn json_is_as_promised() {
    let shown = scan(&short_universe(), Format::Json, &style(80)).unwrap();
    assert_eq!(shown.lines().count(), 1);
    assert!(!shown.contains('\u{1b}'));
    let object: Value = serde_json::from_str(&shown).unwrap();
    check(&serde_json::to_string_pretty(&object["universe"][0]).unwrap(), "\n");
}

#[test]
fn csv_has_the_chosen_and_the_rejected() {
    check(&scan(&universe(), Format::Csv, &style(80)).unwrap(), "\n");
}

#[test]
fn markdown_tells_the_same() {
    check(&scan(&short_universe(), Format::Markdown, &style(80)).unwrap(), "\n");
}

#[test]
fn nothing_is_wider_than_the_terminal_and_ascii_is_ascii() {
    for report in [universe(), short_universe(), ScanReport { show_rejected: true, ..universe() }] {
        for width in [40, 60, 80, 100, 120, 160] {
            let shown = scan(&report, Format::Table, &Style { unicode: false, ..style(width) }).unwrap();
            for line in shown.lines() {
                assert!(width_of(line) <= width, "{} > {width}: {line:?}", width_of(line));
                assert!(line.replace("币安人生", "").is_ascii(), "{line:?}");
                assert!(!line.chars().any(text::steers), "{line:?}");
            }
        }
    }
}

#[test]
fn a_page_is_refused_before_anything_is_read() {
    assert!(scan_fits(Format::Html).is_err() && scan(&universe(), Format::Html, &style(80)).is_err());
    for format in [Format::Table, Format::Json, Format::Csv, Format::Markdown] {
        assert!(scan_fits(format).is_ok() && scan(&universe(), format, &style(80)).is_ok());
    }
}
