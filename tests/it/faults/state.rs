//! Faults of the state folder (S): damaged, copied, restored, locked, huge.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::proxy::{Act, Proxy};
use super::world::{BASKET, Home, ORDER, Run, Sim, finish, query, text, until, wait};

/// An account with a whole basket.
fn allocated() -> (Sim, Home) {
    let sim = Sim::start();
    let home = Home::at(&sim.url);
    home.allocate();
    (sim, home)
}

/// The pass ends so and sends no order.
fn refuses(sim: &Sim, home: &Home, code: i32, kind: &str) -> Run {
    let before = sim.posts(0).len();
    let run = home.rebalance();
    run.ended(code, kind);
    assert_eq!(sim.posts(0).len(), before);
    run
}

#[test]
fn s1_a_damaged_ledger_is_refused_or_harmless() {
    let (sim, home) = allocated();
    let whole = fs::read(home.ledger()).unwrap();
    let mut refused = 0;
    // Every page of the file in turn, at its head and where its rows are.
    for at in (0..whole.len() / 4096).flat_map(|page| [page * 4096, page * 4096 + 3400]) {
        let mut damaged = whole.clone();
        damaged.iter_mut().skip(at).take(600).for_each(|byte| *byte ^= 0x5a);
        fs::write(home.ledger(), &damaged).unwrap();
        for beside in ["ledger.db-wal", "ledger.db-shm"] {
            let _ = fs::remove_file(home.file(beside));
        }
        let run = home.rebalance();
        assert!(matches!(run.code, Some(0 | 4 | 5 | 9 | 10)), "{at}: {run:?}");
        refused += usize::from(run.code == Some(10));
        assert_eq!(sim.orders().len(), BASKET.len(), "{at}: {run:?}");
    }
    assert!(refused >= 12, "only {refused} damages were seen");
}

#[test]
fn s1_a_ledger_cut_at_any_page_is_refused_or_harmless() {
    let (sim, home) = allocated();
    let whole = fs::read(home.ledger()).unwrap();
    for pages in [0, 1, 2, 5, 9, 14] {
        fs::write(home.ledger(), &whole[..(pages * 4096).min(whole.len())]).unwrap();
        let run = home.rebalance();
        // An empty file is a fresh ledger: it finds our orders at the exchange and stops.
        let expected = if pages == 0 { 9 } else { 10 };
        assert_eq!(run.code, Some(expected), "{pages}: {run:?}");
    }
    assert_eq!(sim.orders().len(), BASKET.len());
}

#[test]
fn s2_another_program_s_database_is_not_ours() {
    let (sim, home) = allocated();
    let theirs = home.folder.path().join("theirs.db");
    query(&theirs, "PRAGMA application_id = 1234; CREATE TABLE song (title TEXT)");
    for foreign in [theirs.as_path(), Path::new("/bin/sh")] {
        fs::copy(foreign, home.ledger()).unwrap();
        refuses(&sim, &home, 10, "storage");
        assert_eq!(fs::metadata(home.ledger()).unwrap().len(), fs::metadata(foreign).unwrap().len());
    }
    fs::remove_file(home.ledger()).unwrap();
    fs::create_dir(home.ledger()).unwrap();
    refuses(&sim, &home, 10, "storage");
}

#[test]
fn s2_another_program_s_database_is_left_as_it_was() {
    let (sim, home) = allocated();
    fs::remove_file(home.ledger()).unwrap();
    query(&home.ledger(), "PRAGMA application_id = 1234; CREATE TABLE song (title TEXT)");
    let before = fs::read(home.ledger()).unwrap();
    refuses(&sim, &home, 10, "storage");
    assert!(fs::read(home.ledger()).unwrap() == before);
}

#[test]
fn s3_s4_trades_csv_is_made_whole_after_any_cut_or_edit() {
    let (_sim, home) = allocated();
    let path = home.file("trades.csv");
    let whole = fs::read(&path).unwrap();
    let cuts = (0..whole.len()).step_by(97).map(|at| whole[..at].to_vec());
    let edits = [b"\xef\xbb\xbfmine".to_vec(), whole.repeat(2), Vec::new()];
    for damaged in cuts.chain(edits) {
        fs::write(&path, damaged).unwrap();
        home.quiet();
        assert!(fs::read(&path).unwrap() == whole);
    }
    fs::remove_file(&path).unwrap();
    home.quiet();
    assert!(fs::read(&path).unwrap() == whole);
}

/// Copies the state folder, keeps what is copied aside, and brings it back.
fn copy(from: &Path, to: &Path, only: &[&str]) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if only.is_empty() || only.contains(&name.as_str()) {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

/// Makes the ledger one of the first schema, with what it holds.
fn age(home: &Home) {
    home.sql(
        "DROP TABLE universe; DROP TABLE scan; DROP TABLE sample; DROP TABLE asset_price;
         DROP INDEX income_by_pass; DROP INDEX fill_by_time; DROP INDEX equity_by_time;
         ALTER TABLE income DROP COLUMN pass_id;
         ALTER TABLE position DROP COLUMN paid; ALTER TABLE fill DROP COLUMN fee_cost; DROP TABLE high; DROP INDEX intent_stopped; DROP INDEX intent_resting;
         DROP TABLE outbox; DROP TABLE alert;
         ALTER TABLE halt DROP COLUMN flat_at; ALTER TABLE halt DROP COLUMN scope;
         PRAGMA user_version = 1",
    );
}

#[test]
fn s5_an_older_ledger_is_migrated_with_its_rows() {
    let (sim, home) = allocated();
    let newest = home.sql("SELECT user_version FROM pragma_user_version");
    age(&home);
    let kept = ["SELECT count(*) FROM fill", "SELECT client_id FROM intent", "SELECT qty FROM position"];
    let before = kept.map(|sql| home.sql(sql));
    // Whoever only looks changes nothing.
    assert_eq!(home.run(&["plan", "--dry-run"]).code, Some(0));
    let report = home.run(&["report", "--week"]);
    assert!(report.code == Some(10) && report.message().contains("an older rebal"), "{report:?}");
    assert_eq!(home.sql("SELECT user_version FROM pragma_user_version"), ["1"]);
    home.quiet();
    assert_eq!(home.sql("SELECT user_version FROM pragma_user_version"), newest);
    assert_eq!(kept.map(|sql| home.sql(sql)), before);
    home.agrees_with(&sim);
}

#[test]
fn s5_a_halt_of_an_older_ledger_stays_in_force() {
    let (sim, home) = allocated();
    age(&home);
    home.sql("INSERT INTO halt (id, at, reason) VALUES ('h77', 1, 'test')");
    let plan = home.run(&["plan", "--dry-run"]);
    assert_eq!((plan.code, text(&plan.report, "halt_id")), (Some(6), "h77".to_owned()), "{plan:?}");
    let run = refuses(&sim, &home, 6, "halted");
    assert!(run.message().contains("h77"), "{run:?}");
    assert_eq!(sim.positions().len(), BASKET.len(), "nothing was to be closed then");
}

#[test]
fn s6_a_ledger_restored_from_a_backup_meets_orders_it_does_not_know() {
    let (sim, home) = allocated();
    let backup = home.folder.path().join("backup");
    copy(&home.state(), &backup, &[]);
    sim.advance(1);
    sim.price("ADAUSDT", "1.3");
    home.rebalance().ended(0, "traded");
    fs::remove_dir_all(home.state()).unwrap();
    copy(&backup, &home.state(), &[]);
    sim.advance(1);
    refuses(&sim, &home, 9, "foreign");
    sim.once_each();
}

#[test]
fn s7_two_machines_on_one_account_notice_each_other() {
    let sim = Sim::with(&["--latency-ms", "20"]);
    let homes = [Home::at(&sim.url), Home::at(&sim.url)];
    let children: Vec<Child> = homes.iter().map(Home::start).collect();
    let runs: Vec<Run> = children.into_iter().map(wait).collect();
    // In the same second both may have sent once: a known limit. From then on each one stops.
    assert!(sim.orders().len() <= 2 * BASKET.len(), "{runs:?}");
    sim.once_each();
    sim.advance(1);
    let before = sim.orders().len();
    let after: Vec<Run> = homes.iter().map(Home::rebalance).collect();
    let stopped = after.iter().chain(&runs).filter(|run| run.code == Some(9)).count();
    assert!(stopped >= 1, "{runs:?} {after:?}");
    if runs.iter().all(|run| run.code == Some(0)) {
        assert_eq!(stopped, 2, "{after:?}");
        assert_eq!(sim.orders().len(), before);
    }
}

/// A pass is killed with its last order answered; what it wrote is still in the write-ahead log.
fn killed_with_a_log() -> (Sim, Home) {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url).set("execution.concurrency=1");
    home.allocate();
    sim.advance(1);
    sim.price("ADAUSDT", "1.3");
    let reading_back = proxy.clone();
    proxy.on("GET /fapi/v1/userTrades", 1, 1, Act::RawThenSilence(Vec::new()));
    let mut child = home.start();
    until("the pass reads back", || reading_back.count("GET /fapi/v1/userTrades") > BASKET.len());
    child.kill().unwrap();
    wait(child);
    proxy.clear();
    sim.advance(1);
    assert!(fs::metadata(home.file("ledger.db-wal")).is_ok_and(|meta| meta.len() > 0));
    (sim, home)
}

#[test]
fn p10_a_lost_log_is_noticed_by_the_orders_it_held() {
    let (sim, home) = killed_with_a_log();
    fs::remove_file(home.file("ledger.db-wal")).unwrap();
    let _ = fs::remove_file(home.file("ledger.db-shm"));
    refuses(&sim, &home, 9, "foreign");
    sim.once_each();
}

#[test]
fn p10_a_log_cut_at_any_byte_is_settled_or_refused() {
    let (sim, home) = killed_with_a_log();
    let state = home.folder.path().join("kept");
    copy(&home.state(), &state, &[]);
    let log = fs::read(home.file("ledger.db-wal")).unwrap();
    for part in 0..12 {
        fs::remove_dir_all(home.state()).unwrap();
        copy(&state, &home.state(), &[]);
        fs::write(home.file("ledger.db-wal"), &log[..log.len() * part / 12]).unwrap();
        let _ = fs::remove_file(home.file("ledger.db-shm"));
        let before = sim.orders().len();
        let run = home.run(&["plan", "--dry-run"]);
        assert!(matches!(run.code, Some(0 | 9)), "{part}: {run:?}");
        let run = home.rebalance();
        assert!(matches!(run.code, Some(0 | 9)), "{part}: {run:?}");
        assert_eq!(sim.orders().len(), before, "{part}: ADA is not sold twice: {run:?}");
    }
    sim.once_each();
}

#[test]
fn s8_a_folder_copied_without_its_log_is_noticed_too() {
    let (sim, home) = killed_with_a_log();
    let other = home.folder.path().join("other");
    copy(&home.state(), &other, &["ledger.db", "trades.csv"]);
    let before = sim.orders().len();
    home.rebalance_in(&other).ended(9, "foreign");
    assert_eq!(sim.orders().len(), before);
    // The folder that has its log settles as if nothing had been.
    let run = home.rebalance();
    assert_eq!((run.code, run.settled()), (Some(0), vec!["filled".to_owned()]), "{run:?}");
    home.agrees_with(&sim);
}

#[test]
fn s9_a_ledger_that_a_viewer_locks_ends_with_10_before_anything_is_sent() {
    use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
    let (sim, home) = allocated();
    sim.price("ADAUSDT", "1.3");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(home.ledger());
        let mut viewer = options.connect().await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut viewer).await.unwrap();
        let before = sim.orders().len();
        // It ends although the viewer never lets go.
        home.rebalance().ended(10, "storage");
        assert_eq!(sim.orders().len(), before, "no order without its intent on disk");
        viewer.close().await.unwrap();
    });
    home.rebalance().ended(0, "traded");
    sim.once_each();
}

#[test]
fn s10_halted_if_either_the_file_or_the_ledger_says_so() {
    for (file, row) in [(false, false), (true, false), (false, true), (true, true)] {
        let (sim, home) = allocated();
        sim.price("ADAUSDT", "1.3");
        if file {
            // What a person wrote there has no name, but halts.
            fs::write(home.file("HALT"), "not today\n").unwrap();
        }
        if row {
            home.sql("INSERT INTO halt (id, at, reason, flat_at) VALUES ('h77', 1, 'test', 1)");
        }
        if file || row {
            let before = sim.requests();
            let run = refuses(&sim, &home, 6, "halted");
            let named =
                if row { "HALTED (halt h77): test" } else { "HALTED (halt HALT): the file HALT is there" };
            assert!(run.message().contains(named), "{run:?}");
            // A halt that closed nothing is watched over; one that closed everything asks nothing.
            assert_eq!(sim.requests() == before, row);
        } else {
            home.rebalance().ended(0, "traded");
        }
    }
}

#[test]
fn s10_a_latch_that_cannot_be_read_counts_as_set() {
    let (sim, home) = allocated();
    fs::create_dir(home.file("HALT")).unwrap();
    refuses(&sim, &home, 6, "halted");
    fs::remove_dir(home.file("HALT")).unwrap();
    for odd in [&b""[..], b"\xff\xfe\x00", b"\x1b[2J"] {
        fs::write(home.file("HALT"), odd).unwrap();
        let run = refuses(&sim, &home, 6, "halted");
        assert!(!run.out.contains('\u{1b}'));
    }
}

#[test]
fn s11_a_ledger_of_years_is_no_slower() {
    let (sim, home) = allocated();
    let before = cpu_ms(&home);
    home.sql(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
         INSERT INTO pass (at, outcome, exit_code, plan) SELECT i, 'traded', 0, '{}' FROM n;
         INSERT INTO intent (client_id, pass_id, symbol, side, qty, ref_price, reduce_only, reason, state)
             SELECT 'old' || id, id, 'ADAUSDT', 'BUY', '1', '1', 0, 'entry', 'done' FROM pass;
         INSERT INTO fill (symbol, trade_id, order_id, client_id, side, qty, price, fee, fee_asset, realized, at)
             SELECT 'ADAUSDT', -id, id, 'old' || id, 'BUY', '1', '1', '0', 'USDT', '0', id FROM pass;",
    );
    // This one writes trades.csv anew.
    home.rebalance();
    let after = cpu_ms(&home);
    assert!(after < before * 3 / 2 + 60, "{before} ms and then {after} ms");
    drop(sim);
}

/// What ten passes cost a processor: other than time on the wall, load leaves it as it is.
fn cpu_ms(home: &Home) -> u64 {
    let script = "for _ in 1 2 3 4 5 6 7 8 9 10; do \"$@\" >/dev/null || exit 1; done; times";
    let run = finish(&mut home.wrapped("sh", &["-c", script, "sh"], &["rebalance"]));
    assert_eq!(run.code, Some(0), "{run:?}");
    // The second line is of the children: user and system, each as 0m0.25s.
    let of_children = run.out.lines().nth(1).unwrap();
    let ms = |span: &str| {
        let (minutes, seconds) = span.trim_end_matches('s').split_once('m').unwrap();
        (minutes.parse::<f64>().unwrap() * 60_000.0 + seconds.parse::<f64>().unwrap() * 1000.0) as u64
    };
    of_children.split(' ').map(ms).sum()
}

#[test]
fn s12_a_lock_file_deleted_while_held_lets_no_second_pass_send_the_same_order() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url).set("execution.concurrency=1");
    // The first pass is in the middle of its orders when somebody tidies up.
    let over = Arc::new(AtomicBool::new(false));
    let second_is_over = Arc::clone(&over);
    let held = move || until("the second pass ends", || second_is_over.load(Ordering::SeqCst));
    proxy.on(ORDER, 2, 1, Act::before(held));
    let first = home.start();
    until("the first pass sends", || proxy.count(ORDER) == 2);
    fs::remove_file(home.file("lock")).unwrap();
    let second = home.rebalance();
    over.store(true, Ordering::SeqCst);
    assert!(second.orders().is_empty(), "{second:?}");
    wait(first).ended(0, "traded");
    home.quiet();
    sim.once_each();
    assert_eq!(sim.orders().len(), BASKET.len());
}

#[test]
fn s12_a_lock_file_deleted_while_held_lets_no_second_pass_in() {
    let sim = Sim::start();
    let proxy = Proxy::before(&sim.url);
    let home = Home::at(&proxy.url);
    home.allocate();
    sim.advance(1);
    sim.price("ADAUSDT", "1.3");
    sim.price("XRPUSDT", "0.6");
    let (tidied, ran) = (home.file("lock"), std::sync::Arc::new(std::sync::Mutex::new(Vec::new())));
    // The first pass has its reduction under way and its increase still to come.
    let (second, kept) = (home.command(&["rebalance"]), ran.clone());
    let second = std::sync::Mutex::new(second);
    proxy.on(
        ORDER,
        1,
        1,
        Act::after(move || {
            fs::remove_file(&tidied).unwrap();
            kept.lock().unwrap().push(finish(second.lock().unwrap().arg("--json")));
        }),
    );
    let first = home.rebalance();
    let ran = ran.lock().unwrap();
    let xrp = sim
        .orders()
        .iter()
        .filter(|order| order["symbol"] == "XRPUSDT" && order["reduce_only"] == false)
        .count();
    assert_eq!((ran[0].code, xrp), (Some(3), 2), "bought at first, and once more now: {ran:?} {first:?}");
}

#[test]
fn c10_a_deleted_ledger_does_not_lift_a_halt_nor_start_afresh() {
    let (sim, home) = allocated();
    fs::write(home.file("HALT"), "h77\n").unwrap();
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(home.file(name));
    }
    refuses(&sim, &home, 6, "halted");
    fs::remove_file(home.file("HALT")).unwrap();
    let run = refuses(&sim, &home, 9, "foreign");
    assert!(run.message().contains("rb1"), "{run:?}");
}

#[test]
fn c6_c7_a_ledger_belongs_to_one_account_and_one_place() {
    let (sim, mut home) = allocated();
    let other = Sim::with(&["--seed", "9", "--api-key", "other", "--api-secret", "other"]);
    home.change(format!("exchange.base_url={}", other.url));
    let mut command = home.command(&["rebalance"]);
    let run = finish(command.env("REBAL_API_KEY", "other").env("REBAL_API_SECRET", "other").arg("--json"));
    run.ended(10, "storage");
    assert_eq!(other.posts(0), Vec::<String>::new());
    // The same account as live money: another ledger's, too.
    home.change(format!("exchange.base_url={}", sim.url));
    home.change("mode=live");
    let before = sim.posts(0).len();
    let run = home.rebalance();
    assert!(matches!(run.code, Some(2 | 10)), "{run:?}");
    // A paper account in the same folder, too.
    home.change("mode=paper");
    home.change("paper.prices=synthetic");
    let run = home.rebalance();
    assert!(matches!(run.code, Some(2 | 10)), "{run:?}");
    assert_eq!(sim.posts(0).len(), before);
    assert_eq!(text(&run.report, "schema"), "rebal.error/1");
}
