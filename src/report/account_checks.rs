//! Checks of what is held: loss, leverage, liquidation, concentration, books, unfinished business.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::decide::exposure::{UNCARRIED, exposure};
use crate::decide::sector::{self, Sector};
use crate::domain::account::{Balance, Position};
use crate::domain::market::Market;
use crate::domain::num::{Notional, Price, Rate};
use crate::domain::snapshot::Coin;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::report::check::{Bound, Check, Figure, PASSES_MISSED, Status};
use crate::report::risk::{RiskInputs, StopsStanding};

/// From this part of the drawdown limit on it is near: the last chance to step in by hand.
const NEAR_DRAWDOWN: (i64, u32) = (7, 1);
/// The same of every other limit.
const NEAR: (i64, u32) = (9, 1);

/// At a margin ratio of 1 the exchange liquidates. With a maintenance rate `r` (1 to 5 % of what is
/// held) a ratio `m` leaves a fall of about `r / m − r`: from 0.5 on that is `r` itself, from 0.8 on
/// a quarter of it, which a single bar can do.
const MARGIN_WARN: (i64, u32) = (5, 1);
const MARGIN_BREACH: (i64, u32) = (8, 1);

/// One check per figure, the most dangerous first.
pub(super) fn all(inputs: &RiskInputs<'_>) -> Vec<Check> {
    let mut checks = vec![
        drawdown(inputs),
        leverage(inputs),
        margin(inputs),
        liquidation(inputs),
        coin_liquidation(inputs),
        coin_share(inputs),
        sector_share(inputs),
        spread(inputs),
        mark_gap(inputs),
        unresolved(inputs),
        pass_age(inputs),
    ];
    checks.extend(inputs.stops.as_ref().map(exchange_stops));
    checks
}

/// Maintenance margin over equity; 999 where there is no equity to carry any.
pub(super) fn margin_ratio(balance: &Balance) -> Rate {
    match balance.maint_margin.over(balance.equity) {
        _ if balance.maint_margin.is_zero() => Rate::ZERO,
        Some(ratio) if balance.equity.is_positive() => ratio,
        _ => Rate::from(UNCARRIED),
    }
}

fn part(of: Rate, (mantissa, scale): (i64, u32)) -> Rate {
    of * Rate::new(mantissa, scale)
}

fn drawdown(inputs: &RiskInputs<'_>) -> Check {
    let (value, limit) = (inputs.nav.drawdown(), inputs.limits.max_drawdown);
    Check {
        name: "drawdown",
        // The hard stop fires at the limit, not only beyond it.
        status: Status::of(value >= limit, value >= part(limit, NEAR_DRAWDOWN)),
        value: Figure::Share(value),
        bound: Bound::Max,
        limit: Figure::Share(limit),
        subject: None,
        detail: format!(
            "NAV {:.4}, peak {:.4}; the hard stop fires at the limit",
            inputs.nav.nav, inputs.nav.peak
        ),
    }
}

fn leverage(inputs: &RiskInputs<'_>) -> Check {
    let now = exposure(inputs.snapshot, &[]);
    let limit = inputs.limits.max_effective_leverage;
    Check {
        name: "effective_leverage",
        status: Status::of(now.leverage > limit, now.leverage >= part(limit, NEAR)),
        value: Figure::Multiple(now.leverage),
        bound: Bound::Max,
        limit: Figure::Multiple(limit),
        subject: None,
        detail: format!("positions of {:.2} on equity of {:.2}", now.gross, inputs.snapshot.balance.equity),
    }
}

fn margin(inputs: &RiskInputs<'_>) -> Check {
    let balance = &inputs.snapshot.balance;
    let value = margin_ratio(balance);
    let limit = part(Rate::ONE, MARGIN_BREACH);
    Check {
        name: "margin_ratio",
        status: Status::of(value >= limit, value >= part(Rate::ONE, MARGIN_WARN)),
        value: Figure::Share(value),
        bound: Bound::Max,
        limit: Figure::Share(limit),
        subject: None,
        detail: format!("maintenance margin of {:.2}; liquidated at 100 %", balance.maint_margin),
    }
}

/// Without a coin's maintenance tiers the distance comes out too long: not verifiable.
fn liquidation(inputs: &RiskInputs<'_>) -> Check {
    let distance = exposure(inputs.snapshot, &[]).liquidation_distance;
    let untiered = |(_, coin): &(&Symbol, &Coin)| !coin.qty().is_zero() && coin.brackets.is_empty();
    let untiered: Vec<&str> =
        inputs.snapshot.coins.iter().filter(untiered).map(|(symbol, _)| symbol.as_str()).collect();
    let check = at_least(distance, inputs.limits.min_liquidation_distance);
    Check {
        name: "liquidation_distance",
        status: check.status.max(Status::of(false, !untiered.is_empty())),
        subject: untiered.first().map(|symbol| (*symbol).to_owned()),
        detail: match (untiered.as_slice(), distance) {
            ([_, ..], _) => format!("not verifiable, no maintenance tiers: {}", untiered.join(", ")),
            ([], Some(_)) => "a move of all coins alike that would liquidate".to_owned(),
            ([], None) => "no fall of all coins alike would liquidate".to_owned(),
        },
        ..check
    }
}

/// The coin whose own price is nearest to where the exchange would liquidate it, the others frozen.
fn coin_liquidation(inputs: &RiskInputs<'_>) -> Check {
    let near = inputs.snapshot.coins.iter().filter_map(|(symbol, coin)| {
        let (distance, mark, price) = liquidation_of(coin)?;
        Some((distance, symbol, mark, price))
    });
    let Some((distance, symbol, mark, price)) = near.min_by_key(|(distance, ..)| *distance) else {
        return Check {
            name: "coin_liquidation_distance",
            detail: "no coin alone would liquidate".to_owned(),
            ..at_least(None, inputs.limits.min_liquidation_distance)
        };
    };
    Check {
        name: "coin_liquidation_distance",
        subject: Some(symbol.to_string()),
        detail: format!("{symbol}: mark {}, liquidated at {}", mark.rounded(8), price.rounded(8)),
        ..at_least(Some(distance), inputs.limits.min_liquidation_distance)
    }
}

/// A floor under a distance; none at all is the best of all.
fn at_least(distance: Option<Rate>, least: Rate) -> Check {
    let below = |factor: Rate| distance.is_some_and(|distance| distance * factor < least);
    Check {
        name: "",
        status: Status::of(below(Rate::ONE), below(part(Rate::ONE, NEAR))),
        value: distance.map_or(Figure::Word("none"), Figure::Share),
        bound: Bound::Min,
        limit: Figure::Share(least),
        subject: None,
        detail: String::new(),
    }
}

/// How far the mark is from liquidation as a share of itself, the mark, and the liquidation price.
fn liquidation_of(coin: &Coin) -> Option<(Rate, Price, Price)> {
    let position: &Position = coin.position.as_ref().filter(|position| !position.qty.is_zero())?;
    let price = position.liquidation_price.filter(|price| price.is_positive())?;
    let mark = coin.market.map_or(position.mark_price, |market| market.mark.price);
    let way = if position.qty.is_negative() { price - mark } else { mark - price };
    Some((way.over(mark)?.max(Rate::ZERO), mark, price))
}

/// What shares are taken of. A basket that is still being bought is no concentration, so it is never
/// less than what was wanted.
fn whole(inputs: &RiskInputs<'_>) -> Notional {
    inputs.snapshot.gross().max(inputs.gross_target)
}

/// `|value|` of what is held of a coin, at its last mark where there is no price now.
fn size(coin: &Coin) -> Notional {
    let last = || coin.position.as_ref().map(|position| position.value());
    coin.value().or_else(last).unwrap_or_default().abs()
}

/// A share of the whole under a ceiling that only advises.
fn advised(name: &'static str, worth: Notional, limit: Rate, inputs: &RiskInputs<'_>) -> Check {
    let value = worth.over(whole(inputs)).unwrap_or_default();
    Check {
        name,
        status: Status::of(false, value > limit),
        value: Figure::Share(value),
        bound: Bound::Max,
        limit: Figure::Share(limit),
        subject: None,
        detail: String::new(),
    }
}

fn coin_share(inputs: &RiskInputs<'_>) -> Check {
    let held = inputs.snapshot.coins.iter().filter(|(_, coin)| !coin.qty().is_zero());
    let count = if inputs.coins > 0 { inputs.coins } else { held.clone().count() };
    let twice = Rate::from(2).over(Rate::from(u32::try_from(count).unwrap_or(u32::MAX)));
    let limit = twice.unwrap_or(Rate::ONE).min(Rate::ONE);
    let Some((symbol, coin)) = held.max_by_key(|(_, coin)| size(coin)) else {
        let nothing = advised("coin_share", Notional::ZERO, limit, inputs);
        return Check { detail: "nothing is held".to_owned(), ..nothing };
    };
    Check {
        subject: Some(symbol.to_string()),
        detail: format!("{symbol}: {:.2}; the limit is twice an equal share", size(coin)),
        ..advised("coin_share", size(coin), limit, inputs)
    }
}

fn sector_share(inputs: &RiskInputs<'_>) -> Check {
    let mut sectors: BTreeMap<Sector, (Notional, usize)> = BTreeMap::new();
    for (symbol, coin) in inputs.snapshot.coins.iter().filter(|(_, coin)| !coin.qty().is_zero()) {
        let (worth, coins) = sectors.entry(sector::of(symbol.coin(inputs.quote))).or_default();
        *worth += size(coin);
        *coins += 1;
    }
    let Some((sector, (worth, coins))) = sectors.into_iter().max_by_key(|(_, (worth, _))| *worth) else {
        let nothing = advised("sector_share", Notional::ZERO, inputs.sector_cap, inputs);
        return Check { detail: "nothing is held".to_owned(), ..nothing };
    };
    let plural = if coins == 1 { "" } else { "s" };
    Check {
        subject: Some(sector.to_string()),
        detail: format!("{sector}: {coins} coin{plural} worth {worth:.2}"),
        ..advised("sector_share", worth, inputs.sector_cap, inputs)
    }
}

fn spread(inputs: &RiskInputs<'_>) -> Check {
    let limit = inputs.limits.max_spread_bps;
    widest(inputs, "spread_bps", limit, Figure::Bps, |market| market.quote.spread_bps())
}

fn mark_gap(inputs: &RiskInputs<'_>) -> Check {
    widest(inputs, "mark_gap", inputs.limits.max_mark_gap, Figure::Share, Market::mark_gap)
}

/// The coin with the largest `figure` of its book; a coin without a book was not checked.
fn widest(
    inputs: &RiskInputs<'_>,
    name: &'static str,
    limit: Rate,
    unit: fn(Rate) -> Figure,
    figure: fn(&Market) -> Option<Rate>,
) -> Check {
    let coins = &inputs.snapshot.coins;
    let read = |coin: &Coin| coin.market.as_ref().and_then(figure);
    let blind: Vec<&str> =
        coins.iter().filter(|(_, coin)| read(coin).is_none()).map(|(symbol, _)| symbol.as_str()).collect();
    let worst = coins.iter().filter_map(|(symbol, coin)| Some((read(coin)?, symbol))).max();
    let beyond = worst.filter(|(value, _)| *value > limit);
    let detail = match (beyond, worst, blind.as_slice()) {
        (Some((_, symbol)), ..) => format!("{symbol} is not traded before it narrows"),
        (None, _, [_, ..]) => format!("not verifiable, no book: {}", blind.join(", ")),
        (None, Some((_, symbol)), []) => format!("{symbol} has the widest"),
        (None, None, []) => "there are no coins".to_owned(),
    };
    let first_blind = blind.first().map(|symbol| (*symbol).to_owned());
    Check {
        name,
        status: Status::of(false, beyond.is_some() || !blind.is_empty()),
        value: worst.map_or(Figure::Word("none"), |(value, _)| unit(value)),
        bound: Bound::Max,
        limit: unit(limit),
        subject: match (beyond, first_blind) {
            (None, Some(blind)) => Some(blind),
            _ => worst.map(|(_, symbol)| symbol.to_string()),
        },
        detail,
    }
}

fn unresolved(inputs: &RiskInputs<'_>) -> Check {
    let named = |(symbol, until): (&Symbol, &Time)| format!("{symbol} until {until}");
    let named: Vec<String> = inputs.quarantined.iter().map(named).collect();
    Check {
        name: "unresolved_orders",
        status: Status::of(false, inputs.unresolved > 0),
        value: Figure::Count(inputs.unresolved),
        bound: Bound::Max,
        limit: Figure::Count(0),
        subject: inputs.quarantined.keys().next().map(Symbol::to_string),
        detail: match (inputs.unresolved, named.is_empty()) {
            (0, _) => "the outcome of every order is known".to_owned(),
            (_, true) => "the next pass asks the exchange first".to_owned(),
            (_, false) => format!("the next pass asks first; may appear: {}", named.join(", ")),
        },
    }
}

/// A coin without its stop is what the stops at the exchange are there to prevent.
fn exchange_stops(stops: &StopsStanding) -> Check {
    let named: Vec<String> = stops.missing.iter().map(|(symbol, why)| format!("{symbol}: {why}")).collect();
    Check {
        name: "exchange_stops_missing",
        status: Status::of(!named.is_empty(), false),
        value: Figure::Count(named.len()),
        bound: Bound::Max,
        limit: Figure::Count(0),
        subject: stops.missing.first().map(|(symbol, _)| symbol.to_string()),
        detail: match (named.is_empty(), stops.guarded) {
            (false, _) => format!("the next pass mends it; {}", named.join("; ")),
            (true, 0) => "nothing is held".to_owned(),
            (true, 1) => "the one coin has its stop at the exchange".to_owned(),
            (true, all) => format!("all {all} coins have their stop at the exchange"),
        },
    }
}

fn pass_age(inputs: &RiskInputs<'_>) -> Check {
    let limit: Duration = inputs.interval.saturating_mul(PASSES_MISSED);
    let age = inputs.last_good_pass.map(|last| inputs.snapshot.at.since(last));
    let late = age.is_some_and(|age| age > limit);
    Check {
        name: "last_pass_age_s",
        status: Status::of(false, late),
        value: age.map_or(Figure::Word("no pass yet"), Figure::Span),
        bound: Bound::Max,
        limit: Figure::Span(limit),
        subject: None,
        detail: match (inputs.last_good_pass, late) {
            (None, _) => "no pass ended well so far".to_owned(),
            (Some(last), false) => format!("at {last}"),
            (Some(last), true) => format!("at {last}; does cron run?"),
        },
    }
}

#[cfg(test)]
#[path = "account_checks_tests.rs"]
mod tests;
