//! Fixed shares of the total value: what rose above its share is sold, what fell below it is bought.

use std::collections::BTreeMap;

use crate::domain::memory::Allocation;
use crate::domain::num::{Notional, Rate};
use crate::domain::plan::Reason;
use crate::domain::snapshot::{Coin, Snapshot};
use crate::domain::symbol::Symbol;
use crate::strategy::{Action, Band, Memory, Quiet, Strategy, Whole, Wish};

/// Half width of the band around a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// A fraction of the coin's own target.
    Relative(Rate),
    /// Points of the portfolio.
    Absolute(Rate),
}

/// The settings of a weighted portfolio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    symbols: Vec<Symbol>,
    shares: BTreeMap<Symbol, Rate>,
    threshold: Threshold,
    initial_value: Notional,
    effective_leverage: Rate,
}

impl Weights {
    /// A portfolio of `shares`, each above 0 and together at most 1; what they leave is cash.
    /// `initial_value` is what the first allocation may deploy at most, zero for all.
    #[must_use]
    pub fn new(
        shares: BTreeMap<Symbol, Rate>,
        threshold: Threshold,
        initial_value: Notional,
        effective_leverage: Rate,
    ) -> Weights {
        let symbols = shares.keys().cloned().collect();
        Weights { symbols, shares, threshold, initial_value, effective_leverage }
    }

    /// What the shares are parts of: equity × leverage, less what the first allocation left out.
    #[must_use]
    pub fn whole(&self, snapshot: &Snapshot, memory: &Memory) -> Notional {
        let first = memory.allocation.unwrap_or_else(|| self.allocation(snapshot));
        let managed = snapshot.equity_of(&self.symbols) - self.left_out(first);
        managed.max(Notional::ZERO) * self.effective_leverage
    }

    /// What stays cash beside the portfolio: found anew from what there was, so that the setting may
    /// be changed later on.
    fn left_out(&self, first: Allocation) -> Notional {
        if self.initial_value.is_zero() {
            return Notional::ZERO;
        }
        let deployed = self.initial_value.min(first.available).min(first.equity);
        (first.equity - deployed).max(Notional::ZERO)
    }

    fn allocation(&self, snapshot: &Snapshot) -> Allocation {
        let equity = snapshot.equity_of(&self.symbols);
        let held = |symbol: &Symbol| snapshot.coins.get(symbol).is_some_and(Coin::is_held);
        // Coins that are there already are part of the portfolio, so the margin below them is as well.
        let available = if self.symbols.iter().any(held) {
            equity
        } else {
            snapshot.balance.available.max(Notional::ZERO)
        };
        Allocation { equity, available }
    }

    /// Half width of the band of a coin that should be worth `target`.
    fn band(&self, target: Notional, whole: Notional) -> Notional {
        match self.threshold {
            Threshold::Relative(rate) => target * rate,
            Threshold::Absolute(points) => whole * points,
        }
    }

    fn action(&self, value: Option<Notional>, target: Notional, band: Notional, due: bool) -> Action {
        let Some(value) = value else { return Action::Unknown };
        let trade = |reason| Action::Trade { to: target, reason };
        if value.is_zero() && target.is_positive() {
            return trade(Reason::Entry);
        }
        if value > target + band {
            return trade(Reason::AboveBand);
        }
        if value < target - band {
            return trade(Reason::BelowBand);
        }
        if due && value != target { trade(Reason::Calendar) } else { Action::Hold }
    }

    fn wish(&self, symbol: &Symbol, share: Rate, whole: Notional, snapshot: &Snapshot, due: bool) -> Wish {
        let target = whole * share;
        let band = self.band(target, whole);
        let value = snapshot.coins.get(symbol).and_then(Coin::value);
        Wish {
            symbol: symbol.clone(),
            target,
            threshold: band.over(target).unwrap_or_default(),
            ends_at: Rate::ZERO,
            stop: None,
            whole: Some(whole),
            action: self.action(value, target, band, due),
        }
    }

    /// A coin of ours that has no share any more.
    fn leaver(&self, symbol: &Symbol, coin: &Coin, whole: Notional) -> Option<Wish> {
        let ours = coin.managed && coin.is_held() && !self.shares.contains_key(symbol);
        ours.then(|| Wish {
            symbol: symbol.clone(),
            target: Notional::ZERO,
            threshold: Rate::ZERO,
            ends_at: Rate::ZERO,
            stop: None,
            whole: Some(whole),
            action: Action::Close { reason: Reason::LeftUniverse },
        })
    }
}

impl Strategy for Weights {
    fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    fn wishes(&self, snapshot: &Snapshot, memory: &Memory) -> Vec<Wish> {
        let whole = self.whole(snapshot, memory);
        let due = memory.calendar_due;
        let members =
            self.shares.iter().map(|(symbol, share)| self.wish(symbol, *share, whole, snapshot, due));
        let leavers = snapshot.coins.iter().filter_map(|(symbol, coin)| self.leaver(symbol, coin, whole));
        members.chain(leavers).collect()
    }

    fn has_shares(&self) -> bool {
        true
    }

    fn quiet(&self, snapshot: &Snapshot, memory: &Memory) -> Quiet {
        let whole = self.whole(snapshot, memory);
        let leaves = |(symbol, coin): (&Symbol, &Coin)| self.leaver(symbol, coin, whole).is_some();
        let Some(first) = memory.allocation.filter(|_| !snapshot.coins.iter().any(leaves)) else {
            return Quiet::Never;
        };
        let band = |(symbol, share): (&Symbol, &Rate)| {
            let width = match self.threshold {
                Threshold::Relative(rate) => rate,
                Threshold::Absolute(points) => points.over(*share)?,
            };
            Some(Band {
                symbol: symbol.clone(),
                share: *share,
                above: Rate::ONE + width,
                sold_to: Rate::ONE,
                below: Rate::ONE - width,
                bought_to: Rate::ONE,
            })
        };
        let whole = Whole::Equity { less: self.left_out(first), times: self.effective_leverage };
        let bands: Option<Vec<Band>> = self.shares.iter().map(band).collect();
        bands.map_or(Quiet::Never, |bands| Quiet::InBands { whole, bands })
    }

    fn has_memory(&self) -> bool {
        true
    }

    fn remember(&self, snapshot: &Snapshot, memory: &Memory) -> Memory {
        let allocation = memory.allocation.or_else(|| Some(self.allocation(snapshot)));
        Memory { allocation, ..memory.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::samples::{coin, snapshot, symbol};

    fn weights(threshold: Threshold) -> Weights {
        let shares = [("AUSDT", 50), ("BUSDT", 20)];
        let shares = shares.map(|(name, share)| (symbol(name), Rate::new(share, 2)));
        Weights::new(BTreeMap::from(shares), threshold, Notional::ZERO, Rate::ONE)
    }

    fn relative() -> Weights {
        weights(Threshold::Relative(Rate::new(10, 2)))
    }

    fn shown(weights: &Weights, snapshot: &Snapshot, memory: &Memory) -> Vec<String> {
        let show = |wish: &Wish| {
            let action = match &wish.action {
                Action::Trade { to, reason } => format!("{} {to}", reason.as_str()),
                Action::Close { reason } => format!("{} 0", reason.as_str()),
                Action::Hold => "hold".to_owned(),
                other => format!("{other:?}"),
            };
            format!("{} {} {action}", wish.symbol, wish.target)
        };
        weights.wishes(snapshot, memory).iter().map(show).collect()
    }

    /// Worked by hand: of 1000, A should be 500 ± 50, B 200 ± 20, and 300 stay cash.
    #[test]
    fn strength_is_sold_weakness_bought_and_the_rest_is_cash() {
        for (a, b, expected) in [
            ("55", "22", ["AUSDT 500 hold", "BUSDT 200 hold"]),
            ("55.1", "17.9", ["AUSDT 500 above_band 500", "BUSDT 200 below_band 200"]),
            ("45", "18", ["AUSDT 500 hold", "BUSDT 200 hold"]),
            ("44.9", "0", ["AUSDT 500 below_band 500", "BUSDT 200 entry 200"]),
        ] {
            let coins = vec![coin("AUSDT", a, "10", "10"), coin("BUSDT", b, "10", "10")];
            assert_eq!(shown(&relative(), &snapshot(1000, coins), &Memory::default()), expected, "{a} {b}");
        }
    }

    /// The same band of 10 points is 50 ± 10 % for A and 20 ± 10 % for B: half of B's own target.
    #[test]
    fn points_of_the_portfolio_are_wider_for_a_small_share() {
        let absolute = weights(Threshold::Absolute(Rate::new(10, 2)));
        for (a, b, expected) in [
            ("60", "30", ["AUSDT 500 hold", "BUSDT 200 hold"]),
            ("60.1", "30.1", ["AUSDT 500 above_band 500", "BUSDT 200 above_band 200"]),
            ("40", "9.9", ["AUSDT 500 hold", "BUSDT 200 below_band 200"]),
        ] {
            let snapshot = snapshot(1000, vec![coin("AUSDT", a, "10", "10"), coin("BUSDT", b, "10", "10")]);
            assert_eq!(shown(&absolute, &snapshot, &Memory::default()), expected, "{a} {b}");
        }
        let none = snapshot(1000, Vec::new());
        let bands: Vec<String> = absolute
            .wishes(&none, &Memory::default())
            .iter()
            .map(|wish| wish.threshold.to_string())
            .collect();
        assert_eq!(bands, ["0.2", "0.5"]);
    }

    #[test]
    fn the_calendar_trades_inside_the_band_and_a_coin_without_a_share_is_sold() {
        let due = Memory { calendar_due: true, ..Memory::default() };
        let coins = vec![
            coin("AUSDT", "51", "10", "10"),
            coin("BUSDT", "20", "10", "10"),
            coin("CUSDT", "1", "10", "10"),
        ];
        let expected = ["AUSDT 500 calendar 500", "BUSDT 200 hold", "CUSDT 0 left_universe 0"];
        assert_eq!(shown(&relative(), &snapshot(1000, coins), &due), expected);
    }

    #[test]
    fn a_coin_without_a_price_is_not_taken_for_a_coin_worth_nothing() {
        let mut blind = coin("AUSDT", "50", "10", "10");
        blind.market = None;
        let wishes = relative().wishes(&snapshot(1000, vec![blind]), &Memory::default());
        assert_eq!(wishes[0].action, Action::Unknown);
    }

    /// 300 of 1000 are deployed, 700 stay out for good: profit and deposits are in the portfolio.
    #[test]
    fn the_first_allocation_is_the_lesser_of_what_is_wanted_and_what_is_there() {
        let wanting = |value: i64| Weights { initial_value: Notional::new(value, 0), ..relative() };
        let mut first = snapshot(1000, Vec::new());
        assert_eq!(wanting(300).whole(&first, &Memory::default()).to_string(), "300");
        assert_eq!(wanting(5000).whole(&first, &Memory::default()).to_string(), "1000");
        assert_eq!(wanting(0).whole(&first, &Memory::default()).to_string(), "1000");
        let memory = wanting(300).remember(&first, &Memory::default());
        first.balance.equity = Notional::from(1050);
        assert_eq!(wanting(300).remember(&first, &memory), memory);
        assert_eq!(wanting(300).whole(&first, &memory).to_string(), "350");
        // Who wants more later on gets more.
        assert_eq!(wanting(400).whole(&first, &memory).to_string(), "450");
        assert_eq!(wanting(0).whole(&first, &memory).to_string(), "1050");
        first.balance.equity = Notional::from(600);
        assert_eq!(wanting(300).whole(&first, &memory).to_string(), "0");
        // Margin that somebody else's position ties up is not available.
        let mut tied = snapshot(1000, Vec::new());
        tied.balance.available = Notional::from(250);
        assert_eq!(wanting(300).whole(&tied, &Memory::default()).to_string(), "250");
    }

    /// 400 of 1000 are a coin of the owner's on spot: the shares are of the other 600. As a contract it would
    /// take nothing away.
    #[test]
    fn coins_that_are_not_ours_are_no_part_of_the_whole() {
        let mut theirs = coin("ZUSDT", "40", "10", "10");
        theirs.managed = false;
        let contract = snapshot(1000, vec![theirs.clone()]);
        assert_eq!(relative().whole(&contract, &Memory::default()).to_string(), "1000");
        theirs.rules.as_mut().unwrap().spot = Some(crate::domain::rules::SpotTerms::default());
        let mut spot = snapshot(1000, vec![theirs]);
        spot.balance.available = Notional::from(600);
        assert_eq!(relative().whole(&spot, &Memory::default()).to_string(), "600");
    }

    #[test]
    fn leverage_multiplies_the_whole() {
        let geared = Weights { effective_leverage: Rate::from(2), ..relative() };
        let targets: Vec<String> = geared
            .wishes(&snapshot(1000, Vec::new()), &Memory::default())
            .iter()
            .map(|wish| wish.target.to_string())
            .collect();
        assert_eq!(targets, ["1000", "400"]);
    }
}
