//! What happens by itself as time passes: new prices, funding, deliveries, liquidation.

use crate::domain::market::Bar;
use crate::domain::num::{Notional, Rate};
use crate::domain::order::Side;
use crate::domain::rules::Status;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::account::{self, MONEY_DIGITS};
use crate::sim::prices::Prices;
use crate::sim::{Exchange, Listed, synthetic};

impl Exchange {
    /// Values every position at the mark of now; a position whose contract has no price keeps its
    /// last one.
    pub(crate) fn reprice(&mut self) {
        let marks: Vec<_> =
            self.state.holdings.keys().map(|symbol| (symbol.clone(), self.mark_price(symbol))).collect();
        for (symbol, mark) in marks {
            if let (Some(mark), Some(held)) = (mark, self.state.holdings.get_mut(&symbol)) {
                held.mark = mark;
            }
        }
    }

    /// All that follows a completed bar.
    pub(crate) fn bar_prices(&mut self) {
        self.reprice();
        self.match_resting(&Exchange::last_bar);
        self.trigger_algos();
    }

    /// All that follows a change of prices outside of a bar.
    pub(crate) fn after_prices(&mut self) {
        self.reprice();
        self.match_resting(&|_, _| None);
        self.trigger_algos();
        self.liquidate();
    }

    /// The bar of `symbol` that has just been completed.
    pub(crate) fn last_bar(&self, symbol: &Symbol) -> Option<Bar> {
        let listed = self.world.listing.get(symbol)?;
        let from = self.state.prices.bar_at - self.terms.interval;
        match self.world.prices {
            Prices::Fed => None,
            _ => self.base_bars(symbol, listed, from, false).last().copied(),
        }
    }

    /// Settles funding due in `(from, at]`: one row per position, none when flat.
    ///
    /// Rows are stamped a few milliseconds late as on the real exchange, but never beyond `until`,
    /// where the caller's clock will stand.
    pub(crate) fn settle_funding(&mut self, from: Time, at: Time, until: Time) {
        let held: Vec<Symbol> = self.state.holdings.keys().cloned().collect();
        for symbol in held {
            for print in self.funding_due(&symbol, from, at) {
                let Some(holding) = self.state.holdings.get(&symbol) else { continue };
                let mark = print.mark.unwrap_or(holding.mark);
                let paid = (holding.qty * mark * print.rate).rounded(MONEY_DIGITS);
                let stamp = (print.at + synthetic::funding_delay(&symbol, print.at)).min(until.max(print.at));
                self.state.counters.tran += 1;
                let tran = self.state.counters.tran;
                self.earn_in("USDT", "FUNDING_FEE", Some(&symbol), -paid, tran, "", stamp);
            }
        }
    }

    /// Settles contracts whose delivery time has come: orders cancelled, position closed at mark.
    pub(crate) fn deliver(&mut self) {
        let at = self.state.at;
        let due = |listed: &Listed| listed.rules.delivery.is_some_and(|delivery| delivery <= at);
        let symbols: Vec<Symbol> = self
            .world
            .listing
            .iter()
            .filter(|(symbol, listed)| due(listed) && !self.state.delivered.contains(symbol))
            .map(|(symbol, _)| symbol.clone())
            .collect();
        for symbol in symbols {
            self.cancel_all(&symbol);
            self.cancel_all_algos(&symbol);
            if let Some(held) = self.state.holdings.get(&symbol).cloned() {
                let id = format!("settlement_autoclose-{}", at.ms());
                self.force(&symbol, Side::of(-held.qty), held.qty.abs(), held.mark, &id);
            }
            if self.status(&symbol) == Status::Trading {
                self.state.statuses.insert(symbol.clone(), Status::read("SETTLING"));
            }
            self.state.delivered.push(symbol);
        }
    }

    /// Cancels the orders of contracts whose dead-man's countdown has run out.
    pub(crate) fn count_down(&mut self) {
        let at = self.state.at;
        let due: Vec<Symbol> = self
            .state
            .countdowns
            .iter()
            .filter(|(_, deadline)| **deadline <= at)
            .map(|(symbol, _)| symbol.clone())
            .collect();
        for symbol in due {
            self.state.countdowns.remove(&symbol);
            self.cancel_all(&symbol);
        }
    }

    /// Liquidates the whole cross account where its maintenance margin reaches its balance: open
    /// orders go, every position is closed, the clearance fee is taken, and the insurance fund pays
    /// what the wallet cannot.
    pub(crate) fn liquidate(&mut self) {
        let totals = self.balance();
        if self.state.holdings.is_empty() || totals.maint_margin < totals.equity {
            return;
        }
        let open: Vec<Symbol> = self.state.open.iter().map(|open| open.order.symbol.clone()).collect();
        for symbol in open {
            self.cancel_all(&symbol);
        }
        let held: Vec<(Symbol, account::Holding)> =
            self.state.holdings.iter().map(|(symbol, held)| (symbol.clone(), held.clone())).collect();
        for (symbol, holding) in held {
            let side = Side::of(-holding.qty);
            let best =
                self.book(&symbol).and_then(|book| book.against(side).first().map(|level| level.price));
            let price = best.unwrap_or(holding.mark);
            let id = format!("autoclose-{}", self.state.at.ms());
            self.force(&symbol, side, holding.qty.abs(), price, &id);
            let rate =
                self.world.listing.get(&symbol).map_or(Rate::ZERO, |listed| listed.rules.liquidation_fee);
            let fee = (holding.qty.abs() * price * rate).rounded(MONEY_DIGITS);
            self.state.counters.tran += 1;
            self.earn("INSURANCE_CLEAR", Some(&symbol), -fee, self.state.counters.tran, "");
        }
        if self.state.wallet.is_negative() {
            let missing = Notional::ZERO - self.state.wallet;
            self.state.counters.tran += 1;
            self.earn("INSURANCE_CLEAR", None, missing, self.state.counters.tran, "");
        }
    }
}
