//! Small accounts and markets for the tests of this folder.

use crate::decide::plan::Execution;
use crate::decide::risk::Limits;
use crate::domain::account::{AccountModes, Balance, Bracket, MarginSetting, Position};
use crate::domain::market::{Mark, Market, Quote};
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::rules::tests::plain;
use crate::domain::snapshot::{Coin, Snapshot};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

pub(crate) fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

/// A market at `mark` with a book 2 bps wide around it.
pub(crate) fn market(mark: &str) -> Market {
    let price: Price = mark.parse().unwrap();
    let off = price * Rate::new(1, 4);
    Market {
        mark: Mark { price, funding_rate: Rate::ZERO, next_funding: None, at: Time::default() },
        quote: Quote {
            bid: price - off,
            bid_qty: Qty::from(1000),
            ask: price + off,
            ask_qty: Qty::from(1000),
        },
    }
}

/// A coin at `mark` of which `qty` is held.
pub(crate) fn coin(name: &str, mark: &str, qty: &str) -> Coin {
    let qty: Qty = qty.parse().unwrap();
    let market = market(mark);
    let position = (!qty.is_zero()).then(|| Position {
        symbol: symbol(name),
        qty,
        entry_price: market.mark.price,
        mark_price: market.mark.price,
        unrealized: Notional::ZERO,
        liquidation_price: None,
        updated: Time::default(),
    });
    Coin {
        rules: Some(plain(name)),
        market: Some(market),
        position,
        setting: Some(MarginSetting { leverage: 5, cross: true }),
        brackets: vec![Bracket {
            floor: Notional::ZERO,
            cap: Notional::from(5000),
            max_leverage: 50,
            maint_rate: Rate::new(1, 2),
            cum: Notional::ZERO,
        }],
        managed: true,
        block: None,
    }
}

/// An account of `equity` with these coins; margin at 5x is tied up by what is held.
pub(crate) fn snapshot(equity: i64, coins: Vec<Coin>) -> Snapshot {
    let equity = Notional::new(equity, 0);
    let coins: std::collections::BTreeMap<_, _> =
        coins.into_iter().map(|coin| (coin.rules.as_ref().unwrap().symbol.clone(), coin)).collect();
    let gross: Notional = coins.values().map(|coin| coin.value().unwrap()).sum();
    let initial_margin = gross.over_rate(Rate::from(5)).unwrap();
    Snapshot {
        at: Time::default(),
        balance: Balance {
            wallet: equity,
            equity,
            available: equity - initial_margin,
            unrealized: Notional::ZERO,
            initial_margin,
            maint_margin: gross * Rate::new(1, 2),
        },
        modes: AccountModes { hedge: false, multi_assets: false, can_trade: true },
        coins,
    }
}

pub(crate) fn execution() -> Execution {
    Execution {
        market_orders: false,
        max_slippage_bps: Rate::from(50),
        leverage: 5,
        taker_fee: Rate::new(5, 4),
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        max_spread_bps: Rate::from(30),
        max_mark_gap: Rate::new(3, 2),
        max_orders: 60,
        max_turnover: Rate::new(12, 1),
        max_drawdown: Rate::new(3, 1),
        max_effective_leverage: Rate::from(3),
        min_liquidation_distance: Rate::new(2, 1),
        margin_buffer: Rate::new(5, 2),
        leverage: 5,
    }
}
