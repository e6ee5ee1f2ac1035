//! One execution, as the exchange books it.

use serde::{Deserialize, Serialize};

use crate::domain::num::{Notional, Price, Qty};
use crate::domain::order::Side;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// One trade of ours. `(symbol, trade_id)` is unique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// The contract.
    pub symbol: Symbol,
    /// The exchange's trade number, ascending per symbol.
    pub trade_id: i64,
    /// The exchange's order number, unique per symbol.
    pub order_id: i64,
    /// Buy or sell.
    pub side: Side,
    /// Base units, positive.
    pub qty: Qty,
    /// Execution price.
    pub price: Price,
    /// Positive = paid, in `fee_asset`.
    pub fee: Notional,
    /// The asset the fee was taken in.
    pub fee_asset: String,
    /// Profit realised by reducing a position, without fees.
    pub realized: Notional,
    /// What the part of a holding that was taken as the fee had cost, by our own books of a spot account;
    /// zero wherever the fee came out of the quote asset or a wallet.
    #[serde(default)]
    pub fee_cost: Notional,
    /// Execution time.
    pub at: Time,
}

impl Fill {
    /// Base units signed by side.
    #[must_use]
    pub fn signed_qty(&self) -> Qty {
        self.side.signed(self.qty)
    }

    /// The fee as a quantity of the asset it was taken in.
    #[must_use]
    pub fn fee_qty(&self) -> Qty {
        self.fee.over_price(Price::ONE).unwrap_or_default()
    }

    /// What it does to a wallet that counts in `quote` and holds coins at their cost.
    #[must_use]
    pub fn wallet_change(&self, quote: &str) -> Notional {
        let fee = if self.fee_asset == quote { self.fee } else { Notional::ZERO };
        self.realized - self.fee_cost - fee
    }

    /// `qty × price`.
    #[must_use]
    pub fn notional(&self) -> Notional {
        self.qty * self.price
    }
}
