//! What each coin earned in a backtest, and what its executions were for.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::backtest::{Fill, Holding, Looks, Market, Outcome, Refused, Terms};
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::Side;
use crate::domain::plan::{Reason, SkipReason};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// Digits of realised profit, which is a share of a cost; the floating profit takes the rest of the sum.
const PROFIT_DIGITS: u32 = 8;

/// What one coin earned: net profit = realised + unrealised − fees − funding, to the last digit where quantities
/// have steps. Where any quantity can be traded they have 28 digits, and sums are off by less than 10⁻¹⁸.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoinResult {
    /// The contract.
    pub symbol: Symbol,
    /// Realised and floating profit, less fees and funding.
    pub net_profit: Notional,
    /// Executions.
    pub trades: u64,
    /// What sales earned over the average purchase price, fees apart.
    pub realized: Notional,
    /// The same of what was held at the end, at the last close.
    pub unrealized: Notional,
    /// Paid.
    pub fees: Notional,
    /// Paid less received.
    pub funding: Notional,
    /// What executions away from the close cost; part of the profits above.
    pub slippage: Notional,
    /// Notional of all executions.
    pub turnover: Notional,
    /// Sales.
    pub reductions: u64,
    /// Sales with a profit after their fee.
    pub wins: u64,
    /// Worth at the end.
    pub value: Notional,
    /// Bars without a price.
    pub unavailable: usize,
    /// Why purchases of it were refused; of a coin with executions, as far as anything was amiss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedRow>,
}

/// Purchases that decisions refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedRow {
    /// The most frequent reason, as in a plan.
    pub reason: SkipReason,
    /// With the figures of the first time.
    pub detail: String,
    /// At so many of the `decisions_looked_at`.
    pub times: usize,
}

/// A limit of the account that left out orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LimitRow {
    /// Which, as the reason in a plan.
    pub limit: SkipReason,
    /// At so many decisions.
    pub decisions: u64,
}

/// Executions that had the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonRow {
    /// Why.
    pub reason: &'static str,
    /// Executions.
    pub trades: u64,
    /// Their notional.
    pub turnover: Notional,
}

/// One execution, for those who want to look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The close at which it happened.
    pub at: Time,
    /// The contract.
    pub symbol: Symbol,
    /// Which way.
    pub side: Side,
    /// Why.
    pub reason: Reason,
    /// Base units.
    pub qty: Qty,
    /// Execution price.
    pub price: Price,
    /// Quote units.
    pub notional: Notional,
    /// Paid.
    pub fee: Notional,
}

/// What the executions of one coin tell beside its books.
#[derive(Clone, Debug)]
struct Replayed {
    /// Knows its entry price.
    books: Holding,
    realized: Notional,
    slippage: Notional,
    reductions: u64,
    wins: u64,
}

impl Replayed {
    fn take(&mut self, fill: &Fill, close: Option<Price>, fee: Rate) {
        // Nothing is sold that is not held: the books of the run say the same.
        let qty = fill.qty.max(-self.books.qty);
        if qty.is_negative() {
            let earned = self.books.entry().map_or(Notional::ZERO, |entry| -qty * (fill.price - entry));
            let earned = earned.rounded(PROFIT_DIGITS);
            self.realized += earned;
            self.reductions += 1;
            self.wins += u64::from(earned > (qty * fill.price).abs() * fee);
        }
        self.slippage += close.map_or(Notional::ZERO, |close| qty * (fill.price - close));
        self.books.trade(fill.qty, fill.price);
    }
}

/// Every coin, the best first.
pub(super) fn coins(market: &Market, terms: &Terms<'_>, outcome: &Outcome, looks: &Looks) -> Vec<CoinResult> {
    let new = Replayed {
        books: Holding::with_entry(terms.taker_fee),
        realized: Notional::ZERO,
        slippage: Notional::ZERO,
        reductions: 0,
        wins: 0,
    };
    let mut replayed = vec![new; market.coins()];
    for fill in &outcome.fills {
        if let Some(coin) = replayed.get_mut(fill.coin) {
            coin.take(fill, market.last_close(fill.bar, fill.coin), terms.taker_fee);
        }
    }
    let end = outcome.bars.saturating_sub(1);
    let result = |(coin, (holding, replayed)): (usize, (&Holding, Replayed))| {
        let last = market.last_close(end, coin);
        let value = last.map_or(Notional::ZERO, |last| holding.qty * last);
        let profit = value - holding.spent();
        // A coin that is sold to the last piece has nothing floating, whatever was rounded on the way.
        let realized = if holding.qty.is_zero() { profit } else { replayed.realized };
        Some(CoinResult {
            symbol: market.contracts.get(coin)?.rules.symbol.clone(),
            net_profit: holding.net_profit(last),
            trades: holding.trades,
            realized,
            unrealized: profit - realized,
            fees: holding.fees(),
            funding: -holding.funding,
            slippage: replayed.slippage,
            turnover: holding.turnover(),
            reductions: replayed.reductions,
            wins: replayed.wins,
            value,
            unavailable: market.unavailable(coin, outcome.bars),
            refused: looks.refused.get(&coin).and_then(|refused| told(refused, holding.trades)),
        })
    };
    let mut rows: Vec<CoinResult> =
        outcome.holdings.iter().zip(replayed).enumerate().filter_map(result).collect();
    rows.sort_by(|a, b| b.net_profit.cmp(&a.net_profit).then_with(|| a.symbol.cmp(&b.symbol)));
    rows
}

/// What is told of refusals: a coin that was bought may well have waited for a slot or for a price.
fn told(refused: &Refused, trades: u64) -> Option<RefusedRow> {
    let Refused { reason, detail, times } = refused.clone();
    let is_plain = reason.is_waiting() || reason == SkipReason::NoPrice;
    (trades == 0 || !is_plain).then_some(RefusedRow { reason, detail, times })
}

/// What the executions were for, the most frequent reason first.
pub(super) fn reasons(trades: &[Trade]) -> Vec<ReasonRow> {
    let mut rows: BTreeMap<&'static str, (u64, Notional)> = BTreeMap::new();
    for trade in trades {
        let row = rows.entry(trade.reason.as_str()).or_default();
        row.0 += 1;
        row.1 += trade.notional;
    }
    let mut rows: Vec<ReasonRow> =
        rows.into_iter().map(|(reason, (trades, turnover))| ReasonRow { reason, trades, turnover }).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.trades));
    rows
}

/// Every execution, in order.
pub(super) fn trades(market: &Market, terms: &Terms<'_>, outcome: &Outcome) -> Vec<Trade> {
    let trade = |fill: &Fill| {
        let notional = (fill.qty * fill.price).abs();
        Some(Trade {
            at: market.closes_at(fill.bar),
            symbol: market.contracts.get(fill.coin)?.rules.symbol.clone(),
            side: if fill.qty.is_negative() { Side::Sell } else { Side::Buy },
            reason: fill.reason,
            qty: fill.qty.abs(),
            price: fill.price,
            notional,
            fee: notional * terms.taker_fee,
        })
    };
    outcome.fills.iter().filter_map(trade).collect()
}
