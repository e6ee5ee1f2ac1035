//! Reads and settings when the exchange does not play along.

use super::*;

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
            "GET /fapi/v3/positionRisk" => http(status, "", format!(r#"{{"code":{code},"msg":"no"}}"#)),
            _ => healthy(seen),
        })
        .await;
        let error = connected(&server).await.exposed().await.unwrap_err();
        assert!(matches!(&error, ExchangeError::Refused { hint, .. } if hint.contains(said)), "{error}");
    }
    let signer = Signer::new(&SECRET.into()).unwrap();
    let bad = Settings { credentials: Some(("a\nb".into(), signer)), ..settings("http://127.0.0.1:1") };
    assert!(matches!(Usdm::new(bad), Err(SetupError::BadKey)));
}
