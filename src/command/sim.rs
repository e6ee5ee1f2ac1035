//! `rebal sim`: the simulated exchange over HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::ValueEnum;

use crate::archive;
use crate::domain::num::{Notional, Price};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::error::{CommandError, Kind};
use crate::server::{self, Clock};
use crate::sim::prices::{Prices, Recorded};
use crate::sim::{Exchange, Listed, Terms, World, listing};
use crate::ui::Ui;

use super::venue::paper::read_listing;

/// Serve the simulated exchange over HTTP, for practice and tests
///
/// Speaks Binance's dialect of futures and spot, with signatures, filters, margin, funding and error
/// codes. Loopback only.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Listen on this loopback address; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8900")]
    listen: SocketAddr,
    /// Take prices from here: synthetic, or a folder of recorded klines
    #[arg(long, value_name = "synthetic|DIR", default_value = "synthetic")]
    prices: PathBuf,
    /// Settle funding at the recorded rates of this folder; without it, recorded prices have none
    #[arg(long, value_name = "DIR")]
    funding: Option<PathBuf>,
    /// Make up the same market for the same number
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
    /// List the contracts named in a file, one a line, or this many made-up ones
    #[arg(long, value_name = "FILE|N")]
    symbols: Option<String>,
    /// Use the trading rules of a recorded exchangeInfo
    #[arg(long, value_name = "FILE")]
    exchange_info: Option<PathBuf>,
    /// Begin with this much USDT, on futures and again on spot
    #[arg(long, value_name = "USDT", default_value = "200")]
    equity: Notional,
    /// Let time pass by itself, or only with POST /sim/advance
    #[arg(long, value_name = "real|manual", default_value = "real")]
    clock: ClockChoice,
    /// Let real time pass this many times as fast
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    speed: f64,
    /// Wait this long before processing a request
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u64,
    /// Know this key
    #[arg(long, value_name = "K", default_value = "sim")]
    api_key: String,
    /// Check signatures against this secret: HMAC text, or an Ed25519 PEM
    #[arg(long, value_name = "S", default_value = "sim")]
    api_secret: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ClockChoice {
    Real,
    Manual,
}

/// The length of a synthetic bar.
const BAR: Duration = Duration::from_secs(300);
/// More contracts than the real exchange lists several times over.
const MOST_CONTRACTS: usize = 5000;

const EXAMPLES: &str = "\
Examples:
  rebal sim                                         the synthetic market on 127.0.0.1:8900
  rebal sim --listen 127.0.0.1:0 --clock manual     on a free port; time stands until it is told
  rebal sim --prices FOLDER --funding FOLDER        recorded prices and funding
  rebal --config examples/practice.toml rebalance   a pass against it; key and secret are both sim

Ends with a signal.";

pub(super) async fn run(ui: &Ui, args: &Args) -> Result<u8, CommandError> {
    let exchange = exchange(args)?;
    let settings = server::Settings {
        listen: args.listen,
        clock: match args.clock {
            ClockChoice::Real => Clock::Real { speed: args.speed },
            ClockChoice::Manual => Clock::Manual,
        },
        latency: Duration::from_millis(args.latency_ms),
        api_key: args.api_key.clone(),
        api_secret: args.api_secret.clone(),
    };
    let announce = |address| {
        // A reader who went away does not need the line.
        let _ = ui.out(&format!("listening on http://{address}\n"));
    };
    server::serve(settings, exchange, announce).await.map_err(|error| {
        usage(
            format!("cannot serve on {}: {error}", args.listen),
            "see `rebal sim --help`; --listen 127.0.0.1:0 picks a free port",
        )
    })?;
    Ok(0)
}

fn usage(message: impl Into<String>, hint: &str) -> CommandError {
    CommandError::new(Kind::Config, message, hint)
}

fn exchange(args: &Args) -> Result<Exchange, CommandError> {
    if args.prices != Path::new("synthetic") {
        return recorded(args);
    }
    if args.funding.is_some() {
        return Err(usage(
            "--funding needs recorded prices",
            "add --prices DIR; a made-up market has rates of its own",
        ));
    }
    // A manual clock begins where every run of it begins; a real one where clients' clocks are.
    let start = match args.clock {
        ClockChoice::Real => Time::from(SystemTime::now()),
        ClockChoice::Manual => Terms::default().start,
    };
    let terms = Terms { start, equity: args.equity, interval: BAR, ..Terms::default() };
    let made_up = listing::synthetic(args.seed, start.floor_to(BAR));
    let contracts = match &args.exchange_info {
        Some(file) => with_shapes(read_listing(file)?, &made_up),
        None => made_up,
    };
    let contracts = choose(args, contracts)?;
    Ok(Exchange::new(World::new(contracts, Prices::Synthetic { seed: args.seed }), terms))
}

/// Recorded rules with the made-up market of the same contract, where there is one.
fn with_shapes(mut recorded: Vec<Listed>, made_up: &[Listed]) -> Vec<Listed> {
    for listed in &mut recorded {
        if let Some(twin) = made_up.iter().find(|twin| twin.rules.symbol == listed.rules.symbol) {
            listed.shape = twin.shape.clone();
            listed.brackets.clone_from(&twin.brackets);
            listed.funding_hours = twin.funding_hours;
        }
    }
    recorded
}

fn choose(args: &Args, mut contracts: Vec<Listed>) -> Result<Vec<Listed>, CommandError> {
    let Some(wanted) = &args.symbols else { return Ok(contracts) };
    if let Ok(count) = wanted.parse::<usize>() {
        if count == 0 || count > MOST_CONTRACTS {
            return Err(usage(format!("--symbols {count}"), "ask for 1 to 5000 contracts"));
        }
        let more = (contracts.len()..count).filter_map(|number| format!("COIN{number}USDT").parse().ok());
        contracts.extend(more.map(|symbol: Symbol| listing::derived(&symbol, Price::ONE)));
        contracts.truncate(count);
        return Ok(contracts);
    }
    let symbols = read_symbols(Path::new(wanted))?;
    let missing: Vec<&Symbol> = symbols
        .iter()
        .filter(|symbol| !contracts.iter().any(|listed| listed.rules.symbol == **symbol))
        .collect();
    let made: Vec<Listed> = missing.into_iter().map(|symbol| listing::derived(symbol, Price::ONE)).collect();
    contracts.retain(|listed| symbols.contains(&listed.rules.symbol));
    contracts.extend(made);
    Ok(contracts)
}

fn read_symbols(file: &Path) -> Result<Vec<Symbol>, CommandError> {
    let refuse = |why: String| {
        usage(format!("{}: {why}", file.display()), "give a file with one contract a line, or a number")
    };
    let text = std::fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
    let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.trim()));
    let named = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    named
        .map(|(number, line)| line.parse().map_err(|error| refuse(format!("line {number}: {error}"))))
        .collect()
}

fn recorded(args: &Args) -> Result<Exchange, CommandError> {
    let symbols = match &args.symbols {
        Some(file) => Some(read_symbols(Path::new(file))?),
        None => None,
    };
    let refuse = |error: archive::error::ArchiveError| usage(error.to_string(), "see --prices");
    let bars = archive::klines(&args.prices, symbols.as_deref()).map_err(refuse)?;
    let interval = archive::interval(&bars).unwrap_or(BAR);
    let info = args.exchange_info.clone().or_else(|| archive::find_exchange_info(&args.prices));
    let contracts = match info {
        Some(file) => {
            let rows = read_listing(&file)?;
            rows.into_iter().filter(|listed| bars.contains_key(&listed.rules.symbol)).collect()
        }
        None => {
            let first = bars.iter().filter_map(|(symbol, bars)| Some((symbol, bars.first()?.close)));
            first.map(|(symbol, price)| listing::derived(symbol, price)).collect()
        }
    };
    let terms = Terms { equity: args.equity, interval, ..Terms::default() };
    let mut funding = match &args.funding {
        Some(folder) => archive::funding(folder, None).map_err(refuse)?,
        None => BTreeMap::new(),
    };
    funding.retain(|symbol, _| bars.contains_key(symbol));
    let recorded = Recorded { bars, funding };
    Ok(Exchange::new(World::new(contracts, Prices::Replay(recorded)), terms))
}
