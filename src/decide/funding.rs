//! What funding cost, what it should have cost, and what it will cost.
//!
//! Signs are the wallet's: what is received is positive, what is paid negative. A position pays
//! `quantity × mark × rate` at the stamp, so a long pays a positive rate.

use std::time::Duration;

use crate::domain::entry::Entry;
use crate::domain::funding::Settlement;
use crate::domain::num::{Notional, Qty, Rate};
use crate::domain::time::Time;

/// Hours of a year.
const YEAR_HOURS: u32 = 24 * 365;
/// The exchange books to eight digits: no difference is smaller.
const LAST_DIGIT: (i64, u32) = (1, 8);
/// A charge may lie this share beside what the published mark makes of it.
const ROUNDING: (i64, u32) = (1, 4);

/// What the account did since some reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Funding received less funding paid.
    pub funding: Notional,
    /// Deposits less withdrawals.
    pub transfers: Notional,
    /// Change of equity, transfers apart: after fees and funding.
    pub profit: Notional,
}

impl Balance {
    /// From the equity at two readings and the income rows between them, in `quote`.
    #[must_use]
    pub fn of<'a>(
        (start, end): (Notional, Notional),
        entries: impl IntoIterator<Item = &'a Entry>,
        quote: &str,
    ) -> Balance {
        let (mut funding, mut transfers) = (Notional::ZERO, Notional::ZERO);
        for entry in entries.into_iter().filter(|entry| entry.asset == quote) {
            if entry.is_funding() {
                funding += entry.amount;
            } else if entry.is_transfer() {
                transfers += entry.amount;
            }
        }
        Balance { funding, transfers, profit: end - start - transfers }
    }

    /// What the portfolio earned before funding was paid out of it.
    #[must_use]
    pub fn before_funding(&self) -> Notional {
        self.profit - self.funding
    }

    /// Whether funding is a cost and took more than the profit that is left after it.
    #[must_use]
    pub fn funding_exceeds_profit(&self) -> bool {
        self.funding.is_negative() && -self.funding > self.profit
    }

    /// Whether the owner must hear of it: funding took more than it left of what prices and trades earned, and
    /// a thousandth of `equity` at least; or a hundredth of it, whatever else happened. A loss that prices made
    /// is not funding's.
    #[must_use]
    pub fn funding_is_the_trouble(&self, equity: Notional) -> bool {
        let (cost, earned) = (-self.funding, self.before_funding());
        let at_least = |share: Rate| cost >= equity.max(Notional::ZERO) * share;
        self.funding_exceeds_profit()
            && ((earned.is_positive() && at_least(Rate::new(1, 3))) || at_least(Rate::new(1, 2)))
    }
}

/// What a contract settles next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: Time,
    /// The running estimate; longs pay when positive.
    pub rate: Rate,
    /// Hours between two settlements.
    pub interval_hours: u32,
}

impl Due {
    /// The rate over a year: `rate × 24 / interval × 365`, what a long pays per unit of its value.
    #[must_use]
    pub fn annualised(&self) -> Rate {
        (self.rate * Rate::from(YEAR_HOURS)).over(Rate::from(self.interval_hours.max(1))).unwrap_or_default()
    }

    /// How many settlements come within `span` after `now`, its end included.
    #[must_use]
    pub fn stamps(&self, now: Time, span: Duration) -> u32 {
        let end = now + span;
        if self.at > end {
            return 0;
        }
        let interval = Duration::from_secs(u64::from(self.interval_hours.max(1)) * 3600);
        let after_first = end.since(self.at).as_millis() / interval.as_millis();
        u32::try_from(after_first).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// What a position worth `value` (signed) receives or pays within `span`, if rate and value stay.
    #[must_use]
    pub fn forecast(&self, value: Notional, now: Time, span: Duration) -> Notional {
        -(value * self.rate * Rate::from(self.stamps(now, span)))
    }
}

/// What may have been held at a stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// By our books; signed.
    pub qty: Qty,
    /// What it may have been instead, where a trade and the stamp were too close to tell, or somebody
    /// else traded at a time that nobody wrote down.
    pub or: Vec<Qty>,
}

/// How a settlement stands against what was charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was held and nothing was charged.
    Flat,
    /// `rate × notional`, but for rounding.
    Agrees,
    /// Something else was charged than this.
    Differs(Notional),
    /// This was due, and no row says that it was charged.
    Missing(Notional),
    /// The exchange does not tell the mark price of the stamp.
    Unknown,
}

/// `−quantity × mark × rate`, to the digit that the exchange books; `None` without a mark.
#[must_use]
pub fn due(qty: Qty, settlement: &Settlement) -> Option<Notional> {
    Some(-(qty * settlement.mark? * settlement.rate).rounded(LAST_DIGIT.1))
}

/// Holds what was charged (`None`: no row) against `rate × notional at the stamp`.
#[must_use]
pub fn judge(held: &Held, settlement: &Settlement, charged: Option<Notional>) -> Verdict {
    let all = || std::iter::once(&held.qty).chain(&held.or);
    let Some(charged) = charged else {
        return match due(held.qty, settlement) {
            // Whoever may have held nothing may owe nothing.
            _ if all().any(Qty::is_zero) => Verdict::Flat,
            Some(expected) if expected.is_zero() => Verdict::Agrees,
            Some(expected) => Verdict::Missing(expected),
            None => Verdict::Unknown,
        };
    };
    let mut expected = all().map(|qty| due(*qty, settlement));
    let Some(Some(likeliest)) = expected.next() else { return Verdict::Unknown };
    let agrees = |expected: Notional| (charged - expected).abs() <= slack(expected);
    if agrees(likeliest) || expected.flatten().any(agrees) {
        return Verdict::Agrees;
    }
    Verdict::Differs(likeliest)
}

fn slack(expected: Notional) -> Notional {
    (expected.abs() * Rate::new(ROUNDING.0, ROUNDING.1)).max(Notional::new(LAST_DIGIT.0, LAST_DIGIT.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn num<K>(text: &str) -> crate::domain::num::Amount<K> {
        text.parse().unwrap()
    }

    fn entry(kind: &str, amount: &str) -> Entry {
        Entry {
            at: Time::default(),
            kind: kind.into(),
            symbol: String::new(),
            amount: num(amount),
            asset: "USDT".into(),
            tran_id: 0,
            trade_id: String::new(),
        }
    }

    /// 200 became 215 with 10 paid in: 5 of profit. Funding took 3 and gave 1, so 7 were earned.
    #[test]
    fn transfers_are_no_profit_and_funding_is_told_apart() {
        let mut rows = vec![entry("FUNDING_FEE", "-3"), entry("SPECIAL_FUNDING_FEE", "1")];
        rows.extend([entry("TRANSFER", "15"), entry("INTERNAL_TRANSFER", "-6"), entry("UNEXPLAINED", "1")]);
        rows.extend([entry("COMMISSION", "-0.5"), entry("REALIZED_PNL", "9")]);
        rows.push(Entry { asset: "BNB".into(), ..entry("FUNDING_FEE", "-100") });
        let balance = Balance::of((num("200"), num("215")), &rows, "USDT");
        assert_eq!((balance.funding, balance.transfers), (num("-2"), num("10")));
        assert_eq!((balance.profit, balance.before_funding()), (num("5"), num("7")));
        assert!(!balance.funding_exceeds_profit());
    }

    #[test]
    fn funding_exceeds_profit_where_it_took_more_than_was_earned() {
        for (funding, profit, exceeds) in [
            // 12 was taken: of 10, of 22, and of 24 that were earned before it.
            ("-12", "-2", true),
            ("-12", "10", true),
            ("-12", "12", false),
            // A loss is not funding's doing where funding was received.
            ("3", "-50", false),
            ("0", "-50", false),
            ("-0.01", "-50", true),
        ] {
            let balance = Balance { funding: num(funding), profit: num(profit), transfers: Notional::ZERO };
            assert_eq!(balance.funding_exceeds_profit(), exceeds, "{funding} {profit}");
        }
    }

    #[test]
    fn a_loss_that_prices_made_is_no_alarm_about_funding() {
        for (funding, profit, alarm) in [
            // Of 200: 12 earned before it and 24, a trifle earned and less than a trifle taken of it.
            ("-12", "0.5", true),
            ("-12", "12", false),
            ("-0.19", "0", false),
            ("-0.2", "0", true),
            // Prices took 14, and funding next to nothing; then as much as one notices.
            ("-0.05", "-14.02", false),
            ("-1.99", "-14", false),
            ("-2", "-14", true),
            ("3", "-50", false),
        ] {
            let balance = Balance { funding: num(funding), profit: num(profit), transfers: Notional::ZERO };
            assert_eq!(balance.funding_is_the_trouble(num("200")), alarm, "{funding} {profit}");
        }
    }

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    /// Every 1, 4 and 8 hours, from 05:30 on: 24, 6 and 3 stamps in a day; a long of 1000 at 0.01 %
    /// pays 0.1 at each.
    #[test]
    fn a_day_has_as_many_stamps_as_the_interval_makes() {
        let (now, day) = (at("2026-11-20T05:30:00Z"), Duration::from_secs(86_400));
        for (hours, next, stamps, pays, yearly) in [
            (1, "2026-11-20T06:00:00Z", 24, "-2.4", "0.876"),
            (4, "2026-11-20T08:00:00Z", 6, "-0.6", "0.219"),
            (8, "2026-11-20T08:00:00Z", 3, "-0.3", "0.1095"),
        ] {
            let due = Due { at: at(next), rate: num("0.0001"), interval_hours: hours };
            assert_eq!(due.stamps(now, day), stamps);
            assert_eq!(due.forecast(num("1000"), now, day), num(pays));
            assert_eq!(
                due.forecast(num("-1000"), now, day),
                -num::<crate::domain::num::kind::NotionalKind>(pays)
            );
            assert_eq!(due.annualised().rounded(12), num(yearly));
        }
        // Right at a stamp the one a day later is inside; one beyond the span is not.
        let due = Due { at: at("2026-11-20T08:00:00Z"), rate: num("0.0001"), interval_hours: 8 };
        assert_eq!(due.stamps(at("2026-11-20T00:00:00Z"), day), 3);
        assert_eq!(due.stamps(at("2026-11-20T00:00:00Z"), Duration::from_secs(3600)), 0);
    }

    fn settlement(mark: Option<&str>) -> Settlement {
        Settlement { at: Time::default(), rate: num("0.0001"), mark: mark.map(num), special: false }
    }

    fn held(qty: &str, or: &[&str]) -> Held {
        Held { qty: num(qty), or: or.iter().map(|qty| num(qty)).collect() }
    }

    /// `reference/binance.md` §6.6: a long of 0.05 at 31000 pays 0.155, a short of 1 at 2050 receives
    /// 0.205.
    #[test]
    fn the_worked_examples_come_out() {
        assert_eq!(due(num("0.05"), &settlement(Some("31000"))), Some(num("-0.155")));
        assert_eq!(due(num("-1"), &settlement(Some("2050"))), Some(num("0.205")));
    }

    #[test]
    fn a_charge_is_judged_to_the_rounding() {
        let charged = |text: &str| Some(num(text));
        let stamp = settlement(Some("31000"));
        let long = held("0.05", &[]);
        assert_eq!(judge(&long, &stamp, charged("-0.155")), Verdict::Agrees);
        assert_eq!(judge(&long, &stamp, charged("-0.1550155")), Verdict::Agrees);
        assert_eq!(judge(&long, &stamp, charged("-0.1550156")), Verdict::Differs(num("-0.155")));
        assert_eq!(judge(&long, &stamp, charged("0.155")), Verdict::Differs(num("-0.155")));
        assert_eq!(judge(&long, &stamp, None), Verdict::Missing(num("-0.155")));
        assert_eq!(judge(&held("0", &[]), &stamp, None), Verdict::Flat);
        assert_eq!(judge(&held("0", &[]), &stamp, charged("-0.155")), Verdict::Differs(Notional::ZERO));
        // The exchange's last digit.
        let dust = held("0.000001", &[]);
        assert_eq!(judge(&dust, &stamp, charged("-0.00000311")), Verdict::Agrees);
        assert_eq!(judge(&dust, &stamp, charged("-0.00000312")), Verdict::Differs(num("-0.0000031")));
    }

    #[test]
    fn what_cannot_be_known_is_no_difference() {
        let (stamp, silent) = (settlement(Some("31000")), settlement(None));
        assert_eq!(judge(&held("0.05", &[]), &silent, Some(num("-9"))), Verdict::Unknown);
        assert_eq!(judge(&held("0.05", &[]), &silent, None), Verdict::Unknown);
        let close = held("0.05", &["0", "0.02"]);
        assert_eq!(judge(&close, &stamp, Some(num("-0.062"))), Verdict::Agrees);
        assert_eq!(judge(&close, &stamp, Some(num("-0.07"))), Verdict::Differs(num("-0.155")));
        assert_eq!(judge(&close, &stamp, None), Verdict::Flat);
    }
}
