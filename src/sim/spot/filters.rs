//! What an order must satisfy before the engine sees it: `reference/binance.md` §4.1.

use crate::domain::num::{Notional, Price, Qty};
use crate::domain::order::{OrderKind, Side};
use crate::domain::rules::Lot;
use crate::sim::refusal::Refusal;
use crate::sim::spot::listing::Pair;
use crate::sim::spot::orders::{Request, Size};
use crate::sim::spot::{ASSET_DIGITS, Spot};

/// The longest client order id.
const LONGEST_ID: usize = 36;

/// `-1013`, naming the filter.
pub(crate) fn failure(filter: &str) -> Refusal {
    Refusal::saying(-1013, format!("Filter failure: {filter}"))
}

/// Checks a client order id: `^[a-zA-Z0-9-_.:/]{1,36}$`.
pub(crate) fn check_client_id(id: &str) -> Result<(), Refusal> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'/' | b'_' | b'-');
    if (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(legal) {
        return Ok(());
    }
    Err(Refusal::saying(
        -1100,
        "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[\\.A-Z\\:/a-z0-9_-]{1,36}$'.",
    ))
}

/// Checks digits, price, price band and value; `average` is the pair's average price.
pub(crate) fn check(pair: &Pair, request: &Request, average: Price) -> Result<(), Refusal> {
    let limit = match request.kind {
        OrderKind::Limit { price, .. } => Some(price),
        OrderKind::Market => None,
    };
    let digits = match request.size {
        Size::Base(qty) => qty.decimals(),
        Size::Quote(amount) => amount.decimals(),
    };
    if digits > ASSET_DIGITS || limit.is_some_and(|price| price.decimals() > ASSET_DIGITS) {
        return Err(Refusal::of(-1111));
    }
    if let Some(price) = limit {
        check_price(pair, request.side, price, average)?;
    }
    match request.size {
        Size::Base(qty) if !qty.is_positive() => Err(Refusal::saying(-1013, "Invalid quantity.")),
        Size::Quote(amount) if !amount.is_positive() => {
            Err(Refusal::saying(-1013, "Invalid quote order quantity."))
        }
        Size::Base(qty) => {
            check_qty(pair, qty, limit.is_none())?;
            check_value(pair, qty * limit.unwrap_or(average), limit.is_none())
        }
        Size::Quote(amount) => check_value(pair, amount, true),
    }
}

fn check_price(pair: &Pair, side: Side, price: Price, average: Price) -> Result<(), Refusal> {
    let (lowest, highest) = pair.rules.price_bounds;
    let outside = price < lowest || highest.is_positive() && price > highest;
    if !price.is_positive() || outside || !price.is_multiple_of(pair.rules.tick) {
        return Err(failure("PRICE_FILTER"));
    }
    let (down, up) = match side {
        Side::Buy => pair.bid_band,
        Side::Sell => pair.ask_band,
    };
    if price < average * down || price > average * up {
        let name = if pair.modern { "PERCENT_PRICE_BY_SIDE" } else { "PERCENT_PRICE" };
        return Err(failure(name));
    }
    Ok(())
}

/// Checks a quantity against the lot, and a market order's against its own lot too.
pub(crate) fn check_qty(pair: &Pair, qty: Qty, market: bool) -> Result<(), Refusal> {
    let fits =
        |lot: &Lot| qty >= lot.min && (lot.max.is_zero() || qty <= lot.max) && qty.is_multiple_of(lot.step);
    if !fits(&pair.rules.lot) {
        return Err(failure("LOT_SIZE"));
    }
    if market && !fits(&pair.rules.market_lot) {
        return Err(failure("MARKET_LOT_SIZE"));
    }
    Ok(())
}

fn check_value(pair: &Pair, value: Notional, market: bool) -> Result<(), Refusal> {
    let name = if pair.modern { "NOTIONAL" } else { "MIN_NOTIONAL" };
    if value < pair.rules.min_notional && (!market || pair.min_for_market) {
        return Err(failure(name));
    }
    // What the largest value is for, market orders have a lot of their own.
    if pair.max_notional.is_positive() && value > pair.max_notional && !market {
        return Err(failure(name));
    }
    Ok(())
}

impl Spot {
    /// Checks what depends on the account: the number of open orders and the largest position.
    pub(crate) fn check_account(&self, pair: &Pair, side: Side, qty: Qty) -> Result<(), Refusal> {
        let symbol = &pair.rules.symbol;
        let open = || self.state.open.iter().filter(|open| open.order.symbol == *symbol);
        if open().count() >= usize::try_from(pair.rules.max_open_orders).unwrap_or(usize::MAX) {
            return Err(failure("MAX_NUM_ORDERS"));
        }
        if side == Side::Buy && pair.max_position.is_positive() {
            let wanted: Qty = open().filter(|o| o.order.side == Side::Buy).map(|o| o.left()).sum();
            if self.balance(&pair.rules.base).total() + wanted + qty > pair.max_position {
                return Err(failure("MAX_POSITION"));
            }
        }
        Ok(())
    }
}
