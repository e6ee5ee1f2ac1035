//! A backtest's page.

use crate::render::courses;
use crate::render::earnings;
use crate::render::html::{
    Card, Html, cards, charts, head, list, page, said, section, table, tag, text, tint,
};
use crate::render::text::{clean, fixed, instant, money, share, short_percent};
use crate::render::trial;
use crate::report::backtest::BacktestReport;

/// The verdict, the figures, the charts, every coin, and what none of it models.
#[must_use]
pub fn backtest(report: &BacktestReport) -> String {
    let mut body = head("rebal backtest", &report.heading, &trial::span(report));
    body.push(said(&trial::verdict(report)));
    body.push(cards(&figures(report)));
    body.push(charts(&courses::pictures(report)));
    body.push(section("From start to end", &[table(&trial::bridge(report), "wrap")]));
    if let Some(grid) = trial::coins(report).first() {
        let legend = trial::legend(grid).map(|legend| tag("p", "foot", &[text(&legend.2)]));
        let inside: Vec<Html> = [table(grid, "")].into_iter().chain(legend).collect();
        body.push(section("Coins", &inside));
    }
    body.push(section("Figures", &[list(&trial::headlines(report))]));
    let refusals = trial::refusals(report);
    body.extend((!refusals.is_empty()).then(|| section("Not bought", &[list(&refusals)])));
    body.push(section("Prices and rules", &[list(&trial::ground(report))]));
    let left_out: Vec<Html> =
        report.not_modelled.iter().map(|sentence| tag("li", "", &[text(sentence)])).collect();
    body.push(section("What this does not model", &[tag("ul", "", &left_out)]));
    page(&format!("rebal backtest · {}", report.heading.profile), &body)
}

fn figures(report: &BacktestReport) -> Vec<Card> {
    let quote = clean(&report.quote);
    let growth = report.growth.map_or("return unknown".to_owned(), short_percent);
    let signed = |name, amount, more| (name, earnings::signed(amount), tint(amount), more);
    let mut cards = vec![
        ("Equity at the end", money(report.final_equity), "", format!("from {}", money(report.start_equity))),
        signed("Net profit", report.net_profit, format!("{quote}, {growth}")),
    ];
    cards.push(match (report.rebalancing_effect, report.hold_twin_profit) {
        (Some(effect), Some(twin)) => {
            let most = if report.hold_twin_uncounted_loss.is_zero() { "" } else { ", at most everything" };
            signed("Rebalancing", effect, format!("holding: {} {quote}{most}", earnings::signed(twin)))
        }
        _ => ("Rebalancing", "none".to_owned(), "", trial::effect(report)),
    });
    let leverage = report.effective_leverage;
    let times = |rate: Option<crate::domain::num::Rate>| {
        rate.map_or("?".to_owned(), |rate| format!("{}x", fixed(rate, 2)))
    };
    cards.extend([
        ("Max drawdown", share(report.max_drawdown), "", instant(report.max_drawdown_at)),
        (
            "Under water",
            report.under_water.share.map_or("?".to_owned(), share),
            "",
            "of the time below the peak".to_owned(),
        ),
        ("Leverage", times(leverage.mean), "", format!("on average, at most {}", times(leverage.highest))),
        signed("Fees", -report.fees, format!("{quote}, paid")),
        signed("Funding", -report.funding, format!("{quote}, {}", trial::flow(report.funding))),
        ("Slippage", money(report.slippage), "", "in the profits already".to_owned()),
        ("Trades", report.trades.to_string(), "", format!("{} {quote} turned over", money(report.turnover))),
    ]);
    cards
}
