//! Columns of coins become one market: a row per time at which any of them has a bar.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use crate::backtest::columns::{Columns, Line, Stretch};
use crate::backtest::market::{Contract, Market, Settlement};
use crate::domain::num::{Price, Rate};
use crate::domain::series::{Run, Series};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// Settlements are stamped milliseconds before or after the open of the bar that they belong to.
const GIVE_OR_TAKE: Duration = Duration::from_secs(1);

/// What was recorded of some coins.
#[derive(Clone, Copy, Debug)]
pub struct Recording<'a> {
    /// The distance between two bars without a gap.
    pub interval: Duration,
    /// Bars of each coin.
    pub series: &'a BTreeMap<Symbol, Series>,
    /// What was settled on each coin, ascending; a coin may have nothing.
    pub charges: &'a BTreeMap<Symbol, Vec<Charge>>,
    /// Each coin's trading rules; one without rules is left out.
    pub contracts: &'a BTreeMap<Symbol, Contract>,
}

/// One settlement of funding, found in a coin's series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The bar of the series whose open it is.
    pub bar: usize,
    /// Longs pay when positive.
    pub rate: Rate,
    /// That bar's open.
    pub price: Price,
}

impl Charge {
    /// Settled rates, ascending, each with the bar around it; without those that have none.
    #[must_use]
    pub fn all(series: &Series, interval: Duration, rates: &[(Time, Rate)]) -> Vec<Charge> {
        let charge = |(stamp, rate): &(Time, Rate)| {
            let bar = bar_around(series, *stamp)?;
            let inside = (*stamp + GIVE_OR_TAKE).since(series.times_from(bar).next()?) < interval;
            inside.then_some(Charge { bar, rate: *rate, price: series.open(bar)? })
        };
        rates.iter().filter_map(charge).collect()
    }

    /// Forgets the opens that no settlement needs.
    pub fn trim(series: &mut Series, rates: &[(Time, Rate)]) {
        let mut bars: Vec<usize> = rates.iter().filter_map(|(stamp, _)| bar_around(series, *stamp)).collect();
        bars.dedup();
        series.keep_opens(bars.into_iter());
    }
}

/// The last bar that begins before a settlement, or with it.
fn bar_around(series: &Series, stamp: Time) -> Option<usize> {
    series.before(stamp + GIVE_OR_TAKE + Duration::from_millis(1)).checked_sub(1)
}

impl Recording<'_> {
    /// The bars that begin at or after `from` and end at or before `to`, on one grid.
    #[must_use]
    pub fn market(&self, from: Option<Time>, to: Option<Time>) -> Market {
        let coins: Vec<Coin<'_>> =
            self.series.iter().filter_map(|found| self.coin(found, from, to)).collect();
        let opens = union(&coins, self.interval);
        let lines: Vec<Line<'_>> = coins.iter().map(|coin| coin.line(&opens)).collect();
        let settled = coins.iter().zip(&lines).enumerate();
        let mut settlements: Vec<Settlement> =
            settled.flat_map(|(number, (coin, line))| self.settlements(number, coin, line)).collect();
        settlements.sort_by_key(|settlement| (settlement.bar, settlement.coin));
        let columns = Columns::new(opens.len(), &lines);
        let contracts = coins.iter().map(|coin| coin.contract.clone()).collect();
        Market::new(self.interval, opens, contracts, columns, settlements)
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
        Some(Coin { symbol, series, contract: self.contracts.get(symbol)?, begin, end })
    }

    fn settlements(&self, number: usize, coin: &Coin<'_>, line: &Line<'_>) -> Vec<Settlement> {
        let settled = |charge: &Charge| {
            let after = line.stretches.partition_point(|stretch| stretch.at <= charge.bar);
            let stretch = line.stretches.get(after.checked_sub(1)?)?;
            let bar = stretch.bars.start + (charge.bar - stretch.at);
            let Charge { rate, price, .. } = *charge;
            stretch.bars.contains(&bar).then_some(Settlement { bar, coin: number, rate, price })
        };
        self.charges.get(coin.symbol).into_iter().flatten().filter_map(settled).collect()
    }
}

/// One coin, and which of its bars are in the period.
struct Coin<'a> {
    symbol: &'a Symbol,
    series: &'a Series,
    contract: &'a Contract,
    begin: usize,
    end: usize,
}

impl<'a> Coin<'a> {
    /// Each run, and which of its bars are in the period.
    fn runs(&self) -> impl Iterator<Item = (&'a Run, Range<usize>)> + use<'a> {
        let (mut at, begin, end) = (0, self.begin, self.end);
        self.series.runs().iter().filter_map(move |run| {
            let inside = begin.max(at) - at..end.min(at + run.bars).saturating_sub(at);
            at += run.bars;
            (!inside.is_empty()).then_some((run, inside))
        })
    }

    /// First and last times in milliseconds, between which there is a bar at every step.
    fn pieces(&self, step: i64) -> impl Iterator<Item = (i64, i64)> + use<'a> {
        self.runs().flat_map(move |(run, bars)| {
            let whole = run.step_ms == step || bars.len() == 1;
            let parts = if whole { 1 } else { bars.len() };
            (0..parts).map(move |part| match whole {
                true => (run.at(bars.start).ms(), run.at(bars.end - 1).ms()),
                false => (run.at(bars.start + part).ms(), run.at(bars.start + part).ms()),
            })
        })
    }

    /// Where its bars are among all times.
    fn line(&self, opens: &[Time]) -> Line<'a> {
        let mut stretches: Vec<Stretch> = Vec::new();
        let (mut at, mut from) = (self.begin, 0);
        for (run, inside) in self.runs() {
            let place = |time: Time, from: usize| {
                from + opens.get(from..).unwrap_or_default().partition_point(|open| *open < time)
            };
            let (start, stop) = (place(run.at(inside.start), from), place(run.at(inside.end - 1), from) + 1);
            if stop - start == inside.len() {
                stretches.push(Stretch { bars: start..stop, at });
            } else {
                // Others have bars between these.
                for (number, bar) in inside.clone().enumerate() {
                    let bar = place(run.at(bar), from);
                    stretches.push(Stretch { bars: bar..bar + 1, at: at + number });
                    from = bar;
                }
            }
            at += inside.len();
            from = stop;
        }
        Line { series: self.series, stretches }
    }
}

/// Every time at which a coin has a bar, once. All lie a whole number of intervals apart.
fn union(coins: &[Coin<'_>], interval: Duration) -> Vec<Time> {
    let step = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let mut pieces: Vec<(i64, i64)> = coins.iter().flat_map(|coin| coin.pieces(step)).collect();
    pieces.sort_unstable();
    let mut all = Vec::with_capacity(coins.iter().map(|coin| coin.end - coin.begin).max().unwrap_or(0));
    let mut next = i64::MIN;
    for (first, last) in pieces {
        let mut time = next.max(first);
        while time <= last {
            all.push(Time::clamped(time));
            time = time.saturating_add(step);
        }
        next = next.max(time);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::num::Price;
    use crate::domain::rules::tests::plain;
    use crate::domain::series::Cell;
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
        let interval = Duration::from_secs(300);
        let charges = |n: usize, stamps: &[(i64, &str)]| {
            let rates: Vec<(Time, Rate)> = rates(stamps);
            (symbol(n), Charge::all(&series[&symbol(n)], interval, &rates))
        };
        let charges = funding.iter().enumerate().map(|(n, stamps)| charges(n, stamps)).collect();
        let contract = |symbol: &Symbol| Contract { rules: plain(symbol.as_str()), brackets: Vec::new() };
        let contracts = series.keys().map(|symbol| (symbol.clone(), contract(symbol))).collect();
        Recording { interval, series: &series, charges: &charges, contracts: &contracts }
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
