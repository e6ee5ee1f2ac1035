//! Binance over HTTP.

mod cache;
#[cfg(test)]
mod canned;
mod client;
mod history;
mod limits;
mod observe;
pub mod public;
mod session;
pub mod spot;
pub mod usdm;

pub use client::SetupError;
