//! What each coin should be worth, and whether it is time to act on it. Pure.

pub mod basket;
pub mod moonshot;
#[cfg(test)]
pub(crate) mod samples;
pub mod weights;

use std::collections::BTreeMap;

use crate::domain::memory::{Allocation, High};
use crate::domain::num::{Notional, Price, Rate};
use crate::domain::plan::{Reason, SkipReason};
use crate::domain::snapshot::{Coin, Snapshot};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// What a strategy wants for one coin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The contract.
    pub symbol: Symbol,
    /// What it should be worth.
    pub target: Notional,
    /// Relative distance from the target at which it is traded.
    pub threshold: Rate,
    /// How far from the target a trade ends: 0 is at the target, `threshold` at the band's edge.
    pub ends_at: Rate,
    /// Sold whole at or below target × (1 − this), and never bought back to a target; `None` for a
    /// coin that is traded at a band.
    pub stop: Option<Rate>,
    /// What the target is a share of; `None` for a strategy without shares.
    pub whole: Option<Notional>,
    /// What to do now.
    pub action: Action,
}

/// What to do with one coin now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Inside its band.
    Hold,
    /// Trade until it is worth `to`.
    Trade {
        /// Value to end at.
        to: Notional,
        /// Why.
        reason: Reason,
    },
    /// Sell all of it.
    Close {
        /// Why.
        reason: Reason,
    },
    /// Its value is not known.
    Unknown,
    /// Not traded now, for a reason of the strategy's own.
    Wait {
        /// Why, as a word.
        reason: SkipReason,
        /// Why, with the figures.
        detail: String,
    },
}

/// What a strategy may remember.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The calendar trigger (`every`) is due.
    pub calendar_due: bool,
    /// What the account held when the portfolio was first bought; `None` before.
    pub allocation: Option<Allocation>,
    /// When each coin was last sold at a stop.
    pub stopped: BTreeMap<Symbol, Time>,
    /// Coins of which a stop has sold a part, nothing was bought since, and why it sold.
    pub unfinished: BTreeMap<Symbol, Reason>,
    /// The highest price of each position, as earlier passes saw it.
    pub highs: BTreeMap<Symbol, High>,
}

/// When a strategy leaves a coin alone, in figures: what lets a backtest rule out that it acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// Nothing can be ruled out.
    Never,
    /// It acts on a coin outside its band, on one of these that is not held, and when the calendar is due.
    InBands {
        /// What the bands are parts of.
        whole: Whole,
        /// One per coin that may be traded.
        bands: Vec<Band>,
    },
    /// It acts on a coin outside its prices, and on all of them at a time.
    BetweenPrices {
        /// One per coin that may be traded; others are left alone.
        coins: Vec<Prices>,
        /// When it may act whatever the prices are.
        until: Option<Time>,
    },
}

/// What bands are parts of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// Always the same.
    Fixed(Notional),
    /// (equity − `less`) × `times`.
    Equity {
        /// What stays out of it.
        less: Notional,
        /// What the rest is multiplied by.
        times: Rate,
    },
}

/// The band of one coin; the edges are in parts of its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// The coin.
    pub symbol: Symbol,
    /// Its target, as a part of the whole.
    pub share: Rate,
    /// Sold above this …
    pub above: Rate,
    /// … until it is worth this.
    pub sold_to: Rate,
    /// Bought below this …
    pub below: Rate,
    /// … until it is worth this.
    pub bought_to: Rate,
}

/// The prices between which one coin is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices {
    /// The coin.
    pub symbol: Symbol,
    /// It may be traded at or below this price …
    pub low: Price,
    /// … and above this one.
    pub high: Option<Price>,
}

/// A way to decide what each coin should be worth.
pub trait Strategy {
    /// The coins it wants to hold, in its own order.
    fn symbols(&self) -> &[Symbol];

    /// One wish per coin that it holds or wants to hold.
    fn wishes(&self, snapshot: &Snapshot, memory: &Memory) -> Vec<Wish>;

    /// Whether its coins have shares of one whole, so that one that does not exist makes the rest wrong.
    fn has_shares(&self) -> bool {
        false
    }

    /// Whether it needs more of its memory than the calendar.
    fn has_memory(&self) -> bool {
        false
    }

    /// Whether its stops rest at the exchange too.
    fn rests_stops(&self) -> bool {
        false
    }

    /// Where the stop of a held coin lies that rests at the exchange; `None` where there is to be none.
    fn resting_stop(&self, _symbol: &Symbol, _coin: &Coin) -> Option<Price> {
        None
    }

    /// Whether it asks what a position was bought at.
    fn has_entries(&self) -> bool {
        false
    }

    /// When nothing would be done, as long as nothing but prices and equity changes from `snapshot` on.
    fn quiet(&self, _snapshot: &Snapshot, _memory: &Memory) -> Quiet {
        Quiet::Never
    }

    /// What is to be remembered after a pass that decided on `snapshot`.
    fn remember(&self, _snapshot: &Snapshot, memory: &Memory) -> Memory {
        memory.clone()
    }
}
