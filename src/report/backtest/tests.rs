//! Backtests worked by hand, and what must hold of any.

use super::*;
use crate::backtest::samples::{Made, market};
use crate::report::backtest::samples::{report, runs};

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
