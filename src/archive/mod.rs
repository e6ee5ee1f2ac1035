//! Recorded prices and funding rates, in the layout of the exchange's public data files.
//!
//! A folder holds `SYMBOL*.csv`, `.csv.gz` or `.zip`, directly or in one folder per symbol; a
//! contract may have many files, one per month. Nothing is repaired: what is wrong is refused.

pub mod error;

mod cache;
mod columns;
mod files;
mod lines;
mod number;
mod parallel;
mod spacing;
mod store;
mod table;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use crate::archive::columns::{Columns, columns};
use crate::archive::error::ArchiveError;
use crate::archive::files::Kind;
pub use crate::archive::files::read_maybe_gz;
pub use crate::archive::store::Store;
use crate::archive::table::{Fault, Rows};
use crate::domain::market::Bar;
use crate::domain::num::Rate;
use crate::domain::series::Series;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// The bars of each contract, of those named or of all in the folder, in ascending time.
///
/// Gaps are left as they are; every distance is a whole multiple of one interval, the same for all.
///
/// # Errors
/// The first thing that is wrong, with its file and line.
pub fn klines(dir: &Path, symbols: Option<&[Symbol]>) -> Result<BTreeMap<Symbol, Vec<Bar>>, ArchiveError> {
    let rows = read_all(files::find(dir, Kind::Klines, symbols)?, table::bars)?;
    let without_times = |rows: Rows<Bar>| rows.into_iter().map(|(_, bar)| bar).collect();
    let bars = rows.into_iter().map(|(symbol, rows)| (symbol, without_times(rows))).collect();
    spacing::check(dir, &bars)?;
    Ok(bars)
}

/// The funding rates of each contract, of those named or of all in the folder, in ascending time.
///
/// # Errors
/// The first thing that is wrong, with its file and line.
pub fn funding(
    dir: &Path,
    symbols: Option<&[Symbol]>,
) -> Result<BTreeMap<Symbol, Vec<(Time, Rate)>>, ArchiveError> {
    read_all(files::find(dir, Kind::Funding, symbols)?, table::funding)
}

/// The distance between two bars without a gap: the smallest there is.
#[must_use]
pub fn interval(bars: &BTreeMap<Symbol, Vec<Bar>>) -> Option<Duration> {
    spacing::interval(bars)
}

/// The same of columns.
#[must_use]
pub fn interval_of(series: &BTreeMap<Symbol, Series>) -> Option<Duration> {
    spacing::interval(series)
}

/// A recorded listing in the folder: `exchangeInfo*.json` or `.json.gz`, the last by name.
#[must_use]
pub fn find_exchange_info(dir: &Path) -> Option<PathBuf> {
    let is_listing = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("exchangeInfo") && (name.ends_with(".json") || name.ends_with(".json.gz"))
    };
    let paths = std::fs::read_dir(dir).ok()?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    paths.filter(is_listing).max()
}

/// The rows of all files, read on all cores and put together per contract.
fn read_all<T: Send>(
    found: BTreeMap<Symbol, Vec<PathBuf>>,
    read: fn(&mut dyn Read) -> Result<Rows<T>, Fault>,
) -> Result<BTreeMap<Symbol, Rows<T>>, ArchiveError> {
    let files: Vec<(&Symbol, &PathBuf)> =
        found.iter().flat_map(|(symbol, files)| files.iter().map(move |file| (symbol, file))).collect();
    let mut parts: BTreeMap<&Symbol, Vec<(&PathBuf, Rows<T>)>> = BTreeMap::new();
    let rows = parallel::map(&files, |(_, file)| files::read(file, read));
    for ((symbol, file), rows) in files.iter().zip(rows) {
        parts.entry(symbol).or_default().push((file, rows?.0));
    }
    parts.into_iter().map(|(symbol, parts)| Ok((symbol.clone(), joined(parts)?))).collect()
}

/// A part of a contract's history.
trait Part {
    /// The first and the last time in it.
    fn ends(&self) -> Option<(Time, Time)>;
    /// Puts a later part behind.
    fn extend_by(&mut self, later: Self);
}

impl<T> Part for Rows<T> {
    fn ends(&self) -> Option<(Time, Time)> {
        Some((self.first()?.0, self.last()?.0))
    }

    fn extend_by(&mut self, later: Self) {
        self.extend(later);
    }
}

impl Part for Series {
    fn ends(&self) -> Option<(Time, Time)> {
        Some((self.first()?, self.last()?))
    }

    fn extend_by(&mut self, later: Self) {
        self.append(later);
    }
}

/// The rows of a contract's files, put together in the order of their times.
fn joined<T: Part + Default>(mut parts: Vec<(&PathBuf, T)>) -> Result<T, ArchiveError> {
    parts.sort_by_key(|(_, part)| part.ends());
    let mut all = T::default();
    let mut before: Option<&PathBuf> = None;
    for (file, part) in parts {
        if let (Some((_, last)), Some((first, _)), Some(before)) = (all.ends(), part.ends(), before)
            && first <= last
        {
            let other = before.file_name().unwrap_or_default().display();
            let problem = format!("begins at {first}, but {other} goes on until {last}: keep one of the two");
            return Err(ArchiveError::File { file: file.clone(), problem });
        }
        match all.ends() {
            Some(_) => all.extend_by(part),
            None => all = part,
        }
        before = Some(file);
    }
    Ok(all)
}
