//! The screener's client against the simulated market's screener, over HTTP.

use std::collections::BTreeSet;
use std::time::Duration;

use rebal::domain::time::Time;
use rebal::screener::{Screened, Screener, Settings};
use rebal::server::{self, serve};
use rebal::sim::prices::Prices;
use rebal::sim::{self, Terms, World, listing};

/// What the screener of a fresh synthetic market says.
async fn read(spot: bool) -> Screened {
    let terms = Terms::default();
    let world = World::new(listing::synthetic(7, terms.start), Prices::Synthetic { seed: 7 });
    let settings = server::Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        clock: server::Clock::Manual,
        ..server::Settings::default()
    };
    let (tell, told) = tokio::sync::oneshot::channel();
    let exchange = sim::Exchange::new(world, terms);
    let task = tokio::spawn(async move { serve(settings, exchange, |at| tell.send(at).unwrap()).await });
    let settings = Settings {
        url: format!("http://{}", told.await.unwrap()),
        timeout: Duration::from_secs(30),
        cache: None,
        spot,
        quote: "USDT".into(),
    };
    let read = Screener::new(settings).unwrap().read(Time::default()).await.unwrap();
    task.abort();
    read
}

fn names(read: &Screened) -> Vec<&str> {
    read.pairs.iter().map(|pair| pair.symbol.as_str()).collect()
}

#[tokio::test]
async fn the_simulated_market_is_ranked_in_the_screeners_dialect() {
    let read = read(false).await;
    assert_eq!((read.notes.len(), read.dropped.len(), read.from_cache), (0, 0, false));
    let names = names(&read);
    assert!(names.len() > 100, "{}", names.len());
    assert_eq!(names[..2], ["BTCUSDT", "ETHUSDT"]);
    for (name, there) in [
        ("币安人生USDT", true),
        ("1MBABYDOGEUSDT", true),
        ("STEEMUSDT", true),
        ("VANISHEDUSDT", true),
        ("MKRUSDT", false),
        ("MONUSDT", false),
        ("ETHUSDC", false),
    ] {
        assert_eq!(names.contains(&name), there, "{name}");
    }
    let volumes: Vec<_> = read.pairs.iter().map(|pair| pair.volume.unwrap()).collect();
    assert!(volumes.is_sorted_by(|a, b| a >= b));
    assert!(read.pairs[0].spread.is_some_and(|spread| spread.is_positive()));
    let slugs: BTreeSet<&str> = read.categories.values().flatten().map(String::as_str).collect();
    for slug in ["layer-1", "scaling", "memecoins", "data-management-ai", "stablecoins"] {
        assert!(slugs.contains(slug), "{slug}");
    }
    assert_eq!(read.categories["ARB"], ["cryptocurrencies", "scaling"], "not its small namesake's");
    assert!(read.categories.contains_key("PEPE") && read.categories.contains_key("BABYDOGE"));
}

#[tokio::test]
async fn spot_pairs_are_ranked_too() {
    let read = read(true).await;
    let names = names(&read);
    assert_eq!((names[0], read.dropped.len()), ("BTCUSDT", 0));
    for name in ["ETHUSDT", "SOLUSDT", "BNBUSDT"] {
        assert!(names.contains(&name), "{name}");
    }
    assert!(!names.contains(&"1000PEPEUSDT") && !names.contains(&"TSLAUSDT"));
}
