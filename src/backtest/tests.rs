//! The screen against deciding at every bar, on random markets; and a few runs worked by hand.

use std::time::Duration;

use proptest::prelude::{Just, ProptestConfig, any, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Strategies;

use crate::backtest::samples::of_rows;
use crate::backtest::{Contract, Ending, Keep, Market, Outcome, Settlement, Terms, looks, run};
use crate::decide::plan::Execution;
use crate::decide::risk::Limits;
use crate::domain::account::Bracket;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::plan::Reason;
use crate::domain::rules::tests::plain;
use crate::domain::rules::{Lot, Rules};
use crate::domain::time::Time;
use crate::strategy::Strategy;
use crate::strategy::basket::{self, Basket, OnExit, RebalanceTo};
use crate::strategy::moonshot::{self, Moonshot, Trailing};
use crate::strategy::weights::{Threshold, Weights};

const HOUR: Duration = Duration::from_secs(3600);

/// A random market.
#[derive(Clone, Debug)]
struct Made {
    seed: u64,
    coins: usize,
    bars: usize,
    /// Of one bar, in ten-thousandths.
    volatility: u32,
    /// Digits after the point of a quantity; `None` where any can be traded.
    step: Option<u32>,
    min_notional: u32,
    /// Digits after the point of a price.
    tick: u32,
    funding: bool,
    gaps: bool,
    tiers: bool,
    spot: bool,
}

/// What an account is run under.
#[derive(Clone, Debug)]
struct Under {
    strategy: u8,
    variant: u8,
    /// Per cent.
    threshold: u32,
    /// All targets, in per cent of the equity at the start.
    exposure: u32,
    max_drawdown: u32,
    max_leverage: u32,
    max_orders: usize,
    every_bars: usize,
    calendar: Option<u32>,
    resume: Option<u32>,
    market_orders: bool,
    strict: bool,
}

fn made() -> impl Strategies<Value = Made> {
    let size = (any::<u64>(), 1..7_usize, 1..260_usize, prop_oneof![Just(20), Just(200), Just(800)]);
    let step = prop_oneof![Just(None), (0..4_u32).prop_map(Some), (10..14_u32).prop_map(Some)];
    let rules = (step, prop_oneof![Just(0), Just(5), Just(40)], 1..5_u32);
    (size, rules, any::<(bool, bool, bool)>(), prop_oneof![Just(false), Just(false), Just(true)]).prop_map(
        |((seed, coins, bars, volatility), (step, min_notional, tick), (funding, gaps, tiers), spot)| Made {
            seed,
            coins,
            bars,
            volatility,
            step,
            min_notional,
            tick,
            funding,
            gaps,
            tiers,
            spot,
        },
    )
}

fn under() -> impl Strategies<Value = Under> {
    let kind = (0..5_u8, 0..3_u8, 1..30_u32, prop_oneof![Just(50), Just(95), Just(200), Just(900)]);
    let limits = (prop_oneof![Just(10), Just(30), Just(99)], 1..12_u32, prop_oneof![Just(60), Just(2)]);
    let span = || prop_oneof![Just(None), (1..60_u32).prop_map(Some)];
    let pace = (prop_oneof![Just(1), Just(1), 2..9_usize], span(), span());
    (kind, limits, pace, any::<(bool, bool)>()).prop_map(
        |(
            (strategy, variant, threshold, exposure),
            (max_drawdown, max_leverage, max_orders),
            pace,
            flags,
        )| Under {
            strategy,
            variant,
            threshold,
            exposure,
            max_drawdown,
            max_leverage,
            max_orders,
            every_bars: pace.0,
            calendar: pace.1,
            resume: pace.2,
            market_orders: flags.0,
            strict: flags.1,
        },
    )
}

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    /// At least 0, below 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn one_in(&mut self, many: f64) -> bool {
        self.unit() * many < 1.0
    }
}

fn rules(made: &Made, coin: usize) -> Rules {
    let step = made.step.map_or(Qty::ZERO, |digits| Qty::new(1, digits));
    let lot = Lot { min: step * Rate::from(1 + u32::try_from(coin % 3).unwrap()), max: Qty::ZERO, step };
    Rules {
        tick: Price::new(1, made.tick),
        price_bounds: (Price::ZERO, Price::ZERO),
        min_notional: Notional::from(made.min_notional),
        lot,
        market_lot: lot,
        ..plain(&format!("{}USDT", char::from(b'A' + u8::try_from(coin).unwrap())))
    }
}

fn tier(floor: u32, cap: u32, max_leverage: u32, rate: i64, cum: u32) -> Bracket {
    let (floor, cap, cum) = (Notional::from(floor), Notional::from(cap), Notional::from(cum));
    Bracket { floor, cap, max_leverage, maint_rate: Rate::new(rate, 2), cum }
}

fn contract(made: &Made, coin: usize) -> Contract {
    let brackets = if made.tiers {
        vec![tier(0, 100, 50, 1, 0), tier(100, 400, 20, 5, 4), tier(400, 100_000, 10, 10, 24)]
    } else {
        vec![tier(0, 50_000, 50, 1, 0)]
    };
    let contract = Contract { rules: rules(made, coin), brackets };
    if made.spot { contract.on_spot() } else { contract }
}

/// Prices that drift, jump and stand still; coins that come late, go early and pause.
fn market(made: &Made) -> Market {
    let mut dice = Dice(made.seed);
    let mut prices: Vec<f64> = (0..made.coins).map(|coin| 4.0 * (coin + 1) as f64).collect();
    let mut listed: Vec<bool> = (0..made.coins).map(|_| !made.gaps || !dice.one_in(2.0)).collect();
    let digits = 10_f64.powi(i32::try_from(made.tick).unwrap());
    let (mut closes, mut settlements) = (Vec::new(), Vec::new());
    for bar in 0..made.bars {
        let all = dice.unit() - 0.5;
        for (coin, (price, listed)) in prices.iter_mut().zip(&mut listed).enumerate() {
            let jump = if dice.one_in(60.0) { 8.0 } else { 1.0 };
            let move_ = f64::from(made.volatility) / 1e4 * jump * (all + 1.2 * (dice.unit() - 0.5));
            *price = (*price * (1.0 + move_)).clamp(0.5, 500.0);
            *listed = if made.gaps && dice.one_in(25.0) { !*listed } else { *listed };
            let close = (*price * digits).round() / digits;
            closes.push(if *listed { close } else { f64::NAN });
            if made.funding && bar % 8 == 0 && *listed {
                let rate = Rate::from_approx((dice.unit() - 0.4) / 200.0, 6).unwrap();
                let price = Price::from_approx(close, made.tick).unwrap();
                settlements.push(Settlement { bar, coin, rate, price });
            }
        }
    }
    let contracts = (0..made.coins).map(|coin| contract(made, coin)).collect();
    let opens = (0..made.bars).map(|bar| Time::default() + HOUR * u32::try_from(bar).unwrap()).collect();
    of_rows(opens, contracts, &closes, settlements)
}

const EQUITY: u32 = 300;

fn strategy(under: &Under, market: &Market) -> Box<dyn Strategy> {
    let symbols: Vec<_> = market.contracts.iter().map(|contract| contract.rules.symbol.clone()).collect();
    let size = u32::try_from(symbols.len()).unwrap();
    let part = |of: Rate| of * Rate::new(i64::from(under.exposure), 2);
    let target = Notional::from(EQUITY).over_rate(Rate::from(size)).unwrap() * part(Rate::ONE);
    let threshold = Rate::new(i64::from(under.threshold), 2);
    let basket = |sizing| Basket {
        symbols: symbols.clone(),
        sizing,
        threshold,
        rebalance_to: [RebalanceTo::Target, RebalanceTo::Half, RebalanceTo::Edge][usize::from(under.variant)],
        on_exit: OnExit::Close,
    };
    match under.strategy {
        0 => Box::new(basket(basket::Sizing::Fixed(target.rounded(4)))),
        1 => Box::new(basket(basket::Sizing::Equity { effective_leverage: part(Rate::ONE), size })),
        2 | 3 => {
            let share = Rate::new(9, 1).over(Rate::from(size)).unwrap().rounded(4);
            let threshold = match under.strategy {
                2 => Threshold::Relative(threshold),
                _ => Threshold::Absolute(threshold * Rate::new(3, 1)),
            };
            let initial = [0, 100, 1000][usize::from(under.variant)];
            let shares = symbols.iter().map(|symbol| (symbol.clone(), share)).collect();
            Box::new(Weights::new(shares, threshold, Notional::from(initial), part(Rate::ONE)))
        }
        _ => Box::new(Moonshot {
            symbols: symbols.clone(),
            slots: (size / 2).max(1),
            sizing: match under.variant {
                0 => moonshot::Sizing::Equity,
                _ => moonshot::Sizing::Fixed(target.rounded(4)),
            },
            stop_loss: threshold,
            cooldown: HOUR * under.threshold,
            refill: under.variant != 2,
            trailing: (under.variant != 1).then_some(Trailing { start: threshold, stop: Rate::new(5, 2) }),
            exchange_stop: false,
        }),
    }
}

/// The same run by the screen and exact.
fn both(made: &Made, under: &Under) -> (Outcome, Outcome) {
    let market = market(made);
    with_terms(&market, under, |terms| (run(&market, terms), run(&market, &Terms { exact: true, ..*terms })))
}

fn with_terms<R>(market: &Market, under: &Under, then: impl FnOnce(&Terms<'_>) -> R) -> R {
    let strategy = strategy(under, market);
    let execution = Execution {
        market_orders: under.market_orders,
        max_slippage_bps: Rate::from(if under.strict { 20 } else { 50 }),
        leverage: 10,
        taker_fee: Rate::new(5, 4),
    };
    let least = if under.strict { Rate::new(2, 1) } else { Rate::ZERO };
    let limits = Limits {
        max_spread_bps: Rate::from(30),
        max_mark_gap: Rate::new(3, 2),
        max_orders: under.max_orders,
        max_turnover: if under.strict { Rate::new(6, 1) } else { Rate::from(100) },
        max_drawdown: Rate::new(i64::from(under.max_drawdown), 2),
        max_effective_leverage: Rate::from(under.max_leverage),
        min_liquidation_distance: least,
        margin_buffer: least,
        leverage: 10,
    };
    let terms = Terms {
        strategy: strategy.as_ref(),
        execution: &execution,
        limits: &limits,
        equity: Notional::from(EQUITY),
        taker_fee: Rate::new(5, 4),
        slippage: Rate::new(2, 4),
        every_bars: under.every_bars,
        calendar: under.calendar.map(|hours| HOUR * hours),
        resume_after: under.resume.map(|hours| HOUR * hours),
        exact: false,
        keep: Keep { fills: true, samples: 37 },
    };
    then(&terms)
}

/// Random markets that never stop, trade or fail would prove nothing.
#[test]
fn the_random_markets_hold_what_they_are_for() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut endings, mut reasons, mut ruled_out, mut sure, mut restarted) = ([0; 3], [0; 8], 0, 0, 0);
    let mut limits = std::collections::BTreeMap::new();
    for _ in 0..900 {
        let made = made().new_tree(&mut runner).unwrap().current();
        let under = under().new_tree(&mut runner).unwrap().current();
        let (screened, exact) = both(&made, &under);
        endings[match screened.ending {
            Ending::PricesEnded => 0,
            Ending::Stopped(_) => 1,
            Ending::Liquidated(_) => 2,
        }] += 1;
        restarted += screened.stops.len().saturating_sub(1);
        for (limit, decisions) in &exact.limited {
            *limits.entry(*limit).or_insert(0) += decisions;
        }
        ruled_out += exact.decisions - screened.decisions;
        let trading: std::collections::BTreeSet<usize> = screened.fills.iter().map(|fill| fill.bar).collect();
        sure += u64::try_from(trading.len()).unwrap().saturating_sub(screened.decisions);
        for fill in &screened.fills {
            let kinds = [
                Reason::Entry,
                Reason::AboveBand,
                Reason::BelowBand,
                Reason::Calendar,
                Reason::StopLoss,
                Reason::TrailingStop,
                Reason::HardStop,
            ];
            reasons[kinds.iter().position(|kind| *kind == fill.reason).unwrap_or(7)] += 1;
        }
    }
    let shown = format!("{endings:?} {reasons:?} {ruled_out} ruled out, {sure} sure, {restarted} restarted");
    assert!(
        endings.iter().all(|count| *count > 2) && reasons[..7].iter().all(|count| *count > 20),
        "{shown}"
    );
    assert!(limits.len() == 5 && limits.values().all(|decisions| *decisions > 100), "{limits:?}");
    assert!(reasons[7] == 0 && ruled_out > 10_000 && sure > 300 && restarted > 5, "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_screen_changes_nothing(made in made(), under in under()) {
        let (screened, exact) = both(&made, &under);
        // Only how much work it was may differ.
        let screened = Outcome { decisions: exact.decisions, ..screened };
        prop_assert_eq!(screened, exact);
    }

    /// A decision made again wants what was carried out there: the account that it sees is the run's.
    #[test]
    fn a_decision_made_again_is_the_same(made in made(), under in under()) {
        // What only a pass of every bar knows: when the calendar was last due, and the highs of a trailing stop.
        let under = Under { strategy: under.strategy % 4, calendar: None, ..under };
        let made = Made { spot: false, ..made };
        let market = market(&made);
        with_terms(&market, &under, |terms| {
            let outcome = run(&market, terms);
            let bars = looks::bars(&market, terms, &outcome);
            looks::again(&market, terms, &outcome, &bars, |bar, approved| {
                let wanted = approved.plan().legs.iter();
                let wanted: Vec<_> =
                    wanted.map(|leg| (market.column(&leg.symbol).unwrap(), leg.side.signed(leg.qty))).collect();
                let done = outcome.fills.iter().filter(|fill| fill.bar == bar);
                assert_eq!(wanted, done.map(|fill| (fill.coin, fill.qty)).collect::<Vec<_>>(), "bar {bar}");
            });
        });
    }
}
