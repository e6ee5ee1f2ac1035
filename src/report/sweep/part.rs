//! A part of a sweep as JSON lines: a header, then a line for each of its points; and parts joined again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::backtest::sweep::{Grid, Shard};
use crate::report::sweep::figures::{Figure, Figures};
use crate::report::sweep::{Ground, Params, Period, Ran, Results, SweepReport};

/// What a header is known by.
pub const SCHEMA: &str = "rebal.sweep-part/1";

/// What a part says of itself: the first line of its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Always `rebal.sweep-part/1`.
    pub schema: String,
    /// What all runs have in common.
    #[serde(flatten)]
    pub ground: Ground,
    /// The keys and their values.
    #[serde(flatten)]
    pub grid: Grid,
    /// What the period was cut into.
    pub parts: Vec<Period>,
    /// Which part this is.
    pub shard: Shard,
    /// Of which rebal.
    pub version: String,
    /// Of the configuration, without the swept keys, and of the options that change a run.
    pub settings: String,
    /// Of the prices, the funding and the trading rules.
    pub data: String,
    /// Seconds that the runs took.
    pub elapsed_s: String,
}

/// One point: the figures of its run, or why it was not run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    point: u64,
    /// For whoever reads the file; the number alone counts.
    #[serde(skip_deserializing)]
    params: Option<Params>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whole: Option<Figures>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Figures>,
}

impl Line {
    /// The line of a point.
    #[must_use]
    pub fn new(grid: &Arc<Grid>, ran: &Ran) -> Line {
        let params = Some(Params::new(grid, ran.point));
        let (refused, whole, parts) = match &ran.result {
            Ok(results) => (None, Some(results.whole.clone()), results.parts.clone()),
            Err(reason) => (Some(reason.clone()), None, Vec::new()),
        };
        Line { point: ran.point, params, refused, whole, parts }
    }

    /// What it says, where that is what a part over `parts` pieces of the period says.
    fn ran(self, parts: usize) -> Option<Ran> {
        let result = match (self.whole, self.refused) {
            (Some(whole), None) if self.parts.len() == parts => Ok(Results { whole, parts: self.parts }),
            (None, Some(reason)) => Err(reason),
            _ => return None,
        };
        Some(Ran { point: self.point, result })
    }
}

/// One part as it was read, and the name that its file goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    name: String,
    header: Header,
    ran: Vec<Ran>,
}

/// Why parts do not make a sweep.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// No part at all.
    #[error("{0} is no part of a sweep: its first line is no {SCHEMA}")]
    NotAPart(String),
    /// A line that says nothing, or nothing of this part.
    #[error("{name} line {line}: not what a part of this sweep holds")]
    Line {
        /// The file.
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// A part whose end is missing.
    #[error("{name} is cut off: it holds {found} of {wanted} settings")]
    CutOff {
        /// The file.
        name: String,
        /// How many are there.
        found: u64,
        /// How many should be.
        wanted: u64,
    },
    /// A part of another sweep.
    #[error("{name} is of another sweep than {first}: {what} differ")]
    Other {
        /// The file.
        name: String,
        /// The first file.
        first: String,
        /// What is not the same.
        what: &'static str,
    },
    /// The same part in two files.
    #[error("{name} and {first} are the same part, {index}/{count}")]
    Twice {
        /// The file.
        name: String,
        /// The one before it.
        first: String,
        /// Which part.
        index: u64,
        /// Of how many.
        count: u64,
    },
    /// Parts that nobody named.
    #[error("{} of {count} parts missing: {}", indices.len(), named(indices, *count))]
    Missing {
        /// Which.
        indices: Vec<u64>,
        /// Of how many.
        count: u64,
    },
}

/// The first of some missing parts.
fn named(indices: &[u64], count: u64) -> String {
    let shown: Vec<String> = indices.iter().take(20).map(|index| format!("{index}/{count}")).collect();
    let more = if indices.len() > shown.len() { " …" } else { "" };
    shown.join(", ") + more
}

impl Part {
    /// Reads the text of a file.
    pub fn read(name: &str, text: &str) -> Result<Part, PartError> {
        let mut lines = text.lines();
        let header = lines.next().and_then(|line| serde_json::from_str::<Header>(line).ok());
        let header =
            header.filter(|header| header.schema == SCHEMA && header.shard.index < header.shard.count);
        let Some(header) = header else { return Err(PartError::NotAPart(name.to_owned())) };
        let wanted = header.shard.len(header.grid.points());
        let mut points = header.shard.points(header.grid.points());
        let mut ran = Vec::new();
        let mut lines = (2..).zip(lines).peekable();
        while let Some((number, line)) = lines.next() {
            let read = serde_json::from_str::<Line>(line).ok().and_then(|line| line.ran(header.parts.len()));
            match read {
                Some(read) if points.next() == Some(read.point) => ran.push(read),
                // A job that was killed leaves half a line at the end.
                None if lines.peek().is_none() && !text.ends_with('\n') => break,
                _ => return Err(PartError::Line { name: name.to_owned(), line: number }),
            }
        }
        let found = ran.len() as u64;
        if found < wanted {
            return Err(PartError::CutOff { name: name.to_owned(), found, wanted });
        }
        Ok(Part { name: name.to_owned(), header, ran })
    }

    /// What is not the same in two parts that must belong together.
    fn differs(&self, other: &Part) -> Option<&'static str> {
        let (a, b) = (&self.header, &other.header);
        let checks = [
            (a.grid == b.grid, "the settings that are tried"),
            (a.shard.count == b.shard.count, "the numbers of parts"),
            (a.parts == b.parts, "the folds"),
            (a.ground.from == b.ground.from && a.ground.to == b.ground.to, "the periods"),
            (
                a.data == b.data && a.ground.symbols == b.ground.symbols,
                "the prices, the funding or the trading rules",
            ),
            (a.settings == b.settings && a.ground == b.ground, "the configuration or the options"),
            (a.version == b.version, "the versions of rebal"),
        ];
        checks.into_iter().find(|(same, _)| !same).map(|(_, what)| what)
    }
}

/// Parts in any order become the report that the whole sweep would have made.
pub fn join(parts: Vec<Part>, sort: Figure) -> Result<SweepReport, PartError> {
    let mut all: BTreeMap<u64, Part> = BTreeMap::new();
    let mut first: Option<Part> = None;
    for part in parts {
        let first = first.get_or_insert_with(|| Part { ran: Vec::new(), ..part.clone() });
        if let Some(what) = first.differs(&part) {
            return Err(PartError::Other { name: part.name, first: first.name.clone(), what });
        }
        let Shard { index, count } = part.header.shard;
        if let Some(before) = all.get(&index) {
            return Err(PartError::Twice { name: part.name, first: before.name.clone(), index, count });
        }
        all.insert(index, part);
    }
    let Some(first) = first else { return Err(PartError::NotAPart("nothing".into())) };
    let count = first.header.shard.count;
    if (all.len() as u64) < count {
        let indices = (0..count).filter(|index| !all.contains_key(index)).take(1000).collect();
        return Err(PartError::Missing { indices, count });
    }
    let seconds = |part: &Part| part.header.elapsed_s.parse::<f64>().unwrap_or(0.0);
    let elapsed_s = all.values().map(seconds).sum();
    let mut ran: Vec<Ran> = all.into_values().flat_map(|part| part.ran).collect();
    ran.sort_by_key(|ran| ran.point);
    let Header { ground, grid, parts, .. } = first.header;
    Ok(SweepReport::new(ground, Arc::new(grid), &parts, ran, sort, elapsed_s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Time;
    use crate::report::sweep::tests;

    fn header(shard: Shard) -> Header {
        Header {
            schema: SCHEMA.into(),
            ground: tests::ground(),
            grid: Grid::clone(&tests::grid(&["a=1,2,3", "b=x,y"])),
            parts: Vec::new(),
            shard,
            version: "1".into(),
            settings: "s".into(),
            data: "d".into(),
            elapsed_s: "1.500".into(),
        }
    }

    /// All six points; the one of number 4 is refused.
    fn all() -> Vec<Ran> {
        let one = |point: u64| match point {
            4 => Ran { point, result: Err("no".into()) },
            _ => tests::ran(point, 100 + point as i64 * 7 % 5, &[]),
        };
        (0..6).map(one).collect()
    }

    fn text(header: &Header) -> String {
        let grid = Arc::new(header.grid.clone());
        let mine: Vec<u64> = header.shard.points(6).collect();
        let mut lines = vec![serde_json::to_string(header).unwrap()];
        let own = all().into_iter().filter(|ran| mine.contains(&ran.point));
        lines.extend(own.map(|ran| serde_json::to_string(&Line::new(&grid, &ran)).unwrap()));
        lines.join("\n") + "\n"
    }

    fn part(index: u64, count: u64) -> Part {
        Part::read(&format!("p{index}"), &text(&header(Shard { index, count }))).unwrap()
    }

    #[test]
    fn parts_in_any_order_are_the_whole() {
        let grid = tests::grid(&["a=1,2,3", "b=x,y"]);
        let whole = SweepReport::new(tests::ground(), grid, &[], all(), Figure::Return, 4.5);
        let joined = join(vec![part(2, 3), part(0, 3), part(1, 3)], Figure::Return).unwrap();
        assert_eq!(joined, whole);
        assert_eq!(join(vec![part(0, 1)], Figure::Fees).unwrap().sort, Figure::Fees);
        // More parts than points: some hold nothing.
        let many = join((0..8).map(|index| part(index, 8)).collect(), Figure::Return).unwrap();
        assert_eq!((many.runs, many.refused), (whole.runs, whole.refused));
    }

    #[test]
    fn what_does_not_belong_together_is_refused_by_name() {
        let refused = |parts: Vec<Part>| join(parts, Figure::Return).unwrap_err().to_string();
        assert_eq!(refused(vec![part(0, 3), part(2, 3)]), "1 of 3 parts missing: 1/3");
        assert_eq!(refused(vec![part(0, 2), part(0, 2)]), "p0 and p0 are the same part, 0/2");
        assert_eq!(refused(vec![]), format!("nothing is no part of a sweep: its first line is no {SCHEMA}"));
        type Change = fn(&mut Header);
        let changes: [(Change, &str); 6] = [
            (
                |header| header.grid = Grid::parse(&["a=1,2".to_owned()]).unwrap(),
                "the settings that are tried",
            ),
            (|header| header.shard.count = 3, "the numbers of parts"),
            (|header| header.ground.to = Time::clamped(5), "the periods"),
            (|header| header.data = "e".into(), "the prices, the funding or the trading rules"),
            (|header| header.settings = "t".into(), "the configuration or the options"),
            (|header| header.version = "2".into(), "the versions of rebal"),
        ];
        for (change, what) in changes {
            let mut other = part(1, 2);
            change(&mut other.header);
            assert_eq!(
                refused(vec![part(0, 2), other]),
                format!("p1 is of another sweep than p0: {what} differ")
            );
        }
    }

    #[test]
    fn a_file_that_is_cut_off_or_no_part_is_refused() {
        let whole = text(&header(Shard { index: 0, count: 2 }));
        let refused = |text: &str| Part::read("p", text).unwrap_err().to_string();
        assert_eq!(refused(&whole[..whole.len() - 20]), "p is cut off: it holds 2 of 3 settings");
        let lines: Vec<&str> = whole.lines().collect();
        assert_eq!(refused(&(lines[..2].join("\n") + "\n")), "p is cut off: it holds 1 of 3 settings");
        assert_eq!(
            refused(&(lines[0].to_owned() + "\n{}\n")),
            "p line 2: not what a part of this sweep holds"
        );
        let swapped = [lines[0], lines[2], lines[1], lines[3]].join("\n") + "\n";
        assert_eq!(refused(&swapped), "p line 2: not what a part of this sweep holds");
        assert_eq!(
            refused(&format!("{whole}{}\n", lines[1])),
            "p line 5: not what a part of this sweep holds"
        );
        for text in ["", "{}", "not json\n"] {
            assert!(refused(text).starts_with("p is no part of a sweep"), "{text}");
        }
    }
}
