//! Invented prices and a basket run over them, for tests of what is told of a run.

use std::time::Duration;

use crate::backtest::columns::{Columns, Line, Stretch};
use crate::backtest::{Contract, Keep, Market, Outcome, Settlement, Terms, run};
use crate::decide::plan::Execution;
use crate::decide::risk::Limits;
use crate::domain::account::Bracket;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::rules::tests::plain;
use crate::domain::rules::{Lot, Rules};
use crate::domain::series::{Cell, Series};
use crate::domain::time::Time;
use crate::strategy::basket::{Basket, OnExit, RebalanceTo, Sizing};

const HOUR: Duration = Duration::from_secs(3600);
const NAMES: [&str; 6] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "币安人生USDT", "1000PEPEUSDT", "XRPUSDT"];

/// What a sample is made under.
#[derive(Clone, Copy)]
pub(crate) struct Made {
    pub(crate) equity: u32,
    /// Of each coin.
    pub(crate) target: u32,
    /// Per cent.
    pub(crate) limit: i64,
}

/// Closes by bar, each with one per coin; NaN where there is none.
pub(crate) fn market(closes: &[Vec<f64>], funding: Rate) -> Market {
    let coins = closes.first().map_or(0, Vec::len);
    let opens: Vec<Time> = (0..closes.len())
        .map(|bar| Time::clamped(1_759_000_000_000 / 3_600_000 * 3_600_000) + HOUR * bar as u32)
        .collect();
    // With a step every product is exact, so that sums can be compared to the last digit.
    let fine = Lot { min: Qty::ZERO, max: Qty::ZERO, step: Qty::new(1, 3) };
    let contract = |name: &&str| Contract {
        rules: Rules {
            lot: fine,
            market_lot: fine,
            min_notional: Notional::ZERO,
            tick: Price::ZERO,
            ..plain(name)
        },
        brackets: vec![Bracket {
            floor: Notional::ZERO,
            cap: Notional::from(1_000_000),
            max_leverage: 20,
            maint_rate: Rate::new(1, 2),
            cum: Notional::ZERO,
        }],
    };
    let contracts = NAMES.iter().take(coins).map(contract).collect();
    let mut settlements = Vec::new();
    for (bar, row) in closes.iter().enumerate().filter(|(bar, _)| *bar > 0 && bar % 8 == 0) {
        for (coin, close) in row.iter().enumerate().filter(|(_, close)| close.is_finite()) {
            let price = Price::from_approx(*close, 4).unwrap();
            settlements.push(Settlement { bar, coin, rate: funding, price });
        }
    }
    settlements.retain(|one| !one.rate.is_zero());
    of_rows(opens, contracts, &closes.concat(), settlements)
}

/// A market of hourly closes, bar by bar: `closes[bar × coins + coin]`, NaN where a coin has no bar.
pub(crate) fn of_rows(
    opens: Vec<Time>,
    contracts: Vec<Contract>,
    closes: &[f64],
    settlements: Vec<Settlement>,
) -> Market {
    let coins = contracts.len();
    let line = |coin: usize| {
        let (mut series, mut stretches) = (Series::default(), Vec::new());
        for (bar, close) in
            closes.iter().skip(coin).step_by(coins).enumerate().filter(|(_, close)| close.is_finite())
        {
            let cell = Cell::of(close.to_string().parse().unwrap()).unwrap();
            stretches.push(Stretch { bars: bar..bar + 1, at: series.len() });
            series.push(opens[bar], cell, cell);
        }
        (series.packed(), stretches)
    };
    let lines: Vec<(Series, Vec<Stretch>)> = (0..coins).map(line).collect();
    let lines: Vec<Line<'_>> =
        lines.iter().map(|(series, stretches)| Line { series, stretches: stretches.clone() }).collect();
    let columns = Columns::new(opens.len(), &lines);
    Market::new(HOUR, opens, contracts, columns, settlements)
}

/// A basket of everything in `market`, at a band of 5 %.
pub(crate) fn told<R>(market: &Market, made: Made, tell: impl FnOnce(&Terms<'_>, &Outcome) -> R) -> R {
    let symbols = market.contracts.iter().map(|contract| contract.rules.symbol.clone()).collect();
    let strategy = Basket {
        symbols,
        sizing: Sizing::Fixed(Notional::from(made.target)),
        threshold: Rate::new(5, 2),
        rebalance_to: RebalanceTo::Target,
        on_exit: OnExit::Close,
    };
    let execution = Execution {
        market_orders: false,
        max_slippage_bps: Rate::from(50),
        leverage: 20,
        taker_fee: Rate::new(1, 3),
    };
    let limits = Limits {
        max_spread_bps: Rate::from(30),
        max_mark_gap: Rate::new(3, 2),
        max_orders: 100,
        max_turnover: Rate::from(100),
        max_drawdown: Rate::new(made.limit, 2),
        max_effective_leverage: Rate::from(20),
        min_liquidation_distance: Rate::ZERO,
        margin_buffer: Rate::ZERO,
        leverage: 20,
    };
    let terms = Terms {
        strategy: &strategy,
        execution: &execution,
        limits: &limits,
        equity: Notional::from(made.equity),
        taker_fee: Rate::new(1, 3),
        slippage: Rate::new(1, 3),
        every_bars: 1,
        calendar: None,
        resume_after: None,
        exact: false,
        keep: Keep { fills: true, samples: 0 },
    };
    tell(&terms, &run(market, &terms))
}

/// Prices that wander by themselves; `fall` of what they are is lost in the middle.
pub(crate) fn wandering(bars: usize, coins: usize, fall: f64) -> Market {
    let mut state = 7_u64;
    let mut row: Vec<f64> = (0..coins).map(|coin| 10.0 + 7.0 * coin as f64).collect();
    let mut closes = Vec::new();
    for bar in 0..bars {
        for price in &mut row {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let draw = (state >> 40) as f64 / f64::from(1_u32 << 24) - 0.498;
            *price *= 1.0 + draw * 0.03;
            if bar == bars / 2 {
                *price *= 1.0 - fall;
            }
        }
        let listed = |(coin, price): (usize, &f64)| {
            if coin == 3 && bar < bars / 4 { f64::NAN } else { (price * 1e4).round() / 1e4 }
        };
        closes.push(row.iter().enumerate().map(listed).collect());
    }
    market(&closes, Rate::new(1, 4))
}
