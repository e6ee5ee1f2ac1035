//! Telegram's Bot API: messages and documents as it wants them, and what its answers mean.
//!
//! Limits are counted in UTF-16 units, as Telegram counts them. Nothing here knows the bot's token.

use std::time::Duration;

use serde_json::{Value, json};

use crate::wire::json::{self, Json};
use crate::wire::text;

/// The most UTF-16 units of one message.
pub const MESSAGE_UNITS: usize = 4096;
/// The most UTF-16 units of a document's caption.
pub const CAPTION_UNITS: usize = 1024;
/// The largest document, in bytes.
pub const DOCUMENT_BYTES: usize = 50_000_000;

/// A 429 that does not say for how long.
const USUAL_PAUSE: Duration = Duration::from_secs(60);
/// A longer pause than this is a slip of the server, and would silence the owner's alerts.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(86_400);

/// How a message's text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Telegram's few HTML tags; everything else in it is escaped.
    Html,
    /// As it stands.
    Plain,
}

/// The JSON body of `sendMessage`. Links are not looked up: an error may hold one.
#[must_use]
pub fn message(chat_id: &str, text: &str, form: Form) -> String {
    let mut body = json!({
        "chat_id": chat_id,
        "text": text,
        "link_preview_options": {"is_disabled": true},
    });
    if let (Form::Html, Value::Object(fields)) = (form, &mut body) {
        fields.insert("parse_mode".into(), "HTML".into());
    }
    body.to_string()
}

/// The JSON body of `getChat`.
#[must_use]
pub fn chat(chat_id: &str) -> String {
    json!({ "chat_id": chat_id }).to_string()
}

/// The body of `sendDocument` as `multipart/form-data`, and its content type. The caption is plain text.
///
/// The boundary is the first of its kind that neither file nor caption contains.
#[must_use]
pub fn document(chat_id: &str, name: &str, bytes: &[u8], caption: &str) -> (String, Vec<u8>) {
    let taken = |boundary: &str| {
        caption.contains(boundary) || bytes.windows(boundary.len()).any(|part| part == boundary.as_bytes())
    };
    let mut number = 0_u64;
    let boundary = loop {
        let boundary = format!("rebal-document-{number:016x}");
        if !taken(&boundary) {
            break boundary;
        }
        number += 1;
    };
    let caption = first_units(caption, CAPTION_UNITS);
    let mut body = Vec::with_capacity(bytes.len() + 1024);
    for (field, value) in [("chat_id", chat_id), ("caption", caption)] {
        if !value.is_empty() {
            let part = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
            );
            body.extend_from_slice(part.as_bytes());
        }
    }
    let name = file_name(name);
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"document\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// A name that cannot end its header or leave its folder.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name: String = name.chars().take(100).map(plain).collect();
    if name.is_empty() { "document".into() } else { name }
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 401, or 404 for a token that never was one.
    #[error(
        "Telegram does not know this bot token: take a new one from @BotFather (/token) and put it where \
         telegram.token points"
    )]
    Revoked,
    /// There is no such chat, or the bot was never let into it.
    #[error(
        "Telegram finds no such chat ({0}): press Start in the bot's chat, or let the bot into the group, \
         and check telegram.chat_id"
    )]
    NoChat(String),
    /// 403: the owner blocked the bot, or it was thrown out.
    #[error("Telegram may not write to the chat ({0}): unblock the bot, or let it into the group again")]
    Blocked(String),
    /// The group has another number now.
    #[error("the group became a supergroup: set telegram.chat_id = \"{0}\"")]
    Moved(i64),
    /// 429: nothing before this long has passed.
    #[error("Telegram wants no message for {} s", .0.as_secs())]
    TooMany(Duration),
    /// Another 400: this very message will never be taken.
    #[error("Telegram refuses the message: {0}")]
    Bad(String),
    /// Anything else; it may go better next time.
    #[error("Telegram answered {status}: {said}")]
    Other {
        /// The HTTP status.
        status: u16,
        /// What it said, made harmless.
        said: String,
    },
}

/// Reads an answer to any method. A message counts as delivered only where Telegram says `ok`.
pub fn read(status: u16, body: &[u8]) -> Result<(), Refusal> {
    let parsed = json::parse("telegram", body).ok();
    let answer = match &parsed {
        Some(Json::Object(answer)) => Some(answer),
        _ => None,
    };
    let field = |name: &str| answer.and_then(|answer| answer.get(name));
    if (200..=299).contains(&status) && matches!(field("ok"), Some(Json::Bool(true))) {
        return Ok(());
    }
    let said = match field("description") {
        Some(Json::Text(said)) => text::message(said),
        _ => "nothing readable".into(),
    };
    let parameter = |name: &str| match field("parameters") {
        Some(Json::Object(parameters)) => match parameters.get(name) {
            Some(Json::Int(value)) => Some(*value),
            _ => None,
        },
        _ => None,
    };
    // The status is what a proxy between may change; Telegram's own code comes first.
    let code = match field("error_code") {
        Some(Json::Int(code)) => u16::try_from(*code).unwrap_or(status),
        _ => status,
    };
    // A web page under 401 or 404 comes from somebody else, and the token may be as good as ever.
    let is_telegram = field("ok").is_some();
    Err(match code {
        429 => {
            let asked = parameter("retry_after").and_then(|seconds| u64::try_from(seconds).ok());
            Refusal::TooMany(asked.map_or(USUAL_PAUSE, Duration::from_secs).min(LONGEST_PAUSE))
        }
        401 | 404 if is_telegram => Refusal::Revoked,
        403 if is_telegram => Refusal::Blocked(said),
        400 if is_telegram => match parameter("migrate_to_chat_id") {
            Some(chat) => Refusal::Moved(chat),
            // Telegram has one code for both; only its words tell them apart.
            None if said.contains("chat not found") => Refusal::NoChat(said),
            None => Refusal::Bad(said),
        },
        _ => Refusal::Other { status, said },
    })
}

/// `text` as messages of at most `most` units each, cut at line ends where there are any, never in a
/// tag, an entity or a character. Tags that are open at a cut are closed and opened again. Pieces
/// without anything to read are left out: Telegram refuses those.
#[must_use]
pub fn split(text: &str, form: Form, most: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let (mut rest, mut open) = (text, Vec::new());
    while !rest.is_empty() {
        let (cut, after) = fitting(rest, &open, form, most);
        let (piece, left) = rest.split_at(cut);
        pieces.push(format!("{}{piece}{}", opening(&open), closing(&after)));
        rest = left.strip_prefix('\n').unwrap_or(left);
        open = after;
    }
    pieces.retain(|piece| match form {
        Form::Html => !plain(piece).trim().is_empty(),
        Form::Plain => !piece.trim().is_empty(),
    });
    pieces
}

/// How many bytes of `rest` fit one message, and the tags that are open behind them.
fn fitting<'a>(rest: &'a str, open: &[&'a str], form: Form, most: usize) -> (usize, Vec<&'a str>) {
    let (mut at, mut units, mut stack) = (0, units(&opening(open)), open.to_vec());
    let (mut cut, mut line) = (None, None);
    while let Some(token) = token(rest.get(at..).unwrap_or_default(), form) {
        if token == "\n" && cut.is_some() {
            line = cut.clone();
        }
        (at, units) = (at + token.len(), units + self::units(token));
        if form == Form::Html && token.starts_with("</") {
            stack.pop();
        } else if form == Form::Html && token.starts_with('<') && token.ends_with('>') {
            stack.push(token);
        }
        if units + self::units(&closing(&stack)) <= most {
            cut = Some((at, stack.clone()));
        } else if units > most {
            // Whatever follows makes it no shorter.
            break;
        }
    }
    match (cut, line) {
        (Some((end, stack)), _) if end == rest.len() => (end, stack),
        (_, Some(line)) => line,
        (Some(cut), None) => cut,
        // Not even one token fits: only tags beyond all measure do that. Progress matters more.
        (None, None) => (token(rest, form).map_or(rest.len(), str::len), open.to_vec()),
    }
}

/// The next thing that must not be cut: a tag, an entity, a character.
fn token(text: &str, form: Form) -> Option<&str> {
    let first = text.chars().next()?;
    let end = match (form, first) {
        (Form::Html, '<') => text.find('>').map(|at| at + 1),
        (Form::Html, '&') => text.find(';').map(|at| at + 1).filter(|end| *end <= 10),
        _ => None,
    };
    text.get(..end.unwrap_or(first.len_utf8()))
}

fn opening(open: &[&str]) -> String {
    open.concat()
}

fn closing(open: &[&str]) -> String {
    let name = |tag: &&str| {
        let inner = tag.trim_start_matches('<').trim_end_matches('>');
        format!("</{}>", inner.split(' ').next().unwrap_or_default())
    };
    open.iter().rev().map(name).collect()
}

/// The same words without tags and entities, for where Telegram cannot read them.
#[must_use]
pub fn plain(html: &str) -> String {
    let (mut shown, mut rest) = (String::with_capacity(html.len()), html);
    while let Some(token) = token(rest, Form::Html) {
        match token {
            "&lt;" => shown.push('<'),
            "&gt;" => shown.push('>'),
            "&amp;" => shown.push('&'),
            "&quot;" => shown.push('"'),
            tag if tag.starts_with('<') && tag.ends_with('>') => {}
            other => shown.push_str(other),
        }
        rest = rest.get(token.len()..).unwrap_or_default();
    }
    shown
}

/// How long Telegram finds a text.
#[must_use]
pub fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

fn first_units(text: &str, most: usize) -> &str {
    let mut units = 0;
    let end = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > most
    });
    end.and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

#[cfg(test)]
#[path = "telegram_tests.rs"]
mod tests;
