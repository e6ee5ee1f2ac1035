//! The spot side, tested from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use crate::domain::market::{Bar, Mark, Market, Quote};
use crate::domain::num::{Amount, Notional, Price, Qty, Rate};
use crate::domain::order::{OrderKind, OrderStatus, Side, TimeInForce};
use crate::domain::rules::tests::plain;
use crate::domain::rules::{Lot, Rules, Status};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::matching::Which;
use crate::sim::prices::{Prices, Recorded};
use crate::sim::spot::listing::Pair;
use crate::sim::spot::orders::{Placed, Request, Size};
use crate::sim::spot::{BNB, QUOTE, Spot, State, Terms};
use crate::sim::{self, Exchange, Listed, World};

fn num<K>(text: &str) -> Amount<K> {
    text.parse().unwrap()
}

fn sym(name: &str) -> Symbol {
    name.parse().unwrap()
}

/// A at 10, 50 units at each side of a book one tick of 0.01 around it, and BNB at 500.
fn market() -> Exchange {
    let plain_listed = |name: &str| Listed::new(plain(name), Vec::new(), 8, sim::listing::plain_shape());
    let listing = vec![plain_listed("AUSDT"), plain_listed("BNBUSDT")];
    let mut market = Exchange::new(World::new(listing, Prices::Fed), sim::Terms::default());
    feed(&mut market, "10");
    market
}

fn feed(market: &mut Exchange, a: &str) {
    let at = |price: &str| {
        let price: Price = num(price);
        let tick = Price::new(1, 2);
        Market {
            mark: Mark { price, funding_rate: Rate::ZERO, next_funding: None, at: Time::default() },
            quote: Quote { bid: price - tick, bid_qty: num("50"), ask: price + tick, ask_qty: num("50") },
        }
    };
    market.feed(BTreeMap::from([(sym("AUSDT"), at(a)), (sym("BNBUSDT"), at("500"))]));
}

/// Step 0.1 up to 100 (a market order up to 90), value 5 to 900, band 0.8 to 1.25 for buys and 0.5
/// to 2 for sells.
fn pair() -> Pair {
    let rules = plain("AUSDT");
    let market_lot = Lot { min: Qty::ZERO, max: num("90"), step: Qty::ZERO };
    Pair {
        bid_band: (num("0.8"), num("1.25")),
        ask_band: (num("0.5"), num("2")),
        max_notional: num("900"),
        max_position: num("101"),
        ..Pair::new(Rules { market_lot, max_open_orders: 3, ..rules })
    }
}

fn spot_with(equity: &str, pair: Pair) -> Spot {
    let terms = Terms { equity: num(equity), ..Terms::default() };
    let pairs = vec![pair, Pair::new(plain("BNBUSDT"))];
    Spot::new(pairs, terms, Time::clamped(1_767_225_600_000))
}

fn spot(equity: &str) -> Spot {
    spot_with(equity, pair())
}

fn order(side: Side, size: Size, limit: Option<(&str, TimeInForce)>, id: &str) -> Request {
    let kind = limit.map_or(OrderKind::Market, |(price, time_in_force)| OrderKind::Limit {
        price: num(price),
        time_in_force,
    });
    Request { symbol: sym("AUSDT"), side, size, kind, client_id: id.to_owned() }
}

fn buy(qty: &str, limit: Option<(&str, TimeInForce)>, id: &str) -> Request {
    order(Side::Buy, Size::Base(num(qty)), limit, id)
}

fn sell(qty: &str, limit: Option<(&str, TimeInForce)>, id: &str) -> Request {
    order(Side::Sell, Size::Base(num(qty)), limit, id)
}

/// (free, locked) of an asset as text.
fn has(spot: &Spot, asset: &str) -> (String, String) {
    let balance = spot.balance(asset);
    (balance.free.to_string(), balance.locked.to_string())
}

fn pairs_of(free: &str, locked: &str) -> (String, String) {
    (free.to_owned(), locked.to_owned())
}

const GTC: TimeInForce = TimeInForce::Gtc;
const IOC: TimeInForce = TimeInForce::Ioc;

/// The words that refuse an order, or "" where it is accepted, of a rich account.
fn words(request: &Request) -> String {
    let mut spot = spot("100000");
    spot.transfer(&market(), "A", num("10")).unwrap();
    spot.place(&market(), request).map_or_else(|refusal| refusal.to_string(), |_| String::new())
}

#[test]
fn each_filter_has_its_words() {
    let quote = |side, amount: &str| order(side, Size::Quote(num(amount)), None, "a");
    for (request, expected) in [
        (buy("1", Some(("10", GTC)), "a"), ""),
        (buy("1", Some(("10.005", GTC)), "a"), "Filter failure: PRICE_FILTER (-1013)"),
        (buy("1", Some(("0", GTC)), "a"), "Filter failure: PRICE_FILTER (-1013)"),
        (buy("1", Some(("200000", GTC)), "a"), "Filter failure: PRICE_FILTER (-1013)"),
        (buy("1", Some(("12.5", GTC)), "a"), ""),
        (buy("1", Some(("12.51", GTC)), "a"), "Filter failure: PERCENT_PRICE_BY_SIDE (-1013)"),
        (buy("1", Some(("7.99", GTC)), "a"), "Filter failure: PERCENT_PRICE_BY_SIDE (-1013)"),
        (sell("1", Some(("7.99", GTC)), "a"), ""),
        (sell("1", Some(("20.01", GTC)), "a"), "Filter failure: PERCENT_PRICE_BY_SIDE (-1013)"),
        (sell("2", Some(("4.99", GTC)), "a"), "Filter failure: PERCENT_PRICE_BY_SIDE (-1013)"),
        (buy("1.05", Some(("10", GTC)), "a"), "Filter failure: LOT_SIZE (-1013)"),
        (buy("100.1", Some(("10", GTC)), "a"), "Filter failure: LOT_SIZE (-1013)"),
        (buy("90.1", None, "a"), "Filter failure: MARKET_LOT_SIZE (-1013)"),
        (buy("90", None, "a"), ""),
        (buy("0.4", Some(("10", GTC)), "a"), "Filter failure: NOTIONAL (-1013)"),
        (buy("0.5", Some(("10", GTC)), "a"), ""),
        (buy("0.4", None, "a"), "Filter failure: NOTIONAL (-1013)"),
        (quote(Side::Buy, "4.99"), "Filter failure: NOTIONAL (-1013)"),
        (quote(Side::Buy, "5"), ""),
        (quote(Side::Buy, "950"), "Filter failure: MARKET_LOT_SIZE (-1013)"),
        (buy("90.5", Some(("10", GTC)), "a"), "Filter failure: NOTIONAL (-1013)"),
        (buy("91.1", Some(("9", GTC)), "a"), "Filter failure: MAX_POSITION (-1013)"),
        (buy("91", Some(("9", GTC)), "a"), ""),
        (buy("0", None, "a"), "Invalid quantity. (-1013)"),
        (buy("1.000000001", None, "a"), "Precision is over the maximum defined for this asset. (-1111)"),
        (sell("10.1", None, "a"), "Account has insufficient balance for requested action. (-2010)"),
        (buy("1", Some(("10.01", TimeInForce::Gtx)), "a"), "Order would immediately match and take. (-2010)"),
        (buy("1", Some(("10", TimeInForce::Gtx)), "a"), ""),
    ] {
        assert_eq!(words(&request), expected, "{request:?}");
    }
    let mut old = pair();
    (old.modern, old.min_for_market) = (false, false);
    let mut spot = spot_with("1000", old);
    let refused = |spot: &mut Spot, request: &Request| spot.place(&market(), request).unwrap_err().msg;
    assert_eq!(refused(&mut spot, &buy("0.4", Some(("10", GTC)), "a")), "Filter failure: MIN_NOTIONAL");
    assert_eq!(refused(&mut spot, &buy("1", Some(("7", GTC)), "a")), "Filter failure: PERCENT_PRICE");
    assert!(spot.place(&market(), &buy("0.4", None, "a")).is_ok(), "its minimum is not for market orders");
    for id in ["", "with space", &"x".repeat(37), "ü"] {
        assert_eq!(spot.place(&market(), &buy("1", None, id)).unwrap_err().code, -1100, "{id:?}");
    }
    let elsewhere = Request { symbol: sym("NOPEUSDT"), ..buy("1", None, "a") };
    assert_eq!(spot.place(&market(), &elsewhere).unwrap_err().code, -1121);
}

#[test]
fn fees_come_out_of_what_is_received() {
    let (market, mut spot) = (market(), spot("1000"));
    let bought = spot.place(&market, &buy("60", None, "a")).unwrap();
    // 50 at 10.01, then the made-up level behind it.
    assert_eq!((bought.order.status.as_str(), bought.order.filled_qty), ("FILLED", num("60")));
    let trades: Vec<_> = spot.trades_of(&bought).into_iter().cloned().collect();
    assert_eq!((trades.len(), trades[0].fill.price, trades[0].fill.qty), (2, num("10.01"), num("50")));
    assert!(trades.iter().all(|trade| trade.fill.fee_asset == "A" && !trade.maker));
    assert_eq!((trades[0].fill.fee, trades[1].fill.fee), (num("0.05"), num("0.01")));
    assert_eq!(has(&spot, "A"), pairs_of("59.94", "0"), "less than was bought by the fee");
    assert_eq!(
        spot.balance(QUOTE).free,
        num::<crate::domain::num::kind::QtyKind>("1000") - super::units(bought.quote_filled)
    );
    // All of it cannot be sold: the step is 0.1.
    assert_eq!(spot.place(&market, &sell("59.94", None, "b")).unwrap_err().msg, "Filter failure: LOT_SIZE");
    let before = spot.balance(QUOTE).free;
    let sold = spot.place(&market, &sell("50", None, "b")).unwrap();
    let fill = &spot.trades_of(&sold)[0].fill;
    assert_eq!((fill.price, fill.fee, fill.fee_asset.as_str()), (num("9.99"), num("0.4995"), "USDT"));
    assert_eq!(spot.balance(QUOTE).free, before + num("499.0005"));
}

#[test]
fn fees_are_paid_in_bnb_while_it_lasts() {
    let (market, mut spot) = (market(), spot("1000"));
    spot.transfer(&market, BNB, num("0.001")).unwrap();
    spot.set_burn(true);
    let placed = spot.place(&market, &buy("50", None, "a")).unwrap();
    // 500.5 × 0.001 × 0.75 / 500.
    assert_eq!(spot.trades_of(&placed)[0].fill.fee, num("0.00075075"));
    assert_eq!((has(&spot, BNB), has(&spot, "A")), (pairs_of("0.00024925", "0"), pairs_of("50", "0")));
    let placed = spot.place(&market, &buy("40", None, "b")).unwrap();
    assert_eq!(spot.trades_of(&placed)[0].fill.fee_asset, "A", "too little BNB is left");
    assert_eq!(has(&spot, BNB), pairs_of("0.00024925", "0"));
}

#[test]
fn selling_all_bnb_with_fees_in_bnb_takes_no_more_than_there_is() {
    let (market, mut spot) = (market(), spot("10"));
    spot.transfer(&market, BNB, num("60")).unwrap();
    spot.set_burn(true);
    let all = Request { symbol: sym("BNBUSDT"), ..sell("60", None, "a") };
    let placed = spot.place(&market, &all).unwrap();
    assert!(spot.trades_of(&placed).iter().all(|trade| trade.fill.fee_asset == QUOTE));
    assert_eq!(has(&spot, BNB), pairs_of("0", "0"));
}

#[test]
fn a_limit_order_sets_aside_its_limit_and_gives_back_what_it_saved() {
    let (market, mut spot) = (market(), spot("1000"));
    assert_eq!(
        spot.place(&market, &buy("80", Some(("12.51", GTC)), "x")).unwrap_err().code,
        -1013,
        "the band comes before the balance"
    );
    let mut small = spot_with("400", pair());
    // 40 × 10.01 would do, 40 × 10.02 is asked for.
    assert_eq!(small.place(&market, &buy("40", Some(("10.02", IOC)), "x")).unwrap_err().code, -2010);
    assert!(small.place(&market, &buy("39.9", Some(("10.02", IOC)), "x")).is_ok());
    let placed = spot.place(&market, &buy("60", Some(("10.01", GTC)), "a")).unwrap();
    assert_eq!((placed.order.status.as_str(), placed.left()), ("PARTIALLY_FILLED", num("10")));
    assert_eq!(has(&spot, QUOTE), pairs_of("399.4", "100.1"));
    assert_eq!(spot.open_orders(None).len(), 1);
    let cancelled = spot.cancel(&market, &sym("AUSDT"), Which::Client("a")).unwrap();
    assert_eq!(cancelled.order.status.as_str(), "CANCELED");
    assert_eq!(has(&spot, QUOTE), pairs_of("499.5", "0"));
    assert_eq!(spot.cancel(&market, &sym("AUSDT"), Which::Client("a")).unwrap_err().code, -2011);
    let expired = spot.place(&market, &sell("49.9", Some(("9.99", IOC)), "b")).unwrap();
    assert_eq!(expired.order.status.as_str(), "FILLED");
    let mut shallow = spot_with("1000", pair());
    let part = shallow.place(&market, &buy("60", Some(("10.01", IOC)), "c")).unwrap();
    assert_eq!((part.order.status.as_str(), part.order.filled_qty), ("EXPIRED", num("50")));
    assert_eq!(has(&shallow, QUOTE), pairs_of("499.5", "0"), "nothing stays locked");
    let none = shallow.place(&market, &buy("51.1", Some(("9.5", IOC)), "d")).unwrap_err();
    assert_eq!(none.code, -1013, "49.95 held and 51.1 more");
    let fok = shallow.place(&market, &sell("49.9", Some(("10.5", TimeInForce::Fok)), "e")).unwrap();
    assert_eq!((fok.order.status.as_str(), fok.order.filled_qty), ("EXPIRED", Qty::ZERO));
}

#[test]
fn spending_an_amount_floors_the_quantity() {
    let (market, mut spot) = (market(), spot("100"));
    let request = order(Side::Buy, Size::Quote(num("100")), None, "a");
    let placed = spot.place(&market, &request).unwrap();
    // 100 / 10.01 = 9.99.
    assert_eq!((placed.order.qty, placed.quote_filled), (num("9.9"), num("99.099")));
    assert_eq!(has(&spot, QUOTE), pairs_of("0.901", "0"));
    let too_much = order(Side::Buy, Size::Quote(num("5")), None, "b");
    assert_eq!(spot.place(&market, &too_much).unwrap_err().code, -2010);
    let bring = order(Side::Sell, Size::Quote(num("50")), None, "c");
    let placed = spot.place(&market, &bring).unwrap();
    assert_eq!((placed.order.qty, placed.quote_filled), (num("5"), num("49.95")));
}

#[test]
fn an_id_is_unique_among_open_orders_only() {
    let (market, mut spot) = (market(), spot("1000"));
    let resting = buy("1", Some(("9", GTC)), "a");
    spot.place(&market, &resting).unwrap();
    let refused = spot.place(&market, &buy("1", None, "a")).unwrap_err();
    assert_eq!(refused.to_string(), "Duplicate order sent. (-2010)");
    spot.cancel(&market, &sym("AUSDT"), Which::Client("a")).unwrap();
    for _ in 0..2 {
        assert!(spot.place(&market, &buy("1", None, "a")).is_ok(), "the trap: a filled id is taken again");
    }
    assert_eq!(spot.accepted_orders().len(), 3);
    let newest = spot.order(&sym("AUSDT"), Which::Client("a"), market.now()).unwrap();
    assert_eq!((newest.accepted, newest.order.status.as_str()), (3, "FILLED"));
    assert_eq!(spot.order(&sym("AUSDT"), Which::Client("b"), market.now()).unwrap_err().code, -2013);
    let later = market.now() + Duration::from_secs(91 * 86_400);
    let first = Which::Number(spot.accepted_orders()[0].order.order_id);
    assert_eq!(spot.order(&sym("AUSDT"), first, later).unwrap_err().code, -2026);
    assert!(spot.order(&sym("AUSDT"), Which::Client("a"), later).is_ok(), "what filled is kept");
}

#[test]
fn a_closed_market_takes_no_orders_and_lets_them_be_cancelled() {
    let (market, mut spot) = (market(), spot("1000"));
    let symbol = sym("AUSDT");
    spot.place(&market, &buy("1", Some(("9", GTC)), "a")).unwrap();
    for status in ["BREAK", "HALT", "END_OF_DAY", "CANCEL_ONLY"] {
        spot.set_status(&symbol, Status::read(status)).unwrap();
        let refused = spot.place(&market, &buy("1", None, "b")).unwrap_err();
        assert_eq!(refused.to_string(), "Market is closed. (-2010)", "{status}");
        assert_eq!(spot.book(&market, &symbol), None);
        assert!(spot.last_price(&market, &symbol).is_some(), "the last price stays");
    }
    assert_eq!(spot.cancel_all(&market, &symbol).unwrap().len(), 1);
    assert_eq!(spot.cancel_all(&market, &symbol).unwrap_err().code, -2011);
    assert!(spot.test_order(&market, &buy("1", None, "b")).is_ok(), "a test sees the filters alone");
    assert_eq!(spot.set_status(&sym("NOPE"), Status::Trading).unwrap_err().code, -1121);
}

#[test]
fn resting_orders_fill_as_maker_when_the_market_comes() {
    let (mut market, mut spot) = (market(), spot("1000"));
    for id in ["a", "b", "c"] {
        spot.place(&market, &buy("30", Some(("9", GTC)), id)).unwrap();
    }
    let fourth = spot.place(&market, &buy("1", Some(("9", GTC)), "d")).unwrap_err();
    assert_eq!(fourth.msg, "Filter failure: MAX_NUM_ORDERS");
    feed(&mut market, "8.99");
    spot.follow(&market);
    let trades = spot.trades(None);
    assert!(trades.len() == 3 && trades.iter().all(|trade| trade.maker && trade.fill.price == num("9")));
    assert_eq!((has(&spot, QUOTE), has(&spot, "A")), (pairs_of("190", "0"), pairs_of("89.91", "0")));
}

#[test]
fn an_account_does_not_trade_with_itself() {
    let (market, mut spot) = (market(), spot("1000"));
    spot.transfer(&market, "A", num("50")).unwrap();
    spot.place(&market, &buy("10", Some(("9.5", GTC)), "a")).unwrap();
    spot.place(&market, &sell("10", Some(("9.5", IOC)), "b")).unwrap();
    let first = spot.order(&sym("AUSDT"), Which::Client("a"), market.now()).unwrap();
    assert!(first.self_trade && first.order.status == OrderStatus::Expired);
    assert_eq!(spot.balance(QUOTE).locked, Qty::ZERO);
}

#[test]
fn a_partly_filled_order_expires_and_keeps_nothing_locked() {
    let (market, mut spot) = (market(), spot("1000"));
    for (request, status) in [
        (buy("20", None, "a"), "EXPIRED"),
        (buy("20", Some(("10.01", GTC)), "b"), "EXPIRED"),
        (sell("10", None, "c"), "EXPIRED"),
    ] {
        let half = spot.place_partly(&market, &request, Rate::new(5, 1)).unwrap();
        assert_eq!((half.order.status.as_str(), half.left()), (status, half.order.filled_qty));
    }
    assert!(spot.balances().values().all(|balance| balance.locked.is_zero()));
}

#[test]
fn transfers_and_hand_trades_stay_within_what_is_free() {
    let (market, mut spot) = (market(), spot("1000"));
    spot.place(&market, &buy("50", Some(("9", GTC)), "a")).unwrap();
    assert_eq!(spot.transfer(&market, QUOTE, num("-551")).unwrap_err().code, -2010);
    spot.transfer(&market, QUOTE, num("-550")).unwrap();
    assert_eq!(has(&spot, QUOTE), pairs_of("0", "450"));
    assert!(spot.transfer(&market, "NOPE", num("1")).is_err());
    assert_eq!(spot.hand_trade(&market, &sym("AUSDT"), num("1")).unwrap_err().code, -2010);
    spot.transfer(&market, QUOTE, num("2")).unwrap();
    // Worth 1, less than an order may be.
    let placed = spot.hand_trade(&market, &sym("AUSDT"), num("0.1")).unwrap();
    assert_eq!(placed.order.status, OrderStatus::Filled);
    assert!(placed.order.client_id.starts_with("web_"));
    assert_eq!(spot.value(&market), num("452.0") - num("1.001") + num("0.999"));
}

#[test]
fn a_stored_account_goes_on_as_it_was() {
    let (market, mut spot) = (market(), spot("1000"));
    spot.place(&market, &buy("60", Some(("10.01", GTC)), "a")).unwrap();
    let text = serde_json::to_string(spot.state()).unwrap();
    let state: State = serde_json::from_str(&text).unwrap();
    let pairs = spot.pairs().values().cloned().collect();
    let mut again = Spot::resume(pairs, spot.terms().clone(), state);
    assert_eq!(again.state(), spot.state());
    again.cancel(&market, &sym("AUSDT"), Which::Client("a")).unwrap();
    assert_eq!(again.balance(QUOTE).locked, Qty::ZERO);
}

fn synthetic() -> Exchange {
    let terms = sim::Terms::default();
    let listing = sim::listing::synthetic(7, terms.start);
    Exchange::new(World::new(listing, Prices::Synthetic { seed: 7 }), terms)
}

#[test]
fn the_synthetic_market_has_a_pair_for_every_coin() {
    let market = synthetic();
    let spot = Spot::beside(&market);
    assert_eq!(has(&spot, QUOTE), pairs_of("200", "0"));
    let names: BTreeSet<&str> = spot.pairs().keys().map(Symbol::as_str).collect();
    for name in
        ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "SHIBUSDT", "PEPEUSDT", "1INCHUSDT", "币安人生USDT"]
    {
        assert!(names.contains(name), "{name}");
    }
    for name in ["1000SHIBUSDT", "TSLAUSDT", "XAUUSDT", "BTCDOMUSDT", "MEGAUSDT", "1000000MOGUSDT", "MONUSDT"]
    {
        assert!(!names.contains(name), "{name}");
    }
    let trading = spot.rules().values().filter(|rules| rules.status == Status::Trading).count();
    assert!(trading >= 80, "{trading}");
    assert_eq!(spot.status(&sym("MKRUSDT")).as_str(), "BREAK");
    assert!(spot.pairs().values().any(|pair| !pair.modern), "no pair has the older filters");
    assert!(spot.pairs().values().any(|pair| pair.max_position.is_positive()));
    for (symbol, pair) in spot.pairs() {
        let rules = &pair.rules;
        let Some(price) = spot.last_price(&market, symbol) else { panic!("{symbol} has no price") };
        assert!(rules.tick.decimals() + rules.lot.step.decimals() <= 8, "{symbol}: value off its digits");
        assert!(rules.tick.over(price).unwrap() < Rate::new(1, 2), "{symbol}: tick");
        assert!(rules.lot.step * price <= Notional::new(13, 1), "{symbol}: step");
        if rules.status != Status::Trading {
            continue;
        }
        let book = spot.book(&market, symbol).unwrap();
        for level in book.bids.iter().chain(&book.asks) {
            assert!(level.price.is_multiple_of(rules.tick) && level.qty.is_multiple_of(rules.lot.step));
        }
    }
    // A thousand of them are one unit of the contract.
    let (shib, thousand) = (sym("SHIBUSDT"), sym("1000SHIBUSDT"));
    let whole = spot.last_price(&market, &shib).unwrap() * Rate::from(1000);
    let gap = whole.over(market.last_price(&thousand).unwrap()).unwrap() - Rate::ONE;
    assert!(gap.abs() < Rate::new(1, 3), "{gap}");
    assert!(spot.day(&market, &shib).unwrap().volume > market.day(&thousand).unwrap().volume);
    let mut market = market;
    market.jump_price(&thousand, num("2")).unwrap();
    assert!(spot.last_price(&market, &shib).unwrap() * Rate::from(1000) > whole * num("1.9"));
}

#[test]
fn recorded_prices_make_the_grids_where_nothing_else_says_them() {
    let bar = |price: &str| Bar {
        open_time: Time::clamped(1_767_225_600_000),
        open: num(price),
        high: num(price),
        low: num(price),
        close: num(price),
        volume: num("5"),
    };
    let names = [("BTCUSDT", "96800"), ("1000PEPEUSDT", "0.0046")];
    let bars = names.map(|(name, price)| (sym(name), vec![bar(price)]));
    let listing = ["BTCUSDT", "1000PEPEUSDT", "ADAUSDT"]
        .map(|name| Rules { tick: Price::new(1, 7), ..plain(name) })
        .map(|rules| Listed::new(rules, Vec::new(), 8, sim::listing::plain_shape()));
    let prices = Prices::Replay(Recorded { bars: BTreeMap::from(bars), funding: BTreeMap::new() });
    let market = Exchange::new(World::new(listing.to_vec(), prices), sim::Terms::default());
    let spot = Spot::beside(&market);
    let grids: Vec<_> = spot.pairs().values().map(|pair| (pair.rules.lot.step, pair.rules.tick)).collect();
    assert_eq!(grids, [(num("0.00001"), num("0.01")), (num("1"), num("0.00000001"))], "ADA has no price");
    assert_eq!(spot.last_price(&market, &sym("PEPEUSDT")), Some(num("0.0000046")));
}

#[test]
fn a_bar_that_traded_through_an_order_fills_it() {
    let mut market = synthetic();
    let mut spot = Spot::beside(&market);
    let symbol = sym("BTCUSDT");
    let mut filled = 0;
    for round in 0..200 {
        let last = spot.last_price(&market, &symbol).unwrap();
        let price = (last * num("0.9995")).floor_to(Price::new(1, 2));
        let request = Request {
            symbol: symbol.clone(),
            side: Side::Buy,
            size: Size::Base(num("0.0001")),
            kind: OrderKind::Limit { price, time_in_force: GTC },
            client_id: format!("r{round}"),
        };
        if spot.place(&market, &request).is_err() {
            break;
        }
        market.advance_bars(1).unwrap();
        spot.follow(&market);
        filled += usize::from(spot.cancel_all(&market, &symbol).is_err());
    }
    assert!((1..200).contains(&filled), "{filled}");
    assert!(spot.trades(None).iter().all(|trade| trade.maker));
}

/// What a hand may do to the account.
#[derive(Clone, Debug)]
enum Act {
    Place { side: Side, size: Size, kind: OrderKind, bnb: bool, fraction: u32 },
    Cancel(usize),
    CancelAll,
    Price(u32),
    Transfer(usize, i64),
    Hand(i64),
    Burn(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let kind = prop_oneof![
        Just(OrderKind::Market),
        (850_i64..1150, 0..4_usize).prop_map(|(cents, word)| OrderKind::Limit {
            price: Price::new(cents, 2),
            time_in_force: [GTC, IOC, TimeInForce::Fok, TimeInForce::Gtx][word],
        }),
    ];
    let size = prop_oneof![
        (1_i64..900).prop_map(|tenths| Size::Base(Qty::new(tenths, 1))),
        (400_i64..90_000).prop_map(|cents| Size::Quote(Notional::new(cents, 2))),
    ];
    let place =
        (any::<bool>(), size, kind, any::<bool>(), 0_u32..4).prop_map(|(buys, size, kind, bnb, fraction)| {
            let side = if buys { Side::Buy } else { Side::Sell };
            // Only market orders are sized by what they spend.
            let size = match (size, kind) {
                (Size::Quote(amount), OrderKind::Limit { price, .. }) => {
                    Size::Base(amount.over_price(price).unwrap().floor_to(Qty::new(1, 1)))
                }
                (size, _) => size,
            };
            Act::Place { side, size, kind, bnb, fraction }
        });
    prop_oneof![
        6 => place,
        1 => (0..5_usize).prop_map(Act::Cancel),
        1 => Just(Act::CancelAll),
        2 => (850_u32..1150).prop_map(Act::Price),
        1 => (0..3_usize, -5_000_000_i64..5_000_000).prop_map(|(asset, amount)| Act::Transfer(asset, amount)),
        1 => (-100_i64..100).prop_map(Act::Hand),
        1 => any::<bool>().prop_map(Act::Burn),
    ]
}

/// What trades, fees and transfers alone make of the account.
fn explained(spot: &Spot, moved: &BTreeMap<String, Qty>) -> BTreeMap<String, Qty> {
    let mut books = moved.clone();
    for trade in spot.trades(None) {
        let fill = &trade.fill;
        let base = fill.symbol.coin(QUOTE).to_owned();
        let sign = if fill.side == Side::Buy { Rate::ONE } else { -Rate::ONE };
        *books.entry(base).or_default() += fill.qty * sign;
        *books.entry(QUOTE.to_owned()).or_default() -= super::units(fill.notional()) * sign;
        *books.entry(fill.fee_asset.clone()).or_default() -= super::units(fill.fee);
    }
    books.retain(|_, qty| !qty.is_zero());
    books
}

/// What open orders set aside, by asset.
fn set_aside(spot: &Spot) -> BTreeMap<String, Qty> {
    let mut held: BTreeMap<String, Qty> = BTreeMap::new();
    for open in spot.open_orders(None) {
        let (asset, qty) = match open.order.side {
            Side::Buy => (QUOTE, super::units(open.left() * open.limit().unwrap())),
            Side::Sell => (open.order.symbol.coin(QUOTE), open.left()),
        };
        *held.entry(asset.to_owned()).or_default() += qty;
    }
    held
}

fn filled_by_trades(spot: &Spot, placed: &Placed) -> (Qty, Notional) {
    let trades = spot.trades_of(placed);
    (trades.iter().map(|t| t.fill.qty).sum(), trades.iter().map(|t| t.fill.notional()).sum())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_is_made_or_lost_but_by_trades_fees_and_transfers(acts in prop::collection::vec(act(), 1..60)) {
        let mut market = market();
        let wide = Pair { max_position: Qty::ZERO, ..pair() };
        let mut spot = spot_with("2000", wide);
        let mut moved = BTreeMap::from([(QUOTE.to_owned(), num("2000"))]);
        for (number, act) in acts.into_iter().enumerate() {
            match act {
                Act::Place { side, size, kind, bnb, fraction } => {
                    let symbol = sym(if bnb { "BNBUSDT" } else { "AUSDT" });
                    let request = Request { symbol, side, size, kind, client_id: format!("p{number}") };
                    let fraction = if fraction == 0 { Rate::new(37, 2) } else { Rate::ONE };
                    let before = spot.state().clone();
                    match spot.place_partly(&market, &request, fraction) {
                        Ok(placed) => {
                            if let Size::Quote(most) = size {
                                prop_assert!(placed.quote_filled <= most, "{placed:?}");
                            }
                            if let (Some(limit), Some(average)) = (placed.limit(), placed.order.avg_price) {
                                let kept = if side == Side::Buy { average <= limit } else { average >= limit };
                                prop_assert!(kept, "worse than its limit");
                            }
                        }
                        Err(_) => prop_assert_eq!(&before, spot.state(), "a refusal changes nothing"),
                    }
                }
                Act::Cancel(which) => {
                    let found = spot.open_orders(None).get(which).map(|o| (o.order.symbol.clone(), o.order.order_id));
                    if let Some((symbol, number)) = found {
                        spot.cancel(&market, &symbol, Which::Number(number)).unwrap();
                    }
                }
                Act::CancelAll => {
                    let _ = spot.cancel_all(&market, &sym("AUSDT"));
                }
                Act::Price(cents) => {
                    feed(&mut market, &Price::new(i64::from(cents), 2).to_string());
                    spot.follow(&market);
                }
                Act::Transfer(asset, amount) => {
                    let asset = [QUOTE, BNB, "A"][asset];
                    let amount = Qty::new(amount, 5);
                    if spot.transfer(&market, asset, amount).is_ok() {
                        *moved.entry(asset.to_owned()).or_default() += amount;
                    }
                }
                Act::Hand(tenths) => {
                    let _ = spot.hand_trade(&market, &sym("AUSDT"), Qty::new(tenths, 1));
                }
                Act::Burn(on) => spot.set_burn(on),
            }
            for (asset, balance) in spot.balances() {
                prop_assert!(!balance.free.is_negative() && !balance.locked.is_negative(), "{asset} {balance:?}");
            }
            let mut total: BTreeMap<String, Qty> =
                spot.balances().iter().map(|(asset, balance)| (asset.clone(), balance.total())).collect();
            total.retain(|_, qty| !qty.is_zero());
            prop_assert_eq!(total, explained(&spot, &moved));
            let mut locked: BTreeMap<String, Qty> =
                spot.balances().iter().map(|(asset, balance)| (asset.clone(), balance.locked)).collect();
            locked.retain(|_, qty| !qty.is_zero());
            prop_assert_eq!(locked, set_aside(&spot));
            for placed in spot.accepted_orders() {
                prop_assert_eq!(filled_by_trades(&spot, placed), (placed.order.filled_qty, placed.quote_filled));
            }
        }
    }
}
