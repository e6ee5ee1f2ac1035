//! Invented reports for the tests of every format.

use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::Side;
use crate::domain::plan::{Held, Leg, Plan, Reason, SkipReason, Skipped, Standing, Warning};
use crate::domain::symbol::Symbol;
use crate::report::fees::Fees;
use crate::report::fees::tests::paid;
use crate::report::heading::Heading;
use crate::report::pass::{OrderOutcome, OrderReport, Outcome, PassReport};
use crate::report::plan::{PlanFigures, PlanReport};

pub(crate) fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

fn qty(text: &str) -> Qty {
    text.parse().unwrap()
}

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn money(text: &str) -> Notional {
    text.parse().unwrap()
}

pub(crate) fn heading(mode: &str) -> Heading {
    Heading {
        at: "2026-11-20T08:29:39.973Z".parse().unwrap(),
        profile: "rebal".into(),
        mode: mode.into(),
        venue: "binance-usdm".into(),
    }
}

pub(crate) fn figures() -> PlanFigures {
    PlanFigures {
        plan_id: "1fa3c".into(),
        quote: "USDT".into(),
        equity: money("52.1849"),
        available: money("31.07"),
        nav: Rate::new(103_421, 5),
        drawdown: Rate::new(321, 4),
        leverage_before: Rate::new(198, 2),
        leverage_after: Rate::new(203, 2),
        liquidation_before: Some(Rate::new(4912, 4)),
        liquidation_after: Some(Rate::new(4833, 4)),
        halted: None,
        stops: Vec::new(),
    }
}

fn standing(name: &str, value: &str, buy_band: i64) -> Standing {
    let target = Notional::from(20);
    let value = money(value);
    Standing {
        symbol: symbol(name),
        value: Some(value),
        target,
        drift: value.over(target).map(|ratio| ratio - Rate::ONE),
        sell_band: Rate::new(5, 2),
        effective_buy_band: Some(Rate::new(buy_band, 2)),
        stop: None,
        share: None,
        target_share: None,
    }
}

fn leg(coin: &Standing, side: Side, amount: &str, at: &str, reason: Reason) -> Leg {
    let notional = qty(amount) * price(at);
    Leg {
        symbol: coin.symbol.clone(),
        side,
        reduce_only: side == Side::Sell,
        qty: qty(amount),
        ref_price: price(at),
        limit_price: Some(price(at)),
        notional,
        drift: coin.drift,
        reason,
        spread_bps: Rate::new(12, 1),
        est_fee: notional * Rate::new(5, 4),
    }
}

fn warning(coin: &Standing, percent: u32) -> Warning {
    Warning {
        code: "effective_buy_band".into(),
        symbol: Some(coin.symbol.clone()),
        detail: format!(
            "sells at +5 % but can buy only below -{percent} %: its smallest order is 5.00, its target 20.00; \
             a target of {} per coin would make the band symmetric",
            percent * 4
        ),
    }
}

/// Five coins: one sold, one bought, two held (one of them Chinese), one skipped.
pub(crate) fn five() -> Plan {
    let coins = vec![
        standing("BTCUSDT", "21.30", 31),
        standing("ETHUSDT", "20.50", 25),
        standing("币安人生USDT", "18.10", 25),
        standing("1000PEPEUSDT", "14.20", 25),
        standing("WIFUSDT", "23.05", 25),
    ];
    let [btc, eth, life, pepe, wif] = coins.as_slice() else { panic!("five coins") };
    let held = |coin: &Standing| Held {
        symbol: coin.symbol.clone(),
        value: coin.value.unwrap(),
        target: coin.target,
        drift: coin.drift,
    };
    Plan {
        legs: vec![
            leg(btc, Side::Sell, "0.00002", "60123.4", Reason::AboveBand),
            leg(pepe, Side::Buy, "741", "0.0078271", Reason::BelowBand),
        ],
        held: vec![held(eth), held(life)],
        skipped: vec![Skipped {
            symbol: wif.symbol.clone(),
            reason: SkipReason::Spread,
            detail: "the book is 45.2 bps wide, the limit is 30".into(),
        }],
        warnings: coins
            .iter()
            .map(|coin| warning(coin, if coin.symbol == btc.symbol { 31 } else { 25 }))
            .collect(),
        settings: Vec::new(),
        gross_target: Notional::from(100),
        coins,
    }
}

/// Twenty coins of a first pass, all bought.
pub(crate) fn twenty() -> Plan {
    let names = "BTC ETH SOL BNB XRP DOGE ADA 1000SHIB 币安人生 AVAX LINK WIF 1000PEPE SUI TAO ONDO FET RENDER NEAR HYPE";
    let coins: Vec<Standing> =
        names.split(' ').map(|name| standing(&format!("{name}USDT"), "0", 25)).collect();
    let legs = coins.iter().map(|coin| leg(coin, Side::Buy, "12.3", "1.62", Reason::Entry)).collect();
    Plan { legs, coins, ..Plan::default() }
}

/// Two coins well inside symmetric bands.
pub(crate) fn quiet() -> Plan {
    let coins = vec![standing("BTCUSDT", "20.30", 5), standing("ETHUSDT", "19.20", 5)];
    let held = |coin: &Standing| Held {
        symbol: coin.symbol.clone(),
        value: coin.value.unwrap(),
        target: coin.target,
        drift: coin.drift,
    };
    Plan { held: coins.iter().map(held).collect(), coins, ..Plan::default() }
}

pub(crate) fn plan_report(mode: &str) -> PlanReport {
    PlanReport::new(heading(mode), figures(), &five())
}

/// One fee.
pub(crate) fn in_usdt(name: &str, fee: Notional) -> Fees {
    paid(name, &[("1", &fee.to_string(), "USDT")])
}

fn order(name: &str, side: Side, status: OrderOutcome, asked: &str, filled: &str, at: &str) -> OrderReport {
    let filled_qty = qty(filled);
    let some = !filled_qty.is_zero();
    let sold = some && side == Side::Sell;
    OrderReport {
        symbol: symbol(name),
        side,
        reason: if side == Side::Sell { "above_band" } else { "below_band" }.into(),
        client_order_id: "rb17c2e9a0001fa3c00r".into(),
        status,
        qty: qty(asked),
        filled_qty,
        avg_price: some.then(|| price(at)),
        fees: if some { in_usdt(name, filled_qty * price(at) * Rate::new(5, 4)) } else { Fees::default() },
        realized_pnl: if sold { money("0.25") } else { Notional::ZERO },
        error: None,
    }
}

/// A live pass in which not everything went well.
pub(crate) fn troubled_pass() -> PassReport {
    let unknown = OrderReport {
        error: Some("connection closed before the answer\u{1b}[2J".into()),
        ..order("ETHUSDT", Side::Buy, OrderOutcome::Unknown, "0.002", "0", "1")
    };
    PassReport {
        plan: Some(plan_report("live")),
        orders: vec![
            order("BTCUSDT", Side::Sell, OrderOutcome::Filled, "0.00002", "0.00002", "60120.123456"),
            order("1000PEPEUSDT", Side::Buy, OrderOutcome::Partial, "741", "500", "0.0078271"),
            unknown,
        ],
        settled: vec![order("币安人生USDT", Side::Sell, OrderOutcome::Expired, "12", "0", "1")],
        equity_before: Some(money("52.1849")),
        equity_after: Some(money("52.0512")),
        ..PassReport::new(heading("live"), "1fa3c", Outcome::Partial, 5)
    }
}
