//! Which files of a folder belong to which contract, and their text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::archive::error::ArchiveError;
use crate::domain::symbol::Symbol;

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Prices.
    Klines,
    /// Funding rates.
    Funding,
}

/// Largest file accepted after unpacking, in bytes: fifty years of one-minute bars are four times less.
const MAX_BYTES: u64 = 1 << 30;
/// Folders below the given one that are looked into: one per symbol, and one per interval in it.
const MAX_DEPTH: u32 = 2;

/// The files of each contract, of those asked for or of all, sorted by path.
pub(crate) fn find(
    dir: &Path,
    kind: Kind,
    symbols: Option<&[Symbol]>,
) -> Result<BTreeMap<Symbol, Vec<PathBuf>>, ArchiveError> {
    let folder = |problem: &str| ArchiveError::Folder { dir: dir.to_owned(), problem: problem.to_owned() };
    if !dir.exists() {
        return Err(folder("does not exist"));
    }
    if !dir.is_dir() {
        return Err(folder("is not a folder: name the folder that holds the files"));
    }
    let mut paths = Vec::new();
    collect(dir, MAX_DEPTH, &mut paths).map_err(|error| folder(&format!("cannot be read: {error}")))?;
    let is_funding = |path: &Path| name_of(path).to_ascii_lowercase().contains("funding");
    // A folder may hold both kinds, told apart by name; one of funding alone needs no such name.
    let mixed = paths.iter().any(|path| is_funding(path));
    paths.retain(|path| match kind {
        Kind::Klines => !is_funding(path),
        Kind::Funding => !mixed || is_funding(path),
    });
    paths.sort();
    let mut found: BTreeMap<Symbol, Vec<PathBuf>> = BTreeMap::new();
    for path in paths {
        if let Some(symbol) = symbol_of(&path) {
            found.entry(symbol).or_default().push(path);
        }
    }
    if found.is_empty() {
        return Err(folder("holds no files named SYMBOL*.csv, .csv.gz or .zip, nor folders of them"));
    }
    let Some(wanted) = symbols else { return Ok(found) };
    let wanted: BTreeSet<&Symbol> = wanted.iter().collect();
    if let Some(symbol) = wanted.iter().find(|symbol| !found.contains_key(**symbol)) {
        let present = found.keys().cloned().collect();
        return Err(ArchiveError::Missing { symbol: (**symbol).clone(), dir: dir.to_owned(), present });
    }
    found.retain(|symbol, _| wanted.contains(symbol));
    Ok(found)
}

fn collect(dir: &Path, depth: u32, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() && depth > 0 {
            collect(&path, depth - 1, paths)?;
        } else if is_table(name_of(&path)) && path.is_file() {
            paths.push(path);
        }
    }
    Ok(())
}

fn is_table(name: &str) -> bool {
    !name.starts_with('.') && [".csv", ".csv.gz", ".zip"].iter().any(|end| name.ends_with(end))
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// The contract is the file's name up to the first `-`, `_` or `.`.
fn symbol_of(path: &Path) -> Option<Symbol> {
    name_of(path).split(['-', '_', '.']).next()?.parse().ok()
}

/// The text of a table, unpacked where its name says that it is packed.
pub(crate) fn text(path: &Path) -> Result<String, ArchiveError> {
    let refuse = |problem: String| ArchiveError::File { file: path.to_owned(), problem };
    let bytes = match name_of(path).ends_with(".zip") {
        true => read_zip(path),
        false => read_maybe_gz(path, MAX_BYTES),
    };
    let bytes = bytes.map_err(|error| refuse(explain(&error)))?;
    String::from_utf8(bytes).map_err(|error| {
        let end = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes().iter().take(end).filter(|byte| **byte == b'\n').count();
        refuse(format!("line {line} is not text: the file is damaged, or no CSV"))
    })
}

/// The bytes of a file, unpacked where its name ends in `.gz`.
///
/// # Errors
/// Also where there are more than `cap` bytes after unpacking, and where a packed file is cut short.
pub fn read_maybe_gz(path: &Path, cap: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    match name_of(path).ends_with(".gz") {
        true => capped(MultiGzDecoder::new(BufReader::new(file)), cap),
        false => capped(file, cap),
    }
}

fn capped(reader: impl Read, cap: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(cap.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > cap {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {cap} bytes")));
    }
    Ok(bytes)
}

/// The one table in a zip file, as the exchange's public archive packs them.
fn read_zip(path: &Path) -> io::Result<Vec<u8>> {
    let damaged = |error: zip::result::ZipError| match error {
        zip::result::ZipError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    };
    let mut archive = zip::ZipArchive::new(BufReader::new(File::open(path)?)).map_err(damaged)?;
    let mut tables = Vec::new();
    for name in archive.file_names() {
        let name = name.map_err(damaged)?.into_owned();
        if name.ends_with(".csv") {
            tables.push(name);
        }
    }
    let [name] = tables.as_slice() else {
        let found = format!("holds {} CSV files where one is wanted", tables.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, found));
    };
    let entry = archive.by_name(name).map_err(damaged)?;
    capped(entry, MAX_BYTES)
}

/// What happened and what to do about it.
fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "is cut short: download it again".to_owned(),
        io::ErrorKind::InvalidData => format!("is damaged ({error}): download it again"),
        io::ErrorKind::FileTooLarge => format!("is too large: {error}"),
        io::ErrorKind::InvalidInput => error.to_string(),
        _ => format!("cannot be read: {error}"),
    }
}
