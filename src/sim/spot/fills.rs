//! One execution in the books: what is spent, what is received, the fee.

use crate::domain::fill::Fill;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::Side;
use crate::domain::symbol::Symbol;
use crate::sim::Exchange;
use crate::sim::book::Level;
use crate::sim::matching::Trade;
use crate::sim::spot::listing::Pair;
use crate::sim::spot::orders::{Placed, set_aside, spent_asset};
use crate::sim::spot::{ASSET_DIGITS, BNB, QUOTE, Spot, units};

/// The first order and trade number of every pair; real ones exceed 32 bits.
const FIRST_NUMBER: i64 = 12_884_901_900;

impl Spot {
    /// Books one execution of an order that has set aside what it spends.
    pub(crate) fn fill(
        &mut self,
        market: &Exchange,
        pair: &Pair,
        placed: &mut Placed,
        level: Level,
        maker: bool,
    ) {
        let now = market.now();
        let side = placed.order.side;
        let worth = level.qty * level.price;
        let paid = set_aside(side, level.qty, level.price);
        let held = set_aside(side, level.qty, placed.limit().unwrap_or(level.price));
        let spent = spent_asset(pair, side);
        self.spend(spent, held);
        // A limit order that fills better than its limit gets the difference back.
        self.give(spent, held - paid);
        let (received, amount) = match side {
            Side::Buy => (pair.rules.base.clone(), level.qty),
            Side::Sell => (pair.rules.quote.clone(), units(worth)),
        };
        self.give(&received, amount);
        let rate = if maker { self.terms.maker_fee } else { self.terms.taker_fee };
        let (fee, fee_asset) = self.charge(market, pair, received, amount, worth, rate);
        self.give(&fee_asset, -fee);
        placed.order.filled_qty += level.qty;
        placed.quote_filled += worth;
        placed.order.avg_price = placed.quote_filled.over_qty(placed.order.filled_qty);
        placed.order.updated = now;
        self.state.updated = now;
        let trade_id = self.next_number(&placed.order.symbol, false);
        self.state.trades.push(Trade {
            fill: Fill {
                symbol: placed.order.symbol.clone(),
                trade_id,
                order_id: placed.order.order_id,
                side,
                qty: level.qty,
                price: level.price,
                fee: fee * Price::ONE,
                fee_asset,
                realized: Notional::ZERO,
                fee_cost: Notional::ZERO,
                at: now,
            },
            maker,
        });
    }

    /// The fee and its asset: what was received, or BNB where that is on and there is enough.
    fn charge(
        &self,
        market: &Exchange,
        pair: &Pair,
        received: String,
        amount: Qty,
        worth: Notional,
        rate: Rate,
    ) -> (Qty, String) {
        if self.state.burn
            && let Some(price) = self.bnb_price(market, &pair.rules.quote)
            && let Some(fee) = (worth * rate * (Rate::ONE - self.terms.bnb_discount)).over_price(price)
        {
            let fee = fee.rounded(ASSET_DIGITS);
            if fee <= self.balance(BNB).free {
                return (fee, BNB.to_owned());
            }
        }
        ((amount * rate).rounded(ASSET_DIGITS), received)
    }

    /// One BNB in `quote`, or else in USDT.
    fn bnb_price(&self, market: &Exchange, quote: &str) -> Option<Price> {
        let of = |quote: &str| {
            let symbol: Symbol = format!("{BNB}{quote}").parse().ok()?;
            self.last_price(market, &symbol)
        };
        of(quote).or_else(|| of(QUOTE))
    }

    /// The next order (or else trade) number of a pair.
    pub(crate) fn next_number(&mut self, symbol: &Symbol, order: bool) -> i64 {
        let (orders, trades) =
            self.state.numbers.entry(symbol.clone()).or_insert((FIRST_NUMBER, FIRST_NUMBER));
        let number = if order { orders } else { trades };
        *number += 1;
        *number
    }
}
