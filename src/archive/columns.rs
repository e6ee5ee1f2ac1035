//! Opens and closes of many contracts, from the cache where their files are unchanged, else parsed on all cores.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::archive::cache::{Cache, Look};
use crate::archive::error::ArchiveError;
use crate::archive::files::{self, Kind};
use crate::archive::table::Table;
use crate::archive::{Parts, joined, spacing, table};
use crate::domain::series::{Cell, Series};
use crate::domain::symbol::Symbol;
use crate::parallel;

/// Columns, and where they came from.
#[derive(Debug)]
pub struct Columns {
    /// The bars of each contract; every distance is a whole multiple of one interval, the same for all.
    pub series: BTreeMap<Symbol, Series>,
    /// That interval; `None` where too few bars are there to tell.
    pub interval: Option<Duration>,
    /// Contracts that came from the cache.
    pub cached: usize,
    /// Files that were parsed.
    pub parsed: usize,
}

/// Opens and closes of each contract, of those named or of all in the folder, each after `trim` has taken away
/// what nobody needs. What is parsed is kept in a
/// folder beside the files, or below `spare` where nothing can be written there; where that fails too, nothing
/// is kept and nothing is said.
///
/// # Errors
/// The first thing that is wrong, with its file and line.
pub fn columns(
    dir: &Path,
    symbols: Option<&[Symbol]>,
    spare: Option<&Path>,
    trim: impl Fn(&Symbol, &mut Series) + Sync,
) -> Result<Columns, ArchiveError> {
    let found: Vec<(Symbol, Vec<PathBuf>)> = files::find(dir, Kind::Klines, symbols)?.into_iter().collect();
    let cache = Cache::new(dir, spare);
    let trimmed = |symbol: &Symbol, mut series: Series| {
        trim(symbol, &mut series);
        series
    };
    let kept = parallel::map(&found, |(symbol, files)| {
        cache.load(symbol, files).map(|series| trimmed(symbol, series))
    });
    let missing: Vec<&(Symbol, Vec<PathBuf>)> =
        found.iter().zip(&kept).filter(|(_, kept)| kept.is_none()).map(|(contract, _)| contract).collect();
    let files: Vec<(&Symbol, &PathBuf)> =
        missing.iter().flat_map(|(symbol, files)| files.iter().map(move |file| (symbol, file))).collect();

    let mut parts: BTreeMap<&Symbol, (Parts<'_, Series>, Vec<Look>)> = BTreeMap::new();
    let read = parallel::map(&files, |(_, file)| {
        let before = cache.look(file);
        let (table, hash) = files::read(file, table::series)?;
        Ok((Table { rows: table.rows.packed(), interval: table.interval }, before.read(hash)))
    });
    for ((symbol, file), read) in files.iter().zip(read) {
        let (table, look) = read?;
        let (tables, looks) = parts.entry(symbol).or_default();
        tables.push((file, table));
        looks.push(look);
    }
    let whole = parts.into_iter().map(|(symbol, (tables, looks))| {
        let Table { rows, interval } = joined(tables)?;
        let series = rows.packed();
        if !series.is_exact() {
            return Err(ArchiveError::Folder { dir: dir.to_owned(), problem: too_fine(symbol, &series) });
        }
        Ok((symbol, series, looks, interval))
    });
    let whole = whole.collect::<Result<Vec<_>, ArchiveError>>()?;
    parallel::map(&whole, |(symbol, series, looks, interval)| {
        // Columns hold times of bars, not their length: where those do not tell it, the file must again.
        if interval.is_none() || *interval == spacing::of_many(series) {
            cache.store(symbol, looks, series);
        }
    });

    let (parsed, cached) = (files.len(), found.len() - whole.len());
    let kept = found.iter().zip(kept).filter_map(|((symbol, _), kept)| Some((symbol, kept?, None)));
    let fresh =
        whole.into_iter().map(|(symbol, series, _, interval)| (symbol, trimmed(symbol, series), interval));
    let (mut series, mut known) = (BTreeMap::new(), BTreeMap::new());
    for (symbol, bars, interval) in kept.chain(fresh) {
        known.extend(interval.or_else(|| spacing::of_many(&bars)).map(|own| (symbol.clone(), own)));
        series.insert(symbol.clone(), bars);
    }
    let interval = spacing::check(dir, &series, &known)?;
    Ok(Columns { series, interval, cached, parsed })
}

fn too_fine(symbol: &Symbol, series: &Series) -> String {
    format!(
        "{symbol} has prices with {} digits after the point beside prices that are too large for that: {} digits \
         in all can be kept exactly",
        series.digits(),
        Cell::MOST_DIGITS
    )
}
