//! Funding: what it cost since some time, what comes next, and whether it was charged as settled.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::decide::audit::Audit;
pub use crate::decide::audit::{Difference, Missing};
use crate::decide::funding::{Balance, Due};
use crate::domain::entry::Entry;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::report::heading::Heading;

/// Digits kept of figures that are quotients; products and sums stay exact.
const RATE_DIGITS: u32 = 8;
/// How far the forecast looks.
const DAY: Duration = Duration::from_secs(86_400);

/// Funding took more than the portfolio earned before it.
pub const EXCEEDS_PROFIT: &str = "funding_exceeds_profit";
/// Something else was charged than rate × notional.
pub const DIFFERS: &str = "funding_differs";
/// Something was held at a settlement and no row says what it cost.
pub const MISSING: &str = "funding_missing";

/// One contract as it stands now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Base units held, signed.
    pub qty: Qty,
    /// The mark price; `None` where there is none.
    pub mark: Option<Price>,
    /// The next settlement; `None` where the exchange names none.
    pub due: Option<Due>,
    /// Whether the exchange lists it.
    pub listed: bool,
}

/// Everything that the figures are made of.
#[derive(Clone, Debug)]
pub struct FundingInputs<'a> {
    /// When and which account.
    pub heading: Heading,
    /// What values are counted in: `USDT`.
    pub quote: &'a str,
    /// The reading that everything is counted from, and the equity then; `None` on a fresh ledger.
    pub start: Option<(Time, Notional)>,
    /// Equity now.
    pub equity: Notional,
    /// The income rows since.
    pub entries: &'a [Entry],
    /// Every contract that is held or listed and has rows.
    pub standings: BTreeMap<Symbol, Standing>,
    /// Charges against settlements, of the contracts that could be compared.
    pub audit: Audit,
    /// From when on they were compared.
    pub compared_from: Option<Time>,
}

/// One contract of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CoinFunding {
    /// The exchange's name.
    pub symbol: String,
    /// What was paid, positive.
    pub paid: Notional,
    /// What was received, positive.
    pub received: Notional,
    /// `received − paid`.
    pub net: Notional,
    /// Hours between two settlements; `None` where it has none.
    pub interval_hours: Option<u32>,
    /// The running estimate for the next settlement; longs pay when positive.
    pub next_rate: Option<Rate>,
    /// When that is.
    pub next_time: Option<Time>,
    /// That rate over a year, as a share of the position's value.
    pub annualised: Option<Rate>,
    /// Base units held now, signed.
    pub qty: Qty,
    /// Their value, signed; `None` without a mark price.
    pub value: Option<Notional>,
    /// What a year at that rate and value would cost in the quote; negative is earned.
    pub annualised_cost: Option<Notional>,
    /// What the settlements of the next 24 hours bring at that rate and value; negative is paid.
    pub forecast_24h: Option<Notional>,
    /// Whether the exchange lists the contract.
    pub listed: bool,
}

/// `rebal.funding/1`: funding paid, due and forecast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FundingReport {
    /// Always `rebal.funding/1`.
    pub schema: &'static str,
    /// When and which account.
    #[serde(flatten)]
    pub heading: Heading,
    /// What values are counted in: `USDT`.
    pub quote: String,
    /// The reading that everything is counted from.
    pub from: Time,
    /// Now.
    pub to: Time,
    /// Funding received less funding paid, over all coins.
    pub total: Notional,
    /// What was paid, positive.
    pub paid: Notional,
    /// What was received, positive.
    pub received: Notional,
    /// Equity then.
    pub equity_start: Notional,
    /// Equity now.
    pub equity_end: Notional,
    /// Deposits less withdrawals; no profit.
    pub transfers: Notional,
    /// `equity_end − equity_start − transfers`: after fees and funding.
    pub profit: Notional,
    /// `profit − total`: what the portfolio earned before funding.
    pub profit_before_funding: Notional,
    /// Funding was a cost, and a larger one than what the portfolio earned before it.
    pub funding_exceeds_profit: bool,
    /// What a year would cost at the present rates and positions; negative is earned.
    pub annualised_cost: Notional,
    /// What the next 24 hours bring; negative is paid.
    pub forecast_24h: Notional,
    /// By contract: the largest cost first, then by name.
    pub per_coin: Vec<CoinFunding>,
    /// Settlements that were held against their rows.
    pub compared: usize,
    /// From when on; `None` on a fresh ledger.
    pub compared_from: Option<Time>,
    /// Settlements of which the position or the mark price is not known.
    pub not_comparable: usize,
    /// Settlements charged otherwise than `rate × notional`.
    pub differences: Vec<Difference>,
    /// Settlements of what was held, without a row.
    pub missing: Vec<Missing>,
    /// Words of what is wrong: `funding_exceeds_profit`, `funding_differs`, `funding_missing`.
    pub alerts: Vec<&'static str>,
    /// What else the owner should know, one sentence each.
    pub notes: Vec<String>,
}

impl FundingReport {
    /// Every figure; without notes, which the caller adds.
    #[must_use]
    pub fn new(inputs: FundingInputs<'_>) -> FundingReport {
        let now = inputs.heading.at;
        let (from, equity_start) = inputs.start.unwrap_or((now, inputs.equity));
        let balance = Balance::of((equity_start, inputs.equity), inputs.entries, inputs.quote);
        let per_coin = coins(&inputs, now);
        let Audit { compared, unknown, differences, missing } = inputs.audit;
        let exceeds = balance.funding_exceeds_profit();
        let alerts =
            [(EXCEEDS_PROFIT, exceeds), (DIFFERS, !differences.is_empty()), (MISSING, !missing.is_empty())];
        FundingReport {
            schema: "rebal.funding/1",
            quote: inputs.quote.to_owned(),
            from,
            to: now,
            total: balance.funding,
            paid: per_coin.iter().map(|coin| coin.paid).sum(),
            received: per_coin.iter().map(|coin| coin.received).sum(),
            equity_start,
            equity_end: inputs.equity,
            transfers: balance.transfers,
            profit: balance.profit,
            profit_before_funding: balance.before_funding(),
            funding_exceeds_profit: exceeds,
            annualised_cost: per_coin.iter().filter_map(|coin| coin.annualised_cost).sum(),
            forecast_24h: per_coin.iter().filter_map(|coin| coin.forecast_24h).sum(),
            per_coin,
            compared,
            compared_from: inputs.compared_from,
            not_comparable: unknown,
            differences,
            missing,
            alerts: alerts.into_iter().filter(|(_, is)| *is).map(|(word, _)| word).collect(),
            notes: Vec::new(),
            heading: inputs.heading,
        }
    }
}

fn coins(inputs: &FundingInputs<'_>, now: Time) -> Vec<CoinFunding> {
    let mut coins: BTreeMap<String, CoinFunding> = BTreeMap::new();
    for (symbol, standing) in &inputs.standings {
        coins.insert(symbol.to_string(), standing_now(symbol, standing, now));
    }
    let of_quote = |entry: &&Entry| entry.is_funding() && entry.asset == inputs.quote;
    for entry in inputs.entries.iter().filter(of_quote) {
        let coin = coins
            .entry(entry.symbol.clone())
            .or_insert_with(|| CoinFunding { symbol: entry.symbol.clone(), ..CoinFunding::default() });
        if entry.amount.is_negative() {
            coin.paid -= entry.amount;
        } else {
            coin.received += entry.amount;
        }
        coin.net += entry.amount;
    }
    let mut coins: Vec<CoinFunding> = coins.into_values().collect();
    // Stable: coins that cost the same stay in the order of their names.
    coins.sort_by_key(|coin| coin.net);
    coins
}

fn standing_now(symbol: &Symbol, standing: &Standing, now: Time) -> CoinFunding {
    let value = match standing.qty.is_zero() {
        true => Some(Notional::ZERO),
        false => standing.mark.map(|mark| standing.qty * mark),
    };
    let annualised = standing.due.map(|due| due.annualised().rounded(RATE_DIGITS));
    CoinFunding {
        symbol: symbol.to_string(),
        interval_hours: standing.due.map(|due| due.interval_hours),
        next_rate: standing.due.map(|due| due.rate),
        next_time: standing.due.map(|due| due.at),
        annualised,
        qty: standing.qty,
        value,
        annualised_cost: value.zip(annualised).map(|(value, rate)| (value * rate).rounded(RATE_DIGITS)),
        forecast_24h: value
            .zip(standing.due)
            .map(|(value, due)| due.forecast(value, now, DAY).rounded(RATE_DIGITS)),
        listed: standing.listed,
        ..CoinFunding::default()
    }
}
