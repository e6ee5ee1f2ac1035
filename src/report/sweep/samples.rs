//! Invented sweeps, for the page's tests.

use std::sync::Arc;

use crate::domain::num::Notional;
use crate::domain::time::Time;
use crate::report::sweep::figures::Figure;
use crate::report::sweep::tests::{grid, ground, ran};
use crate::report::sweep::{Ground, Period, Ran, SweepReport};

fn made(sweeps: &[&str], folds: bool) -> SweepReport {
    let grid = grid(sweeps);
    let at = |n: i64| Time::clamped(1_759_000_000_000 + n * 30 * 86_400_000);
    let parts: Vec<Period> = (0..3).map(|n| Period { from: at(n), to: at(n + 1) }).collect();
    let parts = if folds { parts } else { Vec::new() };
    let one = |point: u64| {
        let digits = grid.digits(point);
        let spread: i64 =
            digits.iter().enumerate().map(|(axis, digit)| (*digit as i64 * (axis as i64 + 3)) % 41).sum();
        if point % 11 == 7 {
            return Ran { point, result: Err("basket.size exceeds the number of symbols".into()) };
        }
        let figures: Vec<i64> =
            parts.iter().enumerate().map(|(part, _)| 95 + (spread * (part as i64 + 1)) % 17).collect();
        let mut ran = ran(point, 80 + spread, &figures);
        if let Ok(results) = &mut ran.result {
            match point % 7 {
                3 => results.whole.stopped_at = Some(at(1)),
                4 => {
                    (results.whole.to, results.whole.stops) = (at(3), 2);
                    results.whole.stopped_at = Some(at(1));
                }
                5 if point > 7 => {
                    results.whole.liquidated_at = Some(at(1));
                    results.whole.final_equity = Notional::ZERO;
                    results.whole.growth = Some(-crate::domain::num::Rate::ONE);
                }
                _ => {}
            }
        }
        ran
    };
    let all = (0..grid.points()).map(one).collect();
    let ground = Ground { from: at(0), to: at(3), ..ground() };
    SweepReport::new(ground, Arc::clone(&grid), &parts, all, Figure::Return, 1.0)
}

/// Two keys with folds, two keys with many values, one key, three keys.
pub(crate) fn sweeps() -> Vec<SweepReport> {
    vec![
        made(&["basket.threshold=0.01..0.12/0.01", "basket.effective_leverage=1,1.5,2,2.5,3"], true),
        made(&["basket.threshold=0.01..0.40/0.01", "basket.target_value=1..30/1"], false),
        made(&["basket.threshold=0.01..0.20/0.01"], true),
        made(&["basket.threshold=0.02,0.05", "basket.size=10,20", "basket.effective_leverage=1,2"], false),
    ]
}
