//! Where prices come from: a synthetic market, recorded bars, or somebody outside.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::market::{Bar, Mark, Market, Quote};
use crate::domain::num::{Notional, Price, Rate};
use crate::domain::rules::Status;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::book::{Book, nearest_tick};
use crate::sim::refusal::Refusal;
use crate::sim::synthetic::{self, Step};
use crate::sim::{Exchange, Listed, World};

/// Recorded prices, each contract's bars ascending.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Bars by contract. A missing bar is a gap: the contract has no price then.
    pub bars: BTreeMap<Symbol, Vec<Bar>>,
    /// Funding settlements by contract, ascending; a contract without any is never charged.
    pub funding: BTreeMap<Symbol, Vec<(Time, Rate)>>,
}

impl Recorded {
    /// When the first bar of all is complete.
    #[must_use]
    pub fn first_close(&self, interval: Duration) -> Option<Time> {
        self.bars.values().filter_map(|bars| bars.first()).map(|bar| bar.open_time + interval).min()
    }

    /// When the last bar of all is complete.
    #[must_use]
    pub fn last_close(&self, interval: Duration) -> Option<Time> {
        self.bars.values().filter_map(|bars| bars.last()).map(|bar| bar.open_time + interval).max()
    }

    /// The last bar of `symbol` complete at `now`; `None` before its first, in a gap, after its last.
    #[must_use]
    pub fn bar_at(&self, symbol: &Symbol, now: Time, interval: Duration) -> Option<&Bar> {
        let bars = self.bars.get(symbol)?;
        let complete = bars.partition_point(|bar| bar.open_time + interval <= now);
        let bar = bars.get(complete.checked_sub(1)?)?;
        (bar.open_time + interval + interval > now).then_some(bar)
    }
}

/// The source of prices.
#[derive(Clone, Debug)]
pub enum Prices {
    /// Made up from a seed, without end.
    Synthetic {
        /// The same seed gives the same prices, bar by bar, on every machine.
        seed: u64,
    },
    /// Recorded bars; ends with them.
    Replay(Recorded),
    /// Handed in by [`Exchange::feed`].
    Fed,
}

/// The recorded prices are used up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("recorded prices end at {at}")]
pub struct PricesEnd {
    /// When the last recorded bar of all is complete.
    pub at: Time,
}

/// A lasting change of one contract's prices by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Jump {
    pub(crate) symbol: Symbol,
    pub(crate) factor: Rate,
    /// The number of bars complete when it happened.
    pub(crate) bar: i64,
    pub(crate) at: Time,
}

/// A funding settlement handed in from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FundingPrint {
    /// When it settles.
    pub at: Time,
    /// Longs pay when positive.
    pub rate: Rate,
    /// The mark price it settles at; `None` uses the mark of that moment.
    pub mark: Option<Price>,
}

/// What changes of the prices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PriceState {
    /// Bars complete since the start.
    pub(crate) bar: i64,
    /// When the last bar was complete.
    pub(crate) bar_at: Time,
    /// Synthetic mark prices, with more digits than are shown.
    #[serde(default)]
    pub(crate) paths: BTreeMap<Symbol, Price>,
    #[serde(default)]
    pub(crate) jumps: Vec<Jump>,
    #[serde(default)]
    pub(crate) fed: BTreeMap<Symbol, Market>,
    #[serde(default)]
    pub(crate) fed_funding: BTreeMap<Symbol, Vec<FundingPrint>>,
}

/// Digits that a synthetic path keeps beyond the tick, so that walking it backward lands on the
/// same shown price.
const PATH_DIGITS: u32 = 9;

pub(crate) fn path_digits(tick: Price) -> u32 {
    tick.decimals() + PATH_DIGITS
}

/// Digits of a mark price.
fn mark_digits(tick: Price) -> u32 {
    (tick.decimals() + 2).clamp(2, 8)
}

impl PriceState {
    /// Gives every listed contract that has no path yet its first price.
    pub(crate) fn begin(&mut self, world: &World) {
        let Prices::Synthetic { seed } = world.prices else { return };
        for (symbol, listed) in &world.listing {
            self.paths.entry(symbol.clone()).or_insert_with(|| {
                synthetic::first_price(seed, symbol, listed.shape.price)
                    .rounded(path_digits(listed.rules.tick))
            });
        }
    }

    /// Completes one bar.
    pub(crate) fn step(&mut self, world: &World, interval: Duration) {
        self.bar += 1;
        self.bar_at = self.bar_at + interval;
        let Prices::Synthetic { seed } = world.prices else { return };
        let bar = self.bar;
        for (symbol, path) in &mut self.paths {
            let Some(listed) = world.listing.get(symbol) else { continue };
            let step = Step { seed, symbol, shape: &listed.shape, interval, bar };
            let floor = listed.rules.tick * Rate::from(20);
            *path = (*path * step.growth()).rounded(path_digits(listed.rules.tick)).max(floor);
        }
    }

    /// The product of all jumps of `symbol` so far.
    fn jumped(&self, symbol: &Symbol) -> Rate {
        let mine = self.jumps.iter().filter(|jump| jump.symbol == *symbol);
        mine.fold(Rate::ONE, |product, jump| product * jump.factor)
    }
}

impl Listed {
    /// Whether orders of any sort are taken: trading, or the weeks in which positions may be closed.
    #[must_use]
    pub fn is_live_status(status: &Status) -> bool {
        matches!(status.as_str(), "TRADING" | "PRE_SETTLE" | "PRE_DELIVERING")
    }

    /// Whether it settles funding at all.
    #[must_use]
    pub fn has_funding(&self) -> bool {
        self.rules.contract.ends_with("PERPETUAL")
    }
}

impl Exchange {
    /// The mark price now; `None` where the contract has no price.
    #[must_use]
    pub fn mark_price(&self, symbol: &Symbol) -> Option<Price> {
        let listed = self.world.listing.get(symbol)?;
        let state = &self.state.prices;
        let digits = mark_digits(listed.rules.tick);
        match &self.world.prices {
            Prices::Synthetic { .. } if listed.rules.onboard > self.state.at => None,
            Prices::Synthetic { .. } => state.paths.get(symbol).map(|path| path.rounded(digits)),
            Prices::Replay(recorded) => {
                let bar = recorded.bar_at(symbol, state.bar_at, self.terms.interval)?;
                Some((bar.close * state.jumped(symbol)).rounded(digits))
            }
            Prices::Fed => state.fed.get(symbol).map(|market| market.mark.price),
        }
    }

    /// The price of the last trade; `None` where the contract has no price.
    #[must_use]
    pub fn last_price(&self, symbol: &Symbol) -> Option<Price> {
        let listed = self.world.listing.get(symbol)?;
        let state = &self.state.prices;
        match &self.world.prices {
            Prices::Synthetic { seed } => {
                self.mark_price(symbol)?;
                let step = self.step_of(*seed, symbol, listed, state.bar);
                state.paths.get(symbol).map(|path| nearest_tick(*path * step.basis(), listed.rules.tick))
            }
            Prices::Replay(_) => Some(nearest_tick(self.mark_price(symbol)?, listed.rules.tick)),
            Prices::Fed => state.fed.get(symbol)?.quote.mid().map(|mid| nearest_tick(mid, listed.rules.tick)),
        }
    }

    pub(crate) fn step_of<'a>(
        &self,
        seed: u64,
        symbol: &'a Symbol,
        listed: &'a Listed,
        bar: i64,
    ) -> Step<'a> {
        Step { seed, symbol, shape: &listed.shape, interval: self.terms.interval, bar }
    }

    /// The order book; `None` where there is no price or the contract is closed.
    #[must_use]
    pub fn book(&self, symbol: &Symbol) -> Option<Book> {
        let listed = self.world.listing.get(symbol)?;
        if !Listed::is_live_status(&self.status(symbol)) {
            return None;
        }
        let state = &self.state.prices;
        let rules = &listed.rules;
        let book = match &self.world.prices {
            Prices::Fed => Book::from_top(&state.fed.get(symbol)?.quote, listed.shape.daily_volume, rules),
            Prices::Synthetic { .. } | Prices::Replay(_) => {
                let last = self.last_price(symbol)?;
                Book::around(last, listed.shape.spread_bps, self.volume_per_day(symbol)?, rules)
            }
        };
        book.top().is_some().then_some(book)
    }

    /// Quote units traded per day at the pace of now; `None` where the contract has no price.
    pub(crate) fn volume_per_day(&self, symbol: &Symbol) -> Option<Notional> {
        let usual = self.world.listing.get(symbol)?.shape.daily_volume;
        let Prices::Replay(recorded) = &self.world.prices else { return Some(usual) };
        let bar = recorded.bar_at(symbol, self.state.prices.bar_at, self.terms.interval)?;
        let bars_per_day = 86_400_000 / self.terms.interval.as_millis().clamp(1, 86_400_000);
        let per_day = Rate::from(u32::try_from(bars_per_day).unwrap_or(1));
        let traded = bar.volume * bar.close * per_day;
        Some(if traded.is_positive() { traded } else { usual })
    }

    /// Best bid and ask; `None` where there is no book.
    #[must_use]
    pub fn quote(&self, symbol: &Symbol) -> Option<Quote> {
        self.book(symbol)?.top()
    }

    /// Mark price and coming funding; `None` where the contract has no price.
    #[must_use]
    pub fn mark(&self, symbol: &Symbol) -> Option<Mark> {
        let listed = self.world.listing.get(symbol)?;
        let price = self.mark_price(symbol)?;
        if let Prices::Fed = self.world.prices {
            return self.state.prices.fed.get(symbol).map(|market| market.mark);
        }
        let next = self.next_funding(symbol, listed);
        Some(Mark {
            price,
            funding_rate: next.map_or(Rate::ZERO, |(_, rate)| rate),
            next_funding: next.map(|(at, _)| at),
            at: self.state.at,
        })
    }

    /// Every contract that has both a mark and a book.
    #[must_use]
    pub fn markets(&self) -> BTreeMap<Symbol, Market> {
        let known = self.world.listing.keys();
        known
            .filter_map(|symbol| {
                let market = Market { mark: self.mark(symbol)?, quote: self.quote(symbol)? };
                Some((symbol.clone(), market))
            })
            .collect()
    }

    /// Hours between the settlement that comes next and the one before it: recorded contracts change
    /// their interval now and then.
    #[must_use]
    pub fn funding_hours(&self, symbol: &Symbol) -> Option<u32> {
        let listed = self.world.listing.get(symbol).filter(|listed| listed.has_funding())?;
        let usual = listed.funding_hours.max(1);
        let Prices::Replay(recorded) = &self.world.prices else { return Some(usual) };
        let prints = recorded.funding.get(symbol).map_or(&[][..], Vec::as_slice);
        let next = prints.partition_point(|(time, _)| settles(*time) <= self.state.at);
        let next = next.min(prints.len().saturating_sub(1));
        let gap = |last: usize| {
            let (before, at) = (prints.get(last.checked_sub(1)?)?.0, prints.get(last)?.0);
            u32::try_from((at.since(before).as_secs() + 1800) / 3600)
                .ok()
                .filter(|hours| (1..=8).contains(hours))
        };
        Some(gap(next).unwrap_or(usual))
    }

    /// When the contract settles next and at what rate; the very figures that are then charged.
    fn next_funding(&self, symbol: &Symbol, listed: &Listed) -> Option<(Time, Rate)> {
        if !listed.has_funding() {
            return None;
        }
        let hours = listed.funding_hours.max(1);
        let span = Duration::from_secs(u64::from(hours) * 3600);
        let at = self.state.at.floor_to(span) + span;
        match &self.world.prices {
            Prices::Synthetic { seed } => {
                Some((at, synthetic::funding_rate(*seed, symbol, &listed.shape, hours, at)))
            }
            Prices::Replay(recorded) => {
                let prints = recorded.funding.get(symbol)?;
                let done = prints.partition_point(|(time, _)| settles(*time) <= self.state.at);
                prints.get(done).map(|(time, rate)| (settles(*time), *rate))
            }
            Prices::Fed => None,
        }
    }

    /// Settlements of `symbol` after `from`, up to and including `to`.
    pub(crate) fn funding_due(&self, symbol: &Symbol, from: Time, to: Time) -> Vec<FundingPrint> {
        let Some(listed) = self.world.listing.get(symbol) else { return Vec::new() };
        if !listed.has_funding() {
            return Vec::new();
        }
        let print = |at, rate| FundingPrint { at, rate, mark: None };
        let hours = listed.funding_hours.max(1);
        let state = &self.state.prices;
        match &self.world.prices {
            Prices::Synthetic { seed } => whole_hours(hours, from, to)
                .map(|at| print(at, synthetic::funding_rate(*seed, symbol, &listed.shape, hours, at)))
                .collect(),
            Prices::Replay(recorded) => {
                let prints = recorded.funding.get(symbol).map_or(&[][..], Vec::as_slice);
                let first = prints.partition_point(|(time, _)| settles(*time) <= from);
                let due = prints.iter().skip(first).take_while(|(time, _)| settles(*time) <= to);
                due.map(|(time, rate)| print(settles(*time), *rate)).collect()
            }
            Prices::Fed => match state.fed_funding.get(symbol) {
                Some(prints) => {
                    let due = |at: Time| at > from && at <= to;
                    prints.iter().filter(|print| due(print.at)).copied().collect()
                }
                None => match state.fed.get(symbol) {
                    Some(market) => {
                        whole_hours(hours, from, to).map(|at| print(at, market.mark.funding_rate)).collect()
                    }
                    None => Vec::new(),
                },
            },
        }
    }

    /// Hands in the prices of this moment, replacing all earlier ones. What is missing has no price.
    ///
    /// Feed first, then [`Exchange::advance`]: settlements and triggers then see these prices.
    pub fn feed(&mut self, markets: BTreeMap<Symbol, Market>) {
        self.state.prices.fed = markets;
        self.reprice();
    }

    /// Hands in settlements of `symbol` that really happened; they replace the made-up ones for the
    /// next [`Exchange::advance`], which uses them up.
    pub fn feed_funding(&mut self, symbol: &Symbol, prints: Vec<FundingPrint>) {
        self.state.prices.fed_funding.insert(symbol.clone(), prints);
    }

    /// Multiplies mark and book of `symbol` by `factor` from now on.
    ///
    /// # Errors
    /// Refuses an unknown contract, a factor that is not positive, and prices fed from outside.
    pub fn jump_price(&mut self, symbol: &Symbol, factor: Rate) -> Result<(), Refusal> {
        if !self.world.listing.contains_key(symbol) {
            return Err(Refusal::of(-1121));
        }
        if !factor.is_positive() || factor > Rate::from(1_000_000) {
            return Err(Refusal::saying(-1102, "factor must be above zero and at most a million"));
        }
        if let Prices::Fed = self.world.prices {
            return Err(Refusal::saying(-1020, "prices come from outside; they cannot be moved here"));
        }
        let state = &mut self.state.prices;
        if let Some(path) = state.paths.get_mut(symbol) {
            let digits =
                self.world.listing.get(symbol).map_or(PATH_DIGITS, |listed| path_digits(listed.rules.tick));
            *path = (*path * factor).rounded(digits);
        }
        let jump = Jump { symbol: symbol.clone(), factor, bar: state.bar, at: self.state.at };
        state.jumps.push(jump);
        self.after_prices();
        Ok(())
    }
}

/// Recorded settlements are stamped a few milliseconds late; this is the minute they belong to.
fn settles(stamp: Time) -> Time {
    stamp.floor_to(Duration::from_secs(60))
}

/// Every whole multiple of `hours` after `from`, up to and including `to`.
fn whole_hours(hours: u32, from: Time, to: Time) -> impl Iterator<Item = Time> {
    let span = Duration::from_secs(u64::from(hours.max(1)) * 3600);
    let first = from.floor_to(span) + span;
    std::iter::successors(Some(first), move |at| Some(*at + span)).take_while(move |at| *at <= to)
}
