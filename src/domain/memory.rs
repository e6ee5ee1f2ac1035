//! What is remembered of earlier passes: the highest price of a position, the first allocation.

use crate::domain::num::{Notional, Price};

/// The highest mark price that was seen since a position was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct High {
    /// Average entry price of the position it was seen of: another one is another position.
    pub entry: Price,
    /// The highest mark price.
    pub price: Price,
}

/// What the account held when a portfolio was first bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Equity then.
    pub equity: Notional,
    /// What was free to be deployed then.
    pub available: Notional,
}
