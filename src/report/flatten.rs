//! A flatten: what was closed, what is left, and what that took.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::num::{Notional, Price, Qty};
use crate::domain::order::Side;
use crate::domain::symbol::Symbol;
use crate::report::fees::Fees;
use crate::report::heading::Heading;
use crate::report::pass::OrderReport;

/// One position that was closed, wholly or in part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Closed {
    /// The contract.
    pub symbol: Symbol,
    /// What closed it: a sale closes a long position.
    pub side: Side,
    /// Base units executed.
    pub qty: Qty,
    /// Mean execution price; `None` where it is not known.
    pub avg_price: Option<Price>,
    /// Profit realised, in the quote, without fees.
    pub realized_pnl: Notional,
    /// Fees paid.
    #[serde(flatten)]
    pub fees: Fees,
}

impl Closed {
    /// What `orders` closed, one row per contract, by symbol; orders of all rounds together.
    #[must_use]
    pub fn of(orders: &[OrderReport]) -> Vec<Closed> {
        let mut closed: BTreeMap<Symbol, (Closed, Notional)> = BTreeMap::new();
        for order in orders.iter().filter(|order| !order.filled_qty.is_zero()) {
            let (row, notional) =
                closed.entry(order.symbol.clone()).or_insert_with(|| (first(order), Notional::ZERO));
            row.qty += order.filled_qty;
            row.realized_pnl += order.realized_pnl;
            row.fees.add(&order.fees);
            *notional += order.filled_notional();
            // One order without a price leaves the mean unknown.
            let known = row.avg_price.is_some() && order.avg_price.is_some();
            row.avg_price = if known { notional.over_qty(row.qty) } else { None };
        }
        closed.into_values().map(|(row, _)| row).collect()
    }
}

fn first(order: &OrderReport) -> Closed {
    Closed {
        symbol: order.symbol.clone(),
        side: order.side,
        qty: Qty::ZERO,
        avg_price: order.avg_price,
        realized_pnl: Notional::ZERO,
        fees: Fees::default(),
    }
}

/// One position that is still open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remaining {
    /// The contract.
    pub symbol: Symbol,
    /// Base units; negative is short.
    pub qty: Qty,
    /// Why it is still there.
    pub reason: String,
}

/// `rebal.flatten/1`: what became of every position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlattenReport {
    /// Always `rebal.flatten/1`.
    pub schema: &'static str,
    /// When and which account.
    #[serde(flatten)]
    pub heading: Heading,
    /// What values are counted in: `USDT`.
    pub quote: String,
    /// The contracts that were to be closed; none named means all of them.
    pub symbols: Vec<Symbol>,
    /// Positions that were not meant and stay open.
    pub others: usize,
    /// Whether a last look showed that nothing of it is left.
    pub flat: bool,
    /// What was closed.
    pub closed: Vec<Closed>,
    /// What is left.
    pub remaining: Vec<Remaining>,
    /// Resting orders that were cancelled.
    pub cancelled: usize,
    /// How often the account was read and orders were sent.
    pub rounds: u32,
    /// Whether trading is refused.
    pub halted: bool,
    /// The halt's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt_id: Option<String>,
    /// What else the owner should know, one sentence each.
    pub notes: Vec<String>,
    /// The process' exit code.
    pub exit_code: u8,
}

impl FlattenReport {
    /// What was closed and what remains; the exit code is 8 where anything does, else 0. The caller
    /// fills the rest.
    #[must_use]
    pub fn new(
        heading: Heading,
        quote: &str,
        closed: Vec<Closed>,
        remaining: Vec<Remaining>,
    ) -> FlattenReport {
        FlattenReport {
            schema: "rebal.flatten/1",
            heading,
            quote: quote.to_owned(),
            symbols: Vec::new(),
            others: 0,
            flat: remaining.is_empty(),
            exit_code: if remaining.is_empty() { 0 } else { 8 },
            closed,
            remaining,
            cancelled: 0,
            rounds: 0,
            halted: false,
            halt_id: None,
            notes: Vec::new(),
        }
    }

    /// The same while `halt` is in force.
    #[must_use]
    pub fn under(mut self, halt: Option<String>) -> FlattenReport {
        self.halted = halt.is_some();
        self.halt_id = halt;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fees::tests::paid;
    use crate::report::pass::OrderOutcome;

    fn order(name: &str, filled: &str, price: Option<&str>, pnl: i64, fee_asset: &str) -> OrderReport {
        OrderReport {
            symbol: name.parse().unwrap(),
            side: Side::Sell,
            reason: "flatten".into(),
            client_order_id: String::new(),
            status: OrderOutcome::Partial,
            qty: Qty::from(10),
            filled_qty: filled.parse().unwrap(),
            avg_price: price.map(|price| price.parse().unwrap()),
            fees: paid(name, &[("10", "0.01", fee_asset)]),
            realized_pnl: Notional::from(0) + Notional::new(pnl, 0),
            error: None,
        }
    }

    /// 3 at 10, 1 at 14 and 1 at 11 are 55 for 5: a mean of 11. Their fees were taken in two assets.
    #[test]
    fn rounds_of_one_contract_are_one_row() {
        let orders = [
            order("BUSDT", "3", Some("10"), 2, "USDT"),
            order("AUSDT", "0", None, 0, ""),
            order("BUSDT", "1", Some("14"), -5, "USDT"),
            order("BUSDT", "1", Some("11"), 0, "BNB"),
            order("CUSDT", "1", None, 0, "USDT"),
        ];
        let closed = Closed::of(&orders);
        let [b, c] = closed.as_slice() else { panic!("{closed:?}") };
        assert_eq!((b.qty, b.avg_price), (Qty::from(5), Some(Price::from(11))));
        let fees = b.fees.all().iter().map(|fee| format!("{} {}", fee.amount, fee.asset)).collect::<Vec<_>>();
        assert_eq!(
            (b.realized_pnl, fees),
            (Notional::new(-3, 0), vec!["0.02 USDT".into(), "0.01 BNB".into()])
        );
        assert_eq!((c.symbol.as_str(), c.avg_price), ("CUSDT", None));
    }

    #[test]
    fn what_is_left_decides_the_exit_code() {
        let left = Remaining { symbol: "AUSDT".parse().unwrap(), qty: Qty::ONE, reason: "closed".into() };
        let code = |remaining| FlattenReport::new(Heading::default(), "USDT", vec![], remaining).exit_code;
        assert_eq!((code(vec![]), code(vec![left])), (0, 8));
    }
}
