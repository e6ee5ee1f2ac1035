//! One object on one line, or one a line.

use std::sync::Arc;

use serde::Serialize;

use crate::render::text;
use crate::report::period::PeriodReport;
use crate::report::sweep::Ran;
use crate::report::sweep::part::{Header, Line};

/// `report` as one line of JSON.
///
/// Characters that steer a terminal are escaped even where JSON allows them raw, since the line
/// may be looked at.
#[must_use]
pub fn object<R: Serialize>(report: &R) -> String {
    let plain = match serde_json::to_string(report) {
        Ok(plain) => plain,
        // Reports hold strings, numbers and lists only; none of them can fail to serialise.
        Err(error) => serde_json::json!({
            "schema": "rebal.error/1", "kind": "internal", "message": error.to_string(), "hint": "", "exit_code": 1
        })
        .to_string(),
    };
    let mut out = String::with_capacity(plain.len() + 1);
    for c in plain.chars() {
        if text::steers(c) {
            let units =
                c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
            out.push_str(&units);
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    out
}

/// A period; what nobody read is `null`, not zero.
#[must_use]
pub fn period(report: &PeriodReport) -> String {
    let mut shown = match serde_json::to_value(report) {
        Ok(serde_json::Value::Object(shown)) if report.readings == 0 => shown,
        _ => return object(report),
    };
    for name in PeriodReport::UNREAD {
        if let Some(value) = shown.get_mut(name) {
            *value = serde_json::Value::Null;
        }
    }
    object(&shown)
}

/// A part of a sweep as JSON lines: its header, then its points.
#[must_use]
pub fn part(header: &Header, ran: &[Ran]) -> String {
    let grid = Arc::new(header.grid.clone());
    let mut text = object(header);
    ran.iter().for_each(|ran| text.push_str(&object(&Line::new(&grid, ran))));
    text
}
