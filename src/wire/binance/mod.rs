//! What Binance understands and what it answers.

pub mod api;
pub mod error;
mod filters;
pub mod listed;
pub mod request;
pub mod spot;
pub mod usdm;
