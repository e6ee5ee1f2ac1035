//! Two settings against each other: which cell is how good, and what marks it.

use crate::domain::num::Rate;
use crate::render::settings::{keys, value};
use crate::render::text::clean;
use crate::report::sweep::SweepReport;
use crate::report::sweep::figures::Figures;

/// Steps of the scale, the worst being 0.
pub(crate) const STEPS: usize = 9;
/// With more columns than this a cell has no room for its figure.
pub(crate) const MOST_WRITTEN: usize = 16;
/// More cells than this are no picture any more.
const MOST_CELLS: usize = 20_000;
/// More maps than this nobody compares.
const MOST_MAPS: usize = 12;

/// Marks the first of the ranking.
pub(crate) const BEST: char = '★';

/// What became of a cell besides its figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing.
    None,
    /// The hard stop ended it.
    Stopped,
    /// The hard stop sold everything at least once, and it went on.
    Resumed,
    /// All was lost.
    Liquidated,
    /// The configuration refuses it.
    Refused,
    /// Not run.
    Missing,
}

impl Mark {
    /// A word for it, and a sign for where there is no room.
    pub(crate) fn said(self) -> (&'static str, &'static str) {
        match self {
            Mark::None => ("", ""),
            Mark::Stopped => ("stopped", "S"),
            Mark::Resumed => ("resumed", "R"),
            Mark::Liquidated => ("liquidated", "L"),
            Mark::Refused => ("refused", "×"),
            Mark::Missing => ("not run", "?"),
        }
    }
}

/// One combination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// On the scale; `None` without a figure, and where all was lost.
    pub(crate) step: Option<usize>,
    /// The figure; empty without one.
    pub(crate) shown: String,
    pub(crate) mark: Mark,
    /// The first of the ranking.
    pub(crate) best: bool,
}

/// A map: rows for the values of one key, columns for those of another.
#[derive(Clone, Debug)]
pub(crate) struct Heat {
    /// The key that has the same value in all of it, and that value; `None` where there are two keys.
    pub(crate) of: Option<(String, String)>,
    /// What goes down …
    pub(crate) down: (String, Vec<String>),
    /// … and what goes across.
    pub(crate) across: (String, Vec<String>),
    /// By row.
    pub(crate) cells: Vec<Vec<Cell>>,
    /// The worst and the best figure of the scale.
    pub(crate) ends: (String, String),
}

/// The map of a sweep over two keys, or one for each value of a third; or why there is none.
pub(crate) fn heat(report: &SweepReport) -> Result<Vec<Heat>, String> {
    let axes = report.grid.axes();
    let count = |axis: usize| axes.get(axis).map_or(0, |axis| axis.values.len());
    let mut varied: Vec<usize> = (0..axes.len()).filter(|at| count(*at) > 1).collect();
    // The longest one goes down, since pages scroll that way; the shortest has a map for each of its values.
    varied.sort_by_key(|at| std::cmp::Reverse(count(*at)));
    let (down, across, third) = match varied.as_slice() {
        [down, across] => (*down, *across, None),
        [down, across, third] => (*down, *across, Some(*third)),
        [] | [_] => return Err("A heat map wants two keys of more than one value.".to_owned()),
        more => {
            return Err(format!("No heat map: it shows two or three keys, and {} are swept.", more.len()));
        }
    };
    let maps = third.map_or(1, count);
    let cells = count(down).saturating_mul(count(across)).saturating_mul(maps);
    if cells > MOST_CELLS || maps > MOST_MAPS {
        return Err(format!(
            "No heat map: {cells} settings in {maps} maps are too many to look at, {MOST_CELLS} and {MOST_MAPS} are the most."
        ));
    }
    let heads = keys(report);
    let axis = |at: usize| {
        let values =
            axes.get(at).map(|axis| axis.values.iter().map(|value| clean(value)).collect::<Vec<_>>());
        (heads.get(at).map_or_else(String::new, |head| head.0.clone()), values.unwrap_or_default())
    };
    let shown = |end: Option<Rate>| value(report.sort, end);
    let scale = scale(report);
    let ends = (shown(scale.map(|ends| ends.0)), shown(scale.map(|ends| ends.1)));
    let missing = Cell { step: None, shown: String::new(), mark: Mark::Missing, best: false };
    let of = third.map(axis);
    let map = |number: usize| Heat {
        of: of.as_ref().map(|(key, values)| (key.clone(), values.get(number).cloned().unwrap_or_default())),
        down: axis(down),
        across: axis(across),
        cells: vec![vec![missing.clone(); count(across)]; count(down)],
        ends: ends.clone(),
    };
    let mut maps: Vec<Heat> = (0..maps).map(map).collect();
    for (digits, cell) in cells_of(report, scale) {
        let at = |axis: usize| digits.get(axis).copied().unwrap_or(usize::MAX);
        let map = maps.get_mut(third.map_or(0, at));
        let row = map.and_then(|map| map.cells.get_mut(at(down)));
        if let Some(slot) = row.and_then(|row| row.get_mut(at(across))) {
            *slot = cell;
        }
    }
    Ok(maps)
}

/// Every setting that was tried, with its place in the grid.
fn cells_of(report: &SweepReport, scale: Option<(Rate, Rate)>) -> impl Iterator<Item = (Vec<usize>, Cell)> {
    let best = report.runs.first().map(|run| run.params.point);
    let ran = report.runs.iter().map(move |run| {
        let figure = report.sort.of(&run.figures);
        let mark = mark(&run.figures);
        let step = if mark == Mark::Liquidated { None } else { scale.and_then(|ends| step(ends, figure)) };
        let shown = value(report.sort, figure);
        (run.params.digits(), Cell { step, shown, mark, best: Some(run.params.point) == best })
    });
    let refused = report.refused.iter().map(|refused| {
        let cell = Cell { step: None, shown: String::new(), mark: Mark::Refused, best: false };
        (refused.params.digits(), cell)
    });
    ran.chain(refused)
}

fn mark(figures: &Figures) -> Mark {
    match (figures.liquidated_at, figures.stopped_at) {
        (Some(_), _) => Mark::Liquidated,
        (_, Some(_)) if figures.went_on() => Mark::Resumed,
        (_, Some(_)) => Mark::Stopped,
        _ => Mark::None,
    }
}

/// The worst and the best figure of those that did not lose everything.
fn scale(report: &SweepReport) -> Option<(Rate, Rate)> {
    let alive = report.runs.iter().filter(|run| mark(&run.figures) != Mark::Liquidated);
    let figures: Vec<Rate> = alive.filter_map(|run| report.sort.of(&run.figures)).collect();
    let (low, high) = (figures.iter().min().copied()?, figures.iter().max().copied()?);
    Some(if report.sort.more_is_better() { (low, high) } else { (high, low) })
}

/// Where a figure is between the worst and the best.
fn step((worst, best): (Rate, Rate), figure: Option<Rate>) -> Option<usize> {
    let part = (figure? - worst).over(best - worst).map_or(1.0, |part| part.approx());
    Some(((part * STEPS as f64) as usize).min(STEPS - 1))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::time::Time;
    use crate::report::sweep::figures::Figure;
    use crate::report::sweep::tests::{grid, ground, ran};
    use crate::report::sweep::{Ran, SweepReport};

    /// Final equities 100, 104, 118 and −; from the worst 100 to the best 118 in nine steps of 2.
    #[test]
    fn a_cell_is_as_far_up_the_scale_as_its_figure() {
        let grid = grid(&["a=1,2", "b=x,y,z"]);
        let mut stopped = ran(2, 118, &[]);
        let mut lost = ran(3, 0, &[]);
        if let Ok(results) = &mut stopped.result {
            results.whole.stopped_at = Some(Time::default());
        }
        if let Ok(results) = &mut lost.result {
            results.whole.liquidated_at = Some(Time::default());
        }
        let refused = Ran { point: 4, result: Err("no".into()) };
        let all = vec![ran(0, 100, &[]), ran(1, 104, &[]), stopped, lost, refused];
        let report = SweepReport::new(ground(), Arc::clone(&grid), &[], all, Figure::FinalEquity, 0.0);
        let heat = heat(&report).unwrap().remove(0);
        // The longer key goes down.
        assert_eq!(
            (heat.down.1, heat.across.1),
            (vec!["x".into(), "y".into(), "z".into()], vec!["1".into(), "2".into()])
        );
        let step = |row: usize, column: usize| heat.cells[row][column].step;
        assert_eq!([step(0, 0), step(1, 0), step(2, 0), step(0, 1)], [Some(0), Some(2), Some(8), None]);
        let marks: Vec<Mark> = heat.cells.iter().flatten().map(|cell| cell.mark).collect();
        let expected =
            [Mark::None, Mark::Liquidated, Mark::None, Mark::Refused, Mark::Stopped, Mark::Missing];
        assert_eq!(marks, expected);
        assert_eq!(heat.ends, ("100.00".to_owned(), "118.00".to_owned()));
        assert_eq!(heat.cells[1][0].shown, "104.00");
        let best: Vec<bool> = heat.cells.iter().flatten().map(|cell| cell.best).collect();
        assert_eq!(best, [false, false, false, false, true, false], "also where it was stopped");
    }

    #[test]
    fn less_is_better_turns_the_scale_round() {
        let report = SweepReport::new(
            ground(),
            grid(&["a=1,2", "b=x,y"]),
            &[],
            vec![ran(0, 100, &[]), ran(1, 104, &[]), ran(2, 108, &[]), ran(3, 109, &[])],
            Figure::Trades,
            0.0,
        );
        let heat = heat(&report).unwrap().remove(0);
        assert!(
            heat.cells.iter().flatten().all(|cell| cell.step == Some(STEPS - 1)),
            "all equal, none is worse"
        );
        let one = SweepReport { grid: grid(&["a=1,2"]), ..report };
        assert!(super::heat(&one).unwrap_err().contains("two keys"));
    }

    /// The key of the fewest values has a map for each of them; all are on one scale, and one cell is the best.
    #[test]
    fn three_keys_make_a_map_for_each_value_of_the_third() {
        let all = (0..12).map(|point| ran(point, 100 + point as i64, &[])).collect();
        let three = grid(&["a=1,2", "b=x,y,z", "c=5,6"]);
        let report = SweepReport::new(ground(), three, &[], all, Figure::FinalEquity, 0.0);
        let maps = super::heat(&report).unwrap();
        let of: Vec<_> = maps.iter().map(|map| map.of.clone().unwrap()).collect();
        assert_eq!(of, [("c".to_owned(), "5".to_owned()), ("c".to_owned(), "6".to_owned())]);
        // Points count c first, then b, then a: a = 2, b = y, c = 6 is 1·6 + 1·2 + 1.
        assert_eq!((maps[1].down.0.as_str(), maps[1].across.0.as_str()), ("b", "a"));
        assert_eq!(maps[1].cells[1][1].shown, "109.00");
        assert!(maps.iter().all(|map| map.ends == ("100.00".to_owned(), "111.00".to_owned())));
        let best = |map: &Heat| map.cells.iter().flatten().filter(|cell| cell.best).count();
        assert_eq!((best(&maps[0]), best(&maps[1])), (0, 1));
        let four = SweepReport { grid: grid(&["a=1,2", "b=1,2", "c=1,2", "d=1,2"]), ..report };
        assert!(super::heat(&four).unwrap_err().contains("4 are swept"));
    }
}
