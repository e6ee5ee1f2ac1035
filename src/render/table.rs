//! Plans, passes and errors for people at a terminal.

use crate::render::grid::{first_that_fits, list, paragraph};
use crate::render::paint::{Tone, in_ascii, paint};
use crate::render::remarks::{self, Remark};
use crate::render::text::{clean, instant};
use crate::render::{Style, coins, orders, summary};
use crate::report::error::ErrorReport;
use crate::report::heading::Heading;
use crate::report::pass::{Outcome, PassReport};
use crate::report::plan::PlanReport;

/// A plan: the verdict, one line per coin, the totals, then what could not be done.
#[must_use]
pub fn plan(report: &PlanReport, style: &Style) -> String {
    let mut page = Page::new(*style);
    page.halt(report.halted.as_deref());
    page.heading("plan", &report.heading);
    let (tone, verdict) = summary::plan_verdict(report);
    page.say(tone, &verdict);
    page.coins(report);
    page.remarks("Not traded", remarks::not_traded(report));
    page.remarks("Worth knowing", remarks::warnings(report));
    page.remarks("", summary::totals(report));
    page.finish()
}

/// A pass: the verdict, what was ordered and what became of it, then what could not be done.
#[must_use]
pub fn pass(report: &PassReport, style: &Style) -> String {
    let mut page = Page::new(*style);
    page.halt(report.halted.as_deref());
    page.heading("pass", &report.heading);
    let (tone, verdict) = summary::pass_verdict(report);
    page.say(tone, &verdict);
    let quote = report.plan.as_ref().map_or("USDT", |plan| plan.quote.as_str());
    if let Some(plan) = report.plan.as_ref().filter(|_| report.outcome == Outcome::DryRun) {
        page.coins(plan);
    }
    page.orders("", &report.orders, quote);
    page.orders("Settled from earlier passes", &report.settled, quote);
    page.remarks("What happens next", remarks::troubled(report, quote));
    if let Some(plan) = &report.plan {
        page.remarks("Not traded", remarks::not_traded(plan));
        page.remarks("Worth knowing", remarks::warnings(plan));
    }
    page.remarks("", summary::pass_totals(report, quote));
    let notes = report.notes.iter().map(|note| (Tone::Plain, "note".to_owned(), clean(note)));
    page.remarks("", notes.collect());
    page.finish()
}

/// An error and what to do next.
#[must_use]
pub fn error(report: &ErrorReport, style: &Style) -> String {
    let mut page = Page::new(*style);
    page.text.push_str(&paragraph(Tone::Bad, &format!("error: {}", clean(&report.message)), style));
    if !report.hint.is_empty() {
        page.text.push_str(&paragraph(Tone::Plain, &format!("hint: {}", clean(&report.hint)), style));
    }
    page.finish()
}

/// A text that grows block by block, with one empty line between blocks.
struct Page {
    style: Style,
    text: String,
}

impl Page {
    fn new(style: Style) -> Page {
        Page { style, text: String::new() }
    }

    fn block(&mut self, text: &str) {
        if !self.text.is_empty() && !text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
    }

    fn halt(&mut self, halted: Option<&str>) {
        if let Some(id) = halted {
            let text = format!(
                "HALTED ({}): trading is refused until `rebal risk-check --resume` is run by hand.",
                clean(id)
            );
            self.block(&paragraph(Tone::Alarm, &text, &self.style));
        }
    }

    /// What this is and of which account; real money stands out.
    fn heading(&mut self, what: &str, heading: &Heading) {
        let tone = if heading.mode == "live" { Tone::Attention } else { Tone::Strong };
        let text = format!(
            "rebal {what} · {} · {} · profile {} · {}",
            clean(&heading.mode).to_uppercase(),
            clean(&heading.venue),
            clean(&heading.profile),
            instant(heading.at)
        );
        self.block(&paragraph(tone, &text, &self.style));
    }

    /// A sentence right under the heading.
    fn say(&mut self, tone: Tone, text: &str) {
        self.text.push_str(&paragraph(tone, text, &self.style));
    }

    fn coins(&mut self, plan: &PlanReport) {
        if !plan.lines().is_empty() {
            self.block(&first_that_fits(&coins::grids(plan), &self.style));
        }
    }

    fn orders(&mut self, title: &str, reports: &[crate::report::pass::OrderReport], quote: &str) {
        if !reports.is_empty() {
            self.titled(title, &first_that_fits(&orders::grids(reports, quote), &self.style));
        }
    }

    fn remarks(&mut self, title: &str, remarks: Vec<Remark>) {
        if !remarks.is_empty() {
            self.titled(title, &list(&remarks, &self.style));
        }
    }

    fn titled(&mut self, title: &str, text: &str) {
        let head =
            if title.is_empty() { String::new() } else { paint(title, Tone::Strong, &self.style) + "\n" };
        self.block(&(head + text));
    }

    fn finish(self) -> String {
        if self.style.unicode { self.text } else { in_ascii(&self.text) }
    }
}
