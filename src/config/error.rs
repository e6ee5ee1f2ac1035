//! What can be wrong with a configuration. No text here ever repeats a secret.

use std::fmt;
use std::path::PathBuf;

use crate::config::Origin;

/// Everything that is wrong with a configuration, all at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<Fault>,
}

impl ConfigError {
    /// Each fault by itself; never empty.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.faults.first() {
            Some(Fault::Sealed { .. }) => {
                "leave --demo away to use that setting, or the setting to use the demo; nothing was sent"
            }
            _ => "correct it and run the command again; nothing was sent",
        }
    }

    /// `Ok` where there are no faults.
    pub(crate) fn unless_empty(faults: Vec<Fault>) -> Result<(), ConfigError> {
        if faults.is_empty() { Ok(()) } else { Err(ConfigError { faults }) }
    }
}

impl From<Fault> for ConfigError {
    fn from(fault: Fault) -> Self {
        Self { faults: vec![fault] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [fault] = self.faults.as_slice() {
            return fault.fmt(f);
        }
        write!(f, "{} faults in the configuration:", self.faults.len())?;
        for fault in &self.faults {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file cannot be read, or holds no text.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is the matter and what to do.
        problem: String,
    },
    /// The file is text, but not TOML.
    #[error("{} line {line}: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What the parser says, without the line itself.
        problem: String,
    },
    /// A key that does not exist.
    #[error("unknown key {key:?} in {origin}{}", did_you_mean(suggestion.as_deref()))]
    UnknownKey {
        /// As written.
        key: String,
        /// Where it is.
        origin: Origin,
        /// The key that was probably meant.
        suggestion: Option<String>,
    },
    /// A value of the wrong kind.
    #[error("{key} in {origin}: {problem}")]
    WrongType {
        /// The key.
        key: String,
        /// Where it is.
        origin: Origin,
        /// What was found and what is wanted.
        problem: String,
    },
    /// A value of the right kind that makes no sense.
    #[error("{key} = {value}{} {problem}", in_brackets(origin))]
    OutOfBounds {
        /// The key.
        key: String,
        /// As far as it may be shown.
        value: String,
        /// Where it is.
        origin: Origin,
        /// What is wanted instead.
        problem: String,
    },
    /// Values that contradict each other.
    #[error("{0}")]
    Contradiction(String),
    /// A key that `--demo` lets nobody change. The value is not repeated: it may be an address that is secret.
    #[error(
        "{key} in {origin}: --demo trades paper money on made-up prices and talks to nobody, so this cannot be what it says"
    )]
    Sealed {
        /// The key.
        key: String,
        /// Where it is.
        origin: Origin,
    },
    /// The same key twice in one source.
    #[error("{key} is set twice in {origin}: keep one")]
    Twice {
        /// The key.
        key: String,
        /// Where the second is.
        origin: Origin,
    },
    /// An argument of `--set` that is no assignment. Not repeated, since it may be a secret.
    #[error("--set wants KEY=VALUE, for example --set risk.max_drawdown=0.25")]
    NoAssignment,
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|key| format!("; did you mean {key:?}?")).unwrap_or_default()
}

fn in_brackets(origin: &Origin) -> String {
    match origin {
        Origin::Default => String::new(),
        origin => format!(" ({origin})"),
    }
}
