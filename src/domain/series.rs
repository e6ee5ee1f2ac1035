//! Recorded prices of one contract as columns.

use std::borrow::Cow;
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
    #[must_use]
    pub fn at(&self, bar: usize) -> Time {
        let steps = i64::try_from(bar).unwrap_or(i64::MAX);
        Time::clamped(self.first.ms().saturating_add(self.step_ms.saturating_mul(steps)))
    }

    /// When each of its bars begins, from the given one on.
    pub fn times_from(&self, bar: usize) -> impl Iterator<Item = Time> + '_ {
        (bar..self.bars).map(|bar| self.at(bar))
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

/// Prices of one kind, bar by bar.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Whole numbers of the last digit, where 31 bits hold every one of them: half the memory, and read in
    /// half the time.
    Ticks(Vec<i32>),
    /// The `f64` nearest to each.
    Values(Vec<f64>),
}

impl Default for Column {
    fn default() -> Column {
        Column::Values(Vec::new())
    }
}

impl Column {
    /// How many prices.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Column::Ticks(ticks) => ticks.len(),
            Column::Values(values) => values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn price(&self, bar: usize, digits: u32) -> Option<Price> {
        match self {
            Column::Ticks(ticks) => Some(Price::new(i64::from(*ticks.get(bar)?), digits)),
            Column::Values(values) => Price::from_approx(*values.get(bar)?, digits),
        }
    }

    /// The `f64` nearest to each price.
    #[must_use]
    pub fn values(&self, digits: u32) -> Cow<'_, [f64]> {
        match self {
            Column::Ticks(ticks) => {
                let power = power(digits);
                ticks.iter().map(|tick| f64::from(*tick) / power).collect::<Vec<f64>>().into()
            }
            Column::Values(values) => values.as_slice().into(),
        }
    }

    fn unpacked(self, digits: u32) -> Vec<f64> {
        match self {
            Column::Values(values) => values,
            Column::Ticks(_) => self.values(digits).into_owned(),
        }
    }

    #[inline]
    fn push(&mut self, value: f64, digits: u32) {
        if let Column::Values(values) = self {
            values.push(value);
            return;
        }
        *self = Column::Values(std::mem::take(self).unpacked(digits));
        self.push(value, digits);
    }

    fn packed(self, digits: u32) -> Column {
        let Column::Values(values) = &self else { return self };
        let power = power(digits);
        let whole = |value: &f64| {
            let whole = (value * power).round();
            let same = (0.0..=f64::from(i32::MAX)).contains(&whole) && whole / power == *value;
            same.then_some(whole as i32)
        };
        values.iter().map(whole).collect::<Option<Vec<i32>>>().map_or(self, Column::Ticks)
    }

    fn append(&mut self, other: Column, digits: u32, other_digits: u32) {
        match (&mut *self, other) {
            (Column::Ticks(ticks), Column::Ticks(more)) if digits == other_digits => ticks.extend(more),
            (_, other) => {
                let mut values = std::mem::take(self).unpacked(digits);
                values.extend(other.values(other_digits).iter());
                *self = Column::Values(values);
            }
        }
    }

    fn largest(&self, digits: u32) -> f64 {
        match self {
            Column::Ticks(ticks) => f64::from(ticks.iter().copied().max().unwrap_or(0)) / power(digits),
            Column::Values(values) => values.iter().copied().fold(0.0, f64::max),
        }
    }
}

/// Exact up to 22; with more digits no whole number gives the same `f64` back, or it does so all the same.
fn power(digits: u32) -> f64 {
    10_f64.powi(i32::try_from(digits.min(22)).unwrap_or(0))
}

/// Opens and closes of one contract in ascending time. What is not there has no row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    runs: Vec<Run>,
    opens: Opens,
    closes: Column,
    digits: u32,
}

/// First prices, of all bars or of some.
#[derive(Clone, Debug, PartialEq)]
enum Opens {
    All(Column),
    /// Ascending by the number of the bar.
    Some(Vec<(usize, Price)>),
}

impl Default for Opens {
    fn default() -> Opens {
        Opens::All(Column::default())
    }
}

impl Series {
    /// An empty one with room for so many bars.
    #[must_use]
    pub fn with_capacity(bars: usize) -> Series {
        let room = || Column::Values(Vec::with_capacity(bars));
        Series { opens: Opens::All(room()), closes: room(), ..Series::default() }
    }

    /// Columns that were taken apart before; `None` where they do not belong together.
    #[must_use]
    pub fn from_parts(runs: Vec<Run>, opens: Column, closes: Column, digits: u32) -> Option<Series> {
        let bars = runs.iter().try_fold(0_usize, |bars, run| bars.checked_add(run.bars))?;
        let whole = runs.iter().all(|run| run.bars == 1 || (run.bars > 1 && run.step_ms > 0));
        let ascending = runs.windows(2).all(|pair| match pair {
            [one, next] => one.last() < next.first,
            _ => true,
        });
        let fits = bars == opens.len() && bars == closes.len();
        (whole && ascending && fits).then_some(Series { runs, opens: Opens::All(opens), closes, digits })
    }

    /// One more bar, which must begin after the last.
    #[inline]
    pub fn push(&mut self, time: Time, open: Cell, close: Cell) {
        if let Opens::All(opens) = &mut self.opens {
            opens.push(open.value, self.digits);
        }
        self.closes.push(close.value, self.digits);
        self.digits = self.digits.max(open.digits).max(close.digits);
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
        self.opens = match (std::mem::take(&mut self.opens), other.opens) {
            (Opens::All(mut opens), Opens::All(more)) => {
                opens.append(more, self.digits, other.digits);
                Opens::All(opens)
            }
            _ => Opens::Some(Vec::new()),
        };
        self.closes.append(other.closes, self.digits, other.digits);
        self.digits = self.digits.max(other.digits);
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

    /// First prices, bar by bar; `None` where not all of them were kept.
    #[must_use]
    pub fn opens(&self) -> Option<&Column> {
        match &self.opens {
            Opens::All(opens) => Some(opens),
            Opens::Some(_) => None,
        }
    }

    /// Last prices, bar by bar.
    #[must_use]
    pub fn closes(&self) -> &Column {
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
        let opens = self.opens().map_or(0.0, |opens| opens.largest(self.digits));
        fits(opens.max(self.closes.largest(self.digits)), self.digits)
    }

    /// The same in as little memory as it takes.
    #[must_use]
    pub fn packed(self) -> Series {
        let opens = match self.opens {
            Opens::All(opens) => Opens::All(opens.packed(self.digits)),
            some @ Opens::Some(_) => some,
        };
        Series { opens, closes: self.closes.packed(self.digits), ..self }
    }

    /// Forgets the opens but of these bars, ascending.
    pub fn keep_opens(&mut self, bars: impl Iterator<Item = usize>) {
        let kept = bars.filter_map(|bar| Some((bar, self.open(bar)?))).collect();
        self.opens = Opens::Some(kept);
    }

    /// The exact open of a bar; `None` where it was not kept.
    #[must_use]
    pub fn open(&self, bar: usize) -> Option<Price> {
        match &self.opens {
            Opens::All(opens) => opens.price(bar, self.digits),
            Opens::Some(kept) => {
                let at = kept.binary_search_by_key(&bar, |(bar, _)| *bar).ok()?;
                kept.get(at).map(|(_, open)| *open)
            }
        }
    }

    /// The exact close of a bar.
    #[must_use]
    pub fn close(&self, bar: usize) -> Option<Price> {
        self.closes.price(bar, self.digits)
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
            run.times_from(from)
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
            let (runs, opens, closes) =
                (made.runs.clone(), made.opens().unwrap().clone(), made.closes.clone());
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
        let two = || Column::Values(vec![1.0, 2.0]);
        assert!(Series::from_parts(vec![run(0, 60, 2)], two(), two(), 1).is_some());
        for runs in
            [vec![run(0, 60, 3)], vec![run(0, 0, 2)], vec![run(5, 0, 1), run(5, 0, 1)], vec![run(0, 60, 0)]]
        {
            assert!(Series::from_parts(runs.clone(), two(), two(), 1).is_none(), "{runs:?}");
        }
        assert!(Series::from_parts(vec![run(0, 60, 2)], two(), Column::Values(vec![1.0]), 1).is_none());
    }

    #[test]
    fn a_packed_series_tells_the_same_prices() {
        let made = |prices: &[&str]| {
            let mut series = Series::default();
            for (minute, price) in prices.iter().enumerate() {
                series.push(Time::clamped(BEGIN + minute as i64 * 60_000), cell("1"), cell(price));
            }
            series.packed()
        };
        let prices = |series: &Series| {
            (0..series.len()).map(|bar| series.close(bar).unwrap().to_string()).collect::<Vec<_>>()
        };
        for (first, second, is_packed) in [
            (&["0.3", "0.10"][..], &["7", "0.7"][..], true),
            // Digits differ.
            (&["0.3", "100"], &["0.07", "0.0000123"], true),
            (&["2147483647"], &["1"], true),
            // 32 bits, with the digits that the other one brings.
            (&["2147483648"], &["1"], false),
            (&["214748364.7"], &["0.01"], false),
            (&["25.12345678"], &["0.00000001"], false),
        ] {
            let mut both = made(first);
            both.append(made(second));
            let all: Vec<String> =
                [first, second].concat().iter().map(|text| cell(text).value.to_string()).collect();
            assert_eq!(prices(&both), all);
            let mut packed = both.packed();
            assert_eq!(prices(&packed), all);
            assert_eq!(matches!(packed.closes(), Column::Ticks(_)), is_packed, "{first:?} {second:?}");
            assert_eq!(
                packed.closes().values(packed.digits()).iter().map(f64::to_string).collect::<Vec<_>>(),
                all
            );
            // More can be pushed all the same.
            packed.push(Time::clamped(BEGIN + 600_000), cell("1"), cell("0.123"));
            assert_eq!(prices(&packed), [all, vec!["0.123".to_owned()]].concat());
            packed.keep_opens([1, 99].into_iter());
            assert_eq!(
                (packed.open(0), packed.open(1), packed.close(0).is_some()),
                (None, Some(Price::ONE), true)
            );
        }
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
