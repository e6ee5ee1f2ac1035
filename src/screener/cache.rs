//! The last good answers of the screener, in `screener.json`.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::time::Time;
use crate::wire::tradingview::Pair;

/// Changes with the layout of [`File`].
const VERSION: u32 = 1;

/// An older answer ranks yesterday's market.
const MAX_AGE: Duration = Duration::from_secs(86_400);

/// More than two readings of the clock ever differ.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// One answer and when it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Dated<T> {
    pub(super) at: Time,
    pub(super) rows: T,
}

impl<T> Dated<T> {
    /// Whether it counts at `now`. One from the future was read under another clock.
    fn is_good(&self, now: Time) -> bool {
        self.at <= now + CLOCK_SLACK && now.since(self.at) <= MAX_AGE
    }
}

/// What is kept of both questions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) pairs: Option<Dated<Vec<Pair>>>,
    pub(super) categories: Option<Dated<BTreeMap<String, Vec<String>>>>,
}

/// The whole file.
#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    url: String,
    spot: bool,
    quote: String,
    #[serde(flatten)]
    kept: Kept,
}

/// The file of one screener and one sort of pairs.
///
/// A convenience: one that is missing, old, damaged or of another question is not used, and one that
/// cannot be written is not missed.
pub(super) struct Cache {
    file: Option<PathBuf>,
    url: String,
    spot: bool,
    quote: String,
}

impl Cache {
    pub(super) fn new(folder: Option<PathBuf>, url: &str, spot: bool, quote: &str) -> Cache {
        let file = folder.map(|folder| folder.join("screener.json"));
        Cache { file, url: url.to_owned(), spot, quote: quote.to_owned() }
    }

    /// What is good at `now`.
    pub(super) fn load(&self, now: Time) -> Kept {
        let kept = self.read().unwrap_or_default();
        Kept {
            pairs: kept.pairs.filter(|pairs| pairs.is_good(now) && !pairs.rows.is_empty()),
            categories: kept.categories.filter(|categories| categories.is_good(now)),
        }
    }

    fn read(&self) -> Option<Kept> {
        let bytes = fs::read(self.file.as_ref()?).ok()?;
        let file: File = serde_json::from_slice(&bytes).ok()?;
        let same = file.version == VERSION && file.url == self.url;
        (same && file.spot == self.spot && file.quote == self.quote).then_some(file.kept)
    }

    /// Keeps what was read at `now`, beside what is still good of the rest.
    pub(super) fn store(
        &self,
        now: Time,
        kept: &Kept,
        pairs: Option<&Vec<Pair>>,
        categories: Option<&BTreeMap<String, Vec<String>>>,
    ) {
        let Some(path) = &self.file else { return };
        if pairs.is_none() && categories.is_none() {
            return;
        }
        let kept = Kept {
            pairs: pairs.map(|rows| Dated { at: now, rows: rows.clone() }).or(kept.pairs.clone()),
            categories: categories
                .map(|rows| Dated { at: now, rows: rows.clone() })
                .or(kept.categories.clone()),
        };
        let file = File {
            version: VERSION,
            url: self.url.clone(),
            spot: self.spot,
            quote: self.quote.clone(),
            kept,
        };
        // What is not kept costs nothing but an older list at the next failure.
        let _ = serde_json::to_vec(&file).map_err(io::Error::from).and_then(|bytes| write(path, &bytes));
    }
}

/// Written beside and renamed, so that a reader never sees half a file; for the owner only.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let aside = path.with_extension(format!("{}.tmp", std::process::id()));
    // The mode is given to new files only, so a leftover must go first.
    let _ = fs::remove_file(&aside);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let written = options.open(&aside).and_then(|mut file| file.write_all(bytes));
    let renamed = written.and_then(|()| fs::rename(&aside, path));
    if renamed.is_err() {
        let _ = fs::remove_file(&aside);
    }
    renamed
}
