//! The spot client against a loopback server that misbehaves on purpose.

use super::*;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::{OrderKind, OrderStatus, Side};
use crate::net::canned::{Act, Canned, Seen, http, json};
use crate::wire::sign::Signer;

const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const SERVER_MS: i64 = 1_795_163_379_973;
const ID: &str = "rb17c2e9a0001fa3c07o";
const ORDER: &str = "POST /api/v3/order";
const INFO: &str = "GET /api/v3/exchangeInfo";
const DAY_MS: i64 = 86_400_000;

type MakeAct = fn() -> Act;

fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

fn btc() -> Symbol {
    symbol("BTCUSDT")
}

fn qty(text: &str) -> Qty {
    text.parse().unwrap()
}

fn worth(text: &str) -> Notional {
    text.parse().unwrap()
}

fn settings(url: &str) -> Settings {
    Settings {
        base_url: url.to_owned(),
        environment: "testnet 127.0.0.1".into(),
        credentials: Some((KEY.into(), Signer::new(&SECRET.into()).unwrap())),
        recv_window: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        concurrency: 10,
        exchange_info_max_age: Duration::from_secs(3600),
        cache: None,
        quote: "USDT".into(),
    }
}

async fn connected(server: &Canned) -> Spot {
    let mut venue = Spot::new(settings(&server.url)).unwrap();
    venue.connect().await.unwrap();
    venue
}

fn pair(base: &str, status: &str) -> String {
    format!(
        r#"{{"symbol":"{base}USDT","status":"{status}","baseAsset":"{base}","quoteAsset":"USDT","isSpotTradingAllowed":true,"filters":[
         {{"filterType":"PRICE_FILTER","minPrice":"0.01","maxPrice":"1000000","tickSize":"0.01"}},
         {{"filterType":"LOT_SIZE","minQty":"0.00001","maxQty":"9000","stepSize":"0.00001"}},
         {{"filterType":"MARKET_LOT_SIZE","minQty":"0","maxQty":"141.6","stepSize":"0"}},
         {{"filterType":"NOTIONAL","minNotional":"5","applyMinToMarket":true,"maxNotional":"9000000","applyMaxToMarket":false}}]}}"#
    )
}

fn account(balances: &[(&str, &str, &str)]) -> String {
    let row = |(asset, free, locked): &(&str, &str, &str)| {
        format!(r#"{{"asset":"{asset}","free":"{free}","locked":"{locked}"}}"#)
    };
    let rows: Vec<String> = balances.iter().map(row).collect();
    format!(
        r#"{{"commissionRates":{{"maker":"0.001","taker":"0.001","buyer":"0","seller":"0"}},"canTrade":true,"accountType":"SPOT",
          "balances":[{}],"permissions":["SPOT"],"uid":77}}"#,
        rows.join(",")
    )
}

/// 500 USDT, 0.01 BTC, dust of ETH, a coin without a book, and one that is lent out.
fn healthy(seen: &Seen) -> Act {
    match seen.name.as_str() {
        "GET /api/v3/time" => json(format!(r#"{{"serverTime":{SERVER_MS}}}"#)),
        INFO => {
            let pairs = ["BTC", "ETH", "BNB"].map(|base| pair(base, "TRADING")).join(",");
            json(format!(
                r#"{{"symbols":[{pairs},{},{{"symbol":"ETHBTC","quoteAsset":"BTC"}}]}}"#,
                pair("OLD", "BREAK")
            ))
        }
        "GET /api/v3/account" => json(account(&[
            ("USDT", "500", "0"),
            ("BTC", "0.01", "0"),
            ("ETH", "0.001", "0"),
            ("OLD", "3", "0"),
            ("LDBNB", "2", "0"),
        ])),
        "GET /api/v3/ticker/bookTicker" => json(
            r#"[{"symbol":"BTCUSDT","bidPrice":"29999","bidQty":"1","askPrice":"30001","askQty":"1"},
                {"symbol":"ETHUSDT","bidPrice":"1999","bidQty":"1","askPrice":"2001","askQty":"1"},
                {"symbol":"BNBUSDT","bidPrice":"600","bidQty":"1","askPrice":"601","askQty":"1"},
                {"symbol":"ETHBTC","bidPrice":"-1","bidQty":"1","askPrice":"601","askQty":"1"}]"#,
        ),
        "GET /api/v3/ticker/price" => {
            json(r#"[{"symbol":"BTCUSDT","price":"29000"},{"symbol":"OLDUSDT","price":"4"}]"#)
        }
        "GET /api/v3/openOrders" => json("[]"),
        _ => http(404, "", "<html>not here</html>"),
    }
}

/// The healthy exchange with other balances.
async fn holding(balances: &'static [(&'static str, &'static str, &'static str)]) -> Canned {
    Canned::start(move |seen| match seen.name.as_str() {
        "GET /api/v3/account" => json(account(balances)),
        _ => healthy(seen),
    })
    .await
}

fn words(observation: &Observation) -> Vec<(String, String)> {
    let warnings = &observation.spot.as_ref().unwrap().warnings;
    warnings.iter().map(|warning| (warning.code.clone(), warning.detail.clone())).collect()
}

#[tokio::test]
async fn a_look_is_one_wave_and_values_what_is_held() {
    let server = Canned::start(healthy).await;
    let venue = connected(&server).await;
    let seen = venue.observe().await.unwrap();
    assert_eq!(
        (seen.account.as_str(), seen.taker_fee, seen.modes.can_trade),
        ("spot 77", Rate::new(1, 3), true)
    );
    let held: Vec<(&str, Qty, Price)> = seen
        .positions
        .iter()
        .map(|(symbol, position)| (symbol.as_str(), position.qty, position.mark_price))
        .collect();
    assert_eq!(
        held,
        [
            ("BTCUSDT", qty("0.01"), Price::from(30_000)),
            ("ETHUSDT", qty("0.001"), Price::from(2000)),
            ("OLDUSDT", qty("3"), Price::from(4)),
        ]
    );
    assert!(seen.positions.values().all(|position| position.entry().is_none()), "what it cost is not known");
    let balance = &seen.balance;
    assert_eq!((balance.wallet, balance.available), (worth("500"), worth("500")));
    assert_eq!((balance.equity, balance.maint_margin), (worth("814"), Notional::ZERO));
    assert!(seen.markets.contains_key(&btc()) && !seen.markets.contains_key(&symbol("OLDUSDT")));
    assert!(!seen.rules[&symbol("OLDUSDT")].opens() && !seen.rules.contains_key(&symbol("ETHBTC")));
    assert_eq!((seen.settings[&btc()].leverage, seen.brackets[&btc()][0].max_leverage), (1, 1));
    let said = words(&seen);
    assert_eq!(said.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), ["dust", "not_traded"]);
    assert!(said[0].1.starts_with("too little to be sold: 0.001 ETH;"), "{said:?}");
    assert!(said[1].1.contains("2 LDBNB"), "{said:?}");
    assert_eq!(venue.used_weight(), 1 + 28 + 20);
    assert_eq!(venue.remarks().len(), 1, "{:?}", venue.remarks());

    venue.observe().await.unwrap();
    assert_eq!((server.count(INFO), server.count("GET /api/v3/openOrders")), (1, 0));
    assert_eq!(venue.used_weight(), 1 + 28 + 20 + 28);
    let asked = server.seen().into_iter().find(|seen| seen.name == "GET /api/v3/account").unwrap();
    assert_eq!(asked.param("omitZeroBalances").as_deref(), Some("true"));
}

#[tokio::test]
async fn what_resting_orders_tie_up_is_held_told_and_not_available() {
    let server = Canned::start(|seen| match seen.name.as_str() {
        "GET /api/v3/account" => json(account(&[("USDT", "100", "50"), ("BTC", "0.01", "0.02")])),
        "GET /api/v3/openOrders" => json(format!("[{}]", queried("web_1", "NEW", "0"))),
        _ => healthy(seen),
    })
    .await;
    let seen = connected(&server).await.observe().await.unwrap();
    assert_eq!(seen.positions[&btc()].qty, qty("0.03"));
    assert_eq!(seen.spot.as_ref().unwrap().locked[&btc()], qty("0.02"));
    let balance = &seen.balance;
    assert_eq!(
        (balance.wallet, balance.available, balance.equity),
        (worth("150"), worth("100"), worth("1050"))
    );
    assert_eq!(seen.open_orders[0].client_id, "web_1");
    assert_eq!(words(&seen)[0].0, "locked");
}

#[tokio::test]
async fn only_quote_and_coins_without_a_price() {
    let server = holding(&[("USDT", "0", "0.5")]).await;
    let seen = connected(&server).await.observe().await.unwrap();
    assert_eq!(
        (seen.positions.len(), seen.balance.wallet, seen.balance.available),
        (0, worth("0.5"), worth("0"))
    );
    assert_eq!(server.count("GET /api/v3/openOrders"), 1, "a purchase that rests ties up the quote asset");

    let server = Canned::start(|seen| match seen.name.as_str() {
        "GET /api/v3/ticker/price" => json("[]"),
        _ => healthy(seen),
    })
    .await;
    let seen = connected(&server).await.observe().await.unwrap();
    assert_eq!(seen.balance.equity, worth("802"));
    assert!(words(&seen).iter().any(|(code, detail)| code == "no_price" && detail.starts_with("3 are held")));
}

#[tokio::test]
async fn a_look_is_whole_or_not_at_all() {
    let broken: [(&str, MakeAct); 8] = [
        ("GET /api/v3/account", || http(503, "", "")),
        ("GET /api/v3/account", || json(r#"{"balances":[]}"#)),
        ("GET /api/v3/account", || json(account(&[("BTC", "1", "0"), ("BTC", "2", "0")]))),
        ("GET /api/v3/ticker/bookTicker", || http(200, "", "<html>portal</html>")),
        ("GET /api/v3/ticker/price", || Act::Cut(Vec::new())),
        (INFO, || json(r#"{"symbols":[]}"#)),
        (INFO, || json(r#"{"symbols":[{"symbol":"BTCUSDT","quoteAsset":"USDT","status":"TRADING"}]}"#)),
        (INFO, || http(502, "", "")),
    ];
    for (name, act) in broken {
        let server = Canned::start(move |seen| if seen.name == name { act() } else { healthy(seen) }).await;
        let error = connected(&server).await.observe().await.unwrap_err();
        assert!(
            matches!(&error, ExchangeError::Unavailable { .. } | ExchangeError::Incoherent(_)),
            "{name}: {error}"
        );
    }
    let server = Canned::start(|seen| match seen.name.as_str() {
        "GET /api/v3/account" => json(account(&[("BTC", "0.01", "0.02")])),
        "GET /api/v3/openOrders" => json("[{}]"),
        _ => healthy(seen),
    })
    .await;
    assert!(
        connected(&server).await.observe().await.is_err(),
        "an order that we cannot read could still fill"
    );
    assert!(Spot::new(settings(&server.url)).unwrap().observe().await.is_err(), "time comes first");
}

#[tokio::test]
async fn closing_sees_what_can_be_sold_and_needs_neither_rules_nor_prices() {
    let server = Canned::start(healthy).await;
    let venue = connected(&server).await;
    let seen = venue.exposed().await.unwrap();
    // OLD has no book: without a price it cannot be told from dust.
    assert_eq!(seen.positions.keys().map(Symbol::as_str).collect::<Vec<_>>(), ["BTCUSDT", "OLDUSDT"]);
    let down = Canned::start(|seen| match seen.name.as_str() {
        INFO | "GET /api/v3/ticker/bookTicker" => http(503, "", ""),
        _ => healthy(seen),
    })
    .await;
    let seen = connected(&down).await.exposed().await.unwrap();
    assert_eq!((seen.positions.len(), seen.rules.len()), (4, 0));
    assert!(seen.positions[&btc()].mark_price.is_zero());
    for body in ["", "{}", "null", r#"{"balances":[{"asset":"BTC"}]}"#] {
        let server = Canned::start(move |seen| match seen.name.as_str() {
            "GET /api/v3/account" => json(body),
            _ => healthy(seen),
        })
        .await;
        assert!(connected(&server).await.exposed().await.is_err(), "unreadable is not empty");
    }
}

fn buy() -> OrderRequest {
    OrderRequest {
        symbol: btc(),
        side: Side::Buy,
        qty: qty("0.010"),
        kind: OrderKind::Market,
        reduce_only: false,
        client_id: ID.into(),
    }
}

fn placed() -> String {
    format!(
        r#"{{"symbol":"BTCUSDT","orderId":28,"orderListId":-1,"clientOrderId":"{ID}","transactTime":{SERVER_MS},"price":"0",
          "origQty":"0.01","executedQty":"0.01","cummulativeQuoteQty":"300.01","status":"FILLED","type":"MARKET","side":"BUY",
          "fills":[{{"price":"30001","qty":"0.01","commission":"0.00001","commissionAsset":"BTC","tradeId":56}}]}}"#
    )
}

fn queried(id: &str, status: &str, filled: &str) -> String {
    format!(
        r#"{{"symbol":"BTCUSDT","orderId":28,"clientOrderId":"{id}","origQty":"0.01","executedQty":"{filled}",
          "cummulativeQuoteQty":"0","status":"{status}","side":"SELL","time":{SERVER_MS},"updateTime":{SERVER_MS}}}"#
    )
}

async fn one_order(act: MakeAct) -> (Reply, Spot, Vec<Seen>) {
    let server = Canned::start(move |seen| if seen.name == ORDER { act() } else { healthy(seen) }).await;
    let venue = connected(&server).await;
    let reply = venue.send(&buy(), venue.now()).await;
    let orders = server.seen().split_off(1);
    assert!(orders.iter().all(|seen| seen.name == ORDER), "{orders:?}");
    (reply, venue, orders)
}

#[tokio::test]
async fn an_order_is_sent_once_and_signed() {
    let (reply, venue, orders) = one_order(|| json(placed())).await;
    let Reply::Accepted(order) = reply else { panic!("{reply:?}") };
    assert_eq!((order.status, order.avg_price), (OrderStatus::Filled, Some(Price::from(30_001))));
    let (payload, signature) = orders[0].params.split_once("&signature=").unwrap();
    let said = format!(
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&newClientOrderId={ID}&newOrderRespType=FULL&recvWindow=5000&timestamp="
    );
    assert!(payload.starts_with(&said), "{payload}");
    assert_eq!(signature, Signer::new(&SECRET.into()).unwrap().sign(payload).unwrap());
    // A filled id is accepted again: nothing but not sending it twice keeps it from filling twice.
    assert!(matches!(venue.send(&buy(), venue.now()).await, Reply::Accepted(_)));
    let key = format!("x-mbx-apikey: {}\r\n", KEY.to_ascii_lowercase());
    assert!(orders[0].head.to_ascii_lowercase().contains(&key));
}

#[tokio::test]
async fn whatever_is_not_definite_leaves_the_order_unknown_and_sent_once() {
    let cases: [(&str, MakeAct); 10] = [
        ("closed before the answer", || Act::Cut(Vec::new())),
        ("half a head", || Act::Cut(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec())),
        ("a web page", || http(200, "", "<html>Welcome</html>")),
        ("another id", || json(placed().replace(ID, "rb17c2e9a0001fa3c08o"))),
        ("fills that do not add up", || json(placed().replace(r#""qty":"0.01""#, r#""qty":"0.02""#))),
        ("500 with a definite code", || {
            http(500, "", r#"{"code":-2010,"msg":"Account has insufficient balance for requested action."}"#)
        }),
        ("503", || http(503, "", r#"{"code":-1008,"msg":"Server is currently overloaded"}"#)),
        ("504", || http(504, "", "")),
        ("backend timeout", || http(408, "", r#"{"code":-1007,"msg":"Timeout waiting for response."}"#)),
        ("duplicate", || http(400, "", r#"{"code":-2010,"msg":"Duplicate order sent."}"#)),
    ];
    for (name, act) in cases {
        let (reply, _, orders) = one_order(act).await;
        assert!(matches!(reply, Reply::Unknown(_)), "{name}: {reply:?}");
        assert_eq!(orders.len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_the_exchanges_words_and_a_filter_makes_the_rules_old() {
    for (code, msg, asked) in [
        (-2010, "Account has insufficient balance for requested action.", 1),
        (-2010, "Market is closed.", 1),
        (-1013, "Filter failure: NOTIONAL", 2),
        (-1121, "Invalid symbol.", 2),
    ] {
        let body = format!(r#"{{"code":{code},"msg":"{msg}"}}"#);
        let server = Canned::start(move |seen| match seen.name.as_str() {
            ORDER => http(400, "", &body),
            _ => healthy(seen),
        })
        .await;
        let venue = connected(&server).await;
        venue.observe().await.unwrap();
        let reply = venue.send(&buy(), venue.now()).await;
        let Reply::Rejected { code: told, msg: words } = reply else { panic!("{reply:?}") };
        assert_eq!((told, words.as_str()), (code, msg));
        venue.observe().await.unwrap();
        assert_eq!(server.count(INFO), asked, "{msg}");
    }
}

#[tokio::test]
async fn bans_and_limits_are_kept() {
    let act = || {
        let until = SERVER_MS + 120_000;
        let body = format!(r#"{{"code":-1003,"msg":"Way too many requests; IP banned until {until}."}}"#);
        http(418, "Retry-After: 7\r\n", body)
    };
    let (reply, venue, orders) = one_order(act).await;
    assert!(matches!(reply, Reply::Unknown(_)), "{reply:?}");
    assert_eq!(venue.not_before(), Some(Time::clamped(SERVER_MS + 120_000)));
    assert!(matches!(venue.send(&buy(), venue.now()).await, Reply::NotSent(_)));
    assert!(matches!(venue.observe().await, Err(ExchangeError::RateLimited { .. })));
    assert_eq!(orders.len(), 1);

    // The exchange counts what others behind our address spent; 6000 a minute is spot's limit.
    let server = Canned::start(|seen| match seen.name.as_str() {
        "GET /api/v3/order" => http(200, "x-mbx-used-weight-1m: 5953\r\n", queried(ID, "FILLED", "0.01")),
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    venue.order(&btc(), ID).await.unwrap();
    assert!(matches!(venue.observe().await, Err(ExchangeError::RateLimited { .. })), "a wave needs 48");
    assert_eq!((venue.used_weight(), server.seen().len()), (5953, 2));
}

#[tokio::test]
async fn an_order_is_found_by_our_id() {
    let found = |body: &'static str| async move {
        let server = Canned::start(move |seen| match seen.name.as_str() {
            "GET /api/v3/order" if body.starts_with("{\"code") => http(400, "", body),
            "GET /api/v3/order" => json(queried(body, "EXPIRED", "0.004")),
            _ => healthy(seen),
        })
        .await;
        connected(&server).await.order(&btc(), ID).await
    };
    let order = found(ID).await.unwrap().unwrap();
    assert_eq!((order.status, order.filled_qty), (OrderStatus::Expired, qty("0.004")));
    assert!(found(r#"{"code":-2013,"msg":"Order does not exist."}"#).await.unwrap().is_none());
    assert!(
        found(
            r#"{"code":-2026,"msg":"Order was canceled or expired with no executed qty over 90 days ago."}"#
        )
        .await
        .unwrap()
        .is_none()
    );
    assert!(found("web_1").await.is_err(), "about another order");
    let refused = found(r#"{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}"#).await;
    let Err(ExchangeError::Refused { hint, .. }) = refused else { panic!("{refused:?}") };
    assert!(hint.contains("spot trading permission"), "{hint}");
}

fn trade(id: i64, at: i64) -> String {
    format!(
        r#"{{"symbol":"BTCUSDT","id":{id},"orderId":{},"price":"30000","qty":"0.01","quoteQty":"300","commission":"0.00001",
          "commissionAsset":"BTC","time":{at},"isBuyer":true,"isMaker":false,"isBestMatch":true}}"#,
        id / 10
    )
}

#[tokio::test]
async fn executions_of_a_quiet_pair_are_one_request() {
    let server = Canned::start(|seen| match seen.name.as_str() {
        "GET /api/v3/myTrades" => {
            let times = [SERVER_MS - 40 * DAY_MS, SERVER_MS - 9 * DAY_MS, SERVER_MS - 5];
            let rows: Vec<String> =
                [73, 72, 71].into_iter().zip(times.into_iter().rev()).map(|(id, at)| trade(id, at)).collect();
            json(format!("[{}]", rows.join(",")))
        }
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    let since = Time::clamped(SERVER_MS - 10 * DAY_MS);
    let fills = venue.fills_since(&btc(), since).await.unwrap();
    assert_eq!(fills.iter().map(|fill| fill.trade_id).collect::<Vec<_>>(), [72, 73]);
    assert_eq!((fills[0].fee_asset.as_str(), fills[0].fee), ("BTC", worth("0.00001")));
    assert_eq!(server.count("GET /api/v3/myTrades"), 1);
    assert!(venue.fills_since(&symbol("ETHUSDT"), since).await.is_err(), "rows of another pair");
    assert_eq!(venue.fills_of(&btc(), 7).await.unwrap().len(), 3);
    assert_eq!(venue.fills_of(&btc(), 8).await.unwrap(), [], "rows of another order");
}

#[tokio::test]
async fn executions_of_a_busy_pair_are_read_day_by_day_and_none_is_missing() {
    // 3000 trades, one every two minutes; a page is the oldest thousand of what was asked for.
    let book: Vec<(i64, i64)> = (0..3000).map(|n| (n + 1, SERVER_MS - 120_000 * (3000 - n))).collect();
    let server = Canned::start(move |seen| match seen.name.as_str() {
        "GET /api/v3/myTrades" => {
            let bound = |name| seen.param(name).and_then(|at| at.parse::<i64>().ok());
            let (from, to) = (bound("startTime").unwrap_or(0), bound("endTime").unwrap_or(i64::MAX));
            assert!(from == 0 || to - from < DAY_MS, "a day at most");
            let rows = book.iter().filter(|(_, at)| from <= *at && *at <= to).take(1000);
            let rows: Vec<String> = rows.map(|(id, at)| trade(*id, *at)).collect();
            json(format!("[{}]", rows.join(",")))
        }
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    let since = Time::clamped(SERVER_MS - 120_000 * 2500);
    let fills = venue.fills_since(&btc(), since).await.unwrap();
    assert_eq!(fills.iter().map(|fill| fill.trade_id).collect::<Vec<_>>(), (501..=3000).collect::<Vec<_>>());
}

#[tokio::test]
async fn orders_are_selected_by_when_they_were_made() {
    let server = Canned::start(|seen| match seen.name.as_str() {
        "GET /api/v3/allOrders" => {
            let old = queried("rb17c2e9a0001fa3c01o", "FILLED", "0.01").replacen(
                &format!(r#""time":{SERVER_MS}"#),
                &format!(r#""time":{}"#, SERVER_MS - DAY_MS),
                1,
            );
            let new = queried(ID, "FILLED", "0.01").replace(r#""orderId":28"#, r#""orderId":29"#);
            json(format!("[{new},{old}]"))
        }
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    let found = venue.orders_since(&btc(), Time::clamped(SERVER_MS - 1000)).await.unwrap();
    assert_eq!(found.iter().map(|order| order.client_id.as_str()).collect::<Vec<_>>(), [ID]);
    assert_eq!(venue.orders_since(&btc(), Time::clamped(SERVER_MS - 2 * DAY_MS)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn our_resting_orders_are_cancelled_and_gone_is_cancelled() {
    let server = Canned::start(|seen| match seen.name.as_str() {
        "GET /api/v3/openOrders" => {
            json(format!("[{},{}]", queried(ID, "NEW", "0"), queried("web_1", "NEW", "0")))
        }
        "DELETE /api/v3/order" if seen.param("origClientOrderId").as_deref() == Some(ID) => {
            json(queried("cancel_1", "CANCELED", "0"))
        }
        "DELETE /api/v3/order" => http(400, "", r#"{"code":-2011,"msg":"Unknown order sent."}"#),
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    let found = venue.resting().await.unwrap();
    assert_eq!(found.iter().map(|order| order.client_id.as_str()).collect::<Vec<_>>(), [ID]);
    venue.cancel_resting(&found[0]).await.unwrap();
    venue.cancel(&btc(), "rb17c2e9a0001fa3c08o").await.unwrap();
    assert_eq!(venue.used_weight(), 1 + 80 + 1 + 1);
}

#[tokio::test]
async fn spot_has_no_margin_no_income_and_says_so() {
    let server = Canned::start(healthy).await;
    let venue = connected(&server).await;
    assert_eq!(venue.kind(), Kind::Spot);
    assert_eq!(venue.income_since(Time::default()).await.unwrap(), []);
    venue.set_leverage(&btc(), 1).await.unwrap();
    venue.set_cross(&btc()).await.unwrap();
    let error = venue.set_leverage(&btc(), 2).await.unwrap_err();
    assert!(error.to_string().ends_with("a spot account has no leverage to set"), "{error}");
    let health = venue.health().await;
    assert_eq!(health.indicators, Ok(Vec::new()));
    assert!(health.key.unwrap_err().starts_with("not verifiable here"));
    assert_eq!(server.count("GET /sapi/v1/account/apiRestrictions"), 1);
}
