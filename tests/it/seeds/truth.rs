//! What the account is really worth per unit, by the simulator's own money: what the hard stop is
//! judged by.
//!
//! At what value a transfer between two readings trades its units nobody knows but the simulator, and
//! the pass has to guess. So both ends of what it may guess are kept: the value if each transfer came
//! before prices moved, or after. A stop is wrong only if no guess explains it, and missed only if
//! every guess demands it.

use std::time::Duration;

use rebal::domain::num::{Notional, Rate};
use rebal::domain::time::Time;
use rebal::ledger::EquityRow;

/// One way to count units.
#[derive(Clone, Copy, Debug)]
struct Count {
    nav: f64,
    peak: f64,
}

/// The account at one instant.
#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Time,
    /// A read that lags shows nothing later than this.
    as_of: Time,
    equity: f64,
    /// The lowest and the highest that a unit may be taken for.
    low: Count,
    high: Count,
}

#[derive(Default)]
pub(crate) struct Truth {
    /// The reading that the ledger holds.
    base: Option<Reading>,
    /// Readings of this pass; the ledger may hold one of them afterwards.
    looks: Vec<Reading>,
    /// Transfers since the base.
    moved: Vec<(Time, f64)>,
    /// The account was emptied, or so nearly that nothing can be reckoned until a new start.
    blind: bool,
}

/// How far a reading may be off the truth: reads lag, late income rows are let pass, and a coin's
/// price is read a moment before or after its account.
pub(crate) const SLACK: f64 = 0.04;
/// After this long the ledger takes its account as new.
const FORGOTTEN: Duration = Duration::from_secs(79 * 86_400);

pub(crate) fn plain(amount: Notional) -> f64 {
    amount.to_string().parse().unwrap()
}

pub(crate) fn rate(rate: Rate) -> f64 {
    rate.to_string().parse().unwrap()
}

impl Truth {
    pub(crate) fn begin_pass(&mut self) {
        self.looks.clear();
    }

    pub(crate) fn transfer(&mut self, at: Time, amount: Notional) {
        self.moved.push((at, plain(amount)));
    }

    /// The account is read, and this is what it is worth.
    ///
    /// A transfer that a lagging read does not show yet belongs to the next reading: until then the pass
    /// cannot know of it, and has to guess then whether prices moved before it.
    pub(crate) fn look(&mut self, asked_at: Time, as_of: Time, equity: Notional) {
        let hidden: f64 = self.moved.iter().filter(|(at, _)| *at > as_of).map(|(_, amount)| amount).sum();
        let equity = plain(equity) - hidden;
        let base = self.base.filter(|base| asked_at.since(base.at) < FORGOTTEN);
        let reading = match base {
            None => {
                let one = Count { nav: 1.0, peak: 1.0 };
                Reading { at: asked_at, as_of, equity, low: one, high: one }
            }
            Some(base) => {
                let navs = self.guesses(&base, as_of, equity);
                let low = navs.iter().copied().fold(f64::INFINITY, f64::min);
                let high = navs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let of = |count: Count, nav: f64| Count { nav, peak: count.peak.max(nav) };
                Reading { at: asked_at, as_of, equity, low: of(base.low, low), high: of(base.high, high) }
            }
        };
        if equity <= 0.5 || !reading.low.nav.is_finite() || reading.low.nav <= 0.0 {
            self.blind = true;
        }
        self.looks.push(reading);
    }

    /// The value of a unit now, each transfer taken before and after the move of prices.
    fn guesses(&self, base: &Reading, as_of: Time, equity: f64) -> Vec<f64> {
        let moved: Vec<f64> =
            self.moved.iter().filter(|(at, _)| *at <= as_of).map(|(_, amount)| *amount).collect();
        let all: f64 = moved.iter().sum();
        let some = moved.len().min(6);
        let mut navs = Vec::new();
        for before in [base.low.nav, base.high.nav] {
            let units = base.equity / before;
            for choice in 0..1_u32 << some {
                let early: f64 = (0..some).filter(|n| choice & (1 << n) != 0).map(|n| moved[n]).sum();
                let nav = (equity - (all - early)) / (units + early / before);
                navs.push(if units + early / before > 0.0 { nav } else { f64::NAN });
            }
        }
        navs
    }

    /// After a pass: the ledger holds this reading. `None` where it holds none at all.
    pub(crate) fn settle(&mut self, kept: Option<&EquityRow>) {
        let Some(kept) = kept else {
            self.base = None;
            self.moved.clear();
            self.blind = false;
            return;
        };
        let Some(look) = self.looks.iter().rev().find(|look| look.at == kept.at).copied() else { return };
        let base = look;
        if self.base.is_some_and(|before| before.at == base.at) {
            return;
        }
        self.base = Some(base);
        self.moved.retain(|(at, _)| *at > base.as_of);
    }

    /// A person lifted the halt: the ledger measures from this reading on.
    pub(crate) fn resumed(&mut self) {
        self.blind = false;
        if let Some(base) = &mut self.base {
            let one = Count { nav: 1.0, peak: 1.0 };
            (base.low, base.high) = (one, one);
            self.blind = base.equity <= 0.5;
        }
    }

    /// How often the account was looked at in this pass.
    pub(crate) fn looks(&self) -> usize {
        self.looks.len()
    }

    /// The least and the most that the last look may say of the loss from the peak.
    pub(crate) fn drawdown(&self) -> Option<(f64, f64)> {
        let look = self.looks.last().filter(|_| !self.blind)?;
        let least = 1.0 - look.high.nav / look.low.peak.max(look.high.nav);
        let most = 1.0 - look.low.nav / look.high.peak;
        Some((least, most))
    }

    /// The least that every look of this pass says.
    pub(crate) fn surely(&self) -> Option<f64> {
        if self.blind || self.looks.is_empty() {
            return None;
        }
        let least = self.looks.iter().map(|look| 1.0 - look.high.nav / look.low.peak.max(look.high.nav));
        least.reduce(f64::min)
    }
}
