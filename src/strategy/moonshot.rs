//! Many small positions: losers are cut at their stop, winners are never trimmed.

use std::time::Duration;

use crate::domain::account::Position;
use crate::domain::memory::High;
use crate::domain::num::{Notional, Price, Rate};
use crate::domain::plan::{Reason, SkipReason};
use crate::domain::rules::Rules;
use crate::domain::snapshot::{Block, Coin, Snapshot};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::strategy::{Action, Memory, Prices, Quiet, Strategy, Wish};

/// An average entry price that is the same to this many digits is that of the same purchases: fees of a spot account
/// that are taken from the coin leave it as it was but for the last digits of a quotient.
const SAME_ENTRY_DIGITS: u32 = 9;

/// How much one slot buys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizing {
    /// The same amount, whatever the equity.
    Fixed(Notional),
    /// Equity over the number of slots.
    Equity,
}

/// A stop that follows a winner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailing {
    /// Gain over the entry price from which it guards.
    pub start: Rate,
    /// How far below the highest price it lies.
    pub stop: Rate,
}

/// The settings of a moonshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moonshot {
    /// What it may buy, the best first.
    pub symbols: Vec<Symbol>,
    /// Positions at most.
    pub slots: u32,
    /// How much one slot buys.
    pub sizing: Sizing,
    /// Sold at or below entry × (1 − this).
    pub stop_loss: Rate,
    /// How long a stopped coin is not bought again.
    pub cooldown: Duration,
    /// Whether the slot of a stopped coin is filled again.
    pub refill: bool,
    /// The stop that follows winners, where it is on.
    pub trailing: Option<Trailing>,
    /// Whether the stop under the entry price rests at the exchange too.
    pub exchange_stop: bool,
}

impl Moonshot {
    fn slot(&self, equity: Notional) -> Notional {
        match self.sizing {
            Sizing::Fixed(value) => value,
            Sizing::Equity => {
                equity.max(Notional::ZERO).over_rate(Rate::from(self.slots)).unwrap_or_default()
            }
        }
    }

    /// Whether a held coin is one of its own. After a lost ledger the list still knows its coins: their
    /// stops must not depend on our memory.
    fn is_ours(&self, symbol: &Symbol, coin: &Coin) -> bool {
        coin.is_held() && (coin.managed || self.symbols.contains(symbol))
    }

    /// The highest price since the entry, this look included.
    fn high(position: &Position, mark: Price, memory: Option<&High>) -> Price {
        let entry = position.entry_price;
        let same = |high: &&High| (high.entry - entry).abs() <= entry * Rate::new(1, SAME_ENTRY_DIGITS);
        let before = memory.filter(same).map_or(entry, |high| high.price);
        before.max(mark).max(entry)
    }

    /// The price that a position is sold whole at, whatever it has been worth since.
    fn loss(&self, entry: Price) -> Price {
        entry * (Rate::ONE - self.stop_loss)
    }

    /// The price at or below which a position is sold whole, and why it would be.
    fn stop(&self, entry: Price, high: Price) -> (Price, Reason) {
        let loss = (self.loss(entry), Reason::StopLoss);
        let guards = |trailing: &Trailing| high >= entry * (Rate::ONE + trailing.start);
        match self.trailing.filter(guards) {
            Some(trailing) => {
                let follows = (high * (Rate::ONE - trailing.stop), Reason::TrailingStop);
                if follows.0 > loss.0 { follows } else { loss }
            }
            None => loss,
        }
    }

    /// A coin that is held: kept as it is, or sold whole. Its target is what it cost, so that its drift
    /// is its gain.
    fn kept(&self, symbol: &Symbol, coin: &Coin, memory: &Memory) -> Option<Wish> {
        let position = coin.position.as_ref().filter(|_| self.is_ours(symbol, coin))?;
        let entry = position.entry_price;
        let wish = |stop, action| Wish {
            symbol: symbol.clone(),
            target: position.qty * entry,
            threshold: Rate::ZERO,
            ends_at: Rate::ZERO,
            stop: Some(stop),
            whole: None,
            action,
        };
        let wait =
            |reason, detail: &str| wish(self.stop_loss, Action::Wait { reason, detail: detail.into() });
        if position.qty.is_negative() {
            return Some(wait(
                SkipReason::Short,
                "it is short, which no order of ours made; close it by hand",
            ));
        }
        if !entry.is_positive() {
            return Some(wait(
                SkipReason::NoPrice,
                "the exchange names no entry price, so its stop is not known",
            ));
        }
        let Some(market) = coin.market else { return Some(wish(self.stop_loss, Action::Unknown)) };
        let mark = market.mark.price;
        let (level, reason) = self.stop(entry, Self::high(position, mark, memory.highs.get(symbol)));
        let stop = Rate::ONE - level.over(entry).unwrap_or_default();
        // A stop that has sold a part goes on whatever the price has done since: half a loser is one too.
        let begun = memory.unfinished.get(symbol).copied();
        let closes = if mark <= level { Some(reason) } else { begun };
        Some(wish(stop, closes.map_or(Action::Hold, |reason| Action::Close { reason })))
    }

    /// Slots that are taken: positions, orders whose outcome is not known yet, and without refill those
    /// of coins that were stopped.
    fn taken(&self, snapshot: &Snapshot, memory: &Memory) -> usize {
        let held = |symbol: &Symbol, coin: &Coin| self.is_ours(symbol, coin);
        let under_way = |symbol: &Symbol, coin: &Coin| {
            matches!(coin.block, Some(Block::Unresolved { .. })) && self.symbols.contains(symbol)
        };
        let open =
            snapshot.coins.iter().filter(|(symbol, coin)| held(symbol, coin) || under_way(symbol, coin));
        let gone = |symbol: &Symbol| snapshot.coins.get(symbol).is_none_or(|coin| !held(symbol, coin));
        let spent = if self.refill { 0 } else { memory.stopped.keys().filter(|symbol| gone(symbol)).count() };
        open.count() + spent
    }

    /// A coin that is not held, on its turn while `free` slots are left.
    fn candidate(&self, symbol: &Symbol, snapshot: &Snapshot, memory: &Memory, free: &mut usize) -> Wish {
        let target = self.slot(snapshot.equity_of(&self.symbols));
        let coin = snapshot.coins.get(symbol);
        let wait = |reason, detail| Action::Wait { reason, detail };
        let action = if let Some(until) = self.cools_until(symbol, snapshot.at, memory) {
            wait(SkipReason::Cooldown, format!("sold at its stop, not bought again before {until}"))
        } else if coin.is_some_and(|coin| matches!(coin.block, Some(Block::Unresolved { .. }))) {
            // It has its slot already, and the plan says what it waits for.
            Action::Trade { to: target, reason: Reason::Entry }
        } else if *free == 0 {
            wait(SkipReason::NoSlot, format!("all {} slots are taken", self.slots))
        } else {
            // What cannot be bought must not keep a slot from what can.
            if coin.is_some_and(|coin| may_be_bought(coin, target)) {
                *free -= 1;
            }
            Action::Trade { to: target, reason: Reason::Entry }
        };
        let waits = matches!(action, Action::Wait { .. });
        Wish {
            symbol: symbol.clone(),
            target: if waits { Notional::ZERO } else { target },
            threshold: Rate::ZERO,
            ends_at: Rate::ZERO,
            stop: Some(self.stop_loss),
            whole: None,
            action,
        }
    }

    /// Between its stop and the price from which on a new high moves that stop. Only what is remembered
    /// counts: the price now is no high before a decision saw it.
    fn prices_of(&self, position: &Position, memory: &Memory) -> Prices {
        let entry = position.entry_price;
        let high = Self::high(position, entry, memory.highs.get(&position.symbol));
        let guarded = |trailing: &Trailing| high.max(entry * (Rate::ONE + trailing.start));
        Prices {
            symbol: position.symbol.clone(),
            low: self.stop(entry, high).0,
            high: self.trailing.as_ref().map(guarded),
        }
    }

    fn cools_until(&self, symbol: &Symbol, now: Time, memory: &Memory) -> Option<Time> {
        let stopped = memory.stopped.get(symbol)?;
        Some(*stopped + self.cooldown).filter(|until| now < *until)
    }
}

/// Whether a coin that is not held can be bought for `target` as far as its rules say.
fn may_be_bought(coin: &Coin, target: Notional) -> bool {
    let least = |rules: &Rules, price| rules.least_open(price, false).map(|qty| qty * price);
    match (&coin.rules, &coin.market) {
        (Some(rules), Some(market)) => {
            rules.status.as_str() == "TRADING"
                && rules.opens()
                && least(rules, market.mark.price).is_some_and(|least| least <= target)
        }
        _ => false,
    }
}

impl Strategy for Moonshot {
    fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    fn wishes(&self, snapshot: &Snapshot, memory: &Memory) -> Vec<Wish> {
        let kept = snapshot.coins.iter().filter_map(|(symbol, coin)| self.kept(symbol, coin, memory));
        let mut wishes: Vec<Wish> = kept.collect();
        let slots = usize::try_from(self.slots).unwrap_or(usize::MAX);
        let mut free = slots.saturating_sub(self.taken(snapshot, memory));
        let is_held = |symbol: &Symbol| snapshot.coins.get(symbol).is_some_and(Coin::is_held);
        for symbol in self.symbols.iter().filter(|symbol| !is_held(symbol)) {
            wishes.push(self.candidate(symbol, snapshot, memory, &mut free));
        }
        wishes
    }

    fn has_memory(&self) -> bool {
        true
    }

    fn rests_stops(&self) -> bool {
        self.exchange_stop
    }

    /// The one that follows a winner does not rest: its price is known to the pass alone.
    fn resting_stop(&self, symbol: &Symbol, coin: &Coin) -> Option<Price> {
        let position = coin.position.as_ref().filter(|_| self.exchange_stop && self.is_ours(symbol, coin))?;
        let known = position.qty.is_positive() && position.entry_price.is_positive();
        known.then(|| self.loss(position.entry_price))
    }

    fn has_entries(&self) -> bool {
        true
    }

    fn quiet(&self, snapshot: &Snapshot, memory: &Memory) -> Quiet {
        let (mut coins, mut until) = (Vec::new(), None);
        for wish in self.wishes(snapshot, memory) {
            let Some(coin) = snapshot.coins.get(&wish.symbol) else { continue };
            match (wish.action, &coin.position) {
                (Action::Hold | Action::Close { .. }, Some(position)) => {
                    coins.push(self.prices_of(position, memory));
                }
                (Action::Wait { reason: SkipReason::Cooldown, .. }, _) => {
                    let ends = self.cools_until(&wish.symbol, snapshot.at, memory);
                    until = [until, ends].into_iter().flatten().min();
                }
                // What has a slot and no price is bought when it has one: that is another snapshot.
                (Action::Wait { .. } | Action::Unknown, _) => {}
                (Action::Trade { .. }, _) if coin.market.is_none() => {}
                _ => return Quiet::Never,
            }
        }
        Quiet::BetweenPrices { coins, until }
    }

    fn remember(&self, snapshot: &Snapshot, memory: &Memory) -> Memory {
        let high = |symbol: &Symbol, coin: &Coin| {
            let position = coin.position.as_ref().filter(|_| self.is_ours(symbol, coin))?;
            let before = memory.highs.get(symbol);
            // Without a price nothing is forgotten.
            let mark = coin.market.map_or(position.entry_price, |market| market.mark.price);
            let price = Self::high(position, mark, before);
            Some((symbol.clone(), High { entry: position.entry_price, price }))
        };
        let highs = match self.trailing {
            Some(_) => snapshot.coins.iter().filter_map(|(symbol, coin)| high(symbol, coin)).collect(),
            None => memory.highs.clone(),
        };
        Memory { highs, ..memory.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::strategy::samples::{coin, snapshot, symbol};

    const DAY: Duration = Duration::from_secs(86_400);

    fn moonshot(names: &[&str], slots: u32) -> Moonshot {
        Moonshot {
            symbols: names.iter().map(|name| symbol(name)).collect(),
            slots,
            sizing: Sizing::Fixed(Notional::from(20)),
            stop_loss: Rate::new(30, 2),
            cooldown: DAY * 30,
            refill: true,
            trailing: None,
            exchange_stop: false,
        }
    }

    fn shown(moonshot: &Moonshot, coins: Vec<Coin>, memory: &Memory) -> Vec<String> {
        let show = |wish: &Wish| {
            let action = match &wish.action {
                Action::Trade { to, reason } => format!("{} {to}", reason.as_str()),
                Action::Close { reason } => format!("{} 0", reason.as_str()),
                Action::Hold => "hold".to_owned(),
                Action::Wait { reason, .. } => reason.as_str().to_owned(),
                Action::Unknown => "unknown".to_owned(),
            };
            format!("{} {action}", wish.symbol.coin("USDT"))
        };
        moonshot.wishes(&snapshot(1000, coins), memory).iter().map(show).collect()
    }

    /// Entry 10, stop 7: at 7 it is sold, a hair above it is not; nothing in between is traded.
    #[test]
    fn losers_are_cut_at_the_stop_and_winners_left_alone() {
        for (mark, expected) in [
            ("7.01", "A hold"),
            ("7", "A stop_loss 0"),
            ("4", "A stop_loss 0"),
            ("9.99", "A hold"),
            ("110", "A hold"),
            ("1000", "A hold"),
        ] {
            let coins = vec![coin("AUSDT", "2", "10", mark)];
            assert_eq!(shown(&moonshot(&["AUSDT"], 1), coins, &Memory::default()), [expected], "{mark}");
        }
    }

    #[test]
    fn free_slots_are_filled_in_the_order_of_the_list() {
        let names = ["CUSDT", "AUSDT", "BUSDT", "DUSDT"];
        let coins = || {
            vec![
                coin("AUSDT", "0", "0", "10"),
                coin("BUSDT", "2", "10", "11"),
                coin("CUSDT", "0", "0", "10"),
                coin("DUSDT", "0", "0", "10"),
            ]
        };
        assert_eq!(
            shown(&moonshot(&names, 2), coins(), &Memory::default()),
            ["B hold", "C entry 20", "A no_slot", "D no_slot"]
        );
        // What cannot be bought keeps no slot from what can.
        let mut closed = coins();
        closed[2].market = None;
        assert_eq!(
            shown(&moonshot(&names, 2), closed, &Memory::default()),
            ["B hold", "C entry 20", "A entry 20", "D no_slot"]
        );
        // An order under way may still become a position.
        let mut under_way = coins();
        under_way[3].block = Some(Block::Unresolved { until: Time::default() });
        assert_eq!(
            shown(&moonshot(&names, 2), under_way, &Memory::default()),
            ["B hold", "C no_slot", "A no_slot", "D entry 20"]
        );
    }

    #[test]
    fn a_stopped_coin_cools_down_and_its_slot_goes_to_the_next() {
        let now = snapshot(1, Vec::new()).at;
        let stopped =
            |ago| Memory { stopped: BTreeMap::from([(symbol("AUSDT"), now - ago)]), ..Memory::default() };
        let coins = || vec![coin("AUSDT", "0", "0", "10"), coin("BUSDT", "0", "0", "10")];
        let mut moonshot = moonshot(&["AUSDT", "BUSDT"], 1);
        let second = Duration::from_secs(1);
        assert_eq!(shown(&moonshot, coins(), &stopped(DAY * 30 - second)), ["A cooldown", "B entry 20"]);
        assert_eq!(shown(&moonshot, coins(), &stopped(DAY * 30)), ["A entry 20", "B no_slot"]);
        moonshot.refill = false;
        assert_eq!(shown(&moonshot, coins(), &stopped(DAY)), ["A cooldown", "B no_slot"]);
    }

    /// On spot a sale leaves less than a step of a coin: that keeps no slot. A coin whose worth fell below
    /// the smallest order does: it was no less before.
    #[test]
    fn what_a_sale_left_over_keeps_no_slot() {
        let on_spot = |qty: &str, mark: &str| {
            let mut coin = coin("AUSDT", qty, "10", mark);
            coin.rules.as_mut().unwrap().spot = Some(crate::domain::rules::SpotTerms::default());
            vec![coin]
        };
        let none = Memory::default();
        assert_eq!(shown(&moonshot(&["AUSDT"], 1), on_spot("0.01", "9"), &none), ["A entry 20"]);
        assert_eq!(shown(&moonshot(&["AUSDT"], 1), on_spot("2", "1"), &none), ["A stop_loss 0"]);
    }

    #[test]
    fn a_winner_that_left_the_list_stays_and_a_strangers_position_is_not_touched() {
        let mut theirs = coin("BUSDT", "5", "10", "1");
        theirs.managed = false;
        let coins = vec![coin("AUSDT", "2", "10", "30"), theirs.clone()];
        assert_eq!(shown(&moonshot(&["CUSDT"], 1), coins, &Memory::default()), ["A hold", "C no_slot"]);
        // After a lost ledger the list still knows it, and so does its stop.
        assert_eq!(shown(&moonshot(&["BUSDT"], 1), vec![theirs], &Memory::default()), ["B stop_loss 0"]);
        let short = coin("AUSDT", "-5", "10", "1");
        assert_eq!(shown(&moonshot(&["AUSDT"], 1), vec![short], &Memory::default()), ["A short"]);
    }

    #[test]
    fn without_a_price_or_an_entry_nothing_is_sold() {
        let mut blind = coin("AUSDT", "2", "10", "1");
        blind.market = None;
        assert_eq!(shown(&moonshot(&["AUSDT"], 1), vec![blind], &Memory::default()), ["A unknown"]);
        let nameless = coin("AUSDT", "2", "0", "1");
        assert_eq!(shown(&moonshot(&["AUSDT"], 1), vec![nameless], &Memory::default()), ["A no_price"]);
    }

    /// Entry 10, guarded from +100 % at half of the highest price. After a high of 30 that is 15.
    #[test]
    fn a_trailing_stop_guards_what_a_winner_made() {
        let mut moonshot = moonshot(&["AUSDT"], 1);
        moonshot.trailing = Some(Trailing { start: Rate::ONE, stop: Rate::new(5, 1) });
        let high =
            |entry: &str, price: &str| High { entry: entry.parse().unwrap(), price: price.parse().unwrap() };
        let seen = |high| Memory { highs: BTreeMap::from([(symbol("AUSDT"), high)]), ..Memory::default() };
        for (mark, memory, expected) in [
            ("15.1", seen(high("10", "30")), "A hold"),
            ("15", seen(high("10", "30")), "A trailing_stop 0"),
            ("6", seen(high("10", "30")), "A trailing_stop 0"),
            // Not +100 % yet: only the stop under the entry price counts.
            ("9", seen(high("10", "19.9")), "A hold"),
            ("6", seen(high("10", "19.9")), "A stop_loss 0"),
            // The same purchases, after a fee that was taken from the coin.
            ("15", seen(high("10.0000000000001", "30")), "A trailing_stop 0"),
            // The high of another position at another price says nothing of this one.
            ("15", seen(high("9", "30")), "A hold"),
        ] {
            let coins = vec![coin("AUSDT", "2", "10", mark)];
            assert_eq!(shown(&moonshot, coins, &memory), [expected], "{mark} {memory:?}");
        }
        let remembered = |mark: &str, memory: &Memory| {
            let snapshot = snapshot(1000, vec![coin("AUSDT", "2", "10", mark)]);
            moonshot.remember(&snapshot, memory).highs.get(&symbol("AUSDT")).copied()
        };
        assert_eq!(remembered("25", &Memory::default()), Some(high("10", "25")));
        assert_eq!(remembered("8", &Memory::default()), Some(high("10", "10")));
        assert_eq!(remembered("25", &seen(high("10", "30"))), Some(high("10", "30")));
        assert_eq!(remembered("25", &seen(high("9", "30"))), Some(high("10", "25")));
        let flat = moonshot.remember(&snapshot(1000, Vec::new()), &seen(high("10", "30")));
        assert!(flat.highs.is_empty());
    }

    /// Entry 10, stop 7. A part was sold at the stop, the rest recovered to 9.
    #[test]
    fn a_stop_that_has_begun_is_finished() {
        let begun = Memory {
            unfinished: BTreeMap::from([(symbol("AUSDT"), Reason::TrailingStop)]),
            ..Memory::default()
        };
        let coins = |mark| vec![coin("AUSDT", "1", "10", mark), coin("BUSDT", "1", "10", mark)];
        let moonshot = moonshot(&["AUSDT", "BUSDT"], 2);
        assert_eq!(shown(&moonshot, coins("9"), &begun), ["A trailing_stop 0", "B hold"]);
        assert_eq!(shown(&moonshot, coins("7"), &begun), ["A stop_loss 0", "B stop_loss 0"]);
    }

    /// Entry 10: it rests at 7, wherever the one lies that follows the winner.
    #[test]
    fn the_stop_under_the_entry_rests_and_the_one_that_follows_does_not() {
        let mut moonshot = moonshot(&["AUSDT"], 1);
        moonshot.trailing = Some(Trailing { start: Rate::ONE, stop: Rate::new(5, 1) });
        let at = |moonshot: &Moonshot, coin: &Coin| {
            moonshot.resting_stop(&symbol("AUSDT"), coin).map(|price| price.to_string())
        };
        let held = coin("AUSDT", "2", "10", "90");
        assert_eq!((moonshot.rests_stops(), at(&moonshot, &held)), (false, None));
        moonshot.exchange_stop = true;
        assert_eq!((moonshot.rests_stops(), at(&moonshot, &held).as_deref()), (true, Some("7")));
        let mut theirs = coin("BUSDT", "2", "10", "9");
        theirs.managed = false;
        assert_eq!(moonshot.resting_stop(&symbol("BUSDT"), &theirs), None);
        for none in
            [coin("AUSDT", "0", "0", "9"), coin("AUSDT", "-2", "10", "9"), coin("AUSDT", "2", "0", "9")]
        {
            assert_eq!(at(&moonshot, &none), None, "{none:?}");
        }
    }

    #[test]
    fn an_equity_sized_slot_is_a_part_of_it() {
        let moonshot = Moonshot { sizing: Sizing::Equity, ..moonshot(&["AUSDT"], 40) };
        assert_eq!(moonshot.slot(Notional::from(1000)).to_string(), "25");
        assert_eq!(moonshot.slot(-Notional::from(1000)), Notional::ZERO);
    }
}
