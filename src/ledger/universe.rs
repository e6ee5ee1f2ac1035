//! The coins that a scan chose, kept until the next one is applied.

use std::collections::BTreeMap;

use sqlx::Connection;

use super::{Ledger, LedgerError, database};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// One coin of the universe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The contract.
    pub symbol: Symbol,
    /// Its rank by volume when it was chosen last.
    pub rank: i64,
    /// Its sector.
    pub sector: String,
    /// Since when it has been a member without a break.
    pub since: Time,
    /// The figures it was chosen by, as JSON.
    pub evidence: String,
}

impl Ledger {
    /// The universe, best rank first; empty where no scan was ever applied.
    pub async fn universe(&mut self) -> Result<Vec<Member>, LedgerError> {
        // A ledger that is only looked at may still be of a schema without universes.
        let tables = sqlx::query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'universe'")
            .fetch_optional(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        if tables.is_none() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query("SELECT * FROM universe ORDER BY rank, symbol")
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        rows.iter()
            .map(|row| {
                Ok(Member {
                    symbol: self.parsed(row, "symbol")?,
                    rank: self.integer(row, "rank")?,
                    sector: self.text(row, "sector")?,
                    since: self.time(row, "since")?,
                    evidence: self.text(row, "evidence")?,
                })
            })
            .collect()
    }

    /// When a scan was last applied.
    pub async fn scanned_at(&mut self) -> Result<Option<Time>, LedgerError> {
        let at: Option<i64> = sqlx::query_scalar("SELECT max(at) FROM scan")
            .fetch_one(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        Ok(at.and_then(Time::from_ms))
    }

    /// One transaction: the universe as a scan chose it, and the whole scan as `report`. Coins that
    /// stay keep the time since which they are members.
    pub async fn apply_universe(
        &mut self,
        at: Time,
        chosen: &[Member],
        report: &str,
    ) -> Result<(), LedgerError> {
        let before: BTreeMap<Symbol, Time> =
            self.universe().await?.into_iter().map(|member| (member.symbol, member.since)).collect();
        let path = self.path.clone();
        let failed = |source| database(&path, source);
        let mut transaction = self.db.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        sqlx::query("DELETE FROM universe").execute(&mut *transaction).await.map_err(failed)?;
        for member in chosen {
            let since = before.get(&member.symbol).copied().unwrap_or(member.since);
            sqlx::query(
                "INSERT INTO universe (symbol, rank, sector, since, evidence) VALUES (?, ?, ?, ?, ?)",
            )
            .bind(member.symbol.as_str())
            .bind(member.rank)
            .bind(&member.sector)
            .bind(since.ms())
            .bind(&member.evidence)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        }
        sqlx::query("INSERT INTO scan (at, report) VALUES (?, ?)")
            .bind(at.ms())
            .bind(report)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, rank: i64, since: i64) -> Member {
        Member {
            symbol: name.parse().unwrap(),
            rank,
            sector: "MEME".into(),
            since: Time::from_ms(since).unwrap(),
            evidence: "{}".into(),
        }
    }

    #[tokio::test]
    async fn a_ledger_of_an_older_schema_has_no_universe() {
        let mut ledger = Ledger::in_memory().await.unwrap();
        sqlx::raw_sql("DROP TABLE universe").execute(&mut ledger.db).await.unwrap();
        assert_eq!(ledger.universe().await.unwrap(), []);
    }

    #[tokio::test]
    async fn who_stays_keeps_its_time_and_who_left_is_gone() {
        let mut ledger = Ledger::in_memory().await.unwrap();
        assert!(ledger.universe().await.unwrap().is_empty());
        assert_eq!(ledger.scanned_at().await.unwrap(), None);
        let at = |ms| Time::from_ms(ms).unwrap();
        ledger.apply_universe(at(10), &[member("B", 2, 10), member("A", 1, 10)], "1").await.unwrap();
        ledger.apply_universe(at(20), &[member("C", 1, 20), member("B", 5, 20)], "2").await.unwrap();
        let now = ledger.universe().await.unwrap();
        assert_eq!(now, [member("C", 1, 20), member("B", 5, 10)]);
        assert_eq!(ledger.scanned_at().await.unwrap(), Some(at(20)));
    }
}
