//! The books of a simulated account, exact to the last digit.

use crate::domain::num::{Notional, Price, Qty, Rate};

/// What one coin did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Base units held.
    pub qty: Qty,
    /// What they were bought for: `qty × average entry price`.
    pub cost: Notional,
    /// Profit of what was sold, without fees.
    pub realized: Notional,
    /// Fees paid.
    pub fees: Notional,
    /// Funding received less paid.
    pub funding: Notional,
    /// Executions.
    pub trades: u64,
    /// Notional of all executions.
    pub turnover: Notional,
}

impl Holding {
    /// Average entry price; `None` when flat.
    #[must_use]
    pub fn entry(&self) -> Option<Price> {
        self.cost.over_qty(self.qty)
    }

    /// Floating profit at `price`.
    #[must_use]
    pub fn floating(&self, price: Price) -> Notional {
        self.qty * price - self.cost
    }

    /// Everything that the coin earned, valued at `price`.
    #[must_use]
    pub fn net_profit(&self, price: Option<Price>) -> Notional {
        let floating = price.map_or(Notional::ZERO, |price| self.floating(price));
        self.realized + floating - self.fees + self.funding
    }

    /// Buys (positive) or sells base units at a price. Returns what the wallet gains: profit less fee.
    /// Only long positions exist here, and nothing is sold that is not held.
    pub fn trade(&mut self, qty: Qty, price: Price, fee_rate: Rate) -> Notional {
        let notional = qty.abs() * price;
        let fee = notional * fee_rate;
        self.fees += fee;
        self.trades += 1;
        self.turnover += notional;
        if !qty.is_negative() {
            self.cost += notional;
            self.qty += qty;
            return -fee;
        }
        let sold = (-qty).min(self.qty);
        // What is closed whole leaves no dust of a division behind.
        let share =
            if sold == self.qty { self.cost } else { self.cost * sold.over(self.qty).unwrap_or_default() };
        let profit = sold * price - share;
        self.cost -= share;
        self.qty -= sold;
        self.realized += profit;
        profit - fee
    }

    /// Settles funding: longs pay where the rate is positive. Returns what the wallet gains.
    pub fn settle(&mut self, price: Price, rate: Rate) -> Notional {
        let amount = -(self.qty * price * rate);
        self.funding += amount;
        amount
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn num<K>(text: &str) -> crate::domain::num::Amount<K> {
        text.parse().unwrap()
    }

    /// 2 at 10, 2 at 20: average 15. 1 sold at 18: profit 3. Funding 0.1 % of 3 × 18, fees 0.1 %.
    #[test]
    fn the_average_stays_when_a_part_is_sold() {
        let mut holding = Holding::default();
        let fee = num("0.001");
        assert_eq!(holding.trade(num("2"), num("10"), fee), num("-0.02"));
        assert_eq!(holding.trade(num("2"), num("20"), fee), num("-0.04"));
        assert_eq!(holding.entry(), Some(num("15")));
        assert_eq!(holding.trade(num("-1"), num("18"), fee), num("2.982"));
        assert_eq!((holding.entry(), holding.realized), (Some(num("15")), num("3")));
        assert_eq!(holding.settle(num("18"), num("0.001")), num("-0.054"));
        assert_eq!(holding.net_profit(Some(num("16"))), num("3") + num("3") - num("0.078") - num("0.054"));
        holding.trade(num("-3"), num("15"), fee);
        assert_eq!((holding.qty, holding.cost, holding.entry()), (Qty::ZERO, Notional::ZERO, None));
    }
}
