//! Walk-forward: the best setting of one part of the period, and what became of it in the next.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::Serialize;

use crate::backtest::sweep::Grid;
use crate::domain::num::Rate;
use crate::report::sweep::figures::{Figure, Figures};
use crate::report::sweep::{Params, Period, Ran, Results};

/// Digits kept of means.
const MEAN_DIGITS: u32 = 10;

/// One choice and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Where it was chosen …
    pub chosen_on: Period,
    /// … and the part after it, where it was tried, from the same equity and without positions.
    pub tried_on: Period,
    /// What was chosen.
    pub params: Params,
    /// Its figure where it was chosen: the best there.
    pub in_sample: Option<Rate>,
    /// Its figure in the part after it.
    pub out_of_sample: Option<Rate>,
    /// Its rank there, from 1; equals share the better one.
    pub rank: usize,
    /// Among so many settings.
    pub settings: usize,
    /// The best figure there …
    pub best: Option<Rate>,
    /// … and the one in the middle: what a blind choice comes to.
    pub median: Option<Rate>,
    /// How far the order of all settings stayed the same, from 1 (entirely) over 0 (not at all) to −1
    /// (turned round): Spearman's rank correlation; `None` where one of the parts has no order.
    pub rank_correlation: Option<Rate>,
}

/// How much of a choice is left in the time after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WalkForward {
    /// What was chosen by, and what is shown.
    pub figure: Figure,
    /// In the order of time.
    pub steps: Vec<Step>,
    /// The mean figure of the choices where they were chosen …
    pub in_sample: Option<Rate>,
    /// … and in the part after.
    pub out_of_sample: Option<Rate>,
    /// The mean figure of blind choices there.
    pub median: Option<Rate>,
}

impl WalkForward {
    /// From the figures of every point in every part; `None` where there are not two parts, or no figures.
    #[must_use]
    pub fn new(grid: &Arc<Grid>, parts: &[Period], ran: &[Ran], figure: Figure) -> Option<WalkForward> {
        let results = |ran: &'_ Ran| ran.result.as_ref().ok().map(|results| (ran.point, results.clone()));
        let mut points: Vec<(u64, Results)> = ran.iter().filter_map(results).collect();
        points.sort_by_key(|(point, _)| *point);
        let pairs = parts.windows(2).enumerate();
        let steps: Vec<Step> =
            pairs.filter_map(|(number, pair)| step(grid, number, pair, &points, figure)).collect();
        if steps.is_empty() {
            return None;
        }
        let over = |of: fn(&Step) -> Option<Rate>| mean(steps.iter().map(of));
        let (in_sample, out_of_sample) = (over(|step| step.in_sample), over(|step| step.out_of_sample));
        let median = over(|step| step.median);
        Some(WalkForward { figure, steps, in_sample, out_of_sample, median })
    }
}

fn step(
    grid: &Arc<Grid>,
    number: usize,
    pair: &[Period],
    points: &[(u64, Results)],
    figure: Figure,
) -> Option<Step> {
    let [chosen_on, tried_on] = pair else { return None };
    let both = |(point, results): &'_ (u64, Results)| {
        Some((*point, results.parts.get(number)?.clone(), results.parts.get(number + 1)?.clone()))
    };
    let both: Vec<(u64, Figures, Figures)> = points.iter().filter_map(both).collect();
    // The first of equals: the order of the grid decides, as in the table.
    let (point, before, after) = both.iter().min_by(|a, b| figure.rank(&a.1, &b.1))?;
    let mut ordered: Vec<Option<Rate>> = both.iter().map(|(_, _, after)| figure.of(after)).collect();
    ordered.sort_by(|a, b| figure.order(*a, *b));
    let out_of_sample = figure.of(after);
    let better = ordered.iter().filter(|other| figure.order(**other, out_of_sample) == Ordering::Less);
    let ranks = |of: fn(&(u64, Figures, Figures)) -> &Figures| {
        shared_ranks(&both.iter().map(|each| figure.of(of(each))).collect::<Vec<_>>(), figure)
    };
    Some(Step {
        chosen_on: *chosen_on,
        tried_on: *tried_on,
        params: Params::new(grid, *point),
        in_sample: figure.of(before),
        out_of_sample,
        rank: better.count() + 1,
        settings: both.len(),
        best: ordered.first().copied().flatten(),
        median: middle(&ordered),
        rank_correlation: correlation(&ranks(|each| &each.1), &ranks(|each| &each.2)),
    })
}

/// The value in the middle of an ordered list, or between the two there.
fn middle(ordered: &[Option<Rate>]) -> Option<Rate> {
    let upper = ordered.get(ordered.len() / 2).copied().flatten();
    match ordered.len() % 2 {
        0 => mean([ordered.get((ordered.len() / 2).checked_sub(1)?).copied().flatten(), upper].into_iter()),
        _ => upper,
    }
}

/// The mean; `None` where any value is missing.
fn mean(values: impl Iterator<Item = Option<Rate>>) -> Option<Rate> {
    let values: Vec<Rate> = values.collect::<Option<_>>()?;
    let count = u32::try_from(values.len()).ok()?;
    let sum = values.into_iter().fold(Rate::ZERO, |sum, value| sum + value);
    Some(sum.over(Rate::from(count))?.rounded(MEAN_DIGITS))
}

/// The rank of each value, from 1; equals share the mean of their ranks.
fn shared_ranks(values: &[Option<Rate>], figure: Figure) -> Vec<f64> {
    let mut sorted: Vec<(usize, Option<Rate>)> = values.iter().copied().enumerate().collect();
    sorted.sort_by(|a, b| figure.order(a.1, b.1));
    let mut ranks = vec![0.0; values.len()];
    let mut begin = 0;
    for group in sorted.chunk_by(|a, b| figure.order(a.1, b.1) == Ordering::Equal) {
        let rank = begin as f64 + (group.len() as f64 + 1.0) / 2.0;
        for (number, _) in group {
            if let Some(slot) = ranks.get_mut(*number) {
                *slot = rank;
            }
        }
        begin += group.len();
    }
    ranks
}

/// Pearson's correlation of two lists of ranks, to four digits.
fn correlation(a: &[f64], b: &[f64]) -> Option<Rate> {
    // Ranks always average to the middle.
    let middle = (a.len() as f64 + 1.0) / 2.0;
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum::<f64>();
    let spread = (dot(a, a) * dot(b, b)).sqrt();
    if spread > 0.0 { Rate::from_approx(dot(a, b) / spread, 4) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Time;
    use crate::report::sweep::tests::{grid, ran};

    fn periods(count: i64) -> Vec<Period> {
        (0..count).map(|n| Period { from: Time::clamped(n), to: Time::clamped(n + 1) }).collect()
    }

    /// Three settings, three parts:      part 0   part 1   part 2
    ///                              a=1     +30      −10      +20
    ///                              a=2     +20      +5       +10
    ///                              a=3     +10      +10       0
    #[test]
    fn a_choice_is_tried_in_the_part_after_it() {
        let ran =
            [ran(2, 100, &[110, 110, 100]), ran(0, 100, &[130, 90, 120]), ran(1, 100, &[120, 105, 110])];
        let walk = WalkForward::new(&grid(&["a=1,2,3"]), &periods(3), &ran, Figure::Return).unwrap();
        let rate = |hundredths| Some(Rate::new(hundredths, 2));
        let [first, second] = &walk.steps[..] else { panic!("two steps") };
        assert_eq!((first.params.point, first.in_sample, first.out_of_sample), (0, rate(30), rate(-10)));
        assert_eq!((first.rank, first.settings, first.best, first.median), (3, 3, rate(10), rate(5)));
        assert_eq!(first.rank_correlation, Some(-Rate::ONE), "the order turned round");
        assert_eq!((second.params.point, second.in_sample, second.out_of_sample), (2, rate(10), rate(0)));
        assert_eq!((second.rank, second.best, second.median), (3, rate(20), rate(10)));
        assert_eq!(second.chosen_on.from, first.tried_on.from);
        assert_eq!((walk.in_sample, walk.out_of_sample), (rate(20), rate(-5)));
        assert_eq!(walk.median, Some(Rate::new(75, 3)));
    }

    #[test]
    fn equal_settings_have_no_order_and_share_a_rank() {
        let ran = [ran(0, 100, &[100, 100]), ran(1, 100, &[100, 100])];
        let walk = WalkForward::new(&grid(&["a=1,2"]), &periods(2), &ran, Figure::Return).unwrap();
        let step = &walk.steps[0];
        assert_eq!((step.params.point, step.rank, step.rank_correlation), (0, 1, None));
        assert_eq!(WalkForward::new(&grid(&["a=1,2"]), &[], &ran, Figure::Return), None);
    }

    /// Spearman's of (1, 2, 3, 4) and (2, 1, 4, 3): 1 − 6 × 4 / (4 × 15) = 0.6; with ties, ranks 1.5, 1.5, 3.
    #[test]
    fn rank_correlations_are_spearmans() {
        assert_eq!(correlation(&[1.0, 2.0, 3.0, 4.0], &[2.0, 1.0, 4.0, 3.0]), Some(Rate::new(6, 1)));
        let values = [Some(Rate::ONE), Some(Rate::ONE), Some(Rate::ZERO), None];
        assert_eq!(shared_ranks(&values, Figure::Return), [1.5, 1.5, 3.0, 4.0]);
        assert_eq!(shared_ranks(&values, Figure::MaxDrawdown), [2.5, 2.5, 1.0, 4.0]);
    }
}
