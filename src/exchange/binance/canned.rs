//! The answers of a canned exchange: a small, healthy account.

use crate::net::canned::{Act, Seen, http, json};

/// What the canned exchange's clock says.
pub(super) const SERVER_MS: i64 = 1_795_163_379_973;

/// The answers of a small, healthy account: 0.05 BTC long, 1000 USDT in the wallet. Figures are
/// invented; shapes are those of the real exchange.
pub(super) fn healthy(seen: &Seen) -> Act {
    match seen.name.as_str() {
        "GET /fapi/v1/time" => json(format!(r#"{{"serverTime":{SERVER_MS}}}"#)),
        "GET /fapi/v1/premiumIndex" => json(
            r#"[{"symbol":"BTCUSDT","markPrice":"31000.00000000","indexPrice":"31001","estimatedSettlePrice":"0",
                 "lastFundingRate":"0.00010000","interestRate":"0.00010000","nextFundingTime":1795176000000,"time":1795163379000},
                {"symbol":"DEADUSDT","markPrice":"0.00000000","lastFundingRate":"","nextFundingTime":0,"time":1795163379000},
                {"symbol":"BADUSDT","markPrice":"-5","lastFundingRate":"0","nextFundingTime":0,"time":1795163379000}]"#,
        ),
        "GET /fapi/v1/ticker/bookTicker" => json(
            r#"[{"symbol":"BTCUSDT","bidPrice":"30999.90","bidQty":"1.5","askPrice":"31000.10","askQty":"2","time":1795163379000},
                {"symbol":"DEADUSDT","bidPrice":"0","bidQty":"0","askPrice":"0","askQty":"0","time":0}]"#,
        ),
        "GET /fapi/v3/account" => json(account("0.050", "50.00000000", "0")),
        "GET /fapi/v3/positionRisk" => json(position_risk("0.050", "50.00000000")),
        "GET /fapi/v1/symbolConfig" => json(
            r#"[{"symbol":"BTCUSDT","marginType":"CROSSED","isAutoAddMargin":false,"leverage":5,"maxNotionalValue":"1000000"}]"#,
        ),
        "GET /fapi/v1/accountConfig" => json(
            r#"{"feeTier":0,"canTrade":true,"canDeposit":true,"canWithdraw":true,"dualSidePosition":false,
                "multiAssetsMargin":false,"updateTime":0,"tradeGroupId":-1}"#,
        ),
        "GET /fapi/v3/balance" => json(
            r#"[{"accountAlias":"SgsR","asset":"USDT","balance":"1000","crossWalletBalance":"1000","crossUnPnl":"50",
                 "availableBalance":"740","maxWithdrawAmount":"740","marginAvailable":true,"updateTime":1}]"#,
        ),
        "GET /fapi/v1/exchangeInfo" => json(EXCHANGE_INFO),
        "GET /fapi/v1/leverageBracket" => json(
            r#"[{"symbol":"BTCUSDT","brackets":[{"bracket":1,"initialLeverage":125,"notionalCap":50000,"notionalFloor":0,
                 "maintMarginRatio":0.004,"cum":0.0}]}]"#,
        ),
        "GET /fapi/v1/commissionRate" => json(
            r#"{"symbol":"BTCUSDT","makerCommissionRate":"0.0002","takerCommissionRate":"0.0005","rpiCommissionRate":"0"}"#,
        ),
        "GET /fapi/v1/openOrders" => json("[]"),
        _ => http(404, "", "<html>not here</html>"),
    }
}

/// One readable contract and one without a step.
const EXCHANGE_INFO: &str = r#"{"timezone":"UTC","symbols":[
  {"symbol":"BTCUSDT","contractType":"PERPETUAL","deliveryDate":4133404800000,"onboardDate":1569398400000,
   "status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","marginAsset":"USDT","underlyingSubType":["PoW","Crypto"],
   "liquidationFee":"0.012500","marketTakeBound":"0.05","filters":[
   {"filterType":"MIN_NOTIONAL","notional":"50"},
   {"filterType":"PRICE_FILTER","minPrice":"556.80","maxPrice":"4529764","tickSize":"0.10"},
   {"filterType":"LOT_SIZE","minQty":"0.001","maxQty":"1000","stepSize":"0.001"},
   {"filterType":"MARKET_LOT_SIZE","minQty":"0.001","maxQty":"120","stepSize":"0.001"},
   {"filterType":"MAX_NUM_ORDERS","limit":200},
   {"filterType":"PERCENT_PRICE","multiplierUp":"1.0500","multiplierDown":"0.9500","multiplierDecimal":"4"}]},
  {"symbol":"NOSTEPUSDT","contractType":"PERPETUAL","deliveryDate":4133404800000,"onboardDate":1569398400000,
   "status":"TRADING","baseAsset":"NOSTEP","quoteAsset":"USDT","marginAsset":"USDT","filters":[
   {"filterType":"MIN_NOTIONAL","notional":"5"},
   {"filterType":"PRICE_FILTER","minPrice":"1","maxPrice":"2","tickSize":"0.10"}]}]}"#;

/// An account with `qty` BTC whose total floating profit is `profit`.
pub(super) fn account(qty: &str, profit: &str, order_margin: &str) -> String {
    let unrealized = if qty == "0" { "0" } else { "50.00000000" };
    let equity = if qty == "0" { "1000" } else { "1050" };
    let rows = format!(
        r#"{{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"{qty}","unrealizedProfit":"{unrealized}","isolatedMargin":"0",
           "notional":"1550","isolatedWallet":"0","initialMargin":"310","maintMargin":"6.2","updateTime":1795160000000}}"#
    );
    let asset = format!(
        r#"{{"asset":"USDT","walletBalance":"1000","unrealizedProfit":"{unrealized}","marginBalance":"{equity}","maintMargin":"6.2",
           "initialMargin":"310","positionInitialMargin":"310","openOrderInitialMargin":"0","crossWalletBalance":"1000",
           "crossUnPnl":"{unrealized}","availableBalance":"740","maxWithdrawAmount":"740","updateTime":1}}"#
    );
    format!(
        r#"{{"totalInitialMargin":"310","totalMaintMargin":"6.2","totalWalletBalance":"1000","totalUnrealizedProfit":"{profit}",
           "totalMarginBalance":"{equity}","totalPositionInitialMargin":"310","totalOpenOrderInitialMargin":"{order_margin}",
           "totalCrossWalletBalance":"1000","totalCrossUnPnl":"50","availableBalance":"740","maxWithdrawAmount":"740",
           "assets":[{asset}],"positions":[{rows}]}}"#
    )
}

/// The matching positionRisk.
pub(super) fn position_risk(qty: &str, profit: &str) -> String {
    format!(
        r#"[{{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"{qty}","entryPrice":"30000.0","breakEvenPrice":"30015",
            "markPrice":"31000.00000000","unRealizedProfit":"{profit}","liquidationPrice":"11208.835341","isolatedMargin":"0",
            "notional":"1550","marginAsset":"USDT","isolatedWallet":"0","initialMargin":"310","maintMargin":"6.2",
            "positionInitialMargin":"310","openOrderInitialMargin":"0","adl":2,"bidNotional":"0","askNotional":"0",
            "updateTime":1795160000000}}]"#
    )
}
