//! The only socket: one request out, once, and one bounded answer back.
//!
//! Beside what `net` promises of every request, each order travels on a connection of its own, so
//! that no pool can decide to send it again.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};

use crate::net::{self, Address, BadAddress, Failure};
use crate::wire::binance::api::Api;
use crate::wire::binance::request::{Call, Method};
use crate::wire::text;

/// Where a live key's permissions are asked for.
const WALLET_URL: &str = "https://api.binance.com";

/// Why a connection cannot be set up at all. Never shows the URL's parameters or credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// Not a URL, or one with a path, a query or credentials in it.
    #[error("base_url must be scheme://host[:port] and nothing more")]
    BadUrl,
    /// Plain http is for the simulated exchange on this machine.
    #[error("base_url: plain http is allowed only on loopback")]
    PlainHttp,
    /// Not a host of the interface that is meant.
    #[error("base_url: {0:?} is not a host of Binance {name}", name = .1.name())]
    UnknownHost(String, Api),
    /// The key holds characters that no HTTP header may have.
    #[error("the API key holds characters that no key has")]
    BadKey,
    /// The system's certificates or resolver could not be used.
    #[error("HTTP cannot be set up: {0}")]
    Http(String),
}

/// An answer of the exchange, whatever its status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) retry_after: Option<String>,
    pub(super) used_weight: Option<u32>,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..=299).contains(&self.status)
    }
}

/// A connection to one host.
pub(super) struct Http {
    base: String,
    wallet: Option<String>,
    key: Option<HeaderValue>,
    timeout: Duration,
    plain: bool,
    reads: Client,
    orders: OnceLock<Client>,
}

impl Http {
    /// Checks the base URL against the allow-list. Opens nothing yet.
    pub(super) fn new(
        api: Api,
        base_url: &str,
        key: Option<&SecretString>,
        timeout: Duration,
        connections: usize,
    ) -> Result<Http, SetupError> {
        let base = Base::read(api, base_url)?;
        let key = key.map(|key| {
            let mut value =
                HeaderValue::from_str(key.expose_secret().trim()).map_err(|_| SetupError::BadKey)?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Http {
            wallet: base.wallet(api),
            key: key.transpose()?,
            timeout,
            plain: base.0.is_plain(),
            reads: net::client(timeout, connections, base.0.is_plain()).map_err(SetupError::Http)?,
            orders: OnceLock::new(),
            base: base.0.origin,
        })
    }

    /// Host and port, for the cache.
    pub(super) fn host(&self) -> &str {
        self.base.split_once("://").map_or(&self.base, |(_, host)| host)
    }

    /// Whether the host has the endpoint at all: key permissions exist only beside live accounts.
    pub(super) fn has(&self, call: Call) -> bool {
        call != Call::KeyPermissions || self.wallet.is_some()
    }

    /// Sends a read or a setting, once. `params` are encoded and signed already.
    pub(super) async fn send(&self, call: Call, params: &str) -> Result<Answer, Failure> {
        answer(self.request(&self.reads, call, params)).await
    }

    /// Sends an order, once, on a fresh connection.
    pub(super) async fn send_order(&self, call: Call, params: &str) -> Result<Answer, Failure> {
        let client = match self.orders.get() {
            Some(client) => client,
            None => {
                let made = net::client(self.timeout, 0, self.plain)
                    .map_err(|error| Failure::NotSent(SetupError::Http(error).to_string()))?;
                self.orders.get_or_init(|| made)
            }
        };
        answer(self.request(client, call, params).header(ACCEPT_ENCODING, "identity")).await
    }

    fn request(&self, client: &Client, call: Call, params: &str) -> RequestBuilder {
        let base = match (&self.wallet, call) {
            (Some(wallet), Call::KeyPermissions) => wallet,
            _ => &self.base,
        };
        let path = call.path();
        let in_url =
            if params.is_empty() { format!("{base}{path}") } else { format!("{base}{path}?{params}") };
        let request = match call.method() {
            Method::Get => client.get(in_url),
            Method::Delete => client.delete(in_url),
            Method::Post => client
                .post(format!("{base}{path}"))
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(params.to_owned()),
        };
        match &self.key {
            Some(key) => request.header("X-MBX-APIKEY", key.clone()),
            None => request,
        }
    }
}

/// A base URL that passed the allow-list.
#[derive(Debug, PartialEq, Eq)]
struct Base(Address);

impl Base {
    fn read(api: Api, text: &str) -> Result<Base, SetupError> {
        let address = Address::read(text).map_err(|bad| match bad {
            BadAddress::Url => SetupError::BadUrl,
            BadAddress::Plain => SetupError::PlainHttp,
        })?;
        if !address.path.is_empty() {
            return Err(SetupError::BadUrl);
        }
        let known = api.hosts().contains(&address.host.as_str()) && address.port.is_none();
        if !address.loopback && !known {
            return Err(SetupError::UnknownHost(text::word(&address.host), api));
        }
        Ok(Base(address))
    }

    fn wallet(&self, api: Api) -> Option<String> {
        match (self.0.loopback, self.0.host.as_str()) {
            (true, _) => Some(self.0.origin.clone()),
            (false, host) if host == api.live_host() => Some(WALLET_URL.to_owned()),
            _ => None,
        }
    }
}

async fn answer(request: RequestBuilder) -> Result<Answer, Failure> {
    let answer = net::answer(request).await?;
    let used_weight = answer.header("x-mbx-used-weight-1m").and_then(|weight| weight.parse().ok());
    let retry_after = answer.header(RETRY_AFTER.as_str()).map(str::to_owned);
    Ok(Answer { status: answer.status, body: answer.body, retry_after, used_weight })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_hosts_and_this_machine_are_spoken_to() {
        for good in [
            "https://fapi.binance.com",
            "https://fapi.binance.com/",
            "https://fapi.binance.com:443",
            "https://demo-fapi.binance.com",
            "https://testnet.binancefuture.com",
            "http://127.0.0.1:8080",
            "http://localhost:9",
            "http://[::1]:9",
            "https://127.0.0.1:8443",
        ] {
            assert!(Base::read(Api::Usdm, good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://fapi.binance.com", SetupError::PlainHttp),
            ("http://10.0.0.1:8080", SetupError::PlainHttp),
            (
                "https://fapi.binance.com.evil.example",
                SetupError::UnknownHost("fapi.binance.com.evil.example".into(), Api::Usdm),
            ),
            ("https://fapi.binance.com:8443", SetupError::UnknownHost("fapi.binance.com".into(), Api::Usdm)),
            ("https://api.binance.com", SetupError::UnknownHost("api.binance.com".into(), Api::Usdm)),
            ("https://user:pw@fapi.binance.com", SetupError::BadUrl),
            ("https://fapi.binance.com/fapi", SetupError::BadUrl),
            ("https://fapi.binance.com?x=1", SetupError::BadUrl),
            ("ftp://127.0.0.1", SetupError::BadUrl),
            ("file:///etc/passwd", SetupError::BadUrl),
            ("fapi.binance.com", SetupError::BadUrl),
            ("", SetupError::BadUrl),
        ] {
            assert_eq!(Base::read(Api::Usdm, bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn permissions_are_asked_only_where_they_exist() {
        let wallet = |url| Base::read(Api::Usdm, url).unwrap().wallet(Api::Usdm);
        assert_eq!(wallet("https://fapi.binance.com").as_deref(), Some(WALLET_URL));
        assert_eq!(wallet("https://demo-fapi.binance.com"), None);
        assert_eq!(wallet("http://127.0.0.1:80").as_deref(), Some("http://127.0.0.1"));
    }

    #[test]
    fn spot_has_hosts_of_its_own() {
        let read = |url| Base::read(Api::Spot, url);
        for good in ["https://api.binance.com", "https://testnet.binance.vision", "http://127.0.0.1:80"] {
            assert!(read(good).is_ok(), "{good}");
        }
        let error = read("https://fapi.binance.com").unwrap_err();
        assert_eq!(error.to_string(), "base_url: \"fapi.binance.com\" is not a host of Binance Spot");
        assert!(read("https://api.binance.vision").is_err());
        let wallet = |url| read(url).unwrap().wallet(Api::Spot);
        assert_eq!(wallet("https://api.binance.com").as_deref(), Some(WALLET_URL));
        assert_eq!(wallet("https://testnet.binance.vision"), None);
    }
}
