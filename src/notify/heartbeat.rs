//! The dead-man switch: somebody else notices when the passes stop.

use std::time::Duration;

use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};

use super::{SetupError, address};
use crate::net;

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// As it should.
    Good,
    /// Otherwise.
    Bad,
}

/// An address that expects to be asked after every pass.
pub struct Heartbeat {
    client: Client,
    /// Whoever knows it can speak for us.
    url: SecretString,
    within: Duration,
}

impl Heartbeat {
    /// Checks the address. Opens nothing yet; one beat takes at most `within`.
    ///
    /// # Errors
    /// An address that must not be spoken to.
    pub fn new(url: &str, within: Duration) -> Result<Heartbeat, SetupError> {
        let address = address("heartbeat.url", url)?;
        let client = net::client(within, 1, address.is_plain()).map_err(SetupError::Http)?;
        Ok(Heartbeat { client, url: SecretString::from(address.origin + &address.path), within })
    }

    /// Asks the address, or its `/fail`, once.
    ///
    /// # Errors
    /// What went wrong, in words that do not hold the address.
    pub async fn beat(&self, beat: Beat) -> Result<(), String> {
        let end = match beat {
            Beat::Good => "",
            Beat::Bad => "/fail",
        };
        let request = self.client.get(format!("{}{end}", self.url.expose_secret())).timeout(self.within);
        match net::answer(request).await {
            Ok(answer) => match answer.status {
                200..=299 => Ok(()),
                300..=399 => Err(format!(
                    "it answered {}, and redirects are not followed: set heartbeat.url to where it leads",
                    answer.status
                )),
                status => Err(format!("it answered {status}: check heartbeat.url")),
            },
            Err(failure) => Err(failure.detail()),
        }
    }
}
