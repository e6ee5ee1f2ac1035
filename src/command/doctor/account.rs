//! Rows that the exchange answers: connection, key, account, coins, and what a pass would do now.

use std::time::Instant;

use crate::config::sections::Config;
use crate::config::words::{Mode, OrderStyle, Sizing, StrategyKind, ThresholdKind, Venue as Market};
use crate::decide::band::Band;
use crate::domain::num::Rate;
use crate::domain::snapshot::{Coin, Snapshot};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::error::CommandError;
use crate::exchange::{Exchange, ExchangeError, Kind, Observation};
use crate::ledger::{Age, Ledger};
use crate::pass::{self, PassError, Prepared, Settings};
use crate::report::doctor::market::{Aim, Wanted};
use crate::report::doctor::question::{
    ACCOUNT, CLOCK, FOREIGN, INDICATORS, KEY_EXPIRY, KEY_IP, KEY_OTHER, KEY_READING, KEY_TRADING,
    KEY_WITHDRAWALS, LEDGER_ACCOUNT, NEXT_PASS, REACHABLE,
};
use crate::report::doctor::{Group, Row, Status, account, key, market};
use crate::strategy::Wish;

use super::{Case, failed};
use crate::command::context::Understood;
use crate::command::settings;
use crate::command::venue::{self, Venue};

/// What hangs on the account's answers.
const OF_ACCOUNT: [Group; 4] = [Group::Key, Group::Account, Group::Market, Group::State];
/// A clock further off than this dates bans, lateness and TLS certificates wrongly, in milliseconds.
const CLOCK_MS: u64 = 1000;

impl Case<'_> {
    /// Asks the exchange, with reads only.
    pub(super) async fn exchange(&mut self, ledger: Option<&mut Ledger>) {
        let context = self.context;
        if let Understood::Nothing(_) = self.understood {
            return;
        }
        let mut none;
        let (ledger, has_books) = match ledger {
            Some(ledger) => (ledger, true),
            None if context.config.mode == Mode::Paper => {
                self.blind(&[Group::Exchange], "the paper account is in the ledger, which cannot be read");
                self.blind(&OF_ACCOUNT, "the paper account is in the ledger, which cannot be read");
                return;
            }
            None => match Ledger::in_memory().await {
                Ok(empty) => {
                    none = empty;
                    (&mut none, false)
                }
                Err(_) => return,
            },
        };
        if let Err(banned) = context.heed_ban(ledger).await {
            self.blind(&OF_ACCOUNT, "the exchange forbade any request for now");
            self.blind(&[Group::Exchange], "the exchange forbade any request for now");
            self.say(failed(&REACHABLE, &banned));
            return;
        }
        match venue::open(context, ledger).await {
            Ok(Venue::Usdm(mut exchange)) => self.ask(exchange.as_mut(), ledger, has_books).await,
            Ok(Venue::Spot(mut exchange)) => self.ask(exchange.as_mut(), ledger, has_books).await,
            Ok(Venue::Paper(mut exchange)) => self.ask(exchange.as_mut(), ledger, has_books).await,
            Err(error) => self.without_account(&error).await,
        }
    }

    /// Without a key the exchange still tells its time.
    async fn without_account(&mut self, error: &CommandError) {
        let no_secret = self.rows.iter().any(|row| row.group == Group::Secrets && row.status == Status::Fail);
        if no_secret {
            self.blind(&OF_ACCOUNT, "needs the API key and its secret");
            match self.context.config.venue {
                Market::BinanceUsdm => self.try_to_connect(venue::public_usdm(self.context)).await,
                Market::BinanceSpot => self.try_to_connect(venue::public_spot(self.context)).await,
            }
            return;
        }
        self.say(failed(&REACHABLE, error));
        self.blind(&[Group::Exchange], "the exchange does not answer");
        self.blind(&OF_ACCOUNT, "the exchange does not answer");
    }

    async fn ask<E: Exchange>(&mut self, exchange: &mut E, ledger: &mut Ledger, has_books: bool) {
        let Some(now) = self.connect(exchange).await else { return };
        self.key(exchange, now).await;
        let found = match exchange.observe().await {
            Ok(found) => found,
            Err(error) => {
                self.say(failed(&ACCOUNT, &error.into()));
                self.blind(&OF_ACCOUNT, "the account cannot be read");
                return;
            }
        };
        let spot = exchange.kind() == Kind::Spot;
        self.say(account::equity(&found.balance, found.positions.len(), &self.context.config.quote));
        account::modes(&found.modes, spot).into_iter().for_each(|row| self.say(row));
        if has_books {
            self.ledger_account(exchange, ledger, &found.account).await;
        }
        let settings = match self.understood {
            Understood::Whole => settings::settings(&self.context.config, ledger).await.ok(),
            Understood::Account(_) | Understood::Nothing(_) => None,
        };
        let prepared = match &settings {
            Some(settings) if has_books => {
                Some(pass::prepare(exchange, ledger, settings, None, pass::Mode::Preview).await)
            }
            _ => None,
        };
        self.coins(&found, settings.as_ref(), prepared.as_ref().and_then(|one| one.as_ref().ok()), spot);
        match prepared {
            Some(prepared) => self.next_pass(prepared),
            None => self.blind(&[Group::State], "needs a configuration and a ledger that can be read"),
        }
    }

    async fn try_to_connect<E: Exchange>(&mut self, exchange: Result<E, CommandError>) {
        if let Ok(mut exchange) = exchange {
            self.connect(&mut exchange).await;
        }
    }

    /// Asks for the time, which needs no key. `None` where there is no answer.
    async fn connect<E: Exchange>(&mut self, exchange: &mut E) -> Option<Time> {
        let context = self.context;
        let asked = Instant::now();
        let now = match exchange.connect().await {
            Ok(now) => now,
            Err(error) => {
                self.say(unreachable(error));
                self.blind(&[Group::Exchange], "the exchange does not answer");
                self.blind(&OF_ACCOUNT, "the exchange does not answer");
                return None;
            }
        };
        self.at = Some(now);
        if context.has_own_market() {
            self.say(REACHABLE.ok(format!("{}, in this process", exchange.environment())));
            self.say(CLOCK.ok("not needed: the paper clock moves only with passes"));
            return Some(now);
        }
        let took = asked.elapsed().as_millis();
        self.say(REACHABLE.ok(format!("{} answered in {took} ms", exchange.environment())));
        self.say(clock(now, context.wall()));
        Some(now)
    }

    async fn key<E: Exchange>(&mut self, exchange: &E, now: Time) {
        if self.context.config.mode == Mode::Paper {
            for question in
                [KEY_READING, KEY_TRADING, KEY_WITHDRAWALS, KEY_IP, KEY_OTHER, KEY_EXPIRY, INDICATORS]
            {
                self.say(question.ok("not needed on paper"));
            }
            return;
        }
        key::rows(&exchange.health().await, exchange.kind() == Kind::Spot, now)
            .into_iter()
            .for_each(|row| self.say(row));
    }

    async fn ledger_account<E: Exchange>(&mut self, exchange: &E, ledger: &mut Ledger, found: &str) {
        let environment = exchange.environment();
        self.say(match ledger.age(&environment, found).await {
            Ok(Age::Known) => LEDGER_ACCOUNT.ok(format!("{environment}, account {found}")),
            Ok(Age::Fresh) => LEDGER_ACCOUNT
                .ok(format!("not bound yet: the first pass binds it to {environment}, account {found}")),
            Err(error) => failed(&LEDGER_ACCOUNT, &error.into()),
        });
    }

    /// Settings, rules and bands of every coin that is held or wanted.
    fn coins(
        &mut self,
        found: &Observation,
        settings: Option<&Settings>,
        prepared: Option<&Prepared>,
        spot: bool,
    ) {
        let config = &self.context.config;
        let symbols = settings.map_or(&[][..], |settings| settings.strategy.symbols());
        let snapshot = snapshot(found, symbols);
        let memory = prepared.map(|prepared| prepared.memory.clone()).unwrap_or_default();
        let wishes =
            settings.map(|settings| settings.strategy.wishes(&snapshot, &memory)).unwrap_or_default();
        let target = |symbol: &Symbol| {
            wishes.iter().find(|wish| wish.symbol == *symbol).map(|wish: &Wish| wish.target)
        };
        let rows = account::settings(&snapshot, config.futures.leverage, target, spot);
        rows.into_iter().for_each(|row| self.say(row));
        if settings.is_none() {
            self.blind(&[Group::Market], "needs a strategy with coins");
            return;
        }
        let aims: Vec<Aim> = wishes.iter().map(aim).collect();
        let wanted = Wanted {
            snapshot: &snapshot,
            aims: &aims,
            market_orders: config.execution.order == OrderStyle::Market,
            quote: &config.quote,
            target_key: target_key(config),
            threshold: threshold(config),
            max_leverage: config.risk.max_effective_leverage,
        };
        market::rows(&wanted).into_iter().for_each(|row| self.say(row));
    }

    /// What a pass would do now, by the preview of `plan --dry-run`.
    fn next_pass(&mut self, prepared: Result<Prepared, PassError>) {
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                let foreign = matches!(error, PassError::Foreign(_));
                let error = CommandError::from(error);
                self.say(match foreign {
                    true => failed(&FOREIGN, &error),
                    false => {
                        FOREIGN.unknown(format!("the look at the account ended early: {}", error.message))
                    }
                });
                self.say(match foreign {
                    true => NEXT_PASS.unknown("sends nothing while foreign orders are there"),
                    false => failed(&NEXT_PASS, &error),
                });
                return;
            }
        };
        self.say(FOREIGN.ok("none"));
        let plan = prepared.plan();
        self.say(match &prepared.verdict {
            Err(refusal) => failed(&NEXT_PASS, &PassError::Breached(refusal.breaches.clone()).into()),
            Ok(_) => {
                let value: crate::domain::num::Notional =
                    plan.legs.iter().map(|leg| leg.notional.abs()).sum();
                let (orders, quote) = (plan.legs.len(), &self.context.config.quote);
                let plural = if orders == 1 { "" } else { "s" };
                let would = match orders {
                    0 => "would send nothing".to_owned(),
                    _ => format!("would send {orders} order{plural} worth {value:.2} {quote}"),
                };
                let skipped = match plan.skipped.len() {
                    0 => String::new(),
                    skipped => format!(", {skipped} left out (`rebal plan --dry-run` says why)"),
                };
                match self.halted {
                    true => NEXT_PASS
                        .warn(format!("opens nothing while halted; else {would}{skipped}"), "see the halt"),
                    false => NEXT_PASS.ok(format!("{would}{skipped}")),
                }
            }
        });
    }
}

fn unreachable(error: ExchangeError) -> Row {
    failed(&REACHABLE, &error.into())
}

/// rebal signs by the exchange's clock, so that a wrong one here ends no pass.
fn clock(exchange: Time, here: Time) -> Row {
    let off = exchange.ms().abs_diff(here.ms());
    let way = if here > exchange { "ahead of" } else { "behind" };
    let found = match off {
        0..60_000 => format!("{off} ms {way} the exchange"),
        long => format!(
            "{} {way} the exchange",
            crate::domain::time::show_span(std::time::Duration::from_secs(long / 1000))
        ),
    };
    match off > CLOCK_MS {
        true => CLOCK.warn(found, "let NTP set this machine's clock (timedatectl set-ntp true); orders are signed by the exchange's time meanwhile"),
        false => CLOCK.ok(found),
    }
}

/// Every coin that is held or wanted, as the exchange shows it.
fn snapshot(found: &Observation, symbols: &[Symbol]) -> Snapshot {
    let coin = |symbol: &Symbol| Coin {
        rules: found.rules.get(symbol).cloned(),
        market: found.markets.get(symbol).copied(),
        position: found.positions.get(symbol).cloned(),
        setting: found.settings.get(symbol).copied(),
        brackets: found.brackets.get(symbol).cloned().unwrap_or_default(),
        managed: true,
        block: None,
    };
    let all = symbols.iter().chain(found.positions.keys());
    Snapshot {
        at: found.at,
        balance: found.balance.clone(),
        modes: found.modes,
        coins: all.map(|symbol| (symbol.clone(), coin(symbol))).collect(),
    }
}

fn aim(wish: &Wish) -> Aim {
    let band = Band { threshold: wish.threshold, ends_at: wish.ends_at };
    Aim { symbol: wish.symbol.clone(), target: wish.target, band: wish.stop.is_none().then_some(band) }
}

/// The key of the threshold and, where it is in points of the portfolio, its value.
fn threshold(config: &Config) -> (&'static str, Option<Rate>) {
    let weights = &config.weights;
    match config.strategy.kind {
        StrategyKind::Weights if weights.threshold_kind == ThresholdKind::Absolute => {
            ("weights.threshold", Some(weights.threshold))
        }
        StrategyKind::Weights => ("weights.threshold", None),
        StrategyKind::Basket | StrategyKind::Moonshot => ("basket.threshold", None),
    }
}

/// The key that sets what one coin should be worth.
fn target_key(config: &Config) -> Option<&'static str> {
    match config.strategy.kind {
        StrategyKind::Basket if config.basket.sizing == Sizing::Fixed => Some("basket.target_value"),
        StrategyKind::Moonshot if config.moonshot.sizing == Sizing::Fixed => Some("moonshot.slot_value"),
        _ => None,
    }
}
