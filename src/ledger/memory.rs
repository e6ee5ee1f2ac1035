//! What a strategy remembers of earlier passes: stops from the fills, highest prices, the first allocation.

use std::collections::BTreeMap;

use sqlx::Connection;

use super::{Ledger, LedgerError, database};
use crate::domain::memory::{Allocation, High};
use crate::domain::plan::Reason;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// Where the first allocation is kept.
const ALLOCATION: &str = "allocation";

impl Ledger {
    /// When each coin was last sold at a stop, by the executions themselves: nothing else has to be
    /// kept, and nothing is lost by a death between an execution and the end of its pass.
    pub async fn stopped(&mut self) -> Result<BTreeMap<Symbol, Time>, LedgerError> {
        let rows = sqlx::query(
            "SELECT intent.symbol AS symbol, max(fill.at) AS at
             FROM intent JOIN fill ON fill.client_id = intent.client_id
             WHERE intent.reason IN ('stop_loss', 'trailing_stop') GROUP BY intent.symbol",
        )
        .fetch_all(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        rows.iter().map(|row| Ok((self.parsed(row, "symbol")?, self.time(row, "at")?))).collect()
    }

    /// Positions of ours whose last execution is a sale at a stop, and why it sold: the book was too thin
    /// for all of it.
    pub async fn unfinished(&mut self) -> Result<BTreeMap<Symbol, Reason>, LedgerError> {
        let rows = sqlx::query(
            "SELECT position.symbol AS symbol, intent.reason AS reason FROM position
             JOIN fill ON fill.symbol = position.symbol AND fill.trade_id =
                 (SELECT max(trade_id) FROM fill AS other WHERE other.symbol = position.symbol)
             JOIN intent USING (client_id)
             WHERE position.managed AND intent.reason IN ('stop_loss', 'trailing_stop')",
        )
        .fetch_all(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        let reason = |word: String| match word.as_str() {
            "trailing_stop" => Reason::TrailingStop,
            _ => Reason::StopLoss,
        };
        rows.iter().map(|row| Ok((self.parsed(row, "symbol")?, reason(self.text(row, "reason")?)))).collect()
    }

    /// The highest price of each position, as earlier passes saw it.
    pub async fn highs(&mut self) -> Result<BTreeMap<Symbol, High>, LedgerError> {
        // A ledger that is only looked at may still be of a schema without them.
        let table = sqlx::query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'high'")
            .fetch_optional(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        if table.is_none() {
            return Ok(BTreeMap::new());
        }
        let rows = sqlx::query("SELECT * FROM high")
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        let high = |row| {
            let high = High { entry: self.parsed(row, "entry")?, price: self.parsed(row, "price")? };
            Ok((self.parsed(row, "symbol")?, high))
        };
        rows.iter().map(high).collect()
    }

    /// Keeps these highest prices and no others, in one transaction.
    pub async fn keep_highs(&mut self, highs: &BTreeMap<Symbol, High>) -> Result<(), LedgerError> {
        let path = self.path.clone();
        let failed = |source| database(&path, source);
        let mut transaction = self.db.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        sqlx::query("DELETE FROM high").execute(&mut *transaction).await.map_err(failed)?;
        for (symbol, high) in highs {
            sqlx::query("INSERT INTO high (symbol, entry, price) VALUES (?, ?, ?)")
                .bind(symbol.as_str())
                .bind(high.entry.to_string())
                .bind(high.price.to_string())
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// What the account held when a portfolio was first bought; `None` before.
    pub async fn allocation(&mut self) -> Result<Option<Allocation>, LedgerError> {
        let Some(kept) = self.meta(ALLOCATION).await? else { return Ok(None) };
        let read = |text: &str| {
            let (equity, available) = text.split_once(' ')?;
            Some(Allocation { equity: equity.parse().ok()?, available: available.parse().ok()? })
        };
        read(&kept).map(Some).ok_or_else(|| self.damaged("meta.allocation", &kept))
    }

    /// Keeps it.
    pub async fn keep_allocation(&mut self, first: Allocation) -> Result<(), LedgerError> {
        self.set_meta(ALLOCATION, &format!("{} {}", first.equity, first.available)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_kept_reads_back_and_an_older_schema_has_none() {
        let mut ledger = Ledger::in_memory().await.unwrap();
        assert_eq!(
            (ledger.allocation().await.unwrap(), ledger.stopped().await.unwrap()),
            (None, BTreeMap::new())
        );
        let first = Allocation { equity: "200.5".parse().unwrap(), available: "-1".parse().unwrap() };
        ledger.keep_allocation(first).await.unwrap();
        assert_eq!(ledger.allocation().await.unwrap(), Some(first));
        let high =
            |entry: &str, price: &str| High { entry: entry.parse().unwrap(), price: price.parse().unwrap() };
        let one = BTreeMap::from([("AUSDT".parse().unwrap(), high("1", "2.5"))]);
        let other = BTreeMap::from([("BUSDT".parse().unwrap(), high("3", "3"))]);
        ledger.keep_highs(&one).await.unwrap();
        ledger.keep_highs(&other).await.unwrap();
        assert_eq!(ledger.highs().await.unwrap(), other);
        sqlx::raw_sql("DROP TABLE high").execute(&mut ledger.db).await.unwrap();
        assert_eq!(ledger.highs().await.unwrap(), BTreeMap::new());
    }
}
