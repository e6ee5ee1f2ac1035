//! Margin of one cross account in one-way, single-asset mode: `reference/binance.md` §6.

use serde::{Deserialize, Serialize};

use crate::domain::account::{Bracket, maintenance_margin};
use crate::domain::num::{Notional, Price, Qty, Rate};
use crate::domain::order::Side;
use crate::domain::time::Time;

/// Digits after the point of every booked amount of money.
pub(crate) const MONEY_DIGITS: u32 = 8;
/// Digits after the point of an average entry price.
const ENTRY_DIGITS: u32 = 12;

/// One open position as the account keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Base units, signed, never zero.
    pub qty: Qty,
    /// Average entry price.
    pub entry: Price,
    /// The last mark price seen; stays where prices have a gap.
    pub mark: Price,
    /// Price at which closing pays back entry fees and what was realised.
    pub break_even: Price,
    /// Last change of the position.
    pub updated: Time,
}

impl Holding {
    /// `qty × mark`, signed.
    #[must_use]
    pub fn value(&self) -> Notional {
        self.qty * self.mark
    }

    /// `qty × (mark − entry)`, to the digit that money is booked in.
    #[must_use]
    pub fn unrealized(&self) -> Notional {
        (self.qty * (self.mark - self.entry)).rounded(MONEY_DIGITS)
    }
}

/// What a fill did to a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The position after it; `None` is flat.
    pub after: Option<Holding>,
    /// Profit realised; `None` where nothing was closed.
    pub realized: Option<Notional>,
}

/// Books `qty` at `price` against `before`.
///
/// Adding averages the entry price, reducing leaves it, flipping starts anew.
#[must_use]
pub fn book(
    before: Option<&Holding>,
    side: Side,
    qty: Qty,
    price: Price,
    mark: Price,
    fee: Notional,
    at: Time,
) -> Change {
    let signed = side.signed(qty);
    // The fee moves the break-even price to the side that loses.
    let fee_per_unit = |total: Qty| fee.over_qty(total.abs()).unwrap_or(Price::ZERO);
    let fresh = |qty: Qty| Holding {
        qty,
        entry: price,
        mark,
        break_even: (if qty.is_negative() { price - fee_per_unit(qty) } else { price + fee_per_unit(qty) })
            .rounded(ENTRY_DIGITS),
        updated: at,
    };
    let Some(held) = before else {
        return Change { after: Some(fresh(signed)), realized: None };
    };
    let total = held.qty + signed;
    if held.qty.is_negative() == signed.is_negative() {
        let average = |old: Price| {
            (held.qty * old + signed * price)
                .over_qty(total)
                .map_or(price, |average| average.rounded(ENTRY_DIGITS))
        };
        let fee_shift =
            if total.is_negative() { Price::ZERO - fee_per_unit(total) } else { fee_per_unit(total) };
        let after = Holding {
            qty: total,
            entry: average(held.entry),
            mark,
            break_even: (average(held.break_even) + fee_shift).rounded(ENTRY_DIGITS),
            updated: at,
        };
        return Change { after: Some(after), realized: None };
    }
    let closed = if signed.abs() < held.qty.abs() { -signed } else { held.qty };
    let realized = (closed * (price - held.entry)).rounded(MONEY_DIGITS);
    let after = if total.is_zero() {
        None
    } else if total.is_negative() == held.qty.is_negative() {
        // What the closed part gained beyond break-even lowers the bar for the rest.
        let gained = closed * (price - held.break_even) - fee;
        let shift = gained.over_qty(total).unwrap_or(Price::ZERO);
        Some(Holding {
            qty: total,
            entry: held.entry,
            mark,
            break_even: (held.break_even - shift).rounded(ENTRY_DIGITS),
            updated: at,
        })
    } else {
        Some(fresh(total))
    };
    Change { after, realized: Some(realized) }
}

/// Resting orders of one contract, summed per side; reduce-only ones need no margin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resting {
    /// Σ open quantity × assumed price of buys.
    pub bids: Notional,
    /// Σ open quantity × assumed price of sells.
    pub asks: Notional,
    /// What the buys would lose at once at the mark price.
    pub bid_loss: Notional,
    /// What the sells would lose at once at the mark price.
    pub ask_loss: Notional,
}

impl Resting {
    /// Adds an order of `qty` at `assumed` price to its side.
    pub fn add(&mut self, side: Side, qty: Qty, assumed: Price, mark: Price, limit: Option<Price>) {
        let loss_each = limit.map_or(Price::ZERO, |limit| match side {
            Side::Buy => (limit - mark).max(Price::ZERO),
            Side::Sell => (mark - limit).max(Price::ZERO),
        });
        match side {
            Side::Buy => {
                self.bids += qty * assumed;
                self.bid_loss += qty * loss_each;
            }
            Side::Sell => {
                self.asks += qty * assumed;
                self.ask_loss += qty * loss_each;
            }
        }
    }
}

/// Initial margin of a position worth `value` (signed) at `leverage`.
#[must_use]
pub fn position_margin(value: Notional, leverage: u32) -> Notional {
    value.abs().over_rate(Rate::from(leverage.max(1))).unwrap_or(value.abs()).rounded(MONEY_DIGITS)
}

/// Margin of resting orders beside a position worth `value`: the side whose worst case exceeds the
/// position pays for the excess and for its open loss.
#[must_use]
pub fn order_margin(value: Notional, resting: &Resting, leverage: u32) -> Notional {
    let excess = |exposure: Notional, loss: Notional| {
        let beyond = exposure.abs() - value.abs();
        if beyond.is_positive() { position_margin(beyond, leverage) + loss } else { Notional::ZERO }
    };
    let if_bought = excess(value + resting.bids, resting.bid_loss);
    let if_sold = excess(value - resting.asks, resting.ask_loss);
    if_bought.max(if_sold).rounded(MONEY_DIGITS)
}

/// Where the whole account would be liquidated if only this contract's mark moved; `None` where no
/// positive price does it.
///
/// `LP = (WB − MM_other + uPnL_other + cum − q·entry) / (|q|·mmr − q)` with `q` signed; the tier
/// depends on the answer, so each is tried.
#[must_use]
pub fn liquidation_price(
    wallet: Notional,
    others_maint: Notional,
    others_unrealized: Notional,
    holding: &Holding,
    brackets: &[Bracket],
) -> Option<Price> {
    let without_tiers = [Bracket {
        floor: Notional::ZERO,
        cap: Notional::ZERO,
        max_leverage: 1,
        maint_rate: Rate::ZERO,
        cum: Notional::ZERO,
    }];
    let brackets = if brackets.is_empty() { &without_tiers } else { brackets };
    let last = brackets.len() - 1;
    for (index, tier) in brackets.iter().enumerate() {
        let numerator = wallet - others_maint + others_unrealized + tier.cum - holding.qty * holding.entry;
        let denominator = holding.qty.abs() * tier.maint_rate - holding.qty;
        let Some(price) = numerator.over_qty(denominator) else { continue };
        let worth = holding.qty.abs() * price;
        let fits = (worth > tier.floor || index == 0) && (worth <= tier.cap || index == last);
        if fits {
            return price.is_positive().then_some(price);
        }
    }
    None
}

/// Maintenance margin of a position worth `value`, to the digit that money is booked in.
#[must_use]
pub fn maint_margin(brackets: &[Bracket], value: Notional) -> Notional {
    maintenance_margin(brackets, value).rounded(MONEY_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn num<K>(text: &str) -> crate::domain::num::Amount<K> {
        text.parse().unwrap()
    }

    fn held(qty: &str, entry: &str, mark: &str) -> Holding {
        Holding {
            qty: num(qty),
            entry: num(entry),
            mark: num(mark),
            break_even: num(entry),
            updated: Time::default(),
        }
    }

    fn flat_tier() -> Vec<Bracket> {
        vec![Bracket {
            floor: Notional::ZERO,
            cap: num("50000"),
            max_leverage: 125,
            maint_rate: num("0.004"),
            cum: Notional::ZERO,
        }]
    }

    /// `reference/binance.md` §6.4, digit for digit.
    #[test]
    fn the_worked_example_comes_out() {
        let (btc, eth) = (held("0.05", "30000", "31000"), held("-1", "2000", "2050"));
        let tiers = flat_tier();
        let wallet = num::<crate::domain::num::kind::NotionalKind>("1000");
        assert_eq!((btc.unrealized(), eth.unrealized()), (num("50"), num("-50")));
        let used = position_margin(btc.value(), 5) + position_margin(eth.value(), 5);
        assert_eq!(used, num("720"));
        assert_eq!(wallet + btc.unrealized() + eth.unrealized() - used, num("280"));
        let (mm_btc, mm_eth) = (maint_margin(&tiers, btc.value()), maint_margin(&tiers, eth.value()));
        assert_eq!(mm_btc + mm_eth, num("14.4"));
        let lp_btc = liquidation_price(wallet, mm_eth, eth.unrealized(), &btc, &tiers).unwrap();
        let lp_eth = liquidation_price(wallet, mm_btc, btc.unrealized(), &eth, &tiers).unwrap();
        assert_eq!(format!("{lp_btc:.6}"), "11208.835341");
        assert_eq!(format!("{lp_eth:.6}"), "3031.673307");
        // At that price the margin balance is the maintenance margin.
        let there = Holding { mark: lp_btc, ..btc };
        let balance = wallet + there.unrealized() + eth.unrealized();
        assert_eq!(format!("{balance:.4}"), "10.4418");
        assert_eq!(format!("{:.4}", maint_margin(&tiers, there.value()) + mm_eth), "10.4418");
    }

    #[test]
    fn the_tier_of_the_liquidation_price_is_its_own() {
        let tiers = vec![
            Bracket {
                floor: Notional::ZERO,
                cap: num("1000"),
                max_leverage: 50,
                maint_rate: num("0.01"),
                cum: Notional::ZERO,
            },
            Bracket {
                floor: num("1000"),
                cap: num("100000"),
                max_leverage: 20,
                maint_rate: num("0.05"),
                cum: num("40"),
            },
        ];
        // A short of 10 at 90 is worth 900 (first tier), and is liquidated in the second.
        let short = held("-10", "90", "90");
        let price = liquidation_price(num("200"), Notional::ZERO, Notional::ZERO, &short, &tiers).unwrap();
        let there = Holding { mark: price, ..short };
        let gap = num::<crate::domain::num::kind::NotionalKind>("200") + there.unrealized()
            - maint_margin(&tiers, there.value());
        assert!(gap.abs() < num("0.000001"), "{gap}");
        assert!(there.value().abs() > num("1000"));
    }

    #[test]
    fn a_long_that_cannot_lose_its_margin_has_no_liquidation_price() {
        let long = held("1", "100", "100");
        assert_eq!(liquidation_price(num("150"), Notional::ZERO, Notional::ZERO, &long, &flat_tier()), None);
    }

    #[test]
    fn entries_average_stay_and_restart() {
        let step = |before: Option<&Holding>, side, qty: &str, price: &str| {
            book(before, side, num(qty), num(price), num(price), Notional::ZERO, Time::default())
        };
        let opened = step(None, Side::Buy, "1", "100").after.unwrap();
        let added = step(Some(&opened), Side::Buy, "3", "104").after.unwrap();
        assert_eq!((added.qty, added.entry), (num("4"), num("103")));
        let reduced = step(Some(&added), Side::Sell, "1", "113");
        assert_eq!(reduced.realized, Some(num("10")));
        let rest = reduced.after.unwrap();
        assert_eq!((rest.qty, rest.entry), (num("3"), num("103")));
        let flipped = step(Some(&rest), Side::Sell, "5", "100");
        assert_eq!(flipped.realized, Some(num("-9")));
        let short = flipped.after.unwrap();
        assert_eq!((short.qty, short.entry), (num("-2"), num("100")));
        let closed = step(Some(&short), Side::Buy, "2", "90");
        assert_eq!((closed.after, closed.realized), (None, Some(num("20"))));
    }

    #[test]
    fn break_even_pays_the_entry_fee() {
        let opened = book(None, Side::Buy, num("2"), num("100"), num("100"), num("0.1"), Time::default())
            .after
            .unwrap();
        assert_eq!(opened.break_even, num("100.05"));
        let short = book(None, Side::Sell, num("2"), num("100"), num("100"), num("0.1"), Time::default())
            .after
            .unwrap();
        assert_eq!(short.break_even, num("99.95"));
    }

    #[test]
    fn resting_orders_pay_for_what_exceeds_the_position() {
        let mut resting = Resting::default();
        resting.add(Side::Sell, num("3"), num("100"), num("100"), Some(num("100")));
        // Selling 300 against a long of 200 leaves at worst a short of 100: no more than the position.
        assert_eq!(order_margin(num("200"), &resting, 5), Notional::ZERO);
        assert_eq!(order_margin(num("100"), &resting, 5), num("20"));
        // A buy 2 above the mark loses 2 per unit at once.
        let mut eager = Resting::default();
        eager.add(Side::Buy, num("1"), num("102"), num("100"), Some(num("102")));
        assert_eq!(order_margin(Notional::ZERO, &eager, 5), num("22.4"));
    }
}
