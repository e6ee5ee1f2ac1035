//! The readers against documented samples and recorded listings, where the data is at hand.

use std::io::Write;
use std::path::PathBuf;

use crate::domain::account::maintenance_margin;
use crate::domain::num::{Amount, Rate};
use crate::domain::order::{OrderStatus, Side};
use crate::domain::rules::Status;
use crate::domain::symbol::Symbol;
use crate::wire::binance::usdm::{account, history, listing, market, order};

fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

fn amount<K>(text: &str) -> Amount<K> {
    text.parse().unwrap()
}

/// A file of the recorded data; `None`, said aloud, where there is none.
fn recorded(path: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("REBAL_DATA") else {
        let _ = writeln!(std::io::stderr(), "skipped: REBAL_DATA is not set");
        return None;
    };
    let bytes = std::fs::read(PathBuf::from(folder).join(path)).unwrap();
    if !path.ends_with(".gz") {
        return Some(bytes);
    }
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes.as_slice()), &mut plain).unwrap();
    Some(plain)
}

/// Every documented example answer by name.
fn documented() -> Option<serde_json::Map<String, serde_json::Value>> {
    let bytes = recorded("api_samples/binance_usdm_documented_responses.json")?;
    Some(serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn documented_answers_are_read() {
    let Some(samples) = documented() else { return };
    let body = |name: &str| samples[name].to_string().into_bytes();

    assert_eq!(
        market::time(&body("check_server_time")).unwrap_err().detail,
        "field `serverTime` is not of this century"
    );
    let account = account::account(&body("account_information_v3")).unwrap();
    assert_eq!(account.assets["USDT"].wallet, amount("23.72469206"));
    assert_eq!(account.positions[0].qty, amount("1"));
    assert_eq!(account::account_alias(&body("futures_account_balance_v3")).unwrap().as_deref(), Some("SgsR"));
    let row = &account::position_risk(&body("position_information_v3")).unwrap()[0];
    assert_eq!((row.position.symbol.as_str(), row.position.qty), ("ADAUSDT", amount("30")));
    assert_eq!((row.position.liquidation_price, row.has_orders), (None, false));
    assert_eq!(row.position.unrealized, amount("0.764277"));
    let modes = account::account_config(&body("futures_account_configuration")).unwrap();
    assert!(modes.hedge && !modes.multi_assets && modes.can_trade);
    let setting = account::symbol_config(&body("symbol_configuration")).unwrap().rows[&symbol("BTCUSDT")];
    assert!(setting.cross && setting.leverage == 21);

    let mark = market::premium_index(&body("mark_price")).unwrap().rows[&symbol("BTCUSDT")];
    assert_eq!((mark.price, mark.funding_rate), (amount("11793.63104562"), amount("0.00038246")));
    let quote = market::book_ticker(&body("symbol_order_book_ticker")).unwrap().rows[&symbol("BTCUSDT")];
    assert_eq!((quote.bid, quote.ask_qty), (amount("4"), amount("9")));
    let day = market::ticker_24h(&body("ticker24hr_price_change_statistics")).unwrap();
    assert_eq!(day.rows[&symbol("BTCUSDT")].quote_volume, amount("15.3"));
    let print = &market::funding_rates(&body("get_funding_rate_history")).unwrap()[0];
    assert_eq!((print.rate, print.special), (amount("-0.0375"), false));
    let terms = market::funding_info(&body("get_funding_rate_info")).unwrap().rows[&symbol("BLZUSDT")];
    assert_eq!((terms.interval_hours, terms.floor), (8, amount("-0.025")));
    // The documentation cuts its candles to one column.
    assert!(market::klines(&body("kline_candlestick_data")).is_err());

    let new = order::placed(&body("new_order")).unwrap();
    assert_eq!((new.order_id, new.side, new.status), (22_542_179, Side::Sell, OrderStatus::New));
    for name in ["query_order", "query_current_open_order", "order", "cancel_order"] {
        assert_eq!(order::queried(&body(name)).unwrap().avg_price, None, "{name}");
    }
    assert_eq!(order::open_orders(&body("current_all_open_orders")).unwrap().len(), 1);
    assert_eq!(order::all_orders(&body("all_orders")).unwrap()[0].client_id, "abc");
    assert_eq!(
        order::all_orders(&body("users_force_orders")).unwrap()[0].avg_price,
        Some(amount("10913.21"))
    );
    assert_eq!(order::leverage_set(&body("change_initial_leverage")).unwrap(), 21);
    let fill = &history::user_trades(&body("account_trade_list")).unwrap()[0];
    assert_eq!((fill.fee, fill.realized), (amount("0.0781901"), amount("-0.91539999")));
    let entry = &history::income(&body("get_income_history")).unwrap()[0];
    assert_eq!((entry.kind.as_str(), entry.tran_id, entry.symbol.as_str()), ("TRANSFER", 9_689_322_392, ""));

    let (of, fees) = listing::commission_rate(&body("user_commission_rate")).unwrap();
    assert_eq!((of.as_str(), fees.taker), ("BTCUSDT", amount("0.0004")));
    assert!(listing::leverage_brackets(&body("notional_and_leverage_brackets")).unwrap().rows.is_empty());
    // The documentation merges all filters into one.
    let info = listing::exchange_info(&body("exchange_information")).unwrap();
    assert_eq!(info.problems[0].symbol, "BLZUSDT");
}

#[test]
fn recorded_listings_are_read_whole() {
    for (file, count, unread) in [
        ("mainnet_exchangeInfo_2021-07-21.json.gz", 122, 0),
        ("mainnet_exchangeInfo_2024-03-28_excerpt24.json", 24, 0),
        ("testnet_exchangeInfo_2025-12-24.json.gz", 660, 0),
    ] {
        let Some(bytes) = recorded(&format!("exchange_info/{file}")) else { return };
        let info = listing::exchange_info(&bytes).unwrap();
        assert_eq!((info.rows.len(), info.problems.len()), (count, unread), "{file}: {:?}", info.problems);
        let btc = &info.rows[&symbol("BTCUSDT")];
        assert_eq!((btc.base.as_str(), btc.margin_asset.as_str()), ("BTC", "USDT"));
        assert_eq!((btc.lot.step, btc.delivery), (amount("0.001"), None), "{file}");
        for rules in info.rows.values() {
            let priced = rules.tick.is_positive() || rules.status != Status::Trading;
            assert!(priced && rules.lot.step.is_positive(), "{}", rules.symbol);
            assert!(rules.price_up > Rate::ONE && rules.price_down < Rate::ONE, "{}", rules.symbol);
            if rules.contract == "PERPETUAL"
                && rules.status == Status::Trading
                && !file.starts_with("testnet")
            {
                assert_eq!(rules.delivery, None, "{}", rules.symbol);
            }
        }
    }
    let bytes = recorded("exchange_info/testnet_exchangeInfo_2025-12-24.json.gz").unwrap();
    let info = listing::exchange_info(&bytes).unwrap();
    assert_eq!(info.rows.keys().filter(|symbol| !symbol.as_str().is_ascii()).count(), 2);
}

#[test]
fn recorded_brackets_join_without_a_jump() {
    let Some(bytes) = recorded("exchange_info/mainnet_leverageBracket_2024-10-24.json.gz") else { return };
    let brackets = listing::leverage_brackets(&bytes).unwrap();
    assert_eq!(
        (brackets.rows.len(), brackets.problems.len()),
        (345, 4),
        "dated contracts carry the source's own names"
    );
    let btc = &brackets.rows[&symbol("BTCUSDT")];
    assert_eq!(btc[0].max_leverage, 125);
    for (lower, upper) in btc.iter().zip(btc.iter().skip(1)) {
        assert_eq!(lower.cap, upper.floor);
        let above = lower.cap * upper.maint_rate - upper.cum;
        assert_eq!(maintenance_margin(btc, lower.cap), above);
    }
}
