//! The order book of one contract: synthetic depth around a price, and walking it.

use crate::domain::market::Quote;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::Side;
use crate::domain::rules::Rules;

/// The most levels a side has.
pub const LEVELS: u32 = 50;

/// One price with what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The price, on tick.
    pub price: Price,
    /// Base units, on step.
    pub qty: Qty,
}

/// Both sides, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// Wanted, descending.
    pub bids: Vec<Level>,
    /// Offered, ascending.
    pub asks: Vec<Level>,
}

impl Book {
    /// Best bid and ask; `None` where a side is empty.
    #[must_use]
    pub fn top(&self) -> Option<Quote> {
        let (bid, ask) = (self.bids.first()?, self.asks.first()?);
        Some(Quote { bid: bid.price, bid_qty: bid.qty, ask: ask.price, ask_qty: ask.qty })
    }

    /// What a taker on `side` meets, best first.
    #[must_use]
    pub fn against(&self, side: Side) -> &[Level] {
        match side {
            Side::Buy => &self.asks,
            Side::Sell => &self.bids,
        }
    }

    /// A book around `mid`: `spread_bps` wide, deepening with distance, fed by `daily_volume`.
    #[must_use]
    pub fn around(mid: Price, spread_bps: Rate, daily_volume: Notional, rules: &Rules) -> Book {
        let half = mid * Rate::from_bps(spread_bps) * Rate::new(5, 1);
        let bid = nearest_tick(mid - half, rules.tick);
        let ask = nearest_tick(mid + half, rules.tick).max(bid + rules.tick);
        if !bid.is_positive() {
            return Book::default();
        }
        Book::from_top(&Quote { bid, bid_qty: Qty::ZERO, ask, ask_qty: Qty::ZERO }, daily_volume, rules)
    }

    /// A book behind a known top: deeper levels are made up, a missing top quantity too.
    #[must_use]
    pub fn from_top(top: &Quote, daily_volume: Notional, rules: &Rules) -> Book {
        let Some(mid) = top.mid() else { return Book::default() };
        // A two-hundredth of a percent of a day's volume stands at the best price.
        let unit = (daily_volume * Rate::new(2, 5)).over_price(mid).unwrap_or(Qty::ZERO);
        let least = rules.lot.min.max(rules.lot.step);
        let depth = |k: u32| (unit * Rate::from(k + 1)).floor_to(rules.lot.step).max(least);
        let gap = (mid * Rate::new(15, 5)).ceil_to(rules.tick).max(rules.tick);
        let side = |best: Price, qty: Qty, up: bool| {
            (0..LEVELS)
                .map(|k| {
                    let away = gap * Rate::from(k);
                    let price = if up { best + away } else { best - away };
                    let qty = if k == 0 && qty.is_positive() { qty } else { depth(k) };
                    Level { price, qty }
                })
                .take_while(|level| level.price.is_positive())
                .collect()
        };
        Book { bids: side(top.bid, top.bid_qty, false), asks: side(top.ask, top.ask_qty, true) }
    }

    /// The same book as a taker with `slippage_bps` finds it, each price worse and on tick.
    #[must_use]
    pub fn worsened(mut self, slippage_bps: Rate, tick: Price) -> Book {
        if slippage_bps.is_zero() {
            return self;
        }
        let share = Rate::from_bps(slippage_bps);
        for level in &mut self.asks {
            level.price = nearest_tick(level.price * (Rate::ONE + share), tick);
        }
        for level in &mut self.bids {
            level.price = nearest_tick(level.price * (Rate::ONE - share), tick);
        }
        self
    }

    /// What a taker gets: levels within `worst`, best first, no more than `qty` in all.
    #[must_use]
    pub fn walk(&self, side: Side, qty: Qty, worst: Price) -> Vec<Level> {
        let mut left = qty;
        let mut taken = Vec::new();
        for level in self.against(side) {
            let within = match side {
                Side::Buy => level.price <= worst,
                Side::Sell => level.price >= worst,
            };
            if !within || !left.is_positive() {
                break;
            }
            let part = left.min(level.qty);
            left -= part;
            taken.push(Level { price: level.price, qty: part });
        }
        taken
    }
}

/// `price` moved to the nearest tick.
#[must_use]
pub fn nearest_tick(price: Price, tick: Price) -> Price {
    let below = price.floor_to(tick);
    if price - below + price - below >= tick { below + tick } else { below }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rules::tests::plain;

    fn num<K>(text: &str) -> crate::domain::num::Amount<K> {
        text.parse().unwrap()
    }

    #[test]
    fn the_book_is_on_grid_ordered_and_as_wide_as_asked() {
        let rules = plain("AUSDT");
        let book = Book::around(num("10.004"), num("20"), num("50000000"), &rules);
        let top = book.top().unwrap();
        assert_eq!((top.bid, top.ask), (num("9.99"), num("10.01")));
        for pair in book.asks.windows(2) {
            assert!(pair[0].price < pair[1].price && pair[0].qty <= pair[1].qty);
        }
        for level in book.asks.iter().chain(&book.bids) {
            assert!(level.price.is_multiple_of(rules.tick) && level.qty.is_multiple_of(rules.lot.step));
        }
    }

    #[test]
    fn a_walk_takes_the_best_first_and_stops_at_its_limit() {
        let rules = plain("AUSDT");
        let level = |price: &str, qty: &str| Level { price: num(price), qty: num(qty) };
        let book =
            Book { bids: vec![], asks: vec![level("10", "1"), level("10.1", "2"), level("10.2", "9")] };
        let taken = book.walk(Side::Buy, num("4"), num("10.1"));
        assert_eq!(taken, vec![level("10", "1"), level("10.1", "2")]);
        let worse = book.worsened(num("50"), rules.tick);
        assert_eq!(worse.walk(Side::Buy, num("0.5"), num("11")), vec![level("10.05", "0.5")]);
    }
}
