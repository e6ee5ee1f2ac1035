//! The spot exchange's answers, as documented, and what must not be taken for one.

use proptest::prelude::*;

use super::*;
use crate::domain::num::{Notional, Qty, Rate};
use crate::domain::order::{OrderKind, OrderRequest, OrderStatus, Side, TimeInForce};
use crate::domain::rules::{Rules, SPOT, SpotTerms, Status};
use crate::domain::symbol::Symbol;
use crate::wire::binance::api::Api;
use crate::wire::binance::error::{self, OrderAnswer};

fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

fn qty(text: &str) -> Qty {
    text.parse().unwrap()
}

const ID: &str = "rb17c2e9a0001fa3c07o";

/// BTCUSDT as mainnet lists it, ADAUSDT with the older filters, one pair in another quote asset.
const INFO: &str = r#"{"timezone":"UTC","serverTime":1795163379973,"rateLimits":[],"exchangeFilters":[],"symbols":[
  {"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","baseAssetPrecision":8,"quoteAsset":"USDT","quotePrecision":8,
   "orderTypes":["LIMIT","LIMIT_MAKER","MARKET"],"icebergAllowed":true,"isSpotTradingAllowed":true,"isMarginTradingAllowed":true,
   "filters":[
    {"filterType":"PRICE_FILTER","minPrice":"0.01000000","maxPrice":"1000000.00000000","tickSize":"0.01000000"},
    {"filterType":"LOT_SIZE","minQty":"0.00001000","maxQty":"9000.00000000","stepSize":"0.00001000"},
    {"filterType":"ICEBERG_PARTS","limit":10},
    {"filterType":"MARKET_LOT_SIZE","minQty":"0.00000000","maxQty":"141.67845966","stepSize":"0.00000000"},
    {"filterType":"TRAILING_DELTA","minTrailingAboveDelta":10,"maxTrailingAboveDelta":2000,"minTrailingBelowDelta":10,"maxTrailingBelowDelta":2000},
    {"filterType":"PERCENT_PRICE_BY_SIDE","bidMultiplierUp":"5","bidMultiplierDown":"0.2","askMultiplierUp":"6","askMultiplierDown":"0.3","avgPriceMins":5},
    {"filterType":"NOTIONAL","minNotional":"5.00000000","applyMinToMarket":true,"maxNotional":"9000000.00000000","applyMaxToMarket":false,"avgPriceMins":5},
    {"filterType":"MAX_NUM_ORDERS","maxNumOrders":150},{"filterType":"MAX_NUM_ALGO_ORDERS","maxNumAlgoOrders":5}],
   "permissions":[],"permissionSets":[["SPOT","MARGIN"]],"defaultSelfTradePreventionMode":"EXPIRE_MAKER"},
  {"symbol":"ADAUSDT","status":"BREAK","baseAsset":"ADA","quoteAsset":"USDT","isSpotTradingAllowed":true,"filters":[
    {"filterType":"MAX_POSITION","maxPosition":"100000.00000000"},
    {"filterType":"MIN_NOTIONAL","minNotional":"10.00000000","applyToMarket":false,"avgPriceMins":5},
    {"filterType":"NOTIONAL","minNotional":"5","applyMinToMarket":true,"maxNotional":"800","applyMaxToMarket":true,"avgPriceMins":5},
    {"filterType":"PERCENT_PRICE","multiplierUp":"1.2","multiplierDown":"0.7","avgPriceMins":5},
    {"filterType":"LOT_SIZE","minQty":"0.15","maxQty":"900.05","stepSize":"0.1"},
    {"filterType":"PRICE_FILTER","minPrice":"0.00015","maxPrice":"100.00005","tickSize":"0.0001"}]},
  {"symbol":"ETHBTC","status":"TRADING","baseAsset":"ETH","quoteAsset":"BTC","filters":[]}]}"#;

fn info() -> std::collections::BTreeMap<Symbol, Rules> {
    let listed = listing::exchange_info(INFO.as_bytes(), "USDT").unwrap();
    assert_eq!(listed.problems, []);
    listed.rows
}

#[test]
fn a_pair_is_read_with_the_filters_that_concern_us() {
    let rules = info();
    assert_eq!(rules.keys().map(Symbol::as_str).collect::<Vec<_>>(), ["ADAUSDT", "BTCUSDT"]);
    let btc = &rules[&symbol("BTCUSDT")];
    assert_eq!(
        (btc.base.as_str(), btc.contract.as_str(), btc.status.clone()),
        ("BTC", SPOT, Status::Trading)
    );
    assert_eq!((btc.tick, btc.lot.step), ("0.01".parse().unwrap(), qty("0.00001")));
    // What is off in the market lot comes from the other; its largest order is no multiple of the step.
    assert_eq!(
        (btc.market_lot.min, btc.market_lot.max, btc.market_lot.step),
        (qty("0.00001"), qty("141.67845"), qty("0.00001"))
    );
    assert_eq!(btc.spot, Some(SpotTerms::default()), "this most does not bind market orders");
    assert_eq!((btc.price_up, btc.price_down), (Rate::from(5), Rate::new(3, 1)));
    assert_eq!((btc.min_notional, btc.max_open_orders), (Notional::from(5), 150));
    let ada = &rules[&symbol("ADAUSDT")];
    assert_eq!(ada.status.as_str(), "BREAK");
    assert!(!ada.opens());
    assert_eq!((ada.lot.min, ada.lot.max), (qty("0.2"), qty("900")));
    assert_eq!(ada.price_bounds, ("0.0002".parse().unwrap(), "100".parse().unwrap()));
    assert_eq!(ada.min_notional, Notional::from(10), "both filters bind");
    assert_eq!((ada.price_up, ada.price_down), (Rate::new(12, 1), Rate::new(7, 1)));
    let spot = SpotTerms { max_notional: Notional::from(800), max_position: qty("100000") };
    assert_eq!(ada.spot, Some(spot));
}

#[test]
fn a_pair_that_cannot_be_read_is_named_and_the_others_are_there() {
    for (from, to, said) in [
        ("\"stepSize\":\"0.00001000\"", "\"stepSize\":\"0\"", "field `filters` has no step in LOT_SIZE"),
        (
            "\"stepSize\":\"0.00000000\"",
            "\"stepSize\":\"0.000015\"",
            "two steps that do not go into each other",
        ),
        ("\"filterType\":\"LOT_SIZE\"", "\"filterType\":\"LOT\"", "field `filters` has no LOT_SIZE"),
        ("\"filterType\":\"NOTIONAL\"", "\"filterType\":\"X\"", "field `filters` has no NOTIONAL"),
        ("\"filterType\":\"PRICE_FILTER\"", "\"filterType\":\"X\"", "field `filters` has no PRICE_FILTER"),
        ("\"minNotional\":\"5.0", "\"minNotional\":\"-5.0", "field `minNotional` is negative"),
        (
            "\"applyMaxToMarket\":false",
            "\"applyMaxToMarket\":0",
            "field `applyMaxToMarket` is neither true nor false",
        ),
    ] {
        assert!(INFO.contains(from), "{from}");
        let listed = listing::exchange_info(INFO.replacen(from, to, 1).as_bytes(), "USDT").unwrap();
        assert_eq!(listed.rows.len(), 1, "{from}");
        let problem = listed.problems[0].to_string();
        assert!(problem.starts_with("BTCUSDT: ") && problem.ends_with(said), "{problem}");
    }
    let closed = INFO.replacen("\"isSpotTradingAllowed\":true", "\"isSpotTradingAllowed\":false", 1);
    let listed = listing::exchange_info(closed.as_bytes(), "USDT").unwrap();
    assert!(!listed.rows[&symbol("BTCUSDT")].opens());
}

const ACCOUNT: &str = r#"{"makerCommission":15,"takerCommission":15,"buyerCommission":0,"sellerCommission":0,
  "commissionRates":{"maker":"0.00150000","taker":"0.00150000","buyer":"0.00000000","seller":"0.00020000"},"canTrade":true,
  "canWithdraw":true,"canDeposit":true,"brokered":false,"requireSelfTradePrevention":false,"preventSor":false,
  "updateTime":123456789,"accountType":"SPOT","balances":[{"asset":"BTC","free":"4723846.89208129","locked":"0.00000000"},
  {"asset":"LTC","free":"4763368.68006011","locked":"1.5"},{"asset":"BNB","free":"0.00000000","locked":"0.00000000"}],
  "permissions":["SPOT"],"uid":354937868}"#;

#[test]
fn an_account_is_its_balances() {
    let read = |from: &str, to: &str| {
        assert!(ACCOUNT.contains(from), "{from}");
        account::account(ACCOUNT.replacen(from, to, 1).as_bytes()).map_err(|error| error.detail)
    };
    let found = read("{", "{").unwrap();
    assert_eq!((found.uid, found.can_trade, found.taker_fee), (354_937_868, true, Rate::new(17, 4)));
    assert_eq!(found.balances.keys().collect::<Vec<_>>(), ["BTC", "LTC"]);
    let ltc = found.balances["LTC"];
    assert_eq!((ltc.locked, ltc.total()), (qty("1.5"), qty("4763370.18006011")));
    for (from, to, said) in [
        ("\"free\":\"0.0", "\"free\":\"-0.1", "field `free` is negative"),
        ("\"asset\":\"BNB\"", "\"asset\":\"LTC\"", "field `balances` names an asset twice"),
        ("\"locked\":\"1.5\"", "\"locked\":1.5", "field `locked` is not a text"),
        ("\"SPOT\",\"bal", "\"MARGIN\",\"bal", "field `accountType` is not SPOT"),
        ("\"taker\":\"0.0015", "\"taker\":\"0.15", "field `taker` is beyond five per cent"),
        ("commissionRates", "rates", "field `commissionRates` is missing"),
        ("\"uid\":354937868", "\"uid\":\"x\"", "field `uid` is not a whole number"),
    ] {
        assert_eq!(read(from, to).unwrap_err(), said);
    }
}

/// The documented answer to a market order.
const PLACED: &str = r#"{"symbol":"BTCUSDT","orderId":28,"orderListId":-1,"clientOrderId":"rb17c2e9a0001fa3c07o",
  "transactTime":1507725176595,"price":"0.00000000","origQty":"10.00000000","executedQty":"10.00000000",
  "origQuoteOrderQty":"0.000000","cummulativeQuoteQty":"39987.00000000","status":"FILLED","timeInForce":"GTC","type":"MARKET",
  "side":"SELL","workingTime":1507725176595,"selfTradePreventionMode":"NONE","fills":[
   {"price":"4000.00000000","qty":"1.00000000","commission":"4.00000000","commissionAsset":"USDT","tradeId":56},
   {"price":"3999.00000000","qty":"8.00000000","commission":"19.99500000","commissionAsset":"USDT","tradeId":57},
   {"price":"3995.00000000","qty":"1.00000000","commission":"7.99600000","commissionAsset":"USDT","tradeId":58}]}"#;

const QUERIED: &str = r#"{"symbol":"LTCBTC","orderId":1,"orderListId":-1,"clientOrderId":"myOrder1","price":"0.1","origQty":"1.0",
  "executedQty":"0.0","cummulativeQuoteQty":"0.0","status":"NEW","timeInForce":"GTC","type":"LIMIT","side":"BUY","stopPrice":"0.0",
  "icebergQty":"0.0","time":1499827319559,"updateTime":1499827319560,"isWorking":true,"workingTime":1499827319559,
  "origQuoteOrderQty":"0.000000","selfTradePreventionMode":"NONE"}"#;

#[test]
fn orders_are_read_with_their_mean_price() {
    let placed = order::placed(PLACED.as_bytes()).unwrap();
    assert_eq!((placed.client_id.as_str(), placed.status), (ID, OrderStatus::Filled));
    assert_eq!(placed.avg_price, Some("3998.7".parse().unwrap()));
    assert!(placed.reduce_only, "a sale can only take away");
    assert_eq!(placed.updated.ms(), 1_507_725_176_595);
    let queried = order::queried(QUERIED.as_bytes()).unwrap();
    assert_eq!((queried.side, queried.status, queried.avg_price), (Side::Buy, OrderStatus::New, None));
    assert!(!queried.reduce_only);
    let ancient = QUERIED.replace("\"cummulativeQuoteQty\":\"0.0\"", "\"cummulativeQuoteQty\":\"-1\"");
    let ancient = ancient.replace("\"executedQty\":\"0.0\"", "\"executedQty\":\"1\"");
    assert_eq!(order::queried(ancient.as_bytes()).unwrap().avg_price, None);
    let all = order::all_orders(format!("[{QUERIED}]").as_bytes()).unwrap();
    assert_eq!((all[0].0.ms(), all[0].1.updated.ms()), (1_499_827_319_559, 1_499_827_319_560));
    assert_eq!(order::open_orders(b"[]").unwrap(), []);
    let resting = order::resting_orders(format!("[{QUERIED}]").as_bytes()).unwrap();
    assert_eq!((resting[0].client_id.as_str(), resting[0].is_ours()), ("myOrder1", false));
    assert!(order::open_orders(format!("[{QUERIED},{{}}]").as_bytes()).is_err());
    let short = PLACED.replacen("\"qty\":\"8.0", "\"qty\":\"7.0", 1);
    let error = order::placed(short.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "POST /api/v3/order: field `fills` do not add up to `executedQty`");
}

#[test]
fn the_fee_of_a_purchase_may_be_in_the_coin() {
    let trade = r#"{"symbol":"BNBBTC","id":28457,"orderId":100234,"orderListId":-1,"price":"4.00000100","qty":"12.00000000",
      "quoteQty":"48.000012","commission":"10.10000000","commissionAsset":"BNB","time":1499865549590,"isBuyer":true,"isMaker":false,
      "isBestMatch":true}"#;
    let fills = history::my_trades(format!("[{trade}]").as_bytes()).unwrap();
    assert_eq!((fills[0].side, fills[0].fee_asset.as_str(), fills[0].trade_id), (Side::Buy, "BNB", 28457));
    assert_eq!((fills[0].fee, fills[0].realized), ("10.1".parse().unwrap(), Notional::ZERO));
    for (from, to) in [
        ("\"12.0", "\"-12.0"),
        ("true,\"isM", "1,\"isM"),
        ("commissionAsset", "x"),
        ("\"4.0", "\"0.0\",\"y\":\""),
    ] {
        assert!(trade.contains(from), "{from}");
        assert!(
            history::my_trades(format!("[{}]", trade.replacen(from, to, 1)).as_bytes()).is_err(),
            "{from}"
        );
    }
}

#[test]
fn books_and_prices_need_no_time() {
    let books = market::book_ticker(
        br#"[{"symbol":"LTCBTC","bidPrice":"4.00000000","bidQty":"431.0","askPrice":"4.00000200","askQty":"9.0"},
             {"symbol":"ETHBTC","bidPrice":"0.0","bidQty":"0.0","askPrice":"100000.0","askQty":"1000.0"}]"#,
    )
    .unwrap();
    assert_eq!((books.rows.len(), books.problems.len()), (1, 0));
    let prices =
        market::prices(br#"[{"symbol":"LTCBTC","price":"4.00000200"},{"symbol":"NEWBTC","price":"0.0"},{"symbol":"BADBTC"}]"#)
            .unwrap();
    assert_eq!(prices.rows.keys().map(Symbol::as_str).collect::<Vec<_>>(), ["LTCBTC"]);
    assert_eq!(prices.problems[0].symbol, "BADBTC");
}

#[test]
fn an_order_is_spelled_out_without_the_words_of_futures() {
    let sell = |kind| OrderRequest {
        symbol: symbol("BTCUSDT"),
        side: Side::Sell,
        qty: qty("0.00010"),
        kind,
        reduce_only: true,
        client_id: ID.into(),
    };
    let market = order::place(&sell(OrderKind::Market)).encoded();
    let said = format!(
        "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.0001&newClientOrderId={ID}&newOrderRespType=FULL"
    );
    assert_eq!(market, said);
    let kind = OrderKind::Limit { price: "31155.0".parse().unwrap(), time_in_force: TimeInForce::Ioc };
    let limit = order::place(&sell(kind)).encoded();
    assert!(limit.contains("&type=LIMIT&timeInForce=IOC&price=31155&quantity=0.0001&"), "{limit}");
}

#[derive(Debug, PartialEq)]
enum Class {
    Accepted,
    Rejected,
    Unknown,
}

#[test]
fn every_5xx_is_unknown_and_only_definite_codes_reject() {
    let refusal = |code: i64, msg: &str| format!(r#"{{"code":{code},"msg":"{msg}"}}"#);
    let ours = PLACED.to_owned();
    for (expected, status, body) in [
        (Class::Accepted, 200, ours.clone()),
        (Class::Unknown, 200, ours.replace(ID, "rb17c2e9a0001fa3c08o")),
        (Class::Unknown, 200, ours.replace("BTCUSDT", "ETHUSDT")),
        (Class::Unknown, 200, ours.replacen("\"qty\":\"8.0", "\"qty\":\"7.0", 1)),
        (Class::Unknown, 200, "<html>portal</html>".into()),
        (Class::Unknown, 500, refusal(-2010, "Account has insufficient balance for requested action.")),
        (Class::Unknown, 503, refusal(-1008, "Server is currently overloaded")),
        (Class::Unknown, 503, "Service Unavailable.".into()),
        (Class::Unknown, 502, String::new()),
        (Class::Unknown, 408, refusal(-1007, "Timeout waiting for response from backend server.")),
        (Class::Unknown, 400, refusal(-2010, "Duplicate order sent.")),
        (Class::Unknown, 403, "<html>denied</html>".into()),
        (Class::Unknown, 429, refusal(-1015, "Too many new orders.")),
        (Class::Rejected, 400, refusal(-2010, "Account has insufficient balance for requested action.")),
        (Class::Rejected, 400, refusal(-2010, "Market is closed.")),
        (Class::Rejected, 400, refusal(-1013, "Filter failure: LOT_SIZE")),
        (Class::Rejected, 400, refusal(-1121, "Invalid symbol.")),
        (Class::Rejected, 400, refusal(-1021, "Timestamp for this request is outside of the recvWindow.")),
    ] {
        let answer = error::order_answer(Api::Spot, status, body.as_bytes(), ID, &symbol("BTCUSDT"));
        let class = match answer {
            OrderAnswer::Accepted(_) => Class::Accepted,
            OrderAnswer::Rejected(_) => Class::Rejected,
            OrderAnswer::Unknown(_) => Class::Unknown,
        };
        assert_eq!(class, expected, "{status} {body}");
    }
}

#[test]
fn spot_refusals_have_words_of_their_own() {
    let hint = |api, code| error::hint(api, code).unwrap();
    assert!(hint(Api::Spot, -2015).contains("spot trading permission"));
    assert!(hint(Api::Usdm, -2015).contains("futures permission"));
    assert_eq!(hint(Api::Spot, -1022), hint(Api::Usdm, -1022));
    assert!(error::outdates_rules(Api::Spot, -1013) && !error::outdates_rules(Api::Usdm, -1013));
    assert!(error::is_unaffordable(-2010, "Account has insufficient balance for requested action."));
    assert!(error::is_unaffordable(-2019, "Margin is insufficient."));
    assert!(!error::is_unaffordable(-2010, "Market is closed."));
}

#[test]
fn the_two_interfaces_share_nothing_but_the_wallet() {
    for api in [Api::Usdm, Api::Spot] {
        assert!(api.hosts().contains(&api.live_host()));
        let body = format!(r#"{{"serverTime":{}}}"#, 1_795_163_379_973_i64);
        assert_eq!(api.time(body.as_bytes()).unwrap().ms(), 1_795_163_379_973);
        assert!(api.time(br#"{"serverTime":1}"#).is_err());
    }
    let shared = Api::Spot.hosts().iter().filter(|host| Api::Usdm.hosts().contains(host)).count();
    assert_eq!(shared, 0);
    assert_eq!((Api::Usdm.weight_per_minute(), Api::Spot.weight_per_minute()), (2400, 6000));
}

proptest! {
    #[test]
    fn bytes_of_any_kind_do_not_panic(
        sample in prop::sample::select(vec![INFO, ACCOUNT, PLACED, QUERIED]),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = sample.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        for bytes in [bytes.as_slice(), &bytes[..at]] {
            let _ = (listing::exchange_info(bytes, "USDT"), account::account(bytes), order::placed(bytes));
            let _ = (order::queried(bytes), order::open_orders(bytes), order::all_orders(bytes));
            let _ = (order::resting_orders(bytes), history::my_trades(bytes));
            let _ = (market::book_ticker(bytes), market::prices(bytes));
        }
    }
}
