//! From the configuration to what a pass is told.

use crate::config::sections::Config;
use crate::config::words::{ExitPolicy, OrderStyle, RebalanceTo, Sizing, StrategyKind, ThresholdKind, Venue};
use crate::decide::plan::Execution;
use crate::decide::risk::Limits;
use crate::domain::num::Rate;
use crate::domain::symbol::Symbol;
use crate::error::{CommandError, Kind};
use crate::ledger::Ledger;
use crate::pass::Settings;
use crate::strategy::Strategy;
use crate::strategy::basket::{self, Basket};
use crate::strategy::moonshot::{self, Moonshot, Trailing};
use crate::strategy::weights::{Threshold, Weights};

/// The coins that the configuration lists for its strategy, and the key that lists them.
pub(super) fn listed(config: &Config) -> (&'static str, Vec<Symbol>) {
    match config.strategy.kind {
        StrategyKind::Basket => ("basket.symbols", config.basket.symbols.clone()),
        StrategyKind::Weights => {
            ("weights.weights", config.weights.shares(&config.quote).into_keys().collect())
        }
        StrategyKind::Moonshot => ("moonshot.symbols", config.moonshot.symbols.clone()),
    }
}

/// The coins of the strategy: those of the configuration, or else those that the last scan chose.
pub(super) async fn symbols(config: &Config, ledger: &mut Ledger) -> Result<Vec<Symbol>, CommandError> {
    let (_, listed) = listed(config);
    if !listed.is_empty() {
        return Ok(listed);
    }
    Ok(ledger.universe().await?.into_iter().map(|member| member.symbol).collect())
}

/// The settings of a pass, or why the configuration does not make one.
pub(super) async fn settings(config: &Config, ledger: &mut Ledger) -> Result<Settings, CommandError> {
    let symbols = symbols(config, ledger).await?;
    refuse_too_many(config, symbols.len())?;
    of_symbols(config, symbols)
}

/// The same for a look at the account, which trades no coin too many.
pub(super) async fn for_a_look(config: &Config, ledger: &mut Ledger) -> Result<Settings, CommandError> {
    let symbols = symbols(config, ledger).await?;
    of_symbols(config, symbols)
}

/// A universe is as large as the basket that it was chosen for; of a list in the configuration the same is
/// checked when that is read. Moonshot fills its slots and no more.
fn refuse_too_many(config: &Config, members: usize) -> Result<(), CommandError> {
    let size = usize::try_from(config.basket.size).unwrap_or(usize::MAX);
    if config.strategy.kind != StrategyKind::Basket || members <= size {
        return Ok(());
    }
    Err(CommandError::new(
        Kind::Config,
        format!(
            "the universe has {members} coins, but basket.size is {size}: it was chosen for another basket"
        ),
        "`rebal scan --apply` chooses anew for this size (what leaves is closed), or set basket.size; nothing \
         was sent, and only `rebal risk-check` watches the hard stop until then",
    ))
}

/// The settings of a pass over these coins.
pub(super) fn of_symbols(config: &Config, symbols: Vec<Symbol>) -> Result<Settings, CommandError> {
    Ok(Settings {
        strategy: strategy(config, symbols)?,
        execution: execution(config),
        limits: limits(config),
        quote: config.quote.clone(),
        every: match config.strategy.kind {
            StrategyKind::Basket => config.basket.every,
            StrategyKind::Weights => config.weights.every,
            StrategyKind::Moonshot => None,
        },
        concurrency: usize::try_from(config.execution.concurrency).unwrap_or(1),
    })
}

/// A new strategy is an arm here and one in [`listed`].
fn strategy(config: &Config, symbols: Vec<Symbol>) -> Result<Box<dyn Strategy>, CommandError> {
    if symbols.is_empty() {
        let (key, _) = listed(config);
        return Err(CommandError::new(
            Kind::Config,
            format!("{key} is empty and no universe was chosen yet"),
            format!(
                "let `rebal scan --apply` choose, or list the contracts: --set {key}=ADAUSDT,XRPUSDT; \
                 `rebal init` asks for all that a first run needs"
            ),
        ));
    }
    Ok(match config.strategy.kind {
        StrategyKind::Basket => Box::new(basket(config, symbols)),
        StrategyKind::Weights => Box::new(weights(config)),
        StrategyKind::Moonshot => Box::new(moonshot(config, symbols)),
    })
}

fn weights(config: &Config) -> Weights {
    let from = &config.weights;
    let threshold = match from.threshold_kind {
        ThresholdKind::Relative => Threshold::Relative(from.threshold),
        ThresholdKind::Absolute => Threshold::Absolute(from.threshold),
    };
    Weights::new(from.shares(&config.quote), threshold, from.initial_value, from.effective_leverage)
}

fn moonshot(config: &Config, symbols: Vec<Symbol>) -> Moonshot {
    let from = &config.moonshot;
    let trailing = Trailing { start: from.trailing_start, stop: from.trailing_stop };
    Moonshot {
        symbols,
        slots: from.slots,
        sizing: match from.sizing {
            Sizing::Fixed => moonshot::Sizing::Fixed(from.slot_value),
            Sizing::Equity => moonshot::Sizing::Equity,
        },
        stop_loss: from.stop_loss,
        cooldown: from.cooldown,
        refill: from.refill,
        trailing: from.trailing_start.is_positive().then_some(trailing),
        exchange_stop: from.exchange_stop,
    }
}

fn basket(config: &Config, symbols: Vec<Symbol>) -> Basket {
    let from = &config.basket;
    Basket {
        symbols,
        sizing: match from.sizing {
            Sizing::Fixed => basket::Sizing::Fixed(from.target_value),
            Sizing::Equity => {
                basket::Sizing::Equity { effective_leverage: from.effective_leverage, size: from.size }
            }
        },
        threshold: from.threshold,
        rebalance_to: match from.rebalance_to {
            RebalanceTo::Target => basket::RebalanceTo::Target,
            RebalanceTo::Half => basket::RebalanceTo::Half,
            RebalanceTo::Edge => basket::RebalanceTo::Edge,
        },
        on_exit: match from.on_exit {
            ExitPolicy::Close => basket::OnExit::Close,
            ExitPolicy::Hold => basket::OnExit::Hold,
        },
    }
}

fn execution(config: &Config) -> Execution {
    Execution {
        market_orders: config.execution.order == OrderStyle::Market,
        max_slippage_bps: config.execution.max_slippage_bps,
        leverage: leverage(config),
        taker_fee: config.paper.taker_fee,
    }
}

/// Nominal leverage; a coin of a spot account is paid in full.
fn leverage(config: &Config) -> u32 {
    match config.venue {
        Venue::BinanceUsdm => config.futures.leverage,
        Venue::BinanceSpot => 1,
    }
}

fn limits(config: &Config) -> Limits {
    Limits {
        max_spread_bps: config.execution.max_spread_bps,
        max_mark_gap: config.execution.max_mark_gap,
        max_orders: usize::try_from(config.execution.max_orders_per_pass).unwrap_or(usize::MAX),
        max_turnover: config.execution.max_turnover_per_pass,
        max_drawdown: config.risk.max_drawdown,
        max_effective_leverage: config.risk.max_effective_leverage,
        min_liquidation_distance: config.risk.min_liquidation_distance,
        // Cash that is to stay is what the shares leave.
        margin_buffer: match config.venue {
            Venue::BinanceUsdm => config.risk.margin_buffer,
            Venue::BinanceSpot => Rate::ZERO,
        },
        leverage: leverage(config),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Time;
    use crate::ledger::Member;

    #[tokio::test]
    async fn a_universe_larger_than_the_basket_is_never_traded_as_it_stands() {
        let mut ledger = Ledger::in_memory().await.unwrap();
        let member = |number: i64| Member {
            symbol: format!("C{number}USDT").parse().unwrap(),
            rank: number,
            sector: "MEME".into(),
            since: Time::default(),
            evidence: "{}".into(),
        };
        let chosen: Vec<Member> = (0..40).map(member).collect();
        ledger.apply_universe(Time::default(), &chosen, "{}").await.unwrap();
        let mut config = Config::default();
        for (size, fits) in [(39, false), (40, true), (20, false)] {
            config.basket.size = size;
            let made = settings(&config, &mut ledger).await;
            assert_eq!(made.is_ok(), fits, "{size}");
            if let Err(error) = made {
                assert_eq!(error.kind, Kind::Config);
                assert!(error.message.contains(&format!("40 coins, but basket.size is {size}")), "{error}");
            }
            // The hard stop is watched all the same.
            assert_eq!(for_a_look(&config, &mut ledger).await.unwrap().strategy.symbols().len(), 40);
        }
        config.strategy.kind = StrategyKind::Moonshot;
        assert!(settings(&config, &mut ledger).await.is_ok());
    }
}
