//! Single orders and the books, page by page.

use super::*;

/// A book of income rows that answers like the exchange: both bounds included, 1000 rows at most.
fn income_page(seen: &Seen, times: &[i64]) -> Act {
    let bound = |name| seen.param(name).unwrap().parse::<i64>().unwrap();
    let (from, to) = (bound("startTime"), bound("endTime"));
    assert!(to - from < 7 * 86_400_000, "too wide");
    assert_eq!(seen.param("limit").as_deref(), Some("1000"));
    let rows = times.iter().filter(|time| (from..=to).contains(time)).take(1000);
    let rows: Vec<String> = rows
        .map(|time| {
            format!(
                r#"{{"symbol":"","incomeType":"TRANSFER","income":"-1","asset":"USDT","info":"","time":{time},"tranId":0,"tradeId":""}}"#
            )
        })
        .collect();
    json(format!("[{}]", rows.join(",")))
}

#[tokio::test]
async fn history_is_complete_whatever_the_pages_hold() {
    let day = 86_400_000;
    let start = SERVER_MS - 20 * day;
    // Equal rows, a crowd within one hour, single rows at the edges of windows, one before `since`.
    let mut times = vec![start - 1, start, start, start + 7 * day - 1, start + 7 * day, SERVER_MS];
    times.extend((0..2500).map(|n| start + 3 * day + n / 2));
    times.sort_unstable();
    let wanted: Vec<i64> = times.iter().copied().filter(|time| *time >= start).collect();
    let server = Canned::start(move |seen| match seen.name.as_str() {
        "GET /fapi/v1/income" => income_page(seen, &times),
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    let rows = venue.income_since(Time::clamped(start)).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.at.ms()).collect::<Vec<_>>(), wanted);
}

#[tokio::test]
async fn more_rows_in_a_millisecond_than_a_page_holds_is_an_error_not_a_loss() {
    let server = Canned::start(|seen| match seen.name.as_str() {
        "GET /fapi/v1/income" => income_page(seen, &[SERVER_MS - 5000; 1200]),
        _ => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    let error = venue.income_since(Time::clamped(SERVER_MS - 60_000)).await.unwrap_err();
    assert!(error.to_string().contains("one millisecond"), "{error}");
}

fn trade(symbol: &str, id: i64, order_id: i64, time: i64) -> String {
    format!(
        r#"{{"buyer":true,"commission":"0.0155","commissionAsset":"USDT","id":{id},"maker":false,"orderId":{order_id},
           "price":"31000","qty":"0.001","quoteQty":"31","realizedPnl":"0","side":"BUY","positionSide":"BOTH",
           "symbol":"{symbol}","time":{time}}}"#
    )
}

#[tokio::test]
async fn executions_are_read_page_by_page_and_only_of_the_contract_asked() {
    let server =
        Canned::start(|seen| match (seen.name.as_str(), seen.param("orderId"), seen.param("symbol")) {
            ("GET /fapi/v1/userTrades", Some(_), _) => {
                let from: i64 = seen.param("fromId").map_or(1, |id| id.parse().unwrap());
                let page = (from..=1500).take(1000).map(|id| trade("BTCUSDT", id, 7, SERVER_MS));
                json(format!("[{}]", page.collect::<Vec<_>>().join(",")))
            }
            ("GET /fapi/v1/userTrades", None, _) => json(format!("[{}]", trade("ETHUSDT", 1, 7, SERVER_MS))),
            _ => healthy(seen),
        })
        .await;
    let venue = connected(&server).await;
    let fills = venue.fills_of(&btc(), 7).await.unwrap();
    assert_eq!(fills.len(), 1500);
    assert!(fills.windows(2).all(|two| two[0].trade_id < two[1].trade_id));
    assert_eq!(server.count("GET /fapi/v1/userTrades"), 2);
    let error = venue.fills_since(&btc(), Time::clamped(SERVER_MS - 1000)).await.unwrap_err();
    assert!(error.to_string().contains("another contract"), "{error}");
}

#[tokio::test]
async fn one_order_is_found_missing_or_not_believed() {
    let server = Canned::start(|seen| match seen.param("origClientOrderId").as_deref() {
        Some("gone") => http(400, "", r#"{"code":-2013,"msg":"Order does not exist."}"#),
        Some("other") => json(placed("somebody")),
        Some(id) => json(placed(id).replacen('{', r#"{"avgPrice":"31000.5","#, 1)),
        None => healthy(seen),
    })
    .await;
    let venue = connected(&server).await;
    assert_eq!(venue.order(&btc(), "gone").await.unwrap(), None);
    assert!(matches!(venue.order(&btc(), "other").await, Err(ExchangeError::Unavailable { .. })));
    let order = venue.order(&btc(), ID).await.unwrap().unwrap();
    assert_eq!(order.avg_price, Some("31000.5".parse().unwrap()));
}
