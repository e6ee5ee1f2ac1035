//! Rows about the coins: whether they exist, can be bought at their target, and bought back.

use crate::decide::band::Band;
use crate::domain::num::{Notional, Rate};
use crate::domain::snapshot::Snapshot;
use crate::domain::symbol::Symbol;
use crate::report::doctor::question::{BANDS, LISTED, SIZE, SMALLEST_ORDERS};
use crate::report::doctor::{Failure, Row, named, percent};

/// What is wanted of one coin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    /// The contract.
    pub symbol: Symbol,
    /// What it should be worth; zero for one that is to be sold.
    pub target: Notional,
    /// The band it is traded at; `None` for a coin with a stop: bought once, never bought back.
    pub band: Option<Band>,
}

/// What is to be held, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The account and its market.
    pub snapshot: &'a Snapshot,
    /// What the strategy wants, one per coin.
    pub aims: &'a [Aim],
    /// Market orders instead of limit orders.
    pub market_orders: bool,
    /// What values are counted in.
    pub quote: &'a str,
    /// The key that sets one coin's target; `None` where targets follow the equity.
    pub target_key: Option<&'a str>,
    /// The key of the threshold and, where that is in points of the portfolio, how many it is set to.
    pub threshold: (&'a str, Option<Rate>),
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
    for aim in wanted.aims {
        match wanted.snapshot.coins.get(&aim.symbol).and_then(|coin| coin.rules.as_ref()) {
            None => unknown.push(&aim.symbol),
            Some(rules) if rules.delisting().is_some() => ending.push(&aim.symbol),
            Some(rules) if rules.status.as_str() != "TRADING" => idle.push(&aim.symbol),
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
        (_, true) => LISTED.ok(format!("all {} coins", wanted.aims.len())),
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
    aim: &'a Aim,
    least: Notional,
}

impl Least<'_> {
    /// Its band, and how far it must fall to be bought back (`None` where it never is).
    fn band(&self) -> Option<(Band, Option<Rate>)> {
        self.aim.band.map(|band| (band, band.buy(self.least, self.aim.target)))
    }
}

/// Those whose smallest order can be told. A coin that is to be sold has no target.
fn least<'a>(wanted: &Wanted<'a>) -> Vec<Least<'a>> {
    let one = |aim: &'a Aim| {
        let coin = wanted.snapshot.coins.get(&aim.symbol)?;
        let price = coin.market?.mark.price;
        let least = coin.rules.as_ref()?.least_open(price, wanted.market_orders)?;
        Some(Least { aim, least: least * price })
    };
    wanted.aims.iter().filter(|aim| aim.target.is_positive()).filter_map(one).collect()
}

fn smallest_orders(wanted: &Wanted<'_>) -> Row {
    let known = least(wanted);
    let Some(largest) = known.iter().map(|one| one.least).max() else {
        return SMALLEST_ORDERS.unknown("no coin with rules and a price");
    };
    let too_large = known.iter().filter(|one| one.least > one.aim.target);
    let too_large: Vec<&Symbol> = too_large.map(|one| &one.aim.symbol).collect();
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
    let known = least(wanted);
    let banded: Vec<_> = known.iter().filter_map(|one| Some((one, one.band()?))).collect();
    let Some((first, _)) = banded.first() else {
        return match wanted.aims.iter().any(|aim| aim.band.is_none()) {
            true => BANDS.ok("not needed: coins with a stop are never bought back"),
            false => BANDS.unknown("no coin with rules and a price"),
        };
    };
    let sells = || banded.iter().map(|(_, (band, _))| band.threshold);
    let sell = match (sells().min().unwrap_or_default(), sells().max().unwrap_or_default()) {
        (low, high) if low == high => percent(low),
        (low, high) => format!("{} to {}", percent(low), percent(high)),
    };
    let target = format!("{:.2} {}", first.aim.target, wanted.quote);
    let is_one_sided = |(band, buy): &(Band, Option<Rate>)| buy.is_none_or(|buy| buy > band.threshold);
    let one_sided: Vec<_> = banded.iter().filter(|(_, band)| is_one_sided(band)).collect();
    if one_sided.is_empty() {
        let all = banded.len();
        return BANDS
            .ok(format!("at {target} per coin all {all} sell {sell} above and buy back {sell} below"));
    }
    let symbols: Vec<&Symbol> = one_sided.iter().map(|(one, _)| &one.aim.symbol).collect();
    let widest = one_sided.iter().map(|(_, (_, buy))| buy.unwrap_or(Rate::ONE)).max().unwrap_or(Rate::ONE);
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
    let symmetric = one_sided.iter().filter_map(|(one, (band, _))| band.symmetric(one.least)).max();
    // In points a coin's band is the wider the smaller its share, so each has its own way from one to the other.
    let in_points = |points: Rate| {
        let of = |(_, (band, buy)): &&(_, (Band, Option<Rate>))| {
            (buy.as_ref()?.over(band.threshold)).map(|more| more * points)
        };
        one_sided.iter().copied().map(|one| of(&one)).collect::<Option<Vec<Rate>>>()?.into_iter().max()
    };
    let threshold = match wanted.threshold {
        (key, None) => (widest < Rate::ONE).then(|| format!("{key} = {widest}")),
        (key, Some(points)) => in_points(points)
            .map(|wider| format!("{key} = {} (points of the portfolio)", wider.ceil_to(Rate::new(1, 4)))),
    };
    BANDS.warn(found, advice(wanted, symmetric, threshold))
}

/// Which target, or which threshold, makes the bands symmetric.
fn advice(wanted: &Wanted<'_>, symmetric: Option<Notional>, threshold: Option<String>) -> String {
    let threshold = threshold.map_or_else(String::new, |set| format!("; or sell later too, with {set}"));
    match (symmetric, wanted.target_key) {
        (Some(target), Some(key)) => format!("{key} = {target:.0} makes all of them symmetric{threshold}"),
        (Some(target), None) => format!(
            "{target:.0} {} per coin makes all of them symmetric: more equity or fewer coins{threshold}",
            wanted.quote
        ),
        (None, _) => "trade to the target instead of the edge of the band".to_owned(),
    }
}

fn size(wanted: &Wanted<'_>) -> Row {
    let gross: Notional = wanted.aims.iter().map(|aim| aim.target).sum();
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
