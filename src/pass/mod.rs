//! One pass: settle → observe → decide → check → act → record.
//!
//! Decides nothing itself and prints nothing. [`prepare`] ends where an operator may still say no;
//! [`carry_out`] is everything after.

pub mod act;
pub mod alarm;
mod coins;
pub mod deliver;
pub mod digest;
mod flows;
pub mod latch;
pub mod lock;
pub mod observe;
pub mod record;
pub mod settle;
pub mod stop;
pub mod stops;
mod strangers;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::decide::equity::Unexplained;
use crate::decide::nav::Nav;
use crate::decide::plan::Execution;
use crate::decide::risk::{self, Approved, Breach, Limits, Standing};
use crate::decide::{self, Refusal, equity};
use crate::domain::num::{Notional, Rate};
use crate::domain::plan::Plan;
use crate::domain::snapshot::{Coin, Snapshot};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::{Exchange, ExchangeError};
use crate::ledger::{Ledger, LedgerError};
use crate::strategy::{Memory, Strategy};

use observe::Seen;
use settle::Settled;

/// What a pass is told besides the account and the ledger.
pub struct Settings {
    /// What each coin should be worth.
    pub strategy: Box<dyn Strategy>,
    /// How orders are made.
    pub execution: Execution,
    /// What must never be exceeded.
    pub limits: Limits,
    /// The asset everything is valued in.
    pub quote: String,
    /// The calendar trigger, where there is one.
    pub every: Option<Duration>,
    /// Requests under way at once.
    pub concurrency: usize,
}

/// Why a pass ended without doing what it came for. Nothing was sent unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The exchange.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The account may not be traded as it is.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Breached(Vec<Breach>),
    /// Orders with our prefix that this ledger did not make.
    #[error("orders that this ledger did not send: {}", some_of(.0))]
    Foreign(Vec<String>),
    /// The newest order with our prefix closed something and is not of this ledger.
    #[error("order {client_id} of {} closed a position, and this ledger did not send it", at.plainly())]
    HaltedElsewhere {
        /// The order.
        client_id: String,
        /// When.
        at: Time,
    },
    /// Shares of coins that the exchange does not know, before anything was bought.
    #[error("the exchange does not list {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Unlisted(Vec<Symbol>),
    /// Equity or prices that do not fit together.
    #[error("{0}")]
    Incoherent(String),
    /// The ledger failed after orders may have left: the next pass asks what became of them.
    #[error("orders may be out, and what became of them could not be written down: {0}")]
    Unrecorded(LedgerError),
    /// Equity that does not follow from the last reading.
    #[error("equity is unavailable: {0}")]
    Unexplained(#[from] Unexplained),
}

/// Told what a pass is doing, so that somebody may watch.
pub trait Watch {
    /// A wave of orders is about to go out.
    fn sending(&self, orders: usize);
    /// One of them has an answer.
    fn answered(&self);
}

/// A request to stop at the next safe point, from a signal.
#[derive(Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// Asks the pass to send nothing more.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A decision that was checked and is ready to be carried out, or to be shown.
pub struct Prepared {
    /// What the account and its market looked like.
    pub seen: Seen,
    /// What earlier passes left and what became of it now.
    pub settled: Settled,
    /// Net asset value now.
    pub nav: Nav,
    /// What the strategy remembered.
    pub memory: Memory,
    /// The checked plan, or why there is none.
    pub verdict: Result<Approved, Refusal>,
}

impl Prepared {
    /// The plan, checked or refused.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        match &self.verdict {
            Ok(approved) => approved.plan(),
            Err(refusal) => &refusal.plan,
        }
    }
}

/// Whether a look may write down what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A real pass: settles, books, cancels leftovers.
    Real,
    /// A preview: only reads, at the exchange and in the ledger.
    Preview,
}

/// Settles what earlier passes left, looks at the account and decides.
pub async fn prepare<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    settings: &Settings,
    halt: Option<String>,
    mode: Mode,
) -> Result<Prepared, PassError> {
    let mut settled = match mode {
        Mode::Real => settle::settle(exchange, ledger).await?,
        Mode::Preview => settle::preview(exchange, ledger).await?,
    };
    let mut seen = observe::observe(exchange, ledger, settings, &mut settled, mode).await?;
    // Before anything is written: a reading that is not believed moves no baseline.
    believe(ledger, &mut seen, mode).await?;
    if mode == Mode::Real {
        observe::remember(exchange, ledger, &seen, &mut settled).await?;
    }
    let nav = net_asset_value(exchange, ledger, &seen).await?;
    let memory = memory(ledger, settings, seen.snapshot.at).await?;
    refuse_unlisted(settings, &memory, &seen.snapshot)?;
    let standing = Standing { halt, drawdown: nav.drawdown() };
    let with = decide::Settings {
        strategy: settings.strategy.as_ref(),
        memory: &memory,
        execution: &Execution { taker_fee: seen.taker_fee, ..settings.execution.clone() },
        limits: &settings.limits,
    };
    let mut verdict = decide::decide(&seen.snapshot, &with, &standing);
    // A preview tells the halted operator what would be done; a real pass never gets here halted.
    if let Ok(approved) = &mut verdict {
        approved.warn(seen.warnings.iter().cloned());
    }
    Ok(Prepared { seen, settled, nav, memory, verdict })
}

/// Checks a plan from a file against the account as it is now.
pub fn recheck(prepared: &mut Prepared, plan: Plan, settings: &Settings, halt: Option<String>) {
    let standing = Standing { halt, drawdown: prepared.nav.drawdown() };
    prepared.verdict = risk::check(plan.clone(), &prepared.seen.snapshot, &settings.limits, &standing)
        .map_err(|breaches| Refusal { plan: Box::new(plan), breaches });
}

/// Sends what was approved, reads back what became of it and writes everything down.
pub async fn carry_out<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    settings: &Settings,
    prepared: &Prepared,
    watch: &dyn Watch,
    stop: &Stop,
) -> Result<act::Acted, PassError> {
    let approved = match &prepared.verdict {
        Ok(approved) => approved,
        Err(refusal) => return Err(PassError::Breached(refusal.breaches.clone())),
    };
    let acted = act::act(exchange, ledger, settings, prepared, approved, watch, stop).await?;
    let recorded = record::record(ledger, settings, prepared, &acted).await;
    if acted.sent.is_empty() {
        recorded?
    } else {
        recorded.map_err(unrecorded)?
    }
    Ok(acted)
}

/// A gap in the wallet that stays the same for this long is a fact that nobody will explain any more.
const STANDING_GAP: Duration = Duration::from_secs(3600);

/// Lets a reading pass that follows from the last one. One that does not is refused until its gap has
/// stood for an hour; then it is booked as a transfer, which is neither profit nor loss, and told.
async fn believe(ledger: &mut Ledger, seen: &mut Seen, mode: Mode) -> Result<(), PassError> {
    coins::believe(ledger, seen, mode).await?;
    let known = ledger.gap().await?;
    let (gap, why) = match equity::explain(&seen.snapshot, seen.expected.as_ref()) {
        Err(why @ Unexplained::Wallet { found, expected }) => (found - expected, why),
        Err(why) => return Err(why.into()),
        Ok(()) => {
            if known.is_some() && mode == Mode::Real {
                ledger.set_gap(None).await?;
            }
            return Ok(());
        }
    };
    let now = seen.snapshot.at;
    let same =
        known.filter(|(amount, _)| (*amount - gap).abs() <= gap.abs() * Rate::new(5, 3) + Notional::ONE);
    match same {
        Some((_, since)) if now.since(since) >= STANDING_GAP => {
            seen.book_gap(gap, since);
            Ok(())
        }
        Some(_) => Err(why.into()),
        None => {
            if mode == Mode::Real {
                ledger.set_gap(Some((gap, now))).await?;
            }
            Err(why.into())
        }
    }
}

async fn net_asset_value<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    seen: &Seen,
) -> Result<Nav, PassError> {
    let equity = seen.snapshot.balance.equity;
    let now = seen.snapshot.at;
    let Some(last) = ledger.last_equity().await?.filter(|last| observe::is_recent(last, now)) else {
        return Ok(Nav::first(equity));
    };
    let before = Nav { units: last.units, nav: last.nav, peak: last.peak };
    let transfers = flows::transfers(exchange, ledger, seen, &last).await?;
    Ok(before.next(equity, &transfers))
}

/// A slip of the keyboard is refused while nothing is held yet. Later on the same is a delisting: the
/// plan names it, and the other coins are traded.
fn refuse_unlisted(settings: &Settings, memory: &Memory, snapshot: &Snapshot) -> Result<(), PassError> {
    let members = settings.strategy.symbols();
    let holds =
        |(symbol, coin): (&Symbol, &Coin)| coin.is_held() && (coin.managed || members.contains(symbol));
    let begins = memory.allocation.is_none() && !snapshot.coins.iter().any(holds);
    if !begins || !settings.strategy.has_shares() {
        return Ok(());
    }
    let listed = |symbol: &Symbol| snapshot.coins.get(symbol).is_some_and(|coin| coin.rules.is_some());
    let unlisted: Vec<Symbol> = members.iter().filter(|symbol| !listed(symbol)).cloned().collect();
    if unlisted.is_empty() { Ok(()) } else { Err(PassError::Unlisted(unlisted)) }
}

/// What the strategy may remember; one that needs none costs no reads.
async fn memory(ledger: &mut Ledger, settings: &Settings, now: Time) -> Result<Memory, PassError> {
    let calendar_due = calendar_due(ledger, settings, now).await?;
    if !settings.strategy.has_memory() {
        return Ok(Memory { calendar_due, ..Memory::default() });
    }
    Ok(Memory {
        calendar_due,
        allocation: ledger.allocation().await?,
        stopped: ledger.stopped().await?,
        unfinished: ledger.unfinished().await?,
        highs: ledger.highs().await?,
    })
}

/// The first pass starts the calendar; it is due once `every` has passed since it last was.
async fn calendar_due(ledger: &mut Ledger, settings: &Settings, now: Time) -> Result<bool, PassError> {
    let Some(every) = settings.every else { return Ok(false) };
    Ok(ledger.job(record::CALENDAR).await?.is_some_and(|last| now.since(last) >= every))
}

/// From the first order on, a failing ledger no longer means that nothing was sent.
fn unrecorded(error: PassError) -> PassError {
    match error {
        PassError::Ledger(error) => PassError::Unrecorded(error),
        other => other,
    }
}

/// The first three of a list, and how many more there are.
fn some_of(names: &[String]) -> String {
    let first: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
    match names.len().saturating_sub(first.len()) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Rate of one unit, for reports.
#[must_use]
pub fn nav_rate(nav: &Nav) -> Rate {
    nav.nav.over(Notional::ONE).unwrap_or_default()
}
