//! Income rows and executions: an execution has a positive price and quantity.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rebal::wire::binance::usdm::{history, market};

fuzz_target!(|data: &[u8]| {
    let _ = history::income(data);
    let _ = market::funding_rates(data);
    for fill in history::user_trades(data).unwrap_or_default() {
        assert!(fill.price.is_positive() && fill.qty.is_positive());
    }
});
