//! `rebal rebalance`: one pass.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::words::Mode as Money;
use crate::domain::time::Time;
use crate::error::{CommandError, Kind};
use crate::exchange::paper::PAPER_ACCOUNT;
use crate::exchange::{Exchange, ExchangeError};
use crate::ledger::Ledger;
use crate::pass::lock::Lock;
use crate::pass::{self, Mode, PassError, Prepared, Settings, Stop, Watch, lock};
use crate::render::{self, Style};
use crate::report::pass::PassReport;
use crate::ui::{self, Progress, PromptError, Ui};

use super::apply::{self, Basis};
use super::context::Context;
use super::venue::{self, Venue};
use super::{plan, settings, view};

/// Bring the portfolio back to its targets: one pass
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Decide and show, send nothing
    #[arg(long, conflicts_with = "plan")]
    dry_run: bool,
    /// Carry out this plan, if what it was made from still holds
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<u8, CommandError> {
    render::fits(context.format)?;
    if args.dry_run {
        return dry_run(context).await;
    }
    let settings = settings::settings(&context.config)?;
    let folder = context.state_folder()?;
    let mut lock = lock::take(folder)?;
    let mut ledger = Ledger::open(folder).await?;
    refuse_old_ledger(&lock, &mut ledger).await?;
    let halt = context.halt(&mut ledger).await?;
    context.heed_ban(&mut ledger).await?;
    let stop = listen_for_signals();
    let run = Run { context, args, settings: &settings, stop: &stop, halt };
    let done = match venue::open(context, &mut ledger).await? {
        Venue::Usdm(mut exchange) => pass_once(&run, exchange.as_mut(), &mut ledger, &mut lock).await,
        Venue::Paper(mut exchange) => {
            // Another world's prices must not touch this account, not even its clock.
            ledger.age(&exchange.environment(), PAPER_ACCOUNT).await?;
            let done = pass_once(&run, exchange.as_mut(), &mut ledger, &mut lock).await;
            // Paper time moves one interval with every pass, whatever became of it.
            exchange.step(context.config.interval);
            ledger.set_paper(&exchange.keep()).await?;
            done
        }
    };
    ledger.close().await?;
    done
}

async fn dry_run(context: &Context) -> Result<u8, CommandError> {
    let mut ledger = plan::look_only(context).await?;
    context.heed_ban(&mut ledger).await?;
    match venue::open(context, &mut ledger).await? {
        Venue::Usdm(exchange) => dry_pass(context, *exchange, ledger).await,
        Venue::Paper(exchange) => dry_pass(context, *exchange, ledger).await,
    }
}

async fn dry_pass<E: Exchange>(
    context: &Context,
    mut exchange: E,
    mut ledger: Ledger,
) -> Result<u8, CommandError> {
    let settings = settings::settings(&context.config)?;
    exchange.connect().await?;
    let halt = context.halt(&mut ledger).await?;
    let prepared = pass::prepare(&exchange, &mut ledger, &settings, None, Mode::Preview).await?;
    if let Err(refusal) = &prepared.verdict {
        return Err(PassError::Breached(refusal.breaches.clone()).into());
    }
    let plan = view::plan_report(context, &prepared, halt);
    show(context, &view::dry_run(context, &prepared, plan))
}

/// What one run was told.
struct Run<'a> {
    context: &'a Context,
    args: &'a Args,
    settings: &'a Settings,
    stop: &'a Stop,
    /// The halt in force.
    halt: Option<String>,
}

/// The pass itself, top to bottom.
async fn pass_once<E: Exchange>(
    run: &Run<'_>,
    exchange: &mut E,
    ledger: &mut Ledger,
    lock: &mut Lock,
) -> Result<u8, CommandError> {
    let Run { context, args, settings, stop, halt } = run;
    if let Some(id) = halt {
        return Err(CommandError::halted(id));
    }
    let reached = async {
        exchange.connect().await?;
        pass::prepare(exchange, ledger, settings, None, Mode::Real).await
    };
    let mut prepared = remember_ban(context, reached.await, exchange, ledger).await?;
    context.tell(exchange, &prepared);
    if let Some(path) = &args.plan {
        let now = Basis::of(context, exchange, ledger, &prepared).await?;
        let plan = apply::read(context, path, &now, prepared.plan())?;
        pass::recheck(&mut prepared, plan, settings, None);
    }
    let mut plan = view::plan_report(context, &prepared, None);
    while must_ask(context, &prepared) {
        if !agreed(context, &plan)? {
            return show(context, &view::dry_run(context, &prepared, plan));
        }
        // Nobody knows how long the question stood: what was agreed to must still be what is decided.
        let again = pass::prepare(exchange, ledger, settings, None, Mode::Real).await?;
        let same = apply::same_orders(&prepared.plan().legs, &again.plan().legs);
        prepared = again;
        plan = view::plan_report(context, &prepared, None);
        if same {
            break;
        }
        context.ui.warn("the market or the account moved while you were asked; this is the plan now");
    }
    let next = ledger.next_pass_id().await?;
    lock.note(ledger.install().await?, next).map_err(|error| {
        CommandError::new(Kind::Storage, format!("lock: {error}"), "check the disk; nothing was sent")
    })?;
    let watch = Watching { ui: &context.ui, progress: RefCell::default() };
    let acted = pass::carry_out(exchange, ledger, settings, &prepared, &watch, stop).await;
    // The bar goes before anything else is written.
    drop(watch);
    let acted = remember_ban(context, acted, exchange, ledger).await?;
    let mut report = view::pass_report(context, &prepared, &acted, plan);
    // The orders are out and in the ledger: a projection that cannot be written does not undo that.
    if let Err(error) = ledger.write_trades(&context.folders.state).await {
        context.ui.warn(&format!("trades.csv is not up to date: {error}"));
        report.notes.push(format!("trades.csv is not up to date and is made anew by the next pass: {error}"));
    }
    // Nor does a report that nobody can read.
    if let Err(error) = show(context, &report) {
        context.ui.warn(&format!("{error}; what the pass did is in the ledger"));
    }
    Ok(report.exit_code)
}

/// A ledger restored from an old copy would give new orders the ids of old ones.
async fn refuse_old_ledger(lock: &Lock, ledger: &mut Ledger) -> Result<(), CommandError> {
    let (install, next) = (ledger.install().await?, ledger.next_pass_id().await?);
    if !lock.is_ahead_of(install, next) {
        return Ok(());
    }
    Err(CommandError::new(
        Kind::Storage,
        "ledger.db is older than the last pass in this folder: it was restored from a copy",
        "put the newest copy back, or move ledger.db and lock away to start a new one; nothing was sent",
    ))
}

/// A ban must reach the next process even where this one ends with an error. That process has to
/// heed it before it knows the exchange's time, so the ban is kept in this machine's time.
async fn remember_ban<E: Exchange, T>(
    context: &Context,
    reached: Result<T, PassError>,
    exchange: &E,
    ledger: &mut Ledger,
) -> Result<T, CommandError> {
    let until = match &reached {
        Err(PassError::Exchange(ExchangeError::RateLimited { until, .. })) => Some(*until),
        _ => exchange.not_before(),
    };
    if let Some(until) = until {
        let now = exchange.now();
        // Before the exchange told its time, its limits are counted in ours.
        let here = if now == Time::default() { until } else { context.started + until.since(now) };
        ledger.set_not_before(here).await?;
    }
    Ok(reached?)
}

/// Real or test money asks once on a terminal; in cron nobody is there and nothing is asked.
fn must_ask(context: &Context, prepared: &Prepared) -> bool {
    let silent = context.config.mode == Money::Paper || context.yes || !context.ui.stdin_tty;
    !silent && prepared.verdict.as_ref().is_ok_and(|approved| !approved.plan().legs.is_empty())
}

fn agreed(context: &Context, plan: &crate::report::plan::PlanReport) -> Result<bool, CommandError> {
    let style = Style { color: context.ui.color_notes, ..context.style };
    context.ui.err(&render::table::plan(plan, &style));
    let question =
        format!("Send {} orders to {}?", plan.legs.len(), context.config.mode.as_str().to_uppercase());
    match ui::confirm(&context.ui, &question, false) {
        Ok(answer) => Ok(answer),
        Err(PromptError::Interrupted) => {
            Err(CommandError::new(Kind::Interrupted, "interrupted", "nothing was sent"))
        }
        Err(error) => Err(CommandError::new(Kind::Config, error.to_string(), "nothing was sent")),
    }
}

fn show(context: &Context, report: &PassReport) -> Result<u8, CommandError> {
    context.show(&render::pass(report, context.format, &context.style)?)?;
    Ok(report.exit_code)
}

/// Ctrl-C, TERM and HUP ask the pass to stop at the next safe point.
fn listen_for_signals() -> Arc<Stop> {
    let stop = Arc::new(Stop::default());
    let asked = Arc::clone(&stop);
    tokio::spawn(async move {
        signal().await;
        asked.ask();
    });
    stop
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut hup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
        _ = hup.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Shows a bar while orders go out.
struct Watching<'a> {
    ui: &'a Ui,
    progress: RefCell<Option<Progress>>,
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
