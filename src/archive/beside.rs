//! What a folder holds of a contract beside the table that a download fills.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::archive::Part;
use crate::archive::error::ArchiveError;
use crate::archive::files::{self, Kind};
use crate::archive::table::{self, Reader, Rows, Table};
use crate::domain::num::Rate;
use crate::domain::series::Series;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// One file that is read together with the downloaded one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Where it is.
    pub file: PathBuf,
    /// How long its bars are, where it tells and where it holds any.
    pub interval: Option<Duration>,
    /// The time of its first row.
    pub first: Time,
    /// The time of its last row.
    pub last: Time,
}

/// Files of prices of a contract other than `name` in a folder, which need not exist.
///
/// # Errors
/// A file that cannot be read at all.
pub fn klines_beside(dir: &Path, symbol: &Symbol, name: &str) -> Result<Vec<Other>, ArchiveError> {
    others::<Series>(dir, (Kind::Klines, symbol, name), table::series)
}

/// The same of funding rates.
///
/// # Errors
/// A file that cannot be read at all.
pub fn funding_beside(dir: &Path, symbol: &Symbol, name: &str) -> Result<Vec<Other>, ArchiveError> {
    others::<Rows<Rate>>(dir, (Kind::Funding, symbol, name), table::funding)
}

fn others<T: Part>(
    dir: &Path,
    (kind, symbol, name): (Kind, &Symbol, &str),
    read: Reader<T>,
) -> Result<Vec<Other>, ArchiveError> {
    // A folder that is not there, or holds nothing yet, has nothing beside.
    let Ok(mut found) = files::find(dir, kind, None) else { return Ok(Vec::new()) };
    let mut paths = found.remove(symbol).unwrap_or_default();
    // With the downloaded file there is one of that name, and without it prices pass for rates.
    paths.retain(|path| *path != dir.join(name) && (kind == Kind::Klines || files::is_funding(path)));
    let mut others = Vec::new();
    for file in paths {
        let (Table { rows, interval }, _) = files::read(&file, read)?;
        others.extend(rows.ends().map(|(first, last)| Other { file, interval, first, last }));
    }
    Ok(others)
}
