//! The exchange as a pass sees it, with everything that can go wrong on the way there and back.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use rebal::decide::risk::ApprovedOrder;
use rebal::decide::stops::ApprovedStop;
use rebal::domain::account::{Balance, Health};
use rebal::domain::entry::Entry;
use rebal::domain::fill::Fill;
use rebal::domain::num::Rate;
use rebal::domain::order::{Order, Resting};
use rebal::domain::stop::Conditional;
use rebal::domain::symbol::Symbol;
use rebal::domain::time::Time;
use rebal::exchange::{Exchange, ExchangeError, Exposed, Observation, Reply};
use rebal::ledger::Ledger;
use rebal::pass::{Stop, latch};
use rebal::sim::algo::AlgoOrder;
use rebal::sim::matching::{Placed, Which};

use super::fault::Kind;
use super::invariant::{self, Sending, SendingStop};
use super::store::{Mark, Store};
use super::world::World;

pub(crate) struct Venue<'a> {
    pub(crate) world: &'a RefCell<World>,
    pub(crate) store: &'a Store,
    /// Where the log stood when the last call began.
    pub(crate) mark: &'a RefCell<Mark>,
    /// A second connection to the ledger: what it reads is what another process would.
    pub(crate) reader: RefCell<Option<Ledger>>,
    pub(crate) stop: Rc<Stop>,
}

/// How long the client waits for an answer.
const TIMEOUT_MS: u64 = 10_000;
/// What the exchange may say no with, whatever the order.
const REFUSALS: [i64; 9] = [-2019, -2022, -4131, -1008, -4400, -2027, -1111, -4164, -2021];

/// Runs a future that waits for another thread, without letting virtual time go on meanwhile.
fn now_or_wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(done) => return done,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

impl Venue<'_> {
    /// Begins a call: where the process may die before it has any effect.
    async fn begin(&self, what: &str) -> u64 {
        let dead = {
            let mut world = self.world.borrow_mut();
            if !world.dead {
                world.effects += 1;
                let number = world.effects;
                if world.death.is_some_and(|death| death.at == number && !death.after) {
                    world.note(&format!("died before call {number}, {what}"));
                    world.dead = true;
                    world.died.notify_one();
                } else {
                    *self.mark.borrow_mut() = self.store.mark();
                }
                if world.stop_at == Some(number) {
                    world.note("asked to stop");
                    self.stop.ask();
                }
            }
            world.dead
        };
        if dead {
            std::future::pending::<()>().await;
        }
        self.world.borrow().effects
    }

    /// Ends a call: where the process may die before it hears of the effect.
    async fn end(&self, number: u64) {
        let dead = {
            let mut world = self.world.borrow_mut();
            if !world.dead && world.death.is_some_and(|death| death.at == number && death.after) {
                world.note(&format!("died after call {number}"));
                world.dead = true;
                world.died.notify_one();
            }
            world.dead
        };
        if dead {
            std::future::pending::<()>().await;
        }
    }

    /// The time a call takes.
    async fn travel(&self) {
        let ms = {
            let mut world = self.world.borrow_mut();
            if world.strikes(Kind::Slow) { world.rng.within(500, 7_000) } else { world.rng.within(1, 150) }
        };
        self.sleep(ms).await;
    }

    async fn sleep(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        if self.world.borrow().dead {
            std::future::pending::<()>().await;
        }
        self.world.borrow_mut().tick();
    }

    /// One read: it takes its time and may fail.
    async fn read<T>(
        &self,
        what: &str,
        answer: impl FnOnce(&mut World) -> Result<T, ExchangeError>,
    ) -> Result<T, ExchangeError> {
        let number = self.begin(what).await;
        self.travel().await;
        let answer = self.fails(what).and_then(|()| answer(&mut self.world.borrow_mut()));
        let said = match &answer {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.to_string(),
        };
        self.world.borrow_mut().note(&format!("{what}: {said}"));
        self.end(number).await;
        answer
    }

    fn fails(&self, what: &str) -> Result<(), ExchangeError> {
        let mut world = self.world.borrow_mut();
        let now = world.now();
        if world.strikes(Kind::RateLimited) {
            let until = now + Duration::from_secs(world.rng.within(1, 600));
            world.banned_until = Some(until);
        }
        if let Some(until) = world.banned_until.filter(|until| now < *until) {
            return Err(ExchangeError::RateLimited { endpoint: what.to_owned(), until });
        }
        if world.strikes(Kind::ReadFails) {
            return Err(ExchangeError::Unavailable { endpoint: what.to_owned(), detail: "no answer".into() });
        }
        Ok(())
    }

    fn visible(world: &World, placed: &Placed, at: Time) -> bool {
        world.taken.get(&placed.order.client_id).is_none_or(|taken| taken.visible <= at)
    }

    /// The trouble that an order meets, drawn once: how its sender hears of it, if at all.
    fn fate(&self, closes: bool) -> Fate {
        let mut world = self.world.borrow_mut();
        let window = world.scenario.recv_window.as_millis() as u64;
        if world.strikes(Kind::NotSent) {
            Fate::NotSent
        } else if closes && world.strikes(Kind::CloseRefused) {
            Fate::Rejected(world.rng.pick(&[-1008, -4131, -2022]))
        } else if world.strikes(Kind::Rejected) {
            Fate::Rejected(world.rng.pick(&REFUSALS))
        } else if world.strikes(Kind::Dropped) {
            Fate::Dropped
        } else if world.strikes(Kind::AnswerLost) {
            Fate::Lost { after_ms: world.rng.within(1, 200) }
        } else if world.strikes(Kind::ArrivesLate) {
            Fate::Lost { after_ms: world.rng.within(200, window) }
        } else if world.strikes(Kind::ArrivesTooLate) {
            Fate::Lost { after_ms: world.rng.within(window + 1, 30_000) }
        } else {
            Fate::Answered
        }
    }

    fn on_send(&self, order: &ApprovedOrder, stamp: Time) {
        let request = order.request();
        let mut reader = self.reader.borrow_mut();
        let ledger = reader.as_mut().expect("the ledger is there before an order");
        let unresolved = now_or_wait(ledger.unresolved()).unwrap();
        let halves = (now_or_wait(ledger.halt()).unwrap(), latch::in_file(self.store.folder()));
        let mut world = self.world.borrow_mut();
        *world.posted.entry(request.client_id.clone()).or_default() += 1;
        world.sent.push(request.clone());
        world.note(&format!(
            "place {} {} {} {} reduce_only {} {:?}",
            request.client_id,
            request.symbol,
            request.side.as_str(),
            request.qty,
            request.reduce_only,
            request.kind
        ));
        let sending = Sending { world: &world, request, stamp, unresolved: &unresolved, halves: &halves };
        let found = invariant::on_send(&sending);
        world.violate(found);
    }
}

impl Venue<'_> {
    fn on_send_stop(&self, stop: &ApprovedStop, stamp: Time) {
        let request = stop.request();
        let mut reader = self.reader.borrow_mut();
        let ledger = reader.as_mut().expect("the ledger is there before a stop");
        let unresolved = now_or_wait(ledger.unresolved()).unwrap();
        let mut world = self.world.borrow_mut();
        *world.posted.entry(request.client_id.clone()).or_default() += 1;
        world.note(&format!("place stop {} {} at {}", request.client_id, request.symbol, request.trigger));
        let sending = SendingStop { world: &world, request, stamp, unresolved: &unresolved };
        let found = invariant::on_send_stop(&sending);
        world.violate(found);
    }
}

enum Fate {
    Answered,
    NotSent,
    Rejected(i64),
    Dropped,
    /// It arrives, but no answer comes back.
    Lost {
        after_ms: u64,
    },
}

fn reported(placed: &Placed) -> Order {
    let avg_price = placed.quote_filled.over_qty(placed.order.filled_qty);
    Order { avg_price: placed.order.avg_price.or(avg_price), ..placed.order.clone() }
}

impl Exchange for Venue<'_> {
    fn environment(&self) -> String {
        "seeds".to_owned()
    }

    async fn connect(&mut self) -> Result<Time, ExchangeError> {
        self.read("connect", |world| Ok(world.now())).await
    }

    fn now(&self) -> Time {
        self.world.borrow().now()
    }

    fn recv_window(&self) -> Duration {
        self.world.borrow().scenario.recv_window
    }

    async fn observe(&self) -> Result<Observation, ExchangeError> {
        let sent_at = self.now();
        let seen = self
            .read("observe", |world| {
                let (as_of, balance, positions) = world.account();
                let (rules_no, rules) = world.rules();
                let mut markets = world.markets();
                if world.strikes(Kind::NoPrice) {
                    let symbols: Vec<Symbol> = markets.keys().cloned().collect();
                    if !symbols.is_empty() {
                        markets.remove(&world.rng.pick(&symbols));
                    }
                }
                let at = world.now();
                let open = world.sim.open_orders(None).into_iter();
                let seen = Observation {
                    at: sent_at,
                    account: "one".to_owned(),
                    modes: world.sim.modes(),
                    balance,
                    positions,
                    settings: world.sim.settings(),
                    markets,
                    rules,
                    brackets: world.sim.brackets(),
                    open_orders: open.filter(|p| Self::visible(world, p, at)).map(reported).collect(),
                    taker_fee: Rate::new(5, 4),
                    spot: None,
                };
                world.see(sent_at, as_of, rules_no, &seen);
                let Balance { wallet, equity, .. } = seen.balance;
                world.note(&format!("  wallet {wallet} equity {equity} {:?}", world.held));
                Ok(seen)
            })
            .await?;
        self.world.borrow_mut().happen_meanwhile();
        Ok(seen)
    }

    async fn exposed(&self) -> Result<Exposed, ExchangeError> {
        let at = self.now();
        self.read("exposed", |world| {
            let (_, _, positions) = world.account();
            let (_, rules) = world.rules();
            let (hedge, locked) = (world.sim.modes().hedge, Default::default());
            Ok(Exposed { at, positions, rules, hedge, locked, dust: Default::default() })
        })
        .await
    }

    async fn place(&self, order: &ApprovedOrder, stamp: Time) -> Reply {
        let number = self.begin("place").await;
        self.world.borrow_mut().writes += 1;
        self.on_send(order, stamp);
        let fate = self.fate(invariant::closes(order.request()));
        let now = self.now();
        let banned = self.world.borrow().banned_until.is_some_and(|until| now < until);
        let launch = |after_ms| {
            let mut world = self.world.borrow_mut();
            let part = world.strikes(Kind::Partial).then(|| Rate::new(world.rng.pick(&[0, 1, 50, 99]), 2));
            world.launch(order.request().clone(), stamp, now + Duration::from_millis(after_ms), part)
        };
        let unknown = |why: &str| Reply::Unknown(why.to_owned());
        let reply = match fate {
            _ if banned => Reply::NotSent("banned".to_owned()),
            Fate::NotSent => Reply::NotSent("no connection".to_owned()),
            Fate::Rejected(code) => {
                self.travel().await;
                Reply::Rejected { code, msg: "no".to_owned() }
            }
            Fate::Dropped => {
                self.sleep(TIMEOUT_MS).await;
                unknown("timeout")
            }
            Fate::Lost { after_ms } => {
                launch(after_ms);
                let wait = self.world.borrow_mut().rng.pick(&[1, 300, TIMEOUT_MS]);
                self.sleep(wait).await;
                unknown("connection lost")
            }
            Fate::Answered => {
                let there = self.world.borrow_mut().rng.within(1, 80);
                let flight = launch(there);
                self.sleep(there).await;
                let answer = self.world.borrow_mut().answers.remove(&flight);
                match answer {
                    Some(Ok(order)) => Reply::Accepted(order),
                    Some(Err((code, msg))) => Reply::Rejected { code, msg },
                    None => unknown("no answer"),
                }
            }
        };
        let said = match &reply {
            Reply::Accepted(order) => format!("accepted, filled {}", order.filled_qty),
            other => format!("{other:?}"),
        };
        self.world.borrow_mut().note(&format!("  {}: {said}", order.request().client_id));
        self.end(number).await;
        reply
    }

    async fn order(&self, symbol: &Symbol, client_id: &str) -> Result<Option<Order>, ExchangeError> {
        self.read(&format!("order {client_id}"), |world| {
            let now = world.now();
            let shown =
                world.taken.get(client_id).is_some_and(|taken| taken.visible.max(taken.denied) <= now);
            let found = world.sim.order(symbol, Which::Client(client_id)).filter(|_| shown).map(reported);
            world.note(&format!(
                "  {:?}",
                found.as_ref().map(|order| (order.status.as_str(), order.filled_qty))
            ));
            Ok(found)
        })
        .await
    }

    async fn orders_since(&self, symbol: &Symbol, since: Time) -> Result<Vec<Order>, ExchangeError> {
        self.read(&format!("orders {symbol} since {since}"), |world| {
            let now = world.now();
            let found = world.sim.orders(Some(symbol), since, world.sim.now()).into_iter();
            Ok(found.filter(|placed| Self::visible(world, placed, now)).map(reported).collect())
        })
        .await
    }

    async fn fills_of(&self, symbol: &Symbol, order_id: i64) -> Result<Vec<Fill>, ExchangeError> {
        self.read(&format!("fills {symbol} {order_id}"), |world| {
            let now = world.now();
            let late = |world: &World| {
                let mut ours = world.taken.values();
                let is = |order: &Order| order.order_id == order_id && order.symbol == *symbol;
                ours.any(|taken| is(&taken.order) && taken.fills_visible > now)
            };
            if late(world) {
                return Ok(Vec::new());
            }
            Ok(world.sim.trades_of(symbol, order_id).iter().map(|trade| trade.fill.clone()).collect())
        })
        .await
    }

    async fn fills_since(&self, symbol: &Symbol, since: Time) -> Result<Vec<Fill>, ExchangeError> {
        self.read("fills since", |world| {
            let to = world.sim.now();
            Ok(world.sim.trades(Some(symbol), since, to).iter().map(|trade| trade.fill.clone()).collect())
        })
        .await
    }

    async fn income_since(&self, since: Time) -> Result<Vec<Entry>, ExchangeError> {
        self.read("income", |world| {
            let to = world.now() - world.income_lag;
            Ok(world.sim.income(since, to).into_iter().cloned().collect())
        })
        .await
    }

    async fn set_leverage(&self, symbol: &Symbol, leverage: u32) -> Result<(), ExchangeError> {
        self.set("leverage", |world| world.sim.set_leverage(symbol, leverage).map(|_| ())).await
    }

    async fn set_cross(&self, symbol: &Symbol) -> Result<(), ExchangeError> {
        self.set("cross", |world| world.sim.set_margin_type(symbol, true)).await
    }

    async fn cancel(&self, symbol: &Symbol, client_id: &str) -> Result<(), ExchangeError> {
        self.set("cancel", |world| world.sim.cancel(symbol, Which::Client(client_id)).map(|_| ())).await
    }

    async fn resting(&self) -> Result<Vec<Resting>, ExchangeError> {
        self.read("resting", |world| {
            let now = world.now();
            let visible = |id: &str| {
                world
                    .taken
                    .get(id)
                    .map(|taken| taken.visible)
                    .or(world.stops.get(id).map(|stop| stop.visible))
            };
            let shown = |order: &Resting| visible(&order.client_id).is_none_or(|at| at <= now);
            Ok(world.sim.waiting().into_iter().filter(Resting::is_ours).filter(shown).collect())
        })
        .await
    }

    async fn cancel_resting(&self, order: &Resting) -> Result<(), ExchangeError> {
        if self.world.borrow_mut().strikes(Kind::CancelFails) {
            let (endpoint, detail) = ("cancel resting".to_owned(), "no answer".to_owned());
            return Err(ExchangeError::Unavailable { endpoint, detail });
        }
        self.set("cancel resting", |world| world.sim.cancel_waiting(order)).await
    }

    async fn conditionals(&self) -> Result<Vec<Conditional>, ExchangeError> {
        self.read("conditionals", |world| {
            let now = world.now();
            let shown = |id: &str| world.stops.get(id).is_none_or(|stop| stop.visible <= now);
            let open = world.sim.algos(None, true).into_iter();
            Ok(open.filter(|algo| shown(&algo.request.client_id)).map(AlgoOrder::reported).collect())
        })
        .await
    }

    async fn conditional(&self, client_id: &str) -> Result<Option<Conditional>, ExchangeError> {
        self.read(&format!("conditional {client_id}"), |world| {
            let now = world.now();
            let shown = world.stops.get(client_id).is_some_and(|stop| stop.visible <= now);
            Ok(world.sim.algo(client_id).filter(|_| shown).map(AlgoOrder::reported))
        })
        .await
    }

    async fn place_stop(&self, stop: &ApprovedStop, stamp: Time) -> Reply<Conditional> {
        let number = self.begin("place stop").await;
        self.world.borrow_mut().writes += 1;
        self.on_send_stop(stop, stamp);
        let fate = self.fate(false);
        let now = self.now();
        let banned = self.world.borrow().banned_until.is_some_and(|until| now < until);
        let unknown = |why: &str| Reply::Unknown(why.to_owned());
        let arrive = || self.world.borrow_mut().arrive_stop(stop.request(), stamp);
        let reply = match fate {
            _ if banned => Reply::NotSent("banned".to_owned()),
            Fate::NotSent => Reply::NotSent("no connection".to_owned()),
            Fate::Rejected(code) => {
                self.travel().await;
                Reply::Rejected { code, msg: "no".to_owned() }
            }
            Fate::Dropped => {
                self.sleep(TIMEOUT_MS).await;
                unknown("timeout")
            }
            Fate::Lost { after_ms } => {
                self.sleep(after_ms).await;
                let _ = arrive();
                unknown("connection lost")
            }
            Fate::Answered => {
                let there = self.world.borrow_mut().rng.within(1, 80);
                self.sleep(there).await;
                match arrive() {
                    Ok(placed) => Reply::Accepted(placed),
                    Err(refusal) => Reply::Rejected { code: refusal.code, msg: refusal.msg },
                }
            }
        };
        self.world.borrow_mut().note(&format!("  {}: {reply:?}", stop.request().client_id));
        self.end(number).await;
        reply
    }

    async fn order_numbered(&self, symbol: &Symbol, number: i64) -> Result<Option<Order>, ExchangeError> {
        self.read(&format!("order {symbol} {number}"), |world| {
            Ok(world.sim.order(symbol, Which::Number(number)).map(reported))
        })
        .await
    }

    async fn health(&self) -> Health {
        let indicators = self.read("health", |world| Ok(world.sim.indicators(None))).await;
        Health {
            key: Err("the seeds have no key".to_owned()),
            indicators: indicators.map_err(|error| error.to_string()),
        }
    }
}

impl Venue<'_> {
    /// One write that may be repeated without harm.
    async fn set(
        &self,
        what: &str,
        write: impl FnOnce(&mut World) -> Result<(), rebal::sim::refusal::Refusal>,
    ) -> Result<(), ExchangeError> {
        self.world.borrow_mut().writes += 1;
        self.read(what, |world| {
            let rejected = |code, msg| Err(ExchangeError::Rejected { endpoint: what.to_owned(), code, msg });
            if world.strikes(Kind::SettingRefused) {
                return rejected(-4161, "refused".to_owned());
            }
            match write(world) {
                // What is so already, or gone already, is a success.
                Err(refusal) if !matches!(refusal.code, -4046 | -2011) => rejected(refusal.code, refusal.msg),
                _ => Ok(()),
            }
        })
        .await
    }
}
