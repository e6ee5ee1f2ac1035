//! Backtests, sweeps, plans, passes, risk checks, flattens, scans, funding, periods and errors for people at a terminal.

use crate::render::grid::{Grid, first_that_fits, fitting, list, paragraph};
use crate::render::paint::{Tone, in_ascii, paint};
use crate::render::remarks::{self, Remark};
use crate::render::text::{clean, instant};
use crate::render::{
    Style, charges, coins, earnings, figures, glance, orders, positions, preflight, settings, summary, trial,
    universe, words,
};
use crate::report::backtest::BacktestReport;
use crate::report::dashboard::DashboardReport;
use crate::report::doctor::DoctorReport;
use crate::report::error::ErrorReport;
use crate::report::flatten::FlattenReport;
use crate::report::funding::FundingReport;
use crate::report::heading::Heading;
use crate::report::pass::{Outcome, PassReport};
use crate::report::period::PeriodReport;
use crate::report::plan::PlanReport;
use crate::report::risk::RiskReport;
use crate::report::scan::ScanReport;
use crate::report::sweep::SweepReport;

/// The heading over changes to stops.
const STOPS: &str = "Stops at the exchange";

/// A plan: the verdict, one line per coin, the totals, then what could not be done.
#[must_use]
pub fn plan(report: &PlanReport, style: &Style) -> String {
    let mut page = Page::new(*style);
    page.halt(report.halt_id.as_deref(), "");
    page.heading("plan", &report.heading);
    let (tone, verdict) = summary::plan_verdict(report);
    page.say(tone, &verdict);
    page.coins(report);
    page.remarks(STOPS, remarks::stops(report.stops.iter(), &report.quote));
    page.remarks("Not traded", remarks::not_traded(report));
    page.remarks("Worth knowing", remarks::warnings(report));
    page.remarks("", summary::totals(report));
    page.finish()
}

/// A pass: the verdict, what was ordered and what became of it, then what could not be done.
#[must_use]
pub fn pass(report: &PassReport, style: &Style) -> String {
    let mut page = Page::new(*style);
    page.halt(report.halt_id.as_deref(), "");
    if let Some(alarm) = summary::pass_alarm(report) {
        page.text.push_str(&paragraph(Tone::Alarm, &alarm, style));
    }
    page.heading("pass", &report.heading);
    let (tone, verdict) = summary::pass_verdict(report);
    page.say(tone, &verdict);
    let quote = report.plan.as_ref().map_or("USDT", |plan| plan.quote.as_str());
    if let Some(plan) = report.plan.as_ref().filter(|_| report.outcome == Outcome::DryRun) {
        page.coins(plan);
        page.remarks(STOPS, remarks::stops(plan.stops.iter(), quote));
    }
    page.orders("", &report.orders, quote);
    page.orders("Settled from earlier passes", &report.settled, quote);
    page.remarks(STOPS, remarks::stops(report.stops.iter().map(|stop| &stop.change), quote));
    page.remarks("Stops that could not be changed", remarks::stops_in_trouble(report, quote));
    page.remarks("What happens next", remarks::troubled(report, quote));
    if let Some(plan) = &report.plan {
        page.remarks("Not traded", remarks::not_traded(plan));
        page.remarks("Worth knowing", remarks::warnings(plan));
    }
    page.remarks("", summary::pass_totals(report, quote));
    page.notes(&report.notes);
    page.finish()
}

/// A risk check: the verdict, one line per figure, then what is beyond its limit.
#[must_use]
pub fn risk(report: &RiskReport, style: &Style) -> String {
    let mut page = Page::new(*style);
    page.halt(report.halt_id.as_deref(), figures::halted_with(report));
    page.heading("risk", &report.heading);
    if let Some(resumed) = figures::resumed(report) {
        page.say(Tone::Strong, &resumed);
    }
    let (tone, verdict) = figures::verdict(report);
    page.say(tone, &verdict);
    let [full, barer @ ..] = figures::grids(report);
    if full.fits(style) {
        page.block(&first_that_fits(&[full], style));
    } else {
        page.block(&first_that_fits(&barer, style));
        page.remarks("Beyond or near a limit", figures::details(report));
    }
    page.remarks("", figures::totals(report));
    page.notes(&report.notes);
    page.finish()
}

/// A doctor's report: the verdict, then every row under its group, with what is needed and what to do
/// where it is not as it should be.
#[must_use]
pub fn doctor(report: &DoctorReport, style: &Style) -> String {
    let mut page = Page::new(*style);
    page.heading("doctor", &report.heading);
    let (tone, verdict) = preflight::verdict(report);
    page.say(tone, &verdict);
    for (title, remarks) in preflight::groups(report) {
        page.remarks(title, remarks);
    }
    page.remarks("Every value and where it came from", preflight::settings(report));
    page.finish()
}

/// A flatten: what is left before everything else, what was closed, and how it went.
#[must_use]
pub fn flatten(report: &FlattenReport, style: &Style) -> String {
    let mut page = Page::new(*style);
    page.halt(report.halt_id.as_deref(), "");
    if let Some(alarm) = positions::alarm(report) {
        page.text.push_str(&paragraph(Tone::Alarm, &alarm, style));
    }
    page.heading("flatten", &report.heading);
    let (tone, verdict) = positions::verdict(report);
    page.say(tone, &verdict);
    page.remarks("Still open", positions::remaining(report));
    if !report.closed.is_empty() {
        page.block(&first_that_fits(&positions::closed(report), style));
    }
    page.remarks("", positions::totals(report));
    page.notes(&report.notes);
    page.finish()
}

/// A scan: the verdict, one line per coin, who is left out where that is asked for, what changes.
#[must_use]
pub fn scan(report: &ScanReport, style: &Style) -> String {
    let mut page = Page::new(*style);
    page.halt(report.halt_id.as_deref(), "");
    page.heading("scan", &report.heading);
    let (tone, verdict) = universe::verdict(report);
    page.say(tone, &verdict);
    for caution in universe::cautions(report) {
        page.say(Tone::Alarm, &caution);
    }
    if !report.universe.is_empty() {
        page.block(&first_that_fits(&universe::chosen(report), style));
    }
    if report.show_rejected && !report.rejected.is_empty() {
        let full = universe::rejected(report);
        if full.fits(style) {
            page.titled("Left out", &first_that_fits(&[full], style));
        } else {
            page.remarks("Left out", universe::rejected_list(report));
        }
    }
    page.remarks("", universe::changes(report));
    page.remarks("", universe::totals(report));
    page.notes(&report.notes);
    page.finish()
}

/// Funding: what is wrong before everything else, the verdict, one line per coin, the totals.
#[must_use]
pub fn funding(report: &FundingReport, style: &Style) -> String {
    let mut page = Page::new(*style);
    page.heading("funding", &report.heading);
    for alarm in charges::alarms(report) {
        page.say(Tone::Alarm, &alarm);
    }
    let (tone, verdict) = charges::verdict(report);
    page.say(tone, &verdict);
    if !report.per_coin.is_empty() {
        page.block(&first_that_fits(&charges::coins(report), style));
    }
    page.remarks("Charged otherwise than rate × notional", charges::differences(report));
    page.remarks("Missing", charges::missing(report));
    page.remarks("", charges::totals(report));
    page.notes(&report.notes);
    page.finish()
}

/// A period: the verdict, how the equity changed, one line per coin, the figures, the notes.
#[must_use]
pub fn period(report: &PeriodReport, style: &Style) -> String {
    let mut page = Page::new(*style);
    if let Some((id, text)) = earnings::halt(report) {
        page.block(&paragraph(Tone::Alarm, &format!("HALTED (halt {id}): {text}"), style));
    }
    page.heading("report", &report.heading);
    page.say(Tone::Plain, &earnings::span(report));
    for (tone, text) in earnings::verdict(report) {
        page.say(tone, &text);
    }
    if report.readings == 0 {
        // What nobody read is not zero.
        page.remarks("", earnings::notes(report));
        return page.finish();
    }
    page.block(&first_that_fits(&[earnings::bridge(report)], style));
    if !report.per_coin.is_empty() {
        page.block(&first_that_fits(&earnings::coins(report), style));
        page.remarks("", vec![earnings::legend(report)]);
    }
    let values: Vec<_> = report.equity_curve.iter().map(|point| point.equity).collect();
    let spark = earnings::sparkline(&values, usize::from(style.width / 2), style.unicode);
    let figures = earnings::headlines(report);
    page.remarks("", spark.into_iter().chain(figures).collect());
    page.remarks("", earnings::notes(report));
    page.finish()
}

/// The dashboard: a halt, the account, every position, what came of it in the last 30 days, the last
/// passes.
#[must_use]
pub fn dashboard(report: &DashboardReport, style: &Style) -> String {
    let mut page = Page::new(*style);
    if let Some((id, text)) = earnings::halt(&report.period) {
        page.block(&paragraph(Tone::Alarm, &format!("HALTED (halt {id}): {text}"), style));
    }
    page.heading("report", &report.period.heading);
    for (tone, text) in glance::verdict(report) {
        page.say(tone, &text);
    }
    page.remarks("", glance::account(report));
    if report.positions.is_empty() {
        page.block(&paragraph(Tone::Plain, "No positions.", style));
    } else {
        page.block(&first_that_fits(&glance::positions(report), style));
    }
    let since = format!("Since {}", instant(report.period.from));
    let values: Vec<_> = report.period.equity_curve.iter().map(|point| point.equity).collect();
    let spark = earnings::sparkline(&values, usize::from(style.width / 2), style.unicode);
    let figures = glance::lately(report);
    page.remarks(&since, spark.into_iter().chain(figures).collect());
    if !report.passes.is_empty() {
        page.titled("Last passes", &first_that_fits(&[glance::passes(report)], style));
    }
    page.remarks("", earnings::notes(&report.period));
    page.finish()
}

/// A backtest: the verdict, how the equity changed, one line per coin, the figures, what is not modelled.
#[must_use]
pub fn backtest(report: &BacktestReport, style: &Style) -> String {
    let mut page = Page::new(*style);
    page.heading("backtest", &report.heading);
    let (tone, verdict) = trial::verdict(report);
    page.say(tone, &verdict);
    page.say(Tone::Plain, &trial::span(report));
    page.block(&first_that_fits(&[trial::bridge(report)], style));
    page.explained(&trial::coins(report), trial::legend);
    let values: Vec<_> = report.curve.iter().map(|point| point.equity).collect();
    let spark = earnings::sparkline(&values, usize::from(style.width / 2), style.unicode);
    page.remarks("", spark.into_iter().chain(trial::headlines(report)).collect());
    page.remarks("", trial::refusals(report));
    page.remarks("", trial::ground(report));
    page.remarks("Not modelled", trial::left_out(report));
    page.finish()
}

/// A sweep: what was tried, the best settings, what became of choices, then what was refused.
#[must_use]
pub fn sweep(report: &SweepReport, style: &Style) -> String {
    let mut page = Page::new(*style);
    page.heading("sweep", &report.ground.heading);
    let (tone, verdict) = settings::verdict(report);
    page.say(tone, &verdict);
    page.explained(&settings::runs(report), settings::runs_legend);
    if let Some(walk) = &report.walk_forward {
        page.titled("Walk-forward", &paragraph(Tone::Plain, &settings::decay(walk), style));
        page.explained(&settings::steps(report, walk), |grid| Some(settings::legend(report, grid)));
    }
    page.remarks("", settings::remarks(report));
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

    fn halt(&mut self, halted: Option<&str>, found: &str) {
        if let Some(id) = halted {
            let text = format!("HALTED (halt {}): {}", clean(id), words::refused(found));
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

    /// The first of `grids` that fits, and what there is to say of its columns.
    fn explained(&mut self, grids: &[Grid], legend: impl Fn(&Grid) -> Option<Remark>) {
        self.block(&first_that_fits(grids, &self.style));
        self.remarks("", fitting(grids, &self.style).and_then(legend).into_iter().collect());
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

    fn notes(&mut self, notes: &[String]) {
        let notes = notes.iter().map(|note| (Tone::Plain, "note".to_owned(), clean(note)));
        self.remarks("", notes.collect());
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
