//! The parameters of a request: query and form body, read as the exchange reads them.

use percent_encoding::percent_decode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::num::Amount;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::matching::Which;
use crate::sim::refusal::Refusal;

/// Decoded parameters. Names are matched without regard to case; a query wins over a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
}

impl Params {
    /// Reads both places.
    ///
    /// # Errors
    /// `-1101` for a name twice in one place, `-1100` for bytes that are no text.
    pub(crate) fn read(query: &str, body: &str) -> Result<Params, Refusal> {
        let mut pairs = read_place(query)?;
        for (name, value) in read_place(body)? {
            if !pairs.iter().any(|(known, _)| *known == name) {
                pairs.push((name, value));
            }
        }
        Ok(Params { pairs })
    }

    /// The members of one element of a batch, whatever JSON type they have.
    pub(crate) fn of_object(object: &serde_json::Map<String, Value>) -> Params {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let members = object.iter().filter(|(_, value)| !value.is_null());
        Params { pairs: members.map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect() }
    }

    /// The value, where it was sent and is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let wanted = name.to_ascii_lowercase();
        let found = self.pairs.iter().find(|(known, _)| *known == wanted);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The value of a mandatory parameter.
    pub(crate) fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| missing(name))
    }

    /// A whole number, where it was sent.
    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>, Refusal> {
        self.get(name).map(|text| text.parse().map_err(|_| illegal(name, "^[0-9]{1,20}$"))).transpose()
    }

    /// A mandatory whole number.
    pub(crate) fn need_int(&self, name: &str) -> Result<i64, Refusal> {
        self.need(name)?.parse().map_err(|_| missing(name))
    }

    /// A decimal that is not negative, where it was sent. No exponents.
    pub(crate) fn amount<K>(&self, name: &str) -> Result<Option<Amount<K>>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        if text.starts_with('-') {
            return Err(missing(name));
        }
        text.parse().map(Some).map_err(|_| illegal(name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$"))
    }

    /// A mandatory decimal.
    pub(crate) fn need_amount<K>(&self, name: &str) -> Result<Amount<K>, Refusal> {
        self.amount(name)?.ok_or_else(|| missing(name))
    }

    /// `true` or `false`, where it was sent.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(not_valid(name)),
        }
    }

    /// A mandatory `true` or `false`.
    pub(crate) fn need_flag(&self, name: &str) -> Result<bool, Refusal> {
        self.flag(name)?.ok_or_else(|| missing(name))
    }

    /// A mandatory symbol; what cannot be one is unknown.
    pub(crate) fn need_symbol(&self) -> Result<Symbol, Refusal> {
        self.need("symbol")?.parse().map_err(|_| Refusal::of(-1121))
    }

    /// A symbol, where one was sent.
    pub(crate) fn symbol(&self) -> Result<Option<Symbol>, Refusal> {
        self.get("symbol").map(|text| text.parse().map_err(|_| Refusal::of(-1121))).transpose()
    }

    /// An instant in milliseconds, where it was sent.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Time>, Refusal> {
        let ms = self.int(name)?;
        ms.map(|ms| Time::from_ms(ms).ok_or_else(|| not_valid(name))).transpose()
    }

    /// How many rows are wanted, with its default and the most allowed.
    pub(crate) fn limit(&self, default: usize, most: usize) -> Result<usize, Refusal> {
        match self.int("limit")? {
            None => Ok(default),
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| (1..=most).contains(limit))
                .ok_or_else(|| not_valid("limit")),
        }
    }

    /// A JSON array, where it was sent.
    pub(crate) fn list<T: DeserializeOwned>(&self, name: &str) -> Result<Option<Vec<T>>, Refusal> {
        let text = self.get(name);
        text.map(|text| serde_json::from_str(text).map_err(|_| not_valid(name))).transpose()
    }

    /// The order that is meant; a number wins over an id.
    pub(crate) fn which(&self) -> Result<Which<'_>, Refusal> {
        if let Some(number) = self.int("orderId")? {
            return Ok(Which::Number(number));
        }
        let id = self.get("origClientOrderId").map(Which::Client);
        id.ok_or_else(|| {
            Refusal::saying(
                -1102,
                "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
            )
        })
    }

    /// Refuses a parameter that does not belong here.
    pub(crate) fn without(&self, name: &str) -> Result<(), Refusal> {
        match self.get(name) {
            Some(_) => Err(Refusal::saying(
                -1106,
                format!("Parameter '{}' sent when not required.", name.to_ascii_lowercase()),
            )),
            None => Ok(()),
        }
    }
}

/// `-1102`, naming the parameter.
pub(crate) fn missing(name: &str) -> Refusal {
    Refusal::saying(
        -1102,
        format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."),
    )
}

/// `-1130`, naming the parameter.
pub(crate) fn not_valid(name: &str) -> Refusal {
    Refusal::saying(-1130, format!("Data sent for parameter '{name}' is not valid."))
}

fn illegal(name: &str, range: &str) -> Refusal {
    Refusal::saying(
        -1100,
        format!("Illegal characters found in parameter '{name}'; legal range is '{range}'."),
    )
}

fn read_place(raw: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for part in raw.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name = decode(name)?.to_ascii_lowercase();
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(Refusal::saying(-1101, format!("Duplicate values for parameter '{name}'.")));
        }
        pairs.push((name, decode(value)?));
    }
    Ok(pairs)
}

fn decode(text: &str) -> Result<String, Refusal> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8();
    decoded
        .map(|text| text.into_owned())
        .map_err(|_| Refusal::saying(-1100, "Illegal characters found in a parameter."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::num::Qty;

    #[test]
    fn names_ignore_case_values_decode_and_the_query_wins() {
        let params = Params::read("Symbol=%E5%B8%81USDT&a=1", "a=2&b=x%20y").unwrap();
        assert_eq!(params.get("symbol"), Some("币USDT"));
        assert_eq!((params.get("A"), params.get("b")), (Some("1"), Some("x y")));
        assert_eq!(Params::read("a=1&A=2", "").unwrap_err().code, -1101);
        assert_eq!(Params::read("a=%FF", "").unwrap_err().code, -1100);
    }

    #[test]
    fn numbers_are_plain_and_not_negative() {
        let code = |text: &str| {
            let params = Params::read(&format!("q={text}"), "").unwrap();
            params.need_amount::<crate::domain::num::kind::QtyKind>("q").map_err(|refusal| refusal.code)
        };
        assert_eq!(code("0.50"), Ok(Qty::new(5, 1)));
        for (text, expected) in [("1e-7", -1100), ("abc", -1100), ("-1", -1102), ("", -1102)] {
            assert_eq!(code(text), Err(expected), "{text}");
        }
    }
}
