//! Books worked by hand.

use super::*;
use crate::domain::entry::Entry;
use crate::domain::fill::Fill;
use crate::domain::history::{AssetPrice, Trade};
use crate::domain::num::{Price, Qty};
use crate::domain::order::Side;

fn at(minutes: i64) -> Time {
    Time::from_ms(1_767_225_600_000 + minutes * 60_000).unwrap()
}

fn money(text: &str) -> Notional {
    text.parse().unwrap()
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn qty(text: &str) -> Qty {
    text.parse().unwrap()
}

fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

fn reading(pass_id: i64, minutes: i64, equity: &str, nav: &str) -> Reading {
    Reading {
        pass_id,
        at: at(minutes),
        fill_seq: 0,
        equity: money(equity),
        nav: money(nav),
        peak: money(nav),
    }
}

fn sample(name: &str, held: &str, entry: &str, mark: &str) -> Sample {
    let (held, entry, mark) = (qty(held), price(entry), price(mark));
    Sample {
        symbol: symbol(name),
        qty: held,
        entry,
        mark: Some(mark),
        unrealized: held * (mark - entry),
        target: Some(money("100")),
    }
}

struct Sold<'a> {
    name: &'a str,
    qty: &'a str,
    price: &'a str,
    fee: (&'a str, &'a str),
    realized: &'a str,
}

fn trade(pass_id: i64, minutes: i64, order: &str, side: Side, sold: &Sold<'_>) -> Trade {
    Trade {
        fill: Fill {
            symbol: symbol(sold.name),
            trade_id: minutes,
            order_id: minutes,
            side,
            qty: qty(sold.qty),
            price: price(sold.price),
            fee: money(sold.fee.0),
            fee_asset: sold.fee.1.into(),
            realized: money(sold.realized),
            fee_cost: Notional::ZERO,
            at: at(minutes),
        },
        seq: minutes,
        pass_id,
        client_id: order.into(),
        reason: if side == Side::Sell { "above_band" } else { "entry" }.into(),
        reduce_only: side == Side::Sell,
    }
}

fn income(minutes: i64, kind: &str, name: &str, amount: &str, asset: &str, ours: bool) -> BookedEntry {
    let entry = Entry {
        at: at(minutes),
        kind: kind.into(),
        symbol: name.into(),
        amount: money(amount),
        asset: asset.into(),
        tran_id: minutes,
        trade_id: String::new(),
    };
    BookedEntry { entry, pass_id: Some(3), of_our_fill: ours }
}

fn heading() -> Heading {
    Heading { at: at(600), profile: "t".into(), mode: "paper".into(), venue: "binance-usdm".into() }
}

fn report(
    readings: &[Reading],
    samples: &[(Time, Vec<Sample>)],
    twin: (&[Sample], &[Sample]),
    income: &[BookedEntry],
    accounts: Accounts,
) -> PeriodReport {
    moved_report(readings, samples, twin, (income, &BTreeMap::new()), accounts)
}

/// What one reading's pass traded of A.
fn sold_of_a(minutes: i64, sold: &str) -> BTreeMap<Time, BTreeMap<Symbol, Qty>> {
    BTreeMap::from([(at(minutes), BTreeMap::from([(symbol("AUSDT"), qty(sold))]))])
}

fn moved_report(
    readings: &[Reading],
    samples: &[(Time, Vec<Sample>)],
    twin: (&[Sample], &[Sample]),
    (income, moves): (&[BookedEntry], &BTreeMap<Time, BTreeMap<Symbol, Qty>>),
    accounts: Accounts,
) -> PeriodReport {
    PeriodReport::of(Inputs {
        heading: heading(),
        quote: "USDT",
        asked: (at(0), at(600)),
        halts: Vec::new(),
        halt: None,
        readings,
        samples,
        twin,
        income,
        moves,
        accounts,
        sectors: &BTreeMap::new(),
    })
}

fn bnb() -> Vec<AssetPrice> {
    let price = |minutes, text| AssetPrice { asset: "BNB".into(), at: at(minutes), price: price(text) };
    vec![price(5, "800"), price(300, "900")]
}

/// Worked by hand. Start: 1000 in the wallet, 10 A at 10 (mark 10). A rises to 12: 2 are sold at 12,
/// realising 4, in two executions, fees 0.01 USDT and 0.00001 BNB at 800 (0.008). Funding -0.7 + 0.2 (and some in BNB, another balance), a deposit of 50, a
/// hand's sale of 1 B for +3 with a fee of 0.02, a liquidation insurance row of -0.1 that belongs to nobody.
/// At the end A is at 13: 8 × 3 = 24 floating. Wallet 1000 + 4 - 0.01 - 0.5 + 50 + 3 - 0.02 - 0.1 = 1056.37.
#[test]
fn every_amount_goes_to_its_coin_and_all_of_it_is_the_change_of_equity() {
    let readings =
        [reading(1, 0, "1000", "1"), reading(2, 300, "1020", "1.02"), reading(3, 600, "1080.37", "1.03")];
    let start = vec![sample("AUSDT", "10", "10", "10")];
    let samples = vec![(at(0), start.clone()), (at(600), vec![sample("AUSDT", "8", "10", "13")])];
    let mut accounts = Accounts::new("USDT", bnb(), BTreeMap::new());
    let part = |fee, realized| Sold { name: "AUSDT", qty: "1", price: "12", fee, realized };
    accounts.trade(&trade(2, 10, "x", Side::Sell, &part(("0.01", "USDT"), "2")));
    accounts.trade(&trade(2, 11, "x", Side::Sell, &part(("0.00001", "BNB"), "2")));
    let rows = [
        income(10, "REALIZED_PNL", "AUSDT", "2", "USDT", true),
        income(10, "COMMISSION", "AUSDT", "-0.01", "USDT", true),
        income(20, "FUNDING_FEE", "AUSDT", "-0.7", "USDT", false),
        income(20, "SPECIAL_FUNDING_FEE", "AUSDT", "0.2", "USDT", false),
        income(20, "FUNDING_FEE", "AUSDT", "-9", "BNB", false),
        income(30, "TRANSFER", "", "50", "USDT", false),
        income(30, "TRANSFER", "", "0.5", "BNB", false),
        income(40, "REALIZED_PNL", "BUSDT", "3", "USDT", false),
        income(40, "COMMISSION", "BUSDT", "-0.02", "USDT", false),
        income(50, "INSURANCE_CLEAR", "AUSDT", "-0.1", "USDT", false),
    ];
    let moves = sold_of_a(0, "-2");
    let report = moved_report(&readings, &samples, (&start, &[]), (&rows, &moves), accounts);

    let a = report.per_coin.iter().find(|row| row.symbol == symbol("AUSDT")).unwrap();
    assert_eq!((a.realized, a.unrealized_change, a.funding), (money("4"), money("24"), money("-0.5")));
    assert_eq!(a.fees, money("-0.018"));
    assert_eq!(a.net_profit, money("27.482"));
    assert_eq!((a.trades, a.reductions, a.wins), (1, 1, 1));
    assert_eq!(a.harvest, money("3.982"));
    assert_eq!(a.turnover, money("24"));
    assert_eq!(a.contribution, Some("0.027482".parse().unwrap()));
    let b = &report.per_coin[1];
    assert_eq!((b.net_profit, b.trades, b.win_rate), (money("2.98"), 0, None));

    assert_eq!(report.net_profit, money("30.462"));
    assert_eq!((report.transfers, report.other_income), (money("50"), money("-0.1")));
    assert_eq!(report.fees_elsewhere, money("-0.008"));
    // 80.37 = 30.462 + 0.008 + 50 - 0.1
    assert_eq!(report.unreconciled, Notional::ZERO);
    assert_eq!((report.fills, report.trades), (2, 1));
    assert_eq!(report.growth, Some(Rate::new(3, 2)));
    assert!(report.notes.iter().any(|note| note.starts_with("income rows in other assets are left out (2)")));

    // Held on, 10 A would have earned 30 and paid 0.625: 8 of them were held when 0.5 was charged.
    let twin = report.hold_twin.unwrap();
    assert_eq!((twin.price_profit, twin.funding, twin.fees), (money("30"), money("-0.625"), Notional::ZERO));
    // Nobody rebalances B: its 2.98 are the same in both.
    assert_eq!(twin.others, money("2.98"));
    assert_eq!(report.rebalancing_effect, Some(money("30.462") - money("29.375") - money("2.98")));
}

/// What no row explains stays in sight, whether the wallet's own books named it or not.
#[test]
fn what_does_not_add_up_is_shown_and_not_absorbed() {
    let readings = [reading(1, 0, "1000", "1"), reading(3, 600, "1007", "1")];
    let samples = vec![(at(0), Vec::new()), (at(600), Vec::new())];
    let rows = [income(5, "UNEXPLAINED", "", "4", "USDT", false)];
    let accounts = Accounts::new("USDT", Vec::new(), BTreeMap::new());
    let report = report(&readings, &samples, (&[], &[]), &rows, accounts);
    assert_eq!((report.net_profit, report.transfers), (Notional::ZERO, Notional::ZERO));
    assert_eq!(report.unreconciled, money("7"));
    assert!(report.notes.iter().any(|note| note.starts_with("4 USDT of the unreconciled amount")));
    assert_eq!(report.hold_twin_profit, None);
    // Spot has no rows of transfers: what was taken for one there is one.
    let accounts = Accounts::new("USDT", Vec::new(), BTreeMap::new()).of_coins();
    let report = self::report(&readings, &samples, (&[], &[]), &rows, accounts);
    assert_eq!((report.transfers, report.unreconciled), (money("4"), money("3")));
    assert_eq!(report.notes, Vec::<String>::new());
}

#[test]
fn fees_in_an_asset_without_a_price_are_told_and_not_guessed() {
    let readings = [reading(1, 0, "1000", "1"), reading(3, 600, "1002", "1")];
    let samples = vec![(at(0), Vec::new()), (at(600), Vec::new())];
    let mut accounts = Accounts::new("USDT", Vec::new(), BTreeMap::new());
    let sold = Sold { name: "AUSDT", qty: "1", price: "12", fee: ("0.00001", "BNB"), realized: "2" };
    accounts.trade(&trade(2, 10, "x", Side::Sell, &sold));
    let report = report(&readings, &samples, (&[], &[]), &[], accounts);
    assert_eq!((report.fees_total, report.unreconciled), (Notional::ZERO, Notional::ZERO));
    assert_eq!(report.fees_unvalued, [Named { name: "BNB".into(), amount: money("0.00001") }]);
    assert_eq!(report.notes, ["fees of 0.00001 BNB are in no figure: the ledger has no price of BNB"]);
}

/// The fee is valued at the price next to it in time: 800 at minute 5, 900 at minute 300.
#[test]
fn fees_in_another_asset_are_worth_what_it_cost_then() {
    for (minutes, fee) in [(1, "-0.008"), (100, "-0.008"), (200, "-0.009"), (500, "-0.009")] {
        let mut accounts = Accounts::new("USDT", bnb(), BTreeMap::new());
        let sold = Sold { name: "AUSDT", qty: "1", price: "12", fee: ("0.00001", "BNB"), realized: "2" };
        accounts.trade(&trade(2, minutes, "x", Side::Sell, &sold));
        accounts.close();
        assert_eq!(accounts.coins[&symbol("AUSDT")].fees_elsewhere, money(fee), "minute {minutes}");
    }
}

/// A sale of 1 at a profit of 0.004 loses to its fee of 0.006: no win.
#[test]
fn a_reduction_wins_after_its_fees_or_not_at_all() {
    let mut accounts = Accounts::new("USDT", Vec::new(), BTreeMap::new());
    let sold = |realized| Sold { name: "AUSDT", qty: "1", price: "12", fee: ("0.006", "USDT"), realized };
    for (order, realized) in [("a", "0.004"), ("b", "0.006"), ("c", "0.0061")] {
        accounts.trade(&trade(2, 10, order, Side::Sell, &sold(realized)));
    }
    accounts.trade(&trade(2, 10, "d", Side::Buy, &sold("0")));
    accounts.close();
    let account = &accounts.coins[&symbol("AUSDT")];
    assert_eq!((account.trades, account.reductions, account.wins), (4, 3, 1));
    assert_eq!(accounts::win_rate(1, 3).unwrap().rounded(4), Rate::new(3333, 4));
    assert_eq!(accounts::win_rate(0, 0), None);
}

/// An empty account buys 10 A at 10 and 5 B at 4; B leaves the books at minute 300, at 6. The twin keeps
/// both, B at its last known price, and paid the fees of the first purchase only.
#[test]
fn the_twin_of_an_account_that_began_empty_starts_with_its_first_purchase() {
    let readings = [
        reading(1, 0, "1000", "1"),
        reading(2, 5, "1000", "1"),
        reading(3, 300, "1000", "1"),
        reading(4, 600, "1000", "1"),
    ];
    let bought = vec![sample("AUSDT", "10", "10", "10.5"), sample("BUSDT", "5", "4", "4")];
    let samples = vec![
        (at(0), Vec::new()),
        (at(5), bought.clone()),
        (at(300), vec![sample("AUSDT", "8", "10", "11"), sample("BUSDT", "5", "4", "6")]),
        (at(600), vec![sample("AUSDT", "8", "10", "12")]),
    ];
    let from = BTreeMap::from([(symbol("AUSDT"), 2), (symbol("BUSDT"), 2)]);
    let mut accounts = Accounts::new("USDT", Vec::new(), from);
    let fill = |name, fee| Sold { name, qty: "1", price: "10", fee: (fee, "USDT"), realized: "0" };
    accounts.trade(&trade(1, 1, "a", Side::Buy, &fill("AUSDT", "0.05")));
    accounts.trade(&trade(1, 1, "b", Side::Buy, &fill("BUSDT", "0.01")));
    accounts.trade(&trade(2, 6, "c", Side::Sell, &fill("AUSDT", "0.02")));
    // Before minute 300 the account held 8 A: the twin's 10 pay 1.25 times as much.
    let rows = [
        income(100, "FUNDING_FEE", "AUSDT", "-0.4", "USDT", false),
        income(100, "FUNDING_FEE", "BUSDT", "-0.1", "USDT", false),
        income(601, "FUNDING_FEE", "AUSDT", "-9", "USDT", false),
    ];
    let moves = sold_of_a(5, "-2");
    let report = moved_report(&readings, &samples, (&[], &bought), (&rows, &moves), accounts);
    let twin = report.hold_twin.unwrap();
    assert_eq!(twin.fees, money("-0.06"));
    assert_eq!(twin.price_profit, money("30"));
    assert_eq!(twin.funding, money("-0.6"));
    assert_eq!(twin.profit, money("29.34"));
    assert_eq!(twin.notes.len(), 2, "{:?}", twin.notes);
    assert!(twin.notes[0].contains("BUSDT counts at its last known price"));
    assert!(twin.notes[1].contains("moved around the settlement (1 rows)"));
}

#[test]
fn a_period_without_a_reading_says_so() {
    let report =
        PeriodReport::empty(heading(), "USDT", (at(0), at(600)), None, Vec::new(), "no pass yet".into());
    assert_eq!((report.readings, report.growth, report.win_rate), (0, None, None));
    assert_eq!((report.from, report.to), (at(0), at(600)));
    assert_eq!(report.notes, ["no pass yet"]);
}

#[test]
fn drift_is_over_the_target_and_absent_without_one() {
    let mut without = sample("BUSDT", "1", "10", "10");
    without.target = None;
    let lines = drift(&[(at(0), vec![sample("AUSDT", "9", "10", "10"), without])]);
    assert_eq!(lines, [DriftLine { symbol: symbol("AUSDT"), points: vec![(at(0), Rate::new(-1, 1))] }]);
}

/// 10 A before and after the first pass, 4 at the next reading: somebody else sold, before or after the
/// settlement between both. B was not held at all.
#[test]
fn funding_of_what_somebody_moved_is_left_out_and_said() {
    let readings = [reading(1, 0, "1000", "1"), reading(2, 300, "1000", "1")];
    let start = vec![sample("AUSDT", "10", "10", "10"), sample("BUSDT", "1", "10", "10")];
    let samples = vec![(at(0), start.clone()), (at(300), vec![sample("AUSDT", "4", "10", "10")])];
    let rows = [income(100, "FUNDING_FEE", "AUSDT", "-0.4", "USDT", false)];
    let accounts = Accounts::new("USDT", Vec::new(), BTreeMap::new());
    let twin = report(&readings, &samples, (&start, &[]), &rows, accounts).hold_twin.unwrap();
    assert_eq!(twin.funding, Notional::ZERO);
    assert!(
        twin.notes.iter().any(|note| note.contains("moved around the settlement (1 rows)")),
        "{:?}",
        twin.notes
    );
    assert!(twin.notes.iter().any(|note| note.contains("pays no funding of BUSDT")), "{:?}", twin.notes);
}

/// 100 A at 10 with 300 of equity: at 5 the twin is 500 down, more than there is.
#[test]
fn the_twin_loses_no_more_than_there_is() {
    let readings = [reading(1, 0, "300", "1"), reading(2, 300, "0", "0")];
    let start = vec![sample("AUSDT", "100", "10", "10")];
    let samples = vec![(at(0), start.clone()), (at(300), vec![sample("AUSDT", "0", "0", "5")])];
    let accounts = Accounts::new("USDT", Vec::new(), BTreeMap::new());
    let twin = report(&readings, &samples, (&start, &[]), &[], accounts).hold_twin.unwrap();
    assert_eq!((twin.price_profit, twin.profit), (money("-500"), money("-300")));
}

/// A reading of 1000 with 10 A at 10, mark 12 (20 floating). 4 are sold at 11.5: 6 realised, fee 0.05; 2 B
/// are bought at 7, unpriced: 0.01. Equity 1000 − 4 × 0.5 − 0.06; 6 A float at 12, B at nothing.
#[test]
fn the_trades_after_a_reading_change_it_by_their_distance_from_the_mark() {
    let sold = Sold { name: "AUSDT", qty: "4", price: "11.5", fee: ("0.05", "USDT"), realized: "6" };
    let bought = Sold { name: "BUSDT", qty: "2", price: "7", fee: ("0.01", "USDT"), realized: "0" };
    let trades = [trade(1, 1, "a", Side::Sell, &sold), trade(1, 2, "b", Side::Buy, &bought)];
    let before = reading(1, 0, "1000", "1");
    let (after, coins) = after_trades(&before, &[sample("AUSDT", "10", "10", "12")], &trades, "USDT", false);
    assert_eq!((after.equity, after.at, after.nav), (money("997.94"), at(2), money("0.99794")));
    let (a, b) = (&coins[0], &coins[1]);
    assert_eq!((a.qty, a.entry, a.unrealized), (qty("6"), price("10"), money("12")));
    assert_eq!(
        (b.qty, b.entry, b.unrealized, b.mark),
        (qty("2"), price("7"), Notional::ZERO, Some(price("7")))
    );
    let rest = Sold { name: "AUSDT", qty: "6", price: "12", fee: ("0", "USDT"), realized: "12" };
    let (closed, coins) = after_trades(&after, &coins, &[trade(2, 3, "c", Side::Sell, &rest)], "USDT", false);
    assert_eq!(
        (closed.equity, coins[0].unrealized, coins[0].qty),
        (money("997.94"), Notional::ZERO, Qty::ZERO)
    );
}

/// Spot, from 1000 USDT and 2 BNB at 300 that cost 500 (100 floating). 10 A are bought at 10, and 0.01 BNB is the fee while
/// BNB is at 310: it is worth 3.10 and had cost 2.50, so BNB realised 0.60 and A paid 3.10. At the end A is at 11 (10
/// floating) and BNB at 320: 1.99 of it are worth 636.80 and cost 497.50 (139.30 floating).
/// Equity 900 + 110 + 636.80 from 1600: +46.80 = A (10 − 3.10) + BNB (39.30 + 0.60).
#[test]
fn what_a_fee_took_from_a_holding_is_realised_there_and_paid_by_the_coin_that_was_traded() {
    let readings = [reading(1, 0, "1600", "1"), reading(2, 600, "1646.8", "1.02925")];
    let mut bnb = sample("BNBUSDT", "2", "250", "300");
    bnb.target = None;
    let end = vec![sample("AUSDT", "10", "10", "11"), sample("BNBUSDT", "1.99", "250", "320")];
    let samples = vec![(at(0), vec![bnb]), (at(600), end)];
    let prices = vec![AssetPrice { asset: "BNB".into(), at: at(10), price: price("310") }];
    let bought = Sold { name: "AUSDT", qty: "10", price: "10", fee: ("0.01", "BNB"), realized: "0" };
    let mut bought = trade(1, 10, "x", Side::Buy, &bought);
    bought.fill.fee_cost = money("2.5");
    let mut accounts = Accounts::new("USDT", prices, BTreeMap::new()).of_coins();
    accounts.trade(&bought);
    let report = report(&readings, &samples, (&[], &[]), &[], accounts);
    let row = |name| report.per_coin.iter().find(|row| row.symbol == symbol(name)).unwrap();
    let (a, b) = (row("AUSDT"), row("BNBUSDT"));
    assert_eq!((a.realized, a.unrealized_change, a.fees), (Notional::ZERO, money("10"), money("-3.1")));
    assert_eq!((b.realized, b.unrealized_change, b.fees), (money("0.6"), money("39.3"), Notional::ZERO));
    assert_eq!((a.unrealized, a.reductions, b.trades), (a.unrealized_change, 0, 0));
    assert_eq!((report.net_profit, report.unreconciled), (money("46.8"), Notional::ZERO));
    // The same trade, cut off behind the first reading: there BNB is at 300, and A at what was paid.
    let (cut, coins) = after_trades(&readings[0], &samples[0].1, &[bought], "USDT", true);
    assert_eq!(cut.equity, money("1597"));
    assert_eq!(
        (coins[0].qty, coins[0].entry, coins[0].unrealized),
        (qty("1.99"), price("250"), money("99.5"))
    );
}

/// Spot, from 1000 USDT, 0.01 BNB for fees at 900 and one SOL of the owner's at 100. 10 A are bought at 10 with a target of
/// 100 for a fee of 0.10. A rises to 11 and 1 is sold there; it falls to 9.50. BNB ends at 800 and SOL at 60.
/// A: 1 realised, 9 × −0.50, fee −0.10 = −3.60; BNB −1, SOL −40: net −44.60. Held on, 10 A lost 5 and paid 0.10:
/// −5.10, beside the same −41. So rebalancing earned 1.50, and a little BNB is no portfolio.
#[test]
fn the_twin_is_of_the_strategys_coins_and_what_else_is_held_is_the_same_in_both() {
    let readings = [reading(1, 0, "1109", "1"), reading(2, 5, "1109", "1"), reading(3, 600, "1064.4", "1")];
    let aside = |name, held, entry, mark| Sample { target: None, ..sample(name, held, entry, mark) };
    let start = vec![aside("BNBUSDT", "0.01", "900", "900"), aside("SOLUSDT", "1", "100", "100")];
    let bought = vec![sample("AUSDT", "10", "10", "10")];
    let end = vec![
        sample("AUSDT", "9", "10", "9.5"),
        aside("BNBUSDT", "0.01", "900", "800"),
        aside("SOLUSDT", "1", "100", "60"),
    ];
    let samples = vec![(at(0), start.clone()), (at(600), end)];
    let from = BTreeMap::from([(symbol("AUSDT"), 2)]);
    let mut accounts = Accounts::new("USDT", Vec::new(), from).of_coins();
    let fill = |qty, price, fee, realized| Sold { name: "AUSDT", qty, price, fee: (fee, "USDT"), realized };
    accounts.trade(&trade(1, 1, "a", Side::Buy, &fill("10", "10", "0.1", "0")));
    accounts.trade(&trade(2, 300, "b", Side::Sell, &fill("1", "11", "0", "1")));
    let report = report(&readings, &samples, (&start, &bought), &[], accounts);
    assert_eq!((report.net_profit, report.unreconciled), (money("-44.6"), Notional::ZERO));
    let twin = report.hold_twin.unwrap();
    assert_eq!(twin.coins.iter().map(|coin| coin.symbol.as_str()).collect::<Vec<_>>(), ["AUSDT"]);
    assert_eq!((twin.price_profit, twin.fees, twin.others), (money("-5"), money("-0.1"), money("-41")));
    assert_eq!(
        (report.hold_twin_profit, report.rebalancing_effect),
        (Some(money("-46.1")), Some(money("1.5")))
    );
}

/// A tenth of its target is a position, less is a remainder.
#[test]
fn what_is_left_of_a_coin_is_no_position() {
    let held = |qty, mark| sample("AUSDT", qty, "10", mark).is_in_place();
    assert_eq!(
        (held("1", "10"), held("0.99", "10"), held("-1", "10"), held("0", "10")),
        (true, false, true, false)
    );
    assert!(!Sample { target: None, ..sample("AUSDT", "9", "10", "10") }.is_in_place());
}
