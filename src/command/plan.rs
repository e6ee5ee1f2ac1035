//! `rebal plan`: what a pass would do now, and why.

use std::path::Path;

use crate::error::{CommandError, Kind};
use crate::exchange::Exchange;
use crate::ledger::Ledger;
use crate::pass::{self, Mode, Settings, latch};
use crate::render;

use super::apply::Basis;
use super::context::Context;
use super::venue::{self, Venue};
use super::{settings, view};

/// Show what a pass would do now, and why; sends nothing
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Keep no record of the plan either
    #[arg(long)]
    dry_run: bool,
    /// Exit with 20 where there is something to do
    #[arg(long)]
    detailed_exitcode: bool,
}

const EXAMPLES: &str = "\
Examples:
  rebal plan --dry-run                      what the next pass would do, coin by coin
  rebal plan --out plan.json                look it over, then: rebal rebalance --plan plan.json
  rebal plan --detailed-exitcode --quiet    for scripts: 0 nothing to do, 20 something
  rebal --demo plan                         on paper, without key or network

Exit codes:
    0  done
    2  configuration
    4  exchange unavailable
    6  halted, what would be done is shown
    9  foreign orders
   10  ledger unusable
   20  something to do, with --detailed-exitcode";

/// There is something to do.
const CHANGES: u8 = 20;

pub(super) async fn run(context: &Context, args: &Args) -> Result<u8, CommandError> {
    render::fits("a plan", context.format)?;
    let mut ledger = look_only(context).await?;
    let settings = settings::settings(&context.config, &mut ledger).await?;
    context.heed_ban(&mut ledger).await?;
    match venue::open(context, &mut ledger).await? {
        Venue::Usdm(exchange) => show(context, args, &settings, *exchange, ledger).await,
        Venue::Spot(exchange) => show(context, args, &settings, *exchange, ledger).await,
        Venue::Paper(exchange) => show(context, args, &settings, *exchange, ledger).await,
    }
}

/// The ledger as far as there is one: a plan never makes one. Another account's is refused, for what it says
/// is not true of this one.
pub(super) async fn look_only(context: &Context) -> Result<Ledger, CommandError> {
    match Ledger::open_read_only(&context.folders.state).await? {
        Some(mut ledger) => {
            ledger.belongs_to(&venue::environment(context)).await?;
            Ok(ledger)
        }
        None => Ok(Ledger::in_memory().await?),
    }
}

/// The same for a look at the past, which older tables do not hold.
pub(super) async fn look_back(context: &Context) -> Result<Ledger, CommandError> {
    let mut ledger = look_only(context).await?;
    if ledger.is_old().await? {
        return Err(CommandError::new(
            Kind::Storage,
            "this ledger was written by an older rebal, and looking at it does not change it",
            "the next `rebal rebalance` brings it up to date; nothing of it is lost",
        ));
    }
    Ok(ledger)
}

async fn show<E: Exchange>(
    context: &Context,
    args: &Args,
    settings: &Settings,
    mut exchange: E,
    mut ledger: Ledger,
) -> Result<u8, CommandError> {
    exchange.connect().await?;
    let halt = latch::in_force(&mut ledger, &context.folders.state).await?.map(|halt| halt.id);
    let prepared = pass::prepare(&exchange, &mut ledger, settings, None, Mode::Preview).await?;
    if let Err(refusal) = &prepared.verdict {
        return Err(pass::PassError::Breached(refusal.breaches.clone()).into());
    }
    context.tell(&exchange, &prepared);
    let report = view::plan_report(context, settings, &prepared, halt);
    let basis = Basis::of(context, &exchange, &mut ledger, &prepared).await?;
    let file = render::json::object(&basis.into_file(&report));
    if !args.dry_run {
        keep(context, &report.plan_id, prepared.seen.snapshot.at, &file).await?;
    }
    if let Some(path) = &context.out {
        context.write(path, &file)?;
    }
    let text = render::plan(&report, context.format, &context.style)?;
    context.print(&text)?;
    // What would be done is shown, and nothing of it is until somebody lifts the halt.
    Ok(match report.halted {
        true => Kind::Halted.exit_code(),
        false if args.detailed_exitcode && report.has_changes => CHANGES,
        false => 0,
    })
}

/// Stores the plan in the ledger.
async fn keep(
    context: &Context,
    plan_id: &str,
    at: crate::domain::time::Time,
    file: &str,
) -> Result<(), CommandError> {
    let folder: &Path = context.state_folder()?;
    let mut ledger = Ledger::open(folder).await?;
    ledger.keep_plan(plan_id, at, file).await?;
    Ok(ledger.close().await?)
}
