//! The ledger's files with a volatile and a durable layer: what a death leaves of the commits.
//!
//! Every commit is a stretch of SQLite's write-ahead log that ends in a frame marked as such, so
//! cutting the log there is exactly the file that a process leaves that died right after it. No
//! hook in the ledger is needed, and its real bytes are what is opened again.

use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions, Connection};

pub(crate) struct Store {
    folder: tempfile::TempDir,
}

/// The ledger's files at one instant.
pub(crate) struct Saved {
    db: Vec<u8>,
    wal: Vec<u8>,
}

/// How long the log is, and what the latch's file says.
#[derive(Clone, Default)]
pub(crate) struct Mark {
    pub(crate) wal: usize,
    halt: Option<Vec<u8>>,
}

const WAL_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

impl Store {
    pub(crate) fn new() -> Store {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::Builder::new().prefix("rebal-seed-").tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        Store { folder: folder.unwrap() }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// What is on the disk now, to tell what comes later from it.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            wal: std::fs::metadata(self.file("ledger.db-wal")).map_or(0, |file| file.len() as usize),
            halt: std::fs::read(self.file("HALT")).ok(),
        }
    }

    /// Puts the latch's file back as it was.
    pub(crate) fn restore_halt(&self, mark: &Mark) {
        match &mark.halt {
            Some(text) => std::fs::write(self.file("HALT"), text).unwrap(),
            None => self.lose_halt(),
        }
    }

    /// Half of the latch is gone.
    pub(crate) fn lose_halt(&self) {
        let _ = std::fs::remove_file(self.file("HALT"));
    }

    /// The other half is gone, and everything that was known with it.
    pub(crate) fn lose_ledger(&self) {
        for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
            let _ = std::fs::remove_file(self.file(name));
        }
    }

    pub(crate) fn save(&self) -> Saved {
        let read = |name| std::fs::read(self.file(name)).unwrap_or_default();
        Saved { db: read("ledger.db"), wal: read("ledger.db-wal") }
    }

    /// Puts the files back as they were saved, the log cut to `keep` bytes. Nobody has them open.
    pub(crate) fn restore(&self, saved: &Saved, keep: usize) {
        let _ = std::fs::remove_file(self.file("ledger.db-shm"));
        std::fs::write(self.file("ledger.db"), &saved.db).unwrap();
        std::fs::write(self.file("ledger.db-wal"), &saved.wal[..keep.min(saved.wal.len())]).unwrap();
    }

    /// From now on no alert and no message can be written down.
    pub(crate) async fn lose_alerts(&self) {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.file("ledger.db"));
        let mut db = options.connect().await.unwrap();
        sqlx::raw_sql("DROP TABLE IF EXISTS alert; DROP TABLE IF EXISTS outbox")
            .execute(&mut db)
            .await
            .unwrap();
        db.close().await.unwrap();
    }

    /// Cuts the last bytes off `trades.csv`, as a death in the middle of a write does.
    pub(crate) fn tear_csv(&self, bytes: u64) {
        let Ok(file) = std::fs::OpenOptions::new().write(true).open(self.file("trades.csv")) else { return };
        let len = file.metadata().map_or(0, |file| file.len());
        file.set_len(len.saturating_sub(bytes)).unwrap();
    }

    pub(crate) fn csv(&self) -> Option<String> {
        std::fs::read_to_string(self.file("trades.csv")).ok()
    }

    /// Length and time of change of the ledger's files: any write shows.
    pub(crate) fn fingerprint(&self) -> Vec<(u64, std::time::SystemTime)> {
        let of = |name: &&str| {
            let file = std::fs::metadata(self.file(name)).ok()?;
            Some((file.len(), file.modified().ok()?))
        };
        ["ledger.db", "ledger.db-wal", "trades.csv"].iter().filter_map(of).collect()
    }
}

impl Saved {
    pub(crate) fn len(&self) -> usize {
        self.wal.len()
    }

    /// Where each commit ends in the log, ascending.
    pub(crate) fn commits(&self) -> Vec<usize> {
        let number = |at: usize| {
            let bytes = self.wal.get(at..at + 4)?;
            Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
        };
        let Some(page) = number(8) else { return Vec::new() };
        let frame = FRAME_HEADER + page;
        let frames = self.wal.len().saturating_sub(WAL_HEADER) / frame;
        (0..frames)
            .map(|index| WAL_HEADER + index * frame)
            .filter(|at| number(at + 4) != Some(0))
            .map(|at| at + frame)
            .collect()
    }
}
