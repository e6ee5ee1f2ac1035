//! Scans in every format against expected text.

use serde_json::Value;

use super::*;
use crate::render::grid::width_of;
use crate::report::samples::{old_universe, short_universe, universe};

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
    check(
        &table_of(&universe(), 80),
        "
rebal scan · PAPER · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
6 coins from the 10 most traded, 6 rejected; 1 in, 1 out.

rank  coin      sector   volume 24 h  funding/y   spread    age  how
─────────────────────────────────────────────────────────────────────────
   1  BTC       PAYMENT       14.4 B    +4.49 %  2.0 bps  400 d  kept
   2  ETH       L1/L2          9.9 B    -1.31 %  2.0 bps  400 d  kept
   3  SOL       L1/L2          3.1 B   +10.95 %  2.0 bps  400 d  kept
   5  1000PEPE  MEME         409.6 M   -14.78 %  2.0 bps  400 d  kept
   7  币安人生  OTHER        120.3 M    +8.54 %  2.0 bps  400 d  new
   8  AAVE      DEFI          60.0 M   +12.05 %  2.0 bps  400 d  included

  + in   币安人生
  - out  OLD (not trading): the exchange says SETTLING

  sectors   MEME 1/2 · L1/L2 2/2 · DEFI 1/2 · PAYMENT 1/2 · OTHER 1/2
  left out  not trading 1 · not perpetual 1 · thin volume 2 · funding 1 · sector
            cap 1; `--rejected` lists them
  funding   mean of 7 days as a year's: + longs pay, - longs receive
  source    24 h volume by tradingview
  applied   no; `rebal scan --apply` makes it the universe
",
    );
}

#[test]
fn a_universe_at_120_columns_with_all_that_is_left_out() {
    let report = ScanReport { show_rejected: true, ..universe() };
    check(
        &table_of(&report, 120),
        "
rebal scan · PAPER · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
6 coins from the 10 most traded, 6 rejected; 1 in, 1 out.

rank  coin      sector   volume 24 h  funding/y  every   spread    age  how       sector by
───────────────────────────────────────────────────────────────────────────────────────────
   1  BTC       PAYMENT       14.4 B    +4.49 %    8 h  2.0 bps  400 d  kept      table
   2  ETH       L1/L2          9.9 B    -1.31 %    8 h  2.0 bps  400 d  kept      table
   3  SOL       L1/L2          3.1 B   +10.95 %    8 h  2.0 bps  400 d  kept      table
   5  1000PEPE  MEME         409.6 M   -14.78 %    8 h  2.0 bps  400 d  kept      table
   7  币安人生  OTHER        120.3 M    +8.54 %    8 h  2.0 bps  400 d  new       unknown
   8  AAVE      DEFI          60.0 M   +12.05 %    4 h  2.0 bps  400 d  included  table

Left out
rank  coin   sector  reason         detail
─────────────────────────────────────────────────────────────────────────────────────
   4  ADA    L1/L2   sector cap     L1/L2 is full: 2 of 2
   6  SIREN  AI      funding        longs receive 167.97 % a year, the limit is 100 %
   9  FET    AI      thin volume    19.9 M traded in 24 h, the least is 20.0 M
  10  THIN   OTHER   thin volume    800.0 k traded in 24 h, the least is 20.0 M
      OLD    OTHER   not trading    the exchange says SETTLING
      XAU    RWA     not perpetual  a contract of type TRADIFI_PERPETUAL

  + in   币安人生
  - out  OLD (not trading): the exchange says SETTLING

  sectors   MEME 1/2 · L1/L2 2/2 · DEFI 1/2 · PAYMENT 1/2 · OTHER 1/2
  left out  not trading 1 · not perpetual 1 · thin volume 2 · funding 1 · sector cap 1
  funding   mean of 7 days as a year's: + longs pay, - longs receive
  source    24 h volume by tradingview
  applied   no; `rebal scan --apply` makes it the universe
",
    );
}

#[test]
fn too_few_coins_from_an_old_list_at_80_columns() {
    check(
        &table_of(&short_universe(), 80),
        "
rebal scan · PAPER · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
6 of 20 coins from the 10 most traded: sectors full (1 left out), 3 not safe
now; 6 in, 0 out.
RANKED BY EXCHANGE, not by the source that is configured: the screener answered
429 (too many requests)[2J.

rank  coin      sector   volume 24 h  funding/y   spread    age  how
─────────────────────────────────────────────────────────────────────────
   1  BTC       PAYMENT       14.4 B    +4.49 %  2.0 bps  400 d  new
   2  ETH       L1/L2          9.9 B    -1.31 %  2.0 bps  400 d  new
   3  SOL       L1/L2          3.1 B   +10.95 %  2.0 bps  400 d  new
   5  1000PEPE  MEME         409.6 M   -14.78 %  2.0 bps  400 d  new
   7  币安人生  OTHER        120.3 M    +8.54 %  2.0 bps  400 d  new
   8  AAVE      DEFI          60.0 M   +12.05 %  2.0 bps  400 d  included

Left out
    4 ADA    sector cap: L1/L2 is full: 2 of 2
    6 SIREN  funding: longs receive 167.97 % a year, the limit is 100 %
    9 FET    thin volume: 19.9 M traded in 24 h, the least is 20.0 M
   10 THIN   thin volume: 800.0 k traded in 24 h, the least is 20.0 M
    - OLD    not trading: the exchange says SETTLING
    - XAU    not perpetual: a contract of type TRADIFI_PERPETUAL

  + in  1000PEPE, AAVE, BTC, ETH, SOL, 币安人生

  sectors   MEME 1/2 · L1/L2 2/2 · DEFI 1/2 · PAYMENT 1/2 · OTHER 1/2
  left out  not trading 1 · not perpetual 1 · thin volume 2 · funding 1 · sector
            cap 1
  funding   mean of 7 days as a year's: + longs pay, - longs receive
  source    24 h volume by exchange, as a fallback
  applied   yes, this is the universe now

  note  unknown field x: asked again with the fewest columns
",
    );
}

#[test]
fn an_old_list_is_said_to_be_old() {
    let shown = table_of(&old_universe(), 100);
    let about: Vec<&str> = shown.lines().filter(|line| line.contains("3h 12m")).collect();
    assert_eq!(
        about,
        [
            "AN OLDER RANKING: tradingview did not answer, its list of 3h 12m before is used.",
            "  source    24 h volume by tradingview, read 2026-11-20 05:17:22 UTC (3h 12m before)",
        ]
    );
}

#[test]
fn a_halt_comes_before_everything_else() {
    let halted = universe().under(Some("h1234abcd".into()));
    assert!(table_of(&halted, 80).starts_with("HALTED (halt h1234abcd): "), "{}", table_of(&halted, 80));
    assert!(scan(&halted, Format::Markdown, &style(80)).unwrap().starts_with("**HALTED (halt h1234abcd)**"));
    let object: Value = serde_json::from_str(&scan(&halted, Format::Json, &style(80)).unwrap()).unwrap();
    assert_eq!((&object["halted"], &object["halt_id"]), (&Value::Bool(true), &Value::from("h1234abcd")));
    assert!(!table_of(&universe(), 80).contains("HALTED"));
}

#[test]
fn json_is_as_promised() {
    let shown = scan(&short_universe(), Format::Json, &style(80)).unwrap();
    assert_eq!(shown.lines().count(), 1);
    assert!(!shown.contains('\u{1b}'));
    let object: Value = serde_json::from_str(&shown).unwrap();
    let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys.join(" "),
        "added applied at beyond fallback from_cache halted keep_rank mode notes profile quote ranked rejected \
         removed schema sectors shortfall size source source_age_s source_at top unfit universe venue"
    );
    assert_eq!(object["sectors"][2], serde_json::json!({"sector": "L1/L2", "count": 2, "cap": 2}));
    assert_eq!(
        object["rejected"][1],
        serde_json::json!({
            "symbol": "SIRENUSDT", "sector": "AI", "rank": 6, "reason": "funding",
            "detail": "longs receive 167.97 % a year, the limit is 100 %",
        })
    );
    check(
        &serde_json::to_string_pretty(&object["universe"][0]).unwrap(),
        "
{
  \"age_days\": 400,
  \"funding_annualised\": \"0.044895\",
  \"how\": \"new\",
  \"interval_hours\": 8,
  \"quote_volume_24h\": \"14391120000\",
  \"rank\": 1,
  \"sector\": \"PAYMENT\",
  \"sector_from\": \"table\",
  \"spread_bps\": \"2\",
  \"symbol\": \"BTCUSDT\"
}",
    );
}

#[test]
fn csv_has_the_chosen_and_the_rejected() {
    check(&scan(&universe(), Format::Csv, &style(80)).unwrap(), "
at,what,symbol,sector,sector_from,rank,quote_volume_24h,funding_annualised,interval_hours,spread_bps,age_days,how,reason,detail
2026-11-20T08:29:39.973Z,chosen,BTCUSDT,PAYMENT,table,1,14391120000,0.044895,8,2,400,kept,,
2026-11-20T08:29:39.973Z,chosen,ETHUSDT,L1/L2,table,2,9870400000,-0.01314,8,2,400,kept,,
2026-11-20T08:29:39.973Z,chosen,SOLUSDT,L1/L2,table,3,3100000000,0.1095,8,2,400,kept,,
2026-11-20T08:29:39.973Z,chosen,1000PEPEUSDT,MEME,table,5,409600000,-0.147825,8,2,400,kept,,
2026-11-20T08:29:39.973Z,chosen,币安人生USDT,OTHER,unknown,7,120300000,0.08541,8,2,400,new,,
2026-11-20T08:29:39.973Z,chosen,AAVEUSDT,DEFI,table,8,60000000,0.12045,4,2,400,included,,
2026-11-20T08:29:39.973Z,rejected,ADAUSDT,L1/L2,,4,,,,,,,sector_cap,L1/L2 is full: 2 of 2
2026-11-20T08:29:39.973Z,rejected,SIRENUSDT,AI,,6,,,,,,,funding,\"longs receive 167.97 % a year, the limit is 100 %\"
2026-11-20T08:29:39.973Z,rejected,FETUSDT,AI,,9,,,,,,,thin_volume,\"19.9 M traded in 24 h, the least is 20.0 M\"
2026-11-20T08:29:39.973Z,rejected,THINUSDT,OTHER,,10,,,,,,,thin_volume,\"800.0 k traded in 24 h, the least is 20.0 M\"
2026-11-20T08:29:39.973Z,rejected,OLDUSDT,OTHER,,,,,,,,,not_trading,the exchange says SETTLING
2026-11-20T08:29:39.973Z,rejected,XAUUSDT,RWA,,,,,,,,,not_perpetual,a contract of type TRADIFI_PERPETUAL
");
}

#[test]
fn no_cell_is_a_formula() {
    let mut report = universe();
    report.rejected[0].detail = "=HYPERLINK(1)".into();
    report.rejected[1].detail = "+1\u{1b}[2J".into();
    let shown = scan(&report, Format::Csv, &style(80)).unwrap();
    assert!(shown.contains(",sector_cap,'=HYPERLINK(1)\n"), "{shown}");
    assert!(shown.contains(",funding,'+1[2J\n"), "{shown}");
    assert!(shown.contains(",-0.01314,"), "a number stays a number");
}

#[test]
fn markdown_tells_the_same() {
    check(&scan(&short_universe(), Format::Markdown, &style(80)).unwrap(), "
## rebal scan: PAPER

binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC

6 of 20 coins from the 10 most traded: sectors full (1 left out), 3 not safe now; 6 in, 0 out.

**RANKED BY EXCHANGE, not by the source that is configured: the screener answered 429 (too many requests)\\[2J.**

| rank | coin | sector | volume 24 h | funding/y | every | spread | age | how | sector by |
| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | --- | --- |
| 1 | BTC | PAYMENT | 14.4 B | +4.49 % | 8 h | 2.0 bps | 400 d | new | table |
| 2 | ETH | L1/L2 | 9.9 B | -1.31 % | 8 h | 2.0 bps | 400 d | new | table |
| 3 | SOL | L1/L2 | 3.1 B | +10.95 % | 8 h | 2.0 bps | 400 d | new | table |
| 5 | 1000PEPE | MEME | 409.6 M | -14.78 % | 8 h | 2.0 bps | 400 d | new | table |
| 7 | 币安人生 | OTHER | 120.3 M | +8.54 % | 8 h | 2.0 bps | 400 d | new | unknown |
| 8 | AAVE | DEFI | 60.0 M | +12.05 % | 4 h | 2.0 bps | 400 d | included | table |

### Left out

| rank | coin | sector | reason | detail |
| ---: | --- | --- | --- | --- |
| 4 | ADA | L1/L2 | sector cap | L1/L2 is full: 2 of 2 |
| 6 | SIREN | AI | funding | longs receive 167.97 % a year, the limit is 100 % |
| 9 | FET | AI | thin volume | 19.9 M traded in 24 h, the least is 20.0 M |
| 10 | THIN | OTHER | thin volume | 800.0 k traded in 24 h, the least is 20.0 M |
|  | OLD | OTHER | not trading | the exchange says SETTLING |
|  | XAU | RWA | not perpetual | a contract of type TRADIFI\\_PERPETUAL |

### Changes

- **+ in**: 1000PEPE, AAVE, BTC, ETH, SOL, 币安人生

### Scan

- **sectors**: MEME 1/2 · L1/L2 2/2 · DEFI 1/2 · PAYMENT 1/2 · OTHER 1/2
- **left out**: not trading 1 · not perpetual 1 · thin volume 2 · funding 1 · sector cap 1
- **funding**: mean of 7 days as a year's: + longs pay, - longs receive
- **source**: 24 h volume by exchange, as a fallback
- **applied**: yes, this is the universe now

### Notes

- unknown field x: asked again with the fewest columns
");
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
