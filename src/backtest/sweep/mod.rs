//! Many runs over the same prices: which settings, which of them here, over which parts of the period.

pub mod grid;

use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use grid::{Axis, Grid, GridError};

/// Fewer bars than this say nothing about a setting.
pub const LEAST_BARS: usize = 10;

/// One part of a sweep: the points `index`, `index + count`, `index + 2 × count` …, so that every part
/// has its share of the settings that trade much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// From 0, as job engines count.
    pub index: u64,
    /// How many parts.
    pub count: u64,
}

impl Shard {
    /// The sweep as a whole.
    pub const WHOLE: Shard = Shard { index: 0, count: 1 };

    /// The points of this part among `total`, ascending.
    pub fn points(self, total: u64) -> impl Iterator<Item = u64> {
        let step = usize::try_from(self.count).unwrap_or(usize::MAX).max(1);
        (self.index..total).step_by(step)
    }

    /// How many points this part has of `total`.
    #[must_use]
    pub fn len(self, total: u64) -> u64 {
        total.saturating_sub(self.index).div_ceil(self.count.max(1))
    }
}

/// A text that names no part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoShard {
    /// No two whole numbers.
    #[error("wants I/N, for example 0/8 for the first of eight parts")]
    Form,
    /// A part beyond the last.
    #[error("parts are counted from 0: 0/{0} is the first and {1}/{0} the last")]
    Beyond(u64, u64),
}

impl FromStr for Shard {
    type Err = NoShard;
    fn from_str(text: &str) -> Result<Shard, NoShard> {
        let (index, count) = text.split_once('/').ok_or(NoShard::Form)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| NoShard::Form);
        let shard = Shard { index: number(index)?, count: number(count)? };
        match shard.count {
            0 => Err(NoShard::Form),
            count if shard.index >= count => Err(NoShard::Beyond(count, count - 1)),
            _ => Ok(shard),
        }
    }
}

/// A period that is too short to be cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bars} bars are too few for {folds} folds: {} parts of at least {LEAST_BARS} bars are needed", folds.saturating_add(1))]
pub struct TooFewBars {
    /// How many there are.
    pub bars: usize,
    /// How many choices were wanted.
    pub folds: usize,
}

/// Cuts `bars` into `folds + 1` parts of the same length, give or take a bar: each but the last is chosen
/// on, each but the first is what a choice is tried on, so that there are `folds` choices.
pub fn parts(bars: usize, folds: usize) -> Result<Vec<Range<usize>>, TooFewBars> {
    let count = folds.saturating_add(1);
    if bars / count < LEAST_BARS {
        return Err(TooFewBars { bars, folds });
    }
    let begin = |part: usize| (bars as u128 * part as u128 / count as u128) as usize;
    Ok((0..count).map(|part| begin(part)..begin(part + 1)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_sweep_are_all_of_it_once() {
        for (total, count) in [(0, 3), (1, 3), (10, 3), (9, 3), (10, 1), (3, 8)] {
            let shard = |index| Shard { index, count };
            let mut all: Vec<u64> = (0..count).flat_map(|index| shard(index).points(total)).collect();
            all.sort_unstable();
            assert_eq!(all, (0..total).collect::<Vec<_>>(), "{total} in {count}");
            for index in 0..count {
                assert_eq!(shard(index).len(total), shard(index).points(total).count() as u64);
            }
        }
        assert_eq!(Shard { index: 1, count: 3 }.points(8).collect::<Vec<_>>(), [1, 4, 7]);
    }

    #[test]
    fn parts_are_counted_from_zero() {
        assert_eq!("0/8".parse(), Ok(Shard { index: 0, count: 8 }));
        assert_eq!("7/8".parse(), Ok(Shard { index: 7, count: 8 }));
        let refused = |text: &str| text.parse::<Shard>().unwrap_err().to_string();
        assert_eq!(refused("8/8"), "parts are counted from 0: 0/8 is the first and 7/8 the last");
        for text in ["", "1", "a/b", "1/0", "-1/2", "1/2/3", "1.5/2"] {
            assert_eq!(text.parse::<Shard>(), Err(NoShard::Form), "{text}");
        }
    }

    #[test]
    fn a_period_is_cut_into_one_part_more_than_choices() {
        assert_eq!(parts(100, 3), Ok(vec![0..25, 25..50, 50..75, 75..100]));
        assert_eq!(parts(32, 2), Ok(vec![0..10, 10..21, 21..32]));
        let refused = parts(29, 2).unwrap_err().to_string();
        assert_eq!(refused, "29 bars are too few for 2 folds: 3 parts of at least 10 bars are needed");
        assert!(parts(100, usize::MAX).is_err());
    }
}
