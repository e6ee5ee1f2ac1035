//! What a backtest came to.

pub mod assumed;
pub mod coin;

use serde::Serialize;

use crate::backtest::twin::HoldTwin;
use crate::backtest::{Course, Ending, Holding, Looks, Market, Outcome, Terms};
use crate::domain::num::{Notional, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::report::backtest::assumed::Maintenance;
use crate::report::backtest::coin::{CoinResult, LimitRow, ReasonRow, Trade};
use crate::report::heading::Heading;

/// Digits kept of quotients; sums and products stay exact.
const RATE_DIGITS: u32 = 10;
/// Of figures that are means of doubles.
const MEAN_DIGITS: u32 = 4;
/// Stretches of a curve: up to four points of each are kept.
const STRETCHES: usize = 240;

/// One point of the curves: the account at a close, before its trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CurvePoint {
    /// The close.
    pub at: Time,
    /// Equity.
    pub equity: Notional,
    /// The loss from the peak, as a fraction.
    pub drawdown: Rate,
    /// What all positions are worth.
    pub exposure: Notional,
    /// The same over equity; `None` where there is none.
    pub effective_leverage: Option<Rate>,
}

/// The time below the highest equity so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UnderWater {
    /// Of all bars, as a fraction.
    pub share: Option<Rate>,
    /// The peak before the longest time.
    pub from: Option<Time>,
    /// When the peak was reached again, or the end.
    pub to: Option<Time>,
    /// Whether it was.
    pub recovered: bool,
}

/// How much was held over equity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Leverage {
    /// Over all bars.
    pub mean: Option<Rate>,
    /// At its highest …
    pub highest: Option<Rate>,
    /// … which was at this close.
    pub highest_at: Time,
}

/// Whose prices and rules they were, and what was not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ground {
    /// Whose trading rules were used.
    pub rules: String,
    /// What positions must be covered with; `None` on spot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// Seconds between two bars.
    pub interval_s: u64,
    /// Bars of single coins that are missing: not recorded, or not yet listed.
    pub unavailable: usize,
    /// Times at which no coin has a bar at all.
    pub missing_bars: u64,
    /// Sales of the hard stop of coins that had no bar then: at their last close before.
    pub sales_without_bar: usize,
    /// Of the notional of each execution.
    pub taker_fee: Rate,
    /// Between the close and each execution, as a fraction.
    pub slippage: Rate,
    /// At this drawdown everything is sold.
    pub max_drawdown_limit: Rate,
}

/// `rebal.backtest/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BacktestReport {
    /// Always `rebal.backtest/1`.
    pub schema: &'static str,
    /// When and which profile.
    #[serde(flatten)]
    pub heading: Heading,
    /// What amounts are counted in.
    pub quote: String,
    /// `basket`, `weights` or `moonshot`.
    pub strategy: String,
    /// The first bar's open.
    pub from: Time,
    /// The last close that was looked at.
    pub to: Time,
    /// Bars walked over.
    pub bars: usize,
    /// The coins.
    pub symbols: Vec<Symbol>,
    /// Quote units at the start.
    pub start_equity: Notional,
    /// Quote units at the end.
    pub final_equity: Notional,
    /// The difference: of all coins, and of a liquidation.
    pub net_profit: Notional,
    /// Over the equity at the start.
    #[serde(rename = "return")]
    pub growth: Option<Rate>,
    /// What the liquidation took beside the losses of the coins; zero without one.
    pub liquidation_loss: Notional,
    /// The deepest loss from the peak.
    pub max_drawdown: Rate,
    /// The close at which it was deepest.
    pub max_drawdown_at: Time,
    /// How long equity was below its peak.
    pub under_water: UnderWater,
    /// How much was held over equity.
    pub effective_leverage: Leverage,
    /// Executions.
    pub trades: u64,
    /// What they were for.
    pub trades_by_reason: Vec<ReasonRow>,
    /// Decisions that were made again to see what they refused; the refusals are with the coins.
    pub decisions_looked_at: usize,
    /// Which limits of the account left out orders, and at how many decisions.
    pub limited: Vec<LimitRow>,
    /// Notional of all executions.
    pub turnover: Notional,
    /// Paid.
    pub fees: Notional,
    /// Paid less received.
    pub funding: Notional,
    /// What executions away from the close cost; it is in the profits already.
    pub slippage: Notional,
    /// When equity no longer met the maintenance margin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liquidated_at: Option<Time>,
    /// When the hard stop sold everything for the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Time>,
    /// Seconds from the first bar to that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_to_stop_s: Option<u64>,
    /// How often it did: more than once only where it is re-armed.
    pub stops: usize,
    /// When it did, each time.
    pub all_stops: Vec<Time>,
    /// What the first purchases would have earned, never touched again, over the equity at the start.
    pub hold_twin_return: Option<Rate>,
    /// The same in quote units: at most everything is lost.
    pub hold_twin_profit: Option<Notional>,
    /// What the prices at the end say was lost beyond everything, which is in neither; zero for most.
    pub hold_twin_uncounted_loss: Notional,
    /// Net profit less that.
    pub rebalancing_effect: Option<Notional>,
    /// Best first.
    pub per_coin: Vec<CoinResult>,
    /// The first bar, the last one, and between them every extreme.
    pub curve: Vec<CurvePoint>,
    /// Whose prices and rules they were.
    #[serde(flatten)]
    pub ground: Ground,
    /// What is not as it will be at an exchange.
    pub not_modelled: Vec<String>,
    /// Decisions that were made exactly.
    pub decisions: u64,
    /// Seconds of the walk, loading apart.
    pub elapsed_s: String,
    /// Bars × coins over these seconds.
    pub bar_updates_per_s: u64,
    /// Every execution, for a file of their own.
    #[serde(skip)]
    pub executions: Vec<Trade>,
}

/// What a report says that the run does not know.
#[derive(Clone, Debug)]
pub struct About {
    /// When and which profile.
    pub heading: Heading,
    /// What amounts are counted in.
    pub quote: String,
    /// The strategy's name.
    pub strategy: String,
    /// Where trading rules came from.
    pub rules: String,
    /// Seconds of the walk.
    pub elapsed_s: f64,
}

impl BacktestReport {
    /// The report of one run that kept its executions.
    #[must_use]
    pub fn new(about: About, market: &Market, terms: &Terms<'_>, outcome: &Outcome) -> BacktestReport {
        let looks = Looks::at(market, terms, outcome);
        let per_coin = coin::coins(market, terms, outcome, &looks);
        let executions = coin::trades(market, terms, outcome);
        let course = Course::new(market, terms, outcome, STRETCHES);
        let at = |bar: usize| market.closes_at(bar);
        let from = market.opens.first().copied().unwrap_or_default();
        let to = at(outcome.bars.saturating_sub(1));
        let net_profit = outcome.final_equity - terms.equity;
        let of_coins = per_coin.iter().map(|coin| coin.net_profit).sum::<Notional>();
        let twin = HoldTwin::of(market, terms, outcome);
        let stopped_at = outcome.stops.first().copied().map(at);
        let liquidated_at = match outcome.ending {
            Ending::Liquidated(bar) => Some(at(bar)),
            _ => None,
        };
        let updates = outcome.bars as f64 * market.coins() as f64;
        let rate = |of: Option<Rate>| of.map(|rate| rate.rounded(RATE_DIGITS));
        BacktestReport {
            schema: "rebal.backtest/1",
            heading: about.heading,
            quote: about.quote,
            strategy: about.strategy,
            from,
            to,
            bars: outcome.bars,
            symbols: market.contracts.iter().map(|contract| contract.rules.symbol.clone()).collect(),
            start_equity: terms.equity,
            final_equity: outcome.final_equity,
            net_profit,
            growth: rate(net_profit.over(terms.equity)),
            liquidation_loss: if liquidated_at.is_some() { of_coins - net_profit } else { Notional::ZERO },
            max_drawdown: outcome.max_drawdown.rounded(RATE_DIGITS),
            max_drawdown_at: at(course.deepest),
            under_water: under_water(&course, market, outcome.bars),
            effective_leverage: Leverage {
                mean: Rate::from_approx(course.mean_leverage, MEAN_DIGITS),
                highest: Rate::from_approx(course.most_leverage.1, MEAN_DIGITS),
                highest_at: at(course.most_leverage.0),
            },
            trades: per_coin.iter().map(|coin| coin.trades).sum(),
            trades_by_reason: coin::reasons(&executions),
            decisions_looked_at: looks.decisions,
            limited: outcome
                .limited
                .iter()
                .map(|(limit, decisions)| LimitRow { limit: *limit, decisions: *decisions })
                .collect(),
            // By column, as a sweep adds them: a product may have all 28 digits, and then the order tells.
            turnover: outcome.holdings.iter().map(Holding::turnover).sum(),
            fees: outcome.holdings.iter().map(Holding::fees).sum(),
            funding: -outcome.holdings.iter().map(|holding| holding.funding).sum::<Notional>(),
            slippage: per_coin.iter().map(|coin| coin.slippage).sum(),
            liquidated_at,
            stopped_at,
            time_to_stop_s: stopped_at.map(|stopped| stopped.since(from).as_secs()),
            stops: outcome.stops.len(),
            all_stops: outcome.stops.iter().copied().map(at).collect(),
            hold_twin_return: rate(twin.and_then(|twin| twin.growth(terms))),
            hold_twin_profit: twin.map(|twin| twin.profit),
            hold_twin_uncounted_loss: twin.map_or(Notional::ZERO, |twin| twin.uncounted_loss),
            rebalancing_effect: twin.map(|twin| net_profit - twin.profit),
            curve: curve(&course, market),
            ground: ground(about.rules, market, terms, outcome),
            per_coin,
            not_modelled: assumed::not_modelled(market, terms, without_bar(market, outcome)),
            decisions: outcome.decisions,
            elapsed_s: format!("{:.6}", about.elapsed_s),
            bar_updates_per_s: if about.elapsed_s > 0.0 { (updates / about.elapsed_s) as u64 } else { 0 },
            executions,
        }
    }
}

fn curve(course: &Course, market: &Market) -> Vec<CurvePoint> {
    let point = |sample: &crate::backtest::Sample| CurvePoint {
        at: market.closes_at(sample.bar),
        equity: sample.equity,
        drawdown: sample.drawdown.rounded(RATE_DIGITS),
        exposure: sample.exposure,
        effective_leverage: sample
            .exposure
            .over(sample.equity)
            .filter(|_| sample.equity.is_positive())
            .map(|leverage| leverage.rounded(RATE_DIGITS)),
    };
    course.samples.iter().map(point).collect()
}

fn under_water(course: &Course, market: &Market, bars: usize) -> UnderWater {
    let share = Rate::from_approx(course.under_water as f64 / bars.max(1) as f64, MEAN_DIGITS);
    let at = |bar: usize| Some(market.closes_at(bar));
    match course.longest {
        Some(dive) => UnderWater { share, from: at(dive.from), to: at(dive.to), recovered: dive.recovered },
        None => UnderWater { share, ..UnderWater::default() },
    }
}

/// Executions of coins that had no bar then: only the hard stop does that.
fn without_bar(market: &Market, outcome: &Outcome) -> usize {
    outcome.fills.iter().filter(|fill| market.close(fill.bar, fill.coin).is_none()).count()
}

fn ground(rules: String, market: &Market, terms: &Terms<'_>, outcome: &Outcome) -> Ground {
    let bars = outcome.bars;
    let last = bars.checked_sub(1).and_then(|last| market.opens.get(last));
    let span = match (market.opens.first(), last) {
        (Some(first), Some(last)) => last.since(*first).as_millis(),
        _ => 0,
    };
    let steps = span / market.interval.as_millis().max(1);
    let there = bars.saturating_sub(1) as u128;
    Ground {
        rules,
        maintenance: Maintenance::of(market),
        interval_s: market.interval.as_secs(),
        unavailable: (0..market.coins()).map(|coin| market.unavailable(coin, bars)).sum(),
        missing_bars: u64::try_from(steps.saturating_sub(there)).unwrap_or(u64::MAX),
        sales_without_bar: without_bar(market, outcome),
        taker_fee: terms.taker_fee,
        slippage: terms.slippage,
        max_drawdown_limit: terms.limits.max_drawdown,
    }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
