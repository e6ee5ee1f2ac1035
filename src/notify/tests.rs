//! The bot and the heartbeat against a server on this machine that misbehaves.

use std::time::{Duration, Instant};

use secrecy::SecretString;

use super::*;
use crate::net::canned::{Act, Canned, Seen, http, json};
use crate::wire::telegram::{Form, Refusal};

const TOKEN: &str = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc";
const SECOND: Duration = Duration::from_secs(1);

fn bot(url: &str) -> Telegram {
    let token = SecretString::from(TOKEN);
    Telegram::new(Settings { api_url: url.into(), token, chat_id: "42".into() }).unwrap()
}

/// What a bot says of this answer; nothing of it may be a piece of the token.
async fn said(answer: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Result<(), SendError> {
    let server = Canned::start(answer).await;
    let sent = bot(&server.url).send("x", Form::Html, SECOND).await;
    let shown = format!("{sent:?} {}", sent.as_ref().err().map(ToString::to_string).unwrap_or_default());
    assert!((0..TOKEN.len() - 8).all(|at| !shown.contains(&TOKEN[at..at + 8])), "{shown}");
    assert!(!shown.contains("http://"), "{shown}");
    sent
}

#[tokio::test]
async fn a_message_goes_to_the_bot_once() {
    let server = Canned::start(|_| json(r#"{"ok":true,"result":{}}"#)).await;
    let bot = bot(&format!("{}/proxy/", server.url));
    bot.send("<b>a</b>", Form::Html, SECOND).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].name, format!("POST /proxy/bot{TOKEN}/sendMessage"));
    assert!(seen[0].params.contains(r#""text":"<b>a</b>""#) && seen[0].params.contains(r#""chat_id":"42""#));
    bot.send_document("week.html", b"<p>", "a week").await.unwrap();
    bot.test("messages arrive").await.unwrap();
    let names: Vec<String> = server.seen().into_iter().skip(1).map(|seen| seen.name).collect();
    assert_eq!(
        names,
        ["sendDocument", "sendMessage"].map(|method| format!("POST /proxy/bot{TOKEN}/{method}"))
    );
    let too_large = bot.send_document("x", &vec![0; 50_000_001], "").await;
    assert_eq!(too_large, Err(SendError::TooLarge(50_000_001)));
}

#[tokio::test]
async fn what_goes_wrong_is_told_without_the_token() {
    let refused = |sent: Result<(), SendError>| match sent {
        Err(SendError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    let unauthorized = r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#;
    assert_eq!(refused(said(move |_| http(401, "", unauthorized)).await), Refusal::Revoked);
    // Servers and proxies that say back what they were asked.
    for status in [400, 403, 500] {
        let echo = move |seen: &Seen| {
            let line = seen.head.replace(['\r', '\n', '"'], " ");
            http(status, "", format!(r#"{{"ok":false,"error_code":{status},"description":"{line}"}}"#))
        };
        let refusal = refused(said(echo).await);
        assert!(refusal.to_string().contains("[hidden]"), "{refusal}");
    }
    let echo = |seen: &Seen| http(302, &format!("Location: /bot{TOKEN}/x\r\n"), seen.head.as_bytes());
    refused(said(echo).await);
    for broken in [
        || Act::Stall,
        || Act::Cut(Vec::new()),
        || Act::Cut(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec()),
    ] {
        let sent = said(move |_| broken()).await;
        assert!(matches!(sent, Err(SendError::NoAnswer(_))), "{sent:?}");
    }
}

#[tokio::test]
async fn a_stalled_server_takes_no_longer_than_it_may() {
    let server = Canned::start(|_| Act::Stall).await;
    let started = Instant::now();
    let sent = bot(&server.url).send("x", Form::Plain, Duration::from_millis(200)).await;
    assert_eq!(sent, Err(SendError::NoAnswer("no complete answer in time".into())));
    assert!(started.elapsed() < 5 * SECOND);
    let heartbeat = Heartbeat::new(&server.url, Duration::from_millis(200)).unwrap();
    assert_eq!(heartbeat.beat(Beat::Good).await, Err("no complete answer in time".into()));
}

#[test]
fn only_tokens_and_safe_addresses_are_taken() {
    let with = |url: &str, token: &str| {
        let token = SecretString::from(token);
        Telegram::new(Settings { api_url: url.into(), token, chat_id: "42".into() }).err()
    };
    let home = "https://api.telegram.org";
    assert_eq!(with(home, TOKEN), None);
    for token in [
        "",
        "123",
        "123:",
        ":AAEhBOweik6ad9r_QXMENQjcrGbqCr4K",
        "a1:AAEhBOweik6ad9r_QXMENQjcr",
        "1:short",
        "1:../../../../../../etc/passwd",
        "123456789:AAEhBOweik6ad9r QXMENQjcr",
        "123456789:AAEhBOweik6ad9r?QXMENQjcr",
    ] {
        assert_eq!(with(home, token), Some(SetupError::BadToken), "{token}");
    }
    assert_eq!(with("http://api.telegram.org", TOKEN), Some(SetupError::PlainHttp("telegram.api_url")));
    assert_eq!(with("https://x@api.telegram.org", TOKEN), Some(SetupError::BadUrl("telegram.api_url")));
    let plain = Heartbeat::new("http://hc-ping.com/abc", SECOND).err();
    assert_eq!(plain, Some(SetupError::PlainHttp("heartbeat.url")));
}

#[tokio::test]
async fn the_heartbeat_beats_once_and_says_how_it_went_without_its_address() {
    let server = Canned::start(|seen| match seen.name.contains("good") {
        true => http(200, "", "OK"),
        false if seen.name.contains("moved") => http(301, "Location: /good\r\n", ""),
        false => http(404, "", "not found: /secret-5f2c"),
    })
    .await;
    let beat = async |path: &str, beat| {
        Heartbeat::new(&format!("{}{path}", server.url), SECOND).unwrap().beat(beat).await
    };
    assert_eq!(beat("/good/", Beat::Good).await, Ok(()));
    assert_eq!(beat("/good", Beat::Bad).await, Ok(()));
    let names: Vec<String> = server.seen().into_iter().map(|seen| seen.name).collect();
    assert_eq!(names, ["GET /good", "GET /good/fail"]);
    for (path, word) in [("/secret-5f2c", "404"), ("/moved-5f2c", "redirects")] {
        let why = beat(path, Beat::Good).await.unwrap_err();
        assert!(why.contains(word) && !why.contains("5f2c"), "{why}");
    }
}
