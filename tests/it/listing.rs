//! Quantities and prices fitted to every contract of the recorded listings, and to made-up ones,
//! judged by whole-number arithmetic that knows nothing of our decimals.

use std::fmt::Debug;
use std::io::Read;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rebal::domain::num::{Price, Qty, Rate};
use rebal::domain::order::Side;
use rebal::domain::rules::{Lot, Rules, Status};
use rebal::domain::time::Time;
use serde_json::Value;

use crate::data::recorded;

const LISTINGS: [(&str, usize); 3] = [
    ("exchange_info/mainnet_exchangeInfo_2021-07-21.json.gz", 122),
    ("exchange_info/mainnet_exchangeInfo_2024-03-28_excerpt24.json", 24),
    ("exchange_info/testnet_exchangeInfo_2025-12-24.json.gz", 660),
];

/// Whole numbers stand for hundred-millionths: no listing has finer rules.
const SCALE: u32 = 8;
const ONE: i128 = 100_000_000;

/// `-12.5` in hundred-millionths.
fn units(text: &str) -> i128 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    assert!(fraction.len() <= SCALE as usize, "finer than the scale: {text}");
    sign * format!("{whole}{fraction:0<8}").parse::<i128>().unwrap()
}

/// Hundred-millionths as a plain decimal.
fn plain(units: i128) -> String {
    format!("{}{}.{:08}", if units < 0 { "-" } else { "" }, units.abs() / ONE, units.abs() % ONE)
}

fn qty(units: i128) -> Qty {
    plain(units).parse().unwrap()
}

fn price(units: i128) -> Price {
    plain(units).parse().unwrap()
}

/// The rules of a contract as whole numbers.
#[derive(Clone, Debug)]
struct Naive {
    name: String,
    min: i128,
    max: i128,
    step: i128,
    market_max: i128,
    min_notional: i128,
    tick: i128,
    lowest: i128,
    highest: i128,
    up: i128,
    down: i128,
}

impl Naive {
    fn from_json(symbol: &Value) -> Naive {
        let field = |filter: &str, name: &str| {
            let filters = symbol["filters"].as_array().unwrap();
            let found = filters.iter().find(|f| f["filterType"] == filter).unwrap();
            units(found[name].as_str().unwrap())
        };
        for name in ["minQty", "stepSize"] {
            assert_eq!(field("LOT_SIZE", name), field("MARKET_LOT_SIZE", name), "the oracle knows one lot");
        }
        Naive {
            name: symbol["symbol"].as_str().unwrap().to_owned(),
            min: field("LOT_SIZE", "minQty"),
            max: field("LOT_SIZE", "maxQty"),
            step: field("LOT_SIZE", "stepSize"),
            market_max: field("MARKET_LOT_SIZE", "maxQty"),
            min_notional: field("MIN_NOTIONAL", "notional"),
            tick: field("PRICE_FILTER", "tickSize"),
            lowest: field("PRICE_FILTER", "minPrice"),
            highest: field("PRICE_FILTER", "maxPrice"),
            up: field("PERCENT_PRICE", "multiplierUp"),
            down: field("PERCENT_PRICE", "multiplierDown"),
        }
    }

    fn rules(&self) -> Rules {
        let lot = Lot { min: qty(self.min), max: qty(self.max), step: qty(self.step) };
        Rules {
            symbol: self.name.parse().unwrap(),
            base: String::new(),
            quote: "USDT".into(),
            margin_asset: "USDT".into(),
            contract: "PERPETUAL".into(),
            underlying: String::new(),
            status: Status::Trading,
            onboard: Time::default(),
            delivery: None,
            tags: Vec::new(),
            tick: price(self.tick),
            price_bounds: (price(self.lowest), price(self.highest)),
            lot,
            market_lot: Lot { max: qty(self.market_max), ..lot },
            min_notional: plain(self.min_notional).parse().unwrap(),
            price_up: plain(self.up).parse().unwrap(),
            price_down: plain(self.down).parse().unwrap(),
            market_bound: Rate::ONE,
            liquidation_fee: Rate::ZERO,
            max_open_orders: 200,
            spot: None,
        }
    }

    fn max(&self, market: bool) -> i128 {
        if market { self.max.min(self.market_max) } else { self.max }
    }

    /// The most that whole orders can add up to without exceeding `wanted`, tried with every number
    /// of orders; zero where not even one is possible.
    fn best(&self, wanted: i128, price: i128, max: i128, reduce_only: bool) -> i128 {
        let on_grid = |qty: i128| self.min + (qty - self.min).div_euclid(self.step) * self.step;
        let mut least = self.min;
        if !reduce_only {
            let by_worth = (self.min_notional * ONE + price - 1) / price;
            least = least.max(on_grid(by_worth + self.step - 1));
        }
        let most = on_grid(max);
        let with = |count: i128| {
            let total = count * self.min + (wanted - count * self.min).div_euclid(self.step) * self.step;
            let total = total.min(count * most);
            if least > most || total < count * least { 0 } else { total }
        };
        (1..=wanted / most.max(1) + 2).map(with).max().unwrap_or(0)
    }
}

fn listed() -> Option<Vec<Naive>> {
    let mut all = Vec::new();
    for (path, count) in LISTINGS {
        let file = std::fs::File::open(recorded(path)?).unwrap();
        let mut text = String::new();
        match path.ends_with(".gz") {
            true => flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap(),
            false => std::io::BufReader::new(file).read_to_string(&mut text).unwrap(),
        };
        let listing: Value = serde_json::from_str(&text).unwrap();
        let symbols = listing["symbols"].as_array().unwrap();
        assert_eq!(symbols.len(), count, "{path}");
        all.extend(symbols.iter().map(Naive::from_json));
    }
    Some(all)
}

/// A number from one to about `10^exponent`, all sizes alike.
fn any_size(exponent: u32) -> impl Strategy<Value = i128> {
    (0..=exponent).prop_flat_map(|exponent| 1..=10_i128.pow(exponent))
}

/// What is wanted, in hundred-millionths: of any size, or close to a multiple of a bound.
#[derive(Clone, Debug)]
enum Wanted {
    Any(i128),
    Near { bound: usize, times: i128, off: i128 },
}

fn wanted() -> impl Strategy<Value = Wanted> {
    prop_oneof![
        any_size(20).prop_map(Wanted::Any),
        (0..4_usize, 1..=5_i128, -2..=2_i128).prop_map(|(bound, times, off)| Wanted::Near {
            bound,
            times,
            off
        }),
    ]
}

impl Wanted {
    fn units(&self, naive: &Naive, price: i128, max: i128) -> i128 {
        let chosen = match self {
            Wanted::Any(units) => *units,
            Wanted::Near { bound, times, off } => {
                let by_worth = naive.min_notional * ONE / price;
                let bound = [naive.min, max, by_worth, max + naive.min][*bound];
                // Half a step off, so that both sides of the grid are met.
                bound * times + off * naive.step / 2
            }
        };
        chosen.clamp(1, max.saturating_mul(12))
    }
}

/// Runs a property the same way every time.
fn check<S: Strategy<Value: Debug>>(
    cases: u32,
    strategy: S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, rng).run(&strategy, property).unwrap_or_else(|fault| panic!("{fault}"));
}

/// Every part obeys every rule, and together they are the most that can be had.
fn judge_fit(
    naive: &Naive,
    wanted: i128,
    at: i128,
    market: bool,
    reduce_only: bool,
) -> Result<(), TestCaseError> {
    let max = naive.max(market);
    let best = naive.best(wanted, at, max, reduce_only);
    let case = format!(
        "{} wants {} at {} market {market} reduce {reduce_only}",
        naive.name,
        plain(wanted),
        plain(at)
    );
    let parts = match naive.rules().fit(qty(wanted), price(at), market, reduce_only) {
        Ok(parts) => parts,
        Err(unfit) => {
            prop_assert_eq!(best, 0, "{}: refused ({}), though it is possible", case, unfit);
            return Ok(());
        }
    };
    prop_assert!(!parts.is_empty(), "{}: no parts", case);
    let parts: Vec<i128> = parts.iter().map(|part| units(&part.to_string())).collect();
    for part in &parts {
        prop_assert!(*part >= naive.min && *part <= max, "{}: {:?} is out of bounds", case, parts);
        prop_assert_eq!((part - naive.min) % naive.step, 0, "{}: {:?} is off the grid", case, parts);
        let worth = part * at;
        prop_assert!(
            reduce_only || worth >= naive.min_notional * ONE,
            "{}: {:?} is worth too little",
            case,
            parts
        );
    }
    let sum: i128 = parts.iter().sum();
    prop_assert!(sum <= wanted, "{}: {:?} is too much", case, parts);
    prop_assert!(
        sum == best || wanted - sum < naive.step,
        "{}: {:?}, but {} is possible",
        case,
        parts,
        plain(best)
    );
    Ok(())
}

#[test]
fn quantities_fit_every_listed_contract() {
    let Some(listed) = listed() else { return };
    for naive in &listed {
        // From the lowest allowed price upwards, in ticks.
        let tick = naive.tick.max(1);
        check(
            48,
            (any_size(9), wanted(), any::<bool>(), any::<bool>()),
            |(ticks, wanted, market, reduce_only)| {
                let at = (naive.lowest + ticks * tick).min(naive.highest);
                let wanted = wanted.units(naive, at, naive.max(market));
                judge_fit(naive, wanted, at, market, reduce_only)
            },
        );
    }
}

/// Rules that no exchange has today: a minimum off the grid, a maximum off the grid, a maximum that
/// is worth less than the least order, few orders between least and most.
fn odd_lot() -> impl Strategy<Value = Naive> {
    (1..=40_i128, 0..=100_i128, 0..=400_i128, 0..=300_i128, 0..=5000_i128).prop_map(
        |(step, min, above, market_less, worth)| {
            let min = (min + 1) * ONE / 100;
            let max = min + above * ONE / 100;
            Naive {
                name: "ODDUSDT".into(),
                min,
                max,
                step: step * ONE / 100,
                market_max: (max - market_less * ONE / 100).max(min),
                min_notional: worth * ONE / 1000,
                tick: 1,
                lowest: 1,
                highest: 1_000_000 * ONE,
                up: 2 * ONE,
                down: 0,
            }
        },
    )
}

#[test]
fn quantities_fit_rules_that_no_exchange_has_yet() {
    let strategy = (odd_lot(), 1..=2000_i128, wanted(), any::<bool>(), any::<bool>());
    check(20_000, strategy, |(naive, at, wanted, market, reduce_only)| {
        let at = at * ONE / 1000;
        let wanted = wanted.units(&naive, at, naive.max(market));
        judge_fit(&naive, wanted, at, market, reduce_only)
    });
}

/// On the grid, within every bound, never on the worse side of what was asked, and close to it.
fn judge_limit(naive: &Naive, side: Side, asked: i128, mark: i128) -> Result<(), TestCaseError> {
    let case = format!("{} {side:?} {} at mark {}", naive.name, plain(asked), plain(mark));
    let fitted = naive.rules().fit_limit(side, price(asked), price(mark));
    let fitted = units(&fitted.to_string());
    prop_assert_eq!((fitted - naive.lowest) % naive.tick, 0, "{}: {} is off the grid", case, plain(fitted));
    let inside = fitted >= naive.lowest && fitted <= naive.highest;
    prop_assert!(inside, "{}: {} is outside the bounds", case, plain(fitted));
    let tight = match side {
        Side::Buy => {
            let bound = (asked * ONE).min(mark * naive.up).min(naive.highest * ONE);
            prop_assert!(fitted * ONE <= bound, "{}: {} is too high", case, plain(fitted));
            bound - fitted * ONE < naive.tick * ONE
        }
        Side::Sell => {
            let bound = (asked * ONE).max(mark * naive.down).max(naive.lowest * ONE);
            prop_assert!(fitted * ONE >= bound, "{}: {} is too low", case, plain(fitted));
            fitted * ONE - bound < naive.tick * ONE
        }
    };
    prop_assert!(tight, "{}: {} is further away than a tick", case, plain(fitted));
    Ok(())
}

#[test]
fn limit_prices_fit_every_listed_contract() {
    let Some(listed) = listed() else { return };
    let mut judged = 0;
    // A tick of zero is a contract that is not open yet: any price is on its grid.
    for naive in listed.iter().filter(|naive| naive.tick > 0) {
        judged += 1;
        check(48, (any_size(9), 1..=ONE, 500..=1500_i128, any::<bool>()), |(ticks, off, permille, buys)| {
            // Far enough from the lower end that the band around mark has prices within the bounds.
            let mark = (naive.lowest * 2 + ticks * naive.tick + off % naive.tick).min(naive.highest);
            let asked = (mark * permille / 1000).clamp(naive.lowest, naive.highest);
            judge_limit(naive, if buys { Side::Buy } else { Side::Sell }, asked, mark)
        });
    }
    assert_eq!(judged, 805, "contracts with a tick");
}

#[test]
fn decimals_agree_with_whole_numbers() {
    // Up to 14 digits before the point and 8 after: the widest that a file or an answer may hold.
    let any_units =
        || (any_size(22), any::<bool>()).prop_map(|(units, minus)| if minus { -units } else { units });
    check(20_000, (any_units(), any_units(), any_size(18)), |(a, b, step)| {
        let (x, y, s) = (qty(a), qty(b), qty(step));
        let read = |qty: Qty| units(&qty.to_string());
        prop_assert_eq!(read(x), a);
        prop_assert_eq!(read(x + y), a + b);
        prop_assert_eq!(read(x - y), a - b);
        prop_assert_eq!(read(x.floor_to(s)), a / step * step);
        let up = (a.abs() + step - 1) / step * step * a.signum();
        prop_assert_eq!(read(x.ceil_to(s)), up);
        prop_assert_eq!(x.is_multiple_of(s), a % step == 0);
        prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        prop_assert_eq!(
            serde_json::to_string(&x).unwrap().parse::<Value>().unwrap(),
            Value::String(x.to_string())
        );
        Ok(())
    });
}

#[test]
fn decimals_never_panic_whatever_their_digits() {
    let digits = || "-?[0-9]{1,14}(\\.[0-9]{1,20})?";
    check(20_000, (digits(), digits(), 0..30_u32), |(a, b, places)| {
        let (Ok(x), Ok(y)) = (a.parse::<Qty>(), b.parse::<Qty>()) else { return Ok(()) };
        let at: Price = b.parse().unwrap();
        let worth = x * at;
        prop_assert!(x.floor_to(y).abs() <= x.abs(), "{} to {}", x, y);
        let _ = (
            x.ceil_to(y),
            x.is_multiple_of(y),
            x.rounded(places),
            worth.over_price(at),
            x.over(y),
            x.approx(),
        );
        let _ = format!("{worth:.2} {x:.0$}", places as usize);
        prop_assert_eq!(x.to_string().parse::<Qty>(), Ok(x));
        Ok(())
    });
}
