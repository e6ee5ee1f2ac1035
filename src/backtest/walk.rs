//! A run under way, exact: what happens at the close of a bar.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::backtest::account::Books;
use crate::backtest::highs::Highs;
use crate::backtest::market::Market;
use crate::backtest::run::{Ending, Fill, Outcome, Sample, Terms};
use crate::decide::risk::{Approved, Standing};
use crate::decide::{Settings, decide};
use crate::domain::account::{AccountModes, Balance, MarginSetting, Position, maintenance_margin};
use crate::domain::market::{self, Mark, Quote};
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::plan::{Leg, Reason, SkipReason, Skipped};
use crate::domain::snapshot::{Coin, Snapshot};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::strategy::Memory;

/// The account, and what it remembers.
pub(super) struct Walk<'a> {
    pub(super) market: &'a Market,
    pub(super) terms: &'a Terms<'a>,
    pub(super) books: Books,
    pub(super) highs: Highs,
    pub(super) memory: Memory,
    /// When the calendar trigger was last due, or began.
    pub(super) calendar_at: Option<Time>,
    /// Nothing is decided before this time: the hard stop fired.
    pub(super) halted_until: Option<Time>,
    pub(super) bars: usize,
    is_spot: bool,
    /// Executions over closes.
    sells_at: Rate,
    buys_at: Rate,
    settled: usize,
    sample_every: usize,
    fills: Vec<Fill>,
    stops: Vec<usize>,
    samples: Vec<Sample>,
    limited: BTreeMap<SkipReason, u64>,
    decisions: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(market: &'a Market, terms: &'a Terms<'a>) -> Walk<'a> {
        let sample_every = match terms.keep.samples {
            0 => usize::MAX,
            most => market.bars().div_ceil(most).max(1),
        };
        Walk {
            market,
            terms,
            books: Books::new(terms.equity, market.coins(), terms.taker_fee, terms.strategy.has_entries()),
            sells_at: Rate::ONE - terms.slippage,
            buys_at: Rate::ONE + terms.slippage,
            highs: Highs::new(terms.equity),
            memory: Memory::default(),
            calendar_at: None,
            halted_until: None,
            bars: 0,
            is_spot: market.is_spot(),
            settled: 0,
            sample_every,
            fills: Vec::new(),
            stops: Vec::new(),
            samples: Vec::new(),
            limited: BTreeMap::new(),
            decisions: 0,
        }
    }

    /// Decides at every bar.
    pub(super) fn over_every_bar(&mut self) -> Ending {
        for bar in 0..self.market.bars() {
            self.settle(bar);
            self.sample(bar);
            if let Some(ending) = self.close(bar) {
                return ending;
            }
        }
        Ending::PricesEnded
    }

    /// The first bar with a settlement that was not charged yet.
    pub(super) fn next_settlement(&self) -> usize {
        self.market.settlements.get(self.settled).map_or(usize::MAX, |settlement| settlement.bar)
    }

    /// Charges the funding of a bar on what was carried into it.
    pub(super) fn settle(&mut self, bar: usize) {
        while let Some(settlement) = self.market.settlements.get(self.settled).filter(|one| one.bar <= bar) {
            self.settled += 1;
            let holding = self.books.holdings.get_mut(settlement.coin);
            if let Some(holding) = holding.filter(|holding| !holding.qty.is_zero()) {
                self.books.cash += holding.settle(settlement.price, settlement.rate);
            }
        }
    }

    /// The first bar from `bar` on that is sampled.
    pub(super) fn next_sample(&self, bar: usize) -> usize {
        bar.checked_next_multiple_of(self.sample_every).unwrap_or(usize::MAX)
    }

    /// Keeps what the account is worth at the close of a bar, where that is asked for.
    pub(super) fn sample(&mut self, bar: usize) {
        if self.next_sample(bar) != bar {
            return;
        }
        let equity = self.books.equity(self.market, bar);
        self.highs.take(equity);
        let drawdown = self.highs.drawdown(equity);
        self.samples.push(Sample { bar, equity, drawdown, exposure: equity - self.books.cash });
    }

    /// Everything that happens at the close of a bar; how the run ended, if it did.
    pub(super) fn close(&mut self, bar: usize) -> Option<Ending> {
        self.bars = bar + 1;
        let equity = self.books.equity(self.market, bar);
        self.highs.take(equity);
        if !self.books.is_flat() && !self.is_spot && equity <= self.maintenance(bar) {
            return Some(Ending::Liquidated(bar));
        }
        if self.halted_until.is_some_and(|until| self.market.closes_at(bar) < until) {
            return None;
        }
        if self.halted_until.take().is_some() {
            self.highs.armed = Some(equity);
        }
        let drawdown = self.highs.standing(equity);
        if drawdown >= self.terms.limits.max_drawdown {
            self.sell_all(bar);
            let Some(after) = self.terms.resume_after else { return Some(Ending::Stopped(bar)) };
            self.halted_until = Some(self.market.closes_at(bar) + after);
        } else if self.decides_at(bar) {
            self.decide(bar, equity, drawdown);
        }
        None
    }

    /// Whether a decision is due at the close of a bar, as the interval wants it.
    pub(super) fn decides_at(&self, bar: usize) -> bool {
        (bar + 1).is_multiple_of(self.terms.every_bars.max(1))
    }

    /// Of the eight bars from `bar` on those at whose close a decision is due, a bit each.
    pub(super) fn deciding_of_8(&self, bar: usize) -> u8 {
        match self.terms.every_bars {
            0 | 1 => u8::MAX,
            _ => (0..8).fold(0, |bits, lane| bits | u8::from(self.decides_at(bar + lane)) << lane),
        }
    }

    /// The first bar from `bar` on at which a decision is due.
    pub(super) fn next_decision(&self, bar: usize) -> usize {
        let every = self.terms.every_bars.max(1);
        bar.saturating_add(1).checked_next_multiple_of(every).map_or(usize::MAX, |after| after - 1)
    }

    /// When the calendar trigger is due next.
    pub(super) fn calendar_due_at(&self) -> Option<Time> {
        Some(self.calendar_at? + self.terms.calendar?)
    }

    fn maintenance(&self, bar: usize) -> Notional {
        let needed = |(coin, value): (usize, Notional)| {
            Some(maintenance_margin(&self.market.contracts.get(coin)?.brackets, value))
        };
        self.books.values(self.market, bar).filter_map(needed).sum()
    }

    fn sell_all(&mut self, bar: usize) {
        for coin in 0..self.market.coins() {
            let held = self.books.qty(coin);
            if !held.is_zero() {
                self.fill(bar, coin, -held, Reason::HardStop);
            }
        }
        self.stops.push(bar);
        self.highs.take(self.books.cash);
    }

    fn decide(&mut self, bar: usize, equity: Notional, drawdown: Rate) {
        let at = self.market.closes_at(bar);
        self.memory.calendar_due = self.calendar_due(at);
        self.decisions += 1;
        let Some(approved) = self.approved(bar, equity, drawdown) else { return };
        if self.memory.calendar_due {
            self.calendar_at = Some(at);
        }
        self.note_limits(&approved.plan().skipped);
        self.carry_out(bar, &approved.plan().legs);
    }

    /// The decision at the close of a bar, and nothing of it carried out.
    fn approved(&mut self, bar: usize, equity: Notional, drawdown: Rate) -> Option<Approved> {
        let snapshot = self.snapshot(bar, equity);
        let settings = Settings {
            strategy: self.terms.strategy,
            memory: &self.memory,
            execution: self.terms.execution,
            limits: self.terms.limits,
        };
        let approved = decide(&snapshot, &settings, &Standing { halt: None, drawdown }).ok()?;
        if self.terms.strategy.has_memory() {
            self.memory = self.terms.strategy.remember(&snapshot, &self.memory);
        }
        Some(approved)
    }

    /// The decision at a bar of a run that went on there: neither calendar nor stop is looked at.
    pub(super) fn look(&mut self, bar: usize) -> Option<Approved> {
        let equity = self.books.equity(self.market, bar);
        self.approved(bar, equity, Rate::ZERO)
    }

    /// Counts the limits of the account that this decision met. A screen is never sure of such a decision, so
    /// that each of them is made whole.
    fn note_limits(&mut self, skipped: &[Skipped]) {
        let met: BTreeSet<SkipReason> =
            skipped.iter().map(|one| one.reason).filter(|reason| reason.is_limit()).collect();
        for reason in met {
            *self.limited.entry(reason).or_default() += 1;
        }
    }

    /// The first decision starts the calendar; it is due once the span has passed since it last was.
    fn calendar_due(&mut self, at: Time) -> bool {
        let last = *self.calendar_at.get_or_insert(at);
        self.terms.calendar.is_some_and(|every: Duration| at.since(last) >= every)
    }

    fn carry_out(&mut self, bar: usize, legs: &[Leg]) {
        for leg in legs {
            let Some(coin) = self.market.column(&leg.symbol) else { continue };
            if !self.fill(bar, coin, leg.side.signed(leg.qty), leg.reason) {
                // As at the exchange: what the quote there does not pay for ends the purchases.
                return;
            }
        }
    }

    /// Executes at the close and the slippage; whether it could be paid for.
    pub(super) fn fill(&mut self, bar: usize, coin: usize, qty: Qty, reason: Reason) -> bool {
        let Some(close) = self.market.last_close(bar, coin) else { return true };
        let price = close * if qty.is_negative() { self.sells_at } else { self.buys_at };
        let costs = || qty * price * (Rate::ONE + self.terms.taker_fee);
        if self.is_spot && qty.is_positive() && costs() > self.books.cash {
            return false;
        }
        let Some(holding) = self.books.holdings.get_mut(coin) else { return true };
        self.books.cash += holding.trade(qty, price);
        if self.terms.keep.fills {
            self.fills.push(Fill { bar, coin, qty, price, reason });
        }
        if reason.is_stop()
            && let Some(contract) = self.market.contracts.get(coin)
        {
            self.memory.stopped.insert(contract.rules.symbol.clone(), self.market.closes_at(bar));
        }
        true
    }

    /// What a decision may see at the close of a bar. A coin without a bar has no price.
    pub(super) fn snapshot(&self, bar: usize, equity: Notional) -> Snapshot {
        let at = self.market.closes_at(bar);
        let leverage = if self.is_spot { 1 } else { self.terms.execution.leverage };
        let (mut initial_margin, mut unrealized) = (Notional::ZERO, Notional::ZERO);
        let mut coins: BTreeMap<Symbol, Coin> = BTreeMap::new();
        for (coin, (contract, holding)) in self.market.contracts.iter().zip(&self.books.holdings).enumerate()
        {
            let symbol = contract.rules.symbol.clone();
            let last = self.market.last_close(bar, coin);
            let position = last.filter(|_| !holding.qty.is_zero()).map(|mark_price| {
                let entry = holding.entry();
                Position {
                    symbol: symbol.clone(),
                    qty: holding.qty,
                    entry_price: entry.unwrap_or_default(),
                    mark_price,
                    unrealized: entry.map_or(Notional::ZERO, |entry| holding.qty * (mark_price - entry)),
                    liquidation_price: None,
                    updated: at,
                }
            });
            unrealized += position.as_ref().map_or(Notional::ZERO, |position| position.unrealized);
            let value = last.map_or(Notional::ZERO, |last| holding.qty * last);
            initial_margin += value.over_rate(Rate::from(leverage)).unwrap_or_default();
            coins.insert(
                symbol,
                Coin {
                    rules: Some(contract.rules.clone()),
                    market: self.market.close(bar, coin).map(|close| quoted(close, at)),
                    position,
                    setting: Some(MarginSetting { leverage, cross: true }),
                    brackets: contract.brackets.clone(),
                    managed: true,
                    block: None,
                },
            );
        }
        let balance = Balance {
            wallet: equity - unrealized,
            equity,
            available: equity - initial_margin,
            unrealized,
            initial_margin,
            maint_margin: self.maintenance(bar),
        };
        let modes = AccountModes { hedge: false, multi_assets: false, can_trade: true };
        Snapshot { at, balance, modes, coins }
    }

    /// Valued after the last fills: fees and slippage of the last bar count.
    pub(super) fn end(mut self, ending: Ending) -> Outcome {
        let final_equity = match (ending, self.bars.checked_sub(1)) {
            (Ending::Liquidated(_), _) => Notional::ZERO,
            (_, None) => self.books.cash,
            (_, Some(last)) => self.books.equity(self.market, last),
        };
        self.highs.take(final_equity);
        Outcome {
            ending,
            final_equity,
            max_drawdown: self.highs.max_drawdown,
            bars: self.bars,
            holdings: self.books.holdings,
            fills: self.fills,
            stops: self.stops,
            samples: self.samples,
            limited: self.limited,
            decisions: self.decisions,
        }
    }
}

/// A market whose book is the close on both sides.
fn quoted(close: Price, at: Time) -> market::Market {
    let deep = Qty::from(u32::MAX);
    market::Market {
        mark: Mark { price: close, funding_rate: Rate::ZERO, next_funding: None, at },
        quote: Quote { bid: close, bid_qty: deep, ask: close, ask_qty: deep },
    }
}
