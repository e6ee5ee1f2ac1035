//! One line per coin: where it stands, what happens to it, and why.

use std::collections::BTreeSet;

use crate::domain::num::{Notional, Qty, Rate};
use crate::domain::order::Side;
use crate::domain::plan::{Reason, SkipReason, Standing};
use crate::domain::symbol::Symbol;
use crate::report::plan::PlanReport;

/// How one coin stands and what the plan does with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The contract.
    pub symbol: Symbol,
    /// `qty × mark price`, in the quote; `None` where unknown.
    pub value: Option<Notional>,
    /// What it should be worth; `None` for a contract outside the strategy.
    pub target: Option<Notional>,
    /// `value / target − 1`; `None` where there is no target or no value.
    pub drift: Option<Rate>,
    /// Sells above target × (1 + this); `None` outside the strategy.
    pub sell_band: Option<Rate>,
    /// Really buys below target × (1 − this); `None` where it never can.
    pub buy_band: Option<Rate>,
    /// Sold whole at or below target × (1 − this); `None` without a stop.
    pub stop: Option<Rate>,
    /// What happens.
    pub action: Action,
}

/// What the plan does with one coin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// One order, or several that were cut at the largest order size.
    Trade {
        /// Buy or sell.
        side: Side,
        /// Base units of all its orders together.
        qty: Qty,
        /// Quote units of all its orders together.
        notional: Notional,
        /// Why.
        reason: Reason,
        /// How many orders.
        orders: usize,
    },
    /// Inside its band.
    Hold,
    /// Should be traded and cannot be.
    Skip {
        /// Why, as a word.
        reason: SkipReason,
        /// Why, with the figures.
        detail: String,
    },
}

/// The coin that is nearest to its band.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// The contract.
    pub symbol: Symbol,
    /// Its drift.
    pub drift: Rate,
    /// The drift, with its sign, at which it would be traded.
    pub edge: Rate,
    /// Whether it would be sold there.
    pub sells: bool,
}

/// Coins of a plan by what happens to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Coins sold.
    pub sell: usize,
    /// Coins bought.
    pub buy: usize,
    /// Coins inside their band.
    pub hold: usize,
    /// Coins that should be traded and cannot be.
    pub skip: usize,
    /// Coins that the strategy leaves out for now.
    pub wait: usize,
}

impl PlanReport {
    /// Every coin once: the strategy's own in its order, then whatever else the plan names.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> =
            self.coins.iter().map(|coin| self.line(&coin.symbol, Some(coin))).collect();
        let known: BTreeSet<&Symbol> = self.coins.iter().map(|coin| &coin.symbol).collect();
        let named = self.legs.iter().map(|leg| &leg.symbol);
        let named = named.chain(self.skipped.iter().map(|skip| &skip.symbol));
        let named = named.chain(self.held.iter().map(|held| &held.symbol));
        let others: BTreeSet<&Symbol> = named.filter(|symbol| !known.contains(symbol)).collect();
        lines.extend(others.into_iter().map(|symbol| self.line(symbol, None)));
        lines
    }

    /// How many coins are sold, bought, held and skipped.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for line in self.lines() {
            match line.action {
                Action::Trade { side: Side::Sell, .. } => counts.sell += 1,
                Action::Trade { side: Side::Buy, .. } => counts.buy += 1,
                Action::Hold => counts.hold += 1,
                Action::Skip { reason, .. } if reason.is_waiting() => counts.wait += 1,
                Action::Skip { .. } => counts.skip += 1,
            }
        }
        counts
    }

    /// The held coin with the least way left to its band; `None` where none has a drift and a band.
    #[must_use]
    pub fn nearest(&self) -> Option<Nearest> {
        let nearest = |line: Line| {
            let drift = line.drift?;
            let (edge, sells) = match line.stop {
                Some(stop) => (-stop, true),
                None if drift.is_negative() => (-line.buy_band?, false),
                None => (line.sell_band?, true),
            };
            Some(Nearest { symbol: line.symbol, drift, edge, sells })
        };
        let held = self.lines().into_iter().filter(|line| line.action == Action::Hold);
        held.filter_map(nearest).min_by_key(|near| (near.edge - near.drift).abs())
    }

    fn line(&self, symbol: &Symbol, standing: Option<&Standing>) -> Line {
        let held = self.held.iter().find(|held| held.symbol == *symbol);
        let leg = self.legs.iter().find(|leg| leg.symbol == *symbol);
        let drift = standing.and_then(|coin| coin.drift);
        Line {
            symbol: symbol.clone(),
            value: standing.map_or_else(|| held.map(|held| held.value), |coin| coin.value),
            target: standing.map(|coin| coin.target).or(held.map(|held| held.target)),
            drift: drift.or(held.and_then(|held| held.drift)).or(leg.and_then(|leg| leg.drift)),
            sell_band: standing.map(|coin| coin.sell_band),
            buy_band: standing.and_then(|coin| coin.effective_buy_band),
            stop: standing.and_then(|coin| coin.stop),
            action: self.action(symbol),
        }
    }

    /// An order outranks a remark on what could not be ordered beside it.
    fn action(&self, symbol: &Symbol) -> Action {
        let legs: Vec<_> = self.legs.iter().filter(|leg| leg.symbol == *symbol).collect();
        if let Some(first) = legs.first() {
            return Action::Trade {
                side: first.side,
                qty: legs.iter().map(|leg| leg.qty).sum(),
                notional: legs.iter().map(|leg| leg.notional).sum(),
                reason: first.reason,
                orders: legs.len(),
            };
        }
        match self.skipped.iter().find(|skip| skip.symbol == *symbol) {
            Some(skip) => Action::Skip { reason: skip.reason, detail: skip.detail.clone() },
            None => Action::Hold,
        }
    }
}
