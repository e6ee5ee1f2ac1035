//! Recorded prices and funding rates, in the layout of the exchange's public data files.
//!
//! A folder holds `SYMBOL*.csv`, `.csv.gz` or `.zip`, directly or in one folder per symbol; a
//! contract may have many files, one per month. Nothing is repaired: what is wrong is refused.

pub mod error;

mod files;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::archive::error::ArchiveError;
use crate::archive::files::Kind;
pub use crate::archive::files::read_maybe_gz;
use crate::archive::table::Rows;
use crate::domain::market::Bar;
use crate::domain::num::Rate;
use crate::domain::symbol::Symbol;
use crate::domain::time::{Time, show_span};

/// The bars of each contract, of those named or of all in the folder, in ascending time.
///
/// Gaps are left as they are; every distance is a whole multiple of one interval, the same for all.
///
/// # Errors
/// The first thing that is wrong, with its file and line.
pub fn klines(dir: &Path, symbols: Option<&[Symbol]>) -> Result<BTreeMap<Symbol, Vec<Bar>>, ArchiveError> {
    let mut bars = BTreeMap::new();
    for (symbol, files) in files::find(dir, Kind::Klines, symbols)? {
        let rows = joined(&files, table::bars)?;
        bars.insert(symbol, rows.into_iter().map(|(_, bar)| bar).collect());
    }
    check_spacing(dir, &bars)?;
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
    let found = files::find(dir, Kind::Funding, symbols)?;
    found.into_iter().map(|(symbol, files)| Ok((symbol, joined(&files, table::funding)?))).collect()
}

/// The distance between two bars without a gap: the smallest there is.
#[must_use]
pub fn interval(bars: &BTreeMap<Symbol, Vec<Bar>>) -> Option<Duration> {
    bars.values().filter_map(|bars| own_interval(bars)).min()
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

/// The rows of a contract's files, put together in the order of their times.
fn joined<T>(
    files: &[PathBuf],
    read: fn(&Path, &str) -> Result<Rows<T>, ArchiveError>,
) -> Result<Rows<T>, ArchiveError> {
    let mut parts = Vec::new();
    for file in files {
        parts.push((file, read(file, &files::text(file)?)?));
    }
    parts.sort_by_key(|(_, rows)| rows.first().map(|(time, _)| *time));
    let mut all: Rows<T> = Vec::new();
    let mut before: Option<&PathBuf> = None;
    for (file, rows) in parts {
        if let (Some((last, _)), Some((first, _)), Some(before)) = (all.last(), rows.first(), before)
            && first <= last
        {
            let other = before.file_name().unwrap_or_default().display();
            let problem = format!("begins at {first}, but {other} goes on until {last}: keep one of the two");
            return Err(ArchiveError::File { file: file.clone(), problem });
        }
        all.extend(rows);
        before = Some(file);
    }
    Ok(all)
}

fn own_interval(bars: &[Bar]) -> Option<Duration> {
    bars.windows(2).filter_map(|pair| Some(pair.last()?.open_time.since(pair.first()?.open_time))).min()
}

/// All bars on one grid: a folder of mixed intervals cannot be walked bar by bar.
fn check_spacing(dir: &Path, all: &BTreeMap<Symbol, Vec<Bar>>) -> Result<(), ArchiveError> {
    let refuse = |problem: String| Err(ArchiveError::Folder { dir: dir.to_owned(), problem });
    let Some(interval) = interval(all) else { return Ok(()) };
    let step = show_span(interval);
    let offset = |bar: &Bar, from: &Bar| bar.open_time.ms() - from.open_time.ms();
    let step_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let Some(origin) = all.values().find_map(|bars| bars.first()) else { return Ok(()) };
    for (symbol, bars) in all {
        // Two bars may have a gap between them; three that are all further apart are another interval.
        match own_interval(bars) {
            Some(own) if own != interval && bars.len() > 2 => {
                let own = show_span(own);
                return refuse(format!(
                    "{symbol} has bars every {own}, others every {step}: use one folder per interval"
                ));
            }
            _ => {}
        }
        if let Some(bar) = bars.iter().find(|bar| offset(bar, origin) % step_ms != 0) {
            let at: Time = bar.open_time;
            return refuse(format!(
                "{symbol} has a bar at {at}, which is off the grid of {step} that others keep"
            ));
        }
    }
    Ok(())
}
