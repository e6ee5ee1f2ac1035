//! `rebal report` without a period: the account at a glance, and what its last 30 days came to.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::decide::exposure::exposure;
use crate::decide::nav::Nav;
use crate::decide::sector::Sector;
use crate::domain::history::PastPass;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::plan::Standing;
use crate::domain::snapshot::Snapshot;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::report::account_checks;
use crate::report::period::PeriodReport;

/// Digits kept of quotients; sums and products stay exact.
const RATE_DIGITS: u32 = 8;
const HOURS_PER_YEAR: u32 = 24 * 365;

/// One coin now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PositionRow {
    /// The contract.
    pub symbol: Symbol,
    /// Its sector.
    pub sector: Sector,
    /// Base units, signed.
    pub qty: Qty,
    /// `qty × mark`; `None` without a price.
    pub value: Option<Notional>,
    /// What it should be worth; `None` for a position outside the strategy.
    pub target: Option<Notional>,
    /// `value / target − 1`; `None` where either is missing or the target is zero.
    pub drift: Option<Rate>,
    /// Sells above target × (1 + this); `None` outside the strategy.
    pub sell_band: Option<Rate>,
    /// Really buys below target × (1 − this); `None` where it never can.
    pub buy_band: Option<Rate>,
    /// Average entry price; `None` when flat.
    pub entry_price: Option<Price>,
    /// `None` where the exchange has none.
    pub mark_price: Option<Price>,
    /// Floating profit.
    pub unrealized_pnl: Notional,
    /// Funding received less paid in the period.
    pub funding: Notional,
    /// The running estimate times the settlements of a year; `None` where the interval is not known.
    pub funding_annualised: Option<Rate>,
    /// When funding settles next.
    pub next_funding: Option<Time>,
    /// Where the exchange would liquidate, others frozen.
    pub liquidation_price: Option<Price>,
}

/// One pass of the past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassLine {
    /// Its number.
    pub pass_id: i64,
    /// Exchange time.
    pub at: Time,
    /// `traded`, `nothing_to_do`, …
    pub outcome: String,
    /// What the process ended with; `None` where it never ended.
    pub exit_code: Option<u8>,
    /// Orders that it decided.
    pub orders: u32,
}

/// `rebal.report/1` now: the figures of the last 30 days, and the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DashboardReport {
    /// The last 30 days, or since the start of a younger ledger.
    #[serde(flatten)]
    pub period: PeriodReport,
    /// Wallet plus floating profit.
    pub equity: Notional,
    /// What may back new orders.
    pub available: Notional,
    /// Floating profit of all positions.
    pub unrealized: Notional,
    /// Maintenance margin over equity; the exchange liquidates at 1.
    pub margin_ratio: Rate,
    /// Gross value of all positions over equity.
    pub effective_leverage: Rate,
    /// Quote units per unit.
    pub nav: Rate,
    /// Highest `nav` so far.
    pub peak_nav: Rate,
    /// `1 − nav / peak_nav`.
    pub drawdown: Rate,
    /// Where everything is sold.
    pub max_drawdown_limit: Rate,
    /// Every coin of the strategy and every position, the largest first.
    pub positions: Vec<PositionRow>,
    /// The last passes, newest first.
    pub passes: Vec<PassLine>,
    /// Orders whose outcome is not known.
    pub unresolved: usize,
}

/// What a dashboard is made of.
#[derive(Clone, Debug)]
pub struct Inputs<'a> {
    /// The last 30 days, or since the start of a younger ledger.
    pub period: PeriodReport,
    /// The account and its market now.
    pub snapshot: &'a Snapshot,
    /// The reading that belongs to it.
    pub nav: &'a Nav,
    /// Every coin of the strategy.
    pub standings: &'a [Standing],
    /// Hours between two settlements, where known.
    pub funding_hours: &'a BTreeMap<Symbol, u32>,
    /// Every coin's sector.
    pub sectors: &'a BTreeMap<Symbol, Sector>,
    /// The last passes, newest first.
    pub passes: Vec<PastPass>,
    /// Where everything is sold.
    pub max_drawdown: Rate,
    /// Orders whose outcome is not known.
    pub unresolved: usize,
}

impl DashboardReport {
    /// The report of what was read.
    #[must_use]
    pub fn of(inputs: Inputs<'_>) -> DashboardReport {
        let balance = &inputs.snapshot.balance;
        let plain = |amount: Notional| amount.over(Notional::ONE).unwrap_or_default().rounded(RATE_DIGITS);
        let funding: BTreeMap<Symbol, Notional> =
            inputs.period.per_coin.iter().map(|row| (row.symbol.clone(), row.funding)).collect();
        let mut positions = positions(&inputs, &funding);
        let size = |row: &PositionRow| row.value.unwrap_or_default().abs();
        positions.sort_by(|a, b| size(b).cmp(&size(a)).then_with(|| a.symbol.cmp(&b.symbol)));
        let line = |pass: PastPass| PassLine {
            pass_id: pass.id,
            at: pass.at,
            outcome: pass.outcome,
            exit_code: pass.exit_code,
            orders: pass.orders,
        };
        DashboardReport {
            equity: balance.equity,
            available: balance.available,
            unrealized: balance.unrealized,
            margin_ratio: account_checks::margin_ratio(balance).rounded(RATE_DIGITS),
            effective_leverage: exposure(inputs.snapshot, &[]).leverage.rounded(RATE_DIGITS),
            nav: plain(inputs.nav.nav),
            peak_nav: plain(inputs.nav.peak),
            drawdown: inputs.nav.drawdown().rounded(RATE_DIGITS),
            max_drawdown_limit: inputs.max_drawdown,
            positions,
            passes: inputs.passes.into_iter().map(line).collect(),
            unresolved: inputs.unresolved,
            period: inputs.period,
        }
    }
}

fn positions(inputs: &Inputs<'_>, funding: &BTreeMap<Symbol, Notional>) -> Vec<PositionRow> {
    let mut rows = Vec::new();
    for (symbol, coin) in &inputs.snapshot.coins {
        let standing = inputs.standings.iter().find(|standing| standing.symbol == *symbol);
        if coin.position.is_none() && standing.is_none() {
            continue;
        }
        let position = coin.position.as_ref();
        let mark = coin.market.map(|market| market.mark);
        let target = standing.map(|standing| standing.target);
        // A contract that stopped trading still has the mark price that its position is valued at.
        let value = coin.value().or_else(|| position.map(|position| position.value()));
        let ratio = value.zip(target).and_then(|(value, target)| value.over(target));
        let drift = ratio.map(|ratio| ratio - Rate::ONE);
        let yearly = |hours: &u32| Rate::from(HOURS_PER_YEAR).over(Rate::from(*hours));
        let settlements = inputs.funding_hours.get(symbol).and_then(yearly);
        rows.push(PositionRow {
            symbol: symbol.clone(),
            sector: inputs.sectors.get(symbol).copied().unwrap_or(Sector::Other),
            qty: coin.qty(),
            value,
            target,
            drift: drift.map(|drift| drift.rounded(RATE_DIGITS)),
            sell_band: standing.map(|standing| standing.sell_band),
            buy_band: standing.and_then(|standing| standing.effective_buy_band),
            entry_price: position.and_then(|position| position.entry()),
            mark_price: mark.map(|mark| mark.price).or(position.map(|position| position.mark_price)),
            unrealized_pnl: position.map_or(Notional::ZERO, |position| position.unrealized),
            funding: funding.get(symbol).copied().unwrap_or_default(),
            funding_annualised: mark
                .zip(settlements)
                .map(|(mark, settlements)| (mark.funding_rate * settlements).rounded(RATE_DIGITS)),
            next_funding: mark.and_then(|mark| mark.next_funding),
            liquidation_price: position.and_then(|position| position.liquidation_price),
        });
    }
    rows
}
