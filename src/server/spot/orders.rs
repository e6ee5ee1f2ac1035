//! Placing, cancelling and querying orders.

use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::order::{OrderKind, Side, TimeInForce};
use crate::domain::time::Time;
use crate::server::core::{Core, page};
use crate::server::limits::{self, SPOT_ORDERS_1D, SPOT_ORDERS_10S};
use crate::server::params::{Params, not_valid};
use crate::server::spot::account;
use crate::server::spot::show;
use crate::sim::refusal::Refusal;
use crate::sim::spot::orders::{Request, Size};

/// Queries with times span no more.
const DAY: Duration = Duration::from_secs(86_400);

/// Reads an order, refusing what does not belong into one.
fn read_order(core: &Core, params: &Params) -> Result<Request, Refusal> {
    let symbol = params.need_symbol()?;
    core.spot.pair(&symbol)?;
    let side: Side = params.need("side")?.parse().map_err(|_| Refusal::of(-1117))?;
    let word = params.need("type")?;
    if ["LIMIT", "LIMIT_MAKER", "MARKET"].contains(&word) {
        params.without("stopPrice")?;
        params.without("trailingDelta")?;
    }
    let limit = |time_in_force| -> Result<(Size, OrderKind), Refusal> {
        params.without("quoteOrderQty")?;
        let size = Size::Base(params.need_amount("quantity")?);
        Ok((size, OrderKind::Limit { price: params.need_amount("price")?, time_in_force }))
    };
    let (size, kind) = match word {
        "MARKET" => {
            params.without("timeInForce")?;
            params.without("price")?;
            (market_size(params)?, OrderKind::Market)
        }
        "LIMIT" => limit(match params.need("timeInForce")? {
            "GTC" => TimeInForce::Gtc,
            "IOC" => TimeInForce::Ioc,
            "FOK" => TimeInForce::Fok,
            _ => return Err(Refusal::of(-1115)),
        })?,
        "LIMIT_MAKER" => {
            params.without("timeInForce")?;
            limit(TimeInForce::Gtx)?
        }
        "STOP_LOSS" | "STOP_LOSS_LIMIT" | "TAKE_PROFIT" | "TAKE_PROFIT_LIMIT" => {
            return Err(Refusal::saying(-1020, "This exchange does not simulate spot's conditional orders."));
        }
        _ => return Err(Refusal::of(-1116)),
    };
    let client_id = client_id(core, params.get("newClientOrderId"));
    Ok(Request { symbol, side, size, kind, client_id })
}

/// Either quantity or amount, not both.
fn market_size(params: &Params) -> Result<Size, Refusal> {
    match (params.amount("quantity")?, params.amount("quoteOrderQty")?) {
        (Some(_), Some(_)) => params.without("quoteOrderQty").map(|()| Size::Base(Default::default())),
        (Some(qty), None) => Ok(Size::Base(qty)),
        (None, Some(amount)) => Ok(Size::Quote(amount)),
        (None, None) => Err(Refusal::saying(
            -1102,
            "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!",
        )),
    }
}

/// The sender's id, or one of the server's own.
fn client_id(core: &Core, sent: Option<&str>) -> String {
    let own = || format!("s{:021x}", (core.served() << 20) + core.spot.accepted_count());
    sent.map_or_else(own, str::to_owned)
}

/// How much of the outcome is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Ack,
    Result,
    Full,
}

fn told(params: &Params) -> Result<Told, Refusal> {
    match params.get("newOrderRespType") {
        None if params.get("type") == Some("LIMIT_MAKER") => Ok(Told::Ack),
        None | Some("FULL") => Ok(Told::Full),
        Some("RESULT") => Ok(Told::Result),
        Some("ACK") => Ok(Told::Ack),
        Some(_) => Err(not_valid("newOrderRespType")),
    }
}

pub(super) fn place(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let told = told(params)?;
    let request = read_order(core, params)?;
    let placed = core.spot.place_partly(&core.exchange, &request, core.fill_fraction)?;
    if placed.order.filled_qty.is_positive() {
        core.limits(limits::Side::Spot).give_back();
    }
    Ok(match told {
        Told::Ack => show::acknowledged(&placed),
        Told::Result => Value::Object(show::result(&placed)),
        Told::Full => show::full(&placed, &core.spot.trades_of(&placed)),
    })
}

pub(super) fn test(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    told(params)?;
    let request = read_order(core, params)?;
    core.spot.test_order(&core.exchange, &request)?;
    if params.flag("computeCommissionRates")? == Some(true) {
        return Ok(account::rates(core, "standardCommissionForOrder"));
    }
    Ok(json!({}))
}

pub(super) fn query(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.spot.pair(&symbol)?;
    let now = core.exchange.now();
    core.spot.order(&symbol, params.which()?, now).map(show::queried)
}

pub(super) fn cancel(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.spot.pair(&symbol)?;
    let id = client_id(core, params.get("newClientOrderId"));
    let placed = core.spot.cancel(&core.exchange, &symbol, params.which()?)?;
    Ok(show::cancelled(&placed, &id))
}

pub(super) fn cancel_all(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    let id = client_id(core, None);
    let placed = core.spot.cancel_all(&core.exchange, &symbol)?;
    Ok(placed.iter().map(|placed| show::cancelled(placed, &id)).collect())
}

pub(super) fn open_orders(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.symbol()?;
    if let Some(symbol) = &symbol {
        core.spot.pair(symbol)?;
    }
    Ok(core.spot.open_orders(symbol.as_ref()).into_iter().map(show::queried).collect())
}

/// The span that a query covers, where it names one: at most a day.
fn span(core: &Core, params: &Params) -> Result<Option<(Time, Time)>, Refusal> {
    let now = core.exchange.now();
    let span = match (params.time("startTime")?, params.time("endTime")?) {
        (None, None) => return Ok(None),
        (Some(from), Some(to)) => (from, to),
        (Some(from), None) => (from, now.min(from + DAY)),
        (None, Some(to)) => (to - DAY, to),
    };
    if span.1.since(span.0) > DAY {
        return Err(Refusal::saying(-1127, "More than 24 hours between startTime and endTime."));
    }
    Ok(Some(span))
}

pub(super) fn all_orders(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.spot.pair(&symbol)?;
    let limit = params.limit(500, 1000)?;
    let least = params.int("orderId")?;
    let timed = span(core, params)?;
    let now = core.exchange.now();
    let (from, to) = timed.unwrap_or((Time::default(), now));
    let mut rows = core.spot.orders(&symbol, from, to, now);
    rows.retain(|placed| least.is_none_or(|least| placed.order.order_id >= least));
    let from_start = least.is_some() || params.get("startTime").is_some();
    Ok(page(rows, limit, from_start).into_iter().map(show::queried).collect())
}

pub(super) fn my_trades(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.spot.pair(&symbol)?;
    let limit = params.limit(500, 1000)?;
    let (order, first) = (params.int("orderId")?, params.int("fromId")?);
    let timed = span(core, params)?;
    if timed.is_some() && (order.is_some() || first.is_some()) {
        return Err(Refusal::saying(-1128, "Combination of optional parameters invalid."));
    }
    let (from, to) = timed.unwrap_or((Time::default(), core.exchange.now()));
    let mut rows = core.spot.trades(Some(&symbol));
    rows.retain(|trade| {
        first.is_none_or(|first| trade.fill.trade_id >= first)
            && order.is_none_or(|order| trade.fill.order_id == order)
            && (from..=to).contains(&trade.fill.at)
    });
    let from_start = first.is_some() || params.get("startTime").is_some();
    Ok(page(rows, limit, from_start).into_iter().map(show::execution).collect())
}

pub(super) fn order_limits(core: &mut Core, _: &Params) -> Result<Value, Refusal> {
    let (ten, day) = core.limits(limits::Side::Spot).order_counts();
    let row = |interval: &str, number: u32, limit: u32, count: u32| {
        json!({"rateLimitType": "ORDERS", "interval": interval, "intervalNum": number, "limit": limit,
               "count": count})
    };
    Ok(json!([row("SECOND", 10, SPOT_ORDERS_10S, ten), row("DAY", 1, SPOT_ORDERS_1D, day)]))
}
