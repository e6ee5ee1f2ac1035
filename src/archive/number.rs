//! Digits of a file become numbers: the common forms at once, all others the long way.

use std::str::FromStr;

use crate::domain::num::Price;
use crate::domain::series::Cell;
use crate::domain::time::Time;

/// A recorded price beyond this is an error of the recorder.
const MAX_PRICE: u32 = 1_000_000_000;
/// Times with more digits than this are microseconds.
const MICROSECONDS_FROM: i64 = 100_000_000_000_000;
/// Times below this are seconds, or no times at all: in milliseconds it is March 1973.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Powers of ten that an `f64` holds exactly, as many as [`plain`] may ask for.
const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
/// Digits of which any count fits a `u64`.
const SAFE_LENGTH: usize = 18;
/// The first whole number with more digits than [`Cell::MOST_DIGITS`].
const TOO_LONG: u64 = 1_000_000_000_000_000;

/// A price above zero. Whole number and power of ten are both exact, so that their quotient is the `f64`
/// nearest to the decimal.
#[inline]
pub(crate) fn cell(name: &str, text: &[u8]) -> Result<Cell, String> {
    match plain(text) {
        Some(cell) if cell.value > 0.0 && cell.value <= f64::from(MAX_PRICE) => Ok(cell),
        _ => long_cell(name, text),
    }
}

/// `digits[.digits]` of up to 15 significant digits.
#[inline]
fn plain(text: &[u8]) -> Option<Cell> {
    if text.len() > SAFE_LENGTH {
        return None;
    }
    let (mut whole, mut point) = (0_u64, None);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => whole = whole * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() && at > 0 => point = Some(at),
            _ => return None,
        }
    }
    let mut digits = match point {
        Some(point) if point + 1 < text.len() => text.len() - point - 1,
        None if !text.is_empty() => 0,
        _ => return None,
    };
    while digits > 0 && whole % 10 == 0 {
        whole /= 10;
        digits -= 1;
    }
    if whole >= TOO_LONG {
        return None;
    }
    let power = POWERS.get(digits)?;
    // Exact: `whole` is below 2^53.
    Some(Cell { value: whole as f64 / power, digits: u32::try_from(digits).ok()? })
}

#[cold]
fn long_cell(name: &str, text: &[u8]) -> Result<Cell, String> {
    let price = price(name, text)?;
    Cell::of(price).ok_or_else(|| {
        format!("{name} {price} has more than {} digits: it cannot be kept exactly", Cell::MOST_DIGITS)
    })
}

/// A price above zero, of any length.
pub(crate) fn price(name: &str, text: &[u8]) -> Result<Price, String> {
    let price = number::<Price>(name, text)?;
    if !price.is_positive() {
        return Err(format!("{name} {price} is not above zero"));
    }
    if price > Price::from(MAX_PRICE) {
        return Err(format!("{name} {price} is absurd: prices up to {MAX_PRICE} are accepted"));
    }
    Ok(price)
}

/// A plain decimal.
pub(crate) fn number<T: FromStr>(name: &str, text: &[u8]) -> Result<T, String> {
    let read = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok());
    read.ok_or_else(|| format!("{name} is not a plain number: {:?}", cut(text)))
}

/// Milliseconds, or microseconds by their size.
#[inline]
pub(crate) fn time(text: &[u8]) -> Result<Time, String> {
    let refuse = || format!("{:?} is not a time in milliseconds since 1970", cut(text));
    let digits = text.trim_ascii();
    if digits.is_empty() || digits.len() > SAFE_LENGTH {
        return Err(refuse());
    }
    let mut number = 0_i64;
    for byte in digits {
        match byte {
            b'0'..=b'9' => number = number * 10 + i64::from(byte - b'0'),
            _ => return Err(refuse()),
        }
    }
    let ms = if number > MICROSECONDS_FROM { number / 1000 } else { number };
    if ms < MILLISECONDS_FROM {
        return Err(refuse());
    }
    Time::from_ms(ms).ok_or_else(refuse)
}

fn cut(text: &[u8]) -> String {
    String::from_utf8_lossy(text.trim_ascii()).chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_plain_prices_are_read() {
        for (text, value, digits) in [
            ("1", 1.0, 0),
            ("1.50000000", 1.5, 1),
            (" 0.1 ", 0.1, 1),
            ("000.25", 0.25, 2),
            ("1000000000", 1e9, 0),
            ("1000000000.00000000", 1e9, 0),
            ("0.00000001", 1e-8, 8),
            ("123456789.123456", 123_456_789.123_456, 6),
            ("0.000000000000001", 1e-15, 15),
        ] {
            assert_eq!(cell("open", text.as_bytes()), Ok(Cell { value, digits }), "{text}");
        }
        for (text, expected) in [
            ("", "open is not a plain number: \"\""),
            (".", "open is not a plain number"),
            ("1.", "open is not a plain number"),
            (".5", "open is not a plain number"),
            ("1.2.3", "open is not a plain number"),
            ("1e5", "open is not a plain number"),
            ("+1", "open is not a plain number"),
            ("0x1", "open is not a plain number"),
            ("NaN", "open is not a plain number"),
            ("-1", "open -1 is not above zero"),
            ("0.000", "open 0 is not above zero"),
            ("1000000000.1", "open 1000000000.1 is absurd"),
            ("123456789.1234567", "open 123456789.1234567 has more than 15 digits"),
            ("0.0000000000000001", "open 0.0000000000000001 has more than 15 digits"),
            ("1.00000000000000000001", "open 1.00000000000000000001 has more than 15 digits"),
        ] {
            let said = cell("open", text.as_bytes()).unwrap_err();
            assert!(said.starts_with(expected), "{text}: {said}");
        }
        assert!(cell("open", b"1\xff").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Against the exact decimal, and against the standard library's nearest `f64`; also where other
        /// prices of the column have more digits.
        #[test]
        fn prices_read_back_exactly(
            whole in prop_oneof![1..TOO_LONG, 1..1_000_000_000_u64],
            digits in 0..=15_usize,
            zeros in 0..4_usize,
            more in 0..9_u32,
        ) {
            // At most nine digits before the point, and 15 in all.
            let digits = if whole > u64::from(MAX_PRICE) { digits.max(6) } else { digits };
            let padded = format!("{whole:0>width$}", width = digits + 1);
            let (integer, fraction) = padded.split_at(padded.len() - digits);
            let text = match digits {
                0 => integer.to_owned(),
                _ => format!("{integer}.{fraction}{}", "0".repeat(zeros)),
            };
            let exact: Price = text.parse().unwrap();
            let read = cell("open", text.as_bytes()).unwrap();
            prop_assert_eq!(read.value, text.parse::<f64>().unwrap());
            prop_assert_eq!(read.digits, exact.decimals());
            prop_assert_eq!(Price::from_approx(read.value, read.digits), Some(exact));
            let room = 15 - u32::try_from(integer.len()).unwrap();
            prop_assert_eq!(Price::from_approx(read.value, (read.digits + more).min(room).max(read.digits)), Some(exact));
        }

        /// What is read at once is what the long way reads, and neither reads what is no number.
        #[test]
        fn both_ways_agree_on_any_text(text in "[0-9]{0,14}\\.?[0-9]{0,20}|[-+ .0-9eE]{0,12}") {
            let exact = text.trim().parse::<Price>().ok();
            let exact = exact.filter(|price| price.is_positive() && *price <= Price::from(MAX_PRICE));
            prop_assert_eq!(cell("open", text.as_bytes()).ok(), exact.and_then(Cell::of), "{}", text);
        }
    }
}
