//! How far a coin must fall before it can be bought back: the threshold, or what the exchange allows.

use crate::domain::market::Market;
use crate::domain::num::{Notional, Rate};
use crate::domain::rules::Rules;
use crate::domain::snapshot::Coin;
use crate::strategy::Wish;

/// The band of one coin as its smallest order makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// What the smallest opening order is worth now.
    pub least: Notional,
    /// How far the coin must fall below its target to be bought back; `None` where that is never, since
    /// not even the whole target is an order.
    pub buy: Option<Rate>,
    /// The least target, in whole units of the quote, with which the coin is bought back as far below its
    /// target as it is sold above.
    pub symmetric: Option<Notional>,
}

impl Band {
    /// `None` where rules or prices are missing, and for a coin with a stop: bought once, never back.
    #[must_use]
    pub fn of(wish: &Wish, coin: &Coin, market_orders: bool) -> Option<Band> {
        if wish.stop.is_some() {
            return None;
        }
        let least = least_open(coin.rules.as_ref()?, coin.market.as_ref()?, market_orders)?;
        let buy = least.over(wish.target).map(|share| wish.threshold.max(share + wish.ends_at));
        let symmetric = least.over_rate(wish.threshold - wish.ends_at);
        Some(Band {
            least,
            buy: buy.filter(|band| *band < Rate::ONE).map(|band| band.rounded(4)),
            symmetric: symmetric.map(|target| target.ceil_to(Notional::ONE)),
        })
    }
}

/// What the smallest opening order of a contract is worth now.
#[must_use]
pub fn least_open(rules: &Rules, market: &Market, market_orders: bool) -> Option<Notional> {
    let price = market.mark.price;
    rules.least_open(price, market_orders).map(|qty| qty * price)
}
