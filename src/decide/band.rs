//! What the exchange's smallest order makes of a target and its band.

use crate::domain::num::{Notional, Rate};

/// A band around a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// Half its width, relative to the target.
    pub threshold: Rate,
    /// How much of it a trade leaves open, relative to the target; zero where it ends at the target.
    pub ends_at: Rate,
}

impl Band {
    /// How far below `target` a coin must fall before it can be bought back, where the smallest order
    /// that opens is worth `least`: the threshold, or more. `None` where it never can.
    #[must_use]
    pub fn buy(&self, least: Notional, target: Notional) -> Option<Rate> {
        let needed = least.over(target)? + self.ends_at;
        // A threshold that is a quotient has more digits than are told: rounded, it would be another.
        let band =
            if needed > self.threshold { self.threshold.max(needed.rounded(4)) } else { self.threshold };
        (band < Rate::ONE).then_some(band)
    }

    /// The smallest target, in whole units of the quote, with which buying begins where selling does.
    #[must_use]
    pub fn symmetric(&self, least: Notional) -> Option<Notional> {
        Some(least.over_rate(self.threshold - self.ends_at)?.ceil_to(Notional::ONE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_at_five_per_cent_buys_back_at_minus_25_and_100_would_be_symmetric() {
        let band = Band { threshold: Rate::new(5, 2), ends_at: Rate::ZERO };
        let five = Notional::from(5);
        assert_eq!(band.buy(five, Notional::from(20)), Some(Rate::new(25, 2)));
        assert_eq!(band.symmetric(five), Some(Notional::from(100)));
        assert_eq!(band.buy(five, Notional::from(100)), Some(Rate::new(5, 2)));
        assert_eq!(band.buy(five, Notional::from(5)), None);
        // 2 points of the portfolio for a coin that is 30 % of it: 0.0666… both ways.
        let points = Band { threshold: Rate::new(2, 2).over(Rate::new(3, 1)).unwrap(), ..band };
        assert_eq!(points.buy(five, Notional::from(300)), Some(points.threshold));
        assert_eq!(points.buy(five, Notional::from(50)), Some(Rate::new(1, 1)));
        // A trade that ends at the edge of the band leaves nothing to buy.
        let edge = Band { ends_at: Rate::new(5, 2), ..band };
        assert_eq!(edge.buy(five, Notional::from(100)), Some(Rate::new(1, 1)));
        assert_eq!(edge.symmetric(five), None);
    }
}
