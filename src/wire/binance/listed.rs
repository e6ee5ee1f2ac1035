//! Lists of market data: what could be read of them, and the rows that could not.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::symbol::Symbol;
use crate::wire::json::{Json, Row, WireError};
use crate::wire::text;

/// A row that could not be read, and why. The rest of its list is fine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What the row calls itself; empty where it does not.
    pub symbol: String,
    /// Endpoint, field and what is wrong.
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.symbol.is_empty() {
            return f.write_str(&self.detail);
        }
        write!(f, "{}: {}", self.symbol, self.detail)
    }
}

/// What could be read of a list, and what could not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// By contract.
    pub rows: BTreeMap<Symbol, T>,
    /// The rows left out.
    pub problems: Vec<Problem>,
}

/// Reads a list row by row. A row for which `read` says `None` is absent without being a problem;
/// a contract that is listed twice is left out, since nobody can say which row is true.
pub(in crate::wire::binance) fn listed<T>(
    endpoint: &'static str,
    items: &[Json<'_>],
    read: impl Fn(Row<'_, '_>) -> Result<Option<(Symbol, T)>, WireError>,
) -> Listed<T> {
    let mut rows = BTreeMap::new();
    let mut problems = Vec::new();
    let mut twice = Vec::new();
    for item in items {
        match Row::of(endpoint, item).and_then(&read) {
            Ok(Some((symbol, row))) => {
                if rows.insert(symbol.clone(), row).is_some() {
                    twice.push(symbol);
                }
            }
            Ok(None) => {}
            Err(error) => problems.push(Problem { symbol: own_name(item), detail: error.to_string() }),
        }
    }
    for symbol in twice {
        if rows.remove(&symbol).is_some() {
            let detail = format!("{endpoint}: listed more than once");
            problems.push(Problem { symbol: symbol.to_string(), detail });
        }
    }
    Listed { rows, problems }
}

fn own_name(item: &Json<'_>) -> String {
    match item {
        Json::Object(object) => match object.get("symbol") {
            Some(Json::Text(name)) => text::word(name),
            _ => String::new(),
        },
        _ => String::new(),
    }
}
