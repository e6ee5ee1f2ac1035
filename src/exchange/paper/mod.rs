//! Paper money: a simulated exchange in this process, kept in the ledger between passes.

mod spot;
#[cfg(test)]
mod spot_tests;
mod usdm;

use std::cell::{Ref, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use crate::decide::risk::ApprovedOrder;
use crate::decide::stops::ApprovedStop;
use crate::domain::account::Health;
use crate::domain::candidate::Candidate;
use crate::domain::entry::Entry;
use crate::domain::fill::Fill;
use crate::domain::funding::Settlement;
use crate::domain::order::{Order, OrderRequest, Resting};
use crate::domain::rules::Rules;
use crate::domain::stop::{Conditional, StopRequest};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::exchange::paper::spot::Coins;
use crate::exchange::{Exchange, ExchangeError, Exposed, Kind, Observation, Reply, Settles};
use crate::sim::matching::Trade;
use crate::sim::refusal::Refusal;
use crate::sim::spot::listing::Pair;
use crate::sim::{self, Terms, World};

/// Finished orders, executions and income older than this are in the ledger alone.
const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);

/// What every paper account is called.
pub const PAPER_ACCOUNT: &str = "paper";

/// A simulated exchange with one account of paper money.
pub struct Paper {
    machine: RefCell<Box<dyn Machine>>,
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

/// One account on a simulated market: contracts, or coins. Everything in it happens at once, and all of
/// it is plain data.
trait Machine {
    /// What sort of account it is.
    fn kind(&self) -> Kind;
    /// Where its time and its prices are.
    fn market(&self) -> &sim::Exchange;
    /// The same, to be fed or moved; [`Machine::follow`] comes after.
    fn market_mut(&mut self) -> &mut sim::Exchange;
    /// Does what the moved market asks for.
    fn follow(&mut self);
    /// Drops what only queries need.
    fn forget_before(&mut self, cutoff: Time);
    /// Everything that changes, as JSON.
    fn keep(&self) -> String;
    /// What a pass looks at.
    fn observe(&self) -> Observation;
    /// What could be closed.
    fn exposed(&self) -> Exposed;
    /// Everything that is listed.
    fn candidates(&self) -> Vec<Candidate>;
    fn place(&mut self, order: &OrderRequest) -> Result<Order, Refusal>;
    fn order(&self, symbol: &Symbol, client_id: &str) -> Option<Order>;
    fn orders_since(&self, symbol: &Symbol, since: Time) -> Vec<Order>;
    fn fills_of(&self, symbol: &Symbol, order_id: i64) -> Vec<Fill>;
    fn fills_since(&self, symbol: &Symbol, since: Time) -> Vec<Fill>;
    fn income_since(&self, since: Time) -> Vec<Entry>;
    fn set_leverage(&mut self, symbol: &Symbol, leverage: u32) -> Result<(), Refusal>;
    fn set_cross(&mut self, symbol: &Symbol) -> Result<(), Refusal>;
    /// Orders that wait, ours and others'.
    fn resting(&self) -> Vec<Resting>;
    fn cancel(&mut self, order: &Resting) -> Result<(), Refusal>;

    /// Orders that wait for their trigger. Coins have none that closes a position.
    fn conditionals(&self) -> Vec<Conditional> {
        Vec::new()
    }
    fn conditional(&self, _client_id: &str) -> Option<Conditional> {
        None
    }
    fn place_stop(&mut self, _stop: &StopRequest) -> Result<Conditional, Refusal> {
        Err(Refusal::saying(-1013, "coins have no stop that closes a position"))
    }
    /// The order with the exchange's number.
    fn order_numbered(&self, _symbol: &Symbol, _number: i64) -> Option<Order> {
        None
    }
}

impl Paper {
    /// The futures account as it was `kept`, or a fresh one.
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
        let market = match kept {
            Some(json) => usdm::resume(world, terms, json)?,
            None => sim::Exchange::new(world, terms),
        };
        Ok(Paper::of(Box::new(market), environment, clock))
    }

    /// The same on spot: coins that share the prices of `world`'s contracts. `pairs` are those of a recorded
    /// listing; `None` makes up one for every contract that has a coin.
    pub fn spot(
        world: World,
        pairs: Option<Vec<Pair>>,
        terms: Terms,
        kept: Option<&str>,
        environment: &str,
        clock: Clock,
    ) -> Result<Paper, Unreadable> {
        let coins = Coins::new(world, pairs, terms, kept)?;
        Ok(Paper::of(Box::new(coins), environment, clock))
    }

    fn of(machine: Box<dyn Machine>, environment: &str, clock: Clock) -> Paper {
        Paper { machine: RefCell::new(machine), environment: environment.to_owned(), clock }
    }

    /// The market itself, to be fed or moved before a pass.
    pub fn sim(&mut self) -> &mut sim::Exchange {
        self.machine.get_mut().market_mut()
    }

    /// Moves paper time forward after a pass. At the end of recorded prices it stays there, and the
    /// next pass says so.
    pub fn step(&mut self, interval: Duration) {
        let machine = self.machine.get_mut();
        if self.clock == Clock::Passes {
            let market = machine.market_mut();
            let to = market.now() + interval;
            // The end is found, and told, by the next pass' connect.
            let _ = market.advance(to);
        }
        machine.follow();
        let cutoff = machine.market().now() - REMEMBERED;
        machine.forget_before(cutoff);
    }

    /// Everything that the simulated exchange lists, funding histories included.
    #[must_use]
    pub fn candidates(&self) -> (Time, Vec<Candidate>) {
        (self.now(), self.machine.borrow().candidates())
    }

    /// The clock of an account as [`Paper::keep`] wrote it.
    #[must_use]
    pub fn clock_of(kept: &str) -> Option<Time> {
        serde_json::from_str::<serde_json::Value>(kept).ok()?.get("at")?.as_str()?.parse().ok()
    }

    /// The account as JSON, to be kept.
    #[must_use]
    pub fn keep(&self) -> String {
        self.machine.borrow().keep()
    }

    fn machine(&self) -> Ref<'_, Box<dyn Machine>> {
        self.machine.borrow()
    }
}

impl Exchange for Paper {
    fn environment(&self) -> String {
        self.environment.clone()
    }

    fn kind(&self) -> Kind {
        self.machine().kind()
    }

    async fn connect(&mut self) -> Result<Time, ExchangeError> {
        let machine = self.machine.get_mut();
        machine.follow();
        let market = machine.market();
        match market.prices_end() {
            Some(end) if market.now() >= end => Err(ExchangeError::Unavailable {
                endpoint: "paper".into(),
                detail: format!("recorded prices end at {end}; give a longer recording or a new --state-dir"),
            }),
            _ => Ok(market.now()),
        }
    }

    fn now(&self) -> Time {
        self.machine().market().now()
    }

    fn state(&self) -> Option<String> {
        Some(self.keep())
    }

    /// Nothing can be under way to an exchange in this process.
    fn recv_window(&self) -> Duration {
        Duration::ZERO
    }

    async fn observe(&self) -> Result<Observation, ExchangeError> {
        Ok(self.machine().observe())
    }

    async fn exposed(&self) -> Result<Exposed, ExchangeError> {
        Ok(self.machine().exposed())
    }

    async fn place(&self, order: &ApprovedOrder, _stamp: Time) -> Reply {
        match self.machine.borrow_mut().place(order.request()) {
            Ok(placed) => Reply::Accepted(placed),
            Err(refusal) => Reply::Rejected { code: refusal.code, msg: refusal.msg },
        }
    }

    async fn order(&self, symbol: &Symbol, client_id: &str) -> Result<Option<Order>, ExchangeError> {
        Ok(self.machine().order(symbol, client_id))
    }

    async fn orders_since(&self, symbol: &Symbol, since: Time) -> Result<Vec<Order>, ExchangeError> {
        Ok(self.machine().orders_since(symbol, since))
    }

    async fn fills_of(&self, symbol: &Symbol, order_id: i64) -> Result<Vec<Fill>, ExchangeError> {
        Ok(self.machine().fills_of(symbol, order_id))
    }

    async fn fills_since(&self, symbol: &Symbol, since: Time) -> Result<Vec<Fill>, ExchangeError> {
        Ok(self.machine().fills_since(symbol, since))
    }

    async fn income_since(&self, since: Time) -> Result<Vec<Entry>, ExchangeError> {
        Ok(self.machine().income_since(since))
    }

    async fn set_leverage(&self, symbol: &Symbol, leverage: u32) -> Result<(), ExchangeError> {
        self.machine.borrow_mut().set_leverage(symbol, leverage).map_err(rejected)
    }

    async fn set_cross(&self, symbol: &Symbol) -> Result<(), ExchangeError> {
        self.machine.borrow_mut().set_cross(symbol).map_err(rejected)
    }

    async fn cancel(&self, symbol: &Symbol, client_id: &str) -> Result<(), ExchangeError> {
        let (symbol, client_id) = (symbol.clone(), client_id.to_owned());
        self.cancel_resting(&Resting { symbol, client_id, conditional: false }).await
    }

    async fn resting(&self) -> Result<Vec<Resting>, ExchangeError> {
        Ok(self.machine().resting().into_iter().filter(Resting::is_ours).collect())
    }

    async fn cancel_resting(&self, order: &Resting) -> Result<(), ExchangeError> {
        match self.machine.borrow_mut().cancel(order) {
            Err(refusal) if refusal.code != -2011 => Err(rejected(refusal)),
            _ => Ok(()),
        }
    }

    async fn conditionals(&self) -> Result<Vec<Conditional>, ExchangeError> {
        Ok(self.machine().conditionals())
    }

    async fn conditional(&self, client_id: &str) -> Result<Option<Conditional>, ExchangeError> {
        Ok(self.machine().conditional(client_id))
    }

    async fn place_stop(&self, stop: &ApprovedStop, _stamp: Time) -> Reply<Conditional> {
        match self.machine.borrow_mut().place_stop(stop.request()) {
            Ok(placed) => Reply::Accepted(placed),
            Err(refusal) => Reply::Rejected { code: refusal.code, msg: refusal.msg },
        }
    }

    async fn order_numbered(&self, symbol: &Symbol, number: i64) -> Result<Option<Order>, ExchangeError> {
        Ok(self.machine().order_numbered(symbol, number))
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
        let machine = self.machine();
        if machine.kind() == Kind::Spot {
            return Ok(Vec::new());
        }
        if self.clock == Clock::Exchange {
            // Prices of a moment have no past: what was charged is in the account's own rows alone.
            return Err(ExchangeError::Unavailable {
                endpoint: "paper".into(),
                detail: "a paper account on live prices keeps no settled rates".into(),
            });
        }
        let market = machine.market();
        let prints = market.funding_history(symbol, since, market.now());
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
        let machine = self.machine();
        if machine.kind() == Kind::Spot {
            return Ok(BTreeMap::new());
        }
        let hours = |symbol: &Symbol| Some((symbol.clone(), machine.market().funding_hours(symbol)?));
        Ok(listed.keys().filter_map(hours).collect())
    }
}

/// The executions themselves.
fn fills(trades: &[&Trade]) -> Vec<Fill> {
    trades.iter().map(|trade| trade.fill.clone()).collect()
}

fn rejected(refusal: Refusal) -> ExchangeError {
    ExchangeError::Rejected { endpoint: "paper".into(), code: refusal.code, msg: refusal.msg }
}
