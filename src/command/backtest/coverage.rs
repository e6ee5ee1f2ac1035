//! What of a period the recorded funding does not cover.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::backtest::Market;
use crate::domain::num::Rate;
use crate::domain::series::Series;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// Settlements are stamped milliseconds before or after the open of the bar that they belong to.
const GIVE_OR_TAKE: Duration = Duration::from_secs(1);
/// Of a coin with one settlement; most have this.
const USUAL_DISTANCE: Duration = Duration::from_secs(8 * 3600);
/// Coins that a note names.
const MOST_NAMES: usize = 5;

/// What is not charged although somebody who held the coin would have paid it, a sentence each.
pub(super) fn notes(
    series: &BTreeMap<Symbol, Series>,
    funding: &BTreeMap<Symbol, Vec<(Time, Rate)>>,
    market: &Market,
) -> Vec<String> {
    if market.is_spot() {
        return Vec::new();
    }
    let (mut partly, mut unrecorded, mut missed) = (Vec::new(), Vec::new(), 0);
    for (coin, contract) in market.contracts.iter().enumerate() {
        let symbol = &contract.rules.symbol;
        let (Some(series), Some(rates)) = (series.get(symbol), funding.get(symbol)) else { continue };
        let Some(held) = Held::of(series, market) else { continue };
        partly.extend(held.uncovered(rates).map(|said| format!("{symbol} {said}")));
        let charged = market.settlements.iter().filter(|settlement| settlement.coin == coin).count();
        let due = rates.iter().filter(|(stamp, _)| held.holds(*stamp)).count();
        if due > charged {
            missed += due - charged;
            unrecorded.push(format!("{symbol} {}", due - charged));
        }
    }
    let partly = (!partly.is_empty()).then(|| {
        format!(
            "the recorded funding is not of the whole period, and none is charged outside of it: {}",
            names(&partly)
        )
    });
    let unrecorded = (missed > 0).then(|| {
        let all = if unrecorded.len() > 1 { format!("; {missed} in all") } else { String::new() };
        let named = names(&unrecorded);
        format!("settlements not charged, since they fall into bars that were not recorded: {named}{all}")
    });
    partly.into_iter().chain(unrecorded).collect()
}

fn names(all: &[String]) -> String {
    let named = all.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(MOST_NAMES) {
        0 => named,
        more => format!("{named}, and {more} more"),
    }
}

/// When a coin can be held: from its first bar in the period to the end of all.
struct Held {
    begin: Time,
    end: Time,
}

impl Held {
    fn of(series: &Series, market: &Market) -> Option<Held> {
        let from = *market.opens.first()?;
        let begin = series.times_from(series.before(from)).next()?;
        let end = market.closes_at(market.bars().checked_sub(1)?);
        (begin < end).then_some(Held { begin, end })
    }

    fn holds(&self, stamp: Time) -> bool {
        (self.begin..self.end).contains(&(stamp + GIVE_OR_TAKE))
    }

    /// Where the rates begin late or end early, by more than the distance between two.
    fn uncovered(&self, rates: &[(Time, Rate)]) -> Option<String> {
        let (first, last) = (rates.first()?.0, rates.last()?.0);
        let distance = |pair: Option<&[(Time, Rate)]>| match pair {
            Some([one, next]) => next.0.since(one.0),
            _ => USUAL_DISTANCE,
        };
        let (at_first, at_last) = (distance(rates.windows(2).next()), distance(rates.windows(2).next_back()));
        let late = first > self.begin + at_first + GIVE_OR_TAKE;
        let early = last + at_last + GIVE_OR_TAKE < self.end;
        match (late, early) {
            (false, false) => None,
            (true, false) => Some(format!("begins at {first}")),
            (false, true) => Some(format!("ends at {last}")),
            (true, true) => Some(format!("begins at {first} and ends at {last}")),
        }
    }
}
