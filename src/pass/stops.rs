//! Stops that rest at the exchange: what became of them, and what has to change until each coin has its own.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};

use crate::decide::stops::{self as decided, ApprovedStop, Comparison, Placing};
use crate::domain::fill::Fill;
use crate::domain::num::{Notional, Qty};
use crate::domain::order::Resting;
use crate::domain::plan::{Leg, Warning};
use crate::domain::snapshot::{Block, Coin};
use crate::domain::stop::{Conditional, StopAction, StopChange, StopRequest, StopStatus};
use crate::domain::symbol::Symbol;
use crate::exchange::{Exchange, ExchangeError, Observation, Reply};
use crate::ledger::{Intent, IntentState, Ledger, LedgerError, Outcome};
use crate::strategy::Strategy;

use super::act::{self, Sent};
use super::settle::{ABSENT_OVER, ABSENT_VOTES, Found, Settled, complete};
use super::{Mode, PassError, Prepared, Settings, alarm};

/// What the exchange says of a stop.
pub(super) enum Became {
    /// It waits for its trigger.
    Waiting(Box<Conditional>),
    /// What is said of any other order.
    Known(Found),
}

/// What became of a stop: what it did, it did through the order that was born of it.
pub(super) async fn became<E: Exchange>(exchange: &E, intent: &Intent) -> Result<Became, ExchangeError> {
    let Some(stop) = exchange.conditional(&intent.client_id).await? else {
        return Ok(Became::Known(Found::Nothing));
    };
    let nothing = || Found::Final(Box::new(Outcome::state(&intent.client_id, IntentState::Done)));
    let found = match (stop.order_id, &stop.status) {
        (None, StopStatus::Waiting) => return Ok(Became::Waiting(Box::new(stop))),
        (None, StopStatus::Gone) => nothing(),
        (None, StopStatus::Fired | StopStatus::Other(_)) => Found::Pending,
        (Some(number), status) => match exchange.order_numbered(&intent.symbol, number).await? {
            Some(order) => complete(exchange, &intent.client_id, order).await?,
            None if *status == StopStatus::Gone => nothing(),
            None => Found::Pending,
        },
    };
    Ok(Became::Known(found))
}

/// Stops of ours as a look found them.
#[derive(Clone, Debug, Default)]
pub struct Rest {
    /// Those that wait at the exchange.
    pub waiting: Vec<Conditional>,
    /// Those among them that the ledger takes for something else, and are to be noted as resting.
    pub(super) noted: Vec<String>,
    /// Those among them that an earlier ledger placed.
    pub(super) inherited: Vec<StopRequest>,
}

/// Whether stops are of any concern: the strategy wants some, or some are left of an earlier one.
pub(super) async fn concern(ledger: &mut Ledger, settings: &Settings) -> Result<bool, LedgerError> {
    Ok(settings.strategy.rests_stops() || !ledger.resting().await?.is_empty())
}

/// Asks, of all at once, what became of stops that are not among the `listed` ones, or whose position `moved`,
/// and books it. Returns whether one of them traded: the look is older than that.
///
/// A stop that the list lacks and the exchange still knows as waiting joins the list.
pub(super) async fn settle<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    settled: &mut Settled,
    listed: &mut Vec<Conditional>,
    moved: &BTreeSet<Symbol>,
    mode: Mode,
) -> Result<bool, PassError> {
    let is_listed = |intent: &Intent| listed.iter().any(|stop| stop.client_id == intent.client_id);
    let resting = ledger.resting().await?;
    let asked: Vec<Intent> =
        resting.into_iter().filter(|intent| !is_listed(intent) || moved.contains(&intent.symbol)).collect();
    let found =
        join_all(asked.iter().map(|intent| ask(exchange, intent, moved.contains(&intent.symbol)))).await;
    let found: Vec<Became> = found.into_iter().collect::<Result<_, ExchangeError>>()?;
    let mut ended = Vec::new();
    for (intent, became) in asked.into_iter().zip(found) {
        match became {
            Became::Waiting(stop) => {
                if listed.iter().all(|listed| listed.client_id != stop.client_id) {
                    listed.push(*stop);
                }
                continue;
            }
            Became::Known(Found::Pending) => {
                settled.quarantined.insert(intent.symbol.clone(), exchange.now());
            }
            Became::Known(Found::Final(outcome)) => ended.push((intent.clone(), *outcome)),
            Became::Known(Found::Nothing) => {
                ended.push((intent.clone(), Outcome::state(&intent.client_id, IntentState::Absent)));
            }
        }
        listed.retain(|listed| listed.client_id != intent.client_id);
    }
    if mode == Mode::Preview {
        let traded = ended.iter().filter(|(_, outcome)| !outcome.fills.is_empty());
        settled.quarantined.extend(traded.map(|(intent, _)| (intent.symbol.clone(), exchange.now())));
        return Ok(false);
    }
    let outcomes: Vec<Outcome> = ended.iter().map(|(_, outcome)| outcome.clone()).collect();
    if !outcomes.is_empty() {
        ledger.book(&outcomes, exchange.state().as_deref()).await?;
    }
    let traded = outcomes.iter().any(|outcome| !outcome.fills.is_empty());
    // Whether the owner hears of it decides nothing.
    let _ = alarm::sold(ledger, exchange.now(), &ended).await;
    ended.into_iter().for_each(|(intent, outcome)| settled.resolve(&intent, outcome));
    Ok(traded)
}

/// Asks for one stop; where its position moved, "not found" is believed only when it is said again and
/// again: what it did would be taken for somebody else's doing.
async fn ask<E: Exchange>(exchange: &E, intent: &Intent, moved: bool) -> Result<Became, ExchangeError> {
    let mut votes = if moved && !exchange.recv_window().is_zero() { ABSENT_VOTES } else { 1 };
    loop {
        votes -= 1;
        match became(exchange, intent).await? {
            Became::Known(Found::Nothing) if votes > 0 => {
                tokio::time::sleep(ABSENT_OVER / (ABSENT_VOTES - 1)).await;
            }
            found => return Ok(found),
        }
    }
}

/// Settles every stop that the ledger takes for resting, whatever a list would say.
pub(super) async fn settle_all<E: Exchange>(exchange: &E, ledger: &mut Ledger) -> Result<Settled, PassError> {
    let mut settled = Settled::default();
    settle(exchange, ledger, &mut settled, &mut Vec::new(), &BTreeSet::new(), Mode::Real).await?;
    Ok(settled)
}

/// Contracts whose position is not what our books say.
pub(super) async fn moved(ledger: &mut Ledger, found: &Observation) -> Result<BTreeSet<Symbol>, LedgerError> {
    let holdings = ledger.holdings().await?;
    let held = |symbol: &Symbol| found.positions.get(symbol).map_or(Qty::ZERO, |position| position.qty);
    let differs = holdings.iter().filter(|(symbol, holding)| held(symbol) != holding.qty);
    Ok(differs.map(|(symbol, _)| symbol.clone()).collect())
}

/// Tells our stops from others'. Those with our prefix that this ledger did not place stop the pass,
/// unless a person accepted what earlier ledgers did; others' are left alone and named.
pub(super) async fn tell_apart(
    ledger: &mut Ledger,
    listed: Vec<Conditional>,
) -> Result<(Rest, Vec<Warning>), PassError> {
    let accepted = ledger.accepted_until().await?;
    let (ours, theirs): (Vec<_>, Vec<_>) = listed.into_iter().partition(Conditional::is_ours);
    let mut rest = Rest::default();
    let mut foreign = Vec::new();
    for stop in ours {
        match ledger.intent_state(&stop.client_id).await? {
            Some(IntentState::Resting) => {}
            Some(_) => rest.noted.push(stop.client_id.clone()),
            None if accepted.is_some_and(|accepted| stop.created <= accepted) => {
                rest.inherited.push(request_of(&stop));
            }
            None => foreign.push(format!("{} {}", stop.symbol, stop.client_id)),
        }
        rest.waiting.push(stop);
    }
    if !foreign.is_empty() {
        return Err(PassError::Foreign(foreign));
    }
    let warnings = theirs.iter().map(|stop| Warning {
        code: "foreign_stop".into(),
        symbol: Some(stop.symbol.clone()),
        detail: format!(
            "a conditional order that rebal did not make waits there ({} {} at {}); it is left alone",
            stop.side.as_str(),
            stop.kind,
            stop.trigger
        ),
    });
    Ok((rest, warnings.collect()))
}

fn request_of(stop: &Conditional) -> StopRequest {
    StopRequest {
        symbol: stop.symbol.clone(),
        side: stop.side,
        trigger: stop.trigger,
        client_id: stop.client_id.clone(),
    }
}

/// What stops at the exchange sold since the last look, as warnings.
pub(super) fn executed(resolved: &[(Intent, Outcome)]) -> Vec<Warning> {
    let sold = |(intent, outcome): &&(Intent, Outcome)| intent.is_stop() && !outcome.fills.is_empty();
    let stops = resolved.iter().filter(sold);
    stops
        .map(|(intent, outcome)| {
            let qty: Qty = outcome.fills.iter().map(|fill| fill.qty).sum();
            let worth: Notional = outcome.fills.iter().map(Fill::notional).sum();
            let profit: Notional = outcome.fills.iter().map(|fill| fill.realized).sum();
            let price =
                worth.over_qty(qty).map_or_else(String::new, |price| format!(" at {}", price.rounded(10)));
            Warning {
                code: "exchange_stop".into(),
                symbol: Some(intent.symbol.clone()),
                detail: format!("its stop at the exchange sold {qty}{price}, realised {profit:+.2}"),
            }
        })
        .collect()
}

/// What a decision does to the stops; `None` where they are of no concern.
#[must_use]
pub fn planned(prepared: &Prepared, strategy: &dyn Strategy) -> Option<Comparison> {
    let rest = prepared.seen.rest.as_ref()?;
    Some(decided::planned(strategy, &prepared.seen.snapshot.coins, &prepared.plan().legs, &rest.waiting))
}

/// The stops as they stand now; `None` where they are of no concern.
#[must_use]
pub fn standing(prepared: &Prepared, strategy: &dyn Strategy) -> Option<Comparison> {
    let rest = prepared.seen.rest.as_ref()?;
    Some(decided::compare(strategy, &prepared.seen.snapshot.coins, &rest.waiting))
}

/// One change and what became of it.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The change.
    pub change: StopChange,
    /// Our id of the stop that is placed or cancelled.
    pub client_id: String,
    /// What went wrong, in words.
    pub error: Option<String>,
}

/// Keeps the stops of a pass that is under way.
pub(super) struct Keeper<'a, E> {
    pub(super) exchange: &'a E,
    pub(super) settings: &'a Settings,
    pub(super) pass_id: i64,
    /// What rests, as far as is known.
    waiting: Vec<Conditional>,
    /// Numbers given to stops of this pass.
    numbers: u8,
    pub(super) changed: Vec<Changed>,
    /// Coins that are left without one, and why.
    pub(super) unguarded: Vec<(Symbol, String)>,
}

/// Refused because there is one already that closes the position.
const ONE_IS_THERE: i64 = -4130;
/// It would go off at once.
const AT_ONCE: i64 = -2021;
/// No more conditional orders are kept.
const NO_ROOM: i64 = -4045;

impl<'a, E: Exchange> Keeper<'a, E> {
    /// Begins with what the look found; `None` where stops are of no concern.
    pub(super) async fn new(
        exchange: &'a E,
        ledger: &mut Ledger,
        settings: &'a Settings,
        prepared: &Prepared,
        pass_id: i64,
    ) -> Result<Option<Keeper<'a, E>>, LedgerError> {
        let Some(rest) = &prepared.seen.rest else { return Ok(None) };
        let inherited: Vec<&StopRequest> = rest.inherited.iter().collect();
        if !inherited.is_empty() {
            ledger.adopt_stops(pass_id, &inherited).await?;
        }
        let (waiting, changed, unguarded) = (rest.waiting.clone(), Vec::new(), Vec::new());
        Ok(Some(Keeper { exchange, settings, pass_id, waiting, numbers: 0, changed, unguarded }))
    }

    /// Before any order: cancels the stops that will have nothing to close, those of coins that the pass
    /// sells itself among them. Resting orders that cover a position make the exchange refuse its sale.
    pub(super) async fn clear(&mut self, coins: &BTreeMap<Symbol, Coin>, legs: &[Leg]) {
        let found = decided::planned(self.settings.strategy.as_ref(), coins, legs, &self.waiting);
        self.remove(&found).await;
    }

    /// Whether anything was cancelled or sent.
    pub(super) fn has_acted(&self) -> bool {
        !self.changed.is_empty()
    }

    async fn remove(&mut self, found: &Comparison) {
        let removals: Vec<StopChange> =
            found.changes().into_iter().filter(|change| change.action == StopAction::Remove).collect();
        let stops: Vec<Conditional> = found.remove.iter().map(|(stop, _)| stop.clone()).collect();
        let errors = self.cancel(&stops).await;
        for ((change, stop), error) in removals.into_iter().zip(stops).zip(errors) {
            self.changed.push(Changed { change, client_id: stop.client_id, error });
        }
    }

    /// Cancels; what was wrong with each. What became of them the next pass asks: one that is gone may
    /// have gone off.
    async fn cancel(&mut self, stops: &[Conditional]) -> Vec<Option<String>> {
        let orders = stops.iter().map(|stop| Resting {
            symbol: stop.symbol.clone(),
            client_id: stop.client_id.clone(),
            conditional: true,
        });
        let exchange = self.exchange;
        let one = |order: Resting| async move { (exchange.cancel_resting(&order).await, order.client_id) };
        let done: Vec<_> =
            stream::iter(orders.map(one)).buffered(self.settings.concurrency.max(1)).collect().await;
        let failed = |(done, client_id): (Result<(), ExchangeError>, String)| match done {
            Ok(()) => {
                self.waiting.retain(|stop| stop.client_id != client_id);
                None
            }
            Err(error) => Some(format!("it could not be cancelled: {error}")),
        };
        done.into_iter().map(failed).collect()
    }

    /// After the orders: every held coin gets its stop. The right one comes before a wrong one goes, so
    /// that a coin is never without any.
    pub(super) async fn protect(
        &mut self,
        ledger: &mut Ledger,
        (coins, unread): &(BTreeMap<Symbol, Coin>, BTreeSet<Symbol>),
    ) -> Result<(), LedgerError> {
        let found = decided::compare(self.settings.strategy.as_ref(), coins, &self.waiting);
        let named: BTreeSet<&Symbol> = found.unguarded.iter().map(|(symbol, _)| symbol).collect();
        let bought = unread.iter().filter(|symbol| !named.contains(symbol));
        let bought = bought.filter(|symbol| self.waiting.iter().all(|stop| stop.symbol != **symbol));
        let why = "what was bought is not shown yet: the next pass places it";
        self.unguarded.extend(bought.map(|symbol| (symbol.clone(), why.to_owned())));
        self.unguarded.extend(found.unguarded.iter().cloned());
        self.remove(&found).await;
        let answers = self.send(ledger, &found.place).await?;
        let mut again = Vec::new();
        for (placing, (approved, outcome)) in found.place.iter().zip(answers) {
            let mut error = outcome.error.clone();
            if outcome.state == IntentState::Resting {
                let left: Vec<String> =
                    self.cancel(placing.instead_of()).await.into_iter().flatten().collect();
                error = left.first().map(|error| format!("the stop in whose place it is: {error}"));
            } else if outcome.code == Some(ONE_IS_THERE) && !placing.instead_of().is_empty() {
                // Two are not allowed: the shortest possible moment is without any.
                self.cancel(placing.instead_of()).await;
                again.push(placing.clone());
                continue;
            }
            self.note(placing, &approved, error);
        }
        let answers = self.send(ledger, &again).await?;
        for (placing, (approved, outcome)) in again.iter().zip(answers) {
            self.note(placing, &approved, outcome.error);
        }
        Ok(())
    }

    fn note(&mut self, placing: &Placing, approved: &ApprovedStop, error: Option<String>) {
        let client_id = approved.request().client_id.clone();
        self.changed.push(Changed { change: placing.change(), client_id, error });
    }

    /// Sends stops, each once: on the disk as SENDING before any byte leaves, and what became of each
    /// after it.
    async fn send(
        &mut self,
        ledger: &mut Ledger,
        placing: &[Placing],
    ) -> Result<Vec<(ApprovedStop, Outcome)>, LedgerError> {
        // What has no number left is found missing by the next pass.
        let room = usize::from(u8::MAX - self.numbers);
        let (install, decision) = (ledger.install().await?, u32::try_from(self.pass_id).unwrap_or(u32::MAX));
        let mut approved = Vec::new();
        for placing in placing.iter().take(room) {
            approved.push(placing.approve(install, decision, self.numbers));
            self.numbers += 1;
        }
        if approved.is_empty() {
            return Ok(Vec::new());
        }
        let requests: Vec<&StopRequest> = approved.iter().map(ApprovedStop::request).collect();
        ledger.plan_stops(self.pass_id, &requests).await?;
        let stamp = self.exchange.now();
        let ids: Vec<String> = requests.iter().map(|request| request.client_id.clone()).collect();
        ledger.mark_sending(&ids, stamp).await?;
        let exchange = self.exchange;
        let one = |stop: &ApprovedStop| {
            let stop = stop.clone();
            async move {
                let reply = in_words(exchange.place_stop(&stop, stamp).await);
                // One that went off at once is asked for by the next pass, which books what it did.
                act::classify(&stop.request().client_id, reply, |placed| match placed.status {
                    StopStatus::Waiting => (IntentState::Resting, None),
                    _ => (IntentState::Accepted, None),
                })
            }
        };
        let waiting = approved.iter().map(one);
        let outcomes: Vec<Outcome> =
            stream::iter(waiting).buffered(self.settings.concurrency.max(1)).collect().await;
        ledger.book(&outcomes, self.exchange.state().as_deref()).await?;
        Ok(approved.into_iter().zip(outcomes).collect())
    }
}

/// The answer to a stop, with what the exchange's refusal means for it.
fn in_words(reply: Reply<Conditional>) -> Reply<Conditional> {
    let Reply::Rejected { code, msg } = reply else { return reply };
    let msg = match code {
        AT_ONCE => "the price is at its stop already, the next pass sells it".to_owned(),
        NO_ROOM => format!("{msg} An account may have 200 conditional orders, others' included"),
        _ => msg,
    };
    Reply::Rejected { code, msg }
}

/// The coins as they stand after the orders: by the second look where it shows what the fills of this pass
/// explain, and by the first one otherwise, blocked, since nothing follows from it. Answers that forget every
/// position have been seen: a coin that nobody touched would read as flat, and lose its stop. Those that the
/// pass traded, and of which something should be held, are named.
pub(super) fn coins_after(
    coins: &BTreeMap<Symbol, Coin>,
    sent: &[Sent],
    after: Option<&Observation>,
) -> (BTreeMap<Symbol, Coin>, BTreeSet<Symbol>) {
    let mut coins = coins.clone();
    let mut unread = BTreeSet::new();
    for (symbol, coin) in &mut coins {
        let of_coin: Vec<&Outcome> =
            sent.iter().filter(|sent| sent.leg.symbol == *symbol).map(|sent| &sent.outcome).collect();
        let orders = of_coin.iter().filter_map(|outcome| outcome.order.as_ref());
        let expected = coin.qty() + orders.map(|order| order.side.signed(order.filled_qty)).sum();
        let ended = of_coin.iter().all(|outcome| {
            !matches!(outcome.state, IntentState::Sending | IntentState::Unknown | IntentState::Accepted)
        });
        let shown = match after {
            Some(after) => {
                coin.market = after.markets.get(symbol).copied().or(coin.market);
                let position = after.positions.get(symbol).filter(|position| !position.qty.is_zero());
                let is_explained = position.map_or(Qty::ZERO, |position| position.qty) == expected;
                if is_explained {
                    coin.position = position.cloned();
                }
                is_explained && ended
            }
            None => of_coin.is_empty(),
        };
        // What is blocked for these two reasons is not touched either way, and they say more.
        if !shown && !matches!(coin.block, Some(Block::Unresolved { .. } | Block::Isolated)) {
            coin.block = Some(Block::Stale);
            if !of_coin.is_empty() && !expected.is_zero() {
                unread.insert(symbol.clone());
            }
        }
    }
    (coins, unread)
}
