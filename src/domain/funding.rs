//! Funding as the exchange settled it.

use crate::domain::num::{Price, Rate};
use crate::domain::time::Time;

/// One settlement of one contract. Who holds nothing then neither pays nor receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// When; a few milliseconds past the hour.
    pub at: Time,
    /// Longs pay when positive; per interval, not per year.
    pub rate: Rate,
    /// The mark price that it was settled at; `None` where the exchange does not tell any more.
    pub mark: Option<Price>,
    /// A stock dividend, additional to the regular settlement of the same time.
    pub special: bool,
}
