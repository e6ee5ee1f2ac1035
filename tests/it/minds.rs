//! What holds for weights and moonshot whatever the account and the market: targets → plan → check.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rebal::decide::plan::Execution;
use rebal::decide::risk::{Limits, Standing};
use rebal::decide::{self, Settings};
use rebal::domain::account::{AccountModes, Balance, MarginSetting, Position};
use rebal::domain::market::{Mark, Market, Quote};
use rebal::domain::memory::Allocation;
use rebal::domain::num::{Notional, Price, Qty, Rate};
use rebal::domain::order::Side;
use rebal::domain::plan::{Plan, Reason};
use rebal::domain::snapshot::{Coin, Snapshot};
use rebal::domain::symbol::Symbol;
use rebal::domain::time::Time;
use rebal::sim::listing;
use rebal::strategy::moonshot::{self, Moonshot};
use rebal::strategy::weights::{Threshold, Weights};
use rebal::strategy::{Memory, Strategy as Mind};

/// A contract: its price in millionths, how much of it is held as a part of a thousand of the account, and
/// where it was bought as a part of a thousand of the price.
#[derive(Clone, Debug)]
struct Drawn {
    price: u32,
    held: u32,
    bought_at: u32,
    managed: bool,
}

fn coins(most: usize) -> impl Strategy<Value = Vec<Drawn>> {
    let one = (1_000_u32..2_000_000_000, prop_oneof![Just(0_u32), 1_u32..600], 80_u32..4_000, any::<bool>());
    let one = one.prop_map(|(price, held, bought_at, managed)| Drawn { price, held, bought_at, managed });
    prop::collection::vec(one, 2..most)
}

fn symbol(number: usize) -> Symbol {
    format!("C{number}USDT").parse().unwrap()
}

fn snapshot(equity: u32, drawn: &[Drawn]) -> Snapshot {
    let equity = Notional::from(equity);
    let mut coins = BTreeMap::new();
    for (number, drawn) in drawn.iter().enumerate() {
        let (symbol, price) = (symbol(number), Price::new(i64::from(drawn.price), 6));
        let listed = listing::derived(&symbol, price);
        let (step, tick) = (listed.rules.lot.step, listed.rules.tick);
        let worth = equity * Rate::new(i64::from(drawn.held), 3);
        let qty = worth.over_price(price).unwrap().floor_to(step);
        let position = Position {
            symbol: symbol.clone(),
            qty,
            entry_price: price * Rate::new(i64::from(drawn.bought_at), 3),
            mark_price: price,
            unrealized: Notional::ZERO,
            liquidation_price: None,
            updated: Time::default(),
        };
        let book = Quote {
            bid: price - tick,
            bid_qty: Qty::from(1_000_000),
            ask: price + tick,
            ask_qty: Qty::from(1_000_000),
        };
        let mark = Mark { price, funding_rate: Rate::ZERO, next_funding: None, at: Time::default() };
        coins.insert(
            symbol,
            Coin {
                rules: Some(listed.rules),
                market: Some(Market { mark, quote: book }),
                position: (!qty.is_zero()).then_some(position),
                setting: Some(MarginSetting { leverage: 5, cross: true }),
                brackets: listed.brackets,
                managed: drawn.managed && !qty.is_zero(),
                block: None,
            },
        );
    }
    let gross: Notional = coins.values().map(|coin: &Coin| coin.value().unwrap()).sum();
    let margin = gross.over_rate(Rate::from(5)).unwrap();
    Snapshot {
        at: Time::from_ms(1_800_000_000_000).unwrap(),
        balance: Balance {
            wallet: equity,
            equity,
            available: (equity - margin).max(Notional::ZERO),
            initial_margin: margin,
            ..Balance::default()
        },
        modes: AccountModes { hedge: false, multi_assets: false, can_trade: true },
        coins,
    }
}

fn limits() -> Limits {
    Limits {
        max_spread_bps: Rate::from(30),
        max_mark_gap: Rate::new(3, 2),
        max_orders: 200,
        max_turnover: Rate::from(10),
        max_drawdown: Rate::new(9, 1),
        max_effective_leverage: Rate::from(3),
        min_liquidation_distance: Rate::ZERO,
        margin_buffer: Rate::new(5, 2),
        leverage: 5,
    }
}

fn decided(mind: &dyn Mind, snapshot: &Snapshot, memory: &Memory) -> Plan {
    let execution = Execution {
        market_orders: false,
        max_slippage_bps: Rate::from(50),
        leverage: 5,
        taker_fee: Rate::new(5, 4),
    };
    let limits = limits();
    let settings = Settings { strategy: mind, memory, execution: &execution, limits: &limits };
    decide::decide(snapshot, &settings, &Standing::default()).unwrap().plan().clone()
}

fn after(snapshot: &Snapshot, plan: &Plan, symbol: &Symbol) -> Qty {
    let legs = plan.legs.iter().filter(|leg| leg.symbol == *symbol);
    snapshot.coins[symbol].qty() + legs.map(|leg| leg.side.signed(leg.qty)).sum()
}

fn weights(drawn: &[Drawn], parts: &[u32], absolute: bool, initial: u32) -> Weights {
    let whole: u32 = parts.iter().take(drawn.len()).sum::<u32>() + 10;
    let share = |part: u32| Rate::from(part).over(Rate::from(whole)).unwrap().floor_to(Rate::new(1, 6));
    let shares = (0..drawn.len()).map(|number| (symbol(number), share(parts[number]))).collect();
    let band = Rate::new(5, 2);
    let threshold = if absolute { Threshold::Absolute(band) } else { Threshold::Relative(band) };
    Weights::new(shares, threshold, Notional::from(initial), Rate::ONE)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every coin ends inside its band, or the plan says why it cannot; nothing is traded inside it, and
    /// what is traded is never carried past its share.
    #[test]
    fn after_a_pass_every_share_is_inside_its_band_or_has_a_reason(
        drawn in coins(8),
        parts in prop::collection::vec(1_u32..40, 8),
        absolute in any::<bool>(),
        equity in 200_u32..200_000,
    ) {
        let (snapshot, mind) = (snapshot(equity, &drawn), weights(&drawn, &parts, absolute, 0));
        let memory = Memory::default();
        let plan = decided(&mind, &snapshot, &memory);
        let whole = mind.whole(&snapshot, &memory);
        prop_assert!(plan.gross_target <= whole, "{} of {whole}", plan.gross_target);
        for wish in mind.wishes(&snapshot, &memory) {
            let coin = &snapshot.coins[&wish.symbol];
            let mark = coin.market.unwrap().mark.price;
            let step = coin.rules.as_ref().unwrap().lot.step * mark;
            let (before, then) = (coin.value().unwrap(), after(&snapshot, &plan, &wish.symbol) * mark);
            let band = if absolute { whole * Rate::new(5, 2) } else { wish.target * Rate::new(5, 2) };
            let skipped = plan.skipped.iter().any(|skipped| skipped.symbol == wish.symbol);
            prop_assert!(skipped || (then - wish.target).abs() <= band.max(step), "{wish:?}: {before} to {then}");
            if then != before {
                prop_assert!((before - wish.target).abs() > band || before.is_zero(), "{wish:?} was inside");
                prop_assert!((then - wish.target).abs() <= (before - wish.target).abs(), "{wish:?}: {before} to {then}");
                let past = (then > wish.target) != (before > wish.target) && then != wish.target;
                prop_assert!(!past, "{wish:?}: {before} to {then}");
            }
        }
        // What is bought is paid for by what is free and what is really sold.
        let tied: Notional = plan.legs.iter().map(|leg| {
            let margin = leg.notional.over_rate(Rate::from(5)).unwrap();
            if leg.side == Side::Buy { margin } else { -margin }
        }).sum();
        let buys = plan.legs.iter().any(|leg| leg.side == Side::Buy);
        prop_assert!(!buys || tied <= snapshot.balance.available, "{tied} of {}", snapshot.balance.available);
    }

    /// The first allocation deploys no more than it may, and what it left out stays out.
    #[test]
    fn no_more_is_deployed_than_was_wanted(
        drawn in coins(5),
        parts in prop::collection::vec(1_u32..40, 8),
        initial in 1_u32..5_000,
        equity in 200_u32..5_000,
        profit in -100_i64..100,
    ) {
        let flat: Vec<Drawn> = drawn.iter().map(|one| Drawn { held: 0, ..one.clone() }).collect();
        let mind = weights(&flat, &parts, false, initial);
        let first = snapshot(equity, &flat);
        let spent = decided(&mind, &first, &Memory::default()).turnover();
        prop_assert!(spent <= Notional::from(initial.min(equity)), "{spent} of {initial}");
        let memory = mind.remember(&first, &Memory::default());
        let known = Allocation { equity: Notional::from(equity), available: Notional::from(equity) };
        prop_assert_eq!(memory.allocation, Some(known));
        let mut later = first;
        later.balance.equity += Notional::new(profit, 0);
        let managed = Notional::from(initial.min(equity)) + Notional::new(profit, 0);
        prop_assert_eq!(mind.whole(&later, &memory), managed.max(Notional::ZERO));
    }

    /// Never a reduction above the stop, never an increase of a held coin, never more than the slots; and
    /// whatever is at its stop is sold whole, in this pass.
    #[test]
    fn a_moonshot_sells_losers_whole_and_never_touches_the_rest(
        drawn in coins(12),
        slots in 1_u32..12,
        stop in 5_i64..60,
        refill in any::<bool>(),
        stopped in prop::collection::vec(0_u64..40, 12),
        equity in 200_u32..5_000,
    ) {
        let snapshot = snapshot(equity, &drawn);
        let mind = Moonshot {
            // The last one is not on the list.
            symbols: (0..drawn.len() - 1).map(symbol).collect(),
            slots,
            sizing: moonshot::Sizing::Equity,
            stop_loss: Rate::new(stop, 2),
            cooldown: Duration::from_secs(30 * 86_400),
            refill,
            trailing: None,
            exchange_stop: false,
        };
        let ago = |days: u64| snapshot.at - Duration::from_secs(days * 86_400);
        let stopped: BTreeMap<Symbol, Time> =
            (0..drawn.len()).filter(|number| stopped[*number] > 0).map(|number| (symbol(number), ago(stopped[number]))).collect();
        let memory = Memory { stopped, ..Memory::default() };
        let plan = decided(&mind, &snapshot, &memory);
        let mut ours = 0;
        for (symbol, coin) in &snapshot.coins {
            let legs: Vec<_> = plan.legs.iter().filter(|leg| leg.symbol == *symbol).collect();
            let left = after(&snapshot, &plan, symbol);
            let Some(position) = &coin.position else {
                prop_assert!(legs.iter().all(|leg| leg.reason == Reason::Entry));
                let cools = memory.stopped.get(symbol).is_some_and(|at| snapshot.at.since(*at) < mind.cooldown);
                prop_assert!(legs.is_empty() || (!cools && mind.symbols.contains(symbol)));
                ours += usize::from(!legs.is_empty());
                continue;
            };
            let known = coin.managed || mind.symbols.contains(symbol);
            let at_stop = position.mark_price <= position.entry_price * (Rate::ONE - mind.stop_loss);
            let skipped = plan.skipped.iter().any(|skipped| skipped.symbol == *symbol);
            ours += usize::from(known);
            if known && at_stop {
                prop_assert!(left.is_zero() || skipped, "{symbol}: {left} is left");
                prop_assert!(legs.iter().all(|leg| leg.reason == Reason::StopLoss && leg.reduce_only));
            } else {
                prop_assert!(legs.is_empty(), "{legs:?} of {position:?}");
            }
        }
        let held = snapshot.coins.values().filter(|coin| coin.position.is_some()).count();
        prop_assert!(ours <= (slots as usize).max(held), "{ours} in {slots} slots");
    }
}
