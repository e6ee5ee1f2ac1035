//! Where a secret is found: the only thing a configuration may say of it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a secret is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In an environment variable.
    Environment(String),
    /// In a file of our own that nobody else may read.
    File(PathBuf),
    /// In a file that systemd provides (`LoadCredential=`).
    Systemd(String),
}

/// A text that is no location. Does not carry it: it may be the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must say where the secret is, never the secret itself: env:NAME, file:PATH or systemd:NAME \
     (the value is not shown here)"
)]
pub struct NotALocation;

/// Longest name of a variable; an API key of 64 letters is no name.
const MAX_NAME: usize = 60;

impl FromStr for Location {
    type Err = NotALocation;

    fn from_str(text: &str) -> Result<Location, NotALocation> {
        let (kind, place) = text.split_once(':').ok_or(NotALocation)?;
        if place.is_empty() || place.len() > 4096 || place.chars().any(char::is_control) {
            return Err(NotALocation);
        }
        match kind {
            "env" if is_name(place, "_") && !place.starts_with(|c: char| c.is_ascii_digit()) => {
                Ok(Location::Environment(place.to_owned()))
            }
            "file" if place.starts_with(['/', '~', '.', '\\']) || !looks_secret(place) => {
                Ok(Location::File(PathBuf::from(place)))
            }
            "systemd" if is_name(place, "_-.") && !place.starts_with('.') => {
                Ok(Location::Systemd(place.to_owned()))
            }
            _ => Err(NotALocation),
        }
    }
}

fn is_name(text: &str, extra: &str) -> bool {
    text.len() <= MAX_NAME && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

/// Whether a text more likely holds a key, token, password or PEM than a word, path or address.
#[must_use]
pub(crate) fn looks_secret(text: &str) -> bool {
    let dense = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '=' | '_' | '-' | ':');
    let long_run = text.split(|c| !dense(c)).any(|run| {
        run.len() >= 32
            && run.chars().any(|c| c.is_ascii_digit())
            && run.chars().any(|c| c.is_ascii_alphabetic())
    });
    let password = text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    long_run || password || text.contains("-----BEGIN") || text.contains("PRIVATE KEY")
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Environment(name) => write!(f, "env:{name}"),
            Location::File(path) => write!(f, "file:{}", path.display()),
            Location::Systemd(name) => write!(f, "systemd:{name}"),
        }
    }
}

impl Serialize for Location {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Location {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Location, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_pass_and_secrets_do_not() {
        for text in
            ["env:REBAL_API_KEY", "file:/home/me/.config/rebal/key", "file:key.pem", "systemd:api-key"]
        {
            assert_eq!(text.parse::<Location>().map(|place| place.to_string()), Ok(text.to_owned()));
        }
        for text in [
            "",
            "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
            "env:vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
            "file:vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
            "systemd:vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
            "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
            "env:110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
            "-----BEGIN PRIVATE KEY-----",
            "env:",
            "env:A B",
            "env:1A",
            "file:",
            "file:a\nb",
            "systemd:../x",
            "systemd:.x",
            "ENV:NAME",
        ] {
            assert_eq!(text.parse::<Location>(), Err(NotALocation), "{text}");
        }
    }
}
