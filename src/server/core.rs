//! One exchange, its clock, its limits and its log, behind one lock.

use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::domain::num::Rate;
use crate::domain::time::Time;
use crate::server::auth::{Secret, Window, check_key, check_signed};
use crate::server::limits::{Limits, Side};
use crate::server::params::Params;
use crate::server::{Clock, Settings, screener, spot, usdm, wallet};
use crate::sim::Exchange;
use crate::sim::fault::{Action, Faults};
use crate::sim::refusal::Refusal;
use crate::sim::spot::Spot;

/// One request, body read.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: Vec<u8>,
    pub(crate) api_key: Option<String>,
    /// How much later than sent it arrives, by a fault.
    pub(crate) late: Duration,
    /// What goes wrong while it is processed.
    pub(crate) fault: Option<Action>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(status: u16, value: &Value) -> Answer {
        let content = "application/json;charset=UTF-8";
        Answer { status, content, headers: Vec::new(), body: value.to_string() }
    }

    /// A body as a proxy in front of the exchange would send it.
    pub(crate) fn html(status: u16, title: &str) -> Answer {
        let body = format!("<html><head><title>{status} {title}</title></head></html>\n");
        Answer { status, content: "text/html", headers: Vec::new(), body }
    }

    /// A body sent as it is; the content type is guessed from it.
    pub(crate) fn raw(status: u16, body: &str) -> Answer {
        let content =
            if body.trim_start().starts_with('<') { "text/html" } else { "application/json;charset=UTF-8" };
        Answer { status, content, headers: Vec::new(), body: body.to_owned() }
    }

    pub(crate) fn refusal(refusal: &Refusal) -> Answer {
        Answer::json(refusal.http_status, &json!({"code": refusal.code, "msg": refusal.msg}))
    }
}

/// What a caller must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// Nothing.
    Open,
    /// Key and signature.
    Signed,
    /// Key and signature of a key that may trade.
    Trade,
}

/// One endpoint of a dialect.
pub(crate) struct Route {
    /// Whose counters it runs on, and which right to trade it needs.
    pub(crate) side: Side,
    pub(crate) security: Security,
    /// Weight of a call with these parameters.
    pub(crate) weight: fn(&Params) -> u32,
    /// What it adds to the order counters: ten seconds, and a minute (on spot a day).
    pub(crate) orders: (u32, u32),
    pub(crate) handle: fn(&mut Core, &Params) -> Result<Value, Refusal>,
}

/// A request as `/sim/state` shows it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) at: Time,
    pub(crate) weight: u32,
}

/// What the key may do, as sapi shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restrictions {
    pub(crate) ip_restrict: bool,
    pub(crate) reading: bool,
    pub(crate) withdrawals: bool,
    pub(crate) internal_transfer: bool,
    pub(crate) universal_transfer: bool,
    pub(crate) margin: bool,
    pub(crate) futures: bool,
    pub(crate) options: bool,
    pub(crate) spot: bool,
    /// When it loses the right to trade.
    pub(crate) expires: Option<Time>,
}

impl Default for Restrictions {
    /// A key as the guides advise: bound to an address, trades futures and spot, withdraws nothing.
    fn default() -> Restrictions {
        Restrictions {
            ip_restrict: true,
            reading: true,
            withdrawals: false,
            internal_transfer: false,
            universal_transfer: false,
            margin: false,
            futures: true,
            options: false,
            spot: true,
            expires: None,
        }
    }
}

/// The exchange and everything around it that a request may touch.
pub(crate) struct Core {
    pub(crate) exchange: Exchange,
    /// The spot account, on the same markets.
    pub(crate) spot: Spot,
    pub(crate) restrictions: Restrictions,
    pub(crate) seen: Vec<Seen>,
    pub(crate) faults: Faults,
    /// Set while an order is placed under a fault that lets only part of it fill.
    pub(crate) fill_fraction: Rate,
    api_key: String,
    secret: Secret,
    clock: Clock,
    /// Where exchange time and real time were last the same.
    began: (Time, Instant),
    limits: Limits,
    spot_limits: Limits,
    served: u64,
}

impl Core {
    pub(crate) fn new(settings: &Settings, exchange: Exchange) -> io::Result<Core> {
        let began = (exchange.now(), Instant::now());
        Ok(Core {
            restrictions: Restrictions::default(),
            seen: Vec::new(),
            faults: Faults::default(),
            fill_fraction: Rate::ONE,
            api_key: settings.api_key.clone(),
            secret: Secret::read(&settings.api_secret)?,
            clock: settings.clock,
            began,
            limits: Limits::new(Side::Futures, began.0, began.1),
            spot_limits: Limits::new(Side::Spot, began.0, began.1),
            served: 0,
            spot: Spot::beside(&exchange),
            exchange,
        })
    }

    /// Whether only `/sim/advance` moves time.
    pub(crate) fn is_manual(&self) -> bool {
        self.clock == Clock::Manual
    }

    /// A frozen clock was moved: clients' clocks are forgiven only what they run from now on.
    pub(crate) fn moved(&mut self) {
        self.began = (self.exchange.now(), Instant::now());
    }

    /// A number that differs with every call, for what the real exchange orders at random.
    pub(crate) fn served(&self) -> u64 {
        self.served
    }

    /// What the exchange calls this account; the same for the same key.
    pub(crate) fn account_alias(&self) -> String {
        let hash = self.api_key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        format!("Sim{hash:013x}")
    }

    /// Lets real time pass for the exchange. Where recorded prices are used up it stands still.
    pub(crate) fn tick(&mut self) -> Result<(), Refusal> {
        let Clock::Real { speed } = self.clock else { return Ok(()) };
        let passed = self.began.1.elapsed().as_secs_f64() * speed;
        let target = self.began.0 + Duration::try_from_secs_f64(passed).unwrap_or(Duration::MAX);
        let moved = self.exchange.advance(target);
        self.spot.follow(&self.exchange);
        moved.map_err(|end| Refusal { http_status: 503, code: -1016, msg: end.to_string() })
    }

    /// The counters of one side.
    pub(crate) fn limits(&mut self, side: Side) -> &mut Limits {
        match side {
            Side::Futures => &mut self.limits,
            Side::Spot => &mut self.spot_limits,
        }
    }

    fn window(&self, late: Duration, side: Side) -> Window {
        let spot = side == Side::Spot;
        let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4);
        match self.clock {
            Clock::Manual => {
                let stood_ms = ms(self.began.1.elapsed());
                Window { now: self.exchange.now() + late, stood_ms, speed: 1, spot }
            }
            Clock::Real { speed } => {
                let speed = speed.ceil().max(1.0) as i64;
                Window { now: self.exchange.now(), stood_ms: 0, speed, spot }
            }
        }
    }

    /// Which fault strikes this request. Counts it.
    pub(crate) fn strike(&mut self, call: &Call) -> Option<Action> {
        self.faults.strike(&call.method, &call.path)
    }

    /// Writes a request into the log.
    pub(crate) fn note(&mut self, call: &Call, weight: u32) {
        // Failure to move time shows where the request is processed.
        let _ = self.tick();
        let at = self.exchange.now();
        self.seen.push(Seen { method: call.method.clone(), path: call.path.clone(), at, weight });
    }

    /// Answers a request of a dialect.
    pub(crate) fn process(&mut self, call: &Call) -> Answer {
        self.served += 1;
        if let Some(answer) = screener::answer(self, call) {
            return answer;
        }
        let Some(route) = find_route(&call.method, &call.path) else {
            self.note(call, 0);
            return Answer::html(404, "Not Found");
        };
        let mut headers = vec![("x-response-time", "1ms".to_owned())];
        let result = self.run(call, &route, &mut headers);
        let mut answer = match result {
            Ok(value) => Answer::json(200, &value),
            Err(refusal) => Answer::refusal(&refusal),
        };
        answer.headers = headers;
        answer
    }

    /// Runs a request, and says when to come back where spot refused it for its number.
    fn run(
        &mut self,
        call: &Call,
        route: &Route,
        headers: &mut Vec<(&'static str, String)>,
    ) -> Result<Value, Refusal> {
        let result = self.run_counted(call, route, headers);
        if let (Side::Spot, Err(Refusal { http_status: 418 | 429, .. })) = (route.side, &result) {
            let seconds = self.spot_limits.retry_after(self.exchange.now());
            headers.push(("retry-after", seconds.to_string()));
        }
        result
    }

    fn run_counted(
        &mut self,
        call: &Call,
        route: &Route,
        headers: &mut Vec<(&'static str, String)>,
    ) -> Result<Value, Refusal> {
        let ended = self.tick();
        let body = std::str::from_utf8(&call.body)
            .map_err(|_| Refusal::saying(-1100, "Illegal characters found in the request body."));
        let params = body.and_then(|body| Params::read(&call.query, body));
        let weight = (route.weight)(params.as_ref().unwrap_or(&Params::default()));
        self.note(call, weight);
        let (now, real) = (self.exchange.now(), Instant::now());
        let used = self.limits(route.side).spend(weight, now, real)?;
        // Placing an order on futures shows no weight: the real exchange answers -1.
        let hidden = route.side == Side::Futures && route.orders != (0, 0);
        let shown = if hidden { "-1".to_owned() } else { used.to_string() };
        headers.push(("x-mbx-used-weight-1m", shown));
        if call.path.starts_with("/fapi/v1/funding") {
            self.limits.ask_funding(now, real)?;
        }
        let params = params?;
        if let Some(Action::Reject(code)) = call.fault {
            return Err(Refusal { http_status: 400, ..Refusal::of(code) });
        }
        if route.security != Security::Open {
            check_key(&self.api_key, call.api_key.as_deref())?;
            let text = String::from_utf8_lossy(&call.body);
            check_signed(&self.secret, &params, &call.query, &text, self.window(call.late, route.side))?;
            let may = &self.restrictions;
            let may_trade = match route.side {
                Side::Futures => may.futures,
                Side::Spot => may.spot,
            };
            let permitted = may.reading && (route.security != Security::Trade || may_trade);
            if !permitted {
                return Err(Refusal::of(-2015));
            }
        }
        ended?;
        if route.orders != (0, 0) {
            self.limits(route.side).order(route.orders.0, route.orders.1, now, real)?;
        }
        self.fill_fraction = match call.fault {
            Some(Action::Partial(fraction)) => fraction,
            _ => Rate::ONE,
        };
        let result = (route.handle)(self, &params);
        if route.orders != (0, 0) {
            let (ten, long) = self.limits(route.side).order_counts();
            headers.push(("x-mbx-order-count-10s", ten.to_string()));
            let name = if route.side == Side::Spot { "x-mbx-order-count-1d" } else { "x-mbx-order-count-1m" };
            headers.push((name, long.to_string()));
        }
        result
    }
}

/// Every dialect's endpoints.
fn find_route(method: &str, path: &str) -> Option<Route> {
    usdm::route(method, path).or_else(|| spot::route(method, path)).or_else(|| wallet::route(method, path))
}

/// The same elements beginning elsewhere: the real exchange keeps no order either.
pub(crate) fn turned<T>(mut items: Vec<T>, by: u64) -> Vec<T> {
    if !items.is_empty() {
        let length = items.len() as u64;
        items.rotate_left(usize::try_from(by % length).unwrap_or(0));
    }
    items
}

/// The first `limit` rows where a start was asked for, else the last.
pub(crate) fn page<T>(mut rows: Vec<T>, limit: usize, from_start: bool) -> Vec<T> {
    if from_start {
        rows.truncate(limit);
        return rows;
    }
    let surplus = rows.len().saturating_sub(limit);
    rows.split_off(surplus)
}
