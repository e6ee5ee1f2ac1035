//! Spot as a pure state machine beside the futures: balances instead of positions, the same markets.
//!
//! [`Spot`] has neither a clock nor prices of its own: whatever needs them is handed the [`Exchange`]
//! whose markets its pairs share. What an order may still spend is locked before anything fills, and
//! fees come out of what is free, so that no balance can go below zero.

mod fills;
mod filters;
pub mod listing;
mod market;
pub mod orders;
mod query;
mod resting;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::rules::{Rules, Status};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::Exchange;
use crate::sim::matching::Trade;
use crate::sim::refusal::Refusal;
use crate::sim::spot::listing::Pair;
use crate::sim::spot::orders::Placed;

/// The asset that the account starts with and is valued in.
pub const QUOTE: &str = "USDT";
/// The asset that fees may be paid in instead.
pub const BNB: &str = "BNB";
/// Digits after the point of every asset.
pub const ASSET_DIGITS: u32 = 8;

/// What the account starts with and is charged.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// USDT at the start.
    pub equity: Notional,
    /// BNB at the start.
    pub bnb: Qty,
    /// Fee of a fill that took liquidity, as a fraction of what is received.
    pub taker_fee: Rate,
    /// Fee of a fill that gave liquidity.
    pub maker_fee: Rate,
    /// Starts with fees in BNB, where there is enough of it.
    pub burn: bool,
    /// By which share a fee in BNB is lower.
    pub bnb_discount: Rate,
    /// How much worse than the shown book a taker fills, in basis points.
    pub slippage_bps: Rate,
}

impl Default for Terms {
    /// 200 USDT, a tenth of a percent, a quarter off in BNB, which is not used.
    fn default() -> Terms {
        Terms {
            equity: Notional::from(200),
            bnb: Qty::ZERO,
            taker_fee: Rate::new(1, 3),
            maker_fee: Rate::new(1, 3),
            burn: false,
            bnb_discount: Rate::new(25, 2),
            slippage_bps: Rate::ZERO,
        }
    }
}

/// What the account has of one asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// May be spent.
    pub free: Qty,
    /// Set aside for open orders.
    pub locked: Qty,
}

impl Balance {
    /// Free and locked.
    #[must_use]
    pub fn total(&self) -> Qty {
        self.free + self.locked
    }
}

/// Everything that changes. Stored as JSON between paper passes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// How far prices have been followed.
    pub(crate) at: Time,
    pub(crate) updated: Time,
    pub(crate) balances: BTreeMap<String, Balance>,
    pub(crate) burn: bool,
    pub(crate) statuses: BTreeMap<Symbol, Status>,
    pub(crate) open: Vec<Placed>,
    pub(crate) done: Vec<Placed>,
    pub(crate) trades: Vec<Trade>,
    pub(crate) accepted: u64,
    /// The last order and trade number of each pair.
    pub(crate) numbers: BTreeMap<Symbol, (i64, i64)>,
}

/// The spot side of the simulated exchange, with one account.
#[derive(Clone, Debug)]
pub struct Spot {
    pub(crate) pairs: BTreeMap<Symbol, Pair>,
    pub(crate) terms: Terms,
    pub(crate) state: State,
}

impl Spot {
    /// A fresh account that trades `pairs` from `at` on.
    #[must_use]
    pub fn new(pairs: Vec<Pair>, terms: Terms, at: Time) -> Spot {
        let funded = |free: Qty| Balance { free, locked: Qty::ZERO };
        let start = [(QUOTE, units(terms.equity)), (BNB, terms.bnb)];
        let balances = start.into_iter().filter(|(_, free)| !free.is_zero());
        let balances = balances.map(|(asset, free)| (asset.to_owned(), funded(free))).collect();
        let state = State { at, updated: at, balances, burn: terms.burn, ..State::default() };
        Spot::resume(pairs, terms, state)
    }

    /// Goes on from a stored state.
    #[must_use]
    pub fn resume(pairs: Vec<Pair>, terms: Terms, state: State) -> Spot {
        let pairs = pairs.into_iter().map(|pair| (pair.rules.symbol.clone(), pair)).collect();
        Spot { pairs, terms, state }
    }

    /// The spot side of `market`: a pair for every coin that has one, and as much USDT as the futures
    /// account began with.
    #[must_use]
    pub fn beside(market: &Exchange) -> Spot {
        let terms = Terms { equity: market.terms().equity, ..Terms::default() };
        Spot::new(listing::pairs(market.world()), terms, market.now())
    }

    /// Everything that changes, to be stored.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What the account is charged.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Every pair by name.
    #[must_use]
    pub fn pairs(&self) -> &BTreeMap<Symbol, Pair> {
        &self.pairs
    }

    /// The pair of this name.
    ///
    /// # Errors
    /// `-1121` where there is none.
    pub fn pair(&self, symbol: &Symbol) -> Result<&Pair, Refusal> {
        self.pairs.get(symbol).ok_or_else(|| Refusal::of(-1121))
    }

    /// The pair's status now, which may differ from the one it was listed with.
    #[must_use]
    pub fn status(&self, symbol: &Symbol) -> Status {
        let listed = self.pairs.get(symbol).map(|pair| &pair.rules.status);
        let now = self.state.statuses.get(symbol).or(listed);
        now.cloned().unwrap_or_else(|| Status::read("BREAK"))
    }

    /// Puts a pair into another status, such as `HALT`, until it is put into the next. Open orders
    /// stay.
    ///
    /// # Errors
    /// `-1121` for an unknown pair.
    pub fn set_status(&mut self, symbol: &Symbol, status: Status) -> Result<(), Refusal> {
        self.pair(symbol)?;
        self.state.statuses.insert(symbol.clone(), status);
        Ok(())
    }

    /// The rules of every pair, with its status now.
    #[must_use]
    pub fn rules(&self) -> BTreeMap<Symbol, Rules> {
        let pairs = self.pairs.iter();
        pairs
            .map(|(symbol, pair)| {
                (symbol.clone(), Rules { status: self.status(symbol), ..pair.rules.clone() })
            })
            .collect()
    }

    /// Whether fees are paid in BNB where there is enough of it.
    #[must_use]
    pub fn burn(&self) -> bool {
        self.state.burn
    }

    /// Turns fees in BNB on or off.
    pub fn set_burn(&mut self, on: bool) {
        self.state.burn = on;
    }

    /// Every asset that a pair can be traded in.
    #[must_use]
    pub fn assets(&self) -> BTreeSet<&str> {
        self.pairs.values().flat_map(|pair| [pair.rules.base.as_str(), pair.rules.quote.as_str()]).collect()
    }

    /// What the account has of `asset`.
    #[must_use]
    pub fn balance(&self, asset: &str) -> Balance {
        self.state.balances.get(asset).copied().unwrap_or_default()
    }

    /// What the account has, of every asset it ever had.
    #[must_use]
    pub fn balances(&self) -> &BTreeMap<String, Balance> {
        &self.state.balances
    }

    /// When a balance last changed.
    #[must_use]
    pub fn updated(&self) -> Time {
        self.state.updated
    }

    /// Deposits, or with a negative amount withdraws.
    ///
    /// # Errors
    /// Refuses an asset that no pair trades, and taking more than is free.
    pub fn transfer(&mut self, market: &Exchange, asset: &str, amount: Qty) -> Result<(), Refusal> {
        if !self.assets().contains(asset) && ![QUOTE, BNB].contains(&asset) {
            return Err(Refusal::saying(-1102, format!("no pair trades {asset}")));
        }
        if amount.decimals() > ASSET_DIGITS {
            return Err(Refusal::of(-1111));
        }
        if (self.balance(asset).free + amount).is_negative() {
            return Err(short());
        }
        self.give(asset, amount);
        self.state.updated = market.now();
        Ok(())
    }

    /// Adds to (or, negative, takes from) what is free.
    pub(crate) fn give(&mut self, asset: &str, amount: Qty) {
        self.state.balances.entry(asset.to_owned()).or_default().free += amount;
    }

    /// Sets aside what an order may spend; a negative amount is given back.
    pub(crate) fn lock(&mut self, asset: &str, amount: Qty) {
        let balance = self.state.balances.entry(asset.to_owned()).or_default();
        balance.free -= amount;
        balance.locked += amount;
    }

    /// Takes what was set aside out of the account.
    pub(crate) fn spend(&mut self, asset: &str, amount: Qty) {
        self.state.balances.entry(asset.to_owned()).or_default().locked -= amount;
    }
}

/// An amount of quote as units of its asset.
#[must_use]
pub fn units(amount: Notional) -> Qty {
    amount.over_price(Price::ONE).unwrap_or(Qty::ZERO)
}

/// There is not enough of an asset.
pub(crate) fn short() -> Refusal {
    Refusal::saying(-2010, "Account has insufficient balance for requested action.")
}
