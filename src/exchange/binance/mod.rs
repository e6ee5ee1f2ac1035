//! Binance over HTTP.

mod cache;
mod client;
mod history;
mod limits;
mod observe;
mod session;
pub mod usdm;

pub use client::SetupError;
