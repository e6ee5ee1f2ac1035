//! Which files of a folder belong to which contract, and their text, unpacked and hashed on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use twox_hash::xxhash3_128::Hasher;

use crate::archive::error::ArchiveError;
use crate::archive::table::Fault;
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

/// Whether a file's name says that it holds funding rates.
pub(crate) fn is_funding(path: &Path) -> bool {
    name_of(path).to_ascii_lowercase().contains("funding")
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

/// Bytes of a file as it lies on disk, told apart from any other's by chance only.
pub(crate) type ContentHash = u128;

/// What `read` makes of a table's text, unpacked where its name says that it is packed, and the hash of the
/// file. A packed file that is damaged says so rather than which of its lines looks wrong.
pub(crate) fn read<T>(
    path: &Path,
    read: impl FnOnce(&mut dyn Read) -> Result<T, Fault>,
) -> Result<(T, ContentHash), ArchiveError> {
    read_capped(path, MAX_BYTES, read).map_err(|fault| match fault {
        Fault::Io(error) => ArchiveError::File { file: path.to_owned(), problem: explain(&error) },
        Fault::Line { line, problem } => ArchiveError::Line { file: path.to_owned(), line, problem },
    })
}

fn read_capped<T>(
    path: &Path,
    cap: u64,
    read: impl FnOnce(&mut dyn Read) -> Result<T, Fault>,
) -> Result<(T, ContentHash), Fault> {
    let file = File::open(path)?;
    let name = name_of(path);
    if !name.ends_with(".zip") && !name.ends_with(".gz") {
        let mut hashing = Hashing { inner: Capped::new(file, cap), hasher: Hasher::new() };
        let done = to_the_end(&mut hashing, read)?;
        return Ok((done, hashing.hasher.finish_128()));
    }
    let mut packed = Vec::new();
    Capped::new(file, cap).read_to_end(&mut packed)?;
    let hash = Hasher::oneshot(&packed);
    let done = match name.ends_with(".zip") {
        true => {
            let mut archive = zip::ZipArchive::new(Cursor::new(&packed)).map_err(damaged)?;
            let name = the_table(&archive)?;
            let entry = archive.by_name(&name).map_err(damaged)?;
            to_the_end(&mut Capped::new(entry, cap), read)?
        }
        false => to_the_end(&mut Capped::new(MultiGzDecoder::new(packed.as_slice()), cap), read)?,
    };
    Ok((done, hash))
}

/// Also what follows a bad line is read: damage of the packing is the better explanation.
fn to_the_end<T>(
    reader: &mut dyn Read,
    read: impl FnOnce(&mut dyn Read) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let done = read(reader);
    if !matches!(done, Err(Fault::Io(_))) {
        io::copy(reader, &mut io::sink())?;
    }
    done
}

/// The hash of a file's bytes.
pub(crate) fn hash(path: &Path) -> io::Result<ContentHash> {
    let mut hashing = Hashing { inner: File::open(path)?, hasher: Hasher::new() };
    let mut buffer = vec![0; 256 << 10];
    while hashing.read(&mut buffer)? > 0 {}
    Ok(hashing.hasher.finish_128())
}

/// Hashes what passes through.
struct Hashing<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.hasher.write(into.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// Lets so many bytes through and fails at the next one.
struct Capped<R> {
    inner: R,
    cap: u64,
    left: u64,
}

impl<R> Capped<R> {
    fn new(inner: R, cap: u64) -> Capped<R> {
        Capped { inner, cap, left: cap }
    }
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        let too_many =
            || io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {} bytes", self.cap));
        self.left = self.left.checked_sub(count as u64).ok_or_else(too_many)?;
        Ok(count)
    }
}

/// The bytes of a file, unpacked where its name ends in `.gz`.
///
/// # Errors
/// Also where there are more than `cap` bytes after unpacking, and where a packed file is cut short.
pub fn read_maybe_gz(path: &Path, cap: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    match name_of(path).ends_with(".gz") {
        true => Capped::new(MultiGzDecoder::new(BufReader::new(file)), cap).read_to_end(&mut bytes)?,
        false => Capped::new(file, cap).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// The name of the one table in a zip file, as the exchange's public archive packs them.
fn the_table<R: Read + io::Seek>(archive: &zip::ZipArchive<R>) -> io::Result<String> {
    let mut tables = Vec::new();
    for name in archive.file_names() {
        let name = name.map_err(damaged)?.into_owned();
        if name.ends_with(".csv") {
            tables.push(name);
        }
    }
    match tables.len() {
        1 => Ok(tables.remove(0)),
        count => {
            let found = format!("holds {count} CSV files where one is wanted");
            Err(io::Error::new(io::ErrorKind::InvalidInput, found))
        }
    }
}

fn damaged(error: zip::result::ZipError) -> io::Error {
    match error {
        zip::result::ZipError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read_all(path: &Path, cap: u64) -> Result<usize, String> {
        let count = |reader: &mut dyn Read| Ok(io::copy(reader, &mut io::sink())? as usize);
        read_capped(path, cap, count).map(|(bytes, _)| bytes).map_err(|fault| match fault {
            Fault::Io(error) => explain(&error),
            Fault::Line { .. } => unreachable!("no line is read"),
        })
    }

    #[test]
    fn bombs_of_every_packing_stop_at_the_cap() {
        let dir = tempfile::tempdir().unwrap();
        let bomb = vec![b'0'; 3_000_000];
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("A.csv", zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&bomb).unwrap();
        let zip = zip.finish().unwrap().into_inner();
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&bomb).unwrap();
        let gz = gz.finish().unwrap();
        assert!(zip.len() < 20_000 && gz.len() < 20_000);
        for (name, bytes) in [("A.zip", &zip), ("A.csv.gz", &gz), ("A.csv", &bomb)] {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(read_all(&path, 3_000_000), Ok(3_000_000), "{name}");
            assert_eq!(
                read_all(&path, 2_999_999),
                Err("is too large: more than 2999999 bytes".into()),
                "{name}"
            );
        }
    }

    #[test]
    fn the_hash_is_that_of_the_file_as_it_lies_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(b"1,2\n").unwrap();
        for (name, bytes) in [("A.csv", b"1,2\n".to_vec()), ("A.csv.gz", gz.finish().unwrap())] {
            let path = dir.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            // Nothing is read by the closure, yet all is hashed.
            let ((), hash) = read_capped(&path, 100, |_| Ok(())).map_err(|_| ()).unwrap();
            assert_eq!(hash, Hasher::oneshot(&bytes));
            assert_eq!(super::hash(&path).unwrap(), hash);
        }
    }
}
