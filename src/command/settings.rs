//! From the configuration to what a pass is told.

use crate::config::sections::Config;
use crate::config::words::{ExitPolicy, OrderStyle, RebalanceTo, Sizing, StrategyKind};
use crate::decide::plan::Execution;
use crate::decide::risk::Limits;
use crate::error::{CommandError, Kind};
use crate::pass::Settings;
use crate::strategy::basket::{self, Basket};

/// The settings of a pass, or why the configuration does not make one.
pub(super) fn settings(config: &Config) -> Result<Settings, CommandError> {
    let strategy = match config.strategy.kind {
        StrategyKind::Basket => Box::new(basket(config)?),
        other => {
            return Err(CommandError::new(
                Kind::Config,
                format!("this version trades the strategy basket, not {} yet", other.as_str()),
                "set strategy.kind = \"basket\"",
            ));
        }
    };
    Ok(Settings {
        strategy,
        execution: execution(config),
        limits: limits(config),
        quote: config.quote.clone(),
        every: config.basket.every,
        concurrency: usize::try_from(config.execution.concurrency).unwrap_or(1),
    })
}

fn basket(config: &Config) -> Result<Basket, CommandError> {
    let from = &config.basket;
    if from.symbols.is_empty() {
        return Err(CommandError::new(
            Kind::Config,
            "basket.symbols is empty and no universe was chosen yet",
            "list the contracts, for example --set basket.symbols=ADAUSDT,XRPUSDT, or try --demo",
        ));
    }
    Ok(Basket {
        symbols: from.symbols.clone(),
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
