//! Backtests and sweeps in every format: the verdict first, nothing wider than the terminal, pages well-formed.

use roxmltree::{Document, ParsingOptions};

use super::*;
use crate::domain::num::{Notional, Rate};
use crate::render::grid::width_of;
use crate::report::backtest::assumed::Maintenance;
use crate::report::backtest::samples::{runs, unbought};
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
    let maps = [true, true, false, true];
    for (report, map) in sweeps().iter().zip(maps) {
        let page = sweep(report, Format::Html, &Style::default());
        let document = parsed(&page);
        assert!(!document.descendants().any(|node| node.has_tag_name("script")));
        assert_eq!(page.contains("Heat map"), map);
        assert!(page.contains("heat map") != map, "drawn, or it says why not");
        assert!(page.contains("partly luck") && page.contains("The best settings"));
        assert_eq!(page.contains("order kept"), report.walk_forward.is_some());
    }
    let page = sweep(&sweeps()[0], Format::Html, &Style::default());
    for word in ["stopped", "resumed", "liquidated", "refused", "★ best"] {
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

/// Holding cannot lose more than there is, and a floor that nobody sees would pass for a figure.
#[test]
fn what_is_not_counted_of_holding_is_said() {
    let mut report = runs()[1].clone();
    let tables = |report: &_| {
        let style = Style { width: 400, ..Style::default() };
        [Format::Table, Format::Markdown, Format::Html].map(|format| backtest(report, format, &style))
    };
    assert!(tables(&report).iter().all(|text| !text.contains("no more is counted")));
    report.hold_twin_profit = Some(-report.start_equity);
    report.hold_twin_uncounted_loss = Notional::new(14_397, 2);
    for text in tables(&report) {
        assert!(text.contains("no more is counted: by the prices at the end it is -343.97"), "{text}");
    }
}

/// A coin without a bar can be sold all the same, by the hard stop alone.
#[test]
fn sales_at_bars_that_are_not_there_are_said() {
    let mut report = runs()[1].clone();
    report.ground.sales_without_bar = 5;
    let style = Style { width: 400, ..Style::default() };
    let shown = backtest(&report, Format::Table, &style);
    assert!(shown.contains("nothing was traded there but 5 sales by the hard stop"), "{shown}");
}

/// Nothing is left out without a word: coins that were never bought have their reason in every format.
#[test]
fn what_was_not_bought_is_explained_in_every_format() {
    let [all, one] = unbought();
    let style = Style { width: 200, ..Style::default() };
    let table = backtest(&all, Format::Table, &style);
    assert!(
        table.contains("; nothing was bought: target too small.") && table.contains("never bought"),
        "{table}"
    );
    for format in [Format::Table, Format::Markdown, Format::Html] {
        let shown = backtest(&one, format, &style);
        assert!(
            shown.contains("SOL: target too small at 16 of 16 decisions looked at again; its smallest"),
            "{shown}"
        );
    }
    let csv = backtest(&one, Format::Csv, &style);
    assert!(
        csv.lines()
            .any(|row| row.contains("SOLUSDT") && row.contains(",USDT,infeasible,\"its smallest order")),
        "{csv}"
    );
    let json: serde_json::Value = serde_json::from_str(&backtest(&one, Format::Json, &style)).unwrap();
    let coins = json["per_coin"].as_array().unwrap();
    let refused = &coins.iter().find(|coin| coin["symbol"] == "SOLUSDT").unwrap()["refused"];
    assert_eq!((&refused["reason"], &refused["times"]), (&"infeasible".into(), &16.into()));
    let fell = |coin: &&serde_json::Value| coin["refused"]["reason"] == "below_min_notional";
    assert_eq!(coins.iter().filter(fell).count(), 2, "bought, and refused more when they fell a little");
}

#[test]
fn the_assumed_rates_of_maintenance_stand_with_the_rules() {
    let rate = |hundredths| Rate::new(hundredths, 2);
    let tiers = Maintenance {
        first_lowest: rate(1),
        first_highest: rate(1),
        first_up_to: Notional::from(5000),
        last: rate(50),
        source: "assumed".into(),
    };
    let expected = "steps and smallest orders: a.json; maintenance margin: 1 % of a position up to 5000.00, more \
                    beyond, 50 % at most, assumed: no listing has the exchange's own";
    assert_eq!(trial::rules("a.json", Some(&tiers)), expected);
    assert_eq!(trial::rules("a.json", None), "steps and smallest orders: a.json");
    let mut swept = sweeps()[0].clone();
    swept.ground.maintenance = Some(tiers);
    let style = Style { width: 400, ..Style::default() };
    assert!(sweep(&swept, Format::Table, &style).contains("maintenance margin: 1 % of a position"));
}

/// Every stop counts: one that trading went on after did not end the run, and a gain is no rest of anything.
#[test]
fn stops_are_told_as_what_they_were() {
    let style = Style { width: 400, ..Style::default() };
    let mut stopped = runs()[1].clone();
    let (first, last) = (stopped.from, stopped.to);
    stopped.final_equity = Notional::from(212);
    stopped.growth = Some(Rate::new(6, 2));
    let shown = backtest(&stopped, Format::Table, &style);
    assert!(shown.contains("and everything was sold; 200.00 USDT became 212.00 (+6 %)."), "{shown}");
    (stopped.stops, stopped.all_stops) = (2, vec![first, last]);
    let [from, to] = [first, last].map(crate::render::text::instant);
    let named = format!("sold everything 2 times: at {from}, {to}.");
    assert!(backtest(&stopped, Format::Html, &style).contains(&named));
    (stopped.stops, stopped.all_stops) = (9, [vec![first; 8], vec![last]].concat());
    let named = format!("sold everything 9 times, first at {from} and last at {to}.");
    assert!(backtest(&stopped, Format::Html, &style).contains(&named));
}

/// Quantities round, so that what holding would have earned may differ in the twentieth digit.
#[test]
fn a_difference_that_nobody_sees_is_none() {
    let style = Style { width: 400, ..Style::default() };
    let mut even = runs()[0].clone();
    for (effect, said) in [
        ("-0.00000000000000001", "; holding would have come to the same."),
        ("0.00004", "; holding would have come to the same."),
        ("-0.003", "; holding would have earned 0.0030 USDT more."),
        ("3", "; rebalancing earned 3.00 USDT more than holding."),
    ] {
        even.rebalancing_effect = Some(effect.parse().unwrap());
        assert!(backtest(&even, Format::Table, &style).contains(said), "{effect}");
    }
}

/// What a phone cuts off says that it goes on; a table that is whole there does not.
#[test]
fn a_table_wider_than_a_phone_says_so() {
    let page = backtest(&runs()[0], Format::Html, &Style::default());
    assert!(page.contains("<div class=\"scroll wide\" tabindex=\"0\" role=\"region\" aria-label=\"coin\">"));
    let maps = sweep(&sweeps()[3], Format::Html, &Style::default());
    assert!(
        maps.contains("<h3>effective_leverage = 1</h3>") && maps.contains("<h3>effective_leverage = 2</h3>"),
        "{maps}"
    );
    let map = "aria-label=\"effective_leverage = 2: threshold goes down (↓), size across (→)\"";
    assert!(maps.contains(&format!("<div class=\"scroll\" tabindex=\"0\" role=\"region\" {map}>")), "{maps}");
}

/// A legend is of the columns that are there: the widest table has the win rate, the narrowest only the profit.
#[test]
fn only_columns_that_are_shown_are_explained() {
    for (width, win_rate, slippage) in [(200, true, true), (100, true, false), (50, false, false)] {
        let style = Style { width, ..Style::default() };
        let shown = backtest(&runs()[0], Format::Table, &style);
        let said = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        let told = said.contains("after the sale's own fee; the purchase's fee is not in it");
        assert_eq!((told, said.contains("slippage: what it cost")), (win_rate, slippage), "{width}\n{shown}");
        assert!(said.contains("csv and json have every digit"), "{shown}");
    }
}
