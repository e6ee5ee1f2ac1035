//! The figures that a monitoring system scrapes: the last reading, and how the command ended.

use crate::domain::history::{Reading, Sample};
use crate::domain::num::{Notional, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::report::digest::drawdown;
use crate::report::heading::Heading;

/// What is known of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountMetrics {
    /// When it was read.
    pub at: Time,
    /// Wallet plus floating profit.
    pub equity: Notional,
    /// Quote units per unit.
    pub nav: Notional,
    /// Highest `nav` so far.
    pub peak: Notional,
    /// The loss from the peak.
    pub drawdown: Rate,
    /// Value of all positions over equity; `None` where a price is missing or nothing is left.
    pub leverage: Option<Rate>,
    /// `value / target − 1` of every coin with a price and a target.
    pub drifts: Vec<(Symbol, Rate)>,
}

impl AccountMetrics {
    /// From a reading and its coins.
    #[must_use]
    pub fn new(reading: &Reading, coins: &[Sample]) -> AccountMetrics {
        let values: Option<Vec<Notional>> = coins.iter().map(Sample::value).collect();
        let gross: Option<Notional> = values.map(|values| values.into_iter().map(Notional::abs).sum());
        let solvent = reading.equity.is_positive();
        AccountMetrics {
            at: reading.at,
            equity: reading.equity,
            nav: reading.nav,
            peak: reading.peak,
            drawdown: drawdown(reading),
            leverage: gross.filter(|_| solvent).and_then(|gross| gross.over(reading.equity)),
            drifts: coins.iter().filter_map(|coin| Some((coin.symbol.clone(), coin.drift()?))).collect(),
        }
    }
}

/// Everything of one metrics file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// About which account.
    pub heading: Heading,
    /// Which command: two that write to one folder must not write the same series.
    pub command: &'static str,
    /// What the process ends with.
    pub exit_code: u8,
    /// Whether trading is halted; `None` where nobody could look.
    pub halted: Option<bool>,
    /// When a pass last ended as it should.
    pub last_good_pass: Option<Time>,
    /// Funding received less funding paid since the ledger began.
    pub funding: Option<Notional>,
    /// The account, where a reading is known.
    pub account: Option<AccountMetrics>,
}
