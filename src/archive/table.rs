//! A file's text becomes rows; the first thing that is wrong is named with its line.

use std::cell::Cell as Kept;
use std::io::{self, Read};
use std::time::Duration;

use crate::archive::lines::Lines;
use crate::archive::number::{cell, number, price, time};
use crate::archive::spacing::Pace;
use crate::domain::market::Bar;
use crate::domain::num::{Price, Qty, Rate};
use crate::domain::series::Series;
use crate::domain::time::Time;

/// Rows in ascending time.
pub(crate) type Rows<T> = Vec<(Time, T)>;

/// What a file holds.
#[derive(Default)]
pub(crate) struct Table<T> {
    pub(crate) rows: T,
    /// How long one of its bars is; `None` where nothing tells, and of what are no bars.
    pub(crate) interval: Option<Duration>,
}

/// Reads what a file's text holds.
pub(crate) type Reader<T> = fn(&mut dyn Read) -> Result<Table<T>, Fault>;

/// Why a table cannot be read.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The file as a whole.
    Io(io::Error),
    /// One line of its text.
    Line { line: usize, problem: String },
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Io(error)
    }
}

/// One column: its names in a header, and its place where there is none.
struct Column {
    names: &'static [&'static str],
    place: usize,
}

impl Column {
    /// What the exchange calls it.
    fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    fn in_header(&self, names: &[String]) -> Option<usize> {
        names.iter().position(|name| self.names.contains(&name.as_str()))
    }
}

const OPEN_TIME: Column = Column { names: &["open_time"], place: 0 };
const OPEN: Column = Column { names: &["open"], place: 1 };
const HIGH: Column = Column { names: &["high"], place: 2 };
const LOW: Column = Column { names: &["low"], place: 3 };
const CLOSE: Column = Column { names: &["close"], place: 4 };
const VOLUME: Column = Column { names: &["volume"], place: 5 };
/// Read of a few rows only, and missed by nobody where it is not there.
const CLOSE_TIME: Column = Column { names: &["close_time"], place: 6 };

const FUNDING_COLUMNS: [Column; 2] = [
    Column { names: &["calc_time", "funding_time", "fundingtime"], place: 0 },
    Column { names: &["last_funding_rate", "funding_rate", "fundingrate"], place: 2 },
];

/// No contract moves so many times its price from one bar to the next; a slipped decimal point does.
const ABSURD_JUMP: u32 = 50;
/// Bars for which there is room at first.
const SOME_BARS: usize = 1 << 15;

/// Bars of a file.
pub(crate) fn bars(reader: &mut dyn Read) -> Result<Table<Rows<Bar>>, Fault> {
    let mut bars: Rows<Bar> = Vec::new();
    let before: Kept<Option<Price>> = Kept::new(None);
    let mut pace = Pace::default();
    rows(
        reader,
        &[OPEN_TIME, OPEN, HIGH, LOW, CLOSE, VOLUME],
        |time, [_, open, high, low, close, volume], line| {
            let bar = Bar {
                open_time: time,
                open: price("open", open)?,
                high: price("high", high)?,
                low: price("low", low)?,
                close: price("close", close)?,
                volume: number::<Qty>("volume", volume)?,
            };
            if bar.high < bar.open.max(bar.close).max(bar.low) || bar.low > bar.open.min(bar.close) {
                return Err(format!("high {} and low {} do not enclose open and close", bar.high, bar.low));
            }
            if bar.volume.is_negative() {
                return Err(format!("volume {} is negative", bar.volume));
            }
            if let Some(before) = before.replace(Some(bar.close)) {
                let most = Rate::from(ABSURD_JUMP);
                if bar.close > before * most || before > bar.close * most {
                    return Err(jump(&before, &bar.close));
                }
            }
            pace.see(line.number, time, || line.length(time));
            bars.push((time, bar));
            Ok(())
        },
    )?;
    Ok(Table { rows: bars, interval: pace.interval()? })
}

/// Opens and closes of a file, and nothing of the other columns but that they are there.
pub(crate) fn series(reader: &mut dyn Read) -> Result<Table<Series>, Fault> {
    let mut series = Series::with_capacity(SOME_BARS);
    let mut before = None;
    let mut pace = Pace::default();
    rows(reader, &[OPEN_TIME, OPEN, CLOSE], |time, [_, open, close], line| {
        let (open, close) = (cell("open", open)?, cell("close", close)?);
        let most = f64::from(ABSURD_JUMP);
        if let Some(before) = before.replace(close.value)
            && (close.value > before * most || before > close.value * most)
        {
            return Err(jump(&before, &close.value));
        }
        pace.see(line.number, time, || line.length(time));
        series.push(time, open, close);
        Ok(())
    })?;
    Ok(Table { rows: series, interval: pace.interval()? })
}

fn jump<T: std::fmt::Display>(before: &T, close: &T) -> String {
    format!("the price jumps from {before} to {close} in one bar")
}

/// Funding rates of a file.
pub(crate) fn funding(reader: &mut dyn Read) -> Result<Table<Rows<Rate>>, Fault> {
    let mut rates: Rows<Rate> = Vec::new();
    rows(reader, &FUNDING_COLUMNS, |time, [_, rate], _| {
        let rate = number::<Rate>("funding rate", rate)?;
        if rate.abs() > Rate::new(5, 1) {
            return Err(format!("funding rate {rate} is absurd: rates are fractions, 0.0001 is 0.01 %"));
        }
        rates.push((time, rate));
        Ok(())
    })?;
    Ok(Table { rows: rates, interval: None })
}

/// A row as it stands in the file.
struct Whole<'a> {
    number: usize,
    text: &'a [u8],
    /// Where its close time is, if it has one.
    closes: Option<usize>,
}

impl Whole<'_> {
    /// The length of its bar in milliseconds, where the close time tells it: the last instant of the bar.
    fn length(&self, open: Time) -> Option<i64> {
        let field = self.text.split(|byte| *byte == b',').nth(self.closes?)?;
        let width_ms = time(field).ok()?.ms() - open.ms();
        // Some recorders write the first instant of the next bar.
        [width_ms + 1, width_ms].into_iter().find(|length_ms| *length_ms > 0 && length_ms % 1000 == 0)
    }
}

/// Hands every row to `take`: its time, which is that of the first column, the fields of `columns`, and all
/// of it. Times ascend, every row has as many fields as the first, and there is at least one.
fn rows<const N: usize>(
    reader: &mut dyn Read,
    columns: &[Column; N],
    mut take: impl FnMut(Time, [&[u8]; N], &Whole<'_>) -> Result<(), String>,
) -> Result<(), Fault> {
    let mut lines = Lines::new(reader);
    let mut places = columns.each_ref().map(|column| column.place);
    let mut closes = Some(CLOSE_TIME.place);
    let (mut width, mut last, mut blank) = (None, None, None);
    while let Some(line) = lines.next()? {
        let at = |problem: String| Fault::Line { line: line.number, problem };
        if let Some(line) = blank.filter(|_| !line.text.trim_ascii().is_empty()) {
            return Err(Fault::Line { line, problem: "is empty, and rows follow".into() });
        }
        let text = match line.number {
            1 => line.text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line.text),
            _ => line.text,
        };
        if line.number == 1 && text.first().is_some_and(u8::is_ascii_alphabetic) {
            let names = names(&String::from_utf8_lossy(text));
            places = from_header(&names, columns).map_err(at)?;
            closes = CLOSE_TIME.in_header(&names);
            continue;
        }
        if text.trim_ascii().is_empty() {
            blank = blank.or(Some(line.number));
            continue;
        }
        let (fields, count) = split(text, &places);
        let wanted = *width.get_or_insert(count);
        if count != wanted {
            return Err(at(uneven(count, wanted, line.ended)));
        }
        let whole = Whole { number: line.number, text, closes };
        let row = row(columns, fields, last).and_then(|time| take(time, fields, &whole).map(|()| time));
        last = match row {
            Ok(time) => Some(time),
            Err(_) if std::str::from_utf8(line.text).is_err() => {
                return Err(at("is not text: the file is damaged, or no CSV".into()));
            }
            Err(problem) => return Err(at(problem)),
        };
    }
    match last {
        Some(_) => Ok(()),
        None => Err(Fault::Io(io::Error::new(io::ErrorKind::InvalidInput, "holds no rows"))),
    }
}

/// The time of a row, which comes after the one before.
fn row<const N: usize>(
    columns: &[Column; N],
    fields: [&[u8]; N],
    last: Option<Time>,
) -> Result<Time, String> {
    if let Some(at) = fields.iter().position(|field| field.trim_ascii().is_empty()) {
        return Err(format!("{} is empty", columns.get(at).map_or("a field", Column::name)));
    }
    let time = time(fields.first().copied().unwrap_or_default())?;
    match last {
        Some(last) if last == time => Err(format!("repeats the time {time}")),
        Some(last) if last > time => {
            Err(format!("goes back in time from {last} to {time}: sort the file by time"))
        }
        _ => Ok(time),
    }
}

#[cold]
fn uneven(count: usize, wanted: usize, ended: bool) -> String {
    match !ended && count < wanted {
        true => "is half written: remove it, or download the file again".to_owned(),
        false => format!("has {count} fields where the lines before have {wanted}"),
    }
}

fn names(header: &str) -> Vec<String> {
    header.split(',').map(|name| name.trim().to_ascii_lowercase()).collect()
}

fn from_header<const N: usize>(names: &[String], columns: &[Column; N]) -> Result<[usize; N], String> {
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        *place = column.in_header(names).ok_or_else(|| {
            format!("the header has no column {}: it is no file of this kind", column.name())
        })?;
    }
    Ok(places)
}

/// The fields at `places`, and how many there are in all. Behind the last one that is wanted commas are only
/// counted, which is much faster.
#[inline]
fn split<'a, const N: usize>(line: &'a [u8], places: &[usize; N]) -> ([&'a [u8]; N], usize) {
    let last = places.iter().copied().max().unwrap_or_default();
    let mut fields = [b"".as_slice(); N];
    let (mut rest, mut count) = (line, 0);
    loop {
        let end = rest.iter().position(|byte| *byte == b',');
        let field = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        for (place, slot) in places.iter().zip(fields.iter_mut()) {
            if *place == count {
                *slot = field;
            }
        }
        count += 1;
        let Some(end) = end else { return (fields, count) };
        rest = rest.get(end + 1..).unwrap_or_default();
        if count > last {
            return (fields, count + 1 + memchr::memchr_iter(b',', rest).count());
        }
    }
}
