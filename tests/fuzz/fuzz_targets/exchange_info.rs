//! Listings: whatever is read rounds quantities and prices to something an exchange may take.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rebal::wire::binance::usdm::{listing, market};

fuzz_target!(|data: &[u8]| {
    if let Ok(listed) = listing::exchange_info(data) {
        for (symbol, rules) in &listed.rows {
            assert!(symbol == &rules.symbol && !symbol.as_str().contains([char::from(10), char::from(27), char::from(47)]));
            assert!(!rules.tick.is_negative());
        }
    }
    let _ = listing::leverage_brackets(data);
    let _ = listing::commission_rate(data);
    let _ = market::premium_index(data);
    let _ = market::book_ticker(data);
    let _ = market::ticker_24h(data);
    let _ = market::funding_info(data);
    let _ = market::klines(data);
    let _ = market::time(data);
});
