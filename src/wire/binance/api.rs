//! The two interfaces of Binance that rebal speaks, and where they differ on the wire.

use crate::domain::order::{Order, OrderRequest};
use crate::domain::time::Time;
use crate::wire::binance::request::{Call, Request};
use crate::wire::binance::{spot, usdm};
use crate::wire::json::WireError;

/// An interface: its own hosts, paths, limits and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// USDⓈ-M futures, `/fapi`.
    Usdm,
    /// The spot market, `/api/v3`.
    Spot,
}

impl Api {
    /// Its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Api::Usdm => "USDⓈ-M futures",
            Api::Spot => "Spot",
        }
    }

    /// Hosts that may see a signed request, besides this machine itself.
    #[must_use]
    pub fn hosts(self) -> &'static [&'static str] {
        match self {
            Api::Usdm => &["fapi.binance.com", "demo-fapi.binance.com", "testnet.binancefuture.com"],
            Api::Spot => &["api.binance.com", "demo-api.binance.com", "testnet.binance.vision"],
        }
    }

    /// The one of them that accounts with real money live on.
    #[must_use]
    pub fn live_host(self) -> &'static str {
        match self {
            Api::Usdm => "fapi.binance.com",
            Api::Spot => "api.binance.com",
        }
    }

    /// Request weight per minute and address, shared by everybody behind it.
    #[must_use]
    pub fn weight_per_minute(self) -> u32 {
        match self {
            Api::Usdm => 2400,
            Api::Spot => 6000,
        }
    }

    /// Asks for the server's time.
    #[must_use]
    pub fn time_call(self) -> Call {
        match self {
            Api::Usdm => Call::Time,
            Api::Spot => Call::SpotTime,
        }
    }

    /// Reads the server's time. A time outside 2017..2100 is refused.
    pub fn time(self, bytes: &[u8]) -> Result<Time, WireError> {
        usdm::market::server_time(self.time_call().name(), bytes)
    }

    /// Sends an order. The answer must carry the final state of what fills at once.
    #[must_use]
    pub fn place(self, order: &OrderRequest) -> Request {
        match self {
            Api::Usdm => Request::place(order),
            Api::Spot => spot::order::place(order),
        }
    }

    /// Reads the answer to an order.
    pub fn placed(self, bytes: &[u8]) -> Result<Order, WireError> {
        match self {
            Api::Usdm => usdm::order::placed(bytes),
            Api::Spot => spot::order::placed(bytes),
        }
    }
}
