//! The configuration of `--demo`: a small leveraged basket on prices made up on this machine.

use toml::{Table, Value};

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
