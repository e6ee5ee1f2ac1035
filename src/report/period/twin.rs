//! The hold twin: the same coins bought at the start and never rebalanced.
//!
//! It holds the quantities that the account held at the start of the period (or, where it held
//! nothing yet, those that its first day bought, each at its entry price and fees), with the same
//! leverage, and pays the funding that these quantities would have paid: each recorded row scaled by
//! its quantity over the account's own at that moment. What rebalancing earned is the account's net
//! profit less the twin's.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::history::{BookedEntry, Sample};
use crate::domain::num::{Notional, Price, Qty};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// What the twin earned on one coin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TwinCoin {
    /// The contract.
    pub symbol: Symbol,
    /// Base units held throughout.
    pub qty: Qty,
    /// Price at the start.
    pub from_price: Price,
    /// Price at the end.
    pub to_price: Price,
    /// `qty × (to − from)`.
    pub price_profit: Notional,
    /// Funding received less paid.
    pub funding: Notional,
}

/// What never rebalancing would have come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Twin {
    /// Price profit + funding + fees.
    pub profit: Notional,
    /// Of all coins.
    pub price_profit: Notional,
    /// Of all coins.
    pub funding: Notional,
    /// Fees of the first purchase; zero where the coins were there at the start.
    pub fees: Notional,
    /// Coin by coin.
    pub coins: Vec<TwinCoin>,
    /// What could not be known.
    pub notes: Vec<String>,
}

/// What the twin is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Basis<'a> {
    /// Coins of the reading it starts from.
    pub(super) start: &'a [Sample],
    /// The account bought them in this period: it starts at their entry prices.
    pub(super) bought: bool,
    /// Fees of that purchase.
    pub(super) fees: Notional,
    /// Readings of the period with their coins, in order, the last one included.
    pub(super) samples: &'a [(Time, Vec<Sample>)],
    /// Income rows of the period.
    pub(super) income: &'a [BookedEntry],
}

/// `None` where nothing was held.
pub(super) fn twin(basis: &Basis<'_>) -> Option<Twin> {
    let mut twin = Twin { fees: basis.fees, ..Twin::default() };
    for sample in basis.start.iter().filter(|sample| !sample.qty.is_zero()) {
        let from = if basis.bought { Some(sample.entry) } else { sample.mark };
        match (from, last_mark(basis.samples, &sample.symbol)) {
            (Some(from), Some((seen, to))) => {
                if basis.samples.last().is_some_and(|(end, _)| *end != seen) {
                    twin.notes.push(format!(
                        "the hold twin's {} counts at its last known price, of {seen}, without funding since",
                        sample.symbol
                    ));
                }
                let price_profit = sample.qty * (to - from);
                twin.coins.push(TwinCoin {
                    symbol: sample.symbol.clone(),
                    qty: sample.qty,
                    from_price: from,
                    to_price: to,
                    price_profit,
                    funding: Notional::ZERO,
                });
            }
            _ => twin.notes.push(format!("the hold twin leaves out {}: it has no price", sample.symbol)),
        }
    }
    if twin.coins.is_empty() {
        return None;
    }
    charge(&mut twin, basis);
    twin.price_profit = twin.coins.iter().map(|coin| coin.price_profit).sum();
    twin.funding = twin.coins.iter().map(|coin| coin.funding).sum();
    twin.profit = twin.price_profit + twin.funding + twin.fees;
    Some(twin)
}

fn last_mark(samples: &[(Time, Vec<Sample>)], symbol: &Symbol) -> Option<(Time, Price)> {
    let mark = |coins: &[Sample]| coins.iter().find(|coin| coin.symbol == *symbol).and_then(|coin| coin.mark);
    samples.iter().rev().find_map(|(at, coins)| Some((*at, mark(coins)?)))
}

/// Each funding row, scaled from what the account held to what the twin holds. The first reading
/// after a row shows what was held at its time: only passes trade, after their reading.
fn charge(twin: &mut Twin, basis: &Basis<'_>) {
    let mut coins: BTreeMap<Symbol, &mut TwinCoin> =
        twin.coins.iter_mut().map(|coin| (coin.symbol.clone(), coin)).collect();
    let mut unknown = 0;
    for row in basis.income.iter().filter(|row| row.entry.kind == "FUNDING_FEE") {
        let Ok(symbol) = row.entry.symbol.parse::<Symbol>() else { continue };
        let Some(coin) = coins.get_mut(&symbol) else { continue };
        let next = basis.samples.partition_point(|(at, _)| *at < row.entry.at);
        let held = basis.samples.get(next).and_then(|(_, coins)| {
            coins.iter().find(|sample| sample.symbol == symbol).map(|sample| sample.qty)
        });
        match held.and_then(|held| coin.qty.over(held)) {
            Some(share) => coin.funding += row.entry.amount * share,
            None => unknown += 1,
        }
    }
    if unknown > 0 {
        twin.notes
            .push(format!("the hold twin leaves out funding rows without a reading after them ({unknown})"));
    }
}
