//! Answers of the USDⓈ-M futures exchange, read into domain values.
//!
//! Every reader takes bytes and never panics. Lists of market data skip the rows they cannot read
//! and name them; anything about money of ours is read whole or not at all.

pub mod account;
pub mod algo;
pub mod history;
pub mod listing;
pub mod market;
pub mod order;

#[cfg(test)]
mod tests;
