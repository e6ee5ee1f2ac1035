//! Positions, income and equity as they were found.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row};

use super::{Ledger, LedgerError, coins, database};
use crate::domain::cost::Cost;
use crate::domain::entry::Entry;
use crate::domain::history::{AssetPrice, Sample};
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::Side;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// Where the sum of booked funding is kept, by asset.
const FUNDING_SUM: &str = "funding_until";

/// What a position must be, by our own books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Base units, signed.
    pub qty: Qty,
    /// Whether orders of ours made (part of) it.
    pub managed: bool,
    /// Execution time of our last fill.
    pub last_fill_at: Option<Time>,
    /// When the exchange last showed exactly this.
    pub confirmed_at: Time,
    /// What all of it cost in the quote asset, on spot; zero on futures.
    pub paid: Notional,
}

impl Holding {
    /// How much of a coin of a spot account is held, and what it cost.
    #[must_use]
    pub fn cost(&self) -> Cost {
        Cost { qty: self.qty, paid: self.paid }
    }
}

/// One reading of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EquityRow {
    /// Exchange time.
    pub at: Time,
    /// Wallet plus floating profit.
    pub equity: Notional,
    /// What the wallet must hold when the next pass looks, if only our own fills changed it.
    pub wallet: Notional,
    /// The last fill that `wallet` contains.
    pub fill_seq: i64,
    /// Units outstanding.
    pub units: Rate,
    /// Quote units per unit.
    pub nav: Notional,
    /// Highest `nav` so far.
    pub peak: Notional,
}

impl Ledger {
    /// Every position that our books know, flat ones included.
    pub async fn holdings(&mut self) -> Result<BTreeMap<Symbol, Holding>, LedgerError> {
        let rows = sqlx::query("SELECT * FROM position")
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        let mut holdings = BTreeMap::new();
        for row in &rows {
            let last_fill_at: Option<i64> =
                row.try_get("last_fill_at").map_err(|source| database(&self.path, source))?;
            let holding = Holding {
                qty: self.parsed(row, "qty")?,
                managed: self.integer(row, "managed")? != 0,
                last_fill_at: last_fill_at.and_then(Time::from_ms),
                confirmed_at: self.time(row, "confirmed_at")?,
                paid: match row.try_column("paid") {
                    Ok(_) => self.parsed(row, "paid")?,
                    // A ledger that is only looked at may still be of a schema without it.
                    Err(_) => Notional::ZERO,
                },
            };
            holdings.insert(self.parsed(row, "symbol")?, holding);
        }
        Ok(holdings)
    }

    /// Takes over positions as the exchange shows them, in one transaction: those that agree with
    /// our books and those that somebody else changed.
    pub async fn confirm_positions(&mut self, found: &[(Symbol, Qty)], at: Time) -> Result<(), LedgerError> {
        if found.is_empty() {
            return Ok(());
        }
        let path = self.path.clone();
        let failed = |source| database(&path, source);
        let mut transaction = self.db.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        for (symbol, qty) in found {
            sqlx::query(
                "INSERT INTO position (symbol, qty, managed, confirmed_at) VALUES (?, ?, 0, ?)
                 ON CONFLICT (symbol) DO UPDATE SET qty = excluded.qty, confirmed_at = excluded.confirmed_at,
                     managed = CASE WHEN ? THEN 0 ELSE managed END",
            )
            .bind(symbol.as_str())
            .bind(qty.to_string())
            .bind(at.ms())
            .bind(qty.is_zero())
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// Up to when income is booked: the last row, or the first reading where that is later.
    pub async fn income_cursor(&mut self) -> Result<Option<Time>, LedgerError> {
        let row = sqlx::query(
            "SELECT max(coalesce((SELECT max(at) FROM income), 0), coalesce((SELECT min(at) FROM equity), 0)) AS at",
        )
        .fetch_one(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        Ok(Time::from_ms(self.integer(&row, "at")?).filter(|at| *at > Time::default()))
    }

    /// When the first reading was made.
    pub async fn first_reading(&mut self) -> Result<Option<Time>, LedgerError> {
        let at: Option<i64> = sqlx::query_scalar("SELECT min(at) FROM equity")
            .fetch_one(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        Ok(at.and_then(Time::from_ms))
    }

    /// Which of `entries` (everything the exchange has since the cursor) are not booked yet.
    pub async fn unbooked(&mut self, entries: Vec<Entry>) -> Result<Vec<Entry>, LedgerError> {
        let Some(first) = entries.iter().map(|entry| entry.at).min() else { return Ok(entries) };
        let rows = sqlx::query(
            "SELECT at, kind, symbol, amount, asset, tran_id, trade_id FROM income WHERE at >= ?",
        )
        .bind(first.ms())
        .fetch_all(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        let mut booked: BTreeMap<Entry, usize> = BTreeMap::new();
        for row in &rows {
            let entry = self.entry(row)?;
            *booked.entry(entry).or_default() += 1;
        }
        let mut is_new = |entry: &Entry| match booked.get_mut(entry) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        };
        Ok(entries.into_iter().filter(|entry| is_new(entry)).collect())
    }

    pub(super) fn entry(&self, row: &SqliteRow) -> Result<Entry, LedgerError> {
        Ok(Entry {
            at: self.time(row, "at")?,
            kind: self.text(row, "kind")?,
            symbol: self.text(row, "symbol")?,
            amount: self.parsed(row, "amount")?,
            asset: self.text(row, "asset")?,
            tran_id: self.integer(row, "tran_id")?,
            trade_id: self.text(row, "trade_id")?,
        })
    }

    /// The last reading of the account.
    pub async fn last_equity(&mut self) -> Result<Option<EquityRow>, LedgerError> {
        let row = sqlx::query("SELECT * FROM equity ORDER BY pass_id DESC LIMIT 1")
            .fetch_optional(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(EquityRow {
            at: self.time(&row, "at")?,
            equity: self.parsed(&row, "equity")?,
            wallet: self.parsed(&row, "wallet")?,
            fill_seq: self.integer(&row, "fill_seq")?,
            units: self.parsed(&row, "units")?,
            nav: self.parsed(&row, "nav")?,
            peak: self.parsed(&row, "peak")?,
        }))
    }

    /// When a pass last ended as it should.
    pub async fn last_good_pass(&mut self) -> Result<Option<Time>, LedgerError> {
        let at: Option<i64> = sqlx::query_scalar(
            "SELECT at FROM pass WHERE exit_code = 0 AND outcome IN ('traded', 'nothing_to_do') ORDER BY id DESC LIMIT 1",
        )
        .fetch_optional(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        Ok(at.and_then(Time::from_ms))
    }

    /// Funding that was booked since the ledger began, in `quote`: what was received less what was paid.
    ///
    /// The sum is kept with the last reading that it contains, so that only rows booked since are read.
    pub async fn funding_sum(&mut self, quote: &str) -> Result<Notional, LedgerError> {
        let key = format!("{FUNDING_SUM} {quote}");
        let kept = self.meta(&key).await?.unwrap_or_default();
        let parsed =
            kept.split_once(' ').and_then(|(sum, pass)| Some((sum.parse().ok()?, pass.parse().ok()?)));
        let (mut sum, mut upto): (Notional, i64) = parsed.unwrap_or((Notional::ZERO, 0));
        // Rows that name no reading are older than all that do.
        let rows = sqlx::query(
            "SELECT * FROM income WHERE (pass_id > ?1 OR (pass_id IS NULL AND ?1 = 0)) AND asset = ?2",
        )
        .bind(upto)
        .bind(quote)
        .fetch_all(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        for row in &rows {
            let booked: Option<i64> =
                row.try_get("pass_id").map_err(|source| database(&self.path, source))?;
            upto = upto.max(booked.unwrap_or(0));
            let entry = self.entry(row)?;
            if entry.is_funding() {
                sum += entry.amount;
            }
        }
        if !rows.is_empty() {
            // Where nothing may be written the rows are read again the next time.
            let _ = self.set_meta(&key, &format!("{sum} {upto}")).await;
        }
        Ok(sum)
    }

    /// The number of the last fill that is booked.
    pub async fn last_fill(&mut self) -> Result<i64, LedgerError> {
        sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM fill")
            .fetch_one(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))
    }

    /// What the fills booked after number `seq` did to the wallet, in `quote`; and their contracts.
    pub async fn fills_after(
        &mut self,
        seq: i64,
        quote: &str,
    ) -> Result<(Notional, BTreeSet<Symbol>), LedgerError> {
        // A fill that was booked after its income rows is in the expectation through them.
        let rows = sqlx::query(
            "SELECT * FROM fill WHERE seq > ? AND NOT EXISTS
                (SELECT 1 FROM income WHERE income.symbol = fill.symbol AND income.trade_id = CAST(fill.trade_id AS TEXT))",
        )
            .bind(seq)
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        let (mut change, mut symbols) = (Notional::ZERO, BTreeSet::new());
        for row in &rows {
            change += self.parsed::<Notional>(row, "realized")?;
            // A ledger that is only looked at may still be of a schema without it.
            if row.try_column("fee_cost").is_ok() {
                change -= self.parsed::<Notional>(row, "fee_cost")?;
            }
            if self.text(row, "fee_asset")? == quote {
                change -= self.parsed::<Notional>(row, "fee")?;
            }
            symbols.insert(self.parsed(row, "symbol")?);
        }
        Ok((change, symbols))
    }

    /// Whether this execution is booked here.
    pub async fn has_fill(&mut self, symbol: &Symbol, trade_id: i64) -> Result<bool, LedgerError> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM fill WHERE symbol = ? AND trade_id = ?)")
            .bind(symbol.as_str())
            .bind(trade_id)
            .fetch_one(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))
    }

    /// Whether our books contradict themselves: the last execution of `symbol` is of an order that could
    /// only reduce, and yet the position is on its side. The order closed more than the books knew of.
    pub async fn is_overshot(&mut self, symbol: &Symbol, qty: Qty) -> Result<bool, LedgerError> {
        let side: Option<String> = sqlx::query_scalar(
            "SELECT fill.side FROM fill JOIN intent USING (client_id) WHERE fill.symbol = ? AND intent.reduce_only
                 AND (fill.at, fill.trade_id) = (SELECT at, trade_id FROM fill AS newest
                     WHERE newest.symbol = fill.symbol ORDER BY at DESC, trade_id DESC LIMIT 1)",
        )
        .bind(symbol.as_str())
        .fetch_optional(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        Ok(!qty.is_zero() && side.is_some_and(|side| side == Side::of(qty).as_str()))
    }

    /// Whether an income row belongs to a fill that is booked here.
    pub async fn is_of_our_fill(&mut self, entry: &Entry) -> Result<bool, LedgerError> {
        match (entry.trade_id.parse(), entry.symbol.parse()) {
            (Ok(trade_id), Ok(symbol)) => self.has_fill(&symbol, trade_id).await,
            _ => Ok(false),
        }
    }

    /// Positions of the last reading: quantity and entry price.
    pub async fn last_positions(&mut self) -> Result<BTreeMap<Symbol, (Qty, Price)>, LedgerError> {
        let rows = sqlx::query("SELECT symbol, qty, entry FROM reading")
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        rows.iter()
            .map(|row| {
                Ok((self.parsed(row, "symbol")?, (self.parsed(row, "qty")?, self.parsed(row, "entry")?)))
            })
            .collect()
    }

    /// One transaction: a reading of the account, its coins, the income rows that explain it, and the
    /// coins of a spot account that came or went with them (as differences), so that no transfer can be
    /// counted without its reading or twice.
    pub async fn record_equity(
        &mut self,
        pass_id: i64,
        reading: &EquityRow,
        samples: &[Sample],
        unbooked: &[Entry],
        taken: &[(Symbol, Cost)],
    ) -> Result<(), LedgerError> {
        let path = self.path.clone();
        let failed = |source| database(&path, source);
        let mut transaction = self.db.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        for entry in unbooked {
            insert_income(&mut transaction, pass_id, entry).await.map_err(failed)?;
        }
        insert_equity(&mut transaction, pass_id, reading).await.map_err(failed)?;
        sqlx::query("DELETE FROM reading").execute(&mut *transaction).await.map_err(failed)?;
        for sample in samples {
            insert_sample(&mut transaction, pass_id, sample).await.map_err(failed)?;
        }
        for (symbol, change) in taken {
            coins::take_over(&mut transaction, symbol, *change, reading.at).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// Assets other than `quote` in which fees were paid after fill number `seq`.
    pub async fn fee_assets_after(&mut self, seq: i64, quote: &str) -> Result<Vec<String>, LedgerError> {
        sqlx::query_scalar("SELECT DISTINCT fee_asset FROM fill WHERE seq > ? AND fee_asset <> ?")
            .bind(seq)
            .bind(quote)
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))
    }

    /// Writes down what an asset was worth when a fee was paid in it.
    pub async fn keep_asset_price(&mut self, price: &AssetPrice) -> Result<(), LedgerError> {
        sqlx::query("INSERT OR REPLACE INTO asset_price (asset, at, price) VALUES (?, ?, ?)")
            .bind(&price.asset)
            .bind(price.at.ms())
            .bind(price.price.to_string())
            .execute(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        Ok(())
    }
}

async fn insert_equity(
    db: &mut SqliteConnection,
    pass_id: i64,
    reading: &EquityRow,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT OR REPLACE INTO equity (pass_id, at, equity, wallet, fill_seq, units, nav, peak)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(pass_id)
    .bind(reading.at.ms())
    .bind(reading.equity.to_string())
    .bind(reading.wallet.to_string())
    .bind(reading.fill_seq)
    .bind(reading.units.to_string())
    .bind(reading.nav.to_string())
    .bind(reading.peak.to_string())
    .execute(db)
    .await
    .map(|_| ())
}

async fn insert_sample(db: &mut SqliteConnection, pass_id: i64, sample: &Sample) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT OR REPLACE INTO sample (pass_id, symbol, qty, entry, mark, unrealized, target)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(pass_id)
    .bind(sample.symbol.as_str())
    .bind(sample.qty.to_string())
    .bind(sample.entry.to_string())
    .bind(sample.mark.map(|mark| mark.to_string()))
    .bind(sample.unrealized.to_string())
    .bind(sample.target.map(|target| target.to_string()))
    .execute(&mut *db)
    .await?;
    if sample.qty.is_zero() {
        return Ok(());
    }
    sqlx::query("INSERT INTO reading (symbol, qty, entry) VALUES (?, ?, ?)")
        .bind(sample.symbol.as_str())
        .bind(sample.qty.to_string())
        .bind(sample.entry.to_string())
        .execute(db)
        .await
        .map(|_| ())
}

/// Books one income row; rows equal in every field are told apart by their number.
async fn insert_income(db: &mut SqliteConnection, pass_id: i64, entry: &Entry) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO income (at, kind, symbol, amount, asset, tran_id, trade_id, ordinal, pass_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
            (SELECT count(*) FROM income WHERE at = ?1 AND kind = ?2 AND symbol = ?3 AND amount = ?4
                AND asset = ?5 AND tran_id = ?6 AND trade_id = ?7), ?8)",
    )
    .bind(entry.at.ms())
    .bind(&entry.kind)
    .bind(&entry.symbol)
    .bind(entry.amount.to_string())
    .bind(&entry.asset)
    .bind(entry.tran_id)
    .bind(&entry.trade_id)
    .bind(pass_id)
    .execute(db)
    .await
    .map(|_| ())
}
