//! How the exchange judges the account's trading, and what it locks for it.

use crate::domain::account::Indicator;
use crate::domain::symbol::Symbol;
use crate::sim::Exchange;
use crate::sim::refusal::Refusal;

/// The scope of an indicator that judges the whole account.
const ACCOUNT: &str = "ACCOUNT";

impl Exchange {
    /// Replaces every indicator. What the real exchange counts is not published, so nothing is
    /// computed: a fresh account has none.
    pub fn judge(&mut self, indicators: Vec<Indicator>) {
        self.state.indicators = indicators;
    }

    /// Every indicator, of one contract and of the account or of all; a lock ends at its planned
    /// time, of which nothing is said afterwards.
    #[must_use]
    pub fn indicators(&self, symbol: Option<&Symbol>) -> Vec<Indicator> {
        let of = |scope: &str| symbol.is_none_or(|symbol| scope == symbol.as_str() || scope == ACCOUNT);
        let wanted = self.state.indicators.iter().filter(|indicator| of(&indicator.scope));
        let now = wanted.map(|indicator| {
            let over = indicator.recovers.is_some_and(|end| end <= self.state.at);
            Indicator {
                locked: indicator.locked && !over,
                recovers: indicator.recovers.filter(|_| !over),
                ..indicator.clone()
            }
        });
        now.collect()
    }

    /// Refuses what opens where a lock is in force.
    pub(crate) fn check_lock(&self, symbol: &Symbol, reduce_only: bool) -> Result<(), Refusal> {
        let locked = !reduce_only && self.indicators(Some(symbol)).iter().any(|indicator| indicator.locked);
        if locked { Err(Refusal::of(-4400)) } else { Ok(()) }
    }
}
