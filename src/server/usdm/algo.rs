//! Conditional orders: the algo service beside the order book.

use serde_json::{Value, json};

use crate::domain::num::{Price, Qty, Rate};
use crate::domain::order::{Side, TimeInForce};
use crate::server::core::Core;
use crate::server::params::{Params, missing, not_valid};
use crate::server::usdm::orders::client_id;
use crate::sim::algo::{AlgoOrder, AlgoRequest, Trigger};
use crate::sim::matching::Which;
use crate::sim::refusal::Refusal;

pub(super) fn place(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    if params.need("algoType")? != "CONDITIONAL" {
        return Err(not_valid("algoType"));
    }
    let symbol = params.need_symbol()?;
    let side: Side = params.need("side")?.parse().map_err(|_| Refusal::of(-1117))?;
    if core.exchange.modes().hedge || params.get("positionSide").is_some_and(|side| side != "BOTH") {
        return Err(Refusal::of(-4061));
    }
    let kind = params.need("type")?;
    let at = || params.need_amount::<crate::domain::num::kind::PriceKind>("triggerPrice");
    let trigger = match kind {
        "STOP" | "STOP_MARKET" => Trigger::Stop(at()?),
        "TAKE_PROFIT" | "TAKE_PROFIT_MARKET" => Trigger::TakeProfit(at()?),
        "TRAILING_STOP_MARKET" => {
            Trigger::Trailing { activation: params.amount("activatePrice")?, callback: callback(params)? }
        }
        _ => return Err(Refusal::of(-1116)),
    };
    let limit = if matches!(kind, "STOP" | "TAKE_PROFIT") {
        let time_in_force = match params.get("timeInForce").unwrap_or("GTC") {
            "GTC" => TimeInForce::Gtc,
            "IOC" => TimeInForce::Ioc,
            "FOK" => TimeInForce::Fok,
            "GTX" => TimeInForce::Gtx,
            _ => return Err(Refusal::of(-1115)),
        };
        Some((params.need_amount("price")?, time_in_force))
    } else {
        params.without("price")?;
        None
    };
    let close_position = params.flag("closePosition")?.unwrap_or(false);
    if close_position {
        params.without("reduceOnly")?;
    }
    let qty = params.amount("quantity")?;
    if qty.is_none() && !close_position {
        return Err(missing("quantity"));
    }
    let on_mark = match params.get("workingType") {
        None | Some("CONTRACT_PRICE") => false,
        Some("MARK_PRICE") => true,
        Some(_) => return Err(not_valid("workingType")),
    };
    let request = AlgoRequest {
        symbol,
        side,
        trigger,
        qty: qty.unwrap_or(Qty::ZERO),
        limit,
        reduce_only: params.flag("reduceOnly")?.unwrap_or(false),
        close_position,
        on_mark,
        client_id: client_id(core, params.get("clientAlgoId")),
    };
    core.exchange.place_algo(request).map(|algo| shown(core, &algo))
}

/// The turn of a trailing stop: given in percent, 0.1 to 20.
fn callback(params: &Params) -> Result<Rate, Refusal> {
    let percent: Rate = params.need_amount("callbackRate")?;
    if percent < Rate::new(1, 1) || percent > Rate::from(20) {
        return Err(not_valid("callbackRate"));
    }
    Ok(percent * Rate::new(1, 2))
}

fn shown(core: &Core, algo: &AlgoOrder) -> Value {
    let request = &algo.request;
    let (trigger, activation, callback) = match request.trigger {
        Trigger::Stop(at) | Trigger::TakeProfit(at) => (at, None, None),
        Trigger::Trailing { activation, callback } => {
            (Price::ZERO, activation, Some(callback * Rate::from(100)))
        }
    };
    let made = algo.order_id.and_then(|number| core.exchange.order(&request.symbol, Which::Number(number)));
    let average = made.and_then(|placed| placed.order.avg_price).unwrap_or(Price::ZERO);
    json!({
        "algoId": algo.algo_id,
        "clientAlgoId": request.client_id,
        "algoType": "CONDITIONAL",
        "orderType": request.kind(),
        "symbol": request.symbol,
        "side": request.side.as_str(),
        "positionSide": "BOTH",
        "timeInForce": request.limit.map_or("GTC", |(_, time_in_force)| time_in_force.as_str()),
        "quantity": request.qty,
        "algoStatus": algo.status.as_str(),
        "actualOrderId": algo.order_id.map_or_else(String::new, |number| number.to_string()),
        "actualPrice": average.rounded(12),
        "triggerPrice": trigger,
        "price": request.limit.map_or(Price::ZERO, |(price, _)| price),
        "icebergQuantity": Value::Null,
        "selfTradePreventionMode": "NONE",
        "workingType": if request.on_mark { "MARK_PRICE" } else { "CONTRACT_PRICE" },
        "priceMatch": "NONE",
        "closePosition": request.close_position,
        "priceProtect": false,
        "reduceOnly": request.reduce_only || request.close_position,
        "activatePrice": activation,
        "callbackRate": callback,
        "createTime": algo.created.ms(),
        "updateTime": algo.updated.ms(),
        "triggerTime": algo.triggered.map_or(0, |at| at.ms()),
        "goodTillDate": 0,
    })
}

fn named(params: &Params) -> Result<(Option<i64>, Option<&str>), Refusal> {
    let (number, id) = (params.int("algoId")?, params.get("clientAlgoId"));
    if number.is_none() && id.is_none() {
        return Err(missing("algoId"));
    }
    Ok((number, id))
}

pub(super) fn query(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let (number, id) = named(params)?;
    let meant = |algo: &&AlgoOrder| match (number, id) {
        (Some(number), _) => algo.algo_id == number,
        (None, id) => id == Some(algo.request.client_id.as_str()),
    };
    let found = core.exchange.algos(None, false).into_iter().rev().find(meant);
    found.map(|algo| shown(core, algo)).ok_or_else(|| Refusal::of(-2013))
}

pub(super) fn cancel(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let (number, id) = named(params)?;
    let algo = core.exchange.cancel_algo(number, id)?;
    // A string here, where every other success carries a number.
    Ok(
        json!({"algoId": algo.algo_id, "clientAlgoId": algo.request.client_id, "code": "200", "msg": "success"}),
    )
}

pub(super) fn cancel_all(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.exchange.check_symbol(&symbol)?;
    core.exchange.cancel_all_algos(&symbol);
    Ok(json!({"code": 200, "msg": "The operation of cancel all open order is done."}))
}

fn rows(core: &Core, params: &Params, open_only: bool) -> Result<Value, Refusal> {
    let symbol = params.symbol()?;
    if let Some(symbol) = &symbol {
        core.exchange.check_symbol(symbol)?;
    }
    let found = core.exchange.algos(symbol.as_ref(), open_only);
    Ok(Value::Array(found.into_iter().map(|algo| shown(core, algo)).collect()))
}

pub(super) fn open(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    rows(core, params, true)
}

pub(super) fn all(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    params.need_symbol()?;
    rows(core, params, false)
}
