//! TradingView's screener: two questions as JSON, and its answers, row by row.
//!
//! Nothing of this is documented or promised by its makers, so every row is checked for being what
//! was asked for, and one that is not costs itself only.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::num::{Amount, Notional, Price, Rate};
use crate::domain::symbol::Symbol;
use crate::wire::json::{self, Json, Row};
use crate::wire::text;

/// Where pairs are asked for, by POST.
pub const PAIRS_PATH: &str = "/crypto/scan";

/// Where coins are asked for, by POST.
pub const COINS_PATH: &str = "/coin/scan";

/// What is sent beside a question. The site's own pages send these; a named, honest agent is served
/// as well as a browser.
pub const HEADERS: [(&str, &str); 5] = [
    ("content-type", "application/json"),
    ("accept", "application/json"),
    ("origin", "https://www.tradingview.com"),
    ("referer", "https://www.tradingview.com/"),
    ("user-agent", concat!("Mozilla/5.0 (compatible; rebal/", env!("CARGO_PKG_VERSION"), ")")),
];

/// Exclusions and sector caps eat rows, so more are asked for than any basket holds.
const PAIRS_ROWS: u32 = 200;
const COINS_ROWS: u32 = 1000;

/// 24 h volume in USD, from bars of five minutes.
const VOLUME: &str = "24h_vol|5";

const PAIR_COLUMNS: &[&str] = &[
    "name",
    "exchange",
    "type",
    "typespecs",
    "base_currency",
    "currency",
    "close",
    VOLUME,
    "24h_vol_change|5",
    "24h_close_change|5",
    "bid",
    "ask",
    "bid_ask_spread_pct",
    "Volatility.D",
    "average_volume_10d_calc_usd",
    "update_mode",
];
const FEWEST_PAIR_COLUMNS: &[&str] = &["name", VOLUME];

const COIN_COLUMNS: &[&str] =
    &["base_currency", "crypto_total_rank", "market_cap_calc", "24h_vol_cmc", "crypto_common_categories"];
const FEWEST_COIN_COLUMNS: &[&str] = &["crypto_total_rank", "crypto_common_categories"];

/// How much is asked about each row. Columns come and go without notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Everything a person would look at.
    Full,
    /// Only what the result is made of.
    Fewest,
}

impl Columns {
    fn of_pairs(self) -> &'static [&'static str] {
        match self {
            Columns::Full => PAIR_COLUMNS,
            Columns::Fewest => FEWEST_PAIR_COLUMNS,
        }
    }

    fn of_coins(self) -> &'static [&'static str] {
        match self {
            Columns::Full => COIN_COLUMNS,
            Columns::Fewest => FEWEST_COIN_COLUMNS,
        }
    }
}

/// Which of Binance's pairs are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairsAsked {
    /// Spot pairs instead of perpetual contracts.
    pub spot: bool,
    /// What the pairs are priced in.
    pub quote: String,
    /// How much is asked about each.
    pub columns: Columns,
    /// Whether contracts must be marked as perpetual; the suffix `.P` says the same.
    pub marked: bool,
}

impl PairsAsked {
    fn kind(&self) -> &'static str {
        if self.spot { "spot" } else { "swap" }
    }

    /// The body of the question: the 200 most traded pairs, the most traded first.
    #[must_use]
    pub fn body(&self) -> Value {
        let equal = |field: &str, value: &str| json!({"left": field, "operation": "equal", "right": value});
        let mut filter = vec![equal("exchange", "BINANCE"), equal("type", self.kind())];
        if self.marked && !self.spot && self.columns == Columns::Full {
            filter.push(json!({"left": "typespecs", "operation": "has", "right": ["perpetual"]}));
        }
        filter.push(equal("currency", &self.quote));
        filter.push(json!({"left": VOLUME, "operation": "nempty"}));
        json!({
            "markets": ["crypto"],
            "symbols": {"query": {"types": []}, "tickers": []},
            "options": {"lang": "en"},
            "columns": self.columns.of_pairs(),
            "filter": filter,
            "sort": {"sortBy": VOLUME, "sortOrder": "desc", "nullsFirst": false},
            "range": [0, PAIRS_ROWS],
            "ignore_unknown_fields": false,
        })
    }
}

/// The body of the question for the 1000 largest coins and their categories.
#[must_use]
pub fn coins_body(columns: Columns) -> Value {
    json!({
        "markets": ["coin"],
        "symbols": {},
        "options": {"lang": "en"},
        "columns": columns.of_coins(),
        "sort": {"sortBy": "crypto_total_rank", "sortOrder": "asc"},
        "range": [0, COINS_ROWS],
        "ignore_unknown_fields": false,
    })
}

/// One pair as the screener ranks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Binance's name of it.
    pub symbol: Symbol,
    /// 24 h volume in USD; `None` where the screener has none.
    pub volume: Option<Notional>,
    /// `(ask − bid) / mid` as a fraction; `None` where it was not told.
    pub spread: Option<Rate>,
}

/// The pairs of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// In the order sent, each once.
    pub pairs: Vec<Pair>,
    /// Tickers as they came, and why each was dropped.
    pub dropped: Vec<(String, String)>,
}

/// The coins of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coins {
    /// Category slugs by coin, of the largest coin of that name; a coin without any is not there.
    pub categories: BTreeMap<String, Vec<String>>,
    /// Tickers as they came, and why each was dropped.
    pub dropped: Vec<(String, String)>,
}

/// Why an answer holds no rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// A column or filter was asked for that there is not, or not any more.
    #[error("unknown field {0}")]
    UnknownField(String),
    /// Another refusal, in the screener's words.
    #[error("the screener says: {0}")]
    Said(String),
    /// Not an answer of the screener: what was seen instead.
    #[error("{0}")]
    Unreadable(String),
}

/// The coin of a contract's base asset, without a multiplier: `PEPE` of `1000PEPE`.
#[must_use]
pub fn coin_of(base: &str) -> &str {
    let counted = |multiplier: &str| {
        base.strip_prefix(multiplier).filter(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    ["1000000", "1000", "1M"].into_iter().find_map(counted).unwrap_or(base)
}

/// Reads the answer to [`PairsAsked::body`].
///
/// Every row becomes a pair or is dropped with a reason. A missing volume is `None`, never zero.
///
/// # Errors
/// The screener's own error, or something that is no answer of its.
pub fn pairs(bytes: &[u8], asked: &PairsAsked) -> Result<Pairs, ScanError> {
    let json = parse(PAIRS_PATH, bytes)?;
    let mut read = Pairs::default();
    let mut seen = BTreeSet::new();
    for row in rows(PAIRS_PATH, &json)? {
        let (ticker, values) = match cells(PAIRS_PATH, row, asked.columns.of_pairs()) {
            Ok(row) => row,
            Err(dropped) => {
                read.dropped.push(dropped);
                continue;
            }
        };
        let mut fresh = |pair: &Pair| seen.insert(pair.symbol.clone());
        match pair(ticker, &values, asked) {
            Ok(pair) if fresh(&pair) => read.pairs.push(pair),
            Ok(_) => read.dropped.push((text::word(ticker), "it came a second time".into())),
            Err(reason) => read.dropped.push((text::word(ticker), reason)),
        }
    }
    Ok(read)
}

/// Reads the answer to [`coins_body`]. Where several coins share a name the largest one counts.
///
/// # Errors
/// The screener's own error, or something that is no answer of its.
pub fn coins(bytes: &[u8], columns: Columns) -> Result<Coins, ScanError> {
    let json = parse(COINS_PATH, bytes)?;
    let mut dropped = Vec::new();
    let mut best: BTreeMap<String, (Rate, Vec<String>)> = BTreeMap::new();
    for row in rows(COINS_PATH, &json)? {
        let (ticker, values) = match cells(COINS_PATH, row, columns.of_coins()) {
            Ok(row) => row,
            Err(reason) => {
                dropped.push(reason);
                continue;
            }
        };
        let named = match values.get("base_currency") {
            Some(Json::Text(base)) => Some(base.as_ref()),
            _ => ticker.split_once(':').and_then(|(_, name)| name.strip_suffix("USD")),
        };
        let Some(coin) = named.filter(|coin| !coin.is_empty()) else {
            dropped.push((text::word(ticker), "it names no coin".into()));
            continue;
        };
        // A coin without a rank is smaller than every ranked one.
        let rank =
            values.get("crypto_total_rank").and_then(|rank| number(rank)).unwrap_or(Rate::from(u32::MAX));
        let slugs = match values.get("crypto_common_categories") {
            Some(Json::List(items)) => items.iter().filter_map(slug).collect(),
            _ => Vec::new(),
        };
        let coin = text::word(coin);
        if best.get(&coin).is_none_or(|(known, _)| rank < *known) {
            best.insert(coin, (rank, slugs));
        }
    }
    let known = best.into_iter().filter(|(_, (_, slugs))| !slugs.is_empty());
    Ok(Coins { categories: known.map(|(coin, (_, slugs))| (coin, slugs)).collect(), dropped })
}

/// What an answer that is no success says: an unknown field, the screener's words, or what was seen.
#[must_use]
pub fn refusal(bytes: &[u8]) -> ScanError {
    let json = match parse(PAIRS_PATH, bytes) {
        Ok(json) => json,
        Err(error) => return error,
    };
    let said = rows(PAIRS_PATH, &json).err();
    said.unwrap_or_else(|| ScanError::Unreadable("rows under a status that is no success".into()))
}

fn slug(json: &Json<'_>) -> Option<String> {
    match json {
        Json::Text(slug) => Some(text::word(slug)),
        _ => None,
    }
}

/// The whole answer as JSON; an error says what came instead.
fn parse<'a>(endpoint: &'static str, bytes: &'a [u8]) -> Result<Json<'a>, ScanError> {
    json::parse(endpoint, bytes).map_err(|_| ScanError::Unreadable(seen_in(bytes)))
}

/// What there is where JSON was expected.
fn seen_in(bytes: &[u8]) -> String {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let length = bytes.len();
    match (first, serde_json::from_slice::<IgnoredAny>(bytes)) {
        (None, _) => "an empty answer".into(),
        (Some(b'<'), _) => format!("a web page (HTML) of {length} bytes, no JSON"),
        (_, Err(error)) if error.is_eof() => format!("JSON that ends too early, after {length} bytes"),
        (_, Err(error)) => {
            format!("{length} bytes not readable as JSON at line {} column {}", error.line(), error.column())
        }
        (_, Ok(_)) => format!("{length} bytes of JSON with something in them that cannot be read"),
    }
}

/// The rows of an answer, or the error in it.
fn rows<'j, 'a>(endpoint: &'static str, json: &'j Json<'a>) -> Result<&'j [Json<'a>], ScanError> {
    let unreadable = |error: json::WireError| ScanError::Unreadable(format!("JSON, but {}", error.detail));
    let answer = Row::of(endpoint, json).map_err(unreadable)?;
    match answer.get("error") {
        None => answer.items("data").map_err(unreadable),
        Some(Json::Text(said)) => Err(error_in(said)),
        Some(_) => Err(ScanError::Said("an error without words".into())),
    }
}

fn error_in(said: &str) -> ScanError {
    const UNKNOWN: &str = "unknown field";
    let field = said.get(..UNKNOWN.len()).filter(|words| words.eq_ignore_ascii_case(UNKNOWN));
    match field.and_then(|words| said.get(words.len()..)) {
        Some(rest) => {
            let quotes = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ':' | '.');
            ScanError::UnknownField(text::word(rest.trim_matches(quotes)))
        }
        None => ScanError::Said(text::message(said)),
    }
}

/// The values of one row by column.
type Cells<'j, 'a> = BTreeMap<&'static str, &'j Json<'a>>;

/// Ticker and values of one row; else the ticker as far as it is known, and what is wrong.
fn cells<'j, 'a>(
    endpoint: &'static str,
    row: &'j Json<'a>,
    columns: &[&'static str],
) -> Result<(&'j str, Cells<'j, 'a>), (String, String)> {
    let nameless = |error: json::WireError| ("?".to_owned(), error.detail);
    let row = Row::of(endpoint, row).map_err(nameless)?;
    let ticker = row.text("s").map_err(nameless)?;
    let values = row.items("d").map_err(|error| (text::word(ticker), error.detail))?;
    if values.len() != columns.len() {
        let reason = format!("{} values for {} columns", values.len(), columns.len());
        return Err((text::word(ticker), reason));
    }
    Ok((ticker, columns.iter().copied().zip(values).collect()))
}

/// One pair; else why it is none of those asked for.
fn pair(ticker: &str, values: &Cells<'_, '_>, asked: &PairsAsked) -> Result<Pair, String> {
    let symbol = symbol(ticker, asked)?;
    for (column, wanted) in
        [("exchange", "BINANCE"), ("type", asked.kind()), ("currency", asked.quote.as_str())]
    {
        match values.get(column) {
            Some(Json::Text(said)) if said != wanted => {
                return Err(format!("{column} is {}, not {wanted}", text::word(said)));
            }
            _ => {}
        }
    }
    let volume = match values.get(VOLUME) {
        None | Some(Json::Null) => None,
        Some(value) => {
            let volume: Option<Notional> = number(value);
            let volume = volume.filter(|volume| !volume.is_negative());
            Some(volume.ok_or("its 24 h volume is no amount")?)
        }
    };
    Ok(Pair { symbol, volume, spread: spread(values) })
}

/// Binance's name of a ticker: `BTCUSDT` of `BINANCE:BTCUSDT.P`.
fn symbol(ticker: &str, asked: &PairsAsked) -> Result<Symbol, String> {
    let (exchange, name) = ticker.split_once(':').ok_or("it names no exchange")?;
    if exchange != "BINANCE" {
        return Err(format!("of {}, not of BINANCE", text::word(exchange)));
    }
    let name = match (asked.spot, name.strip_suffix(".P")) {
        (false, Some(name)) => name,
        (false, None) => return Err("no perpetual contract: it does not end in .P".into()),
        (true, Some(_)) => return Err("a contract, no spot pair".into()),
        (true, None) => name,
    };
    match name.strip_suffix(asked.quote.as_str()) {
        Some(coin) if !coin.is_empty() => name.parse().map_err(|_| "no name that a contract has".into()),
        _ => Err(format!("not in {}", asked.quote)),
    }
}

/// `(ask − bid) / mid`, from the book or, where that is missing, from the percentage.
fn spread(values: &Cells<'_, '_>) -> Option<Rate> {
    let price = |column| values.get(column).and_then(|value| number::<_>(value)).filter(Price::is_positive);
    match (price("bid"), price("ask")) {
        (Some(bid), Some(ask)) if ask >= bid => (ask - bid).over(bid.mid(ask)),
        _ => {
            let percent: Option<Rate> = values.get("bid_ask_spread_pct").and_then(|value| number(value));
            percent.filter(|percent| !percent.is_negative()).map(|percent| percent * Rate::new(1, 2))
        }
    }
}

/// The amount nearest to a JSON number, exponent or not; `None` where it is none or beyond every amount.
fn number<K>(json: &Json<'_>) -> Option<Amount<K>> {
    /// As many as an amount may have.
    const FRACTION_DIGITS: usize = 28;
    match json {
        Json::Int(value) => value.to_string().parse().ok(),
        Json::Float(value) if value.is_finite() => {
            // Written out, a float has the fewest digits that read back as the same, and no exponent.
            let digits = value.to_string();
            let end = digits.find('.').map_or(digits.len(), |point| point + 1 + FRACTION_DIGITS);
            digits.get(..end).unwrap_or(&digits).parse().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "tradingview_tests.rs"]
mod tests;
