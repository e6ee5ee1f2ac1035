//! The wave of reads: whole, coherent, cheap.

use super::*;

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
    let cases: [(&str, MakeBody); 7] = [
        ("the account lists no USDT", Box::new(asset(r#""asset":"USDT""#, r#""asset":"USDC""#))),
        ("no USDT in the wallet", Box::new(asset(r#""walletBalance":"1000""#, r#""walletBalance":"0""#))),
        ("floating profit is 50", Box::new(|| account("0.050", "10", "0"))),
        ("different positions", Box::new(|| account("0.060", "50", "0"))),
        ("do not add up", Box::new(asset(r#""marginBalance":"1050""#, r#""marginBalance":"0""#))),
        (
            "totals are not those",
            Box::new(asset(r#""totalWalletBalance":"1000""#, r#""totalWalletBalance":"1000000000""#)),
        ),
        ("field `assets` is missing", Box::new(asset("assets", "balances"))),
    ];
    for (said, body) in cases {
        let server = Canned::start(move |seen| match seen.name.as_str() {
            "GET /fapi/v3/account" => json(body()),
            _ => healthy(seen),
        })
        .await;
        let error = connected(&server).await.observe().await.unwrap_err();
        assert!(matches!(error, ExchangeError::Unavailable { .. } | ExchangeError::Incoherent(_)), "{error}");
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
