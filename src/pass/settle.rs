//! What became of the orders of earlier passes.
//!
//! An order that the exchange shows in a final state is booked at once. An order that it does not
//! show is believed absent only behind the fence: a signed order cannot be accepted after its
//! timestamp + receive window, so a "not found" before that says nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use crate::domain::num::Qty;
use crate::domain::order::Order;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::{Exchange, ExchangeError};
use crate::ledger::{Intent, IntentState, Ledger, LedgerError, Outcome};

use super::stops::{self, Became};
use super::{PassError, alarm};

/// Added to the receive window: reads lag behind the engine.
const READ_LAG: Duration = Duration::from_secs(10);
/// How often an order must be not found to be believed absent …
pub(super) const ABSENT_VOTES: u32 = 3;
/// … and over how long.
pub(super) const ABSENT_OVER: Duration = Duration::from_secs(3);

/// What earlier passes left.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// Intents whose end is known now.
    pub resolved: Vec<(Intent, Outcome)>,
    /// Contracts with an order whose outcome is still unknown, and until when it may appear.
    pub quarantined: BTreeMap<Symbol, Time>,
    /// Not found often enough behind the fence: absent, if the position is explained without them.
    pub unfound: Vec<Intent>,
}

/// From when an order signed at `sent_at` can no longer appear.
///
/// Zero receive window means the exchange lives in this process: nothing can be under way.
#[must_use]
pub fn fence(sent_at: Time, recv_window: Duration) -> Time {
    if recv_window.is_zero() { sent_at } else { sent_at + recv_window + READ_LAG }
}

/// Resolves every intent of earlier passes that can be resolved, and books it.
pub async fn settle<E: Exchange>(exchange: &E, ledger: &mut Ledger) -> Result<Settled, PassError> {
    let sent = abandon_planned(ledger).await?;
    let mut settled = Settled::default();
    let mut outcomes = Vec::new();
    // "Not found" says something only if the question was put behind the fence.
    let asked_at = exchange.now();
    let lives_here = exchange.recv_window().is_zero();
    for (intent, found) in sent.iter().zip(look_up(exchange, &sent).await?) {
        match found {
            Found::Final(outcome) => {
                outcomes.push((*outcome).clone());
                settled.resolve(intent, *outcome);
            }
            Found::Pending => settled.quarantine(intent, exchange),
            Found::Nothing if !lives_here && asked_at <= until(intent, exchange) => {
                settled.quarantine(intent, exchange)
            }
            Found::Nothing => settled.unfound.push(intent.clone()),
        }
    }
    ledger.book(&outcomes, exchange.state().as_deref()).await?;
    // Whether the owner hears of it decides nothing.
    let _ = alarm::sold(ledger, asked_at, &settled.resolved).await;
    settled.unfound = vote(exchange, std::mem::take(&mut settled.unfound), &mut settled).await?;
    Ok(settled)
}

/// Gives up what was planned and never sent; returns what may have been sent.
pub(super) async fn abandon_planned(ledger: &mut Ledger) -> Result<Vec<Intent>, LedgerError> {
    let (planned, sent): (Vec<_>, Vec<_>) =
        ledger.unresolved().await?.into_iter().partition(|intent| intent.state == IntentState::Planned);
    let abandoned: Vec<_> =
        planned.iter().map(|intent| Outcome::state(&intent.client_id, IntentState::Abandoned)).collect();
    ledger.book(&abandoned, None).await?;
    Ok(sent)
}

/// What is unresolved, without asking or changing anything.
pub async fn preview<E: Exchange>(exchange: &E, ledger: &mut Ledger) -> Result<Settled, PassError> {
    let mut settled = Settled::default();
    for intent in ledger.unresolved().await? {
        if intent.state != IntentState::Planned {
            settled.quarantine(&intent, exchange);
        }
    }
    Ok(settled)
}

impl Settled {
    /// Keeps what became of an intent, to be told. A stop that nothing came of is no news.
    pub(super) fn resolve(&mut self, intent: &Intent, outcome: Outcome) {
        if !intent.is_stop() || !outcome.fills.is_empty() {
            self.resolved.push((intent.clone(), outcome));
        }
    }

    fn quarantine<E: Exchange>(&mut self, intent: &Intent, exchange: &E) {
        let until = until(intent, exchange);
        let latest = self.quarantined.entry(intent.symbol.clone()).or_insert(until);
        *latest = until.max(*latest);
    }
}

fn until<E: Exchange>(intent: &Intent, exchange: &E) -> Time {
    fence(sent_at(intent, exchange), exchange.recv_window())
}

fn sent_at<E: Exchange>(intent: &Intent, exchange: &E) -> Time {
    intent.sent_at.unwrap_or_else(|| exchange.now())
}

/// What the exchange says of an intent.
pub(super) enum Found {
    /// Its final state, with every execution.
    Final(Box<Outcome>),
    /// It exists and is not final, or its executions are not all visible yet.
    Pending,
    /// No such order.
    Nothing,
}

async fn look_up<E: Exchange>(exchange: &E, intents: &[Intent]) -> Result<Vec<Found>, ExchangeError> {
    join_all(intents.iter().map(|intent| look_up_one(exchange, intent))).await.into_iter().collect()
}

async fn look_up_one<E: Exchange>(exchange: &E, intent: &Intent) -> Result<Found, ExchangeError> {
    if intent.is_stop() {
        return Ok(match stops::became(exchange, intent).await? {
            Became::Waiting(_) => {
                Found::Final(Box::new(Outcome::state(&intent.client_id, IntentState::Resting)))
            }
            Became::Known(found) => found,
        });
    }
    let Some(mut order) = exchange.order(&intent.symbol, &intent.client_id).await? else {
        return Ok(Found::Nothing);
    };
    if !order.status.is_final() {
        exchange.cancel(&intent.symbol, &intent.client_id).await?;
        match exchange.order(&intent.symbol, &intent.client_id).await? {
            Some(again) => order = again,
            None => return Ok(Found::Pending),
        }
    }
    complete(exchange, &intent.client_id, order).await
}

/// A final order with all its executions, or pending while some are not visible yet.
pub(super) async fn complete<E: Exchange>(
    exchange: &E,
    client_id: &str,
    order: Order,
) -> Result<Found, ExchangeError> {
    if !order.status.is_final() {
        return Ok(Found::Pending);
    }
    let fills = if order.filled_qty.is_zero() {
        Vec::new()
    } else {
        exchange.fills_of(&order.symbol, order.order_id).await?
    };
    let visible: Qty = fills.iter().map(|fill| fill.qty).sum();
    if visible != order.filled_qty {
        return Ok(Found::Pending);
    }
    let outcome = Outcome {
        client_id: client_id.to_owned(),
        state: IntentState::Done,
        order: Some(order),
        fills,
        error: None,
        code: None,
    };
    Ok(Found::Final(Box::new(outcome)))
}

/// Asks again until enough answers over enough time agree that an order does not exist, and then
/// for the list of everything the contract saw since; whatever turns up is quarantined and settled
/// by the next pass.
async fn vote<E: Exchange>(
    exchange: &E,
    mut unfound: Vec<Intent>,
    settled: &mut Settled,
) -> Result<Vec<Intent>, PassError> {
    if exchange.recv_window().is_zero() {
        return Ok(unfound);
    }
    unfound = vote_by_id(exchange, unfound, settled).await?;
    let listed =
        unfound.iter().map(|intent| exchange.orders_since(&intent.symbol, sent_at(intent, exchange)));
    let listed: Result<Vec<_>, ExchangeError> = join_all(listed).await.into_iter().collect();
    let mut absent = Vec::new();
    for (intent, orders) in unfound.into_iter().zip(listed?) {
        if orders.iter().any(|order| order.client_id == intent.client_id) {
            settled.quarantine(&intent, exchange);
        } else {
            absent.push(intent);
        }
    }
    Ok(absent)
}

async fn vote_by_id<E: Exchange>(
    exchange: &E,
    mut unfound: Vec<Intent>,
    settled: &mut Settled,
) -> Result<Vec<Intent>, PassError> {
    for _ in 1..ABSENT_VOTES {
        if unfound.is_empty() {
            break;
        }
        tokio::time::sleep(ABSENT_OVER / (ABSENT_VOTES - 1)).await;
        let mut still = Vec::new();
        for (intent, found) in unfound.iter().zip(look_up(exchange, &unfound).await?) {
            match found {
                Found::Nothing => still.push(intent.clone()),
                Found::Final(_) | Found::Pending => settled.quarantine(intent, exchange),
            }
        }
        unfound = still;
    }
    Ok(unfound)
}
