//! Closes in tiles of eight bars: what a core can value, coin by coin, without waiting for itself.
//!
//! A tile holds the closes of eight bars, coin after coin, so that one pass over it makes eight sums at
//! once out of straight reads. Beside each tile stand the highest and the lowest close of each coin: most
//! tiles need no more than that to say that no coin left its band. A quarter more memory than the closes alone.

use std::hash::{Hash, Hasher};
use std::ops::Range;

/// Bars of a tile.
pub(super) const BARS: usize = 8;

/// One figure per bar of a tile.
pub(super) type Lanes = [f64; BARS];

/// What stands where a coin never has a price; nobody holds it.
const NO_PRICE: f64 = 1.0;

/// The closes of some coins. Where a coin has none the one before is repeated, and before its first one
/// the first: it is marked as a gap all the same.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    coins: usize,
    bars: usize,
    tiles: Vec<f64>,
    highest: Vec<f64>,
    lowest: Vec<f64>,
    /// By coin, ascending: the bars without a price.
    gaps: Vec<Vec<Range<usize>>>,
    /// Bars at which a gap begins or ends, ascending.
    turns: Vec<usize>,
}

/// One tile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile<'a> {
    /// Coin after coin.
    pub(super) closes: &'a [Lanes],
    /// The highest close of each coin.
    pub(super) highest: &'a [f64],
    /// The lowest.
    pub(super) lowest: &'a [f64],
}

impl Columns {
    /// From rows, bar by bar: `closes[bar × coins + coin]`, NaN where there is none. Works in place.
    pub(super) fn new(coins: usize, bars: usize, mut closes: Vec<f64>) -> Columns {
        let padded = bars.div_ceil(BARS) * BARS;
        closes.truncate(bars * coins);
        closes.reserve_exact((padded * coins).saturating_sub(closes.len()));
        closes.resize(padded * coins, f64::NAN);
        let gaps = fill(coins, bars, &mut closes);
        let mut turns: Vec<usize> = gaps.iter().flatten().flat_map(|gap| [gap.start, gap.end]).collect();
        turns.retain(|bar| (1..bars).contains(bar));
        turns.sort_unstable();
        turns.dedup();
        let (mut highest, mut lowest) = (Vec::with_capacity(padded / BARS * coins), Vec::new());
        lowest.reserve_exact(highest.capacity());
        let mut rows = vec![0.0; BARS * coins];
        for tile in closes.chunks_exact_mut((BARS * coins).max(1)) {
            rows.copy_from_slice(tile);
            for (coin, lanes) in tile.chunks_exact_mut(BARS).enumerate() {
                for (lane, close) in lanes.iter_mut().zip(rows.iter().skip(coin).step_by(coins)) {
                    *lane = *close;
                }
                highest.push(lanes.iter().copied().fold(f64::MIN, f64::max));
                lowest.push(lanes.iter().copied().fold(f64::MAX, f64::min));
            }
        }
        Columns { coins, bars, tiles: closes, highest, lowest, gaps, turns }
    }

    pub(super) fn bars(&self) -> usize {
        self.bars
    }

    /// The tile of number `bar / BARS`.
    pub(super) fn tile(&self, number: usize) -> Option<Tile<'_>> {
        let stats = number * self.coins..(number + 1) * self.coins;
        let closes = self.tiles.get(stats.start * BARS..stats.end * BARS)?;
        Some(Tile {
            closes: closes.as_chunks::<BARS>().0,
            highest: self.highest.get(stats.clone())?,
            lowest: self.lowest.get(stats)?,
        })
    }

    /// The close of a coin in a bar, or its last one before.
    pub(super) fn last(&self, bar: usize, coin: usize) -> Option<f64> {
        if bar >= self.bars || coin >= self.coins {
            return None;
        }
        self.tiles.get((bar / BARS * self.coins + coin) * BARS + bar % BARS).copied()
    }

    /// Feeds every close, and where there is none, to a hasher.
    pub(super) fn hash_closes(&self, hasher: &mut impl Hasher) {
        self.tiles.iter().for_each(|close| hasher.write_u64(close.to_bits()));
        self.gaps.hash(hasher);
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

/// Repeats the last close where there is none, and returns where that was.
fn fill(coins: usize, bars: usize, closes: &mut [f64]) -> Vec<Vec<Range<usize>>> {
    let mut gaps: Vec<Vec<Range<usize>>> = vec![Vec::new(); coins];
    let first =
        |coin: usize| closes.iter().skip(coin).step_by(coins).copied().find(|close| close.is_finite());
    let mut last: Vec<f64> = (0..coins).map(|coin| first(coin).unwrap_or(NO_PRICE)).collect();
    for (bar, row) in closes.chunks_exact_mut(coins.max(1)).enumerate() {
        for ((close, last), gaps) in row.iter_mut().zip(&mut last).zip(&mut gaps) {
            if close.is_finite() {
                *last = *close;
                continue;
            }
            *close = *last;
            match gaps.last_mut().filter(|gap| gap.end == bar) {
                Some(gap) => gap.end = bar + 1,
                None if bar < bars => gaps.push(bar..bar + 1),
                None => {}
            }
        }
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_hold_what_the_rows_held() {
        let none = f64::NAN;
        // Coin 0 has a gap in bars 1 and 2, coin 1 begins with bar 3, coin 2 never has a price.
        let row = |bar: usize| {
            let (a, b) = (10.0 + bar as f64, 20.0 - bar as f64);
            [if bar == 1 || bar == 2 { none } else { a }, if bar < 3 { none } else { b }, none]
        };
        let columns = Columns::new(3, 11, (0..11).flat_map(row).collect());
        let last = |bar, coin| columns.last(bar, coin).unwrap();
        assert_eq!([last(0, 0), last(1, 0), last(2, 0), last(3, 0)], [10.0, 10.0, 10.0, 13.0]);
        assert_eq!([last(0, 1), last(3, 1), last(10, 1)], [17.0, 17.0, 10.0]);
        assert_eq!((columns.last(11, 0), columns.last(0, 3)), (None, None));
        let there = |bar| [0, 1, 2].map(|coin| columns.is_there(bar, coin));
        assert_eq!([there(0), there(1)], [[true, false, false], [false, false, false]]);
        assert_eq!([there(2), there(3)], [[false, false, false], [true, true, false]]);
        assert_eq!([columns.next_turn(0), columns.next_turn(2), columns.next_turn(4)], [1, 3, usize::MAX]);
        let tile = columns.tile(1).unwrap();
        assert_eq!(tile.closes[0], [18.0, 19.0, 20.0, 20.0, 20.0, 20.0, 20.0, 20.0]);
        assert_eq!((tile.highest, tile.lowest), (&[20.0, 12.0, 1.0][..], &[18.0, 10.0, 1.0][..]));
        assert!(columns.tile(2).is_none());
    }
}
