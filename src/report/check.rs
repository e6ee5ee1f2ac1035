//! One figure of the account with its limit and the verdict on it.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::domain::num::Rate;
use crate::domain::time::Time;

/// Passes that may fail or be missed before the silence is worth a warning.
pub(super) const PASSES_MISSED: u32 = 3;

/// What a figure means against its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Within its limit.
    #[default]
    Ok,
    /// Near its limit, not verifiable, or beyond a limit that only advises.
    Warn,
    /// Beyond a limit that protects the account.
    Breach,
}

impl Status {
    /// The word used in JSON and CSV.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Breach => "breach",
        }
    }

    /// A breach where `breach` holds, else a warning where `warn` does.
    #[must_use]
    pub fn of(breach: bool, warn: bool) -> Status {
        match (breach, warn) {
            (true, _) => Status::Breach,
            (false, true) => Status::Warn,
            (false, false) => Status::Ok,
        }
    }
}

/// A figure that knows its unit, so that scripts get a plain one and people a readable one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// A fraction: 0.05 is five per cent.
    Share(Rate),
    /// So many times the equity.
    Multiple(Rate),
    /// Basis points.
    Bps(Rate),
    /// A plain number.
    Number(Rate),
    /// So many of something.
    Count(usize),
    /// A span of time; scripts get whole seconds.
    Span(Duration),
    /// An instant.
    At(Time),
    /// Yes or no.
    Flag(bool),
    /// Where there is no figure: `none`, `never`, `not verifiable`.
    Word(&'static str),
}

impl fmt::Display for Figure {
    /// As scripts get it: plain decimals, seconds, RFC 3339, `yes` and `no`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Figure::Share(rate) | Figure::Multiple(rate) | Figure::Bps(rate) | Figure::Number(rate) => {
                write!(f, "{}", rate.rounded(8))
            }
            Figure::Count(count) => write!(f, "{count}"),
            Figure::Span(span) => write!(f, "{}", span.as_secs()),
            Figure::At(time) => write!(f, "{time}"),
            Figure::Flag(yes) => f.write_str(if *yes { "yes" } else { "no" }),
            Figure::Word(word) => f.write_str(word),
        }
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Which side of its limit a figure should be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The limit is a ceiling.
    Max,
    /// The limit is a floor.
    Min,
    /// It should be just this.
    Is,
}

impl Bound {
    /// The word used in JSON and CSV.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Bound::Max => "max",
            Bound::Min => "min",
            Bound::Is => "is",
        }
    }
}

/// One figure, its limit, and what follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Which figure: a stable code, `drawdown`, `spread_bps`, …
    pub name: &'static str,
    /// The verdict.
    pub status: Status,
    /// How it stands.
    pub value: Figure,
    /// Whether the limit is the most, the least, or the only right one.
    pub bound: Bound,
    /// What it should not be beyond.
    pub limit: Figure,
    /// The contract, sector or scope that it is the figure of; absent where it is the account's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What it is made of, or what to do.
    pub detail: String,
}
