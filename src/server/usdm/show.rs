//! Orders and executions in the exchange's JSON shapes.

use serde_json::{Map, Value, json};

use crate::domain::num::Price;
use crate::domain::order::{OrderKind, OrderStatus};
use crate::sim::matching::{Placed, Trade};

/// Digits after the point of an average price.
const AVERAGE_DIGITS: u32 = 12;

/// How `/sim/state` shows an accepted order.
pub(crate) fn accepted(placed: &Placed) -> Value {
    json!({
        "client_order_id": placed.order.client_id,
        "symbol": placed.order.symbol,
        "side": placed.order.side,
        "reduce_only": placed.order.reduce_only,
        "qty": placed.order.qty,
        "filled_qty": placed.order.filled_qty,
        "avg_price": placed.order.avg_price.map(|price| price.rounded(AVERAGE_DIGITS)),
        "status": status(placed),
        "order_id": placed.order.order_id,
        "at": placed.created,
    })
}

/// The order's status in the exchange's words.
pub(crate) fn status(placed: &Placed) -> &str {
    if placed.self_trade { "EXPIRED_IN_MATCH" } else { placed.order.status.as_str() }
}

/// The answer to placing, changing or cancelling: no average price, no value, no fee.
pub(crate) fn result(placed: &Placed) -> Value {
    let mut shown = common(placed);
    shown.insert("cumQty".into(), json!(placed.order.filled_qty));
    Value::Object(shown)
}

/// The answer to placing without waiting for the outcome: as if nothing had filled yet.
pub(crate) fn acknowledged(placed: &Placed) -> Value {
    let mut early = placed.clone();
    early.order.status = OrderStatus::New;
    early.order.filled_qty = crate::domain::num::Qty::ZERO;
    early.self_trade = false;
    result(&early)
}

/// The answer to a query.
pub(crate) fn queried(placed: &Placed) -> Value {
    let mut shown = common(placed);
    let average = placed.order.avg_price.unwrap_or(Price::ZERO).rounded(AVERAGE_DIGITS);
    shown.insert("avgPrice".into(), json!(average));
    shown.insert("cumQuote".into(), json!(placed.quote_filled));
    shown.insert("time".into(), json!(placed.created.ms()));
    Value::Object(shown)
}

/// A row of all orders.
pub(crate) fn listed(placed: &Placed) -> Value {
    let mut shown = queried(placed);
    if let Value::Object(members) = &mut shown {
        members.insert("cumBase".into(), json!(placed.order.filled_qty));
        members.insert("pair".into(), json!(placed.order.symbol));
    }
    shown
}

fn common(placed: &Placed) -> Map<String, Value> {
    let order = &placed.order;
    let (kind, price, time_in_force) = match placed.kind {
        OrderKind::Market => ("MARKET", Price::ZERO, "GTC"),
        OrderKind::Limit { price, time_in_force } => ("LIMIT", price, time_in_force.as_str()),
    };
    let shown = json!({
        "clientOrderId": order.client_id,
        "executedQty": order.filled_qty,
        "orderId": order.order_id,
        "origQty": order.qty,
        "price": price,
        "reduceOnly": order.reduce_only,
        "side": order.side.as_str(),
        "positionSide": "BOTH",
        "status": status(placed),
        "stopPrice": "0",
        "closePosition": false,
        "symbol": order.symbol,
        "timeInForce": time_in_force,
        "type": kind,
        "origType": kind,
        "updateTime": order.updated.ms(),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": false,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": 0,
    });
    match shown {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// A row of the account's executions.
pub(crate) fn execution(trade: &Trade) -> Value {
    let fill = &trade.fill;
    json!({
        "symbol": fill.symbol,
        "pair": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "side": fill.side.as_str(),
        "positionSide": "BOTH",
        "price": fill.price,
        "qty": fill.qty,
        "quoteQty": fill.notional(),
        "baseQty": fill.qty,
        "realizedPnl": fill.realized,
        "commission": fill.fee,
        "commissionAsset": fill.fee_asset,
        "marginAsset": "USDT",
        "buyer": fill.side == crate::domain::order::Side::Buy,
        "maker": trade.maker,
        "time": fill.at.ms(),
    })
}
