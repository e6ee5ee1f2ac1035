//! All that a decision may see, at one instant.

use std::collections::BTreeMap;

use crate::domain::account::{AccountModes, Balance, Bracket, MarginSetting, Position};
use crate::domain::market::Market;
use crate::domain::num::{Notional, Qty};
use crate::domain::rules::Rules;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// One coherent look at the account and its market.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Exchange time of the look.
    pub at: Time,
    /// Totals in the quote asset.
    pub balance: Balance,
    /// Account-wide modes.
    pub modes: AccountModes,
    /// Every contract that the pass looks at: the universe and whatever is held.
    pub coins: BTreeMap<Symbol, Coin>,
}

/// What is known of one contract. Absent figures are `None`, never zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coin {
    /// Trading rules; `None` where the exchange does not list it.
    pub rules: Option<Rules>,
    /// Prices; `None` where there are none to trust.
    pub market: Option<Market>,
    /// The open position; `None` is flat.
    pub position: Option<Position>,
    /// Leverage and margin type now set; `None` where the exchange did not say.
    pub setting: Option<MarginSetting>,
    /// Maintenance tiers, ascending; empty where unknown.
    pub brackets: Vec<Bracket>,
    /// Whether our own orders made (part of) the position, so that we may close it.
    pub managed: bool,
    /// Why nothing may be sent for it in this pass.
    pub block: Option<Block>,
}

/// Why a contract is left alone in this pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// An order of ours has no known outcome yet.
    Unresolved {
        /// From when the exchange can no longer accept it.
        until: Time,
    },
    /// The position read does not yet contain our own last fill.
    Stale,
    /// The position changed by somebody else's hand since the last pass.
    ChangedElsewhere {
        /// What our own fills say it should be.
        expected: Qty,
        /// What the exchange says it is.
        found: Qty,
    },
    /// The contract is set to isolated margin, which rebal does not trade.
    Isolated,
    /// Resting orders of somebody's tie up part of the coin, so that not all of it can be sold.
    Locked {
        /// Base units tied up.
        qty: Qty,
    },
}

impl Coin {
    /// Base units held, signed; zero when flat.
    #[must_use]
    pub fn qty(&self) -> Qty {
        self.position.as_ref().map_or(Qty::ZERO, |position| position.qty)
    }

    /// `qty × mark price`; `None` where a position exists but no price.
    #[must_use]
    pub fn value(&self) -> Option<Notional> {
        if self.qty().is_zero() {
            return Some(Notional::ZERO);
        }
        let mark = self.market.map(|market| market.mark.price)?;
        Some(self.qty() * mark)
    }

    /// Whether a coin of a spot account is what a sale left over, which no order can sell. One that fell
    /// below the smallest order is not: at its entry price it could be sold.
    #[must_use]
    pub fn is_dust(&self) -> bool {
        let (Some(rules), Some(position)) = (&self.rules, &self.position) else { return false };
        let price = position.mark_price.max(position.entry_price);
        rules.spot.is_some() && rules.rounded(position.qty, price, false, true).is_zero()
    }

    /// Whether there is a position worth the name.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.qty().is_zero() && !self.is_dust()
    }
}

impl Snapshot {
    /// What a strategy over `symbols` works with: the equity, without the coins of a spot account that are
    /// neither among them nor bought by us. A contract of somebody else's takes no equity away.
    #[must_use]
    pub fn equity_of(&self, symbols: &[Symbol]) -> Notional {
        let is_theirs = |symbol: &Symbol, coin: &Coin| {
            let spot = coin.rules.as_ref().is_some_and(|rules| rules.spot.is_some());
            spot && !coin.managed && !symbols.contains(symbol)
        };
        let theirs = self.coins.iter().filter(|(symbol, coin)| is_theirs(symbol, coin));
        let worth = |coin: &Coin| coin.position.as_ref().map(Position::value).unwrap_or_default();
        self.balance.equity - theirs.map(|(_, coin)| worth(coin)).sum()
    }

    /// Sum of `|value|` of every position; positions without a price count at their last mark.
    #[must_use]
    pub fn gross(&self) -> Notional {
        let worth = |coin: &Coin| {
            coin.value()
                .or_else(|| coin.position.as_ref().map(|position| position.value()))
                .unwrap_or_default()
                .abs()
        };
        self.coins.values().map(worth).sum()
    }
}
