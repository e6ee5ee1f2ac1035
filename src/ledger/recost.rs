//! What coins of a spot account cost, found again for a ledger that was kept by an older rule.
//!
//! Before, a fee taken from a holding left its whole cost behind, so that each one raised the entry price, by which
//! stops are reckoned. The history is gone through by both rules, held to what each reading showed by the old one.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::domain::cost::Cost;
use crate::domain::entry::FEE_COST;
use crate::domain::num::{Notional, Price, Qty};
use crate::domain::order::Side;

/// Brings the cost of every coin that fees were taken from to the rule of [`crate::domain::cost`].
///
/// What was floating loss by the old rule and is none by the new one is booked as a realised loss with the next reading
/// (the fees had realised it), and what the wallet is expected to hold follows: equity stays what it was.
pub(super) async fn recost(db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let held = sqlx::query(
        "SELECT DISTINCT position.symbol, position.qty, position.paid, fill.fee_asset AS asset
         FROM position JOIN fill ON instr(position.symbol, fill.fee_asset) = 1 AND length(position.symbol) > length(fill.fee_asset)
             AND fill.symbol LIKE '%' || substr(position.symbol, length(fill.fee_asset) + 1)
         WHERE position.paid <> '0'",
    )
    .fetch_all(&mut *db)
    .await?;
    for row in &held {
        let (symbol, asset): (String, String) = (row.try_get("symbol")?, row.try_get("asset")?);
        let kept = Cost { qty: decimal(row, "qty")?, paid: decimal(row, "paid")? };
        let paid = replayed(db, &symbol, &asset, kept).await?;
        if paid != kept.paid {
            let quote = symbol.strip_prefix(&asset).unwrap_or_default();
            rewrite(db, (&symbol, quote), kept, paid).await?;
        }
    }
    Ok(())
}

/// What all of it cost by the new rule.
async fn replayed(
    db: &mut SqliteConnection,
    symbol: &str,
    asset: &str,
    kept: Cost,
) -> Result<Notional, sqlx::Error> {
    // A reading shows what was there before its own pass traded.
    let rows = sqlx::query(
        "SELECT pass_id, 0 AS traded, 0 AS seq, qty, entry AS price, '' AS side, '0' AS fee FROM sample WHERE symbol = ?1
         UNION ALL
         SELECT intent.pass_id, 1, fill.seq, CASE WHEN fill.symbol = ?1 THEN fill.qty ELSE '0' END, fill.price, fill.side,
                CASE WHEN fill.fee_asset = ?2 THEN fill.fee ELSE '0' END
         FROM fill JOIN intent USING (client_id) WHERE fill.symbol = ?1 OR fill.fee_asset = ?2
         ORDER BY 1, 2, 3",
    )
    .bind(symbol)
    .bind(asset)
    .fetch_all(&mut *db)
    .await?;
    let mut books = Books::default();
    for row in &rows {
        let (qty, price): (Qty, Price) = (decimal(row, "qty")?, decimal(row, "price")?);
        if row.try_get::<i64, _>("traded")? == 0 {
            books.shown(Cost { qty, paid: qty * price });
            continue;
        }
        let side =
            if row.try_get::<String, _>("side")? == Side::Buy.as_str() { Side::Buy } else { Side::Sell };
        books.traded(side.signed(qty), price);
        books.fee(decimal(row, "fee")?);
    }
    books.shown(kept);
    Ok(books.by_new.paid)
}

/// The same holding by both rules.
#[derive(Default)]
struct Books {
    by_old: Cost,
    by_new: Cost,
}

impl Books {
    /// What came or went since without a trade of ours, as the old rule took it over.
    fn shown(&mut self, by_old: Cost) {
        let came = by_old.qty - self.by_old.qty;
        match by_old.qty {
            none if none.is_zero() => self.by_new = Cost::default(),
            _ if came.is_positive() => {
                self.by_new.qty += came;
                self.by_new.paid += by_old.paid - self.by_old.paid;
            }
            _ => self.by_new = self.by_new.without(-came).0,
        }
        self.by_old = by_old;
    }

    fn traded(&mut self, qty: Qty, price: Price) {
        for books in [&mut self.by_old, &mut self.by_new] {
            *books = match qty.is_negative() {
                true => books.without(-qty).0,
                false => Cost { qty: books.qty + qty, paid: books.paid + qty * price },
            };
        }
    }

    fn fee(&mut self, qty: Qty) {
        self.by_old = Cost { qty: self.by_old.qty - qty, ..self.by_old }.unless_empty().0;
        self.by_new = self.by_new.without(qty).0;
    }
}

async fn rewrite(
    db: &mut SqliteConnection,
    (symbol, quote): (&str, &str),
    kept: Cost,
    paid: Notional,
) -> Result<(), sqlx::Error> {
    let entry = Cost { paid, ..kept }.entry().unwrap_or_default().rounded(16).to_string();
    let less = kept.paid - paid;
    for table in
        ["UPDATE reading SET entry = ? WHERE symbol = ?", "UPDATE high SET entry = ? WHERE symbol = ?"]
    {
        sqlx::query(table).bind(&entry).bind(symbol).execute(&mut *db).await?;
    }
    sqlx::query("UPDATE position SET paid = ? WHERE symbol = ?")
        .bind(paid.to_string())
        .bind(symbol)
        .execute(&mut *db)
        .await?;
    let last = sqlx::query("SELECT pass_id, at, wallet FROM equity ORDER BY pass_id DESC LIMIT 1")
        .fetch_optional(&mut *db)
        .await?;
    let Some(last) = last else { return Ok(()) };
    let (pass_id, at): (i64, i64) = (last.try_get("pass_id")?, last.try_get("at")?);
    let wallet: Notional = decimal(&last, "wallet")?;
    sqlx::query("UPDATE equity SET wallet = ? WHERE pass_id = ?")
        .bind((wallet - less).to_string())
        .bind(pass_id)
        .execute(&mut *db)
        .await?;
    // Without a pass it belongs to its time: just behind the last reading, which floats by the old rule.
    sqlx::query(
        "INSERT INTO income (at, kind, symbol, amount, asset, tran_id, trade_id, ordinal) VALUES (?, ?, ?, ?, ?, 0, '', 0)",
    )
    .bind(at + 1)
    .bind(FEE_COST)
    .bind(symbol)
    .bind((-less).to_string())
    .bind(quote)
    .execute(db)
    .await
    .map(|_| ())
}

fn decimal<T: std::str::FromStr>(row: &SqliteRow, column: &str) -> Result<T, sqlx::Error>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    row.try_get::<String, _>(column)?.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
