//! Other people's words for sectors: a screener's category slugs and an exchange's tags.

use crate::decide::sector::{Sector, one_of};

/// Slugs by sector; a coin with several belongs to the first in this order.
const CATEGORIES: [(Sector, &[&str]); 9] = [
    (Sector::Meme, &["memecoins", "animal-memes"]),
    (Sector::Ai, &["data-management-ai"]),
    (Sector::Rwa, &["real-world-assets", "asset-backed-tokens", "real-estate"]),
    (
        Sector::Gamefi,
        &[
            "gaming",
            "metaverse",
            "move-to-earn",
            "tap-to-earn",
            "collectibles-nfts",
            "fan-tokens",
            "gambling",
            "sports",
        ],
    ),
    (
        Sector::Defi,
        &[
            "defi",
            "decentralized-exchange",
            "lending-borrowing",
            "derivatives",
            "asset-management",
            "insurance",
            "prediction-markets",
            "rehypothecated-crypto",
            "seigniorage",
        ],
    ),
    // Scaling before the first layer: a coin with both builds on another chain.
    (Sector::L1L2, &["scaling"]),
    (Sector::L1L2, &["layer-1", "smart-contract-platforms"]),
    (
        Sector::Infra,
        &[
            "oracles",
            "interoperability",
            "depin",
            "distributed-computing-storage",
            "developments-tools",
            "identity",
            "cybersecurity",
            "analytics",
            "internet-of-things",
            "enterprise-solutions",
            "web3",
        ],
    ),
    (Sector::Payment, &["payments", "privacy", "iso-20022"]),
];

const STABLE: [&str; 4] =
    ["stablecoins", "fiat-stablecoins", "algorithmic-stablecoins", "asset-backed-stablecoins"];
const WRAPPED: [&str; 1] = ["wrapped-tokens"];

/// Coins pegged to money. Those that lost their peg for good trade like any other coin.
const STABLE_COINS: [&str; 26] = [
    "USDT", "USDC", "FDUSD", "TUSD", "USDP", "BUSD", "DAI", "USDS", "USDE", "USDD", "PYUSD", "GUSD", "LUSD",
    "FRXUSD", "RLUSD", "USD1", "USDG", "USDX", "XUSD", "BFUSD", "SUSD", "CRVUSD", "EUR", "EURC", "EURI",
    "AEUR",
];
/// Coins that are another coin.
const WRAPPED_COINS: [&str; 14] = [
    "WBTC", "BTCB", "CBBTC", "TBTC", "WETH", "WBETH", "BETH", "STETH", "WSTETH", "RETH", "CBETH", "WEETH",
    "BNSOL", "WBNB",
];

/// The sector of a coin with these categories; `None` where none of them tells.
pub(crate) fn of_categories(slugs: &[String]) -> Option<Sector> {
    let has = |known: &str| slugs.iter().any(|slug| slug == known);
    CATEGORIES.into_iter().find(|(_, known)| known.iter().any(|slug| has(slug))).map(|(sector, _)| sector)
}

/// The sector of a coin with these tags, the first that tells; `None` where none does.
pub(crate) fn of_tags(tags: &[String]) -> Option<Sector> {
    tags.iter().find_map(|tag| {
        Some(match tag.to_ascii_lowercase().as_str() {
            "ai" => Sector::Ai,
            "meme" | "memes" => Sector::Meme,
            "layer-1" | "layer1" | "layer-2" | "layer2" => Sector::L1L2,
            "rwa" | "tradfi" => Sector::Rwa,
            "defi" | "dex" => Sector::Defi,
            "gaming" | "metaverse" | "nft" | "fan-token" | "fan-tokens" => Sector::Gamefi,
            "infrastructure" | "storage" | "oracle" | "chain infrastructure" | "iot" | "data" => {
                Sector::Infra
            }
            "pow" | "payment" | "privacy" => Sector::Payment,
            _ => return None,
        })
    })
}

/// What a coin is pegged to, by its name.
pub(crate) fn pegged_coin(coin: &str) -> Option<&'static str> {
    let coin = one_of(coin);
    if STABLE_COINS.contains(&coin) {
        return Some("a stablecoin");
    }
    WRAPPED_COINS.contains(&coin).then_some("a wrapped token")
}

/// What a coin is pegged to, by its categories.
pub(crate) fn pegged_category(slugs: &[String]) -> Option<&'static str> {
    let has = |known: &[&str]| slugs.iter().any(|slug| known.contains(&slug.as_str()));
    if has(&STABLE) {
        return Some("a stablecoin");
    }
    has(&WRAPPED).then_some("a wrapped token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slug_is_in_one_sector_and_finds_it() {
        let mut seen = std::collections::BTreeSet::new();
        for (sector, slugs) in CATEGORIES {
            for slug in slugs {
                assert!(seen.insert(*slug), "{slug} is there twice");
                assert_eq!(of_categories(&[(*slug).to_owned()]), Some(sector), "{slug}");
                assert_eq!(pegged_category(&[(*slug).to_owned()]), None, "{slug}");
            }
        }
        assert_eq!(seen.len(), 40);
    }

    #[test]
    fn of_several_categories_the_first_sector_in_order_counts() {
        let order = [
            "memecoins",
            "data-management-ai",
            "real-estate",
            "gaming",
            "defi",
            "scaling",
            "web3",
            "payments",
        ];
        for (index, slug) in order.iter().enumerate() {
            let from_here: Vec<String> = order[index..].iter().rev().map(|slug| (*slug).to_owned()).collect();
            assert_eq!(of_categories(&from_here), of_categories(&[(*slug).to_owned()]), "{slug}");
        }
        assert_eq!(of_categories(&["dao".to_owned(), "cryptocurrencies".to_owned()]), None);
    }

    #[test]
    fn tags_are_read_in_any_case_and_the_first_that_tells_counts() {
        let of = |tags: &[&str]| of_tags(&tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["crypto", "Meme"]), Some(Sector::Meme));
        assert_eq!(of(&["Chain Infrastructure"]), Some(Sector::Infra));
        assert_eq!(of(&["DeFi", "AI"]), Some(Sector::Defi));
        assert_eq!(of(&["TradFi"]), Some(Sector::Rwa));
        assert_eq!(of(&["USDC", "HOT", "BSC", "crypto", "index", "Pre-Market", "alpha", ""]), None);
    }
}
