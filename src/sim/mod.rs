//! The exchange as a pure state machine: paper trading asks it in process, `rebal sim` over HTTP.
//!
//! [`World`] is what never changes (contracts, where prices come from), [`Terms`] is what the account
//! is charged, [`State`] is everything that changes and can be stored as JSON between passes. Time
//! moves only by [`Exchange::advance`]; nothing here reads a clock, a file or a socket.

pub mod account;
pub mod algo;
pub mod book;
mod contracts;
pub mod fault;
mod fills;
pub mod history;
mod judged;
pub mod listing;
pub mod matching;
pub mod prices;
pub mod query;
pub mod refusal;
mod resting;
mod rules;
mod settings;
mod settle;
pub mod spot;
mod synthetic;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::account::{AccountModes, Bracket, Indicator, MarginSetting};
use crate::domain::entry::Entry;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::rules::{Rules, Status};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::account::Holding;
use crate::sim::algo::AlgoOrder;
use crate::sim::matching::{Placed, Trade};
use crate::sim::prices::{PriceState, Prices, PricesEnd};

/// How one contract moves and trades, where that has to be made up.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// The first price of a synthetic path.
    pub price: Price,
    /// Standard deviation of a year's return, as a fraction.
    pub annual_vol: Rate,
    /// Width of the book in basis points.
    pub spread_bps: Rate,
    /// Quote units traded per day; the depth of the book follows from it.
    pub daily_volume: Notional,
    /// Mean funding rate per eight hours.
    pub funding_8h: Rate,
    /// Contracts of one sector move together.
    pub sector: String,
}

/// One contract of the exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its trading rules.
    pub rules: Rules,
    /// Its tiers of maintenance margin, ascending, never empty.
    pub brackets: Vec<Bracket>,
    /// Hours between funding settlements: 1, 4 or 8.
    pub funding_hours: u32,
    /// Digits after the point that a price may have; may exceed what the tick allows.
    pub price_precision: u32,
    /// Digits after the point that a quantity may have.
    pub qty_precision: u32,
    /// What has to be made up.
    pub shape: Shape,
}

impl Listed {
    /// A contract with the precision its grid implies; empty `brackets` become the usual ones.
    #[must_use]
    pub fn new(rules: Rules, brackets: Vec<Bracket>, funding_hours: u32, shape: Shape) -> Listed {
        let brackets = if brackets.is_empty() { listing::usual_brackets() } else { brackets };
        Listed {
            price_precision: rules.tick.decimals(),
            qty_precision: rules.lot.step.decimals().max(rules.lot.min.decimals()),
            rules,
            brackets,
            funding_hours,
            shape,
        }
    }

    /// The most leverage its first tier allows.
    #[must_use]
    pub fn max_leverage(&self) -> u32 {
        self.brackets.first().map_or(1, |bracket| bracket.max_leverage)
    }
}

/// What never changes: the contracts and where their prices come from.
#[derive(Clone, Debug)]
pub struct World {
    /// Every contract by name.
    pub listing: BTreeMap<Symbol, Listed>,
    /// The source of prices.
    pub prices: Prices,
}

impl World {
    /// A world of `listing`.
    #[must_use]
    pub fn new(listing: Vec<Listed>, prices: Prices) -> World {
        let by_symbol = listing.into_iter().map(|listed| (listed.rules.symbol.clone(), listed));
        World { listing: by_symbol.collect(), prices }
    }
}

/// What the account starts with and is charged.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// When a synthetic or fed market starts; recorded prices start with their first complete bar.
    pub start: Time,
    /// USDT in the wallet at the start.
    pub equity: Notional,
    /// Fee of a fill that took liquidity, as a fraction of notional.
    pub taker_fee: Rate,
    /// Fee of a fill that gave liquidity.
    pub maker_fee: Rate,
    /// How much worse than the shown book a taker fills, in basis points.
    pub slippage_bps: Rate,
    /// The length of a price bar.
    pub interval: Duration,
    /// BNB in the wallet at the start; fees are paid from it where `fee_burn` is on.
    pub bnb: Qty,
    /// Pays fees in BNB at ten percent off while there is any.
    pub fee_burn: bool,
    /// Starts in hedge mode.
    pub hedge: bool,
    /// Starts in multi-assets mode.
    pub multi_assets: bool,
}

impl Default for Terms {
    /// 200 USDT, the public fees of the lowest tier, five-minute bars from 2026-01-01.
    fn default() -> Terms {
        Terms {
            start: Time::clamped(1_767_225_600_000),
            equity: Notional::from(200),
            taker_fee: Rate::new(5, 4),
            maker_fee: Rate::new(2, 4),
            slippage_bps: Rate::ZERO,
            interval: Duration::from_secs(300),
            bnb: Qty::ZERO,
            fee_burn: false,
            hedge: false,
            multi_assets: false,
        }
    }
}

/// Numbers given out so far. Order and trade numbers count per contract, as on the real exchange:
/// two contracts do share them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counters {
    pub(crate) accepted: u64,
    pub(crate) tran: i64,
    pub(crate) algo: i64,
    pub(crate) per_symbol: BTreeMap<Symbol, (i64, i64)>,
}

/// Everything that changes. Stored as JSON between paper passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub(crate) at: Time,
    pub(crate) wallet: Notional,
    pub(crate) wallet_updated: Time,
    pub(crate) bnb: Qty,
    pub(crate) fee_burn: bool,
    pub(crate) modes: AccountModes,
    pub(crate) holdings: BTreeMap<Symbol, Holding>,
    pub(crate) settings: BTreeMap<Symbol, MarginSetting>,
    pub(crate) statuses: BTreeMap<Symbol, Status>,
    pub(crate) delivered: Vec<Symbol>,
    pub(crate) open: Vec<Placed>,
    pub(crate) done: Vec<Placed>,
    pub(crate) trades: Vec<Trade>,
    pub(crate) income: Vec<Entry>,
    pub(crate) algos: Vec<AlgoOrder>,
    pub(crate) countdowns: BTreeMap<Symbol, Time>,
    /// Absent in accounts that were stored before there were any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) indicators: Vec<Indicator>,
    pub(crate) prices: PriceState,
    pub(crate) counters: Counters,
}

/// The simulated exchange with one account.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub(crate) world: World,
    pub(crate) terms: Terms,
    pub(crate) state: State,
}

impl Exchange {
    /// An exchange at its start with a fresh account.
    #[must_use]
    pub fn new(world: World, terms: Terms) -> Exchange {
        let at = match &world.prices {
            Prices::Replay(recorded) => recorded.first_close(terms.interval).unwrap_or(terms.start),
            Prices::Synthetic { .. } | Prices::Fed => terms.start,
        };
        // Synthetic bars end at whole multiples of their length, whenever the market starts.
        let bar_at = match world.prices {
            Prices::Synthetic { .. } => at.floor_to(terms.interval),
            Prices::Replay(_) | Prices::Fed => at,
        };
        let state = State {
            at,
            wallet: terms.equity,
            wallet_updated: at,
            bnb: terms.bnb,
            fee_burn: terms.fee_burn,
            modes: AccountModes { hedge: terms.hedge, multi_assets: terms.multi_assets, can_trade: true },
            holdings: BTreeMap::new(),
            settings: BTreeMap::new(),
            statuses: BTreeMap::new(),
            delivered: Vec::new(),
            open: Vec::new(),
            done: Vec::new(),
            trades: Vec::new(),
            income: Vec::new(),
            algos: Vec::new(),
            countdowns: BTreeMap::new(),
            indicators: Vec::new(),
            prices: PriceState { bar_at, ..PriceState::default() },
            counters: Counters::default(),
        };
        let mut exchange = Exchange { world, terms, state };
        exchange.state.prices.begin(&exchange.world);
        exchange
    }

    /// Goes on from a stored state. Contracts that are new to it get their first price.
    #[must_use]
    pub fn resume(world: World, terms: Terms, state: State) -> Exchange {
        let mut exchange = Exchange { world, terms, state };
        exchange.state.prices.begin(&exchange.world);
        exchange.reprice();
        exchange
    }

    /// Everything that changes, to be stored.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What never changes.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What the account is charged.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Exchange time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.state.at
    }

    /// The contract's status now, which may differ from the one it was listed with.
    #[must_use]
    pub fn status(&self, symbol: &Symbol) -> Status {
        if let Some(status) = self.state.statuses.get(symbol) {
            return status.clone();
        }
        match self.world.listing.get(symbol) {
            // A listing to come opens by itself.
            Some(listed)
                if listed.rules.status.as_str() == "PENDING_TRADING"
                    && listed.rules.onboard <= self.state.at =>
            {
                Status::Trading
            }
            Some(listed) => listed.rules.status.clone(),
            None => Status::read("CLOSE"),
        }
    }

    /// The rules of every contract, with its status now.
    #[must_use]
    pub fn rules(&self) -> BTreeMap<Symbol, Rules> {
        let listing = self.world.listing.iter();
        listing
            .map(|(symbol, listed)| {
                (symbol.clone(), Rules { status: self.status(symbol), ..listed.rules.clone() })
            })
            .collect()
    }

    /// Puts a contract into another status, such as `SETTLING`, until it is put into the next.
    ///
    /// # Errors
    /// Refuses an unknown contract.
    pub fn set_status(&mut self, symbol: &Symbol, status: Status) -> Result<(), refusal::Refusal> {
        if !self.world.listing.contains_key(symbol) {
            return Err(refusal::Refusal::of(-1121));
        }
        self.state.statuses.insert(symbol.clone(), status);
        Ok(())
    }

    /// Moves time to `to`, bar by bar: new prices, resting and conditional orders, funding,
    /// deliveries, liquidation. Going back is no move at all.
    ///
    /// Between two bars prices stand still: what is seen is the close of the last complete bar, and
    /// liquidation looks at closes only. Resting orders also fill where a bar traded through them.
    ///
    /// # Errors
    /// Where recorded prices end before `to`; time then stands before the first bar that is missing.
    pub fn advance(&mut self, to: Time) -> Result<(), PricesEnd> {
        let hour = Duration::from_secs(3600);
        let fed = matches!(self.world.prices, Prices::Fed);
        let end = match &self.world.prices {
            Prices::Replay(recorded) => recorded.last_close(self.terms.interval),
            _ => None,
        };
        while self.state.at < to {
            let before = self.state.at;
            let next_bar = if fed { to } else { self.state.prices.bar_at + self.terms.interval };
            if let Some(end) = end
                && next_bar > end
                && to >= next_bar
            {
                return Err(PricesEnd { at: end });
            }
            let next_hour = before.floor_to(hour) + hour;
            let next = to.min(next_bar).min(next_hour);
            self.state.at = next;
            if !fed && next == next_bar {
                self.state.prices.step(&self.world, self.terms.interval);
                self.bar_prices();
            }
            self.settle_funding(before, next, to);
            self.deliver();
            self.count_down();
            self.liquidate();
        }
        if fed {
            self.state.prices.fed_funding.clear();
            self.bar_prices();
            self.liquidate();
        }
        Ok(())
    }

    /// Moves time by `bars` bars.
    ///
    /// # Errors
    /// As [`Exchange::advance`].
    pub fn advance_bars(&mut self, bars: u32) -> Result<(), PricesEnd> {
        self.advance(self.state.prices.bar_at + self.terms.interval * bars)
    }

    /// When recorded prices end; `None` where they do not.
    #[must_use]
    pub fn prices_end(&self) -> Option<Time> {
        match &self.world.prices {
            Prices::Replay(recorded) => recorded.last_close(self.terms.interval),
            Prices::Synthetic { .. } | Prices::Fed => None,
        }
    }

    /// Drops finished orders, executions and income before `cutoff`, which only queries need.
    pub fn forget_before(&mut self, cutoff: Time) {
        let state = &mut self.state;
        state.done.retain(|placed| placed.order.updated >= cutoff);
        state.trades.retain(|trade| trade.fill.at >= cutoff);
        state.income.retain(|entry| entry.at >= cutoff);
        state.algos.retain(|algo| algo.is_open() || algo.updated >= cutoff);
    }
}
