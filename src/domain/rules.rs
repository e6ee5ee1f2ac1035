//! What the exchange allows for one contract, and fitting a quantity to it.

use serde::{Deserialize, Serialize};

use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::Side;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// Bounds of a quantity: `min ≤ qty ≤ max` and `(qty − min) mod step = 0`; zero turns a bound off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// Smallest order.
    pub min: Qty,
    /// Largest order.
    pub max: Qty,
    /// Increment.
    pub step: Qty,
}

impl Lot {
    /// Bounds on the grid of `step`: a quantity must be a multiple of it, whatever the smallest one is. A
    /// bound of zero stays off.
    #[must_use]
    pub fn on_grid(self, step: Qty) -> Lot {
        Lot { min: self.min.ceil_to(step), max: self.max.floor_to(step), step }
    }
}

/// Where a contract stands in its life, in the exchange's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Open for trading.
    Trading,
    /// Anything else: `SETTLING`, `PENDING_TRADING`, …
    Other(String),
}

impl Status {
    /// The exchange's word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Status::Trading => "TRADING",
            Status::Other(word) => word,
        }
    }

    /// From the exchange's word.
    #[must_use]
    pub fn read(word: &str) -> Status {
        if word == "TRADING" { Status::Trading } else { Status::Other(word.to_owned()) }
    }
}

/// The trading rules of one contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The contract.
    pub symbol: Symbol,
    /// What one unit is: `BTC`, `1000SHIB`.
    pub base: String,
    /// What it is priced in.
    pub quote: String,
    /// What margin is posted in.
    pub margin_asset: String,
    /// `PERPETUAL`, `TRADIFI_PERPETUAL`, `CURRENT_QUARTER`, …; [`SPOT`] for a pair of the spot market.
    pub contract: String,
    /// What it stands for, in the exchange's word: `COIN`, `INDEX`, `PREMARKET`, `EQUITY`, …; empty
    /// where the exchange does not say.
    pub underlying: String,
    /// Whether it trades now.
    pub status: Status,
    /// When trading began.
    pub onboard: Time,
    /// When it will be settled for good; `None` for a perpetual that nobody delists.
    pub delivery: Option<Time>,
    /// The exchange's own tags: `Layer-1`, `Meme`, …
    pub tags: Vec<String>,
    /// Price increment.
    pub tick: Price,
    /// Lowest and highest limit price; zero turns a bound off.
    pub price_bounds: (Price, Price),
    /// Bounds of limit orders.
    pub lot: Lot,
    /// Bounds of market orders; the maximum is usually far smaller.
    pub market_lot: Lot,
    /// Smallest order value, unless it is reduce-only.
    pub min_notional: Notional,
    /// A limit buy may not be above mark × this.
    pub price_up: Rate,
    /// A limit sell may not be below mark × this.
    pub price_down: Rate,
    /// A market order may not walk further than this fraction from mark.
    pub market_bound: Rate,
    /// Clearance fee of a liquidation, as a share of notional.
    pub liquidation_fee: Rate,
    /// Open orders allowed at once.
    pub max_open_orders: u32,
    /// What only a spot pair has; `None` for a contract.
    #[serde(default)]
    pub spot: Option<SpotTerms>,
}

/// What the exchange limits on a spot pair beside what every market limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpotTerms {
    /// The most that one market order may be worth; zero turns it off.
    pub max_notional: Notional,
    /// The most base units that may be held, resting buys included; zero turns it off.
    pub max_position: Qty,
}

/// What [`Rules::contract`] says of a spot pair.
pub const SPOT: &str = "SPOT";

/// What [`Rules::underlying`] says of a token that holds a leveraged position.
pub const LEVERAGED: &str = "LEVERAGED";

/// Far future used by the exchange for "never delivers".
pub const NO_DELIVERY_MS: i64 = 4_133_404_800_000;

/// Why a quantity cannot be ordered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Nothing is left after rounding to the step.
    #[error("rounds to zero at the step of {step}")]
    BelowStep {
        /// The step.
        step: Qty,
    },
    /// Less than the smallest quantity.
    #[error("{qty} is below the smallest order of {min}")]
    BelowMinQty {
        /// After rounding.
        qty: Qty,
        /// The rule.
        min: Qty,
    },
    /// Worth less than the smallest order value.
    #[error(
        "worth {notional:.2}, the exchange wants at least {min} for an order{}",
        if *.any { "" } else { " that is not reduce-only" }
    )]
    BelowMinNotional {
        /// After rounding.
        notional: Notional,
        /// The rule.
        min: Notional,
        /// It binds every order, and not only those that open.
        any: bool,
    },
}

impl Rules {
    /// Rounds `wanted` toward zero to the step, checks the minimums at `price`, and splits at the
    /// maximum. Reduce-only orders of a contract are exempt from the minimum value, and only from that; on
    /// spot no order is.
    ///
    /// Returns quantities that each satisfy every rule and together are less than a step below
    /// `wanted`; further below only where one more order would be too small to stand alone, or more
    /// than a thousand would be needed.
    pub fn fit(&self, wanted: Qty, price: Price, market: bool, reduce_only: bool) -> Result<Vec<Qty>, Unfit> {
        let lot = self.effective_lot(market);
        let wanted = wanted.abs();
        let qty = round_to_lot(wanted, &lot);
        if qty.is_zero() {
            return Err(Unfit::BelowStep { step: lot.step });
        }
        if qty < lot.min {
            return Err(Unfit::BelowMinQty { qty, min: lot.min });
        }
        let exempt = reduce_only && self.spot.is_none();
        let least_worth = if exempt { Notional::ZERO } else { self.min_notional };
        let most = self.most(&lot, price, market).map_or(qty, |most| round_to_lot(most, &lot));
        let largest = qty.min(most);
        if largest < lot.min || largest.is_zero() {
            return Err(Unfit::BelowMinQty { qty: largest, min: lot.min });
        }
        // Even the largest single order may be worth too little, where the price is very low.
        if largest * price < least_worth {
            let any = self.spot.is_some();
            return Err(Unfit::BelowMinNotional { notional: largest * price, min: least_worth, any });
        }
        if qty <= most {
            return Ok(vec![qty]);
        }
        let least = least_worth.over_price(price).unwrap_or(lot.min).max(lot.min);
        Ok(split(wanted, lot.min + (least - lot.min).ceil_to(lot.step), most, &lot))
    }

    /// What is left of `wanted` after [`Rules::fit`], over all its orders: rounded toward zero to the
    /// step, zero where any minimum forbids the rest.
    #[must_use]
    pub fn rounded(&self, wanted: Qty, price: Price, market: bool, reduce_only: bool) -> Qty {
        self.fit(wanted, price, market, reduce_only).map_or(Qty::ZERO, |parts| parts.into_iter().sum())
    }

    /// The largest single order at `price`; `None` where nothing limits it.
    fn most(&self, lot: &Lot, price: Price, market: bool) -> Option<Qty> {
        let by_lot = Some(lot.max).filter(|max| !max.is_zero());
        let worth = self.spot.map(|spot| spot.max_notional).filter(|worth| market && !worth.is_zero());
        let by_worth = worth.and_then(|worth| worth.over_price(price));
        [by_lot, by_worth].into_iter().flatten().min()
    }

    /// Both lots at once for a market order, since some exchanges switch parts of the market lot off.
    fn effective_lot(&self, market: bool) -> Lot {
        if !market {
            return self.lot;
        }
        let smaller_max = match (self.market_lot.max.is_zero(), self.lot.max.is_zero()) {
            (true, _) => self.lot.max,
            (false, true) => self.market_lot.max,
            (false, false) => self.market_lot.max.min(self.lot.max),
        };
        let step = if self.market_lot.step.is_zero() { self.lot.step } else { self.market_lot.step };
        Lot { min: self.market_lot.min.max(self.lot.min), max: smaller_max, step }
    }

    /// Rounds a limit price to the tick on the side that protects its sender: a buy down, a sell up,
    /// and keeps it inside the exchange's bounds around `mark`.
    #[must_use]
    pub fn fit_limit(&self, side: Side, price: Price, mark: Price) -> Price {
        let off = |bound: Price| bound.is_zero();
        let (lowest, highest) = self.price_bounds;
        let on_tick_up = |price: Price| (price - lowest).ceil_to(self.tick) + lowest;
        match side {
            Side::Buy => {
                let mut bound = price.min(mark * self.price_up);
                if !off(highest) {
                    bound = bound.min(highest);
                }
                self.tick_at_or_below(bound)
            }
            Side::Sell => {
                let mut bound = price.max(mark * self.price_down);
                if !off(lowest) {
                    bound = bound.max(lowest);
                }
                on_tick_up(bound)
            }
        }
    }

    /// The highest price on the tick that is not above `price`.
    #[must_use]
    pub fn tick_at_or_below(&self, price: Price) -> Price {
        let (lowest, _) = self.price_bounds;
        (price - lowest).floor_to(self.tick) + lowest
    }

    /// The smallest quantity that an opening order may have at `price`.
    #[must_use]
    pub fn least_open(&self, price: Price, market: bool) -> Option<Qty> {
        let lot = self.effective_lot(market);
        let by_worth = self.min_notional.over_price(price)?;
        let least = by_worth.max(lot.min).max(lot.step);
        Some((least - lot.min).ceil_to(lot.step) + lot.min)
    }

    /// The delivery time if one is set at all: perpetuals carry a far future one.
    #[must_use]
    pub fn delisting(&self) -> Option<Time> {
        self.delivery
    }

    /// Whether new exposure may be taken: trading, and nobody has announced its end.
    #[must_use]
    pub fn opens(&self) -> bool {
        self.status == Status::Trading && self.delivery.is_none()
    }
}

/// Orders that no position needs: what is left is for the next pass.
const MOST_PARTS: u32 = 1000;

/// Cuts `wanted` into as few orders as possible, the largest first, each from `least` to `most`
/// (both on the grid of `lot`). Fewer and all at `most` where the last one would be below `least`.
fn split(wanted: Qty, least: Qty, most: Qty, lot: &Lot) -> Vec<Qty> {
    let times = |qty: Qty, count: u32| qty * Rate::from(count);
    let mut count = 1;
    while count < MOST_PARTS && times(most, count) < wanted {
        count += 1;
    }
    // With a minimum off the step grid, each order adds its own offset to the sum.
    let base = times(lot.min, count);
    let total = (base + (wanted - base).floor_to(lot.step)).min(times(most, count));
    if times(least, count) > wanted.min(total) {
        return vec![most; count as usize - 1];
    }
    let mut above_least = total - times(least, count);
    let mut parts = Vec::new();
    for _ in 0..count {
        let more = above_least.min(most - least);
        above_least -= more;
        parts.push(least + more);
    }
    parts
}

/// The largest `min + k·step ≤ qty`, or the plain multiple below it where the minimum is off grid.
fn round_to_lot(qty: Qty, lot: &Lot) -> Qty {
    if qty < lot.min {
        return qty.floor_to(lot.step);
    }
    (qty - lot.min).floor_to(lot.step) + lot.min
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A contract with round rules: tick 0.01, step 0.1, 0.1 to 100 units, worth at least 5.
    pub(crate) fn plain(symbol: &str) -> Rules {
        let lot = Lot { min: Qty::new(1, 1), max: Qty::from(100), step: Qty::new(1, 1) };
        Rules {
            symbol: symbol.parse().unwrap(),
            base: symbol.trim_end_matches("USDT").to_owned(),
            quote: "USDT".into(),
            margin_asset: "USDT".into(),
            contract: "PERPETUAL".into(),
            underlying: "COIN".into(),
            status: Status::Trading,
            onboard: Time::default(),
            delivery: None,
            tags: Vec::new(),
            tick: Price::new(1, 2),
            price_bounds: (Price::new(1, 2), Price::from(100_000)),
            lot,
            market_lot: lot,
            min_notional: Notional::from(5),
            price_up: Rate::new(105, 2),
            price_down: Rate::new(95, 2),
            market_bound: Rate::new(5, 2),
            liquidation_fee: Rate::new(125, 4),
            max_open_orders: 200,
            spot: None,
        }
    }

    fn qty(text: &str) -> Qty {
        text.parse().unwrap()
    }

    #[test]
    fn quantities_go_toward_zero_and_minimums_bite() {
        let rules = plain("AUSDT");
        let price = Price::from(10);
        assert_eq!(rules.fit(qty("1.29"), price, true, false), Ok(vec![qty("1.2")]));
        assert_eq!(rules.fit(qty("0.09"), price, true, false), Err(Unfit::BelowStep { step: qty("0.1") }));
        assert!(matches!(rules.fit(qty("0.4"), price, true, false), Err(Unfit::BelowMinNotional { .. })));
        assert_eq!(rules.fit(qty("0.4"), price, true, true), Ok(vec![qty("0.4")]));
    }

    #[test]
    fn a_large_order_is_cut_at_the_maximum_and_no_part_is_too_small() {
        let rules = plain("AUSDT");
        let parts = rules.fit(qty("200.2"), Price::from(10), true, false).unwrap();
        assert_eq!(parts, vec![qty("100"), qty("99.7"), qty("0.5")]);
        let parts = rules.fit(qty("200.2"), Price::from(10), true, true).unwrap();
        assert_eq!(parts, vec![qty("100"), qty("100"), qty("0.2")]);
    }

    #[test]
    fn where_the_largest_order_is_worth_too_little_nothing_opens() {
        let rules = plain("AUSDT");
        let price = Price::new(1, 3);
        let unfit =
            Unfit::BelowMinNotional { notional: Notional::new(1, 1), min: Notional::from(5), any: false };
        assert_eq!(rules.fit(qty("90000"), price, true, false), Err(unfit));
        assert_eq!(rules.fit(qty("100.1"), price, true, true), Ok(vec![qty("100"), qty("0.1")]));
    }

    #[test]
    fn a_rest_that_cannot_stand_alone_is_left_where_nothing_can_be_shared() {
        let mut rules = plain("AUSDT");
        rules.min_notional = Notional::from(800);
        assert_eq!(rules.fit(qty("130"), Price::from(10), true, false), Ok(vec![qty("100")]));
        assert_eq!(rules.fit(qty("170"), Price::from(10), true, false), Ok(vec![qty("90"), qty("80")]));
        let parts = rules.fit(qty("99999999"), Price::from(10), true, true).unwrap();
        assert_eq!((parts.len(), parts.iter().copied().sum::<Qty>()), (1000, qty("100000")));
    }

    #[test]
    fn on_spot_no_order_is_exempt_and_a_market_order_has_a_most() {
        let spot = Some(SpotTerms { max_notional: Notional::from(500), max_position: Qty::ZERO });
        let rules = Rules { spot, contract: SPOT.into(), ..plain("AUSDT") };
        let price = Price::from(10);
        assert!(matches!(rules.fit(qty("0.4"), price, true, true), Err(Unfit::BelowMinNotional { .. })));
        assert_eq!(rules.rounded(qty("0.4"), price, true, true), Qty::ZERO);
        let unfit = rules.fit(qty("0.4"), price, true, true).unwrap_err().to_string();
        assert_eq!(unfit, "worth 4.00, the exchange wants at least 5 for an order");
        assert_eq!(rules.rounded(qty("0.59"), price, true, true), qty("0.5"));
        assert_eq!(rules.fit(qty("70"), price, true, false), Ok(vec![qty("50"), qty("20")]));
        assert_eq!(rules.fit(qty("70"), price, false, false), Ok(vec![qty("70")]));
        // Worth so much that not even the smallest quantity is allowed.
        assert_eq!(rules.rounded(qty("70"), Price::from(90_000), true, false), Qty::ZERO);
    }

    #[test]
    fn a_minimum_off_the_step_grid_shifts_the_grid() {
        let mut rules = plain("AUSDT");
        rules.lot = Lot { min: qty("0.5"), max: qty("100"), step: qty("0.2") };
        rules.market_lot = rules.lot;
        assert_eq!(rules.fit(qty("1.0"), Price::from(10), true, false), Ok(vec![qty("0.9")]));
    }

    #[test]
    fn limit_prices_round_to_protect_and_stay_within_the_band() {
        let rules = plain("AUSDT");
        let mark = Price::from(100);
        let at = |text: &str| text.parse::<Price>().unwrap();
        assert_eq!(rules.fit_limit(Side::Buy, at("100.506"), mark), at("100.50"));
        assert_eq!(rules.fit_limit(Side::Sell, at("99.494"), mark), at("99.50"));
        assert_eq!(rules.fit_limit(Side::Buy, at("140"), mark), at("105"));
        assert_eq!(rules.fit_limit(Side::Sell, at("60"), mark), at("95"));
    }
}
