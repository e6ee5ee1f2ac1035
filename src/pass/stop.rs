//! Closing until nothing is left: the hard stop, and `rebal flatten`.
//!
//! Looks, cancels what waits, closes reduce-only, and looks again, until the exchange shows nothing
//! and no order that could open something can appear any more. A close that was sent twice cannot
//! turn a position round: that is why this loop, unlike a pass, may try again at once. On spot the same
//! holds of a sale of all that is free, and everything means what the ledger manages: other coins of the
//! owner's lie in the same account.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;

use crate::decide::flatten::flatten;
use crate::decide::risk::Limits;
use crate::domain::account::Position;
use crate::domain::num::{Notional, Qty};
use crate::domain::plan::Reason;
use crate::domain::scope::Scope;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::{Exchange, ExchangeError, Exposed, Kind};
use crate::ledger::{Halt, IntentState, Ledger, LedgerError};

use super::act::{self, Sent};
use super::lock::Lock;
use super::{
    Mode, PassError, Prepared, Settings, Stop, Watch, alarm, latch, record, settle, stops, strangers,
};

/// A pass that has not closed everything after this long leaves the rest to the next one.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same, where time stands still.
const MOST_ROUNDS: usize = 30;
/// Rounds in a row that may change nothing, where time stands still.
const MOST_IDLE: usize = 3;
/// "Symbol is closed", "invalid symbol status": asking again within a minute changes nothing.
const CLOSED_CODES: [i64; 3] = [-4141, -4140, -1122];
/// Between looks that change nothing: this long, then twice as long, and so on.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

const HEDGED: &str =
    "the account is in hedge mode, where rebal cannot close: close by hand, then switch to one-way mode";

const NO_BOOKS: &str = "which coins rebal bought stands in its ledger, which cannot be used: name what is to be sold, `rebal flatten --symbols BTC,ETH`";
const TIED_UP: &str = "resting orders of somebody's tie it up; cancel those, then close again";

/// Ended with everything closed, because the hard stop fired.
pub const STOPPED: u8 = 7;
/// Ended with positions left, or with nobody knowing.
pub const NOT_FLAT: u8 = 8;

/// What closing works with.
pub struct Hands<'a, E> {
    /// The account.
    pub exchange: &'a E,
    /// Where every order is written down first.
    pub ledger: &'a mut Ledger,
    /// Keeps the decision counter beside the ledger.
    pub lock: Option<&'a mut Lock>,
    /// Requests under way at once.
    pub concurrency: usize,
    /// Who watches.
    pub watch: &'a dyn Watch,
    /// A request to end.
    pub stop: &'a Stop,
}

/// A position that could not be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The contract.
    pub symbol: Symbol,
    /// Base units, signed.
    pub qty: Qty,
    /// What stood in the way, as far as is known.
    pub reason: String,
}

/// What closing did.
#[derive(Clone, Debug, Default)]
pub struct Closed {
    /// Every order, in the order of sending.
    pub sent: Vec<Sent>,
    /// What the last look still showed.
    pub remaining: Vec<Left>,
    /// Positions that were not to be closed, as the last look showed them.
    pub others: usize,
    /// Waiting orders that were cancelled.
    pub cancelled: usize,
    /// How often orders to close went out.
    pub rounds: usize,
    /// Whether a look behind every fence showed nothing.
    pub flat: bool,
    /// A signal ended it early.
    pub interrupted: bool,
    /// What the owner should know besides.
    pub notes: Vec<String>,
    /// The last pass of the ledger that this made.
    pub last_pass: Option<i64>,
    /// The ledger failed and what was sent is not in it.
    pub unrecorded: bool,
}

impl Closed {
    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// What the process ends with where everything going well means `when_flat`.
    #[must_use]
    pub fn exit_code(&self, when_flat: u8) -> u8 {
        match self {
            _ if self.flat && self.unrecorded => super::record::PARTIAL,
            _ if self.flat => when_flat,
            _ if self.interrupted => super::record::INTERRUPTED,
            _ => NOT_FLAT,
        }
    }
}

/// What a look at the account says.
pub enum Looked {
    /// The loss from the peak is within its limit.
    Within(Box<Prepared>),
    /// Two looks agree that it is not.
    Breached(Box<Prepared>),
}

/// Settles, observes and decides; twice where the drawdown says stop, since one answer of an exchange
/// is not enough to sell everything.
pub async fn look<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    settings: &Settings,
) -> Result<Looked, PassError> {
    let is_breached = |prepared: &Prepared| prepared.nav.drawdown() >= settings.limits.max_drawdown;
    let mut prepared = super::prepare(exchange, ledger, settings, None, Mode::Real).await?;
    if is_breached(&prepared) {
        prepared = super::prepare(exchange, ledger, settings, None, Mode::Real).await?;
    }
    // Whether the owner hears of it decides nothing: a stop must fire on a disk that is full.
    let _ = alarm::looked(ledger, &prepared, &settings.limits).await;
    let breached = is_breached(&prepared);
    let prepared = Box::new(prepared);
    Ok(if breached { Looked::Breached(prepared) } else { Looked::Within(prepared) })
}

/// Keeps what outlives this process of why a pass ended: the alert, and the halt where another ledger
/// closed this account. Returns the halt that is in force then.
pub async fn heed(
    ledger: &mut Ledger,
    folder: &Path,
    at: Time,
    error: &PassError,
) -> Result<Option<Halt>, LedgerError> {
    // The pass has failed already; an alert that cannot be written changes nothing about that.
    let _ = alarm::failed(ledger, at, error).await;
    if !matches!(error, PassError::HaltedElsewhere { .. }) {
        return Ok(None);
    }
    // A halt in force keeps its name: it is what the owner was told to type.
    if let Ok(Some(before)) = latch::in_force(ledger, folder).await {
        ledger.accept_until(at).await?;
        return Ok(Some(before));
    }
    // What that ledger left open is left open, and watched from here on.
    let halt = Halt { flat_at: Some(at), ..latch::halt(at, error.to_string(), Scope::nothing()) };
    latch::set(ledger, folder, &halt).await?;
    ledger.accept_until(at).await?;
    let _ = alarm::halted(ledger, at, &halt, None).await;
    Ok(Some(halt))
}

/// What there is to do under a halt.
pub enum Under {
    /// Nothing: the account stays as it is.
    Rest(Box<Prepared>),
    /// What the halt was to close is not closed yet.
    Close,
    /// What it leaves open has lost too much.
    Breached(Box<Prepared>),
}

/// Watches over what a halt leaves open. Not for one that [`Halt::is_over`]: there a drawdown is what it
/// was when everything was closed.
pub async fn under<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    settings: &Settings,
    halt: &Halt,
) -> Result<Under, PassError> {
    if halt.scope == Scope::All {
        return Ok(Under::Close);
    }
    let prepared = match look(exchange, ledger, settings).await {
        Ok(Looked::Breached(prepared)) if !prepared.seen.snapshot.gross().is_zero() => {
            return Ok(Under::Breached(prepared));
        }
        Ok(Looked::Within(prepared) | Looked::Breached(prepared)) => prepared,
        // What is to be closed is closed without knowing more.
        Err(_) if halt.flat_at.is_none() => return Ok(Under::Close),
        Err(error) => return Err(error),
    };
    if ledger.last_equity().await?.is_none() {
        // A new ledger needs a peak to measure from.
        record::reading(ledger, &prepared, &prepared.nav, "halted").await?;
    }
    Ok(if halt.flat_at.is_some() { Under::Rest(prepared) } else { Under::Close })
}

/// Sets the latch, then closes everything. Nothing is sent before both halves of it are on the disk. A
/// halt that was in force `before` keeps its name.
pub async fn fire<E: Exchange>(
    hands: &mut Hands<'_, E>,
    folder: &Path,
    prepared: &Prepared,
    limits: &Limits,
    before: Option<&Halt>,
) -> Result<(Halt, Closed), PassError> {
    let percent = |rate: crate::domain::num::Rate| rate * crate::domain::num::Rate::from(100);
    let reason = format!(
        "{HARD_STOP}: the drawdown of {:.1} % reached its limit of {:.1} %",
        percent(prepared.nav.drawdown()),
        percent(limits.max_drawdown)
    );
    let mut halt = latch::halt(prepared.seen.snapshot.at, reason, Scope::All);
    if let Some(before) = before.filter(|before| before.id != latch::UNKNOWN) {
        halt.id.clone_from(&before.id);
        halt.at = before.at;
    }
    let note = latch::set(hands.ledger, folder, &halt).await?;
    // Told before a minute of closing begins: nobody knows how that ends. Failing to tell stops nothing.
    let _ = alarm::halted(hands.ledger, halt.at, &halt, None).await;
    // The reading that fired it belongs to the history; without it nothing is closed any later.
    let read = record::reading(hands.ledger, prepared, &prepared.nav, "stopping").await;
    let note = note.or(read.err().map(|error| format!("the reading could not be written down: {error}")));
    let (halt, mut closed) = go_on(hands, folder, halt, Reason::HardStop).await?;
    closed.notes.extend(note);
    Ok((halt, closed))
}

/// Why a halt closes: the word in its orders' rows.
#[must_use]
pub fn reason_of(halt: &Halt) -> Reason {
    if halt.reason.starts_with(HARD_STOP) { Reason::HardStop } else { Reason::Flatten }
}

/// What the reason of a hard stop's halt begins with.
const HARD_STOP: &str = "hard stop";

/// Closes what a halt says is to be closed, and notes in it when that is done.
pub async fn go_on<E: Exchange>(
    hands: &mut Hands<'_, E>,
    folder: &Path,
    mut halt: Halt,
    reason: Reason,
) -> Result<(Halt, Closed), PassError> {
    let mut closed = until_flat(hands, &halt.scope, reason).await?;
    if closed.flat {
        halt.flat_at = Some(hands.exchange.now());
        match latch::set(hands.ledger, folder, &halt).await {
            Ok(note) => closed.notes.extend(note),
            Err(error) => {
                closed.note(format!("that everything is closed could not be written down: {error}"))
            }
        }
    }
    Ok((halt, closed))
}

/// Tells the owner of a halt and what became of closing, and ends the last pass of the ledger with what
/// the process ends with: `when_flat` where all is closed. The orders are out, so what cannot be written
/// down now must not hide what became of them: it is handed back in words.
pub async fn conclude(
    ledger: &mut Ledger,
    at: Time,
    halt: Option<&Halt>,
    closed: &Closed,
    when_flat: u8,
) -> Vec<String> {
    let mut troubles = Vec::new();
    if let Some(halt) = halt
        && let Err(error) = alarm::halted(ledger, at, halt, Some(closed)).await
    {
        troubles.push(format!("the alert could not be written down: {error}"));
    }
    let word = match (closed.flat, halt) {
        (false, _) => "not_flat",
        (true, None) => "closed",
        (true, Some(_)) if when_flat == STOPPED => "stopped",
        (true, Some(_)) => "flattened",
    };
    if let Some(pass_id) = closed.last_pass.filter(|_| !closed.unrecorded)
        && let Err(error) = ledger.end_pass(pass_id, word, closed.exit_code(when_flat)).await
    {
        troubles.push(format!("the end of the pass could not be written down: {error}"));
    }
    troubles
}

/// Lifts the halt, because a person says so. Returns the account as it is, with the peak that the
/// drawdown is measured from now, and the peak before.
///
/// The peak starts anew at what the account is worth: measured from the old one, the stop would fire
/// again at once. What other ledgers ordered up to now is history from here on.
pub async fn resume<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    folder: &Path,
    settings: &Settings,
) -> Result<(Prepared, Notional), PassError> {
    ledger.accept_until(exchange.now()).await?;
    let mut prepared = super::prepare(exchange, ledger, settings, None, Mode::Real).await?;
    let old_peak = prepared.nav.peak;
    prepared.nav.peak = prepared.nav.nav;
    record::reading(ledger, &prepared, &prepared.nav, "resumed").await?;
    let at = prepared.seen.snapshot.at;
    latch::clear(ledger, folder, at).await?;
    let _ = alarm::resumed(ledger, at).await;
    Ok((prepared, old_peak))
}

/// Closes every position in `scope`.
pub async fn until_flat<E: Exchange>(
    hands: &mut Hands<'_, E>,
    scope: &Scope,
    reason: Reason,
) -> Result<Closed, PassError> {
    let mut closing = Closing {
        hands,
        scope: scope.clone(),
        is_all: *scope == Scope::All,
        reason,
        closed: Closed::default(),
        idle: 0,
        deadline: Time::default(),
        complaints: BTreeMap::new(),
    };
    closing.give_up_planned().await;
    closing.deadline = closing.hands.exchange.now() + PATIENCE;
    closing.run().await?;
    Ok(closing.closed)
}

/// What `scope` means on this exchange: on spot everything is what the ledger manages, and whatever an order of
/// ours may still buy. `None` where the ledger does not know: what is not named is not sold.
pub async fn meant<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    scope: &Scope,
) -> Result<Option<Scope>, LedgerError> {
    if *scope != Scope::All || exchange.kind() == Kind::Futures {
        return Ok(Some(scope.clone()));
    }
    Ok(managed(ledger).await?.map(Scope::Symbols))
}

/// The coins that orders of ours bought or may still buy; `None` where the ledger is not the account's own.
async fn managed(ledger: &mut Ledger) -> Result<Option<BTreeSet<Symbol>>, LedgerError> {
    if ledger.forgets() {
        return Ok(None);
    }
    let held = ledger.holdings().await?.into_iter().filter(|(_, holding)| holding.managed);
    let mut symbols: BTreeSet<Symbol> = held.map(|(symbol, _)| symbol).collect();
    symbols.extend(ledger.unresolved().await?.into_iter().map(|intent| intent.symbol));
    Ok(Some(symbols))
}

/// Whether so much of a coin is locked that what is free of it cannot be sold.
fn is_tied_up(exposed: &Exposed, position: &Position) -> bool {
    let Some(locked) = exposed.locked.get(&position.symbol) else { return false };
    let (free, price) = (position.qty - *locked, position.mark_price);
    let rules = exposed.rules.get(&position.symbol).filter(|_| price.is_positive());
    rules.map_or(free, |rules| rules.rounded(free, price, true, true)).is_zero()
}

/// The positions without what resting orders tie up.
fn free(exposed: &Exposed) -> BTreeMap<Symbol, Position> {
    let without = |(symbol, position): (&Symbol, &Position)| {
        let locked = exposed.locked.get(symbol).copied().unwrap_or_default();
        (symbol.clone(), Position { qty: position.qty - locked, ..position.clone() })
    };
    exposed.positions.iter().map(without).collect()
}

struct Closing<'a, 'h, E> {
    hands: &'a mut Hands<'h, E>,
    /// What is to be closed.
    scope: Scope,
    /// Everything is to be closed; what that is on spot is asked of the ledger before every round.
    is_all: bool,
    reason: Reason,
    closed: Closed,
    /// Looks in a row that changed nothing.
    idle: usize,
    deadline: Time,
    /// The last trouble with each contract.
    complaints: BTreeMap<Symbol, Complaint>,
}

/// Why a close did not go through.
struct Complaint {
    text: String,
    /// It will be the same for longer than a pass lasts.
    final_for_now: bool,
}

impl<E: Exchange> Closing<'_, '_, E> {
    async fn run(&mut self) -> Result<(), PassError> {
        if !self.find_scope().await {
            return Ok(());
        }
        self.cancel_waiting().await;
        for _ in 0..MOST_ROUNDS {
            if self.hands.stop.asked() {
                self.closed.interrupted = true;
                return Ok(());
            }
            let goes_on = match self.hands.exchange.exposed().await {
                Err(error) => {
                    self.closed.note(format!("the positions could not be read: {error}"));
                    self.wait_out(&error).await
                }
                // There the two sides of a contract may hide each other.
                Ok(exposed) if exposed.hedge => {
                    self.closed.note(HEDGED.into());
                    return Ok(());
                }
                Ok(exposed) => {
                    if !self.find_scope().await {
                        return Ok(());
                    }
                    self.show(&exposed);
                    match self.closed.remaining.is_empty() {
                        true if self.is_over(&exposed).await => {
                            self.closed.flat = true;
                            self.name_what_stays(&exposed);
                            return Ok(());
                        }
                        false if self.round(&exposed).await? => true,
                        _ => self.may_change() && self.pause().await,
                    }
                }
            };
            if !goes_on {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether trying again may help: a contract that is closed stays closed for longer than a pass.
    fn may_change(&self) -> bool {
        let refused = |left: &Left| {
            let said = self.complaints.get(&left.symbol);
            left.reason == TIED_UP || said.is_some_and(|said| said.final_for_now)
        };
        self.closed.remaining.is_empty() || !self.closed.remaining.iter().all(refused)
    }

    /// Whether a look that showed nothing is the last one: nothing waits at the exchange, no order of
    /// ours can still appear, and our books agree.
    async fn is_over(&mut self, exposed: &Exposed) -> bool {
        match self.last_fence().await {
            Some(until) if until > self.hands.exchange.now() => {
                if !self.wait_until(until).await {
                    self.closed.note(format!("an order of ours may still appear until {until}"));
                }
                return false;
            }
            _ => {}
        }
        // What became of earlier orders comes before the question: one of them may hold a position that
        // this look does not show yet.
        self.settle().await;
        self.cancel_waiting().await == Some(0) && !self.is_doubtful(exposed).await
    }

    /// Brings what is to be closed in line with the books, which learn of it while it is closed; what was meant
    /// before stays meant. False where they do not know.
    async fn find_scope(&mut self) -> bool {
        if !self.is_all || self.closed.unrecorded {
            return true;
        }
        match meant(self.hands.exchange, self.hands.ledger, &Scope::All).await {
            Ok(Some(now)) => {
                self.scope = if self.scope == Scope::All { now } else { self.scope.and(&now) };
                true
            }
            Ok(None) => {
                self.closed.note(NO_BOOKS.into());
                false
            }
            // What was known before is still to be sold.
            Err(error) if self.scope != Scope::All => {
                self.lose_ledger(&error.to_string()).await;
                true
            }
            Err(error) => {
                self.closed.note(format!("{NO_BOOKS} ({error})"));
                false
            }
        }
    }

    /// What is neither sold nor to be sold, once that is all there is.
    fn name_what_stays(&mut self, exposed: &Exposed) {
        let named = |(symbol, qty): (&Symbol, &Qty)| format!("{symbol} {qty}");
        let dust = exposed.dust.iter().filter(|(symbol, _)| self.scope.covers(symbol));
        let dust: Vec<String> = dust.map(named).collect();
        if !dust.is_empty() {
            self.closed.note(format!("too little to be sold, left as it is: {}", dust.join(", ")));
        }
        let others = exposed.positions.iter().filter(|(symbol, _)| !self.scope.covers(symbol));
        let others: Vec<String> = others.map(|(symbol, held)| named((symbol, &held.qty))).collect();
        if self.is_all && !others.is_empty() {
            self.closed.note(format!(
                "rebal did not buy these and leaves them alone: {}; `rebal flatten --symbols` sells what it names",
                others.join(", ")
            ));
        }
    }

    /// Intents of an earlier pass that were never sent must not be sent by anybody now.
    async fn give_up_planned(&mut self) {
        if let Err(error) = settle::abandon_planned(self.hands.ledger).await {
            self.lose_ledger(&error.to_string()).await;
        }
    }

    /// How many orders were found waiting; `None` where they could not be listed. It costs as much as
    /// two quiet passes, so it is not done in every round.
    async fn cancel_waiting(&mut self) -> Option<usize> {
        let exchange = self.hands.exchange;
        let resting = match exchange.resting().await {
            Ok(resting) => resting,
            Err(error) => {
                self.closed.note(format!("waiting orders could not be listed: {error}"));
                return None;
            }
        };
        let of_ours: Vec<_> =
            resting.into_iter().filter(|order| self.is_all || self.scope.covers(&order.symbol)).collect();
        let cancelled = join_all(of_ours.iter().map(|order| exchange.cancel_resting(order))).await;
        let found = of_ours.len();
        for (order, cancelled) in of_ours.iter().zip(cancelled) {
            match cancelled {
                Ok(()) => self.closed.cancelled += 1,
                Err(error) => self.closed.note(format!(
                    "{}: order {} could not be cancelled: {error}",
                    order.symbol, order.client_id
                )),
            }
        }
        Some(found)
    }

    /// Keeps what a look showed.
    fn show(&mut self, exposed: &Exposed) {
        let other = |symbol: &&Symbol| !self.scope.covers(symbol);
        self.closed.others = exposed.positions.keys().filter(other).count();
        let meant = exposed
            .positions
            .values()
            .filter(|position| self.scope.covers(&position.symbol) && !position.qty.is_zero());
        let reason = |position: &Position| match self.complaints.get(&position.symbol) {
            _ if is_tied_up(exposed, position) => TIED_UP.to_owned(),
            Some(said) => said.text.clone(),
            None => "the exchange still shows it".to_owned(),
        };
        self.closed.remaining = meant
            .map(|position| Left {
                symbol: position.symbol.clone(),
                qty: position.qty,
                reason: reason(position),
            })
            .collect();
    }

    /// Whether the exchange shows nothing where our books still hold something, and no trade explains
    /// it: answers that forget every position for half an hour have been seen. Books that are explained
    /// are brought in line.
    async fn is_doubtful(&mut self, exposed: &Exposed) -> bool {
        let mut unresolved = self.hands.ledger.unresolved().await.unwrap_or_default();
        unresolved.extend(self.hands.ledger.resting().await.unwrap_or_default());
        let held = self.hands.ledger.holdings().await.unwrap_or_default();
        let missing =
            held.iter().filter(|(symbol, holding)| self.scope.covers(symbol) && !holding.qty.is_zero());
        let mut closed = Vec::new();
        let spot = self.hands.exchange.kind() == Kind::Spot;
        for (symbol, holding) in missing {
            let dust = exposed.dust.get(symbol).copied().unwrap_or_default();
            // The exchange said itself that this was executed; only the executions are not booked yet.
            if holding.qty + self.executed_unbooked(symbol) == dust {
                continue;
            }
            let Hands { exchange, ledger, .. } = &mut *self.hands;
            match strangers::is_explained(*exchange, ledger, symbol, holding, dust).await {
                // There the next look brings the books in line, with what the trade earned.
                Ok(true) if spot => {}
                Ok(true) => closed.push((symbol.clone(), Qty::ZERO)),
                Ok(false) => {
                    let reason = "the exchange shows nothing, but no trade closed it".to_owned();
                    self.closed.remaining.push(Left { symbol: symbol.clone(), qty: holding.qty, reason });
                }
                Err(error) => {
                    let reason = format!("whether a trade closed it could not be read: {error}");
                    self.closed.remaining.push(Left { symbol: symbol.clone(), qty: holding.qty, reason });
                }
            }
        }
        // What an order of unknown outcome did is booked later, on top of what the books say now.
        closed.retain(|(symbol, _)| unresolved.iter().all(|intent| intent.symbol != *symbol));
        let now = self.hands.exchange.now();
        if let Err(error) = self.hands.ledger.confirm_positions(&closed, now).await {
            self.closed.note(format!("that positions are closed could not be written down: {error}"));
        }
        !self.closed.remaining.is_empty()
    }

    /// What our orders of this pass did to a position by the exchange's word, and the books lack.
    fn executed_unbooked(&self, symbol: &Symbol) -> Qty {
        let unbooked = self
            .closed
            .sent
            .iter()
            .filter(|sent| sent.leg.symbol == *symbol && sent.outcome.state == IntentState::Accepted);
        unbooked.filter_map(|sent| Some(sent.leg.side.signed(sent.outcome.order.as_ref()?.filled_qty))).sum()
    }

    /// One wave of closes; true where something was executed.
    async fn round(&mut self, exposed: &Exposed) -> Result<bool, PassError> {
        let free = free(exposed);
        let approved = flatten(&free, &exposed.rules, &self.scope, self.reason);
        if let Some(lock) = self.hands.lock.as_deref_mut()
            && let (Ok(install), Ok(next)) =
                (self.hands.ledger.install().await, self.hands.ledger.next_pass_id().await)
            && let Err(error) = lock.note(install, next)
        {
            self.closed.note(format!("the lock file could not be written: {error}"));
        }
        if approved.plan().legs.is_empty() {
            return Ok(false);
        }
        self.closed.rounds += 1;
        let hands = &mut *self.hands;
        let (exchange, heard) = (hands.exchange, (hands.watch, hands.stop));
        let acted = act::close(exchange, hands.ledger, hands.concurrency, &approved, exposed.at, heard).await;
        let acted = match acted {
            Ok(acted) => acted,
            Err(PassError::Ledger(error) | PassError::Unrecorded(error)) => {
                self.lose_ledger(&error.to_string()).await;
                return Ok(true);
            }
            Err(other) => return Err(other),
        };
        let mut moved = false;
        for sent in &acted.sent {
            moved |= sent.outcome.order.as_ref().is_some_and(|order| !order.filled_qty.is_zero());
            let text = match &sent.outcome.error {
                Some(error) => error.clone(),
                None if acted.complete() => continue,
                None => "the book was too thin to take all of it".into(),
            };
            let final_for_now = sent.outcome.code.is_some_and(|code| CLOSED_CODES.contains(&code));
            self.complaints.insert(sent.leg.symbol.clone(), Complaint { text, final_for_now });
        }
        self.closed.sent.extend(acted.sent);
        self.closed.last_pass = Some(acted.pass_id);
        if let Err(error) = self.hands.ledger.end_pass(acted.pass_id, "closing", 0).await {
            self.lose_ledger(&error.to_string()).await;
        }
        Ok(moved)
    }

    /// Getting out matters more than writing it down: from here on the books are kept in memory.
    async fn lose_ledger(&mut self, why: &str) {
        if self.closed.unrecorded {
            return;
        }
        self.closed.unrecorded = true;
        self.closed.note(format!("the ledger failed, what is sent now is not in it: {why}"));
        if let Ok(memory) = self.hands.ledger.successor().await {
            *self.hands.ledger = memory;
        }
    }

    /// When the last order that could open something can no longer appear.
    async fn last_fence(&mut self) -> Option<Time> {
        let unresolved = self.hands.ledger.unresolved().await.unwrap_or_default();
        let window = self.hands.exchange.recv_window();
        let opening = unresolved
            .iter()
            .filter(|intent| !intent.reduce_only && intent.state != IntentState::Planned)
            .filter(|intent| self.scope.covers(&intent.symbol));
        opening.filter_map(|intent| Some(settle::fence(intent.sent_at?, window))).max()
    }

    /// Books what became of orders whose answer was lost. Money is safe by now: what fails here is
    /// done by the next pass.
    async fn settle(&mut self) {
        let (exchange, ledger) = (self.hands.exchange, &mut *self.hands.ledger);
        let mut settled = Ok(());
        if !ledger.unresolved().await.unwrap_or_default().is_empty() {
            settled = settle::settle(exchange, ledger).await.map(drop);
        }
        if !ledger.resting().await.unwrap_or_default().is_empty() {
            settled = settled.and(stops::settle_all(exchange, ledger).await.map(drop));
        }
        if let Err(error) = settled {
            self.closed.note(format!("what became of earlier orders is not known yet: {error}"));
        }
    }

    /// Waits as long as an error asks for; false where it cannot be waited out.
    async fn wait_out(&mut self, error: &ExchangeError) -> bool {
        match error {
            ExchangeError::RateLimited { until, .. } => self.wait_until(*until).await,
            ExchangeError::Refused { .. } => false,
            ExchangeError::Unavailable { .. }
            | ExchangeError::Rejected { .. }
            | ExchangeError::Incoherent(_) => self.pause().await,
        }
    }

    /// Waits a little longer each time; false where there is no time left.
    async fn pause(&mut self) -> bool {
        self.idle += 1;
        let exchange = self.hands.exchange;
        if exchange.recv_window().is_zero() {
            return self.idle < MOST_IDLE;
        }
        let doublings = u32::try_from(self.idle - 1).unwrap_or(u32::MAX).min(8);
        let pause = (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE);
        self.wait_until(exchange.now() + pause).await
    }

    async fn wait_until(&self, until: Time) -> bool {
        if until > self.deadline {
            return false;
        }
        tokio::time::sleep(until.since(self.hands.exchange.now())).await;
        true
    }
}
