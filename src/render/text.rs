//! Numbers as people write them, and outside text made harmless.

use crate::domain::num::{Amount, Notional, Price, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

/// Digits of a price that a person can use.
const PRICE_DIGITS: usize = 8;

/// Whether a character can move the cursor, reorder a line or hide in it: terminal controls, bidi
/// marks and overrides, zero-width characters, line and paragraph separators, tags.
#[must_use]
pub fn steers(c: char) -> bool {
    let code = u32::from(c);
    c.is_control()
        || matches!(code, 0x061c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb)
        || (0xe0000..=0xe007f).contains(&code)
}

/// Outside text on one line: line breaks and tabs become blanks, all else that steers is dropped.
#[must_use]
pub fn clean(text: &str) -> String {
    let blank = |c: char| if matches!(c, '\n' | '\t' | '\r') { ' ' } else { c };
    text.chars().map(blank).filter(|c| !steers(*c)).collect()
}

/// Quote units with two decimals: `20.00`.
#[must_use]
pub fn money(amount: Notional) -> String {
    format!("{amount:.2}")
}

/// Fees of small orders vanish at two decimals: four below one, two above.
#[must_use]
pub fn fee(amount: Notional) -> String {
    if amount.abs() < Notional::ONE { format!("{amount:.4}") } else { money(amount) }
}

/// A price at up to eight significant digits, without trailing zeros.
#[must_use]
pub fn price(price: Price) -> String {
    let plain = price.abs().to_string();
    let (integer, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let decimals = match integer {
        "0" => PRICE_DIGITS + fraction.len() - fraction.trim_start_matches('0').len(),
        _ => PRICE_DIGITS.saturating_sub(integer.len()),
    };
    price.rounded(u32::try_from(decimals).unwrap_or(u32::MAX)).to_string()
}

/// A rate with sign and two decimals, for columns: `+6.50 %`.
#[must_use]
pub fn percent(rate: Rate) -> String {
    format!("{:+.2} %", rate * Rate::from(100))
}

/// A rate with sign and as few of two decimals as it needs, for sentences: `+5 %`.
#[must_use]
pub fn short_percent(rate: Rate) -> String {
    format!("{:+} %", (rate * Rate::from(100)).rounded(2))
}

/// A rate without sign and at most one decimal: `48.3 %`.
#[must_use]
pub fn share(rate: Rate) -> String {
    format!("{} %", (rate * Rate::from(100)).rounded(1))
}

/// The same with a fixed number of decimals.
#[must_use]
pub fn fixed<K>(amount: Amount<K>, digits: usize) -> String {
    format!("{amount:.digits$}")
}

/// `1 coin`, `3 coins`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// To the second, as a person reads it: `2026-11-20 08:29:39 UTC`.
#[must_use]
pub fn instant(at: Time) -> String {
    at.plainly()
}

/// Names without their quote asset, joined by commas.
#[must_use]
pub fn coins<'a>(symbols: impl IntoIterator<Item = &'a Symbol>, quote: &str) -> String {
    symbols.into_iter().map(|symbol| symbol.coin(quote)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_keep_eight_significant_digits() {
        for (raw, shown) in [
            ("60123.4567891", "60123.457"),
            ("0.0000123456789", "0.000012345679"),
            ("100", "100"),
            ("123456789.5", "123456790"),
            ("1.50", "1.5"),
        ] {
            assert_eq!(price(raw.parse().unwrap()), shown);
        }
    }

    #[test]
    fn percentages_carry_their_sign() {
        assert_eq!(percent(Rate::new(65, 3)), "+6.50 %");
        assert_eq!(short_percent(Rate::new(-25, 2)), "-25 %");
        assert_eq!(short_percent(Rate::new(5, 2)), "+5 %");
        assert_eq!(share(Rate::new(4833, 4)), "48.3 %");
    }

    #[test]
    fn nothing_that_steers_a_terminal_survives() {
        assert_eq!(clean("a\u{1b}[31mb\u{202e}c\r\nd\u{9b}e\u{200b}f"), "a[31mbc  def");
    }

    #[test]
    fn a_time_is_shown_to_the_second() {
        assert_eq!(instant("2026-11-20T08:29:39.973Z".parse().unwrap()), "2026-11-20 08:29:39 UTC");
    }
}
