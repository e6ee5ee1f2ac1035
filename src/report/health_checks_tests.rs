//! Keys and indicators: sound, near, beyond, and unreadable.

use super::*;

fn now() -> Time {
    "2026-11-20T08:00:00Z".parse().unwrap()
}

fn sound() -> KeyPermissions {
    KeyPermissions { reading: true, futures: true, ip_restricted: true, ..KeyPermissions::default() }
}

fn row(name: &str, scope: &str, value: i64, locked: bool) -> Indicator {
    Indicator {
        scope: scope.into(),
        name: name.into(),
        value: Rate::new(value, 3),
        trigger: Rate::new(990, 3),
        locked,
        recovers: locked.then(now),
    }
}

fn with_key(key: KeyPermissions) -> Vec<Check> {
    all(&Health { key: Ok(key), indicators: Ok(vec![]) }, false, now())
}

fn with_rows(rows: Vec<Indicator>) -> Vec<Check> {
    all(&Health { key: Ok(sound()), indicators: Ok(rows) }, false, now())
}

/// What is not ok: `name status value`.
fn remarkable(checks: &[Check]) -> Vec<String> {
    let told = |check: &Check| format!("{} {} {}", check.name, check.status.as_str(), check.value);
    checks.iter().filter(|check| check.status != Status::Ok).map(told).collect()
}

#[test]
fn a_sound_key_of_a_quiet_account_is_within_every_limit() {
    let checks = with_key(sound());
    assert_eq!(remarkable(&checks), Vec::<String>::new());
    assert_eq!(checks.len(), 12, "four ratios, eight permissions");
}

#[test]
fn each_permission_has_its_own_verdict() {
    type Change = fn(&mut KeyPermissions);
    let cases: [(Change, &str); 8] = [
        (|key| key.withdrawals = true, "key_withdrawals breach yes"),
        (|key| key.universal_transfer = true, "key_universal_transfer warn yes"),
        (|key| key.internal_transfer = true, "key_internal_transfer warn yes"),
        (|key| key.margin = true, "key_margin warn yes"),
        (|key| key.options = true, "key_options warn yes"),
        (|key| key.futures = false, "key_futures warn no"),
        (|key| key.ip_restricted = false, "key_ip_restriction warn no"),
        (|key| key.expires = "2026-12-20T07:59:59Z".parse().ok(), "key_expiry warn 2026-12-20T07:59:59.000Z"),
    ];
    for (change, expected) in cases {
        let mut key = sound();
        change(&mut key);
        assert_eq!(remarkable(&with_key(key)), [expected]);
    }
    let lasting = KeyPermissions { expires: "2026-12-20T08:00:00Z".parse().ok(), ..sound() };
    let checks = with_key(lasting);
    assert_eq!(remarkable(&checks), Vec::<String>::new());
    assert_eq!(checks.last().unwrap().detail, "30 days are left");
}

#[test]
fn a_key_of_a_spot_account_needs_spot_and_not_futures() {
    let of = |key| all(&Health { key: Ok(key), indicators: Ok(vec![]) }, true, now());
    let key = KeyPermissions { futures: false, spot: true, ..sound() };
    assert_eq!((remarkable(&of(key)), of(key).len()), (Vec::new(), 8));
    assert_eq!(remarkable(&of(sound())), ["key_spot warn no"]);
}

#[test]
fn an_indicator_warns_near_its_trigger_and_breaks_when_locked() {
    // Nine tenths of 0.99 are 0.891.
    assert_eq!(remarkable(&with_rows(vec![row("UFR", "AUSDT", 890, false)])), Vec::<String>::new());
    for (name, code) in [("UFR", "ufr"), ("IFER", "ifer"), ("GCR", "gcr"), ("DR", "dr")] {
        let near = with_rows(vec![row(name, "AUSDT", 891, false)]);
        assert_eq!(remarkable(&near), [format!("indicator_{code} warn 0.891")]);
        let locked = with_rows(vec![row(name, "AUSDT", 100, true)]);
        assert_eq!(remarkable(&locked), [format!("indicator_{code} breach 0.1")]);
    }
}

#[test]
fn the_worst_contract_speaks_for_its_indicator() {
    let rows =
        vec![row("GCR", "AUSDT", 400, false), row("GCR", "BUSDT", 950, false), row("GCR", "CUSDT", 1, false)];
    let of = |rows| with_rows(rows).into_iter().find(|check| check.name == "indicator_gcr").unwrap();
    assert_eq!(of(rows.clone()).subject.as_deref(), Some("BUSDT"));
    let locked = [rows, vec![row("GCR", "DUSDT", 10, true)]].concat();
    let check = of(locked);
    assert_eq!((check.subject.as_deref(), check.limit.to_string().as_str()), (Some("DUSDT"), "0.99"));
    assert_eq!(check.detail, "DUSDT takes only reductions until 2026-11-20T08:00:00.000Z");
}

#[test]
fn violations_are_told_where_the_exchange_counts_them() {
    let violated = Indicator { value: Rate::from(10), trigger: Rate::ONE, ..row("TMV", "ACCOUNT", 0, true) };
    assert_eq!(remarkable(&with_rows(vec![violated])), ["indicator_tmv breach 10"]);
}

#[test]
fn what_cannot_be_read_is_never_a_pass() {
    let health = Health { key: Err("testnet has no such call".into()), indicators: Err("timeout".into()) };
    let checks = all(&health, false, now());
    assert_eq!(remarkable(&checks), ["indicators warn not verifiable", "key warn not verifiable"]);
    assert_eq!(checks[1].detail, "testnet has no such call");
}
