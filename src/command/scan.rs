//! `rebal scan`: which coins to hold, with the reason for every one that was taken or left.

mod market;

use std::collections::BTreeSet;

use crate::config::sections::Config;
use crate::config::words::{ExitPolicy, Mode, OrderStyle, Sizing, StrategyKind, Venue};
use crate::decide::scan::{self, Wanted};
use crate::decide::sector::Sectors;
use crate::domain::num::{Notional, Rate};
use crate::domain::symbol::Symbol;
use crate::error::{CommandError, Kind};
use crate::ledger::{Ledger, Member};
use crate::pass::latch;
use crate::render;
use crate::report::scan::ScanReport;
use crate::ui::Progress;

use super::context::Context;
use super::plan::look_only;
use super::sectors;
use super::{settings, venue};
use market::Source;

/// Choose the coins to hold, and say why each was taken or left
///
/// Ranks every perpetual contract (on spot every pair) by its volume of 24 hours, leaves out what is thin,
/// wide, young, ending or costly to hold, and fills the places of the basket, no sector beyond its cap. A coin that is in the
/// universe already stays until its rank passes scan.keep_rank. Sends no orders and needs no key.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Make it the universe that passes trade where basket.symbols is empty
    #[arg(long)]
    apply: bool,
    /// Show every contract that was looked at and left, with the reason
    #[arg(long)]
    rejected: bool,
}

const EXAMPLES: &str = "\
Examples:
  rebal scan --rejected                              look, with every reason
  rebal scan --apply                                 and make it the universe
  rebal scan --set scan.source=exchange              rank by the exchange's own volume
  rebal scan --set scan.exclude=BNB,TRX              never these
  rebal --demo --set basket.symbols=[] scan --apply  on paper, without key or network

What a coin must be is under [scan] of the configuration.

Exit codes:
    0  done
    2  configuration
    3  another pass runs, with --apply
    4  exchange unavailable, or too few coins to apply
   10  ledger unusable";

pub(super) async fn run(context: &Context, args: &Args) -> Result<u8, CommandError> {
    render::scan_fits(context.format)?;
    refuse_no_place(&context.config)?;
    let overrides = sectors::overrides(&context.config)?;
    if args.apply {
        // Found out before anything is asked; and the screener's answer is kept there.
        context.state_folder()?;
    }
    let mut ledger = look_only(context).await?;
    context.heed_ban(&mut ledger).await?;
    let halt = latch::in_force(&mut ledger, &context.folders.state).await?.map(|halt| halt.id);
    let mut notes = of_spot(&context.config);
    let members = members(&context.config, &mut ledger, &mut notes).await?;
    let target = target(&context.config, &mut ledger, &mut notes).await?;
    let wanted = wanted(&context.config, target);

    let progress = Progress::start(&context.ui, 0, "reading the market");
    let source = Source::open(context, &mut ledger).await?;
    drop(ledger);
    let ranking = async { Ok(market::ranking(context, source.now()).await) };
    let (ranked, mut listing) = futures_util::future::try_join(ranking, source.listing()).await?;
    let unlisted = listing.rank_by(&ranked, &wanted, &members);
    progress.done();
    let sectors = Sectors::builtin().with_overrides(overrides).with_categories(ranked.categories());
    let judged = scan::judged(&listing.candidates, &members, &wanted, &sectors);
    listing.read_funding(context, &source, judged).await?;

    let universe = scan::scan(&listing.candidates, &unlisted, &members, &wanted, &sectors, listing.at);
    let heading = context.heading(listing.at);
    let mut report = ScanReport::new(heading, &wanted, universe, ranked.told(listing.at)).under(halt);
    report.show_rejected = args.rejected;
    report.notes = notes.into_iter().chain(ranked.notes()).chain(listing.notes).collect();
    if args.apply {
        apply(context, &mut report).await?;
    }
    context.show(&render::scan(&report, context.format, &context.style)?)?;
    Ok(0)
}

/// Which limits do not count on spot, so that nobody relies on them.
fn of_spot(config: &Config) -> Vec<String> {
    if config.venue != Venue::BinanceSpot {
        return Vec::new();
    }
    let mut notes = vec!["spot has no funding: scan.max_funding_annual does not count".to_owned()];
    if !config.scan.min_age.is_zero() {
        notes.push(
            "the exchange does not tell since when a pair is listed: scan.min_age does not count".into(),
        );
    }
    notes
}

/// A cap of less than one coin would leave every place empty, for a reason that no coin has.
fn refuse_no_place(config: &Config) -> Result<(), CommandError> {
    let (key, size) = size(config);
    let cap = config.scan.sector_cap;
    if wanted(config, Notional::ZERO).cap() > 0 {
        return Ok(());
    }
    Err(CommandError::new(
        Kind::Config,
        format!("scan.sector_cap {cap} of {key} {size} is less than one coin: no sector could have any"),
        format!("raise one of the two until {cap} × {size} is at least 1; nothing was read"),
    ))
}

/// Who is in the universe now. Where no scan was ever applied, the configured coins stand for it: they are
/// what an account that is about to be handed over to a scan holds.
async fn members(
    config: &Config,
    ledger: &mut Ledger,
    notes: &mut Vec<String>,
) -> Result<BTreeSet<Symbol>, CommandError> {
    let applied: BTreeSet<Symbol> =
        ledger.universe().await?.into_iter().map(|member| member.symbol).collect();
    let (key, configured) = settings::listed(config);
    if !configured.is_empty() {
        let compared = if applied.is_empty() {
            "; no universe was applied yet, so changes are against those"
        } else {
            ""
        };
        notes.push(format!(
            "{key} is set: passes trade those, and a universe only where it is empty{compared}"
        ));
    }
    Ok(if applied.is_empty() { configured.into_iter().collect() } else { applied })
}

/// What one coin is to be worth: a coin whose smallest order is more than that is of no use.
async fn target(
    config: &Config,
    ledger: &mut Ledger,
    notes: &mut Vec<String>,
) -> Result<Notional, CommandError> {
    let basket = &config.basket;
    Ok(match (config.strategy.kind, basket.sizing) {
        (StrategyKind::Moonshot, _) if config.moonshot.sizing == Sizing::Fixed => config.moonshot.slot_value,
        (StrategyKind::Moonshot, _) => {
            let equity = known_equity(config, ledger, notes).await?;
            equity.over_rate(Rate::from(config.moonshot.slots)).unwrap_or_default()
        }
        (_, Sizing::Fixed) => basket.target_value,
        (_, Sizing::Equity) => {
            let whole = known_equity(config, ledger, notes).await? * basket.effective_leverage;
            whole.over_rate(Rate::from(basket.size)).unwrap_or_default()
        }
    })
}

/// What the last pass read, or what a paper account begins with.
async fn known_equity(
    config: &Config,
    ledger: &mut Ledger,
    notes: &mut Vec<String>,
) -> Result<Notional, CommandError> {
    let known = ledger.last_equity().await?.map(|reading| reading.equity);
    if known.is_none() && config.mode != Mode::Paper {
        notes.push(format!(
            "the equity is not known before the first pass: targets are those of paper.equity, {}",
            config.paper.equity
        ));
    }
    Ok(known.unwrap_or(config.paper.equity).max(Notional::ZERO))
}

/// How many coins, and the key that says so.
fn size(config: &Config) -> (&'static str, u32) {
    match config.strategy.kind {
        StrategyKind::Moonshot => ("moonshot.slots", config.moonshot.slots),
        StrategyKind::Basket | StrategyKind::Weights => ("basket.size", config.basket.size),
    }
}

fn wanted(config: &Config, target: Notional) -> Wanted {
    let from = &config.scan;
    let whole = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    Wanted {
        size: whole(size(config).1),
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
        spot: config.venue == Venue::BinanceSpot,
    }
}

/// Writes the universe down. One that is nearly empty says more about the data than about the coins.
async fn apply(context: &Context, report: &mut ScanReport) -> Result<(), CommandError> {
    let (found, size) = (report.universe.len(), report.size);
    if found * 2 < size {
        return Err(CommandError::new(
            Kind::Unavailable,
            format!("only {found} of {size} coins qualify: not applied, the universe is as it was"),
            "`rebal scan --rejected` has the reasons; loosen a limit of [scan] or want fewer coins",
        ));
    }
    let at = report.heading.at;
    let member = |chosen: &scan::Chosen| Member {
        symbol: chosen.symbol.clone(),
        rank: i64::try_from(chosen.rank).unwrap_or(i64::MAX),
        sector: chosen.sector.to_string(),
        since: at,
        evidence: serde_json::to_string(chosen).unwrap_or_default(),
    };
    let members: Vec<Member> = report.universe.iter().map(member).collect();
    report.applied = true;
    if !report.removed.is_empty() && settings::listed(&context.config).1.is_empty() {
        let next = match context.config.basket.on_exit {
            _ if context.config.strategy.kind == StrategyKind::Moonshot => {
                "what left is kept until its stop (strategy.kind = moonshot)"
            }
            ExitPolicy::Close => "the next pass closes what left (basket.on_exit = close)",
            ExitPolicy::Hold => "what left is kept as it is (basket.on_exit = hold)",
        };
        report.notes.push(next.to_owned());
    }
    let mut ledger = Ledger::open(context.state_folder()?).await?;
    // Another account may have begun here since the ledger was looked at.
    ledger.belongs_to(&venue::environment(context)).await?;
    ledger.apply_universe(at, &members, &render::json::object(report)).await?;
    Ok(ledger.close().await?)
}
