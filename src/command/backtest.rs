//! `rebal backtest`: the same decisions over recorded prices.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::archive;
use crate::archive::error::ArchiveError;
use crate::backtest::{Contract, Keep, Market, Settlement, Terms, run};
use crate::config::words::Venue;
use crate::domain::market::Bar;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::rules::Lot;
use crate::domain::symbol::Symbol;
use crate::domain::time::{Time, parse_span, show_span};
use crate::error::{CommandError, Kind};
use crate::render;
use crate::report::backtest::BacktestReport;
use crate::sim::{Listed, listing};

use super::context::Context;
use super::settings;
use super::venue::paper;

/// Decide as a pass does, over recorded prices; sends nothing
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Take klines from this folder: SYMBOL*.csv[.gz|.zip], or one folder per symbol
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Take funding rates from this folder; without it there is none
    #[arg(long, value_name = "DIR")]
    funding: Option<PathBuf>,
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
    /// Decide this often, not as often as the configuration says; a whole multiple of the bars
    #[arg(long, value_name = "DURATION", value_parser = parse_span)]
    interval: Option<Duration>,
    /// Trade again this long after a hard stop, instead of ending there
    #[arg(long, value_name = "DURATION", value_parser = parse_span)]
    resume_after: Option<Duration>,
    /// Decide exactly at every bar, without the screen
    #[arg(long)]
    exact: bool,
}

/// Settlements are stamped milliseconds before or after the open of the bar that they belong to.
const GIVE_OR_TAKE: Duration = Duration::from_secs(1);

pub(super) async fn run_command(context: &Context, args: &Args) -> Result<u8, CommandError> {
    let (_, symbols) = settings::listed(&context.config);
    let wanted = (!symbols.is_empty()).then_some(symbols);
    let refuse = |error: ArchiveError| CommandError::new(Kind::Config, error.to_string(), "see --data");
    let bars = archive::klines(&args.data, wanted.as_deref()).map_err(refuse)?;
    let funding = match &args.funding {
        Some(folder) => archive::funding(folder, None).map_err(refuse)?,
        None => BTreeMap::new(),
    };
    let info = args.exchange_info.clone().or_else(|| archive::find_exchange_info(&args.data));
    let (listed, origin) = rules(info.as_deref(), &bars)?;
    let on_spot = context.config.venue == Venue::BinanceSpot;
    let market = market(&bars, &funding, &listed, (args.from, args.to), on_spot)?;
    if market.opens.is_empty() {
        return Err(CommandError::new(Kind::Config, "no bars in that period", "see --from, --to and --data"));
    }
    let mut symbols = settings::listed(&context.config).1;
    symbols.retain(|symbol| market.column(symbol).is_some());
    if symbols.is_empty() {
        symbols = market.contracts.iter().map(|contract| contract.rules.symbol.clone()).collect();
    }
    let settings = settings::of_symbols(&context.config, symbols)?;
    let per_decision =
        args.interval.unwrap_or(context.config.interval).as_millis() / market.interval.as_millis().max(1);
    if let Some(interval) = args.interval
        && (per_decision == 0 || interval.as_millis() % market.interval.as_millis().max(1) != 0)
    {
        let (wanted, bars) = (show_span(interval), show_span(market.interval));
        let problem =
            format!("--interval {wanted} is not a whole multiple of the bars, which are {bars} apart");
        return Err(CommandError::new(
            Kind::Config,
            problem,
            "leave it out to decide as often as interval says",
        ));
    }
    let terms = Terms {
        strategy: settings.strategy.as_ref(),
        execution: &settings.execution,
        limits: &settings.limits,
        equity: args.equity,
        taker_fee: context.config.paper.taker_fee,
        slippage: Rate::from_bps(context.config.paper.slippage_bps),
        every_bars: usize::try_from(per_decision).unwrap_or(1).max(1),
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

/// The trading rules of each coin, and whose they are.
fn rules(
    info: Option<&Path>,
    bars: &BTreeMap<Symbol, Vec<Bar>>,
) -> Result<(BTreeMap<Symbol, Listed>, String), CommandError> {
    let Some(file) = info else {
        let free = |(symbol, bars): (&Symbol, &Vec<Bar>)| {
            let mut listed = listing::derived(symbol, bars.first()?.close);
            listed.rules.lot = Lot { min: Qty::ZERO, max: Qty::ZERO, step: Qty::ZERO };
            listed.rules.market_lot = listed.rules.lot;
            listed.rules.min_notional = Notional::ZERO;
            listed.rules.tick = Price::ZERO;
            Some((symbol.clone(), listed))
        };
        return Ok((bars.iter().filter_map(free).collect(), "none: any quantity can be traded".into()));
    };
    let rows = paper::read_listing(file)?;
    let listed: BTreeMap<Symbol, Listed> =
        rows.into_iter().map(|listed| (listed.rules.symbol.clone(), listed)).collect();
    let missing: Vec<&str> =
        bars.keys().filter(|symbol| !listed.contains_key(*symbol)).map(Symbol::as_str).collect();
    if !missing.is_empty() {
        return Err(CommandError::new(
            Kind::Config,
            format!("{} does not list {}", file.display(), missing.join(", ")),
            "give the exchangeInfo of that time, or leave these coins out of basket.symbols",
        ));
    }
    Ok((listed, file.file_name().unwrap_or_default().to_string_lossy().into_owned()))
}

/// Rows become columns on one grid.
fn market(
    bars: &BTreeMap<Symbol, Vec<Bar>>,
    funding: &BTreeMap<Symbol, Vec<(Time, Rate)>>,
    listed: &BTreeMap<Symbol, Listed>,
    (from, to): (Option<Time>, Option<Time>),
    on_spot: bool,
) -> Result<Market, CommandError> {
    let interval = archive::interval(bars).unwrap_or(Duration::from_secs(300));
    let inside = |bar: &&Bar| {
        from.is_none_or(|from| bar.open_time >= from) && to.is_none_or(|to| bar.open_time + interval <= to)
    };
    let mut opens: Vec<Time> = bars.values().flatten().filter(inside).map(|bar| bar.open_time).collect();
    opens.sort_unstable();
    opens.dedup();
    let coins = bars.len();
    let mut closes = vec![f64::NAN; opens.len() * coins];
    let (mut contracts, mut settlements) = (Vec::new(), Vec::new());
    for (coin, (symbol, bars)) in bars.iter().enumerate() {
        let mut digits = 0;
        let mut at: BTreeMap<Time, (usize, Price)> = BTreeMap::new();
        for bar in bars.iter().filter(inside) {
            let Ok(row) = opens.binary_search(&bar.open_time) else { continue };
            digits = digits.max(bar.close.decimals());
            if let Some(cell) = closes.get_mut(row * coins + coin) {
                *cell = bar.close.approx();
            }
            at.insert(bar.open_time, (row, bar.open));
        }
        for (stamp, rate) in funding.get(symbol).into_iter().flatten() {
            let stamp = *stamp + GIVE_OR_TAKE;
            let bar = at.range(..=stamp).next_back().filter(|(time, _)| stamp.since(**time) < interval);
            if let Some((_, (bar, price))) = bar {
                settlements.push(Settlement { bar: *bar, coin, rate: *rate, price: *price });
            }
        }
        if let Some(listed) = listed.get(symbol) {
            let (rules, brackets) = (listed.rules.clone(), listed.brackets.clone());
            let contract = Contract { rules, brackets, digits };
            contracts.push(if on_spot { contract.on_spot() } else { contract });
        }
    }
    settlements.sort_by_key(|settlement| (settlement.bar, settlement.coin));
    Ok(Market::new(interval, opens, contracts, closes, settlements))
}
