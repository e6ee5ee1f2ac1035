//! Each check at its limit and one step to both sides, with numbers worked by hand.

use super::*;
use crate::decide::nav::Nav;
use crate::decide::risk::Limits;
use crate::decide::samples::{coin, limits, snapshot, symbol};
use crate::domain::account::Health;
use crate::domain::snapshot::Snapshot;
use crate::report::heading::Heading;
use crate::report::risk::RiskReport;

/// What a test changes before the figures are made.
struct Account {
    snapshot: Snapshot,
    nav: Nav,
    limits: Limits,
    coins: usize,
    gross_target: Notional,
    halt: Option<String>,
    unresolved: usize,
    quarantined: BTreeMap<Symbol, Time>,
    last_good_pass: Option<Time>,
}

/// Equity of 200; BTC, ARB and DOGE at 10, of which 10, 10 and 20 are held: 400 gross, each of
/// another sector (PAYMENT, L1/L2, MEME). At a maintenance rate of 1 % that is 4.
fn account() -> Account {
    let mut snapshot = snapshot(
        200,
        vec![coin("BTCUSDT", "10", "10"), coin("ARBUSDT", "10", "10"), coin("DOGEUSDT", "10", "20")],
    );
    snapshot.at = Time::clamped(10_000_000);
    Account {
        snapshot,
        nav: Nav::first(Notional::from(200)),
        limits: limits(),
        coins: 0,
        gross_target: Notional::ZERO,
        halt: None,
        unresolved: 0,
        quarantined: BTreeMap::new(),
        last_good_pass: Some(Time::clamped(9_900_000)),
    }
}

impl Account {
    fn report(&self) -> RiskReport {
        let health = Health { key: Err("paper".into()), indicators: Err("paper".into()) };
        RiskReport::new(RiskInputs {
            heading: Heading::default(),
            quote: "USDT",
            snapshot: &self.snapshot,
            nav: &self.nav,
            limits: &self.limits,
            sector_cap: Rate::new(5, 1),
            coins: self.coins,
            gross_target: self.gross_target,
            halt: self.halt.clone(),
            flat: false,
            unresolved: self.unresolved,
            stops: None,
            quarantined: &self.quarantined,
            last_good_pass: self.last_good_pass,
            interval: Duration::from_secs(300),
            health: &health,
            paper: true,
            spot: false,
        })
    }

    fn check(&self, name: &str) -> Check {
        self.report().checks.into_iter().find(|check| check.name == name).unwrap()
    }
}

/// Changes an account, and says what the check of that name must be then.
fn expect(name: &str, change: impl FnOnce(&mut Account), status: Status, value: &str, limit: &str) -> Check {
    let mut account = account();
    change(&mut account);
    let check = account.check(name);
    assert_eq!(
        (check.status, check.value.to_string().as_str(), check.limit.to_string().as_str()),
        (status, value, limit),
        "{check:?}"
    );
    check
}

fn books(account: &mut Account, name: &str, bid: &str, ask: &str) {
    let market = account.snapshot.coins.get_mut(&symbol(name)).unwrap().market.as_mut().unwrap();
    market.quote.bid = bid.parse().unwrap();
    market.quote.ask = ask.parse().unwrap();
}

fn liquidates(account: &mut Account, name: &str, qty: &str, at: &str) {
    let coin = account.snapshot.coins.get_mut(&symbol(name)).unwrap();
    let position = coin.position.as_mut().unwrap();
    position.qty = qty.parse().unwrap();
    position.liquidation_price = Some(at.parse().unwrap());
}

/// The equity at which 400 gross are so many times as much.
fn leveraged(account: &mut Account, equity: &str) {
    account.snapshot.balance.equity = equity.parse().unwrap();
}

#[test]
fn drawdown_is_near_from_seven_tenths_of_its_limit_on_and_broken_at_it() {
    let fallen = |nav: i64| {
        move |account: &mut Account| {
            account.nav = Nav { units: Rate::from(200), nav: Notional::new(nav, 2), peak: Notional::from(2) };
        }
    };
    // 1 - 1.59 / 2 = 20.5 %; 0.7 of 30 % is 21 %.
    expect("drawdown", fallen(159), Status::Ok, "0.205", "0.3");
    expect("drawdown", fallen(158), Status::Warn, "0.21", "0.3");
    expect("drawdown", fallen(141), Status::Warn, "0.295", "0.3");
    expect("drawdown", fallen(140), Status::Breach, "0.3", "0.3");
}

#[test]
fn leverage_is_near_from_nine_tenths_on_and_broken_beyond() {
    expect("effective_leverage", |_| {}, Status::Ok, "2", "3");
    expect("effective_leverage", |account| leveraged(account, "160"), Status::Ok, "2.5", "3");
    expect("effective_leverage", |account| leveraged(account, "146.25"), Status::Warn, "2.73504274", "3");
    let at_limit = |account: &mut Account| {
        leveraged(account, "100");
        account.limits.max_effective_leverage = Rate::from(4);
    };
    expect("effective_leverage", at_limit, Status::Warn, "4", "4");
    expect("effective_leverage", |account| leveraged(account, "133"), Status::Breach, "3.0075188", "3");
    expect("effective_leverage", |account| leveraged(account, "0"), Status::Breach, "999", "3");
}

#[test]
fn margin_ratio_warns_from_a_half_and_breaks_at_four_fifths() {
    let needs = |margin: &'static str| {
        move |account: &mut Account| account.snapshot.balance.maint_margin = margin.parse().unwrap()
    };
    expect("margin_ratio", |_| {}, Status::Ok, "0.02", "0.8");
    expect("margin_ratio", needs("99.9"), Status::Ok, "0.4995", "0.8");
    expect("margin_ratio", needs("100"), Status::Warn, "0.5", "0.8");
    expect("margin_ratio", needs("159.9"), Status::Warn, "0.7995", "0.8");
    expect("margin_ratio", needs("160"), Status::Breach, "0.8", "0.8");
    let ruined = |account: &mut Account| account.snapshot.balance.equity = -Notional::ONE;
    expect("margin_ratio", ruined, Status::Breach, "999", "0.8");
    let empty = |account: &mut Account| {
        account.snapshot.balance.equity = Notional::ZERO;
        account.snapshot.balance.maint_margin = Notional::ZERO;
    };
    expect("margin_ratio", empty, Status::Ok, "0", "0.8");
}

#[test]
fn the_whole_account_is_near_liquidation_by_a_fall_of_all_coins() {
    // (E - 4) / (400 - 4): at 200 that is 49.49 %; 20 % at E = 83.2, 22.2 % at 92.
    expect("liquidation_distance", |_| {}, Status::Ok, "0.49494949", "0.2");
    expect("liquidation_distance", |account| leveraged(account, "93"), Status::Ok, "0.22474747", "0.2");
    expect("liquidation_distance", |account| leveraged(account, "91"), Status::Warn, "0.21969697", "0.2");
    expect("liquidation_distance", |account| leveraged(account, "83.2"), Status::Warn, "0.2", "0.2");
    expect("liquidation_distance", |account| leveraged(account, "83"), Status::Breach, "0.19949495", "0.2");
    expect("liquidation_distance", |account| leveraged(account, "500"), Status::Ok, "none", "0.2");
    // BTC's 100 need nothing as far as is known: (200 - 3) / (400 - 3).
    let untiered = |account: &mut Account| {
        account.snapshot.coins.get_mut(&symbol("BTCUSDT")).unwrap().brackets.clear();
    };
    let check = expect("liquidation_distance", untiered, Status::Warn, "0.49622166", "0.2");
    assert_eq!(check.subject.as_deref(), Some("BTCUSDT"));
}

#[test]
fn the_coin_nearest_to_its_own_liquidation_is_named() {
    let name = "coin_liquidation_distance";
    expect(name, |_| {}, Status::Ok, "none", "0.2");
    let two = |near: &'static str| {
        move |account: &mut Account| {
            liquidates(account, "BTCUSDT", "10", "1");
            liquidates(account, "ARBUSDT", "10", near);
        }
    };
    // From a mark of 10: 23 %, 22 %, 20 %, 19 %, and beyond it.
    assert_eq!(expect(name, two("7.7"), Status::Ok, "0.23", "0.2").subject.as_deref(), Some("ARBUSDT"));
    expect(name, two("7.8"), Status::Warn, "0.22", "0.2");
    expect(name, two("8"), Status::Warn, "0.2", "0.2");
    expect(name, two("8.1"), Status::Breach, "0.19", "0.2");
    expect(name, two("10.5"), Status::Breach, "0", "0.2");
    // A short position is liquidated above its mark.
    expect(name, |account| liquidates(account, "BTCUSDT", "-10", "11"), Status::Breach, "0.1", "0.2");
    expect(name, |account| liquidates(account, "BTCUSDT", "-10", "14"), Status::Ok, "0.4", "0.2");
}

#[test]
fn the_largest_coin_is_held_against_twice_an_equal_share() {
    // DOGE is 200 of 400. Three held coins allow 2/3, four wanted 2/4, five 2/5.
    expect("coin_share", |_| {}, Status::Ok, "0.5", "0.66666667");
    expect("coin_share", |account| account.coins = 4, Status::Ok, "0.5", "0.5");
    let five = expect("coin_share", |account| account.coins = 5, Status::Warn, "0.5", "0.4");
    assert_eq!(five.subject.as_deref(), Some("DOGEUSDT"));
    // A basket half bought: 200 of the 1000 that are wanted.
    let filling = |account: &mut Account| {
        account.coins = 5;
        account.gross_target = Notional::from(1000);
    };
    expect("coin_share", filling, Status::Ok, "0.2", "0.4");
    expect("coin_share", |account| account.coins = 1, Status::Ok, "0.5", "1");
    expect("coin_share", |account| account.snapshot.coins.clear(), Status::Ok, "0", "1");
}

#[test]
fn the_largest_sector_is_held_against_the_cap() {
    // MEME is 200 of 400 and L1/L2 100; another 100 of L1/L2 make 200 of 500, and 300 of 600.
    let more = |names: &'static [&'static str]| {
        move |account: &mut Account| {
            for name in names {
                account.snapshot.coins.insert(symbol(name), coin(name, "10", "10"));
            }
        }
    };
    assert_eq!(expect("sector_share", |_| {}, Status::Ok, "0.5", "0.5").subject.as_deref(), Some("MEME"));
    expect("sector_share", more(&["ETHUSDT"]), Status::Ok, "0.4", "0.5");
    let chains = expect(
        "sector_share",
        more(&["ETHUSDT", "SOLUSDT", "AVAXUSDT", "OPUSDT"]),
        Status::Warn,
        "0.625",
        "0.5",
    );
    assert_eq!(chains.subject.as_deref(), Some("L1/L2"));
    assert_eq!(chains.detail, "L1/L2: 5 coins worth 500.00");
}

#[test]
fn the_widest_book_is_named_and_a_missing_one_is_no_pass() {
    let name = "spread_bps";
    expect(name, |_| {}, Status::Ok, "2", "30");
    let at = expect(name, |account| books(account, "ARBUSDT", "9.985", "10.015"), Status::Ok, "30", "30");
    assert_eq!(at.subject.as_deref(), Some("ARBUSDT"));
    expect(name, |account| books(account, "ARBUSDT", "9.98", "10.02"), Status::Warn, "40", "30");
    let blind = |account: &mut Account| {
        account.snapshot.coins.get_mut(&symbol("DOGEUSDT")).unwrap().market = None;
    };
    let missing = expect(name, blind, Status::Warn, "2", "30");
    assert_eq!(missing.subject.as_deref(), Some("DOGEUSDT"));
    assert_eq!(missing.detail, "not verifiable, no book: DOGEUSDT");
    expect(name, |account| account.snapshot.coins.clear(), Status::Ok, "none", "30");
}

#[test]
fn a_mark_far_from_its_book_is_told() {
    // A mark of 10 and a mid of 9.7 are 3.09 % apart, a mid of 9.8 is 2.04 %.
    expect("mark_gap", |account| books(account, "BTCUSDT", "9.8", "9.8"), Status::Ok, "0.02040816", "0.03");
    expect("mark_gap", |account| books(account, "BTCUSDT", "9.7", "9.7"), Status::Warn, "0.03092784", "0.03");
    expect(
        "mark_gap",
        |account| books(account, "BTCUSDT", "10.4", "10.4"),
        Status::Warn,
        "0.03846154",
        "0.03",
    );
}

#[test]
fn unresolved_orders_are_told_with_their_fences() {
    expect("unresolved_orders", |_| {}, Status::Ok, "0", "0");
    let one = |account: &mut Account| {
        account.unresolved = 1;
        account.quarantined.insert(symbol("BTCUSDT"), Time::clamped(10_005_000));
    };
    let check = expect("unresolved_orders", one, Status::Warn, "1", "0");
    assert!(check.detail.contains("BTCUSDT until 1970-01-01T02:46:45.000Z"), "{}", check.detail);
}

#[test]
fn three_missed_passes_are_a_silence() {
    let at = |ms| move |account: &mut Account| account.last_good_pass = Some(Time::clamped(ms));
    // Now is 10 000 s; 3 × 300 s before it is 9 100 s.
    expect("last_pass_age_s", at(9_100_000), Status::Ok, "900", "900");
    expect("last_pass_age_s", at(9_099_999), Status::Warn, "900", "900");
    expect("last_pass_age_s", at(9_099_000), Status::Warn, "901", "900");
    expect("last_pass_age_s", |account| account.last_good_pass = None, Status::Ok, "no pass yet", "900");
}

#[test]
fn the_exit_code_is_that_of_the_worst() {
    let code = |change: fn(&mut Account)| {
        let mut account = account();
        change(&mut account);
        let report = account.report();
        (report.exit_code, report.halted, report.halt_id.is_some())
    };
    assert_eq!(code(|_| {}), (0, false, false));
    assert_eq!(code(|account| account.last_good_pass = Some(Time::default())), (0, false, false));
    assert_eq!(code(|account| account.unresolved = 1), (5, false, false));
    assert_eq!(code(|account| leveraged(account, "100")), (5, false, false));
    assert_eq!(code(|account| account.halt = Some("h1".into())), (6, true, true));
}

#[test]
fn the_figures_themselves_are_told_too() {
    let mut account = account();
    account.nav = Nav { units: Rate::from(200), nav: Notional::new(9, 1), peak: Notional::new(12, 1) };
    let report = account.report();
    assert_eq!((report.nav, report.peak_nav), (Rate::new(9, 1), Rate::new(12, 1)));
    assert_eq!((report.drawdown, report.max_drawdown), (Rate::new(25, 2), Rate::new(3, 1)));
    assert_eq!((report.effective_leverage, report.margin_ratio), (Rate::from(2), Rate::new(2, 2)));
    // On paper neither the key nor the exchange's judgement is a figure.
    assert_eq!(report.checks.len(), 11);
}
