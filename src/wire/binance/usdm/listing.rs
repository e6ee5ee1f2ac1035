//! Trading rules, maintenance tiers and fees of the listed contracts.

use crate::domain::account::Bracket;
use crate::domain::num::Rate;
use crate::domain::rules::{NO_DELIVERY_MS, Rules, Status};
use crate::domain::symbol::Symbol;
use crate::wire::binance::filters::Filters;
use crate::wire::binance::listed::{Listed, listed};
use crate::wire::binance::request::Call;
use crate::wire::json::{self, Json, Row, WireError};
use crate::wire::text;

/// Open orders per contract since 2021.
const MAX_OPEN_ORDERS: u32 = 200;

/// Reads `GET /fapi/v1/exchangeInfo`.
///
/// A contract without tick, step or minimum, or with a negative one, is a problem and left out.
pub fn exchange_info(bytes: &[u8]) -> Result<Listed<Rules>, WireError> {
    let endpoint = Call::ExchangeInfo.name();
    let json = json::parse(endpoint, bytes)?;
    let symbols = Row::of(endpoint, &json)?.items("symbols")?;
    Ok(listed(endpoint, symbols, |row| rules(row).map(|rules| Some((rules.symbol.clone(), rules)))))
}

fn rules(row: Row<'_, '_>) -> Result<Rules, WireError> {
    let filters = Filters::of(Call::ExchangeInfo.name(), row)?;
    let price = filters.need("PRICE_FILTER")?;
    let lot = filters.lot("LOT_SIZE")?.ok_or_else(|| row.wrong("filters", "has no LOT_SIZE"))?;
    let market_lot = filters.lot("MARKET_LOT_SIZE")?.unwrap_or(lot);
    let percent = filters.get("PERCENT_PRICE");
    // Where the exchange says nothing, the narrowest values seen on BTCUSDT in 2026-09 are assumed:
    // they can only keep us closer to the mark price. The clearance fee is that of small contracts.
    let or = |rate: Option<Rate>, usual: Rate| rate.filter(Rate::is_positive).unwrap_or(usual);
    let bound = |field| percent.map_or(Ok(None), |percent| percent.optional_amount(field));
    let delivery = row.time("deliveryDate")?;
    let tags = row.get("underlyingSubType").and_then(|_| row.items("underlyingSubType").ok()).unwrap_or(&[]);
    Ok(Rules {
        symbol: row.symbol("symbol")?,
        base: row.word("baseAsset")?,
        quote: row.word("quoteAsset")?,
        margin_asset: row.word("marginAsset")?,
        contract: row.word("contractType")?,
        // Younger than the rest, and only for choosing contracts: nobody needs it to trade.
        underlying: row.word("underlyingType").unwrap_or_default(),
        status: Status::read(&row.word("status")?),
        onboard: row.time("onboardDate")?,
        delivery: (delivery.ms() < NO_DELIVERY_MS).then_some(delivery),
        tags: tags.iter().filter_map(tag).collect(),
        tick: price.not_negative("tickSize")?,
        price_bounds: (price.not_negative("minPrice")?, price.not_negative("maxPrice")?),
        lot,
        market_lot,
        min_notional: filters.need("MIN_NOTIONAL")?.not_negative("notional")?,
        price_up: or(bound("multiplierUp")?, Rate::new(105, 2)),
        price_down: or(bound("multiplierDown")?, Rate::new(95, 2)),
        market_bound: or(row.optional_amount("marketTakeBound")?, Rate::new(5, 2)),
        liquidation_fee: or(row.optional_amount("liquidationFee")?, Rate::new(15, 3)),
        spot: None,
        max_open_orders: filters
            .get("MAX_NUM_ORDERS")
            .and_then(|filter| filter.small("limit").ok())
            .unwrap_or(MAX_OPEN_ORDERS),
    })
}

fn tag(json: &Json<'_>) -> Option<String> {
    match json {
        Json::Text(tag) => Some(text::word(tag)),
        _ => None,
    }
}

/// Reads `GET /fapi/v1/leverageBracket`: tiers by contract, ascending.
///
/// The figures come as JSON numbers (texts are accepted too). `notionalCoef` stretches the caps of
/// one user: it is already in the caps that the exchange sends with a signed request.
pub fn leverage_brackets(bytes: &[u8]) -> Result<Listed<Vec<Bracket>>, WireError> {
    let endpoint = Call::LeverageBracket.name();
    let json = json::parse(endpoint, bytes)?;
    let items = Row::list(endpoint, &json)?;
    Ok(listed(endpoint, items, |row| {
        let symbol = row.symbol("symbol")?;
        let mut tiers = Vec::new();
        for item in row.items("brackets")? {
            tiers.push(bracket(Row::of(endpoint, item)?)?);
        }
        tiers.sort_by_key(|tier: &Bracket| tier.floor);
        Ok((!tiers.is_empty()).then_some((symbol, tiers)))
    }))
}

fn bracket(row: Row<'_, '_>) -> Result<Bracket, WireError> {
    let tier = Bracket {
        floor: row.number("notionalFloor")?,
        cap: row.number("notionalCap")?,
        max_leverage: row.small("initialLeverage")?,
        maint_rate: row.number("maintMarginRatio")?,
        cum: row.number("cum")?,
    };
    let sound = !tier.floor.is_negative()
        && tier.cap > tier.floor
        && tier.max_leverage >= 1
        && !tier.maint_rate.is_negative()
        && tier.maint_rate <= Rate::ONE;
    if sound { Ok(tier) } else { Err(row.wrong("brackets", "has a tier that makes no sense")) }
}

/// Fees of one contract as fractions of notional; negative is a rebate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fees {
    /// For orders that rested.
    pub maker: Rate,
    /// For orders that took from the book.
    pub taker: Rate,
}

/// Reads `GET /fapi/v1/commissionRate`.
pub fn commission_rate(bytes: &[u8]) -> Result<(Symbol, Fees), WireError> {
    let endpoint = Call::CommissionRate.name();
    let json = json::parse(endpoint, bytes)?;
    let row = Row::of(endpoint, &json)?;
    let fees = Fees { maker: row.amount("makerCommissionRate")?, taker: row.amount("takerCommissionRate")? };
    if fees.taker.abs() >= Rate::new(5, 2) {
        return Err(row.wrong("takerCommissionRate", "is beyond five per cent"));
    }
    Ok((row.symbol("symbol")?, fees))
}
