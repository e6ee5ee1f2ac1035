//! Words from outside, made harmless: no control characters, no secrets, not too long.

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

/// `text` without `secret`, where the secret is long enough to be one.
#[must_use]
pub fn without(text: &str, secret: &str) -> String {
    if secret.len() < 8 { text.to_owned() } else { text.replace(secret, HIDDEN) }
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
        assert_eq!(without("key=abcdefgh", "abcdefgh"), "key=[hidden]");
    }
}
