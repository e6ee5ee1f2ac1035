//! What the coins of a spot account cost: the exchange keeps no entry prices, so our books do.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Row, SqliteExecutor};

use super::{Ledger, LedgerError, MEMORY, database};
use crate::domain::cost::Cost;
use crate::domain::fill::Fill;
use crate::domain::num::{Notional, Qty};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// Where holdings that no trade explains are kept until they have stood for long enough.
const GAPS: &str = "coin_gaps";

impl Ledger {
    /// From here on executions are those of a spot account whose coins are paid for in `quote`.
    pub fn of_coins(&mut self, quote: &str) {
        self.coins_in = Some(quote.to_owned());
    }

    /// The quote asset of a spot account; `None` on futures.
    #[must_use]
    pub fn coins_in(&self) -> Option<&str> {
        self.coins_in.as_deref()
    }

    /// Whether nothing of it outlives this process.
    #[must_use]
    pub fn forgets(&self) -> bool {
        self.path.as_os_str() == MEMORY
    }

    /// An empty one in memory to go on with where this one fails.
    pub async fn successor(&self) -> Result<Ledger, LedgerError> {
        let memory = Ledger::in_memory().await?;
        Ok(Ledger { coins_in: self.coins_in.clone(), ..memory })
    }

    /// The executions of one order as they are booked: on spot with what they realised, which the exchange
    /// does not say.
    pub async fn booked_fills(&mut self, client_id: &str) -> Result<Vec<Fill>, LedgerError> {
        let rows = sqlx::query("SELECT * FROM fill WHERE client_id = ? ORDER BY seq")
            .bind(client_id)
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        let fill = |row| {
            Ok(Fill {
                symbol: self.parsed(row, "symbol")?,
                trade_id: self.integer(row, "trade_id")?,
                order_id: self.integer(row, "order_id")?,
                side: self.parsed(row, "side")?,
                qty: self.parsed(row, "qty")?,
                price: self.parsed(row, "price")?,
                fee: self.parsed(row, "fee")?,
                fee_asset: self.text(row, "fee_asset")?,
                realized: self.parsed(row, "realized")?,
                fee_cost: self.parsed(row, "fee_cost")?,
                at: self.time(row, "at")?,
            })
        };
        rows.iter().map(fill).collect()
    }

    /// By how much holdings differ from what is explained, and since when.
    pub async fn coin_gaps(&mut self) -> Result<BTreeMap<Symbol, (Qty, Time)>, LedgerError> {
        let kept = self.meta(GAPS).await?.unwrap_or_default();
        let gap = |text: &str| {
            let mut parts = text.split(' ');
            let mut next = || parts.next();
            let (symbol, qty, ms) = (next()?, next()?, next()?);
            Some((symbol.parse().ok()?, (qty.parse().ok()?, Time::from_ms(ms.parse().ok()?)?)))
        };
        Ok(kept.split(';').filter_map(gap).collect())
    }

    /// Keeps these differences and no others.
    pub async fn set_coin_gaps(&mut self, gaps: &BTreeMap<Symbol, (Qty, Time)>) -> Result<(), LedgerError> {
        let shown = gaps.iter().map(|(symbol, (qty, since))| format!("{symbol} {qty} {}", since.ms()));
        self.set_meta(GAPS, &shown.collect::<Vec<_>>().join(";")).await
    }
}

/// Books one execution of ours: the coin and its cost, the profit, and the fee, which is taken from the
/// holding of whatever asset paid it.
pub(super) async fn book(db: &mut SqliteConnection, fill: &Fill, quote: &str) -> Result<(), sqlx::Error> {
    let base = fill.symbol.coin(quote);
    let (after, realized, mut fee_cost) = cost(&mut *db, &fill.symbol).await?.after(fill, base);
    let (after, used_up) = after.unless_empty();
    fee_cost += used_up;
    keep(db, &fill.symbol, after, fill.at).await?;
    // What is sold out is ours no longer: whoever buys it next may be somebody else.
    sqlx::query("UPDATE position SET managed = ? WHERE symbol = ?")
        .bind(i64::from(!after.qty.is_zero()))
        .bind(fill.symbol.as_str())
        .execute(&mut *db)
        .await?;
    let elsewhere = fill.fee_asset != base && fill.fee_asset != quote;
    if elsewhere && let Ok(holding) = format!("{}{quote}", fill.fee_asset).parse::<Symbol>() {
        let (left, share) = cost(&mut *db, &holding).await?.without(fill.fee_qty());
        fee_cost += share;
        keep(db, &holding, left, fill.at).await?;
    }
    sqlx::query("UPDATE fill SET realized = ?, fee_cost = ? WHERE symbol = ? AND trade_id = ?")
        .bind(realized.to_string())
        .bind(fee_cost.to_string())
        .bind(fill.symbol.as_str())
        .bind(fill.trade_id)
        .execute(db)
        .await
        .map(|_| ())
}

/// Takes over what came or went without an order of ours.
pub(super) async fn take_over(
    db: &mut SqliteConnection,
    symbol: &Symbol,
    change: Cost,
    at: Time,
) -> Result<(), sqlx::Error> {
    let before = cost(&mut *db, symbol).await?;
    let after = Cost { qty: before.qty + change.qty, paid: before.paid + change.paid };
    sqlx::query(
        "INSERT INTO position (symbol, qty, paid, managed, confirmed_at) VALUES (?, ?, ?, 0, ?)
         ON CONFLICT (symbol) DO UPDATE SET qty = excluded.qty, paid = excluded.paid,
             confirmed_at = excluded.confirmed_at, managed = CASE WHEN ? THEN 0 ELSE managed END",
    )
    .bind(symbol.as_str())
    .bind(after.qty.to_string())
    .bind(after.paid.to_string())
    .bind(at.ms())
    .bind(after.qty.is_zero())
    .execute(db)
    .await
    .map(|_| ())
}

async fn cost(db: impl SqliteExecutor<'_>, symbol: &Symbol) -> Result<Cost, sqlx::Error> {
    let row = sqlx::query("SELECT qty, paid FROM position WHERE symbol = ?")
        .bind(symbol.as_str())
        .fetch_optional(db)
        .await?;
    let Some(row) = row else { return Ok(Cost::default()) };
    let damaged = |error| sqlx::Error::Decode(Box::new(error));
    let qty: Qty = row.try_get::<String, _>("qty")?.parse().map_err(damaged)?;
    let paid: Notional = row.try_get::<String, _>("paid")?.parse().map_err(damaged)?;
    Ok(Cost { qty, paid })
}

async fn keep(db: &mut SqliteConnection, symbol: &Symbol, after: Cost, at: Time) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO position (symbol, qty, paid, managed, last_fill_at, confirmed_at)
         VALUES (?1, ?2, ?3, 0, ?4, ?4)
         ON CONFLICT (symbol) DO UPDATE SET qty = excluded.qty, paid = excluded.paid,
             last_fill_at = max(excluded.last_fill_at, coalesce(last_fill_at, 0))",
    )
    .bind(symbol.as_str())
    .bind(after.qty.to_string())
    .bind(after.paid.to_string())
    .bind(at.ms())
    .execute(db)
    .await
    .map(|_| ())
}
