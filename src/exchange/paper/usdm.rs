//! Paper contracts: the simulated futures as a [`Machine`].

use std::collections::BTreeMap;

use crate::domain::candidate::{Candidate, FundingPast};
use crate::domain::entry::Entry;
use crate::domain::fill::Fill;
use crate::domain::order::{Order, OrderRequest, Resting};
use crate::domain::rules::Rules;
use crate::domain::stop::{Conditional, StopRequest};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::paper::{Machine, PAPER_ACCOUNT, Unreadable, fills};
use crate::exchange::{Exposed, Kind, Observation};
use crate::sim::algo::{AlgoOrder, AlgoRequest};
use crate::sim::matching::{Placed, Which};
use crate::sim::refusal::Refusal;
use crate::sim::{Exchange, State, Terms, World};

/// The account that `json` keeps.
pub(super) fn resume(world: World, terms: Terms, json: &str) -> Result<Exchange, Unreadable> {
    let state: State = serde_json::from_str(json).map_err(|error| Unreadable(error.to_string()))?;
    Ok(Exchange::resume(world, terms, state))
}

impl Machine for Exchange {
    fn kind(&self) -> Kind {
        Kind::Futures
    }

    fn market(&self) -> &Exchange {
        self
    }

    fn market_mut(&mut self) -> &mut Exchange {
        self
    }

    /// The market has no part that could lag behind it.
    fn follow(&mut self) {}

    fn forget_before(&mut self, cutoff: Time) {
        Exchange::forget_before(self, cutoff);
    }

    fn keep(&self) -> String {
        serde_json::to_string(self.state()).unwrap_or_default()
    }

    fn observe(&self) -> Observation {
        Observation {
            at: self.now(),
            account: PAPER_ACCOUNT.to_owned(),
            modes: self.modes(),
            balance: self.balance(),
            positions: self.positions(),
            settings: self.settings(),
            markets: self.markets(),
            rules: self.rules(),
            brackets: self.brackets(),
            open_orders: self.open_orders(None).into_iter().map(reported).collect(),
            taker_fee: self.terms().taker_fee,
            spot: None,
        }
    }

    fn exposed(&self) -> Exposed {
        Exposed {
            at: self.now(),
            positions: self.positions(),
            rules: self.rules(),
            hedge: self.modes().hedge,
            locked: BTreeMap::new(),
            dust: BTreeMap::new(),
        }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let now = self.now();
        let markets = self.markets();
        let since = now - FundingPast::WINDOW - FundingPast::STALE;
        let candidate = |(symbol, rules): (Symbol, Rules)| {
            let prints = self.funding_history(&symbol, since, now);
            let prints: Vec<_> = prints.into_iter().map(|print| (print.at, print.rate)).collect();
            let told = self.world().listing.get(&symbol).map(|listed| listed.funding_hours);
            Candidate {
                market: markets.get(&symbol).copied(),
                volume: self.day(&symbol).map(|day| day.quote_volume),
                funding: FundingPast::of_prints(&prints, told, now),
                rules,
            }
        };
        self.rules().into_iter().map(candidate).collect()
    }

    fn place(&mut self, order: &OrderRequest) -> Result<Order, Refusal> {
        Exchange::place(self, order).map(|placed| reported(&placed))
    }

    fn order(&self, symbol: &Symbol, client_id: &str) -> Option<Order> {
        Exchange::order(self, symbol, Which::Client(client_id)).map(reported)
    }

    fn conditionals(&self) -> Vec<Conditional> {
        self.algos(None, true).into_iter().map(AlgoOrder::reported).collect()
    }

    fn conditional(&self, client_id: &str) -> Option<Conditional> {
        self.algo(client_id).map(AlgoOrder::reported)
    }

    fn place_stop(&mut self, stop: &StopRequest) -> Result<Conditional, Refusal> {
        self.place_algo(AlgoRequest::stop(stop)).map(|placed| placed.reported())
    }

    fn order_numbered(&self, symbol: &Symbol, number: i64) -> Option<Order> {
        Exchange::order(self, symbol, Which::Number(number)).map(reported)
    }

    fn orders_since(&self, symbol: &Symbol, since: Time) -> Vec<Order> {
        self.orders(Some(symbol), since, self.now()).into_iter().map(reported).collect()
    }

    fn fills_of(&self, symbol: &Symbol, order_id: i64) -> Vec<Fill> {
        fills(&self.trades_of(symbol, order_id))
    }

    fn fills_since(&self, symbol: &Symbol, since: Time) -> Vec<Fill> {
        fills(&self.trades(Some(symbol), since, self.now()))
    }

    fn income_since(&self, since: Time) -> Vec<Entry> {
        self.income(since, self.now()).into_iter().cloned().collect()
    }

    fn set_leverage(&mut self, symbol: &Symbol, leverage: u32) -> Result<(), Refusal> {
        Exchange::set_leverage(self, symbol, leverage).map(|_| ())
    }

    fn set_cross(&mut self, symbol: &Symbol) -> Result<(), Refusal> {
        self.set_margin_type(symbol, true)
    }

    fn resting(&self) -> Vec<Resting> {
        self.waiting()
    }

    fn cancel(&mut self, order: &Resting) -> Result<(), Refusal> {
        self.cancel_waiting(order)
    }
}

/// The order as the exchange reports it, with the mean price of its fills.
fn reported(placed: &Placed) -> Order {
    let avg_price = placed.quote_filled.over_qty(placed.order.filled_qty);
    Order { avg_price: placed.order.avg_price.or(avg_price), ..placed.order.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::num::Price;
    use crate::domain::order::{CLIENT_ID_PREFIX, OrderKind, OrderRequest, Resting, Side, TimeInForce};
    use crate::exchange::Exchange as _;
    use crate::exchange::paper::{Clock, Paper};
    use crate::sim::algo::Trigger;
    use crate::sim::listing;
    use crate::sim::prices::Prices;

    fn limit(id: &str, symbol: &Symbol) -> OrderRequest {
        OrderRequest {
            symbol: symbol.clone(),
            side: Side::Buy,
            qty: 10.into(),
            kind: OrderKind::Limit { price: 9.into(), time_in_force: TimeInForce::Gtc },
            reduce_only: false,
            client_id: id.into(),
        }
    }

    #[tokio::test]
    async fn our_waiting_orders_are_found_and_cancelled_and_others_left() {
        let symbol: Symbol = "AUSDT".parse().unwrap();
        let world =
            World::new(vec![listing::derived(&symbol, Price::from(10))], Prices::Synthetic { seed: 1 });
        let mut paper = Paper::new(world, Terms::default(), None, "paper", Clock::Passes).unwrap();
        let (ours, conditional) = (format!("{CLIENT_ID_PREFIX}a"), format!("{CLIENT_ID_PREFIX}b"));
        let sim = paper.sim();
        sim.hand_trade(&symbol, 1.into()).unwrap();
        sim.place(&limit(&ours, &symbol)).unwrap();
        sim.place(&limit("theirs", &symbol)).unwrap();
        let stop = AlgoRequest {
            symbol: symbol.clone(),
            side: Side::Sell,
            trigger: Trigger::Stop(1.into()),
            qty: 1.into(),
            limit: None,
            reduce_only: true,
            close_position: false,
            on_mark: true,
            client_id: conditional.clone(),
        };
        sim.place_algo(stop).unwrap();
        let found = paper.resting().await.unwrap();
        let ids: Vec<(&str, bool)> =
            found.iter().map(|order| (order.client_id.as_str(), order.conditional)).collect();
        assert_eq!(ids, [(ours.as_str(), false), (conditional.as_str(), true)]);
        for order in found.iter().chain(&found) {
            paper.cancel_resting(order).await.unwrap();
        }
        assert_eq!(paper.resting().await.unwrap(), []);
        let unknown = Resting { symbol: "XUSDT".parse().unwrap(), client_id: ours, conditional: false };
        assert!(paper.cancel_resting(&unknown).await.is_err());
        let seen = paper.exposed().await.unwrap();
        assert_eq!((seen.positions[&symbol].qty, seen.rules.len(), seen.hedge), (1.into(), 1, false));
        let health = paper.health().await;
        assert!(health.key.is_err() && health.indicators.is_err());
    }
}
