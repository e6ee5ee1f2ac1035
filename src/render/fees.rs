//! Fees in words: never a sum of two assets.

use crate::domain::num::Notional;
use crate::render::text::{clean, fee};
use crate::report::fees::{Fee, Fees};

/// The fees of one contract. In another asset than the quote, the asset is named and every digit kept.
pub(crate) fn of(fees: &Fees, quote: &str) -> String {
    let one = |one: &Fee| match one.asset.as_str() {
        asset if asset == quote => fee(one.amount),
        asset => format!("{} {}", one.amount, clean(asset)),
    };
    match fees.all() {
        [] => fee(Notional::ZERO),
        all => all.iter().map(one).collect::<Vec<_>>().join(" + "),
    }
}

/// What several come to: in the quote, with those that were taken in the coin that was traded at the price of
/// the execution; and those in any other asset by themselves.
pub(crate) fn total<'a>(of: impl Iterator<Item = &'a Fees>) -> (String, String) {
    let (all, others) = Fees::total(of);
    let others = others.iter().map(|(asset, amount)| format!(" and {amount} {}", clean(asset)));
    (fee(all), others.collect())
}

/// Those beside the first in one cell.
pub(crate) fn others(fees: &Fees) -> String {
    let others = fees.all().iter().skip(1).map(|one| format!("{} {}", one.amount, clean(&one.asset)));
    others.collect::<Vec<_>>().join("; ")
}

/// Amount and asset of the first, as cells.
pub(crate) fn first(fees: &Fees) -> (String, String) {
    let first = fees.all().first();
    first.map_or_else(
        || (Notional::ZERO.to_string(), String::new()),
        |fee| (fee.amount.to_string(), fee.asset.clone()),
    )
}
