//! What is kept of a run in a sweep, and which of two runs is better.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::backtest::twin::HoldTwin;
use crate::backtest::{Ending, Holding, Market, Outcome, Terms};
use crate::domain::num::{Notional, Rate};
use crate::domain::time::Time;

/// Digits kept of quotients, as in the report of a single run.
const RATE_DIGITS: u32 = 10;

/// The figures of one run; each is that of `rebal.backtest/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// The last close that was looked at.
    pub to: Time,
    /// Bars walked over.
    pub bars: usize,
    /// Quote units at the end.
    pub final_equity: Notional,
    /// Over the equity at the start; `None` where that was zero.
    #[serde(rename = "return")]
    pub growth: Option<Rate>,
    /// The deepest loss from the peak, as a fraction.
    pub max_drawdown: Rate,
    /// Executions.
    pub trades: u64,
    /// Notional of all executions.
    pub turnover: Notional,
    /// Paid.
    pub fees: Notional,
    /// Paid less received.
    pub funding: Notional,
    /// When equity no longer met the maintenance margin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liquidated_at: Option<Time>,
    /// When the hard stop sold everything for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Time>,
    /// How often it did: more than once only where it is re-armed.
    pub stops: usize,
    /// What the first purchases would have earned, never touched again; at most everything is lost.
    pub hold_twin_return: Option<Rate>,
}

impl Figures {
    /// Whether trading went on after the first hard stop.
    #[must_use]
    pub fn went_on(&self) -> bool {
        self.stops > 1 || self.stopped_at.is_some_and(|stopped| stopped < self.to)
    }

    /// The figures of a run that kept its fills.
    #[must_use]
    pub fn of(market: &Market, terms: &Terms<'_>, outcome: &Outcome) -> Figures {
        let sum = |of: fn(&Holding) -> Notional| outcome.holdings.iter().map(of).sum::<Notional>();
        let growth = outcome.final_equity.over(terms.equity).map(|ratio| ratio - Rate::ONE);
        let liquidated = match outcome.ending {
            Ending::Liquidated(bar) => Some(bar),
            Ending::Stopped(_) | Ending::PricesEnded => None,
        };
        Figures {
            to: market.closes_at(outcome.bars.saturating_sub(1)),
            bars: outcome.bars,
            final_equity: outcome.final_equity,
            growth: growth.map(|rate| rate.rounded(RATE_DIGITS)),
            max_drawdown: outcome.max_drawdown.rounded(RATE_DIGITS),
            trades: outcome.holdings.iter().map(|holding| holding.trades).sum(),
            turnover: sum(Holding::turnover),
            fees: sum(Holding::fees),
            funding: -sum(|holding| holding.funding),
            liquidated_at: liquidated.map(|bar| market.closes_at(bar)),
            stopped_at: outcome.stops.first().map(|bar| market.closes_at(*bar)),
            stops: outcome.stops.len(),
            hold_twin_return: HoldTwin::of(market, terms, outcome)
                .and_then(|twin| twin.growth(terms))
                .map(|rate| rate.rounded(RATE_DIGITS)),
        }
    }
}

/// A figure that settings can be ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Over the equity at the start; more is better.
    #[default]
    Return,
    /// Quote units; more is better.
    FinalEquity,
    /// The deepest loss; less is better.
    MaxDrawdown,
    /// Executions; fewer are better.
    Trades,
    /// Notional; less is better.
    Turnover,
    /// Paid; less is better.
    Fees,
    /// Paid less received; less is better.
    Funding,
    /// What the first purchases would have earned; more is better.
    HoldTwinReturn,
}

impl Figure {
    /// Every figure, in the order of a report.
    pub const ALL: [Figure; 8] = [
        Figure::Return,
        Figure::FinalEquity,
        Figure::MaxDrawdown,
        Figure::Trades,
        Figure::Turnover,
        Figure::Fees,
        Figure::Funding,
        Figure::HoldTwinReturn,
    ];

    /// Its name in JSON and CSV.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Figure::Return => "return",
            Figure::FinalEquity => "final_equity",
            Figure::MaxDrawdown => "max_drawdown",
            Figure::Trades => "trades",
            Figure::Turnover => "turnover",
            Figure::Fees => "fees",
            Figure::Funding => "funding",
            Figure::HoldTwinReturn => "hold_twin_return",
        }
    }

    /// Whether it is a fraction of something.
    #[must_use]
    pub fn is_rate(self) -> bool {
        matches!(self, Figure::Return | Figure::MaxDrawdown | Figure::HoldTwinReturn)
    }

    /// Whether more of it is better.
    #[must_use]
    pub fn more_is_better(self) -> bool {
        matches!(self, Figure::Return | Figure::FinalEquity | Figure::HoldTwinReturn)
    }

    /// Its value in a run, as a bare number; `None` where the run has none.
    #[must_use]
    pub fn of(self, run: &Figures) -> Option<Rate> {
        let bare = |amount: Notional| amount.over(Notional::ONE);
        match self {
            Figure::Return => run.growth,
            Figure::FinalEquity => bare(run.final_equity),
            Figure::MaxDrawdown => Some(run.max_drawdown),
            Figure::Trades => Some(Rate::new(i64::try_from(run.trades).unwrap_or(i64::MAX), 0)),
            Figure::Turnover => bare(run.turnover),
            Figure::Fees => bare(run.fees),
            Figure::Funding => bare(run.funding),
            Figure::HoldTwinReturn => run.hold_twin_return,
        }
    }

    /// Compares two values: the better one comes first, none at all comes last.
    #[must_use]
    pub fn order(self, a: Option<Rate>, b: Option<Rate>) -> Ordering {
        match (a, b) {
            (Some(a), Some(b)) if self.more_is_better() => b.cmp(&a),
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }

    /// Compares two runs: the better one comes first; of equals the one with more equity at the end.
    #[must_use]
    pub fn rank(self, a: &Figures, b: &Figures) -> Ordering {
        self.order(self.of(a), self.of(b)).then_with(|| b.final_equity.cmp(&a.final_equity))
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no figure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such figure; there are {}", Figure::ALL.map(Figure::as_str).join(", "))]
pub struct NoSuchFigure;

impl FromStr for Figure {
    type Err = NoSuchFigure;
    fn from_str(text: &str) -> Result<Figure, NoSuchFigure> {
        Figure::ALL.into_iter().find(|figure| figure.as_str() == text).ok_or(NoSuchFigure)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A run that came to this much, from 100.
    pub(crate) fn figures(final_equity: i64, max_drawdown: i64, trades: u64) -> Figures {
        Figures {
            to: Time::default(),
            bars: 10,
            final_equity: Notional::new(final_equity, 0),
            growth: Some(Rate::new(final_equity - 100, 2)),
            max_drawdown: Rate::new(max_drawdown, 2),
            trades,
            turnover: Notional::ZERO,
            fees: Notional::ZERO,
            funding: Notional::ZERO,
            liquidated_at: None,
            stopped_at: None,
            stops: 0,
            hold_twin_return: None,
        }
    }

    #[test]
    fn the_better_run_comes_first_whatever_better_means() {
        let runs = [figures(110, 30, 7), figures(90, 5, 2), figures(120, 30, 9)];
        let sorted = |figure: Figure| {
            let mut order: Vec<usize> = vec![0, 1, 2];
            order.sort_by(|a, b| figure.rank(&runs[*a], &runs[*b]));
            order
        };
        assert_eq!(sorted(Figure::Return), [2, 0, 1]);
        assert_eq!(sorted(Figure::FinalEquity), [2, 0, 1]);
        // Equal drawdowns: the one that ended with more.
        assert_eq!(sorted(Figure::MaxDrawdown), [1, 2, 0]);
        assert_eq!(sorted(Figure::Trades), [1, 0, 2]);
        assert_eq!(sorted(Figure::HoldTwinReturn), [2, 0, 1], "none has one");
        let order = Figure::HoldTwinReturn.order(None, Some(Rate::ZERO));
        assert_eq!(order, Ordering::Greater, "none at all comes last");
    }

    #[test]
    fn figures_are_named_as_in_the_report() {
        let json = serde_json::to_value(figures(110, 30, 7)).unwrap();
        for figure in Figure::ALL {
            assert!(json.get(figure.as_str()).is_some(), "{figure}");
            assert_eq!(figure.as_str().parse(), Ok(figure));
            assert_eq!(serde_json::to_value(figure).unwrap(), figure.as_str());
        }
        assert!("sharpe".parse::<Figure>().unwrap_err().to_string().contains("return, final_equity"));
    }
}
