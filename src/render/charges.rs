//! What funding cost and will cost, in words and columns.

use crate::domain::num::{Notional, Rate};
use crate::render::grid::{Align, Grid};
use crate::render::paint::Tone;
use crate::render::remarks::Remark;
use crate::render::text::{clean, count, fee, instant, money, percent};
use crate::report::funding::{CoinFunding, Difference, FundingReport, Missing};

/// Digits of a rate per interval that a person can use: `+0.0100 %`.
const RATE_DIGITS: usize = 4;
/// Differences and missing rows that are told one by one.
const TOLD: usize = 20;

/// What funding took or brought, in one sentence.
pub(crate) fn verdict(report: &FundingReport) -> (Tone, String) {
    if report.compared_from.is_none() {
        return (Tone::Attention, "Nothing to count from yet: no pass has read the account.".to_owned());
    }
    let since = format!("since {}", instant(report.from));
    let quote = clean(&report.quote);
    let text = if report.total.is_negative() {
        format!("Funding cost {} {quote} {since}", fee(-report.total))
    } else if report.total.is_zero() {
        format!("Funding cost nothing {since}")
    } else {
        format!("Funding brought {} {quote} {since}", fee(report.total))
    };
    let earned = report.profit_before_funding;
    let word = if earned.is_negative() { "lost" } else { "earned" };
    (Tone::Strong, format!("{text}; before it the portfolio {word} {} {quote}.", plain(earned.abs())))
}

/// What is wrong, before everything else.
pub(crate) fn alarms(report: &FundingReport) -> Vec<String> {
    let quote = clean(&report.quote);
    let mut alarms = Vec::new();
    if report.funding_exceeds_profit {
        let left = match report.profit.is_positive() {
            true => format!("a profit of only {} {quote} is left", fee(report.profit)),
            false => "no profit is left".to_owned(),
        };
        alarms.push(format!("FUNDING EXCEEDS PROFIT: it took {} {quote}, and {left}.", fee(-report.total)));
    }
    if !report.differences.is_empty() {
        alarms.push(format!(
            "CHARGED OTHERWISE THAN SETTLED: {} of {}.",
            report.differences.len(),
            count(report.compared, "settlement")
        ));
    }
    if !report.missing.is_empty() {
        alarms.push(format!(
            "MISSING: {} of what was held has no row; that is not known, not zero.",
            count(report.missing.len(), "settlement")
        ));
    }
    alarms
}

/// The coins' table, from the richest to the barest.
pub(crate) fn coins(report: &FundingReport) -> Vec<Grid> {
    let heads = [
        ("coin", Align::Left),
        ("paid", Align::Right),
        ("received", Align::Right),
        ("net", Align::Right),
        ("every", Align::Right),
        ("next rate", Align::Right),
        ("next at", Align::Left),
        ("per year", Align::Right),
        ("value", Align::Right),
        ("cost/year", Align::Right),
        ("next 24 h", Align::Right),
    ];
    let rows: Vec<(Tone, Vec<String>)> =
        report.per_coin.iter().map(|coin| (tone(coin), cells(coin, &report.quote))).collect();
    let grid = |shown: &[usize], gap: u16| Grid {
        columns: shown
            .iter()
            .filter_map(|at| heads.get(*at))
            .map(|(head, align)| ((*head).to_owned(), *align))
            .collect(),
        rows: rows
            .iter()
            .map(|(tone, row)| (*tone, shown.iter().filter_map(|at| row.get(*at)).cloned().collect()))
            .collect(),
        gap,
    };
    vec![
        grid(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 2),
        grid(&[0, 3, 4, 5, 6, 7, 9, 10], 2),
        grid(&[0, 3, 4, 5, 6, 7, 10], 1),
        grid(&[0, 3, 5, 7, 10], 1),
        grid(&[0, 3, 10], 1),
    ]
}

fn tone(coin: &CoinFunding) -> Tone {
    if coin.listed { Tone::Plain } else { Tone::Attention }
}

fn cells(coin: &CoinFunding, quote: &str) -> Vec<String> {
    let maybe = |text: Option<String>| text.unwrap_or_default();
    let held = !coin.qty.is_zero();
    let name = clean(&coin.symbol);
    let name = name.strip_suffix(quote).filter(|name| !name.is_empty()).unwrap_or(&name);
    vec![
        name.to_owned(),
        amount(coin.paid),
        amount(coin.received),
        amount(coin.net),
        maybe(coin.interval_hours.map(|hours| format!("{hours} h"))),
        match coin.next_rate {
            Some(rate) => rate_shown(rate),
            None if coin.listed => "unknown".to_owned(),
            None => "not listed".to_owned(),
        },
        maybe(coin.next_time.map(|at| at.to_string().chars().skip(11).take(5).collect())),
        maybe(coin.annualised.map(percent)),
        match coin.value {
            _ if !held => String::new(),
            Some(value) => money(value),
            None => "?".to_owned(),
        },
        maybe(coin.annualised_cost.filter(|_| held).map(money)),
        maybe(coin.forecast_24h.filter(|_| held).map(amount)),
    ]
}

fn plain(amount: Notional) -> String {
    if amount.is_zero() { "0".to_owned() } else { fee(amount) }
}

/// Funding of small positions vanishes at two decimals; nothing at all stays empty.
fn amount(amount: Notional) -> String {
    if amount.is_zero() { String::new() } else { fee(amount) }
}

fn rate_shown(rate: Rate) -> String {
    let rate = rate * Rate::from(100);
    format!("{rate:+.RATE_DIGITS$} %")
}

/// The account's totals.
pub(crate) fn totals(report: &FundingReport) -> Vec<Remark> {
    let quote = clean(&report.quote);
    let row = |label: &str, text: String| (Tone::Plain, label.to_owned(), text);
    let mut rows = vec![
        row("funding", format!("paid {}, received {} {quote}", plain(report.paid), plain(report.received))),
        row(
            "profit",
            format!(
                "{:+.2} {quote} after funding, equity {} → {}{}",
                report.profit,
                money(report.equity_start),
                money(report.equity_end),
                transfers(report.transfers)
            ),
        ),
        row(
            "ahead",
            format!(
                "{} {quote} in the next 24 h; {} {quote} a year at these rates and positions",
                brings(report.forecast_24h, fee),
                brings(-report.annualised_cost, money)
            ),
        ),
    ];
    rows.push(row("checked", checked(report)));
    rows
}

fn transfers(amount: Notional) -> String {
    if amount.is_zero() { String::new() } else { format!(", of which {amount:+.2} transfers") }
}

fn brings(amount: Notional, shown: fn(Notional) -> String) -> String {
    let word = if amount.is_negative() { "costs" } else { "brings" };
    if amount.is_zero() { "brings 0".to_owned() } else { format!("{word} {}", shown(amount.abs())) }
}

fn checked(report: &FundingReport) -> String {
    let unknown = match report.not_comparable {
        0 => String::new(),
        many => format!("; {many} could not be checked"),
    };
    let Some(from) = report.compared_from.filter(|_| report.compared > 0) else {
        return format!("no settlement compared{unknown}");
    };
    let wrong = report.differences.len() + report.missing.len();
    let agree = if wrong == 0 { "all as rate × notional".to_owned() } else { format!("{wrong} wrong") };
    format!("{} since {}: {agree}{unknown}", count(report.compared, "settlement"), instant(from))
}

/// Settlements charged otherwise, one by one.
pub(crate) fn differences(report: &FundingReport) -> Vec<Remark> {
    let remark = |row: &Difference| {
        let expected = row.expected.map_or_else(|| "nothing".to_owned(), |amount| amount.to_string());
        let text = format!(
            "{}: charged {}, expected {expected}: {}",
            instant(row.at),
            row.charged,
            clean(&row.detail)
        );
        (Tone::Bad, clean(&row.symbol), text)
    };
    some_of(report.differences.iter().map(remark), report.differences.len())
}

/// Settlements without a row, one by one.
pub(crate) fn missing(report: &FundingReport) -> Vec<Remark> {
    let remark = |row: &Missing| {
        let text = format!("{}: {} was due: {}", instant(row.at), row.expected, clean(&row.detail));
        (Tone::Bad, clean(&row.symbol), text)
    };
    some_of(report.missing.iter().map(remark), report.missing.len())
}

fn some_of(rows: impl Iterator<Item = Remark>, total: usize) -> Vec<Remark> {
    let mut told: Vec<Remark> = rows.take(TOLD).collect();
    if total > TOLD {
        told.push((Tone::Bad, "…".to_owned(), format!("and {} more; `--json` lists them", total - TOLD)));
    }
    told
}
