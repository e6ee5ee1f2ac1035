//! What everybody may see: contracts, prices, books, candles, funding.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::rules::{NO_DELIVERY_MS, Rules};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::server::core::{Core, turned};
use crate::server::limits::{ORDERS_1M, ORDERS_10S, WEIGHT_LIMIT};
use crate::server::params::{Params, not_valid};
use crate::sim::Listed;
use crate::sim::book::Level;
use crate::sim::history::Span;
use crate::sim::refusal::Refusal;

pub(super) fn ping(_: &mut Core, _: &Params) -> Result<Value, Refusal> {
    Ok(json!({}))
}

pub(super) fn time(core: &mut Core, _: &Params) -> Result<Value, Refusal> {
    Ok(json!({"serverTime": core.exchange.now().ms()}))
}

/// The whole list, whatever is asked for.
pub(super) fn exchange_info(core: &mut Core, _: &Params) -> Result<Value, Refusal> {
    let turn = core.served();
    let rules = core.exchange.rules();
    let listing = &core.exchange.world().listing;
    let symbols: Vec<Value> = listing
        .iter()
        .zip(rules.values())
        .enumerate()
        .map(|(index, ((_, listed), rules))| contract(listed, rules, turn.wrapping_mul(5) + index as u64))
        .collect();
    let asset =
        |name: &str| json!({"asset": name, "marginAvailable": true, "autoAssetExchange": Value::Null});
    Ok(json!({
        "timezone": "UTC",
        "serverTime": core.exchange.now().ms(),
        "futuresType": "U_MARGINED",
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": WEIGHT_LIMIT},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": ORDERS_1M},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDERS_10S},
        ],
        "exchangeFilters": [],
        "assets": [asset("USDT"), asset("BNB"), asset("USDC"), asset("BTC")],
        "symbols": turned(symbols, turn),
    }))
}

fn contract(listed: &Listed, rules: &Rules, turn: u64) -> Value {
    let lot = |kind: &str, lot: &crate::domain::rules::Lot| json!({"filterType": kind, "minQty": lot.min, "maxQty": lot.max, "stepSize": lot.step});
    let filters = vec![
        json!({"filterType": "PRICE_FILTER", "minPrice": rules.price_bounds.0,
               "maxPrice": rules.price_bounds.1, "tickSize": rules.tick}),
        lot("LOT_SIZE", &rules.lot),
        lot("MARKET_LOT_SIZE", &rules.market_lot),
        json!({"filterType": "MAX_NUM_ORDERS", "limit": rules.max_open_orders}),
        json!({"filterType": "MIN_NOTIONAL", "notional": rules.min_notional}),
        json!({"filterType": "PERCENT_PRICE", "multiplierUp": format!("{:.4}", rules.price_up),
               "multiplierDown": format!("{:.4}", rules.price_down), "multiplierDecimal": "4"}),
        json!({"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"}),
    ];
    let delivery = rules.delivery.map_or(NO_DELIVERY_MS, Time::ms);
    json!({
        "symbol": rules.symbol,
        "pair": rules.symbol,
        "contractType": rules.contract,
        "deliveryDate": delivery,
        "onboardDate": rules.onboard.ms(),
        "status": rules.status.as_str(),
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": rules.base,
        "quoteAsset": rules.quote,
        "marginAsset": rules.margin_asset,
        "pricePrecision": listed.price_precision,
        "quantityPrecision": listed.qty_precision,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": rules.underlying,
        "underlyingSubType": rules.tags,
        "settlePlan": 0,
        "triggerProtect": "0.1000",
        "liquidationFee": format!("{:.6}", rules.liquidation_fee),
        "marketTakeBound": format!("{:.2}", rules.market_bound),
        "maxMoveOrderLimit": 10_000,
        "permissionSets": ["GRID", "COPY"],
        "filters": turned(filters, turn),
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET",
                       "TRAILING_STOP_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    })
}

/// One object for the symbol asked for, or an array of all that have something to show.
fn one_or_all(
    core: &Core,
    params: &Params,
    show: impl Fn(&Core, &Symbol) -> Option<Value>,
) -> Result<Value, Refusal> {
    match params.symbol()? {
        Some(symbol) => {
            core.exchange.check_symbol(&symbol)?;
            show(core, &symbol).ok_or_else(|| Refusal::of(-1122))
        }
        None => {
            let symbols = core.exchange.world().listing.keys();
            let rows: Vec<Value> = symbols.filter_map(|symbol| show(core, symbol)).collect();
            Ok(Value::Array(turned(rows, core.served())))
        }
    }
}

pub(super) fn premium_index(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    one_or_all(core, params, |core, symbol| {
        let mark = core.exchange.mark(symbol)?;
        let index = core.exchange.last_price(symbol).unwrap_or(mark.price);
        Some(json!({
            "symbol": symbol,
            "markPrice": mark.price,
            "indexPrice": index,
            "estimatedSettlePrice": index,
            "lastFundingRate": format!("{:.8}", mark.funding_rate),
            "interestRate": "0.00010000",
            "nextFundingTime": mark.next_funding.map_or(0, Time::ms),
            "time": mark.at.ms(),
        }))
    })
}

pub(super) fn ticker_24h(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    one_or_all(core, params, |core, symbol| {
        let day = core.exchange.day(symbol)?;
        let change = day.last - day.open;
        let percent = day.last.over(day.open).map_or(Rate::ZERO, |ratio| ratio - Rate::ONE);
        let mean = day.quote_volume.over_qty(day.volume).unwrap_or(day.last);
        // A dead contract keeps showing its last day.
        let dead = !Listed::is_live_status(&core.exchange.status(symbol));
        let stale = Duration::from_secs(if dead { 3 * 86_400 } else { 0 });
        let close = core.exchange.now() - stale;
        let id = core.exchange.now().ms() / 1000;
        Some(json!({
            "symbol": symbol,
            "priceChange": change,
            "priceChangePercent": format!("{:.3}", percent * Rate::from(100)),
            "weightedAvgPrice": mean.rounded(8),
            "lastPrice": day.last,
            "lastQty": core.exchange.quote(symbol).map_or(Qty::ONE, |quote| quote.ask_qty),
            "openPrice": day.open,
            "highPrice": day.high,
            "lowPrice": day.low,
            "volume": day.volume,
            "quoteVolume": day.quote_volume.rounded(8),
            "openTime": (day.from - stale).ms(),
            "closeTime": close.ms(),
            "firstId": id,
            "lastId": id + 99_999,
            "count": 100_000,
        }))
    })
}

pub(super) fn book_ticker(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    one_or_all(core, params, |core, symbol| {
        core.exchange.mark_price(symbol)?;
        let now = core.exchange.now().ms();
        let quote = core.exchange.quote(symbol);
        let price = |value: Option<Price>| value.unwrap_or(Price::ZERO);
        let qty = |value: Option<Qty>| value.unwrap_or(Qty::ZERO);
        Some(json!({
            "symbol": symbol,
            "bidPrice": price(quote.map(|quote| quote.bid)),
            "bidQty": qty(quote.map(|quote| quote.bid_qty)),
            "askPrice": price(quote.map(|quote| quote.ask)),
            "askQty": qty(quote.map(|quote| quote.ask_qty)),
            "time": now,
            "lastUpdateId": now,
        }))
    })
}

pub(super) fn ticker_price(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    one_or_all(core, params, |core, symbol| {
        let price = core.exchange.last_price(symbol)?;
        Some(json!({"symbol": symbol, "price": price, "time": core.exchange.now().ms()}))
    })
}

pub(super) fn depth(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.exchange.check_symbol(&symbol)?;
    let limit = params.int("limit")?.unwrap_or(500);
    if ![5, 10, 20, 50, 100, 500, 1000].contains(&limit) {
        return Err(Refusal::saying(-4021, format!("{limit} is not valid depth limit.")));
    }
    let limit = usize::try_from(limit).unwrap_or(0);
    let book = core.exchange.book(&symbol).unwrap_or_default();
    let side = |levels: &[Level]| -> Vec<Value> {
        levels.iter().take(limit).map(|level| json!([level.price, level.qty])).collect()
    };
    let now = core.exchange.now().ms();
    Ok(json!({
        "lastUpdateId": now, "E": now, "T": now, "bids": side(&book.bids), "asks": side(&book.asks),
    }))
}

pub(super) fn klines(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    candles(core, params, false)
}

pub(super) fn mark_klines(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    candles(core, params, true)
}

fn candles(core: &Core, params: &Params, of_mark: bool) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.exchange.check_symbol(&symbol)?;
    let span = Span::read(params.need("interval")?).ok_or_else(|| Refusal::of(-1120))?;
    let limit = params.limit(500, 1500)?;
    let (start, end) = (params.time("startTime")?, params.time("endTime")?);
    let to = end.unwrap_or(core.exchange.now());
    let length = span.end(span.start(to)).since(span.start(to));
    let back = length * u32::try_from(limit).unwrap_or(u32::MAX);
    let from = start.unwrap_or(span.start(to) - back);
    let mut bars = core.exchange.candles(&symbol, span, from, to, of_mark);
    if start.is_some() {
        bars.truncate(limit);
    } else {
        let surplus = bars.len().saturating_sub(limit);
        bars = bars.split_off(surplus);
    }
    let rows = bars.into_iter().map(|bar| {
        let close = span.end(bar.open_time) - Duration::from_millis(1);
        let quote: Notional = bar.volume * bar.open.mid(bar.close);
        let half = Rate::new(5, 1);
        json!([
            bar.open_time.ms(),
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume,
            close.ms(),
            quote.rounded(8),
            if bar.volume.is_zero() { 0 } else { 1000 },
            (bar.volume * half).rounded(8),
            (quote * half).rounded(8),
            "0",
        ])
    });
    Ok(Value::Array(rows.collect()))
}

pub(super) fn funding_rate(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let limit = params.limit(100, 1000)?;
    let (start, end) = (params.time("startTime")?, params.time("endTime")?);
    let to = end.unwrap_or(core.exchange.now());
    let symbols = match params.symbol()? {
        Some(symbol) => {
            core.exchange.check_symbol(&symbol)?;
            vec![symbol]
        }
        None => core.exchange.world().listing.keys().cloned().collect(),
    };
    let each = if symbols.len() == 1 { limit } else { 1 };
    let mut rows = Vec::new();
    for symbol in &symbols {
        let hours = core.exchange.world().listing.get(symbol).map_or(8, |listed| listed.funding_hours);
        let reach = Duration::from_secs(u64::from(hours) * 3600) * u32::try_from(each).unwrap_or(u32::MAX);
        let from = start.unwrap_or(to - reach);
        for print in core.exchange.funding_history(symbol, from, to) {
            rows.push((print.at, symbol, print));
        }
    }
    rows.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    if start.is_some() {
        rows.truncate(limit);
    } else {
        let surplus = rows.len().saturating_sub(limit);
        rows = rows.split_off(surplus);
    }
    let rows = rows.into_iter().map(|(at, symbol, print)| {
        json!({
            "symbol": symbol,
            "fundingRate": format!("{:.8}", print.rate),
            "fundingTime": at.ms(),
            "markPrice": print.mark.map_or_else(String::new, |mark| mark.to_string()),
            "rateType": "Regular",
        })
    });
    Ok(Value::Array(rows.collect()))
}

/// Only contracts that do not settle every eight hours: the others are not listed.
pub(super) fn funding_info(core: &mut Core, _: &Params) -> Result<Value, Refusal> {
    let listing = core.exchange.world().listing.iter();
    let rows = listing.filter(|(_, listed)| listed.funding_hours != 8).map(|(symbol, listed)| {
        json!({
            "symbol": symbol,
            "adjustedFundingRateCap": "0.02000000",
            "adjustedFundingRateFloor": "-0.02000000",
            "fundingIntervalHours": listed.funding_hours,
            "disclaimer": false,
            "updateTime": Value::Null,
        })
    });
    Ok(Value::Array(rows.collect()))
}

pub(super) fn open_interest(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.exchange.check_symbol(&symbol)?;
    let price = core.exchange.mark_price(&symbol).ok_or_else(|| not_valid("symbol"))?;
    let listed = core.exchange.world().listing.get(&symbol);
    let volume = listed.map_or(Notional::ZERO, |listed| listed.shape.daily_volume);
    let step = listed.map_or(Qty::ZERO, |listed| listed.rules.lot.step);
    // About a third of a day's volume is open.
    let open = (volume * Rate::new(33, 2)).over_price(price).unwrap_or(Qty::ZERO).floor_to(step);
    let mut shown = Map::new();
    shown.insert("symbol".into(), json!(symbol));
    shown.insert("openInterest".into(), json!(open));
    shown.insert("time".into(), json!(core.exchange.now().ms()));
    Ok(Value::Object(shown))
}
