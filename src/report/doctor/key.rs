//! Rows about the key and how the exchange judges the account, from the checks of `risk-check`.

use crate::domain::account::Health;
use crate::domain::time::Time;
use crate::report::check::{Check, Status as Verdict};
use crate::report::doctor::question::{
    INDICATORS, KEY_EXPIRY, KEY_IP, KEY_OTHER, KEY_READING, KEY_TRADING, KEY_WITHDRAWALS, Question,
};
use crate::report::doctor::{Failure, Row};
use crate::report::health_checks;

/// What a key must never be needed for.
const OTHER: [&str; 4] = ["key_universal_transfer", "key_internal_transfer", "key_margin", "key_options"];

/// One row per question about the key, and one for the exchange's indicators.
#[must_use]
pub fn rows(health: &Health, spot: bool, now: Time) -> Vec<Row> {
    let checks = health_checks::all(health, spot, now);
    let mut rows = match &health.key {
        Ok(key) => {
            let mut rows = of_key(&checks);
            rows.push(match key.reading {
                true => KEY_READING.ok("yes"),
                false => {
                    let fix = "allow reading in the exchange's API management";
                    KEY_READING.fail(Failure::Config, "no", fix)
                }
            });
            rows
        }
        Err(reason) => {
            let all = [KEY_READING, KEY_TRADING, KEY_WITHDRAWALS, KEY_IP, KEY_OTHER, KEY_EXPIRY];
            all.iter().map(|question| question.unknown(reason.clone())).collect()
        }
    };
    rows.push(match &health.indicators {
        Ok(_) => indicators(&checks),
        Err(reason) => INDICATORS.unknown(reason.clone()),
    });
    rows
}

fn of_key(checks: &[Check]) -> Vec<Row> {
    let find = |name: &str| checks.iter().find(|check| check.name == name);
    let trading = find("key_futures").or_else(|| find("key_spot"));
    let single = [
        (KEY_WITHDRAWALS, find("key_withdrawals")),
        (KEY_IP, find("key_ip_restriction")),
        (KEY_EXPIRY, find("key_expiry")),
    ];
    let mut rows: Vec<Row> =
        single.into_iter().filter_map(|(question, check)| Some(as_it_is(&question, check?))).collect();
    rows.extend(trading.map(|check| match check.status {
        Verdict::Ok => KEY_TRADING.ok("yes"),
        // A warning of a running account, and the end of a pass that is about to trade.
        Verdict::Warn | Verdict::Breach => KEY_TRADING.fail(
            Failure::Config,
            format!("no: plans and reports work, orders do not; {}", check.detail),
            "allow trading (not withdrawals) in the exchange's API management",
        ),
    }));
    let extra = OTHER.iter().filter_map(|name| find(name)).filter(|check| check.status != Verdict::Ok);
    let extra: Vec<String> =
        extra.map(|check| check.name.trim_start_matches("key_").replace('_', " ")).collect();
    rows.push(match extra.is_empty() {
        true => KEY_OTHER.ok("none"),
        false => {
            KEY_OTHER.warn(extra.join(", "), "forbid what rebal never needs in the exchange's API management")
        }
    });
    rows
}

/// The verdict of `risk-check`, with what to do in the exchange's own places.
fn as_it_is(question: &Question, check: &Check) -> Row {
    let found = match (check.status, check.detail.as_str()) {
        (Verdict::Ok, _) | (_, "") => check.value.to_string(),
        (_, detail) => format!("{}: {detail}", check.value),
    };
    match check.status {
        Verdict::Ok => question.ok(found),
        Verdict::Warn if *question == KEY_EXPIRY => {
            question.warn(found, "make a new key and put it where [credentials] points")
        }
        Verdict::Warn => question.warn(found, "name this machine's address in the exchange's API management"),
        Verdict::Breach => {
            let fix = "take that right from the key in the exchange's API management, or make a new key";
            question.fail(Failure::Config, found, fix)
        }
    }
}

/// The worst of them.
fn indicators(checks: &[Check]) -> Row {
    let all = checks.iter().filter(|check| check.name.starts_with("indicator_"));
    let worst = all.max_by_key(|check| check.status).filter(|check| check.status != Verdict::Ok);
    match worst {
        None => INDICATORS.ok("none near its lock"),
        Some(check) => {
            let fix = "see `rebal risk-check`; a wider band or larger targets make fewer orders that expire";
            INDICATORS.warn(check.detail.clone(), fix)
        }
    }
}
