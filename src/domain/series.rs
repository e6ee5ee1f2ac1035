//! Recorded prices of one contract as columns.

use std::time::Duration;

use crate::domain::num::Price;
use crate::domain::time::Time;

/// Bars that follow each other at one distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// When the first begins.
    pub first: Time,
    /// The distance between two, in milliseconds; 0 where there is one.
    pub step_ms: i64,
    /// How many.
    pub bars: usize,
}

impl Run {
    /// When the last one begins.
    #[must_use]
    pub fn last(&self) -> Time {
        self.at(self.bars.saturating_sub(1))
    }

    /// When a bar of it begins.
    fn at(&self, bar: usize) -> Time {
        let steps = i64::try_from(bar).unwrap_or(i64::MAX);
        Time::clamped(self.first.ms().saturating_add(self.step_ms.saturating_mul(steps)))
    }

    /// How many of its bars begin before `time`.
    fn before(&self, time: Time) -> usize {
        if time <= self.first {
            return 0;
        }
        let steps = (time.ms() - self.first.ms() - 1) / self.step_ms.max(1) + 1;
        usize::try_from(steps).unwrap_or(usize::MAX).min(self.bars)
    }
}

/// A price as a column holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// The `f64` nearest to it.
    pub value: f64,
    /// Digits after its point; with them it reads back exactly.
    pub digits: u32,
}

impl Cell {
    /// Most digits, before and after the point together, that an `f64` gives back for sure.
    pub const MOST_DIGITS: u32 = 15;

    /// A price, unless it has more digits than a column gives back.
    #[must_use]
    pub fn of(price: Price) -> Option<Cell> {
        let digits = price.decimals();
        let value = price.to_string().parse().ok()?;
        fits(value, digits).then_some(Cell { value, digits })
    }
}

/// Whether a value reads back exactly when it is rounded to so many digits after the point.
fn fits(value: f64, digits: u32) -> bool {
    let left = Cell::MOST_DIGITS.checked_sub(digits).and_then(|left| i32::try_from(left).ok());
    left.is_some_and(|left| value.abs() < 10_f64.powi(left))
}

/// Opens and closes of one contract in ascending time. What is not there has no row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    runs: Vec<Run>,
    opens: Vec<f64>,
    closes: Vec<f64>,
    digits: u32,
}

impl Series {
    /// An empty one with room for so many bars.
    #[must_use]
    pub fn with_capacity(bars: usize) -> Series {
        Series { opens: Vec::with_capacity(bars), closes: Vec::with_capacity(bars), ..Series::default() }
    }

    /// Columns that were taken apart before; `None` where they do not belong together.
    #[must_use]
    pub fn from_parts(runs: Vec<Run>, opens: Vec<f64>, closes: Vec<f64>, digits: u32) -> Option<Series> {
        let bars = runs.iter().try_fold(0_usize, |bars, run| bars.checked_add(run.bars))?;
        let whole = runs.iter().all(|run| run.bars == 1 || (run.bars > 1 && run.step_ms > 0));
        let ascending = runs.windows(2).all(|pair| match pair {
            [one, next] => one.last() < next.first,
            _ => true,
        });
        let fits = bars == opens.len() && bars == closes.len();
        (whole && ascending && fits).then_some(Series { runs, opens, closes, digits })
    }

    /// One more bar, which must begin after the last.
    #[inline]
    pub fn push(&mut self, time: Time, open: Cell, close: Cell) {
        self.digits = self.digits.max(open.digits).max(close.digits);
        self.opens.push(open.value);
        self.closes.push(close.value);
        if let Some(run) = self.runs.last_mut() {
            let distance = time.ms() - run.last().ms();
            if run.bars == 1 || distance == run.step_ms {
                run.step_ms = distance;
                run.bars += 1;
                return;
            }
        }
        self.runs.push(Run { first: time, step_ms: 0, bars: 1 });
    }

    /// Another one that begins after this one ends.
    pub fn append(&mut self, other: Series) {
        self.digits = self.digits.max(other.digits);
        self.opens.extend(other.opens);
        self.closes.extend(other.closes);
        for next in other.runs {
            match self.runs.last_mut() {
                Some(run)
                    if next.first.ms() - run.last().ms() == run.step_ms
                        && (next.bars == 1 || next.step_ms == run.step_ms) =>
                {
                    run.bars += next.bars;
                }
                _ => self.runs.push(next),
            }
        }
    }

    /// How many bars.
    #[must_use]
    pub fn len(&self) -> usize {
        self.closes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.closes.is_empty()
    }

    /// Stretches without a gap.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// First prices, bar by bar.
    #[must_use]
    pub fn opens(&self) -> &[f64] {
        &self.opens
    }

    /// Last prices, bar by bar.
    #[must_use]
    pub fn closes(&self) -> &[f64] {
        &self.closes
    }

    /// Digits after the point with which every price reads back exactly.
    #[must_use]
    pub fn digits(&self) -> u32 {
        self.digits
    }

    /// When the first bar begins.
    #[must_use]
    pub fn first(&self) -> Option<Time> {
        self.runs.first().map(|run| run.first)
    }

    /// When the last bar begins.
    #[must_use]
    pub fn last(&self) -> Option<Time> {
        self.runs.last().map(Run::last)
    }

    /// Whether every price reads back exactly: not where some are so large and others so fine that together
    /// they take more digits than an `f64` has.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        let largest = |column: &[f64]| column.iter().copied().fold(0.0, f64::max);
        fits(largest(&self.opens).max(largest(&self.closes)), self.digits)
    }

    /// The exact open of a bar.
    #[must_use]
    pub fn open(&self, bar: usize) -> Option<Price> {
        Price::from_approx(*self.opens.get(bar)?, self.digits)
    }

    /// The exact close of a bar.
    #[must_use]
    pub fn close(&self, bar: usize) -> Option<Price> {
        Price::from_approx(*self.closes.get(bar)?, self.digits)
    }

    /// How many bars begin before `time`: the number of the first that does not.
    #[must_use]
    pub fn before(&self, time: Time) -> usize {
        let mut bars = 0;
        for run in &self.runs {
            if run.first >= time {
                break;
            }
            bars += run.before(time);
        }
        bars
    }

    /// When each bar begins, from the given one on.
    pub fn times_from(&self, bar: usize) -> impl Iterator<Item = Time> + '_ {
        let mut skip = bar;
        self.runs.iter().flat_map(move |run| {
            let from = skip.min(run.bars);
            skip -= from;
            (from..run.bars).map(|bar| run.at(bar))
        })
    }

    /// When each bar begins.
    pub fn times(&self) -> impl Iterator<Item = Time> + '_ {
        self.times_from(0)
    }

    /// The smallest distance between two bars; `None` where there are not two.
    #[must_use]
    pub fn spacing(&self) -> Option<Duration> {
        let within = self.runs.iter().filter(|run| run.bars > 1).map(|run| run.step_ms);
        let between = self.runs.windows(2).filter_map(|pair| match pair {
            [one, next] => Some(next.first.ms() - one.last().ms()),
            _ => None,
        });
        let least = within.chain(between).min()?;
        u64::try_from(least).ok().map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: i64 = 1_759_276_800_000;

    fn cell(text: &str) -> Cell {
        Cell::of(text.parse().unwrap()).unwrap()
    }

    fn series(minutes: &[i64]) -> Series {
        let mut series = Series::default();
        for minute in minutes {
            series.push(Time::clamped(BEGIN + minute * 60_000), cell("1.5"), cell("2"));
        }
        series
    }

    fn minutes(series: &Series) -> Vec<i64> {
        series.times().map(|time| (time.ms() - BEGIN) / 60_000).collect()
    }

    #[test]
    fn times_come_back_as_they_went_in() {
        for times in
            [&[0, 5, 10, 30, 35][..], &[0, 60, 65, 70], &[3], &[], &[0, 1, 3, 6, 10, 15], &[0, 5, 10, 15]]
        {
            let made = series(times);
            assert_eq!((minutes(&made), made.len()), (times.to_vec(), times.len()));
            let (runs, opens, closes) = (made.runs.clone(), made.opens.clone(), made.closes.clone());
            assert_eq!(Series::from_parts(runs, opens, closes, made.digits).as_ref(), Some(&made));
            for cut in 0..=times.len() {
                let (mut head, tail) = (series(&times[..cut]), series(&times[cut..]));
                head.append(tail);
                assert_eq!(minutes(&head), times, "{times:?} cut at {cut}");
                assert_eq!((head.first(), head.last()), (made.first(), made.last()));
                assert_eq!(made.times_from(cut).count(), times.len() - cut);
            }
            for minute in -1..80 {
                let time = Time::clamped(BEGIN + minute * 60_000);
                let before = times.iter().filter(|other| **other < minute).count();
                assert_eq!(made.before(time), before, "{times:?} before {minute}");
            }
            let least = times.windows(2).map(|pair| pair[1] - pair[0]).min();
            assert_eq!(made.spacing().map(|span| span.as_secs() as i64 / 60), least);
        }
    }

    #[test]
    fn columns_that_do_not_belong_together_are_refused() {
        let run = |first: i64, step_ms, bars| Run { first: Time::clamped(BEGIN + first), step_ms, bars };
        let two = || vec![1.0, 2.0];
        assert!(Series::from_parts(vec![run(0, 60, 2)], two(), two(), 1).is_some());
        for runs in
            [vec![run(0, 60, 3)], vec![run(0, 0, 2)], vec![run(5, 0, 1), run(5, 0, 1)], vec![run(0, 60, 0)]]
        {
            assert!(Series::from_parts(runs.clone(), two(), two(), 1).is_none(), "{runs:?}");
        }
        assert!(Series::from_parts(vec![run(0, 60, 2)], two(), vec![1.0], 1).is_none());
    }

    #[test]
    fn a_price_is_kept_only_where_it_reads_back() {
        assert_eq!(cell("0.30"), Cell { value: 0.3, digits: 1 });
        assert_eq!(cell("123456789.012345").digits, 6);
        // The second would read back by luck, and be lost beside a price with more digits.
        for long in ["123456789.0123456789", "123456789.1234567", "0.0000000000000001"] {
            assert_eq!(Cell::of(long.parse().unwrap()), None);
        }
    }

    #[test]
    fn large_prices_beside_fine_ones_are_not_exact() {
        let both = |large: &str, fine: &str| {
            let mut series = Series::default();
            series.push(Time::clamped(BEGIN), cell("1"), cell(large));
            series.push(Time::clamped(BEGIN + 60_000), cell(fine), cell("1"));
            series.is_exact()
        };
        assert!(both("4237160.322158", "0.00000001"));
        assert!(!both("4237160.32215842", "0.000000001"));
    }
}
