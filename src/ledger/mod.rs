//! What rebal remembers: one SQLite file per account, written before and after every order.

mod arming;
mod book;
mod coins;
mod halt;
mod history;
mod intent;
mod memory;
mod outbox;
mod recorder;
mod recost;
mod schema;
mod universe;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};

use crate::domain::num::Notional;
use crate::domain::time::Time;

pub use arming::Armed;
pub use book::{EquityRow, Holding};
pub use halt::Halt;
pub use history::Cut;
pub use intent::{Intent, IntentState, Outcome, PassRow};
pub use outbox::{DIGEST, Message};
pub use recorder::{TRADES_HEADER, trade_row};
pub use universe::Member;

/// The row of `job` that holds the end of Telegram's pause.
const TELEGRAM_PAUSE: &str = "telegram_not_before";

/// What stands for the path of a ledger that has none.
const MEMORY: &str = ":memory:";

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// SQLite refused.
    #[error("ledger {path}: {source}")]
    Database {
        /// The file.
        path: String,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The file is somebody else's.
    #[error("{0} is not a rebal ledger")]
    NotOurs(String),
    /// Written by a newer rebal.
    #[error("{path} has schema {found}, this rebal knows {known}; use the newer rebal")]
    TooNew {
        /// The file.
        path: String,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// SQLite cannot be given the path.
    #[error("{0}: the path is not valid UTF-8, which the ledger's database needs")]
    NotUnicode(String),
    /// A row that cannot be read back.
    #[error("{path}: {column} holds {value:?}, which cannot be read")]
    Damaged {
        /// The file.
        path: String,
        /// Where.
        column: String,
        /// What stands there.
        value: String,
    },
    /// Another pass gave up what this one was about to send.
    #[error("another pass took over before order {0} was sent")]
    TakenOver(String),
    /// The ledger was kept for another account.
    #[error("this ledger belongs to {kept}, not to {found}")]
    OtherAccount {
        /// What the ledger was made for.
        kept: String,
        /// What is asked for, or answers, now.
        found: String,
    },
    /// A file beside the ledger cannot be written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl LedgerError {
    /// Whether the file itself is broken, whatever the disk and its permissions are.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            // SQLITE_CORRUPT and SQLITE_NOTADB; an extended code has its kind in the last byte.
            LedgerError::Database { source: sqlx::Error::Database(error), .. } => error
                .code()
                .and_then(|code| code.parse::<u32>().ok())
                .is_some_and(|code| matches!(code & 0xff, 11 | 26)),
            LedgerError::Damaged { .. } => true,
            _ => false,
        }
    }
}

/// The open ledger of one account.
pub struct Ledger {
    db: SqliteConnection,
    path: PathBuf,
    /// The quote asset of a spot account, whose coins' costs are kept; `None` on futures.
    coins_in: Option<String>,
}

/// What a fresh ledger does not have yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Made in this pass: it knows nothing of the account's past.
    Fresh,
    /// Bound to this account before.
    Known,
}

impl Ledger {
    /// Opens `<folder>/ledger.db`, making or migrating it, and checks that it is whole.
    ///
    /// Commits survive a power cut: WAL with `synchronous = FULL`.
    pub async fn open(folder: &Path) -> Result<Ledger, LedgerError> {
        let path = of_folder(folder)?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .disable_statement_logging();
        let db = options.connect().await.map_err(|source| database(&path, source))?;
        let mut ledger = Ledger { db, path, coins_in: None };
        // Nothing is written, not even the journal mode, before the file is known to be ours.
        schema::recognise(&mut ledger).await?;
        let journal = sqlx::query("PRAGMA journal_mode = WAL").execute(&mut ledger.db).await;
        journal.map_err(|source| database(&ledger.path, source))?;
        schema::prepare(&mut ledger).await?;
        Ok(ledger)
    }

    /// Opens an existing ledger for reading only; `None` where there is none yet.
    pub async fn open_read_only(folder: &Path) -> Result<Option<Ledger>, LedgerError> {
        let path = of_folder(folder)?;
        if !path.exists() {
            return Ok(None);
        }
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .read_only(true)
            .busy_timeout(Duration::from_secs(5))
            .disable_statement_logging();
        let db = options.connect().await.map_err(|source| database(&path, source))?;
        let mut ledger = Ledger { db, path, coins_in: None };
        schema::recognise(&mut ledger).await?;
        Ok(Some(ledger))
    }

    /// Whether the tables are of an older version: looking at a ledger never migrates it.
    pub async fn is_old(&mut self) -> Result<bool, LedgerError> {
        Ok(schema::is_old(schema::recognise(self).await?))
    }

    /// What SQLite finds wrong with the file; empty where it is whole.
    pub async fn faults(&mut self) -> Result<Vec<String>, LedgerError> {
        let found: Vec<String> = sqlx::query_scalar("PRAGMA quick_check")
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        Ok(found.into_iter().filter(|line| line != "ok").collect())
    }

    /// Closes the file in order.
    pub async fn close(self) -> Result<(), LedgerError> {
        let Ledger { db, path, .. } = self;
        db.close().await.map_err(|source| database(&path, source))
    }

    /// A ledger that forgets when it is dropped, for passes that must leave no trace.
    pub async fn in_memory() -> Result<Ledger, LedgerError> {
        let path = PathBuf::from(MEMORY);
        let options = SqliteConnectOptions::new().in_memory(true).disable_statement_logging();
        let db = options.connect().await.map_err(|source| database(&path, source))?;
        let mut ledger = Ledger { db, path, coins_in: None };
        schema::prepare(&mut ledger).await?;
        Ok(ledger)
    }

    /// Refuses another environment than the one it was bound to or armed for. The account in it is compared by
    /// [`Ledger::age`], once an exchange told which one answers.
    pub async fn belongs_to(&mut self, environment: &str) -> Result<(), LedgerError> {
        let (kept, _) = self.kept_for().await?;
        match kept {
            Some(kept) if !kept.starts_with(&binding(environment, "")) => {
                Err(LedgerError::OtherAccount { kept, found: environment.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// What it was bound to or armed for, if anything.
    async fn kept_for(&mut self) -> Result<(Option<String>, Age), LedgerError> {
        Ok(match self.meta("binding").await? {
            Some(kept) => (Some(kept), Age::Known),
            None => (self.armed().await?.map(|armed| armed.account), Age::Fresh),
        })
    }

    /// Whether the ledger is bound to this environment and account, or still to nothing. One that was
    /// armed before its first pass is that account's already, and fresh for it alone.
    pub async fn age(&mut self, environment: &str, account: &str) -> Result<Age, LedgerError> {
        let found = binding(environment, account);
        let (kept, age) = self.kept_for().await?;
        match kept {
            Some(kept) if kept != found => Err(LedgerError::OtherAccount { kept, found }),
            _ => Ok(age),
        }
    }

    /// Binds a fresh ledger to an environment and account, for good.
    pub async fn bind(&mut self, environment: &str, account: &str) -> Result<(), LedgerError> {
        match self.age(environment, account).await? {
            Age::Fresh => self.set_meta("binding", &binding(environment, account)).await,
            Age::Known => Ok(()),
        }
    }

    /// The 24 random bits that mark this ledger's orders.
    pub async fn install(&mut self) -> Result<u32, LedgerError> {
        if let Some(kept) = self.meta("install").await? {
            return u32::from_str_radix(&kept, 16).map_err(|_| self.damaged("meta.install", &kept));
        }
        // The standard library seeds every RandomState from the system's randomness.
        let drawn = RandomState::new().build_hasher().finish() & 0x00ff_ffff;
        let install = u32::try_from(drawn).unwrap_or_default();
        self.set_meta("install", &format!("{install:06x}")).await?;
        Ok(install)
    }

    /// Before when (by this machine's clock) no request may be sent, if the exchange said so.
    pub async fn not_before(&mut self) -> Result<Option<Time>, LedgerError> {
        Ok(self.meta("not_before").await?.and_then(|ms| ms.parse().ok()).and_then(Time::from_ms))
    }

    /// Keeps the exchange's ban, in this machine's time, for the next process.
    pub async fn set_not_before(&mut self, until: Time) -> Result<(), LedgerError> {
        self.set_meta("not_before", &until.ms().to_string()).await
    }

    /// By how much the wallet differs from what is explained, and since when.
    pub async fn gap(&mut self) -> Result<Option<(Notional, Time)>, LedgerError> {
        let kept = self.meta("gap").await?;
        let parsed = kept.as_deref().and_then(|kept| kept.split_once(' '));
        Ok(parsed.and_then(|(amount, ms)| Some((amount.parse().ok()?, Time::from_ms(ms.parse().ok()?)?))))
    }

    /// Keeps, or forgets, such a difference.
    pub async fn set_gap(&mut self, gap: Option<(Notional, Time)>) -> Result<(), LedgerError> {
        let text = gap.map_or_else(String::new, |(amount, since)| format!("{amount} {}", since.ms()));
        self.set_meta("gap", &text).await
    }

    /// Before when (by this machine's clock) Telegram wants no message.
    pub async fn telegram_not_before(&mut self) -> Result<Option<Time>, LedgerError> {
        self.job(TELEGRAM_PAUSE).await
    }

    /// Keeps Telegram's pause for the next process.
    pub async fn set_telegram_not_before(&mut self, until: Time) -> Result<(), LedgerError> {
        self.set_job(TELEGRAM_PAUSE, until).await
    }

    /// When a job ran last.
    pub async fn job(&mut self, name: &str) -> Result<Option<Time>, LedgerError> {
        let row = sqlx::query("SELECT last FROM job WHERE name = ?")
            .bind(name)
            .fetch_optional(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        row.map(|row| self.time(&row, "last")).transpose()
    }

    /// Notes that a job ran.
    pub async fn set_job(&mut self, name: &str, at: Time) -> Result<(), LedgerError> {
        sqlx::query("INSERT INTO job (name, last) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET last = excluded.last")
            .bind(name)
            .bind(at.ms())
            .execute(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        Ok(())
    }

    /// Keeps a plan under its name.
    pub async fn keep_plan(&mut self, id: &str, at: Time, plan: &str) -> Result<(), LedgerError> {
        sqlx::query("INSERT OR REPLACE INTO plan (id, at, plan) VALUES (?, ?, ?)")
            .bind(id)
            .bind(at.ms())
            .bind(plan)
            .execute(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        Ok(())
    }

    /// The paper account as it was left.
    pub async fn paper(&mut self) -> Result<Option<String>, LedgerError> {
        let row = sqlx::query("SELECT state FROM paper WHERE id = 1")
            .fetch_optional(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        row.map(|row| self.text(&row, "state")).transpose()
    }

    /// Keeps the paper account.
    pub async fn set_paper(&mut self, state: &str) -> Result<(), LedgerError> {
        let path = &self.path;
        keep_paper(&mut self.db, state).await.map_err(|source| database(path, source))
    }

    /// How far the exchange's clock is ahead of this machine's, in milliseconds, when last both were known.
    pub async fn clock_offset(&mut self) -> Result<i64, LedgerError> {
        Ok(self.meta("clock_offset_ms").await?.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// Keeps it.
    pub async fn set_clock_offset(&mut self, ms: i64) -> Result<(), LedgerError> {
        self.set_meta("clock_offset_ms", &ms.to_string()).await
    }

    async fn meta(&mut self, key: &str) -> Result<Option<String>, LedgerError> {
        let row = sqlx::query("SELECT value FROM meta WHERE key = ?")
            .bind(key)
            .fetch_optional(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        row.map(|row| self.text(&row, "value")).transpose()
    }

    async fn set_meta(&mut self, key: &str, value: &str) -> Result<(), LedgerError> {
        sqlx::query("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
            .bind(key)
            .bind(value)
            .execute(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        Ok(())
    }

    fn damaged(&self, column: &str, value: &str) -> LedgerError {
        LedgerError::Damaged { path: show(&self.path), column: column.to_owned(), value: value.to_owned() }
    }

    fn text(&self, row: &SqliteRow, column: &str) -> Result<String, LedgerError> {
        row.try_get(column).map_err(|source| database(&self.path, source))
    }

    fn optional_text(&self, row: &SqliteRow, column: &str) -> Result<Option<String>, LedgerError> {
        row.try_get(column).map_err(|source| database(&self.path, source))
    }

    fn integer(&self, row: &SqliteRow, column: &str) -> Result<i64, LedgerError> {
        row.try_get(column).map_err(|source| database(&self.path, source))
    }

    fn time(&self, row: &SqliteRow, column: &str) -> Result<Time, LedgerError> {
        let ms = self.integer(row, column)?;
        Time::from_ms(ms).ok_or_else(|| self.damaged(column, &ms.to_string()))
    }

    fn parsed<T: FromStr>(&self, row: &SqliteRow, column: &str) -> Result<T, LedgerError> {
        let text = self.text(row, column)?;
        text.parse().map_err(|_| self.damaged(column, &text))
    }

    fn optional_parsed<T: FromStr>(&self, row: &SqliteRow, column: &str) -> Result<Option<T>, LedgerError> {
        let text = self.optional_text(row, column)?;
        text.map(|text| text.parse().map_err(|_| self.damaged(column, &text))).transpose()
    }
}

/// The ledger's file.
fn of_folder(folder: &Path) -> Result<PathBuf, LedgerError> {
    let path = folder.join("ledger.db");
    if path.to_str().is_some() { Ok(path) } else { Err(LedgerError::NotUnicode(show(&path))) }
}

fn binding(environment: &str, account: &str) -> String {
    format!("{environment}, account {account}")
}

async fn keep_paper(db: &mut SqliteConnection, state: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO paper (id, state) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state",
    )
    .bind(state)
    .execute(db)
    .await
    .map(|_| ())
}

fn database(path: &Path, source: sqlx::Error) -> LedgerError {
    LedgerError::Database { path: show(path), source }
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
