//! The nouns of the trade: values without behaviour towards the outside world.

pub mod account;
pub mod alert;
pub mod candidate;
pub mod cost;
pub mod entry;
pub mod fill;
pub mod funding;
pub mod history;
pub mod market;
pub mod memory;
pub mod num;
pub mod order;
pub mod plan;
pub mod rules;
pub mod scope;
pub mod series;
pub mod snapshot;
pub mod stop;
pub mod symbol;
pub mod time;
