//! One run: an account walks over the bars of a market.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::backtest::account::Holding;
use crate::backtest::market::Market;
use crate::decide::plan::Execution;
use crate::decide::risk::{Limits, Standing};
use crate::decide::{Settings, decide};
use crate::domain::account::{AccountModes, Balance, MarginSetting, Position, maintenance_margin};
use crate::domain::market::{self, Mark, Quote};
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::Side;
use crate::domain::plan::{Leg, Reason};
use crate::domain::snapshot::{Coin, Snapshot};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::strategy::{Memory, Strategy};

/// What a run is made under.
pub struct Terms<'a> {
    /// What each coin should be worth.
    pub strategy: &'a dyn Strategy,
    /// How orders are made.
    pub execution: &'a Execution,
    /// What must not be exceeded.
    pub limits: &'a Limits,
    /// Quote units at the start.
    pub equity: Notional,
    /// Fee of every execution, as a fraction of its notional.
    pub taker_fee: Rate,
    /// How far from the close an execution is, as a fraction.
    pub slippage: Rate,
    /// A decision every so many bars; 1 is every bar.
    pub every_bars: usize,
    /// The calendar trigger.
    pub calendar: Option<Duration>,
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
    /// Equity at the last close that was looked at.
    pub final_equity: Notional,
    /// The deepest loss from the peak.
    pub max_drawdown: Rate,
    /// Bars that were walked over.
    pub bars: usize,
    /// What every coin did, by column.
    pub holdings: Vec<Holding>,
    /// Every execution, in order.
    pub fills: Vec<Fill>,
    /// Decisions that were made exactly.
    pub decisions: u64,
}

/// Walks over `market` from its first bar to its last, deciding exactly at every bar.
#[must_use]
pub fn run(market: &Market, terms: &Terms<'_>) -> Outcome {
    let mut walk = Walk::new(market, terms);
    let mut settlements = market.settlements.iter().peekable();
    for bar in 0..market.opens.len() {
        while let Some(settlement) = settlements.next_if(|settlement| settlement.bar <= bar) {
            if settlement.bar == bar {
                walk.settle(settlement.coin, settlement.price, settlement.rate);
            }
        }
        walk.bars = bar + 1;
        if let Some(ending) = walk.close(bar) {
            return walk.end(ending);
        }
    }
    walk.end(Ending::PricesEnded)
}

/// A run under way.
struct Walk<'a> {
    market: &'a Market,
    terms: &'a Terms<'a>,
    wallet: Notional,
    holdings: Vec<Holding>,
    /// The last close of every coin.
    last: Vec<Option<Price>>,
    peak: Notional,
    max_drawdown: Rate,
    equity: Notional,
    calendar_at: Option<Time>,
    fills: Vec<Fill>,
    bars: usize,
    decisions: u64,
}

impl<'a> Walk<'a> {
    fn new(market: &'a Market, terms: &'a Terms<'a>) -> Walk<'a> {
        Walk {
            market,
            terms,
            wallet: terms.equity,
            holdings: vec![Holding::default(); market.coins()],
            last: vec![None; market.coins()],
            peak: terms.equity,
            max_drawdown: Rate::ZERO,
            equity: terms.equity,
            calendar_at: None,
            fills: Vec::new(),
            bars: 0,
            decisions: 0,
        }
    }

    fn settle(&mut self, coin: usize, price: Price, rate: Rate) {
        if let Some(holding) = self.holdings.get_mut(coin) {
            self.wallet += holding.settle(price, rate);
        }
    }

    /// Everything that happens at the close of a bar; how the run ended, if it did.
    fn close(&mut self, bar: usize) -> Option<Ending> {
        let closes: Vec<Option<Price>> =
            (0..self.market.coins()).map(|coin| self.market.close(bar, coin)).collect();
        for (last, close) in self.last.iter_mut().zip(&closes) {
            *last = close.or(*last);
        }
        let drawdown = self.value();
        if self.is_liquidated() {
            self.equity = Notional::ZERO;
            self.max_drawdown = Rate::ONE;
            return Some(Ending::Liquidated(bar));
        }
        if !(bar + 1).is_multiple_of(self.terms.every_bars.max(1)) {
            return None;
        }
        if drawdown >= self.terms.limits.max_drawdown {
            self.sell_all(bar);
            return Some(Ending::Stopped(bar));
        }
        self.decide(bar, &closes, drawdown);
        None
    }

    /// Equity now, and the loss from its peak.
    fn value(&mut self) -> Rate {
        let floating: Notional = self
            .holdings
            .iter()
            .zip(&self.last)
            .filter_map(|(holding, last)| Some(holding.floating((*last)?)))
            .sum();
        self.equity = self.wallet + floating;
        self.peak = self.peak.max(self.equity);
        let drawdown = self.equity.over(self.peak).map_or(Rate::ONE, |kept| Rate::ONE - kept);
        self.max_drawdown = self.max_drawdown.max(drawdown);
        drawdown
    }

    fn maintenance(&self) -> Notional {
        let needed = |(coin, holding): (usize, &Holding)| {
            let value = holding.qty * self.last.get(coin).copied().flatten()?;
            Some(maintenance_margin(&self.market.contracts.get(coin)?.brackets, value))
        };
        self.holdings.iter().enumerate().filter_map(needed).sum()
    }

    fn is_liquidated(&self) -> bool {
        let holds = self.holdings.iter().any(|holding| !holding.qty.is_zero());
        holds && self.equity <= self.maintenance()
    }

    fn sell_all(&mut self, bar: usize) {
        for coin in 0..self.holdings.len() {
            let held = self.holdings.get(coin).map_or(Qty::ZERO, |holding| holding.qty);
            if !held.is_zero() {
                self.fill(bar, coin, -held, Reason::HardStop);
            }
        }
        self.value();
    }

    fn decide(&mut self, bar: usize, closes: &[Option<Price>], drawdown: Rate) {
        let at = self.market.closes_at(bar);
        let starts = *self.calendar_at.get_or_insert(at);
        let calendar_due = self.terms.calendar.is_some_and(|every| at.since(starts) >= every);
        let snapshot = self.snapshot(at, closes);
        let memory = Memory { calendar_due, ..Memory::default() };
        let settings = Settings {
            strategy: self.terms.strategy,
            memory: &memory,
            execution: self.terms.execution,
            limits: self.terms.limits,
        };
        self.decisions += 1;
        let Ok(approved) = decide(&snapshot, &settings, &Standing { halt: None, drawdown }) else { return };
        let legs: Vec<Leg> = approved.plan().legs.clone();
        if calendar_due {
            self.calendar_at = Some(at);
        }
        for leg in legs {
            let Some(coin) = self.market.column(&leg.symbol) else { continue };
            let qty = match leg.side {
                Side::Buy => leg.qty,
                Side::Sell => -leg.qty,
            };
            self.fill(bar, coin, qty, leg.reason);
        }
    }

    fn fill(&mut self, bar: usize, coin: usize, qty: Qty, reason: Reason) {
        let Some(close) = self.last.get(coin).copied().flatten() else { return };
        let off = if qty.is_negative() { -self.terms.slippage } else { self.terms.slippage };
        let price = close * (Rate::ONE + off);
        if let Some(holding) = self.holdings.get_mut(coin) {
            self.wallet += holding.trade(qty, price, self.terms.taker_fee);
            self.fills.push(Fill { bar, coin, qty, price, reason });
        }
    }

    /// What a decision may see at the close of a bar. A coin without a bar has no price.
    fn snapshot(&self, at: Time, closes: &[Option<Price>]) -> Snapshot {
        let leverage = self.terms.execution.leverage;
        let mut initial_margin = Notional::ZERO;
        let mut coins: BTreeMap<Symbol, Coin> = BTreeMap::new();
        for ((contract, holding), (close, last)) in
            self.market.contracts.iter().zip(&self.holdings).zip(closes.iter().zip(&self.last))
        {
            let symbol = contract.rules.symbol.clone();
            let position = holding.entry().zip(*last).map(|(entry_price, mark_price)| Position {
                symbol: symbol.clone(),
                qty: holding.qty,
                entry_price,
                mark_price,
                unrealized: holding.floating(mark_price),
                liquidation_price: None,
                updated: at,
            });
            let value = last.map_or(Notional::ZERO, |last| holding.qty * last);
            initial_margin += value.over_rate(Rate::from(leverage)).unwrap_or_default();
            coins.insert(
                symbol,
                Coin {
                    rules: Some(contract.rules.clone()),
                    market: close.map(|close| quoted(close, at)),
                    position,
                    setting: Some(MarginSetting { leverage, cross: true }),
                    brackets: contract.brackets.clone(),
                    managed: true,
                    block: None,
                },
            );
        }
        let balance = Balance {
            wallet: self.wallet,
            equity: self.equity,
            available: self.equity - initial_margin,
            unrealized: self.equity - self.wallet,
            initial_margin,
            maint_margin: self.maintenance(),
        };
        let modes = AccountModes { hedge: false, multi_assets: false, can_trade: true };
        Snapshot { at, balance, modes, coins }
    }

    fn end(self, ending: Ending) -> Outcome {
        let final_equity = self.equity_at_end(ending);
        let kept = final_equity.over(self.peak).unwrap_or_default();
        Outcome {
            ending,
            final_equity,
            max_drawdown: self.max_drawdown.max(Rate::ONE - kept),
            bars: self.bars,
            holdings: self.holdings,
            fills: self.fills,
            decisions: self.decisions,
        }
    }

    /// Valued after the last fills: fees and slippage of the last bar count.
    fn equity_at_end(&self, ending: Ending) -> Notional {
        if matches!(ending, Ending::Liquidated(_)) {
            return Notional::ZERO;
        }
        let floating = |(holding, last): (&Holding, &Option<Price>)| Some(holding.floating((*last)?));
        self.wallet + self.holdings.iter().zip(&self.last).filter_map(floating).sum::<Notional>()
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
