//! Columns as they were parsed, in a file per contract, for as long as the contract's files stay as they are.
//!
//! A file is known by its name, size, inode and the times of its last modification and change, the last of
//! which nobody can set; and by a hash of its contents, which decides where those differ (a copied or touched
//! file) or prove nothing (a file that had changed within [`SETTLED`] when it was looked at, or a system that
//! keeps no time of change). A cache that is damaged, of another version or of other files is not used; one
//! that cannot be written is not missed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use twox_hash::xxhash3_128::Hasher;

use crate::archive::files::{self, ContentHash};
use crate::domain::series::{Column, Run, Series};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// The folder beside the files.
const BESIDE: &str = ".rebal-cache";
/// How a file of the cache begins.
const MAGIC: &[u8; 8] = b"rebalcol";
/// Changes with the layout, and with what is accepted in a table.
const VERSION: u32 = 3;
/// Two changes closer together may bear the same time.
const SETTLED: Duration = Duration::from_secs(2);

/// What the system says of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Stat {
    size: u64,
    inode: u64,
    modified_ns: i64,
    changed_ns: i64,
}

impl Stat {
    fn of(path: &Path) -> io::Result<Stat> {
        let data = fs::metadata(path)?;
        #[cfg(unix)]
        let (inode, changed_ns) = {
            use std::os::unix::fs::MetadataExt;
            (data.ino(), data.ctime().saturating_mul(1_000_000_000).saturating_add(data.ctime_nsec()))
        };
        #[cfg(not(unix))]
        let (inode, changed_ns) = (0, i64::MAX);
        Ok(Stat { size: data.len(), inode, modified_ns: since_1970_ns(data.modified()?), changed_ns })
    }
}

fn since_1970_ns(time: SystemTime) -> i64 {
    let nanoseconds = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    time.duration_since(UNIX_EPOCH).map_or(0, nanoseconds)
}

/// A file as it was found at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Below the folder that was asked for.
    name: String,
    stat: Stat,
    taken_ns: i64,
    hash: ContentHash,
}

impl Look {
    /// The same with the hash of what was read then.
    pub(crate) fn read(self, hash: ContentHash) -> Look {
        Look { hash, ..self }
    }

    /// Whether no later change can have left the same traces.
    fn is_settled(&self) -> bool {
        let quiet_ns = i64::try_from(SETTLED.as_nanos()).unwrap_or(i64::MAX);
        self.stat.changed_ns.saturating_add(quiet_ns) <= self.taken_ns
    }
}

/// The cache of one folder of data.
pub(crate) struct Cache<'a> {
    data: &'a Path,
    /// Where its files may be, the best place first.
    places: Vec<PathBuf>,
}

impl<'a> Cache<'a> {
    pub(crate) fn new(data: &'a Path, spare: Option<&Path>) -> Cache<'a> {
        let whole = data.canonicalize().unwrap_or_else(|_| data.to_owned());
        let name = Hasher::oneshot(whole.as_os_str().as_encoded_bytes());
        let spare = spare.map(|spare| spare.join(format!("{name:032x}")));
        Cache { data, places: std::iter::once(data.join(BESIDE)).chain(spare).collect() }
    }

    /// How a file stands now. One that cannot be looked at is like no other.
    pub(crate) fn look(&self, file: &Path) -> Look {
        let taken_ns = since_1970_ns(SystemTime::now());
        let name = file.strip_prefix(self.data).unwrap_or(file).to_string_lossy().into_owned();
        Look { name, stat: Stat::of(file).unwrap_or_default(), taken_ns, hash: 0 }
    }

    /// The columns of a contract whose files are as they were.
    pub(crate) fn load(&self, symbol: &Symbol, files: &[PathBuf]) -> Option<Series> {
        self.places.iter().find_map(|place| self.load_from(place, symbol, files))
    }

    fn load_from(&self, place: &Path, symbol: &Symbol, files: &[PathBuf]) -> Option<Series> {
        let bytes = fs::read(place.join(name_of(symbol))).ok()?;
        let mut body = checked(&bytes)?;
        let kept = looks(&mut body)?;
        let now: Vec<Look> = files.iter().map(|file| self.look(file)).collect();
        let same = kept.len() == now.len()
            && kept
                .iter()
                .zip(&now)
                .all(|(kept, now)| kept.name == now.name && kept.stat.size == now.stat.size);
        if !same {
            return None;
        }
        let proven = kept.iter().zip(&now).all(|(kept, now)| kept.stat == now.stat && kept.is_settled());
        if proven {
            return series(&mut body);
        }
        let is_same = |(file, kept): (&PathBuf, &Look)| files::hash(file).is_ok_and(|hash| hash == kept.hash);
        if !files.iter().zip(&kept).all(is_same) {
            return None;
        }
        let series = series(&mut body)?;
        let looks: Vec<Look> = now.into_iter().zip(&kept).map(|(now, kept)| now.read(kept.hash)).collect();
        self.store(symbol, &looks, &series);
        Some(series)
    }

    /// Keeps columns, unless a file changed since it was looked at or nothing can be written anywhere.
    pub(crate) fn store(&self, symbol: &Symbol, looks: &[Look], series: &Series) {
        let unchanged =
            |look: &Look| Stat::of(&self.data.join(&look.name)).is_ok_and(|stat| stat == look.stat);
        if looks.iter().all(unchanged)
            && let Some(bytes) = encoded(looks, series)
        {
            let _written = self.places.iter().any(|place| write(place, &name_of(symbol), &bytes).is_ok());
        }
    }
}

fn name_of(symbol: &Symbol) -> String {
    format!("{symbol}.columns")
}

/// Whole or not at all: a reader sees the old file or the new one.
fn write(place: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(place)?;
    let unfinished = place.join(format!(".{name}.{}", std::process::id()));
    let written = fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, place.join(name)));
    if written.is_err() {
        let _gone = fs::remove_file(&unfinished);
    }
    written
}

/// `None` of a series that does not have all its opens.
fn encoded(looks: &[Look], series: &Series) -> Option<Vec<u8>> {
    let mut body = Vec::with_capacity(64 + series.len() * 16);
    put_count(&mut body, looks.len());
    for look in looks {
        put_count(&mut body, look.name.len());
        body.extend(look.name.as_bytes());
        body.extend(look.stat.size.to_le_bytes());
        body.extend(look.stat.inode.to_le_bytes());
        for number in [look.stat.modified_ns, look.stat.changed_ns, look.taken_ns] {
            body.extend(number.to_le_bytes());
        }
        body.extend(look.hash.to_le_bytes());
    }
    body.extend(series.digits().to_le_bytes());
    put_count(&mut body, series.runs().len());
    for run in series.runs() {
        body.extend(run.first.ms().to_le_bytes());
        body.extend(run.step_ms.to_le_bytes());
        put_count(&mut body, run.bars);
    }
    put_count(&mut body, series.len());
    put_column(&mut body, series.opens()?);
    put_column(&mut body, series.closes());
    let head = [MAGIC.as_slice(), &VERSION.to_le_bytes(), &Hasher::oneshot(&body).to_le_bytes()].concat();
    Some([head, body].concat())
}

fn put_count(body: &mut Vec<u8>, count: usize) {
    body.extend((count as u64).to_le_bytes());
}

/// Ticks in four bytes each, values in eight.
fn put_column(body: &mut Vec<u8>, column: &Column) {
    match column {
        Column::Ticks(ticks) => {
            body.push(4);
            body.extend(ticks.iter().flat_map(|tick| tick.to_le_bytes()));
        }
        Column::Values(values) => {
            body.push(8);
            body.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
    }
}

/// What follows an intact head.
fn checked(bytes: &[u8]) -> Option<Body<'_>> {
    let mut head = Body(bytes);
    let known = head.take(MAGIC.len())? == MAGIC && head.array().map(u32::from_le_bytes)? == VERSION;
    let hash = head.array().map(u128::from_le_bytes)?;
    (known && Hasher::oneshot(head.0) == hash).then_some(head)
}

fn looks(body: &mut Body<'_>) -> Option<Vec<Look>> {
    let count = body.count()?;
    (0..count)
        .map(|_| {
            let length = body.count()?;
            let name = String::from_utf8(body.take(length)?.to_vec()).ok()?;
            let (size, inode) = (body.number()?, body.number()?);
            let mut time = || body.array().map(i64::from_le_bytes);
            let (modified_ns, changed_ns, taken_ns) = (time()?, time()?, time()?);
            let stat = Stat { size, inode, modified_ns, changed_ns };
            Some(Look { name, stat, taken_ns, hash: body.array().map(u128::from_le_bytes)? })
        })
        .collect()
}

fn series(body: &mut Body<'_>) -> Option<Series> {
    let digits = body.array().map(u32::from_le_bytes)?;
    let count = body.count()?;
    let run = |_| {
        let first = Time::from_ms(body.array().map(i64::from_le_bytes)?)?;
        let step_ms = body.array().map(i64::from_le_bytes)?;
        Some(Run { first, step_ms, bars: body.count()? })
    };
    let runs = (0..count).map(run).collect::<Option<Vec<Run>>>()?;
    let bars = body.count()?;
    let (opens, closes) = (column(body, bars)?, column(body, bars)?);
    if body.0.is_empty() { Series::from_parts(runs, opens, closes, digits) } else { None }
}

fn column(body: &mut Body<'_>, bars: usize) -> Option<Column> {
    let [width] = body.array()?;
    let bytes = body.take(bars.checked_mul(usize::from(width))?)?;
    match width {
        4 => {
            let ticks = bytes.as_chunks::<4>().0.iter().map(|cell| i32::from_le_bytes(*cell));
            Some(Column::Ticks(ticks.collect()))
        }
        8 => {
            let values = bytes.as_chunks::<8>().0.iter().map(|cell| f64::from_le_bytes(*cell));
            Some(Column::Values(values.collect()))
        }
        _ => None,
    }
}

/// What is left to read.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }
}
