//! A pass: what was planned, what was sent, what became of it.

use serde::Serialize;

use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::{OrderStatus, Side};
use crate::domain::plan::Standing;
use crate::domain::stop::StopChange;
use crate::domain::symbol::Symbol;
use crate::report::fees::Fees;
use crate::report::flatten::Remaining;
use crate::report::heading::Heading;
use crate::report::plan::PlanReport;

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderOutcome {
    /// All of it was executed.
    Filled,
    /// Some of it was executed, the rest is gone.
    Partial,
    /// Nothing of it was executed and it is gone.
    Expired,
    /// The exchange refused it.
    Rejected,
    /// It never left this machine.
    NotSent,
    /// Only the exchange knows.
    Unknown,
    /// The exchange took it and it still rests there.
    Accepted,
}

impl OrderOutcome {
    /// The word used in JSON, CSV and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            OrderOutcome::Filled => "filled",
            OrderOutcome::Partial => "partial",
            OrderOutcome::Expired => "expired",
            OrderOutcome::Rejected => "rejected",
            OrderOutcome::NotSent => "not_sent",
            OrderOutcome::Unknown => "unknown",
            OrderOutcome::Accepted => "accepted",
        }
    }

    /// What the exchange's `status` means for an order of `qty` that has `filled` so far.
    #[must_use]
    pub fn of(status: &OrderStatus, qty: Qty, filled: Qty) -> OrderOutcome {
        match status {
            OrderStatus::Filled => OrderOutcome::Filled,
            OrderStatus::Rejected => OrderOutcome::Rejected,
            open if !open.is_final() => OrderOutcome::Accepted,
            _ if filled.is_zero() => OrderOutcome::Expired,
            _ if filled < qty => OrderOutcome::Partial,
            _ => OrderOutcome::Filled,
        }
    }

    /// Whether the order did all that it was sent for.
    #[must_use]
    pub fn is_done(self) -> bool {
        self == OrderOutcome::Filled
    }
}

/// One order and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderReport {
    /// The contract.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Why it was sent: a [`crate::domain::plan::Reason`] word, or `flatten`.
    pub reason: String,
    /// Our id.
    pub client_order_id: String,
    /// What became of it.
    pub status: OrderOutcome,
    /// Base units asked for.
    pub qty: Qty,
    /// Base units executed as far as is known.
    pub filled_qty: Qty,
    /// Mean execution price; `None` where nothing was executed.
    pub avg_price: Option<Price>,
    /// Fees paid; none where nothing was executed.
    #[serde(flatten)]
    pub fees: Fees,
    /// Profit realised, in the quote, without fees.
    pub realized_pnl: Notional,
    /// The exchange's or the network's words; absent where all went well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl OrderReport {
    /// `filled_qty × avg_price`; zero where nothing was executed.
    #[must_use]
    pub fn filled_notional(&self) -> Notional {
        self.avg_price.map_or(Notional::ZERO, |price| self.filled_qty * price)
    }
}

/// One change to the stops at the exchange and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StopReport {
    /// The change.
    #[serde(flatten)]
    pub change: StopChange,
    /// Our id of the stop that was placed or cancelled.
    pub client_order_id: String,
    /// The exchange's or the network's words; absent where all went well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every coin is inside its band, or cannot be traded.
    NothingToDo,
    /// Every order was filled.
    Traded,
    /// An order was refused, unfilled, or its outcome is unknown.
    Partial,
    /// Decided, and nothing sent because nobody wanted it sent.
    DryRun,
    /// Trading is refused until `risk-check --resume`.
    Halted,
    /// The hard stop fired and the account is flat.
    Stopped,
    /// The hard stop fired and positions are left.
    NotFlat,
    /// A signal stopped the pass after what was in flight was recorded.
    Interrupted,
}

impl Outcome {
    /// The word used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::NothingToDo => "nothing_to_do",
            Outcome::Traded => "traded",
            Outcome::Partial => "partial",
            Outcome::DryRun => "dry_run",
            Outcome::Halted => "halted",
            Outcome::Stopped => "stopped",
            Outcome::NotFlat => "not_flat",
            Outcome::Interrupted => "interrupted",
        }
    }
}

/// `rebal.pass/1`: one pass from plan to result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassReport {
    /// Always `rebal.pass/1`.
    pub schema: &'static str,
    /// When and which account.
    #[serde(flatten)]
    pub heading: Heading,
    /// The pass' name in the ledger.
    pub pass_id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether trading is refused.
    pub halted: bool,
    /// The halt's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt_id: Option<String>,
    /// What was decided; `None` where the pass ended before a decision.
    pub plan: Option<PlanReport>,
    /// Orders of this pass, in the order of sending.
    pub orders: Vec<OrderReport>,
    /// Positions that should have been closed and were not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remaining: Vec<Remaining>,
    /// What was changed about the stops at the exchange; absent where nothing was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<StopReport>,
    /// Orders of earlier passes whose outcome became known in this one.
    pub settled: Vec<OrderReport>,
    /// Equity in the quote before the first order; `None` where it was not read.
    pub equity_before: Option<Notional>,
    /// Equity in the quote after the last order; `None` where it was not read.
    pub equity_after: Option<Notional>,
    /// The process' exit code.
    pub exit_code: u8,
    /// Shares of a weighted portfolio before and after the orders; absent for other strategies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<ShareRow>,
    /// What else the owner should know, one sentence each.
    pub notes: Vec<String>,
}

/// One coin of a weighted portfolio around a pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShareRow {
    /// The contract.
    pub symbol: Symbol,
    /// Its part of the portfolio before the orders; `None` without a price.
    pub before: Option<Rate>,
    /// The same after what was really filled, at the same mark price.
    pub after: Option<Rate>,
    /// What it should be.
    pub target: Rate,
}

impl ShareRow {
    /// The shares of a plan's coins, moved by what `orders` filled; empty where the plan has none.
    #[must_use]
    pub fn of(plan: &PlanReport, orders: &[OrderReport]) -> Vec<ShareRow> {
        let whole = plan.coins.iter().find_map(|coin| coin.target.over_rate(coin.target_share?));
        let Some(whole) = whole.filter(Notional::is_positive) else { return Vec::new() };
        let traded = |symbol: &Symbol| -> Notional {
            let mark = plan.legs.iter().find(|leg| leg.symbol == *symbol).map(|leg| leg.ref_price);
            let of_coin = orders.iter().filter(|order| order.symbol == *symbol);
            let filled: Qty = of_coin.map(|order| order.side.signed(order.filled_qty)).sum();
            mark.map_or(Notional::ZERO, |mark| filled * mark)
        };
        let row = |coin: &Standing| {
            let after = coin.value.and_then(|value| (value + traded(&coin.symbol)).over(whole));
            Some(ShareRow {
                symbol: coin.symbol.clone(),
                before: coin.share.map(|share| share.rounded(6)),
                after: after.map(|share| share.rounded(6)),
                target: coin.target_share?,
            })
        };
        plan.coins.iter().filter_map(row).collect()
    }
}

impl PassReport {
    /// A pass that ended with `outcome` and has nothing else to tell yet; the caller fills the rest.
    #[must_use]
    pub fn new(heading: Heading, pass_id: &str, outcome: Outcome, exit_code: u8) -> PassReport {
        PassReport {
            schema: "rebal.pass/1",
            heading,
            pass_id: pass_id.to_owned(),
            outcome,
            halted: false,
            halt_id: None,
            plan: None,
            orders: Vec::new(),
            remaining: Vec::new(),
            stops: Vec::new(),
            settled: Vec::new(),
            equity_before: None,
            equity_after: None,
            exit_code,
            shares: Vec::new(),
            notes: Vec::new(),
        }
    }
}
