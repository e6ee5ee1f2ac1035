//! The past: candles and funding settlements, read back from where the prices came from.

use std::time::Duration;

use crate::domain::market::Bar;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::book::nearest_tick;
use crate::sim::prices::{FundingPrint, Prices, path_digits};
use crate::sim::synthetic;
use crate::sim::{Exchange, Listed};

/// The furthest that a synthetic path is walked back: a little over a year of five-minute bars.
const FURTHEST_BARS: i64 = 120_000;

/// The length of a candle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// A fixed length, aligned to 1970 (weeks to Mondays).
    Fixed(Duration),
    /// A calendar month, UTC.
    Month,
}

impl Span {
    /// From the exchange's word (`5m`, `1h`, `1w`, `1M`); `None` where it is none of them.
    #[must_use]
    pub fn read(word: &str) -> Option<Span> {
        let minutes = match word {
            "1m" => 1,
            "3m" => 3,
            "5m" => 5,
            "15m" => 15,
            "30m" => 30,
            "1h" => 60,
            "2h" => 120,
            "4h" => 240,
            "6h" => 360,
            "8h" => 480,
            "12h" => 720,
            "1d" => 1440,
            "3d" => 4320,
            "1w" => 10_080,
            "1M" => return Some(Span::Month),
            _ => return None,
        };
        Some(Span::Fixed(Duration::from_secs(minutes * 60)))
    }

    /// When the candle that `at` falls into begins.
    #[must_use]
    pub fn start(self, at: Time) -> Time {
        match self {
            // 1970 began on a Thursday; weeks begin on Mondays.
            Span::Fixed(span) if span == Duration::from_secs(7 * 86_400) => {
                let shift = Duration::from_secs(3 * 86_400);
                (at + shift).floor_to(span) - shift
            }
            Span::Fixed(span) => at.floor_to(span),
            Span::Month => {
                let text = at.to_string();
                let month = text.get(..7).unwrap_or("1970-01");
                format!("{month}-01").parse().unwrap_or(at)
            }
        }
    }

    /// When the candle that begins at `start` is over.
    #[must_use]
    pub fn end(self, start: Time) -> Time {
        match self {
            Span::Fixed(span) => start + span,
            Span::Month => self.start(start + Duration::from_secs(32 * 86_400)),
        }
    }
}

/// A day's summary of one contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub last: Price,
    /// Base units traded.
    pub volume: Qty,
    /// Quote units traded.
    pub quote_volume: Notional,
    /// When the day began.
    pub from: Time,
}

/// No settlement is stamped later than this.
const LATEST_STAMP: Duration = Duration::from_secs(1);

impl Exchange {
    /// Candles of traded (or, with `of_mark`, mark) prices that begin in `[from, to]`, ascending. The
    /// last may be unfinished.
    #[must_use]
    pub fn candles(&self, symbol: &Symbol, span: Span, from: Time, to: Time, of_mark: bool) -> Vec<Bar> {
        let now = self.state.at;
        let Some(listed) = self.world.listing.get(symbol) else { return Vec::new() };
        let fine = matches!(span, Span::Fixed(length) if length < self.terms.interval);
        let first = span.start(from.max(listed.rules.onboard));
        // A finer candle may begin within a bar: that bar is needed too.
        let first = if fine { first - self.terms.interval } else { first };
        let bars = self.base_bars(symbol, listed, first, of_mark);
        let mut candles: Vec<Bar> = Vec::new();
        let pieces: Vec<Bar> = if fine { split(&bars, span, self.terms.interval) } else { bars };
        for bar in pieces {
            let start = span.start(bar.open_time);
            match candles.last_mut() {
                Some(candle) if candle.open_time == start => {
                    candle.high = candle.high.max(bar.high);
                    candle.low = candle.low.min(bar.low);
                    candle.close = bar.close;
                    candle.volume += bar.volume;
                }
                _ => candles.push(Bar { open_time: start, ..bar }),
            }
        }
        // The candle in progress shows the price of now.
        let current = span.start(now);
        let price = if of_mark { self.mark_price(symbol) } else { self.last_price(symbol) };
        if let Some(price) = price
            && !matches!(self.world.prices, Prices::Fed)
        {
            match candles.last_mut() {
                Some(candle) if candle.open_time == current => {
                    candle.high = candle.high.max(price);
                    candle.low = candle.low.min(price);
                    candle.close = price;
                }
                _ => candles.push(Bar {
                    open_time: current,
                    open: price,
                    high: price,
                    low: price,
                    close: price,
                    volume: Qty::ZERO,
                }),
            }
        }
        candles.retain(|candle| candle.open_time >= from && candle.open_time <= to);
        candles
    }

    /// The last twenty-four hours; `None` where the contract has no price.
    #[must_use]
    pub fn day(&self, symbol: &Symbol) -> Option<Day> {
        let last = self.last_price(symbol)?;
        let listed = self.world.listing.get(symbol)?;
        let from = self.state.at - Duration::from_secs(86_400);
        if let Prices::Fed = self.world.prices {
            let quote_volume = listed.shape.daily_volume;
            let volume = quote_volume.over_price(last)?;
            return Some(Day { open: last, high: last, low: last, last, volume, quote_volume, from });
        }
        if let Prices::Synthetic { seed } = self.world.prices {
            return self.day_back(seed, symbol, listed, from);
        }
        let bars = self.base_bars(symbol, listed, from, false);
        let mut day = Day {
            open: bars.first().map_or(last, |bar| bar.open),
            high: last,
            low: last,
            last,
            volume: Qty::ZERO,
            quote_volume: Notional::ZERO,
            from,
        };
        for bar in &bars {
            day.high = day.high.max(bar.high);
            day.low = day.low.min(bar.low);
            day.volume += bar.volume;
            day.quote_volume += bar.volume * bar.open.mid(bar.close);
        }
        Some(day)
    }

    /// The day before now of a synthetic path, in floats: a screen asks this of every contract at
    /// once, and a day's summary is no price that anything is booked at.
    fn day_back(&self, seed: u64, symbol: &Symbol, listed: &Listed, from: Time) -> Option<Day> {
        let state = &self.state.prices;
        let (tick, step) = (listed.rules.tick, listed.rules.lot.step);
        let last = self.last_price(symbol)?;
        let mut price = state.paths.get(symbol)?.approx();
        let (mut high, mut low) = (last.approx(), last.approx());
        let (mut quote_volume, mut volume) = (0.0, 0.0);
        let per_bar = listed.shape.daily_volume.approx() * self.terms.interval.as_secs_f64() / 86_400.0;
        let mut open_time = state.bar_at - self.terms.interval;
        let mut bar = state.bar;
        while open_time >= from.max(listed.rules.onboard) {
            for jump in state.jumps.iter().filter(|jump| jump.bar == bar && jump.symbol == *symbol) {
                price /= jump.factor.approx();
            }
            let walked = self.step_of(seed, symbol, listed, bar);
            let close = price;
            price /= walked.growth_approx();
            let (up, down) = walked.wicks_approx();
            high = high.max(close.max(price) * up);
            low = low.min(close.min(price) * down);
            let traded = per_bar * walked.volume_share_approx();
            quote_volume += traded;
            volume += traded / close;
            open_time = open_time - self.terms.interval;
            bar -= 1;
        }
        let basis = self.step_of(seed, symbol, listed, bar).basis();
        let digits = path_digits(tick).min(15);
        let shown = |value: f64| Price::from_approx(value, digits).map(|price| nearest_tick(price, tick));
        Some(Day {
            open: nearest_tick(Price::from_approx(price, digits)? * basis, tick),
            high: shown(high)?,
            low: shown(low)?,
            last,
            volume: Qty::from_approx(volume, 8)?.floor_to(step),
            quote_volume: Notional::from_approx(quote_volume, 8)?,
            from,
        })
    }

    /// Settlements of `symbol` in `[from, to]`, ascending, stamped a few milliseconds late.
    #[must_use]
    pub fn funding_history(&self, symbol: &Symbol, from: Time, to: Time) -> Vec<FundingPrint> {
        let Some(listed) = self.world.listing.get(symbol) else { return Vec::new() };
        let from = from.max(listed.rules.onboard);
        let to = to.min(self.state.at);
        // One that was due just before may be stamped just after.
        let before = from - LATEST_STAMP;
        let mut prints = self.funding_due(symbol, before, to);
        if let Prices::Fed = self.world.prices {
            prints.retain(|print| print.at >= from);
            return prints;
        }
        let bars = prints.first().map_or(Vec::new(), |print| {
            self.base_bars(symbol, listed, print.at - self.terms.interval - self.terms.interval, true)
        });
        let interval = self.terms.interval;
        for print in &mut prints {
            let complete = bars.partition_point(|bar| bar.open_time + interval <= print.at);
            print.mark = complete.checked_sub(1).and_then(|last| bars.get(last)).map(|bar| bar.close);
            print.at = print.at + synthetic::funding_delay(symbol, print.at);
        }
        prints.retain(|print| print.at >= from);
        prints
    }

    /// Complete bars that begin at or after `from`, ascending, at the exchange's own interval.
    pub(crate) fn base_bars(&self, symbol: &Symbol, listed: &Listed, from: Time, of_mark: bool) -> Vec<Bar> {
        match &self.world.prices {
            Prices::Synthetic { seed } => self.walk_back(*seed, symbol, listed, from, of_mark),
            Prices::Replay(recorded) => {
                let bars = recorded.bars.get(symbol).map_or(&[][..], Vec::as_slice);
                let first = bars.partition_point(|bar| bar.open_time < from);
                let now = self.state.prices.bar_at;
                let complete = |bar: &&Bar| bar.open_time + self.terms.interval <= now;
                bars.iter().skip(first).take_while(complete).map(|bar| self.jumped_bar(symbol, bar)).collect()
            }
            Prices::Fed => Vec::new(),
        }
    }

    /// A recorded bar with the jumps that happened before it.
    fn jumped_bar(&self, symbol: &Symbol, bar: &Bar) -> Bar {
        let earlier = self.state.prices.jumps.iter();
        let factor = earlier
            .filter(|jump| jump.symbol == *symbol && jump.at <= bar.open_time)
            .fold(Rate::ONE, |product, jump| product * jump.factor);
        Bar {
            open: bar.open * factor,
            high: bar.high * factor,
            low: bar.low * factor,
            close: bar.close * factor,
            ..*bar
        }
    }

    /// Undoes the synthetic path bar by bar.
    fn walk_back(&self, seed: u64, symbol: &Symbol, listed: &Listed, from: Time, of_mark: bool) -> Vec<Bar> {
        let state = &self.state.prices;
        let interval = self.terms.interval;
        let from = from.max(listed.rules.onboard);
        let digits = path_digits(listed.rules.tick);
        let tick = listed.rules.tick;
        let Some(path) = state.paths.get(symbol) else { return Vec::new() };
        let mut price = *path;
        let mut open_time = state.bar_at - interval;
        let mut bars = Vec::new();
        let per_bar = Rate::from(u32::try_from(interval.as_millis()).unwrap_or(u32::MAX))
            .over(Rate::from(86_400_000))
            .unwrap_or(Rate::ONE);
        for bar in (state.bar - FURTHEST_BARS..=state.bar).rev() {
            if open_time < from {
                break;
            }
            for jump in state.jumps.iter().filter(|jump| jump.bar == bar && jump.symbol == *symbol) {
                price = unscaled(price, jump.factor, digits);
            }
            let step = self.step_of(seed, symbol, listed, bar);
            let close = price;
            price = unscaled(close, step.growth(), digits);
            let before = self.step_of(seed, symbol, listed, bar - 1);
            let shown = |path: Price, basis: Rate| {
                if of_mark { path.rounded(tick.decimals() + 2) } else { nearest_tick(path * basis, tick) }
            };
            let (open, close) = (shown(price, before.basis()), shown(close, step.basis()));
            let (up, down) = step.wicks();
            let fit = |value: Price| if of_mark { value } else { nearest_tick(value, tick) };
            let volume = if of_mark {
                Qty::ZERO
            } else {
                let traded = listed.shape.daily_volume * per_bar * step.volume_share();
                traded.over_price(close).unwrap_or(Qty::ZERO).floor_to(listed.rules.lot.step)
            };
            bars.push(Bar {
                open_time,
                open,
                high: fit(open.max(close) * up).max(open).max(close),
                low: fit(open.min(close) * down).min(open).min(close),
                close,
                volume,
            });
            open_time = open_time - interval;
        }
        bars.reverse();
        bars
    }
}

/// `price / factor`; the price itself where the factor is zero.
fn unscaled(price: Price, factor: Rate, digits: u32) -> Price {
    let quotient = (Qty::ONE * price).over_rate(factor).and_then(|worth| worth.over_qty(Qty::ONE));
    quotient.unwrap_or(price).rounded(digits)
}

/// Bars cut into finer ones: the price is seen to change only where a bar ends.
fn split(bars: &[Bar], span: Span, interval: Duration) -> Vec<Bar> {
    let Span::Fixed(length) = span else { return bars.to_vec() };
    let pieces = u32::try_from(interval.as_millis() / length.as_millis().max(1)).unwrap_or(1).max(1);
    let share = Rate::ONE.over(Rate::from(pieces)).unwrap_or(Rate::ONE);
    let mut cut = Vec::new();
    for bar in bars {
        let volume = (bar.volume * share).rounded(8);
        for piece in 0..pieces {
            let flat = Bar { open_time: bar.open_time + length * piece, volume, ..*bar };
            let last = piece + 1 == pieces;
            cut.push(if last {
                flat
            } else {
                Bar { high: bar.open, low: bar.open, close: bar.open, ..flat }
            });
        }
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candles_begin_where_the_exchange_begins_them() {
        for (word, at, start) in [
            ("5m", "2026-01-15T10:13:00Z", "2026-01-15T10:10:00Z"),
            ("1d", "2026-01-15T10:13:00Z", "2026-01-15T00:00:00Z"),
            ("1w", "2026-01-15T10:13:00Z", "2026-01-12T00:00:00Z"),
            ("1M", "2026-01-15T10:13:00Z", "2026-01-01T00:00:00Z"),
        ] {
            let span = Span::read(word).unwrap();
            assert_eq!(span.start(at.parse().unwrap()), start.parse().unwrap(), "{word}");
        }
        let month = Span::Month;
        assert_eq!(month.end("2026-02-01".parse().unwrap()), "2026-03-01".parse().unwrap());
        assert_eq!(Span::read("1s"), None);
    }
}
