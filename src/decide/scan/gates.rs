//! What a contract must be to be ranked, and what it must not be to be chosen.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::decide::scan::{RejectReason, Wanted, names};
use crate::decide::sector::Sectors;
use crate::domain::candidate::{Candidate, FundingPast};
use crate::domain::market::Market;
use crate::domain::num::{Notional, Rate, show_large};
use crate::domain::rules::{LEVERAGED, Rules, Status};
use crate::domain::time::{Time, show_span};

/// A reason and its words.
type Against = (RejectReason, String);

const DAY_S: u64 = 86_400;

/// The 24 h volume that a contract is ranked by, or the first requirement that it does not meet. `coins` are
/// those that are listed.
pub(crate) fn requirements(
    candidate: &Candidate,
    coins: &BTreeSet<&str>,
    wanted: &Wanted,
    sectors: &Sectors,
) -> Result<Notional, Against> {
    let rules = &candidate.rules;
    let refuse = |reason, detail: String| Err((reason, detail));
    if rules.status != Status::Trading {
        return refuse(RejectReason::NotTrading, format!("the exchange says {}", rules.status.as_str()));
    }
    if !wanted.spot && rules.contract != "PERPETUAL" {
        let detail = match rules.contract.as_str() {
            "" => "no contract type is told".to_owned(),
            other => format!("a contract of type {other}"),
        };
        return refuse(RejectReason::NotPerpetual, detail);
    }
    if rules.quote != wanted.quote {
        return refuse(RejectReason::NotInQuote, format!("priced in {}", rules.quote));
    }
    if !wanted.spot && rules.margin_asset != wanted.quote {
        return refuse(RejectReason::NotInQuote, format!("margin is posted in {}", rules.margin_asset));
    }
    if wanted.spot && is_leveraged(rules, coins) {
        return refuse(RejectReason::Leveraged, "a leveraged token, which decays".to_owned());
    }
    if let Some(what) = no_coin(rules) {
        return refuse(RejectReason::Underlying, format!("follows {what}, which is no coin"));
    }
    if let Some(what) = sectors.pegged(rules) {
        return refuse(RejectReason::Pegged, what.to_owned());
    }
    if let Some(at) = rules.delisting() {
        let date: String = at.to_string().chars().take(10).collect();
        return refuse(RejectReason::Delisting, format!("ends on {date}"));
    }
    if names(&wanted.exclude, rules) {
        return refuse(RejectReason::Excluded, "excluded by scan.exclude".to_owned());
    }
    candidate.volume.ok_or_else(|| (RejectReason::NoVolume, "no volume known".to_owned()))
}

/// Whether a pair's coin holds a leveraged position in another: by the exchange's word, or by a name such as
/// `BTCUP` beside a listed `BTC`. `JUP` and `SYRUP` are coins.
fn is_leveraged(rules: &Rules, coins: &BTreeSet<&str>) -> bool {
    let of = |ending| rules.base.strip_suffix(ending).is_some_and(|coin| coins.contains(coin));
    rules.underlying == LEVERAGED || ["UP", "DOWN", "BULL", "BEAR"].into_iter().any(of)
}

/// What the exchange says is priced, where that is no coin. Its tags are asked only where it says
/// nothing else: they stay long after a contract has become an ordinary one.
fn no_coin(rules: &Rules) -> Option<&str> {
    match rules.underlying.as_str() {
        "COIN" => None,
        "" => rules.tags.iter().map(String::as_str).find(|tag| {
            ["tradfi", "index", "pre-market", "premarket"].contains(&tag.to_ascii_lowercase().as_str())
        }),
        other => Some(other),
    }
}

/// Everything that makes a contract dangerous now; the first is the reason.
pub(crate) fn safety(
    candidate: &Candidate,
    volume: Notional,
    wanted: &Wanted,
    now: Time,
) -> Result<(), Against> {
    let market = candidate.market.as_ref().filter(|market| market.mark.price.is_positive());
    let checks = [
        thin(volume, wanted),
        funding(candidate.funding.as_ref(), wanted),
        book(market, wanted),
        young(&candidate.rules, wanted, now),
        market.and_then(|market| infeasible(&candidate.rules, market, wanted)),
    ];
    let mut found = checks.into_iter().flatten();
    let Some((reason, mut detail)) = found.next() else { return Ok(()) };
    for (_, more) in found {
        detail.push_str("; ");
        detail.push_str(&more);
    }
    Err((reason, detail))
}

fn thin(volume: Notional, wanted: &Wanted) -> Option<Against> {
    let detail = || {
        let (traded, least) = (show_large(volume), show_large(wanted.min_volume));
        // Just below it both would read alike.
        let traded = if traded == least { volume.floor_to(Notional::ONE).to_string() } else { traded };
        format!("{traded} traded in 24 h, the least is {least}")
    };
    (volume < wanted.min_volume).then(|| (RejectReason::ThinVolume, detail()))
}

fn funding(past: Option<&FundingPast>, wanted: &Wanted) -> Option<Against> {
    if wanted.spot {
        return None;
    }
    let Some(past) = past else {
        return Some((RejectReason::FundingUnknown, "its past settlements could not be read".to_owned()));
    };
    let yearly = past.annualised();
    let detail = || {
        let verb = if yearly.is_negative() { "receive" } else { "pay" };
        format!(
            "longs {verb} {} a year, the limit is {}",
            percent(yearly.abs()),
            percent(wanted.max_funding_annual)
        )
    };
    (yearly.abs() > wanted.max_funding_annual).then(|| (RejectReason::Funding, detail()))
}

fn book(market: Option<&Market>, wanted: &Wanted) -> Option<Against> {
    let Some(market) = market else {
        return Some((RejectReason::NoPrice, "no price known".to_owned()));
    };
    let Some(spread) = market.quote.spread_bps() else {
        return Some((RejectReason::NoBook, "no bid and ask to trade between".to_owned()));
    };
    let detail =
        || format!("the book is {} bps wide, the limit is {}", spread.rounded(2), wanted.max_spread_bps);
    (spread > wanted.max_spread_bps).then(|| (RejectReason::Spread, detail()))
}

fn young(rules: &Rules, wanted: &Wanted, now: Time) -> Option<Against> {
    if wanted.min_age.is_zero() {
        return None;
    }
    if rules.onboard == Time::default() {
        // Spot pairs carry no date at all.
        let detail = "the exchange does not tell since when it is listed".to_owned();
        return (!wanted.spot).then_some((RejectReason::TooYoung, detail));
    }
    let detail = || {
        let days = age_days(rules, now).unwrap_or(0);
        format!("listed {days} days ago, the least is {}", days_of(wanted.min_age))
    };
    (now.since(rules.onboard) < wanted.min_age).then(|| (RejectReason::TooYoung, detail()))
}

fn infeasible(rules: &Rules, market: &Market, wanted: &Wanted) -> Option<Against> {
    let price = market.mark.price;
    // At least one step, and at least the smallest order's quantity and worth.
    let least = rules.least_open(price, wanted.market_orders).map(|qty| qty * price);
    let Some(least) = least else {
        return Some((RejectReason::Infeasible, "its smallest order cannot be told".to_owned()));
    };
    let detail = || {
        let what = if least > rules.min_notional { "the smallest quantity" } else { "the smallest order" };
        format!("{what} is worth {least:.2} {}, the target is {:.2}", rules.quote, wanted.target)
    };
    (least > wanted.target).then(|| (RejectReason::Infeasible, detail()))
}

/// Whole days since listing; `None` where the exchange tells no date.
pub(crate) fn age_days(rules: &Rules, now: Time) -> Option<i64> {
    if rules.onboard == Time::default() {
        return None;
    }
    i64::try_from(now.since(rules.onboard).as_secs() / DAY_S).ok()
}

/// `30 days`; shorter or broken spans as they are.
fn days_of(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds >= 2 * DAY_S && seconds % DAY_S == 0 => format!("{} days", seconds / DAY_S),
        _ => show_span(span),
    }
}

fn percent(rate: Rate) -> String {
    format!("{} %", (rate * Rate::from(100)).rounded(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_whole_days_are_said_in_days() {
        for (hours, said) in
            [(720, "30 days"), (48, "2 days"), (24, "1day"), (36, "1day 12h"), (60, "2days 12h")]
        {
            assert_eq!(days_of(Duration::from_secs(hours * 3600)), said);
        }
    }
}
