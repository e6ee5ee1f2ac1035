//! The dialect of spot: every endpoint with its security and weight.

mod account;
mod market;
mod orders;
pub(crate) mod show;

use serde_json::Value;

use crate::server::core::{Core, Route, Security};
use crate::server::limits::Side;
use crate::server::params::Params;
use crate::sim::refusal::Refusal;

type Handler = fn(&mut Core, &Params) -> Result<Value, Refusal>;

/// The endpoint behind a path; weights as of `reference/binance.md` §2.3.
pub(crate) fn route(method: &str, path: &str) -> Option<Route> {
    let name = path.strip_prefix("/api/v3/")?;
    let side = Side::Spot;
    let open =
        |weight, handle: Handler| Route { side, security: Security::Open, weight, orders: (0, 0), handle };
    let read =
        |weight, handle: Handler| Route { side, security: Security::Signed, weight, orders: (0, 0), handle };
    let trade =
        |weight, orders, handle: Handler| Route { side, security: Security::Trade, weight, orders, handle };
    let route = match (method, name) {
        ("GET", "ping") => open(|_| 1, market::ping),
        ("GET", "time") => open(|_| 1, market::time),
        ("GET", "exchangeInfo") => open(|_| 20, market::exchange_info),
        ("GET", "depth") => open(depth_weight, market::depth),
        ("GET", "klines") => open(|_| 2, market::klines),
        ("GET", "avgPrice") => open(|_| 2, market::average),
        ("GET", "ticker/24hr") => open(day_weight, market::ticker_24h),
        ("GET", "ticker/price") => open(|p| one_or_more(p, 2, 4), market::ticker_price),
        ("GET", "ticker/bookTicker") => open(|p| one_or_more(p, 2, 4), market::book_ticker),

        ("POST", "order") => trade(|_| 1, (1, 1), orders::place),
        ("POST", "order/test") => trade(test_weight, (0, 0), orders::test),
        ("GET", "order") => read(|_| 4, orders::query),
        ("DELETE", "order") => trade(|_| 1, (0, 0), orders::cancel),
        ("GET", "openOrders") => read(|p| one_or_more(p, 6, 80), orders::open_orders),
        ("DELETE", "openOrders") => trade(|_| 1, (0, 0), orders::cancel_all),
        ("GET", "allOrders") => read(|_| 20, orders::all_orders),
        ("GET", "myTrades") => read(|p| if p.get("orderId").is_some() { 5 } else { 20 }, orders::my_trades),
        ("GET", "rateLimit/order") => read(|_| 40, orders::order_limits),

        ("GET", "account") => read(|_| 20, account::account),
        ("GET", "account/commission") => read(|_| 20, account::commission),
        _ => return None,
    };
    Some(route)
}

fn one_or_more(params: &Params, one: u32, more: u32) -> u32 {
    if params.get("symbol").is_some() { one } else { more }
}

fn day_weight(params: &Params) -> u32 {
    let listed = params.list::<String>("symbols").ok().flatten().map_or(0, |symbols| symbols.len());
    match (params.get("symbol"), listed) {
        (Some(_), _) | (None, 1..=20) => 2,
        (None, 21..=100) => 40,
        _ => 80,
    }
}

fn depth_weight(params: &Params) -> u32 {
    match params.int("limit") {
        Ok(Some(limit)) if limit > 1000 => 250,
        Ok(Some(limit)) if limit > 500 => 50,
        Ok(Some(limit)) if limit > 100 => 25,
        _ => 5,
    }
}

fn test_weight(params: &Params) -> u32 {
    if params.flag("computeCommissionRates") == Ok(Some(true)) { 20 } else { 1 }
}
