//! `rebal rebalance`: one pass.

use std::path::PathBuf;

use crate::config::words::Mode as Money;
use crate::domain::num::Notional;
use crate::error::{CommandError, Kind};
use crate::exchange::Exchange;
use crate::exchange::paper::PAPER_ACCOUNT;
use crate::ledger::{Halt, Ledger};
use crate::pass::stop::{self, Closed, Looked, Under};
use crate::pass::{self, Mode, PassError, Prepared, Settings, alarm, latch};
use crate::render::{self, Style};
use crate::report::pass::PassReport;
use crate::ui::{self, PromptError};

use super::after::After;
use super::apply::{self, Basis};
use super::context::Context;
use super::desk::{self, Desk, Watching};
use super::venue::{self, Venue};
use super::{arming, plan, settings, signals, view};

/// Bring the portfolio back to its targets: one pass
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Decide and show, send nothing
    #[arg(long, conflicts_with = "plan")]
    dry_run: bool,
    /// Carry out this plan, if what it was made from still holds
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Write figures in Prometheus' text format to this file, also after a pass that failed
    #[arg(long, value_name = "PATH", conflicts_with = "dry_run")]
    metrics_file: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  rebal rebalance                           one pass; asks before it sends where somebody can answer
  rebal rebalance --dry-run                 decide and show, send nothing
  rebal rebalance --plan plan.json          what `rebal plan --out plan.json` showed, if it still holds
  rebal rebalance --quiet >/dev/null        in a crontab: asks nothing, mails only what went wrong

Exit codes:
    0  done, nothing to do included
    2  configuration
    3  another pass runs
    4  exchange unavailable
    5  a leg is open or unknown, the next pass settles it
    6  halted
    7  hard stop, flat
    8  not flat
    9  foreign orders
   10  ledger unusable
  130  interrupted";

pub(super) async fn run(context: &Context, args: &Args) -> Result<u8, CommandError> {
    render::fits("a pass", context.format)?;
    if args.dry_run {
        return dry_run(context).await;
    }
    let after =
        After::new(context, "rebalance", args.metrics_file.as_deref())?.with_digest().with_heartbeat();
    let (mut lock, mut ledger) = match desk::open(context).await {
        Ok(opened) => opened,
        Err(error) => return after.unopened(error).await,
    };
    let asked = signals::listen();
    let mut desk = Desk::new(context, &mut ledger, Some(&mut lock), &asked).await;
    let done = in_order(&mut desk, args).await;
    desk.note_failure(&done).await;
    // Everything is recorded and shown; messages wait for no trade, and no trade for messages.
    after.opened(&mut desk, &done).await;
    ledger.close().await?;
    done
}

async fn in_order(desk: &mut Desk<'_>, args: &Args) -> Result<u8, CommandError> {
    let context = desk.context;
    desk.refuse_old_ledger().await?;
    let halt = desk.halt().await?;
    if halt.is_none() {
        // A halted account opens nothing, and what it still has to close needs no arming.
        arming::require(context, desk.ledger).await?;
        context.heed_ban(desk.ledger).await?;
    }
    let settings = settings::settings(&context.config, desk.ledger).await?;
    let run = Run { args, settings: &settings, halt };
    match venue::open(context, desk.ledger).await? {
        Venue::Usdm(mut exchange) => {
            let done = pass_once(&run, exchange.as_mut(), desk).await;
            desk.ended = Some(desk.now(exchange.as_ref()));
            done
        }
        Venue::Spot(mut exchange) => {
            let done = pass_once(&run, exchange.as_mut(), desk).await;
            desk.ended = Some(desk.now(exchange.as_ref()));
            done
        }
        Venue::Paper(mut exchange) => {
            // Another world's prices must not touch this account, not even its clock.
            desk.ledger.age(&exchange.environment(), PAPER_ACCOUNT).await?;
            let done = pass_once(&run, exchange.as_mut(), desk).await;
            desk.ended = Some(desk.now(exchange.as_ref()));
            // Paper time moves one interval with every pass, whatever became of it; what was refused as asked
            // was none.
            if !matches!(&done, Err(error) if error.kind == Kind::Config) {
                exchange.step(context.config.interval);
            }
            desk.ledger.set_paper(&exchange.keep()).await?;
            done
        }
    }
}

async fn dry_run(context: &Context) -> Result<u8, CommandError> {
    let mut ledger = plan::look_only(context).await?;
    context.heed_ban(&mut ledger).await?;
    match venue::open(context, &mut ledger).await? {
        Venue::Usdm(exchange) => dry_pass(context, *exchange, ledger).await,
        Venue::Spot(exchange) => dry_pass(context, *exchange, ledger).await,
        Venue::Paper(exchange) => dry_pass(context, *exchange, ledger).await,
    }
}

async fn dry_pass<E: Exchange>(
    context: &Context,
    mut exchange: E,
    mut ledger: Ledger,
) -> Result<u8, CommandError> {
    let settings = settings::settings(&context.config, &mut ledger).await?;
    exchange.connect().await?;
    let halt = latch::in_force(&mut ledger, &context.folders.state).await?.map(|halt| halt.id);
    let prepared = pass::prepare(&exchange, &mut ledger, &settings, None, Mode::Preview).await?;
    if let Err(refusal) = &prepared.verdict {
        return Err(PassError::Breached(refusal.breaches.clone()).into());
    }
    let plan = view::plan_report(context, &settings, &prepared, halt);
    show(context, &view::dry_run(context, &prepared, plan))
}

/// What one run was told.
struct Run<'a> {
    args: &'a Args,
    settings: &'a Settings,
    /// The halt in force.
    halt: Option<Halt>,
}

/// The pass itself, top to bottom.
async fn pass_once<E: Exchange>(
    run: &Run<'_>,
    exchange: &mut E,
    desk: &mut Desk<'_>,
) -> Result<u8, CommandError> {
    let Run { args, settings, halt } = run;
    let context = desk.context;
    if let Some(halt) = halt {
        return halted(exchange, desk, settings, halt).await;
    }
    let connected = exchange.connect().await.map_err(PassError::from);
    desk.heed(exchange, connected).await?;
    let mut prepared = match desk.look(exchange, settings).await? {
        Looked::Within(prepared) => prepared,
        Looked::Breached(prepared) => return stop_hard(exchange, desk, settings, &prepared, None).await,
    };
    context.tell(exchange, &prepared);
    if let Some(path) = &args.plan {
        let now = Basis::of(context, exchange, desk.ledger, &prepared).await?;
        let plan = apply::read(context, path, &now, prepared.plan())?;
        pass::recheck(&mut prepared, plan, settings, None);
    }
    let mut plan = view::plan_report(context, settings, &prepared, None);
    while must_ask(context, &prepared) {
        if !agreed(context, &plan)? {
            return Err(CommandError::new(Kind::Config, "not confirmed", "nothing was sent"));
        }
        // Nobody knows how long the question stood: what was agreed to must still be what is decided.
        let again = pass::prepare(exchange, desk.ledger, settings, None, Mode::Real).await?;
        let same = apply::same_orders(&prepared.plan().legs, &again.plan().legs);
        *prepared = again;
        plan = view::plan_report(context, settings, &prepared, None);
        if same {
            break;
        }
        context.ui.warn("the market or the account moved while you were asked; this is the plan now");
    }
    desk.note_decision().await?;
    let watch = Watching::new(&context.ui);
    let acted = pass::carry_out(exchange, desk.ledger, settings, &prepared, &watch, desk.stop).await;
    // The bar goes before anything else is written.
    drop(watch);
    let acted = desk.heed(exchange, acted).await?;
    // What was sent is sent and booked, whatever becomes of the message about it.
    let _ = alarm::acted(desk.ledger, desk.now(exchange), &acted).await;
    let _ = alarm::unguarded(desk.ledger, desk.now(exchange), &acted).await;
    let every = context.config.funding.check_every;
    // Nor by what funding came to.
    let _ = alarm::funding(desk.ledger, prepared.seen.snapshot.at, every, &context.config.quote).await;
    let mut report = view::pass_report(context, &prepared, &acted, plan);
    report.notes.extend(desk.write_trades().await);
    told(context, &report)
}

/// Closes everything, because two looks said so.
async fn stop_hard<E: Exchange>(
    exchange: &E,
    desk: &mut Desk<'_>,
    settings: &Settings,
    prepared: &Prepared,
    before: Option<&Halt>,
) -> Result<u8, CommandError> {
    let (halt, closed) = desk.hard_stop(exchange, settings, prepared, before).await?;
    let equity = prepared.seen.snapshot.balance.equity;
    tell_closed(exchange, desk, &halt, &closed, Some(equity)).await
}

/// A halted account: what is to be closed is closed, what is left is watched, and nothing else happens.
async fn halted<E: Exchange>(
    exchange: &mut E,
    desk: &mut Desk<'_>,
    settings: &Settings,
    halt: &Halt,
) -> Result<u8, CommandError> {
    // Told before anything else can fail, and nothing fails because it could not be told.
    let _ = alarm::halted(desk.ledger, desk.now(exchange), halt, None).await;
    if halt.is_over() {
        return Err(CommandError::halted(&halt.id, &halt.reason));
    }
    let done = watch_halted(exchange, desk, settings, halt).await;
    done.map_err(|error| error.under_halt(&halt.id, &halt.reason))
}

async fn watch_halted<E: Exchange>(
    exchange: &mut E,
    desk: &mut Desk<'_>,
    settings: &Settings,
    halt: &Halt,
) -> Result<u8, CommandError> {
    desk.context.heed_ban(desk.ledger).await?;
    let connected = exchange.connect().await.map_err(PassError::from);
    desk.heed(exchange, connected).await?;
    match desk.under(exchange, settings, halt).await? {
        Under::Rest(_) => Err(CommandError::halted(&halt.id, &halt.reason)),
        Under::Breached(prepared) => stop_hard(exchange, desk, settings, &prepared, Some(halt)).await,
        Under::Close => {
            let (halt, closed) = desk.go_on(exchange, halt.clone(), stop::STOPPED).await?;
            tell_closed(exchange, desk, &halt, &closed, None).await
        }
    }
}

async fn tell_closed<E: Exchange>(
    exchange: &E,
    desk: &mut Desk<'_>,
    halt: &Halt,
    closed: &Closed,
    before: Option<Notional>,
) -> Result<u8, CommandError> {
    let note = desk.write_trades().await;
    let mut report = view::stopped_report(desk.context, desk.now(exchange), halt, closed);
    report.equity_before = before;
    report.equity_after = exchange.observe().await.ok().map(|seen| seen.balance.equity);
    report.notes.extend(note);
    told(desk.context, &report)
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

/// A report that nobody can read does not undo what the pass did.
fn told(context: &Context, report: &PassReport) -> Result<u8, CommandError> {
    context.tell_done(&render::pass(report, context.format, &context.style)?);
    Ok(report.exit_code)
}

fn show(context: &Context, report: &PassReport) -> Result<u8, CommandError> {
    context.show(&render::pass(report, context.format, &context.style)?)?;
    Ok(report.exit_code)
}
