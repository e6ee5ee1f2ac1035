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
rebal funding · LIVE · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
Funding cost 2.24 USDT since 2026-11-19 08:00:03 UTC; before it the portfolio
earned 12.24 USDT.

coin          net  every   next rate  next at   per year  cost/year  next 24 h
──────────────────────────────────────────────────────────────────────────────
币安人生    -1.92    1 h   +0.0400 %  09:00    +350.40 %     700.80      -1.92
OLD       -0.3000         not listed
BTC       -0.0200    8 h   +0.0100 %  16:00     +10.95 %      10.95    -0.0300
WIF        0.0040    8 h   +0.0200 %  16:00     +21.90 %      -4.38     0.0120

  funding  paid 2.24, received 0.0040 USDT
  profit   +10.00 USDT after funding, equity 200.00 → 240.00, of which +30.00
           transfers
  ahead    costs 1.94 USDT in the next 24 h; costs 707.37 USDT a year at these
           rates and positions
  checked  31 settlements since 2026-11-19 08:01:03 UTC: all as rate × notional

  note  no longer listed at the exchange: OLDUSDT
",
    );
}

#[test]
fn dear_funding_at_120_columns() {
    check(
        &table_of(&dear_funding(), 120),
        "
rebal funding · LIVE · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
FUNDING EXCEEDS PROFIT: it took 2.24 USDT, and no profit is left.
CHARGED OTHERWISE THAN SETTLED: 1 of 31 settlements.
MISSING: 1 settlement of what was held has no row; that is not known, not zero.
Funding cost 2.24 USDT since 2026-11-19 08:00:03 UTC; before it the portfolio earned 1.24 USDT.

coin        paid  received      net  every   next rate  next at   per year   value  cost/year  next 24 h
────────────────────────────────────────────────────────────────────────────────────────────────────────
币安人生    1.92              -1.92    1 h   +0.0400 %  09:00    +350.40 %  200.00     700.80      -1.92
OLD       0.3000            -0.3000         not listed
BTC       0.0200            -0.0200    8 h   +0.0100 %  16:00     +10.95 %  100.00      10.95    -0.0300
WIF                 0.0040   0.0040    8 h   +0.0200 %  16:00     +21.90 %  -20.00      -4.38     0.0120

Charged otherwise than rate × notional
  BTCUSDT  2026-11-19 16:00:03 UTC: charged -0.012, expected -0.01: 2 held at a mark of 50 and a rate of 0.0001[2J

Missing
  WIFUSDT  2026-11-19 16:00:03 UTC: 0.004 was due: -40 held at a mark of 0.5 and a rate of 0.0002

  funding  paid 2.24, received 0.0040 USDT
  profit   -1.00 USDT after funding, equity 200.00 → 229.00, of which +30.00 transfers
  ahead    costs 1.94 USDT in the next 24 h; costs 707.37 USDT a year at these rates and positions
  checked  31 settlements since 2026-11-19 08:01:03 UTC: 2 wrong; 2 could not be checked
",
    );
}

#[test]
fn nothing_to_count_from() {
    check(
        &table_of(&no_funding(), 80),
        "
rebal funding · LIVE · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
Nothing to count from yet: no pass has read the account.

  funding  paid 0, received 0 USDT
  profit   +0.00 USDT after funding, equity 200.00 → 200.00
  ahead    brings 0 USDT in the next 24 h; brings 0 USDT a year at these rates
           and positions
  checked  no settlement compared
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
{
  \"annualised\": \"3.504\",
  \"annualised_cost\": \"700.8\",
  \"forecast_24h\": \"-1.92\",
  \"interval_hours\": 1,
  \"listed\": true,
  \"net\": \"-1.92\",
  \"next_rate\": \"0.0004\",
  \"next_time\": \"2026-11-20T09:00:00.000Z\",
  \"paid\": \"1.92\",
  \"qty\": \"1000\",
  \"received\": \"0\",
  \"symbol\": \"币安人生USDT\",
  \"value\": \"200\"
}",
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
at,from,symbol,paid,received,net,interval_hours,next_rate,next_time,annualised,qty,value,annualised_cost,forecast_24h,listed,wrong
2026-11-20T08:29:39.973Z,2026-11-19T08:00:03.120Z,币安人生USDT,1.92,0,-1.92,1,0.0004,2026-11-20T09:00:00.000Z,3.504,1000,200,700.8,-1.92,true,0
2026-11-20T08:29:39.973Z,2026-11-19T08:00:03.120Z,OLDUSDT,0.3,0,-0.3,,,,,0,0,,,false,0
2026-11-20T08:29:39.973Z,2026-11-19T08:00:03.120Z,BTCUSDT,0.02,0,-0.02,8,0.0001,2026-11-20T16:00:00.000Z,0.1095,2,100,10.95,-0.03,true,1
2026-11-20T08:29:39.973Z,2026-11-19T08:00:03.120Z,WIFUSDT,0,0.004,0.004,8,0.0002,2026-11-20T16:00:00.000Z,0.219,-40,-20,-4.38,0.012,true,1
",
    );
}

#[test]
fn markdown_tells_the_same() {
    check(
        &funding(&dear_funding(), Format::Markdown, &style(80)).unwrap(),
        "
## rebal funding: LIVE

binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC

Funding cost 2.24 USDT since 2026-11-19 08:00:03 UTC; before it the portfolio earned 1.24 USDT.

**FUNDING EXCEEDS PROFIT: it took 2.24 USDT, and no profit is left.**

**CHARGED OTHERWISE THAN SETTLED: 1 of 31 settlements.**

**MISSING: 1 settlement of what was held has no row; that is not known, not zero.**

| coin | paid | received | net | every | next rate | next at | per year | value | cost/year | next 24 h |
| --- | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |
| 币安人生 | 1.92 |  | -1.92 | 1 h | +0.0400 % | 09:00 | +350.40 % | 200.00 | 700.80 | -1.92 |
| OLD | 0.3000 |  | -0.3000 |  | not listed |  |  |  |  |  |
| BTC | 0.0200 |  | -0.0200 | 8 h | +0.0100 % | 16:00 | +10.95 % | 100.00 | 10.95 | -0.0300 |
| WIF |  | 0.0040 | 0.0040 | 8 h | +0.0200 % | 16:00 | +21.90 % | -20.00 | -4.38 | 0.0120 |

### Charged otherwise than rate × notional

- **BTCUSDT**: 2026-11-19 16:00:03 UTC: charged -0.012, expected -0.01: 2 held at a mark of 50 and a rate of 0.0001\\[2J

### Missing

- **WIFUSDT**: 2026-11-19 16:00:03 UTC: 0.004 was due: -40 held at a mark of 0.5 and a rate of 0.0002

### Account

- **funding**: paid 2.24, received 0.0040 USDT
- **profit**: -1.00 USDT after funding, equity 200.00 → 229.00, of which +30.00 transfers
- **ahead**: costs 1.94 USDT in the next 24 h; costs 707.37 USDT a year at these rates and positions
- **checked**: 31 settlements since 2026-11-19 08:01:03 UTC: 2 wrong; 2 could not be checked
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
