//! The same decisions over recorded prices.
//!
//! Per bar, in this order: funding that settles at the bar's open, on what was carried into it; equity at
//! the close, its peak and drawdown, liquidation; the hard stop; the decision; its fills at the close.

pub mod account;
pub mod course;
pub mod grid;
pub mod looks;
pub mod market;
pub mod run;
pub mod sweep;
pub mod twin;

mod columns;
mod highs;
#[cfg(test)]
pub(crate) mod samples;
mod screen;
mod sure;
#[cfg(test)]
mod tests;
mod walk;

pub use account::Holding;
pub use course::{Course, Dive};
pub use grid::{Charge, Recording};
pub use looks::{Looks, Refused};
pub use market::{Contract, Market, Settlement};
pub use run::{Ending, Fill, Keep, Outcome, Sample, Terms, run};
