//! The simulated exchange over HTTP, on loopback only, strict enough for an independent client.
//!
//! `core` is one exchange behind one lock; `http` carries bytes and breaks them where a fault says
//! so; `usdm` is the dialect of USDⓈ-M futures, `spot` that of spot, `wallet` the little of sapi that is asked for,
//! `screener` what TradingView would say of the same market, and `controls` what only tests use. A
//! further venue is a further file beside `usdm`.

mod auth;
mod controls;
mod core;
mod http;
mod limits;
mod params;
mod screener;
mod spot;
#[cfg(test)]
mod tests;
mod usdm;
mod wallet;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;

use crate::sim::Exchange;

/// What moves the exchange's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clock {
    /// Real time, so many times as fast, beginning where the exchange stands.
    Real {
        /// 1 is real time.
        speed: f64,
    },
    /// Only `POST /sim/advance`.
    Manual,
}

/// How the server listens and whom it knows.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A loopback address; port 0 picks a free one.
    pub listen: SocketAddr,
    /// What moves time.
    pub clock: Clock,
    /// Every request waits this long before it is processed.
    pub latency: Duration,
    /// The one key that exists.
    pub api_key: String,
    /// Its HMAC secret, or an Ed25519 key as PEM, public or private.
    pub api_secret: String,
}

impl Default for Settings {
    /// `127.0.0.1:8900`, real time, key and secret `sim`.
    fn default() -> Settings {
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 8900)),
            clock: Clock::Real { speed: 1.0 },
            latency: Duration::ZERO,
            api_key: "sim".to_owned(),
            api_secret: "sim".to_owned(),
        }
    }
}

/// Serves `exchange` until ctrl-c, SIGTERM, or until the future is dropped. `on_ready` learns the
/// address once requests are answered there.
///
/// # Errors
/// An address that is not loopback or not free, an unusable secret or speed.
pub async fn serve(
    settings: Settings,
    exchange: Exchange,
    on_ready: impl FnOnce(SocketAddr),
) -> io::Result<()> {
    let invalid = |detail: String| io::Error::new(io::ErrorKind::InvalidInput, detail);
    if !settings.listen.ip().is_loopback() {
        return Err(invalid(format!("{} is not a loopback address", settings.listen.ip())));
    }
    if let Clock::Real { speed } = settings.clock
        && !(speed > 0.0 && speed <= 100_000.0)
    {
        return Err(invalid(format!("the speed must be above 0 and at most 100000, not {speed}")));
    }
    let latency = settings.latency;
    let core = Arc::new(Mutex::new(core::Core::new(&settings, exchange)?));
    let listener = TcpListener::bind(settings.listen).await?;
    on_ready(listener.local_addr()?);
    tokio::select! {
        result = http::accept(listener, core, latency) => result,
        () = told_to_stop() => Ok(()),
    }
}

/// Returns at ctrl-c or SIGTERM.
async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
