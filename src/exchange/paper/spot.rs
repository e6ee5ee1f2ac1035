//! Paper coins: the simulated spot market as a [`Machine`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::candidate::Candidate;
use crate::domain::entry::Entry;
use crate::domain::fill::Fill;
use crate::domain::order::{Order, OrderRequest, Resting, Side};
use crate::domain::rules::Rules;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::coins::{self, Look, Prices, Sellable};
use crate::exchange::paper::{Machine, PAPER_ACCOUNT, Unreadable, fills};
use crate::exchange::{Exposed, Kind, Observation};
use crate::sim::matching::Which;
use crate::sim::refusal::Refusal;
use crate::sim::spot::listing::{self, Pair};
use crate::sim::spot::orders::{Placed, Request, Size};
use crate::sim::spot::{QUOTE, Spot};
use crate::sim::{self, Exchange, Terms, World};
use crate::wire::binance::spot::account::{Account, Held};

/// What is kept of both machines.
#[derive(Serialize, Deserialize)]
struct Kept<Market, Coins> {
    /// When, for whoever only wants the time.
    at: Time,
    market: Market,
    spot: Coins,
}

/// A spot account, and the market whose prices its pairs share.
pub(super) struct Coins {
    market: Exchange,
    spot: Spot,
}

impl Coins {
    /// The account as it was `kept`, or a fresh one. Fees and slippage are those of `terms`.
    pub(super) fn new(
        world: World,
        pairs: Option<Vec<Pair>>,
        terms: Terms,
        kept: Option<&str>,
    ) -> Result<Coins, Unreadable> {
        let pairs = pairs.unwrap_or_else(|| listing::pairs(&world));
        let charged = sim::spot::Terms {
            equity: terms.equity,
            bnb: terms.bnb,
            taker_fee: terms.taker_fee,
            maker_fee: terms.maker_fee,
            burn: terms.fee_burn,
            slippage_bps: terms.slippage_bps,
            ..sim::spot::Terms::default()
        };
        let Some(json) = kept else {
            let market = Exchange::new(world, terms);
            let spot = Spot::new(pairs, charged, market.now());
            return Ok(Coins { market, spot });
        };
        let kept: Kept<sim::State, sim::spot::State> =
            serde_json::from_str(json).map_err(|error| Unreadable(error.to_string()))?;
        let market = Exchange::resume(world, terms, kept.market);
        Ok(Coins { market, spot: Spot::resume(pairs, charged, kept.spot) })
    }

    /// The pairs that are priced in the account's own asset.
    fn pairs(&self) -> impl Iterator<Item = (&Symbol, &Pair)> {
        self.spot.pairs().iter().filter(|(_, pair)| pair.rules.quote == QUOTE)
    }

    fn rules(&self) -> BTreeMap<Symbol, Rules> {
        let told = |(symbol, pair): (&Symbol, &Pair)| {
            (symbol.clone(), Rules { status: self.spot.status(symbol), ..pair.told() })
        };
        self.pairs().map(told).collect()
    }

    fn prices(&self) -> Prices {
        let books =
            |(symbol, _): (&Symbol, &Pair)| Some((symbol.clone(), self.spot.quote(&self.market, symbol)?));
        let last = |(symbol, _): (&Symbol, &Pair)| {
            Some((symbol.clone(), self.spot.last_price(&self.market, symbol)?))
        };
        Prices {
            at: self.market.now(),
            books: self.pairs().filter_map(books).collect(),
            last: self.pairs().filter_map(last).collect(),
        }
    }

    fn account(&self) -> Account {
        let held = self.spot.balances().iter().filter(|(_, balance)| !balance.total().is_zero());
        Account {
            uid: 0,
            can_trade: true,
            taker_fee: self.spot.terms().taker_fee,
            balances: held
                .map(|(asset, balance)| (asset.clone(), Held { free: balance.free, locked: balance.locked }))
                .collect(),
        }
    }
}

impl Machine for Coins {
    fn kind(&self) -> Kind {
        Kind::Spot
    }

    fn market(&self) -> &Exchange {
        &self.market
    }

    fn market_mut(&mut self) -> &mut Exchange {
        &mut self.market
    }

    fn follow(&mut self) {
        self.spot.follow(&self.market);
    }

    fn forget_before(&mut self, cutoff: Time) {
        self.market.forget_before(cutoff);
        self.spot.forget_before(cutoff);
    }

    fn keep(&self) -> String {
        let kept = Kept { at: self.market.now(), market: self.market.state(), spot: self.spot.state() };
        serde_json::to_string(&kept).unwrap_or_default()
    }

    fn observe(&self) -> Observation {
        let (account, rules, prices) = (self.account(), self.rules(), self.prices());
        let look = Look { quote: QUOTE, account: &account, rules: &rules, prices: &prices };
        let open_orders = self.spot.open_orders(None).into_iter().map(reported).collect();
        Observation { account: PAPER_ACCOUNT.to_owned(), ..look.observation(open_orders) }
    }

    fn exposed(&self) -> Exposed {
        let rules = self.rules();
        let Sellable { positions, locked, dust } =
            coins::sellable(&self.account(), &rules, &self.prices().books, QUOTE);
        Exposed { at: self.market.now(), positions, rules, hedge: false, locked, dust }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let prices = self.prices();
        let candidate = |(symbol, rules): (Symbol, Rules)| Candidate {
            market: prices.market(&symbol),
            volume: self.spot.day(&self.market, &symbol).map(|day| day.quote_volume),
            funding: None,
            rules,
        };
        self.rules().into_iter().map(candidate).collect()
    }

    fn place(&mut self, order: &OrderRequest) -> Result<Order, Refusal> {
        let request = Request {
            symbol: order.symbol.clone(),
            side: order.side,
            size: Size::Base(order.qty),
            kind: order.kind,
            client_id: order.client_id.clone(),
        };
        self.spot.place(&self.market, &request).map(|placed| reported(&placed))
    }

    fn order(&self, symbol: &Symbol, client_id: &str) -> Option<Order> {
        let found = self.spot.order(symbol, Which::Client(client_id), self.market.now());
        found.ok().map(reported)
    }

    fn orders_since(&self, symbol: &Symbol, since: Time) -> Vec<Order> {
        let now = self.market.now();
        self.spot.orders(symbol, since, now, now).into_iter().map(reported).collect()
    }

    fn fills_of(&self, symbol: &Symbol, order_id: i64) -> Vec<Fill> {
        let mut trades = self.spot.trades(Some(symbol));
        trades.retain(|trade| trade.fill.order_id == order_id);
        fills(&trades)
    }

    fn fills_since(&self, symbol: &Symbol, since: Time) -> Vec<Fill> {
        let mut trades = self.spot.trades(Some(symbol));
        trades.retain(|trade| trade.fill.at >= since);
        fills(&trades)
    }

    /// Spot has no such book.
    fn income_since(&self, _since: Time) -> Vec<Entry> {
        Vec::new()
    }

    fn set_leverage(&mut self, _symbol: &Symbol, leverage: u32) -> Result<(), Refusal> {
        match leverage {
            1 => Ok(()),
            _ => Err(Refusal::saying(-1102, "a spot account has no leverage to set")),
        }
    }

    /// What is fully paid cannot be isolated from anything.
    fn set_cross(&mut self, _symbol: &Symbol) -> Result<(), Refusal> {
        Ok(())
    }

    fn resting(&self) -> Vec<Resting> {
        self.spot.waiting()
    }

    fn cancel(&mut self, order: &Resting) -> Result<(), Refusal> {
        let which = Which::Client(&order.client_id);
        self.spot.cancel(&self.market, &order.symbol, which).map(|_| ())
    }
}

/// The order as the exchange reports it. A sale can only take away what is there.
fn reported(placed: &Placed) -> Order {
    Order { reduce_only: placed.order.side == Side::Sell, ..placed.order.clone() }
}
