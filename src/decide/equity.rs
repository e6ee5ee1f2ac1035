//! Whether a reading of the account can be believed.
//!
//! A drawdown stop that trusts one bad answer sells everything at the bottom: on 2025-10-10 some
//! accounts read as empty for half an hour while nothing was lost. So the change since the last
//! reading must be explained: the wallet by our fills and the exchange's income rows, the floating
//! profit by positions and prices. What cannot be explained is not equity, and nothing follows from it.

use std::collections::BTreeMap;

use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::snapshot::Snapshot;
use crate::domain::symbol::Symbol;

/// What the last reading leaves to be expected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// What the wallet must hold: the last reading, our fills since, and income rows since.
    pub wallet: Notional,
    /// Quantity and entry price of each position then, of contracts without a fill of ours since.
    pub untouched: BTreeMap<Symbol, (Qty, Price)>,
}

/// Why a reading is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unexplained {
    /// The wallet holds something else than all known changes leave.
    #[error(
        "the wallet holds {found:.2}, but the last reading and every change since that the exchange tells of leave {expected:.2}"
    )]
    Wallet {
        /// What the exchange says.
        found: Notional,
        /// What it must be.
        expected: Notional,
    },
    /// Floating profit is not quantity × (mark − entry).
    #[error("floating profit reads as {found:.2}, but positions and mark prices make {expected:.2}")]
    Floating {
        /// What the exchange says.
        found: Notional,
        /// What it must be.
        expected: Notional,
    },
    /// What a position cost is not known, so nobody can say what it gained.
    #[error("what the position in {0} cost on average is not known")]
    NoEntry(Symbol),
    /// A coin of a spot account came or went without a trade.
    #[error(
        "{found} {symbol} are held where our books have {expected}, and no trade explains it; a deposit or withdrawal is taken over once it has stood for an hour"
    )]
    Coin {
        /// The pair.
        symbol: Symbol,
        /// What the exchange shows.
        found: Qty,
        /// What our books have.
        expected: Qty,
    },
    /// A coin of a spot account has a pair no more: nothing here can price or sell it.
    #[error(
        "{symbol} is not listed any more, and {expected} of it are in our books: convert or withdraw them at the exchange; after an hour they are out of the account's worth"
    )]
    Delisted {
        /// The pair.
        symbol: Symbol,
        /// What our books have.
        expected: Qty,
    },
    /// An entry price moved although the position did not.
    #[error("the entry price of {symbol} went from {before} to {after} without a trade")]
    Entry {
        /// The contract.
        symbol: Symbol,
        /// At the last reading.
        before: Price,
        /// Now.
        after: Price,
    },
}

/// Holds a reading against what the last one leaves to be expected.
pub fn explain(snapshot: &Snapshot, expected: Option<&Expected>) -> Result<(), Unexplained> {
    floating(snapshot)?;
    let Some(expected) = expected else { return Ok(()) };
    wallet(snapshot.balance.wallet, expected.wallet)?;
    for (symbol, (qty, before)) in &expected.untouched {
        let Some(position) = snapshot.coins.get(symbol).and_then(|coin| coin.position.as_ref()) else {
            continue;
        };
        let moved = (position.entry_price - *before).abs();
        if position.qty == *qty && moved > *before * Rate::new(1, 3) {
            return Err(Unexplained::Entry {
                symbol: symbol.clone(),
                before: *before,
                after: position.entry_price,
            });
        }
    }
    Ok(())
}

/// Holds a wallet against what all known changes leave. An income row may appear a little after the
/// balance it changed: half a per cent, at least one unit.
pub fn wallet(found: Notional, expected: Notional) -> Result<(), Unexplained> {
    let slack = (expected.abs() * Rate::new(5, 3)).max(Notional::ONE);
    if (found - expected).abs() > slack {
        return Err(Unexplained::Wallet { found, expected });
    }
    Ok(())
}

/// The exchange's floating profit against positions × (mark − entry). Account and prices are read a
/// moment apart, so a hundredth of what is held may lie between them.
fn floating(snapshot: &Snapshot) -> Result<(), Unexplained> {
    let mut expected = Notional::ZERO;
    let mut gross = Notional::ZERO;
    for coin in snapshot.coins.values() {
        let Some(position) = &coin.position else { continue };
        let mark = coin.market.map_or(position.mark_price, |market| market.mark.price);
        // Zero is not a price.
        let entry = position.entry().ok_or_else(|| Unexplained::NoEntry(position.symbol.clone()))?;
        expected += position.qty * (mark - entry);
        gross += (position.qty * mark).abs();
    }
    let found = snapshot.balance.unrealized;
    let slack = gross * Rate::new(1, 2) + Notional::new(5, 2);
    if (found - expected).abs() > slack {
        return Err(Unexplained::Floating { found, expected });
    }
    let sum = snapshot.balance.wallet + found;
    if (snapshot.balance.equity - sum).abs() > slack {
        return Err(Unexplained::Floating {
            found: snapshot.balance.equity - snapshot.balance.wallet,
            expected,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::samples::{coin, snapshot, symbol};

    fn expected(wallet: u32) -> Expected {
        let untouched = BTreeMap::from([(symbol("AUSDT"), (Qty::from(10), Price::from(10)))]);
        Expected { wallet: Notional::from(wallet), untouched }
    }

    fn account() -> Snapshot {
        snapshot(200, vec![coin("AUSDT", "10", "10")])
    }

    #[test]
    fn a_reading_that_follows_from_the_last_is_believed() {
        assert_eq!(explain(&account(), Some(&expected(200))), Ok(()));
        assert_eq!(explain(&account(), Some(&expected(201))), Ok(()));
        assert_eq!(explain(&account(), None), Ok(()));
    }

    #[test]
    fn an_empty_wallet_that_no_row_explains_is_not() {
        let mut empty = account();
        empty.balance.wallet = Notional::ZERO;
        empty.balance.equity = Notional::ZERO;
        assert!(matches!(explain(&empty, Some(&expected(200))), Err(Unexplained::Wallet { .. })));
        assert!(matches!(explain(&account(), Some(&expected(190))), Err(Unexplained::Wallet { .. })));
    }

    #[test]
    fn floating_profit_must_be_that_of_the_positions() {
        let mut torn = account();
        torn.balance.unrealized = -Notional::from(60);
        torn.balance.equity = Notional::from(140);
        assert!(matches!(explain(&torn, Some(&expected(200))), Err(Unexplained::Floating { .. })));
        let mut unsummed = account();
        unsummed.balance.equity = Notional::from(140);
        assert!(matches!(explain(&unsummed, None), Err(Unexplained::Floating { .. })));
    }

    #[test]
    fn an_entry_price_of_zero_is_none() {
        let mut spot = account();
        let position = spot.coins.get_mut(&symbol("AUSDT")).unwrap().position.as_mut().unwrap();
        position.entry_price = Price::ZERO;
        // Not even where the figures happen to fit.
        spot.balance.unrealized = Notional::from(100);
        spot.balance.equity = Notional::from(300);
        assert_eq!(explain(&spot, None), Err(Unexplained::NoEntry(symbol("AUSDT"))));
    }

    #[test]
    fn an_entry_price_does_not_move_by_itself() {
        let mut moved = account();
        let position = moved.coins.get_mut(&symbol("AUSDT")).unwrap().position.as_mut().unwrap();
        position.entry_price = "10.02".parse().unwrap();
        assert!(matches!(explain(&moved, Some(&expected(200))), Err(Unexplained::Entry { .. })));
    }
}
