//! Profit and drawdown apart from deposits and withdrawals.
//!
//! Equity is divided into units, as a fund does it. A transfer creates or redeems units at the net
//! asset value before it, so it moves neither the value of a unit nor its peak.

use crate::domain::num::{Notional, Rate};

/// Newton's method doubles the good digits in each round; this is more than money has.
const ROUNDS: usize = 60;

/// A deposit (positive) or withdrawal between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Quote units.
    pub amount: Notional,
    /// When, as a fraction of the time between the two readings: 0 just after the first, 1 just
    /// before the second.
    pub elapsed: Rate,
    /// What the account was worth just before it, where that is known: by the prices at the beginning of its minute,
    /// and by those at its end.
    pub before: Option<[Notional; 2]>,
}

/// Equity seen through units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nav {
    /// Units outstanding.
    pub units: Rate,
    /// Quote units per unit.
    pub nav: Notional,
    /// Highest `nav` so far.
    pub peak: Notional,
}

impl Nav {
    /// The first reading: as many units as there is equity, so that one is worth 1.
    #[must_use]
    pub fn first(equity: Notional) -> Nav {
        let units = equity.over(Notional::ONE).unwrap_or_default();
        Nav { units, nav: Notional::ONE, peak: Notional::ONE }
    }

    /// The reading now: equity is `equity` after `transfers` since this one. An account that was
    /// emptied starts anew.
    ///
    /// A transfer trades units at the net asset value just before it. Where that is known, but for the minute in
    /// which it happened, the value nearer to this one counts: what a minute leaves open is no loss to
    /// sell everything for, and no gain to measure the next loss from. Otherwise it is taken from the straight line
    /// between this reading and the new one, at the transfer's time.
    #[must_use]
    pub fn next(&self, equity: Notional, transfers: &[Transfer]) -> Nav {
        let moved: Notional = transfers.iter().map(|transfer| transfer.amount).sum();
        if !equity.is_positive() || !self.units.is_positive() {
            let emptied = !self.units.is_positive() || (equity - moved).is_positive();
            return if emptied { Nav::first(equity) } else { Nav { nav: Notional::ZERO, ..*self } };
        }
        // Units that were worth nothing have no part in what is there now.
        if !self.nav.is_positive() {
            return Nav::first(equity);
        }
        if let Some(nav) = self.traded(equity, transfers) {
            let units = equity.over(nav).unwrap_or_default();
            return Nav { units, nav, peak: self.peak.max(nav) };
        }
        let size: Notional = transfers.iter().map(|transfer| transfer.amount.abs()).sum();
        let weighted: Notional =
            transfers.iter().map(|transfer| transfer.amount.abs() * transfer.elapsed).sum();
        let elapsed = weighted.over(size).unwrap_or_default();
        let nav = self.value(equity, moved, elapsed);
        // All was lost before the money that is there came in; a quotient of dust is no number of units.
        if nav <= self.nav * Rate::new(1, 6) {
            return Nav { nav: Notional::ZERO, ..*self };
        }
        let units = equity.over(nav).unwrap_or_default();
        Nav { units, nav, peak: self.peak.max(nav) }
    }

    /// The value of a unit where every transfer's own is known; `None` where units would be without value, or none left.
    fn traded(&self, equity: Notional, transfers: &[Transfer]) -> Option<Notional> {
        let least = self.nav * Rate::new(1, 6);
        let by = |prices: usize| {
            let mut units = self.units;
            for transfer in transfers {
                let before = transfer.before.and_then(|before| before.get(prices).copied())?;
                let nav = before.over_rate(units).filter(|nav| *nav > least)?;
                units += transfer.amount.over(nav)?;
                if units <= Rate::new(1, 6) * self.units {
                    return None;
                }
            }
            equity.over_rate(units).filter(|nav| *nav > least)
        };
        let far = |nav: &Notional| (*nav - self.nav).abs();
        let (first, last) = (by(0)?, by(1)?);
        (!transfers.is_empty()).then(|| if far(&first) <= far(&last) { first } else { last })
    }

    /// The value `n` of a unit once `moved` came in at the fraction `f` of the way from this reading's
    /// value `n₀` to it: `n · (u + moved / (n₀ + f·(n − n₀))) = equity`, which is the positive root of
    /// `u·f·n² + (u·a + moved − equity·f)·n − equity·a` with `a = n₀·(1 − f)`.
    fn value(&self, equity: Notional, moved: Notional, f: Rate) -> Notional {
        let a = self.nav * (Rate::ONE - f);
        let square = self.units * f;
        let linear = a * self.units + moved - equity * f;
        let fixed = equity * plain(a);
        let mut value = (equity - moved).over_rate(self.units).unwrap_or_default().max(self.nav);
        for _ in 0..ROUNDS {
            let slope = value * square * Rate::from(2) + linear;
            if !slope.is_positive() {
                // Left of the parabola's lowest point: the positive root lies to the right.
                value = value * Rate::from(2);
                continue;
            }
            let height = value * square * plain(value) + linear * plain(value) - fixed;
            value = (value - height.over(slope).map_or(Notional::ZERO, |step| Notional::ONE * step))
                .max(Notional::ZERO);
        }
        value
    }

    /// `1 − nav / peak`.
    #[must_use]
    pub fn drawdown(&self) -> Rate {
        let kept = self.nav.over(self.peak).unwrap_or(Rate::ONE);
        Rate::ONE - kept
    }
}

/// An amount as a number without unit.
fn plain(amount: Notional) -> Rate {
    amount.over(Notional::ONE).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(value: i64) -> Notional {
        Notional::new(value, 0)
    }

    fn at(elapsed: i64, amount: i64) -> [Transfer; 1] {
        [Transfer { amount: money(amount), elapsed: Rate::new(elapsed, 2), before: None }]
    }

    #[test]
    fn profit_moves_the_unit_and_a_transfer_does_not() {
        let start = Nav::first(money(200));
        let up = start.next(money(250), &[]);
        assert_eq!((up.nav, up.drawdown()), (Notional::new(125, 2), Rate::ZERO));
        let withdrawn = up.next(money(150), &at(50, -100));
        assert_eq!((withdrawn.nav, withdrawn.drawdown()), (Notional::new(125, 2), Rate::ZERO));
        let lost = withdrawn.next(money(120), &[]);
        assert_eq!(lost.drawdown(), Rate::new(2, 1));
        let deposited = lost.next(money(1120), &at(50, 1000));
        assert_eq!(deposited.drawdown().rounded(9), Rate::new(2, 1));
    }

    /// Worked by hand, from 200 at a value of 1.
    #[test]
    fn a_transfer_trades_at_the_value_just_before_it() {
        let start = Nav::first(money(200));
        for (equity, elapsed, amount, nav) in [
            // A fall to 120, then 100 come in: still 0.6.
            (220, 100, 100, "0.6"),
            // 100 leave, then what is left falls to 60: 0.6.
            (60, 0, -100, "0.6"),
            // A withdrawal of 35 % alone, at any time; one of 95 %; a deposit of ten times as much.
            (130, 30, -70, "1"),
            (130, 100, -70, "1"),
            (10, 50, -190, "1"),
            (2200, 50, 2000, "1"),
            // Half way down to 0.8 (at 0.9) 90 leave: 100 units stay, worth 80.
            (80, 50, -90, "0.8"),
        ] {
            let next = start.next(money(equity), &at(elapsed, amount));
            assert_eq!(next.nav.rounded(9).to_string(), nav, "{equity} {elapsed} {amount}");
        }
    }

    /// Worked by hand, from 500 at a value of 1: what it was worth before the transfer by the prices at both ends of
    /// its minute, the transfer, the equity now, and the value of a unit.
    #[test]
    fn a_transfer_trades_at_the_value_that_is_known() {
        let start = Nav::first(money(500));
        for (before, amount, equity, nav) in [
            // 300 come in at 1, then 800 fall to 650.
            ([500, 500], 300, 650, "0.8125"),
            // A fall to 350 at 0.7, then 300 come in.
            ([350, 350], 300, 650, "0.7"),
            // All of it within one minute: the milder of both.
            ([500, 350], 300, 650, "0.8125"),
            ([350, 500], 300, 650, "0.8125"),
            // A rise to 550 and then 300; 300 and then a rise by 50; which of them is not known.
            ([550, 550], 300, 850, "1.1"),
            ([500, 500], 300, 850, "1.0625"),
            ([500, 550], 300, 850, "1.0625"),
            // 300 leave a rising account, and what is left goes on to rise, or fell before it left.
            ([500, 500], -300, 300, "1.5"),
            ([600, 600], -300, 300, "1.2"),
            ([500, 500], -300, 100, "0.5"),
            ([400, 400], -300, 100, "0.8"),
        ] {
            let before = Some(before.map(money));
            let transfer = Transfer { amount: money(amount), elapsed: Rate::ONE, before };
            let next = start.next(money(equity), &[transfer]);
            assert_eq!(next.nav.rounded(9).to_string(), nav, "{transfer:?}");
            assert_eq!(
                (next.units * next.nav.over(Notional::ONE).unwrap()).rounded(9),
                Rate::from(equity as u32)
            );
        }
        // 100 come at 1, then 60 leave at 0.9 (540): 600 units less 66.67, worth 480 = 0.9.
        let two = [(100, 500), (-60, 540)].map(|(amount, before)| Transfer {
            amount: money(amount),
            elapsed: Rate::ONE,
            before: Some([money(before); 2]),
        });
        assert_eq!(start.next(money(480), &two).nav.rounded(9).to_string(), "0.9");
        // One of them that is not known leaves all to the assumption.
        let assumed = [two[0], Transfer { before: None, ..two[1] }];
        assert_eq!(start.next(money(480), &assumed).nav.rounded(9).to_string(), "0.88");
    }

    #[test]
    fn an_emptied_account_starts_anew() {
        let start = Nav::first(money(200)).next(money(100), &[]);
        let emptied = start.next(Notional::ZERO, &at(100, -100));
        let refilled = emptied.next(money(50), &at(100, 50));
        assert_eq!(refilled.drawdown(), Rate::ZERO);
    }

    #[test]
    fn units_that_were_worth_nothing_have_no_part_in_what_comes() {
        let lost = Nav::first(money(200)).next(Notional::ZERO, &[]);
        for transfers in [&[][..], &at(50, 6)] {
            assert_eq!(lost.next(money(6), transfers), Nav::first(money(6)));
        }
    }

    #[test]
    fn a_deposit_after_the_loss_of_everything_does_not_hide_it() {
        let lost = Nav::first(money(200)).next(money(530), &at(100, 530));
        assert_eq!((lost.drawdown(), lost.units), (Rate::ONE, Rate::from(200)));
        assert_eq!(lost.next(money(530), &[]), Nav::first(money(530)));
    }

    #[test]
    fn an_account_that_lost_everything_is_down_by_all_of_it() {
        let lost = Nav::first(money(200)).next(Notional::ZERO, &[]);
        assert_eq!(lost.drawdown(), Rate::ONE);
    }
}
