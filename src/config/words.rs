//! The settings that take one of a few words.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::num::Rate;

/// Which money is at stake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// None: a simulated account.
    #[default]
    Paper,
    /// The exchange's play money.
    Testnet,
    /// Real money.
    Live,
}

impl Mode {
    /// The word used in files and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Paper => "paper",
            Mode::Testnet => "testnet",
            Mode::Live => "live",
        }
    }
}

/// Which market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Venue {
    /// Binance USDⓈ-M perpetual futures.
    #[default]
    BinanceUsdm,
    /// Binance spot.
    BinanceSpot,
}

impl Venue {
    /// The word used in files and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Venue::BinanceUsdm => "binance-usdm",
            Venue::BinanceSpot => "binance-spot",
        }
    }
}

/// Which strategy decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StrategyKind {
    /// The leveraged index.
    #[default]
    Basket,
    /// Fixed shares.
    Weights,
    /// Many small positions.
    Moonshot,
}

impl StrategyKind {
    /// The word used in files and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            StrategyKind::Basket => "basket",
            StrategyKind::Weights => "weights",
            StrategyKind::Moonshot => "moonshot",
        }
    }
}

/// What a target follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sizing {
    /// A fixed value per coin.
    #[default]
    Fixed,
    /// A share of equity.
    Equity,
}

/// How far back a coin outside its band is traded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RebalanceTo {
    /// To its target.
    #[default]
    Target,
    /// Half way from the edge of the band to the target.
    Half,
    /// To the edge of the band.
    Edge,
}

/// What happens to a coin that leaves the universe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExitPolicy {
    /// It is sold.
    #[default]
    Close,
    /// It is kept and left alone.
    Hold,
}

/// What a band is relative to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThresholdKind {
    /// The target share: 0.05 of a share of 0.20 is one point.
    #[default]
    Relative,
    /// The portfolio: 0.05 is five points.
    Absolute,
}

/// How positions share margin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarginMode {
    /// All positions stand on the whole account.
    #[default]
    Cross,
}

/// The kind of order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderStyle {
    /// A limit order bounded by the allowed slippage; what does not fill at once is cancelled.
    #[default]
    Ioc,
    /// A market order.
    Market,
}

/// Who ranks the candidates of a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RankSource {
    /// TradingView's screener; the exchange where that fails.
    #[default]
    Tradingview,
    /// The exchange's own 24 h quote volume.
    Exchange,
}

/// Where paper mode's prices come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Prices {
    /// The exchange's public prices now.
    #[default]
    Live,
    /// A seeded generator.
    Synthetic,
    /// A folder of recorded bars.
    Folder(PathBuf),
}

impl Serialize for Prices {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Prices::Live => serializer.serialize_str("live"),
            Prices::Synthetic => serializer.serialize_str("synthetic"),
            Prices::Folder(path) => serializer.collect_str(&path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for Prices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Prices, D::Error> {
        Ok(match String::deserialize(deserializer)?.as_str() {
            "live" => Prices::Live,
            "synthetic" => Prices::Synthetic,
            "" => return Err(serde::de::Error::custom("wanted live, synthetic or the path of a folder")),
            path => Prices::Folder(PathBuf::from(path)),
        })
    }
}

/// The share of each coin.
#[derive(Clone, Debug, PartialEq)]
pub enum Shares {
    /// The same for every contract listed.
    Equal,
    /// By coin (`BTC`) or contract (`BTCUSDT`), as fractions of the total value.
    Each(BTreeMap<String, Rate>),
}

impl Serialize for Shares {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Shares::Equal => serializer.serialize_str("equal"),
            Shares::Each(shares) => shares.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Shares {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shares, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Shares;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#""equal" or shares such as { BTC = 0.5, ETH = 0.5 }"#)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Shares, E> {
                if text == "equal" {
                    return Ok(Shares::Equal);
                }
                Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Shares, A::Error> {
                let mut shares = BTreeMap::new();
                while let Some((coin, share)) = map.next_entry()? {
                    shares.insert(coin, share);
                }
                Ok(Shares::Each(shares))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
