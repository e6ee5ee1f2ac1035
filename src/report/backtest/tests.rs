//! Backtests worked by hand, and what must hold of any.

use super::*;
use crate::backtest::samples::{Made, market, told};
use crate::report::backtest::samples::{about, report, runs};

fn money(text: &str) -> Notional {
    text.parse().unwrap()
}

/// One coin at 10, 12, 6 and 6; target 60, band 5 %, fee and slippage 0.1 %.
///
/// * bar 0: equity 100; buys 6 at 10.01 = 60.06, fee 0.06006.
/// * bar 1: cash 39.87994, 6 × 12 = 72: equity 111.87994; sells 1 at 11.988, fee 0.011988.
/// * bar 2: cash 51.855952, 5 × 6 = 30: equity 81.855952; buys 5 at 6.006 = 30.03, fee 0.03003.
/// * bar 3: cash 21.795922, 10 × 6 = 60: equity 81.795922, at the target.
fn by_hand() -> BacktestReport {
    let closes: Vec<Vec<f64>> = [10.0, 12.0, 6.0, 6.0].iter().map(|close| vec![*close]).collect();
    report(&market(&closes, Rate::ZERO), Made { equity: 100, target: 60, limit: 90 })
}

#[test]
fn a_run_worked_by_hand() {
    let report = by_hand();
    let curve: Vec<Notional> = report.curve.iter().map(|point| point.equity).collect();
    // At 6 again after 5 were bought there: 60 + 21.795922.
    assert_eq!(curve, [money("100"), money("111.87994"), money("81.855952"), money("81.795922")]);
    assert_eq!((report.final_equity, report.trades), (money("81.795922"), 3));
    assert_eq!(report.fees, money("0.06006") + money("0.011988") + money("0.03003"));
    assert_eq!(report.turnover, money("60.06") + money("11.988") + money("30.03"));
    // 6 × 0.01, 1 × 0.012, 5 × 0.006.
    assert_eq!(report.slippage, money("0.102"));
    let coin = &report.per_coin[0];
    // 11.988 over an entry of 10.01.
    assert_eq!((coin.realized, coin.reductions, coin.wins), (money("1.978"), 1, 1));
    // Worth 60 − (5 × 10.01 + 30.03).
    assert_eq!(coin.unrealized, money("-20.08"));
    assert_eq!(coin.net_profit, coin.realized + coin.unrealized - coin.fees);
    // 6 × (6 − 10.01) − 0.06006.
    assert_eq!(report.hold_twin_profit, Some(money("-24.12006")));
    assert_eq!(report.rebalancing_effect, Some(money("-18.204078") + money("24.12006")));
    assert_eq!(report.under_water.share, Some(Rate::new(5, 1)), "two of four closes");
    assert_eq!((report.under_water.from, report.under_water.to), (Some(report.curve[1].at), Some(report.to)));
    assert!(!report.under_water.recovered);
    assert_eq!(report.max_drawdown_at, report.to);
    assert_eq!(report.effective_leverage.highest, Some(Rate::new(7335, 4)), "60 / 81.795922");
    let reasons: Vec<(&str, u64)> =
        report.trades_by_reason.iter().map(|row| (row.reason, row.trades)).collect();
    assert_eq!(reasons, [("above_band", 1), ("below_band", 1), ("entry", 1)]);
}

#[test]
fn every_sum_closes_to_the_last_digit() {
    let (mut stopped, mut liquidated) = (0, 0);
    for report in runs() {
        let sum = |of: fn(&CoinResult) -> Notional| report.per_coin.iter().map(of).sum::<Notional>();
        for coin in &report.per_coin {
            assert_eq!(coin.net_profit, coin.realized + coin.unrealized - coin.fees - coin.funding);
        }
        assert_eq!(
            sum(|coin| coin.net_profit) - report.liquidation_loss,
            report.final_equity - report.start_equity
        );
        assert_eq!(report.liquidation_loss.is_zero(), report.liquidated_at.is_none());
        let executed: Notional = report.executions.iter().map(|trade| trade.fee).sum();
        assert_eq!((executed, report.executions.len() as u64), (report.fees, report.trades));
        stopped += usize::from(report.stopped_at.is_some());
        liquidated += usize::from(report.liquidated_at.is_some());
    }
    assert_eq!((stopped, liquidated), (1, 1));
}

#[test]
fn a_curve_of_a_hundred_thousand_bars_keeps_its_extremes() {
    let report = &runs()[3];
    assert_eq!(report.bars, 100_000);
    assert!(report.curve.len() < 1000 && report.curve.len() > 300, "{}", report.curve.len());
    let deepest = report.curve.iter().map(|point| point.drawdown).max().unwrap();
    assert_eq!(deepest, report.max_drawdown);
    let highest = report.curve.iter().filter_map(|point| point.effective_leverage).max().unwrap();
    assert_eq!(Some(highest.rounded(4)), report.effective_leverage.highest);
    assert!(report.curve.windows(2).all(|pair| pair[0].at < pair[1].at));
}

#[test]
fn what_is_missing_is_counted() {
    let nothing = f64::NAN;
    let closes = vec![vec![10.0, nothing], vec![10.0, nothing], vec![10.0, 5.0], vec![10.0, nothing]];
    let report = report(&market(&closes, Rate::ZERO), Made { equity: 100, target: 20, limit: 90 });
    let missing: Vec<usize> = report.per_coin.iter().map(|coin| coin.unavailable).collect();
    assert_eq!((report.ground.unavailable, missing.iter().max()), (3, Some(&3)));
    assert!(report.not_modelled.iter().any(|text| text.contains("none was given")));
}

/// Ten times what is there in one coin at 10 that falls to 9.4, is sold by the stop, and falls to 8: 100 of 100
/// would be lost by holding, and more.
#[test]
fn the_hold_twin_loses_no_more_than_there_is_and_says_what_it_leaves_out() {
    let closes: Vec<Vec<f64>> = [10.0, 9.4, 8.0].iter().map(|close| vec![*close]).collect();
    let market = market(&closes, Rate::ZERO);
    let made = Made { equity: 100, target: 1000, limit: 50 };
    let stopped = report(&market, made);
    assert_eq!(stopped.stopped_at, Some(stopped.to));
    assert!(stopped.hold_twin_uncounted_loss.is_zero(), "it ended before all was lost");
    // The same purchases, valued where the prices end: 99.9 × (8 − 10.01) less the fee of 0.999999.
    let valued = told(&market, made, |terms, outcome| {
        let longer = Outcome { bars: 3, ..outcome.clone() };
        BacktestReport::new(about(&market), &market, terms, &longer)
    });
    let bought: Notional = stopped.executions.iter().take(1).map(|trade| trade.notional + trade.fee).sum();
    let earned = stopped.executions[0].qty * crate::domain::num::Price::from(8) - bought;
    assert!(earned < money("-200"), "{earned}");
    assert_eq!(valued.hold_twin_profit, Some(money("-100")));
    assert_eq!(valued.hold_twin_uncounted_loss, money("-100") - earned);
    assert_eq!(valued.hold_twin_return, Some(-Rate::ONE));
}

/// The second coin has no bar when the stop fires: it is sold at its close before, and that is said.
#[test]
fn sales_of_the_stop_without_a_bar_are_counted() {
    let nothing = f64::NAN;
    let closes = vec![vec![10.0, 5.0], vec![5.0, nothing]];
    let report = report(&market(&closes, Rate::ZERO), Made { equity: 100, target: 60, limit: 30 });
    let sold: Vec<&str> = report
        .executions
        .iter()
        .filter(|trade| trade.reason == crate::domain::plan::Reason::HardStop)
        .map(|trade| trade.symbol.as_str())
        .collect();
    assert_eq!(sold, ["BTCUSDT", "ETHUSDT"]);
    assert_eq!(report.ground.sales_without_bar, 1);
    assert!(report.not_modelled.iter().any(|text| text.starts_with("1 sale of the hard stop has no bar")));
}

/// The rates of a run are told with it, and that nobody recorded them.
#[test]
fn what_a_liquidation_was_looked_for_at_is_told() {
    let flat = vec![vec![10.0, 5.0]; 3];
    let mut market = market(&flat, Rate::ZERO);
    let mut riskier = market.contracts[1].brackets[0].clone();
    riskier.maint_rate = Rate::new(25, 2);
    market.contracts[1].brackets.push(riskier);
    market.contracts[1].brackets[0].maint_rate = Rate::new(2, 2);
    let made = Made { equity: 100, target: 20, limit: 90 };
    let tiers = report(&market, made).ground.maintenance.unwrap();
    let rates = [tiers.first_lowest, tiers.first_highest, tiers.last];
    assert_eq!(rates, [Rate::new(1, 2), Rate::new(2, 2), Rate::new(25, 2)]);
    let told = report(&market, made).not_modelled;
    assert!(told.iter().any(|text| text.starts_with("Maintenance margin is assumed")));
    market.contracts = market.contracts.into_iter().map(crate::backtest::Contract::on_spot).collect();
    let on_spot = report(&market, made);
    assert_eq!(on_spot.ground.maintenance, None, "nothing is carried");
    assert!(!on_spot.not_modelled.iter().any(|text| text.contains("argin")));
}
