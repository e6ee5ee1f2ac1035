//! Leverage, margin type, modes, tiers, fees: what is set and what is allowed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::account::Bracket;
use crate::domain::num::{Notional, Rate};
use crate::domain::symbol::Symbol;
use crate::server::core::Core;
use crate::server::limits::{ORDERS_1M, ORDERS_10S};
use crate::server::params::{Params, not_valid};
use crate::sim::refusal::Refusal;

fn success() -> Value {
    json!({"code": 200, "msg": "success"})
}

/// The contracts that are asked for: one, or all.
fn wanted(core: &Core, params: &Params) -> Result<Vec<Symbol>, Refusal> {
    match params.symbol()? {
        Some(symbol) => {
            core.exchange.check_symbol(&symbol)?;
            Ok(vec![symbol])
        }
        None => Ok(core.exchange.world().listing.keys().cloned().collect()),
    }
}

pub(super) fn symbol_config(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let rows = wanted(core, params)?.into_iter().map(|symbol| {
        let setting = core.exchange.setting(&symbol);
        json!({
            "symbol": symbol,
            "marginType": if setting.cross { "CROSSED" } else { "ISOLATED" },
            "isAutoAddMargin": false,
            "leverage": setting.leverage,
            "maxNotionalValue": core.exchange.max_notional(&symbol),
        })
    });
    Ok(Value::Array(rows.collect()))
}

pub(super) fn account_config(core: &mut Core, _: &Params) -> Result<Value, Refusal> {
    let modes = core.exchange.modes();
    Ok(json!({
        "feeTier": 0,
        "canTrade": modes.can_trade,
        "canDeposit": true,
        "canWithdraw": true,
        "dualSidePosition": modes.hedge,
        "multiAssetsMargin": modes.multi_assets,
        "updateTime": 0,
        "tradeGroupId": -1,
    }))
}

pub(super) fn set_leverage(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    let asked = params.need_int("leverage")?;
    let leverage =
        u32::try_from(asked).map_err(|_| Refusal::saying(-4028, format!("Leverage {asked} is not valid")))?;
    let most = core.exchange.set_leverage(&symbol, leverage)?;
    Ok(json!({"leverage": leverage, "maxNotionalValue": most, "symbol": symbol}))
}

pub(super) fn set_margin_type(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    let cross = match params.need("marginType")? {
        "CROSSED" => true,
        "ISOLATED" => false,
        _ => return Err(not_valid("marginType")),
    };
    core.exchange.set_margin_type(&symbol, cross).map(|()| success())
}

pub(super) fn hedge(core: &mut Core, _: &Params) -> Result<Value, Refusal> {
    Ok(json!({"dualSidePosition": core.exchange.modes().hedge}))
}

pub(super) fn set_hedge(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    core.exchange.set_hedge(params.need_flag("dualSidePosition")?).map(|()| success())
}

pub(super) fn multi_assets(core: &mut Core, _: &Params) -> Result<Value, Refusal> {
    Ok(json!({"multiAssetsMargin": core.exchange.modes().multi_assets}))
}

pub(super) fn set_multi_assets(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    core.exchange.set_multi_assets(params.need_flag("multiAssetsMargin")?).map(|()| success())
}

pub(super) fn fee_burn(core: &mut Core, _: &Params) -> Result<Value, Refusal> {
    Ok(json!({"feeBurn": core.exchange.fee_burn()}))
}

pub(super) fn set_fee_burn(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    core.exchange.set_fee_burn(params.need_flag("feeBurn")?);
    Ok(success())
}

/// A tier, in JSON numbers where everything else is strings.
fn bracket(number: usize, tier: &Bracket) -> Value {
    let whole = |notional: Notional| format!("{notional:.0}").parse::<i64>().unwrap_or(i64::MAX);
    json!({
        "bracket": number,
        "initialLeverage": tier.max_leverage,
        "notionalCap": whole(tier.cap),
        "notionalFloor": whole(tier.floor),
        "maintMarginRatio": tier.maint_rate.approx(),
        "cum": tier.cum.approx(),
    })
}

pub(super) fn brackets(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let listing = &core.exchange.world().listing;
    let rows = wanted(core, params)?.into_iter().map(|symbol| {
        let tiers = listing.get(&symbol).map_or(&[][..], |listed| &listed.brackets);
        let tiers: Vec<Value> =
            tiers.iter().enumerate().map(|(index, tier)| bracket(index + 1, tier)).collect();
        json!({"symbol": symbol, "brackets": tiers})
    });
    Ok(Value::Array(rows.collect()))
}

pub(super) fn commission(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.exchange.check_symbol(&symbol)?;
    let (maker, taker) = core.exchange.fees();
    Ok(json!({
        "symbol": symbol,
        "makerCommissionRate": maker,
        "takerCommissionRate": taker,
        "rpiCommissionRate": Rate::ZERO,
    }))
}

/// Only what has reached the threshold of being recorded is shown: an account that trades like
/// others has none. Values are JSON numbers.
pub(super) fn trading_status(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.symbol()?;
    if let Some(symbol) = &symbol {
        core.exchange.check_symbol(symbol)?;
    }
    let mut scopes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for indicator in core.exchange.indicators(symbol.as_ref()) {
        let shown = json!({
            "isLocked": indicator.locked,
            "plannedRecoverTime": indicator.recovers.map(|at| at.ms()),
            "indicator": indicator.name,
            "value": indicator.value.approx(),
            "triggerValue": indicator.trigger.approx(),
        });
        scopes.entry(indicator.scope).or_default().push(shown);
    }
    Ok(json!({"indicators": scopes, "updateTime": core.exchange.now().ms()}))
}

pub(super) fn order_limits(_: &mut Core, _: &Params) -> Result<Value, Refusal> {
    Ok(json!([
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDERS_10S},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": ORDERS_1M},
    ]))
}
