//! Faults of network and HTTP (N): the real binary against the simulated exchange.

use std::io::Write as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::proxy::{Act, Proxy, answer};
use super::world::{BASKET, Home, ORDER, Sim, finish, text, until};

/// A fault in an otherwise plain allocation of four coins, as data.
struct Row {
    /// `(match, nth, do)`: all armed before the pass.
    faults: &'static [(&'static str, u64, &'static str)],
    sets: &'static [&'static str],
    /// How the pass ends.
    exit: i32,
    word: &'static str,
    /// Orders that the exchange accepts in it.
    sent: usize,
    /// How its orders end, sorted; empty where it never came to any.
    orders: &'static [&'static str],
    /// How the next pass, behind the fence, settles what was left.
    settled: &'static [&'static str],
}

/// Runs the pass, the one after it, and a quiet one; every coin is bought once, whatever happened.
fn check(row: &Row) {
    let sim = Sim::start();
    let home = row.sets.iter().fold(Home::at(&sim.url), |home, set| home.set(*set));
    let faults: Vec<_> = row.faults.iter().map(|(at, nth, action)| (*at, *nth, 1, *action)).collect();
    sim.faults(&faults);
    let run = home.rebalance();
    run.ended(row.exit, row.word);
    assert_eq!(run.orders(), row.orders, "{run:?}");
    assert_eq!(sim.orders().len(), row.sent, "accepted in the faulty pass");
    if row.orders.is_empty() {
        assert_eq!(sim.posts(0), Vec::<String>::new(), "exit {} means that nothing was sent", row.exit);
    }
    sim.faults(&[]);
    sim.advance(1);
    let run = home.rebalance();
    let done = if row.sent == BASKET.len() { "nothing_to_do" } else { "traded" };
    run.ended(0, done);
    assert_eq!(run.settled(), row.settled, "{run:?}");
    home.quiet();
    home.agrees_with(&sim);
    sim.once_each();
    assert_eq!(sim.orders().len(), BASKET.len(), "each coin is bought once");
}

macro_rules! faults {
    ($($(#[$about:meta])* $name:ident: Row $row:tt)*) => {
        $($(#[$about])* #[test] fn $name() { check(&Row $row) })*
    };
}

const ONE_BY_ONE: &[&str] = &["execution.concurrency=1"];
const IMPATIENT: &[&str] = &["execution.concurrency=1", "exchange.timeout_ms=3000"];

faults! {
    n3_an_answer_that_never_comes_leaves_the_order_unknown_and_the_next_pass_finds_it: Row {
        faults: &[(ORDER, 2, "accept_then_stall")],
        sets: IMPATIENT, exit: 5, word: "partial", sent: 2,
        orders: &["filled", "not_sent", "not_sent", "unknown"], settled: &["filled"],
    }
    n4_a_connection_that_closes_after_the_request_does_too: Row {
        faults: &[(ORDER, 2, "accept_then_close")],
        sets: ONE_BY_ONE, exit: 5, word: "partial", sent: 2,
        orders: &["filled", "not_sent", "not_sent", "unknown"], settled: &["filled"],
    }
    n4_four_lost_answers_at_once_are_all_found: Row {
        faults: &[(ORDER, 1, "accept_then_close"), (ORDER, 2, "truncate:1"), (ORDER, 3, "truncate:60"),
            (ORDER, 4, "accept_then_close")],
        sets: &[], exit: 5, word: "partial", sent: 4,
        orders: &["unknown", "unknown", "unknown", "unknown"],
        settled: &["filled", "filled", "filled", "filled"],
    }
    n10_an_answer_cut_at_any_byte_is_no_answer: Row {
        faults: &[(ORDER, 1, "truncate:0"), (ORDER, 2, "truncate:17"), (ORDER, 3, "truncate:120"),
            (ORDER, 4, "truncate:250")],
        sets: &[], exit: 5, word: "partial", sent: 4,
        orders: &["unknown", "unknown", "unknown", "unknown"],
        settled: &["filled", "filled", "filled", "filled"],
    }
    n9_a_web_page_after_an_order_says_nothing_about_it: Row {
        faults: &[(ORDER, 1, "reply:200:<html><body>Please log in</body></html>"), (ORDER, 2, "reply:200:"),
            (ORDER, 3, "reply:200:null"), (ORDER, 4, "reply:200:{}")],
        sets: &[], exit: 5, word: "partial", sent: 0,
        orders: &["unknown", "unknown", "unknown", "unknown"],
        settled: &["not_sent", "not_sent", "not_sent", "not_sent"],
    }
    n11_gateway_errors_after_an_order_say_nothing_about_it: Row {
        faults: &[(ORDER, 1, "reply:502:"), (ORDER, 2, "reply:504:<html>gateway time-out</html>"),
            (ORDER, 3, "reply:500:"), (ORDER, 4, "reply:520:error code: 520")],
        sets: &[], exit: 5, word: "partial", sent: 0,
        orders: &["unknown", "unknown", "unknown", "unknown"],
        settled: &["not_sent", "not_sent", "not_sent", "not_sent"],
    }
    n12_every_503_is_unknown_even_those_that_say_they_failed: Row {
        faults: &[
            (ORDER, 1, r#"reply:503:{"code":-1000,"msg":"Unknown error, please check your request or try again later."}"#),
            (ORDER, 2, r#"reply:503:{"code":-1001,"msg":"Internal error; unable to process your request. Please try again."}"#),
            (ORDER, 3, "reply:503:Service Unavailable."),
            (ORDER, 4, r#"reply:503:{"code":-1008,"msg":"Request throttled by system-level protection."}"#),
        ],
        sets: &[], exit: 5, word: "partial", sent: 0,
        orders: &["unknown", "unknown", "unknown", "unknown"],
        settled: &["not_sent", "not_sent", "not_sent", "not_sent"],
    }
    n13_codes_that_leave_it_open_are_unknown: Row {
        faults: &[(ORDER, 1, "reject:-1000"), (ORDER, 2, "reject:-1001"), (ORDER, 3, "reject:-1006"),
            (ORDER, 4, "reject:-1007")],
        sets: &[], exit: 5, word: "partial", sent: 0,
        orders: &["unknown", "unknown", "unknown", "unknown"],
        settled: &["not_sent", "not_sent", "not_sent", "not_sent"],
    }
    n14_a_408_is_unknown_as_are_a_page_of_403_and_a_duplicate_id: Row {
        faults: &[(ORDER, 1, "reply:408:"), (ORDER, 2, r#"reply:408:{"code":-1007,"msg":"Timeout"}"#),
            (ORDER, 3, "reply:403:<html>blocked</html>"),
            (ORDER, 4, r#"reply:400:{"code":-4116,"msg":"ClientOrderId is duplicated."}"#)],
        sets: &[], exit: 5, word: "partial", sent: 0,
        orders: &["unknown", "unknown", "unknown", "unknown"],
        settled: &["not_sent", "not_sent", "not_sent", "not_sent"],
    }
    n17_the_firewall_s_page_ends_the_pass_before_anything_is_sent: Row {
        faults: &[("GET /fapi/v3/account", 1, "reply:403:<html><title>403 Forbidden</title></html>")],
        sets: &[], exit: 4, word: "unavailable", sent: 0, orders: &[], settled: &[],
    }
    n20_a_read_that_stalls_ends_the_pass_in_time: Row {
        faults: &[("GET /fapi/v3/positionRisk", 1, "accept_then_stall")],
        sets: IMPATIENT, exit: 4, word: "unavailable", sent: 0, orders: &[], settled: &[],
    }
    x1_a_partial_fill_is_booked_and_the_rest_is_for_the_next_pass: Row {
        faults: &[(ORDER, 1, "partial:0.99")],
        sets: &[], exit: 5, word: "partial", sent: 4,
        orders: &["filled", "filled", "filled", "partial"], settled: &[],
    }
}

/// Everything a pass reads before it decides.
const READS: [&str; 10] = [
    "GET /fapi/v1/time",
    "GET /fapi/v1/exchangeInfo",
    "GET /fapi/v1/leverageBracket",
    "GET /fapi/v1/commissionRate",
    "GET /fapi/v1/premiumIndex",
    "GET /fapi/v1/ticker/bookTicker",
    "GET /fapi/v3/account",
    "GET /fapi/v3/positionRisk",
    "GET /fapi/v1/symbolConfig",
    "GET /fapi/v1/allOrders",
];

/// Each read goes wrong in each of these ways: exit 4, no order, and afterwards all is well.
fn check_reads(ways: &[&str]) {
    let sim = Sim::start();
    let home = Home::at(&sim.url).set("exchange.exchange_info_max_age=0s");
    for read in READS {
        for way in ways {
            sim.faults(&[(read, 1, 9, way)]);
            let run = home.rebalance();
            assert_eq!((run.code, run.kind().as_str()), (Some(4), "unavailable"), "{read} {way}: {run:?}");
            // A first pass reads months of history: two dozen of them in one minute are too many.
            sim.advance(1);
        }
    }
    assert_eq!(sim.posts(0), Vec::<String>::new());
    sim.faults(&[]);
    home.allocate();
}

#[test]
fn n9_a_web_page_is_no_answer_to_a_read() {
    check_reads(&["reply:200:<html>welcome to our wifi</html>", "reply:200:"]);
}

#[test]
fn n10_a_read_cut_anywhere_is_no_answer() {
    check_reads(&["truncate:0", "truncate:1"]);
}

#[test]
fn n11_an_error_of_a_gateway_ends_the_pass() {
    check_reads(&["reply:502:", "drop"]);
}

#[test]
fn x26_an_outage_of_everything_ends_each_pass_with_4_and_then_is_over() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    home.allocate();
    let before = sim.posts(0).len();
    for down in ["reply:503:", r#"reply:503:{"code":-1016,"msg":"This service is no longer available."}"#] {
        sim.faults(&[("*", 1, 999, down)]);
        home.rebalance().ended(4, "unavailable");
    }
    sim.faults(&[]);
    assert_eq!(sim.posts(0).len(), before);
    home.quiet();
}

#[test]
fn n1_a_name_that_does_not_resolve_sends_nothing() {
    // A network namespace of its own has no resolver to ask: nothing can leave this machine.
    let home = Home::new(&["mode=testnet", "exchange.timeout_ms=2000", &super::world::symbols(&BASKET)]);
    let alone = ["-rn"];
    let possible = std::process::Command::new("unshare").args(alone).arg("true").status();
    if !possible.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no network namespaces here");
        return;
    }
    let run = finish(home.wrapped("unshare", &alone, &["rebalance"]).arg("--json"));
    run.ended(4, "unavailable");
    assert!(run.message().contains("no connection"), "{run:?}");
    assert_eq!(home.sql("SELECT count(*) FROM intent"), ["0"]);
}

#[test]
fn n2_a_closed_port_means_not_sent_before_and_in_the_middle() {
    let sim = Sim::start();
    // An address where no other test opens a port while this one is closed.
    let free = TcpListener::bind("127.0.0.9:0").unwrap().local_addr().unwrap();
    let home = Home::at(&format!("http://{free}"));
    home.rebalance().ended(4, "unavailable");
    let proxy = Proxy::at("127.0.0.9:0", &sim.url);
    let home = Home::at(&proxy.url).set("execution.concurrency=1");
    let going_down = proxy.clone();
    proxy.on(ORDER, 2, 1, Act::after(move || going_down.take_down()));
    let run = home.rebalance();
    run.ended(5, "partial");
    let orders = run.orders();
    assert_eq!(orders[..2], ["accepted", "accepted"]);
    // The system may still take a connection that nobody serves any more: then nobody knows.
    assert!(orders[2..].iter().all(|word| word == "not_sent" || word == "unknown"), "{orders:?}");
    assert_eq!((orders.len(), sim.orders().len()), (4, 2));
    until("the address is free again", || TcpListener::bind(proxy.url.trim_start_matches("http://")).is_ok());
    proxy.bring_up();
    sim.advance(1);
    let run = home.rebalance();
    run.ended(0, "traded");
    assert_eq!(run.orders(), vec!["filled".to_owned(); 2]);
    home.agrees_with(&sim);
    sim.once_each();
}

/// A request is held back by the network while the pass that sent it believes it lost.
fn held_back() -> (Sim, Proxy, Home) {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url).set("execution.concurrency=1");
    proxy.on(ORDER, 2, 1, Act::Later);
    let run = home.rebalance();
    run.ended(5, "partial");
    assert_eq!(run.orders(), ["filled", "not_sent", "not_sent", "unknown"]);
    assert_eq!(sim.orders().len(), 1);
    (sim, proxy, home)
}

#[test]
fn n5_an_order_that_arrives_late_finds_its_coin_still_held_for_it() {
    let (sim, proxy, home) = held_back();
    let coin = home.sql("SELECT symbol FROM intent WHERE state = 'unknown'").remove(0);
    let run = home.rebalance();
    run.ended(5, "partial");
    assert!(run.skips(&coin, "unresolved"), "{run:?}");
    assert_eq!(sim.orders().len(), 3, "the other coins go on");
    assert_eq!(proxy.deliver(), 1);
    assert_eq!(sim.orders().len(), 4);
    let run = home.rebalance();
    run.ended(0, "nothing_to_do");
    assert_eq!(run.settled(), ["filled"]);
    home.agrees_with(&sim);
    sim.once_each();
}

#[test]
fn n6_an_order_that_arrives_after_its_window_is_refused_and_then_bought_anew() {
    let (sim, proxy, home) = held_back();
    sim.advance(1);
    assert_eq!(proxy.deliver(), 1);
    assert_eq!(sim.orders().len(), 1, "the exchange refuses it");
    let run = home.rebalance();
    run.ended(0, "traded");
    assert_eq!((run.settled(), run.orders().len()), (vec!["not_sent".to_owned()], 3));
    home.agrees_with(&sim);
    sim.once_each();
    assert_eq!(sim.orders().len(), 4);
}

#[test]
fn n7_an_order_doubled_on_its_way_is_noticed_and_its_excess_sold() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url).set("execution.concurrency=1");
    proxy.on(ORDER, 1, 1, Act::Twice);
    home.rebalance();
    assert_eq!(sim.orders().len(), 5, "the exchange takes the id of a filled order again");
    let doubled = text(&sim.orders()[0], "symbol");
    sim.advance(1);
    let run = home.rebalance();
    assert!(run.skips(&doubled, "changed_elsewhere"), "{run:?}");
    let run = home.rebalance();
    run.ended(0, "traded");
    let last = sim.orders().pop().unwrap();
    assert_eq!(
        (text(&last, "symbol"), text(&last, "side"), last["reduce_only"].as_bool()),
        (doubled, "SELL".into(), Some(true))
    );
    home.quiet();
    home.agrees_with(&sim);
}

#[test]
fn n8_a_redirect_is_never_followed() {
    let sim = Sim::start();
    for status in ["307 Temporary Redirect", "308 Permanent Redirect", "302 Found"] {
        let proxy = Proxy::before(&sim.url);
        let home = Home::at(&proxy.url);
        let to = format!("Location: {}/fapi/v1/order\r\n", sim.url);
        proxy.always(ORDER, Act::answer(status, &to, b""));
        let run = home.rebalance();
        run.ended(5, "partial");
        assert_eq!((run.orders(), sim.orders().len()), (vec!["unknown".to_owned(); 4], 0));
        proxy.clear();
        let to = format!("Location: {}/fapi/v3/account\r\n", sim.url);
        proxy.always("GET /fapi/v3/account", Act::answer(status, &to, b""));
        home.rebalance().ended(4, "unavailable");
    }
}

#[test]
fn n15_a_429_silences_every_process_until_it_is_over() {
    for (headers, body) in [
        ("Retry-After: 600\r\n", r#"{"code":-1003,"msg":"Too many requests."}"#),
        ("", r#"{"code":-1003,"msg":"Too many requests."}"#),
        ("Retry-After: soon\r\n", "slow down"),
    ] {
        silenced(&Act::answer("429 Too Many Requests", headers, body.as_bytes()));
    }
}

#[test]
fn n16_a_ban_of_days_silences_every_process_too() {
    let three_days =
        (std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap() + Duration::from_secs(259_200)).as_millis();
    let body = format!(r#"{{"code":-1003,"msg":"Way too many requests; IP banned until {three_days}."}}"#);
    silenced(&Act::answer("418 I'm a teapot", "", body.as_bytes()));
    silenced(&Act::answer("418 I'm a teapot", "Retry-After: 259200\r\n", b""));
}

/// A read is answered so; then the pass ends with 4 and no process sends anything more.
fn silenced(act: &Act) {
    let Act::Raw(bytes) = act else { panic!("an answer") };
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url);
    proxy.on("GET /fapi/v1/premiumIndex", 1, 1, Act::Raw(bytes.clone()));
    home.rebalance().ended(4, "unavailable");
    let before = proxy.log().len();
    for command in ["rebalance", "plan"] {
        home.run(&[command]).ended(4, "unavailable");
    }
    assert_eq!(proxy.log().len(), before, "nothing leaves while the ban lasts");
    home.sql("DELETE FROM meta WHERE key = 'not_before'");
    home.allocate();
}

#[test]
fn n15_a_429_to_an_order_is_unknown_and_sends_nothing_more() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url).set("execution.concurrency=1");
    let body = br#"{"code":-1015,"msg":"Too many new orders."}"#;
    proxy.on(ORDER, 2, 1, Act::answer("429 Too Many Requests", "Retry-After: 60\r\n", body));
    let run = home.rebalance();
    assert_eq!((run.code, proxy.count(ORDER)), (Some(5), 2), "{run:?}");
    let before = proxy.log().len();
    home.rebalance().ended(4, "unavailable");
    assert_eq!(proxy.log().len(), before);
}

#[test]
fn n18_tls_that_is_none_is_a_hard_error() {
    let sim = Sim::start();
    let home = Home::at(&sim.url.replace("http://", "https://"));
    home.rebalance().ended(4, "unavailable");
    assert_eq!(sim.requests(), 0);
}

#[test]
fn n19_a_proxy_in_the_environment_is_not_used() {
    let sim = Sim::start();
    let listening = Proxy::before(&sim.url);
    let home = Home::at(&sim.url);
    let mut command = home.command(&["rebalance"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, &listening.url);
    }
    finish(command.arg("--json")).ended(0, "traded");
    assert_eq!(listening.log(), Vec::<String>::new());
    let home = Home::at("http://192.0.2.1:80");
    home.rebalance().ended(2, "config");
}

#[test]
fn n20_a_body_that_trickles_is_cut_off_in_time() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url).set("exchange.timeout_ms=3000");
    // At this pace the whole body would take half an hour.
    let body = answer("200 OK", "", "[]".repeat(9000).as_bytes());
    proxy.on("GET /fapi/v1/premiumIndex", 1, 1, Act::Dribble(body, Duration::from_millis(100)));
    let began = Instant::now();
    home.rebalance().ended(4, "unavailable");
    assert!(began.elapsed() < Duration::from_secs(600), "{:?}", began.elapsed());
    assert_eq!(sim.posts(0), Vec::<String>::new());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn n21_a_body_that_inflates_without_end_is_cut_at_its_cap() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url);
    let bomb = gzip(&vec![b' '; 64 << 20]);
    let headers = "Content-Encoding: gzip\r\nContent-Type: application/json\r\n";
    proxy.on("GET /fapi/v1/premiumIndex", 1, 1, Act::answer("200 OK", headers, &bomb));
    let run = home.rebalance();
    run.ended(4, "unavailable");
    assert!(run.message().contains("8 MiB"), "{run:?}");
    proxy.clear();
    proxy.on(ORDER, 1, 1, Act::answer("200 OK", headers, &bomb));
    home.rebalance().ended(5, "partial");
    assert_eq!(sim.orders().len(), 3);
}

#[test]
fn n22_headers_chunks_and_arrays_without_end_are_refused() {
    let sim = Sim::start();
    let huge_header =
        format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\nContent-Length: 2\r\n\r\n[]", "x".repeat(2 << 20));
    let many_headers: String = (0..5000).map(|number| format!("X-{number}: 1\r\n")).collect();
    let many_headers = format!("HTTP/1.1 200 OK\r\n{many_headers}Content-Length: 2\r\n\r\n[]");
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, " ".repeat(1 << 20));
    let chunks = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(12));
    let numbers = answer("200 OK", "", format!("[{}1]", "1,".repeat(1_000_000)).as_bytes());
    let deep = answer("200 OK", "", "[".repeat(200_000).as_bytes());
    let all = [huge_header.into_bytes(), many_headers.into_bytes(), chunks.into_bytes(), numbers, deep];
    for (number, bytes) in all.into_iter().enumerate() {
        let proxy = Proxy::before(&sim.url);
        let home = Home::at(&proxy.url);
        proxy.on("GET /fapi/v1/premiumIndex", 1, 1, Act::RawThenSilence(bytes));
        let run = home.rebalance();
        assert!(run.code == Some(4), "{number}: {run:?}");
    }
    assert_eq!(sim.posts(0), Vec::<String>::new());
}

#[test]
fn n23_an_answer_from_before_our_own_orders_trades_nothing() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url);
    let old: std::sync::Arc<std::sync::Mutex<Vec<String>>> = std::sync::Arc::default();
    for path in ["GET /fapi/v3/account", "GET /fapi/v3/positionRisk"] {
        let kept = old.clone();
        let name = path.to_owned();
        proxy.on(
            path,
            1,
            1,
            Act::edit(move |body| {
                kept.lock().unwrap().push(format!("{name}\n{body}"));
                body.to_owned()
            }),
        );
    }
    home.allocate();
    proxy.clear();
    // The whole account as it was before the allocation: everything would be bought a second time.
    for stale in old.lock().unwrap().iter() {
        let (path, body) = stale.split_once('\n').unwrap();
        let body = body.to_owned();
        proxy.always(path, Act::edit(move |_| body.clone()));
    }
    let run = home.rebalance();
    assert_eq!(run.orders(), Vec::<String>::new(), "{run:?}");
    for coin in BASKET {
        assert!(run.skips(coin, "stale"), "{run:?}");
    }
    proxy.clear();
    home.quiet();
    assert_eq!(sim.orders().len(), 4);
}

#[test]
fn n23_an_old_listing_or_old_prices_trade_nothing() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url);
    let then = sim.call("GET", "/fapi/v1/premiumIndex", &serde_json::Value::Null).to_string();
    sim.advance(1);
    proxy.always("GET /fapi/v1/premiumIndex", Act::edit(move |_| then.clone()));
    home.rebalance().ended(4, "unavailable");
    assert_eq!(sim.posts(0), Vec::<String>::new());
}

#[test]
fn n24_an_address_that_does_not_answer_leaves_the_other_one() {
    let sim = Sim::start();
    let port = sim.url.rsplit(':').next().unwrap().to_owned();
    // `localhost` is ::1 first on most machines; nobody listens there.
    Home::at(&format!("http://localhost:{port}")).allocate();
}

#[test]
fn n25_a_connection_that_died_in_between_doubles_nothing() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url);
    // Every answer promises to keep the connection, and every connection is closed after it.
    for path in ["GET /fapi/v1/time", "GET /fapi/v3/account", ORDER, "POST /fapi/v1/leverage"] {
        proxy.always(path, Act::edit(str::to_owned));
    }
    let run = home.rebalance();
    assert!(matches!(run.code, Some(0 | 4 | 5)), "{run:?}");
    proxy.clear();
    sim.advance(1);
    home.rebalance();
    home.quiet();
    home.agrees_with(&sim);
    sim.once_each();
}

#[test]
fn n26_another_account_under_the_same_ledger_is_refused() {
    let sim = Sim::start();
    let other = Sim::with(&["--api-key", "other", "--api-secret", "other"]);
    let mut home = Home::at(&sim.url);
    home.allocate();
    home.change(format!("exchange.base_url={}", other.url));
    let mut command = home.command(&["rebalance"]);
    command.env("REBAL_API_KEY", "other").env("REBAL_API_SECRET", "other");
    finish(command.arg("--json")).ended(10, "storage");
    assert_eq!(other.posts(0), Vec::<String>::new());
}

#[test]
fn the_simulator_comes_up_and_goes_away() {
    let sim = Sim::start();
    let url = sim.url.trim_start_matches("http://").to_owned();
    drop(sim);
    until("the port closes", || std::net::TcpStream::connect(&url).is_err());
}
