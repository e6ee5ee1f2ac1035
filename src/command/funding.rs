//! `rebal funding`: what funding cost, whether it was charged as it was settled, and what comes next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use crate::config::words::Venue as Market;
use crate::decide::audit::{Audit, Charge, Look, Move, Past, SETTLING, audit};
use crate::decide::funding::Due;
use crate::domain::entry::Entry;
use crate::domain::funding::Settlement;
use crate::domain::history::{Reading, Sample};
use crate::domain::num::{Notional, Qty};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::error::CommandError;
use crate::exchange::{ExchangeError, Observation, Settles};
use crate::ledger::{Cut, Ledger};
use crate::pass::latch;
use crate::pass::observe::{self, INCOME_KEPT};
use crate::render::{self, Format};
use crate::report::funding::{FundingInputs, FundingReport, Standing};

use super::context::Context;
use super::plan::look_back;
use super::venue::{self, Venue};
use super::when::When;

/// Show funding paid, due and forecast, per coin; sends nothing
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Count from this date, time or so long ago: 2026-01-31, 2026-01-31T12:00:00Z, 7d
    #[arg(long, value_name = "DATE|TIME|DURATION")]
    since: Option<When>,
}

const EXAMPLES: &str = "\
Examples:
  rebal funding                             since the first reading in the ledger
  rebal funding --since 7d --json           the last week, for scripts
  rebal funding --since 2026-01-31          since that day, 00:00 UTC

Counts from the last reading at or before --since. Profit is the change of
equity, deposits and withdrawals apart. FUNDING EXCEEDS PROFIT: funding paid,
less funding received, is more than the profit that is left; `rebalance`
checks that every funding.check_every, from the first reading on, and alerts.
Every settlement of the last 90 days is held against rate × mark × quantity.

Exit codes:
    0  done
    2  configuration
    4  exchange unavailable
   10  ledger unusable";

/// Settlements further back are not compared: a year of an hourly contract is nine requests.
const COMPARED: Duration = Duration::from_secs(90 * 86_400);
/// Settlements come on whole hours.
const HOUR: Duration = Duration::from_secs(3600);
/// Funding histories asked for at once.
const AT_ONCE: usize = 10;

pub(super) async fn run(context: &Context, args: &Args) -> Result<u8, CommandError> {
    render::funding_fits(context.format)?;
    let mut ledger = look_back(context).await?;
    context.heed_ban(&mut ledger).await?;
    if let Some(halt) = latch::in_force(&mut ledger, &context.folders.state).await? {
        context.ui.warn(&format!("HALTED (halt {}): {}", halt.id, halt.reason));
    }
    let spot = context.config.venue == Market::BinanceSpot;
    if spot && context.format == Format::Table {
        context.show(&format!("{NO_FUNDING}\n"))?;
        return Ok(0);
    }
    let report = match venue::open(context, &mut ledger).await? {
        _ if spot => none(context),
        Venue::Spot(_) => none(context),
        Venue::Usdm(mut exchange) => look(context, args, exchange.as_mut(), &mut ledger).await?,
        Venue::Paper(mut exchange) => look(context, args, exchange.as_mut(), &mut ledger).await?,
    };
    context.show(&render::funding(&report, context.format, &context.style)?)?;
    Ok(0)
}

const NO_FUNDING: &str =
    "Spot has no funding: coins that are paid in full are charged nothing for being held.";

/// A coin that is paid in full is charged nothing for being held.
fn none(context: &Context) -> FundingReport {
    let mut report = FundingReport::new(FundingInputs {
        heading: context.heading(context.started),
        quote: &context.config.quote,
        start: None,
        equity: Notional::ZERO,
        entries: &[],
        standings: BTreeMap::new(),
        audit: Audit::default(),
        compared_from: None,
    });
    report.notes.push(NO_FUNDING.into());
    report
}

async fn look<E: Settles>(
    context: &Context,
    args: &Args,
    exchange: &mut E,
    ledger: &mut Ledger,
) -> Result<FundingReport, CommandError> {
    exchange.connect().await?;
    let since = args.since.map(|since| since.before(exchange.now(), "--since")).transpose()?;
    let found = exchange.observe().await?;
    ledger.age(&exchange.environment(), &found.account).await?;
    for remark in exchange.remarks() {
        context.ui.detail(&remark);
    }
    let mut notes = Vec::new();
    let quote = &context.config.quote;
    let span = match Span::of(ledger, since, found.at, &mut notes).await? {
        Some(span) => span,
        None => return Ok(fresh(context, exchange, &found).await?),
    };
    let unread = observe::unread_income(exchange, ledger, found.at).await?;
    // A wallet that does not follow from the books is no equity, and no profit follows from it.
    observe::explain_wallet(ledger, &found, &unread, quote).await?;
    let booked = ledger.income_between(&span.start, &span.last).await?;
    let mut entries: Vec<Entry> = booked.into_iter().map(|booked| booked.entry).collect();
    entries.extend(unread);
    notes.extend(other_assets(&entries, quote));
    let past = past(ledger, &span, &found).await?;
    let (audit, unsettled) = compared(exchange, &span, &entries, &past, quote).await;
    let standings = standings(exchange, &found, &entries).await?;
    notes.extend(unsettled);
    notes.extend(unlisted(&standings));
    let mut report = FundingReport::new(FundingInputs {
        heading: context.heading(found.at),
        quote,
        start: Some((span.start.at, span.start.equity)),
        equity: found.balance.equity,
        entries: &entries,
        standings,
        audit,
        compared_from: Some(span.compared_from),
    });
    report.notes = notes;
    Ok(report)
}

/// Nothing to count from: what comes is told all the same.
async fn fresh<E: Settles>(
    context: &Context,
    exchange: &E,
    found: &Observation,
) -> Result<FundingReport, ExchangeError> {
    let mut report = FundingReport::new(FundingInputs {
        heading: context.heading(found.at),
        quote: &context.config.quote,
        start: None,
        equity: found.balance.equity,
        entries: &[],
        standings: standings(exchange, found, &[]).await?,
        audit: Audit::default(),
        compared_from: None,
    });
    report.notes.push(
        "the ledger has no reading of the account; `rebal rebalance` makes the first, and counting begins there"
            .into(),
    );
    Ok(report)
}

/// What is looked back on.
struct Span {
    /// The reading that everything is counted from.
    start: Reading,
    /// The last reading in the ledger.
    last: Reading,
    /// Settlements after this are compared.
    compared_from: Time,
    now: Time,
}

impl Span {
    /// `None` where the ledger has no reading.
    async fn of(
        ledger: &mut Ledger,
        since: Option<Time>,
        now: Time,
        notes: &mut Vec<String>,
    ) -> Result<Option<Span>, CommandError> {
        let Some(first) = ledger.history_start(INCOME_KEPT).await? else { return Ok(None) };
        let Some(last) = ledger.reading_at(Time::clamped(i64::MAX)).await? else { return Ok(None) };
        if ledger.first_reading().await?.is_some_and(|very_first| very_first < first.at) {
            notes.push(format!(
                "no pass ran for a long time before {}: what happened then is not known, and counting begins there",
                first.at
            ));
        }
        let start = match since {
            Some(since) if since < first.at => {
                notes.push(format!("the ledger begins at {}: there is nothing before", first.at));
                first
            }
            Some(since) => ledger.reading_at(since).await?.unwrap_or(first),
            None => first,
        };
        // A settlement at the very time of the reading belongs to the reading, whenever its row came.
        let compared_from = (start.at + SETTLING).max(now - COMPARED);
        if compared_from > start.at + SETTLING {
            notes.push(format!("settlements before {compared_from} are counted and not compared"));
        }
        Ok(Some(Span { start, last, compared_from, now }))
    }
}

/// What was held from the start of the comparison on, and what is held now.
async fn past(ledger: &mut Ledger, span: &Span, found: &Observation) -> Result<Past, CommandError> {
    let before = ledger.reading_at(span.compared_from).await?.unwrap_or_else(|| span.start.clone());
    let readings = ledger.readings(before.pass_id, i64::MAX).await?;
    // Only the readings on either side of a whole hour say what was held at a settlement.
    // One at the very hour may be before or after it.
    let hours = |at: Time| (at.floor_to(HOUR), (at - Duration::from_millis(1)).floor_to(HOUR));
    let mut kept: BTreeSet<i64> = readings.last().map(|reading| reading.pass_id).into_iter().collect();
    for pair in readings.windows(2) {
        if let [one, next] = pair
            && hours(one.at) != hours(next.at)
        {
            kept.extend([one.pass_id, next.pass_id]);
        }
    }
    let ids: Vec<i64> = kept.iter().copied().collect();
    let mut samples = ledger.samples(&ids).await?;
    let held = |samples: Vec<Sample>| samples.into_iter().map(|one| (one.symbol, one.qty)).collect();
    let mut looks: Vec<Look> = readings
        .iter()
        .filter(|reading| kept.contains(&reading.pass_id))
        .map(|reading| Look {
            pass_id: reading.pass_id,
            at: reading.at,
            held: samples.remove(&reading.pass_id).map(held),
        })
        .collect();
    let positions = found.positions.values();
    let now: BTreeMap<Symbol, Qty> = positions.map(|one| (one.symbol.clone(), one.qty)).collect();
    looks.push(Look { pass_id: i64::MAX, at: found.at, held: Some(now) });
    let upto = Reading { pass_id: i64::MAX, at: span.now, fill_seq: i64::MAX, ..span.last.clone() };
    let mut moves: BTreeMap<Symbol, Vec<Move>> = BTreeMap::new();
    ledger
        .each_trade(&Cut::before_trades(&before), &Cut::before_trades(&upto), |trade| {
            let (pass_id, at, qty) = (trade.pass_id, trade.fill.at, trade.fill.signed_qty());
            moves.entry(trade.fill.symbol).or_default().push(Move { pass_id, at, qty });
        })
        .await?;
    moves.values_mut().for_each(|moves| moves.sort_by_key(|one| one.at));
    Ok(Past { looks, moves })
}

/// Every contract's settlements against its rows; and what could not be read.
async fn compared<E: Settles>(
    exchange: &E,
    span: &Span,
    entries: &[Entry],
    past: &Past,
    quote: &str,
) -> (Audit, Option<String>) {
    let mut charges: BTreeMap<Symbol, Vec<Charge>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.is_funding() && entry.asset == quote) {
        if let Ok(symbol) = entry.symbol.parse() {
            let special = entry.is_special_funding();
            charges.entry(symbol).or_default().push(Charge { at: entry.at, amount: entry.amount, special });
        }
    }
    let symbols: BTreeSet<Symbol> = past.symbols().chain(charges.keys()).cloned().collect();
    let asked = symbols.into_iter().map(async |symbol| {
        let settled = exchange.settlements(&symbol, span.compared_from - HOUR).await;
        (symbol, settled)
    });
    let mut settled: Vec<(Symbol, Result<Vec<Settlement>, ExchangeError>)> =
        stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
    settled.sort_by(|a, b| a.0.cmp(&b.0));
    let (mut found, mut unread) = (Audit::default(), Vec::new());
    for (symbol, settlements) in settled {
        let charges = charges.remove(&symbol).unwrap_or_default();
        match settlements {
            // Nothing at all was settled: the exchange forgot the contract rather than every rate of it.
            Ok(settlements) if settlements.is_empty() && !charges.is_empty() => {
                unread.push((symbol, "it has no settled rates".to_owned()));
            }
            Ok(settlements) => {
                found.add(audit(&symbol, &settlements, &charges, past, (span.compared_from, span.now)));
            }
            Err(error) => unread.push((symbol, error.to_string())),
        }
    }
    let names: Vec<&str> = unread.iter().map(|(symbol, _)| symbol.as_str()).collect();
    let note = unread
        .first()
        .map(|(_, why)| format!("not compared with the settled rates: {} ({why})", names.join(", ")));
    (found, note)
}

/// How every contract stands that is held or has rows.
async fn standings<E: Settles>(
    exchange: &E,
    found: &Observation,
    entries: &[Entry],
) -> Result<BTreeMap<Symbol, Standing>, ExchangeError> {
    let hours = exchange.funding_hours(&found.rules).await?;
    let charged =
        entries.iter().filter(|entry| entry.is_funding()).filter_map(|entry| entry.symbol.parse().ok());
    let symbols: BTreeSet<Symbol> = found.positions.keys().cloned().chain(charged).collect();
    let standing = |symbol: Symbol| {
        let position = found.positions.get(&symbol);
        let mark = found.markets.get(&symbol).map(|market| market.mark);
        let due = mark.and_then(|mark| {
            Some(Due {
                at: mark.next_funding?,
                rate: mark.funding_rate,
                interval_hours: *hours.get(&symbol)?,
            })
        });
        let standing = Standing {
            qty: position.map_or(Qty::ZERO, |position| position.qty),
            mark: mark.map(|mark| mark.price).or(position.map(|position| position.mark_price)),
            due,
            listed: found.rules.contains_key(&symbol),
        };
        (symbol, standing)
    };
    Ok(symbols.into_iter().map(standing).collect())
}

fn unlisted(standings: &BTreeMap<Symbol, Standing>) -> Option<String> {
    let names: Vec<&str> =
        standings.iter().filter(|(_, one)| !one.listed).map(|(symbol, _)| symbol.as_str()).collect();
    (!names.is_empty()).then(|| format!("no longer listed at the exchange: {}", names.join(", ")))
}

/// Funding in another asset than the quote cannot be added to it.
fn other_assets(entries: &[Entry], quote: &str) -> Option<String> {
    let mut sums: BTreeMap<&str, Notional> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.is_funding() && entry.asset != quote) {
        *sums.entry(&entry.asset).or_default() += entry.amount;
    }
    let sums: Vec<String> = sums.iter().map(|(asset, sum)| format!("{sum} {asset}")).collect();
    (!sums.is_empty())
        .then(|| format!("funding in other assets is not in these figures: {}", sums.join(", ")))
}
