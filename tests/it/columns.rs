//! Columns: the same values as a plain reading, from the files and from the cache, and never those of an old file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use rebal::archive::{self, Columns};
use rebal::domain::series::Series;
use rebal::domain::symbol::Symbol;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::data::recorded;

/// One bar at `minute` after 2025-10-01, opening at 7.
fn row(minute: i64, close: &str) -> String {
    let time = 1_759_276_800_000 + minute * 60_000;
    format!("{time},7,9000,0.1,{close},10,0,0,0,0,0,0\n")
}

fn folder(files: &[(&str, String)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn read(dir: &Path) -> Columns {
    archive::columns(dir, None, None, |_, _| {}).unwrap()
}

/// Each symbol with the minutes and closes of its bars.
fn closes(columns: &Columns) -> String {
    let minute = |ms: i64| (ms - 1_759_276_800_000) / 60_000;
    let one = |series: &Series| {
        let bars = series.times().enumerate();
        let bars = bars.map(|(bar, time)| format!("{}:{}", minute(time.ms()), series.close(bar).unwrap()));
        bars.collect::<Vec<_>>().join(" ")
    };
    let all = columns.series.iter().map(|(symbol, series)| format!("{symbol} {}", one(series)));
    all.collect::<Vec<_>>().join(", ")
}

/// How many contracts came from the cache, and what was read.
fn look(dir: &Path) -> (usize, String) {
    let columns = read(dir);
    (columns.cached, closes(&columns))
}

/// Lets a file appear to have been changed long ago, as far as anybody can.
fn age(path: &Path) {
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(86_400)).unwrap();
}

fn cache_of(dir: &Path, symbol: &str) -> PathBuf {
    dir.join(".rebal-cache").join(format!("{symbol}.columns"))
}

#[test]
fn a_second_reading_comes_from_the_cache_and_is_the_same() {
    let dir = folder(&[
        ("A-2.csv", row(10, "3.25") + &row(30, "4")),
        ("A-1.csv", row(0, "1.5") + &row(5, "2.000000000012")),
        ("B.csv", row(5, "20000.00000123") + &row(10, "123456.123456")),
    ]);
    let expected = "A 0:1.5 5:2.000000000012 10:3.25 30:4, B 5:20000.00000123 10:123456.123456";
    let first = read(dir.path());
    assert_eq!((first.cached, first.parsed, closes(&first).as_str()), (0, 3, expected));
    let second = read(dir.path());
    assert_eq!((second.cached, second.parsed, closes(&second).as_str()), (2, 0, expected));
    assert_eq!(first.series, second.series);
    // Whatever was not asked for before is parsed, and kept beside the rest.
    std::fs::write(dir.path().join("C.csv"), row(0, "1")).unwrap();
    assert_eq!(look(dir.path()), (2, format!("{expected}, C 0:1")));
    assert_eq!(look(dir.path()), (3, format!("{expected}, C 0:1")));
}

#[test]
fn a_changed_file_is_never_served_from_the_cache() {
    let dir = folder(&[("A.csv", row(0, "1.5")), ("B.csv", row(0, "1"))]);
    let file = dir.path().join("A.csv");
    age(&file);
    assert_eq!(look(dir.path()), (0, "A 0:1.5, B 0:1".into()));
    // Same name, same size, same time of modification, at once: only the contents tell.
    for close in ["2.5", "3.5", "4.5"] {
        std::fs::write(&file, row(0, close)).unwrap();
        age(&file);
        assert_eq!(look(dir.path()), (1, format!("A 0:{close}, B 0:1")));
        assert_eq!(look(dir.path()), (2, format!("A 0:{close}, B 0:1")));
    }
    // Another file in its place, a longer one, one more, one less.
    let other = dir.path().join("other");
    std::fs::write(&other, row(0, "5.5")).unwrap();
    std::fs::rename(&other, &file).unwrap();
    assert_eq!(look(dir.path()), (1, "A 0:5.5, B 0:1".into()));
    std::fs::write(&file, row(0, "5.5") + &row(5, "6")).unwrap();
    assert_eq!(look(dir.path()), (1, "A 0:5.5 5:6, B 0:1".into()));
    std::fs::write(dir.path().join("A-2.csv"), row(10, "7")).unwrap();
    assert_eq!(look(dir.path()), (1, "A 0:5.5 5:6 10:7, B 0:1".into()));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(look(dir.path()), (1, "A 10:7, B 0:1".into()));
}

#[test]
fn a_file_that_was_touched_or_copied_with_its_cache_is_not_parsed_again() {
    let dir = folder(&[("A.csv", row(0, "1.5"))]);
    read(dir.path());
    age(&dir.path().join("A.csv"));
    assert_eq!(look(dir.path()).0, 1);
    let copy = TempDir::new().unwrap();
    std::fs::create_dir(copy.path().join(".rebal-cache")).unwrap();
    std::fs::copy(dir.path().join("A.csv"), copy.path().join("A.csv")).unwrap();
    std::fs::copy(cache_of(dir.path(), "A"), cache_of(copy.path(), "A")).unwrap();
    assert_eq!(look(copy.path()), (1, "A 0:1.5".into()));
}

#[test]
fn a_damaged_cache_is_not_believed() {
    let dir = folder(&[("A.csv", row(0, "1.5") + &row(5, "2"))]);
    let expected = "A 0:1.5 5:2".to_owned();
    read(dir.path());
    let cache = cache_of(dir.path(), "A");
    let whole = std::fs::read(&cache).unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        std::fs::write(&cache, flipped).unwrap();
        assert_eq!(look(dir.path()), (0, expected.clone()), "byte {at} of {}", whole.len());
        std::fs::write(&cache, &whole[..at]).unwrap();
        assert_eq!(look(dir.path()), (0, expected.clone()), "{at} of {} bytes", whole.len());
    }
    std::fs::write(&cache, [whole.as_slice(), b"x"].concat()).unwrap();
    assert_eq!(look(dir.path()), (0, expected.clone()));
    assert_eq!(look(dir.path()), (1, expected));
}

#[test]
fn a_bad_file_fails_whether_or_not_it_was_good_before() {
    let dir = folder(&[("A.csv", row(0, "1.5"))]);
    read(dir.path());
    std::fs::write(dir.path().join("A.csv"), row(0, "1.5") + &row(5, "x")).unwrap();
    let said = archive::columns(dir.path(), None, None, |_, _| {}).unwrap_err().to_string();
    assert!(said.ends_with("A.csv line 2: close is not a plain number: \"x\""), "{said}");
    std::fs::write(
        dir.path().join("A.csv"),
        row(0, "1.0000000001") + &row(5, "5") + &row(10, "200") + &row(15, "5000") + &row(20, "200000"),
    )
    .unwrap();
    let said = archive::columns(dir.path(), None, None, |_, _| {}).unwrap_err().to_string();
    assert!(said.contains("A has prices with 10 digits after the point beside"), "{said}");
}

#[test]
fn nothing_fails_where_nothing_can_be_written() {
    let dir = folder(&[("A.csv", row(0, "1.5"))]);
    // A file where the folder would be: true for root as well, whom no permission keeps out.
    std::fs::write(dir.path().join(".rebal-cache"), "").unwrap();
    assert_eq!(look(dir.path()), (0, "A 0:1.5".into()));
    assert_eq!(look(dir.path()), (0, "A 0:1.5".into()));
    let spare = TempDir::new().unwrap();
    let read =
        || archive::columns(dir.path(), None, Some(&spare.path().join("columns")), |_, _| {}).unwrap().cached;
    assert_eq!((read(), read()), (0, 1));
    let kept = || std::fs::read_dir(spare.path().join("columns")).unwrap().count();
    assert_eq!(kept(), 1, "one folder per folder of data");
}

#[test]
fn readers_at_once_see_whole_caches() {
    let dir = folder(&[("A.csv", (0..2000).map(|n| row(n * 5, "1.5")).collect())]);
    let expected = read(dir.path()).series;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    std::fs::remove_file(cache_of(dir.path(), "A")).ok();
                    assert_eq!(read(dir.path()).series, expected);
                }
            });
        }
    });
    let left: Vec<_> = std::fs::read_dir(dir.path().join(".rebal-cache")).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "unfinished files are left: {left:?}");
}

/// `SYMBOL bars sha256` as `tests/witness/columns.py` prints it.
fn digests(series: &BTreeMap<Symbol, Series>) -> Vec<String> {
    let one = |(symbol, series): (&Symbol, &Series)| {
        let mut digest = Sha256::new();
        for (bar, time) in series.times().enumerate() {
            let (open, close) = (series.open(bar).unwrap(), series.close(bar).unwrap());
            digest.update(format!("{} {open} {close}\n", time.ms()));
        }
        let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{symbol} {} {digest}", series.len())
    };
    series.iter().map(one).collect()
}

#[test]
fn python_reads_the_same_from_the_recorded_data() {
    for name in ["klines_1h_2025-09_2026-03", "klines_5m_2025-09_2025-12"] {
        let Some(dir) = recorded(name) else { return };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/witness/columns.py");
        let Ok(done) = Command::new("python3").arg(script).arg(&dir).output() else {
            eprintln!("skipped: there is no python3");
            return;
        };
        let mut expected: Vec<String> =
            String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect();
        expected.sort();
        assert!(expected.len() > 10, "{}", String::from_utf8_lossy(&done.stderr));
        // The recorded data is somebody's own folder: nothing is to be kept in it.
        let copy = TempDir::new().unwrap();
        let files = std::fs::read_dir(&dir).unwrap().flatten().filter(|entry| entry.path().is_file());
        for entry in files {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        for cached in [0, expected.len()] {
            let columns = read(copy.path());
            assert_eq!(columns.cached, cached);
            let mut found = digests(&columns.series);
            found.sort();
            assert_eq!(found, expected, "{name}");
        }
    }
}
