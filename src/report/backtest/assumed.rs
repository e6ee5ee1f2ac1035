//! What a backtest leaves out, in words: whoever reads its figures must know.

use serde::{Deserialize, Serialize};

use crate::backtest::{Market, Terms};
use crate::domain::num::{Notional, Rate};

/// What positions on margin must be covered with, as a part of their value.
///
/// No public listing has the exchange's own tiers, which are an account's: those of a middling contract stand in
/// for them, whatever the coin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// The lowest rate of the coins' first tiers …
    pub first_lowest: Rate,
    /// … and the highest of these.
    pub first_highest: Rate,
    /// The first tier of every coin goes up to at least this value.
    pub first_up_to: Notional,
    /// The highest rate of the coins' last tiers.
    pub last: Rate,
    /// Where the rates are from: `assumed`.
    pub source: String,
}

impl Maintenance {
    /// Of the coins of a market; `None` on spot, where nothing is carried.
    #[must_use]
    pub fn of(market: &Market) -> Option<Maintenance> {
        if market.is_spot() {
            return None;
        }
        let firsts = || market.contracts.iter().filter_map(|contract| contract.brackets.first());
        let lasts = market.contracts.iter().filter_map(|contract| contract.brackets.last());
        Some(Maintenance {
            first_lowest: firsts().map(|tier| tier.maint_rate).min()?,
            first_highest: firsts().map(|tier| tier.maint_rate).max()?,
            first_up_to: firsts().map(|tier| tier.cap).min()?,
            last: lasts.map(|tier| tier.maint_rate).max()?,
            source: "assumed".into(),
        })
    }
}

/// What is not as it will be at an exchange, the most misleading first.
/// `stale` sales were of coins that had no bar then.
pub(super) fn not_modelled(market: &Market, terms: &Terms<'_>, stale: usize) -> Vec<String> {
    let percent = |rate: Rate| (rate * Rate::from(100)).rounded(4);
    let mut left_out = vec![
        "Survivorship: the coins are those that are listed and chosen today. What was delisted or collapsed \
         before is missing, so the past looks better than it was."
            .to_owned(),
        "Between two closes nothing is seen: the hard stop fires and sells at a close, which is optimistic. In a \
         crash the price falls on while orders go out."
            .to_owned(),
        format!(
            "Every order fills whole, at the close and {} % of slippage, whatever its size: no order book, no \
             partial fills, no wide spreads, no liquidity that is gone when it is needed.",
            percent(terms.slippage)
        ),
        "The exchange always answers: no outages, no refused orders, no request limits, no delistings.".to_owned(),
        format!(
            "Every execution pays {} % of its notional in the quote asset: no rebates, no fees in BNB or in the \
             coin.",
            percent(terms.taker_fee)
        ),
    ];
    if stale > 0 {
        let (sales, have) = if stale == 1 { ("sale", "has") } else { ("sales", "have") };
        left_out.push(format!(
            "{stale} {sales} of the hard stop {have} no bar to be sold in: such a coin was sold at its last close \
             before, which nobody may have paid by then."
        ));
    }
    left_out.extend(carried(market));
    left_out.push(
        "Steps and smallest orders are those of one listing for the whole period; no transfers, no taxes."
            .to_owned(),
    );
    left_out
}

/// What positions on margin add to it.
fn carried(market: &Market) -> Vec<String> {
    if market.is_spot() {
        return vec!["Coins and quote are never lent, staked or borrowed.".to_owned()];
    }
    let funding = match market.settlements.is_empty() {
        true => "No funding is charged: none was given for this period. Long positions usually pay it.",
        false => {
            "Funding is charged at the open of the bar in which it settles, on that price and not on the mark."
        }
    };
    vec![
        funding.to_owned(),
        "Margin is looked at on the last price, not on the mark; a liquidation loses everything, and no orders \
         rest at the exchange."
            .to_owned(),
        "Maintenance margin is assumed, as of a middling contract and the same for every coin: the exchange's own \
         tiers are in no listing. A small coin is liquidated earlier than here."
            .to_owned(),
    ]
}
