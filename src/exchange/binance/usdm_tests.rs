//! The client against a loopback server that misbehaves on purpose.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::domain::order::{OrderKind, OrderStatus, Side, TimeInForce};
use crate::exchange::binance::canned::{
    Act, Canned, SERVER_MS, Seen, account, healthy, http, json, position_risk,
};

const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
type MakeAct = fn() -> Act;
type MakeBody = Box<dyn Fn() -> String + Send + Sync>;

const ORDER: &str = "POST /fapi/v1/order";

fn settings(url: &str) -> Settings {
    let signer = Signer::new(&SECRET.into()).unwrap();
    Settings {
        base_url: url.to_owned(),
        environment: "testnet 127.0.0.1".into(),
        credentials: Some((KEY.into(), signer)),
        recv_window: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        concurrency: 10,
        exchange_info_max_age: Duration::from_secs(3600),
        cache: None,
        quote: "USDT".into(),
    }
}

async fn connected(server: &Canned) -> Usdm {
    let mut venue = Usdm::new(settings(&server.url)).unwrap();
    venue.connect().await.unwrap();
    venue
}

fn btc() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

const ID: &str = "rb17c2e9a0001fa3c07o";

fn buy() -> OrderRequest {
    OrderRequest {
        symbol: btc(),
        side: Side::Buy,
        qty: "0.010".parse().unwrap(),
        kind: OrderKind::Limit { price: "31155.0".parse().unwrap(), time_in_force: TimeInForce::Ioc },
        reduce_only: false,
        client_id: ID.into(),
    }
}

fn placed(id: &str) -> String {
    format!(
        r#"{{"clientOrderId":"{id}","cumQty":"0.010","executedQty":"0.010","orderId":81000199999,"origQty":"0.010","price":"0",
           "reduceOnly":false,"side":"BUY","positionSide":"BOTH","status":"FILLED","stopPrice":"0","closePosition":false,
           "symbol":"BTCUSDT","timeInForce":"IOC","type":"LIMIT","origType":"LIMIT","updateTime":1795163379972,
           "workingType":"CONTRACT_PRICE","priceProtect":false,"priceMatch":"NONE","selfTradePreventionMode":"EXPIRE_MAKER",
           "goodTillDate":0}}"#
    )
}

fn inflated(bytes: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b' '; bytes]).unwrap();
    encoder.finish().unwrap()
}

/// Sends one order to a server that answers it with `act`; returns the reply, the venue and what
/// the server saw of it.
async fn one_order(act: fn() -> Act, timeout: Duration) -> (Reply, Usdm, Vec<Seen>) {
    let server = Canned::start(move |seen| if seen.name == ORDER { act() } else { healthy(seen) }).await;
    let mut venue = Usdm::new(Settings { timeout, ..settings(&server.url) }).unwrap();
    venue.connect().await.unwrap();
    let reply = venue.send(&buy(), venue.now()).await;
    let orders = server.seen().into_iter().filter(|seen| seen.name == ORDER).collect();
    (reply, venue, orders)
}

#[tokio::test]
async fn an_order_is_sent_once_signed_and_on_its_own_connection() {
    let server =
        Canned::start(|seen| if seen.name == ORDER { json(placed(ID)) } else { healthy(seen) }).await;
    let venue = connected(&server).await;
    let stamp = venue.now();
    for _ in 0..2 {
        let Reply::Accepted(order) = venue.send(&buy(), stamp).await else { panic!("accepted") };
        assert_eq!(
            (order.status, order.order_id, order.avg_price),
            (OrderStatus::Filled, 81_000_199_999, None)
        );
    }
    let orders: Vec<Seen> = server.seen().into_iter().filter(|seen| seen.name == ORDER).collect();
    assert_eq!(orders.len(), 2);
    assert_ne!(orders[0].connection, orders[1].connection);
    let head = orders[0].head.to_ascii_lowercase();
    for line in [
        "post /fapi/v1/order http/1.1",
        "accept-encoding: identity\r\n",
        "content-type: application/x-www-form-urlencoded\r\n",
        &format!("x-mbx-apikey: {}\r\n", KEY.to_ascii_lowercase()),
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    let (payload, signature) = orders[0].params.split_once("&signature=").unwrap();
    let said = format!(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&price=31155&quantity=0.01&newClientOrderId={ID}\
         &newOrderRespType=RESULT&recvWindow=5000&timestamp={}",
        stamp.ms()
    );
    assert_eq!(payload, said);
    assert_eq!(signature, Signer::new(&SECRET.into()).unwrap().sign(payload).unwrap());
}

#[tokio::test]
async fn every_way_to_lose_an_answer_leaves_the_order_unknown_and_sent_once() {
    let cases: [(&str, MakeAct); 19] = [
        ("closed before the answer", || Act::Cut(Vec::new())),
        ("half a head", || Act::Cut(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec())),
        ("half a body", || {
            let body = placed(ID);
            let half = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.len(), &body[..99]);
            Act::Cut(half.into_bytes())
        }),
        ("length too short", || {
            Act::Cut(format!("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{}", placed(ID)).into_bytes())
        }),
        ("not HTTP", || Act::Cut(b"hello\r\n\r\n".to_vec())),
        ("a web page", || http(200, "Content-Type: text/html\r\n", "<html>Welcome to the hotel</html>")),
        ("empty", || json("")),
        ("another id", || json(placed("rb17c2e9a0001fa3c08o"))),
        ("says it twice", || json(placed(ID).replacen('{', r#"{"status":"NEW","#, 1))),
        ("redirected 307", || http(307, "Location: /elsewhere\r\n", "")),
        ("redirected 302", || http(302, "Location: /elsewhere\r\n", "")),
        ("firewall", || http(403, "Content-Type: text/html\r\n", "<html>denied</html>")),
        ("backend timeout", || http(408, "", r#"{"code":-1007,"msg":"Timeout waiting for response."}"#)),
        ("unknown error", || {
            http(
                503,
                "",
                r#"{"code":-1000,"msg":"Unknown error, please check your request or try again later."}"#,
            )
        }),
        ("unavailable", || http(503, "", "Service Unavailable.")),
        ("throttled", || {
            http(503, "", r#"{"code":-1008,"msg":"Request throttled by system-level protection."}"#)
        }),
        ("gateway", || http(502, "", "")),
        ("duplicate id", || http(400, "", r#"{"code":-4116,"msg":"ClientOrderId is duplicated."}"#)),
        ("a bomb", || http(200, "Content-Encoding: gzip\r\n", inflated(9 * 1024 * 1024))),
    ];
    for (name, act) in cases {
        let (reply, venue, orders) = one_order(act, Duration::from_secs(5)).await;
        assert!(matches!(reply, Reply::Unknown(_)), "{name}: {reply:?}");
        assert_eq!(orders.len(), 1, "{name}");
        assert_eq!(venue.not_before(), None, "{name}");
    }
}

#[tokio::test]
async fn silence_after_an_order_is_unknown_when_the_time_is_up() {
    let (reply, _, orders) = one_order(|| Act::Stall, Duration::from_millis(80)).await;
    assert!(matches!(&reply, Reply::Unknown(detail) if detail == "no complete answer in time"), "{reply:?}");
    assert_eq!(orders.len(), 1);
    let dribble = || Act::Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{".to_vec());
    let (reply, _, _) = one_order(dribble, Duration::from_millis(80)).await;
    assert!(matches!(&reply, Reply::Unknown(_)), "{reply:?}");
}

#[tokio::test]
async fn a_definite_refusal_is_a_rejection() {
    let act = || http(400, "", r#"{"code":-2019,"msg":"Margin is insufficient."}"#);
    let (reply, _, orders) = one_order(act, Duration::from_secs(5)).await;
    assert!(matches!(&reply, Reply::Rejected { code: -2019, msg } if msg == "Margin is insufficient."));
    assert_eq!(orders.len(), 1);
    let act = || {
        http(400, "", r#"{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}"#)
    };
    let (reply, _, orders) = one_order(act, Duration::from_secs(5)).await;
    assert!(matches!(reply, Reply::Rejected { code: -1021, .. }), "an order is never signed anew");
    assert_eq!(orders.len(), 1);
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent_and_no_address_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let venue = Usdm::new(settings(&format!("http://{address}"))).unwrap();
    let reply = venue.send(&buy(), Time::clamped(SERVER_MS)).await;
    let Reply::NotSent(detail) = reply else { panic!("{reply:?}") };
    assert!(detail.contains("refused"), "{detail}");
    let error = venue.public_markets().await.unwrap_err();
    for shown in [detail, error.to_string(), format!("{error:?}")] {
        for hidden in ["127.0.0.1", &address.port().to_string(), "signature", "timestamp", KEY, SECRET] {
            assert!(!shown.contains(hidden), "{hidden} in {shown}");
        }
    }
}

#[tokio::test]
async fn over_the_limit_an_order_is_unknown_and_then_nothing_is_sent() {
    let act = || {
        let body = format!(
            r#"{{"code":-1003,"msg":"Way too many requests; IP banned until {}. Please use the websocket."}}"#,
            SERVER_MS + 120_000
        );
        http(418, "Retry-After: 7\r\n", body)
    };
    let (reply, venue, orders) = one_order(act, Duration::from_secs(5)).await;
    assert!(matches!(reply, Reply::Unknown(_)), "{reply:?}");
    assert_eq!(venue.not_before(), Some(Time::clamped(SERVER_MS + 120_000)));
    assert!(matches!(venue.send(&buy(), venue.now()).await, Reply::NotSent(_)));
    assert!(matches!(venue.observe().await, Err(ExchangeError::RateLimited { .. })));
    assert_eq!(orders.len(), 1);
}

#[tokio::test]
async fn a_read_over_the_limit_waits_as_long_as_it_is_told() {
    let server = Canned::start(|seen| match seen.name.as_str() {
        "GET /fapi/v1/income" => {
            http(429, "Retry-After: 30\r\n", r#"{"code":-1003,"msg":"Too many requests."}"#)
        }
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    let error = venue.income_since(venue.now()).await.unwrap_err();
    let ExchangeError::RateLimited { until, .. } = error else { panic!("{error}") };
    assert!((29_000..=31_000).contains(&(until.ms() - SERVER_MS)), "{until}");
    assert_eq!(venue.not_before(), Some(until));
    let asked = server.seen().len();
    assert!(venue.order(&btc(), ID).await.is_err());
    assert_eq!(server.seen().len(), asked);
    // The next pass is told by its ledger, before it knows the time.
    let mut next = Usdm::new(settings(&server.url)).unwrap();
    next.hold_until(Time::from(std::time::SystemTime::now()) + Duration::from_secs(60));
    assert!(matches!(next.connect().await, Err(ExchangeError::RateLimited { .. })));
    assert_eq!(server.seen().len(), asked);
}

#[tokio::test]
async fn a_wave_that_would_pass_the_weight_limit_is_not_begun() {
    let server = Canned::start(|seen| match seen.name.as_str() {
        "GET /fapi/v1/time" => http(
            200,
            "x-mbx-used-weight-1m: 2380\r\n",
            format!(r#"{{"serverTime":{}}}"#, SERVER_MS - SERVER_MS % 60_000),
        ),
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    assert_eq!(venue.used_weight(), 2380);
    assert!(matches!(venue.observe().await, Err(ExchangeError::RateLimited { .. })));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_refused_time_is_measured_again_once() {
    let times = AtomicUsize::new(0);
    let server = Canned::start(move |seen| match seen.name.as_str() {
        "GET /fapi/v1/time" => {
            // The first measurement is an hour behind.
            let behind = if times.fetch_add(1, Ordering::SeqCst) == 0 { 3_600_000 } else { 0 };
            json(format!(r#"{{"serverTime":{}}}"#, SERVER_MS - behind))
        }
        _ => match seen.param("timestamp").map(|stamp| stamp.parse::<i64>().unwrap()) {
            Some(stamp) if stamp < SERVER_MS - 5000 => http(
                400,
                "",
                r#"{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}"#,
            ),
            _ => healthy(seen),
        },
    })
    .await;
    let venue = connected(&server).await;
    let observation = venue.observe().await.unwrap();
    assert_eq!(observation.account, "SgsR");
    assert_eq!(server.count("GET /fapi/v1/time"), 2, "one measurement serves the whole wave");
    assert_eq!(server.count("GET /fapi/v3/account"), 2);
    assert_eq!(server.count("GET /fapi/v1/premiumIndex"), 1);
}

#[tokio::test]
async fn a_time_refused_for_good_tells_what_to_do() {
    let server = Canned::start(|seen| match seen.name.as_str() {
        "GET /fapi/v1/order" => http(400, "", r#"{"code":-1021,"msg":"outside of the recvWindow"}"#),
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    let error = venue.order(&btc(), ID).await.unwrap_err();
    assert!(
        matches!(&error, ExchangeError::Refused { hint, .. } if hint.contains("recv_window_ms")),
        "{error}"
    );
    assert_eq!(server.count("GET /fapi/v1/order"), 2);
}

#[tokio::test]
async fn an_absurd_server_time_is_refused() {
    for time in ["0", "1", "9223372036854", "\"1795163379973\"", "-5", "1e300", "null"] {
        let server = Canned::start(move |_| json(format!(r#"{{"serverTime":{time}}}"#))).await;
        let mut venue = Usdm::new(settings(&server.url)).unwrap();
        assert!(matches!(venue.connect().await, Err(ExchangeError::Unavailable { .. })), "{time}");
        assert_eq!(venue.now(), Time::default());
        let error = venue.observe().await.unwrap_err();
        assert!(error.to_string().contains("time is not known"), "{error}");
    }
}

#[tokio::test]
async fn one_wave_brings_the_whole_observation() {
    let folder = tempfile::tempdir().unwrap();
    let server = Canned::start(healthy).await;
    let venue =
        || Usdm::new(Settings { cache: Some(folder.path().into()), ..settings(&server.url) }).unwrap();
    let mut first = venue();
    first.connect().await.unwrap();
    let seen = first.observe().await.unwrap();
    assert_eq!(server.seen().len(), 1 + 7 + 3);
    assert_eq!(first.used_weight(), 1 + 40 + 22);
    let position = &seen.positions[&btc()];
    assert_eq!((position.qty, position.entry_price), ("0.05".parse().unwrap(), "30000".parse().unwrap()));
    assert_eq!(position.liquidation_price, Some("11208.835341".parse().unwrap()));
    assert_eq!(seen.balance.equity, "1050".parse().unwrap());
    assert_eq!(seen.settings[&btc()].leverage, 5);
    assert!(seen.modes.can_trade && !seen.modes.hedge && !seen.modes.multi_assets);
    assert_eq!(seen.markets.keys().collect::<Vec<_>>(), [&btc()]);
    assert_eq!(seen.rules.keys().collect::<Vec<_>>(), [&btc()]);
    assert_eq!(seen.brackets[&btc()].len(), 1);
    assert_eq!(seen.taker_fee, "0.0005".parse().unwrap());
    assert!(seen.open_orders.is_empty());
    let problems: Vec<String> = first.problems().iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].starts_with("NOSTEPUSDT: GET /fapi/v1/exchangeInfo: field `filters` has no LOT_SIZE")
    );
    assert!(problems[1].starts_with("BADUSDT: GET /fapi/v1/premiumIndex: field `markPrice` is negative"));

    let mut second = venue();
    second.connect().await.unwrap();
    let again = second.observe().await.unwrap();
    assert_eq!((server.seen().len(), second.used_weight()), (11 + 1 + 7, 41));
    assert_eq!((again.rules, again.brackets), (seen.rules, seen.brackets));
    assert_eq!(again.taker_fee, seen.taker_fee);
}

#[tokio::test]
async fn a_refusal_by_a_filter_makes_the_next_pass_read_the_rules_again() {
    for (code, asked) in [(-1111, 2), (-4164, 2), (-4003, 2), (-2019, 1)] {
        let server = Canned::start(move |seen| match seen.name.as_str() {
            ORDER => http(400, "", format!(r#"{{"code":{code},"msg":"no"}}"#)),
            _ => healthy(seen),
        })
        .await;
        let venue = connected(&server).await;
        venue.observe().await.unwrap();
        assert!(matches!(venue.send(&buy(), venue.now()).await, Reply::Rejected { .. }));
        venue.observe().await.unwrap();
        assert_eq!(server.count("GET /fapi/v1/exchangeInfo"), asked, "{code}");
    }
}

#[tokio::test]
async fn resting_orders_are_read_only_where_something_hints_at_them() {
    let answers: [(&str, &str); 3] = [("0.050", "3.5"), ("0", "0"), ("0.050", "0")];
    for ((qty, order_margin), asked) in answers.into_iter().zip([1, 1, 0]) {
        let server = Canned::start(move |seen| match seen.name.as_str() {
            "GET /fapi/v3/account" => json(account(qty, if qty == "0" { "0" } else { "50" }, order_margin)),
            "GET /fapi/v3/positionRisk" => json(position_risk(qty, if qty == "0" { "0" } else { "50" })),
            "GET /fapi/v1/openOrders" => json(format!("[{}]", placed("web_1").replace("FILLED", "NEW"))),
            _ => healthy(seen),
        })
        .await;
        let seen = connected(&server).await.observe().await.unwrap();
        assert_eq!(server.count("GET /fapi/v1/openOrders"), asked, "{qty} {order_margin}");
        assert_eq!(seen.open_orders.len(), asked);
        assert_eq!(seen.positions.len(), usize::from(qty != "0"));
    }
}

#[tokio::test]
async fn an_account_that_contradicts_itself_is_no_snapshot() {
    let asset = |from: &'static str, to: &'static str| move || account("0.050", "50", "0").replace(from, to);
    let cases: [(&str, MakeBody); 6] = [
        ("the account lists no USDT", Box::new(asset(r#""asset":"USDT""#, r#""asset":"USDC""#))),
        ("no USDT in the wallet", Box::new(asset(r#""walletBalance":"1000""#, r#""walletBalance":"0""#))),
        ("floating profit is 50", Box::new(|| account("0.050", "10", "0"))),
        ("different positions", Box::new(|| account("0.060", "50", "0"))),
        ("do not add up", Box::new(asset(r#""marginBalance":"1050""#, r#""marginBalance":"0""#))),
        ("field `assets` is missing", Box::new(asset("assets", "balances"))),
    ];
    for (said, body) in cases {
        let server = Canned::start(move |seen| match seen.name.as_str() {
            "GET /fapi/v3/account" => json(body()),
            _ => healthy(seen),
        })
        .await;
        let error = connected(&server).await.observe().await.unwrap_err();
        assert!(matches!(error, ExchangeError::Unavailable { .. }), "{error}");
        assert!(error.to_string().contains(said), "{said}: {error}");
    }
}

#[tokio::test]
async fn a_fill_between_two_answers_is_looked_at_once_more() {
    let asked = AtomicUsize::new(0);
    let server = Canned::start(move |seen| match seen.name.as_str() {
        "GET /fapi/v3/account" if asked.fetch_add(1, Ordering::SeqCst) == 0 => {
            json(account("0.040", "50", "0"))
        }
        _ => healthy(seen),
    })
    .await;
    let seen = connected(&server).await.observe().await.unwrap();
    assert_eq!(seen.positions[&btc()].qty, "0.05".parse().unwrap());
    assert_eq!(server.count("GET /fapi/v3/positionRisk"), 2);
}

/// A book of income rows that answers like the exchange: both bounds included, 1000 rows at most.
fn income_page(seen: &Seen, times: &[i64]) -> Act {
    let bound = |name| seen.param(name).unwrap().parse::<i64>().unwrap();
    let (from, to) = (bound("startTime"), bound("endTime"));
    assert!(to - from < 7 * 86_400_000, "too wide");
    assert_eq!(seen.param("limit").as_deref(), Some("1000"));
    let rows = times.iter().filter(|time| (from..=to).contains(time)).take(1000);
    let rows: Vec<String> = rows
        .map(|time| {
            format!(
                r#"{{"symbol":"","incomeType":"TRANSFER","income":"-1","asset":"USDT","info":"","time":{time},"tranId":0,"tradeId":""}}"#
            )
        })
        .collect();
    json(format!("[{}]", rows.join(",")))
}

#[tokio::test]
async fn history_is_complete_whatever_the_pages_hold() {
    let day = 86_400_000;
    let start = SERVER_MS - 20 * day;
    // Equal rows, a crowd within one hour, single rows at the edges of windows, one before `since`.
    let mut times = vec![start - 1, start, start, start + 7 * day - 1, start + 7 * day, SERVER_MS];
    times.extend((0..2500).map(|n| start + 3 * day + n / 2));
    times.sort_unstable();
    let wanted: Vec<i64> = times.iter().copied().filter(|time| *time >= start).collect();
    let server = Canned::start(move |seen| match seen.name.as_str() {
        "GET /fapi/v1/income" => income_page(seen, &times),
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    let rows = venue.income_since(Time::clamped(start)).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.at.ms()).collect::<Vec<_>>(), wanted);
}

#[tokio::test]
async fn more_rows_in_a_millisecond_than_a_page_holds_is_an_error_not_a_loss() {
    let server = Canned::start(|seen| match seen.name.as_str() {
        "GET /fapi/v1/income" => income_page(seen, &[SERVER_MS - 5000; 1200]),
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    let error = venue.income_since(Time::clamped(SERVER_MS - 60_000)).await.unwrap_err();
    assert!(error.to_string().contains("one millisecond"), "{error}");
}

fn trade(symbol: &str, id: i64, order_id: i64, time: i64) -> String {
    format!(
        r#"{{"buyer":true,"commission":"0.0155","commissionAsset":"USDT","id":{id},"maker":false,"orderId":{order_id},
           "price":"31000","qty":"0.001","quoteQty":"31","realizedPnl":"0","side":"BUY","positionSide":"BOTH",
           "symbol":"{symbol}","time":{time}}}"#
    )
}

#[tokio::test]
async fn executions_are_read_page_by_page_and_only_of_the_contract_asked() {
    let server =
        Canned::start(|seen| match (seen.name.as_str(), seen.param("orderId"), seen.param("symbol")) {
            ("GET /fapi/v1/userTrades", Some(_), _) => {
                let from: i64 = seen.param("fromId").map_or(1, |id| id.parse().unwrap());
                let page = (from..=1500).take(1000).map(|id| trade("BTCUSDT", id, 7, SERVER_MS));
                json(format!("[{}]", page.collect::<Vec<_>>().join(",")))
            }
            ("GET /fapi/v1/userTrades", None, _) => json(format!("[{}]", trade("ETHUSDT", 1, 7, SERVER_MS))),
            _ => healthy(seen),
        })
        .await;
    let venue = connected(&server).await;
    let fills = venue.fills_of(&btc(), 7).await.unwrap();
    assert_eq!(fills.len(), 1500);
    assert!(fills.windows(2).all(|two| two[0].trade_id < two[1].trade_id));
    assert_eq!(server.count("GET /fapi/v1/userTrades"), 2);
    let error = venue.fills_since(&btc(), Time::clamped(SERVER_MS - 1000)).await.unwrap_err();
    assert!(error.to_string().contains("another contract"), "{error}");
}

#[tokio::test]
async fn one_order_is_found_missing_or_not_believed() {
    let server = Canned::start(|seen| match seen.param("origClientOrderId").as_deref() {
        Some("gone") => http(400, "", r#"{"code":-2013,"msg":"Order does not exist."}"#),
        Some("other") => json(placed("somebody")),
        Some(id) => json(placed(id).replacen('{', r#"{"avgPrice":"31000.5","#, 1)),
        None => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    assert_eq!(venue.order(&btc(), "gone").await.unwrap(), None);
    assert!(matches!(venue.order(&btc(), "other").await, Err(ExchangeError::Unavailable { .. })));
    let order = venue.order(&btc(), ID).await.unwrap().unwrap();
    assert_eq!(order.avg_price, Some("31000.5".parse().unwrap()));
}

#[tokio::test]
async fn setting_what_is_set_already_is_a_success() {
    let server = Canned::start(|seen| match (seen.name.as_str(), seen.param("symbol").as_deref()) {
        ("POST /fapi/v1/marginType", Some("BTCUSDT")) => {
            http(400, "", r#"{"code":-4046,"msg":"No need to change margin type."}"#)
        }
        ("POST /fapi/v1/marginType", Some("ETHUSDT")) => json(r#"{"code":200,"msg":"success"}"#),
        ("POST /fapi/v1/marginType", _) => {
            http(400, "", r#"{"code":-4048,"msg":"Margin type cannot be changed."}"#)
        }
        ("POST /fapi/v1/leverage", _) => {
            json(r#"{"leverage":5,"maxNotionalValue":"INF","symbol":"BTCUSDT"}"#)
        }
        ("DELETE /fapi/v1/order", _) => http(400, "", r#"{"code":-2011,"msg":"Unknown order sent."}"#),
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    assert!(venue.set_cross(&btc()).await.is_ok());
    assert!(venue.set_cross(&"ETHUSDT".parse().unwrap()).await.is_ok());
    let error = venue.set_cross(&"XRPUSDT".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Rejected { code: -4048, .. }));
    assert!(venue.set_leverage(&btc(), 5).await.is_ok());
    assert!(matches!(venue.set_leverage(&btc(), 6).await, Err(ExchangeError::Unavailable { .. })));
    assert!(venue.cancel(&btc(), ID).await.is_ok());
    let post = server.seen().into_iter().find(|seen| seen.name == "POST /fapi/v1/leverage").unwrap();
    assert!(!post.head.contains('?'), "a POST carries its parameters in the body");
}

#[tokio::test]
async fn public_prices_need_no_key() {
    let server = Canned::start(healthy).await;
    let mut venue = Usdm::new(Settings { credentials: None, ..settings(&server.url) }).unwrap();
    venue.connect().await.unwrap();
    let (at, rules, markets) = venue.public_markets().await.unwrap();
    assert!(at.ms() >= SERVER_MS);
    assert_eq!((rules.len(), markets.len()), (1, 1));
    venue.public_markets().await.unwrap();
    assert_eq!(server.count("GET /fapi/v1/exchangeInfo"), 1);
    for seen in server.seen() {
        assert!(!seen.head.to_ascii_lowercase().contains("apikey") && !seen.params.contains("signature"));
    }
    let error = venue.observe().await.unwrap_err();
    assert!(matches!(&error, ExchangeError::Refused { hint, .. } if hint.contains("credentials")), "{error}");
    assert!(matches!(venue.send(&buy(), at).await, Reply::NotSent(_)));
}

#[tokio::test]
async fn answers_are_inflated_but_not_without_end() {
    let packed = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let body =
        packed(br#"{"symbol":"BTCUSDT","openTime":1,"lastPrice":"2","quoteVolume":"3","closeTime":4}"#);
    let bomb = inflated(9 * 1024 * 1024);
    let server = Canned::start(move |seen| match seen.name.as_str() {
        "GET /fapi/v1/ticker/24hr" => http(200, "Content-Encoding: gzip\r\n", &body),
        "GET /fapi/v1/fundingInfo" => http(200, "Content-Encoding: gzip\r\n", &bomb),
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    assert_eq!(venue.day_stats().await.unwrap().len(), 1);
    let error = venue.funding_terms().await.unwrap_err();
    assert!(error.to_string().contains("8 MiB"), "{error}");
}

#[tokio::test]
async fn a_server_that_echoes_the_request_learns_nothing_to_show() {
    let server = Canned::start(|seen| match seen.name.as_str() {
        "GET /fapi/v1/time" => healthy(seen),
        _ => {
            let echo = format!("{} {} {}", seen.head, seen.params, "x".repeat(5000));
            let msg = serde_json::to_string(&format!("\u{1b}[31m{echo}")).unwrap();
            let code = if seen.name == ORDER { -2019 } else { -1102 };
            http(400, "", format!(r#"{{"code":{code},"msg":{msg}}}"#))
        }
    })
    .await;
    let venue = connected(&server).await;
    let error = venue.order(&btc(), ID).await.unwrap_err();
    let reply = venue.send(&buy(), venue.now()).await;
    for shown in [error.to_string(), format!("{error:?}"), format!("{reply:?}")] {
        assert!(shown.chars().count() < 400, "{shown}");
        assert!(!shown.contains('\u{1b}') && !shown.contains(KEY), "{shown}");
        for seen in server.seen() {
            if let Some(signature) = seen.param("signature") {
                assert!(!shown.contains(&signature), "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn a_web_page_or_a_redirect_is_no_answer_to_a_read_either() {
    let acts: [(MakeAct, &str); 5] = [
        (|| http(200, "", "<html>portal</html>"), "not readable as JSON"),
        (|| http(307, "Location: https://example.com/\r\n", ""), "never followed"),
        (|| http(403, "", "<html>denied</html>"), "firewall"),
        (|| http(502, "", ""), "HTTP 502"),
        (|| Act::Cut(Vec::new()), "connection broke"),
    ];
    for (act, said) in acts {
        let server = Canned::start(move |_| act()).await;
        let error = Usdm::new(settings(&server.url)).unwrap().connect().await.unwrap_err();
        assert!(matches!(&error, ExchangeError::Unavailable { .. }), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_key_says_what_to_do() {
    for (status, code, said) in [
        (401, -2014, "Copy it again"),
        (401, -2015, "testnet key"),
        (400, -1022, "secret"),
        (400, -1002, "Enable reading"),
    ] {
        let server = Canned::start(move |seen| match seen.name.as_str() {
            "GET /sapi/v1/account/apiRestrictions" => {
                http(status, "", format!(r#"{{"code":{code},"msg":"no"}}"#))
            }
            _ => healthy(seen),
        })
        .await;
        let error = connected(&server).await.key_permissions().await.unwrap_err();
        assert!(matches!(&error, ExchangeError::Refused { hint, .. } if hint.contains(said)), "{error}");
    }
    let signer = Signer::new(&SECRET.into()).unwrap();
    let bad = Settings { credentials: Some(("a\nb".into(), signer)), ..settings("http://127.0.0.1:1") };
    assert!(matches!(Usdm::new(bad), Err(SetupError::BadKey)));
}
