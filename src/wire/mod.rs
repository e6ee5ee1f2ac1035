//! Other people's bytes, exactly as sent: requests are built and answers are read here, without IO.

pub mod binance;
pub mod json;
pub mod sign;
pub mod telegram;
pub mod text;
pub mod tradingview;
