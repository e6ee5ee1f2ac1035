//! Orders go out: intents first, reductions before increases, each order exactly once.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};

use crate::decide::risk::{self, Approved, ApprovedOrder, Limits};
use crate::domain::num::{Notional, Qty};
use crate::domain::order::Order;
use crate::domain::plan::{Leg, Plan, Setting};
use crate::domain::snapshot::Snapshot;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::{Exchange, ExchangeError, Kind, Observation, Reply};
use crate::ledger::{IntentState, Ledger, Outcome, PassRow};
use crate::wire::binance::error;

use super::stops::{self, Changed, Keeper};
use super::{PassError, Prepared, Settings, Stop, Watch};

/// One leg and what became of it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The leg.
    pub leg: Leg,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a pass did.
#[derive(Clone, Debug)]
pub struct Acted {
    /// The pass, once it has an id.
    pub pass_id: i64,
    /// Every leg in the order it was planned.
    pub sent: Vec<Sent>,
    /// The account after it, where it could be read.
    pub after: Option<Observation>,
    /// What was changed about the stops at the exchange.
    pub stops: Vec<Changed>,
    /// Coins that are left without the stop that they should have there, and why.
    pub unguarded: Vec<(Symbol, String)>,
    /// What went wrong besides single legs.
    pub notes: Vec<String>,
    /// A signal ended it early.
    pub interrupted: bool,
}

impl Acted {
    /// Whether every leg is final, filled in full and booked.
    #[must_use]
    pub fn complete(&self) -> bool {
        let filled = |sent: &Sent| {
            let filled = sent.outcome.order.as_ref().map_or(Qty::ZERO, |order| order.filled_qty);
            // The exchange trims a reduce-only order to the position; what it accepted is the measure.
            let wanted =
                sent.outcome.order.as_ref().map_or(sent.leg.qty, |order| order.qty.min(sent.leg.qty));
            sent.outcome.state == IntentState::Done && filled == wanted
        };
        self.sent.iter().all(filled)
    }

    /// Whether every change to the stops at the exchange was made.
    #[must_use]
    pub fn stops_stand(&self) -> bool {
        self.stops.iter().all(|changed| changed.error.is_none())
    }

    /// What the fills of this pass did to the wallet, in `quote`.
    #[must_use]
    pub fn wallet_change(&self, quote: &str) -> Notional {
        let of_fill = |fill: &crate::domain::fill::Fill| {
            let fee = if fill.fee_asset == quote { fill.fee } else { Notional::ZERO };
            fill.realized - fee
        };
        self.sent.iter().flat_map(|sent| &sent.outcome.fills).map(of_fill).sum()
    }
}

/// Carries out an approved plan.
pub async fn act<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    settings: &Settings,
    prepared: &Prepared,
    approved: &Approved,
    watch: &dyn Watch,
    stop: &Stop,
) -> Result<Acted, PassError> {
    let snapshot = &prepared.seen.snapshot;
    let (pass_id, orders) = decide(ledger, approved, snapshot.at).await?;
    let mut keeper = Keeper::new(exchange, ledger, settings, prepared, pass_id).await?;
    if let Some(keeper) = keeper.as_mut().filter(|_| !stop.asked()) {
        keeper.clear(&snapshot.coins, &approved.plan().legs).await;
    }
    let mut sending = Sending::new(exchange, ledger, (watch, stop), settings.concurrency, snapshot.at);
    let notes = match orders.is_empty() {
        true => Vec::new(),
        false => sending
            .both_waves(&orders, approved.plan(), snapshot, &settings.limits)
            .await
            .map_err(super::unrecorded)?,
    };
    let mut outcomes = sending.outcomes;
    let after = if orders.is_empty() {
        None
    } else {
        let (finished, after) =
            futures_util::future::join(read_back(exchange, &outcomes), exchange.observe()).await;
        outcomes.extend(finished);
        after.ok()
    };
    let sent = record(exchange, ledger, &orders, outcomes).await?;
    // A signal is heeded where nothing was changed: what was bought, or lost its stop, gets one.
    if let Some(keeper) = keeper.as_mut()
        && (!stop.asked() || keeper.has_acted() || !sent.is_empty())
    {
        let coins = stops::coins_after(&snapshot.coins, &sent, after.as_ref());
        let kept = keeper.protect(ledger, &coins).await;
        kept.map_err(|error| super::unrecorded(error.into()))?;
    }
    let (stops, unguarded) = keeper.map(|keeper| (keeper.changed, keeper.unguarded)).unwrap_or_default();
    Ok(Acted { pass_id, sent, after, stops, unguarded, notes, interrupted: stop.asked() })
}

/// Sends orders that only close, in one wave: nothing among them waits for anything.
pub(super) async fn close<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    concurrency: usize,
    approved: &Approved,
    looked_at: Time,
    (watch, stop): (&dyn Watch, &Stop),
) -> Result<Acted, PassError> {
    let (pass_id, orders) = decide(ledger, approved, looked_at).await?;
    let mut sending = Sending::new(exchange, ledger, (watch, stop), concurrency, looked_at);
    sending.one_wave(&orders).await.map_err(super::unrecorded)?;
    let mut outcomes = sending.outcomes;
    let finished = read_back(exchange, &outcomes).await;
    outcomes.extend(finished);
    let sent = record(exchange, ledger, &orders, outcomes).await?;
    Ok(Acted {
        pass_id,
        sent,
        after: None,
        stops: Vec::new(),
        unguarded: Vec::new(),
        notes: Vec::new(),
        interrupted: stop.asked(),
    })
}

/// One transaction: the decision and all its intents, before anything is sent.
async fn decide<'a>(
    ledger: &mut Ledger,
    approved: &'a Approved,
    at: Time,
) -> Result<(i64, Vec<(ApprovedOrder, &'a Leg)>), PassError> {
    let plan = approved.plan();
    let row = PassRow {
        at,
        outcome: "running".into(),
        exit_code: None,
        // A quiet pass has nothing to explain, and there are a hundred thousand of them in a year.
        plan: if plan.legs.is_empty() {
            String::new()
        } else {
            serde_json::to_string(plan).unwrap_or_default()
        },
    };
    let install = ledger.install().await?;
    let decision = ledger.next_pass_id().await?;
    let orders = approved.orders(install, u32::try_from(decision).unwrap_or(u32::MAX));
    let listed: Vec<_> = orders.iter().map(|(order, leg)| (order.request(), *leg)).collect();
    let pass_id = ledger.plan_pass(&row, &listed).await?;
    Ok((pass_id, orders))
}

/// Books what became of every order.
async fn record<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    orders: &[(ApprovedOrder, &Leg)],
    mut outcomes: BTreeMap<String, Outcome>,
) -> Result<Vec<Sent>, PassError> {
    let mut sent: Vec<Sent> = orders
        .iter()
        .filter_map(|(order, leg)| {
            let outcome = outcomes.remove(&order.request().client_id)?;
            Some(Sent { leg: (*leg).clone(), outcome })
        })
        .collect();
    let booked: Vec<Outcome> = sent.iter().map(|sent| sent.outcome.clone()).collect();
    let written = ledger.book(&booked, exchange.state().as_deref()).await;
    written.map_err(|error| super::unrecorded(error.into()))?;
    if exchange.kind() == Kind::Spot {
        // What was realised is in our books alone.
        for Sent { outcome, .. } in &mut sent {
            let fills = ledger.booked_fills(&outcome.client_id).await;
            outcome.fills = fills.map_err(|error| super::unrecorded(error.into()))?;
        }
    }
    Ok(sent)
}

/// Why no further increase goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trouble {
    #[default]
    None,
    Unknown,
    NoMargin,
}

struct Sending<'a, E> {
    exchange: &'a E,
    ledger: &'a mut Ledger,
    watch: &'a dyn Watch,
    stop: &'a Stop,
    concurrency: usize,
    trouble: Cell<Trouble>,
    outcomes: BTreeMap<String, Outcome>,
    /// When the account was looked at that all this was decided on.
    looked_at: Time,
}

const NO_ROOM: &str = "not sent: a reduction that was to make room for it did not fill";

/// A wave that would leave later than this after the look it was decided on stays here.
const OLDEST_LOOK: Duration = Duration::from_secs(30);

impl<'a, E: Exchange> Sending<'a, E> {
    fn new(
        exchange: &'a E,
        ledger: &'a mut Ledger,
        (watch, stop): (&'a dyn Watch, &'a Stop),
        concurrency: usize,
        looked_at: Time,
    ) -> Sending<'a, E> {
        let (trouble, outcomes) = (Cell::default(), BTreeMap::new());
        Sending { exchange, ledger, watch, stop, concurrency, trouble, outcomes, looked_at }
    }

    /// Everything at once.
    async fn one_wave(&mut self, orders: &[(ApprovedOrder, &Leg)]) -> Result<(), PassError> {
        self.watch.sending(orders.len());
        let orders: Vec<&ApprovedOrder> = orders.iter().map(|(order, _)| order).collect();
        let stamp = self.mark(&orders).await?;
        let replies = self.send(&orders, stamp).await;
        self.note(replies).await
    }

    /// Reductions together with the margin settings of the increases, then the increases.
    async fn both_waves(
        &mut self,
        orders: &[(ApprovedOrder, &Leg)],
        plan: &Plan,
        snapshot: &Snapshot,
        limits: &Limits,
    ) -> Result<Vec<String>, PassError> {
        self.watch.sending(orders.len());
        let (reductions, increases): (Vec<_>, Vec<_>) =
            orders.iter().map(|(order, _)| order).partition(|order| order.request().reduce_only);
        if !self.may_send() {
            let why = self.why_not();
            orders.iter().for_each(|(order, _)| self.give_up(order, why));
            self.book_given_up().await?;
            return Ok(Vec::new());
        }
        let stamp = self.mark(&reductions).await?;
        let settings = set_margins(self.exchange, &plan.settings);
        let (replies, unset) = futures_util::future::join(self.send(&reductions, stamp), settings).await;
        self.note(replies).await?;
        let (blocked, increases): (Vec<_>, Vec<_>) =
            increases.into_iter().partition(|order| unset.contains_key(&order.request().symbol));
        for order in blocked {
            let why = unset.get(&order.request().symbol).cloned().unwrap_or_default();
            self.give_up(order, &why);
        }
        let room = if self.may_increase() { self.room(orders, &increases, snapshot, limits) } else { 0 };
        if self.may_increase() && room < increases.len() {
            let (paid, unpaid) = increases.split_at(room);
            self.increase(paid).await?;
            unpaid.iter().for_each(|order| self.give_up(order, NO_ROOM));
        } else if self.may_increase() {
            self.increase(&increases).await?;
        } else {
            let why = self.why_not();
            increases.iter().for_each(|order| self.give_up(order, why));
        }
        self.book_given_up().await?;
        Ok(unset.iter().map(|(symbol, why)| format!("{symbol}: {why}")).collect())
    }

    async fn increase(&mut self, orders: &[&ApprovedOrder]) -> Result<(), PassError> {
        let stamp = self.mark(orders).await?;
        let replies = self.send(orders, stamp).await;
        self.note(replies).await
    }

    /// How many of the increases, the first ones, may go: all or none of them on margin; on spot those that
    /// what is there and what the sales really brought pay for.
    fn room(
        &self,
        orders: &[(ApprovedOrder, &Leg)],
        increases: &[&ApprovedOrder],
        snapshot: &Snapshot,
        limits: &Limits,
    ) -> usize {
        if self.exchange.kind() == Kind::Futures {
            return if self.has_room(orders, snapshot, limits) { increases.len() } else { 0 };
        }
        let leg_of = |order: &&ApprovedOrder| {
            let id = &order.request().client_id;
            orders.iter().find(|(other, _)| other.request().client_id == *id).map(|(_, leg)| (*leg).clone())
        };
        let purchases: Vec<Leg> = increases.iter().filter_map(leg_of).collect();
        let sold = orders.iter().filter_map(|(order, leg)| self.sold(order, leg)).collect::<Vec<_>>();
        risk::affordable(snapshot, limits, &sold, &purchases)
    }

    /// A sale as it really filled.
    fn sold(&self, order: &ApprovedOrder, leg: &Leg) -> Option<Leg> {
        let outcome = self.outcomes.get(&order.request().client_id).filter(|_| leg.reduce_only)?;
        let done = outcome.order.as_ref()?;
        let price = done.avg_price.or(leg.limit_price).unwrap_or(leg.ref_price);
        let notional = done.filled_qty * price;
        let est_fee = leg.est_fee * done.filled_qty.over(leg.qty)?;
        let (qty, limit_price) = (done.filled_qty, Some(price));
        Some(Leg { qty, notional, est_fee, limit_price, ..leg.clone() })
    }

    /// Whether the increases keep to their limits with what the reductions really filled.
    fn has_room(&self, orders: &[(ApprovedOrder, &Leg)], snapshot: &Snapshot, limits: &Limits) -> bool {
        let outcome_of = |order: &ApprovedOrder| self.outcomes.get(&order.request().client_id);
        let filled = |order: &ApprovedOrder| {
            outcome_of(order)
                .and_then(|outcome| outcome.order.as_ref())
                .map_or(Qty::ZERO, |order| order.filled_qty)
        };
        let reduced = |(order, leg): &(ApprovedOrder, &Leg)| !leg.reduce_only || filled(order) == leg.qty;
        if orders.iter().all(reduced) {
            return true;
        }
        let legs: Vec<Leg> = orders
            .iter()
            .map(|(order, leg)| {
                let qty = if leg.reduce_only { filled(order) } else { leg.qty };
                Leg { qty, notional: qty * leg.ref_price, ..(*leg).clone() }
            })
            .collect();
        risk::has_room(snapshot, limits, &legs)
    }

    fn may_send(&self) -> bool {
        !self.stop.asked() && self.exchange.now().since(self.looked_at) <= OLDEST_LOOK
    }

    fn may_increase(&self) -> bool {
        self.trouble.get() == Trouble::None && self.may_send()
    }

    async fn book_given_up(&mut self) -> Result<(), PassError> {
        let given_up = self.outcomes.values().filter(|outcome| outcome.state == IntentState::Abandoned);
        let given_up: Vec<Outcome> = given_up.cloned().collect();
        Ok(self.ledger.book(&given_up, self.exchange.state().as_deref()).await?)
    }

    fn why_not(&self) -> &'static str {
        match self.trouble.get() {
            Trouble::Unknown => "not sent: the outcome of an earlier order of this pass is unknown",
            Trouble::NoMargin => "not sent: the exchange reports insufficient margin",
            Trouble::None if self.stop.asked() => "not sent: the pass was interrupted",
            Trouble::None => "not sent: the look at the account is too old by now",
        }
    }

    fn give_up(&mut self, order: &ApprovedOrder, why: &str) {
        let client_id = order.request().client_id.clone();
        let outcome =
            Outcome { error: Some(why.to_owned()), ..Outcome::state(&client_id, IntentState::Abandoned) };
        self.outcomes.insert(client_id, outcome);
    }

    /// Makes the intents of a wave durable as SENDING before any byte leaves.
    async fn mark(&mut self, orders: &[&ApprovedOrder]) -> Result<Time, PassError> {
        let stamp = self.exchange.now();
        let ids: Vec<String> = orders.iter().map(|order| order.request().client_id.clone()).collect();
        if !ids.is_empty() {
            self.ledger.mark_sending(&ids, stamp).await?;
        }
        Ok(stamp)
    }

    /// Sends a wave, at most `concurrency` at once. Once one outcome is unknown, increases that have
    /// not left yet stay here; reductions still go, since less exposure is never the worse surprise.
    async fn send(&self, orders: &[&ApprovedOrder], stamp: Time) -> Vec<(String, Reply)> {
        let one = |order: &ApprovedOrder| {
            let order = order.clone();
            async move {
                let client_id = order.request().client_id.clone();
                if self.trouble.get() != Trouble::None && !order.request().reduce_only || self.stop.asked() {
                    return (client_id, Reply::NotSent(self.why_not().to_owned()));
                }
                let reply = self.exchange.place(&order, stamp).await;
                self.heed(&reply, order.request().reduce_only);
                self.watch.answered();
                (client_id, reply)
            }
        };
        let waiting = orders.iter().map(|order| one(order));
        stream::iter(waiting).buffer_unordered(self.concurrency.max(1)).collect().await
    }

    fn heed(&self, reply: &Reply, reduces: bool) {
        match reply {
            Reply::Unknown(_) => self.trouble.set(Trouble::Unknown),
            // Margin, or on spot the quote asset, ran out: no further increase can succeed.
            Reply::Rejected { code, msg } if !reduces && error::is_unaffordable(*code, msg) => {
                self.trouble.set(Trouble::NoMargin);
            }
            _ => {}
        }
    }

    /// Writes down the answers of a wave before the next one leaves.
    async fn note(&mut self, replies: Vec<(String, Reply)>) -> Result<(), PassError> {
        let outcomes: Vec<Outcome> = replies
            .into_iter()
            .map(|(client_id, reply)| {
                classify(&client_id, reply, |order| (IntentState::Accepted, Some(order)))
            })
            .collect();
        self.ledger.book(&outcomes, self.exchange.state().as_deref()).await?;
        self.outcomes.extend(outcomes.into_iter().map(|outcome| (outcome.client_id.clone(), outcome)));
        Ok(())
    }
}

/// What the answer to the intent `client_id` says of it; `taken` tells the state of what the exchange took, and
/// its order where one was born.
pub(super) fn classify<T>(
    client_id: &str,
    reply: Reply<T>,
    taken: impl FnOnce(T) -> (IntentState, Option<Order>),
) -> Outcome {
    let of = |state, error| Outcome { error, ..Outcome::state(client_id, state) };
    match reply {
        Reply::Accepted(it) => {
            let (state, order) = taken(it);
            Outcome { order, ..of(state, None) }
        }
        Reply::Rejected { code, msg } => {
            Outcome { code: Some(code), ..of(IntentState::Rejected, Some(format!("{msg} ({code})"))) }
        }
        Reply::NotSent(why) => of(IntentState::NotSent, Some(why)),
        Reply::Unknown(why) => of(IntentState::Unknown, Some(why)),
    }
}

/// Brings margin type and leverage in line; returns what could not be set, and why.
async fn set_margins<E: Exchange>(exchange: &E, settings: &[Setting]) -> BTreeMap<Symbol, String> {
    let one = async |setting: &Setting| -> Result<(), ExchangeError> {
        if setting.to_cross {
            exchange.set_cross(&setting.symbol).await?;
        }
        match setting.leverage {
            Some(leverage) => exchange.set_leverage(&setting.symbol, leverage).await,
            None => Ok(()),
        }
    };
    let done = join_all(settings.iter().map(one)).await;
    let failed = settings.iter().zip(done).filter_map(|(setting, done)| {
        done.err().map(|error| {
            (setting.symbol.clone(), format!("its margin type or leverage could not be set: {error}"))
        })
    });
    failed.collect()
}

/// One wave: the executions of every accepted order. What is not visible yet stays ACCEPTED and is
/// settled by the next pass.
async fn read_back<E: Exchange>(
    exchange: &E,
    outcomes: &BTreeMap<String, Outcome>,
) -> Vec<(String, Outcome)> {
    let accepted = outcomes.values().filter(|outcome| outcome.state == IntentState::Accepted).cloned();
    let finished = join_all(accepted.map(|outcome| finish(exchange, outcome))).await;
    finished.into_iter().map(|outcome| (outcome.client_id.clone(), outcome)).collect()
}

async fn finish<E: Exchange>(exchange: &E, outcome: Outcome) -> Outcome {
    let Some(order) = outcome.order.clone() else { return outcome };
    let order = if order.status.is_final() {
        order
    } else {
        match exchange.order(&order.symbol, &order.client_id).await {
            Ok(Some(order)) => order,
            _ => return outcome,
        }
    };
    if !order.status.is_final() {
        return outcome;
    }
    let Ok(fills) = fills(exchange, &order).await else { return outcome };
    let visible: Qty = fills.iter().map(|fill| fill.qty).sum();
    if visible != order.filled_qty {
        return outcome;
    }
    let avg_price = order.avg_price.or_else(|| {
        let worth: Notional = fills.iter().map(crate::domain::fill::Fill::notional).sum();
        worth.over_qty(visible)
    });
    Outcome { state: IntentState::Done, order: Some(Order { avg_price, ..order }), fills, ..outcome }
}

async fn fills<E: Exchange>(
    exchange: &E,
    order: &Order,
) -> Result<Vec<crate::domain::fill::Fill>, ExchangeError> {
    if order.filled_qty.is_zero() {
        return Ok(Vec::new());
    }
    exchange.fills_of(&order.symbol, order.order_id).await
}
