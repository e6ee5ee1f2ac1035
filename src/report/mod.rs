//! What a command has to say, as numbers: serialisable, pure, and without a word of layout.

mod account_checks;
pub mod backtest;
pub mod check;
pub mod dashboard;
pub mod digest;
pub mod doctor;
pub mod error;
pub mod fees;
pub mod flatten;
pub mod funding;
pub mod heading;
mod health_checks;
pub mod init;
pub mod lines;
pub mod metrics;
pub mod pass;
pub mod period;
#[cfg(test)]
pub(crate) mod period_samples;
pub mod plan;
pub mod remarks;
pub mod risk;
#[cfg(test)]
pub(crate) mod samples;
pub mod scan;
pub mod sweep;
