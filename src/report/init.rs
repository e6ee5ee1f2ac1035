//! What `init` found, wrote and advises; and what was armed.

use serde::Serialize;

use crate::domain::time::Time;
use crate::report::heading::Heading;

/// The verdict on one thing that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and something about it should be known.
    Warn,
    /// A pass would be refused.
    Fail,
    /// Nobody could tell; never taken for `ok`.
    NotVerifiable,
}

impl Verdict {
    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
            Verdict::NotVerifiable => "not verifiable",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable word: `key`, `permissions`, `band`, …
    pub name: &'static str,
    /// How it stands.
    pub status: Verdict,
    /// What was found and what to do.
    pub detail: String,
}

/// How a pass is run again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Schedule {
    /// One line of a crontab; `None` where cron cannot keep the interval.
    pub crontab: Option<String>,
    /// The name of both units, without their ends.
    pub unit: String,
    /// A systemd service for one pass.
    pub service: String,
    /// The systemd timer that starts it.
    pub timer: String,
    /// What must be known before either works.
    pub notes: Vec<String>,
}

/// `rebal.init/1`: the configuration that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InitReport {
    /// Always `rebal.init/1`.
    pub schema: &'static str,
    /// When, and for which account.
    #[serde(flatten)]
    pub heading: Heading,
    /// The file that was written.
    pub config_file: String,
    /// What is in it.
    pub config: String,
    /// What was looked at.
    pub checks: Vec<Finding>,
    /// How to run it.
    pub schedule: Schedule,
    /// What to type next, in this order.
    pub next: Vec<String>,
}

/// `rebal.arm/1`: the account that real money may be traded on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArmReport {
    /// Always `rebal.arm/1`.
    pub schema: &'static str,
    /// When, and for which profile.
    #[serde(flatten)]
    pub heading: Heading,
    /// Mode, venue and host.
    pub environment: String,
    /// What the exchange calls the account.
    pub account: String,
    /// Since when it is armed.
    pub armed_at: Time,
    /// Whether it had been armed before.
    pub was_armed: bool,
}
