//! Instants as integer milliseconds since 1970 UTC, the exchange's own unit.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant in milliseconds since 1970-01-01 UTC. JSON shows it as RFC 3339.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

/// Latest instant accepted from outside: the year 2262, where other tools' nanoseconds end.
const LATEST_MS: i64 = 9_223_372_036_854;

impl Time {
    /// From milliseconds since 1970; `None` outside 1970..2262.
    #[must_use]
    pub fn from_ms(ms: i64) -> Option<Time> {
        (0..=LATEST_MS).contains(&ms).then_some(Time(ms))
    }

    /// From milliseconds since 1970, clamped into 1970..2262.
    #[must_use]
    pub fn clamped(ms: i64) -> Time {
        Time(ms.clamp(0, LATEST_MS))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn ms(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero where it is before.
    #[must_use]
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// To the second, as a person reads it: `2026-11-20 08:29:39 UTC`.
    #[must_use]
    pub fn plainly(self) -> String {
        let text = self.to_string();
        format!("{} UTC", text.get(..19).unwrap_or(&text).replace('T', " "))
    }

    /// The last whole multiple of `step` at or before this instant.
    #[must_use]
    pub fn floor_to(self, step: Duration) -> Time {
        let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1);
        Time(self.0 - self.0 % step)
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, span: Duration) -> Time {
        Time::clamped(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, span: Duration) -> Time {
        Time::clamped(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Time {
        let ms = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |span| span.as_millis());
        Time::clamped(i64::try_from(ms).unwrap_or(LATEST_MS))
    }
}

impl fmt::Display for Time {
    /// RFC 3339, UTC, milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(self.0.unsigned_abs());
        humantime::format_rfc3339_millis(time).fmt(f)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no RFC 3339 instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time like 2026-01-31T12:00:00Z: {0:?}")]
pub struct NotATime(pub String);

impl FromStr for Time {
    type Err = NotATime;
    /// Reads RFC 3339 in UTC, with `T` or a blank, with or without `Z`; a bare date is its midnight.
    fn from_str(text: &str) -> Result<Time, NotATime> {
        let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
        humantime::parse_rfc3339_weak(&full).map(Time::from).map_err(|_| NotATime(text.to_owned()))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads a span such as `5m`, `8h` or `30d`; an error names the text.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| format!("not a duration like 5m, 8h or 30d: {text:?}"))
}

/// Writes a span the way a person says it: `5m`, `1h 30m`.
#[must_use]
pub fn show_span(span: Duration) -> String {
    humantime::format_duration(Duration::from_secs(span.as_secs())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back_as_written() {
        let time = Time::from_ms(1_795_163_379_973).unwrap();
        assert_eq!(time.to_string(), "2026-11-20T08:29:39.973Z");
        assert_eq!(time.to_string().parse::<Time>().unwrap(), time);
        assert_eq!("2026-11-20".parse::<Time>().unwrap().to_string(), "2026-11-20T00:00:00.000Z");
        assert!("yesterday".parse::<Time>().is_err());
    }

    #[test]
    fn absurd_server_times_are_refused() {
        assert_eq!(Time::from_ms(-1), None);
        assert_eq!(Time::from_ms(i64::MAX), None);
    }

    #[test]
    fn spans_are_said_as_people_say_them() {
        assert_eq!(parse_span("30d").unwrap(), Duration::from_secs(30 * 86_400));
        assert_eq!(show_span(Duration::from_secs(5400)), "1h 30m");
        assert!(parse_span("soon").is_err());
    }
}
