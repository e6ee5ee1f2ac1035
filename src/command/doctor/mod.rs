//! `rebal doctor`: everything that must be right before money is at stake, one row each.

mod account;
mod local;
mod messages;
mod state;

use std::collections::BTreeMap;

use crate::config::Loaded;
use crate::domain::time::Time;
use crate::error::{CommandError, Kind};
use crate::ledger::Ledger;
use crate::render;
use crate::report::doctor::question::Question;
use crate::report::doctor::{DoctorReport, Failure, Group, Row, Setting};
use crate::ui::Ui;

use super::Global;
use super::context::{Context, Understood};

/// Check everything that a pass needs, and say how to mend what is wrong
///
/// Configuration, secrets, key, clock, account, coins, ledger, messages: one row each, always all of
/// them. What cannot be told (no network, no such endpoint) is "not verifiable", never ok. Changes
/// nothing: sends no order and no setting, makes no ledger, takes no lock, works with a read-only key.
/// --verbose adds every value of the configuration and where it came from.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Send a test message to Telegram and one beat to heartbeat.url
    #[arg(long)]
    send_test: bool,
}

const EXAMPLES: &str = "\
Examples:
  rebal doctor                              before the first pass, and whenever something is odd
  rebal doctor -v                           with every value and where it came from
  rebal doctor --send-test                  and let Telegram and the heartbeat prove themselves
  rebal doctor --json | jq '.checks[] | select(.status == \"fail\")'

Ends with the first of these that failed. Warnings and what is not verifiable do not count.

Exit codes:
    0  nothing failed
    2  configuration, key, permission or account mode
   10  ledger or state folder
    9  foreign orders
    6  halted
    4  exchange unavailable, or an account without equity";

pub(super) async fn run(global: &Global, ui: Ui, args: &Args) -> Result<u8, CommandError> {
    render::doctor_fits(global.format())?;
    let (context, understood) = Context::for_doctor(global, ui)?;
    let mut report = Case::new(&context, &understood, args.send_test).examined().await;
    if global.verbose {
        report.settings = settings(&context, &understood);
    }
    context.show(&render::doctor(&report, context.format, &context.style)?)?;
    Ok(report.exit_code)
}

/// Examines everything, as `rebal doctor` does. Changes nothing, anywhere.
/// [`DoctorReport::against_arming`] has what keeps real money from being armed.
pub(super) async fn examine(context: &Context) -> DoctorReport {
    Case::new(context, &Understood::Whole, false).examined().await
}

/// What is known so far.
struct Case<'a> {
    context: &'a Context,
    understood: &'a Understood,
    send_test: bool,
    rows: Vec<Row>,
    /// Why the rest of a group cannot be told.
    blind: BTreeMap<Group, String>,
    /// The exchange's time, once it told.
    at: Option<Time>,
    /// Trading is refused.
    halted: bool,
}

impl<'a> Case<'a> {
    fn new(context: &'a Context, understood: &'a Understood, send_test: bool) -> Case<'a> {
        Case {
            context,
            understood,
            send_test,
            rows: Vec::new(),
            blind: BTreeMap::new(),
            at: None,
            halted: false,
        }
    }

    async fn examined(mut self) -> DoctorReport {
        let mut ledger = self.state().await;
        self.local(ledger.as_mut()).await;
        self.exchange(ledger.as_mut()).await;
        self.past(ledger.as_mut()).await;
        self.messages(ledger.as_mut()).await;
        let heading = self.heading(ledger.as_mut()).await;
        let Case { rows, blind, .. } = self;
        DoctorReport::new(heading, rows, |group| {
            blind.get(&group).cloned().unwrap_or_else(|| "what it rests on is not verifiable".to_owned())
        })
    }

    async fn heading(&self, ledger: Option<&mut Ledger>) -> crate::report::heading::Heading {
        let at = match (self.at, ledger) {
            (Some(at), _) => at,
            (None, Some(ledger)) => self.context.now(ledger).await.unwrap_or(self.context.started),
            (None, None) => self.context.started,
        };
        let heading = self.context.heading(at);
        match self.understood {
            Understood::Nothing(_) => {
                crate::report::heading::Heading { mode: "unknown".into(), venue: "unknown".into(), ..heading }
            }
            _ => heading,
        }
    }

    fn say(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// The rest of these groups cannot be told, for a reason. The first reason stands.
    fn blind(&mut self, groups: &[Group], why: &str) {
        for group in groups {
            self.blind.entry(*group).or_insert_with(|| why.to_owned());
        }
    }
}

/// A row that failed as a pass would fail.
fn failed(question: &Question, error: &CommandError) -> Row {
    let failure = match error.kind {
        Kind::Storage => Failure::Storage,
        Kind::Foreign => Failure::Foreign,
        Kind::Halted => Failure::Halted,
        Kind::Config | Kind::Locked => Failure::Config,
        Kind::Internal | Kind::Unavailable | Kind::Partial | Kind::Interrupted => Failure::Unavailable,
    };
    // Here nothing is ever sent.
    let hint = error.hint.strip_suffix("; nothing was sent").unwrap_or(&error.hint);
    question.fail(failure, error.message.clone(), hint)
}

/// Every effective value and its origin; none where the configuration cannot be read.
fn settings(context: &Context, understood: &Understood) -> Vec<Setting> {
    if matches!(understood, Understood::Nothing(_)) {
        return Vec::new();
    }
    let loaded = Loaded { config: context.config.clone(), origins: context.origins.clone() };
    let setting = |value: crate::config::show::Effective| Setting {
        key: value.key,
        value: value.value,
        origin: value.origin.to_string(),
    };
    loaded.effective().into_iter().map(setting).collect()
}
