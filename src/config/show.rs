//! The effective values, for people and as a fingerprint.

use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::config::layers::value_at;
use crate::config::sections::Config;
use crate::config::{Loaded, Origin};

/// One effective value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Dotted.
    pub key: String,
    /// As it would be written in a file; the path of the heartbeat's address is hidden.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl Loaded {
    /// Every key with its effective value and where that came from, sorted by key.
    #[must_use]
    pub fn effective(&self) -> Vec<Effective> {
        let table = table_of(&self.config);
        let row = |(key, origin): (&String, &Origin)| Effective {
            key: key.clone(),
            value: match (key.as_str(), &self.config.heartbeat.url) {
                ("heartbeat.url", Some(url)) => format!("{:?}", format!("{}/…", url.host())),
                _ => value_at(&table, key).map(plain).unwrap_or_default(),
            },
            origin: origin.clone(),
        };
        self.origins.iter().map(row).collect()
    }
}

impl Config {
    /// SHA-256, in hex, of all that a plan may depend on: everything but where secrets are found and
    /// where messages go. Equal values give equal fingerprints however they were written.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut table = table_of(self);
        for section in ["credentials", "telegram", "heartbeat"] {
            table.remove(section);
        }
        // Keys are sorted and every value has one spelling, so the text is canonical.
        let digest = Sha256::digest(Value::Table(table).to_string());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

pub(crate) fn table_of(config: &Config) -> Table {
    Table::try_from(config).unwrap_or_default()
}

/// Numbers bare, words quoted, lists and maps inline.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.parse::<crate::domain::num::Rate>().is_ok() => text.clone(),
        Value::Table(table) => {
            let pairs: Vec<String> =
                table.iter().map(|(key, value)| format!("{key} = {}", plain(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}
