//! The charts of a backtest's page.

use crate::domain::num::{Notional, Rate};
use crate::domain::time::Time;
use crate::render::chart::{self, Bar, Curve, Ink};
use crate::render::earnings::{plain, signed};
use crate::render::pictures::{Picture, shown_rows};
use crate::render::text::{clean, count, fixed, instant, money, share};
use crate::render::trial::flow;
use crate::report::backtest::coin::CoinResult;
use crate::report::backtest::{BacktestReport, CurvePoint};

/// So many stops are named one by one.
const MOST_NAMED: usize = 6;

/// Every chart that the report has figures for.
pub(crate) fn pictures(report: &BacktestReport) -> Vec<Picture> {
    let all = [
        equity(report),
        drawdown(report),
        leverage(report),
        twin(report),
        contributions(report),
        costs(report),
    ];
    all.into_iter().flatten().collect()
}

fn points(report: &BacktestReport, figure: impl Fn(&CurvePoint) -> Option<f64>) -> Vec<(Time, f64)> {
    report.curve.iter().filter_map(|point| Some((point.at, figure(point)?))).collect()
}

fn equity(report: &BacktestReport) -> Option<Picture> {
    let quote = clean(&report.quote);
    let start = report.start_equity.approx();
    let drawing = chart::curve(&Curve {
        points: points(report, |point| Some(point.equity.approx())),
        unit: &quote,
        ink: Ink::Main,
        filled: false,
        shows: Vec::new(),
        levels: vec![(start, Ink::Other)],
    })?;
    Some(Picture {
        title: "Equity",
        summary: format!(
            "Equity went from {} to {} {quote} between {} and {}.",
            money(report.start_equity),
            money(report.final_equity),
            instant(report.from),
            instant(report.to)
        ),
        drawing,
        legend: vec![
            (Ink::Main, "equity at the closes, highs and lows of every stretch".to_owned()),
            (Ink::Other, format!("at the start, {}", money(report.start_equity))),
        ],
        left_out: match report.liquidated_at {
            Some(at) => [stops(&report.all_stops), format!("Liquidated at {}.", instant(at))].join(" "),
            _ => stops(&report.all_stops),
        },
    })
}

/// When the hard stop sold everything: each time, or of many the first and the last.
fn stops(all: &[Time]) -> String {
    let times = |named: &[Time]| named.iter().map(|at| instant(*at)).collect::<Vec<_>>().join(", ");
    match all {
        [] => String::new(),
        [once] => format!("The hard stop sold everything at {}.", instant(*once)),
        few if few.len() <= MOST_NAMED => {
            format!("The hard stop sold everything {} times: at {}.", few.len(), times(few))
        }
        [first, .., last] => format!(
            "The hard stop sold everything {} times, first at {} and last at {}.",
            all.len(),
            instant(*first),
            instant(*last)
        ),
    }
}

fn drawdown(report: &BacktestReport) -> Option<Picture> {
    let percent = |rate: Rate| -(rate * Rate::from(100)).approx();
    let limit = report.ground.max_drawdown_limit;
    // A limit far below everything would press the curve flat.
    let near = limit <= (report.max_drawdown * Rate::from(3)).max(Rate::new(1, 1));
    let drawing = chart::curve(&Curve {
        points: points(report, |point| Some(percent(point.drawdown))),
        unit: "%",
        ink: Ink::Loss,
        filled: true,
        shows: vec![0.0, -1.0],
        levels: near.then(|| (percent(limit), Ink::Other)).into_iter().collect(),
    })?;
    let mut legend = vec![(Ink::Loss, "below the highest equity so far".to_owned())];
    legend.extend(near.then(|| (Ink::Other, format!("everything is sold at {}", share(limit)))));
    Some(Picture {
        title: "Drawdown",
        summary: format!(
            "The deepest drawdown was {}, at {}.",
            share(report.max_drawdown),
            instant(report.max_drawdown_at)
        ),
        drawing,
        legend,
        left_out: String::new(),
    })
}

fn leverage(report: &BacktestReport) -> Option<Picture> {
    let drawing = chart::curve(&Curve {
        points: points(report, |point| Some(point.effective_leverage?.approx())),
        unit: "times equity",
        ink: Ink::Main,
        filled: false,
        shows: vec![0.0],
        levels: Vec::new(),
    })?;
    let times = |rate: Option<Rate>| rate.map_or("?".to_owned(), |rate| format!("{}x", fixed(rate, 2)));
    Some(Picture {
        title: "Effective leverage",
        summary: format!(
            "What was held came to {} of equity on average and to {} at most.",
            times(report.effective_leverage.mean),
            times(report.effective_leverage.highest)
        ),
        drawing,
        legend: vec![(Ink::Main, "what all positions are worth, over equity".to_owned())],
        left_out: String::new(),
    })
}

fn twin(report: &BacktestReport) -> Option<Picture> {
    let (holding, effect) = (report.hold_twin_profit?, report.rebalancing_effect?);
    let quote = clean(&report.quote);
    let drawing = chart::bars(
        &[
            bar("account", report.net_profit, Ink::Main),
            bar("hold twin", holding, Ink::Other),
            bar("rebalancing", effect, Ink::of(effect.approx())),
        ],
        &quote,
    )?;
    Some(Picture {
        title: "What rebalancing did",
        summary: format!(
            "The account earned {} {quote}, holding would have earned {}, so rebalancing made {}.",
            signed(report.net_profit),
            signed(holding),
            signed(effect)
        ),
        drawing,
        legend: vec![
            (Ink::Main, "net profit of the account".to_owned()),
            (
                Ink::Other,
                match report.hold_twin_uncounted_loss.is_zero() {
                    true => "the first purchases, never touched again".to_owned(),
                    false => {
                        "the first purchases, never touched again: at most everything is lost".to_owned()
                    }
                },
            ),
            (Ink::of(effect.approx()), "the difference".to_owned()),
        ],
        left_out: String::new(),
    })
}

fn bar(name: &str, amount: Notional, ink: Ink) -> Bar {
    Bar { name: name.to_owned(), value: amount.approx(), shown: signed(amount), ink }
}

fn contributions(report: &BacktestReport) -> Option<Picture> {
    let quote = clean(&report.quote);
    let (first, last) = shown_rows(report.per_coin.len());
    let shown = |(index, coin): (usize, &CoinResult)| {
        let name = clean(coin.symbol.coin(&report.quote));
        (index < first || index >= last)
            .then(|| bar(&name, coin.net_profit, Ink::of(coin.net_profit.approx())))
    };
    let bars: Vec<Bar> = report.per_coin.iter().enumerate().filter_map(shown).collect();
    let drawing = chart::bars(&bars, &quote)?;
    Some(Picture {
        title: "Contribution of each coin",
        summary: format!(
            "Net profit of {}: {} {quote}.",
            count(report.per_coin.len(), "coin"),
            signed(report.net_profit)
        ),
        drawing,
        legend: vec![(Ink::Gain, "net profit".to_owned()), (Ink::Loss, "net loss".to_owned())],
        left_out: match last - first {
            0 => String::new(),
            between => format!(
                "{} between the best and the worst are in the table below only.",
                count(between, "coin")
            ),
        },
    })
}

fn costs(report: &BacktestReport) -> Option<Picture> {
    let quote = clean(&report.quote);
    let cost = |name: &str, amount: Notional| bar(name, -amount, Ink::of(-amount.approx()));
    let drawing = chart::bars(
        &[cost("fees", report.fees), cost("funding", report.funding), cost("slippage", report.slippage)],
        &quote,
    )?;
    Some(Picture {
        title: "Costs",
        summary: format!(
            "Fees {} {quote} paid, funding {} {}, slippage {} lost.",
            money(report.fees),
            plain(report.funding.abs()),
            flow(report.funding),
            money(report.slippage)
        ),
        drawing,
        legend: vec![(Ink::Loss, "paid".to_owned()), (Ink::Gain, "received".to_owned())],
        left_out: "Slippage is in the profits of the coins already.".to_owned(),
    })
}
