//! rebal keeps a portfolio of coins at its targets, one pass at a time.

pub mod decide;
pub mod domain;
pub mod exchange;
pub mod server;
pub mod sim;
