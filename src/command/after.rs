//! What follows a pass, whatever became of it: metrics file, digest, outbox, heartbeat.
//!
//! Nothing here changes what the process ends with. What fails is a warning, and what was not
//! delivered stays in the ledger for the next pass.

use std::path::Path;
use std::time::Duration;

use crate::config::secrets;
use crate::domain::history::{Reading, Sample};
use crate::domain::time::Time;
use crate::error::{CommandError, Kind};
use crate::ledger::{Ledger, LedgerError};
use crate::notify::{self, Beat, Heartbeat, SetupError, Telegram};
use crate::pass::deliver::{self, WITHIN};
use crate::pass::digest::{self, Regular};
use crate::pass::latch;
use crate::render::message::Sender;
use crate::render::metrics;
use crate::report::metrics::{AccountMetrics, Metrics};

use super::context::Context;
use super::desk::Desk;

/// What could not be delivered for so long is no news any more.
const OLDEST: Duration = Duration::from_secs(24 * 3600);

/// What one command does once it is over.
pub(super) struct After<'a> {
    context: &'a Context,
    command: &'static str,
    metrics: Option<&'a Path>,
    digest: bool,
    heartbeat: bool,
}

impl<'a> After<'a> {
    /// Delivers what waits, and writes the metrics file where one was asked for.
    ///
    /// Fails where that file cannot be one, before anything is sent.
    pub(super) fn new(
        context: &'a Context,
        command: &'static str,
        metrics: Option<&'a Path>,
    ) -> Result<After<'a>, CommandError> {
        if let Some(path) = metrics {
            context.may_write("--metrics-file", path)?;
        }
        Ok(After { context, command, metrics, digest: false, heartbeat: false })
    }

    /// Writes a digest too, where one is due.
    pub(super) fn with_digest(self) -> After<'a> {
        After { digest: true, ..self }
    }

    /// Beats too.
    pub(super) fn with_heartbeat(self) -> After<'a> {
        After { heartbeat: true, ..self }
    }

    /// After a run that never had its ledger. Returns why.
    pub(super) async fn unopened<T>(&self, error: CommandError) -> Result<T, CommandError> {
        // The pass that runs writes its own figures and beats for itself.
        if error.kind != Kind::Locked {
            self.write_metrics(None, None, error.kind.exit_code()).await;
            self.beat(error.kind.exit_code()).await;
        }
        Err(error)
    }

    /// After a run with a ledger, while it still holds the lock.
    pub(super) async fn opened(&self, desk: &mut Desk<'_>, done: &Result<u8, CommandError>) {
        let code = match done {
            Ok(code) => *code,
            Err(error) => error.kind.exit_code(),
        };
        let seen = desk.seen.take();
        self.write_metrics(Some(&mut *desk.ledger), seen, code).await;
        let now = match desk.ended {
            Some(ended) => {
                let ahead = ended.ms() - self.context.wall().ms();
                // Nothing but dates of later reports hangs on it.
                drop(desk.ledger.set_clock_offset(ahead).await);
                ended
            }
            None => self.context.now(desk.ledger).await.unwrap_or(self.context.started),
        };
        let (delivered, ()) = tokio::join!(self.deliver(desk.ledger, desk.folder, now), self.beat(code));
        if let Err(error) = delivered {
            self.context.ui.warn(&format!("messages wait in the ledger: {error}"));
        }
    }

    async fn deliver(&self, ledger: &mut Ledger, folder: &Path, now: Time) -> Result<(), LedgerError> {
        let context = self.context;
        // Without anybody to read them messages would only pile up, to arrive all at once some day. They stay in
        // the ledger, and a trouble that lasts is told again.
        if !context.config.telegram.enabled {
            return ledger.withdraw_before(Time::clamped(i64::MAX)).await.map(drop);
        }
        let stale = ledger.withdraw_before(now - OLDEST).await?;
        if stale > 0 {
            let many = if stale == 1 { "message is" } else { "messages are" };
            context.ui.warn(&format!(
                "{stale} {many} more than a day old and not sent any more; the ledger keeps them"
            ));
        }
        if self.digest {
            let regular = Regular {
                every: context.config.report.digest_every,
                interval: context.config.interval,
                quote: context.config.quote.clone(),
                heading: context.heading(now),
            };
            // What waits already is delivered all the same.
            if let Err(error) = digest::tell_if_due(ledger, folder, regular).await {
                context.ui.warn(&format!("no digest could be made: {error}"));
            }
        }
        if !ledger.is_waiting().await? {
            return Ok(());
        }
        let telegram = match telegram(context) {
            Ok(telegram) => telegram,
            Err(error) => {
                context.ui.warn(&format!("messages wait in the ledger: {}", error.message));
                return Ok(());
            }
        };
        let sender = Sender {
            profile: context.folders.profile.clone(),
            mode: context.config.mode.as_str().to_owned(),
        };
        let drained = deliver::drain(ledger, &telegram, &sender, || context.wall(), WITHIN).await?;
        match &drained.trouble {
            Some(trouble) => context.ui.warn(&format!(
                "{} of {} messages wait for the next pass, none is lost: {trouble}",
                drained.waiting,
                drained.waiting + drained.delivered
            )),
            None => context.ui.detail(&format!(
                "messages: {} delivered, {} wait for the next pass",
                drained.delivered, drained.waiting
            )),
        }
        Ok(())
    }

    async fn beat(&self, code: u8) {
        let Some(url) = self.context.config.heartbeat.url.as_ref().filter(|_| self.heartbeat) else { return };
        let beat = match code {
            0 | 20 => Beat::Good,
            // Another pass runs, and it beats.
            3 => return,
            _ => Beat::Bad,
        };
        let beaten = match Heartbeat::new(url.as_str(), WITHIN) {
            Ok(heartbeat) => heartbeat.beat(beat).await,
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = beaten {
            self.context.ui.warn(&format!("the heartbeat did not get through: {why}"));
        }
    }

    async fn write_metrics(
        &self,
        ledger: Option<&mut Ledger>,
        seen: Option<(Reading, Vec<Sample>)>,
        exit_code: u8,
    ) {
        if let Some(path) = self.metrics {
            write_metrics(self.context, self.command, path, ledger, seen, exit_code).await;
        }
    }
}

/// Writes the metrics file: what the run saw, else what the ledger knows, and always the exit code. A
/// file that cannot be written is a warning.
pub(super) async fn write_metrics(
    context: &Context,
    command: &'static str,
    path: &Path,
    ledger: Option<&mut Ledger>,
    seen: Option<(Reading, Vec<Sample>)>,
    exit_code: u8,
) {
    let mut known = Metrics {
        heading: context.heading(context.started),
        command,
        exit_code,
        account: seen.map(|(reading, coins)| AccountMetrics::new(&reading, &coins)),
        ..Metrics::default()
    };
    if let Some(ledger) = ledger
        && let Err(error) = of_ledger(ledger, context, &mut known).await
    {
        context.ui.warn(&format!("metrics: {error}"));
    }
    if let Err(error) = context.write(path, &metrics::text(&known)) {
        context.ui.warn(&format!("metrics: {error}"));
    }
}

async fn of_ledger(ledger: &mut Ledger, context: &Context, known: &mut Metrics) -> Result<(), LedgerError> {
    let halted = latch::in_force(ledger, &context.folders.state).await?.is_some();
    known.halted = Some(halted);
    known.last_good_pass = ledger.last_good_pass().await?;
    known.funding = Some(ledger.funding_sum(&context.config.quote).await?);
    if known.account.is_none()
        && let Some(reading) = ledger.reading_at(Time::clamped(i64::MAX)).await?
    {
        let samples = ledger.samples(&[reading.pass_id]).await?;
        let coins = samples.into_values().next().unwrap_or_default();
        let mut account = AccountMetrics::new(&reading, &coins);
        if halted {
            // Closing makes no reading: what was held then is no news of what is held now.
            (account.leverage, account.drifts) = (None, Vec::new());
        }
        known.account = Some(account);
    }
    Ok(())
}

/// The bot of the configuration, also where it is not enabled: a test message comes first.
pub(super) fn telegram(context: &Context) -> Result<Telegram, CommandError> {
    let config = &context.config.telegram;
    let token = secrets::read("telegram.token", &config.token)?;
    let settings = notify::Settings {
        api_url: config.api_url.as_str().to_owned(),
        token,
        chat_id: config.chat_id.clone(),
    };
    Telegram::new(settings).map_err(|error: SetupError| {
        CommandError::new(Kind::Config, error.to_string(), "see [telegram] in the configuration")
    })
}
