//! Trades that are sure: what the whole decision would do with a few coins, known without making it.
//!
//! A quantity is a whole number of steps. Where the doubles leave no doubt about that number, about the
//! smallest order and about every limit of the account, the decision can only be this one, and it is booked
//! in decimals. Where anything is in doubt the whole decision is made instead.

use std::cmp::Ordering;

use crate::backtest::market::{Contract, Market};
use crate::backtest::run::Terms;
use crate::decide::risk::MOST_LEGS;
use crate::domain::account::max_notional;
use crate::domain::num::{Notional, Qty, Rate};
use crate::domain::plan::Reason;
use crate::domain::rules::Rules;
use crate::strategy::Band;

/// What a few operations on doubles are off by at most, of the largest figure in them.
const FEW: f64 = 1e-14;
/// How far from a limit of the account figures must be, of themselves, to be called within it.
const CLEAR: f64 = 1e-9;
/// Drifts closer than this may be in any order: a decision rounds them to six digits.
const DRIFTS: f64 = 3e-6;
/// A part of a step: closer to a whole one nothing is called.
const CLOSE: f64 = 1e-6;
/// Steps are counted exactly up to here.
const MOST_STEPS: f64 = 1e15;

/// What bands are parts of, exact.
#[derive(Clone, Copy)]
pub(super) enum Exact<'a> {
    /// The strategy's own figure.
    Fixed(Notional),
    /// What follows equity, but for what its last digits are rounded to.
    Moving(&'a dyn Fn() -> Notional),
}

/// What a decision does, as far as doubles can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sure {
    /// No trade.
    Nothing,
    /// These trades.
    Trades,
    /// The whole decision has to be made.
    Unknown,
}

/// One trade.
#[derive(Clone, Copy, Debug)]
pub(super) struct SureLeg {
    pub(super) coin: usize,
    /// Negative is sold.
    pub(super) qty: Qty,
    pub(super) reason: Reason,
    price: f64,
    /// Signed.
    notional: f64,
    drift: f64,
}

/// What is looked at in one bar; kept from bar to bar for its room.
#[derive(Debug, Default)]
pub(super) struct Trades {
    /// Coins outside their edges.
    pub(super) outside: Vec<usize>,
    /// Equity in that bar …
    pub(super) equity: f64,
    /// … and what it may be off by.
    pub(super) guard: f64,
    /// What the whole may be off by then, where it follows equity.
    pub(super) whole_off: f64,
    /// In the order of their execution.
    pub(super) legs: Vec<SureLeg>,
}

/// A band, in doubles beside.
#[derive(Clone, Debug)]
pub(super) struct Edges {
    band: Band,
    /// The target as a part of the whole …
    pub(super) share: f64,
    /// … and the edges, and what a trade ends at, as parts of the target.
    above: f64,
    below: f64,
    sold_to: f64,
    bought_to: f64,
}

impl Edges {
    pub(super) fn new(band: Band) -> Edges {
        Edges {
            share: band.share.nearly(),
            above: band.above.nearly(),
            below: band.below.nearly(),
            sold_to: band.sold_to.nearly(),
            bought_to: band.bought_to.nearly(),
            band,
        }
    }

    /// What a coin is worth after a trade, exact.
    fn ends_at(&self, whole: Notional, reason: Reason) -> Notional {
        let target = whole * self.band.share;
        match reason {
            Reason::AboveBand => target * self.band.sold_to,
            Reason::BelowBand => target * self.band.bought_to,
            _ => target,
        }
    }
}

/// The account in doubles, and the rules of its coins.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) market: &'a Market,
    pub(super) terms: Limits,
    pub(super) sizes: Vec<Size>,
    pub(super) qty: Vec<f64>,
    /// The same, exact.
    pub(super) held: Vec<Qty>,
    pub(super) cash: f64,
    /// What maintenance takes at most of the gross value, up to this gross value.
    pub(super) maintenance: (f64, f64),
    /// All targets, as parts of the whole.
    pub(super) shares: f64,
}

/// Limits of the account, in doubles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Whether this file knows what the settings mean.
    known: bool,
    max_legs: usize,
    max_turnover: f64,
    max_leverage: f64,
    least_distance: f64,
    buffer: f64,
    room: f64,
    /// How far from the close an order of the spot market is valued at worst.
    worst: f64,
    fee: f64,
    set_leverage: f64,
}

impl Limits {
    pub(super) fn new(terms: &Terms<'_>, is_spot: bool) -> Limits {
        let limits = terms.limits;
        let set_leverage = if is_spot { 1 } else { terms.execution.leverage };
        let free = [limits.max_spread_bps, limits.max_mark_gap, terms.execution.taker_fee];
        let room = Rate::from_bps(terms.execution.max_slippage_bps);
        Limits {
            // The book of a backtest has no width and lies at the mark.
            known: !free.iter().any(Rate::is_negative) && !room.is_negative() && set_leverage > 0,
            max_legs: limits.max_orders.min(MOST_LEGS),
            max_turnover: limits.max_turnover.nearly(),
            max_leverage: limits.max_effective_leverage.nearly(),
            least_distance: limits.min_liquidation_distance.nearly(),
            buffer: limits.margin_buffer.nearly(),
            room: room.nearly(),
            worst: room.max(Rate::from_bps(limits.max_spread_bps)).nearly(),
            fee: terms.execution.taker_fee.nearly(),
            set_leverage: f64::from(set_leverage),
        }
    }
}

/// The rules of one coin, in doubles.
#[derive(Clone, Debug)]
pub(super) struct Size {
    /// Whether this file knows what the rules mean: one lot whose minimum lies on its grid.
    known: bool,
    opens: bool,
    is_spot: bool,
    step: Qty,
    step_approx: f64,
    /// The smallest order.
    least: f64,
    /// The largest; infinite where nothing limits it.
    most: f64,
    min_notional: f64,
    tick: f64,
    /// Highest and lowest limit price over the mark.
    price_up: f64,
    highest: f64,
    /// The most that a position may be worth.
    cap: f64,
    /// What increases are margined at.
    leverage: f64,
    /// Cap and rate of each tier; `None` where they are not as tiers should be.
    tiers: Option<Vec<(f64, f64)>>,
}

impl Size {
    pub(super) fn new(contract: &Contract, terms: &Terms<'_>) -> Size {
        let rules = &contract.rules;
        let lot = rules.lot;
        let first = contract.brackets.first().map(|bracket| bracket.max_leverage);
        let leverage = terms.limits.leverage.min(first.unwrap_or(u32::MAX));
        let cap = first.and_then(|_| max_notional(&contract.brackets, leverage));
        let one_lot = !terms.execution.market_orders
            || (rules.market_lot == lot && rules.spot.is_none_or(|spot| spot.max_notional.is_zero()));
        Size {
            known: one_lot && lot.min.is_multiple_of(lot.step) && (!lot.step.is_zero() || lot.min.is_zero()),
            opens: rules.opens(),
            is_spot: contract.is_spot(),
            step: lot.step,
            step_approx: lot.step.nearly(),
            least: lot.min.max(lot.step).nearly(),
            most: if lot.max.is_zero() { f64::INFINITY } else { lot.max.nearly() },
            min_notional: rules.min_notional.nearly(),
            tick: rules.tick.nearly(),
            price_up: rules.price_up.nearly(),
            highest: highest(rules),
            cap: cap.map_or(f64::INFINITY, |cap| cap.nearly()),
            leverage: f64::from(leverage.max(1)),
            tiers: tiers(contract),
        }
    }

    /// A close times the first may be a sale where it is above the whole, times the second a purchase where it
    /// is below. Not only the band counts: nothing happens either while less than the smallest order is off.
    pub(super) fn edges(&self, qty: f64, band: &Edges, fixed: Option<f64>) -> (f64, f64) {
        let share = band.share;
        let part = |of: f64| share * of;
        if qty == 0.0 {
            let too_small = fixed.is_some_and(|whole| self.min_notional > share * whole * (1.0 + CLEAR));
            let under = if self.opens && !too_small { self.least / share } else { f64::MAX };
            return (0.0, under);
        }
        // What is left after the smallest sale, a little more for what the difference is off by.
        let kept = (qty - self.least + qty * FEW).max(0.0);
        let over = (qty / part(band.above)).min(kept / part(band.sold_to));
        let below = part(band.below);
        if below <= 0.0 {
            return (over, f64::MAX);
        }
        let grown = (qty + self.least) / part(band.bought_to);
        let worth = fixed.map_or(0.0, |whole| {
            let room = part(band.bought_to) * whole - self.min_notional;
            if room > 0.0 { qty * whole / room } else { f64::MAX }
        });
        (over, (qty / below).max(grown).max(worth))
    }

    /// Whether an order is worth what the exchange wants at least; `None` where that is not sure.
    fn is_worth(&self, qty: f64, price: f64, buys: bool, room: f64) -> Option<bool> {
        if !buys && !self.is_spot {
            return Some(true);
        }
        // A limit order is valued at its limit or the mark, whichever is less.
        let limit = match buys {
            true => (price * (1.0 + room).min(self.price_up)).min(self.highest) - self.tick,
            false => price * (1.0 - room),
        };
        if qty * limit.min(price) >= self.min_notional * (1.0 + CLEAR) {
            Some(true)
        } else if qty * price < self.min_notional * (1.0 - CLEAR) {
            Some(false)
        } else {
            None
        }
    }

    /// Whether the smallest opening order is within the target; `None` where that is not sure.
    fn is_feasible(&self, price: f64, target: f64) -> Option<bool> {
        let worth = self.least_open(price)? * price;
        if worth > target * (1.0 + CLEAR) {
            Some(false)
        } else if worth < target * (1.0 - CLEAR) {
            Some(true)
        } else {
            None
        }
    }

    /// The smallest quantity of an opening order; `None` where it may be a step more or less.
    fn least_open(&self, price: f64) -> Option<f64> {
        let by_worth = self.min_notional / price;
        if by_worth < self.least * (1.0 - CLEAR) || self.step.is_zero() {
            return Some(by_worth.max(self.least));
        }
        let steps = by_worth / self.step_approx;
        let whole = (steps as i64) as f64;
        let part = steps - whole;
        let off = FEW * steps;
        // What is a whole number of steps at the smallest value stays one.
        let is_sure = steps < MOST_STEPS && part > off && part + off < 1.0;
        is_sure.then(|| ((whole + 1.0) * self.step_approx).max(self.least))
    }
}

/// The highest limit price of a purchase.
fn highest(rules: &Rules) -> f64 {
    Some(rules.price_bounds.1).filter(|bound| !bound.is_zero()).map_or(f64::INFINITY, |bound| bound.nearly())
}

fn tiers(contract: &Contract) -> Option<Vec<(f64, f64)>> {
    let tiers = &contract.brackets;
    let rising = tiers.is_sorted_by(|a, b| a.cap <= b.cap && a.maint_rate <= b.maint_rate);
    let plain = tiers.iter().all(|tier| !tier.cum.is_negative() && !tier.maint_rate.is_negative());
    (rising && plain)
        .then(|| tiers.iter().map(|tier| (tier.cap.nearly(), tier.maint_rate.nearly())).collect())
}

/// What a coin's quantity becomes.
enum Change {
    None,
    Unknown,
    To { size: f64, qty: Qty },
}

impl Place<'_> {
    /// Takes over what is held of a coin.
    pub(super) fn take_qty(&mut self, coin: usize, held: Qty) {
        if let (Some(qty), Some(exact)) = (self.qty.get_mut(coin), self.held.get_mut(coin)) {
            (*qty, *exact) = (held.nearly(), held);
        }
    }

    /// What all coins are worth at the close of a bar.
    pub(super) fn gross(&self, bar: usize) -> f64 {
        let worth = |(coin, qty): (usize, &f64)| Some(qty * self.market.columns.last(bar, coin)?);
        self.qty.iter().enumerate().filter_map(worth).sum()
    }

    /// The most that maintenance takes of a gross value up to this one, as a part of it: tiers rise, so that no
    /// coin's rate is above the one it would have if it were everything.
    pub(super) fn maintenance_rate(&self, gross: f64) -> f64 {
        let rate = |size: &Size| match &size.tiers {
            None => f64::MAX,
            Some(tiers) => {
                let tier = tiers.iter().find(|(cap, _)| gross <= *cap).or(tiers.last());
                tier.map_or(0.0, |(_, rate)| *rate)
            }
        };
        self.sizes.iter().map(rate).fold(0.0, f64::max)
    }

    /// Finds the rate of maintenance anew, for twice the gross value.
    pub(super) fn take_gross(&mut self, gross: f64) {
        let (_, up_to) = self.maintenance;
        if 1.5 * gross > up_to || 4.0 * gross < up_to {
            self.maintenance = (self.maintenance_rate(2.0 * gross), 2.0 * gross);
        }
    }

    /// What a decision does with the coins outside their edges, at the close of a bar.
    pub(super) fn decide(
        &self,
        bar: usize,
        whole: f64,
        exact: Exact<'_>,
        bands: &[Option<Edges>],
        trades: &mut Trades,
    ) -> Sure {
        trades.legs.clear();
        if !self.terms.known || trades.equity <= trades.guard {
            return Sure::Unknown;
        }
        let off = trades.whole_off;
        for coin in &trades.outside {
            let Some(Some(edges)) = bands.get(*coin) else { return Sure::Unknown };
            match self.leg(bar, *coin, (whole, off), exact, edges) {
                Ok(Some(leg)) => trades.legs.push(leg),
                Ok(None) => {}
                Err(Unknown) => return Sure::Unknown,
            }
        }
        if trades.legs.is_empty() {
            return Sure::Nothing;
        }
        trades.legs.sort_unstable_by(most_urgent_first);
        let told_apart = trades.legs.is_sorted_by(|a, b| {
            (a.notional < 0.0) != (b.notional < 0.0) || a.drift.abs() > b.drift.abs() + DRIFTS
        });
        if !told_apart || trades.legs.len() > self.terms.max_legs || !self.within_limits(whole, trades) {
            return Sure::Unknown;
        }
        Sure::Trades
    }

    fn leg(
        &self,
        bar: usize,
        coin: usize,
        (whole, off): (f64, f64),
        exact: Exact<'_>,
        edges: &Edges,
    ) -> Result<Option<SureLeg>, Unknown> {
        let size = self.sizes.get(coin).filter(|size| size.known && size.opens).ok_or(Unknown)?;
        let price = self.market.columns.last(bar, coin).ok_or(Unknown)?;
        let held = self.qty.get(coin).copied().ok_or(Unknown)?;
        let (target, value) = (edges.share * whole, held * price);
        let target_off = edges.share * off + FEW * target;
        let edge_off = 2.0 * (target_off + FEW * value);
        let beyond =
            |edge: f64| if (value - edge).abs() <= edge_off { Err(Unknown) } else { Ok(value > edge) };
        let (to, reason) = if held == 0.0 {
            (1.0, Reason::Entry)
        } else if beyond(edges.above * target)? {
            (edges.sold_to, Reason::AboveBand)
        } else if !beyond(edges.below * target)? {
            (edges.bought_to, Reason::BelowBand)
        } else {
            return Ok(None);
        };
        let buys = reason != Reason::AboveBand;
        if buys && !size.is_feasible(price, target).ok_or(Unknown)? {
            return Ok(None);
        }
        let wanted = to * target / price;
        let wanted_off = 2.0 * target_off / price + FEW * (wanted + held);
        let change = match (size.in_steps((wanted - held).abs(), wanted_off), exact) {
            (Change::Unknown, Exact::Fixed(whole)) if size.step.is_zero() => {
                self.any(bar, coin, edges.ends_at(whole, reason))
            }
            (Change::Unknown, Exact::Fixed(whole)) => {
                self.counted(bar, coin, edges.ends_at(whole, reason), size)
            }
            (Change::Unknown, Exact::Moving(whole)) => {
                self.counted(bar, coin, edges.ends_at(whole(), reason), size)
            }
            (sure, _) => sure,
        };
        let (amount, qty) = match change {
            Change::None => return Ok(None),
            Change::Unknown => return Err(Unknown),
            Change::To { size, qty } => (size, qty),
        };
        if !size.is_worth(amount, price, buys, self.terms.room).ok_or(Unknown)? {
            return Ok(None);
        }
        let (notional, qty) = if buys { (amount * price, qty) } else { (-amount * price, -qty) };
        Ok(Some(SureLeg { coin, qty, reason, price, notional, drift: value / target - 1.0 }))
    }

    /// The change in steps too fine for doubles, counted in whole numbers. What the coin should be worth may be
    /// off in its last digits, so that nothing is called that is close to a step.
    fn counted(&self, bar: usize, coin: usize, to: Notional, size: &Size) -> Change {
        let steps = || {
            let price = self.market.last_close(bar, coin)?;
            let (steps, part) = to.over_price_in_steps(price, size.step)?;
            let held = self.held.get(coin)?.in_steps(size.step)?;
            let change = if steps >= held { steps - held } else { held - steps - 1 };
            (part > CLOSE && part < 1.0 - CLOSE).then_some(change)
        };
        match steps() {
            Some(0) => Change::None,
            Some(steps) => {
                let qty = size.step * Rate::new(steps, 0);
                size.allowed(qty.nearly(), qty)
            }
            None => Change::Unknown,
        }
    }

    /// The exact change where any quantity can be traded.
    fn any(&self, bar: usize, coin: usize, to: Notional) -> Change {
        let Some(price) = self.market.last_close(bar, coin) else { return Change::Unknown };
        let Some(held) = self.held.get(coin).copied() else { return Change::Unknown };
        match to.over_price(price).map(|wanted| (wanted - held).abs()) {
            Some(qty) if !qty.is_zero() => Change::To { size: qty.nearly(), qty },
            _ => Change::Unknown,
        }
    }

    /// Whether the trades are clearly within every limit of the account. Reductions alone always are.
    fn within_limits(&self, whole: f64, trades: &Trades) -> bool {
        if !trades.legs.iter().any(|leg| leg.notional > 0.0) {
            return true;
        }
        let limits = &self.terms;
        let turnover: f64 = trades.legs.iter().map(|leg| leg.notional.abs()).sum();
        let targets = self.shares * whole;
        let gross = trades.equity - self.cash;
        let after = gross + trades.legs.iter().map(|leg| leg.notional).sum::<f64>();
        let equity = trades.equity - turnover * limits.fee;
        let (rate, up_to) = self.maintenance;
        let rate = if after * 1.01 <= up_to { rate } else { self.maintenance_rate(after * 1.01) };
        let left = equity - rate * after;
        let clear = CLEAR * (trades.equity.abs() + self.cash.abs() + gross + turnover);
        let free = trades.equity - gross / limits.set_leverage
            + trades.legs.iter().map(|leg| self.margin_effect(leg)).sum::<f64>();
        turnover + clear <= targets * limits.max_turnover
            && after + clear <= limits.max_leverage * equity
            && free - clear >= limits.buffer * trades.equity
            && (limits.least_distance <= 0.0 || left - clear >= limits.least_distance * after)
            && trades.legs.iter().all(|leg| self.is_below_cap(leg))
    }

    /// What a leg does to the free margin at worst.
    fn margin_effect(&self, leg: &SureLeg) -> f64 {
        let size = leg.notional.abs();
        let fee = size * self.terms.fee;
        if self.sizes.get(leg.coin).is_some_and(|rules| rules.is_spot) {
            let worst = if leg.notional < 0.0 { 1.0 - self.terms.worst } else { 1.0 + self.terms.worst };
            return -leg.notional * worst - fee;
        }
        if leg.notional < 0.0 {
            return size / self.terms.set_leverage - fee;
        }
        let leverage = self.sizes.get(leg.coin).map_or(1.0, |size| size.leverage);
        -(size * (1.0 + self.terms.room) / leverage + size * self.terms.room + fee)
    }

    fn is_below_cap(&self, leg: &SureLeg) -> bool {
        let held = self.qty.get(leg.coin).copied().unwrap_or_default();
        let cap = self.sizes.get(leg.coin).map_or(0.0, |size| size.cap);
        leg.notional < 0.0 || (held * leg.price + leg.notional) * (1.0 + CLEAR) <= cap
    }
}

/// Something is too close to call.
struct Unknown;

impl Size {
    /// The whole steps in a quantity.
    fn in_steps(&self, amount: f64, off: f64) -> Change {
        let units = amount / self.step_approx;
        let off = 2.0 * off / self.step_approx + FEW * units;
        let steps = (units as i64) as f64;
        let part = units - steps;
        // Not a number where there is no step, and that is below nothing.
        let is_sure = units + off < MOST_STEPS && part >= off && part + off < 1.0;
        if !is_sure {
            return Change::Unknown;
        }
        if steps == 0.0 {
            return Change::None;
        }
        self.allowed(steps * self.step_approx, self.step * Rate::new(steps as i64, 0))
    }

    /// A change, if an order of that size is allowed.
    fn allowed(&self, size: f64, qty: Qty) -> Change {
        if size < self.least * (1.0 - CLEAR) {
            Change::None
        } else if size * (1.0 + CLEAR) > self.most {
            Change::Unknown
        } else {
            Change::To { size, qty }
        }
    }
}

fn most_urgent_first(a: &SureLeg, b: &SureLeg) -> Ordering {
    (a.notional > 0.0).cmp(&(b.notional > 0.0)).then(b.drift.abs().total_cmp(&a.drift.abs()))
}
