//! The answer to an order, with any status: accepted only with our id and contract.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rebal::domain::symbol::Symbol;
use rebal::wire::binance::api::Api;
use rebal::wire::binance::error::{OrderAnswer, order_answer};
use rebal::wire::binance::usdm::order;

fuzz_target!(|data: (u16, &[u8])| {
    let (status, body) = data;
    let symbol: Symbol = "BTCUSDT".parse().expect("a symbol");
    let id = "rb17c2e9a0001fa3c07o";
    match order_answer(Api::Usdm, status, body, id, &symbol) {
        OrderAnswer::Accepted(order) => {
            assert!((200..300).contains(&status) && order.client_id == id && order.symbol == symbol);
            assert!(!order.qty.is_negative() && !order.filled_qty.is_negative());
        }
        OrderAnswer::Rejected(refusal) => assert!((400..500).contains(&status) && refusal.code < 0),
        OrderAnswer::Unknown(_) => {}
    }
    let _ = order::queried(body);
    let _ = order::open_orders(body);
    let _ = order::all_orders(body);
});
