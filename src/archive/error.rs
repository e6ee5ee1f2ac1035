//! What can be wrong with recorded data: always which file, which line, and what to do.

use std::path::PathBuf;

use crate::domain::symbol::Symbol;

/// Why a folder of recorded data cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// The folder is not there, or holds nothing of the kind.
    #[error("{}: {problem}", dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// What is the matter and what to do.
        problem: String,
    },
    /// A contract that was asked for has no file.
    #[error("no file for {symbol} in {}; there are: {}", dir.display(), listing(present))]
    Missing {
        /// The contract.
        symbol: Symbol,
        /// The folder.
        dir: PathBuf,
        /// Contracts that have one.
        present: Vec<Symbol>,
    },
    /// A file as a whole.
    #[error("{}: {problem}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is the matter and what to do.
        problem: String,
    },
    /// One line of a file.
    #[error("{} line {line}: {problem}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// Counted from 1, in the unpacked text.
        line: usize,
        /// What is the matter and what to do.
        problem: String,
    },
}

/// How many names an error lists.
const MOST_NAMES: usize = 20;

fn listing(symbols: &[Symbol]) -> String {
    let names: Vec<&str> = symbols.iter().take(MOST_NAMES).map(Symbol::as_str).collect();
    match symbols.len().saturating_sub(MOST_NAMES) {
        0 if names.is_empty() => "none".to_owned(),
        0 => names.join(", "),
        more => format!("{}, and {more} more", names.join(", ")),
    }
}
