//! Backtests and sweeps in every format: the verdict first, nothing wider than the terminal, pages well-formed.

use roxmltree::{Document, ParsingOptions};

use super::*;
use crate::domain::num::Notional;
use crate::render::grid::width_of;
use crate::report::backtest::samples::runs;
use crate::report::sweep::samples::sweeps;

fn parsed(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap()
}

#[test]
fn the_first_sentence_says_what_became_of_the_money() {
    let begins = [
        "200.00 USDT became ",
        "STOPPED after ",
        "LIQUIDATED after ",
        "200.00 USDT became ",
        "200.00 USDT became ",
    ];
    for (report, begin) in runs().iter().zip(begins) {
        for width in [80, 120] {
            let style = Style { width, ..Style::default() };
            let shown = backtest(report, Format::Table, &style);
            assert!(shown.lines().nth(1).unwrap().starts_with(begin), "{shown}");
            for line in shown.lines() {
                assert!(width_of(line) <= width, "{width}: {line}");
            }
            assert!(shown.contains("Survivorship") && shown.ends_with('\n'), "{shown}");
        }
        let markdown = backtest(report, Format::Markdown, &Style::default());
        assert!(markdown.contains(begin) && markdown.contains("Survivorship"), "{markdown}");
    }
}

#[test]
fn rows_for_spreadsheets_add_up_to_the_change_of_equity() {
    for report in runs() {
        let text = backtest(&report, Format::Csv, &Style::default());
        let mut rows = ::csv::Reader::from_reader(text.as_bytes());
        let at = rows.headers().unwrap().iter().position(|head| head == "net_profit").unwrap();
        let sum: Notional = rows.records().map(|row| row.unwrap()[at].parse::<Notional>().unwrap()).sum();
        assert_eq!(sum - report.liquidation_loss, report.net_profit);
    }
}

#[test]
fn pages_are_whole_and_bring_no_script() {
    for report in runs() {
        let page = backtest(&report, Format::Html, &Style::default());
        let document = parsed(&page);
        assert!(!document.descendants().any(|node| node.has_tag_name("script")));
        assert!(page.len() < 120_000, "{} bars make {} bytes", report.bars, page.len());
    }
    let maps = [true, true, false, false];
    for (report, map) in sweeps().iter().zip(maps) {
        let page = sweep(report, Format::Html, &Style::default());
        let document = parsed(&page);
        assert!(!document.descendants().any(|node| node.has_tag_name("script")));
        assert_eq!(page.contains("Heat map"), map);
        assert!(page.contains("partly luck") && page.contains("The best settings"));
        assert_eq!(page.contains("order kept"), report.walk_forward.is_some());
    }
    let page = sweep(&sweeps()[0], Format::Html, &Style::default());
    for word in ["stopped", "liquidated", "refused", "★ best"] {
        assert!(page.contains(&format!(">{word}<")), "{word} stands in its cell");
    }
}

/// What was paid is a loss in every table and chart, whatever sign files give it.
#[test]
fn funding_has_one_sign_wherever_a_person_reads_it() {
    let report = &runs()[0];
    assert!(report.funding.is_positive(), "longs pay");
    let paid = crate::render::text::fixed(report.funding, 2);
    let page = backtest(report, Format::Html, &Style::default());
    assert!(page.contains(&format!("funding {paid} paid,")) && !page.contains(&format!("+{paid}")), "{page}");
    let style = Style { width: 120, ..Style::default() };
    let table = backtest(report, Format::Table, &style);
    let bridge = table.lines().find(|line| line.starts_with("funding")).unwrap();
    assert!(bridge.contains('-') && bridge.ends_with(" paid"), "{bridge}");
    let mut received = report.clone();
    received.funding = -received.funding;
    assert!(
        backtest(&received, Format::Html, &Style::default()).contains(&format!("funding {paid} received,"))
    );
}
