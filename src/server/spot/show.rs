//! Orders, executions and balances in spot's JSON shapes.

use serde_json::{Map, Value, json};

use crate::domain::num::{Amount, Notional, Price};
use crate::domain::order::{OrderKind, OrderStatus, TimeInForce};
use crate::server::core::Core;
use crate::sim::matching::Trade;
use crate::sim::spot::ASSET_DIGITS;
use crate::sim::spot::orders::Placed;

/// A number as spot writes it: eight digits after the point.
pub(crate) fn eight<K>(amount: Amount<K>) -> String {
    if amount.decimals() > ASSET_DIGITS {
        return amount.to_string();
    }
    format!("{amount:.8}")
}

/// The order's status in the exchange's words.
fn status(placed: &Placed) -> &str {
    if placed.self_trade { "EXPIRED_IN_MATCH" } else { placed.order.status.as_str() }
}

/// Everything that any answer about an order carries.
fn common(placed: &Placed) -> Map<String, Value> {
    let order = &placed.order;
    let (kind, price, time_in_force) = match placed.kind {
        OrderKind::Market => ("MARKET", Price::ZERO, "GTC"),
        OrderKind::Limit { price, time_in_force: TimeInForce::Gtx } => ("LIMIT_MAKER", price, "GTC"),
        OrderKind::Limit { price, time_in_force } => ("LIMIT", price, time_in_force.as_str()),
    };
    members(json!({
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": eight(price),
        "origQty": eight(order.qty),
        "executedQty": eight(order.filled_qty),
        "origQuoteOrderQty": eight(placed.asked_quote.unwrap_or(Notional::ZERO)),
        "cummulativeQuoteQty": eight(placed.quote_filled),
        "status": status(placed),
        "timeInForce": time_in_force,
        "type": kind,
        "side": order.side.as_str(),
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }))
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The shortest answer to placing: it arrived.
pub(crate) fn acknowledged(placed: &Placed) -> Value {
    json!({
        "symbol": placed.order.symbol,
        "orderId": placed.order.order_id,
        "orderListId": -1,
        "clientOrderId": placed.order.client_id,
        "transactTime": placed.created.ms(),
    })
}

/// The answer to placing, without the executions.
pub(crate) fn result(placed: &Placed) -> Map<String, Value> {
    let mut shown = common(placed);
    shown.insert("transactTime".into(), json!(placed.order.updated.ms()));
    shown.insert("workingTime".into(), json!(placed.created.ms()));
    shown
}

/// The answer to placing, with the executions.
pub(crate) fn full(placed: &Placed, trades: &[&Trade]) -> Value {
    let mut shown = result(placed);
    let fills = trades.iter().map(|trade| {
        json!({
            "price": eight(trade.fill.price),
            "qty": eight(trade.fill.qty),
            "commission": eight(trade.fill.fee),
            "commissionAsset": trade.fill.fee_asset,
            "tradeId": trade.fill.trade_id,
        })
    });
    shown.insert("fills".into(), fills.collect());
    Value::Object(shown)
}

/// The answer to a query.
pub(crate) fn queried(placed: &Placed) -> Value {
    let mut shown = common(placed);
    for (name, value) in [
        ("stopPrice", json!("0.00000000")),
        ("icebergQty", json!("0.00000000")),
        ("time", json!(placed.created.ms())),
        ("updateTime", json!(placed.order.updated.ms())),
        ("isWorking", json!(true)),
        ("workingTime", json!(placed.created.ms())),
    ] {
        shown.insert(name.into(), value);
    }
    Value::Object(shown)
}

/// The answer to cancelling, which has an id of its own.
pub(crate) fn cancelled(placed: &Placed, cancel_id: &str) -> Value {
    let mut shown = common(placed);
    shown.insert("origClientOrderId".into(), json!(placed.order.client_id));
    shown.insert("clientOrderId".into(), json!(cancel_id));
    shown.insert("transactTime".into(), json!(placed.order.updated.ms()));
    Value::Object(shown)
}

/// A row of the account's executions.
pub(crate) fn execution(trade: &Trade) -> Value {
    let fill = &trade.fill;
    json!({
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": -1,
        "price": eight(fill.price),
        "qty": eight(fill.qty),
        "quoteQty": eight(fill.notional()),
        "commission": eight(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.at.ms(),
        "isBuyer": fill.side == crate::domain::order::Side::Buy,
        "isMaker": trade.maker,
        "isBestMatch": true,
    })
}

/// How `/sim/state` shows an accepted order.
pub(crate) fn accepted(placed: &Placed) -> Value {
    let average = placed.order.avg_price.map(|price| price.rounded(12));
    json!({
        "client_order_id": placed.order.client_id,
        "symbol": placed.order.symbol,
        "side": placed.order.side,
        "qty": placed.order.qty,
        "filled_qty": placed.order.filled_qty,
        "quote_filled": placed.quote_filled,
        "avg_price": average,
        "status": status(placed),
        "open": !OrderStatus::is_final(&placed.order.status),
        "order_id": placed.order.order_id,
        "at": placed.created,
    })
}

/// The spot side of `/sim/state`.
pub(crate) fn state(core: &Core) -> Value {
    let spot = &core.spot;
    let balances = spot
        .balances()
        .iter()
        .map(|(asset, balance)| json!({"asset": asset, "free": balance.free, "locked": balance.locked}));
    let trades = spot.trades(None).into_iter().map(|trade| {
        let fill = &trade.fill;
        json!({"symbol": fill.symbol, "trade_id": fill.trade_id, "order_id": fill.order_id, "side": fill.side,
               "qty": fill.qty, "price": fill.price, "fee": fill.fee, "fee_asset": fill.fee_asset,
               "maker": trade.maker, "at": fill.at})
    });
    json!({
        "value": spot.value(&core.exchange),
        "bnb_burn": spot.burn(),
        "balances": balances.collect::<Vec<Value>>(),
        "orders": spot.accepted_orders().into_iter().map(accepted).collect::<Vec<Value>>(),
        "trades": trades.collect::<Vec<Value>>(),
    })
}
