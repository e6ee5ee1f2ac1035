//! The plan inside a plan file: what is read is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rebal::domain::plan::Plan;

fuzz_target!(|data: &[u8]| {
    if let Ok(plan) = serde_json::from_slice::<Plan>(data) {
        let _ = (plan.turnover(), plan.est_fees());
        let written = serde_json::to_vec(&plan).expect("a plan can be written");
        let again: Plan = serde_json::from_slice(&written).expect("what was written can be read");
        assert_eq!(plan, again);
    }
});
