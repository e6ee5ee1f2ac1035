//! What a seed draws once: the contracts, the account, the basket and its limits.

use std::time::Duration;

use rebal::decide::plan::Execution;
use rebal::decide::risk::Limits;
use rebal::domain::num::{Notional, Price, Qty, Rate};
use rebal::domain::symbol::Symbol;
use rebal::pass::Settings;
use rebal::sim::{Listed, Terms, listing};
use rebal::strategy::Strategy;
use rebal::strategy::basket::{Basket, OnExit, RebalanceTo, Sizing};
use rebal::strategy::moonshot::{self, Moonshot, Trailing};
use rebal::strategy::weights::{Threshold, Weights};

use super::rng::Rng;

/// Which strategy trades the coins of the basket.
#[derive(Clone, Debug)]
pub(crate) enum Mind {
    Basket,
    /// Equal shares, at the basket's threshold.
    Weights {
        effective_leverage: Rate,
    },
    Moonshot(Moonshot),
}

impl Mind {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Mind::Basket => "basket",
            Mind::Weights { .. } => "weights",
            Mind::Moonshot(Moonshot { exchange_stop: true, .. }) => "moonshot with stops",
            Mind::Moonshot(_) => "moonshot",
        }
    }
}

pub(crate) struct Scenario {
    pub(crate) mind: Mind,
    pub(crate) listing: Vec<Listed>,
    pub(crate) terms: Terms,
    pub(crate) basket: Basket,
    pub(crate) execution: Execution,
    pub(crate) limits: Limits,
    pub(crate) every: Option<Duration>,
    pub(crate) concurrency: usize,
    pub(crate) recv_window: Duration,
    pub(crate) passes: u64,
    /// How often, a thousand, a person closes something or only looks.
    pub(crate) flattens: u64,
    pub(crate) checks: u64,
}

const NAMES: [&str; 8] =
    ["AAAUSDT", "BBBUSDT", "CCCUSDT", "DDDUSDT", "EEEUSDT", "FFFUSDT", "GGGUSDT", "HHHUSDT"];
const PRICES: [(i64, u32); 8] =
    [(97_000, 0), (3_100, 0), (1405, 1), (21, 1), (42, 2), (85, 4), (12, 6), (100, 0)];

impl Scenario {
    /// `minds` draws the strategy and nothing else, so that the rest of a seed is what it was before
    /// there was more than one.
    pub(crate) fn draw(rng: &mut Rng, minds: &mut Rng) -> Scenario {
        let coins = rng.within(3, 8);
        let symbols: Vec<Symbol> =
            NAMES.iter().take(coins as usize).map(|name| name.parse().unwrap()).collect();
        let listing: Vec<Listed> = symbols.iter().map(|symbol| draw_contract(rng, symbol)).collect();
        let equity = rng.pick(&[60, 200, 200, 1_000, 20_000_i64]);
        let leverage = rng.pick(&[10, 15, 20, 20, 30_i64]);
        // All coins but the last one may be in the basket from the start.
        let begins_with = if rng.chance(700) { symbols.len() } else { symbols.len() - 1 };
        let sizing = if rng.chance(500) {
            Sizing::Fixed(Notional::new(equity * leverage / 10 / coins as i64, 0))
        } else {
            Sizing::Equity { effective_leverage: Rate::new(leverage, 1), size: coins as u32 }
        };
        let basket = Basket {
            symbols: symbols.iter().take(begins_with).cloned().collect(),
            sizing,
            threshold: Rate::new(rng.pick(&[2, 5, 5, 10, 25]), 2),
            rebalance_to: rng.pick(&[
                RebalanceTo::Target,
                RebalanceTo::Target,
                RebalanceTo::Half,
                RebalanceTo::Edge,
            ]),
            on_exit: rng.pick(&[OnExit::Close, OnExit::Close, OnExit::Hold]),
        };
        let nominal = rng.pick(&[3, 5, 5, 10]);
        let execution = Execution {
            market_orders: rng.chance(350),
            max_slippage_bps: Rate::from(rng.pick(&[30, 50, 100])),
            leverage: nominal,
            taker_fee: Rate::new(5, 4),
        };
        let limits = Limits {
            max_spread_bps: Rate::from(rng.pick(&[30, 50, 80])),
            max_mark_gap: Rate::new(rng.pick(&[1, 2, 5]), 2),
            max_orders: rng.pick(&[2, 5, 40, 40]),
            max_turnover: Rate::new(rng.pick(&[3, 10, 10, 20]), 1),
            max_drawdown: Rate::new(rng.pick(&[30, 60, 90]), 2),
            max_effective_leverage: Rate::new(leverage * rng.pick(&[10, 12, 15, 20]), 2),
            min_liquidation_distance: Rate::new(rng.pick(&[0, 10, 20]), 2),
            margin_buffer: Rate::new(rng.pick(&[0, 5, 10]), 2),
            leverage: nominal,
        };
        let terms = Terms {
            equity: Notional::new(equity, 0),
            slippage_bps: Rate::from(rng.pick(&[0, 0, 1, 5])),
            ..Terms::default()
        };
        let slots = coins as u32 - u32::from(minds.chance(300));
        let mind = match minds.below(4) {
            0 => Mind::Weights { effective_leverage: Rate::new(leverage, 1) },
            1 => Mind::Moonshot(Moonshot {
                symbols: Vec::new(),
                slots,
                sizing: if minds.chance(500) {
                    moonshot::Sizing::Fixed(Notional::new(equity * leverage / 10 / coins as i64, 0))
                } else {
                    moonshot::Sizing::Equity
                },
                stop_loss: Rate::new(minds.pick(&[5, 15, 30]), 2),
                cooldown: Duration::from_secs(minds.pick(&[0, 900, 86_400, 2_592_000])),
                refill: minds.chance(800),
                trailing: minds.chance(400).then(|| Trailing {
                    start: Rate::new(minds.pick(&[5, 20, 100]), 2),
                    stop: Rate::new(10, 2),
                }),
                exchange_stop: minds.chance(500),
            }),
            _ => Mind::Basket,
        };
        Scenario {
            mind,
            listing,
            terms,
            basket,
            execution,
            limits,
            every: rng.chance(300).then(|| Duration::from_secs(86_400 * rng.within(1, 7))),
            concurrency: rng.pick(&[1, 2, 8]),
            recv_window: Duration::from_secs(rng.within(3, 5)),
            passes: rng.within(8, 16),
            flattens: rng.pick(&[0, 0, 40, 150]),
            checks: rng.pick(&[0, 50, 200]),
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            strategy: self.strategy(),
            execution: self.execution.clone(),
            limits: self.limits.clone(),
            quote: "USDT".to_owned(),
            every: self.every,
            concurrency: self.concurrency,
        }
    }

    fn strategy(&self) -> Box<dyn Strategy> {
        match &self.mind {
            Mind::Basket => Box::new(self.basket.clone()),
            Mind::Weights { effective_leverage } => {
                let share = self.share();
                let shares = self.basket.symbols.iter().map(|symbol| (symbol.clone(), share)).collect();
                let threshold = Threshold::Relative(self.basket.threshold);
                Box::new(Weights::new(shares, threshold, Notional::ZERO, *effective_leverage))
            }
            Mind::Moonshot(moonshot) => {
                Box::new(Moonshot { symbols: self.basket.symbols.clone(), ..moonshot.clone() })
            }
        }
    }

    fn share(&self) -> Rate {
        let count = Rate::from(self.basket.symbols.len() as u32);
        Rate::ONE.over(count).unwrap().floor_to(Rate::new(1, 12))
    }

    /// What an order may bring a coin to.
    pub(crate) fn target(&self, equity: Notional) -> Notional {
        match &self.mind {
            Mind::Basket => self.basket.target(equity),
            Mind::Weights { effective_leverage } => {
                equity.max(Notional::ZERO) * *effective_leverage * self.share()
            }
            Mind::Moonshot(Moonshot { sizing: moonshot::Sizing::Fixed(value), .. }) => *value,
            Mind::Moonshot(moonshot) => {
                equity.max(Notional::ZERO).over_rate(Rate::from(moonshot.slots)).unwrap()
            }
        }
    }

    pub(crate) fn moonshot(&self) -> Option<&Moonshot> {
        match &self.mind {
            Mind::Moonshot(moonshot) => Some(moonshot),
            _ => None,
        }
    }

    /// Every contract of the exchange, in the basket or not.
    pub(crate) fn contracts(&self) -> Vec<Symbol> {
        self.listing.iter().map(|listed| listed.rules.symbol.clone()).collect()
    }
}

fn draw_contract(rng: &mut Rng, symbol: &Symbol) -> Listed {
    let (mantissa, scale) = rng.pick(&PRICES);
    let price = Price::new(mantissa, scale);
    let mut listed = listing::derived(symbol, price);
    coarsen(rng, &mut listed);
    listed.rules.min_notional = Notional::from(rng.pick(&[5, 5, 5, 20, 100]));
    if rng.chance(200) {
        // A contract whose orders have to be cut into parts.
        let worth = Notional::from(rng.pick(&[40, 300]));
        let most = worth.over_price(price).unwrap().floor_to(listed.rules.lot.step);
        listed.rules.market_lot.max = most.max(listed.rules.lot.step);
        if rng.chance(500) {
            listed.rules.lot.max = listed.rules.market_lot.max;
        }
    }
    if rng.chance(150) {
        // The exchange allows less than is asked for.
        for bracket in &mut listed.brackets {
            bracket.max_leverage = bracket.max_leverage.min(4);
        }
    }
    Listed::new(listed.rules, listed.brackets, rng.pick(&[1, 4, 8, 8]), listed.shape)
}

/// Some contracts have a step that is worth a good part of a target.
fn coarsen(rng: &mut Rng, listed: &mut Listed) {
    let times = Rate::from(rng.pick(&[1, 1, 1, 10, 100]));
    for lot in [&mut listed.rules.lot, &mut listed.rules.market_lot] {
        lot.step = lot.step * times;
        lot.min = if rng.chance(100) { lot.step + lot.step } else { lot.step };
        lot.max = lot.max.floor_to(lot.step).max(lot.min) + Qty::ZERO;
    }
}
