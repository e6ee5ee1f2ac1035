//! Conditional orders: accepted without margin, triggered as prices move, then ordinary orders.

use serde::{Deserialize, Serialize};

use crate::domain::num::{Price, Qty, Rate};
use crate::domain::order::{OrderKind, OrderRequest, Side, TimeInForce};
use crate::domain::stop::{Conditional, STOP_MARKET, StopRequest, StopStatus};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::refusal::Refusal;
use crate::sim::{Exchange, rules};

/// Open conditional orders allowed at once, over all contracts.
const MOST_OPEN: usize = 200;
const FIRST_NUMBER: i64 = 2_146_760;

/// What sets a conditional order off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trigger {
    /// A price moving against the position: a buy at or above, a sell at or below.
    Stop(Price),
    /// A price moving for the position: a buy at or below, a sell at or above.
    TakeProfit(Price),
    /// A turn by a fraction from the best price since `activation` was passed.
    Trailing {
        /// From where on it trails; `None` at once.
        activation: Option<Price>,
        /// The turn, as a fraction.
        callback: Rate,
    },
}

/// Where a conditional order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlgoStatus {
    /// Waiting.
    New,
    /// Cancelled by its owner.
    Canceled,
    /// Set off, and its order was accepted.
    Finished,
    /// Set off, and its order was refused.
    Rejected,
    /// Set off with nothing left to close.
    Expired,
}

impl AlgoStatus {
    /// The exchange's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            AlgoStatus::New => "NEW",
            AlgoStatus::Canceled => "CANCELED",
            AlgoStatus::Finished => "FINISHED",
            AlgoStatus::Rejected => "REJECTED",
            AlgoStatus::Expired => "EXPIRED",
        }
    }
}

/// What a conditional order asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlgoRequest {
    /// The contract.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// What sets it off.
    pub trigger: Trigger,
    /// Base units; zero with `close_position`.
    pub qty: Qty,
    /// The order's limit; `None` is a market order.
    pub limit: Option<(Price, TimeInForce)>,
    /// May only shrink a position.
    pub reduce_only: bool,
    /// Closes whatever the position is then.
    pub close_position: bool,
    /// Watches the mark price instead of the last trade.
    pub on_mark: bool,
    /// The sender's id.
    pub client_id: String,
}

impl AlgoRequest {
    /// A stop that closes the whole position once the mark price is there.
    #[must_use]
    pub fn stop(stop: &StopRequest) -> AlgoRequest {
        AlgoRequest {
            symbol: stop.symbol.clone(),
            side: stop.side,
            trigger: Trigger::Stop(stop.trigger),
            qty: Qty::ZERO,
            limit: None,
            reduce_only: false,
            close_position: true,
            on_mark: true,
            client_id: stop.client_id.clone(),
        }
    }

    /// The exchange's word for what it becomes.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match (self.trigger, self.limit.is_some()) {
            (Trigger::Stop(_), true) => "STOP",
            (Trigger::Stop(_), false) => STOP_MARKET,
            (Trigger::TakeProfit(_), true) => "TAKE_PROFIT",
            (Trigger::TakeProfit(_), false) => "TAKE_PROFIT_MARKET",
            (Trigger::Trailing { .. }, _) => "TRAILING_STOP_MARKET",
        }
    }
}

/// A conditional order as the exchange keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlgoOrder {
    /// The exchange's number.
    pub algo_id: i64,
    /// What was asked.
    pub request: AlgoRequest,
    /// Where it stands.
    pub status: AlgoStatus,
    /// When it was accepted.
    pub created: Time,
    /// Last change.
    pub updated: Time,
    /// When it was set off.
    pub triggered: Option<Time>,
    /// The order it became.
    pub order_id: Option<i64>,
    /// The best price seen while trailing.
    pub best: Option<Price>,
}

impl AlgoOrder {
    /// Whether it still waits.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.status == AlgoStatus::New
    }

    /// The order as the exchange reports it.
    #[must_use]
    pub fn reported(&self) -> Conditional {
        let request = &self.request;
        Conditional {
            symbol: request.symbol.clone(),
            client_id: request.client_id.clone(),
            side: request.side,
            kind: request.kind().to_owned(),
            trigger: match request.trigger {
                Trigger::Stop(at) | Trigger::TakeProfit(at) => at,
                Trigger::Trailing { .. } => Price::ZERO,
            },
            closes: request.close_position,
            on_mark: request.on_mark,
            status: StopStatus::read(self.status.as_str()),
            order_id: self.order_id,
            created: self.created,
        }
    }

    /// Notes a price and says whether it sets the order off.
    fn sees(&mut self, price: Price) -> bool {
        let buys = self.request.side == Side::Buy;
        match self.request.trigger {
            Trigger::Stop(at) => {
                if buys {
                    price >= at
                } else {
                    price <= at
                }
            }
            Trigger::TakeProfit(at) => {
                if buys {
                    price <= at
                } else {
                    price >= at
                }
            }
            Trigger::Trailing { activation, callback } => {
                if self.best.is_none() {
                    let active = activation.is_none_or(|at| if buys { price <= at } else { price >= at });
                    if !active {
                        return false;
                    }
                }
                let best =
                    self.best.map_or(price, |best| if buys { best.min(price) } else { best.max(price) });
                self.best = Some(best);
                if buys {
                    price >= best * (Rate::ONE + callback)
                } else {
                    price <= best * (Rate::ONE - callback)
                }
            }
        }
    }
}

impl Exchange {
    /// Accepts a conditional order. Margin is looked at only when it is set off.
    ///
    /// # Errors
    /// `-1121`, `-4116` for an id in use by an open one, `-2021` where it would go off at once,
    /// `-4045` at the limit, and those of the id, quantity and price.
    pub fn place_algo(&mut self, request: AlgoRequest) -> Result<AlgoOrder, Refusal> {
        let listed = self.listed(&request.symbol)?.clone();
        rules::check_client_id(&request.client_id)?;
        let waiting = self.state.algos.iter().filter(|algo| algo.is_open());
        if waiting.clone().any(|algo| algo.request.client_id == request.client_id) {
            return Err(Refusal::of(-4116));
        }
        if waiting.count() >= MOST_OPEN {
            return Err(Refusal::of(-4045));
        }
        if request.close_position && !request.qty.is_zero() {
            return Err(Refusal::of(-4137));
        }
        if !request.close_position {
            if !request.qty.is_positive() {
                return Err(Refusal::of(-4003));
            }
            let lot = if request.limit.is_some() { listed.rules.lot } else { listed.rules.market_lot };
            if request.qty.decimals() > listed.qty_precision {
                return Err(Refusal::of(-1111));
            }
            if request.qty < lot.min {
                return Err(Refusal::of(-4004));
            }
            if !(request.qty - lot.min).is_multiple_of(lot.step) {
                return Err(Refusal::of(-4023));
            }
        }
        let prices = match request.trigger {
            Trigger::Stop(at) | Trigger::TakeProfit(at) => vec![at],
            Trigger::Trailing { activation, .. } => activation.into_iter().collect(),
        };
        for price in prices.into_iter().chain(request.limit.map(|(price, _)| price)) {
            if !price.is_positive() {
                return Err(Refusal::of(-4001));
            }
            if price.decimals() > listed.price_precision {
                return Err(Refusal::of(-1111));
            }
            if !(price - listed.rules.price_bounds.0).is_multiple_of(listed.rules.tick) {
                return Err(Refusal::of(-4014));
            }
        }
        let now = self.state.at;
        self.state.counters.algo += 1;
        let mut algo = AlgoOrder {
            algo_id: FIRST_NUMBER + self.state.counters.algo,
            request,
            status: AlgoStatus::New,
            created: now,
            updated: now,
            triggered: None,
            order_id: None,
            best: None,
        };
        let price = self.watched(&algo).ok_or_else(|| Refusal::of(-2020))?;
        if algo.sees(price) {
            return Err(Refusal::of(-2021));
        }
        self.state.algos.push(algo.clone());
        Ok(algo)
    }

    /// The price that a conditional order watches.
    fn watched(&self, algo: &AlgoOrder) -> Option<Price> {
        let symbol = &algo.request.symbol;
        if algo.request.on_mark { self.mark_price(symbol) } else { self.last_price(symbol) }
    }

    /// Conditional orders, newest last; with `open_only` those that still wait.
    #[must_use]
    pub fn algos(&self, symbol: Option<&Symbol>, open_only: bool) -> Vec<&AlgoOrder> {
        let wanted = |algo: &&AlgoOrder| {
            symbol.is_none_or(|symbol| algo.request.symbol == *symbol) && (!open_only || algo.is_open())
        };
        self.state.algos.iter().filter(wanted).collect()
    }

    /// The newest conditional order with its sender's id.
    #[must_use]
    pub fn algo(&self, client_id: &str) -> Option<&AlgoOrder> {
        self.state.algos.iter().rfind(|algo| algo.request.client_id == client_id)
    }

    /// Cancels a waiting conditional order by number or by its sender's id.
    ///
    /// # Errors
    /// `-2011` where none waits.
    pub fn cancel_algo(
        &mut self,
        number: Option<i64>,
        client_id: Option<&str>,
    ) -> Result<AlgoOrder, Refusal> {
        let now = self.state.at;
        let meant = |algo: &&mut AlgoOrder| {
            algo.is_open()
                && match (number, client_id) {
                    (Some(number), _) => algo.algo_id == number,
                    (None, Some(id)) => algo.request.client_id == id,
                    (None, None) => false,
                }
        };
        let algo = self.state.algos.iter_mut().find(meant).ok_or_else(|| Refusal::of(-2011))?;
        algo.status = AlgoStatus::Canceled;
        algo.updated = now;
        Ok(algo.clone())
    }

    /// Cancels every waiting conditional order of `symbol`; how many there were.
    pub fn cancel_all_algos(&mut self, symbol: &Symbol) -> usize {
        let now = self.state.at;
        let mut count = 0;
        for algo in &mut self.state.algos {
            if algo.is_open() && algo.request.symbol == *symbol {
                algo.status = AlgoStatus::Canceled;
                algo.updated = now;
                count += 1;
            }
        }
        count
    }

    /// Sets off what the new prices set off.
    pub(crate) fn trigger_algos(&mut self) {
        let waiting: Vec<i64> =
            self.state.algos.iter().filter(|algo| algo.is_open()).map(|algo| algo.algo_id).collect();
        for number in waiting {
            let Some(index) = self.state.algos.iter().position(|algo| algo.algo_id == number) else {
                continue;
            };
            let Some(mut algo) = self.state.algos.get(index).cloned() else { continue };
            let Some(price) = self.watched(&algo) else { continue };
            if algo.sees(price) {
                self.set_off(&mut algo);
            }
            if let Some(slot) = self.state.algos.get_mut(index) {
                *slot = algo;
            }
        }
    }

    /// Turns a conditional order into the order it stands for.
    fn set_off(&mut self, algo: &mut AlgoOrder) {
        let now = self.state.at;
        algo.triggered = Some(now);
        algo.updated = now;
        let held = self.state.holdings.get(&algo.request.symbol).map_or(Qty::ZERO, |held| held.qty);
        let closes = algo.request.close_position;
        if closes && (held.is_zero() || Side::of(-held) != algo.request.side) {
            algo.status = AlgoStatus::Expired;
            return;
        }
        let request = OrderRequest {
            symbol: algo.request.symbol.clone(),
            side: algo.request.side,
            qty: if closes { held.abs() } else { algo.request.qty },
            kind: algo.request.limit.map_or(OrderKind::Market, |(price, time_in_force)| OrderKind::Limit {
                price,
                time_in_force,
            }),
            reduce_only: algo.request.reduce_only || closes,
            client_id: algo.request.client_id.clone(),
        };
        match self.place(&request) {
            Ok(placed) => {
                algo.status = AlgoStatus::Finished;
                algo.order_id = Some(placed.order.order_id);
            }
            Err(_) => algo.status = AlgoStatus::Rejected,
        }
    }
}
