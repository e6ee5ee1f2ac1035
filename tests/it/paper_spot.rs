//! Paper coins beside the same market over HTTP: what a pass is shown must be the same.

use std::net::SocketAddr;
use std::time::Duration;

use rebal::domain::num::Rate;
use rebal::domain::time::Time;
use rebal::exchange::binance::spot::Spot;
use rebal::exchange::binance::usdm::Settings;
use rebal::exchange::paper::{Clock, Paper};
use rebal::exchange::{Exchange, Observation};
use rebal::server::{self, serve};
use rebal::sim::prices::Prices;
use rebal::sim::{self, Terms, World, listing};
use rebal::wire::sign::Signer;

fn world() -> (World, Terms) {
    let terms = Terms { taker_fee: Rate::new(1, 3), ..Terms::default() };
    (World::new(listing::synthetic(7, terms.start), Prices::Synthetic { seed: 7 }), terms)
}

async fn over_http() -> Observation {
    let (world, terms) = world();
    let settings = server::Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        clock: server::Clock::Manual,
        ..server::Settings::default()
    };
    let (tell, told) = tokio::sync::oneshot::channel();
    let serving = serve(settings, sim::Exchange::new(world, terms), |address| tell.send(address).unwrap());
    let looking = async {
        let mut venue = Spot::new(Settings {
            base_url: format!("http://{}", told.await.unwrap()),
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
        venue.observe().await.unwrap()
    };
    tokio::select! {
        seen = looking => seen,
        stopped = serving => panic!("the exchange stopped: {stopped:?}"),
    }
}

/// Every rule of every pair, every book and the account itself; only names and clocks may differ.
#[tokio::test]
async fn the_synthetic_market_is_the_same_in_process_and_over_http() {
    let (world, terms) = world();
    let mut paper = Paper::spot(world, None, terms, None, "paper spot", Clock::Passes).unwrap();
    paper.connect().await.unwrap();
    let (here, there) = (paper.observe().await.unwrap(), over_http().await);
    assert!(here.rules.len() > 80, "{}", here.rules.len());
    for (symbol, rules) in &there.rules {
        assert_eq!(here.rules.get(symbol), Some(rules), "{symbol}");
    }
    assert_eq!(here.rules.len(), there.rules.len());
    assert_eq!(here.markets.len(), there.markets.len());
    for (symbol, market) in &there.markets {
        let mut ours = here.markets[symbol];
        ours.mark.at = market.mark.at;
        assert_eq!(ours, *market, "{symbol}");
    }
    assert_eq!((here.balance, here.modes, here.taker_fee), (there.balance, there.modes, there.taker_fee));
    assert_eq!((here.settings, here.brackets), (there.settings, there.brackets));
    assert_eq!((here.positions.len(), here.open_orders.len()), (there.positions.len(), 0));
    assert!(here.at.since(Time::default()) > Duration::ZERO);
}
