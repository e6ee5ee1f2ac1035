//! Invented risk checks, scans and funding reports for the tests of every format.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::decide::audit::Audit;
use crate::decide::funding::Due;
use crate::decide::nav::Nav;
use crate::decide::samples::{coin, limits, market, snapshot, symbol};
use crate::decide::scan::{Wanted, scan};
use crate::decide::sector::Sectors;
use crate::domain::account::{Health, Indicator, KeyPermissions};
use crate::domain::candidate::{Candidate, FundingPast};
use crate::domain::entry::Entry;
use crate::domain::num::{Notional, Qty, Rate};
use crate::domain::rules::tests::plain;
use crate::domain::rules::{Rules, Status};
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Time;
use crate::report::funding::{Difference, FundingInputs, FundingReport, Missing, Standing};
use crate::report::heading::Heading;
use crate::report::risk::{RiskInputs, RiskReport};
use crate::report::scan::{Ranking, ScanReport};

fn heading(mode: &str) -> Heading {
    Heading {
        at: "2026-11-20T08:29:39.973Z".parse().unwrap(),
        profile: "rebal".into(),
        mode: mode.into(),
        venue: "binance-usdm".into(),
    }
}

fn key() -> KeyPermissions {
    KeyPermissions { reading: true, futures: true, ip_restricted: true, ..KeyPermissions::default() }
}

/// Ten coins of 40 on an equity of 200, each of another sector as far as there are so many.
fn account() -> Snapshot {
    let names = ["BTC", "ETH", "1000PEPE", "WIF", "FET", "AAVE", "LINK", "GALA", "ONDO", "币安人生"];
    let coins = names.iter().map(|name| coin(&format!("{name}USDT"), "10", "4")).collect();
    Snapshot { at: heading("live").at, ..snapshot(200, coins) }
}

fn report_of(snapshot: &Snapshot, nav: &Nav, health: &Health, paper: bool) -> RiskReport {
    RiskReport::new(RiskInputs {
        heading: heading(if paper { "paper" } else { "live" }),
        quote: "USDT",
        snapshot,
        nav,
        limits: &limits(),
        sector_cap: Rate::new(20, 2),
        coins: 10,
        gross_target: Notional::from(400),
        halt: None,
        flat: false,
        unresolved: 0,
        stops: None,
        quarantined: &BTreeMap::new(),
        last_good_pass: Some(snapshot.at - Duration::from_secs(312)),
        interval: Duration::from_secs(300),
        health,
        paper,
        spot: false,
    })
}

/// A paper account in good order.
pub(crate) fn calm() -> RiskReport {
    let health = Health { key: Err("paper".into()), indicators: Err("paper".into()) };
    report_of(&account(), &Nav::first(Notional::from(200)), &health, true)
}

/// A live account near its stop, with a wide book, a short-lived and dangerous key.
pub(crate) fn troubled() -> RiskReport {
    let mut snapshot = account();
    let market = snapshot.coins.get_mut(&symbol("WIFUSDT")).unwrap().market.as_mut().unwrap();
    market.quote.ask = "10.044".parse().unwrap();
    let position = snapshot.coins.get_mut(&symbol("1000PEPEUSDT")).unwrap().position.as_mut();
    position.unwrap().liquidation_price = Some("8.5".parse().unwrap());
    let nav = Nav { units: Rate::from(200), nav: Notional::from(1), peak: Notional::new(13, 1) };
    let ratio = |name: &str, scope: &str, value: i64| Indicator {
        scope: scope.into(),
        name: name.into(),
        value: Rate::new(value, 3),
        trigger: Rate::new(995, 3),
        locked: false,
        recovers: None,
    };
    let health = Health {
        key: Ok(KeyPermissions {
            withdrawals: true,
            expires: Some(snapshot.at + Duration::from_secs(864_000)),
            ..key()
        }),
        indicators: Ok(vec![ratio("UFR", "BTCUSDT", 50), ratio("IFER", "1000PEPEUSDT", 981)]),
    };
    report_of(&snapshot, &nav, &health, false)
}

/// A contract that traded so many thousands and whose longs paid so much per 8 h, in millionths.
fn candidate(name: &str, thousands: u32, paid: i64) -> Candidate {
    let at = heading("paper").at;
    Candidate {
        rules: Rules { onboard: at - Duration::from_secs(86_400 * 400), ..plain(&format!("{name}USDT")) },
        market: Some(market("10")),
        volume: Some(Notional::from(thousands) * Rate::from(1000)),
        funding: Some(FundingPast { interval_hours: 8, mean_rate: Rate::new(paid, 6), prints: 21 }),
    }
}

fn candidates() -> Vec<Candidate> {
    let mut all = vec![
        candidate("BTC", 14_391_120, 41),
        candidate("ETH", 9_870_400, -12),
        candidate("SOL", 3_100_000, 100),
        candidate("ADA", 900_000, 0),
        candidate("1000PEPE", 409_600, -135),
        candidate("SIREN", 380_000, -1534),
        candidate("XAU", 350_000, 0),
        candidate("币安人生", 120_300, 78),
        candidate("AAVE", 60_000, 55),
        candidate("FET", 19_949, 10),
        candidate("OLD", 9000, 10),
        candidate("THIN", 800, 10),
    ];
    all[6].rules.contract = "TRADIFI_PERPETUAL".into();
    all[8].funding = all[8].funding.map(|past| FundingPast { interval_hours: 4, ..past });
    all[10].rules.status = Status::read("SETTLING");
    all
}

fn scanned(size: usize, sector_cap: Rate, members: &[&str]) -> ScanReport {
    let wanted = Wanted {
        size,
        top: 10,
        keep_rank: 14,
        sector_cap,
        max_funding_annual: Rate::ONE,
        min_volume: Notional::from(20_000_000),
        max_spread_bps: Rate::from(10),
        min_age: Duration::from_secs(30 * 86_400),
        include: vec![symbol("AAVEUSDT")],
        exclude: Vec::new(),
        target: Notional::from(20),
        market_orders: false,
        quote: "USDT".into(),
        spot: false,
    };
    let members = members.iter().map(|name| symbol(name)).collect();
    let heading = heading("paper");
    let universe = scan(&candidates(), &[], &members, &wanted, &Sectors::builtin(), heading.at);
    let ranking = Ranking { source: "tradingview", fallback: None, at: heading.at, from_cache: false };
    ScanReport::new(heading, &wanted, universe, ranking)
}

/// Six places, all taken; one coin comes, one goes.
pub(crate) fn universe() -> ScanReport {
    scanned(6, Rate::new(34, 2), &["BTCUSDT", "ETHUSDT", "SOLUSDT", "1000PEPEUSDT", "OLDUSDT", "AAVEUSDT"])
}

/// Six of twenty places, ranked by another source than the one that was asked for.
pub(crate) fn short_universe() -> ScanReport {
    let report = scanned(20, Rate::new(10, 2), &[]);
    ScanReport {
        source: "exchange",
        fallback: Some("the screener answered 429 (too many requests)\u{1b}[2J".into()),
        applied: true,
        show_rejected: true,
        notes: vec!["unknown field x: asked again with the fewest columns".into()],
        ..report
    }
}

/// The same universe from a list that the screener gave hours ago.
pub(crate) fn old_universe() -> ScanReport {
    let report = universe();
    let source_at = report.heading.at - Duration::from_secs(11_537);
    ScanReport { source_at, source_age_s: 11_537, from_cache: true, ..report }
}

fn row(minutes: u64, symbol: &str, amount: &str) -> Entry {
    Entry {
        at: funding_start() + Duration::from_secs(60 * minutes),
        kind: "FUNDING_FEE".into(),
        symbol: symbol.into(),
        amount: amount.parse().unwrap(),
        asset: "USDT".into(),
        tran_id: 0,
        trade_id: String::new(),
    }
}

fn funding_start() -> Time {
    "2026-11-19T08:00:03.120Z".parse().unwrap()
}

fn standing(qty: i64, mark: &str, rate: &str, hours: u32) -> Standing {
    // The next whole interval after 08:29.
    let at: Time = if hours == 8 { "2026-11-20T16:00:00Z" } else { "2026-11-20T09:00:00Z" }.parse().unwrap();
    Standing {
        qty: Qty::new(qty, 0),
        mark: Some(mark.parse().unwrap()),
        due: Some(Due { at, rate: rate.parse().unwrap(), interval_hours: hours }),
        listed: true,
    }
}

/// BTC pays, 币安人生 pays hourly, a short of WIF receives; OLD is gone. 30 came in from outside.
fn funding_inputs<'a>(entries: &'a [Entry], equity: &str) -> FundingInputs<'a> {
    let standings = [
        ("BTCUSDT", standing(2, "50", "0.0001", 8)),
        ("币安人生USDT", standing(1000, "0.2", "0.0004", 1)),
        ("WIFUSDT", standing(-40, "0.5", "0.0002", 8)),
        ("OLDUSDT", Standing::default()),
    ];
    FundingInputs {
        heading: heading("live"),
        quote: "USDT",
        start: Some((funding_start(), Notional::from(200))),
        equity: equity.parse().unwrap(),
        entries,
        standings: standings.into_iter().map(|(name, one)| (symbol(name), one)).collect(),
        audit: Audit { compared: 31, ..Audit::default() },
        compared_from: Some(funding_start() + Duration::from_secs(60)),
    }
}

fn funding_rows() -> Vec<Entry> {
    let mut rows = vec![row(480, "BTCUSDT", "-0.01"), row(960, "BTCUSDT", "-0.01")];
    rows.extend([
        row(60, "币安人生USDT", "-1.92"),
        row(480, "WIFUSDT", "0.004"),
        row(481, "OLDUSDT", "-0.3"),
    ]);
    rows.push(Entry { kind: "TRANSFER".into(), ..row(500, "", "30") });
    rows
}

/// Earned 12.236 before 2.236 of funding.
pub(crate) fn paid_funding() -> FundingReport {
    let mut report = FundingReport::new(funding_inputs(&funding_rows(), "240"));
    report.notes = vec!["no longer listed at the exchange: OLDUSDT".into()];
    report
}

/// Earned 1.236 before 2.236 of funding, one charge differs, one row is missing.
pub(crate) fn dear_funding() -> FundingReport {
    let rows = funding_rows();
    let mut inputs = funding_inputs(&rows, "229");
    let at = funding_start() + Duration::from_secs(60 * 480);
    inputs.audit.differences = vec![Difference {
        symbol: "BTCUSDT".into(),
        at,
        charged: "-0.012".parse().unwrap(),
        expected: Some("-0.01".parse().unwrap()),
        detail: "2 held at a mark of 50 and a rate of 0.0001\u{1b}[2J".into(),
    }];
    inputs.audit.missing = vec![Missing {
        symbol: "WIFUSDT".into(),
        at,
        expected: "0.004".parse().unwrap(),
        detail: "-40 held at a mark of 0.5 and a rate of 0.0002".into(),
    }];
    inputs.audit.unknown = 2;
    FundingReport::new(inputs)
}

/// Before the first pass.
pub(crate) fn no_funding() -> FundingReport {
    let inputs = funding_inputs(&[], "200");
    FundingReport::new(FundingInputs {
        start: None,
        compared_from: None,
        audit: Audit::default(),
        standings: BTreeMap::new(),
        ..inputs
    })
}
