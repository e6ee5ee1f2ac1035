//! From the configuration to what a pass is told.

use crate::config::sections::Config;
use crate::config::words::{ExitPolicy, OrderStyle, RebalanceTo, Sizing, StrategyKind};
use crate::decide::plan::Execution;
use crate::decide::risk::Limits;
use crate::domain::symbol::Symbol;
use crate::error::{CommandError, Kind};
use crate::ledger::Ledger;
use crate::pass::Settings;
use crate::strategy::basket::{self, Basket};

/// Why the configuration makes no pass, before anything is opened.
pub(super) fn check(config: &Config) -> Result<(), CommandError> {
    match config.strategy.kind {
        StrategyKind::Basket => Ok(()),
        other => Err(CommandError::new(
            Kind::Config,
            format!("this version trades the strategy basket, not {} yet", other.as_str()),
            "set strategy.kind = \"basket\"",
        )),
    }
}

/// The coins of the basket: those of the configuration, or else those that the last scan chose.
pub(super) async fn symbols(config: &Config, ledger: &mut Ledger) -> Result<Vec<Symbol>, CommandError> {
    if !config.basket.symbols.is_empty() {
        return Ok(config.basket.symbols.clone());
    }
    Ok(ledger.universe().await?.into_iter().map(|member| member.symbol).collect())
}

/// The settings of a pass, or why the configuration does not make one.
pub(super) async fn settings(config: &Config, ledger: &mut Ledger) -> Result<Settings, CommandError> {
    check(config)?;
    let symbols = symbols(config, ledger).await?;
    of_symbols(config, symbols)
}

/// The settings of a pass over these coins.
pub(super) fn of_symbols(config: &Config, symbols: Vec<Symbol>) -> Result<Settings, CommandError> {
    check(config)?;
    Ok(Settings {
        strategy: Box::new(basket(config, symbols)?),
        execution: execution(config),
        limits: limits(config),
        quote: config.quote.clone(),
        every: config.basket.every,
        concurrency: usize::try_from(config.execution.concurrency).unwrap_or(1),
    })
}

fn basket(config: &Config, symbols: Vec<Symbol>) -> Result<Basket, CommandError> {
    let from = &config.basket;
    if symbols.is_empty() {
        return Err(CommandError::new(
            Kind::Config,
            "basket.symbols is empty and no universe was chosen yet",
            "let `rebal scan --apply` choose, or list the contracts: --set basket.symbols=ADAUSDT,XRPUSDT",
        ));
    }
    Ok(Basket {
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
    })
}

fn execution(config: &Config) -> Execution {
    Execution {
        market_orders: config.execution.order == OrderStyle::Market,
        max_slippage_bps: config.execution.max_slippage_bps,
        leverage: config.futures.leverage,
        taker_fee: config.paper.taker_fee,
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
        margin_buffer: config.risk.margin_buffer,
        leverage: config.futures.leverage,
    }
}
