//! Trading rules of the spot market's pairs.

use crate::domain::num::{Notional, Qty, Rate};
use crate::domain::rules::{LEVERAGED, Lot, Rules, SPOT, SpotTerms, Status};
use crate::domain::time::Time;
use crate::wire::binance::filters::Filters;
use crate::wire::binance::listed::{Listed, listed};
use crate::wire::binance::request::Call;
use crate::wire::json::{self, Json, Row, WireError};

/// Open orders per pair where the exchange does not say.
const MAX_OPEN_ORDERS: u32 = 200;

/// Reads `GET /api/v3/exchangeInfo`: the pairs that are priced in `quote`.
///
/// A pair without tick, step or smallest order value, or with a negative one, is a problem and left out.
/// Filters of iceberg, trailing and listed orders are ignored: rebal sends none.
pub fn exchange_info(bytes: &[u8], quote: &str) -> Result<Listed<Rules>, WireError> {
    let endpoint = Call::SpotExchangeInfo.name();
    let json = json::parse(endpoint, bytes)?;
    let symbols = Row::of(endpoint, &json)?.items("symbols")?;
    Ok(listed(endpoint, symbols, |row| {
        if row.text("quoteAsset")? != quote {
            return Ok(None);
        }
        rules(endpoint, row).map(|rules| Some((rules.symbol.clone(), rules)))
    }))
}

fn rules(endpoint: &'static str, row: Row<'_, '_>) -> Result<Rules, WireError> {
    let filters = Filters::of(endpoint, row)?;
    let price = filters.need("PRICE_FILTER")?;
    let told = filters.lot("LOT_SIZE")?.ok_or_else(|| row.wrong("filters", "has no LOT_SIZE"))?;
    if told.step.is_zero() {
        return Err(row.wrong("filters", "has no step in LOT_SIZE"));
    }
    let market = filters.lot("MARKET_LOT_SIZE")?.unwrap_or(Lot { min: told.min, ..told });
    let step = coarser(told.step, market.step)
        .ok_or_else(|| row.wrong("filters", "has two steps that do not go into each other"))?;
    let tick = price.not_negative("tickSize")?;
    let notional = Worth::of(&filters)?;
    let (price_up, price_down) = bounds(&filters)?;
    let (low, high) = (price.not_negative("minPrice")?, price.not_negative("maxPrice")?);
    let open_orders = filters.get("MAX_NUM_ORDERS").and_then(|filter| filter.small("maxNumOrders").ok());
    let max_position = match filters.get("MAX_POSITION") {
        Some(filter) => filter.not_negative("maxPosition")?,
        None => Qty::ZERO,
    };
    Ok(Rules {
        symbol: row.symbol("symbol")?,
        base: row.word("baseAsset")?,
        quote: row.word("quoteAsset")?,
        margin_asset: row.word("quoteAsset")?,
        contract: SPOT.into(),
        underlying: underlying(row).into(),
        status: status(row)?,
        // Spot tells neither when trading began nor when it will end.
        onboard: Time::default(),
        delivery: None,
        tags: Vec::new(),
        tick,
        // A price must be a multiple of the tick, whatever the lowest one is.
        price_bounds: (low.ceil_to(tick), high.floor_to(tick)),
        lot: told.on_grid(told.step),
        // Both lots bind a market order, so its smallest one is that of both on the grid of both.
        market_lot: Lot { min: market.min.max(told.min), ..market }.on_grid(step),
        min_notional: notional.min,
        price_up,
        price_down,
        market_bound: Rate::new(5, 2),
        liquidation_fee: Rate::ZERO,
        max_open_orders: open_orders.unwrap_or(MAX_OPEN_ORDERS),
        spot: Some(SpotTerms { max_notional: notional.max_market, max_position }),
    })
}

/// Tokens that hold a leveraged position ask for a permission of their own.
fn underlying(row: Row<'_, '_>) -> &'static str {
    let asks =
        ["permissions", "permissionSets"].iter().any(|field| row.get(field).is_some_and(names_leveraged));
    if asks { LEVERAGED } else { "COIN" }
}

/// Whether a list of permissions, or of such lists, has that one.
fn names_leveraged(json: &Json<'_>) -> bool {
    match json {
        Json::Text(word) => word == LEVERAGED,
        Json::List(items) => items.iter().any(names_leveraged),
        _ => false,
    }
}

/// A pair that is listed and may not be traded by us is not open for trading.
fn status(row: Row<'_, '_>) -> Result<Status, WireError> {
    let status = Status::read(&row.word("status")?);
    let allowed = row.get("isSpotTradingAllowed").is_none() || row.flag("isSpotTradingAllowed")?;
    Ok(if allowed || status != Status::Trading { status } else { Status::Other("NO_SPOT_TRADING".into()) })
}

/// The step that satisfies both filters at once; `None` where one is no multiple of the other.
fn coarser(lot: Qty, market: Qty) -> Option<Qty> {
    let step = lot.max(market);
    (step.is_multiple_of(lot) && step.is_multiple_of(market)).then_some(step)
}

/// What an order may be worth.
struct Worth {
    min: Notional,
    max_market: Notional,
}

impl Worth {
    /// From the new filter and the old one; both, where both are there. The minimum is kept for market
    /// orders even where the exchange would not ask for it.
    fn of(filters: &Filters<'_, '_>) -> Result<Worth, WireError> {
        let (new, old) = (filters.get("NOTIONAL"), filters.get("MIN_NOTIONAL"));
        let mut worth = Worth { min: Notional::ZERO, max_market: Notional::ZERO };
        if new.is_none() && old.is_none() {
            filters.need("NOTIONAL")?;
        }
        for filter in [new, old].into_iter().flatten() {
            worth.min = worth.min.max(filter.not_negative("minNotional")?);
        }
        if let Some(filter) = new
            && filter.get("applyMaxToMarket").is_some()
            && filter.flag("applyMaxToMarket")?
        {
            worth.max_market = filter.not_negative("maxNotional")?;
        }
        Ok(worth)
    }
}

/// How far above the average price a purchase may be, and how far below a sale. Where the exchange says
/// nothing, narrow bounds are assumed: they can only keep us closer to the price.
fn bounds(filters: &Filters<'_, '_>) -> Result<(Rate, Rate), WireError> {
    let by_side =
        filters.get("PERCENT_PRICE_BY_SIDE").map(|row| (row, "bidMultiplierUp", "askMultiplierDown"));
    let plain = filters.get("PERCENT_PRICE").map(|row| (row, "multiplierUp", "multiplierDown"));
    let (mut up, mut down) = (None, None);
    for (row, above, below) in [by_side, plain].into_iter().flatten() {
        let (above, below): (Rate, Rate) = (row.not_negative(above)?, row.not_negative(below)?);
        up = Some(up.map_or(above, |up: Rate| up.min(above)));
        down = Some(down.map_or(below, |down: Rate| down.max(below)));
    }
    let or = |rate: Option<Rate>, usual: Rate| rate.filter(Rate::is_positive).unwrap_or(usual);
    Ok((or(up, Rate::new(105, 2)), or(down, Rate::new(95, 2))))
}
