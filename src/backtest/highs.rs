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

/// At most all: a price that jumps through the margin leaves less than nothing, which nobody pays.
fn lost(equity: Notional, peak: Notional) -> Rate {
    equity.over(peak).map_or(Rate::ONE, |kept| (Rate::ONE - kept).min(Rate::ONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 200 rises to 250, falls to 150 (40 % lost), and is re-armed there: the stop sees nothing lost.
    #[test]
    fn the_stop_measures_from_its_restart_and_the_drawdown_from_the_peak() {
        let mut highs = Highs::new(Notional::from(200));
        highs.take(Notional::from(250));
        highs.take(Notional::from(150));
        assert_eq!((highs.peak, highs.max_drawdown), (Notional::from(250), Rate::new(4, 1)));
        assert_eq!(highs.standing(Notional::from(150)), Rate::new(4, 1));
        highs.armed = Some(Notional::from(150));
        highs.take(Notional::from(160));
        let now = Notional::from(120);
        assert_eq!((highs.standing(now), highs.drawdown(now)), (Rate::new(25, 2), Rate::new(52, 2)));
        assert_eq!(highs.drawdown(-Notional::from(10)), Rate::ONE);
    }
}
