//! Rows about how the account is set, and whether that fits the configuration.

use crate::domain::account::{AccountModes, Balance, max_notional};
use crate::domain::num::Notional;
use crate::domain::snapshot::{Coin, Snapshot};
use crate::domain::symbol::Symbol;
use crate::report::doctor::question::{
    ACCOUNT, ASSET_MODE, BRACKETS, LEVERAGE, MARGIN_TYPE, MAY_TRADE, POSITION_MODE, Question,
};
use crate::report::doctor::{Failure, Row, named};

/// What a spot account answers to a question about margin.
const SPOT: &str = "spot has none";

/// How much is in the account.
#[must_use]
pub fn equity(balance: &Balance, positions: usize, quote: &str) -> Row {
    let plural = if positions == 1 { "" } else { "s" };
    let found = format!(
        "equity {:.2} {quote}, {:.2} available, {positions} position{plural}",
        balance.equity, balance.available
    );
    match balance.equity.is_positive() {
        true => ACCOUNT.ok(found),
        false => ACCOUNT.fail(Failure::Unavailable, found, format!("move {quote} into this wallet")),
    }
}

/// What holds for the account as a whole.
#[must_use]
pub fn modes(modes: &AccountModes, spot: bool) -> [Row; 3] {
    let may_trade = match modes.can_trade {
        true => MAY_TRADE.ok("yes"),
        false => MAY_TRADE.fail(Failure::Config, "no", "the exchange's notices say why"),
    };
    if spot {
        return [may_trade, POSITION_MODE.ok(SPOT), ASSET_MODE.ok(SPOT)];
    }
    let position_mode = match modes.hedge {
        false => POSITION_MODE.ok("one-way"),
        true => POSITION_MODE.fail(
            Failure::Config,
            "hedge mode",
            "close all positions and orders, then switch to one-way: Futures > Preferences > Position Mode",
        ),
    };
    let asset_mode = match modes.multi_assets {
        false => ASSET_MODE.ok("single-asset"),
        true => ASSET_MODE.fail(
            Failure::Config,
            "multi-assets mode",
            "switch to single-asset: Futures > Preferences > Asset Mode",
        ),
    };
    [may_trade, position_mode, asset_mode]
}

/// Margin type, leverage and tiers of the coins of `snapshot`, each to be held at `target`.
#[must_use]
pub fn settings(
    snapshot: &Snapshot,
    leverage: u32,
    target: impl Fn(&Symbol) -> Option<Notional>,
    spot: bool,
) -> [Row; 3] {
    let needed = format!("{leverage}x (futures.leverage)");
    if spot {
        return [MARGIN_TYPE.ok(SPOT), LEVERAGE.ok(SPOT), BRACKETS.ok(SPOT)];
    }
    [
        margin_type(snapshot),
        self::leverage(snapshot, leverage).needing(needed),
        brackets(snapshot, leverage, target),
    ]
}

/// Whether each coin is set as `wanted`. A pass sets a coin that is not before it buys; where it is held
/// already, that changes what ties up margin now.
fn set(
    question: &Question,
    snapshot: &Snapshot,
    (as_wanted, otherwise): (&str, &str),
    is_wanted: impl Fn(&Coin) -> Option<bool>,
    fix: &str,
) -> Row {
    let coins = || snapshot.coins.iter();
    let told = coins().filter(|(_, coin)| is_wanted(coin).is_some()).count();
    if told == 0 {
        return question.unknown(match snapshot.coins.is_empty() {
            true => "no coin to look at",
            false => "the exchange did not say",
        });
    }
    let differs = |(_, coin): &(&Symbol, &Coin)| is_wanted(coin) == Some(false);
    let differing: Vec<&Symbol> = coins().filter(differs).map(|(symbol, _)| symbol).collect();
    let held = coins().filter(differs).filter(|(_, coin)| !coin.qty().is_zero());
    let held: Vec<&Symbol> = held.map(|(symbol, _)| symbol).collect();
    match (differing.as_slice(), held.as_slice()) {
        ([], _) => question.ok(format!("{as_wanted}: all {told} coins")),
        (flat, []) => question.ok(format!("{otherwise}: {}; a pass sets it before it buys", named(flat))),
        (_, held) => question.warn(format!("{otherwise} and held: {}", named(held)), fix),
    }
}

fn margin_type(snapshot: &Snapshot) -> Row {
    let cross = |coin: &Coin| coin.setting.map(|setting| setting.cross);
    let fix = "close them or switch them to cross by hand: rebal leaves isolated positions alone";
    set(&MARGIN_TYPE, snapshot, ("cross", "isolated"), cross, fix)
}

fn leverage(snapshot: &Snapshot, wanted: u32) -> Row {
    let most = |coin: &Coin| coin.brackets.first().map_or(wanted, |tier| tier.max_leverage.min(wanted));
    let is_wanted = |coin: &Coin| coin.setting.map(|setting| setting.leverage == most(coin));
    let (as_wanted, otherwise) = (format!("{wanted}x"), format!("not {wanted}x"));
    let fix = "nothing to do: the next pass that buys them sets it";
    set(&LEVERAGE, snapshot, (&as_wanted, &otherwise), is_wanted, fix)
}

fn brackets(snapshot: &Snapshot, leverage: u32, target: impl Fn(&Symbol) -> Option<Notional>) -> Row {
    let needed = format!("tiers that allow {leverage}x at the target");
    // What is not listed has a row of its own.
    let listed: Vec<(&Symbol, &Coin)> =
        snapshot.coins.iter().filter(|(_, coin)| coin.rules.is_some()).collect();
    let those = |is: &dyn Fn(&Symbol, &Coin) -> bool| {
        listed.iter().filter(|(symbol, coin)| is(symbol, coin)).map(|(symbol, _)| *symbol).collect::<Vec<_>>()
    };
    let blind = those(&|_, coin| coin.brackets.is_empty());
    let tight = those(&|symbol, coin| {
        let most = max_notional(&coin.brackets, leverage);
        most.is_none_or(|most| target(symbol).is_some_and(|target| target > most))
    });
    let row = match (listed.len(), blind.as_slice(), tight.as_slice()) {
        (0, ..) => BRACKETS.unknown("no coin to look at"),
        (_, blind @ [_, ..], _) => BRACKETS.unknown(format!("no maintenance tiers: {}", named(blind))),
        (all, [], []) => BRACKETS.ok(format!("{leverage}x is allowed for all {all} coins")),
        (_, [], tight) => BRACKETS.warn(
            format!("less than {leverage}x, or less value, is allowed for {}", named(tight)),
            "a pass takes the most that is allowed; lower futures.leverage, or exclude them",
        ),
    };
    row.needing(needed)
}
