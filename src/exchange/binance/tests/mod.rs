//! The client against a loopback server that misbehaves on purpose.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

mod closing;
mod history;
mod listed;
mod orders;
mod reads;
mod recorded;
mod wave;

use super::*;
use crate::domain::order::{OrderKind, OrderStatus, Side, TimeInForce};
use crate::exchange::binance::canned::{SERVER_MS, account, healthy, position_risk};
use crate::net::canned::{Act, Canned, Seen, http, json};

const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
type MakeAct = fn() -> Act;
type MakeBody = Box<dyn Fn() -> String + Send + Sync>;

const ORDER: &str = "POST /fapi/v1/order";

fn settings(url: &str) -> Settings {
    let signer = Signer::new(&SECRET.into()).unwrap();
    Settings {
        base_url: url.to_owned(),
        environment: "testnet 127.0.0.1".into(),
        credentials: Some((KEY.into(), signer)),
        recv_window: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        concurrency: 10,
        exchange_info_max_age: Duration::from_secs(3600),
        cache: None,
        quote: "USDT".into(),
    }
}

async fn connected(server: &Canned) -> Usdm {
    let mut venue = Usdm::new(settings(&server.url)).unwrap();
    venue.connect().await.unwrap();
    venue
}

fn btc() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

const ID: &str = "rb17c2e9a0001fa3c07o";

fn buy() -> OrderRequest {
    OrderRequest {
        symbol: btc(),
        side: Side::Buy,
        qty: "0.010".parse().unwrap(),
        kind: OrderKind::Limit { price: "31155.0".parse().unwrap(), time_in_force: TimeInForce::Ioc },
        reduce_only: false,
        client_id: ID.into(),
    }
}

fn placed(id: &str) -> String {
    format!(
        r#"{{"clientOrderId":"{id}","cumQty":"0.010","executedQty":"0.010","orderId":81000199999,"origQty":"0.010","price":"0",
           "reduceOnly":false,"side":"BUY","positionSide":"BOTH","status":"FILLED","stopPrice":"0","closePosition":false,
           "symbol":"BTCUSDT","timeInForce":"IOC","type":"LIMIT","origType":"LIMIT","updateTime":1795163379972,
           "workingType":"CONTRACT_PRICE","priceProtect":false,"priceMatch":"NONE","selfTradePreventionMode":"EXPIRE_MAKER",
           "goodTillDate":0}}"#
    )
}

fn inflated(bytes: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b' '; bytes]).unwrap();
    encoder.finish().unwrap()
}

/// Sends one order to a server that answers it with `act`; returns the reply, the venue and
/// everything the server saw after the question for the time.
async fn one_order(act: fn() -> Act, timeout: Duration) -> (Reply, Usdm, Vec<Seen>) {
    let server = Canned::start(move |seen| if seen.name == ORDER { act() } else { healthy(seen) }).await;
    let mut venue = Usdm::new(Settings { timeout, ..settings(&server.url) }).unwrap();
    venue.connect().await.unwrap();
    let reply = venue.send(&buy(), venue.now()).await;
    let seen = server.seen().split_off(1);
    assert!(seen.iter().all(|seen| seen.name == ORDER), "{seen:?}");
    (reply, venue, seen)
}
