//! Balances, books and rules become one look at a spot account.

use std::collections::BTreeMap;

use crate::domain::account::{AccountModes, Balance, Bracket, MarginSetting, Position};
use crate::domain::market::{Mark, Market, Quote};
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::Order;
use crate::domain::plan::Warning;
use crate::domain::rules::Rules;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::{Observation, SpotSide};
use crate::wire::binance::spot::account::{Account, Held};

/// What pairs cost at one instant.
pub(super) struct Prices {
    pub(super) at: Time,
    pub(super) books: BTreeMap<Symbol, Quote>,
    pub(super) last: BTreeMap<Symbol, Price>,
}

impl Prices {
    /// Half way between bid and ask; the last price where the book has no middle.
    fn of(&self, symbol: &Symbol) -> Option<Price> {
        let middle = self.books.get(symbol).and_then(Quote::mid);
        middle.or_else(|| self.last.get(symbol).copied())
    }

    /// `None` without a book.
    pub(super) fn market(&self, symbol: &Symbol) -> Option<Market> {
        let quote = *self.books.get(symbol)?;
        let price = self.of(symbol)?;
        let mark = Mark { price, funding_rate: Rate::ZERO, next_funding: None, at: self.at };
        Some(Market { mark, quote })
    }

    /// Of those that are listed.
    pub(super) fn markets(&self, rules: &BTreeMap<Symbol, Rules>) -> BTreeMap<Symbol, Market> {
        rules.keys().filter_map(|symbol| Some((symbol.clone(), self.market(symbol)?))).collect()
    }
}

/// What an account holds, beside what that is worth.
pub(super) struct Look<'a> {
    pub(super) quote: &'a str,
    pub(super) account: &'a Account,
    pub(super) rules: &'a BTreeMap<Symbol, Rules>,
    pub(super) prices: &'a Prices,
}

impl Look<'_> {
    pub(super) fn observation(&self, open_orders: Vec<Order>) -> Observation {
        let pairs = by_coin(self.rules);
        let mut positions = BTreeMap::new();
        let mut locked = BTreeMap::new();
        let mut untradable = Vec::new();
        for (asset, held) in self.coins() {
            let Some(rules) = pairs.get(asset.as_str()) else {
                untradable.push(format!("{} {asset}", held.total()));
                continue;
            };
            let symbol = rules.symbol.clone();
            if !held.locked.is_zero() {
                locked.insert(symbol.clone(), held.locked);
            }
            positions.insert(symbol.clone(), position(symbol.clone(), held, self.prices.of(&symbol)));
        }
        let warnings = self.warnings(&positions, &locked, &untradable);
        let setting = MarginSetting { leverage: 1, cross: true };
        let symbols = || self.rules.keys().cloned();
        Observation {
            at: self.prices.at,
            account: format!("spot {}", self.account.uid),
            modes: AccountModes { hedge: false, multi_assets: false, can_trade: self.account.can_trade },
            balance: self.balance(&positions),
            settings: symbols().map(|symbol| (symbol, setting)).collect(),
            brackets: symbols().map(|symbol| (symbol, vec![Bracket::fully_paid()])).collect(),
            markets: self.prices.markets(self.rules),
            rules: self.rules.clone(),
            positions,
            open_orders,
            taker_fee: self.account.taker_fee,
            spot: Some(SpotSide { locked, warnings }),
        }
    }

    /// Everything held but the quote asset.
    fn coins(&self) -> impl Iterator<Item = (&String, &Held)> {
        self.account.balances.iter().filter(|(asset, _)| *asset != self.quote)
    }

    /// The wallet is the quote asset alone: what the coins cost is known to our books, not to the exchange.
    fn balance(&self, positions: &BTreeMap<Symbol, Position>) -> Balance {
        let held = self.account.balances.get(self.quote).copied().unwrap_or_default();
        // One unit of the quote asset is worth one.
        let worth = |qty: Qty| qty * Price::ONE;
        let coins: Notional = positions.values().map(Position::value).sum();
        Balance {
            wallet: worth(held.total()),
            equity: worth(held.total()) + coins,
            available: worth(held.free),
            unrealized: Notional::ZERO,
            initial_margin: worth(held.locked),
            maint_margin: Notional::ZERO,
        }
    }

    fn warnings(
        &self,
        positions: &BTreeMap<Symbol, Position>,
        locked: &BTreeMap<Symbol, Qty>,
        untradable: &[String],
    ) -> Vec<Warning> {
        let warning = |code: &str, symbol: Option<&Symbol>, detail: String| Warning {
            code: code.into(),
            symbol: symbol.cloned(),
            detail,
        };
        let mut warnings = Vec::new();
        for (symbol, qty) in locked {
            let detail =
                format!("{qty} are tied up by resting orders and cannot be sold; cancel those to free them");
            warnings.push(warning("locked", Some(symbol), detail));
        }
        let unpriced = positions.values().filter(|position| position.mark_price.is_zero());
        for position in unpriced {
            let detail = format!("{} are held and have no price: they count as nothing", position.qty);
            warnings.push(warning("no_price", Some(&position.symbol), detail));
        }
        let dust = positions.values().filter(|position| is_dust(position, self.rules));
        let dust: Vec<String> =
            dust.map(|position| format!("{} {}", position.qty, position.symbol.coin(self.quote))).collect();
        if !dust.is_empty() {
            let detail = format!("too little to be sold: {}; Binance converts dust to BNB", dust.join(", "));
            warnings.push(warning("dust", None, detail));
        }
        if !untradable.is_empty() {
            let detail = format!(
                "not traded in {} here, left out of the account's worth: {}; LD… is lent out in Simple Earn",
                self.quote,
                untradable.join(", ")
            );
            warnings.push(warning("not_traded", None, detail));
        }
        warnings
    }
}

/// The coins of an account, by pair.
#[derive(Debug, Default)]
pub(super) struct Sellable {
    /// What could be sold were nothing locked.
    pub(super) positions: BTreeMap<Symbol, Position>,
    /// What resting orders tie up of these.
    pub(super) locked: BTreeMap<Symbol, Qty>,
    /// What is known to be too little to be sold.
    pub(super) dust: BTreeMap<Symbol, Qty>,
}

/// What could be sold of an account. Where the listing is not to be had, every asset may have a pair.
pub(super) fn sellable(
    account: &Account,
    rules: &BTreeMap<Symbol, Rules>,
    books: &BTreeMap<Symbol, Quote>,
    quote: &str,
) -> Sellable {
    let pairs = by_coin(rules);
    let mut sellable = Sellable::default();
    for (asset, held) in account.balances.iter().filter(|(asset, _)| *asset != quote) {
        let symbol = match pairs.get(asset.as_str()) {
            Some(rules) => rules.symbol.clone(),
            None if rules.is_empty() => match format!("{asset}{quote}").parse() {
                Ok(symbol) => symbol,
                Err(_) => continue,
            },
            None => continue,
        };
        let price = books.get(&symbol).and_then(Quote::mid);
        let position = position(symbol.clone(), held, price);
        if is_dust(&position, rules) {
            sellable.dust.insert(symbol, position.qty);
            continue;
        }
        if !held.locked.is_zero() {
            sellable.locked.insert(symbol.clone(), held.locked);
        }
        sellable.positions.insert(symbol, position);
    }
    sellable
}

/// A coin as a position. The exchange does not know what it cost: entry price zero means unknown. Nor
/// does it tell when it changed.
fn position(symbol: Symbol, held: &Held, price: Option<Price>) -> Position {
    Position {
        symbol,
        qty: held.total(),
        entry_price: Price::ZERO,
        mark_price: price.unwrap_or_default(),
        unrealized: Notional::ZERO,
        liquidation_price: None,
        updated: Time::default(),
    }
}

/// Whether no order could sell it at its price. Unknown rules or prices make no dust.
fn is_dust(position: &Position, rules: &BTreeMap<Symbol, Rules>) -> bool {
    let Some(rules) = rules.get(&position.symbol).filter(|_| position.mark_price.is_positive()) else {
        return false;
    };
    rules.rounded(position.qty, position.mark_price, true, true).is_zero()
}

/// The pairs by their coin: all of them are in one quote asset.
fn by_coin(rules: &BTreeMap<Symbol, Rules>) -> BTreeMap<&str, &Rules> {
    rules.values().map(|rules| (rules.base.as_str(), rules)).collect()
}
