//! Which contracts an order to close means.

use std::collections::BTreeSet;

use crate::domain::symbol::Symbol;

/// Which positions are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    All,
    /// These.
    Symbols(BTreeSet<Symbol>),
}

impl Scope {
    /// Whether `symbol` is meant.
    #[must_use]
    pub fn covers(&self, symbol: &Symbol) -> bool {
        match self {
            Scope::All => true,
            Scope::Symbols(symbols) => symbols.contains(symbol),
        }
    }
}
