//! `trades.csv`: one row per fill, a projection of the ledger that is never read back.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use sqlx::sqlite::SqliteRow;

use super::{Ledger, LedgerError, database, show};
use crate::domain::history::Trade;

/// The columns, as users' spreadsheets know them.
pub const TRADES_HEADER: &str = "time,pass_id,symbol,side,reason,qty,price,notional,fee,fee_asset,realized_pnl,client_order_id,order_id,trade_id";

/// How far the file got: the last row written and the file's length after it.
struct Cursor {
    seq: i64,
    bytes: u64,
    /// When it was last written, nanoseconds since 1970: tells an edit that keeps the length.
    modified_ns: u128,
}

impl Ledger {
    /// Brings `<folder>/trades.csv` up to date. A file that is not as it was left (length, last
    /// row, time of the last change) is made anew from the ledger.
    pub async fn write_trades(&mut self, folder: &Path) -> Result<(), LedgerError> {
        let path = folder.join("trades.csv");
        let failed = |source| LedgerError::File { path: show(&path), source };
        let cursor = self.cursor().await?;
        let sound = match &cursor {
            Some(cursor) => self.ends_as_left(&path, cursor).await?,
            None => false,
        };
        let cursor = if sound { cursor } else { None };
        let (from, start) = cursor.map_or((0, 0), |cursor| (cursor.seq, cursor.bytes));
        let rows = self.rows_after(from).await?;
        if sound && rows.is_empty() {
            return Ok(());
        }
        let last = rows.last().map_or(Ok(from), |row| self.integer(row, "seq"))?;
        let mut text = String::new();
        if !sound {
            text.push_str(TRADES_HEADER);
            text.push('\n');
        }
        for row in &rows {
            text.push_str(&trade_row(&self.trade(row)?));
        }
        let bytes = write_at(&path, start, &text, sound).map_err(failed)?;
        let modified_ns = modified_ns(&path).map_err(failed)?;
        self.set_meta("trades_csv", &format!("{last} {bytes} {modified_ns}")).await
    }

    async fn cursor(&mut self) -> Result<Option<Cursor>, LedgerError> {
        let Some(kept) = self.meta("trades_csv").await? else { return Ok(None) };
        let mut parts = kept.split(' ');
        let mut next = || parts.next();
        let parsed = next().zip(next()).zip(next()).and_then(|((seq, bytes), modified)| {
            Some(Cursor {
                seq: seq.parse().ok()?,
                bytes: bytes.parse().ok()?,
                modified_ns: modified.parse().ok()?,
            })
        });
        Ok(parsed)
    }

    async fn rows_after(&mut self, seq: i64) -> Result<Vec<SqliteRow>, LedgerError> {
        sqlx::query(
            "SELECT fill.*, intent.pass_id, intent.reason, intent.reduce_only
             FROM fill JOIN intent USING (client_id) WHERE seq > ? ORDER BY seq",
        )
        .bind(seq)
        .fetch_all(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))
    }

    /// Whether the file has the length it was left with and ends in the row written last.
    async fn ends_as_left(&mut self, path: &Path, cursor: &Cursor) -> Result<bool, LedgerError> {
        let row = sqlx::query(
            "SELECT fill.*, intent.pass_id, intent.reason, intent.reduce_only
             FROM fill JOIN intent USING (client_id) WHERE seq = ?",
        )
        .bind(cursor.seq)
        .fetch_optional(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        let last = match row {
            Some(row) => trade_row(&self.trade(&row)?),
            None => format!("{TRADES_HEADER}\n"),
        };
        let untouched = modified_ns(path).is_ok_and(|modified| modified == cursor.modified_ns);
        let tail = read_tail(path, cursor.bytes, last.len());
        Ok(untouched && tail.is_some_and(|tail| tail == last.as_bytes()))
    }
}

/// One execution as a row of `trades.csv`, with its line break.
#[must_use]
pub fn trade_row(trade: &Trade) -> String {
    let fill = &trade.fill;
    let cells = [
        fill.at.to_string(),
        trade.pass_id.to_string(),
        fill.symbol.to_string(),
        fill.side.as_str().to_owned(),
        trade.reason.clone(),
        fill.qty.to_string(),
        fill.price.to_string(),
        fill.notional().to_string(),
        fill.fee.to_string(),
        fill.fee_asset.clone(),
        fill.realized.to_string(),
        trade.client_id.clone(),
        fill.order_id.to_string(),
        fill.trade_id.to_string(),
    ];
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    // Memory neither fails to be written nor holds anything but the text given.
    let written = writer.write_record(&cells).ok().and_then(|()| writer.into_inner().ok());
    written.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Writes `text` at `start` and cuts the file there, or makes the file anew beside the old one and
/// renames it. Returns the file's length.
fn write_at(path: &Path, start: u64, text: &str, append: bool) -> std::io::Result<u64> {
    if append {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.seek(SeekFrom::Start(start))?;
        file.write_all(text.as_bytes())?;
        let end = file.stream_position()?;
        file.set_len(end)?;
        file.sync_all()?;
        return Ok(end);
    }
    let fresh = path.with_extension("csv.new");
    let mut file = File::create(&fresh)?;
    file.write_all(text.as_bytes())?;
    let end = file.stream_position()?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    Ok(end)
}

fn modified_ns(path: &Path) -> std::io::Result<u128> {
    let modified = std::fs::metadata(path)?.modified()?;
    Ok(modified.duration_since(std::time::SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos()))
}

/// The last `len` bytes of a file that is exactly `bytes` long.
fn read_tail(path: &Path, bytes: u64, len: usize) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    if file.metadata().ok()?.len() != bytes {
        return None;
    }
    let from = bytes.checked_sub(u64::try_from(len).ok()?)?;
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut tail = Vec::with_capacity(len);
    file.read_to_end(&mut tail).ok()?;
    Some(tail)
}
