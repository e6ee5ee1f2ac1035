//! What is listed, for a scan.

use super::*;

const STATS: &str = "GET /fapi/v1/ticker/24hr";
const TERMS: &str = "GET /fapi/v1/fundingInfo";
const RATES: &str = "GET /fapi/v1/fundingRate";
const LISTING: &str = "GET /fapi/v1/exchangeInfo";

fn stats(close_ms: i64) -> Act {
    json(format!(
        r#"[{{"symbol":"BTCUSDT","openPrice":"30000","highPrice":"32000","lowPrice":"29000","lastPrice":"31000",
            "volume":"1000","quoteVolume":"31000000.5","openTime":{},"closeTime":{close_ms},"count":9}}]"#,
        close_ms - 86_400_000
    ))
}

/// A contract whose end is announced must not be chosen for the hour that a cached listing may last.
#[tokio::test]
async fn candidates_come_from_a_fresh_listing() {
    let server =
        Canned::start(|seen| if seen.name == STATS { stats(SERVER_MS) } else { healthy(seen) }).await;
    let venue = connected(&server).await;
    venue.public_markets().await.unwrap();
    venue.public_markets().await.unwrap();
    assert_eq!(server.count(LISTING), 1);
    let (_, candidates) = venue.candidates().await.unwrap();
    assert_eq!(server.count(LISTING), 2);
    let [one] = candidates.as_slice() else { panic!("{candidates:?}") };
    assert_eq!((one.rules.symbol.as_str(), one.volume), ("BTCUSDT", "31000000.5".parse().ok()));
    assert!(one.market.is_some() && one.funding.is_none());
}

/// It goes on showing the last day that it had, for ever.
#[tokio::test]
async fn the_volume_of_a_day_that_is_over_is_none() {
    for (age_ms, known) in [(3_600_000, true), (3_660_000, false)] {
        let server = Canned::start(move |seen| match seen.name.as_str() {
            STATS => stats(SERVER_MS - age_ms),
            _ => healthy(seen),
        })
        .await;
        let (_, candidates) = connected(&server).await.candidates().await.unwrap();
        assert_eq!(candidates[0].volume.is_some(), known, "{age_ms}");
    }
}

/// Eight days are asked for, so that the first print of the last seven knows its own interval. A history
/// that cannot be read is told apart from one in which nothing was settled.
#[tokio::test]
async fn funding_is_read_over_eight_days() {
    const HOUR_MS: i64 = 3_600_000;
    let rows = |symbol: &str, hours: i64, rates: &[&str]| {
        let row = |(back, rate): (i64, &&str)| {
            let at = SERVER_MS - SERVER_MS % HOUR_MS - back * hours * HOUR_MS;
            format!(r#"{{"symbol":"{symbol}","fundingTime":{at},"fundingRate":"{rate}","markPrice":"1"}}"#)
        };
        let rows: Vec<String> = (0..).zip(rates).map(row).collect::<Vec<_>>().into_iter().rev().collect();
        json(format!("[{}]", rows.join(",")))
    };
    let server = Canned::start(move |seen| match (seen.name.as_str(), seen.param("symbol").as_deref()) {
        (TERMS, _) => json(
            r#"[{"symbol":"BUSDT","adjustedFundingRateCap":"0.02","adjustedFundingRateFloor":"-0.02","fundingIntervalHours":4}]"#,
        ),
        (RATES, Some("AUSDT")) => rows("AUSDT", 8, &["0.0001"; 24]),
        (RATES, Some("BUSDT")) => rows("BUSDT", 4, &["-0.0002"; 48]),
        (RATES, Some("NEWUSDT")) => json("[]"),
        (RATES, _) => http(404, "", "<html>not here</html>"),
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    let symbols = ["AUSDT", "BUSDT", "NEWUSDT", "GONEUSDT"].map(|name| name.parse().unwrap());
    let asked = AtomicUsize::new(0);
    let past = venue.funding_past(&symbols, &|| _ = asked.fetch_add(1, Ordering::Relaxed)).await.unwrap();
    assert_eq!(asked.into_inner(), 4);
    let [a, b, new, gone] = &symbols;
    assert_eq!((past[new], past.get(gone)), (None, None));
    let (a, b) = (past[a].unwrap(), past[b].unwrap());
    // 0.01 % three times a day, and −0.02 % six times a day; only seven days count.
    assert_eq!((a.interval_hours, a.prints, a.annualised().rounded(6).to_string()), (8, 21, "0.1095".into()));
    assert_eq!((b.interval_hours, b.prints, b.annualised().rounded(6).to_string()), (4, 42, "-0.438".into()));
    for seen in server.seen().iter().filter(|seen| seen.name == RATES) {
        let since: i64 = seen.param("startTime").unwrap().parse().unwrap();
        assert!((SERVER_MS..SERVER_MS + 60_000).contains(&(since + 8 * 24 * HOUR_MS)), "{since}");
        assert_eq!(seen.param("limit").as_deref(), Some("1000"));
    }
}
