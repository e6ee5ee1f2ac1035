//! What every report carries: when, and about which account.

use serde::{Deserialize, Serialize};

use crate::domain::time::Time;

/// When a report was made and what it is about; flattened into every object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heading {
    /// Exchange time (on paper, the paper clock).
    pub at: Time,
    /// The profile's name.
    pub profile: String,
    /// `paper`, `testnet` or `live`.
    pub mode: String,
    /// `binance-usdm` or `binance-spot`.
    pub venue: String,
}

impl Heading {
    /// An account of coins: nothing is borrowed, liquidated or charged for being held.
    #[must_use]
    pub fn is_spot(&self) -> bool {
        self.venue == "binance-spot"
    }
}
