//! Placing, changing, cancelling and querying orders.

use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::num::Price;
use crate::domain::order::{OrderKind, OrderRequest, Side, TimeInForce};
use crate::domain::time::Time;
use crate::server::core::{Core, page};
use crate::server::params::{Params, missing, not_valid};
use crate::server::usdm::show;
use crate::sim::matching::Which;
use crate::sim::refusal::Refusal;

/// The most orders of one batch …
const BATCH: usize = 5;
/// … and the most cancels.
const CANCEL_BATCH: usize = 10;
/// Queries look back this far unless told otherwise, and span no more.
pub(crate) const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// How far executions are kept.
const KEPT: Duration = Duration::from_secs(90 * 86_400);

/// Reads an order, refusing what does not belong into one.
fn read_order(core: &Core, params: &Params) -> Result<OrderRequest, Refusal> {
    let symbol = params.need_symbol()?;
    core.exchange.check_symbol(&symbol)?;
    let side: Side = params.need("side")?.parse().map_err(|_| Refusal::of(-1117))?;
    let kind = params.need("type")?;
    let hedge = core.exchange.modes().hedge;
    match params.get("positionSide") {
        None | Some("BOTH") if hedge => return Err(Refusal::of(-4061)),
        None | Some("BOTH") => {}
        Some("LONG" | "SHORT") if hedge => {
            params.without("reduceOnly")?;
            return Err(Refusal::saying(-1020, "This exchange does not simulate hedge mode."));
        }
        Some("LONG" | "SHORT") => return Err(Refusal::of(-4061)),
        Some(_) => return Err(not_valid("positionSide")),
    }
    for unwanted in ["closePosition", "stopPrice", "activationPrice", "callbackRate"] {
        if kind == "MARKET" || kind == "LIMIT" {
            params.without(unwanted)?;
        }
    }
    let qty = || params.need_amount("quantity");
    let (qty, kind) = match kind {
        "MARKET" => {
            params.without("price")?;
            params.without("timeInForce")?;
            (qty()?, OrderKind::Market)
        }
        "LIMIT" => {
            if params.get("priceMatch").is_some_and(|word| word != "NONE") {
                return Err(Refusal::saying(-1020, "This exchange does not simulate priceMatch."));
            }
            let time_in_force = match params.need("timeInForce")? {
                "GTC" => TimeInForce::Gtc,
                "IOC" => TimeInForce::Ioc,
                "FOK" => TimeInForce::Fok,
                "GTX" => TimeInForce::Gtx,
                _ => return Err(Refusal::of(-1115)),
            };
            let qty = qty()?;
            (qty, OrderKind::Limit { price: params.need_amount("price")?, time_in_force })
        }
        "STOP" | "STOP_MARKET" | "TAKE_PROFIT" | "TAKE_PROFIT_MARKET" | "TRAILING_STOP_MARKET" => {
            return Err(Refusal::of(-4120));
        }
        _ => return Err(Refusal::of(-1116)),
    };
    let reduce_only = params.flag("reduceOnly")?.unwrap_or(false);
    let client_id = client_id(core, params.get("newClientOrderId"));
    Ok(OrderRequest { symbol, side, qty, kind, reduce_only, client_id })
}

/// The sender's id, or one of the server's own.
pub(crate) fn client_id(core: &Core, sent: Option<&str>) -> String {
    let own = || format!("srv{:019x}", (core.served() << 20) + core.exchange.accepted_count());
    sent.map_or_else(own, str::to_owned)
}

/// Whether the outcome is wanted, or only that the order arrived.
fn wants_result(params: &Params) -> Result<bool, Refusal> {
    match params.get("newOrderRespType") {
        None | Some("ACK") => Ok(false),
        Some("RESULT") => Ok(true),
        Some(_) => Err(not_valid("newOrderRespType")),
    }
}

pub(super) fn place(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let request = read_order(core, params)?;
    let with_result = wants_result(params)?;
    let fraction = core.fill_fraction;
    let placed = core.exchange.place_partly(&request, fraction)?;
    Ok(if with_result { show::result(&placed) } else { show::acknowledged(&placed) })
}

pub(super) fn test(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let request = read_order(core, params)?;
    wants_result(params)?;
    core.exchange.test_order(&request)?;
    Ok(json!({}))
}

pub(super) fn place_batch(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    each_of_batch(core, params, place)
}

pub(super) fn amend_batch(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    each_of_batch(core, params, amend)
}

/// Runs every element of `batchOrders`; answers in the order of the request, each by itself.
fn each_of_batch(
    core: &mut Core,
    params: &Params,
    run: fn(&mut Core, &Params) -> Result<Value, Refusal>,
) -> Result<Value, Refusal> {
    let text = params.need("batchOrders")?;
    let elements: Vec<Value> = serde_json::from_str(text).map_err(|_| not_valid("batchOrders"))?;
    if elements.is_empty() || elements.len() > BATCH {
        return Err(Refusal::of(-4082));
    }
    let mut answers = Vec::new();
    for element in elements {
        let Value::Object(members) = element else { return Err(not_valid("batchOrders")) };
        answers.push(or_error(run(core, &Params::of_object(&members))));
    }
    Ok(Value::Array(answers))
}

fn or_error(result: Result<Value, Refusal>) -> Value {
    result.unwrap_or_else(|refusal| json!({"code": refusal.code, "msg": refusal.msg}))
}

pub(super) fn amend(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.exchange.check_symbol(&symbol)?;
    let side: Side = params.need("side")?.parse().map_err(|_| Refusal::of(-1117))?;
    let qty = params.need_amount("quantity")?;
    let price: Price = params.need_amount("price")?;
    let which = params.which()?;
    let reduces = core.exchange.order(&symbol, which).is_some_and(|placed| placed.order.reduce_only);
    if params.flag("reduceOnly")? == Some(true) && !reduces {
        return Err(Refusal::of(-5047));
    }
    core.exchange.amend(&symbol, which, side, qty, price).map(|placed| show::result(&placed))
}

pub(super) fn query(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.exchange.check_symbol(&symbol)?;
    let found = core.exchange.order(&symbol, params.which()?);
    found.map(show::queried).ok_or_else(|| Refusal::of(-2013))
}

pub(super) fn query_open(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.exchange.check_symbol(&symbol)?;
    let found = core.exchange.order(&symbol, params.which()?);
    let open = found.filter(|placed| !placed.order.status.is_final());
    open.map(show::queried).ok_or_else(|| Refusal::of(-2013))
}

pub(super) fn cancel(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.exchange.cancel(&symbol, params.which()?).map(|placed| show::result(&placed))
}

pub(super) fn cancel_batch(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.exchange.check_symbol(&symbol)?;
    let numbers = params.list::<i64>("orderIdList")?;
    let ids = params.list::<String>("origClientOrderIdList")?;
    let wanted: Vec<Which<'_>> = match (&numbers, &ids) {
        (Some(numbers), _) => numbers.iter().map(|number| Which::Number(*number)).collect(),
        (None, Some(ids)) => ids.iter().map(|id| Which::Client(id)).collect(),
        (None, None) => return Err(missing("orderIdList")),
    };
    if wanted.is_empty() || wanted.len() > CANCEL_BATCH {
        return Err(Refusal::saying(-4032, format!("Exceed maximum cancel order size of {CANCEL_BATCH}.")));
    }
    let cancelled = wanted
        .into_iter()
        .map(|which| or_error(core.exchange.cancel(&symbol, which).map(|placed| show::result(&placed))));
    Ok(Value::Array(cancelled.collect()))
}

pub(super) fn cancel_all(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.exchange.check_symbol(&symbol)?;
    core.exchange.cancel_all(&symbol);
    Ok(json!({"code": 200, "msg": "The operation of cancel all open order is done."}))
}

pub(super) fn count_down(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    let ms = params.need_int("countdownTime")?;
    let ms = u64::try_from(ms).map_err(|_| not_valid("countdownTime"))?;
    core.exchange.count_down_to_cancel(&symbol, Duration::from_millis(ms))?;
    Ok(json!({"symbol": symbol, "countdownTime": ms.to_string()}))
}

pub(super) fn open_orders(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.symbol()?;
    if let Some(symbol) = &symbol {
        core.exchange.check_symbol(symbol)?;
    }
    let open = core.exchange.open_orders(symbol.as_ref());
    Ok(Value::Array(open.into_iter().map(show::queried).collect()))
}

/// The span that a query covers: `startTime` and `endTime` at most a week apart, by default the last
/// week. Says whether a start was asked for.
fn span(core: &Core, params: &Params) -> Result<(Time, Time, bool), Refusal> {
    let (from, to) = (params.time("startTime")?, params.time("endTime")?);
    // Funding rows may be stamped a few milliseconds ahead of a clock that stands on the hour.
    let now = core.exchange.now() + Duration::from_secs(1);
    let span = match (from, to) {
        (Some(from), Some(to)) => (from, to),
        (Some(from), None) => (from, now.min(from + WEEK)),
        (None, Some(to)) => (to - WEEK, to),
        (None, None) => (now - WEEK, now),
    };
    if span.1.since(span.0) > WEEK {
        return Err(Refusal::saying(-1127, "More than 7 days between startTime and endTime."));
    }
    Ok((span.0, span.1, from.is_some()))
}

pub(super) fn all_orders(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.symbol()?;
    if let Some(symbol) = &symbol {
        core.exchange.check_symbol(symbol)?;
    }
    let limit = params.limit(500, 1000)?;
    let (mut from, to, mut from_start) = span(core, params)?;
    let least = params.int("orderId")?;
    if least.is_some() && params.get("startTime").is_none() {
        from = Time::default();
        from_start = true;
    }
    let mut rows = core.exchange.orders(symbol.as_ref(), from, to);
    rows.retain(|placed| least.is_none_or(|least| placed.order.order_id >= least));
    Ok(Value::Array(page(rows, limit, from_start).into_iter().map(show::listed).collect()))
}

pub(super) fn user_trades(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.exchange.check_symbol(&symbol)?;
    let limit = params.limit(500, 1000)?;
    let first = params.int("fromId")?;
    let timed = params.get("startTime").is_some() || params.get("endTime").is_some();
    if first.is_some() && timed {
        return Err(Refusal::saying(-1128, "Combination of optional parameters invalid."));
    }
    let order = params.int("orderId")?;
    let (mut from, to, mut from_start) = span(core, params)?;
    let oldest = core.exchange.now() - KEPT;
    if first.is_some() || (order.is_some() && !timed) {
        from = oldest;
        from_start = true;
    }
    let mut rows = core.exchange.trades(Some(&symbol), from.max(oldest), to);
    rows.retain(|trade| {
        first.is_none_or(|first| trade.fill.trade_id >= first)
            && order.is_none_or(|order| trade.fill.order_id == order)
    });
    Ok(Value::Array(page(rows, limit, from_start).into_iter().map(show::execution).collect()))
}

pub(super) fn force_orders(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.symbol()?;
    let limit = params.limit(50, 100)?;
    let (from, to, from_start) = span(core, params)?;
    let mut rows = core.exchange.orders(symbol.as_ref(), from, to);
    let kind = params.get("autoCloseType");
    rows.retain(|placed| {
        placed.order.client_id.starts_with("autoclose-") && kind.is_none_or(|kind| kind == "LIQUIDATION")
    });
    Ok(Value::Array(page(rows, limit, from_start).into_iter().map(show::queried).collect()))
}
