//! A scan: the universe, who is not in it and why, and where the ranking came from.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::decide::scan::{Chosen, RejectReason, Rejected, Removed, SectorCount, Stage, Universe, Wanted};
use crate::domain::num::Rate;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::report::heading::Heading;

/// Digits kept of figures that are quotients; products and sums stay exact.
const RATE_DIGITS: u32 = 8;

/// Where the ranking came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// `tradingview` or `exchange`.
    pub source: &'static str,
    /// Why it is not the source that the configuration wants; `None` where it is.
    pub fallback: Option<String>,
    /// When the ranking was read.
    pub at: Time,
    /// Whether it is an older list, since the source did not answer now.
    pub from_cache: bool,
}

/// Why fewer coins were found than wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shortfall {
    /// Coins found.
    pub found: usize,
    /// Coins wanted.
    pub wanted: usize,
    /// Coins that found their sector full.
    pub sector_full: usize,
    /// Coins that a safety filter took out.
    pub unsafe_now: usize,
}

/// `rebal.scan/1`: the coins, who else was looked at, and what changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScanReport {
    /// Always `rebal.scan/1`.
    pub schema: &'static str,
    /// When and which account.
    #[serde(flatten)]
    pub heading: Heading,
    /// What values are counted in: `USDT`.
    pub quote: String,
    /// How many coins were wanted.
    pub size: usize,
    /// A newcomer ranks at most here.
    pub top: usize,
    /// A member stays down to this rank.
    pub keep_rank: usize,
    /// The coins, by rank.
    pub universe: Vec<Chosen>,
    /// Who was looked at and not chosen, by rank.
    pub rejected: Vec<Rejected>,
    /// One per sector.
    pub sectors: Vec<SectorCount>,
    /// Chosen, and no members before.
    pub added: Vec<Symbol>,
    /// Members before, and not chosen.
    pub removed: Vec<Removed>,
    /// How many contracts were ranked.
    pub ranked: usize,
    /// How many of these rank too low to be looked at.
    pub beyond: usize,
    /// How many failed a requirement and would rank too low anyway.
    pub unfit: usize,
    /// Why there are fewer coins than wanted; `None` where there are as many.
    pub shortfall: Option<Shortfall>,
    /// Who ranked: `tradingview` or `exchange`.
    pub source: &'static str,
    /// Why it is not the source that the configuration wants.
    pub fallback: Option<String>,
    /// When the ranking was read.
    pub source_at: Time,
    /// How long before this report that was, in seconds.
    pub source_age_s: u64,
    /// Whether it is an older list, since the source did not answer now.
    pub from_cache: bool,
    /// Whether the universe was written to the ledger.
    pub applied: bool,
    /// Whether trading is refused now, whatever the universe is.
    pub halted: bool,
    /// The halt's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt_id: Option<String>,
    /// What else the owner should know, one sentence each.
    pub notes: Vec<String>,
    /// Whether people want to see every rejected contract; scripts always do.
    #[serde(skip)]
    pub show_rejected: bool,
}

impl ScanReport {
    /// The report of `universe`; not applied, without notes, `rejected` not shown to people. The
    /// caller changes those.
    #[must_use]
    pub fn new(heading: Heading, wanted: &Wanted, universe: Universe, ranking: Ranking) -> ScanReport {
        let shortfall = shortfall(&universe, wanted);
        let age: Duration = heading.at.since(ranking.at);
        ScanReport {
            schema: "rebal.scan/1",
            quote: wanted.quote.clone(),
            size: wanted.size,
            top: wanted.top,
            keep_rank: wanted.keeps_to(),
            universe: universe.chosen.into_iter().map(tidy).collect(),
            rejected: universe.rejected,
            sectors: universe.sectors,
            added: universe.added,
            removed: universe.removed,
            ranked: universe.ranked,
            beyond: universe.beyond,
            unfit: universe.unfit,
            shortfall,
            source: ranking.source,
            fallback: ranking.fallback,
            source_at: ranking.at,
            source_age_s: age.as_secs(),
            from_cache: ranking.from_cache,
            applied: false,
            halted: false,
            halt_id: None,
            notes: Vec::new(),
            show_rejected: false,
            heading,
        }
    }

    /// The same while `halt` is in force.
    #[must_use]
    pub fn under(mut self, halt: Option<String>) -> ScanReport {
        self.halted = halt.is_some();
        self.halt_id = halt;
        self
    }

    /// How many of the most traded were looked at.
    #[must_use]
    pub fn looked_at(&self) -> usize {
        self.top.min(self.ranked)
    }

    /// How many contracts something spoke against; those that only came too late are no part of it.
    #[must_use]
    pub fn refused(&self) -> usize {
        let late = |reason| matches!(reason, RejectReason::Size | RejectReason::Rank);
        self.rejected.iter().filter(|row| !late(row.reason)).count()
    }

    /// How many contracts each reason took out, in the order in which reasons are asked for.
    #[must_use]
    pub fn reasons(&self) -> Vec<(RejectReason, usize)> {
        let mut counts: BTreeMap<RejectReason, usize> = BTreeMap::new();
        for row in &self.rejected {
            *counts.entry(row.reason).or_default() += 1;
        }
        counts.into_iter().collect()
    }
}

fn shortfall(universe: &Universe, wanted: &Wanted) -> Option<Shortfall> {
    let found = universe.chosen.len();
    let count = |is: fn(RejectReason) -> bool| universe.rejected.iter().filter(|row| is(row.reason)).count();
    (found < wanted.size).then(|| Shortfall {
        found,
        wanted: wanted.size,
        sector_full: count(|reason| reason == RejectReason::SectorCap),
        unsafe_now: count(|reason| reason.stage() == Stage::Safety),
    })
}

fn tidy(mut coin: Chosen) -> Chosen {
    let short = |rate: Rate| rate.rounded(RATE_DIGITS);
    coin.funding_annualised = coin.funding_annualised.map(short);
    coin.spread_bps = coin.spread_bps.map(short);
    coin
}
