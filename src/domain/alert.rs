//! What the owner must hear of.

use std::fmt;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A trouble is over.
    Over,
    /// Worth knowing.
    Warning,
    /// Money is at stake now.
    Critical,
}

impl Level {
    /// The word in the ledger and in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Over => "over",
            Level::Warning => "warning",
            Level::Critical => "critical",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is wrong now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// A word that stays the same for as long as it is the same trouble: `not_flat`.
    pub kind: &'static str,
    /// How much it matters.
    pub level: Level,
    /// What the owner reads.
    pub text: String,
}
