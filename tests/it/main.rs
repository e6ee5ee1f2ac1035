//! Integration tests.

mod ledger;
