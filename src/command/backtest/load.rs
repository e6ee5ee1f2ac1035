//! What a backtest walks over: recorded prices, funding and rules, put together on one grid.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::archive;
use crate::archive::error::ArchiveError;
use crate::backtest::{Contract, Market, Settlement};
use crate::command::context::Context;
use crate::command::venue;
use crate::domain::market::Bar;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::rules::Lot;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::error::{CommandError, Kind};
use crate::sim::{Listed, listing};

use super::Args;

/// Settlements are stamped milliseconds before or after the open of the bar that they belong to.
const GIVE_OR_TAKE: Duration = Duration::from_secs(1);

/// The market of the data that was asked for, and whose trading rules it has.
pub(super) fn load(context: &Context, args: &Args) -> Result<(Market, String), CommandError> {
    let symbols = context.config.basket.symbols.clone();
    let wanted = (!symbols.is_empty()).then_some(symbols);
    let refuse = |error: ArchiveError| CommandError::new(Kind::Config, error.to_string(), "see --data");
    let bars = archive::klines(&args.data, wanted.as_deref()).map_err(refuse)?;
    let funding = match &args.funding {
        Some(folder) => archive::funding(folder, None).map_err(refuse)?,
        None => BTreeMap::new(),
    };
    let info = args.exchange_info.clone().or_else(|| archive::find_exchange_info(&args.data));
    let (listed, origin) = rules(info.as_deref(), &bars)?;
    let market = market(&bars, &funding, &listed, (args.from, args.to))?;
    if market.opens.is_empty() {
        return Err(CommandError::new(Kind::Config, "no bars in that period", "see --from, --to and --data"));
    }
    Ok((market, origin))
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
    let rows = venue::read_listing(file)?;
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
            contracts.push(Contract {
                rules: listed.rules.clone(),
                brackets: listed.brackets.clone(),
                digits,
            });
        }
    }
    settlements.sort_by_key(|settlement| (settlement.bar, settlement.coin));
    Ok(Market { interval, opens, contracts, closes, settlements })
}
