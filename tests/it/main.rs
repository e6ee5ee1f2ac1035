//! What rebal promises, tested from outside the crate in one binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says on stderr what it skips"
)]

mod archive;
mod columns;
mod config;
mod data;
mod faults;
mod funding;
mod generated;
mod ledger;
mod listing;
mod minds;
mod notify;
mod paper_spot;
mod pass;
mod protocol_model;
mod scan;
mod screener;
mod seeds;
mod spot_listing;
mod stops;
mod tidy;
mod venue;
