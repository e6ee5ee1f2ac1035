//! Every reason, the places and their order, by hand-worked examples.

use super::*;
use crate::decide::samples::{market, symbol};
use crate::domain::candidate::FundingPast;
use crate::domain::num::{Price, Qty};
use crate::domain::rules::Status;
use crate::domain::rules::tests::plain;

const DAY: Duration = Duration::from_secs(86_400);

fn now() -> Time {
    "2026-03-20T00:00:00Z".parse().unwrap()
}

/// A coin of no known sector that meets everything exactly: 20 M traded, 0.1 % paid every 8 h
/// (109.5 % a year), 10 bps wide,
/// listed 30 days ago, smallest order 20 of a target of 20.
fn good(name: &str) -> Candidate {
    let mut rules = plain(name);
    rules.onboard = now() - DAY * 30;
    rules.min_notional = Notional::from(20);
    let mut market = market("10");
    // (10.005 − 9.995) / 10 is 10 bps.
    market.quote.bid = Price::new(9995, 3);
    market.quote.ask = Price::new(10_005, 3);
    Candidate {
        rules,
        market: Some(market),
        volume: Some(Notional::from(20_000_000)),
        funding: Some(FundingPast { interval_hours: 8, mean_rate: Rate::new(1, 3), prints: 21 }),
    }
}

/// The same with a volume of so many millions.
fn traded(name: &str, millions: u32) -> Candidate {
    Candidate { volume: Some(Notional::from(millions) * Rate::from(1_000_000)), ..good(name) }
}

fn wanted() -> Wanted {
    Wanted {
        size: 5,
        top: 50,
        keep_rank: 70,
        sector_cap: Rate::ONE,
        max_funding_annual: Rate::new(1095, 3),
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

fn set(names: &[&str]) -> BTreeSet<Symbol> {
    names.iter().map(|name| symbol(name)).collect()
}

fn list(names: &[&str]) -> Vec<Symbol> {
    names.iter().map(|name| symbol(name)).collect()
}

fn run(candidates: &[Candidate], members: &[&str], wanted: &Wanted) -> Universe {
    scan(candidates, &[], &set(members), wanted, &Sectors::builtin(), now())
}

/// What becomes of one contract alone.
fn alone(candidate: Candidate, wanted: &Wanted) -> Result<Chosen, (RejectReason, String)> {
    let name = candidate.rules.symbol.clone();
    let universe = run(&[candidate], &[], wanted);
    match (universe.chosen.as_slice(), universe.rejected.as_slice()) {
        ([chosen], []) => Ok(chosen.clone()),
        ([], [row]) if row.symbol == name => Err((row.reason, row.detail.clone())),
        other => panic!("{other:?}"),
    }
}

fn chosen(universe: &Universe) -> Vec<&str> {
    universe.chosen.iter().map(|coin| coin.symbol.as_str()).collect()
}

fn rejected(universe: &Universe) -> Vec<(&str, &str)> {
    universe.rejected.iter().map(|row| (row.symbol.as_str(), row.reason.as_str())).collect()
}

#[test]
fn a_contract_that_meets_every_limit_exactly_is_chosen() {
    let coin = alone(good("AUSDT"), &wanted()).unwrap();
    assert_eq!((coin.rank, coin.how, coin.age_days), (1, How::New, Some(30)));
    assert_eq!((coin.sector, coin.sector_from), (Sector::Other, Origin::Nobody));
    assert_eq!(coin.spread_bps, Some(Rate::from(10)));
    assert_eq!(coin.funding_annualised, Some(wanted().max_funding_annual));
    assert_eq!(coin.interval_hours, Some(8));
}

/// Each with the least that makes it fail.
#[test]
fn every_reason_has_its_contract() {
    use RejectReason::*;
    type Spoil = fn(&mut Candidate);
    let cases: [(RejectReason, &str, Spoil); 27] = [
        (NotTrading, "the exchange says SETTLING", |one| one.rules.status = Status::read("SETTLING")),
        (NotPerpetual, "a contract of type TRADIFI_PERPETUAL", |one| {
            one.rules.contract = "TRADIFI_PERPETUAL".into();
        }),
        (NotPerpetual, "no contract type is told", |one| one.rules.contract = String::new()),
        (NotInQuote, "priced in USDC", |one| one.rules.quote = "USDC".into()),
        (NotInQuote, "margin is posted in A", |one| one.rules.margin_asset = "A".into()),
        (Underlying, "follows INDEX, which is no coin", |one| one.rules.underlying = "INDEX".into()),
        (Underlying, "follows PREMARKET, which is no coin", |one| one.rules.underlying = "PREMARKET".into()),
        (Underlying, "follows TradFi, which is no coin", |one| {
            one.rules.underlying = String::new();
            one.rules.tags = vec!["Crypto".into(), "TradFi".into()];
        }),
        (Pegged, "a stablecoin", |one| one.rules.base = "USDC".into()),
        (Pegged, "a wrapped token", |one| one.rules.base = "WBETH".into()),
        (Delisting, "ends on 2026-03-29", |one| one.rules.delivery = Some(now() + DAY * 9)),
        (NoVolume, "no volume known", |one| one.volume = None),
        (ThinVolume, "19.9 M traded in 24 h, the least is 20.0 M", |one| {
            one.volume = Some(Notional::from(19_949_999));
        }),
        (ThinVolume, "19999999 traded in 24 h, the least is 20.0 M", |one| {
            one.volume = Some(Notional::new(199_999_999, 1));
        }),
        (Funding, "longs pay 219 % a year, the limit is 109.5 %", |one| {
            one.funding.as_mut().unwrap().interval_hours = 4;
        }),
        (Funding, "longs receive 219 % a year, the limit is 109.5 %", |one| {
            let past = one.funding.as_mut().unwrap();
            (past.interval_hours, past.mean_rate) = (4, -past.mean_rate);
        }),
        (FundingUnknown, "its past settlements could not be read", |one| one.funding = None),
        (NoPrice, "no price known", |one| one.market = None),
        (NoPrice, "no price known", |one| one.market.as_mut().unwrap().mark.price = Price::ZERO),
        (NoBook, "no bid and ask to trade between", |one| {
            one.market.as_mut().unwrap().quote.bid = Price::ZERO;
        }),
        (NoBook, "no bid and ask to trade between", |one| {
            one.market.as_mut().unwrap().quote.ask = Price::from(9);
        }),
        (Spread, "the book is 20 bps wide, the limit is 10", |one| {
            let quote = &mut one.market.as_mut().unwrap().quote;
            (quote.bid, quote.ask) = (Price::new(999, 2), Price::new(1001, 2));
        }),
        (TooYoung, "listed 29 days ago, the least is 30 days", |one| {
            one.rules.onboard = now() - DAY * 30 + Duration::from_millis(1);
        }),
        (TooYoung, "listed 0 days ago, the least is 30 days", |one| one.rules.onboard = now() + DAY),
        (TooYoung, "the exchange does not tell since when it is listed", |one| {
            one.rules.onboard = Time::default();
        }),
        (Infeasible, "the smallest order is worth 21.00 USDT, the target is 20.00", |one| {
            one.rules.min_notional = Notional::from(21);
        }),
        // One step of 2.1 at 10 is 21.
        (Infeasible, "the smallest quantity is worth 21.00 USDT, the target is 20.00", |one| {
            one.rules.lot.step = Qty::new(21, 1);
            one.rules.lot.min = Qty::ZERO;
        }),
    ];
    let mut seen = BTreeSet::new();
    for (reason, detail, spoil) in cases {
        let mut candidate = good("AUSDT");
        spoil(&mut candidate);
        assert_eq!(alone(candidate.clone(), &wanted()).unwrap_err(), (reason, detail.to_owned()));
        // To be asked for by name is no help.
        let include = Wanted { include: list(&["AUSDT"]), ..wanted() };
        assert_eq!(alone(candidate, &include).unwrap_err().0, reason);
        seen.insert(reason);
    }
    let elsewhere = [NotListed, Leveraged, Excluded, SectorCap, Rank, Size];
    assert_eq!(seen.len() + elsewhere.len(), RejectReason::ALL.len());
    assert!(elsewhere.iter().all(|reason| !seen.contains(reason)));
}

/// A price of 7 makes the smallest order 3 × 7 = 21: no step of 1 is worth exactly 20.
#[test]
fn the_smallest_order_is_a_whole_number_of_steps() {
    let mut candidate = good("AUSDT");
    candidate.rules.lot.step = Qty::ONE;
    candidate.rules.lot.min = Qty::ONE;
    candidate.market = Some(market("7"));
    assert_eq!(alone(candidate.clone(), &wanted()).unwrap_err().0, RejectReason::Infeasible);
    let enough = Wanted { target: Notional::from(21), ..wanted() };
    assert!(alone(candidate, &enough).is_ok());
}

/// The lot of market orders counts where orders are market orders.
#[test]
fn the_lot_is_that_of_the_orders_to_come() {
    let mut candidate = good("AUSDT");
    candidate.rules.market_lot.min = Qty::from(3);
    assert!(alone(candidate.clone(), &wanted()).is_ok());
    let at_market = Wanted { market_orders: true, ..wanted() };
    assert_eq!(alone(candidate, &at_market).unwrap_err().0, RejectReason::Infeasible);
}

#[test]
fn all_that_is_wrong_is_said_and_the_first_is_the_reason() {
    let mut candidate = traded("AUSDT", 1);
    candidate.funding = None;
    candidate.rules.min_notional = Notional::from(100);
    let (reason, detail) = alone(candidate, &wanted()).unwrap_err();
    assert_eq!(reason, RejectReason::ThinVolume);
    assert_eq!(
        detail,
        "1.0 M traded in 24 h, the least is 20.0 M; its past settlements could not be read; \
         the smallest order is worth 100.00 USDT, the target is 20.00"
    );
}

#[test]
fn spot_pairs_need_neither_funding_nor_a_date() {
    let spot = Wanted { spot: true, ..wanted() };
    let mut pair = good("AUSDT");
    pair.funding = None;
    pair.rules.onboard = Time::default();
    pair.rules.contract = String::new();
    pair.rules.margin_asset = String::new();
    pair.rules.underlying = String::new();
    let coin = alone(pair.clone(), &spot).unwrap();
    assert_eq!((coin.funding_annualised, coin.interval_hours, coin.age_days), (None, None, None));
    pair.rules.onboard = now() - DAY * 29;
    assert_eq!(alone(pair, &spot).unwrap_err().0, RejectReason::TooYoung);
}

/// BTC is listed, so BTCUP is a token on it; J and SYR are not, so JUP and SYRUP are coins.
#[test]
fn leveraged_tokens_are_no_coins_of_spot() {
    let spot = Wanted { spot: true, size: 9, ..wanted() };
    let mut told = good("ODDUSDT");
    told.rules.underlying = "LEVERAGED".into();
    let mut candidates: Vec<Candidate> =
        ["BTCUSDT", "BTCUPUSDT", "BTCDOWNUSDT", "BTCBULLUSDT", "BTCBEARUSDT", "JUPUSDT", "SYRUPUSDT"]
            .map(good)
            .into();
    candidates.push(told);
    let universe = run(&candidates, &[], &spot);
    assert_eq!(chosen(&universe), ["BTCUSDT", "JUPUSDT", "SYRUPUSDT"]);
    assert_eq!(universe.rejected.len(), 5);
    assert!(universe.rejected.iter().all(|row| row.reason == RejectReason::Leveraged));
    assert!(universe.rejected.iter().all(|row| row.detail == "a leveraged token, which decays"));
    // Contracts of that name are contracts.
    assert_eq!(run(&candidates[..7], &[], &Wanted { spot: false, ..spot }).chosen.len(), 7);
}

#[test]
fn where_no_age_is_wanted_none_is_asked_for() {
    let mut undated = good("AUSDT");
    undated.rules.onboard = Time::default();
    assert_eq!(alone(undated.clone(), &wanted()).unwrap_err().0, RejectReason::TooYoung);
    assert_eq!(alone(undated, &Wanted { min_age: Duration::ZERO, ..wanted() }).unwrap().age_days, None);
}

#[test]
fn ranks_go_by_volume_then_by_name_and_only_over_what_may_be_traded() {
    let mut closed = traded("CLOSEDUSDT", 99);
    closed.rules.status = Status::read("BREAK");
    let candidates =
        [traded("CUSDT", 30), traded("BUSDT", 30), closed, traded("AUSDT", 25), traded("DUSDT", 40)];
    let universe = run(&candidates, &[], &wanted());
    let ranks: Vec<_> = universe.chosen.iter().map(|coin| (coin.rank, coin.symbol.as_str())).collect();
    assert_eq!(ranks, [(1, "DUSDT"), (2, "BUSDT"), (3, "CUSDT"), (4, "AUSDT")]);
    assert_eq!(rejected(&universe), [("CLOSEDUSDT", "not_trading")]);
    assert_eq!((universe.ranked, universe.beyond, universe.unfit), (4, 0, 0));
}

#[test]
fn the_order_of_candidates_and_a_contract_twice_change_nothing() {
    let mut candidates: Vec<Candidate> =
        (0..9).map(|at| traded(&format!("C{at}USDT"), 30 - at % 3)).collect();
    let once = run(&candidates, &["C8USDT"], &wanted());
    candidates.reverse();
    assert_eq!(run(&candidates, &["C8USDT"], &wanted()), once);
    // Of a contract that is there twice the first counts.
    candidates.extend(candidates.clone().into_iter().map(|one| Candidate { volume: None, ..one }));
    assert_eq!(run(&candidates, &["C8USDT"], &wanted()), once);
    assert_eq!(once.chosen.len(), 5);
}

/// `count` coins, the first with the largest volume: `C001USDT` has rank 1.
fn ladder(count: u32) -> Vec<Candidate> {
    (1..=count).map(|rank| traded(&format!("C{rank:03}USDT"), 1000 - rank)).collect()
}

#[test]
fn a_newcomer_enters_at_rank_fifty_and_not_at_fifty_one() {
    let roomy = Wanted { size: 90, ..wanted() };
    let universe = run(&ladder(80), &[], &roomy);
    assert_eq!(chosen(&universe).last(), Some(&"C050USDT"));
    assert_eq!((universe.chosen.len(), universe.beyond, universe.rejected.len()), (50, 30, 0));
    assert_eq!(universe.added.len(), 50);
}

#[test]
fn a_member_stays_at_rank_seventy_and_leaves_at_seventy_one() {
    let roomy = Wanted { size: 90, ..wanted() };
    let universe = run(&ladder(80), &["C070USDT", "C071USDT", "C001USDT"], &roomy);
    let how =
        |name: &str| universe.chosen.iter().find(|coin| coin.symbol.as_str() == name).map(|coin| coin.how);
    assert_eq!((how("C070USDT"), how("C071USDT"), how("C069USDT")), (Some(How::Kept), None, None));
    assert_eq!((how("C001USDT"), how("C002USDT")), (Some(How::Kept), Some(How::New)));
    assert_eq!(universe.chosen.len(), 51);
    assert_eq!(universe.beyond, 28);
    let [gone] = universe.removed.as_slice() else { panic!("{:?}", universe.removed) };
    assert_eq!((gone.symbol.as_str(), gone.reason), ("C071USDT", RejectReason::Rank));
    assert_eq!(gone.detail, "rank 71, a member stays down to rank 70");
    assert_eq!(universe.added.len(), 49);
}

/// What nobody is judged by need not be read: without it the same universe is found.
#[test]
fn funding_is_needed_of_those_that_are_judged_and_of_no_others() {
    let mut candidates = ladder(80);
    candidates[60].rules.status = Status::read("SETTLING");
    let members = set(&["C061USDT", "C065USDT", "C075USDT"]);
    let asked = Wanted { size: 60, include: list(&["C078", "C079USDT"]), ..wanted() };
    let judged = judged(&candidates, &members, &asked, &Sectors::builtin());
    let first: Vec<Symbol> = (1..=50).map(|rank| symbol(&format!("C{rank:03}USDT"))).collect();
    assert_eq!(judged[..50], first);
    assert_eq!(judged[50..], list(&["C065USDT", "C075USDT", "C078USDT", "C079USDT"]));

    let whole = scan(&candidates, &[], &members, &asked, &Sectors::builtin(), now());
    for candidate in &mut candidates {
        candidate.funding = candidate.funding.filter(|_| judged.contains(&candidate.rules.symbol));
    }
    assert_eq!(scan(&candidates, &[], &members, &asked, &Sectors::builtin(), now()), whole);
    assert!(chosen(&whole).contains(&"C079USDT"));
}

#[test]
fn a_member_is_never_held_to_less_than_a_newcomer() {
    let strict = Wanted { size: 90, keep_rank: 10, ..wanted() };
    let universe = run(&ladder(60), &["C050USDT", "C051USDT"], &strict);
    assert!(chosen(&universe).contains(&"C050USDT"));
    assert_eq!(universe.removed.len(), 1);
}

/// Two places: the member at rank 4 comes before the newcomers at 1 to 3, the included coin at rank
/// 60 before both; who is left finds no place.
#[test]
fn places_go_to_included_coins_then_members_then_newcomers() {
    let small = Wanted { size: 3, include: list(&["C060USDT"]), ..wanted() };
    let universe = run(&ladder(60), &["C004USDT", "C055USDT"], &small);
    assert_eq!(chosen(&universe), ["C004USDT", "C055USDT", "C060USDT"]);
    let how: Vec<How> = universe.chosen.iter().map(|coin| coin.how).collect();
    assert_eq!(how, [How::Kept, How::Kept, How::Included]);
    assert_eq!(universe.rejected.len(), 49);
    assert!(universe.rejected.iter().all(|row| row.reason == RejectReason::Size));
    assert_eq!((universe.beyond, universe.rejected[0].detail.as_str()), (8, "all 3 places are taken"));
    assert_eq!(universe.added, list(&["C060USDT"]));

    // Of several members the higher rank comes first, whatever their names.
    let two = run(
        &ladder(60),
        &["C010USDT", "C020USDT", "C005USDT", "C007USDT"],
        &Wanted { include: vec![], ..small },
    );
    assert_eq!(chosen(&two), ["C005USDT", "C007USDT", "C010USDT"]);
    let [gone] = two.removed.as_slice() else { panic!("{:?}", two.removed) };
    assert_eq!((gone.symbol.as_str(), gone.reason), ("C020USDT", RejectReason::Size));
}

/// A fifth of ten is two: the third of a sector finds it full, in OTHER too, included or not.
#[test]
fn a_sector_holds_at_most_its_cap() {
    let names = ["ETH", "SOL", "ADA", "PEPE", "AUNKNOWN", "BUNKNOWN", "CUNKNOWN", "AAVE"];
    let candidates: Vec<Candidate> =
        (0..).zip(names).map(|(at, name)| traded(&format!("{name}USDT"), 900 - at)).collect();
    let ten = Wanted { size: 10, sector_cap: Rate::new(20, 2), ..wanted() };
    let universe = run(&candidates, &[], &ten);
    assert_eq!(
        chosen(&universe),
        ["ETHUSDT", "SOLUSDT", "PEPEUSDT", "AUNKNOWNUSDT", "BUNKNOWNUSDT", "AAVEUSDT"]
    );
    assert_eq!(rejected(&universe), [("ADAUSDT", "sector_cap"), ("CUNKNOWNUSDT", "sector_cap")]);
    assert_eq!(universe.rejected[0].detail, "L1/L2 is full: 2 of 2");
    let counts: Vec<_> = universe
        .sectors
        .iter()
        .filter(|row| row.count > 0)
        .map(|row| (row.sector.as_str(), row.count))
        .collect();
    assert_eq!(counts, [("MEME", 1), ("L1/L2", 2), ("DEFI", 1), ("OTHER", 2)]);
    assert!(universe.sectors.len() == 9 && universe.sectors.iter().all(|row| row.cap == 2));

    let with = Wanted { include: list(&["ADAUSDT", "SOL", "ETH"]), ..ten };
    let universe = run(&candidates, &[], &with);
    assert_eq!(rejected(&universe), [("ADAUSDT", "sector_cap"), ("CUNKNOWNUSDT", "sector_cap")]);
    assert_eq!(universe.chosen[0].how, How::Included);
}

#[test]
fn a_cap_is_whole_coins_rounded_down() {
    for (size, cap, coins) in
        [(20, 20, 4), (19, 20, 3), (14, 20, 2), (5, 20, 1), (4, 20, 0), (40, 100, 40), (3, 0, 0)]
    {
        let wanted = Wanted { size, sector_cap: Rate::new(cap, 2), ..wanted() };
        assert_eq!(wanted.cap(), coins, "{cap} % of {size}");
    }
    let none = run(&ladder(3), &[], &Wanted { size: 4, sector_cap: Rate::new(20, 2), ..wanted() });
    assert_eq!((none.chosen.len(), none.rejected.len()), (0, 3));
}

#[test]
fn what_is_excluded_is_named_by_contract_or_coin() {
    let candidates = [traded("1000PEPEUSDT", 30), traded("AUSDT", 30), traded("BUSDT", 5)];
    for name in ["1000PEPEUSDT", "1000PEPE", "PEPE"] {
        let without = Wanted { exclude: list(&[name]), ..wanted() };
        let universe = run(&candidates, &["1000PEPEUSDT"], &without);
        assert_eq!(chosen(&universe), ["AUSDT"], "{name}");
        assert_eq!(universe.removed[0].reason, RejectReason::Excluded);
        assert_eq!(universe.chosen[0].rank, 1, "who is excluded has no rank");
    }
    // However little is traded, who is excluded is told.
    let universe = run(
        &[ladder(60), vec![traded("ZUSDT", 1)]].concat(),
        &[],
        &Wanted { exclude: list(&["Z"]), ..wanted() },
    );
    assert!(rejected(&universe).contains(&("ZUSDT", "excluded")));
}

#[test]
fn who_is_not_listed_is_told_once() {
    let wanted = Wanted { include: list(&["GHOST", "ZUSDT", "PEPE"]), ..wanted() };
    let candidates = [traded("AUSDT", 30), traded("1000PEPEUSDT", 30)];
    let unlisted = list(&["NEWUSDT", "ZUSDT", "AUSDT"]);
    let members = set(&["OLDUSDT", "ZUSDT", "AUSDT"]);
    let universe = scan(&candidates, &unlisted, &members, &wanted, &Sectors::builtin(), now());
    let expected = ["GHOST", "NEWUSDT", "OLDUSDT", "ZUSDT"].map(|name| (name, "not_listed"));
    assert_eq!(rejected(&universe), expected);
    assert_eq!(
        universe.removed.iter().map(|row| row.symbol.as_str()).collect::<Vec<_>>(),
        ["OLDUSDT", "ZUSDT"]
    );
    assert_eq!(chosen(&universe), ["1000PEPEUSDT", "AUSDT"]);
}

/// Sixty coins are ranked: rank 50 trades 950 M. Who fails a requirement is told from there on, and
/// below it only where somebody would miss it.
#[test]
fn hundreds_that_nobody_misses_are_only_counted() {
    let unfit = |name: &str, millions| {
        let mut one = traded(name, millions);
        one.rules.status = Status::read("SETTLING");
        one
    };
    let mut in_usdc = traded("C001USDC", 1);
    (in_usdc.rules.base, in_usdc.rules.quote) = ("C001".into(), "USDC".into());
    let some = [
        unfit("LARGEUSDT", 950),
        unfit("SMALLUSDT", 949),
        unfit("MEMBERUSDT", 1),
        unfit("WISHUSDT", 1),
        in_usdc,
    ];
    let candidates = [ladder(60), some.to_vec()].concat();
    let wanted = Wanted { include: list(&["WISH", "C001"]), ..wanted() };
    let universe = run(&candidates, &["MEMBERUSDT"], &wanted);
    let closed: Vec<_> =
        universe.rejected.iter().filter(|row| row.rank.is_none()).map(|row| row.symbol.as_str()).collect();
    assert_eq!(closed, ["LARGEUSDT", "MEMBERUSDT", "WISHUSDT"]);
    assert_eq!((universe.unfit, universe.beyond, universe.ranked), (2, 10, 60));
    assert_eq!(universe.removed[0].reason, RejectReason::NotTrading);
}

/// Below rank 70 a member leaves for its danger, not for its rank.
#[test]
fn danger_is_said_before_rank() {
    let mut candidates = ladder(80);
    candidates[74].funding = None;
    candidates[59].funding = None;
    candidates[49].funding = None;
    let universe = run(&candidates, &["C075USDT"], &Wanted { size: 1, ..wanted() });
    let unsafe_now: Vec<_> =
        rejected(&universe).into_iter().filter(|row| row.1 == "funding_unknown").map(|row| row.0).collect();
    assert_eq!(unsafe_now, ["C050USDT", "C075USDT"], "nobody looks at a newcomer at rank 60");
    assert_eq!(universe.removed[0].reason, RejectReason::FundingUnknown);
}

#[test]
fn nothing_in_nothing_out() {
    let universe = run(&[], &[], &wanted());
    assert_eq!((universe.chosen.len(), universe.rejected.len(), universe.sectors.len()), (0, 0, 9));
    let none = Wanted { top: 0, size: 0, keep_rank: 0, ..wanted() };
    assert_eq!(run(&ladder(3), &[], &none).chosen.len(), 0);
}

#[test]
fn codes_are_told_apart() {
    let codes: BTreeSet<&str> = RejectReason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(codes.len(), RejectReason::ALL.len());
    assert!(RejectReason::ALL.is_sorted() && RejectReason::ALL.is_sorted_by_key(|reason| reason.stage()));
}
