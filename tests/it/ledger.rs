//! The ledger and its projection, as a pass uses them.

use std::collections::BTreeMap;
use std::path::Path;

use rebal::domain::cost::Cost;
use rebal::domain::entry::Entry;
use rebal::domain::fill::Fill;
use rebal::domain::history::{Reading, Sample};
use rebal::domain::num::{Notional, Price, Qty, Rate};
use rebal::domain::order::{Order, OrderKind, OrderRequest, OrderStatus, Side};
use rebal::domain::plan::{Leg, Reason};
use rebal::domain::symbol::Symbol;
use rebal::domain::time::Time;
use rebal::ledger::{Age, EquityRow, IntentState, Ledger, LedgerError, Outcome, PassRow, TRADES_HEADER};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn at(ms: i64) -> Time {
    Time::from_ms(ms).unwrap()
}

fn symbol() -> Symbol {
    "AUSDT".parse().unwrap()
}

fn leg() -> Leg {
    Leg {
        symbol: symbol(),
        side: Side::Buy,
        reduce_only: false,
        qty: Qty::from(3),
        ref_price: Price::from(10),
        limit_price: Some(Price::from(11)),
        notional: Notional::from(30),
        drift: None,
        reason: Reason::Entry,
        spread_bps: Rate::ZERO,
        est_fee: Notional::ZERO,
    }
}

fn request(client_id: &str) -> OrderRequest {
    OrderRequest {
        symbol: symbol(),
        side: Side::Buy,
        qty: Qty::from(3),
        kind: OrderKind::Market,
        reduce_only: false,
        client_id: client_id.to_owned(),
    }
}

fn fill(trade_id: i64, qty: u32) -> Fill {
    Fill {
        symbol: symbol(),
        trade_id,
        order_id: 77,
        side: Side::Buy,
        qty: Qty::from(qty),
        price: Price::from(10),
        fee: Notional::new(5, 3),
        fee_asset: "USDT".into(),
        realized: Notional::ZERO,
        fee_cost: Notional::ZERO,
        at: at(2000 + trade_id),
    }
}

fn done(client_id: &str, fills: Vec<Fill>) -> Outcome {
    let filled_qty = fills.iter().map(|fill| fill.qty).sum();
    let order = Order {
        symbol: symbol(),
        order_id: 77,
        client_id: client_id.to_owned(),
        side: Side::Buy,
        qty: Qty::from(3),
        filled_qty,
        avg_price: Some(Price::from(10)),
        status: OrderStatus::Filled,
        reduce_only: false,
        updated: at(3000),
    };
    Outcome { order: Some(order), fills, ..Outcome::state(client_id, IntentState::Done) }
}

fn reading() -> EquityRow {
    EquityRow {
        at: at(1000),
        equity: Notional::from(200),
        wallet: Notional::from(200),
        fill_seq: 0,
        units: Rate::from(200),
        nav: Notional::ONE,
        peak: Notional::ONE,
    }
}

/// A ledger in `folder` with one pass of one intent `a`.
async fn with_one_intent(folder: &Path) -> Ledger {
    let mut ledger = Ledger::open(folder).await.unwrap();
    let row = PassRow { at: at(1000), outcome: "running".into(), exit_code: None, plan: String::new() };
    let (request, leg) = (request("a"), leg());
    ledger.plan_pass(&row, &[(&request, &leg)]).await.unwrap();
    ledger
}

fn trades(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("trades.csv")).unwrap()
}

#[test]
fn a_fill_that_is_booked_twice_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let mut ledger = with_one_intent(folder.path()).await;
        for _ in 0..2 {
            ledger.book(&[done("a", vec![fill(1, 1), fill(2, 2)])], None).await.unwrap();
        }
        let holding = ledger.holdings().await.unwrap().remove(&symbol()).unwrap();
        assert_eq!((holding.qty, holding.managed), (Qty::from(3), true));
        assert_eq!(holding.last_fill_at, Some(at(2002)));
        ledger.write_trades(folder.path()).await.unwrap();
        assert_eq!(trades(folder.path()).lines().count(), 3);
    });
}

/// Bought 3 A at 10 and paid in A, then 2 sold at 16 paid in BNB, of which 2 that cost 100 are held. By hand:
/// 0.3 A that cost 3 are the fee, 2.7 A cost 27; 2 of them cost 20 and brought 32; 0.5 BNB cost 25.
#[test]
fn on_spot_the_books_keep_what_coins_cost_and_fees_leave_with_their_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let mut ledger = with_one_intent(folder.path()).await;
        ledger.of_coins("USDT");
        let taken = [("BNBUSDT".parse().unwrap(), Cost { qty: Qty::from(2), paid: Notional::from(100) })];
        ledger.record_equity(1, &reading(), &[], &[], &taken).await.unwrap();
        let bought = Fill { fee: Notional::new(3, 1), fee_asset: "A".into(), ..fill(1, 3) };
        let sold = Fill {
            side: Side::Sell,
            price: Price::from(16),
            fee: Notional::new(5, 1),
            fee_asset: "BNB".into(),
            ..fill(2, 2)
        };
        for _ in 0..2 {
            ledger.book(&[done("a", vec![bought.clone(), sold.clone()])], None).await.unwrap();
        }
        let held = ledger.holdings().await.unwrap();
        let of = |name: &str| held[&name.parse::<Symbol>().unwrap()].cost();
        assert_eq!(of("BNBUSDT"), Cost { qty: Qty::new(15, 1), paid: Notional::from(75) });
        assert_eq!(of("AUSDT"), Cost { qty: Qty::new(7, 1), paid: Notional::from(7) });
        let booked = ledger.booked_fills("a").await.unwrap();
        let earned: Vec<(Notional, Notional)> =
            booked.iter().map(|fill| (fill.realized, fill.fee_cost)).collect();
        let money = Notional::from;
        assert_eq!(earned, [(Notional::ZERO, money(3)), (money(12), money(25))]);
        // −30 + 32 of the quote, and the costs went from 100 to 82: −16 in all.
        let (change, _) = ledger.fills_after(0, "USDT").await.unwrap();
        assert_eq!(change, -money(16));
        assert_eq!(booked.iter().map(|fill| fill.wallet_change("USDT")).sum::<Notional>(), -money(16));
        // Fees that use up the last of a coin take what it cost with them.
        let last = Fill { trade_id: 3, fee: Notional::new(15, 1), ..sold };
        let last = Fill { qty: Qty::new(7, 1), ..last };
        ledger.book(&[done("a", vec![last])], None).await.unwrap();
        let held = ledger.holdings().await.unwrap();
        let bnb = &held[&"BNBUSDT".parse::<Symbol>().unwrap()];
        assert_eq!((bnb.cost(), held[&symbol()].managed), (Cost::default(), false));
        let last = &ledger.booked_fills("a").await.unwrap()[2];
        assert_eq!((last.realized, last.fee_cost), (Notional::new(42, 1), money(75)));
    });
}

/// 3 A at 10, less a fee of 0.3: by the old rule 2.7 for 30. Then 0.3 came at 20 (3 for 36), and 1 was bought at 24
/// with a fee of 0.2: 3.8 for 60. By the new rule 2.7 for 27, 3 for 33, 4 for 57, and 0.2 of these at 14.25 go: 54.15.
#[test]
fn an_older_ledger_whose_fees_raised_entry_prices_is_put_right() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let mut ledger = with_one_intent(folder.path()).await;
        ledger.of_coins("USDT");
        let in_kind = |trade_id, qty, price, fee| Fill {
            price: Price::from(price),
            fee: Notional::new(fee, 1),
            fee_asset: "A".into(),
            ..fill(trade_id, qty)
        };
        ledger.book(&[done("a", vec![in_kind(1, 3, 10, 3)])], None).await.unwrap();
        ledger.record_equity(1, &reading(), &[], &[], &[]).await.unwrap();
        let row = |ms| PassRow { at: at(ms), outcome: "x".into(), exit_code: None, plan: String::new() };
        let second = ledger.plan_pass(&row(5000), &[(&request("b"), &leg())]).await.unwrap();
        let sample = Sample {
            symbol: symbol(),
            qty: Qty::from(3),
            entry: Price::from(12),
            mark: Some(Price::from(20)),
            unrealized: Notional::from(24),
            target: None,
        };
        let read = EquityRow { at: at(5000), ..reading() };
        ledger.record_equity(second, &read, &[sample], &[], &[]).await.unwrap();
        ledger.book(&[done("b", vec![in_kind(2, 1, 24, 2)])], None).await.unwrap();
        ledger.close().await.unwrap();
        // As the older rebal left it.
        let file = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("ledger.db"));
        let mut db = sqlx::ConnectOptions::connect(&file).await.unwrap();
        let old = "ALTER TABLE fill DROP COLUMN fee_cost; UPDATE position SET qty = '3.8', paid = '60'; PRAGMA user_version = 8";
        sqlx::raw_sql(old).execute(&mut db).await.unwrap();
        sqlx::Connection::close(db).await.unwrap();

        let mut ledger = Ledger::open(folder.path()).await.unwrap();
        let held = ledger.holdings().await.unwrap()[&symbol()].cost();
        assert_eq!(held, Cost { qty: Qty::new(38, 1), paid: Notional::new(5415, 2) });
        assert_eq!(held.entry(), Some(Price::from(1425) * Rate::new(1, 2)));
        // The wallet counts coins at their cost, and what it lost thereby is in the books.
        assert_eq!(ledger.last_equity().await.unwrap().unwrap().wallet, Notional::new(20_000 - 585, 2));
        assert_eq!(ledger.last_positions().await.unwrap()[&symbol()].1, Price::from(1425) * Rate::new(1, 2));
        let last = ledger.reading_at(at(5000)).await.unwrap().unwrap();
        let next = Reading { pass_id: last.pass_id + 1, at: at(9000), ..last.clone() };
        let rows = ledger.income_between(&last, &next).await.unwrap();
        let rows: Vec<String> = rows
            .iter()
            .map(|row| {
                format!("{} {} {} {}", row.entry.kind, row.entry.symbol, row.entry.amount, row.entry.asset)
            })
            .collect();
        assert_eq!(rows, ["FEE_COST AUSDT -5.85 USDT"]);
    });
}

/// Readings every hour of what is held of A (target 100), B (target 100) and the owner's O, all at 10.
#[test]
fn the_first_purchases_are_those_of_the_portfolios_first_day() {
    let table: [(i64, &[(&str, &str)]); 5] = [
        (0, &[("OUSDT", "5"), ("AUSDT", "0.5")]),
        (1, &[("OUSDT", "5"), ("AUSDT", "10")]),
        (3, &[("OUSDT", "5"), ("AUSDT", "9"), ("BUSDT", "8")]),
        (20, &[("AUSDT", "9"), ("BUSDT", "9")]),
        (40, &[("AUSDT", "9"), ("BUSDT", "9"), ("CUSDT", "9")]),
    ];
    run(async {
        let mut ledger = Ledger::in_memory().await.unwrap();
        let sample = |(name, qty): &(&str, &str)| Sample {
            symbol: name.parse().unwrap(),
            qty: qty.parse().unwrap(),
            entry: Price::from(10),
            mark: Some(Price::from(10)),
            unrealized: Notional::ZERO,
            target: (*name != "OUSDT").then(|| Notional::from(100)),
        };
        for (hour, held) in table {
            let row = PassRow {
                at: at(hour * 3_600_000),
                outcome: "x".into(),
                exit_code: None,
                plan: String::new(),
            };
            let id = ledger.plan_pass(&row, &[]).await.unwrap();
            let samples: Vec<Sample> = held.iter().map(sample).collect();
            let read = EquityRow { at: row.at, ..reading() };
            ledger.record_equity(id, &read, &samples, &[], &[]).await.unwrap();
        }
        let day = std::time::Duration::from_secs(86_400);
        for (hour, expected) in [
            // Half an A is none, and O is nobody's portfolio.
            (0, "AUSDT 10, BUSDT 8"),
            // The portfolio is an hour old: B belongs to it, C comes later.
            (1, "AUSDT 9, BUSDT 8"),
            (20, ""),
            (40, ""),
        ] {
            let after = ledger.reading_at(at(hour * 3_600_000)).await.unwrap().unwrap();
            let found = ledger.first_holdings(&after, day).await.unwrap();
            let found: Vec<String> =
                found.iter().map(|(_, coin)| format!("{} {}", coin.symbol, coin.qty)).collect();
            assert_eq!(found.join(", "), expected, "from hour {hour}");
        }
    });
}

#[test]
fn differences_of_coins_are_kept_with_the_time_since_which_they_stand() {
    run(async {
        let mut ledger = Ledger::in_memory().await.unwrap();
        let gaps = BTreeMap::from([(symbol(), (-Qty::new(25, 1), at(7)))]);
        ledger.set_coin_gaps(&gaps).await.unwrap();
        assert_eq!(ledger.coin_gaps().await.unwrap(), gaps);
        ledger.set_coin_gaps(&BTreeMap::new()).await.unwrap();
        assert_eq!(ledger.coin_gaps().await.unwrap(), BTreeMap::new());
    });
}

#[test]
fn an_intent_is_sending_with_its_stamp_before_anything_else_can_happen_to_it() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let mut ledger = with_one_intent(folder.path()).await;
        ledger.mark_sending(&["a".to_owned()], at(1234)).await.unwrap();
        drop(ledger);
        // Another process opens what the first left behind.
        let mut ledger = Ledger::open(folder.path()).await.unwrap();
        let open = ledger.unresolved().await.unwrap();
        assert_eq!((open[0].state, open[0].sent_at), (IntentState::Sending, Some(at(1234))));
    });
}

#[test]
fn trades_csv_is_made_anew_whenever_it_is_not_as_it_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trades.csv");
    run(async {
        let mut ledger = with_one_intent(folder.path()).await;
        ledger.write_trades(folder.path()).await.unwrap();
        assert_eq!(trades(folder.path()), format!("{TRADES_HEADER}\n"));
        ledger.book(&[done("a", vec![fill(1, 1)])], None).await.unwrap();
        ledger.write_trades(folder.path()).await.unwrap();
        let whole = trades(folder.path());
        assert_eq!(
            whole.lines().nth(1),
            Some("1970-01-01T00:00:02.001Z,1,AUSDT,BUY,entry,1,10,10,0.005,USDT,0,a,77,1")
        );
        let damages: [&dyn Fn(&str) -> String; 6] = [
            &|text| text[..text.len() - 7].to_owned(),
            &|text| format!("{text}half a li"),
            &|text| text.replace("AUSDT", "BUSDT"),
            &|text| text.replace("time,", "Time,"),
            &|_| String::new(),
            &|text| text.replace('\n', "\r\n"),
        ];
        for damage in damages {
            std::fs::write(&path, damage(&whole)).unwrap();
            ledger.write_trades(folder.path()).await.unwrap();
            assert_eq!(trades(folder.path()), whole);
        }
        std::fs::remove_file(&path).unwrap();
        ledger.write_trades(folder.path()).await.unwrap();
        assert_eq!(trades(folder.path()), whole);
        ledger.book(&[done("a", vec![fill(2, 2)])], None).await.unwrap();
        ledger.write_trades(folder.path()).await.unwrap();
        assert!(trades(folder.path()).starts_with(&whole));
        assert_eq!(trades(folder.path()).lines().count(), 3);
    });
}

#[test]
fn a_ledger_belongs_to_one_account() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let mut ledger = Ledger::open(folder.path()).await.unwrap();
        assert_eq!(ledger.age("testnet", "x").await.unwrap(), Age::Fresh);
        ledger.bind("testnet", "x").await.unwrap();
        assert_eq!(ledger.age("testnet", "x").await.unwrap(), Age::Known);
        for (environment, account) in [("testnet", "y"), ("live", "x")] {
            let refused = ledger.age(environment, account).await.unwrap_err();
            assert!(matches!(refused, LedgerError::OtherAccount { .. }));
        }
    });
}

#[test]
fn files_that_are_not_a_ledger_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    std::fs::write(&path, "this is a diary, not a database; ".repeat(200)).unwrap();
    let before = std::fs::read(&path).unwrap();
    run(async {
        assert!(matches!(Ledger::open(folder.path()).await, Err(LedgerError::Database { .. })));
    });
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn transfers_are_new_once_even_when_two_are_equal_in_every_field() {
    let folder = tempfile::tempdir().unwrap();
    let transfer = Entry {
        at: at(500),
        kind: "TRANSFER".into(),
        symbol: String::new(),
        amount: Notional::from(50),
        asset: "USDT".into(),
        tran_id: 0,
        trade_id: String::new(),
    };
    run(async {
        let mut ledger = with_one_intent(folder.path()).await;
        let twice = vec![transfer.clone(), transfer.clone()];
        assert_eq!(ledger.unbooked(twice.clone()).await.unwrap().len(), 2);
        let reading = reading();
        ledger.record_equity(1, &reading, &[], &twice, &[]).await.unwrap();
        assert_eq!(ledger.unbooked(twice.clone()).await.unwrap(), vec![]);
        let thrice = [twice, vec![transfer.clone()]].concat();
        assert_eq!(ledger.unbooked(thrice).await.unwrap(), vec![transfer]);
        assert_eq!(ledger.last_equity().await.unwrap(), Some(reading));
    });
}
