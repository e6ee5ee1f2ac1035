//! What every outgoing request has in common: where it may go, sent once, one bounded answer back.
//!
//! Nothing here is sent twice. Redirects are not followed and proxies not used. No error carries a
//! URL: addresses hold signatures and tokens.

#[cfg(test)]
pub(crate) mod canned;

use std::error::Error;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url, retry};

use crate::wire::text;

/// Most bytes of an answer, after inflating.
const BODY_CAP: usize = 8 * 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header, where it is there and plain text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No byte of the request left this machine.
    NotSent(String),
    /// It may have arrived.
    Lost(String),
}

impl Failure {
    pub(crate) fn detail(self) -> String {
        match self {
            Failure::NotSent(detail) | Failure::Lost(detail) => detail,
        }
    }
}

/// Why a text is no address that may be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadAddress {
    /// Not a URL, of another scheme, or one with a query, a fragment or credentials in it.
    Url,
    /// Plain http is for this machine only.
    Plain,
}

/// Where requests may go: over TLS, or to this machine itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// `scheme://host[:port]`.
    pub(crate) origin: String,
    /// The host alone; an IPv6 address in its brackets.
    pub(crate) host: String,
    /// The port, where it is not the scheme's own.
    pub(crate) port: Option<u16>,
    /// What follows the origin, without a slash at its end; usually nothing.
    pub(crate) path: String,
    /// Whether it is this machine.
    pub(crate) loopback: bool,
}

impl Address {
    /// Reads and checks an address.
    pub(crate) fn read(text: &str) -> Result<Address, BadAddress> {
        let url = Url::parse(text).map_err(|_| BadAddress::Url)?;
        let host = url.host_str().ok_or(BadAddress::Url)?.to_owned();
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !bare {
            return Err(BadAddress::Url);
        }
        let loopback = host == "localhost" || {
            let address = host.trim_start_matches('[').trim_end_matches(']');
            address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(BadAddress::Plain),
            _ => return Err(BadAddress::Url),
        }
        // `port()` is `None` for the scheme's own port.
        let (port, path) = (url.port(), url.path().trim_end_matches('/').to_owned());
        let shown = port.map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Address { origin: format!("{}://{host}{shown}", url.scheme()), host, port, path, loopback })
    }

    /// Whether it is spoken to without TLS.
    pub(crate) fn is_plain(&self) -> bool {
        self.origin.starts_with("http://")
    }
}

/// A client that keeps at most so many idle connections. `plain` is for servers on this machine: no
/// certificates are loaded, which takes longer than everything else here.
///
/// Fails with words that are fit to be shown.
pub(crate) fn client(timeout: Duration, connections: usize, plain: bool) -> Result<Client, String> {
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
        .map_err(|error| innermost(&error.without_url()))
}

/// Sends a request, once, and reads the whole of its answer within the client's timeout.
pub(crate) async fn answer(request: RequestBuilder) -> Result<Answer, Failure> {
    let response = request.send().await.map_err(|error| failure(&error))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, body: body(response).await? })
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
    fn only_encrypted_addresses_and_this_machine_are_spoken_to() {
        for (good, origin, path, loopback) in [
            ("https://scanner.tradingview.com", "https://scanner.tradingview.com", "", false),
            ("https://a.example:443/", "https://a.example", "", false),
            ("https://a.example:8443/x/y/", "https://a.example:8443", "/x/y", false),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "", true),
            ("http://localhost:9/", "http://localhost:9", "", true),
            ("http://[::1]:9", "http://[::1]:9", "", true),
        ] {
            let address = Address::read(good).unwrap();
            assert_eq!((address.origin.as_str(), address.path.as_str()), (origin, path));
            assert_eq!((address.loopback, address.is_plain()), (loopback, good.starts_with("http:")));
        }
        for (bad, why) in [
            ("http://a.example", BadAddress::Plain),
            ("http://10.0.0.1:8080", BadAddress::Plain),
            ("http://127.0.0.1.evil.example", BadAddress::Plain),
            ("https://user:pw@a.example", BadAddress::Url),
            ("https://a.example?x=1", BadAddress::Url),
            ("https://a.example#x", BadAddress::Url),
            ("ftp://127.0.0.1", BadAddress::Url),
            ("a.example", BadAddress::Url),
            ("", BadAddress::Url),
        ] {
            assert_eq!(Address::read(bad), Err(why), "{bad}");
        }
    }
}
