//! Plans, passes, risk checks, flattens, scans, funding and periods as GitHub-flavoured markdown.

use crate::domain::order::Side;
use crate::render::grid::{Align, Grid};
use crate::render::paint::Tone;
use crate::render::remarks::{self, Remark};
use crate::render::text::{clean, instant, money, percent};
use crate::render::{
    charges, coins, earnings, figures, glance, orders, positions, preflight, settings, summary, trial,
    universe, words,
};
use crate::report::backtest::BacktestReport;
use crate::report::dashboard::DashboardReport;
use crate::report::doctor::DoctorReport;
use crate::report::flatten::FlattenReport;
use crate::report::funding::FundingReport;
use crate::report::heading::Heading;
use crate::report::lines::{Action, Line};
use crate::report::pass::{OrderReport, Outcome, PassReport};
use crate::report::period::PeriodReport;
use crate::report::plan::PlanReport;
use crate::report::risk::RiskReport;
use crate::report::scan::ScanReport;
use crate::report::sweep::SweepReport;

/// The heading over changes to stops.
const STOPS: &str = "Stops at the exchange";

/// A plan: the verdict, one row per coin, what could not be done, the totals.
#[must_use]
pub fn plan(report: &PlanReport) -> String {
    let mut text = halt(report.halt_id.as_deref(), "") + &head("plan", &report.heading);
    text.push_str(&format!("{}\n", escape(&summary::plan_verdict(report).1)));
    text.push_str(&standings(report));
    text.push_str(&bullets(STOPS, remarks::stops(report.stops.iter(), &report.quote)));
    text.push_str(&bullets("Not traded", remarks::not_traded(report)));
    text.push_str(&bullets("Worth knowing", remarks::warnings(report)));
    text.push_str(&bullets("Account", summary::totals(report)));
    text
}

/// A pass: the verdict, its orders, what could not be done, the totals.
#[must_use]
pub fn pass(report: &PassReport) -> String {
    let quote = report.plan.as_ref().map_or("USDT", |plan| plan.quote.as_str());
    let mut text = halt(report.halt_id.as_deref(), "");
    if let Some(alarm) = summary::pass_alarm(report) {
        text.push_str(&format!("**{}**\n\n", escape(&alarm)));
    }
    text.push_str(&head("pass", &report.heading));
    text.push_str(&format!("{}\n", escape(&summary::pass_verdict(report).1)));
    if let Some(plan) = report.plan.as_ref().filter(|_| report.outcome == Outcome::DryRun) {
        text.push_str(&standings(plan));
        text.push_str(&bullets(STOPS, remarks::stops(plan.stops.iter(), quote)));
    }
    text.push_str(&sent("Orders", &report.orders, quote));
    text.push_str(&sent("Settled from earlier passes", &report.settled, quote));
    text.push_str(&bullets(STOPS, remarks::stops(report.stops.iter().map(|stop| &stop.change), quote)));
    text.push_str(&bullets("Stops that could not be changed", remarks::stops_in_trouble(report, quote)));
    text.push_str(&bullets("What happens next", remarks::troubled(report, quote)));
    if let Some(plan) = &report.plan {
        text.push_str(&bullets("Not traded", remarks::not_traded(plan)));
        text.push_str(&bullets("Worth knowing", remarks::warnings(plan)));
    }
    text.push_str(&bullets("Account", summary::pass_totals(report, quote)));
    text.push_str(&notes(&report.notes));
    text
}

/// A risk check: the verdict, one row per figure, the totals.
#[must_use]
pub fn risk(report: &RiskReport) -> String {
    let mut text = halt(report.halt_id.as_deref(), figures::halted_with(report));
    text.push_str(&head("risk", &report.heading));
    if let Some(resumed) = figures::resumed(report) {
        text.push_str(&format!("{}\n\n", escape(&resumed)));
    }
    text.push_str(&format!("{}\n", escape(&figures::verdict(report).1)));
    let [full, ..] = figures::grids(report);
    text.push_str(&drawn(&full));
    text.push_str(&bullets("Account", figures::totals(report)));
    text.push_str(&notes(&report.notes));
    text
}

/// A doctor's report: the verdict, one row per check, the values where they were asked for.
#[must_use]
pub fn doctor(report: &DoctorReport) -> String {
    let mut text = head("doctor", &report.heading);
    text.push_str(&format!("{}\n", escape(&preflight::verdict(report).1)));
    text.push_str(&drawn(&preflight::grid(report)));
    text.push_str(&bullets("Every value and where it came from", preflight::settings(report)));
    text
}

/// A flatten: what is left before everything else, what was closed, the totals.
#[must_use]
pub fn flatten(report: &FlattenReport) -> String {
    let mut text = halt(report.halt_id.as_deref(), "");
    if let Some(alarm) = positions::alarm(report) {
        text.push_str(&format!("**{}**\n\n", escape(&alarm)));
    }
    text.push_str(&head("flatten", &report.heading));
    text.push_str(&format!("{}\n", escape(&positions::verdict(report).1)));
    text.push_str(&bullets("Still open", positions::remaining(report)));
    if let Some(grid) = positions::closed(report).first() {
        text.push_str(&drawn(grid));
    }
    text.push_str(&bullets("Account", positions::totals(report)));
    text.push_str(&notes(&report.notes));
    text
}

/// A scan: the verdict, one row per coin, who is left out where that is asked for, what changes.
#[must_use]
pub fn scan(report: &ScanReport) -> String {
    let mut text = halt(report.halt_id.as_deref(), "") + &head("scan", &report.heading);
    text.push_str(&format!("{}\n", escape(&universe::verdict(report).1)));
    for caution in universe::cautions(report) {
        text.push_str(&format!("\n**{}**\n", escape(&caution)));
    }
    if let Some(grid) = universe::chosen(report).first() {
        text.push_str(&drawn(grid));
    }
    if report.show_rejected && !report.rejected.is_empty() {
        text.push_str(&format!("\n### Left out\n{}", drawn(&universe::rejected(report))));
    }
    text.push_str(&bullets("Changes", universe::changes(report)));
    text.push_str(&bullets("Scan", universe::totals(report)));
    text.push_str(&notes(&report.notes));
    text
}

/// Funding: the verdict, what is wrong, one row per coin, the totals.
#[must_use]
pub fn funding(report: &FundingReport) -> String {
    let mut text = head("funding", &report.heading);
    text.push_str(&format!("{}\n", escape(&charges::verdict(report).1)));
    for alarm in charges::alarms(report) {
        text.push_str(&format!("\n**{}**\n", escape(&alarm)));
    }
    if let Some(grid) = charges::coins(report).first() {
        text.push_str(&drawn(grid));
    }
    text.push_str(&bullets("Charged otherwise than rate × notional", charges::differences(report)));
    text.push_str(&bullets("Missing", charges::missing(report)));
    text.push_str(&bullets("Account", charges::totals(report)));
    text.push_str(&notes(&report.notes));
    text
}

/// A period: the verdict, how the equity changed, the figures, one row per coin.
#[must_use]
pub fn period(report: &PeriodReport) -> String {
    let mut text = halted(report);
    text.push_str(&head("report", &report.heading));
    text.push_str(&format!("{}\n", escape(&earnings::span(report))));
    text.push_str(&verdict(earnings::verdict(report)));
    if report.readings == 0 {
        // What nobody read is not zero.
        text.push_str(&notes(&report.notes));
        return text;
    }
    text.push_str(&drawn(&earnings::bridge(report)));
    text.push_str(&bullets("Figures", earnings::headlines(report)));
    if !report.per_coin.is_empty() {
        text.push_str(&format!("\n### Coins\n{}", drawn(&earnings::every_column(report))));
        text.push_str(&format!("\n{}\n", escape(&earnings::legend(report).2)));
    }
    text.push_str(&notes(&report.notes));
    text
}

/// The dashboard: a halt, the account, every position, what came of it in the last 30 days, the last
/// passes.
#[must_use]
pub fn dashboard(report: &DashboardReport) -> String {
    let mut text = halted(&report.period);
    text.push_str(&head("report", &report.period.heading));
    text.push_str(verdict(glance::verdict(report)).trim_start());
    text.push_str(&bullets("Account", glance::account(report)));
    if !report.positions.is_empty() {
        text.push_str(&format!("\n### Positions\n{}", drawn(&glance::every_column(report))));
    }
    let since = format!("Since {}", instant(report.period.from));
    text.push_str(&bullets(&since, glance::lately(report)));
    if !report.passes.is_empty() {
        text.push_str(&format!("\n### Last passes\n{}", drawn(&glance::passes(report))));
    }
    text.push_str(&notes(&report.period.notes));
    text
}

/// Paragraphs, those that alarm in bold.
fn verdict(said: Vec<(Tone, String)>) -> String {
    let paragraph = |(tone, text): &(Tone, String)| match tone {
        Tone::Alarm => format!("\n**{}**\n", escape(text)),
        _ => format!("\n{}\n", escape(text)),
    };
    said.iter().map(paragraph).collect()
}

fn notes(notes: &[String]) -> String {
    let notes = notes.iter().map(|note| (Default::default(), String::new(), clean(note)));
    bullets("Notes", notes.collect())
}

/// A halt with its reason, before everything else.
fn halted(report: &PeriodReport) -> String {
    earnings::halt(report).map_or_else(String::new, |(id, why)| {
        format!("**HALTED (halt {})**: {}\n\n", escape(&id), escape(&why))
    })
}

/// A halt comes before everything else.
fn halt(halted: Option<&str>, found: &str) -> String {
    halted.map_or_else(String::new, |id| {
        format!("**HALTED (halt {})**: {}\n\n", escape(id), words::refused(found))
    })
}

/// A backtest: the verdict, how the equity changed, one row per coin, the figures, what is not modelled.
#[must_use]
pub fn backtest(report: &BacktestReport) -> String {
    let mut text = head("backtest", &report.heading);
    text.push_str(&format!("{}\n\n{}\n", escape(&trial::verdict(report).1), escape(&trial::span(report))));
    text.push_str(&drawn(&trial::bridge(report)));
    if let Some(grid) = trial::coins(report).first() {
        let legend = trial::legend(grid).map_or_else(String::new, |legend| escape(&legend.2));
        text.push_str(&format!("\n### Coins\n{}\n{legend}\n", drawn(grid)));
    }
    text.push_str(&bullets("Figures", trial::headlines(report)));
    text.push_str(&bullets("Refused", trial::refusals(report)));
    text.push_str(&bullets("Prices and rules", trial::ground(report)));
    let left_out = trial::left_out(report).into_iter().map(|(tone, _, text)| (tone, String::new(), text));
    text.push_str(&bullets("Not modelled", left_out.collect()));
    text
}

/// A sweep: what was tried, the best settings, what became of choices, then what was refused.
#[must_use]
pub fn sweep(report: &SweepReport) -> String {
    let mut text = head("sweep", &report.ground.heading);
    text.push_str(&format!("{}\n", escape(&settings::verdict(report).1)));
    if let Some(grid) = settings::runs(report).first() {
        text.push_str(&drawn(grid));
        text.push_str(
            &settings::runs_legend(grid)
                .map_or_else(String::new, |legend| format!("\n{}\n", escape(&legend.2))),
        );
    }
    if let Some(walk) = &report.walk_forward {
        text.push_str(&format!("\n### Walk-forward\n\n{}\n", escape(&settings::decay(walk))));
        if let Some(grid) = settings::steps(report, walk).first() {
            text.push_str(&drawn(grid));
            text.push_str(&bullets("Columns", vec![settings::legend(report, grid)]));
        }
    }
    text.push_str(&bullets("Worth knowing", settings::remarks(report)));
    text
}

fn head(what: &str, heading: &Heading) -> String {
    format!(
        "## rebal {what}: {}\n\n{} · profile {} · {}\n\n",
        escape(&heading.mode.to_uppercase()),
        escape(&heading.venue),
        escape(&heading.profile),
        instant(heading.at)
    )
}

fn standings(plan: &PlanReport) -> String {
    let rows: Vec<Vec<String>> = plan.lines().iter().map(|line| coin(line, &plan.quote)).collect();
    table(&["coin", "value", "target", "drift", "action", "why"], "lrrrll", &rows)
}

fn coin(line: &Line, quote: &str) -> Vec<String> {
    let action = match &line.action {
        Action::Trade { side, qty, notional, .. } => {
            let verb = if *side == Side::Buy { "buy" } else { "sell" };
            format!("**{verb}** {qty} ≈ {} {quote}", money(*notional))
        }
        Action::Hold => "hold".to_owned(),
        Action::Skip { .. } => "skip".to_owned(),
    };
    vec![
        escape(line.symbol.coin(quote)),
        line.value.map_or("?".to_owned(), money),
        line.target.map_or_else(String::new, money),
        line.drift.map_or_else(String::new, percent),
        action,
        coins::why(line, true),
    ]
}

fn sent(title: &str, reports: &[OrderReport], quote: &str) -> String {
    if reports.is_empty() {
        return String::new();
    }
    let Some(grid) = orders::grids(reports, quote).into_iter().next() else { return String::new() };
    format!("\n### {title}\n{}", drawn(&grid))
}

/// A grid's columns and rows; empty where there are no rows.
fn drawn(grid: &Grid) -> String {
    let heads: Vec<&str> = grid.columns.iter().map(|(head, _)| head.as_str()).collect();
    let aligns: String =
        grid.columns.iter().map(|(_, align)| if *align == Align::Right { 'r' } else { 'l' }).collect();
    let escaped = |row: &(_, Vec<String>)| row.1.iter().map(|cell| escape(cell)).collect();
    let rows: Vec<Vec<String>> = grid.rows.iter().map(escaped).collect();
    table(&heads, &aligns, &rows)
}

/// `aligns` holds `l` or `r` per column.
fn table(heads: &[&str], aligns: &str, rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rule: Vec<&str> = aligns.chars().map(|align| if align == 'r' { "---:" } else { "---" }).collect();
    let heads: Vec<String> = heads.iter().map(|head| escape(head)).collect();
    let mut text = format!("\n| {} |\n| {} |\n", heads.join(" | "), rule.join(" | "));
    for row in rows {
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    text
}

fn bullets(title: &str, remarks: Vec<Remark>) -> String {
    if remarks.is_empty() {
        return String::new();
    }
    let bullet = |(_, label, text): &Remark| match label.is_empty() {
        true => format!("- {}\n", escape(text)),
        false => format!("- **{}**: {}\n", escape(label), escape(text)),
    };
    format!("\n### {title}\n\n{}", remarks.iter().map(bullet).collect::<String>())
}

/// Text that markdown and the page around it take as text.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '[' | ']' | '\\' | '#' | '!' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}
