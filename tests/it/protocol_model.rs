//! The order protocol in small, over every combination of crash, network outcome and gap.
//!
//! One symbol with a constant target. Each scenario is a few passes; every choice (where
//! the process dies, what becomes of the order, how long until the next pass) is enumerated by
//! replaying the scenario with all sequences of choices. A position beyond the target, or an id
//! that filled twice, is a double execution. The full protocol has none; each weakening has some,
//! which proves that the model can see what it looks for.

use std::ops::ControlFlow;

/// The exchange refuses an order that arrives more ticks than this after its timestamp.
const RECV_WINDOW: i64 = 2;
/// A changed position is visible this many ticks later, and an accepted order not later than that.
const READ_LAG: i64 = 2;
/// Points at which a pass can die, and zero for none.
const CRASHES: usize = 8;
/// Ticks between two passes: at once, soon, or long after.
const GAPS: [i64; 4] = [0, 1, 3, 9];

/// Replays a scenario with every sequence of choices, the last choice varying fastest.
#[derive(Default)]
struct Choices {
    /// What was chosen, and of how many.
    taken: Vec<(usize, usize)>,
    at: usize,
    started: bool,
}

impl Choices {
    /// Prepares the next sequence; `false` after the last.
    fn next(&mut self) -> bool {
        self.at = 0;
        if !self.started {
            self.started = true;
            return true;
        }
        while self.taken.last().is_some_and(|(choice, of)| choice + 1 >= *of) {
            self.taken.pop();
        }
        match self.taken.last_mut() {
            Some((choice, _)) => {
                *choice += 1;
                true
            }
            None => false,
        }
    }

    /// One of `0..of`.
    fn choose(&mut self, of: usize) -> usize {
        if self.at == self.taken.len() {
            self.taken.push((0, of));
        }
        let (choice, known) = self.taken[self.at];
        assert_eq!(known, of, "a replay must meet the same choices");
        self.at += 1;
        choice
    }
}

/// A machine and its order number.
type Id = (usize, u32);

struct Accepted {
    at: i64,
    id: Id,
    qty: i64,
}

struct InFlight {
    arrives: i64,
    id: Id,
    qty: i64,
    stamp: i64,
}

/// What a sender learns of an order.
#[derive(PartialEq)]
enum Answer {
    Filled,
    Rejected,
    Timeout,
}

/// The exchange, and the network before it. Ids may be used again, as the real one allows once the
/// order before is filled.
struct World {
    query_lag: i64,
    now: i64,
    accepted: Vec<Accepted>,
    in_flight: Vec<InFlight>,
}

impl World {
    fn tick(&mut self, ticks: i64) {
        for _ in 0..ticks {
            self.now += 1;
            let now = self.now;
            for order in self.in_flight.extract_if(.., |order| order.arrives == now) {
                if now <= order.stamp + RECV_WINDOW {
                    self.accepted.push(Accepted { at: now, id: order.id, qty: order.qty });
                }
            }
        }
    }

    fn post(&mut self, choices: &mut Choices, id: Id, qty: i64, stamp: i64) -> Answer {
        let outcome = choices.choose(5);
        // What is left of an immediate-or-cancel order is gone, so a part is as final as the whole.
        let partly = qty > 1 && matches!(outcome, 0 | 2 | 4);
        let qty = if partly { 1 + choices.choose(qty as usize) as i64 } else { qty };
        match outcome {
            0 => {
                self.accepted.push(Accepted { at: self.now, id, qty });
                return Answer::Filled;
            }
            1 => return Answer::Rejected,
            // Accepted, and the answer is lost.
            2 => self.accepted.push(Accepted { at: self.now, id, qty }),
            // Never arrives.
            3 => {}
            // Arrives later, the last time too late.
            _ => {
                let delay = 1 + choices.choose(RECV_WINDOW as usize + 1) as i64;
                self.in_flight.push(InFlight { arrives: self.now + delay, id, qty, stamp });
            }
        }
        self.tick(1);
        Answer::Timeout
    }

    fn visible(&self, lag: i64) -> impl Iterator<Item = &Accepted> {
        self.accepted.iter().filter(move |order| order.at + lag <= self.now)
    }

    /// When the order with this id was last filled, as far as can be seen now.
    fn query(&self, id: Id) -> Option<i64> {
        self.visible(self.query_lag).filter(|order| order.id == id).map(|order| order.at).max()
    }

    fn position(&self) -> i64 {
        self.visible(READ_LAG).map(|order| order.qty).sum()
    }

    fn is_violated(&self, target: i64) -> bool {
        let again =
            |(n, order): (usize, &Accepted)| self.accepted.iter().skip(n + 1).any(|o| o.id == order.id);
        let position: i64 = self.accepted.iter().map(|order| order.qty).sum();
        position > target || self.accepted.iter().enumerate().any(again)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Sending,
    Unknown,
    Done,
    Absent,
}

#[derive(Clone, Copy)]
struct Intent {
    id: Id,
    stamp: i64,
    state: State,
}

#[derive(Clone)]
struct Ledger {
    intents: Vec<Intent>,
    next: u32,
    last_fill: i64,
}

/// The protocol, or one with a part taken out.
#[derive(Clone, Copy)]
struct Variant {
    /// Unresolved orders are left alone until they can no longer be accepted.
    fence: bool,
    /// Ticks added to the fence because reads lag.
    margin: i64,
    /// A position read before our own last fill is not used.
    fresh: bool,
    /// The intent is durable before the order leaves.
    write_ahead: bool,
    /// A timeout is answered by sending the same id again.
    resend: bool,
    /// The fence goes by a clock that may jump five ticks ahead.
    jumping_clock: bool,
    /// A crash may lose everything since the pass began.
    power_loss: bool,
    /// Ledgers that take turns.
    machines: usize,
    /// An order found before the fence is booked at once; one not found still waits for the fence.
    early_adoption: bool,
    /// The position wanted; above one, an order may fill in part.
    target: i64,
    /// Ticks after which a query finds an accepted order.
    query_lag: i64,
}

const FULL: Variant = Variant {
    fence: true,
    margin: READ_LAG,
    fresh: true,
    write_ahead: true,
    resend: false,
    jumping_clock: false,
    power_loss: false,
    machines: 1,
    early_adoption: false,
    target: 1,
    query_lag: READ_LAG,
};
const EARLY_ADOPTION: Variant = Variant { early_adoption: true, ..FULL };

/// The process died.
struct Crash;

/// Counts the points at which a pass can die, and dies at one of them.
struct Mortality {
    passed: usize,
    dies_at: usize,
}

impl Mortality {
    fn point(&mut self) -> Result<(), Crash> {
        self.passed += 1;
        if self.passed == self.dies_at { Err(Crash) } else { Ok(()) }
    }
}

fn one_pass(
    world: &mut World,
    choices: &mut Choices,
    ledger: &mut Ledger,
    variant: &Variant,
    dies_at: usize,
    machine: usize,
) -> Result<(), Crash> {
    let mut life = Mortality { passed: 0, dies_at };
    life.point()?; // the lock is held
    if settle(world, choices, ledger, variant, &mut life)?.is_break() {
        return Ok(()); // the symbol is quarantined
    }
    let as_of = world.now - READ_LAG;
    if variant.fresh && as_of < ledger.last_fill {
        return Ok(()); // the snapshot is stale
    }
    let qty = variant.target - world.position();
    life.point()?; // the plan is made
    if qty == 0 {
        return Ok(());
    }
    let id = (machine, ledger.next);
    ledger.next += 1;
    let mut intent = Intent { id, stamp: world.now, state: State::Sending };
    if variant.write_ahead {
        ledger.intents.push(intent);
    }
    life.point()?; // the intent is durable, nothing is sent
    let mut answer = world.post(choices, id, qty, intent.stamp);
    if answer == Answer::Timeout && variant.resend {
        answer = world.post(choices, id, qty, world.now);
    }
    life.point()?; // the answer is known, and not recorded
    intent.state = match answer {
        Answer::Filled => State::Done,
        Answer::Rejected => State::Absent,
        Answer::Timeout => State::Unknown,
    };
    if answer == Answer::Filled {
        ledger.last_fill = world.now;
    }
    match ledger.intents.last_mut() {
        Some(last) if variant.write_ahead => *last = intent,
        _ => ledger.intents.push(intent),
    }
    life.point() // all is recorded
}

/// Resolves what earlier passes left open; breaks where something must be left alone for now.
fn settle(
    world: &World,
    choices: &mut Choices,
    ledger: &mut Ledger,
    variant: &Variant,
    life: &mut Mortality,
) -> Result<ControlFlow<()>, Crash> {
    let Ledger { intents, last_fill, .. } = ledger;
    for intent in intents {
        if !matches!(intent.state, State::Sending | State::Unknown) {
            continue;
        }
        let found = world.query(intent.id);
        if variant.fence {
            let jump = if variant.jumping_clock { 5 * choices.choose(2) as i64 } else { 0 };
            let fenced = world.now + jump <= intent.stamp + RECV_WINDOW + variant.margin;
            if fenced && !(variant.early_adoption && found.is_some()) {
                return Ok(ControlFlow::Break(()));
            }
        }
        match found {
            Some(at) => {
                intent.state = State::Done;
                *last_fill = at.max(*last_fill);
            }
            None => intent.state = State::Absent,
        }
        life.point()?; // one more is resolved
    }
    Ok(ControlFlow::Continue(()))
}

/// Whether the scenario that `choices` spells ends in a double execution.
fn is_violated(choices: &mut Choices, variant: &Variant, passes: usize) -> bool {
    let mut world =
        World { query_lag: variant.query_lag, now: 0, accepted: Vec::new(), in_flight: Vec::new() };
    let mut ledgers = vec![Ledger { intents: Vec::new(), next: 0, last_fill: -99 }; variant.machines];
    for pass in 0..passes {
        let machine = pass % variant.machines;
        let ledger = &mut ledgers[machine];
        let dies_at = choices.choose(CRASHES);
        let loses = variant.power_loss && dies_at > 0 && choices.choose(2) == 1;
        let before = loses.then(|| ledger.clone());
        let result = one_pass(&mut world, choices, ledger, variant, dies_at, machine);
        if let (Err(Crash), Some(before)) = (result, before) {
            *ledger = before;
        }
        world.tick(GAPS[choices.choose(GAPS.len())]);
    }
    world.tick(RECV_WINDOW + 2);
    world.is_violated(variant.target)
}

/// How many scenarios there are and how many end in a double execution. A variant that is proven
/// bad is left after `enough` scenarios.
fn explore(variant: Variant, passes: usize, enough: u32) -> (u32, u32) {
    let mut choices = Choices::default();
    let (mut runs, mut violations) = (0, 0);
    while choices.next() {
        runs += 1;
        violations += u32::from(is_violated(&mut choices, &variant, passes));
        if violations > 0 && runs > enough {
            break;
        }
    }
    (runs, violations)
}

#[test]
fn the_full_protocol_never_executes_twice() {
    assert_eq!(explore(FULL, 2, u32::MAX), (8_896, 0));
    assert_eq!(explore(FULL, 3, u32::MAX), (478_592, 0));
}

#[test]
fn adopting_a_found_order_before_the_fence_is_safe() {
    // As long as one order fills the target, adopting early saves time and changes no decision.
    assert_eq!(explore(EARLY_ADOPTION, 2, u32::MAX), (8_896, 0));
    assert_eq!(explore(EARLY_ADOPTION, 3, u32::MAX), (478_592, 0));
    // Harder: orders fill in part, so that adopting leads to another order at once, and a query
    // sees an order before the position does.
    let harder = Variant { target: 2, query_lag: 0, ..FULL };
    let early = Variant { early_adoption: true, ..harder };
    assert_eq!(explore(harder, 2, u32::MAX), (18_832, 0));
    assert_eq!(explore(early, 2, u32::MAX), (20_848, 0));
    assert_eq!(explore(early, 3, u32::MAX), (1_550_936, 0));
    // What carries it is the check that the position contains the adopted fill.
    assert_eq!(explore(Variant { fresh: false, ..early }, 2, u32::MAX), (32_112, 6_144));
    assert_eq!(explore(Variant { fresh: false, ..harder }, 2, u32::MAX), (22_352, 1_920));
}

#[test]
fn every_weakened_protocol_executes_twice() {
    let enough = 200_000;
    for (name, variant, two_passes, three_passes) in [
        ("no fence", Variant { fence: false, ..FULL }, (14_944, 1_728), (200_001, 42_992)),
        ("no margin for the read lag", Variant { margin: 0, ..FULL }, (10_048, 0), (200_001, 512)),
        (
            "a clock that may jump",
            Variant { jumping_clock: true, ..FULL },
            (19_232, 1_728),
            (200_001, 19_888),
        ),
        ("stale snapshots are used", Variant { fresh: false, ..FULL }, (9_856, 640), (200_001, 18_784)),
        (
            "the intent is written after the send",
            Variant { write_ahead: false, ..FULL },
            (11_272, 560),
            (200_001, 8_400),
        ),
        ("a timeout is resent", Variant { resend: true, ..FULL }, (174_976, 112_416), (200_001, 125_817)),
        ("a commit may be lost", Variant { power_loss: true, ..FULL }, (36_960, 2_016), (200_001, 8_064)),
        ("two machines, two ledgers", Variant { machines: 2, ..FULL }, (17_704, 2_800), (200_001, 42_800)),
    ] {
        assert_eq!(explore(variant, 2, enough), two_passes, "{name}, 2 passes");
        assert_eq!(explore(variant, 3, enough), three_passes, "{name}, 3 passes");
    }
}
