//! What every command does that holds the lock: heed bans and the latch, look, stop, tell.

use std::cell::RefCell;
use std::path::Path;

use crate::domain::history::{Reading, Sample};
use crate::domain::plan::Reason;
use crate::domain::scope::Scope;
use crate::domain::time::Time;
use crate::error::{CommandError, Kind};
use crate::exchange::{Exchange, ExchangeError};
use crate::ledger::{Halt, Ledger, PassRow};
use crate::pass::lock::{self, Lock};
use crate::pass::stop::{self, Closed, Hands, Looked, Under};
use crate::pass::{PassError, Prepared, Settings, Stop, Watch, latch, record};
use crate::ui::{Progress, Ui};

use super::context::Context;
use super::venue;

/// The open state folder, and the signal to stop.
pub(super) struct Desk<'a> {
    pub(super) context: &'a Context,
    pub(super) folder: &'a Path,
    pub(super) ledger: &'a mut Ledger,
    /// `None` where only closing goes on and the lock file cannot be written.
    pub(super) lock: Option<&'a mut Lock>,
    pub(super) stop: &'a Stop,
    /// What the last look of this run saw, as long as nothing was closed since.
    pub(super) seen: Option<(Reading, Vec<Sample>)>,
    /// The exchange's time at the start, as far as it is known without asking.
    pub(super) presumed: Time,
    /// The number that the next pass would get.
    next_pass: i64,
    /// Exchange time when the run was over; `None` where it ended before anybody told it.
    pub(super) ended: Option<Time>,
}

/// What every command needs that trades: the lock, and the ledger behind it.
pub(super) async fn open(context: &Context) -> Result<(Lock, Ledger), CommandError> {
    let folder = context.state_folder()?;
    let lock = lock::take(folder)?;
    let mut ledger = Ledger::open(folder).await?;
    // Before an alert, a failed pass or a halt is written into books that are another account's.
    ledger.belongs_to(&venue::environment(context)).await?;
    Ok((lock, ledger))
}

impl<'a> Desk<'a> {
    pub(super) async fn new(
        context: &'a Context,
        ledger: &'a mut Ledger,
        lock: Option<&'a mut Lock>,
        stop: &'a Stop,
    ) -> Desk<'a> {
        let presumed = context.now(ledger).await.unwrap_or(context.started);
        let next_pass = ledger.next_pass_id().await.unwrap_or_default();
        let folder = &context.folders.state;
        Desk { context, folder, ledger, lock, stop, seen: None, presumed, next_pass, ended: None }
    }

    /// Writes down a pass that ended before it could decide anything, so that the list of passes does not
    /// end with the last good one. Never one that found its ledger unusable or out of date.
    pub(super) async fn note_failure(&mut self, done: &Result<u8, CommandError>) {
        let kind = match done {
            Ok(code) if *code == Kind::Halted.exit_code() => Kind::Halted,
            Err(error) if matches!(error.kind, Kind::Unavailable | Kind::Foreign | Kind::Halted) => {
                error.kind
            }
            _ => return,
        };
        if self.ledger.next_pass_id().await.ok() != Some(self.next_pass) {
            return;
        }
        let at = self.ended.unwrap_or(self.presumed);
        let row = PassRow { at, outcome: kind.as_str().into(), exit_code: None, plan: String::new() };
        if let Ok(pass_id) = self.ledger.plan_pass(&row, &[]).await {
            drop(self.ledger.end_pass(pass_id, &row.outcome, kind.exit_code()).await);
        }
    }
}

impl Desk<'_> {
    /// The halt in force.
    pub(super) async fn halt(&mut self) -> Result<Option<Halt>, CommandError> {
        Ok(latch::hold(self.ledger, self.folder).await?)
    }

    /// One look at the account, and a second where the first says stop.
    pub(super) async fn look<E: Exchange>(
        &mut self,
        exchange: &E,
        settings: &Settings,
    ) -> Result<Looked, CommandError> {
        let looked = stop::look(exchange, self.ledger, settings).await;
        let looked = self.heed(exchange, looked).await?;
        let (Looked::Within(prepared) | Looked::Breached(prepared)) = &looked;
        self.seen = Some(record::look(prepared));
        Ok(looked)
    }

    /// Watches over what a halt leaves open.
    pub(super) async fn under<E: Exchange>(
        &mut self,
        exchange: &E,
        settings: &Settings,
        halt: &Halt,
    ) -> Result<Under, CommandError> {
        let under = stop::under(exchange, self.ledger, settings, halt).await;
        let under = self.heed(exchange, under).await?;
        if let Under::Rest(prepared) | Under::Breached(prepared) = &under {
            self.seen = Some(record::look(prepared));
        }
        Ok(under)
    }

    /// Sets the latch and closes everything.
    pub(super) async fn hard_stop<E: Exchange>(
        &mut self,
        exchange: &E,
        settings: &Settings,
        prepared: &Prepared,
        before: Option<&Halt>,
    ) -> Result<(Halt, Closed), CommandError> {
        let (folder, watch) = (self.folder, Watching::new(&self.context.ui));
        let mut hands = self.hands(exchange, &watch);
        let fired = stop::fire(&mut hands, folder, prepared, &settings.limits, before).await;
        drop(watch);
        let (halt, closed) = self.heed(exchange, fired).await?;
        self.conclude(self.now(exchange), Some(&halt), &closed, stop::STOPPED).await;
        Ok((halt, closed))
    }

    /// Closes what a halt says is to be closed; the process ends with `when_flat` once that is done.
    pub(super) async fn go_on<E: Exchange>(
        &mut self,
        exchange: &E,
        halt: Halt,
        when_flat: u8,
    ) -> Result<(Halt, Closed), CommandError> {
        let (folder, watch) = (self.folder, Watching::new(&self.context.ui));
        let reason = stop::reason_of(&halt);
        let mut hands = self.hands(exchange, &watch);
        let done = stop::go_on(&mut hands, folder, halt, reason).await;
        drop(watch);
        let (halt, closed) = self.heed(exchange, done).await?;
        self.conclude(self.now(exchange), Some(&halt), &closed, when_flat).await;
        Ok((halt, closed))
    }

    /// Closes `scope` and halts nothing.
    pub(super) async fn close_only<E: Exchange>(
        &mut self,
        exchange: &E,
        scope: &Scope,
    ) -> Result<Closed, CommandError> {
        let watch = Watching::new(&self.context.ui);
        let mut hands = self.hands(exchange, &watch);
        let done = stop::until_flat(&mut hands, scope, Reason::Flatten).await;
        drop(watch);
        let closed = self.heed(exchange, done).await?;
        self.conclude(self.now(exchange), None, &closed, 0).await;
        Ok(closed)
    }

    fn hands<'b, E: Exchange>(&'b mut self, exchange: &'b E, watch: &'b dyn Watch) -> Hands<'b, E> {
        Hands {
            exchange,
            ledger: self.ledger,
            lock: self.lock.as_deref_mut(),
            concurrency: usize::try_from(self.context.config.execution.concurrency).unwrap_or(1),
            watch,
            stop: self.stop,
        }
    }

    /// Tells the owner, and ends the last pass of the ledger with what the process ends with.
    pub(super) async fn conclude(&mut self, at: Time, halt: Option<&Halt>, closed: &Closed, when_flat: u8) {
        // What was seen before is not there any more.
        self.seen = None;
        for trouble in stop::conclude(self.ledger, at, halt, closed, when_flat).await {
            self.context.ui.warn(&trouble);
        }
    }

    /// The exchange's time, or ours before it told its own.
    pub(super) fn now<E: Exchange>(&self, exchange: &E) -> Time {
        match exchange.now() {
            unknown if unknown == Time::default() => self.presumed,
            now => now,
        }
    }

    /// Keeps what outlives this process of how a pass ended: a ban, a halt, an alert.
    pub(super) async fn heed<E: Exchange, T>(
        &mut self,
        exchange: &E,
        reached: Result<T, PassError>,
    ) -> Result<T, CommandError> {
        self.remember_ban(exchange, &reached).await?;
        let Err(error) = &reached else { return Ok(reached?) };
        match stop::heed(self.ledger, self.folder, self.now(exchange), error).await? {
            Some(halt) => Err(CommandError::halted(&halt.id, &halt.reason)),
            None => Ok(reached?),
        }
    }

    /// A ban must reach the next process even where this one ends with an error. That process has to
    /// heed it before it knows the exchange's time, so the ban is kept in this machine's time.
    async fn remember_ban<E: Exchange, T>(
        &mut self,
        exchange: &E,
        reached: &Result<T, PassError>,
    ) -> Result<(), CommandError> {
        let until = match reached {
            Err(PassError::Exchange(ExchangeError::RateLimited { until, .. })) => Some(*until),
            _ => exchange.not_before(),
        };
        if let Some(until) = until {
            let now = exchange.now();
            // Before the exchange told its time, its limits are counted in ours.
            let here = if now == Time::default() { until } else { self.context.started + until.since(now) };
            self.ledger.set_not_before(here).await?;
        }
        Ok(())
    }

    /// The orders are out and in the ledger: a projection that cannot be written does not undo that.
    pub(super) async fn write_trades(&mut self) -> Option<String> {
        let error = self.ledger.write_trades(&self.context.folders.state).await.err()?;
        self.context.ui.warn(&format!("trades.csv is not up to date: {error}"));
        Some(format!("trades.csv is not up to date and is made anew by the next pass: {error}"))
    }

    /// Keeps the number of the next decision beside the ledger.
    pub(super) async fn note_decision(&mut self) -> Result<(), CommandError> {
        let (install, next) = (self.ledger.install().await?, self.ledger.next_pass_id().await?);
        let Some(lock) = self.lock.as_deref_mut() else { return Ok(()) };
        lock.note(install, next).map_err(|error| {
            CommandError::new(Kind::Storage, format!("lock: {error}"), "check the disk; nothing was sent")
        })
    }

    /// A ledger restored from an old copy would give new orders the ids of old ones.
    pub(super) async fn refuse_old_ledger(&mut self) -> Result<(), CommandError> {
        let (install, next) = (self.ledger.install().await?, self.ledger.next_pass_id().await?);
        if self.lock.as_ref().is_none_or(|lock| !lock.is_ahead_of(install, next)) {
            return Ok(());
        }
        Err(CommandError::new(
            Kind::Storage,
            "ledger.db is older than the last pass in this folder: it was restored from a copy",
            "put the newest copy back, or move ledger.db and lock away to start a new one; nothing was sent",
        ))
    }
}

/// Shows a bar while orders go out.
pub(super) struct Watching<'a> {
    ui: &'a Ui,
    progress: RefCell<Option<Progress>>,
}

impl<'a> Watching<'a> {
    pub(super) fn new(ui: &'a Ui) -> Watching<'a> {
        Watching { ui, progress: RefCell::default() }
    }
}

impl Watch for Watching<'_> {
    fn sending(&self, orders: usize) {
        let total = u64::try_from(orders).unwrap_or(0);
        *self.progress.borrow_mut() = Some(Progress::start(self.ui, total, "sending orders"));
    }

    fn answered(&self) {
        if let Some(progress) = self.progress.borrow().as_ref() {
            progress.step("sending orders");
        }
    }
}
