//! Rows about what reaches the owner: Telegram, what waits for it, and the heartbeat.

use std::time::Duration;

use crate::config::words::Mode;
use crate::ledger::Ledger;
use crate::notify::{Beat, Heartbeat};
use crate::report::doctor::question::{HEARTBEAT, OUTBOX, TELEGRAM, TELEGRAM_TOKEN};
use crate::report::doctor::{Failure, Group, Row, Status};

use super::{Case, failed};
use crate::command::after;
use crate::command::context::Understood;

/// How long the heartbeat's address may take.
const PATIENCE: Duration = Duration::from_secs(10);
const WITHOUT: &str = "off: nobody is told of a halt or of a pass that fails";

impl Case<'_> {
    /// Asks the bot and its chat; sends something only for `--send-test`.
    pub(super) async fn messages(&mut self, ledger: Option<&mut Ledger>) {
        let Understood::Whole = self.understood else { return };
        let telegram = self.telegram().await;
        self.say(telegram);
        match ledger {
            Some(ledger) => {
                let waiting = ledger.undelivered().await;
                self.say(match waiting {
                    Ok(waiting) => outbox(waiting.len(), self.context.config.telegram.enabled),
                    Err(error) => OUTBOX.unknown(error.to_string()),
                });
            }
            None => self.blind(&[Group::Messages], "the ledger cannot be read"),
        }
        let heartbeat = self.heartbeat().await;
        self.say(heartbeat);
    }

    async fn telegram(&self) -> Row {
        let config = &self.context.config;
        if !config.telegram.enabled {
            return match config.mode {
                Mode::Live => TELEGRAM.warn(WITHOUT, "set [telegram]: enabled, token and chat_id"),
                Mode::Paper | Mode::Testnet => TELEGRAM.ok("off: telegram.enabled = false"),
            };
        }
        if self.rows.iter().any(|row| row.name == TELEGRAM_TOKEN.name && row.status == Status::Fail) {
            return TELEGRAM.unknown("needs the bot's token");
        }
        let bot = match after::telegram(self.context) {
            Ok(bot) => bot,
            Err(error) => return failed(&TELEGRAM, &error),
        };
        let fix = "see [telegram] in the configuration";
        if let Err(error) = bot.reach().await {
            return TELEGRAM.fail(Failure::Config, error.to_string(), fix);
        }
        if !self.send_test {
            return TELEGRAM.ok("bot and chat answer; --send-test sends a message");
        }
        let text = format!("rebal doctor ({}): messages arrive here", self.context.folders.profile);
        match bot.test(&text).await {
            Ok(()) => TELEGRAM.ok("bot and chat answer; a test message was delivered"),
            Err(error) => TELEGRAM.fail(Failure::Config, error.to_string(), fix),
        }
    }

    async fn heartbeat(&self) -> Row {
        let config = &self.context.config;
        let Some(url) = &config.heartbeat.url else {
            return match config.mode {
                Mode::Live => HEARTBEAT.warn("off: nobody notices when the passes stop", "set heartbeat.url"),
                Mode::Paper | Mode::Testnet => HEARTBEAT.ok("off: heartbeat.url is empty"),
            };
        };
        if !self.send_test {
            let host = url.host();
            return HEARTBEAT
                .unknown(format!("{host} is configured and was not asked; --send-test beats once"));
        }
        let fix = "check heartbeat.url";
        let beaten = match Heartbeat::new(url.as_str(), PATIENCE) {
            Ok(heartbeat) => heartbeat.beat(Beat::Good).await,
            Err(error) => Err(error.to_string()),
        };
        match beaten {
            Ok(()) => HEARTBEAT.ok(format!("{} took one beat", url.host())),
            Err(error) => HEARTBEAT.fail(Failure::Config, format!("{}: {error}", url.host()), fix),
        }
    }
}

fn outbox(waiting: usize, enabled: bool) -> Row {
    match (waiting, enabled) {
        (0, _) => OUTBOX.ok("nothing waits"),
        (waiting, true) => OUTBOX.warn(format!("{waiting} waiting"), "the next pass sends them"),
        (waiting, false) => {
            OUTBOX.ok(format!("{waiting} in the ledger; Telegram is off, so nobody is sent them"))
        }
    }
}
