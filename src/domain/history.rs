//! What the ledger remembers of an account, as reports read it.

use serde::{Deserialize, Serialize};

use crate::domain::entry::Entry;
use crate::domain::fill::Fill;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// One look at the account that was believed and written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The pass that made it; ascending in time.
    pub pass_id: i64,
    /// Exchange time, as its pass knew it: some milliseconds off.
    pub at: Time,
    /// The last execution that was booked when it was written down, by `Trade::seq`.
    pub fill_seq: i64,
    /// Wallet plus floating profit, before the pass traded.
    pub equity: Notional,
    /// Quote units per unit.
    pub nav: Notional,
    /// Highest `nav` until then.
    pub peak: Notional,
}

/// A halt, in force or lifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PastHalt {
    /// What a person types to lift it.
    pub id: String,
    /// When it began.
    pub at: Time,
    /// In words.
    pub reason: String,
    /// When all that was to be closed was found closed; `None` where it never was.
    pub flat_at: Option<Time>,
    /// When a person lifted it; `None` where it is in force.
    pub resumed_at: Option<Time>,
}

/// One coin of a reading: an open position, or a coin that should be one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The contract.
    pub symbol: Symbol,
    /// Base units, signed; zero when flat.
    pub qty: Qty,
    /// Average entry price; zero when flat.
    pub entry: Price,
    /// Mark price; `None` where there was none.
    pub mark: Option<Price>,
    /// The exchange's own floating profit.
    pub unrealized: Notional,
    /// What it should be worth; `None` where no strategy wants it.
    pub target: Option<Notional>,
}

impl Sample {
    /// `qty × mark`, signed; `None` where a position has no price.
    #[must_use]
    pub fn value(&self) -> Option<Notional> {
        if self.qty.is_zero() {
            return Some(Notional::ZERO);
        }
        self.mark.map(|mark| self.qty * mark)
    }

    /// Whether it is held as the strategy means it: with a target, and not just a remainder of less than a tenth of that.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        let size = self.qty.abs() * self.mark.unwrap_or(self.entry);
        !self.qty.is_zero() && self.target.is_some_and(|target| size * Rate::from(10) >= target)
    }

    /// `value / target − 1`; `None` without a price or a target.
    #[must_use]
    pub fn drift(&self) -> Option<Rate> {
        let ratio = self.value()?.over(self.target.filter(|target| target.is_positive())?)?;
        Some(ratio - Rate::ONE)
    }
}

/// An execution and the order it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The execution.
    pub fill: Fill,
    /// Its number in the ledger, ascending as they were booked.
    pub seq: i64,
    /// The pass that decided the order.
    pub pass_id: i64,
    /// The order's id.
    pub client_id: String,
    /// Why, in the plan's word.
    pub reason: String,
    /// The order could only shrink the position.
    pub reduce_only: bool,
}

/// An income row and the reading that it explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookedEntry {
    /// The exchange's row.
    pub entry: Entry,
    /// The reading; `None` in ledgers written before rows named it.
    pub pass_id: Option<i64>,
    /// It is the fee or the profit of an execution that is booked as a fill too.
    pub of_our_fill: bool,
}

/// What one unit of an asset was worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetPrice {
    /// `BNB`.
    pub asset: String,
    /// Exchange time.
    pub at: Time,
    /// Quote units per unit.
    pub price: Price,
}

/// One pass, as the list of passes shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastPass {
    /// Its number.
    pub id: i64,
    /// Exchange time.
    pub at: Time,
    /// `traded`, `nothing_to_do`, …
    pub outcome: String,
    /// What the process ended with; `None` where it never ended.
    pub exit_code: Option<u8>,
    /// Orders that it decided.
    pub orders: u32,
}
