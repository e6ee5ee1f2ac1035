//! What every coin earned, from the account's own rows.
//!
//! Signs are the account's: what came in is positive, what was paid is negative, so that every column
//! adds up: `realized + unrealized change + funding + fees = net profit`.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::domain::entry::{FEE_COST, UNEXPLAINED};
use crate::domain::history::{AssetPrice, BookedEntry, Trade};
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::plan::Reason;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;

const DAY: Duration = Duration::from_secs(86_400);

/// What one coin did to the account; every amount signed and in the quote asset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Profit of what was sold, without fees.
    pub realized: Notional,
    /// Fees taken in the quote asset.
    pub fees: Notional,
    /// Fees taken in another asset, at its price then. Not part of the quote asset's equity.
    pub fees_elsewhere: Notional,
    /// Funding received less paid.
    pub funding: Notional,
    /// What sales above the band realised, after their fees.
    pub harvest: Notional,
    /// Notional of all executions.
    pub turnover: Notional,
    /// Orders that were executed, wholly or in part.
    pub trades: u64,
    /// Orders among them that reduced a position.
    pub reductions: u64,
    /// Reductions with a profit after fees.
    pub wins: u64,
}

impl Account {
    /// All of it but the change of floating profit.
    #[must_use]
    pub fn booked(&self) -> Notional {
        self.realized + self.fees + self.fees_elsewhere + self.funding
    }
}

/// One UTC day's trading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayBook {
    /// Orders that were executed; an order counts on the day of its first execution.
    pub trades: u64,
    /// Notional of all executions.
    pub turnover: Notional,
}

/// One order's executions together.
#[derive(Clone, Debug)]
struct OrderSum {
    symbol: Symbol,
    realized: Notional,
    fees: Notional,
    reduces: bool,
    harvests: bool,
}

/// The books of a period, filled row by row.
#[derive(Clone, Debug)]
pub struct Accounts {
    quote: String,
    prices: BTreeMap<String, BTreeMap<Time, Price>>,
    /// By coin: trades of passes before this one bought what the hold twin holds.
    twin_from: BTreeMap<Symbol, i64>,
    orders: HashMap<String, OrderSum>,
    pub(super) coins: BTreeMap<Symbol, Account>,
    pub(super) days: BTreeMap<Time, DayBook>,
    pub(super) transfers: Notional,
    pub(super) unexplained: Notional,
    /// Income that belongs to no coin, by the exchange's word for it.
    pub(super) other: BTreeMap<String, Notional>,
    /// Fees in assets whose price is not known: asset → amount paid.
    pub(super) unvalued: BTreeMap<String, Notional>,
    /// Rows in other assets that are no fees.
    pub(super) foreign_rows: u64,
    pub(super) fills: u64,
    /// Fees of buying what the hold twin holds.
    pub(super) twin_fees: Notional,
    /// A spot account: fees in other assets leave what is held.
    of_coins: bool,
}

impl Accounts {
    /// Empty books. Trades of passes before `twin_from` bought what the hold twin holds of a coin.
    #[must_use]
    pub fn new(quote: &str, prices: Vec<AssetPrice>, twin_from: BTreeMap<Symbol, i64>) -> Accounts {
        let mut by_asset: BTreeMap<String, BTreeMap<Time, Price>> = BTreeMap::new();
        for price in prices {
            by_asset.entry(price.asset).or_default().insert(price.at, price.price);
        }
        Accounts {
            quote: quote.to_owned(),
            prices: by_asset,
            twin_from,
            orders: HashMap::new(),
            coins: BTreeMap::new(),
            days: BTreeMap::new(),
            transfers: Notional::ZERO,
            unexplained: Notional::ZERO,
            other: BTreeMap::new(),
            unvalued: BTreeMap::new(),
            foreign_rows: 0,
            fills: 0,
            twin_fees: Notional::ZERO,
            of_coins: false,
        }
    }

    /// The same of a spot account, whose equity contains the assets that fees are paid in.
    #[must_use]
    pub fn of_coins(self) -> Accounts {
        Accounts { of_coins: true, ..self }
    }

    /// Books one execution.
    pub fn trade(&mut self, trade: &Trade) {
        let fill = &trade.fill;
        let in_coin = self.of_coins && fill.fee_asset == fill.symbol.coin(&self.quote);
        let fee = match fill.fee_asset == self.quote {
            true => -fill.fee,
            false if in_coin => -(fill.fee_qty() * fill.price),
            false => self.valued(&fill.fee_asset, -fill.fee, fill.at),
        };
        let own = fill.fee_asset == self.quote || self.took_in_kind(&fill.fee_asset, fee, fill.fee_cost);
        if self.twin_from.get(&fill.symbol).is_some_and(|first| trade.pass_id < *first) {
            self.twin_fees += fee;
        }
        self.fills += 1;
        let account = self.coins.entry(fill.symbol.clone()).or_default();
        account.realized += fill.realized;
        account.turnover += fill.notional();
        if own {
            account.fees += fee;
        } else {
            account.fees_elsewhere += fee;
        }
        let day = self.days.entry(fill.at.floor_to(DAY)).or_default();
        day.turnover += fill.notional();
        let order = self.orders.entry(trade.client_id.clone()).or_insert_with(|| {
            day.trades += 1;
            account.trades += 1;
            OrderSum {
                symbol: fill.symbol.clone(),
                realized: Notional::ZERO,
                fees: Notional::ZERO,
                reduces: trade.reduce_only,
                harvests: trade.reason == Reason::AboveBand.as_str(),
            }
        });
        order.realized += fill.realized;
        order.fees += fee;
        order.reduces |= !fill.realized.is_zero();
    }

    /// Books one income row. Profit and fee of an execution of ours are booked with the execution.
    pub fn income(&mut self, row: &BookedEntry) {
        let entry = &row.entry;
        let kind = entry.kind.as_str();
        let of_trade = matches!(kind, "REALIZED_PNL" | "COMMISSION");
        if row.of_our_fill && of_trade {
            return;
        }
        if entry.asset != self.quote {
            match entry.symbol.parse() {
                Ok(symbol) if kind == "COMMISSION" => {
                    let fee = self.valued(&entry.asset, entry.amount, entry.at);
                    let own = self.took_in_kind(&entry.asset, fee, Notional::ZERO);
                    let account = self.coin(symbol);
                    if own { account.fees += fee } else { account.fees_elsewhere += fee }
                }
                _ => self.foreign_rows += 1,
            }
            return;
        }
        match (kind, entry.symbol.parse()) {
            // A futures account has rows for its transfers, so this was none that anybody knows of, though the drawdown
            // takes it for one. Spot has no rows, and a deposit there is just this.
            (UNEXPLAINED, _) if !self.of_coins => self.unexplained += entry.amount,
            _ if entry.is_transfer() => self.transfers += entry.amount,
            (_, Ok(symbol)) if entry.is_funding() => self.coin(symbol).funding += entry.amount,
            ("REALIZED_PNL" | FEE_COST, Ok(symbol)) => self.coin(symbol).realized += entry.amount,
            ("COMMISSION", Ok(symbol)) => self.coin(symbol).fees += entry.amount,
            (other, _) => *self.other.entry(other.to_owned()).or_default() += entry.amount,
        }
    }

    /// Closes the orders: who won, and what the band harvested.
    pub(super) fn close(&mut self) {
        for (_, order) in self.orders.drain() {
            let account = self.coins.entry(order.symbol).or_default();
            let profit = order.realized + order.fees;
            account.reductions += u64::from(order.reduces);
            account.wins += u64::from(order.reduces && profit.is_positive());
            if order.harvests {
                account.harvest += profit;
            }
        }
    }

    /// Whether a fee (negative) in `asset` left what a spot account holds, and so is in its equity. What left it
    /// had cost `fee_cost`, and realised the difference, as [`crate::domain::cost`] says.
    fn took_in_kind(&mut self, asset: &str, fee: Notional, fee_cost: Notional) -> bool {
        match format!("{asset}{}", self.quote).parse() {
            Ok(symbol) if self.of_coins => {
                self.coin(symbol).realized -= fee + fee_cost;
                true
            }
            _ => false,
        }
    }

    fn coin(&mut self, symbol: Symbol) -> &mut Account {
        self.coins.entry(symbol).or_default()
    }

    /// An amount of another asset in the quote, at the price next to `at` that is known; what has none
    /// is kept apart and counts as nothing.
    fn valued(&mut self, asset: &str, amount: Notional, at: Time) -> Notional {
        if amount.is_zero() {
            return Notional::ZERO;
        }
        let Some(price) = self.prices.get(asset).and_then(|prices| nearest(prices, at)) else {
            *self.unvalued.entry(asset.to_owned()).or_default() += -amount;
            return Notional::ZERO;
        };
        Qty::ONE * amount.over(Notional::ONE).unwrap_or_default() * price
    }
}

/// The price whose time is next to `at`.
fn nearest(prices: &BTreeMap<Time, Price>, at: Time) -> Option<Price> {
    let before = prices.range(..=at).next_back();
    let after = prices.range(at..).next();
    let distance = |(time, _): &(&Time, &Price)| time.ms().abs_diff(at.ms());
    before.into_iter().chain(after).min_by_key(distance).map(|(_, price)| *price)
}

/// `wins / reductions`; `None` where nothing was reduced.
pub(super) fn win_rate(wins: u64, reductions: u64) -> Option<Rate> {
    let count = |count: u64| Rate::from(u32::try_from(count).unwrap_or(u32::MAX));
    count(wins).over(count(reductions))
}
