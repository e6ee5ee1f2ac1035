//! Funding reports in every format against expected text.

use serde_json::Value;

use super::*;
use crate::render::grid::width_of;
use crate::report::samples::{dear_funding, no_funding, paid_funding};

fn style(width: u16) -> Style {
    Style { width, ..Style::default() }
}

/// Compares line by line, so that a failure shows the whole.
fn check(shown: &str, expected: &str) {
    let expected = expected.strip_prefix('\n').unwrap_or(expected);
    assert!(shown == expected, "\n{shown}");
}

fn table_of(report: &FundingReport, width: u16) -> String {
    funding(report, Format::Table, &style(width)).unwrap()
}

#[test]
fn funding_at_80_columns() {
    check(
        &table_of(&paid_funding(), 80),
        "
",
    );
}

#[test]
fn dear_funding_at_120_columns() {
    check(
        &table_of(&dear_funding(), 120),
        "
",
    );
}

#[test]
fn nothing_to_count_from() {
    check(
        &table_of(&no_funding(), 80),
        "
",
    );
}

/// By hand: 30 of 40 came from outside, so 10 are profit; funding was −0.02 − 1.92 + 0.004 − 0.3, so
/// 12.236 were earned before it. BTC: 100 × 0.0001 × (16:00, 00:00, 08:00) = 0.03 in a day, × 365 × 3 =
/// 10.95 a year. 币安人生: 200 × 0.0004 × 24 = 1.92 a day. WIF: a short of 20 receives 0.004 three times.
#[test]
fn json_is_as_promised() {
    let shown = funding(&paid_funding(), Format::Json, &style(80)).unwrap();
    assert_eq!(shown.lines().count(), 1);
    let object: Value = serde_json::from_str(&shown).unwrap();
    let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys.join(" "),
        "alerts annualised_cost at compared compared_from differences equity_end equity_start forecast_24h from \
         funding_exceeds_profit missing mode not_comparable notes paid per_coin profile profit \
         profit_before_funding quote received schema to total transfers venue"
    );
    for (key, value) in [
        ("schema", "rebal.funding/1"),
        ("from", "2026-11-19T08:00:03.120Z"),
        ("to", "2026-11-20T08:29:39.973Z"),
        ("total", "-2.236"),
        ("paid", "2.24"),
        ("received", "0.004"),
        ("transfers", "30"),
        ("profit", "10"),
        ("profit_before_funding", "12.236"),
        ("forecast_24h", "-1.938"),
        ("annualised_cost", "707.37"),
    ] {
        assert_eq!(object[key], value, "{key}");
    }
    assert_eq!(object["funding_exceeds_profit"], false);
    assert_eq!(object["alerts"], serde_json::json!([]));
    check(
        &serde_json::to_string_pretty(&object["per_coin"][0]).unwrap(),
        "
",
    );
    let dear: Value =
        serde_json::from_str(&funding(&dear_funding(), Format::Json, &style(80)).unwrap()).unwrap();
    assert_eq!(
        dear["alerts"],
        serde_json::json!(["funding_exceeds_profit", "funding_differs", "funding_missing"])
    );
    assert_eq!(dear["profit_before_funding"], "1.236");
    assert_eq!(dear["differences"][0]["charged"], "-0.012");
    assert_eq!(dear["missing"][0]["expected"], "0.004");
}

#[test]
fn csv_has_one_row_per_coin() {
    check(
        &funding(&dear_funding(), Format::Csv, &style(80)).unwrap(),
        "
",
    );
}

#[test]
fn markdown_tells_the_same() {
    check(
        &funding(&dear_funding(), Format::Markdown, &style(80)).unwrap(),
        "
",
    );
}

#[test]
fn nothing_is_wider_than_the_terminal_and_nothing_steers_it() {
    for report in [paid_funding(), dear_funding(), no_funding()] {
        for width in [40, 60, 80, 100, 120, 160] {
            let shown = funding(&report, Format::Table, &Style { unicode: false, ..style(width) }).unwrap();
            for line in shown.lines() {
                assert!(width_of(line) <= width, "{} > {width}: {line:?}", width_of(line));
                assert!(!line.chars().any(text::steers), "{line:?}");
            }
        }
    }
}

#[test]
fn a_page_is_refused_before_anything_is_read() {
    assert!(funding_fits(Format::Html).is_err());
    assert!(funding(&paid_funding(), Format::Html, &style(80)).is_err());
    for format in [Format::Table, Format::Json, Format::Csv, Format::Markdown] {
        assert!(funding_fits(format).is_ok() && funding(&paid_funding(), format, &style(80)).is_ok());
    }
}
