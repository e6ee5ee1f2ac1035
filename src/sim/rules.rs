//! What an order must satisfy before the engine sees it, in the exchange's own order.

use crate::domain::num::Price;
use crate::domain::order::{OrderKind, OrderRequest, Side};
use crate::domain::rules::{Lot, Status};
use crate::sim::Listed;
use crate::sim::refusal::Refusal;

/// The longest client order id.
const LONGEST_ID: usize = 36;

/// Checks a client order id: `^[\.A-Z\:/a-z0-9_-]{1,36}$`.
pub(crate) fn check_client_id(id: &str) -> Result<(), Refusal> {
    if id.chars().count() > LONGEST_ID {
        return Err(Refusal::of(-4015));
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'/' | b'_' | b'-');
    if id.is_empty() || !id.bytes().all(legal) {
        return Err(Refusal::saying(
            -1100,
            "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[\\.A-Z\\:/a-z0-9_-]{1,36}$'.",
        ));
    }
    Ok(())
}

/// Checks precision, quantity, price, value, price band and status, in that order.
pub(crate) fn check(
    listed: &Listed,
    status: &Status,
    request: &OrderRequest,
    mark: Price,
) -> Result<(), Refusal> {
    let rules = &listed.rules;
    let limit = match request.kind {
        OrderKind::Limit { price, .. } => Some(price),
        OrderKind::Market => None,
    };
    let too_fine = request.qty.decimals() > listed.qty_precision
        || limit.is_some_and(|price| price.decimals() > listed.price_precision);
    if too_fine {
        return Err(Refusal::of(-1111));
    }
    check_qty(request, if limit.is_some() { &rules.lot } else { &rules.market_lot })?;
    if let Some(price) = limit {
        check_price(listed, price)?;
    }
    let worth = request.qty * limit.unwrap_or(mark);
    if !request.reduce_only && worth < rules.min_notional {
        let least = rules.min_notional;
        let least = if least.decimals() == 0 { format!("{least:.1}") } else { least.to_string() };
        return Err(Refusal::saying(
            -4164,
            format!("Order's notional must be no smaller than {least} (unless you choose reduce only)."),
        ));
    }
    if let Some(price) = limit {
        check_band(listed, request.side, price, mark)?;
    }
    check_status(status, request.reduce_only)
}

fn check_qty(request: &OrderRequest, lot: &Lot) -> Result<(), Refusal> {
    let qty = request.qty;
    if !qty.is_positive() {
        return Err(Refusal::of(-4003));
    }
    if qty < lot.min {
        return Err(Refusal::of(-4004));
    }
    if lot.max.is_positive() && qty > lot.max {
        return Err(Refusal::of(-4005));
    }
    if !(qty - lot.min).is_multiple_of(lot.step) {
        return Err(Refusal::of(-4023));
    }
    Ok(())
}

fn check_price(listed: &Listed, price: Price) -> Result<(), Refusal> {
    let (lowest, highest) = listed.rules.price_bounds;
    if !price.is_positive() {
        return Err(Refusal::of(-4001));
    }
    if highest.is_positive() && price > highest {
        return Err(Refusal::of(-4002));
    }
    if price < lowest {
        return Err(Refusal::of(-4013));
    }
    if !(price - lowest).is_multiple_of(listed.rules.tick) {
        return Err(Refusal::of(-4014));
    }
    Ok(())
}

/// One-sided: a buy may not be too dear, a sell not too cheap.
fn check_band(listed: &Listed, side: Side, price: Price, mark: Price) -> Result<(), Refusal> {
    let highest = mark * listed.rules.price_up;
    let lowest = mark * listed.rules.price_down;
    match side {
        Side::Buy if price > highest => Err(Refusal::saying(
            -4016,
            format!("Limit price can't be higher than {}.", highest.floor_to(listed.rules.tick)),
        )),
        Side::Sell if price < lowest => Err(Refusal::saying(
            -4024,
            format!("Limit price can't be lower than {}.", lowest.ceil_to(listed.rules.tick)),
        )),
        _ => Ok(()),
    }
}

/// Checks that the contract takes such orders at all.
pub(crate) fn check_status(status: &Status, reduce_only: bool) -> Result<(), Refusal> {
    match status.as_str() {
        "TRADING" => Ok(()),
        "PRE_SETTLE" | "PRE_DELIVERING" if reduce_only => Ok(()),
        "PRE_SETTLE" | "PRE_DELIVERING" => Err(Refusal::of(-4140)),
        "PENDING_TRADING" => Err(Refusal::of(-1122)),
        _ => Err(Refusal::of(-4141)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::TimeInForce;
    use crate::domain::rules::tests::plain;
    use crate::sim::listing::plain_shape;

    fn num<K>(text: &str) -> crate::domain::num::Amount<K> {
        text.parse().unwrap()
    }

    /// Tick 0.01 shown with three digits, step 0.1 from a minimum of 0.5, mark 100.
    fn code(side: Side, qty: &str, price: &str, reduce_only: bool, status: &str) -> i64 {
        let mut rules = plain("AUSDT");
        rules.lot.min = num("0.5");
        rules.lot.step = num("0.2");
        rules.market_lot = Lot { max: num("50"), ..rules.lot };
        rules.price_bounds = (num("1"), num("1000"));
        let mut listed = Listed::new(rules, Vec::new(), 8, plain_shape());
        listed.price_precision = 3;
        let kind = if price.is_empty() {
            OrderKind::Market
        } else {
            OrderKind::Limit { price: num(price), time_in_force: TimeInForce::Gtc }
        };
        let request = OrderRequest {
            symbol: "AUSDT".parse().unwrap(),
            side,
            qty: num(qty),
            kind,
            reduce_only,
            client_id: "a".to_owned(),
        };
        check(&listed, &Status::read(status), &request, num("100"))
            .map_or_else(|refusal| refusal.code, |()| 0)
    }

    #[test]
    fn each_rule_has_its_code_and_its_turn() {
        use Side::{Buy, Sell};
        for (side, qty, price, reduce_only, status, expected) in [
            (Buy, "0.7", "100", false, "TRADING", 0),
            (Buy, "0.75", "100.0001", false, "TRADING", -1111),
            (Buy, "0.7", "100.0001", false, "TRADING", -1111),
            (Buy, "0", "100.005", false, "TRADING", -4003),
            (Buy, "0.4", "100", false, "TRADING", -4004),
            (Buy, "100.1", "100", false, "TRADING", -4005),
            (Buy, "50.1", "", false, "TRADING", -4005),
            (Buy, "0.6", "100", false, "TRADING", -4023),
            (Buy, "0.7", "0", false, "TRADING", -4001),
            (Buy, "0.7", "1000.01", false, "TRADING", -4002),
            (Buy, "0.7", "0.5", false, "TRADING", -4013),
            (Buy, "0.7", "100.005", false, "TRADING", -4014),
            (Buy, "0.7", "7", false, "TRADING", -4164),
            (Sell, "0.7", "7", true, "TRADING", -4024),
            (Buy, "0.7", "105.01", false, "TRADING", -4016),
            (Buy, "0.7", "105", false, "TRADING", 0),
            (Sell, "0.7", "94.99", false, "TRADING", -4024),
            // Only the side that could be exploited is bounded.
            (Buy, "0.7", "50", false, "TRADING", 0),
            (Sell, "0.7", "200", false, "TRADING", 0),
            (Buy, "0.7", "100", false, "PRE_SETTLE", -4140),
            (Sell, "0.7", "100", true, "PRE_SETTLE", 0),
            (Sell, "0.7", "100", true, "SETTLING", -4141),
            (Buy, "0.7", "100", false, "CLOSE", -4141),
            (Buy, "0.7", "100", false, "PENDING_TRADING", -1122),
        ] {
            assert_eq!(
                code(side, qty, price, reduce_only, status),
                expected,
                "{side:?} {qty} @ {price} {status}"
            );
        }
    }

    #[test]
    fn ids_are_short_and_plain() {
        assert!(check_client_id("rb17c2e9a0001fa3c07o").is_ok());
        assert!(check_client_id("a.B:c/d_e-9").is_ok());
        assert_eq!(check_client_id(&"a".repeat(37)).unwrap_err().code, -4015);
        for id in ["", "a b", "é", "a'b", "a;b"] {
            assert_eq!(check_client_id(id).unwrap_err().code, -1100, "{id}");
        }
    }
}
