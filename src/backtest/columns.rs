//! Closes in tiles of eight bars: what a core can value, coin by coin, without waiting for itself.
//!
//! A tile holds the closes of eight bars, coin after coin, so that one pass over it makes eight sums at
//! once out of straight reads. Beside each tile stand the highest and the lowest close of each coin: most
//! tiles need no more than that to say that no coin left its band. A quarter more memory than the closes alone.
//!
//! A close is a whole number of its coin's last digit, in four bytes, where those of all coins fit; else it is
//! the `f64` nearest to it.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::num::NonZero;
use std::ops::Range;
use std::thread;

use crate::domain::num::Price;
use crate::domain::series::{Column, Series};

/// Bars of a tile.
pub(super) const BARS: usize = 8;
/// Tiles written at once: few enough to stay in the processor's cache while each coin fills its lanes.
const BLOCK: usize = 64;

/// One figure per bar of a tile.
pub(super) type Lanes = [f64; BARS];

/// What a tile holds of a close.
pub(super) trait Cell: Copy + Default + PartialOrd + Send + Sync {
    fn nearly(self) -> f64;

    /// The largest cell that is not above a limit; none is negative.
    fn at_most(limit: f64) -> Self;

    /// The smallest cell that is not below a limit.
    fn at_least(limit: f64) -> Self;
}

impl Cell for i32 {
    #[inline]
    fn nearly(self) -> f64 {
        f64::from(self)
    }

    #[inline]
    fn at_most(limit: f64) -> i32 {
        limit as i32
    }

    #[inline]
    fn at_least(limit: f64) -> i32 {
        let whole = limit as i32;
        if f64::from(whole) < limit { whole.saturating_add(1) } else { whole }
    }
}

impl Cell for f64 {
    #[inline]
    fn nearly(self) -> f64 {
        self
    }

    #[inline]
    fn at_most(limit: f64) -> f64 {
        limit
    }

    #[inline]
    fn at_least(limit: f64) -> f64 {
        limit
    }
}

/// The closes of some coins. Where a coin has none the one before is repeated, and before its first one
/// the first: it is marked as a gap all the same.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    bars: usize,
    pub(super) tiles: Cells,
    /// By coin, digits after the point of its prices: they read back exactly.
    digits: Vec<u32>,
    /// By coin, what one of its cells is worth.
    units: Vec<f64>,
    /// By coin, ascending: the bars without a price.
    gaps: Vec<Vec<Range<usize>>>,
    /// Bars at which a gap begins or ends, ascending.
    turns: Vec<usize>,
}

/// Tiles of one kind of cell.
#[derive(Clone, Debug)]
pub(super) enum Cells {
    Ticks(Tiles<i32>),
    Values(Tiles<f64>),
}

/// All tiles, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Tiles<T> {
    coins: usize,
    closes: Vec<[T; BARS]>,
    highest: Vec<T>,
    lowest: Vec<T>,
}

/// One tile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile<'a, T> {
    /// Coin after coin.
    pub(super) closes: &'a [[T; BARS]],
    /// The highest close of each coin.
    pub(super) highest: &'a [T],
    /// The lowest.
    pub(super) lowest: &'a [T],
}

/// Bars of a coin that follow each other in its series and on the grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// On the grid.
    pub(super) bars: Range<usize>,
    /// The first of them in the series.
    pub(super) at: usize,
}

/// One coin: its prices, and where on the grid they are, ascending.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) series: &'a Series,
    pub(super) stretches: Vec<Stretch>,
}

impl Columns {
    pub(super) fn new(bars: usize, lines: &[Line<'_>]) -> Columns {
        let gaps: Vec<Vec<Range<usize>>> = lines.iter().map(|line| line.gaps(bars)).collect();
        let mut turns: Vec<usize> = gaps.iter().flatten().flat_map(|gap| [gap.start, gap.end]).collect();
        turns.retain(|bar| (1..bars).contains(bar));
        turns.sort_unstable();
        turns.dedup();
        let digits: Vec<u32> = lines.iter().map(|line| line.series.digits()).collect();
        let ticks = lines.iter().map(|line| match line.series.closes() {
            Column::Ticks(ticks) => Some((ticks.as_slice(), line.stretches.as_slice())),
            Column::Values(_) => None,
        });
        let (tiles, units) = match ticks.collect::<Option<Vec<_>>>() {
            Some(ticks) => {
                let unit = |digits: &u32| Price::new(1, *digits).nearly();
                (Cells::Ticks(Tiles::new(bars, &ticks)), digits.iter().map(unit).collect())
            }
            None => {
                let values: Vec<Cow<'_, [f64]>> =
                    lines.iter().map(|line| line.series.closes().values(line.series.digits())).collect();
                let values =
                    values.iter().zip(lines).map(|(values, line)| (&**values, line.stretches.as_slice()));
                (Cells::Values(Tiles::new(bars, &values.collect::<Vec<_>>())), vec![1.0; lines.len()])
            }
        };
        Columns { bars, tiles, digits, units, gaps, turns }
    }

    pub(super) fn bars(&self) -> usize {
        self.bars
    }

    /// By coin, what one of its cells is worth.
    pub(super) fn units(&self) -> &[f64] {
        &self.units
    }

    /// The close of a coin in a bar, or its last one before: the `f64` nearest to it.
    pub(super) fn last(&self, bar: usize, coin: usize) -> Option<f64> {
        match &self.tiles {
            // Whole number and power of ten are exact, so that their quotient is the nearest there is.
            Cells::Ticks(tiles) => {
                Some(Price::new(i64::from(self.cell(tiles, bar, coin)?), *self.digits.get(coin)?).nearly())
            }
            Cells::Values(tiles) => self.cell(tiles, bar, coin),
        }
    }

    /// The same, exact.
    pub(super) fn last_price(&self, bar: usize, coin: usize) -> Option<Price> {
        let digits = *self.digits.get(coin)?;
        match &self.tiles {
            Cells::Ticks(tiles) => Some(Price::new(i64::from(self.cell(tiles, bar, coin)?), digits)),
            Cells::Values(tiles) => Price::read_back(self.cell(tiles, bar, coin)?, digits),
        }
    }

    fn cell<T: Copy>(&self, tiles: &Tiles<T>, bar: usize, coin: usize) -> Option<T> {
        if bar >= self.bars || coin >= tiles.coins {
            return None;
        }
        tiles.closes.get(bar / BARS * tiles.coins + coin)?.get(bar % BARS).copied()
    }

    /// What quantities of all coins are worth at each close of the tile of number `bar / BARS`.
    pub(super) fn worth(&self, tile: usize, qty: &[f64]) -> Option<Lanes> {
        let scaled = || qty.iter().zip(&self.units).map(|(qty, unit)| qty * unit);
        match &self.tiles {
            Cells::Ticks(tiles) => Some(sums(tiles.get(tile)?.closes, scaled(), 0.0)),
            Cells::Values(tiles) => Some(sums(tiles.get(tile)?.closes, scaled(), 0.0)),
        }
    }

    /// Feeds every close, and where there is none, to a hasher.
    pub(super) fn hash_closes(&self, hasher: &mut impl Hasher) {
        match &self.tiles {
            Cells::Ticks(tiles) => tiles.closes.hash(hasher),
            Cells::Values(tiles) => {
                tiles.closes.as_flattened().iter().for_each(|close| hasher.write_u64(close.to_bits()));
            }
        }
        (&self.digits, &self.gaps).hash(hasher);
    }

    /// Whether a coin has a price in a bar.
    pub(super) fn is_there(&self, bar: usize, coin: usize) -> bool {
        let Some(gaps) = self.gaps.get(coin) else { return false };
        let after = gaps.partition_point(|gap| gap.end <= bar);
        bar < self.bars && gaps.get(after).is_none_or(|gap| bar < gap.start)
    }

    /// In how many of the first `bars` bars a coin has no price.
    pub(super) fn missing(&self, coin: usize, bars: usize) -> usize {
        let inside = |gap: &Range<usize>| gap.end.min(bars).saturating_sub(gap.start);
        self.gaps.get(coin).map_or(0, |gaps| gaps.iter().map(inside).sum())
    }

    /// The first bar from `bar` on at which a coin gets or loses its price.
    pub(super) fn next_turn(&self, bar: usize) -> usize {
        let next = self.turns.partition_point(|turn| *turn < bar);
        self.turns.get(next).copied().unwrap_or(usize::MAX)
    }
}

impl<T: Cell> Tiles<T> {
    /// Each coin's prices, and where they are; the tiles are shared out to all cores.
    fn new(bars: usize, lines: &[(&[T], &[Stretch])]) -> Tiles<T> {
        let (coins, count) = (lines.len(), bars.div_ceil(BARS));
        let mut tiles = Tiles {
            coins,
            closes: vec![[T::default(); BARS]; count * coins],
            highest: vec![T::default(); count * coins],
            lowest: vec![T::default(); count * coins],
        };
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        let share = count.div_ceil(workers).next_multiple_of(BLOCK);
        if coins > 0 && count > 0 {
            let width = share * coins;
            let closes = tiles.closes.chunks_mut(width).zip(tiles.highest.chunks_mut(width));
            thread::scope(|scope| {
                for (part, ((closes, highest), lowest)) in
                    closes.zip(tiles.lowest.chunks_mut(width)).enumerate()
                {
                    scope.spawn(move || fill(lines, part * share, closes, highest, lowest));
                }
            });
        }
        tiles
    }

    /// The tile of number `bar / BARS`.
    #[inline]
    pub(super) fn get(&self, number: usize) -> Option<Tile<'_, T>> {
        let range = number * self.coins..(number + 1) * self.coins;
        Some(Tile {
            closes: self.closes.get(range.clone())?,
            highest: self.highest.get(range.clone())?,
            lowest: self.lowest.get(range)?,
        })
    }
}

/// Writes some tiles, of which the first has the number `first`, block by block.
fn fill<T: Cell>(
    lines: &[(&[T], &[Stretch])],
    first: usize,
    closes: &mut [[T; BARS]],
    highest: &mut [T],
    lowest: &mut [T],
) {
    let coins = lines.len();
    let width = BLOCK * coins;
    let blocks = closes.chunks_mut(width).zip(highest.chunks_mut(width)).zip(lowest.chunks_mut(width));
    for (block, ((closes, highest), lowest)) in blocks.enumerate() {
        for (coin, (prices, stretches)) in lines.iter().enumerate() {
            let mut reader = Reader::new(prices, stretches, (first + block * BLOCK) * BARS);
            let tiles = closes.iter_mut().skip(coin).step_by(coins);
            let ends = highest.iter_mut().zip(lowest.iter_mut()).skip(coin).step_by(coins);
            for (lanes, (high, low)) in tiles.zip(ends) {
                *lanes = reader.next_eight();
                let [one, ..] = *lanes;
                (*high, *low) = (one, one);
                for lane in lanes {
                    *high = if *lane > *high { *lane } else { *high };
                    *low = if *lane < *low { *lane } else { *low };
                }
            }
        }
    }
}

/// Reads a coin's closes along the grid, the last one again where there is none.
struct Reader<'a, T> {
    prices: &'a [T],
    stretches: &'a [Stretch],
    bar: usize,
    last: T,
}

impl<'a, T: Cell> Reader<'a, T> {
    fn new(prices: &'a [T], stretches: &'a [Stretch], bar: usize) -> Reader<'a, T> {
        let (past, ahead) = stretches.split_at(stretches.partition_point(|stretch| stretch.bars.end <= bar));
        let price = |at: usize| prices.get(at).copied();
        let last = match (past.last(), ahead.first()) {
            (_, Some(now)) if now.bars.start < bar => price(now.at + (bar - 1 - now.bars.start)),
            (Some(before), _) => price(before.at + before.bars.len() - 1),
            (None, Some(next)) => price(next.at),
            (None, None) => None,
        };
        Reader { prices, stretches: ahead, bar, last: last.unwrap_or_default() }
    }

    fn next_eight(&mut self) -> [T; BARS] {
        if let Some(stretch) = self.stretches.first()
            && stretch.bars.start <= self.bar
            && self.bar + BARS <= stretch.bars.end
            && let Some(eight) = self
                .prices
                .get(stretch.at + (self.bar - stretch.bars.start)..)
                .and_then(|rest| rest.first_chunk::<BARS>())
        {
            self.bar += BARS;
            [.., self.last] = *eight;
            return *eight;
        }
        [(); BARS].map(|()| self.next())
    }

    fn next(&mut self) -> T {
        while let Some((_, later)) = self.stretches.split_first().filter(|(now, _)| now.bars.end <= self.bar)
        {
            self.stretches = later;
        }
        if let Some(now) = self.stretches.first()
            && let Some(ahead) = self.bar.checked_sub(now.bars.start)
        {
            self.last = self.prices.get(now.at + ahead).copied().unwrap_or(self.last);
        }
        self.bar += 1;
        self.last
    }
}

impl Line<'_> {
    /// Where there is no price on a grid of so many bars.
    fn gaps(&self, bars: usize) -> Vec<Range<usize>> {
        let mut gaps = Vec::new();
        let mut from = 0;
        for stretch in &self.stretches {
            gaps.push(from..stretch.bars.start);
            from = stretch.bars.end;
        }
        gaps.push(from..bars);
        gaps.retain(|gap| !gap.is_empty());
        gaps
    }
}

/// `start` and Σ quantity × close, at the eight closes of a tile.
#[inline]
pub(super) fn sums<T: Cell>(closes: &[[T; BARS]], qty: impl Iterator<Item = f64>, start: f64) -> Lanes {
    let mut sums = [start; BARS];
    for (closes, qty) in closes.iter().zip(qty) {
        for (sum, close) in sums.iter_mut().zip(closes) {
            *sum += qty * close.nearly();
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::series::Cell;
    use crate::domain::time::Time;

    fn series(closes: &[&str]) -> Series {
        let mut series = Series::default();
        for (minute, close) in closes.iter().enumerate() {
            let close = Cell::of(close.parse().unwrap()).unwrap();
            series.push(Time::clamped(minute as i64 * 60_000), close, close);
        }
        series
    }

    fn line<'a>(series: &'a Series, stretches: &[(Range<usize>, usize)]) -> Line<'a> {
        let stretches = stretches.iter().map(|(bars, at)| Stretch { bars: bars.clone(), at: *at }).collect();
        Line { series, stretches }
    }

    #[test]
    fn limits_become_the_nearest_cells_inside() {
        let ends = |limit: f64| (<i32 as super::Cell>::at_most(limit), <i32 as super::Cell>::at_least(limit));
        assert_eq!([ends(7.0), ends(7.1), ends(6.9)], [(7, 7), (7, 8), (6, 7)]);
        assert_eq!(
            [ends(0.0), ends(1e300), ends(f64::INFINITY)],
            [(0, 0), (i32::MAX, i32::MAX), (i32::MAX, i32::MAX)]
        );
    }

    #[test]
    fn tiles_hold_what_the_series_hold() {
        // Coin 0 has a gap in bars 1 and 2, coin 1 begins with bar 3, coin 2 never has a price, and of coin 3
        // the period holds the middle only.
        let a = ["10", "13.5", "14", "15", "16", "17", "18", "19", "20"];
        let b = ["17", "16", "15", "14", "13", "12", "11", "10.25"];
        let d: Vec<String> = (0..15).map(|bar| format!("{}", 100 + bar)).collect();
        let d: Vec<&str> = d.iter().map(String::as_str).collect();
        for packed in [false, true] {
            let made = |closes: &[&str]| if packed { series(closes).packed() } else { series(closes) };
            let (a, b, c, d) = (made(&a), made(&b), made(&[]), made(&d));
            let lines = [
                line(&a, &[(0..1, 0), (3..11, 1)]),
                line(&b, &[(3..11, 0)]),
                line(&c, &[]),
                line(&d, &[(0..11, 2)]),
            ];
            let columns = Columns::new(11, &lines);
            assert_eq!(matches!(columns.tiles, Cells::Ticks(_)), packed);
            let last = |bar, coin| columns.last(bar, coin).unwrap();
            assert_eq!([last(0, 0), last(1, 0), last(2, 0), last(3, 0)], [10.0, 10.0, 10.0, 13.5]);
            assert_eq!([last(0, 1), last(3, 1), last(10, 1)], [17.0, 17.0, 10.25]);
            assert_eq!([last(0, 3), last(7, 3), last(8, 3), last(10, 3)], [102.0, 109.0, 110.0, 112.0]);
            assert_eq!(columns.last_price(10, 1), Some(Price::new(1025, 2)));
            assert_eq!(
                (columns.last(11, 0), columns.last(0, 4), columns.last_price(11, 0)),
                (None, None, None)
            );
            let there = |bar| [0, 1, 2, 3].map(|coin| columns.is_there(bar, coin));
            assert_eq!([there(0), there(1)], [[true, false, false, true], [false, false, false, true]]);
            assert_eq!([there(2), there(3)], [[false, false, false, true], [true, true, false, true]]);
            assert_eq!(
                [columns.next_turn(0), columns.next_turn(2), columns.next_turn(4)],
                [1, 3, usize::MAX]
            );
            assert_eq!((columns.missing(0, 11), columns.missing(0, 2), columns.missing(2, 11)), (2, 1, 11));
            let worth = columns.worth(1, &[2.0, 100.0, 5.0, 1.0]).unwrap();
            assert_eq!(worth[..3], [36.0 + 1200.0 + 110.0, 38.0 + 1100.0 + 111.0, 40.0 + 1025.0 + 112.0]);
            assert_eq!(columns.worth(2, &[0.0; 4]), None);
            let ends = |high: [f64; 2], low: [f64; 2]| assert_eq!((high, low), ([20.0, 12.0], [18.0, 10.25]));
            match &columns.tiles {
                Cells::Ticks(tiles) => {
                    let (tile, of) = (tiles.get(1).unwrap(), |tick: i32, unit: f64| f64::from(tick) * unit);
                    let both = |ends: &[i32]| [of(ends[0], 0.1), of(ends[1], 0.01)];
                    ends(both(tile.highest), both(tile.lowest));
                }
                Cells::Values(tiles) => {
                    let tile = tiles.get(1).unwrap();
                    ends([tile.highest[0], tile.highest[1]], [tile.lowest[0], tile.lowest[1]]);
                }
            }
        }
    }
}
