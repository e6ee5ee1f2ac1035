//! The exchange's name of a contract, exactly as it spells it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A contract's name, for example `BTCUSDT` or `币安人生USDT`. Never part of a file's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(Arc<str>);

/// A text that cannot be a symbol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a symbol: {0:?}")]
pub struct NotASymbol(pub String);

impl Symbol {
    /// The name as the exchange spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its quote asset: `BTC` of `BTCUSDT`.
    #[must_use]
    pub fn coin<'a>(&'a self, quote: &str) -> &'a str {
        match self.0.strip_suffix(quote) {
            Some(coin) if !coin.is_empty() => coin,
            _ => &self.0,
        }
    }
}

impl FromStr for Symbol {
    type Err = NotASymbol;
    /// Accepts 1 to 40 letters, digits, `_`, `-` or `.` of any script, so that nothing that steers
    /// a terminal, a page or a path can hide in a name.
    fn from_str(text: &str) -> Result<Symbol, NotASymbol> {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let starts_plain = text.starts_with(char::is_alphanumeric);
        if !starts_plain || text.chars().count() > 40 || !text.chars().all(plain) {
            return Err(NotASymbol(text.chars().take(40).collect()));
        }
        Ok(Symbol(text.into()))
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for Symbol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Symbol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Symbol, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_script_pass_and_hostile_ones_do_not() {
        for name in ["BTCUSDT", "1000SHIBUSDT", "币安人生USDT", "BTCUSDT_251226", "ETH-USD.P"] {
            assert!(name.parse::<Symbol>().is_ok(), "{name}");
        }
        for name in ["", "=CMD()", "<b>", "../x", "a\nb", "a b", "\u{202e}USDT", "\u{1b}[2J"] {
            assert!(name.parse::<Symbol>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_coin_is_the_name_without_its_quote() {
        assert_eq!("BTCUSDT".parse::<Symbol>().unwrap().coin("USDT"), "BTC");
        assert_eq!("USDT".parse::<Symbol>().unwrap().coin("USDT"), "USDT");
    }
}
