//! What the coins of a spot account cost, by our books; and coins that came or went without an order of ours.

use std::collections::BTreeMap;

use crate::decide::equity::Unexplained;
use crate::domain::account::{Balance, Position};
use crate::domain::cost::Cost;
use crate::domain::entry::{Entry, UNEXPLAINED};
use crate::domain::fill::Fill;
use crate::domain::num::{Notional, Price, Qty};
use crate::domain::plan::Warning;
use crate::domain::snapshot::{Block, Coin};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::{Exchange, Observation};
use crate::ledger::{Holding, Ledger};

use super::observe::{Comparing, LATE_ROWS, Seen};
use super::{Mode, PassError, STANDING_GAP};

/// Interest and the like come in small change: worth no more than this, it is taken over at once.
const SMALL: Notional = Notional::ONE;
/// What to do where something left.
pub(super) const IF_NOT_YOURS: &str =
    "if nobody of yours moved it, lock the account and its keys at the exchange";
/// Digits kept of an average entry price.
const PRICE_DIGITS: u32 = 16;

/// A holding that is taken over as the account shows it.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// The pair.
    pub(super) symbol: Symbol,
    /// What our books have, and what the account shows.
    qty: (Qty, Qty),
    /// What it does to quantity and cost in our books.
    pub(super) change: Cost,
    /// What it does to the wallet.
    entries: Vec<Entry>,
}

/// Holdings that differ from our books.
#[derive(Clone, Debug, Default)]
pub(super) struct Moved {
    /// By somebody else's trades, small change, or because there was no reading before.
    pub(super) taken: Vec<Taken>,
    /// By nothing that is known.
    pub(super) unexplained: Vec<Taken>,
}

/// A coin without any price counts as nothing, so it is left out of the account; unless our books know what
/// it cost: then nobody can say what it is worth now.
pub(super) fn leave_out_priceless(
    found: &mut Observation,
    holdings: &BTreeMap<Symbol, Holding>,
) -> Result<(), PassError> {
    let has_cost = |symbol: &Symbol| holdings.get(symbol).is_some_and(|holding| !holding.paid.is_zero());
    let priceless = |position: &Position| position.mark_price.is_zero();
    if let Some(position) =
        found.positions.values().find(|position| priceless(position) && has_cost(&position.symbol))
    {
        return Err(PassError::Incoherent(format!(
            "no coherent snapshot: {} of {} are held and have no price",
            position.qty, position.symbol
        )));
    }
    found.positions.retain(|_, position| !priceless(position));
    Ok(())
}

/// Fills in what every coin cost, and finds what our own orders do not explain. `last` is when the account
/// was read last; without a reading everything is taken over at its mark.
pub(super) async fn account_for<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    comparing: &mut Comparing<'_>,
    last: Option<Time>,
    quote: &str,
) -> Result<Moved, PassError> {
    let theirs = match last {
        Some(last) => trades_of_others(exchange, ledger, comparing, last).await?,
        None => Vec::new(),
    };
    let at = comparing.found.at;
    let mut moved = Moved::default();
    for (symbol, coin) in &mut comparing.coins {
        let before = comparing.holdings.get(symbol).map_or_else(Cost::default, Holding::cost);
        let looking = Looking { symbol, before, found: coin.qty(), mark: mark(coin, before), at, quote };
        let is_changed = matches!(coin.block, Some(Block::ChangedElsewhere { .. }));
        let after = match (is_changed, last) {
            // What waits for our own order is shown at its mark until that is booked.
            (false, _) => before.brought_to(looking.found, looking.mark).0,
            (true, None) => looking.keep(&mut moved.taken, looking.moved().0, Vec::new()),
            (true, Some(_)) => match looking.traded(&theirs) {
                Some((after, entries)) => looking.keep(&mut moved.taken, after, entries),
                None => {
                    let (after, entries) = looking.moved();
                    let small = ((looking.found - before.qty) * looking.mark).abs() <= SMALL;
                    let list = if small { &mut moved.taken } else { &mut moved.unexplained };
                    looking.keep(list, after, entries)
                }
            },
        };
        if let Some(position) = &mut coin.position {
            position.entry_price = after.entry().unwrap_or_default().rounded(PRICE_DIGITS);
            position.unrealized = position.value() - after.paid;
        }
    }
    Ok(moved)
}

/// The balance of an account whose coins have costs: what was paid for them is in the wallet.
pub(super) fn balance(of_quote: Balance, coins: &BTreeMap<Symbol, Coin>) -> Balance {
    let held = || coins.values().filter_map(|coin| coin.position.as_ref());
    let unrealized: Notional = held().map(|position| position.unrealized).sum();
    let worth: Notional = held().map(Position::value).sum();
    Balance { wallet: of_quote.wallet + worth - unrealized, unrealized, ..of_quote }
}

/// Lets a look pass whose holdings follow from our books, or differ from them for an hour already: what
/// came then is booked as a transfer at its mark, and told.
pub(super) async fn believe(ledger: &mut Ledger, seen: &mut Seen, mode: Mode) -> Result<(), PassError> {
    let now = seen.snapshot.at;
    let known = ledger.coin_gaps().await?;
    let unexplained = std::mem::take(&mut seen.moved.unexplained);
    let since = |taken: &Taken| {
        let same = known.get(&taken.symbol).filter(|(qty, _)| *qty == taken.change.qty);
        (taken.symbol.clone(), (taken.change.qty, same.map_or(now, |(_, since)| *since)))
    };
    let gaps: BTreeMap<Symbol, (Qty, Time)> = unexplained.iter().map(since).collect();
    if gaps != known && mode == Mode::Real {
        ledger.set_coin_gaps(&gaps).await?;
    }
    let young =
        |taken: &&Taken| gaps.get(&taken.symbol).is_none_or(|(_, since)| now.since(*since) < STANDING_GAP);
    if let Some(Taken { symbol, qty: (expected, found), .. }) = unexplained.iter().find(young) {
        let (symbol, expected, found) = (symbol.clone(), *expected, *found);
        let is_listed = seen.snapshot.coins.get(&symbol).is_some_and(|coin| coin.rules.is_some());
        return Err(match is_listed {
            true => Unexplained::Coin { symbol, found, expected },
            false => Unexplained::Delisted { symbol, expected },
        }
        .into());
    }
    for taken in unexplained {
        seen.take(taken);
    }
    Ok(())
}

impl Seen {
    /// Takes a holding over that no trade explains, and says so.
    fn take(&mut self, taken: Taken) {
        let worth: Notional = taken.entries.iter().filter(|entry| entry.is_transfer()).map(amount).sum();
        if let Some(expected) = &mut self.expected {
            expected.wallet += taken.entries.iter().map(amount).sum();
        }
        let coin = self.snapshot.coins.get(&taken.symbol);
        let is_listed = coin.is_some_and(|coin| coin.rules.is_some());
        self.warnings.push(Warning {
            code: "unexplained_transfer".into(),
            symbol: Some(taken.symbol.clone()),
            detail: in_words(&taken, is_listed, worth, &self.quote),
        });
        self.unbooked.extend(taken.entries.iter().cloned());
        self.moved.taken.push(taken);
    }
}

impl Moved {
    /// Income rows of what is taken over.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.taken.iter().flat_map(|taken| taken.entries.iter().cloned())
    }

    /// What is taken over, as differences to our books.
    pub(super) fn changes(&self) -> Vec<(Symbol, Cost)> {
        self.taken.iter().map(|taken| (taken.symbol.clone(), taken.change)).collect()
    }
}

/// What is taken over, as which transfer of `worth`, and what to do about it.
fn in_words(taken: &Taken, is_listed: bool, worth: Notional, quote: &str) -> String {
    let what = format!("{} {}", taken.change.qty.abs(), taken.symbol.coin(quote));
    let worth = format!("{:.2} {quote}", worth.abs());
    match taken.change.qty.is_positive() {
        true => format!(
            "{what} came and no trade explains it; after an hour it is taken for a deposit of {worth}"
        ),
        false if is_listed => format!(
            "{what} left and no trade explains it; after an hour it is taken for a withdrawal of {worth}; {IF_NOT_YOURS}"
        ),
        false => format!(
            "{what} have no pair any more; after an hour they are out of the account's worth, by {worth}; convert or withdraw them at the exchange"
        ),
    }
}

fn amount(entry: &Entry) -> Notional {
    entry.amount
}

/// The price of a coin; what is not priced any more counts at what it cost.
fn mark(coin: &Coin, before: Cost) -> Price {
    let of_position = coin.position.as_ref().map(|position| position.mark_price);
    let of_market = coin.market.map(|market| market.mark.price);
    of_position.or(of_market).or(before.entry()).unwrap_or_default()
}

/// Executions since the last reading, of the pairs whose holdings differ, that our books do not have.
async fn trades_of_others<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    comparing: &Comparing<'_>,
    last: Time,
) -> Result<Vec<Fill>, PassError> {
    let mut theirs = Vec::new();
    // Of what is not listed any more the exchange tells nothing.
    for symbol in comparing.changed().filter(|symbol| comparing.found.rules.contains_key(*symbol)) {
        for fill in exchange.fills_since(symbol, last - LATE_ROWS).await? {
            if !ledger.has_fill(symbol, fill.trade_id).await? {
                theirs.push(fill);
            }
        }
    }
    theirs.sort_by_key(|fill| (fill.at, fill.trade_id));
    Ok(theirs)
}

/// One coin, held against our books.
struct Looking<'a> {
    symbol: &'a Symbol,
    before: Cost,
    found: Qty,
    mark: Price,
    at: Time,
    quote: &'a str,
}

impl Looking<'_> {
    /// Writes down that our books go to `after`, which is handed back.
    fn keep(&self, list: &mut Vec<Taken>, after: Cost, entries: Vec<Entry>) -> Cost {
        let change = Cost { qty: after.qty - self.before.qty, paid: after.paid - self.before.paid };
        let qty = (self.before.qty, self.found);
        list.push(Taken { symbol: self.symbol.clone(), qty, change, entries });
        after
    }

    /// As if it were deposited or withdrawn at the mark.
    fn moved(&self) -> (Cost, Vec<Entry>) {
        let (after, realized) = self.before.brought_to(self.found, self.mark);
        let worth = (self.found - self.before.qty) * self.mark;
        let rows = [("REALIZED_PNL", realized), (UNEXPLAINED, worth)];
        let rows = rows.into_iter().filter(|(_, amount)| !amount.is_zero());
        (after, rows.map(|(kind, amount)| self.entry(kind, amount, self.quote, None)).collect())
    }

    /// By trades of somebody else's: what they leave in our books, and their income rows. Of the trades the
    /// first may be in the books already and the last not in this look; the newest run that makes up the
    /// difference is taken.
    fn traded(&self, theirs: &[Fill]) -> Option<(Cost, Vec<Entry>)> {
        let effects: Vec<(&Fill, Qty)> = theirs
            .iter()
            .map(|fill| (fill, effect(fill, self.symbol, self.quote)))
            .filter(|(fill, effect)| fill.symbol == *self.symbol || !effect.is_zero())
            .collect();
        let wanted = self.found - self.before.qty;
        let run = (0..effects.len()).rev().find_map(|first| {
            let mut sum = Qty::ZERO;
            let reaches = |(_, effect): &(&Fill, Qty)| {
                sum += *effect;
                sum == wanted
            };
            let len = effects.iter().skip(first).position(reaches)? + 1;
            effects.get(first..first + len)
        })?;
        let (mut after, mut entries) = (self.before, Vec::new());
        for (fill, effect) in run {
            if fill.symbol != *self.symbol {
                after = after.without(-*effect);
                continue;
            }
            let (traded, realized) = after.after(fill, self.symbol.coin(self.quote));
            after = traded;
            let rows = [("REALIZED_PNL", realized, self.quote), ("COMMISSION", -fill.fee, &fill.fee_asset)];
            let rows = rows.into_iter().filter(|(_, amount, _)| !amount.is_zero());
            entries.extend(rows.map(|(kind, amount, asset)| self.entry(kind, amount, asset, Some(fill))));
        }
        Some((after, entries))
    }

    fn entry(&self, kind: &str, amount: Notional, asset: &str, fill: Option<&Fill>) -> Entry {
        Entry {
            at: fill.map_or(self.at, |fill| fill.at),
            kind: kind.to_owned(),
            symbol: self.symbol.to_string(),
            amount,
            asset: asset.to_owned(),
            tran_id: fill.map_or(0, |fill| fill.trade_id),
            trade_id: fill.map_or_else(String::new, |fill| fill.trade_id.to_string()),
        }
    }
}

/// What an execution does to the holding of the coin of `symbol`, its fee included.
pub(super) fn effect(fill: &Fill, symbol: &Symbol, quote: &str) -> Qty {
    let traded = if fill.symbol == *symbol { fill.signed_qty() } else { Qty::ZERO };
    if fill.fee_asset == symbol.coin(quote) { traded - fill.fee_qty() } else { traded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::Side;

    fn fill(name: &str, id: i64, side: Side, qty: &str, fee: (&str, &str)) -> Fill {
        Fill {
            symbol: name.parse().unwrap(),
            trade_id: id,
            order_id: id,
            side,
            qty: qty.parse().unwrap(),
            price: Price::from(10),
            fee: fee.0.parse().unwrap(),
            fee_asset: fee.1.into(),
            realized: Notional::ZERO,
            at: Time::from_ms(id).unwrap(),
        }
    }

    /// What somebody's trades leave of `held` (all at 5) where `found` are there; and the income rows.
    fn traded(name: &str, held: &str, found: &str, theirs: &[Fill]) -> Option<(String, Vec<String>)> {
        let symbol = name.parse().unwrap();
        let qty: Qty = held.parse().unwrap();
        let before = Cost { qty, paid: qty * Price::from(5) };
        let (found, mark) = (found.parse().unwrap(), Price::from(10));
        let looking = Looking { symbol: &symbol, before, found, mark, at: Time::default(), quote: "USDT" };
        let (after, entries) = looking.traded(theirs)?;
        let rows = entries.iter().map(|row| format!("{} {} {}", row.kind, row.amount, row.asset));
        Some((format!("{} for {}", after.qty, after.paid), rows.collect()))
    }

    fn told(cost: &str, rows: &[&str]) -> Option<(String, Vec<String>)> {
        Some((cost.into(), rows.iter().map(|row| (*row).into()).collect()))
    }

    #[test]
    fn a_trade_by_hand_explains_what_it_changed_fee_included() {
        let bought = [fill("AUSDT", 1, Side::Buy, "2", ("0.1", "A"))];
        assert_eq!(traded("AUSDT", "4", "5.9", &bought), told("5.9 for 40", &["COMMISSION -0.1 A"]));
        assert_eq!(traded("AUSDT", "4", "6", &bought), None, "the fee is missing");
        let sold = [fill("AUSDT", 1, Side::Sell, "2", ("0.02", "USDT"))];
        let rows = ["REALIZED_PNL 10 USDT", "COMMISSION -0.02 USDT"];
        assert_eq!(traded("AUSDT", "4", "2", &sold), told("2 for 10", &rows));
    }

    #[test]
    fn the_newest_run_of_trades_counts_and_older_ones_are_in_the_books() {
        let twice = [
            fill("AUSDT", 1, Side::Buy, "2", ("0", "USDT")),
            fill("AUSDT", 2, Side::Buy, "3", ("0", "USDT")),
            fill("AUSDT", 3, Side::Buy, "1", ("0", "USDT")),
        ];
        assert_eq!(traded("AUSDT", "4", "8", &twice), told("8 for 60", &[]));
        assert_eq!(traded("AUSDT", "4", "5", &twice), told("5 for 30", &[]));
        assert_eq!(traded("AUSDT", "4", "7", &twice), told("7 for 50", &[]), "the last is not in this look");
        assert_eq!(traded("AUSDT", "4", "9.5", &twice), None);
    }

    #[test]
    fn what_came_and_what_left_are_told_apart() {
        let told = |change: &str, is_listed| {
            let change = Cost { qty: change.parse().unwrap(), paid: Notional::ZERO };
            let (symbol, qty) = ("SOLUSDT".parse().unwrap(), (Qty::ZERO, Qty::ZERO));
            let taken = Taken { symbol, qty, change, entries: Vec::new() };
            in_words(&taken, is_listed, change.qty * Price::from(10), "USDT")
        };
        let came =
            "5 SOL came and no trade explains it; after an hour it is taken for a deposit of 50.00 USDT";
        assert_eq!(told("5", true), came);
        let left = "2.5 SOL left and no trade explains it; after an hour it is taken for a withdrawal of 25.00 USDT; \
                    if nobody of yours moved it, lock the account and its keys at the exchange";
        assert_eq!(told("-2.5", true), left);
        let delisted = "2 SOL have no pair any more; after an hour they are out of the account's worth, by 20.00 USDT; \
                        convert or withdraw them at the exchange";
        assert_eq!(told("-2", false), delisted);
    }

    #[test]
    fn fees_of_other_pairs_explain_what_is_missing_of_their_asset() {
        let paid = [
            fill("AUSDT", 1, Side::Buy, "2", ("0.1", "BNB")),
            fill("CUSDT", 2, Side::Buy, "2", ("0.2", "BNB")),
        ];
        assert_eq!(traded("BNBUSDT", "4", "3.7", &paid), told("3.7 for 20", &[]));
        assert_eq!(traded("BNBUSDT", "4", "3.75", &paid), None);
    }
}
