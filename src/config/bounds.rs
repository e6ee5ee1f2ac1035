//! Which values make sense: every bound of every key, in one list.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::config::Origin;
use crate::config::error::Fault;
use crate::config::layers::shown;
use crate::config::sections::{Config, contract_of};
use crate::config::words::{Prices, Shares, Sizing, StrategyKind, ThresholdKind, Venue};
use crate::domain::num::{Notional, Rate};
use crate::domain::symbol::Symbol;

/// Which fractions a key takes.
#[derive(Clone, Copy)]
enum Fraction {
    /// From 0 to 1.
    Share,
    /// Above 0, at most 1.
    Part,
    /// Above 0, below 1.
    Inner,
}

/// Gross value over equity that no configuration can exceed.
const MAX_LEVERAGE: u32 = 10;
/// Coins, slots, orders and candidates that nobody needs more of.
const MAX_COUNT: u32 = 1000;
/// Conditional orders that the exchange keeps per account.
const MOST_STOPS: u32 = 200;
/// Money beyond this is a slip of the keyboard.
const MAX_MONEY: u32 = 1_000_000_000;

struct Check<'a> {
    origins: &'a BTreeMap<String, Origin>,
    faults: &'a mut Vec<Fault>,
}

/// Adds a fault for every value that makes no sense.
pub(crate) fn check(config: &Config, origins: &BTreeMap<String, Origin>, faults: &mut Vec<Fault>) {
    let mut check = Check { origins, faults };
    fractions(config, &mut check);
    multiples(config, &mut check);
    counts(config, &mut check);
    money(config, &mut check);
    spans(config, &mut check);
    names(config, &mut check);
    shares(config, &mut check);
    weights(config, &mut check);
    trailing(config, &mut check);
    combinations(config, &mut check);
}

impl Check<'_> {
    fn refuse(&mut self, key: &str, value: impl std::fmt::Display, problem: impl Into<String>) {
        let origin = self.origins.get(key).cloned().unwrap_or(Origin::Default);
        let value = shown(&value.to_string());
        self.faults.push(Fault::OutOfBounds { key: key.to_owned(), value, origin, problem: problem.into() });
    }

    fn fraction(&mut self, key: &str, value: Rate, kind: Fraction) {
        let (fits, wanted) = match kind {
            Fraction::Share => (!value.is_negative() && value <= Rate::ONE, "must be from 0 to 1"),
            Fraction::Part => (value.is_positive() && value <= Rate::ONE, "must be above 0 and at most 1"),
            Fraction::Inner => (value.is_positive() && value < Rate::ONE, "must be above 0 and below 1"),
        };
        if value > Rate::ONE {
            self.refuse(key, value, percent_hint(value));
        } else if !fits {
            self.refuse(key, value, wanted);
        }
    }

    /// A fraction that may exceed one, up to `highest`.
    fn multiple(&mut self, key: &str, value: Rate, zero: bool, highest: u32) {
        if value > Rate::from(highest) {
            self.refuse(key, value, format!("must be at most {highest}; 1.0 is 100 %"));
        } else if value.is_negative() || (!zero && value.is_zero()) {
            self.refuse(key, value, if zero { "must not be negative" } else { "must be above 0" });
        }
    }

    fn within<T: PartialOrd + std::fmt::Display>(&mut self, key: &str, value: T, lowest: T, highest: T) {
        if value < lowest || value > highest {
            self.refuse(key, value, format!("must be from {lowest} to {highest}"));
        }
    }

    fn amount(&mut self, key: &str, value: Notional, zero: bool) {
        if value.is_negative() || (!zero && value.is_zero()) {
            self.refuse(key, value, if zero { "must not be negative" } else { "must be above 0" });
        } else if value > Notional::from(MAX_MONEY) {
            self.refuse(key, value, format!("must be at most {MAX_MONEY}"));
        }
    }

    fn span(&mut self, key: &str, value: Duration, zero: bool) {
        let text = humane(value);
        if value.is_zero() && !zero {
            self.refuse(key, text, "must be longer than 0");
        } else if value.subsec_nanos() != 0 {
            self.refuse(key, text, "must be whole seconds");
        } else if value > Duration::from_secs(10 * 366 * 86_400) {
            self.refuse(key, text, "must be at most 10 years");
        }
    }
}

fn humane(value: Duration) -> String {
    if value.subsec_nanos() == 0 { crate::domain::time::show_span(value) } else { format!("{value:?}") }
}

/// `30` → "is a fraction: write 0.30 for 30 %".
fn percent_hint(value: Rate) -> String {
    let fraction = value * Rate::new(1, 2);
    let digits = fraction.decimals().max(2) as usize;
    format!("is a fraction: write {fraction:.digits$} for {value} %")
}

fn fractions(config: &Config, check: &mut Check<'_>) {
    use Fraction::{Inner, Part, Share};
    for (key, value, kind) in [
        ("basket.threshold", config.basket.threshold, Inner),
        ("weights.threshold", config.weights.threshold, Inner),
        ("moonshot.stop_loss", config.moonshot.stop_loss, Inner),
        ("moonshot.trailing_stop", config.moonshot.trailing_stop, Inner),
        ("execution.max_mark_gap", config.execution.max_mark_gap, Part),
        ("risk.max_drawdown", config.risk.max_drawdown, Part),
        ("risk.min_liquidation_distance", config.risk.min_liquidation_distance, Share),
        ("risk.margin_buffer", config.risk.margin_buffer, Share),
        ("scan.sector_cap", config.scan.sector_cap, Part),
    ] {
        check.fraction(key, value, kind);
    }
    let fee = config.paper.taker_fee;
    if fee > Rate::ONE {
        check.refuse("paper.taker_fee", fee, percent_hint(fee));
    } else {
        check.within("paper.taker_fee", fee, Rate::ZERO, Rate::new(1, 1));
    }
}

fn multiples(config: &Config, check: &mut Check<'_>) {
    for (key, value, zero, highest) in [
        ("basket.effective_leverage", config.basket.effective_leverage, false, MAX_LEVERAGE),
        ("weights.effective_leverage", config.weights.effective_leverage, false, MAX_LEVERAGE),
        ("risk.max_effective_leverage", config.risk.max_effective_leverage, false, MAX_LEVERAGE),
        ("execution.max_turnover_per_pass", config.execution.max_turnover_per_pass, false, 10),
        ("scan.max_funding_annual", config.scan.max_funding_annual, true, 20),
        ("moonshot.trailing_start", config.moonshot.trailing_start, true, 20),
    ] {
        check.multiple(key, value, zero, highest);
    }
    for (key, bps) in [
        ("paper.slippage_bps", config.paper.slippage_bps),
        ("execution.max_spread_bps", config.execution.max_spread_bps),
        ("execution.max_slippage_bps", config.execution.max_slippage_bps),
        ("scan.max_spread_bps", config.scan.max_spread_bps),
    ] {
        check.within(key, bps, Rate::ZERO, Rate::from(10_000));
    }
}

fn counts(config: &Config, check: &mut Check<'_>) {
    for (key, value, highest) in [
        ("basket.size", config.basket.size, MAX_COUNT),
        ("moonshot.slots", config.moonshot.slots, MAX_COUNT),
        ("futures.leverage", config.futures.leverage, 125),
        ("execution.max_orders_per_pass", config.execution.max_orders_per_pass, MAX_COUNT),
        ("execution.concurrency", config.execution.concurrency, 50),
        ("scan.top", config.scan.top, MAX_COUNT),
        ("scan.keep_rank", config.scan.keep_rank, MAX_COUNT),
    ] {
        check.within(key, value, 1, highest);
    }
    check.within("exchange.recv_window_ms", config.exchange.recv_window_ms, 1000, 60_000);
    check.within("exchange.timeout_ms", config.exchange.timeout_ms, 100, 60_000);
    // TOML has no larger integers, and the seed must survive a round trip.
    check.within("paper.seed", config.paper.seed, 0, i64::MAX.unsigned_abs());
}

fn money(config: &Config, check: &mut Check<'_>) {
    for (key, value, zero) in [
        ("paper.equity", config.paper.equity, false),
        ("basket.target_value", config.basket.target_value, false),
        ("weights.initial_value", config.weights.initial_value, true),
        ("moonshot.slot_value", config.moonshot.slot_value, false),
    ] {
        check.amount(key, value, zero);
    }
    let volume = config.scan.min_quote_volume;
    if volume.is_negative() {
        check.refuse("scan.min_quote_volume", volume, "must not be negative");
    }
}

fn spans(config: &Config, check: &mut Check<'_>) {
    for (key, value, zero) in [
        ("interval", config.interval, false),
        ("funding.check_every", config.funding.check_every, false),
        ("report.digest_every", config.report.digest_every, false),
        ("exchange.exchange_info_max_age", config.exchange.exchange_info_max_age, true),
        ("moonshot.cooldown", config.moonshot.cooldown, true),
        ("scan.min_age", config.scan.min_age, true),
    ] {
        check.span(key, value, zero);
    }
    for (key, every) in [("basket.every", config.basket.every), ("weights.every", config.weights.every)] {
        if let Some(every) = every {
            check.span(key, every, false);
        }
    }
}

fn names(config: &Config, check: &mut Check<'_>) {
    let quote = &config.quote;
    if !is_asset(quote) {
        check.refuse("quote", quote, "must be the name of an asset in capitals, such as USDT");
    }
    for (key, symbols, strict) in [
        ("basket.symbols", &config.basket.symbols, true),
        ("weights.symbols", &config.weights.symbols, true),
        ("moonshot.symbols", &config.moonshot.symbols, true),
        ("scan.include", &config.scan.include, false),
        ("scan.exclude", &config.scan.exclude, false),
    ] {
        symbol_list(key, symbols, strict.then_some(quote.as_str()), check);
    }
    let both: Vec<&Symbol> =
        config.scan.include.iter().filter(|symbol| config.scan.exclude.contains(symbol)).collect();
    for symbol in both {
        check.refuse("scan.include", symbol, "is in scan.exclude too: keep it in one of them");
    }
    let chat = &config.telegram.chat_id;
    let number = chat.strip_prefix('-').unwrap_or(chat);
    let channel = chat
        .strip_prefix('@')
        .is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    let numeric = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    if !chat.is_empty() && !numeric && !channel {
        check.refuse("telegram.chat_id", chat, "must be a number or @channel");
    }
}

fn is_asset(name: &str) -> bool {
    (2..=12).contains(&name.len()) && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

fn symbol_list(key: &str, symbols: &[Symbol], quote: Option<&str>, check: &mut Check<'_>) {
    let mut seen = BTreeSet::new();
    for symbol in symbols {
        let name = symbol.as_str();
        if name.chars().any(|c| c.is_ascii_lowercase()) {
            check.refuse(key, name, format!("must be in capitals: {}", name.to_ascii_uppercase()));
        } else if quote
            .is_some_and(|quote| name.strip_suffix(quote).is_some_and(|coin| ["", quote].contains(&coin)))
        {
            check.refuse(key, name, "is the quote itself: leave it out, what is not in coins is cash anyway");
        } else if quote.is_some_and(|quote| !name.contains(quote)) {
            let quote = quote.unwrap_or_default();
            check.refuse(
                key,
                name,
                format!("is not priced in {quote}: write {}{quote}, or change quote", coin_of(name)),
            );
        }
        if !seen.insert(name.to_uppercase()) {
            check.refuse(key, name, "is listed twice");
        }
    }
}

/// What contracts are usually priced in.
const USUAL_QUOTES: [&str; 7] = ["USDT", "USDC", "FDUSD", "BUSD", "EUR", "TRY", "BTC"];

/// The coin of a contract whose quote is one of the usual ones; else the name as it is.
fn coin_of(name: &str) -> &str {
    let coins = USUAL_QUOTES.iter().filter_map(|quote| name.strip_suffix(quote));
    coins.filter(|coin| !coin.is_empty()).min().unwrap_or(name)
}

fn shares(config: &Config, check: &mut Check<'_>) {
    const KEY: &str = "weights.weights";
    let Shares::Each(shares) = &config.weights.weights else { return };
    let mut contracts = BTreeSet::new();
    for (coin, share) in shares {
        let named = format!("{{ {coin} = {share} }}");
        let contract = contract_of(coin, &config.quote);
        let nameable = contract.parse::<Symbol>().is_ok() || !is_asset(&config.quote);
        if !nameable || coin.chars().any(|c| c.is_ascii_lowercase()) {
            check.refuse(KEY, &named, "must name coins in capitals, such as BTC");
        } else if *coin == config.quote {
            check.refuse(KEY, &named, "is the quote itself: leave it out, what the shares leave is cash");
        } else if !contracts.insert(contract) {
            check.refuse(KEY, &named, "names the same contract twice");
        }
        if *share > Rate::ONE {
            check.refuse(KEY, &named, percent_hint(*share));
        } else if !share.is_positive() {
            check.refuse(KEY, &named, "must be above 0: leave the coin out instead");
        }
    }
    let total: Rate = shares.values().copied().sum();
    if total > Rate::ONE && shares.values().all(|share| *share <= Rate::ONE) {
        check.refuse(
            KEY,
            format!("shares that add up to {total}"),
            "must add up to at most 1; the rest is cash",
        );
    }
}

/// Weights that could never be held, or never be traded.
fn weights(config: &Config, check: &mut Check<'_>) {
    let weights = &config.weights;
    if config.strategy.kind != StrategyKind::Weights {
        return;
    }
    let shares = weights.shares(&config.quote);
    if weights.threshold_kind == ThresholdKind::Absolute {
        for (symbol, share) in shares.iter().filter(|(_, share)| **share <= weights.threshold) {
            let problem = format!(
                "is no more than weights.threshold, {} points of the portfolio: it could never be bought back; \
                 lower the threshold, raise the weight, or set weights.threshold_kind = \"relative\"",
                weights.threshold * Rate::from(100)
            );
            check.refuse("weights.weights", format!("{{ {symbol} = {share} }}"), problem);
        }
    }
    if matches!(weights.weights, Shares::Each(_)) && !weights.symbols.is_empty() {
        check.faults.push(Fault::Contradiction(
            "weights.symbols is for weights.weights = \"equal\": set that, or give each coin its share"
                .into(),
        ));
    }
    let total: Rate = shares.values().copied().sum();
    let gross = total * weights.effective_leverage;
    if config.venue == Venue::BinanceSpot || total > Rate::ONE {
        return;
    }
    if gross > config.risk.max_effective_leverage {
        check.faults.push(Fault::Contradiction(format!(
            "weights of {total} at weights.effective_leverage {} are {gross}x in all, more than \
             risk.max_effective_leverage {}: lower the first or raise the second",
            weights.effective_leverage, config.risk.max_effective_leverage
        )));
    }
    let margin = gross.over(Rate::from(config.futures.leverage.max(1))).unwrap_or_default();
    if margin > Rate::ONE - config.risk.margin_buffer {
        check.faults.push(Fault::Contradiction(format!(
            "weights of {gross}x in all tie up {} of the equity as margin at futures.leverage {}, and \
             risk.margin_buffer keeps {} free: raise futures.leverage or lower the weights",
            margin.rounded(4),
            config.futures.leverage,
            config.risk.margin_buffer
        )));
    }
}

/// A trailing stop that somebody set and that would never guard anything.
fn trailing(config: &Config, check: &mut Check<'_>) {
    let named = |key: &str| check.origins.get(key).is_some_and(|origin| *origin != Origin::Default);
    let trades = config.strategy.kind == StrategyKind::Moonshot;
    if trades && named("moonshot.trailing_stop") && !named("moonshot.trailing_start") {
        let stop = config.moonshot.trailing_stop;
        check.refuse(
            "moonshot.trailing_stop",
            stop,
            "needs moonshot.trailing_start, the gain from which it guards (1.0 is +100 %; 0 turns it off)",
        );
    }
}

fn combinations(config: &Config, check: &mut Check<'_>) {
    let contradict = |check: &mut Check<'_>, text: String| check.faults.push(Fault::Contradiction(text));
    let (listed, size) = (config.basket.symbols.len(), config.basket.size);
    if listed > size as usize {
        let text =
            format!("basket.symbols lists {listed} contracts, but basket.size is {size}: raise one or cut");
        contradict(check, text);
    }
    let weights = &config.weights;
    if config.strategy.kind == StrategyKind::Weights {
        match &weights.weights {
            Shares::Equal if weights.symbols.is_empty() => contradict(
                check,
                "weights.weights = \"equal\" needs weights.symbols: list the contracts that share equally"
                    .into(),
            ),
            Shares::Each(shares) if shares.is_empty() => contradict(
                check,
                "weights.weights is empty: give each coin its share, such as { BTC = 0.5, ETH = 0.5 }".into(),
            ),
            _ => {}
        }
    }
    if config.venue == Venue::BinanceSpot {
        let geared = match config.strategy.kind {
            StrategyKind::Weights => Some(("weights.effective_leverage", weights.effective_leverage)),
            StrategyKind::Basket if config.basket.sizing == Sizing::Equity => {
                Some(("basket.effective_leverage", config.basket.effective_leverage))
            }
            _ => None,
        };
        if let Some((key, leverage)) = geared
            && leverage > Rate::ONE
        {
            check.refuse(key, leverage, "must be at most 1 on spot: there is no leverage there");
        }
        if config.strategy.kind == StrategyKind::Moonshot && config.moonshot.exchange_stop {
            check.refuse("moonshot.exchange_stop", true, "is for futures only");
        }
    }
    let moonshot = &config.moonshot;
    let is_moonshot = config.strategy.kind == StrategyKind::Moonshot;
    if is_moonshot && moonshot.exchange_stop && moonshot.slots > MOST_STOPS {
        let why =
            "is more than the 200 stop orders that the exchange keeps: lower it or set exchange_stop = false";
        check.refuse("moonshot.slots", moonshot.slots, why);
    }
    if config.telegram.enabled && config.telegram.chat_id.is_empty() {
        contradict(check, "telegram.enabled = true needs telegram.chat_id".into());
    }
    if let (Some(start), Prices::Live) = (config.paper.start, &config.paper.prices) {
        check.refuse("paper.start", start, "is for recorded prices: live prices begin now");
    }
}
