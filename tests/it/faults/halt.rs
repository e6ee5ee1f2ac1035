//! Faults while everything is closed, and under the halt that follows: the hard stop, `flatten`,
//! `risk-check` and the latch.

use std::fs;
use std::io::{BufRead, BufReader};
use std::sync::mpsc;

use serde_json::{Value, json};

use super::process::signalled_in;
use super::proxy::{Act, Proxy};
use super::world::{BASKET, Home, ORDER, Run, Sim, query, request, text, wait};

/// A held basket behind a middlebox.
fn held() -> (Sim, Proxy, Home) {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url).set("execution.concurrency=1");
    home.allocate();
    sim.advance(1);
    (sim, proxy, home)
}

/// A fresh ledger's id of the halt, in both halves.
fn halt_of(home: &Home) -> String {
    let row = home.sql("SELECT id FROM halt WHERE cleared_at IS NULL");
    assert_eq!(row.len(), 1, "{row:?}");
    let file = fs::read_to_string(home.file("HALT")).unwrap();
    assert_eq!(file.lines().next(), Some(format!("halt {}", row[0]).as_str()));
    row[0].clone()
}

/// Everything is closed by orders that could only close, nothing opens any more, and one look makes
/// the books whole.
fn is_shut(sim: &Sim, home: &Home) {
    assert!(sim.positions().is_empty(), "{:?}", sim.positions());
    let (before, bought) = (sim.posts(0).len(), BASKET.len());
    home.rebalance().ended(6, "halted");
    let run = home.run(&["risk-check"]);
    assert_eq!((run.code, &run.report["flat"]), (Some(6), &Value::Bool(true)), "{run:?}");
    assert_eq!(sim.posts(0).len(), before);
    let ours = |order: &Value| text(order, "client_order_id").starts_with("rb1");
    let opened = sim.orders().into_iter().filter(ours).filter(|order| order["reduce_only"] == false);
    assert_eq!(opened.count(), bought);
    sim.once_each();
    home.agrees_with(sim);
    halt_of(home);
}

fn closed(run: &Run) -> usize {
    run.report["closed"].as_array().unwrap_or_else(|| panic!("{run:?}")).len()
}

#[test]
fn p5_killed_while_it_closes_it_stays_halted_and_the_next_pass_closes_the_rest() {
    for arguments in [&["flatten", "--yes"][..], &["rebalance"], &["risk-check"]] {
        for at in [(ORDER, 1, false), (ORDER, 3, true), ("GET /fapi/v1/userTrades", 2, true)] {
            let (sim, proxy, home) = held();
            if arguments.len() == 1 {
                sim.crash();
            }
            let sent = sim.orders().len();
            // Reading back comes after every close.
            let run = signalled_in(&home, &proxy, arguments, "-KILL", at);
            assert_eq!(run.code, None, "{arguments:?} {at:?}: {run:?}");
            let halt = halt_of(&home);
            assert!(sim.orders().len() >= sent);
            proxy.clear();
            sim.advance(1);
            home.rebalance().ended(7, "stopped");
            assert_eq!(halt_of(&home), halt, "a halt keeps its name");
            is_shut(&sim, &home);
        }
    }
}

#[test]
fn p7_flatten_waits_for_the_pass_that_runs_and_closes_what_it_bought() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url).set("execution.concurrency=1");
    let (waits, waiting) = mpsc::channel::<()>();
    let waiting = std::sync::Mutex::new(waiting);
    let held = move || waiting.lock().unwrap().recv().unwrap();
    proxy.on(ORDER, 2, 1, Act::before(held));
    let pass = home.start();
    super::world::until("the pass sends", || proxy.count(ORDER) == 2);
    let mut flatten = home.start_with(&["flatten", "--yes"]);
    let mut said = String::new();
    BufReader::new(flatten.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("waiting for the pass that is running"), "{said}");
    home.run(&["risk-check"]).ended(3, "locked");
    waits.send(()).unwrap();
    wait(pass).ended(0, "traded");
    let run = wait(flatten);
    assert_eq!((run.code, closed(&run)), (Some(0), BASKET.len()), "{run:?}");
    is_shut(&sim, &home);
}

#[test]
fn x3_x5_flatten_tries_again_whatever_refuses_its_orders() {
    let (sim, _, home) = held();
    let said =
        ["reject:-4131", "reject:-2022", "reject:-1111", "partial:0", "partial:0.3", "accept_then_close"];
    let faults: Vec<_> = said.iter().zip(1..).map(|(action, nth)| (ORDER, nth, 1, *action)).collect();
    sim.faults(&faults);
    let run = home.flatten();
    // Of the one whose answer was lost nothing is known but that it is gone.
    assert_eq!((run.code, closed(&run)), (Some(0), BASKET.len() - 1), "{run:?}");
    assert!(run.report["rounds"].as_u64().unwrap() >= 2, "{run:?}");
    sim.advance(1);
    is_shut(&sim, &home);
}

#[test]
fn x7_flatten_closes_what_is_not_ours_and_what_is_short_too() {
    let (sim, _, home) = held();
    sim.trade("SOLUSDT", "1");
    sim.trade("ADAUSDT", "-100");
    assert!(sim.positions()["ADAUSDT"].starts_with('-'));
    let run = home.flatten();
    assert_eq!((run.code, closed(&run)), (Some(0), BASKET.len() + 1), "{run:?}");
    assert!(sim.positions().is_empty());
    let bought_back = |order: &&Value| order["side"] == "BUY" && order["reduce_only"] == true;
    let orders = sim.orders();
    let bought: Vec<_> = orders.iter().filter(bought_back).map(|order| text(order, "symbol")).collect();
    assert_eq!(bought, ["ADAUSDT"]);
}

#[test]
fn x8_flatten_in_hedge_mode_sends_nothing_and_says_what_to_do() {
    let (sim, proxy, home) = held();
    proxy.always(
        "GET /fapi/v3/positionRisk",
        Act::edit(|body| body.replace(r#""positionSide":"BOTH""#, r#""positionSide":"LONG""#)),
    );
    let before = sim.posts(0).len();
    let run = home.flatten();
    assert_eq!(run.code, Some(8), "{run:?}");
    assert!(run.report["notes"].to_string().contains("one-way"), "{run:?}");
    assert_eq!(sim.posts(0).len(), before);
    proxy.clear();
    home.rebalance().ended(7, "stopped");
    is_shut(&sim, &home);
}

#[test]
fn x12_what_does_not_trade_is_left_said_and_closed_once_it_trades_again() {
    for command in [&["flatten", "--yes"][..], &["rebalance"]] {
        let (sim, _, home) = held();
        if command.len() == 1 {
            sim.crash();
        }
        sim.status("ADAUSDT", "SETTLING");
        let run = home.run(command);
        assert_eq!(run.code, Some(8), "{run:?}");
        let left: Vec<_> = sim.positions().into_keys().collect();
        assert_eq!(left, ["ADAUSDT"]);
        assert_eq!(text(&run.report["remaining"][0], "symbol"), "ADAUSDT", "{run:?}");
        assert!(home.sql("SELECT text FROM outbox WHERE kind = 'not_flat'")[0].contains("ADAUSDT"));
        home.rebalance().ended(8, "not_flat");
        sim.status("ADAUSDT", "TRADING");
        home.rebalance().ended(7, "stopped");
        is_shut(&sim, &home);
        assert_eq!(home.sql("SELECT level FROM outbox WHERE kind = 'not_flat'")[1], "over");
    }
}

#[test]
fn x15_x16_flatten_closes_large_positions_in_parts_and_dust_too() {
    let (sim, proxy, home) = held();
    proxy.always(
        "GET /fapi/v1/exchangeInfo",
        Act::edit(|body| {
            let mut json: Value = serde_json::from_str(body).unwrap();
            for row in json["symbols"].as_array_mut().unwrap() {
                for filter in row["filters"].as_array_mut().unwrap() {
                    if row_is(filter, "MARKET_LOT_SIZE") {
                        filter["maxQty"] = json!("20");
                    }
                }
            }
            json.to_string()
        }),
    );
    let xrp: i64 = sim.positions()["XRPUSDT"].parse().unwrap();
    sim.trade("XRPUSDT", &format!("{}", 1 - xrp));
    let home = home.set("exchange.exchange_info_max_age=0s");
    let ada: f64 = sim.positions()["ADAUSDT"].parse().unwrap();
    let run = home.flatten();
    assert_eq!(run.code, Some(0), "{run:?}");
    let parts = sim.orders().into_iter().skip(BASKET.len()).filter(|order| order["symbol"] == "ADAUSDT");
    let parts: Vec<f64> = parts.map(|order| text(&order, "qty").parse().unwrap()).collect();
    assert_eq!(parts.len(), (ada / 20.0).ceil() as usize, "{parts:?} of {ada}");
    assert!(parts.iter().all(|qty| *qty <= 20.0));
    assert!(sim.positions().is_empty(), "{:?}", sim.positions());
    sim.once_each();
}

fn row_is(filter: &Value, kind: &str) -> bool {
    filter["filterType"] == kind
}

#[test]
fn x18_flatten_needs_neither_book_nor_price_nor_the_rest_of_the_exchange() {
    let (sim, _, home) = held();
    let down = r#"reply:503:{"code":-1001,"msg":"Internal error; unable to process your request."}"#;
    let unneeded = [
        "GET /fapi/v1/ticker/bookTicker",
        "GET /fapi/v1/premiumIndex",
        "GET /fapi/v3/account",
        "GET /fapi/v3/balance",
        "GET /fapi/v1/income",
        "GET /fapi/v1/allOrders",
        "GET /fapi/v1/leverageBracket",
        "GET /fapi/v1/exchangeInfo",
    ];
    sim.faults(&unneeded.map(|path| (path, 1, 99, down)));
    let home = home.set("basket.symbols=[]");
    let run = home.flatten();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(sim.positions().is_empty(), "{:?}", sim.positions());
}

#[test]
fn x21_a_position_deleveraged_while_it_is_closed_is_not_turned_round() {
    let (sim, proxy, home) = held();
    let held: i64 = sim.positions()["ADAUSDT"].parse().unwrap();
    let exchange = sim.url.clone();
    proxy.on(
        ORDER,
        1,
        1,
        Act::before(move || {
            let body = json!({"symbol": "ADAUSDT", "qty": format!("{}", 1 - held)}).to_string();
            request(&exchange, "POST", "/sim/trade", "", body.as_bytes());
        }),
    );
    let run = home.flatten();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(sim.positions().is_empty(), "{:?}", sim.positions());
    // What others did is taken over once the exchange's clock went on.
    sim.advance(1);
    is_shut(&sim, &home);
}

#[test]
fn x24_a_balance_shown_as_zero_fires_no_stop_and_is_told_once() {
    let (sim, proxy, home) = held();
    let before = sim.posts(0).len();
    proxy.always("GET /fapi/v3/account", Act::edit(super::exchange::zeroed));
    for command in ["rebalance", "risk-check", "rebalance"] {
        home.run(&[command]).ended(4, "unavailable");
    }
    assert_eq!(sim.posts(0).len(), before);
    assert!(!home.file("HALT").exists() && home.sql("SELECT id FROM halt").is_empty());
    let told = "SELECT kind || ': ' || text FROM outbox ORDER BY id";
    assert_eq!(home.sql(told).len(), 1, "{:?}", home.sql(told));
    let first = home.sql(told).remove(0);
    assert!(
        first.contains("no USDT in the wallet") && first.contains("THE HARD STOP DOES NOT WATCH"),
        "{first}"
    );
    proxy.clear();
    home.quiet();
    assert_eq!(
        home.sql("SELECT level || ' ' || kind FROM outbox ORDER BY id")[1..],
        ["over equity_unavailable"]
    );
}

#[test]
fn x31_x32_flatten_cancels_what_waits_of_ours_and_leaves_the_owner_s() {
    let (sim, _, home) = held();
    for (id, coin) in [("mine", "ADAUSDT"), ("rb1aaaaaa0000000100e", "XRPUSDT")] {
        let mark = sim.call("GET", &format!("/fapi/v1/premiumIndex?symbol={coin}"), &Value::Null);
        let price = text(&mark, "markPrice").parse::<f64>().unwrap() * 0.97;
        let order = format!(
            "symbol={coin}&side=BUY&type=LIMIT&timeInForce=GTC&quantity=30&price={price:.3}&newClientOrderId={id}"
        );
        let said = sim.signed("POST", "/fapi/v1/order", &order);
        assert_eq!(said["status"], "NEW", "{said}");
    }
    let run = home.flatten();
    assert_eq!((run.code, &run.report["cancelled"]), (Some(0), &json!(1)), "{run:?}");
    let waits = sim.orders().into_iter().filter(|order| order["status"] == "NEW");
    assert_eq!(waits.map(|order| text(&order, "client_order_id")).collect::<Vec<_>>(), ["mine"]);
    assert!(sim.positions().is_empty());
}

#[test]
fn s1_s2_flatten_closes_without_a_usable_ledger_and_leaves_it_as_it_was() {
    for what in ["damaged", "another program's", "of a newer rebal"] {
        let (sim, _, home) = held();
        match what {
            "damaged" => fs::write(home.ledger(), [0x5a; 9000]).unwrap(),
            "another program's" => {
                fs::remove_file(home.ledger()).unwrap();
                query(&home.ledger(), "PRAGMA application_id = 1234; CREATE TABLE song (title TEXT)");
            }
            _ => drop(home.sql("PRAGMA user_version = 99")),
        }
        let before = fs::read(home.ledger()).unwrap();
        let run = home.flatten();
        assert_eq!(run.code, Some(5), "{what}: {run:?}");
        assert!(run.report["notes"].to_string().contains("the ledger cannot be used"), "{run:?}");
        assert!(sim.positions().is_empty(), "{what}: {:?}", sim.positions());
        assert!(fs::read(home.ledger()).unwrap() == before, "{what}");
        sim.once_each();
        // The file is the half of the latch that could be written.
        assert!(home.file("HALT").exists());
    }
}

#[test]
fn s9_flatten_closes_beside_a_locked_ledger_under_one_halt() {
    use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
    let (sim, _, home) = held();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = runtime.block_on(async {
        let mut viewer = SqliteConnectOptions::new().filename(home.ledger()).connect().await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut viewer).await.unwrap();
        let run = home.flatten();
        viewer.close().await.unwrap();
        run
    });
    assert_eq!(run.code, Some(5), "{run:?}");
    assert!(sim.positions().is_empty());
    let id = text(&run.report, "halt_id");
    // The ledger is back and knows nothing of it: the file holds, and whatever looks keeps its name.
    let refused = home.rebalance();
    assert!(refused.ended(6, "halted").message().contains(&id), "{refused:?}");
    let refused = home.run(&["risk-check"]);
    assert!(refused.ended(6, "halted").message().contains(&id), "{refused:?}");
    assert!(fs::read_to_string(home.file("HALT")).unwrap().starts_with(&format!("halt {id}\n")));
    let lifted = home.run(&["risk-check", "--resume", "--confirm", &id]);
    assert_eq!(lifted.code, Some(0), "{lifted:?}");
    home.agrees_with(&sim);
    assert!(!home.file("HALT").exists());
}

#[test]
fn s7_what_another_ledger_closed_under_orders_of_ours_that_never_left_is_taken_over() {
    let (sim, proxy, home) = held();
    proxy.on(ORDER, 1, 99, Act::RawThenSilence(Vec::new()));
    let asked = proxy.count(ORDER);
    let mut child = home.start_with(&["flatten", "--yes"]);
    super::world::until("it sends", || proxy.count(ORDER) > asked);
    child.kill().unwrap();
    wait(child);
    proxy.clear();
    assert_eq!(home.sql("SELECT DISTINCT state FROM intent WHERE reason = 'flatten'"), ["sending"]);
    // Another machine closes, or a flatten that has to do without this ledger.
    let other = Home::at(&sim.url);
    assert_eq!(other.flatten().code, Some(0));
    sim.advance(1);
    home.rebalance().ended(7, "stopped");
    let id = halt_of(&home);
    let run = home.run(&["risk-check"]);
    assert!(run.ended(6, "halted").message().contains(&id), "{run:?}");
    assert_eq!(halt_of(&home), id);
    assert_eq!(home.run(&["risk-check", "--resume", "--confirm", &id]).code, Some(0));
    home.agrees_with(&sim);
    home.allocate();
    home.agrees_with(&sim);
    sim.once_each();
}

#[test]
fn s10_either_half_of_a_latch_goes_on_closing_alone() {
    for keeps in ["file", "row"] {
        let (sim, proxy, home) = held();
        let run = signalled_in(&home, &proxy, &["flatten", "--yes"], "-KILL", (ORDER, 2, false));
        assert_eq!(run.code, None, "{run:?}");
        let halt = halt_of(&home);
        match keeps {
            "file" => drop(home.sql("DELETE FROM halt")),
            _ => fs::remove_file(home.file("HALT")).unwrap(),
        }
        proxy.clear();
        sim.advance(1);
        home.rebalance().ended(7, "stopped");
        assert_eq!(halt_of(&home), halt, "both halves are there again");
        is_shut(&sim, &home);
    }
}

#[test]
fn c10_a_state_folder_deleted_after_a_stop_starts_halted() {
    let (sim, _, home) = held();
    sim.crash();
    home.rebalance().ended(7, "stopped");
    fs::remove_dir_all(home.state()).unwrap();
    sim.advance(1);
    let before = sim.posts(0).len();
    for command in ["rebalance", "rebalance", "risk-check"] {
        let run = home.run(&[command]);
        assert_eq!(run.code, Some(6), "{command}: {run:?}");
    }
    assert_eq!(sim.posts(0).len(), before);
    let id = halt_of(&home);
    assert_eq!(home.run(&["risk-check", "--resume", "--confirm", &id]).code, Some(0));
    home.allocate();
    home.agrees_with(&sim);
}

#[test]
fn c11_resuming_needs_the_halt_s_id_and_the_second_time_changes_nothing() {
    let (sim, _, home) = held();
    sim.crash();
    home.rebalance().ended(7, "stopped");
    let id = halt_of(&home);
    for wrong in [&["risk-check", "--resume"][..], &["risk-check", "--resume", "--confirm", "h1"]] {
        let run = home.run(wrong);
        assert!(run.ended(2, "config").message().contains(&id), "{run:?}");
    }
    home.rebalance().ended(6, "halted");
    // Pressed twice in the same moment.
    let resume = ["risk-check", "--resume", "--confirm", id.as_str()];
    let both = [home.start_with(&resume), home.start_with(&resume)];
    let mut codes: Vec<_> = both.into_iter().map(|child| wait(child).code.unwrap()).collect();
    codes.sort_unstable();
    assert!(codes[0] == 0 && [2, 3].contains(&codes[1]), "{codes:?}");
    let lifted = home.sql("SELECT id || ' ' || cleared_at FROM halt");
    home.run(&resume).ended(2, "config");
    assert_eq!(home.sql("SELECT id || ' ' || cleared_at FROM halt"), lifted);
    assert_eq!(sim.positions().len(), 0);
    home.allocate();
    // The next halt has another name: an old line in a script lifts nothing.
    sim.advance(1);
    assert_eq!(home.flatten().code, Some(0));
    assert_ne!(halt_of(&home), id);
    home.run(&resume).ended(2, "config");
    home.rebalance().ended(6, "halted");
}
