//! `rebal init`: asks, checks, and writes a configuration; with `--arm-live`, the yes to real money.

mod check;
mod dialogue;
mod new_file;
mod schedule;

use std::path::Path;

use crate::config::draft::Draft;
use crate::config::folders::DEFAULT_PROFILE;
use crate::config::sections::Config;
use crate::config::words::Mode;
use crate::error::{CommandError, Kind};
use crate::render::{self, Format};
use crate::report::init::{Finding, InitReport, Verdict};
use crate::ui::{self, PromptError, Ui};

use super::context::Context;
use super::{Global, arming, settings, signals};
use check::Seen;
use schedule::Job;

/// Ask, check, and write a configuration; arm an account for real money
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Ask nothing: take --set for what differs from the defaults
    #[arg(long)]
    non_interactive: bool,
    /// Allow a configuration with mode = "live" to trade: once per account
    #[arg(long, conflicts_with = "non_interactive")]
    arm_live: bool,
    /// What to type at --arm-live, where nobody is there to type it
    #[arg(long, value_name = "ACCOUNT@HOST", requires = "arm_live")]
    confirm: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  rebal init                                asks, and writes a configuration
  rebal init --profile testnet              another one beside it, with a ledger of its own
  rebal init --non-interactive --set mode=testnet --set basket.target_value=100
  rebal --profile live init --arm-live      the yes to real money, once per account

Overwrites nothing, writes no secret and asks for none, only for where they are. What is not asked can
be given with --set; the environment's REBAL__ variables stay out of the file, they win over it anyway.

Exit codes:
    0  written, or armed
    2  not confirmed, not answerable, or the account is not ready
    4  exchange unavailable, with --arm-live
   10  ledger unusable, with --arm-live
  130  interrupted, nothing written";

pub(super) async fn run(global: &Global, ui: Ui, args: &Args) -> Result<u8, CommandError> {
    if args.arm_live {
        return arming::arm(&Context::new(global, ui)?, args.confirm.as_deref()).await;
    }
    let mut context = Context::for_new_file(global, ui)?;
    render::init_fits(context.format)?;
    let path = new_file::place(&context)?;
    let _listening = signals::listen();
    // Once awaited, Ctrl-C is ours: a terminal that is asked something is left as it was found.
    tokio::task::yield_now().await;
    let draft = Draft::new(&global.sets);
    let checks = match args.non_interactive {
        true => findings(&context.config, Some(&look(&context).await?)),
        false => dialogue::hold(&mut context, draft, &path).await?,
    };
    let here = std::env::current_dir().map_err(|error| nowhere(&error))?;
    context.config.anchor(&here);
    let text = context.config.to_file();
    match args.non_interactive {
        true => show_aside(&context, &checks, &text)?,
        false => agree(&context, &path, &text)?,
    }
    new_file::create(&path, &text)?;
    let report = report(&context, global, (&here, &path), (text, checks))?;
    context.tell_done(&render::init(&report, context.format)?);
    Ok(0)
}

/// One look at the exchange. What is wrong with it, short of a signal, keeps nobody from writing a file.
async fn look(context: &Context) -> Result<Result<Seen, CommandError>, CommandError> {
    tokio::select! {
        looked = check::look(context) => Ok(looked),
        () = signals::signal() => Err(interrupted()),
    }
}

/// Everything that was found out about a configuration.
fn findings(config: &Config, looked: Option<&Result<Seen, CommandError>>) -> Vec<Finding> {
    match looked {
        None => Vec::new(),
        Some(Err(error)) => vec![check::unknown(error)],
        Some(Ok(seen)) => seen.account(config).into_iter().chain(seen.market(config)).collect(),
    }
}

/// Without questions: what was found on stderr, the file on stdout unless stdout is one object.
fn show_aside(context: &Context, checks: &[Finding], text: &str) -> Result<(), CommandError> {
    checks.iter().for_each(|finding| say(&context.ui, finding));
    if context.format == Format::Json { Ok(()) } else { context.print(&format!("{text}\n")) }
}

/// One finding, for people.
fn say(ui: &Ui, finding: &Finding) {
    let text = format!("{}: {}", finding.name, finding.detail);
    match finding.status {
        Verdict::Ok => ui.note(&format!("ok: {text}")),
        Verdict::NotVerifiable => ui.note(&format!("not verifiable: {text}")),
        Verdict::Warn | Verdict::Fail => ui.warn(&text),
    }
}

/// Shows the file and asks whether to write it.
fn agree(context: &Context, path: &Path, text: &str) -> Result<(), CommandError> {
    context.ui.err(&format!("\nThis is the file:\n\n{text}\n"));
    if context.yes {
        return Ok(());
    }
    match ui::confirm(&context.ui, &format!("Write it to {}?", path.display()), true) {
        Ok(true) => Ok(()),
        Ok(false) => Err(CommandError::new(Kind::Config, "not confirmed", "nothing was written")),
        Err(error) => Err(unanswered(error)),
    }
}

fn report(
    context: &Context,
    given: &Global,
    (here, path): (&Path, &Path),
    (config, checks): (String, Vec<Finding>),
) -> Result<InitReport, CommandError> {
    let binary = std::env::current_exe().map_err(|error| nowhere(&error))?;
    let profile = Some(context.folders.profile.as_str()).filter(|profile| *profile != DEFAULT_PROFILE);
    let state = here.join(&context.folders.state);
    let job = Job { binary: &binary, config_file: path, state: &state, profile };
    Ok(InitReport {
        schema: "rebal.init/1",
        heading: context.heading(context.wall()),
        config_file: path.display().to_string(),
        config,
        checks,
        schedule: schedule::schedule(&context.config, &job),
        next: next(&context.config, given),
    })
}

/// What to type next, in this order, with the options that were given now.
fn next(config: &Config, given: &Global) -> Vec<String> {
    let mut commands = Vec::new();
    if settings::listed(config).1.is_empty() {
        commands.push("scan --apply");
    }
    commands.push("doctor");
    commands.push("plan");
    if config.mode == Mode::Live {
        commands.push("init --arm-live");
    }
    commands.push("rebalance");
    let mut options = vec!["rebal".to_owned()];
    options.extend(given.profile.iter().flat_map(|name| ["--profile".to_owned(), name.clone()]));
    for (option, path) in [("--config", &given.config), ("--state-dir", &given.state_dir)] {
        options.extend(path.iter().flat_map(|path| [option.to_owned(), path.display().to_string()]));
    }
    let options = schedule::shell(&options);
    commands.into_iter().map(|command| format!("{options} {command}")).collect()
}

fn nowhere(error: &std::io::Error) -> CommandError {
    CommandError::new(Kind::Config, format!("this process does not know where it is: {error}"), "")
}

fn interrupted() -> CommandError {
    CommandError::new(Kind::Interrupted, "interrupted", "nothing was written")
}

fn unanswered(error: PromptError) -> CommandError {
    match error {
        PromptError::Interrupted => interrupted(),
        PromptError::NoTerminal(_) => CommandError::new(
            Kind::Config,
            "init asks questions, and no terminal is there to answer them",
            "run `rebal init --non-interactive`, with --set KEY=VALUE for what differs from the defaults; nothing was written",
        ),
        PromptError::Io(_) => CommandError::new(Kind::Config, error.to_string(), "nothing was written"),
    }
}
