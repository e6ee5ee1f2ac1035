//! Account, positions, settings, permissions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rebal::wire::binance::usdm::account;

fuzz_target!(|data: &[u8]| {
    let _ = account::account(data);
    let _ = account::account_alias(data);
    let _ = account::position_risk(data);
    let _ = account::symbol_config(data);
    let _ = account::account_config(data);
    let _ = account::key_permissions(data);
});
