//! Signed conversation with one host: key, clock, limits, and what a failed answer means.

use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::domain::order::OrderRequest;
use crate::domain::stop::{Conditional, StopRequest};
use crate::domain::time::Time;
use crate::exchange::binance::client::{Answer, Http};
use crate::exchange::binance::limits::Limits;
use crate::exchange::{ExchangeError, Reply};
use crate::net::Failure;
use crate::wire::binance::api::Api;
use crate::wire::binance::error::{self, OrderAnswer, ReadFailure};
use crate::wire::binance::request::{Access, Call, Request};
use crate::wire::json::WireError;
use crate::wire::sign::Signer;
use crate::wire::text;

/// The keys of exchanges have 64 characters, drawn at random.
const REAL_KEY: usize = 32;

/// Key and signer of an account.
pub(super) struct Credentials {
    pub(super) key: SecretString,
    pub(super) signer: Signer,
}

impl Credentials {
    /// What the exchange knows and could repeat.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        [Some(&self.key), self.signer.shared()].into_iter().flatten().map(|secret| secret.expose_secret())
    }
}

/// A conversation with one host.
pub(super) struct Session {
    api: Api,
    http: Http,
    credentials: Option<Credentials>,
    recv_window: Duration,
    clock: Mutex<Option<Clock>>,
    limits: Mutex<Limits>,
    /// Reads in flight at once. Orders do not queue here: their time is signed already.
    reads: Semaphore,
    /// One measurement of the clock at a time.
    syncing: tokio::sync::Mutex<()>,
}

/// A round trip longer than this makes "half way" a poor guess of when the answer was made.
const SLOW: Duration = Duration::from_millis(500);

/// Exchange time at one instant of this machine's monotonic clock.
#[derive(Clone, Copy, Debug)]
struct Clock {
    at: Instant,
    time: Time,
}

impl Clock {
    /// What the exchange `told` between `asked` and `at`, taken to have been true half way.
    fn half_way(asked: Instant, at: Instant, told: Time) -> Clock {
        Clock { at, time: told + at.duration_since(asked) / 2 }
    }

    fn now(&self) -> Time {
        self.time + self.at.elapsed()
    }
}

/// Why one attempt failed.
enum Stumble {
    /// The signed time was refused: measuring the clock may help.
    Clock(String),
    Error(ExchangeError),
}

impl Session {
    pub(super) fn new(
        api: Api,
        http: Http,
        credentials: Option<Credentials>,
        recv_window: Duration,
        concurrency: usize,
    ) -> Session {
        Session {
            api,
            http,
            credentials,
            recv_window,
            clock: Mutex::new(None),
            limits: Mutex::new(Limits::new(api.weight_per_minute())),
            reads: Semaphore::new(concurrency.max(1)),
            syncing: tokio::sync::Mutex::new(()),
        }
    }

    pub(super) fn host(&self) -> &str {
        self.http.host()
    }

    pub(super) fn has(&self, call: Call) -> bool {
        self.http.has(call)
    }

    pub(super) fn recv_window(&self) -> Duration {
        self.recv_window
    }

    /// Exchange time now; 1970 before the first measurement.
    pub(super) fn now(&self) -> Time {
        held(&self.clock).map_or(Time::default(), |clock| clock.now())
    }

    pub(super) fn limits(&self) -> Limits {
        *held(&self.limits)
    }

    fn hold(&self, until: Time) {
        held(&self.limits).hold(until);
    }

    /// Measures the exchange's clock: its answer is taken to have been made half way between
    /// question and answer. A slow first answer (it opened the connection) is measured once more.
    pub(super) async fn sync(&self) -> Result<Time, ExchangeError> {
        let mut best = self.measure().await?;
        if best.1 > SLOW {
            best = faster(best, self.measure().await?);
        }
        let clock = best.0;
        if held(&self.clock).replace(clock).is_none() {
            held(&self.limits).rebase(clock.now());
        }
        Ok(clock.now())
    }

    /// One measurement and its round trip.
    async fn measure(&self) -> Result<(Clock, Duration), ExchangeError> {
        let request = Request::new(self.api.time_call());
        let asked = Instant::now();
        let body = self.attempt(&request).await.map_err(|stumble| self.error(&request, stumble))?;
        let at = Instant::now();
        let told = self.api.time(&body).map_err(unreadable)?;
        Ok((Clock::half_way(asked, at, told), at.duration_since(asked)))
    }

    /// Fails before the exchange's time is known: nothing can be signed, or dated, without it.
    pub(super) fn ready(&self, call: Call) -> Result<(), ExchangeError> {
        if held(&self.clock).is_some() {
            return Ok(());
        }
        let detail = "the exchange's time is not known yet".into();
        Err(ExchangeError::Unavailable { endpoint: call.name().into(), detail })
    }

    /// Refuses a wave that would pass the exchange's limit before any of it is sent.
    pub(super) fn admit(&self, first: Call, weight: u32) -> Result<(), ExchangeError> {
        held(&self.limits)
            .fits(self.now_or_local(), weight)
            .map_err(|until| ExchangeError::RateLimited { endpoint: first.name().into(), until })
    }

    /// Sends a read or a setting and returns the body of its 2xx answer. Where the exchange refuses
    /// the signed time, the clock is measured again and the request sent once more, newly signed.
    pub(super) async fn ask(&self, request: &Request) -> Result<Vec<u8>, ExchangeError> {
        let measured = held(&self.clock).map(|clock| clock.at);
        match self.once(request).await {
            Err(Stumble::Clock(_)) if request.call.route().access == Access::Signed => {
                self.sync_unless_newer(measured).await?;
                self.once(request).await.map_err(|stumble| self.error(request, stumble))
            }
            answer => answer.map_err(|stumble| self.error(request, stumble)),
        }
    }

    /// A whole wave may be refused at once; the first one back measures for all.
    async fn sync_unless_newer(&self, measured: Option<Instant>) -> Result<(), ExchangeError> {
        let _one_at_a_time = self.syncing.lock().await;
        if held(&self.clock).map(|clock| clock.at) == measured {
            self.sync().await?;
        }
        Ok(())
    }

    async fn once(&self, request: &Request) -> Result<Vec<u8>, Stumble> {
        // Closed by nobody; were it ever, nothing would be lost by not waiting.
        let _place = self.reads.acquire().await;
        self.attempt(request).await
    }

    async fn attempt(&self, request: &Request) -> Result<Vec<u8>, Stumble> {
        let endpoint = request.call.name();
        self.admit(request.call, request.weight()).map_err(Stumble::Error)?;
        let params = self.params(request, self.now()).map_err(Stumble::Error)?;
        held(&self.limits).spend(self.now_or_local(), request.weight());
        let answer = self.http.send(request.call, &params).await.map_err(|failure| {
            let detail = failure.detail();
            Stumble::Error(ExchangeError::Unavailable { endpoint: endpoint.into(), detail })
        })?;
        let answer = self.heard(answer);
        self.learn(request.call, &answer);
        if answer.is_success() {
            return Ok(answer.body);
        }
        Err(self.stumble(request.call, &answer))
    }

    fn params(&self, request: &Request, now: Time) -> Result<String, ExchangeError> {
        let endpoint = request.call.name().to_owned();
        let refused = |detail: &str, hint: &str| ExchangeError::Refused {
            endpoint: endpoint.clone(),
            detail: detail.into(),
            hint: hint.into(),
        };
        if request.call.route().access == Access::Public {
            return Ok(request.encoded());
        }
        let Some(credentials) = &self.credentials else {
            return Err(refused("no API key", "Set credentials.api_key and credentials.api_secret."));
        };
        self.ready(request.call)?;
        request
            .signed(&credentials.signer, now, self.recv_window)
            .map_err(|error| refused(&error.to_string(), "Store the API secret again."))
    }

    /// Keeps the exchange's own count. The one of bookTicker is known to be wrong, the one of key
    /// permissions is another host's.
    fn learn(&self, call: Call, answer: &Answer) {
        let counts = !matches!(call, Call::BookTicker | Call::KeyPermissions);
        if let (Some(used), true) = (answer.used_weight, counts) {
            held(&self.limits).counted(self.now_or_local(), used);
        }
    }

    fn stumble(&self, call: Call, answer: &Answer) -> Stumble {
        let endpoint = call.name().to_owned();
        let now = self.now_or_local();
        let failure =
            error::read_failure(self.api, answer.status, answer.retry_after.as_deref(), &answer.body, now);
        Stumble::Error(match failure {
            ReadFailure::Clock(said) => return Stumble::Clock(self.scrub(&said)),
            ReadFailure::RateLimited(until) => {
                // A limit of the host that knows the key's permissions must not silence the other.
                if call != Call::KeyPermissions {
                    self.hold(until);
                }
                ExchangeError::RateLimited { endpoint, until }
            }
            ReadFailure::Refused { detail, hint } => {
                ExchangeError::Refused { endpoint, detail: self.scrub(&detail), hint: hint.into() }
            }
            ReadFailure::Rejected(refusal) => {
                ExchangeError::Rejected { endpoint, code: refusal.code, msg: self.scrub(&refusal.msg) }
            }
            ReadFailure::Unavailable(detail) => {
                ExchangeError::Unavailable { endpoint, detail: self.scrub(&detail) }
            }
        })
    }

    fn error(&self, request: &Request, stumble: Stumble) -> ExchangeError {
        match stumble {
            Stumble::Error(error) => error,
            Stumble::Clock(detail) => ExchangeError::Refused {
                endpoint: request.call.name().into(),
                detail,
                hint: error::CLOCK_HINT.into(),
            },
        }
    }

    /// Sends an order once, signed with `stamp`, and sorts the answer. Nothing is ever repeated.
    pub(super) async fn place(&self, order: &OrderRequest, stamp: Time) -> Reply {
        self.send_once(&self.api.place(order), stamp, |answer| {
            error::order_answer(self.api, answer.status, &answer.body, &order.client_id, &order.symbol)
        })
        .await
    }

    /// The same of a stop.
    pub(super) async fn place_stop(&self, stop: &StopRequest, stamp: Time) -> Reply<Conditional> {
        self.send_once(&Request::place_stop(stop), stamp, |answer| {
            error::stop_answer(answer.status, &answer.body, stop)
        })
        .await
    }

    async fn send_once<T>(
        &self,
        request: &Request,
        stamp: Time,
        sort: impl Fn(&Answer) -> OrderAnswer<T>,
    ) -> Reply<T> {
        let Some(credentials) = &self.credentials else {
            return Reply::NotSent("no API key".into());
        };
        if let Some(until) = self.limits().silent(self.now_or_local()) {
            return Reply::NotSent(format!("rate-limited until {until}"));
        }
        let params = match request.signed(&credentials.signer, stamp, self.recv_window) {
            Ok(params) => params,
            Err(error) => return Reply::NotSent(error.to_string()),
        };
        let answer = match self.http.send_order(request.call, &params).await {
            Ok(answer) => answer,
            Err(Failure::NotSent(detail)) => return Reply::NotSent(detail),
            Err(Failure::Lost(detail)) => return Reply::Unknown(detail),
        };
        let answer = self.heard(answer);
        self.learn(request.call, &answer);
        let now = self.now_or_local();
        let limit = error::rate_limit(answer.status, answer.retry_after.as_deref(), &answer.body, now);
        if let Some(until) = limit {
            self.hold(until);
        }
        match sort(&answer) {
            OrderAnswer::Accepted(order) => Reply::Accepted(order),
            OrderAnswer::Rejected(refusal) => {
                Reply::Rejected { code: refusal.code, msg: self.scrub(&refusal.msg) }
            }
            OrderAnswer::Unknown(detail) => Reply::Unknown(self.scrub(&detail)),
        }
    }

    /// Before the first measurement limits can only be told by this machine's own clock.
    fn now_or_local(&self) -> Time {
        match *held(&self.clock) {
            Some(clock) => clock.now(),
            None => Time::from(std::time::SystemTime::now()),
        }
    }

    /// Words of the exchange without our key, should it echo it: once more, since what was escaped in
    /// its answer is plain by now.
    fn scrub(&self, said: &str) -> String {
        let mut said = said.to_owned();
        for secret in self.secrets() {
            said = String::from_utf8_lossy(&text::without(said.as_bytes(), secret)).into_owned();
        }
        said
    }

    /// An answer as if our key were nowhere in it, so that no word read from it can hold a piece.
    fn heard(&self, mut answer: Answer) -> Answer {
        // The name of a field may be a piece of a short key that somebody made up for practice.
        for secret in self.secrets().filter(|secret| secret.len() >= REAL_KEY) {
            if let Cow::Owned(clean) = text::without(&answer.body, secret) {
                answer.body = clean;
            }
        }
        answer
    }

    fn secrets(&self) -> impl Iterator<Item = &str> {
        self.credentials.iter().flat_map(Credentials::secrets)
    }
}

/// The measurement with the shorter round trip: it can be the least wrong.
fn faster(one: (Clock, Duration), other: (Clock, Duration)) -> (Clock, Duration) {
    if other.1 < one.1 { other } else { one }
}

/// An answer that arrived but cannot be read.
pub(super) fn unreadable(error: WireError) -> ExchangeError {
    ExchangeError::Unavailable { endpoint: error.endpoint.into(), detail: error.detail }
}

/// The value behind a lock. A panic elsewhere leaves it whole: every change is one assignment.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_was_right_half_way_and_the_shorter_way_is_better() {
        let at = Instant::now();
        let told = Time::clamped(1_795_163_379_973);
        let after = |ms| {
            let way = Duration::from_millis(ms);
            (Clock::half_way(at, at + way, told), way)
        };
        assert_eq!(after(200).0.time, told + Duration::from_millis(100));
        for (one, other) in [(900, 80), (80, 900), (80, 80)] {
            assert_eq!(faster(after(one), after(other)).1, Duration::from_millis(80));
        }
    }
}
