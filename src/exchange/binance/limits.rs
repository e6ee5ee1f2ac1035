//! What the exchange still lets us ask this minute, and until when it wants silence.

use std::time::Duration;

use crate::domain::time::Time;

/// Binance bans for three days at most; an hour more for clocks that differ.
const LONGEST_BAN: Duration = Duration::from_secs(3 * 86_400 + 3600);

/// The running count of one minute, in exchange time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    per_minute: u32,
    minute: i64,
    used: u32,
    not_before: Option<Time>,
}

impl Limits {
    /// Nothing used yet of `per_minute`: the request weight that one address may spend.
    pub(super) fn new(per_minute: u32) -> Limits {
        Limits { per_minute, minute: 0, used: 0, not_before: None }
    }

    /// Whether `weight` still fits. Fails with the time from which it may be tried again.
    pub(super) fn fits(&self, now: Time, weight: u32) -> Result<(), Time> {
        if let Some(until) = self.silent(now) {
            return Err(until);
        }
        let used = if self.minute == minute(now) { self.used } else { 0 };
        if used.saturating_add(weight) > self.per_minute {
            return Err(Time::clamped((minute(now) + 1) * 60_000));
        }
        Ok(())
    }

    /// Counts a request that is about to be sent.
    pub(super) fn spend(&mut self, now: Time, weight: u32) {
        self.turn(now);
        self.used = self.used.saturating_add(weight);
    }

    /// Learns what the exchange itself has counted.
    pub(super) fn counted(&mut self, now: Time, used: u32) {
        self.turn(now);
        self.used = self.used.max(used);
    }

    /// Moves the present count to the minute of `now`: what was counted before the exchange's time
    /// was known was counted by another clock.
    pub(super) fn rebase(&mut self, now: Time) {
        self.minute = minute(now);
    }

    /// Sends nothing before `until`.
    pub(super) fn hold(&mut self, until: Time) {
        self.not_before = self.not_before.max(Some(until));
    }

    /// The end of the silence asked for, where it is still to come. One further away than any ban
    /// lasts was written under a wrong clock and does not count.
    pub(super) fn silent(&self, now: Time) -> Option<Time> {
        self.not_before.filter(|until| *until > now && until.since(now) <= LONGEST_BAN)
    }

    /// Until when nothing may be sent, if that was ever asked.
    pub(super) fn not_before(&self) -> Option<Time> {
        self.not_before
    }

    /// What has been used of the present minute.
    pub(super) fn used(&self, now: Time) -> u32 {
        if self.minute == minute(now) { self.used } else { 0 }
    }

    fn turn(&mut self, now: Time) {
        if self.minute != minute(now) {
            self.minute = minute(now);
            self.used = 0;
        }
    }
}

fn minute(time: Time) -> i64 {
    time.ms() / 60_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::clamped(1_795_163_340_000 + seconds * 1000)
    }

    #[test]
    fn a_wave_that_would_pass_the_limit_waits_for_the_next_minute() {
        let mut limits = Limits::new(2400);
        limits.spend(at(1), 41);
        limits.counted(at(2), 2380);
        limits.counted(at(2), 12);
        assert_eq!(limits.fits(at(3), 20), Ok(()));
        assert_eq!(limits.fits(at(3), 21), Err(at(60)));
        assert_eq!(limits.fits(at(60), 2400), Ok(()));
        limits.spend(at(61), 5);
        assert_eq!(limits.used(at(62)), 5);
    }

    #[test]
    fn silence_is_kept_until_its_end_and_never_shortened() {
        let mut limits = Limits::new(2400);
        limits.hold(at(100));
        limits.hold(at(50));
        assert_eq!(limits.fits(at(99), 0), Err(at(100)));
        assert_eq!(limits.fits(at(100), 1), Ok(()));
        assert_eq!(limits.not_before(), Some(at(100)));
        limits.hold(at(10 * 86_400));
        assert_eq!(limits.fits(at(101), 1), Ok(()), "longer than any ban");
    }
}
