//! Checks of the key and of how the exchange judges the account.

use std::time::Duration;

use crate::domain::account::{Health, Indicator, KeyPermissions};
use crate::domain::num::Rate;
use crate::domain::time::Time;
use crate::report::check::{Bound, Check, Figure, Status};

/// From this part of its trigger on an indicator is near. The triggers are ratios just below 1, and
/// a sound account may stand at half of one.
const NEAR_TRIGGER: (i64, u32) = (9, 1);

/// A key that ends sooner is to be replaced now.
const KEY_NOTICE: Duration = Duration::from_secs(30 * 86_400);

const DAY_S: u64 = 86_400;

/// The ratios that lock an account: the exchange's name, ours, and what it counts.
const RATIOS: [(&str, &str, &str); 4] = [
    ("UFR", "indicator_ufr", "orders that never filled"),
    ("IFER", "indicator_ifer", "IOC orders that expired"),
    ("GCR", "indicator_gcr", "resting orders that were cancelled"),
    ("DR", "indicator_dr", "orders too small to matter"),
];

/// One check per indicator and permission. What could not be read is a warning, never a pass.
///
/// A spot account has no indicators, and its key needs another permission.
pub(super) fn all(health: &Health, spot: bool, now: Time) -> Vec<Check> {
    let mut checks = match &health.indicators {
        Ok(rows) if spot && rows.is_empty() => Vec::new(),
        Ok(rows) => indicators(rows),
        Err(reason) => vec![unverifiable("indicators", reason)],
    };
    match &health.key {
        Ok(key) => checks.extend(permissions(key, spot, now)),
        Err(reason) => checks.push(unverifiable("key", reason)),
    }
    checks
}

fn unverifiable(name: &'static str, reason: &str) -> Check {
    Check {
        name,
        status: Status::Warn,
        value: Figure::Word("not verifiable"),
        bound: Bound::Is,
        limit: Figure::Word("readable"),
        subject: None,
        detail: reason.to_owned(),
    }
}

fn indicators(rows: &[Indicator]) -> Vec<Check> {
    let of = |name: &str| rows.iter().filter(|row| row.name == name).max_by_key(|row| urgency(row));
    let mut checks: Vec<Check> = RATIOS
        .iter()
        .map(|(theirs, name, counts)| match of(theirs) {
            Some(worst) => indicator(name, worst, Figure::Share, counts),
            None => Check {
                name,
                status: Status::Ok,
                value: Figure::Word("none"),
                bound: Bound::Max,
                limit: Figure::Word("none"),
                subject: None,
                detail: format!("none counted: {counts}"),
            },
        })
        .collect();
    // A count of the others, which the exchange gives only once there is one.
    let violations = of("TMV")
        .map(|worst| indicator("indicator_tmv", worst, Figure::Number, "how often the ratios were violated"));
    checks.extend(violations);
    checks
}

/// Locked before unlocked, then the nearest to its trigger.
fn urgency(row: &Indicator) -> (bool, Option<Rate>) {
    (row.locked, row.value.over(row.trigger))
}

fn indicator(name: &'static str, row: &Indicator, unit: fn(Rate) -> Figure, counts: &str) -> Check {
    let near =
        row.trigger.is_positive() && row.value >= row.trigger * Rate::new(NEAR_TRIGGER.0, NEAR_TRIGGER.1);
    let scope = &row.scope;
    Check {
        name,
        status: Status::of(row.locked, near),
        value: unit(row.value),
        bound: Bound::Max,
        limit: unit(row.trigger),
        subject: Some(scope.clone()),
        detail: match (row.locked, near, row.recovers) {
            (true, _, Some(time)) => format!("{scope} takes only reductions until {time}"),
            (true, _, None) => format!("{scope} takes only reductions"),
            (false, true, _) => format!("{scope} is near its lock: {counts}"),
            (false, false, _) => format!("{scope}: {counts}"),
        },
    }
}

fn permissions(key: &KeyPermissions, spot: bool, now: Time) -> Vec<Check> {
    let flag = |name, has: bool, wanted: bool, otherwise: Status, detail: &str| Check {
        name,
        status: if has == wanted { Status::Ok } else { otherwise },
        value: Figure::Flag(has),
        bound: Bound::Is,
        limit: Figure::Flag(wanted),
        subject: None,
        detail: if has == wanted { String::new() } else { detail.to_owned() },
    };
    let forbidden = |name, has, otherwise, detail| flag(name, has, false, otherwise, detail);
    let wanted = |name, has, detail| flag(name, has, true, Status::Warn, detail);
    vec![
        forbidden(
            "key_withdrawals",
            key.withdrawals,
            Status::Breach,
            "whoever gets the key can empty the account: forbid it",
        ),
        forbidden(
            "key_universal_transfer",
            key.universal_transfer,
            Status::Warn,
            "rebal never moves money: forbid it",
        ),
        forbidden(
            "key_internal_transfer",
            key.internal_transfer,
            Status::Warn,
            "rebal never moves money: forbid it",
        ),
        forbidden("key_margin", key.margin, Status::Warn, "rebal never borrows: forbid it"),
        forbidden("key_options", key.options, Status::Warn, "rebal never trades options: forbid it"),
        match spot {
            true => wanted("key_spot", key.spot, "without it nothing can be traded, and no stop can sell"),
            false => wanted("key_futures", key.futures, "without it the hard stop can close nothing"),
        },
        wanted(
            "key_ip_restriction",
            key.ip_restricted,
            "whoever gets the key can trade: name your addresses",
        ),
        expiry(key.expires, now),
    ]
}

fn expiry(expires: Option<Time>, now: Time) -> Check {
    let notice = now + KEY_NOTICE;
    Check {
        name: "key_expiry",
        status: Status::of(false, expires.is_some_and(|end| end < notice)),
        value: expires.map_or(Figure::Word("never"), Figure::At),
        bound: Bound::Min,
        limit: Figure::At(notice),
        subject: None,
        detail: expires.map_or_else(String::new, |end| match end.since(now).as_secs() / DAY_S {
            0 => "less than a day is left".to_owned(),
            1 => "1 day is left".to_owned(),
            days => format!("{days} days are left"),
        }),
    }
}

#[cfg(test)]
#[path = "health_checks_tests.rs"]
mod tests;
