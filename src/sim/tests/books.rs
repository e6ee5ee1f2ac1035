//! The books balance to the last digit, whatever happens to the account.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::{OrderKind, Side};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::prices::Prices;
use crate::sim::tests::{GTC, num, request, sym};
use crate::sim::{Exchange, Terms, World, listing};

/// wallet == initial + Σ income; equity == wallet + Σ floating profit; positions == Σ fills.
pub(super) fn check_books(exchange: &Exchange, initial: Notional) {
    let always = Time::clamped(i64::MAX);
    let rows = exchange.income(Time::default(), always);
    let earned =
        |asset: &str| rows.iter().filter(|row| row.asset == asset).map(|row| row.amount).sum::<Notional>();
    let balance = exchange.balance();
    assert_eq!(balance.wallet, initial + earned("USDT"));
    let bnb = exchange.terms().bnb * Price::ONE + earned("BNB");
    assert_eq!(exchange.bnb() * Price::ONE, bnb);
    let positions = exchange.positions();
    let floating: Notional = positions.values().map(|position| position.unrealized).sum();
    assert_eq!(balance.equity, balance.wallet + floating);
    let mut filled: BTreeMap<Symbol, Qty> = BTreeMap::new();
    for trade in exchange.trades(None, Time::default(), always) {
        *filled.entry(trade.fill.symbol.clone()).or_default() += trade.fill.signed_qty();
    }
    filled.retain(|_, qty| !qty.is_zero());
    let held: BTreeMap<Symbol, Qty> =
        positions.iter().map(|(symbol, position)| (symbol.clone(), position.qty)).collect();
    assert_eq!(filled, held);
    // What trading brought, counted without any entry price: cash of all trades and what is held.
    let trades = exchange.trades(None, Time::default(), always);
    let cash: Notional = trades.iter().map(|trade| -(trade.fill.signed_qty() * trade.fill.price)).sum();
    let worth: Notional = positions.values().map(|position| position.value()).sum();
    let realized: Notional = rows.iter().filter(|row| row.kind == "REALIZED_PNL").map(|row| row.amount).sum();
    let gap = (cash + worth - realized - floating).abs();
    assert!(gap < num("0.000001"), "profit by entry prices is off by {gap}");
    for placed in exchange.accepted_orders() {
        let fills = exchange.trades_of(&placed.order.symbol, placed.order.order_id);
        assert_eq!(fills.iter().map(|trade| trade.fill.qty).sum::<Qty>(), placed.order.filled_qty);
        assert!(placed.order.filled_qty <= placed.order.qty);
    }
}

/// Something that happens to the account.
#[derive(Clone, Debug)]
enum Event {
    Market(usize, i32, bool),
    Limit(usize, i32, i32),
    Cancel,
    Wait(u32),
    Transfer(i32),
    Hand(usize, i32),
    Jump(usize, u32),
    Leverage(usize, u32),
}

fn event() -> impl Strategy<Value = Event> {
    let coin = 0..4usize;
    prop_oneof![
        4 => (coin.clone(), -400..400i32, any::<bool>()).prop_map(|(c, q, r)| Event::Market(c, q, r)),
        3 => (coin.clone(), -400..400i32, -200..200i32).prop_map(|(c, q, p)| Event::Limit(c, q, p)),
        1 => Just(Event::Cancel),
        3 => (1..40u32).prop_map(Event::Wait),
        1 => (-100..100i32).prop_map(Event::Transfer),
        1 => (coin.clone(), -200..200i32).prop_map(|(c, q)| Event::Hand(c, q)),
        1 => (coin.clone(), 50..150u32).prop_map(|(c, f)| Event::Jump(c, f)),
        1 => (coin, 1..30u32).prop_map(|(c, l)| Event::Leverage(c, l)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_balance_to_the_last_digit_whatever_happens(
        seed in 0..1000u64,
        events in proptest::collection::vec(event(), 1..60),
    ) {
        let terms = Terms { bnb: num("0.001"), fee_burn: seed % 2 == 0, ..Terms::default() };
        let world = World::new(listing::synthetic(seed, terms.start), Prices::Synthetic { seed });
        let mut exchange = Exchange::new(world, terms);
        let coins = ["XRPUSDT", "RESOLVUSDT", "BTCUSDT", "STEEMUSDT"].map(sym);
        for (index, event) in events.into_iter().enumerate() {
            // Refusals are part of the exercise.
            let sized = |coin: &Symbol, units: i32| {
                let listed = &exchange.world().listing[coin];
                let step = listed.rules.lot.step;
                let worth = Notional::from(units.unsigned_abs()) + Notional::ONE;
                worth.over_price(listed.shape.price).unwrap().floor_to(step)
            };
            match event {
                Event::Market(coin, units, reduce) => {
                    let mut order = request("XRPUSDT", if units < 0 { Side::Sell } else { Side::Buy }, "1", None, &format!("m{index}"));
                    order.symbol = coins[coin].clone();
                    order.qty = sized(&coins[coin], units);
                    order.reduce_only = reduce;
                    let _ = exchange.place(&order);
                }
                Event::Limit(coin, units, bps) => {
                    let Some(mark) = exchange.mark_price(&coins[coin]) else { continue };
                    let tick = exchange.world().listing[&coins[coin]].rules.tick;
                    let away = if bps < 0 { Rate::ONE - Rate::new(i64::from(-bps), 4) } else { Rate::ONE + Rate::new(i64::from(bps), 4) };
                    let mut order = request("XRPUSDT", if units < 0 { Side::Sell } else { Side::Buy }, "1", None, &format!("l{index}"));
                    order.symbol = coins[coin].clone();
                    order.qty = sized(&coins[coin], units);
                    order.kind = OrderKind::Limit { price: (mark * away).floor_to(tick), time_in_force: GTC };
                    let _ = exchange.place(&order);
                }
                Event::Cancel => {
                    for coin in &coins {
                        exchange.cancel_all(coin);
                    }
                }
                Event::Wait(bars) => exchange.advance_bars(bars).unwrap(),
                Event::Transfer(amount) => {
                    let amount = Notional::new(i64::from(amount), 0);
                    let _ = exchange.transfer(amount);
                }
                Event::Hand(coin, units) => {
                    let qty = sized(&coins[coin], units);
                    let _ = exchange.hand_trade(&coins[coin], if units < 0 { -qty } else { qty });
                }
                Event::Jump(coin, percent) => exchange.jump_price(&coins[coin], Rate::new(i64::from(percent), 2)).unwrap(),
                Event::Leverage(coin, leverage) => {
                    let _ = exchange.set_leverage(&coins[coin], leverage);
                }
            }
            check_books(&exchange, num("200"));
        }
    }
}
