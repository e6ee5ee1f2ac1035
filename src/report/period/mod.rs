//! `rebal report` over a period: what every coin earned, and whether it all adds up.
//!
//! All of it comes from the ledger: two readings of the account, and what was booked between them.
//! `equity_end − equity_start = net profit − fees paid in other assets + other income + transfers +
//! unreconciled`, where the last is what nothing explains; it is shown and never absorbed.

mod accounts;
mod boundary;
mod curve;
#[cfg(test)]
mod tests;
mod twin;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::decide::sector::Sector;
use crate::domain::history::{BookedEntry, PastHalt, Reading, Sample};
use crate::domain::num::{Notional, Qty, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::report::heading::Heading;

pub use accounts::{Account, Accounts, DayBook};
pub use boundary::after_trades;
pub use curve::CurvePoint;
pub use twin::{Twin, TwinCoin};

/// Digits kept of quotients; sums and products stay exact.
const RATE_DIGITS: u32 = 8;
const SECONDS_PER_DAY: u32 = 86_400;

/// What one coin earned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoinRow {
    /// The contract.
    pub symbol: Symbol,
    /// Its sector.
    pub sector: Sector,
    /// `realized + unrealized_change + funding + fees`.
    pub net_profit: Notional,
    /// Profit of what was sold, without fees.
    pub realized: Notional,
    /// Floating profit at the end less that at the start.
    pub unrealized_change: Notional,
    /// Received less paid.
    pub funding: Notional,
    /// Negative = paid; fees in another asset at its price then.
    pub fees: Notional,
    /// Orders that were executed, wholly or in part.
    pub trades: u64,
    /// Orders among them that reduced a position.
    pub reductions: u64,
    /// Reductions with a profit after fees.
    pub wins: u64,
    /// `wins / reductions`; `None` where nothing was reduced.
    pub win_rate: Option<Rate>,
    /// `net_profit / equity_start`; `None` where the account was empty.
    pub contribution: Option<Rate>,
    /// What sales above the band realised, after their fees.
    pub harvest: Notional,
    /// Notional of all executions.
    pub turnover: Notional,
    /// Floating profit at the end.
    pub unrealized: Notional,
    /// `qty × mark` at the end; `None` where it has no price.
    pub value: Option<Notional>,
}

/// An amount with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The exchange's word, or an asset.
    pub name: String,
    /// Signed.
    pub amount: Notional,
}

/// One UTC day's trading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayRow {
    /// Midnight at its start.
    pub day: Time,
    /// Orders executed.
    pub trades: u64,
    /// Notional of all executions.
    pub turnover: Notional,
}

/// How far one coin was from its target, over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftLine {
    /// The contract.
    pub symbol: Symbol,
    /// `value / target − 1` before the pass traded.
    pub points: Vec<(Time, Rate)>,
}

/// `rebal.report/1` over a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeriodReport {
    /// Always `rebal.report/1`.
    pub schema: &'static str,
    /// When and which account.
    #[serde(flatten)]
    pub heading: Heading,
    /// What values are counted in: `USDT`.
    pub quote: String,
    /// Where the figures start: the last reading at or before what was asked for, and what was traded since.
    pub from: Time,
    /// Where they end: the last reading in the period, and what was traded since.
    pub to: Time,
    /// Whether trading is refused now.
    pub halted: bool,
    /// Which halt.
    pub halt_id: Option<String>,
    /// Why.
    pub halt_reason: Option<String>,
    /// Halts that began in it, lifted or not; absent where there were none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub halts: Vec<PastHalt>,
    /// When the exchange closed positions by force for the first time in it; absent where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liquidated_at: Option<Time>,
    /// What was asked for.
    pub asked_from: Time,
    /// What was asked for.
    pub asked_to: Time,
    /// Readings of the account in it.
    pub readings: usize,
    /// At `from`.
    pub equity_start: Notional,
    /// At `to`, after all that was traded until then.
    pub equity_end: Notional,
    /// Deposits less withdrawals.
    pub transfers: Notional,
    /// Income that belongs to no coin.
    pub other_income: Notional,
    /// The same by kind.
    pub other: Vec<Named>,
    /// Of all coins.
    pub net_profit: Notional,
    /// Growth of the net asset value of a unit: deposits and withdrawals are no profit.
    #[serde(rename = "return")]
    pub growth: Option<Rate>,
    /// Deepest fall of the net asset value from its highest point in the period.
    pub max_drawdown: Rate,
    /// Of all coins.
    pub realized_total: Notional,
    /// Of all coins.
    pub unrealized_change_total: Notional,
    /// Received less paid.
    pub funding_total: Notional,
    /// Negative = paid.
    pub fees_total: Notional,
    /// The part of `fees_total` paid in other assets, which the equity does not contain.
    pub fees_elsewhere: Notional,
    /// Fees in assets whose price is not known, in units of the asset; they are in no other figure.
    pub fees_unvalued: Vec<Named>,
    /// Notional of all executions.
    pub turnover: Notional,
    /// Orders that were executed, wholly or in part.
    pub trades: u64,
    /// Executions.
    pub fills: u64,
    /// `None` where the period has no length.
    pub trades_per_day: Option<Rate>,
    /// Orders among them that reduced a position.
    pub reductions: u64,
    /// Reductions with a profit after fees.
    pub wins: u64,
    /// `wins / reductions`; `None` where nothing was reduced.
    pub win_rate: Option<Rate>,
    /// What sales above the band realised, after their fees.
    pub harvest: Notional,
    /// What never rebalancing would have earned, other coins of the account included; `None` where the strategy held
    /// nothing.
    pub hold_twin_profit: Option<Notional>,
    /// `net_profit − hold_twin_profit`.
    pub rebalancing_effect: Option<Notional>,
    /// The twin in detail.
    pub hold_twin: Option<Twin>,
    /// What the change of equity is that nothing explains.
    pub unreconciled: Notional,
    /// Best first.
    pub per_coin: Vec<CoinRow>,
    /// Equity over time, thinned where it has thousands of points.
    pub equity_curve: Vec<CurvePoint>,
    /// Trading by day, every day of the period that had any.
    pub days: Vec<DayRow>,
    /// What the reader should know, one sentence each.
    pub notes: Vec<String>,
    /// Drift over time, for charts.
    #[serde(skip)]
    pub drift: Vec<DriftLine>,
}

/// What a report is made of.
#[derive(Clone, Debug)]
pub struct Inputs<'a> {
    /// When and which account.
    pub heading: Heading,
    /// What values are counted in.
    pub quote: &'a str,
    /// What was asked for.
    pub asked: (Time, Time),
    /// Id and reason of the halt in force now.
    pub halt: Option<(String, String)>,
    /// Halts that began in the period.
    pub halts: Vec<PastHalt>,
    /// Every reading from the first to the last of the period, in order.
    pub readings: &'a [Reading],
    /// The coins of some of these readings, in order, among them the first and the last and the first one
    /// after each funding row.
    pub samples: &'a [(Time, Vec<Sample>)],
    /// The coins of the start, and the first purchases of what the strategy did not hold yet.
    pub twin: (&'a [Sample], &'a [Sample]),
    /// Income rows of the period.
    pub income: &'a [BookedEntry],
    /// What the passes of some readings traded, by the time of the reading: of those before each funding row.
    pub moves: &'a BTreeMap<Time, BTreeMap<Symbol, Qty>>,
    /// The trades of the period, booked.
    pub accounts: Accounts,
    /// The sector of every coin.
    pub sectors: &'a BTreeMap<Symbol, Sector>,
}

impl PeriodReport {
    /// Fields that nobody knows of a period without any reading.
    pub const UNREAD: [&'static str; 11] = [
        "equity_start",
        "equity_end",
        "transfers",
        "other_income",
        "net_profit",
        "max_drawdown",
        "realized_total",
        "unrealized_change_total",
        "funding_total",
        "fees_total",
        "unreconciled",
    ];

    /// A period without any reading: nothing is known, and `note` says why.
    #[must_use]
    pub fn empty(
        heading: Heading,
        quote: &str,
        asked: (Time, Time),
        halt: Option<(String, String)>,
        halts: Vec<PastHalt>,
        note: String,
    ) -> PeriodReport {
        let nothing = Inputs {
            heading,
            quote,
            asked,
            halt,
            halts,
            readings: &[],
            samples: &[],
            twin: (&[], &[]),
            income: &[],
            moves: &BTreeMap::new(),
            accounts: Accounts::new(quote, Vec::new(), BTreeMap::new()),
            sectors: &BTreeMap::new(),
        };
        let mut report = PeriodReport::of(nothing);
        report.notes = vec![note];
        report
    }

    /// The report of what was read and booked.
    #[must_use]
    pub fn of(inputs: Inputs<'_>) -> PeriodReport {
        let Inputs { mut accounts, readings, samples, .. } = inputs;
        for row in inputs.income {
            accounts.income(row);
        }
        accounts.close();
        let (first, last) = (readings.first(), readings.last());
        let equity = |reading: Option<&Reading>| reading.map_or(Notional::ZERO, |reading| reading.equity);
        let (equity_start, equity_end) = (equity(first), equity(last));
        let time = |reading: Option<&Reading>, asked| reading.map_or(asked, |reading| reading.at);
        let (from, to) = (time(first, inputs.asked.0), time(last, inputs.asked.1));

        let per_coin = rows(&accounts, samples, inputs.sectors, equity_start);
        let sum = |part: fn(&CoinRow) -> Notional| per_coin.iter().map(part).sum::<Notional>();
        let count = |part: fn(&CoinRow) -> u64| per_coin.iter().map(part).sum::<u64>();
        let net_profit = sum(|row| row.net_profit);
        let fees_elsewhere = accounts.coins.values().map(|account| account.fees_elsewhere).sum();
        let other_income = accounts.other.values().copied().sum();
        let explained = net_profit - fees_elsewhere + other_income + accounts.transfers;
        let (equity_curve, max_drawdown) = curve::curve(readings);
        let growth = first.zip(last).and_then(|(first, last)| last.nav.over(first.nav));
        let days = Rate::from(u32::try_from(to.since(from).as_secs()).unwrap_or(u32::MAX));
        let days = days.over(Rate::from(SECONDS_PER_DAY)).unwrap_or_default();
        let (trades, wins, reductions) =
            (count(|row| row.trades), count(|row| row.wins), count(|row| row.reductions));
        let whole = |count: u64| Rate::from(u32::try_from(count).unwrap_or(u32::MAX));
        let basis = twin::Basis {
            start: inputs.twin.0,
            bought: inputs.twin.1,
            rows: &per_coin,
            fees: accounts.twin_fees,
            samples,
            income: inputs.income,
            quote: inputs.quote,
            moves: inputs.moves,
            equity: equity_start,
        };
        let hold_twin = twin::twin(&basis);
        let mut notes = remarks(&accounts, inputs.quote);
        notes.extend(hold_twin.iter().flat_map(|twin| twin.notes.clone()));
        PeriodReport {
            schema: "rebal.report/1",
            heading: inputs.heading,
            quote: inputs.quote.to_owned(),
            from,
            to,
            halted: inputs.halt.is_some(),
            halt_id: inputs.halt.as_ref().map(|(id, _)| id.clone()),
            halt_reason: inputs.halt.map(|(_, reason)| reason),
            halts: inputs.halts,
            liquidated_at: inputs
                .income
                .iter()
                .map(|row| &row.entry)
                .filter(|entry| entry.is_liquidation())
                .map(|entry| entry.at)
                .min(),
            asked_from: inputs.asked.0,
            asked_to: inputs.asked.1,
            readings: readings.len(),
            equity_start,
            equity_end,
            transfers: accounts.transfers,
            other_income,
            other: named(&accounts.other),
            net_profit,
            growth: growth.map(|ratio| (ratio - Rate::ONE).rounded(RATE_DIGITS)),
            max_drawdown,
            realized_total: sum(|row| row.realized),
            unrealized_change_total: sum(|row| row.unrealized_change),
            funding_total: sum(|row| row.funding),
            fees_total: sum(|row| row.fees),
            fees_elsewhere,
            fees_unvalued: named(&accounts.unvalued),
            turnover: sum(|row| row.turnover),
            trades,
            fills: accounts.fills,
            trades_per_day: whole(trades).over(days).map(|rate| rate.rounded(RATE_DIGITS)),
            reductions,
            wins,
            win_rate: accounts::win_rate(wins, reductions).map(|rate| rate.rounded(RATE_DIGITS)),
            harvest: sum(|row| row.harvest),
            hold_twin_profit: hold_twin.as_ref().map(|twin| twin.profit),
            rebalancing_effect: hold_twin.as_ref().map(|twin| net_profit - twin.profit),
            hold_twin,
            unreconciled: equity_end - equity_start - explained,
            per_coin,
            equity_curve,
            days: accounts.days.iter().map(|(day, book)| day_row(*day, book)).collect(),
            notes,
            drift: drift(samples),
        }
    }
}

fn day_row(day: Time, book: &DayBook) -> DayRow {
    DayRow { day, trades: book.trades, turnover: book.turnover }
}

fn named(amounts: &BTreeMap<String, Notional>) -> Vec<Named> {
    amounts.iter().map(|(name, amount)| Named { name: name.clone(), amount: *amount }).collect()
}

/// One row per coin that was held or traded, the best first.
fn rows(
    accounts: &Accounts,
    samples: &[(Time, Vec<Sample>)],
    sectors: &BTreeMap<Symbol, Sector>,
    equity_start: Notional,
) -> Vec<CoinRow> {
    let coins = |end: Option<&(Time, Vec<Sample>)>| -> BTreeMap<Symbol, Sample> {
        let coins = end.map(|(_, coins)| coins.clone()).unwrap_or_default();
        coins.into_iter().filter(|coin| !coin.qty.is_zero()).map(|coin| (coin.symbol.clone(), coin)).collect()
    };
    let (first, last) = (coins(samples.first()), coins(samples.last()));
    let nothing = Account::default();
    let named: std::collections::BTreeSet<&Symbol> =
        accounts.coins.keys().chain(first.keys()).chain(last.keys()).collect();
    let row = |symbol: &Symbol| {
        let account = accounts.coins.get(symbol).unwrap_or(&nothing);
        let floating = |coins: &BTreeMap<Symbol, Sample>| {
            coins.get(symbol).map_or(Notional::ZERO, |coin| coin.unrealized)
        };
        let unrealized_change = floating(&last) - floating(&first);
        let net_profit = account.booked() + unrealized_change;
        CoinRow {
            symbol: symbol.clone(),
            sector: sectors.get(symbol).copied().unwrap_or(Sector::Other),
            net_profit,
            realized: account.realized,
            unrealized_change,
            funding: account.funding,
            fees: account.fees + account.fees_elsewhere,
            trades: account.trades,
            reductions: account.reductions,
            wins: account.wins,
            win_rate: accounts::win_rate(account.wins, account.reductions)
                .map(|rate| rate.rounded(RATE_DIGITS)),
            contribution: net_profit.over(equity_start).map(|rate| rate.rounded(RATE_DIGITS)),
            harvest: account.harvest,
            turnover: account.turnover,
            unrealized: floating(&last),
            value: last.get(symbol).map_or(Some(Notional::ZERO), Sample::value),
        }
    };
    let mut rows: Vec<CoinRow> = named.into_iter().map(row).collect();
    rows.sort_by(|a, b| b.net_profit.cmp(&a.net_profit).then_with(|| a.symbol.cmp(&b.symbol)));
    rows
}

fn drift(samples: &[(Time, Vec<Sample>)]) -> Vec<DriftLine> {
    let mut lines: BTreeMap<Symbol, Vec<(Time, Rate)>> = BTreeMap::new();
    for (at, coins) in samples {
        for (symbol, drift) in coins.iter().filter_map(|coin| Some((&coin.symbol, coin.drift()?))) {
            lines.entry(symbol.clone()).or_default().push((*at, drift.rounded(RATE_DIGITS)));
        }
    }
    lines.into_iter().map(|(symbol, points)| DriftLine { symbol, points }).collect()
}

/// What in the books needs a word.
fn remarks(accounts: &Accounts, quote: &str) -> Vec<String> {
    let mut notes = Vec::new();
    for (asset, amount) in &accounts.unvalued {
        notes.push(format!("fees of {amount} {asset} are in no figure: the ledger has no price of {asset}"));
    }
    if !accounts.unexplained.is_zero() {
        notes.push(format!(
            "{} {quote} of the unreconciled amount changed the wallet without a trade or an income row",
            accounts.unexplained
        ));
    }
    if accounts.foreign_rows > 0 {
        notes.push(format!(
            "income rows in other assets are left out ({}): they do not change the {quote} equity",
            accounts.foreign_rows
        ));
    }
    notes
}
