//! Recorded prices as columns: what a run walks over, shared by all runs of a sweep.

use std::time::Duration;

use crate::domain::account::Bracket;
use crate::domain::num::{Price, Rate};
use crate::domain::rules::Rules;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// One contract.
#[derive(Clone, Debug)]
pub struct Contract {
    /// Trading rules; a recorded listing's, or none worth the name.
    pub rules: Rules,
    /// Tiers of maintenance margin, ascending.
    pub brackets: Vec<Bracket>,
    /// Digits after the point of its prices: they read back exactly from the column.
    pub digits: u32,
}

/// One settlement of funding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The bar whose open it is.
    pub bar: usize,
    /// The coin.
    pub coin: usize,
    /// Longs pay when positive.
    pub rate: Rate,
    /// That bar's open.
    pub price: Price,
}

/// Prices of some coins on one grid.
#[derive(Clone, Debug)]
pub struct Market {
    /// The distance between two bars.
    pub interval: Duration,
    /// When each bar began, ascending; a time at which no coin has a bar is left out.
    pub opens: Vec<Time>,
    /// The coins, in the order of the columns.
    pub contracts: Vec<Contract>,
    /// Closes, bar by bar: `closes[bar × coins + coin]`; NaN where a coin has no bar.
    pub closes: Vec<f64>,
    /// Settlements in the order of their bars.
    pub settlements: Vec<Settlement>,
}

impl Market {
    /// How many coins.
    #[must_use]
    pub fn coins(&self) -> usize {
        self.contracts.len()
    }

    /// The closes of one bar.
    #[must_use]
    pub fn row(&self, bar: usize) -> &[f64] {
        let coins = self.coins();
        self.closes.get(bar * coins..(bar + 1) * coins).unwrap_or_default()
    }

    /// The exact close of a coin in a bar; `None` where it has none.
    #[must_use]
    pub fn close(&self, bar: usize, coin: usize) -> Option<Price> {
        let digits = self.contracts.get(coin)?.digits;
        self.row(bar)
            .get(coin)
            .filter(|close| close.is_finite())
            .and_then(|close| Price::from_approx(*close, digits))
    }

    /// When a bar ends: that is when its close is known.
    #[must_use]
    pub fn closes_at(&self, bar: usize) -> Time {
        self.opens.get(bar).map_or(Time::default(), |open| *open + self.interval)
    }

    /// The number of a coin's column.
    #[must_use]
    pub fn column(&self, symbol: &Symbol) -> Option<usize> {
        self.contracts.iter().position(|contract| contract.rules.symbol == *symbol)
    }
}
