//! The owner's own sectors: a file of `symbol,sector`.

use std::collections::BTreeMap;

use crate::decide::sector::{NoSuchSector, Sector};
use crate::domain::symbol::Symbol;

/// What is wrong with the owner's file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct OverrideError {
    /// Counted from 1.
    pub line: u64,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Fewer or more than two fields.
    #[error("has {0} fields where a coin and its sector are wanted, with a comma between: BTC,PAYMENT")]
    Fields(usize),
    /// What stands first names no coin.
    #[error("{0:?} names no coin or contract")]
    Name(String),
    /// What stands second names no sector.
    #[error(transparent)]
    Sector(#[from] NoSuchSector),
    /// Two lines disagree.
    #[error("{0} was in {1} before: keep one of the two lines")]
    Twice(String, Sector),
}

/// Reads `symbol,sector`, one coin (`PEPE`) or contract (`1000PEPEUSDT`) a line, in any case; a head,
/// blank lines and lines that begin with `#` are passed over.
///
/// # Errors
/// The first line that is wrong.
pub fn read_overrides(text: &str) -> Result<BTreeMap<String, Sector>, OverrideError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = BTreeMap::new();
    let mut first = true;
    for (number, line) in (1..).zip(text.lines()) {
        let fields = fields(line);
        let empty = fields.iter().all(String::is_empty);
        if empty || line.trim_start().starts_with('#') {
            continue;
        }
        if std::mem::take(&mut first) && is_head(&fields) {
            continue;
        }
        row(&fields, &mut found).map_err(|problem| OverrideError { line: number, problem })?;
    }
    Ok(found)
}

/// One line at a time: the reader would count a record from the blank lines before it.
fn fields(line: &str) -> Vec<String> {
    let mut builder = csv::ReaderBuilder::new();
    let mut reader = builder.has_headers(false).trim(csv::Trim::All).from_reader(line.as_bytes());
    let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
    record.iter().map(str::to_owned).collect()
}

fn is_head(fields: &[String]) -> bool {
    let is = |at: usize, words: &[&str]| {
        fields.get(at).is_some_and(|field| words.iter().any(|word| field.eq_ignore_ascii_case(word)))
    };
    is(0, &["symbol", "coin", "contract"]) && is(1, &["sector"])
}

fn row(fields: &[String], found: &mut BTreeMap<String, Sector>) -> Result<(), Problem> {
    let [name, sector] = fields else { return Err(Problem::Fields(fields.len())) };
    let name = name.to_ascii_uppercase();
    let name = name.parse::<Symbol>().map_err(|error| Problem::Name(error.0))?.to_string();
    let sector: Sector = sector.to_ascii_uppercase().parse()?;
    match found.insert(name.clone(), sector) {
        Some(before) if before != sector => Err(Problem::Twice(name, before)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_people_and_spreadsheets_write_them() {
        let text = "\u{feff}Symbol,Sector\r\n# mine\r\nbtc, l1\r\n\r\n\"1000PEPEUSDT\",\"Meme\"\r\n币安人生USDT,OTHER\r\nBTC,L2";
        let found = read_overrides(text).unwrap();
        let expected =
            [("1000PEPEUSDT", Sector::Meme), ("BTC", Sector::L1L2), ("币安人生USDT", Sector::Other)];
        let expected: BTreeMap<_, _> = expected.into_iter().map(|(name, of)| (name.to_owned(), of)).collect();
        assert_eq!(found, expected);
        for nothing in ["", "\u{feff}", "symbol,sector\n", "# only\n\n,\n"] {
            assert_eq!(read_overrides(nothing), Ok(BTreeMap::new()), "{nothing:?}");
        }
    }

    #[test]
    fn the_first_wrong_line_is_named() {
        for (text, message) in [
            (
                "BTC,L1\n\n# c\nETH,L3\n",
                "line 4: no sector \"L3\": AI, MEME, L1/L2, RWA, DEFI, GAMEFI, INFRA, PAYMENT or OTHER",
            ),
            (
                "BTC;L1\n",
                "line 1: has 1 fields where a coin and its sector are wanted, with a comma between: BTC,PAYMENT",
            ),
            (
                "BTC,L1,x\n",
                "line 1: has 3 fields where a coin and its sector are wanted, with a comma between: BTC,PAYMENT",
            ),
            ("symbol,sector\n=cmd(),AI\n", "line 2: \"=CMD()\" names no coin or contract"),
            (",AI\n", "line 1: \"\" names no coin or contract"),
            ("BTC,AI\nETH,L1\nbtc,MEME\n", "line 3: BTC was in AI before: keep one of the two lines"),
            (
                "BTC,AI\nsymbol,sector\n",
                "line 2: no sector \"SECTOR\": AI, MEME, L1/L2, RWA, DEFI, GAMEFI, INFRA, PAYMENT or OTHER",
            ),
        ] {
            assert_eq!(read_overrides(text).unwrap_err().to_string(), message, "{text:?}");
        }
        assert_eq!(read_overrides("COIN,AI\n").unwrap().len(), 1, "a coin of that name is no head");
        // A quote that is never closed does not swallow the next line.
        assert_eq!(read_overrides("BTC,\"AI\nETH,L1\n").unwrap().len(), 2);
    }
}
