//! What rebal promises, tested from outside the crate in one binary.

mod archive;
mod config;
mod data;
mod ledger;
mod listing;
mod protocol_model;
mod tidy;
