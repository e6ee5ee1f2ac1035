//! Every format against expected text, and what must hold of any plan.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::num::{Notional, Qty, Rate};
use crate::domain::order::Side;
use crate::domain::plan::{Leg, Plan, Reason, Setting, SkipReason, Skipped, Standing, Warning};
use crate::render::grid::width_of;
use crate::report::fees::tests::paid;
use crate::report::pass::{OrderOutcome, OrderReport, Outcome, ShareRow};

fn style(width: u16) -> Style {
    Style { width, ..Style::default() }
}

fn table_of(report: &PlanReport, width: u16) -> String {
    plan(report, Format::Table, &style(width)).unwrap()
}

fn quiet_report(figures: crate::report::plan::PlanFigures) -> PlanReport {
    PlanReport::new(sample::heading("paper"), figures, &sample::quiet())
}

/// Compares line by line, so that a failure shows the line.
fn check(shown: &str, expected: &str) {
    let expected = expected.strip_prefix('\n').unwrap_or(expected);
    for (index, (shown, expected)) in shown.lines().zip(expected.lines()).enumerate() {
        assert_eq!(shown, expected, "line {}", index + 1);
    }
    assert_eq!(shown.lines().count(), expected.lines().count(), "{shown}");
    assert!(shown.ends_with('\n') && !shown.ends_with("\n\n"));
}

#[test]
fn a_plan_at_80_columns() {
    let expected = "
rebal plan · LIVE · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
2 orders worth 7.00 USDT: sell 1 coin, buy 1 coin. 1 coin cannot be traded, see
below.

coin      value  target     drift   buy│sell  action               why
────────────────────────────────────────────────────────────────────────────────
BTC       21.30   20.00   +6.50 %  ····│███▶  sell 0.00002 ≈ 1.20  above
ETH       20.50   20.00   +2.50 %  ····│██··  hold
币安人生  18.10   20.00   -9.50 %  ··▐█│····  hold                 buys at -25 %
1000PEPE  14.20   20.00  -29.00 %  ◀███│····  buy      741 ≈ 5.80  below
WIF       23.05   20.00  +15.25 %  ····│███▶  skip                 spread

Not traded
  spread too wide  WIF: the book is 45.2 bps wide, the limit is 30

Worth knowing
  band  5 coins sell at +5 % but can buy only at -25 % to -31 %, since the
        smallest order is large beside the target of 20.00 USDT; a target of 124
        per coin would make the band symmetric

  equity       52.18 USDT, 31.07 available
  NAV          1.0342, drawdown 3.2 %
  leverage     1.98 → 2.03
  liquidation  a fall of 48.3 % of the whole basket would liquidate (now 49.1 %)
  turnover     7.00 USDT, fees about 0.0035
  coins        1 sell, 1 buy, 2 hold, 1 skip
";
    check(&table_of(&sample::plan_report("live"), 80), expected);
}

#[test]
fn a_plan_at_120_columns() {
    let expected = "
rebal plan · PAPER · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
2 orders worth 7.00 USDT: sell 1 coin, buy 1 coin. 1 coin cannot be traded, see below.

coin      value  target     drift     buy│sell        band  action                    why
─────────────────────────────────────────────────────────────────────────────────────────────────────
BTC       21.30   20.00   +6.50 %  ······│█████▶  -31…+5 %  sell 0.00002 ≈ 1.20 USDT  above band
ETH       20.50   20.00   +2.50 %  ······│███···  -25…+5 %  hold
币安人生  18.10   20.00   -9.50 %  ···▐██│······  -25…+5 %  hold                      buys at -25 %
1000PEPE  14.20   20.00  -29.00 %  ◀█████│······  -25…+5 %  buy      741 ≈ 5.80 USDT  below band
WIF       23.05   20.00  +15.25 %  ······│█████▶  -25…+5 %  skip                      spread too wide

Not traded
  spread too wide  WIF: the book is 45.2 bps wide, the limit is 30

Worth knowing
  band  5 coins sell at +5 % but can buy only at -25 % to -31 %, since the smallest order is large beside the target of
        20.00 USDT; a target of 124 per coin would make the band symmetric

  equity       52.18 USDT, 31.07 available
  NAV          1.0342, drawdown 3.2 %
  leverage     1.98 → 2.03
  liquidation  a fall of 48.3 % of the whole basket would liquidate (now 49.1 %)
  turnover     7.00 USDT, fees about 0.0035
  coins        1 sell, 1 buy, 2 hold, 1 skip
";
    check(&table_of(&sample::plan_report("paper"), 120), expected);
}

#[test]
fn a_troubled_live_pass_at_80_columns() {
    let expected = "
rebal pass · LIVE · binance-usdm · profile rebal · 2026-11-20 08:29:39 UTC
Partly done: 1 of 3 orders filled, 1 filled in part, 1 unknown. 1 coin cannot be
traded, see below.

coin      side  ordered   filled  avg price  worth     fee  profit  result
───────────────────────────────────────────────────────────────────────────
BTC       sell  0.00002  0.00002  60120.123   1.20  0.0006   +0.25  filled
1000PEPE  buy       741      500  0.0078271   3.91  0.0020          partial
ETH       buy     0.002        ?                                    unknown

Settled from earlier passes
coin      side  ordered  filled  avg price  worth  fee  profit  result
───────────────────────────────────────────────────────────────────────
币安人生  sell       12       0                                 expired

What happens next
  partial  1000PEPE: the rest is cancelled; the next pass decides on what is
           really held
  unknown  ETH (connection closed before the answer[2J): only the exchange
           knows; the next pass asks it first and sends nothing for this coin
           before

Not traded
  spread too wide  WIF: the book is 45.2 bps wide, the limit is 30

Worth knowing
  band  5 coins sell at +5 % but can buy only at -25 % to -31 %, since the
        smallest order is large beside the target of 20.00 USDT; a target of 124
        per coin would make the band symmetric

  equity       52.18 → 52.05 USDT (-0.13)
  traded       sold 1.20, bought 3.91 USDT; fees 0.0026, realised profit +0.25
  NAV          1.0342, drawdown 3.2 %
  leverage     1.98 → 2.03
  liquidation  a fall of 48.3 % of the whole basket would liquidate (now 49.1 %)
  coins        1 sell, 1 buy, 2 hold, 1 skip
";
    check(&pass(&sample::troubled_pass(), Format::Table, &style(80)).unwrap(), expected);
}

#[test]
fn nothing_to_do_names_the_coin_nearest_to_its_band() {
    let mut report = PassReport::new(sample::heading("paper"), "2", Outcome::NothingToDo, 0);
    report.plan = Some(quiet_report(sample::figures()));
    let shown = pass(&report, Format::Table, &style(120)).unwrap();
    let sentence = "Nothing to do: both coins are inside their bands. \
                    Closest is ETH at -4 %; it is bought at -5 %.";
    assert_eq!(shown.lines().nth(1), Some(sentence));
}

#[test]
fn a_moonshot_names_the_coin_nearest_to_its_stop() {
    let mut held = sample::quiet();
    for coin in &mut held.coins {
        (coin.sell_band, coin.effective_buy_band, coin.stop) = (Rate::ZERO, None, Some(Rate::new(3, 1)));
    }
    let waits = |name: &str, reason| Skipped { symbol: name.parse().unwrap(), reason, detail: "x".into() };
    held.skipped = vec![waits("XRPUSDT", SkipReason::Cooldown), waits("ADAUSDT", SkipReason::NoSlot)];
    let report = PlanReport::new(sample::heading("paper"), sample::figures(), &held);
    let shown = table_of(&report, 120);
    let sentence = "Nothing to do: all 2 positions are above their stops, 2 coins wait. \
                    Closest is ETH at -4 %; it is sold at -30 %.";
    assert_eq!(shown.lines().nth(1), Some(sentence));
    assert!(shown.contains("0 sell, 0 buy, 2 hold, 0 skip, 2 wait"), "{shown}");
    assert!(shown.contains("cooling down") && shown.contains("no free slot"), "{shown}");
}

/// Of 100, BTC is worth 20.3 and ETH 19.2; half of BTC's excess of 5.3 was sold.
#[test]
fn shares_are_told_before_and_after_with_the_cash() {
    let mut plan = sample::quiet();
    for (coin, target) in plan.coins.iter_mut().zip([15, 20]) {
        coin.target = Notional::from(target);
        coin.target_share = Some(Rate::new(i64::from(target), 2));
        coin.share = coin.value.and_then(|value| value.over(Notional::from(100)));
    }
    let mut leg = sample::five().legs[0].clone();
    (leg.symbol, leg.ref_price) = (plan.coins[0].symbol.clone(), "10".parse().unwrap());
    plan.legs = vec![leg];
    let plan = PlanReport::new(sample::heading("paper"), sample::figures(), &plan);
    let mut order = sample::troubled_pass().orders[0].clone();
    (order.symbol, order.side) = (plan.coins[0].symbol.clone(), Side::Sell);
    order.filled_qty = "0.265".parse().unwrap();
    let shares = ShareRow::of(&plan, &[order]);
    let shown: Vec<String> = shares
        .iter()
        .map(|row| format!("{} {} {} {}", row.symbol, row.before.unwrap(), row.after.unwrap(), row.target))
        .collect();
    assert_eq!(shown, ["BTCUSDT 0.203 0.1765 0.15", "ETHUSDT 0.192 0.192 0.2"]);
    let mut report = PassReport::new(sample::heading("paper"), "2", Outcome::Traded, 0);
    (report.plan, report.shares) = (Some(plan), shares);
    let shown = pass(&report, Format::Table, &style(120)).unwrap();
    let line = shown.lines().find(|line| line.contains("shares")).unwrap();
    assert!(line.ends_with("BTC 20.3 → 17.7 of 15 %, ETH 19.2 of 20 %, cash 63.2 of 65 %"), "{line}");
}

#[test]
fn a_halt_comes_before_everything_else() {
    let figures = crate::report::plan::PlanFigures { halted: Some("h-17".into()), ..sample::figures() };
    let shown = table_of(&quiet_report(figures.clone()), 120);
    assert!(shown.starts_with("HALTED (halt h-17): trading is refused until `rebal risk-check --resume`"));
    let marked = plan(&quiet_report(figures), Format::Markdown, &style(120)).unwrap();
    assert!(marked.starts_with("**HALTED (halt h-17)**: trading is refused until"));
}

#[test]
fn being_unable_to_act_is_not_nothing_to_do() {
    let mut blocked = sample::five();
    blocked.legs.clear();
    let report = PlanReport::new(sample::heading("paper"), sample::figures(), &blocked);
    let shown = table_of(&report, 120);
    assert!(shown.contains("Nothing can be traded: 1 coin should be and cannot, see below"), "{shown}");
    assert!(!shown.contains("Nothing to do"));
}

#[test]
fn twenty_equal_warnings_are_one_line() {
    let mut many = sample::twenty();
    let warned = |coin: &Standing| Warning {
        code: "leverage_lowered".into(),
        symbol: Some(coin.symbol.clone()),
        detail: "the exchange allows at most 3x, 5x was asked for".into(),
    };
    many.warnings = many.coins.iter().map(warned).collect();
    let report = PlanReport::new(sample::heading("paper"), sample::figures(), &many);
    let shown = table_of(&report, 500);
    assert_eq!(shown.matches("leverage lowered").count(), 1);
    assert_eq!(shown.matches("at most 3x").count(), 1);
}

#[test]
fn settings_to_change_first_are_said_once() {
    let mut many = sample::twenty();
    let setting =
        |coin: &Standing| Setting { symbol: coin.symbol.clone(), leverage: Some(5), to_cross: false };
    many.settings = many.coins.iter().map(setting).collect();
    many.settings[0].leverage = Some(3);
    many.settings[1].to_cross = true;
    let shown = table_of(&PlanReport::new(sample::heading("paper"), sample::figures(), &many), 120);
    let expected = "  set first    leverage 3x for 1 coin, leverage 5x for 19 coins, cross margin for 1 coin";
    assert_eq!(shown.lines().last(), Some(expected));
}

#[test]
fn colours_carry_meaning_and_go_away_on_request() {
    let coloured = Style { color: true, ..style(80) };
    let shown = pass(&sample::troubled_pass(), Format::Table, &coloured).unwrap();
    let line = |start: &str| shown.lines().find(|line| line.contains(start)).unwrap().to_owned();
    assert!(line("0.00002").starts_with("\u{1b}[32m"), "filled is green");
    assert!(line("ETH ").starts_with("\u{1b}[31m"), "unknown is red");
    assert!(line("500  0.0078271").starts_with("\u{1b}[33m"), "partial is yellow");
    assert!(!pass(&sample::troubled_pass(), Format::Table, &style(80)).unwrap().contains('\u{1b}'));
}

#[test]
fn without_unicode_only_the_names_of_coins_are_beyond_ascii() {
    let ascii = Style { unicode: false, ..style(80) };
    let shown = plan(&sample::plan_report("paper"), Format::Table, &ascii).unwrap();
    assert!(shown.replace("币安人生", "").is_ascii(), "{shown}");
}

#[test]
fn formats_that_do_not_fit_are_named_with_those_that_do() {
    let error = plan(&sample::plan_report("paper"), Format::Html, &style(80)).unwrap_err();
    assert_eq!(error.to_string(), "a plan does not come as html; it comes as table, json, csv or markdown");
    assert_eq!(
        "yaml".parse::<Format>().unwrap_err().to_string(),
        "no format \"yaml\": table, json, csv, markdown or html"
    );
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

#[test]
fn json_has_the_keys_of_the_contract() {
    let text = pass(&sample::troubled_pass(), Format::Json, &style(80)).unwrap();
    assert_eq!(text.lines().count(), 1);
    let value: Value = serde_json::from_str(&text).unwrap();
    let heading = "schema at profile mode venue";
    let pass_keys = "pass_id outcome halted plan orders settled equity_before equity_after exit_code notes";
    assert_eq!(keys(&value), words(&format!("{heading} {pass_keys}")));
    let plan_keys = "plan_id halted quote equity available nav drawdown leverage_before leverage_after \
                     liquidation_distance_before liquidation_distance_after has_changes turnover est_fees \
                     legs held skipped warnings coins settings";
    assert_eq!(keys(&value["plan"]), words(&format!("{heading} {plan_keys}")));
    for (list, expected) in [
        (
            "legs",
            "symbol side reduce_only qty ref_price limit_price notional drift reason spread_bps est_fee",
        ),
        ("held", "symbol value target drift"),
        ("skipped", "symbol reason detail"),
        ("warnings", "code symbol detail"),
        ("coins", "symbol value target drift sell_band effective_buy_band"),
    ] {
        assert_eq!(keys(&value["plan"][list][0]), words(expected), "{list}");
    }
    let order =
        "symbol side reason client_order_id status qty filled_qty avg_price fee fee_asset realized_pnl";
    assert_eq!(keys(&value["orders"][0]), words(order));
    assert_eq!(keys(&value["orders"][2]), words(&format!("{order} error")));
    assert_eq!(value["schema"], "rebal.pass/1");
    assert_eq!(value["at"], "2026-11-20T08:29:39.973Z");
    assert_eq!(value["plan"]["drawdown"], "0.0321");
    assert_eq!(value["orders"][2]["status"], "unknown");
    assert_eq!(value["orders"][2]["avg_price"], Value::Null);
}

#[test]
fn an_error_is_one_object_with_exactly_the_keys_of_the_contract() {
    let report = ErrorReport::new(None, "locked", 3, "another pass runs\u{202e}", "wait for it");
    let text = error(&report, Format::Json, &style(80));
    assert!(text.contains("\\u202e") && text.lines().count() == 1);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(keys(&value), words("schema kind message hint exit_code"));
    assert_eq!(value["exit_code"], 3);
    let known = ErrorReport { heading: Some(sample::heading("live")), ..report };
    let value: Value = serde_json::from_str(&error(&known, Format::Json, &style(80))).unwrap();
    assert_eq!(value["mode"], "live");
    let shown = error(&known, Format::Table, &style(80));
    assert_eq!(shown, "error: another pass runs\nhint: wait for it\n");
}

#[test]
fn a_pass_as_csv_has_one_row_per_order() {
    let expected = "
at,pass_id,when,symbol,side,reason,client_order_id,status,qty,filled_qty,avg_price,fee,fee_asset,realized_pnl,error,other_fees
2026-11-20T08:29:39.973Z,1fa3c,settled,币安人生USDT,SELL,above_band,rb17c2e9a0001fa3c00r,expired,12,0,,0,,0,,
2026-11-20T08:29:39.973Z,1fa3c,now,BTCUSDT,SELL,above_band,rb17c2e9a0001fa3c00r,filled,0.00002,0.00002,60120.123456,0.00060120123456,USDT,0.25,,
2026-11-20T08:29:39.973Z,1fa3c,now,1000PEPEUSDT,BUY,below_band,rb17c2e9a0001fa3c00r,partial,741,500,0.0078271,0.001956775,USDT,0,,
2026-11-20T08:29:39.973Z,1fa3c,now,ETHUSDT,BUY,below_band,rb17c2e9a0001fa3c00r,unknown,0.002,0,,0,,0,connection closed before the answer[2J,
";
    check(&pass(&sample::troubled_pass(), Format::Csv, &style(80)).unwrap(), expected);
}

#[test]
fn a_plan_as_csv_has_one_row_per_coin() {
    let expected = "
at,plan_id,symbol,value,target,drift,sell_band,effective_buy_band,action,qty,notional,reason,detail
2026-11-20T08:29:39.973Z,1fa3c,BTCUSDT,21.3,20,0.065,0.05,0.31,sell,0.00002,1.202468,above_band,
2026-11-20T08:29:39.973Z,1fa3c,ETHUSDT,20.5,20,0.025,0.05,0.25,hold,,,,
2026-11-20T08:29:39.973Z,1fa3c,币安人生USDT,18.1,20,-0.095,0.05,0.25,hold,,,,
2026-11-20T08:29:39.973Z,1fa3c,1000PEPEUSDT,14.2,20,-0.29,0.05,0.25,buy,741,5.7998811,below_band,
2026-11-20T08:29:39.973Z,1fa3c,WIFUSDT,23.05,20,0.1525,0.05,0.25,skip,,,spread,\"the book is 45.2 bps wide, the limit is 30\"
";
    check(&plan(&sample::plan_report("paper"), Format::Csv, &style(80)).unwrap(), expected);
}

#[test]
fn markdown_takes_outside_text_as_text() {
    let mut report = sample::troubled_pass();
    report.notes.push("<b>bold</b> | a [link](x)".into());
    let shown = pass(&report, Format::Markdown, &style(80)).unwrap();
    assert!(shown.starts_with("## rebal pass: LIVE\n"));
    assert!(shown.contains("- &lt;b&gt;bold&lt;/b&gt; \\| a \\[link\\](x)"), "{shown}");
    assert!(
        shown
            .contains("| 1000PEPE | buy | 741 | 500 | 0.0078271 | 3.91 | 0.0020 |  | partial | below band |")
    );
    assert!(shown.contains("| ETH | buy | 0.002 | ? |"));
}

/// Names as an exchange may list them, some of them wide.
fn any_symbol() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Z0-9]{1,12}USDT", "[一-鿿]{1,6}USDT", "[A-Z]{25,36}USDT"]
}

fn any_detail() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,80}", "\\PC{0,40}", any::<String>()]
}

fn any_standing() -> impl Strategy<Value = Standing> {
    let buy_band = prop::option::of(0i64..100);
    (any_symbol(), prop::option::of(0i64..10_000_000), 0i64..1_000_000, 0i64..60, buy_band).prop_map(
        |(name, value, target, sell, buy)| {
            let (value, target) = (value.map(|cents| Notional::new(cents, 2)), Notional::new(target, 2));
            Standing {
                symbol: sample::symbol(&name),
                value,
                target,
                drift: value.and_then(|value| value.over(target)).map(|ratio| ratio - Rate::ONE),
                sell_band: Rate::new(sell, 2),
                effective_buy_band: buy.map(|band| Rate::new(band, 2)),
                stop: None,
                share: None,
                target_share: None,
            }
        },
    )
}

/// Each coin is held, traded, skipped or warned about, whatever its drift says.
fn any_plan() -> impl Strategy<Value = Plan> {
    let coin = (any_standing(), 0u8..5, any_detail(), 1i64..1_000_000_000, 0u32..8);
    prop::collection::vec(coin, 0..12).prop_map(|rows| {
        let mut plan = Plan::default();
        for (coin, fate, detail, mantissa, scale) in rows {
            let symbol = coin.symbol.clone();
            match fate {
                0 => plan.legs.push(Leg {
                    symbol,
                    side: if mantissa % 2 == 0 { Side::Buy } else { Side::Sell },
                    reduce_only: false,
                    qty: Qty::new(mantissa, scale),
                    ref_price: "1.5".parse().unwrap(),
                    limit_price: None,
                    notional: Notional::new(mantissa, scale),
                    drift: coin.drift,
                    reason: Reason::Calendar,
                    spread_bps: Rate::ONE,
                    est_fee: Notional::new(mantissa, 8),
                }),
                1 => plan.skipped.push(Skipped { symbol, reason: SkipReason::Margin, detail }),
                2 => plan.warnings.push(Warning { code: detail.clone(), symbol: Some(symbol), detail }),
                3 => plan.warnings.push(Warning { code: "account".into(), symbol: None, detail }),
                _ => {}
            }
            plan.coins.push(coin);
        }
        plan
    })
}

fn pass_of(plan: &Plan, error: &str) -> PassReport {
    let order = |leg: &Leg| OrderReport {
        symbol: leg.symbol.clone(),
        side: leg.side,
        reason: leg.reason.as_str().into(),
        client_order_id: "rb1".into(),
        status: if leg.side == Side::Buy { OrderOutcome::Rejected } else { OrderOutcome::Filled },
        qty: leg.qty,
        filled_qty: leg.qty,
        avg_price: Some(leg.ref_price),
        fees: paid(leg.symbol.as_str(), &[("1", &leg.est_fee.to_string(), "BNB"), ("1", "0.1", "USDT")]),
        realized_pnl: leg.notional,
        error: Some(error.to_owned()),
    };
    PassReport {
        orders: plan.legs.iter().map(order).collect(),
        plan: Some(PlanReport::new(sample::heading("live"), sample::figures(), plan)),
        ..PassReport::new(sample::heading("live"), error, Outcome::Partial, 5)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_line_is_wider_than_the_terminal_and_nothing_steers_it(
        any in any_plan(), width in 40u16..160, error in any_detail(), unicode: bool,
    ) {
        let style = Style { width, color: false, unicode };
        let report = pass_of(&any, &error);
        let plan = plan(report.plan.as_ref().unwrap(), Format::Table, &style).unwrap();
        let pass = pass(&report, Format::Table, &style).unwrap();
        for line in plan.lines().chain(pass.lines()) {
            prop_assert!(width_of(line) <= width, "{} > {width}: {line:?}", width_of(line));
            prop_assert!(!line.chars().any(text::steers), "{line:?}");
        }
    }

    #[test]
    fn json_and_csv_read_back_and_no_cell_is_a_formula(any in any_plan(), error in any_detail()) {
        let report = pass_of(&any, &error);
        let object: Value = serde_json::from_str(&json::object(&report)).unwrap();
        prop_assert_eq!(object["orders"].as_array().unwrap().len(), report.orders.len());
        for shown in [csv::pass(&report), csv::plan(report.plan.as_ref().unwrap())] {
            let mut reader = ::csv::Reader::from_reader(shown.as_bytes());
            for row in reader.records() {
                for cell in &row.unwrap() {
                    let formula = cell.trim_start().starts_with(['=', '+', '-', '@']);
                    prop_assert!(!formula || cell.parse::<Notional>().is_ok(), "{cell:?}");
                    prop_assert!(!cell.chars().any(text::steers), "{cell:?}");
                }
            }
        }
    }

    #[test]
    fn every_coin_has_exactly_one_line(any in any_plan()) {
        let report = PlanReport::new(sample::heading("paper"), sample::figures(), &any);
        let counts = report.counts();
        prop_assert_eq!(counts.sell + counts.buy + counts.hold + counts.skip + counts.wait, report.lines().len());
        prop_assert!(report.lines().len() >= any.coins.len());
    }
}

#[test]
fn cells_that_begin_like_formulas_are_text() {
    for (cell, expected) in [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-5", "-5"),
        ("-5*A1", "'-5*A1"),
        ("@sum", "'@sum"),
        ("\t=1", "' =1"),
        ("\u{200b}=1", "'=1"),
        ("plain", "plain"),
    ] {
        assert_eq!(csv::harmless(cell), expected);
    }
}
