//! Orders as the exchange reports them, and the answers of the setters.

use crate::domain::num::{Price, Qty};
use crate::domain::order::{Order, OrderStatus, Resting};
use crate::wire::binance::request::Call;
use crate::wire::json::{self, Row, WireError};

/// Reads the answer to `POST /fapi/v1/order`. Mean price and quote sum are no longer in it.
pub fn placed(bytes: &[u8]) -> Result<Order, WireError> {
    one(Call::PlaceOrder.name(), bytes)
}

/// Reads the answer to `GET /fapi/v1/order`, which carries the mean price.
pub fn queried(bytes: &[u8]) -> Result<Order, WireError> {
    one(Call::QueryOrder.name(), bytes)
}

/// Reads `GET /fapi/v1/openOrders`. One order that cannot be read spoils the list: an order that we
/// do not see could still fill.
pub fn open_orders(bytes: &[u8]) -> Result<Vec<Order>, WireError> {
    many(Call::OpenOrders.name(), bytes)
}

/// Reads one page of `GET /fapi/v1/allOrders`.
pub fn all_orders(bytes: &[u8]) -> Result<Vec<Order>, WireError> {
    many(Call::AllOrders.name(), bytes)
}

/// Reads of `GET /fapi/v1/openOrders` only what cancelling needs. One row that cannot be read spoils
/// the list here too.
pub fn resting_orders(bytes: &[u8]) -> Result<Vec<Resting>, WireError> {
    resting(Call::OpenOrders.name(), bytes, "clientOrderId", false)
}

/// Reads `GET /fapi/v1/openAlgoOrders`: the orders that wait for a trigger.
pub fn resting_algos(bytes: &[u8]) -> Result<Vec<Resting>, WireError> {
    resting(Call::OpenAlgoOrders.name(), bytes, "clientAlgoId", true)
}

fn resting(
    endpoint: &'static str,
    bytes: &[u8],
    id: &str,
    conditional: bool,
) -> Result<Vec<Resting>, WireError> {
    let json = json::parse(endpoint, bytes)?;
    let one = |item| {
        let row = Row::of(endpoint, item)?;
        Ok(Resting { symbol: row.symbol("symbol")?, client_id: row.word(id)?, conditional })
    };
    Row::list(endpoint, &json)?.iter().map(one).collect()
}

fn one(endpoint: &'static str, bytes: &[u8]) -> Result<Order, WireError> {
    let json = json::parse(endpoint, bytes)?;
    order(Row::of(endpoint, &json)?)
}

fn many(endpoint: &'static str, bytes: &[u8]) -> Result<Vec<Order>, WireError> {
    let json = json::parse(endpoint, bytes)?;
    Row::list(endpoint, &json)?.iter().map(|item| order(Row::of(endpoint, item)?)).collect()
}

fn order(row: Row<'_, '_>) -> Result<Order, WireError> {
    let avg_price: Option<Price> = row.optional_amount("avgPrice")?;
    let filled_qty: Qty = row.not_negative("executedQty")?;
    if avg_price.is_some_and(|price| price.is_negative()) {
        return Err(row.wrong("avgPrice", "is negative"));
    }
    Ok(Order {
        symbol: row.symbol("symbol")?,
        order_id: row.int("orderId")?,
        client_id: row.word("clientOrderId")?,
        side: row.text("side")?.parse().map_err(|_| row.wrong("side", "is neither BUY nor SELL"))?,
        // `closePosition` orders carry no quantity of their own.
        qty: row.not_negative("origQty")?,
        filled_qty,
        avg_price: avg_price.filter(Price::is_positive),
        status: OrderStatus::read(&row.word("status")?),
        reduce_only: row.flag("reduceOnly")?,
        updated: row.time("updateTime")?,
    })
}

/// Reads the answer to `POST /fapi/v1/leverage`: the leverage now set.
pub fn leverage_set(bytes: &[u8]) -> Result<u32, WireError> {
    let endpoint = Call::SetLeverage.name();
    let json = json::parse(endpoint, bytes)?;
    Row::of(endpoint, &json)?.small("leverage")
}
