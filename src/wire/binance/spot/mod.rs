//! Answers of the spot exchange, read into domain values.
//!
//! As with futures: every reader takes bytes and never panics, lists of market data skip and name the
//! rows they cannot read, and what is about money of ours is read whole or not at all.

pub mod account;
pub mod history;
pub mod listing;
pub mod market;
pub mod order;

#[cfg(test)]
mod tests;
