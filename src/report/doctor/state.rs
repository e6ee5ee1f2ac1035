//! Rows about the state folder and what the ledger remembers.

use std::time::Duration;

use crate::domain::time::{Time, show_span};
use crate::report::check::PASSES_MISSED;
use crate::report::doctor::question::{DISK, LAST_PASS, STATE_FOLDER, UNIVERSE, UNRESOLVED};
use crate::report::doctor::{Failure, Row};

const MEGABYTE: u64 = 1_000_000;
/// A year of passes over 20 coins is 130 MB.
const ROOM: u64 = 500 * MEGABYTE;
/// With less than this a pass could fail between its orders and their bookkeeping.
const LEAST_ROOM: u64 = 50 * MEGABYTE;
/// An older choice of coins says little about their volume now.
const UNIVERSE_AGE: Duration = Duration::from_secs(30 * 86_400);

/// A folder that can be written, by its mode bits.
#[must_use]
pub fn folder(shown: &str, mode: u32, is_ours: bool) -> Row {
    let mode = mode & 0o7777;
    if !is_ours {
        let fix = "run rebal as its owner, or give --state-dir DIR";
        return STATE_FOLDER.warn(format!("{shown} belongs to another user"), fix);
    }
    if mode & 0o077 != 0 {
        let found = format!("{shown} has mode {mode:04o}: others may look into it");
        return STATE_FOLDER.warn(found, format!("chmod 700 {shown}"));
    }
    STATE_FOLDER.ok(format!("{shown}, mode {mode:04o}"))
}

/// Free bytes.
#[must_use]
pub fn disk(free: u64) -> Row {
    let found = match free / MEGABYTE {
        small @ 0..10_000 => format!("{small} MB free"),
        large => format!("{} GB free", large / 1000),
    };
    let fix = "make room, or move the state folder to another disk with --state-dir DIR";
    match free {
        0..LEAST_ROOM => DISK.fail(Failure::Storage, found, fix),
        LEAST_ROOM..ROOM => DISK.warn(found, fix),
        _ => DISK.ok(found),
    }
}

/// Orders of earlier passes without a known outcome.
#[must_use]
pub fn unresolved(count: usize) -> Row {
    match count {
        0 => UNRESOLVED.ok("none"),
        1 => UNRESOLVED.warn("1 order", "the next pass asks the exchange what became of it"),
        many => {
            UNRESOLVED.warn(format!("{many} orders"), "the next pass asks the exchange what became of them")
        }
    }
}

/// When a pass last ended well.
#[must_use]
pub fn last_pass(last: Option<Time>, now: Time, interval: Duration) -> Row {
    let limit = interval.saturating_mul(PASSES_MISSED);
    let needed = format!("a good one within {}", show_span(limit));
    let Some(last) = last else { return LAST_PASS.ok("none yet").needing(needed) };
    let age = now.since(last);
    let found = format!("{} ago, at {last}", show_span(Duration::from_secs(age.as_secs())));
    let row = match age > limit {
        true => {
            LAST_PASS.warn(found, "see whether cron or the timer runs, and what the last passes ended with")
        }
        false => LAST_PASS.ok(found),
    };
    row.needing(needed)
}

/// The coins that the last applied scan chose.
#[must_use]
pub fn universe(members: usize, scanned: Option<Time>, now: Time) -> Row {
    const FIX: &str = "run `rebal scan --apply`";
    let Some(scanned) = scanned.filter(|_| members > 0) else {
        return UNIVERSE.fail(Failure::Config, "no scan was applied yet", FIX);
    };
    let age = now.since(scanned);
    let found = format!("{members} coins, chosen {} days ago", age.as_secs() / 86_400);
    if age > UNIVERSE_AGE { UNIVERSE.warn(found, FIX) } else { UNIVERSE.ok(found) }
}
