//! All bars on one grid: a folder of mixed intervals cannot be walked bar by bar.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::archive::error::ArchiveError;
use crate::archive::table::Fault;
use crate::domain::market::Bar;
use crate::domain::series::{Run, Series};
use crate::domain::symbol::Symbol;
use crate::domain::time::{Time, show_span};

/// So many rows in a row at one distance that is not the file's are no gaps but other bars.
const NO_GAPS: usize = 10;

/// What the times of a file's rows, and the close times of a few, tell of its interval. A row that keeps the
/// distance of those before costs a comparison.
#[derive(Default)]
pub(crate) struct Pace {
    stretches: Vec<Stretch>,
    last: Option<Time>,
}

/// Rows of one distance to the row before each.
struct Stretch {
    /// Of the first row.
    line: usize,
    first: Time,
    /// 0 for the file's first row.
    distance_ms: i64,
    rows: usize,
    /// The length of the first row's bar, where its close time tells.
    stated_ms: Option<i64>,
}

impl Stretch {
    /// Each row's line and time.
    fn each(&self) -> impl Iterator<Item = (usize, Time)> + '_ {
        let times = std::iter::successors(Some(self.first.ms()), |ms| Some(ms + self.distance_ms));
        times.take(self.rows).enumerate().map(|(row, ms)| (self.line + row, Time::clamped(ms)))
    }
}

impl Pace {
    /// One more row; `length_ms` is asked for where the distance changes.
    #[inline]
    pub(crate) fn see(&mut self, line: usize, time: Time, length_ms: impl FnOnce() -> Option<i64>) {
        let distance_ms = self.last.replace(time).map_or(0, |last| time.ms() - last.ms());
        match self.stretches.last_mut() {
            Some(stretch) if stretch.distance_ms == distance_ms => stretch.rows += 1,
            _ => {
                let stated_ms = length_ms();
                self.stretches.push(Stretch { line, first: time, distance_ms, rows: 1, stated_ms });
            }
        }
    }

    /// How long one bar of the file is: what its close times say, unless three rows or more are all further
    /// apart than that, and without them the most frequent distance of three rows or more.
    pub(crate) fn interval(&self) -> Result<Option<Duration>, Fault> {
        let (stated, frequent) = (self.stated()?, self.most_frequent());
        let is_met = |length_ms: i64| self.stretches.iter().any(|stretch| stretch.distance_ms == length_ms);
        let step_ms = match (stated, frequent) {
            (None, None) => return Ok(None),
            (None, Some((distance_ms, _))) => distance_ms,
            (Some(stated_ms), Some((distance_ms, _))) if stated_ms < distance_ms && !is_met(stated_ms) => {
                distance_ms
            }
            (Some(stated_ms), Some((distance_ms, line))) if stated_ms > distance_ms => {
                let (stated, distance) = (span(stated_ms), span(distance_ms));
                let problem = format!(
                    "is {distance} behind the one before, but bars are {stated} long by their close_time"
                );
                return Err(Fault::Line { line, problem });
            }
            (Some(stated_ms), _) => stated_ms,
        };
        let step = span(step_ms);
        if let Some((line, time)) = self.first_off(step_ms) {
            let problem = format!("begins at {time}, off the grid of {step} that the other rows keep");
            return Err(Fault::Line { line, problem });
        }
        if stated.is_none()
            && let Some(other) = self.other_bars(step_ms)
        {
            let (line, own) = (other.line, span(other.distance_ms));
            let problem = format!(
                "is {own} behind the one before, as are those that follow, where most are {step} apart: a file \
                 holds bars of one interval"
            );
            return Err(Fault::Line { line, problem });
        }
        Ok(u64::try_from(step_ms).ok().map(Duration::from_millis))
    }

    /// The length that close times state, which is the same wherever they do.
    fn stated(&self) -> Result<Option<i64>, Fault> {
        let mut said = self.stretches.iter().filter_map(|at| Some((at.line, at.stated_ms?)));
        let Some((first, length_ms)) = said.next() else { return Ok(None) };
        match said.find(|(_, other_ms)| *other_ms != length_ms) {
            None => Ok(Some(length_ms)),
            Some((line, other_ms)) => {
                let (length, other) = (span(length_ms), span(other_ms));
                let problem = format!(
                    "is a bar of {other} by its close_time, and line {first} one of {length}: a file holds bars of one interval"
                );
                Err(Fault::Line { line, problem })
            }
        }
    }

    /// The most frequent distance of three rows or more, and the first row that has it; of those that are
    /// equally frequent the smallest, since the others may be gaps.
    fn most_frequent(&self) -> Option<(i64, usize)> {
        let mut found: BTreeMap<i64, (usize, usize)> = BTreeMap::new();
        for stretch in self.stretches.iter().skip(1) {
            found.entry(stretch.distance_ms).or_insert((0, stretch.line)).0 += stretch.rows;
        }
        let all: usize = found.values().map(|(rows, _)| rows).sum();
        let most = found.values().map(|(rows, _)| *rows).max().filter(|_| all > 1)?;
        found
            .into_iter()
            .find(|(_, (rows, _))| *rows == most)
            .map(|(distance_ms, (_, line))| (distance_ms, line))
    }

    /// The first row that is not a whole number of steps from where most rows are.
    fn first_off(&self, step_ms: i64) -> Option<(usize, Time)> {
        if self.stretches.iter().all(|stretch| stretch.distance_ms % step_ms == 0) {
            return None;
        }
        let phase = |time: Time| time.ms().rem_euclid(step_ms);
        let mut rows: BTreeMap<i64, usize> = BTreeMap::new();
        for stretch in &self.stretches {
            match stretch.distance_ms % step_ms {
                0 => *rows.entry(phase(stretch.first)).or_default() += stretch.rows,
                _ => stretch.each().for_each(|(_, time)| *rows.entry(phase(time)).or_default() += 1),
            }
        }
        let first = self.stretches.first().map(|stretch| phase(stretch.first));
        let grid = rows.into_iter().max_by_key(|(phase, rows)| (*rows, Some(*phase) == first))?.0;
        self.stretches.iter().flat_map(Stretch::each).find(|(_, time)| phase(*time) != grid)
    }

    /// Rows that keep a longer distance for so long that it is theirs.
    fn other_bars(&self, step_ms: i64) -> Option<&Stretch> {
        self.stretches.iter().find(|stretch| stretch.distance_ms > step_ms && stretch.rows >= NO_GAPS)
    }
}

fn span(ms: i64) -> String {
    show_span(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}

/// The interval of bars of which no file tells it: three that are all further apart than others are no gaps.
pub(crate) fn of_many<B: Bars>(bars: &B) -> Option<Duration> {
    bars.spacing().filter(|_| bars.count() > 2)
}

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

/// The one interval of all bars, of which that of some contracts is known. Refuses bars of several, and bars
/// off the grid of the others.
pub(crate) fn check<B: Bars>(
    dir: &Path,
    all: &BTreeMap<Symbol, B>,
    known: &BTreeMap<Symbol, Duration>,
) -> Result<Option<Duration>, ArchiveError> {
    let refuse = |problem: String| Err(ArchiveError::Folder { dir: dir.to_owned(), problem });
    let Some(interval) = known.values().copied().min().or_else(|| interval(all)) else { return Ok(None) };
    let step = show_span(interval);
    let step_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let Some(origin) = all.values().find_map(Bars::first) else { return Ok(None) };
    for (symbol, bars) in all {
        if let Some(own) = known.get(symbol).filter(|own| **own != interval) {
            let own = show_span(*own);
            return refuse(format!(
                "{symbol} has bars every {own}, others every {step}: use one folder per interval"
            ));
        }
        if let Some(at) = bars.off_grid(origin, step_ms) {
            return refuse(format!(
                "{symbol} has a bar at {at}, which is off the grid of {step} that others keep"
            ));
        }
    }
    Ok(Some(interval))
}
