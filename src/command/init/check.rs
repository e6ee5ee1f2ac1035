//! What the exchange says to the answers so far: the key, the account, and the smallest orders.

use std::collections::BTreeMap;

use crate::command::context::Context;
use crate::command::settings;
use crate::command::venue::{self, Venue};
use crate::config::sections::Config;
use crate::config::words::{Mode, OrderStyle, RebalanceTo, Sizing, StrategyKind, ThresholdKind};
use crate::decide::band::Band;
use crate::domain::account::{AccountModes, Health, KeyPermissions};
use crate::domain::market::Market;
use crate::domain::num::{Notional, Rate};
use crate::domain::rules::Rules;
use crate::domain::symbol::Symbol;
use crate::error::CommandError;
use crate::exchange::{Exchange, Kind};
use crate::ledger::Ledger;
use crate::report::init::{Finding, Verdict};

/// A clock that is wrong by more than this should be set; rebal goes by the exchange's.
const CLOCK_MS: u64 = 1000;

/// One look at the exchange, without leaving a trace.
pub(super) struct Seen {
    spot: bool,
    account: String,
    equity: Notional,
    modes: AccountModes,
    health: Health,
    /// By how much the exchange's clock is ahead of this machine's.
    ahead_ms: i64,
    rules: BTreeMap<Symbol, Rules>,
    markets: BTreeMap<Symbol, Market>,
}

/// Looks, with the configuration of `context`.
pub(super) async fn look(context: &Context) -> Result<Seen, CommandError> {
    let mut ledger = Ledger::in_memory().await?;
    match venue::open(context, &mut ledger).await? {
        Venue::Usdm(exchange) => seen(context, *exchange).await,
        Venue::Spot(exchange) => seen(context, *exchange).await,
        Venue::Paper(exchange) => seen(context, *exchange).await,
    }
}

async fn seen<E: Exchange>(context: &Context, mut exchange: E) -> Result<Seen, CommandError> {
    let told = exchange.connect().await?;
    let ahead_ms = told.ms() - context.wall().ms();
    let found = exchange.observe().await?;
    Ok(Seen {
        spot: exchange.kind() == Kind::Spot,
        account: found.account,
        equity: found.balance.equity,
        modes: found.modes,
        health: exchange.health().await,
        ahead_ms,
        rules: found.rules,
        markets: found.markets,
    })
}

impl Seen {
    /// Whether the exchange lists it.
    pub(super) fn lists(&self, symbol: &Symbol) -> bool {
        self.rules.contains_key(symbol)
    }

    /// The listed name that is most like it.
    pub(super) fn nearest(&self, symbol: &Symbol) -> Option<&Symbol> {
        let likeness = |other: &&Symbol| strsim::jaro_winkler(other.as_str(), symbol.as_str());
        self.rules.keys().max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
    }

    /// Key, permissions, modes and clock of a real account.
    pub(super) fn account(&self, config: &Config) -> Vec<Finding> {
        if config.mode == Mode::Paper {
            return Vec::new();
        }
        let worth =
            format!("the key works; account {}, equity {:.2} {}", self.account, self.equity, config.quote);
        let funded = if self.equity.is_positive() { Verdict::Ok } else { Verdict::Warn };
        vec![
            finding("key", funded, worth),
            permissions(&self.health.key, self.spot),
            modes(self.modes, self.spot),
            clock(self.ahead_ms),
        ]
    }

    /// Whether the coins can be traded as configured.
    pub(super) fn market(&self, config: &Config) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.exposure(config));
        findings.extend(self.band(config));
        findings
    }

    /// What all targets are together.
    fn exposure(&self, config: &Config) -> Option<Finding> {
        let (count, each) = match config.strategy.kind {
            StrategyKind::Basket if config.basket.sizing == Sizing::Fixed => {
                (config.basket.size, config.basket.target_value)
            }
            StrategyKind::Moonshot if config.moonshot.sizing == Sizing::Fixed => {
                (config.moonshot.slots, config.moonshot.slot_value)
            }
            _ => return None,
        };
        let whole = each * Rate::from(count);
        let leverage = whole.over(self.equity)?;
        let most = config.risk.max_effective_leverage;
        let text = format!(
            "{count} coins × {each} = {whole} {}, {leverage:.2} times the equity of {:.2}",
            config.quote, self.equity
        );
        Some(match leverage > most {
            true => finding(
                "leverage",
                Verdict::Warn,
                format!("{text}: more than risk.max_effective_leverage = {most}, so not all is bought"),
            ),
            false => finding("leverage", Verdict::Ok, text),
        })
    }

    /// Whether what falls can be bought back where what rises is sold.
    fn band(&self, config: &Config) -> Option<Finding> {
        let Some((target, band)) = typical(config, self.equity) else {
            return Some(finding("band", Verdict::NotVerifiable, "the targets cannot be told yet"));
        };
        let (_, listed) = settings::listed(config);
        let market_orders = config.execution.order == OrderStyle::Market;
        let least = |symbol: &Symbol| {
            let price = self.markets.get(symbol)?.mark.price;
            Some(self.rules.get(symbol)?.least_open(price, market_orders)? * price)
        };
        let open = self.rules.values().filter(|rules| rules.opens() && rules.quote == config.quote);
        let chosen: Vec<&Symbol> = match listed.is_empty() {
            true => open.map(|rules| &rules.symbol).collect(),
            false => listed.iter().collect(),
        };
        let mut sizes: Vec<(Notional, &Symbol)> =
            chosen.iter().filter_map(|symbol| Some((least(symbol)?, *symbol))).collect();
        sizes.sort();
        let (usual, _) = *sizes.get(sizes.len() / 2)?;
        let too_large = |(least, _): &&(Notional, &Symbol)| *least > target;
        let never: Vec<&str> =
            sizes.iter().filter(too_large).map(|(_, symbol)| symbol.coin(&config.quote)).collect();
        Some(judge(config, &Sizes { target, band, usual, count: sizes.len(), never: &never }))
    }
}

/// What the smallest orders of the chosen coins come to.
struct Sizes<'a> {
    target: Notional,
    band: Option<Band>,
    /// Half of them want no more than this.
    usual: Notional,
    count: usize,
    /// Who wants more than the target.
    never: &'a [&'a str],
}

fn judge(config: &Config, sizes: &Sizes<'_>) -> Finding {
    let Sizes { target, band, usual, count, never } = sizes;
    let quote = &config.quote;
    let named = match never {
        [] => String::new(),
        some => format!("; cannot be bought at all: {}", some_of(some)),
    };
    if never.len() == *count {
        let text = format!(
            "{target:.2} {quote} is less than the smallest order of every coin (usually {usual:.2}): none can be bought"
        );
        return finding("band", Verdict::Fail, text);
    }
    let worst = if never.is_empty() { Verdict::Ok } else { Verdict::Warn };
    let Some(band) = band else {
        return finding(
            "band",
            worst,
            format!("{target:.2} {quote} is enough for the smallest order, usually {usual:.2}{named}"),
        );
    };
    let percent = |rate: Rate| (rate * Rate::from(100)).rounded(1);
    let half = percent(band.threshold);
    match band.buy(*usual, *target) {
        Some(buy) if buy <= band.threshold => finding(
            "band",
            worst,
            format!("a {half} % band on {target:.2} {quote} buys and sells alike{named}"),
        ),
        buy => {
            let back = buy.map_or_else(|| "ever".to_owned(), |buy| format!("before -{} %", percent(buy)));
            let symmetric = band
                .symmetric(*usual)
                .map_or_else(String::new, |target| format!("; {target} {quote} per coin would"));
            finding(
                "band",
                Verdict::Warn,
                format!(
                    "a {half} % band on {target:.2} {quote} cannot buy back {back}: the smallest order is usually {usual:.2}{symmetric}{named}"
                ),
            )
        }
    }
}

/// What a coin is kept at, and the band around it; no band where nothing is bought back. `None` where
/// that cannot be told.
fn typical(config: &Config, equity: Notional) -> Option<(Notional, Option<Band>)> {
    Some(match config.strategy.kind {
        StrategyKind::Basket => {
            let from = &config.basket;
            let target = match from.sizing {
                Sizing::Fixed => from.target_value,
                Sizing::Equity => (equity * from.effective_leverage).over_rate(Rate::from(from.size))?,
            };
            let ends_at = match from.rebalance_to {
                RebalanceTo::Target => Rate::ZERO,
                RebalanceTo::Half => from.threshold * Rate::new(5, 1),
                RebalanceTo::Edge => from.threshold,
            };
            (target, Some(Band { threshold: from.threshold, ends_at }))
        }
        StrategyKind::Weights => {
            let from = &config.weights;
            // The smallest share is the one that a minimum stops first.
            let share = from.shares(&config.quote).into_values().min()?;
            let whole = match from.initial_value.is_positive() {
                true => from.initial_value.min(equity),
                false => equity,
            };
            let threshold = match from.threshold_kind {
                ThresholdKind::Relative => from.threshold,
                ThresholdKind::Absolute => from.threshold.over(share)?,
            };
            let target = whole * share * from.effective_leverage;
            (target, Some(Band { threshold, ends_at: Rate::ZERO }))
        }
        StrategyKind::Moonshot => match config.moonshot.sizing {
            Sizing::Fixed => (config.moonshot.slot_value, None),
            Sizing::Equity => (equity.over_rate(Rate::from(config.moonshot.slots))?, None),
        },
    })
}

fn finding(name: &'static str, status: Verdict, detail: impl Into<String>) -> Finding {
    Finding { name, status, detail: detail.into() }
}

/// What could not be looked at, and why.
pub(super) fn unknown(error: &CommandError) -> Finding {
    let hint = if error.hint.is_empty() { String::new() } else { format!(" ({})", error.hint) };
    finding("exchange", Verdict::NotVerifiable, format!("{}{hint}", error.message))
}

fn permissions(key: &Result<KeyPermissions, String>, spot: bool) -> Finding {
    let name = "permissions";
    match key {
        Err(why) => finding(name, Verdict::NotVerifiable, why.clone()),
        Ok(key) if key.withdrawals => finding(
            name,
            Verdict::Fail,
            "the key may withdraw money: switch that off at the exchange, rebal never needs it",
        ),
        Ok(key) if spot && !key.spot => {
            finding(name, Verdict::Fail, "the key may not trade spot: switch that on at the exchange")
        }
        Ok(key) if !spot && !key.futures => {
            finding(name, Verdict::Fail, "the key may not trade futures: switch that on at the exchange")
        }
        Ok(key) if !key.ip_restricted => finding(
            name,
            Verdict::Warn,
            "the key works from every address: restrict it to this machine's at the exchange",
        ),
        Ok(_) => finding(name, Verdict::Ok, "may trade, may not withdraw, is bound to addresses"),
    }
}

fn modes(modes: AccountModes, spot: bool) -> Finding {
    let name = "modes";
    let fail = |text: &str| finding(name, Verdict::Fail, text);
    match modes {
        AccountModes { can_trade: false, .. } => {
            fail("the account may not trade: the exchange's notices say why")
        }
        AccountModes { hedge: true, .. } => {
            fail("hedge mode: switch to one-way in Futures > Preferences > Position Mode")
        }
        AccountModes { multi_assets: true, .. } => {
            fail("multi-assets mode: switch to single-asset in Futures > Preferences > Asset Mode")
        }
        _ if spot => finding(name, Verdict::Ok, "may trade"),
        _ => finding(name, Verdict::Ok, "one-way, single-asset, may trade"),
    }
}

fn clock(ahead_ms: i64) -> Finding {
    let seconds = Rate::new(ahead_ms, 3).rounded(1);
    match ahead_ms.unsigned_abs() > CLOCK_MS {
        true => finding(
            "clock",
            Verdict::Warn,
            format!(
                "the exchange's clock is {seconds} s ahead of this machine's: switch on time synchronisation"
            ),
        ),
        false => finding("clock", Verdict::Ok, format!("within {CLOCK_MS} ms of the exchange's")),
    }
}

fn some_of(names: &[&str]) -> String {
    let first = names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(5) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(sets: &[&str], usual: i64, never: &[&str]) -> (Verdict, String) {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let config = crate::config::draft::Draft::new(&sets).load().unwrap().config;
        let (target, band) = typical(&config, Notional::from(200)).unwrap();
        let usual = Notional::new(usual, 0);
        let found = judge(&config, &Sizes { target, band, usual, count: 20, never });
        (found.status, found.detail)
    }

    #[test]
    fn the_band_of_the_mission_is_told_with_the_target_that_would_do() {
        let told = "a 5 % band on 20.00 USDT cannot buy back before -25 %: the smallest order is \
                    usually 5.00; 100 USDT per coin would; cannot be bought at all: BTC";
        assert_eq!(judged(&[], 5, &["BTC"]), (Verdict::Warn, told.to_owned()));
        let (status, told) = judged(&["basket.target_value=100"], 5, &[]);
        assert_eq!((status, told.as_str()), (Verdict::Ok, "a 5 % band on 100.00 USDT buys and sells alike"));
        let (_, told) = judged(&["basket.target_value=5"], 5, &[]);
        assert!(told.contains("cannot buy back ever"), "{told}");
    }

    #[test]
    fn each_strategy_has_its_own_target() {
        // 200 × 2 / 20, and a trade to the edge of the band leaves 5 % open: -30 %.
        let (_, told) = judged(&["basket.sizing=equity", "basket.rebalance_to=edge"], 5, &[]);
        assert!(
            told.contains("on 20.00 USDT cannot buy back before -30 %") && !told.contains("per coin"),
            "{told}"
        );
        // The smallest share of 200 is 20; five points of the portfolio are half of a share of 0.10.
        let sets = ["strategy.kind=weights", "weights.threshold_kind=absolute"];
        assert_eq!(judged(&sets, 5, &[]).1, "a 50 % band on 20.00 USDT buys and sells alike");
        let (status, told) = judged(&["strategy.kind=moonshot"], 6, &["A"; 20]);
        assert_eq!(status, Verdict::Fail);
        assert!(told.starts_with("5.00 USDT is less than the smallest order of every coin"), "{told}");
    }

    #[test]
    fn a_key_that_may_withdraw_is_a_failure_and_unknown_is_never_ok() {
        let good = KeyPermissions { futures: true, ip_restricted: true, ..KeyPermissions::default() };
        for (key, status) in [
            (Ok(good), Verdict::Ok),
            (Ok(KeyPermissions { withdrawals: true, ..good }), Verdict::Fail),
            (Ok(KeyPermissions { futures: false, ..good }), Verdict::Fail),
            (Ok(KeyPermissions { ip_restricted: false, ..good }), Verdict::Warn),
            (Err("not verifiable here".to_owned()), Verdict::NotVerifiable),
        ] {
            assert_eq!(permissions(&key, false).status, status, "{key:?}");
        }
        let fine = AccountModes { hedge: false, multi_assets: false, can_trade: true };
        assert_eq!(modes(fine, false).status, Verdict::Ok);
        for wrong in [
            AccountModes { hedge: true, ..fine },
            AccountModes { multi_assets: true, ..fine },
            AccountModes { can_trade: false, ..fine },
        ] {
            assert_eq!(modes(wrong, false).status, Verdict::Fail, "{wrong:?}");
        }
        assert_eq!((clock(-900).status, clock(1500).status), (Verdict::Ok, Verdict::Warn));
    }
}
