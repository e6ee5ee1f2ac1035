//! What the account looks like: totals, positions, orders, executions, income.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::account::{Balance, Position, max_notional};
use crate::domain::entry::Entry;
use crate::domain::num::{Notional, Price, Qty};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::Exchange;
use crate::sim::account::{self, Holding};
use crate::sim::matching::{Placed, Trade, Which};
use crate::sim::refusal::Refusal;

/// An order that ended without a fill is forgotten this long after it was made …
const FORGET_UNFILLED: Duration = Duration::from_secs(3 * 86_400);
/// … and any finished order after this long.
const FORGET_ALL: Duration = Duration::from_secs(90 * 86_400);

/// Margin figures of one contract with a position or open orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The contract.
    pub symbol: Symbol,
    /// The position; `None` where only orders are open.
    pub holding: Option<Holding>,
    /// Mark price; zero where the contract never had one.
    pub mark: Price,
    /// Margin of the position.
    pub position_margin: Notional,
    /// Margin of the open orders beside it.
    pub order_margin: Notional,
    /// Maintenance margin of the position.
    pub maint_margin: Notional,
    /// Value of open buys.
    pub bid_notional: Notional,
    /// Value of open sells.
    pub ask_notional: Notional,
    /// Where the account would be liquidated if only this mark moved.
    pub liquidation_price: Option<Price>,
}

impl Exchange {
    /// The account's totals in USDT.
    #[must_use]
    pub fn balance(&self) -> Balance {
        let mut totals = Balance { wallet: self.state.wallet, ..Balance::default() };
        for (symbol, held) in &self.state.holdings {
            totals.unrealized += held.unrealized();
            totals.maint_margin += self.maint_of(symbol, held);
        }
        let (positions, orders) = self.margins_used();
        totals.initial_margin = positions + orders;
        totals.equity = totals.wallet + totals.unrealized;
        totals.available = (totals.equity - totals.initial_margin).max(Notional::ZERO);
        totals
    }

    /// Margin of all positions, and of all open orders.
    #[must_use]
    pub fn margins_used(&self) -> (Notional, Notional) {
        let mut symbols: Vec<&Symbol> = self.state.open.iter().map(|open| &open.order.symbol).collect();
        symbols.extend(self.state.holdings.keys());
        symbols.sort();
        symbols.dedup();
        let mut used = (Notional::ZERO, Notional::ZERO);
        for symbol in symbols {
            let held = self.state.holdings.get(symbol);
            let mark = self.known_mark(symbol, held);
            let value = held.map_or(Notional::ZERO, Holding::value);
            let leverage = self.setting(symbol).leverage;
            used.0 += account::position_margin(value, leverage);
            used.1 += account::order_margin(value, &self.resting(symbol, mark), leverage);
        }
        used
    }

    fn maint_of(&self, symbol: &Symbol, held: &Holding) -> Notional {
        let brackets = self.world.listing.get(symbol).map_or(&[][..], |listed| &listed.brackets);
        account::maint_margin(brackets, held.value())
    }

    /// The mark of now, else the last one that the position saw.
    fn known_mark(&self, symbol: &Symbol, held: Option<&Holding>) -> Price {
        self.mark_price(symbol).or(held.map(|held| held.mark)).unwrap_or(Price::ZERO)
    }

    /// What may back new orders; negative where margin is short.
    pub(crate) fn free_margin(&self) -> Notional {
        let floating: Notional = self.state.holdings.values().map(Holding::unrealized).sum();
        let (positions, orders) = self.margins_used();
        self.state.wallet + floating - positions - orders
    }

    /// What may leave the wallet: floating profit stays.
    #[must_use]
    pub fn withdrawable(&self) -> Notional {
        let (positions, orders) = self.margins_used();
        self.free_margin().min(self.state.wallet - positions - orders).max(Notional::ZERO)
    }

    /// BNB in the wallet.
    #[must_use]
    pub fn bnb(&self) -> Qty {
        self.state.bnb
    }

    /// When the wallet last changed.
    #[must_use]
    pub fn wallet_updated(&self) -> Time {
        self.state.wallet_updated
    }

    /// Margin figures of every contract with a position or open orders.
    #[must_use]
    pub fn exposures(&self) -> Vec<Exposure> {
        let totals = self.balance();
        let mut symbols: Vec<Symbol> = self.state.open.iter().map(|open| open.order.symbol.clone()).collect();
        symbols.extend(self.state.holdings.keys().cloned());
        symbols.sort();
        symbols.dedup();
        symbols
            .into_iter()
            .map(|symbol| {
                let holding = self.state.holdings.get(&symbol).cloned();
                let mark = self.known_mark(&symbol, holding.as_ref());
                let value = holding.as_ref().map_or(Notional::ZERO, Holding::value);
                let leverage = self.setting(&symbol).leverage;
                let resting = self.resting(&symbol, mark);
                let maint = holding.as_ref().map_or(Notional::ZERO, |held| self.maint_of(&symbol, held));
                let liquidation_price = holding.as_ref().and_then(|held| {
                    let brackets = self.world.listing.get(&symbol).map_or(&[][..], |listed| &listed.brackets);
                    account::liquidation_price(
                        totals.wallet,
                        totals.maint_margin - maint,
                        totals.unrealized - held.unrealized(),
                        held,
                        brackets,
                    )
                });
                Exposure {
                    mark,
                    position_margin: account::position_margin(value, leverage),
                    order_margin: account::order_margin(value, &resting, leverage),
                    maint_margin: maint,
                    bid_notional: resting.bids,
                    ask_notional: resting.asks,
                    liquidation_price,
                    holding,
                    symbol,
                }
            })
            .collect()
    }

    /// Open positions by contract.
    #[must_use]
    pub fn positions(&self) -> BTreeMap<Symbol, Position> {
        let open = self.exposures().into_iter().filter_map(|exposure| {
            let held = exposure.holding?;
            let position = Position {
                symbol: exposure.symbol.clone(),
                qty: held.qty,
                entry_price: held.entry,
                mark_price: held.mark,
                unrealized: held.unrealized(),
                liquidation_price: exposure.liquidation_price,
                updated: held.updated,
            };
            Some((exposure.symbol, position))
        });
        open.collect()
    }

    /// The most notional that `symbol` may carry at its leverage now.
    #[must_use]
    pub fn max_notional(&self, symbol: &Symbol) -> Notional {
        let leverage = self.setting(symbol).leverage;
        let listed = self.world.listing.get(symbol);
        listed.and_then(|listed| max_notional(&listed.brackets, leverage)).unwrap_or(Notional::ZERO)
    }

    /// The newest order that `which` means, whatever became of it.
    pub(crate) fn find(&self, symbol: &Symbol, which: Which<'_>) -> Option<&Placed> {
        let all = self.state.open.iter().chain(&self.state.done);
        all.filter(|placed| placed.order.symbol == *symbol && which.is(&placed.order))
            .max_by_key(|placed| placed.accepted)
    }

    /// The newest order that `which` means; `None` where the exchange does not (or no longer) know it.
    #[must_use]
    pub fn order(&self, symbol: &Symbol, which: Which<'_>) -> Option<&Placed> {
        self.find(symbol, which).filter(|placed| !self.is_forgotten(placed))
    }

    /// Finished orders that a query no longer finds.
    fn is_forgotten(&self, placed: &Placed) -> bool {
        if !placed.order.status.is_final() {
            return false;
        }
        let age = self.state.at.since(placed.created);
        age > FORGET_ALL || (placed.order.filled_qty.is_zero() && age > FORGET_UNFILLED)
    }

    /// Resting orders, of one contract or of all, oldest first.
    #[must_use]
    pub fn open_orders(&self, symbol: Option<&Symbol>) -> Vec<&Placed> {
        let of = |placed: &&Placed| symbol.is_none_or(|symbol| placed.order.symbol == *symbol);
        self.state.open.iter().filter(of).collect()
    }

    /// Orders made in `[from, to]`, of one contract or of all, oldest first.
    #[must_use]
    pub fn orders(&self, symbol: Option<&Symbol>, from: Time, to: Time) -> Vec<&Placed> {
        let wanted = |placed: &&Placed| {
            symbol.is_none_or(|symbol| placed.order.symbol == *symbol)
                && placed.created >= from
                && placed.created <= to
                && !self.is_forgotten(placed)
        };
        let mut found: Vec<&Placed> = self.state.open.iter().chain(&self.state.done).filter(wanted).collect();
        found.sort_by_key(|placed| placed.accepted);
        found
    }

    /// Every order ever accepted and not dropped by [`Exchange::forget_before`], in the order of
    /// acceptance.
    #[must_use]
    pub fn accepted_orders(&self) -> Vec<&Placed> {
        let mut all: Vec<&Placed> = self.state.open.iter().chain(&self.state.done).collect();
        all.sort_by_key(|placed| placed.accepted);
        all
    }

    /// How many orders were ever accepted.
    #[must_use]
    pub fn accepted_count(&self) -> u64 {
        self.state.counters.accepted
    }

    /// Executions in `[from, to]` of one contract or of all, in the order they happened.
    #[must_use]
    pub fn trades(&self, symbol: Option<&Symbol>, from: Time, to: Time) -> Vec<&Trade> {
        let wanted = |trade: &&Trade| {
            symbol.is_none_or(|symbol| trade.fill.symbol == *symbol)
                && trade.fill.at >= from
                && trade.fill.at <= to
        };
        self.state.trades.iter().filter(wanted).collect()
    }

    /// Executions of one order.
    #[must_use]
    pub fn trades_of(&self, symbol: &Symbol, order_id: i64) -> Vec<&Trade> {
        let of = |trade: &&Trade| trade.fill.symbol == *symbol && trade.fill.order_id == order_id;
        self.state.trades.iter().filter(of).collect()
    }

    /// Income rows in `[from, to]`, ascending by time.
    #[must_use]
    pub fn income(&self, from: Time, to: Time) -> Vec<&Entry> {
        let mut rows: Vec<&Entry> =
            self.state.income.iter().filter(|entry| entry.at >= from && entry.at <= to).collect();
        // Stable: rows of one instant stay in the order they were booked.
        rows.sort_by_key(|entry| entry.at);
        rows
    }

    /// The contract is known.
    ///
    /// # Errors
    /// `-1121` where it is not.
    pub fn check_symbol(&self, symbol: &Symbol) -> Result<(), Refusal> {
        self.listed(symbol).map(|_| ())
    }
}
