//! The hold twin: the coins of the strategy as they were at the start, and never rebalanced.
//!
//! Of each coin of the strategy it holds the quantity that the account held at the start of the period; of one that
//! was not there yet (or as a remainder alone) what the first day of the portfolio bought, at its entry price and
//! fees. It has the same leverage, and pays the funding that these quantities would have paid: each recorded row
//! scaled by its quantity over the account's own at that moment. Coins that the strategy has nothing to do with (the
//! owner's, BNB for fees) earn beside it what they earned in the account. So what rebalancing earned is the
//! account's net profit less the twin's, and is of the strategy's coins alone.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::domain::history::{BookedEntry, Sample};
use crate::domain::num::{Notional, Price, Qty};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::report::period::CoinRow;

/// Digits kept of amounts that were scaled or averaged: as many as the exchange counts in.
const MONEY_DIGITS: u32 = 8;

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
    /// Price profit + funding + fees + others.
    pub profit: Notional,
    /// Of all coins.
    pub price_profit: Notional,
    /// Of all coins.
    pub funding: Notional,
    /// Fees of the first purchase; zero where the coins were there at the start.
    pub fees: Notional,
    /// Net profit of coins outside the strategy: the same in both.
    pub others: Notional,
    /// Coin by coin.
    pub coins: Vec<TwinCoin>,
    /// What could not be known.
    pub notes: Vec<String>,
}

/// What the twin is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Basis<'a> {
    /// Coins of the reading that the period starts from.
    pub(super) start: &'a [Sample],
    /// First purchases of coins that were not there: the twin has them at their entry prices.
    pub(super) bought: &'a [Sample],
    /// What every coin of the account earned.
    pub(super) rows: &'a [CoinRow],
    /// Fees of that purchase.
    pub(super) fees: Notional,
    /// Readings of the period with their coins, in order, the last one included.
    pub(super) samples: &'a [(Time, Vec<Sample>)],
    /// Income rows of the period, and the asset of those that count.
    pub(super) income: &'a [BookedEntry],
    pub(super) quote: &'a str,
    /// What the passes of some readings traded, by the time of the reading.
    pub(super) moves: &'a BTreeMap<Time, BTreeMap<Symbol, Qty>>,
    /// What the twin can lose at most.
    pub(super) equity: Notional,
}

/// `None` where the strategy held nothing.
pub(super) fn twin(basis: &Basis<'_>) -> Option<Twin> {
    let ours = ours(basis);
    let mut twin = Twin { fees: basis.fees, ..Twin::default() };
    let is_bought = |symbol: &Symbol| basis.bought.iter().any(|coin| coin.symbol == *symbol);
    let there = basis.start.iter().filter(|coin| ours.contains(&coin.symbol) && !is_bought(&coin.symbol));
    let there = there.map(|coin| (coin, coin.mark));
    let bought = basis.bought.iter().map(|coin| (coin, Some(coin.entry)));
    let mut coins: Vec<(&Sample, Option<Price>)> =
        there.chain(bought).filter(|(coin, _)| !coin.qty.is_zero()).collect();
    coins.sort_by(|a, b| a.0.symbol.cmp(&b.0.symbol));
    for (sample, from) in coins {
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
    for coin in &mut twin.coins {
        coin.funding = coin.funding.rounded(MONEY_DIGITS);
        coin.price_profit = coin.price_profit.rounded(MONEY_DIGITS);
    }
    twin.price_profit = twin.coins.iter().map(|coin| coin.price_profit).sum();
    twin.funding = twin.coins.iter().map(|coin| coin.funding).sum();
    twin.fees = twin.fees.rounded(MONEY_DIGITS);
    let others = basis.rows.iter().filter(|row| !ours.contains(&row.symbol));
    twin.others = others.map(|row| row.net_profit).sum();
    twin.profit = twin.price_profit + twin.funding + twin.fees + twin.others;
    // Nobody loses more than there is: the exchange would have closed it before.
    if basis.equity.is_positive() && twin.profit < -basis.equity {
        twin.profit = -basis.equity;
        twin.notes.push("the hold twin would have been liquidated: it has lost all there was".into());
    }
    Some(twin)
}

/// The coins of the strategy: that had a target, or that orders of ours traded.
fn ours(basis: &Basis<'_>) -> BTreeSet<Symbol> {
    let wanted = basis.samples.iter().flat_map(|(_, coins)| coins).chain(basis.start).chain(basis.bought);
    let wanted = wanted.filter(|coin| coin.target.is_some()).map(|coin| coin.symbol.clone());
    let traded = basis.rows.iter().filter(|row| row.trades > 0).map(|row| row.symbol.clone());
    wanted.chain(traded).collect()
}

fn last_mark(samples: &[(Time, Vec<Sample>)], symbol: &Symbol) -> Option<(Time, Price)> {
    let mark = |coins: &[Sample]| coins.iter().find(|coin| coin.symbol == *symbol).and_then(|coin| coin.mark);
    samples.iter().rev().find_map(|(at, coins)| Some((*at, mark(coins)?)))
}

/// Each funding row, scaled from what the account held to what the twin holds. What was held at a
/// settlement is what the reading after it shows, unless the reading before it and the trades since say
/// otherwise: then somebody moved the coin between both, and nobody knows when.
fn charge(twin: &mut Twin, basis: &Basis<'_>) {
    let mut coins: BTreeMap<Symbol, &mut TwinCoin> =
        twin.coins.iter_mut().map(|coin| (coin.symbol.clone(), coin)).collect();
    let (mut unknown, mut absent) = (0, BTreeSet::new());
    for row in basis.income.iter().filter(|row| row.entry.is_funding() && row.entry.asset == basis.quote) {
        let next = basis.samples.partition_point(|(at, _)| *at < row.entry.at);
        let after = basis.samples.get(next).map(|(_, coins)| coins.as_slice());
        let away = coins.keys().filter(|symbol| after.is_some_and(|coins| held(coins, symbol).is_zero()));
        absent.extend(away.cloned());
        let Ok(symbol) = row.entry.symbol.parse::<Symbol>() else { continue };
        let Some(coin) = coins.get_mut(&symbol) else { continue };
        let before = next.checked_sub(1).and_then(|before| basis.samples.get(before)).map(|(at, coins)| {
            let moved = basis.moves.get(at).and_then(|moves| moves.get(&symbol)).copied();
            held(coins, &symbol) + moved.unwrap_or_default()
        });
        let sure = after
            .map(|coins| held(coins, &symbol))
            .filter(|after| before.is_none_or(|before| before == *after));
        match sure.and_then(|held| coin.qty.over(held)) {
            Some(share) => coin.funding += row.entry.amount * share,
            None => unknown += 1,
        }
    }
    if unknown > 0 {
        twin.notes.push(format!(
            "the hold twin leaves out funding of coins that were moved around the settlement ({unknown} rows)"
        ));
    }
    if !absent.is_empty() {
        let names: Vec<&str> = absent.iter().map(Symbol::as_str).collect();
        twin.notes.push(format!(
            "the hold twin pays no funding of {} for the time in which the account did not hold them: nobody knows the rates",
            names.join(", ")
        ));
    }
}

fn held(coins: &[Sample], symbol: &Symbol) -> Qty {
    coins.iter().find(|coin| coin.symbol == *symbol).map_or(Qty::ZERO, |coin| coin.qty)
}
