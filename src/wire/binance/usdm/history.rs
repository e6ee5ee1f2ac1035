//! Executions and wallet changes: the exchange's own books, row by row.

use crate::domain::entry::Entry;
use crate::domain::fill::Fill;
use crate::wire::binance::request::Call;
use crate::wire::json::{self, Json, Row, WireError};
use crate::wire::text;

/// Reads one page of `GET /fapi/v1/userTrades`.
pub fn user_trades(bytes: &[u8]) -> Result<Vec<Fill>, WireError> {
    let endpoint = Call::UserTrades.name();
    let json = json::parse(endpoint, bytes)?;
    Row::list(endpoint, &json)?.iter().map(|item| fill(Row::of(endpoint, item)?)).collect()
}

fn fill(row: Row<'_, '_>) -> Result<Fill, WireError> {
    Ok(Fill {
        symbol: row.symbol("symbol")?,
        trade_id: row.int("id")?,
        order_id: row.int("orderId")?,
        side: row.text("side")?.parse().map_err(|_| row.wrong("side", "is neither BUY nor SELL"))?,
        qty: row.positive("qty")?,
        price: row.positive("price")?,
        fee: row.amount("commission")?,
        fee_asset: row.word("commissionAsset")?,
        realized: row.amount("realizedPnl")?,
        fee_cost: crate::domain::num::Notional::ZERO,
        at: row.time("time")?,
    })
}

/// Reads one page of `GET /fapi/v1/income`.
pub fn income(bytes: &[u8]) -> Result<Vec<Entry>, WireError> {
    let endpoint = Call::Income.name();
    let json = json::parse(endpoint, bytes)?;
    Row::list(endpoint, &json)?.iter().map(|item| entry(Row::of(endpoint, item)?)).collect()
}

fn entry(row: Row<'_, '_>) -> Result<Entry, WireError> {
    let optional = |field| match row.get(field) {
        Some(Json::Text(word)) => text::word(word),
        Some(Json::Int(number)) => number.to_string(),
        _ => String::new(),
    };
    let tran_id = match row.get("tranId") {
        Some(Json::Text(digits)) => {
            digits.parse().map_err(|_| row.wrong("tranId", "is not a whole number"))?
        }
        _ => row.int("tranId")?,
    };
    Ok(Entry {
        at: row.time("time")?,
        kind: row.word("incomeType")?,
        symbol: optional("symbol"),
        amount: row.amount("income")?,
        asset: row.word("asset")?,
        tran_id,
        trade_id: optional("tradeId"),
    })
}
