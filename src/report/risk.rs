//! Every risk figure of the account with its limit and verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::decide::exposure::exposure;
use crate::decide::nav::Nav;
use crate::decide::risk::Limits;
use crate::domain::account::Health;
use crate::domain::num::{Notional, Rate};
use crate::domain::snapshot::Snapshot;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::report::check::{Check, Status};
use crate::report::heading::Heading;
use crate::report::{account_checks, health_checks};

/// Digits kept of figures that are quotients; products and sums stay exact.
const RATE_DIGITS: u32 = 8;

/// Everything that the figures are made of.
#[derive(Clone, Debug)]
pub struct RiskInputs<'a> {
    /// When and which account.
    pub heading: Heading,
    /// What values are counted in: `USDT`.
    pub quote: &'a str,
    /// The account and its market now.
    pub snapshot: &'a Snapshot,
    /// The reading that belongs to it.
    pub nav: &'a Nav,
    /// What must not be exceeded.
    pub limits: &'a Limits,
    /// The largest share that one sector should have.
    pub sector_cap: Rate,
    /// How many coins the strategy wants to hold; zero where that is not known.
    pub coins: usize,
    /// What they should be worth together, in the quote; zero where that is not known.
    pub gross_target: Notional,
    /// The id of the halt in force.
    pub halt: Option<String>,
    /// Whether the account was read back without any position.
    pub flat: bool,
    /// Orders of earlier passes whose outcome is unknown.
    pub unresolved: usize,
    /// The stops at the exchange; `None` where the strategy wants none there.
    pub stops: Option<StopsStanding>,
    /// The contracts of those orders, and until when they may appear.
    pub quarantined: &'a BTreeMap<Symbol, Time>,
    /// When a pass last ended as it should; `None` where none did yet.
    pub last_good_pass: Option<Time>,
    /// How often a pass should run.
    pub interval: Duration,
    /// What the exchange holds for or against the key.
    pub health: &'a Health,
    /// On paper there is neither a key nor an exchange that judges it: those figures are left out.
    pub paper: bool,
    /// A spot account, whose key needs to trade there.
    pub spot: bool,
}

/// How many coins have the stop at the exchange that they should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopsStanding {
    /// Coins whose stop rests as it should.
    pub guarded: usize,
    /// The others, with what is amiss.
    pub missing: Vec<(Symbol, String)>,
}

/// A halt that was lifted by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resumed {
    /// Which.
    pub halt_id: String,
    /// The peak that the stop was measured from.
    pub old_peak: Rate,
    /// The peak that it is measured from now.
    pub new_peak: Rate,
}

/// `rebal.risk/1`: how the account stands against every limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RiskReport {
    /// Always `rebal.risk/1`.
    pub schema: &'static str,
    /// When and which account.
    #[serde(flatten)]
    pub heading: Heading,
    /// What values are counted in: `USDT`.
    pub quote: String,
    /// Wallet plus floating profit, in the quote.
    pub equity: Notional,
    /// Value of one unit of the account; 1 at the start.
    pub nav: Rate,
    /// Its highest so far.
    pub peak_nav: Rate,
    /// `1 − nav / peak nav`.
    pub drawdown: Rate,
    /// The drawdown at which the hard stop fires.
    pub max_drawdown: Rate,
    /// Gross position value over equity.
    pub effective_leverage: Rate,
    /// Maintenance margin over equity; the exchange liquidates at 1.
    pub margin_ratio: Rate,
    /// Whether trading is refused.
    pub halted: bool,
    /// The halt's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt_id: Option<String>,
    /// Whether there is no position.
    pub flat: bool,
    /// One per figure.
    pub checks: Vec<Check>,
    /// The halt that this command lifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Resumed>,
    /// What else the owner should know, one sentence each.
    pub notes: Vec<String>,
    /// The process' exit code.
    pub exit_code: u8,
}

impl RiskReport {
    /// Every figure against its limit; the exit code is 6 while halted, 5 where a limit is broken or
    /// an order unresolved, else 0.
    #[must_use]
    pub fn new(inputs: RiskInputs<'_>) -> RiskReport {
        let mut checks = account_checks::all(&inputs);
        if !inputs.paper {
            checks.extend(health_checks::all(inputs.health, inputs.spot, inputs.snapshot.at));
        }
        let broken = checks.iter().any(|check| check.status == Status::Breach);
        RiskReport {
            schema: "rebal.risk/1",
            quote: inputs.quote.to_owned(),
            equity: inputs.snapshot.balance.equity,
            nav: plain(inputs.nav.nav),
            peak_nav: plain(inputs.nav.peak),
            drawdown: inputs.nav.drawdown().rounded(RATE_DIGITS),
            max_drawdown: inputs.limits.max_drawdown,
            effective_leverage: exposure(inputs.snapshot, &[]).leverage.rounded(RATE_DIGITS),
            margin_ratio: account_checks::margin_ratio(&inputs.snapshot.balance).rounded(RATE_DIGITS),
            halted: inputs.halt.is_some(),
            flat: inputs.flat,
            checks,
            resumed: None,
            notes: Vec::new(),
            exit_code: match inputs.halt {
                Some(_) => 6,
                None if broken || inputs.unresolved > 0 => 5,
                None => 0,
            },
            halt_id: inputs.halt,
            heading: inputs.heading,
        }
    }

    /// How many figures have this verdict.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }
}

fn plain(nav: Notional) -> Rate {
    nav.over(Notional::ONE).unwrap_or_default().rounded(RATE_DIGITS)
}
