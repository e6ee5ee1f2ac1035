//! The pure rows against hand-worked examples.

use std::time::Duration;

use super::question::{CLOCK, HALT, LEDGER, LISTED, REACHABLE};
use super::*;
use crate::decide::band::Band;
use crate::decide::samples::{coin, market, snapshot, symbol};
use crate::domain::account::{AccountModes, Health, KeyPermissions, MarginSetting};
use crate::domain::num::Notional;
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Time;
use crate::report::doctor::market::{Aim, Wanted};

fn report(rows: Vec<Row>) -> DoctorReport {
    DoctorReport::new(Heading::default(), rows, |group| format!("no {}", group.as_str()))
}

#[test]
fn every_question_has_its_own_row_whoever_answered() {
    let report = report(vec![LEDGER.ok("whole"), CLOCK.warn("2 s off", "NTP")]);
    assert_eq!(report.checks.len(), QUESTIONS.len());
    let names: std::collections::BTreeSet<&str> = report.checks.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), QUESTIONS.len());
    assert_eq!(report.count(Status::NotVerifiable), QUESTIONS.len() - 2);
    assert_eq!((report.count(Status::Ok), report.count(Status::Warn), report.exit_code), (1, 1, 0));
    let blind = report.checks.iter().find(|row| row.name == "bands").unwrap();
    assert_eq!(blind.found, "no market");
}

#[test]
fn the_exit_code_is_that_of_what_the_rest_depends_on() {
    let halted = || HALT.fail(Failure::Halted, "halt", "resume");
    let closed = || REACHABLE.fail(Failure::Unavailable, "closed", "wait");
    let torn = || LEDGER.fail(Failure::Storage, "torn", "restore");
    let wrong = || LISTED.fail(Failure::Config, "no such coin", "spell it");
    for (rows, code) in [
        (vec![], 0),
        (vec![closed()], 4),
        (vec![closed(), halted()], 6),
        (vec![closed(), halted(), torn()], 10),
        (vec![torn(), closed(), wrong(), halted()], 2),
    ] {
        assert_eq!(report(rows).exit_code, code);
    }
}

#[test]
fn what_is_not_armed_yet_does_not_keep_from_arming() {
    let rows = vec![ARMED.fail(Failure::Config, "no", "arm"), HALT.fail(Failure::Halted, "halt", "resume")];
    let report = report(rows);
    assert_eq!(report.against_arming().map(|row| row.name).collect::<Vec<_>>(), ["halt"]);
}

fn aim(name: &str, target: u32) -> Aim {
    let band = Band { threshold: Rate::new(5, 2), ends_at: Rate::ZERO };
    Aim { symbol: symbol(name), target: Notional::from(target), band: Some(band) }
}

/// The rows of the market for coins at 10, whose smallest order is worth 5.
fn market_of(
    target: u32,
    names: &[&str],
    change: impl FnOnce(&mut Snapshot),
) -> Vec<(&'static str, Status, String, String)> {
    let mut snapshot = snapshot(200, vec![coin("AUSDT", "10", "0"), coin("BUSDT", "10", "0")]);
    change(&mut snapshot);
    let aims: Vec<Aim> = names.iter().map(|name| aim(name, target)).collect();
    let wanted = Wanted {
        snapshot: &snapshot,
        aims: &aims,
        market_orders: false,
        quote: "USDT",
        target_key: Some("basket.target_value"),
        threshold: ("basket.threshold", None),
        max_leverage: Rate::from(3),
    };
    market::rows(&wanted).into_iter().map(|row| (row.name, row.status, row.found, row.fix)).collect()
}

/// A at 10 % and B at 80 % of 100, both with a band of 2 points: 20 % of 10 and 2.5 % of 80. The smallest order of 5 is 50 % of
/// A's 10 and 6.25 % of B's 80, which is 5 points of both.
#[test]
fn a_threshold_in_points_is_told_in_points() {
    let snapshot = snapshot(200, vec![coin("AUSDT", "10", "0"), coin("BUSDT", "10", "0")]);
    let points = Rate::new(2, 2);
    let aims =
        [("AUSDT", 10, Rate::new(1, 1)), ("BUSDT", 80, Rate::new(8, 1))].map(|(name, target, share)| {
            let band = Band { threshold: points.over(share).unwrap(), ends_at: Rate::ZERO };
            Aim { band: Some(band), ..aim(name, target) }
        });
    let wanted = Wanted {
        snapshot: &snapshot,
        aims: &aims,
        market_orders: false,
        quote: "USDT",
        target_key: None,
        threshold: ("weights.threshold", Some(points)),
        max_leverage: Rate::from(3),
    };
    let row = &market::rows(&wanted)[2];
    assert!(
        row.found.contains("2 of 2 sell 2.5 % to 20 % above, but buy back only 50 % below"),
        "{}",
        row.found
    );
    assert!(row.fix.ends_with("weights.threshold = 0.05 (points of the portfolio)"), "{}", row.fix);
}

#[test]
fn twenty_at_five_per_cent_buys_back_at_25_below_and_100_is_symmetric() {
    let rows = market_of(20, &["AUSDT", "BUSDT"], |_| {});
    let statuses: Vec<_> = rows.iter().map(|(name, status, ..)| (*name, *status)).collect();
    let expected = [
        ("listed", Status::Ok),
        ("smallest_orders", Status::Ok),
        ("bands", Status::Warn),
        ("size", Status::Ok),
    ];
    assert_eq!(statuses, expected);
    let (_, _, found, fix) = &rows[2];
    assert!(found.contains("2 of 2 sell 5 % above, but buy back only 25 % below: AUSDT, BUSDT"), "{found}");
    assert!(fix.starts_with("basket.target_value = 100 makes all of them symmetric"), "{fix}");
    assert_eq!(market_of(100, &["AUSDT", "BUSDT"], |_| {})[2].1, Status::Ok);
    // 2 × 400 on an equity of 200 is four times, and three is the most.
    assert_eq!(market_of(400, &["AUSDT", "BUSDT"], |_| {})[3].1, Status::Warn);
    // 2 × 300 is just that.
    assert_eq!(market_of(300, &["AUSDT", "BUSDT"], |_| {})[3].1, Status::Ok);
}

#[test]
fn coins_that_cannot_be_bought_are_named() {
    let (_, status, found, fix) = market_of(4, &["AUSDT", "BUSDT"], |_| {})[1].clone();
    assert_eq!(
        (status, found.as_str()),
        (Status::Fail, "larger than the target, never bought: AUSDT, BUSDT")
    );
    assert!(fix.starts_with("raise basket.target_value to 5.00 USDT"), "{fix}");
    let (_, status, found, _) = market_of(20, &["AUSDT", "CUSDT"], |_| {})[0].clone();
    assert_eq!((status, found.as_str()), (Status::Fail, "not listed: CUSDT"));
    // Half as dear a coin as the rest: only the other's smallest order of 50 is too large.
    let rows = market_of(20, &["AUSDT", "BUSDT"], |snapshot| {
        let b = snapshot.coins.get_mut(&symbol("BUSDT")).unwrap();
        b.rules.as_mut().unwrap().min_notional = Notional::from(50);
    });
    assert_eq!(
        (rows[1].1, rows[1].2.as_str()),
        (Status::Warn, "larger than the target, never bought: BUSDT")
    );
    // Without a price nothing is said to be well.
    let rows = market_of(20, &["AUSDT"], |snapshot| {
        snapshot.coins.values_mut().for_each(|coin| coin.market = None);
    });
    assert_eq!((rows[1].1, rows[2].1), (Status::NotVerifiable, Status::NotVerifiable));
    assert!(market("10").mark.price.is_positive());
}

#[test]
fn modes_that_rebal_cannot_trade_in_fail() {
    let sound = AccountModes { hedge: false, multi_assets: false, can_trade: true };
    let statuses = |modes: AccountModes, spot| account::modes(&modes, spot).map(|row| row.status);
    let (ok, fail) = (Status::Ok, Status::Fail);
    assert_eq!(statuses(sound, false), [ok, ok, ok]);
    assert_eq!(statuses(AccountModes { can_trade: false, ..sound }, false), [fail, ok, ok]);
    assert_eq!(statuses(AccountModes { hedge: true, ..sound }, false), [ok, fail, ok]);
    assert_eq!(statuses(AccountModes { multi_assets: true, ..sound }, false), [ok, ok, fail]);
    assert_eq!(statuses(AccountModes { hedge: true, multi_assets: true, ..sound }, true), [ok, ok, ok]);
}

#[test]
fn settings_that_a_pass_changes_by_itself_are_no_warning_until_a_position_has_them() {
    let rows = |qty: &str, setting: Option<MarginSetting>, leverage| {
        let mut held = coin("AUSDT", "10", qty);
        held.setting = setting;
        let snapshot = snapshot(200, vec![held]);
        account::settings(&snapshot, leverage, |_| Some(Notional::from(20)), false).map(|row| row.status)
    };
    let set = |leverage, cross| Some(MarginSetting { leverage, cross });
    let (ok, warn, unknown) = (Status::Ok, Status::Warn, Status::NotVerifiable);
    assert_eq!(rows("0", set(5, true), 5), [ok, ok, ok]);
    assert_eq!(rows("0", set(20, false), 5), [ok, ok, ok]);
    assert_eq!(rows("2", set(20, false), 5), [warn, warn, ok]);
    assert_eq!(rows("2", None, 5), [unknown, unknown, ok]);
    // The only tier allows 50x, which is then what a pass sets.
    assert_eq!(rows("2", set(50, true), 75), [ok, ok, warn]);
}

#[test]
fn a_key_that_can_take_money_out_fails_and_one_from_anywhere_warns() {
    let now: Time = "2026-11-20".parse().unwrap();
    let sound = KeyPermissions { reading: true, futures: true, ip_restricted: true, ..Default::default() };
    let of = |key: KeyPermissions| {
        let rows = key::rows(&Health { key: Ok(key), indicators: Ok(vec![]) }, false, now);
        let wrong = rows.into_iter().filter(|row| row.status != Status::Ok);
        wrong.map(|row| (row.name, row.status)).collect::<Vec<_>>()
    };
    assert_eq!(of(sound), []);
    assert_eq!(of(KeyPermissions { withdrawals: true, ..sound }), [("key_withdrawals", Status::Fail)]);
    assert_eq!(of(KeyPermissions { ip_restricted: false, ..sound }), [("key_ip_restriction", Status::Warn)]);
    assert_eq!(of(KeyPermissions { futures: false, ..sound }), [("key_trading", Status::Fail)]);
    assert_eq!(of(KeyPermissions { reading: false, ..sound }), [("key_reading", Status::Fail)]);
    assert_eq!(of(KeyPermissions { margin: true, ..sound }), [("key_other_rights", Status::Warn)]);
    let soon = Some(now + Duration::from_secs(3 * 86_400));
    assert_eq!(of(KeyPermissions { expires: soon, ..sound }), [("key_expiry", Status::Warn)]);
    let untold = Health { key: Err("testnet".into()), indicators: Err("testnet".into()) };
    assert!(key::rows(&untold, false, now).iter().all(|row| row.status == Status::NotVerifiable));
    assert_eq!(key::rows(&untold, false, now).len(), 7);
}

#[test]
fn folders_disks_passes_and_universes_at_their_limits() {
    let (ok, warn, fail) = (Status::Ok, Status::Warn, Status::Fail);
    for (mode, ours, status) in
        [(0o40700, true, ok), (0o40750, true, warn), (0o40701, true, warn), (0o40700, false, warn)]
    {
        assert_eq!(state::folder("/s", mode, ours).status, status, "{mode:o}");
    }
    for (free, status) in [(49_999_999, fail), (50_000_000, warn), (499_999_999, warn), (500_000_000, ok)] {
        assert_eq!(state::disk(free).status, status, "{free}");
    }
    let now: Time = "2026-11-20".parse().unwrap();
    let ago = |seconds: i64| Time::from_ms(now.ms() - seconds * 1000);
    let five = Duration::from_secs(300);
    for (last, status) in [(None, ok), (ago(900), ok), (ago(901), warn)] {
        assert_eq!(state::last_pass(last, now, five).status, status);
    }
    for (members, scanned, status) in
        [(0, None, fail), (20, ago(30 * 86_400), ok), (20, ago(30 * 86_400 + 1), warn), (0, ago(1), fail)]
    {
        assert_eq!(state::universe(members, scanned, now).status, status);
    }
}
