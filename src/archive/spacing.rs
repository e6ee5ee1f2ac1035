//! All bars on one grid: a folder of mixed intervals cannot be walked bar by bar.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::archive::error::ArchiveError;
use crate::domain::market::Bar;
use crate::domain::series::{Run, Series};
use crate::domain::symbol::Symbol;
use crate::domain::time::{Time, show_span};

/// Bars of one contract, whichever way they are held.
pub(crate) trait Bars {
    /// How many.
    fn count(&self) -> usize;
    /// The smallest distance between two.
    fn spacing(&self) -> Option<Duration>;
    /// When the first begins.
    fn first(&self) -> Option<Time>;
    /// The first that does not begin a whole number of steps before or after `origin`.
    fn off_grid(&self, origin: Time, step_ms: i64) -> Option<Time>;
}

fn is_off(time: Time, origin: Time, step_ms: i64) -> bool {
    (time.ms() - origin.ms()) % step_ms != 0
}

impl Bars for Vec<Bar> {
    fn count(&self) -> usize {
        self.len()
    }

    fn spacing(&self) -> Option<Duration> {
        self.windows(2).filter_map(|pair| Some(pair.last()?.open_time.since(pair.first()?.open_time))).min()
    }

    fn first(&self) -> Option<Time> {
        <[Bar]>::first(self).map(|bar| bar.open_time)
    }

    fn off_grid(&self, origin: Time, step_ms: i64) -> Option<Time> {
        self.iter().map(|bar| bar.open_time).find(|time| is_off(*time, origin, step_ms))
    }
}

impl Bars for Series {
    fn count(&self) -> usize {
        self.len()
    }

    fn spacing(&self) -> Option<Duration> {
        Series::spacing(self)
    }

    fn first(&self) -> Option<Time> {
        Series::first(self)
    }

    fn off_grid(&self, origin: Time, step_ms: i64) -> Option<Time> {
        let off =
            |run: &&Run| is_off(run.first, origin, step_ms) || (run.bars > 1 && run.step_ms % step_ms != 0);
        let run = self.runs().iter().find(off)?;
        // In a run that begins on the grid and leaves it, the second bar is the first one off.
        let second = run.first + Duration::from_millis(u64::try_from(run.step_ms).unwrap_or(0));
        Some(if is_off(run.first, origin, step_ms) { run.first } else { second })
    }
}

/// The distance between two bars without a gap: the smallest there is.
pub(crate) fn interval<B: Bars>(all: &BTreeMap<Symbol, B>) -> Option<Duration> {
    all.values().filter_map(Bars::spacing).min()
}

/// Refuses bars of several intervals, and bars off the grid of the others.
pub(crate) fn check<B: Bars>(dir: &Path, all: &BTreeMap<Symbol, B>) -> Result<(), ArchiveError> {
    let refuse = |problem: String| Err(ArchiveError::Folder { dir: dir.to_owned(), problem });
    let Some(interval) = interval(all) else { return Ok(()) };
    let step = show_span(interval);
    let step_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let Some(origin) = all.values().find_map(Bars::first) else { return Ok(()) };
    for (symbol, bars) in all {
        // Two bars may have a gap between them; three that are all further apart are another interval.
        match bars.spacing() {
            Some(own) if own != interval && bars.count() > 2 => {
                let own = show_span(own);
                return refuse(format!(
                    "{symbol} has bars every {own}, others every {step}: use one folder per interval"
                ));
            }
            _ => {}
        }
        if let Some(at) = bars.off_grid(origin, step_ms) {
            return refuse(format!(
                "{symbol} has a bar at {at}, which is off the grid of {step} that others keep"
            ));
        }
    }
    Ok(())
}
