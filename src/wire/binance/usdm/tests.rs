//! The readers against answers in every documented shape, and against mutilated ones.

use proptest::prelude::*;

use super::*;
use crate::domain::symbol::Symbol;
use crate::wire::json;

fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

fn amount<K>(text: &str) -> crate::domain::num::Amount<K> {
    text.parse().unwrap()
}

#[test]
fn brackets_come_as_numbers_texts_objects_or_arrays() {
    let tier = r#"{"bracket":2,"initialLeverage":75,"notionalCap":2.5E5,"notionalFloor":50000,"maintMarginRatio":0.005,"cum":50.0}"#;
    let first = r#"{"bracket":1,"initialLeverage":"125","notionalCap":"50000","notionalFloor":"0","maintMarginRatio":"0.004","cum":"0.0"}"#;
    let object = format!(r#"{{"symbol":"AUSDT","notionalCoef":1.5,"brackets":[{tier},{first}]}}"#);
    for body in [object.clone(), format!("[{object}]")] {
        let tiers = &listing::leverage_brackets(body.as_bytes()).unwrap().rows[&symbol("AUSDT")];
        assert_eq!((tiers[0].cap, tiers[1].cap), (amount("50000"), amount("250000")));
        assert_eq!((tiers[1].maint_rate, tiers[1].cum), (amount("0.005"), amount("50")));
    }
    let endless = object.replace("2.5E5", "9223372036854775807");
    assert_eq!(listing::leverage_brackets(endless.as_bytes()).unwrap().rows[&symbol("AUSDT")].len(), 2);
    for (from, to) in [("0.005", "-1"), ("0.005", "7"), ("2.5E5", "50000"), ("75", "0"), (":50000", ":\"x\"")]
    {
        let listed = listing::leverage_brackets(object.replace(from, to).as_bytes()).unwrap();
        assert_eq!((listed.rows.len(), listed.problems.len()), (0, 1), "{from} {to}");
    }
}

const INFO: &str = r#"{"symbols":[{"symbol":"AAAUSDT","contractType":"PERPETUAL","deliveryDate":4133404800000,
  "onboardDate":1598252400000,"status":"TRADING","baseAsset":"AAA","quoteAsset":"USDT","marginAsset":"USDT",
  "underlyingSubType":["AI"],"liquidationFee":"0.015000","marketTakeBound":"0.10","filters":[
  {"filterType":"PRICE_FILTER","minPrice":"0.0010","maxPrice":"200","tickSize":"0.0001"},
  {"filterType":"LOT_SIZE","minQty":"1","maxQty":"60000000000","stepSize":"1"},
  {"filterType":"MARKET_LOT_SIZE","minQty":"1","maxQty":"80000","stepSize":"1"},
  {"filterType":"MAX_NUM_ORDERS","limit":200},
  {"filterType":"MIN_NOTIONAL","notional":"5"},
  {"filterType":"PERCENT_PRICE","multiplierUp":"1.1000","multiplierDown":"0.9000","multiplierDecimal":"4"},
  {"filterType":"SOMETHING_NEW","limit":"?"}]}]}"#;

#[test]
fn rules_come_from_filters_in_any_order() {
    let rules = listing::exchange_info(INFO.as_bytes()).unwrap().rows.remove(&symbol("AAAUSDT")).unwrap();
    assert_eq!((rules.tick, rules.price_bounds.1), (amount("0.0001"), amount("200")));
    assert_eq!((rules.lot.max, rules.market_lot.max), (amount("60000000000"), amount("80000")));
    assert_eq!((rules.price_up, rules.price_down), (amount("1.1"), amount("0.9")));
    assert_eq!((rules.market_bound, rules.liquidation_fee), (amount("0.1"), amount("0.015")));
    assert!(rules.opens());
    assert_eq!((rules.tags, rules.max_open_orders), (vec!["AI".to_owned()], 200));
}

#[test]
fn a_delisting_shows_and_a_missing_detail_has_a_safe_stand_in() {
    let read = |from: &str, to: &str| {
        assert!(INFO.contains(from), "{from}");
        let mut info = listing::exchange_info(INFO.replace(from, to).as_bytes()).unwrap();
        info.rows.remove(&symbol("AAAUSDT")).ok_or(info.problems)
    };
    let leaving = read("4133404800000", "1795248000000").unwrap();
    assert_eq!(leaving.delivery.unwrap().ms(), 1_795_248_000_000);
    assert_eq!(read("4133404800000", "4133404802000").unwrap().delivery, None);
    assert_eq!(
        read(r#""status":"TRADING""#, r#""status":"CANCEL_ONLY""#).unwrap().status.as_str(),
        "CANCEL_ONLY"
    );
    assert_eq!(read("MARKET_LOT_SIZE", "X").unwrap().market_lot.max, amount("60000000000"));
    let plain = read("PERCENT_PRICE", "X").unwrap();
    assert_eq!((plain.price_up, plain.price_down), (amount("1.05"), amount("0.95")));
    assert_eq!(read("MAX_NUM_ORDERS", "X").unwrap().max_open_orders, 200);
    assert_eq!(read("liquidationFee", "x").unwrap().liquidation_fee, amount("0.015"));
    assert_eq!(read(r#"["AI"]"#, "null").unwrap().tags, Vec::<String>::new());
    for (from, to, said) in [
        ("tickSize", "x", "field `tickSize` is missing"),
        (r#""0.0001""#, r#""-0.0001""#, "field `tickSize` is negative"),
        (r#""0.0001""#, "0.0001", "field `tickSize` is not a text"),
        ("MIN_NOTIONAL", "X", "has no MIN_NOTIONAL"),
        ("PRICE_FILTER", "LOT_SIZE", "has one type twice"),
        ("AAAUSDT", "=CMD()", "is not a symbol"),
        ("baseAsset", "status", "stands there twice"),
        ("4133404800000", "-1", "field `deliveryDate` is not a time"),
    ] {
        let problems = read(from, to).unwrap_err();
        assert!(problems[0].detail.contains(said), "{from}: {problems:?}");
    }
}

#[test]
fn bad_rows_are_named_and_good_ones_stay() {
    let body = r#"[{"symbol":"AUSDT","markPrice":"1.5","lastFundingRate":"-0.0001","nextFundingTime":0,"time":1},
        {"symbol":"BUSDT","markPrice":"NaN","lastFundingRate":"0","nextFundingTime":0,"time":1},
        {"symbol":"CUSDT","lastFundingRate":"0","nextFundingTime":0,"time":1},
        {"symbol":"DUSDT","markPrice":"0","lastFundingRate":"0","nextFundingTime":0,"time":1},
        {"symbol":"EUSDT","markPrice":"1","lastFundingRate":"0","nextFundingTime":0,"time":1},
        {"symbol":"EUSDT","markPrice":"2","lastFundingRate":"0","nextFundingTime":0,"time":1}, 7]"#;
    let marks = market::premium_index(body.as_bytes()).unwrap();
    assert_eq!(marks.rows.keys().map(Symbol::as_str).collect::<Vec<_>>(), ["AUSDT"]);
    assert_eq!(marks.rows[&symbol("AUSDT")].next_funding, None);
    let problems: Vec<String> = marks.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "BUSDT: GET /fapi/v1/premiumIndex: field `markPrice` is not a plain decimal: \"NaN\"",
            "CUSDT: GET /fapi/v1/premiumIndex: field `markPrice` is missing",
            "GET /fapi/v1/premiumIndex: an object was expected",
            "EUSDT: GET /fapi/v1/premiumIndex: listed more than once",
        ]
    );
}

#[test]
fn margin_settings_are_known_or_absent() {
    let body = r#"[{"symbol":"AUSDT","marginType":"CROSSED","leverage":5},{"symbol":"BUSDT","marginType":"isolated","leverage":"20"},
        {"symbol":"CUSDT","marginType":"PORTFOLIO","leverage":5},{"symbol":"DUSDT","marginType":"CROSSED","leverage":0}]"#;
    let settings = account::symbol_config(body.as_bytes()).unwrap();
    assert!(settings.rows[&symbol("AUSDT")].cross && !settings.rows[&symbol("BUSDT")].cross);
    assert_eq!((settings.rows.len(), settings.problems.len()), (2, 2));
}

#[test]
fn a_position_needs_its_prices_and_a_resting_order_does_not() {
    let read = |from: &str, to: &str| account::position_risk(POSITION.replace(from, to).as_bytes());
    let row = read("x", "x").unwrap().remove(0);
    assert_eq!((row.position.liquidation_price, row.has_orders, row.side.as_str()), (None, false, "BOTH"));
    assert!(read(r#""bidNotional":"0""#, r#""bidNotional":"12.5""#).unwrap()[0].has_orders);
    let flat = r#""positionAmt":"0","entryPrice":"0.0""#;
    assert!(read(r#""positionAmt":"30","entryPrice":"0.385""#, flat).unwrap()[0].has_orders);
    for (from, to) in [("\"0.385\"", "\"0\""), ("\"0.41047590\"", "\"0\""), ("\"0.385\"", "\"-1\"")] {
        assert!(read(from, to).is_err(), "{from} {to}");
    }
}

#[test]
fn an_alias_names_one_account() {
    let read = |body: &str| account::account_alias(body.as_bytes());
    assert_eq!(read("[]").unwrap(), None);
    assert_eq!(read(r#"[{"accountAlias":""}]"#).unwrap(), None);
    assert_eq!(read(r#"[{"accountAlias":"A"},{"accountAlias":"A"}]"#).unwrap().as_deref(), Some("A"));
    assert!(read(r#"[{"accountAlias":"A"},{"accountAlias":"B"}]"#).is_err());
}

const KEY: &str = r#"{"ipRestrict":true,"createTime":1,"enableReading":true,"enableWithdrawals":false,
  "enableInternalTransfer":false,"permitsUniversalTransfer":true,"tradingAuthorityExpirationTime":1798761600000}"#;

#[test]
fn permissions_that_are_not_mentioned_are_not_there_unless_they_move_money() {
    let read = |from: &str, to: &str| {
        assert!(KEY.contains(from), "{from}");
        account::key_permissions(KEY.replace(from, to).as_bytes())
    };
    let key = read("{", "{").unwrap();
    assert!(key.ip_restricted && key.reading && key.universal_transfer);
    assert!(!key.futures && !key.withdrawals && !key.internal_transfer && !key.margin && !key.options);
    assert_eq!(key.expires.map(|at| at.ms()), Some(1_798_761_600_000));
    assert_eq!(read("1798761600000", "0").unwrap().expires, None);
    assert_eq!(read("tradingAuthorityExpirationTime", "x").unwrap().expires, None);
    assert!(read("createTime\":1", "enableFutures\":true").unwrap().futures);
    for (from, to, said) in [
        ("enableWithdrawals", "enableLunch", "field `enableWithdrawals` is missing"),
        ("permitsUniversalTransfer", "x", "field `permitsUniversalTransfer` is missing"),
        ("enableInternalTransfer", "x", "field `enableInternalTransfer` is missing"),
        ("\"enableReading\":true", "\"enableReading\":1", "field `enableReading` is neither true nor false"),
        ("createTime\":1", "enableFutures\":\"\"", "field `enableFutures` is neither true nor false"),
        ("1798761600000", "-1", "field `tradingAuthorityExpirationTime` is not a time"),
    ] {
        let error = read(from, to).unwrap_err().to_string();
        assert_eq!(error, format!("GET /sapi/v1/account/apiRestrictions: {said}"));
    }
}

const STATUS: &str = r#"{"indicators":{"ETHUSDT":[
    {"isLocked":false,"plannedRecoverTime":null,"indicator":"UFR","value":0.05,"triggerValue":0.995},
    {"isLocked":true,"plannedRecoverTime":1795163400000,"indicator":"IFER","value":0.99,"triggerValue":0.99}],
  "ACCOUNT":[{"indicator":"TMV","value":10,"triggerValue":1,"plannedRecoverTime":0,"isLocked":true}]},
  "updateTime":1795163379973}"#;

#[test]
fn indicators_are_read_by_scope_with_their_locks() {
    let found = account::trading_status(STATUS.as_bytes()).unwrap();
    let said: Vec<String> = found
        .iter()
        .map(|row| format!("{} {} {}/{} {}", row.scope, row.name, row.value, row.trigger, row.locked))
        .collect();
    assert_eq!(
        said,
        ["ETHUSDT UFR 0.05/0.995 false", "ETHUSDT IFER 0.99/0.99 true", "ACCOUNT TMV 10/1 true"]
    );
    let times: Vec<Option<i64>> = found.iter().map(|row| row.recovers.map(|at| at.ms())).collect();
    assert_eq!(times, [None, Some(1_795_163_400_000), None]);
    assert_eq!(account::trading_status(br#"{"indicators":{},"updateTime":1}"#).unwrap(), []);
    for (from, to, said) in [
        ("indicators", "x", "field `indicators` is missing"),
        (":{\"ETHUSDT\"", ":[],\"x\":{\"E\"", "field `indicators` is not an object"),
        ("ACCOUNT", "ETHUSDT", "field `indicators` names something twice"),
        ("\"isLocked\":false", "\"isLocked\":0", "field `isLocked` is neither true nor false"),
        ("0.05", "\"much\"", "field `value` is not a plain decimal: \"much\""),
        ("1795163400000", "-1", "field `plannedRecoverTime` is not a time"),
        ("\"UFR\"", "1", "field `indicator` is not a text"),
    ] {
        assert!(STATUS.contains(from), "{from}");
        let error = account::trading_status(STATUS.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), format!("GET /fapi/v1/apiTradingStatus: {said}"));
    }
}

#[test]
fn what_waits_is_read_with_as_little_as_cancelling_needs() {
    let algo = r#"[{"algoId":2146760,"clientAlgoId":"rb17c2e9a0001fa3c07r","algoType":"CONDITIONAL","orderType":"STOP_MARKET",
        "symbol":"\u5e01\u5b89\u4eba\u751fUSDT","side":"SELL","algoStatus":"NEW","icebergQuantity":null,"goodTillDate":0}]"#;
    let found = order::resting_algos(algo.as_bytes()).unwrap();
    assert_eq!((found[0].symbol.as_str(), found[0].conditional), ("币安人生USDT", true));
    assert!(found[0].is_ours());
    let plain = r#"[{"orderId":1,"symbol":"BTCUSDT","clientOrderId":"web_1","status":"NEW"}]"#;
    let found = order::resting_orders(plain.as_bytes()).unwrap();
    assert!(!found[0].conditional && !found[0].is_ours());
    assert_eq!(order::resting_orders(b"[]").unwrap(), []);
    for (body, said) in [
        ("[{}]", "GET /fapi/v1/openAlgoOrders: field `symbol` is missing"),
        (plain, "GET /fapi/v1/openAlgoOrders: field `clientAlgoId` is missing"),
        (
            r#"[{"symbol":"../x","clientAlgoId":"a"}]"#,
            "GET /fapi/v1/openAlgoOrders: field `symbol` is not a symbol: \"../x\"",
        ),
        (
            r#"[{"symbol":"BTCUSDT","clientAlgoId":7}]"#,
            "GET /fapi/v1/openAlgoOrders: field `clientAlgoId` is not a text",
        ),
        ("7", "GET /fapi/v1/openAlgoOrders: an array was expected"),
    ] {
        assert_eq!(order::resting_algos(body.as_bytes()).unwrap_err().to_string(), said);
    }
}

#[test]
fn closing_needs_size_and_side_and_nothing_else() {
    let row = |symbol: &str, side: &str, qty: &str, mark: &str| {
        format!(r#"{{"symbol":"{symbol}","positionSide":"{side}","positionAmt":"{qty}","markPrice":{mark}}}"#)
    };
    let read = |rows: &[String]| account::exposed(format!("[{}]", rows.join(",")).as_bytes());
    let (positions, hedge) = read(&[
        row("AUSDT", "BOTH", "-0.5", "\"2.5\""),
        row("BUSDT", "BOTH", "0.0", "\"1\""),
        row("CUSDT", "BOTH", "7", "null"),
    ])
    .unwrap();
    assert_eq!((positions.len(), hedge), (2, false));
    assert_eq!(positions[&symbol("AUSDT")].value(), amount("-1.25"));
    assert!(positions[&symbol("CUSDT")].mark_price.is_zero());
    let (long, short) = (row("AUSDT", "LONG", "0", "\"1\""), row("AUSDT", "SHORT", "-3", "\"2\""));
    let (positions, hedge) = read(&[long, short]).unwrap();
    assert_eq!((positions[&symbol("AUSDT")].value(), hedge), (amount("-6"), true));
    let both = [row("AUSDT", "LONG", "3", "\"1\""), row("AUSDT", "SHORT", "-3", "\"1\"")];
    let (positions, hedge) = read(&both).unwrap();
    assert_eq!((positions.len(), hedge), (0, true));
    for (rows, said) in [
        (vec![row("AUSDT", "BOTH", "1", "0"); 2], "field `symbol` is listed twice"),
        (vec![row("AUSDT", "BOTH", "1e5", "0")], "field `positionAmt` is not a plain decimal: \"1e5\""),
        (vec![row("AUSDT", "BOTH", "1", "0").replace("Side", "X")], "field `positionSide` is missing"),
    ] {
        assert_eq!(read(&rows).unwrap_err().to_string(), format!("GET /fapi/v3/positionRisk: {said}"));
    }
}

#[test]
fn candles_are_read_and_cut_ones_are_not() {
    let row = r#"[1499040000000,"0.016","0.8","0.0157","0.0158","148976.1",1499644799999,"2434.19",308,"1756.8","28.46","17928"]"#;
    let candles = market::klines(format!("[{row}]").as_bytes()).unwrap();
    assert_eq!((candles[0].high, candles[0].quote_volume), (amount("0.8"), amount("2434.19")));
    for (from, to) in
        [("\"0.8\"", "0.8"), ("\"0.8\"", "\"0\""), ("1499040000000", "\"1\""), ("\"2434.19\"", "null")]
    {
        assert!(market::klines(format!("[{}]", row.replace(from, to)).as_bytes()).is_err(), "{from}");
    }
}

/// Every reader, run for its effect of not panicking; how many of them understood the bytes.
fn read_all(bytes: &[u8]) -> usize {
    [
        listing::exchange_info(bytes).is_ok(),
        listing::leverage_brackets(bytes).is_ok(),
        listing::commission_rate(bytes).is_ok(),
        market::time(bytes).is_ok(),
        market::premium_index(bytes).is_ok(),
        market::book_ticker(bytes).is_ok(),
        market::ticker_24h(bytes).is_ok(),
        market::funding_rates(bytes).is_ok(),
        market::funding_info(bytes).is_ok(),
        market::klines(bytes).is_ok(),
        account::account(bytes).is_ok(),
        account::account_alias(bytes).is_ok(),
        account::position_risk(bytes).is_ok(),
        account::symbol_config(bytes).is_ok(),
        account::account_config(bytes).is_ok(),
        account::key_permissions(bytes).is_ok(),
        account::exposed(bytes).is_ok(),
        account::trading_status(bytes).is_ok(),
        order::placed(bytes).is_ok(),
        order::queried(bytes).is_ok(),
        order::open_orders(bytes).is_ok(),
        order::resting_orders(bytes).is_ok(),
        order::resting_algos(bytes).is_ok(),
        order::all_orders(bytes).is_ok(),
        order::leverage_set(bytes).is_ok(),
        history::user_trades(bytes).is_ok(),
        history::income(bytes).is_ok(),
        json::parse("any", bytes).is_ok(),
    ]
    .into_iter()
    .filter(|understood| *understood)
    .count()
}

const ORDER: &str = r#"{"clientOrderId":"rb17c2e9a0001fa3c07o","cumQty":"0.010","executedQty":"0.010","orderId":81000199999,
  "origQty":"0.010","price":"0","avgPrice":"31000.1","reduceOnly":false,"side":"BUY","status":"FILLED","symbol":"BTCUSDT",
  "time":1795163379970,"updateTime":1795163379972}"#;
const TRADE: &str = r#"[{"buyer":false,"commission":"0.07819010","commissionAsset":"USDT","id":698759,"maker":false,"orderId":25851813,
  "price":"7819.01","qty":"0.002","quoteQty":"15.63802","realizedPnl":"-0.91539999","side":"SELL","symbol":"BTCUSDT","time":1569514978020}]"#;
const INCOME: &str = r#"[{"symbol":"BTCUSDT","incomeType":"FUNDING_FEE","income":"-0.15500000","asset":"USDT","info":"FUNDING_FEE",
  "time":1795161600000,"tranId":9689322392,"tradeId":""}]"#;
const POSITION: &str = r#"[{"symbol":"ADAUSDT","positionSide":"BOTH","positionAmt":"30","entryPrice":"0.385","markPrice":"0.41047590",
  "unRealizedProfit":"0.76427700","liquidationPrice":"0","notional":"12.31427700","marginAsset":"USDT","bidNotional":"0",
  "askNotional":"0","updateTime":1720736417660}]"#;

/// Figures that money must never be read from.
const ABSURD: [&str; 10] = [
    "\"NaN\"",
    "\"inf\"",
    "\"1e5\"",
    "\"1_000\"",
    "\"+1\"",
    "\"\"",
    "\" 1\"",
    "\"0x10\"",
    "\"999999999999999999999999999999999999999999\"",
    "{}",
];

#[test]
fn money_that_is_not_a_plain_decimal_spoils_the_row() {
    type Reads = fn(&[u8]) -> bool;
    let cases: [(&str, Reads, &[&str]); 4] = [
        (ORDER, |bytes| order::queried(bytes).is_ok(), &["executedQty", "origQty"]),
        (TRADE, |bytes| history::user_trades(bytes).is_ok(), &["commission", "price", "qty", "realizedPnl"]),
        (INCOME, |bytes| history::income(bytes).is_ok(), &["income"]),
        (
            POSITION,
            |bytes| account::position_risk(bytes).is_ok(),
            &["positionAmt", "entryPrice", "markPrice", "unRealizedProfit"],
        ),
    ];
    for (sample, reads, fields) in cases {
        assert!(reads(sample.as_bytes()), "{sample}");
        for field in fields {
            let mut value: serde_json::Value = serde_json::from_str(sample).unwrap();
            let row = if value.is_array() { &mut value[0] } else { &mut value };
            row.as_object_mut().unwrap().remove(*field).unwrap();
            assert!(!reads(value.to_string().as_bytes()), "without {field}");
            let row = if value.is_array() { &mut value[0] } else { &mut value };
            for absurd in ABSURD {
                row[*field] = serde_json::from_str(absurd).unwrap();
                let bytes = row.to_string();
                let bytes = if sample.starts_with('[') { format!("[{bytes}]") } else { bytes };
                assert!(!reads(bytes.as_bytes()), "{field} = {absurd}");
            }
        }
    }
}

#[test]
fn numbers_beyond_two_to_the_53_stay_exact() {
    let big = ORDER.replace("81000199999", "9223372036854775807");
    assert_eq!(order::queried(big.as_bytes()).unwrap().order_id, i64::MAX);
    let negative = INCOME.replace("9689322392", "-9007199254740993");
    assert_eq!(history::income(negative.as_bytes()).unwrap()[0].tran_id, -9_007_199_254_740_993);
    assert!(order::queried(ORDER.replace("81000199999", "9223372036854775808").as_bytes()).is_err());
}

proptest! {
    #[test]
    fn random_bytes_are_never_understood_as_money(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
        prop_assert!(order::placed(&bytes).is_err());
    }

    #[test]
    fn mutilated_answers_do_not_panic(
        sample in prop::sample::select(vec![INFO, ORDER, TRADE, INCOME, POSITION]),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = sample.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        read_all(&bytes);
        bytes.truncate(cut.index(sample.len()));
        read_all(&bytes);
        bytes.extend_from_slice(sample.as_bytes());
        read_all(&bytes);
    }

    #[test]
    fn json_of_any_shape_does_not_panic(text in r#"(\{|\[|\}|\]|,|:|"symbol"|"AUSDT"|"brackets"|"code"|-1|1e9|null|"0\.1"){0,40}"#) {
        read_all(text.as_bytes());
    }
}

/// Old and special rows have no mark price; none of them is a price of zero.
#[test]
fn a_settlement_without_a_mark_has_none() {
    let row = |more: &str| format!(r#"{{"symbol":"AUSDT","fundingRate":"0.0001","fundingTime":5{more}}}"#);
    let marks = ["", r#","markPrice":"""#, r#","markPrice":"0.00000000""#, r#","markPrice":"31000.5""#];
    let special = r#","markPrice":"","rateType":"Special""#;
    let rows: Vec<String> = marks.into_iter().chain([special]).map(row).collect();
    let prints = market::funding_rates(format!("[{}]", rows.join(",")).as_bytes()).unwrap();
    let marks: Vec<Option<String>> =
        prints.iter().map(|print| print.mark.map(|mark| mark.to_string())).collect();
    assert_eq!(marks, [None, None, None, Some("31000.5".into()), None]);
    assert_eq!(prints.iter().filter(|print| print.special).count(), 1);
    assert!(market::funding_rates(format!("[{}]", row(r#","markPrice":"x""#)).as_bytes()).is_err());
}
