//! Prices of one contract at one instant.

use serde::{Deserialize, Serialize};

use crate::domain::num::{Price, Qty, Rate};
use crate::domain::time::Time;

/// Best bid and ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Highest price somebody pays.
    pub bid: Price,
    /// Base units wanted there.
    pub bid_qty: Qty,
    /// Lowest price somebody asks.
    pub ask: Price,
    /// Base units offered there.
    pub ask_qty: Qty,
}

impl Quote {
    /// Half way between bid and ask; `None` unless both are there and not crossed.
    #[must_use]
    pub fn mid(&self) -> Option<Price> {
        let usable = self.bid.is_positive() && self.ask >= self.bid;
        usable.then(|| self.bid.mid(self.ask))
    }

    /// `(ask − bid) / mid` in basis points; `None` where there is no mid.
    #[must_use]
    pub fn spread_bps(&self) -> Option<Rate> {
        let mid = self.mid()?;
        (self.ask - self.bid).over(mid).map(Rate::bps)
    }
}

/// Mark price and funding of a perpetual contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Values positions, margin and liquidation.
    pub price: Price,
    /// The running estimate for the next settlement; longs pay when positive.
    pub funding_rate: Rate,
    /// When it settles next; `None` for contracts without funding.
    pub next_funding: Option<Time>,
    /// When the exchange made these figures.
    pub at: Time,
}

/// Everything the market says of one contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    /// Mark price and funding.
    pub mark: Mark,
    /// The top of the book.
    pub quote: Quote,
}

impl Market {
    /// `|mark − mid| / mid`; `None` where the book has no mid.
    #[must_use]
    pub fn mark_gap(&self) -> Option<Rate> {
        let mid = self.quote.mid()?;
        (self.mark.price - mid).abs().over(mid)
    }
}

/// What prices did during one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// When the interval began.
    pub open_time: Time,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Base units traded.
    pub volume: Qty,
}
