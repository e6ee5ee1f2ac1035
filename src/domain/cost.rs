//! What a coin cost on average, by our own executions: a spot exchange keeps no entry price.

use serde::{Deserialize, Serialize};

use crate::domain::fill::Fill;
use crate::domain::num::{Notional, Price, Qty};
use crate::domain::order::Side;

/// Digits kept of a share of what was paid: far more than a quote asset has.
const MONEY_DIGITS: u32 = 16;

/// How much of a coin is held, and what all of it cost.
///
/// With the wallet counted as the quote asset held plus the cost of every coin, an execution moves it by
/// realised profit less the fee in the quote asset, as on futures: a purchase turns one into the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Base units.
    pub qty: Qty,
    /// In the quote asset.
    pub paid: Notional,
}

impl Cost {
    /// The average entry price; `None` where nothing is held, or it cost nothing that we know of.
    #[must_use]
    pub fn entry(&self) -> Option<Price> {
        self.paid.over_qty(self.qty).filter(Price::is_positive)
    }

    /// After one execution in the pair of `base`, and the profit it realised, without fees.
    ///
    /// A sale takes away its share of the cost. A fee in the coin itself makes what is left of it dearer:
    /// less was received for the same money.
    #[must_use]
    pub fn after(self, fill: &Fill, base: &str) -> (Cost, Notional) {
        let (before, realized) = match fill.side {
            Side::Buy => {
                (Cost { qty: self.qty + fill.qty, paid: self.paid + fill.notional() }, Notional::ZERO)
            }
            Side::Sell => self.sold(fill.qty, fill.price),
        };
        if fill.fee_asset == base { (before.without(fill.fee_qty()), realized) } else { (before, realized) }
    }

    /// After `qty` of it went at `price`, with its share of the cost; and what that realised.
    fn sold(self, qty: Qty, price: Price) -> (Cost, Notional) {
        // More than our books know of was somebody else's: it earned nothing here.
        let known = qty.min(self.qty.max(Qty::ZERO));
        let share = if known == self.qty {
            self.paid
        } else {
            (known * self.entry().unwrap_or_default()).rounded(MONEY_DIGITS)
        };
        (Cost { qty: self.qty - qty, paid: self.paid - share }, known * price - share)
    }

    /// Brought to `qty` by a deposit or a withdrawal, both at `mark`: what came cost that much, and what
    /// went earned or lost the difference to its cost, which is returned.
    #[must_use]
    pub fn brought_to(self, qty: Qty, mark: Price) -> (Cost, Notional) {
        match self.qty - qty {
            gone if gone.is_positive() => self.sold(gone, mark),
            more => (Cost { qty, paid: self.paid - more * mark }, Notional::ZERO),
        }
    }

    /// What is all gone, by fees in the end, takes its cost with it: that loss is returned.
    #[must_use]
    pub fn unless_empty(self) -> (Cost, Notional) {
        if self.qty.is_positive() {
            return (self, Notional::ZERO);
        }
        (Cost { paid: Notional::ZERO, ..self }, -self.paid)
    }

    /// After `qty` of it was taken as a fee, of its own pair or, as with BNB, of another.
    #[must_use]
    pub fn without(self, qty: Qty) -> Cost {
        Cost { qty: self.qty - qty, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Time;

    fn fill(side: Side, qty: &str, price: &str, fee: &str, fee_asset: &str) -> Fill {
        Fill {
            symbol: "BTCUSDT".parse().unwrap(),
            trade_id: 1,
            order_id: 1,
            side,
            qty: qty.parse().unwrap(),
            price: price.parse().unwrap(),
            fee: fee.parse().unwrap(),
            fee_asset: fee_asset.into(),
            realized: Notional::ZERO,
            at: Time::default(),
        }
    }

    fn run(fills: &[Fill]) -> (Cost, Notional, Notional) {
        let (mut cost, mut quote, mut earned) = (Cost::default(), Notional::ZERO, Notional::ZERO);
        for fill in fills {
            let (after, realized) = cost.after(fill, "BTC");
            let paid = if fill.side == Side::Buy { -fill.notional() } else { fill.notional() };
            let fee = if fill.fee_asset == "USDT" { fill.fee } else { Notional::ZERO };
            quote += paid - fee;
            earned += realized - fee;
            cost = after;
            assert_eq!(quote + cost.paid, earned, "the wallet moves by profit and fees alone: {fill:?}");
        }
        (cost, quote, earned)
    }

    #[test]
    fn a_purchase_that_pays_its_fee_in_the_coin_leaves_less_at_a_higher_price() {
        let (cost, quote, earned) = run(&[fill(Side::Buy, "1", "1000", "0.2", "BTC")]);
        assert_eq!((cost.qty, cost.entry()), ("0.8".parse().unwrap(), Some(Price::from(1250))));
        assert_eq!((quote, earned), (-Notional::from(1000), Notional::ZERO));
    }

    #[test]
    fn a_sale_realises_against_the_average_and_keeps_it() {
        let bought = [fill(Side::Buy, "1", "1000", "1", "USDT"), fill(Side::Buy, "3", "2000", "0.01", "BNB")];
        let sold = fill(Side::Sell, "2", "2000", "4", "USDT");
        let (cost, _, earned) = run(&[bought[0].clone(), bought[1].clone(), sold]);
        assert_eq!((cost.qty, cost.entry()), (Qty::from(2), Some(Price::from(1750))));
        assert_eq!(earned, Notional::from(500 - 5));
        let all = fill(Side::Sell, "4", "1000", "0", "USDT");
        let (cost, _, earned) = run(&[bought[0].clone(), bought[1].clone(), all]);
        assert_eq!((cost.qty, cost.paid, cost.entry()), (Qty::ZERO, Notional::ZERO, None));
        assert_eq!(earned, -Notional::from(3001));
    }

    /// 4 that cost 40; 2 more come at 15, or 1 goes at 15: a third of 40 + 30 is 10, and 15 − 10 was earned.
    #[test]
    fn what_comes_costs_its_mark_and_what_goes_earns_the_difference() {
        let held = Cost { qty: Qty::from(4), paid: Notional::from(40) };
        let mark = Price::from(15);
        let more = Cost { qty: Qty::from(6), paid: Notional::from(70) };
        assert_eq!(held.brought_to(Qty::from(6), mark), (more, Notional::ZERO));
        let less = Cost { qty: Qty::from(3), paid: Notional::from(30) };
        assert_eq!(held.brought_to(Qty::from(3), mark), (less, Notional::from(5)));
        assert_eq!(held.brought_to(Qty::from(4), mark), (held, Notional::ZERO));
        assert_eq!(held.brought_to(Qty::ZERO, mark), (Cost::default(), Notional::from(20)));
        // Books that lack what fees were taken from.
        let owed = Cost { qty: -Qty::from(1), paid: Notional::ZERO };
        let there = Cost { qty: Qty::from(1), paid: Notional::from(30) };
        assert_eq!(owed.brought_to(Qty::from(1), mark), (there, Notional::ZERO));
    }

    #[test]
    fn what_fees_used_up_is_a_loss_of_what_it_cost() {
        let last = Cost { qty: Qty::from(1), paid: Notional::from(9) };
        assert_eq!(last.without(Qty::from(1)).unless_empty(), (Cost::default(), -Notional::from(9)));
        assert_eq!(last.unless_empty(), (last, Notional::ZERO));
    }

    #[test]
    fn what_was_never_bought_here_earns_nothing_and_has_no_price() {
        let more = fill(Side::Sell, "3", "10", "0", "USDT");
        let (two, _) = Cost::default().brought_to(Qty::from(2), Price::from(8));
        let (cost, realized) = two.after(&more, "BTC");
        assert_eq!((cost.qty, cost.paid, realized), (-Qty::from(1), Notional::ZERO, Notional::from(4)));
        assert_eq!((cost.entry(), Cost::default().entry()), (None, None));
        let given = Cost { qty: Qty::from(2), paid: Notional::ZERO };
        assert_eq!(given.entry(), None, "zero is not a price");
    }
}
