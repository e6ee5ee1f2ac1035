//! Everything held becomes reduce-only orders. Depends on least: no strategy, no history, no prices
//! beyond what the position itself carries.

use std::collections::BTreeSet;

use crate::decide::risk::{Approved, approve_exits};
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::Side;
use crate::domain::plan::{Leg, Plan, Reason};
use crate::domain::snapshot::{Coin, Snapshot};
use crate::domain::symbol::Symbol;

/// Which positions are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    All,
    /// These.
    Symbols(BTreeSet<Symbol>),
}

impl Scope {
    /// Whether `symbol` is meant.
    #[must_use]
    pub fn covers(&self, symbol: &Symbol) -> bool {
        match self {
            Scope::All => true,
            Scope::Symbols(symbols) => symbols.contains(symbol),
        }
    }
}

/// Market orders that close every position in `scope`, each cut at the contract's maximum, largest
/// position first.
#[must_use]
pub fn flatten(snapshot: &Snapshot, scope: &Scope, taker_fee: Rate) -> Approved {
    let mut legs: Vec<Leg> = snapshot
        .coins
        .iter()
        .filter(|(symbol, coin)| scope.covers(symbol) && !coin.qty().is_zero())
        .flat_map(|(symbol, coin)| exits(symbol, coin, taker_fee))
        .collect();
    legs.sort_by(|a, b| b.notional.cmp(&a.notional).then_with(|| a.symbol.cmp(&b.symbol)));
    approve_exits(Plan { legs, ..Plan::default() })
}

fn exits(symbol: &Symbol, coin: &Coin, taker_fee: Rate) -> Vec<Leg> {
    let held = coin.qty();
    let price = coin
        .market
        .map(|market| market.mark.price)
        .or(coin.position.as_ref().map(|position| position.mark_price))
        .unwrap_or(Price::ZERO);
    // Without rules, or where a remainder fits none, the whole is asked for: reduce-only cannot
    // overshoot, and the exchange's refusal says more than silence.
    let fitted = coin.rules.as_ref().and_then(|rules| rules.fit(held.abs(), price, true, true).ok());
    let parts = fitted.unwrap_or_else(|| vec![held.abs()]);
    let leg = |qty: Qty| {
        let notional: Notional = qty * price;
        Leg {
            symbol: symbol.clone(),
            side: Side::of(-held),
            reduce_only: true,
            qty,
            ref_price: price,
            limit_price: None,
            notional,
            drift: None,
            reason: Reason::Flatten,
            spread_bps: coin
                .market
                .and_then(|market| market.quote.spread_bps())
                .unwrap_or_default()
                .rounded(2),
            est_fee: notional * taker_fee,
        }
    };
    parts.into_iter().map(leg).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::samples::{coin, snapshot, symbol};
    use crate::domain::order::ClientId;
    use crate::domain::order::Purpose;

    #[test]
    fn every_position_is_closed_in_chunks_of_the_maximum_longs_and_shorts() {
        let mut blind = coin("CUSDT", "10", "3");
        blind.rules = None;
        blind.market = None;
        let mut coins = vec![coin("AUSDT", "10", "250.5"), coin("BUSDT", "10", "-7")];
        coins.push(coin("CUSDT", "10", "3"));
        let mut snapshot = snapshot(200, coins);
        snapshot.coins.insert(symbol("CUSDT"), blind);
        let approved = flatten(&snapshot, &Scope::All, Rate::ZERO);
        let legs: Vec<_> = approved
            .plan()
            .legs
            .iter()
            .map(|leg| format!("{} {} {} {}", leg.symbol, leg.side.as_str(), leg.qty, leg.reduce_only))
            .collect();
        assert_eq!(
            legs,
            [
                "AUSDT SELL 100 true",
                "AUSDT SELL 100 true",
                "AUSDT SELL 50.5 true",
                "BUSDT BUY 7 true",
                "CUSDT SELL 3 true"
            ]
        );
        let purposes = approved.orders(1, 1);
        assert!(purposes.iter().all(|(order, _)| {
            ClientId::read(&order.request().client_id).is_some_and(|id| id.purpose == Purpose::Flatten)
        }));
    }

    #[test]
    fn a_scope_leaves_the_rest_alone() {
        let snapshot = snapshot(200, vec![coin("AUSDT", "10", "5"), coin("BUSDT", "10", "7")]);
        let only = Scope::Symbols(BTreeSet::from([symbol("BUSDT")]));
        let approved = flatten(&snapshot, &only, Rate::ZERO);
        assert_eq!(approved.plan().legs.len(), 1);
        assert_eq!(approved.plan().legs[0].symbol, symbol("BUSDT"));
    }
}
