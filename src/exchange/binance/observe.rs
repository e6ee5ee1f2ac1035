//! One concurrent wave of reads becomes one observation, or nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::account::{Balance, Position};
use crate::domain::market::Market;
use crate::domain::num::{Notional, Qty, Rate};
use crate::domain::order::Order;
use crate::domain::rules::{Rules, Status};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::binance::cache::{Cache, Listing, Terms};
use crate::exchange::binance::session::{Session, unreadable};
use crate::exchange::{ExchangeError, Observation};
use crate::wire::binance::listed::Problem;
use crate::wire::binance::request::{Call, Request};
use crate::wire::binance::usdm::account::{self, Account, PositionRow};
use crate::wire::binance::usdm::{listing, market, order};

/// Weight of the wave: 40, and 22 more when the listing is read anew.
const WAVE: [Call; 7] = [
    Call::PremiumIndex,
    Call::BookTicker,
    Call::Account,
    Call::PositionRisk,
    Call::SymbolConfig,
    Call::AccountConfig,
    Call::Balance,
];
const LISTING: [Call; 3] = [Call::ExchangeInfo, Call::LeverageBracket, Call::CommissionRate];

/// Reads everything a decision may see. Returns it with the rows of market data that could not be
/// read.
pub(super) async fn observe(
    session: &Session,
    cache: &Cache,
    quote: &str,
) -> Result<(Observation, Vec<Problem>), ExchangeError> {
    session.ready(Call::Account)?;
    let at = session.now();
    let cached = cache.load(at, true);
    let calls = WAVE.iter().chain(if cached.is_some() { &[] } else { LISTING.as_slice() });
    session.admit(Call::Account, calls.map(|call| Request::new(*call).weight()).sum())?;

    let (marks, quotes, account, risk, settings, modes, alias, listed) = tokio::join!(
        all(session, Call::PremiumIndex),
        all(session, Call::BookTicker),
        all(session, Call::Account),
        all(session, Call::PositionRisk),
        all(session, Call::SymbolConfig),
        all(session, Call::AccountConfig),
        all(session, Call::Balance),
        listing(session, cache, cached, quote),
    );
    let (listing, mut problems) = listed?;
    let marks = market::premium_index(&marks?).map_err(unreadable)?;
    let quotes = market::book_ticker(&quotes?).map_err(unreadable)?;
    let account = account::account(&account?).map_err(unreadable)?;
    let risk = account::position_risk(&risk?).map_err(unreadable)?;
    let modes = account::account_config(&modes?).map_err(unreadable)?;
    let settings = account::symbol_config(&settings?).map_err(unreadable)?;
    let alias = account::account_alias(&alias?).map_err(unreadable)?;
    problems.extend(marks.problems);
    problems.extend(quotes.problems);
    problems.extend(settings.problems);

    let state = State { account, risk };
    let (state, balance) = match state.coherent(quote, modes.multi_assets) {
        Ok(balance) => (state, balance),
        // The two answers may lie on both sides of a fill: look once more before giving up.
        Err(_) => again(session, quote, modes.multi_assets).await?,
    };
    let open_orders = if state.hints_at_orders() { open_orders(session).await? } else { Vec::new() };
    let terms = listing.terms.as_ref();
    let observation = Observation {
        at,
        account: alias.ok_or_else(|| incoherent("the exchange did not name the account"))?,
        modes,
        balance,
        positions: state.positions(),
        settings: settings.rows,
        markets: fresh(market::markets(&marks.rows, &quotes.rows), at),
        rules: listing.rules.clone(),
        brackets: terms.map(|terms| terms.brackets.clone()).unwrap_or_default(),
        open_orders,
        taker_fee: terms.map(|terms| terms.taker_fee).unwrap_or_default(),
        spot: None,
    };
    Ok((observation, problems))
}

async fn all(session: &Session, call: Call) -> Result<Vec<u8>, ExchangeError> {
    session.ask(&Request::new(call)).await
}

async fn again(
    session: &Session,
    quote: &str,
    multi_assets: bool,
) -> Result<(State, Balance), ExchangeError> {
    let (account, risk) = tokio::join!(all(session, Call::Account), all(session, Call::PositionRisk));
    let state = State {
        account: account::account(&account?).map_err(unreadable)?,
        risk: account::position_risk(&risk?).map_err(unreadable)?,
    };
    let balance = state.coherent(quote, multi_assets).map_err(|what| incoherent(&what))?;
    Ok((state, balance))
}

/// Prices older than this are of another market than the one that is traded.
const STALE: Duration = Duration::from_secs(120);

fn fresh(mut markets: BTreeMap<Symbol, Market>, at: Time) -> BTreeMap<Symbol, Market> {
    markets.retain(|_, market| market.mark.at + STALE >= at);
    markets
}

/// Every resting order of the account. Costs as much as the whole wave, so only on a hint.
async fn open_orders(session: &Session) -> Result<Vec<Order>, ExchangeError> {
    let body = all(session, Call::OpenOrders).await?;
    order::open_orders(&body).map_err(unreadable)
}

fn incoherent(what: &str) -> ExchangeError {
    ExchangeError::Incoherent(what.to_owned())
}

/// Rules, tiers and fee: from the cache, or read in the same wave.
async fn listing(
    session: &Session,
    cache: &Cache,
    cached: Option<Arc<Listing>>,
    quote: &str,
) -> Result<(Arc<Listing>, Vec<Problem>), ExchangeError> {
    if let Some(listing) = cached {
        return Ok((listing, Vec::new()));
    }
    let fee_of = |symbol: &str| Request::new(Call::CommissionRate).with("symbol", symbol);
    let usual = fee_of(&format!("BTC{quote}"));
    let (info, brackets, fee) = tokio::join!(
        all(session, Call::ExchangeInfo),
        all(session, Call::LeverageBracket),
        session.ask(&usual),
    );
    let info = listing::exchange_info(&info?).map_err(unreadable)?;
    if traded(&info.rows, quote).is_none() {
        return Err(incoherent(&format!("nothing is traded in {quote}")));
    }
    let brackets = listing::leverage_brackets(&brackets?).map_err(unreadable)?;
    let fee = match fee {
        // An exchange without that contract: ask for the first one that it has.
        Err(ExchangeError::Rejected { .. }) => match traded(&info.rows, quote) {
            Some(symbol) => session.ask(&fee_of(symbol.as_str())).await?,
            None => return Err(incoherent(&format!("nothing is traded in {quote}"))),
        },
        fee => fee?,
    };
    let (_, fees) = listing::commission_rate(&fee).map_err(unreadable)?;
    let mut problems = info.problems;
    problems.extend(brackets.problems);
    let terms = Terms { brackets: brackets.rows, taker_fee: fees.taker };
    Ok((cache.store(session.now(), info.rows, Some(terms)), problems))
}

fn traded<'a>(rules: &'a BTreeMap<Symbol, Rules>, quote: &str) -> Option<&'a Symbol> {
    let trades = |rules: &&Rules| rules.status == Status::Trading && rules.margin_asset == quote;
    rules.values().find(trades).map(|rules| &rules.symbol)
}

/// The account as two answers of one wave tell it.
struct State {
    account: Account,
    risk: Vec<PositionRow>,
}

impl State {
    /// Whether the answers agree with each other and with themselves; the quote asset's balance if
    /// so. In October 2025 some accounts read as empty for half an hour while nothing was lost.
    fn coherent(&self, quote: &str, multi_assets: bool) -> Result<Balance, String> {
        let Some(balance) = self.account.assets.get(quote) else {
            return Err(format!("the account lists no {quote}"));
        };
        let of_account = sizes(self.account.positions.iter().map(|row| (&row.symbol, row.qty)));
        let of_risk = sizes(self.risk.iter().map(|row| (&row.position.symbol, row.position.qty)));
        if of_account != of_risk {
            return Err("account and positionRisk tell different positions".into());
        }
        if multi_assets {
            // Totals are in dollars over all assets then, and nothing is traded in this mode.
            return Ok(balance.clone());
        }
        let ours: Vec<&Symbol> = self
            .risk
            .iter()
            .filter(|row| row.margin_asset == quote && !row.position.qty.is_zero())
            .map(|row| &row.position.symbol)
            .collect();
        if balance.wallet.is_zero() && !ours.is_empty() {
            return Err(format!("open positions, but no {quote} in the wallet"));
        }
        let rows = || self.account.positions.iter().filter(|row| ours.contains(&&row.symbol));
        let unrealized: Notional = rows().map(|row| row.unrealized).sum();
        let gross: Notional = rows().map(|row| row.notional.abs()).sum();
        // Rows and totals may be made a tick apart.
        let slack = Notional::new(1, 2) + gross * Rate::new(1, 3);
        let total = if quote == "USDT" { self.account.total_unrealized } else { balance.unrealized };
        for (name, figure) in [("total", total), ("asset", balance.unrealized)] {
            if (unrealized - figure).abs() > slack {
                return Err(format!("floating profit is {unrealized} by position, {figure} by {name}"));
            }
        }
        if (balance.wallet + balance.unrealized - balance.equity).abs() > slack {
            return Err("wallet and floating profit do not add up to the margin balance".into());
        }
        let totals =
            [(self.account.total_wallet, balance.wallet), (self.account.total_equity, balance.equity)];
        if quote == "USDT" && totals.iter().any(|(total, row)| (*total - *row).abs() > slack) {
            return Err(format!("the account's totals are not those of its {quote}"));
        }
        Ok(balance.clone())
    }

    /// Whether anything hints at a resting order. Conditional orders leave no trace here.
    fn hints_at_orders(&self) -> bool {
        !self.account.open_order_margin.is_zero()
            || self.account.positions.iter().any(|row| row.qty.is_zero())
            || self.risk.iter().any(|row| row.has_orders)
    }

    /// Open positions. In hedge mode, which rebal does not trade, the two sides are netted.
    fn positions(&self) -> BTreeMap<Symbol, Position> {
        let mut positions: BTreeMap<Symbol, Position> = BTreeMap::new();
        for row in self.risk.iter().filter(|row| !row.position.qty.is_zero()) {
            positions
                .entry(row.position.symbol.clone())
                .and_modify(|other| {
                    other.qty += row.position.qty;
                    other.unrealized += row.position.unrealized;
                })
                .or_insert_with(|| row.position.clone());
        }
        positions
    }
}

fn sizes<'a>(rows: impl Iterator<Item = (&'a Symbol, Qty)>) -> BTreeMap<&'a Symbol, Vec<Qty>> {
    let mut sizes: BTreeMap<&Symbol, Vec<Qty>> = BTreeMap::new();
    for (symbol, qty) in rows.filter(|(_, qty)| !qty.is_zero()) {
        sizes.entry(symbol).or_default().push(qty);
    }
    sizes.values_mut().for_each(|both| both.sort_unstable());
    sizes
}
