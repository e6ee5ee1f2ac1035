//! The bot: one message or one document at a time, each sent once.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};

use super::{SetupError, address};
use crate::net;
use crate::wire::telegram::{self, DOCUMENT_BYTES, Form, MESSAGE_UNITS, Refusal};
use crate::wire::text;

/// How long a message that somebody waits for may take; alerts have their own budget.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an upload may take.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(120);

/// Where the bot is and whom it writes to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://api.telegram.org`; plain http only on loopback.
    pub api_url: String,
    /// `123456789:AAE…`.
    pub token: SecretString,
    /// A number, or `@channel`.
    pub chat_id: String,
}

/// Why something was not delivered, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No answer. It may have arrived all the same.
    #[error("Telegram did not answer: {0}")]
    NoAnswer(String),
    /// It said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Telegram takes no document of this size.
    #[error("the document has {0} bytes, Telegram takes at most {DOCUMENT_BYTES}")]
    TooLarge(usize),
}

/// One bot and one chat.
pub struct Telegram {
    client: Client,
    /// Scheme, host, port and path, without the token.
    base: String,
    token: SecretString,
    chat_id: String,
}

impl Telegram {
    /// Checks address and token. Opens nothing yet.
    ///
    /// # Errors
    /// An address that must not be spoken to, or something that is no token.
    pub fn new(settings: Settings) -> Result<Telegram, SetupError> {
        let address = address("telegram.api_url", &settings.api_url)?;
        // It becomes a part of a path: whatever is not a token must not lead somewhere else.
        if !is_token(settings.token.expose_secret()) {
            return Err(SetupError::BadToken);
        }
        let client = net::client(UPLOAD_PATIENCE, 1, address.is_plain()).map_err(SetupError::Http)?;
        let base = address.origin + &address.path;
        Ok(Telegram { client, base, token: settings.token, chat_id: settings.chat_id })
    }

    /// Sends one text of at most 4096 UTF-16 units, once, within a time.
    ///
    /// # Errors
    /// Nothing says that it was delivered.
    pub async fn send(&self, text: &str, form: Form, within: Duration) -> Result<(), SendError> {
        let body = telegram::message(&self.chat_id, text, form);
        let request = self.request("sendMessage").header("content-type", "application/json").body(body);
        self.answer(request.timeout(within)).await
    }

    /// Sends a file, such as the week's report. The caption is plain text and is cut at 1024 units.
    ///
    /// # Errors
    /// Nothing says that it was delivered.
    pub async fn send_document(&self, name: &str, bytes: &[u8], caption: &str) -> Result<(), SendError> {
        if bytes.len() > DOCUMENT_BYTES {
            return Err(SendError::TooLarge(bytes.len()));
        }
        let (kind, body) = telegram::document(&self.chat_id, name, bytes, caption);
        let request = self.request("sendDocument").header("content-type", kind).body(body);
        self.answer(request.timeout(UPLOAD_PATIENCE)).await
    }

    /// Sends a plain text that says that messages arrive: for `init` and `doctor`.
    ///
    /// # Errors
    /// Why they do not, with what to do.
    pub async fn test(&self, text: &str) -> Result<(), SendError> {
        for piece in telegram::split(text, Form::Plain, MESSAGE_UNITS) {
            self.send(&piece, Form::Plain, PATIENCE).await?;
        }
        Ok(())
    }

    /// Asks whether the bot and its chat exist. Sends nothing to anybody.
    ///
    /// # Errors
    /// Which of the two does not, with what to do.
    pub async fn reach(&self) -> Result<(), SendError> {
        for (method, body) in [("getMe", "{}".to_owned()), ("getChat", telegram::chat(&self.chat_id))] {
            let request = self.request(method).header("content-type", "application/json").body(body);
            self.answer(request.timeout(PATIENCE)).await?;
        }
        Ok(())
    }

    fn request(&self, method: &str) -> RequestBuilder {
        self.client.post(format!("{}/bot{}/{method}", self.base, self.token.expose_secret()))
    }

    async fn answer(&self, request: RequestBuilder) -> Result<(), SendError> {
        let answer = net::answer(request).await;
        let answer = answer.map_err(|failure| SendError::NoAnswer(self.hidden(&failure.detail())))?;
        // A server may say the token back.
        let body = text::without(&answer.body, self.token.expose_secret());
        Ok(telegram::read(answer.status, &body)?)
    }

    fn hidden(&self, said: &str) -> String {
        String::from_utf8_lossy(&text::without(said.as_bytes(), self.token.expose_secret())).into_owned()
    }
}

/// Digits, a colon, and letters of which Telegram promises nothing but their kind.
fn is_token(text: &str) -> bool {
    let secret = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    text.split_once(':').is_some_and(|(bot, rest)| {
        !bot.is_empty()
            && bot.chars().all(|c| c.is_ascii_digit())
            && (16..=128).contains(&rest.len())
            && rest.chars().all(secret)
    })
}
