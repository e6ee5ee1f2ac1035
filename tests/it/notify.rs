//! The outbox against a fake Telegram on this machine: in order, at least once, never for long, and
//! nothing that it says back is shown.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rebal::domain::alert::{Alert, Level};
use rebal::domain::history::Sample;
use rebal::domain::num::{Notional, Price, Rate};
use rebal::domain::time::Time;
use rebal::ledger::{EquityRow, Ledger, PassRow};
use rebal::notify::{Settings, Telegram};
use rebal::pass::deliver::{Drained, WITHIN, drain};
use rebal::pass::digest::{Regular, tell_if_due};
use rebal::render::message::Sender;
use rebal::report::heading::Heading;
use secrecy::SecretString;
use serde_json::Value;

const TOKEN: &str = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc";
const OK: &str = r#"{"ok":true,"result":{"message_id":1}}"#;

/// What the fake does with one request.
#[derive(Clone, Debug)]
enum Say {
    /// A status and a body.
    This(u16, String),
    /// Nothing, and the connection stays open.
    Stall,
}

/// A Telegram that answers what it was told to, in order, and `ok` after that.
struct Fake {
    url: String,
    next: Arc<Mutex<VecDeque<Say>>>,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Fake {
    fn start() -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (next, seen) = (Arc::default(), Arc::default());
        let fake = Fake { url, next: Arc::clone(&next), seen: Arc::clone(&seen) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (next, seen) = (Arc::clone(&next), Arc::clone(&seen));
                std::thread::spawn(move || serve(stream.unwrap(), &next, &seen));
            }
        });
        fake
    }

    fn will(&self, status: u16, body: &str) -> &Fake {
        self.next.lock().unwrap().push_back(Say::This(status, body.to_owned()));
        self
    }

    fn refuse(&self, code: u16, description: &str, parameters: &str) -> &Fake {
        self.will(
            code,
            &format!(
                r#"{{"ok":false,"error_code":{code},"description":"{description}","parameters":{{{parameters}}}}}"#
            ),
        )
    }

    fn bot(&self) -> Telegram {
        let token = SecretString::from(TOKEN);
        Telegram::new(Settings { api_url: self.url.clone(), token, chat_id: "42".into() }).unwrap()
    }

    /// The texts that arrived, and how they were to be read.
    fn texts(&self) -> Vec<(String, bool)> {
        let text = |(_, body): &(String, Value)| {
            (body["text"].as_str().unwrap().to_owned(), body["parse_mode"] == "HTML")
        };
        self.seen.lock().unwrap().iter().map(text).collect()
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

fn serve(mut stream: TcpStream, next: &Mutex<VecDeque<Say>>, seen: &Mutex<Vec<(String, Value)>>) {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    let (head, body) = loop {
        let read = stream.read(&mut piece).unwrap_or(0);
        if read == 0 {
            return;
        }
        bytes.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .to_lowercase()
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let line = head.lines().next().unwrap().to_owned();
    seen.lock().unwrap().push((line, serde_json::from_str(&body).unwrap_or(Value::Null)));
    let say = next.lock().unwrap().pop_front().unwrap_or(Say::This(200, OK.into()));
    match say {
        Say::This(status, body) => {
            let head =
                format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
        }
        Say::Stall => std::thread::sleep(Duration::from_secs(20)),
    }
}

fn at(minutes: i64) -> Time {
    Time::from_ms(1_767_225_600_000 + minutes * 60_000).unwrap()
}

/// A ledger with these alerts in its outbox.
async fn told(texts: &[&str]) -> Ledger {
    const KINDS: [&str; 4] = ["not_flat", "halted", "refused", "leverage_high"];
    let mut ledger = Ledger::in_memory().await.unwrap();
    for (text, kind) in texts.iter().zip(KINDS) {
        let alert = Alert { kind, level: Level::Critical, text: (*text).to_owned() };
        ledger.tell(at(0), &[alert], &[]).await.unwrap();
    }
    ledger
}

/// One pass's worth of delivery at a minute of this machine's clock.
async fn pass(ledger: &mut Ledger, fake: &Fake, minute: i64) -> Drained {
    let sender = Sender { profile: "main".into(), mode: "paper".into() };
    let drained = drain(ledger, &fake.bot(), &sender, || at(minute), WITHIN).await.unwrap();
    let shown = format!("{drained:?}");
    assert!((0..TOKEN.len() - 8).all(|from| !shown.contains(&TOKEN[from..from + 8])), "{shown}");
    assert!(!shown.contains(&fake.url), "{shown}");
    drained
}

#[tokio::test]
async fn what_waits_is_delivered_in_order_and_once() {
    let (fake, mut ledger) = (Fake::start(), told(&["first", "second <b>&\u{202e}", "third"]).await);
    let drained = pass(&mut ledger, &fake, 0).await;
    assert_eq!(drained, Drained { delivered: 3, waiting: 0, trouble: None });
    let texts = fake.texts();
    assert!(texts.iter().all(|(_, html)| *html));
    assert_eq!(texts[0].0, "<b>CRITICAL: not flat</b>\nmain · PAPER · 2026-01-01 00:00:00 UTC\nfirst");
    assert!(texts[1].0.ends_with("\nsecond &lt;b&gt;&amp;") && texts[2].0.ends_with("\nthird"));
    let (line, body) = fake.seen.lock().unwrap()[0].clone();
    assert_eq!(line, format!("POST /bot{TOKEN}/sendMessage HTTP/1.1"));
    assert_eq!(body["chat_id"], "42");
    assert_eq!(pass(&mut ledger, &fake, 5).await, Drained::default());
    assert_eq!(fake.count(), 3);
}

#[tokio::test]
async fn a_pause_is_kept_across_passes_and_no_order_is_lost() {
    let (fake, mut ledger) = (Fake::start(), told(&["first", "second"]).await);
    fake.refuse(429, "Too Many Requests: retry after 600", "\"retry_after\":600");
    let drained = pass(&mut ledger, &fake, 0).await;
    assert_eq!((drained.delivered, drained.waiting), (0, 2));
    assert_eq!(drained.trouble.as_deref(), Some("Telegram wants no message for 600 s"));
    assert_eq!(fake.count(), 1, "what comes after it waits as well");
    for minute in [1, 5, 9] {
        assert_eq!(pass(&mut ledger, &fake, minute).await.waiting, 2);
        assert_eq!(fake.count(), 1, "minute {minute}");
    }
    assert_eq!(pass(&mut ledger, &fake, 10).await.delivered, 2);
    let texts = fake.texts();
    assert!(texts[1].0.ends_with("first") && texts[2].0.ends_with("second"));
    // A clock that was a year ahead when the pause was written silences nobody.
    let (fake, mut ledger) = (Fake::start(), told(&["first"]).await);
    ledger.set_telegram_not_before(at(525_600)).await.unwrap();
    assert_eq!(pass(&mut ledger, &fake, 0).await.delivered, 1);
}

#[tokio::test]
async fn every_refusal_is_said_with_what_to_do_and_nothing_is_lost() {
    for (code, description, parameters, words) in [
        (401, "Unauthorized", "", "take a new one from @BotFather"),
        (404, "Not Found", "", "take a new one from @BotFather"),
        (400, "Bad Request: chat not found", "", "press Start in the bot's chat"),
        (403, "Forbidden: bot was blocked by the user", "", "unblock the bot"),
        (
            400,
            "Bad Request: upgraded",
            "\"migrate_to_chat_id\":-100123",
            "set telegram.chat_id = \"-100123\"",
        ),
        (500, "Internal Server Error", "", "Telegram answered 500: Internal Server Error"),
    ] {
        let (fake, mut ledger) = (Fake::start(), told(&["first", "second"]).await);
        fake.refuse(code, description, parameters);
        let drained = pass(&mut ledger, &fake, 0).await;
        assert_eq!((drained.delivered, drained.waiting), (0, 2), "{description}");
        let trouble = drained.trouble.unwrap();
        assert!(trouble.contains(words), "{trouble}");
        assert_eq!(fake.count(), 1, "the others would be refused as well");
        // Mended: nothing was lost, and the order is kept.
        assert_eq!(pass(&mut ledger, &fake, 5).await.delivered, 2);
        assert!(fake.texts()[1].0.ends_with("first"));
    }
}

#[tokio::test]
async fn a_telegram_that_is_down_costs_three_seconds_and_loses_nothing() {
    let (fake, mut ledger) = (Fake::start(), told(&["first", "second"]).await);
    fake.next.lock().unwrap().extend([Say::Stall, Say::Stall]);
    let started = Instant::now();
    let drained = pass(&mut ledger, &fake, 0).await;
    let took = started.elapsed();
    assert!(took >= WITHIN - Duration::from_millis(50) && took < WITHIN * 2, "{took:?}");
    assert_eq!((drained.waiting, fake.count()), (2, 1));
    assert_eq!(drained.trouble.as_deref(), Some("Telegram did not answer: no complete answer in time"));
    fake.next.lock().unwrap().clear();
    assert_eq!(pass(&mut ledger, &fake, 5).await.delivered, 2);

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let down = Fake { url: format!("http://{nobody}"), next: Arc::default(), seen: Arc::default() };
    let mut ledger = told(&["first"]).await;
    let trouble = pass(&mut ledger, &down, 0).await.trouble.unwrap();
    assert!(trouble.starts_with("Telegram did not answer: no connection: "), "{trouble}");
    assert_eq!(pass(&mut ledger, &fake, 5).await.delivered, 1);
}

#[tokio::test]
async fn a_message_that_telegram_cannot_read_does_not_block_the_others() {
    let cannot = "Bad Request: can't parse entities";
    let (fake, mut ledger) = (Fake::start(), told(&["1 < 2", "second"]).await);
    fake.refuse(400, cannot, "");
    assert_eq!(pass(&mut ledger, &fake, 0).await.delivered, 2);
    let texts = fake.texts();
    assert!(texts[0].1 && texts[0].0.ends_with("1 &lt; 2"));
    assert!(!texts[1].1 && texts[1].0.ends_with("1 < 2"), "{texts:?}");
    assert!(texts[2].0.ends_with("second"));

    let (fake, mut ledger) = (Fake::start(), told(&["poison", "second"]).await);
    fake.refuse(400, cannot, "").refuse(400, "Bad Request: no", "");
    assert_eq!(pass(&mut ledger, &fake, 0).await.delivered, 2);
    let word = fake.texts()[2].0.clone();
    assert_eq!(
        word,
        "A message of 2026-01-01 00:00:00 UTC (not_flat) was refused by Telegram and is in the ledger: outbox 1"
    );

    // Whatever is written is refused: then it is not the message, and everything stays.
    let (fake, mut ledger) = (Fake::start(), told(&["first", "second"]).await);
    fake.refuse(400, "Bad Request: no rights", "").refuse(400, "no", "").refuse(400, "no rights", "");
    let drained = pass(&mut ledger, &fake, 0).await;
    assert_eq!((drained.delivered, drained.waiting), (0, 2));
    assert!(drained.trouble.unwrap().contains("no rights"));
}

#[tokio::test]
async fn a_long_message_goes_on_behind_the_pieces_that_arrived() {
    let long: String = (0..1500).map(|line| format!("line {line:04}\n")).collect();
    let (fake, mut ledger) = (Fake::start(), told(&[&long, "second"]).await);
    fake.will(200, OK).refuse(429, "slow down", "\"retry_after\":60");
    assert_eq!(pass(&mut ledger, &fake, 0).await.waiting, 2);
    assert_eq!(pass(&mut ledger, &fake, 5).await.delivered, 2);
    let texts = fake.texts();
    assert!(texts.iter().all(|(text, _)| text.encode_utf16().count() <= 4096));
    // The second piece was refused once and sent again; the first was not.
    assert_eq!(texts[1], texts[2]);
    let whole = [&texts[0], &texts[2], &texts[3], &texts[4]].map(|(text, _)| text.as_str()).join("\n");
    assert!(whole.trim_end().ends_with(long.trim_end()), "{} of {}", whole.len(), long.len());
    assert!(texts[5].0.ends_with("second"));

    // A text beyond measure: what is missing is said.
    let (fake, mut ledger) = (Fake::start(), told(&[&"x".repeat(100_000)]).await);
    assert_eq!(pass(&mut ledger, &fake, 0).await.delivered, 1);
    let texts = fake.texts();
    assert_eq!(
        (texts.len(), texts[7].0.as_str()),
        (8, "… the rest of this message is in the ledger: outbox 1")
    );
}

#[tokio::test]
async fn a_backlog_leaves_over_several_passes_in_order() {
    let (fake, mut ledger) = (Fake::start(), Ledger::in_memory().await.unwrap());
    for minute in 0..13 {
        ledger.tell_digest(at(minute), &format!("digest {minute}")).await.unwrap();
    }
    assert_eq!(pass(&mut ledger, &fake, 0).await, Drained { delivered: 10, waiting: 3, trouble: None });
    assert_eq!(pass(&mut ledger, &fake, 5).await.delivered, 3);
    let texts: Vec<String> = fake.texts().into_iter().map(|(text, _)| text).collect();
    assert_eq!(texts, (0..13).map(|minute| format!("digest {minute}")).collect::<Vec<_>>());
}

/// A reading of 200 units whose value is `nav` hundredths, with one coin.
async fn read(ledger: &mut Ledger, minute: i64, nav: i64) {
    let row = PassRow { at: at(minute), outcome: "traded".into(), exit_code: None, plan: String::new() };
    let pass_id = ledger.plan_pass(&row, &[]).await.unwrap();
    let equity = Notional::new(nav * 200, 2);
    let reading = EquityRow {
        at: at(minute),
        equity,
        wallet: equity,
        fill_seq: 0,
        units: Rate::from(200),
        nav: Notional::new(nav, 2),
        peak: Notional::ONE,
    };
    let sample = Sample {
        symbol: "币安人生USDT".parse().unwrap(),
        qty: 10.into(),
        entry: Price::ONE,
        mark: Some(Price::new(nav, 2)),
        unrealized: Notional::new((nav - 100) * 10, 2),
        target: None,
    };
    ledger.record_equity(pass_id, &reading, &[sample], &[], &[]).await.unwrap();
    ledger.end_pass(pass_id, "traded", 0).await.unwrap();
}

/// What a pass of that minute does about the digest.
async fn due(ledger: &mut Ledger, minute: i64) -> bool {
    let regular = Regular {
        every: Duration::from_secs(4 * 3600),
        interval: Duration::from_secs(300),
        quote: "USDT".into(),
        heading: Heading {
            at: at(minute),
            profile: "<main>".into(),
            mode: "paper".into(),
            venue: String::new(),
        },
    };
    let folder = tempfile::tempdir().unwrap();
    tell_if_due(ledger, folder.path(), regular).await.unwrap()
}

#[tokio::test]
async fn a_digest_is_written_every_four_hours_and_not_twice() {
    let mut ledger = Ledger::in_memory().await.unwrap();
    assert!(!due(&mut ledger, 9999).await, "nothing was read yet");
    let mut written = Vec::new();
    // Passes every five minutes, a risk check after each.
    for minute in (0..=720).step_by(5) {
        read(&mut ledger, minute, if minute < 240 { 100 } else { 98 - (minute - 240) / 240 }).await;
        for _ in 0..2 {
            if due(&mut ledger, minute).await {
                written.push(minute);
            }
        }
    }
    assert_eq!(written, [240, 480, 720]);
    let texts: Vec<String> = ledger.undelivered().await.unwrap().into_iter().map(|one| one.text).collect();
    // 200 → 196 → 194 → 192: each digest begins where the last one ended.
    for (text, head) in texts.iter().zip([
        "<b>196.00 USDT</b>, -4.00 (-2.00 %)\n&lt;main&gt; · PAPER · 2026-01-01 04:00:00 UTC\nchanges since 2026-01-01 00:00:00 UTC\n",
        "<b>194.00 USDT</b>, -2.00 (-1.02 %)\n&lt;main&gt; · PAPER · 2026-01-01 08:00:00 UTC\nchanges since 2026-01-01 04:00:00 UTC\n",
        "<b>192.00 USDT</b>, -2.00 (-1.03 %)\n&lt;main&gt; · PAPER · 2026-01-01 12:00:00 UTC\nchanges since 2026-01-01 08:00:00 UTC\n",
    ]) {
        assert!(text.starts_with(head), "{text}");
    }
    assert!(
        texts[0].contains("\nfloating -0.20 in 1 coin\nworst 币安人生 -2.00 % (floating -0.20)\n"),
        "{}",
        texts[0]
    );
    assert!(texts[0].contains("\ndrawdown 2 %\nlast pass 2026-01-01 04:00:00 UTC: traded, 0 orders, exit 0"));
    // The exchange is away for a day: told once per period, as old as it is.
    assert!(due(&mut ledger, 1000).await && !due(&mut ledger, 1005).await);
    let last = ledger.undelivered().await.unwrap().pop().unwrap().text;
    assert!(last.contains("<b>not read since 2026-01-01 12:00:00 UTC</b>"), "{last}");
}
