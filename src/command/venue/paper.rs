//! The paper account: where its prices come from, what is listed, what it is charged.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::archive;
use crate::archive::error::ArchiveError;
use crate::config::words::{Prices, Venue};
use crate::domain::market::Bar;
use crate::domain::rules::Rules;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::error::{CommandError, Kind};
use crate::exchange::Exchange;
use crate::exchange::binance::usdm::Usdm;
use crate::exchange::paper::{Clock, Paper, Unreadable};
use crate::ledger::Ledger;
use crate::sim::prices::{FundingPrint, Recorded};
use crate::sim::spot::QUOTE;
use crate::sim::spot::listing::Pair;
use crate::sim::{self, Listed, Terms, World, listing};
use crate::wire::binance::{spot, usdm};

use crate::command::context::Context;
use crate::command::{settings, venue};

/// A recorded listing larger than this is not one.
const MOST_LISTING_BYTES: u64 = 64 << 20;
/// Contracts whose interval the exchange does not name settle this often.
const USUAL_FUNDING_HOURS: u32 = 8;

/// The paper account on the prices that the configuration names.
pub(super) async fn open(context: &Context, ledger: &mut Ledger) -> Result<Paper, CommandError> {
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
        Prices::Live if is_spot(context) => live_spot(context, kept.as_deref()).await,
        Prices::Live => live(context, kept.as_deref()).await,
    }
}

/// What the account is on, by which its ledger is known again.
pub(super) fn environment(context: &Context) -> String {
    let paper = &context.config.paper;
    let from = match &paper.prices {
        Prices::Live => "live prices".to_owned(),
        Prices::Synthetic => format!("synthetic prices of seed {}", paper.seed),
        Prices::Folder(folder) => format!("prices recorded in {}", folder.display()),
    };
    format!("{}, {from}", if is_spot(context) { "paper spot" } else { "paper" })
}

fn is_spot(context: &Context) -> bool {
    context.config.venue == Venue::BinanceSpot
}

/// What is traded: contracts, and on spot pairs of their own where a listing has them.
struct Lists {
    contracts: Vec<Listed>,
    pairs: Option<Vec<Pair>>,
}

impl Lists {
    fn of(contracts: Vec<Listed>) -> Lists {
        Lists { contracts, pairs: None }
    }

    /// Pairs of a real listing, each with a contract of its own name to carry its prices.
    fn of_pairs(rules: impl Iterator<Item = Rules>) -> Lists {
        let pairs: Vec<Pair> = rules.map(Pair::recorded).collect();
        let contracts = pairs.iter().map(|pair| listed(pair.rules.clone())).collect();
        Lists { contracts, pairs: Some(pairs) }
    }
}

/// The account of the configured venue, as it was kept or fresh.
fn account(
    context: &Context,
    lists: Lists,
    prices: sim::prices::Prices,
    (terms, clock): (Terms, Clock),
    kept: Option<&str>,
) -> Result<Paper, CommandError> {
    let world = World::new(lists.contracts, prices);
    if !is_spot(context) {
        return readable(Paper::new(world, terms, kept, &environment(context), clock));
    }
    if context.config.quote != QUOTE {
        return Err(CommandError::new(
            Kind::Config,
            format!("quote = {:?}: paper money on spot is {QUOTE}", context.config.quote),
            format!("set quote = \"{QUOTE}\""),
        ));
    }
    readable(Paper::spot(world, lists.pairs, terms, kept, &environment(context), clock))
}

fn readable(paper: Result<Paper, Unreadable>) -> Result<Paper, CommandError> {
    paper.map_err(|error| {
        CommandError::new(
            Kind::Storage,
            error.to_string(),
            "start a new paper account with another --state-dir",
        )
    })
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

fn synthetic(context: &Context, kept: Option<&str>) -> Result<Paper, CommandError> {
    let seed = context.config.paper.seed;
    let terms = terms(context);
    let lists = Lists::of(listing::synthetic(seed, terms.start));
    let prices = sim::prices::Prices::Synthetic { seed };
    account(context, lists, prices, (terms, Clock::Passes), kept)
}

/// On recorded prices: of `symbols`, or of everything in the folder.
pub(super) fn recorded(
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
        // On spot nobody pays any, and a pair without a file of rates is no mistake.
        Some(folder) if !is_spot(context) => archive::funding(folder, symbols).map_err(refuse)?,
        _ => BTreeMap::new(),
    };
    let lists = recorded_lists(context, folder, &bars)?;
    let interval = archive::interval(&bars).unwrap_or(context.config.interval);
    let terms = Terms { interval, ..terms(context) };
    let prices = sim::prices::Prices::Replay(Recorded { bars, funding });
    let mut paper = account(context, lists, prices, (terms, Clock::Passes), kept)?;
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
fn recorded_lists(
    context: &Context,
    folder: &Path,
    bars: &BTreeMap<Symbol, Vec<Bar>>,
) -> Result<Lists, CommandError> {
    let file = context.config.paper.exchange_info.clone().or_else(|| archive::find_exchange_info(folder));
    let Some(file) = file else {
        context.ui.note("no recorded exchangeInfo: trading rules are derived from the prices");
        let derived = |(symbol, bars): (&Symbol, &Vec<Bar>)| {
            let first = bars.first()?;
            let mut listed = listing::derived(symbol, first.close);
            // Nobody tells since when it is listed; since then at least.
            listed.rules.onboard = first.open_time;
            Some(listed)
        };
        return Ok(Lists::of(bars.iter().filter_map(derived).collect()));
    };
    if is_spot(context) {
        let pairs = spot::listing::exchange_info(&bytes(&file)?, QUOTE);
        let pairs = pairs.map_err(|error| unusable(&file, &error.to_string()))?.rows;
        let of_ours: Vec<Rules> =
            pairs.into_values().filter(|rules| bars.contains_key(&rules.symbol)).collect();
        if !of_ours.is_empty() {
            return Ok(Lists::of_pairs(of_ours.into_iter()));
        }
        context
            .ui
            .note("the recorded exchangeInfo is one of futures: each pair is made up from its contract");
    }
    let rows = read_listing(&file)?;
    let of_ours = rows.into_iter().filter(|listed| bars.contains_key(&listed.rules.symbol));
    Ok(Lists::of(of_ours.collect()))
}

/// The contracts of a recorded `exchangeInfo`.
pub(in crate::command) fn read_listing(file: &Path) -> Result<Vec<Listed>, CommandError> {
    let read = usdm::listing::exchange_info(&bytes(file)?);
    let read = read.map_err(|error| unusable(file, &error.to_string()))?;
    Ok(read.rows.into_values().map(listed).collect())
}

/// The pairs of a recorded `exchangeInfo` of spot that are priced in `quote`.
pub(in crate::command) fn read_spot_listing(file: &Path, quote: &str) -> Result<Vec<Listed>, CommandError> {
    let read = spot::listing::exchange_info(&bytes(file)?, quote);
    let read = read.map_err(|error| unusable(file, &error.to_string()))?;
    Ok(read.rows.into_values().map(listed).collect())
}

fn bytes(file: &Path) -> Result<Vec<u8>, CommandError> {
    archive::read_maybe_gz(file, MOST_LISTING_BYTES).map_err(|error| unusable(file, &error.to_string()))
}

fn unusable(file: &Path, why: &str) -> CommandError {
    CommandError::new(
        Kind::Config,
        format!("{}: {why}", file.display()),
        "give a file with the answer of GET exchangeInfo of that market, plain or gzip",
    )
}

/// A contract of which nothing but its rules is known.
fn listed(rules: Rules) -> Listed {
    Listed::new(rules, Vec::new(), USUAL_FUNDING_HOURS, listing::plain_shape())
}

/// Paper money on the prices of this moment.
async fn live(context: &Context, kept: Option<&str>) -> Result<Paper, CommandError> {
    let mut source = venue::public_usdm(context)?;
    let now = source.connect().await?;
    let (_, rules, markets) = source.public_markets().await?;
    let lists = Lists::of(rules.into_values().map(listed).collect());
    let terms = Terms { start: now, ..terms(context) };
    let fed = sim::prices::Prices::Fed;
    let mut paper = account(context, lists, fed, (terms, Clock::Exchange), kept)?;
    let sim = paper.sim();
    for (symbol, prints) in settlements(&source, sim, now).await? {
        sim.feed_funding(&symbol, prints);
    }
    sim.feed(markets);
    // Fed prices have no end, so time cannot fail to move.
    let _ = sim.advance(now);
    Ok(paper)
}

/// The same on spot.
async fn live_spot(context: &Context, kept: Option<&str>) -> Result<Paper, CommandError> {
    let mut source = venue::public_spot(context)?;
    let now = source.connect().await?;
    let (_, rules, markets) = source.public_markets().await?;
    let lists = Lists::of_pairs(rules.into_values());
    let terms = Terms { start: now, ..terms(context) };
    let fed = sim::prices::Prices::Fed;
    let mut paper = account(context, lists, fed, (terms, Clock::Exchange), kept)?;
    let sim = paper.sim();
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
