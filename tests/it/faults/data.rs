//! Faults of data (D): numbers, names and shapes that no exchange should send.

use rebal::wire::binance::error;
use rebal::wire::binance::usdm::{account, history, listing, market, order};
use serde_json::{Value, json};

use super::proxy::{Act, Proxy};
use super::world::{Home, ORDER, Sim, finish, symbols, text};

/// Whether the bytes were read; never a panic.
type Reads = fn(&[u8]) -> bool;

/// Every answer that a pass reads, with what reads it.
const READERS: [(&str, Reads); 12] = [
    ("/fapi/v1/time", |bytes| market::time(bytes).is_ok()),
    ("/fapi/v1/premiumIndex", |bytes| {
        market::premium_index(bytes).is_ok_and(|listed| listed.problems.is_empty())
    }),
    ("/fapi/v1/ticker/bookTicker", |bytes| {
        market::book_ticker(bytes).is_ok_and(|listed| listed.problems.is_empty())
    }),
    ("/fapi/v1/exchangeInfo", |bytes| {
        listing::exchange_info(bytes).is_ok_and(|listed| listed.problems.is_empty())
    }),
    ("/fapi/v1/leverageBracket", |bytes| {
        listing::leverage_brackets(bytes).is_ok_and(|listed| listed.problems.is_empty())
    }),
    ("/fapi/v1/symbolConfig", |bytes| {
        account::symbol_config(bytes).is_ok_and(|listed| listed.problems.is_empty())
    }),
    ("/fapi/v1/accountConfig", |bytes| account::account_config(bytes).is_ok()),
    ("/fapi/v3/account", |bytes| account::account(bytes).is_ok()),
    ("/fapi/v3/positionRisk", |bytes| account::position_risk(bytes).is_ok()),
    ("/fapi/v1/userTrades", |bytes| history::user_trades(bytes).is_ok()),
    ("/fapi/v1/income", |bytes| history::income(bytes).is_ok()),
    ("/fapi/v1/allOrders", |bytes| order::all_orders(bytes).is_ok()),
];

/// The simulator's own answers after some trading, shortened to a few rows.
fn samples() -> Vec<(&'static str, Reads, Value)> {
    let sim = Sim::start();
    sim.trade("ETHUSDT", "0.01");
    sim.signed(
        "POST",
        "/fapi/v1/order",
        "symbol=ETHUSDT&side=BUY&type=MARKET&quantity=0.01&newClientOrderId=x",
    );
    let shorten = |mut value: Value| {
        let mut inner = value.as_object_mut().and_then(|map| map.get_mut("symbols")).map(Value::take);
        if let Some(rows) = inner.as_mut().and_then(Value::as_array_mut) {
            rows.truncate(2);
            value["symbols"] = json!(rows);
        }
        if let Some(rows) = value.as_array_mut() {
            rows.truncate(2);
        }
        value
    };
    let ask = |path: &str| match path {
        "/fapi/v1/userTrades" | "/fapi/v1/allOrders" => sim.signed("GET", path, "symbol=ETHUSDT"),
        "/fapi/v1/time"
        | "/fapi/v1/premiumIndex"
        | "/fapi/v1/ticker/bookTicker"
        | "/fapi/v1/exchangeInfo" => sim.call("GET", path, &Value::Null),
        _ => sim.signed("GET", path, "recvWindow=5000"),
    };
    READERS.iter().map(|(path, reads)| (*path, *reads, shorten(ask(path)))).collect()
}

/// Every place inside a value, as JSON pointers.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(name, inner)| {
            let name = name.replace('~', "~0").replace('/', "~1");
            all.push(format!("{at}/{name}"));
            places(inner, &format!("{at}/{name}"), all);
        }),
        Value::Array(rows) => rows.iter().enumerate().for_each(|(number, inner)| {
            all.push(format!("{at}/{number}"));
            places(inner, &format!("{at}/{number}"), all);
        }),
        _ => {}
    }
}

/// What stands in each place in turn; none of it may panic, and what is required must be missed.
fn each_place(changes: &[Value]) -> usize {
    let mut refused = 0;
    for (path, reads, sample) in samples() {
        let whole = sample.to_string();
        assert!(reads(whole.as_bytes()), "{path}: {whole}");
        let mut all = Vec::new();
        places(&sample, "", &mut all);
        for place in all {
            for change in changes {
                let mut changed = sample.clone();
                *changed.pointer_mut(&place).unwrap() = change.clone();
                refused += usize::from(!reads(changed.to_string().as_bytes()));
            }
        }
    }
    refused
}

#[test]
fn d1_numbers_that_are_none_never_pass_for_one() {
    let odd = [
        "NaN",
        "inf",
        "-inf",
        "1e400",
        "1_000",
        "0x10",
        "",
        " 1",
        "1.",
        "+1",
        "١٢",
        "1,5",
        "0.1234567890123456789012345678901234567890123",
    ];
    let odd: Vec<Value> = odd.iter().map(|text| json!(text)).collect();
    assert!(each_place(&odd) > 500);
    for odd in ["NaN", "1e400", "1_000"] {
        let sim = Sim::start();
        let proxy = Proxy::before(&sim.url);
        proxy.always(
            "GET /fapi/v1/premiumIndex",
            Act::edit(move |body| {
                let mut json: Value = serde_json::from_str(body).unwrap();
                json.as_array_mut().unwrap().iter_mut().for_each(|row| row["markPrice"] = json!(odd));
                json.to_string()
            }),
        );
        let run = Home::at(&proxy.url).rebalance();
        assert!(run.code == Some(4), "{odd}: {run:?}");
        assert_eq!(sim.posts(0), Vec::<String>::new());
    }
}

#[test]
fn d2_signs_where_there_are_none_are_errors_of_their_field() {
    let row = r#"{"symbol":"AUSDT","id":1,"orderId":2,"side":"BUY","price":"PRICE","qty":"QTY","realizedPnl":"0",
        "commission":"FEE","commissionAsset":"USDT","time":1700000000000,"buyer":true,"maker":false,"positionSide":"BOTH","quoteQty":"1"}"#;
    let read = |price: &str, qty: &str, fee: &str| {
        let row = row.replace("PRICE", price).replace("QTY", qty).replace("FEE", fee);
        history::user_trades(format!("[{row}]").as_bytes()).map_err(|error| error.to_string())
    };
    assert!(read("10", "1", "0.1").is_ok());
    for (price, qty, fee, field) in [
        ("-10", "1", "0.1", "price"),
        ("0", "1", "0.1", "price"),
        ("10", "-1", "0.1", "qty"),
        ("10", "0", "0.1", "qty"),
    ] {
        let said = read(price, qty, fee).unwrap_err();
        assert!(said.contains(field), "{said}");
    }
}

#[test]
fn d3_new_fields_and_words_are_taken_as_they_are_and_not_traded() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let add = |body: &str| {
        let mut json: Value = serde_json::from_str(body).unwrap();
        fn grow(value: &mut Value) {
            match value {
                Value::Object(map) => {
                    map.values_mut().for_each(grow);
                    map.insert("newSince2027".into(), json!({"deep": [1, "x", null]}));
                }
                Value::Array(rows) => rows.iter_mut().for_each(grow),
                _ => {}
            }
        }
        grow(&mut json);
        json.to_string()
    };
    for path in [
        "GET /fapi/v1/time",
        "GET /fapi/v1/premiumIndex",
        "GET /fapi/v1/ticker/bookTicker",
        "GET /fapi/v3/account",
        "GET /fapi/v3/positionRisk",
        "GET /fapi/v1/symbolConfig",
        "GET /fapi/v1/accountConfig",
        "GET /fapi/v1/exchangeInfo",
        "GET /fapi/v1/leverageBracket",
        "GET /fapi/v1/userTrades",
        "GET /fapi/v1/commissionRate",
        "GET /fapi/v3/balance",
        ORDER,
    ] {
        proxy.always(path, Act::edit(add));
    }
    let home = Home::at(&proxy.url);
    home.allocate();
    home.agrees_with(&sim);
}

#[test]
fn d4_every_field_may_be_missing_without_a_panic_and_the_needed_ones_are_named() {
    let mut named = 0;
    for (path, reads, sample) in samples() {
        let mut all = Vec::new();
        places(&sample, "", &mut all);
        for place in all {
            let (parent, name) = place.rsplit_once('/').unwrap();
            let mut changed = sample.clone();
            if let Some(Value::Object(map)) = changed.pointer_mut(parent) {
                map.remove(name);
                named += usize::from(!reads(changed.to_string().as_bytes()));
            }
        }
        assert!(reads(sample.to_string().as_bytes()), "{path}");
    }
    assert!(named > 40, "{named}");
}

#[test]
fn d5_an_order_s_answer_that_repeats_a_key_is_unknown() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    proxy.on(ORDER, 1, 1, Act::edit(|body| body.replacen('{', r#"{"executedQty":"0","#, 1)));
    let home = Home::at(&proxy.url).set("execution.concurrency=1");
    let run = home.rebalance();
    run.ended(5, "partial");
    assert_eq!(run.orders(), ["not_sent", "not_sent", "not_sent", "unknown"]);
    let run = home.rebalance();
    assert_eq!((run.code, run.settled()), (Some(0), vec!["filled".to_owned()]));
    sim.once_each();
    home.agrees_with(&sim);
}

#[test]
fn d6_texts_for_numbers_and_numbers_for_texts_are_never_a_panic() {
    assert!(
        each_place(&[
            json!(1),
            json!("1"),
            json!(1.5),
            json!(true),
            json!(null),
            json!([]),
            json!({}),
            json!([[]])
        ]) > 500
    );
    for body in [
        "",
        "0",
        "\"x\"",
        "[",
        "{",
        "null",
        "[null]",
        "[[]]",
        "{\"a\":",
        "\u{feff}[]",
        "[1e999]",
        "{\"code\":\"-1\"}",
    ] {
        for (_, reads) in READERS {
            reads(body.as_bytes());
        }
        assert_eq!(error::refusal(body.as_bytes()), None);
    }
}

#[test]
fn d7_contracts_of_a_thousand_coins_are_worth_what_the_others_are() {
    let sim = Sim::with(&[]);
    let home = Home::at(&sim.url).set(symbols(&["1000PEPEUSDT", "1000SHIBUSDT", "ADAUSDT"]));
    let run = home.allocate();
    let coins = run.report["plan"]["legs"].as_array().unwrap().clone();
    assert_eq!(coins.len(), 3);
    for leg in coins {
        let worth: f64 = text(&leg, "notional").parse().unwrap();
        assert!((19.0..=20.5).contains(&worth), "{leg}");
    }
    home.quiet();
    home.agrees_with(&sim);
}

#[test]
fn d8_names_of_any_script_are_traded_signed_shown_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("symbols");
    std::fs::write(&list, "币安人生USDT\n这是测试币456USDT\nADAUSDT\n").unwrap();
    let sim = Sim::with(&["--symbols", list.to_str().unwrap()]);
    let coins = ["币安人生USDT", "这是测试币456USDT", "ADAUSDT"];
    let home = Home::at(&sim.url).set(symbols(&coins));
    home.allocate();
    home.quiet();
    home.agrees_with(&sim);
    let trades = String::from_utf8(home.contents()["trades.csv"].clone()).unwrap();
    assert!(trades.contains(",币安人生USDT,"));
    for format in ["table", "csv", "markdown"] {
        let run = finish(&mut home.command(&["plan", "--format", format]));
        assert!(run.code == Some(0) && run.out.contains("币安人生"), "{format}: {run:?}");
    }
}

#[test]
fn d9_a_hostile_name_is_neither_traded_nor_shown_raw() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let hostile = [
        "=CMD()USDT",
        "<script>USDT",
        "../../etc/passwdUSDT",
        "\u{202e}USDTBTC",
        "\u{1b}[2JUSDT",
        "A\nB,USDT",
    ];
    proxy.always(
        "GET /fapi/v1/exchangeInfo",
        Act::edit(move |body| {
            let mut json: Value = serde_json::from_str(body).unwrap();
            let rows = json["symbols"].as_array_mut().unwrap();
            for (row, name) in rows
                .iter_mut()
                .filter(|row| row["symbol"] != "ADAUSDT" && row["symbol"] != "XRPUSDT")
                .zip(hostile)
            {
                row["symbol"] = json!(name);
            }
            json.to_string()
        }),
    );
    let home = Home::at(&proxy.url).set(symbols(&["ADAUSDT", "XRPUSDT"]));
    let (mut shown, mut told) = (String::new(), String::new());
    for format in ["json", "table", "csv", "markdown"] {
        let run = finish(&mut home.command(&["plan", "-v", "--format", format]));
        assert_eq!(run.code, Some(0), "{run:?}");
        shown += &run.out;
        told += &run.err;
    }
    home.allocate();
    let files = home.contents();
    for name in hostile {
        assert!(!shown.contains(name), "{name:?} is shown");
        // `-v` says what was left out, without anything that steers a terminal.
        let steers = name.chars().any(|c| c.is_control() || c == '\u{202e}');
        assert!(!steers || !told.contains(name), "{name:?} is told raw");
        assert!(
            files.values().all(|bytes| !bytes.windows(name.len()).any(|part| part == name.as_bytes())),
            "{name:?} is kept"
        );
    }
    for set in ["basket.symbols=[\"../XUSDT\"]", "basket.symbols=[\"=CMD()USDT\"]"] {
        Home::at(&sim.url).set(set).rebalance().ended(2, "config");
    }
}

#[test]
fn d11_tiny_and_huge_accounts_and_targets_are_said_not_guessed() {
    for (equity, target, code) in
        [("0.5", "20", 0), ("5", "20", 0), ("200", "1", 0), ("100000000", "1000000", 0)]
    {
        let sim = Sim::with(&["--equity", equity]);
        let home = Home::at(&sim.url).set(format!("basket.target_value={target}"));
        let run = home.rebalance();
        assert!(
            matches!(run.code, Some(0 | 5)) && (run.code == Some(code) || code == 0),
            "{equity} {target}: {run:?}"
        );
        let named = run.skipped().len() + run.orders().len();
        assert!(named >= 4, "every coin is accounted for: {run:?}");
        sim.once_each();
    }
    let sim = Sim::start();
    Home::at(&sim.url).set("basket.symbols=[]").rebalance().ended(2, "config");
    Home::at(&sim.url).set(symbols(&["ADAUSDT", "ADAUSDT"])).rebalance().ended(2, "config");
    assert_eq!(sim.requests(), 0);
}

#[test]
fn d13_a_server_time_of_another_age_sends_nothing() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url);
    home.allocate();
    let before = sim.posts(0).len();
    for ms in ["0", "1000", "9223372036854775807", "9223372036854", "-5", "1767222000000", "1e12", "\"x\""] {
        proxy.clear();
        proxy.always("GET /fapi/v1/time", Act::edit(move |_| format!("{{\"serverTime\":{ms}}}")));
        let run = home.rebalance();
        assert!(matches!(run.code, Some(2 | 4)), "{ms}: {run:?}");
        assert_eq!(sim.posts(0).len(), before, "{ms}");
    }
    proxy.clear();
    home.quiet();
}

#[test]
fn d14_numbers_beyond_a_double_stay_exact() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    // The middlebox adds 2^53 to every order number; what comes back in a query is taken off again
    // by nobody, so it must come through exactly.
    let grow = |body: &str| {
        let mut json: Value = serde_json::from_str(body).unwrap();
        let rows =
            if json.is_array() { json.as_array_mut().unwrap().iter_mut().collect() } else { vec![&mut json] };
        for row in rows {
            for field in ["id", "orderId"] {
                if let Some(number) = row[field].as_i64() {
                    row[field] = json!(number + 9_007_199_254_740_993);
                }
            }
        }
        json.to_string()
    };
    proxy.always("GET /fapi/v1/userTrades", Act::edit(grow));
    let home = Home::at(&proxy.url);
    home.rebalance();
    let theirs: Vec<i64> = sim
        .orders()
        .iter()
        .map(|order| order["order_id"].as_i64().unwrap() + 9_007_199_254_740_993)
        .collect();
    let kept = home.sql("SELECT CAST(order_id AS TEXT) FROM fill ORDER BY order_id");
    let mut wanted: Vec<String> = theirs.iter().map(ToString::to_string).collect();
    wanted.sort();
    assert!(kept.is_empty() || kept == wanted, "{kept:?} {wanted:?}");
    for number in ["9223372036854775807", "-9223372036854775808", "9007199254740993"] {
        let row = format!(
            r#"[{{"symbol":"","incomeType":"TRANSFER","income":"1","asset":"USDT","info":"","time":1700000000000,"tranId":{number},"tradeId":""}}]"#
        );
        let read = history::income(row.as_bytes()).unwrap();
        assert_eq!(read[0].tran_id.to_string(), number);
    }
    let over = r#"[{"symbol":"","incomeType":"TRANSFER","income":"1","asset":"USDT","info":"","time":1700000000000,"tranId":9223372036854775808,"tradeId":""}]"#;
    assert!(history::income(over.as_bytes()).is_err());
}

#[test]
fn d15_the_same_coin_in_another_quote_is_another_contract() {
    let sim = Sim::with(&[]);
    let home = Home::at(&sim.url);
    let listed = sim.call("GET", "/fapi/v1/exchangeInfo", &Value::Null);
    let usdc = listed["symbols"].as_array().unwrap().iter().find(|row| row["quoteAsset"] == "USDC").unwrap();
    let symbol = text(usdc, "symbol");
    let run = home.set(symbols(&["ADAUSDT", &symbol])).rebalance();
    assert!(run.code == Some(2) || run.skipped().iter().any(|(skipped, _)| *skipped == symbol), "{run:?}");
    assert!(sim.orders().iter().all(|order| text(order, "symbol") != symbol));
}
