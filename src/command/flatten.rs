//! `rebal flatten`: everything closed, now. Goes on where any other command would give up: with a
//! basket that makes no sense, without history, and with a ledger that cannot be opened.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::config::words::Mode;
use crate::domain::scope::Scope;
use crate::domain::symbol::Symbol;
use crate::error::{CommandError, Kind};
use crate::exchange::paper::PAPER_ACCOUNT;
use crate::exchange::{self, Exchange, ExchangeError};
use crate::ledger::{Ledger, LedgerError};
use crate::pass::lock::{Lock, LockError};
use crate::pass::stop::Closed;
use crate::pass::{latch, lock};
use crate::render;
use crate::ui::{self, PromptError};

use super::after::After;
use super::context::Context;
use super::desk::Desk;
use super::venue::{self, Venue};
use super::{signals, view};

/// Close every position at the market, cancel our orders, and halt trading
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Close only these, by contract or by coin: ADAUSDT or ADA
    #[arg(long, value_name = "SYMBOL,…", value_delimiter = ',')]
    symbols: Vec<String>,
    /// Do not halt: the next pass may buy everything again
    #[arg(long)]
    no_halt: bool,
}

const EXAMPLES: &str = "\
Examples:
  rebal flatten                             asks, then closes everything and halts
  rebal flatten --yes                       the same from a script, or in a hurry
  rebal flatten --symbols ADA,XRPUSDT       only these
  rebal flatten --no-halt                   and let the next pass buy again

Goes on with a wrong basket, a broken ledger or half of the exchange down. `rebal risk-check
--resume` lifts the halt.

Exit codes:
    0  flat
    2  not confirmed, or not certain whose account is meant
    5  flat, but something could not be written down
    8  not flat: see what remains, and run it again
   10  the ledger is another account's
  130  interrupted";

/// How long another pass is waited for: it ends by itself, and then this one looks.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries, to lock or to connect.
const PAUSE: Duration = Duration::from_millis(500);
/// How often the exchange is tried.
const TRIES: usize = 5;

pub(super) async fn run(context: &Context, args: &Args) -> Result<u8, CommandError> {
    render::flatten_fits(context.format)?;
    if !agreed(context, args)? {
        return Err(CommandError::new(
            Kind::Config,
            "not confirmed",
            "nothing was sent and nothing is closed",
        ));
    }
    let after = After::new(context, "flatten", None)?;
    let mut troubles = Vec::new();
    if let Err(error) = context.state_folder() {
        troubles.push(error.message);
    }
    let mut lock = take_lock(context, &mut troubles).await?;
    let mut ledger = open_ledger(context, lock.as_ref(), &mut troubles).await?;
    for trouble in &troubles {
        context.ui.warn(trouble);
    }
    let asked = signals::listen();
    let mut desk = Desk::new(context, &mut ledger, lock.as_mut(), &asked).await;
    let done = in_order(&mut desk, args, troubles).await;
    after.opened(&mut desk, &done).await;
    // What was written is on the disk; a ledger that does not close in order loses nothing.
    let _ = ledger.close().await;
    done
}

async fn in_order(desk: &mut Desk<'_>, args: &Args, troubles: Vec<String>) -> Result<u8, CommandError> {
    match venue::open(desk.context, desk.ledger).await? {
        Venue::Usdm(mut exchange) => flatten(exchange.as_mut(), desk, args, troubles).await,
        Venue::Spot(mut exchange) => flatten(exchange.as_mut(), desk, args, troubles).await,
        Venue::Paper(mut exchange) => {
            desk.ledger.age(&exchange.environment(), PAPER_ACCOUNT).await?;
            let done = flatten(exchange.as_mut(), desk, args, troubles).await;
            desk.ledger.set_paper(&exchange.keep()).await?;
            done
        }
    }
}

async fn flatten<E: Exchange>(
    exchange: &mut E,
    desk: &mut Desk<'_>,
    args: &Args,
    troubles: Vec<String>,
) -> Result<u8, CommandError> {
    let context = desk.context;
    let recorded = troubles.is_empty();
    let scope = match args.symbols.is_empty() {
        true => Scope::All,
        // Nobody is in such a hurry about one coin that its name must not be looked up first.
        false => Scope::Symbols(named(exchange, context, &args.symbols).await?),
    };
    let mut notes = troubles;
    let halt = match args.no_halt {
        true => None,
        false => {
            let at = desk.now(exchange);
            let (halt, note) = latch::by_hand(desk.ledger, desk.folder, at, scope.clone()).await;
            notes.extend(note);
            Some(halt)
        }
    };
    let reached = match wait_for_ban(desk).await {
        Ok(()) => connect(exchange).await.map_err(CommandError::from),
        Err(error) => Err(error),
    };
    let (halt, mut closed) = match reached {
        Err(error) => {
            let why = format!("the exchange cannot be reached, nothing was sent: {error}");
            let closed = Closed { notes: vec![why], ..Closed::default() };
            desk.conclude(desk.now(exchange), halt.as_ref(), &closed, 0).await;
            (halt, closed)
        }
        Ok(()) => match halt {
            // Everything of an unfinished halt is, on spot, what rebal bought: what is named may be more.
            Some(halt)
                if exchange.kind() == exchange::Kind::Spot
                    && halt.scope == Scope::All
                    && scope != Scope::All =>
            {
                (Some(halt), desk.close_only(exchange, &scope).await?)
            }
            Some(halt) => {
                let (halt, closed) = desk.go_on(exchange, halt, 0).await?;
                (Some(halt), closed)
            }
            None => (None, desk.close_only(exchange, &scope).await?),
        },
    };
    closed.unrecorded |= !recorded;
    notes.append(&mut closed.notes);
    if recorded && let Some(note) = desk.write_trades().await {
        notes.push(note);
    }
    closed.notes = notes;
    let report = view::flatten_report(context, desk.now(exchange), &scope, halt.as_ref(), &closed);
    context.tell_done(&render::flatten(&report, context.format, &context.style)?);
    Ok(report.exit_code)
}

/// The contracts that are meant. A name that the exchange does not know is no reason to say that
/// something is closed.
async fn named<E: Exchange>(
    exchange: &mut E,
    context: &Context,
    names: &[String],
) -> Result<BTreeSet<Symbol>, CommandError> {
    connect(exchange).await?;
    let exposed = exchange.exposed().await?;
    let quote = &context.config.quote;
    let known: BTreeSet<&Symbol> = exposed.positions.keys().chain(exposed.rules.keys()).collect();
    let find = |name: &String| {
        let upper = name.trim().to_uppercase();
        let is_meant = |symbol: &&&Symbol| symbol.as_str() == upper || symbol.coin(quote) == upper;
        if let Some(symbol) = known.iter().find(is_meant) {
            return Ok((*symbol).clone());
        }
        let near =
            |symbol: &&&Symbol| strsim::jaro_winkler(symbol.coin(quote), upper.trim_end_matches(quote));
        let nearest = known.iter().max_by(|a, b| near(a).total_cmp(&near(b)));
        let hint =
            nearest.map_or_else(String::new, |symbol| format!("; did you mean {}?", symbol.coin(quote)));
        Err(CommandError::new(
            Kind::Config,
            format!("--symbols: the exchange lists no {name:?}{hint}"),
            "nothing was sent and nothing is halted",
        ))
    };
    names.iter().map(find).collect()
}

/// Waits for the end of a short ban. What is sent into a long one only makes it longer.
async fn wait_for_ban(desk: &mut Desk<'_>) -> Result<(), CommandError> {
    // A ledger that fails now tells of no ban, and is told by whoever needs it next.
    let until = desk.ledger.not_before().await.unwrap_or_default();
    let left = until.map_or(Duration::ZERO, |until| until.since(desk.context.started));
    if left > PATIENCE {
        return desk.context.heed_ban(desk.ledger).await;
    }
    if !left.is_zero() {
        desk.context.ui.warn(&format!("the exchange wants no request for {} s", left.as_secs()));
        tokio::time::sleep(left).await;
    }
    Ok(())
}

/// An exchange that stumbles is asked again.
async fn connect<E: Exchange>(exchange: &mut E) -> Result<(), ExchangeError> {
    let mut tries = 1;
    loop {
        match exchange.connect().await {
            Ok(_) => return Ok(()),
            Err(ExchangeError::Unavailable { .. } | ExchangeError::Rejected { .. }) if tries < TRIES => {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// The lock, or `None` where its file cannot be written: then nobody else trades from here either.
async fn take_lock(context: &Context, troubles: &mut Vec<String>) -> Result<Option<Lock>, CommandError> {
    let started = Instant::now();
    loop {
        match lock::take(&context.folders.state) {
            Ok(lock) => return Ok(Some(lock)),
            Err(LockError::Busy(holder)) if started.elapsed() < PATIENCE => {
                if started.elapsed() < PAUSE {
                    context.ui.warn(&format!("waiting for the pass that is running ({holder})"));
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(error @ LockError::Busy(_)) => return Err(error.into()),
            Err(LockError::File { path, source }) => {
                troubles.push(format!("the lock {} cannot be taken: {source}", path.display()));
                return Ok(None);
            }
        }
    }
}

/// The ledger, or one in memory where it cannot be used. On paper the ledger is the account.
async fn open_ledger(
    context: &Context,
    lock: Option<&Lock>,
    troubles: &mut Vec<String>,
) -> Result<Ledger, CommandError> {
    let why = match usable_ledger(context, lock).await {
        Ok(mut ledger) => {
            // The folder says one account and the configuration another: nobody knows which one is meant.
            ledger.belongs_to(&venue::environment(context)).await?;
            return Ok(ledger);
        }
        Err(error) => error,
    };
    if context.config.mode == Mode::Paper {
        return Err(why);
    }
    troubles.push(format!("the ledger cannot be used, what is sent now is not in it: {}", why.message));
    Ok(Ledger::in_memory().await?)
}

async fn usable_ledger(context: &Context, lock: Option<&Lock>) -> Result<Ledger, CommandError> {
    let mut ledger = Ledger::open(&context.folders.state).await?;
    let (install, next) = (ledger.install().await?, ledger.next_pass_id().await?);
    if lock.is_some_and(|lock| lock.is_ahead_of(install, next)) {
        return Err(CommandError::new(Kind::Storage, "it was restored from an old copy", ""));
    }
    // What the loop will need is asked for now: a ledger that fails later has orders under way.
    let checked: Result<(), LedgerError> = async {
        ledger.unresolved().await?;
        ledger.holdings().await?;
        ledger.halt().await?;
        Ok(())
    }
    .await;
    checked?;
    Ok(ledger)
}

fn agreed(context: &Context, args: &Args) -> Result<bool, CommandError> {
    if context.yes {
        return Ok(true);
    }
    let what = match args.symbols.is_empty() {
        true => "every position".to_owned(),
        false => args.symbols.join(", "),
    };
    let halting = if args.no_halt { "" } else { " and halt trading" };
    let question = format!(
        "Close {what} on {} ({}) at the market{halting}?",
        context.config.venue.as_str(),
        context.config.mode.as_str().to_uppercase()
    );
    match ui::confirm(&context.ui, &question, false) {
        Ok(answer) => Ok(answer),
        Err(PromptError::Interrupted) => {
            Err(CommandError::new(Kind::Interrupted, "interrupted", "nothing was sent"))
        }
        Err(error) => Err(CommandError::new(Kind::Config, error.to_string(), "nothing was sent")),
    }
}
