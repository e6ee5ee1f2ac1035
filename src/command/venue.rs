//! From the configuration to an exchange that answers: Binance over HTTP, or paper.

use std::path::Path;
use std::time::Duration;

use crate::archive;
use crate::archive::error::ArchiveError;
use crate::config::secrets;
use crate::config::words::{Mode, Prices, Venue as Market};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::error::{CommandError, Kind};
use crate::exchange::Exchange;
use crate::exchange::binance::usdm::{LIVE_URL, Settings, TESTNET_URL, Usdm};
use crate::exchange::paper::{Clock, Paper};
use crate::ledger::Ledger;
use crate::sim::listing;
use crate::sim::prices::{FundingPrint, Recorded};
use crate::sim::{self, Listed, Terms, World};
use crate::wire::binance::usdm::listing as wire_listing;
use crate::wire::sign::Signer;

use super::context::Context;
use super::settings;

/// A recorded listing larger than this is not one.
const MOST_LISTING_BYTES: u64 = 64 << 20;
/// Contracts whose interval the exchange does not name settle this often.
const USUAL_FUNDING_HOURS: u32 = 8;

/// The exchange that a pass talks to.
pub(super) enum Venue {
    Usdm(Box<Usdm>),
    Paper(Box<Paper>),
}

/// Paper with everything that its prices cover, not only what the basket names.
pub(super) async fn open_whole(context: &Context, ledger: &mut Ledger) -> Result<Venue, CommandError> {
    match &context.config.paper.prices {
        Prices::Folder(folder) => {
            let kept = ledger.paper().await?;
            Ok(Venue::Paper(Box::new(recorded(context, folder, kept.as_deref(), None)?)))
        }
        _ => open(context, ledger).await,
    }
}

/// Binance's public data, without a key.
pub(super) fn public(context: &Context) -> Result<Usdm, CommandError> {
    usdm(context, false)
}

/// Opens the exchange that the configuration names. Whether an account may be traded is asked by
/// [`super::arming::require`]: looking and closing need nobody's leave.
pub(super) async fn open(context: &Context, ledger: &mut Ledger) -> Result<Venue, CommandError> {
    if context.config.venue != Market::BinanceUsdm {
        return Err(CommandError::new(
            Kind::Config,
            "this version trades binance-usdm, not binance-spot yet",
            "set venue = \"binance-usdm\"",
        ));
    }
    match context.config.mode {
        Mode::Paper => Ok(Venue::Paper(Box::new(paper(context, ledger).await?))),
        Mode::Testnet | Mode::Live => Ok(Venue::Usdm(Box::new(usdm(context, true)?))),
    }
}

/// Binance; with credentials where an account is meant, without for public prices.
fn usdm(context: &Context, account: bool) -> Result<Usdm, CommandError> {
    let config = &context.config;
    let (mode, official) = match config.mode {
        Mode::Testnet => ("testnet", TESTNET_URL),
        Mode::Live | Mode::Paper => (config.mode.as_str(), LIVE_URL),
    };
    let base_url = config.exchange.base_url.as_ref().map_or(official, |url| url.as_str());
    let place = config.exchange.base_url.as_ref().map_or("official", |url| url.host());
    let credentials = account.then(|| credentials(context)).transpose()?;
    let made = Usdm::new(Settings {
        base_url: base_url.to_owned(),
        environment: format!("{mode} {} at {place}", config.venue.as_str()),
        credentials,
        recv_window: Duration::from_millis(config.exchange.recv_window_ms),
        timeout: Duration::from_millis(config.exchange.timeout_ms),
        concurrency: usize::try_from(config.execution.concurrency).unwrap_or(1),
        exchange_info_max_age: config.exchange.exchange_info_max_age,
        cache: Some(context.folders.state.clone()).filter(|folder| folder.is_dir()),
        quote: config.quote.clone(),
    });
    made.map_err(|error| {
        CommandError::new(Kind::Config, error.to_string(), "see exchange.base_url; nothing was sent")
    })
}

fn credentials(context: &Context) -> Result<(secrecy::SecretString, Signer), CommandError> {
    let from = &context.config.credentials;
    let key = secrets::read("credentials.api_key", &from.api_key)?;
    let secret = secrets::read("credentials.api_secret", &from.api_secret)?;
    let signer = Signer::new(&secret).map_err(|error| {
        CommandError::new(Kind::Config, format!("credentials.api_secret: {error}"), "nothing was sent")
    })?;
    Ok((key, signer))
}

/// The paper account on the prices that the configuration names.
async fn paper(context: &Context, ledger: &mut Ledger) -> Result<Paper, CommandError> {
    let kept = ledger.paper().await?;
    match &context.config.paper.prices {
        Prices::Synthetic => synthetic(context, kept.as_deref()),
        Prices::Folder(folder) => {
            // What is held has to be priced, even after it left the basket.
            let mut symbols = settings::symbols(&context.config, ledger).await?;
            let held = ledger.holdings().await?.into_iter().filter(|(_, holding)| !holding.qty.is_zero());
            symbols.extend(held.map(|(symbol, _)| symbol));
            symbols.sort();
            symbols.dedup();
            recorded(context, folder, kept.as_deref(), Some(&symbols))
        }
        Prices::Live => live(context, kept.as_deref()).await,
    }
}

fn terms(context: &Context) -> Terms {
    let paper = &context.config.paper;
    Terms {
        equity: paper.equity,
        taker_fee: paper.taker_fee,
        slippage_bps: paper.slippage_bps,
        interval: context.config.interval,
        ..Terms::default()
    }
}

fn made(paper: Result<Paper, crate::exchange::paper::Unreadable>) -> Result<Paper, CommandError> {
    paper.map_err(|error| {
        CommandError::new(
            Kind::Storage,
            error.to_string(),
            "start a new paper account with another --state-dir",
        )
    })
}

fn synthetic(context: &Context, kept: Option<&str>) -> Result<Paper, CommandError> {
    let seed = context.config.paper.seed;
    let terms = terms(context);
    let world = World::new(listing::synthetic(seed, terms.start), sim::prices::Prices::Synthetic { seed });
    made(Paper::new(world, terms, kept, &format!("paper, synthetic prices of seed {seed}"), Clock::Passes))
}

fn recorded(
    context: &Context,
    folder: &Path,
    kept: Option<&str>,
    symbols: Option<&[Symbol]>,
) -> Result<Paper, CommandError> {
    let refuse = |error: ArchiveError| {
        CommandError::new(Kind::Config, error.to_string(), "see paper.prices; nothing was traded")
    };
    let bars = archive::klines(folder, symbols).map_err(refuse)?;
    let funding = match &context.config.paper.funding {
        Some(folder) => archive::funding(folder, symbols).map_err(refuse)?,
        None => Default::default(),
    };
    let listing = recorded_listing(context, folder, &bars)?;
    let interval = archive::interval(&bars).unwrap_or(context.config.interval);
    let terms = Terms { interval, ..terms(context) };
    let world = World::new(listing, sim::prices::Prices::Replay(Recorded { bars, funding }));
    let environment = format!("paper, prices recorded in {}", folder.display());
    let mut paper = made(Paper::new(world, terms, kept, &environment, Clock::Passes))?;
    if let (None, Some(start)) = (kept, context.config.paper.start) {
        paper.sim().advance(start).map_err(|end| {
            CommandError::new(
                Kind::Config,
                format!("paper.start = {start}, but {end}"),
                "choose an earlier paper.start",
            )
        })?;
    }
    Ok(paper)
}

/// The recorded rules where there are any; plausible ones, said aloud, where there are none.
fn recorded_listing(
    context: &Context,
    folder: &Path,
    bars: &std::collections::BTreeMap<Symbol, Vec<crate::domain::market::Bar>>,
) -> Result<Vec<Listed>, CommandError> {
    let file = context.config.paper.exchange_info.clone().or_else(|| archive::find_exchange_info(folder));
    let Some(file) = file else {
        context.ui.note("no recorded exchangeInfo: trading rules are derived from the prices");
        let derived = |(symbol, bars): (&Symbol, &Vec<crate::domain::market::Bar>)| {
            let first = bars.first()?;
            let mut listed = listing::derived(symbol, first.close);
            // Nobody tells since when it is listed; since then at least.
            listed.rules.onboard = first.open_time;
            Some(listed)
        };
        return Ok(bars.iter().filter_map(derived).collect());
    };
    let rows = read_listing(&file)?;
    let of_ours = rows.into_iter().filter(|listed| bars.contains_key(&listed.rules.symbol));
    Ok(of_ours.collect())
}

/// The contracts of a recorded `exchangeInfo`.
pub(super) fn read_listing(file: &Path) -> Result<Vec<Listed>, CommandError> {
    let refuse = |why: String| {
        CommandError::new(
            Kind::Config,
            format!("{}: {why}", file.display()),
            "give a file with the answer of GET /fapi/v1/exchangeInfo, plain or gzip",
        )
    };
    let bytes =
        archive::read_maybe_gz(file, MOST_LISTING_BYTES).map_err(|error| refuse(error.to_string()))?;
    let read = wire_listing::exchange_info(&bytes).map_err(|error| refuse(error.to_string()))?;
    let listed = |rules| Listed::new(rules, Vec::new(), USUAL_FUNDING_HOURS, listing::plain_shape());
    Ok(read.rows.into_values().map(listed).collect())
}

/// Paper money on the prices of this moment.
async fn live(context: &Context, kept: Option<&str>) -> Result<Paper, CommandError> {
    let mut source = usdm(context, false)?;
    let now = source.connect().await?;
    let (_, rules, markets) = source.public_markets().await?;
    let listed = |rules| Listed::new(rules, Vec::new(), USUAL_FUNDING_HOURS, listing::plain_shape());
    let world = World::new(rules.into_values().map(listed).collect(), sim::prices::Prices::Fed);
    let terms = Terms { start: now, ..terms(context) };
    let mut paper = made(Paper::new(world, terms, kept, "paper, live prices", Clock::Exchange))?;
    let sim = paper.sim();
    for (symbol, prints) in settlements(&source, sim, now).await? {
        sim.feed_funding(&symbol, prints);
    }
    sim.feed(markets);
    // Fed prices have no end, so time cannot fail to move.
    let _ = sim.advance(now);
    Ok(paper)
}

/// Funding that was really settled on what the paper account holds, since it was looked at last.
async fn settlements(
    source: &Usdm,
    sim: &sim::Exchange,
    now: Time,
) -> Result<Vec<(Symbol, Vec<FundingPrint>)>, CommandError> {
    let hour = Duration::from_secs(3600);
    let since = sim.now();
    if since.floor_to(hour) == now.floor_to(hour) {
        return Ok(Vec::new());
    }
    let held: Vec<Symbol> = sim.positions().into_keys().collect();
    let asked = held.iter().map(|symbol| source.funding_rates(symbol, since, 1000));
    let mut settled = Vec::new();
    for (symbol, prints) in held.iter().zip(futures_util::future::join_all(asked).await) {
        let of_ours = prints?.into_iter().filter(|print| print.at > since && print.at <= now);
        let prints =
            of_ours.map(|print| FundingPrint { at: print.at, rate: print.rate, mark: None }).collect();
        settled.push((symbol.clone(), prints));
    }
    Ok(settled)
}
