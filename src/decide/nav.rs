//! Profit and drawdown apart from deposits and withdrawals.
//!
//! Equity is divided into units, as a fund does it. A transfer creates or redeems units at the net
//! asset value before it, so it moves neither the value of a unit nor its peak.

use crate::domain::num::{Notional, Rate};

/// Equity seen through units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nav {
    /// Units outstanding.
    pub units: Rate,
    /// Quote units per unit.
    pub nav: Notional,
    /// Highest `nav` so far.
    pub peak: Notional,
}

impl Nav {
    /// The first reading: as many units as there is equity, so that one is worth 1.
    #[must_use]
    pub fn first(equity: Notional) -> Nav {
        let units = equity.over(Notional::ONE).unwrap_or_default();
        Nav { units, nav: Notional::ONE, peak: Notional::ONE }
    }

    /// The reading after `transfers` (deposits positive) came in since this one and equity is
    /// `equity` now. An account that was emptied starts anew.
    #[must_use]
    pub fn next(&self, equity: Notional, transfers: Notional) -> Nav {
        let bought = transfers.over(self.nav).unwrap_or_default();
        let units = self.units + bought;
        if !units.is_positive() || !equity.is_positive() {
            return if units.is_positive() {
                Nav { units, nav: Notional::ZERO, peak: self.peak }
            } else {
                Nav::first(equity)
            };
        }
        let nav = equity.over_rate(units).unwrap_or_default();
        Nav { units, nav, peak: self.peak.max(nav) }
    }

    /// `1 − nav / peak`.
    #[must_use]
    pub fn drawdown(&self) -> Rate {
        let kept = self.nav.over(self.peak).unwrap_or(Rate::ONE);
        Rate::ONE - kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(value: i64) -> Notional {
        Notional::new(value, 0)
    }

    #[test]
    fn profit_moves_the_unit_and_a_transfer_does_not() {
        let start = Nav::first(money(200));
        let up = start.next(money(250), Notional::ZERO);
        assert_eq!((up.nav, up.drawdown()), (Notional::new(125, 2), Rate::ZERO));
        let withdrawn = up.next(money(150), money(-100));
        assert_eq!((withdrawn.nav, withdrawn.drawdown()), (Notional::new(125, 2), Rate::ZERO));
        let lost = withdrawn.next(money(120), Notional::ZERO);
        assert_eq!(lost.drawdown(), Rate::new(2, 1));
        let deposited = lost.next(money(1120), money(1000));
        assert_eq!(deposited.drawdown().rounded(9), Rate::new(2, 1));
    }

    #[test]
    fn an_emptied_account_starts_anew() {
        let start = Nav::first(money(200)).next(money(100), Notional::ZERO);
        let emptied = start.next(Notional::ZERO, money(-100));
        assert_eq!(emptied.units, Rate::ZERO);
        let refilled = emptied.next(money(50), money(50));
        assert_eq!(refilled.drawdown(), Rate::ZERO);
    }
}
