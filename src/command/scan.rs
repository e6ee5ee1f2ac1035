//! `rebal scan`: which coins to hold, with the reason for every one that was taken or left.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::config::sections::Config;
use crate::config::words::{Mode, OrderStyle, Prices, RankSource, Sizing, StrategyKind, Venue as Market};
use crate::decide::scan::{self, Wanted};
use crate::decide::sector::Sectors;
use crate::domain::candidate::Candidate;
use crate::domain::num::{Notional, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::error::{CommandError, Kind};
use crate::exchange::Exchange;
use crate::exchange::binance::usdm::Usdm;
use crate::ledger::{Ledger, Member};
use crate::pass::latch;
use crate::render;
use crate::report::scan::{Ranking, ScanReport};
use crate::screener::{self, Screened, Screener};
use crate::ui::Progress;

use super::context::Context;
use super::plan::look_only;
use super::venue::{self, Venue};
use super::{sectors, settings};

/// Choose the coins to hold: by volume, sector, funding, spread, age
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Make it the universe that passes trade where no symbols are configured
    #[arg(long)]
    apply: bool,
    /// Show every coin that was looked at and left, with the reason
    #[arg(long)]
    rejected: bool,
}

/// How long the screener may take, both calls and a retry.
const SCREENER_TIMEOUT: Duration = Duration::from_secs(20);
/// Funding is asked for that many times as many coins as may stay: some before them are no candidates.
const FUNDING_FOR: usize = 2;
/// Never more histories than the exchange answers in five minutes, with room for others.
const MOST_HISTORIES: usize = 300;

pub(super) async fn run(context: &Context, args: &Args) -> Result<u8, CommandError> {
    render::scan_fits(context.format)?;
    refuse_spot(context)?;
    let overrides = sectors::overrides(&context.config)?;
    let mut ledger = look_only(context).await?;
    context.heed_ban(&mut ledger).await?;
    if let Some(halt) = latch::in_force(&mut ledger, &context.folders.state).await? {
        context.ui.warn(&format!("HALTED (halt {}): {}", halt.id, halt.reason));
    }
    let members: BTreeSet<Symbol> =
        settings::symbols(&context.config, &mut ledger).await?.into_iter().collect();
    let target = target(&context.config, &mut ledger).await?;
    let wanted = wanted(&context.config, target);
    let progress = Progress::start(&context.ui, 0, "reading the market");
    let (ranked, market) =
        futures_util::future::join(ranking(context), read_market(context, &mut ledger)).await;
    let (mut market, ranked) = (market?, ranked);
    let unlisted = market.rank_by(&ranked, &wanted, &members);
    progress.done();
    market.read_funding(context, &wanted, &members).await?;
    let mut sectors = Sectors::builtin().with_overrides(overrides);
    if let Ranked::Screener(screened) = &ranked {
        sectors = sectors.with_categories(screened.categories.clone());
    }
    let universe = scan::scan(&market.candidates, &unlisted, &members, &wanted, &sectors, market.at);
    let mut report = ScanReport::new(context.heading(market.at), &wanted, universe, ranked.told(market.at));
    report.show_rejected = args.rejected;
    report.notes.extend(ranked.notes());
    report.notes.append(&mut market.notes);
    drop(ledger);
    if args.apply {
        apply(context, &mut report).await?;
    }
    context.show(&render::scan(&report, context.format, &context.style)?)?;
    Ok(0)
}

fn refuse_spot(context: &Context) -> Result<(), CommandError> {
    match context.config.venue {
        Market::BinanceUsdm => Ok(()),
        other => Err(CommandError::new(
            Kind::Config,
            format!("this version scans binance-usdm, not {} yet", other.as_str()),
            "set venue = \"binance-usdm\"",
        )),
    }
}

/// What one coin is to be worth: a coin whose smallest order is more than that is of no use.
async fn target(config: &Config, ledger: &mut Ledger) -> Result<Notional, CommandError> {
    let basket = &config.basket;
    Ok(match (config.strategy.kind, basket.sizing) {
        (StrategyKind::Moonshot, _) => config.moonshot.slot_value,
        (_, Sizing::Fixed) => basket.target_value,
        (_, Sizing::Equity) => {
            let equity = ledger.last_equity().await?.map_or(config.paper.equity, |reading| reading.equity);
            let whole = equity.max(Notional::ZERO) * basket.effective_leverage;
            whole.over_rate(Rate::from(basket.size)).unwrap_or_default()
        }
    })
}

fn wanted(config: &Config, target: Notional) -> Wanted {
    let from = &config.scan;
    let size = match config.strategy.kind {
        StrategyKind::Moonshot => config.moonshot.slots,
        StrategyKind::Basket | StrategyKind::Weights => config.basket.size,
    };
    let whole = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    Wanted {
        size: whole(size),
        top: whole(from.top),
        keep_rank: whole(from.keep_rank),
        sector_cap: from.sector_cap,
        max_funding_annual: from.max_funding_annual,
        min_volume: from.min_quote_volume,
        max_spread_bps: from.max_spread_bps,
        min_age: from.min_age,
        include: from.include.clone(),
        exclude: from.exclude.clone(),
        target,
        market_orders: config.execution.order == OrderStyle::Market,
        quote: config.quote.clone(),
        spot: false,
    }
}

/// Who ranks the coins.
enum Ranked {
    Screener(Box<Screened>),
    /// The exchange's own volume; why, where something else was wanted.
    Exchange(Option<String>),
}

impl Ranked {
    fn told(&self, now: Time) -> Ranking {
        match self {
            Ranked::Screener(screened) => Ranking {
                source: "tradingview",
                fallback: None,
                at: screened.at,
                from_cache: screened.from_cache,
            },
            Ranked::Exchange(why) => {
                Ranking { source: "exchange", fallback: why.clone(), at: now, from_cache: false }
            }
        }
    }

    fn notes(&self) -> Vec<String> {
        let Ranked::Screener(screened) = self else { return Vec::new() };
        let mut notes = screened.notes.clone();
        if let [(ticker, why), rest @ ..] = screened.dropped.as_slice() {
            notes.push(format!(
                "{} rows of the screener were left out, for example {ticker}: {why}",
                rest.len() + 1
            ));
        }
        notes
    }
}

/// The screener's list, or why the exchange's own volume has to do.
async fn ranking(context: &Context) -> Ranked {
    let config = &context.config;
    if config.scan.source == RankSource::Exchange {
        return Ranked::Exchange(None);
    }
    let own_market = config.mode == Mode::Paper && config.paper.prices != Prices::Live;
    if own_market && !config.scan.tradingview_url.is_loopback() {
        return Ranked::Exchange(Some("paper prices have a market of their own".into()));
    }
    let screener = Screener::new(screener::Settings {
        url: config.scan.tradingview_url.as_str().to_owned(),
        timeout: SCREENER_TIMEOUT,
        cache: Some(context.folders.state.clone()).filter(|folder| folder.is_dir()),
        spot: false,
        quote: config.quote.clone(),
    });
    match screener {
        Err(error) => Ranked::Exchange(Some(error.to_string())),
        Ok(screener) => match screener.read(context.started).await {
            Ok(screened) => Ranked::Screener(Box::new(screened)),
            Err(error) => Ranked::Exchange(Some(error.to_string())),
        },
    }
}

/// What the exchange lists, and where funding histories come from.
struct Listing {
    at: Time,
    candidates: Vec<Candidate>,
    source: Option<Box<Usdm>>,
    notes: Vec<String>,
}

async fn read_market(context: &Context, ledger: &mut Ledger) -> Result<Listing, CommandError> {
    let own_prices = context.config.mode == Mode::Paper && context.config.paper.prices != Prices::Live;
    if own_prices {
        return match venue::open_whole(context, ledger).await? {
            Venue::Paper(mut paper) => {
                paper.connect().await?;
                let (at, candidates) = paper.candidates();
                Ok(Listing { at, candidates, source: None, notes: Vec::new() })
            }
            Venue::Usdm(_) => Err(CommandError::new(Kind::Internal, "paper opened an exchange", "")),
        };
    }
    let mut source = venue::public(context)?;
    source.connect().await?;
    let (at, candidates) = source.candidates().await?;
    Ok(Listing { at, candidates, source: Some(Box::new(source)), notes: Vec::new() })
}

impl Listing {
    /// Takes over the screener's volumes; returns what it ranks and the exchange does not list. What it
    /// does not rank is left out, except members and included coins: those keep the exchange's volume.
    fn rank_by(&mut self, ranked: &Ranked, wanted: &Wanted, members: &BTreeSet<Symbol>) -> Vec<Symbol> {
        let Ranked::Screener(screened) = ranked else { return Vec::new() };
        let volumes: BTreeMap<&Symbol, Option<Notional>> =
            screened.pairs.iter().map(|pair| (&pair.symbol, pair.volume)).collect();
        let stays = |symbol: &Symbol| members.contains(symbol) || wanted.include.contains(symbol);
        let before = self.candidates.len();
        self.candidates.retain_mut(|candidate| {
            let symbol = &candidate.rules.symbol;
            match volumes.get(symbol) {
                Some(volume) => {
                    candidate.volume = *volume;
                    true
                }
                None => stays(symbol),
            }
        });
        let unranked = before - self.candidates.len();
        self.notes
            .push(format!("{unranked} listed contracts are not among the screener's {}", volumes.len()));
        let listed: BTreeSet<&Symbol> =
            self.candidates.iter().map(|candidate| &candidate.rules.symbol).collect();
        volumes.keys().filter(|symbol| !listed.contains(**symbol)).map(|symbol| (*symbol).clone()).collect()
    }

    /// Reads the funding history of everyone who may be chosen.
    async fn read_funding(
        &mut self,
        context: &Context,
        wanted: &Wanted,
        members: &BTreeSet<Symbol>,
    ) -> Result<(), CommandError> {
        let Some(source) = &self.source else { return Ok(()) };
        let mut by_volume: Vec<&Candidate> = self.candidates.iter().collect();
        by_volume.sort_by(|a, b| b.volume.cmp(&a.volume));
        let ranked = wanted.top.max(wanted.keep_rank).saturating_mul(FUNDING_FOR);
        let mut asked: BTreeSet<Symbol> =
            by_volume.iter().take(ranked).map(|candidate| candidate.rules.symbol.clone()).collect();
        let named = by_volume.iter().map(|candidate| &candidate.rules.symbol);
        asked.extend(named.filter(|name| members.contains(name) || wanted.include.contains(name)).cloned());
        let asked: Vec<Symbol> = asked.into_iter().take(MOST_HISTORIES).collect();
        let total = u64::try_from(asked.len()).unwrap_or(0);
        let progress = RefCell::new(Progress::start(&context.ui, total, "reading funding"));
        let past = source.funding_past(&asked, &|| progress.borrow().step("reading funding")).await?;
        progress.into_inner().done();
        let unread = asked.len() - past.len();
        // A market of which a tenth is unknown would empty the universe for no reason of its own.
        if unread * 10 > asked.len() {
            return Err(CommandError::new(
                Kind::Unavailable,
                format!("the funding of {unread} of {} contracts could not be read", asked.len()),
                "nothing was changed; try again in five minutes",
            ));
        }
        for candidate in &mut self.candidates {
            candidate.funding = past.get(&candidate.rules.symbol).copied();
        }
        Ok(())
    }
}

/// Writes the universe down. One that is nearly empty says more about the data than about the coins.
async fn apply(context: &Context, report: &mut ScanReport) -> Result<(), CommandError> {
    if report.universe.len() * 2 < report.size {
        return Err(CommandError::new(
            Kind::Unavailable,
            format!("only {} of {} coins qualify: not applied", report.universe.len(), report.size),
            "see `rebal scan --rejected` for the reasons; the universe is as it was",
        ));
    }
    let at = report.heading.at;
    let member = |(rank, chosen): (usize, &scan::Chosen)| Member {
        symbol: chosen.symbol.clone(),
        rank: i64::try_from(rank).unwrap_or(i64::MAX),
        sector: chosen.sector.to_string(),
        since: at,
        evidence: serde_json::to_string(chosen).unwrap_or_default(),
    };
    let members: Vec<Member> =
        report.universe.iter().map(|chosen| (chosen.rank, chosen)).map(member).collect();
    report.applied = true;
    if !context.config.basket.symbols.is_empty() {
        report
            .notes
            .push("basket.symbols is set: passes trade those and not this list until it is emptied".into());
    }
    let folder = context.state_folder()?;
    let mut ledger = Ledger::open(folder).await?;
    ledger.apply_universe(at, &members, &render::json::object(report)).await?;
    Ok(ledger.close().await?)
}
