//! Why a contract is not chosen: a closed list of codes.

use std::fmt;

use serde::{Serialize, Serializer};

/// What was against a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RejectReason {
    /// The exchange does not list it.
    NotListed,
    /// It is not open for trading.
    NotTrading,
    /// It is no perpetual contract: it expires, or follows a stock or a metal.
    NotPerpetual,
    /// It is priced or margined in another asset.
    NotInQuote,
    /// What it follows is no coin: an index, something that does not trade yet.
    Underlying,
    /// It is pegged to money or to another coin.
    Pegged,
    /// It is a token that holds a leveraged position in a coin, and decays.
    Leveraged,
    /// Its end is announced.
    Delisting,
    /// The configuration excludes it.
    Excluded,
    /// Nobody tells its volume, so it has no rank.
    NoVolume,
    /// Too little is traded.
    ThinVolume,
    /// Funding is extreme, either way.
    Funding,
    /// Its funding is not known.
    FundingUnknown,
    /// There is no price.
    NoPrice,
    /// Nobody bids, nobody asks, or the two cross.
    NoBook,
    /// Bid and ask are too far apart.
    Spread,
    /// It was listed too lately, or nobody tells when.
    TooYoung,
    /// The smallest order is worth more than the target.
    Infeasible,
    /// Its sector is full.
    SectorCap,
    /// A member that ranks too low to stay.
    Rank,
    /// Every place is taken by coins that come before it.
    Size,
}

/// At which stage of a scan a reason speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Before the ranking: what cannot be in a universe at all.
    Requirement,
    /// After it: what would be dangerous now.
    Safety,
    /// At the end: there was no place.
    Choice,
}

impl RejectReason {
    /// Every reason, in the order in which they are asked for.
    pub const ALL: [RejectReason; 21] = [
        RejectReason::NotListed,
        RejectReason::NotTrading,
        RejectReason::NotPerpetual,
        RejectReason::NotInQuote,
        RejectReason::Underlying,
        RejectReason::Pegged,
        RejectReason::Leveraged,
        RejectReason::Delisting,
        RejectReason::Excluded,
        RejectReason::NoVolume,
        RejectReason::ThinVolume,
        RejectReason::Funding,
        RejectReason::FundingUnknown,
        RejectReason::NoPrice,
        RejectReason::NoBook,
        RejectReason::Spread,
        RejectReason::TooYoung,
        RejectReason::Infeasible,
        RejectReason::SectorCap,
        RejectReason::Rank,
        RejectReason::Size,
    ];

    /// The stable code used in JSON and CSV.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RejectReason::NotListed => "not_listed",
            RejectReason::NotTrading => "not_trading",
            RejectReason::NotPerpetual => "not_perpetual",
            RejectReason::NotInQuote => "not_in_quote",
            RejectReason::Underlying => "underlying",
            RejectReason::Pegged => "pegged",
            RejectReason::Leveraged => "leveraged",
            RejectReason::Delisting => "delisting",
            RejectReason::Excluded => "excluded",
            RejectReason::NoVolume => "no_volume",
            RejectReason::ThinVolume => "thin_volume",
            RejectReason::Funding => "funding",
            RejectReason::FundingUnknown => "funding_unknown",
            RejectReason::NoPrice => "no_price",
            RejectReason::NoBook => "no_book",
            RejectReason::Spread => "spread",
            RejectReason::TooYoung => "too_young",
            RejectReason::Infeasible => "infeasible",
            RejectReason::SectorCap => "sector_cap",
            RejectReason::Rank => "rank",
            RejectReason::Size => "size",
        }
    }

    /// When it is asked for.
    #[must_use]
    pub fn stage(self) -> Stage {
        match self {
            RejectReason::NotListed
            | RejectReason::NotTrading
            | RejectReason::NotPerpetual
            | RejectReason::NotInQuote
            | RejectReason::Underlying
            | RejectReason::Pegged
            | RejectReason::Leveraged
            | RejectReason::Delisting
            | RejectReason::Excluded
            | RejectReason::NoVolume => Stage::Requirement,
            RejectReason::ThinVolume
            | RejectReason::Funding
            | RejectReason::FundingUnknown
            | RejectReason::NoPrice
            | RejectReason::NoBook
            | RejectReason::Spread
            | RejectReason::TooYoung
            | RejectReason::Infeasible => Stage::Safety,
            RejectReason::SectorCap | RejectReason::Rank | RejectReason::Size => Stage::Choice,
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for RejectReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
