//! `rebal backtest`: the same decisions over recorded prices.

mod fetch;
mod load;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::backtest::{Terms, run};
use crate::domain::num::{Notional, Rate};
use crate::domain::time::{Time, parse_span};
use crate::error::CommandError;
use crate::render;
use crate::report::backtest::BacktestReport;

use super::context::Context;
use super::settings;

/// Decide as a pass does, over recorded prices; sends nothing
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Take klines from this folder: SYMBOL*.csv[.gz|.zip], or one folder per symbol
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Take funding rates from this folder; without it there is none
    #[arg(long, value_name = "DIR")]
    funding: Option<PathBuf>,
    /// Download missing klines, funding and the listing into these folders first
    #[arg(long)]
    fetch: bool,
    /// Decide this often, and download bars of this length; otherwise the configuration's interval
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    interval: Option<Duration>,
    /// Take steps and minimums from a recorded exchangeInfo
    #[arg(long, value_name = "FILE")]
    exchange_info: Option<PathBuf>,
    /// Begin with the first bar at or after this time
    #[arg(long, value_name = "TIME")]
    from: Option<Time>,
    /// End with the last bar that closes at or before this time
    #[arg(long, value_name = "TIME")]
    to: Option<Time>,
    /// Begin with this much of the quote asset
    #[arg(long, value_name = "AMOUNT", default_value = "200")]
    equity: Notional,
    /// Decide exactly at every bar, without the screen
    #[arg(long)]
    exact: bool,
}

pub(super) async fn run_command(context: &Context, args: &Args) -> Result<u8, CommandError> {
    if args.fetch {
        fetch::fetch(context, args).await?;
    }
    let (market, origin) = load::load(context, args)?;
    let symbols = market.contracts.iter().map(|contract| contract.rules.symbol.clone()).collect();
    let settings = settings::of_symbols(&context.config, symbols)?;
    let per_decision =
        args.interval.unwrap_or(context.config.interval).as_millis() / market.interval.as_millis().max(1);
    let terms = Terms {
        strategy: settings.strategy.as_ref(),
        execution: &settings.execution,
        limits: &settings.limits,
        equity: args.equity,
        taker_fee: context.config.paper.taker_fee,
        slippage: Rate::from_bps(context.config.paper.slippage_bps),
        every_bars: usize::try_from(per_decision).unwrap_or(1).max(1),
        calendar: settings.every,
    };
    let begun = Instant::now();
    let outcome = run(&market, &terms);
    let elapsed = begun.elapsed().as_secs_f64();
    let heading = context.heading(market.closes_at(outcome.bars.saturating_sub(1)));
    let report = BacktestReport::new(heading, &market, &terms, &outcome, origin, elapsed);
    context.show(&render::json::object(&report))?;
    Ok(0)
}
