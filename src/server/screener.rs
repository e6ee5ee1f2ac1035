//! TradingView's dialect: the simulated market as its screener would rank it, beside some strangers
//! that only a filter keeps away.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::num::{Amount, Rate};
use crate::server::core::{Answer, Call, Core};
use crate::sim::fault::Action;
use crate::sim::prices::Prices;
use crate::sim::{Exchange, Listed};
use crate::wire::tradingview::coin_of;

/// Every field of a pair; those that nobody computes here are null in every row.
const PAIR_FIELDS: &[&str] = &[
    "name",
    "exchange",
    "type",
    "typespecs",
    "base_currency",
    "currency",
    "close",
    "high",
    "low",
    "24h_vol|5",
    "24h_vol_change|5",
    "24h_close_change|5",
    "volume",
    "bid",
    "ask",
    "bid_ask_spread_pct",
    "Volatility.D",
    "average_volume_10d_calc_usd",
    "market_cap_calc",
    "crypto_common_categories",
    "centralization",
    "update_mode",
];

/// Every field of a coin.
const COIN_FIELDS: &[&str] = &[
    "name",
    "base_currency",
    "crypto_total_rank",
    "market_cap_calc",
    "24h_vol_cmc",
    "crypto_common_categories",
    "update_mode",
];

/// One row before columns are chosen: its ticker and the fields that are not null.
struct Record {
    ticker: String,
    fields: BTreeMap<&'static str, Value>,
}

impl Record {
    fn field(&self, name: &str) -> &Value {
        self.fields.get(name).unwrap_or(&Value::Null)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    markets: Vec<String>,
    columns: Vec<String>,
    #[serde(default)]
    filter: Vec<Filter>,
    sort: Option<Sort>,
    range: Option<(usize, usize)>,
    #[serde(default)]
    ignore_unknown_fields: bool,
    /// Read for being JSON, and otherwise not needed here.
    #[serde(default, rename = "symbols")]
    _symbols: Value,
    #[serde(default, rename = "options")]
    _options: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    left: String,
    operation: String,
    #[serde(default)]
    right: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Sort {
    sort_by: String,
    sort_order: String,
    #[serde(default)]
    nulls_first: bool,
}

/// The answer to a question of this dialect; `None` where the path is another's.
pub(crate) fn answer(core: &mut Core, call: &Call) -> Option<Answer> {
    let (market, fields) = match (call.method.as_str(), call.path.as_str()) {
        ("POST", "/crypto/scan") => ("crypto", PAIR_FIELDS),
        ("POST", "/coin/scan") => ("coin", COIN_FIELDS),
        _ => return None,
    };
    core.note(call, 0);
    if let Some(Action::Reject(code)) = call.fault {
        return Some(refused(&format!("Rejected by a fault ({code})")));
    }
    let rows = if market == "crypto" { pairs(&core.exchange) } else { coins(&core.exchange) };
    Some(match select(market, fields, rows, &call.body) {
        Ok(shown) => Answer::json(200, &shown),
        Err(error) => refused(&error),
    })
}

fn refused(error: &str) -> Answer {
    Answer::json(400, &json!({"totalCount": 0, "error": error, "data": Value::Null}))
}

/// Filters, sorts and cuts `rows` as the body asks, and shows the columns it names.
fn select(market: &str, known: &[&str], rows: Vec<Record>, body: &[u8]) -> Result<Value, String> {
    let mut question: Question =
        serde_json::from_slice(body).map_err(|error| format!("Bad request: {error}"))?;
    if question.markets != [market] {
        return Err(format!("Markets must be [\"{market}\"] here"));
    }
    let is_known = |field: &str| known.contains(&field);
    if question.ignore_unknown_fields {
        question.filter.retain(|filter| is_known(&filter.left));
        question.sort = question.sort.filter(|sort| is_known(&sort.sort_by));
    } else {
        let columns = question.columns.iter().map(String::as_str);
        let filters = question.filter.iter().map(|filter| filter.left.as_str());
        let mut asked = columns.chain(filters).chain(question.sort.iter().map(|sort| sort.sort_by.as_str()));
        if let Some(unknown) = asked.find(|field| !is_known(field)) {
            return Err(format!("Unknown field \"{unknown}\""));
        }
    }
    let (from, to) = question.range.unwrap_or((0, 50));
    if from > to {
        return Err("Wrong range".to_owned());
    }
    let mut found = Vec::new();
    for row in rows {
        let mut passes = true;
        for filter in &question.filter {
            passes &= filter.passes(row.field(&filter.left))?;
        }
        if passes {
            found.push(row);
        }
    }
    if let Some(sort) = &question.sort {
        let descending = match sort.sort_order.as_str() {
            "asc" => false,
            "desc" => true,
            other => return Err(format!("Wrong sort order \"{other}\"")),
        };
        found.sort_by(|a, b| sort.order(descending, a.field(&sort.sort_by), b.field(&sort.sort_by)));
    }
    let shown = found.iter().skip(from).take(to - from).map(|row| {
        let values: Vec<&Value> = question.columns.iter().map(|column| row.field(column)).collect();
        json!({"s": row.ticker, "d": values})
    });
    Ok(json!({"totalCount": found.len(), "data": shown.collect::<Vec<_>>()}))
}

impl Filter {
    fn passes(&self, value: &Value) -> Result<bool, String> {
        let wanted = &self.right;
        let compared = compare(value, wanted);
        Ok(match self.operation.as_str() {
            "equal" => compared == Some(Ordering::Equal),
            "nequal" => compared != Some(Ordering::Equal),
            "greater" => compared == Some(Ordering::Greater),
            "egreater" => compared.is_some_and(Ordering::is_ge),
            "less" => compared == Some(Ordering::Less),
            "eless" => compared.is_some_and(Ordering::is_le),
            "empty" => value.is_null(),
            "nempty" => !value.is_null(),
            "has" => self.listed()?.iter().any(|wanted| holds(value, wanted)),
            "has_none_of" => !self.listed()?.iter().any(|wanted| holds(value, wanted)),
            "in_range" => match self.listed()? {
                [low, high] if low.is_number() => {
                    let least = compare(value, low).is_some_and(Ordering::is_ge);
                    least && compare(value, high).is_some_and(Ordering::is_le)
                }
                any_of => any_of.contains(value),
            },
            other => return Err(format!("Unknown operation \"{other}\"")),
        })
    }

    fn listed(&self) -> Result<&[Value], String> {
        match &self.right {
            Value::Array(items) => Ok(items),
            _ => Err(format!("\"{}\" wants a list", self.operation)),
        }
    }
}

fn holds(set: &Value, wanted: &Value) -> bool {
    set.as_array().is_some_and(|items| items.contains(wanted))
}

/// The order of two numbers or two texts; `None` for anything else.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

impl Sort {
    fn order(&self, descending: bool, a: &Value, b: &Value) -> Ordering {
        let nulls_last = if self.nulls_first { Ordering::Less } else { Ordering::Greater };
        match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => nulls_last,
            (false, true) => nulls_last.reverse(),
            (false, false) => {
                let order = compare(a, b).unwrap_or(Ordering::Equal);
                if descending { order.reverse() } else { order }
            }
        }
    }
}

fn pair(exchange: &str, name: &str, kind: &str, base: &str, currency: &str) -> Record {
    let typespecs = if kind == "swap" { json!(["crypto", "perpetual"]) } else { json!(["crypto"]) };
    Record {
        ticker: format!("{exchange}:{name}"),
        fields: BTreeMap::from([
            ("name", json!(name)),
            ("exchange", json!(exchange)),
            ("type", json!(kind)),
            ("typespecs", typespecs),
            ("base_currency", json!(base)),
            ("currency", json!(currency)),
            ("centralization", json!("cex")),
            ("update_mode", json!("streaming")),
        ]),
    }
}

/// Every contract with a price, a spot pair for every coin that has one, and the strangers.
fn pairs(exchange: &Exchange) -> Vec<Record> {
    let mut rows = Vec::new();
    for (symbol, listed) in &exchange.world().listing {
        let rules = &listed.rules;
        let Some(day) = exchange.day(symbol) else { continue };
        let mut contract = pair("BINANCE", &format!("{symbol}.P"), "swap", &rules.base, &rules.quote);
        let fields = &mut contract.fields;
        fields.insert("close", float(day.last));
        fields.insert("high", float(day.high));
        fields.insert("low", float(day.low));
        fields.insert("average_volume_10d_calc_usd", float(listed.shape.daily_volume));
        fields.insert("Volatility.D", json!(listed.shape.annual_vol.approx() * 100.0 / 365.0_f64.sqrt()));
        let change = day.last.over(day.open).map(|ratio| (ratio - Rate::ONE) * Rate::from(100));
        // A contract that trades no more has no volume, which is not the same as one of zero.
        if Listed::is_live_status(&exchange.status(symbol)) {
            fields.insert("24h_vol|5", float(day.quote_volume));
            fields.insert("24h_close_change|5", change.map_or(Value::Null, float));
            fields.insert("volume", float(day.volume));
        }
        if let Some(quote) = exchange.quote(symbol) {
            fields.insert("bid", float(quote.bid));
            fields.insert("ask", float(quote.ask));
            let percent = quote.spread_bps().map(|bps| bps * Rate::new(1, 2));
            fields.insert("bid_ask_spread_pct", percent.map_or(Value::Null, float));
        }
        let is_coin = rules.underlying == "COIN" && coin_of(&rules.base) == rules.base;
        if is_coin && Listed::is_live_status(&exchange.status(symbol)) {
            let mut spot = pair("BINANCE", symbol.as_str(), "spot", &rules.base, &rules.quote);
            spot.fields.insert("close", float(day.last));
            spot.fields.insert("24h_vol|5", float(day.quote_volume * Rate::new(4, 1)));
            rows.push(spot);
        }
        rows.push(contract);
    }
    if let Prices::Synthetic { .. } = exchange.world().prices {
        rows.extend(strangers());
    }
    rows
}

/// What the real list holds too: other exchanges, other margins, dated futures, and a contract that
/// the exchange itself does not list.
fn strangers() -> impl Iterator<Item = Record> {
    [
        ("BINANCE", "BTCUSD.P", "swap", "BTC", "USD", 2.1e9),
        ("BINANCE", "BTCUSDTH2026", "futures", "BTC", "USDT", 3.1e8),
        ("BINANCE", "BTCFDUSD", "spot", "BTC", "FDUSD", 6.2e8),
        ("BINANCE", "VANISHEDUSDT.P", "swap", "VANISHED", "USDT", 5.3e7),
        ("BINANCEUS", "BTCUSDT", "spot", "BTC", "USDT", 8.0e6),
        ("BYBIT", "BTCUSDT.P", "swap", "BTC", "USDT", 9.1e9),
    ]
    .into_iter()
    .map(|(exchange, name, kind, base, currency, volume)| {
        let mut row = pair(exchange, name, kind, base, currency);
        row.fields.insert("24h_vol|5", json!(volume));
        row
    })
}

/// One row per coin, ranked by what is traded of it, with two stablecoins and a small namesake.
fn coins(exchange: &Exchange) -> Vec<Record> {
    let listing = exchange.world().listing.values();
    let mut listed: Vec<&Listed> =
        listing.filter(|listed| listed.rules.underlying == "COIN" && listed.rules.quote == "USDT").collect();
    listed.sort_by(|a, b| {
        b.shape.daily_volume.cmp(&a.shape.daily_volume).then_with(|| a.rules.symbol.cmp(&b.rules.symbol))
    });
    let stable: &[&str] = &["cryptocurrencies", "stablecoins", "fiat-stablecoins"];
    let mut known: Vec<(&str, f64, &[&str])> = vec![("USDT", 6.0e10, stable), ("USDC", 1.2e10, stable)];
    known.extend(listed.iter().map(|listed| {
        let categories = categories(&listed.shape.sector);
        (coin_of(&listed.rules.base), listed.shape.daily_volume.approx() * 2.2, categories)
    }));
    known.push(("ARB", 1_200.0, &["memecoins"]));
    let rows = known.into_iter().enumerate().map(|(index, (coin, volume, categories))| Record {
        ticker: format!("CRYPTO:{coin}USD"),
        fields: BTreeMap::from([
            ("name", json!(format!("{coin}USD"))),
            ("base_currency", json!(coin)),
            ("crypto_total_rank", json!(index + 1)),
            ("market_cap_calc", json!(volume * 20.0)),
            ("24h_vol_cmc", json!(volume)),
            ("crypto_common_categories", if categories.is_empty() { Value::Null } else { json!(categories) }),
            ("update_mode", json!("streaming")),
        ]),
    });
    rows.collect()
}

/// The slugs of a sector, in TradingView's words.
fn categories(sector: &str) -> &'static [&'static str] {
    match sector {
        "AI" => &["cryptocurrencies", "data-management-ai"],
        "MEME" => &["cryptocurrencies", "memecoins", "made-in-america"],
        "RWA" => &["real-world-assets", "defi"],
        "GAMEFI" => &["gaming", "metaverse"],
        "DEFI" => &["cryptocurrencies", "defi", "decentralized-exchange"],
        "L1" => &["cryptocurrencies", "layer-1", "smart-contract-platforms"],
        "L2" => &["cryptocurrencies", "scaling"],
        "INFRA" => &["oracles", "interoperability"],
        "PAYMENT" => &["cryptocurrencies", "payments"],
        _ => &[],
    }
}

fn float<K>(amount: Amount<K>) -> Value {
    json!(amount.approx())
}
