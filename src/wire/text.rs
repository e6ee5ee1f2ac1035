//! Words from outside, made harmless: no control characters, no secrets, not too long.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

/// The most characters kept of a message from outside.
pub const MESSAGE_CHARS: usize = 200;

/// The most characters kept of a single word from outside (a status, an asset, a tag).
pub const WORD_CHARS: usize = 40;

/// Longest run of key-like characters that may be shown. Client order ids have at most 36, API
/// keys and signatures 64 and more.
const SHOWN_RUN: usize = 36;

/// What stands where something was hidden.
const HIDDEN: &str = "[hidden]";

/// A message fit to be shown: control and direction characters become blanks, anything that looks
/// like a key or a signature is hidden, and at most [`MESSAGE_CHARS`] remain.
///
/// A server may echo the request in its error text, so the scrubbing does not depend on knowing
/// the secret.
#[must_use]
pub fn message(text: &str) -> String {
    let plain: String = text.chars().take(8 * MESSAGE_CHARS).map(harmless).collect();
    cut(&hide_runs(&hide_signatures(&plain)), MESSAGE_CHARS)
}

/// A single word fit to be kept: no control or direction characters, at most [`WORD_CHARS`].
#[must_use]
pub fn word(text: &str) -> String {
    text.chars().map(harmless).take(WORD_CHARS).collect()
}

/// The shortest piece of a secret that is hidden; a shorter one could be any word.
const PIECE: usize = 8;

/// `bytes` without `secret`, and without any piece of it of eight bytes or more: a server may echo a
/// key cut short, or in two.
#[must_use]
pub fn without<'a>(bytes: &'a [u8], secret: &str) -> Cow<'a, [u8]> {
    let found = pieces(bytes, secret.as_bytes());
    if found.is_empty() {
        return Cow::Borrowed(bytes);
    }
    let mut shown = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for piece in found {
        shown.extend_from_slice(bytes.get(from..piece.start).unwrap_or_default());
        shown.extend_from_slice(HIDDEN.as_bytes());
        from = piece.end;
    }
    shown.extend_from_slice(bytes.get(from..).unwrap_or_default());
    Cow::Owned(shown)
}

/// Where pieces of `secret` stand in `bytes`, ascending and apart.
fn pieces(bytes: &[u8], secret: &[u8]) -> Vec<Range<usize>> {
    let wanted: BTreeSet<&[u8]> = secret.windows(PIECE).collect();
    // Listings have megabytes, and hardly any two bytes in them begin a piece.
    let pair = |window: &[u8]| match window {
        [first, second, ..] => usize::from(*first) << 8 | usize::from(*second),
        _ => 0,
    };
    let mut begins = vec![false; 1 << 16];
    for window in &wanted {
        if let Some(begins) = begins.get_mut(pair(window)) {
            *begins = true;
        }
    }
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, window) in bytes.windows(PIECE).enumerate() {
        if begins.get(pair(window)) != Some(&true) || !wanted.contains(window) {
            continue;
        }
        match found.last_mut() {
            Some(last) if at <= last.end => last.end = at + PIECE,
            _ => found.push(at..at + PIECE),
        }
    }
    found
}

/// The character itself, or a blank where it could steer a terminal or turn a line around.
fn harmless(c: char) -> char {
    let steers = matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if c.is_control() || steers { ' ' } else { c }
}

fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}

fn key_like(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '%' | '-')
}

/// Hides what follows `signature=` (or `signature":"` and the like), whatever its length.
fn hide_signatures(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(found) = lower.get(from..).and_then(|rest| rest.find("signature")) {
        let word_end = from + found + "signature".len();
        let rest = text.get(word_end..).unwrap_or_default();
        let gap = rest.len() - rest.trim_start_matches(['=', '"', ':', '\'', ' ', '\\']).len();
        let named = rest.get(..gap).is_some_and(|gap| gap.contains(['=', ':']));
        let value = rest.get(gap..).unwrap_or_default();
        let value_len = value.find(|c| !key_like(c)).unwrap_or(value.len());
        let value_end = if named { word_end + gap + value_len } else { word_end };
        shown.push_str(text.get(from..word_end).unwrap_or_default());
        if named {
            shown.push_str(rest.get(..gap).unwrap_or_default());
            shown.push_str(HIDDEN);
        }
        from = value_end;
    }
    shown.push_str(text.get(from..).unwrap_or_default());
    shown
}

/// Hides every run of key-like characters that is too long to be an ordinary word.
fn hide_runs(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().map(Some).chain([None]) {
        match c {
            Some(c) if key_like(c) => run.push(c),
            other => {
                let long = run.chars().count() > SHOWN_RUN;
                shown.push_str(if long { HIDDEN } else { &run });
                run.clear();
                shown.extend(other);
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_cannot_steer_a_terminal() {
        assert_eq!(message("a\u{1b}[2Jb\nc\u{202e}d\u{9b}e"), "a [2Jb c d e");
        assert_eq!(word("币安\u{0}人生"), "币安 人生");
    }

    #[test]
    fn messages_are_cut_and_ordinary_ones_stay_whole() {
        let plain = "Timestamp for this request is outside of the recvWindow.";
        assert_eq!(message(plain), plain);
        assert_eq!(message(&"ab ".repeat(500)).chars().count(), MESSAGE_CHARS + 1);
        assert_eq!(word(&"x".repeat(99)).len(), WORD_CHARS);
    }

    #[test]
    fn echoed_keys_and_signatures_are_hidden() {
        let key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
        for echo in [
            format!("bad key {key}!"),
            format!("X-MBX-APIKEY: {key}"),
            "q=1&signature=3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9 end".into(),
            "\"Signature\":\"ab12\"".into(),
            "signature%3Dsignature=Zm9v%2Bbar%3D%3D".into(),
        ] {
            let shown = message(&echo);
            for secret in [key, "3c661234", "ab12", "Zm9v"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
        assert_eq!(
            message("Signature for this request is not valid."),
            "Signature for this request is not valid."
        );
        assert_eq!(message("order rb17c2e9a0001fa3c07o"), "order rb17c2e9a0001fa3c07o");
    }

    #[test]
    fn a_secret_is_hidden_whole_cut_short_and_in_pieces() {
        let key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
        let hidden = |text: &str| String::from_utf8(without(text.as_bytes(), key).into_owned()).unwrap();
        for (said, shown) in [
            (format!("key {key} is bad"), "key [hidden] is bad"),
            (format!("{key}{key}"), "[hidden]"),
            (format!("begins with {}…", &key[..8]), "begins with [hidden]…"),
            (format!("ends in {}", &key[56..]), "ends in [hidden]"),
            (format!("{} and {}", &key[..24], &key[24..]), "[hidden] and [hidden]"),
            (format!("x{}y{}z", &key[10..20], &key[30..39]), "x[hidden]y[hidden]z"),
            (format!("{}\\/{}", &key[..30], &key[30..]), "[hidden]\\/[hidden]"),
        ] {
            assert_eq!(hidden(&said), shown);
            assert!((0..=56).all(|at| !hidden(&said).contains(&key[at..at + 8])));
        }
        // Seven characters are a word like any other, and so is a secret of seven.
        for said in [&key[..7], "Invalid API-key, IP, or permissions for action.", "", "币安人生"] {
            assert!(matches!(without(said.as_bytes(), key), Cow::Borrowed(_)), "{said}");
        }
        assert_eq!(*without(b"the sim says", "sim"), *b"the sim says");
        assert_eq!(*without(b"key=abcdefgh", "abcdefgh"), *b"key=[hidden]");
    }
}
