//! The only socket: one request out, once, and one bounded answer back.
//!
//! Nothing here is sent twice. Redirects are not followed, proxies not used, and every order
//! travels on a connection of its own, so that no pool can decide to send it again. No error
//! carries a URL: addresses hold signatures.

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url, retry};
use secrecy::{ExposeSecret, SecretString};

use crate::wire::binance::request::{Call, Method};
use crate::wire::text;

/// Hosts that may see a signed futures request, besides this machine itself.
const FUTURES_HOSTS: [&str; 3] = ["fapi.binance.com", "demo-fapi.binance.com", "testnet.binancefuture.com"];

/// Where a live key's permissions are asked for.
const WALLET_URL: &str = "https://api.binance.com";

/// How an address without TLS begins.
const PLAIN: &str = "http://";

/// Most bytes of an answer, after inflating.
const BODY_CAP: usize = 8 * 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a connection cannot be set up at all. Never shows the URL's parameters or credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// Not a URL, or one with a path, a query or credentials in it.
    #[error("base_url must be scheme://host[:port] and nothing more")]
    BadUrl,
    /// Plain http is for the simulated exchange on this machine.
    #[error("base_url: plain http is allowed only on loopback")]
    PlainHttp,
    /// Not a host of Binance's USDⓈ-M futures.
    #[error("base_url: {0:?} is not a host of Binance USDⓈ-M futures")]
    UnknownHost(String),
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

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// No byte of the request left this machine.
    NotSent(String),
    /// It may have arrived.
    Lost(String),
}

impl Failure {
    pub(super) fn detail(self) -> String {
        match self {
            Failure::NotSent(detail) | Failure::Lost(detail) => detail,
        }
    }
}

/// A connection to one host.
pub(super) struct Http {
    base: String,
    wallet: Option<String>,
    key: Option<HeaderValue>,
    timeout: Duration,
    reads: Client,
    orders: OnceLock<Client>,
}

impl Http {
    /// Checks the base URL against the allow-list. Opens nothing yet.
    pub(super) fn new(
        base_url: &str,
        key: Option<&SecretString>,
        timeout: Duration,
        connections: usize,
    ) -> Result<Http, SetupError> {
        let base = Base::read(base_url)?;
        let key = key.map(|key| {
            let mut value =
                HeaderValue::from_str(key.expose_secret().trim()).map_err(|_| SetupError::BadKey)?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Http {
            wallet: base.wallet(),
            key: key.transpose()?,
            timeout,
            reads: client(timeout, connections, base.is_plain())?,
            orders: OnceLock::new(),
            base: base.origin,
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
                let plain = self.base.starts_with(PLAIN);
                let made = client(self.timeout, 0, plain).map_err(|e| Failure::NotSent(e.to_string()))?;
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
struct Base {
    origin: String,
    host: String,
    loopback: bool,
}

impl Base {
    fn read(text: &str) -> Result<Base, SetupError> {
        let url = Url::parse(text).map_err(|_| SetupError::BadUrl)?;
        let host = url.host_str().ok_or(SetupError::BadUrl)?.to_owned();
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && matches!(url.path(), "" | "/");
        if !bare {
            return Err(SetupError::BadUrl);
        }
        let loopback = host == "localhost" || {
            let address = host.trim_start_matches('[').trim_end_matches(']');
            address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(SetupError::PlainHttp),
            _ => return Err(SetupError::BadUrl),
        }
        // `port()` is `None` for the scheme's own port.
        if !loopback && (!FUTURES_HOSTS.contains(&host.as_str()) || url.port().is_some()) {
            return Err(SetupError::UnknownHost(text::word(&host)));
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Base { origin: format!("{}://{host}{port}", url.scheme()), host, loopback })
    }

    fn is_plain(&self) -> bool {
        self.origin.starts_with(PLAIN)
    }

    fn wallet(&self) -> Option<String> {
        match (self.loopback, self.host.as_str()) {
            (true, _) => Some(self.origin.clone()),
            (false, "fapi.binance.com") => Some(WALLET_URL.to_owned()),
            _ => None,
        }
    }
}

/// `plain` is for the simulated exchange on this machine: no certificates are loaded, which takes
/// longer than everything else here.
fn client(timeout: Duration, connections: usize, plain: bool) -> Result<Client, SetupError> {
    let builder = Client::builder();
    let builder = if plain { builder.tls_certs_only([]) } else { builder.https_only(true) };
    builder
        .user_agent(concat!("rebal/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .timeout(timeout)
        .pool_max_idle_per_host(connections)
        .build()
        .map_err(|error| SetupError::Http(innermost(&error.without_url())))
}

async fn answer(request: RequestBuilder) -> Result<Answer, Failure> {
    let response = request.send().await.map_err(|error| failure(&error))?;
    let header = |name| header(response.headers(), name);
    let (status, retry_after) = (response.status().as_u16(), header(RETRY_AFTER.as_str()));
    let used_weight = header("x-mbx-used-weight-1m").and_then(|weight| weight.parse().ok());
    let body = body(response).await?;
    Ok(Answer { status, body, retry_after, used_weight })
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Reads the inflated body piece by piece and stops at the cap.
async fn body(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| lost(&error))? {
        if body.len() + piece.len() > BODY_CAP {
            return Err(Failure::Lost("the answer is larger than 8 MiB".into()));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn failure(error: &reqwest::Error) -> Failure {
    match (error.is_connect(), error.is_timeout()) {
        (true, true) => Failure::NotSent("no connection in time".into()),
        (true, false) => Failure::NotSent(format!("no connection: {}", innermost(error))),
        _ if error.is_builder() => Failure::NotSent("the request could not be built".into()),
        _ => lost(error),
    }
}

fn lost(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::Lost("no complete answer in time".into());
    }
    Failure::Lost(format!("the connection broke: {}", innermost(error)))
}

/// The words of the error that began it all. Only reqwest's own errors carry the URL, and those
/// are never the innermost; should one be, nothing of it is said.
fn innermost(error: &reqwest::Error) -> String {
    let mut deepest: Option<&(dyn Error + 'static)> = error.source();
    while let Some(next) = deepest.and_then(|error| error.source()) {
        deepest = Some(next);
    }
    match deepest {
        Some(error) if !error.is::<reqwest::Error>() => text::message(&error.to_string()),
        _ => "no further detail".into(),
    }
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
            assert!(Base::read(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://fapi.binance.com", SetupError::PlainHttp),
            ("http://10.0.0.1:8080", SetupError::PlainHttp),
            (
                "https://fapi.binance.com.evil.example",
                SetupError::UnknownHost("fapi.binance.com.evil.example".into()),
            ),
            ("https://fapi.binance.com:8443", SetupError::UnknownHost("fapi.binance.com".into())),
            ("https://api.binance.com", SetupError::UnknownHost("api.binance.com".into())),
            ("https://user:pw@fapi.binance.com", SetupError::BadUrl),
            ("https://fapi.binance.com/fapi", SetupError::BadUrl),
            ("https://fapi.binance.com?x=1", SetupError::BadUrl),
            ("ftp://127.0.0.1", SetupError::BadUrl),
            ("file:///etc/passwd", SetupError::BadUrl),
            ("fapi.binance.com", SetupError::BadUrl),
            ("", SetupError::BadUrl),
        ] {
            assert_eq!(Base::read(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn permissions_are_asked_only_where_they_exist() {
        let wallet = |url| Base::read(url).unwrap().wallet();
        assert_eq!(wallet("https://fapi.binance.com").as_deref(), Some(WALLET_URL));
        assert_eq!(wallet("https://demo-fapi.binance.com"), None);
        assert_eq!(wallet("http://127.0.0.1:80").as_deref(), Some("http://127.0.0.1"));
    }
}
