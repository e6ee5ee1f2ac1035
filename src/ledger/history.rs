//! The account's past, as reports read it. Nothing here writes.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};

use super::{Ledger, LedgerError, database};
use crate::domain::fill::Fill;
use crate::domain::history::{AssetPrice, BookedEntry, PastPass, Reading, Sample, Trade};
use crate::domain::time::Time;

/// How far an execution's time may lie from the readings around it.
const SLACK_MS: i64 = 86_400_000;
/// As many trades are read at once.
const TRADES_AT_ONCE: i64 = 20_000;
/// As many samples are asked for at once.
const PASSES_AT_ONCE: usize = 500;

/// [`Sample::is_in_place`], near enough: no figure comes of it.
const IN_PLACE: &str = "qty <> '0' AND target IS NOT NULL
    AND abs(CAST(qty AS REAL)) * CAST(coalesce(mark, entry) AS REAL) * 10 >= CAST(target AS REAL)";

/// A moment between trades: a reading, and the time before which what came after it counts as before.
///
/// A trade is before a reading when its pass is an earlier one and it was executed until then, or was booked
/// with it: a reading is made before its own pass trades, an order may execute long after its pass, and
/// times of readings are some milliseconds off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    pass_id: i64,
    reading_at: Time,
    fill_seq: i64,
    until: Time,
}

impl Cut {
    /// Just before the trades of the reading's own pass.
    #[must_use]
    pub fn before_trades(reading: &Reading) -> Cut {
        let Reading { pass_id, at, fill_seq, .. } = *reading;
        Cut { pass_id, reading_at: at, fill_seq, until: Time::default() }
    }

    /// After everything that was executed before then; what was executed at that very moment comes later.
    #[must_use]
    pub fn until(reading: &Reading, until: Time) -> Cut {
        Cut { until, ..Cut::before_trades(reading) }
    }

    /// Whether it comes after this trade.
    fn is_after(&self, trade: &Trade) -> bool {
        let at = trade.fill.at;
        let was_seen = at <= self.reading_at || trade.seq <= self.fill_seq;
        (trade.pass_id < self.pass_id && was_seen) || at < self.until
    }
}

impl Ledger {
    /// The last reading at or before `at`.
    pub async fn reading_at(&mut self, at: Time) -> Result<Option<Reading>, LedgerError> {
        let row = sqlx::query("SELECT * FROM equity WHERE at <= ? ORDER BY pass_id DESC LIMIT 1")
            .bind(at.ms())
            .fetch_optional(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        row.map(|row| self.reading(&row)).transpose()
    }

    /// The first reading at or after `at`.
    pub async fn reading_from(&mut self, at: Time) -> Result<Option<Reading>, LedgerError> {
        let row = sqlx::query("SELECT * FROM equity WHERE at >= ? ORDER BY pass_id LIMIT 1")
            .bind(at.ms())
            .fetch_optional(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        row.map(|row| self.reading(&row)).transpose()
    }

    /// Every coin of the strategy that is first held after the reading `after`, within `ramp` of the first of
    /// them: as the first reading shows it whose pass left it alone, and with that pass. A purchase may
    /// take several passes; while it goes on the last reading within `ramp` stands for it.
    ///
    /// The first of them may be held at `after` already, where the portfolio is younger than `ramp`. One that is
    /// older is complete: what it buys later takes the place of something else.
    pub async fn first_holdings(
        &mut self,
        after: &Reading,
        ramp: Duration,
    ) -> Result<Vec<(i64, Sample)>, LedgerError> {
        let path = self.path.clone();
        let failed = |source| database(&path, source);
        // The last reading without any coin of the strategy; before the first one there was none.
        let empty: Option<i64> = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT pass_id FROM (SELECT pass_id, at FROM equity UNION ALL SELECT 0, min(at) FROM equity) AS reading
             WHERE pass_id <= ? AND at >= ? AND NOT EXISTS
                 (SELECT 1 FROM sample WHERE sample.pass_id = reading.pass_id AND {IN_PLACE})
             ORDER BY pass_id DESC LIMIT 1"
        )))
        .bind(after.pass_id)
        .bind((after.at - ramp).ms())
        .fetch_optional(&mut self.db)
        .await
        .map_err(failed)?;
        let Some(empty) = empty else { return Ok(Vec::new()) };
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT at FROM equity WHERE pass_id =
                 (SELECT min(pass_id) FROM sample WHERE pass_id > ? AND {IN_PLACE})"
        )))
        .bind(empty)
        .fetch_optional(&mut self.db)
        .await
        .map_err(failed)?;
        let Some(row) = row else { return Ok(Vec::new()) };
        let until = self.time(&row, "at")? + ramp;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT sample.* FROM sample JOIN
                 (SELECT symbol, coalesce(min(CASE WHEN NOT EXISTS
                      (SELECT 1 FROM intent JOIN fill USING (client_id)
                       WHERE intent.pass_id = sample.pass_id AND fill.symbol = sample.symbol)
                      THEN pass_id END), max(pass_id)) AS pass_id
                  FROM sample JOIN equity USING (pass_id)
                  WHERE pass_id > ? AND equity.at <= ? AND {IN_PLACE} GROUP BY symbol)
                 USING (pass_id, symbol) ORDER BY symbol"
        )))
        .bind(after.pass_id)
        .bind(until.ms())
        .fetch_all(&mut self.db)
        .await
        .map_err(failed)?;
        rows.iter().map(|row| Ok((self.integer(row, "pass_id")?, self.sample(row)?))).collect()
    }

    /// The first reading of a history without a hole wider than `most`: over a wider one the exchange
    /// no longer tells what happened.
    pub async fn history_start(&mut self, most: Duration) -> Result<Option<Reading>, LedgerError> {
        let row = sqlx::query(
            "SELECT * FROM equity WHERE at >= coalesce((SELECT max(at) FROM
                 (SELECT at, at - lag(at) OVER (ORDER BY pass_id) AS hole FROM equity) WHERE hole > ?), 0)
             ORDER BY pass_id LIMIT 1",
        )
        .bind(i64::try_from(most.as_millis()).unwrap_or(i64::MAX))
        .fetch_optional(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        row.map(|row| self.reading(&row)).transpose()
    }

    /// Every reading from one pass to another, both included, in order.
    pub async fn readings(&mut self, from: i64, to: i64) -> Result<Vec<Reading>, LedgerError> {
        let rows = sqlx::query("SELECT * FROM equity WHERE pass_id BETWEEN ? AND ? ORDER BY pass_id")
            .bind(from)
            .bind(to)
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        rows.iter().map(|row| self.reading(row)).collect()
    }

    fn reading(&self, row: &SqliteRow) -> Result<Reading, LedgerError> {
        Ok(Reading {
            pass_id: self.integer(row, "pass_id")?,
            at: self.time(row, "at")?,
            fill_seq: self.integer(row, "fill_seq")?,
            equity: self.parsed(row, "equity")?,
            nav: self.parsed(row, "nav")?,
            peak: self.parsed(row, "peak")?,
        })
    }

    /// The coins of some readings, by pass. A reading made before samples were kept has none.
    pub async fn samples(&mut self, passes: &[i64]) -> Result<BTreeMap<i64, Vec<Sample>>, LedgerError> {
        let mut samples: BTreeMap<i64, Vec<Sample>> = BTreeMap::new();
        for some in passes.chunks(PASSES_AT_ONCE) {
            let marks = vec!["?"; some.len()].join(",");
            let text = format!("SELECT * FROM sample WHERE pass_id IN ({marks}) ORDER BY pass_id, symbol");
            let mut query = sqlx::query(AssertSqlSafe(text));
            for pass_id in some {
                query = query.bind(*pass_id);
            }
            let rows = query.fetch_all(&mut self.db).await.map_err(|source| database(&self.path, source))?;
            for row in &rows {
                let sample = self.sample(row)?;
                samples.entry(self.integer(row, "pass_id")?).or_default().push(sample);
            }
        }
        Ok(samples)
    }

    fn sample(&self, row: &SqliteRow) -> Result<Sample, LedgerError> {
        Ok(Sample {
            symbol: self.parsed(row, "symbol")?,
            qty: self.parsed(row, "qty")?,
            entry: self.parsed(row, "entry")?,
            mark: self.optional_parsed(row, "mark")?,
            unrealized: self.parsed(row, "unrealized")?,
            target: self.optional_parsed(row, "target")?,
        })
    }

    /// Hands every trade after `start` and not after `end` to `each`, in the order in which they were
    /// executed. A page at a time: a ledger may hold millions.
    pub async fn each_trade(
        &mut self,
        start: &Cut,
        end: &Cut,
        mut each: impl FnMut(Trade),
    ) -> Result<(), LedgerError> {
        let last = end.reading_at.max(end.until).ms().saturating_add(SLACK_MS);
        // Where the last page ended: its time and number.
        let (mut at, mut seq) = (start.reading_at.ms().saturating_sub(SLACK_MS), 0);
        loop {
            let rows = sqlx::query(
                "SELECT fill.*, intent.pass_id, intent.reason, intent.reduce_only
                 FROM fill JOIN intent USING (client_id)
                 WHERE (fill.at, fill.seq) > (?1, ?2) AND fill.at <= ?3
                 ORDER BY fill.at, fill.seq LIMIT ?4",
            )
            .bind(at)
            .bind(seq)
            .bind(last)
            .bind(TRADES_AT_ONCE)
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
            let Some(row) = rows.last() else { return Ok(()) };
            (at, seq) = (self.integer(row, "at")?, self.integer(row, "seq")?);
            for row in &rows {
                let trade = self.trade(row)?;
                if !start.is_after(&trade) && end.is_after(&trade) {
                    each(trade);
                }
            }
        }
    }

    /// Hands every trade executed at or after `from` and before `to` to `each`, in the order of
    /// `trades.csv`.
    pub async fn trades_between(
        &mut self,
        from: Time,
        to: Time,
        mut each: impl FnMut(Trade),
    ) -> Result<(), LedgerError> {
        let mut next = 0;
        loop {
            let rows = sqlx::query(
                "SELECT fill.*, intent.pass_id, intent.reason, intent.reduce_only
                 FROM fill JOIN intent USING (client_id)
                 WHERE seq > ? AND fill.at >= ? AND fill.at < ? ORDER BY seq LIMIT ?",
            )
            .bind(next)
            .bind(from.ms())
            .bind(to.ms())
            .bind(TRADES_AT_ONCE)
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
            let Some(last) = rows.last() else { return Ok(()) };
            next = self.integer(last, "seq")?;
            for row in &rows {
                each(self.trade(row)?);
            }
        }
    }

    pub(super) fn trade(&self, row: &SqliteRow) -> Result<Trade, LedgerError> {
        Ok(Trade {
            fill: Fill {
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
            },
            seq: self.integer(row, "seq")?,
            pass_id: self.integer(row, "pass_id")?,
            client_id: self.text(row, "client_id")?,
            reason: self.text(row, "reason")?,
            reduce_only: self.integer(row, "reduce_only")? != 0,
        })
    }

    /// Income rows after the reading `after` up to `upto`, in order of time: by the reading that they
    /// explained, or by their time where the ledger is older than that column.
    pub async fn income_between(
        &mut self,
        after: &Reading,
        upto: &Reading,
    ) -> Result<Vec<BookedEntry>, LedgerError> {
        let rows = sqlx::query(
            "SELECT *, EXISTS (SELECT 1 FROM fill WHERE fill.symbol = income.symbol
                 AND CAST(fill.trade_id AS TEXT) = income.trade_id) AS of_our_fill
             FROM income WHERE (pass_id > ?1 AND pass_id <= ?2) OR (pass_id IS NULL AND at > ?3 AND at <= ?4)
             ORDER BY at, kind, symbol, tran_id, trade_id, ordinal",
        )
        .bind(after.pass_id)
        .bind(upto.pass_id)
        .bind(after.at.ms())
        .bind(upto.at.ms())
        .fetch_all(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        rows.iter().map(|row| self.booked_entry(row)).collect()
    }

    fn booked_entry(&self, row: &SqliteRow) -> Result<BookedEntry, LedgerError> {
        let pass_id: Option<i64> = row.try_get("pass_id").map_err(|source| database(&self.path, source))?;
        let of_our_fill = self.integer(row, "of_our_fill")? != 0;
        Ok(BookedEntry { entry: self.entry(row)?, pass_id, of_our_fill })
    }

    /// What assets were worth when fees were paid in them, in order of time.
    pub async fn asset_prices(&mut self) -> Result<Vec<AssetPrice>, LedgerError> {
        let rows = sqlx::query("SELECT * FROM asset_price ORDER BY at")
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        let price = |row| {
            Ok(AssetPrice {
                asset: self.text(row, "asset")?,
                at: self.time(row, "at")?,
                price: self.parsed(row, "price")?,
            })
        };
        rows.iter().map(price).collect()
    }

    /// The last passes, newest first.
    pub async fn last_passes(&mut self, limit: u32) -> Result<Vec<PastPass>, LedgerError> {
        let rows = sqlx::query(
            "SELECT id, at, outcome, exit_code,
                 (SELECT count(*) FROM intent WHERE intent.pass_id = pass.id AND client_id NOT LIKE '%s') AS orders
             FROM pass ORDER BY id DESC LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        let past = |row: &SqliteRow| {
            let code: Option<i64> =
                row.try_get("exit_code").map_err(|source| database(&self.path, source))?;
            Ok(PastPass {
                id: self.integer(row, "id")?,
                at: self.time(row, "at")?,
                outcome: self.text(row, "outcome")?,
                exit_code: code.and_then(|code| u8::try_from(code).ok()),
                orders: u32::try_from(self.integer(row, "orders")?).unwrap_or(u32::MAX),
            })
        };
        rows.iter().map(past).collect()
    }
}
