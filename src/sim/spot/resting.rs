//! Resting orders: filled as prices come, cancelled.

use crate::domain::num::{Qty, Rate};
use crate::domain::order::{OrderStatus, Resting, Side};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::Exchange;
use crate::sim::book::Level;
use crate::sim::history::Span;
use crate::sim::matching::Which;
use crate::sim::refusal::Refusal;
use crate::sim::spot::Spot;
use crate::sim::spot::orders::Placed;

impl Spot {
    /// Fills resting orders that the market has reached since it was last followed: met by the book
    /// of now, or traded through in a bar since. To be called whenever time or prices have moved.
    pub fn follow(&mut self, market: &Exchange) {
        let (since, now) = (self.state.at, market.now());
        self.state.at = now;
        let waiting: Vec<Placed> = std::mem::take(&mut self.state.open);
        for mut open in waiting {
            let reached = self.reached(market, &open, since);
            let level = open.limit().map(|price| Level { price, qty: reached });
            let pair = self.pairs.get(&open.order.symbol).cloned();
            if let (Some(level), Some(pair)) = (level, pair)
                && level.qty.is_positive()
            {
                self.fill(market, &pair, &mut open, level, true);
                open.order.status =
                    if open.left().is_zero() { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
            }
            let filed =
                if open.order.status.is_final() { &mut self.state.done } else { &mut self.state.open };
            filed.push(open);
        }
    }

    /// How much of a resting order fills.
    fn reached(&self, market: &Exchange, open: &Placed, since: Time) -> Qty {
        let symbol = &open.order.symbol;
        let (Some(price), Some(pair), Some(book)) =
            (open.limit(), self.pairs.get(symbol), self.book(market, symbol))
        else {
            return Qty::ZERO;
        };
        let met: Qty = book.walk(open.order.side, open.left(), price).iter().map(|level| level.qty).sum();
        if met.is_positive() {
            return met;
        }
        // From the beginning of the bar on: it is only seen when it is over, and then once.
        let span = Span::Fixed(market.terms().interval);
        let bars = self.candles(market, symbol, span, span.start(since.max(open.created)), market.now());
        // A tenth of what traded in a bar may have been ours.
        let through = bars.into_iter().filter(|bar| match open.order.side {
            Side::Buy => bar.low < price,
            Side::Sell => bar.high > price,
        });
        let share: Qty = through.map(|bar| bar.volume * Rate::new(1, 1)).sum();
        open.left().min(share.floor_to(pair.rules.lot.step))
    }

    /// Cancels a resting order.
    ///
    /// # Errors
    /// `-2011` where there is none, `-1121` for an unknown pair.
    pub fn cancel(
        &mut self,
        market: &Exchange,
        symbol: &Symbol,
        which: Which<'_>,
    ) -> Result<Placed, Refusal> {
        self.pair(symbol)?;
        let meant = |open: &Placed| open.order.symbol == *symbol && which.is(&open.order);
        let Some(index) = self.state.open.iter().position(meant) else { return Err(Refusal::of(-2011)) };
        let open = self.state.open.remove(index);
        Ok(self.finish(open, OrderStatus::Canceled, market.now()))
    }

    /// Cancels every resting order of `symbol`.
    ///
    /// # Errors
    /// `-2011` where nothing rests, `-1121` for an unknown pair.
    pub fn cancel_all(&mut self, market: &Exchange, symbol: &Symbol) -> Result<Vec<Placed>, Refusal> {
        self.pair(symbol)?;
        let (mine, kept): (Vec<Placed>, Vec<Placed>) =
            std::mem::take(&mut self.state.open).into_iter().partition(|open| open.order.symbol == *symbol);
        self.state.open = kept;
        if mine.is_empty() {
            return Err(Refusal::of(-2011));
        }
        let now = market.now();
        Ok(mine.into_iter().map(|open| self.finish(open, OrderStatus::Canceled, now)).collect())
    }

    /// Everything that waits in the book.
    #[must_use]
    pub fn waiting(&self) -> Vec<Resting> {
        let open = self.state.open.iter().map(|placed| Resting {
            symbol: placed.order.symbol.clone(),
            client_id: placed.order.client_id.clone(),
            conditional: false,
        });
        open.collect()
    }
}
