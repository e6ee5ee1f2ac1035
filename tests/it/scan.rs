//! Universes chosen from the recorded market, compared with a calculation that shares no line with
//! ours: tests/witness/universe.py prints it, CI checks that tests/witness/universe.json is it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rebal::archive::read_maybe_gz;
use rebal::decide::scan::{Universe, Wanted, scan};
use rebal::decide::sector::{Sector, Sectors};
use rebal::domain::candidate::{Candidate, FundingPast};
use rebal::domain::market::{Mark, Market, Quote};
use rebal::domain::num::{Notional, Price, Qty, Rate};
use rebal::domain::rules::{Lot, Rules, Status};
use rebal::domain::symbol::Symbol;
use rebal::domain::time::Time;
use rebal::wire::binance::usdm::listing::exchange_info;
use serde_json::Value;

use crate::data::recorded;

const LISTING: &str = "exchange_info/testnet_exchangeInfo_2025-12-24.json.gz";
const DAY: Duration = Duration::from_secs(86_400);

/// What the witness says.
fn witness() -> Value {
    serde_json::from_str(include_str!("../witness/universe.json")).unwrap()
}

/// After the last recorded settlement.
fn now() -> Time {
    "2026-03-20T04:01:00Z".parse().unwrap()
}

/// Hourly prices end here.
fn end() -> Time {
    "2026-03-19T00:00:00Z".parse().unwrap()
}

struct Recording {
    bars: BTreeMap<Symbol, Vec<(Time, Price, Notional)>>,
    first: BTreeMap<Symbol, Time>,
    prints: BTreeMap<Symbol, Vec<(Time, Rate)>>,
    rules: BTreeMap<Symbol, Rules>,
}

impl Recording {
    /// `None` where the recorded data are not there.
    fn read() -> Option<Recording> {
        let mut bars: BTreeMap<Symbol, Vec<_>> = BTreeMap::new();
        let mut first = BTreeMap::new();
        let mut prints: BTreeMap<Symbol, Vec<_>> = BTreeMap::new();
        for row in rows("universe/all_1h_2026-03-12_18.csv.gz")? {
            let bar = (time(&row[1]), row[5].parse().unwrap(), row[8].parse().unwrap());
            bars.entry(row[0].parse().unwrap()).or_default().push(bar);
        }
        for row in rows("universe/all_1d_2025-12_2026-03.csv.gz")? {
            first.entry(row[0].parse().unwrap()).or_insert_with(|| time(&row[1]));
        }
        for (symbol, bars) in &bars {
            first.entry(symbol.clone()).or_insert(bars[0].0);
        }
        for row in rows("universe/all_funding_2026-01_2026-03.csv.gz")? {
            prints.entry(row[0].parse().unwrap()).or_default().push((time(&row[1]), row[3].parse().unwrap()));
        }
        let listing = read_maybe_gz(&recorded(LISTING)?, 1 << 26).unwrap();
        Some(Recording { bars, first, prints, rules: exchange_info(&listing).unwrap().rows })
    }

    /// Every contract with prices as an open perpetual in USDT, with the lots of the listing.
    fn as_recorded(&self, end: Time) -> Vec<Candidate> {
        let one = Lot { min: Qty::ONE, max: Qty::from(1_000_000), step: Qty::ONE };
        let unknown = |symbol: &Symbol| Rules {
            base: symbol.coin("USDT").to_owned(),
            lot: one,
            market_lot: one,
            min_notional: Notional::from(5),
            symbol: symbol.clone(),
            ..self.rules.values().next().unwrap().clone()
        };
        let rules = |symbol: &Symbol| Rules {
            quote: "USDT".into(),
            margin_asset: "USDT".into(),
            contract: "PERPETUAL".into(),
            status: Status::Trading,
            delivery: None,
            tags: Vec::new(),
            underlying: "COIN".into(),
            ..self.rules.get(symbol).cloned().unwrap_or_else(|| unknown(symbol))
        };
        self.bars.keys().map(|symbol| self.candidate(rules(symbol), end)).collect()
    }

    /// The listing as it is.
    fn as_listed(&self, end: Time) -> Vec<Candidate> {
        self.rules.values().map(|rules| self.candidate(rules.clone(), end)).collect()
    }

    /// `end`: prices from then on are not known yet.
    fn candidate(&self, mut rules: Rules, end: Time) -> Candidate {
        if let Some(first) = self.first.get(&rules.symbol) {
            rules.onboard = *first;
        }
        let bars = self.bars.get(&rules.symbol).map_or(&[][..], Vec::as_slice);
        let bars = &bars[..bars.iter().take_while(|(at, ..)| *at < end).count()];
        let day: Vec<Notional> =
            bars.iter().filter(|(at, ..)| *at >= end - DAY).map(|(.., volume)| *volume).collect();
        let market = bars.last().map(|(_, close, _)| Market {
            mark: Mark { price: *close, funding_rate: Rate::ZERO, next_funding: None, at: end },
            quote: Quote {
                bid: *close,
                bid_qty: Qty::ONE,
                ask: *close * Rate::new(10_004, 4),
                ask_qty: Qty::ONE,
            },
        });
        let prints = self.prints.get(&rules.symbol).map_or(&[][..], Vec::as_slice);
        Candidate {
            market,
            volume: (!day.is_empty()).then(|| day.into_iter().sum()),
            funding: FundingPast::of_prints(prints, None, seen_at(end)),
            rules,
        }
    }
}

/// The instant that a scan of prices up to `end` takes for now.
fn seen_at(prices_end: Time) -> Time {
    now() - end().since(prices_end)
}

fn rows(relative: &str) -> Option<Vec<csv::StringRecord>> {
    let text = read_maybe_gz(&recorded(relative)?, 1 << 28).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_slice());
    Some(reader.records().map(Result::unwrap).collect())
}

fn time(ms: &str) -> Time {
    Time::from_ms(ms.parse().unwrap()).unwrap()
}

/// The defaults of the configuration.
fn wanted() -> Wanted {
    Wanted {
        size: 20,
        top: 50,
        keep_rank: 70,
        sector_cap: Rate::new(20, 2),
        max_funding_annual: Rate::ONE,
        min_volume: Notional::from(20_000_000),
        max_spread_bps: Rate::from(10),
        min_age: DAY * 30,
        include: Vec::new(),
        exclude: Vec::new(),
        target: Notional::from(20),
        market_orders: false,
        quote: "USDT".into(),
        spot: false,
    }
}

fn symbols(names: &Value) -> BTreeSet<Symbol> {
    names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().parse().unwrap()).collect()
}

/// A universe in the witness' words.
fn told(universe: &Universe) -> Value {
    let chosen = universe.chosen.iter().map(|coin| {
        format!(
            "{} {} {} {} {}/y {}h {}bps {}d {}",
            coin.rank,
            coin.symbol,
            coin.sector,
            coin.quote_volume_24h.rounded(8),
            coin.funding_annualised.unwrap().rounded(8),
            coin.interval_hours.unwrap(),
            coin.spread_bps.unwrap().rounded(8),
            coin.age_days.unwrap(),
            coin.how.as_str()
        )
    });
    let rejected = universe.rejected.iter().map(|row| {
        let rank = row.rank.map_or("-".to_owned(), |rank| rank.to_string());
        format!("{rank} {} {}", row.symbol, row.reason)
    });
    let sectors: BTreeMap<&str, usize> =
        universe.sectors.iter().map(|row| (row.sector.as_str(), row.count)).collect();
    serde_json::json!({
        "ranked": universe.ranked,
        "unfit": universe.unfit,
        "beyond": universe.beyond,
        "chosen": chosen.collect::<Vec<_>>(),
        "rejected": rejected.collect::<Vec<_>>(),
        "sectors": sectors,
        "added": universe.added,
        "removed": universe.removed.iter().map(|row| &row.symbol).collect::<Vec<_>>(),
    })
}

/// Field by field, so that a failure shows the first row that differs.
fn same(what: &str, found: &Value, expected: &Value) {
    for (field, expected) in expected.as_object().unwrap() {
        if let (Some(found), Some(expected)) = (found[field].as_array(), expected.as_array()) {
            for (found, expected) in found.iter().zip(expected) {
                assert_eq!(found, expected, "{what}: {field}");
            }
        }
        assert_eq!(&found[field], expected, "{what}: {field}");
    }
}

#[test]
fn the_recorded_market_gives_the_universe_that_a_witness_calculates() {
    let Some(recording) = Recording::read() else { return };
    let witness = witness();
    let sectors = Sectors::builtin();
    let before = end() - DAY * 5;
    let listed_nowhere: Vec<Symbol> =
        recording.bars.keys().filter(|symbol| !recording.rules.contains_key(*symbol)).cloned().collect();
    assert_eq!(recording.bars.len() as u64, witness["contracts"].as_u64().unwrap());
    type World = fn(&Recording, Time) -> Vec<Candidate>;
    let worlds: [(&str, World, &[Symbol]); 2] =
        [("recorded", Recording::as_recorded, &[]), ("listed", Recording::as_listed, &listed_nowhere)];
    for (name, world, unlisted) in worlds {
        let expected = &witness[name];
        let scanned = |candidates: &[Candidate], members: &BTreeSet<Symbol>, at: Time| {
            scan(candidates, unlisted, members, &wanted(), &sectors, seen_at(at))
        };
        let earlier = scanned(&world(&recording, before), &BTreeSet::new(), before);
        let members = earlier.chosen.iter().map(|coin| coin.symbol.clone()).collect::<BTreeSet<_>>();
        assert_eq!(members, symbols(&expected["members"]), "{name}: five days before");
        let mut candidates = world(&recording, end());
        same(name, &told(&scanned(&candidates, &BTreeSet::new(), end())), &expected["first"]);
        candidates.reverse();
        same(name, &told(&scanned(&candidates, &members, end())), &expected["next"]);
    }
}

/// Twenty coins, the five sectors that exist full, none above four.
#[test]
fn five_sectors_fill_twenty_places_and_none_has_more_than_four() {
    let Some(recording) = Recording::read() else { return };
    let candidates = recording.as_recorded(end());
    let five = [Sector::Ai, Sector::Meme, Sector::L1L2, Sector::Rwa, Sector::Defi];
    let builtin = Sectors::builtin();
    let other = |candidate: &&Candidate| !five.contains(&builtin.of(&candidate.rules).0);
    let overrides =
        candidates.iter().filter(other).map(|one| (one.rules.symbol.to_string(), Sector::L1L2)).collect();
    let wanted = Wanted { top: 300, min_volume: Notional::from(2_000_000), ..wanted() };
    let sectors = Sectors::builtin().with_overrides(overrides);
    let universe = scan(&candidates, &[], &BTreeSet::new(), &wanted, &sectors, now());
    let mut found = told(&universe);
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    universe.rejected.iter().for_each(|row| *reasons.entry(row.reason.as_str()).or_default() += 1);
    found["rejected"] = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    same("five", &found, &witness()["five"]);
    let full: Vec<Sector> =
        universe.sectors.iter().filter(|row| row.count == 4).map(|row| row.sector).collect();
    assert_eq!((universe.chosen.len(), full.as_slice()), (20, five.as_slice()));
}

/// The 33 contracts that the recording's description counts, and three more whose interval changed
/// within the week: a plain mean takes what they paid every hour for what they pay every four.
#[test]
fn funding_beyond_a_hundred_per_cent_a_year_is_what_a_witness_calculates() {
    let Some(recording) = Recording::read() else { return };
    let witness = witness();
    let candidates = recording.as_recorded(end());
    let yearly = |one: &Candidate| (one.rules.symbol.to_string(), one.funding.unwrap().annualised());
    let beyond: BTreeMap<String, Rate> =
        candidates.iter().map(yearly).filter(|(_, yearly)| yearly.abs() > Rate::ONE).collect();
    let shown: BTreeMap<&String, String> =
        beyond.iter().map(|(symbol, yearly)| (symbol, yearly.rounded(8).to_string())).collect();
    assert_eq!(serde_json::to_value(&shown).unwrap(), witness["funding_beyond"]);
    let plain = symbols(&witness["funding_beyond_by_plain_mean"]);
    assert_eq!((plain.len(), beyond.len()), (33, 36));
    assert!(plain.iter().all(|symbol| beyond.contains_key(symbol.as_str())));
    assert_eq!(beyond.values().filter(|yearly| yearly.is_positive()).count(), 2);

    // None of them is chosen, wherever it ranks, even where the configuration asks for it.
    let include: Vec<Symbol> = beyond.keys().map(|name| name.parse().unwrap()).collect();
    let wanted = Wanted { top: 539, min_volume: Notional::ZERO, include, ..wanted() };
    let universe = scan(&candidates, &[], &BTreeSet::new(), &wanted, &Sectors::builtin(), now());
    let by_funding: BTreeSet<String> = universe
        .rejected
        .iter()
        .filter(|row| row.reason.as_str() == "funding")
        .map(|row| row.symbol.to_string())
        .collect();
    assert_eq!(by_funding, beyond.keys().cloned().collect());
}
