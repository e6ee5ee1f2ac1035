//! The tables, and how an older ledger becomes a newer one.
//!
//! Decimals are text, times are integer milliseconds, ids are text: nothing here is particular to
//! SQLite, so that a server database can take its place.

use sqlx::{AssertSqlSafe, Connection, Row};

use super::{Ledger, LedgerError, database, recost, show};

/// "rebl": tells our files from other programs' databases.
const APPLICATION_ID: i64 = 0x7265_626c;

/// Each step takes a ledger from its index to the next schema. Steps are only ever added.
const MIGRATIONS: [&str; 9] =
    [FIRST, HALTS_AND_ALERTS, UNIVERSE, MONEY, MESSAGES, MOONSHOT, SPOT, STOPS, FEE_COSTS];

const FIRST: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);

-- One row per pass that decided something; its id is the decision counter in order ids.
CREATE TABLE pass (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    exit_code INTEGER,
    plan TEXT
);

-- What was to be sent, written before the first byte left.
CREATE TABLE intent (
    client_id TEXT PRIMARY KEY,
    pass_id INTEGER NOT NULL REFERENCES pass (id),
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    qty TEXT NOT NULL,
    limit_price TEXT,
    ref_price TEXT NOT NULL,
    reduce_only INTEGER NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,
    sent_at INTEGER,
    error TEXT
);
CREATE INDEX intent_by_state ON intent (state) WHERE state IN ('planned', 'sending', 'unknown', 'accepted');
CREATE INDEX intent_by_pass ON intent (pass_id);

-- What the exchange made of an intent.
CREATE TABLE \"order\" (
    client_id TEXT PRIMARY KEY REFERENCES intent (client_id),
    order_id INTEGER NOT NULL,
    status TEXT NOT NULL,
    qty TEXT NOT NULL,
    filled_qty TEXT NOT NULL,
    avg_price TEXT,
    updated_at INTEGER NOT NULL
);

CREATE TABLE fill (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    symbol TEXT NOT NULL,
    trade_id INTEGER NOT NULL,
    order_id INTEGER NOT NULL,
    client_id TEXT NOT NULL REFERENCES intent (client_id),
    side TEXT NOT NULL,
    qty TEXT NOT NULL,
    price TEXT NOT NULL,
    fee TEXT NOT NULL,
    fee_asset TEXT NOT NULL,
    realized TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (symbol, trade_id)
);
CREATE INDEX fill_by_client_id ON fill (client_id);

-- The whole row is the key: real TRANSFER rows share a tran_id of 0. The ordinal tells apart rows
-- that are equal in every field.
CREATE TABLE income (
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    symbol TEXT NOT NULL,
    amount TEXT NOT NULL,
    asset TEXT NOT NULL,
    tran_id INTEGER NOT NULL,
    trade_id TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    PRIMARY KEY (at, kind, symbol, amount, asset, tran_id, trade_id, ordinal)
);
CREATE INDEX income_by_trade ON income (symbol, trade_id);

CREATE TABLE equity (
    pass_id INTEGER PRIMARY KEY REFERENCES pass (id),
    at INTEGER NOT NULL,
    equity TEXT NOT NULL,
    -- What the wallet must hold when the next pass looks, if only our own fills changed it.
    wallet TEXT NOT NULL,
    -- The last fill that this expectation contains.
    fill_seq INTEGER NOT NULL,
    units TEXT NOT NULL,
    nav TEXT NOT NULL,
    peak TEXT NOT NULL
);

-- Positions of the last reading: the next one must follow from them.
CREATE TABLE reading (symbol TEXT PRIMARY KEY, qty TEXT NOT NULL, entry TEXT NOT NULL);

-- What our own fills, and changes by others that were noticed, say a position must be.
CREATE TABLE position (
    symbol TEXT PRIMARY KEY,
    qty TEXT NOT NULL,
    managed INTEGER NOT NULL,
    last_fill_at INTEGER,
    confirmed_at INTEGER NOT NULL
);

CREATE TABLE halt (id TEXT PRIMARY KEY, at INTEGER NOT NULL, reason TEXT NOT NULL, cleared_at INTEGER);
CREATE TABLE job (name TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE plan (id TEXT PRIMARY KEY, at INTEGER NOT NULL, plan TEXT NOT NULL);
CREATE TABLE paper (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL);
";

const HALTS_AND_ALERTS: &str = "
-- When everything in scope was found closed; NULL while closing goes on in every pass.
ALTER TABLE halt ADD COLUMN flat_at INTEGER;
UPDATE halt SET flat_at = at;
-- Contracts separated by blanks; empty means all of them.
ALTER TABLE halt ADD COLUMN scope TEXT NOT NULL DEFAULT '';

-- What is wrong now. A row goes when it is over, so that the next time is told again.
CREATE TABLE alert (
    kind TEXT PRIMARY KEY,
    level TEXT NOT NULL,
    raised_at INTEGER NOT NULL,
    told_at INTEGER NOT NULL
);

-- Messages to the owner, in order; they stay until they were delivered.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    level TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    delivered_at INTEGER
);
CREATE INDEX outbox_waiting ON outbox (id) WHERE delivered_at IS NULL;
";

const UNIVERSE: &str = "
-- The coins that the last applied scan chose, with the figures they were chosen by.
CREATE TABLE universe (
    symbol TEXT PRIMARY KEY,
    rank INTEGER NOT NULL,
    sector TEXT NOT NULL,
    since INTEGER NOT NULL,
    evidence TEXT NOT NULL
);

-- Every applied scan in full, to see later why a coin came or went.
CREATE TABLE scan (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, report TEXT NOT NULL);
";

const MONEY: &str = "
-- Every coin of a reading. What a coin earned between two readings follows from both.
CREATE TABLE sample (
    pass_id INTEGER NOT NULL REFERENCES equity (pass_id),
    symbol TEXT NOT NULL,
    qty TEXT NOT NULL,
    entry TEXT NOT NULL,
    mark TEXT,
    unrealized TEXT NOT NULL,
    target TEXT,
    PRIMARY KEY (pass_id, symbol)
) WITHOUT ROWID;

-- What one unit of an asset was worth in the quote asset when a fee was paid in it.
CREATE TABLE asset_price (
    asset TEXT NOT NULL,
    at INTEGER NOT NULL,
    price TEXT NOT NULL,
    PRIMARY KEY (asset, at)
) WITHOUT ROWID;

-- The reading that a row explained: a row may be dated before a reading that did not contain it yet.
ALTER TABLE income ADD COLUMN pass_id INTEGER;

CREATE INDEX income_by_pass ON income (pass_id);
CREATE INDEX fill_by_time ON fill (at);
CREATE INDEX equity_by_time ON equity (at);
";

const MESSAGES: &str = "
-- Whether the text is Telegram's HTML, made of escaped parts, or plain words to be escaped on sending.
ALTER TABLE outbox ADD COLUMN html INTEGER NOT NULL DEFAULT 0;
-- A long message leaves in pieces; the next pass goes on behind those that arrived.
ALTER TABLE outbox ADD COLUMN pieces_sent INTEGER NOT NULL DEFAULT 0;
";

const MOONSHOT: &str = "
-- The highest mark price of a position since its entry, for the stop that follows winners.
CREATE TABLE high (symbol TEXT PRIMARY KEY, entry TEXT NOT NULL, price TEXT NOT NULL);

-- Coins that were sold at a stop are looked for in every pass; they are few among many orders.
CREATE INDEX intent_stopped ON intent (symbol) WHERE reason IN ('stop_loss', 'trailing_stop');
";

const SPOT: &str = "
-- What all of a coin cost in the quote asset, on spot, where nobody else keeps it; 0 on futures.
ALTER TABLE position ADD COLUMN paid TEXT NOT NULL DEFAULT '0';
";

const STOPS: &str = "
-- Stops that rest at the exchange are looked for in every pass; they are few among many orders.
CREATE INDEX intent_resting ON intent (client_id) WHERE state = 'resting';
";

const FEE_COSTS: &str = "
-- What the part of a holding had cost that was taken as the fee, on spot; 0 where the fee came out of the quote asset.
ALTER TABLE fill ADD COLUMN fee_cost TEXT NOT NULL DEFAULT '0';
";

/// Makes or migrates the tables in one transaction, after recognising the file as ours.
pub(super) async fn prepare(ledger: &mut Ledger) -> Result<(), LedgerError> {
    let version = recognise(ledger).await?;
    let known = MIGRATIONS.len();
    let pending = MIGRATIONS.get(version..).unwrap_or_default();
    if pending.is_empty() {
        return Ok(());
    }
    let path = ledger.path.clone();
    let failed = |source| database(&path, source);
    let mut transaction = ledger.db.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    for step in pending {
        sqlx::raw_sql(*step).execute(&mut *transaction).await.map_err(failed)?;
    }
    let by_old_rule =
        MIGRATIONS.iter().position(|step| *step == FEE_COSTS).is_some_and(|index| version <= index);
    if by_old_rule {
        recost::recost(&mut transaction).await.map_err(failed)?;
    }
    let stamp = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {known};");
    sqlx::raw_sql(AssertSqlSafe(stamp)).execute(&mut *transaction).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

/// Whether a file of this version still has to be migrated.
pub(super) fn is_old(version: usize) -> bool {
    (1..MIGRATIONS.len()).contains(&version)
}

/// Checks that the file is a whole ledger of ours (or empty) and returns its schema version.
pub(super) async fn recognise(ledger: &mut Ledger) -> Result<usize, LedgerError> {
    let path = ledger.path.clone();
    let failed = |source| database(&path, source);
    let row = sqlx::query(
        "SELECT (SELECT application_id FROM pragma_application_id) AS application,
                (SELECT user_version FROM pragma_user_version) AS version,
                (SELECT count(*) FROM sqlite_schema) AS tables",
    )
    .fetch_one(&mut ledger.db)
    .await
    .map_err(failed)?;
    let number = |column: &str| row.try_get::<i64, _>(column).map_err(failed);
    let (application, version, tables) = (number("application")?, number("version")?, number("tables")?);
    if tables == 0 {
        return Ok(0);
    }
    if application != APPLICATION_ID {
        return Err(LedgerError::NotOurs(show(&path)));
    }
    let known = MIGRATIONS.len();
    match usize::try_from(version) {
        Ok(version) if version <= known => Ok(version),
        _ => Err(LedgerError::TooNew {
            path: show(&path),
            found: version,
            known: i64::try_from(known).unwrap_or(i64::MAX),
        }),
    }
}
