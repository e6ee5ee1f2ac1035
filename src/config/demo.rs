//! The configuration of `--demo`: a small leveraged basket on prices made up on this machine, and the seal
//! that keeps it there.
//!
//! What decides whose money is traded and whom this process talks to is the demo's alone. A variable left
//! in the environment is ignored, since nobody thinks of it when typing `--demo`; what was asked for in
//! this very command is refused, since one of the two cannot have been meant.

use toml::{Table, Value};

use crate::config::Origin;
use crate::config::error::{ConfigError, Fault};
use crate::config::layers::{Assignment, key_of_variable};
use crate::domain::symbol::Symbol;

const DEMO: &str = r#"
mode = "paper"
interval = "5m"

[paper]
equity = 200
prices = "synthetic"

[strategy]
kind = "basket"

[basket]
size = 20
sizing = "fixed"
target_value = 20
effective_leverage = 2.0
threshold = 0.05

[futures]
leverage = 5
"#;

/// The demo's settings, with `symbols` as its basket: 20 USDT of each on an equity of 200, at a
/// nominal leverage of 5 and an effective one of 2.
#[must_use]
pub fn demo(symbols: &[Symbol]) -> Table {
    let mut table: Table = DEMO.parse().unwrap_or_default();
    let names = symbols.iter().map(|symbol| Value::String(symbol.to_string())).collect();
    crate::config::layers::assign(&mut table, "basket.symbols", Value::Array(names));
    table
}

/// Whether only the demo decides what a key is.
fn is_sealed(key: &str) -> bool {
    matches!(key, "mode" | "paper.prices" | "exchange.base_url" | "heartbeat" | "telegram")
        || key.starts_with("telegram.")
        || key.starts_with("heartbeat.")
}

/// Whether a value keeps the demo on this machine.
fn stays_here(key: &str, value: &Value) -> bool {
    match key {
        "mode" => value.as_str() == Some("paper"),
        // Made up or recorded, but not asked for.
        "paper.prices" => value.as_str().is_some_and(|prices| prices != "live"),
        "telegram.enabled" => value.as_bool() == Some(false),
        // Nobody reads them while that is off.
        _ if key.starts_with("telegram.") => true,
        _ => value.as_str() == Some(""),
    }
}

/// The environment variables that the demo does not heed, by name, sorted.
#[must_use]
pub fn unheeded(environment: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let sealed = |name: &String| key_of_variable(name).is_some_and(|key| is_sealed(&key));
    let mut names: Vec<String> = environment.map(|(name, _)| name).filter(sealed).collect();
    names.sort();
    names
}

/// Takes away what came from the environment and would break the seal; refuses what was asked for.
pub(crate) fn seal(assignments: &mut Vec<Assignment>) -> Result<(), ConfigError> {
    assignments.retain(|one| !(is_sealed(&one.key) && matches!(one.origin, Origin::Environment(_))));
    let broken = |one: &&Assignment| is_sealed(&one.key) && !stays_here(&one.key, &one.value);
    let faults = assignments
        .iter()
        .filter(broken)
        .map(|one| Fault::Sealed { key: one.key.clone(), origin: one.origin.clone() });
    ConfigError::unless_empty(faults.collect())
}
