//! A loopback server that says what a test tells it to, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// `GET /fapi/v1/time`.
    pub(super) name: String,
    /// Query and body, still encoded.
    pub(super) params: String,
    /// Everything before the body.
    pub(super) head: String,
    /// Which connection it came on, counted from 0.
    pub(super) connection: usize,
}

impl Seen {
    /// The value of a parameter.
    pub(super) fn param(&self, name: &str) -> Option<String> {
        let pair = self.params.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        pair.map(str::to_owned)
    }
}

/// What the server does with a request.
pub(super) enum Act {
    /// Sends these bytes and keeps the connection.
    Reply(Vec<u8>),
    /// Sends these bytes and closes.
    Cut(Vec<u8>),
    /// Says nothing and keeps the connection open.
    Stall,
}

/// A whole HTTP answer.
pub(super) fn http(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Act {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    Act::Reply([head.as_bytes(), body].concat())
}

/// A JSON answer with status 200.
pub(super) fn json(body: impl AsRef<[u8]>) -> Act {
    http(200, "Content-Type: application/json\r\n", body)
}

/// The server. Stops with its runtime.
pub(super) struct Canned {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Canned {
    pub(super) async fn start(answer: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Canned {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        tokio::spawn(async move {
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(serve(stream, connection, Arc::clone(&log), Arc::clone(&answer)));
            }
        });
        Canned { url, seen }
    }

    /// Every request so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How often `name` was asked.
    pub(super) fn count(&self, name: &str) -> usize {
        self.seen().iter().filter(|seen| seen.name == name).count()
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    log: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<impl Fn(&Seen) -> Act>,
) {
    let mut buffer = Vec::new();
    while let Some(seen) = request(&mut stream, &mut buffer, connection).await {
        log.lock().unwrap().push(seen.clone());
        match answer(&seen) {
            Act::Reply(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Act::Cut(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return;
            }
            Act::Stall => std::future::pending().await,
        }
    }
}

async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>, connection: usize) -> Option<Seen> {
    let head_len = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..head_len].to_vec()).unwrap();
    let lower = head.to_ascii_lowercase();
    let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    while buffer.len() < head_len + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(buffer[head_len..head_len + length].to_vec()).unwrap();
    buffer.drain(..head_len + length);
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Some(Seen { name: format!("{method} {path}"), params: format!("{query}{body}"), head, connection })
}

/// What the canned exchange's clock says.
pub(super) const SERVER_MS: i64 = 1_795_163_379_973;

/// The answers of a small, healthy account: 0.05 BTC long, 1000 USDT in the wallet. Figures are
/// invented; shapes are those of the real exchange.
pub(super) fn healthy(seen: &Seen) -> Act {
    match seen.name.as_str() {
        "GET /fapi/v1/time" => json(format!(r#"{{"serverTime":{SERVER_MS}}}"#)),
        "GET /fapi/v1/premiumIndex" => json(
            r#"[{"symbol":"BTCUSDT","markPrice":"31000.00000000","indexPrice":"31001","estimatedSettlePrice":"0",
                 "lastFundingRate":"0.00010000","interestRate":"0.00010000","nextFundingTime":1795176000000,"time":1795163379000},
                {"symbol":"DEADUSDT","markPrice":"0.00000000","lastFundingRate":"","nextFundingTime":0,"time":1795163379000},
                {"symbol":"BADUSDT","markPrice":"-5","lastFundingRate":"0","nextFundingTime":0,"time":1795163379000}]"#,
        ),
        "GET /fapi/v1/ticker/bookTicker" => json(
            r#"[{"symbol":"BTCUSDT","bidPrice":"30999.90","bidQty":"1.5","askPrice":"31000.10","askQty":"2","time":1795163379000},
                {"symbol":"DEADUSDT","bidPrice":"0","bidQty":"0","askPrice":"0","askQty":"0","time":0}]"#,
        ),
        "GET /fapi/v3/account" => json(account("0.050", "50.00000000", "0")),
        "GET /fapi/v3/positionRisk" => json(position_risk("0.050", "50.00000000")),
        "GET /fapi/v1/symbolConfig" => json(
            r#"[{"symbol":"BTCUSDT","marginType":"CROSSED","isAutoAddMargin":false,"leverage":5,"maxNotionalValue":"1000000"}]"#,
        ),
        "GET /fapi/v1/accountConfig" => json(
            r#"{"feeTier":0,"canTrade":true,"canDeposit":true,"canWithdraw":true,"dualSidePosition":false,
                "multiAssetsMargin":false,"updateTime":0,"tradeGroupId":-1}"#,
        ),
        "GET /fapi/v3/balance" => json(
            r#"[{"accountAlias":"SgsR","asset":"USDT","balance":"1000","crossWalletBalance":"1000","crossUnPnl":"50",
                 "availableBalance":"740","maxWithdrawAmount":"740","marginAvailable":true,"updateTime":1}]"#,
        ),
        "GET /fapi/v1/exchangeInfo" => json(EXCHANGE_INFO),
        "GET /fapi/v1/leverageBracket" => json(
            r#"[{"symbol":"BTCUSDT","brackets":[{"bracket":1,"initialLeverage":125,"notionalCap":50000,"notionalFloor":0,
                 "maintMarginRatio":0.004,"cum":0.0}]}]"#,
        ),
        "GET /fapi/v1/commissionRate" => json(
            r#"{"symbol":"BTCUSDT","makerCommissionRate":"0.0002","takerCommissionRate":"0.0005","rpiCommissionRate":"0"}"#,
        ),
        "GET /fapi/v1/openOrders" => json("[]"),
        _ => http(404, "", "<html>not here</html>"),
    }
}

/// One readable contract and one without a step.
const EXCHANGE_INFO: &str = r#"{"timezone":"UTC","symbols":[
  {"symbol":"BTCUSDT","contractType":"PERPETUAL","deliveryDate":4133404800000,"onboardDate":1569398400000,
   "status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","marginAsset":"USDT","underlyingSubType":["PoW","Crypto"],
   "liquidationFee":"0.012500","marketTakeBound":"0.05","filters":[
   {"filterType":"MIN_NOTIONAL","notional":"50"},
   {"filterType":"PRICE_FILTER","minPrice":"556.80","maxPrice":"4529764","tickSize":"0.10"},
   {"filterType":"LOT_SIZE","minQty":"0.001","maxQty":"1000","stepSize":"0.001"},
   {"filterType":"MARKET_LOT_SIZE","minQty":"0.001","maxQty":"120","stepSize":"0.001"},
   {"filterType":"MAX_NUM_ORDERS","limit":200},
   {"filterType":"PERCENT_PRICE","multiplierUp":"1.0500","multiplierDown":"0.9500","multiplierDecimal":"4"}]},
  {"symbol":"NOSTEPUSDT","contractType":"PERPETUAL","deliveryDate":4133404800000,"onboardDate":1569398400000,
   "status":"TRADING","baseAsset":"NOSTEP","quoteAsset":"USDT","marginAsset":"USDT","filters":[
   {"filterType":"MIN_NOTIONAL","notional":"5"},
   {"filterType":"PRICE_FILTER","minPrice":"1","maxPrice":"2","tickSize":"0.10"}]}]}"#;

/// An account with `qty` BTC whose total floating profit is `profit`.
pub(super) fn account(qty: &str, profit: &str, order_margin: &str) -> String {
    let unrealized = if qty == "0" { "0" } else { "50.00000000" };
    let equity = if qty == "0" { "1000" } else { "1050" };
    let rows = format!(
        r#"{{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"{qty}","unrealizedProfit":"{unrealized}","isolatedMargin":"0",
           "notional":"1550","isolatedWallet":"0","initialMargin":"310","maintMargin":"6.2","updateTime":1795160000000}}"#
    );
    let asset = format!(
        r#"{{"asset":"USDT","walletBalance":"1000","unrealizedProfit":"{unrealized}","marginBalance":"{equity}","maintMargin":"6.2",
           "initialMargin":"310","positionInitialMargin":"310","openOrderInitialMargin":"0","crossWalletBalance":"1000",
           "crossUnPnl":"{unrealized}","availableBalance":"740","maxWithdrawAmount":"740","updateTime":1}}"#
    );
    format!(
        r#"{{"totalInitialMargin":"310","totalMaintMargin":"6.2","totalWalletBalance":"1000","totalUnrealizedProfit":"{profit}",
           "totalMarginBalance":"{equity}","totalPositionInitialMargin":"310","totalOpenOrderInitialMargin":"{order_margin}",
           "totalCrossWalletBalance":"1000","totalCrossUnPnl":"50","availableBalance":"740","maxWithdrawAmount":"740",
           "assets":[{asset}],"positions":[{rows}]}}"#
    )
}

/// The matching positionRisk.
pub(super) fn position_risk(qty: &str, profit: &str) -> String {
    format!(
        r#"[{{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"{qty}","entryPrice":"30000.0","breakEvenPrice":"30015",
            "markPrice":"31000.00000000","unRealizedProfit":"{profit}","liquidationPrice":"11208.835341","isolatedMargin":"0",
            "notional":"1550","marginAsset":"USDT","isolatedWallet":"0","initialMargin":"310","maintMargin":"6.2",
            "positionInitialMargin":"310","openOrderInitialMargin":"0","adl":2,"bidNotional":"0","askNotional":"0",
            "updateTime":1795160000000}}]"#
    )
}
