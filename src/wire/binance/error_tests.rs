//! The reply classes as a table, and what hostile answers may not do.

use proptest::prelude::*;

use super::*;
use crate::domain::order::OrderStatus;

const ID: &str = "rb17c2e9a0001fa3c07o";

fn btc() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

fn placed(id: &str, symbol: &str) -> String {
    format!(
        r#"{{"clientOrderId":"{id}","executedQty":"0.010","orderId":1,"origQty":"0.010","reduceOnly":false,"side":"BUY",
           "status":"FILLED","symbol":"{symbol}","updateTime":1795163379972}}"#
    )
}

fn body(code: i64, msg: &str) -> String {
    format!(r#"{{"code":{code},"msg":"{msg}"}}"#)
}

#[derive(Debug, PartialEq)]
enum Class {
    Accepted,
    Rejected,
    Unknown,
}

fn class(status: u16, body: &str) -> Class {
    match order_answer(Api::Usdm, status, body.as_bytes(), ID, &btc()) {
        OrderAnswer::Accepted(_) => Class::Accepted,
        OrderAnswer::Rejected(_) => Class::Rejected,
        OrderAnswer::Unknown(_) => Class::Unknown,
    }
}

#[test]
fn an_order_is_accepted_only_by_its_own_answer() {
    for (class_of, status, body) in [
        (Class::Accepted, 200, placed(ID, "BTCUSDT")),
        (Class::Accepted, 201, placed(ID, "BTCUSDT")),
        (Class::Unknown, 200, placed("rb17c2e9a0001fa3c08o", "BTCUSDT")),
        (Class::Unknown, 200, placed(ID, "ETHUSDT")),
        (Class::Unknown, 200, placed(ID, "BTCUSDT").replace("orderId", "orderID")),
        (Class::Unknown, 200, placed(ID, "BTCUSDT").replace('{', r#"{"executedQty":"1","#)),
        (Class::Unknown, 200, placed(ID, "BTCUSDT").replace(r#""0.010""#, "0.010")),
        (Class::Unknown, 200, placed(ID, "BTCUSDT").replace("0.010", "-0.010")),
        (Class::Unknown, 200, placed(ID, "BTCUSDT").replace("0.010", "1e400")),
        (Class::Unknown, 200, placed(ID, "BTCUSDT").replace("BUY", "HODL")),
        (Class::Unknown, 200, format!("[{}]", placed(ID, "BTCUSDT"))),
        (Class::Unknown, 200, format!("{} {{}}", placed(ID, "BTCUSDT"))),
        (Class::Unknown, 200, body(-2019, "Margin is insufficient.")),
        (Class::Unknown, 200, String::new()),
        (Class::Unknown, 200, "<html>Welcome</html>".into()),
        (Class::Unknown, 307, placed(ID, "BTCUSDT")),
        (Class::Unknown, 400, placed(ID, "BTCUSDT")),
        (Class::Unknown, 503, placed(ID, "BTCUSDT")),
    ] {
        assert_eq!(class(status, &body), class_of, "{status} {body}");
    }
    let odd = placed(ID, "BTCUSDT").replace("FILLED", "PENDING_SOMETHING");
    let OrderAnswer::Accepted(order) = order_answer(Api::Usdm, 200, odd.as_bytes(), ID, &btc()) else {
        panic!("{odd}")
    };
    assert_eq!(order.status, OrderStatus::Other("PENDING_SOMETHING".into()));
}

#[test]
fn only_definite_codes_reject() {
    let rejected = [
        -1002, -1010, -1011, -1013, -1014, -1020, -1021, -1022, -1100, -1101, -1102, -1104, -1106, -1109,
        -1111, -1116, -1121, -1122, -1130, -2010, -2014, -2015, -2018, -2019, -2020, -2021, -2022, -2023,
        -2024, -2025, -2026, -2027, -2028, -4001, -4003, -4005, -4014, -4015, -4016, -4023, -4024, -4045,
        -4061, -4087, -4088, -4104, -4105, -4109, -4118, -4120, -4131, -4140, -4164, -4189, -4192, -4400,
        -4401, -4411, -5021, -5022, -5028, -5041,
    ];
    for code in rejected {
        assert_eq!(class(400, &body(code, "no")), Class::Rejected, "{code}");
    }
    assert_eq!(class(401, &body(-2014, "API-key format invalid.")), Class::Rejected);
    assert_eq!(class(401, &body(-2015, "Invalid API-key, IP, or permissions for action.")), Class::Rejected);
}

#[test]
fn whatever_is_not_definite_is_unknown() {
    let unknown_503 = "Unknown error, please check your request or try again later.";
    for (status, body) in [
        (400, body(-1000, "An unknown error occurred while processing the request.")),
        (400, body(-1001, "Internal error; unable to process your request. Please try again.")),
        (400, body(-1006, "An unexpected response was received from the message bus.")),
        (400, body(-1007, "Timeout waiting for response from backend server.")),
        (400, body(-4116, "ClientOrderId is duplicated.")),
        (400, body(-2010, "Duplicate order sent.")),
        (400, body(-1003, "Too many requests.")),
        (400, body(-1015, "Too many new orders.")),
        (400, body(-12345, "A code of no known family.")),
        (400, body(-7, "Too small a code.")),
        (400, body(400, "A code that is not negative.")),
        (400, r#"{"code":"-2019","msg":"a text"}"#.into()),
        (400, r#"{"code":-2019.0,"msg":"a float"}"#.into()),
        (400, r#"{"code":-2019,"code":-1007,"msg":"two"}"#.into()),
        (400, r#"[{"code":-2019,"msg":"a list"}]"#.into()),
        (400, r#"{"msg":"no code"}"#.into()),
        (400, String::new()),
        (403, "<html>Request blocked.</html>".into()),
        (404, "<html>".into()),
        (408, body(-1007, "Timeout waiting for response from backend server.")),
        (408, body(-2019, "Margin is insufficient.")),
        (418, body(-1003, "Way too many requests; IP banned until 1795163499973.")),
        (429, body(-1003, "Too many requests.")),
        (429, body(-1015, "Too many new orders; current limit is 300 orders per TEN_SECONDS.")),
        (429, body(-2019, "Margin is insufficient.")),
        (500, body(-1000, "unknown")),
        (502, "<html>Bad Gateway</html>".into()),
        (503, body(-1000, unknown_503)),
        (503, format!(r#"{{"msg":"{unknown_503}"}}"#)),
        (503, body(-1008, "Request throttled by system-level protection.")),
        (503, body(-1001, "Internal error; unable to process your request. Please try again.")),
        (503, "Service Unavailable.".into()),
        (503, body(-2019, "Margin is insufficient.")),
        (504, String::new()),
        (100, String::new()),
        (302, String::new()),
        (999, body(-2019, "Margin is insufficient.")),
    ] {
        assert_eq!(class(status, &body), Class::Unknown, "{status} {body}");
    }
}

fn now() -> Time {
    Time::clamped(1_795_163_379_973)
}

fn read(status: u16, body: &str) -> ReadFailure {
    read_failure(Api::Usdm, status, None, body.as_bytes(), now())
}

#[test]
fn a_failed_read_says_whether_waiting_asking_again_or_a_person_helps() {
    let refused = [-1002, -1011, -1022, -1109, -2014, -2015, -2016, -2017, -4109, -4402];
    for code in refused {
        assert!(matches!(read(400, &body(code, "no")), ReadFailure::Refused { .. }), "{code}");
    }
    assert!(matches!(read(451, "<html>"), ReadFailure::Refused { .. }));
    for code in [-1021, -5028] {
        assert!(matches!(read(400, &body(code, "late")), ReadFailure::Clock(_)), "{code}");
    }
    for (status, code) in [(400, -2013), (400, -2011), (400, -4046), (400, -1121), (401, -1100)] {
        let ReadFailure::Rejected(refusal) = read(status, &body(code, "no")) else { panic!("{code}") };
        assert_eq!((refusal.code, refusal.msg.as_str()), (code, "no"));
    }
    for (status, code) in [(400, -1000), (400, -1001), (400, -1007), (503, -1008), (408, -1007), (500, -2013)]
    {
        assert!(matches!(read(status, &body(code, "later")), ReadFailure::Unavailable(_)), "{code}");
    }
    for status in [200, 302, 403, 404, 500, 502, 503] {
        assert!(matches!(read(status, "<html>"), ReadFailure::Unavailable(_)), "{status}");
    }
}

#[test]
fn silence_lasts_as_long_as_the_exchange_says_but_not_for_ever() {
    let minute = 1_795_163_400_000;
    let until = |status, after: Option<&str>, body: &str| {
        rate_limit(status, after, body.as_bytes(), now()).map(Time::ms)
    };
    let banned =
        |until: i64| body(-1003, &format!("Way too many requests; IP(1.2.3.4) banned until {until}. Bye."));
    for (status, after, text, expected) in [
        (429, None, String::new(), Some(minute)),
        (429, Some("7"), String::new(), Some(now().ms() + 7000)),
        (429, Some("Wed, 21 Oct 2026 07:28:00 GMT"), String::new(), Some(minute)),
        (429, Some("-5"), String::new(), Some(now().ms())),
        (418, None, banned(now().ms() + 120_000), Some(now().ms() + 120_000)),
        (418, Some("600"), banned(now().ms() + 120_000), Some(now().ms() + 600_000)),
        (418, None, banned(now().ms() - 1), Some(minute)),
        (418, None, banned(9_999_999_999_999), Some(now().ms() + LONGEST_BAN_MS)),
        (429, Some("99999999999999"), String::new(), Some(now().ms() + LONGEST_BAN_MS)),
        (400, None, body(-1003, "Too many requests."), Some(minute)),
        (400, None, body(-2019, "banned until 1795163499973"), None),
        (200, None, String::new(), None),
    ] {
        assert_eq!(until(status, after, &text), expected, "{status} {after:?} {text}");
    }
}

#[test]
fn only_a_negative_whole_code_is_a_refusal() {
    assert_eq!(refusal(br#"{"code":200,"msg":"success"}"#), None);
    let refused = refusal(b"{\"code\":-1102,\"msg\":\"a\\u001b[2Jb\\nc\"}").unwrap();
    assert_eq!(refused.msg, "a [2Jb c");
    assert_eq!(refusal(br#"{"code":-1102}"#).unwrap().msg, "");
    for (body, success) in [
        (r#"{"code":200,"msg":"success"}"#, true),
        (r#"{"code":"200","msg":"success"}"#, true),
        ("{}", true),
        (r#"{"code":-4046,"msg":"x"}"#, false),
        ("[]", false),
        ("<html>", false),
    ] {
        assert_eq!(is_success(body.as_bytes()), success, "{body}");
    }
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(status in 0u16..1000, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let answer = order_answer(Api::Usdm, status, &body, ID, &btc());
        prop_assert!(!matches!(answer, OrderAnswer::Accepted(_)));
        let _ = read_failure(Api::Usdm, status, None, &body, now());
    }

    #[test]
    fn a_definite_class_needs_an_intact_answer(cut in 0usize..220, status in prop::sample::select(vec![200u16, 400])) {
        let whole = if status == 200 { placed(ID, "BTCUSDT") } else { body(-2019, "Margin is insufficient.") };
        prop_assume!(cut < whole.len());
        prop_assert_eq!(class(status, &whole[..cut]), Class::Unknown);
    }

    #[test]
    fn messages_stay_short_and_plain(code in -9999i64..-1000, msg in "\\PC*|[\\x00-\\x7f]*") {
        let body = serde_json::json!({ "code": code, "msg": msg }).to_string();
        let said = refusal(body.as_bytes()).unwrap().msg;
        prop_assert!(said.chars().count() <= text::MESSAGE_CHARS + 1);
        prop_assert!(!said.chars().any(char::is_control));
    }
}
