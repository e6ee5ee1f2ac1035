//! Every funding settlement of a span, held against what was charged for it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::decide::funding::{Held, Verdict, judge};
use crate::domain::funding::Settlement;
use crate::domain::num::{Notional, Qty};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// The exchange may take this long to settle: a trade as close to a stamp as this lies on either side
/// of it.
pub const SETTLING: Duration = Duration::from_secs(60);
/// A row belongs to the last settlement before it, at most this far back: the shortest interval is an
/// hour.
const SAME_STAMP: Duration = Duration::from_secs(1800);
/// A row may come this late. Before that it is not missing.
const LATE: Duration = Duration::from_secs(3600);

/// One believed reading of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The pass that looked, before it traded.
    pub pass_id: i64,
    /// Exchange time.
    pub at: Time,
    /// What was held, signed; `None` in ledgers that did not write it down yet.
    pub held: Option<BTreeMap<Symbol, Qty>>,
}

/// One execution of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The pass that decided it.
    pub pass_id: i64,
    /// Exchange time.
    pub at: Time,
    /// Base units, signed.
    pub qty: Qty,
}

/// What the account held over time.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Ascending; the last one is of now.
    pub looks: Vec<Look>,
    /// By contract, in order of time.
    pub moves: BTreeMap<Symbol, Vec<Move>>,
}

impl Past {
    /// What was held of `symbol` at `at`; `None` where no look on either side tells.
    ///
    /// The look after a stamp shows it, less what was traded in between; so does the look before, and
    /// what was traded since. Where both disagree, somebody else traded.
    #[must_use]
    pub fn held_at(&self, symbol: &Symbol, at: Time) -> Option<Held> {
        let next = self.looks.partition_point(|look| look.at < at);
        let before = self.looks.get(next.checked_sub(1)?)?;
        let after = self.looks.get(next)?;
        let moves = self.moves.get(symbol).map_or(&[][..], Vec::as_slice);
        let between: Vec<&Move> = moves
            .iter()
            .filter(|one| one.pass_id >= before.pass_id || one.at > before.at)
            .filter(|one| !(one.pass_id >= after.pass_id || one.at > after.at))
            .collect();
        let shown = |look: &Look| Some(look.held.as_ref()?.get(symbol).copied().unwrap_or_default());
        let sum = |late: bool| -> Qty {
            between.iter().filter(|one| (one.at > at) == late).map(|one| one.qty).sum()
        };
        let back = shown(after).map(|qty| qty - sum(true));
        let forth = shown(before).map(|qty| qty + sum(false));
        let qty = back.or(forth)?;
        let mut or: Vec<Qty> = forth.into_iter().chain(near(moves, at, qty)).collect();
        or.retain(|other| *other != qty);
        Some(Held { qty, or })
    }

    /// Every contract that was held at a look or traded since.
    pub fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        let held = self.looks.iter().filter_map(|look| look.held.as_ref()).flatten();
        held.filter(|(_, qty)| !qty.is_zero()).map(|(symbol, _)| symbol).chain(self.moves.keys())
    }
}

/// What `qty` would be, had the trades right before `at` come after it, or those right after before.
fn near(moves: &[Move], at: Time, qty: Qty) -> Vec<Qty> {
    let mut found = Vec::new();
    let mut other = qty;
    for one in moves.iter().rev().filter(|one| one.at <= at && at.since(one.at) <= SETTLING) {
        other -= one.qty;
        found.push(other);
    }
    let mut other = qty;
    for one in moves.iter().filter(|one| one.at > at && one.at.since(at) <= SETTLING) {
        other += one.qty;
        found.push(other);
    }
    found
}

/// What one income row charged (negative) or paid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// When it was booked.
    pub at: Time,
    /// Signed.
    pub amount: Notional,
    /// For a stock's dividend.
    pub special: bool,
}

/// A settlement that was charged otherwise than its rate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The contract.
    pub symbol: String,
    /// The settlement.
    pub at: Time,
    /// What the income rows say; negative was paid.
    pub charged: Notional,
    /// `−quantity × mark × rate`; `None` where nothing was settled.
    pub expected: Option<Notional>,
    /// What that was made of.
    pub detail: String,
}

/// A settlement of something that was held, without a row. Not known is not zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The contract.
    pub symbol: String,
    /// The settlement.
    pub at: Time,
    /// What was due.
    pub expected: Notional,
    /// What that was made of.
    pub detail: String,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Settlements that could be held against a row, or against nothing having been held.
    pub compared: usize,
    /// Settlements of which the position or the mark price is not known.
    pub unknown: usize,
    /// Those charged otherwise.
    pub differences: Vec<Difference>,
    /// Those without a row.
    pub missing: Vec<Missing>,
}

impl Audit {
    /// Both counts and both lists together.
    pub fn add(&mut self, mut other: Audit) {
        self.compared += other.compared;
        self.unknown += other.unknown;
        self.differences.append(&mut other.differences);
        self.missing.append(&mut other.missing);
    }
}

/// Compares the settlements of one contract in `(from, now]` with its `charges`. Settlements before
/// `from` are given too, so that a row near it finds its own.
#[must_use]
pub fn audit(
    symbol: &Symbol,
    settlements: &[Settlement],
    charges: &[Charge],
    past: &Past,
    (from, now): (Time, Time),
) -> Audit {
    let mut found = Audit::default();
    let mut charged: BTreeMap<usize, Notional> = BTreeMap::new();
    for charge in charges {
        match stamp_of(charge, settlements) {
            Some(index) => *charged.entry(index).or_default() += charge.amount,
            None if charge.at > from => found.differences.push(Difference {
                symbol: symbol.to_string(),
                at: charge.at,
                charged: charge.amount,
                expected: None,
                detail: "the exchange settled nothing then".into(),
            }),
            None => {}
        }
    }
    for (index, settlement) in settlements.iter().enumerate() {
        if settlement.at <= from || settlement.at > now + SETTLING {
            continue;
        }
        let charged = charged.get(&index).copied();
        // Stamped some milliseconds late, and charged already.
        let Some(held) = past.held_at(symbol, settlement.at.min(now)) else {
            found.unknown += usize::from(charged.is_some());
            continue;
        };
        let (symbol, at) = (symbol.to_string(), settlement.at);
        match judge(&held, settlement, charged) {
            Verdict::Flat => {}
            Verdict::Agrees => found.compared += 1,
            Verdict::Unknown => found.unknown += 1,
            Verdict::Missing(_) if now.since(at) < LATE => {}
            Verdict::Missing(expected) => {
                found.compared += 1;
                found.missing.push(Missing { symbol, at, expected, detail: basis(&held, settlement) });
            }
            Verdict::Differs(expected) => {
                found.compared += 1;
                found.differences.push(Difference {
                    symbol,
                    at,
                    charged: charged.unwrap_or_default(),
                    expected: Some(expected),
                    detail: basis(&held, settlement),
                });
            }
        }
    }
    found.differences.sort_by_key(|difference| difference.at);
    found
}

/// The settlement that a row belongs to: the last one of its sort before it, or just after it, since
/// both clocks are the exchange's but not the same one.
fn stamp_of(charge: &Charge, settlements: &[Settlement]) -> Option<usize> {
    let near = |settlement: &Settlement| {
        settlement.special == charge.special
            && settlement.at <= charge.at + SETTLING
            && charge.at.since(settlement.at) <= SAME_STAMP
    };
    settlements.iter().rposition(near)
}

fn basis(held: &Held, settlement: &Settlement) -> String {
    let mark = settlement.mark.map_or_else(|| "unknown".to_owned(), |mark| mark.to_string());
    let mut text = format!("{} held at a mark of {mark} and a rate of {}", held.qty, settlement.rate);
    if let [first, rest @ ..] = held.or.as_slice() {
        let others: String = rest.iter().map(|qty| format!(" or {qty}")).collect();
        text.push_str(&format!("; it may have been {first}{others}, and that does not explain it either"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::samples::symbol;
    use crate::domain::num::Amount;

    fn num<K>(text: &str) -> Amount<K> {
        text.parse().unwrap()
    }

    /// Minutes after midnight.
    fn at(minutes: i64) -> Time {
        "2026-01-02".parse::<Time>().unwrap() + Duration::from_secs(60) * u32::try_from(minutes).unwrap()
    }

    fn look(pass_id: i64, minutes: i64, qty: &str) -> Look {
        Look { pass_id, at: at(minutes), held: Some(BTreeMap::from([(symbol("AUSDT"), num(qty))])) }
    }

    fn moved(pass_id: i64, minutes: i64, qty: &str) -> Move {
        Move { pass_id, at: at(minutes), qty: num(qty) }
    }

    fn past(looks: Vec<Look>, moves: Vec<Move>) -> Past {
        Past { looks, moves: BTreeMap::from([(symbol("AUSDT"), moves)]) }
    }

    fn held(past: &Past, minutes: i64) -> Option<(String, Vec<String>)> {
        let held = past.held_at(&symbol("AUSDT"), at(minutes))?;
        Some((held.qty.to_string(), held.or.iter().map(ToString::to_string).collect()))
    }

    fn sure(qty: &str) -> Option<(String, Vec<String>)> {
        Some((qty.to_owned(), Vec::new()))
    }

    #[test]
    fn the_position_at_a_stamp_is_that_of_the_look_after_it_less_what_was_traded_between() {
        // Pass 1 looks at 50 and buys 3 at 51; pass 2 looks at 70; an order of pass 1 sells 1 at 65.
        let past = past(
            vec![look(1, 50, "2"), look(2, 70, "4"), look(3, 130, "9")],
            vec![moved(1, 51, "3"), moved(1, 65, "-1"), moved(2, 72, "5")],
        );
        assert_eq!(held(&past, 60), sure("5"));
        assert_eq!(held(&past, 120), sure("9"));
        assert_eq!(held(&past, 70), sure("4"));
        assert_eq!(held(&past, 50), None, "before the first look nobody knows");
        assert_eq!(held(&past, 131), None);
    }

    #[test]
    fn what_somebody_else_traded_and_what_was_traded_at_the_stamp_is_not_certain() {
        let elsewhere = past(vec![look(1, 50, "2"), look(2, 70, "4")], vec![]);
        assert_eq!(held(&elsewhere, 60), Some(("4".into(), vec!["2".into()])));
        let close = past(
            vec![look(1, 50, "2"), look(2, 70, "7")],
            vec![moved(1, 59, "4"), moved(1, 60, "3"), moved(1, 61, "-2")],
        );
        assert_eq!(held(&close, 60), Some(("9".into(), vec!["6".into(), "2".into(), "7".into()])));
        // An old ledger has no coins in its readings: then the other side tells.
        let old = Past {
            looks: vec![Look { held: None, ..look(1, 50, "0") }, look(2, 70, "4")],
            ..past(vec![], vec![])
        };
        assert_eq!(held(&old, 60), sure("4"));
        let nothing = vec![Look { held: None, ..look(1, 50, "0") }, Look { held: None, ..look(2, 70, "0") }];
        assert_eq!(held(&past(nothing, vec![]), 60), None);
    }

    fn settled(minutes: i64) -> Settlement {
        let at = at(minutes) + Duration::from_millis(5);
        Settlement { at, rate: num("0.0001"), mark: Some(num("100")), special: false }
    }

    fn charge(minutes: i64, amount: &str) -> Charge {
        Charge { at: at(minutes) + Duration::from_millis(9), amount: num(amount), special: false }
    }

    /// 10 held all the time, settled every four hours at 100 × 0.0001: 0.1 each time.
    fn found(charges: &[Charge], now: i64) -> Audit {
        let past = past(vec![look(1, 10, "10"), look(2, now, "10")], vec![]);
        let settlements: Vec<Settlement> = [0, 240, 480, 720].map(settled).to_vec();
        audit(&symbol("AUSDT"), &settlements, charges, &past, (at(10), at(now)))
    }

    #[test]
    fn all_that_is_charged_by_the_rate_agrees() {
        let audit = found(&[charge(240, "-0.1"), charge(480, "-0.1"), charge(720, "-0.1")], 800);
        assert_eq!((audit.compared, audit.unknown), (3, 0));
        assert_eq!((audit.differences, audit.missing), (vec![], vec![]));
    }

    #[test]
    fn what_differs_is_named_and_what_is_missing_is_not_zero() {
        let audit = found(&[charge(240, "-0.1"), charge(720, "-0.13"), charge(600, "-7")], 800);
        assert_eq!(audit.compared, 3);
        let [orphan, wrong] = audit.differences.as_slice() else { panic!("{:?}", audit.differences) };
        assert_eq!((orphan.charged, orphan.expected), (num("-7"), None));
        assert_eq!(orphan.detail, "the exchange settled nothing then");
        assert_eq!((wrong.charged, wrong.expected), (num("-0.13"), Some(num("-0.1"))));
        assert_eq!(wrong.detail, "10 held at a mark of 100 and a rate of 0.0001");
        let [missing] = audit.missing.as_slice() else { panic!("{:?}", audit.missing) };
        assert_eq!((missing.at, missing.expected), (settled(480).at, num("-0.1")));
    }

    #[test]
    fn two_rows_of_one_stamp_are_one_charge_and_a_row_that_is_late_is_not_missing_yet() {
        let rows = [charge(240, "-0.04"), charge(241, "-0.06"), charge(480, "-0.1")];
        let audit = found(&rows, 779);
        assert_eq!((audit.compared, audit.differences.len(), audit.missing.len()), (2, 0, 0));
        assert_eq!(found(&rows, 781).missing.len(), 1);
    }

    #[test]
    fn a_dividend_is_held_against_its_own_settlement() {
        let past = past(vec![look(1, 10, "10"), look(2, 400, "10")], vec![]);
        let special = Settlement { special: true, rate: num("0.002"), ..settled(240) };
        let rows = [charge(240, "-0.1"), Charge { special: true, ..charge(240, "-2") }];
        let audit = audit(&symbol("AUSDT"), &[settled(240), special], &rows, &past, (at(10), at(400)));
        assert_eq!((audit.compared, audit.differences.len()), (2, 0));
    }
}
