//! Orders with our prefix that this ledger did not make, and positions that nobody explains.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;

use crate::domain::entry::Entry;
use crate::domain::num::Qty;
use crate::domain::order::{CLIENT_ID_PREFIX, ClientId, Order, Purpose};
use crate::domain::snapshot::Coin;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::{Exchange, ExchangeError};
use crate::ledger::{Holding, IntentState, Ledger};

use super::PassError;
use super::coins;
use super::observe::{Comparing, LAG_AT_MOST, LATE_ROWS};

/// How far back orders of another ledger are looked for where nothing points further back.
const LOOK_BACK: Duration = Duration::from_secs(7 * 86_400 - 60);

/// Orders that carry our prefix where our books do not explain a position, and resting ones.
pub(super) async fn strangers<E: Exchange>(
    exchange: &E,
    comparing: &Comparing<'_>,
    universe: &BTreeSet<&Symbol>,
    past: Option<&[Entry]>,
) -> Result<Vec<Order>, ExchangeError> {
    let now = comparing.found.at;
    let mut suspects: BTreeMap<&Symbol, Time> = BTreeMap::new();
    let traded = last_trades(past.unwrap_or_default());
    if past.is_some() {
        suspects.extend(universe.iter().map(|symbol| (*symbol, now - LOOK_BACK)));
        // An order is made a little before it trades.
        suspects.extend(traded.iter().map(|(symbol, at)| (symbol, (*at - LAG_AT_MOST).min(now - LOOK_BACK))));
        // Of what is not listed any more the exchange tells nothing.
        suspects.retain(|symbol, _| comparing.found.rules.contains_key(*symbol));
    }
    for symbol in comparing.changed() {
        let since = comparing.holdings.get(symbol).map_or(now - LOOK_BACK, |holding| holding.confirmed_at);
        suspects.entry(symbol).or_insert(since.max(now - LOOK_BACK));
    }
    let asked = suspects.into_iter().map(|(symbol, since)| exchange.orders_since(symbol, since));
    let answers: Result<Vec<_>, _> = join_all(asked).await.into_iter().collect();
    let resting = comparing.found.open_orders.iter().cloned();
    let ours = |order: &Order| order.client_id.starts_with(CLIENT_ID_PREFIX);
    Ok(answers?.into_iter().flatten().chain(resting).filter(ours).collect())
}

/// When each contract was traded last, by income rows.
fn last_trades(past: &[Entry]) -> BTreeMap<Symbol, Time> {
    let mut traded: BTreeMap<Symbol, Time> = BTreeMap::new();
    for entry in past {
        let of_trade = matches!(entry.kind.as_str(), "COMMISSION" | "REALIZED_PNL");
        if let Some(symbol) = entry.symbol.parse().ok().filter(|_| of_trade) {
            let last = traded.entry(symbol).or_insert(entry.at);
            *last = entry.at.max(*last);
        }
    }
    traded
}

/// A position that changed without us was changed by a trade that the exchange can show: somebody's
/// by hand, a liquidation, a settlement. Without any, the read is wrong, and nothing follows from it.
pub(super) async fn refuse_unexplained<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    comparing: &Comparing<'_>,
) -> Result<(), PassError> {
    let known = comparing.changed().filter_map(|symbol| Some((symbol, comparing.holdings.get(symbol)?)));
    for (symbol, holding) in known {
        let found = comparing.coins.get(symbol).map_or(Qty::ZERO, Coin::qty);
        if !is_explained(exchange, ledger, symbol, holding, found).await? {
            return Err(PassError::Incoherent(format!(
                "no coherent snapshot: the position in {symbol} reads differently than our books, and no trade explains it"
            )));
        }
    }
    Ok(())
}

/// Whether a position may differ from our books: by trades that are not in them, or because they
/// contradict themselves (an order of ours closed what somebody else had opened).
///
/// Of the trades that are not booked, the first may be in the books already (a position was taken over
/// after them) and the last not in this look (reads lag); those between make up the difference.
pub(super) async fn is_explained<E: Exchange>(
    exchange: &E,
    ledger: &mut Ledger,
    symbol: &Symbol,
    holding: &Holding,
    found: Qty,
) -> Result<bool, PassError> {
    if ledger.is_overshot(symbol, holding.qty).await? {
        return Ok(true);
    }
    let mut unbooked = Vec::new();
    let quote = ledger.coins_in().map(str::to_owned);
    for fill in exchange.fills_since(symbol, holding.confirmed_at - LATE_ROWS).await? {
        if !ledger.has_fill(symbol, fill.trade_id).await? {
            let of_coin = quote.as_ref().map(|quote| coins::effect(&fill, symbol, quote));
            unbooked.push(of_coin.unwrap_or(fill.signed_qty()));
        }
    }
    let differs_by = found - holding.qty;
    let from = |first: usize| {
        let mut sum = Qty::ZERO;
        unbooked.iter().skip(first).any(|qty| {
            sum += *qty;
            sum == differs_by
        })
    };
    Ok((0..unbooked.len()).any(from))
}

/// Orders with our prefix that this ledger never made stop the pass: the account is halted if the
/// newest of them closed it. Those that the ledger believed dead come back as unknown.
pub(super) async fn explain(
    ledger: &mut Ledger,
    strangers: Vec<Order>,
) -> Result<Vec<(Symbol, String)>, PassError> {
    let mut foreign: Vec<Order> = Vec::new();
    let mut revived = Vec::new();
    for order in strangers {
        match ledger.intent_state(&order.client_id).await? {
            None => foreign.push(order),
            Some(
                IntentState::Absent | IntentState::NotSent | IntentState::Rejected | IntentState::Abandoned,
            ) if !order.filled_qty.is_zero() => {
                revived.push((order.symbol, order.client_id));
            }
            Some(_) => {}
        }
    }
    let newest = foreign.iter().max_by_key(|order| (order.updated, order.order_id));
    match newest {
        None => Ok(revived),
        Some(order) if is_flatten(order) => {
            Err(PassError::HaltedElsewhere { client_id: order.client_id.clone(), at: order.updated })
        }
        Some(_) => {
            let named = foreign.iter().map(|order| format!("{} {}", order.symbol, order.client_id));
            Err(PassError::Foreign(named.collect()))
        }
    }
}

fn is_flatten(order: &Order) -> bool {
    ClientId::read(&order.client_id).is_some_and(|id| id.purpose == Purpose::Flatten)
}
