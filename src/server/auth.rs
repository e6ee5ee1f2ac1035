//! Keys, signatures and timestamps, checked over the bytes as they came.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ed25519_dalek::{Signature, SigningKey, Verifier, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::num::Rate;
use crate::domain::num::kind::RateKind;
use crate::domain::time::Time;
use crate::server::params::Params;
use crate::sim::refusal::Refusal;

/// The widest accepted window.
const LONGEST_WINDOW_MS: i64 = 60_000;
const USUAL_WINDOW_MS: i64 = 5_000;
/// How far a timestamp may be ahead.
const AHEAD_MS: i64 = 1_000;

/// What signatures are checked with.
#[derive(Clone, Debug)]
pub(crate) enum Secret {
    Hmac(Vec<u8>),
    Ed25519(Box<VerifyingKey>),
}

impl Secret {
    /// An HMAC secret, or the PEM of an Ed25519 key, public or private.
    pub(crate) fn read(text: &str) -> io::Result<Secret> {
        let refuse = |detail: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("not an Ed25519 key: {detail}"))
        };
        let text = text.trim();
        if text.contains("PRIVATE KEY") {
            let key = SigningKey::from_pkcs8_pem(text).map_err(|error| refuse(&error))?;
            return Ok(Secret::Ed25519(Box::new(key.verifying_key())));
        }
        if text.contains("PUBLIC KEY") {
            let key = VerifyingKey::from_public_key_pem(text).map_err(|error| refuse(&error))?;
            return Ok(Secret::Ed25519(Box::new(key)));
        }
        Ok(Secret::Hmac(text.as_bytes().to_vec()))
    }

    fn verifies(&self, payload: &[u8], signature: &str) -> bool {
        match self {
            Secret::Hmac(key) => {
                let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
                mac.update(payload);
                unhex(signature).is_some_and(|tag| mac.verify_slice(&tag).is_ok())
            }
            Secret::Ed25519(key) => {
                let bytes = STANDARD.decode(signature).ok();
                let signature = bytes.and_then(|bytes| Signature::from_slice(&bytes).ok());
                signature.is_some_and(|signature| key.verify(payload, &signature).is_ok())
            }
        }
    }
}

/// Bytes of a hexadecimal text in either case.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(value(*high)? * 16 + value(*low)?),
        _ => None,
    };
    digits.chunks(2).map(byte).collect()
}

/// What is signed: query then body as they came, each without its `signature`, with nothing between.
pub(crate) fn payload(query: &str, body: &str) -> Vec<u8> {
    let mut signed = without_signature(query);
    signed.push_str(&without_signature(body));
    signed.into_bytes()
}

fn without_signature(raw: &str) -> String {
    let is_signature =
        |part: &&str| part.split_once('=').is_some_and(|(name, _)| name.eq_ignore_ascii_case("signature"));
    let kept: Vec<&str> = raw.split('&').filter(|part| !is_signature(part)).collect();
    kept.join("&")
}

/// The exchange's idea of now, and how much of a client's clock it forgives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Exchange time.
    pub(crate) now: Time,
    /// Milliseconds that a client may be ahead beyond the usual second: the time a frozen clock has
    /// stood still, in which the client's own went on.
    pub(crate) stood_ms: i64,
    /// How many times faster than the client's clock the exchange's runs, at least 1.
    pub(crate) speed: i64,
    /// Spot: timestamps may be in microseconds, windows may have decimals, and what is signed must
    /// have been percent-encoded.
    pub(crate) spot: bool,
}

/// Above this a timestamp is in microseconds.
const MICROSECONDS_FROM: i64 = 100_000_000_000_000;

/// Checks the key header.
pub(crate) fn check_key(known: &str, sent: Option<&str>) -> Result<(), Refusal> {
    match sent {
        None | Some("") => Err(Refusal::of(-2014)),
        Some(key) if key == known => Ok(()),
        Some(_) => Err(Refusal::of(-2015)),
    }
}

/// Checks the signature, then the timestamp.
pub(crate) fn check_signed(
    secret: &Secret,
    params: &Params,
    query: &str,
    body: &str,
    window: Window,
) -> Result<(), Refusal> {
    let stamp = params.need_int("timestamp")?;
    let signature = params.need("signature")?;
    let accepts = if window.spot { whole_ms(params)? } else { params.int("recvWindow")? };
    let accepts = accepts.unwrap_or(USUAL_WINDOW_MS);
    if !(1..=LONGEST_WINDOW_MS).contains(&accepts) {
        return Err(Refusal::saying(-1131, "recvWindow must be less than 60000."));
    }
    let signed = payload(query, body);
    if window.spot && !signed.iter().all(|byte| is_encoded(*byte)) || !secret.verifies(&signed, signature) {
        return Err(Refusal::of(-1022));
    }
    let stamp = if window.spot && stamp >= MICROSECONDS_FROM { stamp / 1000 } else { stamp };
    let now = window.now.ms();
    if stamp >= now + AHEAD_MS * window.speed + window.stood_ms {
        return Err(Refusal::saying(
            -1021,
            "Timestamp for this request was 1000ms ahead of the server's time.",
        ));
    }
    if now.saturating_sub(stamp) > accepts * window.speed {
        return Err(Refusal::saying(-1021, "Timestamp for this request is outside of the recvWindow."));
    }
    Ok(())
}

/// What is left of a text after percent-encoding, with what joins parameters.
fn is_encoded(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~%&=+".contains(&byte)
}

/// A window in milliseconds with up to three decimals, rounded up.
fn whole_ms(params: &Params) -> Result<Option<i64>, Refusal> {
    let Some(window) = params.amount::<RateKind>("recvWindow")? else { return Ok(None) };
    if window.decimals() > 3 {
        return Err(Refusal::of(-1111));
    }
    Ok(window.ceil_to(Rate::ONE).to_string().parse().ok().or(Some(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUTURES_SECRET: &str = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9";

    /// The vectors of `reference/binance.md` §1.3.
    #[test]
    fn published_signatures_verify_and_changed_bytes_do_not() {
        let secret = Secret::read(FUTURES_SECRET).unwrap();
        let all = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943";
        let signature = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9";
        assert!(secret.verifies(&payload(all, ""), signature));
        assert!(secret.verifies(&payload("", &format!("{all}&signature={signature}")), signature));
        assert!(secret.verifies(&payload(all, ""), &signature.to_uppercase()));
        assert!(!secret.verifies(&payload(&all.replace("9000", "9001"), ""), signature));
        let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC";
        let body = "quantity=1&price=9000&recvWindow=5000&timestamp=1591702613943";
        let signature = "30baaf0fab549bbeda7f5ef201898b34122da25fd23c646cac2c529aebe670a4";
        assert!(secret.verifies(&payload(query, body), signature), "no & at the join");
        let spot = Secret::read("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j").unwrap();
        let encoded = "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
        let signature = "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3";
        assert!(spot.verifies(&payload(encoded, ""), signature));
    }

    #[test]
    fn an_ed25519_key_verifies_from_either_half() {
        use ed25519_dalek::Signer;
        use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
        use ed25519_dalek::pkcs8::{EncodePrivateKey, EncodePublicKey};
        let key = SigningKey::from_bytes(&[7; 32]);
        let signature = STANDARD.encode(key.sign(b"a=1").to_bytes());
        let private = key.to_pkcs8_pem(LineEnding::LF).unwrap();
        let public = key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap();
        for pem in [private.as_str(), public.as_str()] {
            let secret = Secret::read(pem).unwrap();
            assert!(secret.verifies(b"a=1", &signature));
            assert!(!secret.verifies(b"a=2", &signature));
            assert!(!secret.verifies(b"a=1", "AAAA"));
        }
        assert!(Secret::read("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----").is_err());
    }

    #[test]
    fn timestamps_are_refused_on_either_side_of_the_window() {
        let secret = Secret::read("s").unwrap();
        let code = |stamp: i64, window: &str, stood_ms: i64, speed: i64| {
            let query = format!("timestamp={stamp}{window}");
            let mut mac = Hmac::<Sha256>::new_from_slice(b"s").unwrap();
            mac.update(query.as_bytes());
            let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            let query = format!("{query}&signature={hex}");
            let params = Params::read(&query, "").unwrap();
            let window = Window { now: Time::clamped(1_000_000), stood_ms, speed, spot: false };
            check_signed(&secret, &params, &query, "", window).map_or_else(|refusal| refusal.code, |()| 0)
        };
        for (stamp, window, stood, speed, expected) in [
            (1_000_000, "", 0, 1, 0),
            (1_000_999, "", 0, 1, 0),
            (1_001_000, "", 0, 1, -1021),
            (1_001_000, "", 500, 1, 0),
            (995_000, "", 0, 1, 0),
            (994_999, "", 0, 1, -1021),
            (994_999, "&recvWindow=6000", 0, 1, 0),
            (994_999, "", 0, 60, 0),
            (1_000_000, "&recvWindow=60001", 0, 1, -1131),
            (i64::MIN, "", 0, 1, -1021),
            (i64::MAX, "", 0, 1, -1021),
        ] {
            assert_eq!(code(stamp, window, stood, speed), expected, "{stamp} {window}");
        }
    }

    #[test]
    fn spot_takes_microseconds_and_decimals_and_wants_everything_encoded() {
        let secret = Secret::read("s").unwrap();
        let code = |query: &str, spot: bool| {
            let mut mac = Hmac::<Sha256>::new_from_slice(b"s").unwrap();
            mac.update(query.as_bytes());
            let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            let query = format!("{query}&signature={hex}");
            let params = Params::read(&query, "").unwrap();
            let now = Time::clamped(1_767_225_600_000);
            let window = Window { now, stood_ms: 0, speed: 1, spot };
            check_signed(&secret, &params, &query, "", window).map_or_else(|refusal| refusal.code, |()| 0)
        };
        for (query, spot, expected) in [
            ("timestamp=1767225600000000", true, 0),
            ("timestamp=1767225600000000", false, -1021),
            ("timestamp=1767225594999999", true, -1021),
            ("recvWindow=6000.5&timestamp=1767225594999999", true, 0),
            ("recvWindow=5000.1234&timestamp=1767225600000", true, -1111),
            ("recvWindow=60000.5&timestamp=1767225600000", true, -1131),
            ("recvWindow=60001&timestamp=1767225600000", true, -1131),
            ("symbols=%5B%22A%22%5D&timestamp=1767225600000", true, 0),
            ("symbols=[%22A%22]&timestamp=1767225600000", true, -1022),
            ("symbols=[%22A%22]&timestamp=1767225600000", false, 0),
        ] {
            assert_eq!(code(query, spot), expected, "{query} {spot}");
        }
    }
}
