//! The questions that `doctor` asks, in the order of its rows.

use crate::report::doctor::{Failure, Group, Row, Status};

/// One question. Its answer is a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// A stable code.
    pub name: &'static str,
    /// What it is about.
    pub group: Group,
    /// How it should stand.
    pub needed: &'static str,
}

impl Question {
    const fn new(group: Group, name: &'static str, needed: &'static str) -> Question {
        Question { name, group, needed }
    }

    /// As it should be.
    pub fn ok(&self, found: impl Into<String>) -> Row {
        self.row(Status::Ok, found, "", None)
    }

    /// Works, but.
    pub fn warn(&self, found: impl Into<String>, fix: impl Into<String>) -> Row {
        self.row(Status::Warn, found, fix, None)
    }

    /// Does not work.
    pub fn fail(&self, failure: Failure, found: impl Into<String>, fix: impl Into<String>) -> Row {
        self.row(Status::Fail, found, fix, Some(failure))
    }

    /// Nobody can tell.
    pub fn unknown(&self, why: impl Into<String>) -> Row {
        self.row(Status::NotVerifiable, why, "", None)
    }

    fn row(
        &self,
        status: Status,
        found: impl Into<String>,
        fix: impl Into<String>,
        failure: Option<Failure>,
    ) -> Row {
        Row {
            name: self.name,
            group: self.group,
            status,
            found: found.into(),
            needed: self.needed.to_owned(),
            fix: fix.into(),
            failure,
        }
    }
}

/// Whether the settings can be read.
pub const CONFIGURATION: Question =
    Question::new(Group::Configuration, "configuration", "known keys, values within their bounds");
/// Which money is at stake.
pub const MODE: Question = Question::new(Group::Configuration, "mode", "the account that is meant");
/// Whether the strategy has coins.
pub const STRATEGY: Question = Question::new(Group::Configuration, "strategy", "coins to hold");
/// Whether real money may be traded.
pub const ARMED: Question = Question::new(Group::Configuration, "armed", "armed, once per live account");

/// The API key.
pub const API_KEY: Question =
    Question::new(Group::Secrets, "api_key", "present, in a file of mode 0600, a variable or systemd's");
/// Its secret.
pub const API_SECRET: Question =
    Question::new(Group::Secrets, "api_secret", "present and private, an HMAC secret or a PKCS#8 PEM");
/// The bot's token.
pub const TELEGRAM_TOKEN: Question =
    Question::new(Group::Secrets, "telegram_token", "present and private where telegram.enabled");

/// Whether the exchange answers.
pub const REACHABLE: Question = Question::new(Group::Exchange, "reachable", "an answer in time");
/// How far this machine's clock is off.
pub const CLOCK: Question = Question::new(Group::Exchange, "clock", "within 1 s of the exchange");

/// Whether the key reads.
pub const KEY_READING: Question = Question::new(Group::Key, "key_reading", "yes");
/// Whether it trades.
pub const KEY_TRADING: Question = Question::new(Group::Key, "key_trading", "yes");
/// Whether it can take money out.
pub const KEY_WITHDRAWALS: Question = Question::new(Group::Key, "key_withdrawals", "no");
/// Whether it works from anywhere.
pub const KEY_IP: Question = Question::new(Group::Key, "key_ip_restriction", "your own addresses only");
/// What else it may do.
pub const KEY_OTHER: Question =
    Question::new(Group::Key, "key_other_rights", "no transfers, no margin loans, no options");
/// When it ends.
pub const KEY_EXPIRY: Question = Question::new(Group::Key, "key_expiry", "30 days or more");

/// Whether the account can be read, and what is in it.
pub const ACCOUNT: Question = Question::new(Group::Account, "account", "readable, with equity");
/// Whether the exchange lets it trade.
pub const MAY_TRADE: Question = Question::new(Group::Account, "may_trade", "yes");
/// One-way or hedge.
pub const POSITION_MODE: Question = Question::new(Group::Account, "position_mode", "one-way");
/// Single-asset or multi-assets.
pub const ASSET_MODE: Question = Question::new(Group::Account, "asset_mode", "single-asset");
/// Cross or isolated.
pub const MARGIN_TYPE: Question = Question::new(Group::Account, "margin_type", "cross");
/// Nominal leverage per contract.
pub const LEVERAGE: Question = Question::new(Group::Account, "leverage", "futures.leverage");
/// Whether the exchange allows it.
pub const BRACKETS: Question =
    Question::new(Group::Account, "brackets", "tiers that allow futures.leverage at the target");
/// How the exchange judges the account's trading.
pub const INDICATORS: Question = Question::new(Group::Account, "indicators", "none locked");

/// Whether the coins exist and trade.
pub const LISTED: Question = Question::new(Group::Market, "listed", "every coin listed and trading");
/// Whether the smallest orders are small enough.
pub const SMALLEST_ORDERS: Question =
    Question::new(Group::Market, "smallest_orders", "no larger than a coin's target");
/// Whether what is sold above can be bought back below.
pub const BANDS: Question = Question::new(Group::Market, "bands", "buying back as far down as selling up");
/// What the targets come to.
pub const SIZE: Question = Question::new(Group::Market, "size", "within risk.max_effective_leverage");
/// How old the chosen universe is.
pub const UNIVERSE: Question = Question::new(Group::Market, "universe", "scanned within 30 days");

/// Whether rebal can write there, and nobody else.
pub const STATE_FOLDER: Question =
    Question::new(Group::State, "state_folder", "writable by this user, open to nobody else");
/// Room.
pub const DISK: Question = Question::new(Group::State, "disk", "500 MB free");
/// Whether a pass runs now.
pub const LOCK: Question = Question::new(Group::State, "lock", "free");
/// Whether the ledger is whole.
pub const LEDGER: Question = Question::new(Group::State, "ledger", "whole and up to date");
/// Whether it is this account's.
pub const LEDGER_ACCOUNT: Question = Question::new(Group::State, "ledger_account", "kept for this account");
/// Whether trading is refused.
pub const HALT: Question = Question::new(Group::State, "halt", "none");
/// Orders without a known outcome.
pub const UNRESOLVED: Question = Question::new(Group::State, "unresolved_orders", "none");
/// Orders of another rebal.
pub const FOREIGN: Question = Question::new(Group::State, "foreign_orders", "none");
/// Whether passes run.
pub const LAST_PASS: Question = Question::new(Group::State, "last_pass", "a good one within 3 intervals");
/// What a pass would do now.
pub const NEXT_PASS: Question = Question::new(Group::State, "next_pass", "a plan that passes its checks");

/// Whether messages arrive.
pub const TELEGRAM: Question = Question::new(Group::Messages, "telegram", "bot and chat answer");
/// Messages that wait.
pub const OUTBOX: Question = Question::new(Group::Messages, "outbox", "nothing waits");
/// Whether somebody notices silence.
pub const HEARTBEAT: Question = Question::new(Group::Messages, "heartbeat", "an address that answers");

/// Every question, in the order of the rows.
pub const QUESTIONS: [Question; 41] = [
    CONFIGURATION,
    MODE,
    STRATEGY,
    ARMED,
    API_KEY,
    API_SECRET,
    TELEGRAM_TOKEN,
    REACHABLE,
    CLOCK,
    KEY_READING,
    KEY_TRADING,
    KEY_WITHDRAWALS,
    KEY_IP,
    KEY_OTHER,
    KEY_EXPIRY,
    ACCOUNT,
    MAY_TRADE,
    POSITION_MODE,
    ASSET_MODE,
    MARGIN_TYPE,
    LEVERAGE,
    BRACKETS,
    INDICATORS,
    LISTED,
    SMALLEST_ORDERS,
    BANDS,
    SIZE,
    UNIVERSE,
    STATE_FOLDER,
    DISK,
    LOCK,
    LEDGER,
    LEDGER_ACCOUNT,
    HALT,
    UNRESOLVED,
    FOREIGN,
    LAST_PASS,
    NEXT_PASS,
    TELEGRAM,
    OUTBOX,
    HEARTBEAT,
];
