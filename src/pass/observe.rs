//! One look at the account, held against what our own books expect.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::decide::equity::{self, Expected};
use crate::decide::nav::Transfer;
use crate::domain::account::Position;
use crate::domain::entry::{Entry, UNEXPLAINED};
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::ClientId;
use crate::domain::plan::Warning;
use crate::domain::snapshot::{Block, Coin, Snapshot};
use crate::domain::stop::Conditional;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::{Exchange, Kind, Observation};
use crate::ledger::{Age, EquityRow, Holding, Intent, IntentState, Ledger, Outcome};

use super::coins::{self, Moved};
use super::settle::Settled;
use super::stops::{self, Rest};
use super::strangers::{explain, refuse_unexplained, strangers};
use super::{Mode, PassError, Settings};

/// A position that misses our last fill is a read that lags, for this long; after that somebody
/// else changed it.
pub(super) const LAG_AT_MOST: Duration = Duration::from_secs(60);
/// Between readings this close, prices are taken to have moved before a transfer: people move money
/// because prices did. Over a longer gap the value of a unit is taken to have moved evenly.
const SAME_MOMENT: Duration = Duration::from_secs(3600);
/// How far back income rows are sure to be there.
pub const INCOME_KEPT: Duration = Duration::from_secs(80 * 86_400);
/// How late an income row may appear.
pub(super) const LATE_ROWS: Duration = Duration::from_secs(3600);

/// What was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// All that a decision may see.
    pub snapshot: Snapshot,
    /// What the exchange calls the account.
    pub account: String,
    /// Taker fee as a fraction of notional.
    pub taker_fee: Rate,
    /// Income rows that are not booked yet.
    pub unbooked: Vec<Entry>,
    /// What the last reading leaves to be expected; `None` before the first.
    pub expected: Option<Expected>,
    /// What one unit of an asset that fees may be paid in is worth, in the quote asset.
    pub fee_prices: BTreeMap<String, Price>,
    /// What the owner should know.
    pub warnings: Vec<Warning>,
    /// Our stops at the exchange; `None` where they are of no concern.
    pub rest: Option<Rest>,
    /// Positions to take over into our books as the exchange shows them.
    confirmed: Vec<(Symbol, Qty)>,
    /// Orders of ours that our books believed dead and the exchange shows filled.
    revived: Vec<(Symbol, String)>,
    /// Coins of a spot account that differ from our books.
    pub(super) moved: Moved,
    pub(super) quote: String,
}

impl Seen {
    /// Takes a change of the wallet that nothing explains for a transfer, and says so.
    pub(super) fn book_gap(&mut self, amount: Notional) {
        self.unbooked.push(Entry {
            at: self.snapshot.at,
            kind: UNEXPLAINED.to_owned(),
            symbol: String::new(),
            amount,
            asset: self.quote.clone(),
            tran_id: 0,
            trade_id: String::new(),
        });
        let gap = format!("{:.2} {}", amount.abs(), self.quote);
        let detail = match amount.is_positive() {
            true => format!(
                "the wallet holds {gap} that no trade and no income row explains; after an hour it is taken for a deposit"
            ),
            false => format!(
                "the wallet lacks {gap} that no trade and no income row explains; after an hour it is taken for a withdrawal; {}",
                coins::IF_NOT_YOURS
            ),
        };
        self.warnings.push(Warning { code: "unexplained_transfer".into(), symbol: None, detail });
    }

    /// Deposits and withdrawals since the last reading at `last`.
    #[must_use]
    pub fn transfers(&self, last: Time) -> Vec<Transfer> {
        let is_transfer = |entry: &&Entry| entry.is_transfer() && entry.asset == self.quote;
        let span = self.snapshot.at.since(last);
        let elapsed = |at: Time| match seconds(at.since(last)).over(seconds(span)) {
            Some(elapsed) if span > SAME_MOMENT => elapsed.min(Rate::ONE),
            _ => Rate::ONE,
        };
        let transfer = |entry: &Entry| Transfer { amount: entry.amount, elapsed: elapsed(entry.at) };
        self.unbooked.iter().filter(is_transfer).map(transfer).collect()
    }
}

fn seconds(span: Duration) -> Rate {
    Rate::new(i64::try_from(span.as_millis()).unwrap_or(i64::MAX), 3)
}

/// Reads everything in one wave and compares it with our books. Changes nothing.
pub async fn observe<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    settings: &Settings,
    settled: &mut Settled,
    mode: Mode,
) -> Result<Seen, PassError> {
    let (mut found, listed) = look(exchange, ledger, settings, settled, mode).await?;
    let settled = &*settled;
    let age = ledger.age(&exchange.environment(), &found.account).await?;
    let holdings = ledger.holdings().await?;
    if exchange.kind() == Kind::Spot {
        coins::leave_out_priceless(&mut found, &holdings)?;
    }
    let universe: BTreeSet<&Symbol> = settings.strategy.symbols().iter().collect();
    let mut comparing = Comparing { found: &found, holdings: &holdings, settled, coins: BTreeMap::new() };
    comparing.compare(&universe);
    comparing.tell_apart_from_ours(exchange, ledger).await?;
    // A ledger that is new must find out whether an older one closed everything here.
    // A preview, which may run many times before the first pass, leaves that to the pass.
    let reach = if mode == Mode::Real { INCOME_KEPT } else { LATE_ROWS };
    let past = match age {
        Age::Fresh => Some(exchange.income_since(found.at - reach).await?),
        Age::Known => None,
    };
    let mut strangers = strangers(exchange, &comparing, &universe, past.as_deref()).await?;
    if let Some(accepted) = ledger.accepted_until().await? {
        strangers.retain(|order| order.updated > accepted);
    }
    let revived = explain(ledger, strangers).await?;
    let (rest, others_stops) = match listed {
        Some(listed) => {
            let (rest, others) = stops::tell_apart(ledger, listed).await?;
            (Some(rest), others)
        }
        None => (None, Vec::new()),
    };
    comparing.wait_for(&revived);
    let quote = &settings.quote;
    let expectation = Expectation::of(ledger, quote, found.at).await?;
    let moved = match exchange.kind() {
        Kind::Futures => {
            refuse_unexplained(exchange, ledger, &comparing).await?;
            Moved::default()
        }
        Kind::Spot => {
            let last = expectation.as_ref().map(|expectation| expectation.at);
            coins::account_for(exchange, ledger, &mut comparing, last, quote).await?
        }
    };
    let (mut confirmed, mut warnings) = comparing.findings();
    let coins = comparing.coins;
    if exchange.kind() == Kind::Spot {
        // Coins are taken over with the reading that their worth is counted in.
        confirmed.clear();
        found.balance = coins::balance(found.balance, &coins);
    }
    warnings.extend(stops::executed(&settled.resolved));
    warnings.extend(others_stops);
    warnings.extend(found.spot.iter().flat_map(|spot| spot.warnings.iter().cloned()));
    let mut unbooked = unbooked_income(exchange, ledger, &found, expectation.as_ref(), past).await?;
    unbooked.extend(moved.entries());
    let expected = match expectation {
        Some(expectation) => Some(expectation.with(ledger, &unbooked, quote).await?),
        None => None,
    };
    let fee_prices = fee_prices(&found, quote);
    Ok(Seen {
        snapshot: Snapshot { at: found.at, balance: found.balance, modes: found.modes, coins },
        account: found.account,
        taker_fee: found.taker_fee,
        unbooked,
        expected,
        fee_prices,
        warnings,
        rest,
        confirmed,
        revived,
        moved,
        quote: quote.clone(),
    })
}

/// Where a stop traded between two looks, the first of them is out of date. More often than this nothing
/// follows from the look, and the coin waits for the next pass.
const MOST_LOOKS: usize = 3;

/// The account, and in the same wave the orders that wait for their trigger where stops are of concern.
/// What stops did is booked before anything is compared: it was us.
async fn look<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    settings: &Settings,
    settled: &mut Settled,
    mode: Mode,
) -> Result<(Observation, Option<Vec<Conditional>>), PassError> {
    let concern = stops::concern(ledger, settings).await?;
    let mut looks = 0;
    loop {
        looks += 1;
        let conditionals = async { if concern { exchange.conditionals().await.map(Some) } else { Ok(None) } };
        let (found, listed) = futures_util::future::join(exchange.observe(), conditionals).await;
        let found = found?;
        refuse_priceless(&found, settings.strategy.symbols())?;
        // Another account's answers say nothing about our stops.
        ledger.age(&exchange.environment(), &found.account).await?;
        let Some(mut listed) = listed? else { return Ok((found, None)) };
        let moved = stops::moved(ledger, &found).await?;
        let traded = stops::settle(exchange, ledger, settled, &mut listed, &moved, mode).await?;
        if !traded || looks == MOST_LOOKS {
            settled.unfound.retain(|intent| listed.iter().all(|stop| stop.client_id != intent.client_id));
            return Ok((found, Some(listed)));
        }
    }
}

/// Assets that the exchange takes fees in, beside the quote asset.
const FEE_ASSETS: [&str; 1] = ["BNB"];

fn fee_prices(found: &Observation, quote: &str) -> BTreeMap<String, Price> {
    let price = |asset: &str| {
        let symbol: Symbol = format!("{asset}{quote}").parse().ok()?;
        Some((asset.to_owned(), found.markets.get(&symbol)?.mark.price))
    };
    FEE_ASSETS.into_iter().filter_map(price).collect()
}

/// One coin without a price is left alone; a market without any is no market.
fn refuse_priceless(found: &Observation, universe: &[Symbol]) -> Result<(), PassError> {
    let mut listed = universe.iter().filter(|symbol| found.rules.contains_key(*symbol)).peekable();
    if listed.peek().is_some() && listed.all(|symbol| !found.markets.contains_key(symbol)) {
        return Err(PassError::Incoherent(
            "no coherent snapshot: not one coin of the basket has a price".into(),
        ));
    }
    Ok(())
}

/// Writes down what a look found: the binding, the positions, the intents proven absent.
pub async fn remember<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    seen: &Seen,
    settled: &mut Settled,
) -> Result<(), PassError> {
    ledger.bind(&exchange.environment(), &seen.account).await?;
    ledger.confirm_positions(&seen.confirmed, seen.snapshot.at).await?;
    let mut outcomes: Vec<Outcome> =
        seen.revived.iter().map(|(_, client_id)| Outcome::state(client_id, IntentState::Unknown)).collect();
    let noted = seen.rest.iter().flat_map(|rest| &rest.noted);
    outcomes.extend(noted.map(|client_id| Outcome::state(client_id, IntentState::Resting)));
    for intent in std::mem::take(&mut settled.unfound) {
        // Absent needs a position that is explained without the order.
        let block = seen.snapshot.coins.get(&intent.symbol).and_then(|coin| coin.block.as_ref());
        if matches!(block, Some(Block::Unresolved { .. } | Block::Stale)) {
            settled.quarantined.insert(intent.symbol.clone(), seen.snapshot.at);
            continue;
        }
        let outcome = Outcome::state(&intent.client_id, IntentState::Absent);
        outcomes.push(outcome.clone());
        settled.resolve(&intent, outcome);
    }
    ledger.book(&outcomes, None).await?;
    Ok(())
}

/// The exchange's positions against our books.
pub(super) struct Comparing<'a> {
    pub(super) found: &'a Observation,
    pub(super) holdings: &'a BTreeMap<Symbol, Holding>,
    settled: &'a Settled,
    pub(super) coins: BTreeMap<Symbol, Coin>,
}

impl Comparing<'_> {
    fn compare(&mut self, universe: &BTreeSet<&Symbol>) {
        let held =
            self.holdings.iter().filter(|(_, holding)| !holding.qty.is_zero()).map(|(symbol, _)| symbol);
        let symbols: BTreeSet<&Symbol> =
            universe.iter().copied().chain(self.found.positions.keys()).chain(held).collect();
        for symbol in symbols {
            self.coins.insert(symbol.clone(), self.coin(symbol));
        }
    }

    fn coin(&self, symbol: &Symbol) -> Coin {
        let position = self.found.positions.get(symbol).filter(|position| !position.qty.is_zero()).cloned();
        let setting = self.found.settings.get(symbol).copied();
        let isolated = setting.is_some_and(|setting| !setting.cross) && position.is_some();
        let block = self.block(symbol, position.as_ref()).or(isolated.then_some(Block::Isolated));
        let block = block.or_else(|| self.locked(symbol));
        Coin {
            rules: self.found.rules.get(symbol).cloned(),
            market: self.found.markets.get(symbol).copied(),
            setting,
            brackets: self.found.brackets.get(symbol).cloned().unwrap_or_default(),
            managed: self.holdings.get(symbol).is_some_and(|holding| holding.managed),
            position,
            block,
        }
    }

    fn block(&self, symbol: &Symbol, position: Option<&Position>) -> Option<Block> {
        if let Some(until) = self.settled.quarantined.get(symbol) {
            return Some(Block::Unresolved { until: *until });
        }
        let holding = self.holdings.get(symbol);
        let expected = holding.map_or(Qty::ZERO, |holding| holding.qty);
        let found = position.map_or(Qty::ZERO, |position| position.qty);
        if found == expected {
            return None;
        }
        if self.settled.unfound.iter().any(|intent| intent.symbol == *symbol) {
            // The exchange does not know our order, but the position moved: one of the two is late,
            // and taking the position over would hide whichever it is.
            return Some(Block::Unresolved { until: self.found.at });
        }
        let last_fill = holding.and_then(|holding| holding.last_fill_at);
        let lags = last_fill.is_some_and(|last_fill| {
            let shows_it = position.is_some_and(|position| position.updated >= last_fill);
            !shows_it && self.found.at.since(last_fill) < LAG_AT_MOST
        });
        Some(if lags { Block::Stale } else { Block::ChangedElsewhere { expected, found } })
    }

    /// Spot: what resting orders tie up is held and cannot be sold.
    fn locked(&self, symbol: &Symbol) -> Option<Block> {
        let qty = *self.found.spot.as_ref()?.locked.get(symbol)?;
        Some(Block::Locked { qty })
    }

    /// A contract with an order that the exchange does not know, whose position moved: if every trade
    /// since that we have not booked belongs to another order, somebody else moved it, and the order is
    /// as absent as it looks. If not, a read is late and the contract waits.
    async fn tell_apart_from_ours<E: Exchange>(
        &mut self,
        exchange: &E,
        ledger: &mut Ledger,
    ) -> Result<(), PassError> {
        let told_apart = self
            .settled
            .unfound
            .iter()
            .filter(|intent| !self.settled.quarantined.contains_key(&intent.symbol));
        for intent in told_apart {
            let waits = |coin: &Coin| matches!(coin.block, Some(Block::Unresolved { .. }));
            let Some(coin) = self.coins.get_mut(&intent.symbol).filter(|coin| waits(coin)) else { continue };
            let holding = self.holdings.get(&intent.symbol);
            if moved_by_others(exchange, ledger, intent, holding, (self.found.at, coin.qty())).await? {
                let expected = holding.map_or(Qty::ZERO, |holding| holding.qty);
                coin.block = Some(Block::ChangedElsewhere { expected, found: coin.qty() });
            }
        }
        Ok(())
    }

    /// What an order of ours did that came back to life is booked by the next pass' settling; taking the
    /// position over before would count it twice.
    fn wait_for(&mut self, revived: &[(Symbol, String)]) {
        for (symbol, _) in revived {
            if let Some(coin) = self.coins.get_mut(symbol) {
                coin.block = Some(Block::Unresolved { until: self.found.at });
            }
        }
    }

    /// Contracts whose position our own fills do not explain.
    pub(super) fn changed(&self) -> impl Iterator<Item = &Symbol> {
        let changed = |coin: &Coin| matches!(coin.block, Some(Block::ChangedElsewhere { .. }));
        self.coins.iter().filter(move |(_, coin)| changed(coin)).map(|(symbol, _)| symbol)
    }

    /// Positions to take over, and a word about those that somebody else changed.
    fn findings(&self) -> (Vec<(Symbol, Qty)>, Vec<Warning>) {
        let mut confirmed = Vec::new();
        let mut warnings = Vec::new();
        for (symbol, coin) in &self.coins {
            match &coin.block {
                // Positions that agree are not rewritten in every pass: a quiet pass writes little.
                None if self.holdings.contains_key(symbol) => {}
                None if coin.qty().is_zero() => {}
                Some(Block::ChangedElsewhere { expected, found }) => {
                    confirmed.push((symbol.clone(), *found));
                    warnings.push(Warning {
                        code: "changed_elsewhere".into(),
                        symbol: Some(symbol.clone()),
                        detail: format!(
                            "the position went from {expected} to {found} without an order of ours"
                        ),
                    });
                }
                None => confirmed.push((symbol.clone(), coin.qty())),
                Some(_) => {}
            }
        }
        (confirmed, warnings)
    }
}

/// Whether a contract that reads as `found` at `at` was moved by somebody else than by `intent`, which
/// the exchange does not know.
async fn moved_by_others<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    intent: &Intent,
    holding: Option<&Holding>,
    (at, found): (Time, Qty),
) -> Result<bool, PassError> {
    // An order that can only reduce makes no position that our books never held, nor books that think of
    // a position that cannot be.
    let harmless = intent.reduce_only || found.is_zero();
    let impossible = match holding {
        Some(holding) => ledger.is_overshot(&intent.symbol, holding.qty).await?,
        None => intent.reduce_only,
    };
    if harmless && impossible {
        return Ok(true);
    }
    // Orders that close everything are sent whatever the books say: what differs may be older.
    let sent_at = intent.sent_at.unwrap_or(at);
    let since = holding.map_or(sent_at, |holding| holding.confirmed_at.min(sent_at));
    // An id of another ledger's is somebody else's: of a second machine, or of a flatten that had to do
    // without this ledger.
    let install = ledger.install().await?;
    let mut others = BTreeSet::new();
    for order in exchange.orders_since(&intent.symbol, since - LATE_ROWS).await? {
        if ClientId::read(&order.client_id).is_none_or(|id| id.install != install) {
            others.insert(order.order_id);
        }
    }
    let mut unbooked = Vec::new();
    for fill in exchange.fills_since(&intent.symbol, since).await? {
        if !ledger.has_fill(&fill.symbol, fill.trade_id).await? {
            unbooked.push(fill.order_id);
        }
    }
    Ok(!unbooked.is_empty() && unbooked.iter().all(|order_id| others.contains(order_id)))
}

/// Whether the exchange still has every row between that reading and now (it keeps three months).
/// After a longer absence nothing can be explained, and the account is read as if for the first time.
pub(super) fn is_recent(last: &EquityRow, now: Time) -> bool {
    now.since(last.at) <= INCOME_KEPT
}

/// What the wallet must hold by our own books alone: the last reading and our fills since.
struct Expectation {
    /// When the account was read last.
    at: Time,
    wallet: Notional,
    untouched: BTreeMap<Symbol, (Qty, Price)>,
}

impl Expectation {
    async fn of(ledger: &mut Ledger, quote: &str, now: Time) -> Result<Option<Expectation>, PassError> {
        let Some(last) = ledger.last_equity().await?.filter(|last| is_recent(last, now)) else {
            return Ok(None);
        };
        let (change, traded) = ledger.fills_after(last.fill_seq, quote).await?;
        let mut untouched = ledger.last_positions().await?;
        untouched.retain(|symbol, _| !traded.contains(symbol));
        Ok(Some(Expectation { at: last.at, wallet: last.wallet + change, untouched }))
    }

    /// Completed by the income rows that our fills do not contain already.
    async fn with(
        mut self,
        ledger: &mut Ledger,
        unbooked: &[Entry],
        quote: &str,
    ) -> Result<Expected, PassError> {
        let mut wallet = self.wallet;
        // Somebody who sells and buys back leaves the quantity as it was, at another entry price.
        let traded = |symbol: &Symbol| {
            unbooked.iter().any(|entry| entry.symbol == symbol.as_str() && !entry.trade_id.is_empty())
        };
        self.untouched.retain(|symbol, _| !traded(symbol));
        for entry in unbooked.iter().filter(|entry| entry.asset == quote) {
            if !ledger.is_of_our_fill(entry).await? {
                wallet += entry.amount;
            }
        }
        Ok(Expected { wallet, untouched: self.untouched })
    }
}

/// Holds the wallet against the books and the rows that are not booked yet, for whoever only asks what the
/// account came to.
pub async fn explain_wallet(
    ledger: &mut Ledger,
    found: &Observation,
    unread: &[Entry],
    quote: &str,
) -> Result<(), PassError> {
    let Some(expectation) = Expectation::of(ledger, quote, found.at).await? else { return Ok(()) };
    let expected = expectation.with(ledger, unread, quote).await?;
    equity::wallet(found.balance.wallet, expected.wallet).map_err(PassError::Unexplained)
}

/// Income rows are read only when the wallet holds something else than our own fills explain: the
/// call costs as much as half a pass.
async fn unbooked_income<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    found: &Observation,
    expected: Option<&Expectation>,
    past: Option<Vec<Entry>>,
) -> Result<Vec<Entry>, PassError> {
    // What is dated after the look is not in it, whenever the rows are read.
    let seen = |entry: &Entry| entry.at <= found.at;
    let Some(expected) = expected else {
        // The first reading contains them; they are booked with it so that no later one counts them.
        let since = found.at - LATE_ROWS;
        let entries = match past {
            Some(past) => past,
            None => exchange.income_since(since).await?,
        };
        return Ok(entries.into_iter().filter(|entry| entry.at >= since && seen(entry)).collect());
    };
    if expected.wallet == found.balance.wallet {
        if !funding_is_due(ledger, found.at).await? {
            return Ok(Vec::new());
        }
        // The wallet agrees, so these rows are not needed to believe it: a pass does not fail for them,
        // and the next one that reads income reads them too.
        return match unread_income(exchange, ledger, found.at).await {
            Err(PassError::Exchange(_)) => Ok(Vec::new()),
            read => read,
        };
    }
    unread_income(exchange, ledger, found.at).await
}

/// Income rows up to `at` that the exchange has and the ledger has not.
pub async fn unread_income<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    at: Time,
) -> Result<Vec<Entry>, PassError> {
    // Rows may appear late and out of order, and what is booked is not booked again. However late it
    // shows: what is dated before the first reading is in that one.
    let booked_up_to = ledger.income_cursor().await?.unwrap_or(at);
    let first = ledger.first_reading().await?.unwrap_or_default();
    let entries = exchange.income_since(booked_up_to - LATE_ROWS).await?;
    let entries = entries.into_iter().filter(|entry| entry.at <= at && entry.at >= first).collect();
    Ok(ledger.unbooked(entries).await?)
}

/// The job that says when something held settles next, as the last reading saw it.
pub(super) const FUNDING_DUE: &str = "funding_due";

/// Whether something may have settled since the last reading. Rows that cancel each other out, or are of
/// nothing at all, leave the wallet as it was and are to be booked all the same.
async fn funding_is_due(ledger: &mut Ledger, now: Time) -> Result<bool, PassError> {
    Ok(ledger.job(FUNDING_DUE).await?.is_some_and(|due| due <= now))
}
