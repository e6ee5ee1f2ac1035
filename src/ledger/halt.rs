//! The latch: set before the first flatten order, cleared only by a person with its id.

use sqlx::Row;

use super::{Ledger, LedgerError, database};
use crate::domain::time::Time;

/// A halt in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// What a person must repeat to resume.
    pub id: String,
    /// When it was set, exchange time.
    pub at: Time,
    /// Why.
    pub reason: String,
    /// When the exchange showed that nothing was left; `None` while there may be something.
    pub flat_at: Option<Time>,
}

impl Ledger {
    /// The halt in force.
    pub async fn halt(&mut self) -> Result<Option<Halt>, LedgerError> {
        let row = sqlx::query("SELECT * FROM halt WHERE cleared_at IS NULL ORDER BY at LIMIT 1")
            .fetch_optional(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        let Some(row) = row else { return Ok(None) };
        let flat_at: Option<i64> = row.try_get("flat_at").map_err(|source| database(&self.path, source))?;
        Ok(Some(Halt {
            id: self.text(&row, "id")?,
            at: self.time(&row, "at")?,
            reason: self.text(&row, "reason")?,
            flat_at: flat_at.and_then(Time::from_ms),
        }))
    }

    /// Sets the latch. When this returns, it is on the disk.
    pub async fn set_halt(&mut self, halt: &Halt) -> Result<(), LedgerError> {
        sqlx::query(
            "INSERT INTO halt (id, at, reason, flat_at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&halt.id)
        .bind(halt.at.ms())
        .bind(&halt.reason)
        .bind(halt.flat_at.map(Time::ms))
        .execute(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        Ok(())
    }

    /// Notes that the exchange showed nothing left.
    pub async fn halt_is_flat(&mut self, at: Time) -> Result<(), LedgerError> {
        sqlx::query("UPDATE halt SET flat_at = ? WHERE cleared_at IS NULL AND flat_at IS NULL")
            .bind(at.ms())
            .execute(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        Ok(())
    }

    /// One transaction: clears every halt in force and starts the peak anew at the last reading.
    pub async fn clear_halt(&mut self, at: Time) -> Result<(), LedgerError> {
        let path = self.path.clone();
        let failed = |source| database(&path, source);
        let mut transaction =
            sqlx::Connection::begin_with(&mut self.db, "BEGIN IMMEDIATE").await.map_err(failed)?;
        sqlx::query("UPDATE halt SET cleared_at = ? WHERE cleared_at IS NULL")
            .bind(at.ms())
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        sqlx::query("UPDATE equity SET peak = nav WHERE pass_id = (SELECT max(pass_id) FROM equity)")
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }
}
