//! JSON as it was sent: integers stay integers, texts are borrowed, repeated keys are noticed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::domain::num::Amount;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::wire::text;

/// A JSON value that borrows its texts from the bytes it was read from.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without point or exponent that fits.
    Int(i64),
    /// Any other number. Never used for money, except where the exchange itself sends numbers.
    Float(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Json<'a>>),
    /// An object.
    Object(Object<'a>),
}

/// The fields of a JSON object in the order sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'a> {
    fields: Vec<(Cow<'a, str>, Json<'a>)>,
    repeated: Option<String>,
}

impl<'a> Object<'a> {
    fn new(fields: Vec<(Cow<'a, str>, Json<'a>)>) -> Object<'a> {
        let mut keys: Vec<&str> = fields.iter().map(|(key, _)| key.as_ref()).collect();
        keys.sort_unstable();
        let twice = keys.iter().zip(keys.iter().skip(1)).find(|(one, next)| one == next);
        let repeated = twice.map(|(key, _)| text::word(key));
        Object { fields, repeated }
    }

    /// The value under `key`; the first one, should there be several.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Every key with its value, in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.fields.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// The first key that stands there twice: such an object says two things at once.
    #[must_use]
    pub fn repeated(&self) -> Option<&str> {
        self.repeated.as_deref()
    }
}

/// Why an answer cannot be read: which endpoint, which field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{endpoint}: {detail}")]
pub struct WireError {
    /// Method and path.
    pub endpoint: &'static str,
    /// The field, and what is wrong with it.
    pub detail: String,
}

/// Reads the whole of `bytes` as one JSON value.
///
/// Fails on anything that is not exactly one value; nesting is bounded by the parser.
pub fn parse<'a>(endpoint: &'static str, bytes: &'a [u8]) -> Result<Json<'a>, WireError> {
    // The parser's own words may quote the input, so only the place is told.
    let unreadable = |error: serde_json::Error| WireError {
        endpoint,
        detail: format!("not readable as JSON at line {} column {}", error.line(), error.column()),
    };
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let value = Seed.deserialize(&mut source).map_err(unreadable)?;
    source.end().map_err(unreadable)?;
    Ok(value)
}

struct Seed;

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Json<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(Seed)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Int(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(i64::try_from(value).map_or(Json::Float(value as f64), Json::Int))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Float(value))
    }
    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }
    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Seed)? {
            items.push(item);
        }
        Ok(Json::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(key) = map.next_key_seed(KeySeed)? {
            fields.push((key, map.next_value_seed(Seed)?));
        }
        Ok(Json::Object(Object::new(fields)))
    }
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(KeySeed)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}

/// One object of an answer, read field by field; every error names the endpoint and the field.
#[derive(Clone, Copy, Debug)]
pub struct Row<'j, 'a> {
    endpoint: &'static str,
    object: &'j Object<'a>,
}

impl<'j, 'a> Row<'j, 'a> {
    /// The object in `json`. Fails where it is something else or says one thing twice.
    pub fn of(endpoint: &'static str, json: &'j Json<'a>) -> Result<Row<'j, 'a>, WireError> {
        let Json::Object(object) = json else {
            return Err(WireError { endpoint, detail: "an object was expected".into() });
        };
        if let Some(key) = object.repeated() {
            return Err(WireError { endpoint, detail: format!("field `{key}` stands there twice") });
        }
        Ok(Row { endpoint, object })
    }

    /// Every element of the array in `json`; a bare object counts as an array of one.
    pub fn list(endpoint: &'static str, json: &'j Json<'a>) -> Result<&'j [Json<'a>], WireError> {
        match json {
            Json::List(items) => Ok(items),
            Json::Object(_) => Ok(std::slice::from_ref(json)),
            _ => Err(WireError { endpoint, detail: "an array was expected".into() }),
        }
    }

    /// An error about `field` of this row.
    #[must_use]
    pub fn wrong(&self, field: &str, what: &str) -> WireError {
        WireError { endpoint: self.endpoint, detail: format!("field `{field}` {what}") }
    }

    /// The value of `field`; `None` where it is absent or `null`.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&'j Json<'a>> {
        self.object.get(field).filter(|value| **value != Json::Null)
    }

    fn need(&self, field: &str) -> Result<&'j Json<'a>, WireError> {
        self.get(field).ok_or_else(|| self.wrong(field, "is missing"))
    }

    /// A text.
    pub fn text(&self, field: &str) -> Result<&'j str, WireError> {
        match self.need(field)? {
            Json::Text(text) => Ok(text),
            _ => Err(self.wrong(field, "is not a text")),
        }
    }

    /// A word of the exchange's, made harmless and not longer than 40 characters.
    pub fn word(&self, field: &str) -> Result<String, WireError> {
        self.text(field).map(text::word)
    }

    /// A decimal sent as a text.
    pub fn amount<K>(&self, field: &str) -> Result<Amount<K>, WireError> {
        let text = self.text(field)?;
        text.parse()
            .map_err(|_| self.wrong(field, &format!("is not a plain decimal: {:?}", text::word(text))))
    }

    /// A decimal sent as a text; `None` where the field is absent or the text empty.
    pub fn optional_amount<K>(&self, field: &str) -> Result<Option<Amount<K>>, WireError> {
        match self.get(field) {
            None => Ok(None),
            Some(Json::Text(text)) if text.is_empty() => Ok(None),
            Some(_) => self.amount(field).map(Some),
        }
    }

    /// A decimal sent as a text that must not be negative.
    pub fn not_negative<K>(&self, field: &str) -> Result<Amount<K>, WireError> {
        let amount: Amount<K> = self.amount(field)?;
        if amount.is_negative() { Err(self.wrong(field, "is negative")) } else { Ok(amount) }
    }

    /// A decimal sent as a text that must be above zero.
    pub fn positive<K>(&self, field: &str) -> Result<Amount<K>, WireError> {
        let amount: Amount<K> = self.amount(field)?;
        if amount.is_positive() { Ok(amount) } else { Err(self.wrong(field, "is not above zero")) }
    }

    /// A decimal sent as a text or as a number, for the few fields where the exchange sends
    /// numbers. A number keeps its shortest digits; one beyond every amount becomes the largest.
    pub fn number<K>(&self, field: &str) -> Result<Amount<K>, WireError> {
        let digits = match self.need(field)? {
            Json::Text(text) => text.to_string(),
            Json::Int(value) => value.to_string(),
            Json::Float(value) => value.to_string(),
            _ => return Err(self.wrong(field, "is not a number")),
        };
        let integer = digits.split('.').next().unwrap_or_default();
        let plain = integer.len() > 14 && integer.bytes().all(|byte| byte.is_ascii_digit());
        let digits = if plain { "99999999999999" } else { &digits };
        digits
            .parse()
            .map_err(|_| self.wrong(field, &format!("is not a plain decimal: {:?}", text::word(digits))))
    }

    /// A whole number sent as a number.
    pub fn int(&self, field: &str) -> Result<i64, WireError> {
        match self.need(field)? {
            Json::Int(value) => Ok(*value),
            _ => Err(self.wrong(field, "is not a whole number")),
        }
    }

    /// A whole number from 0 to 4294967295, sent as a number or a text.
    pub fn small(&self, field: &str) -> Result<u32, WireError> {
        let value = match self.need(field)? {
            Json::Int(value) => u32::try_from(*value).ok(),
            Json::Text(text) => text.parse().ok(),
            _ => None,
        };
        value.ok_or_else(|| self.wrong(field, "is not a small whole number"))
    }

    /// An instant in milliseconds.
    pub fn time(&self, field: &str) -> Result<Time, WireError> {
        Time::from_ms(self.int(field)?).ok_or_else(|| self.wrong(field, "is not a time"))
    }

    /// An instant in milliseconds; `None` where the field is absent, an empty text or zero.
    pub fn optional_time(&self, field: &str) -> Result<Option<Time>, WireError> {
        match self.get(field) {
            None | Some(Json::Int(0)) => Ok(None),
            Some(Json::Text(text)) if text.is_empty() => Ok(None),
            Some(_) => self.time(field).map(Some),
        }
    }

    /// A yes or no, sent as a boolean or as the word.
    pub fn flag(&self, field: &str) -> Result<bool, WireError> {
        match self.need(field)? {
            Json::Bool(value) => Ok(*value),
            Json::Text(text) if text == "true" => Ok(true),
            Json::Text(text) if text == "false" => Ok(false),
            _ => Err(self.wrong(field, "is neither true nor false")),
        }
    }

    /// A contract's name.
    pub fn symbol(&self, field: &str) -> Result<Symbol, WireError> {
        let text = self.text(field)?;
        text.parse().map_err(|_| self.wrong(field, &format!("is not a symbol: {:?}", text::word(text))))
    }

    /// The entries of an object whose keys are names, each name once.
    pub fn entries(&self, field: &str) -> Result<impl Iterator<Item = (&'j str, &'j Json<'a>)>, WireError> {
        match self.need(field)? {
            Json::Object(object) if object.repeated().is_none() => Ok(object.iter()),
            Json::Object(_) => Err(self.wrong(field, "names something twice")),
            _ => Err(self.wrong(field, "is not an object")),
        }
    }

    /// The elements of an array.
    pub fn items(&self, field: &str) -> Result<&'j [Json<'a>], WireError> {
        match self.need(field)? {
            Json::List(items) => Ok(items),
            _ => Err(self.wrong(field, "is not an array")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_stay_exact_and_texts_keep_their_script() {
        let json =
            parse("T", r#"{"id":9223372036854775807,"big":18446744073709551615,"s":"币\u5b89"}"#.as_bytes())
                .unwrap();
        let row = Row::of("T", &json).unwrap();
        assert_eq!(row.int("id").unwrap(), i64::MAX);
        assert!(row.int("big").is_err());
        assert_eq!(row.text("s").unwrap(), "币安");
    }

    #[test]
    fn every_error_names_endpoint_and_field() {
        let json = parse("GET /x", br#"{"p":"1e5","q":1.5,"n":null,"z":"0","m":"-1"}"#).unwrap();
        let row = Row::of("GET /x", &json).unwrap();
        for (error, said) in [
            (row.amount::<()>("p").unwrap_err(), "GET /x: field `p` is not a plain decimal: \"1e5\""),
            (row.amount::<()>("q").unwrap_err(), "GET /x: field `q` is not a text"),
            (row.amount::<()>("n").unwrap_err(), "GET /x: field `n` is missing"),
            (row.positive::<()>("z").unwrap_err(), "GET /x: field `z` is not above zero"),
            (row.not_negative::<()>("m").unwrap_err(), "GET /x: field `m` is negative"),
        ] {
            assert_eq!(error.to_string(), said);
        }
        assert_eq!(row.optional_amount::<()>("n").unwrap(), None);
    }

    #[test]
    fn an_object_that_repeats_itself_is_not_read() {
        let json = parse("T", br#"{"a":1,"b":2,"a":3}"#).unwrap();
        assert_eq!(Row::of("T", &json).unwrap_err().to_string(), "T: field `a` stands there twice");
    }

    #[test]
    fn numbers_are_read_where_the_exchange_sends_numbers() {
        let json =
            parse("T", br#"{"a":0.004,"b":50000,"c":9223372036854775807,"d":1e30,"e":"0.1"}"#).unwrap();
        let row = Row::of("T", &json).unwrap();
        assert_eq!(row.number::<()>("a").unwrap().to_string(), "0.004");
        assert_eq!(row.number::<()>("b").unwrap().to_string(), "50000");
        assert_eq!(row.number::<()>("c").unwrap().to_string(), "99999999999999");
        assert_eq!(row.number::<()>("d").unwrap().to_string(), "99999999999999");
        assert_eq!(row.number::<()>("e").unwrap().to_string(), "0.1");
    }

    #[test]
    fn what_is_not_one_value_is_an_error() {
        for bytes in ["", "<html>", "{", "[1,2", "{} {}", "1e999", "{\"a\"}", "\u{feff}{}"] {
            assert!(parse("T", bytes.as_bytes()).is_err(), "{bytes}");
        }
        assert!(parse("T", "[".repeat(100_000).as_bytes()).is_err());
        assert!(parse("T", &[b'"', 0xff, b'"']).is_err());
    }
}
