//! The screen: finds the next bar at which something may happen, in binary floating point with a guard.
//!
//! Between two trades an account is a handful of numbers: quantities `q`, cash `c`, and for each coin the
//! closes at which a decision could touch it. Equity `E = c + Σ q·p` of eight bars at once, the extremes of
//! each coin in them, and a few comparisons say for most tiles that nothing happens. What they cannot rule
//! out is done exactly.
//!
//! **Why nothing is missed.** With `u = 2⁻⁵³`, a decimal becomes a double that is off by at most `2u` of itself; a
//! sum of `n` products and one addend in any order is then off by at most `(n + 8)·u·S` to first order, with
//! `S = |c| + Σ q·p` (Higham, *Accuracy and Stability of Numerical Algorithms*, 3.1 and 4.2; no term is
//! negative but `c`, so `Σ q·p = E − c`). The guard is `(n + 16)·2⁻⁵⁰·S`, eight times as much, and decimals
//! themselves round in the 28th digit only. Equity within the guard of the stop, of the liquidation or of a
//! record is looked at exactly. An edge of a band is widened by `EDGE`, a thousand times what its own few
//! operations are off; a coin at an edge is looked at exactly, and one inside is inside.

use std::ops::Range;

use crate::backtest::columns::{BARS, Cell, Cells, Lanes, Tile, Tiles, sums};
use crate::backtest::market::Market;
use crate::backtest::run::{Ending, Terms};
use crate::backtest::sure::{Edges, Exact, Limits, Place, Size, Sure, Trades};
use crate::backtest::walk::Walk;
use crate::domain::num::{Notional, Qty, Rate};
use crate::strategy::{Band, Prices, Quiet, Whole};

/// How much wider than computed an edge is taken to be, of itself.
const EDGE: f64 = 1e-12;
/// Edges that no close is outside of.
const NEVER: (f64, f64) = (0.0, f64::MAX);
/// Trades that a tile takes before its sums are made anew: each adds up to `5u·S` to what they are off by.
const MOST_LEGS: u32 = 4;

/// Walks to the end, exact only where the screen cannot rule something out.
pub(super) fn walk(walk: &mut Walk<'_>) -> Ending {
    match &walk.market.columns.tiles {
        Cells::Ticks(tiles) => walk_over(walk, tiles),
        Cells::Values(tiles) => walk_over(walk, tiles),
    }
}

fn walk_over<T: Cell>(walk: &mut Walk<'_>, tiles: &Tiles<T>) -> Ending {
    let bars = walk.market.bars();
    let mut screen = Screen::new(walk.market, tiles, walk.terms);
    // The first bar buys.
    let mut must = 0;
    let mut bar = 0;
    while bar < bars {
        screen.begin(walk, bar);
        let next = if bar == must {
            Some((bar, Attention::Exact))
        } else {
            let end = must.min(bars).min(walk.next_settlement()).min(walk.next_sample(bar + 1));
            screen.scan(walk, bar..end)
        };
        let Some((at, attention)) = next else {
            bar = must.min(bars).min(walk.next_settlement()).min(walk.next_sample(bar + 1));
            continue;
        };
        if attention == Attention::Exact || !screen.decide(walk, at) {
            screen.resolve(walk);
            if let Some(ending) = walk.close(at) {
                return ending;
            }
            must = screen.renew(walk, at);
        }
        bar = at + 1;
    }
    screen.resolve(walk);
    walk.bars = bars;
    Ending::PricesEnded
}

/// What a bar may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attention {
    /// Coins outside their bands, and nothing else.
    Coins,
    /// A stop, a liquidation, or what only the whole decision knows.
    Exact,
}

/// Figures of the account between two trades, and what has to be looked at.
pub(super) struct Screen<'a, T> {
    market: &'a Market,
    tiles: &'a Tiles<T>,
    /// The account in doubles.
    place: Place<'a>,
    trades: Trades,
    /// By coin, what is held times what a cell is worth.
    held: Vec<f64>,
    /// By coin: a cell times this above the whole may be a sale …
    over: Vec<f64>,
    /// … and times this below it a purchase.
    under: Vec<f64>,
    /// The same where the whole is a constant: cells above this …
    above: Vec<T>,
    /// … and below this.
    below: Vec<T>,
    /// The bands in force, by column; empty where the screen knows prices only.
    bands: Vec<Option<Edges>>,
    /// What closes are compared with: (equity − less) × times, or a constant.
    whole: Doubled,
    /// One part of `|cash| + gross` that sums may be off by.
    guard: f64,
    /// Part of the peak at which the hard stop fires.
    stops_at: f64,
    flat: bool,
    records: Records,
    open: Open,
}

/// The tile that was looked at last, as long as the account is the one it was valued for.
#[derive(Debug)]
struct Open {
    /// Its number; none has the largest one.
    number: usize,
    /// Equity at its closes.
    equity: Lanes,
    /// Whether it is known who leaves.
    is_known: bool,
    /// Coins outside their edges.
    leaving: Vec<Leaving>,
    /// Trades taken into its figures one by one.
    legs: u32,
}

/// A coin outside its edges.
#[derive(Clone, Copy, Debug)]
struct Leaving {
    coin: usize,
    /// In which bars of the tile, a bit each.
    lanes: u8,
}

impl Open {
    fn close(&mut self) {
        self.number = usize::MAX;
    }
}

/// What bands are parts of, in doubles.
#[derive(Clone, Copy, Debug)]
enum Doubled {
    /// And exact.
    Fixed(f64, Notional),
    Equity {
        less: f64,
        times: f64,
        /// Both.
        exact: (Notional, Rate),
    },
}

/// Records of equity that the exact books have not seen yet. Between two trades they are bars of one and
/// the same account, so that only the last of each kind has to be looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Records {
    /// The peak, the one that waits included.
    high: f64,
    /// The peak that the stop measures from, where it is another one.
    armed: Option<f64>,
    high_at: Option<usize>,
    /// What the deepest drawdown left of its peak.
    kept: f64,
    /// Equity at which the deepest drawdown is met.
    floor: f64,
    floor_at: Option<usize>,
}

impl<'a, T: Cell> Screen<'a, T> {
    fn new(market: &'a Market, tiles: &'a Tiles<T>, terms: &'a Terms<'a>) -> Screen<'a, T> {
        let coins = market.coins();
        let sizes = market.contracts.iter().map(|contract| Size::new(contract, terms)).collect();
        Screen {
            market,
            tiles,
            place: Place {
                market,
                terms: Limits::new(terms, market.is_spot()),
                sizes,
                qty: vec![0.0; coins],
                held: vec![Qty::ZERO; coins],
                cash: terms.equity.nearly(),
                maintenance: (0.0, 0.0),
                shares: 0.0,
            },
            trades: Trades::default(),
            held: vec![0.0; coins],
            over: vec![0.0; coins],
            under: vec![f64::MAX; coins],
            above: vec![T::at_most(f64::MAX); coins],
            below: vec![T::at_least(0.0); coins],
            bands: Vec::new(),
            whole: Doubled::Fixed(1.0, Notional::ONE),
            guard: (coins as f64 + 16.0) * 2_f64.powi(-50),
            stops_at: 1.0 - terms.limits.max_drawdown.nearly(),
            flat: true,
            records: Records::default(),
            open: Open {
                number: usize::MAX,
                equity: [0.0; BARS],
                is_known: false,
                leaving: Vec::with_capacity(coins),
                legs: 0,
            },
        }
    }

    /// What belongs to the beginning of a bar.
    fn begin(&mut self, walk: &mut Walk<'_>, bar: usize) {
        if walk.next_settlement() <= bar {
            self.resolve(walk);
            walk.settle(bar);
            self.open.close();
            self.place.cash = walk.books.cash.nearly();
        }
        if walk.next_sample(bar) == bar {
            self.resolve(walk);
            walk.sample(bar);
            self.records = Records::of(walk);
        }
    }

    /// Shows the exact books every record that waits.
    fn resolve(&mut self, walk: &mut Walk<'_>) {
        if self.records.high_at.is_none() && self.records.floor_at.is_none() {
            return;
        }
        for bar in [self.records.high_at, self.records.floor_at].into_iter().flatten() {
            let equity = walk.books.equity(self.market, bar);
            walk.highs.take(equity);
        }
        self.records = Records::of(walk);
    }

    /// Takes over the account after an exact look. Returns the next bar that needs one whatever prices do.
    fn renew(&mut self, walk: &mut Walk<'_>, bar: usize) -> usize {
        self.records = Records::of(walk);
        self.open.close();
        self.place.cash = walk.books.cash.nearly();
        for coin in 0..self.market.coins() {
            self.take_qty(coin, walk);
        }
        self.bands.clear();
        self.whole = Doubled::Fixed(1.0, Notional::ONE);
        self.over.fill(0.0);
        self.under.fill(f64::MAX);
        self.above.fill(T::at_most(f64::MAX));
        self.below.fill(T::at_least(0.0));
        let turn = self.market.columns.next_turn(bar + 1);
        if let Some(until) = walk.halted_until {
            self.reload(bar);
            return self.market.first_closing_at(until).max(bar + 1);
        }
        let equity = walk.books.equity(self.market, bar);
        let quiet = walk.terms.strategy.quiet(&walk.snapshot(bar, equity), &walk.memory);
        let due = match quiet {
            // The first decision is made whole: the calendar begins with it.
            _ if walk.calendar_at.is_none() => bar + 1,
            Quiet::Never => bar + 1,
            Quiet::InBands { whole, bands } => {
                self.take_bands(whole, bands);
                walk.calendar_due_at().map_or(usize::MAX, |at| self.market.first_closing_at(at))
            }
            Quiet::BetweenPrices { coins, until } => {
                coins.iter().for_each(|prices| self.take_prices(prices));
                until.map_or(usize::MAX, |at| self.market.first_closing_at(at))
            }
        };
        self.reload(bar);
        turn.min(walk.next_decision(due.max(bar + 1)))
    }

    /// Takes over what is held of a coin; returns how much more it is than before, times what a cell is worth.
    fn take_qty(&mut self, coin: usize, walk: &Walk<'_>) -> f64 {
        self.place.take_qty(coin, walk.books.qty(coin));
        let now = self.place.qty.get(coin).copied().unwrap_or_default() * self.unit(coin);
        self.held.get_mut(coin).map_or(0.0, |held| now - std::mem::replace(held, now))
    }

    /// What a cell of a coin is worth.
    fn unit(&self, coin: usize) -> f64 {
        self.market.columns.units().get(coin).copied().unwrap_or(1.0)
    }

    fn take_bands(&mut self, whole: Whole, bands: Vec<Band>) {
        self.whole = match whole {
            Whole::Fixed(whole) => Doubled::Fixed(whole.nearly(), whole),
            Whole::Equity { less, times } => {
                Doubled::Equity { less: less.nearly(), times: times.nearly(), exact: (less, times) }
            }
        };
        self.bands.resize(self.market.coins(), None);
        for band in bands {
            let column = self.market.column(&band.symbol);
            if let Some(slot) = column.and_then(|column| self.bands.get_mut(column)) {
                *slot = Some(Edges::new(band));
            }
        }
        self.place.shares = self.bands.iter().flatten().map(|edges| edges.share).sum();
    }

    fn take_prices(&mut self, prices: &Prices) {
        let Some(coin) = self.market.column(&prices.symbol) else { return };
        let over = prices.high.map_or(0.0, |high| 1.0 / high.nearly());
        self.set_edges(coin, (over, 1.0 / prices.low.nearly()));
    }

    /// Finds the edges anew, for the prices that there are from `bar` on.
    fn reload(&mut self, bar: usize) {
        for coin in 0..self.bands.len() {
            self.reload_coin(coin);
        }
        for coin in 0..self.market.coins() {
            if !self.market.columns.is_there(bar, coin) {
                self.set_edges(coin, NEVER);
            }
        }
        self.flat = self.place.qty.iter().all(|qty| *qty == 0.0);
        let gross = self.place.gross(bar);
        self.place.take_gross(gross);
    }

    fn reload_coin(&mut self, coin: usize) {
        let fixed = match self.whole {
            Doubled::Fixed(whole, _) => Some(whole),
            Doubled::Equity { .. } => None,
        };
        let Some(Some(band)) = self.bands.get(coin) else { return };
        let (Some(size), Some(qty)) = (self.place.sizes.get(coin), self.place.qty.get(coin)) else { return };
        let edges = size.edges(*qty, band, fixed);
        self.set_edges(coin, edges);
    }

    /// A close times the first may be a sale where it is above the whole, times the second a purchase where it is
    /// below; both are widened.
    fn set_edges(&mut self, coin: usize, (over, under): (f64, f64)) {
        let unit = self.unit(coin);
        let (over, under) = (over * (1.0 + EDGE) * unit, under * (1.0 - EDGE) * unit);
        match self.whole {
            Doubled::Fixed(whole, _) => {
                if let (Some(above), Some(below)) = (self.above.get_mut(coin), self.below.get_mut(coin)) {
                    let limit = if over > 0.0 { whole / over } else { f64::MAX };
                    (*above, *below) = (T::at_most(limit), T::at_least(whole / under));
                }
            }
            Doubled::Equity { .. } => {
                if let (Some(to_over), Some(to_under)) = (self.over.get_mut(coin), self.under.get_mut(coin)) {
                    (*to_over, *to_under) = (over, under);
                }
            }
        }
    }

    /// The first bar of the range at which something may happen.
    fn scan(&mut self, walk: &mut Walk<'_>, range: Range<usize>) -> Option<(usize, Attention)> {
        let mut bar = range.start;
        while bar < range.end {
            let number = bar / BARS;
            let tile = self.tiles.get(number)?;
            let lanes = bar % BARS..BARS.min(range.end - number * BARS);
            if let Some((lane, attention)) = self.look(walk, number, tile, lanes) {
                return Some((number * BARS + lane, attention));
            }
            bar = (number + 1) * BARS;
        }
        None
    }

    /// Looks at some bars of one tile.
    #[inline]
    fn look(
        &mut self,
        walk: &mut Walk<'_>,
        number: usize,
        tile: Tile<'_, T>,
        lanes: Range<usize>,
    ) -> Option<(usize, Attention)> {
        if self.open.number != number {
            self.open.number = number;
            self.open.legs = 0;
            self.open.is_known = false;
            self.open.equity = sums(tile.closes, self.held.iter().copied(), self.place.cash);
        }
        let equity = self.open.equity;
        let all = extremes(&equity);
        let (low, high) = if lanes.len() == BARS { all } else { extremes(equity.get(lanes.clone())?) };
        let cash = self.place.cash;
        let guard = self.guard * (cash.abs() + all.1 - cash);
        let first_bar = number * BARS;
        let mut found = self.first_outside(&tile, all, guard, lanes.clone(), first_bar, walk);
        if !self.flat && low <= self.danger(high, guard) {
            let upto = found.map_or(lanes.end, |(lane, _)| lane + 1);
            let endangered =
                |lane: &usize| equity.get(*lane).is_some_and(|now| *now <= self.danger(high, guard));
            if let Some(lane) = (lanes.start..upto).find(endangered) {
                found = Some((lane, Attention::Exact));
            }
        }
        if self.records.may_be_met(low, high, guard) {
            let upto = found.map_or(lanes.end, |(lane, _)| lane + 1);
            for lane in lanes.start..upto {
                let now = equity.get(lane).copied().unwrap_or_default();
                self.note(walk, first_bar + lane, now, guard);
            }
        }
        found
    }

    /// Equity at or below this may be stopped or liquidated, where it was `high` at most.
    fn danger(&self, high: f64, guard: f64) -> f64 {
        let peak = self.records.armed.unwrap_or(self.records.high).max(high);
        let stop = self.stops_at * peak + 2.0 * guard;
        let (rate, up_to) = self.place.maintenance;
        let gross = high - self.place.cash;
        if gross <= up_to { stop.max(rate * gross + 2.0 * guard) } else { f64::MAX }
    }

    /// What the whole may be off by.
    fn whole_off(&self, guard: f64) -> f64 {
        match self.whole {
            Doubled::Fixed(..) => 0.0,
            Doubled::Equity { less, times, .. } => (2.0 * guard + EDGE * less.abs()) * times,
        }
    }

    /// The least and the most that the whole may be, where equity is between these two.
    fn between(&self, low: f64, high: f64, guard: f64) -> (f64, f64) {
        match self.whole {
            Doubled::Fixed(whole, _) => (whole, whole),
            Doubled::Equity { less, times, .. } => {
                let off = self.whole_off(guard);
                ((low - less) * times - off, (high - less) * times + off)
            }
        }
    }

    /// The first lane at which a decision may trade a coin; `low` and `high` are those of the whole tile.
    #[inline]
    fn first_outside(
        &mut self,
        tile: &Tile<'_, T>,
        (low, high): (f64, f64),
        guard: f64,
        lanes: Range<usize>,
        first_bar: usize,
        walk: &Walk<'_>,
    ) -> Option<(usize, Attention)> {
        if !self.open.is_known {
            self.open.is_known = true;
            self.open.leaving.clear();
            match self.whole {
                Doubled::Fixed(..) => self.find_beyond(tile),
                Doubled::Equity { .. } => self.find_outside(tile, self.between(low, high, guard), guard),
            }
        }
        if self.open.leaving.is_empty() {
            return None;
        }
        let (least, _) = self.between(low, high, guard);
        self.first_leaving(least, guard, lanes, first_bar, walk)
    }

    /// Finds the coins that have a cell beyond its limits in the open tile, and where.
    #[inline]
    fn find_beyond(&mut self, tile: &Tile<'_, T>) {
        let mut outside = false;
        let limits = self.above.iter().zip(&self.below);
        for ((highest, lowest), (above, below)) in tile.highest.iter().zip(tile.lowest).zip(limits) {
            outside |= (highest > above) | (lowest < below);
        }
        if !outside {
            return;
        }
        let extremes = tile.highest.iter().zip(tile.lowest).zip(self.above.iter().zip(&self.below));
        for (coin, (((highest, lowest), (above, below)), closes)) in extremes.zip(tile.closes).enumerate() {
            if (highest > above) | (lowest < below) {
                self.open.leaving.push(Leaving { coin, lanes: beyond(closes, above, below) });
            }
        }
    }

    /// Finds the coins that are outside their edges somewhere in the open tile, and where, where the whole moves.
    #[inline]
    fn find_outside(&mut self, tile: &Tile<'_, T>, (least, most): (f64, f64), guard: f64) {
        let mut is_out = false;
        let edges = self.over.iter().zip(&self.under);
        for ((highest, lowest), (over, under)) in tile.highest.iter().zip(tile.lowest).zip(edges) {
            is_out |= (highest.nearly() * over > least) | (lowest.nearly() * under < most);
        }
        if !is_out {
            return;
        }
        let wholes = self.wholes(guard);
        let extremes = tile.highest.iter().zip(tile.lowest).zip(self.over.iter().zip(&self.under));
        for (coin, (((highest, lowest), (over, under)), closes)) in extremes.zip(tile.closes).enumerate() {
            if (highest.nearly() * over > least) | (lowest.nearly() * under < most) {
                let lanes = outside(closes, (*over, *under), &wholes);
                self.open.leaving.push(Leaving { coin, lanes });
            }
        }
    }

    /// The least and the most that the whole may be, lane by lane of the open tile.
    fn wholes(&self, guard: f64) -> (Lanes, Lanes) {
        match self.whole {
            Doubled::Fixed(whole, _) => ([whole; BARS], [whole; BARS]),
            Doubled::Equity { less, times, .. } => {
                let off = self.whole_off(guard);
                let whole = self.open.equity.map(|equity| (equity - less) * times);
                (whole.map(|whole| whole - off), whole.map(|whole| whole + off))
            }
        }
    }

    /// The first of some lanes at which a coin is outside its edges and a decision is due.
    fn first_leaving(
        &mut self,
        least: f64,
        guard: f64,
        lanes: Range<usize>,
        first_bar: usize,
        walk: &Walk<'_>,
    ) -> Option<(usize, Attention)> {
        let due = walk.deciding_of_8(first_bar) & bits(&lanes);
        if least <= 0.0 {
            // Nothing is left to divide: the strategy itself knows what that means.
            return first(due).map(|lane| (lane, Attention::Exact));
        }
        let lane = first(due & self.open.leaving.iter().fold(0, |all, leaving| all | leaving.lanes))?;
        let leaving = self.open.leaving.iter().filter(|leaving| leaving.lanes & (1 << lane) != 0);
        self.trades.outside.clear();
        self.trades.outside.extend(leaving.map(|leaving| leaving.coin));
        self.trades.equity = self.open.equity.get(lane).copied().unwrap_or_default();
        self.trades.guard = guard;
        self.trades.whole_off = self.whole_off(guard);
        let attention = if self.bands.is_empty() { Attention::Exact } else { Attention::Coins };
        Some((lane, attention))
    }

    /// Takes note of the equity of a bar, as far as it is a record.
    fn note(&mut self, walk: &mut Walk<'_>, bar: usize, equity: f64, guard: f64) {
        let records = &mut self.records;
        let near_armed = records.armed.is_some_and(|armed| equity > armed - guard);
        if equity > records.high + guard && !near_armed {
            if records.floor_at.is_some() {
                self.resolve(walk);
            }
            self.records.high = equity;
            self.records.high_at = Some(bar);
            self.records.floor = equity * self.records.kept;
            return;
        }
        if equity < records.floor - guard {
            records.floor = equity;
            records.floor_at = Some(bar);
        } else if equity >= records.high - guard || equity <= records.floor + guard || near_armed {
            // Too close to tell: looked at exactly.
            self.resolve(walk);
            walk.highs.take(walk.books.equity(self.market, bar));
            self.records = Records::of(walk);
        }
    }

    /// Trades the coins that are outside their bands, where that is sure; whether it is.
    fn decide(&mut self, walk: &mut Walk<'_>, bar: usize) -> bool {
        let sure = match self.whole {
            Doubled::Fixed(whole, exact) => {
                self.place.decide(bar, whole, Exact::Fixed(exact), &self.bands, &mut self.trades)
            }
            Doubled::Equity { less, times, exact } => {
                let whole = (self.trades.equity - less) * times;
                let exact = || (walk.books.equity(self.market, bar) - exact.0) * exact.1;
                self.place.decide(bar, whole, Exact::Moving(&exact), &self.bands, &mut self.trades)
            }
        };
        match sure {
            Sure::Nothing => return true,
            Sure::Unknown => return false,
            Sure::Trades => {}
        }
        self.resolve(walk);
        for at in 0..self.trades.legs.len() {
            let Some(leg) = self.trades.legs.get(at) else { break };
            let coin = leg.coin;
            if !walk.fill(bar, coin, leg.qty, leg.reason) {
                break;
            }
            let traded = self.take_qty(coin, walk);
            self.reload_coin(coin);
            self.revalue(coin, traded);
        }
        let cash = walk.books.cash.nearly();
        let paid = cash - self.place.cash;
        self.open.equity.iter_mut().for_each(|equity| *equity += paid);
        self.place.cash = cash;
        self.flat = false;
        let gross = self.trades.equity - self.place.cash;
        self.place.take_gross(gross);
        true
    }

    /// Takes a trade of a coin into the figures of the open tile.
    fn revalue(&mut self, coin: usize, traded: f64) {
        let open = &mut self.open;
        if open.number == usize::MAX {
            return;
        }
        let Some(closes) = self.tiles.get(open.number).and_then(|tile| tile.closes.get(coin)) else { return };
        for (equity, close) in open.equity.iter_mut().zip(closes) {
            *equity += traded * close.nearly();
        }
        open.legs += 1;
        match self.whole {
            _ if open.legs > MOST_LEGS => open.close(),
            Doubled::Equity { .. } => open.is_known = false,
            Doubled::Fixed(..) => {
                let leaving = open.leaving.iter_mut().find(|leaving| leaving.coin == coin);
                if let (Some(leaving), Some(above), Some(below)) =
                    (leaving, self.above.get(coin), self.below.get(coin))
                {
                    leaving.lanes = beyond(closes, above, below);
                }
            }
        }
    }
}

impl Records {
    fn of(walk: &Walk<'_>) -> Records {
        let high = walk.highs.peak.nearly();
        let kept = 1.0 - walk.highs.max_drawdown.rounded(18).nearly();
        Records {
            high,
            kept,
            armed: walk.highs.armed.map(|armed: Notional| armed.nearly()),
            high_at: None,
            floor: high * kept,
            floor_at: None,
        }
    }

    /// Whether equity between these two may be a record.
    fn may_be_met(&self, low: f64, high: f64, guard: f64) -> bool {
        high >= self.high - guard
            || low <= self.floor + guard
            || self.armed.is_some_and(|armed| high > armed - guard)
    }
}

#[inline]
fn extremes(values: &[f64]) -> (f64, f64) {
    let mut ends = (f64::MAX, f64::MIN);
    for value in values {
        ends.0 = if *value < ends.0 { *value } else { ends.0 };
        ends.1 = if *value > ends.1 { *value } else { ends.1 };
    }
    ends
}

/// The lanes at which a close is outside its edges, a bit each.
#[inline]
fn outside<T: Cell>(closes: &[T; BARS], (over, under): (f64, f64), (least, most): &(Lanes, Lanes)) -> u8 {
    let mut bits = 0;
    for (lane, ((close, least), most)) in closes.iter().zip(least).zip(most).enumerate() {
        let close = close.nearly();
        bits |= u8::from((close * over > *least) | (close * under < *most)) << lane;
    }
    bits
}

/// The lanes at which a cell is beyond its limits, a bit each.
#[inline]
fn beyond<T: Cell>(closes: &[T; BARS], above: &T, below: &T) -> u8 {
    let mut bits = 0;
    for (lane, close) in closes.iter().enumerate() {
        bits |= u8::from((close > above) | (close < below)) << lane;
    }
    bits
}

/// A bit for each of some lanes.
fn bits(lanes: &Range<usize>) -> u8 {
    let below = |lane: usize| (1_u16 << lane) - 1;
    (below(lanes.end) & !below(lanes.start)) as u8
}

/// The lane of the lowest bit.
fn first(lanes: u8) -> Option<usize> {
    (lanes != 0).then_some(lanes.trailing_zeros() as usize)
}
