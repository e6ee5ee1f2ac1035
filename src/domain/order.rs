//! Orders: what is asked for, what the exchange says became of it, and the ids that tie the two.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::num::{Price, Qty};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// Buy or sell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Side {
    /// Adds base units.
    Buy,
    /// Takes base units away.
    Sell,
}

impl Side {
    /// The exchange's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Buy => "BUY",
            Side::Sell => "SELL",
        }
    }

    /// `qty` with the sign this side gives a position.
    #[must_use]
    pub fn signed(self, qty: Qty) -> Qty {
        match self {
            Side::Buy => qty.abs(),
            Side::Sell => -qty.abs(),
        }
    }

    /// The side that moves a position by `change`.
    #[must_use]
    pub fn of(change: Qty) -> Side {
        if change.is_negative() { Side::Sell } else { Side::Buy }
    }
}

impl FromStr for Side {
    type Err = String;
    fn from_str(text: &str) -> Result<Side, String> {
        match text {
            "BUY" => Ok(Side::Buy),
            "SELL" => Ok(Side::Sell),
            other => Err(format!("not a side: {other:?}")),
        }
    }
}

/// How long an order may rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TimeInForce {
    /// Until cancelled.
    Gtc,
    /// Fill what is there, cancel the rest.
    Ioc,
    /// All or nothing, at once.
    Fok,
    /// Only as maker.
    Gtx,
}

impl TimeInForce {
    /// The exchange's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TimeInForce::Gtc => "GTC",
            TimeInForce::Ioc => "IOC",
            TimeInForce::Fok => "FOK",
            TimeInForce::Gtx => "GTX",
        }
    }
}

/// Market, or limit with its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderKind {
    /// At whatever the book offers, within the exchange's own bound.
    Market,
    /// Not worse than `price`.
    Limit {
        /// The worst acceptable price.
        price: Price,
        /// What happens to the part that does not fill at once.
        time_in_force: TimeInForce,
    },
}

/// One order to be sent, complete but for signature and time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRequest {
    /// The contract.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Base units, positive, a multiple of the step.
    pub qty: Qty,
    /// Market or limit.
    pub kind: OrderKind,
    /// May only shrink a position.
    pub reduce_only: bool,
    /// Our id.
    pub client_id: String,
}

/// Where an order stands, in the exchange's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderStatus {
    /// Accepted, nothing filled.
    New,
    /// Some filled, the rest still open.
    PartiallyFilled,
    /// All filled.
    Filled,
    /// Cancelled by its owner.
    Canceled,
    /// Refused by the engine.
    Rejected,
    /// Ended by its own terms (an IOC remainder).
    Expired,
    /// A word this version does not know; treated as still open.
    Other(String),
}

impl OrderStatus {
    /// The exchange's word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            OrderStatus::New => "NEW",
            OrderStatus::PartiallyFilled => "PARTIALLY_FILLED",
            OrderStatus::Filled => "FILLED",
            OrderStatus::Canceled => "CANCELED",
            OrderStatus::Rejected => "REJECTED",
            OrderStatus::Expired => "EXPIRED",
            OrderStatus::Other(word) => word,
        }
    }

    /// From the exchange's word.
    #[must_use]
    pub fn read(word: &str) -> OrderStatus {
        match word {
            "NEW" => OrderStatus::New,
            "PARTIALLY_FILLED" => OrderStatus::PartiallyFilled,
            "FILLED" => OrderStatus::Filled,
            "CANCELED" => OrderStatus::Canceled,
            "REJECTED" => OrderStatus::Rejected,
            "EXPIRED" | "EXPIRED_IN_MATCH" => OrderStatus::Expired,
            other => OrderStatus::Other(other.to_owned()),
        }
    }

    /// Whether nothing can happen to the order any more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(self, OrderStatus::New | OrderStatus::PartiallyFilled | OrderStatus::Other(_))
    }
}

/// An order as the exchange reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The contract.
    pub symbol: Symbol,
    /// The exchange's number, unique per symbol.
    pub order_id: i64,
    /// The id its sender gave.
    pub client_id: String,
    /// Buy or sell.
    pub side: Side,
    /// Base units accepted; a reduce-only order may have been trimmed.
    pub qty: Qty,
    /// Base units filled so far.
    pub filled_qty: Qty,
    /// Mean fill price; `None` where the reply does not carry it.
    pub avg_price: Option<Price>,
    /// Where it stands.
    pub status: OrderStatus,
    /// May only shrink a position.
    pub reduce_only: bool,
    /// Last change.
    pub updated: Time,
}

/// An order that waits at the exchange: in the book, or for a trigger price.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resting {
    /// The contract.
    pub symbol: Symbol,
    /// The id its sender gave.
    pub client_id: String,
    /// Waits for a trigger price, in no book and under no margin yet.
    pub conditional: bool,
}

impl Resting {
    /// Whether rebal made it, on this machine or another.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.client_id.starts_with(CLIENT_ID_PREFIX)
    }
}

/// What an order of ours is for: the last letter of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Adds exposure (`o`).
    Open,
    /// Takes exposure away (`r`).
    Reduce,
    /// Belongs to a flatten (`f`).
    Flatten,
    /// Rests at the exchange until a price is reached (`s`).
    Stop,
}

/// An id of ours: `rb1` + install (6 hex) + decision (8 hex) + leg (2 hex) + purpose letter.
///
/// Known before the order leaves, found after a crash, sortable by decision, and recognisable
/// when another machine made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId {
    /// 24 random bits drawn when the ledger was made.
    pub install: u32,
    /// The ledger's decision counter.
    pub decision: u32,
    /// The leg within the decision.
    pub leg: u8,
    /// What the order is for.
    pub purpose: Purpose,
}

/// What every id of ours begins with.
pub const CLIENT_ID_PREFIX: &str = "rb1";

impl ClientId {
    /// Reads an id of ours; `None` for anybody else's.
    #[must_use]
    pub fn read(text: &str) -> Option<ClientId> {
        let rest = text.strip_prefix(CLIENT_ID_PREFIX)?;
        if rest.len() != 17 || !rest.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()) {
            return None;
        }
        let hex = |from: usize, to: usize| u32::from_str_radix(rest.get(from..to)?, 16).ok();
        Some(ClientId {
            install: hex(0, 6)?,
            decision: hex(6, 14)?,
            leg: u8::try_from(hex(14, 16)?).ok()?,
            purpose: match rest.get(16..)? {
                "o" => Purpose::Open,
                "r" => Purpose::Reduce,
                "f" => Purpose::Flatten,
                "s" => Purpose::Stop,
                _ => return None,
            },
        })
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.purpose {
            Purpose::Open => 'o',
            Purpose::Reduce => 'r',
            Purpose::Flatten => 'f',
            Purpose::Stop => 's',
        };
        let install = self.install & 0x00ff_ffff;
        write!(f, "{CLIENT_ID_PREFIX}{install:06x}{:08x}{:02x}{letter}", self.decision, self.leg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_foreign_ones_are_not_ours() {
        let id = ClientId { install: 0x7c2e9a, decision: 0x1fa3c, leg: 7, purpose: Purpose::Open };
        assert_eq!(id.to_string(), "rb17c2e9a0001fa3c07o");
        assert_eq!(ClientId::read(&id.to_string()), Some(id));
        for other in [
            "",
            "rb1",
            "web_abc",
            "autoclose-1",
            "rb17C2E9A0001fa3c07o",
            "rb17c2e9a0001fa3c07x",
            "rb1é2e9a0001fa3c07o",
        ] {
            assert_eq!(ClientId::read(other), None, "{other}");
        }
    }

    #[test]
    fn ids_sort_by_decision_then_leg() {
        let at = |decision, leg| ClientId { install: 1, decision, leg, purpose: Purpose::Reduce }.to_string();
        assert!(at(1, 255) < at(2, 0) && at(2, 1) < at(2, 2));
    }

    #[test]
    fn an_unknown_status_is_not_final() {
        assert!(!OrderStatus::read("PENDING_SOMETHING").is_final());
        assert!(OrderStatus::read("EXPIRED_IN_MATCH").is_final());
    }
}
