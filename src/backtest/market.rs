//! Recorded prices as columns: what a run walks over, shared by all runs of a sweep.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::backtest::columns::Columns;
use crate::domain::account::Bracket;
use crate::domain::num::{Price, Rate};
use crate::domain::rules::{Rules, SPOT, SpotTerms};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// One contract, or one pair of the spot market.
#[derive(Clone, Debug)]
pub struct Contract {
    /// Trading rules; a recorded listing's, or none worth the name.
    pub rules: Rules,
    /// Tiers of maintenance margin, ascending.
    pub brackets: Vec<Bracket>,
}

impl Contract {
    /// The same coin bought and paid for: no leverage, no funding, no liquidation, and no order exempt
    /// from the smallest value.
    #[must_use]
    pub fn on_spot(mut self) -> Contract {
        self.rules.spot.get_or_insert(SpotTerms::default());
        self.rules.contract = SPOT.into();
        self.brackets = vec![Bracket::fully_paid()];
        self
    }

    /// Whether it is a pair of the spot market.
    #[must_use]
    pub fn is_spot(&self) -> bool {
        self.rules.spot.is_some()
    }
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
    /// Settlements in the order of their bars.
    pub settlements: Vec<Settlement>,
    pub(super) columns: Columns,
}

impl Market {
    /// Settlements in the order of their bars; spot has none.
    pub(super) fn new(
        interval: Duration,
        opens: Vec<Time>,
        contracts: Vec<Contract>,
        columns: Columns,
        settlements: Vec<Settlement>,
    ) -> Market {
        let settlements = if contracts.iter().any(Contract::is_spot) { Vec::new() } else { settlements };
        Market { interval, opens, contracts, settlements, columns }
    }

    /// How many coins.
    #[must_use]
    pub fn coins(&self) -> usize {
        self.contracts.len()
    }

    /// How many bars.
    #[must_use]
    pub fn bars(&self) -> usize {
        self.columns.bars()
    }

    /// Whether these are pairs of the spot market.
    #[must_use]
    pub fn is_spot(&self) -> bool {
        self.contracts.iter().any(Contract::is_spot)
    }

    /// The exact close of a coin in a bar; `None` where it has none.
    #[must_use]
    pub fn close(&self, bar: usize, coin: usize) -> Option<Price> {
        self.columns.is_there(bar, coin).then(|| self.last_close(bar, coin))?
    }

    /// The exact close of a coin in a bar, or its last one before; before its first one, that one.
    #[must_use]
    pub fn last_close(&self, bar: usize, coin: usize) -> Option<Price> {
        self.columns.last_price(bar, coin)
    }

    /// In how many of the first `bars` bars a coin has no price.
    #[must_use]
    pub fn unavailable(&self, coin: usize, bars: usize) -> usize {
        self.columns.missing(coin, bars)
    }

    /// When a bar ends: that is when its close is known.
    #[must_use]
    pub fn closes_at(&self, bar: usize) -> Time {
        self.opens.get(bar).map_or(Time::default(), |open| *open + self.interval)
    }

    /// The first bar that ends at or after a time.
    #[must_use]
    pub fn first_closing_at(&self, time: Time) -> usize {
        self.opens.partition_point(|open| *open + self.interval < time)
    }

    /// A number that differs where prices, funding or trading rules do: of two machines that must have the
    /// same. Equal for the same version of rebal only.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.interval, &self.opens).hash(&mut hasher);
        format!("{:?} {:?}", self.contracts, self.settlements).hash(&mut hasher);
        self.columns.hash_closes(&mut hasher);
        hasher.finish()
    }

    /// The number of a coin's column.
    #[must_use]
    pub fn column(&self, symbol: &Symbol) -> Option<usize> {
        self.contracts.iter().position(|contract| contract.rules.symbol == *symbol)
    }
}
