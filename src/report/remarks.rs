//! What is said of several coins at once: skips by reason, warnings by code, one-sided bands.

use std::collections::BTreeMap;

use crate::domain::num::{Notional, Rate};
use crate::domain::plan::SkipReason;
use crate::domain::symbol::Symbol;
use crate::report::plan::PlanReport;

/// The warning that [`PlanReport::one_sided`] says better for all coins at once.
const BAND_WARNING: &str = "effective_buy_band";

/// Coins that share a reason, each with its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<R> {
    /// What they share.
    pub about: R,
    /// Which coin (`None` for the account as a whole), and what is said of it.
    pub rows: Vec<(Option<Symbol>, String)>,
}

/// Coins that sell earlier than they can buy, because the exchange's smallest order is large
/// beside their target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneSided {
    /// Which.
    pub coins: Vec<Symbol>,
    /// They sell above target × (1 + this).
    pub sell_band: Rate,
    /// The smallest of their effective buy bands …
    pub buy_band_from: Rate,
    /// … and the largest.
    pub buy_band_to: Rate,
    /// The smallest of their targets …
    pub target_from: Notional,
    /// … and the largest.
    pub target_to: Notional,
    /// What would help the worst of them, in the decision's own words; empty where it gave none.
    pub advice: String,
}

impl PlanReport {
    /// Skipped coins by reason.
    #[must_use]
    pub fn skips(&self) -> Vec<Group<SkipReason>> {
        grouped(self.skipped.iter().map(|skip| (skip.reason, Some(skip.symbol.clone()), skip.detail.clone())))
    }

    /// Warnings by code, without those that [`PlanReport::one_sided`] tells.
    #[must_use]
    pub fn warning_groups(&self) -> Vec<Group<String>> {
        let told = !self.one_sided().is_empty();
        let rest = self.warnings.iter().filter(|warning| !(told && warning.code == BAND_WARNING));
        grouped(rest.map(|warning| (warning.code.clone(), warning.symbol.clone(), warning.detail.clone())))
    }

    /// Coins whose real buy band is wider than their sell band, by sell band.
    #[must_use]
    pub fn one_sided(&self) -> Vec<OneSided> {
        let mut found: BTreeMap<Rate, OneSided> = BTreeMap::new();
        for coin in &self.coins {
            let Some(buy_band) = coin.effective_buy_band.filter(|band| *band > coin.sell_band) else {
                continue;
            };
            if !coin.sell_band.is_positive() {
                continue;
            }
            let note = found.entry(coin.sell_band).or_insert_with(|| OneSided {
                coins: Vec::new(),
                sell_band: coin.sell_band,
                buy_band_from: buy_band,
                buy_band_to: buy_band,
                target_from: coin.target,
                target_to: coin.target,
                advice: self.band_advice(&coin.symbol),
            });
            if buy_band > note.buy_band_to {
                note.advice = self.band_advice(&coin.symbol);
            }
            note.coins.push(coin.symbol.clone());
            note.buy_band_from = note.buy_band_from.min(buy_band);
            note.buy_band_to = note.buy_band_to.max(buy_band);
            note.target_from = note.target_from.min(coin.target);
            note.target_to = note.target_to.max(coin.target);
        }
        found.into_values().collect()
    }

    /// A warning says the fact first and the advice after its last semicolon.
    fn band_advice(&self, symbol: &Symbol) -> String {
        let of_coin =
            |code: &str, about: &Option<Symbol>| code == BAND_WARNING && about.as_ref() == Some(symbol);
        let warning = self.warnings.iter().find(|warning| of_coin(&warning.code, &warning.symbol));
        let advice = warning.and_then(|warning| warning.detail.rsplit_once(';'));
        advice.map_or_else(String::new, |(_, advice)| advice.trim().to_owned())
    }
}

/// Groups in the order of their key, rows in the order they came.
fn grouped<R: Ord + Clone>(rows: impl Iterator<Item = (R, Option<Symbol>, String)>) -> Vec<Group<R>> {
    let mut groups: BTreeMap<R, Vec<(Option<Symbol>, String)>> = BTreeMap::new();
    for (about, symbol, detail) in rows {
        groups.entry(about).or_default().push((symbol, detail));
    }
    groups.into_iter().map(|(about, rows)| Group { about, rows }).collect()
}
