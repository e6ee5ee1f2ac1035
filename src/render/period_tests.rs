//! Periods and dashboards in every format against expected text, and what must hold of any.

use proptest::prelude::*;
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::Value;

use super::*;
use crate::domain::num::{Notional, Rate};
use crate::render::grid::width_of;
use crate::report::period_samples as samples;

fn style(width: u16) -> Style {
    Style { width, ..Style::default() }
}

fn check(shown: &str, expected: &str) {
    let expected = expected.strip_prefix('\n').unwrap_or(expected);
    for (index, (shown, expected)) in shown.lines().zip(expected.lines()).enumerate() {
        assert_eq!(shown, expected, "line {}", index + 1);
    }
    assert_eq!(shown.lines().count(), expected.lines().count(), "{shown}");
    assert!(shown.ends_with('\n') && !shown.ends_with("\n\n"));
}

/// Every sample in `format`.
fn all(format: Format, style: &Style) -> Vec<String> {
    let periods = samples::periods().into_iter().map(|report| period(&report, format, style).unwrap());
    let dashboards =
        samples::dashboards().into_iter().map(|report| dashboard(&report, format, style).unwrap());
    periods.chain(dashboards).collect()
}

#[test]
fn a_period_and_the_dashboard_come_in_every_format() {
    for format in Format::ALL {
        for shown in all(format, &style(80)) {
            assert!(shown.ends_with('\n') && !shown.ends_with("\n\n"), "{format}: {shown}");
        }
    }
}

#[test]
fn a_week_at_80_columns() {
    let expected = "
rebal report · LIVE · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
2026-11-13 08:25:00 UTC to 2026-11-20 08:25:00 UTC (7 days, 2017 readings)
Net profit +3.13 USDT (+1.61 %); rebalancing earned 0.84 USDT more than holding.

from start to end        USDT
─────────────────────────────────────────────────────────────────────────
equity at the start   200.000  2026-11-13 08:25:00 UTC
transfers             +25.000  deposits less withdrawals
net profit             +3.127  of all coins, see below
fees in other assets   +0.003  counted as fees, paid from another balance
other income           +0.120  WELCOME_BONUS
unreconciled            0.000  all is explained
equity at the end     228.250  2026-11-20 08:25:00 UTC

coin     net profit   -│+   realized floating funding    fees trades win rate
─────────────────────────────────────────────────────────────────────────────
SOL           +2.67 ···│███    +1.92    +0.80 -0.0412 -0.0102      9  100.0 %
币安人生      +1.32 ···│█▌·    +1.11    +0.20 +0.0331 -0.0151     11   57.1 %
BTC           +0.39 ···│▌··     0.00    +0.41 -0.0200  0.0000      0
1000PEPE      -0.33 ··▐│···    +0.33    -0.52 -0.1100 -0.0302      6    0.0 %
WIF           -0.93 ··█│···    -0.61    -0.30 +0.0014 -0.0200      8
total         +3.13            +2.75    +0.59 -0.1367 -0.0755     34   71.4 %

  columns  net profit = realized + change of floating profit + funding + fees;
           paid is negative. Rows are rounded here; every digit is in csv and
           json

  equity        ▂▃▂▂▂▁▂▁▂▁▂▁▂▁▃▂▃▂▂▂▆▇▆▇▆▇▆▇▇█▇▇▇▇▇▇▇▇▇▇  196.40 to 234.00
  return        +1.61 %, deposits and withdrawals apart
  max drawdown  4.2 %
  funding       -0.14 USDT (paid)
  fees          -0.0755 USDT
  turnover      158.00 USDT
  trades        34, 4.86 per day, in 37 executions
  win rate      71.4 %, 10 of 14 reductions with a profit after fees
  harvest       +2.85 USDT from sales above the band, after fees
  hold twin     +2.29 USDT had nothing been rebalanced
  rebalancing   earned 0.84 USDT more than holding
";
    check(&table::period(&samples::week(), &style(80)), expected);
}

#[test]
fn a_week_at_120_columns() {
    let shown = table::period(&samples::week(), &style(120));
    let expected = "
coin      net profit   loss│gain   of equity  realized  floating  funding     fees  trades  win rate  harvest
─────────────────────────────────────────────────────────────────────────────────────────────────────────────
SOL            +2.67  ·····│█████    +1.34 %     +1.92     +0.80  -0.0412  -0.0102       9   100.0 %    +1.62
币安人生       +1.32  ·····│██▌··    +0.66 %     +1.11     +0.20  +0.0331  -0.0151      11    57.1 %    +0.98
BTC            +0.39  ·····│▌····    +0.20 %      0.00     +0.41  -0.0200   0.0000       0               0.00
1000PEPE       -0.33  ····▐│·····    -0.17 %     +0.33     -0.52  -0.1100  -0.0302       6     0.0 %    +0.33
WIF            -0.93  ···▐█│·····    -0.46 %     -0.61     -0.30  +0.0014  -0.0200       8              -0.08
total          +3.13                 +1.56 %     +2.75     +0.59  -0.1367  -0.0755      34    71.4 %    +2.85
";
    let coins: Vec<&str> = shown.lines().skip_while(|line| !line.starts_with("coin")).take(8).collect();
    check(&(coins.join("\n") + "\n"), expected);
}

#[test]
fn the_dashboard_at_80_columns() {
    let expected = "
rebal report · LIVE · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
The outcome of 1 order is not known; the next pass settles it.
229.06 USDT at 0.44x, 2.8 % below its peak; everything is sold at 20 %.

  equity        229.06 USDT, 181.40 available
  floating      +0.80 USDT
  margin ratio  1.7 %; the exchange liquidates at 100 %
  leverage      0.44x
  drawdown      2.8 % of 20 %
  NAV           1.0161, highest 1.0452

coin     value    drift buy│sell   entry      mark floating funding funding/y
─────────────────────────────────────────────────────────────────────────────
SOL      21.30  +6.50 % ···│██▶    161.2    163.41    +0.80 -0.0412   +11.0 %
BTC      20.50  +2.50 % ···│█▌·  60010.5 60123.457    +0.41 -0.0412   +11.0 %
币安人生 18.10  -9.50 % ··█│···   0.1201    0.1213    +0.20 -0.0412   +11.0 %
1000PEPE 14.20 -29.00 % ◀██│···   0.0081 0.0078271    -0.52 -0.0412   +11.0 %
LUNA      3.02                      0.61      0.57    -0.21 -0.0412
total    77.12                                        +0.68 -0.2060

Since 2026-11-13 08:25:00 UTC
  equity        ▂▃▂▂▂▁▂▁▂▁▂▁▂▁▃▂▃▂▂▂▆▇▆▇▆▇▆▇▇█▇▇▇▇▇▇▇▇▇▇  196.40 to 234.00
  net profit    +3.13 USDT (+1.61 %)
  funding       -0.14 USDT
  fees          -0.0755 USDT
  trades        34, 4.86 per day, in 37 executions
  hold twin     +2.29 USDT had nothing been rebalanced
  rebalancing   earned 0.84 USDT more than holding
  unreconciled  0.00 USDT

Last passes
pass  at                       outcome        orders         exit
─────────────────────────────────────────────────────────────────
2017  2026-11-20 08:25:39 UTC  nothing to do       0            0
2016  2026-11-20 08:20:39 UTC  traded              3            0
2015  2026-11-20 08:15:39 UTC  partial             2            5
2014  2026-11-20 08:10:39 UTC  started             0  never ended
";
    check(&table::dashboard(&samples::now(), &style(80)), expected);
}

#[test]
fn the_dashboard_at_120_columns() {
    let shown = table::dashboard(&samples::now(), &style(120));
    let expected = "
coin      value  target     drift     buy│sell      entry       mark  floating  funding  funding/y  settles
───────────────────────────────────────────────────────────────────────────────────────────────────────────
SOL       21.30   20.00   +6.50 %  ······│█████▶    161.2     163.41     +0.80  -0.0412    +11.0 %  16:00
BTC       20.50   20.00   +2.50 %  ······│███···  60010.5  60123.457     +0.41  -0.0412    +11.0 %  16:00
币安人生  18.10   20.00   -9.50 %  ···▐██│······   0.1201     0.1213     +0.20  -0.0412    +11.0 %  16:00
1000PEPE  14.20   20.00  -29.00 %  ◀█████│······   0.0081  0.0078271     -0.52  -0.0412    +11.0 %  16:00
LUNA       3.02    none                              0.61       0.57     -0.21  -0.0412             16:00
total     77.12   80.00                                                  +0.68  -0.2060
";
    let rows: Vec<&str> = shown.lines().skip_while(|line| !line.starts_with("coin")).take(8).collect();
    check(&(rows.join("\n") + "\n"), expected);
}

#[test]
fn a_period_as_markdown() {
    let expected = "
## rebal report: LIVE

binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC

2026-11-13 08:25:00 UTC to 2026-11-20 08:25:00 UTC (7 days, 2017 readings)

**UNRECONCILED: -0.50 USDT of the change of equity is explained by nothing that the ledger knows.**

Net profit +3.13 USDT (+1.61 %); rebalancing earned 0.84 USDT more than holding.

| from start to end | USDT |  |
| --- | ---: | --- |
| equity at the start | 200.000 | 2026-11-13 08:25:00 UTC |
| transfers | +25.000 | deposits less withdrawals |
| net profit | +3.127 | of all coins, see below |
| fees in other assets | +0.003 | counted as fees, paid from another balance |
| other income | +0.120 | WELCOME\\_BONUS |
| unreconciled | -0.500 | explained by nothing |
| equity at the end | 227.750 | 2026-11-20 08:25:00 UTC |

### Figures

- **return**: +1.61 %, deposits and withdrawals apart
- **max drawdown**: 4.2 %
- **funding**: -0.14 USDT (paid)
- **fees**: -0.0755 USDT
- **turnover**: 158.00 USDT
- **trades**: 34, 4.86 per day, in 37 executions
- **win rate**: 71.4 %, 10 of 14 reductions with a profit after fees
- **harvest**: +2.85 USDT from sales above the band, after fees
- **hold twin**: +2.29 USDT had nothing been rebalanced
- **rebalancing**: earned 0.84 USDT more than holding

### Coins

| coin | sector | net profit | of equity | realized | floating | funding | fees | trades | win rate | harvest | turnover | value |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| SOL | L1/L2 | +2.67 | +1.34 % | +1.92 | +0.80 | -0.0412 | -0.0102 | 9 | 100.0 % | +1.62 | 41.00 | 20.00 |
| 币安人生 | MEME | +1.32 | +0.66 % | +1.11 | +0.20 | +0.0331 | -0.0151 | 11 | 57.1 % | +0.98 | 60.00 | 20.00 |
| BTC | L1/L2 | +0.39 | +0.20 % | 0.00 | +0.41 | -0.0200 | 0.0000 | 0 |  | 0.00 | 0.00 | 20.00 |
| 1000PEPE | MEME | -0.33 | -0.17 % | +0.33 | -0.52 | -0.1100 | -0.0302 | 6 | 0.0 % | +0.33 | 24.00 | 20.00 |
| WIF | MEME | -0.93 | -0.46 % | -0.61 | -0.30 | +0.0014 | -0.0200 | 8 |  | -0.08 | 33.00 | 20.00 |
| total |  | +3.13 | +1.56 % | +2.75 | +0.59 | -0.1367 | -0.0755 | 34 | 71.4 % | +2.85 | 158.00 | 100.00 |

net profit = realized + change of floating profit + funding + fees; paid is negative. Rows are rounded here; every digit is in csv and json

### Notes

- fees of 0.00012 BNB are in no figure: the ledger has no price of BNB
- -0.5 USDT of the unreconciled amount changed the wallet without a trade or an income row
";
    check(&markdown::period(&samples::gap()), expected);
}

#[test]
fn a_period_and_the_dashboard_as_csv_have_one_row_per_coin() {
    let expected = "
from,to,symbol,sector,net_profit,contribution,realized,unrealized_change,funding,fees,trades,reductions,wins,win_rate,harvest,turnover,unrealized,value,quote
2026-11-13T08:25:00.000Z,2026-11-20T08:25:00.000Z,SOLUSDT,L1/L2,2.6727,0.0133635,1.9241,0.8,-0.0412,-0.0102,9,6,6,1,1.62,41,0.8,20,USDT
2026-11-13T08:25:00.000Z,2026-11-20T08:25:00.000Z,币安人生USDT,MEME,1.323,0.006615,1.105,0.2,0.0331,-0.0151,11,7,4,0.57142857,0.98,60,0.2,20,USDT
2026-11-13T08:25:00.000Z,2026-11-20T08:25:00.000Z,BTCUSDT,L1/L2,0.39,0.00195,0,0.41,-0.02,0,0,0,0,,0,0,0.41,20,USDT
2026-11-13T08:25:00.000Z,2026-11-20T08:25:00.000Z,1000PEPEUSDT,MEME,-0.3302,-0.001651,0.33,-0.52,-0.11,-0.0302,6,1,0,0,0.33,24,-0.52,20,USDT
2026-11-13T08:25:00.000Z,2026-11-20T08:25:00.000Z,WIFUSDT,MEME,-0.9286,-0.004643,-0.61,-0.3,0.0014,-0.02,8,0,0,,-0.08,33,-0.3,20,USDT
";
    check(&csv::period(&samples::week()), expected);
    let expected = "
at,symbol,sector,qty,value,target,drift,sell_band,effective_buy_band,entry_price,mark_price,liquidation_price,unrealized_pnl,funding,funding_annualised,next_funding
2026-11-20T08:29:39.973Z,SOLUSDT,OTHER,12.5,21.3,20,0.065,0.05,0.25,161.2,163.41,,0.8,-0.0412,0.1095,2026-11-20T16:00:00.000Z
2026-11-20T08:29:39.973Z,BTCUSDT,OTHER,12.5,20.5,20,0.025,0.05,0.25,60010.5,60123.4567,,0.41,-0.0412,0.1095,2026-11-20T16:00:00.000Z
2026-11-20T08:29:39.973Z,币安人生USDT,OTHER,12.5,18.1,20,-0.095,0.05,0.25,0.1201,0.1213,,0.2,-0.0412,0.1095,2026-11-20T16:00:00.000Z
2026-11-20T08:29:39.973Z,1000PEPEUSDT,OTHER,12.5,14.2,20,-0.29,0.05,0.25,0.0081,0.0078271,,-0.52,-0.0412,0.1095,2026-11-20T16:00:00.000Z
2026-11-20T08:29:39.973Z,LUNAUSDT,OTHER,12.5,3.02,,,,,0.61,0.57,,-0.21,-0.0412,,2026-11-20T16:00:00.000Z
";
    check(&csv::dashboard(&samples::now()), expected);
}

#[test]
fn json_carries_every_figure_of_the_contract() {
    let object: Value = serde_json::from_str(&json::object(&samples::now())).unwrap();
    for field in [
        "from",
        "to",
        "equity_start",
        "equity_end",
        "transfers",
        "net_profit",
        "return",
        "max_drawdown",
        "funding_total",
        "fees_total",
        "turnover",
        "trades",
        "trades_per_day",
        "win_rate",
        "hold_twin_profit",
        "rebalancing_effect",
        "unreconciled",
        "per_coin",
        "equity_curve",
        "available",
        "positions",
        "schema",
        "at",
        "profile",
        "mode",
        "venue",
    ] {
        assert!(!object[field].is_null(), "{field}");
    }
    assert_eq!(object["schema"], "rebal.report/1");
}

#[test]
fn a_halt_comes_before_everything_else() {
    let report = samples::halted();
    let starts = "HALTED (halt h-17): drawdown 21.4 % is beyond 20 %; trading is refused until";
    assert!(table::dashboard(&report, &style(120)).starts_with(starts));
    assert!(markdown::dashboard(&report).starts_with("**HALTED (halt h-17)**: drawdown 21.4 %"));
    let page = html::dashboard(&report);
    let first = page.split_once("<main>").unwrap().1;
    assert!(first.starts_with("<p class=\"alarm\">HALTED (halt h-17)"), "{}", &first[..80]);
    assert!(!table::dashboard(&samples::now(), &style(120)).contains("HALTED"));
}

/// What is not explained is said first and loud, and zero is said too.
#[test]
fn what_is_unreconciled_is_always_shown() {
    let loud = Style { color: true, ..style(120) };
    let shown = table::period(&samples::gap(), &loud);
    assert_eq!(
        shown.lines().nth(2).unwrap().find("\u{1b}[1;31mUNRECONCILED: -0.50 USDT"),
        Some(0),
        "{shown}"
    );
    assert!(shown.contains("\u{1b}[1;31munreconciled           -0.500"), "{shown}");
    assert!(markdown::period(&samples::gap()).contains("**UNRECONCILED: -0.50 USDT"));
    assert!(html::period(&samples::gap()).contains("<p class=\"alarm\">UNRECONCILED: -0.50 USDT"));
    for report in [samples::week(), samples::flat()] {
        let shown = table::period(&report, &style(80));
        let line = shown.lines().find(|line| line.starts_with("unreconciled")).unwrap();
        assert!(line.ends_with("all is explained"), "{line}");
        assert!(!shown.contains("UNRECONCILED"));
    }
    assert!(table::dashboard(&samples::now(), &style(80)).contains("\n  unreconciled  0.00 USDT\n"));
}

fn amount(cell: &str) -> Notional {
    cell.trim_start_matches('+').parse().unwrap_or_else(|_| panic!("no amount: {cell:?}"))
}

/// The lines of the bridge, as they are shown, come to the last of them.
#[test]
fn from_start_to_end_adds_up_as_it_is_shown() {
    for report in samples::periods() {
        let grid = earnings::bridge(&report);
        let shown: Vec<Notional> = grid.rows.iter().map(|(_, cells)| amount(&cells[1])).collect();
        let (end, lines) = shown.split_last().unwrap();
        assert_eq!(lines.iter().copied().sum::<Notional>(), *end, "{grid:?}");
    }
}

/// Each column comes to its total and each row to its net profit, but for what rounding takes, and
/// where that shows it is said.
#[test]
fn the_coins_table_adds_up() {
    for report in samples::periods().into_iter().filter(|report| !report.per_coin.is_empty()) {
        let grid = earnings::every_column(&report);
        let column = |name: &str| {
            let at = grid.columns.iter().position(|(head, _)| head == name).unwrap();
            grid.rows.iter().map(|(_, cells)| amount(&cells[at])).collect::<Vec<_>>()
        };
        let mut rounded = false;
        let half_a_cent = Notional::new(5, 3);
        for name in ["net profit", "realized", "floating", "funding", "fees", "harvest", "turnover"] {
            let cells = column(name);
            let (total, rows) = cells.split_last().unwrap();
            let off = (rows.iter().copied().sum::<Notional>() - *total).abs();
            let most = half_a_cent * Rate::from(u32::try_from(rows.len()).unwrap() + 1);
            assert!(off <= most, "{name}: {off}");
            rounded |= !off.is_zero();
        }
        for (row, net) in column("net profit").into_iter().enumerate() {
            let parts = ["realized", "floating", "funding", "fees"].map(|name| column(name)[row]);
            let off = (parts.into_iter().sum::<Notional>() - net).abs();
            assert!(off <= half_a_cent * Rate::from(5), "row {row}: {off}");
        }
        let says = earnings::legend(&report).2.contains("Rows are rounded here");
        assert_eq!(says, rounded, "{}", report.per_coin.len());
    }
}

#[test]
fn no_line_is_wider_than_the_terminal_and_nothing_steers_it() {
    for width in [40, 79, 80, 120, 160] {
        for unicode in [false, true] {
            for shown in all(Format::Table, &Style { width, color: false, unicode }) {
                for line in shown.lines() {
                    assert!(width_of(line) <= width, "{} > {width}: {line:?}", width_of(line));
                    assert!(!line.chars().any(text::steers), "{line:?}");
                }
            }
        }
    }
    let drawn = "─│█▌▐▶◀·▁▂▃▄▅▆▇";
    for shown in all(Format::Table, &Style { width: 120, color: false, unicode: false }) {
        assert!(!shown.contains(|c| drawn.contains(c)), "{shown}");
    }
}

#[test]
fn outside_text_is_text_in_every_sink() {
    for shown in all(Format::Csv, &style(80)) {
        for row in ::csv::Reader::from_reader(shown.as_bytes()).records() {
            for cell in &row.unwrap() {
                let formula = cell.trim_start().starts_with(['=', '+', '-', '@']);
                assert!(!formula || cell.parse::<Notional>().is_ok(), "{cell:?}");
                assert!(!cell.chars().any(text::steers), "{cell:?}");
            }
        }
    }
    for shown in all(Format::Markdown, &style(80)) {
        let bare = shown.replace("\\]", "");
        assert!(!bare.contains('<') && !bare.contains("](") && !bare.contains('\u{1b}'), "{shown}");
        // Every row of a table has as many cells as the row above it.
        let bars = |line: &str| line.replace("\\|", "").matches('|').count();
        let lines: Vec<&str> = shown.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair.iter().all(|line| line.starts_with('|'))) {
            assert_eq!(bars(pair[0]), bars(pair[1]), "{pair:?}");
        }
    }
    for shown in all(Format::Json, &style(80)) {
        assert!(serde_json::from_str::<Value>(&shown).is_ok());
        assert!(!shown.trim_end().chars().any(text::steers), "{shown}");
    }
}

fn parsed(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("{error}: {page}"))
}

fn texts(node: Node<'_, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect()
}

/// Well-formed, of known elements and attributes only, and nothing in it that a browser would fetch
/// or run.
#[test]
fn a_page_asks_nobody_for_anything() {
    const ELEMENTS: &[&str] = &[
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "h2",
        "p",
        "span",
        "dl",
        "dt",
        "dd",
        "div",
        "section",
        "figure",
        "figcaption",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "ul",
        "li",
        "svg",
        "text",
        "line",
        "polyline",
        "polygon",
        "rect",
        "circle",
        "path",
    ];
    const ATTRIBUTES: &[&str] = &[
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "class",
        "scope",
        "tabindex",
        "role",
        "aria-label",
        "viewBox",
        "opacity",
        "stroke",
        "stroke-width",
        "fill",
        "x",
        "y",
        "x1",
        "x2",
        "y1",
        "y2",
        "dy",
        "cx",
        "cy",
        "r",
        "d",
        "width",
        "height",
        "points",
        "text-anchor",
        "font-size",
    ];
    for page in all(Format::Html, &style(80)) {
        let document = parsed(&page);
        for node in document.descendants().filter(Node::is_element) {
            assert!(ELEMENTS.contains(&node.tag_name().name()), "{node:?}");
            for attribute in node.attributes() {
                assert!(ATTRIBUTES.contains(&attribute.name()), "{attribute:?}");
            }
        }
        let style = document.descendants().find(|node| node.has_tag_name("style")).unwrap();
        let css = style.text().unwrap();
        assert!(!css.contains("url(") && !css.contains("@import"));
        assert!(!page.chars().any(|c| text::steers(c) && c != '\n'));
    }
    for page in [html::period(&samples::week()), html::dashboard(&samples::now())] {
        for outside in ["http:", "https:", "src=", "href=", "<script", "javascript"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}

/// The policy lets this style in and nothing else.
#[test]
fn the_policy_names_the_style_of_the_page() {
    let page = html::period(&samples::week());
    let document = parsed(&page);
    let policy = document
        .descendants()
        .find(|node| node.attribute("http-equiv") == Some("Content-Security-Policy"))
        .and_then(|node| node.attribute("content"))
        .unwrap();
    let style = document.descendants().find(|node| node.has_tag_name("style")).and_then(|node| node.text());
    let hash = <sha2::Sha256 as sha2::Digest>::digest(style.unwrap());
    let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hash);
    let expected =
        format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
    assert_eq!(policy, expected);
}

#[test]
fn hostile_text_is_read_on_the_page_as_it_was_written() {
    let page = html::dashboard(&samples::hostile_now());
    let document = parsed(&page);
    let wanted = text::clean(samples::HOSTILE);
    let note = document.descendants().find(|node| node.has_tag_name("li")).unwrap();
    assert_eq!(texts(note), wanted);
    let title = document.descendants().find(|node| node.has_tag_name("title")).unwrap();
    assert_eq!(texts(title), format!("rebal dashboard · {wanted}"));
}

#[test]
fn every_chart_says_what_it_is_and_scales() {
    let titles = |page: &str| -> Vec<String> {
        let document = parsed(page);
        let figures = document.descendants().filter(|node| node.has_tag_name("figure"));
        figures
            .map(|figure| {
                let svg = figure.children().find(|node| node.has_tag_name("svg")).unwrap();
                assert_eq!(svg.attribute("role"), Some("img"));
                assert!(svg.attribute("viewBox").is_some() && svg.attribute("width").is_none());
                let title = svg.first_element_child().unwrap();
                assert_eq!(title.text(), svg.attribute("aria-label"));
                assert!(svg.children().any(|node| node.has_tag_name("text")));
                assert!(!page.contains("#FACE") && !page.contains("NaN") && !page.contains("inf\""));
                let caption = figure.children().find(|node| node.has_tag_name("figcaption")).unwrap();
                assert!(!texts(caption).is_empty());
                figure.first_element_child().unwrap().text().unwrap().to_owned()
            })
            .collect()
    };
    let every = [
        "Equity",
        "Drawdown",
        "What rebalancing did",
        "Contribution of each coin",
        "Funding by coin",
        "Drift over time",
        "Turnover per day",
        "Trades per day",
    ];
    for report in [samples::week(), samples::many(100), samples::flat()] {
        assert_eq!(titles(&html::period(&report)), every);
    }
    assert_eq!(titles(&html::dashboard(&samples::now())), every);
    assert_eq!(titles(&html::period(&samples::one_reading())), ["Equity", "Drawdown"]);
    assert!(titles(&html::period(&samples::nothing())).is_empty());
    let spot = samples::on_spot(samples::week());
    let drawn = titles(&html::period(&spot));
    assert_eq!(drawn, every.iter().copied().filter(|title| *title != "Funding by coin").collect::<Vec<_>>());
}

#[test]
fn what_nobody_read_is_not_told_as_zero() {
    let nothing = samples::nothing();
    let json: serde_json::Value = serde_json::from_str(&json::period(&nothing)).unwrap();
    for name in ["equity_start", "equity_end", "net_profit", "max_drawdown", "unreconciled", "transfers"] {
        assert!(json.get(name).is_some_and(serde_json::Value::is_null), "{name}");
    }
    assert_eq!((&json["readings"], json["schema"].as_str()), (&0.into(), Some("rebal.report/1")));
    let page = html::period(&nothing);
    assert!(page.contains("Nobody read the account") && !page.contains("<dl class=\"cards\""), "{page}");
    assert!(!page.contains("0.00") && !page.contains("all is explained"), "{page}");
    assert_eq!(json::period(&samples::week()), json::object(&samples::week()));
}

#[test]
fn a_spot_account_is_told_nothing_of_margin_funding_and_liquidation() {
    let week = samples::on_spot(samples::week());
    let mut now = samples::now();
    now.period = samples::on_spot(now.period);
    let style = Style { width: 200, ..Style::default() };
    for text in [
        table::period(&week, &style),
        html::period(&week),
        markdown::period(&week),
        table::dashboard(&now, &style),
        html::dashboard(&now),
        markdown::dashboard(&now),
    ] {
        let said = text.to_lowercase();
        for word in ["funding", "margin ratio", "liquidat"] {
            assert!(!said.contains(word), "{word}: {said}");
        }
    }
}

#[test]
fn of_a_hundred_coins_the_charts_show_the_ends_and_say_so() {
    let page = html::period(&samples::many(100));
    assert_eq!(
        page.matches("60 coins between the best and the worst are in the table below only.").count(),
        2
    );
    assert!(page.contains("60 coins that drifted less are left out."));
    assert_eq!(page.matches("<tr>").count(), 100 + 2 + 6);
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        -1e3..1e3,
        any::<f64>().prop_filter("what a decimal can be", |value| value.abs() < 8e28),
        Just(0.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_figures_break_a_chart(
        values in prop::collection::vec((0i64..5_000_000_000_000, any_value()), 0..30), filled: bool,
    ) {
        use crate::domain::time::Time;
        use crate::render::chart::{self, Bar, Curve, Ink};
        let mut points: Vec<(Time, f64)> =
            values.iter().map(|(ms, value)| (Time::clamped(*ms), *value)).collect();
        points.sort_by_key(|point| point.0);
        let bar = |(_, value): &(Time, f64)| Bar {
            name: "币<&".repeat(9), value: *value, shown: format!("{value:.1e}"), ink: Ink::of(*value),
        };
        let bars: Vec<Bar> = points.iter().map(bar).collect();
        let ends = (points.first().map_or_else(Time::default, |point| point.0), Time::clamped(1));
        let cells = points.iter().map(|(at, value)| (*at, *at, *value)).collect();
        let finite = points.iter().any(|point| point.1.is_finite());
        let drawn = [
            chart::columns(&points, ends, "USDT", Ink::Main),
            chart::bars(&bars, "USDT"),
            chart::curve(&Curve {
                points: points.clone(), unit: "%", ink: Ink::Loss, filled, shows: vec![], levels: vec![],
            }),
            chart::map(&[("<b>".to_owned(), cells)], 0.05),
        ];
        for (index, drawing) in drawn.iter().enumerate() {
            prop_assert_eq!(drawing.is_some(), finite || (index == 3 && !points.is_empty()), "{}", index);
        }
        for drawing in drawn.into_iter().flatten() {
            let svg = format!("<svg {drawing}</svg>");
            let document = parsed(&svg);
            for node in document.descendants().filter(Node::is_element) {
                prop_assert!(node.tag_name().name() != "b");
                for attribute in node.attributes() {
                    let value = attribute.value();
                    prop_assert!(!value.contains("NaN") && !value.contains("inf"), "{attribute:?}");
                }
            }
        }
    }
}
