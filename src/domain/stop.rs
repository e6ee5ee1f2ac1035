//! Stops that rest at the exchange: what is asked for, and what the exchange says became of it.

use serde::Serialize;

use crate::domain::num::Price;
use crate::domain::order::{CLIENT_ID_PREFIX, Side};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// The exchange's word for an order that goes to the market once its trigger is reached.
pub const STOP_MARKET: &str = "STOP_MARKET";

/// A stop to be sent: once the mark price is at its trigger it closes the whole position at the market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopRequest {
    /// The contract.
    pub symbol: Symbol,
    /// The side that closes: a sale closes a long position.
    pub side: Side,
    /// The mark price that sets it off, on the contract's tick.
    pub trigger: Price,
    /// Our id.
    pub client_id: String,
}

/// Where a conditional order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopStatus {
    /// Waits for its trigger.
    Waiting,
    /// Set off: an order was born of it, or is about to be.
    Fired,
    /// Cancelled, refused when it was set off, or set off with nothing to close: no order came of it.
    Gone,
    /// A word this version does not know.
    Other(String),
}

impl StopStatus {
    /// From the exchange's word.
    #[must_use]
    pub fn read(word: &str) -> StopStatus {
        match word {
            "NEW" => StopStatus::Waiting,
            "TRIGGERING" | "TRIGGERED" | "FINISHED" => StopStatus::Fired,
            "CANCELED" | "REJECTED" | "EXPIRED" => StopStatus::Gone,
            other => StopStatus::Other(other.to_owned()),
        }
    }
}

/// A conditional order as the exchange reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditional {
    /// The contract.
    pub symbol: Symbol,
    /// The id its sender gave.
    pub client_id: String,
    /// Buy or sell.
    pub side: Side,
    /// The exchange's word for what it becomes, such as [`STOP_MARKET`].
    pub kind: String,
    /// The price that sets it off; zero where it trails.
    pub trigger: Price,
    /// Closes whatever the position is then.
    pub closes: bool,
    /// Watches the mark price instead of the last trade.
    pub on_mark: bool,
    /// Where it stands.
    pub status: StopStatus,
    /// The order that was born of it.
    pub order_id: Option<i64>,
    /// When it was accepted.
    pub created: Time,
}

impl Conditional {
    /// Whether rebal made it, on this machine or another.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.client_id.starts_with(CLIENT_ID_PREFIX)
    }

    /// Whether it does what a stop on `side` at `trigger` would do.
    #[must_use]
    pub fn does(&self, side: Side, trigger: Price) -> bool {
        self.kind == STOP_MARKET
            && self.closes
            && self.on_mark
            && (self.side, self.trigger) == (side, trigger)
    }
}

/// What is done about the stop of one coin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopAction {
    /// None rests: one is placed.
    Place,
    /// One rests at another price: the right one takes its place.
    Move,
    /// Nothing is left for it to close, or rebal closes the coin itself: it is cancelled.
    Remove,
}

impl StopAction {
    /// The word used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            StopAction::Place => "place",
            StopAction::Move => "move",
            StopAction::Remove => "remove",
        }
    }
}

/// One change to the stops that rest at the exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StopChange {
    /// The contract.
    pub symbol: Symbol,
    /// What is done.
    pub action: StopAction,
    /// Where the stop is to lie; absent where it is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Price>,
    /// Where one lies now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<Price>,
    /// Why, in words.
    pub detail: String,
}
