//! Assignments from each source, in the order in which the later one wins.

use std::collections::BTreeSet;
use std::path::Path;

use toml::{Table, Value};

use crate::config::error::Fault;
use crate::config::file::{Text, join};
use crate::config::location::looks_secret;
use crate::config::sections::Config;
use crate::config::{Origin, shown_key};

/// What every environment variable that sets a key begins with.
pub(crate) const ENVIRONMENT_PREFIX: &str = "REBAL__";

/// The one key whose value is itself a table.
pub(crate) const SHARES: &str = "weights.weights";

/// One key set by one source.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub(crate) key: String,
    pub(crate) value: Value,
    /// The text before it was read as TOML, where the source is plain text.
    pub(crate) text: Option<String>,
    pub(crate) origin: Origin,
}

/// The keys that exist, and their default values.
pub(crate) struct Known {
    pub(crate) defaults: Table,
    keys: BTreeSet<String>,
    sections: BTreeSet<String>,
}

impl Known {
    /// From the default configuration itself, so that the two cannot differ.
    pub(crate) fn new() -> Known {
        let defaults = Table::try_from(Config::default()).unwrap_or_default();
        let mut known = Known { keys: BTreeSet::new(), sections: BTreeSet::new(), defaults };
        for (name, value) in &known.defaults {
            match value {
                Value::Table(section) => {
                    known.sections.insert(name.clone());
                    known.keys.extend(section.keys().map(|key| join(name, key)));
                }
                _ => {
                    known.keys.insert(name.clone());
                }
            }
        }
        known
    }

    /// Every key, dotted.
    pub(crate) fn keys(&self) -> &BTreeSet<String> {
        &self.keys
    }

    pub(crate) fn is_section(&self, key: &str) -> bool {
        self.sections.contains(key)
    }

    fn unknown(&self, key: &str, origin: Origin) -> Fault {
        Fault::UnknownKey { key: shown_key(key), origin, suggestion: self.nearest(key) }
    }

    /// The key or section that was probably meant: a slip of one or two letters, else the same name
    /// in another section, else the least different one if that is similar at all.
    fn nearest(&self, key: &str) -> Option<String> {
        let all = || self.keys.iter().chain(&self.sections);
        let closest = |candidates: &mut dyn Iterator<Item = &String>| {
            candidates.map(|known| (strsim::osa_distance(key, known), known.clone())).min()
        };
        let slip = closest(&mut all().filter(|known| known.len().abs_diff(key.len()) <= 2));
        if let Some((0..=2, known)) = slip {
            return Some(known);
        }
        let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
        if let Some((_, same)) = closest(&mut self.keys.iter().filter(|known| last(known) == last(key))) {
            return Some(same);
        }
        closest(&mut all()).filter(|(far, _)| far * 3 <= key.len()).map(|(_, known)| known)
    }
}

/// The assignments of a table, with the origin that `origin_of` gives each key.
pub(crate) fn from_table(
    known: &Known,
    table: &Table,
    origin_of: impl Fn(&str) -> Origin,
    faults: &mut Vec<Fault>,
) -> Vec<Assignment> {
    let mut flat = Vec::new();
    flatten(known, "", table, &mut flat);
    let mut seen = BTreeSet::new();
    let mut assignments = Vec::new();
    for (key, value) in flat {
        let origin = origin_of(&key);
        if !known.keys.contains(&key) {
            faults.push(match known.is_section(&key) {
                true => Fault::WrongType {
                    problem: format!("is a section, not a value: write [{key}] and its keys below"),
                    key,
                    origin,
                },
                false => known.unknown(&key, origin),
            });
        } else if !seen.insert(key.clone()) {
            // `[a] b = 1` and `"a.b" = 2` are different keys to TOML.
            faults.push(Fault::Twice { key, origin });
        } else {
            assignments.push(Assignment { key, value, text: None, origin });
        }
    }
    assignments
}

/// The assignments of a file.
pub(crate) fn from_file(known: &Known, path: &Path, text: &Text, faults: &mut Vec<Fault>) -> Vec<Assignment> {
    let origin_of = |key: &str| Origin::File { path: path.to_owned(), line: text.lines.get(key).copied() };
    from_table(known, &text.table, origin_of, faults)
}

fn flatten(known: &Known, prefix: &str, table: &Table, flat: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        let key = join(prefix, name);
        match value {
            Value::Table(inner) if known.is_section(&key) => flatten(known, &key, inner, flat),
            Value::Table(inner) if !known.keys.contains(&key) && !inner.is_empty() => {
                flatten(known, &key, inner, flat);
            }
            value => flat.push((key, without_dates(value.clone()))),
        }
    }
}

/// Dates as text: no setting is a TOML date.
fn without_dates(value: Value) -> Value {
    match value {
        Value::Datetime(date) => Value::String(date.to_string()),
        other => other,
    }
}

/// The key that an environment variable sets, whether there is such a key or not.
pub(crate) fn key_of_variable(name: &str) -> Option<String> {
    let levels = name.strip_prefix(ENVIRONMENT_PREFIX)?.split("__");
    Some(levels.map(str::to_lowercase).collect::<Vec<_>>().join("."))
}

/// The assignments of the environment, sorted by name.
pub(crate) fn from_environment(
    known: &Known,
    variables: impl Iterator<Item = (String, String)>,
    faults: &mut Vec<Fault>,
) -> Vec<Assignment> {
    let mut ours: Vec<(String, String)> =
        variables.filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX)).collect();
    ours.sort();
    let mut assignments = Vec::new();
    for (name, text) in ours {
        let mut key = key_of_variable(&name).unwrap_or_default();
        if let Some(coin) = key.strip_prefix("weights.weights.") {
            key = format!("{SHARES}.{}", coin.to_uppercase());
        }
        let origin = Origin::Environment(shown_key(&name));
        assignments.extend(from_text(known, key, text, origin, faults));
    }
    assignments
}

/// The assignments of `--set KEY=VALUE` arguments.
pub(crate) fn from_sets(known: &Known, sets: &[String], faults: &mut Vec<Fault>) -> Vec<Assignment> {
    let mut assignments = Vec::new();
    for set in sets {
        match set.split_once('=') {
            Some((key, text)) if !key.trim().is_empty() => {
                let key = key.trim().to_owned();
                assignments.extend(from_text(known, key, text.to_owned(), Origin::Set, faults));
            }
            _ => faults.push(Fault::NoAssignment),
        }
    }
    assignments
}

/// The assignment of a value that is plain text.
pub(crate) fn from_text(
    known: &Known,
    key: String,
    text: String,
    origin: Origin,
    faults: &mut Vec<Fault>,
) -> Option<Assignment> {
    let is_share = key.strip_prefix(SHARES).is_some_and(|rest| rest.len() > 1 && rest.starts_with('.'));
    if known.is_section(&key) {
        let problem = "is a section, not a value: name one of its keys".to_owned();
        faults.push(Fault::WrongType { key, origin, problem });
        return None;
    }
    if !is_share && !known.keys.contains(&key) {
        faults.push(known.unknown(&key, origin));
        return None;
    }
    let wants_list = value_at(&known.defaults, &key).is_some_and(Value::is_array);
    let value = match text.trim().parse::<Value>() {
        Ok(Value::String(list)) if wants_list => split_list(&list),
        Ok(value) => without_dates(value),
        Err(_) if wants_list => split_list(&text),
        Err(_) => Value::String(text.clone()),
    };
    Some(Assignment { key, value, text: Some(text), origin })
}

fn split_list(text: &str) -> Value {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    Value::Array(words.map(|word| Value::String(word.to_owned())).collect())
}

/// The value at a dotted key.
pub(crate) fn value_at<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    let (first, rest) = match key.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (key, None),
    };
    match (table.get(first)?, rest) {
        (value, None) => Some(value),
        (Value::Table(inner), Some(rest)) => value_at(inner, rest),
        _ => None,
    }
}

/// Puts a value at a dotted key, making tables on the way.
pub(crate) fn assign(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
            if !inner.is_table() {
                *inner = Value::Table(Table::new());
            }
            if let Value::Table(inner) = inner {
                assign(inner, rest, value);
            }
        }
    }
}

/// A value as it may be shown: cut, and hidden where it may be a secret.
pub(crate) fn shown(text: &str) -> String {
    if looks_secret(text) {
        return "(not shown)".into();
    }
    let plain: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
    if plain.len() < text.len() { format!("{plain}…") } else { plain }
}
