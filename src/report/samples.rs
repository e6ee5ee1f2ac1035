//! Invented risk checks for the tests of every format.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::decide::nav::Nav;
use crate::decide::samples::{coin, limits, snapshot, symbol};
use crate::domain::account::{Health, Indicator, KeyPermissions};
use crate::domain::num::{Notional, Rate};
use crate::domain::snapshot::Snapshot;
use crate::report::heading::Heading;
use crate::report::risk::{RiskInputs, RiskReport};

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
        quarantined: &BTreeMap::new(),
        last_good_pass: Some(snapshot.at - Duration::from_secs(312)),
        interval: Duration::from_secs(300),
        health,
        paper,
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
