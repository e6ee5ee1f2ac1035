//! One run: an account walks over the bars of a market.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::backtest::account::Holding;
use crate::backtest::market::Market;
use crate::backtest::screen;
use crate::backtest::walk::Walk;
use crate::decide::plan::Execution;
use crate::decide::risk::Limits;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::plan::{Reason, SkipReason};
use crate::strategy::Strategy;

/// What a run is made under.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// What each coin should be worth.
    pub strategy: &'a dyn Strategy,
    /// How orders are made.
    pub execution: &'a Execution,
    /// What must not be exceeded.
    pub limits: &'a Limits,
    /// Quote units at the start.
    pub equity: Notional,
    /// Fee of every execution, as a fraction of its notional, paid in the quote asset.
    pub taker_fee: Rate,
    /// How far from the close an execution is, as a fraction.
    pub slippage: Rate,
    /// A decision every so many bars; 1 is every bar.
    pub every_bars: usize,
    /// The calendar trigger.
    pub calendar: Option<Duration>,
    /// How long after a hard stop trading begins again; `None` ends the run there.
    pub resume_after: Option<Duration>,
    /// Decides at every bar, whatever the screen says.
    pub exact: bool,
    /// What is kept besides the figures.
    pub keep: Keep,
}

/// What a run keeps besides its figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Every execution.
    pub fills: bool,
    /// At most so many samples of equity, evenly apart.
    pub samples: usize,
}

/// One execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The bar at whose close it happened.
    pub bar: usize,
    /// The coin's column.
    pub coin: usize,
    /// Base units; negative was sold.
    pub qty: Qty,
    /// Execution price.
    pub price: Price,
    /// Why.
    pub reason: Reason,
}

/// The account at the close of a bar, before its trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The bar.
    pub bar: usize,
    /// Equity.
    pub equity: Notional,
    /// The loss from the peak.
    pub drawdown: Rate,
    /// What all holdings are worth.
    pub exposure: Notional,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The prices ended.
    PricesEnded,
    /// The hard stop sold everything at the close of this bar.
    Stopped(usize),
    /// Equity no longer met the maintenance margin at the close of this bar: all of it is lost.
    Liquidated(usize),
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Equity at the last close that was looked at, after its trades.
    pub final_equity: Notional,
    /// The deepest loss from the peak, of every bar and of the final equity.
    pub max_drawdown: Rate,
    /// Bars that were walked over.
    pub bars: usize,
    /// What every coin did, by column.
    pub holdings: Vec<Holding>,
    /// Every execution, in order, where they are kept.
    pub fills: Vec<Fill>,
    /// The bars at which the hard stop fired; more than one only where it is re-armed.
    pub stops: Vec<usize>,
    /// Samples of equity, ascending, where they are kept.
    pub samples: Vec<Sample>,
    /// At how many decisions a limit of the account left out orders, by limit.
    pub limited: BTreeMap<SkipReason, u64>,
    /// Decisions made by the full sequence; all others were ruled out, or sure.
    pub decisions: u64,
}

/// Walks over `market` from its first bar to its last. Pure: shares nothing but what it reads.
#[must_use]
pub fn run(market: &Market, terms: &Terms<'_>) -> Outcome {
    let mut walk = Walk::new(market, terms);
    let ending = if terms.exact { walk.over_every_bar() } else { screen::walk(&mut walk) };
    walk.end(ending)
}
