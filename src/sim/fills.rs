//! One execution in the books: position, fee, profit, trade and income rows.

use crate::domain::entry::Entry;
use crate::domain::fill::Fill;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::Exchange;
use crate::sim::account::{self, MONEY_DIGITS};
use crate::sim::book::Level;
use crate::sim::matching::{ASSET, Placed, Trade};

/// The first order and trade number of every contract; real ones exceed 32 bits.
const FIRST_NUMBER: i64 = 8_589_934_600;

impl Exchange {
    /// Books one execution: position, fee, profit, trade and income rows.
    pub(crate) fn fill(&mut self, placed: &mut Placed, level: Level, maker: bool) {
        let now = self.state.at;
        let symbol = placed.order.symbol.clone();
        let side = placed.order.side;
        let notional = level.qty * level.price;
        let rate = if maker { self.terms.maker_fee } else { self.terms.taker_fee };
        let fee = (notional * rate).rounded(MONEY_DIGITS);
        let (fee, fee_asset) = self.charge(fee);
        let held = self.state.holdings.get(&symbol);
        let mark = self.mark_price(&symbol).or(held.map(|held| held.mark)).unwrap_or(level.price);
        let fee_in_quote = if fee_asset == ASSET { fee } else { Notional::ZERO };
        let change = account::book(held, side, level.qty, level.price, mark, fee_in_quote, now);
        match change.after {
            Some(after) => self.state.holdings.insert(symbol.clone(), after),
            None => self.state.holdings.remove(&symbol),
        };
        let trade_id = self.next_numbers(&symbol, false);
        self.state.counters.tran += 1;
        let tran = self.state.counters.tran;
        let trade = trade_id.to_string();
        if !fee.is_zero() {
            self.earn_in(&fee_asset, "COMMISSION", Some(&symbol), -fee, tran, &trade, now);
        }
        if let Some(realized) = change.realized {
            self.earn("REALIZED_PNL", Some(&symbol), realized, tran, &trade);
        }
        placed.order.filled_qty += level.qty;
        placed.quote_filled += notional;
        placed.order.avg_price = placed.quote_filled.over_qty(placed.order.filled_qty);
        placed.order.updated = now;
        self.state.trades.push(Trade {
            fill: Fill {
                symbol,
                trade_id,
                order_id: placed.order.order_id,
                side,
                qty: level.qty,
                price: level.price,
                fee,
                fee_asset,
                realized: change.realized.unwrap_or(Notional::ZERO),
                fee_cost: Notional::ZERO,
                at: now,
            },
            maker,
        });
    }

    /// The fee and its asset: BNB at ten percent off where that is on and there is enough.
    fn charge(&self, fee: Notional) -> (Notional, String) {
        let in_usdt = (fee, ASSET.to_owned());
        if !self.state.fee_burn || !self.state.bnb.is_positive() || !fee.is_positive() {
            return in_usdt;
        }
        let Ok(symbol) = "BNBUSDT".parse::<Symbol>() else { return in_usdt };
        let Some(price) = self.mark_price(&symbol) else { return in_usdt };
        let Some(units) = (fee * Rate::new(9, 1)).over_price(price) else { return in_usdt };
        let units = units.rounded(MONEY_DIGITS);
        if units > self.state.bnb {
            return in_usdt;
        }
        (units * Price::ONE, "BNB".to_owned())
    }

    /// Books an income row in USDT, now, and the wallet with it.
    pub(crate) fn earn(
        &mut self,
        kind: &str,
        symbol: Option<&Symbol>,
        amount: Notional,
        tran: i64,
        trade: &str,
    ) {
        self.earn_in(ASSET, kind, symbol, amount, tran, trade, self.state.at);
    }

    /// Books an income row, and the wallet with it.
    #[expect(clippy::too_many_arguments, reason = "one row of the exchange's book, column by column")]
    pub(crate) fn earn_in(
        &mut self,
        asset: &str,
        kind: &str,
        symbol: Option<&Symbol>,
        amount: Notional,
        tran: i64,
        trade: &str,
        at: Time,
    ) {
        if asset == ASSET {
            self.state.wallet += amount;
            self.state.wallet_updated = self.state.at;
        } else {
            self.state.bnb += amount.over_price(Price::ONE).unwrap_or(Qty::ZERO);
        }
        self.state.income.push(Entry {
            at,
            kind: kind.to_owned(),
            symbol: symbol.map_or_else(String::new, ToString::to_string),
            amount,
            asset: asset.to_owned(),
            tran_id: tran,
            trade_id: trade.to_owned(),
        });
    }

    /// The next order (or else trade) number of a contract.
    pub(crate) fn next_numbers(&mut self, symbol: &Symbol, order: bool) -> i64 {
        let (orders, trades) =
            self.state.counters.per_symbol.entry(symbol.clone()).or_insert((FIRST_NUMBER, FIRST_NUMBER));
        let number = if order { orders } else { trades };
        *number += 1;
        *number
    }
}
