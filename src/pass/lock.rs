//! One pass at a time per state folder, by a lock that the kernel frees.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Held for as long as it lives; a killed process frees it too.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another pass holds it.
    #[error("another pass is running ({0})")]
    Busy(String),
    /// The file cannot be opened or locked.
    #[error("{path}: {source}")]
    File {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Takes `<folder>/lock` without waiting. The file is never removed: another process may hold it
/// open, and a new file of the same name would be a second lock.
pub fn take(folder: &Path) -> Result<Lock, LockError> {
    let path = folder.join("lock");
    let failed = |source| LockError::File { path: path.clone(), source };
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = std::fs::read_to_string(&path).unwrap_or_default();
            let holder: String = holder.trim().chars().filter(|c| !c.is_control()).take(60).collect();
            let holder = if holder.is_empty() { "its process is unknown".to_owned() } else { holder };
            return Err(LockError::Busy(holder));
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    // For the person who finds it busy; the lock itself does not depend on it.
    let note = format!("process {}\n", std::process::id());
    let written = file
        .set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| file.write_all(note.as_bytes()));
    written.map_err(failed)?;
    Ok(Lock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_told_who_holds_it_until_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let first = take(folder.path()).unwrap();
        match take(folder.path()) {
            Err(LockError::Busy(holder)) => assert!(holder.contains(&std::process::id().to_string())),
            other => panic!("{other:?}"),
        }
        drop(first);
        take(folder.path()).unwrap();
    }
}
