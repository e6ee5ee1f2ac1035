//! Columns of coins become one market: a row per time at which any of them has a bar.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::thread;
use std::time::Duration;

use crate::backtest::market::{Contract, Market, Settlement};
use crate::domain::num::Rate;
use crate::domain::series::Series;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::Listed;

/// Settlements are stamped milliseconds before or after the open of the bar that they belong to.
const GIVE_OR_TAKE: Duration = Duration::from_secs(1);
/// Rows written at once: few enough to stay in the processor's cache while each coin fills its column.
const BLOCK: usize = 512;

/// What was recorded of some coins.
#[derive(Clone, Copy, Debug)]
pub struct Recording<'a> {
    /// The distance between two bars without a gap.
    pub interval: Duration,
    /// Bars of each coin.
    pub series: &'a BTreeMap<Symbol, Series>,
    /// Settled funding of each coin, ascending; a coin may have none.
    pub funding: &'a BTreeMap<Symbol, Vec<(Time, Rate)>>,
    /// Trading rules of each coin; one without rules is left out.
    pub listed: &'a BTreeMap<Symbol, Listed>,
    /// Whether the coins are bought and paid for instead of carried on margin.
    pub on_spot: bool,
}

impl Recording<'_> {
    /// The bars that begin at or after `from` and end at or before `to`, on one grid.
    #[must_use]
    pub fn market(&self, from: Option<Time>, to: Option<Time>) -> Market {
        let coins: Vec<Coin<'_>> =
            self.series.iter().filter_map(|found| self.coin(found, from, to)).collect();
        let opens = union(&coins);
        let closes = closes(&coins, &opens);
        let mut settlements: Vec<Settlement> = coins
            .iter()
            .enumerate()
            .flat_map(|(number, coin)| self.settlements(number, coin, &opens))
            .collect();
        settlements.sort_by_key(|settlement| (settlement.bar, settlement.coin));
        let contracts = coins.iter().map(|coin| {
            let (rules, brackets) = (coin.listed.rules.clone(), coin.listed.brackets.clone());
            let contract = Contract { rules, brackets, digits: coin.series.digits() };
            if self.on_spot { contract.on_spot() } else { contract }
        });
        Market::new(self.interval, opens, contracts.collect(), closes, settlements)
    }

    fn coin<'a>(
        &'a self,
        (symbol, series): (&'a Symbol, &'a Series),
        from: Option<Time>,
        to: Option<Time>,
    ) -> Option<Coin<'a>> {
        let begin = from.map_or(0, |from| series.before(from));
        // The last bar that may be in begins one interval before the end.
        let after_last =
            |to: Time| match to.ms() < i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX) {
                true => 0,
                false => series.before(to - self.interval + Duration::from_millis(1)),
            };
        let end = to.map_or(series.len(), after_last).max(begin);
        Some(Coin { symbol, series, listed: self.listed.get(symbol)?, begin, end })
    }

    fn settlements(&self, number: usize, coin: &Coin<'_>, opens: &[Time]) -> Vec<Settlement> {
        let bar_of = |stamp: Time| {
            let at = coin.series.before(stamp + Duration::from_millis(1)).checked_sub(1)?;
            let time = coin.series.times_from(at).next()?;
            let inside = (coin.begin..coin.end).contains(&at) && stamp.since(time) < self.interval;
            inside.then_some((at, opens.binary_search(&time).ok()?))
        };
        let settled = |(stamp, rate): &(Time, Rate)| {
            let (at, bar) = bar_of(*stamp + GIVE_OR_TAKE)?;
            Some(Settlement { bar, coin: number, rate: *rate, price: coin.series.open(at)? })
        };
        self.funding.get(coin.symbol).into_iter().flatten().filter_map(settled).collect()
    }
}

/// One coin, and which of its bars are in the period.
struct Coin<'a> {
    symbol: &'a Symbol,
    series: &'a Series,
    listed: &'a Listed,
    begin: usize,
    end: usize,
}

impl Coin<'_> {
    fn times(&self) -> impl Iterator<Item = Time> + '_ {
        self.series.times_from(self.begin).take(self.end - self.begin)
    }
}

/// Every time at which a coin has a bar, once.
fn union(coins: &[Coin<'_>]) -> Vec<Time> {
    let mut all: Vec<Time> = Vec::new();
    let mut before: Option<&Coin<'_>> = None;
    for coin in coins {
        // Most coins have the bars that the one before has.
        let same = before.is_some_and(|before| {
            before.series.runs() == coin.series.runs() && (before.begin, before.end) == (coin.begin, coin.end)
        });
        if !same {
            all = if all.is_empty() { coin.times().collect() } else { merged(&all, coin) };
        }
        before = Some(coin);
    }
    all
}

fn merged(all: &[Time], coin: &Coin<'_>) -> Vec<Time> {
    let mut both = Vec::with_capacity(all.len().max(coin.end - coin.begin));
    let mut all = all.iter().copied().peekable();
    for time in coin.times() {
        while let Some(earlier) = all.next_if(|other| *other < time) {
            both.push(earlier);
        }
        all.next_if_eq(&time);
        both.push(time);
    }
    both.extend(all);
    both
}

/// Closes row by row, NaN where a coin has no bar; the rows are shared out to all cores.
fn closes(coins: &[Coin<'_>], opens: &[Time]) -> Vec<f64> {
    let mut cells = vec![0.0; opens.len() * coins.len()];
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let share = opens.len().div_ceil(workers).next_multiple_of(BLOCK);
    let width = share * coins.len();
    if width == 0 {
        return cells;
    }
    thread::scope(|scope| {
        for (cells, opens) in cells.chunks_mut(width).zip(opens.chunks(share)) {
            scope.spawn(|| fill(coins, opens, cells));
        }
    });
    cells
}

fn fill(coins: &[Coin<'_>], opens: &[Time], cells: &mut [f64]) {
    for (cells, opens) in cells.chunks_mut(BLOCK * coins.len()).zip(opens.chunks(BLOCK)) {
        cells.fill(f64::NAN);
        let Some(first) = opens.first() else { continue };
        for (number, coin) in coins.iter().enumerate() {
            let begin = coin.series.before(*first).max(coin.begin);
            let bars = coin
                .series
                .times_from(begin)
                .zip(coin.series.closes().get(begin..coin.end).unwrap_or_default());
            let mut bars = bars.peekable();
            let column = cells.iter_mut().skip(number).step_by(coins.len());
            for (cell, open) in column.zip(opens) {
                if let Some((_, close)) = bars.next_if(|(time, _)| time == open) {
                    *cell = *close;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::num::Price;
    use crate::domain::series::Cell;
    use crate::sim::listing;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;

    fn at(minute: i64) -> Time {
        Time::clamped(1_759_276_800_000 + minute * MINUTE)
    }

    /// A coin whose close at a minute is 1 and the minute's hundredths, and whose open is one more.
    fn series(minutes: &[i64]) -> Series {
        let mut series = Series::default();
        for minute in minutes {
            let close = Price::new(100 + minute, 2);
            let open = close + Price::ONE;
            series.push(at(*minute), Cell::of(open).unwrap(), Cell::of(close).unwrap());
        }
        series
    }

    fn market(coins: &[&[i64]], funding: &[&[(i64, &str)]], from: Option<i64>, to: Option<i64>) -> Market {
        let symbol = |number: usize| format!("C{number}USDT").parse::<Symbol>().unwrap();
        let series: BTreeMap<_, _> =
            coins.iter().enumerate().map(|(n, minutes)| (symbol(n), series(minutes))).collect();
        let rates = |stamps: &[(i64, &str)]| {
            stamps.iter().map(|(ms, rate)| (Time::clamped(at(0).ms() + ms), rate.parse().unwrap())).collect()
        };
        let funding = funding.iter().enumerate().map(|(n, stamps)| (symbol(n), rates(stamps))).collect();
        let listed =
            series.keys().map(|symbol| (symbol.clone(), listing::derived(symbol, Price::ONE))).collect();
        let interval = Duration::from_secs(300);
        Recording { interval, series: &series, funding: &funding, listed: &listed, on_spot: false }
            .market(from.map(at), to.map(at))
    }

    fn rows(market: &Market) -> Vec<(i64, Vec<Option<String>>)> {
        let minute = |open: &Time| (open.ms() - at(0).ms()) / MINUTE;
        let closes = |bar| {
            (0..market.coins()).map(|coin| market.close(bar, coin).map(|close| close.to_string())).collect()
        };
        market.opens.iter().enumerate().map(|(bar, open)| (minute(open), closes(bar))).collect()
    }

    #[test]
    fn what_is_not_there_is_unavailable_and_never_zero() {
        let found = rows(&market(&[&[0, 5, 10, 40], &[10, 15]], &[], None, None));
        let some = |text: &str| Some(text.to_owned());
        let expected = vec![
            (0, vec![some("1"), None]),
            (5, vec![some("1.05"), None]),
            (10, vec![some("1.1"), some("1.1")]),
            (15, vec![None, some("1.15")]),
            (40, vec![some("1.4"), None]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_period_holds_whole_bars_only() {
        let minutes = [0, 5, 10, 15, 20];
        for (from, to, expected) in [
            (None, None, &minutes[..]),
            (Some(5), None, &[5, 10, 15, 20]),
            (Some(6), None, &[10, 15, 20]),
            (None, Some(20), &[0, 5, 10, 15]),
            (None, Some(24), &[0, 5, 10, 15]),
            (None, Some(25), &minutes),
            (Some(5), Some(15), &[5, 10]),
            (Some(15), Some(5), &[]),
            (Some(30), None, &[]),
            (None, Some(-400_000_000), &[]),
        ] {
            let found = rows(&market(&[&minutes], &[], from, to));
            let found: Vec<i64> = found.into_iter().map(|(minute, _)| minute).collect();
            assert_eq!(found, expected, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn a_settlement_belongs_to_the_bar_around_it_give_or_take() {
        let stamps: &[(i64, &str)] =
            &[(-500, "0.1"), (3, "0.2"), (299_500, "0.3"), (900_000, "0.4"), (2_400_001, "0.5")];
        let found = market(&[&[0, 5, 10, 40], &[0]], &[stamps], None, None).settlements;
        let shown: Vec<(usize, usize, String, String)> =
            found.iter().map(|s| (s.bar, s.coin, s.rate.to_string(), s.price.to_string())).collect();
        // Nothing is charged at minute 15, where the coin has no bar.
        let expected = [(0, "0.1", "2"), (0, "0.2", "2"), (1, "0.3", "2.05"), (3, "0.5", "2.4")];
        assert_eq!(shown, expected.map(|(bar, rate, price)| (bar, 0, rate.to_owned(), price.to_owned())));
        let cut = market(&[&[0, 5, 10, 40]], &[stamps], Some(5), Some(15)).settlements;
        assert_eq!(
            cut.iter().map(|s| (s.bar, s.rate.to_string())).collect::<Vec<_>>(),
            [(0, "0.3".to_owned())]
        );
    }

    proptest! {
        /// Against a table of every coin and time, over more rows than one core takes.
        #[test]
        fn the_grid_is_the_table_of_its_columns(
            coins in prop::collection::vec(prop::collection::btree_set(0..3000_i64, 0..1500), 1..5),
            from in prop::option::of(0..3000_i64),
            span in 0..3000_i64,
        ) {
            let coins: Vec<Vec<i64>> = coins.into_iter().map(|set| set.into_iter().map(|n| n * 5).collect()).collect();
            let (from, to) = (from.map(|n| n * 5), from.map(|n| (n + span) * 5));
            let slices: Vec<&[i64]> = coins.iter().map(Vec::as_slice).collect();
            let inside = |minute: &i64| from.is_none_or(|from| *minute >= from) && to.is_none_or(|to| minute + 5 <= to);
            let mut times: Vec<i64> = coins.iter().flatten().copied().filter(inside).collect();
            times.sort_unstable();
            times.dedup();
            let close = |coin: &Vec<i64>, minute: i64| coin.binary_search(&minute).ok().map(|_| Price::new(100 + minute, 2).to_string());
            let expected: Vec<_> =
                times.iter().map(|minute| (*minute, coins.iter().map(|coin| close(coin, *minute)).collect())).collect();
            prop_assert_eq!(rows(&market(&slices, &[], from, to)), expected);
        }
    }
}
