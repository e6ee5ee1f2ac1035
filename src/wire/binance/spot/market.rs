//! Books and last prices of the spot market.

use crate::domain::market::Quote;
use crate::domain::num::Price;
use crate::wire::binance::listed::{Listed, listed};
use crate::wire::binance::request::Call;
use crate::wire::binance::usdm;
use crate::wire::binance::usdm::market::{DayStats, Kline};
use crate::wire::json::{self, Row, WireError};

/// Reads `GET /api/v3/ticker/bookTicker`. A pair with a zero price on either side has no book.
pub fn book_ticker(bytes: &[u8]) -> Result<Listed<Quote>, WireError> {
    usdm::market::books(Call::SpotBookTicker.name(), bytes)
}

/// Reads `GET /api/v3/ticker/24hr`. A pair that never traded (price zero) is absent.
pub fn ticker_24h(bytes: &[u8]) -> Result<Listed<DayStats>, WireError> {
    usdm::market::days(Call::SpotTicker24h.name(), bytes)
}

/// Reads `GET /api/v3/klines`, ascending. The last one may be unfinished.
pub fn klines(bytes: &[u8]) -> Result<Vec<Kline>, WireError> {
    usdm::market::candles(Call::SpotKlines.name(), bytes)
}

/// Reads `GET /api/v3/ticker/price`. A pair that never traded (price zero) is absent.
pub fn prices(bytes: &[u8]) -> Result<Listed<Price>, WireError> {
    let endpoint = Call::SpotPrice.name();
    let json = json::parse(endpoint, bytes)?;
    Ok(listed(endpoint, Row::list(endpoint, &json)?, |row| {
        let price: Price = row.not_negative("price")?;
        let symbol = row.symbol("symbol")?;
        Ok((!price.is_zero()).then_some((symbol, price)))
    }))
}
