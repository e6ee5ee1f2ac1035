//! Plans and passes as GitHub-flavoured markdown.

use crate::domain::order::Side;
use crate::render::grid::Align;
use crate::render::remarks::{self, Remark};
use crate::render::text::{clean, instant, money, percent};
use crate::render::{coins, orders, summary};
use crate::report::heading::Heading;
use crate::report::lines::{Action, Line};
use crate::report::pass::{OrderReport, Outcome, PassReport};
use crate::report::plan::PlanReport;

/// A plan: the verdict, one row per coin, what could not be done, the totals.
#[must_use]
pub fn plan(report: &PlanReport) -> String {
    let mut text = head("plan", &report.heading, report.halted.as_deref());
    text.push_str(&format!("{}\n", escape(&summary::plan_verdict(report).1)));
    text.push_str(&standings(report));
    text.push_str(&bullets("Not traded", remarks::not_traded(report)));
    text.push_str(&bullets("Worth knowing", remarks::warnings(report)));
    text.push_str(&bullets("Account", summary::totals(report)));
    text
}

/// A pass: the verdict, its orders, what could not be done, the totals.
#[must_use]
pub fn pass(report: &PassReport) -> String {
    let quote = report.plan.as_ref().map_or("USDT", |plan| plan.quote.as_str());
    let mut text = head("pass", &report.heading, report.halted.as_deref());
    text.push_str(&format!("{}\n", escape(&summary::pass_verdict(report).1)));
    if let Some(plan) = report.plan.as_ref().filter(|_| report.outcome == Outcome::DryRun) {
        text.push_str(&standings(plan));
    }
    text.push_str(&sent("Orders", &report.orders, quote));
    text.push_str(&sent("Settled from earlier passes", &report.settled, quote));
    text.push_str(&bullets("What happens next", remarks::troubled(report, quote)));
    if let Some(plan) = &report.plan {
        text.push_str(&bullets("Not traded", remarks::not_traded(plan)));
        text.push_str(&bullets("Worth knowing", remarks::warnings(plan)));
    }
    text.push_str(&bullets("Account", summary::pass_totals(report, quote)));
    let notes = report.notes.iter().map(|note| (Default::default(), String::new(), clean(note)));
    text.push_str(&bullets("Notes", notes.collect()));
    text
}

fn head(what: &str, heading: &Heading, halted: Option<&str>) -> String {
    let mut text = format!(
        "## rebal {what}: {}\n\n{} · profile {} · {}\n\n",
        escape(&heading.mode.to_uppercase()),
        escape(&heading.venue),
        escape(&heading.profile),
        instant(heading.at)
    );
    if let Some(id) = halted {
        text.push_str(&format!(
            "**HALTED ({})**: trading is refused until `rebal risk-check --resume` is run by hand.\n\n",
            escape(id)
        ));
    }
    text
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
    let heads: Vec<&str> = grid.columns.iter().map(|(head, _)| head.as_str()).collect();
    let aligns: String =
        grid.columns.iter().map(|(_, align)| if *align == Align::Right { 'r' } else { 'l' }).collect();
    let escaped = |row: &(_, Vec<String>)| row.1.iter().map(|cell| escape(cell)).collect();
    let rows: Vec<Vec<String>> = grid.rows.iter().map(escaped).collect();
    format!("\n### {title}\n{}", table(&heads, &aligns, &rows))
}

/// `aligns` holds `l` or `r` per column.
fn table(heads: &[&str], aligns: &str, rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rule: Vec<&str> = aligns.chars().map(|align| if align == 'r' { "---:" } else { "---" }).collect();
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
