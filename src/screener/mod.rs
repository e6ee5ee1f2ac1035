//! TradingView's screener over HTTP: two questions at once, and the last good answers where it fails.
//!
//! It is nobody's duty to answer here, so little is asked (two requests a scan, a few more where it
//! stumbles) and nothing depends on it: without a list the caller ranks by the exchange's own volume.

mod cache;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;

use crate::domain::time::Time;
use crate::net::{self, Address, BadAddress};
use crate::screener::cache::Cache;
use crate::wire::tradingview::{
    self, COINS_PATH, Coins, Columns, HEADERS, PAIRS_PATH, Pair, Pairs, PairsAsked, ScanError,
};

/// How long to wait before the second attempt, where the screener does not say.
const USUAL_PAUSE: Duration = Duration::from_secs(2);

/// Where it asks for more than this, there is no second attempt.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Where the screener is and what is asked of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://scanner.tradingview.com`; plain http only on loopback.
    pub url: String,
    /// For one request, its answer included.
    pub timeout: Duration,
    /// The folder of the last good list, `screener.json`; none is kept without one.
    pub cache: Option<PathBuf>,
    /// Spot pairs instead of perpetual contracts.
    pub spot: bool,
    /// What the pairs are priced in.
    pub quote: String,
}

/// What the screener said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screened {
    /// Binance's pairs in the screener's order, the most traded first, each once; never empty.
    pub pairs: Vec<Pair>,
    /// Category slugs by coin (the base asset without a multiplier); empty where nobody told.
    pub categories: BTreeMap<String, Vec<String>>,
    /// Tickers as they came just now, and why each was dropped.
    pub dropped: Vec<(String, String)>,
    /// When the pairs were read.
    pub at: Time,
    /// Whether the pairs are an older list, because the screener failed now.
    pub from_cache: bool,
    /// What did not go as it should, for people.
    pub notes: Vec<String>,
}

/// Why the screener cannot be asked at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// Not a URL, or one with a query, a fragment or credentials in it.
    #[error("tradingview_url must be https://host[:port] and nothing more")]
    BadUrl,
    /// Plain http is for servers on this machine.
    #[error("tradingview_url: plain http is allowed only on loopback")]
    PlainHttp,
    /// The system's certificates or resolver could not be used.
    #[error("HTTP cannot be set up: {0}")]
    Http(String),
}

/// There is no list of pairs: the screener failed, and no good list is younger than a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the screener gave no list: {detail}")]
pub struct ScreenerError {
    /// What it did instead.
    pub detail: String,
}

/// The screener of one address.
pub struct Screener {
    base: String,
    client: Client,
    spot: bool,
    quote: String,
    cache: Cache,
    pause: Duration,
}

impl Screener {
    /// Checks the address. Opens nothing yet.
    ///
    /// # Errors
    /// An address that must not be spoken to.
    pub fn new(settings: Settings) -> Result<Screener, SetupError> {
        let address = Address::read(&settings.url).map_err(|bad| match bad {
            BadAddress::Url => SetupError::BadUrl,
            BadAddress::Plain => SetupError::PlainHttp,
        })?;
        let client = net::client(settings.timeout, 2, address.is_plain()).map_err(SetupError::Http)?;
        let base = address.origin + &address.path;
        Ok(Screener {
            cache: Cache::new(settings.cache, &base, settings.spot, &settings.quote),
            base,
            client,
            spot: settings.spot,
            quote: settings.quote,
            pause: USUAL_PAUSE,
        })
    }

    /// Asks for pairs and categories at once. What fails is taken from the last good answers, where
    /// those are at most a day old at `now`; categories may be missing altogether.
    ///
    /// # Errors
    /// There are no pairs, neither new ones nor good old ones.
    pub async fn read(&self, now: Time) -> Result<Screened, ScreenerError> {
        let (mut for_pairs, mut for_coins) =
            (Conversation::new(self, PAIRS_PATH), Conversation::new(self, COINS_PATH));
        let (pairs, coins) = tokio::join!(for_pairs.pairs(), for_coins.coins());
        let mut notes = [for_pairs.notes, for_coins.notes].concat();
        let fresh = (pairs.as_ref().ok(), coins.as_ref().ok());
        let kept = self.cache.load(now);
        self.cache.store(now, &kept, fresh.0.map(|read| &read.pairs), fresh.1.map(|read| &read.categories));

        let mut dropped = Vec::new();
        let (pairs, at, from_cache) = match (pairs, kept.pairs) {
            (Ok(read), _) => {
                dropped.extend(read.dropped);
                (read.pairs, now, false)
            }
            (Err(fault), Some(kept)) => {
                notes.push(format!("the screener {fault}: its list of {} is used", kept.at));
                (kept.rows, kept.at, true)
            }
            (Err(fault), None) => return Err(ScreenerError { detail: format!("it {fault}") }),
        };
        let categories = match (coins, kept.categories) {
            (Ok(read), _) => {
                dropped.extend(read.dropped);
                read.categories
            }
            (Err(fault), Some(kept)) => {
                notes.push(format!("asked for categories, it {fault}: those of {} are used", kept.at));
                kept.rows
            }
            (Err(fault), None) => {
                notes.push(format!("asked for categories, it {fault}: there are none"));
                BTreeMap::new()
            }
        };
        Ok(Screened { pairs, categories, dropped, at, from_cache, notes })
    }
}

/// Why a question has no answer; continues a sentence that begins with "it".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("knows no field {0}")]
    UnknownField(String),
    #[error("{0}")]
    Other(String),
}

impl Fault {
    /// What is wrong with an answer of this status.
    fn of(status: u16, error: ScanError) -> Fault {
        match error {
            ScanError::UnknownField(field) => Fault::UnknownField(field),
            ScanError::Said(said) => Fault::Other(format!("answered {status}: {said}")),
            ScanError::Unreadable(seen) => Fault::Other(format!("answered {status} with {seen}")),
        }
    }
}

/// One question, and what is asked again about it.
struct Conversation<'a> {
    screener: &'a Screener,
    path: &'static str,
    /// The one second attempt after a refusal has been made.
    waited: bool,
    notes: Vec<String>,
}

impl<'a> Conversation<'a> {
    fn new(screener: &'a Screener, path: &'static str) -> Conversation<'a> {
        Conversation { screener, path, waited: false, notes: Vec::new() }
    }

    async fn pairs(&mut self) -> Result<Pairs, Fault> {
        let Screener { spot, quote, .. } = self.screener;
        let all = PairsAsked { spot: *spot, quote: quote.clone(), columns: Columns::Full, marked: true };
        let mut read = self.ask_pairs(&all).await;
        if let Err(Fault::UnknownField(field)) = &read {
            self.note_unknown(field);
            read = self.ask_pairs(&PairsAsked { columns: Columns::Fewest, ..all }).await;
        } else if read.as_ref().is_ok_and(|read| *read == Pairs::default()) && !spot {
            self.notes.push("no pair is marked perpetual: asked again without the mark".into());
            read = self.ask_pairs(&PairsAsked { marked: false, ..all }).await;
        }
        let read = read?;
        match read.dropped.first() {
            _ if !read.pairs.is_empty() => Ok(read),
            Some((ticker, reason)) => {
                let rows = read.dropped.len();
                Err(Fault::Other(format!(
                    "sent {rows} rows and no pair, the first being {ticker} ({reason})"
                )))
            }
            None => Err(Fault::Other("sent an empty list".into())),
        }
    }

    async fn coins(&mut self) -> Result<Coins, Fault> {
        let mut read = self.ask_coins(Columns::Full).await;
        if let Err(Fault::UnknownField(field)) = &read {
            self.note_unknown(field);
            read = self.ask_coins(Columns::Fewest).await;
        }
        match read? {
            read if read.categories.is_empty() => Err(Fault::Other("sent no coin with a category".into())),
            read => Ok(read),
        }
    }

    fn note_unknown(&mut self, field: &str) {
        self.notes.push(format!("unknown field {field}: asked again with the fewest columns"));
    }

    async fn ask_pairs(&mut self, asked: &PairsAsked) -> Result<Pairs, Fault> {
        self.ask(&asked.body(), |bytes| tradingview::pairs(bytes, asked)).await
    }

    async fn ask_coins(&mut self, columns: Columns) -> Result<Coins, Fault> {
        self.ask(&tradingview::coins_body(columns), |bytes| tradingview::coins(bytes, columns)).await
    }

    /// Asks, and asks once more where the screener is busy or does not like being asked so often.
    async fn ask<T>(
        &mut self,
        body: &Value,
        read: impl Fn(&[u8]) -> Result<T, ScanError>,
    ) -> Result<T, Fault> {
        loop {
            let answer = net::answer(self.request(body)).await;
            let answer =
                answer.map_err(|failure| Fault::Other(format!("did not answer: {}", failure.detail())))?;
            let status = answer.status;
            if (200..=299).contains(&status) {
                return read(&answer.body).map_err(|error| Fault::of(status, error));
            }
            let pause = pause(answer.header("retry-after"), self.screener.pause);
            match pause {
                Some(pause) if is_passing(status) && !self.waited => {
                    self.waited = true;
                    self.notes.push(format!("the screener answered {status}: asked once more"));
                    tokio::time::sleep(pause).await;
                }
                _ if is_passing(status) => return Err(Fault::Other(format!("answered {status}"))),
                _ => return Err(Fault::of(status, tradingview::refusal(&answer.body))),
            }
        }
    }

    fn request(&self, body: &Value) -> reqwest::RequestBuilder {
        let url = format!("{}{}", self.screener.base, self.path);
        let request = self.screener.client.post(url).body(body.to_string());
        HEADERS.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    }
}

/// Whether a status may be another one a moment later.
fn is_passing(status: u16) -> bool {
    matches!(status, 403 | 429 | 500..=599)
}

/// How long to wait before asking again; `None` where the screener wants more patience than a scan
/// has, or says something that is no number of seconds.
fn pause(retry_after: Option<&str>, usual: Duration) -> Option<Duration> {
    let Some(asked) = retry_after else { return Some(usual) };
    let asked = Duration::from_secs(asked.trim().parse().ok()?);
    (asked <= LONGEST_PAUSE).then_some(asked)
}
