//! Spot's dialect over real sockets.

use serde_json::{Value, json};

use crate::server::tests::{START_MS, sign, start};

const BUY: &str = "symbol=XRPUSDT&side=BUY&type=MARKET&quantity=10";

/// The row of an asset in `/sim/state`: free and locked.
fn balance(state: &Value, asset: &str) -> (String, String) {
    let rows = state["spot"]["balances"].as_array().unwrap();
    let row = rows.iter().find(|row| row["asset"] == asset).unwrap();
    let text = |name: &str| row[name].as_str().unwrap().to_owned();
    (text("free"), text("locked"))
}

#[tokio::test]
async fn the_market_is_there_without_a_key() {
    let sim = start().await;
    assert_eq!(sim.open("/api/v3/ping").await.json(), json!({}));
    assert_eq!(sim.open("/api/v3/time").await.json()["serverTime"], START_MS);
    for (path, least, most) in [
        ("/api/v3/exchangeInfo", 80, 200),
        ("/api/v3/exchangeInfo?symbol=BTCUSDT", 1, 1),
        ("/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22,%22ETHUSDT%22%5D", 2, 2),
        ("/api/v3/exchangeInfo?symbolStatus=BREAK", 1, 5),
        ("/api/v3/exchangeInfo?permissions=MARGIN", 0, 0),
    ] {
        let rows = sim.open(path).await.json()["symbols"].as_array().unwrap().len();
        assert!((least..=most).contains(&rows), "{path}: {rows}");
    }
    for (path, rows) in [
        ("/api/v3/ticker/24hr", 80),
        ("/api/v3/ticker/24hr?type=MINI&symbols=%5B%22BTCUSDT%22%5D", 1),
        ("/api/v3/ticker/bookTicker", 80),
        ("/api/v3/ticker/price", 80),
        ("/api/v3/klines?symbol=SHIBUSDT&interval=1h&limit=24", 24),
    ] {
        let got = sim.open(path).await.json();
        assert!(got.as_array().unwrap().len() >= rows, "{path}");
    }
    let top = sim.open("/api/v3/ticker/bookTicker?symbol=SHIBUSDT").await.json();
    let digits = top["bidPrice"].as_str().unwrap().split_once('.').unwrap().1.len();
    assert_eq!((digits, top.get("time")), (8, None), "{top}");
    assert_eq!(
        sim.open("/api/v3/depth?symbol=BTCUSDT&limit=7").await.json()["asks"].as_array().unwrap().len(),
        7
    );
    for (path, code) in [
        ("/api/v3/exchangeInfo?symbol=NOSUCH", -1121),
        ("/api/v3/exchangeInfo?symbol=BTCUSDT&symbolStatus=BREAK", -1128),
        ("/api/v3/ticker/price?symbol=1000SHIBUSDT", -1121),
        ("/api/v3/klines?symbol=BTCUSDT&interval=5m&limit=1001", -1130),
        ("/api/v3/depth", -1102),
    ] {
        let got = sim.open(path).await;
        assert_eq!((got.status, got.code()), (400, code), "{path}");
    }
    assert_eq!(sim.open("/api/v1/ping").await.status, 404);
}

#[tokio::test]
async fn filters_carry_spots_own_names_in_another_order_each_time() {
    let sim = start().await;
    let mut firsts = std::collections::BTreeSet::new();
    for _ in 0..8 {
        let info = sim.open("/api/v3/exchangeInfo?symbol=BTCUSDT").await.json();
        let filters = info["symbols"][0]["filters"].as_array().unwrap().clone();
        firsts.insert(filters[0]["filterType"].as_str().unwrap().to_owned());
        let of = |kind: &str| filters.iter().find(|filter| filter["filterType"] == kind).unwrap().clone();
        assert_eq!(of("LOT_SIZE")["stepSize"], "0.00001000");
        assert_eq!(of("MARKET_LOT_SIZE")["stepSize"], "0.00000000", "off");
        assert_eq!(of("NOTIONAL")["minNotional"], "5.00000000");
        assert_eq!(of("PERCENT_PRICE_BY_SIDE")["bidMultiplierUp"], "5");
        assert!(of("MAX_NUM_ORDERS")["maxNumOrders"].is_i64());
    }
    assert!(firsts.len() > 1, "{firsts:?}");
}

#[tokio::test]
async fn placing_tells_every_fill_and_what_it_cost() {
    let sim = start().await;
    let full = sim.signed("POST", "/api/v3/order", BUY).await;
    assert_eq!(full.status, 200, "{}", full.body);
    let placed = full.json();
    assert_eq!((&placed["status"], &placed["executedQty"]), (&json!("FILLED"), &json!("10.00000000")));
    let fill = &placed["fills"][0];
    assert_eq!((&fill["commission"], &fill["commissionAsset"]), (&json!("0.01000000"), &json!("XRP")));
    let id = placed["orderId"].as_i64().unwrap();
    let asked = sim.signed("GET", "/api/v3/order", &format!("symbol=XRPUSDT&orderId={id}")).await.json();
    assert_eq!(asked["cummulativeQuoteQty"], placed["cummulativeQuoteQty"]);
    assert!(asked.get("fills").is_none() && asked["isWorking"] == true);
    let ack = sim.signed("POST", "/api/v3/order", &format!("{BUY}&newOrderRespType=ACK")).await.json();
    assert!(ack.get("status").is_none() && ack["transactTime"] == START_MS);
    let result = sim.signed("POST", "/api/v3/order", &format!("{BUY}&newOrderRespType=RESULT")).await.json();
    assert!(result.get("fills").is_none() && result["status"] == "FILLED");
    let trades = sim.signed("GET", "/api/v3/myTrades", "symbol=XRPUSDT").await.json();
    assert_eq!((trades.as_array().unwrap().len(), &trades[0]["isBuyer"]), (3, &json!(true)));
    let state = sim.state().await;
    assert_eq!(balance(&state, "XRP"), ("29.97".to_owned(), "0".to_owned()));
    assert_eq!(state["spot"]["orders"].as_array().unwrap().len(), 3);
    assert_eq!(
        (&state["wallet"], &state["orders"]),
        (&json!("200"), &json!([])),
        "futures know nothing of it"
    );
    let account = sim.signed("GET", "/api/v3/account", "omitZeroBalances=true").await.json();
    assert_eq!(account["balances"].as_array().unwrap().len(), 2);
    let all = sim.signed("GET", "/api/v3/account", "").await.json();
    assert!(all["balances"].as_array().unwrap().len() > 80);
    assert_eq!(sim.signed("POST", "/api/v3/order/test", BUY).await.json(), json!({}));
    let costs = sim.signed("POST", "/api/v3/order/test", &format!("{BUY}&computeCommissionRates=true")).await;
    assert_eq!(costs.json()["standardCommissionForOrder"]["taker"], "0.00100000");
    assert_eq!(sim.state().await["spot"]["orders"].as_array().unwrap().len(), 3, "a test places nothing");
}

#[tokio::test]
async fn wrong_orders_are_refused_by_name() {
    let sim = start().await;
    let limit = "symbol=XRPUSDT&side=BUY&type=LIMIT&timeInForce=GTC";
    for (params, code, words) in [
        ("symbol=XRPUSDT&side=BUY&type=MARKET", -1102, "'quantity' or 'quoteOrderQty'"),
        ("symbol=XRPUSDT&side=BUY&type=MARKET&quantity=10&quoteOrderQty=10", -1106, "quoteorderqty"),
        ("symbol=XRPUSDT&side=BUY&type=MARKET&quantity=10&price=2", -1106, "price"),
        ("symbol=XRPUSDT&side=UP&type=MARKET&quantity=10", -1117, "side"),
        ("symbol=XRPUSDT&side=BUY&type=TWAP&quantity=10", -1116, "orderType"),
        ("symbol=XRPUSDT&side=BUY&type=STOP_LOSS&quantity=10&stopPrice=1", -1020, "conditional"),
        ("symbol=XRPUSDT&side=BUY&type=LIMIT&quantity=10&price=2", -1102, "timeInForce"),
        (&format!("{limit}&quantity=-1&price=2"), -1102, "quantity"),
        (&format!("{limit}&quantity=10.01&price=2"), -1013, "LOT_SIZE"),
        (&format!("{limit}&quantity=1&price=2"), -1013, "NOTIONAL"),
        (&format!("{limit}&quantity=99&price=2.2"), -2010, "insufficient balance"),
        (&format!("{limit}&quantity=10&price=2&newClientOrderId=a%20b"), -1100, "newClientOrderId"),
    ] {
        let got = sim.signed("POST", "/api/v3/order", params).await;
        assert_eq!((got.status, got.code()), (400, code), "{params}: {}", got.body);
        assert!(got.body.contains(words), "{params}: {}", got.body);
    }
    for (method, path, params, code) in [
        ("GET", "/api/v3/order", "symbol=XRPUSDT&orderId=1", -2013),
        ("GET", "/api/v3/order", "symbol=XRPUSDT", -1102),
        ("DELETE", "/api/v3/order", "symbol=XRPUSDT&origClientOrderId=x", -2011),
        ("DELETE", "/api/v3/openOrders", "symbol=XRPUSDT", -2011),
        ("GET", "/api/v3/myTrades", "symbol=XRPUSDT&startTime=0&endTime=86400001", -1127),
    ] {
        assert_eq!(sim.signed(method, path, params).await.code(), code, "{method} {path} {params}");
    }
}

#[tokio::test]
async fn what_rests_is_locked_and_a_cancel_has_its_own_id() {
    let sim = start().await;
    let rest = "symbol=XRPUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=10&price=1&newClientOrderId=mine";
    let placed = sim.signed("POST", "/api/v3/order", rest).await;
    assert_eq!(placed.json()["status"], "NEW", "{}", placed.body);
    assert_eq!(placed.header("x-mbx-order-count-10s").as_deref(), Some("1"));
    assert_eq!(placed.header("x-mbx-order-count-1d").as_deref(), Some("1"));
    assert_eq!(balance(&sim.state().await, "USDT"), ("190".to_owned(), "10".to_owned()));
    let again = sim.signed("POST", "/api/v3/order", rest).await;
    assert!(again.code() == -2010 && again.body.contains("Duplicate order sent."), "{}", again.body);
    assert_eq!(sim.signed("GET", "/api/v3/openOrders", "").await.json().as_array().unwrap().len(), 1);
    let gone = sim.signed("DELETE", "/api/v3/order", "symbol=XRPUSDT&origClientOrderId=mine").await.json();
    assert_eq!((&gone["origClientOrderId"], &gone["status"]), (&json!("mine"), &json!("CANCELED")));
    assert_ne!(gone["clientOrderId"], "mine");
    assert_eq!(balance(&sim.state().await, "USDT"), ("200".to_owned(), "0".to_owned()));
}

#[tokio::test]
async fn spot_counts_weight_and_unfilled_orders_on_its_own() {
    let sim = start().await;
    let used = |got: &super::Got| got.header("x-mbx-used-weight-1m").unwrap();
    sim.open("/fapi/v1/ping").await;
    assert_eq!(used(&sim.open("/api/v3/exchangeInfo").await), "20");
    assert_eq!(used(&sim.open("/fapi/v1/ping").await), "2");
    let filled = sim.signed("POST", "/api/v3/order", BUY).await;
    assert_eq!(used(&filled), "21", "spot does tell the weight of an order");
    assert_eq!(filled.header("x-mbx-order-count-10s").as_deref(), Some("0"), "a fill gives it back");
    for _ in 0..74 {
        sim.open("/api/v3/ticker/24hr").await;
    }
    let over = sim.open("/api/v3/ticker/24hr").await;
    assert_eq!((over.status, over.code()), (429, -1003), "{}", over.body);
    assert!(over.header("retry-after").is_some(), "{}", over.head);
    assert_eq!(sim.open("/fapi/v1/ping").await.status, 200);
}

#[tokio::test]
async fn signatures_want_encoded_bytes_and_a_key_may_be_for_futures_alone() {
    let sim = start().await;
    let query = format!("symbol=XRPUSDT&origClientOrderId=a:b&timestamp={START_MS}");
    let raw = format!("/api/v3/order?{query}&signature={}", sign(&query));
    assert_eq!(sim.raw("GET", &raw, "", Some("sim")).await.unwrap().code(), -1022);
    let query = query.replace(':', "%3A");
    let encoded = format!("/api/v3/order?{query}&signature={}", sign(&query));
    assert_eq!(sim.raw("GET", &encoded, "", Some("sim")).await.unwrap().code(), -2013);
    let late = sim.signed_at("GET", "/api/v3/account", "", START_MS - 5_001).await.unwrap();
    assert_eq!((late.status, late.code()), (400, -1021));
    assert_eq!(sim.raw("GET", "/api/v3/account", "", None).await.unwrap().code(), -2014);
    sim.control("/sim/restrictions", json!({"enableSpotAndMarginTrading": false})).await;
    assert_eq!(sim.signed("POST", "/api/v3/order", BUY).await.code(), -2015);
    assert_eq!(sim.signed("GET", "/api/v3/account", "").await.status, 200);
    assert_eq!(sim.signed("POST", "/fapi/v1/order", BUY).await.status, 200);
}

#[tokio::test]
async fn faults_and_controls_know_spot() {
    let sim = start().await;
    sim.fault("POST /api/v3/order", "accept_then_close").await;
    assert!(sim.signed_at("POST", "/api/v3/order", BUY, START_MS).await.is_err());
    sim.fault("POST /api/v3/order", "partial:0.3").await;
    let part = sim.signed("POST", "/api/v3/order", BUY).await.json();
    assert_eq!((&part["status"], &part["executedQty"]), (&json!("EXPIRED"), &json!("3.00000000")));
    sim.fault("POST /api/v3/order", "reject:-1001").await;
    assert_eq!(sim.signed("POST", "/api/v3/order", BUY).await.code(), -1001);
    assert_eq!(sim.state().await["spot"]["orders"].as_array().unwrap().len(), 2);

    let on_spot = |more: Value| {
        let mut body = more;
        body["venue"] = json!("binance-spot");
        body
    };
    let moved = sim.control("/sim/transfer", on_spot(json!({"asset": "BNB", "amount": "0.5"}))).await;
    assert_eq!(moved.json(), json!({"asset": "BNB", "free": "0.5", "locked": "0"}));
    let traded = sim.control("/sim/trade", on_spot(json!({"symbol": "BNBUSDT", "qty": "-0.1"}))).await;
    assert_eq!(traded.json()["filled_qty"], "0.1", "{}", traded.body);
    let over = sim.control("/sim/trade", on_spot(json!({"symbol": "BNBUSDT", "qty": "-1"}))).await;
    assert_eq!(over.status, 400);
    let before = sim.open("/api/v3/ticker/price?symbol=SHIBUSDT").await.json();
    let futures = sim.open("/fapi/v1/ticker/price?symbol=1000SHIBUSDT").await.json();
    let jumped = sim.control("/sim/price", on_spot(json!({"symbol": "SHIBUSDT", "factor": "2"}))).await;
    assert_eq!(jumped.status, 200, "{}", jumped.body);
    assert_ne!(sim.open("/api/v3/ticker/price?symbol=SHIBUSDT").await.json(), before);
    assert_ne!(sim.open("/fapi/v1/ticker/price?symbol=1000SHIBUSDT").await.json(), futures, "one market");
    sim.control("/sim/status", on_spot(json!({"symbol": "XRPUSDT", "status": "HALT"}))).await;
    let closed = sim.signed("POST", "/api/v3/order", BUY).await;
    assert!(closed.code() == -2010 && closed.body.contains("Market is closed."), "{}", closed.body);
    assert_eq!(sim.signed("POST", "/fapi/v1/order", BUY).await.status, 200, "futures go on");
    assert_eq!(sim.control("/sim/transfer", json!({"venue": "moon", "amount": "1"})).await.status, 400);
    sim.control("/sim/modes", json!({"spot_bnb_burn": true})).await;
    assert_eq!(sim.state().await["spot"]["bnb_burn"], true);
}
