//! A plan with the account's figures before and after it.

use serde::Serialize;

use crate::domain::num::{Notional, Rate};
use crate::domain::plan::{Held, Leg, Plan, Setting, Skipped, Standing, Warning};
use crate::domain::stop::StopChange;
use crate::report::heading::Heading;

/// Digits kept of figures that are quotients; products and sums stay exact.
const RATE_DIGITS: u32 = 8;

/// The account's figures around a plan, computed by the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanFigures {
    /// The plan's name in the ledger.
    pub plan_id: String,
    /// What values are counted in: `USDT`.
    pub quote: String,
    /// Wallet plus floating profit, in the quote.
    pub equity: Notional,
    /// What may back new orders, in the quote.
    pub available: Notional,
    /// Value of one unit of the account; 1 at the start.
    pub nav: Rate,
    /// `1 − nav / peak nav`.
    pub drawdown: Rate,
    /// Gross position value over equity now.
    pub leverage_before: Rate,
    /// The same after the plan.
    pub leverage_after: Rate,
    /// The uniform fall of the whole basket that would liquidate now; `None` where none would.
    pub liquidation_before: Option<Rate>,
    /// The same after the plan.
    pub liquidation_after: Option<Rate>,
    /// The halt's id while trading is refused.
    pub halted: Option<String>,
    /// What is to change about the stops at the exchange.
    pub stops: Vec<StopChange>,
}

/// `rebal.plan/1`: what would be sent, what is left alone, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanReport {
    /// Always `rebal.plan/1`.
    pub schema: &'static str,
    /// When and which account.
    #[serde(flatten)]
    pub heading: Heading,
    /// The plan's name in the ledger.
    pub plan_id: String,
    /// Whether trading is refused.
    pub halted: bool,
    /// The halt's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt_id: Option<String>,
    /// What values are counted in: `USDT`.
    pub quote: String,
    /// Wallet plus floating profit, in the quote.
    pub equity: Notional,
    /// What may back new orders, in the quote.
    pub available: Notional,
    /// Value of one unit of the account; 1 at the start.
    pub nav: Rate,
    /// `1 − nav / peak nav`.
    pub drawdown: Rate,
    /// Gross position value over equity now.
    pub leverage_before: Rate,
    /// The same after the plan.
    pub leverage_after: Rate,
    /// The uniform fall of the whole basket that would liquidate now; `None` where none would.
    pub liquidation_distance_before: Option<Rate>,
    /// The same after the plan.
    pub liquidation_distance_after: Option<Rate>,
    /// Whether there is any leg, or any change to the stops at the exchange.
    pub has_changes: bool,
    /// Sum of the legs' notional, in the quote.
    pub turnover: Notional,
    /// Sum of the legs' expected fees, in the quote.
    pub est_fees: Notional,
    /// Orders to be, in the order of sending.
    pub legs: Vec<Leg>,
    /// Coins inside their band.
    pub held: Vec<Held>,
    /// Coins that should have been traded and were not.
    pub skipped: Vec<Skipped>,
    /// What the owner should know.
    pub warnings: Vec<Warning>,
    /// Every coin of the strategy, in its order.
    pub coins: Vec<Standing>,
    /// Margin type and leverage to set before the first order.
    pub settings: Vec<Setting>,
    /// Stops to place, move or remove at the exchange; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<StopChange>,
}

impl PlanReport {
    /// The report of `plan` with the account's `figures` around it.
    #[must_use]
    pub fn new(heading: Heading, figures: PlanFigures, plan: &Plan) -> PlanReport {
        PlanReport {
            schema: "rebal.plan/1",
            heading,
            plan_id: figures.plan_id,
            halted: figures.halted.is_some(),
            halt_id: figures.halted,
            quote: figures.quote,
            equity: figures.equity,
            available: figures.available,
            nav: tidy(figures.nav),
            drawdown: tidy(figures.drawdown),
            leverage_before: tidy(figures.leverage_before),
            leverage_after: tidy(figures.leverage_after),
            liquidation_distance_before: figures.liquidation_before.map(tidy),
            liquidation_distance_after: figures.liquidation_after.map(tidy),
            has_changes: !plan.legs.is_empty() || !figures.stops.is_empty(),
            turnover: plan.turnover(),
            est_fees: plan.est_fees(),
            legs: plan.legs.iter().cloned().map(tidy_leg).collect(),
            held: plan.held.iter().cloned().map(tidy_held).collect(),
            skipped: plan.skipped.clone(),
            warnings: plan.warnings.clone(),
            coins: plan.coins.iter().cloned().map(tidy_standing).collect(),
            settings: plan.settings.clone(),
            stops: figures.stops,
        }
    }
}

fn tidy(rate: Rate) -> Rate {
    rate.rounded(RATE_DIGITS)
}

fn tidy_leg(mut leg: Leg) -> Leg {
    leg.drift = leg.drift.map(tidy);
    leg.spread_bps = tidy(leg.spread_bps);
    leg
}

fn tidy_held(mut held: Held) -> Held {
    held.drift = held.drift.map(tidy);
    held
}

fn tidy_standing(mut coin: Standing) -> Standing {
    coin.drift = coin.drift.map(tidy);
    coin.sell_band = tidy(coin.sell_band);
    coin.effective_buy_band = coin.effective_buy_band.map(tidy);
    coin.stop = coin.stop.map(tidy);
    coin.share = coin.share.map(tidy);
    coin.target_share = coin.target_share.map(tidy);
    coin
}
