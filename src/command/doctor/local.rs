//! Rows that need neither network nor ledger: configuration and secrets.

use secrecy::ExposeSecret;

use crate::config::Origin;
use crate::config::location::Location;
use crate::config::secrets::{self, SecretError};
use crate::config::words::{Mode, Prices};
use crate::ledger::Ledger;
use crate::report::doctor::question::{
    API_KEY, API_SECRET, ARMED, CONFIGURATION, MODE, Question, STRATEGY, TELEGRAM_TOKEN,
};
use crate::report::doctor::{Failure, Group, Row};
use crate::wire::sign::Signer;

use super::{Case, failed};
use crate::command::context::Understood;
use crate::command::{arming, settings};

impl Case<'_> {
    /// Configuration and secrets.
    pub(super) async fn local(&mut self, mut ledger: Option<&mut Ledger>) {
        let configuration = self.configuration();
        self.say(configuration);
        if let Understood::Nothing(_) = self.understood {
            let all = [Group::Configuration, Group::Secrets, Group::Exchange, Group::Key, Group::Account];
            self.blind(&all, "the configuration cannot be read");
            self.blind(&[Group::Market, Group::Messages], "the configuration cannot be read");
            return;
        }
        let mode = self.mode();
        self.say(mode);
        let armed = self.armed(ledger.as_deref_mut()).await;
        self.say(armed);
        let (key, secret) = self.credentials();
        self.say(key);
        self.say(secret);
        if let Understood::Account(_) = self.understood {
            let half = "the configuration is wrong: only what names the account was used";
            self.blind(&[Group::Configuration, Group::Secrets, Group::Market, Group::Messages], half);
            return;
        }
        let token = self.telegram_token();
        self.say(token);
        let strategy = self.strategy(ledger).await;
        self.say(strategy);
    }

    fn configuration(&self) -> Row {
        match self.understood {
            Understood::Account(wrong) | Understood::Nothing(wrong) => {
                let fix = "correct it and run `rebal doctor` again";
                CONFIGURATION.fail(Failure::Config, wrong.message.clone(), fix)
            }
            Understood::Whole => {
                let found = self.sources();
                let missing = self.context.folders.config_file.as_ref().filter(|file| !file.exists());
                match missing {
                    Some(file) => CONFIGURATION.warn(
                        format!("{} does not exist; {found}", file.display()),
                        "run `rebal init`, or name a file with --config",
                    ),
                    None => CONFIGURATION.ok(found),
                }
            }
        }
    }

    /// How many values come from where.
    fn sources(&self) -> String {
        let origins = &self.context.origins;
        let count = |is: fn(&Origin) -> bool| origins.values().filter(|origin| is(origin)).count();
        let file = self.context.folders.config_file.as_ref();
        let named = file.map_or_else(|| "a file".to_owned(), |file| file.display().to_string());
        let parts = [
            (count(|origin| matches!(origin, Origin::File { .. })), format!("from {named}")),
            (count(|origin| matches!(origin, Origin::Demo)), "from the demo".to_owned()),
            (count(|origin| matches!(origin, Origin::Environment(_))), "from the environment".to_owned()),
            (count(|origin| matches!(origin, Origin::Set)), "by --set".to_owned()),
            (count(|origin| matches!(origin, Origin::Default)), "by default (-v lists them)".to_owned()),
        ];
        let said = parts.iter().filter(|(count, _)| *count > 0);
        let said: Vec<String> = said.map(|(count, from)| format!("{count} {from}")).collect();
        format!("values: {}", said.join(", "))
    }

    fn mode(&self) -> Row {
        let config = &self.context.config;
        let at = config.exchange.base_url.as_ref().map_or("the official host", |url| url.host());
        match config.mode {
            Mode::Paper => {
                let prices = match &config.paper.prices {
                    Prices::Live => "live prices".to_owned(),
                    Prices::Synthetic => "synthetic prices".to_owned(),
                    Prices::Folder(folder) => format!("prices recorded in {}", folder.display()),
                };
                MODE.ok(format!(
                    "paper: account, orders, fills, fees and funding are simulated on {prices}; no order leaves this machine"
                ))
            }
            Mode::Testnet => MODE.ok(format!("testnet: play money at {at}")),
            Mode::Live => MODE.ok(format!("live: REAL MONEY at {at}")),
        }
    }

    async fn armed(&self, ledger: Option<&mut Ledger>) -> Row {
        if self.context.config.mode != Mode::Live {
            return ARMED.ok("not needed: no real money");
        }
        let Some(ledger) = ledger else { return ARMED.unknown("it is in the ledger, which cannot be read") };
        match arming::require(self.context, ledger).await {
            Ok(()) => ARMED.ok("yes"),
            Err(error) => failed(&ARMED, &error),
        }
    }

    fn credentials(&self) -> (Row, Row) {
        let config = &self.context.config;
        if config.mode == Mode::Paper {
            return (API_KEY.ok("not needed on paper"), API_SECRET.ok("not needed on paper"));
        }
        let from = &config.credentials;
        let key = match secrets::read("credentials.api_key", &from.api_key) {
            Ok(_) => API_KEY.ok(place(&from.api_key)),
            Err(error) => no_secret(&API_KEY, "credentials.api_key", &error),
        };
        let secret = secrets::read("credentials.api_secret", &from.api_secret);
        let secret = match secret.map(|secret| Signer::new(&secret).map(drop)) {
            Ok(Ok(())) => API_SECRET.ok(place(&from.api_secret)),
            Ok(Err(error)) => {
                let fix = "copy it again as the exchange showed it: an HMAC secret, or the whole PEM file";
                API_SECRET.fail(Failure::Config, format!("{}: {error}", place(&from.api_secret)), fix)
            }
            Err(error) => no_secret(&API_SECRET, "credentials.api_secret", &error),
        };
        (key, secret)
    }

    fn telegram_token(&self) -> Row {
        let telegram = &self.context.config.telegram;
        if !telegram.enabled {
            return TELEGRAM_TOKEN.ok("not needed: telegram.enabled = false");
        }
        match secrets::read("telegram.token", &telegram.token) {
            Ok(token) if token.expose_secret().contains(':') => TELEGRAM_TOKEN.ok(place(&telegram.token)),
            Ok(_) => no_token(&TELEGRAM_TOKEN, &telegram.token),
            Err(error) => no_secret(&TELEGRAM_TOKEN, "telegram.token", &error),
        }
    }

    /// Whether the configuration makes a strategy, and over which coins.
    async fn strategy(&self, ledger: Option<&mut Ledger>) -> Row {
        let config = &self.context.config;
        let (key, listed) = settings::listed(config);
        let kind = config.strategy.kind.as_str();
        let made = match (listed.is_empty(), ledger) {
            (false, _) => settings::of_symbols(config, listed.clone()),
            (true, Some(ledger)) => settings::settings(config, ledger).await,
            (true, None) if self.blind.contains_key(&Group::State) => {
                return STRATEGY
                    .unknown(format!("{kind}: the universe is in the ledger, which cannot be read"));
            }
            (true, None) => settings::of_symbols(config, Vec::new()),
        };
        let from = if listed.is_empty() { "chosen by `rebal scan --apply`" } else { key };
        match made {
            Ok(settings) => {
                let coins = settings.strategy.symbols().len();
                let plural = if coins == 1 { "" } else { "s" };
                STRATEGY.ok(format!("{kind} over {coins} coin{plural}, {from}"))
            }
            Err(error) => failed(&STRATEGY, &error),
        }
    }
}

/// The error names the place and what is wrong there, with the command that mends it where there is one.
fn no_secret(question: &Question, key: &str, error: &SecretError) -> Row {
    let said = error.to_string();
    let found = said.strip_prefix(&format!("{key}: ")).unwrap_or(&said);
    let fix = format!(
        "mend that, or let {key} point somewhere else: env:NAME, file:PATH (mode 0600) or systemd:NAME"
    );
    question.fail(Failure::Config, found, fix)
}

fn no_token(question: &Question, location: &Location) -> Row {
    let fix = "a token looks like 123456789:AAE… and comes from @BotFather";
    question.fail(Failure::Config, format!("{}: no bot token", place(location)), fix)
}

/// Where a secret was found, and who may read it there. Never what it is.
fn place(location: &Location) -> String {
    match location {
        Location::File(path) => format!("{} ({})", path.display(), owner_of(path)),
        Location::Environment(name) => format!("in the environment variable {name}"),
        Location::Systemd(name) => format!("the credential {name} of systemd"),
    }
}

#[cfg(unix)]
fn owner_of(path: &std::path::Path) -> String {
    use std::os::unix::fs::MetadataExt;
    match std::fs::metadata(path) {
        Ok(file) => format!("mode {:04o}, owner {}", file.mode() & 0o7777, file.uid()),
        Err(error) => error.to_string(),
    }
}

#[cfg(not(unix))]
fn owner_of(_path: &std::path::Path) -> String {
    "who may read it is not verifiable on this system".to_owned()
}
