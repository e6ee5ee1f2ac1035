//! A year of 20 coins at five minutes: bar-updates per second of a run, beside a bare scan of as much memory.
//!
//! `cargo bench --bench backtest` prints items (bars × coins) per second; `exact` decides at every bar.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench on data of its own, run by hand"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use rebal::backtest::sweep::workers;
use rebal::backtest::{Charge, Contract, Keep, Market, Outcome, Recording, Terms, run};
use rebal::decide::plan::Execution;
use rebal::decide::risk::Limits;
use rebal::domain::account::Bracket;
use rebal::domain::num::{Notional, Price, Qty, Rate};
use rebal::domain::rules::{Lot, Rules, Status};
use rebal::domain::series::{Cell, Series};
use rebal::domain::symbol::Symbol;
use rebal::domain::time::Time;
use rebal::strategy::Strategy;
use rebal::strategy::basket::{Basket, OnExit, RebalanceTo, Sizing};
use rebal::strategy::weights::{Threshold, Weights};

const COINS: usize = 20;
const BARS: usize = 365 * 288;
const MINUTES_5: Duration = Duration::from_secs(300);
/// Digits of a price.
const DIGITS: u32 = 4;

static ROWS: LazyLock<Vec<f64>> = LazyLock::new(rows);
static WITHOUT_FUNDING: LazyLock<Market> = LazyLock::new(|| market(false));
static WITH_FUNDING: LazyLock<Market> = LazyLock::new(|| market(true));

fn main() {
    let columns = size_of_val(ROWS.as_slice()) as f64 / f64::from(1 << 20);
    let run = with(&basket(5), &WITHOUT_FUNDING, false);
    let trades: u64 = run.holdings.iter().map(|holding| holding.trades).sum();
    println!("{BARS} bars of {COINS} coins, {columns:.1} MiB of closes; a 5 % band makes {trades} trades");
    divan::main();
}

/// Uniform numbers from a seed, at least 0 and below 1.
struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Close enough to a standard normal number.
    fn normal(&mut self) -> f64 {
        ((0..4).map(|_| self.unit()).sum::<f64>() - 2.0) * 3_f64.sqrt()
    }
}

/// Prices with one common factor, 0.3 % a bar.
fn rows() -> Vec<f64> {
    let mut dice = Dice(42);
    let mut prices: Vec<f64> = (1..=COINS).map(|coin| coin as f64).collect();
    let mut rows = Vec::with_capacity(BARS * COINS);
    let unit = 10_f64.powi(DIGITS as i32);
    for _ in 0..BARS {
        let all = dice.normal();
        for price in &mut prices {
            *price *= (0.003 * (0.6 * all + 0.8 * dice.normal()) - 0.000_004_5).exp();
            rows.push((*price * unit).round() / unit);
        }
    }
    rows
}

fn name(coin: usize) -> Symbol {
    format!("C{coin:02}USDT").parse().unwrap()
}

fn contract(coin: usize) -> Contract {
    let lot = Lot { min: Qty::new(1, 1), max: Qty::from(10_000_000), step: Qty::new(1, 1) };
    let rules = Rules {
        symbol: name(coin),
        base: format!("C{coin:02}"),
        quote: "USDT".into(),
        margin_asset: "USDT".into(),
        contract: "PERPETUAL".into(),
        underlying: "COIN".into(),
        status: Status::Trading,
        onboard: Time::default(),
        delivery: None,
        tags: Vec::new(),
        tick: Price::new(1, DIGITS),
        price_bounds: (Price::ZERO, Price::ZERO),
        lot,
        market_lot: lot,
        min_notional: Notional::from(5),
        price_up: Rate::new(105, 2),
        price_down: Rate::new(95, 2),
        market_bound: Rate::new(5, 2),
        liquidation_fee: Rate::new(125, 4),
        max_open_orders: 200,
        spot: None,
    };
    let tier = Bracket {
        floor: Notional::ZERO,
        cap: Notional::from(50_000),
        max_leverage: 50,
        maint_rate: Rate::new(1, 2),
        cum: Notional::ZERO,
    };
    Contract { rules, brackets: vec![tier] }
}

fn market(with_funding: bool) -> Market {
    let cell = |value: f64| Cell { value, digits: DIGITS };
    let series = |coin: usize| {
        let mut series = Series::default();
        for (bar, close) in ROWS.iter().skip(coin).step_by(COINS).enumerate() {
            series.push(Time::default() + MINUTES_5 * bar as u32, cell(*close), cell(*close));
        }
        series.packed()
    };
    let series: BTreeMap<Symbol, Series> = (0..COINS).map(|coin| (name(coin), series(coin))).collect();
    let charges = |series: &Series| {
        let every_8h = (0..BARS).step_by(96).filter(|_| with_funding);
        let charge = |bar: usize| Charge { bar, rate: Rate::new(1, 4), price: series.open(bar).unwrap() };
        every_8h.map(charge).collect()
    };
    let charges = series.iter().map(|(symbol, series)| (symbol.clone(), charges(series))).collect();
    let contracts = (0..COINS).map(|coin| (name(coin), contract(coin))).collect();
    let recording =
        Recording { interval: MINUTES_5, series: &series, charges: &charges, contracts: &contracts };
    recording.market(None, None)
}

fn basket(per_cent: i64) -> Basket {
    Basket {
        symbols: (0..COINS).map(name).collect(),
        sizing: Sizing::Fixed(Notional::from(200)),
        threshold: Rate::new(per_cent, 2),
        rebalance_to: RebalanceTo::Target,
        on_exit: OnExit::Close,
    }
}

fn with(strategy: &dyn Strategy, market: &Market, exact: bool) -> Outcome {
    let execution = Execution {
        market_orders: false,
        max_slippage_bps: Rate::from(50),
        leverage: 5,
        taker_fee: Rate::new(5, 4),
    };
    let limits = Limits {
        max_spread_bps: Rate::from(30),
        max_mark_gap: Rate::new(3, 2),
        max_orders: 60,
        max_turnover: Rate::new(12, 1),
        max_drawdown: Rate::new(9, 1),
        max_effective_leverage: Rate::from(3),
        min_liquidation_distance: Rate::new(2, 1),
        margin_buffer: Rate::new(5, 2),
        leverage: 5,
    };
    let terms = Terms {
        strategy,
        execution: &execution,
        limits: &limits,
        equity: Notional::from(4000),
        taker_fee: Rate::new(5, 4),
        slippage: Rate::new(1, 4),
        every_bars: 1,
        calendar: None,
        resume_after: None,
        exact,
        keep: Keep::default(),
    };
    run(black_box(market), &terms)
}

fn updates(runs: usize) -> ItemsCount {
    ItemsCount::new(runs * BARS * COINS)
}

/// Values every bar, keeps its peak and deepest loss, and compares every close with two edges: what nobody
/// can do without.
fn scanned<T: Copy + PartialOrd + Into<f64>>(rows: &[T], edges: [T; 2]) -> (f64, f64, usize) {
    let qty = black_box([1.5; COINS]);
    let (above, below) = ([edges[0]; COINS], [edges[1]; COINS]);
    let (mut peak, mut deepest, mut crossed) = (0.0_f64, 0.0_f64, 0_usize);
    for row in black_box(rows).as_chunks::<COINS>().0 {
        let mut equity = 0.0;
        let mut outside = false;
        for coin in 0..COINS {
            equity += row[coin].into() * qty[coin];
            outside |= (row[coin] > above[coin]) | (row[coin] < below[coin]);
        }
        crossed += usize::from(outside);
        peak = peak.max(equity);
        deepest = deepest.max(peak - equity);
    }
    (peak, deepest, crossed)
}

/// As much memory as closes take as doubles, row by row.
#[divan::bench]
fn bare_scan(bencher: Bencher) {
    let rows = &*ROWS;
    bencher.counter(updates(1)).bench(|| scanned(rows, [1e9, 1e-9]));
}

/// As much memory as a run reads: closes as whole ticks.
#[divan::bench]
fn bare_scan_of_ticks(bencher: Bencher) {
    let unit = 10_f64.powi(DIGITS as i32);
    let rows: Vec<i32> = ROWS.iter().map(|close| (close * unit).round() as i32).collect();
    bencher.counter(updates(1)).bench(|| scanned(&rows, [i32::MAX, 0]));
}

#[divan::bench]
fn basket_5_per_cent(bencher: Bencher) {
    bencher.counter(updates(1)).bench(|| with(&basket(5), &WITHOUT_FUNDING, false));
}

#[divan::bench]
fn basket_with_funding(bencher: Bencher) {
    bencher.counter(updates(1)).bench(|| with(&basket(5), &WITH_FUNDING, false));
}

#[divan::bench]
fn basket_sized_by_equity(bencher: Bencher) {
    let sizing = Sizing::Equity { effective_leverage: Rate::ONE, size: COINS as u32 };
    let basket = Basket { sizing, ..basket(5) };
    bencher.counter(updates(1)).bench(|| with(&basket, &WITHOUT_FUNDING, false));
}

#[divan::bench]
fn weights_5_per_cent(bencher: Bencher) {
    let shares = (0..COINS).map(|coin| (name(coin), Rate::new(4, 2))).collect();
    let band = Threshold::Relative(Rate::new(5, 2));
    let weights = Weights::new(shares, band, Notional::ZERO, Rate::ONE);
    bencher.counter(updates(1)).bench(|| with(&weights, &WITHOUT_FUNDING, false));
}

#[divan::bench(sample_count = 1, sample_size = 1)]
fn exact(bencher: Bencher) {
    bencher.counter(updates(1)).bench(|| with(&basket(5), &WITHOUT_FUNDING, true));
}

/// 40 thresholds over one shared market, as `--sweep` runs them.
#[divan::bench(args = [1, 2], sample_count = 10)]
fn sweep_of_40_on_threads(bencher: Bencher, threads: usize) {
    let thresholds: Vec<i64> = (1..=40).collect();
    let stop = AtomicBool::new(false);
    bencher.counter(updates(thresholds.len())).bench(|| {
        let run = |threshold: &i64| with(&basket(*threshold), &WITHOUT_FUNDING, false).final_equity;
        workers::each(black_box(&thresholds), threads, &stop, run)
    });
}
