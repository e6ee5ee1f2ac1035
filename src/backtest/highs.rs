//! The peak of equity and the deepest loss from it, exact.

use crate::domain::num::{Notional, Rate};

/// The peak, and what was lost from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Highs {
    pub(super) peak: Notional,
    pub(super) max_drawdown: Rate,
    /// The peak that the hard stop measures from, where it was re-armed: measured from the old one it would
    /// fire again at once.
    pub(super) armed: Option<Notional>,
}

impl Highs {
    pub(super) fn new(equity: Notional) -> Highs {
        Highs { peak: equity, max_drawdown: Rate::ZERO, armed: None }
    }

    /// Takes note of equity.
    pub(super) fn take(&mut self, equity: Notional) {
        self.peak = self.peak.max(equity);
        self.armed = self.armed.map(|armed| armed.max(equity));
        self.max_drawdown = self.max_drawdown.max(self.drawdown(equity));
    }

    /// The loss of `equity` from the peak.
    pub(super) fn drawdown(&self, equity: Notional) -> Rate {
        lost(equity, self.peak)
    }

    /// The loss that the hard stop looks at.
    pub(super) fn standing(&self, equity: Notional) -> Rate {
        lost(equity, self.armed.unwrap_or(self.peak))
    }
}

fn lost(equity: Notional, peak: Notional) -> Rate {
    equity.over(peak).map_or(Rate::ONE, |kept| Rate::ONE - kept)
}
