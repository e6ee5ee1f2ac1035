//! A configuration becomes a file for people: what differs from the defaults, what matters, and why.

use toml::Value;

use crate::config::layers::value_at;
use crate::config::sections::Config;
use crate::config::show::{plain, table_of};
use crate::config::words::{Mode, Sizing, StrategyKind, Venue};

/// Comments begin in this column where the value leaves room.
const COLUMN: usize = 33;
/// A line that would be longer gets its comment above it.
const WIDTH: usize = 80;
/// A list that is longer goes over several lines.
const ON_ONE_LINE: usize = 4;

impl Config {
    /// This configuration as a commented TOML file that loads to the same values: every value that is
    /// not the default, and those that everybody should have seen.
    #[must_use]
    pub fn to_file(&self) -> String {
        let (ours, defaults) = (table_of(self), table_of(&Config::default()));
        let mut text = String::from(HEAD);
        let mut section = "";
        for (key, comment) in KEYS {
            let Some(value) = value_at(&ours, key) else { continue };
            if value_at(&defaults, key) == Some(value) && !self.is_important(key) {
                continue;
            }
            let (of, name) = key.split_once('.').unwrap_or(("", key));
            if of != section {
                text.push_str(&format!("\n[{of}]\n"));
                section = of;
            }
            text.push_str(&line(name, value, comment));
        }
        text
    }

    /// Whether a reader should see the key although it has its default.
    fn is_important(&self, key: &str) -> bool {
        let of = |kind| self.strategy.kind == kind;
        match key {
            "mode" | "venue" | "interval" | "strategy.kind" | "risk.max_drawdown" => true,
            "credentials.api_key" | "credentials.api_secret" => self.mode != Mode::Paper,
            "paper.equity" | "paper.prices" => self.mode == Mode::Paper,
            "basket.symbols" | "basket.size" | "basket.threshold" => of(StrategyKind::Basket),
            "basket.target_value" => of(StrategyKind::Basket) && self.basket.sizing == Sizing::Fixed,
            "weights.weights" | "weights.threshold" => of(StrategyKind::Weights),
            "moonshot.symbols" | "moonshot.slots" | "moonshot.slot_value" | "moonshot.stop_loss" => {
                of(StrategyKind::Moonshot)
            }
            "futures.leverage" => self.venue == Venue::BinanceUsdm,
            "telegram.token" => self.telegram.enabled,
            _ => false,
        }
    }
}

fn line(name: &str, value: &Value, comment: &str) -> String {
    let assignment = format!("{name} = {}", shown(value));
    match assignment.contains('\n') || assignment.chars().count().max(COLUMN) + comment.len() + 2 > WIDTH {
        true => format!("# {comment}\n{assignment}\n"),
        // A value that reaches into the column keeps its distance all the same.
        false => format!("{:<COLUMN$}# {comment}\n", assignment + " "),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) if items.len() > ON_ONE_LINE => {
            let lines = items.chunks(6).map(|items| {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                format!("  {},\n", items.join(", "))
            });
            format!("[\n{}]", lines.collect::<String>())
        }
        value => plain(value),
    }
}

const HEAD: &str = "\
# rebal's configuration. Fractions, not percent: 0.05 is 5 %. What is not listed
# has its default; a change holds from the next pass on. No secret belongs in here.

";

/// Every key in the order of the file, with what it means.
pub(crate) const KEYS: [(&str, &str); 77] = [
    ("mode", "paper | testnet | live (real money)"),
    ("venue", "binance-usdm (futures) | binance-spot"),
    ("quote", "the asset that everything is priced in"),
    ("interval", "how often cron or systemd runs a pass"),
    ("credentials.api_key", "where the key is: env:NAME | file:PATH (mode 0600) | systemd:NAME"),
    ("credentials.api_secret", "where its secret is, in the same way"),
    ("exchange.base_url", "empty: the mode's official host; plain http only on this machine"),
    ("exchange.recv_window_ms", "how long a signed request stays valid"),
    ("exchange.timeout_ms", "how long one request may take"),
    ("exchange.exchange_info_max_age", "how old the copy of the trading rules may be"),
    ("paper.equity", "what the paper account begins with"),
    ("paper.prices", "live (public, no key) | synthetic (works offline) | a folder of recorded klines"),
    ("paper.seed", "the same seed gives the same synthetic prices"),
    ("paper.taker_fee", "of what an order is worth"),
    ("paper.slippage_bps", "how much worse than the book a fill is"),
    ("paper.exchange_info", "a recorded listing whose trading rules are used"),
    ("paper.funding", "a folder of recorded funding rates"),
    ("paper.start", "where recorded prices begin"),
    ("strategy.kind", "basket | weights | moonshot"),
    ("basket.symbols", "empty: what `rebal scan --apply` chose"),
    ("basket.size", "how many coins"),
    ("basket.sizing", "fixed (target_value) | equity (equity × effective_leverage / size)"),
    ("basket.target_value", "what each coin is kept at, in the quote"),
    ("basket.effective_leverage", "all coins together over equity, with sizing = \"equity\""),
    ("basket.threshold", "traded once it is this far from its target"),
    ("basket.rebalance_to", "where a trade ends: target | half (way back) | edge (of the band)"),
    ("basket.every", "also trade everything to target when this long has passed"),
    ("basket.on_exit", "a coin that left the list: close | hold"),
    ("weights.weights", "each coin's share of the total value; what they leave is cash"),
    ("weights.symbols", "who shares equally, with weights = \"equal\""),
    ("weights.threshold", "traded once its share is this far off"),
    ("weights.threshold_kind", "relative (to the share) | absolute (points of the portfolio)"),
    ("weights.every", "also trade everything to target when this long has passed"),
    ("weights.initial_value", "what the first pass may spend; 0: all that is there"),
    ("weights.effective_leverage", "all coins together over equity; futures only"),
    ("moonshot.symbols", "empty: what `rebal scan --apply` chose"),
    ("moonshot.slots", "how many coins at most"),
    ("moonshot.sizing", "fixed (slot_value) | equity (equity / slots)"),
    ("moonshot.slot_value", "what is bought of each coin, in the quote"),
    ("moonshot.stop_loss", "all of a coin is sold this far below what it cost"),
    ("moonshot.cooldown", "a coin that was stopped is not bought again before"),
    ("moonshot.refill", "whether free slots are filled again"),
    ("moonshot.trailing_start", "gain from which a trailing stop guards a winner; 0: never"),
    ("moonshot.trailing_stop", "how far below its highest price that stop is"),
    ("moonshot.exchange_stop", "a stop order per coin rests at the exchange; futures only"),
    ("futures.leverage", "nominal: margin is value divided by this"),
    ("futures.margin", "cross: all positions stand on the whole account"),
    ("execution.order", "ioc (a limit that expires at once) | market"),
    ("execution.max_spread_bps", "a wider book is not traded"),
    ("execution.max_slippage_bps", "how far from the middle an ioc limit may reach"),
    ("execution.max_mark_gap", "mark and book further apart than this: not traded"),
    ("execution.max_orders_per_pass", "more wait for the next pass"),
    ("execution.max_turnover_per_pass", "of the sum of all targets"),
    ("execution.concurrency", "requests under way at once"),
    ("risk.max_drawdown", "the hard stop: all is sold at this loss"),
    ("risk.max_effective_leverage", "no buying above this many times the equity"),
    ("risk.min_liquidation_distance", "how far the market must stay from liquidation"),
    ("risk.margin_buffer", "share of the equity that margin never takes"),
    ("scan.top", "how many candidates by volume are looked at"),
    ("scan.source", "who ranks them: tradingview | exchange"),
    ("scan.sector_cap", "largest share of one sector"),
    ("scan.max_funding_annual", "funding beyond ± this a year disqualifies; 1 is 100 %"),
    ("scan.min_quote_volume", "traded in 24 hours"),
    ("scan.max_spread_bps", "a wider book disqualifies"),
    ("scan.min_age", "listed for at least"),
    ("scan.keep_rank", "a member leaves only when it ranks below this"),
    ("scan.include", "taken without a rank, never without the safety checks"),
    ("scan.exclude", "never taken"),
    ("scan.sectors", "a CSV file of symbol,sector before the built-in table"),
    ("scan.tradingview_url", "where the screener is"),
    ("funding.check_every", "how often the cost of funding is looked at"),
    ("report.digest_every", "how often a digest is sent"),
    ("telegram.enabled", "messages to a chat"),
    ("telegram.token", "where the bot's token is: env:NAME | file:PATH | systemd:NAME"),
    ("telegram.chat_id", "a number, or @channel"),
    ("telegram.api_url", "the bot server"),
    ("heartbeat.url", "asked after every good pass, URL/fail after a bad one"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::config::draft::Draft;
    use crate::config::layers::Known;
    use crate::config::{self, Sources, file};

    #[test]
    fn every_key_has_its_comment_once() {
        let commented: Vec<&str> = KEYS.iter().map(|(key, _)| *key).collect();
        let known: BTreeSet<String> = Known::new().keys().clone();
        assert_eq!(commented.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>(), known);
        assert_eq!(commented.len(), known.len());
        for (key, comment) in KEYS {
            assert!(!comment.is_empty() && comment.len() <= 80, "{key}: {comment}");
        }
    }

    fn written(sets: &[&str]) -> (Config, String) {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let config = Draft::new(&sets).load().unwrap().config;
        let text = config.to_file();
        (config, text)
    }

    #[test]
    fn a_file_loads_to_the_values_that_it_was_written_from() {
        for sets in [
            &[][..],
            &["mode=testnet", "exchange.base_url=http://127.0.0.1:8900", "basket.threshold=0.07"],
            &["strategy.kind=weights", "weights.weights={ BTC = 0.5, ETH = 0.25 }", "weights.every=7d"],
            &["strategy.kind=moonshot", "moonshot.trailing_start=1", "moonshot.trailing_stop=0.4"],
            &["basket.symbols=AUSDT,BUSDT,CUSDT,DUSDT,EUSDT,FUSDT,币USDT", "scan.min_age=45d"],
            &["telegram.enabled=true", "telegram.chat_id=-100123", "telegram.token=file:/run/a b\"c"],
            &["paper.prices=/data/with \\ and 'quotes'", "paper.start=2025-10-10T00:00:00Z"],
            &["weights.weights=equal", "weights.symbols=BTCUSDT,ETHUSDT", "risk.max_effective_leverage=2.5"],
        ] {
            let (config, text) = written(sets);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("rebal.toml");
            std::fs::write(&path, &text).unwrap();
            file::parse(Path::new("x"), &text).unwrap();
            let read = config::load(Sources {
                file: Some(path),
                file_required: true,
                env: std::iter::empty(),
                sets: &[],
                base: None,
            });
            assert_eq!(read.unwrap().config, config, "{text}");
        }
    }

    #[test]
    fn a_comment_never_touches_its_value() {
        for count in 1..=4 {
            for length in 2..=12 {
                let name = |number| format!("{}{number}USDT", "C".repeat(length));
                let names: Vec<String> = (0..count).map(name).collect();
                let (_, text) = written(&[&format!("basket.symbols={}", names.join(","))]);
                for line in text.lines().filter(|line| line.contains('#') && !line.starts_with('#')) {
                    assert!(line.contains(" # ") && line.chars().count() <= WIDTH + 1, "{line}");
                }
            }
        }
    }

    #[test]
    fn what_has_its_default_and_does_not_matter_is_left_out() {
        let (_, text) = written(&["basket.threshold=0.1"]);
        let expected = "\
mode = \"paper\"                   # paper | testnet | live (real money)
venue = \"binance-usdm\"           # binance-usdm (futures) | binance-spot
interval = \"5m\"                  # how often cron or systemd runs a pass

[paper]
equity = 200                     # what the paper account begins with
# live (public, no key) | synthetic (works offline) | a folder of recorded klines
prices = \"live\"

[strategy]
kind = \"basket\"                  # basket | weights | moonshot

[basket]
symbols = []                     # empty: what `rebal scan --apply` chose
size = 20                        # how many coins
target_value = 20                # what each coin is kept at, in the quote
threshold = 0.1                  # traded once it is this far from its target

[futures]
leverage = 5                     # nominal: margin is value divided by this

[risk]
max_drawdown = 0.3               # the hard stop: all is sold at this loss
";
        assert_eq!(text, format!("{HEAD}{expected}"));
    }
}
