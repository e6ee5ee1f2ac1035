//! Executions on the spot market, row by row.

use crate::domain::fill::Fill;
use crate::domain::num::Notional;
use crate::domain::order::Side;
use crate::wire::binance::request::Call;
use crate::wire::json::{self, Row, WireError};

/// Reads one page of `GET /api/v3/myTrades`.
///
/// The fee may be in the quote asset, in a third one, or in the coin itself: then a purchase leaves less
/// than was bought. Realised profit is not known to the exchange and stands at zero.
pub fn my_trades(bytes: &[u8]) -> Result<Vec<Fill>, WireError> {
    let endpoint = Call::SpotMyTrades.name();
    let json = json::parse(endpoint, bytes)?;
    Row::list(endpoint, &json)?.iter().map(|item| fill(Row::of(endpoint, item)?)).collect()
}

fn fill(row: Row<'_, '_>) -> Result<Fill, WireError> {
    Ok(Fill {
        symbol: row.symbol("symbol")?,
        trade_id: row.int("id")?,
        order_id: row.int("orderId")?,
        side: if row.flag("isBuyer")? { Side::Buy } else { Side::Sell },
        qty: row.positive("qty")?,
        price: row.positive("price")?,
        fee: row.amount("commission")?,
        fee_asset: row.word("commissionAsset")?,
        realized: Notional::ZERO,
        fee_cost: Notional::ZERO,
        at: row.time("time")?,
    })
}
