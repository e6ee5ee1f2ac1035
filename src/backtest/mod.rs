//! The same decisions over recorded prices.
//!
//! Per bar, in this order: funding that settles at the bar's open, on what was carried into it; equity at
//! the close, its peak and drawdown, liquidation; the hard stop; the decision; its fills at the close.

pub mod account;
pub mod grid;
pub mod market;
pub mod run;
pub mod twin;

pub use account::Holding;
pub use grid::Recording;
pub use market::{Contract, Market, Settlement};
pub use run::{Ending, Fill, Outcome, Terms, run};
