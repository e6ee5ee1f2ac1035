//! The fault table: each row of `tests/FAULTS.md` that names a test here is injected by it, with the
//! real binary against `rebal sim`, in throw-away folders.
//!
//! `world` starts things, `proxy` breaks what the simulator cannot; the rest are the faults, by the
//! table's groups.

mod world;

mod alert;
mod config;
mod data;
mod exchange;
mod halt;
mod http;
mod process;
mod proxy;
mod state;

use std::collections::BTreeMap;
use std::path::Path;

/// The groups of `reliability.md` §2 and how many faults each has.
const GROUPS: [(&str, usize); 7] =
    [("P", 25), ("N", 26), ("X", 35), ("D", 15), ("C", 13), ("S", 12), ("A", 8)];

/// One row of the table.
struct Row {
    id: String,
    tests: Vec<(String, String)>,
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(root().join("tests/FAULTS.md")).unwrap();
    let is_row =
        |line: &&str| line.starts_with("| ") && !line.starts_with("| id") && !line.starts_with("| --");
    // What follows the first section has tables of its own.
    let (table, _) = text.split_once("\n## ").unwrap_or((&text, ""));
    table.lines().filter(is_row).map(row).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `| P1 | fault | what rebal does | tests |`; a test is written as `` `file: name` `` or `` `file::name` ``.
fn row(line: &str) -> Row {
    let cells: Vec<&str> = line.trim().trim_matches('|').split(" | ").map(str::trim).collect();
    let [id, _, does, last] = cells[..] else { panic!("not four cells: {line}") };
    assert!(!does.is_empty(), "{id} does not say what rebal does");
    let quoted = last.split('`').skip(1).step_by(2);
    let named = |text: &str| {
        let (file, name) = match text.split_once(": ") {
            Some((file, name)) => (file, name),
            None => text.rsplit_once("::")?,
        };
        let file = file.strip_suffix("::tests").unwrap_or(file);
        let code = file.ends_with(".rs") || file.ends_with(".py");
        code.then(|| (file.to_owned(), name.to_owned()))
    };
    let tests: Vec<_> = quoted.filter_map(named).collect();
    assert!(!last.is_empty(), "{id} names neither a test nor why there is none");
    Row { id: id.to_owned(), tests }
}

fn defines(source: &str, name: &str) -> bool {
    let starts = |line: &str| {
        ["fn ", "async fn ", "def "].iter().any(|word| {
            let rest = line.trim_start().trim_start_matches("pub(crate) ").strip_prefix(word);
            rest.is_some_and(|rest| rest.strip_prefix(name).is_some_and(|rest| rest.starts_with('(')))
        })
    };
    let of_table = format!("{name}: Row");
    source.lines().any(|line| starts(line) || line.trim_start().starts_with(&of_table))
}

#[test]
fn the_table_names_real_tests() {
    let rows = rows();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &rows {
        *seen.entry(&row.id).or_default() += 1;
    }
    for (group, count) in GROUPS {
        for number in 1..=count {
            let id = format!("{group}{number}");
            assert_eq!(seen.remove(id.as_str()), Some(1), "{id} must be there once");
        }
    }
    assert!(seen.is_empty(), "unknown faults: {seen:?}");
    for row in &rows {
        for (file, name) in &row.tests {
            let source = std::fs::read_to_string(root().join(file));
            let source = source.unwrap_or_else(|error| panic!("{}: {file}: {error}", row.id));
            assert!(defines(&source, name), "{}: there is no test {name} in {file}", row.id);
        }
    }
    let tested = rows.iter().filter(|row| !row.tests.is_empty()).count();
    let text = std::fs::read_to_string(root().join("tests/FAULTS.md")).unwrap();
    let counted = format!("**{tested} of {} have a test**", rows.len());
    assert!(text.contains(&counted), "the table begins with other numbers than {counted}");
}
