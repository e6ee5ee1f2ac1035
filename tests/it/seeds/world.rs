//! The exchange, its clock and everything that happens to it, pass or no pass.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use rebal::domain::account::{AccountModes, Balance, Position};
use rebal::domain::market::{Mark, Market, Quote};
use rebal::domain::num::{Notional, Price, Qty, Rate};
use rebal::domain::order::{ClientId, Order, OrderKind, OrderRequest, Purpose, Side, TimeInForce};
use rebal::domain::rules::{Rules, Status};
use rebal::domain::scope::Scope;
use rebal::domain::stop::{Conditional, StopRequest};
use rebal::domain::symbol::Symbol;
use rebal::domain::time::Time;
use rebal::ledger::Halt;
use rebal::sim::algo::{AlgoRequest, Trigger};
use rebal::sim::refusal::Refusal;
use rebal::sim::{self, prices::Prices};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::fault::{Faults, Kind};
use super::invariant::{self, Accepting, Violation};
use super::rng::Rng;
use super::scenario::Scenario;
use super::truth::Truth;

/// What somebody started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// `rebal rebalance`, from cron.
    Rebalance,
    /// `rebal flatten`, with or without `--symbols` and `--no-halt`.
    Flatten { scope: Scope, halt: bool },
    /// `rebal risk-check`.
    Check,
    /// `rebal risk-check --resume`.
    Resume,
}

/// What a pass was shown when it looked: orders are judged by it.
pub(crate) struct Sight {
    pub(crate) at: Time,
    /// The account as of this instant: reads may lag.
    pub(crate) as_of: Time,
    pub(crate) equity: Notional,
    pub(crate) markets: BTreeMap<Symbol, Market>,
    pub(crate) rules: BTreeMap<Symbol, Rules>,
    pub(crate) members: BTreeSet<Symbol>,
    pub(crate) target: Notional,
    /// Average entry prices of what was held.
    pub(crate) entries: BTreeMap<Symbol, Price>,
    /// Which prices and rules these were.
    pub(crate) prices_no: u64,
    pub(crate) rules_no: u64,
}

/// An order under way to the exchange.
pub(crate) struct Flight {
    pub(crate) number: u64,
    pub(crate) arrives: Time,
    pub(crate) stamp: Time,
    pub(crate) request: OrderRequest,
    pub(crate) fraction: Option<Rate>,
    /// What it was decided on; closing needs no look at the market.
    pub(crate) sight: Option<Rc<Sight>>,
    pub(crate) pass: u64,
    /// The ledger it came from.
    pub(crate) life: u64,
}

/// An order of ours that the exchange took.
pub(crate) struct Taken {
    pub(crate) order: Order,
    pub(crate) at: Time,
    pub(crate) pass: u64,
    /// The ledger it came from.
    pub(crate) life: u64,
    /// The position is larger than before.
    pub(crate) adds: bool,
    /// From when a query by id, and the list, show it.
    pub(crate) visible: Time,
    /// Until when a query by id denies it although the list shows it.
    pub(crate) denied: Time,
    pub(crate) fills_visible: Time,
}

/// A stop of ours that the exchange took.
pub(crate) struct TakenStop {
    pub(crate) symbol: Symbol,
    /// The ledger it came from.
    pub(crate) life: u64,
    /// From when reads show it.
    pub(crate) visible: Time,
}

/// Where a process dies: at this call, before or after it took effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death {
    pub(crate) at: u64,
    pub(crate) after: bool,
}

pub(crate) struct World {
    pub(crate) sim: sim::Exchange,
    pub(crate) scenario: Scenario,
    pub(crate) rng: Rng,
    pub(crate) faults: Faults,
    pub(crate) trace: Trace,
    began: Instant,
    epoch: Time,
    marks: BTreeMap<Symbol, Price>,
    spreads: BTreeMap<Symbol, (i64, i64)>,
    /// What stands at the best price where the book is not thin.
    deep: BTreeMap<Symbol, Qty>,
    fed: BTreeMap<Symbol, Market>,
    prices_no: u64,
    pub(crate) rules_no: u64,
    served_rules: Option<(Time, u64, BTreeMap<Symbol, Rules>)>,
    flights: Vec<Flight>,
    next_flight: u64,
    pub(crate) answers: BTreeMap<u64, Result<Order, (i64, String)>>,
    /// Ours, by client id.
    pub(crate) taken: BTreeMap<String, Taken>,
    /// Our stops, by client id.
    pub(crate) stops: BTreeMap<String, TakenStop>,
    pub(crate) posted: BTreeMap<String, u64>,
    /// Positions as fills made them.
    pub(crate) held: BTreeMap<Symbol, Qty>,
    /// When somebody else last moved a position.
    pub(crate) disturbed: BTreeMap<Symbol, Time>,
    history: VecDeque<(Time, Balance, BTreeMap<Symbol, Position>)>,
    pub(crate) account_lag: Duration,
    pub(crate) income_lag: Duration,
    pub(crate) banned_until: Option<Time>,
    empty_until: Time,
    /// When a stranger's order with our prefix came, and for which contract.
    pub(crate) foreign: Option<(Time, Symbol)>,
    /// Orders of an earlier life that were left waiting in the book, and since when.
    left: BTreeMap<Symbol, Vec<(Time, String)>>,
    /// Orders wait somewhere, so that positions may move by themselves.
    rests: bool,
    /// Steps that a crash still has, and what each does to prices, in millionths.
    slide: Option<(u64, i64)>,
    /// How many ledgers this account has had before this one.
    pub(crate) life: u64,
    pub(crate) truth: Truth,
    /// The halt that was on the disk when the last pass was over.
    pub(crate) latch: Option<Halt>,
    /// What the ledger held of each contract when the last pass was over.
    pub(crate) known: BTreeMap<Symbol, Qty>,
    // The pass that runs.
    pub(crate) job: Job,
    /// It said that the loss is beyond its limit.
    pub(crate) breached: bool,
    pub(crate) pass: u64,
    pub(crate) sight: Option<Rc<Sight>>,
    pub(crate) first_sight: Option<Rc<Sight>>,
    pub(crate) sent: Vec<OrderRequest>,
    pub(crate) writes: u64,
    pub(crate) effects: u64,
    pub(crate) death: Option<Death>,
    pub(crate) dead: bool,
    pub(crate) died: Rc<Notify>,
    pub(crate) stop_at: Option<u64>,
    pub(crate) violations: Vec<Violation>,
}

/// What happened, as a hash and, where wanted, in words.
#[derive(Default)]
pub(crate) struct Trace {
    hash: u64,
    pub(crate) events: u64,
    pub(crate) loud: bool,
}

impl Trace {
    /// The install number is random by design and no part of the trace.
    pub(crate) fn note(&mut self, at: Time, line: &str) {
        let mut line = format!("{at} {line}");
        let mut from = 0;
        while let Some(found) = line[from..].find("rb1").map(|found| found + from) {
            if line.len() >= found + 9 && line.is_char_boundary(found + 9) {
                line.replace_range(found + 3..found + 9, "------");
            }
            from = found + 3;
        }
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.events += 1;
        if self.loud {
            eprintln!("{line}");
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}

impl World {
    pub(crate) fn new(seed: u64, loud: bool) -> World {
        let mut rng = Rng::new(seed);
        let scenario = Scenario::draw(&mut rng, &mut Rng::new(!seed));
        let faults = Faults::draw(&mut rng);
        let world = sim::World::new(scenario.listing.clone(), Prices::Fed);
        let epoch = scenario.terms.start;
        let marks = scenario.listing.iter().map(|l| (l.rules.symbol.clone(), l.shape.price)).collect();
        let deep = |l: &sim::Listed| {
            let worth = Notional::from(5_000_000).over_price(l.shape.price).unwrap();
            (l.rules.symbol.clone(), worth.floor_to(l.rules.lot.step * Rate::from(10)).max(l.rules.lot.step))
        };
        let deep = scenario.listing.iter().map(deep).collect();
        let mut world = World {
            sim: sim::Exchange::new(world, scenario.terms.clone()),
            scenario,
            rng,
            faults,
            trace: Trace { hash: 0xcbf2_9ce4_8422_2325, events: 0, loud },
            began: Instant::now(),
            epoch,
            marks,
            spreads: BTreeMap::new(),
            deep,
            fed: BTreeMap::new(),
            prices_no: 0,
            rules_no: 0,
            served_rules: None,
            flights: Vec::new(),
            next_flight: 0,
            answers: BTreeMap::new(),
            taken: BTreeMap::new(),
            stops: BTreeMap::new(),
            posted: BTreeMap::new(),
            held: BTreeMap::new(),
            disturbed: BTreeMap::new(),
            history: VecDeque::new(),
            account_lag: Duration::ZERO,
            income_lag: Duration::ZERO,
            banned_until: None,
            empty_until: Time::default(),
            foreign: None,
            left: BTreeMap::new(),
            rests: false,
            slide: None,
            life: 0,
            truth: Truth::default(),
            latch: None,
            known: BTreeMap::new(),
            job: Job::Rebalance,
            breached: false,
            pass: 0,
            sight: None,
            first_sight: None,
            sent: Vec::new(),
            writes: 0,
            effects: 0,
            death: None,
            dead: false,
            died: Rc::new(Notify::new()),
            stop_at: None,
            violations: Vec::new(),
        };
        world.feed();
        world.remember();
        world
    }

    pub(crate) fn now(&self) -> Time {
        self.epoch + Instant::now().duration_since(self.began)
    }

    pub(crate) fn lived(&self) -> Duration {
        self.now().since(self.epoch)
    }

    pub(crate) fn note(&mut self, line: &str) {
        let now = self.now();
        self.trace.note(now, line);
    }

    pub(crate) fn strikes(&mut self, kind: Kind) -> bool {
        let strikes = self.faults.strikes(&mut self.rng, kind);
        if strikes {
            self.note(&format!("! {kind:?}"));
        }
        strikes
    }

    pub(crate) fn violate(&mut self, found: Vec<Violation>) {
        for violation in &found {
            self.note(&format!("VIOLATED {violation}"));
        }
        self.violations.extend(found);
    }

    pub(crate) fn qty(&self, symbol: &Symbol) -> Qty {
        self.held.get(symbol).copied().unwrap_or(Qty::ZERO)
    }

    // ---- time

    /// Brings the exchange up to now: orders under way arrive, prices stand.
    pub(crate) fn tick(&mut self) {
        let now = self.now();
        loop {
            let due = self.flights.iter().enumerate().filter(|(_, flight)| flight.arrives <= now);
            let Some((index, _)) = due.min_by_key(|(_, flight)| (flight.arrives, flight.number)) else {
                break;
            };
            let flight = self.flights.remove(index);
            self.advance(flight.arrives);
            self.arrive(flight);
        }
        // Nothing but funding happens by itself, and that is not in a hurry.
        if now.since(self.sim.now()) >= Duration::from_secs(1) {
            self.advance(now);
        }
    }

    fn advance(&mut self, to: Time) {
        if to <= self.sim.now() {
            return;
        }
        let before = self.sim.accepted_count();
        self.sim.advance(to).unwrap();
        self.forced(before);
    }

    /// Orders that the exchange itself made: liquidations, settlements.
    fn forced(&mut self, before: u64) {
        if self.sim.accepted_count() == before {
            self.reconcile();
            return;
        }
        let now = self.sim.now();
        let forced: Vec<Order> = self
            .sim
            .accepted_orders()
            .into_iter()
            .filter(|placed| placed.accepted > before)
            .map(|placed| placed.order.clone())
            .collect();
        for order in forced {
            if let Some(stop) = self.stops.get(&order.client_id).filter(|stop| stop.life == self.life) {
                // Ours, and the ledger knows of it.
                let symbol = stop.symbol.clone();
                self.trace.note(now, &format!("stop {} sold {symbol} {}", order.client_id, order.filled_qty));
                self.moved(&symbol, order.side.signed(order.filled_qty));
                self.stopped(&order, now);
                continue;
            }
            self.faults.count(Kind::Liquidated);
            self.trace.note(now, &format!("{} {} {}", order.client_id, order.symbol, order.filled_qty));
            self.moved(&order.symbol, order.side.signed(order.filled_qty));
            if order.client_id.starts_with("rb1") {
                self.foreign = Some((now, order.symbol.clone()));
            }
            self.disturbed.insert(order.symbol, now);
        }
        self.reconcile();
        self.remember();
    }

    /// What waiting orders did as prices reached them.
    fn reconcile(&mut self) {
        if !self.rests {
            return;
        }
        let now = self.sim.now();
        let positions = self.sim.positions();
        let mut moved = false;
        for symbol in self.scenario.contracts() {
            let found = positions.get(&symbol).map_or(Qty::ZERO, |position| position.qty);
            let by = found - self.qty(&symbol);
            if !by.is_zero() {
                self.trace.note(now, &format!("a waiting order moved {symbol} by {by}"));
                self.moved(&symbol, by);
                self.disturbed.insert(symbol.clone(), now);
                self.foreign = Some((now, symbol));
                moved = true;
            }
        }
        if moved {
            self.remember();
        }
    }

    fn moved(&mut self, symbol: &Symbol, by: Qty) {
        let after = self.qty(symbol) + by;
        self.held.insert(symbol.clone(), after);
    }

    /// Lets time pass: prices walk, orders under way arrive.
    pub(crate) async fn wait(world: &std::cell::RefCell<World>, gap: Duration) {
        let steps = (gap.as_secs() / 28_800).clamp(1, 4) as u32;
        for _ in 0..steps {
            tokio::time::sleep(gap / steps).await;
            let mut world = world.borrow_mut();
            world.tick();
            if !world.faults.calm {
                world.walk(gap / steps);
            }
        }
    }

    /// Lets time pass in which nobody does anything: what is under way arrives.
    pub(crate) async fn stand(world: &std::cell::RefCell<World>, span: Duration) {
        tokio::time::sleep(span).await;
        world.borrow_mut().tick();
    }

    // ---- prices

    /// A step of every price: about 80 % a year.
    fn walk(&mut self, over: Duration) {
        if over < Duration::from_secs(30) {
            return;
        }
        let share = (over.as_secs_f64() / 31_557_600.0).sqrt() * 0.8;
        let common = self.rng.normal_ppm();
        for symbol in self.scenario.contracts() {
            let own = self.rng.normal_ppm();
            let shock = ((common + own) as f64 * 0.7 * share) as i64;
            self.jump(&symbol, 1_000_000 + shock.clamp(-400_000, 600_000));
        }
        self.feed();
    }

    /// Multiplies a price by a number of millionths.
    fn jump(&mut self, symbol: &Symbol, ppm: i64) {
        let tick = self.sim.world().listing[symbol].rules.tick;
        let mark = self.marks.get_mut(symbol).unwrap();
        let floor = tick * Rate::from(200);
        *mark = (*mark * Rate::new(ppm, 6)).rounded(tick.decimals() + 2).max(floor);
    }

    /// Shows the exchange the prices of now.
    fn feed(&mut self) {
        self.prices_no += 1;
        let at = self.now();
        let mut markets = BTreeMap::new();
        for symbol in self.scenario.contracts() {
            let mark = self.marks[&symbol];
            let (half_bps, gap_bps) = self.spreads.get(&symbol).copied().unwrap_or((1, 0));
            let tick = self.sim.world().listing[&symbol].rules.tick;
            let middle = mark * (Rate::ONE + Rate::new(gap_bps, 4));
            let half = middle * Rate::new(half_bps, 4);
            // Prices lie on the contract's ticks, counted from its lowest price.
            let lowest = self.sim.world().listing[&symbol].rules.price_bounds.0;
            let bid = (middle - half - lowest).floor_to(tick) + lowest;
            let ask = ((middle + half - lowest).ceil_to(tick) + lowest).max(bid + tick);
            let depth = if self.faults.enabled(Kind::ThinBook) && self.rng.chance(300) {
                self.faults.count(Kind::ThinBook);
                let step = self.sim.world().listing[&symbol].rules.lot.step;
                let worth = Notional::from(self.rng.pick(&[3, 30, 200]));
                worth.over_price(mark).unwrap().floor_to(step).max(step)
            } else {
                self.deep[&symbol]
            };
            let funding_rate = if self.faults.enabled(Kind::DearFunding) && self.rng.chance(200) {
                self.faults.count(Kind::DearFunding);
                Rate::new(self.rng.pick(&[-75, 30, 75]), 4)
            } else {
                Rate::new(1, 4)
            };
            let mark = Mark { price: mark, funding_rate, next_funding: Some(at), at };
            let quote = Quote { bid, bid_qty: depth, ask, ask_qty: depth };
            markets.insert(symbol, Market { mark, quote });
        }
        self.fed.clone_from(&markets);
        let before = self.sim.accepted_count();
        self.sim.feed(markets);
        self.forced(before);
        self.remember();
    }

    /// Prices of every contract that is open in any way, as `sim::Exchange::markets` has them.
    pub(crate) fn markets(&self) -> BTreeMap<Symbol, Market> {
        let live = |symbol: &Symbol| sim::Listed::is_live_status(&self.sim.status(symbol));
        self.fed.iter().filter(|(symbol, _)| live(symbol)).map(|(symbol, at)| (symbol.clone(), *at)).collect()
    }

    /// Keeps what late reads will still show.
    pub(crate) fn remember(&mut self) {
        if !self.faults.enabled(Kind::AccountLags) {
            self.history.clear();
            return;
        }
        let now = self.sim.now();
        self.history.push_back((now, self.sim.balance(), self.sim.positions()));
        while self.history.len() > 1 && self.history[1].0 + Duration::from_secs(120) < now {
            self.history.pop_front();
        }
    }

    /// The exchange answers as if there were nothing, or shows what was before.
    pub(crate) fn reads_empty(&self) -> bool {
        self.now() < self.empty_until + Duration::from_secs(120) || !self.account_lag.is_zero()
    }

    /// Totals and positions as a read shows them now, and as of when.
    pub(crate) fn account(&mut self) -> (Time, Balance, BTreeMap<Symbol, Position>) {
        let now = self.now();
        if now < self.empty_until {
            return (now, Balance::default(), BTreeMap::new());
        }
        let as_of = now - self.account_lag;
        let old = self.history.iter().rev().find(|(at, ..)| *at <= as_of);
        match old {
            Some((_, balance, positions)) if !self.account_lag.is_zero() => {
                (as_of, balance.clone(), positions.clone())
            }
            _ => (now, self.sim.balance(), self.sim.positions()),
        }
    }

    /// Trading rules as the client has them: kept for an hour, or until an order is refused by them.
    pub(crate) fn rules(&mut self) -> (u64, BTreeMap<Symbol, Rules>) {
        let now = self.now();
        let fresh = self.served_rules.take().filter(|(at, ..)| now.since(*at) < Duration::from_secs(3600));
        let kept = fresh.unwrap_or_else(|| (now, self.rules_no, self.sim.rules()));
        self.served_rules = Some(kept.clone());
        (kept.1, kept.2)
    }

    pub(crate) fn see(&mut self, at: Time, as_of: Time, rules_no: u64, seen: &rebal::exchange::Observation) {
        let sight = Rc::new(Sight {
            at,
            as_of,
            equity: seen.balance.equity,
            markets: seen.markets.clone(),
            rules: seen.rules.clone(),
            members: self.scenario.basket.symbols.iter().cloned().collect(),
            target: self.scenario.target(seen.balance.equity),
            entries: seen.positions.iter().map(|(symbol, held)| (symbol.clone(), held.entry_price)).collect(),
            prices_no: self.prices_no,
            rules_no,
        });
        self.first_sight.get_or_insert_with(|| Rc::clone(&sight));
        self.sight = Some(sight);
        self.truth.look(at, as_of, self.sim.balance().equity);
    }

    /// The pass says that the loss is beyond its limit.
    pub(crate) fn says_breached(&mut self) {
        self.breached = true;
        self.note("the hard stop fires");
        let found = invariant::on_stop(self);
        self.violate(found);
    }

    /// The ledger is gone; the next one knows nothing of what this one ordered.
    pub(crate) fn ledger_is_lost(&mut self) {
        self.note("the ledger is lost");
        self.life += 1;
        self.posted.clear();
        self.truth.settle(None);
        self.known.clear();
        let ours = self.taken.values().filter(|taken| !taken.order.filled_qty.is_zero());
        if let Some(newest) = ours.max_by_key(|taken| taken.at) {
            self.foreign = Some((newest.at, newest.order.symbol.clone()));
        }
        let stops = self.sim.algos(None, true).into_iter();
        let stops = stops.filter(|algo| self.stops.contains_key(&algo.request.client_id));
        if let Some((at, symbol)) = stops.map(|algo| (algo.created, algo.request.symbol.clone())).max() {
            self.foreign = Some((at, symbol));
        }
    }

    /// Money comes in or leaves.
    fn transfer(&mut self, amount: Notional) {
        let amount = amount.rounded(2);
        if self.sim.transfer(amount).is_ok() {
            self.note(&format!("  transfer {amount}"));
            let now = self.now();
            self.truth.transfer(now, amount);
        }
    }

    /// Whether the exchange no longer lists an order that was left waiting for this contract: it ended
    /// unfilled, or was made more than seven days ago.
    pub(crate) fn is_forgotten(&self, symbol: &Symbol) -> bool {
        self.left.get(symbol).into_iter().flatten().any(|(since, id)| {
            let found = self.sim.order(symbol, sim::matching::Which::Client(id));
            let old = self.now().since(*since) > Duration::from_secs(7 * 86_400 - 120);
            found.is_none_or(|placed| {
                placed.order.status.is_final() && (old || placed.order.filled_qty.is_zero())
            })
        })
    }

    /// An order of ours that an earlier life left waiting: in the book, or for a price.
    fn leave_waiting(&mut self) {
        let symbol = self.any_contract();
        let (rules, mark) = (self.sim.world().listing[&symbol].rules.clone(), self.marks[&symbol]);
        let share = Rate::new(self.rng.pick(&[30, 55, 80]), 2);
        let price = (mark * share).floor_to(rules.tick);
        let number = u32::try_from(self.rng.below(1 << 20)).unwrap();
        let client_id = ClientId { install: 0xabcdef, decision: number, leg: 1, purpose: Purpose::Open };
        let client_id = client_id.to_string();
        let qty = rules.least_open(price, false).unwrap_or(rules.lot.min);
        let now = self.now();
        let stops = self.scenario.moonshot().is_some_and(|moonshot| moonshot.exchange_stop);
        let placed = if self.rng.chance(500) {
            if stops {
                // It is seen while it waits.
                self.foreign = Some((now, symbol.clone()));
            }
            let request = AlgoRequest {
                symbol: symbol.clone(),
                side: Side::Sell,
                trigger: Trigger::Stop(price),
                qty: Qty::ZERO,
                limit: None,
                reduce_only: false,
                close_position: true,
                on_mark: true,
                client_id,
            };
            self.sim.place_algo(request).map(|algo| algo.request.client_id)
        } else {
            let kind = OrderKind::Limit { price, time_in_force: TimeInForce::Gtc };
            let request = OrderRequest {
                qty,
                kind,
                client_id,
                side: Side::Buy,
                reduce_only: false,
                symbol: symbol.clone(),
            };
            let placed = self.sim.place(&request).map(|placed| placed.order.client_id);
            if placed.is_ok() {
                self.foreign = Some((now, symbol.clone()));
                let left = self.left.entry(symbol.clone()).or_default();
                left.extend(placed.as_ref().ok().map(|id| (now, id.clone())));
            }
            placed
        };
        if let Ok(id) = placed {
            self.rests = true;
            self.note(&format!("  left waiting: {id} {symbol} at {price}"));
            self.reconcile();
        }
    }

    // ---- orders

    pub(crate) fn launch(
        &mut self,
        request: OrderRequest,
        stamp: Time,
        arrives: Time,
        part: Option<Rate>,
    ) -> u64 {
        self.next_flight += 1;
        let number = self.next_flight;
        let sight = self.sight.clone();
        let (pass, life) = (self.pass, self.life);
        let flight = Flight { number, arrives, stamp, request, fraction: part, sight, pass, life };
        self.flights.push(flight);
        number
    }

    pub(crate) fn under_way(&self) -> &[Flight] {
        &self.flights
    }

    fn arrive(&mut self, flight: Flight) {
        let at = self.sim.now();
        let id = flight.request.client_id.clone();
        if flight.arrives > flight.stamp + self.scenario.recv_window {
            self.trace.note(at, &format!("  {id} came too late"));
            self.answers.insert(flight.number, Err((-1021, "outside of the recvWindow".to_owned())));
            return;
        }
        let before = self.qty(&flight.request.symbol);
        let count = self.sim.accepted_count();
        let placed = match flight.fraction {
            Some(fraction) => self.sim.place_partly(&flight.request, fraction),
            None => self.sim.place(&flight.request),
        };
        let answer = match placed {
            Ok(placed) => {
                let order = placed.order.clone();
                self.moved(&order.symbol, order.side.signed(order.filled_qty));
                self.trace.note(
                    at,
                    &format!("  {id} taken {} {} of {}", order.status.as_str(), order.filled_qty, order.qty),
                );
                let after = self.qty(&order.symbol);
                let accepting = Accepting {
                    world: self,
                    flight: &flight,
                    before,
                    after,
                    again: self.taken.contains_key(&id),
                };
                let found = invariant::on_accept(&accepting);
                self.violate(found);
                let adds = after.abs() > before.abs();
                if flight.life != self.life {
                    // The ledger that sent it is gone: to the one that is there it is a stranger's.
                    self.disturbed.insert(order.symbol.clone(), at);
                    self.foreign = Some((at, order.symbol.clone()));
                }
                self.keep(&order, at, &flight, adds);
                self.remember();
                Ok(Order { avg_price: placed.quote_filled.over_qty(order.filled_qty), ..order })
            }
            Err(refusal) => {
                self.trace.note(at, &format!("  {id} refused: {refusal}"));
                let found = invariant::on_refusal(self, &flight, refusal.code);
                self.violate(found);
                if matches!(refusal.code, -1111 | -4005..=-4001 | -4014 | -4023 | -4164 | -4140 | -4141) {
                    self.served_rules = None;
                }
                Err((refusal.code, refusal.msg))
            }
        };
        debug_assert!(self.sim.accepted_count() <= count + 1);
        self.answers.insert(flight.number, answer);
    }

    /// A stop of ours went off: it is an order like any other of ours from here on.
    fn stopped(&mut self, order: &Order, at: Time) {
        self.faults.count(Kind::StopFired);
        let fills_visible = self.late(Kind::FillsLag, at, 60_000);
        let taken = Taken {
            order: order.clone(),
            at,
            pass: self.pass,
            life: self.life,
            adds: false,
            visible: at,
            denied: at,
            fills_visible,
        };
        self.taken.insert(order.client_id.clone(), taken);
        // What a pass decided before it, it decided without knowing.
        self.disturbed.insert(order.symbol.clone(), at);
    }

    /// A stop arrives at the exchange.
    pub(crate) fn arrive_stop(&mut self, stop: &StopRequest, stamp: Time) -> Result<Conditional, Refusal> {
        self.tick();
        let now = self.now();
        self.advance(now);
        if now > stamp + self.scenario.recv_window {
            return Err(Refusal::of(-1021));
        }
        let placed = self.sim.place_algo(AlgoRequest::stop(stop))?.reported();
        let visible = self.late(Kind::LookupLags, now, 9_000);
        let taken = TakenStop { symbol: stop.symbol.clone(), life: self.life, visible };
        self.stops.insert(stop.client_id.clone(), taken);
        self.rests = true;
        Ok(placed)
    }

    fn late(&mut self, kind: Kind, at: Time, most_ms: u64) -> Time {
        if self.strikes(kind) { at + Duration::from_millis(self.rng.within(1, most_ms)) } else { at }
    }

    fn keep(&mut self, order: &Order, at: Time, flight: &Flight, adds: bool) {
        let visible = self.late(Kind::LookupLags, at, 9_000);
        let denied = self.late(Kind::Denied, at, 1_200_000);
        let fills_visible = self.late(Kind::FillsLag, at, 60_000);
        let (pass, life) = (flight.pass, flight.life);
        let taken = Taken { order: order.clone(), at, pass, life, adds, visible, denied, fills_visible };
        self.taken.insert(order.client_id.clone(), taken);
    }

    // ---- what others do

    fn any_contract(&mut self) -> Symbol {
        let contracts = self.scenario.contracts();
        self.rng.pick(&contracts)
    }

    pub(crate) fn hand_trade(&mut self) {
        let symbol = self.any_contract();
        let step = self.sim.world().listing[&symbol].rules.lot.step;
        let worth = self.scenario.terms.equity * Rate::new(self.rng.pick(&[5, 20, 60, 120]), 2);
        let qty = worth.over_price(self.marks[&symbol]).unwrap().floor_to(step).max(step);
        let qty = match self.rng.below(3) {
            0 => -qty,
            1 if !self.qty(&symbol).is_zero() => -self.qty(&symbol),
            _ => qty,
        };
        if let Ok(placed) = self.sim.hand_trade(&symbol, qty) {
            self.note(&format!("  by hand: {symbol} {qty}"));
            self.moved(&symbol, placed.order.side.signed(placed.order.filled_qty));
            let now = self.now();
            self.disturbed.insert(symbol, now);
            self.remember();
        }
    }

    fn foreign(&mut self) {
        let symbol = self.any_contract();
        let rules = &self.sim.world().listing[&symbol].rules;
        let least = rules.least_open(self.marks[&symbol], true).unwrap_or(rules.lot.min);
        let number = u32::try_from(self.rng.below(1 << 20)).unwrap();
        let id = ClientId { install: 0xabcdef, decision: number, leg: 0, purpose: Purpose::Open };
        let request = OrderRequest {
            symbol: symbol.clone(),
            side: Side::Buy,
            qty: least,
            kind: OrderKind::Market,
            reduce_only: false,
            client_id: id.to_string(),
        };
        if let Ok(placed) = self.sim.place(&request)
            && placed.order.filled_qty.is_positive()
        {
            self.moved(&symbol, placed.order.filled_qty);
            let now = self.now();
            self.disturbed.insert(symbol.clone(), now);
            self.foreign = Some((now, symbol));
            self.remember();
        }
    }

    fn change_rules(&mut self, change: impl FnOnce(&mut sim::Listed)) {
        let symbol = self.any_contract();
        let mut world = self.sim.world().clone();
        change(world.listing.get_mut(&symbol).unwrap());
        self.sim = sim::Exchange::resume(world, self.scenario.terms.clone(), self.sim.state().clone());
        self.rules_no += 1;
    }

    /// Everything that may happen while no pass runs.
    pub(crate) fn happen(&mut self) {
        self.account_lag = Duration::ZERO;
        self.income_lag = Duration::ZERO;
        if self.strikes(Kind::AccountLags) {
            self.account_lag = Duration::from_millis(self.rng.within(1, 50_000));
        }
        if self.strikes(Kind::IncomeLags) {
            self.income_lag = Duration::from_secs(self.rng.within(1, 900));
        }
        if self.strikes(Kind::HandTrade) {
            self.hand_trade();
        }
        if self.strikes(Kind::HandOrder) {
            let symbol = self.any_contract();
            let rules = &self.sim.world().listing[&symbol].rules;
            let price = (self.marks[&symbol] * Rate::from(4)).floor_to(rules.tick);
            let request = OrderRequest {
                qty: rules.least_open(price, false).unwrap_or(rules.lot.min),
                kind: OrderKind::Limit { price, time_in_force: TimeInForce::Gtc },
                client_id: format!("web_{}", self.sim.accepted_count()),
                side: Side::Sell,
                reduce_only: false,
                symbol,
            };
            self.rests |= self.sim.place(&request).is_ok();
        }
        if self.strikes(Kind::Deposit) {
            let amount = self.scenario.terms.equity * Rate::new(self.rng.within(1, 100) as i64, 2);
            self.transfer(amount);
        }
        if self.strikes(Kind::Withdrawal) {
            let amount = self.sim.withdrawable() * Rate::new(self.rng.within(1, 60) as i64, 2);
            self.transfer(-amount);
        }
        if self.strikes(Kind::BigTransfer) {
            let equity = self.sim.balance().equity;
            match self.rng.chance(500) {
                true => self.transfer(equity * Rate::new(50, 2)),
                false => self.transfer(-(equity * Rate::new(35, 2)).min(self.sim.withdrawable())),
            }
        }
        if self.strikes(Kind::LeftWaiting) {
            self.leave_waiting();
        }
        if self.strikes(Kind::StatusChange) {
            let word = self.rng.pick(&["TRADING", "TRADING", "SETTLING", "PRE_SETTLE", "CLOSE", "BREAK"]);
            let symbol = self.any_contract();
            self.sim.set_status(&symbol, Status::read(word)).unwrap();
            self.rules_no += 1;
        }
        if self.strikes(Kind::RulesChange) {
            let what = self.rng.below(4);
            self.change_rules(|listed| match what {
                0 => {
                    listed.rules.lot.step = listed.rules.lot.step * Rate::from(10);
                    listed.rules.lot.min = listed.rules.lot.step;
                    listed.rules.market_lot =
                        rebal::domain::rules::Lot { max: listed.rules.market_lot.max, ..listed.rules.lot };
                }
                1 => listed.rules.min_notional = listed.rules.min_notional * Rate::from(4),
                // A tick wider than the slippage that is allowed could not be traded at all.
                2 if listed.rules.tick * Rate::from(10_000) > listed.shape.price => {}
                2 => listed.rules.tick = listed.rules.tick * Rate::from(10),
                _ => {
                    let lot = &mut listed.rules.market_lot;
                    lot.max = (lot.max * Rate::new(1, 1)).floor_to(lot.step).max(lot.min);
                }
            });
        }
        if self.strikes(Kind::Delisting) {
            let at = self.now() + Duration::from_secs(self.rng.within(60, 5 * 86_400));
            self.change_rules(|listed| listed.rules.delivery = Some(at));
        }
        self.markets_happen();
        if self.strikes(Kind::HedgeMode) {
            self.sim.force_modes(AccountModes { hedge: true, multi_assets: false, can_trade: true });
        }
        if self.strikes(Kind::Isolated) {
            let symbol = self.any_contract();
            self.sim.force_margin_type(&symbol, false).unwrap();
        }
        if self.strikes(Kind::OtherLeverage) {
            let (symbol, leverage) = (self.any_contract(), self.rng.pick(&[1, 2, 4, 20]));
            let _ = self.sim.set_leverage(&symbol, leverage);
        }
        if self.strikes(Kind::OtherUniverse) {
            let symbol = self.any_contract();
            let symbols = &mut self.scenario.basket.symbols;
            match symbols.iter().position(|member| *member == symbol) {
                Some(at) if symbols.len() > 2 => drop(symbols.remove(at)),
                Some(_) => {}
                None => symbols.push(symbol),
            }
        }
        if self.strikes(Kind::EmptyAccount) {
            self.empty_until = self.now() + Duration::from_secs(self.rng.within(1, 1_800));
        }
        if self.foreign.is_none() && self.strikes(Kind::Foreign) {
            self.foreign();
        }
    }

    fn markets_happen(&mut self) {
        let mut moved = false;
        if self.strikes(Kind::Jump) {
            let symbol = self.any_contract();
            let ppm = self.rng.within(600_000, 1_700_000) as i64;
            self.jump(&symbol, ppm);
            moved = true;
        }
        if self.strikes(Kind::MarketCrash) {
            let ppm = self.rng.within(400_000, 950_000) as i64;
            for symbol in self.scenario.contracts() {
                self.jump(&symbol, ppm);
            }
            moved = true;
        }
        if self.slide.is_none() && self.strikes(Kind::Slide) {
            // A fall of 20 to 45 per cent over a few passes.
            let steps = self.rng.within(1, 4);
            let fall = self.rng.within(200, 450) as f64 / 1000.0;
            let step = (1.0 - fall).powf(1.0 / steps as f64);
            self.slide = Some((steps, (step * 1_000_000.0) as i64));
        }
        if let Some((steps, ppm)) = self.slide {
            for symbol in self.scenario.contracts() {
                self.jump(&symbol, ppm);
            }
            self.slide = (steps > 1).then_some((steps - 1, ppm));
            moved = true;
        }
        self.spreads.clear();
        if self.strikes(Kind::WideSpread) {
            let symbol = self.any_contract();
            let half = self.rng.within(10, 300) as i64;
            self.spreads.insert(symbol, (half, 0));
            moved = true;
        }
        if self.strikes(Kind::MarkGap) {
            let symbol = self.any_contract();
            let gap = self.rng.within(20, 900) as i64;
            let gap = if self.rng.chance(500) { gap } else { -gap };
            self.spreads.insert(symbol, (1, gap));
            moved = true;
        }
        if moved {
            self.feed();
            let before = self.sim.accepted_count();
            let soon = self.now() + Duration::from_millis(1);
            // A liquidation is noticed when time moves; this is that moment.
            self.sim.advance(soon).unwrap();
            self.forced(before);
        }
    }

    /// Between the look and the orders: prices move, a hand trades.
    pub(crate) fn happen_meanwhile(&mut self) {
        if self.strikes(Kind::MidJump) {
            let symbol = self.any_contract();
            let ppm = self.rng.within(900_000, 1_100_000) as i64;
            self.jump(&symbol, ppm);
            self.feed();
        }
        if self.strikes(Kind::MidHandTrade) {
            self.hand_trade();
        }
    }

    /// Faults end and what people broke is mended: now everything has to come to rest.
    pub(crate) fn heal(&mut self) {
        self.faults.calm = true;
        self.account_lag = Duration::ZERO;
        self.income_lag = Duration::ZERO;
        self.banned_until = None;
        self.empty_until = Time::default();
        self.slide = None;
        self.spreads.clear();
        self.served_rules = None;
        for taken in self.taken.values_mut() {
            (taken.visible, taken.denied, taken.fills_visible) = (taken.at, taken.at, taken.at);
        }
        for stop in self.stops.values_mut() {
            stop.visible = Time::default();
        }
        self.sim.force_modes(AccountModes { hedge: false, multi_assets: false, can_trade: true });
        for symbol in self.scenario.contracts() {
            self.sim.force_margin_type(&symbol, true).unwrap();
            if self.sim.status(&symbol) != Status::Trading
                && self.sim.world().listing[&symbol].rules.delivery.is_none()
            {
                self.sim.set_status(&symbol, Status::Trading).unwrap();
            }
        }
        self.feed();
    }

    pub(crate) fn begin_pass(&mut self) {
        self.truth.begin_pass();
        self.breached = false;
        self.pass += 1;
        self.sight = None;
        self.first_sight = None;
        self.sent.clear();
        self.writes = 0;
        self.effects = 0;
        self.death = None;
        self.dead = false;
        self.died = Rc::new(Notify::new());
        self.stop_at = None;
    }

    pub(crate) fn prices_no(&self) -> u64 {
        self.prices_no
    }
}
