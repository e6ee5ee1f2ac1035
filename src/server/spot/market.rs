//! What everybody may see: pairs, prices, books, candles.

use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::rules::{Lot, Rules};
use crate::domain::symbol::Symbol;
use crate::server::core::{Core, page, turned};
use crate::server::limits::{SPOT_ORDERS_1D, SPOT_ORDERS_10S, SPOT_REQUESTS, SPOT_WEIGHT};
use crate::server::params::{Params, not_valid};
use crate::server::spot::show::eight;
use crate::sim::book::Level;
use crate::sim::history::Span;
use crate::sim::refusal::Refusal;
use crate::sim::spot::listing::Pair;

pub(super) fn ping(_: &mut Core, _: &Params) -> Result<Value, Refusal> {
    Ok(json!({}))
}

pub(super) fn time(core: &mut Core, _: &Params) -> Result<Value, Refusal> {
    Ok(json!({"serverTime": core.exchange.now().ms()}))
}

/// The pairs that `symbol` or `symbols` name; `None` where neither was sent.
fn named(core: &Core, params: &Params) -> Result<Option<Vec<Symbol>>, Refusal> {
    let symbols = match (params.symbol()?, params.list::<String>("symbols")?) {
        (Some(_), Some(_)) => return Err(bad_combination()),
        (Some(symbol), None) => vec![symbol],
        (None, Some(names)) => {
            let read = names.iter().map(|name| name.parse().map_err(|_| Refusal::of(-1121)));
            read.collect::<Result<Vec<Symbol>, Refusal>>()?
        }
        (None, None) => return Ok(None),
    };
    if symbols.is_empty() {
        return Err(not_valid("symbols"));
    }
    for symbol in &symbols {
        core.spot.pair(symbol)?;
    }
    Ok(Some(symbols))
}

fn bad_combination() -> Refusal {
    Refusal::saying(-1128, "Combination of optional parameters invalid.")
}

pub(super) fn exchange_info(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let wanted = named(core, params)?;
    let status = params.get("symbolStatus");
    let permitted = params.get("permissions");
    if wanted.is_some() && (status.is_some() || permitted.is_some()) {
        return Err(bad_combination());
    }
    if status.is_some_and(|status| !["TRADING", "HALT", "BREAK"].contains(&status)) {
        return Err(not_valid("symbolStatus"));
    }
    // Every pair is for spot; what is asked for may be one word or a list of them.
    let for_spot = permitted.is_none_or(|words| words.contains("SPOT"));
    let with_sets = params.flag("showPermissionSets")?.unwrap_or(true);
    let turn = core.served();
    let rules = core.spot.rules();
    let pairs = core.spot.pairs().iter().zip(rules.values()).filter(|((symbol, _), rules)| {
        for_spot
            && wanted.as_ref().is_none_or(|wanted| wanted.contains(symbol))
            && status.is_none_or(|status| rules.status.as_str() == status)
    });
    let rows = pairs.enumerate().map(|(index, ((_, pair), rules))| {
        let shuffle = turn.wrapping_mul(5) + index as u64;
        shown(pair, rules, shuffle, with_sets)
    });
    let limit = |kind: &str, interval: &str, number: u32, limit: u32| json!({"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit});
    Ok(json!({
        "timezone": "UTC",
        "serverTime": core.exchange.now().ms(),
        "rateLimits": [
            limit("REQUEST_WEIGHT", "MINUTE", 1, SPOT_WEIGHT),
            limit("ORDERS", "SECOND", 10, SPOT_ORDERS_10S),
            limit("ORDERS", "DAY", 1, SPOT_ORDERS_1D),
            limit("RAW_REQUESTS", "MINUTE", 5, SPOT_REQUESTS),
        ],
        "exchangeFilters": [],
        "symbols": turned(rows.collect(), turn),
    }))
}

fn filters(pair: &Pair, rules: &Rules) -> Vec<Value> {
    let lot = |kind: &str, lot: &Lot| {
        json!({"filterType": kind, "minQty": eight(lot.min), "maxQty": eight(lot.max),
               "stepSize": eight(lot.step)})
    };
    let mut filters = vec![
        json!({"filterType": "PRICE_FILTER", "minPrice": eight(rules.price_bounds.0),
               "maxPrice": eight(rules.price_bounds.1), "tickSize": eight(rules.tick)}),
        lot("LOT_SIZE", &rules.lot),
        lot("MARKET_LOT_SIZE", &rules.market_lot),
        json!({"filterType": "ICEBERG_PARTS", "limit": 10}),
        json!({"filterType": "TRAILING_DELTA", "minTrailingAboveDelta": 10, "maxTrailingAboveDelta": 2000,
               "minTrailingBelowDelta": 10, "maxTrailingBelowDelta": 2000}),
        json!({"filterType": "MAX_NUM_ORDERS", "maxNumOrders": rules.max_open_orders}),
        json!({"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5}),
    ];
    if pair.modern {
        filters.push(json!({
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": pair.bid_band.1, "bidMultiplierDown": pair.bid_band.0,
            "askMultiplierUp": pair.ask_band.1, "askMultiplierDown": pair.ask_band.0,
            "avgPriceMins": 5,
        }));
        filters.push(json!({
            "filterType": "NOTIONAL",
            "minNotional": eight(rules.min_notional), "applyMinToMarket": pair.min_for_market,
            "maxNotional": eight(pair.max_notional), "applyMaxToMarket": false, "avgPriceMins": 5,
        }));
    } else {
        filters.push(json!({
            "filterType": "PERCENT_PRICE",
            "multiplierUp": pair.bid_band.1, "multiplierDown": pair.bid_band.0, "avgPriceMins": 5,
        }));
        filters.push(json!({
            "filterType": "MIN_NOTIONAL",
            "minNotional": eight(rules.min_notional), "applyToMarket": pair.min_for_market, "avgPriceMins": 5,
        }));
    }
    if pair.max_position.is_positive() {
        filters.push(json!({"filterType": "MAX_POSITION", "maxPosition": eight(pair.max_position)}));
    }
    filters
}

fn shown(pair: &Pair, rules: &Rules, turn: u64, with_sets: bool) -> Value {
    let sets = if with_sets { json!([["SPOT", "MARGIN", "TRD_GRP_004"]]) } else { json!([]) };
    json!({
        "symbol": rules.symbol,
        "status": rules.status.as_str(),
        "baseAsset": rules.base,
        "baseAssetPrecision": 8,
        "quoteAsset": rules.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT",
                       "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": true,
        "ocoAllowed": true,
        "otoAllowed": true,
        "opoAllowed": true,
        "quoteOrderQtyMarketAllowed": true,
        "allowTrailingStop": true,
        "cancelReplaceAllowed": true,
        "amendAllowed": true,
        "pegInstructionsAllowed": true,
        "isSpotTradingAllowed": true,
        "isMarginTradingAllowed": false,
        "filters": turned(filters(pair, rules), turn),
        "permissions": [],
        "permissionSets": sets,
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    })
}

/// One object for `symbol`, an array for `symbols` or for all that have something to show.
fn one_or_more(
    core: &Core,
    params: &Params,
    show: impl Fn(&Core, &Symbol) -> Option<Value>,
) -> Result<Value, Refusal> {
    match named(core, params)? {
        Some(symbols) if params.get("symbol").is_some() => {
            let first = symbols.first().and_then(|symbol| show(core, symbol));
            first.ok_or_else(|| Refusal::of(-1122))
        }
        Some(symbols) => Ok(symbols.iter().filter_map(|symbol| show(core, symbol)).collect()),
        None => {
            let rows: Vec<Value> = core.spot.pairs().keys().filter_map(|symbol| show(core, symbol)).collect();
            Ok(Value::Array(turned(rows, core.served())))
        }
    }
}

pub(super) fn ticker_price(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    one_or_more(core, params, |core, symbol| {
        let price = core.spot.last_price(&core.exchange, symbol)?;
        Some(json!({"symbol": symbol, "price": eight(price)}))
    })
}

/// Best bid and ask in the order that the answers want them; zeros where there is no book.
fn top(core: &Core, symbol: &Symbol) -> [String; 4] {
    let quote = core.spot.quote(&core.exchange, symbol);
    let price = |value: Option<Price>| eight(value.unwrap_or(Price::ZERO));
    let qty = |value: Option<Qty>| eight(value.unwrap_or(Qty::ZERO));
    [
        price(quote.map(|quote| quote.bid)),
        qty(quote.map(|quote| quote.bid_qty)),
        price(quote.map(|quote| quote.ask)),
        qty(quote.map(|quote| quote.ask_qty)),
    ]
}

pub(super) fn book_ticker(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    one_or_more(core, params, |core, symbol| {
        core.spot.last_price(&core.exchange, symbol)?;
        let [bid, bid_qty, ask, ask_qty] = top(core, symbol);
        Some(json!({"symbol": symbol, "bidPrice": bid, "bidQty": bid_qty, "askPrice": ask,
                    "askQty": ask_qty}))
    })
}

pub(super) fn ticker_24h(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let mini = match params.get("type") {
        None | Some("FULL") => false,
        Some("MINI") => true,
        Some(_) => return Err(not_valid("type")),
    };
    one_or_more(core, params, |core, symbol| {
        let day = core.spot.day(&core.exchange, symbol)?;
        let id = core.exchange.now().ms() / 1000;
        let mut row = json!({
            "symbol": symbol,
            "openPrice": eight(day.open),
            "highPrice": eight(day.high),
            "lowPrice": eight(day.low),
            "lastPrice": eight(day.last),
            "volume": eight(day.volume),
            "quoteVolume": eight(day.quote_volume.rounded(8)),
            "openTime": day.from.ms(),
            "closeTime": core.exchange.now().ms(),
            "firstId": id,
            "lastId": id + 99_999,
            "count": 100_000,
        });
        if let (false, Some(members)) = (mini, row.as_object_mut()) {
            let percent = day.last.over(day.open).map_or(Rate::ZERO, |ratio| ratio - Rate::ONE);
            let mean = day.quote_volume.over_qty(day.volume).unwrap_or(day.last);
            let [bid, bid_qty, ask, ask_qty] = top(core, symbol);
            for (name, value) in [
                ("priceChange", eight(day.last - day.open)),
                ("priceChangePercent", format!("{:.3}", percent * Rate::from(100))),
                ("weightedAvgPrice", eight(mean.rounded(8))),
                ("prevClosePrice", eight(day.open)),
                ("lastQty", ask_qty.clone()),
                ("bidPrice", bid),
                ("bidQty", bid_qty),
                ("askPrice", ask),
                ("askQty", ask_qty),
            ] {
                members.insert(name.into(), json!(value));
            }
        }
        Some(row)
    })
}

pub(super) fn average(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.spot.pair(&symbol)?;
    let price = core.spot.average_price(&core.exchange, &symbol).unwrap_or(Price::ZERO);
    Ok(json!({"mins": 5, "price": eight(price), "closeTime": core.exchange.now().ms()}))
}

pub(super) fn depth(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.spot.pair(&symbol)?;
    let limit = params.limit(100, 5000)?;
    let book = core.spot.book(&core.exchange, &symbol).unwrap_or_default();
    let side = |levels: &[Level]| -> Vec<Value> {
        levels.iter().take(limit).map(|level| json!([eight(level.price), eight(level.qty)])).collect()
    };
    Ok(json!({
        "lastUpdateId": core.exchange.now().ms(), "bids": side(&book.bids), "asks": side(&book.asks),
    }))
}

pub(super) fn klines(core: &mut Core, params: &Params) -> Result<Value, Refusal> {
    let symbol = params.need_symbol()?;
    core.spot.pair(&symbol)?;
    let span = Span::read(params.need("interval")?).ok_or_else(|| Refusal::of(-1120))?;
    let limit = params.limit(500, 1000)?;
    let (start, end) = (params.time("startTime")?, params.time("endTime")?);
    let to = end.unwrap_or(core.exchange.now());
    let length = span.end(span.start(to)).since(span.start(to));
    let from = start.unwrap_or(span.start(to) - length * u32::try_from(limit).unwrap_or(u32::MAX));
    let bars = core.spot.candles(&core.exchange, &symbol, span, from, to);
    let rows = page(bars, limit, start.is_some()).into_iter().map(|bar| {
        let close = span.end(bar.open_time) - Duration::from_millis(1);
        let quote: Notional = bar.volume * bar.open.mid(bar.close);
        let half = Rate::new(5, 1);
        json!([
            bar.open_time.ms(),
            eight(bar.open),
            eight(bar.high),
            eight(bar.low),
            eight(bar.close),
            eight(bar.volume),
            close.ms(),
            eight(quote.rounded(8)),
            if bar.volume.is_zero() { 0 } else { 1000 },
            eight((bar.volume * half).rounded(8)),
            eight((quote * half).rounded(8)),
            "0",
        ])
    });
    Ok(rows.collect())
}
