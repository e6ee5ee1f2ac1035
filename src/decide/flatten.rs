//! Everything held becomes orders that close it. Depends on least: no strategy, no history, no prices
//! beyond what the position itself carries.

use std::collections::BTreeMap;

use crate::decide::risk::{self, Approved};
use crate::domain::account::Position;
use crate::domain::num::{Notional, Qty, Rate};
use crate::domain::order::Side;
use crate::domain::plan::{Leg, Reason};
use crate::domain::rules::Rules;
use crate::domain::scope::Scope;
use crate::domain::symbol::Symbol;

/// Reduce-only market orders that close every position in `scope`, each cut at the contract's largest
/// market order, largest position first. A contract without rules is closed in one order.
#[must_use]
pub fn flatten(
    positions: &BTreeMap<Symbol, Position>,
    rules: &BTreeMap<Symbol, Rules>,
    scope: &Scope,
    reason: Reason,
) -> Approved {
    let mut meant: Vec<&Position> = positions
        .values()
        .filter(|position| scope.covers(&position.symbol) && !position.qty.is_zero())
        .collect();
    meant.sort_by(|a, b| b.value().abs().cmp(&a.value().abs()).then_with(|| a.symbol.cmp(&b.symbol)));
    let legs = meant.into_iter().flat_map(|position| exits(position, rules.get(&position.symbol), reason));
    risk::exits(legs.collect())
}

fn exits(position: &Position, rules: Option<&Rules>, reason: Reason) -> Vec<Leg> {
    let held = position.qty.abs();
    let price = position.mark_price;
    let mut parts = rules.and_then(|rules| rules.fit(held, price, true, true).ok()).unwrap_or_default();
    // What fits no rule is asked for all the same, in an order of its own that takes nothing else down
    // with it: reduce-only cannot overshoot, and the exchange's refusal says more than silence. On spot
    // what is left over is dust, which nobody can sell.
    let left = held - parts.iter().copied().sum::<Qty>();
    let is_dust = price.is_positive() && rules.is_some_and(|rules| rules.spot.is_some());
    if left.is_positive() && !is_dust {
        parts.push(left);
    }
    let leg = |qty: Qty| Leg {
        symbol: position.symbol.clone(),
        side: Side::of(-position.qty),
        reduce_only: true,
        qty,
        ref_price: price,
        limit_price: None,
        notional: qty * price,
        drift: None,
        reason,
        spread_bps: Rate::ZERO,
        est_fee: Notional::ZERO,
    };
    parts.into_iter().map(leg).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::decide::samples::{coin, symbol};
    use crate::domain::order::{ClientId, OrderKind, Purpose};

    /// A account with these positions at a price of 10; the rules allow 0.1 to 100 per order.
    fn account(held: &[(&str, &str)]) -> (BTreeMap<Symbol, Position>, BTreeMap<Symbol, Rules>) {
        let coins = held.iter().map(|(name, qty)| coin(name, "10", qty));
        let coins: Vec<_> = coins.map(|coin| (coin.position, coin.rules)).collect();
        let positions = coins.iter().filter_map(|(position, _)| position.clone());
        let rules = coins.iter().filter_map(|(_, rules)| rules.clone());
        (
            positions.map(|position| (position.symbol.clone(), position)).collect(),
            rules.map(|rules| (rules.symbol.clone(), rules)).collect(),
        )
    }

    fn shown(approved: &Approved) -> Vec<String> {
        let show =
            |leg: &Leg| format!("{} {} {} {}", leg.symbol, leg.side.as_str(), leg.qty, leg.reduce_only);
        approved.plan().legs.iter().map(show).collect()
    }

    #[test]
    fn longs_and_shorts_are_closed_in_chunks_largest_first() {
        let (positions, mut rules) =
            account(&[("AUSDT", "250.57"), ("BUSDT", "-7"), ("CUSDT", "300"), ("DUSDT", "0.05")]);
        rules.remove(&symbol("CUSDT"));
        let approved = flatten(&positions, &rules, &Scope::All, Reason::HardStop);
        assert_eq!(
            shown(&approved),
            [
                "CUSDT SELL 300 true",
                "AUSDT SELL 100 true",
                "AUSDT SELL 100 true",
                "AUSDT SELL 50.5 true",
                "AUSDT SELL 0.07 true",
                "BUSDT BUY 7 true",
                "DUSDT SELL 0.05 true"
            ]
        );
        for (order, _) in approved.orders(1, 1) {
            let id = ClientId::read(&order.request().client_id).unwrap();
            assert_eq!((id.purpose, order.request().kind), (Purpose::Flatten, OrderKind::Market));
        }
    }

    #[test]
    fn a_scope_leaves_the_rest_alone() {
        let (positions, rules) = account(&[("AUSDT", "5"), ("BUSDT", "7")]);
        let only = Scope::Symbols(BTreeSet::from([symbol("BUSDT")]));
        assert_eq!(shown(&flatten(&positions, &rules, &only, Reason::Flatten)), ["BUSDT SELL 7 true"]);
    }

    #[test]
    fn more_orders_than_have_ids_wait_for_the_next_round() {
        let (positions, rules) = account(&[("AUSDT", "30000"), ("BUSDT", "5")]);
        assert_eq!(flatten(&positions, &rules, &Scope::All, Reason::Flatten).plan().legs.len(), 200);
    }
}
