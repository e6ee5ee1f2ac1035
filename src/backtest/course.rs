//! The course of a run, bar by bar, replayed from its executions: the curves of a report, and the time under water.
//!
//! Every bar is valued in doubles, to find where the extremes are; what is shown of it is then valued exactly.

use crate::backtest::account::Books;
use crate::backtest::columns::{BARS, Lanes};
use crate::backtest::market::Market;
use crate::backtest::run::{Ending, Outcome, Sample, Terms};
use crate::domain::num::{Notional, Rate};

/// Equity this much below its peak is under water: less is the last digit of a double.
const DRY: f64 = 1e-12;

/// What became of the account between two of its peaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dive {
    /// The bar of the peak before.
    pub from: usize,
    /// The first bar at the peak again, or the last one of the run.
    pub to: usize,
    /// Whether the peak was reached again.
    pub recovered: bool,
}

/// A run from its first bar to its last.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// The account at the close of some bars, before their trades, ascending: the first and the last, and of every
    /// stretch between them the lowest and the highest equity, the deepest drawdown, and the highest leverage.
    pub samples: Vec<Sample>,
    /// Bars whose close was below the peak before.
    pub under_water: usize,
    /// The longest time below a peak.
    pub longest: Option<Dive>,
    /// The bar of the deepest drawdown, final equity apart.
    pub deepest: usize,
    /// What was held over equity, at the bar where that was highest.
    pub most_leverage: (usize, f64),
    /// The same over all bars.
    pub mean_leverage: f64,
}

/// An account at a close, in doubles.
#[derive(Clone, Copy, Debug)]
struct Look {
    equity: f64,
    /// The part of the peak that is lost.
    drawdown: f64,
    /// What is held over equity. No more than nothing is owned: a debt has no leverage.
    leverage: f64,
}

impl Course {
    /// The course of a run that kept its executions, in some `stretches` of equal length.
    #[must_use]
    pub fn new(market: &Market, terms: &Terms<'_>, outcome: &Outcome, stretches: usize) -> Course {
        let (looks, peaks) = looks(market, terms, outcome);
        let mut under = UnderWater::default();
        looks.iter().enumerate().for_each(|(bar, look)| under.see(bar, look));
        let bars = looks.len();
        let chosen = chosen(&looks, stretches);
        let leverage = |bar: usize| looks.get(bar).map_or(0.0, |look| look.leverage);
        let drawdown = |bar: usize| looks.get(bar).map_or(0.0, |look| look.drawdown);
        let most = most_of(0..bars, leverage);
        Course {
            samples: exact(market, terms, outcome, &chosen, &peaks),
            under_water: under.bars,
            longest: under.end(bars),
            deepest: most_of(0..bars, drawdown),
            most_leverage: (most, leverage(most)),
            mean_leverage: (0..bars).map(leverage).sum::<f64>() / (bars.max(1) as f64),
        }
    }
}

/// Time spent below a peak.
#[derive(Debug, Default)]
struct UnderWater {
    bars: usize,
    /// The last bar at a peak.
    peak: usize,
    longest: Option<Dive>,
}

impl UnderWater {
    fn see(&mut self, bar: usize, look: &Look) {
        if look.drawdown > DRY {
            self.bars += 1;
            return;
        }
        self.dive(bar, true);
        self.peak = bar;
    }

    fn dive(&mut self, to: usize, recovered: bool) {
        let length = to.saturating_sub(self.peak);
        if length > 1 - usize::from(!recovered)
            && self.longest.is_none_or(|dive| length > dive.to - dive.from)
        {
            self.longest = Some(Dive { from: self.peak, to, recovered });
        }
    }

    fn end(mut self, bars: usize) -> Option<Dive> {
        self.dive(bars.saturating_sub(1), false);
        self.longest
    }
}

/// Every bar in doubles, and for each the bar of the peak up to it.
fn looks(market: &Market, terms: &Terms<'_>, outcome: &Outcome) -> (Vec<Look>, Vec<usize>) {
    let mut cash = terms.equity.approx();
    let mut held = vec![0.0; market.coins()];
    let mut fills = outcome.fills.iter().peekable();
    let mut settlements = market.settlements.iter().peekable();
    let (fee, mut peak, mut peak_bar) = (terms.taker_fee.approx(), cash, usize::MAX);
    let (mut looks, mut peaks) = (Vec::with_capacity(outcome.bars), Vec::with_capacity(outcome.bars));
    let (mut worth, mut valued): (Lanes, _) = ([0.0; BARS], None);
    for bar in 0..outcome.bars {
        while let Some(settled) = settlements.next_if(|settled| settled.bar <= bar) {
            let qty: f64 = held.get(settled.coin).copied().unwrap_or(0.0);
            if qty != 0.0 {
                cash -= qty * settled.price.nearly() * settled.rate.nearly();
            }
        }
        let (tile, lane) = (bar / BARS, bar % BARS);
        if valued != Some(tile) {
            worth = market.columns.worth(tile, &held).unwrap_or_default();
            valued = Some(tile);
        }
        let exposure = worth.get(lane).copied().unwrap_or_default();
        let equity = cash + exposure;
        if equity > peak {
            (peak, peak_bar) = (equity, bar);
        }
        let leverage = if equity > 0.0 { exposure / equity } else { 0.0 };
        looks.push(Look { equity, drawdown: 1.0 - equity / peak, leverage });
        peaks.push(peak_bar);
        while let Some(fill) = fills.next_if(|fill| fill.bar <= bar) {
            let (qty, price) = (fill.qty.nearly(), fill.price.nearly());
            cash -= qty * price + (qty * price).abs() * fee;
            if let Some(held) = held.get_mut(fill.coin) {
                let left = *held + qty;
                // What is left of adding and taking away is nothing where it is the last digit of a double.
                *held = if left.abs() < qty.abs() * DRY { 0.0 } else { left };
            }
            valued = None;
        }
    }
    (looks, peaks)
}

/// The bars that a curve needs, so that nothing is hidden by leaving out the others.
fn chosen(looks: &[Look], stretches: usize) -> Vec<usize> {
    let length = looks.len().div_ceil(stretches.max(1)).max(1);
    let mut bars = vec![0, looks.len().saturating_sub(1)];
    for begin in (0..looks.len()).step_by(length) {
        let stretch = || begin..looks.len().min(begin + length);
        let of = |figure: fn(&Look) -> f64| move |bar: usize| looks.get(bar).map_or(0.0, figure);
        bars.push(most_of(stretch(), of(|look| look.equity)));
        bars.push(most_of(stretch(), of(|look| -look.equity)));
        bars.push(most_of(stretch(), of(|look| look.drawdown)));
        bars.push(most_of(stretch(), of(|look| look.leverage)));
    }
    bars.sort_unstable();
    bars.dedup();
    bars.retain(|bar| *bar < looks.len());
    bars
}

/// The first bar at which a figure is highest.
fn most_of(bars: std::ops::Range<usize>, figure: impl Fn(usize) -> f64) -> usize {
    let mut most = (bars.start, f64::MIN);
    for bar in bars {
        let value = figure(bar);
        if value > most.1 {
            most = (bar, value);
        }
    }
    most.0
}

/// Some bars in decimals.
fn exact(
    market: &Market,
    terms: &Terms<'_>,
    outcome: &Outcome,
    chosen: &[usize],
    peaks: &[usize],
) -> Vec<Sample> {
    let mut wanted: Vec<usize> = chosen.iter().filter_map(|bar| peaks.get(*bar)).copied().collect();
    wanted.extend(chosen);
    wanted.retain(|bar| *bar < outcome.bars);
    wanted.sort_unstable();
    wanted.dedup();
    let mut books = Books::new(terms.equity, market.coins(), terms.taker_fee, false);
    let mut fills = outcome.fills.iter().peekable();
    let mut settlements = market.settlements.iter().peekable();
    let (mut peak, mut samples) = (terms.equity, Vec::with_capacity(chosen.len()));
    for bar in wanted {
        // In the order of a run: the funding of a bar, then its trades.
        loop {
            let next = fills.peek().map_or(usize::MAX, |fill| fill.bar);
            if let Some(settled) = settlements.next_if(|settled| settled.bar <= bar.min(next)) {
                let holding = books.holdings.get_mut(settled.coin).filter(|holding| !holding.qty.is_zero());
                books.cash +=
                    holding.map_or(Notional::ZERO, |holding| holding.settle(settled.price, settled.rate));
            } else if let Some(fill) = fills.next_if(|fill| fill.bar < bar) {
                let holding = books.holdings.get_mut(fill.coin);
                let paid = holding.map(|holding| holding.trade(fill.qty, fill.price));
                books.cash += paid.unwrap_or_default();
            } else {
                break;
            }
        }
        let equity = books.equity(market, bar);
        peak = peak.max(equity);
        if chosen.binary_search(&bar).is_ok() {
            let lost = equity.over(peak).map_or(Rate::ONE, |kept| (Rate::ONE - kept).min(Rate::ONE));
            samples.push(Sample { bar, equity, drawdown: lost, exposure: equity - books.cash });
        }
    }
    if let (Ending::Liquidated(_), Some(last)) = (outcome.ending, samples.last_mut()) {
        // What the curve ends with is what is left.
        (last.equity, last.drawdown) = (Notional::ZERO, Rate::ONE);
    }
    samples
}
