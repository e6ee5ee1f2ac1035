//! A file's text becomes rows; the first thing that is wrong is named with its line.

use std::cell::Cell;
use std::path::Path;
use std::str::FromStr;

use crate::archive::error::ArchiveError;
use crate::domain::market::Bar;
use crate::domain::num::{Price, Qty, Rate};
use crate::domain::time::Time;

/// Rows in ascending time.
pub(crate) type Rows<T> = Vec<(Time, T)>;

/// A recorded price beyond this is an error of the recorder.
const MAX_PRICE: u32 = 1_000_000_000;
/// Times with more digits than this are microseconds.
const MICROSECONDS_FROM: i64 = 100_000_000_000_000;
/// Times below this are seconds, or no times at all: in milliseconds it is March 1973.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// One column: its names in a header, and its place where there is none.
struct Column {
    names: &'static [&'static str],
    place: usize,
}

const KLINE_COLUMNS: [Column; 6] = [
    Column { names: &["open_time"], place: 0 },
    Column { names: &["open"], place: 1 },
    Column { names: &["high"], place: 2 },
    Column { names: &["low"], place: 3 },
    Column { names: &["close"], place: 4 },
    Column { names: &["volume"], place: 5 },
];

const FUNDING_COLUMNS: [Column; 2] = [
    Column { names: &["calc_time", "funding_time", "fundingtime"], place: 0 },
    Column { names: &["last_funding_rate", "funding_rate", "fundingrate"], place: 2 },
];

/// No contract moves so many times its price from one bar to the next; a slipped decimal point does.
const ABSURD_JUMP: u32 = 50;

/// Bars of a file.
pub(crate) fn bars(file: &Path, text: &str) -> Result<Rows<Bar>, ArchiveError> {
    let before: Cell<Option<Price>> = Cell::new(None);
    rows(file, text, &KLINE_COLUMNS, |[time, open, high, low, close, volume]| {
        let bar = Bar {
            open_time: read_time(time)?,
            open: read_price("open", open)?,
            high: read_price("high", high)?,
            low: read_price("low", low)?,
            close: read_price("close", close)?,
            volume: read_number::<Qty>("volume", volume)?,
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
                return Err(format!("the price jumps from {before} to {} in one bar", bar.close));
            }
        }
        Ok((bar.open_time, bar))
    })
}

/// Funding rates of a file.
pub(crate) fn funding(file: &Path, text: &str) -> Result<Rows<Rate>, ArchiveError> {
    rows(file, text, &FUNDING_COLUMNS, |[time, rate]| {
        let rate = read_number::<Rate>("funding rate", rate)?;
        if rate.abs() > Rate::new(5, 1) {
            return Err(format!("funding rate {rate} is absurd: rates are fractions, 0.0001 is 0.01 %"));
        }
        Ok((read_time(time)?, rate))
    })
}

/// Every row read by `read`, from the fields of `columns`, in strictly ascending time.
fn rows<T, const N: usize>(
    file: &Path,
    text: &str,
    columns: &[Column; N],
    read: impl Fn([&str; N]) -> Result<(Time, T), String>,
) -> Result<Rows<T>, ArchiveError> {
    let at = |line: usize, problem: String| ArchiveError::Line { file: file.to_owned(), line, problem };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let complete = text.ends_with('\n');
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line)).peekable();
    let mut places = columns.each_ref().map(|column| column.place);
    if let Some((line, header)) = lines.next_if(|(_, line)| line.starts_with(|c: char| c.is_alphabetic())) {
        places = from_header(header, columns).map_err(|problem| at(line, problem))?;
    }
    let mut width = None;
    let mut rows: Rows<T> = Vec::with_capacity(text.len() / 80);
    while let Some((line, text)) = lines.next() {
        let count = 1 + text.bytes().filter(|byte| *byte == b',').count();
        let wanted = *width.get_or_insert(count);
        if count != wanted {
            let half = lines.peek().is_none() && !complete && count < wanted;
            return Err(at(
                line,
                match half {
                    true => "is half written: remove it, or download the file again".to_owned(),
                    false => format!("has {count} fields where the lines before have {wanted}"),
                },
            ));
        }
        let fields = fields_at(text, &places).map_err(|problem| at(line, problem))?;
        let (time, row) = read(fields).map_err(|problem| at(line, problem))?;
        match rows.last() {
            Some((last, _)) if *last == time => return Err(at(line, format!("repeats the time {time}"))),
            Some((last, _)) if *last > time => {
                return Err(at(
                    line,
                    format!("goes back in time from {last} to {time}: sort the file by time"),
                ));
            }
            _ => rows.push((time, row)),
        }
    }
    if rows.is_empty() {
        return Err(ArchiveError::File { file: file.to_owned(), problem: "holds no rows".into() });
    }
    Ok(rows)
}

fn from_header<const N: usize>(header: &str, columns: &[Column; N]) -> Result<[usize; N], String> {
    let names: Vec<String> = header.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        let found = names.iter().position(|name| column.names.contains(&name.as_str()));
        *place = found.ok_or_else(|| {
            let wanted = column.names.first().copied().unwrap_or_default();
            format!("the header has no column {wanted}: it is no file of this kind")
        })?;
    }
    Ok(places)
}

fn fields_at<'a, const N: usize>(line: &'a str, places: &[usize; N]) -> Result<[&'a str; N], String> {
    let mut fields = [""; N];
    for (index, field) in line.split(',').enumerate() {
        for (place, slot) in places.iter().zip(fields.iter_mut()) {
            if *place == index {
                *slot = field.trim();
            }
        }
    }
    if fields.iter().any(|field| field.is_empty()) {
        return Err("is empty, or a field that is needed is".into());
    }
    Ok(fields)
}

/// Milliseconds, or microseconds by their size.
fn read_time(text: &str) -> Result<Time, String> {
    let refuse = || format!("{:?} is not a time in milliseconds since 1970", cut(text));
    let number: i64 = text.parse().map_err(|_| refuse())?;
    let ms = if number > MICROSECONDS_FROM { number / 1000 } else { number };
    if ms < MILLISECONDS_FROM {
        return Err(refuse());
    }
    Time::from_ms(ms).ok_or_else(refuse)
}

fn read_price(name: &str, text: &str) -> Result<Price, String> {
    let price = read_number::<Price>(name, text)?;
    if !price.is_positive() {
        return Err(format!("{name} {price} is not above zero"));
    }
    if price > Price::from(MAX_PRICE) {
        return Err(format!("{name} {price} is absurd: prices up to {MAX_PRICE} are accepted"));
    }
    Ok(price)
}

fn read_number<T: FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} is not a plain number: {:?}", cut(text)))
}

fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}
