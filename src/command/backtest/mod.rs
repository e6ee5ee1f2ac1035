//! `rebal backtest`: the same decisions over recorded prices.

mod coverage;
mod fetch;
mod interval;
mod load;
mod merge;
mod sweep;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::backtest::sweep::Shard;
use crate::backtest::{Keep, Market, Terms, run};
use crate::config::sections::Config;
use crate::domain::num::{Notional, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::{Time, parse_span};
use crate::error::{CommandError, Kind};
use crate::pass::Settings;
use crate::render;
use crate::report::backtest::{About, BacktestReport};
use crate::report::sweep::figures::Figure;

use super::context::Context;
use super::settings;

/// Decide as a pass does, over recorded prices; sends nothing
///
/// With --sweep it tries every combination of settings, on all cores.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Take klines from this folder: SYMBOL*.csv[.gz|.zip], or one folder per symbol
    #[arg(long, value_name = "DIR", required_unless_present = "merge")]
    data: Option<PathBuf>,
    /// Take funding rates from this folder; without it there is none
    #[arg(long, value_name = "DIR")]
    funding: Option<PathBuf>,
    /// Download missing klines, funding and the listing into these folders first
    #[arg(long)]
    fetch: bool,
    /// Decide this often, counted from the first bar and not from midnight UTC: a whole multiple of the bars;
    /// and download bars of this length. Otherwise the configuration's interval
    #[arg(long, value_name = "DURATION", value_parser = parse_span)]
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
    #[arg(long, value_name = "AMOUNT", default_value = "200", value_parser = equity)]
    equity: Notional,
    /// Trade again this long after a hard stop, instead of ending there
    #[arg(long, value_name = "DURATION", value_parser = parse_span)]
    resume_after: Option<Duration>,
    /// Decide exactly at every bar, without the screen
    #[arg(long)]
    exact: bool,
    /// Write every execution to this file, a row each
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sweeps", "merge"])]
    export_trades: Option<PathBuf>,
    /// Try these values of a configuration key, with those of every other --sweep (repeatable)
    #[arg(long = "sweep", value_name = "KEY=A..B/STEP|A,B,C")]
    sweeps: Vec<String>,
    /// Run so many settings at a time; all cores where it is not given
    #[arg(long, value_name = "N", value_parser = jobs, requires = "sweeps")]
    jobs: Option<NonZeroUsize>,
    /// Order settings by a figure: return, final_equity, max_drawdown, trades, turnover, fees, funding …
    #[arg(long, value_name = "FIGURE")]
    sort: Option<Figure>,
    /// Choose on one part of the period and look at the next, K times
    #[arg(long, value_name = "K", requires = "sweeps")]
    folds: Option<usize>,
    /// Run part I of N, counted from 0, and write it as JSON lines for --merge
    #[arg(long, value_name = "I/N", requires = "sweeps", conflicts_with = "sort")]
    shard: Option<Shard>,
    /// Join the parts of a sweep that --shard wrote
    #[arg(long, value_name = "FILES", num_args = 1.., conflicts_with_all = [
        "data", "funding", "fetch", "exchange_info", "from", "to", "equity", "interval", "resume_after", "exact",
        "sweeps", "folds", "shard",
    ])]
    merge: Vec<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  rebal backtest --data klines --funding funding               one run, with the configuration as it is
  rebal backtest --data klines --sweep 'basket.threshold=0.01..0.20/0.01'
                                                               twenty thresholds, the best first
  rebal backtest --data klines --format html --out run.html --export-trades fills.csv
                                                               the same with charts, and every execution
  rebal backtest --data klines --sweep 'basket.threshold=0.01..0.20/0.01' --sweep basket.target_value=10,20,40 \\
    --format html --out sweep.html                             a heat map of two settings
  rebal backtest --data klines --sweep 'basket.threshold=0.01..0.20/0.01' --folds 4
                                                               does the best of one part stay good in the next?
  rebal backtest --data klines --sweep 'basket.threshold=0.01..0.20/0.01' --shard 0/8 --out part-0.jsonl
                                                               one part of eight, for a job engine
  rebal backtest --merge part-*.jsonl                          all parts together

Exit codes:
    0  done
    2  configuration, data or options
    3  another download fills the folder (--fetch)
    4  the exchange does not answer (--fetch)
  130  interrupted";

/// More threads than any machine has cores.
const MOST_JOBS: usize = 1024;

fn equity(text: &str) -> Result<Notional, String> {
    let above_zero = || format!("wants an amount above zero, for example 200, and not {text:?}");
    text.parse().ok().filter(Notional::is_positive).ok_or_else(above_zero)
}

fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    let wanted = || format!("wants a whole number from 1 to {MOST_JOBS}, for example the number of cores");
    text.parse().ok().filter(|jobs: &NonZeroUsize| jobs.get() <= MOST_JOBS).ok_or_else(wanted)
}

impl Args {
    /// The folder of klines.
    fn data(&self) -> Result<&Path, CommandError> {
        let missing =
            || CommandError::new(Kind::Config, "no --data", "name the folder of klines: --data DIR");
        self.data.as_deref().ok_or_else(missing)
    }
}

pub(super) async fn run_command(context: &Context, args: &Args) -> Result<u8, CommandError> {
    if !args.merge.is_empty() {
        return merge::run(context, args);
    }
    if args.sort.is_some() && args.sweeps.is_empty() {
        return Err(CommandError::new(Kind::Config, "--sort orders the settings of a sweep", "add --sweep"));
    }
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from >= to
    {
        let problem = format!("the period ends before it begins: --from {from} --to {to}");
        return Err(CommandError::new(Kind::Config, problem, "give the earlier time with --from"));
    }
    if args.fetch {
        fetch::fetch(context, args).await?;
    }
    if args.sweeps.is_empty() { one_run(context, args) } else { sweep::run(context, args).await }
}

fn one_run(context: &Context, args: &Args) -> Result<u8, CommandError> {
    if let Some(path) = &args.export_trades {
        context.may_write("--export-trades", path)?;
    }
    let (market, origin) = load::load(context, args)?;
    let settings = settings::of_symbols(&context.config, symbols(&context.config, &market))?;
    let terms =
        terms(args, &context.config, &settings, interval::bars(args, &context.config, &market, false)?);
    interval::tell(context, args, &market, false);
    let begun = Instant::now();
    let outcome = run(&market, &terms);
    let elapsed = begun.elapsed().as_secs_f64();
    let heading = context.heading(market.closes_at(outcome.bars.saturating_sub(1)));
    let about = About {
        heading,
        quote: context.config.quote.clone(),
        strategy: context.config.strategy.kind.as_str().to_owned(),
        rules: origin,
        elapsed_s: elapsed,
    };
    let report = BacktestReport::new(about, &market, &terms, &outcome);
    if let Some(path) = &args.export_trades {
        context.write(path, &render::csv::executions(&report.executions))?;
        context.ui.note(&format!("{}: {} executions", path.display(), report.executions.len()));
    }
    context.show(&render::backtest(&report, context.format, &context.style))?;
    Ok(0)
}

/// The coins that a configuration lists, as far as there are prices of them; all that have prices where it
/// lists none.
fn symbols(config: &Config, market: &Market) -> Vec<Symbol> {
    let (_, mut listed) = settings::listed(config);
    listed.retain(|symbol| market.column(symbol).is_some());
    if listed.is_empty() {
        return market.contracts.iter().map(|contract| contract.rules.symbol.clone()).collect();
    }
    listed
}

/// What a run of a configuration that decides every so many bars is made under.
fn terms<'a>(args: &Args, config: &Config, settings: &'a Settings, every_bars: usize) -> Terms<'a> {
    Terms {
        strategy: settings.strategy.as_ref(),
        execution: &settings.execution,
        limits: &settings.limits,
        equity: args.equity,
        taker_fee: config.paper.taker_fee,
        slippage: Rate::from_bps(config.paper.slippage_bps),
        every_bars,
        calendar: settings.every,
        resume_after: args.resume_after,
        exact: args.exact,
        keep: Keep { fills: true, samples: 0 },
    }
}
