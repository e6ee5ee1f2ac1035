//! What closing everything reads and does when half of the exchange is down, and what the exchange
//! holds against a key.

use super::*;

const INFO: &str = "GET /fapi/v1/exchangeInfo";

#[tokio::test]
async fn closing_reads_positions_and_nothing_that_it_can_do_without() {
    let folder = tempfile::tempdir().unwrap();
    let server = Canned::start(healthy).await;
    let venue = |max_age| Settings {
        cache: Some(folder.path().into()),
        exchange_info_max_age: Duration::from_secs(max_age),
        ..settings(&server.url)
    };
    let mut first = Usdm::new(venue(3600)).unwrap();
    first.connect().await.unwrap();
    let seen = first.exposed().await.unwrap();
    assert_eq!(seen.positions[&btc()].qty, "0.05".parse().unwrap());
    assert_eq!((seen.rules.len(), seen.hedge), (1, false));
    assert!(seen.at.ms() >= SERVER_MS);
    assert_eq!((server.seen().len(), first.used_weight()), (3, 1 + 5 + 1));
    first.exposed().await.unwrap();
    assert_eq!(server.count(INFO), 1, "the listing is kept");
    let said = first.observe().await.unwrap();
    assert_eq!((said.rules.len(), said.brackets.len()), (1, 1), "a listing without terms is no listing");
}

#[tokio::test]
async fn without_a_listing_a_pass_stops_and_closing_goes_on() {
    let acts: [MakeAct; 5] = [
        || http(503, "", "<html>busy</html>"),
        || http(200, "", "<html>portal</html>"),
        || json(r#"{"symbols":[{"symbol":"BTCUSDT"},7]}"#),
        || Act::Cut(Vec::new()),
        || Act::Stall,
    ];
    for act in acts {
        let folder = tempfile::tempdir().unwrap();
        let server = Canned::start(move |seen| match seen.name.as_str() {
            INFO => act(),
            ORDER => json(placed(ID)),
            "GET /fapi/v1/userTrades" => json("[]"),
            "GET /fapi/v1/order" => http(400, "", r#"{"code":-2013,"msg":"Order does not exist."}"#),
            "GET /fapi/v1/openAlgoOrders" => json("[]"),
            "DELETE /fapi/v1/order" => http(400, "", r#"{"code":-2011,"msg":"Unknown order sent."}"#),
            _ => healthy(seen),
        })
        .await;
        let settings = || Settings {
            cache: Some(folder.path().into()),
            timeout: Duration::from_secs(3),
            ..settings(&server.url)
        };
        let mut venue = Usdm::new(settings()).unwrap();
        venue.connect().await.unwrap();
        let error = venue.observe().await.unwrap_err();
        assert!(
            matches!(&error, ExchangeError::Unavailable { .. } | ExchangeError::Incoherent(_)),
            "{error}"
        );
        let seen = venue.exposed().await.unwrap();
        assert_eq!((seen.positions.len(), seen.rules.len()), (1, 0));
        assert!(matches!(venue.send(&buy(), venue.now()).await, Reply::Accepted(_)));
        assert!(venue.order(&btc(), ID).await.unwrap().is_none());
        assert!(venue.fills_of(&btc(), 1).await.unwrap().is_empty());
        assert!(venue.resting().await.unwrap().is_empty());
        let gone = Resting { symbol: btc(), client_id: ID.into(), conditional: false };
        venue.cancel_resting(&gone).await.unwrap();

        // A listing of last year is better than none, and still not one to decide by.
        let year = Time::clamped(SERVER_MS - 365 * 86_400_000);
        let fresh = Canned::start(healthy).await;
        let mut other = Usdm::new(Settings { cache: None, ..super::settings(&fresh.url) }).unwrap();
        other.connect().await.unwrap();
        let rules = other.exposed().await.unwrap().rules;
        venue.cache.store(year, rules, None);
        let mut later = Usdm::new(settings()).unwrap();
        later.connect().await.unwrap();
        assert_eq!(later.exposed().await.unwrap().rules.len(), 1);
        assert!(matches!(
            later.observe().await,
            Err(ExchangeError::Unavailable { .. } | ExchangeError::Incoherent(_))
        ));
    }
}

#[tokio::test]
async fn positions_that_cannot_be_read_are_not_taken_for_none() {
    for body in ["", "<html>portal</html>", "{}", "null", r#"[{"symbol":"BTCUSDT"}]"#] {
        let server = Canned::start(move |seen| match seen.name.as_str() {
            "GET /fapi/v3/positionRisk" => json(body),
            _ => healthy(seen),
        })
        .await;
        let error = connected(&server).await.exposed().await.unwrap_err();
        assert!(
            matches!(&error, ExchangeError::Unavailable { .. } | ExchangeError::Incoherent(_)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_position_with_a_side_of_its_own_is_hedge_mode() {
    let server = Canned::start(|seen| match seen.name.as_str() {
        "GET /fapi/v3/positionRisk" => json(position_risk("0.050", "50").replace("BOTH", "LONG")),
        _ => healthy(seen),
    })
    .await;
    assert!(connected(&server).await.exposed().await.unwrap().hedge);
}

fn waiting(seen: &Seen) -> Act {
    match seen.name.as_str() {
        "GET /fapi/v1/openOrders" => json(format!("[{},{}]", placed(ID), placed("web_1"))),
        "GET /fapi/v1/openAlgoOrders" => json(
            r#"[{"algoId":1,"clientAlgoId":"rb17c2e9a0001fa3c08r","symbol":"ETHUSDT","algoStatus":"NEW"},
                {"algoId":2,"clientAlgoId":"theirs","symbol":"ETHUSDT","algoStatus":"NEW"}]"#,
        ),
        "DELETE /fapi/v1/algoOrder" => {
            json(r#"{"algoId":1,"clientAlgoId":"rb17c2e9a0001fa3c08r","code":"200","msg":"success"}"#)
        }
        "DELETE /fapi/v1/order" => json(placed(ID).replace("FILLED", "CANCELED")),
        _ => healthy(seen),
    }
}

#[tokio::test]
async fn only_our_waiting_orders_are_found_and_each_is_cancelled_where_it_waits() {
    let server = Canned::start(waiting).await;
    let venue = connected(&server).await;
    let found = venue.resting().await.unwrap();
    let ids: Vec<(&str, bool)> =
        found.iter().map(|order| (order.client_id.as_str(), order.conditional)).collect();
    assert_eq!(ids, [(ID, false), ("rb17c2e9a0001fa3c08r", true)]);
    assert_eq!(venue.used_weight(), 1 + 40 + 40);
    for order in &found {
        venue.cancel_resting(order).await.unwrap();
    }
    let asked = server.seen();
    let cancelled = |name: &str, param: &str| asked.iter().find(|seen| seen.name == name)?.param(param);
    assert_eq!(cancelled("DELETE /fapi/v1/order", "origClientOrderId").as_deref(), Some(ID));
    let algo = cancelled("DELETE /fapi/v1/algoOrder", "clientAlgoId");
    assert_eq!(algo.as_deref(), Some("rb17c2e9a0001fa3c08r"));
}

#[tokio::test]
async fn an_order_that_is_gone_is_cancelled_and_a_web_page_cancels_nothing() {
    let acts: [(MakeAct, bool); 5] = [
        (|| http(400, "", r#"{"code":-2011,"msg":"Unknown order sent."}"#), true),
        (|| http(400, "", r#"{"code":-2013,"msg":"Order does not exist."}"#), true),
        (|| http(400, "", r#"{"code":-1102,"msg":"no"}"#), false),
        (|| http(200, "", "<html>portal</html>"), false),
        (|| Act::Cut(Vec::new()), false),
    ];
    for (act, gone) in acts {
        let server = Canned::start(move |seen| match seen.name.as_str() {
            "DELETE /fapi/v1/order" | "DELETE /fapi/v1/algoOrder" => act(),
            _ => healthy(seen),
        })
        .await;
        let venue = connected(&server).await;
        for conditional in [false, true] {
            let order = Resting { symbol: btc(), client_id: ID.into(), conditional };
            assert_eq!(venue.cancel_resting(&order).await.is_ok(), gone, "{conditional}");
        }
    }
}

#[tokio::test]
async fn half_of_the_waiting_orders_is_not_the_answer() {
    for down in ["GET /fapi/v1/openOrders", "GET /fapi/v1/openAlgoOrders"] {
        let server =
            Canned::start(move |seen| if seen.name == down { http(502, "", "") } else { waiting(seen) })
                .await;
        let error = connected(&server).await.resting().await.unwrap_err();
        assert!(error.to_string().starts_with(down), "{error}");
    }
}

const KEY_CALL: &str = "GET /sapi/v1/account/apiRestrictions";
const MAY: &str = r#"{"ipRestrict":true,"enableReading":true,"enableFutures":true,"enableWithdrawals":false,
    "enableInternalTransfer":false,"permitsUniversalTransfer":false}"#;

#[tokio::test]
async fn each_part_of_the_health_fails_alone() {
    let server = Canned::start(|seen| match seen.name.as_str() {
        KEY_CALL => json(MAY),
        "GET /fapi/v1/apiTradingStatus" => http(502, "", ""),
        _ => healthy(seen),
    })
    .await;
    let health = connected(&server).await.health().await;
    assert!(health.key.unwrap().futures);
    assert_eq!(
        health.indicators.unwrap_err(),
        "GET /fapi/v1/apiTradingStatus: HTTP 502: an answer without an error code"
    );

    let server = Canned::start(|seen| match seen.name.as_str() {
        "GET /fapi/v1/apiTradingStatus" => json(r#"{"indicators":{},"updateTime":1}"#),
        _ => healthy(seen),
    })
    .await;
    let health = connected(&server).await.health().await;
    assert_eq!(health.key.unwrap_err(), format!("not verifiable here: the host does not offer {KEY_CALL}"));
    assert_eq!(health.indicators, Ok(Vec::new()));

    let testnet = Settings { environment: "testnet".into(), ..settings(TESTNET_URL) };
    let key = Usdm::new(testnet).unwrap().key_permissions().await;
    assert_eq!(key, Err("not verifiable here: testnet does not tell what a key may do".into()));
}

#[tokio::test]
async fn a_limit_of_the_other_host_does_not_silence_this_one() {
    let server = Canned::start(|seen| match seen.name.as_str() {
        KEY_CALL => {
            http(429, "Retry-After: 30\r\nx-mbx-used-weight-1m: 2400\r\n", r#"{"code":-1003,"msg":"no"}"#)
        }
        "GET /fapi/v1/apiTradingStatus" => json(r#"{"indicators":{},"updateTime":1}"#),
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    let key = venue.health().await.key.unwrap_err();
    assert!(key.contains("rate-limited until"), "{key}");
    assert_eq!(venue.not_before(), None);
    assert!(venue.exposed().await.is_ok());
}

#[tokio::test]
async fn what_was_left_out_can_be_told() {
    let server = Canned::start(healthy).await;
    let venue = connected(&server).await;
    venue.observe().await.unwrap();
    let said = venue.remarks();
    assert_eq!(said[0], "request weight used this minute: 63");
    assert!(said[1].starts_with("left out: NOSTEPUSDT: "), "{said:?}");
}
