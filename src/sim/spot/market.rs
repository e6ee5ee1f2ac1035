//! What a pair's market shows: the prices of its contract, on the pair's own grid.

use crate::domain::market::{Bar, Quote};
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::symbol::Symbol;
use crate::domain::time::Time;
use crate::sim::Exchange;
use crate::sim::book::{Book, nearest_tick};
use crate::sim::history::{Day, Span};
use crate::sim::prices::Prices;
use crate::sim::spot::listing::Pair;
use crate::sim::spot::{QUOTE, Spot};

impl Spot {
    /// The price of the last trade; `None` where the pair has no price.
    #[must_use]
    pub fn last_price(&self, market: &Exchange, symbol: &Symbol) -> Option<Price> {
        let pair = self.pairs.get(symbol)?;
        Some(on_grid(pair, market.last_price(&pair.market)?)).filter(Price::is_positive)
    }

    /// The average that filters compare with. Prices stand still for the five minutes it spans.
    #[must_use]
    pub fn average_price(&self, market: &Exchange, symbol: &Symbol) -> Option<Price> {
        self.last_price(market, symbol)
    }

    /// The order book; `None` where there is no price or the pair does not trade.
    #[must_use]
    pub fn book(&self, market: &Exchange, symbol: &Symbol) -> Option<Book> {
        let pair = self.pairs.get(symbol)?;
        let listed = market.world().listing.get(&pair.market)?;
        if self.status(symbol).as_str() != "TRADING" {
            return None;
        }
        let volume = market.volume_per_day(&pair.market)?;
        let book = match &market.world().prices {
            Prices::Fed => {
                let there = market.state.prices.fed.get(&pair.market)?.quote;
                let many = Rate::from(pair.units.max(1));
                let whole = |qty: Qty| (qty * many).floor_to(pair.rules.lot.step);
                let bid = on_grid(pair, there.bid);
                let top = Quote {
                    bid,
                    bid_qty: whole(there.bid_qty),
                    ask: on_grid(pair, there.ask).max(bid + pair.rules.tick),
                    ask_qty: whole(there.ask_qty),
                };
                Book::from_top(&top, volume, &pair.rules)
            }
            Prices::Synthetic { .. } | Prices::Replay(_) => {
                let last = self.last_price(market, symbol)?;
                Book::around(last, listed.shape.spread_bps, volume, &pair.rules)
            }
        };
        book.top().is_some().then_some(book)
    }

    /// Best bid and ask; `None` where there is no book.
    #[must_use]
    pub fn quote(&self, market: &Exchange, symbol: &Symbol) -> Option<Quote> {
        self.book(market, symbol)?.top()
    }

    /// The last twenty-four hours; `None` where the pair has no price.
    #[must_use]
    pub fn day(&self, market: &Exchange, symbol: &Symbol) -> Option<Day> {
        let pair = self.pairs.get(symbol)?;
        let day = market.day(&pair.market)?;
        Some(Day {
            open: on_grid(pair, day.open),
            high: on_grid(pair, day.high),
            low: on_grid(pair, day.low),
            last: self.last_price(market, symbol)?,
            volume: volume(pair, day.volume),
            quote_volume: day.quote_volume,
            from: day.from,
        })
    }

    /// Candles that begin in `[from, to]`, ascending. The last may be unfinished.
    #[must_use]
    pub fn candles(&self, market: &Exchange, symbol: &Symbol, span: Span, from: Time, to: Time) -> Vec<Bar> {
        let Some(pair) = self.pairs.get(symbol) else { return Vec::new() };
        let bars = market.candles(&pair.market, span, from, to, false);
        bars.into_iter()
            .map(|bar| Bar {
                open_time: bar.open_time,
                open: on_grid(pair, bar.open),
                high: on_grid(pair, bar.high),
                low: on_grid(pair, bar.low),
                close: on_grid(pair, bar.close),
                volume: volume(pair, bar.volume),
            })
            .collect()
    }

    /// What one unit of `asset` is worth in USDT; `None` where nobody says.
    #[must_use]
    pub fn worth(&self, market: &Exchange, asset: &str) -> Option<Price> {
        if asset == QUOTE {
            return Some(Price::ONE);
        }
        let symbol: Symbol = format!("{asset}{QUOTE}").parse().ok()?;
        self.last_price(market, &symbol)
    }

    /// Everything the account has, in USDT at last prices; an asset without a price counts nothing.
    #[must_use]
    pub fn value(&self, market: &Exchange) -> Notional {
        let worth = |asset: &str| self.worth(market, asset).unwrap_or(Price::ZERO);
        self.balances().iter().map(|(asset, balance)| balance.total() * worth(asset)).sum()
    }
}

/// A contract's price on the pair's grid.
fn on_grid(pair: &Pair, price: Price) -> Price {
    nearest_tick(pair.price_of(price), pair.rules.tick)
}

fn volume(pair: &Pair, qty: Qty) -> Qty {
    (qty * Rate::from(pair.units.max(1))).floor_to(pair.rules.lot.step)
}
