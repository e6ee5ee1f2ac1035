//! The hold twin: the coins of the first purchases, never touched again.

use std::collections::BTreeMap;

use crate::backtest::account::Holding;
use crate::backtest::market::Market;
use crate::backtest::run::{Outcome, Terms};
use crate::domain::num::{Notional, Rate};

/// What the hold twin earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldTwin {
    /// Net of fees and funding; no loss is larger than the equity at the start.
    pub profit: Notional,
    /// What it lost beyond that equity, which nobody has and which is not in `profit`; zero for most.
    pub uncounted_loss: Notional,
}

impl HoldTwin {
    /// Every coin as its first execution bought it, with that fee and the funding since, valued where the run
    /// ended; a liquidation on the way is not looked for. `None` where nothing was bought.
    #[must_use]
    pub fn of(market: &Market, terms: &Terms<'_>, outcome: &Outcome) -> Option<HoldTwin> {
        let mut first: BTreeMap<usize, (usize, Holding)> = BTreeMap::new();
        for fill in outcome.fills.iter().filter(|fill| fill.qty.is_positive()) {
            first.entry(fill.coin).or_insert_with(|| {
                let mut holding = Holding::new(terms.taker_fee);
                holding.trade(fill.qty, fill.price);
                (fill.bar, holding)
            });
        }
        if first.is_empty() {
            return None;
        }
        for settlement in market.settlements.iter().filter(|settlement| settlement.bar < outcome.bars) {
            if let Some((bought, holding)) = first.get_mut(&settlement.coin)
                && settlement.bar > *bought
            {
                holding.settle(settlement.price, settlement.rate);
            }
        }
        let last = |coin: usize| (0..outcome.bars).rev().find_map(|bar| market.close(bar, coin));
        let earned: Notional = first.iter().map(|(coin, (_, holding))| holding.net_profit(last(*coin))).sum();
        let profit = earned.max(-terms.equity);
        Some(HoldTwin { profit, uncounted_loss: profit - earned })
    }

    /// The profit over the equity at the start.
    #[must_use]
    pub fn growth(&self, terms: &Terms<'_>) -> Option<Rate> {
        self.profit.over(terms.equity)
    }
}
