//! The leveraged index: every coin worth the same, strength sold and weakness bought at a band.

use crate::domain::num::{Notional, Rate};
use crate::domain::plan::Reason;
use crate::domain::snapshot::{Coin, Snapshot};
use crate::domain::symbol::Symbol;
use crate::strategy::{Action, Band, Memory, Quiet, Strategy, Whole, Wish};

/// How the target of one coin is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizing {
    /// The same amount for every coin, whatever the equity.
    Fixed(Notional),
    /// `equity × effective leverage / size`: targets follow equity.
    Equity {
        /// Gross exposure over equity.
        effective_leverage: Rate,
        /// Number of coins of the whole basket.
        size: u32,
    },
}

/// Where a trade at the band ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebalanceTo {
    /// At the target.
    Target,
    /// Half way between the target and the edge that was crossed.
    Half,
    /// At the edge that was crossed.
    Edge,
}

/// What happens to a coin that left the universe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExit {
    /// Sold.
    Close,
    /// Kept, untouched.
    Hold,
}

/// The settings of a basket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basket {
    /// Its coins.
    pub symbols: Vec<Symbol>,
    /// How targets are found.
    pub sizing: Sizing,
    /// Relative to the target, above 0 and below 1.
    pub threshold: Rate,
    /// Where a trade ends.
    pub rebalance_to: RebalanceTo,
    /// What happens to a coin that left.
    pub on_exit: OnExit,
}

impl Basket {
    /// What one coin should be worth.
    #[must_use]
    pub fn target(&self, equity: Notional) -> Notional {
        match self.sizing {
            Sizing::Fixed(value) => value,
            Sizing::Equity { effective_leverage, size } => {
                let whole = equity.max(Notional::ZERO) * effective_leverage;
                whole.over_rate(Rate::from(size)).unwrap_or_default()
            }
        }
    }

    fn ends_at(&self) -> Rate {
        match self.rebalance_to {
            RebalanceTo::Target => Rate::ZERO,
            RebalanceTo::Half => self.threshold * Rate::new(5, 1),
            RebalanceTo::Edge => self.threshold,
        }
    }

    fn action(&self, value: Option<Notional>, target: Notional, memory: &Memory) -> Action {
        let Some(value) = value else { return Action::Unknown };
        let above = target * (Rate::ONE + self.threshold);
        let below = target * (Rate::ONE - self.threshold);
        if value.is_zero() {
            // A first position is bought in full: half a band has no meaning for a coin not held.
            return Action::Trade { to: target, reason: Reason::Entry };
        }
        if value > above {
            let to = target * (Rate::ONE + self.ends_at());
            return Action::Trade { to, reason: Reason::AboveBand };
        }
        if value < below {
            let to = target * (Rate::ONE - self.ends_at());
            return Action::Trade { to, reason: Reason::BelowBand };
        }
        if memory.calendar_due && value != target {
            return Action::Trade { to: target, reason: Reason::Calendar };
        }
        Action::Hold
    }

    fn leaver(&self, symbol: &Symbol, coin: &Coin) -> Option<Wish> {
        let ours = coin.managed && coin.is_held() && !self.symbols.contains(symbol);
        let action = match self.on_exit {
            OnExit::Close => Action::Close { reason: Reason::LeftUniverse },
            OnExit::Hold => Action::Hold,
        };
        ours.then(|| Wish {
            symbol: symbol.clone(),
            target: Notional::ZERO,
            threshold: self.threshold,
            ends_at: Rate::ZERO,
            stop: None,
            whole: None,
            action,
        })
    }
}

impl Strategy for Basket {
    fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    fn wishes(&self, snapshot: &Snapshot, memory: &Memory) -> Vec<Wish> {
        let target = self.target(snapshot.equity_of(&self.symbols));
        let member = |symbol: &Symbol| Wish {
            symbol: symbol.clone(),
            target,
            threshold: self.threshold,
            ends_at: self.ends_at(),
            stop: None,
            whole: None,
            action: self.action(snapshot.coins.get(symbol).and_then(Coin::value), target, memory),
        };
        let leavers = snapshot.coins.iter().filter_map(|(symbol, coin)| self.leaver(symbol, coin));
        self.symbols.iter().map(member).chain(leavers).collect()
    }

    fn quiet(&self, snapshot: &Snapshot, _memory: &Memory) -> Quiet {
        if snapshot.coins.iter().any(|(symbol, coin)| self.leaver(symbol, coin).is_some()) {
            return Quiet::Never;
        }
        let whole = match self.sizing {
            Sizing::Fixed(value) => Whole::Fixed(value),
            Sizing::Equity { effective_leverage, size } => Whole::Equity {
                less: Notional::ZERO,
                times: effective_leverage.over(Rate::from(size)).unwrap_or_default(),
            },
        };
        let band = |symbol: &Symbol| Band {
            symbol: symbol.clone(),
            share: Rate::ONE,
            above: Rate::ONE + self.threshold,
            sold_to: Rate::ONE + self.ends_at(),
            below: Rate::ONE - self.threshold,
            bought_to: Rate::ONE - self.ends_at(),
        };
        Quiet::InBands { whole, bands: self.symbols.iter().map(band).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basket(rebalance_to: RebalanceTo) -> Basket {
        Basket {
            symbols: vec!["AUSDT".parse().unwrap()],
            sizing: Sizing::Fixed(Notional::from(20)),
            threshold: Rate::new(5, 2),
            rebalance_to,
            on_exit: OnExit::Close,
        }
    }

    fn at(text: &str) -> Notional {
        text.parse().unwrap()
    }

    fn ends(rebalance_to: RebalanceTo, value: &str, due: bool) -> Option<(String, Reason)> {
        let memory = Memory { calendar_due: due, ..Memory::default() };
        match basket(rebalance_to).action(Some(at(value)), Notional::from(20), &memory) {
            Action::Trade { to, reason } => Some((to.to_string(), reason)),
            _ => None,
        }
    }

    #[test]
    fn the_band_is_open_at_its_edges_and_trades_end_where_told() {
        use RebalanceTo::{Edge, Half, Target};
        for (to, value, due, expected) in [
            (Target, "21", false, None),
            (Target, "21.01", false, Some(("20", Reason::AboveBand))),
            (Half, "21.01", false, Some(("20.5", Reason::AboveBand))),
            (Edge, "21.01", false, Some(("21", Reason::AboveBand))),
            (Target, "19", false, None),
            (Target, "18.99", false, Some(("20", Reason::BelowBand))),
            (Half, "18.99", false, Some(("19.5", Reason::BelowBand))),
            (Edge, "18.99", false, Some(("19", Reason::BelowBand))),
            (Edge, "0", false, Some(("20", Reason::Entry))),
            (Half, "20.4", true, Some(("20", Reason::Calendar))),
            (Half, "20", true, None),
        ] {
            let expected = expected.map(|(to, reason)| (to.to_owned(), reason));
            assert_eq!(ends(to, value, due), expected, "{to:?} {value}");
        }
    }

    #[test]
    fn a_coin_without_a_price_is_not_taken_for_a_coin_worth_nothing() {
        assert_eq!(
            basket(RebalanceTo::Target).action(None, Notional::from(20), &Memory::default()),
            Action::Unknown
        );
    }

    #[test]
    fn targets_follow_equity_when_told_to() {
        let mut basket = basket(RebalanceTo::Target);
        basket.sizing = Sizing::Equity { effective_leverage: Rate::from(2), size: 20 };
        assert_eq!(basket.target(Notional::from(200)), Notional::from(20));
        assert_eq!(basket.target(Notional::from(150)), Notional::from(15));
        assert_eq!(basket.target(-Notional::from(150)), Notional::ZERO);
    }
}
