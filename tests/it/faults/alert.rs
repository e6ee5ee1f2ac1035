//! Faults of alerts (A): what is told is written before anything is delivered, once and not every five
//! minutes, and telling never decides anything.

use super::process::signalled_in;
use super::proxy::Proxy;
use super::world::{BASKET, Home, ORDER, Sim, text};

const TOLD: &str = "SELECT kind || ': ' || text FROM outbox ORDER BY id";
const OVER: &str = "SELECT kind FROM outbox WHERE level = 'over' ORDER BY id";

fn held() -> (Sim, Proxy, Home) {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url).set("execution.concurrency=1");
    home.allocate();
    sim.advance(1);
    (sim, proxy, home)
}

/// A trade, a partial failure, the stop, a pass under the halt, the way back and a flatten, with the
/// ledger changed like this before: every exit code, every order.
fn a_life(change: &str) -> (Vec<Option<i32>>, Vec<String>) {
    let (sim, _, home) = held();
    home.sql(change);
    let mut codes = Vec::new();
    sim.price("ADAUSDT", "1.3");
    codes.push(home.rebalance().code);
    sim.price("XRPUSDT", "1.3");
    sim.faults(&[(ORDER, 1, 1, "reject:-4131")]);
    codes.push(home.rebalance().code);
    sim.advance(1);
    sim.faults(&[("GET /fapi/v3/account", 1, 1, "reply:503:{}")]);
    codes.push(home.rebalance().code);
    sim.trade("DOGEUSDT", "-20");
    codes.push(home.rebalance().code);
    sim.crash();
    codes.push(home.rebalance().code);
    codes.push(home.rebalance().code);
    codes.push(home.run(&["risk-check"]).code);
    let id = home.sql("SELECT id FROM halt WHERE cleared_at IS NULL").remove(0);
    codes.push(home.run(&["risk-check", "--resume", "--confirm", &id]).code);
    sim.advance(1);
    codes.push(home.rebalance().code);
    codes.push(home.flatten().code);
    codes.push(home.rebalance().code);
    let of = |name: &str, order: &serde_json::Value| text(order, name);
    let orders = sim.orders();
    let orders = orders
        .iter()
        .map(|order| ["symbol", "side", "qty", "filled_qty", "status"].map(|name| of(name, order)).join(" "));
    (codes, orders.collect())
}

#[test]
fn a1_alerts_that_cannot_be_written_change_no_order_and_no_exit_code() {
    let (codes, orders) = a_life("SELECT 1");
    assert_eq!(codes, [0, 5, 4, 0, 7, 6, 6, 0, 0, 0, 6].map(Some));
    for trouble in [
        "DROP TABLE outbox",
        "DROP TABLE alert",
        "CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END",
    ] {
        assert_eq!(a_life(trouble), (codes.clone(), orders.clone()), "{trouble}");
    }
}

#[test]
fn a1_what_is_told_is_kept_and_waits_for_nobody_where_nobody_delivers_it() {
    let (sim, _, home) = held();
    sim.crash();
    home.rebalance().ended(7, "stopped");
    let first = home.sql(TOLD);
    assert!(first.iter().any(|line| line.starts_with("halted: HALTED (halt h")), "{first:?}");
    // A halted pass asks nobody for the time, and this machine's clock is months from the simulator's:
    // the first one reminds.
    home.rebalance().ended(6, "halted");
    let told = home.sql(TOLD);
    assert!(told.starts_with(&first) && told.len() <= first.len() + 1, "{told:?}");
    home.rebalance().ended(6, "halted");
    assert_eq!(home.sql(TOLD), told, "it stays, and is not told again");
    assert_eq!(home.sql("SELECT count(*) FROM outbox WHERE delivered_at IS NULL"), ["0"]);
}

#[test]
fn a6_a_trouble_that_lasts_is_told_once_every_four_hours_and_when_it_is_over() {
    let (sim, _, home) = held();
    sim.faults(&[("GET /fapi/v3/account", 1, 9999, "reply:503:{}")]);
    let mut counts = Vec::new();
    for bars in [0, 1, 1, 44, 3, 45] {
        if bars > 0 {
            sim.advance(bars);
        }
        home.rebalance().ended(4, "unavailable");
        counts.push(home.sql(TOLD).len());
    }
    assert_eq!(counts, [1, 1, 1, 1, 2, 2], "{:?}", home.sql(TOLD));
    let told = home.sql(TOLD);
    assert!(told[0].starts_with("exchange_unavailable: ") && told[1].contains("still, since "), "{told:?}");
    sim.faults(&[]);
    home.rebalance();
    home.rebalance();
    assert_eq!(home.sql(OVER), ["exchange_unavailable"]);
}

#[test]
fn a6_orders_that_fail_in_every_pass_are_one_message() {
    let (sim, _, home) = held();
    sim.price("ADAUSDT", "1.3");
    sim.faults(&[(ORDER, 1, 99, "reject:-4131")]);
    for _ in 0..4 {
        home.rebalance().ended(5, "partial");
    }
    let told = home.sql(TOLD);
    assert!(
        told.len() == 1 && told[0].starts_with("orders_incomplete: ") && told[0].contains("ADAUSDT"),
        "{told:?}"
    );
    sim.faults(&[]);
    home.rebalance().ended(0, "traded");
    assert_eq!(home.sql(OVER), ["orders_incomplete"]);
}

#[test]
fn a7_the_halt_is_told_before_the_first_close_and_a_kill_neither_loses_nor_repeats_it() {
    let (sim, proxy, home) = held();
    sim.crash();
    let run = signalled_in(&home, &proxy, &["rebalance"], "-KILL", (ORDER, 1, false));
    assert_eq!(run.code, None, "{run:?}");
    // Before it asked for the time a pass goes by this machine's clock, months from the simulator's: it reminds.
    let halted = "SELECT text FROM outbox WHERE kind = 'halted' AND text NOT LIKE 'still, %'";
    assert_eq!(home.sql(halted).len(), 1, "{:?}", home.sql(TOLD));
    proxy.clear();
    sim.advance(1);
    home.rebalance().ended(7, "stopped");
    assert_eq!(home.sql(halted).len(), 1, "{:?}", home.sql(TOLD));
    assert!(sim.orders().len() >= 2 * BASKET.len());
}
