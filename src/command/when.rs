//! A moment as a person names it on the command line.

use std::str::FromStr;
use std::time::Duration;

use crate::domain::time::{Time, parse_span};
use crate::error::{CommandError, Kind};

/// A date, a time, or how long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Then.
    At(Time),
    /// So long before now.
    Ago(Duration),
}

impl FromStr for When {
    type Err = String;
    fn from_str(text: &str) -> Result<When, String> {
        if let Ok(at) = text.parse() {
            return Ok(When::At(at));
        }
        parse_span(text).map(When::Ago).map_err(|_| {
            "neither a date like 2026-01-31, nor a time like 2026-01-31T12:00:00Z, nor a duration like 7d"
                .to_owned()
        })
    }
}

impl When {
    /// The moment, seen from `now`.
    pub(super) fn seen_from(self, now: Time) -> Time {
        match self {
            When::At(at) => at,
            When::Ago(span) => now - span,
        }
    }

    /// The same, refused where it has not come yet.
    pub(super) fn before(self, now: Time, option: &str) -> Result<Time, CommandError> {
        let at = self.seen_from(now);
        if at > now {
            return Err(CommandError::new(
                Kind::Config,
                format!("{option} {at} is in the future: it is {now} now"),
                "give a time that has passed; on paper the paper clock counts",
            ));
        }
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_a_time_or_a_span() {
        let now: Time = "2026-02-10T12:00:00Z".parse().unwrap();
        for (text, begin) in [
            ("2026-01-31", "2026-01-31T00:00:00.000Z"),
            ("2026-01-31T08:00:00Z", "2026-01-31T08:00:00.000Z"),
            ("7d", "2026-02-03T12:00:00.000Z"),
            ("90m", "2026-02-10T10:30:00.000Z"),
            ("9999y", "1970-01-01T00:00:00.000Z"),
        ] {
            let since: When = text.parse().unwrap();
            assert_eq!(since.before(now, "--since").unwrap().to_string(), begin, "{text}");
        }
        for text in ["", "yesterday", "7", "2026-13-01", "-7d", "\u{1b}[2J"] {
            let why = text.parse::<When>().unwrap_err();
            assert!(why.starts_with("neither a date like"), "{text}: {why}");
        }
        let future: When = "2026-02-11".parse().unwrap();
        let error = future.before(now, "--since").unwrap_err();
        assert_eq!(error.kind, Kind::Config);
        assert!(error.message.contains("in the future"), "{}", error.message);
    }
}
