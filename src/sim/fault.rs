//! Faults as data: which request goes wrong, which time, and how.

use std::time::Duration;

use serde::Deserialize;

use crate::domain::num::Rate;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Processed, then the connection closes without a byte of answer.
    AcceptThenClose,
    /// Processed, then no answer ever comes.
    AcceptThenStall,
    /// Not processed; the connection closes.
    Drop,
    /// Arrives this much later.
    Delay(Duration),
    /// Not processed; this status and body come back.
    Reply {
        /// HTTP status.
        status: u16,
        /// Sent as it is.
        body: String,
    },
    /// Processed; the answer is announced in full and ends after so many bytes.
    Truncate(usize),
    /// Only this fraction of an order fills, the rest expires.
    Partial(Rate),
    /// Refused with this code.
    Reject(i64),
}

impl Action {
    /// Reads `accept_then_close`, `delay:MS`, `reply:STATUS:BODY` and so on; an error says what is
    /// wrong with it.
    ///
    /// # Errors
    /// An unknown word or a malformed argument.
    pub fn read(text: &str) -> Result<Action, String> {
        let (word, argument) = match text.split_once(':') {
            Some((word, argument)) => (word, Some(argument)),
            None => (text, None),
        };
        let bad = |wanted: &str| format!("{word} wants {wanted}, as in \"{word}:{wanted}\": {text:?}");
        match (word, argument) {
            ("accept_then_close", None) => Ok(Action::AcceptThenClose),
            ("accept_then_stall", None) => Ok(Action::AcceptThenStall),
            ("drop", None) => Ok(Action::Drop),
            ("delay", Some(ms)) => {
                ms.parse().map(|ms| Action::Delay(Duration::from_millis(ms))).map_err(|_| bad("MS"))
            }
            ("reply", Some(rest)) => {
                let (status, body) = rest.split_once(':').unwrap_or((rest, ""));
                let status = status.parse().ok().filter(|status| (200..=599).contains(status));
                let status = status.ok_or_else(|| bad("STATUS:BODY"))?;
                Ok(Action::Reply { status, body: body.to_owned() })
            }
            ("truncate", Some(bytes)) => bytes.parse().map(Action::Truncate).map_err(|_| bad("N")),
            ("partial", Some(fraction)) => {
                let fraction = fraction.parse::<Rate>().ok();
                let fraction = fraction.filter(|rate| !rate.is_negative() && *rate <= Rate::ONE);
                fraction.map(Action::Partial).ok_or_else(|| bad("F"))
            }
            ("reject", Some(code)) => {
                let code = code.parse().ok().filter(|code: &i64| *code < 0);
                code.map(Action::Reject).ok_or_else(|| bad("CODE"))
            }
            _ => Err(format!(
                "unknown fault {text:?}; there are accept_then_close, accept_then_stall, drop, delay:MS, \
                 reply:STATUS:BODY, truncate:N, partial:F, reject:CODE"
            )),
        }
    }
}

/// One fault as it is asked for, in JSON `{"match": "POST /fapi/v1/order", "nth": 2, "do": "drop"}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// A path, with or without a method before it; may end in `*`.
    #[serde(rename = "match")]
    pub matches: String,
    /// The first such request that goes wrong, counted from 1.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many in a row go wrong.
    #[serde(default = "one")]
    pub times: u64,
    /// What goes wrong, as [`Action::read`] reads it.
    #[serde(rename = "do")]
    pub action: String,
}

fn one() -> u64 {
    1
}

/// One fault with its counter.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Armed {
    method: Option<String>,
    path: String,
    prefix: bool,
    nth: u64,
    times: u64,
    action: Action,
    seen: u64,
}

/// The faults in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    armed: Vec<Armed>,
}

impl Faults {
    /// Arms faults: the `nth` matching request from now on, and the `times − 1` after it, go wrong.
    ///
    /// # Errors
    /// Says what is wrong with the list.
    pub fn arm(wanted: Vec<Wanted>) -> Result<Faults, String> {
        let armed: Result<Vec<Armed>, String> = wanted.into_iter().map(arm).collect();
        Ok(Faults { armed: armed? })
    }

    /// Counts a request and returns what goes wrong with it: the first fault of the list that is due.
    pub fn strike(&mut self, method: &str, path: &str) -> Option<Action> {
        let mut due = None;
        for fault in &mut self.armed {
            let of_method = fault.method.as_deref().is_none_or(|wanted| wanted == method);
            let of_path = if fault.prefix { path.starts_with(&fault.path) } else { path == fault.path };
            if !of_method || !of_path {
                continue;
            }
            fault.seen += 1;
            let last = fault.nth.saturating_add(fault.times).saturating_sub(1);
            if due.is_none() && (fault.nth..=last).contains(&fault.seen) {
                due = Some(fault.action.clone());
            }
        }
        due
    }
}

fn arm(wanted: Wanted) -> Result<Armed, String> {
    if wanted.nth == 0 || wanted.times == 0 {
        return Err("nth and times count from 1".to_owned());
    }
    let text = wanted.matches.trim();
    let (method, path) = match text.split_once(' ') {
        Some((method, path)) => (Some(method.to_ascii_uppercase()), path.trim()),
        None => (None, text),
    };
    let (path, prefix) = path.strip_suffix('*').map_or((path, false), |path| (path, true));
    if !(path.starts_with('/') || path.is_empty() && prefix) {
        return Err(format!("match wants a path such as \"POST /fapi/v1/order\": {text:?}"));
    }
    Ok(Armed {
        method,
        path: path.to_owned(),
        prefix,
        nth: wanted.nth,
        times: wanted.times,
        action: Action::read(&wanted.action)?,
        seen: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Faults, String> {
        Faults::arm(serde_json::from_str(json).map_err(|error| error.to_string())?)
    }

    #[test]
    fn the_nth_and_the_times_after_it_strike() {
        let mut faults = read(r#"[{"match":"POST /fapi/v1/order","nth":2,"times":2,"do":"drop"}]"#).unwrap();
        let struck: Vec<bool> = (0..5).map(|_| faults.strike("POST", "/fapi/v1/order").is_some()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert_eq!(faults.strike("GET", "/fapi/v1/order"), None);
    }

    #[test]
    fn two_faults_on_one_request_both_count_it() {
        let json = r#"[{"match":"/a","do":"drop"},{"match":"/a","nth":2,"do":"accept_then_close"}]"#;
        let mut faults = read(json).unwrap();
        let struck: Vec<Option<Action>> = (0..3).map(|_| faults.strike("GET", "/a")).collect();
        assert_eq!(struck, [Some(Action::Drop), Some(Action::AcceptThenClose), None]);
    }

    #[test]
    fn a_match_may_leave_out_the_method_and_end_in_a_star() {
        let mut faults = read(r#"[{"match":"/fapi/v1/*","times":9,"do":"reject:-1001"}]"#).unwrap();
        assert_eq!(faults.strike("DELETE", "/fapi/v1/order"), Some(Action::Reject(-1001)));
        assert_eq!(faults.strike("GET", "/fapi/v2/account"), None);
        let mut all = read(r#"[{"match":"*","do":"delay:5"}]"#).unwrap();
        assert_eq!(all.strike("GET", "/x"), Some(Action::Delay(Duration::from_millis(5))));
    }

    #[test]
    fn actions_read_with_their_arguments() {
        for (text, action) in [
            ("accept_then_close", Action::AcceptThenClose),
            ("accept_then_stall", Action::AcceptThenStall),
            ("truncate:0", Action::Truncate(0)),
            ("partial:0.5", Action::Partial(Rate::new(5, 1))),
            (
                "reply:503:{\"code\":-1008,\"msg\":\"a:b\"}",
                Action::Reply { status: 503, body: "{\"code\":-1008,\"msg\":\"a:b\"}".into() },
            ),
            ("reply:502", Action::Reply { status: 502, body: String::new() }),
        ] {
            assert_eq!(Action::read(text), Ok(action));
        }
        for text in
            ["", "explode", "delay", "delay:x", "partial:2", "reject:5", "reply:x:y", "truncate:-1", "drop:1"]
        {
            assert!(Action::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_broken_list_says_what_is_wrong() {
        for json in [
            "{}",
            r#"[{"match":"POST /x"}]"#,
            r#"[{"match":"POST /x","do":"drop","typo":1}]"#,
            r#"[{"match":"POST /x","do":"drop","nth":0}]"#,
            r#"[{"match":"order","do":"drop"}]"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
        assert_eq!(read("[]"), Ok(Faults::default()));
    }
}
