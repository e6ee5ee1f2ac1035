//! Funding from the exchange's rows to the owner's alert: booked whole, summed up, told in time.

use std::collections::BTreeMap;
use std::time::Duration;

use rebal::archive;
use rebal::decide::audit::{Charge, Look, Past, audit};
use rebal::decide::funding::Balance;
use rebal::decide::plan::Execution;
use rebal::decide::risk::Limits;
use rebal::domain::entry::Entry;
use rebal::domain::history::Reading;
use rebal::domain::market::{Mark, Market, Quote};
use rebal::domain::num::{Notional, Price, Qty, Rate};
use rebal::domain::symbol::Symbol;
use rebal::domain::time::Time;
use rebal::exchange::paper::{Clock, Paper};
use rebal::exchange::{Exchange, Settles};
use rebal::ledger::{EquityRow, Ledger, PassRow};
use rebal::pass::{self, Mode, Settings, Stop, Watch, alarm};
use rebal::sim::prices::{FundingPrint, Prices, Recorded};
use rebal::sim::{Terms, World, listing};
use rebal::strategy::basket::{Basket, OnExit, RebalanceTo, Sizing};

use crate::data::recorded;

const HOUR: Duration = Duration::from_secs(3600);
const EVERY: Duration = Duration::from_secs(8 * 3600);

struct Unwatched;

impl Watch for Unwatched {
    fn sending(&self, _: usize) {}
    fn answered(&self) {}
}

fn symbol(name: &str) -> Symbol {
    format!("{name}USDT").parse().unwrap()
}

fn num<K>(text: &str) -> rebal::domain::num::Amount<K> {
    text.parse().unwrap()
}

/// Buys 100 of each coin once and never trades again.
fn settings(names: &[&str]) -> Settings {
    Settings {
        strategy: Box::new(Basket {
            symbols: names.iter().map(|name| symbol(name)).collect(),
            sizing: Sizing::Fixed(Notional::from(100)),
            threshold: Rate::from(50),
            rebalance_to: RebalanceTo::Target,
            on_exit: OnExit::Close,
        }),
        execution: Execution {
            market_orders: false,
            max_slippage_bps: Rate::from(50),
            leverage: 5,
            taker_fee: Rate::new(5, 4),
        },
        limits: Limits {
            max_spread_bps: Rate::from(1000),
            max_mark_gap: Rate::ONE,
            max_orders: 60,
            max_turnover: Rate::new(12, 1),
            max_drawdown: Rate::ONE,
            max_effective_leverage: Rate::from(3),
            min_liquidation_distance: Rate::ZERO,
            margin_buffer: Rate::ZERO,
            leverage: 5,
        },
        quote: "USDT".into(),
        every: None,
        concurrency: 1,
    }
}

async fn pass(paper: &Paper, ledger: &mut Ledger, settings: &Settings) {
    let prepared = pass::prepare(paper, ledger, settings, None, Mode::Real).await.unwrap();
    let stop = Stop::default();
    pass::carry_out(paper, ledger, settings, &prepared, &Unwatched, &stop).await.unwrap();
}

/// Coins A and B, whose prices and settlements the test hands in.
struct Bench {
    paper: Paper,
    ledger: Ledger,
    settings: Settings,
}

impl Bench {
    async fn new() -> Bench {
        let listed = ["A", "B"].map(|name| listing::derived(&symbol(name), Price::from(10)));
        let terms = Terms { equity: Notional::from(400), taker_fee: Rate::ZERO, ..Terms::default() };
        let world = World::new(listed.to_vec(), Prices::Fed);
        let paper = Paper::new(world, terms, None, "bench", Clock::Exchange).unwrap();
        let mut bench =
            Bench { paper, ledger: Ledger::in_memory().await.unwrap(), settings: settings(&["A", "B"]) };
        bench.price("10");
        bench
    }

    fn price(&mut self, price: &str) {
        let (mark, off): (Price, Price) = (num(price), num("0.001"));
        let qty = Qty::from(1000);
        let next = self.paper.now().floor_to(HOUR) + HOUR;
        let market = Market {
            mark: Mark {
                price: mark,
                funding_rate: Rate::ZERO,
                next_funding: Some(next),
                at: Time::default(),
            },
            quote: Quote { bid: mark - off, bid_qty: qty, ask: mark + off, ask_qty: qty },
        };
        self.paper.sim().feed(BTreeMap::from(["A", "B"].map(|name| (symbol(name), market))));
    }

    /// Moves one hour and five minutes; at the whole hour both coins settle, at 10.
    fn settle(&mut self, a: &str, b: &str) {
        let sim = self.paper.sim();
        let at = sim.now().floor_to(HOUR) + HOUR;
        for (name, rate) in [("A", a), ("B", b)] {
            let print = FundingPrint { at, rate: num(rate), mark: Some(Price::from(10)) };
            sim.feed_funding(&symbol(name), vec![print]);
        }
        sim.advance(at + Duration::from_secs(300)).unwrap();
    }

    async fn pass(&mut self) {
        pass(&self.paper, &mut self.ledger, &self.settings).await;
    }

    async fn booked(&mut self) -> Vec<String> {
        let rows = funding_rows(&mut self.ledger).await;
        let mut rows: Vec<String> = rows.iter().map(|row| format!("{} {}", row.symbol, row.amount)).collect();
        rows.sort();
        rows
    }

    async fn check(&mut self) -> Vec<String> {
        alarm::funding(&mut self.ledger, self.paper.now(), EVERY, "USDT").await.unwrap();
        let messages = self.ledger.undelivered().await.unwrap();
        messages.into_iter().filter(|one| one.kind == "funding_exceeds_profit").map(|one| one.text).collect()
    }
}

/// A pays what B receives: the wallet is what it was, and both rows are booked by the next pass. So are
/// rows of nothing.
/// Every funding row of the ledger.
async fn funding_rows(ledger: &mut Ledger) -> Vec<Entry> {
    let first = ledger.reading_from(Time::default()).await.unwrap();
    let Some(first) = first else { return Vec::new() };
    let before = Reading { pass_id: 0, at: Time::default(), ..first };
    let newest = ledger.reading_at(Time::clamped(i64::MAX)).await.unwrap().unwrap();
    let rows = ledger.income_between(&before, &newest).await.unwrap();
    rows.into_iter().map(|row| row.entry).filter(Entry::is_funding).collect()
}

#[tokio::test]
async fn rows_that_cancel_each_other_out_are_booked() {
    let mut bench = Bench::new().await;
    bench.pass().await;
    bench.settle("0.01", "-0.01");
    let wallet = bench.paper.observe().await.unwrap().balance.wallet;
    assert_eq!(bench.ledger.last_equity().await.unwrap().unwrap().wallet, wallet);
    bench.pass().await;
    assert_eq!(bench.booked().await, ["AUSDT -1", "BUSDT 1"]);
    // The exchange still names the settlement that has passed; a pass later it names the next.
    bench.settle("0.01", "-0.01");
    bench.pass().await;
    bench.pass().await;
    assert_eq!(bench.booked().await, ["AUSDT -1", "AUSDT -1", "BUSDT 1", "BUSDT 1"]);
}

/// So that income is asked for once per settlement and not in every pass.
#[tokio::test]
async fn the_next_settlement_is_remembered() {
    let mut bench = Bench::new().await;
    bench.pass().await;
    let due = bench.ledger.job("funding_due").await.unwrap().unwrap();
    assert_eq!(due, bench.paper.now().floor_to(HOUR) + HOUR);
    bench.settle("0", "0");
    bench.price("10");
    bench.pass().await;
    assert_eq!(bench.ledger.job("funding_due").await.unwrap().unwrap(), due + HOUR);
}

#[tokio::test]
async fn the_owner_hears_once_per_check_that_funding_took_more_than_was_earned() {
    let mut bench = Bench::new().await;
    assert!(bench.check().await.is_empty(), "an empty ledger has nothing to tell");
    bench.pass().await;
    assert!(bench.check().await.is_empty());
    // 20 units at 10.1 are 2 of profit; A pays 3 at its stamp.
    bench.settle("0.03", "0");
    bench.price("10.1");
    bench.pass().await;
    assert!(bench.check().await.is_empty(), "not before the next check is due");
    for _ in 0..8 {
        bench.settle("0", "0");
        bench.price("10.1");
    }
    bench.pass().await;
    let told = bench.check().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("funding has cost 3.00 USDT since 2026-01-01"), "{}", told[0]);
    assert!(told[0].contains("without it the account would have made +1.98, with it -1.02"), "{}", told[0]);
    assert_eq!(bench.check().await.len(), 1, "told once");
    for _ in 0..8 {
        bench.settle("0", "0");
    }
    bench.price("10.5");
    bench.pass().await;
    assert!(bench.check().await.last().unwrap().starts_with("it began at 2026-01-01 "));
}

/// Over a hole that is longer than the exchange remembers nothing can be counted.
#[tokio::test]
async fn counting_begins_after_the_last_hole() {
    let mut ledger = Ledger::in_memory().await.unwrap();
    let day = |days: u32| Time::default() + Duration::from_secs(86_400) * (20_000 + days);
    for days in [0, 1, 100, 101, 170] {
        let row =
            PassRow { at: day(days), outcome: "traded".into(), exit_code: Some(0), plan: String::new() };
        let pass_id = ledger.plan_pass(&row, &[]).await.unwrap();
        let equity = EquityRow {
            at: day(days),
            equity: Notional::from(days),
            wallet: Notional::ZERO,
            fill_seq: 0,
            units: Rate::ONE,
            nav: Notional::ONE,
            peak: Notional::ONE,
        };
        ledger.record_equity(pass_id, &equity, &[], &[], &[]).await.unwrap();
    }
    for (most, start) in [(80, 100), (99, 0), (98, 100), (60, 170)] {
        let most = Duration::from_secs(86_400) * most;
        assert_eq!(ledger.history_start(most).await.unwrap().unwrap().at, day(start));
    }
    assert_eq!(Ledger::in_memory().await.unwrap().history_start(HOUR).await.unwrap(), None);
}

/// Recorded prices and rates of coins that settle every 1, 4 and 8 hours, some of which changed their
/// interval meanwhile: what the ledger says was charged is, to the last digit, what plain arithmetic makes
/// of the files.
#[tokio::test]
async fn charged_funding_is_the_sum_over_the_recorded_rates() {
    let names = ["BTC", "ENA", "ONDO", "KAS", "XTZ", "PIPPIN", "RIVER", "NAORIS"];
    let (Some(prices), Some(rates)) = (recorded("klines_1h_2025-09_2026-03"), recorded("funding")) else {
        return;
    };
    let symbols: Vec<Symbol> = names.iter().map(|name| symbol(name)).collect();
    let bars = archive::klines(&prices, Some(&symbols)).unwrap();
    let funding = archive::funding(&rates, Some(&symbols)).unwrap();
    let listed = bars.iter().map(|(symbol, bars)| listing::derived(symbol, bars[0].close)).collect();
    let recording = Recorded { bars: bars.clone(), funding: funding.clone() };
    let terms = Terms { equity: Notional::from(2000), interval: HOUR, ..Terms::default() };
    let world = World::new(listed, Prices::Replay(recording));
    let mut paper = Paper::new(world, terms, None, "recorded", Clock::Passes).unwrap();
    let start: Time = num_time("2026-01-20T00:00:00Z");
    paper.sim().advance(start).unwrap();
    let mut ledger = Ledger::in_memory().await.unwrap();
    let settings = settings(&names);
    let mut looks = Vec::new();
    for _ in 0..24 * 12 {
        pass(&paper, &mut ledger, &settings).await;
        paper.step(HOUR);
    }
    pass(&paper, &mut ledger, &settings).await;
    let end = paper.now();
    let positions = paper.observe().await.unwrap().positions;
    assert_eq!(positions.len(), names.len());
    let held: BTreeMap<Symbol, Qty> = positions.values().map(|one| (one.symbol.clone(), one.qty)).collect();
    looks.push(Look { pass_id: 1, at: start, held: Some(held.clone()) });
    looks.push(Look { pass_id: 2, at: end, held: Some(held.clone()) });
    let past = Past { looks, moves: BTreeMap::new() };

    let entries = funding_rows(&mut ledger).await;
    let (mut total, mut stamps) = (Notional::ZERO, 0);
    for (symbol, qty) in &held {
        // By hand: each recorded rate on the whole minute, at the close of the bar that ended then.
        let mut sum = Notional::ZERO;
        for (at, rate) in &funding[symbol] {
            let minute = at.floor_to(Duration::from_secs(60));
            if minute <= start || minute > end {
                continue;
            }
            let bar = bars[symbol].iter().find(|bar| bar.open_time + HOUR == minute).unwrap();
            sum += -(*qty * bar.close * *rate).rounded(8);
            stamps += 1;
        }
        let charges: Vec<Charge> = entries
            .iter()
            .filter(|entry| entry.symbol == symbol.as_str())
            .map(|entry| Charge { at: entry.at, amount: entry.amount, special: false })
            .collect();
        let charged: Notional = charges.iter().map(|charge| charge.amount).sum();
        assert_eq!(charged, sum, "{symbol}");
        total += sum;
        let settled = paper.settlements(symbol, start).await.unwrap();
        let found = audit(symbol, &settled, &charges, &past, (start + HOUR, end));
        assert!(found.differences.is_empty() && found.missing.is_empty(), "{found:?}");
        assert!(found.compared > 24 && found.unknown == 0, "{symbol}: {}", found.compared);
    }
    let readings = (ledger.history_start(HOUR).await.unwrap().unwrap(), paper.observe().await.unwrap());
    let balance = Balance::of((readings.0.equity, readings.1.balance.equity), &entries, "USDT");
    assert_eq!(balance.funding, total);
    eprintln!("{stamps} recorded settlements of {} coins came to {total} USDT", names.len());
    // A rate that is not the recorded one is named.
    let symbol = symbol("BTC");
    let mut settled = paper.settlements(&symbol, start).await.unwrap();
    settled[5].rate += Rate::new(1, 6);
    let charges: Vec<Charge> = entries
        .iter()
        .filter(|entry| entry.symbol == symbol.as_str())
        .map(|entry| Charge { at: entry.at, amount: entry.amount, special: false })
        .collect();
    let found = audit(&symbol, &settled, &charges, &past, (start + HOUR, end));
    assert_eq!(found.differences.len(), 1);
    assert_eq!(found.differences[0].at, settled[5].at);
}

fn num_time(text: &str) -> Time {
    text.parse().unwrap()
}
