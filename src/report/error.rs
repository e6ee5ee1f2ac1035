//! A failed command as one object.

use serde::Serialize;

use crate::report::heading::Heading;

/// `rebal.error/1`: why a command failed and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorReport {
    /// Always `rebal.error/1`.
    pub schema: &'static str,
    /// Which account; absent where the command failed before it knew.
    #[serde(flatten)]
    pub heading: Option<Heading>,
    /// A word of the contract's exit-code table: `config`, `locked`, …
    pub kind: String,
    /// What happened, one sentence.
    pub message: String,
    /// What to do next; empty where there is nothing to advise.
    pub hint: String,
    /// The process' exit code.
    pub exit_code: u8,
}

impl ErrorReport {
    /// An error of `kind` with its exit code, message and hint.
    #[must_use]
    pub fn new(
        heading: Option<Heading>,
        kind: &str,
        exit_code: u8,
        message: &str,
        hint: &str,
    ) -> ErrorReport {
        ErrorReport {
            schema: "rebal.error/1",
            heading,
            kind: kind.to_owned(),
            message: message.to_owned(),
            hint: hint.to_owned(),
            exit_code,
        }
    }
}
