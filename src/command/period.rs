//! From the ledger to what a report over a period is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::config::words::Venue;
use crate::decide::sector::{Sector, Sectors};
use crate::domain::history::{AssetPrice, BookedEntry, Reading, Sample, Trade};
use crate::domain::num::Qty;
use crate::domain::symbol::Symbol;
use crate::domain::time::{Time, show_span};
use crate::error::CommandError;
use crate::ledger::{Cut, Ledger};
use crate::pass::latch;
use crate::report::period::{Accounts, Inputs, PeriodReport, after_trades};

use super::context::Context;
use super::sectors;

/// As many readings show their coins in charts.
const CHART_READINGS: usize = 240;
/// An account that began empty bought what it holds within this time of its first purchase: not every
/// coin could be bought in the very first pass.
const RAMP: Duration = Duration::from_secs(86_400);

/// A look at the account that is not written down: the end of a period that lasts until now.
pub(super) struct Now {
    pub(super) reading: Reading,
    pub(super) samples: Vec<Sample>,
    pub(super) income: Vec<BookedEntry>,
}

/// The report from `asked.0` to `asked.1`, or until `now` where that is given.
pub(super) async fn report(
    context: &Context,
    ledger: &mut Ledger,
    asked: (Time, Time),
    now: Option<Now>,
) -> Result<PeriodReport, CommandError> {
    let made_at = match &now {
        Some(now) => now.reading.at,
        None => context.now(ledger).await?,
    };
    let (quote, heading) = (&context.config.quote, context.heading(made_at));
    let halt = latch::in_force(ledger, &context.folders.state).await?;
    let halt = halt.map(|halt| (halt.id, halt.reason));
    let halts = ledger.halts_between(asked.0, asked.1).await?;
    let start = match ledger.reading_at(asked.0).await? {
        Some(reading) => Some(reading),
        // What is in the ledger was read before now, whatever milliseconds two clocks differ by.
        None => ledger.reading_from(asked.0).await?.filter(|reading| now.is_some() || reading.at <= asked.1),
    };
    let last = match &now {
        Some(now) => Some(now.reading.clone()),
        None => ledger.reading_at(asked.1).await?,
    };
    let (Some(start), Some(last)) = (start.or_else(|| last.clone()), last) else {
        let note = nothing_read(ledger, asked).await?;
        return Ok(PeriodReport::empty(heading, quote, asked, halt, halts, note));
    };
    let begins = start.at > asked.0;
    let from = if begins { Cut::before_trades(&start) } else { Cut::until(&start, asked.0) };
    let to = Cut::until(&last, asked.1);
    let mut readings = ledger.readings(start.pass_id, last.pass_id).await?;
    let is_now = now.is_some();
    let mut income = ledger.income_between(&start, &last).await?;
    let mut fresh = Vec::new();
    if let Some(now) = now {
        readings.push(now.reading);
        income.extend(now.income);
        fresh.push((last.at, now.samples));
    }
    let mut samples = samples(ledger, &readings, &income, fresh).await?;
    let of_coins = context.config.venue == Venue::BinanceSpot;
    // What was traded after the first and after the last reading, up to where the period begins and ends.
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    ledger.each_trade(&Cut::before_trades(&start), &from, |trade| head.push(trade)).await?;
    ledger.each_trade(&Cut::before_trades(&last), &to, |trade| tail.push(trade)).await?;
    if !tail.is_empty()
        && let Some((_, coins)) = samples.last()
    {
        let (reading, coins) = after_trades(&last, coins, &tail, quote, of_coins);
        samples.push((reading.at, coins));
        readings.push(reading);
    }
    if !head.is_empty()
        && let (Some(reading), Some((at, coins))) = (readings.first_mut(), samples.first_mut())
    {
        (*reading, *coins) = after_trades(reading, coins, &head, quote, of_coins);
        *at = reading.at;
    }
    let at_start = samples.first().map(|(_, samples)| samples.clone()).unwrap_or_default();
    let is_there = |symbol: &Symbol| at_start.iter().any(|coin| coin.symbol == *symbol && coin.is_in_place());
    let mut bought = ledger.first_holdings(&start, RAMP).await?;
    bought.retain(|(pass_id, coin)| *pass_id <= last.pass_id && !is_there(&coin.symbol));
    if bought.is_empty()
        && !at_start.iter().any(Sample::is_in_place)
        && let Some((_, coins)) = samples.last()
    {
        // Bought after the only reading so far.
        bought =
            coins.iter().filter(|coin| coin.is_in_place()).map(|coin| (i64::MAX, coin.clone())).collect();
    }
    let twin_from = bought.iter().map(|(pass_id, sample)| (sample.symbol.clone(), *pass_id)).collect();
    let bought: Vec<Sample> = bought.into_iter().map(|(_, sample)| sample).collect();
    let mut prices = coin_prices(&samples, quote);
    prices.extend(ledger.asset_prices().await?);
    let accounts = Accounts::new(quote, prices, twin_from);
    let mut accounts = if of_coins { accounts.of_coins() } else { accounts };
    let watched = before_funding(&readings, &income);
    let mut moves: BTreeMap<Time, BTreeMap<Symbol, Qty>> = BTreeMap::new();
    let each = |trade: Trade| {
        accounts.trade(&trade);
        if let Some(at) = watched.get(&trade.pass_id) {
            let moved = trade.fill.signed_qty();
            *moves.entry(*at).or_default().entry(trade.fill.symbol).or_default() += moved;
        }
    };
    ledger.each_trade(&from, &to, each).await?;
    let held = samples.iter().flat_map(|(_, coins)| coins.iter().map(|coin| coin.symbol.clone()));
    let paid = income.iter().filter_map(|row| row.entry.symbol.parse().ok());
    let sectors = sectors_of(context, ledger, held.chain(paid).collect()).await?;
    let mut report = PeriodReport::of(Inputs {
        heading,
        quote,
        asked,
        halt,
        halts,
        readings: &readings,
        samples: &samples,
        twin: (&at_start, &bought),
        income: &income,
        moves: &moves,
        accounts,
        sectors: &sectors,
    });
    if !is_now {
        report.notes.splice(0..0, about_the_span(context, asked, &start, &last, !tail.is_empty()));
    }
    Ok(report)
}

/// What the coins of readings were worth: fees may be paid in any of them.
fn coin_prices(samples: &[(Time, Vec<Sample>)], quote: &str) -> Vec<AssetPrice> {
    let of = |at: Time, coin: &Sample| {
        Some(AssetPrice { asset: coin.symbol.coin(quote).to_owned(), at, price: coin.mark? })
    };
    samples.iter().flat_map(|(at, coins)| coins.iter().filter_map(|coin| of(*at, coin))).collect()
}

/// Why a period has no figures.
async fn nothing_read(ledger: &mut Ledger, asked: (Time, Time)) -> Result<String, CommandError> {
    let all =
        (ledger.reading_from(Time::default()).await?, ledger.reading_at(Time::clamped(i64::MAX)).await?);
    Ok(match all {
        (Some(first), Some(last)) => format!(
            "no pass between {} and {}: the ledger knows the account from {} to {}",
            asked.0, asked.1, first.at, last.at
        ),
        _ => "no pass yet: `rebal rebalance` makes the first reading of the account".into(),
    })
}

/// What is worth a word where the readings do not lie where they were asked for.
fn about_the_span(
    context: &Context,
    asked: (Time, Time),
    start: &Reading,
    last: &Reading,
    traded: bool,
) -> Vec<String> {
    let gap = context.config.interval * 3;
    let mut notes = Vec::new();
    if start.at > asked.0 && start.at.since(asked.0) > gap {
        notes.push(format!("the ledger begins at {}: what was before is not known", start.at));
    }
    if asked.0.since(start.at) > gap {
        notes.push(format!(
            "the last pass before {} was {} earlier: the figures start there",
            asked.0,
            show_span(asked.0.since(start.at))
        ));
    }
    if asked.1.since(last.at) > gap {
        notes.push(format!(
            "the account was last read at {}: later transfers, funding and prices are not in these figures",
            last.at
        ));
    }
    if start.pass_id == last.pass_id && !traded {
        notes.push("there is one reading only: nothing can have changed yet".into());
    }
    notes
}

/// The coins of the readings that are needed: both ends, the first after every funding row, and enough
/// for a chart; `fresh` are those of a reading that is not in the ledger.
async fn samples(
    ledger: &mut Ledger,
    readings: &[Reading],
    income: &[BookedEntry],
    fresh: Vec<(Time, Vec<Sample>)>,
) -> Result<Vec<(Time, Vec<Sample>)>, CommandError> {
    let last = readings.len().saturating_sub(1);
    let mut wanted = BTreeSet::from([0, last]);
    wanted.extend((0..readings.len()).step_by(readings.len().div_ceil(CHART_READINGS).max(1)));
    for row in income.iter().filter(|row| row.entry.is_funding()) {
        let next = readings.partition_point(|reading| reading.at < row.entry.at);
        wanted.extend([next, next.saturating_sub(1)]);
    }
    let wanted: Vec<&Reading> = wanted.into_iter().filter_map(|index| readings.get(index)).collect();
    let passes: Vec<i64> = wanted.iter().map(|reading| reading.pass_id).collect();
    let mut kept = ledger.samples(&passes).await?;
    let mut samples: Vec<(Time, Vec<Sample>)> = wanted
        .iter()
        .map(|reading| (reading.at, kept.remove(&reading.pass_id).unwrap_or_default()))
        .collect();
    if let Some(fresh) = fresh.into_iter().next() {
        samples.pop();
        samples.push(fresh);
    }
    Ok(samples)
}

/// The pass and time of the reading before each funding row: what it traded was held at the settlement.
fn before_funding(readings: &[Reading], income: &[BookedEntry]) -> BTreeMap<i64, Time> {
    let rows = income.iter().filter(|row| row.entry.is_funding());
    let before = rows.filter_map(|row| {
        let next = readings.partition_point(|reading| reading.at < row.entry.at);
        readings.get(next.checked_sub(1)?).map(|reading| (reading.pass_id, reading.at))
    });
    before.collect()
}

/// The sector of each coin: the owner's word, the built-in table, or what the last scan found.
pub(super) async fn sectors_of(
    context: &Context,
    ledger: &mut Ledger,
    symbols: BTreeSet<Symbol>,
) -> Result<BTreeMap<Symbol, Sector>, CommandError> {
    let table = Sectors::builtin().with_overrides(sectors::overrides(&context.config)?);
    let quote = &context.config.quote;
    let scanned: BTreeMap<Symbol, Sector> = ledger
        .universe()
        .await?
        .into_iter()
        .filter_map(|member| Some((member.symbol, member.sector.parse().ok()?)))
        .collect();
    let sector = |symbol: Symbol| {
        let coin = symbol.as_str().strip_suffix(quote.as_str()).unwrap_or(symbol.as_str());
        let (sector, _) = table.of_coin(symbol.as_str(), coin, quote, &[]);
        let known = if sector == Sector::Other { scanned.get(&symbol).copied() } else { None };
        let sector = known.unwrap_or(sector);
        (symbol, sector)
    };
    Ok(symbols.into_iter().map(sector).collect())
}
