//! Runs over invented prices, for the tests of every format and of every page.

use crate::backtest::Market;
use crate::backtest::samples::{Made, told, wandering};
use crate::domain::num::Notional;
use crate::report::backtest::{About, BacktestReport};
use crate::report::heading::Heading;

/// What a run over `market` does not know of itself.
pub(crate) fn about(market: &Market) -> About {
    About {
        heading: Heading {
            at: market.closes_at(market.bars().saturating_sub(1)),
            profile: "rebal".into(),
            mode: "paper".into(),
            venue: "binance-usdm".into(),
        },
        quote: "USDT".into(),
        strategy: "basket".into(),
        rules: "exchangeInfo_2025-12-24.json".into(),
        elapsed_s: 0.002,
    }
}

/// A basket of everything in `market`, at a band of 5 %.
pub(crate) fn report(market: &Market, made: Made) -> BacktestReport {
    told(market, made, |terms, outcome| BacktestReport::new(about(market), market, terms, outcome))
}

/// One that goes on, one that is stopped, one that is liquidated, one over a hundred thousand bars, one of a
/// single bar.
pub(crate) fn runs() -> Vec<BacktestReport> {
    let made = Made { equity: 200, target: 60, limit: 90 };
    vec![
        report(&wandering(1500, 6, 0.05), made),
        report(&wandering(900, 6, 0.2), Made { limit: 30, ..made }),
        report(&wandering(600, 5, 0.6), Made { target: 120, limit: 99, ..made }),
        report(&wandering(100_000, 3, 0.3), Made { target: 20, ..made }),
        report(&wandering(1, 2, 0.0), made),
    ]
}

/// One that buys nothing because every target is too small, and one that buys all but SOL for that reason.
pub(crate) fn unbought() -> [BacktestReport; 2] {
    let mut market = wandering(50, 3, 0.0);
    for contract in &mut market.contracts {
        contract.rules.min_notional = Notional::from(5);
    }
    let made = Made { equity: 200, target: 3, limit: 90 };
    let all = report(&market, made);
    market.contracts[2].rules.min_notional = Notional::from(500);
    [all, report(&market, Made { target: 30, ..made })]
}
