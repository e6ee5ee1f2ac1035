//! Which sector a coin belongs to: a table of facts, by coin.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Serialize, Serializer};

/// What a coin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sector {
    /// Artificial intelligence.
    Ai,
    /// Jokes.
    Meme,
    /// Chains, of the first and of the second layer.
    L1L2,
    /// Real-world assets.
    Rwa,
    /// Decentralised finance.
    Defi,
    /// Games, metaverses, collectibles.
    Gamefi,
    /// Oracles, bridges, storage, identity.
    Infra,
    /// Money and privacy.
    Payment,
    /// Everything else, and what the table does not know.
    Other,
}

impl Sector {
    /// Every sector.
    pub const ALL: [Sector; 9] = [
        Sector::Ai,
        Sector::Meme,
        Sector::L1L2,
        Sector::Rwa,
        Sector::Defi,
        Sector::Gamefi,
        Sector::Infra,
        Sector::Payment,
        Sector::Other,
    ];

    /// The word used in reports and in sector files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Sector::Ai => "AI",
            Sector::Meme => "MEME",
            Sector::L1L2 => "L1/L2",
            Sector::Rwa => "RWA",
            Sector::Defi => "DEFI",
            Sector::Gamefi => "GAMEFI",
            Sector::Infra => "INFRA",
            Sector::Payment => "PAYMENT",
            Sector::Other => "OTHER",
        }
    }
}

impl fmt::Display for Sector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Sector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A word that names no sector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no sector {0:?}: AI, MEME, L1/L2, RWA, DEFI, GAMEFI, INFRA, PAYMENT or OTHER")]
pub struct NoSuchSector(pub String);

impl FromStr for Sector {
    type Err = NoSuchSector;
    /// Takes the layers one by one too: `L1` and `L2` are one sector.
    fn from_str(text: &str) -> Result<Sector, NoSuchSector> {
        match text {
            "L1" | "L2" => Ok(Sector::L1L2),
            word => Sector::ALL
                .into_iter()
                .find(|sector| sector.as_str() == word)
                .ok_or_else(|| NoSuchSector(text.chars().take(40).collect())),
        }
    }
}

/// `symbol,sector` under a head, symbols being contracts in USDT.
const TABLE: &str = include_str!("sectors.csv");

static BY_COIN: LazyLock<BTreeMap<&'static str, Sector>> = LazyLock::new(|| {
    let row = |line: &'static str| {
        let (symbol, sector) = line.split_once(',')?;
        Some((one_of(symbol.strip_suffix("USDT").unwrap_or(symbol)), sector.trim().parse().ok()?))
    };
    TABLE.lines().skip(1).filter_map(row).collect()
});

/// The sector of a coin, with or without its contract's multiplier: `BTC`, `PEPE`, `1000PEPE`.
#[must_use]
pub fn of(coin: &str) -> Sector {
    BY_COIN.get(one_of(coin)).copied().unwrap_or(Sector::Other)
}

/// One coin of a contract that counts in thousands or millions: `PEPE` of `1000PEPE`, while
/// `1INCH` and `0G` are called so.
fn one_of(coin: &str) -> &str {
    let counted = |multiplier: &str| {
        coin.strip_prefix(multiplier).filter(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    ["1000000", "1000", "1M"].into_iter().find_map(counted).unwrap_or(coin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coins_are_found_with_and_without_their_multiplier() {
        for (coin, sector) in [
            ("BTC", "PAYMENT"),
            ("ETH", "L1/L2"),
            ("ARB", "L1/L2"),
            ("PEPE", "MEME"),
            ("1000PEPE", "MEME"),
            ("1000000MOG", "MEME"),
            ("1MBABYDOGE", "MEME"),
            ("BABYDOGE", "MEME"),
            ("1INCH", "DEFI"),
            ("0G", "AI"),
            ("币安人生", "OTHER"),
            ("NEVERHEARD", "OTHER"),
            ("1000", "OTHER"),
            ("", "OTHER"),
        ] {
            assert_eq!(of(coin).as_str(), sector, "{coin}");
        }
    }

    #[test]
    fn every_row_of_the_table_counts() {
        let rows = TABLE.lines().skip(1);
        assert_eq!(BY_COIN.len(), rows.clone().count());
        for row in rows {
            let sector = row.split_once(',').unwrap().1;
            assert!(sector.parse::<Sector>().is_ok(), "{row}");
        }
        for sector in Sector::ALL {
            assert!(BY_COIN.values().any(|of| *of == sector), "{sector}");
            assert_eq!(sector.to_string().parse(), Ok(sector));
        }
        assert!("l1".parse::<Sector>().is_err());
    }
}
