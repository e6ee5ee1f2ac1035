//! `rebal init --arm-live`: real money is traded once a person has said so, for one account.

use crate::config::words::Mode;
use crate::domain::time::Time;
use crate::error::{CommandError, Kind};
use crate::exchange::{Exchange, ExchangeError};
use crate::ledger::Ledger;
use crate::render;
use crate::report::doctor::question::{KEY_TRADING, KEY_WITHDRAWALS, Question};
use crate::report::doctor::{Row, Status};
use crate::report::init::ArmReport;
use crate::ui::{self, PromptError};

use super::context::Context;
use super::venue::{self, Venue};
use super::{desk, doctor, signals};

const UNCHANGED: &str = "nothing was armed and nothing was sent";

/// Refuses to trade real money on an account that nobody armed. The account itself is compared by
/// [`Ledger::age`], once the exchange has told which one answers and before anything is sent to it.
pub(super) async fn require(context: &Context, ledger: &mut Ledger) -> Result<(), CommandError> {
    if context.config.mode != Mode::Live || ledger.armed().await?.is_some() {
        return Ok(());
    }
    Err(CommandError::new(
        Kind::Config,
        "this account is not armed: mode = \"live\" is real money, and nobody has said yes to that yet",
        "run `rebal init --arm-live` once, with the same --config, --profile or --state-dir; nothing was sent",
    ))
}

/// The account that answers, and where.
struct Found {
    environment: String,
    account: String,
    at: Time,
}

/// Arms the account of this configuration.
pub(super) async fn arm(context: &Context, confirm: Option<&str>) -> Result<u8, CommandError> {
    render::init_fits(context.format)?;
    if context.config.mode != Mode::Live {
        return Err(CommandError::new(
            Kind::Config,
            format!("mode = \"{}\" is no real money and needs no arming", context.config.mode.as_str()),
            "set mode = \"live\" in the configuration first, once the testnet has convinced you",
        ));
    }
    preflight(context).await?;
    let (lock, mut ledger) = desk::open(context).await?;
    let _listening = signals::listen();
    // Once awaited, the signal is ours: a terminal that is asked something is left as it was found.
    tokio::task::yield_now().await;
    let done = arm_with(context, &mut ledger, confirm).await;
    ledger.close().await?;
    drop(lock);
    done
}

async fn arm_with(context: &Context, ledger: &mut Ledger, confirm: Option<&str>) -> Result<u8, CommandError> {
    context.heed_ban(ledger).await?;
    let found = match venue::open(context, ledger).await? {
        Venue::Usdm(exchange) => identify(*exchange).await?,
        Venue::Spot(exchange) => identify(*exchange).await?,
        Venue::Paper(exchange) => identify(*exchange).await?,
    };
    // Another account's ledger says so before anybody is asked.
    ledger.age(&found.environment, &found.account).await?;
    let before = ledger.armed().await?;
    if before.is_none() {
        agree(context, &found, confirm)?;
        ledger.arm(&found.environment, &found.account, found.at, env!("CARGO_PKG_VERSION")).await?;
    }
    let report = ArmReport {
        schema: "rebal.arm/1",
        heading: context.heading(found.at),
        environment: found.environment,
        account: found.account,
        armed_at: before.as_ref().map_or(found.at, |armed| armed.at),
        was_armed: before.is_some(),
    };
    context.tell_done(&render::arm(&report, context.format)?);
    Ok(0)
}

/// What must be known of a key, and not only not be known to be wrong.
const VERIFIED: [Question; 2] = [KEY_WITHDRAWALS, KEY_TRADING];

/// Refuses an account that `rebal doctor` finds anything wrong with, and a key that nobody can tell of
/// whether it may withdraw.
async fn preflight(context: &Context) -> Result<(), CommandError> {
    let report = doctor::examine(context).await;
    let unknown = |row: &&Row| {
        row.status == Status::NotVerifiable && VERIFIED.iter().any(|question| question.name == row.name)
    };
    let unverified = report.checks.iter().filter(unknown);
    let failed: Vec<String> =
        report.against_arming().chain(unverified).map(|row| format!("{}: {}", row.name, row.found)).collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(CommandError::new(
            Kind::Config,
            format!("the account is not ready: {}", failed.join("; ")),
            format!("`rebal doctor` says what to do about each; {UNCHANGED}"),
        )),
    }
}

async fn identify<E: Exchange>(mut exchange: E) -> Result<Found, ExchangeError> {
    let at = exchange.connect().await?;
    let account = exchange.observe().await?.account;
    Ok(Found { environment: exchange.environment(), account, at })
}

/// Whether a person, or the script of one, names this very account at this very host.
fn agree(context: &Context, found: &Found, confirm: Option<&str>) -> Result<(), CommandError> {
    // One word, so that nobody has to quote it: a spot account is called `spot 123`.
    let phrase = format!("{}@{}", found.account.replace(' ', "-"), host(context));
    let refuse = |message: String, hint: String| Err(CommandError::new(Kind::Config, message, hint));
    if let Some(given) = confirm {
        return match given == phrase {
            true => Ok(()),
            false => refuse(format!("the account is {phrase}, not {given}"), UNCHANGED.into()),
        };
    }
    context.ui.note(&format!(
        "From now on every `rebal rebalance` with this configuration sends orders with REAL MONEY:\n\
         {}, account {}.\nrebal asks this once per account; a ledger that is deleted is unarmed again.",
        found.environment, found.account
    ));
    match ui::typed(&context.ui, "Arm it?", &phrase) {
        Ok(true) => Ok(()),
        Ok(false) => refuse(format!("that is not {phrase}"), UNCHANGED.into()),
        Err(PromptError::NoTerminal(_)) => refuse(
            format!("arming {phrase} needs these words, and no terminal is there to ask"),
            format!("give them with --confirm {phrase}; {UNCHANGED}"),
        ),
        Err(PromptError::Interrupted) => Err(CommandError::new(Kind::Interrupted, "interrupted", UNCHANGED)),
        Err(error) => refuse(error.to_string(), UNCHANGED.into()),
    }
}

/// The host that is spoken to, with its port where it has one.
fn host(context: &Context) -> &str {
    let config = &context.config;
    let official = venue::official(config.venue, config.mode);
    let url = config.exchange.base_url.as_ref().map_or(official, |url| url.host());
    url.split_once("://").map_or(url, |(_, host)| host)
}
