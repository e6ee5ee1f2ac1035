//! Integration tests: one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::indexing_slicing, clippy::print_stderr, reason = "a skipped test says so")]

mod archive;
mod config;
mod data;
mod ledger;
mod listing;
mod protocol_model;
mod tidy;
