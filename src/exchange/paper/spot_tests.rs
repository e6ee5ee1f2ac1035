//! Paper coins through the trait: look, order, executions, balances, and all of it again from what was kept.

use super::*;
use crate::domain::market::{Mark, Market, Quote};
use crate::domain::num::{Amount, Notional, Price, Qty, Rate};
use crate::domain::order::{CLIENT_ID_PREFIX, OrderKind, OrderStatus, Side, TimeInForce};
use crate::domain::rules::tests::plain;
use crate::domain::rules::{Rules, SpotTerms, Status};
use crate::sim::listing::plain_shape;
use crate::sim::prices::Prices;
use crate::sim::{Listed, Shape};

fn num<K>(text: &str) -> Amount<K> {
    text.parse().unwrap()
}

fn sym(name: &str) -> Symbol {
    name.parse().unwrap()
}

/// Step 0.1, tick 0.01, orders worth 5 at least; bought at most at 1.05 and sold at least at 0.95.
fn rules(name: &str) -> Rules {
    let spot = Some(SpotTerms { max_notional: Notional::ZERO, max_position: num("1000") });
    Rules { contract: "SPOT".into(), spot, ..plain(name) }
}

/// A at 10 and BNB at 500, one tick of 0.01 at either side, beside a pair in another asset.
fn paper(terms: Terms, kept: Option<&str>) -> Result<Paper, Unreadable> {
    let other = Rules { quote: "BTC".into(), ..rules("ABTC") };
    let all = [rules("AUSDT"), rules("BNBUSDT"), rules("OUTUSDT"), other];
    let listed = all.clone().map(|rules| Listed::new(rules, Vec::new(), 8, plain_shape()));
    let world = World::new(listed.to_vec(), Prices::Fed);
    let pairs = all.map(Pair::recorded).to_vec();
    let mut paper = Paper::spot(world, Some(pairs), terms, kept, "paper spot, test", Clock::Exchange)?;
    feed(&mut paper, "10");
    Ok(paper)
}

fn feed(paper: &mut Paper, a: &str) {
    let at = |price: &str| {
        let (price, tick): (Price, Price) = (num(price), num("0.01"));
        let mark = Mark { price, funding_rate: Rate::ZERO, next_funding: None, at: Time::default() };
        let quote = Quote { bid: price - tick, bid_qty: num("50"), ask: price + tick, ask_qty: num("50") };
        Market { mark, quote }
    };
    let prices = [("AUSDT", at(a)), ("BNBUSDT", at("500")), ("ABTC", at("1"))];
    paper.sim().feed(prices.map(|(name, market)| (sym(name), market)).into());
}

fn fresh(terms: Terms) -> Paper {
    paper(terms, None).unwrap()
}

fn terms() -> Terms {
    Terms { equity: num("200"), taker_fee: num("0.001"), ..Terms::default() }
}

fn order(side: Side, qty: &str, limit: Option<(&str, TimeInForce)>, id: &str) -> OrderRequest {
    let kind = limit.map_or(OrderKind::Market, |(price, time_in_force)| OrderKind::Limit {
        price: num(price),
        time_in_force,
    });
    let client_id = format!("{CLIENT_ID_PREFIX}{id}");
    OrderRequest { symbol: sym("AUSDT"), side, qty: num(qty), kind, reduce_only: false, client_id }
}

/// What an approved order would do.
fn place(paper: &Paper, order: &OrderRequest) -> Result<Order, Refusal> {
    paper.machine.borrow_mut().place(order)
}

fn buy(paper: &Paper, qty: &str, id: &str) -> Order {
    place(paper, &order(Side::Buy, qty, Some(("10.05", TimeInForce::Ioc)), id)).unwrap()
}

/// Free USDT, all of A, its fee and the asset of that, of the last execution.
async fn after(paper: &Paper) -> (String, String, String) {
    let seen = paper.observe().await.unwrap();
    let held = seen.positions.get(&sym("AUSDT")).map_or(Qty::ZERO, |position| position.qty);
    let fills = paper.fills_since(&sym("AUSDT"), Time::default()).await.unwrap();
    let fee = fills.last().map_or(String::new(), |fill| format!("{} {}", fill.fee, fill.fee_asset));
    (seen.balance.available.to_string(), held.to_string(), fee)
}

fn said(usdt: &str, held: &str, fee: &str) -> (String, String, String) {
    (usdt.to_owned(), held.to_owned(), fee.to_owned())
}

#[tokio::test]
async fn a_fresh_account_shows_its_quote_and_the_pairs_that_are_priced_in_it() {
    let mut paper = fresh(terms());
    assert_eq!((paper.kind(), paper.recv_window()), (Kind::Spot, Duration::ZERO));
    let now = paper.connect().await.unwrap();
    let seen = paper.observe().await.unwrap();
    assert_eq!((seen.at, seen.account.as_str()), (now, PAPER_ACCOUNT));
    let two_hundred = Notional::from(200);
    assert_eq!(
        (seen.balance.wallet, seen.balance.equity, seen.balance.available),
        (two_hundred, two_hundred, two_hundred)
    );
    let listed: Vec<&str> = seen.rules.keys().map(Symbol::as_str).collect();
    assert_eq!(listed, ["AUSDT", "BNBUSDT", "OUTUSDT"]);
    let priced: Vec<&str> = seen.markets.keys().map(Symbol::as_str).collect();
    assert_eq!(priced, ["AUSDT", "BNBUSDT"]);
    // The middle of the book, no funding, fully paid.
    assert_eq!(seen.markets[&sym("AUSDT")].mark.price, Price::from(10));
    assert_eq!(seen.markets[&sym("AUSDT")].mark.next_funding, None);
    assert!(seen.settings.values().all(|setting| setting.leverage == 1 && setting.cross));
    assert!(seen.brackets.values().all(|tiers| tiers.len() == 1 && tiers[0].maint_rate.is_zero()));
    assert!(seen.positions.is_empty() && seen.spot.unwrap().warnings.is_empty());
    // What a recorded listing says is what a pass is told.
    let told = &seen.rules[&sym("AUSDT")];
    assert_eq!(Rules { onboard: Time::default(), ..rules("AUSDT") }, *told);
    assert_eq!(paper.income_since(Time::default()).await.unwrap(), []);
    assert!(paper.settlements(&sym("AUSDT"), Time::default()).await.unwrap().is_empty());
    assert!(paper.funding_hours(&seen.rules).await.unwrap().is_empty());
}

/// 5 at 10.01 cost 50.05; a tenth of a percent of 5 is 0.005. Selling 4.9 at 9.99 brings 48.951, less 0.048951.
#[tokio::test]
async fn fees_come_out_of_the_coin_bought_and_of_the_quote_sold_for() {
    let paper = fresh(terms());
    let bought = buy(&paper, "5", "a");
    assert_eq!(
        (bought.status, bought.filled_qty, bought.reduce_only),
        (OrderStatus::Filled, num("5"), false)
    );
    assert_eq!(bought.avg_price, Some(num("10.01")));
    assert_eq!(after(&paper).await, said("149.95", "4.995", "0.005 A"));
    let seen = paper.observe().await.unwrap();
    assert_eq!((seen.balance.wallet, seen.balance.equity), (num("149.95"), num("199.9")));
    assert_eq!(seen.positions[&sym("AUSDT")].entry(), None, "nobody but our books knows what it cost");

    let sold = place(&paper, &order(Side::Sell, "4.9", Some(("9.95", TimeInForce::Ioc)), "b")).unwrap();
    assert!(sold.reduce_only, "a sale can only take away what is there");
    assert_eq!(after(&paper).await, said("198.852049", "0.095", "0.048951 USDT"));
    // Less than a step is left: it cannot be sold, is said to be dust, and closing does not wait for it.
    let seen = paper.observe().await.unwrap();
    let codes: Vec<&str> = seen.spot.as_ref().unwrap().warnings.iter().map(|it| it.code.as_str()).collect();
    assert_eq!(codes, ["dust"]);
    assert!(paper.exposed().await.unwrap().positions.is_empty());
}

/// A tenth of a percent of 50.05 is 0.05005, a quarter less 0.0375375, at 500 a BNB 0.00007508 of it.
#[tokio::test]
async fn fees_come_out_of_bnb_where_there_is_enough() {
    let rich = fresh(Terms { bnb: num("1"), fee_burn: true, ..terms() });
    buy(&rich, "5", "a");
    assert_eq!(after(&rich).await, said("149.95", "5", "0.00007508 BNB"));
    let seen = rich.observe().await.unwrap();
    assert_eq!(seen.positions[&sym("BNBUSDT")].qty, num("0.99992492"));
    let poor = fresh(Terms { bnb: num("0.00007507"), fee_burn: true, ..terms() });
    buy(&poor, "5", "a");
    assert_eq!(after(&poor).await, said("149.95", "4.995", "0.005 A"));
}

#[tokio::test]
async fn what_cannot_be_paid_or_placed_is_refused_as_the_exchange_refuses_it() {
    let paper = fresh(terms());
    let refused = |side, qty, limit, id| place(&paper, &order(side, qty, limit, id)).unwrap_err().code;
    let ioc = |price| Some((price, TimeInForce::Ioc));
    assert_eq!(refused(Side::Buy, "20", ioc("10.05"), "a"), -2010, "201 are more than 200");
    assert_eq!(refused(Side::Sell, "1", ioc("9.95"), "b"), -2010, "nothing is held");
    assert_eq!(refused(Side::Buy, "1.05", ioc("10.05"), "c"), -1013, "off the step");
    assert_eq!(refused(Side::Buy, "0.4", ioc("10.05"), "d"), -1013, "worth 4");
    assert_eq!(refused(Side::Buy, "1", ioc("10.51"), "e"), -1013, "beyond the band of the listing");
    assert!(paper.set_leverage(&sym("AUSDT"), 1).await.is_ok());
    assert!(paper.set_leverage(&sym("AUSDT"), 2).await.is_err());
    assert!(paper.set_cross(&sym("AUSDT")).await.is_ok());
    assert_eq!(after(&paper).await, said("200", "0", ""));
    assert_eq!(paper.orders_since(&sym("AUSDT"), Time::default()).await.unwrap(), []);
}

#[tokio::test]
async fn orders_are_found_by_id_number_and_time_and_nothing_of_another_pair() {
    let mut paper = fresh(terms());
    let first = buy(&paper, "2", "a");
    let noon = paper.now() + Duration::from_secs(60);
    paper.sim().advance(noon).unwrap();
    let second = buy(&paper, "3", "b");
    let a = sym("AUSDT");
    assert_eq!(paper.order(&a, &first.client_id).await.unwrap(), Some(first.clone()));
    assert_eq!(paper.order(&a, "rb1nobody").await.unwrap(), None);
    assert_eq!(paper.order(&sym("BNBUSDT"), &first.client_id).await.unwrap(), None);
    assert_eq!(paper.orders_since(&a, Time::default()).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(paper.orders_since(&a, noon).await.unwrap(), std::slice::from_ref(&second));
    let qty = |fills: Vec<Fill>| fills.into_iter().map(|fill| fill.qty.to_string()).collect::<Vec<_>>();
    assert_eq!(qty(paper.fills_of(&a, second.order_id).await.unwrap()), ["3"]);
    assert_eq!(qty(paper.fills_since(&a, noon).await.unwrap()), ["3"]);
    assert_eq!(qty(paper.fills_since(&a, Time::default()).await.unwrap()), ["2", "3"]);
    assert!(paper.fills_since(&sym("BNBUSDT"), Time::default()).await.unwrap().is_empty());
}

/// A buy that waits ties up what it may spend, and a sale the coin; both are given back.
#[tokio::test]
async fn waiting_orders_tie_up_and_give_back() {
    let mut paper = fresh(terms());
    buy(&paper, "5", "a");
    place(&paper, &order(Side::Buy, "1", Some(("9.60", TimeInForce::Gtc)), "b")).unwrap();
    place(&paper, &order(Side::Sell, "2", Some(("12", TimeInForce::Gtc)), "c")).unwrap();
    let seen = paper.observe().await.unwrap();
    assert_eq!((seen.balance.wallet, seen.balance.available), (num("149.95"), num("140.35")));
    assert_eq!(seen.balance.initial_margin, num("9.6"));
    assert_eq!(seen.positions[&sym("AUSDT")].qty, num("4.995"), "free and locked together");
    assert_eq!(seen.spot.unwrap().locked[&sym("AUSDT")], num("2"));
    assert_eq!(seen.open_orders.len(), 2);
    let waiting = paper.resting().await.unwrap();
    assert_eq!(waiting.len(), 2);
    // The market comes down to the buy: it is filled when time moves, before anybody looks.
    feed(&mut paper, "9.55");
    paper.connect().await.unwrap();
    assert_eq!(paper.resting().await.unwrap().len(), 1);
    for order in waiting.iter().chain(&waiting) {
        paper.cancel_resting(order).await.unwrap();
    }
    assert_eq!(paper.resting().await.unwrap(), []);
    let seen = paper.observe().await.unwrap();
    assert_eq!((seen.balance.initial_margin, seen.balance.available), (Notional::ZERO, num("140.35")));
    assert!(seen.spot.unwrap().locked.is_empty());
}

#[tokio::test]
async fn a_kept_account_goes_on_where_it_was() {
    let first = fresh(Terms { bnb: num("1"), ..terms() });
    buy(&first, "5", "a");
    let kept = first.keep();
    assert_eq!(Paper::clock_of(&kept), Some(first.now()));
    assert_eq!(first.state().as_ref(), Some(&kept));
    // Other terms do not give a second start.
    let again = paper(Terms { equity: num("999"), ..terms() }, Some(&kept)).unwrap();
    assert_eq!(after(&again).await, after(&first).await);
    let a = sym("AUSDT");
    assert_eq!(
        again.orders_since(&a, Time::default()).await.unwrap(),
        first.orders_since(&a, Time::default()).await.unwrap()
    );
    let (one, two) = (buy(&first, "1", "b"), buy(&again, "1", "b"));
    assert_eq!((one.order_id, one.filled_qty), (two.order_id, two.filled_qty), "numbers go on too");
    assert_eq!(again.keep(), first.keep());
}

/// An account of one market is not the beginning of one on the other.
#[tokio::test]
async fn an_account_of_futures_is_not_read_as_coins_nor_the_other_way_round() {
    let world = || World::new(Vec::new(), Prices::Fed);
    let futures = Paper::new(world(), terms(), None, "paper", Clock::Passes).unwrap();
    assert!(paper(terms(), Some(&futures.keep())).is_err());
    let coins = fresh(terms()).keep();
    assert!(Paper::new(world(), terms(), Some(&coins), "paper", Clock::Passes).is_err());
    assert!(paper(terms(), Some("{")).is_err());
}

#[tokio::test]
async fn a_step_moves_time_and_prices_and_forgets_what_is_old() {
    let shape = Shape { price: Price::from(10), ..plain_shape() };
    let listed = Listed::new(rules("AUSDT"), Vec::new(), 8, shape);
    let mut paper = Paper::spot(
        World::new(vec![listed], Prices::Synthetic { seed: 3 }),
        Some(vec![Pair::recorded(rules("AUSDT"))]),
        terms(),
        None,
        "paper spot",
        Clock::Passes,
    )
    .unwrap();
    let began = paper.connect().await.unwrap();
    let price = paper.observe().await.unwrap().markets[&sym("AUSDT")].quote.ask;
    place(&paper, &order(Side::Buy, "10", None, "a")).unwrap();
    paper.step(Duration::from_secs(300));
    assert_eq!(paper.now(), began + Duration::from_secs(300));
    assert_ne!(paper.observe().await.unwrap().markets[&sym("AUSDT")].quote.ask, price, "prices move");
    assert_eq!(paper.orders_since(&sym("AUSDT"), began).await.unwrap().len(), 1);
    paper.step(REMEMBERED);
    assert_eq!(paper.orders_since(&sym("AUSDT"), began).await.unwrap(), []);
    assert_eq!(paper.fills_since(&sym("AUSDT"), began).await.unwrap(), []);
    assert_eq!(paper.observe().await.unwrap().positions[&sym("AUSDT")].qty, num("9.99"));
}

/// What a scan sees: no funding, no date, and a pair that stopped says so.
#[tokio::test]
async fn everything_listed_is_a_candidate() {
    let paper = fresh(terms());
    let (at, candidates) = paper.candidates();
    assert_eq!((at, candidates.len()), (paper.now(), 3));
    assert!(candidates.iter().all(|one| one.funding.is_none() && one.rules.onboard == Time::default()));
    assert!(candidates.iter().all(|one| one.rules.status == Status::Trading));
    let priced: Vec<bool> = candidates.iter().map(|one| one.market.is_some()).collect();
    assert_eq!(priced, [true, true, false]);
}
