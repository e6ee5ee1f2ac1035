//! The words for what the report says with stable codes.

use crate::domain::plan::{Reason, SkipReason};
use crate::report::pass::OrderOutcome;

/// What a halt means, after what it `found`.
pub(crate) fn refused(found: &str) -> String {
    format!("{found}trading is refused until `rebal risk-check --resume` is run by hand.")
}

/// Why a leg is there, in a few words and in one.
pub(crate) fn reason(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::Entry => ("new position", "new"),
        Reason::AboveBand => ("above band", "above"),
        Reason::BelowBand => ("below band", "below"),
        Reason::Calendar => ("calendar due", "calendar"),
        Reason::LeftUniverse => ("left the universe", "left"),
        Reason::Flatten => ("flatten", "flatten"),
        Reason::HardStop => ("hard stop", "stop"),
        Reason::Delisting => ("being delisted", "delisting"),
        Reason::StopLoss => ("stop loss", "stop loss"),
        Reason::TrailingStop => ("trailing stop", "trailing"),
    }
}

/// Why a coin is not traded, in a few words and in one.
pub(crate) fn skip(reason: SkipReason) -> (&'static str, &'static str) {
    match reason {
        SkipReason::NotListed => ("not listed", "unlisted"),
        SkipReason::NotTrading => ("not open for trading", "closed"),
        SkipReason::Delisting => ("being delisted", "delisting"),
        SkipReason::NoPrice => ("no price", "no price"),
        SkipReason::Spread => ("spread too wide", "spread"),
        SkipReason::MarkGap => ("mark far from book", "mark gap"),
        SkipReason::Infeasible => ("target too small", "too small"),
        SkipReason::BelowStep => ("less than one step", "step"),
        SkipReason::BelowMinQty => ("below smallest order", "min. qty"),
        SkipReason::BelowMinNotional => ("below smallest order", "min. size"),
        SkipReason::Unresolved => ("order unresolved", "unknown"),
        SkipReason::Stale => ("position not current", "stale"),
        SkipReason::ChangedElsewhere => ("changed elsewhere", "changed"),
        SkipReason::Isolated => ("isolated margin", "isolated"),
        SkipReason::Locked => ("tied up in orders", "locked"),
        SkipReason::Leverage => ("leverage limit", "leverage"),
        SkipReason::Margin => ("not enough margin", "margin"),
        SkipReason::Liquidation => ("liquidation too near", "liquid."),
        SkipReason::OrderCap => ("order limit reached", "order cap"),
        SkipReason::TurnoverCap => ("turnover limit", "turnover"),
        SkipReason::PositionCap => ("above position limit", "pos. cap"),
        SkipReason::Drawdown => ("drawdown limit", "drawdown"),
        SkipReason::Cooldown => ("cooling down", "cooling"),
        SkipReason::NoSlot => ("no free slot", "no slot"),
        SkipReason::Short => ("short position", "short"),
    }
}

/// A status as people say it.
pub(crate) fn status(status: OrderOutcome) -> &'static str {
    match status {
        OrderOutcome::NotSent => "not sent",
        other => other.as_str(),
    }
}

/// What follows from an order that did not do all it was sent for; empty where nothing does.
pub(crate) fn consequence(status: OrderOutcome) -> &'static str {
    match status {
        OrderOutcome::Filled => "",
        OrderOutcome::Partial => "the rest is cancelled; the next pass decides on what is really held",
        OrderOutcome::Expired => "nothing was filled at an acceptable price; the next pass decides anew",
        OrderOutcome::Rejected => "the exchange refused it, nothing was placed; the next pass decides anew",
        OrderOutcome::NotSent => "it never left this machine; the next pass decides anew",
        OrderOutcome::Unknown => {
            "only the exchange knows; the next pass asks it first and sends nothing for this coin before"
        }
        OrderOutcome::Accepted => "it still rests at the exchange; the next pass settles it first",
    }
}

/// Why an order was sent, from its code.
pub(crate) fn order_reason(code: &str) -> String {
    match code {
        "entry" => reason(Reason::Entry).0.to_owned(),
        other => other.replace('_', " "),
    }
}
