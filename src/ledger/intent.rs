//! Intents: written before a byte leaves, resolved by what the exchange says.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row};

use super::{Ledger, LedgerError, coins, database, keep_paper};
use crate::domain::fill::Fill;
use crate::domain::num::{Price, Qty};
use crate::domain::order::{ClientId, Order, OrderKind, OrderRequest, Purpose, Side};
use crate::domain::plan::{Leg, Reason};
use crate::domain::stop::StopRequest;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// Where an intent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentState {
    /// Decided; no byte has left.
    Planned,
    /// A byte may have left.
    Sending,
    /// Sent, and the answer was lost.
    Unknown,
    /// The exchange has the order; its fills are not all booked yet.
    Accepted,
    /// A stop that the exchange keeps until its price is reached.
    Resting,
    /// Final, all fills booked.
    Done,
    /// Definitely refused.
    Rejected,
    /// No byte left.
    NotSent,
    /// Proven never to have reached the exchange.
    Absent,
    /// Given up before it was sent.
    Abandoned,
}

impl IntentState {
    fn as_str(self) -> &'static str {
        match self {
            IntentState::Planned => "planned",
            IntentState::Sending => "sending",
            IntentState::Unknown => "unknown",
            IntentState::Accepted => "accepted",
            IntentState::Resting => "resting",
            IntentState::Done => "done",
            IntentState::Rejected => "rejected",
            IntentState::NotSent => "not_sent",
            IntentState::Absent => "absent",
            IntentState::Abandoned => "abandoned",
        }
    }

    fn read(text: &str) -> Option<IntentState> {
        use IntentState::{
            Abandoned, Absent, Accepted, Done, NotSent, Planned, Rejected, Resting, Sending, Unknown,
        };
        [Planned, Sending, Unknown, Accepted, Resting, Done, Rejected, NotSent, Absent, Abandoned]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// One order that was decided on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Our id.
    pub client_id: String,
    /// The pass that decided it.
    pub pass_id: i64,
    /// The contract.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Base units.
    pub qty: Qty,
    /// The worst acceptable price; `None` for a market order.
    pub limit_price: Option<Price>,
    /// May only shrink a position.
    pub reduce_only: bool,
    /// Why, in the plan's word.
    pub reason: String,
    /// Where it stands.
    pub state: IntentState,
    /// The signed timestamp, exchange time.
    pub sent_at: Option<Time>,
}

impl Intent {
    /// Whether it is a stop that rests at the exchange rather than an order for now.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        ClientId::read(&self.client_id).is_some_and(|id| id.purpose == Purpose::Stop)
    }
}

/// What became of an intent, to be written down in one transaction.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Our id.
    pub client_id: String,
    /// Where it stands now.
    pub state: IntentState,
    /// The exchange's view, where known.
    pub order: Option<Order>,
    /// Executions to book.
    pub fills: Vec<Fill>,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// The exchange's code, where it refused.
    pub code: Option<i64>,
}

impl Outcome {
    /// An outcome without order, fills or error.
    #[must_use]
    pub fn state(client_id: &str, state: IntentState) -> Outcome {
        Outcome {
            client_id: client_id.to_owned(),
            state,
            order: None,
            fills: Vec::new(),
            error: None,
            code: None,
        }
    }
}

/// One pass to be recorded.
#[derive(Clone, Debug)]
pub struct PassRow {
    /// Exchange time.
    pub at: Time,
    /// A word: `traded`, `nothing_to_do`, …
    pub outcome: String,
    /// What the process ends with; `None` while it runs.
    pub exit_code: Option<u8>,
    /// The plan as JSON.
    pub plan: String,
}

impl Ledger {
    /// The id that the next pass will get.
    pub async fn next_pass_id(&mut self) -> Result<i64, LedgerError> {
        let row = sqlx::query(
            "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'pass'), 0) + 1 AS next",
        )
        .fetch_one(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        self.integer(&row, "next")
    }

    /// The last pass that read the account or planned an order; zero before the first. A pass that was
    /// refused before that changed nothing.
    pub async fn last_change(&mut self) -> Result<i64, LedgerError> {
        let row = sqlx::query(
            "SELECT max(coalesce((SELECT max(pass_id) FROM equity), 0),
                        coalesce((SELECT max(pass_id) FROM intent), 0)) AS last",
        )
        .fetch_one(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        self.integer(&row, "last")
    }

    /// One transaction: the decision and all its intents as PLANNED. Nothing was sent before it.
    pub async fn plan_pass(
        &mut self,
        pass: &PassRow,
        orders: &[(&OrderRequest, &Leg)],
    ) -> Result<i64, LedgerError> {
        let path = self.path.clone();
        let failed = |source| database(&path, source);
        let mut transaction = self.db.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let pass_id = sqlx::query("INSERT INTO pass (at, outcome, plan) VALUES (?, ?, ?)")
            .bind(pass.at.ms())
            .bind(&pass.outcome)
            .bind(&pass.plan)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?
            .last_insert_rowid();
        for (order, leg) in orders {
            insert_intent(&mut transaction, pass_id, order, leg).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        Ok(pass_id)
    }

    /// One transaction: stops of a pass that is under way, as PLANNED.
    pub async fn plan_stops(&mut self, pass_id: i64, stops: &[&StopRequest]) -> Result<(), LedgerError> {
        self.insert_stops(pass_id, stops, IntentState::Planned).await
    }

    /// Takes over stops that an earlier ledger placed and that rest at the exchange.
    pub async fn adopt_stops(&mut self, pass_id: i64, stops: &[&StopRequest]) -> Result<(), LedgerError> {
        self.insert_stops(pass_id, stops, IntentState::Resting).await
    }

    async fn insert_stops(
        &mut self,
        pass_id: i64,
        stops: &[&StopRequest],
        state: IntentState,
    ) -> Result<(), LedgerError> {
        let path = self.path.clone();
        let failed = |source| database(&path, source);
        let mut transaction = self.db.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        for stop in stops {
            // How much it closes is known once it has.
            sqlx::query(
                "INSERT INTO intent (client_id, pass_id, symbol, side, qty, ref_price, reduce_only, reason, state)
                 VALUES (?, ?, ?, ?, '0', ?, 1, ?, ?)",
            )
            .bind(&stop.client_id)
            .bind(pass_id)
            .bind(stop.symbol.as_str())
            .bind(stop.side.as_str())
            .bind(stop.trigger.to_string())
            .bind(Reason::StopLoss.as_str())
            .bind(state.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// Marks intents SENDING with their signed timestamp, all of them or none. When this returns, it is
    /// on the disk.
    pub async fn mark_sending(&mut self, client_ids: &[String], stamp: Time) -> Result<(), LedgerError> {
        let path = self.path.clone();
        let failed = |source| database(&path, source);
        let mut transaction = self.db.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        for client_id in client_ids {
            let marked = sqlx::query(
                "UPDATE intent SET state = 'sending', sent_at = ? WHERE client_id = ? AND state = 'planned'",
            )
            .bind(stamp.ms())
            .bind(client_id)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
            if marked.rows_affected() != 1 {
                // Another pass has settled it meanwhile, and may have traded in its place.
                return Err(LedgerError::TakenOver(client_id.clone()));
            }
        }
        transaction.commit().await.map_err(failed)
    }

    /// One transaction: what became of intents, their orders and fills, the positions that follow,
    /// and the paper account where there is one. Fills booked before are booked once.
    pub async fn book(&mut self, outcomes: &[Outcome], paper: Option<&str>) -> Result<(), LedgerError> {
        if outcomes.is_empty() && paper.is_none() {
            return Ok(());
        }
        let path = self.path.clone();
        let failed = |source| database(&path, source);
        let coins_in = self.coins_in.clone();
        let mut transaction = self.db.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        for outcome in outcomes {
            write_outcome(&mut transaction, outcome).await.map_err(failed)?;
            for fill in &outcome.fills {
                if !insert_fill(&mut transaction, &outcome.client_id, fill).await.map_err(failed)? {
                    continue;
                }
                let moved = match &coins_in {
                    None => move_position(&mut transaction, fill).await,
                    Some(quote) => coins::book(&mut transaction, fill, quote).await,
                };
                moved.map_err(failed)?;
            }
        }
        if let Some(state) = paper {
            keep_paper(&mut transaction, state).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// Closes a pass with its outcome.
    pub async fn end_pass(&mut self, pass_id: i64, outcome: &str, exit_code: u8) -> Result<(), LedgerError> {
        sqlx::query("UPDATE pass SET outcome = ?, exit_code = ? WHERE id = ?")
            .bind(outcome)
            .bind(i64::from(exit_code))
            .bind(pass_id)
            .execute(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        Ok(())
    }

    /// Intents whose end is not known: PLANNED, SENDING, UNKNOWN, ACCEPTED.
    pub async fn unresolved(&mut self) -> Result<Vec<Intent>, LedgerError> {
        let rows = sqlx::query(
            "SELECT * FROM intent WHERE state IN ('planned', 'sending', 'unknown', 'accepted') ORDER BY client_id",
        )
        .fetch_all(&mut self.db)
        .await
        .map_err(|source| database(&self.path, source))?;
        rows.iter().map(|row| self.intent(row)).collect()
    }

    /// Stops that rested at the exchange when it was last asked.
    pub async fn resting(&mut self) -> Result<Vec<Intent>, LedgerError> {
        let rows = sqlx::query("SELECT * FROM intent WHERE state = 'resting' ORDER BY client_id")
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        rows.iter().map(|row| self.intent(row)).collect()
    }

    /// The state of the intent with this id; `None` where this ledger never made it.
    pub async fn intent_state(&mut self, client_id: &str) -> Result<Option<IntentState>, LedgerError> {
        let row = sqlx::query("SELECT state FROM intent WHERE client_id = ?")
            .bind(client_id)
            .fetch_optional(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        let Some(row) = row else { return Ok(None) };
        let word = self.text(&row, "state")?;
        IntentState::read(&word).map(Some).ok_or_else(|| self.damaged("intent.state", &word))
    }

    /// How many intents stand in each state.
    pub async fn intent_counts(&mut self) -> Result<BTreeMap<String, i64>, LedgerError> {
        let rows = sqlx::query("SELECT state, count(*) AS n FROM intent GROUP BY state")
            .fetch_all(&mut self.db)
            .await
            .map_err(|source| database(&self.path, source))?;
        rows.iter().map(|row| Ok((self.text(row, "state")?, self.integer(row, "n")?))).collect()
    }

    fn intent(&self, row: &SqliteRow) -> Result<Intent, LedgerError> {
        let state = self.text(row, "state")?;
        let sent_at: Option<i64> = row.try_get("sent_at").map_err(|source| database(&self.path, source))?;
        Ok(Intent {
            client_id: self.text(row, "client_id")?,
            pass_id: self.integer(row, "pass_id")?,
            symbol: self.parsed(row, "symbol")?,
            side: self.parsed(row, "side")?,
            qty: self.parsed(row, "qty")?,
            limit_price: self.optional_parsed(row, "limit_price")?,
            reduce_only: self.integer(row, "reduce_only")? != 0,
            reason: self.text(row, "reason")?,
            state: IntentState::read(&state).ok_or_else(|| self.damaged("intent.state", &state))?,
            sent_at: sent_at.and_then(Time::from_ms),
        })
    }
}

async fn insert_intent(
    db: &mut SqliteConnection,
    pass_id: i64,
    order: &OrderRequest,
    leg: &Leg,
) -> Result<(), sqlx::Error> {
    let limit_price = match order.kind {
        OrderKind::Limit { price, .. } => Some(price.to_string()),
        OrderKind::Market => None,
    };
    sqlx::query(
        "INSERT INTO intent (client_id, pass_id, symbol, side, qty, limit_price, ref_price, reduce_only, reason, state)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'planned')",
    )
    .bind(&order.client_id)
    .bind(pass_id)
    .bind(order.symbol.as_str())
    .bind(order.side.as_str())
    .bind(order.qty.to_string())
    .bind(limit_price)
    .bind(leg.ref_price.to_string())
    .bind(i64::from(order.reduce_only))
    .bind(leg.reason.as_str())
    .execute(db)
    .await
    .map(|_| ())
}

async fn write_outcome(db: &mut SqliteConnection, outcome: &Outcome) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE intent SET state = ?, error = ? WHERE client_id = ?")
        .bind(outcome.state.as_str())
        .bind(&outcome.error)
        .bind(&outcome.client_id)
        .execute(&mut *db)
        .await?;
    let Some(order) = &outcome.order else { return Ok(()) };
    sqlx::query(
        "INSERT INTO \"order\" (client_id, order_id, status, qty, filled_qty, avg_price, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (client_id) DO UPDATE SET status = excluded.status, filled_qty = excluded.filled_qty,
             avg_price = coalesce(excluded.avg_price, avg_price), updated_at = excluded.updated_at",
    )
    .bind(&outcome.client_id)
    .bind(order.order_id)
    .bind(order.status.as_str())
    .bind(order.qty.to_string())
    .bind(order.filled_qty.to_string())
    .bind(order.avg_price.map(|price| price.to_string()))
    .bind(order.updated.ms())
    .execute(db)
    .await
    .map(|_| ())
}

/// Books one execution; false where it was booked before.
async fn insert_fill(db: &mut SqliteConnection, client_id: &str, fill: &Fill) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO fill (symbol, trade_id, order_id, client_id, side, qty, price, fee, fee_asset, realized, at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (symbol, trade_id) DO NOTHING",
    )
    .bind(fill.symbol.as_str())
    .bind(fill.trade_id)
    .bind(fill.order_id)
    .bind(client_id)
    .bind(fill.side.as_str())
    .bind(fill.qty.to_string())
    .bind(fill.price.to_string())
    .bind(fill.fee.to_string())
    .bind(&fill.fee_asset)
    .bind(fill.realized.to_string())
    .bind(fill.at.ms())
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What our own fill does to the position that we expect to read.
async fn move_position(db: &mut SqliteConnection, fill: &Fill) -> Result<(), sqlx::Error> {
    let row = sqlx::query("SELECT qty FROM position WHERE symbol = ?")
        .bind(fill.symbol.as_str())
        .fetch_optional(&mut *db)
        .await?;
    let before: Qty = match row {
        Some(row) => {
            row.try_get::<String, _>("qty")?.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?
        }
        None => Qty::ZERO,
    };
    let after = before + fill.signed_qty();
    sqlx::query(
        "INSERT INTO position (symbol, qty, managed, last_fill_at, confirmed_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (symbol) DO UPDATE SET qty = excluded.qty,
             managed = excluded.managed,
             last_fill_at = max(excluded.last_fill_at, coalesce(last_fill_at, 0))",
    )
    .bind(fill.symbol.as_str())
    .bind(after.to_string())
    // What is closed is ours no longer: whoever opens it next may be somebody else.
    .bind(i64::from(!after.is_zero()))
    .bind(fill.at.ms())
    .bind(fill.at.ms())
    .execute(db)
    .await
    .map(|_| ())
}
