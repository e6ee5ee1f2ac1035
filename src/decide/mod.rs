//! The decision: targets, plan, check. Pure: the same snapshot gives the same orders.

pub mod audit;
pub mod band;
pub mod equity;
pub mod exposure;
pub mod flatten;
pub mod funding;
pub mod nav;
pub mod plan;
pub mod risk;
#[cfg(test)]
pub(crate) mod samples;
pub mod scan;
pub mod sector;
pub mod stops;
pub mod worth;

use crate::decide::plan::Execution;
use crate::decide::risk::{Approved, Breach, Limits, Standing};
use crate::domain::plan::Plan;
use crate::domain::snapshot::Snapshot;
use crate::strategy::{Memory, Strategy};

/// Everything a decision depends on besides the snapshot.
pub struct Settings<'a> {
    /// What each coin should be worth.
    pub strategy: &'a dyn Strategy,
    /// What it may remember.
    pub memory: &'a Memory,
    /// How orders are made.
    pub execution: &'a Execution,
    /// What must never be exceeded.
    pub limits: &'a Limits,
}

/// THE sequence: targets → plan → check. Live, paper and backtest all decide here.
pub fn decide(
    snapshot: &Snapshot,
    settings: &Settings<'_>,
    standing: &Standing,
) -> Result<Approved, Refusal> {
    let wishes = settings.strategy.wishes(snapshot, settings.memory);
    let plan = plan::plan(snapshot, &wishes, settings.execution);
    risk::check(plan.clone(), snapshot, settings.limits, standing)
        .map_err(|breaches| Refusal { plan: Box::new(plan), breaches })
}

/// A plan that may not be carried out at all, with every reason.
#[derive(Debug)]
pub struct Refusal {
    /// What would have been done.
    pub plan: Box<Plan>,
    /// Why it must not.
    pub breaches: Vec<Breach>,
}
