//! rebal keeps a portfolio of coins at its targets, one pass at a time.

pub mod archive;
pub mod config;
pub mod decide;
pub mod domain;
pub mod exchange;
