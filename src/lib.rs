//! rebal keeps a portfolio of coins at its targets, one pass at a time.
//!
//! The layers, in reading order; what each may import is enforced by `tests/it/tidy.rs`:
//!
//! * nouns: [`domain`]
//! * decisions, pure: [`strategy`], [`decide`], [`report`], [`render`], [`wire`]
//! * edges, the only IO: [`archive`], [`config`], [`exchange`], [`ledger`], [`notify`], [`screener`],
//!   [`ui`], and `net` for what the requests of several of them have in common
//! * the pass: [`pass`]
//! * the command line: [`command`], and [`error`] for what a failure means to the shell

pub mod archive;
pub mod command;
pub mod config;
pub mod decide;
pub mod domain;
pub mod error;
pub mod exchange;
pub mod ledger;
mod net;
pub mod notify;
pub mod pass;
pub mod render;
pub mod report;
pub mod screener;
pub mod server;
pub mod sim;
pub mod strategy;
pub mod ui;
pub mod wire;
