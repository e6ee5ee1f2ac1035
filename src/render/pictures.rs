//! Which charts a page has, what each of them says in words, and its legend.

use std::time::Duration;

use crate::domain::num::{Notional, Rate};
use crate::domain::time::Time;
use crate::render::chart::{self, Bar, Curve, Ink};
use crate::render::earnings::signed;
use crate::render::text::{clean, count, instant, money, share};
use crate::report::period::{CoinRow, PeriodReport};

/// More rows than this are cut in the middle: the best and the worst are what matters.
const MOST_ROWS: usize = 40;
/// Columns of the drift map.
const MAP_COLUMNS: usize = 56;

/// One chart of a page.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    /// Above it.
    pub(crate) title: &'static str,
    /// What it shows, in a sentence, for those who do not see it.
    pub(crate) summary: String,
    /// The SVG from its viewBox on.
    pub(crate) drawing: String,
    /// Its colours.
    pub(crate) legend: Vec<(Ink, String)>,
    /// What is not in it.
    pub(crate) left_out: String,
}

/// Every chart that the report has figures for; `limit` is the drawdown at which everything is sold.
pub(crate) fn pictures(report: &PeriodReport, limit: Option<Rate>) -> Vec<Picture> {
    let all = [
        equity(report),
        drawdown(report, limit),
        twin(report),
        contributions(report),
        if report.heading.is_spot() { None } else { funding(report) },
        drift(report),
        turnover(report),
        trades(report),
    ];
    all.into_iter().flatten().collect()
}

fn equity(report: &PeriodReport) -> Option<Picture> {
    let quote = clean(&report.quote);
    let points: Vec<(Time, f64)> =
        report.equity_curve.iter().map(|point| (point.at, point.equity.approx())).collect();
    let start = report.equity_start.approx();
    let levels = vec![(start, Ink::Other)];
    let drawing = chart::curve(&Curve {
        points,
        unit: &quote,
        ink: Ink::Main,
        filled: false,
        shows: Vec::new(),
        levels,
    })?;
    Some(Picture {
        title: "Equity",
        summary: format!(
            "Equity went from {} to {} {quote} between {} and {}.",
            money(report.equity_start),
            money(report.equity_end),
            instant(report.from),
            instant(report.to)
        ),
        drawing,
        legend: vec![
            (Ink::Main, "equity before each pass".to_owned()),
            (Ink::Other, format!("at the start, {}", money(report.equity_start))),
        ],
        left_out: match report.transfers {
            transfers if transfers.is_zero() => String::new(),
            transfers => format!("Contains transfers of {} {quote}.", signed(transfers)),
        },
    })
}

fn drawdown(report: &PeriodReport, limit: Option<Rate>) -> Option<Picture> {
    let percent = |rate: Rate| -(rate * Rate::from(100)).approx();
    let points: Vec<(Time, f64)> =
        report.equity_curve.iter().map(|point| (point.at, percent(point.drawdown))).collect();
    let shows = vec![0.0, -1.0];
    let levels = limit.iter().map(|limit| (percent(*limit), Ink::Other)).collect();
    let drawing = chart::curve(&Curve { points, unit: "%", ink: Ink::Loss, filled: true, shows, levels })?;
    let mut legend =
        vec![(Ink::Loss, "below the highest value of the period, deposits and withdrawals apart".to_owned())];
    legend.extend(limit.map(|limit| (Ink::Other, format!("everything is sold at {}", share(limit)))));
    Some(Picture {
        title: "Drawdown",
        summary: format!("The deepest drawdown was {}.", share(report.max_drawdown)),
        drawing,
        legend,
        left_out: String::new(),
    })
}

fn twin(report: &PeriodReport) -> Option<Picture> {
    let (holding, effect) = (report.hold_twin_profit?, report.rebalancing_effect?);
    let quote = clean(&report.quote);
    let bar = |name: &str, amount: Notional, ink: Ink| Bar {
        name: name.to_owned(),
        value: amount.approx(),
        shown: signed(amount),
        ink,
    };
    let drawing = chart::bars(
        &[
            bar("account", report.net_profit, Ink::Main),
            bar("hold twin", holding, Ink::Other),
            bar("rebalancing", effect, Ink::of(effect.approx())),
        ],
        &quote,
    )?;
    Some(Picture {
        title: "What rebalancing did",
        summary: format!(
            "The account earned {} {quote}, holding would have earned {}, so rebalancing made {}.",
            signed(report.net_profit),
            signed(holding),
            signed(effect)
        ),
        drawing,
        legend: vec![
            (Ink::Main, "net profit of the account".to_owned()),
            (Ink::Other, "the same coins bought at the start and never rebalanced".to_owned()),
            (Ink::of(effect.approx()), "the difference".to_owned()),
        ],
        left_out: String::new(),
    })
}

fn contributions(report: &PeriodReport) -> Option<Picture> {
    let quote = clean(&report.quote);
    let shown = |row: &CoinRow| match row.contribution {
        Some(rate) => format!("{} ({:+.2} %)", signed(row.net_profit), rate * Rate::from(100)),
        None => signed(row.net_profit),
    };
    let rows: Vec<&CoinRow> = report.per_coin.iter().collect();
    let (drawing, left_out) = coins(&rows, &quote, |row| row.net_profit, shown)?;
    Some(Picture {
        title: "Contribution of each coin",
        summary: format!("Net profit of {}: {} {quote}.", ends(report), signed(report.net_profit)),
        drawing,
        legend: vec![
            (Ink::Gain, "net profit, and its part of the equity at the start".to_owned()),
            (Ink::Loss, "net loss".to_owned()),
        ],
        left_out,
    })
}

fn funding(report: &PeriodReport) -> Option<Picture> {
    let quote = clean(&report.quote);
    let mut rows: Vec<&CoinRow> = report.per_coin.iter().collect();
    rows.sort_by(|a, b| b.funding.cmp(&a.funding).then_with(|| a.symbol.cmp(&b.symbol)));
    let (drawing, left_out) = coins(&rows, &quote, |row| row.funding, |row| signed(row.funding))?;
    Some(Picture {
        title: "Funding by coin",
        summary: format!("Funding of all coins came to {} {quote}.", signed(report.funding_total)),
        drawing,
        legend: vec![(Ink::Gain, "received".to_owned()), (Ink::Loss, "paid".to_owned())],
        left_out,
    })
}

fn ends(report: &PeriodReport) -> String {
    let coin =
        |row: Option<&CoinRow>| row.map_or_else(String::new, |row| clean(row.symbol.coin(&report.quote)));
    let (best, worst) = (coin(report.per_coin.first()), coin(report.per_coin.last()));
    format!("{}, best {best}, worst {worst}", count(report.per_coin.len(), "coin"))
}

/// One bar per row, and a word on those that found no room.
fn coins(
    rows: &[&CoinRow],
    quote: &str,
    part: fn(&CoinRow) -> Notional,
    shown: impl Fn(&CoinRow) -> String,
) -> Option<(String, String)> {
    let (first, last) = shown_rows(rows.len());
    let bars: Vec<Bar> = rows
        .iter()
        .enumerate()
        .filter(|(index, _)| *index < first || *index >= last)
        .map(|(_, row)| Bar {
            name: clean(row.symbol.coin(quote)),
            value: part(row).approx(),
            shown: shown(row),
            ink: Ink::of(part(row).approx()),
        })
        .collect();
    let left_out = match last - first {
        0 => String::new(),
        between => {
            format!("{} between the best and the worst are in the table below only.", count(between, "coin"))
        }
    };
    Some((chart::bars(&bars, quote)?, left_out))
}

/// Rows before the first and from the last are shown.
pub(crate) fn shown_rows(rows: usize) -> (usize, usize) {
    if rows <= MOST_ROWS { (rows, rows) } else { (MOST_ROWS / 2, rows - MOST_ROWS / 2) }
}

fn drift(report: &PeriodReport) -> Option<Picture> {
    let (from, to) = (report.from, report.to);
    // Readings far apart get wide cells, not gaps between narrow ones.
    let readings = report.drift.iter().map(|line| line.points.len()).max()?;
    let columns = readings.clamp(1, MAP_COLUMNS);
    let step = (to.since(from) / u32::try_from(columns).unwrap_or(1)).max(Duration::from_secs(60));
    let column = |at: Time| {
        let part = at.since(from).as_secs_f64() / step.as_secs_f64();
        usize::min(part as usize, columns - 1)
    };
    let mut lines: Vec<_> = report.drift.iter().filter(|line| !line.points.is_empty()).collect();
    let farthest = |points: &[(Time, Rate)]| points.iter().map(|point| point.1.abs()).max();
    lines.sort_by(|a, b| farthest(&b.points).cmp(&farthest(&a.points)).then_with(|| a.symbol.cmp(&b.symbol)));
    let hidden = lines.len().saturating_sub(MOST_ROWS);
    lines.truncate(MOST_ROWS);
    let mut all = Vec::new();
    let mut rows = Vec::new();
    for line in lines {
        // Of each stretch the farthest drift: what a person looks for is still there.
        let mut cells = vec![None::<Rate>; columns];
        for (at, drift) in &line.points {
            if let Some(cell) = cells.get_mut(column(*at)) {
                *cell = Some(cell.filter(|old| old.abs() >= drift.abs()).unwrap_or(*drift));
            }
        }
        // Where nobody looked it stands as it was seen last.
        let mut seen = None;
        for cell in &mut cells {
            seen = cell.or(seen);
            *cell = seen;
        }
        all.extend(cells.iter().flatten().map(|drift| drift.abs()));
        let cell = |(index, drift): (usize, &Option<Rate>)| {
            let begin = from + step * u32::try_from(index).unwrap_or(0);
            Some((begin, begin + step, (*drift)?.approx()))
        };
        rows.push((
            clean(line.symbol.coin(&report.quote)),
            cells.iter().enumerate().filter_map(cell).collect(),
        ));
    }
    all.sort();
    // The first purchases are a drift of -100 %; they must not pale everything else.
    let full = all.get(all.len().saturating_sub(1) * 95 / 100).copied()?.max(Rate::new(1, 2));
    let drawing = chart::map(&rows, full.approx())?;
    let full = share(full);
    Some(Picture {
        title: "Drift over time",
        summary: format!(
            "How far each of {} was from its target; full colour is {full} or more.",
            count(rows.len(), "coin")
        ),
        drawing,
        legend: vec![
            (Ink::Gain, format!("above target, full colour at +{full} and more")),
            (Ink::Loss, format!("below target, full colour at -{full} and less")),
        ],
        left_out: match hidden {
            0 => String::new(),
            hidden => format!("{} that drifted less are left out.", count(hidden, "coin")),
        },
    })
}

fn turnover(report: &PeriodReport) -> Option<Picture> {
    let quote = clean(&report.quote);
    let days: Vec<(Time, f64)> = report.days.iter().map(|day| (day.day, day.turnover.approx())).collect();
    let drawing = chart::columns(&days, (report.from, report.to), &quote, Ink::Main)?;
    Some(Picture {
        title: "Turnover per day",
        summary: format!("Turnover was {} {quote} in all.", money(report.turnover)),
        drawing,
        legend: vec![(Ink::Main, "notional of all executions, by UTC day".to_owned())],
        left_out: String::new(),
    })
}

fn trades(report: &PeriodReport) -> Option<Picture> {
    let count_of = |trades: u64| u32::try_from(trades).map_or(f64::MAX, f64::from);
    let days: Vec<(Time, f64)> = report.days.iter().map(|day| (day.day, count_of(day.trades))).collect();
    let drawing = chart::columns(&days, (report.from, report.to), "orders", Ink::Other)?;
    Some(Picture {
        title: "Trades per day",
        summary: format!("{} orders were executed.", report.trades),
        drawing,
        legend: vec![(Ink::Other, "orders that were executed, by UTC day".to_owned())],
        left_out: String::new(),
    })
}
