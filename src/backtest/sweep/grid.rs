//! Which settings are tried: every value of every key with every value of the others.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::num::Rate;
use crate::domain::time::{parse_span, show_span};

/// More values of one key than anybody waits for.
const MOST_VALUES: usize = 1_000_000;

/// One key and the values that it takes, as `--set` would be given them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// Dotted.
    pub key: String,
    /// In the order in which they were named; none twice.
    pub values: Vec<String>,
}

/// All combinations of the values of some keys. A combination is a point, numbered from 0; the last key
/// changes fastest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    axes: Vec<Axis>,
}

/// What is wrong with a grid, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    /// No `KEY=…`.
    #[error("--sweep wants KEY=A..B/STEP or KEY=A,B,C, for example --sweep basket.threshold=0.01..0.20/0.01")]
    Form,
    /// Nothing behind the sign, or between two commas.
    #[error("--sweep {0}: a value is missing; write A,B,C or A..B/STEP")]
    NoValue(String),
    /// A range without a step.
    #[error("--sweep {key}: {range} has no step; write {range}/STEP")]
    NoStep {
        /// The key.
        key: String,
        /// As written.
        range: String,
    },
    /// Ends of a range that are neither numbers nor durations.
    #[error("--sweep {key}: {range} is no range of numbers or of durations; name the values instead: A,B,C")]
    NotARange {
        /// The key.
        key: String,
        /// As written.
        range: String,
    },
    /// A step of zero, or one that leads away from the end.
    #[error("--sweep {key}: the step of {range} is not above zero and never arrives; give one that is")]
    BadStep {
        /// The key.
        key: String,
        /// As written.
        range: String,
    },
    /// A range that ends before it begins.
    #[error("--sweep {key}: {range} is empty, its first value is above its last; turn them round")]
    Empty {
        /// The key.
        key: String,
        /// As written.
        range: String,
    },
    /// A key that was named before.
    #[error("--sweep {0} is there twice; put its values in one: {0}=A,B,C")]
    KeyTwice(String),
    /// A value that was named before.
    #[error("--sweep {key}: {value} is there twice; name it once")]
    ValueTwice {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// A range of too many values.
    #[error("--sweep {0}: more than a million values; make the step coarser")]
    TooMany(String),
    /// More combinations than can be numbered.
    #[error("there are more combinations than can be counted; try fewer keys at a time")]
    TooLarge,
}

impl Grid {
    /// Reads arguments of `--sweep`.
    pub fn parse(sweeps: &[String]) -> Result<Grid, GridError> {
        let mut axes: Vec<Axis> = Vec::new();
        for sweep in sweeps {
            let axis = axis(sweep)?;
            if axes.iter().any(|other| other.key == axis.key) {
                return Err(GridError::KeyTwice(axis.key));
            }
            axes.push(axis);
        }
        let grid = Grid { axes };
        let product = |all: u64, axis: &Axis| all.checked_mul(axis.values.len() as u64);
        grid.axes.iter().try_fold(1, product).ok_or(GridError::TooLarge)?;
        Ok(grid)
    }

    /// The keys and their values.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// How many points.
    #[must_use]
    pub fn points(&self) -> u64 {
        self.axes.iter().fold(1, |all, axis| all.saturating_mul(axis.values.len() as u64))
    }

    /// Which value of each key a point has.
    #[must_use]
    pub fn digits(&self, point: u64) -> Vec<usize> {
        let mut rest = point;
        let mut digits: Vec<usize> = Vec::with_capacity(self.axes.len());
        for axis in self.axes.iter().rev() {
            let values = (axis.values.len() as u64).max(1);
            digits.push((rest % values) as usize);
            rest /= values;
        }
        digits.reverse();
        digits
    }

    /// The point with these values.
    #[must_use]
    pub fn point(&self, digits: &[usize]) -> u64 {
        let place = |point: u64, (axis, digit): (&Axis, &usize)| {
            point.saturating_mul(axis.values.len() as u64).saturating_add(*digit as u64)
        };
        self.axes.iter().zip(digits).fold(0, place)
    }

    /// The keys with the values of a point.
    pub fn params(&self, point: u64) -> impl Iterator<Item = (&str, &str)> {
        let digits = self.digits(point);
        self.axes
            .iter()
            .zip(digits)
            .filter_map(|(axis, digit)| Some((axis.key.as_str(), axis.values.get(digit)?.as_str())))
    }
}

fn axis(sweep: &str) -> Result<Axis, GridError> {
    let (key, text) = sweep.split_once('=').ok_or(GridError::Form)?;
    let key = key.trim().to_owned();
    if key.is_empty() {
        return Err(GridError::Form);
    }
    let mut values: Vec<String> = Vec::new();
    for item in text.split(',').map(str::trim) {
        if item.is_empty() {
            return Err(GridError::NoValue(key));
        }
        match item.split_once("..") {
            Some((first, rest)) => values.extend(range(&key, item, first, rest)?),
            None => values.push(item.to_owned()),
        }
    }
    // 0.1 and 0.10 are the same.
    let plain =
        |value: &String| value.parse::<Rate>().map_or_else(|_| value.clone(), |number| number.to_string());
    let mut sorted: Vec<String> = values.iter().map(plain).collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[String]>::first) {
        Some(value) => Err(GridError::ValueTwice { key, value: value.clone() }),
        None => Ok(Axis { key, values }),
    }
}

/// The values of a range, its last one included where the steps arrive there.
fn range(key: &str, item: &str, first: &str, rest: &str) -> Result<Vec<String>, GridError> {
    let (key, range) = (key.to_owned(), item.to_owned());
    let Some((last, step)) = rest.split_once('/') else { return Err(GridError::NoStep { key, range }) };
    let parts = [first, last, step].map(str::trim);
    if let [Ok(first), Ok(last), Ok(step)] = parts.map(str::parse::<Rate>) {
        return match () {
            () if step <= Rate::ZERO => Err(GridError::BadStep { key, range }),
            () if first > last => Err(GridError::Empty { key, range }),
            () => counted(key, first, |value| *value + step, |value| *value <= last, Rate::to_string),
        };
    }
    if let [Ok(first), Ok(last), Ok(step)] = parts.map(parse_span) {
        return match () {
            () if step < Duration::from_secs(1) => Err(GridError::BadStep { key, range }),
            () if first > last => Err(GridError::Empty { key, range }),
            () => {
                counted(key, first, |value| *value + step, |value| *value <= last, |value| show_span(*value))
            }
        };
    }
    Err(GridError::NotARange { key, range })
}

fn counted<T>(
    key: String,
    first: T,
    next: impl Fn(&T) -> T,
    inside: impl Fn(&T) -> bool,
    show: impl Fn(&T) -> String,
) -> Result<Vec<String>, GridError> {
    let all = std::iter::successors(Some(first), |value| Some(next(value)));
    let values: Vec<String> =
        all.take_while(inside).take(MOST_VALUES + 1).map(|value| show(&value)).collect();
    if values.len() > MOST_VALUES { Err(GridError::TooMany(key)) } else { Ok(values) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(sweeps: &[&str]) -> Result<Grid, GridError> {
        Grid::parse(&sweeps.iter().map(|sweep| (*sweep).to_owned()).collect::<Vec<_>>())
    }

    fn values(sweep: &str) -> Vec<String> {
        grid(&[sweep]).unwrap().axes()[0].values.clone()
    }

    #[test]
    fn values_are_named_or_counted() {
        assert_eq!(values("a=1,2, 5"), ["1", "2", "5"]);
        assert_eq!(values("a=0.01..0.05/0.01"), ["0.01", "0.02", "0.03", "0.04", "0.05"]);
        assert_eq!(values("a=0.1..0.3/0.1").len(), 3, "exact: no 0.30000000000000004");
        assert_eq!(values("a=0..1/0.4"), ["0", "0.4", "0.8"]);
        assert_eq!(values("a=5..5/1"), ["5"]);
        assert_eq!(values("a=-1..1/1"), ["-1", "0", "1"]);
        assert_eq!(values("a=5m..1h/20m"), ["5m", "25m", "45m"]);
        assert_eq!(values("a=target,edge"), ["target", "edge"]);
        assert_eq!(values("a=0.01..0.02/0.01,0.1"), ["0.01", "0.02", "0.1"]);
    }

    #[test]
    fn what_is_no_grid_is_refused_with_what_to_do() {
        for (sweep, expected) in [
            ("basket.threshold", "--sweep wants KEY=A..B/STEP"),
            ("=1", "--sweep wants KEY=A..B/STEP"),
            ("a=", "--sweep a: a value is missing"),
            ("a=1,,2", "--sweep a: a value is missing"),
            ("a=1..2", "--sweep a: 1..2 has no step; write 1..2/STEP"),
            ("a=1..2/0", "the step of 1..2/0 is not above zero"),
            ("a=1..2/-1", "the step of 1..2/-1 is not above zero"),
            ("a=1m..2m/0s", "the step of 1m..2m/0s is not above zero"),
            ("a=2..1/1", "2..1/1 is empty"),
            ("a=2h..1h/1h", "2h..1h/1h is empty"),
            ("a=x..y/1", "x..y/1 is no range of numbers or of durations"),
            ("a=1..2h/1", "1..2h/1 is no range of numbers or of durations"),
            ("a=..", "a: .. has no step"),
            ("a=1,2,1", "--sweep a: 1 is there twice"),
            ("a=0.1,0.10", "--sweep a: 0.1 is there twice"),
            ("a=0.1,0..1/0.1", "--sweep a: 0.1 is there twice"),
            ("a=0..1/0.0000001", "--sweep a: more than a million values"),
        ] {
            let refused = grid(&[sweep]).unwrap_err().to_string();
            assert!(refused.contains(expected), "{sweep}: {refused}");
        }
        assert_eq!(grid(&["a=1,2", "b=1", "a=3"]), Err(GridError::KeyTwice("a".into())));
        let many: Vec<String> = (0..7).map(|n| format!("k{n}=1..1000/1")).collect();
        assert_eq!(Grid::parse(&many), Err(GridError::TooLarge));
    }

    #[test]
    fn the_last_key_changes_fastest() {
        let grid = grid(&["a=1,2", "b=x,y,z"]).unwrap();
        assert_eq!(grid.points(), 6);
        let params =
            |point| grid.params(point).map(|(key, value)| format!("{key}{value}")).collect::<String>();
        assert_eq!((0..6).map(params).collect::<Vec<_>>(), ["a1bx", "a1by", "a1bz", "a2bx", "a2by", "a2bz"]);
        for point in 0..6 {
            assert_eq!(grid.point(&grid.digits(point)), point);
        }
    }
}
