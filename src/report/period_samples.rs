//! Invented periods and dashboards for the tests of every format.

use std::time::Duration;

use crate::decide::sector::Sector;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::report::dashboard::{DashboardReport, PassLine, PositionRow};
use crate::report::heading::Heading;
use crate::report::period::{CoinRow, CurvePoint, DayRow, DriftLine, Named, PeriodReport, Twin, TwinCoin};

const DAY: Duration = Duration::from_secs(86_400);

fn heading(mode: &str) -> Heading {
    Heading {
        at: "2026-11-20T08:29:39.973Z".parse().unwrap(),
        profile: "rebal".into(),
        mode: mode.into(),
        venue: "binance-usdm".into(),
    }
}

fn money(text: &str) -> Notional {
    text.parse().unwrap()
}

/// Realised, change of floating profit, funding, fees, harvest: what a coin is made of.
fn coin(name: &str, sector: Sector, parts: [&str; 5], orders: [u64; 3], turnover: u32) -> CoinRow {
    let [realized, unrealized_change, funding, fees, harvest] = parts.map(money);
    let net_profit = realized + unrealized_change + funding + fees;
    let [trades, reductions, wins] = orders;
    let whole = |count: u64| Rate::from(u32::try_from(count).unwrap());
    CoinRow {
        symbol: name.parse().unwrap(),
        sector,
        net_profit,
        realized,
        unrealized_change,
        funding,
        fees,
        trades,
        reductions,
        wins,
        win_rate: whole(wins).over(whole(reductions)).map(|rate| rate.rounded(8)),
        contribution: net_profit.over(Notional::from(200)).map(|rate| rate.rounded(8)),
        harvest,
        turnover: Notional::from(turnover),
        unrealized: unrealized_change,
        value: Some(Notional::from(20)),
    }
}

/// A report whose totals are those of its rows: 200.00 at the start and 25 paid in since.
fn of(rows: Vec<CoinRow>, unreconciled: &str) -> PeriodReport {
    let from: Time = "2026-11-13T08:25:00Z".parse().unwrap();
    let to = from + DAY * 7;
    let sum = |part: fn(&CoinRow) -> Notional| rows.iter().map(part).sum::<Notional>();
    let count = |part: fn(&CoinRow) -> u64| rows.iter().map(part).sum::<u64>();
    let (net_profit, transfers, other) = (sum(|row| row.net_profit), money("25"), money("0.12"));
    let fees_elsewhere = money("-0.0031");
    let equity_start = money("200");
    let unreconciled = money(unreconciled);
    let equity_end = equity_start + transfers + net_profit - fees_elsewhere + other + unreconciled;
    let twin_profit = net_profit - money("0.84");
    PeriodReport {
        schema: "rebal.report/1",
        heading: heading("live"),
        quote: "USDT".into(),
        from,
        to,
        halted: false,
        halt_id: None,
        halt_reason: None,
        halts: Vec::new(),
        liquidated_at: None,
        asked_from: from,
        asked_to: to,
        readings: 2017,
        equity_start,
        equity_end,
        transfers,
        other_income: other,
        other: vec![Named { name: "WELCOME_BONUS".into(), amount: other }],
        net_profit,
        growth: Some(Rate::new(1_607_500, 8)),
        max_drawdown: Rate::new(421, 4),
        realized_total: sum(|row| row.realized),
        unrealized_change_total: sum(|row| row.unrealized_change),
        funding_total: sum(|row| row.funding),
        fees_total: sum(|row| row.fees),
        fees_elsewhere,
        fees_unvalued: Vec::new(),
        turnover: sum(|row| row.turnover),
        trades: count(|row| row.trades),
        fills: count(|row| row.trades) + 3,
        trades_per_day: Rate::from(u32::try_from(count(|row| row.trades)).unwrap()).over(Rate::from(7)),
        reductions: count(|row| row.reductions),
        wins: count(|row| row.wins),
        win_rate: Some(Rate::new(7143, 4)),
        harvest: sum(|row| row.harvest),
        hold_twin_profit: Some(twin_profit),
        rebalancing_effect: Some(money("0.84")),
        hold_twin: Some(Twin {
            profit: twin_profit,
            price_profit: twin_profit - money("-0.4"),
            funding: money("-0.4"),
            fees: Notional::ZERO,
            others: Notional::ZERO,
            coins: rows.iter().map(twin_coin).collect(),
            notes: Vec::new(),
        }),
        unreconciled,
        equity_curve: curve(from, 7 * 24),
        days: (0..7).map(|day| day_row(from, day)).collect(),
        notes: Vec::new(),
        drift: rows.iter().enumerate().map(|(index, row)| drift(&row.symbol, from, index)).collect(),
        per_coin: rows,
    }
}

fn twin_coin(row: &CoinRow) -> TwinCoin {
    TwinCoin {
        symbol: row.symbol.clone(),
        qty: Qty::new(125, 1),
        from_price: Price::new(16, 1),
        to_price: Price::new(17, 1),
        price_profit: Notional::new(125, 2),
        funding: Notional::new(-2, 2),
    }
}

/// A wave with a fall in it and 25 paid in on the fourth day.
fn curve(from: Time, hours: i64) -> Vec<CurvePoint> {
    let mut peak = Notional::ZERO;
    let point = |hour: i64| {
        let nav = 10_000 + (hour * 37) % 290 - (hour / 12) % 5 * 60 + hour;
        let nav = Notional::new(nav, 4);
        peak = peak.max(nav);
        let units = Rate::from(if hour < 84 { 200 } else { 225 });
        CurvePoint {
            at: from + Duration::from_secs(hour.unsigned_abs() * 3600),
            equity: nav * units,
            nav,
            drawdown: nav.over(peak).map_or(Rate::ZERO, |kept| Rate::ONE - kept).rounded(8),
        }
    };
    (0..=hours).map(point).collect()
}

fn day_row(from: Time, day: u32) -> DayRow {
    DayRow {
        day: from.floor_to(DAY) + DAY * day,
        trades: u64::from(day * 5 % 9),
        turnover: Notional::from(day * 5 % 9 * 4),
    }
}

fn drift(symbol: &Symbol, from: Time, index: usize) -> DriftLine {
    let seed = i64::try_from(index).unwrap() * 7;
    let point = |hour: i64| {
        let drift = Rate::new((hour * (11 + seed) + seed * 13) % 110 - 45, 3);
        (from + Duration::from_secs(hour.unsigned_abs() * 3600), drift)
    };
    DriftLine { symbol: symbol.clone(), points: (0..=168).map(point).collect() }
}

/// A week of five coins in which all is explained.
pub(crate) fn week() -> PeriodReport {
    of(week_rows(), "0")
}

fn week_rows() -> Vec<CoinRow> {
    vec![
        coin("SOLUSDT", Sector::L1L2, ["1.9241", "0.8", "-0.0412", "-0.0102", "1.62"], [9, 6, 6], 41),
        coin("币安人生USDT", Sector::Meme, ["1.105", "0.2", "0.0331", "-0.0151", "0.98"], [11, 7, 4], 60),
        coin("BTCUSDT", Sector::L1L2, ["0", "0.41", "-0.02", "0", "0"], [0, 0, 0], 0),
        coin("1000PEPEUSDT", Sector::Meme, ["0.33", "-0.52", "-0.11", "-0.0302", "0.33"], [6, 1, 0], 24),
        coin("WIFUSDT", Sector::Meme, ["-0.61", "-0.3", "0.0014", "-0.02", "-0.08"], [8, 0, 0], 33),
    ]
}

/// The same week with an amount that nothing explains and what the reader should know of it.
pub(crate) fn gap() -> PeriodReport {
    PeriodReport {
        notes: vec![
            "fees of 0.00012 BNB are in no figure: the ledger has no price of BNB".into(),
            "-0.5 USDT of the unreconciled amount changed the wallet without a trade or an income row".into(),
        ],
        ..of(week_rows(), "-0.5")
    }
}

/// A week of so many coins, half of them with a loss.
pub(crate) fn many(coins: i64) -> PeriodReport {
    let row = |index: i64| {
        let cents = |amount: i64| Notional::new(amount, 2).to_string();
        let parts = [
            cents((index * 29) % 211 - 60),
            cents((index * 53) % 307 - 190),
            Notional::new((index * 17) % 900 - 500, 4).to_string(),
            Notional::new(-((index * 7) % 300), 4).to_string(),
            cents((index * 29) % 111),
        ];
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let sector = Sector::ALL[usize::try_from(index).unwrap() % Sector::ALL.len()];
        coin(
            &format!("{}{index}USDT", ["COIN", "X", "LONGERNAME"][index.unsigned_abs() as usize % 3]),
            sector,
            parts.try_into().unwrap(),
            [index.unsigned_abs() % 9, 3, index.unsigned_abs() % 4],
            31,
        )
    };
    let mut rows: Vec<CoinRow> = (0..coins).map(row).collect();
    rows.sort_by(|a, b| b.net_profit.cmp(&a.net_profit).then_with(|| a.symbol.cmp(&b.symbol)));
    of(rows, "0")
}

/// A period in which nobody looked at the account.
pub(crate) fn nothing() -> PeriodReport {
    let at = heading("paper").at;
    let note = "the ledger has no reading in this period".to_owned();
    PeriodReport::empty(heading("paper"), "USDT", (at - DAY * 7, at), None, Vec::new(), note)
}

/// A period with one reading of an account that holds nothing.
pub(crate) fn one_reading() -> PeriodReport {
    let report = nothing();
    let point =
        CurvePoint { at: report.from, equity: money("200"), nav: Notional::ONE, drawdown: Rate::ZERO };
    PeriodReport {
        readings: 1,
        to: report.from,
        equity_start: money("200"),
        equity_end: money("200"),
        growth: Some(Rate::ZERO),
        equity_curve: vec![point],
        notes: Vec::new(),
        ..report
    }
}

/// A period in which nothing moved, ever.
pub(crate) fn flat() -> PeriodReport {
    let report = one_reading();
    let from = report.from;
    let points = (0..50).map(|hour| CurvePoint { at: from + DAY * hour, ..report.equity_curve[0].clone() });
    let rows = vec![coin("BTCUSDT", Sector::L1L2, ["0"; 5], [0; 3], 0)];
    let drift = vec![DriftLine {
        symbol: rows[0].symbol.clone(),
        points: (0..50).map(|hour| (from + DAY * hour, Rate::ZERO)).collect(),
    }];
    PeriodReport {
        readings: 50,
        to: from + DAY * 49,
        hold_twin_profit: Some(Notional::ZERO),
        rebalancing_effect: Some(Notional::ZERO),
        equity_curve: points.collect(),
        days: vec![DayRow { day: from.floor_to(DAY), trades: 0, turnover: Notional::ZERO }],
        per_coin: rows,
        drift,
        ..report
    }
}

/// Whatever text can come from outside, at its worst.
pub(crate) const HOSTILE: &str =
    "=cmd|' /C calc'!A0<script src=\"http://x.invalid/\">&|[a](http://b)\u{1b}[2J\u{202e}*_`";

/// A report full of hostile text, with names that are odd but that an exchange could list.
pub(crate) fn hostile() -> PeriodReport {
    let rows = vec![
        coin("ﷺﷺUSDT", Sector::Other, ["1", "0", "0", "0", "0"], [1, 1, 1], 5),
        coin("A_B-C.DUSDT", Sector::Other, ["-1", "0", "0", "0", "0"], [1, 1, 0], 5),
        coin(&"W".repeat(40), Sector::Other, ["0", "2", "0", "0", "0"], [0, 0, 0], 5),
    ];
    let report = of(rows, "0.25");
    PeriodReport {
        heading: Heading {
            profile: HOSTILE.into(),
            mode: HOSTILE.into(),
            venue: HOSTILE.into(),
            ..report.heading
        },
        quote: HOSTILE.into(),
        other: vec![Named { name: HOSTILE.into(), amount: money("0.12") }],
        fees_unvalued: vec![Named { name: HOSTILE.into(), amount: money("0.5") }],
        notes: vec![HOSTILE.into()],
        ..report
    }
}

fn position(name: &str, value: &str, entry: &str, mark: &str, floating: &str) -> PositionRow {
    let target = Notional::from(20);
    let value = money(value);
    PositionRow {
        symbol: name.parse().unwrap(),
        sector: Sector::Other,
        qty: Qty::new(125, 1),
        value: Some(value),
        target: Some(target),
        drift: value.over(target).map(|ratio| ratio - Rate::ONE),
        sell_band: Some(Rate::new(5, 2)),
        buy_band: Some(Rate::new(25, 2)),
        entry_price: Some(entry.parse().unwrap()),
        mark_price: Some(mark.parse().unwrap()),
        unrealized_pnl: money(floating),
        funding: Notional::new(-412, 4),
        funding_annualised: Some(Rate::new(1095, 4)),
        next_funding: Some("2026-11-20T16:00:00Z".parse().unwrap()),
        liquidation_price: None,
    }
}

fn pass(pass_id: i64, minutes: u64, outcome: &str, exit_code: Option<u8>, orders: u32) -> PassLine {
    let at = heading("live").at - Duration::from_secs(minutes * 60);
    PassLine { pass_id, at, outcome: outcome.into(), exit_code, orders }
}

/// The account now, in good order.
pub(crate) fn now() -> DashboardReport {
    let stranger = PositionRow {
        target: None,
        drift: None,
        sell_band: None,
        buy_band: None,
        funding_annualised: None,
        ..position("LUNAUSDT", "3.02", "0.61", "0.57", "-0.21")
    };
    DashboardReport {
        equity: money("229.0631"),
        available: money("181.4"),
        unrealized: money("0.8"),
        margin_ratio: Rate::new(171, 4),
        effective_leverage: Rate::new(44, 2),
        nav: Rate::new(10161, 4),
        peak_nav: Rate::new(10452, 4),
        drawdown: Rate::new(278, 4),
        max_drawdown_limit: Rate::new(20, 2),
        positions: vec![
            position("SOLUSDT", "21.3", "161.2", "163.41", "0.8"),
            position("BTCUSDT", "20.5", "60010.5", "60123.4567", "0.41"),
            position("币安人生USDT", "18.1", "0.1201", "0.1213", "0.2"),
            position("1000PEPEUSDT", "14.2", "0.0081", "0.0078271", "-0.52"),
            stranger,
        ],
        passes: vec![
            pass(2017, 4, "nothing_to_do", Some(0), 0),
            pass(2016, 9, "traded", Some(0), 3),
            pass(2015, 14, "partial", Some(5), 2),
            pass(2014, 19, "started", None, 0),
        ],
        unresolved: 1,
        period: week(),
    }
}

/// The account after its stop.
pub(crate) fn halted() -> DashboardReport {
    DashboardReport {
        period: PeriodReport {
            halted: true,
            halt_id: Some("h-17".into()),
            halt_reason: Some("drawdown 21.4 % is beyond 20 %".into()),
            ..week()
        },
        positions: Vec::new(),
        drawdown: Rate::new(214, 3),
        unresolved: 0,
        ..now()
    }
}

/// A dashboard full of hostile text.
pub(crate) fn hostile_now() -> DashboardReport {
    let mut report = halted();
    report.period.halt_id = Some(HOSTILE.into());
    report.period.halt_reason = Some(HOSTILE.into());
    report.passes[0].outcome = HOSTILE.into();
    report.positions = vec![position("ﷺUSDT", "21.3", "161.2", "163.41", "0.8")];
    report.period = hostile();
    report
}

/// Every period.
pub(crate) fn periods() -> Vec<PeriodReport> {
    vec![week(), gap(), many(20), many(100), nothing(), one_reading(), flat(), hostile()]
}

/// Every dashboard.
pub(crate) fn dashboards() -> Vec<DashboardReport> {
    vec![now(), halted(), hostile_now()]
}

/// The same of a spot account.
pub(crate) fn on_spot(mut report: PeriodReport) -> PeriodReport {
    report.heading.venue = "binance-spot".into();
    report
}
