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
    /// No contract at all.
    #[must_use]
    pub fn nothing() -> Scope {
        Scope::Symbols(BTreeSet::new())
    }

    /// Everything that this or `other` means.
    #[must_use]
    pub fn and(&self, other: &Scope) -> Scope {
        match (self, other) {
            (Scope::Symbols(some), Scope::Symbols(more)) => {
                Scope::Symbols(some.union(more).cloned().collect())
            }
            _ => Scope::All,
        }
    }

    /// Whether `symbol` is meant.
    #[must_use]
    pub fn covers(&self, symbol: &Symbol) -> bool {
        match self {
            Scope::All => true,
            Scope::Symbols(symbols) => symbols.contains(symbol),
        }
    }
}
