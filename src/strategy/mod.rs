//! What each coin should be worth, and whether it is time to act on it. Pure.

pub mod basket;

use crate::domain::num::{Notional, Rate};
use crate::domain::plan::Reason;
use crate::domain::snapshot::Snapshot;
use crate::domain::symbol::Symbol;

/// What a strategy wants for one coin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The contract.
    pub symbol: Symbol,
    /// What it should be worth.
    pub target: Notional,
    /// Relative distance from the target at which it is traded.
    pub threshold: Rate,
    /// How far from the target a trade ends: 0 is at the target, `threshold` at the band's edge.
    pub ends_at: Rate,
    /// What to do now.
    pub action: Action,
}

/// What to do with one coin now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Inside its band.
    Hold,
    /// Trade until it is worth `to`.
    Trade {
        /// Value to end at.
        to: Notional,
        /// Why.
        reason: Reason,
    },
    /// Sell all of it.
    Close {
        /// Why.
        reason: Reason,
    },
    /// Its value is not known.
    Unknown,
}

/// What a strategy may remember.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The calendar trigger (`every`) is due.
    pub calendar_due: bool,
}

/// A way to decide what each coin should be worth.
pub trait Strategy {
    /// The coins it wants to hold, in its own order.
    fn symbols(&self) -> &[Symbol];

    /// One wish per coin that it holds or wants to hold.
    fn wishes(&self, snapshot: &Snapshot, memory: Memory) -> Vec<Wish>;
}
