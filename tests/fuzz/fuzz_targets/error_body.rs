//! Refusals: the words are short and harmless, a ban never lasts for ever.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rebal::domain::time::Time;
use rebal::wire::binance::api::Api;
use rebal::wire::binance::error;

fuzz_target!(|data: (u16, Option<&str>, &[u8])| {
    let (status, retry_after, body) = data;
    let now = Time::clamped(1_795_163_379_973);
    if let Some(refusal) = error::refusal(body) {
        assert!(refusal.code < 0 && refusal.msg.chars().count() <= 201 && !refusal.msg.contains(char::is_control));
    }
    if let Some(until) = error::rate_limit(status, retry_after, body, now) {
        assert!(until.ms() - now.ms() <= 3 * 86_400_000);
    }
    let _ = error::read_failure(Api::Usdm, status, retry_after, body, now);
    let _ = error::is_success(body);
});
