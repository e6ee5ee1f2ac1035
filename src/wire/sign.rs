//! Parameters become one encoded text, and a secret becomes its signature.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Signs requests. Holds the secret; shows nothing of it.
pub struct Signer {
    key: Key,
}

enum Key {
    Hmac(SecretString),
    Ed25519(Box<SigningKey>),
    Rsa(Box<RsaKeyPair>),
}

/// Why a secret cannot sign. Never quotes the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Nothing there.
    #[error("the API secret is empty")]
    Empty,
    /// A public key or certificate was given.
    #[error("the API secret is a PEM file, but not of a private key")]
    NotPrivate,
    /// Encrypted with a passphrase.
    #[error("the private key is protected by a passphrase; store it without one, readable only by its owner")]
    Encrypted,
    /// PEM that does not hold a key this program can sign with.
    #[error("the private key is neither an Ed25519 nor an RSA (2048 bits or more) key in PKCS#8 form")]
    BadKey,
    /// The signature could not be computed.
    #[error("the request could not be signed")]
    Failed,
}

impl Signer {
    /// Reads a secret: a PEM private key (Ed25519 or RSA, PKCS#8), or else the HMAC secret itself.
    ///
    /// Blanks around it are ignored, and `\n` written as two characters counts as a line end, as
    /// environment files often hold it.
    pub fn new(secret: &SecretString) -> Result<Signer, SignError> {
        let text = secret.expose_secret().trim();
        if text.is_empty() {
            return Err(SignError::Empty);
        }
        let key = match text.strip_prefix("-----BEGIN") {
            Some(rest) => read_pem(rest)?,
            None => Key::Hmac(SecretString::from(text)),
        };
        Ok(Signer { key })
    }

    /// The secret, where the exchange knows it too and could repeat it; a private key never left here.
    #[must_use]
    pub fn shared(&self) -> Option<&SecretString> {
        match &self.key {
            Key::Hmac(secret) => Some(secret),
            Key::Ed25519(_) | Key::Rsa(_) => None,
        }
    }

    /// The algorithm, for people.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Hmac(_) => "HMAC-SHA256",
            Key::Ed25519(_) => "Ed25519",
            Key::Rsa(_) => "RSA-SHA256",
        }
    }

    /// The signature of `payload`, percent-encoded where it needs to be: lower-case hex for HMAC,
    /// base64 otherwise.
    pub fn sign(&self, payload: &str) -> Result<String, SignError> {
        match &self.key {
            Key::Hmac(secret) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
                    .map_err(|_| SignError::Failed)?;
                mac.update(payload.as_bytes());
                Ok(mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
            }
            Key::Ed25519(key) => {
                let signature = key.try_sign(payload.as_bytes()).map_err(|_| SignError::Failed)?;
                Ok(encode(&STANDARD.encode(signature.to_bytes())))
            }
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), payload.as_bytes(), &mut signature)
                    .map_err(|_| SignError::Failed)?;
                Ok(encode(&STANDARD.encode(signature)))
            }
        }
    }

    /// `params` encoded, with their signature appended last.
    pub fn sign_params(&self, params: &[(&str, &str)]) -> Result<String, SignError> {
        let payload = join(params);
        let signature = self.sign(&payload)?;
        Ok(format!("{payload}&signature={signature}"))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, secret hidden)", self.algorithm())
    }
}

/// Everything but RFC 3986 "unreserved" is escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// `value` percent-encoded as RFC 3986 says.
#[must_use]
pub fn encode(value: &str) -> String {
    utf8_percent_encode(value, ESCAPED).to_string()
}

/// `name=value` pairs, encoded and joined with `&`: the bytes that are signed and sent.
#[must_use]
pub fn join(params: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        params.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// Reads what follows `-----BEGIN`.
fn read_pem(rest: &str) -> Result<Key, SignError> {
    let (label, body) = rest.trim_start().split_once("-----").ok_or(SignError::BadKey)?;
    let body = body.split("-----").next().unwrap_or_default();
    match label {
        "PRIVATE KEY" | "RSA PRIVATE KEY" => {}
        "ENCRYPTED PRIVATE KEY" => return Err(SignError::Encrypted),
        other if other.ends_with("PRIVATE KEY") => return Err(SignError::BadKey),
        _ => return Err(SignError::NotPrivate),
    }
    let body = Zeroizing::new(body.replace("\\n", "").replace("\\r", ""));
    let base64: Zeroizing<String> =
        Zeroizing::new(body.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    let der = Zeroizing::new(STANDARD.decode(base64.as_bytes()).map_err(|_| SignError::BadKey)?);
    if label == "RSA PRIVATE KEY" {
        let key = RsaKeyPair::from_der(&der).map_err(|_| SignError::BadKey)?;
        return Ok(Key::Rsa(Box::new(key)));
    }
    if let Ok(key) = SigningKey::from_pkcs8_der(&der) {
        return Ok(Key::Ed25519(Box::new(key)));
    }
    let key = RsaKeyPair::from_pkcs8(&der).map_err(|_| SignError::BadKey)?;
    Ok(Key::Rsa(Box::new(key)))
}

#[cfg(test)]
#[path = "sign_tests.rs"]
mod tests;
