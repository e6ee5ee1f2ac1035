//! `rebal risk-check`: every figure that may end badly, with its limit; and the way back from a halt.

use std::path::PathBuf;

use crate::config::words::Mode;
use crate::decide::stops::Comparison;
use crate::domain::num::Notional;
use crate::domain::scope::Scope;
use crate::error::{CommandError, Kind};
use crate::exchange::paper::PAPER_ACCOUNT;
use crate::exchange::{self, Exchange};
use crate::ledger::Halt;
use crate::pass::stop::{self, Closed, Looked, STOPPED, Under};
use crate::pass::{PassError, Prepared, Settings, alarm, stops};
use crate::render;
use crate::report::risk::{Resumed, RiskInputs, RiskReport, StopsStanding};
use crate::ui::{self, PromptError};

use super::after::After;
use super::context::Context;
use super::desk::{self, Desk};
use super::venue::{self, Venue};
use super::{settings, signals};

/// Show every risk figure with its limit; close everything where the hard stop fires
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Lift the halt and measure the drawdown from here on
    #[arg(long)]
    resume: bool,
    /// The id of the halt to lift, where nobody is there to type it
    #[arg(long, value_name = "ID", requires = "resume")]
    confirm: Option<String>,
    /// Write figures in Prometheus' text format to this file, also after a check that failed
    #[arg(long, value_name = "PATH")]
    metrics_file: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  rebal risk-check                          every figure with its limit and verdict
  rebal risk-check --quiet || alarm         as a monitoring probe
  rebal risk-check --resume                 lift a halt; asks for its id
  rebal risk-check --resume --confirm ID    the same from a script

Exit codes: 0 all is well · 2 configuration · 3 another pass runs · 4 exchange unavailable · 5 a
limit is broken, or an order unresolved · 6 halted · 7 hard stop just now, flat · 8 not flat ·
9 foreign orders · 10 ledger unusable";

pub(super) async fn run(context: &Context, args: &Args) -> Result<u8, CommandError> {
    render::risk_fits(context.format)?;
    let after = After::new(context, "risk-check", args.metrics_file.as_deref())?.with_digest();
    let (mut lock, mut ledger) = match desk::open(context).await {
        Ok(opened) => opened,
        Err(error) => return after.unopened(error).await,
    };
    let asked = signals::listen();
    let mut desk = Desk::new(context, &mut ledger, Some(&mut lock), &asked).await;
    let done = in_order(&mut desk, args).await;
    after.opened(&mut desk, &done).await;
    ledger.close().await?;
    done
}

async fn in_order(desk: &mut Desk<'_>, args: &Args) -> Result<u8, CommandError> {
    let context = desk.context;
    desk.refuse_old_ledger().await?;
    context.heed_ban(desk.ledger).await?;
    let settings = settings::settings(&context.config, desk.ledger).await?;
    match venue::open(context, desk.ledger).await? {
        Venue::Usdm(mut exchange) => {
            let done = check(exchange.as_mut(), desk, args, &settings).await;
            desk.ended = Some(desk.now(exchange.as_ref()));
            done
        }
        Venue::Spot(mut exchange) => {
            let done = check(exchange.as_mut(), desk, args, &settings).await;
            desk.ended = Some(desk.now(exchange.as_ref()));
            done
        }
        Venue::Paper(mut exchange) => {
            desk.ledger.age(&exchange.environment(), PAPER_ACCOUNT).await?;
            let done = check(exchange.as_mut(), desk, args, &settings).await;
            desk.ended = Some(desk.now(exchange.as_ref()));
            // The clock stands: only `rebalance` moves it.
            desk.ledger.set_paper(&exchange.keep()).await?;
            done
        }
    }
}

async fn check<E: Exchange>(
    exchange: &mut E,
    desk: &mut Desk<'_>,
    args: &Args,
    settings: &Settings,
) -> Result<u8, CommandError> {
    let halt = desk.halt().await?;
    if args.resume {
        return resume(exchange, desk, args, settings, halt).await;
    }
    if let Some(halt) = &halt {
        let _ = alarm::halted(desk.ledger, desk.now(exchange), halt, None).await;
    }
    let checked = look(exchange, desk, settings, halt.clone()).await;
    checked.map_err(|error| match halt {
        Some(halt) => error.under_halt(&halt.id, &halt.reason),
        None => error,
    })
}

async fn look<E: Exchange>(
    exchange: &mut E,
    desk: &mut Desk<'_>,
    settings: &Settings,
    halt: Option<Halt>,
) -> Result<u8, CommandError> {
    connect(exchange, desk).await?;
    match halt {
        None => match desk.look(exchange, settings).await? {
            Looked::Within(prepared) => show(exchange, desk, settings, &prepared, None, None).await,
            Looked::Breached(prepared) => {
                let stopped = desk.hard_stop(exchange, settings, &prepared, None).await?;
                after_closing(exchange, desk, settings, Some(*prepared), stopped).await
            }
        },
        Some(halt) if halt.is_over() => {
            // Under a halt that closed everything nothing fires again.
            let looked = desk.look(exchange, settings).await?;
            let (Looked::Within(prepared) | Looked::Breached(prepared)) = looked;
            show(exchange, desk, settings, &prepared, Some(&halt), None).await
        }
        Some(halt) => match desk.under(exchange, settings, &halt).await? {
            Under::Rest(prepared) => show(exchange, desk, settings, &prepared, Some(&halt), None).await,
            Under::Breached(prepared) => {
                let stopped = desk.hard_stop(exchange, settings, &prepared, Some(&halt)).await?;
                after_closing(exchange, desk, settings, Some(*prepared), stopped).await
            }
            Under::Close => {
                let stopped = desk.go_on(exchange, halt, STOPPED).await?;
                after_closing(exchange, desk, settings, None, stopped).await
            }
        },
    }
}

async fn connect<E: Exchange>(exchange: &mut E, desk: &mut Desk<'_>) -> Result<(), CommandError> {
    desk.context.heed_ban(desk.ledger).await?;
    let connected = exchange.connect().await.map_err(PassError::from);
    desk.heed(exchange, connected).await.map(drop)
}

/// The figures as they are once everything was closed; as they were before, where they cannot be read.
async fn after_closing<E: Exchange>(
    exchange: &E,
    desk: &mut Desk<'_>,
    settings: &Settings,
    before: Option<Prepared>,
    (halt, closed): (Halt, Closed),
) -> Result<u8, CommandError> {
    let note = desk.write_trades().await;
    let mut notes: Vec<String> = closed
        .remaining
        .iter()
        .map(|left| format!("{} {} is left: {}", left.symbol, left.qty, left.reason))
        .chain(closed.notes.iter().cloned())
        .chain(note)
        .collect();
    let prepared = match (desk.look(exchange, settings).await, before) {
        (Ok(Looked::Within(prepared) | Looked::Breached(prepared)), _) => *prepared,
        (Err(error), Some(before)) => {
            notes.push(format!("these figures are from before the closing: {error}"));
            before
        }
        (Err(error), None) => {
            desk.context.ui.warn(&notes.join("; "));
            return Err(error);
        }
    };
    show(exchange, desk, settings, &prepared, Some(&halt), Some((closed.exit_code(STOPPED), notes))).await
}

async fn show<E: Exchange>(
    exchange: &E,
    desk: &mut Desk<'_>,
    settings: &Settings,
    prepared: &Prepared,
    halt: Option<&Halt>,
    closing: Option<(u8, Vec<String>)>,
) -> Result<u8, CommandError> {
    let mut report = report(exchange, desk, settings, prepared, halt).await?;
    let Some((exit_code, notes)) = closing else { return print(desk.context, &report) };
    report.exit_code = exit_code;
    report.notes = notes;
    told(desk.context, &report)
}

/// A report that nobody can read does not undo what was done.
fn told(context: &Context, report: &RiskReport) -> Result<u8, CommandError> {
    context.tell_done(&render::risk(report, context.format, &context.style)?);
    Ok(report.exit_code)
}

fn print(context: &Context, report: &RiskReport) -> Result<u8, CommandError> {
    context.show(&render::risk(report, context.format, &context.style)?)?;
    Ok(report.exit_code)
}

async fn report<E: Exchange>(
    exchange: &E,
    desk: &mut Desk<'_>,
    settings: &Settings,
    prepared: &Prepared,
    halt: Option<&Halt>,
) -> Result<RiskReport, CommandError> {
    let (context, snapshot) = (desk.context, &prepared.seen.snapshot);
    let health = exchange.health().await;
    let coins = settings.strategy.symbols().len();
    Ok(RiskReport::new(RiskInputs {
        heading: context.heading(snapshot.at),
        quote: &settings.quote,
        snapshot,
        nav: &prepared.nav,
        limits: &settings.limits,
        sector_cap: context.config.scan.sector_cap,
        coins,
        gross_target: prepared.plan().gross_target,
        halt: halt.map(|halt| halt.id.clone()),
        flat: snapshot.gross() == Notional::ZERO,
        unresolved: desk.ledger.unresolved().await?.len(),
        stops: stops::standing(prepared, settings.strategy.as_ref()).map(stops_standing),
        quarantined: &prepared.settled.quarantined,
        last_good_pass: desk.ledger.last_good_pass().await?,
        interval: context.config.interval,
        health: &health,
        paper: context.config.mode == Mode::Paper,
        spot: exchange.kind() == exchange::Kind::Spot,
    }))
}

/// A stop at another price than it should be at is none.
fn stops_standing(found: Comparison) -> StopsStanding {
    let wrong = found.place.iter().map(|placing| (placing.symbol().clone(), placing.change().detail));
    let missing = wrong.chain(found.unguarded.iter().cloned()).collect();
    StopsStanding { guarded: found.guarded.len(), missing }
}

/// Lifts the halt for whoever knows its id.
async fn resume<E: Exchange>(
    exchange: &mut E,
    desk: &mut Desk<'_>,
    args: &Args,
    settings: &Settings,
    halt: Option<Halt>,
) -> Result<u8, CommandError> {
    let Some(halt) = halt else {
        return Err(CommandError::new(
            Kind::Config,
            "trading is not halted, there is nothing to resume",
            "run `rebal risk-check` to see how the account stands",
        ));
    };
    confirm(desk.context, args, &halt)?;
    connect(exchange, desk).await?;
    refuse_unfinished(exchange, desk, &halt).await?;
    let resumed = stop::resume(exchange, desk.ledger, desk.folder, settings).await;
    let (prepared, old_peak) = desk.heed(exchange, resumed).await?;
    let mut report = report(exchange, desk, settings, &prepared, None).await?;
    let rate = |amount: Notional| amount.over(Notional::ONE).unwrap_or_default();
    report.resumed =
        Some(Resumed { halt_id: halt.id, old_peak: rate(old_peak), new_peak: rate(prepared.nav.peak) });
    told(desk.context, &report)
}

/// Trading on with a position that was to be closed is a decision of its own.
async fn refuse_unfinished<E: Exchange>(
    exchange: &E,
    desk: &mut Desk<'_>,
    halt: &Halt,
) -> Result<(), CommandError> {
    if halt.flat_at.is_some() || desk.context.yes {
        return Ok(());
    }
    let scope = stop::meant(exchange, desk.ledger, &halt.scope).await?.unwrap_or_else(Scope::nothing);
    let left = exchange.exposed().await?.positions;
    let left: Vec<String> = left
        .values()
        .filter(|position| scope.covers(&position.symbol))
        .map(|position| format!("{} {}", position.symbol, position.qty))
        .collect();
    let left = if left.is_empty() { "what was to be closed".to_owned() } else { left.join(", ") };
    Err(CommandError::new(
        Kind::Config,
        format!("closing is not finished, the halt stays: {left}"),
        "let `rebal rebalance` finish it, or trade on with what is left by adding --yes",
    ))
}

fn confirm(context: &Context, args: &Args, halt: &Halt) -> Result<(), CommandError> {
    let nothing = "nothing was changed";
    if let Some(id) = &args.confirm {
        return match *id == halt.id {
            true => Ok(()),
            false => Err(CommandError::new(
                Kind::Config,
                format!("the halt in force is {}, not {id}", halt.id),
                nothing,
            )),
        };
    }
    context.ui.note(&format!("halted since {}: {}", halt.at, halt.reason));
    match ui::typed(&context.ui, "Trade again?", &halt.id) {
        Ok(true) => Ok(()),
        Ok(false) => Err(CommandError::new(Kind::Config, "that is not the id of the halt", nothing)),
        Err(PromptError::NoTerminal(_)) => Err(CommandError::new(
            Kind::Config,
            format!("lifting halt {} needs its id, and no terminal is there to ask", halt.id),
            "give it with --confirm ID",
        )),
        Err(PromptError::Interrupted) => Err(CommandError::new(Kind::Interrupted, "interrupted", nothing)),
        Err(error) => Err(CommandError::new(Kind::Config, error.to_string(), nothing)),
    }
}
