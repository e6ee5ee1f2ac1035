//! One line per order: what was asked, what was got.

use crate::domain::num::Notional;
use crate::domain::order::Side;
use crate::render::fees;
use crate::render::grid::{Align, Grid};
use crate::render::remarks::tone;
use crate::render::text::{clean, money, price};
use crate::render::words;
use crate::report::pass::{OrderOutcome, OrderReport};

/// A column of the orders' table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Coin,
    Side,
    Ordered,
    Filled,
    Price,
    Worth,
    Fee,
    Realised,
    Result,
    Why,
}

use Column::{Coin, Fee, Filled, Ordered, Price, Realised, Result, Side as Verb, Why, Worth};

const ALL: &[Column] = &[Coin, Verb, Ordered, Filled, Price, Worth, Fee, Realised, Result, Why];
const WITHOUT_WHY: &[Column] = &[Coin, Verb, Ordered, Filled, Price, Worth, Fee, Realised, Result];
const WITHOUT_WORTH: &[Column] = &[Coin, Verb, Ordered, Filled, Price, Fee, Realised, Result];
const ESSENTIAL: &[Column] = &[Coin, Verb, Ordered, Filled, Price, Result];
const BAREST: &[Column] = &[Coin, Verb, Filled, Result];

/// The orders' table, from the richest to the barest.
pub(crate) fn grids(orders: &[OrderReport], quote: &str) -> Vec<Grid> {
    let variants =
        [(ALL, 2), (WITHOUT_WHY, 2), (WITHOUT_WHY, 1), (WITHOUT_WORTH, 1), (ESSENTIAL, 1), (BAREST, 1)];
    variants.into_iter().map(|(columns, gap)| grid(orders, columns, gap, quote)).collect()
}

fn grid(orders: &[OrderReport], columns: &[Column], gap: u16, quote: &str) -> Grid {
    let row = |order: &OrderReport| {
        (tone(order.status), columns.iter().map(|column| column.of(order, quote)).collect())
    };
    Grid {
        columns: columns.iter().map(|column| (column.head().to_owned(), column.align())).collect(),
        rows: orders.iter().map(row).collect(),
        gap,
    }
}

impl Column {
    fn head(self) -> &'static str {
        match self {
            Coin => "coin",
            Verb => "side",
            Ordered => "ordered",
            Filled => "filled",
            Price => "avg price",
            Worth => "worth",
            Fee => "fee",
            Realised => "profit",
            Result => "result",
            Why => "why",
        }
    }

    fn align(self) -> Align {
        match self {
            Coin | Verb | Result | Why => Align::Left,
            _ => Align::Right,
        }
    }

    fn of(self, order: &OrderReport, quote: &str) -> String {
        let some = !order.filled_qty.is_zero();
        match self {
            Coin => order.symbol.coin(quote).to_owned(),
            Verb => if order.side == Side::Buy { "buy" } else { "sell" }.to_owned(),
            Ordered => order.qty.to_string(),
            Filled if order.status == OrderOutcome::Unknown && !some => "?".to_owned(),
            Filled => order.filled_qty.to_string(),
            Price => order.avg_price.map_or_else(String::new, price),
            Worth if some => money(order.filled_notional()),
            Fee if some => fees::of(&order.fees, quote),
            Realised if order.realized_pnl != Notional::ZERO => format!("{:+.2}", order.realized_pnl),
            Worth | Fee | Realised => String::new(),
            Result => words::status(order.status).to_owned(),
            Why => words::order_reason(&clean(&order.reason)),
        }
    }
}
