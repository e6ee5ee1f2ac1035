//! The server, asked over real sockets.

mod spot;

use std::net::SocketAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::domain::market::Bar;
use crate::server::{Clock, Settings, serve};
use crate::sim::prices::{Prices, Recorded};
use crate::sim::{Exchange, Terms, World, listing};

/// 2026-01-01T00:00:00Z, where the synthetic market starts.
const START_MS: i64 = 1_767_225_600_000;

struct Running {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Got {
    status: u16,
    head: String,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn code(&self) -> i64 {
        self.json()["code"].as_i64().unwrap_or(0)
    }

    fn header(&self, name: &str) -> Option<String> {
        let prefix = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
    }
}

async fn start() -> Running {
    start_with(Settings { clock: Clock::Manual, ..Settings::default() }).await
}

async fn start_with(settings: Settings) -> Running {
    let terms = Terms::default();
    let world = World::new(listing::synthetic(7, terms.start), Prices::Synthetic { seed: 7 });
    start_at(settings, Exchange::new(world, terms)).await
}

async fn start_at(settings: Settings, exchange: Exchange) -> Running {
    let settings = Settings { listen: "127.0.0.1:0".parse().unwrap(), ..settings };
    let (tell, told) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(async move {
        serve(settings, exchange, |address| tell.send(address).unwrap()).await.unwrap();
    });
    Running { address: told.await.unwrap(), task }
}

fn sign(payload: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"sim").unwrap();
    mac.update(payload.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Running {
    /// One request on its own connection; an error where no whole answer came.
    async fn raw(&self, method: &str, target: &str, body: &str, key: Option<&str>) -> Result<Got, String> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let key = key.map_or(String::new(), |key| format!("X-MBX-APIKEY: {key}\r\n"));
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n{key}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut bytes)).await;
        read.map_err(|_| "no answer".to_owned())?.map_err(|error| error.to_string())?;
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").ok_or("closed without an answer")?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Got { status, head: head.to_owned(), body: body.to_owned() })
    }

    async fn open(&self, target: &str) -> Got {
        self.raw("GET", target, "", None).await.unwrap()
    }

    /// Signs as a careful client does: everything in the query, signature last.
    async fn signed(&self, method: &str, path: &str, params: &str) -> Got {
        self.signed_at(method, path, params, START_MS).await.unwrap()
    }

    async fn signed_at(&self, method: &str, path: &str, params: &str, at: i64) -> Result<Got, String> {
        let joint = if params.is_empty() { "" } else { "&" };
        let query = format!("{params}{joint}timestamp={at}");
        let target = format!("{path}?{query}&signature={}", sign(&query));
        self.raw(method, &target, "", Some("sim")).await
    }

    async fn control(&self, path: &str, body: Value) -> Got {
        self.raw("POST", path, &body.to_string(), None).await.unwrap()
    }

    async fn state(&self) -> Value {
        self.open("/sim/state").await.json()
    }

    async fn fault(&self, on: &str, action: &str) {
        let got = self.control("/sim/faults", json!([{"match": on, "do": action}])).await;
        assert_eq!(got.status, 200, "{}", got.body);
    }
}

const BUY: &str = "symbol=XRPUSDT&side=BUY&type=MARKET&quantity=10&newOrderRespType=RESULT";

#[tokio::test]
async fn the_market_is_there_without_a_key() {
    let sim = start().await;
    assert_eq!(sim.open("/fapi/v1/ping").await.json(), json!({}));
    assert_eq!(sim.open("/fapi/v1/time").await.json()["serverTime"], START_MS);
    let info = sim.open("/fapi/v1/exchangeInfo?symbol=NOSUCH").await.json();
    assert!(info["symbols"].as_array().unwrap().len() > 90, "the symbol is ignored");
    for (path, rows) in [
        ("/fapi/v1/premiumIndex", 90),
        ("/fapi/v1/ticker/24hr", 90),
        ("/fapi/v1/ticker/bookTicker", 90),
        ("/fapi/v2/ticker/price", 90),
        ("/fapi/v1/fundingInfo", 10),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=5m&limit=100", 100),
        ("/fapi/v1/markPriceKlines?symbol=BTCUSDT&interval=1h&limit=24", 24),
        ("/fapi/v1/fundingRate?symbol=BTCUSDT&limit=30", 30),
    ] {
        let got = sim.open(path).await.json();
        assert!(got.as_array().unwrap().len() >= rows, "{path}: {}", got.as_array().unwrap().len());
    }
    let mark = sim.open("/fapi/v1/premiumIndex?symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT").await.json();
    assert_eq!(mark["symbol"], "币安人生USDT");
    for (path, code) in [
        ("/fapi/v1/premiumIndex?symbol=NOSUCH", -1121),
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=3", -4021),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=1s", -1120),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=2000", -1130),
        ("/fapi/v1/klines?symbol=BTCUSDT", -1102),
    ] {
        let got = sim.open(path).await;
        assert_eq!((got.status, got.code()), (400, code), "{path}");
    }
    assert_eq!(sim.open("/fapi/v9/ping").await.status, 404);
}

#[tokio::test]
async fn filters_come_in_another_order_each_time() {
    let sim = start().await;
    let mut firsts = std::collections::BTreeSet::new();
    for _ in 0..8 {
        let info = sim.open("/fapi/v1/exchangeInfo").await.json();
        let symbols = info["symbols"].as_array().unwrap();
        let btc = symbols.iter().find(|symbol| symbol["symbol"] == "BTCUSDT").unwrap();
        firsts.insert(btc["filters"][0]["filterType"].as_str().unwrap().to_owned());
        assert_eq!(btc["filters"].as_array().unwrap().len(), 7);
    }
    assert!(firsts.len() > 1, "{firsts:?}");
}

#[tokio::test]
async fn strangers_and_late_comers_are_refused_in_the_right_words() {
    let sim = start().await;
    let path = "/fapi/v3/account";
    let query = format!("timestamp={START_MS}");
    let target = format!("{path}?{query}&signature={}", sign(&query));
    let refused = |got: Got| (got.status, got.code());
    assert_eq!(refused(sim.raw("GET", &target, "", None).await.unwrap()), (401, -2014));
    assert_eq!(refused(sim.raw("GET", &target, "", Some("other")).await.unwrap()), (401, -2015));
    assert_eq!(sim.raw("GET", &target, "", Some("sim")).await.unwrap().status, 200);
    let bad = format!("{path}?{query}&signature={}", sign("timestamp=1"));
    assert_eq!(refused(sim.raw("GET", &bad, "", Some("sim")).await.unwrap()), (400, -1022));
    let got = sim.raw("GET", &format!("{path}?signature=00"), "", Some("sim")).await.unwrap();
    assert!(got.body.contains("'timestamp'") && got.code() == -1102, "{}", got.body);
    let got = sim.raw("GET", &format!("{path}?{query}"), "", Some("sim")).await.unwrap();
    assert!(got.body.contains("'signature'") && got.code() == -1102, "{}", got.body);
    let late = sim.signed_at("GET", path, "", START_MS - 5_001).await.unwrap();
    assert!(late.body.contains("outside of the recvWindow"), "{}", late.body);
    let early = sim.signed_at("GET", path, "", START_MS + 60_000).await.unwrap();
    assert!(early.body.contains("1000ms ahead"), "{}", early.body);
    assert_eq!(sim.signed("GET", path, "recvWindow=5000&recvwindow=6000").await.code(), -1101);
}

#[tokio::test]
async fn a_body_signed_raw_is_verified_raw() {
    let sim = start().await;
    // As ccxt sends a batch: JSON that nobody encoded.
    let orders = r#"[{"symbol":"XRPUSDT","side":"BUY","type":"MARKET","quantity":"10","newOrderRespType":"RESULT"},{"symbol":"XRPUSDT","side":"SELL","type":"MARKET","quantity":"3","reduceOnly":"true"},{"symbol":"ADAUSDT","side":"SELL","type":"MARKET","quantity":"30","reduceOnly":"true"}]"#;
    let body = format!("timestamp={START_MS}&batchOrders={orders}&recvWindow=10000");
    let body = format!("{body}&signature={}", sign(&body));
    let got = sim.raw("POST", "/fapi/v1/batchOrders", &body, Some("sim")).await.unwrap();
    assert_eq!(got.status, 200, "{}", got.body);
    let answers = got.json();
    assert_eq!(answers[0]["status"], "FILLED");
    assert_eq!(answers[1]["status"], "NEW", "acknowledged only");
    assert_eq!(answers[2]["code"], -2022);
    assert_eq!(sim.state().await["positions"][0]["qty"], "7");
    assert_eq!(got.header("x-mbx-order-count-10s").as_deref(), Some("5"));
}

#[tokio::test]
async fn placing_tells_no_price_and_asking_does() {
    let sim = start().await;
    let placed = sim.signed("POST", "/fapi/v1/order", &format!("{BUY}&newClientOrderId=a")).await;
    let order = placed.json();
    assert_eq!((order["status"].as_str(), order["executedQty"].as_str()), (Some("FILLED"), Some("10")));
    assert!(order.get("avgPrice").is_none() && order.get("cumQuote").is_none());
    assert_eq!(placed.header("x-mbx-used-weight-1m").as_deref(), Some("-1"));
    assert_eq!(placed.header("x-mbx-order-count-10s").as_deref(), Some("1"));
    let asked = sim.signed("GET", "/fapi/v1/order", "symbol=XRPUSDT&origClientOrderId=a").await.json();
    assert_eq!(asked["orderId"], order["orderId"]);
    let average: f64 = asked["avgPrice"].as_str().unwrap().parse().unwrap();
    let value: f64 = asked["cumQuote"].as_str().unwrap().parse().unwrap();
    assert!((average * 10.0 - value).abs() < 1e-9 && average > 1.0);
    let trades = sim.signed("GET", "/fapi/v1/userTrades", "symbol=XRPUSDT").await.json();
    assert_eq!(trades[0]["orderId"], order["orderId"]);
    let state = sim.state().await;
    assert_eq!(state["orders"][0]["avg_price"], asked["avgPrice"]);
    assert_eq!(state["orders"][0]["client_order_id"], "a");
    let account = sim.signed("GET", "/fapi/v3/account", "").await.json();
    assert_eq!(account["totalMarginBalance"], state["equity"]);
    assert_eq!(account["totalWalletBalance"], state["wallet"]);
    assert_eq!(account["positions"].as_array().unwrap().len(), 1);
    let risk = sim.signed("GET", "/fapi/v3/positionRisk", "").await.json();
    assert_eq!(risk[0]["entryPrice"], state["positions"][0]["entry_price"]);
    assert!(risk[0].get("leverage").is_none());
    let all = sim.signed("GET", "/fapi/v2/positionRisk", "").await.json();
    assert!(all.as_array().unwrap().len() > 90);
    let income = sim.signed("GET", "/fapi/v1/income", "incomeType=COMMISSION").await.json();
    assert_eq!(income[0]["tradeId"], trades[0]["id"].to_string());
}

#[tokio::test]
async fn wrong_orders_are_refused_by_name() {
    let sim = start().await;
    for (params, code) in [
        ("side=BUY&type=MARKET&quantity=10", -1102),
        ("symbol=NOSUCH&side=BUY&type=MARKET&quantity=10", -1121),
        ("symbol=XRPUSDT&side=UP&type=MARKET&quantity=10", -1117),
        ("symbol=XRPUSDT&side=BUY&type=MAGIC&quantity=10", -1116),
        ("symbol=XRPUSDT&side=BUY&type=STOP_MARKET&quantity=10&stopPrice=1", -4120),
        ("symbol=XRPUSDT&side=BUY&type=MARKET", -1102),
        ("symbol=XRPUSDT&side=BUY&type=MARKET&quantity=-10", -1102),
        ("symbol=XRPUSDT&side=BUY&type=MARKET&quantity=1e1", -1100),
        ("symbol=XRPUSDT&side=BUY&type=MARKET&quantity=10&price=2", -1106),
        ("symbol=XRPUSDT&side=BUY&type=LIMIT&quantity=10&price=2", -1102),
        ("symbol=XRPUSDT&side=BUY&type=LIMIT&quantity=10&timeInForce=DAY&price=2", -1115),
        ("symbol=XRPUSDT&side=BUY&type=MARKET&quantity=10&positionSide=LONG", -4061),
        ("symbol=XRPUSDT&side=BUY&type=MARKET&quantity=10&newClientOrderId=a%20b", -1100),
        ("symbol=XRPUSDT&side=BUY&type=MARKET&quantity=0.15", -1111),
        ("symbol=XRPUSDT&side=BUY&type=MARKET&quantity=0.1", -4164),
        ("symbol=XRPUSDT&side=BUY&type=MARKET&quantity=100000", -2019),
    ] {
        let got = sim.signed("POST", "/fapi/v1/order", params).await;
        assert_eq!((got.status, got.code()), (400, code), "{params}: {}", got.body);
    }
    assert_eq!(sim.state().await["orders"], json!([]));
    assert_eq!(sim.signed("GET", "/fapi/v1/order", "symbol=XRPUSDT&orderId=1").await.code(), -2013);
    assert_eq!(sim.signed("DELETE", "/fapi/v1/order", "symbol=XRPUSDT&orderId=1").await.code(), -2011);
    assert_eq!(sim.signed("GET", "/fapi/v1/order", "symbol=XRPUSDT").await.code(), -1102);
    let batch = "batchOrders=%5B%5D";
    assert_eq!(sim.signed("POST", "/fapi/v1/batchOrders", batch).await.code(), -4082);
}

#[tokio::test]
async fn settings_answer_as_the_real_ones_do() {
    let sim = start().await;
    let set = |path: &'static str, params: &'static str| {
        let sim = &sim;
        async move { sim.signed("POST", path, params).await }
    };
    let leverage = set("/fapi/v1/leverage", "symbol=XRPUSDT&leverage=5").await.json();
    assert_eq!(leverage, json!({"leverage": 5, "maxNotionalValue": "15000000", "symbol": "XRPUSDT"}));
    assert_eq!(set("/fapi/v1/leverage", "symbol=XRPUSDT&leverage=5").await.status, 200);
    assert_eq!(set("/fapi/v1/leverage", "symbol=XRPUSDT&leverage=126").await.code(), -4028);
    assert_eq!(set("/fapi/v1/marginType", "symbol=XRPUSDT&marginType=CROSSED").await.code(), -4046);
    let isolated = set("/fapi/v1/marginType", "symbol=XRPUSDT&marginType=ISOLATED").await;
    assert_eq!((isolated.status, isolated.code()), (200, 200), "a positive code is no error");
    let config = sim.signed("GET", "/fapi/v1/symbolConfig", "symbol=XRPUSDT").await.json();
    assert_eq!(
        (config[0]["leverage"].as_i64(), config[0]["marginType"].as_str()),
        (Some(5), Some("ISOLATED"))
    );
    assert_eq!(set("/fapi/v1/positionSide/dual", "dualSidePosition=false").await.code(), -4059);
    assert_eq!(set("/fapi/v1/multiAssetsMargin", "multiAssetsMargin=false").await.code(), -4171);
    let tiers = sim.signed("GET", "/fapi/v1/leverageBracket", "symbol=BTCUSDT").await.json();
    assert!(tiers[0]["brackets"][1]["maintMarginRatio"].is_f64());
    assert_eq!(tiers[0]["brackets"][1]["cum"], json!(300.0));
    sim.control("/sim/modes", json!({"hedge": true})).await;
    let modes = sim.signed("GET", "/fapi/v1/accountConfig", "").await.json();
    assert_eq!(
        (modes["dualSidePosition"].as_bool(), modes["multiAssetsMargin"].as_bool()),
        (Some(true), Some(false))
    );
    assert_eq!(set("/fapi/v1/order", BUY).await.code(), -4061);
}

#[tokio::test]
async fn a_key_that_may_not_trade_may_still_read() {
    let sim = start().await;
    let may = sim.signed("GET", "/sapi/v1/account/apiRestrictions", "").await.json();
    assert_eq!(
        (may["enableFutures"].as_bool(), may["enableWithdrawals"].as_bool()),
        (Some(true), Some(false))
    );
    sim.control("/sim/restrictions", json!({"enableFutures": false, "enableWithdrawals": true})).await;
    let may = sim.signed("GET", "/sapi/v1/account/apiRestrictions", "").await.json();
    assert_eq!(
        (may["enableFutures"].as_bool(), may["enableWithdrawals"].as_bool()),
        (Some(false), Some(true))
    );
    assert_eq!(sim.signed("GET", "/fapi/v3/account", "").await.status, 200);
    let got = sim.signed("POST", "/fapi/v1/order", BUY).await;
    assert_eq!((got.status, got.code()), (401, -2015));
}

#[tokio::test]
async fn a_key_may_expire() {
    let sim = start().await;
    let path = "/sapi/v1/account/apiRestrictions";
    assert_eq!(sim.signed("GET", path, "").await.json().get("tradingAuthorityExpirationTime"), None);
    sim.control("/sim/restrictions", json!({"tradingAuthorityExpirationTime": START_MS})).await;
    let may = sim.signed("GET", path, "").await.json();
    assert_eq!(may["tradingAuthorityExpirationTime"], START_MS);
    assert_eq!(sim.control("/sim/restrictions", json!({"enableLunch": true})).await.status, 400);
}

#[tokio::test]
async fn a_locked_contract_takes_only_what_reduces() {
    let sim = start().await;
    let status = |params: &'static str| sim.signed("GET", "/fapi/v1/apiTradingStatus", params);
    assert_eq!(status("").await.json()["indicators"], json!({}));
    assert_eq!(sim.signed("POST", "/fapi/v1/order", BUY).await.status, 200);
    let until = START_MS + 300_000;
    let lock = json!([
        {"scope": "XRPUSDT", "indicator": "IFER", "value": "0.995", "triggerValue": "0.99", "isLocked": true,
         "plannedRecoverTime": until},
        {"scope": "BTCUSDT", "indicator": "UFR", "value": "0.05", "triggerValue": "0.995"},
    ]);
    assert_eq!(sim.control("/sim/indicators", lock).await.json(), json!({"indicators": 2}));
    let shown = status("").await.json();
    assert_eq!(
        shown["indicators"]["XRPUSDT"],
        json!([{"isLocked": true, "plannedRecoverTime": until, "indicator": "IFER", "value": 0.995, "triggerValue": 0.99}])
    );
    assert_eq!(shown["indicators"]["BTCUSDT"][0]["plannedRecoverTime"], Value::Null);
    let one = status("symbol=BTCUSDT").await;
    assert!(one.json()["indicators"].get("XRPUSDT").is_none());
    assert_eq!(status("symbol=NOSUCH").await.code(), -1121);
    assert_eq!(sim.signed("POST", "/fapi/v1/order", BUY).await.code(), -4400);
    let bitcoin = BUY.replace("XRPUSDT", "BTCUSDT").replace("quantity=10", "quantity=0.001");
    assert_ne!(sim.signed("POST", "/fapi/v1/order", &bitcoin).await.code(), -4400);
    let exit = format!("{}&reduceOnly=true", BUY.replace("BUY", "SELL"));
    assert_eq!(sim.signed("POST", "/fapi/v1/order", &exit).await.status, 200);
    // A lock of the account is one of every contract, and every lock ends when it is planned to.
    let account = json!([{"scope": "ACCOUNT", "indicator": "TMV", "value": 10, "triggerValue": 1, "isLocked": true,
                          "plannedRecoverTime": until}]);
    sim.control("/sim/indicators", account).await;
    assert_eq!(sim.signed("POST", "/fapi/v1/order", &bitcoin).await.code(), -4400);
    assert_eq!(status("symbol=BTCUSDT").await.json()["indicators"]["ACCOUNT"][0]["value"], 10.0);
    sim.control("/sim/advance", json!({"bars": 1})).await;
    let later = sim.signed_at("POST", "/fapi/v1/order", BUY, until).await.unwrap();
    assert_eq!(later.status, 200, "{}", later.body);
    assert_eq!(sim.control("/sim/indicators", json!([{"scope": "ACCOUNT"}])).await.status, 400);
}

#[tokio::test]
async fn in_hedge_mode_a_position_has_a_side_of_its_own() {
    let sim = start().await;
    sim.signed("POST", "/fapi/v1/order", BUY).await;
    sim.control("/sim/modes", json!({"hedge": true})).await;
    for path in ["/fapi/v3/positionRisk", "/fapi/v2/positionRisk"] {
        let rows = sim.signed("GET", path, "symbol=XRPUSDT").await.json();
        let sides: Vec<(&str, &str)> = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["positionSide"].as_str().unwrap(), row["positionAmt"].as_str().unwrap()))
            .collect();
        assert_eq!(sides, [("LONG", "10"), ("SHORT", "0")], "{path}");
    }
    for path in ["/fapi/v3/account", "/fapi/v2/account"] {
        let account = sim.signed("GET", path, "").await.json();
        let long = account["positions"].as_array().unwrap().iter().filter(|row| row["positionAmt"] == "10");
        assert_eq!(
            long.map(|row| row["positionSide"].as_str().unwrap()).collect::<Vec<_>>(),
            ["LONG"],
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_conditional_order_is_cancelled_once() {
    let sim = start().await;
    let stop = "algoType=CONDITIONAL&symbol=XRPUSDT&side=SELL&type=STOP_MARKET&triggerPrice=0.5&quantity=10&clientAlgoId=s";
    sim.signed("POST", "/fapi/v1/algoOrder", stop).await;
    let open = sim.signed("GET", "/fapi/v1/openAlgoOrders", "").await.json();
    assert_eq!((open[0]["clientAlgoId"].as_str(), open[0]["algoStatus"].as_str()), (Some("s"), Some("NEW")));
    let cancel = |params: &'static str| sim.signed("DELETE", "/fapi/v1/algoOrder", params);
    assert_eq!(cancel("").await.code(), -1102);
    assert_eq!(cancel("clientAlgoId=t").await.code(), -2011);
    assert_eq!(cancel("clientAlgoId=s").await.json()["clientAlgoId"], "s");
    let again = cancel("clientAlgoId=s").await;
    assert_eq!((again.status, again.code()), (400, -2011));
    assert_eq!(sim.signed("GET", "/fapi/v1/openAlgoOrders", "").await.json(), json!([]));
}

#[tokio::test]
async fn conditional_orders_live_beside_the_book() {
    let sim = start().await;
    sim.signed("POST", "/fapi/v1/order", BUY).await;
    let stop = "algoType=CONDITIONAL&symbol=XRPUSDT&side=SELL&type=STOP_MARKET&triggerPrice=1.5&closePosition=true&clientAlgoId=s";
    let placed = sim.signed("POST", "/fapi/v1/algoOrder", stop).await.json();
    assert_eq!((placed["algoStatus"].as_str(), placed["clientAlgoId"].as_str()), (Some("NEW"), Some("s")));
    assert_eq!(sim.signed("GET", "/fapi/v1/openOrders", "").await.json(), json!([]));
    assert_eq!(sim.signed("GET", "/fapi/v1/openAlgoOrders", "").await.json().as_array().unwrap().len(), 1);
    sim.control("/sim/price", json!({"symbol": "XRPUSDT", "factor": "0.6"})).await;
    let after = sim.signed("GET", "/fapi/v1/algoOrder", "clientAlgoId=s").await.json();
    assert_eq!(after["algoStatus"], "FINISHED");
    assert_eq!(sim.state().await["positions"], json!([]));
    let again = stop.replace("1.5", "0.5").replace("clientAlgoId=s", "clientAlgoId=t");
    sim.signed("POST", "/fapi/v1/algoOrder", &again).await;
    let gone = sim.signed("DELETE", "/fapi/v1/algoOrder", "clientAlgoId=t").await.json();
    assert_eq!(gone["code"], "200", "a string here");
}

#[tokio::test]
async fn faults_break_what_they_say_and_nothing_else() {
    let sim = start().await;
    let place = |id: &'static str| {
        let sim = &sim;
        async move {
            sim.signed_at("POST", "/fapi/v1/order", &format!("{BUY}&newClientOrderId={id}"), START_MS).await
        }
    };
    let on = "POST /fapi/v1/order";
    let placed = |state: &Value, id: &str| {
        let orders = state["orders"].as_array().unwrap();
        orders.iter().filter(|order| order["client_order_id"] == id).count()
    };
    sim.fault(on, "accept_then_close").await;
    assert!(place("closed").await.is_err());
    sim.fault(on, "drop").await;
    assert!(place("dropped").await.is_err());
    sim.fault(on, "reply:503:{\"code\":-1008,\"msg\":\"Request throttled\"}").await;
    let got = place("replied").await.unwrap();
    assert_eq!((got.status, got.code()), (503, -1008));
    sim.fault(on, "reject:-2019").await;
    let got = place("rejected").await.unwrap();
    assert_eq!((got.status, got.code()), (400, -2019));
    sim.fault(on, "partial:0.5").await;
    let got = place("partial").await.unwrap().json();
    assert_eq!((got["status"].as_str(), got["executedQty"].as_str()), (Some("EXPIRED"), Some("5")));
    sim.fault(on, "truncate:10").await;
    let got = place("truncated").await.unwrap();
    assert_eq!(got.body.len(), 10);
    let announced: usize = got.header("content-length").unwrap().parse().unwrap();
    assert!(announced > 100, "{}", got.head);
    sim.fault(on, "delay:30").await;
    assert_eq!(place("delayed").await.unwrap().status, 200);
    sim.fault(on, "delay:300").await;
    // Signed for now, it arrives after its window; on a frozen clock too.
    let late = tokio::time::timeout(Duration::from_secs(8), async {
        let mut stream = TcpStream::connect(sim.address).await.unwrap();
        let query = format!("{BUY}&recvWindow=200&timestamp={START_MS}");
        let target = format!("/fapi/v1/order?{query}&signature={}", sign(&query));
        let request = format!(
            "POST {target} HTTP/1.1\r\nHost: s\r\nConnection: close\r\nX-MBX-APIKEY: sim\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    });
    assert!(late.await.unwrap().contains("-1021"));
    let state = sim.state().await;
    for (id, times) in [
        ("closed", 1),
        ("dropped", 0),
        ("replied", 0),
        ("rejected", 0),
        ("partial", 1),
        ("truncated", 1),
        ("delayed", 1),
    ] {
        assert_eq!(placed(&state, id), times, "{id}");
    }
    let sent = state["requests"].as_array().unwrap();
    assert_eq!(sent.len(), 8, "every request is in the log, controls are not");
    assert!(sent.iter().all(|seen| seen["method"] == "POST" && seen["path"] == "/fapi/v1/order"));
}

#[tokio::test]
async fn a_stalled_answer_never_comes_though_the_order_does() {
    let sim = start().await;
    sim.fault("POST /fapi/v1/order", "accept_then_stall").await;
    let waiting = sim.signed_at("POST", "/fapi/v1/order", BUY, START_MS);
    let cut_short = tokio::time::timeout(Duration::from_millis(300), waiting).await;
    assert!(cut_short.is_err());
    assert_eq!(sim.state().await["orders"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn unknown_faults_and_broken_controls_say_why() {
    let sim = start().await;
    for (path, body) in [
        ("/sim/faults", json!([{"match": "POST /fapi/v1/order", "do": "explode"}])),
        ("/sim/faults", json!({"match": "*"})),
        ("/sim/transfer", json!({"amount": "lots"})),
        ("/sim/transfer", json!({"amount": "-500"})),
        ("/sim/trade", json!({"symbol": "NOSUCH", "qty": "1"})),
        ("/sim/price", json!({"symbol": "BTCUSDT", "factor": "0"})),
        ("/sim/status", json!({"symbol": "NOSUCH", "status": "TRADING"})),
        ("/sim/advance", json!({"bars": -1})),
    ] {
        let got = sim.control(path, body.clone()).await;
        assert_eq!(got.status, 400, "{path} {body}");
        assert!(!got.json()["error"].as_str().unwrap().is_empty());
    }
    assert_eq!(sim.control("/sim/nothing", json!({})).await.status, 404);
}

#[tokio::test]
async fn the_manual_clock_moves_only_by_hand_and_settles_funding() {
    let sim = start().await;
    sim.control("/sim/trade", json!({"symbol": "XRPUSDT", "qty": "10"})).await;
    sim.control("/sim/transfer", json!({"amount": "50"})).await;
    assert_eq!(sim.state().await["at"], "2026-01-01T00:00:00.000Z");
    let moved = sim.control("/sim/advance", json!({"bars": 97})).await.json();
    assert_eq!(moved["at"], "2026-01-01T08:05:00.000Z");
    let state = sim.state().await;
    let kinds: Vec<&str> =
        state["income"].as_array().unwrap().iter().map(|row| row["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["COMMISSION", "TRANSFER", "FUNDING_FEE"]);
    let orders = state["orders"].as_array().unwrap();
    assert!(orders[0]["client_order_id"].as_str().unwrap().starts_with("web_"));
    assert_eq!(state["requests"], json!([]));
    sim.control("/sim/status", json!({"symbol": "XRPUSDT", "status": "PRE_SETTLE"})).await;
    let at = START_MS + 97 * 300_000;
    assert_eq!(sim.signed_at("POST", "/fapi/v1/order", BUY, at).await.unwrap().code(), -4140);
}

#[tokio::test]
async fn the_real_clock_runs_and_cannot_be_pushed() {
    let sim = start_with(Settings { clock: Clock::Real { speed: 100_000.0 }, ..Settings::default() }).await;
    let first = sim.open("/fapi/v1/time").await.json()["serverTime"].as_i64().unwrap();
    let mut later = first;
    for _ in 0..1000 {
        later = sim.open("/fapi/v1/time").await.json()["serverTime"].as_i64().unwrap();
        if later > first + 300_000 {
            break;
        }
    }
    assert!(later > first + 300_000);
    assert_eq!(sim.control("/sim/advance", json!({"bars": 1})).await.status, 400);
}

/// Two bars of one coin, from 2026-01-01.
fn short_record() -> Exchange {
    let symbol: crate::domain::symbol::Symbol = "ADAUSDT".parse().unwrap();
    let price = crate::domain::num::Price::new(42, 2);
    let bar = |minutes: u64| Bar {
        open_time: Terms::default().start + Duration::from_secs(60 * minutes),
        open: price,
        high: price,
        low: price,
        close: price,
        volume: crate::domain::num::Qty::from(1000),
    };
    let bars = std::collections::BTreeMap::from([(symbol.clone(), vec![bar(0), bar(5)])]);
    let recorded = Recorded { bars, ..Recorded::default() };
    let world = World::new(vec![listing::derived(&symbol, price)], Prices::Replay(recorded));
    Exchange::new(world, Terms::default())
}

#[tokio::test]
async fn the_end_of_recorded_prices_is_said() {
    let sim = start_at(Settings { clock: Clock::Manual, ..Settings::default() }, short_record()).await;
    assert_eq!(sim.control("/sim/advance", json!({})).await.status, 200);
    let end = sim.control("/sim/advance", json!({"bars": 1})).await;
    assert_eq!(end.json()["error"], "recorded prices end at 2026-01-01T00:10:00.000Z");
    let clock = Clock::Real { speed: 100_000.0 };
    let sim = start_at(Settings { clock, ..Settings::default() }, short_record()).await;
    let mut got = sim.open("/fapi/v1/time").await;
    for _ in 0..1000 {
        if got.status != 200 {
            break;
        }
        got = sim.open("/fapi/v1/time").await;
    }
    assert_eq!((got.status, got.code()), (503, -1016), "{}", got.body);
    let at = sim.state().await["at"].as_str().unwrap().to_owned();
    assert!(at.starts_with("2026-01-01T00:1") && at.as_str() < "2026-01-01T00:15", "{at}");
}

#[tokio::test]
async fn weight_is_counted_and_runs_out() {
    let sim = start().await;
    assert_eq!(sim.open("/fapi/v1/premiumIndex").await.header("x-mbx-used-weight-1m").as_deref(), Some("10"));
    let got = sim.signed("GET", "/fapi/v1/income", "").await;
    assert_eq!(got.header("x-mbx-used-weight-1m").as_deref(), Some("40"));
    let weights: Vec<i64> = sim.state().await["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|seen| seen["weight"].as_i64().unwrap())
        .collect();
    assert_eq!(weights, [10, 30]);
    for _ in 0..78 {
        assert_eq!(sim.signed("GET", "/fapi/v1/income", "").await.status, 200);
    }
    assert_eq!(sim.open("/fapi/v1/premiumIndex").await.status, 200);
    assert_eq!(sim.open("/fapi/v1/premiumIndex").await.status, 200);
    assert_eq!(sim.open("/fapi/v1/premiumIndex").await.status, 429);
    for _ in 0..12 {
        sim.open("/fapi/v1/ping").await;
    }
    let banned = sim.open("/fapi/v1/ping").await;
    assert_eq!((banned.status, banned.code()), (418, -1003));
    assert!(banned.body.contains("banned until 17672257"), "{}", banned.body);
}

#[tokio::test]
async fn only_loopback_is_served() {
    let terms = Terms::default();
    let world = World::new(listing::synthetic(7, terms.start), Prices::Synthetic { seed: 7 });
    let settings = Settings { listen: "0.0.0.0:0".parse().unwrap(), ..Settings::default() };
    let error = serve(settings, Exchange::new(world, terms), |_| ()).await.unwrap_err();
    assert!(error.to_string().contains("not a loopback address"));
}

/// A question to the screener; `change` is put over the usual one.
async fn scan(sim: &Running, path: &str, change: Value) -> Got {
    let mut question = json!({
        "markets": [path.split('/').nth(1).unwrap()],
        "symbols": {"query": {"types": []}, "tickers": []},
        "options": {"lang": "en"},
        "columns": ["name"],
        "range": [0, 1000],
    });
    for (key, value) in change.as_object().unwrap() {
        question[key] = value.clone();
    }
    sim.raw("POST", path, &question.to_string(), None).await.unwrap()
}

#[tokio::test]
async fn the_screener_filters_sorts_and_cuts_as_it_is_asked() {
    let sim = start().await;
    let filter = |left: &str, operation: &str, right: Value| json!({"left": left, "operation": operation, "right": right});
    let total = async |filters: Value| {
        let got = scan(&sim, "/crypto/scan", json!({"filter": filters})).await.json();
        assert_eq!(got["totalCount"].as_u64().unwrap(), got["data"].as_array().unwrap().len() as u64);
        got["totalCount"].as_u64().unwrap()
    };
    let all = total(json!([])).await;
    let binance = filter("exchange", "equal", json!("BINANCE"));
    let swap = filter("type", "equal", json!("swap"));
    let usdt = filter("currency", "equal", json!("USDT"));
    let traded = filter("24h_vol|5", "nempty", Value::Null);
    let of_binance = total(json!([binance])).await;
    let swaps = total(json!([binance, swap])).await;
    let in_usdt = total(json!([binance, swap, usdt])).await;
    let with_volume = total(json!([binance, swap, usdt, traded])).await;
    let counts = [all, of_binance, swaps, in_usdt, with_volume];
    assert!(counts.is_sorted_by(|more, less| more > less), "{counts:?}");
    assert!(with_volume > 100, "{with_volume}");
    let perpetual = filter("typespecs", "has", json!(["perpetual"]));
    assert_eq!(total(json!([binance, swap, usdt, traded, perpetual])).await, with_volume);
    let dated = filter("typespecs", "has_none_of", json!(["perpetual"]));
    assert_eq!(total(json!([filter("type", "equal", json!("futures")), dated])).await, 1);
    let large = filter("24h_vol|5", "egreater", json!(1e9));
    let small = filter("24h_vol|5", "less", json!(1e9));
    assert_eq!(
        total(json!([swap, traded, large])).await + total(json!([swap, traded, small])).await,
        total(json!([swap, traded])).await
    );

    let sorted = |order: &str, nulls_first: bool, range: [u32; 2]| {
        json!({
            "columns": ["name", "24h_vol|5", "close"], "filter": [binance, swap, usdt], "range": range,
            "sort": {"sortBy": "24h_vol|5", "sortOrder": order, "nullsFirst": nulls_first},
        })
    };
    let got = scan(&sim, "/crypto/scan", sorted("desc", false, [1, 3])).await.json();
    assert_eq!(got["totalCount"].as_u64().unwrap(), in_usdt);
    let data = got["data"].as_array().unwrap();
    assert_eq!(
        (data.len(), &data[0]["s"], &data[0]["d"][0]),
        (2, &json!("BINANCE:ETHUSDT.P"), &json!("ETHUSDT.P"))
    );
    assert!(data[0]["d"][1].as_f64().unwrap() > data[1]["d"][1].as_f64().unwrap());
    for (order, nulls_first, nulls_at_start) in
        [("asc", true, true), ("desc", true, true), ("asc", false, false)]
    {
        let got = scan(&sim, "/crypto/scan", sorted(order, nulls_first, [0, 1])).await.json();
        assert_eq!(got["data"][0]["d"][1].is_null(), nulls_at_start, "{order} {nulls_first}");
    }
    let usual = scan(&sim, "/crypto/scan", json!({"range": null})).await.json();
    assert_eq!(usual["data"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn the_screener_refuses_in_its_own_words_and_obeys_faults() {
    let sim = start().await;
    let unknown = r#"{"data":null,"error":"Unknown field \"funding\"","totalCount":0}"#;
    for change in [
        json!({"columns": ["name", "funding"]}),
        json!({"filter": [{"left": "funding", "operation": "nempty"}]}),
        json!({"sort": {"sortBy": "funding", "sortOrder": "asc"}}),
    ] {
        for path in ["/crypto/scan", "/coin/scan"] {
            let got = scan(&sim, path, change.clone()).await;
            assert_eq!((got.status, got.body.as_str()), (400, unknown));
            let mut ignoring = change.clone();
            ignoring["ignore_unknown_fields"] = json!(true);
            assert_eq!(scan(&sim, path, ignoring).await.status, 200);
        }
    }
    let ignored =
        scan(&sim, "/coin/scan", json!({"columns": ["funding"], "ignore_unknown_fields": true})).await;
    assert_eq!(ignored.json()["data"][0]["d"], json!([null]));
    for change in [
        json!({"markets": ["america"]}),
        json!({"range": [9, 3]}),
        json!({"filter": [{"left": "name", "operation": "resembles", "right": "x"}]}),
        json!({"filter": [{"left": "typespecs", "operation": "has", "right": "x"}]}),
        json!({"sort": {"sortBy": "name", "sortOrder": "up"}}),
        json!({"colums": ["name"]}),
    ] {
        let got = scan(&sim, "/crypto/scan", change.clone()).await;
        assert_eq!((got.status, got.json()["data"].clone()), (400, Value::Null), "{change}");
        assert!(!got.json()["error"].as_str().unwrap().is_empty());
    }
    assert_eq!(sim.raw("POST", "/crypto/scan", "{", None).await.unwrap().status, 400);
    assert_eq!(sim.open("/crypto/scan").await.status, 404);
    let question = r#"{"markets":["coin"],"columns":["name"]}"#;
    sim.fault("POST /coin/scan", "reply:429:slow down").await;
    let got = sim.raw("POST", "/coin/scan", question, None).await.unwrap();
    assert_eq!((got.status, got.body.as_str()), (429, "slow down"));
    assert_eq!(sim.raw("POST", "/coin/scan", question, None).await.unwrap().status, 200);
    sim.fault("*", "drop").await;
    assert!(sim.raw("POST", "/coin/scan", question, None).await.is_err());
    sim.fault("/coin/scan", "truncate:20").await;
    assert_eq!(sim.raw("POST", "/coin/scan", question, None).await.unwrap().body.len(), 20);
    let requests = sim.state().await["requests"].as_array().unwrap().clone();
    assert_eq!(requests.last().unwrap()["path"], "/coin/scan");
    assert_eq!(requests.last().unwrap()["weight"], 0);
}
