//! What leaves for the owner: messages and documents to a Telegram chat, and the heartbeat.
//!
//! Nothing here is sent twice and nothing waits for long. No error holds an address: those of both
//! are secrets.

mod heartbeat;
mod telegram;
#[cfg(test)]
mod tests;

pub use heartbeat::{Beat, Heartbeat};
pub use telegram::{SendError, Settings, Telegram};

use crate::net::{Address, BadAddress};

/// Why an address or a token cannot be used at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// Not a URL, or one with a query, a fragment or credentials in it.
    #[error("{0} must be https://host[:port][/path] and nothing more")]
    BadUrl(&'static str),
    /// Plain http is for servers on this machine.
    #[error("{0}: plain http is allowed only on loopback")]
    PlainHttp(&'static str),
    /// What the token's place holds is no token.
    #[error(
        "telegram.token points at something that is no bot token; one looks like 123456789:AAE… and comes from @BotFather"
    )]
    BadToken,
    /// The system's certificates or resolver could not be used.
    #[error("HTTP cannot be set up: {0}")]
    Http(String),
}

/// The address of a setting, checked.
fn address(key: &'static str, url: &str) -> Result<Address, SetupError> {
    Address::read(url).map_err(|bad| match bad {
        BadAddress::Url => SetupError::BadUrl(key),
        BadAddress::Plain => SetupError::PlainHttp(key),
    })
}
