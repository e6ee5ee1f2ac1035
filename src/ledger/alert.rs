//! What the owner must hear: written once per edge, with a reminder while it lasts.

use std::time::Duration;

use sqlx::Connection;

use super::{Ledger, LedgerError, database};
use crate::domain::time::Time;

/// How loud a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Worth knowing.
    Notice,
    /// Somebody has to act.
    Critical,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Level::Notice => "notice",
            Level::Critical => "critical",
        }
    }
}

/// A message waiting to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Ascending.
    pub id: i64,
    /// `notice` or `critical`.
    pub level: String,
    /// What to say.
    pub text: String,
    /// When it was written, exchange time.
    pub at: Time,
}

/// While a condition lasts it is told again after this long.
const REMIND_AFTER: Duration = Duration::from_secs(4 * 3600);

impl Ledger {
    /// Raises the condition `name`: a message at its rising edge and a reminder every few hours.
    pub async fn raise(
        &mut self,
        name: &str,
        level: Level,
        text: &str,
        now: Time,
    ) -> Result<(), LedgerError> {
        let path = self.path.clone();
        let failed = |source| database(&path, source);
        let told: Option<i64> = sqlx::query_scalar("SELECT told_at FROM alert WHERE name = ?")
            .bind(name)
            .fetch_optional(&mut self.db)
            .await
            .map_err(failed)?;
        if told.and_then(Time::from_ms).is_some_and(|told| now.since(told) < REMIND_AFTER) {
            return Ok(());
        }
        let text = if told.is_some() { format!("still: {text}") } else { text.to_owned() };
        let mut transaction = self.db.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        sqlx::query(
            "INSERT INTO alert (name, raised_at, told_at) VALUES (?1, ?2, ?2)
             ON CONFLICT (name) DO UPDATE SET told_at = excluded.told_at",
        )
        .bind(name)
        .bind(now.ms())
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        sqlx::query("INSERT INTO outbox (at, level, text) VALUES (?, ?, ?)")
            .bind(now.ms())
            .bind(level.as_str())
            .bind(&text)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    /// Lowers the condition `name`, with a message at its falling edge; nothing where it was not raised.
    pub async fn lower(&mut self, name: &str, text: &str, now: Time) -> Result<(), LedgerError> {
        let path = self.path.clone();
        let failed = |source| database(&path, source);
        let raised: Option<i64> = sqlx::query_scalar("SELECT raised_at FROM alert WHERE name = ?")
            .bind(name)
            .fetch_optional(&mut self.db)
            .await
            .map_err(failed)?;
        if raised.is_none() {
            return Ok(());
        }
        let mut transaction = self.db.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        sqlx::query("DELETE FROM alert WHERE name = ?")
            .bind(name)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        sqlx::query("INSERT INTO outbox (at, level, text) VALUES (?, 'notice', ?)")
            .bind(now.ms())
            .bind(text)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    /// Messages not delivered yet, oldest first.
    pub async fn undelivered(&mut self) -> Result<Vec<Message>, LedgerError> {
        let rows =
            sqlx::query("SELECT id, at, level, text FROM outbox WHERE delivered_at IS NULL ORDER BY id")
                .fetch_all(&mut self.db)
                .await
                .map_err(|source| database(&self.path, source))?;
        rows.iter()
            .map(|row| {
                Ok(Message {
                    id: self.integer(row, "id")?,
                    level: self.text(row, "level")?,
                    text: self.text(row, "text")?,
                    at: self.time(row, "at")?,
                })
            })
            .collect()
    }
}
