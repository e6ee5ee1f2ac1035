//! `rebal backtest`: the same decisions over recorded prices.

mod fetch;
mod load;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::backtest::{Keep, Terms, run};
use crate::domain::num::{Notional, Rate};
use crate::domain::time::{Time, parse_span, show_span};
use crate::error::{CommandError, Kind};
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
    /// Trade again this long after a hard stop, instead of ending there
    #[arg(long, value_name = "DURATION", value_parser = parse_span)]
    resume_after: Option<Duration>,
    /// Decide exactly at every bar, without the screen
    #[arg(long)]
    exact: bool,
}

pub(super) async fn run_command(context: &Context, args: &Args) -> Result<u8, CommandError> {
    if args.fetch {
        fetch::fetch(context, args).await?;
    }
    let (market, origin) = load::load(context, args)?;
    let mut symbols = settings::listed(&context.config).1;
    symbols.retain(|symbol| market.column(symbol).is_some());
    if symbols.is_empty() {
        symbols = market.contracts.iter().map(|contract| contract.rules.symbol.clone()).collect();
    }
    let settings = settings::of_symbols(&context.config, symbols)?;
    let every_bars = every_bars(args.interval, context.config.interval, market.interval)?;
    let terms = Terms {
        strategy: settings.strategy.as_ref(),
        execution: &settings.execution,
        limits: &settings.limits,
        equity: args.equity,
        taker_fee: context.config.paper.taker_fee,
        slippage: Rate::from_bps(context.config.paper.slippage_bps),
        every_bars,
        calendar: settings.every,
        resume_after: args.resume_after,
        exact: args.exact,
        keep: Keep::ALL,
    };
    let begun = Instant::now();
    let outcome = run(&market, &terms);
    let elapsed = begun.elapsed().as_secs_f64();
    let heading = context.heading(market.closes_at(outcome.bars.saturating_sub(1)));
    let report = BacktestReport::new(heading, &market, &terms, &outcome, origin, elapsed);
    context.show(&render::json::object(&report))?;
    Ok(0)
}

/// How many bars lie between two decisions.
fn every_bars(asked: Option<Duration>, configured: Duration, bars: Duration) -> Result<usize, CommandError> {
    let span = asked.unwrap_or(configured).as_millis();
    let each = bars.as_millis().max(1);
    if let Some(interval) = asked.filter(|_| span < each || !span.is_multiple_of(each)) {
        let (wanted, bars) = (show_span(interval), show_span(bars));
        return Err(CommandError::new(
            Kind::Config,
            format!("--interval {wanted} is not a whole multiple of the bars, which are {bars} apart"),
            "leave it out to decide as often as interval says",
        ));
    }
    Ok(usize::try_from(span / each).unwrap_or(1).max(1))
}
