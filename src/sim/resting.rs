//! Resting orders: filled as prices come, shrunk with the position, changed and cancelled.

use crate::domain::market::Bar;
use crate::domain::num::{Price, Qty, Rate};
use crate::domain::order::{OrderKind, OrderRequest, OrderStatus, Resting, Side};
use crate::domain::symbol::Symbol;
use crate::sim::Exchange;
use crate::sim::book::Level;
use crate::sim::matching::{Placed, Which};
use crate::sim::refusal::Refusal;

impl Exchange {
    /// Shrinks or ends resting reduce-only orders that the position no longer covers, newest first.
    pub(crate) fn shrink_exits(&mut self, symbol: &Symbol) {
        let held = self.state.holdings.get(symbol).map_or(Qty::ZERO, |held| held.qty);
        let mut covered = held.abs();
        let now = self.state.at;
        let mut kept = Vec::new();
        for mut open in std::mem::take(&mut self.state.open) {
            if open.order.symbol != *symbol || !open.order.reduce_only {
                kept.push(open);
                continue;
            }
            let same_side = !held.is_zero() && Side::of(-held) == open.order.side;
            let part = if same_side { open.left().min(covered) } else { Qty::ZERO };
            covered -= part;
            if part.is_positive() {
                open.order.qty = open.order.filled_qty + part;
                kept.push(open);
            } else {
                open.end(OrderStatus::Expired, now);
                self.state.done.push(open);
            }
        }
        self.state.open = kept;
    }

    /// Fills resting orders that the new prices reach: traded through in `bars`, or met by the book.
    pub(crate) fn match_resting(&mut self, bars: &dyn Fn(&Exchange, &Symbol) -> Option<Bar>) {
        let numbers: Vec<(Symbol, i64)> =
            self.state.open.iter().map(|open| (open.order.symbol.clone(), open.order.order_id)).collect();
        for (symbol, number) in numbers {
            let bar = bars(self, &symbol);
            let position = |open: &Placed| open.order.symbol == symbol && open.order.order_id == number;
            let Some(index) = self.state.open.iter().position(position) else { continue };
            let mut open = self.state.open.remove(index);
            let qty = self.reached(&open, bar.as_ref());
            if qty.is_positive()
                && let Some(price) = open.limit()
            {
                self.fill(&mut open, Level { price, qty }, true);
                open.order.status =
                    if open.left().is_zero() { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
            }
            if open.order.status.is_final() {
                self.state.done.push(open);
            } else {
                self.state.open.insert(index, open);
            }
            if qty.is_positive() {
                self.shrink_exits(&symbol);
            }
        }
    }

    /// How much of a resting order the new prices fill.
    fn reached(&self, open: &Placed, bar: Option<&Bar>) -> Qty {
        let symbol = &open.order.symbol;
        let (Some(price), Some(listed), Some(book)) =
            (open.limit(), self.world.listing.get(symbol), self.book(symbol))
        else {
            return Qty::ZERO;
        };
        let met: Qty = book.walk(open.order.side, open.left(), price).iter().map(|level| level.qty).sum();
        if met.is_positive() {
            return met;
        }
        let through = bar.is_some_and(|bar| match open.order.side {
            Side::Buy => bar.low < price,
            Side::Sell => bar.high > price,
        });
        if !through {
            return Qty::ZERO;
        }
        // A tenth of what traded in the bar may have been ours.
        let share = bar.map_or(Qty::ZERO, |bar| bar.volume * Rate::new(1, 1)).floor_to(listed.rules.lot.step);
        open.left().min(share)
    }

    /// Cancels a resting order.
    ///
    /// # Errors
    /// `-2011` where there is none, `-1121` for an unknown contract.
    pub fn cancel(&mut self, symbol: &Symbol, which: Which<'_>) -> Result<Placed, Refusal> {
        if !self.world.listing.contains_key(symbol) {
            return Err(Refusal::of(-1121));
        }
        let now = self.state.at;
        let meant = |open: &Placed| open.order.symbol == *symbol && which.is(&open.order);
        let Some(index) = self.state.open.iter().position(meant) else { return Err(Refusal::of(-2011)) };
        let mut open = self.state.open.remove(index);
        open.end(OrderStatus::Canceled, now);
        self.state.done.push(open.clone());
        Ok(open)
    }

    /// Everything that waits: in the book, then for a trigger price.
    #[must_use]
    pub fn waiting(&self) -> Vec<Resting> {
        let in_book = self.open_orders(None).into_iter().map(|placed| Resting {
            symbol: placed.order.symbol.clone(),
            client_id: placed.order.client_id.clone(),
            conditional: false,
        });
        let conditional = self.algos(None, true).into_iter().map(|algo| Resting {
            symbol: algo.request.symbol.clone(),
            client_id: algo.request.client_id.clone(),
            conditional: true,
        });
        in_book.chain(conditional).collect()
    }

    /// Cancels one of [`Exchange::waiting`].
    ///
    /// # Errors
    /// `-2011` where it waits no more, `-1121` for an unknown contract.
    pub fn cancel_waiting(&mut self, wanted: &Resting) -> Result<(), Refusal> {
        if wanted.conditional {
            return self.cancel_algo(None, Some(&wanted.client_id)).map(|_| ());
        }
        self.cancel(&wanted.symbol, Which::Client(&wanted.client_id)).map(|_| ())
    }

    /// Cancels every resting order of `symbol`; how many there were.
    pub fn cancel_all(&mut self, symbol: &Symbol) -> usize {
        let now = self.state.at;
        let (mine, kept): (Vec<Placed>, Vec<Placed>) =
            std::mem::take(&mut self.state.open).into_iter().partition(|open| open.order.symbol == *symbol);
        self.state.open = kept;
        let count = mine.len();
        for mut open in mine {
            open.end(OrderStatus::Canceled, now);
            self.state.done.push(open);
        }
        count
    }

    /// Changes price and quantity of a resting limit order, which then queues anew. A quantity not
    /// above what is filled already cancels it.
    ///
    /// # Errors
    /// `-2013` where there is none, `-5027` where nothing would change, and all that refuses an order.
    pub fn amend(
        &mut self,
        symbol: &Symbol,
        which: Which<'_>,
        side: Side,
        qty: Qty,
        price: Price,
    ) -> Result<Placed, Refusal> {
        let meant = |open: &Placed| open.order.symbol == *symbol && which.is(&open.order);
        let Some(index) = self.state.open.iter().position(meant) else { return Err(Refusal::of(-2013)) };
        let before = self.state.open.remove(index);
        let changed = self.amended(&before, side, qty, price);
        match changed {
            Ok((after, takes)) if takes.is_empty() && after.left() <= Qty::ZERO => {
                let mut ended = before;
                ended.end(OrderStatus::Canceled, self.state.at);
                self.state.done.push(ended.clone());
                Ok(ended)
            }
            Ok((after, takes)) => Ok(self.run(after, &takes, Rate::ONE)),
            Err(refusal) => {
                self.state.open.insert(index, before);
                Err(refusal)
            }
        }
    }

    fn amended(
        &self,
        before: &Placed,
        side: Side,
        qty: Qty,
        price: Price,
    ) -> Result<(Placed, Vec<Level>), Refusal> {
        let OrderKind::Limit { time_in_force, price: old_price } = before.kind else {
            return Err(Refusal::of(-1020));
        };
        if side != before.order.side {
            return Err(Refusal::of(-1117));
        }
        if qty == before.order.qty && price == old_price {
            return Err(Refusal::of(-5027));
        }
        let kind = OrderKind::Limit { price, time_in_force };
        let mut after = before.clone();
        after.kind = kind;
        after.asked_qty = qty;
        after.order.qty = qty;
        after.order.updated = self.state.at;
        if qty <= before.order.filled_qty {
            return Ok((after, Vec::new()));
        }
        let request = OrderRequest {
            symbol: before.order.symbol.clone(),
            side,
            qty,
            kind,
            reduce_only: before.order.reduce_only,
            client_id: before.order.client_id.clone(),
        };
        let ready = self.prepare(&request, qty - before.order.filled_qty)?;
        after.order.qty = before.order.filled_qty + ready.qty;
        Ok((after, ready.takes))
    }
}
