//! Request weight and order counts, and what happens to those who ignore them.

use std::time::{Duration, Instant};

use crate::domain::time::Time;
use crate::sim::refusal::Refusal;

/// Weight per minute.
pub(crate) const WEIGHT_LIMIT: u32 = 2400;
/// Orders per ten seconds.
pub(crate) const ORDERS_10S: u32 = 300;
/// Orders per minute.
pub(crate) const ORDERS_1M: u32 = 1200;
/// Requests for funding history per five minutes.
pub(crate) const FUNDING_LIMIT: u32 = 500;
/// Spot's weight per minute.
pub(crate) const SPOT_WEIGHT: u32 = 6000;
/// Spot's unfilled orders per ten seconds.
pub(crate) const SPOT_ORDERS_10S: u32 = 100;
/// Spot's unfilled orders per day.
pub(crate) const SPOT_ORDERS_1D: u32 = 200_000;
/// Spot's requests of any weight per five minutes.
pub(crate) const SPOT_REQUESTS: u32 = 61_000;
/// Requests after the first refusal that earn a ban.
const PATIENCE: u32 = 10;
/// The first ban.
const BAN: Duration = Duration::from_secs(120);

/// A count that starts anew with every window of exchange time or of real time, whichever turns
/// first: a frozen exchange clock must not lock a client out, nor a fast one let it flood.
#[derive(Debug)]
struct Count {
    span: Duration,
    sim: Time,
    real: Instant,
    used: u32,
}

impl Count {
    fn new(span: Duration, sim: Time, real: Instant) -> Count {
        Count { span, sim: sim.floor_to(span), real, used: 0 }
    }

    fn add(&mut self, weight: u32, sim: Time, real: Instant) -> u32 {
        if sim.floor_to(self.span) != self.sim || real.saturating_duration_since(self.real) >= self.span {
            *self = Count::new(self.span, sim, real);
        }
        self.used = self.used.saturating_add(weight);
        self.used
    }
}

/// Which counters a request runs on: the two sides of the exchange share none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Futures,
    Spot,
}

/// The counters of one address and account on one side.
#[derive(Debug)]
pub(crate) struct Limits {
    side: Side,
    weight: Count,
    orders_10s: Count,
    /// A minute on futures, a day on spot.
    orders_long: Count,
    funding: Count,
    refused: u32,
    banned: Option<(Time, Instant)>,
}

impl Limits {
    pub(crate) fn new(side: Side, sim: Time, real: Instant) -> Limits {
        let seconds = Duration::from_secs;
        let long = match side {
            Side::Futures => seconds(60),
            Side::Spot => seconds(86_400),
        };
        Limits {
            side,
            weight: Count::new(seconds(60), sim, real),
            orders_10s: Count::new(seconds(10), sim, real),
            orders_long: Count::new(long, sim, real),
            funding: Count::new(seconds(300), sim, real),
            refused: 0,
            banned: None,
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// 429 over the limit, 418 for those who go on.
    pub(crate) fn spend(&mut self, weight: u32, sim: Time, real: Instant) -> Result<u32, Refusal> {
        if let Some((until, since)) = self.banned {
            if sim < until && real.saturating_duration_since(since) < BAN {
                return Err(banned(until));
            }
            self.banned = None;
            self.refused = 0;
        }
        let used = self.weight.add(weight, sim, real);
        let most = match self.side {
            Side::Futures => WEIGHT_LIMIT,
            Side::Spot => SPOT_WEIGHT,
        };
        if used <= most {
            self.refused = 0;
            return Ok(used);
        }
        self.refused += 1;
        if self.refused > PATIENCE {
            let until = sim + BAN;
            self.banned = Some((until, real));
            return Err(banned(until));
        }
        Err(Refusal::saying(
            -1003,
            format!(
                "Too many requests; current limit of IP(127.0.0.1) is {most} requests per minute. Please use the websocket for live updates to avoid polling the API."
            ),
        ))
    }

    /// Counts a request for funding rates, which weigh nothing and have a limit of their own.
    ///
    /// # Errors
    /// 429 over the limit.
    pub(crate) fn ask_funding(&mut self, sim: Time, real: Instant) -> Result<(), Refusal> {
        if self.funding.add(1, sim, real) > FUNDING_LIMIT {
            return Err(Refusal::saying(
                -1003,
                "Too many requests; current limit of IP(127.0.0.1) is 500 requests per 5 minutes.",
            ));
        }
        Ok(())
    }

    /// Seconds until a client that was refused may ask again.
    pub(crate) fn retry_after(&self, sim: Time) -> u64 {
        let until = self.banned.map_or(self.weight.sim + self.weight.span, |(until, _)| until);
        until.since(sim).as_secs().max(1)
    }

    /// Counts orders.
    ///
    /// # Errors
    /// 429 over a limit.
    pub(crate) fn order(
        &mut self,
        in_10s: u32,
        in_long: u32,
        sim: Time,
        real: Instant,
    ) -> Result<(u32, u32), Refusal> {
        let ten = self.orders_10s.add(in_10s, sim, real);
        let long = self.orders_long.add(in_long, sim, real);
        let (most_10s, most_long, span) = match self.side {
            Side::Futures => (ORDERS_10S, ORDERS_1M, "1 MINUTE"),
            Side::Spot => (SPOT_ORDERS_10S, SPOT_ORDERS_1D, "1 DAY"),
        };
        let refuse = |most: u32, span: &str| {
            Refusal::saying(-1015, format!("Too many new orders; current limit is {most} orders per {span}."))
        };
        if ten > most_10s {
            return Err(refuse(most_10s, "10 SECOND"));
        }
        if long > most_long {
            return Err(refuse(most_long, span));
        }
        Ok((ten, long))
    }

    /// Spot counts unfilled orders only: a fill gives one back.
    pub(crate) fn give_back(&mut self) -> (u32, u32) {
        for count in [&mut self.orders_10s, &mut self.orders_long] {
            count.used = count.used.saturating_sub(1);
        }
        self.order_counts()
    }

    /// What the order counters stand at.
    pub(crate) fn order_counts(&self) -> (u32, u32) {
        (self.orders_10s.used, self.orders_long.used)
    }
}

fn banned(until: Time) -> Refusal {
    Refusal {
        http_status: 418,
        code: -1003,
        msg: format!(
            "Way too many requests; IP(127.0.0.1) banned until {}. Please use the websocket for live updates to avoid bans.",
            until.ms()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_weight_is_refused_then_banned_then_forgiven() {
        let (sim, real) = (Time::clamped(1_767_225_600_000), Instant::now());
        let mut limits = Limits::new(Side::Futures, sim, real);
        for _ in 0..80 {
            assert!(limits.spend(30, sim, real).is_ok());
        }
        let statuses: Vec<u16> =
            (0..12).map(|_| limits.spend(1, sim, real).unwrap_err().http_status).collect();
        assert_eq!(statuses[..10], [429; 10]);
        assert_eq!(statuses[10..], [418; 2]);
        let later = sim + Duration::from_secs(61);
        assert_eq!(limits.spend(1, later, real).unwrap_err().http_status, 418, "a ban outlasts the minute");
        assert!(limits.spend(1, sim + Duration::from_secs(121), real).is_ok());
    }

    #[test]
    fn a_new_minute_of_either_clock_starts_anew() {
        let (sim, real) = (Time::clamped(1_767_225_600_000), Instant::now());
        let mut limits = Limits::new(Side::Futures, sim, real);
        assert_eq!(limits.spend(2400, sim, real), Ok(2400));
        assert_eq!(limits.spend(5, sim + Duration::from_secs(60), real), Ok(5));
        assert_eq!(limits.spend(7, sim + Duration::from_secs(60), real + Duration::from_secs(60)), Ok(7));
    }

    #[test]
    fn funding_history_has_its_own_limit() {
        let (sim, real) = (Time::clamped(1_767_225_600_000), Instant::now());
        let mut limits = Limits::new(Side::Futures, sim, real);
        for _ in 0..500 {
            limits.ask_funding(sim, real).unwrap();
        }
        assert_eq!(limits.ask_funding(sim, real).unwrap_err().http_status, 429);
        assert!(limits.ask_funding(sim + Duration::from_secs(300), real).is_ok());
    }

    #[test]
    fn orders_have_two_counters() {
        let (sim, real) = (Time::clamped(1_767_225_600_000), Instant::now());
        let mut limits = Limits::new(Side::Futures, sim, real);
        assert_eq!(limits.order(5, 1, sim, real), Ok((5, 1)));
        for _ in 0..59 {
            limits.order(5, 1, sim, real).unwrap();
        }
        assert_eq!(limits.order(1, 1, sim, real).unwrap_err().code, -1015);
    }

    #[test]
    fn spot_counts_on_its_own_and_fills_give_orders_back() {
        let (sim, real) = (Time::clamped(1_767_225_600_000), Instant::now());
        let mut limits = Limits::new(Side::Spot, sim, real);
        assert_eq!(limits.spend(6000, sim, real), Ok(6000));
        let refused = limits.spend(1, sim + Duration::from_secs(50), real).unwrap_err();
        assert!(refused.http_status == 429 && refused.msg.contains("6000"), "{refused}");
        assert_eq!(limits.retry_after(sim + Duration::from_secs(50)), 10);
        for _ in 0..100 {
            limits.order(1, 1, sim, real).unwrap();
        }
        assert_eq!(limits.give_back(), (99, 99));
        assert_eq!(limits.order(1, 1, sim, real), Ok((100, 100)));
        assert_eq!(limits.order(1, 1, sim, real).unwrap_err().code, -1015);
        let (later, day) = (sim + Duration::from_secs(10), sim + Duration::from_secs(86_400));
        assert_eq!(limits.order(1, 1, later, real), Ok((1, 102)));
        assert_eq!(limits.order(1, 1, day, real), Ok((1, 1)));
    }
}
