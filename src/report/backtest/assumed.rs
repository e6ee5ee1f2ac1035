//! What a backtest leaves out, in words: whoever reads its figures must know.

use crate::backtest::{Market, Terms};
use crate::domain::num::Rate;

/// What is not as it will be at an exchange, the most misleading first.
pub(super) fn not_modelled(market: &Market, terms: &Terms<'_>) -> Vec<String> {
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
    ]
}
