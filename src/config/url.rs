//! Addresses that may be spoken to: encrypted, or on this machine.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An `https` address, or plain `http` on loopback, without user, query or fragment and without
/// a slash at its end.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(String);

/// Why a text is not accepted as an address. Never repeats it, since people put tokens into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Neither `https://` nor `http://`.
    #[error("must begin with https://")]
    Scheme,
    /// Plain text over a network.
    #[error("must begin with https://; plain http is for this machine only (127.0.0.1, [::1], localhost)")]
    Plain,
    /// `user:password@host`.
    #[error("must not contain a user name or password")]
    Credentials,
    /// Nothing, or nothing sensible, where the host should be.
    #[error("names no valid host")]
    Host,
    /// `?`, `#`, blanks, control characters, backslashes.
    #[error("must not contain blanks, ?, # or control characters")]
    Characters,
}

impl Url {
    /// The address as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme, host and port alone: what may be shown where the path may be a secret.
    #[must_use]
    pub fn host(&self) -> &str {
        let after_scheme = self.0.find("://").map_or(0, |at| at + 3);
        let end = self.0.get(after_scheme..).and_then(|rest| rest.find('/')).map(|at| after_scheme + at);
        self.0.get(..end.unwrap_or(self.0.len())).unwrap_or_default()
    }

    /// Whether it stays on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        is_loopback(host.split_once("://").map_or(host, |(_, authority)| authority))
    }

    /// One of our own addresses, known to be well formed.
    pub(crate) fn known(text: &'static str) -> Url {
        Url(text.to_owned())
    }
}

/// The host of `host:port`, without brackets.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(host, _)| host),
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = host_of(authority);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_host(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let Some((host, port)) = rest.split_once(']') else { return false };
            if !matches!(host.parse(), Ok(IpAddr::V6(_))) {
                return false;
            }
            (host, port)
        }
        None => match authority.find(':') {
            Some(at) => authority.split_at(at),
            None => (authority, ""),
        },
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':');
    let port_fits = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|p| p > 0));
    !host.is_empty() && host.chars().all(plain) && port_fits
}

impl FromStr for Url {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Url, BadUrl> {
        let (plain, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return Err(BadUrl::Scheme),
        };
        if rest.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '\\')) {
            return Err(BadUrl::Characters);
        }
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            return Err(BadUrl::Credentials);
        }
        if !is_host(authority) {
            return Err(BadUrl::Host);
        }
        if plain && !is_loopback(authority) {
            return Err(BadUrl::Plain);
        }
        Ok(Url(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Url {
    /// Host only: the path of a heartbeat address is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/…", self.host())
    }
}

impl Serialize for Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encrypted_or_local_addresses_pass() {
        for (text, expected) in [
            ("https://fapi.binance.com", Ok("https://fapi.binance.com")),
            ("https://fapi.binance.com/", Ok("https://fapi.binance.com")),
            ("https://hc-ping.com/abc-def", Ok("https://hc-ping.com")),
            ("http://127.0.0.1:8900", Ok("http://127.0.0.1:8900")),
            ("http://127.9.9.9", Ok("http://127.9.9.9")),
            ("http://localhost:1", Ok("http://localhost:1")),
            ("http://[::1]:8900/x", Ok("http://[::1]:8900")),
            ("http://localhost.evil.com", Err(BadUrl::Plain)),
            ("http://127.0.0.1.evil.com", Err(BadUrl::Plain)),
            ("http://fapi.binance.com", Err(BadUrl::Plain)),
            ("http://[::2]", Err(BadUrl::Plain)),
            ("https://user:pw@host", Err(BadUrl::Credentials)),
            ("http://127.0.0.1@evil.com", Err(BadUrl::Credentials)),
            ("https://host?key=1", Err(BadUrl::Characters)),
            ("https://ho st", Err(BadUrl::Characters)),
            ("http://127.0.0.1\\evil.com", Err(BadUrl::Characters)),
            ("https://", Err(BadUrl::Host)),
            ("https:///path", Err(BadUrl::Host)),
            ("https://host:99999", Err(BadUrl::Host)),
            ("https://[not-v6]", Err(BadUrl::Host)),
            ("ftp://host", Err(BadUrl::Scheme)),
            ("fapi.binance.com", Err(BadUrl::Scheme)),
            ("HTTPS://host", Err(BadUrl::Scheme)),
        ] {
            let read = text.parse::<Url>();
            assert_eq!(read.as_ref().map(Url::host).map_err(|why| *why), expected, "{text}");
        }
    }
}
