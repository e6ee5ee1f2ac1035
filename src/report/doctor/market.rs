//! Rows about the coins: whether they exist, can be bought at their target, and bought back.

use crate::decide::band::Band;
use crate::domain::num::{Notional, Rate};
use crate::domain::snapshot::Snapshot;
use crate::domain::symbol::Symbol;
use crate::report::doctor::question::{BANDS, LISTED, SIZE, SMALLEST_ORDERS};
use crate::report::doctor::{Failure, Row, named, percent};
use crate::strategy::Wish;

/// What is to be held, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The account and its market.
    pub snapshot: &'a Snapshot,
    /// What the strategy wants, one per coin.
    pub wishes: &'a [Wish],
    /// Market orders instead of limit orders.
    pub market_orders: bool,
    /// What values are counted in.
    pub quote: &'a str,
    /// The key that sets one coin's target; `None` where targets follow the equity.
    pub target_key: Option<&'a str>,
    /// No increase beyond this.
    pub max_leverage: Rate,
}

/// One row per question about the coins.
#[must_use]
pub fn rows(wanted: &Wanted<'_>) -> [Row; 4] {
    [listed(wanted), smallest_orders(wanted), bands(wanted), size(wanted)]
}

fn listed(wanted: &Wanted<'_>) -> Row {
    let (mut unknown, mut ending, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    for wish in wanted.wishes {
        match wanted.snapshot.coins.get(&wish.symbol).and_then(|coin| coin.rules.as_ref()) {
            None => unknown.push(&wish.symbol),
            Some(rules) if rules.delisting().is_some() => ending.push(&wish.symbol),
            Some(rules) if rules.status.as_str() != "TRADING" => idle.push(&wish.symbol),
            Some(_) => {}
        }
    }
    let mut parts = Vec::new();
    for (symbols, what) in [(&unknown, "not listed"), (&ending, "being delisted"), (&idle, "not trading")] {
        if !symbols.is_empty() {
            parts.push(format!("{what}: {}", named(symbols)));
        }
    }
    let found = parts.join("; ");
    match (unknown.is_empty(), parts.is_empty()) {
        (_, true) => LISTED.ok(format!("all {} coins", wanted.wishes.len())),
        (false, _) => LISTED.fail(
            Failure::Config,
            found,
            "check the spelling (ADAUSDT), or choose again with `rebal scan --apply`",
        ),
        (true, _) => LISTED.warn(found, "choose others, or let `rebal scan --apply` choose"),
    }
}

/// A coin with a target, and what its smallest order is worth now.
struct Least<'a> {
    wish: &'a Wish,
    least: Notional,
}

impl Least<'_> {
    fn band(&self) -> Band {
        Band { threshold: self.wish.threshold, ends_at: self.wish.ends_at }
    }

    /// How far it must fall to be bought back; `None` where it never is.
    fn buy(&self) -> Option<Rate> {
        self.band().buy(self.least, self.wish.target)
    }

    fn is_one_sided(&self) -> bool {
        self.buy().is_none_or(|buy| buy > self.wish.threshold)
    }
}

/// Those whose smallest order can be told. A coin that is to be sold has no target.
fn least<'a>(wanted: &Wanted<'a>) -> Vec<Least<'a>> {
    let one = |wish: &'a Wish| {
        let coin = wanted.snapshot.coins.get(&wish.symbol)?;
        let price = coin.market?.mark.price;
        let least = coin.rules.as_ref()?.least_open(price, wanted.market_orders)?;
        Some(Least { wish, least: least * price })
    };
    wanted.wishes.iter().filter(|wish| wish.target.is_positive()).filter_map(one).collect()
}

fn smallest_orders(wanted: &Wanted<'_>) -> Row {
    let known = least(wanted);
    let Some(largest) = known.iter().map(|one| one.least).max() else {
        return SMALLEST_ORDERS.unknown("no coin with rules and a price");
    };
    let too_large = known.iter().filter(|one| one.least > one.wish.target);
    let too_large: Vec<&Symbol> = too_large.map(|one| &one.wish.symbol).collect();
    let largest = format!("{largest:.2} {}", wanted.quote);
    let fix = match wanted.target_key {
        Some(key) => format!("raise {key} to {largest} or more, or leave these coins out"),
        None => format!("give each coin {largest} or more: more equity or fewer coins; or leave these out"),
    };
    let found = || format!("larger than the target, never bought: {}", named(&too_large));
    match too_large.len() {
        0 => SMALLEST_ORDERS.ok(format!("the largest of {} coins is {largest}", known.len())),
        all if all == known.len() => SMALLEST_ORDERS.fail(Failure::Config, found(), fix),
        _ => SMALLEST_ORDERS.warn(found(), fix),
    }
}

fn bands(wanted: &Wanted<'_>) -> Row {
    let mut banded = least(wanted);
    banded.retain(|one| one.wish.stop.is_none());
    let Some(first) = banded.first() else {
        return match wanted.wishes.iter().any(|wish| wish.stop.is_some()) {
            true => BANDS.ok("not needed: coins with a stop are never bought back"),
            false => BANDS.unknown("no coin with rules and a price"),
        };
    };
    let sell = percent(first.wish.threshold);
    let target = format!("{:.2} {}", first.wish.target, wanted.quote);
    let one_sided: Vec<&Least<'_>> = banded.iter().filter(|one| one.is_one_sided()).collect();
    if one_sided.is_empty() {
        let all = banded.len();
        return BANDS
            .ok(format!("at {target} per coin all {all} sell {sell} above and buy back {sell} below"));
    }
    let symbols: Vec<&Symbol> = one_sided.iter().map(|one| &one.wish.symbol).collect();
    let widest = one_sided.iter().map(|one| one.buy().unwrap_or(Rate::ONE)).max().unwrap_or(Rate::ONE);
    let back = match widest < Rate::ONE {
        true => format!("back only {} below", percent(widest)),
        false => "some of them never back".to_owned(),
    };
    let found = format!(
        "at {target} per coin {} of {} sell {sell} above, but buy {back}: {}",
        one_sided.len(),
        banded.len(),
        named(&symbols)
    );
    BANDS.warn(found, symmetric(wanted, &one_sided, widest))
}

/// Which target, or which threshold, makes the bands symmetric.
fn symmetric(wanted: &Wanted<'_>, one_sided: &[&Least<'_>], widest: Rate) -> String {
    let target = one_sided.iter().filter_map(|one| one.band().symmetric(one.least)).max();
    let threshold = match widest < Rate::ONE {
        true => format!("; or sell later too, with a threshold of {widest}"),
        false => String::new(),
    };
    match (target, wanted.target_key) {
        (Some(target), Some(key)) => format!("{key} = {target:.0} makes all of them symmetric{threshold}"),
        (Some(target), None) => format!(
            "{target:.0} {} per coin makes all of them symmetric: more equity or fewer coins{threshold}",
            wanted.quote
        ),
        (None, _) => "trade to the target instead of the edge of the band".to_owned(),
    }
}

fn size(wanted: &Wanted<'_>) -> Row {
    let gross: Notional = wanted.wishes.iter().map(|wish| wish.target).sum();
    let equity = wanted.snapshot.balance.equity;
    let needed = format!("{}x of the equity at most (risk.max_effective_leverage)", wanted.max_leverage);
    let row = match gross.over(equity).filter(|_| equity.is_positive()) {
        None => SIZE.unknown("there is no equity to hold it against"),
        Some(leverage) => {
            let found = format!(
                "targets of {gross:.2} {} on an equity of {equity:.2}: {}x",
                wanted.quote,
                leverage.rounded(2)
            );
            match leverage > wanted.max_leverage {
                true => SIZE
                    .warn(found, "lower the targets or hold fewer coins: nothing is bought beyond the limit"),
                false => SIZE.ok(found),
            }
        }
    };
    row.needing(needed)
}
