//! What an account was worth at a moment between two readings of it, by what it held then and the prices of then.
//!
//! A transfer trades units at the value just before it. The exchange says when it was and what its prices were, so
//! that nobody has to guess whether they moved before it or after.

use std::collections::BTreeMap;

use crate::domain::entry::Entry;
use crate::domain::fill::Fill;
use crate::domain::history::Sample;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// Everything that is known since a reading.
#[derive(Clone, Debug)]
pub struct Since<'a> {
    /// Wallet plus floating profit at the reading.
    pub equity: Notional,
    /// Its coins.
    pub samples: &'a [Sample],
    /// Our own executions after it, by whatever pass.
    pub fills: &'a [Fill],
    /// Income rows after it.
    pub entries: &'a [Entry],
    /// What the account is counted in.
    pub quote: &'a str,
    /// A spot account: fees may be taken from what is held.
    pub of_coins: bool,
}

impl Since<'_> {
    /// What was held at `at`, before what happens at that instant but for our own executions.
    #[must_use]
    pub fn held(&self, at: Time) -> BTreeMap<Symbol, Qty> {
        let mut held: BTreeMap<Symbol, Qty> =
            self.samples.iter().map(|sample| (sample.symbol.clone(), sample.qty)).collect();
        for fill in self.fills.iter().filter(|fill| fill.at <= at) {
            *held.entry(fill.symbol.clone()).or_default() += fill.signed_qty();
            if self.of_coins
                && fill.fee_asset != self.quote
                && let Ok(paid) = format!("{}{}", fill.fee_asset, self.quote).parse::<Symbol>()
            {
                *held.entry(paid).or_default() -= fill.fee_qty();
            }
        }
        held.retain(|_, qty| !qty.is_zero());
        held
    }

    /// What it was worth at `at` without any transfer, at these prices; `None` where one is missing.
    ///
    /// What is held at `at`, and the rest: the equity of the reading less its positions, less what the
    /// executions since cost, plus what was received otherwise.
    #[must_use]
    pub fn worth(&self, at: Time, price: impl Fn(&Symbol) -> Option<Price>) -> Option<Notional> {
        let mut rest = self.equity;
        for sample in self.samples {
            rest -= sample.value()?;
        }
        for fill in self.fills.iter().filter(|fill| fill.at <= at) {
            rest -= fill.signed_qty() * fill.price;
            if fill.fee_asset == self.quote {
                rest -= fill.fee;
            }
        }
        // What executions earned is in the prices that they were made at.
        let counts = |entry: &&Entry| {
            entry.at <= at && entry.asset == self.quote && !entry.is_transfer() && !entry.is_of_trade()
        };
        rest += self.entries.iter().filter(counts).map(|entry| entry.amount).sum();
        let mut worth = rest;
        for (symbol, qty) in self.held(at) {
            worth += qty * price(&symbol)?;
        }
        Some(worth)
    }

    /// Whether all this leads to what is seen now, at `at`: the same quantities, and the same worth but for a hundredth
    /// of what is held and half a per cent of all. If not, somebody else was there, and nothing follows.
    #[must_use]
    pub fn leads_to(&self, at: Time, seen: &BTreeMap<Symbol, (Qty, Price)>, equity: Notional) -> bool {
        let found: BTreeMap<Symbol, Qty> = seen
            .iter()
            .filter(|(_, (qty, _))| !qty.is_zero())
            .map(|(symbol, (qty, _))| (symbol.clone(), *qty))
            .collect();
        let moved: Notional =
            self.entries.iter().filter(|entry| entry.is_transfer()).map(|entry| entry.amount).sum();
        let gross: Notional = seen.values().map(|(qty, price)| (*qty * *price).abs()).sum();
        let slack = gross * Rate::new(1, 2) + equity.abs() * Rate::new(5, 3);
        let worth = self.worth(at, |symbol| seen.get(symbol).map(|(_, price)| *price));
        self.held(at) == found && worth.is_some_and(|worth| (worth + moved - equity).abs() <= slack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::Side;

    fn at(ms: i64) -> Time {
        Time::from_ms(ms).unwrap()
    }

    fn symbol(name: &str) -> Symbol {
        name.parse().unwrap()
    }

    fn fill(ms: i64, side: Side, qty: u32, price: u32, fee: (i64, &str)) -> Fill {
        Fill {
            symbol: symbol("AUSDT"),
            trade_id: ms,
            order_id: ms,
            side,
            qty: Qty::from(qty),
            price: Price::from(price),
            fee: Notional::new(fee.0, 0),
            fee_asset: fee.1.into(),
            realized: Notional::ZERO,
            fee_cost: Notional::ZERO,
            at: at(ms),
        }
    }

    fn entry(ms: i64, kind: &str, amount: i64) -> Entry {
        Entry {
            at: at(ms),
            kind: kind.into(),
            symbol: String::new(),
            amount: Notional::new(amount, 0),
            asset: "USDT".into(),
            tran_id: 0,
            trade_id: String::new(),
        }
    }

    /// 500 with 20 A at 10. At 10 ms 5 A are bought at 12 for a fee of 1, at 20 ms 2 of funding are paid, at 30 ms 100
    /// come in, at 40 ms 10 A are sold at 8 for a fee of 1.
    #[test]
    fn an_account_is_worth_what_it_held_then_at_the_prices_of_then() {
        let sample = Sample {
            symbol: symbol("AUSDT"),
            qty: Qty::from(20),
            entry: Price::from(9),
            mark: Some(Price::from(10)),
            unrealized: Notional::from(20),
            target: None,
        };
        let fills = [fill(10, Side::Buy, 5, 12, (1, "USDT")), fill(40, Side::Sell, 10, 8, (1, "USDT"))];
        let entries = [
            entry(20, "FUNDING_FEE", -2),
            entry(30, "TRANSFER", 100),
            entry(40, "REALIZED_PNL", -16),
            entry(40, "COMMISSION", -1),
        ];
        let since = Since {
            equity: Notional::from(500),
            samples: &[sample],
            fills: &fills,
            entries: &entries,
            quote: "USDT",
            of_coins: false,
        };
        for (ms, price, worth) in [
            // 300 and 20 × 11.
            (5, 11, 520),
            // 300 − 60 − 1 and 25 × 11.
            (10, 11, 514),
            (15, 8, 439),
            // Two of funding less; what comes in at 30 ms is not in it.
            (30, 8, 437),
            // 237 + 80 − 1 and 15 × 8.
            (50, 8, 436),
        ] {
            let price = |_: &Symbol| Some(Price::from(price));
            assert_eq!(since.worth(at(ms), price), Some(Notional::new(worth, 0)), "{ms}");
        }
        assert_eq!(since.worth(at(50), |_| None), None);
        let seen = |qty: u32| BTreeMap::from([(symbol("AUSDT"), (Qty::from(qty), Price::from(8)))]);
        assert!(since.leads_to(at(50), &seen(15), Notional::from(536)));
        assert!(!since.leads_to(at(50), &seen(14), Notional::from(536)), "somebody sold one");
        assert!(!since.leads_to(at(50), &seen(15), Notional::from(530)), "something is missing");
        // Spot: the fee is taken from the coin.
        let fills = [fill(10, Side::Buy, 5, 12, (1, "A"))];
        let coins = Since { fills: &fills, entries: &[], of_coins: true, ..since };
        assert_eq!(coins.held(at(50)), BTreeMap::from([(symbol("AUSDT"), Qty::from(24))]));
        assert_eq!(coins.worth(at(50), |_| Some(Price::from(10))), Some(Notional::from(480)));
    }
}
