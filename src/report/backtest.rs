//! What a backtest came to.

use serde::Serialize;

use crate::backtest::twin::hold_twin_return;
use crate::backtest::{Ending, Market, Outcome, Terms};
use crate::domain::num::{Notional, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::report::heading::Heading;

/// Digits kept of quotients; sums and products stay exact.
const RATE_DIGITS: u32 = 10;

/// What one coin earned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoinResult {
    /// The contract.
    pub symbol: Symbol,
    /// Realised and floating profit, less fees, with funding.
    pub net_profit: Notional,
    /// Executions.
    pub trades: u64,
}

/// `rebal.backtest/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BacktestReport {
    /// Always `rebal.backtest/1`.
    pub schema: &'static str,
    /// When and which profile.
    #[serde(flatten)]
    pub heading: Heading,
    /// The first bar's open.
    pub from: Time,
    /// The last close that was looked at.
    pub to: Time,
    /// Bars walked over.
    pub bars: usize,
    /// The coins.
    pub symbols: Vec<Symbol>,
    /// Quote units at the end.
    pub final_equity: Notional,
    /// Over the equity at the start.
    #[serde(rename = "return")]
    pub growth: Option<Rate>,
    /// The deepest loss from the peak.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liquidated_at: Option<Time>,
    /// When the hard stop sold everything for the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Time>,
    /// How often it did: more than once only where it is re-armed.
    pub stops: usize,
    /// What the first purchases would have earned, never touched again.
    pub hold_twin_return: Option<Rate>,
    /// Best first.
    pub per_coin: Vec<CoinResult>,
    /// Where trading rules came from.
    pub rules: String,
    /// Decisions that were made exactly.
    pub decisions: u64,
    /// Seconds of the walk, loading apart.
    pub elapsed_s: String,
    /// Bars × coins over these seconds.
    pub bar_updates_per_s: u64,
}

impl BacktestReport {
    /// The report of one run that took `elapsed_s`.
    #[must_use]
    pub fn new(
        heading: Heading,
        market: &Market,
        terms: &Terms<'_>,
        outcome: &Outcome,
        rules: String,
        elapsed_s: f64,
    ) -> BacktestReport {
        let last = |coin: usize| (0..outcome.bars).rev().find_map(|bar| market.close(bar, coin));
        let result = |(coin, holding): (usize, &crate::backtest::Holding)| {
            Some(CoinResult {
                symbol: market.contracts.get(coin)?.rules.symbol.clone(),
                net_profit: holding.net_profit(last(coin)),
                trades: holding.trades,
            })
        };
        let mut per_coin: Vec<CoinResult> = outcome.holdings.iter().enumerate().filter_map(result).collect();
        per_coin.sort_by(|a, b| b.net_profit.cmp(&a.net_profit).then_with(|| a.symbol.cmp(&b.symbol)));
        let at = |bar: usize| market.closes_at(bar);
        let growth =
            outcome.final_equity.over(terms.equity).map(|ratio| (ratio - Rate::ONE).rounded(RATE_DIGITS));
        let updates = outcome.bars as f64 * market.coins() as f64;
        BacktestReport {
            schema: "rebal.backtest/1",
            heading,
            from: market.opens.first().copied().unwrap_or_default(),
            to: at(outcome.bars.saturating_sub(1)),
            bars: outcome.bars,
            symbols: market.contracts.iter().map(|contract| contract.rules.symbol.clone()).collect(),
            final_equity: outcome.final_equity,
            growth,
            max_drawdown: outcome.max_drawdown.rounded(RATE_DIGITS),
            trades: outcome.holdings.iter().map(|holding| holding.trades).sum(),
            turnover: outcome.holdings.iter().map(|holding| holding.turnover).sum(),
            fees: outcome.holdings.iter().map(|holding| holding.fees).sum(),
            funding: -outcome.holdings.iter().map(|holding| holding.funding).sum::<Notional>(),
            liquidated_at: match outcome.ending {
                Ending::Liquidated(bar) => Some(at(bar)),
                _ => None,
            },
            stopped_at: outcome.stops.first().copied().map(at),
            stops: outcome.stops.len(),
            hold_twin_return: hold_twin_return(market, terms, outcome).map(|rate| rate.rounded(RATE_DIGITS)),
            per_coin,
            rules,
            decisions: outcome.decisions,
            elapsed_s: format!("{elapsed_s:.6}"),
            bar_updates_per_s: if elapsed_s > 0.0 { (updates / elapsed_s) as u64 } else { 0 },
        }
    }
}
