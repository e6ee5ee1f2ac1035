//! The dialect of USDⓈ-M futures: every endpoint with its security and weight.

mod account;
mod algo;
mod market;
mod orders;
mod settings;
pub(crate) mod show;

use serde_json::Value;

use crate::server::core::{Core, Route, Security};
use crate::server::limits::Side;
use crate::server::params::Params;
use crate::sim::refusal::Refusal;

type Handler = fn(&mut Core, &Params) -> Result<Value, Refusal>;

/// The endpoint behind a path; weights as of `reference/binance.md` §2.3.
pub(crate) fn route(method: &str, path: &str) -> Option<Route> {
    let (area, name) = path.strip_prefix("/fapi/")?.split_once('/')?;
    let side = Side::Futures;
    let open =
        |weight, handle: Handler| Route { side, security: Security::Open, weight, orders: (0, 0), handle };
    let read =
        |weight, handle: Handler| Route { side, security: Security::Signed, weight, orders: (0, 0), handle };
    let trade =
        |weight, handle: Handler| Route { side, security: Security::Trade, weight, orders: (0, 0), handle };
    let order =
        |weight, orders, handle: Handler| Route { side, security: Security::Trade, weight, orders, handle };
    let route = match (method, area, name) {
        ("GET", "v1", "ping") => open(|_| 1, market::ping),
        ("GET", "v1", "time") => open(|_| 1, market::time),
        ("GET", "v1", "exchangeInfo") => open(|_| 1, market::exchange_info),
        ("GET", "v1", "premiumIndex") => open(|p| one_or_all(p, 1, 10), market::premium_index),
        ("GET", "v1", "ticker/24hr") => open(|p| one_or_all(p, 1, 40), market::ticker_24h),
        ("GET", "v1", "ticker/bookTicker") => open(|p| one_or_all(p, 2, 5), market::book_ticker),
        ("GET", "v1" | "v2", "ticker/price") => open(|p| one_or_all(p, 1, 2), market::ticker_price),
        ("GET", "v1", "depth") => open(depth_weight, market::depth),
        ("GET", "v1", "klines") => open(klines_weight, market::klines),
        ("GET", "v1", "markPriceKlines") => open(klines_weight, market::mark_klines),
        ("GET", "v1", "fundingRate") => open(|_| 0, market::funding_rate),
        ("GET", "v1", "fundingInfo") => open(|_| 0, market::funding_info),
        ("GET", "v1", "openInterest") => open(|_| 1, market::open_interest),

        ("POST", "v1", "order") => order(|_| 0, (1, 1), orders::place),
        ("PUT", "v1", "order") => order(|_| 0, (1, 1), orders::amend),
        ("GET", "v1", "order") => read(|_| 1, orders::query),
        ("DELETE", "v1", "order") => trade(|_| 1, orders::cancel),
        ("POST", "v1", "order/test") => trade(|_| 1, orders::test),
        ("POST", "v1", "batchOrders") => order(|_| 5, (5, 1), orders::place_batch),
        ("PUT", "v1", "batchOrders") => order(|_| 5, (5, 1), orders::amend_batch),
        ("DELETE", "v1", "batchOrders") => trade(|_| 1, orders::cancel_batch),
        ("GET", "v1", "openOrder") => read(|_| 1, orders::query_open),
        ("GET", "v1", "openOrders") => read(|p| one_or_all(p, 1, 40), orders::open_orders),
        ("GET", "v1", "allOrders") => read(|_| 5, orders::all_orders),
        ("DELETE", "v1", "allOpenOrders") => trade(|_| 1, orders::cancel_all),
        ("POST", "v1", "countdownCancelAll") => trade(|_| 10, orders::count_down),
        ("GET", "v1", "userTrades") => read(|_| 5, orders::user_trades),
        ("GET", "v1", "forceOrders") => read(|p| one_or_all(p, 20, 50), orders::force_orders),

        ("POST", "v1", "algoOrder") => order(|_| 0, (1, 1), algo::place),
        ("GET", "v1", "algoOrder") => read(|_| 1, algo::query),
        ("DELETE", "v1", "algoOrder") => trade(|_| 1, algo::cancel),
        ("DELETE", "v1", "algoOpenOrders") => trade(|_| 1, algo::cancel_all),
        ("GET", "v1", "openAlgoOrders") => read(|p| one_or_all(p, 1, 40), algo::open),
        ("GET", "v1", "allAlgoOrders") => read(|_| 5, algo::all),

        ("GET", "v1", "income") => read(|_| 30, account::income),
        ("GET", "v2", "account") => read(|_| 5, account::account_v2),
        ("GET", "v3", "account") => read(|_| 5, account::account_v3),
        ("GET", "v2" | "v3", "balance") => read(|_| 5, account::balance),
        ("GET", "v2", "positionRisk") => read(|_| 5, account::position_risk_v2),
        ("GET", "v3", "positionRisk") => read(|_| 5, account::position_risk_v3),
        ("GET", "v1", "adlQuantile") => read(|_| 5, account::adl_quantile),

        ("GET", "v1", "symbolConfig") => read(|_| 5, settings::symbol_config),
        ("GET", "v1", "accountConfig") => read(|_| 5, settings::account_config),
        ("POST", "v1", "leverage") => trade(|_| 1, settings::set_leverage),
        ("POST", "v1", "marginType") => trade(|_| 1, settings::set_margin_type),
        ("GET", "v1", "positionSide/dual") => read(|_| 30, settings::hedge),
        ("POST", "v1", "positionSide/dual") => trade(|_| 1, settings::set_hedge),
        ("GET", "v1", "multiAssetsMargin") => read(|_| 30, settings::multi_assets),
        ("POST", "v1", "multiAssetsMargin") => trade(|_| 1, settings::set_multi_assets),
        ("GET", "v1", "feeBurn") => read(|_| 30, settings::fee_burn),
        ("POST", "v1", "feeBurn") => trade(|_| 1, settings::set_fee_burn),
        ("GET", "v1", "leverageBracket") => read(|_| 1, settings::brackets),
        ("GET", "v1", "commissionRate") => read(|_| 20, settings::commission),
        ("GET", "v1", "apiTradingStatus") => read(|p| one_or_all(p, 1, 10), settings::trading_status),
        ("GET", "v1", "rateLimit/order") => read(|_| 1, settings::order_limits),
        _ => return None,
    };
    Some(route)
}

fn one_or_all(params: &Params, one: u32, all: u32) -> u32 {
    if params.get("symbol").is_some() { one } else { all }
}

fn depth_weight(params: &Params) -> u32 {
    match params.int("limit") {
        Ok(Some(limit)) if limit <= 50 => 2,
        Ok(Some(limit)) if limit <= 100 => 5,
        Ok(Some(limit)) if limit > 500 => 20,
        _ => 10,
    }
}

fn klines_weight(params: &Params) -> u32 {
    match params.int("limit") {
        Ok(Some(limit)) if limit < 100 => 1,
        Ok(Some(limit)) if limit < 500 => 2,
        Ok(Some(limit)) if limit > 1000 => 10,
        _ => 5,
    }
}
