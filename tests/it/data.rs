//! Recorded market data, for tests that compare with the real thing.

use std::path::PathBuf;

/// The file or folder `relative` under `REBAL_DATA`; `None`, said aloud, where that is not set.
///
/// A set `REBAL_DATA` that lacks the file fails the test: a wrong path must not look like a pass.
pub(crate) fn recorded(relative: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("REBAL_DATA") else {
        eprintln!("skipped: REBAL_DATA is not set");
        return None;
    };
    let path = PathBuf::from(folder).join(relative);
    assert!(path.exists(), "REBAL_DATA is set, but {} does not exist", path.display());
    Some(path)
}
