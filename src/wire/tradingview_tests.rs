//! The screener's answers, invented after real ones, and worse.

use proptest::prelude::*;

use super::*;

const FOUR: &str = r#"{"totalCount": 4, "data": [
 {"s":"BINANCE:BTCUSDT.P","d":["BTCUSDT.P","BINANCE","swap",["crypto","perpetual"],"BTC","USDT",64250.1,14391120000.5,12.4,-0.8,64250.0,64250.1,0.00016,2.9,13500000000.0,"streaming"]},
 {"s":"BINANCE:1000PEPEUSDT.P","d":["1000PEPEUSDT.P","BINANCE","swap",["crypto","perpetual"],"1000PEPE","USDT",0.0123,367477100.0,-4.1,1.9,0.0123,0.0123001,0.0008,6.2,401000000.0,"streaming"]},
 {"s":"BINANCE:NEWUSDT.P","d":["NEWUSDT.P","BINANCE","swap",["crypto","perpetual"],null,"USDT",1.02,35000000.0,null,null,null,null,null,null,null,"streaming"]},
 {"s":"BINANCE:DEADUSDT.P","d":["DEADUSDT.P","BINANCE","swap",["crypto","perpetual"],"DEAD","USDT",0.5,null,null,0.0,null,null,null,0.0,null,"streaming"]}]}"#;

const COINS: &str = r#"{"totalCount":2,"data":[{"s":"CRYPTO:BTCUSD","d":["BTC",1,1270000000000.0,31000000000.0,["cryptocurrencies","layer-1"]]},{"s":"CRYPTO:XYZUSD","d":["XYZ",812,null,null,null]}]}"#;

fn asked(columns: Columns) -> PairsAsked {
    PairsAsked { spot: false, quote: "USDT".into(), columns, marked: true }
}

/// An answer with the fewest columns.
fn few(rows: &[(&str, &str)]) -> String {
    let rows: Vec<String> =
        rows.iter().map(|(ticker, volume)| format!(r#"{{"s":"{ticker}","d":["x",{volume}]}}"#)).collect();
    format!(r#"{{"totalCount":{},"data":[{}]}}"#, rows.len(), rows.join(","))
}

fn read_few(rows: &[(&str, &str)]) -> Pairs {
    pairs(few(rows).as_bytes(), &asked(Columns::Fewest)).unwrap()
}

#[test]
fn the_question_is_the_one_that_is_known_to_work() {
    let body = asked(Columns::Full).body();
    assert_eq!(body["columns"].as_array().unwrap().len(), 16);
    assert_eq!(body["range"], json!([0, 200]));
    assert_eq!(body["sort"]["sortBy"], "24h_vol|5");
    assert_eq!(
        body["filter"],
        json!([
            {"left": "exchange", "operation": "equal", "right": "BINANCE"},
            {"left": "type", "operation": "equal", "right": "swap"},
            {"left": "typespecs", "operation": "has", "right": ["perpetual"]},
            {"left": "currency", "operation": "equal", "right": "USDT"},
            {"left": "24h_vol|5", "operation": "nempty"},
        ])
    );
    let marks = |asked: &PairsAsked| asked.body()["filter"].to_string().contains("typespecs");
    assert!(!marks(&PairsAsked { marked: false, ..asked(Columns::Full) }));
    assert!(!marks(&asked(Columns::Fewest)));
    let spot = PairsAsked { spot: true, ..asked(Columns::Full) };
    assert!(!marks(&spot));
    assert_eq!(spot.body()["filter"][1]["right"], "spot");
    let coins = coins_body(Columns::Full);
    assert_eq!((&coins["markets"], &coins["range"]), (&json!(["coin"]), &json!([0, 1000])));
    assert_eq!(coins["columns"].as_array().unwrap().len(), 5);
}

#[test]
fn pairs_keep_their_order_and_a_missing_volume_is_no_zero() {
    let read = pairs(FOUR.as_bytes(), &asked(Columns::Full)).unwrap();
    let said: Vec<String> = read
        .pairs
        .iter()
        .map(|pair| {
            format!("{} {:?} {:?}", pair.symbol, pair.volume, pair.spread.map(|s| s.bps().rounded(4)))
        })
        .collect();
    assert_eq!(
        said,
        [
            "BTCUSDT Some(14391120000.5) Some(0.0156)",
            "1000PEPEUSDT Some(367477100) Some(0.0813)",
            "NEWUSDT Some(35000000) None",
            "DEADUSDT None None",
        ]
    );
    assert_eq!(read.dropped, []);
}

#[test]
fn whatever_was_not_asked_for_is_dropped_with_a_reason() {
    for (ticker, reason) in [
        ("BINANCE:BTCUSD.P", "not in USDT"),
        ("BINANCE:BTCUSDC.P", "not in USDT"),
        ("BINANCE:USDT.P", "not in USDT"),
        ("BINANCEUS:BTCUSDT.P", "of BINANCEUS, not of BINANCE"),
        ("BINANCE:BTCUSDT", "no perpetual contract: it does not end in .P"),
        ("BINANCE:BTCUSDTPERP", "no perpetual contract: it does not end in .P"),
        ("BTCUSDT.P", "it names no exchange"),
        ("BINANCE:<b>USDT.P", "no name that a contract has"),
    ] {
        let read = read_few(&[(ticker, "1.0"), ("BINANCE:AUSDT.P", "1.0")]);
        assert_eq!(read.dropped, [(ticker.to_owned(), reason.to_owned())]);
        assert_eq!(read.pairs.len(), 1, "{ticker}");
    }
    for (from, to, reason) in [
        ("\"swap\"", "\"futures\"", "type is futures, not swap"),
        ("\"USDT\"", "\"USDC\"", "currency is USDC, not USDT"),
        ("\"BINANCE\"", "\"BYBIT\"", "exchange is BYBIT, not BINANCE"),
        ("14391120000.5", "\"much\"", "its 24 h volume is no amount"),
        ("14391120000.5", "-1", "its 24 h volume is no amount"),
        ("14391120000.5", "1e300", "its 24 h volume is no amount"),
        ("64250.1,14391120000.5,", "64250.1,", "15 values for 16 columns"),
    ] {
        let read = pairs(FOUR.replacen(from, to, 1).as_bytes(), &asked(Columns::Full)).unwrap();
        assert_eq!(read.dropped, [("BINANCE:BTCUSDT.P".to_owned(), reason.to_owned())]);
        assert_eq!(read.pairs.len(), 3);
    }
    let odd = r#"{"data":[7,{"d":[]},{"s":"BINANCE:AUSDT.P"},{"s":"BINANCE:BUSDT.P","d":["x",1]}]}"#;
    let read = pairs(odd.as_bytes(), &asked(Columns::Fewest)).unwrap();
    assert_eq!((read.pairs.len(), read.dropped.len()), (1, 3));
}

#[test]
fn spot_pairs_have_no_suffix() {
    let spot = PairsAsked { spot: true, ..asked(Columns::Fewest) };
    let rows = few(&[("BINANCE:BTCUSDT", "1"), ("BINANCE:ETHUSDT.P", "1"), ("BINANCE:ETHBTC", "1")]);
    let read = pairs(rows.as_bytes(), &spot).unwrap();
    assert_eq!(read.pairs.iter().map(|pair| pair.symbol.as_str()).collect::<Vec<_>>(), ["BTCUSDT"]);
    let reasons: Vec<&str> = read.dropped.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(reasons, ["a contract, no spot pair", "not in USDT"]);
}

#[test]
fn the_first_of_two_stays_and_any_script_is_a_name() {
    let read = read_few(&[
        ("BINANCE:币安人生USDT.P", "2"),
        ("BINANCE:AUSDT.P", "1"),
        ("BINANCE:币安人生USDT.P", "3"),
    ]);
    assert_eq!(read.pairs[0].symbol.as_str(), "币安人生USDT");
    assert_eq!(read.pairs[0].volume, Some(Notional::from(2)));
    assert_eq!(read.dropped, [("BINANCE:币安人生USDT.P".to_owned(), "it came a second time".to_owned())]);
}

#[test]
fn floats_are_read_with_and_without_exponent() {
    for (sent, read) in [
        ("1.43911200005e10", "14391120000.5"),
        ("1.5E+9", "1500000000"),
        ("35000000.0", "35000000"),
        ("7", "7"),
        ("0", "0"),
        ("0.1", "0.1"),
        ("1e-40", "0"),
        ("123456789.12345678", "123456789.12345678"),
        ("9.9999999999999e13", "99999999999999"),
    ] {
        assert_eq!(
            read_few(&[("BINANCE:AUSDT.P", sent)]).pairs[0].volume,
            Some(read.parse().unwrap()),
            "{sent}"
        );
    }
}

#[test]
fn a_coin_has_the_categories_of_its_largest_namesake() {
    let read = coins(COINS.as_bytes(), Columns::Full).unwrap();
    assert_eq!(read.categories.len(), 1);
    assert_eq!(read.categories["BTC"], ["cryptocurrencies", "layer-1"]);
    let rows = r#"{"data":[
        {"s":"CRYPTO:AUSD","d":["A",null,1,1,["unranked"]]},
        {"s":"CRYPTO:A2USD","d":["A",4000,1,1,["small"]]},
        {"s":"CRYPTO:A3USD","d":["A",12,1,1,["large","defi"]]},
        {"s":"CRYPTO:A4USD","d":["A",12.5,1,1,["small"]]},
        {"s":"CRYPTO:B1USD","d":["B",9,1,1,["memecoins"]]},
        {"s":"CRYPTO:BUSD","d":["B",8,1,1,null]},
        {"s":"CRYPTO:CUSD","d":["C",1,1,["x"]]},
        {"s":"CRYPTO:","d":[null,1,1,1,["x"]]},
        {"s":"CRYPTO:币安人生USD","d":[null,90,1,1,["memecoins",7]]}]}"#;
    let read = coins(rows.as_bytes(), Columns::Full).unwrap();
    assert_eq!(read.categories.keys().collect::<Vec<_>>(), ["A", "币安人生"]);
    assert_eq!(read.categories["A"], ["large", "defi"]);
    assert_eq!(read.categories["币安人生"], ["memecoins"]);
    let reasons: Vec<&str> = read.dropped.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(reasons, ["4 values for 5 columns", "it names no coin"]);
    let few = r#"{"data":[{"s":"CRYPTO:BTCUSD","d":[1,["layer-1"]]}]}"#;
    assert_eq!(coins(few.as_bytes(), Columns::Fewest).unwrap().categories["BTC"], ["layer-1"]);
}

#[test]
fn a_multiplier_is_no_part_of_a_coin() {
    for (base, coin) in [
        ("BTC", "BTC"),
        ("1000PEPE", "PEPE"),
        ("1000000MOG", "MOG"),
        ("1MBABYDOGE", "BABYDOGE"),
        ("1INCH", "1INCH"),
        ("0G", "0G"),
        ("2Z", "2Z"),
        ("4", "4"),
        ("A2Z", "A2Z"),
        ("1000", "1000"),
        ("10001INCH", "10001INCH"),
        ("币安人生", "币安人生"),
    ] {
        assert_eq!(coin_of(base), coin);
    }
}

#[test]
fn an_answer_without_rows_says_what_was_seen() {
    for (body, said) in [
        (r#"{"totalCount":0,"error":"Unknown field \"24h_vol\"","data":null}"#, "unknown field 24h_vol"),
        (r#"{"error":"unknown field: x|5"}"#, "unknown field x|5"),
        (
            r#"{"totalCount":0,"error":"Too many requests","data":null}"#,
            "the screener says: Too many requests",
        ),
        (r#"{"error":{"a":1},"data":[]}"#, "the screener says: an error without words"),
        (r#"{"totalCount":0,"data":null}"#, "JSON, but field `data` is missing"),
        (r#"{"totalCount":0,"error":null,"data":{}}"#, "JSON, but field `data` is not an array"),
        (r#"{"data":[],"data":[]}"#, "JSON, but field `data` stands there twice"),
        ("[]", "JSON, but an object was expected"),
        ("", "an empty answer"),
        (" \n", "an empty answer"),
        ("<html><title>429</title></html>", "a web page (HTML) of 31 bytes, no JSON"),
        (r#"{"totalCount":4,"data":[{"s":"BIN"#, "JSON that ends too early, after 33 bytes"),
        ("Forbidden", "9 bytes not readable as JSON at line 1 column 1"),
    ] {
        let error = pairs(body.as_bytes(), &asked(Columns::Full)).unwrap_err();
        assert_eq!(error.to_string(), said);
        assert_eq!(coins(body.as_bytes(), Columns::Full).unwrap_err(), error);
        assert_eq!(refusal(body.as_bytes()), error);
    }
    let error = pairs(br#"{"error":"Unknown field \"x\"","data":null}"#, &asked(Columns::Full)).unwrap_err();
    assert_eq!(error, ScanError::UnknownField("x".into()));
    assert!(matches!(refusal(FOUR.as_bytes()), ScanError::Unreadable(_)));
}

/// Values of every sort, some of them what is expected there.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("[\"crypto\",\"perpetual\"]".to_owned()),
        Just("{}".to_owned()),
        Just("\"USDT\"".to_owned()),
        Just("\"币\"".to_owned()),
        any::<f64>().prop_filter("JSON has no NaN", |f| f.is_finite()).prop_map(|f| format!("{f:e}")),
        any::<i64>().prop_map(|i| i.to_string()),
    ]
}

fn ticker() -> impl Strategy<Value = String> {
    prop_oneof![
        "BINANCE:[A-C]USDT(\\.P)?",
        "(BINANCE|BINANCEUS):(BTC|1000PEPE|币)?(USDT|USDC|USD)?(\\.P)?",
        "[A-Z:.]{0,12}",
    ]
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..FOUR.len()) {
        let _ = (pairs(&bytes, &asked(Columns::Full)), coins(&bytes, Columns::Full), refusal(&bytes));
        let part = &FOUR.as_bytes()[..cut];
        prop_assert!(pairs(part, &asked(Columns::Full)).is_err());
    }

    #[test]
    fn every_row_becomes_a_pair_once_or_is_dropped(
        rows in proptest::collection::vec((ticker(), proptest::collection::vec(value(), 15..18)), 0..20),
        spot: bool,
    ) {
        let shown: Vec<String> =
            rows.iter().map(|(ticker, d)| format!(r#"{{"s":"{ticker}","d":[{}]}}"#, d.join(","))).collect();
        let body = format!(r#"{{"data":[{}]}}"#, shown.join(","));
        let read = pairs(body.as_bytes(), &PairsAsked { spot, ..asked(Columns::Full) }).unwrap();
        prop_assert_eq!(read.pairs.len() + read.dropped.len(), rows.len());
        let names: BTreeSet<&Symbol> = read.pairs.iter().map(|pair| &pair.symbol).collect();
        prop_assert_eq!(names.len(), read.pairs.len());
        for pair in &read.pairs {
            prop_assert!(pair.symbol.as_str().ends_with("USDT"));
            prop_assert!(pair.volume.is_none_or(|volume| !volume.is_negative()));
            prop_assert!(pair.spread.is_none_or(|spread| !spread.is_negative()));
        }
        prop_assert!(coins(body.as_bytes(), Columns::Full).is_ok());
    }
}
