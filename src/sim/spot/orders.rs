//! Orders: checked, paid for, taken from the book, left resting.

use serde::{Deserialize, Serialize};

use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::{Order, OrderKind, OrderStatus, Side, TimeInForce};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::Exchange;
use crate::sim::book::{Book, Level};
use crate::sim::refusal::Refusal;
use crate::sim::spot::filters::{self, check_client_id, check_qty, failure};
use crate::sim::spot::listing::Pair;
use crate::sim::spot::{Spot, short, units};

/// How much is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Size {
    /// So many coins.
    Base(Qty),
    /// A market order that spends (or, selling, brings) no more than this.
    Quote(Notional),
}

/// One order as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The pair.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// How much.
    pub size: Size,
    /// Market, or limit; `GTX` is the type `LIMIT_MAKER`.
    pub kind: OrderKind,
    /// Its sender's id.
    pub client_id: String,
}

/// An order as the exchange keeps it: what it reports and what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// What is reported.
    pub order: Order,
    /// Market or limit.
    pub kind: OrderKind,
    /// What it was to spend or bring, where it was sized so.
    pub asked_quote: Option<Notional>,
    /// Quote units of all fills.
    pub quote_filled: Notional,
    /// When it was accepted.
    pub created: Time,
    /// The how-manieth order this exchange accepted on spot.
    pub accepted: u64,
    /// Ended because it would have traded with its own account.
    pub self_trade: bool,
}

impl Placed {
    /// Base units still open.
    #[must_use]
    pub fn left(&self) -> Qty {
        self.order.qty - self.order.filled_qty
    }

    /// The limit price; `None` for a market order.
    #[must_use]
    pub fn limit(&self) -> Option<Price> {
        match self.kind {
            OrderKind::Limit { price, .. } => Some(price),
            OrderKind::Market => None,
        }
    }

    /// Whether what does not fill at once waits in the book.
    #[must_use]
    pub fn rests(&self) -> bool {
        matches!(self.kind, OrderKind::Limit { time_in_force: TimeInForce::Gtc | TimeInForce::Gtx, .. })
    }

    pub(crate) fn end(&mut self, status: OrderStatus, at: Time) {
        self.order.status = status;
        self.order.updated = at;
    }
}

/// A checked order: what of it counts, and what it takes from the book at once.
struct Ready {
    qty: Qty,
    takes: Vec<Level>,
}

impl Spot {
    /// Places an order.
    ///
    /// A client id may not be in use by an *open* order. The id of a finished one is accepted again,
    /// as a new order.
    ///
    /// # Errors
    /// A [`Refusal`] with the exchange's code; nothing was placed.
    pub fn place(&mut self, market: &Exchange, request: &Request) -> Result<Placed, Refusal> {
        self.place_partly(market, request, Rate::ONE)
    }

    /// Places an order of which only `fraction` fills; the rest expires at once, whatever its kind.
    ///
    /// # Errors
    /// As [`Spot::place`].
    pub fn place_partly(
        &mut self,
        market: &Exchange,
        request: &Request,
        fraction: Rate,
    ) -> Result<Placed, Refusal> {
        let average = self.check_filters(market, request)?;
        let pair = self.pair(&request.symbol)?.clone();
        if self.status(&request.symbol).as_str() != "TRADING" || average.is_none() {
            return Err(closed());
        }
        if self.state.open.iter().any(|open| open.order.client_id == request.client_id) {
            return Err(Refusal::saying(-2010, "Duplicate order sent."));
        }
        let ready = self.prepare(market, &pair, request)?;
        self.check_account(&pair, request.side, ready.qty)?;
        self.check_funds(&pair, request, &ready)?;
        Ok(self.accept(market, &pair, request, ready, fraction))
    }

    /// Checks an order as its filters would, and places nothing: neither balance nor status count.
    ///
    /// # Errors
    /// `-1121` and what the filters refuse.
    pub fn test_order(&self, market: &Exchange, request: &Request) -> Result<(), Refusal> {
        self.check_filters(market, request).map(|_| ())
    }

    /// The average price that the filters compared with; `None` where the pair has no price.
    fn check_filters(&self, market: &Exchange, request: &Request) -> Result<Option<Price>, Refusal> {
        check_client_id(&request.client_id)?;
        let pair = self.pair(&request.symbol)?;
        let average = self.average_price(market, &request.symbol);
        if let Some(average) = average {
            filters::check(pair, request, average)?;
        }
        Ok(average)
    }

    fn prepare(&self, market: &Exchange, pair: &Pair, request: &Request) -> Result<Ready, Refusal> {
        let book = self.book(market, &request.symbol).unwrap_or_default();
        let book = book.worsened(self.terms.slippage_bps, pair.rules.tick);
        let qty = match request.size {
            Size::Base(qty) => qty,
            Size::Quote(amount) => {
                let qty = within(&book, request.side, amount).floor_to(pair.rules.lot.step);
                check_qty(pair, qty, true)?;
                qty
            }
        };
        let (maker_only, all_or_nothing, worst) = match request.kind {
            OrderKind::Limit { price, time_in_force } => {
                (time_in_force == TimeInForce::Gtx, time_in_force == TimeInForce::Fok, Some(price))
            }
            OrderKind::Market => (false, false, None),
        };
        let worst = worst.unwrap_or(match request.side {
            Side::Buy => pair.rules.price_bounds.1.max(book.asks.last().map_or(Price::ZERO, |l| l.price)),
            Side::Sell => Price::ZERO,
        });
        let mut takes = book.walk(request.side, qty, worst);
        if maker_only && !takes.is_empty() {
            return Err(Refusal::saying(-2010, "Order would immediately match and take."));
        }
        if all_or_nothing && takes.iter().map(|level| level.qty).sum::<Qty>() < qty {
            takes.clear();
        }
        Ok(Ready { qty, takes })
    }

    /// What the order may spend at most must be free.
    fn check_funds(&self, pair: &Pair, request: &Request, ready: &Ready) -> Result<(), Refusal> {
        let cost: Notional = ready.takes.iter().map(|level| level.qty * level.price).sum();
        let (asset, needed) = match (request.side, request.kind, request.size) {
            (Side::Sell, _, _) => (&pair.rules.base, ready.qty),
            (Side::Buy, OrderKind::Limit { price, .. }, _) => (&pair.rules.quote, units(ready.qty * price)),
            (Side::Buy, OrderKind::Market, Size::Quote(amount)) => (&pair.rules.quote, units(amount)),
            (Side::Buy, OrderKind::Market, Size::Base(_)) => (&pair.rules.quote, units(cost)),
        };
        if needed > self.balance(asset).free { Err(short()) } else { Ok(()) }
    }

    fn accept(
        &mut self,
        market: &Exchange,
        pair: &Pair,
        request: &Request,
        ready: Ready,
        fraction: Rate,
    ) -> Placed {
        let now = market.now();
        self.state.accepted += 1;
        let mut placed = Placed {
            order: Order {
                symbol: request.symbol.clone(),
                order_id: self.next_number(&request.symbol, true),
                client_id: request.client_id.clone(),
                side: request.side,
                qty: ready.qty,
                filled_qty: Qty::ZERO,
                avg_price: None,
                status: OrderStatus::New,
                reduce_only: false,
                updated: now,
            },
            kind: request.kind,
            asked_quote: match request.size {
                Size::Base(_) => None,
                Size::Quote(amount) => Some(amount),
            },
            quote_filled: Notional::ZERO,
            created: now,
            accepted: self.state.accepted,
            self_trade: false,
        };
        self.expire_own(&placed, &ready.takes, now);
        let capped = fraction < Rate::ONE;
        let cap = if capped { (ready.qty * fraction).floor_to(pair.rules.lot.step) } else { ready.qty };
        let takes = first(ready.takes, cap);
        // A market order sets aside what it takes, a limit order all that it might.
        let each = |level: &Level| set_aside(request.side, level.qty, placed.limit().unwrap_or(level.price));
        let held: Qty = match placed.limit() {
            Some(price) => set_aside(request.side, ready.qty, price),
            None => takes.iter().map(each).sum(),
        };
        self.lock(spent_asset(pair, request.side), held);
        for level in takes {
            self.fill(market, pair, &mut placed, level, false);
        }
        if placed.left().is_zero() {
            placed.order.status = OrderStatus::Filled;
        } else if capped || !placed.rests() {
            self.release(pair, &placed);
            placed.end(OrderStatus::Expired, now);
        } else if placed.order.filled_qty.is_positive() {
            placed.order.status = OrderStatus::PartiallyFilled;
        }
        let filed = if placed.order.status.is_final() { &mut self.state.done } else { &mut self.state.open };
        filed.push(placed.clone());
        self.state.updated = now;
        placed
    }

    /// Gives back what an order that ends had set aside; a market order sets nothing aside for what
    /// it does not take.
    pub(crate) fn release(&mut self, pair: &Pair, placed: &Placed) {
        if let Some(price) = placed.limit() {
            let held = set_aside(placed.order.side, placed.left(), price);
            self.lock(spent_asset(pair, placed.order.side), -held);
        }
    }

    /// Ends the account's own resting orders that this one would trade with.
    fn expire_own(&mut self, taker: &Placed, takes: &[Level], now: Time) {
        let Some(reach) = taker.limit().or(takes.last().map(|level| level.price)) else { return };
        let meets = |open: &Placed| {
            let crossing = open.limit().is_some_and(|price| match taker.order.side {
                Side::Buy => price <= reach,
                Side::Sell => price >= reach,
            });
            open.order.symbol == taker.order.symbol && open.order.side != taker.order.side && crossing
        };
        let (met, kept): (Vec<Placed>, Vec<Placed>) =
            std::mem::take(&mut self.state.open).into_iter().partition(meets);
        self.state.open = kept;
        for mut open in met {
            open.self_trade = true;
            self.finish(open, OrderStatus::Expired, now);
        }
    }

    /// Files an order that was open as ended, and gives back what it had set aside.
    pub(crate) fn finish(&mut self, mut open: Placed, status: OrderStatus, now: Time) -> Placed {
        if let Some(pair) = self.pairs.get(&open.order.symbol).cloned() {
            self.release(&pair, &open);
        }
        open.end(status, now);
        self.state.updated = now;
        self.state.done.push(open.clone());
        open
    }

    /// A trade by the account's owner outside of rebal: a market order without filters, filled in
    /// full at the best price. `qty` is signed; negative sells.
    ///
    /// # Errors
    /// Refuses an unknown pair, a zero or off-grid quantity, a pair without a book, and more than
    /// there is.
    pub fn hand_trade(&mut self, market: &Exchange, symbol: &Symbol, qty: Qty) -> Result<Placed, Refusal> {
        let pair = self.pair(symbol)?.clone();
        if qty.is_zero() || !qty.is_multiple_of(pair.rules.lot.step) {
            return Err(failure("LOT_SIZE"));
        }
        let side = Side::of(qty);
        let best = self.book(market, symbol).and_then(|book| book.against(side).first().copied());
        let price = best.ok_or_else(closed)?.price;
        let request = Request {
            symbol: symbol.clone(),
            side,
            size: Size::Base(qty.abs()),
            kind: OrderKind::Market,
            client_id: format!("web_{:016}", self.state.accepted + 1),
        };
        let ready = Ready { qty: qty.abs(), takes: vec![Level { price, qty: qty.abs() }] };
        self.check_funds(&pair, &request, &ready)?;
        Ok(self.accept(market, &pair, &request, ready, Rate::ONE))
    }
}

fn closed() -> Refusal {
    Refusal::saying(-2010, "Market is closed.")
}

/// The asset that an order of this side gives away.
pub(crate) fn spent_asset(pair: &Pair, side: Side) -> &str {
    match side {
        Side::Buy => &pair.rules.quote,
        Side::Sell => &pair.rules.base,
    }
}

/// How much of that asset `qty` at `price` needs.
pub(crate) fn set_aside(side: Side, qty: Qty, price: Price) -> Qty {
    match side {
        Side::Buy => units(qty * price),
        Side::Sell => qty,
    }
}

/// How many coins `amount` of quote comes to, off any step.
fn within(book: &Book, side: Side, amount: Notional) -> Qty {
    let (mut left, mut qty) = (amount, Qty::ZERO);
    for level in book.against(side) {
        let most = left.over_price(level.price).unwrap_or(Qty::ZERO);
        if most <= level.qty {
            return qty + most;
        }
        qty += level.qty;
        left -= level.qty * level.price;
    }
    qty
}

/// The first `cap` base units of `takes`.
fn first(takes: Vec<Level>, mut cap: Qty) -> Vec<Level> {
    let mut kept = Vec::new();
    for level in takes {
        let qty = level.qty.min(cap);
        if qty.is_positive() {
            cap -= qty;
            kept.push(Level { qty, ..level });
        }
    }
    kept
}
