//! The pairs: their filters, and whose prices they share.

use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::rules::{Lot, Rules, SpotTerms, Status};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::prices::Prices;
use crate::sim::{Listed, World};

/// Coins that futures count by the thousand, and spot one by one.
const THOUSAND: &str = "1000";
/// Prices and quantities have no more digits than this.
const FINEST: u32 = 8;
/// Pairs that trade less than this per day have a largest position.
const THIN: u32 = 2_000_000;

/// One pair of the exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// Its symbol, assets, status, grids and smallest value; a minimum or step of zero is off.
    pub rules: Rules,
    /// The contract whose prices it shares.
    pub market: Symbol,
    /// How many of the pair's coins one unit of that contract is.
    pub units: u32,
    /// Lists the newer filters `NOTIONAL` and `PERCENT_PRICE_BY_SIDE`, not `MIN_NOTIONAL` and
    /// `PERCENT_PRICE`.
    pub modern: bool,
    /// Whether the smallest value holds for market orders too.
    pub min_for_market: bool,
    /// The largest value of an order; zero turns it off.
    pub max_notional: Notional,
    /// A buy's limit price over the average price: lowest and highest.
    pub bid_band: (Rate, Rate),
    /// The same for a sell.
    pub ask_band: (Rate, Rate),
    /// The most of the coin that free, locked and open buys may come to; zero turns it off.
    pub max_position: Qty,
}

impl Pair {
    /// A pair of `rules` that shares the prices of the contract of its own name, with the filters
    /// that most pairs have.
    #[must_use]
    pub fn new(rules: Rules) -> Pair {
        Pair {
            market: rules.symbol.clone(),
            rules,
            units: 1,
            modern: true,
            min_for_market: true,
            max_notional: Notional::from(9_000_000),
            bid_band: (Rate::new(2, 1), Rate::from(5)),
            ask_band: (Rate::new(2, 1), Rate::from(5)),
            max_position: Qty::ZERO,
        }
    }

    /// A pair of a real listing, whose rules are as [`Pair::told`] gives them.
    #[must_use]
    pub fn recorded(rules: Rules) -> Pair {
        let usual = Pair::new(rules);
        let (up, down) = (usual.rules.price_up, usual.rules.price_down);
        Pair {
            bid_band: (usual.bid_band.0, up),
            ask_band: (down, usual.ask_band.1.max(up)),
            max_notional: Notional::ZERO,
            max_position: usual.rules.spot.unwrap_or_default().max_position,
            ..usual
        }
    }

    /// The rules as whoever trades the pair learns them: both lots of a market order as one, on the grid; the
    /// band and what may be held among them; no date.
    #[must_use]
    pub fn told(&self) -> Rules {
        let Rules { lot, market_lot, tick, price_bounds: (low, high), .. } = self.rules;
        let both = Lot { min: market_lot.min.max(lot.min), ..market_lot };
        Rules {
            onboard: Time::default(),
            price_bounds: (low.ceil_to(tick), high.floor_to(tick)),
            lot: lot.on_grid(lot.step),
            market_lot: both.on_grid(lot.step.max(market_lot.step)),
            price_up: self.bid_band.1,
            price_down: self.ask_band.0,
            // How far from the price a market order may walk: nobody says, so little is assumed.
            market_bound: Rate::new(5, 2),
            spot: Some(SpotTerms { max_position: self.max_position, ..self.rules.spot.unwrap_or_default() }),
            ..self.rules.clone()
        }
    }

    /// The pair's price where its contract's is `price`, off any grid.
    #[must_use]
    pub fn price_of(&self, price: Price) -> Price {
        Rate::ONE.over(Rate::from(self.units.max(1))).map_or(price, |share| price * share)
    }
}

/// A pair for every coin of `world` that spot would list: no stocks, indices and coins to come.
#[must_use]
pub fn pairs(world: &World) -> Vec<Pair> {
    let first = |listed: &Listed| match &world.prices {
        // Recorded rules come without any price.
        Prices::Replay(recorded) => Some(recorded.bars.get(&listed.rules.symbol)?.first()?.close),
        Prices::Synthetic { .. } | Prices::Fed => Some(listed.shape.price),
    };
    world.listing.values().filter_map(|listed| pair_of(listed, first(listed)?)).collect()
}

/// The pair of a contract that begins at `price`.
fn pair_of(listed: &Listed, price: Price) -> Option<Pair> {
    let rules = &listed.rules;
    if rules.underlying != "COIN" && !rules.underlying.is_empty() {
        return None;
    }
    let waits = rules.status.as_str() == "PENDING_TRADING";
    // Dated contracts of a coin share a pair with the perpetual one.
    if rules.contract != "PERPETUAL" || waits || rules.base.starts_with("1000000") {
        return None;
    }
    let (coin, units) = match rules.base.strip_prefix(THOUSAND) {
        Some(coin) if coin.starts_with(char::is_alphabetic) => (coin, 1000),
        _ => (rules.base.as_str(), 1),
    };
    let symbol: Symbol = format!("{coin}{}", rules.quote).parse().ok()?;
    let price = Pair { units, ..Pair::new(rules.clone()) }.price_of(price);
    let spot = rules_of(symbol, coin, rules, price);
    let thin = listed.shape.daily_volume < Notional::from(THIN);
    let step = spot.lot.step;
    let most = Notional::from(50_000).over_price(price).unwrap_or(Qty::ZERO).floor_to(step);
    let narrow = (Rate::new(5, 1), Rate::from(2));
    let old = coin.len() > 5;
    let band = |usual| if old { narrow } else { usual };
    let usual = Pair::new(spot);
    Some(Pair {
        market: rules.symbol.clone(),
        units,
        modern: !old,
        bid_band: band(usual.bid_band),
        ask_band: band(usual.ask_band),
        max_position: if thin { most } else { Qty::ZERO },
        max_notional: if old { Notional::ZERO } else { usual.max_notional },
        ..usual
    })
}

/// Grids that spot would have at this price: a step worth about one quote unit and never above one
/// coin, a tick about a basis point fine and never above a cent.
fn rules_of(symbol: Symbol, coin: &str, contract: &Rules, price: Price) -> Rules {
    // A little more than one, so that a price just above a power of ten keeps its usual step.
    let most = Notional::new(13, 1).over_price(price).unwrap_or(Qty::ONE);
    let step = (0..=FINEST).map(|digits| Qty::new(1, digits)).find(|step| *step <= most);
    let step = step.unwrap_or(Qty::new(1, FINEST));
    let fine = price * Rate::new(1, 4);
    let tick = (2..=FINEST).map(|digits| Price::new(1, digits)).find(|tick| *tick <= fine);
    let tick = tick.unwrap_or(Price::new(1, FINEST));
    let worth = |notional: u32| Notional::from(notional).over_price(price).unwrap_or(step).floor_to(step);
    let ended = contract.status != Status::Trading;
    Rules {
        symbol,
        base: coin.to_owned(),
        quote: contract.quote.clone(),
        margin_asset: contract.quote.clone(),
        contract: "SPOT".to_owned(),
        underlying: "COIN".to_owned(),
        status: if ended { Status::read("BREAK") } else { Status::Trading },
        onboard: contract.onboard,
        delivery: None,
        tags: Vec::new(),
        tick,
        price_bounds: (tick, (price * Rate::from(1000)).ceil_to(tick)),
        lot: Lot { min: step, max: worth(90_000_000).max(step), step },
        market_lot: Lot { min: Qty::ZERO, max: worth(400_000).max(step), step: Qty::ZERO },
        min_notional: Notional::from(5),
        price_up: Rate::from(5),
        price_down: Rate::new(2, 1),
        market_bound: Rate::ZERO,
        liquidation_fee: Rate::ZERO,
        max_open_orders: 200,
        // The pair holds its own, apart from the futures' rules.
        spot: Some(SpotTerms::default()),
    }
}
