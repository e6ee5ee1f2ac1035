//! Which of the listed contracts make up the universe, and why the others do not.

mod gates;
mod reason;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::decide::sector::{Origin, Sector, Sectors, one_of};
use crate::domain::candidate::Candidate;
use crate::domain::num::{Notional, Rate};
use crate::domain::rules::Rules;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

pub use crate::decide::scan::reason::{RejectReason, Stage};

/// What a scan wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// How many coins.
    pub size: usize,
    /// A newcomer ranks at most here by 24 h volume.
    pub top: usize,
    /// A member stays down to this rank; never held to less than `top`.
    pub keep_rank: usize,
    /// The largest share of `size` that one sector may have; rounded down to whole coins.
    pub sector_cap: Rate,
    /// Funding per year beyond this, either way, disqualifies.
    pub max_funding_annual: Rate,
    /// Least 24 h volume, in the quote.
    pub min_volume: Notional,
    /// Widest spread, in basis points.
    pub max_spread_bps: Rate,
    /// Least time since listing.
    pub min_age: Duration,
    /// Chosen before all others where no filter speaks against them: contracts or coins.
    pub include: Vec<Symbol>,
    /// Never chosen: contracts or coins.
    pub exclude: Vec<Symbol>,
    /// What one coin is to be worth, in the quote.
    pub target: Notional,
    /// Whether orders are market orders, whose smallest size may differ.
    pub market_orders: bool,
    /// What contracts are priced in and margined with: `USDT`.
    pub quote: String,
    /// Pairs instead of perpetual contracts: neither funding nor contract type is asked for.
    pub spot: bool,
}

impl Wanted {
    /// The most coins that one sector may have: `sector_cap × size`, rounded down.
    #[must_use]
    pub fn cap(&self) -> usize {
        let whole = |count: usize| Rate::from(u32::try_from(count).unwrap_or(u32::MAX));
        let most = self.sector_cap * whole(self.size);
        (0..=self.size).rev().find(|count| whole(*count) <= most).unwrap_or(0)
    }

    /// The lowest rank at which a member stays.
    #[must_use]
    pub fn keeps_to(&self) -> usize {
        self.keep_rank.max(self.top)
    }

    /// Whether the configuration asks for this contract, by its own name or its coin's.
    #[must_use]
    pub fn includes(&self, rules: &Rules) -> bool {
        names(&self.include, rules)
    }
}

/// How a coin came to be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// The configuration asks for it.
    Included,
    /// It is in the universe already and still ranks high enough.
    Kept,
    /// It ranks among the first.
    New,
}

impl How {
    /// The word used in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            How::Included => "included",
            How::Kept => "kept",
            How::New => "new",
        }
    }
}

impl Serialize for How {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One coin of the universe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chosen {
    /// The contract.
    pub symbol: Symbol,
    /// What the coin is for.
    pub sector: Sector,
    /// Who says so.
    pub sector_from: Origin,
    /// Its place by 24 h volume among all that may be traded, from 1.
    pub rank: usize,
    /// In the quote.
    pub quote_volume_24h: Notional,
    /// Mean funding as a fraction of the position's value per year, negative where longs are paid;
    /// `None` on spot.
    pub funding_annualised: Option<Rate>,
    /// Hours between two settlements; `None` on spot.
    pub interval_hours: Option<u32>,
    /// `(ask − bid) / mid` in basis points.
    pub spread_bps: Option<Rate>,
    /// Whole days since listing; `None` where the exchange tells no date (spot).
    pub age_days: Option<i64>,
    /// Why it was chosen.
    pub how: How,
}

/// One contract that was not chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// The contract, or what the configuration calls it.
    pub symbol: Symbol,
    /// What the coin is for.
    pub sector: Sector,
    /// Its place by 24 h volume; `None` where it failed before the ranking.
    pub rank: Option<usize>,
    /// What was against it first.
    pub reason: RejectReason,
    /// Everything that was against it at that stage, for people.
    pub detail: String,
}

/// A member that leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// The contract.
    pub symbol: Symbol,
    /// Why.
    pub reason: RejectReason,
    /// The same for people.
    pub detail: String,
}

/// How many coins of a sector were chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SectorCount {
    /// Which.
    pub sector: Sector,
    /// Coins chosen.
    pub count: usize,
    /// Coins allowed.
    pub cap: usize,
}

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Universe {
    /// The coins, by rank.
    pub chosen: Vec<Chosen>,
    /// Who was looked at and not chosen, by rank, those without one last: everything within `top`,
    /// every member that leaves, whatever the configuration names, and contracts that would rank
    /// within `top` if they met the requirements.
    pub rejected: Vec<Rejected>,
    /// One per sector, also where none was chosen.
    pub sectors: Vec<SectorCount>,
    /// Chosen, and no members before.
    pub added: Vec<Symbol>,
    /// Members before, and not chosen.
    pub removed: Vec<Removed>,
    /// How many met every requirement and were ranked.
    pub ranked: usize,
    /// How many of these rank too low to be looked at; they are not in `rejected`.
    pub beyond: usize,
    /// How many failed a requirement and would rank too low anyway; they are not in `rejected`.
    pub unfit: usize,
}

/// Chooses the universe: requirements, ranking by 24 h volume, safety filters, then places for
/// included coins, members and newcomers in this order, each by rank, while `size` and the sector's
/// cap allow. `unlisted` are contracts that the screener ranks and the exchange does not list.
///
/// The same input gives the same universe, whatever the order of `candidates`.
#[must_use]
pub fn scan(
    candidates: &[Candidate],
    unlisted: &[Symbol],
    members: &BTreeSet<Symbol>,
    wanted: &Wanted,
    sectors: &Sectors,
    now: Time,
) -> Universe {
    let looking = Looking { members, wanted, sectors, now };
    // By name, so that no contract can be there twice and chance has no say.
    let listed: BTreeMap<&Symbol, &Candidate> =
        candidates.iter().rev().map(|candidate| (&candidate.rules.symbol, candidate)).collect();
    let (ranked, unfit) = looking.rank(&listed);
    let mut universe = Universe { ranked: ranked.len(), ..Universe::default() };
    looking.refuse_unfit(unfit, &ranked, &mut universe);
    looking.refuse_unlisted(unlisted, &listed, &mut universe);
    let mut seats = Seats::new(wanted);
    for coin in looking.in_order(ranked, &mut universe) {
        match seats.take(&coin) {
            Ok(()) => universe.chosen.push(looking.chosen(&coin)),
            Err((reason, detail)) => universe.rejected.push(coin.rejected(reason, detail)),
        }
    }
    universe.chosen.sort_by_key(|chosen| chosen.rank);
    universe.rejected.sort_by_cached_key(|row| (row.rank.unwrap_or(usize::MAX), row.symbol.clone()));
    universe.sectors = seats.counts();
    looking.compare(&mut universe);
    universe
}

/// Whose funding, spread and age [`scan`] judges, the best rank first: whoever is asked for, is a
/// member, or ranks high enough. Nothing of the funding is looked at, so that it can be read for these
/// alone.
#[must_use]
pub fn judged(
    candidates: &[Candidate],
    members: &BTreeSet<Symbol>,
    wanted: &Wanted,
    sectors: &Sectors,
) -> Vec<Symbol> {
    let looking = Looking { members, wanted, sectors, now: Time::default() };
    let listed: BTreeMap<&Symbol, &Candidate> =
        candidates.iter().rev().map(|candidate| (&candidate.rules.symbol, candidate)).collect();
    let (ranked, _) = looking.rank(&listed);
    let judged = ranked.iter().filter(|coin| looking.is_near(coin) || looking.is_member(coin));
    judged.map(|coin| coin.candidate.rules.symbol.clone()).collect()
}

/// What every step looks at.
struct Looking<'a> {
    members: &'a BTreeSet<Symbol>,
    wanted: &'a Wanted,
    sectors: &'a Sectors,
    now: Time,
}

/// A contract that met every requirement.
struct Ranked<'a> {
    candidate: &'a Candidate,
    rank: usize,
    volume: Notional,
    sector: Sector,
    sector_from: Origin,
    how: How,
}

/// A contract that did not.
struct Unfit<'a> {
    candidate: &'a Candidate,
    reason: RejectReason,
    detail: String,
}

impl<'a> Looking<'a> {
    /// Who may be traded at all, by 24 h volume and then by name; and who may not.
    fn rank(&self, listed: &BTreeMap<&Symbol, &'a Candidate>) -> (Vec<Ranked<'a>>, Vec<Unfit<'a>>) {
        let (mut ranked, mut unfit) = (Vec::new(), Vec::new());
        let coins = listed.values().map(|candidate| candidate.rules.base.as_str()).collect();
        for candidate in listed.values() {
            match gates::requirements(candidate, &coins, self.wanted, self.sectors) {
                Ok(volume) => {
                    let (sector, sector_from) = self.sectors.of(&candidate.rules);
                    let how = self.how(&candidate.rules);
                    ranked.push(Ranked { candidate, rank: 0, volume, sector, sector_from, how });
                }
                Err((reason, detail)) => unfit.push(Unfit { candidate, reason, detail }),
            }
        }
        // They come in the order of their names, which a stable sort keeps where volumes are equal.
        ranked.sort_by_key(|coin| Reverse(coin.volume));
        for (index, coin) in ranked.iter_mut().enumerate() {
            coin.rank = index + 1;
        }
        (ranked, unfit)
    }

    fn how(&self, rules: &Rules) -> How {
        if names(&self.wanted.include, rules) {
            How::Included
        } else if self.members.contains(&rules.symbol) {
            How::Kept
        } else {
            How::New
        }
    }

    /// Tells of an unfit contract where somebody would miss it.
    fn refuse_unfit(&self, unfit: Vec<Unfit<'_>>, ranked: &[Ranked<'_>], universe: &mut Universe) {
        let last = self.wanted.top.checked_sub(1).and_then(|at| ranked.get(at));
        let least = last.map_or(Notional::ZERO, |coin| coin.volume);
        // A coin that has a fit contract is not missed in another quote.
        let fulfilled = |entry: &Symbol| ranked.iter().any(|coin| is_named(entry, &coin.candidate.rules));
        let missed: Vec<&Symbol> = self.wanted.include.iter().filter(|entry| !fulfilled(entry)).collect();
        for Unfit { candidate, reason, detail } in unfit {
            let rules = &candidate.rules;
            let large = candidate.volume.is_some_and(|volume| volume >= least);
            let asked_for = matches!(reason, RejectReason::Excluded | RejectReason::NoVolume)
                || self.members.contains(&rules.symbol)
                || missed.iter().any(|entry| is_named(entry, rules));
            if large || asked_for {
                let symbol = rules.symbol.clone();
                let sector = self.sectors.of(rules).0;
                universe.rejected.push(Rejected { symbol, sector, rank: None, reason, detail });
            } else {
                universe.unfit += 1;
            }
        }
    }

    /// Whatever the screener, the members or the configuration name and the exchange does not list.
    fn refuse_unlisted(
        &self,
        unlisted: &[Symbol],
        listed: &BTreeMap<&Symbol, &Candidate>,
        universe: &mut Universe,
    ) {
        let is_listed = |entry: &Symbol| listed.values().any(|candidate| is_named(entry, &candidate.rules));
        let wishes = self.wanted.include.iter().filter(|entry| !is_listed(entry));
        let strangers = self.members.iter().chain(unlisted).filter(|symbol| !listed.contains_key(*symbol));
        let missing: BTreeSet<&Symbol> = wishes.chain(strangers).collect();
        for symbol in missing {
            let coin = symbol.coin(&self.wanted.quote);
            let (sector, _) = self.sectors.of_coin(symbol.as_str(), coin, &self.wanted.quote, &[]);
            let detail = "the exchange does not list it".to_owned();
            let reason = RejectReason::NotListed;
            universe.rejected.push(Rejected { symbol: symbol.clone(), sector, rank: None, reason, detail });
        }
    }

    /// Who is safe and ranks high enough, in the order in which places are given.
    fn in_order(&self, ranked: Vec<Ranked<'a>>, universe: &mut Universe) -> Vec<Ranked<'a>> {
        let mut order = Vec::new();
        for coin in ranked {
            let near = self.is_near(&coin);
            if !near && !self.is_member(&coin) {
                universe.beyond += 1;
                continue;
            }
            match gates::safety(coin.candidate, coin.volume, self.wanted, self.now) {
                Err((reason, detail)) => universe.rejected.push(coin.rejected(reason, detail)),
                Ok(()) if !near => {
                    let lowest = self.lowest(coin.how);
                    let detail = format!("rank {}, a member stays down to rank {lowest}", coin.rank);
                    universe.rejected.push(coin.rejected(RejectReason::Rank, detail));
                }
                Ok(()) => order.push(coin),
            }
        }
        // They come by rank, which a stable sort keeps within each group.
        order.sort_by_key(|coin| coin.how);
        order
    }

    /// The rank down to which a coin that comes this way is looked at.
    fn lowest(&self, how: How) -> usize {
        match how {
            How::Included => usize::MAX,
            How::Kept => self.wanted.keeps_to(),
            How::New => self.wanted.top,
        }
    }

    fn is_near(&self, coin: &Ranked<'_>) -> bool {
        coin.rank <= self.lowest(coin.how)
    }

    fn is_member(&self, coin: &Ranked<'_>) -> bool {
        self.members.contains(&coin.candidate.rules.symbol)
    }

    fn chosen(&self, coin: &Ranked<'_>) -> Chosen {
        let Candidate { rules, market, funding, .. } = coin.candidate;
        let funding = funding.as_ref().filter(|_| !self.wanted.spot);
        Chosen {
            symbol: rules.symbol.clone(),
            sector: coin.sector,
            sector_from: coin.sector_from,
            rank: coin.rank,
            quote_volume_24h: coin.volume,
            funding_annualised: funding.map(|past| past.annualised()),
            interval_hours: funding.map(|past| past.interval_hours),
            spread_bps: market.and_then(|market| market.quote.spread_bps()),
            age_days: gates::age_days(rules, self.now),
            how: coin.how,
        }
    }

    /// Who comes and who goes.
    fn compare(&self, universe: &mut Universe) {
        let chosen: BTreeSet<&Symbol> = universe.chosen.iter().map(|row| &row.symbol).collect();
        let added = chosen.iter().filter(|symbol| !self.members.contains(**symbol));
        let leaves = |row: &&Rejected| self.members.contains(&row.symbol);
        let removed = universe.rejected.iter().filter(leaves).map(|row| Removed {
            symbol: row.symbol.clone(),
            reason: row.reason,
            detail: row.detail.clone(),
        });
        let mut removed: Vec<Removed> = removed.collect();
        removed.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        universe.added = added.map(|symbol| (*symbol).clone()).collect();
        universe.removed = removed;
    }
}

impl Ranked<'_> {
    fn rejected(&self, reason: RejectReason, detail: String) -> Rejected {
        let symbol = self.candidate.rules.symbol.clone();
        Rejected { symbol, sector: self.sector, rank: Some(self.rank), reason, detail }
    }
}

/// The places of the universe.
struct Seats {
    size: usize,
    cap: usize,
    taken: BTreeMap<Sector, usize>,
}

impl Seats {
    fn new(wanted: &Wanted) -> Seats {
        Seats { size: wanted.size, cap: wanted.cap(), taken: BTreeMap::new() }
    }

    fn take(&mut self, coin: &Ranked<'_>) -> Result<(), (RejectReason, String)> {
        if self.taken.values().sum::<usize>() >= self.size {
            return Err((RejectReason::Size, format!("all {} places are taken", self.size)));
        }
        let taken = self.taken.entry(coin.sector).or_default();
        if *taken >= self.cap {
            let detail = format!("{} is full: {taken} of {}", coin.sector, self.cap);
            return Err((RejectReason::SectorCap, detail));
        }
        *taken += 1;
        Ok(())
    }

    fn counts(&self) -> Vec<SectorCount> {
        let count = |sector| self.taken.get(&sector).copied().unwrap_or(0);
        Sector::ALL
            .into_iter()
            .map(|sector| SectorCount { sector, count: count(sector), cap: self.cap })
            .collect()
    }
}

/// Whether a list of contracts or coins names this contract.
fn names(list: &[Symbol], rules: &Rules) -> bool {
    list.iter().any(|entry| is_named(entry, rules))
}

/// `1000PEPEUSDT` is named by itself, `1000PEPE` and `PEPE`.
fn is_named(entry: &Symbol, rules: &Rules) -> bool {
    let entry = entry.as_str();
    [rules.symbol.as_str(), rules.base.as_str(), one_of(&rules.base)].contains(&entry)
}
