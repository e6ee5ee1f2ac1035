//! Faults of exchange and market (X): what an account, a contract or a price may do to a pass.

use serde_json::{Value, json};

use super::proxy::{Act, Proxy};
use super::world::{BASKET, Home, ORDER, Sim, symbols, text};

/// A pass between which and the exchange stands a middlebox.
fn between() -> (Sim, Proxy, Home) {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url);
    (sim, proxy, home)
}

/// Changes the rows of ADAUSDT in an answer that is a list, or in the list under `under`.
fn of_ada(under: &'static str, change: impl Fn(&mut Value) + Send + Sync + 'static) -> Act {
    Act::edit(move |body| {
        let mut json: Value = serde_json::from_str(body).unwrap();
        let rows = if under.is_empty() { &mut json } else { &mut json[under] };
        for row in rows.as_array_mut().unwrap() {
            if row["symbol"] == "ADAUSDT" {
                change(row);
            }
        }
        json.to_string()
    })
}

/// Holds the basket, then ADA is 30 % up and to be sold. The exchange's clock stands still between
/// bars, so that all of one bar would bear the first reading's time or an earlier one.
fn harvest() -> (Sim, Proxy, Home) {
    let (sim, proxy, home) = between();
    home.allocate();
    sim.advance(1);
    sim.price("ADAUSDT", "1.3");
    (sim, proxy, home)
}

#[test]
fn x1_an_order_that_fills_in_part_or_not_at_all_is_replanned() {
    for (fraction, word) in [("0", "expired"), ("0.01", "expired"), ("0.3", "partial"), ("0.5", "partial")] {
        let sim = Sim::start();
        let home = Home::at(&sim.url);
        sim.faults(&[(ORDER, 1, 1, &format!("partial:{fraction}"))]);
        let run = home.rebalance();
        run.ended(5, "partial");
        let odd: Vec<String> = run.orders().into_iter().filter(|status| status != "filled").collect();
        assert!(odd.len() == 1 && (odd[0] == word || odd[0] == "partial"), "{fraction}: {run:?}");
        home.agrees_with(&sim);
        sim.faults(&[]);
        let run = home.rebalance();
        assert_eq!(run.code, Some(0), "{run:?}");
        home.quiet();
        home.agrees_with(&sim);
        sim.once_each();
    }
}

#[test]
fn x2_an_answer_that_says_new_is_not_final() {
    let (sim, proxy, home) = between();
    proxy.always(
        ORDER,
        Act::edit(|body| {
            let mut json: Value = serde_json::from_str(body).unwrap();
            json["status"] = json!("NEW");
            json["executedQty"] = json!("0");
            json["cumQuote"] = json!("0");
            json["avgPrice"] = json!("0.00");
            json.to_string()
        }),
    );
    let run = home.rebalance();
    run.ended(0, "traded");
    assert_eq!(run.orders(), ["filled"; 4]);
    assert_eq!(proxy.count("GET /fapi/v1/order?"), 4, "each is asked for");
    home.agrees_with(&sim);
    sim.once_each();
}

/// Each code that refuses one order and says nothing about the next.
const REFUSALS: [i64; 19] = [
    -1102, -1111, -1121, -2018, -2021, -2023, -2027, -4003, -4005, -4014, -4024, -4061, -4131, -4140, -4141,
    -4164, -4400, -4401, -4411,
];

#[test]
fn x3_every_refusal_of_an_order_is_told_and_the_others_go_on() {
    let coins = [
        "ADAUSDT",
        "XRPUSDT",
        "DOGEUSDT",
        "TRXUSDT",
        "XLMUSDT",
        "HBARUSDT",
        "SOLUSDT",
        "LINKUSDT",
        "SUIUSDT",
        "AVAXUSDT",
        "NEARUSDT",
        "APTUSDT",
        "ATOMUSDT",
        "FILUSDT",
        "ARBUSDT",
        "OPUSDT",
        "INJUSDT",
        "UNIUSDT",
        "1000PEPEUSDT",
        "DOTUSDT",
    ];
    let sim = Sim::with(&["--equity", "1000"]);
    let home = Home::at(&sim.url).set(symbols(&coins)).set("execution.concurrency=1");
    let actions: Vec<String> = REFUSALS.iter().map(|code| format!("reject:{code}")).collect();
    let faults: Vec<_> =
        actions.iter().zip(1..).map(|(action, nth)| (ORDER, nth, 1, action.as_str())).collect();
    sim.faults(&faults);
    let run = home.rebalance();
    run.ended(5, "partial");
    let rejected = run.orders().iter().filter(|word| *word == "rejected").count();
    let planned = run.orders().len();
    assert_eq!(
        (rejected, sim.orders().len()),
        (REFUSALS.len().min(planned), planned.saturating_sub(REFUSALS.len()))
    );
    for (order, code) in run.report["orders"].as_array().unwrap().iter().zip(REFUSALS) {
        assert!(text(order, "error").contains(&code.to_string()), "{order}");
    }
    assert_eq!(home.sql("SELECT count(*) FROM intent WHERE state = 'rejected'"), [rejected.to_string()]);
}

#[test]
fn x3_without_margin_no_further_increase_goes_out() {
    let sim = Sim::start();
    let home = Home::at(&sim.url).set("execution.concurrency=1");
    sim.faults(&[(ORDER, 2, 1, "reject:-2019")]);
    let run = home.rebalance();
    run.ended(5, "partial");
    assert_eq!(run.orders(), ["filled", "not_sent", "not_sent", "rejected"]);
    assert_eq!(sim.orders().len(), 1);
}

#[test]
fn x5_a_position_closed_by_somebody_between_look_and_order_is_harmless() {
    let (sim, proxy, home) = harvest();
    let held = sim.positions()["ADAUSDT"].clone();
    let exchange = sim.url.clone();
    proxy.on(
        ORDER,
        1,
        1,
        Act::before(move || {
            let body = json!({"symbol": "ADAUSDT", "qty": format!("-{held}")}).to_string();
            super::world::request(&exchange, "POST", "/sim/trade", "", body.as_bytes());
        }),
    );
    let run = home.rebalance();
    run.ended(5, "partial");
    assert_eq!(run.orders(), ["rejected"], "{run:?}");
    assert!(!sim.positions().contains_key("ADAUSDT"));
    proxy.clear();
    let run = home.rebalance();
    assert!(run.skips("ADAUSDT", "changed_elsewhere"), "{run:?}");
    home.rebalance().ended(0, "traded");
    home.agrees_with(&sim);
}

#[test]
fn x6_a_hand_trade_in_one_of_our_coins_is_noticed_and_not_fought() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    home.allocate();
    for qty in ["30", "-50"] {
        sim.trade("ADAUSDT", qty);
        let before = sim.orders().len();
        let run = home.rebalance();
        assert!(run.skips("ADAUSDT", "changed_elsewhere"), "{run:?}");
        assert_eq!(sim.orders().len(), before, "nothing is sent against it in the same pass");
    }
    home.rebalance().ended(0, "traded");
    home.agrees_with(&sim);
}

#[test]
fn x7_a_coin_that_is_not_ours_is_never_touched_and_a_flip_is_noticed() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    home.allocate();
    sim.trade("SOLUSDT", "1");
    sim.trade("ADAUSDT", "-100");
    assert!(sim.positions()["ADAUSDT"].starts_with('-'));
    let before = sim.orders().len();
    let run = home.rebalance();
    assert!(run.skips("ADAUSDT", "changed_elsewhere"), "{run:?}");
    home.rebalance();
    home.rebalance();
    let ours = sim.orders().into_iter().skip(before);
    let touched: Vec<String> = ours.map(|order| text(&order, "symbol")).collect();
    assert!(touched.iter().all(|symbol| symbol == "ADAUSDT"), "{touched:?}");
    assert_eq!(sim.positions()["SOLUSDT"], "1");
}

#[test]
fn x8_x9_hedge_and_multi_assets_mode_are_refused_with_where_to_switch() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    for (modes, word) in
        [(json!({"hedge": true}), "one-way"), (json!({"hedge": false, "multi_assets": true}), "single-asset")]
    {
        sim.call("POST", "/sim/modes", &modes);
        let run = home.rebalance();
        run.ended(2, "config");
        assert!(run.report.to_string().contains(word), "{run:?}");
        assert_eq!(sim.posts(0), Vec::<String>::new());
    }
}

#[test]
fn x10_an_isolated_position_is_left_alone_and_an_isolated_empty_coin_made_cross() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    sim.call("POST", "/sim/modes", &json!({"isolated": "ADAUSDT"}));
    home.allocate();
    assert!(sim.posts(0).contains(&"POST /fapi/v1/marginType".to_owned()));
    sim.call("POST", "/sim/modes", &json!({"isolated": "XRPUSDT"}));
    sim.price("XRPUSDT", "1.5");
    let before = sim.requests();
    let run = home.rebalance();
    assert!(run.skips("XRPUSDT", "isolated"), "{run:?}");
    assert_eq!(sim.posts(before), Vec::<String>::new());
}

#[test]
fn x11_a_coin_that_allows_less_leverage_is_held_at_what_it_allows() {
    let (sim, proxy, home) = between();
    proxy.always(
        "GET /fapi/v1/leverageBracket",
        of_ada("", |row| {
            for bracket in row["brackets"].as_array_mut().unwrap() {
                bracket["initialLeverage"] = json!(3);
            }
        }),
    );
    let run = home.rebalance();
    run.ended(0, "traded");
    let settings = run.report["plan"]["settings"].as_array().unwrap();
    let ada = settings.iter().find(|setting| setting["symbol"] == "ADAUSDT").unwrap();
    assert_eq!(ada["leverage"], 3, "{settings:?}");
    drop((sim, home));
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    sim.faults(&[("POST /fapi/v1/leverage", 1, 1, "reject:-4028")]);
    let run = home.rebalance();
    run.ended(5, "partial");
    assert_eq!((sim.orders().len(), run.report["notes"].as_array().unwrap().len()), (3, 1), "{run:?}");
}

#[test]
fn x12_a_contract_that_does_not_trade_is_left_alone_whatever_its_status() {
    for status in
        ["SETTLING", "PRE_SETTLE", "CLOSE", "CANCEL_ONLY", "BREAK", "PENDING_TRADING", "NEVER_HEARD_OF"]
    {
        let sim = Sim::start();
        let home = Home::at(&sim.url);
        sim.status("ADAUSDT", status);
        let run = home.rebalance();
        run.ended(0, "traded");
        assert!(run.skips("ADAUSDT", "not_trading"), "{status}: {run:?}");
        assert_eq!(sim.orders().len(), 3);
    }
}

#[test]
fn x12_a_contract_that_closes_between_plan_and_order_costs_only_that_leg() {
    let (sim, proxy, home) = between();
    let exchange = sim.url.clone();
    proxy.on(
        ORDER,
        1,
        1,
        Act::before(move || {
            let body = json!({"symbol": "ADAUSDT", "status": "SETTLING"}).to_string();
            super::world::request(&exchange, "POST", "/sim/status", "", body.as_bytes());
        }),
    );
    let home = home.set("execution.concurrency=1");
    let run = home.rebalance();
    run.ended(5, "partial");
    assert_eq!(run.orders(), ["filled", "filled", "filled", "rejected"]);
    let run = home.rebalance();
    assert!(run.skips("ADAUSDT", "not_trading"), "the rules are read anew: {run:?}");
    home.agrees_with(&sim);
}

/// The contract of the synthetic market that ends first, and in how many bars.
fn ending(sim: &Sim) -> (String, u64) {
    let info = sim.call("GET", "/fapi/v1/exchangeInfo", &Value::Null);
    let now = sim.call("GET", "/fapi/v1/time", &Value::Null)["serverTime"].as_u64().unwrap();
    let trading = info["symbols"].as_array().unwrap().iter().filter(|row| {
        row["status"] == "TRADING" && row["marginAsset"] == "USDT" && row["contractType"] == "PERPETUAL"
    });
    let first = trading.min_by_key(|row| row["deliveryDate"].as_u64().unwrap()).unwrap();
    let bars = (first["deliveryDate"].as_u64().unwrap() - now) / 300_000;
    assert!(bars < 100_000, "no contract ends");
    (text(first, "symbol"), bars)
}

#[test]
fn x12_x13_a_coin_whose_end_is_announced_is_not_bought_and_its_settlement_is_an_event_of_others() {
    let sim = Sim::with(&[]);
    let (symbol, bars) = ending(&sim);
    let home = Home::at(&sim.url).set(symbols(&["ADAUSDT", &symbol]));
    let run = home.rebalance();
    run.ended(0, "traded");
    assert!(run.skips(&symbol, "delisting"), "{run:?}");
    sim.trade(&symbol, "100");
    home.rebalance();
    sim.advance(bars + 2);
    assert!(!sim.positions().contains_key(&symbol), "it was settled");
    let before = sim.requests();
    let run = home.rebalance();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        !sim.posts(before).iter().any(|post| post == ORDER)
            || run.orders().iter().all(|word| word == "filled")
    );
    assert_eq!(home.sql(&format!("SELECT qty FROM position WHERE symbol = '{symbol}'")), ["0"]);
}

#[test]
fn x14_filters_that_changed_are_read_again_by_the_next_pass() {
    for code in ["-1111", "-4014", "-4023", "-4164"] {
        let sim = Sim::start();
        let home = Home::at(&sim.url);
        sim.faults(&[(ORDER, 1, 1, &format!("reject:{code}"))]);
        home.rebalance().ended(5, "partial");
        sim.faults(&[]);
        home.rebalance().ended(0, "traded");
        let state = sim.state();
        let all = state["requests"].as_array().unwrap().iter();
        assert_eq!(all.filter(|row| row["path"] == "/fapi/v1/exchangeInfo").count(), 2, "{code}");
        sim.once_each();
    }
}

#[test]
fn x15_an_order_above_the_largest_allowed_goes_out_in_parts() {
    let (sim, proxy, home) = between();
    proxy.always(
        "GET /fapi/v1/exchangeInfo",
        of_ada("symbols", |row| {
            for filter in row["filters"].as_array_mut().unwrap() {
                if filter["maxQty"].is_string() {
                    filter["maxQty"] = json!("20");
                }
            }
        }),
    );
    let run = home.rebalance();
    run.ended(0, "traded");
    let parts = sim.orders().into_iter().filter(|order| order["symbol"] == "ADAUSDT");
    let parts: Vec<f64> = parts.map(|order| text(&order, "qty").parse().unwrap()).collect();
    assert!(parts.len() == 3 && parts.iter().all(|qty| *qty <= 20.0), "{parts:?}");
    sim.once_each();
    home.agrees_with(&sim);
}

#[test]
fn x16_dust_below_the_minimum_may_be_closed_but_not_opened() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    home.allocate();
    let held: i64 = sim.positions()["ADAUSDT"].parse().unwrap();
    sim.trade("ADAUSDT", &format!("-{}", held - 1));
    home.rebalance();
    let mut home = home;
    home.change(symbols(&["XRPUSDT", "DOGEUSDT", "TRXUSDT"]));
    home.rebalance().ended(0, "traded");
    assert!(!sim.positions().contains_key("ADAUSDT"), "0.37 USDT are closed reduce-only");
    home.agrees_with(&sim);
    home.change("basket.target_value=3");
    home.change(symbols(&["XLMUSDT"]));
    let run = home.rebalance();
    assert!(run.skips("XLMUSDT", "infeasible") || run.skips("XLMUSDT", "below_min_notional"), "{run:?}");
}

/// ADA's row of an answer is changed so; ADA is not traded, and no order of the pass names it.
fn unusable(path: &str, change: impl Fn(&mut Value) + Send + Sync + 'static, reasons: &[&str]) {
    let (sim, proxy, home) = harvest();
    proxy.always(path, of_ada("", change));
    let before = sim.orders().len();
    let run = home.rebalance();
    let why: Vec<String> =
        run.skipped().into_iter().filter(|(symbol, _)| symbol == "ADAUSDT").map(|(_, why)| why).collect();
    assert!(why.iter().any(|why| reasons.contains(&why.as_str())) || run.code == Some(4), "{path}: {run:?}");
    assert_eq!(sim.orders().len(), before, "{path}: {run:?}");
}

#[test]
fn x17_a_mark_that_jumped_is_zero_or_old_is_not_traded() {
    for factor in ["10", "0.1"] {
        let wrong = factor.parse::<f64>().unwrap();
        unusable(
            "GET /fapi/v1/premiumIndex",
            move |row| {
                let price: f64 = text(row, "markPrice").parse().unwrap();
                row["markPrice"] = json!(format!("{:.6}", price * wrong));
            },
            &["mark_gap", "no_price"],
        );
    }
    unusable("GET /fapi/v1/premiumIndex", |row| row["markPrice"] = json!("0"), &["no_price"]);
    unusable("GET /fapi/v1/premiumIndex", |row| row["markPrice"] = json!("0.00000000"), &["no_price"]);
    unusable(
        "GET /fapi/v1/premiumIndex",
        |row| {
            row["time"] = json!(row["time"].as_i64().unwrap() - 600_000);
        },
        &["no_price"],
    );
}

#[test]
fn x18_an_empty_one_sided_or_crossed_book_is_not_traded() {
    for (bid, ask) in [("0", "0"), ("0.4", "0"), ("0", "0.4"), ("0.6", "0.4")] {
        unusable(
            "GET /fapi/v1/ticker/bookTicker",
            move |row| {
                row["bidPrice"] = json!(bid);
                row["askPrice"] = json!(ask);
            },
            &["no_price", "spread", "mark_gap"],
        );
    }
}

#[test]
fn x19_a_wide_book_is_not_traded_and_an_order_is_bounded_by_its_limit() {
    unusable(
        "GET /fapi/v1/ticker/bookTicker",
        |row| {
            let bid: f64 = text(row, "bidPrice").parse().unwrap();
            row["askPrice"] = json!(format!("{:.5}", bid * 1.05));
        },
        &["spread", "mark_gap"],
    );
    let (sim, proxy, home) = between();
    let exchange = sim.url.clone();
    // Between look and order the price runs away by 5 %: the limit holds.
    proxy.on(
        ORDER,
        1,
        1,
        Act::before(move || {
            let body = json!({"symbol": "ADAUSDT", "factor": "1.05"}).to_string();
            super::world::request(&exchange, "POST", "/sim/price", "", body.as_bytes());
        }),
    );
    let home = home.set("execution.concurrency=1");
    let run = home.rebalance();
    run.ended(5, "partial");
    assert_eq!(run.orders(), ["expired", "filled", "filled", "filled"]);
    home.agrees_with(&sim);
}

#[test]
fn x20_funding_is_booked_from_its_rows_whatever_its_interval() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    home.allocate();
    sim.advance(12 * 8 + 1);
    home.rebalance();
    let paid =
        sim.state()["income"].as_array().unwrap().iter().filter(|row| row["type"] == "FUNDING_FEE").count();
    assert!(paid > 0);
    let booked = home.sql("SELECT count(*) FROM income WHERE kind = 'FUNDING_FEE'");
    assert_eq!(booked, [paid.to_string()]);
    sim.advance(12 * 8);
    home.rebalance();
    let twice =
        sim.state()["income"].as_array().unwrap().iter().filter(|row| row["type"] == "FUNDING_FEE").count();
    assert_eq!(home.sql("SELECT count(*) FROM income WHERE kind = 'FUNDING_FEE'"), [twice.to_string()]);
}

#[test]
fn x21_a_deleveraged_position_is_an_event_of_others() {
    let (sim, proxy, home) = between();
    home.allocate();
    sim.trade("ADAUSDT", "-30");
    proxy.always(
        "GET /fapi/v1/allOrders",
        Act::edit(|body| {
            let mut json: Value = serde_json::from_str(body).unwrap();
            for row in json.as_array_mut().unwrap() {
                if !text(row, "clientOrderId").starts_with("rb1") {
                    row["clientOrderId"] = json!("adl_autoclose");
                }
            }
            json.to_string()
        }),
    );
    let before = sim.orders().len();
    let run = home.rebalance();
    assert!(run.code == Some(0) && run.skips("ADAUSDT", "changed_elsewhere"), "{run:?}");
    assert_eq!(sim.orders().len(), before);
    proxy.clear();
    home.rebalance().ended(0, "traded");
    home.agrees_with(&sim);
}

#[test]
fn x22_after_a_liquidation_nothing_is_opened() {
    let sim = Sim::with(&["--equity", "100"]);
    let home = Home::at(&sim.url).set("basket.target_value=60").set("risk.max_effective_leverage=3");
    home.allocate();
    for coin in BASKET {
        sim.price(coin, "0.55");
    }
    sim.advance(1);
    assert!(sim.positions().is_empty(), "liquidated: {:?}", sim.positions());
    let before = sim.requests();
    let run = home.rebalance();
    assert!(run.code == Some(4) || run.orders().is_empty(), "{run:?}");
    assert!(!sim.posts(before).contains(&ORDER.to_owned()), "{run:?}");
    assert_eq!(
        home.sql("SELECT count(*) FROM outbox WHERE level = 'critical'"),
        ["1"],
        "it is told: {run:?}"
    );
}

#[test]
fn x23_fees_in_another_asset_are_booked_in_that_asset() {
    let (sim, proxy, home) = between();
    proxy.always(
        "GET /fapi/v1/userTrades",
        Act::edit(|body| body.replace(r#""commissionAsset":"USDT""#, r#""commissionAsset":"BNB""#)),
    );
    home.allocate();
    assert_eq!(home.sql("SELECT DISTINCT fee_asset FROM fill"), ["BNB"]);
    let trades = String::from_utf8(home.contents()["trades.csv"].clone()).unwrap();
    assert_eq!(trades.lines().filter(|line| line.contains(",BNB,")).count(), 4);
    drop(sim);
}

/// Totals and balances of the account are zero, as some saw on 2025-10-10.
pub(super) fn zeroed(body: &str) -> String {
    let mut json: Value = serde_json::from_str(body).unwrap();
    fn zero(value: &mut Value) {
        for (name, value) in value.as_object_mut().unwrap() {
            let lower = name.to_lowercase();
            let money =
                ["balance", "margin", "profit", "pnl", "withdraw"].iter().any(|word| lower.contains(word));
            if value.is_string() && money {
                *value = json!("0");
            }
        }
    }
    zero(&mut json);
    for list in ["assets", "positions"] {
        json[list].as_array_mut().into_iter().flatten().for_each(zero);
    }
    json.to_string()
}

#[test]
fn x24_a_balance_shown_as_zero_trades_nothing_and_moves_no_baseline() {
    let (sim, proxy, home) = harvest();
    let baseline = home.sql("SELECT nav || ' ' || peak || ' ' || units FROM equity ORDER BY pass_id");
    let before = sim.requests();
    proxy.always("GET /fapi/v3/account", Act::edit(zeroed));
    for _ in 0..2 {
        home.rebalance().ended(4, "unavailable");
    }
    assert_eq!(sim.posts(before), Vec::<String>::new());
    assert_eq!(home.sql("SELECT nav || ' ' || peak || ' ' || units FROM equity ORDER BY pass_id"), baseline);
    proxy.clear();
    home.rebalance().ended(0, "traded");
}

#[test]
fn x25_deposits_and_withdrawals_are_no_profit_and_no_loss() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    home.allocate();
    for amount in ["100", "-180", "300"] {
        sim.advance(1);
        sim.call("POST", "/sim/transfer", &json!({"amount": amount}));
        let run = home.rebalance();
        assert_eq!(run.code, Some(0), "{run:?}");
        let drawdown: f64 = text(&run.report["plan"], "drawdown").parse().unwrap();
        let nav: f64 = text(&run.report["plan"], "nav").parse().unwrap();
        assert!(drawdown < 0.01 && (nav - 1.0).abs() < 0.01, "{amount}: {}", run.report["plan"]);
    }
}

/// What the account is worth per unit once coins of `held` changed by a quarter: with the transfer before, after, and
/// where nobody says what the prices were in between. A unit is the equity of before over what it was worth.
#[test]
fn x26_a_transfer_is_told_from_the_move_of_prices_beside_it() {
    let nav = |home: &Home| -> f64 {
        let run = home.run(&["plan", "--dry-run"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        text(&run.report, "nav").parse().unwrap()
    };
    let equity = |sim: &Sim| -> f64 { text(&sim.state(), "equity").parse().unwrap() };
    let moves = |sim: &Sim, factor: &str| {
        sim.positions().keys().for_each(|symbol| sim.price(symbol, factor));
    };
    let moved = |sim: &Sim, amount: f64| {
        sim.call("POST", "/sim/transfer", &json!({"amount": amount.to_string()}));
    };
    let close = |name: &str, found: f64, expected: f64| {
        assert!((found / expected - 1.0).abs() < 0.012, "{name}: {found}, not {expected}");
    };
    for (amount, factor) in [(100.0, "0.75"), (-80.0, "1.25"), (100.0, "1.25"), (-80.0, "0.75")] {
        let sim = Sim::start();
        let home = Home::at(&sim.url);
        home.allocate();
        sim.advance(1);
        home.rebalance();
        let (unit, before) = (nav(&home), equity(&sim));
        // The transfer, and a bar later the prices.
        moved(&sim, amount);
        sim.advance(1);
        moves(&sim, factor);
        let after = equity(&sim);
        let transfer_first = unit * after / (before + amount);
        let prices_first = unit * (after - amount) / before;
        assert!((transfer_first / prices_first - 1.0).abs() > 0.03, "the two are told apart");
        close("transfer first", nav(&home), transfer_first);
        // Without prices of then, they are taken to have moved first.
        sim.faults(&[("GET /fapi/v1/markPriceKlines", 1, 99, "reply:500:{}")]);
        close("no prices", nav(&home), prices_first);
        sim.faults(&[]);

        let sim = Sim::start();
        let home = Home::at(&sim.url);
        home.allocate();
        sim.advance(1);
        home.rebalance();
        let (unit, before) = (nav(&home), equity(&sim));
        moves(&sim, factor);
        sim.advance(1);
        let fallen = equity(&sim);
        moved(&sim, amount);
        sim.advance(1);
        close("prices first", nav(&home), unit * fallen / before);
    }
}

#[test]
fn x27_a_symbol_that_is_gone_is_named_and_not_taken_for_weight_zero() {
    let (sim, proxy, home) = between();
    home.allocate();
    proxy.always(
        "GET /fapi/v1/exchangeInfo",
        Act::edit(|body| {
            let mut json: Value = serde_json::from_str(body).unwrap();
            json["symbols"].as_array_mut().unwrap().retain(|row| row["symbol"] != "ADAUSDT");
            json.to_string()
        }),
    );
    let home = home.set("exchange.exchange_info_max_age=0s");
    let before = sim.orders().len();
    let run = home.rebalance();
    assert!(run.skips("ADAUSDT", "not_listed"), "{run:?}");
    assert_eq!(sim.orders().len(), before, "its position is not sold");
}

#[test]
fn x28_a_quantitative_ban_of_a_coin_ends_its_leg_only() {
    let sim = Sim::start();
    let home = Home::at(&sim.url).set("execution.concurrency=1");
    sim.faults(&[(ORDER, 1, 1, "reject:-4400")]);
    let run = home.rebalance();
    run.ended(5, "partial");
    assert_eq!(run.orders(), ["filled", "filled", "filled", "rejected"]);
    sim.faults(&[]);
    home.rebalance().ended(0, "traded");
    sim.once_each();
}

#[test]
fn x29_a_key_that_lost_its_permission_ends_with_2_and_what_to_do() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    home.allocate();
    let before = sim.requests();
    let gone = r#"reply:401:{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}"#;
    sim.faults(&[("GET /fapi/*", 2, 99, gone)]);
    let run = home.rebalance();
    run.ended(2, "config");
    assert!(run.report["hint"].as_str().unwrap().contains("IP list"), "{run:?}");
    assert_eq!(sim.posts(before), Vec::<String>::new());
}

#[test]
fn x30_a_key_without_futures_reads_but_its_orders_are_refused_in_words() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    sim.call("POST", "/sim/restrictions", &json!({"enableFutures": false}));
    assert_eq!(home.run(&["plan"]).code, Some(0));
    let run = home.rebalance();
    assert!(matches!(run.code, Some(2 | 5)), "{run:?}");
    assert!(run.report.to_string().contains("-2015"), "{run:?}");
    assert_eq!(sim.orders().len(), 0);
}

#[test]
fn x31_an_order_of_ours_that_still_rests_is_cancelled_first() {
    let sim = Sim::start();
    let home = Home::at(&sim.url).set("execution.concurrency=1");
    sim.faults(&[(ORDER, 4, 1, "drop")]);
    home.rebalance().ended(5, "partial");
    let lost = home
        .sql("SELECT symbol || ' ' || client_id || ' ' || qty FROM intent WHERE state = 'unknown'")
        .remove(0);
    let parts: Vec<&str> = lost.split(' ').collect();
    let mark = text(
        &sim.call("GET", &format!("/fapi/v1/premiumIndex?symbol={}", parts[0]), &Value::Null),
        "markPrice",
    );
    let price = mark.parse::<f64>().unwrap() * 0.97;
    // It arrives after all, and rests.
    let said = sim.signed(
        "POST",
        "/fapi/v1/order",
        &format!(
            "symbol={}&side=BUY&type=LIMIT&timeInForce=GTC&quantity={}&price={price:.3}&newClientOrderId={}",
            parts[0], parts[2], parts[1],
        ),
    );
    assert_eq!(said["status"], "NEW", "{said}");
    let run = home.rebalance();
    assert_eq!(run.code, Some(0), "{run:?}");
    let rested = sim.orders().into_iter().find(|order| text(order, "client_order_id") == parts[1]).unwrap();
    assert_eq!(rested["status"], "CANCELED");
    home.quiet();
    home.agrees_with(&sim);
}

#[test]
fn x32_resting_orders_of_the_owner_are_left_alone() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    home.allocate();
    let said = sim.signed(
        "POST",
        "/fapi/v1/order",
        "symbol=ADAUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=30&price=0.3600&newClientOrderId=mine",
    );
    assert_eq!(said["status"], "NEW", "{said}");
    home.quiet();
    sim.price("XRPUSDT", "1.3");
    home.rebalance().ended(0, "traded");
    let mine = sim.orders().into_iter().find(|order| order["client_order_id"] == "mine").unwrap();
    assert_eq!(mine["status"], "NEW");
    assert!(!sim.posts(0).iter().any(|post| post.starts_with("DELETE")));
}

#[test]
fn x33_a_test_account_without_sapi_works_and_a_reset_one_is_no_profit() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    sim.faults(&[("/sapi/*", 1, 99, "reply:404:<html>404</html>")]);
    home.allocate();
    sim.advance(1);
    // The testnet's operator fills the account up.
    sim.call("POST", "/sim/transfer", &json!({"amount": "4800"}));
    let run = home.rebalance();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(text(&run.report["plan"], "nav").parse::<f64>().unwrap() < 1.01, "{}", run.report["plan"]["nav"]);
}

#[test]
fn x34_an_archived_account_or_a_closed_session_is_told_in_the_exchange_s_words() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    sim.faults(&[(
        "GET /fapi/v3/account",
        1,
        9,
        "reply:400:{\"code\":-4109,\"msg\":\"This account is inactive, please activate it.\"}",
    )]);
    let run = home.rebalance();
    run.ended(2, "config");
    assert!(run.message().contains("inactive"), "{run:?}");
    sim.faults(&[(
        ORDER,
        1,
        1,
        "reply:400:{\"code\":-4140,\"msg\":\"Invalid symbol status for opening position.\"}",
    )]);
    let run = home.rebalance();
    run.ended(5, "partial");
    assert!(run.report.to_string().contains("Invalid symbol status"), "{run:?}");
    assert_eq!(sim.orders().len(), 3);
}

#[test]
fn x35_a_position_above_what_its_leverage_may_carry_is_not_opened() {
    let (sim, proxy, home) = between();
    proxy.always(
        "GET /fapi/v1/leverageBracket",
        of_ada("", |row| {
            let first = row["brackets"].as_array().unwrap()[0].clone();
            row["brackets"] = json!([first]);
            row["brackets"][0]["notionalCap"] = json!(10);
        }),
    );
    let run = home.rebalance();
    assert!(run.skips("ADAUSDT", "position_cap"), "{run:?}");
    assert_eq!(sim.orders().len(), 3);
}
