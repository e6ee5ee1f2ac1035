//! The questions, one after another, each answer checked before the next one is asked.

use std::path::{Path, PathBuf};

use crate::command::context::Context;
use crate::config::draft::Draft;
use crate::config::location::Location;
use crate::config::secrets;
use crate::config::sections::{Config, contract_of};
use crate::config::words::{Mode, Prices, StrategyKind, Venue};
use crate::domain::num::Rate;
use crate::domain::symbol::Symbol;
use crate::error::{CommandError, Kind};
use crate::report::init::{Finding, Verdict};
use crate::ui;

use super::check::{self, Seen};
use super::{findings, look, say, unanswered};

/// What was answered, and what the exchange said to it.
struct Dialogue<'a> {
    context: &'a mut Context,
    draft: Draft,
    looked: Option<Result<Seen, CommandError>>,
}

/// Why an answer is not taken, in words for whoever gave it.
type Taken<T> = Result<T, String>;

/// Holds the dialogue; its answers become the configuration of `context`. Returns what was found out.
pub(super) async fn hold(
    context: &mut Context,
    draft: Draft,
    path: &Path,
) -> Result<Vec<Finding>, CommandError> {
    context.ui.err(&format!(
        "rebal init writes {}\nEnter takes the answer in brackets; Ctrl-C ends it.\nNothing is written before the last question.\n",
        path.display()
    ));
    let mut dialogue = Dialogue { context, draft, looked: None };
    dialogue.venue()?;
    dialogue.mode()?;
    dialogue.account().await?;
    dialogue.strategy()?;
    dialogue.risk()?;
    dialogue.telegram()?;
    Ok(findings(&dialogue.context.config, dialogue.looked.as_ref()))
}

impl Dialogue<'_> {
    fn config(&self) -> &Config {
        &self.context.config
    }

    /// What a question is about, before it is asked.
    fn about(&self, text: &str) {
        self.context.ui.err(&format!("\n{text}\n"));
    }

    fn take(&mut self, answers: &[(&str, &str)]) -> Taken<()> {
        let draft = self.draft.with(answers)?;
        // What the draft accepts it loads as well.
        self.context.config = draft.load().map_err(|error| error.to_string())?.config;
        self.draft = draft;
        Ok(())
    }

    /// Asks for a line until it is taken.
    fn line(
        &mut self,
        question: &str,
        default: &str,
        mut take: impl FnMut(&mut Self, &str) -> Taken<()>,
    ) -> Result<(), CommandError> {
        loop {
            let answer = ui::input(&self.context.ui, question, default).map_err(unanswered)?;
            match take(self, &answer) {
                Ok(()) => return Ok(()),
                Err(reason) => self.context.ui.warn(&again(&reason)),
            }
        }
    }

    /// Asks for the value of one key until it is one.
    fn value(&mut self, question: &str, key: &str, default: &str) -> Result<(), CommandError> {
        self.line(question, default, |dialogue, answer| dialogue.take(&[(key, &fraction(answer))]))
    }

    fn choose(&self, question: &str, answers: &[(&str, &str)], now: &str) -> Result<usize, CommandError> {
        let lines: Vec<String> = answers.iter().map(|(word, what)| format!("{word:<13} {what}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let default = answers.iter().position(|(word, _)| *word == now).unwrap_or(0);
        ui::choose(&self.context.ui, question, &lines, default).map_err(unanswered)
    }

    /// Asks for one of the words of `key` until it is taken.
    fn word(
        &mut self,
        question: &str,
        key: &str,
        answers: &[(&str, &str)],
        now: &str,
    ) -> Result<(), CommandError> {
        loop {
            let chosen = self.choose(question, answers, now)?;
            let word = answers.get(chosen).map_or(now, |(word, _)| *word);
            match self.take(&[(key, word)]) {
                Ok(()) => return Ok(()),
                Err(reason) => self.context.ui.warn(&again(&reason)),
            }
        }
    }

    fn yes(&self, question: &str, default: bool) -> Result<bool, CommandError> {
        ui::confirm(&self.context.ui, question, default).map_err(unanswered)
    }

    fn venue(&mut self) -> Result<(), CommandError> {
        self.about("Where are the coins held? (arrow keys, Enter)");
        let now = self.config().venue.as_str();
        let answers = [
            (Venue::BinanceUsdm.as_str(), "perpetual futures in USDT, with leverage"),
            (Venue::BinanceSpot.as_str(), "the coins themselves, no leverage"),
        ];
        self.word("Venue", "venue", &answers, now)
    }

    fn mode(&mut self) -> Result<(), CommandError> {
        self.about("Whose money? Begin on paper. Testnet and live get a profile of their own later.");
        let now = self.config().mode.as_str();
        let answers = [
            ("paper", "play money in this program; no key needed"),
            ("testnet", "play money at Binance; needs a key from there"),
            ("live", "REAL MONEY; needs a key, and `rebal init --arm-live`"),
        ];
        self.word("Mode", "mode", &answers, now)
    }

    /// The paper account, or the real one behind a key.
    async fn account(&mut self) -> Result<(), CommandError> {
        if self.config().mode == Mode::Paper {
            self.paper()?;
            return self.look().await.map(drop);
        }
        loop {
            self.secrets()?;
            if self.look().await? || !self.yes("Name other places for the secrets?", true)? {
                return Ok(());
            }
        }
    }

    fn paper(&mut self) -> Result<(), CommandError> {
        self.about("Which prices? `live` are Binance's public ones, `synthetic` are made up here\nand work offline; a folder of recorded klines (SYMBOL*.csv) works too.");
        let now = word_of(&self.config().paper.prices);
        self.line("Prices", &now, |dialogue, answer| {
            dialogue.take(&[("paper.prices", answer)])?;
            match &dialogue.config().paper.prices {
                Prices::Folder(folder) => has_klines(folder),
                Prices::Live | Prices::Synthetic => Ok(()),
            }
        })?;
        self.about("How much play money, in the quote (USDT)?");
        let now = self.config().paper.equity.to_string();
        self.value("Equity", "paper.equity", &now)
    }

    fn secrets(&mut self) -> Result<(), CommandError> {
        self.about(
            "Where are the API key and its secret? Only their place is asked.\n  env:NAME      an environment variable\n  file:PATH     a file of mode 0600\n  systemd:NAME  a credential of a systemd unit",
        );
        let from = &self.config().credentials;
        let (key, secret) = (from.api_key.to_string(), from.api_secret.to_string());
        self.place("Key", "credentials.api_key", &key)?;
        self.place("Secret", "credentials.api_secret", &secret)
    }

    /// Asks where a secret is, and looks whether it is there.
    fn place(&mut self, question: &str, key: &str, default: &str) -> Result<(), CommandError> {
        loop {
            self.line(question, default, |dialogue, answer| dialogue.take(&[(key, answer)]))?;
            let Err(missing) = secrets::read(key, self.location(key)) else { return Ok(()) };
            self.context.ui.warn(&missing.to_string());
            if self.yes("Keep this place, and put the secret there later?", false)? {
                return Ok(());
            }
        }
    }

    fn location(&self, key: &str) -> &Location {
        match key {
            "credentials.api_key" => &self.config().credentials.api_key,
            "credentials.api_secret" => &self.config().credentials.api_secret,
            _ => &self.config().telegram.token,
        }
    }

    /// Looks at the exchange; false where the key is at fault.
    async fn look(&mut self) -> Result<bool, CommandError> {
        self.context.ui.err("\nLooking at the exchange …\n");
        let looked = look(self.context).await?;
        let ui = &self.context.ui;
        let at_fault = match &looked {
            Ok(seen) => {
                seen.account(&self.context.config).iter().for_each(|finding| say(ui, finding));
                false
            }
            Err(error) if error.kind == Kind::Config => {
                ui.warn(&format!("{} ({})", error.message, error.hint));
                self.context.config.mode != Mode::Paper
            }
            Err(error) => {
                say(ui, &check::unknown(error));
                ui.note("Going on without it; `rebal plan --dry-run` will tell later.");
                false
            }
        };
        self.looked = Some(looked);
        Ok(!at_fault)
    }

    fn strategy(&mut self) -> Result<(), CommandError> {
        self.about("Which strategy?");
        let now = self.config().strategy.kind.as_str();
        let answers = [
            ("basket", "coins of equal value; sells strength, buys weakness"),
            ("weights", "fixed shares, such as 20 % BTC; the rest is cash"),
            ("moonshot", "many small bets; losers cut, winners never trimmed"),
        ];
        self.word("Strategy", "strategy.kind", &answers, now)?;
        loop {
            match self.config().strategy.kind {
                StrategyKind::Basket => self.basket()?,
                StrategyKind::Weights => self.weights()?,
                StrategyKind::Moonshot => self.moonshot()?,
            }
            if self.fits() || !self.yes("Change these answers?", false)? {
                return Ok(());
            }
        }
    }

    /// Whether the coins can be traded as answered; says what was found.
    fn fits(&self) -> bool {
        let Some(Ok(seen)) = &self.looked else {
            self.context.ui.note("not verifiable: band: the exchange's smallest orders are not known");
            return true;
        };
        let found = seen.market(self.config());
        self.context.ui.err("\n");
        found.iter().for_each(|finding| say(&self.context.ui, finding));
        found.iter().all(|finding| matches!(finding.status, Verdict::Ok | Verdict::NotVerifiable))
    }

    fn basket(&mut self) -> Result<(), CommandError> {
        let now = self.config().basket.symbols.clone();
        self.coins("basket.symbols", &now)?;
        let listed = self.config().basket.symbols.len();
        if listed == 0 {
            self.about("How many coins shall a scan choose?");
            let now = self.config().basket.size.to_string();
            self.value("Coins", "basket.size", &now)?;
        }
        self.about("At what value is each coin kept, in the quote (USDT)?");
        let now = self.config().basket.target_value.to_string();
        self.value("Target per coin", "basket.target_value", &now)?;
        self.threshold("basket.threshold", self.config().basket.threshold)
    }

    fn threshold(&mut self, key: &str, now: Rate) -> Result<(), CommandError> {
        self.about("How far may a coin drift from its target before it is traded? 5 % is 0.05.");
        self.value("Threshold", key, &now.to_string())
    }

    fn weights(&mut self) -> Result<(), CommandError> {
        self.about("Each coin's share of the total value; what they leave stays cash.\nFor example BTC=20%, ETH=20%, SOL=0.1");
        let shares = self.config().weights.shares(&self.config().quote);
        let quote = self.config().quote.clone();
        let now: Vec<String> =
            shares.iter().map(|(symbol, share)| format!("{}={share}", symbol.coin(&quote))).collect();
        self.line("Shares", &now.join(", "), |dialogue, answer| {
            let shares = shares_of(answer)?;
            let named: Vec<&str> = shares.iter().map(|(coin, _)| coin.as_str()).collect();
            dialogue.listed(&named)?;
            let pairs: Vec<String> = shares.iter().map(|(coin, share)| format!("{coin} = {share}")).collect();
            dialogue.take(&[("weights.weights", &format!("{{ {} }}", pairs.join(", ")))])
        })?;
        self.threshold("weights.threshold", self.config().weights.threshold)
    }

    fn moonshot(&mut self) -> Result<(), CommandError> {
        let now = self.config().moonshot.symbols.clone();
        self.coins("moonshot.symbols", &now)?;
        self.about("How many coins at most, and how much is bought of each, in the quote (USDT)?");
        let now = self.config().moonshot.slots.to_string();
        self.value("Coins", "moonshot.slots", &now)?;
        let now = self.config().moonshot.slot_value.to_string();
        self.value("Value per coin", "moonshot.slot_value", &now)?;
        self.about("How far below what it cost is all of a coin sold? 30 % is 0.3.");
        let now = self.config().moonshot.stop_loss.to_string();
        self.value("Stop", "moonshot.stop_loss", &now)
    }

    /// Asks which coins, by coin or by contract; none leaves the choice to a scan.
    fn coins(&mut self, key: &str, now: &[Symbol]) -> Result<(), CommandError> {
        self.about("Which coins? For example ADA, XRP, DOGE. With `scan` the command\n`rebal scan --apply` chooses them.");
        let quote = self.config().quote.clone();
        let names: Vec<&str> = now.iter().map(|symbol| symbol.coin(&quote)).collect();
        let default = if names.is_empty() { "scan".to_owned() } else { names.join(", ") };
        self.line("Coins", &default, |dialogue, answer| {
            let names: Vec<String> = match answer {
                "scan" => Vec::new(),
                answer => words(answer).map(str::to_uppercase).collect(),
            };
            let coins: Vec<&str> = names.iter().map(String::as_str).collect();
            let contracts = dialogue.listed(&coins)?;
            let contracts: Vec<&str> = contracts.iter().map(Symbol::as_str).collect();
            let list = contracts.join(",");
            match (key, contracts.len()) {
                ("basket.symbols", count) if count > 0 => {
                    dialogue.take(&[(key, &list), ("basket.size", &count.to_string())])
                }
                _ => dialogue.take(&[(key, &list)]),
            }
        })
    }

    /// The contracts of these coins, if the exchange lists them all or could not be asked.
    fn listed(&self, coins: &[&str]) -> Taken<Vec<Symbol>> {
        let quote = &self.config().quote;
        let contract =
            |coin: &&str| contract_of(coin, quote).parse::<Symbol>().map_err(|wrong| wrong.to_string());
        let contracts = coins.iter().map(contract).collect::<Taken<Vec<Symbol>>>()?;
        let Some(Ok(seen)) = &self.looked else { return Ok(contracts) };
        match contracts.iter().find(|symbol| !seen.lists(symbol)) {
            None => Ok(contracts),
            Some(unknown) => {
                let near = seen.nearest(unknown).map(|near| format!("; did you mean {}?", near.coin(quote)));
                Err(format!("the exchange lists no {unknown}{}", near.unwrap_or_default()))
            }
        }
    }

    fn risk(&mut self) -> Result<(), CommandError> {
        self.about("The hard stop: at which loss from the peak is everything sold, and trading\nhalted until you resume it? 30 % is 0.3.");
        let now = self.config().risk.max_drawdown.to_string();
        self.value("Hard stop", "risk.max_drawdown", &now)?;
        self.about("How often does cron or systemd run a pass? For example 5m, 15m, 1h.");
        let now = crate::domain::time::show_span(self.config().interval);
        self.value("Interval", "interval", &now)
    }

    fn telegram(&mut self) -> Result<(), CommandError> {
        self.about("Alerts and a digest every four hours to a Telegram chat?");
        let on = self.config().telegram.enabled;
        if !self.yes("Telegram", on)? {
            return self.take(&[("telegram.enabled", "false")]).map_err(refused);
        }
        self.about("Where is the bot's token? env:NAME, file:PATH or systemd:NAME, as above.");
        let now = self.config().telegram.token.to_string();
        self.place("Token", "telegram.token", &now)?;
        self.about("Which chat? A number (message @userinfobot to learn it), or @channel.");
        let now = self.config().telegram.chat_id.clone();
        self.line("Chat", &now, |dialogue, answer| {
            dialogue.take(&[("telegram.chat_id", answer), ("telegram.enabled", "true")])
        })
    }
}

/// Why an answer is not taken, as a sentence, and that another one is wanted.
fn again(reason: &str) -> String {
    let end = if reason.ends_with(['?', '.', '!']) { "" } else { "." };
    format!("{reason}{end} Again, please.")
}

/// Whether a folder can be one of recorded prices: there, and with a table in it or in a folder of it.
fn has_klines(folder: &Path) -> Taken<()> {
    let entries = |folder: &Path| -> std::io::Result<Vec<PathBuf>> {
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    };
    let is_table = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        [".csv", ".csv.gz", ".zip"].iter().any(|ending| name.ends_with(ending))
    };
    let there = entries(folder)
        .map_err(|error| format!("{}: {error}; it is to be live, synthetic or a folder", folder.display()))?;
    let within = |path: &PathBuf| entries(path).is_ok_and(|inner| inner.iter().any(is_table));
    match there.iter().any(|path| is_table(path) || within(path)) {
        true => Ok(()),
        false => Err(format!("{}: there is no SYMBOL*.csv, .csv.gz or .zip in it", folder.display())),
    }
}

fn refused(reason: String) -> CommandError {
    CommandError::new(Kind::Config, reason, "nothing was written")
}

fn word_of(prices: &Prices) -> String {
    match prices {
        Prices::Live => "live".to_owned(),
        Prices::Synthetic => "synthetic".to_owned(),
        Prices::Folder(folder) => folder.display().to_string(),
    }
}

/// What people separate by commas, blanks or both.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).filter(|word| !word.is_empty())
}

/// `5 %` as `0.05`; anything else as it is, for the check of its key to judge.
fn fraction(text: &str) -> String {
    let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<Rate>().ok());
    percent.map_or_else(|| text.to_owned(), |percent| (percent * Rate::new(1, 2)).to_string())
}

/// `btc=20%, ETH = 0.2` as coins and their shares.
fn shares_of(text: &str) -> Taken<Vec<(String, String)>> {
    let tight = text.replace(" =", "=").replace("= ", "=").replace(" %", "%");
    let pair = |word: &str| match word.split_once('=') {
        Some((coin, share)) if fraction(share).parse::<Rate>().is_ok() => {
            Ok((coin.to_uppercase(), fraction(share)))
        }
        _ => Err(format!("{word:?} is not like BTC=20%")),
    };
    words(&tight).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_prices_is_there_and_has_tables() {
        let folder = tempfile::tempdir().unwrap();
        assert!(has_klines(&folder.path().join("nowhere")).unwrap_err().contains("nowhere: "));
        assert!(
            has_klines(folder.path())
                .unwrap_err()
                .ends_with("there is no SYMBOL*.csv, .csv.gz or .zip in it")
        );
        std::fs::create_dir(folder.path().join("BTCUSDT")).unwrap();
        std::fs::write(folder.path().join("readme.txt"), "x").unwrap();
        assert!(has_klines(folder.path()).is_err());
        std::fs::write(folder.path().join("BTCUSDT/BTCUSDT-5m-2025-10.zip"), "x").unwrap();
        assert_eq!(has_klines(folder.path()), Ok(()));
        assert_eq!(has_klines(&folder.path().join("BTCUSDT")), Ok(()));
    }

    #[test]
    fn a_reason_ends_once() {
        assert_eq!(again("no OPP; did you mean OP?"), "no OPP; did you mean OP? Again, please.");
        assert_eq!(again("not a number"), "not a number. Again, please.");
    }

    #[test]
    fn percent_and_shares_are_read_as_people_write_them() {
        for (text, value) in [("5%", "0.05"), ("12.5 %", "0.125"), ("0.05", "0.05"), ("%", "%"), ("5", "5")] {
            assert_eq!(fraction(text), value);
        }
        let pairs = |text| {
            shares_of(text).map(|pairs| {
                pairs.into_iter().map(|(coin, share)| format!("{coin} {share}")).collect::<Vec<_>>()
            })
        };
        assert_eq!(
            pairs("btc=20%, ETH = 0.2  SOL=5 %"),
            Ok(vec!["BTC 0.2".into(), "ETH 0.2".into(), "SOL 0.05".into()])
        );
        assert_eq!(pairs("BTC"), Err("\"BTC\" is not like BTC=20%".into()));
        assert_eq!(pairs("BTC=much"), Err("\"BTC=much\" is not like BTC=20%".into()));
        assert_eq!(words("ADA, xrp,,DOGE").collect::<Vec<_>>(), ["ADA", "xrp", "DOGE"]);
    }
}
