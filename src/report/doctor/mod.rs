//! What `doctor` found: one row per thing that must be right before money is at stake.

pub mod account;
pub mod key;
pub mod market;
pub mod question;
pub mod state;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::domain::num::Rate;
use crate::domain::symbol::Symbol;
use crate::report::doctor::question::{ARMED, QUESTIONS};
use crate::report::heading::Heading;

/// The verdict on one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, and something about it should be known or changed.
    Warn,
    /// Nobody could tell. Never taken for `ok`.
    NotVerifiable,
    /// A pass would end with an error, or money is in danger.
    Fail,
}

impl Status {
    /// The word used in JSON and CSV.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::NotVerifiable => "not_verifiable",
            Status::Fail => "fail",
        }
    }
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// The settings.
    Configuration,
    /// Where secrets are.
    Secrets,
    /// Whether the exchange answers.
    Exchange,
    /// What the key may do.
    Key,
    /// How the account is set.
    Account,
    /// Whether the coins can be traded as configured.
    Market,
    /// The state folder and the ledger in it.
    State,
    /// What reaches the owner.
    Messages,
}

impl Group {
    /// The word used in JSON and CSV.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Group::Configuration => "configuration",
            Group::Secrets => "secrets",
            Group::Exchange => "exchange",
            Group::Key => "key",
            Group::Account => "account",
            Group::Market => "market",
            Group::State => "state",
            Group::Messages => "messages",
        }
    }
}

/// What a failed row makes the process end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 2: configuration, credentials, permissions or modes.
    Config,
    /// 4: the exchange does not answer, or its answers make no sense.
    Unavailable,
    /// 6: trading is refused until it is resumed.
    Halted,
    /// 9: somebody else trades the account with rebal's prefix.
    Foreign,
    /// 10: the ledger or the state folder is unusable.
    Storage,
}

impl Failure {
    /// The process' exit code.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Failure::Config => 2,
            Failure::Unavailable => 4,
            Failure::Halted => 6,
            Failure::Foreign => 9,
            Failure::Storage => 10,
        }
    }

    /// The lower, the sooner it is to be mended: what others rest on comes first.
    fn rank(self) -> u8 {
        match self {
            Failure::Config => 0,
            Failure::Storage => 1,
            Failure::Foreign => 2,
            Failure::Halted => 3,
            Failure::Unavailable => 4,
        }
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Which: a stable code, `position_mode`, `clock`, …
    pub name: &'static str,
    /// What it is about.
    pub group: Group,
    /// The verdict.
    pub status: Status,
    /// How it stands; why nobody can tell, where that is so.
    pub found: String,
    /// How it should stand.
    pub needed: String,
    /// What to do, word for word where that is possible; empty where there is nothing to do.
    pub fix: String,
    /// What it means to the process; `None` unless it failed.
    #[serde(skip)]
    pub failure: Option<Failure>,
}

impl Row {
    /// The same row that needs something that hangs on the configuration.
    #[must_use]
    pub fn needing(self, needed: impl Into<String>) -> Row {
        Row { needed: needed.into(), ..self }
    }
}

/// One effective value of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Dotted.
    pub key: String,
    /// As it would be written in a file.
    pub value: String,
    /// `--set`, an environment variable, a line of a file, or `default`.
    pub origin: String,
}

/// `rebal.doctor/1`: every row, whatever is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DoctorReport {
    /// Always `rebal.doctor/1`.
    pub schema: &'static str,
    /// When and which account.
    #[serde(flatten)]
    pub heading: Heading,
    /// One per question, always all of them, always in the same order.
    pub checks: Vec<Row>,
    /// Every effective value and where it came from; only where `--verbose` asks for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<Setting>,
    /// The process' exit code.
    pub exit_code: u8,
}

impl DoctorReport {
    /// Puts rows into their order. A question that nobody answered becomes a row that is not
    /// verifiable, for the reason that `because` has for its group.
    #[must_use]
    pub fn new(heading: Heading, mut rows: Vec<Row>, because: impl Fn(Group) -> String) -> DoctorReport {
        let answer = |question: &question::Question| {
            let answered = rows.iter().position(|row| row.name == question.name);
            match answered {
                Some(at) => rows.swap_remove(at),
                None => question.unknown(because(question.group)),
            }
        };
        let checks: Vec<Row> = QUESTIONS.iter().map(answer).collect();
        let exit_code = exit_code(&checks);
        DoctorReport { schema: "rebal.doctor/1", heading, checks, settings: Vec::new(), exit_code }
    }

    /// How many rows have this verdict.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|row| row.status == status).count()
    }

    /// What keeps real money from being armed: every failed row but that it is not armed yet.
    pub fn against_arming(&self) -> impl Iterator<Item = &Row> {
        self.checks.iter().filter(|row| row.status == Status::Fail && row.name != ARMED.name)
    }
}

/// That of the failure which others rest on; 0 where nothing failed.
fn exit_code(rows: &[Row]) -> u8 {
    let worst = rows.iter().filter_map(|row| row.failure).min_by_key(|failure| failure.rank());
    worst.map_or(0, Failure::exit_code)
}

/// Up to this many coins are named; of more, the rest is counted.
const NAMED: usize = 6;

/// `ADAUSDT, XRPUSDT and 3 more`.
fn named(symbols: &[&Symbol]) -> String {
    let shown: Vec<&str> = symbols.iter().take(NAMED).map(|symbol| symbol.as_str()).collect();
    match symbols.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `5 %`.
fn percent(rate: Rate) -> String {
    format!("{} %", (rate * Rate::from(100)).rounded(1))
}
