//! The client against the simulated exchange over HTTP: what closing and judging an account reads.

use std::net::SocketAddr;
use std::time::Duration;

use rebal::domain::account::Indicator;
use rebal::domain::num::{Price, Qty, Rate};
use rebal::domain::order::{OrderKind, OrderRequest, Resting, Side, TimeInForce};
use rebal::domain::symbol::Symbol;
use rebal::exchange::binance::usdm::{Settings, Usdm};
use rebal::exchange::{Exchange, Settles};
use rebal::server::{self, serve};
use rebal::sim::algo::{AlgoRequest, Trigger};
use rebal::sim::prices::Prices;
use rebal::sim::{self, Terms, World, listing};
use rebal::wire::sign::Signer;

fn symbol() -> Symbol {
    "AUSDT".parse().unwrap()
}

/// One long position, two orders of ours that wait, one of somebody else's, one lock.
fn account(hedge: bool) -> sim::Exchange {
    let listed = vec![listing::derived(&symbol(), Price::from(10))];
    let mut sim = sim::Exchange::new(World::new(listed, Prices::Synthetic { seed: 1 }), Terms::default());
    sim.hand_trade(&symbol(), Qty::from(2)).unwrap();
    for id in ["rb1a", "theirs"] {
        let kind = OrderKind::Limit { price: Price::from(9), time_in_force: TimeInForce::Gtc };
        let (side, client_id) = (Side::Buy, id.to_owned());
        let qty = Qty::from(1);
        sim.place(&OrderRequest { symbol: symbol(), side, qty, kind, reduce_only: false, client_id })
            .unwrap();
    }
    sim.place_algo(AlgoRequest {
        symbol: symbol(),
        side: Side::Sell,
        trigger: Trigger::Stop(Price::from(1)),
        qty: Qty::ZERO,
        limit: None,
        reduce_only: false,
        close_position: true,
        on_mark: true,
        client_id: "rb1b".to_owned(),
    })
    .unwrap();
    sim.judge(vec![Indicator {
        scope: "AUSDT".to_owned(),
        name: "IFER".to_owned(),
        value: Rate::new(995, 3),
        trigger: Rate::new(99, 2),
        locked: true,
        recovers: Some(sim.now() + Duration::from_secs(600)),
    }]);
    let modes = sim.modes();
    sim.force_modes(rebal::domain::account::AccountModes { hedge, ..modes });
    sim
}

async fn client(address: SocketAddr) -> Usdm {
    let mut venue = Usdm::new(Settings {
        base_url: format!("http://{address}"),
        environment: "sim".into(),
        credentials: Some(("sim".into(), Signer::new(&"sim".into()).unwrap())),
        recv_window: Duration::from_secs(5),
        timeout: Duration::from_secs(10),
        concurrency: 4,
        exchange_info_max_age: Duration::from_secs(60),
        cache: None,
        quote: "USDT".into(),
    })
    .unwrap();
    venue.connect().await.unwrap();
    venue
}

async fn against<T>(sim: sim::Exchange, test: impl AsyncFnOnce(Usdm) -> T) -> T {
    let settings =
        server::Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..server::Settings::default() };
    let (tell, told) = tokio::sync::oneshot::channel();
    let serving = serve(settings, sim, |address| tell.send(address).unwrap());
    let testing = async { test(client(told.await.unwrap()).await).await };
    tokio::select! {
        done = testing => done,
        stopped = serving => panic!("the exchange stopped: {stopped:?}"),
    }
}

#[tokio::test]
async fn positions_waiting_orders_and_judgements_come_over_the_wire() {
    against(account(false), async |venue| {
        let seen = venue.exposed().await.unwrap();
        assert_eq!((seen.positions[&symbol()].qty, seen.hedge), (Qty::from(2), false));
        assert!(seen.positions[&symbol()].mark_price.is_positive() && seen.rules.contains_key(&symbol()));

        let found = venue.resting().await.unwrap();
        let waits = |id: &str, conditional| Resting { symbol: symbol(), client_id: id.into(), conditional };
        assert_eq!(found, [waits("rb1a", false), waits("rb1b", true)]);
        for order in found.iter().chain(&found) {
            venue.cancel_resting(order).await.unwrap();
        }
        assert_eq!(venue.resting().await.unwrap(), []);
        assert_eq!(venue.observe().await.unwrap().open_orders.len(), 1, "somebody else's is left alone");

        let health = venue.health().await;
        let key = health.key.unwrap();
        assert!(key.reading && key.futures && key.ip_restricted);
        assert!(!key.withdrawals && !key.internal_transfer && !key.universal_transfer);
        assert_eq!(key.expires, None);
        let judged = health.indicators.unwrap();
        assert_eq!((judged.len(), judged[0].value, judged[0].locked), (1, Rate::new(995, 3), true));
        assert!(judged[0].recovers.is_some());
    })
    .await;
}

#[tokio::test]
async fn hedge_mode_shows_in_the_positions() {
    against(account(true), async |venue| {
        let seen = venue.exposed().await.unwrap();
        assert_eq!((seen.positions[&symbol()].qty, seen.hedge), (Qty::from(2), true));
        assert!(venue.observe().await.unwrap().modes.hedge);
    })
    .await;
}

/// 1100 hours of a contract that settles every hour are more than one answer holds.
#[tokio::test]
async fn settlements_come_whole_and_with_their_marks() {
    let hour = Duration::from_secs(3600);
    let mut listed = listing::derived(&symbol(), Price::from(10));
    listed.funding_hours = 1;
    let terms = Terms { interval: hour, ..Terms::default() };
    let mut sim = sim::Exchange::new(World::new(vec![listed], Prices::Synthetic { seed: 1 }), terms);
    let start = sim.now();
    sim.advance(start + hour * 1100).unwrap();
    against(sim, async |venue| {
        let settled = venue.settlements(&symbol(), start + hour / 2).await.unwrap();
        assert_eq!(settled.len(), 1100);
        for (index, one) in settled.iter().enumerate() {
            let due = start + hour * (u32::try_from(index).unwrap() + 1);
            assert!(one.at.since(due) < Duration::from_secs(1) && one.at >= due, "{index}: {}", one.at);
            assert!(one.mark.is_some_and(|mark| mark.is_positive()) && !one.special);
        }
        let rules = venue.observe().await.unwrap().rules;
        assert_eq!(venue.funding_hours(&rules).await.unwrap()[&symbol()], 1);
        let unknown = venue.settlements(&"XUSDT".parse().unwrap(), start).await;
        assert!(unknown.is_err(), "an unknown contract is no contract without funding");
    })
    .await;
}
