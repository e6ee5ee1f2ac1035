//! What a sweep came to: every setting with its figures, the best first.

pub mod figures;
pub mod part;
pub mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::backtest::sweep::Grid;
use crate::domain::num::Notional;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::report::backtest::assumed::Maintenance;
use crate::report::heading::Heading;
use crate::report::sweep::figures::{Figure, Figures};
use crate::report::sweep::walk::WalkForward;

/// What all runs of a sweep have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ground {
    /// When and which profile.
    #[serde(flatten)]
    pub heading: Heading,
    /// The first bar's open.
    pub from: Time,
    /// The last bar's close.
    pub to: Time,
    /// Bars of the period.
    pub bars: usize,
    /// The coins.
    pub symbols: Vec<Symbol>,
    /// Quote units at the start of every run.
    pub equity: Notional,
    /// Where trading rules came from.
    pub rules: String,
    /// What positions must be covered with; `None` on spot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The first bar's open.
    pub from: Time,
    /// The last bar's close.
    pub to: Time,
}

/// The settings of one run: a point of a grid that all runs share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    grid: Arc<Grid>,
    /// Its number.
    pub point: u64,
}

impl Params {
    /// The settings of a point.
    #[must_use]
    pub fn new(grid: &Arc<Grid>, point: u64) -> Params {
        Params { grid: Arc::clone(grid), point }
    }

    /// Keys and values, in the order of the keys.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.grid.params(self.point)
    }

    /// Which value of each key it is.
    #[must_use]
    pub fn digits(&self) -> Vec<usize> {
        self.grid.digits(self.point)
    }
}

impl Serialize for Params {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.pairs() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// One setting and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The settings.
    pub params: Params,
    /// The figures over the whole period.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A combination that the configuration refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The settings.
    pub params: Params,
    /// Why.
    pub reason: String,
}

/// `rebal.sweep/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SweepReport {
    /// Always `rebal.sweep/1`.
    pub schema: &'static str,
    /// What all runs have in common.
    #[serde(flatten)]
    pub ground: Ground,
    /// The keys and their values.
    #[serde(flatten, serialize_with = "shared")]
    pub grid: Arc<Grid>,
    /// What the runs are ordered by.
    pub sort: Figure,
    /// Every setting that was run, the best first.
    pub runs: Vec<Run>,
    /// Every setting that was not, in the order of the grid.
    pub refused: Vec<Refused>,
    /// Keys whose value changed no figure of any run.
    pub without_effect: Vec<String>,
    /// What became of the best setting of one part of the period in the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub walk_forward: Option<WalkForward>,
    /// Seconds that the runs took, loading apart; all parts together where it was run in parts.
    pub elapsed_s: String,
}

fn shared<S: Serializer>(grid: &Arc<Grid>, serializer: S) -> Result<S::Ok, S::Error> {
    grid.as_ref().serialize(serializer)
}

/// What became of one point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its number.
    pub point: u64,
    /// The figures over the whole period and over each part of it, or why it was not run.
    pub result: Result<Results, String>,
}

/// The figures of one point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    /// Over the whole period.
    pub whole: Figures,
    /// Over each part, in order; none where the period is not cut.
    pub parts: Vec<Figures>,
}

impl SweepReport {
    /// The report of all points, each of them once; `parts` are what the period was cut into.
    #[must_use]
    pub fn new(
        ground: Ground,
        grid: Arc<Grid>,
        parts: &[Period],
        ran: Vec<Ran>,
        sort: Figure,
        elapsed_s: f64,
    ) -> SweepReport {
        let without_effect = without_effect(&grid, &ran);
        let walk_forward = WalkForward::new(&grid, parts, &ran, sort);
        let (mut runs, mut refused) = (Vec::new(), Vec::new());
        for Ran { point, result } in ran {
            let params = Params::new(&grid, point);
            match result {
                Ok(results) => runs.push(Run { params, figures: results.whole }),
                Err(reason) => refused.push(Refused { params, reason }),
            }
        }
        let point = |run: &Run| run.params.point;
        runs.sort_by(|a, b| sort.rank(&a.figures, &b.figures).then_with(|| point(a).cmp(&point(b))));
        refused.sort_by_key(|refused| refused.params.point);
        SweepReport {
            schema: "rebal.sweep/1",
            ground,
            grid,
            sort,
            runs,
            refused,
            without_effect,
            walk_forward,
            elapsed_s: format!("{elapsed_s:.3}"),
        }
    }
}

/// The keys of more than one value of which none makes a difference: every run is as the one that differs
/// from it in that key alone and has its first value.
fn without_effect(grid: &Grid, ran: &[Ran]) -> Vec<String> {
    let found = ran.iter().filter_map(|ran| Some((ran.point, &ran.result.as_ref().ok()?.whole)));
    let all: BTreeMap<u64, &Figures> = found.collect();
    let idle = |number: usize| {
        let mut compared = 0;
        for (point, figures) in &all {
            let mut digits = grid.digits(*point);
            let Some(digit) = digits.get_mut(number).filter(|digit| **digit > 0) else { continue };
            *digit = 0;
            let Some(first) = all.get(&grid.point(&digits)) else { continue };
            if first != figures {
                return false;
            }
            compared += 1;
        }
        compared > 0
    };
    let keys = grid.axes().iter().enumerate().filter(|(number, _)| idle(*number));
    keys.map(|(_, axis)| axis.key.clone()).collect()
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::report::sweep::figures::tests::figures;

    pub(crate) fn ground() -> Ground {
        Ground {
            heading: Heading::default(),
            from: Time::default(),
            to: Time::default(),
            bars: 10,
            symbols: Vec::new(),
            equity: Notional::new(100, 0),
            rules: "none".into(),
            maintenance: None,
        }
    }

    pub(crate) fn ran(point: u64, whole: i64, parts: &[i64]) -> Ran {
        let parts = parts.iter().map(|part| figures(*part, 0, 1)).collect();
        Ran { point, result: Ok(Results { whole: figures(whole, 0, 1), parts }) }
    }

    pub(crate) fn grid(sweeps: &[&str]) -> Arc<Grid> {
        Arc::new(Grid::parse(&sweeps.iter().map(|sweep| (*sweep).to_owned()).collect::<Vec<_>>()).unwrap())
    }

    #[test]
    fn the_best_setting_comes_first_and_what_was_refused_is_named() {
        let grid = grid(&["a=1,2", "b=x,y"]);
        let refused = Ran { point: 2, result: Err("a and b contradict each other".into()) };
        let all = vec![ran(0, 110, &[]), refused, ran(1, 130, &[]), ran(3, 110, &[])];
        let report = SweepReport::new(ground(), grid, &[], all, Figure::Return, 1.5);
        let json = serde_json::to_value(&report).unwrap();
        let order: Vec<&serde_json::Value> =
            json["runs"].as_array().unwrap().iter().map(|run| &run["params"]).collect();
        let expected = [
            serde_json::json!({"a": "1", "b": "y"}),
            serde_json::json!({"a": "1", "b": "x"}),
            serde_json::json!({"a": "2", "b": "y"}),
        ];
        assert_eq!(order, expected.iter().collect::<Vec<_>>());
        assert_eq!(json["runs"][0]["final_equity"], "130");
        assert_eq!(json["runs"][0]["return"], "0.3");
        assert_eq!(json["refused"][0]["params"], serde_json::json!({"a": "2", "b": "x"}));
        assert_eq!(json["schema"], "rebal.sweep/1");
        assert_eq!(json["axes"][0]["values"], serde_json::json!(["1", "2"]));
        assert!(json.get("walk_forward").is_none());
    }

    #[test]
    fn a_key_that_changes_nothing_is_said_to() {
        let grid = grid(&["a=1,2", "b=x,y"]);
        let report = |finals: [i64; 4]| {
            let all = (0..).zip(finals).map(|(point, last)| ran(point, last, &[])).collect();
            SweepReport::new(ground(), Arc::clone(&grid), &[], all, Figure::Return, 0.0).without_effect
        };
        assert_eq!(report([100, 110, 100, 110]), ["a"]);
        assert_eq!(report([100, 100, 110, 110]), ["b"]);
        assert_eq!(report([100, 110, 100, 111]), [""; 0]);
        assert_eq!(report([100; 4]), ["a", "b"]);
    }
}
