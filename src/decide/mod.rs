//! The decision: targets, plan, check. Pure.

pub mod risk;
