//! What anybody may read of the past, without a key: candles, settlements, listings.

use std::time::Duration;

use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::ExchangeError;
use crate::exchange::binance::client::{Http, SetupError};
use crate::exchange::binance::session::{Session, unreadable};
use crate::wire::binance::api::Api;
use crate::wire::binance::request::{Call, PAGE_ROWS, Request};
use crate::wire::binance::spot;
use crate::wire::binance::usdm::market::{self, FundingPrint, Kline};
use crate::wire::json::WireError;

/// Nothing is signed here, so no time is ever refused.
const RECV_WINDOW: Duration = Duration::from_secs(5);

/// Reads the answer of a request for candles.
type Reader = fn(&[u8]) -> Result<Vec<Kline>, WireError>;

/// A reader of one host's history. Opens nothing until asked.
pub struct PublicHistory {
    api: Api,
    session: Session,
}

impl PublicHistory {
    /// Prepares a connection. Fails on a URL outside the allow-list.
    pub fn new(api: Api, base_url: &str, timeout: Duration) -> Result<PublicHistory, SetupError> {
        let http = Http::new(api, base_url, None, timeout, 1)?;
        Ok(PublicHistory { api, session: Session::new(api, http, None, RECV_WINDOW, 1) })
    }

    /// Asks for the exchange's time, by which everything is dated.
    pub async fn connect(&self) -> Result<Time, ExchangeError> {
        self.session.sync().await
    }

    /// The exchange's time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.session.now()
    }

    /// How long to wait before the next request, so that half of what this address may ask in a minute is left
    /// to others: a pass that trades must not be refused because somebody downloads.
    #[must_use]
    pub fn pause(&self) -> Duration {
        let now = self.session.now();
        if self.session.limits().used(now) < self.api.weight_per_minute() / 2 {
            return Duration::ZERO;
        }
        let minute = Duration::from_secs(60);
        (now.floor_to(minute) + minute).since(now)
    }

    /// The first finished candles that open at or after `since`, at most a page of them, and whether there may
    /// be more. `interval` is the exchange's word and `length` how long that is.
    pub async fn klines(
        &self,
        symbol: &Symbol,
        (interval, length): (&str, Duration),
        since: Time,
    ) -> Result<(Vec<Kline>, bool), ExchangeError> {
        let (call, read): (Call, Reader) = match self.api {
            Api::Usdm => (Call::Klines, market::klines),
            Api::Spot => (Call::SpotKlines, spot::market::klines),
        };
        let request = Request::new(call).with("symbol", symbol).with("interval", interval);
        let request = request.with("startTime", since.ms()).with("limit", PAGE_ROWS);
        let mut page = self.read(&request, read).await?;
        let whole = |kline: &Kline| kline.open_time + length == kline.close_time + Duration::from_millis(1);
        let ascending = page.windows(2).all(|pair| match pair {
            [one, next] => one.open_time < next.open_time,
            _ => true,
        });
        if !ascending || !page.iter().all(|kline| whole(kline) && kline.open_time >= since) {
            let detail = "candles of another interval or time than was asked for".into();
            return Err(unreadable(WireError { endpoint: call.name(), detail }));
        }
        let full = page.len() >= PAGE_ROWS;
        let now = self.now();
        page.retain(|kline| kline.close_time < now);
        Ok((page, full))
    }

    /// The first settlements at or after `since`, at most a page of them, and whether there may be more. Spot
    /// settles nothing.
    pub async fn funding(
        &self,
        symbol: &Symbol,
        since: Time,
    ) -> Result<(Vec<FundingPrint>, bool), ExchangeError> {
        if self.api == Api::Spot {
            return Ok((Vec::new(), false));
        }
        let request = Request::new(Call::FundingRate).with("symbol", symbol);
        let request = request.with("startTime", since.ms()).with("limit", PAGE_ROWS);
        let page = self.read(&request, market::funding_rates).await?;
        let ascending = page.windows(2).all(|pair| match pair {
            [one, next] => one.at <= next.at,
            _ => true,
        });
        if !ascending || !page.iter().all(|print| print.symbol == *symbol && print.at >= since) {
            let detail = "settlements of another contract or time than was asked for".into();
            return Err(unreadable(WireError { endpoint: Call::FundingRate.name(), detail }));
        }
        let full = page.len() >= PAGE_ROWS;
        Ok((page, full))
    }

    /// The listing as the exchange sends it.
    pub async fn exchange_info(&self) -> Result<Vec<u8>, ExchangeError> {
        let call = match self.api {
            Api::Usdm => Call::ExchangeInfo,
            Api::Spot => Call::SpotExchangeInfo,
        };
        self.session.ask(&Request::new(call)).await
    }

    async fn read<T>(
        &self,
        request: &Request,
        read: impl Fn(&[u8]) -> Result<T, WireError>,
    ) -> Result<T, ExchangeError> {
        read(&self.session.ask(request).await?).map_err(unreadable)
    }
}
