//! One pass at a time per state folder, by a lock that the kernel frees.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Held for as long as it lives; a killed process frees it too.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// The folder itself, where the system can lock one: it cannot be deleted from under the lock.
    _folder: Option<File>,
    /// Install and decision counter of the last pass that was about to send.
    decided: Option<(u32, i64)>,
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
    take_as(folder, "lock")
}

/// The same with a lock file of another name, for a folder that is somebody's own.
pub fn take_as(folder: &Path, name: &str) -> Result<Lock, LockError> {
    let path = folder.join(name);
    let failed = |source| LockError::File { path: path.clone(), source };
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    let whole = folder_handle(folder);
    let of_folder = whole.as_ref().map_or(Ok(()), File::try_lock);
    match file.try_lock().and(of_folder) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = std::fs::read_to_string(&path).unwrap_or_default();
            let holder: String = holder
                .lines()
                .next()
                .unwrap_or_default()
                .trim()
                .chars()
                .filter(|c| !c.is_control())
                .take(60)
                .collect();
            let holder = if holder.is_empty() { "its process is unknown".to_owned() } else { holder };
            return Err(LockError::Busy(holder));
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let decided = std::fs::read_to_string(&path).ok().and_then(|text| decided(&text));
    let mut lock = Lock { file, _folder: whole, decided };
    lock.write().map_err(failed)?;
    Ok(lock)
}

impl Lock {
    /// Whether a ledger of `install`, whose next decision is `next`, is older than what this folder
    /// saw: an old copy would give its orders the ids of orders that were sent already.
    #[must_use]
    pub fn is_ahead_of(&self, install: u32, next: i64) -> bool {
        self.decided.is_some_and(|(of, decision)| of == install && decision > next)
    }

    /// Notes that `install` is about to send decision `decision`. When this returns, it is on the disk.
    pub fn note(&mut self, install: u32, decision: i64) -> std::io::Result<()> {
        self.decided = Some((install, decision));
        self.write()
    }

    /// Who holds the lock, for the person who finds it busy, and the counter.
    fn write(&mut self) -> std::io::Result<()> {
        let mut text = format!("process {}\n", std::process::id());
        if let Some((install, decision)) = self.decided {
            text.push_str(&format!("decision {install:06x} {decision}\n"));
        }
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())?;
        let end = self.file.stream_position()?;
        self.file.set_len(end)?;
        self.file.sync_all()
    }
}

/// A handle that can carry a lock; systems that open no folders as files have the lock file alone.
fn folder_handle(folder: &Path) -> Option<File> {
    if cfg!(unix) { File::open(folder).ok() } else { None }
}

fn decided(text: &str) -> Option<(u32, i64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("decision "))?;
    let (install, decision) = line.split_once(' ')?;
    Some((u32::from_str_radix(install, 16).ok()?, decision.parse().ok()?))
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

    #[test]
    fn a_deleted_lock_file_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let _first = take(folder.path()).unwrap();
        std::fs::remove_file(folder.path().join("lock")).unwrap();
        assert_eq!(take(folder.path()).is_err(), cfg!(unix));
    }

    #[test]
    fn a_ledger_older_than_the_last_decision_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        take(folder.path()).unwrap().note(0xabc, 7).unwrap();
        let lock = take(folder.path()).unwrap();
        assert!(lock.is_ahead_of(0xabc, 6));
        assert!(!lock.is_ahead_of(0xabc, 7));
        assert!(!lock.is_ahead_of(0xdef, 1));
    }
}
