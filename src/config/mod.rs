//! What is set, from four sources, read once and checked as a whole.
//!
//! `--set` beats the environment, the environment beats the file, the file beats the default. A
//! configuration that is wrong anywhere is refused, with everything that is wrong named at once.

pub mod demo;
pub mod draft;
pub mod error;
pub mod folders;
pub mod location;
pub mod secrets;
pub mod sections;
pub mod show;
pub mod url;
pub mod vary;
pub mod words;

mod bounds;
mod file;
mod layers;
mod text;
mod written;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::config::error::{ConfigError, Fault};
use crate::config::layers::{Assignment, Known};
use crate::config::location::{Location, looks_secret};
use crate::config::sections::Config;
use crate::config::words::{Prices, Venue};

/// Where settings are looked for.
#[derive(Clone)]
pub struct Sources<'a, E> {
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// Whether it is an error that the file does not exist.
    pub file_required: bool,
    /// Environment variables, all or only those that begin with `REBAL__`.
    pub env: E,
    /// The arguments of `--set`.
    pub sets: &'a [String],
    /// The built-in demo configuration: between the defaults and the file. Where it is there, nothing may
    /// lead off this machine: see [`demo`].
    pub base: Option<Table>,
}

/// A configuration that passed every check, and where each value came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The effective values.
    pub config: Config,
    /// The source of each dotted key, of all keys.
    pub origins: BTreeMap<String, Origin>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The built-in demo configuration.
    Demo,
    /// A file.
    File {
        /// As it was named.
        path: PathBuf,
        /// Counted from 1.
        line: Option<usize>,
    },
    /// An environment variable of this name.
    Environment(String),
    /// A `--set` argument.
    Set,
    /// One of the values of a `--sweep` argument.
    Sweep,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Demo => f.write_str("the demo"),
            Origin::File { path, line: Some(line) } => write!(f, "{} line {line}", path.display()),
            Origin::File { path, line: None } => write!(f, "{}", path.display()),
            Origin::Environment(name) => write!(f, "the environment variable {name}"),
            Origin::Set => f.write_str("--set"),
            Origin::Sweep => f.write_str("--sweep"),
        }
    }
}

/// Reads every source, checks everything, and returns the effective values.
///
/// # Errors
/// All that is wrong, at once: unreadable file, unknown keys, wrong types, values out of bounds.
pub fn load<E: Iterator<Item = (String, String)>>(sources: Sources<'_, E>) -> Result<Loaded, ConfigError> {
    let known = Known::new();
    let mut faults = Vec::new();
    let assignments = gather(&known, sources, &mut faults)?;
    assemble(&known, assignments, faults)
}

/// Reads as much as closing everything needs, from a configuration that may be wrong elsewhere: what
/// names the account, and nothing of what is traded. Also returns what is wrong, if anything is.
///
/// # Errors
/// As [`load`], where the account itself cannot be told for certain: an unreadable file, a wrong value
/// among these, or no word on whose money it is.
pub fn load_for_exit<E>(sources: Sources<'_, E>) -> Result<(Loaded, Option<ConfigError>), ConfigError>
where
    E: Iterator<Item = (String, String)> + Clone,
{
    let demo = sources.base.is_some();
    let error = match load(sources.clone()) {
        Ok(loaded) => return Ok((loaded, None)),
        Err(error) => error,
    };
    let known = Known::new();
    let mut assignments = gather(&known, sources, &mut Vec::new())?;
    assignments.retain(|assignment| {
        let of_section = |section: &str| assignment.key.starts_with(&format!("{section}."));
        NAMES_THE_ACCOUNT.contains(&assignment.key.as_str())
            || ACCOUNT_SECTIONS.iter().any(|section| of_section(section))
    });
    // A misspelt `mode` must not turn real money into paper.
    let mode_is_said = demo || assignments.iter().any(|assignment| assignment.key == "mode");
    match assemble(&known, assignments, Vec::new()) {
        Ok(loaded) if mode_is_said => Ok((loaded, Some(error))),
        _ => Err(error),
    }
}

/// Single keys that say whose positions are meant …
const NAMES_THE_ACCOUNT: [&str; 5] = ["mode", "venue", "quote", "basket.symbols", "execution.concurrency"];
/// … and whole sections.
const ACCOUNT_SECTIONS: [&str; 3] = ["credentials", "exchange", "paper"];

/// The assignments of every source, weakest first.
fn gather<E: Iterator<Item = (String, String)>>(
    known: &Known,
    sources: Sources<'_, E>,
    faults: &mut Vec<Fault>,
) -> Result<Vec<Assignment>, ConfigError> {
    let mut assignments = Vec::new();
    if let Some(base) = &sources.base {
        assignments.extend(layers::from_table(known, base, |_| Origin::Demo, faults));
    }
    if let Some(path) = &sources.file {
        match file::read(path)? {
            Some(text) => assignments.extend(layers::from_file(known, path, &text, faults)),
            None if sources.file_required => return Err(missing(path).into()),
            None => {}
        }
    }
    assignments.extend(layers::from_environment(known, sources.env, faults));
    assignments.extend(layers::from_sets(known, sources.sets, faults));
    if sources.base.is_some() {
        demo::seal(&mut assignments)?;
    }
    Ok(assignments)
}

/// The effective values, checked as a whole.
fn assemble(
    known: &Known,
    assignments: Vec<Assignment>,
    mut faults: Vec<Fault>,
) -> Result<Loaded, ConfigError> {
    let mut origins: BTreeMap<String, Origin> =
        known.keys().iter().map(|key| (key.clone(), Origin::Default)).collect();
    let mut table = known.defaults.clone();
    for assignment in assignments {
        match fitting(known, assignment) {
            Ok(Assignment { key, value, origin, .. }) => {
                layers::assign(&mut table, &key, value);
                let key = if key.starts_with(layers::SHARES) { layers::SHARES.to_owned() } else { key };
                origins.insert(key, origin);
            }
            Err(fault) => faults.push(fault),
        }
    }
    let mut config = of_table(table)?;
    resolve_paths(&mut config, &origins);
    if config.venue == Venue::BinanceSpot && origins.get("paper.taker_fee") == Some(&Origin::Default) {
        config.paper.taker_fee = sections::spot_taker_fee();
    }
    bounds::check(&config, &origins, &mut faults);
    ConfigError::unless_empty(faults)?;
    Ok(Loaded { config, origins })
}

fn of_table(table: Table) -> Result<Config, Fault> {
    table.try_into().map_err(|error: toml::de::Error| {
        Fault::Contradiction(format!("the configuration does not fit together: {}", error.message()))
    })
}

fn missing(path: &Path) -> Fault {
    let problem =
        "does not exist: copy examples/futures-basket.toml there, or try --demo, which needs none".to_owned();
    Fault::File { path: path.to_owned(), problem }
}

/// The assignment if its key takes the value, alone among defaults; a value from plain text may
/// also be meant literally (`telegram.chat_id=42`).
fn fitting(known: &Known, mut assignment: Assignment) -> Result<Assignment, Fault> {
    let takes = |value: &Value| {
        let mut table = known.defaults.clone();
        layers::assign(&mut table, &assignment.key, value.clone());
        table.try_into::<Config>().map(drop)
    };
    let Err(error) = takes(&assignment.value) else { return Ok(assignment) };
    if let Some(text) = &assignment.text {
        let literal = Value::String(text.clone());
        if takes(&literal).is_ok() {
            assignment.value = literal;
            return Ok(assignment);
        }
    }
    let secret = assignment.key.starts_with("credentials.") || assignment.key == "telegram.token";
    let problem = if secret {
        location::NotALocation.to_string()
    } else if looks_secret(error.message()) {
        "holds what looks like a secret (it is not shown here): secrets go where credentials.* point"
            .to_owned()
    } else {
        plainly(error.message())
    };
    Err(Fault::WrongType { key: shown_key(&assignment.key), origin: assignment.origin, problem })
}

/// A parser's message in words of ours: what was found, what is wanted.
fn plainly(message: &str) -> String {
    let message: String = message.trim().chars().filter(|c| !c.is_control()).take(300).collect();
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let words: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        if let Some((found, wanted)) = words.split_first() {
            let near = wanted.iter().filter(|word| strsim::osa_distance(found, word) <= 2).min();
            let hint = near.map(|word| format!("; did you mean {word:?}?")).unwrap_or_default();
            return format!("found {found:?}, wanted {}{hint}", one_of(wanted));
        }
    }
    for prefix in ["invalid type: ", "invalid value: "] {
        if let Some((found, wanted)) =
            message.strip_prefix(prefix).and_then(|rest| rest.split_once(", expected "))
        {
            return format!("found {}, wanted {}", everyday(found), everyday(wanted));
        }
    }
    message
}

/// The parser's word for a type in everyday language.
fn everyday(word: &str) -> String {
    match word {
        "u32" | "u64" => "a whole number that is not negative",
        "a string" => "a text in quotes",
        "a boolean" => "true or false",
        "a sequence" | "sequence" => "a list",
        "map" => "a table",
        other => {
            return other
                .replace("floating point ", "number ")
                .replace("integer ", "number ")
                .replace('`', "");
        }
    }
    .to_owned()
}

fn one_of(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// A key as it may be shown.
fn shown_key(key: &str) -> String {
    layers::shown(key)
}

/// Paths in a file are relative to that file; `~/` is the home folder everywhere.
fn resolve_paths(config: &mut Config, origins: &BTreeMap<String, Origin>) {
    for (key, path) in paths(config) {
        if let Ok(rest) = path.strip_prefix("~") {
            if let Some(folders) = directories::BaseDirs::new() {
                *path = folders.home_dir().join(rest);
            }
        } else if let Some(Origin::File { path: file, .. }) = origins.get(key)
            && let Some(folder) = file.parent()
        {
            *path = folder.join(&*path);
        }
    }
}

impl Config {
    /// Makes every path absolute that is relative to `folder`, so that the values can be written into a
    /// file anywhere.
    pub fn anchor(&mut self, folder: &Path) {
        for (_, path) in paths(self) {
            *path = folder.join(&*path);
        }
    }
}

/// Every path that is set, with its key.
fn paths(config: &mut Config) -> impl Iterator<Item = (&'static str, &mut PathBuf)> {
    fn secret(location: &mut Location) -> Option<&mut PathBuf> {
        if let Location::File(path) = location { Some(path) } else { None }
    }
    let prices = match &mut config.paper.prices {
        Prices::Folder(path) => Some(path),
        Prices::Live | Prices::Synthetic => None,
    };
    [
        ("paper.prices", prices),
        ("paper.exchange_info", config.paper.exchange_info.as_mut()),
        ("paper.funding", config.paper.funding.as_mut()),
        ("scan.sectors", config.scan.sectors.as_mut()),
        ("credentials.api_key", secret(&mut config.credentials.api_key)),
        ("credentials.api_secret", secret(&mut config.credentials.api_secret)),
        ("telegram.token", secret(&mut config.telegram.token)),
    ]
    .into_iter()
    .filter_map(|(key, path)| Some((key, path?)))
}

/// The process's environment variables that set a key. One that is not Unicode is passed on with
/// replacement characters, so that it is refused with its name rather than ignored.
pub fn environment() -> std::vec::IntoIter<(String, String)> {
    let ours = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.to_string_lossy().into_owned();
        name.starts_with(layers::ENVIRONMENT_PREFIX).then(|| (name, value.to_string_lossy().into_owned()))
    });
    ours.collect::<Vec<_>>().into_iter()
}
