//! Spot orders: as they are asked for, and as the exchange reports them.

use crate::domain::num::{Notional, Price, Qty};
use crate::domain::order::{Order, OrderKind, OrderRequest, OrderStatus, Resting, Side};
use crate::domain::time::Time;
use crate::wire::binance::request::{Call, Request};
use crate::wire::json::{self, Row, WireError};

/// Sends `order`. Spot knows no reduce-only: a sale can only take away what is there.
#[must_use]
pub fn place(order: &OrderRequest) -> Request {
    let request =
        Request::new(Call::SpotPlaceOrder).with("symbol", &order.symbol).with("side", order.side.as_str());
    let request = match &order.kind {
        OrderKind::Market => request.with("type", "MARKET"),
        OrderKind::Limit { price, time_in_force } => {
            request.with("type", "LIMIT").with("timeInForce", time_in_force.as_str()).with("price", price)
        }
    };
    request
        .with("quantity", order.qty)
        .with("newClientOrderId", &order.client_id)
        .with("newOrderRespType", "FULL")
}

/// Reads the answer to `POST /api/v3/order`, whose executions must add up to what it says was filled.
pub fn placed(bytes: &[u8]) -> Result<Order, WireError> {
    let endpoint = Call::SpotPlaceOrder.name();
    let json = json::parse(endpoint, bytes)?;
    let row = Row::of(endpoint, &json)?;
    let order = order(row, "transactTime")?;
    if row.get("fills").is_some() {
        let mut filled = Qty::ZERO;
        for item in row.items("fills")? {
            filled += Row::of(endpoint, item)?.positive::<_>("qty")?;
        }
        if filled != order.filled_qty {
            return Err(row.wrong("fills", "do not add up to `executedQty`"));
        }
    }
    Ok(order)
}

/// Reads the answer to `GET /api/v3/order`.
pub fn queried(bytes: &[u8]) -> Result<Order, WireError> {
    let endpoint = Call::SpotQueryOrder.name();
    let json = json::parse(endpoint, bytes)?;
    order(Row::of(endpoint, &json)?, "updateTime")
}

/// Reads `GET /api/v3/openOrders`. One order that cannot be read spoils the list: an order that we do not
/// see could still fill.
pub fn open_orders(bytes: &[u8]) -> Result<Vec<Order>, WireError> {
    let endpoint = Call::SpotOpenOrders.name();
    let json = json::parse(endpoint, bytes)?;
    Row::list(endpoint, &json)?.iter().map(|item| order(Row::of(endpoint, item)?, "updateTime")).collect()
}

/// Reads of `GET /api/v3/openOrders` only what cancelling needs. One row that cannot be read spoils the
/// list here too. Orders that wait for a trigger are among them, and cancelled like all others.
pub fn resting_orders(bytes: &[u8]) -> Result<Vec<Resting>, WireError> {
    let endpoint = Call::SpotOpenOrders.name();
    let json = json::parse(endpoint, bytes)?;
    let one = |item| {
        let row = Row::of(endpoint, item)?;
        let (symbol, client_id) = (row.symbol("symbol")?, row.word("clientOrderId")?);
        Ok(Resting { symbol, client_id, conditional: false })
    };
    Row::list(endpoint, &json)?.iter().map(one).collect()
}

/// Reads one page of `GET /api/v3/allOrders`: each order with the time it was made.
pub fn all_orders(bytes: &[u8]) -> Result<Vec<(Time, Order)>, WireError> {
    let endpoint = Call::SpotAllOrders.name();
    let json = json::parse(endpoint, bytes)?;
    let one = |item| {
        let row = Row::of(endpoint, item)?;
        Ok((row.time("time")?, order(row, "updateTime")?))
    };
    Row::list(endpoint, &json)?.iter().map(one).collect()
}

fn order(row: Row<'_, '_>, updated: &str) -> Result<Order, WireError> {
    let filled_qty: Qty = row.not_negative("executedQty")?;
    // Sic. Negative on orders so old that nobody knows any more.
    let worth: Notional = row.amount("cummulativeQuoteQty")?;
    let avg_price = worth.over_qty(filled_qty).filter(Price::is_positive);
    let side: Side = row.text("side")?.parse().map_err(|_| row.wrong("side", "is neither BUY nor SELL"))?;
    Ok(Order {
        symbol: row.symbol("symbol")?,
        order_id: row.int("orderId")?,
        client_id: row.word("clientOrderId")?,
        side,
        // Orders by value carry no quantity of their own.
        qty: row.not_negative("origQty")?,
        filled_qty,
        avg_price,
        status: OrderStatus::read(&row.word("status")?),
        reduce_only: side == Side::Sell,
        updated: row.time(updated)?,
    })
}
