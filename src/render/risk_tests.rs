//! Risk checks and flattens in every format against expected text.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::num::{Notional, Rate};
use crate::domain::order::Side;
use crate::domain::time::Time;
use crate::render::grid::width_of;
use crate::report::check::{Bound, Check, Figure, Status};
use crate::report::fees::tests::paid;
use crate::report::flatten::{Closed, Remaining};
use crate::report::risk::Resumed;
use crate::report::samples::{calm, troubled};

fn style(width: u16) -> Style {
    Style { width, ..Style::default() }
}

/// Compares line by line, so that a failure shows the line.
fn check(shown: &str, expected: &str) {
    let expected = expected.strip_prefix('\n').unwrap_or(expected);
    assert!(shown == expected, "\n{shown}");
}

fn halted(flat: bool) -> RiskReport {
    RiskReport { halted: true, halt_id: Some("h-17".into()), flat, exit_code: 6, ..calm() }
}

fn closed(name: &str, qty: &str, price: &str, pnl: i64) -> Closed {
    let (qty, price) = (qty.parse().unwrap(), price.parse().unwrap());
    Closed {
        symbol: sample::symbol(name),
        side: Side::Sell,
        qty,
        avg_price: Some(price),
        realized_pnl: Notional::new(pnl, 2),
        fees: sample::in_usdt(name, qty * price * Rate::new(5, 4)),
    }
}

fn flat() -> FlattenReport {
    let rows = vec![
        closed("1000PEPEUSDT", "2541", "0.0078271", -41),
        closed("BTCUSDT", "0.0003", "60120.123456", 125),
        closed("币安人生USDT", "12", "1.62", 0),
    ];
    FlattenReport {
        cancelled: 1,
        rounds: 2,
        ..FlattenReport::new(sample::heading("live"), "USDT", rows, vec![])
    }
}

fn not_flat() -> FlattenReport {
    let left = |name: &str, qty: &str, reason: &str| Remaining {
        symbol: sample::symbol(name),
        qty: qty.parse().unwrap(),
        reason: reason.into(),
    };
    let remaining = vec![
        left("WIFUSDT", "12.5", "the exchange refused it: -4131 PERCENT_PRICE\u{1b}[2J filter"),
        left("OLDUSDT", "-3", "not open for trading"),
    ];
    let report = FlattenReport::new(sample::heading("live"), "USDT", flat().closed, remaining);
    FlattenReport { rounds: 5, notes: vec!["the deadline of 2m passed".into()], ..report }
}

#[test]
fn a_calm_account_at_80_columns() {
    check(
        &risk(&calm(), Format::Table, &style(80)).unwrap(),
        "
rebal risk · PAPER · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
All 11 figures are within their limits.

figure                 value     limit  verdict  detail
─────────────────────────────────────────────────────────
drawdown                 0 %    ≤ 30 %  ok
effective leverage        2x      ≤ 3x  ok
margin ratio             2 %    ≤ 80 %  ok
fall to liquidation  49.49 %    ≥ 20 %  ok
nearest liquidation     none    ≥ 20 %  ok
largest coin            10 %    ≤ 20 %  ok       币安人生
largest sector          20 %    ≤ 20 %  ok       MEME
widest spread          2 bps  ≤ 30 bps  ok       币安人生
widest mark gap          0 %     ≤ 3 %  ok       币安人生
unresolved orders          0       ≤ 0  ok
last good pass        5m 12s     ≤ 15m  ok

  equity  200.00 USDT
  NAV     1.0000, highest 1.0000
",
    );
}

#[test]
fn a_calm_account_at_120_columns() {
    check(
        &risk(&calm(), Format::Table, &style(120)).unwrap(),
        "
rebal risk · PAPER · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
All 11 figures are within their limits.

figure                 value     limit  verdict  detail
──────────────────────────────────────────────────────────────────────────────────────────────────────────
drawdown                 0 %    ≤ 30 %  ok       NAV 1.0000, peak 1.0000; the hard stop fires at the limit
effective leverage        2x      ≤ 3x  ok       positions of 400.00 on equity of 200.00
margin ratio             2 %    ≤ 80 %  ok       maintenance margin of 4.00; liquidated at 100 %
fall to liquidation  49.49 %    ≥ 20 %  ok       a move of all coins alike that would liquidate
nearest liquidation     none    ≥ 20 %  ok       no coin alone would liquidate
largest coin            10 %    ≤ 20 %  ok       币安人生USDT: 40.00; the limit is twice an equal share
largest sector          20 %    ≤ 20 %  ok       MEME: 2 coins worth 80.00
widest spread          2 bps  ≤ 30 bps  ok       币安人生USDT has the widest
widest mark gap          0 %     ≤ 3 %  ok       币安人生USDT has the widest
unresolved orders          0       ≤ 0  ok       the outcome of every order is known
last good pass        5m 12s     ≤ 15m  ok       at 2026-11-20T08:24:27.973Z

  equity  200.00 USDT
  NAV     1.0000, highest 1.0000
",
    );
}

#[test]
fn a_troubled_account_at_80_columns() {
    check(
        &risk(&troubled(), Format::Table, &style(80)).unwrap(),
        "
rebal risk · LIVE · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
2 breaches, 4 warnings: nearest liquidation, key: withdrawals, drawdown, widest
spread, expired ratio (IFER), key: expiry.

figure                        value         limit  verdict  detail
────────────────────────────────────────────────────────────────────
drawdown                    23.08 %        ≤ 30 %  warn
effective leverage               2x          ≤ 3x  ok
margin ratio                    2 %        ≤ 80 %  ok
fall to liquidation         49.49 %        ≥ 20 %  ok
nearest liquidation            15 %        ≥ 20 %  BREACH   1000PEPE
largest coin                   10 %        ≤ 20 %  ok       币安人生
largest sector                 20 %        ≤ 20 %  ok       MEME
widest spread              44.9 bps      ≤ 30 bps  warn     WIF
widest mark gap              0.21 %         ≤ 3 %  ok       WIF
unresolved orders                 0           ≤ 0  ok
last good pass               5m 12s         ≤ 15m  ok
unfilled ratio (UFR)            5 %      ≤ 99.5 %  ok       BTC
expired ratio (IFER)         98.1 %      ≤ 99.5 %  warn     1000PEPE
cancelled ratio (GCR)          none          none  ok
dust ratio (DR)                none          none  ok
key: withdrawals                yes            no  BREACH
key: universal transfer          no            no  ok
key: internal transfer           no            no  ok
key: margin loans                no            no  ok
key: options                     no            no  ok
key: futures                    yes           yes  ok
key: IP restriction             yes           yes  ok
key: expiry              2026-11-30  ≥ 2026-12-20  warn

Beyond or near a limit
  nearest liquidation   1000PEPEUSDT: mark 10, liquidated at 8.5
  key: withdrawals      whoever gets the key can empty the account: forbid it
  drawdown              NAV 1.0000, peak 1.3000; the hard stop fires at the
                        limit
  widest spread         WIFUSDT is not traded before it narrows
  expired ratio (IFER)  1000PEPEUSDT is near its lock: IOC orders that expired
  key: expiry           10 days are left

  equity  200.00 USDT
  NAV     1.0000, highest 1.3000
",
    );
}

#[test]
fn a_troubled_account_at_120_columns() {
    check(&risk(&troubled(), Format::Table, &style(120)).unwrap(), "
rebal risk · LIVE · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
2 breaches, 4 warnings: nearest liquidation, key: withdrawals, drawdown, widest spread, expired ratio (IFER), key:
expiry.

figure                        value         limit  verdict  detail
─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
drawdown                    23.08 %        ≤ 30 %  warn     NAV 1.0000, peak 1.3000; the hard stop fires at the limit
effective leverage               2x          ≤ 3x  ok       positions of 400.00 on equity of 200.00
margin ratio                    2 %        ≤ 80 %  ok       maintenance margin of 4.00; liquidated at 100 %
fall to liquidation         49.49 %        ≥ 20 %  ok       a move of all coins alike that would liquidate
nearest liquidation            15 %        ≥ 20 %  BREACH   1000PEPEUSDT: mark 10, liquidated at 8.5
largest coin                   10 %        ≤ 20 %  ok       币安人生USDT: 40.00; the limit is twice an equal share
largest sector                 20 %        ≤ 20 %  ok       MEME: 2 coins worth 80.00
widest spread              44.9 bps      ≤ 30 bps  warn     WIFUSDT is not traded before it narrows
widest mark gap              0.21 %         ≤ 3 %  ok       WIFUSDT has the widest
unresolved orders                 0           ≤ 0  ok       the outcome of every order is known
last good pass               5m 12s         ≤ 15m  ok       at 2026-11-20T08:24:27.973Z
unfilled ratio (UFR)            5 %      ≤ 99.5 %  ok       BTCUSDT: orders that never filled
expired ratio (IFER)         98.1 %      ≤ 99.5 %  warn     1000PEPEUSDT is near its lock: IOC orders that expired
cancelled ratio (GCR)          none          none  ok       none counted: resting orders that were cancelled
dust ratio (DR)                none          none  ok       none counted: orders too small to matter
key: withdrawals                yes            no  BREACH   whoever gets the key can empty the account: forbid it
key: universal transfer          no            no  ok
key: internal transfer           no            no  ok
key: margin loans                no            no  ok
key: options                     no            no  ok
key: futures                    yes           yes  ok
key: IP restriction             yes           yes  ok
key: expiry              2026-11-30  ≥ 2026-12-20  warn     10 days are left

  equity  200.00 USDT
  NAV     1.0000, highest 1.3000
");
}

#[test]
fn a_clean_flatten_at_80_columns() {
    check(
        &flatten(&flat(), Format::Table, &style(80)).unwrap(),
        "
rebal flatten · LIVE · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
Flat: 3 positions closed, 1 resting order cancelled, in 2 rounds.

coin      side     qty  avg price  worth     fee  profit
────────────────────────────────────────────────────────
1000PEPE  sell    2541  0.0078271  19.89  0.0099   -0.41
BTC       sell  0.0003  60120.123  18.04  0.0090   +1.25
币安人生  sell      12       1.62  19.44  0.0097   +0.00

  profit  +0.84 USDT realised, without fees
  fees    0.0287 USDT
",
    );
}

#[test]
fn a_flatten_that_left_positions_at_80_columns() {
    check(
        &flatten(&not_flat(), Format::Table, &style(80)).unwrap(),
        "
NOT FLAT: 2 positions remain; run `rebal flatten` again or close them by hand.

rebal flatten · LIVE · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
Not flat: 3 positions closed, in 5 rounds, 2 left.

Still open
  WIF 12.5  the exchange refused it: -4131 PERCENT_PRICE[2J filter
  OLD -3    not open for trading

coin      side     qty  avg price  worth     fee  profit
────────────────────────────────────────────────────────
1000PEPE  sell    2541  0.0078271  19.89  0.0099   -0.41
BTC       sell  0.0003  60120.123  18.04  0.0090   +1.25
币安人生  sell      12       1.62  19.44  0.0097   +0.00

  profit  +0.84 USDT realised, without fees
  fees    0.0287 USDT

  note  the deadline of 2m passed
",
    );
}

#[test]
fn a_troubled_account_as_csv() {
    check(&risk(&troubled(), Format::Csv, &style(80)).unwrap(), "
at,name,status,value,bound,limit,subject,detail
2026-11-20T08:29:39.973Z,drawdown,warn,0.23076923,max,0.3,,\"NAV 1.0000, peak 1.3000; the hard stop fires at the limit\"
2026-11-20T08:29:39.973Z,effective_leverage,ok,2,max,3,,positions of 400.00 on equity of 200.00
2026-11-20T08:29:39.973Z,margin_ratio,ok,0.02,max,0.8,,maintenance margin of 4.00; liquidated at 100 %
2026-11-20T08:29:39.973Z,liquidation_distance,ok,0.49494949,min,0.2,,a move of all coins alike that would liquidate
2026-11-20T08:29:39.973Z,coin_liquidation_distance,breach,0.15,min,0.2,1000PEPEUSDT,\"1000PEPEUSDT: mark 10, liquidated at 8.5\"
2026-11-20T08:29:39.973Z,coin_share,ok,0.1,max,0.2,币安人生USDT,币安人生USDT: 40.00; the limit is twice an equal share
2026-11-20T08:29:39.973Z,sector_share,ok,0.2,max,0.2,MEME,MEME: 2 coins worth 80.00
2026-11-20T08:29:39.973Z,spread_bps,warn,44.90345757,max,30,WIFUSDT,WIFUSDT is not traded before it narrows
2026-11-20T08:29:39.973Z,mark_gap,ok,0.00214539,max,0.03,WIFUSDT,WIFUSDT has the widest
2026-11-20T08:29:39.973Z,unresolved_orders,ok,0,max,0,,the outcome of every order is known
2026-11-20T08:29:39.973Z,last_pass_age_s,ok,312,max,900,,at 2026-11-20T08:24:27.973Z
2026-11-20T08:29:39.973Z,indicator_ufr,ok,0.05,max,0.995,BTCUSDT,BTCUSDT: orders that never filled
2026-11-20T08:29:39.973Z,indicator_ifer,warn,0.981,max,0.995,1000PEPEUSDT,1000PEPEUSDT is near its lock: IOC orders that expired
2026-11-20T08:29:39.973Z,indicator_gcr,ok,none,max,none,,none counted: resting orders that were cancelled
2026-11-20T08:29:39.973Z,indicator_dr,ok,none,max,none,,none counted: orders too small to matter
2026-11-20T08:29:39.973Z,key_withdrawals,breach,yes,is,no,,whoever gets the key can empty the account: forbid it
2026-11-20T08:29:39.973Z,key_universal_transfer,ok,no,is,no,,
2026-11-20T08:29:39.973Z,key_internal_transfer,ok,no,is,no,,
2026-11-20T08:29:39.973Z,key_margin,ok,no,is,no,,
2026-11-20T08:29:39.973Z,key_options,ok,no,is,no,,
2026-11-20T08:29:39.973Z,key_futures,ok,yes,is,yes,,
2026-11-20T08:29:39.973Z,key_ip_restriction,ok,yes,is,yes,,
2026-11-20T08:29:39.973Z,key_expiry,warn,2026-11-30T08:29:39.973Z,min,2026-12-20T08:29:39.973Z,,10 days are left
");
}

#[test]
fn a_flatten_as_csv_tells_what_is_left_last() {
    check(
        &flatten(&not_flat(), Format::Csv, &style(80)).unwrap(),
        "
at,what,symbol,side,qty,avg_price,realized_pnl,fee,fee_asset,reason,other_fees
2026-11-20T08:29:39.973Z,closed,1000PEPEUSDT,SELL,2541,0.0078271,-0.41,0.00994433055,USDT,,
2026-11-20T08:29:39.973Z,closed,BTCUSDT,SELL,0.0003,60120.123456,1.25,0.0090180185184,USDT,,
2026-11-20T08:29:39.973Z,closed,币安人生USDT,SELL,12,1.62,0,0.00972,USDT,,
2026-11-20T08:29:39.973Z,remaining,WIFUSDT,,12.5,,,,,the exchange refused it: -4131 PERCENT_PRICE[2J filter,
2026-11-20T08:29:39.973Z,remaining,OLDUSDT,,-3,,,,,not open for trading,
",
    );
}

#[test]
fn a_calm_account_as_markdown() {
    let mut report = calm();
    report.checks.truncate(2);
    check(
        &risk(&report, Format::Markdown, &style(80)).unwrap(),
        "
## rebal risk: PAPER

binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC

All 2 figures are within their limits.

| figure | value | limit | verdict | detail |
| --- | ---: | ---: | --- | --- |
| drawdown | 0 % | ≤ 30 % | ok | NAV 1.0000, peak 1.0000; the hard stop fires at the limit |
| effective leverage | 2x | ≤ 3x | ok | positions of 400.00 on equity of 200.00 |

### Account

- **equity**: 200.00 USDT
- **NAV**: 1.0000, highest 1.0000
",
    );
}

#[test]
fn a_flatten_that_left_positions_as_markdown() {
    check(
        &flatten(&not_flat(), Format::Markdown, &style(80)).unwrap(),
        "
**NOT FLAT: 2 positions remain; run `rebal flatten` again or close them by hand.**

## rebal flatten: LIVE

binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC

Not flat: 3 positions closed, in 5 rounds, 2 left.

### Still open

- **WIF 12.5**: the exchange refused it: -4131 PERCENT\\_PRICE\\[2J filter
- **OLD -3**: not open for trading

| coin | side | qty | avg price | worth | fee | profit |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
| 1000PEPE | sell | 2541 | 0.0078271 | 19.89 | 0.0099 | -0.41 |
| BTC | sell | 0.0003 | 60120.123 | 18.04 | 0.0090 | +1.25 |
| 币安人生 | sell | 12 | 1.62 | 19.44 | 0.0097 | +0.00 |

### Account

- **profit**: +0.84 USDT realised, without fees
- **fees**: 0.0287 USDT

### Notes

- the deadline of 2m passed
",
    );
}

#[test]
fn a_halt_is_the_first_line_for_people() {
    for (flat, found) in
        [(true, "the account is flat; "), (false, "POSITIONS ARE LEFT, run `rebal flatten`; ")]
    {
        let rest = format!("{found}trading is refused until `rebal risk-check --resume` is run by hand.");
        let shown = risk(&halted(flat), Format::Table, &style(200)).unwrap();
        assert_eq!(shown.lines().next(), Some(format!("HALTED (halt h-17): {rest}").as_str()));
        let marked = risk(&halted(flat), Format::Markdown, &style(200)).unwrap();
        assert_eq!(marked.lines().next(), Some(format!("**HALTED (halt h-17)**: {rest}").as_str()));
    }
    let stopped = not_flat().under(Some("h-17".into()));
    for format in [Format::Table, Format::Markdown] {
        let shown = flatten(&stopped, format, &style(200)).unwrap();
        let first: Vec<&str> = shown.lines().filter(|line| !line.is_empty()).take(2).collect();
        assert!(
            first[0].contains("HALTED (halt h-17)") && first[1].contains("NOT FLAT: 2 positions remain"),
            "{shown}"
        );
    }
    let mut pass = sample::troubled_pass();
    pass.halt_id = Some("h-17".into());
    for format in [Format::Table, Format::Markdown] {
        let shown = super::pass(&pass, format, &style(200)).unwrap();
        assert!(shown.lines().next().unwrap().contains("HALTED (halt h-17)"), "{shown}");
    }
}

#[test]
fn how_many_are_left_and_closed_is_said_in_words_that_agree() {
    let mut report = not_flat();
    report.remaining.truncate(1);
    let shown = flatten(&report, Format::Table, &style(120)).unwrap();
    assert!(shown.starts_with("NOT FLAT: 1 position remains; run"), "{shown}");
    let nothing = FlattenReport::new(sample::heading("live"), "USDT", vec![], vec![]);
    let shown = flatten(&nothing, Format::Table, &style(120)).unwrap();
    assert_eq!(shown.lines().nth(1), Some("Flat: nothing to close."));
    let unseen = FlattenReport { flat: false, ..nothing.clone() };
    let shown = flatten(&unseen, Format::Table, &style(120)).unwrap();
    assert!(shown.starts_with("NOT FLAT: nobody could see what remains; run"), "{shown}");
    assert!(shown.contains("Not flat: nothing was closed, what is left is not known."), "{shown}");
    let named = FlattenReport { symbols: vec!["ADAUSDT".parse().unwrap()], others: 5, ..nothing };
    let shown = flatten(&named, Format::Table, &style(120)).unwrap();
    assert_eq!(
        shown.lines().nth(1),
        Some("Closed what was named (1 contract): nothing to close. 5 other positions stay open.")
    );
}

#[test]
fn a_lifted_halt_is_told_with_both_peaks() {
    let resumed = Resumed { halt_id: "h-17".into(), old_peak: Rate::new(13, 1), new_peak: Rate::ONE };
    let report = RiskReport { resumed: Some(resumed), ..calm() };
    let shown = risk(&report, Format::Table, &style(120)).unwrap();
    let sentence =
        "Halt h-17 is lifted: the stop is measured from a NAV of 1.0000 now, no longer from 1.3000.";
    assert_eq!(shown.lines().nth(1), Some(sentence));
    let value: Value = serde_json::from_str(&risk(&report, Format::Json, &style(80)).unwrap()).unwrap();
    assert_eq!(keys(&value["resumed"]), words("halt_id old_peak new_peak"));
    assert_eq!(value["resumed"]["new_peak"], "1");
}

#[test]
fn verdicts_have_their_colours() {
    let coloured = Style { color: true, ..style(120) };
    let shown = risk(&troubled(), Format::Table, &coloured).unwrap();
    let line = |start: &str| shown.lines().find(|line| line.contains(start)).unwrap().to_owned();
    assert!(line("2 breaches").starts_with("\u{1b}[1;31m"));
    assert!(line("BREACH").starts_with("\u{1b}[1;31m"));
    assert!(line("drawdown    ").starts_with("\u{1b}[33m"));
    assert!(line("margin ratio").starts_with("margin"));
    let shown = flatten(&not_flat(), Format::Table, &coloured).unwrap();
    assert!(shown.starts_with("\u{1b}[1;31mNOT FLAT"));
    let ascii = Style { unicode: false, ..style(80) };
    let shown = risk(&troubled(), Format::Table, &ascii).unwrap();
    assert!(shown.replace("币安人生", "").is_ascii(), "{shown}");
    assert!(shown.contains("< 30 %") && shown.contains("> 20 %"));
}

#[test]
fn a_page_is_refused_before_anything_is_done() {
    assert_eq!(
        risk_fits(Format::Html).unwrap_err().to_string(),
        "a risk check does not come as html; it comes as table, json, csv or markdown"
    );
    assert_eq!(flatten_fits(Format::Html).unwrap_err().what, "a flatten");
    for format in Format::ALL.into_iter().filter(|format| *format != Format::Html) {
        assert!(risk_fits(format).is_ok() && risk(&calm(), format, &style(80)).is_ok());
        assert!(flatten_fits(format).is_ok() && flatten(&flat(), format, &style(80)).is_ok());
    }
    assert!(risk(&calm(), Format::Html, &style(80)).is_err());
    assert!(flatten(&flat(), Format::Html, &style(80)).is_err());
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

const HEADING: &str = "schema at profile mode venue quote";

#[test]
fn a_risk_check_has_the_keys_of_the_contract() {
    let text = risk(&troubled(), Format::Json, &style(80)).unwrap();
    assert_eq!(text.lines().count(), 1);
    let value: Value = serde_json::from_str(&text).unwrap();
    let figures = "equity nav peak_nav drawdown max_drawdown effective_leverage margin_ratio halted flat";
    assert_eq!(keys(&value), words(&format!("{HEADING} {figures} checks notes exit_code")));
    let check = "name status value bound limit detail";
    assert_eq!(keys(&value["checks"][0]), words(check));
    assert_eq!(keys(&value["checks"][4]), words(&format!("{check} subject")));
    assert_eq!(value["schema"], "rebal.risk/1");
    assert_eq!(value["at"], "2026-11-20T08:29:39.973Z");
    assert_eq!((&value["drawdown"], &value["max_drawdown"]), (&"0.23076923".into(), &"0.3".into()));
    assert_eq!((&value["halted"], &value["exit_code"]), (&false.into(), &5.into()));
    assert_eq!(value["checks"][4]["status"], "breach");
    assert_eq!(value["checks"][4]["value"], "0.15");
    assert_eq!(value["checks"][4]["bound"], "min");
    assert_eq!(value["checks"][10]["value"], "312");
    let value: Value = serde_json::from_str(&risk(&halted(true), Format::Json, &style(80)).unwrap()).unwrap();
    assert_eq!((&value["halted"], &value["halt_id"]), (&true.into(), &"h-17".into()));
}

#[test]
fn a_flatten_has_the_keys_of_the_contract() {
    let text = flatten(&not_flat(), Format::Json, &style(80)).unwrap();
    assert_eq!(text.lines().count(), 1);
    let value: Value = serde_json::from_str(&text).unwrap();
    let rest = "symbols others flat closed remaining cancelled rounds halted notes exit_code";
    assert_eq!(keys(&value), words(&format!("{HEADING} {rest}")));
    assert_eq!(keys(&value["closed"][0]), words("symbol side qty avg_price realized_pnl fee fee_asset"));
    assert_eq!(keys(&value["remaining"][0]), words("symbol qty reason"));
    assert_eq!(value["schema"], "rebal.flatten/1");
    assert_eq!((&value["exit_code"], &value["rounds"]), (&8.into(), &5.into()));
    assert_eq!(value["remaining"][1]["qty"], "-3");
    assert_eq!(value["closed"][1]["avg_price"], "60120.123456");
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,80}", "\\PC{0,40}", "[=+@-][ -~]{0,20}", any::<String>()]
}

fn any_figure() -> impl Strategy<Value = Figure> {
    let rate = || (any::<i32>(), 0u32..9).prop_map(|(mantissa, scale)| Rate::new(mantissa.into(), scale));
    prop_oneof![
        rate().prop_map(Figure::Share),
        rate().prop_map(Figure::Multiple),
        rate().prop_map(Figure::Bps),
        rate().prop_map(Figure::Number),
        any::<u32>().prop_map(|count| Figure::Count(count as usize)),
        any::<u32>().prop_map(|seconds| Figure::Span(Duration::from_secs(seconds.into()))),
        any::<i64>().prop_map(|ms| Figure::At(Time::clamped(ms))),
        any::<bool>().prop_map(Figure::Flag),
        Just(Figure::Word("not verifiable")),
    ]
}

fn any_check() -> impl Strategy<Value = Check> {
    let status = prop_oneof![Just(Status::Ok), Just(Status::Warn), Just(Status::Breach)];
    let bound = prop_oneof![Just(Bound::Max), Just(Bound::Min), Just(Bound::Is)];
    let names = prop_oneof![Just("key_universal_transfer"), Just("spread_bps"), Just("a_name_of_tomorrow")];
    let words = (prop::option::of(any_text()), any_text());
    (names, status, any_figure(), bound, any_figure(), words).prop_map(
        |(name, status, value, bound, limit, (subject, detail))| Check {
            name,
            status,
            value,
            bound,
            limit,
            subject,
            detail,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_cell_is_a_formula(
        checks in prop::collection::vec(any_check(), 0..8), text in any_text(), width in 60u16..160, unicode: bool,
    ) {
        let report = RiskReport { checks, notes: vec![text.clone()], halt_id: Some(text.clone()), ..calm() };
        let mut left = not_flat();
        left.remaining[0].reason.clone_from(&text);
        left.closed[0].fees = paid("AUSDT", &[("1", "0.1", &text), ("1", "0.1", "BNB"), ("1", "0.1", "A")]);
        left.notes.push(text);
        let style = Style { width, color: false, unicode };
        let shown = risk(&report, Format::Table, &style).unwrap() + &flatten(&left, Format::Table, &style).unwrap();
        for line in shown.lines() {
            prop_assert!(width_of(line) <= width, "{} > {width}: {line:?}", width_of(line));
            prop_assert!(!line.chars().any(text::steers), "{line:?}");
        }
        let object: Value = serde_json::from_str(&json::object(&report)).unwrap();
        prop_assert_eq!(object["checks"].as_array().unwrap().len(), report.checks.len());
        for shown in [csv::risk(&report), csv::flatten(&left)] {
            let mut reader = ::csv::Reader::from_reader(shown.as_bytes());
            for row in reader.records() {
                for cell in &row.unwrap() {
                    let formula = cell.trim_start().starts_with(['=', '+', '-', '@']);
                    prop_assert!(!formula || cell.parse::<Notional>().is_ok(), "{cell:?}");
                }
            }
        }
    }
}
