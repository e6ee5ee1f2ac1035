//! The command line: one file per subcommand, all alike.

mod after;
mod apply;
mod arming;
mod backtest;
mod context;
mod desk;
mod doctor;
mod flatten;
mod funding;
mod init;
mod period;
mod plan;
mod rebalance;
mod report;
mod risk_check;
mod scan;
mod sectors;
mod settings;
mod signals;
mod sim;
mod venue;
mod view;
mod when;

use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::config::folders;
use crate::error::{CommandError, Kind};
use crate::render::{self, Format, Style};
use crate::report::error::ErrorReport;
use crate::ui::{ColorChoice, Ui};

use context::Context;

/// Keep a leveraged basket of coins at its targets, one pass at a time
#[derive(Debug, Parser)]
#[command(name = "rebal", version, about, propagate_version = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
    0  done; nothing to do is done too
    1  a bug: please report it
    2  usage, configuration, key or permission
    3  another pass runs
    4  exchange unavailable, or no coherent look at the account
    5  an order is unfilled or unknown; the next pass settles it
    6  halted, until rebal risk-check --resume
    7  the hard stop fired, and the account is flat
    8  not flat: positions are left
    9  orders that this ledger cannot explain
   10  ledger or state folder unusable
   20  something to do, with plan --detailed-exitcode
  130  interrupted

Try it without keys, config or network: rebal --demo rebalance";

/// What every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Read this configuration file
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Use NAME.toml of the configuration folder, with a state folder of its own
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// Use the built-in paper account on synthetic prices; nothing leaves this machine
    #[arg(long, global = true)]
    demo: bool,
    /// Set one value, over file and environment (repeatable)
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Keep ledger, trades.csv, HALT and lock here
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Show the result in this form, where the command has it
    #[arg(long, global = true, value_name = "FORMAT", default_value = "table", value_parser = one_of::<Format, 5>(Format::ALL.map(Format::as_str)))]
    format: Format,
    /// Same as --format json
    #[arg(long, global = true)]
    json: bool,
    /// Write the result to this file too
    #[arg(long, global = true, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Say nothing but the result and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say what is being done
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", value_parser = one_of::<ColorChoice, 3>(["auto", "always", "never"]))]
    color: ColorChoice,
    /// Ask nothing
    #[arg(long, global = true)]
    yes: bool,
}

/// One of a few words, which help and completions name.
fn one_of<T, const N: usize>(words: [&'static str; N]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}

impl Global {
    fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Scan(scan::Args),
    Plan(plan::Args),
    Rebalance(rebalance::Args),
    RiskCheck(risk_check::Args),
    Report(report::Args),
    Flatten(flatten::Args),
    Funding(funding::Args),
    Init(init::Args),
    Doctor(doctor::Args),
    Backtest(backtest::Args),
    Sim(sim::Args),
}

/// The grammar of the command line, from which manual and completions are made.
#[must_use]
pub fn grammar() -> clap::Command {
    Cli::command()
}

/// Runs one command and returns the process' exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    folders::keep_files_private();
    let arguments = sets_last(arguments);
    match Cli::try_parse_from(&arguments) {
        Ok(cli) => {
            let ui = Ui::new(cli.global.color, cli.global.quiet, cli.global.verbose);
            let format = cli.global.format();
            ExitCode::from(survived(&ui, format, || run(cli, &ui, format)))
        }
        Err(error) => ExitCode::from(usage(&error, &arguments)),
    }
}

/// The arguments with every `--set` at the end. Where one stands before the command and another behind it, the
/// grammar would keep the latter and forget the former: a setting that somebody typed.
fn sets_last(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let (mut kept, mut sets) = (Vec::new(), Vec::new());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == "--set" {
            sets.push(argument);
            sets.extend(arguments.next());
        } else if argument.to_string_lossy().starts_with("--set=") {
            sets.push(argument);
        } else {
            kept.push(argument);
        }
    }
    kept.append(&mut sets);
    kept
}

/// A panic has said on stderr where it happened; the shell learns that it was a bug, not a usage error.
fn survived(ui: &Ui, format: Format, run: impl FnOnce() -> u8) -> u8 {
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        let error = CommandError::new(
            Kind::Internal,
            "a bug in rebal ended this command",
            "what was sent is in the ledger, and the next pass settles it; please report the lines above",
        );
        fail(ui, format, &error)
    })
}

fn run(cli: Cli, ui: &Ui, format: Format) -> u8 {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(ui, format, &CommandError::new(Kind::Internal, error.to_string(), "")),
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Scan(args) => scan::run(&Context::new(&cli.global, ui.clone())?, &args).await,
            Command::Plan(args) => plan::run(&Context::new(&cli.global, ui.clone())?, &args).await,
            Command::Rebalance(args) => rebalance::run(&Context::new(&cli.global, ui.clone())?, &args).await,
            Command::RiskCheck(args) => risk_check::run(&Context::new(&cli.global, ui.clone())?, &args).await,
            Command::Report(args) => report::run(&Context::new(&cli.global, ui.clone())?, &args).await,
            Command::Flatten(args) => flatten::run(&Context::for_exit(&cli.global, ui.clone())?, &args).await,
            Command::Funding(args) => funding::run(&Context::new(&cli.global, ui.clone())?, &args).await,
            Command::Init(args) => init::run(&cli.global, ui.clone(), &args).await,
            Command::Doctor(args) => doctor::run(&cli.global, ui.clone(), &args).await,
            Command::Backtest(args) => {
                backtest::run_command(&Context::new(&cli.global, ui.clone())?, &args).await
            }
            Command::Sim(args) => sim::run(ui, &args).await,
        }
    });
    // A signal task or a stalled connection must not keep a finished pass alive.
    runtime.shutdown_background();
    done.unwrap_or_else(|error| fail(ui, format, &error))
}

/// Tells why a command failed: for people on stderr, with `--json` as the one object on stdout.
fn fail(ui: &Ui, format: Format, error: &CommandError) -> u8 {
    let exit_code = error.kind.exit_code();
    let report = ErrorReport::new(None, error.kind.as_str(), exit_code, &error.message, &error.hint);
    if format == Format::Json {
        let _ = ui.out(&render::error(&report, format, &Style::default()));
    } else {
        ui.fail(&error.message);
        if !error.hint.is_empty() {
            ui.hint(&error.hint);
        }
    }
    exit_code
}

/// Help and version are data; anything else clap has to say is a usage error.
fn usage(error: &clap::Error, arguments: &[OsString]) -> u8 {
    let wants_json = arguments.iter().any(|argument| argument == "--json" || argument == "--format=json")
        || arguments
            .windows(2)
            .any(|pair| matches!(pair, [option, value] if option == "--format" && value == "json"));
    if error.use_stderr() && wants_json {
        let ui = Ui::new(ColorChoice::Never, false, false);
        let message = error.to_string();
        let message = message.trim_start_matches("error: ").lines().next().unwrap_or_default().to_owned();
        return fail(&ui, Format::Json, &CommandError::new(Kind::Config, message, "see `rebal --help`"));
    }
    // Only a closed stream can fail here, and then nobody is left to tell.
    let _ = error.print();
    u8::try_from(error.exit_code()).unwrap_or(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_counts_before_and_behind_the_command() {
        let line = "rebal --set a.b=1 --demo plan --set=c.d=2 --dry-run --set e.f=3";
        let cli = Cli::try_parse_from(sets_last(line.split(' ').map(OsString::from))).unwrap();
        assert_eq!(cli.global.sets, ["a.b=1", "c.d=2", "e.f=3"]);
        assert!(cli.global.demo && matches!(cli.command, Command::Plan(_)));
        assert!(Cli::try_parse_from(sets_last(["rebal", "plan", "--set"].map(OsString::from))).is_err());
    }

    #[test]
    fn a_panic_ends_with_the_code_of_a_bug() {
        let ui = Ui::new(ColorChoice::Never, true, false);
        let panics = || -> u8 { panic!("somewhere deep") };
        assert_eq!(survived(&ui, Format::Table, panics), 1);
        assert_eq!(survived(&ui, Format::Table, || 7), 7);
    }
}
