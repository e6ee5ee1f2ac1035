//! Alerts, digests and the messages they become. Written before anything is delivered, so that none
//! is lost.
//!
//! An alert is told when it begins, again every few hours while it lasts, and once when it is over.

use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};

use super::{Ledger, LedgerError, database};
use crate::domain::alert::{Alert, Level};
use crate::domain::time::{Time, show_span};

/// How often a trouble that lasts is told again.
const REMINDER: Duration = Duration::from_secs(4 * 3600);

/// The job that writes digests, and the kind of their messages.
pub const DIGEST: &str = "digest";

/// One message to the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number; messages are delivered in this order.
    pub id: i64,
    /// When it was written.
    pub at: Time,
    /// `info`, `warning` or `critical`.
    pub level: String,
    /// The alert's word, or `digest`.
    pub kind: String,
    /// What the owner reads.
    pub text: String,
    /// Whether the text is Telegram's HTML; plain words otherwise.
    pub html: bool,
    /// How many pieces of it arrived.
    pub pieces_sent: usize,
}

/// Stands for the time of delivery where a message was kept and never sent.
const NEVER_SENT: i64 = 0;

impl Ledger {
    /// One transaction: alerts that begin or have lasted become messages; those among `over` that were
    /// raised and are not any more are told as over.
    pub async fn tell(&mut self, at: Time, raised: &[Alert], over: &[&str]) -> Result<(), LedgerError> {
        let path = self.path.clone();
        let failed = |source| database(&path, source);
        let mut transaction = self.db.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        for alert in raised {
            raise(&mut transaction, at, alert).await.map_err(failed)?;
        }
        for kind in over.iter().filter(|kind| raised.iter().all(|alert| alert.kind != **kind)) {
            end(&mut transaction, at, kind).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// A message about something that happened once: it neither lasts nor ends.
    pub async fn inform(&mut self, at: Time, alert: &Alert) -> Result<(), LedgerError> {
        let written = write(&mut self.db, at, alert.level.as_str(), alert.kind, &alert.text).await;
        written.map_err(|source| database(&self.path, source))
    }

    /// Gives the newest message of this kind another text, as long as no piece of it left.
    pub async fn amend(&mut self, kind: &str, text: &str) -> Result<(), LedgerError> {
        sqlx::query(
            "UPDATE outbox SET text = ?2 WHERE id = (SELECT max(id) FROM outbox WHERE kind = ?1)
             AND delivered_at IS NULL AND pieces_sent = 0",
        )
        .bind(kind)
        .bind(text)
        .execute(&mut self.db)
        .await
        .map(|_| ())
        .map_err(|source| database(&self.path, source))
    }

    /// Takes what was written before `limit` and did not leave out of what waits: it stays in the ledger, and
    /// nobody is sent it any more. Returns how many messages that are.
    pub async fn withdraw_before(&mut self, limit: Time) -> Result<u64, LedgerError> {
        sqlx::query("UPDATE outbox SET delivered_at = ? WHERE delivered_at IS NULL AND at < ?")
            .bind(NEVER_SENT)
            .bind(limit.ms())
            .execute(&mut self.db)
            .await
            .map(|done| done.rows_affected())
            .map_err(|source| database(&self.path, source))
    }

    /// The words of every alert that is raised.
    pub async fn alerts(&mut self) -> Result<Vec<String>, LedgerError> {
        sqlx::query_scalar("SELECT kind FROM alert ORDER BY kind")
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))
    }

    /// Messages that were not delivered yet, oldest first.
    pub async fn undelivered(&mut self) -> Result<Vec<Message>, LedgerError> {
        let rows = sqlx::query("SELECT * FROM outbox WHERE delivered_at IS NULL ORDER BY id")
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        rows.iter()
            .map(|row| {
                Ok(Message {
                    id: self.integer(row, "id")?,
                    at: self.time(row, "at")?,
                    level: self.text(row, "level")?,
                    kind: self.text(row, "kind")?,
                    text: self.text(row, "text")?,
                    html: self.integer(row, "html")? != 0,
                    pieces_sent: usize::try_from(self.integer(row, "pieces_sent")?).unwrap_or(0),
                })
            })
            .collect()
    }

    /// Whether any message was not delivered yet.
    pub async fn is_waiting(&mut self) -> Result<bool, LedgerError> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM outbox WHERE delivered_at IS NULL)")
            .fetch_one(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))
    }

    /// Notes how many pieces of a message arrived, and when (by this machine's clock) the last one did.
    pub async fn note_sent(
        &mut self,
        id: i64,
        pieces: usize,
        delivered: Option<Time>,
    ) -> Result<(), LedgerError> {
        sqlx::query("UPDATE outbox SET pieces_sent = ?, delivered_at = ? WHERE id = ?")
            .bind(i64::try_from(pieces).unwrap_or(i64::MAX))
            .bind(delivered.map(Time::ms))
            .bind(id)
            .execute(&mut self.db)
            .await
            .map(|_| ())
            .map_err(|source| database(&self.path, source))
    }

    /// One transaction: a digest becomes a message, and is not due again before its time.
    pub async fn tell_digest(&mut self, at: Time, html: &str) -> Result<(), LedgerError> {
        let path = self.path.clone();
        let failed = |source| database(&path, source);
        let mut transaction = self.db.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        sqlx::query("INSERT INTO outbox (at, level, kind, text, html) VALUES (?, 'info', ?, ?, 1)")
            .bind(at.ms())
            .bind(DIGEST)
            .bind(html)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        sqlx::query("INSERT INTO job (name, last) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET last = excluded.last")
            .bind(DIGEST)
            .bind(at.ms())
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }
}

async fn raise(db: &mut SqliteConnection, at: Time, alert: &Alert) -> Result<(), sqlx::Error> {
    let row = sqlx::query("SELECT raised_at, told_at FROM alert WHERE kind = ?")
        .bind(alert.kind)
        .fetch_optional(&mut *db)
        .await?;
    let text = match row {
        None => alert.text.clone(),
        Some(row) => {
            let time = |column: &str| row.try_get(column).map(|ms| Time::from_ms(ms).unwrap_or_default());
            let (raised_at, told_at) = (time("raised_at")?, time("told_at")?);
            if at.since(told_at) < REMINDER {
                return Ok(());
            }
            format!("still, since {}: {}", raised_at.plainly(), alert.text)
        }
    };
    sqlx::query(
        "INSERT INTO alert (kind, level, raised_at, told_at) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (kind) DO UPDATE SET told_at = excluded.told_at, level = excluded.level",
    )
    .bind(alert.kind)
    .bind(alert.level.as_str())
    .bind(at.ms())
    .execute(&mut *db)
    .await?;
    write(db, at, alert.level.as_str(), alert.kind, &text).await
}

async fn end(db: &mut SqliteConnection, at: Time, kind: &str) -> Result<(), sqlx::Error> {
    let ended = sqlx::query("DELETE FROM alert WHERE kind = ? RETURNING raised_at")
        .bind(kind)
        .fetch_optional(&mut *db)
        .await?;
    let Some(row) = ended else { return Ok(()) };
    let began = row.try_get("raised_at").map(Time::clamped)?;
    let lasted = match at.since(began) {
        span if span < Duration::from_secs(60) => "less than a minute".to_owned(),
        span => show_span(Duration::from_secs(span.as_secs() / 60 * 60)),
    };
    let text = format!("it began at {} and lasted {lasted}", began.plainly());
    write(db, at, Level::Over.as_str(), kind, &text).await
}

async fn write(
    db: &mut SqliteConnection,
    at: Time,
    level: &str,
    kind: &str,
    text: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO outbox (at, level, kind, text) VALUES (?, ?, ?, ?)")
        .bind(at.ms())
        .bind(level)
        .bind(kind)
        .bind(text)
        .execute(db)
        .await
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Time {
        Time::from_ms(1_760_000_000_000 + minutes * 60_000).unwrap()
    }

    fn alert(text: &str) -> Alert {
        Alert { kind: "not_flat", level: Level::Critical, text: text.into() }
    }

    async fn texts(ledger: &mut Ledger) -> Vec<String> {
        ledger.undelivered().await.unwrap().into_iter().map(|message| message.text).collect()
    }

    #[tokio::test]
    async fn a_trouble_is_told_when_it_begins_every_four_hours_and_when_it_ends() {
        let mut ledger = Ledger::in_memory().await.unwrap();
        for minutes in [0, 5, 239] {
            ledger.tell(at(minutes), &[alert("2 positions are left")], &["not_flat"]).await.unwrap();
        }
        assert_eq!(texts(&mut ledger).await, ["2 positions are left"]);
        ledger.tell(at(240), &[alert("1 position is left")], &["not_flat"]).await.unwrap();
        ledger.tell(at(300), &[], &["not_flat", "never_raised"]).await.unwrap();
        ledger.tell(at(305), &[], &["not_flat"]).await.unwrap();
        let told = texts(&mut ledger).await;
        assert_eq!(told.len(), 3);
        assert_eq!(told[1], "still, since 2025-10-09 08:53:20 UTC: 1 position is left");
        assert_eq!(told[2], "it began at 2025-10-09 08:53:20 UTC and lasted 5h");
        let levels: Vec<String> =
            ledger.undelivered().await.unwrap().into_iter().map(|message| message.level).collect();
        assert_eq!(levels, ["critical", "critical", "over"]);
        ledger.tell(at(310), &[alert("again")], &[]).await.unwrap();
        assert_eq!(texts(&mut ledger).await.last().unwrap(), "again");
    }

    #[tokio::test]
    async fn a_message_waits_until_its_last_piece_arrived() {
        let mut ledger = Ledger::in_memory().await.unwrap();
        ledger.tell(at(0), &[alert("a < b")], &[]).await.unwrap();
        ledger.tell_digest(at(5), "<b>c</b>").await.unwrap();
        let waiting = ledger.undelivered().await.unwrap();
        let kinds: Vec<_> = waiting
            .iter()
            .map(|message| (message.kind.as_str(), message.html, message.pieces_sent))
            .collect();
        assert_eq!(kinds, [("not_flat", false, 0), ("digest", true, 0)]);
        assert_eq!(ledger.job(DIGEST).await.unwrap(), Some(at(5)));
        ledger.note_sent(waiting[0].id, 2, None).await.unwrap();
        assert_eq!(ledger.undelivered().await.unwrap()[0].pieces_sent, 2);
        ledger.note_sent(waiting[0].id, 3, Some(at(9))).await.unwrap();
        assert_eq!(texts(&mut ledger).await, ["<b>c</b>"]);
    }

    #[tokio::test]
    async fn a_message_is_amended_until_a_piece_of_it_left() {
        let mut ledger = Ledger::in_memory().await.unwrap();
        ledger.tell(at(0), &[alert("closing")], &[]).await.unwrap();
        ledger.amend("not_flat", "closed").await.unwrap();
        ledger.amend("other", "nobody's").await.unwrap();
        assert_eq!(texts(&mut ledger).await, ["closed"]);
        let id = ledger.undelivered().await.unwrap()[0].id;
        ledger.note_sent(id, 1, None).await.unwrap();
        ledger.amend("not_flat", "too late").await.unwrap();
        assert_eq!(texts(&mut ledger).await, ["closed"]);
    }

    #[tokio::test]
    async fn what_is_withdrawn_waits_no_more_and_is_kept() {
        let mut ledger = Ledger::in_memory().await.unwrap();
        ledger.tell(at(0), &[alert("old")], &[]).await.unwrap();
        ledger.tell(at(300), &[alert("new")], &[]).await.unwrap();
        assert_eq!(ledger.withdraw_before(at(300)).await.unwrap(), 1);
        assert_eq!(texts(&mut ledger).await.len(), 1);
        assert_eq!(ledger.withdraw_before(at(301)).await.unwrap(), 1);
        assert!(!ledger.is_waiting().await.unwrap());
        // The trouble itself is raised as before: once somebody reads, its next reminder arrives.
        assert_eq!(ledger.alerts().await.unwrap(), ["not_flat"]);
        let kept: i64 =
            sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(&mut ledger.db).await.unwrap();
        assert_eq!(kept, 2);
    }

    #[tokio::test]
    async fn what_a_pass_could_not_judge_stays_raised() {
        let mut ledger = Ledger::in_memory().await.unwrap();
        ledger.tell(at(0), &[alert("a")], &[]).await.unwrap();
        ledger.tell(at(5), &[], &["other"]).await.unwrap();
        assert_eq!(ledger.alerts().await.unwrap(), ["not_flat"]);
    }
}
