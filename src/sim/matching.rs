//! Orders: checked, taken from the book, left resting, filled, cancelled.

use serde::{Deserialize, Serialize};

use crate::domain::account::max_notional;
use crate::domain::fill::Fill;
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::{Order, OrderKind, OrderRequest, OrderStatus, Side, TimeInForce};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::account::{self, Resting};
use crate::sim::book::Level;
use crate::sim::refusal::Refusal;
use crate::sim::{Exchange, Listed, rules};

/// The asset that profit, fees and margin are booked in.
pub(crate) const ASSET: &str = "USDT";

/// An order as the exchange keeps it: what it reports and what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// What is reported.
    pub order: Order,
    /// Market, or limit with its price.
    pub kind: OrderKind,
    /// Base units asked for, before a reduce-only order was trimmed.
    pub asked_qty: Qty,
    /// Quote units of all fills.
    pub quote_filled: Notional,
    /// When it was accepted.
    pub created: Time,
    /// The how-manieth order this exchange accepted.
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

    pub(crate) fn end(&mut self, status: OrderStatus, at: Time) {
        self.order.status = status;
        self.order.updated = at;
    }
}

/// An execution, and whether it gave liquidity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// The execution.
    pub fill: Fill,
    /// Gave liquidity rather than took it.
    pub maker: bool,
}

/// Which order is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which<'a> {
    /// By the exchange's number.
    Number(i64),
    /// By the id its sender gave.
    Client(&'a str),
}

impl Which<'_> {
    pub(crate) fn is(&self, order: &Order) -> bool {
        match self {
            Which::Number(number) => order.order_id == *number,
            Which::Client(id) => order.client_id == *id,
        }
    }
}

/// A checked order: what of it counts, and what it takes from the book at once.
pub(crate) struct Ready {
    pub(crate) qty: Qty,
    pub(crate) takes: Vec<Level>,
}

impl Exchange {
    /// Places an order.
    ///
    /// A client id may not be in use by an *open* order. The id of a finished one is accepted again,
    /// as a new order: that is what the real exchange promises, and the trap it sets.
    ///
    /// # Errors
    /// A [`Refusal`] with the exchange's code; nothing was placed.
    pub fn place(&mut self, request: &OrderRequest) -> Result<Placed, Refusal> {
        self.place_partly(request, Rate::ONE)
    }

    /// Places an order of which only `fraction` fills; the rest expires at once, whatever its kind.
    ///
    /// # Errors
    /// As [`Exchange::place`].
    pub fn place_partly(&mut self, request: &OrderRequest, fraction: Rate) -> Result<Placed, Refusal> {
        rules::check_client_id(&request.client_id)?;
        if self.state.open.iter().any(|open| open.order.client_id == request.client_id) {
            return Err(Refusal::of(-4116));
        }
        let ready = self.prepare(request, request.qty)?;
        Ok(self.accept(request, ready, fraction))
    }

    /// Checks an order as [`Exchange::place`] would, and places nothing.
    ///
    /// # Errors
    /// As [`Exchange::place`].
    pub fn test_order(&self, request: &OrderRequest) -> Result<(), Refusal> {
        rules::check_client_id(&request.client_id)?;
        self.prepare(request, request.qty).map(|_| ())
    }

    /// Everything that can refuse an order. `left` is what would still have to fill.
    pub(crate) fn prepare(&self, request: &OrderRequest, left: Qty) -> Result<Ready, Refusal> {
        let symbol = &request.symbol;
        let listed = self.world.listing.get(symbol).ok_or_else(|| Refusal::of(-1121))?;
        let setting = self.setting(symbol);
        if self.state.modes.hedge {
            return Err(Refusal::of(-4061));
        }
        if !setting.cross {
            return Err(Refusal::saying(-1020, "This exchange does not simulate isolated margin."));
        }
        let status = self.status(symbol);
        let Some(mark) = self.mark_price(symbol) else {
            rules::check_status(&status, request.reduce_only)?;
            return Err(Refusal::of(-2020));
        };
        rules::check(listed, &status, request, mark)?;
        if listed.rules.contract == "TRADIFI_PERPETUAL" {
            return Err(Refusal::of(-4411));
        }
        self.check_lock(symbol, request.reduce_only)?;
        let book = self.book(symbol).ok_or_else(|| Refusal::of(-2020))?;
        let book = book.worsened(self.terms.slippage_bps, listed.rules.tick);
        let qty = if request.reduce_only { self.closable(request)?.min(left) } else { left };
        let best = book.against(request.side).first().map_or(mark, |level| level.price);
        let worst = match request.kind {
            OrderKind::Limit { price, .. } => price,
            OrderKind::Market => market_bound(listed, request.side, mark),
        };
        let takes = book.walk(request.side, qty, worst);
        if !request.reduce_only {
            self.check_margin(listed, request, qty, mark, best)?;
        }
        let taken: Qty = takes.iter().map(|level| level.qty).sum();
        match request.kind {
            OrderKind::Market if takes.is_empty() => return Err(Refusal::of(-4131)),
            OrderKind::Limit { time_in_force: TimeInForce::Fok, .. } if taken < qty => {
                return Err(Refusal::of(-5021));
            }
            OrderKind::Limit { time_in_force: TimeInForce::Gtx, .. } if !takes.is_empty() => {
                return Err(Refusal::of(-5022));
            }
            _ => {}
        }
        let rests = matches!(
            request.kind,
            OrderKind::Limit { time_in_force: TimeInForce::Gtc | TimeInForce::Gtx, .. }
        ) && taken < qty;
        let resting = self.state.open.iter().filter(|open| open.order.symbol == *symbol).count();
        if rests && resting >= usize::try_from(listed.rules.max_open_orders).unwrap_or(usize::MAX) {
            return Err(Refusal::of(-2025));
        }
        Ok(Ready { qty, takes })
    }

    /// How much a reduce-only order may still close beside those already resting.
    fn closable(&self, request: &OrderRequest) -> Result<Qty, Refusal> {
        let held = self.state.holdings.get(&request.symbol).map_or(Qty::ZERO, |held| held.qty);
        if held.is_zero() || Side::of(-held) != request.side {
            return Err(Refusal::of(-2022));
        }
        let exits = self.state.open.iter().filter(|open| {
            open.order.symbol == request.symbol && open.order.reduce_only && open.order.side == request.side
        });
        let spoken_for: Qty = exits.map(Placed::left).sum();
        let free = held.abs() - spoken_for;
        if !free.is_positive() {
            return Err(Refusal::of(-4118));
        }
        Ok(free)
    }

    /// The position limit of the leverage, then the margin: `reference/binance.md` §6.3.
    fn check_margin(
        &self,
        listed: &Listed,
        request: &OrderRequest,
        qty: Qty,
        mark: Price,
        best: Price,
    ) -> Result<(), Refusal> {
        let symbol = &request.symbol;
        let leverage = self.setting(symbol).leverage;
        let value = self.state.holdings.get(symbol).map_or(Notional::ZERO, |held| held.qty * mark);
        let resting = self.resting(symbol, mark);
        let exposure = match request.side {
            Side::Buy => value + resting.bids + qty * mark,
            Side::Sell => value - resting.asks - qty * mark,
        };
        let most = max_notional(&listed.brackets, leverage).unwrap_or(Notional::ZERO);
        if exposure.abs() > value.abs() && exposure.abs() > most {
            return Err(Refusal::of(-2027));
        }
        let limit = match request.kind {
            OrderKind::Limit { price, .. } => Some(price),
            OrderKind::Market => None,
        };
        let assumed = match (limit, request.side) {
            (Some(price), side) => self.assumed_price(symbol, side, price, mark),
            (None, Side::Buy) => best * Rate::new(105, 2),
            (None, Side::Sell) => best,
        };
        let mut with_it = resting;
        with_it.add(request.side, qty, assumed, mark, limit);
        let cost = account::order_margin(value, &with_it, leverage)
            - account::order_margin(value, &resting, leverage);
        // Margin can only be posted in USDT: there is nothing else in this wallet to post.
        let free = if listed.rules.margin_asset == ASSET { self.free_margin() } else { Notional::ZERO };
        if cost.is_positive() && cost > free {
            return Err(Refusal::of(-2019));
        }
        Ok(())
    }

    /// The price that a limit order's margin is reckoned at.
    fn assumed_price(&self, symbol: &Symbol, side: Side, limit: Price, mark: Price) -> Price {
        match side {
            Side::Buy => limit,
            Side::Sell => {
                let last = self.last_price(symbol).unwrap_or(mark);
                (last * Rate::new(10_015, 4)).max(mark).max(limit)
            }
        }
    }

    /// Resting orders of `symbol` that need margin.
    pub(crate) fn resting(&self, symbol: &Symbol, mark: Price) -> Resting {
        let mut resting = Resting::default();
        for open in &self.state.open {
            if open.order.symbol != *symbol || open.order.reduce_only {
                continue;
            }
            if let Some(limit) = open.limit() {
                let assumed = self.assumed_price(symbol, open.order.side, limit, mark);
                resting.add(open.order.side, open.left(), assumed, mark, Some(limit));
            }
        }
        resting
    }

    fn accept(&mut self, request: &OrderRequest, ready: Ready, fraction: Rate) -> Placed {
        let now = self.state.at;
        self.state.counters.accepted += 1;
        let placed = Placed {
            order: Order {
                symbol: request.symbol.clone(),
                order_id: self.next_numbers(&request.symbol, true),
                client_id: request.client_id.clone(),
                side: request.side,
                qty: ready.qty,
                filled_qty: Qty::ZERO,
                avg_price: None,
                status: OrderStatus::New,
                reduce_only: request.reduce_only,
                updated: now,
            },
            kind: request.kind,
            asked_qty: request.qty,
            quote_filled: Notional::ZERO,
            created: now,
            accepted: self.state.counters.accepted,
            self_trade: false,
        };
        self.run(placed, &ready.takes, fraction)
    }

    /// Fills what the book gives, and files the order as finished or resting.
    pub(crate) fn run(&mut self, mut placed: Placed, takes: &[Level], fraction: Rate) -> Placed {
        let now = self.state.at;
        self.expire_own(&placed, takes);
        let step = self.world.listing.get(&placed.order.symbol).map_or(Qty::ZERO, |l| l.rules.lot.step);
        let capped = fraction < Rate::ONE;
        let mut cap = if capped { (placed.left() * fraction).floor_to(step) } else { placed.left() };
        for level in takes {
            let qty = level.qty.min(cap);
            if qty.is_positive() {
                self.fill(&mut placed, Level { qty, ..*level }, false);
                cap -= qty;
            }
        }
        let may_rest = matches!(
            placed.kind,
            OrderKind::Limit { time_in_force: TimeInForce::Gtc | TimeInForce::Gtx, .. }
        );
        if placed.left().is_zero() {
            placed.order.status = OrderStatus::Filled;
        } else if capped || !may_rest {
            placed.end(OrderStatus::Expired, now);
        } else if placed.order.filled_qty.is_positive() {
            placed.order.status = OrderStatus::PartiallyFilled;
        }
        let filed = if placed.order.status.is_final() { &mut self.state.done } else { &mut self.state.open };
        filed.push(placed.clone());
        self.shrink_exits(&placed.order.symbol);
        // What was shrunk may be this very order.
        self.find(&placed.order.symbol, Which::Number(placed.order.order_id)).cloned().unwrap_or(placed)
    }

    /// Ends the account's own resting orders that this one would trade with.
    fn expire_own(&mut self, taker: &Placed, takes: &[Level]) {
        let reach = taker.limit().or(takes.last().map(|level| level.price));
        let Some(reach) = reach else { return };
        let now = self.state.at;
        let meets = |open: &Placed| {
            let crossing = open.limit().is_some_and(|price| match taker.order.side {
                Side::Buy => price <= reach,
                Side::Sell => price >= reach,
            });
            open.order.symbol == taker.order.symbol && open.order.side != taker.order.side && crossing
        };
        let (met, kept): (Vec<Placed>, Vec<Placed>) =
            std::mem::take(&mut self.state.open).into_iter().partition(|open| meets(open));
        self.state.open = kept;
        for mut open in met {
            open.self_trade = true;
            open.end(OrderStatus::Expired, now);
            self.state.done.push(open);
        }
    }

    /// A trade by the account's owner outside of rebal: a market order without limits of size.
    ///
    /// `qty` is signed; negative sells.
    ///
    /// # Errors
    /// Refuses an unknown contract, a zero or off-grid quantity, a contract without price.
    pub fn hand_trade(&mut self, symbol: &Symbol, qty: Qty) -> Result<Placed, Refusal> {
        let listed = self.world.listing.get(symbol).ok_or_else(|| Refusal::of(-1121))?;
        if qty.is_zero() {
            return Err(Refusal::of(-4003));
        }
        if !qty.is_multiple_of(listed.rules.lot.step) {
            return Err(Refusal::of(-4023));
        }
        let side = Side::of(qty);
        let best = self.book(symbol).and_then(|book| book.against(side).first().copied());
        let price = best.ok_or_else(|| Refusal::of(-2020))?.price;
        let client_id = format!("web_{:016}", self.state.counters.accepted + 1);
        Ok(self.force(symbol, side, qty.abs(), price, &client_id))
    }

    /// Fills an order in full at `price`, unchecked: hand trades, liquidations, deliveries.
    pub(crate) fn force(
        &mut self,
        symbol: &Symbol,
        side: Side,
        qty: Qty,
        price: Price,
        client_id: &str,
    ) -> Placed {
        let request = OrderRequest {
            symbol: symbol.clone(),
            side,
            qty,
            kind: OrderKind::Market,
            reduce_only: false,
            client_id: client_id.to_owned(),
        };
        self.accept(&request, Ready { qty, takes: vec![Level { price, qty }] }, Rate::ONE)
    }
}

/// The furthest price a market order may reach.
fn market_bound(listed: &Listed, side: Side, mark: Price) -> Price {
    let bound = listed.rules.market_bound;
    match side {
        _ if bound.is_zero() && side == Side::Buy => mark * Rate::from(1_000_000),
        _ if bound.is_zero() => Price::ZERO,
        Side::Buy => mark * (Rate::ONE + bound),
        Side::Sell => mark * (Rate::ONE - bound),
    }
}
