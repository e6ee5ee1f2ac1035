//! What a failed command means to the shell: kind, exit code, and what to do next.

use crate::config::error::ConfigError;
use crate::config::folders::FolderError;
use crate::config::secrets::SecretError;
use crate::decide::risk::Breach;
use crate::exchange::ExchangeError;
use crate::ledger::LedgerError;
use crate::pass::PassError;
use crate::pass::lock::LockError;
use crate::render::Unsupported;

/// The kinds of the contract's exit-code table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A bug.
    Internal,
    /// Usage, configuration, credentials or permission; nothing was sent.
    Config,
    /// Another pass holds the lock; nothing was sent.
    Locked,
    /// No coherent snapshot, exchange down, rate-limited, bad equity; nothing was sent.
    Unavailable,
    /// Orders went out and not everything about them is known; the next pass settles it.
    Partial,
    /// Trading is refused until it is resumed.
    Halted,
    /// Orders with our prefix that this ledger cannot explain; nothing was sent.
    Foreign,
    /// Ledger or state folder unusable; nothing was sent.
    Storage,
    /// Stopped by a signal.
    Interrupted,
}

impl Kind {
    /// The word used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Internal => "internal",
            Kind::Config => "config",
            Kind::Locked => "locked",
            Kind::Unavailable => "unavailable",
            Kind::Partial => "partial",
            Kind::Halted => "halted",
            Kind::Foreign => "foreign",
            Kind::Storage => "storage",
            Kind::Interrupted => "interrupted",
        }
    }

    /// The process' exit code.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Internal => 1,
            Kind::Config => 2,
            Kind::Locked => 3,
            Kind::Unavailable => 4,
            Kind::Partial => 5,
            Kind::Halted => 6,
            Kind::Foreign => 9,
            Kind::Storage => 10,
            Kind::Interrupted => 130,
        }
    }
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// What kind of failure.
    pub kind: Kind,
    /// What happened.
    pub message: String,
    /// What to do next; empty where nothing can be advised.
    pub hint: String,
}

impl CommandError {
    /// An error of `kind` with what happened and what to do next.
    pub fn new(kind: Kind, message: impl Into<String>, hint: impl Into<String>) -> CommandError {
        CommandError { kind, message: message.into(), hint: hint.into() }
    }

    /// The error of a halted account.
    #[must_use]
    pub fn halted(id: &str, reason: &str) -> CommandError {
        CommandError::new(
            Kind::Halted,
            format!("HALTED (halt {id}): {reason}"),
            "nothing was sent; find out why, then re-arm with `rebal risk-check --resume`",
        )
    }
}

impl CommandError {
    /// The same on an account that is halted, which is known without the exchange.
    #[must_use]
    pub fn under_halt(self, id: &str, reason: &str) -> CommandError {
        match self.kind {
            // Whoever else trades here: this ledger is halted, and that is what its pass says.
            Kind::Unavailable | Kind::Foreign => CommandError {
                kind: Kind::Halted,
                message: format!(
                    "HALTED (halt {id}): {reason}; the account could not be read: {}",
                    self.message
                ),
                ..self
            },
            _ => self,
        }
    }
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> CommandError {
        CommandError::new(Kind::Config, error.to_string(), error.hint())
    }
}

impl From<FolderError> for CommandError {
    fn from(error: FolderError) -> CommandError {
        CommandError::new(Kind::Config, error.to_string(), "")
    }
}

impl From<SecretError> for CommandError {
    fn from(error: SecretError) -> CommandError {
        CommandError::new(
            Kind::Config,
            error.to_string(),
            "see [credentials] in the configuration; nothing was sent",
        )
    }
}

impl From<Unsupported> for CommandError {
    fn from(error: Unsupported) -> CommandError {
        CommandError::new(Kind::Config, error.to_string(), "choose another --format")
    }
}

impl From<LockError> for CommandError {
    fn from(error: LockError) -> CommandError {
        let (kind, hint) = match &error {
            LockError::Busy(_) => (Kind::Locked, "wait for it to end; nothing was sent"),
            LockError::File { .. } => {
                (Kind::Storage, "check the folder's owner and permissions, or give --state-dir DIR")
            }
        };
        CommandError::new(kind, error.to_string(), hint)
    }
}

/// What to do about a ledger that is broken, and what comes of it.
pub const WAY_OUT: &str = "put back a backup of ledger.db. Without one: move ledger.db, ledger.db-wal, \
    ledger.db-shm and lock out of the folder, make an empty file HALT in it, and accept what was ordered before with \
    `rebal risk-check --resume`: the next pass takes the positions of the listed coins over as they are and measures \
    the drawdown from there. History, universe and cool-downs are gone then, and on paper the account begins anew. \
    `rebal flatten` closes without a ledger; until then no order is sent from this folder";

impl From<LedgerError> for CommandError {
    fn from(error: LedgerError) -> CommandError {
        let kind = match &error {
            LedgerError::TakenOver(_) => Kind::Locked,
            _ => Kind::Storage,
        };
        let hint = match &error {
            LedgerError::TakenOver(_) => "do not delete the lock file while a pass runs",
            LedgerError::OtherAccount { .. } => {
                "give every account its own --profile or --state-dir; nothing was sent"
            }
            LedgerError::NotOurs(_) => "give another --state-dir; the file was left as it is",
            LedgerError::TooNew { .. } => "nothing was sent and nothing was changed",
            LedgerError::NotUnicode(_) => {
                "rename the folder, or give --state-dir one whose name is UTF-8; nothing was sent"
            }
            error if error.is_damage() => WAY_OUT,
            LedgerError::Damaged { .. } | LedgerError::Database { .. } | LedgerError::File { .. } => {
                "check the disk, the folder's owner and its permissions"
            }
        };
        CommandError::new(kind, error.to_string(), hint)
    }
}

impl From<ExchangeError> for CommandError {
    fn from(error: ExchangeError) -> CommandError {
        let message = error.to_string();
        match error {
            ExchangeError::Unavailable { endpoint, .. } if endpoint == "paper" => {
                CommandError::new(Kind::Unavailable, message, "nothing was traded")
            }
            ExchangeError::Incoherent(_) => CommandError::new(Kind::Unavailable, message, "nothing was sent"),
            ExchangeError::Unavailable { .. } => CommandError::new(
                Kind::Unavailable,
                message,
                "the next pass tries again; see the exchange's status page if it lasts",
            ),
            ExchangeError::RateLimited { .. } => {
                CommandError::new(Kind::Unavailable, message, "no pass sends anything before that time")
            }
            ExchangeError::Refused { hint, .. } => CommandError::new(Kind::Config, message, hint),
            ExchangeError::Rejected { .. } => {
                CommandError::new(Kind::Unavailable, message, "the next pass tries again")
            }
        }
    }
}

impl From<PassError> for CommandError {
    fn from(error: PassError) -> CommandError {
        let message = error.to_string();
        match error {
            PassError::Exchange(error) => error.into(),
            PassError::Ledger(error) => error.into(),
            PassError::Breached(breaches) => breached(&breaches, message),
            PassError::Foreign(_) => CommandError::new(
                Kind::Foreign,
                message,
                "another machine or an earlier ledger trades this account: stop it, or restore its ledger; nothing was sent, and THE HARD STOP DOES NOT WATCH until then (`rebal flatten` closes all the same)",
            ),
            PassError::HaltedElsewhere { .. } => CommandError::new(
                Kind::Halted,
                format!("HALTED: {message}"),
                "another ledger or machine closed this account: find out why, then re-arm with `rebal risk-check --resume`",
            ),
            PassError::Unrecorded(_) => CommandError::new(
                Kind::Partial,
                message,
                "make room or mend the disk; the next pass asks the exchange what became of them",
            ),
            PassError::Unexplained(_) => CommandError::new(
                Kind::Unavailable,
                message,
                "nothing was sent and no baseline moved; the next pass looks again, and the exchange's history shows what changed",
            ),
            PassError::Unlisted(_) => CommandError::new(
                Kind::Config,
                message,
                "check the spelling in weights.weights, or leave the coin out: its share stays cash; nothing was sent",
            ),
            PassError::Incoherent(_) => CommandError::new(Kind::Unavailable, message, "nothing was sent"),
        }
    }
}

fn breached(breaches: &[Breach], message: String) -> CommandError {
    let of = |breach: &Breach| match breach {
        Breach::Halted(id) => CommandError::halted(id, "nothing is opened"),
        Breach::HedgeMode => CommandError::new(
            Kind::Config,
            "",
            "close all positions and orders, then switch to one-way: Futures > Preferences > Position Mode",
        ),
        Breach::MultiAssetsMode => {
            CommandError::new(Kind::Config, "", "switch to single-asset: Futures > Preferences > Asset Mode")
        }
        Breach::MayNotTrade => CommandError::new(Kind::Config, "", "the exchange's notices say why"),
        Breach::NoEquity(_) => CommandError::new(
            Kind::Unavailable,
            "",
            "the wallet is empty: fill it, or see in the exchange's history whether it was liquidated; nothing was sent",
        ),
    };
    let errors: Vec<CommandError> = breaches.iter().map(of).collect();
    let kind = errors.first().map_or(Kind::Internal, |error| error.kind);
    let hints: Vec<String> = errors.into_iter().map(|error| error.hint).collect();
    CommandError::new(kind, message, hints.join("; "))
}
