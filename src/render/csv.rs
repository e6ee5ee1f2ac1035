//! Rows for spreadsheets: one per coin of a plan, order of a pass, figure of a risk check, position
//! of a flatten, contract of a scan, coin of a funding report or a period, position of the dashboard.

use crate::domain::num::{Amount, Notional};
use crate::domain::order::Side;
use crate::domain::time::Time;
use crate::render::fees;
use crate::render::text::clean;
use crate::report::backtest::BacktestReport;
use crate::report::backtest::coin::{CoinResult, Trade};
use crate::report::dashboard::{DashboardReport, PositionRow};
use crate::report::doctor::DoctorReport;
use crate::report::flatten::{Closed, FlattenReport, Remaining};
use crate::report::funding::{CoinFunding, FundingReport};
use crate::report::lines::{Action, Line};
use crate::report::pass::{OrderReport, PassReport};
use crate::report::period::{CoinRow, PeriodReport};
use crate::report::plan::PlanReport;
use crate::report::risk::RiskReport;
use crate::report::scan::ScanReport;
use crate::report::sweep::figures::Figure;
use crate::report::sweep::{Params, SweepReport};

/// Columns of a backtest.
const BACKTEST: [&str; 18] = [
    "from",
    "to",
    "symbol",
    "net_profit",
    "realized",
    "unrealized",
    "funding",
    "fees",
    "slippage",
    "trades",
    "reductions",
    "wins",
    "turnover",
    "value",
    "unavailable",
    "quote",
    "refused",
    "refused_detail",
];

/// Columns of a backtest's executions, named as those of trades.csv.
const EXECUTIONS: [&str; 8] = ["time", "symbol", "side", "reason", "qty", "price", "notional", "fee"];

/// Columns of a plan.
const PLAN: [&str; 13] = [
    "at",
    "plan_id",
    "symbol",
    "value",
    "target",
    "drift",
    "sell_band",
    "effective_buy_band",
    "action",
    "qty",
    "notional",
    "reason",
    "detail",
];

/// Columns of a pass; `when` is `now` or `settled`.
const PASS: [&str; 16] = [
    "at",
    "pass_id",
    "when",
    "symbol",
    "side",
    "reason",
    "client_order_id",
    "status",
    "qty",
    "filled_qty",
    "avg_price",
    "fee",
    "fee_asset",
    "realized_pnl",
    "error",
    "other_fees",
];

/// Columns of a risk check.
const RISK: [&str; 8] = ["at", "name", "status", "value", "bound", "limit", "subject", "detail"];

/// Columns of a doctor's report.
const DOCTOR: [&str; 7] = ["at", "group", "name", "status", "found", "needed", "fix"];

/// Columns of a flatten; `what` is `closed` or `remaining`.
const FLATTEN: [&str; 11] = [
    "at",
    "what",
    "symbol",
    "side",
    "qty",
    "avg_price",
    "realized_pnl",
    "fee",
    "fee_asset",
    "reason",
    "other_fees",
];

/// Columns of a scan; `what` is `chosen` or `rejected`.
const SCAN: [&str; 14] = [
    "at",
    "what",
    "symbol",
    "sector",
    "sector_from",
    "rank",
    "quote_volume_24h",
    "funding_annualised",
    "interval_hours",
    "spread_bps",
    "age_days",
    "how",
    "reason",
    "detail",
];

/// Columns of a funding report.
const FUNDING: [&str; 16] = [
    "at",
    "from",
    "symbol",
    "paid",
    "received",
    "net",
    "interval_hours",
    "next_rate",
    "next_time",
    "annualised",
    "qty",
    "value",
    "annualised_cost",
    "forecast_24h",
    "listed",
    "wrong",
];

/// Columns of a period.
const PERIOD: [&str; 19] = [
    "from",
    "to",
    "symbol",
    "sector",
    "net_profit",
    "contribution",
    "realized",
    "unrealized_change",
    "funding",
    "fees",
    "trades",
    "reductions",
    "wins",
    "win_rate",
    "harvest",
    "turnover",
    "unrealized",
    "value",
    "quote",
];

/// Columns of the dashboard.
const DASHBOARD: [&str; 16] = [
    "at",
    "symbol",
    "sector",
    "qty",
    "value",
    "target",
    "drift",
    "sell_band",
    "effective_buy_band",
    "entry_price",
    "mark_price",
    "liquidation_price",
    "unrealized_pnl",
    "funding",
    "funding_annualised",
    "next_funding",
];

/// One row per coin: how it stands, what is done about it and why.
#[must_use]
pub fn plan(report: &PlanReport) -> String {
    let rows = report.lines().into_iter().map(|line| plan_row(report, &line));
    table(&PLAN, rows)
}

/// One row per order: those settled from earlier passes first, then this pass'.
#[must_use]
pub fn pass(report: &PassReport) -> String {
    let settled = report.settled.iter().map(|order| pass_row(report, "settled", order));
    let sent = report.orders.iter().map(|order| pass_row(report, "now", order));
    table(&PASS, settled.chain(sent))
}

/// One row per figure, in the report's order.
#[must_use]
pub fn risk(report: &RiskReport) -> String {
    let row = |check: &crate::report::check::Check| {
        vec![
            report.heading.at.to_string(),
            check.name.to_owned(),
            check.status.as_str().to_owned(),
            check.value.to_string(),
            check.bound.as_str().to_owned(),
            check.limit.to_string(),
            check.subject.clone().unwrap_or_default(),
            check.detail.clone(),
        ]
    };
    table(&RISK, report.checks.iter().map(row))
}

/// One row per check.
#[must_use]
pub fn doctor(report: &DoctorReport) -> String {
    let row = |check: &crate::report::doctor::Row| {
        vec![
            report.heading.at.to_string(),
            check.group.as_str().to_owned(),
            check.name.to_owned(),
            check.status.as_str().to_owned(),
            check.found.clone(),
            check.needed.clone(),
            check.fix.clone(),
        ]
    };
    table(&DOCTOR, report.checks.iter().map(row))
}

/// One row per position: what was closed, then what is left.
#[must_use]
pub fn flatten(report: &FlattenReport) -> String {
    let at = report.heading.at.to_string();
    let closed = |row: &Closed| {
        let (fee, fee_asset) = fees::first(&row.fees);
        vec![
            at.clone(),
            "closed".to_owned(),
            row.symbol.to_string(),
            row.side.as_str().to_owned(),
            row.qty.to_string(),
            maybe(row.avg_price),
            row.realized_pnl.to_string(),
            fee,
            fee_asset,
            String::new(),
            fees::others(&row.fees),
        ]
    };
    let remaining = |row: &Remaining| {
        let mut cells = vec![at.clone(), "remaining".to_owned(), row.symbol.to_string(), String::new()];
        cells.push(row.qty.to_string());
        cells.extend(vec![String::new(); 4]);
        cells.push(row.reason.clone());
        cells.push(String::new());
        cells
    };
    table(&FLATTEN, report.closed.iter().map(closed).chain(report.remaining.iter().map(remaining)))
}

/// One row per contract: the chosen ones, then the rejected ones, each by rank.
#[must_use]
pub fn scan(report: &ScanReport) -> String {
    let at = report.heading.at.to_string();
    let chosen = report.universe.iter().map(|coin| {
        vec![
            at.clone(),
            "chosen".to_owned(),
            coin.symbol.to_string(),
            coin.sector.to_string(),
            coin.sector_from.as_str().to_owned(),
            coin.rank.to_string(),
            coin.quote_volume_24h.to_string(),
            maybe(coin.funding_annualised),
            coin.interval_hours.map_or_else(String::new, |hours| hours.to_string()),
            maybe(coin.spread_bps),
            coin.age_days.map_or_else(String::new, |days| days.to_string()),
            coin.how.as_str().to_owned(),
            String::new(),
            String::new(),
        ]
    });
    let rejected = report.rejected.iter().map(|row| {
        let mut cells =
            vec![at.clone(), "rejected".to_owned(), row.symbol.to_string(), row.sector.to_string()];
        cells.push(String::new());
        cells.push(row.rank.map_or_else(String::new, |rank| rank.to_string()));
        cells.extend(vec![String::new(); 6]);
        cells.extend([row.reason.as_str().to_owned(), row.detail.clone()]);
        cells
    });
    table(&SCAN, chosen.chain(rejected))
}

/// One row per coin; `wrong` counts its settlements that were charged otherwise or have no row.
#[must_use]
pub fn funding(report: &FundingReport) -> String {
    let row = |coin: &CoinFunding| {
        let differing = report.differences.iter().filter(|row| row.symbol == coin.symbol).count();
        let missing = report.missing.iter().filter(|row| row.symbol == coin.symbol).count();
        vec![
            report.to.to_string(),
            report.from.to_string(),
            coin.symbol.clone(),
            coin.paid.to_string(),
            coin.received.to_string(),
            coin.net.to_string(),
            coin.interval_hours.map_or_else(String::new, |hours| hours.to_string()),
            maybe(coin.next_rate),
            coin.next_time.map_or_else(String::new, |at| at.to_string()),
            maybe(coin.annualised),
            coin.qty.to_string(),
            maybe(coin.value),
            maybe(coin.annualised_cost),
            maybe(coin.forecast_24h),
            coin.listed.to_string(),
            (differing + missing).to_string(),
        ]
    };
    table(&FUNDING, report.per_coin.iter().map(row))
}

/// One row per coin that was held or traded, the best first.
#[must_use]
pub fn period(report: &PeriodReport) -> String {
    let (from, to) = (report.from.to_string(), report.to.to_string());
    let row = |row: &CoinRow| {
        vec![
            from.clone(),
            to.clone(),
            row.symbol.to_string(),
            row.sector.to_string(),
            row.net_profit.to_string(),
            maybe(row.contribution),
            row.realized.to_string(),
            row.unrealized_change.to_string(),
            row.funding.to_string(),
            row.fees.to_string(),
            row.trades.to_string(),
            row.reductions.to_string(),
            row.wins.to_string(),
            maybe(row.win_rate),
            row.harvest.to_string(),
            row.turnover.to_string(),
            row.unrealized.to_string(),
            maybe(row.value),
            report.quote.clone(),
        ]
    };
    table(&PERIOD, report.per_coin.iter().map(row))
}

/// One row per position or coin of the strategy, the largest first.
#[must_use]
pub fn dashboard(report: &DashboardReport) -> String {
    let at = report.period.heading.at.to_string();
    let row = |row: &PositionRow| {
        vec![
            at.clone(),
            row.symbol.to_string(),
            row.sector.to_string(),
            row.qty.to_string(),
            maybe(row.value),
            maybe(row.target),
            maybe(row.drift),
            maybe(row.sell_band),
            maybe(row.buy_band),
            maybe(row.entry_price),
            maybe(row.mark_price),
            maybe(row.liquidation_price),
            row.unrealized_pnl.to_string(),
            row.funding.to_string(),
            maybe(row.funding_annualised),
            row.next_funding.map_or_else(String::new, |at| at.to_string()),
        ]
    };
    table(&DASHBOARD, report.positions.iter().map(row))
}

fn plan_row(report: &PlanReport, line: &Line) -> Vec<String> {
    let (action, qty, notional, reason, detail) = match &line.action {
        Action::Trade { side, qty, notional, reason, .. } => {
            let verb = if *side == Side::Buy { "buy" } else { "sell" };
            (verb, qty.to_string(), notional.to_string(), reason.as_str(), String::new())
        }
        Action::Hold => ("hold", String::new(), String::new(), "", String::new()),
        Action::Skip { reason, detail } => {
            ("skip", String::new(), String::new(), reason.as_str(), detail.clone())
        }
    };
    vec![
        report.heading.at.to_string(),
        report.plan_id.clone(),
        line.symbol.to_string(),
        maybe(line.value),
        maybe(line.target),
        maybe(line.drift),
        maybe(line.sell_band),
        maybe(line.buy_band),
        action.to_owned(),
        qty,
        notional,
        reason.to_owned(),
        detail,
    ]
}

/// One row per coin of a backtest, the best first; the curves are in JSON.
#[must_use]
pub fn backtest(report: &BacktestReport) -> String {
    let (from, to) = (report.from.to_string(), report.to.to_string());
    let row = |coin: &CoinResult| {
        vec![
            from.clone(),
            to.clone(),
            coin.symbol.to_string(),
            coin.net_profit.to_string(),
            coin.realized.to_string(),
            coin.unrealized.to_string(),
            coin.funding.to_string(),
            coin.fees.to_string(),
            coin.slippage.to_string(),
            coin.trades.to_string(),
            coin.reductions.to_string(),
            coin.wins.to_string(),
            coin.turnover.to_string(),
            coin.value.to_string(),
            coin.unavailable.to_string(),
            report.quote.clone(),
            coin.refused.as_ref().map_or_else(String::new, |refused| refused.reason.as_str().to_owned()),
            coin.refused.as_ref().map_or_else(String::new, |refused| refused.detail.clone()),
        ]
    };
    table(&BACKTEST, report.per_coin.iter().map(row))
}

/// One row per execution of a backtest, in order.
#[must_use]
pub fn executions(trades: &[Trade]) -> String {
    let row = |trade: &Trade| {
        vec![
            trade.at.to_string(),
            trade.symbol.to_string(),
            trade.side.as_str().to_owned(),
            trade.reason.as_str().to_owned(),
            trade.qty.to_string(),
            trade.price.to_string(),
            trade.notional.to_string(),
            trade.fee.to_string(),
        ]
    };
    table(&EXECUTIONS, trades.iter().map(row))
}

/// One row per setting, the best first, then those that were refused: its keys, its figures, how it ended.
#[must_use]
pub fn sweep(report: &SweepReport) -> String {
    let keys = report.grid.axes().iter().map(|axis| axis.key.as_str());
    let figures = Figure::ALL.iter().map(|figure| figure.as_str());
    let head: Vec<&str> =
        keys.chain(figures).chain(["liquidated_at", "stopped_at", "refused", "stops"]).collect();
    let values = |params: &Params| params.pairs().map(|(_, value)| value.to_owned()).collect::<Vec<_>>();
    let at = |time: Option<Time>| time.map_or_else(String::new, |time| time.to_string());
    let ran = report.runs.iter().map(|run| {
        let mut cells = values(&run.params);
        cells.extend(Figure::ALL.iter().map(|figure| maybe(figure.of(&run.figures))));
        cells.extend([at(run.figures.liquidated_at), at(run.figures.stopped_at), String::new()]);
        cells.push(run.figures.stops.to_string());
        cells
    });
    let refused = report.refused.iter().map(|refused| {
        let mut cells = values(&refused.params);
        cells.extend(vec![String::new(); Figure::ALL.len() + 2]);
        cells.extend([refused.reason.clone(), String::new()]);
        cells
    });
    table(&head, ran.chain(refused))
}

fn pass_row(report: &PassReport, when: &str, order: &OrderReport) -> Vec<String> {
    let (fee, fee_asset) = fees::first(&order.fees);
    vec![
        report.heading.at.to_string(),
        report.pass_id.clone(),
        when.to_owned(),
        order.symbol.to_string(),
        order.side.as_str().to_owned(),
        order.reason.clone(),
        order.client_order_id.clone(),
        order.status.as_str().to_owned(),
        order.qty.to_string(),
        order.filled_qty.to_string(),
        maybe(order.avg_price),
        fee,
        fee_asset,
        order.realized_pnl.to_string(),
        order.error.clone().unwrap_or_default(),
        fees::others(&order.fees),
    ]
}

fn maybe<K>(amount: Option<Amount<K>>) -> String {
    amount.map_or_else(String::new, |amount| amount.to_string())
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing into memory cannot fail, and every row has the columns of its head.
    let _ = writer.write_record(head);
    for row in rows {
        let _ = writer.write_record(row.iter().map(|cell| harmless(cell)));
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// A cell that no spreadsheet takes for a formula: an apostrophe goes before whatever begins like
/// one and is no plain number. What steers a terminal is dropped.
#[must_use]
pub fn harmless(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let number = cell.parse::<Notional>().is_ok();
    let text = clean(cell);
    // Dropping a first character can uncover a second one that begins a formula.
    let uncovered = text.trim_start().starts_with(['=', '+', '-', '@']);
    if (formula || uncovered) && !number { format!("'{text}") } else { text }
}
