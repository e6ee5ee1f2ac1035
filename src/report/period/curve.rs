//! Equity over time.

use serde::Serialize;

use crate::domain::history::Reading;
use crate::domain::num::{Notional, Rate};
use crate::domain::time::Time;

/// One point of the curve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CurvePoint {
    /// Exchange time.
    pub at: Time,
    /// Quote units.
    pub equity: Notional,
    /// Quote units per unit; deposits and withdrawals do not move it.
    pub nav: Notional,
    /// `1 − nav / highest nav since the start of the period`.
    pub drawdown: Rate,
}

/// More points than this are thinned: no screen shows more.
const MOST: usize = 1_000;
/// Digits kept of quotients.
const RATE_DIGITS: u32 = 8;

/// The curve over every reading, and the deepest fall on it.
pub(super) fn curve(readings: &[Reading]) -> (Vec<CurvePoint>, Rate) {
    let mut peak = Notional::ZERO;
    let point = |reading: &Reading| {
        peak = peak.max(reading.nav);
        let drawdown = reading.nav.over(peak).map_or(Rate::ZERO, |kept| Rate::ONE - kept);
        CurvePoint {
            at: reading.at,
            equity: reading.equity,
            nav: reading.nav,
            drawdown: drawdown.rounded(RATE_DIGITS),
        }
    };
    let points: Vec<CurvePoint> = readings.iter().map(point).collect();
    let deepest = points.iter().map(|point| point.drawdown).max().unwrap_or_default();
    (thin(points), deepest)
}

/// Of each stretch the highest and the lowest point, and both ends of the whole: what a person looks
/// for is still there.
fn thin(points: Vec<CurvePoint>) -> Vec<CurvePoint> {
    if points.len() <= MOST {
        return points;
    }
    let mut kept = std::collections::BTreeSet::from([0, points.len() - 1]);
    let stretch = points.len().div_ceil(MOST / 2 - 1);
    for (number, part) in points.chunks(stretch).enumerate() {
        let index = |found: Option<(usize, &CurvePoint)>| found.map(|(index, _)| number * stretch + index);
        let value = |(_, point): &(usize, &CurvePoint)| point.nav;
        kept.extend(index(part.iter().enumerate().min_by_key(value)));
        kept.extend(index(part.iter().enumerate().max_by_key(value)));
    }
    points.into_iter().enumerate().filter(|(index, _)| kept.contains(index)).map(|(_, point)| point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(pass_id: i64, nav: u32) -> Reading {
        let at = Time::from_ms(1_760_000_000_000 + pass_id * 300_000).unwrap();
        let nav = Notional::from(nav);
        Reading { pass_id, at, fill_seq: 0, equity: nav * Rate::from(2), nav, peak: nav }
    }

    /// 100 → 120 → 90 → 110: the deepest fall is 30 of 120, whatever the peak before the period was.
    #[test]
    fn drawdown_is_measured_from_the_peak_of_the_period() {
        let readings: Vec<Reading> =
            [(1, 100), (2, 120), (3, 90), (4, 110)].map(|(id, nav)| reading(id, nav)).into();
        let (points, deepest) = curve(&readings);
        assert_eq!(deepest, Rate::new(25, 2));
        assert_eq!(
            points.iter().map(|point| point.drawdown).collect::<Vec<_>>()[..2],
            [Rate::ZERO, Rate::ZERO]
        );
        assert_eq!(points[3].drawdown, "0.08333333".parse().unwrap());
    }

    #[test]
    fn a_thinned_curve_keeps_both_ends_and_the_extremes() {
        let navs = (0..105_000_u32).map(|index| match index {
            33_333 => 5,
            77_777 => 9_000,
            _ => 100 + index % 7,
        });
        let readings: Vec<Reading> = navs.enumerate().map(|(id, nav)| reading(id as i64, nav)).collect();
        let (points, deepest) = curve(&readings);
        assert!(points.len() <= MOST, "{}", points.len());
        assert_eq!((points[0].at, points.last().unwrap().at), (readings[0].at, readings[104_999].at));
        assert!(points.iter().any(|point| point.nav == Notional::from(5)));
        assert!(points.iter().any(|point| point.nav == Notional::from(9_000)));
        assert_eq!(points.iter().map(|point| point.drawdown).max(), Some(deepest));
    }
}
