//! The account after the trades that followed a reading: where one period ends and the next begins.
//!
//! A reading is made before its pass trades. Bought or sold at `p` while the mark price is `m`, a quantity
//! `q` (signed) changes the equity by `q × (m − p)` less the fee, whatever part of that is realised. On spot a
//! fee in another asset is taken from what is held of it.

use crate::domain::fill::Fill;
use crate::domain::history::{Reading, Sample, Trade};
use crate::domain::num::{Notional, Price, Qty};

/// The reading and its coins as `trades`, which came after it, leave them. Prices are those of the
/// reading; a coin that it does not price counts at what was paid.
#[must_use]
pub fn after_trades(
    reading: &Reading,
    samples: &[Sample],
    trades: &[Trade],
    quote: &str,
    of_coins: bool,
) -> (Reading, Vec<Sample>) {
    let (mut reading, mut samples) = (reading.clone(), samples.to_vec());
    let before = reading.equity;
    for trade in trades {
        let fill = &trade.fill;
        let known = samples.iter().position(|sample| sample.symbol == fill.symbol);
        let index = known.unwrap_or_else(|| {
            samples.push(Sample {
                symbol: fill.symbol.clone(),
                qty: Qty::ZERO,
                entry: Price::ZERO,
                mark: None,
                unrealized: Notional::ZERO,
                target: None,
            });
            samples.len() - 1
        });
        let Some(sample) = samples.get_mut(index) else { continue };
        let mark = *sample.mark.get_or_insert(fill.price);
        let gain = fill.signed_qty() * (mark - fill.price);
        sample.entry = entry_after(sample, trade);
        sample.qty += fill.signed_qty();
        // What is closed floats no longer, to the last digit.
        let floating = sample.unrealized + gain - fill.realized;
        let change = if sample.qty.is_zero() { -sample.unrealized } else { floating - sample.unrealized };
        sample.unrealized += change;
        let fee = if fill.fee_asset == quote { fill.fee } else { Notional::ZERO };
        reading.equity += fill.realized - fee + change;
        reading.at = reading.at.max(fill.at);
        if of_coins {
            reading.equity -= take_fee(&mut samples, fill, quote);
        }
    }
    if let Some(grown) = reading.equity.over(before) {
        reading.nav = reading.nav * grown;
        reading.peak = reading.peak.max(reading.nav);
    }
    (reading, samples)
}

/// Takes a fee with its part of the cost from the holding that paid it; and what it was worth.
fn take_fee(samples: &mut [Sample], fill: &Fill, quote: &str) -> Notional {
    let paid_it = |sample: &&mut Sample| sample.symbol.coin(quote) == fill.fee_asset;
    let Some(sample) = samples.iter_mut().find(paid_it).filter(|_| fill.fee_asset != quote) else {
        return Notional::ZERO;
    };
    let worth = fill.fee_qty() * sample.mark.unwrap_or(fill.price);
    sample.qty -= fill.fee_qty();
    sample.unrealized -= worth - fill.fee_cost;
    worth
}

/// The average price of what is held after a trade; one that only reduces leaves it as it is.
fn entry_after(sample: &Sample, trade: &Trade) -> Price {
    let change = trade.fill.signed_qty();
    let held = sample.qty + change;
    if held.is_zero() {
        return Price::ZERO;
    }
    let grows = sample.qty.is_zero() || sample.qty.is_negative() == change.is_negative();
    if grows {
        let paid = sample.qty * sample.entry + change * trade.fill.price;
        return paid.over_qty(held).unwrap_or(trade.fill.price);
    }
    if held.is_negative() == sample.qty.is_negative() { sample.entry } else { trade.fill.price }
}
