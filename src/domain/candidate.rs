//! What the exchange lists, with everything that a scan judges it by.

use std::time::Duration;

use crate::domain::market::Market;
use crate::domain::num::{Notional, Rate};
use crate::domain::rules::Rules;
use crate::domain::time::Time;

/// One contract that the exchange lists. Absent figures are `None`, never zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Trading rules, tags and dates.
    pub rules: Rules,
    /// Mark price, funding estimate and top of the book; `None` where there are none to trust.
    pub market: Option<Market>,
    /// Volume of the last 24 hours in the quote; `None` where nobody tells.
    pub volume: Option<Notional>,
    /// What its funding was lately; `None` where that could not be read.
    pub funding: Option<FundingPast>,
}

/// What a contract's funding was lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingPast {
    /// Hours between two settlements now.
    pub interval_hours: u32,
    /// Mean rate per interval of `interval_hours`; longs pay when positive.
    pub mean_rate: Rate,
    /// How many settlements it is the mean of.
    pub prints: u32,
}

impl FundingPast {
    /// How far back a mean looks: one day is noise, and a month ago says little of tomorrow.
    pub const WINDOW: Duration = Duration::from_secs(7 * 86_400);
    /// A history that ends longer ago than this is unknown rather than old: nobody settles less often
    /// than every eight hours.
    pub const STALE: Duration = Duration::from_secs(86_400);
    /// The exchange's longest interval, in hours. Time beyond it between two prints is a hole in the
    /// record and must not thin out what was paid.
    const LONGEST_HOURS: u32 = 8;

    /// From settlements `(when, rate)` in ascending time, of which those of the [`FundingPast::WINDOW`]
    /// up to the last one before `now` count; `told_hours` is the interval where the exchange names it, else the distance
    /// of the last two is taken. `None` where nothing was settled in the last day, and where one print
    /// without a neighbour says nothing of its interval.
    ///
    /// Intervals change, mostly when rates are extreme: each print counts for the hours since the one
    /// before it, so that the mean is what a holder paid over the window, whatever the interval was.
    #[must_use]
    pub fn of_prints(prints: &[(Time, Rate)], told_hours: Option<u32>, now: Time) -> Option<FundingPast> {
        let known = prints.iter().take_while(|(at, _)| *at <= now).count();
        let known = prints.get(..known)?;
        let last = known.last().filter(|(at, _)| now.since(*at) <= FundingPast::STALE)?;
        let hours_before = |index: usize| {
            let at = known.get(index)?.0;
            let before = known.get(index.checked_sub(1)?)?.0;
            Some(whole_hours(at.since(before)))
        };
        let last_gap = hours_before(known.len() - 1);
        let interval_hours = told_hours.filter(|hours| *hours > 0).or(last_gap)?;
        let (mut paid, mut hours, mut count) = (Rate::ZERO, 0, 0);
        for (index, (at, rate)) in known.iter().enumerate() {
            // To the hour: settlements are stamped some milliseconds off.
            if u64::from(whole_hours(last.0.since(*at))) * 3600 >= FundingPast::WINDOW.as_secs() {
                continue;
            }
            paid += *rate;
            // The first print of a record has nobody before it: it counts for the interval after it.
            let own = hours_before(index).or_else(|| hours_before(index + 1)).unwrap_or(interval_hours);
            hours += own.min(FundingPast::LONGEST_HOURS);
            count += 1;
        }
        let mean_rate = (paid * Rate::from(interval_hours)).over(Rate::from(hours))?;
        Some(FundingPast { interval_hours, mean_rate, prints: count })
    }

    /// The mean over a year: `mean rate × 24 / interval × 365`, negative where longs are paid.
    #[must_use]
    pub fn annualised(&self) -> Rate {
        let per_year = Rate::from(24 * 365) * self.mean_rate;
        per_year.over(Rate::from(self.interval_hours.max(1))).unwrap_or_default()
    }
}

/// At least one: settlements come on the hour, give or take milliseconds.
fn whole_hours(span: Duration) -> u32 {
    u32::try_from((span.as_secs() + 1800) / 3600).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Time {
        "2026-03-20T04:01:00Z".parse().unwrap()
    }

    /// Prints ending one minute before now, `hours` apart, the rates oldest first.
    fn every(hours: u64, rates: &[i64]) -> Vec<(Time, Rate)> {
        let back = |index: usize| Duration::from_secs(60 + (rates.len() - 1 - index) as u64 * hours * 3600);
        rates.iter().enumerate().map(|(index, rate)| (now() - back(index), Rate::new(*rate, 4))).collect()
    }

    /// 0.01 % every 8 hours is 3 × 365 × 0.0001 = 10.95 % a year; every 4 hours twice that, every
    /// hour eight times.
    #[test]
    fn a_year_has_as_many_intervals_as_the_contract_settles() {
        for (hours, yearly) in [(8, "0.1095"), (4, "0.219"), (1, "0.876")] {
            let past = FundingPast::of_prints(&every(hours, &[1; 10]), None, now()).unwrap();
            assert_eq!((past.interval_hours, past.prints), (u32::try_from(hours).unwrap(), 10));
            assert_eq!(past.annualised().rounded(12).to_string(), yearly);
        }
    }

    /// Twenty-one prints of 8 h are a week: the one before them does not count.
    #[test]
    fn only_the_last_week_counts() {
        let mut rates = vec![2; 22];
        rates[0] = 9999;
        let past = FundingPast::of_prints(&every(8, &rates), None, now()).unwrap();
        assert_eq!((past.prints, past.mean_rate.rounded(12)), (21, Rate::new(2, 4)));
    }

    /// Three prints of 8 h at 0.08 %, then eight of 1 h at 0.09 %: 24 + 72 = 96 basis points in 32
    /// hours are 3 an hour, 262.8 a year. The plain mean of the prints would be 8.7 an hour.
    #[test]
    fn a_change_of_interval_changes_what_is_paid_not_how_it_is_counted() {
        let mut prints = every(1, &[9; 8]);
        let first = prints[0].0;
        for back in [1, 9, 17] {
            prints.insert(0, (first - Duration::from_secs(3600 * back), Rate::new(8, 4)));
        }
        let past = FundingPast::of_prints(&prints, None, now()).unwrap();
        assert_eq!((past.interval_hours, past.prints), (1, 11));
        assert_eq!(past.mean_rate.rounded(12), Rate::new(3, 4));
        assert_eq!(past.annualised().rounded(6).to_string(), "2.628");
        let told = FundingPast::of_prints(&prints, Some(8), now()).unwrap();
        assert_eq!((told.interval_hours, told.mean_rate.rounded(12)), (8, Rate::new(24, 4)));
        assert_eq!(told.annualised().rounded(6), past.annualised().rounded(6));
    }

    #[test]
    fn a_hole_in_the_record_does_not_thin_out_what_was_paid() {
        let mut prints = every(8, &[4, 4, 4, 4, 4, 4]);
        prints.drain(1..4);
        let past = FundingPast::of_prints(&prints, None, now()).unwrap();
        assert_eq!(past.mean_rate.rounded(12), Rate::new(4, 4));
    }

    #[test]
    fn what_is_old_or_alone_is_unknown() {
        assert_eq!(FundingPast::of_prints(&[], None, now()), None);
        let one = every(8, &[5]);
        assert_eq!(FundingPast::of_prints(&one, None, now()), None);
        let told = FundingPast::of_prints(&one, Some(8), now()).unwrap();
        assert_eq!((told.prints, told.mean_rate), (1, Rate::new(5, 4)));
        let prints = every(8, &[5, 5]);
        let minute = Duration::from_secs(60);
        let end = now() - minute;
        assert!(FundingPast::of_prints(&prints, None, end + FundingPast::STALE).is_some());
        assert_eq!(FundingPast::of_prints(&prints, None, end + FundingPast::STALE + minute), None);
        // What is not settled yet is not known.
        assert_eq!(FundingPast::of_prints(&prints, Some(8), end - minute).unwrap().prints, 1);
        assert_eq!(FundingPast::of_prints(&prints, Some(8), end).unwrap().prints, 2);
        // An interval of nothing is none.
        assert_eq!(FundingPast::of_prints(&prints, Some(0), end).unwrap().interval_hours, 8);
    }
}
