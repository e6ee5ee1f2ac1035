//! Orders against a server that loses, distorts and refuses.

use super::*;

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
