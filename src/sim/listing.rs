//! The contracts of the synthetic market, and plausible rules for contracts nobody described.

use std::time::Duration;

use crate::domain::account::Bracket;
use crate::domain::num::{Amount, Notional, Price, Qty, Rate};
use crate::domain::rules::{Lot, Rules, Status};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::contracts::CONTRACTS;
use crate::sim::synthetic::first_price;
use crate::sim::{Listed, Shape};

/// One tier: cap of the notional, most leverage, maintenance rate in basis points.
type Tier = (u32, u32, u32);

const MAJOR: &[Tier] = &[
    (300_000, 150, 40),
    (800_000, 100, 50),
    (3_000_000, 75, 65),
    (12_000_000, 50, 100),
    (70_000_000, 25, 200),
    (200_000_000, 10, 500),
    (400_000_000, 5, 1000),
    (800_000_000, 2, 2500),
    (1_600_000_000, 1, 5000),
];
const LARGE: &[Tier] = &[
    (10_000, 75, 65),
    (100_000, 50, 100),
    (750_000, 25, 200),
    (3_000_000, 20, 250),
    (7_500_000, 10, 500),
    (15_000_000, 5, 1000),
    (30_000_000, 2, 2500),
    (60_000_000, 1, 5000),
];
const USUAL: &[Tier] = &[
    (5_000, 50, 100),
    (25_000, 25, 200),
    (100_000, 20, 250),
    (500_000, 10, 500),
    (1_000_000, 5, 1000),
    (2_000_000, 2, 2500),
    (5_000_000, 1, 5000),
];
const SMALL: &[Tier] = &[
    (5_000, 25, 200),
    (20_000, 10, 500),
    (50_000, 5, 1000),
    (100_000, 3, 1666),
    (250_000, 2, 2500),
    (500_000, 1, 5000),
];
/// A contract on which even the usual leverage of five is refused.
const TINY: &[Tier] = &[(5_000, 4, 1000), (25_000, 2, 2500), (100_000, 1, 5000)];

/// Tiers that join without a jump: `cum_n = floor_n·(mmr_n − mmr_{n−1}) + cum_{n−1}`.
fn tiers(table: &[Tier]) -> Vec<Bracket> {
    let mut brackets: Vec<Bracket> = Vec::new();
    for (cap, max_leverage, rate_bps) in table {
        let maint_rate = Rate::from_bps(Rate::from(*rate_bps));
        let (floor, cum) = brackets.last().map_or((Notional::ZERO, Notional::ZERO), |lower: &Bracket| {
            (lower.cap, lower.cap * (maint_rate - lower.maint_rate) + lower.cum)
        });
        let cap = Notional::from(*cap);
        brackets.push(Bracket { floor, cap, max_leverage: *max_leverage, maint_rate, cum });
    }
    brackets
}

/// The tiers assumed where the exchange's own are not known: those of a middling contract.
#[must_use]
pub fn usual_brackets() -> Vec<Bracket> {
    tiers(USUAL)
}

/// How a middling contract moves and trades.
#[must_use]
pub fn plain_shape() -> Shape {
    Shape {
        price: Price::ONE,
        annual_vol: Rate::new(9, 1),
        spread_bps: Rate::from(3),
        daily_volume: Notional::from(30_000_000),
        funding_8h: Rate::new(1, 4),
        sector: "OTHER".to_owned(),
    }
}

/// The demo basket: twenty liquid coins over all sectors for which a position of 20 USDT can be
/// opened, trimmed and closed: smallest order 5, a step worth well below 1, narrow book.
pub const DEMO_BASKET: [&str; 20] = [
    "ADAUSDT",
    "TRXUSDT",
    "HBARUSDT",
    "DOTUSDT",
    "ARBUSDT",
    "OPUSDT",
    "POLUSDT",
    "DOGEUSDT",
    "1000PEPEUSDT",
    "FETUSDT",
    "WLDUSDT",
    "CRVUSDT",
    "ENAUSDT",
    "LDOUSDT",
    "LINKUSDT",
    "GRTUSDT",
    "XRPUSDT",
    "XLMUSDT",
    "GALAUSDT",
    "ONDOUSDT",
];

/// The symbols of [`DEMO_BASKET`].
#[must_use]
pub fn demo_basket() -> Vec<Symbol> {
    DEMO_BASKET.iter().filter_map(|name| name.parse().ok()).collect()
}

/// The synthetic market's contracts as of `start`, sorted by symbol: over eighty USDT perpetuals of
/// all sectors, and the awkward ones a careful client must notice.
///
/// The seed moves each first price by up to a tenth, nothing else.
#[must_use]
pub fn synthetic(seed: u64, start: Time) -> Vec<Listed> {
    let mut listing: Vec<Listed> = CONTRACTS.lines().filter_map(|line| read_row(line, seed, start)).collect();
    listing.sort_by(|a, b| a.rules.symbol.cmp(&b.rules.symbol));
    listing
}

/// The `count` most traded contracts of `listing`.
#[must_use]
pub fn most_traded(mut listing: Vec<Listed>, count: usize) -> Vec<Listed> {
    listing.sort_by(|a, b| {
        b.shape.daily_volume.cmp(&a.shape.daily_volume).then_with(|| a.rules.symbol.cmp(&b.rules.symbol))
    });
    listing.truncate(count);
    listing
}

/// The synthetic contracts of these names; a name that is not in the table gets derived rules and a
/// price near 1.
#[must_use]
pub fn named(symbols: &[Symbol], seed: u64, start: Time) -> Vec<Listed> {
    let known = synthetic(seed, start);
    let one = |symbol: &Symbol| {
        let found = known.iter().find(|listed| listed.rules.symbol == *symbol);
        found.cloned().unwrap_or_else(|| derived(symbol, first_price(seed, symbol, Price::ONE)))
    };
    symbols.iter().map(one).collect()
}

/// One line of the table in `contracts.rs`; `None` for a blank or broken one.
fn read_row(line: &str, seed: u64, start: Time) -> Option<Listed> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let &[name, price, tick, step, least, sector, tags, vol, spread, volume, funding, hours, class, flags] =
        fields.as_slice()
    else {
        return None;
    };
    let symbol: Symbol = name.parse().ok()?;
    let price: Price = price.parse().ok()?;
    let tick: Price = tick.parse().ok()?;
    let quote = if name.ends_with("USDC") { "USDC" } else { "USDT" };
    let flag = |word: &str| flags.split(',').any(|flag| flag == word);
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let eight = Duration::from_secs(8 * 3600);
    let onboard = if flag("young") {
        (start - days(9)).floor_to(eight)
    } else if flag("pending") {
        (start + days(20)).floor_to(eight)
    } else if flag("premarket") {
        (start - days(45)).floor_to(eight)
    } else {
        (start - days(1_000)).floor_to(eight)
    };
    let delivery = if flag("delisting") {
        Some((start + days(6)).floor_to(eight))
    } else if flag("settling") || flag("closed") {
        Some((start - days(3)).floor_to(eight))
    } else {
        None
    };
    let status = if flag("settling") {
        Status::read("SETTLING")
    } else if flag("closed") {
        Status::read("CLOSE")
    } else if flag("pending") {
        Status::read("PENDING_TRADING")
    } else {
        Status::Trading
    };
    let shape = Shape {
        price: first_price(seed, &symbol, price),
        annual_vol: vol.parse::<Rate>().ok()? * Rate::new(1, 2),
        spread_bps: spread.parse().ok()?,
        daily_volume: volume.parse::<Notional>().ok()? * Rate::from(1_000_000),
        funding_8h: Rate::from_bps(funding.parse().ok()?),
        sector: sector.to_owned(),
    };
    let mut rules = rules_for(&symbol, quote, price, tick, step.parse().ok()?);
    rules.min_notional = least.parse().ok()?;
    rules.onboard = onboard;
    rules.delivery = delivery;
    rules.status = status;
    rules.tags = tags.split(',').filter(|tag| *tag != "-").map(|tag| tag.replace('_', " ")).collect();
    if flag("tradifi") {
        rules.contract = "TRADIFI_PERPETUAL".to_owned();
        rules.underlying = "EQUITY".to_owned();
    } else if flag("metal") {
        rules.contract = "TRADIFI_PERPETUAL".to_owned();
        rules.underlying = "COMMODITY".to_owned();
    } else if flag("index") {
        rules.underlying = "INDEX".to_owned();
    } else if flag("premarket") {
        rules.underlying = "PREMARKET".to_owned();
    }
    let brackets = match class {
        "major" => tiers(MAJOR),
        "large" => tiers(LARGE),
        "small" => tiers(SMALL),
        "tiny" => tiers(TINY),
        _ => tiers(USUAL),
    };
    // Where prices are shown with more digits than the tick allows, as BTCUSDT does.
    let price_precision = tick.decimals() + u32::from(flag("finer"));
    let qty_precision = rules.lot.step.decimals();
    Some(Listed {
        rules,
        brackets,
        funding_hours: hours.parse().ok()?,
        price_precision,
        qty_precision,
        shape,
    })
}

/// Rules with the usual bounds around a price level.
fn rules_for(symbol: &Symbol, quote: &str, price: Price, tick: Price, step: Qty) -> Rules {
    let worth = |notional: u32| Notional::from(notional).over_price(price).unwrap_or(step).floor_to(step);
    let lot = Lot { min: step, max: worth(50_000_000).max(step), step };
    let market_lot = Lot { min: step, max: worth(2_000_000).max(step), step };
    let wide = price.is_positive() && price < Price::from(1000);
    Rules {
        symbol: symbol.clone(),
        base: symbol.coin(quote).to_owned(),
        quote: quote.to_owned(),
        margin_asset: quote.to_owned(),
        contract: "PERPETUAL".to_owned(),
        underlying: "COIN".to_owned(),
        status: Status::Trading,
        onboard: Time::default(),
        delivery: None,
        tags: Vec::new(),
        tick,
        price_bounds: (tick, (price * Rate::from(1000)).ceil_to(tick)),
        lot,
        market_lot,
        min_notional: Notional::from(5),
        price_up: if wide { Rate::new(115, 2) } else { Rate::new(105, 2) },
        price_down: if wide { Rate::new(85, 2) } else { Rate::new(95, 2) },
        market_bound: if wide { Rate::new(1, 1) } else { Rate::new(5, 2) },
        liquidation_fee: if wide { Rate::new(15, 3) } else { Rate::new(125, 4) },
        max_open_orders: 200,
        spot: None,
    }
}

/// The power of ten at or below `price / parts`, at most one: a grid about `parts` fine.
fn grid<K>(price: Price, parts: u32) -> Amount<K> {
    let target = price * Rate::ONE.over(Rate::from(parts)).unwrap_or(Rate::ONE);
    let digits = (0..=12).find(|digits| Price::new(1, *digits) <= target).unwrap_or(12);
    Amount::new(1, digits)
}

/// Plausible rules for a contract of which only the price is known, such as a recorded one: smallest
/// order 5, tick about a basis point, step worth about a cent.
#[must_use]
pub fn derived(symbol: &Symbol, price: Price) -> Listed {
    let quote = if symbol.as_str().ends_with("USDC") { "USDC" } else { "USDT" };
    let price = if price.is_positive() { price } else { Price::ONE };
    let tick: Price = grid(price, 10_000);
    // One cent's worth, as a power of ten at or below it, never finer than eight digits.
    let cent = Notional::new(1, 1).over_price(price).unwrap_or(Qty::ONE);
    let step = (0..=8).map(|digits| Qty::new(1, digits)).find(|step| *step <= cent).unwrap_or(Qty::new(1, 8));
    let shape = Shape { price, ..plain_shape() };
    Listed::new(rules_for(symbol, quote, price, tick, step), Vec::new(), 8, shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::maintenance_margin;
    use std::collections::{BTreeMap, BTreeSet};

    fn start() -> Time {
        "2026-01-01".parse().unwrap()
    }

    #[test]
    fn no_row_of_the_table_is_lost_and_every_sector_is_there() {
        let listing = synthetic(7, start());
        let rows = CONTRACTS.lines().filter(|line| !line.trim().is_empty()).count();
        assert_eq!(listing.len(), rows);
        let symbols: BTreeSet<&str> = listing.iter().map(|listed| listed.rules.symbol.as_str()).collect();
        assert_eq!(symbols.len(), rows, "a contract is listed twice");
        let tradable =
            listing.iter().filter(|listed| listed.rules.opens() && listed.rules.quote == "USDT").count();
        assert!(tradable >= 80, "{tradable}");
        for name in
            ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "1000SHIBUSDT", "1000PEPEUSDT", "币安人生USDT"]
        {
            assert!(symbols.contains(name), "{name}");
        }
        let sectors: BTreeSet<&str> = listing.iter().map(|listed| listed.shape.sector.as_str()).collect();
        for sector in ["AI", "MEME", "L1", "L2", "RWA", "DEFI", "GAMEFI", "INFRA", "PAYMENT", "OTHER"] {
            assert!(sectors.contains(sector), "{sector}");
        }
    }

    #[test]
    fn prices_and_minimums_sit_on_their_grids() {
        for listed in synthetic(7, start()) {
            let rules = &listed.rules;
            let name = &rules.symbol;
            assert!(
                rules.tick.over(listed.shape.price).unwrap() < Rate::new(2, 3),
                "{name}: tick too coarse"
            );
            assert!(rules.lot.max.is_multiple_of(rules.lot.step), "{name}");
            assert!(rules.market_lot.max <= rules.lot.max, "{name}");
            assert!(rules.lot.min * listed.shape.price < Notional::from(500), "{name}: step too coarse");
        }
    }

    #[test]
    fn the_demo_basket_can_hold_twenty_each() {
        let listing: BTreeMap<Symbol, Listed> =
            synthetic(7, start()).into_iter().map(|listed| (listed.rules.symbol.clone(), listed)).collect();
        let basket = demo_basket();
        assert_eq!(basket.iter().collect::<BTreeSet<_>>().len(), 20);
        for symbol in &basket {
            let listed = &listing[symbol];
            assert!(listed.rules.opens(), "{symbol}");
            assert!(listed.rules.min_notional <= Notional::from(5), "{symbol}");
            assert!(listed.rules.lot.step * listed.shape.price < Notional::new(6, 1), "{symbol}: step");
            assert!(listed.shape.spread_bps < Rate::from(10), "{symbol}");
            assert!(listed.shape.funding_8h <= Rate::new(2, 4), "{symbol}");
            assert!(listed.rules.onboard < start() - Duration::from_secs(60 * 86_400), "{symbol}");
            assert!(listed.brackets[0].max_leverage >= 5, "{symbol}");
        }
    }

    #[test]
    fn the_awkward_ones_are_there() {
        let listing = synthetic(7, start());
        let any = |what: &str, test: &dyn Fn(&Listed) -> bool| {
            assert!(listing.iter().any(test), "{what}");
        };
        any("delisting", &|l| l.rules.status == Status::Trading && l.rules.delivery.is_some());
        any("not trading", &|l| l.rules.status != Status::Trading);
        any("young", &|l| l.rules.opens() && l.rules.onboard > start() - Duration::from_secs(30 * 86_400));
        any("thin", &|l| l.rules.opens() && l.shape.daily_volume < Notional::from(2_000_000));
        any("wide", &|l| l.rules.opens() && l.shape.spread_bps >= Rate::from(40));
        // More than a hundred percent a year: 1095 settlements of eight hours.
        any("dear funding", &|l| l.shape.funding_8h * Rate::from(1095) > Rate::ONE);
        any("dear for shorts", &|l| l.shape.funding_8h * Rate::from(1095) < -Rate::ONE);
        any("metal", &|l| l.rules.contract == "TRADIFI_PERPETUAL" && l.rules.underlying == "COMMODITY");
        any("stock", &|l| l.rules.contract == "TRADIFI_PERPETUAL" && l.rules.underlying == "EQUITY");
        any("index", &|l| l.rules.opens() && l.rules.underlying == "INDEX");
        any("before its coin", &|l| l.rules.opens() && l.rules.underlying == "PREMARKET");
        any("hourly funding", &|l| l.rules.opens() && l.funding_hours == 1);
        any("a million in one", &|l| l.rules.base == "1MBABYDOGE");
        any("a million in digits", &|l| l.rules.base == "1000000MOG");
        any("usdc", &|l| l.rules.margin_asset == "USDC");
        any("finer digits", &|l| l.price_precision > l.rules.tick.decimals());
    }

    /// What a scan has to choose from and to reject, each reason on a contract that has no other.
    #[test]
    fn a_scan_finds_enough_and_something_to_reject_for_every_reason() {
        let old = start() - Duration::from_secs(30 * 86_400);
        let annual = |l: &Listed| (l.shape.funding_8h * Rate::from(1095)).abs();
        let plain = |l: &&Listed| l.rules.contract == "PERPETUAL" && l.rules.underlying == "COIN";
        let flaws = |l: &Listed| {
            [
                !plain(&l),
                l.rules.margin_asset != "USDT",
                l.rules.status != Status::Trading,
                l.rules.delivery.is_some(),
                l.rules.onboard > old,
                l.shape.daily_volume < Notional::from(20_000_000),
                l.shape.spread_bps > Rate::from(10),
                annual(l) > Rate::ONE,
            ]
        };
        let listing = synthetic(7, start());
        let counted = |flaw: Option<usize>| {
            let alone = |l: &&Listed| flaws(l).iter().enumerate().all(|(at, is)| *is == (Some(at) == flaw));
            listing.iter().filter(alone).count()
        };
        let without = counted(None);
        assert!(without >= 80, "{without}");
        for flaw in 0..8 {
            // A contract that does not trade has always another flaw too.
            assert!(counted(Some(flaw)) > 0 || flaw == 2, "{flaw}");
        }
        let funding =
            |sign: Rate| move |l: &&Listed| l.shape.funding_8h * sign * Rate::from(1095) > Rate::ONE;
        assert!(listing.iter().filter(funding(Rate::ONE)).count() >= 3);
        assert!(listing.iter().filter(funding(-Rate::ONE)).count() >= 3);
    }

    #[test]
    fn a_part_of_the_market_is_taken_by_size_or_by_name() {
        let largest = most_traded(synthetic(7, start()), 2);
        let names: Vec<&str> = largest.iter().map(|listed| listed.rules.symbol.as_str()).collect();
        assert_eq!(names, ["BTCUSDT", "ETHUSDT"]);
        let wanted = ["ADAUSDT", "NEWUSDT"].map(|name| name.parse().unwrap());
        let found = named(&wanted, 7, start());
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].shape.sector, "L1");
        assert!(found[1].shape.price > Price::new(8, 1) && found[1].shape.price < Price::new(12, 1));
    }

    #[test]
    fn tiers_join_without_a_jump() {
        for table in [MAJOR, LARGE, USUAL, SMALL, TINY] {
            let brackets = tiers(table);
            for pair in brackets.windows(2) {
                let edge = pair[0].cap;
                let above = edge * pair[1].maint_rate - pair[1].cum;
                assert_eq!(maintenance_margin(&brackets, edge), above);
            }
        }
    }

    #[test]
    fn derived_rules_fit_small_orders_at_any_price_level() {
        for price in ["97000", "3100", "140.5", "2.1", "0.42", "0.0085", "0.000012"] {
            let price: Price = price.parse().unwrap();
            let listed = derived(&"XUSDT".parse().unwrap(), price);
            let rules = &listed.rules;
            assert!(rules.lot.step * price <= Notional::ONE, "{price}: step {}", rules.lot.step);
            assert!(rules.tick.over(price).unwrap() <= Rate::new(1, 4), "{price}: tick {}", rules.tick);
            assert!(rules.fit(Qty::from(1), price, true, false).is_ok() || price < Price::from(5));
            assert!(!listed.brackets.is_empty());
        }
    }
}
