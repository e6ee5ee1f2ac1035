//! Reports as text: one file per format, nothing here prints.

mod bar;
mod charges;
mod chart;
mod coins;
mod courses;
pub mod csv;

mod earnings;
mod fees;
mod figures;
mod glance;
mod grid;
mod heat;
pub mod html;
mod init;
pub mod json;
pub mod markdown;
pub mod message;
pub mod metrics;
mod orders;
mod paint;
mod pictures;
mod positions;
mod preflight;
mod remarks;
mod settings;
mod summary;
pub mod table;
pub mod text;
mod trial;
mod universe;
mod words;

use std::fmt;
use std::str::FromStr;

use crate::report::backtest::BacktestReport;
use crate::report::dashboard::DashboardReport;
use crate::report::doctor::DoctorReport;
use crate::report::error::ErrorReport;
use crate::report::flatten::FlattenReport;
use crate::report::funding::FundingReport;
use crate::report::init::{ArmReport, InitReport};
use crate::report::pass::PassReport;
use crate::report::period::PeriodReport;
use crate::report::plan::PlanReport;
use crate::report::risk::RiskReport;
use crate::report::scan::ScanReport;
use crate::report::sweep::SweepReport;

/// How a report is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// For people at a terminal.
    #[default]
    Table,
    /// One object, for scripts.
    Json,
    /// For spreadsheets.
    Csv,
    /// For notes and issue trackers.
    Markdown,
    /// A page of its own.
    Html,
}

impl Format {
    /// Every format, in the order of the help.
    pub const ALL: [Format; 5] = [Format::Table, Format::Json, Format::Csv, Format::Markdown, Format::Html];

    /// The word of `--format`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Json => "json",
            Format::Csv => "csv",
            Format::Markdown => "markdown",
            Format::Html => "html",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no format {0:?}: table, json, csv, markdown or html")]
pub struct NoSuchFormat(pub String);

impl FromStr for Format {
    type Err = NoSuchFormat;
    fn from_str(text: &str) -> Result<Format, NoSuchFormat> {
        Format::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| NoSuchFormat(text.chars().take(40).collect()))
    }
}

/// A format that a report does not come in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} does not come as {format}; it comes as {fitting}")]
pub struct Unsupported {
    /// What was to be shown: `a plan`.
    pub what: &'static str,
    /// What was asked for.
    pub format: Format,
    /// What it comes as: `table, json, csv or markdown`.
    pub fitting: &'static str,
}

/// What the reader's terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal.
    pub width: u16,
    /// Whether colours may be used.
    pub color: bool,
    /// Whether more than ASCII may be drawn.
    pub unicode: bool,
}

impl Default for Style {
    fn default() -> Style {
        Style { width: 100, color: false, unicode: true }
    }
}

/// Whether a plan or a pass comes in `format`: asked before anything is sent, not after.
pub fn fits(format: Format) -> Result<(), Unsupported> {
    no_page("a pass", format)
}

/// Whether a risk check comes in `format`: asked before anything is sent, not after.
pub fn risk_fits(format: Format) -> Result<(), Unsupported> {
    no_page("a risk check", format)
}

/// Whether a flatten comes in `format`: asked before anything is sent, not after.
pub fn flatten_fits(format: Format) -> Result<(), Unsupported> {
    no_page("a flatten", format)
}

/// Whether a scan comes in `format`: asked before anything is read, not after.
pub fn scan_fits(format: Format) -> Result<(), Unsupported> {
    no_page("a scan", format)
}

/// Whether a funding report comes in `format`: asked before anything is read, not after.
pub fn funding_fits(format: Format) -> Result<(), Unsupported> {
    no_page("a funding report", format)
}

/// Whether what `init` says comes in `format`: asked before the first question.
pub fn init_fits(format: Format) -> Result<(), Unsupported> {
    match format {
        Format::Table | Format::Json => Ok(()),
        Format::Csv | Format::Markdown | Format::Html => {
            Err(Unsupported { what: "init", format, fitting: "table or json" })
        }
    }
}

/// Whether a doctor's report comes in `format`: asked before anything is read, not after.
pub fn doctor_fits(format: Format) -> Result<(), Unsupported> {
    no_page("a doctor's report", format)
}

fn no_page(what: &'static str, format: Format) -> Result<(), Unsupported> {
    match format {
        Format::Html => Err(unsupported(what, format)),
        Format::Table | Format::Json | Format::Csv | Format::Markdown => Ok(()),
    }
}

/// A plan in `format`; every text ends with one line break.
pub fn plan(report: &PlanReport, format: Format, style: &Style) -> Result<String, Unsupported> {
    match format {
        Format::Table => Ok(table::plan(report, style)),
        Format::Json => Ok(json::object(report)),
        Format::Csv => Ok(csv::plan(report)),
        Format::Markdown => Ok(markdown::plan(report)),
        Format::Html => Err(unsupported("a plan", format)),
    }
}

/// A pass in `format`; every text ends with one line break.
pub fn pass(report: &PassReport, format: Format, style: &Style) -> Result<String, Unsupported> {
    match format {
        Format::Table => Ok(table::pass(report, style)),
        Format::Json => Ok(json::object(report)),
        Format::Csv => Ok(csv::pass(report)),
        Format::Markdown => Ok(markdown::pass(report)),
        Format::Html => Err(unsupported("a pass", format)),
    }
}

/// A risk check in `format`; every text ends with one line break.
pub fn risk(report: &RiskReport, format: Format, style: &Style) -> Result<String, Unsupported> {
    match format {
        Format::Table => Ok(table::risk(report, style)),
        Format::Json => Ok(json::object(report)),
        Format::Csv => Ok(csv::risk(report)),
        Format::Markdown => Ok(markdown::risk(report)),
        Format::Html => Err(unsupported("a risk check", format)),
    }
}

/// A flatten in `format`; every text ends with one line break.
pub fn flatten(report: &FlattenReport, format: Format, style: &Style) -> Result<String, Unsupported> {
    match format {
        Format::Table => Ok(table::flatten(report, style)),
        Format::Json => Ok(json::object(report)),
        Format::Csv => Ok(csv::flatten(report)),
        Format::Markdown => Ok(markdown::flatten(report)),
        Format::Html => Err(unsupported("a flatten", format)),
    }
}

/// What was written, in `format`; every text ends with one line break.
pub fn init(report: &InitReport, format: Format) -> Result<String, Unsupported> {
    init_fits(format)?;
    Ok(if format == Format::Json { json::object(report) } else { init::written(report) })
}

/// What was armed, in `format`; every text ends with one line break.
pub fn arm(report: &ArmReport, format: Format) -> Result<String, Unsupported> {
    init_fits(format)?;
    Ok(if format == Format::Json { json::object(report) } else { init::armed(report) })
}

/// A scan in `format`; every text ends with one line break.
pub fn scan(report: &ScanReport, format: Format, style: &Style) -> Result<String, Unsupported> {
    match format {
        Format::Table => Ok(table::scan(report, style)),
        Format::Json => Ok(json::object(report)),
        Format::Csv => Ok(csv::scan(report)),
        Format::Markdown => Ok(markdown::scan(report)),
        Format::Html => Err(unsupported("a scan", format)),
    }
}

/// A funding report in `format`; every text ends with one line break.
pub fn funding(report: &FundingReport, format: Format, style: &Style) -> Result<String, Unsupported> {
    match format {
        Format::Table => Ok(table::funding(report, style)),
        Format::Json => Ok(json::object(report)),
        Format::Csv => Ok(csv::funding(report)),
        Format::Markdown => Ok(markdown::funding(report)),
        Format::Html => Err(unsupported("a funding report", format)),
    }
}

/// A sweep in `format`; every text ends with one line break.
#[must_use]
pub fn sweep(report: &SweepReport, format: Format, style: &Style) -> String {
    match format {
        Format::Table => table::sweep(report, style),
        Format::Json => json::object(report),
        Format::Csv => csv::sweep(report),
        Format::Markdown => markdown::sweep(report),
        Format::Html => html::sweep(report),
    }
}

/// A backtest in `format`; every text ends with one line break.
#[must_use]
pub fn backtest(report: &BacktestReport, format: Format, style: &Style) -> String {
    match format {
        Format::Table => table::backtest(report, style),
        Format::Json => json::object(report),
        Format::Csv => csv::backtest(report),
        Format::Markdown => markdown::backtest(report),
        Format::Html => html::backtest(report),
    }
}

/// A doctor's report in `format`; every text ends with one line break.
pub fn doctor(report: &DoctorReport, format: Format, style: &Style) -> Result<String, Unsupported> {
    match format {
        Format::Table => Ok(table::doctor(report, style)),
        Format::Json => Ok(json::object(report)),
        Format::Csv => Ok(csv::doctor(report)),
        Format::Markdown => Ok(markdown::doctor(report)),
        Format::Html => Err(unsupported("a doctor's report", format)),
    }
}

/// A period in `format`; every text ends with one line break.
pub fn period(report: &PeriodReport, format: Format, style: &Style) -> Result<String, Unsupported> {
    Ok(match format {
        Format::Table => table::period(report, style),
        Format::Json => json::object(report),
        Format::Csv => csv::period(report),
        Format::Markdown => markdown::period(report),
        Format::Html => html::period(report),
    })
}

/// The dashboard in `format`; every text ends with one line break.
pub fn dashboard(report: &DashboardReport, format: Format, style: &Style) -> Result<String, Unsupported> {
    Ok(match format {
        Format::Table => table::dashboard(report, style),
        Format::Json => json::object(report),
        Format::Csv => csv::dashboard(report),
        Format::Markdown => markdown::dashboard(report),
        Format::Html => html::dashboard(report),
    })
}

/// An error: one object as JSON, and lines for people in every other format, so that it always
/// can be told.
#[must_use]
pub fn error(report: &ErrorReport, format: Format, style: &Style) -> String {
    match format {
        Format::Json => json::object(report),
        _ => table::error(report, style),
    }
}

fn unsupported(what: &'static str, format: Format) -> Unsupported {
    Unsupported { what, format, fitting: "table, json, csv or markdown" }
}

#[cfg(test)]
mod funding_tests;
#[cfg(test)]
mod period_tests;
#[cfg(test)]
mod risk_tests;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod scan_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trial_tests;
