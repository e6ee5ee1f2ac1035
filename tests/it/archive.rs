//! Recorded data: what is read from a folder, and what is refused with file and line.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use rebal::archive;
use rebal::domain::symbol::Symbol;
use tempfile::TempDir;

use crate::data::recorded;

const HEADER: &str = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,\
                      taker_buy_quote_volume,ignore\n";

/// One bar at `minute` after 2025-10-01, at `price`.
fn row(minute: i64, price: &str) -> String {
    let time = 1_759_276_800_000 + minute * 60_000;
    format!("{time},{price},{price},{price},{price},10,0,0,0,0,0,0\n")
}

fn gz(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zipped(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    dir
}

fn symbols(names: &[&str]) -> Vec<Symbol> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// Each symbol with the minutes and closes of its bars; an error with the folder cut away.
fn closes(dir: &Path, wanted: Option<&[Symbol]>) -> Result<String, String> {
    let bars = archive::klines(dir, wanted).map_err(|error| short(dir, &error.to_string()))?;
    let minute = |ms: i64| (ms - 1_759_276_800_000) / 60_000;
    let one = |bar: &rebal::domain::market::Bar| format!("{}:{}", minute(bar.open_time.ms()), bar.close);
    let line = |(symbol, bars): (&Symbol, &Vec<_>)| {
        format!("{symbol} {}", bars.iter().map(one).collect::<Vec<_>>().join(" "))
    };
    Ok(bars.iter().map(line).collect::<Vec<_>>().join(", "))
}

/// Columns hold what rows hold.
fn same_columns(dir: &Path) {
    let bars = archive::klines(dir, None).unwrap();
    let series = archive::columns(dir, None, None, |_, _| {}).unwrap().series;
    assert!(bars.keys().eq(series.keys()));
    for (bars, series) in bars.values().zip(series.values()) {
        assert_eq!(series.len(), bars.len());
        for ((number, bar), time) in bars.iter().enumerate().zip(series.times()) {
            let columns = (time, series.open(number), series.close(number));
            assert_eq!(columns, (bar.open_time, Some(bar.open), Some(bar.close)));
        }
    }
}

fn short(dir: &Path, text: &str) -> String {
    text.replace(&format!("{}/", dir.display()), "").replace(&dir.display().to_string(), "DIR")
}

#[test]
fn every_layout_and_packing_gives_the_same_bars() {
    let (first, second) = (format!("{}{}", row(0, "1"), row(5, "2.50")), row(15, "3"));
    let whole = format!("{HEADER}{first}{second}");
    let micro = whole.replace("00000,", "00000000,");
    let crlf = whole.replace('\n', "\r\n");
    let months = (gz(&format!("{HEADER}{first}")), gz(&second));
    let packed = zipped(&[("BTCUSDT-5m.csv", &whole), ("README.txt", "hello")]);
    let no_end = whole.trim_end();
    for files in [
        &[("BTCUSDT.csv", whole.as_bytes())][..],
        &[("BTCUSDT-5m.csv", format!("{first}{second}").as_bytes())],
        &[("BTCUSDT-5m.csv", no_end.as_bytes())],
        &[("BTCUSDT_x.csv", micro.as_bytes())],
        &[("BTCUSDT.csv", crlf.as_bytes())],
        &[("BTCUSDT.csv", format!("\u{feff}{whole}").as_bytes())],
        &[("BTCUSDT-5m-2025-09.csv.gz", &months.0), ("BTCUSDT-5m-2025-10.csv.gz", &months.1)],
        &[("BTCUSDT-b.csv.gz", &months.0), ("BTCUSDT-a.csv.gz", &months.1)],
        &[("BTCUSDT-5m.zip", &packed)],
        &[("BTCUSDT/BTCUSDT-5m.csv", whole.as_bytes())],
        &[("BTCUSDT/5m/BTCUSDT-5m.csv", whole.as_bytes())],
        &[
            ("BTCUSDT.csv", whole.as_bytes()),
            ("BTCUSDT-fundingRate.csv", b"x"),
            ("notes.md", b"x"),
            (".x.csv", b"x"),
        ],
    ] {
        let dir = folder(files);
        assert_eq!(closes(dir.path(), None), Ok("BTCUSDT 0:1 5:2.5 15:3".into()), "{:?}", files[0].0);
        same_columns(dir.path());
    }
}

#[test]
fn only_the_contracts_asked_for_are_read() {
    let text = row(0, "1");
    let files =
        [("AUSDT.csv", text.as_bytes()), ("BUSDT.csv", b"broken"), ("币安人生USDT.csv", text.as_bytes())];
    let dir = folder(&files);
    let wanted = symbols(&["AUSDT", "币安人生USDT"]);
    assert_eq!(closes(dir.path(), Some(&wanted)), Ok("AUSDT 0:1, 币安人生USDT 0:1".into()));
    let said = closes(dir.path(), Some(&symbols(&["AUSDT", "DOGEUSDT"])));
    assert_eq!(said, Err("no file for DOGEUSDT in DIR; there are: AUSDT, BUSDT, 币安人生USDT".into()));
}

#[test]
fn folders_without_data_are_refused() {
    let dir = folder(&[("x/readme.md", b"x"), ("file", b"x")]);
    for (name, expected) in [
        ("x", "DIR/x: holds no files named SYMBOL*.csv, .csv.gz or .zip, nor folders of them"),
        ("nothing", "DIR/nothing: does not exist"),
        ("file", "DIR/file: is not a folder: name the folder that holds the files"),
    ] {
        let said = archive::klines(&dir.path().join(name), None).unwrap_err().to_string();
        assert_eq!(said.replace(&dir.path().display().to_string(), "DIR"), expected);
    }
}

#[test]
fn damaged_lines_are_named() {
    let two = format!("{HEADER}{}", row(0, "1"));
    let line = |fields: &str| format!("{two}{fields}\n");
    let good = "1759277100000,1,1,1,1,10,0,0,0,0,0,0";
    for (text, expected) in [
        (
            format!("{two}1759277100000,1,1"),
            "A.csv line 3: is half written: remove it, or download the file again",
        ),
        (line("1759277100000,1,1"), "A.csv line 3: has 3 fields where the lines before have 12"),
        (line(&format!("{good},9")), "A.csv line 3: has 13 fields where the lines before have 12"),
        (line(&good.replace(",1,1,1,1,", ",x,1,1,1,")), "A.csv line 3: open is not a plain number: \"x\""),
        (
            line(&good.replace(",1,1,1,1,", ",1,NaN,1,1,")),
            "A.csv line 3: high is not a plain number: \"NaN\"",
        ),
        (line(&good.replace(",1,1,1,1,", ",1,1,1e0,1,")), "A.csv line 3: low is not a plain number: \"1e0\""),
        (line(&good.replace(",1,1,1,1,", ",1,1,1,0,")), "A.csv line 3: close 0 is not above zero"),
        (line(&good.replace(",1,1,1,1,", ",-1,1,1,1,")), "A.csv line 3: open -1 is not above zero"),
        (line(&good.replace(",1,1,1,1,", ",1,1000000001,1,1,")), "A.csv line 3: high 1000000001 is absurd"),
        (line(&good.replace(",1,1,1,1,", ",1,1,2,1,")), "A.csv line 3: high 1 and low 2 do not enclose"),
        (line(&good.replace(",1,1,1,1,", ",3,2,1,1,")), "A.csv line 3: high 2 and low 1 do not enclose"),
        (line(&good.replace(",10,", ",-10,")), "A.csv line 3: volume -10 is negative"),
        (
            line(&good.replace("1759277100000", "1759277100")),
            "A.csv line 3: \"1759277100\" is not a time in mill",
        ),
        (line(&good.replace("1759277100000", "-5")), "A.csv line 3: \"-5\" is not a time in milliseconds"),
        (
            line(&good.replace("1759277100000", "1759276800000")),
            "A.csv line 3: repeats the time 2025-10-01T00:00",
        ),
        (
            line(&good.replace("1759277100000", "1759276500000")),
            "A.csv line 3: goes back in time from 2025-10-01",
        ),
        (line(&good.replace("1759277100000", "")), "A.csv line 3: is empty, or a field that is needed is"),
        (format!("{two}\n{good}\n"), "A.csv line 3: has 1 fields where the lines before have 12"),
        (
            "symbol,open_time\nA,1\n".into(),
            "A.csv line 1: the header has no column open: it is no file of this",
        ),
        ("calc_time,rate\n1,1\n".into(), "A.csv line 1: the header has no column open_time"),
        (HEADER.into(), "A.csv: holds no rows"),
        (String::new(), "A.csv: holds no rows"),
    ] {
        let dir = folder(&[("A.csv", text.as_bytes())]);
        let said = closes(dir.path(), None).unwrap_err();
        assert!(said.starts_with(expected), "wanted {expected:?}, said {said:?}");
        // Columns are read without highs, lows and volumes, and say the same of all others.
        let unread = ["high", "low", "volume"].iter().any(|name| expected.contains(&format!("3: {name}")));
        if !unread {
            let said = archive::columns(dir.path(), None, None, |_, _| {}).unwrap_err().to_string();
            assert!(short(dir.path(), &said).starts_with(expected), "wanted {expected:?}, said {said:?}");
        }
    }
}

#[test]
fn damaged_files_are_named() {
    let text: String = (0..500).map(|n| row(n * 5, &format!("{}.{n}", n + 1))).collect();
    let packed = gz(&text);
    let zip = zipped(&[("A.csv", &text)]);
    let mut flipped = packed.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    for (name, bytes, expected) in [
        ("A.csv.gz", &packed[..packed.len() / 2], "A.csv.gz: is cut short: download it again"),
        ("A.csv.gz", &packed[..packed.len() - 3], "A.csv.gz: is cut short: download it again"),
        ("A.csv.gz", &flipped, "A.csv.gz: "),
        ("A.csv.gz", text.as_bytes(), "A.csv.gz: "),
        ("A.zip", &zip[..zip.len() / 2], "A.zip: is damaged"),
        ("A.zip", &zipped(&[("A.csv", "1"), ("B.csv", "1")]), "A.zip: holds 2 CSV files where one is wanted"),
        ("A.zip", &zipped(&[("A.txt", "1")]), "A.zip: holds 0 CSV files where one is wanted"),
        (
            "A.csv",
            b"1759276800000,1,1,1,1,1\n1759277100000,\xff,1,1,1,1\n",
            "A.csv line 2: is not text: the file is damaged, or no CSV",
        ),
        ("A.csv.gz", b"", "A.csv.gz: is cut short"),
    ] {
        let dir = folder(&[(name, bytes)]);
        let said = closes(dir.path(), None).unwrap_err();
        assert!(said.starts_with(expected), "wanted {expected:?}, said {said:?}");
        let said = archive::columns(dir.path(), None, None, |_, _| {}).unwrap_err().to_string();
        assert!(short(dir.path(), &said).starts_with(expected), "wanted {expected:?}, said {said:?}");
    }
}

#[test]
fn a_gzip_file_cut_anywhere_never_passes() {
    let packed = gz(&(0..20).map(|n| row(n * 5, "1.5")).collect::<String>());
    for end in 0..packed.len() {
        let dir = folder(&[("A.csv.gz", &packed[..end])]);
        assert!(closes(dir.path(), None).is_err(), "{end} of {} bytes", packed.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_refused_or_harmless(
        at in 0..900_usize,
        cut in 0..40_usize,
        put in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"0123456789,.-\n"[..])], 0..9),
    ) {
        let mut bytes = format!("{HEADER}{}", (0..20).map(|n| row(n * 5, "1.5")).collect::<String>()).into_bytes();
        let at = at.min(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, put);
        let dir = folder(&[("A.csv", &bytes)]);
        if let Ok(bars) = archive::klines(dir.path(), None) {
            for pair in bars.values().flat_map(|bars| bars.windows(2)) {
                prop_assert!(pair[0].open_time < pair[1].open_time);
                prop_assert!(pair[1].low.is_positive() && pair[1].low <= pair[1].high);
            }
        }
    }
}

#[test]
fn all_bars_keep_one_grid() {
    let bars = |minutes: &[i64]| minutes.iter().map(|minute| row(*minute, "1")).collect::<String>();
    let five = bars(&[0, 5, 10, 30]);
    for (other, expected) in [
        (bars(&[5, 10, 20]), "accepted"),
        (bars(&[60]), "accepted"),
        (bars(&[0, 60]), "accepted"),
        (bars(&[0, 60, 120]), "DIR: B has bars every 1h, others every 5m: use one folder per interval"),
        (bars(&[0, 1, 2]), "DIR: A has bars every 5m, others every 1m: use one folder per interval"),
        (bars(&[0, 5, 12]), "DIR: B has a bar at 2025-10-01T00:12:00.000Z, which is off the grid of 5m"),
        (bars(&[3, 8, 13]), "DIR: B has a bar at 2025-10-01T00:03:00.000Z, which is off the grid of 5m"),
    ] {
        let dir = folder(&[("A.csv", five.as_bytes()), ("B.csv", other.as_bytes())]);
        let said = closes(dir.path(), None).map_or_else(|error| error, |_| "accepted".into());
        assert!(said.starts_with(expected), "wanted {expected:?}, said {said:?}");
        let columns = archive::columns(dir.path(), None, None, |_, _| {});
        let columns =
            columns.map_or_else(|error| short(dir.path(), &error.to_string()), |_| "accepted".into());
        assert_eq!(columns, said);
    }
    let dir = folder(&[("A.csv", five.as_bytes())]);
    let bars = archive::klines(dir.path(), None).unwrap();
    assert_eq!(archive::interval(&bars).unwrap().as_secs(), 300);
}

#[test]
fn two_files_that_overlap_are_refused() {
    let (one, two) = (format!("{}{}", row(0, "1"), row(5, "1")), format!("{}{}", row(5, "1"), row(10, "1")));
    let dir = folder(&[("A-1.csv", one.as_bytes()), ("A-2.csv", two.as_bytes())]);
    let said = closes(dir.path(), None).unwrap_err();
    let expected = "A-2.csv: begins at 2025-10-01T00:05:00.000Z, but A-1.csv goes on until \
                    2025-10-01T00:05:00.000Z: keep one of the two";
    assert_eq!(said, expected);
}

#[test]
fn funding_is_read_with_and_without_header_and_beside_prices() {
    let rates = "1759276800000,8,0.0001\n1759305600000,8,-0.00002\n";
    let headed = format!("calc_time,funding_interval_hours,last_funding_rate\n{rates}");
    for files in [
        &[("BTCUSDT.csv", rates.as_bytes())][..],
        &[("BTCUSDT-fundingRate-2025-10.csv", headed.as_bytes())],
        &[("BTCUSDT-fundingRate.csv", headed.as_bytes()), ("BTCUSDT-5m.csv", b"prices")],
    ] {
        let dir = folder(files);
        let read = archive::funding(dir.path(), None).unwrap();
        let text: Vec<String> =
            read.values().flatten().map(|(time, rate)| format!("{time} {rate}")).collect();
        assert_eq!(text, ["2025-10-01T00:00:00.000Z 0.0001", "2025-10-01T08:00:00.000Z -0.00002"]);
    }
    for (row, expected) in [
        ("1759276800000,8,5\n", "A.csv line 1: funding rate 5 is absurd"),
        ("1759276800000,8,\n", "A.csv line 1: is empty, or a field that is needed is"),
        ("1759276800000,8,x\n", "A.csv line 1: funding rate is not a plain number: \"x\""),
    ] {
        let dir = folder(&[("A.csv", row.as_bytes())]);
        let said = short(dir.path(), &archive::funding(dir.path(), None).unwrap_err().to_string());
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn the_listing_of_a_folder_is_the_last_by_name() {
    let files =
        [("exchangeInfo_2024.json", &b"1"[..]), ("exchangeInfo_2025.json.gz", b"2"), ("other.json", b"3")];
    let dir = folder(&files);
    assert!(archive::find_exchange_info(dir.path()).unwrap().ends_with("exchangeInfo_2025.json.gz"));
    assert_eq!(archive::find_exchange_info(&dir.path().join("none")), None);
}

#[test]
fn unpacking_stops_at_the_cap() {
    let bomb = gz(&"0".repeat(1_000_000));
    let dir = folder(&[("bomb.gz", &bomb), ("plain", b"12345")]);
    let read = |name: &str, cap| archive::read_maybe_gz(&dir.path().join(name), cap).map(|bytes| bytes.len());
    assert_eq!(read("bomb.gz", 1_000_000).unwrap(), 1_000_000);
    assert!(read("bomb.gz", 999_999).unwrap_err().to_string().contains("more than 999999 bytes"));
    assert_eq!(read("plain", 5).unwrap(), 5);
    assert!(read("plain", 4).is_err());
}

#[test]
fn the_recorded_data_is_read_in_full() {
    for (name, contracts, rows) in
        [("klines_1h_2025-09_2026-03", 129, 553_454), ("klines_5m_2025-09_2025-12", 17, 490_247)]
    {
        let Some(dir) = recorded(name) else { return };
        let bars = archive::klines(&dir, None).unwrap();
        assert_eq!((bars.len(), bars.values().map(Vec::len).sum::<usize>()), (contracts, rows), "{name}");
    }
    let Some(dir) = recorded("funding") else { return };
    let rates = archive::funding(&dir, None).unwrap();
    assert_eq!((rates.len(), rates.values().map(Vec::len).sum::<usize>()), (42, 87_982));
}
