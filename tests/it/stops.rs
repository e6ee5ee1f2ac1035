//! Stops at the exchange where its answers lag, its ids are its own, or a stop goes off under a pass' feet.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use rebal::decide::plan::Execution;
use rebal::decide::risk::{ApprovedOrder, Limits};
use rebal::decide::stops::ApprovedStop;
use rebal::domain::account::{Health, Position};
use rebal::domain::entry::Entry;
use rebal::domain::fill::Fill;
use rebal::domain::num::{Notional, Price, Qty, Rate};
use rebal::domain::order::{Order, Resting};
use rebal::domain::plan::Reason;
use rebal::domain::stop::Conditional;
use rebal::domain::symbol::Symbol;
use rebal::domain::time::Time;
use rebal::exchange::paper::{Clock, Paper};
use rebal::exchange::{Exchange, ExchangeError, Exposed, Observation, Reply};
use rebal::ledger::Ledger;
use rebal::pass::act::Acted;
use rebal::pass::{self, Mode, Prepared, Settings, Stop, Watch, record};
use rebal::sim::prices::Prices;
use rebal::sim::{Terms, World, listing};
use rebal::strategy::moonshot::{Moonshot, Sizing};

/// The simulated exchange, and what stands between it and a pass.
struct Desk {
    paper: RefCell<Paper>,
    /// The list of waiting stops shows none.
    list_lags: Cell<bool>,
    /// No stop is known by its id.
    forgets_stops: Cell<bool>,
    /// Stops that are placed come to nothing that anybody hears of, and are there all the same.
    answers_lost: Cell<bool>,
    /// Positions as an old read shows them, once.
    frozen: RefCell<Option<BTreeMap<Symbol, Position>>>,
    /// What happens right after the next look.
    then: RefCell<Option<(Symbol, &'static str)>>,
    /// The book takes half of every order.
    halves: Cell<bool>,
    placed: Cell<usize>,
}

impl Desk {
    fn jump(&self, symbol: &Symbol, factor: &str) {
        self.paper.borrow_mut().sim().jump_price(symbol, factor.parse().unwrap()).unwrap();
    }

    fn held(&self, symbol: &Symbol) -> Qty {
        self.paper.borrow_mut().sim().positions().get(symbol).map_or(Qty::ZERO, |held| held.qty)
    }

    fn waiting(&self) -> usize {
        self.paper.borrow_mut().sim().algos(None, true).len()
    }
}

/// The future of something that never waits.
fn block<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the simulated exchange never waits"),
    }
}

impl Exchange for Desk {
    fn environment(&self) -> String {
        "paper".into()
    }
    async fn connect(&mut self) -> Result<Time, ExchangeError> {
        Ok(self.now())
    }
    fn now(&self) -> Time {
        self.paper.borrow().now()
    }
    fn recv_window(&self) -> Duration {
        Duration::from_secs(5)
    }
    async fn observe(&self) -> Result<Observation, ExchangeError> {
        let mut seen = block(self.paper.borrow().observe())?;
        if let Some(frozen) = self.frozen.take() {
            seen.positions = frozen;
        }
        if let Some((symbol, factor)) = self.then.take() {
            self.jump(&symbol, factor);
        }
        Ok(seen)
    }
    async fn exposed(&self) -> Result<Exposed, ExchangeError> {
        block(self.paper.borrow().exposed())
    }
    async fn place(&self, order: &ApprovedOrder, stamp: Time) -> Reply {
        if !self.halves.get() {
            return block(self.paper.borrow().place(order, stamp));
        }
        match self.paper.borrow_mut().sim().place_partly(order.request(), Rate::new(5, 1)) {
            Ok(placed) => Reply::Accepted(placed.order),
            Err(refusal) => Reply::Rejected { code: refusal.code, msg: refusal.msg },
        }
    }
    async fn order(&self, symbol: &Symbol, client_id: &str) -> Result<Option<Order>, ExchangeError> {
        block(self.paper.borrow().order(symbol, client_id))
    }
    async fn orders_since(&self, symbol: &Symbol, since: Time) -> Result<Vec<Order>, ExchangeError> {
        let mut orders = block(self.paper.borrow().orders_since(symbol, since))?;
        orders.iter_mut().for_each(renamed);
        Ok(orders)
    }
    async fn fills_of(&self, symbol: &Symbol, order_id: i64) -> Result<Vec<Fill>, ExchangeError> {
        block(self.paper.borrow().fills_of(symbol, order_id))
    }
    async fn fills_since(&self, symbol: &Symbol, since: Time) -> Result<Vec<Fill>, ExchangeError> {
        block(self.paper.borrow().fills_since(symbol, since))
    }
    async fn income_since(&self, since: Time) -> Result<Vec<Entry>, ExchangeError> {
        block(self.paper.borrow().income_since(since))
    }
    async fn set_leverage(&self, symbol: &Symbol, leverage: u32) -> Result<(), ExchangeError> {
        block(self.paper.borrow().set_leverage(symbol, leverage))
    }
    async fn set_cross(&self, symbol: &Symbol) -> Result<(), ExchangeError> {
        block(self.paper.borrow().set_cross(symbol))
    }
    async fn cancel(&self, symbol: &Symbol, client_id: &str) -> Result<(), ExchangeError> {
        block(self.paper.borrow().cancel(symbol, client_id))
    }
    async fn resting(&self) -> Result<Vec<Resting>, ExchangeError> {
        block(self.paper.borrow().resting())
    }
    async fn cancel_resting(&self, order: &Resting) -> Result<(), ExchangeError> {
        block(self.paper.borrow().cancel_resting(order))
    }
    async fn conditionals(&self) -> Result<Vec<Conditional>, ExchangeError> {
        if self.list_lags.get() { Ok(Vec::new()) } else { block(self.paper.borrow().conditionals()) }
    }
    async fn conditional(&self, client_id: &str) -> Result<Option<Conditional>, ExchangeError> {
        if self.forgets_stops.get() {
            return Ok(None);
        }
        block(self.paper.borrow().conditional(client_id))
    }
    async fn place_stop(&self, stop: &ApprovedStop, stamp: Time) -> Reply<Conditional> {
        self.placed.set(self.placed.get() + 1);
        let reply = block(self.paper.borrow().place_stop(stop, stamp));
        if self.answers_lost.get() { Reply::Unknown("lost".into()) } else { reply }
    }
    async fn order_numbered(&self, symbol: &Symbol, number: i64) -> Result<Option<Order>, ExchangeError> {
        let mut order = block(self.paper.borrow().order_numbered(symbol, number))?;
        order.iter_mut().for_each(renamed);
        Ok(order)
    }
    async fn health(&self) -> Health {
        block(self.paper.borrow().health())
    }
}

/// What is born of a stop may bear an id of the exchange's own.
fn renamed(order: &mut Order) {
    if order.client_id.ends_with('s') {
        order.client_id = format!("autoclose-{}", order.order_id);
    }
}

struct Silent;

impl Watch for Silent {
    fn sending(&self, _: usize) {}
    fn answered(&self) {}
}

struct Bench {
    desk: Desk,
    ledger: Ledger,
    settings: Settings,
}

fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

fn settings(exchange_stop: bool) -> Settings {
    Settings {
        strategy: Box::new(Moonshot {
            symbols: vec![symbol("AUSDT"), symbol("BUSDT")],
            slots: 2,
            sizing: Sizing::Fixed(Notional::from(50)),
            stop_loss: Rate::new(30, 2),
            cooldown: Duration::from_secs(30 * 86_400),
            refill: true,
            trailing: None,
            exchange_stop,
        }),
        execution: Execution {
            market_orders: false,
            max_slippage_bps: Rate::from(50),
            leverage: 5,
            taker_fee: Rate::new(5, 4),
        },
        limits: Limits {
            max_spread_bps: Rate::from(30),
            max_mark_gap: Rate::new(3, 2),
            max_orders: 60,
            max_turnover: Rate::from(10),
            max_drawdown: Rate::new(9, 1),
            max_effective_leverage: Rate::from(3),
            min_liquidation_distance: Rate::ZERO,
            margin_buffer: Rate::new(5, 2),
            leverage: 5,
        },
        quote: "USDT".to_owned(),
        every: None,
        concurrency: 4,
    }
}

impl Bench {
    fn new(exchange_stop: bool, ledger: Ledger) -> Bench {
        let listed = ["AUSDT", "BUSDT"].map(|name| listing::derived(&symbol(name), Price::from(10)));
        let world = World::new(listed.to_vec(), Prices::Synthetic { seed: 1 });
        let paper = Paper::new(world, Terms::default(), None, "paper", Clock::Passes).unwrap();
        let desk = Desk {
            paper: RefCell::new(paper),
            list_lags: Cell::default(),
            forgets_stops: Cell::default(),
            answers_lost: Cell::default(),
            frozen: RefCell::default(),
            then: RefCell::default(),
            halves: Cell::default(),
            placed: Cell::default(),
        };
        Bench { desk, ledger, settings: settings(exchange_stop) }
    }

    /// Two coins at a price of 10, bought, each with its stop at 7: at the exchange, or by the pass alone.
    async fn begun(exchange_stop: bool) -> Bench {
        let mut bench = Bench::new(exchange_stop, Ledger::in_memory().await.unwrap());
        let (_, acted, code) = bench.pass().await;
        let stops = if exchange_stop { 2 } else { 0 };
        assert_eq!((code, acted.sent.len(), bench.desk.waiting()), (0, 2, stops), "{acted:?}");
        bench
    }

    async fn pass(&mut self) -> (Prepared, Acted, u8) {
        let prepared =
            pass::prepare(&self.desk, &mut self.ledger, &self.settings, None, Mode::Real).await.unwrap();
        let (watch, stop) = (Silent, Stop::default());
        let acted =
            pass::carry_out(&self.desk, &mut self.ledger, &self.settings, &prepared, &watch, &stop).await;
        let acted = acted.unwrap();
        let (_, code) = record::verdict(&prepared, &acted);
        (prepared, acted, code)
    }

    fn advance(&mut self, seconds: u64) {
        let mut paper = self.desk.paper.borrow_mut();
        let to = paper.now() + Duration::from_secs(seconds);
        paper.sim().advance(to).unwrap();
    }

    /// What the books hold of a coin, and how often a stop sold it by them.
    async fn books(&mut self, name: &str) -> (Qty, bool) {
        let held =
            self.ledger.holdings().await.unwrap().get(&symbol(name)).map_or(Qty::ZERO, |held| held.qty);
        (held, self.ledger.stopped().await.unwrap().contains_key(&symbol(name)))
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(test);
}

fn settled(prepared: &Prepared) -> Vec<(String, String)> {
    let told = |(intent, _): &(rebal::ledger::Intent, rebal::ledger::Outcome)| {
        (intent.symbol.to_string(), intent.reason.clone())
    };
    prepared.settled.resolved.iter().map(told).collect()
}

#[test]
fn what_a_stop_did_between_two_passes_is_booked_once_whatever_its_order_is_called() {
    run(async {
        let mut bench = Bench::begun(true).await;
        bench.desk.jump(&symbol("AUSDT"), "0.4");
        assert_eq!(bench.desk.held(&symbol("AUSDT")), Qty::ZERO);
        bench.advance(300);
        let (prepared, _, code) = bench.pass().await;
        assert_eq!((code, settled(&prepared)), (0, vec![("AUSDT".into(), "stop_loss".into())]));
        assert!(prepared.seen.warnings.iter().all(|warning| warning.code != "changed_elsewhere"));
        bench.advance(300);
        let (prepared, acted, code) = bench.pass().await;
        assert_eq!((code, settled(&prepared).len(), acted.sent.len(), acted.stops.len()), (0, 0, 0, 0));
        assert_eq!(bench.books("AUSDT").await, (Qty::ZERO, true));
        assert_eq!((bench.ledger.resting().await.unwrap().len(), bench.desk.waiting()), (1, 1));
    });
}

/// The positions are from before it went off, the list of stops from after it: the account is looked at again.
#[test]
fn a_stop_that_goes_off_within_a_look_is_no_contradiction() {
    run(async {
        let mut bench = Bench::begun(true).await;
        bench.advance(300);
        let before = bench.desk.paper.borrow_mut().sim().positions();
        bench.desk.jump(&symbol("AUSDT"), "0.4");
        *bench.desk.frozen.borrow_mut() = Some(before);
        let (prepared, _, code) = bench.pass().await;
        assert_eq!((code, settled(&prepared).len()), (0, 1));
        assert!(prepared.seen.snapshot.coins.values().all(|coin| coin.block.is_none()));
        assert_eq!(bench.books("AUSDT").await, (Qty::ZERO, true));
    });
}

/// The other way round: it goes off once the positions were read, and the pass' own sale finds nothing.
#[test]
fn a_stop_that_goes_off_after_the_look_sells_nothing_twice() {
    run(async {
        let mut bench = Bench::begun(true).await;
        bench.advance(300);
        *bench.desk.then.borrow_mut() = Some((symbol("AUSDT"), "0.4"));
        bench.pass().await;
        bench.advance(300);
        let (_, _, code) = bench.pass().await;
        assert_eq!((code, bench.books("AUSDT").await), (0, (Qty::ZERO, true)));
        let fills = block(bench.desk.fills_since(&symbol("AUSDT"), Time::default())).unwrap();
        let sold: Qty = fills.iter().map(Fill::signed_qty).sum();
        assert_eq!(sold, Qty::ZERO);
    });
}

#[test]
fn a_stop_that_the_list_does_not_show_is_not_placed_a_second_time() {
    run(async {
        let mut bench = Bench::begun(true).await;
        bench.advance(300);
        bench.desk.list_lags.set(true);
        let (_, acted, code) = bench.pass().await;
        assert_eq!((code, acted.stops.len(), bench.desk.placed.get(), bench.desk.waiting()), (0, 0, 2, 2));
    });
}

#[test]
fn a_stop_whose_answer_was_lost_is_found_by_its_id_and_not_sent_again() {
    run(async {
        let mut bench = Bench::begun(true).await;
        // Both are cancelled by somebody, and placing them again is answered by silence.
        for stop in block(bench.desk.resting()).unwrap() {
            block(bench.desk.cancel_resting(&stop)).unwrap();
        }
        bench.advance(300);
        bench.desk.answers_lost.set(true);
        let (_, acted, code) = bench.pass().await;
        assert_eq!((code, acted.stops_stand(), bench.desk.placed.get()), (5, false, 4));
        // At once, within the fence, after it, and with a list that is late.
        for (seconds, lags) in [(1, false), (1, true), (30, true), (300, false)] {
            bench.advance(seconds);
            bench.desk.list_lags.set(lags);
            bench.pass().await;
            assert_eq!((bench.desk.placed.get(), bench.desk.waiting()), (4, 2), "{seconds} {lags}");
        }
        let (_, _, code) = bench.pass().await;
        assert_eq!((code, bench.ledger.unresolved().await.unwrap().len()), (0, 0));
    });
}

/// Both positions were changed by hand, so that no stop is believed gone before it was looked for three times
/// over three seconds: over the same three.
#[test]
fn stops_that_are_looked_for_again_and_again_are_looked_for_together() {
    run(async {
        let mut bench = Bench::begun(true).await;
        for name in ["AUSDT", "BUSDT"] {
            bench.desk.paper.borrow_mut().sim().hand_trade(&symbol(name), -Qty::from(1)).unwrap();
        }
        bench.advance(300);
        bench.desk.list_lags.set(true);
        bench.desk.forgets_stops.set(true);
        let begin = tokio::time::Instant::now();
        pass::prepare(&bench.desk, &mut bench.ledger, &bench.settings, None, Mode::Real).await.unwrap();
        assert_eq!((begin.elapsed().as_secs(), bench.ledger.resting().await.unwrap().len()), (3, 0));
    });
}

/// The look after the orders shows nothing of what was bought yet.
#[test]
fn a_purchase_that_is_not_shown_yet_is_named_and_gets_its_stop_from_the_next_pass() {
    run(async {
        let mut bench = Bench::new(true, Ledger::in_memory().await.unwrap());
        let prepared = pass::prepare(&bench.desk, &mut bench.ledger, &bench.settings, None, Mode::Real).await;
        *bench.desk.frozen.borrow_mut() = Some(BTreeMap::new());
        let (watch, stop) = (Silent, Stop::default());
        let (prepared, settings) = (prepared.unwrap(), &bench.settings);
        let acted = pass::carry_out(&bench.desk, &mut bench.ledger, settings, &prepared, &watch, &stop).await;
        let acted = acted.unwrap();
        let named: Vec<&str> = acted.unguarded.iter().map(|(symbol, _)| symbol.as_str()).collect();
        assert_eq!((named, bench.desk.waiting()), (vec!["AUSDT", "BUSDT"], 0));
        bench.advance(300);
        let (_, acted, code) = bench.pass().await;
        assert_eq!((code, acted.unguarded.len(), bench.desk.waiting()), (0, 0, 2));
    });
}

/// Somebody cancelled a coin's stop, so the pass sells it; the look after that forgets the other coin, which
/// somebody had sold a part of or had not.
#[test]
fn a_look_after_the_orders_that_forgets_a_coin_costs_it_no_stop() {
    for by_hand in [false, true] {
        run(async move {
            let mut bench = Bench::begun(true).await;
            let stops = block(bench.desk.resting()).unwrap();
            let of_a = stops.iter().find(|stop| stop.symbol == symbol("AUSDT")).unwrap();
            block(bench.desk.cancel_resting(of_a)).unwrap();
            bench.desk.jump(&symbol("AUSDT"), "0.65");
            if by_hand {
                bench.desk.paper.borrow_mut().sim().hand_trade(&symbol("BUSDT"), -Qty::from(1)).unwrap();
            }
            bench.advance(300);
            let prepared =
                pass::prepare(&bench.desk, &mut bench.ledger, &bench.settings, None, Mode::Real).await;
            *bench.desk.frozen.borrow_mut() = Some(BTreeMap::new());
            let (watch, stop) = (Silent, Stop::default());
            let (prepared, settings) = (prepared.unwrap(), &bench.settings);
            let acted =
                pass::carry_out(&bench.desk, &mut bench.ledger, settings, &prepared, &watch, &stop).await;
            let acted = acted.unwrap();
            let sold: Vec<&str> = acted.sent.iter().map(|sent| sent.leg.symbol.as_str()).collect();
            assert_eq!((sold, bench.desk.held(&symbol("AUSDT"))), (vec!["AUSDT"], Qty::ZERO));
            assert!(acted.stops.is_empty() && acted.unguarded.is_empty(), "{by_hand} {acted:?}");
            let waiting: Vec<Symbol> =
                block(bench.desk.resting()).unwrap().into_iter().map(|stop| stop.symbol).collect();
            assert_eq!(waiting, [symbol("BUSDT")], "{by_hand}");
        });
    }
}

/// The same look where the forgotten coin has no stop either: it is named, and gets one from the next pass.
#[test]
fn a_coin_without_a_stop_that_the_look_after_the_orders_forgets_is_named() {
    run(async {
        let mut bench = Bench::begun(true).await;
        for stop in block(bench.desk.resting()).unwrap() {
            block(bench.desk.cancel_resting(&stop)).unwrap();
        }
        bench.desk.jump(&symbol("AUSDT"), "0.65");
        bench.advance(300);
        let prepared = pass::prepare(&bench.desk, &mut bench.ledger, &bench.settings, None, Mode::Real).await;
        *bench.desk.frozen.borrow_mut() = Some(BTreeMap::new());
        let (watch, stop) = (Silent, Stop::default());
        let (prepared, settings) = (prepared.unwrap(), &bench.settings);
        let acted = pass::carry_out(&bench.desk, &mut bench.ledger, settings, &prepared, &watch, &stop).await;
        let named: Vec<_> = acted.unwrap().unguarded;
        assert_eq!(named, [(symbol("BUSDT"), "its position was not readable yet".to_owned())]);
        bench.advance(300);
        let (_, acted, code) = bench.pass().await;
        assert_eq!((code, acted.unguarded.len(), bench.desk.waiting()), (0, 0, 1));
    });
}

/// The book takes half of what a stop sells; then the price recovers.
#[test]
fn what_a_stop_left_over_is_sold_by_the_next_pass() {
    run(async {
        let mut bench = Bench::begun(false).await;
        bench.advance(300);
        bench.desk.jump(&symbol("AUSDT"), "0.65");
        bench.desk.halves.set(true);
        let whole = bench.desk.held(&symbol("AUSDT"));
        let (_, _, code) = bench.pass().await;
        let left = bench.desk.held(&symbol("AUSDT"));
        assert!(code == 5 && left.is_positive() && left < whole, "{code} {left}");
        bench.desk.jump(&symbol("AUSDT"), "1.5");
        bench.desk.halves.set(false);
        bench.advance(300);
        let (_, acted, code) = bench.pass().await;
        let sold: Vec<_> = acted.sent.iter().map(|sent| (sent.leg.reason, sent.leg.qty)).collect();
        assert_eq!((code, sold), (0, vec![(Reason::StopLoss, left)]));
        bench.advance(300);
        let (_, acted, code) = bench.pass().await;
        assert_eq!((code, acted.sent.len(), bench.books("AUSDT").await), (0, 0, (Qty::ZERO, true)));
        assert_eq!(bench.ledger.unfinished().await.unwrap(), BTreeMap::new());
    });
}
