//! Prices, funding and candles: everything public that changes by the minute.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::market::{Mark, Market, Quote};
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::wire::binance::listed::{Listed, listed};
use crate::wire::binance::request::Call;
use crate::wire::json::{self, Json, Row, WireError};

/// Server times before this (2017-07-14, when Binance opened) or after 2100 are nobody's clock.
const SANE_MS: std::ops::Range<i64> = 1_500_000_000_000..4_102_444_800_000;

/// Reads `GET /fapi/v1/time`. A time outside 2017..2100 is refused.
pub fn time(bytes: &[u8]) -> Result<Time, WireError> {
    server_time(Call::Time.name(), bytes)
}

/// Reads `GET /fapi/v1/markPriceKlines`, ascending. The last one may be unfinished; nothing is traded in any.
pub fn mark_klines(bytes: &[u8]) -> Result<Vec<Kline>, WireError> {
    candles(Call::MarkKlines.name(), bytes)
}

/// Reads the answer of either interface to a question for the time.
pub(in crate::wire::binance) fn server_time(endpoint: &'static str, bytes: &[u8]) -> Result<Time, WireError> {
    let json = json::parse(endpoint, bytes)?;
    let row = Row::of(endpoint, &json)?;
    let time = row.time("serverTime")?;
    if SANE_MS.contains(&time.ms()) {
        Ok(time)
    } else {
        Err(row.wrong("serverTime", "is not of this century"))
    }
}

/// Reads `GET /fapi/v1/premiumIndex`. A contract whose mark price is zero has none.
pub fn premium_index(bytes: &[u8]) -> Result<Listed<Mark>, WireError> {
    let endpoint = Call::PremiumIndex.name();
    let json = json::parse(endpoint, bytes)?;
    Ok(listed(endpoint, Row::list(endpoint, &json)?, |row| {
        let price: Price = row.not_negative("markPrice")?;
        if price.is_zero() {
            return Ok(None);
        }
        let next = row.time("nextFundingTime")?;
        let mark = Mark {
            price,
            // Contracts without funding send an empty text.
            funding_rate: row.optional_amount("lastFundingRate")?.unwrap_or_default(),
            next_funding: (next != Time::default()).then_some(next),
            at: row.time("time")?,
        };
        Ok(Some((row.symbol("symbol")?, mark)))
    }))
}

/// Reads `GET /fapi/v1/ticker/bookTicker`. A contract with a zero price on either side has no book.
pub fn book_ticker(bytes: &[u8]) -> Result<Listed<Quote>, WireError> {
    books(Call::BookTicker.name(), bytes)
}

/// Reads the answer of either interface to a question for every book.
pub(in crate::wire::binance) fn books(
    endpoint: &'static str,
    bytes: &[u8],
) -> Result<Listed<Quote>, WireError> {
    let json = json::parse(endpoint, bytes)?;
    Ok(listed(endpoint, Row::list(endpoint, &json)?, |row| {
        let quote = Quote {
            bid: row.not_negative("bidPrice")?,
            bid_qty: row.not_negative("bidQty")?,
            ask: row.not_negative("askPrice")?,
            ask_qty: row.not_negative("askQty")?,
        };
        if quote.bid.is_zero() || quote.ask.is_zero() {
            return Ok(None);
        }
        Ok(Some((row.symbol("symbol")?, quote)))
    }))
}

/// The contracts that have both a mark price and a book.
#[must_use]
pub fn markets(marks: &BTreeMap<Symbol, Mark>, quotes: &BTreeMap<Symbol, Quote>) -> BTreeMap<Symbol, Market> {
    marks
        .iter()
        .filter_map(|(symbol, mark)| {
            let quote = quotes.get(symbol)?;
            Some((symbol.clone(), Market { mark: *mark, quote: *quote }))
        })
        .collect()
}

/// What one contract traded in the last 24 hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayStats {
    /// Last price.
    pub last: Price,
    /// Traded value in quote units.
    pub quote_volume: Notional,
    /// End of the 24 hours; long past for contracts that no longer trade.
    pub close: Time,
}

impl DayStats {
    /// Figures of a day that ended longer ago than this are of a contract that no longer trades.
    const STALE: Duration = Duration::from_secs(3600);

    /// Traded value in quote units; `None` where the 24 hours did not end just before `now`.
    #[must_use]
    pub fn volume(&self, now: Time) -> Option<Notional> {
        (now.since(self.close) <= DayStats::STALE).then_some(self.quote_volume)
    }
}

/// Reads `GET /fapi/v1/ticker/24hr`. A contract that never traded (price zero) is absent.
pub fn ticker_24h(bytes: &[u8]) -> Result<Listed<DayStats>, WireError> {
    days(Call::Ticker24h.name(), bytes)
}

/// Reads the answer of either interface to a question for everybody's last 24 hours.
pub(in crate::wire::binance) fn days(
    endpoint: &'static str,
    bytes: &[u8],
) -> Result<Listed<DayStats>, WireError> {
    let json = json::parse(endpoint, bytes)?;
    Ok(listed(endpoint, Row::list(endpoint, &json)?, |row| {
        let stats = DayStats {
            last: row.not_negative("lastPrice")?,
            quote_volume: row.not_negative("quoteVolume")?,
            close: row.time("closeTime")?,
        };
        let symbol = row.symbol("symbol")?;
        Ok((!stats.last.is_zero()).then_some((symbol, stats)))
    }))
}

/// One settled funding rate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FundingPrint {
    /// The contract.
    pub symbol: Symbol,
    /// When it settled; a few milliseconds past the hour.
    pub at: Time,
    /// Longs pay when positive; per interval, not per year.
    pub rate: Rate,
    /// The mark price that it was settled at; `None` on old and on special rows.
    pub mark: Option<Price>,
    /// A stock dividend, additional to the regular print of the same time.
    pub special: bool,
}

/// Reads `GET /fapi/v1/fundingRate`, as sent (ascending).
pub fn funding_rates(bytes: &[u8]) -> Result<Vec<FundingPrint>, WireError> {
    let endpoint = Call::FundingRate.name();
    let json = json::parse(endpoint, bytes)?;
    let print = |item| {
        let row = Row::of(endpoint, item)?;
        Ok(FundingPrint {
            symbol: row.symbol("symbol")?,
            at: row.time("fundingTime")?,
            rate: row.amount("fundingRate")?,
            // Absent, empty or zero: not told.
            mark: row.optional_amount("markPrice")?.filter(|mark: &Price| mark.is_positive()),
            special: row.get("rateType").is_some() && row.text("rateType")? != "Regular",
        })
    };
    Row::list(endpoint, &json)?.iter().map(print).collect()
}

/// How often and how far a contract's funding may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingTerms {
    /// Hours between settlements: 1, 4 or 8.
    pub interval_hours: u32,
    /// Highest rate per interval.
    pub cap: Rate,
    /// Lowest rate per interval.
    pub floor: Rate,
}

/// Reads `GET /fapi/v1/fundingInfo`. A contract that is absent settles every 8 hours.
pub fn funding_info(bytes: &[u8]) -> Result<Listed<FundingTerms>, WireError> {
    let endpoint = Call::FundingInfo.name();
    let json = json::parse(endpoint, bytes)?;
    Ok(listed(endpoint, Row::list(endpoint, &json)?, |row| {
        let interval_hours = row.small("fundingIntervalHours")?;
        if !(1..=24).contains(&interval_hours) {
            return Err(row.wrong("fundingIntervalHours", "is not between 1 and 24"));
        }
        let terms = FundingTerms {
            interval_hours,
            cap: row.amount("adjustedFundingRateCap")?,
            floor: row.amount("adjustedFundingRateFloor")?,
        };
        Ok(Some((row.symbol("symbol")?, terms)))
    }))
}

/// One candle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kline {
    /// First instant.
    pub open_time: Time,
    /// Last instant; in the future for a candle that is not finished.
    pub close_time: Time,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Base units traded.
    pub volume: Qty,
    /// Quote units traded.
    pub quote_volume: Notional,
}

/// Reads `GET /fapi/v1/klines`, ascending. The last one may be unfinished.
pub fn klines(bytes: &[u8]) -> Result<Vec<Kline>, WireError> {
    candles(Call::Klines.name(), bytes)
}

/// Reads the answer of either interface to a question for candles.
pub(in crate::wire::binance) fn candles(
    endpoint: &'static str,
    bytes: &[u8],
) -> Result<Vec<Kline>, WireError> {
    let wrong = |what: &str| WireError { endpoint, detail: what.to_owned() };
    let json = json::parse(endpoint, bytes)?;
    let Json::List(items) = &json else { return Err(wrong("an array was expected")) };
    items
        .iter()
        .map(|item| {
            let Json::List(cells) = item else { return Err(wrong("a candle is not an array")) };
            kline(cells).ok_or_else(|| wrong("a candle has missing or unreadable columns"))
        })
        .collect()
}

fn kline(cells: &[Json<'_>]) -> Option<Kline> {
    let text = |at: usize| match cells.get(at)? {
        Json::Text(text) => Some(text.as_ref()),
        _ => None,
    };
    let price = |at| text(at)?.parse::<Price>().ok().filter(Price::is_positive);
    let time = |at: usize| match cells.get(at)? {
        Json::Int(ms) => Time::from_ms(*ms),
        _ => None,
    };
    Some(Kline {
        open_time: time(0)?,
        open: price(1)?,
        high: price(2)?,
        low: price(3)?,
        close: price(4)?,
        volume: text(5)?.parse().ok()?,
        close_time: time(6)?,
        quote_volume: text(7)?.parse().ok()?,
    })
}
