//! What the account's past looks like: orders and executions.

use std::time::Duration;

use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::matching::{Trade, Which};
use crate::sim::refusal::Refusal;
use crate::sim::spot::Spot;
use crate::sim::spot::orders::Placed;

/// An order that ended without a fill is archived this long after it was made.
const ARCHIVED: Duration = Duration::from_secs(90 * 86_400);

impl Spot {
    /// The newest order that `which` means.
    ///
    /// # Errors
    /// `-2013` where there is none, `-2026` where it ended unfilled too long ago, `-1121` for an
    /// unknown pair.
    pub fn order(&self, symbol: &Symbol, which: Which<'_>, now: Time) -> Result<&Placed, Refusal> {
        self.pair(symbol)?;
        let all = self.state.open.iter().chain(&self.state.done);
        let mine = all.filter(|placed| placed.order.symbol == *symbol && which.is(&placed.order));
        let newest = mine.max_by_key(|placed| placed.accepted).ok_or_else(|| Refusal::of(-2013))?;
        if is_archived(newest, now) {
            return Err(Refusal::saying(
                -2026,
                "Order was canceled or expired with no executed qty over 90 days ago and has been archived.",
            ));
        }
        Ok(newest)
    }

    /// Resting orders, of one pair or of all, oldest first.
    #[must_use]
    pub fn open_orders(&self, symbol: Option<&Symbol>) -> Vec<&Placed> {
        let of = |placed: &&Placed| symbol.is_none_or(|symbol| placed.order.symbol == *symbol);
        self.state.open.iter().filter(of).collect()
    }

    /// Orders of one pair made in `[from, to]` and not archived at `now`, oldest first.
    #[must_use]
    pub fn orders(&self, symbol: &Symbol, from: Time, to: Time, now: Time) -> Vec<&Placed> {
        let mut found = self.accepted_orders();
        found.retain(|placed| {
            placed.order.symbol == *symbol
                && placed.created >= from
                && placed.created <= to
                && !is_archived(placed, now)
        });
        found
    }

    /// Every order ever accepted, in the order of acceptance.
    #[must_use]
    pub fn accepted_orders(&self) -> Vec<&Placed> {
        let mut all: Vec<&Placed> = self.state.open.iter().chain(&self.state.done).collect();
        all.sort_by_key(|placed| placed.accepted);
        all
    }

    /// How many orders were ever accepted.
    #[must_use]
    pub fn accepted_count(&self) -> u64 {
        self.state.accepted
    }

    /// Executions, of one pair or of all, in the order they happened.
    #[must_use]
    pub fn trades(&self, symbol: Option<&Symbol>) -> Vec<&Trade> {
        let of = |trade: &&Trade| symbol.is_none_or(|symbol| trade.fill.symbol == *symbol);
        self.state.trades.iter().filter(of).collect()
    }

    /// Executions of one order.
    #[must_use]
    pub fn trades_of(&self, placed: &Placed) -> Vec<&Trade> {
        let mut mine = self.trades(Some(&placed.order.symbol));
        mine.retain(|trade| trade.fill.order_id == placed.order.order_id);
        mine
    }

    /// Drops finished orders and executions before `cutoff`, which only queries need.
    pub fn forget_before(&mut self, cutoff: Time) {
        self.state.done.retain(|placed| placed.order.updated >= cutoff);
        self.state.trades.retain(|trade| trade.fill.at >= cutoff);
    }
}

fn is_archived(placed: &Placed, now: Time) -> bool {
    placed.order.status.is_final()
        && placed.order.filled_qty.is_zero()
        && now.since(placed.created) > ARCHIVED
}
