//! The screener against a loopback server that misbehaves on purpose.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::net::canned::{Act, Canned, Seen, http, json as ok};

const PAIRS: &str = "POST /crypto/scan";
const COINS: &str = "POST /coin/scan";

fn at(seconds: i64) -> Time {
    Time::clamped(1_795_163_340_000 + seconds * 1000)
}

/// A screener that does not wait before its second attempt.
fn screener(url: &str, cache: Option<PathBuf>) -> Screener {
    let settings = Settings {
        url: url.to_owned(),
        timeout: Duration::from_secs(5),
        cache,
        spot: false,
        quote: "USDT".into(),
    };
    Screener { pause: Duration::ZERO, ..Screener::new(settings).unwrap() }
}

/// Answers in the columns that were asked for: two pairs and a stranger, two coins.
fn healthy(seen: &Seen) -> Act {
    let asked: Value = serde_json::from_str(&seen.params).unwrap();
    let rows = if seen.name == PAIRS {
        vec![
            ("BINANCE:BTCUSDT.P", json!({"24h_vol|5": 1.4e10, "bid": 100.0, "ask": 100.02})),
            ("BINANCE:BTCUSD.P", json!({"24h_vol|5": 9e9})),
            ("BINANCE:1000PEPEUSDT.P", json!({"24h_vol|5": 3.5e8})),
        ]
    } else {
        let coin = |coin, rank, slugs: Value| json!({"base_currency": coin, "crypto_total_rank": rank, "crypto_common_categories": slugs});
        vec![
            ("CRYPTO:BTCUSD", coin("BTC", 1, json!(["layer-1"]))),
            ("CRYPTO:PEPEUSD", coin("PEPE", 30, json!(["memecoins"]))),
        ]
    };
    let columns = asked["columns"].as_array().unwrap().clone();
    let row = |(ticker, values): (&str, Value)| {
        let d: Vec<&Value> = columns
            .iter()
            .map(|column| values.get(column.as_str().unwrap()).unwrap_or(&Value::Null))
            .collect();
        json!({"s": ticker, "d": d})
    };
    let rows: Vec<Value> = rows.into_iter().map(row).collect();
    ok(json!({"totalCount": rows.len(), "data": rows}).to_string())
}

fn names(screened: &Screened) -> Vec<&str> {
    screened.pairs.iter().map(|pair| pair.symbol.as_str()).collect()
}

/// Answers a question of `name` with `act`, the others well; returns what was read, and how often
/// pairs and coins were asked for.
async fn against(
    name: &'static str,
    act: impl Fn(usize, &Seen) -> Act + Send + Sync + 'static,
) -> (Result<Screened, ScreenerError>, usize, usize) {
    let count = AtomicUsize::new(0);
    let server = Canned::start(move |seen| {
        if seen.name == name { act(count.fetch_add(1, Ordering::SeqCst) + 1, seen) } else { healthy(seen) }
    })
    .await;
    let read = screener(&server.url, None).read(at(0)).await;
    (read, server.count(PAIRS), server.count(COINS))
}

#[tokio::test]
async fn pairs_and_categories_are_asked_for_once_each() {
    let server = Canned::start(healthy).await;
    let read = screener(&server.url, None).read(at(0)).await.unwrap();
    assert_eq!(names(&read), ["BTCUSDT", "1000PEPEUSDT"]);
    assert_eq!(read.pairs[0].spread.unwrap().bps().rounded(2).to_string(), "2");
    assert_eq!(read.categories["PEPE"], ["memecoins"]);
    assert_eq!(read.dropped, [("BINANCE:BTCUSD.P".to_owned(), "not in USDT".to_owned())]);
    assert_eq!((read.at, read.from_cache, read.notes.len()), (at(0), false, 0));
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    for head in seen.iter().map(|seen| seen.head.to_lowercase()) {
        for header in [
            "content-type: application/json\r\n",
            "origin: https://www.tradingview.com\r\n",
            "referer: https://www.tradingview.com/\r\n",
            "user-agent: mozilla/5.0 (compatible; rebal/",
        ] {
            assert_eq!(head.matches(header).count(), 1, "{header} in {head}");
        }
        assert_eq!(head.matches("user-agent:").count(), 1);
    }
}

#[tokio::test]
async fn an_unknown_field_is_asked_around() {
    let unknown = |name| {
        against(name, |nth, seen| match nth {
            1 => http(400, "", r#"{"totalCount":0,"error":"Unknown field \"bid\"","data":null}"#),
            _ => healthy(seen),
        })
    };
    let (read, pairs, coins) = unknown(PAIRS).await;
    let read = read.unwrap();
    assert_eq!((names(&read).len(), pairs, coins), (2, 2, 1));
    assert_eq!(read.notes, ["unknown field bid: asked again with the fewest columns"]);
    assert_eq!(read.pairs[0].spread, None);
    let (read, pairs, coins) = unknown(COINS).await;
    assert_eq!((read.unwrap().categories["PEPE"].len(), pairs, coins), (1, 1, 2));
}

#[tokio::test]
async fn a_field_that_stays_unknown_is_an_error() {
    let body = r#"{"totalCount":0,"error":"Unknown field \"24h_vol|5\"","data":null}"#;
    let (read, pairs, _) = against(PAIRS, move |_, _| http(400, "", body)).await;
    assert_eq!((read.unwrap_err().detail.as_str(), pairs), ("it knows no field 24h_vol|5", 2));
}

#[tokio::test]
async fn an_empty_list_is_asked_for_without_the_mark() {
    let (read, pairs, _) = against(PAIRS, |_, seen| {
        if seen.params.contains(r#""left":"typespecs""#) {
            ok(r#"{"totalCount":0,"data":[]}"#)
        } else {
            healthy(seen)
        }
    })
    .await;
    let read = read.unwrap();
    assert_eq!((names(&read).len(), pairs), (2, 2));
    assert_eq!(read.notes, ["no pair is marked perpetual: asked again without the mark"]);
    let (read, pairs, _) = against(PAIRS, |_, _| ok(r#"{"totalCount":0,"data":[]}"#)).await;
    assert_eq!((read.unwrap_err().detail.as_str(), pairs), ("it sent an empty list", 2));
}

#[tokio::test]
async fn a_busy_screener_is_asked_once_more_and_no_more() {
    for status in [403, 429, 500, 502, 503] {
        let (read, pairs, coins) = against(PAIRS, move |nth, seen| match nth {
            1 => http(status, "Retry-After: 0\r\n", "<html>busy</html>"),
            _ => healthy(seen),
        })
        .await;
        assert_eq!((names(&read.unwrap()).len(), pairs, coins), (2, 2, 1), "{status}");
        let (read, pairs, _) = against(PAIRS, move |_, _| http(status, "", "<html>busy</html>")).await;
        assert_eq!((read.unwrap_err().detail, pairs), (format!("it answered {status}"), 2));
    }
    let (read, pairs, _) = against(PAIRS, |_, _| http(429, "Retry-After: 11\r\n", "")).await;
    assert_eq!((read.is_err(), pairs), (true, 1));
    // One second attempt in all, whatever else has to be asked again.
    let (read, pairs, _) = against(PAIRS, |nth, _| match nth {
        1 | 3 => http(503, "", ""),
        _ => http(400, "", r#"{"error":"Unknown field \"bid\"","data":null}"#),
    })
    .await;
    assert_eq!((read.unwrap_err().detail.as_str(), pairs), ("it answered 503", 3));
}

#[test]
fn patience_ends_at_ten_seconds() {
    let usual = Duration::from_secs(2);
    for (header, pauses) in [
        (None, Some(2)),
        (Some("0"), Some(0)),
        (Some(" 10 "), Some(10)),
        (Some("11"), None),
        (Some("-1"), None),
        (Some("Fri, 20 Nov 2026 08:29:40 GMT"), None),
        (Some("99999999999999999999999"), None),
    ] {
        assert_eq!(pause(header, usual), pauses.map(Duration::from_secs), "{header:?}");
    }
}

#[tokio::test]
async fn what_is_no_list_is_said() {
    for (act, said) in [
        (
            (|| ok("<html>hello</html>")) as fn() -> Act,
            "it answered 200 with a web page (HTML) of 18 bytes, no JSON",
        ),
        (|| ok(r#"{"data":[{"s""#), "it answered 200 with JSON that ends too early, after 13 bytes"),
        (|| http(302, "Location: http://127.0.0.1:1/\r\n", ""), "it answered 302 with an empty answer"),
        (
            || http(400, "", r#"{"error":"bad \u001b[2J range","data":null}"#),
            "it answered 400: bad  [2J range",
        ),
        (
            || ok(r#"{"data":[{"s":"BINANCEUS:BTCUSDT","d":[]}]}"#),
            "it sent 1 rows and no pair, the first being BINANCEUS:BTCUSDT (0 values for 16 columns)",
        ),
        (|| Act::Cut(b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n{".to_vec()), "it did not answer: "),
        (|| ok(vec![b' '; 9 * 1024 * 1024]), "it did not answer: the answer is larger than 8 MiB"),
    ] {
        let (read, pairs, _) = against(PAIRS, move |_, _| act()).await;
        let detail = read.unwrap_err().detail;
        assert!(detail.starts_with(said) && pairs == 1, "{detail}");
        assert!(!detail.contains("127.0.0.1") && !detail.contains("scan"), "{detail}");
    }
}

#[tokio::test]
async fn a_silent_screener_costs_one_timeout() {
    let server = Canned::start(|_| Act::Stall).await;
    let settings = Settings {
        url: server.url.clone(),
        timeout: Duration::from_millis(50),
        cache: None,
        spot: true,
        quote: "USDT".into(),
    };
    let error = Screener::new(settings).unwrap().read(at(0)).await.unwrap_err();
    assert_eq!(error.to_string(), "the screener gave no list: it did not answer: no complete answer in time");
    assert_eq!(server.seen().len(), 2, "both at once, each once");
}

#[tokio::test]
async fn the_last_good_list_counts_for_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Some(folder.path().join("state"));
    let good = Canned::start(healthy).await;
    let url = good.url.clone();
    let read = screener(&url, kept.clone()).read(at(0)).await.unwrap();
    let file = folder.path().join("state/screener.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(std::fs::read_dir(folder.path().join("state")).unwrap().count(), 1);
    // The same address, now busy.
    let busy = |kept| {
        let mut other = screener("http://127.0.0.1:1", kept);
        other.cache = Cache::new(Some(folder.path().join("state")), &url, false, "USDT");
        other
    };
    let old = busy(kept.clone()).read(at(86_400)).await.unwrap();
    assert_eq!((&old.pairs, &old.categories), (&read.pairs, &read.categories));
    assert_eq!((old.at, old.from_cache), (at(0), true));
    assert!(old.notes[0].starts_with("the screener did not answer: no connection"), "{:?}", old.notes);
    assert!(old.notes[0].ends_with(": its list of 2026-11-20T08:29:00.000Z is used"), "{:?}", old.notes);
    assert!(busy(kept.clone()).read(at(86_401)).await.is_err(), "too old");
    assert!(busy(kept.clone()).read(at(-61)).await.is_err(), "from the future");
    for (spot, quote) in [(true, "USDT"), (false, "USDC")] {
        let mut other = busy(kept.clone());
        other.cache = Cache::new(kept.clone(), &url, spot, quote);
        assert!(other.read(at(1)).await.is_err(), "another question");
    }
    std::fs::write(&file, "{\"version\":1").unwrap();
    assert!(busy(kept).read(at(1)).await.is_err(), "damaged");
}

#[tokio::test]
async fn each_answer_is_kept_with_its_own_age() {
    let folder = tempfile::tempdir().unwrap();
    let kept = || Some(folder.path().to_owned());
    let good = Canned::start(healthy).await;
    screener(&good.url, kept()).read(at(0)).await.unwrap();
    let half = Canned::start(|seen| if seen.name == COINS { http(404, "", "") } else { healthy(seen) }).await;
    let read = |hours: i64, url: &str| {
        let mut screener = screener(url, kept());
        screener.cache = Cache::new(kept(), "same", false, "USDT");
        async move { screener.read(at(hours * 3600)).await }
    };
    read(0, &good.url).await.unwrap();
    let first = read(20, &half.url).await.unwrap();
    assert_eq!((first.from_cache, first.categories.len()), (false, 2));
    assert!(first.notes[0].ends_with("those of 2026-11-20T08:29:00.000Z are used"), "{:?}", first.notes);
    let second = read(30, &half.url).await.unwrap();
    assert_eq!((names(&second).len(), second.categories.len()), (2, 0));
    assert!(second.notes[0].ends_with("there are none"), "{:?}", second.notes);
    let third = read(50, "http://127.0.0.1:1").await.unwrap();
    assert_eq!((third.at, third.categories.len()), (at(30 * 3600), 0));
}

#[test]
fn only_encrypted_addresses_and_this_machine_are_spoken_to() {
    let new = |url: &str| {
        let settings = Settings {
            url: url.to_owned(),
            timeout: Duration::from_secs(1),
            cache: None,
            spot: false,
            quote: "USDT".into(),
        };
        Screener::new(settings).map(|screener| screener.base)
    };
    assert_eq!(new("https://scanner.tradingview.com/").as_deref(), Ok("https://scanner.tradingview.com"));
    assert_eq!(new("http://localhost:8900").as_deref(), Ok("http://localhost:8900"));
    assert_eq!(new("http://scanner.tradingview.com"), Err(SetupError::PlainHttp));
    for bad in ["https://u:p@a.example", "https://a.example?x", "scanner.tradingview.com", "ftp://127.0.0.1"]
    {
        assert_eq!(new(bad), Err(SetupError::BadUrl), "{bad}");
    }
}
