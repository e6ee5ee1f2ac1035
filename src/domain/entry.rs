//! One row of the exchange's own income book.

use serde::{Deserialize, Serialize};

use crate::domain::num::Notional;
use crate::domain::time::Time;

/// A change of the wallet balance. Types stay the exchange's words, since new ones appear.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// When it was booked.
    pub at: Time,
    /// `FUNDING_FEE`, `COMMISSION`, `REALIZED_PNL`, `TRANSFER`, …
    pub kind: String,
    /// The contract; empty for transfers.
    pub symbol: String,
    /// Signed, in `asset`.
    pub amount: Notional,
    /// The asset that changed.
    pub asset: String,
    /// The exchange's number, unique only within one kind, and zero on real transfers.
    pub tran_id: i64,
    /// The trade it belongs to; empty unless trade related.
    pub trade_id: String,
}

/// What a change that nobody explained is booked as.
pub const UNEXPLAINED: &str = "UNEXPLAINED";
/// What a liquidation cost, or what the exchange's insurance paid of it.
pub const INSURANCE_CLEAR: &str = "INSURANCE_CLEAR";

/// What a part of a holding had cost that was taken as the fee of somebody else's trade; negative.
pub const FEE_COST: &str = "FEE_COST";

impl Entry {
    /// A deposit or withdrawal: neither profit nor loss. What nobody explained counts as one.
    #[must_use]
    pub fn is_transfer(&self) -> bool {
        matches!(self.kind.as_str(), "TRANSFER" | "INTERNAL_TRANSFER" | UNEXPLAINED)
    }

    /// Profit or fee of an execution, ours or somebody else's.
    #[must_use]
    pub fn is_of_trade(&self) -> bool {
        matches!(self.kind.as_str(), "REALIZED_PNL" | "COMMISSION" | FEE_COST)
    }

    /// Funding, the dividends of stock contracts included.
    #[must_use]
    pub fn is_funding(&self) -> bool {
        self.kind == "FUNDING_FEE" || self.is_special_funding()
    }

    /// A row of a liquidation: the exchange closed positions by force.
    #[must_use]
    pub fn is_liquidation(&self) -> bool {
        self.kind == INSURANCE_CLEAR
    }

    /// Funding that stands for a stock's dividend.
    #[must_use]
    pub fn is_special_funding(&self) -> bool {
        self.kind == "SPECIAL_FUNDING_FEE"
    }
}
