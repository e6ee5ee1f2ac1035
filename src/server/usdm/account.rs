//! Balances, positions, income: what the account has.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::domain::num::{Notional, Price, Qty};
use crate::domain::symbol::Symbol;
use crate::server::core::Core;
use crate::server::params::Params;
use crate::server::usdm::orders::WEEK;
use crate::sim::query::Exposure;
use crate::sim::refusal::Refusal;

/// How far back income is kept.
const KEPT: Duration = Duration::from_secs(90 * 86_400);

/// Totals of the account, as both versions show them.
fn totals(core: &Core) -> Map<String, Value> {
    let balance = core.exchange.balance();
    let (positions, orders) = core.exchange.margins_used();
    let shown = json!({
        "totalInitialMargin": balance.initial_margin,
        "totalMaintMargin": balance.maint_margin,
        "totalWalletBalance": balance.wallet,
        "totalUnrealizedProfit": balance.unrealized,
        "totalMarginBalance": balance.equity,
        "totalPositionInitialMargin": positions,
        "totalOpenOrderInitialMargin": orders,
        "totalCrossWalletBalance": balance.wallet,
        "totalCrossUnPnl": balance.unrealized,
        "availableBalance": balance.available,
        "maxWithdrawAmount": core.exchange.withdrawable(),
    });
    members(shown)
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// One row per asset of the wallet.
fn assets(core: &Core) -> Vec<Map<String, Value>> {
    let balance = core.exchange.balance();
    let (positions, orders) = core.exchange.margins_used();
    let updated = core.exchange.wallet_updated().ms();
    let usdt = json!({
        "asset": "USDT",
        "walletBalance": balance.wallet,
        "unrealizedProfit": balance.unrealized,
        "marginBalance": balance.equity,
        "maintMargin": balance.maint_margin,
        "initialMargin": balance.initial_margin,
        "positionInitialMargin": positions,
        "openOrderInitialMargin": orders,
        "crossWalletBalance": balance.wallet,
        "crossUnPnl": balance.unrealized,
        "availableBalance": balance.available,
        "maxWithdrawAmount": core.exchange.withdrawable(),
        "updateTime": updated,
    });
    let idle = |asset: &str, held: Qty, updated: i64| {
        json!({
            "asset": asset,
            "walletBalance": held,
            "unrealizedProfit": "0",
            "marginBalance": held,
            "maintMargin": "0",
            "initialMargin": "0",
            "positionInitialMargin": "0",
            "openOrderInitialMargin": "0",
            "crossWalletBalance": held,
            "crossUnPnl": "0",
            "availableBalance": held,
            "maxWithdrawAmount": held,
            "updateTime": updated,
        })
    };
    let bnb = core.exchange.bnb();
    let bnb_updated = if bnb.is_zero() { 0 } else { updated };
    vec![members(usdt), members(idle("BNB", bnb, bnb_updated)), members(idle("USDC", Qty::ZERO, 0))]
}

pub(super) fn account_v3(core: &mut Core, _: &Params) -> Result<Value, Refusal> {
    let mut shown = totals(core);
    shown.insert("assets".into(), json!(assets(core)));
    let positions: Vec<Value> = core
        .exchange
        .exposures()
        .iter()
        .flat_map(|exposure| sides(core, exposure))
        .map(|(side, exposure)| {
            let exposure = &exposure;
            json!({
                "symbol": exposure.symbol,
                "positionSide": side,
                "positionAmt": qty(exposure),
                "unrealizedProfit": unrealized(exposure),
                "isolatedMargin": "0",
                "notional": notional(exposure),
                "isolatedWallet": "0",
                "initialMargin": exposure.position_margin + exposure.order_margin,
                "maintMargin": exposure.maint_margin,
                "updateTime": updated(exposure),
            })
        })
        .collect();
    shown.insert("positions".into(), Value::Array(positions));
    Ok(Value::Object(shown))
}

pub(super) fn account_v2(core: &mut Core, _: &Params) -> Result<Value, Refusal> {
    let mut shown = totals(core);
    let modes = core.exchange.modes();
    for (name, value) in [
        ("feeTier", json!(0)),
        ("feeBurn", json!(core.exchange.fee_burn())),
        ("canTrade", json!(modes.can_trade)),
        ("canDeposit", json!(true)),
        ("canWithdraw", json!(true)),
        ("updateTime", json!(0)),
        ("multiAssetsMargin", json!(modes.multi_assets)),
        ("tradeGroupId", json!(-1)),
    ] {
        shown.insert(name.into(), value);
    }
    let with_margin = assets(core).into_iter().map(|mut asset| {
        asset.insert("marginAvailable".into(), json!(true));
        Value::Object(asset)
    });
    shown.insert("assets".into(), Value::Array(with_margin.collect()));
    let listed = every_exposure(core);
    let rows = listed.iter().flat_map(|exposure| sides(core, exposure)).map(|(side, exposure)| {
        let symbol = &exposure.symbol;
        let setting = core.exchange.setting(symbol);
        json!({
            "symbol": symbol,
            "positionSide": side,
            "positionAmt": qty(&exposure),
            "unrealizedProfit": unrealized(&exposure),
            "notional": notional(&exposure),
            "initialMargin": exposure.position_margin + exposure.order_margin,
            "maintMargin": exposure.maint_margin,
            "positionInitialMargin": exposure.position_margin,
            "openOrderInitialMargin": exposure.order_margin,
            "leverage": setting.leverage.to_string(),
            "isolated": !setting.cross,
            "isolatedWallet": "0",
            "entryPrice": entry(&exposure),
            "maxNotional": core.exchange.max_notional(symbol),
            "bidNotional": exposure.bid_notional,
            "askNotional": exposure.ask_notional,
            "updateTime": updated(&exposure),
        })
    });
    let rows: Vec<Value> = rows.collect();
    shown.insert("positions".into(), Value::Array(rows));
    Ok(Value::Object(shown))
}

pub(super) fn balance(core: &mut Core, _: &Params) -> Result<Value, Refusal> {
    let alias = core.account_alias();
    let rows = assets(core).into_iter().map(|asset| {
        let of = |name: &str| asset.get(name).cloned().unwrap_or(Value::Null);
        json!({
            "accountAlias": alias,
            "asset": of("asset"),
            "balance": of("walletBalance"),
            "crossWalletBalance": of("crossWalletBalance"),
            "crossUnPnl": of("crossUnPnl"),
            "availableBalance": of("availableBalance"),
            "maxWithdrawAmount": of("maxWithdrawAmount"),
            "marginAvailable": true,
            "updateTime": of("updateTime"),
        })
    });
    Ok(Value::Array(rows.collect()))
}

fn qty(exposure: &Exposure) -> Qty {
    exposure.holding.as_ref().map_or(Qty::ZERO, |held| held.qty)
}

fn entry(exposure: &Exposure) -> Price {
    exposure.holding.as_ref().map_or(Price::ZERO, |held| held.entry)
}

fn unrealized(exposure: &Exposure) -> Notional {
    exposure.holding.as_ref().map_or(Notional::ZERO, |held| held.unrealized())
}

fn notional(exposure: &Exposure) -> Notional {
    exposure.holding.as_ref().map_or(Notional::ZERO, |held| held.value())
}

fn updated(exposure: &Exposure) -> i64 {
    exposure.holding.as_ref().map_or(0, |held| held.updated.ms())
}

/// A contract without a position or an open order.
fn flat(symbol: &Symbol, mark: Price) -> Exposure {
    Exposure {
        symbol: symbol.clone(),
        holding: None,
        mark,
        position_margin: Notional::ZERO,
        order_margin: Notional::ZERO,
        maint_margin: Notional::ZERO,
        bid_notional: Notional::ZERO,
        ask_notional: Notional::ZERO,
        liquidation_price: None,
    }
}

/// Every contract of the exchange, as the old versions list them.
fn every_exposure(core: &Core) -> Vec<Exposure> {
    let live = core.exchange.exposures();
    let listed = core.exchange.world().listing.keys().map(|symbol| {
        let found = live.iter().find(|exposure| exposure.symbol == *symbol).cloned();
        found.unwrap_or_else(|| flat(symbol, core.exchange.mark_price(symbol).unwrap_or(Price::ZERO)))
    });
    listed.collect()
}

/// The rows of one contract: one in one-way mode, a long and a short one in hedge mode.
fn sides(core: &Core, exposure: &Exposure) -> Vec<(&'static str, Exposure)> {
    if !core.exchange.modes().hedge {
        return vec![("BOTH", exposure.clone())];
    }
    let other = flat(&exposure.symbol, exposure.mark);
    if qty(exposure).is_negative() {
        vec![("LONG", other), ("SHORT", exposure.clone())]
    } else {
        vec![("LONG", exposure.clone()), ("SHORT", other)]
    }
}

/// What both versions of the position list say of one side of a contract.
fn risk(side: &str, exposure: &Exposure) -> Map<String, Value> {
    let break_even = exposure.holding.as_ref().map_or(Price::ZERO, |held| held.break_even);
    let liquidation = exposure.liquidation_price.unwrap_or(Price::ZERO).rounded(8);
    members(json!({
        "symbol": exposure.symbol,
        "positionSide": side,
        "positionAmt": qty(exposure),
        "entryPrice": entry(exposure),
        "breakEvenPrice": break_even,
        "markPrice": exposure.mark,
        "unRealizedProfit": unrealized(exposure),
        "liquidationPrice": liquidation,
        "isolatedMargin": "0",
        "notional": notional(exposure),
        "isolatedWallet": "0",
        "updateTime": updated(exposure),
    }))
}

pub(super) fn position_risk_v3(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let wanted = wanted_symbol(core, params)?;
    let live = core.exchange.exposures();
    let rows = live.iter().filter(|exposure| wanted.as_ref().is_none_or(|symbol| exposure.symbol == *symbol));
    let rows = rows.flat_map(|exposure| sides(core, exposure)).map(|(side, exposure)| {
        let mut row = risk(side, &exposure);
        let asset = core.exchange.world().listing.get(&exposure.symbol);
        let asset = asset.map_or("USDT", |listed| listed.rules.margin_asset.as_str());
        for (name, value) in [
            ("marginAsset", json!(asset)),
            ("initialMargin", json!(exposure.position_margin + exposure.order_margin)),
            ("maintMargin", json!(exposure.maint_margin)),
            ("positionInitialMargin", json!(exposure.position_margin)),
            ("openOrderInitialMargin", json!(exposure.order_margin)),
            ("adl", json!(1)),
            ("bidNotional", json!(exposure.bid_notional)),
            ("askNotional", json!(exposure.ask_notional)),
        ] {
            row.insert(name.into(), value);
        }
        Value::Object(row)
    });
    Ok(Value::Array(rows.collect()))
}

pub(super) fn position_risk_v2(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let wanted = wanted_symbol(core, params)?;
    let rows = every_exposure(core).into_iter();
    let rows = rows.filter(|exposure| wanted.as_ref().is_none_or(|symbol| exposure.symbol == *symbol));
    let rows = rows.flat_map(|exposure| sides(core, &exposure)).map(|(side, exposure)| {
        let symbol = &exposure.symbol;
        let mut row = risk(side, &exposure);
        let setting = core.exchange.setting(symbol);
        for (name, value) in [
            ("leverage", json!(setting.leverage.to_string())),
            ("marginType", json!(if setting.cross { "cross" } else { "isolated" })),
            ("isAutoAddMargin", json!("false")),
            ("maxNotionalValue", json!(core.exchange.max_notional(symbol))),
        ] {
            row.insert(name.into(), value);
        }
        Value::Object(row)
    });
    Ok(Value::Array(rows.collect()))
}

fn wanted_symbol(core: &Core, params: &Params) -> Result<Option<Symbol>, Refusal> {
    let symbol = params.symbol()?;
    if let Some(symbol) = &symbol {
        core.exchange.check_symbol(symbol)?;
    }
    Ok(symbol)
}

pub(super) fn adl_quantile(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let wanted = wanted_symbol(core, params)?;
    let live = core.exchange.exposures();
    let rows = live
        .iter()
        .filter(|exposure| exposure.holding.is_some())
        .filter(|exposure| wanted.as_ref().is_none_or(|symbol| exposure.symbol == *symbol))
        .map(
            |exposure| json!({"symbol": exposure.symbol, "adlQuantile": {"LONG": 1, "SHORT": 0, "BOTH": 1}}),
        );
    Ok(Value::Array(rows.collect()))
}

pub(super) fn income(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let limit = params.limit(100, 1000)?;
    let symbol = wanted_symbol(core, params)?.map(|symbol| symbol.to_string());
    let kind = params.get("incomeType");
    let now = core.exchange.now();
    // Funding may be stamped a few milliseconds after the hour on which a manual clock stands.
    let to = params.time("endTime")?.unwrap_or(now + Duration::from_secs(1));
    let from = params.time("startTime")?.unwrap_or(to - WEEK).max(now - KEPT);
    let rows = core.exchange.income(from, to).into_iter().filter(|row| {
        kind.is_none_or(|kind| row.kind == kind) && symbol.as_ref().is_none_or(|symbol| row.symbol == *symbol)
    });
    let rows = rows.take(limit).map(|row| {
        json!({
            "symbol": row.symbol,
            "incomeType": row.kind,
            "income": row.amount,
            "asset": row.asset,
            "info": row.kind,
            "time": row.at.ms(),
            "tranId": row.tran_id,
            "tradeId": row.trade_id,
        })
    });
    Ok(Value::Array(rows.collect()))
}
