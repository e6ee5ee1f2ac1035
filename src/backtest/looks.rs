//! Why coins were not bought: some decisions of a run made again, for what they refused.
//!
//! A screened walk rules out most decisions without making them, and with them their reasons. The account of any
//! bar is known from the executions, so that a few decisions can be made again afterwards, exactly.

use std::collections::{BTreeMap, BTreeSet};

use crate::backtest::market::Market;
use crate::backtest::run::{Ending, Keep, Outcome, Terms};
use crate::backtest::walk::Walk;
use crate::decide::risk::Approved;
use crate::domain::order::Side;
use crate::domain::plan::{Plan, SkipReason};

/// Decisions that are made again, evenly spread from the first to the last.
const LOOKS: usize = 16;

/// What became of wanted purchases of some coins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    /// So many decisions were made again.
    pub decisions: usize,
    /// By column; none for a coin of which nothing was refused.
    pub refused: BTreeMap<usize, Refused>,
}

/// Why a coin was not bought at some decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The most frequent reason.
    pub reason: SkipReason,
    /// With the figures of the first time.
    pub detail: String,
    /// At so many of the decisions that were made again, for this reason.
    pub times: usize,
}

impl Looks {
    /// Makes decisions of a run that kept its executions again: some evenly spread, and the first one at which
    /// each coin that was never bought has a price.
    #[must_use]
    pub fn at(market: &Market, terms: &Terms<'_>, outcome: &Outcome) -> Looks {
        let mut found: BTreeMap<usize, BTreeMap<SkipReason, (usize, String)>> = BTreeMap::new();
        let mut decisions = 0;
        again(market, terms, outcome, &bars(market, terms, outcome), |bar, approved| {
            decisions += 1;
            for (coin, reason, detail) in refused(market, outcome, bar, approved) {
                let reasons = found.entry(coin).or_default();
                reasons.entry(reason).or_insert((0, detail)).0 += 1;
            }
        });
        let refused = found.into_iter().filter_map(|(coin, reasons)| Some((coin, most_frequent(reasons)?)));
        Looks { decisions, refused: refused.collect() }
    }
}

/// Makes the decisions at some bars again, each with the account that the run had there.
pub(super) fn again(
    market: &Market,
    terms: &Terms<'_>,
    outcome: &Outcome,
    bars: &BTreeSet<usize>,
    mut visit: impl FnMut(usize, &Approved),
) {
    let terms = Terms { keep: Keep::default(), ..*terms };
    let mut walk = Walk::new(market, &terms);
    let mut fills = outcome.fills.iter().peekable();
    for bar in bars {
        while let Some(fill) = fills.next_if(|fill| fill.bar < *bar) {
            walk.settle(fill.bar);
            walk.fill(fill.bar, fill.coin, fill.qty, fill.reason);
        }
        walk.settle(*bar);
        if let Some(approved) = walk.look(*bar) {
            visit(*bar, &approved);
        }
    }
}

/// The decisions to look at.
pub(super) fn bars(market: &Market, terms: &Terms<'_>, outcome: &Outcome) -> BTreeSet<usize> {
    let walk = Walk::new(market, terms);
    let spread = (0..LOOKS).map(|look| outcome.bars.saturating_sub(1) * look / (LOOKS - 1));
    let unbought = (0..market.coins()).filter(|coin| outcome.fills.iter().all(|fill| fill.coin != *coin));
    let listed = unbought.filter_map(|coin| (0..outcome.bars).find(|bar| market.close(*bar, coin).is_some()));
    let at = spread.chain(listed).map(|bar| walk.next_decision(bar));
    // The last decision is rarely at the last bar.
    let last = (0..outcome.bars).rev().find(|bar| walk.decides_at(*bar));
    let decided = |bar: &usize| *bar < outcome.bars && !is_halted(market, terms, outcome, *bar);
    at.chain(last).filter(decided).collect()
}

/// Whether nothing was decided at a bar: the hard stop or a liquidation came before it, or at it.
fn is_halted(market: &Market, terms: &Terms<'_>, outcome: &Outcome, bar: usize) -> bool {
    let stop = outcome.stops.iter().rev().find(|stop| **stop <= bar);
    let until = |stop: &usize| Some(market.closes_at(*stop) + terms.resume_after?);
    outcome.ending == Ending::Liquidated(bar)
        || stop
            .is_some_and(|stop| *stop == bar || until(stop).is_none_or(|until| market.closes_at(bar) < until))
}

/// The purchases that a decision wanted and that were not made.
fn refused(
    market: &Market,
    outcome: &Outcome,
    bar: usize,
    approved: &Approved,
) -> Vec<(usize, SkipReason, String)> {
    let plan = approved.plan();
    let skipped = plan.skipped.iter().filter(|skipped| is_purchase(plan, &skipped.symbol));
    let mut all: Vec<_> = skipped
        .filter_map(|skipped| Some((market.column(&skipped.symbol)?, skipped.reason, skipped.detail.clone())))
        .collect();
    for leg in plan.legs.iter().filter(|leg| leg.side == Side::Buy) {
        let Some(coin) = market.column(&leg.symbol) else { continue };
        if !outcome.fills.iter().any(|fill| fill.bar == bar && fill.coin == coin) {
            let detail = format!("{:.2} with fee and slippage are more than the cash there is", leg.notional);
            all.push((coin, SkipReason::Margin, detail));
        }
    }
    all
}

/// Whether a coin is below its target.
fn is_purchase(plan: &Plan, symbol: &crate::domain::symbol::Symbol) -> bool {
    let standing = plan.coins.iter().find(|coin| coin.symbol == *symbol);
    standing.and_then(|coin| coin.drift).is_none_or(|drift| drift.is_negative())
}

/// The reason that stands most often; one without a price tells less than any other.
fn most_frequent(reasons: BTreeMap<SkipReason, (usize, String)>) -> Option<Refused> {
    let rank = |reason: SkipReason, times: usize| (reason != SkipReason::NoPrice, times);
    let found = reasons.into_iter().max_by_key(|(reason, (times, _))| rank(*reason, *times));
    found.map(|(reason, (times, detail))| Refused { reason, detail, times })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::samples::{Made, market, told};
    use crate::domain::num::{Notional, Rate};

    /// Two coins at 10 that swing by a tenth for 40 bars, the third has no bar at all.
    fn swinging() -> Market {
        let close = |bar: usize| if bar % 4 < 2 { 10.0 } else { 11.0 };
        let closes: Vec<Vec<f64>> = (0..40).map(|bar| vec![close(bar), close(bar), f64::NAN]).collect();
        market(&closes, Rate::new(1, 4))
    }

    fn looked(market: &Market, made: Made) -> (Looks, BTreeMap<SkipReason, u64>) {
        told(market, made, |terms, outcome| (Looks::at(market, terms, outcome), outcome.limited.clone()))
    }

    #[test]
    fn a_coin_that_is_never_bought_has_its_reason() {
        let mut market = swinging();
        market.contracts[1].rules.min_notional = Notional::from(200);
        let (looks, limited) = looked(&market, Made { equity: 100, target: 60, limit: 90 });
        assert_eq!(looks.decisions, LOOKS);
        let reasons: Vec<(usize, SkipReason, usize)> =
            looks.refused.iter().map(|(coin, refused)| (*coin, refused.reason, refused.times)).collect();
        assert_eq!(reasons, [(1, SkipReason::Infeasible, LOOKS), (2, SkipReason::NoPrice, LOOKS)]);
        let detail = &looks.refused[&1].detail;
        assert!(
            detail.starts_with("its smallest order is 20") && detail.ends_with("target 60.00"),
            "{detail}"
        );
        assert!(limited.is_empty(), "{limited:?}");
    }

    /// Twenty times 100 is 2000: the second purchase of 1500 does not fit at any of the 40 decisions.
    #[test]
    fn a_limit_that_leaves_out_orders_is_counted_at_every_decision() {
        let flat: Vec<Vec<f64>> = vec![vec![10.0, 10.0]; 40];
        let flat = market(&flat, Rate::ZERO);
        let (looks, limited) = looked(&flat, Made { equity: 100, target: 1500, limit: 99 });
        assert_eq!(limited.get(&SkipReason::Leverage), Some(&40), "{limited:?}");
        let refused = &looks.refused[&1];
        assert_eq!((refused.reason, refused.times), (SkipReason::Leverage, looks.decisions));
    }
}
