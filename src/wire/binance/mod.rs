//! What Binance understands and what it answers.

pub mod error;
pub mod request;
pub mod usdm;
