//! Which sector a coin belongs to: the owner's word, a table of facts, the screener's categories, the
//! exchange's tags.

mod file;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Serialize, Serializer};

use crate::domain::rules::Rules;

pub use crate::decide::sector::file::{OverrideError, read_overrides};

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

/// Who says which sector a coin belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The owner's file.
    Override,
    /// The table that rebal comes with.
    Table,
    /// The screener's categories.
    Categories,
    /// The exchange's tags.
    Tags,
    /// Nobody: it is OTHER for want of knowledge.
    Nobody,
}

impl Origin {
    /// The word used in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Override => "override",
            Origin::Table => "table",
            Origin::Categories => "categories",
            Origin::Tags => "tags",
            Origin::Nobody => "unknown",
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Everything that is known about sectors, the most trusted first.
#[derive(Clone, Debug, Default)]
pub struct Sectors {
    overrides: BTreeMap<String, Sector>,
    categories: BTreeMap<String, Vec<String>>,
}

impl Sectors {
    /// The table that rebal comes with, and the exchange's tags.
    #[must_use]
    pub fn builtin() -> Sectors {
        Sectors::default()
    }

    /// The same where the owner's file says otherwise, by coin or contract (see [`read_overrides`]).
    #[must_use]
    pub fn with_overrides(self, overrides: BTreeMap<String, Sector>) -> Sectors {
        Sectors { overrides, ..self }
    }

    /// The same with a screener's category slugs, by coin without its multiplier.
    #[must_use]
    pub fn with_categories(self, categories: BTreeMap<String, Vec<String>>) -> Sectors {
        Sectors { categories, ..self }
    }

    /// The sector of a contract's coin, and who says so.
    #[must_use]
    pub fn of(&self, rules: &Rules) -> (Sector, Origin) {
        self.of_coin(rules.symbol.as_str(), &rules.base, &rules.quote, &rules.tags)
    }

    /// The same of a contract of which nothing but its name is known.
    #[must_use]
    pub fn of_coin(&self, contract: &str, coin: &str, quote: &str, tags: &[String]) -> (Sector, Origin) {
        let categories = || words::of_categories(self.slugs(coin)).map(|sector| (sector, Origin::Categories));
        let tagged = || words::of_tags(tags).map(|sector| (sector, Origin::Tags));
        self.known(contract, coin, quote)
            .or_else(categories)
            .or_else(tagged)
            .unwrap_or((Sector::Other, Origin::Nobody))
    }

    /// What a coin is instead of one whose price can rise: `a stablecoin`, `a wrapped token`; `None`
    /// for a coin. The screener is believed only of coins that neither the owner nor the table
    /// knows: it puts the issuers of stablecoins among them.
    #[must_use]
    pub fn pegged(&self, rules: &Rules) -> Option<&'static str> {
        let builtin = words::pegged_coin(&rules.base);
        let known = || self.known(rules.symbol.as_str(), &rules.base, &rules.quote).is_some();
        builtin.or_else(|| words::pegged_category(self.slugs(&rules.base)).filter(|_| !known()))
    }

    fn known(&self, contract: &str, coin: &str, quote: &str) -> Option<(Sector, Origin)> {
        let one = one_of(coin);
        let one_in_quote = format!("{one}{quote}");
        let said = |name: &str| self.overrides.get(name).copied();
        said(contract)
            .or_else(|| said(coin))
            .or_else(|| said(one))
            .or_else(|| said(&one_in_quote))
            .map(|sector| (sector, Origin::Override))
            .or_else(|| BY_COIN.get(one).map(|sector| (*sector, Origin::Table)))
    }

    fn slugs(&self, coin: &str) -> &[String] {
        self.categories.get(one_of(coin)).map_or(&[], Vec::as_slice)
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
pub(crate) fn one_of(coin: &str) -> &str {
    let counted = |multiplier: &str| {
        coin.strip_prefix(multiplier).filter(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    ["1000000", "1000", "1M"].into_iter().find_map(counted).unwrap_or(coin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rules::tests::plain;

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

    fn tagged(name: &str, tags: &[&str]) -> Rules {
        Rules { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), ..plain(name) }
    }

    fn slugs(rows: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let own = |slugs: &&[&str]| slugs.iter().map(|slug| (*slug).to_owned()).collect();
        rows.iter().map(|(coin, slugs)| ((*coin).to_owned(), own(slugs))).collect()
    }

    #[test]
    fn the_most_trusted_source_that_knows_a_coin_decides() {
        let categories: &[(&str, &[&str])] = &[
            ("ETH", &["memecoins"]),
            ("NEWCAT", &["memecoins", "layer-1"]),
            ("NEWER", &["made-in-china", "gaming", "layer-1"]),
            ("DULL", &["made-in-america", "education"]),
        ];
        let sectors = Sectors::builtin()
            .with_overrides(
                [
                    ("BTC".to_owned(), Sector::L1L2),
                    ("MEPEPEUSDT".to_owned(), Sector::Ai),
                    ("SHIB".to_owned(), Sector::Rwa),
                    ("1000BONK".to_owned(), Sector::Rwa),
                ]
                .into(),
            )
            .with_categories(slugs(categories));
        for (name, tags, sector, origin) in [
            ("BTCUSDT", &["PoW"][..], "L1/L2", Origin::Override),
            ("MEPEPEUSDT", &[], "AI", Origin::Override),
            ("1000MEPEPEUSDT", &[], "AI", Origin::Override),
            ("1000SHIBUSDT", &[], "RWA", Origin::Override),
            ("1000BONKUSDT", &[], "RWA", Origin::Override),
            ("ETHUSDT", &["Meme"], "L1/L2", Origin::Table),
            ("1000PEPEUSDT", &["AI"], "MEME", Origin::Table),
            ("1000NEWCATUSDT", &["AI"], "MEME", Origin::Categories),
            ("NEWERUSDT", &[], "GAMEFI", Origin::Categories),
            ("DULLUSDT", &["HOT", "Storage"], "INFRA", Origin::Tags),
            ("NOBODYUSDT", &["Layer-2"], "L1/L2", Origin::Tags),
            ("NOBODYUSDT", &["USDC", "hot", "Crypto"], "OTHER", Origin::Nobody),
        ] {
            let (found, from) = sectors.of(&tagged(name, tags));
            assert_eq!((found.as_str(), from), (sector, origin), "{name}");
        }
    }

    #[test]
    fn what_is_pegged_is_no_coin() {
        let categories: &[(&str, &[&str])] = &[
            ("NEWUSD", &["cryptocurrencies", "fiat-stablecoins"]),
            ("XBTC", &["wrapped-tokens"]),
            ("ENA", &["stablecoins"]),
            ("OWNED", &["stablecoins"]),
            ("SOL", &["layer-1"]),
        ];
        let sectors = Sectors::builtin()
            .with_overrides([("OWNED".to_owned(), Sector::Defi)].into())
            .with_categories(slugs(categories));
        for (name, pegged) in [
            ("USDCUSDT", Some("a stablecoin")),
            ("NEWUSDUSDT", Some("a stablecoin")),
            ("XBTCUSDT", Some("a wrapped token")),
            ("WBETHUSDT", Some("a wrapped token")),
            ("ENAUSDT", None),
            ("OWNEDUSDT", None),
            ("SOLUSDT", None),
            ("NOBODYUSDT", None),
        ] {
            assert_eq!(sectors.pegged(&tagged(name, &[])), pegged, "{name}");
        }
    }
}
