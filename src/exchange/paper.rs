//! Paper money: the simulated exchange in this process, kept in the ledger between passes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::decide::risk::ApprovedOrder;
use crate::decide::stops::ApprovedStop;
use crate::domain::account::Health;
use crate::domain::candidate::{Candidate, FundingPast};
use crate::domain::entry::Entry;
use crate::domain::fill::Fill;
use crate::domain::funding::Settlement;
use crate::domain::order::{Order, Resting};
use crate::domain::rules::Rules;
use crate::domain::stop::Conditional;
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::{Exchange, ExchangeError, Exposed, Observation, Reply, Settles};
use crate::sim::algo::{AlgoOrder, AlgoRequest};
use crate::sim::matching::{Placed, Trade, Which};
use crate::sim::refusal::Refusal;
use crate::sim::{self, State, Terms, World};

/// Finished orders, executions and income older than this are in the ledger alone.
const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);

/// What every paper account is called.
pub const PAPER_ACCOUNT: &str = "paper";

/// A simulated exchange with one account of paper money.
pub struct Paper {
    sim: RefCell<sim::Exchange>,
    environment: String,
    clock: Clock,
}

/// Who moves paper time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Each pass, one interval forward.
    Passes,
    /// The exchange whose prices are used.
    Exchange,
}

/// A stored paper account that cannot be read back.
#[derive(Debug, thiserror::Error)]
#[error("the paper account in the ledger cannot be read: {0}")]
pub struct Unreadable(String);

impl Paper {
    /// The account as it was `kept`, or a fresh one.
    ///
    /// `environment` names where its prices come from, so that one account is never carried on with
    /// the prices of another world.
    pub fn new(
        world: World,
        terms: Terms,
        kept: Option<&str>,
        environment: &str,
        clock: Clock,
    ) -> Result<Paper, Unreadable> {
        let sim = match kept {
            Some(json) => {
                let state: State =
                    serde_json::from_str(json).map_err(|error| Unreadable(error.to_string()))?;
                sim::Exchange::resume(world, terms, state)
            }
            None => sim::Exchange::new(world, terms),
        };
        Ok(Paper { sim: RefCell::new(sim), environment: environment.to_owned(), clock })
    }

    /// The exchange itself, to be fed or moved before a pass.
    pub fn sim(&mut self) -> &mut sim::Exchange {
        self.sim.get_mut()
    }

    /// Moves paper time forward after a pass. At the end of recorded prices it stays there, and the
    /// next pass says so.
    pub fn step(&mut self, interval: Duration) {
        let sim = self.sim.get_mut();
        if self.clock == Clock::Passes {
            let to = sim.now() + interval;
            // The end is found, and told, by the next pass' connect.
            let _ = sim.advance(to);
        }
        sim.forget_before(sim.now() - REMEMBERED);
    }

    /// Everything that the simulated exchange lists, funding histories included.
    #[must_use]
    pub fn candidates(&self) -> (Time, Vec<Candidate>) {
        let sim = self.sim.borrow();
        let now = sim.now();
        let markets = sim.markets();
        let since = now - FundingPast::WINDOW - FundingPast::STALE;
        let candidate = |(symbol, rules): (Symbol, Rules)| {
            let prints = sim.funding_history(&symbol, since, now);
            let prints: Vec<_> = prints.into_iter().map(|print| (print.at, print.rate)).collect();
            let told = sim.world().listing.get(&symbol).map(|listed| listed.funding_hours);
            Candidate {
                market: markets.get(&symbol).copied(),
                volume: sim.day(&symbol).map(|day| day.quote_volume),
                funding: FundingPast::of_prints(&prints, told, now),
                rules,
            }
        };
        (now, sim.rules().into_iter().map(candidate).collect())
    }

    /// The clock of an account as [`Paper::keep`] wrote it.
    #[must_use]
    pub fn clock_of(kept: &str) -> Option<Time> {
        serde_json::from_str::<serde_json::Value>(kept).ok()?.get("at")?.as_str()?.parse().ok()
    }

    /// The account as JSON, to be kept.
    #[must_use]
    pub fn keep(&self) -> String {
        serde_json::to_string(self.sim.borrow().state()).unwrap_or_default()
    }
}

impl Exchange for Paper {
    fn environment(&self) -> String {
        self.environment.clone()
    }

    async fn connect(&mut self) -> Result<Time, ExchangeError> {
        let sim = self.sim.get_mut();
        match sim.prices_end() {
            Some(end) if sim.now() >= end => Err(ExchangeError::Unavailable {
                endpoint: "paper".into(),
                detail: format!("recorded prices end at {end}; give a longer recording or a new --state-dir"),
            }),
            _ => Ok(sim.now()),
        }
    }

    fn now(&self) -> Time {
        self.sim.borrow().now()
    }

    fn state(&self) -> Option<String> {
        Some(self.keep())
    }

    /// Nothing can be under way to an exchange in this process.
    fn recv_window(&self) -> Duration {
        Duration::ZERO
    }

    async fn observe(&self) -> Result<Observation, ExchangeError> {
        let sim = self.sim.borrow();
        Ok(Observation {
            at: sim.now(),
            account: PAPER_ACCOUNT.to_owned(),
            modes: sim.modes(),
            balance: sim.balance(),
            positions: sim.positions(),
            settings: sim.settings(),
            markets: sim.markets(),
            rules: sim.rules(),
            brackets: sim.brackets(),
            open_orders: sim.open_orders(None).into_iter().map(reported).collect(),
            taker_fee: sim.terms().taker_fee,
            spot: None,
        })
    }

    async fn exposed(&self) -> Result<Exposed, ExchangeError> {
        let sim = self.sim.borrow();
        Ok(Exposed {
            at: sim.now(),
            positions: sim.positions(),
            rules: sim.rules(),
            hedge: sim.modes().hedge,
        })
    }

    async fn place(&self, order: &ApprovedOrder, _stamp: Time) -> Reply {
        match self.sim.borrow_mut().place(order.request()) {
            Ok(placed) => Reply::Accepted(reported(&placed)),
            Err(refusal) => Reply::Rejected { code: refusal.code, msg: refusal.msg },
        }
    }

    async fn order(&self, symbol: &Symbol, client_id: &str) -> Result<Option<Order>, ExchangeError> {
        Ok(self.sim.borrow().order(symbol, Which::Client(client_id)).map(reported))
    }

    async fn orders_since(&self, symbol: &Symbol, since: Time) -> Result<Vec<Order>, ExchangeError> {
        let sim = self.sim.borrow();
        Ok(sim.orders(Some(symbol), since, sim.now()).into_iter().map(reported).collect())
    }

    async fn fills_of(&self, symbol: &Symbol, order_id: i64) -> Result<Vec<Fill>, ExchangeError> {
        Ok(fills(&self.sim.borrow().trades_of(symbol, order_id)))
    }

    async fn fills_since(&self, symbol: &Symbol, since: Time) -> Result<Vec<Fill>, ExchangeError> {
        let sim = self.sim.borrow();
        Ok(fills(&sim.trades(Some(symbol), since, sim.now())))
    }

    async fn income_since(&self, since: Time) -> Result<Vec<Entry>, ExchangeError> {
        let sim = self.sim.borrow();
        Ok(sim.income(since, sim.now()).into_iter().cloned().collect())
    }

    async fn set_leverage(&self, symbol: &Symbol, leverage: u32) -> Result<(), ExchangeError> {
        self.sim.borrow_mut().set_leverage(symbol, leverage).map(|_| ()).map_err(rejected)
    }

    async fn set_cross(&self, symbol: &Symbol) -> Result<(), ExchangeError> {
        self.sim.borrow_mut().set_margin_type(symbol, true).map_err(rejected)
    }

    async fn cancel(&self, symbol: &Symbol, client_id: &str) -> Result<(), ExchangeError> {
        self.sim.borrow_mut().cancel(symbol, Which::Client(client_id)).map(|_| ()).map_err(rejected)
    }

    async fn resting(&self) -> Result<Vec<Resting>, ExchangeError> {
        let sim = self.sim.borrow();
        Ok(sim.waiting().into_iter().filter(Resting::is_ours).collect())
    }

    async fn cancel_resting(&self, order: &Resting) -> Result<(), ExchangeError> {
        match self.sim.borrow_mut().cancel_waiting(order) {
            Err(refusal) if refusal.code != -2011 => Err(rejected(refusal)),
            _ => Ok(()),
        }
    }

    async fn conditionals(&self) -> Result<Vec<Conditional>, ExchangeError> {
        Ok(self.sim.borrow().algos(None, true).into_iter().map(AlgoOrder::reported).collect())
    }

    async fn conditional(&self, client_id: &str) -> Result<Option<Conditional>, ExchangeError> {
        Ok(self.sim.borrow().algo(client_id).map(AlgoOrder::reported))
    }

    async fn place_stop(&self, stop: &ApprovedStop, _stamp: Time) -> Reply<Conditional> {
        match self.sim.borrow_mut().place_algo(AlgoRequest::stop(stop.request())) {
            Ok(placed) => Reply::Accepted(placed.reported()),
            Err(refusal) => Reply::Rejected { code: refusal.code, msg: refusal.msg },
        }
    }

    async fn order_numbered(&self, symbol: &Symbol, number: i64) -> Result<Option<Order>, ExchangeError> {
        Ok(self.sim.borrow().order(symbol, Which::Number(number)).map(reported))
    }

    async fn health(&self) -> Health {
        Health {
            key: Err("a paper account has no key".into()),
            indicators: Err("a paper account is not judged".into()),
        }
    }
}

impl Settles for Paper {
    async fn settlements(&self, symbol: &Symbol, since: Time) -> Result<Vec<Settlement>, ExchangeError> {
        if self.clock == Clock::Exchange {
            // Prices of a moment have no past: what was charged is in the account's own rows alone.
            return Err(ExchangeError::Unavailable {
                endpoint: "paper".into(),
                detail: "a paper account on live prices keeps no settled rates".into(),
            });
        }
        let sim = self.sim.borrow();
        let prints = sim.funding_history(symbol, since, sim.now());
        let settled = |print: sim::prices::FundingPrint| Settlement {
            at: print.at,
            rate: print.rate,
            mark: print.mark,
            special: false,
        };
        Ok(prints.into_iter().map(settled).collect())
    }

    async fn funding_hours(
        &self,
        listed: &BTreeMap<Symbol, Rules>,
    ) -> Result<BTreeMap<Symbol, u32>, ExchangeError> {
        let sim = self.sim.borrow();
        let hours = |symbol: &Symbol| Some((symbol.clone(), sim.funding_hours(symbol)?));
        Ok(listed.keys().filter_map(hours).collect())
    }
}

/// The order as the exchange reports it, with the mean price of its fills.
fn reported(placed: &Placed) -> Order {
    let avg_price = placed.quote_filled.over_qty(placed.order.filled_qty);
    Order { avg_price: placed.order.avg_price.or(avg_price), ..placed.order.clone() }
}

fn fills(trades: &[&Trade]) -> Vec<Fill> {
    trades.iter().map(|trade| trade.fill.clone()).collect()
}

fn rejected(refusal: Refusal) -> ExchangeError {
    ExchangeError::Rejected { endpoint: "paper".into(), code: refusal.code, msg: refusal.msg }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::num::Price;
    use crate::domain::order::{CLIENT_ID_PREFIX, OrderKind, OrderRequest, Resting, Side, TimeInForce};
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
