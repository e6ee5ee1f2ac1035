//! What an answer means when it is not the one hoped for, and what is known of an order after it.

use crate::domain::order::Order;
use crate::domain::stop::{Conditional, StopRequest};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::wire::binance::api::Api;
use crate::wire::binance::usdm::algo;
use crate::wire::json::{self, Json, Row, WireError};
use crate::wire::text;

/// The body of a refusal: `{"code": -2019, "msg": "…"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Always negative.
    pub code: i64,
    /// The exchange's words, cleaned and cut.
    pub msg: String,
}

/// Reads a refusal; `None` where the body is anything else. Setters answer success with a positive
/// code, so only a negative whole number counts.
#[must_use]
pub fn refusal(body: &[u8]) -> Option<Refusal> {
    const ENDPOINT: &str = "error body";
    let json = json::parse(ENDPOINT, body).ok()?;
    let row = Row::of(ENDPOINT, &json).ok()?;
    let code = row.int("code").ok().filter(|code| (-99_999..=-1000).contains(code))?;
    let msg = row.text("msg").map(text::message).unwrap_or_default();
    Some(Refusal { code, msg })
}

/// What is known of an order from the answer to its one POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderAnswer<T = Order> {
    /// 2xx with our id and symbol.
    Accepted(T),
    /// A definite refusal: nothing was placed.
    Rejected(Refusal),
    /// Anything else: only the exchange knows.
    Unknown(String),
}

/// Codes that leave open whether an order was executed, whatever the documentation hopes.
///
/// `-1003` and `-1015` (limits) come with 429 and are treated as that; `-4116` (duplicate id) means
/// that an earlier send may have worked.
const UNDECIDED: [i64; 7] = [-1000, -1001, -1003, -1006, -1007, -1015, -4116];

/// Sorts the answer to an order POST. Everything that is not definite is unknown.
#[must_use]
pub fn order_answer(api: Api, status: u16, body: &[u8], client_id: &str, symbol: &Symbol) -> OrderAnswer {
    answer(status, body, |body| {
        let order = api.placed(body)?;
        Ok((order.client_id == client_id && order.symbol == *symbol).then_some(order))
    })
}

/// The same of a stop.
#[must_use]
pub fn stop_answer(status: u16, body: &[u8], stop: &StopRequest) -> OrderAnswer<Conditional> {
    answer(status, body, |body| {
        let placed = algo::placed(body)?;
        Ok((placed.client_id == stop.client_id && placed.symbol == stop.symbol).then_some(placed))
    })
}

/// `read` returns nothing where a sound answer is about another order.
fn answer<T>(
    status: u16,
    body: &[u8],
    read: impl Fn(&[u8]) -> Result<Option<T>, WireError>,
) -> OrderAnswer<T> {
    let unknown = |what: &str| OrderAnswer::Unknown(format!("HTTP {status}: {what}"));
    match status {
        200..=299 => match read(body) {
            Ok(Some(order)) => OrderAnswer::Accepted(order),
            Ok(None) => unknown("the answer is about another order"),
            Err(error) => unknown(&error.detail),
        },
        400..=499 => {
            let Some(refusal) = refusal(body) else {
                return unknown("no readable refusal");
            };
            let duplicate = refusal.code == -2010 && refusal.msg.to_lowercase().contains("duplicate");
            let undecided = duplicate
                || UNDECIDED.contains(&refusal.code)
                || matches!(status, 408 | 418 | 429)
                || refusal.code < -9999;
            if undecided {
                return unknown(&format!("{} ({})", refusal.msg, refusal.code));
            }
            OrderAnswer::Rejected(refusal)
        }
        _ => match refusal(body) {
            Some(refusal) => unknown(&format!("{} ({})", refusal.msg, refusal.code)),
            None => unknown("no order and no refusal"),
        },
    }
}

/// Why a read or a setting did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadFailure {
    /// Nothing may be sent before this exchange time.
    RateLimited(Time),
    /// The signed time was outside the server's window: measure the clock again.
    Clock(String),
    /// Key, permission or account: retrying cannot help.
    Refused {
        /// What the exchange said.
        detail: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// Understood and declined.
    Rejected(Refusal),
    /// No usable answer.
    Unavailable(String),
}

/// Sorts an answer to a read or a setting that is not its 2xx answer. `now` is exchange time.
#[must_use]
pub fn read_failure(api: Api, status: u16, retry_after: Option<&str>, body: &[u8], now: Time) -> ReadFailure {
    if let Some(until) = rate_limit(status, retry_after, body, now) {
        return ReadFailure::RateLimited(until);
    }
    let Some(refusal) = refusal(body) else {
        return without_code(status);
    };
    let said = format!("{} ({})", refusal.msg, refusal.code);
    if matches!(refusal.code, -1021 | -5028) {
        return ReadFailure::Clock(said);
    }
    if let Some(hint) = hint(api, refusal.code) {
        return ReadFailure::Refused { detail: said, hint };
    }
    match (status, refusal.code) {
        (500..=599 | 408, _) | (_, -1000 | -1001 | -1006 | -1007 | -1008 | -1016) => {
            ReadFailure::Unavailable(format!("HTTP {status}: {said}"))
        }
        _ => ReadFailure::Rejected(refusal),
    }
}

/// How the detail of an answer ends where the host does not have the endpoint.
pub const NO_SUCH_PATH: &str = "no such path: is base_url right?";

fn without_code(status: u16) -> ReadFailure {
    let said = match status {
        200..=299 => "an answer that is not the documented one",
        300..=399 => "a redirect, which is never followed",
        403 => "the exchange's firewall refused the request",
        404 => NO_SUCH_PATH,
        451 => {
            return ReadFailure::Refused {
                detail: "HTTP 451: not offered at this place".into(),
                hint: "Binance does not serve this machine's region.",
            };
        }
        _ => "an answer without an error code",
    };
    ReadFailure::Unavailable(format!("HTTP {status}: {said}"))
}

/// What the clock refusal asks of the user, once measuring the clock again did not help.
pub const CLOCK_HINT: &str = "The signed time was outside the exchange's window even after measuring the clock again. \
     Check the machine's load and connection; a larger exchange.recv_window_ms gives more room.";

/// What to do about a code that no retry can change; `None` for all others.
#[must_use]
pub fn hint(api: Api, code: i64) -> Option<&'static str> {
    if api == Api::Spot
        && let Some(hint) = spot_hint(code)
    {
        return Some(hint);
    }
    Some(match code {
        -1002 => "The key may not do this. Enable reading and futures trading for it at Binance.",
        -1011 => "This machine's address is not on the key's IP list. Add it at Binance.",
        -1022 => {
            "The signature does not match: the secret belongs to another key, or is incomplete. \
             Store the key and its secret again."
        }
        -2014 => "The API key has the wrong form. Copy it again, without blanks or quotes.",
        -2015 => {
            "The key is unknown here, lacks the futures permission, or this machine's address is not on its IP list. \
             A testnet key works only with mode = \"testnet\", a live key only with mode = \"live\"."
        }
        -2016 | -2017 => "The API key is locked at Binance. Unlock it there or make a new one.",
        -1109 | -4109 => "The futures account is not active. Open it at Binance and transfer something in.",
        -4402 => "Binance does not offer this in the account's region.",
        -1021 | -5028 => CLOCK_HINT,
        _ => return None,
    })
}

/// What reads differently where the account is one of the spot market.
fn spot_hint(code: i64) -> Option<&'static str> {
    Some(match code {
        -1002 => "The key may not do this. Enable reading and spot trading for it at Binance.",
        -2015 => {
            "The key is unknown here, lacks the spot trading permission, or this machine's address is not on its IP list. \
             A testnet key works only with mode = \"testnet\", a live key only with mode = \"live\"."
        }
        _ => return None,
    })
}

/// Whether a refused order says that the account cannot pay for it: no further one of its kind can
/// succeed. Spot has one code for every refusal of its engine, so there the words decide.
#[must_use]
pub fn is_unaffordable(code: i64, msg: &str) -> bool {
    code == -2019 || code == -2010 && msg.to_lowercase().contains("insufficient balance")
}

/// Whether the refusal shows that cached trading rules or brackets are out of date.
#[must_use]
pub fn outdates_rules(api: Api, code: i64) -> bool {
    // On spot every filter answers with this one.
    if api == Api::Spot && code == -1013 {
        return true;
    }
    matches!(
        code,
        -1111
            | -1121
            | -1122
            | -2027
            | -4016
            | -4023
            | -4024
            | -4028
            | -4029
            | -4030
            | -4104
            | -4131
            | -4140
            | -4141
            | -4164
            | -4014..=-4001
    )
}

/// The longest ban Binance documents: three days.
const LONGEST_BAN_MS: i64 = 3 * 86_400_000;

/// Until when nothing may be sent; `None` where the answer is not about limits.
///
/// The later of `Retry-After` and the text's "banned until …"; without either, the next
/// minute's beginning. Never more than three days, so that a forged answer cannot stop us for good.
#[must_use]
pub fn rate_limit(status: u16, retry_after: Option<&str>, body: &[u8], now: Time) -> Option<Time> {
    let refusal = refusal(body);
    let code = refusal.as_ref().map_or(0, |refusal| refusal.code);
    if !matches!(status, 418 | 429) && !matches!(code, -1003 | -1015) {
        return None;
    }
    let asked = retry_after
        .and_then(|text| text.trim().parse::<i64>().ok())
        .map(|seconds| now.ms().saturating_add(seconds.clamp(0, LONGEST_BAN_MS / 1000).saturating_mul(1000)));
    let banned = refusal.and_then(|refusal| banned_until(&refusal.msg)).filter(|until| *until > now.ms());
    let minute = now.ms() - now.ms() % 60_000 + 60_000;
    let until = asked.max(banned).unwrap_or(minute);
    Some(Time::clamped(until.min(now.ms().saturating_add(LONGEST_BAN_MS))))
}

/// The milliseconds in "… banned until 1591702613943 …".
fn banned_until(msg: &str) -> Option<i64> {
    let (_, rest) = msg.split_once("until ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (digits.len() == 13).then(|| digits.parse().ok())?
}

/// Whether a setter's answer is its success: `{"code": 200, …}` or an object without a code.
#[must_use]
pub fn is_success(body: &[u8]) -> bool {
    const ENDPOINT: &str = "success body";
    let Ok(json) = json::parse(ENDPOINT, body) else { return false };
    let Ok(row) = Row::of(ENDPOINT, &json) else { return false };
    match row.get("code") {
        None => true,
        Some(Json::Int(code)) => *code >= 0,
        Some(Json::Text(code)) => code == "200",
        Some(_) => false,
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
