//! The whole exchange, tested from outside.

mod books;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::market::Bar;
use crate::domain::market::{Mark, Market, Quote};
use crate::domain::num::{Amount, Notional, Price, Qty, Rate};
use crate::domain::order::{OrderKind, OrderRequest, OrderStatus, Side, TimeInForce};
use crate::domain::rules::Status;
use crate::domain::rules::tests::plain;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::algo::{AlgoRequest, AlgoStatus, Trigger};
use crate::sim::history::Span;
use crate::sim::matching::{Placed, Which};
use crate::sim::prices::{FundingPrint, Prices, Recorded};
use crate::sim::tests::books::check_books;
use crate::sim::{Exchange, Listed, State, Terms, World, listing};

fn num<K>(text: &str) -> Amount<K> {
    text.parse().unwrap()
}

fn sym(name: &str) -> Symbol {
    name.parse().unwrap()
}

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

/// A market whose book is one tick around `price`, a thousand units deep.
fn market(price: &str, funding: &str) -> Market {
    let price: Price = num(price);
    let tick = Price::new(1, 2);
    Market {
        mark: Mark { price, funding_rate: num(funding), next_funding: None, at: Time::default() },
        quote: Quote { bid: price - tick, bid_qty: num("50"), ask: price + tick, ask_qty: num("50") },
    }
}

/// Two plain contracts, A at 100 and B at 20, whose prices the test hands in.
fn fed() -> Exchange {
    let listed = |name: &str| Listed::new(plain(name), Vec::new(), 8, listing::plain_shape());
    let terms = Terms { equity: num("1000"), ..Terms::default() };
    let mut exchange = Exchange::new(World::new(vec![listed("AUSDT"), listed("BUSDT")], Prices::Fed), terms);
    feed(&mut exchange, "100", "20");
    exchange
}

fn feed(exchange: &mut Exchange, a: &str, b: &str) {
    let markets =
        [("AUSDT", market(a, "0.0001")), ("BUSDT", market(b, "-0.0002"))].map(|(name, m)| (sym(name), m));
    exchange.feed(BTreeMap::from(markets));
}

fn synthetic(seed: u64) -> Exchange {
    let terms = Terms::default();
    Exchange::new(World::new(listing::synthetic(seed, terms.start), Prices::Synthetic { seed }), terms)
}

fn request(
    symbol: &str,
    side: Side,
    qty: &str,
    limit: Option<(&str, TimeInForce)>,
    id: &str,
) -> OrderRequest {
    let kind = limit.map_or(OrderKind::Market, |(price, time_in_force)| OrderKind::Limit {
        price: num(price),
        time_in_force,
    });
    OrderRequest { symbol: sym(symbol), side, qty: num(qty), kind, reduce_only: false, client_id: id.into() }
}

fn reducing(request: OrderRequest) -> OrderRequest {
    OrderRequest { reduce_only: true, ..request }
}

fn code<T: std::fmt::Debug>(result: Result<T, crate::sim::refusal::Refusal>) -> i64 {
    result.unwrap_err().code
}

fn state_of(placed: &Placed) -> (OrderStatus, String) {
    (placed.order.status.clone(), placed.order.filled_qty.to_string())
}

const GTC: TimeInForce = TimeInForce::Gtc;

#[test]
fn a_market_order_pays_the_ask_the_fee_and_nothing_else() {
    let mut exchange = fed();
    let placed = exchange.place(&request("AUSDT", Side::Buy, "2", None, "a")).unwrap();
    assert_eq!(state_of(&placed), (OrderStatus::Filled, "2".into()));
    assert_eq!(placed.order.avg_price, Some(num("100.01")));
    let balance = exchange.balance();
    assert_eq!(balance.wallet, num("999.89999"));
    assert_eq!(balance.unrealized, num("-0.02"));
    assert_eq!(balance.initial_margin, num("10"), "leverage 20 of a contract nobody touched");
    assert_eq!(balance.available, num("989.87999"));
}

/// G1 of the reliability notes: an id is unique among open orders, and nothing more.
#[test]
fn the_id_of_a_filled_order_is_accepted_again_and_doubles_the_position() {
    let mut exchange = fed();
    let order = request("AUSDT", Side::Buy, "1", None, "same");
    let first = exchange.place(&order).unwrap();
    let second = exchange.place(&order).unwrap();
    assert_ne!(first.order.order_id, second.order.order_id);
    assert_eq!(exchange.positions()[&sym("AUSDT")].qty, num("2"));
    assert_eq!(exchange.accepted_orders().len(), 2);
    // The query by id shows the newest only.
    let found = exchange.order(&sym("AUSDT"), Which::Client("same")).unwrap();
    assert_eq!(found.order.order_id, second.order.order_id);
}

#[test]
fn the_id_of_an_open_order_is_refused() {
    let mut exchange = fed();
    exchange.place(&request("AUSDT", Side::Buy, "1", Some(("99", GTC)), "same")).unwrap();
    assert_eq!(code(exchange.place(&request("BUSDT", Side::Buy, "1", None, "same"))), -4116);
    exchange.cancel(&sym("AUSDT"), Which::Client("same")).unwrap();
    assert!(exchange.place(&request("BUSDT", Side::Buy, "1", None, "same")).is_ok());
}

#[test]
fn each_kind_of_limit_order_ends_as_its_terms_say() {
    use TimeInForce::{Fok, Gtx, Ioc};
    for (kind, qty, price, expected) in [
        (GTC, "2", "100.01", Ok((OrderStatus::Filled, "2"))),
        (GTC, "2", "100", Ok((OrderStatus::New, "0"))),
        (GTC, "60", "100.01", Ok((OrderStatus::PartiallyFilled, "50"))),
        (Ioc, "60", "100.01", Ok((OrderStatus::Expired, "50"))),
        (Ioc, "2", "100", Ok((OrderStatus::Expired, "0"))),
        (Fok, "60", "100.01", Err(-5021)),
        (Fok, "50", "100.01", Ok((OrderStatus::Filled, "50"))),
        (Gtx, "2", "100.01", Err(-5022)),
        (Gtx, "2", "100", Ok((OrderStatus::New, "0"))),
    ] {
        let mut exchange = fed();
        let result = exchange.place(&request("AUSDT", Side::Buy, qty, Some((price, kind)), "a"));
        let shown = result.map(|placed| state_of(&placed)).map_err(|refusal| refusal.code);
        let expected = expected.map(|(status, filled): (OrderStatus, &str)| (status, filled.to_owned()));
        assert_eq!(shown, expected, "{kind:?} {qty} @ {price}");
    }
}

#[test]
fn reduce_only_orders_only_reduce() {
    let mut exchange = fed();
    let sell = |qty: &str, id: &str| reducing(request("AUSDT", Side::Sell, qty, None, id));
    assert_eq!(code(exchange.place(&sell("1", "a"))), -2022, "no position");
    exchange.place(&request("AUSDT", Side::Buy, "2", None, "b")).unwrap();
    assert_eq!(code(exchange.place(&reducing(request("AUSDT", Side::Buy, "1", None, "c")))), -2022);
    // More than the position is trimmed to it; a small remainder needs no minimum value.
    exchange.place(&sell("1.9", "d")).unwrap();
    let rest = exchange.place(&sell("5", "e")).unwrap();
    assert_eq!((rest.order.qty, rest.asked_qty), (num("0.1"), num("5")));
    assert!(exchange.positions().is_empty());
}

#[test]
fn resting_exits_use_up_the_position_and_shrink_with_it() {
    let mut exchange = fed();
    exchange.place(&request("AUSDT", Side::Buy, "2", None, "open")).unwrap();
    let exit = |qty: &str, id: &str| reducing(request("AUSDT", Side::Sell, qty, Some(("110", GTC)), id));
    exchange.place(&exit("1.5", "x")).unwrap();
    let second = exchange.place(&exit("2", "y")).unwrap();
    assert_eq!(second.order.qty, num("0.5"));
    let flatten = reducing(request("AUSDT", Side::Sell, "2", None, "z"));
    assert_eq!(code(exchange.place(&flatten)), -4118);
    // A hand trade takes 1 away: the newest exit goes first.
    exchange.hand_trade(&sym("AUSDT"), num("-1")).unwrap();
    let open = exchange.open_orders(None);
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].order.client_id.as_str(), open[0].order.qty), ("x", num("1")));
    let gone = exchange.order(&sym("AUSDT"), Which::Client("y")).unwrap();
    assert_eq!(gone.order.status, OrderStatus::Expired);
}

#[test]
fn margin_and_position_limits_refuse() {
    let mut exchange = fed();
    // 1000 of equity at the untouched leverage of 20 carries almost 20,000; a market buy is
    // reckoned at 1.05 times the ask.
    exchange.set_leverage(&sym("AUSDT"), 5).unwrap();
    assert_eq!(code(exchange.place(&request("AUSDT", Side::Buy, "50", None, "a"))), -2019);
    assert_eq!(code(exchange.place(&request("AUSDT", Side::Buy, "48", None, "a"))), -2019);
    assert!(exchange.test_order(&request("AUSDT", Side::Buy, "47.5", None, "a")).is_ok());
    exchange.place(&request("AUSDT", Side::Buy, "45", None, "b")).unwrap();
    assert_eq!(code(exchange.set_leverage(&sym("AUSDT"), 3)), -2028);
    assert_eq!(code(exchange.set_leverage(&sym("AUSDT"), 51)), -4028);
    assert_eq!(code(exchange.set_leverage(&sym("AUSDT"), 0)), -4028);
    assert_eq!(exchange.set_leverage(&sym("AUSDT"), 10).unwrap(), num("500000"));
    // At 50x no more than 5,000 may be carried.
    assert_eq!(exchange.set_leverage(&sym("AUSDT"), 50).unwrap(), num("5000"));
    assert_eq!(code(exchange.place(&request("AUSDT", Side::Buy, "10", None, "c"))), -2027);
    // What reduces is never short of margin.
    feed(&mut exchange, "82", "20");
    assert!(exchange.place(&request("AUSDT", Side::Sell, "10", None, "d")).is_ok());
}

#[test]
fn resting_orders_tie_up_margin_and_cancelling_frees_it() {
    let mut exchange = fed();
    exchange.set_leverage(&sym("AUSDT"), 10).unwrap();
    exchange.place(&request("AUSDT", Side::Buy, "5", Some(("90", GTC)), "a")).unwrap();
    assert_eq!(exchange.balance().initial_margin, num("45"));
    assert_eq!(exchange.withdrawable(), num("955"));
    assert_eq!(code(exchange.transfer(num("-955.01"))), -2018);
    exchange.cancel(&sym("AUSDT"), Which::Client("a")).unwrap();
    assert_eq!(exchange.balance().available, num("1000"));
    // A sell is reckoned a little above the last price.
    exchange.place(&request("AUSDT", Side::Sell, "5", Some(("100", GTC)), "b")).unwrap();
    assert_eq!(exchange.balance().initial_margin, num("50.075"));
    assert_eq!(code(exchange.cancel(&sym("AUSDT"), Which::Client("a"))), -2011);
}

#[test]
fn a_resting_order_fills_as_maker_when_the_price_comes() {
    let mut exchange = fed();
    exchange.place(&request("AUSDT", Side::Buy, "5", Some(("90", GTC)), "a")).unwrap();
    feed(&mut exchange, "89.5", "20");
    exchange.advance(exchange.now() + Duration::from_secs(1)).unwrap();
    let order = exchange.order(&sym("AUSDT"), Which::Client("a")).unwrap();
    assert_eq!((order.order.status.clone(), order.order.avg_price), (OrderStatus::Filled, Some(num("90"))));
    let trades = exchange.trades(None, Time::default(), exchange.now());
    assert!(trades[0].maker);
    assert_eq!(trades[0].fill.fee, num("0.09"));
}

#[test]
fn a_market_order_stops_at_its_bound_and_the_rest_expires() {
    let mut exchange = fed();
    // 50 at the top, then made-up levels of 0.1 and more up to five percent from the mark.
    let placed = exchange.place(&request("BUSDT", Side::Buy, "100", None, "a")).unwrap();
    assert_eq!(placed.order.status, OrderStatus::Filled);
    let mut far = market("20", "0");
    far.quote = Quote { bid: num("17"), bid_qty: num("1"), ask: num("23"), ask_qty: num("1") };
    exchange.feed(BTreeMap::from([(sym("BUSDT"), far)]));
    assert_eq!(code(exchange.place(&request("BUSDT", Side::Buy, "1", None, "b"))), -4131);
    assert_eq!(code(exchange.place(&request("AUSDT", Side::Buy, "1", None, "c"))), -2020, "no price at all");
}

#[test]
fn what_the_book_does_not_hold_expires() {
    let shape = crate::sim::Shape { daily_volume: num("10000"), ..listing::plain_shape() };
    let listed = Listed::new(plain("AUSDT"), Vec::new(), 8, shape);
    let mut exchange = Exchange::new(World::new(vec![listed], Prices::Fed), Terms::default());
    exchange.feed(BTreeMap::from([(sym("AUSDT"), market("10", "0"))]));
    exchange.set_leverage(&sym("AUSDT"), 50).unwrap();
    // 50 stand at the top and forty-nine thin levels behind it.
    let placed = exchange.place(&request("AUSDT", Side::Buy, "100", None, "a")).unwrap();
    assert_eq!(placed.order.status, OrderStatus::Expired);
    assert!(placed.order.filled_qty > num("54") && placed.order.filled_qty < num("90"), "{placed:?}");
    assert!(placed.order.avg_price.unwrap() > num("10.01"));
    check_books(&exchange, num("200"));
}

#[test]
fn finished_orders_are_forgotten_by_queries() {
    let mut exchange = fed();
    exchange.place(&request("AUSDT", Side::Buy, "1", None, "filled")).unwrap();
    exchange.place(&request("AUSDT", Side::Buy, "1", Some(("90", TimeInForce::Ioc)), "empty")).unwrap();
    exchange.place(&request("AUSDT", Side::Buy, "1", Some(("90", GTC)), "open")).unwrap();
    let known = |exchange: &Exchange| -> Vec<bool> {
        let found = |id| exchange.order(&sym("AUSDT"), Which::Client(id)).is_some();
        ["filled", "empty", "open"].map(found).to_vec()
    };
    let days = |n: u64| Duration::from_secs(n * 86_400);
    let start = exchange.now();
    for (after, expected) in [(3, [true, true, true]), (4, [true, false, true]), (91, [false, false, true])] {
        exchange.advance(start + days(after)).unwrap();
        assert_eq!(known(&exchange), expected, "after {after} days");
    }
}

#[test]
fn a_countdown_cancels_unless_it_is_renewed() {
    let mut exchange = fed();
    let symbol = sym("AUSDT");
    exchange.place(&request("AUSDT", Side::Buy, "1", Some(("90", GTC)), "a")).unwrap();
    let second = Duration::from_secs(1);
    exchange.count_down_to_cancel(&symbol, second * 60).unwrap();
    exchange.advance(exchange.now() + second * 59).unwrap();
    exchange.count_down_to_cancel(&symbol, second * 60).unwrap();
    exchange.advance(exchange.now() + second * 59).unwrap();
    assert_eq!(exchange.open_orders(None).len(), 1);
    exchange.advance(exchange.now() + second).unwrap();
    assert!(exchange.open_orders(None).is_empty());
}

#[test]
fn a_day_agrees_with_its_candles() {
    let mut exchange = synthetic(9);
    exchange.advance_bars(7).unwrap();
    exchange.jump_price(&sym("SOLUSDT"), num("1.5")).unwrap();
    exchange.advance_bars(5).unwrap();
    for name in ["SOLUSDT", "BTCUSDT", "1000PEPEUSDT", "ZAMAUSDT"] {
        let symbol = sym(name);
        let day = exchange.day(&symbol).unwrap();
        let five = Span::read("5m").unwrap();
        let bars = exchange.candles(&symbol, five, day.from, exchange.now(), false);
        let close =
            |a: Price, b: Price| a.over(b).is_some_and(|ratio| (ratio - Rate::ONE).abs() < num("0.0003"));
        assert_eq!((day.open, day.last), (bars[0].open, bars.last().unwrap().close), "{name}");
        assert!(close(day.high, bars.iter().map(|bar| bar.high).max().unwrap()), "{name} high");
        assert!(close(day.low, bars.iter().map(|bar| bar.low).min().unwrap()), "{name} low");
        let volume: Qty = bars.iter().map(|bar| bar.volume).sum();
        assert!((volume.over(day.volume).unwrap() - Rate::ONE).abs() < num("0.01"), "{name} volume");
    }
}

#[test]
fn a_market_may_start_between_two_bars() {
    let terms = Terms { start: time("2026-01-01T00:02:30Z"), ..Terms::default() };
    let world = World::new(listing::synthetic(7, terms.start), Prices::Synthetic { seed: 7 });
    let mut exchange = Exchange::new(world, terms);
    assert_eq!(exchange.now(), time("2026-01-01T00:02:30Z"));
    exchange.advance_bars(1).unwrap();
    assert_eq!(exchange.now(), time("2026-01-01T00:05:00Z"));
}

#[test]
fn a_partial_fault_fills_a_fraction_and_expires_the_rest() {
    let mut exchange = fed();
    for (kind, fraction, filled) in
        [(None, "0.5", "1"), (Some(("101", GTC)), "0.33", "0.6"), (None, "0", "0"), (None, "0.01", "0")]
    {
        let order = request("AUSDT", Side::Buy, "2", kind, "a");
        let placed = exchange.place_partly(&order, num(fraction)).unwrap();
        assert_eq!(state_of(&placed), (OrderStatus::Expired, filled.into()));
    }
    assert_eq!(exchange.positions()[&sym("AUSDT")].qty, num("1.6"));
}

#[test]
fn an_account_never_trades_with_itself() {
    let mut exchange = fed();
    exchange.place(&request("AUSDT", Side::Sell, "1", Some(("100.01", GTC)), "maker")).unwrap();
    exchange.place(&request("AUSDT", Side::Buy, "1", None, "taker")).unwrap();
    let maker = exchange.order(&sym("AUSDT"), Which::Client("maker")).unwrap();
    assert!(maker.self_trade && maker.order.filled_qty.is_zero());
}

#[test]
fn an_amended_order_keeps_its_number_and_a_refused_change_leaves_it() {
    let mut exchange = fed();
    let placed = exchange.place(&request("AUSDT", Side::Buy, "5", Some(("90", GTC)), "a")).unwrap();
    let which = Which::Number(placed.order.order_id);
    let symbol = sym("AUSDT");
    assert_eq!(code(exchange.amend(&symbol, which, Side::Buy, num("5"), num("90"))), -5027);
    assert_eq!(code(exchange.amend(&symbol, which, Side::Buy, num("5"), num("90.001"))), -1111);
    assert_eq!(exchange.open_orders(None)[0].limit(), Some(num("90")));
    let after = exchange.amend(&symbol, which, Side::Buy, num("3"), num("91")).unwrap();
    assert_eq!((after.order.order_id, after.order.qty), (placed.order.order_id, num("3")));
    let filled = exchange.amend(&symbol, which, Side::Buy, num("3"), num("101")).unwrap();
    assert_eq!(filled.order.status, OrderStatus::Filled);
    assert_eq!(code(exchange.amend(&symbol, which, Side::Buy, num("4"), num("90"))), -2013);
}

#[test]
fn funding_is_paid_by_whoever_the_sign_says_at_the_whole_hours() {
    let mut exchange = fed();
    exchange.place(&request("AUSDT", Side::Buy, "2", None, "a")).unwrap();
    exchange.place(&request("BUSDT", Side::Sell, "10", None, "b")).unwrap();
    let start = exchange.now();
    exchange.advance(start + Duration::from_secs(7 * 3600)).unwrap();
    let funding = |exchange: &Exchange| -> Vec<(String, String)> {
        let rows = exchange.income(Time::default(), Time::clamped(i64::MAX));
        let funding = rows.into_iter().filter(|row| row.kind == "FUNDING_FEE");
        funding.map(|row| (row.symbol.clone(), row.amount.to_string())).collect()
    };
    assert!(funding(&exchange).is_empty());
    exchange.advance(start + Duration::from_secs(8 * 3600 + 60)).unwrap();
    // The long pays 200 × 0.0001; the short of 200 pays too, its rate being negative.
    let expected = [("AUSDT", "-0.02"), ("BUSDT", "-0.04")].map(|(s, a)| (s.to_owned(), a.to_owned()));
    assert_eq!(funding(&exchange), expected);
    let stamp = exchange.income(Time::default(), exchange.now()).last().unwrap().at;
    let late = stamp.since(start + Duration::from_secs(8 * 3600)).as_millis();
    assert!((1..=9).contains(&late), "{late} ms");
    // Settlements that really happened replace the made-up ones.
    let print =
        FundingPrint { at: start + Duration::from_secs(9 * 3600), rate: num("0.01"), mark: Some(num("50")) };
    exchange.feed_funding(&sym("AUSDT"), vec![print]);
    exchange.advance(start + Duration::from_secs(17 * 3600)).unwrap();
    assert_eq!(funding(&exchange)[2], ("AUSDT".to_owned(), "-1".to_owned()));
}

#[test]
fn the_whole_account_is_liquidated_at_once() {
    let mut exchange = fed();
    exchange.set_leverage(&sym("AUSDT"), 10).unwrap();
    exchange.place(&request("AUSDT", Side::Buy, "80", None, "a")).unwrap();
    exchange.place(&request("BUSDT", Side::Buy, "20", None, "b")).unwrap();
    exchange.place(&request("BUSDT", Side::Buy, "1", Some(("19", GTC)), "c")).unwrap();
    let price = exchange.positions()[&sym("AUSDT")].liquidation_price.unwrap();
    let tick = Price::new(1, 2);
    let at = |exchange: &mut Exchange, price: Price| {
        feed(exchange, &price.to_string(), "20");
        exchange.advance(exchange.now() + Duration::from_secs(60)).unwrap();
    };
    at(&mut exchange, price.ceil_to(tick) + tick);
    assert_eq!(exchange.positions().len(), 2, "one tick above is still alive");
    at(&mut exchange, price.floor_to(tick) - tick);
    assert!(exchange.positions().is_empty() && exchange.open_orders(None).is_empty());
    let last = exchange.accepted_orders().last().unwrap().order.client_id.clone();
    assert!(last.starts_with("autoclose-"), "{last}");
    assert!(!exchange.balance().wallet.is_negative());
    let rows = exchange.income(Time::default(), exchange.now());
    assert!(rows.iter().any(|row| row.kind == "INSURANCE_CLEAR" && row.amount.is_negative()));
    check_books(&exchange, num("1000"));
}

#[test]
fn margin_that_just_meets_its_maintenance_is_liquidated() {
    let mut exchange = fed();
    exchange.place(&request("AUSDT", Side::Buy, "10", None, "a")).unwrap();
    // 10 at 100.01 lose 100.1 at a mark of 90, where 9 must remain.
    let leave: Notional = num("109.1");
    exchange.transfer(leave - exchange.balance().wallet).unwrap();
    let mut spared = exchange.clone();
    spared.transfer(num("0.00000001")).unwrap();
    for exchange in [&mut exchange, &mut spared] {
        feed(exchange, "90", "20");
        exchange.advance(exchange.now() + Duration::from_secs(60)).unwrap();
    }
    assert!(exchange.positions().is_empty());
    assert_eq!(spared.positions().len(), 1);
}

#[test]
fn a_bar_fills_what_it_trades_through_not_what_it_touches() {
    let at = |m: u64| Terms::default().start + Duration::from_secs(60 * m);
    let bar = |m: u64, low: &str| Bar {
        open_time: at(m),
        open: num("100"),
        high: num("101"),
        low: num(low),
        close: num("100"),
        volume: num("30"),
    };
    let bars = vec![bar(0, "99"), bar(5, "98"), bar(10, "97.99"), bar(15, "97")];
    let recorded = Recorded { bars: BTreeMap::from([(sym("AUSDT"), bars)]), ..Recorded::default() };
    let listed = Listed::new(plain("AUSDT"), Vec::new(), 8, listing::plain_shape());
    let mut exchange = Exchange::new(World::new(vec![listed], Prices::Replay(recorded)), Terms::default());
    exchange.place(&request("AUSDT", Side::Buy, "4", Some(("98", GTC)), "a")).unwrap();
    for (status, filled) in
        [(OrderStatus::New, "0"), (OrderStatus::PartiallyFilled, "3"), (OrderStatus::Filled, "4")]
    {
        exchange.advance_bars(1).unwrap();
        let order = exchange.order(&sym("AUSDT"), Which::Client("a")).unwrap();
        assert_eq!(state_of(order), (status, filled.to_owned()), "a tenth of 30 traded per bar");
    }
}

#[test]
fn closed_and_unknown_contracts_take_no_order() {
    let mut exchange = fed();
    exchange.place(&request("AUSDT", Side::Buy, "1", None, "a")).unwrap();
    exchange.set_status(&sym("AUSDT"), Status::read("PRE_SETTLE")).unwrap();
    assert_eq!(code(exchange.place(&request("AUSDT", Side::Buy, "1", None, "b"))), -4140);
    assert!(exchange.place(&reducing(request("AUSDT", Side::Sell, "0.5", None, "c"))).is_ok());
    exchange.set_status(&sym("AUSDT"), Status::read("SETTLING")).unwrap();
    assert_eq!(code(exchange.place(&reducing(request("AUSDT", Side::Sell, "0.5", None, "d")))), -4141);
    assert_eq!(exchange.quote(&sym("AUSDT")), None);
    assert_eq!(code(exchange.place(&request("XUSDT", Side::Buy, "1", None, "e"))), -1121);
}

#[test]
fn awkward_contracts_and_modes_refuse_orders_in_their_own_words() {
    let mut exchange = synthetic(7);
    let market = |symbol: &str, qty: &str| request(symbol, Side::Buy, qty, None, "a");
    assert_eq!(code(exchange.place(&market("TSLAUSDT", "0.1"))), -4411);
    assert_eq!(code(exchange.place(&market("ETHUSDC", "0.01"))), -2019);
    assert_eq!(code(exchange.place(&market("MONUSDT", "200"))), -1122);
    assert_eq!(code(exchange.place(&market("BTCUSDT", "0.0005"))), -1111);
    assert_eq!(code(exchange.place(&market("BTCUSDT", "0.0001"))), -1111);
    assert_eq!(code(exchange.place(&market("XRPUSDT", "0.1"))), -4164);
    exchange.set_margin_type(&sym("XRPUSDT"), false).unwrap();
    assert_eq!(code(exchange.set_margin_type(&sym("XRPUSDT"), false)), -4046);
    assert_eq!(code(exchange.place(&market("XRPUSDT", "10"))), -1020);
    exchange.set_margin_type(&sym("XRPUSDT"), true).unwrap();
    exchange.place(&market("XRPUSDT", "10")).unwrap();
    assert_eq!(code(exchange.set_margin_type(&sym("XRPUSDT"), false)), -4048);
    assert_eq!(code(exchange.set_hedge(true)), -4068);
    assert_eq!(code(exchange.set_hedge(false)), -4059);
    assert_eq!(code(exchange.set_multi_assets(false)), -4171);
}

#[test]
fn fees_are_paid_in_bnb_while_there_is_enough() {
    let terms = Terms { bnb: num("0.00002"), fee_burn: true, ..Terms::default() };
    let world = World::new(listing::synthetic(7, terms.start), Prices::Synthetic { seed: 7 });
    let mut exchange = Exchange::new(world, terms);
    let order = request("XRPUSDT", Side::Buy, "10", None, "a");
    exchange.place(&order).unwrap();
    let first = exchange.trades(None, Time::default(), exchange.now())[0].fill.clone();
    let bnb = exchange.mark_price(&sym("BNBUSDT")).unwrap();
    let paid = first.fee.over_price(Price::ONE).unwrap() * bnb;
    let off = paid.over(first.notional() * Rate::new(5, 4)).unwrap();
    assert_eq!((first.fee_asset.as_str(), format!("{off:.2}")), ("BNB", "0.90".to_owned()));
    exchange.place(&order).unwrap();
    exchange.place(&order).unwrap();
    let last = exchange.trades(None, Time::default(), exchange.now()).last().unwrap().fill.clone();
    assert_eq!(last.fee_asset, "USDT");
    check_books(&exchange, num("200"));
}

#[test]
fn conditional_orders_wait_go_off_and_close() {
    let mut exchange = fed();
    exchange.place(&request("AUSDT", Side::Buy, "2", None, "open")).unwrap();
    let stop = |trigger, id: &str| AlgoRequest {
        symbol: sym("AUSDT"),
        side: Side::Sell,
        trigger,
        qty: Qty::ZERO,
        limit: None,
        reduce_only: false,
        close_position: true,
        on_mark: true,
        client_id: id.into(),
    };
    assert_eq!(code(exchange.place_algo(stop(Trigger::Stop(num("100")), "now"))), -2021);
    exchange.place_algo(stop(Trigger::Stop(num("90")), "low")).unwrap();
    exchange
        .place_algo(stop(Trigger::Trailing { activation: Some(num("110")), callback: num("0.05") }, "trail"))
        .unwrap();
    assert!(exchange.open_orders(None).is_empty(), "conditional orders are not among the open ones");
    let to = |exchange: &mut Exchange, price: &str| {
        feed(exchange, price, "20");
        exchange.advance(exchange.now() + Duration::from_secs(60)).unwrap();
    };
    for price in ["104.6", "111", "120", "114.5"] {
        to(&mut exchange, price);
        assert_eq!(exchange.positions().len(), 1, "{price}");
    }
    to(&mut exchange, "113.9");
    assert!(exchange.positions().is_empty());
    to(&mut exchange, "89");
    let ended: Vec<AlgoStatus> = exchange.algos(None, false).iter().map(|algo| algo.status).collect();
    assert_eq!(ended, [AlgoStatus::Expired, AlgoStatus::Finished]);
    assert_eq!(
        exchange.trades(None, Time::default(), exchange.now()).last().unwrap().fill.price,
        num("113.89")
    );
}

#[test]
fn a_delisted_contract_is_settled_at_its_time() {
    let mut exchange = synthetic(7);
    let symbol = sym("STEEMUSDT");
    let delivery = exchange.rules()[&symbol].delivery.unwrap();
    exchange.place(&request("STEEMUSDT", Side::Buy, "300", None, "a")).unwrap();
    exchange.advance(delivery).unwrap();
    assert!(exchange.positions().is_empty());
    assert_eq!(exchange.status(&symbol).as_str(), "SETTLING");
    let last = exchange.accepted_orders().last().unwrap().order.client_id.clone();
    assert!(last.starts_with("settlement_autoclose-"), "{last}");
    check_books(&exchange, num("200"));
}

#[test]
fn a_jump_moves_mark_and_book_for_good() {
    let mut exchange = synthetic(7);
    let symbol = sym("ADAUSDT");
    let mut twin = exchange.clone();
    exchange.jump_price(&symbol, num("2")).unwrap();
    exchange.advance_bars(10).unwrap();
    twin.advance_bars(10).unwrap();
    let ratio = |f: &dyn Fn(&Exchange) -> Price| f(&exchange).over(f(&twin)).unwrap();
    for value in [ratio(&|e| e.mark_price(&symbol).unwrap()), ratio(&|e| e.quote(&symbol).unwrap().bid)] {
        assert!((value - Rate::from(2)).abs() < num("0.001"), "{value}");
    }
    let bars = exchange.candles(
        &symbol,
        Span::read("5m").unwrap(),
        exchange.now() - Duration::from_secs(3600),
        exchange.now(),
        true,
    );
    let old = twin.candles(
        &symbol,
        Span::read("5m").unwrap(),
        exchange.now() - Duration::from_secs(3600),
        exchange.now(),
        true,
    );
    assert_eq!(bars[0].close, old[0].close, "history before the jump stays");
    assert_eq!(code(exchange.jump_price(&symbol, Rate::ZERO)), -1102);
}

#[test]
fn the_same_seed_gives_the_same_bytes_however_time_is_cut() {
    let (mut at_once, mut bit_by_bit) = (synthetic(11), synthetic(11));
    for exchange in [&mut at_once, &mut bit_by_bit] {
        exchange.place(&request("XRPUSDT", Side::Buy, "20", None, "a")).unwrap();
    }
    let end = at_once.now() + Duration::from_secs(20 * 3600 + 17);
    at_once.advance(end).unwrap();
    while bit_by_bit.now() < end {
        bit_by_bit.advance(end.min(bit_by_bit.now() + Duration::from_secs(101))).unwrap();
    }
    let json = |exchange: &Exchange| serde_json::to_string(exchange.state()).unwrap();
    assert_eq!(json(&at_once), json(&bit_by_bit));
    assert_ne!(synthetic(11).markets(), synthetic(12).markets());
}

#[test]
fn a_stored_state_goes_on_as_if_never_stored() {
    let mut exchange = synthetic(3);
    exchange.place(&request("XRPUSDT", Side::Buy, "20", None, "a")).unwrap();
    exchange.place(&request("ADAUSDT", Side::Sell, "50", Some(("0.6", GTC)), "b")).unwrap();
    exchange.advance_bars(40).unwrap();
    let json = serde_json::to_string(exchange.state()).unwrap();
    assert!(json.len() < 20_000, "{} bytes", json.len());
    let state: State = serde_json::from_str(&json).unwrap();
    assert_eq!(&state, exchange.state());
    let mut resumed = Exchange::resume(exchange.world().clone(), exchange.terms().clone(), state);
    for exchange in [&mut exchange, &mut resumed] {
        exchange.advance_bars(200).unwrap();
    }
    assert_eq!(exchange.state(), resumed.state());
    exchange.forget_before(exchange.now());
    assert!(exchange.trades(None, Time::default(), exchange.now()).is_empty());
    assert_eq!(exchange.positions(), resumed.positions());
}

#[test]
fn candles_end_where_the_price_is_and_join() {
    let mut exchange = synthetic(5);
    exchange.advance_bars(30).unwrap();
    let symbol = sym("SOLUSDT");
    let from = exchange.now() - Duration::from_secs(86_400);
    let bars = exchange.candles(&symbol, Span::read("5m").unwrap(), from, exchange.now(), false);
    assert_eq!(bars.len(), 289, "a day of them and the one in progress");
    for pair in bars.windows(2) {
        assert_eq!(pair[0].close, pair[1].open);
        assert!(pair[0].high >= pair[0].close && pair[0].low <= pair[0].open);
    }
    assert_eq!(bars.last().unwrap().close, exchange.last_price(&symbol).unwrap());
    // What was shown as the price then is the close in the candles now.
    let mut earlier = synthetic(5);
    earlier.advance_bars(10).unwrap();
    let shown = earlier.last_price(&symbol).unwrap();
    let bar = bars.iter().find(|bar| bar.open_time + Duration::from_secs(300) == earlier.now()).unwrap();
    assert_eq!(bar.close, shown);
    let hours = exchange.candles(&symbol, Span::read("1h").unwrap(), from, exchange.now(), false);
    assert_eq!(hours.len(), 24);
    let minutes = exchange.candles(
        &symbol,
        Span::read("1m").unwrap(),
        exchange.now() - Duration::from_secs(600),
        exchange.now(),
        false,
    );
    assert_eq!(minutes.len(), 11);
    // From within a bar: the same ones.
    let ago = |seconds| exchange.now() - Duration::from_secs(seconds);
    let some = exchange.candles(&symbol, Span::read("1m").unwrap(), ago(420), ago(240), false);
    assert_eq!(some, minutes[3..7]);
    let young =
        exchange.candles(&sym("ZAMAUSDT"), Span::read("1d").unwrap(), Time::default(), exchange.now(), false);
    assert!(young.len() < 15, "{} daily candles of a young coin", young.len());
}

#[test]
fn the_rate_that_is_announced_is_the_rate_that_is_charged_and_remembered() {
    let mut exchange = synthetic(7);
    for name in ["XRPUSDT", "PIPPINUSDT", "RESOLVUSDT"] {
        let symbol = sym(name);
        let mark = exchange.mark(&symbol).unwrap();
        let next = mark.next_funding.unwrap();
        exchange.advance(next).unwrap();
        let past = exchange.funding_history(&symbol, next, next + Duration::from_secs(1));
        exchange.advance(next + Duration::from_secs(1)).unwrap();
        let known = exchange.funding_history(&symbol, next, next + Duration::from_secs(1));
        assert_eq!(known.len(), 1);
        assert_eq!(known[0].rate, mark.funding_rate, "{name}");
        assert_eq!(past.len(), 1);
        assert!(exchange.mark(&symbol).unwrap().next_funding.unwrap() > next);
    }
}

#[test]
fn recorded_prices_have_gaps_and_an_end() {
    let minutes = |m: u64| time("2025-03-01T00:00:00Z") + Duration::from_secs(60 * m);
    let bar = |at: u64, close: &str| Bar {
        open_time: minutes(at),
        open: num(close),
        high: num(close),
        low: num(close),
        close: num(close),
        volume: num("1000"),
    };
    let recorded = Recorded {
        bars: BTreeMap::from([
            (sym("AUSDT"), vec![bar(0, "100"), bar(5, "101"), bar(10, "102"), bar(15, "103")]),
            (sym("BUSDT"), vec![bar(5, "20"), bar(15, "21")]),
        ]),
        funding: BTreeMap::from([(
            sym("AUSDT"),
            vec![(minutes(15) + Duration::from_millis(7), num("0.001"))],
        )]),
    };
    let listed = |name: &str| Listed::new(plain(name), Vec::new(), 8, listing::plain_shape());
    let world = World::new(vec![listed("AUSDT"), listed("BUSDT")], Prices::Replay(recorded));
    let mut exchange = Exchange::new(world, Terms::default());
    assert_eq!(exchange.now(), minutes(5));
    let price = |exchange: &Exchange, name: &str| exchange.mark_price(&sym(name)).map(|p| p.to_string());
    assert_eq!((price(&exchange, "AUSDT"), price(&exchange, "BUSDT")), (Some("100".into()), None));
    assert_eq!(code(exchange.place(&request("BUSDT", Side::Buy, "1", None, "a"))), -2020);
    exchange.place(&request("AUSDT", Side::Buy, "1", None, "b")).unwrap();
    exchange.advance_bars(1).unwrap();
    assert_eq!(price(&exchange, "BUSDT"), Some("20".into()));
    exchange.place(&request("BUSDT", Side::Buy, "1", None, "c")).unwrap();
    exchange.advance_bars(1).unwrap();
    assert_eq!((price(&exchange, "AUSDT"), price(&exchange, "BUSDT")), (Some("102".into()), None));
    assert_eq!(exchange.positions()[&sym("BUSDT")].mark_price, num("20"), "valued at its last mark");
    exchange.advance_bars(1).unwrap();
    assert_eq!(price(&exchange, "BUSDT"), Some("21".into()));
    let funding = exchange.income(Time::default(), exchange.now());
    assert_eq!(funding.iter().filter(|row| row.kind == "FUNDING_FEE").count(), 1);
    let end = exchange.advance_bars(1).unwrap_err();
    assert_eq!(end.to_string(), "recorded prices end at 2025-03-01T00:20:00.000Z");
    assert_eq!(exchange.now(), minutes(20));
}
