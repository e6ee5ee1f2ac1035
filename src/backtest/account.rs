//! The books of a simulated account, exact to the last digit.

use crate::backtest::market::Market;
use crate::domain::num::{Notional, Price, Qty, Rate};

/// What one coin did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Base units held.
    pub qty: Qty,
    /// Paid for purchases, without fees.
    pub bought: Notional,
    /// Received for sales, without fees.
    pub sold: Notional,
    /// Funding received less paid.
    pub funding: Notional,
    /// Executions.
    pub trades: u64,
    /// Of the notional of every execution.
    fee_rate: Rate,
    entry: Option<Basis>,
}

/// What was held after the last purchase, and what that had cost. A sale leaves both alone: it takes its
/// share of the cost with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Basis {
    bought: Qty,
    cost: Notional,
}

impl Holding {
    /// Nothing, of which every execution will cost this part of its notional.
    #[must_use]
    pub fn new(fee_rate: Rate) -> Holding {
        Holding { fee_rate, ..Holding::default() }
    }

    /// The same, knowing its entry price: that costs a division per purchase, and few strategies ask.
    #[must_use]
    pub fn with_entry(fee_rate: Rate) -> Holding {
        Holding { entry: Some(Basis::default()), ..Holding::new(fee_rate) }
    }

    /// Paid for purchases less received for sales, without fees.
    #[must_use]
    pub fn spent(&self) -> Notional {
        self.bought - self.sold
    }

    /// Notional of all executions.
    #[must_use]
    pub fn turnover(&self) -> Notional {
        self.bought + self.sold
    }

    /// Fees paid.
    #[must_use]
    pub fn fees(&self) -> Notional {
        self.turnover() * self.fee_rate
    }

    /// Average entry price; `None` when flat, and where nobody wants to know it.
    #[must_use]
    pub fn entry(&self) -> Option<Price> {
        self.entry.filter(|_| !self.qty.is_zero()).and_then(|basis| basis.cost.over_qty(basis.bought))
    }

    /// What is held had cost.
    fn cost(&self, basis: Basis) -> Notional {
        if self.qty == basis.bought {
            return basis.cost;
        }
        basis.cost * self.qty.over(basis.bought).unwrap_or_default()
    }

    /// Everything that the coin earned, valued at `price`: floating profit included.
    #[must_use]
    pub fn net_profit(&self, price: Option<Price>) -> Notional {
        let worth = price.map_or(Notional::ZERO, |price| self.qty * price);
        worth - self.spent() - self.fees() + self.funding
    }

    /// Buys (positive) or sells base units at a price. Returns what the cash gains, fee included.
    /// Only long positions exist here, and nothing is sold that is not held.
    pub fn trade(&mut self, qty: Qty, price: Price) -> Notional {
        self.trades += 1;
        if qty.is_negative() {
            let qty = qty.max(-self.qty);
            let notional = -qty * price;
            self.sold += notional;
            self.qty += qty;
            return notional - notional * self.fee_rate;
        }
        let notional = qty * price;
        self.bought += notional;
        if let Some(basis) = self.entry {
            self.entry = Some(Basis { bought: self.qty + qty, cost: self.cost(basis) + notional });
        }
        self.qty += qty;
        -(notional + notional * self.fee_rate)
    }

    /// Settles funding: longs pay where the rate is positive. Returns what the cash gains.
    pub fn settle(&mut self, price: Price, rate: Rate) -> Notional {
        let amount = -(self.qty * price * rate);
        self.funding += amount;
        amount
    }
}

/// Cash and holdings of a run.
///
/// Equity is cash plus what the holdings are worth, on futures as on spot: a purchase of a contract is
/// booked as if it were paid, and what that leaves below zero is what the margin carries.
#[derive(Clone, Debug)]
pub(super) struct Books {
    pub(super) cash: Notional,
    pub(super) holdings: Vec<Holding>,
}

impl Books {
    pub(super) fn new(equity: Notional, coins: usize, fee_rate: Rate, with_entries: bool) -> Books {
        let holding = if with_entries { Holding::with_entry(fee_rate) } else { Holding::new(fee_rate) };
        Books { cash: equity, holdings: vec![holding; coins] }
    }

    pub(super) fn qty(&self, coin: usize) -> Qty {
        self.holdings.get(coin).map_or(Qty::ZERO, |holding| holding.qty)
    }

    pub(super) fn is_flat(&self) -> bool {
        self.holdings.iter().all(|holding| holding.qty.is_zero())
    }

    /// The coins held, with what each is worth at the close of a bar, or at its last close before.
    pub(super) fn values<'a>(
        &'a self,
        market: &'a Market,
        bar: usize,
    ) -> impl Iterator<Item = (usize, Notional)> + 'a {
        let held = self.holdings.iter().enumerate().filter(|(_, holding)| !holding.qty.is_zero());
        held.filter_map(move |(coin, holding)| Some((coin, holding.qty * market.last_close(bar, coin)?)))
    }

    /// Equity at the close of a bar.
    pub(super) fn equity(&self, market: &Market, bar: usize) -> Notional {
        self.cash + self.values(market, bar).map(|(_, value)| value).sum::<Notional>()
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
        let mut holding = Holding::with_entry(num("0.001"));
        assert_eq!(holding.trade(num("2"), num("10")), num("-20.02"));
        assert_eq!(holding.trade(num("2"), num("20")), num("-40.04"));
        assert_eq!(holding.entry(), Some(num("15")));
        assert_eq!(holding.trade(num("-1"), num("18")), num("17.982"));
        assert_eq!((holding.entry(), holding.spent()), (Some(num("15")), num("42")));
        assert_eq!(holding.settle(num("18"), num("0.001")), num("-0.054"));
        assert_eq!(holding.net_profit(Some(num("16"))), num("3") + num("3") - num("0.078") - num("0.054"));
        // Bought again, at an average of (45 + 35) / 4.
        holding.trade(num("1"), num("35"));
        assert_eq!(holding.entry(), Some(num("20")));
        holding.trade(num("-4"), num("15"));
        assert_eq!((holding.qty, holding.entry()), (Qty::ZERO, None));
        holding.trade(num("1"), num("7"));
        assert_eq!(holding.entry(), Some(num("7")));
    }

    #[test]
    fn nothing_is_sold_that_is_not_held() {
        let mut holding = Holding::default();
        holding.trade(num("2"), num("10"));
        assert_eq!(holding.trade(num("-3"), num("10")), num("20"));
        assert_eq!((holding.qty, holding.spent()), (Qty::ZERO, Notional::ZERO));
    }
}
