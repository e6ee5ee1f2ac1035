//! A decision, before it is checked and after: what to send, what to leave and why.

use serde::{Deserialize, Serialize};

use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::Side;
use crate::domain::symbol::Symbol;

/// Why a leg is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No position yet: bought to the target.
    Entry,
    /// Above its band: the excess is sold.
    AboveBand,
    /// Below its band: what is missing is bought.
    BelowBand,
    /// The calendar trigger is due.
    Calendar,
    /// No longer in the universe: closed.
    LeftUniverse,
    /// About to be delisted: closed.
    Delisting,
    /// At or below its stop under the entry price: all of it is sold.
    StopLoss,
    /// Fell too far from its highest price since it was bought: all of it is sold.
    TrailingStop,
    /// The owner wants everything closed.
    Flatten,
    /// The loss from the peak reached its limit.
    HardStop,
}

impl Reason {
    /// The word used in JSON, CSV and the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Entry => "entry",
            Reason::AboveBand => "above_band",
            Reason::BelowBand => "below_band",
            Reason::Calendar => "calendar",
            Reason::LeftUniverse => "left_universe",
            Reason::Delisting => "delisting",
            Reason::StopLoss => "stop_loss",
            Reason::TrailingStop => "trailing_stop",
            Reason::Flatten => "flatten",
            Reason::HardStop => "hard_stop",
        }
    }

    /// Whether a coin is sold because its price fell to a stop.
    #[must_use]
    pub fn is_stop(self) -> bool {
        matches!(self, Reason::StopLoss | Reason::TrailingStop)
    }
}

/// One order to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// The contract.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// May only shrink the position.
    pub reduce_only: bool,
    /// Base units, positive, fitted to the rules.
    pub qty: Qty,
    /// The mark price that the quantity was computed at.
    pub ref_price: Price,
    /// The worst acceptable price; `None` for a market order.
    pub limit_price: Option<Price>,
    /// `qty × ref_price`.
    pub notional: Notional,
    /// `value / target − 1` before the leg; `None` where the target is zero.
    pub drift: Option<Rate>,
    /// Why.
    pub reason: Reason,
    /// Spread of the book when decided.
    pub spread_bps: Rate,
    /// Taker fee expected.
    pub est_fee: Notional,
}

/// A coin inside its band.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The contract.
    pub symbol: Symbol,
    /// `qty × mark price`.
    pub value: Notional,
    /// What it should be worth.
    pub target: Notional,
    /// `value / target − 1`; `None` where the target is zero.
    pub drift: Option<Rate>,
}

/// Why a coin that should have been traded was not. A closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The exchange does not list it.
    NotListed,
    /// Listed, but not open for trading.
    NotTrading,
    /// Its end is announced: nothing is opened any more.
    Delisting,
    /// No mark price or no book.
    NoPrice,
    /// The book is wider than `execution.max_spread_bps`.
    Spread,
    /// Mark and book disagree by more than `execution.max_mark_gap`.
    MarkGap,
    /// The step or the minimum exceeds the target itself.
    Infeasible,
    /// The change is smaller than one step.
    BelowStep,
    /// The change is smaller than the smallest quantity.
    BelowMinQty,
    /// The change is worth less than the smallest order.
    BelowMinNotional,
    /// An order of ours has no known outcome yet.
    Unresolved,
    /// The position read is older than our last fill.
    Stale,
    /// Somebody else changed the position.
    ChangedElsewhere,
    /// Isolated margin.
    Isolated,
    /// Resting orders tie up part of it.
    Locked,
    /// Would exceed `risk.max_effective_leverage`.
    Leverage,
    /// Not enough free margin.
    Margin,
    /// Would come too close to liquidation.
    Liquidation,
    /// `execution.max_orders_per_pass` is used up.
    OrderCap,
    /// `execution.max_turnover_per_pass` is used up.
    TurnoverCap,
    /// Larger than the contract allows at this leverage.
    PositionCap,
    /// Drawdown above the limit: nothing is opened.
    Drawdown,
    /// Stopped out not long ago: not bought again yet.
    Cooldown,
    /// All slots are taken.
    NoSlot,
    /// Sold short, which no order of ours ever does.
    Short,
}

impl SkipReason {
    /// The word used in JSON and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SkipReason::NotListed => "not_listed",
            SkipReason::NotTrading => "not_trading",
            SkipReason::Delisting => "delisting",
            SkipReason::NoPrice => "no_price",
            SkipReason::Spread => "spread",
            SkipReason::MarkGap => "mark_gap",
            SkipReason::Infeasible => "infeasible",
            SkipReason::BelowStep => "below_step",
            SkipReason::BelowMinQty => "below_min_qty",
            SkipReason::BelowMinNotional => "below_min_notional",
            SkipReason::Unresolved => "unresolved",
            SkipReason::Stale => "stale",
            SkipReason::ChangedElsewhere => "changed_elsewhere",
            SkipReason::Isolated => "isolated",
            SkipReason::Locked => "locked",
            SkipReason::Leverage => "leverage",
            SkipReason::Margin => "margin",
            SkipReason::Liquidation => "liquidation",
            SkipReason::OrderCap => "order_cap",
            SkipReason::TurnoverCap => "turnover_cap",
            SkipReason::PositionCap => "position_cap",
            SkipReason::Drawdown => "drawdown",
            SkipReason::Cooldown => "cooldown",
            SkipReason::NoSlot => "no_slot",
            SkipReason::Short => "short",
        }
    }

    /// Whether a limit on the whole account left it out, or one on all orders of a decision.
    #[must_use]
    pub fn is_limit(self) -> bool {
        matches!(
            self,
            SkipReason::Leverage
                | SkipReason::Margin
                | SkipReason::Liquidation
                | SkipReason::OrderCap
                | SkipReason::TurnoverCap
        )
    }

    /// Whether the coin is left out because the strategy has no use for it now: nothing is amiss.
    #[must_use]
    pub fn is_waiting(self) -> bool {
        matches!(self, SkipReason::Cooldown | SkipReason::NoSlot)
    }
}

/// A coin that should have been traded and was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The contract.
    pub symbol: Symbol,
    /// Why, as a word.
    pub reason: SkipReason,
    /// Why, with the figures.
    pub detail: String,
}

/// Something the owner should know that stops nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// A stable word.
    pub code: String,
    /// The contract it is about, if one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub symbol: Option<Symbol>,
    /// The sentence.
    pub detail: String,
}

/// How one coin stands: a line of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The contract.
    pub symbol: Symbol,
    /// `qty × mark price`; `None` without a price.
    pub value: Option<Notional>,
    /// What it should be worth.
    pub target: Notional,
    /// `value / target − 1`; `None` where the target is zero or the value unknown.
    pub drift: Option<Rate>,
    /// Sells above target × (1 + this).
    pub sell_band: Rate,
    /// Really buys below target × (1 − this): the threshold, or the smallest order's share of the
    /// target where that is larger. `None` where it can never buy.
    pub effective_buy_band: Option<Rate>,
    /// Sold whole at or below target × (1 − this); `None` for a strategy without stops.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stop: Option<Rate>,
    /// Its value as a part of the whole portfolio; `None` for a strategy without shares.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub share: Option<Rate>,
    /// What that part should be.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target_share: Option<Rate>,
}

/// Leverage settings to bring in line before the first order of a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The contract.
    pub symbol: Symbol,
    /// Nominal leverage to set, where it differs.
    pub leverage: Option<u32>,
    /// Whether the margin type must be switched to cross.
    pub to_cross: bool,
}

/// A decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Reductions before increases, each group largest drift first.
    pub legs: Vec<Leg>,
    /// Coins inside their band.
    pub held: Vec<Held>,
    /// Coins that should have been traded and were not.
    pub skipped: Vec<Skipped>,
    /// What the owner should know.
    pub warnings: Vec<Warning>,
    /// Every coin of the strategy, in its order.
    pub coins: Vec<Standing>,
    /// Margin type and leverage to set first.
    pub settings: Vec<Setting>,
    /// Sum of all targets.
    pub gross_target: Notional,
}

impl Plan {
    /// Sum of the legs' notional.
    #[must_use]
    pub fn turnover(&self) -> Notional {
        self.legs.iter().map(|leg| leg.notional).sum()
    }

    /// Sum of the legs' expected fees.
    #[must_use]
    pub fn est_fees(&self) -> Notional {
        self.legs.iter().map(|leg| leg.est_fee).sum()
    }
}
