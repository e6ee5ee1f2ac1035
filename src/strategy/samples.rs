//! Small markets for the tests of this folder.

use crate::domain::account::{AccountModes, Balance, Position};
use crate::domain::market::{Mark, Market, Quote};
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::rules::tests::plain;
use crate::domain::snapshot::{Coin, Snapshot};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

pub(crate) fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

/// A coin at `mark` of which `qty` was bought at `entry`.
pub(crate) fn coin(name: &str, qty: &str, entry: &str, mark: &str) -> Coin {
    let (qty, entry, price): (Qty, Price, Price) =
        (qty.parse().unwrap(), entry.parse().unwrap(), mark.parse().unwrap());
    let quote = Quote { bid: price, bid_qty: Qty::from(1000), ask: price, ask_qty: Qty::from(1000) };
    let mark = Mark { price, funding_rate: Rate::ZERO, next_funding: None, at: Time::default() };
    let position = Position {
        symbol: symbol(name),
        qty,
        entry_price: entry,
        mark_price: price,
        unrealized: qty * (price - entry),
        liquidation_price: None,
        updated: Time::default(),
    };
    Coin {
        rules: Some(plain(name)),
        market: Some(Market { mark, quote }),
        position: (!qty.is_zero()).then_some(position),
        managed: !qty.is_zero(),
        ..Coin::default()
    }
}

/// An account of `equity` with these coins, all of it available.
pub(crate) fn snapshot(equity: i64, coins: Vec<Coin>) -> Snapshot {
    let equity = Notional::new(equity, 0);
    let named = |coin: Coin| (coin.rules.as_ref().unwrap().symbol.clone(), coin);
    Snapshot {
        at: Time::from_ms(1_800_000_000_000).unwrap(),
        balance: Balance { equity, available: equity, wallet: equity, ..Balance::default() },
        modes: AccountModes { hedge: false, multi_assets: false, can_trade: true },
        coins: coins.into_iter().map(named).collect(),
    }
}
