//! How much the account carries, before and after a plan, and how far it is from liquidation.

use crate::domain::account::maintenance_margin;
use crate::domain::num::{Notional, Qty, Rate};
use crate::domain::plan::Leg;
use crate::domain::snapshot::{Coin, Snapshot};
use crate::domain::symbol::Symbol;

/// What the account carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// Sum of `|value|` of all positions.
    pub gross: Notional,
    /// `gross / equity`; zero without equity and exposure.
    pub leverage: Rate,
    /// The uniform move of all prices, as a fraction of their value now, at which maintenance
    /// margin would meet equity; `None` where no fall or rise does it.
    pub liquidation_distance: Option<Rate>,
}

/// Leverage reported where there is exposure but no equity to carry it.
pub const UNCARRIED: u32 = 999;

/// The exposure of `snapshot` once `legs` are filled at their reference prices.
///
/// With values `v`, equity `E`, maintenance rates `r` and tier amounts `c`, prices falling by `x`
/// leave equity `E − x·Σv` and need `Σ(|v|·(1−x)·r − c)`; the distance is the `x` where both meet.
/// Cross margin liquidates the account as a whole, and a basket of coins falls together.
#[must_use]
pub fn exposure(snapshot: &Snapshot, legs: &[Leg]) -> Exposure {
    let fees: Notional = legs.iter().map(|leg| leg.est_fee).sum();
    let equity = snapshot.balance.equity - fees;
    let mut gross = Notional::ZERO;
    let mut net = Notional::ZERO;
    let mut maintenance = Notional::ZERO;
    let mut maintenance_slope = Notional::ZERO;
    for (symbol, coin) in &snapshot.coins {
        let value = value_after(symbol, coin, legs);
        let needed = maintenance_margin(&coin.brackets, value);
        gross += value.abs();
        net += value;
        maintenance += needed;
        maintenance_slope += slope(coin, value);
    }
    let leverage = match gross.over(equity) {
        _ if gross.is_zero() => Rate::ZERO,
        Some(leverage) if equity.is_positive() => leverage,
        _ => Rate::from(UNCARRIED),
    };
    // A net long basket is hurt by a fall, a net short one by a rise.
    let hurt = if net.is_negative() { -net + maintenance_slope } else { net - maintenance_slope };
    let distance = (equity - maintenance).over(hurt).filter(|_| hurt.is_positive());
    let reachable = distance.filter(|distance| net.is_negative() || *distance < Rate::ONE);
    Exposure { gross, leverage, liquidation_distance: reachable.map(|distance| distance.max(Rate::ZERO)) }
}

fn value_after(symbol: &Symbol, coin: &Coin, legs: &[Leg]) -> Notional {
    let change: Qty =
        legs.iter().filter(|leg| leg.symbol == *symbol).map(|leg| leg.side.signed(leg.qty)).sum();
    match coin.market {
        Some(market) => (coin.qty() + change) * market.mark.price,
        None => coin.position.as_ref().map(|position| position.value()).unwrap_or_default(),
    }
}

/// Maintenance margin per unit of relative price move: `|v|·r` at the tier of `v`.
fn slope(coin: &Coin, value: Notional) -> Notional {
    let size = value.abs();
    let tier = coin.brackets.iter().find(|bracket| size <= bracket.cap).or(coin.brackets.last());
    tier.map_or(Notional::ZERO, |bracket| size * bracket.maint_rate)
}
