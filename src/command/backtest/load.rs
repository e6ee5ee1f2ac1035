//! What a backtest walks over: recorded prices, funding and rules, put together on one grid.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::archive;
use crate::archive::error::ArchiveError;
use crate::backtest::{Charge, Contract, Market, Recording};
use crate::command::context::Context;
use crate::command::settings;
use crate::command::venue::paper;
use crate::config::words::{StrategyKind, Venue};
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::rules::Lot;
use crate::domain::series::Series;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::error::{CommandError, Kind};
use crate::sim::{Listed, listing};

use super::{Args, coverage};

/// What was recorded, before a period is cut out of it.
pub(super) struct Recorded {
    interval: Duration,
    series: BTreeMap<Symbol, Series>,
    /// As it was settled …
    funding: BTreeMap<Symbol, Vec<(Time, Rate)>>,
    /// … and on which bars.
    charges: BTreeMap<Symbol, Vec<Charge>>,
    contracts: BTreeMap<Symbol, Contract>,
    /// Whose trading rules these are.
    pub(super) origin: String,
}

impl Recorded {
    /// The bars of a period on one grid; none where the period is outside of the data.
    pub(super) fn market(&self, from: Option<Time>, to: Option<Time>) -> Market {
        let Recorded { interval, series, charges, contracts, .. } = self;
        Recording { interval: *interval, series, charges, contracts }.market(from, to)
    }
}

/// The market of the data and the period that were asked for, and whose trading rules it has.
pub(super) fn load(context: &Context, args: &Args) -> Result<(Market, String), CommandError> {
    let recorded = read(context, args)?;
    Ok((period(context, &recorded, args)?, recorded.origin))
}

/// The period that was asked for, of what was recorded; says what is not in it.
pub(super) fn period(context: &Context, recorded: &Recorded, args: &Args) -> Result<Market, CommandError> {
    let market = recorded.market(args.from, args.to);
    if market.opens.is_empty() {
        return Err(outside(&recorded.series, recorded.interval, args));
    }
    for note in coverage::notes(&recorded.series, &recorded.funding, &market) {
        context.ui.note(&note);
    }
    crowd(context, &market);
    Ok(market)
}

/// Says that a basket without a list is the whole folder, where that is more than the basket holds.
fn crowd(context: &Context, market: &Market) {
    let (config, coins) = (&context.config, market.contracts.len());
    let size = config.basket.size;
    let is_listed = config.strategy.kind != StrategyKind::Basket || !config.basket.symbols.is_empty();
    if !is_listed && usize::try_from(size).is_ok_and(|size| coins > size) {
        context.ui.note(&format!(
            "basket.symbols is empty: the basket is all {coins} coins of the folder, although basket.size is \
             {size}; list the coins with --set basket.symbols=BTCUSDT,ETHUSDT"
        ));
    }
}

/// Reads the data that was asked for.
pub(super) fn read(context: &Context, args: &Args) -> Result<Recorded, CommandError> {
    let (_, symbols) = settings::listed(&context.config);
    let wanted = (!symbols.is_empty()).then_some(symbols);
    let refuse = |error: ArchiveError| CommandError::new(Kind::Config, error.to_string(), "see --data");
    let folder = args.data()?;
    let spare = context.folders.cache.as_ref().map(|folder| folder.join("columns"));
    let funding = match &args.funding {
        Some(folder) => archive::funding(folder, None)
            .map_err(|error| CommandError { hint: "see --funding".to_owned(), ..refuse(error) })?,
        None => BTreeMap::new(),
    };
    let rates = |symbol: &Symbol| funding.get(symbol).map(Vec::as_slice).unwrap_or_default();
    let columns = archive::columns(folder, wanted.as_deref(), spare.as_deref(), |symbol, series| {
        Charge::trim(series, rates(symbol));
    })
    .map_err(refuse)?;
    context.ui.detail(&format!(
        "prices: {} contracts from the cache, {} files parsed",
        columns.cached, columns.parsed
    ));
    let (series, told) = (columns.series, columns.interval);
    if args.funding.is_some() {
        let without: Vec<&str> =
            series.keys().filter(|symbol| !funding.contains_key(*symbol)).map(Symbol::as_str).collect();
        if !without.is_empty() {
            context.ui.note(&format!("no funding is recorded for {}: none is charged", without.join(", ")));
        }
    }
    let info = args.exchange_info.clone().or_else(|| archive::find_exchange_info(folder));
    let (listed, origin) = rules(context, info.as_deref(), &series)?;
    let interval = told.unwrap_or(args.interval.unwrap_or(context.config.interval));
    let on_spot = context.config.venue == Venue::BinanceSpot;
    let contract = |(symbol, listed): (Symbol, Listed)| {
        let contract = Contract { rules: listed.rules, brackets: listed.brackets };
        (symbol, if on_spot { contract.on_spot() } else { contract })
    };
    let contracts = listed.into_iter().map(contract).collect();
    let charges =
        |(symbol, series): (&Symbol, &Series)| (symbol.clone(), Charge::all(series, interval, rates(symbol)));
    let charges = series.iter().map(charges).collect();
    Ok(Recorded { interval, series, funding, charges, contracts, origin })
}

/// A period in which there is nothing, and what there is instead.
fn outside(series: &BTreeMap<Symbol, Series>, interval: Duration, args: &Args) -> CommandError {
    let first = series.values().filter_map(Series::first).min().unwrap_or_default();
    let end = series.values().filter_map(Series::last).max().unwrap_or_default() + interval;
    let bound = |time: Option<Time>, open: &str| time.map_or(open.to_owned(), |time| time.to_string());
    let (from, to) = (bound(args.from, "the beginning"), bound(args.to, "the end"));
    CommandError::new(
        Kind::Config,
        format!("no whole bar from {from} to {to}: the data covers {first} to {end}"),
        "choose --from and --to inside of it",
    )
}

/// The trading rules of each coin, and whose they are.
fn rules(
    context: &Context,
    info: Option<&Path>,
    series: &BTreeMap<Symbol, Series>,
) -> Result<(BTreeMap<Symbol, Listed>, String), CommandError> {
    let Some(file) = info else {
        let free = |(symbol, series): (&Symbol, &Series)| {
            let mut listed = listing::derived(symbol, series.close(0)?);
            listed.rules.lot = Lot { min: Qty::ZERO, max: Qty::ZERO, step: Qty::ZERO };
            listed.rules.market_lot = listed.rules.lot;
            listed.rules.min_notional = Notional::ZERO;
            listed.rules.tick = Price::ZERO;
            Some((symbol.clone(), listed))
        };
        return Ok((series.iter().filter_map(free).collect(), "none: any quantity can be traded".into()));
    };
    let quote = &context.config.quote;
    let read = |venue: Venue| match venue {
        Venue::BinanceUsdm => paper::read_listing(file),
        Venue::BinanceSpot => paper::read_spot_listing(file, quote),
    };
    let rows = read(context.config.venue)?;
    let listed: BTreeMap<Symbol, Listed> =
        rows.into_iter().map(|listed| (listed.rules.symbol.clone(), listed)).collect();
    let missing: Vec<&str> =
        series.keys().filter(|symbol| !listed.contains_key(*symbol)).map(Symbol::as_str).collect();
    if !missing.is_empty() {
        let own = context.config.venue;
        let other = if own == Venue::BinanceUsdm { Venue::BinanceSpot } else { Venue::BinanceUsdm };
        if listed.is_empty() && read(other).is_ok_and(|rows| !rows.is_empty()) {
            let (own, other) = (own.as_str(), other.as_str());
            return Err(CommandError::new(
                Kind::Config,
                format!("{} is the listing of {other}, and venue is {own}", file.display()),
                format!("give the exchangeInfo of {own}, or --set venue={other}"),
            ));
        }
        return Err(CommandError::new(
            Kind::Config,
            format!("{} does not list {}", file.display(), missing.join(", ")),
            "give the exchangeInfo of that time, or leave these coins out of basket.symbols",
        ));
    }
    Ok((listed, file.file_name().unwrap_or_default().to_string_lossy().into_owned()))
}
