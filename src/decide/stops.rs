//! Which stops should rest at the exchange, and what has to change until they do.

use std::collections::BTreeMap;

use crate::domain::account::Position;
use crate::domain::num::{Price, Qty};
use crate::domain::order::{ClientId, Purpose, Side};
use crate::domain::plan::Leg;
use crate::domain::snapshot::{Block, Coin};
use crate::domain::stop::{Conditional, StopAction, StopChange, StopRequest};
use crate::domain::symbol::Symbol;
use crate::strategy::Strategy;

/// A stop that may be sent. Only [`Placing::approve`] makes one: it can only close what is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedStop {
    request: StopRequest,
}

impl ApprovedStop {
    /// What to send.
    #[must_use]
    pub fn request(&self) -> &StopRequest {
        &self.request
    }
}

/// A stop that is to rest and does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placing {
    symbol: Symbol,
    side: Side,
    trigger: Price,
    instead_of: Vec<Conditional>,
}

impl Placing {
    /// The contract.
    #[must_use]
    pub fn symbol(&self) -> &Symbol {
        &self.symbol
    }

    /// Ours that rest at another price: they go once the right one is there.
    #[must_use]
    pub fn instead_of(&self) -> &[Conditional] {
        &self.instead_of
    }

    /// What to send, with the id of `install`, `decision` and `number`.
    #[must_use]
    pub fn approve(&self, install: u32, decision: u32, number: u8) -> ApprovedStop {
        let client_id = ClientId { install, decision, leg: number, purpose: Purpose::Stop }.to_string();
        let (symbol, side, trigger) = (self.symbol.clone(), self.side, self.trigger);
        ApprovedStop { request: StopRequest { symbol, side, trigger, client_id } }
    }

    /// The change as it is told.
    #[must_use]
    pub fn change(&self) -> StopChange {
        let was = self.instead_of.first().map(|old| old.trigger);
        StopChange {
            symbol: self.symbol.clone(),
            action: if was.is_some() { StopAction::Move } else { StopAction::Place },
            trigger: Some(self.trigger),
            was,
            detail: match was {
                Some(was) => format!("one rests at {was}"),
                None => "none rests at the exchange".to_owned(),
            },
        }
    }
}

/// Why a stop of ours has nothing to do any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Useless {
    /// Nothing is held that it could close.
    NotHeld,
    /// The pass sells the coin itself.
    Sold,
    /// The coin is held and is none that should have a stop.
    NotWanted,
    /// Another one of ours does the same.
    Twice,
}

impl Useless {
    /// Why, in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Useless::NotHeld => "nothing is held that it could close",
            Useless::Sold => "the pass sells the coin itself",
            Useless::NotWanted => "the coin is to have no stop at the exchange",
            Useless::Twice => "another one does the same",
        }
    }
}

/// The stops that rest against those that should.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Coins whose stop rests as it should.
    pub guarded: Vec<Symbol>,
    /// Stops to place, in place of others or not.
    pub place: Vec<Placing>,
    /// Stops of ours to cancel.
    pub remove: Vec<(Conditional, Useless)>,
    /// Coins that should have a stop and can have none now, and why.
    pub unguarded: Vec<(Symbol, String)>,
}

impl Comparison {
    /// Every change, as it is told.
    #[must_use]
    pub fn changes(&self) -> Vec<StopChange> {
        let removal = |(old, why): &(Conditional, Useless)| StopChange {
            symbol: old.symbol.clone(),
            action: StopAction::Remove,
            trigger: None,
            was: Some(old.trigger),
            detail: why.as_str().to_owned(),
        };
        self.place.iter().map(Placing::change).chain(self.remove.iter().map(removal)).collect()
    }
}

/// Compares what `strategy` wants for `coins` with our stops that rest. A coin whose position is not
/// known for sure keeps what it has.
#[must_use]
pub fn compare(
    strategy: &dyn Strategy,
    coins: &BTreeMap<Symbol, Coin>,
    resting: &[Conditional],
) -> Comparison {
    let mut of: BTreeMap<&Symbol, Vec<&Conditional>> = BTreeMap::new();
    for stop in resting {
        of.entry(&stop.symbol).or_default().push(stop);
    }
    let mut found = Comparison::default();
    for (symbol, coin) in coins {
        let resting = of.remove(symbol).unwrap_or_default();
        of_coin(&mut found, strategy, (symbol, coin), &resting);
    }
    let strangers = of.into_values().flatten().map(|stop| (stop.clone(), Useless::NotHeld));
    found.remove.extend(strangers);
    found
}

/// The same for the coins as they will be when `legs` are done.
#[must_use]
pub fn planned(
    strategy: &dyn Strategy,
    coins: &BTreeMap<Symbol, Coin>,
    legs: &[Leg],
    resting: &[Conditional],
) -> Comparison {
    let mut found = compare(strategy, &expected(coins, legs), resting);
    for (stop, why) in &mut found.remove {
        if *why == Useless::NotHeld && coins.get(&stop.symbol).is_some_and(|coin| !coin.qty().is_zero()) {
            *why = Useless::Sold;
        }
    }
    found
}

fn of_coin(
    found: &mut Comparison,
    strategy: &dyn Strategy,
    (symbol, coin): (&Symbol, &Coin),
    resting: &[&Conditional],
) {
    let wanted = strategy.resting_stop(symbol, coin);
    if let Some(why) = unsure(coin) {
        if wanted.is_some() && resting.is_empty() {
            found.unguarded.push((symbol.clone(), why.to_owned()));
        }
        return;
    }
    let Some(level) = wanted else {
        let why = if coin.qty().is_zero() { Useless::NotHeld } else { Useless::NotWanted };
        found.remove.extend(resting.iter().map(|stop| ((*stop).clone(), why)));
        return;
    };
    let side = Side::of(-coin.qty());
    let trigger = match trigger(coin, level) {
        Ok(trigger) => trigger,
        Err(why) => {
            found.unguarded.push((symbol.clone(), why));
            return;
        }
    };
    let (mut right, wrong): (Vec<&Conditional>, Vec<&Conditional>) =
        resting.iter().copied().partition(|stop| stop.does(side, trigger));
    right.sort_by_key(|stop| (stop.created, stop.client_id.clone()));
    if let [_, twice @ ..] = right.as_slice() {
        let useless = twice.iter().chain(&wrong).map(|stop| ((*stop).clone(), Useless::Twice));
        found.remove.extend(useless);
        found.guarded.push(symbol.clone());
        return;
    }
    if let Some(mark) = coin.market.map(|market| market.mark.price).filter(|mark| *mark <= trigger) {
        let why = format!("its mark price of {mark} is at its stop of {trigger} already: a pass sells it");
        found.unguarded.push((symbol.clone(), why));
        return;
    }
    let instead_of = wrong.into_iter().cloned().collect();
    found.place.push(Placing { symbol: symbol.clone(), side, trigger, instead_of });
}

/// Why nothing follows from what a coin looks like now.
fn unsure(coin: &Coin) -> Option<&'static str> {
    match &coin.block {
        Some(Block::Unresolved { .. }) => Some("an order of ours has no known outcome yet"),
        Some(Block::Stale) => Some("its position was not readable yet"),
        Some(Block::Isolated) => Some("it is on isolated margin, which rebal does not trade"),
        Some(Block::ChangedElsewhere { .. } | Block::Locked { .. }) | None => {
            let nameless = coin.position.as_ref().is_some_and(|position| !position.entry_price.is_positive());
            nameless.then_some("the exchange names no entry price")
        }
    }
}

/// The price on the contract's tick that a stop at `level` gets: never above it, so that the exchange
/// does not sell what a pass would still hold.
fn trigger(coin: &Coin, level: Price) -> Result<Price, String> {
    let Some(rules) = &coin.rules else { return Err("the exchange does not list it any more".to_owned()) };
    let trigger = rules.tick_at_or_below(level);
    if trigger.is_positive() && trigger <= level {
        return Ok(trigger);
    }
    Err(format!("its stop of {} lies below the contract's smallest price", level.rounded(10)))
}

/// The coins as they will be when `legs` are done: closed whole, or bought at the price they were
/// reckoned at.
fn expected(coins: &BTreeMap<Symbol, Coin>, legs: &[Leg]) -> BTreeMap<Symbol, Coin> {
    let mut coins = coins.clone();
    for leg in legs {
        let Some(coin) = coins.get_mut(&leg.symbol) else { continue };
        let qty = coin.qty() + leg.side.signed(leg.qty);
        let before = coin.position.take();
        coin.position = (!qty.is_zero()).then(|| before.unwrap_or_else(|| bought(leg)));
        if let Some(position) = &mut coin.position {
            position.qty = qty;
        }
    }
    coins
}

fn bought(leg: &Leg) -> Position {
    Position {
        symbol: leg.symbol.clone(),
        qty: Qty::ZERO,
        entry_price: leg.ref_price,
        mark_price: leg.ref_price,
        unrealized: Default::default(),
        liquidation_price: None,
        updated: Default::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::decide::samples::{coin, symbol};
    use crate::domain::num::{Notional, Rate};
    use crate::domain::stop::{STOP_MARKET, StopStatus};
    use crate::domain::time::Time;
    use crate::strategy::moonshot::{Moonshot, Sizing};

    fn moonshot(names: &[&str]) -> Moonshot {
        Moonshot {
            symbols: names.iter().map(|name| symbol(name)).collect(),
            slots: 40,
            sizing: Sizing::Fixed(Notional::from(20)),
            stop_loss: Rate::new(30, 2),
            cooldown: Duration::ZERO,
            refill: true,
            trailing: None,
            exchange_stop: true,
        }
    }

    /// Bought at `entry`, held at a mark of 10.
    fn held(name: &str, qty: &str, entry: &str) -> (Symbol, Coin) {
        let mut coin = coin(name, "10", qty);
        if let Some(position) = &mut coin.position {
            position.entry_price = entry.parse().unwrap();
        }
        (symbol(name), coin)
    }

    fn stop(name: &str, id: &str, trigger: &str) -> Conditional {
        Conditional {
            symbol: symbol(name),
            client_id: format!("rb1{id}"),
            side: Side::Sell,
            kind: STOP_MARKET.into(),
            trigger: trigger.parse().unwrap(),
            closes: true,
            on_mark: true,
            status: StopStatus::Waiting,
            order_id: None,
            created: Time::default(),
        }
    }

    fn told(found: &Comparison) -> Vec<String> {
        let tell = |change: StopChange| {
            let at = |price: Option<Price>| price.map_or("-".to_owned(), |price| price.to_string());
            format!("{} {} {} {}", change.symbol, change.action.as_str(), at(change.was), at(change.trigger))
        };
        found.changes().into_iter().map(tell).collect()
    }

    /// Stop at −30 % of the entry. The samples' tick is 0.01.
    #[test]
    fn every_held_coin_gets_its_stop_below_its_level() {
        let coins = BTreeMap::from([
            held("AUSDT", "2", "10"),
            // 9.123 × 0.7 = 6.3861: rounded down.
            held("BUSDT", "2", "9.123"),
            held("CUSDT", "2", "11"),
            held("DUSDT", "0", "1"),
        ]);
        let resting = [
            stop("AUSDT", "a", "7"),
            stop("CUSDT", "c", "7"),
            stop("DUSDT", "d", "3"),
            stop("EUSDT", "e", "4"),
        ];
        let names = ["AUSDT", "BUSDT", "CUSDT", "DUSDT"];
        let found = compare(&moonshot(&names), &coins, &resting);
        assert_eq!(
            told(&found),
            ["BUSDT place - 6.38", "CUSDT move 7 7.7", "DUSDT remove 3 -", "EUSDT remove 4 -"]
        );
        assert_eq!((found.guarded, found.unguarded), (vec![symbol("AUSDT")], vec![]));
        let mut off = moonshot(&names);
        off.exchange_stop = false;
        let removed: Vec<String> = resting.iter().map(|stop| stop.client_id.clone()).collect();
        let found = compare(&off, &coins, &resting);
        let gone: Vec<String> = found.remove.iter().map(|(stop, _)| stop.client_id.clone()).collect();
        assert_eq!((gone, found.place.len()), (removed, 0));
    }

    #[test]
    fn one_of_several_is_kept_and_one_that_does_something_else_replaced() {
        let coins = BTreeMap::from([held("AUSDT", "2", "10")]);
        let two = [stop("AUSDT", "a", "7"), stop("AUSDT", "b", "7"), stop("AUSDT", "c", "6")];
        let found = compare(&moonshot(&["AUSDT"]), &coins, &two);
        let gone: Vec<&str> = found.remove.iter().map(|(stop, _)| stop.client_id.as_str()).collect();
        assert_eq!((gone, found.place.len()), (vec!["rb1b", "rb1c"], 0));
        let spoilt: [fn(&mut Conditional); 4] = [
            |stop| stop.side = Side::Buy,
            |stop| stop.closes = false,
            |stop| stop.on_mark = false,
            |stop| stop.kind = "TAKE_PROFIT_MARKET".into(),
        ];
        for spoil in spoilt {
            let mut other = stop("AUSDT", "a", "7");
            spoil(&mut other);
            let found = compare(&moonshot(&["AUSDT"]), &coins, &[other.clone()]);
            assert_eq!(told(&found), ["AUSDT move 7 7"]);
            assert_eq!(found.place[0].instead_of(), [other]);
        }
    }

    /// Whatever is not known for sure keeps its stop, and gets none: a second could follow a first one
    /// whose answer was lost.
    #[test]
    fn what_is_not_known_for_sure_is_left_as_it_is() {
        let block = |block| {
            let (symbol, mut coin) = held("AUSDT", "2", "10");
            coin.block = Some(block);
            BTreeMap::from([(symbol, coin)])
        };
        let (symbol, nameless) = held("AUSDT", "2", "0");
        for coins in [
            block(Block::Unresolved { until: Time::default() }),
            block(Block::Stale),
            block(Block::Isolated),
            BTreeMap::from([(symbol, nameless)]),
        ] {
            let found = compare(&moonshot(&["AUSDT"]), &coins, &[stop("AUSDT", "a", "5")]);
            assert!(found.changes().is_empty() && found.unguarded.is_empty(), "{found:?}");
            let found = compare(&moonshot(&["AUSDT"]), &coins, &[]);
            assert!(found.changes().is_empty(), "{found:?}");
        }
        let changed = block(Block::ChangedElsewhere { expected: 1.into(), found: 2.into() });
        assert_eq!(compare(&moonshot(&["AUSDT"]), &changed, &[]).place.len(), 1);
    }

    #[test]
    fn a_stop_that_would_fire_at_once_or_cannot_exist_is_named_instead() {
        let unguarded = |coin: (Symbol, Coin)| {
            let found = compare(&moonshot(&["AUSDT"]), &BTreeMap::from([coin]), &[]);
            assert!(found.place.is_empty());
            found.unguarded.first().map(|(_, why)| why.clone()).unwrap()
        };
        // Entry 14.29, stop 10.003, on the tick 10: the mark is there.
        assert!(unguarded(held("AUSDT", "2", "14.29")).contains("at its stop of 10 already"));
        assert!(unguarded(held("AUSDT", "2", "0.01")).contains("below the contract's smallest price"));
        let (symbol, mut unlisted) = held("AUSDT", "2", "10");
        unlisted.rules = None;
        assert!(unguarded((symbol, unlisted)).contains("does not list"));
    }

    #[test]
    fn ids_are_ours_and_tell_that_it_is_a_stop() {
        let coins = BTreeMap::from([held("AUSDT", "2", "10")]);
        let found = compare(&moonshot(&["AUSDT"]), &coins, &[]);
        let approved = found.place[0].approve(0xabcdef, 7, 3);
        let id = ClientId::read(&approved.request().client_id).unwrap();
        assert_eq!((id.install, id.decision, id.leg, id.purpose), (0xabcdef, 7, 3, Purpose::Stop));
        assert_eq!(approved.request().trigger, "7".parse().unwrap());
    }
}
