//! The halt: half of the latch that forbids opening anything. The other half is a file.

use std::collections::BTreeSet;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Ledger, LedgerError, database};
use crate::domain::history::PastHalt;
use crate::domain::scope::Scope;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// Why and since when nothing is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// What a person types to lift it.
    pub id: String,
    /// Exchange time.
    pub at: Time,
    /// In words.
    pub reason: String,
    /// What is to be closed.
    pub scope: Scope,
    /// When all of that was found closed; `None` while closing goes on.
    pub flat_at: Option<Time>,
}

impl Halt {
    /// Whether there is nothing left to do or to watch: the whole account was closed. Any other halt
    /// leaves positions, and a loss on those must still end in a flat account.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.scope == Scope::All && self.flat_at.is_some()
    }
}

impl Ledger {
    /// The halt in force.
    pub async fn halt(&mut self) -> Result<Option<Halt>, LedgerError> {
        let row = sqlx::query("SELECT * FROM halt WHERE cleared_at IS NULL ORDER BY at LIMIT 1")
            .fetch_optional(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        let Some(row) = row else { return Ok(None) };
        // A ledger that is only looked at may still be of the first schema, whose halts close nothing.
        let is_old = row.try_column("flat_at").is_err();
        let (flat_at, scope) = match is_old {
            true => (Some(self.integer(&row, "at")?), String::new()),
            false => {
                let flat_at = row.try_get("flat_at").map_err(|source| database(&self.path, source))?;
                (flat_at, self.text(&row, "scope")?)
            }
        };
        Ok(Some(Halt {
            id: self.text(&row, "id")?,
            at: self.time(&row, "at")?,
            reason: self.text(&row, "reason")?,
            scope: read_scope(&scope).ok_or_else(|| self.damaged("halt.scope", &scope))?,
            flat_at: flat_at.and_then(Time::from_ms),
        }))
    }

    /// Every halt that began in this span, its ends included, oldest first.
    pub async fn halts_between(&mut self, from: Time, to: Time) -> Result<Vec<PastHalt>, LedgerError> {
        let rows = sqlx::query("SELECT * FROM halt WHERE at BETWEEN ? AND ? ORDER BY at, id")
            .bind(from.ms())
            .bind(to.ms())
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        let time = |row: &SqliteRow, column: &str| {
            let ms: Option<i64> = row.try_get(column).map_err(|source| database(&self.path, source))?;
            Ok::<_, LedgerError>(ms.and_then(Time::from_ms))
        };
        let read = |row: &SqliteRow| {
            Ok(PastHalt {
                id: self.text(row, "id")?,
                at: self.time(row, "at")?,
                reason: self.text(row, "reason")?,
                flat_at: time(row, "flat_at")?,
                resumed_at: time(row, "cleared_at")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Sets the halt. When this returns, it is on the disk.
    pub async fn set_halt(&mut self, halt: &Halt) -> Result<(), LedgerError> {
        sqlx::query(
            "INSERT INTO halt (id, at, reason, scope, flat_at) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, scope = excluded.scope,
                 flat_at = excluded.flat_at, cleared_at = NULL",
        )
        .bind(&halt.id)
        .bind(halt.at.ms())
        .bind(&halt.reason)
        .bind(show_scope(&halt.scope))
        .bind(halt.flat_at.map(Time::ms))
        .execute(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        Ok(())
    }

    /// Lifts every halt. Only a person asks for this.
    pub async fn clear_halts(&mut self, at: Time) -> Result<(), LedgerError> {
        sqlx::query("UPDATE halt SET cleared_at = ? WHERE cleared_at IS NULL")
            .bind(at.ms())
            .execute(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        Ok(())
    }

    /// Until when orders of other ledgers are accepted as history, because a person said so.
    pub async fn accepted_until(&mut self) -> Result<Option<Time>, LedgerError> {
        Ok(self.meta("accepted_until").await?.and_then(|ms| ms.parse().ok()).and_then(Time::from_ms))
    }

    /// Accepts what other ledgers ordered before `at` as history.
    pub async fn accept_until(&mut self, at: Time) -> Result<(), LedgerError> {
        self.set_meta("accepted_until", &at.ms().to_string()).await
    }
}

/// The word for no contract, which is no contract's name.
const NOTHING: &str = "none";

fn show_scope(scope: &Scope) -> String {
    match scope {
        Scope::All => String::new(),
        Scope::Symbols(symbols) if symbols.is_empty() => NOTHING.to_owned(),
        Scope::Symbols(symbols) => symbols.iter().map(Symbol::as_str).collect::<Vec<_>>().join(" "),
    }
}

fn read_scope(text: &str) -> Option<Scope> {
    match text {
        "" => Some(Scope::All),
        NOTHING => Some(Scope::nothing()),
        symbols => {
            let symbols: Result<BTreeSet<Symbol>, _> = symbols.split_whitespace().map(str::parse).collect();
            symbols.ok().map(Scope::Symbols)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_halt_reads_back_whatever_it_closes_and_the_whole_account_alone_is_over() {
        let mut ledger = Ledger::in_memory().await.unwrap();
        let two = Scope::Symbols(["AUSDT".parse().unwrap(), "BUSDT".parse().unwrap()].into());
        for (scope, over) in [(Scope::All, true), (Scope::nothing(), false), (two, false)] {
            let at = Time::from_ms(1_760_000_000_000).unwrap();
            let halt = Halt { id: "h1".into(), at, reason: "x".into(), scope, flat_at: Some(at) };
            ledger.set_halt(&halt).await.unwrap();
            assert_eq!(ledger.halt().await.unwrap(), Some(halt.clone()));
            assert_eq!(halt.is_over(), over);
            assert!(!Halt { flat_at: None, ..halt }.is_over());
        }
    }
}
