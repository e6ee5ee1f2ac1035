//! Recorded prices and funding rates, in the layout of the exchange's public data files.
//!
//! A folder holds `SYMBOL*.csv`, `.csv.gz` or `.zip`, directly or in one folder per symbol; a
//! contract may have many files, one per month. Nothing is repaired: what is wrong is refused.

pub mod error;

mod beside;
mod cache;
mod columns;
mod files;
mod lines;
mod number;
mod spacing;
mod store;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use crate::archive::beside::{Other, funding_beside, klines_beside};
pub use crate::archive::columns::{Columns, columns};
use crate::archive::error::ArchiveError;
use crate::archive::files::Kind;
pub use crate::archive::files::read_maybe_gz;
pub use crate::archive::store::Store;
use crate::archive::table::{Reader, Rows, Table};
use crate::domain::market::Bar;
use crate::domain::num::Rate;
use crate::domain::series::Series;
use crate::domain::symbol::Symbol;
use crate::domain::time::{Time, show_span};
use crate::parallel;

/// The bars of each contract, of those named or of all in the folder, in ascending time.
///
/// Gaps are left as they are; every distance is a whole multiple of one interval, the same for all.
///
/// # Errors
/// The first thing that is wrong, with its file and line.
pub fn klines(dir: &Path, symbols: Option<&[Symbol]>) -> Result<BTreeMap<Symbol, Vec<Bar>>, ArchiveError> {
    let (mut bars, mut known) = (BTreeMap::new(), BTreeMap::new());
    for (symbol, table) in read_all(files::find(dir, Kind::Klines, symbols)?, table::bars)? {
        let rows: Vec<Bar> = table.rows.into_iter().map(|(_, bar)| bar).collect();
        known.extend(table.interval.or_else(|| spacing::of_many(&rows)).map(|own| (symbol.clone(), own)));
        bars.insert(symbol, rows);
    }
    spacing::check(dir, &bars, &known)?;
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
    let tables = read_all(files::find(dir, Kind::Funding, symbols)?, table::funding)?;
    Ok(tables.into_iter().map(|(symbol, table)| (symbol, table.rows)).collect())
}

/// The distance between two bars without a gap: the smallest there is.
#[must_use]
pub fn interval(bars: &BTreeMap<Symbol, Vec<Bar>>) -> Option<Duration> {
    spacing::interval(bars)
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
fn read_all<T: Part + Default + Send>(
    found: BTreeMap<Symbol, Vec<PathBuf>>,
    read: Reader<T>,
) -> Result<BTreeMap<Symbol, Table<T>>, ArchiveError> {
    let files: Vec<(&Symbol, &PathBuf)> =
        found.iter().flat_map(|(symbol, files)| files.iter().map(move |file| (symbol, file))).collect();
    let mut parts: BTreeMap<&Symbol, Parts<'_, T>> = BTreeMap::new();
    let rows = parallel::map(&files, |(_, file)| files::read(file, read));
    for ((symbol, file), rows) in files.iter().zip(rows) {
        parts.entry(symbol).or_default().push((file, rows?.0));
    }
    parts.into_iter().map(|(symbol, parts)| Ok((symbol.clone(), joined(parts)?))).collect()
}

/// What the files of a contract hold, each by itself.
type Parts<'a, T> = Vec<(&'a PathBuf, Table<T>)>;

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

/// The rows of a contract's files, all of one interval, put together in the order of their times.
fn joined<T: Part + Default>(mut parts: Parts<'_, T>) -> Result<Table<T>, ArchiveError> {
    let interval = one_interval(&parts)?;
    parts.sort_by_key(|(_, part)| part.rows.ends());
    let mut all = T::default();
    let mut before: Option<&PathBuf> = None;
    for (file, part) in parts {
        let part = part.rows;
        if let (Some((_, last)), Some((first, end)), Some(before)) = (all.ends(), part.ends(), before)
            && first <= last
        {
            let (other, both) = (before.file_name().unwrap_or_default().display(), last.min(end));
            let problem = format!(
                "begins at {first}, but {other} goes on until {last}: remove the rows from {first} to {both} from \
                 one of the two"
            );
            return Err(ArchiveError::File { file: file.clone(), problem });
        }
        match all.ends() {
            Some(_) => all.extend_by(part),
            None => all = part,
        }
        before = Some(file);
    }
    Ok(Table { rows: all, interval })
}

/// The interval of all files that tell theirs: an hour's close is not known at the end of its first minutes.
fn one_interval<T>(parts: &[(&PathBuf, Table<T>)]) -> Result<Option<Duration>, ArchiveError> {
    let mut told = parts.iter().filter_map(|(file, part)| Some((*file, part.interval?)));
    let Some((first, interval)) = told.next() else { return Ok(None) };
    match told.find(|(_, other)| *other != interval) {
        None => Ok(Some(interval)),
        Some((file, other)) => {
            let (own, others) = (show_span(other), show_span(interval));
            let first = first.file_name().unwrap_or_default().display();
            let problem =
                format!("holds bars of {own}, but {first} bars of {others}: use one folder per interval");
            Err(ArchiveError::File { file: file.clone(), problem })
        }
    }
}
