//! Faults of process and machine (P): killed, stopped, starved of disk and time.

use std::fs;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use super::proxy::{Act, Proxy};
use super::world::{BASKET, Home, ORDER, REBAL, Run, Sim, finish, request, symbols, until, wait};

/// A pass that is told to end by `signal` when it sends the `nth` request that matches, before that
/// request reaches the exchange or after. Whether it was ended is for the caller to see.
fn signalled(signal: &'static str, at: &str, nth: usize, delivered: bool) -> (Sim, Home, Run) {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url).set("execution.concurrency=1");
    let run = signalled_in(&home, &proxy, &["rebalance"], signal, (at, nth, delivered));
    (sim, home, run)
}

/// The same with what runs given.
pub(super) fn signalled_in(
    home: &Home,
    proxy: &Proxy,
    arguments: &[&str],
    signal: &'static str,
    (at, nth, delivered): (&str, usize, bool),
) -> Run {
    let pass: Arc<Mutex<Option<u32>>> = Arc::default();
    let known = Arc::clone(&pass);
    let end = move || {
        until("the pass has an id", || known.lock().unwrap().is_some());
        let id = known.lock().unwrap().unwrap().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        // A signal that can be caught needs a moment to be noticed; a deadly one is at once.
        until("the signal arrives", || signal != "-KILL" || is_gone(&id));
    };
    proxy.on(at, nth, 1, if delivered { Act::after(end) } else { Act::before(end) });
    let child: Child = home.start_with(arguments);
    *pass.lock().unwrap() = Some(child.id());
    wait(child)
}

/// Dead, though perhaps not yet waited for.
fn is_gone(id: &str) -> bool {
    fs::read_to_string(format!("/proc/{id}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

/// After a kill one pass behind the fence settles everything, and every coin is bought once.
fn recovers(sim: &Sim, home: &Home) {
    sim.advance(1);
    let run = home.rebalance();
    assert_eq!(run.code, Some(0), "{run:?}");
    home.quiet();
    home.agrees_with(sim);
    sim.once_each();
    assert_eq!(sim.orders().len(), BASKET.len());
}

#[test]
fn p1_killed_before_anything_was_decided_leaves_nothing() {
    for at in ["GET /fapi/v1/time", "GET /fapi/v3/account", "GET /fapi/v1/allOrders"] {
        let (sim, home, run) = signalled("-KILL", at, 1, true);
        assert_eq!(run.code, None, "{run:?}");
        assert_eq!(sim.posts(0), Vec::<String>::new());
        recovers(&sim, &home);
    }
}

#[test]
fn p2_killed_before_an_order_reached_the_exchange_is_settled_as_not_sent() {
    // The request is written, and lost: the process dies while it waits, and nobody delivers it.
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url).set("execution.concurrency=1");
    proxy.on(ORDER, 2, 1, Act::RawThenSilence(Vec::new()));
    let child = home.start();
    until("the order is under way", || proxy.count(ORDER) == 2);
    let mut child = child;
    child.kill().unwrap();
    wait(child);
    proxy.clear();
    assert_eq!(home.sql("SELECT DISTINCT state FROM intent"), ["sending"], "marked before its first byte");
    sim.advance(1);
    let run = home.rebalance();
    assert_eq!(run.settled(), ["filled", "not_sent", "not_sent", "not_sent"], "{run:?}");
    home.quiet();
    home.agrees_with(&sim);
    sim.once_each();
}

#[test]
fn p3_p4_killed_with_an_order_on_the_wire_or_answered_finds_it_by_its_id() {
    for (nth, delivered) in [(1, false), (1, true), (4, true)] {
        let (sim, home, run) = signalled("-KILL", ORDER, nth, delivered);
        assert_eq!(run.code, None, "{run:?}");
        // The network delivers what the dead process wrote.
        until("the order arrives", || sim.orders().len() == nth);
        recovers(&sim, &home);
    }
}

#[test]
fn p4_killed_while_reading_back_books_every_fill_later() {
    let (sim, home, run) = signalled("-KILL", "GET /fapi/v1/userTrades", 1, true);
    assert_eq!((run.code, sim.orders().len()), (None, 4), "{run:?}");
    sim.advance(1);
    let run = home.rebalance();
    run.ended(0, "nothing_to_do");
    assert_eq!(run.settled(), ["filled"; 4]);
    assert_eq!(home.sql("SELECT count(*) FROM fill"), ["4"]);
    let trades = String::from_utf8(home.contents()["trades.csv"].clone()).unwrap();
    assert_eq!(trades.lines().count(), 5);
    home.agrees_with(&sim);
}

#[test]
fn p7_of_many_passes_at_once_one_works_and_the_others_send_nothing() {
    let sim = Sim::with(&["--latency-ms", "60"]);
    let home = Home::at(&sim.url);
    let children: Vec<Child> = (0..8).map(|_| home.start()).collect();
    let runs: Vec<Run> = children.into_iter().map(wait).collect();
    let worked = runs.iter().filter(|run| run.code == Some(0)).count();
    let locked = runs.iter().filter(|run| run.code == Some(3) && run.kind() == "locked").count();
    assert!(worked >= 1 && worked + locked == 8, "{runs:?}");
    let asked = sim.state()["requests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["path"] == "/fapi/v1/time")
        .count();
    assert!(asked <= 2 * worked, "a locked-out process asks nothing: {asked}");
    sim.once_each();
    assert_eq!(sim.orders().len(), 4);
}

#[test]
fn p8_a_signal_in_mid_pass_records_what_is_under_way_and_opens_nothing_more() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let (sim, home, run) = signalled(signal, ORDER, 2, true);
        run.ended(130, "interrupted");
        let sent = sim.orders().len();
        assert!((2..4).contains(&sent), "{signal}: {sent}");
        home.agrees_with(&sim);
        home.rebalance().ended(0, "traded");
        sim.once_each();
        assert_eq!(sim.orders().len(), 4);
    }
}

#[test]
fn p8_a_signal_before_the_decision_sends_no_order() {
    for at in ["GET /fapi/v1/time", "GET /fapi/v3/account"] {
        let (sim, _, run) = signalled("-TERM", at, 1, false);
        assert_eq!(run.code, Some(130), "{run:?}");
        assert!(!sim.posts(0).contains(&ORDER.to_owned()), "{:?}", sim.posts(0));
    }
}

/// A user who may not write the folder; root may write everything, so root becomes nobody first.
fn as_nobody(home: &Home, arguments: &[&str]) -> std::process::Command {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let command = home.command(arguments);
    if std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) != 0 {
        return command;
    }
    let binary = home.folder.path().join("binary");
    if !binary.exists() {
        fs::copy(REBAL, &binary).unwrap();
    }
    fs::set_permissions(home.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut other = std::process::Command::new(&binary);
    other.args(command.get_args()).current_dir(home.folder.path()).uid(65534).gid(65534).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => other.env(name, value),
            None => other.env_remove(name),
        };
    }
    other
}

#[test]
fn p14_a_state_folder_that_may_not_be_written_ends_with_10_before_any_request() {
    use std::os::unix::fs::PermissionsExt;
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    home.allocate();
    let mode =
        |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for entry in fs::read_dir(home.state()).unwrap() {
        mode(&entry.unwrap().path(), 0o444);
    }
    mode(&home.state(), 0o555);
    let before = sim.requests();
    finish(as_nobody(&home, &["rebalance"]).arg("--json")).ended(10, "storage");
    assert_eq!(sim.requests(), before);
    mode(&home.state(), 0o000);
    finish(as_nobody(&home, &["rebalance"]).arg("--json")).ended(10, "storage");
    assert_eq!(sim.requests(), before);
    mode(&home.state(), 0o755);
    // Where a folder should be there is a file.
    let home = Home::at(&sim.url);
    fs::write(home.state(), "a file").unwrap();
    home.rebalance().ended(10, "storage");
    assert_eq!(sim.requests(), before);
}

#[test]
fn p11_p12_a_disk_that_is_full_sends_nothing_it_cannot_write_down() {
    // A limit on the size of files is a full disk without needing one; the signal is ignored so
    // that the write fails instead. 512-byte blocks.
    let mut sent_and_failed = 0;
    for blocks in [0, 1, 8, 64, 100, 128, 160, 200, 240, 280] {
        let sim = Sim::start();
        let home = Home::at(&sim.url);
        let script = format!("trap '' XFSZ 2>/dev/null || trap '' 25; ulimit -f {blocks}; exec \"$@\"");
        let run = finish(home.wrapped("sh", &["-c", &script, "sh"], &["rebalance"]).arg("--json"));
        assert!(matches!(run.code, Some(0 | 5 | 10)), "{blocks}: {run:?}");
        if run.code == Some(10) && !sim.orders().is_empty() {
            sent_and_failed += 1;
        }
        recovers(&sim, &home);
    }
    eprintln!("{sent_and_failed} of 10 sizes failed after an order was out");
}

#[test]
fn p16_a_machine_that_slept_between_plan_and_order_sends_nothing_stale() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url);
    let exchange = sim.url.clone();
    // The exchange's clock goes on by five minutes while this machine's stands still.
    proxy.on(
        "POST /fapi/v1/leverage",
        4,
        1,
        Act::after(move || {
            request(&exchange, "POST", "/sim/advance", "", br#"{"bars":1}"#);
        }),
    );
    let run = home.rebalance();
    run.ended(5, "partial");
    assert_eq!((run.orders(), sim.orders().len()), (vec!["rejected".to_owned(); 4], 0), "{run:?}");
    home.rebalance().ended(0, "traded");
    sim.once_each();
}

#[test]
fn p17_little_memory_is_enough_and_too_little_doubles_nothing() {
    for kilobytes in [600_000, 30_000, 12_000] {
        let sim = Sim::start();
        let home = Home::at(&sim.url);
        let script = format!("ulimit -v {kilobytes}; exec \"$@\"");
        let run = finish(home.wrapped("sh", &["-c", &script, "sh"], &["rebalance"]).arg("--json"));
        assert!(run.code == Some(0) || kilobytes < 100_000, "{kilobytes}: {run:?}");
        recovers(&sim, &home);
    }
}

#[test]
fn p18_p19_the_exchange_s_time_decides_whatever_this_machine_s_clock_says() {
    // The simulator begins at a day of its own; then a hundred days pass for it and none for this machine.
    let sim = Sim::start();
    let home = Home::at(&sim.url)
        .set(symbols(&["ADAUSDT", "XRPUSDT"]))
        .set("execution.concurrency=1")
        .set("basket.target_value=120")
        .set("futures.leverage=5");
    sim.faults(&[(ORDER, 1, 1, "drop")]);
    let run = home.rebalance();
    run.ended(5, "partial");
    // However long this machine's clock ran, the fence is one of the exchange's time.
    let run = home.rebalance();
    assert!(run.skipped().iter().any(|(_, why)| why == "unresolved"), "{run:?}");
    sim.advance(12 * 24 * 100);
    let run = home.rebalance();
    assert!(run.settled().contains(&"not_sent".to_owned()), "{run:?}");
    sim.once_each();
}

#[test]
fn p20_the_time_zone_changes_nothing() {
    let mut seen: Option<(String, Vec<String>)> = None;
    for zone in
        ["UTC", "Pacific/Kiritimati", "America/St_Johns", "Asia/Kathmandu", "Europe/Lisbon", ":/nowhere"]
    {
        let home = Home::new(&["paper.prices=synthetic", &symbols(&BASKET)]);
        for _ in 0..3 {
            finish(home.command(&["rebalance"]).arg("--json").env("TZ", zone));
        }
        let plan = finish(home.command(&["plan", "--dry-run"]).arg("--json").env("TZ", zone));
        let trades = String::from_utf8(home.contents()["trades.csv"].clone()).unwrap();
        // The client id holds the ledger's own random mark.
        let trades = trades.lines().map(|line| line.split(",rb1").next().unwrap().to_owned()).collect();
        let mut report = plan.report.clone();
        report["plan_id"] = serde_json::Value::Null;
        let now = (report.to_string(), trades);
        assert_eq!(seen.get_or_insert_with(|| now.clone()), &now, "{zone}");
    }
}

#[test]
fn p21_orders_left_open_are_settled_after_days_without_a_pass() {
    for (fault, settled) in [("accept_then_close", "filled"), ("drop", "not_sent")] {
        let sim = Sim::start();
        let home = Home::at(&sim.url).set("execution.concurrency=1");
        sim.faults(&[(ORDER, 2, 1, fault)]);
        home.rebalance().ended(5, "partial");
        sim.advance(12 * 24 * 5);
        let run = home.rebalance();
        assert_eq!(run.settled(), [settled], "{run:?}");
        home.rebalance();
        home.agrees_with(&sim);
        sim.once_each();
    }
}

#[test]
fn p22_a_ledger_of_a_newer_rebal_is_left_alone() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    home.allocate();
    home.sql("PRAGMA user_version = 99");
    let before = (sim.requests(), home.sql("SELECT count(*) FROM pass"));
    for command in ["rebalance", "plan"] {
        let run = home.run(&[command]);
        run.ended(10, "storage");
        assert!(run.message().contains("newer"), "{run:?}");
    }
    assert_eq!((sim.requests(), home.sql("SELECT count(*) FROM pass")), before);
}

#[test]
fn p23_a_reader_who_went_away_changes_nothing() {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    let mut command = home.command(&["rebalance"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    home.agrees_with(&sim);
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    sim.price("ADAUSDT", "1.3");
    let status = home.command(&["rebalance"]).stdout(full()).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(0), "a pass that traded is no failed one");
    home.agrees_with(&sim);
    assert_eq!(sim.orders().len(), 5, "the pass itself is whole");
    home.quiet();
    sim.price("ADAUSDT", "1.3");
    sim.faults(&[(ORDER, 1, 1, "drop")]);
    let child = home.command(&["rebalance"]).arg("--json").stdout(full()).stderr(Stdio::piped()).spawn();
    let run = wait(child.unwrap());
    assert_eq!(run.code, Some(5), "{run:?}");
    assert!(run.err.contains("stdout: ") && run.err.contains("is in the ledger"), "{run:?}");
    // Where the report is all there is, its loss is a failure.
    let status = home.command(&["rebalance", "--dry-run"]).stdout(full()).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(10), "and no bug of ours");
}
