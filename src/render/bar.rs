//! A drift drawn as a bar: zero in the middle, full at the band.

use crate::domain::num::Rate;

/// The bar of `drift`, `2 × half + 1` characters wide: to the right what would be sold, to the left
/// what would be bought, each side full at its own band and with an arrow beyond it. Blank where
/// there is no drift or no band.
///
/// A buy side that can never trade is drawn at the scale of the sell side.
pub(crate) fn bar(
    drift: Option<Rate>,
    sell_band: Option<Rate>,
    buy_band: Option<Rate>,
    half: usize,
) -> String {
    let scale = |drift: Rate| if drift.is_negative() { buy_band.or(sell_band) } else { sell_band };
    let share = drift.and_then(|drift| drift.abs().over(scale(drift)?));
    let (Some(drift), Some(share)) = (drift, share) else {
        return " ".repeat(2 * half + 1);
    };
    let empty = "·".repeat(half);
    if drift.is_negative() {
        let filled: String = side(share, half, '▐', '◀').chars().rev().collect();
        format!("{filled}│{empty}")
    } else {
        format!("{empty}│{}", side(share, half, '▌', '▶'))
    }
}

/// The head of the bar's column: which way is which.
pub(crate) fn head(half: usize) -> String {
    format!("{:>half$}│{:<half$}", "buy", "sell")
}

/// One side from the middle outwards, in steps of half a character.
fn side(share: Rate, half: usize, half_block: char, beyond: char) -> String {
    let wanted = (share * Rate::from(2 * u32::try_from(half).unwrap_or(u32::MAX))).approx();
    let halves = (1..=2 * half).rev().find(|halves| *halves as f64 <= wanted + 0.5).unwrap_or(0);
    // Full is for those that reached the band; who is almost there shows a gap.
    let inside = share < Rate::ONE;
    let halves = if inside { halves.min(2 * half - 1) } else { 2 * half };
    let mut text = "█".repeat(halves / 2);
    if halves % 2 == 1 {
        text.push(half_block);
    }
    text.push_str(&"·".repeat(half - halves.div_ceil(2)));
    if share > Rate::ONE {
        text.pop();
        text.push(beyond);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_grows_from_the_middle_and_points_beyond_its_band() {
        let drawn = |drift: i64, buy: Option<i64>| {
            bar(Some(Rate::new(drift, 4)), Some(Rate::new(5, 2)), buy.map(|band| Rate::new(band, 2)), 4)
        };
        assert_eq!(drawn(0, Some(5)), "····│····");
        assert_eq!(drawn(250, Some(5)), "····│██··");
        assert_eq!(drawn(320, Some(5)), "····│██▌·");
        assert_eq!(drawn(499, Some(5)), "····│███▌");
        assert_eq!(drawn(500, Some(5)), "····│████");
        assert_eq!(drawn(501, Some(5)), "····│███▶");
        assert_eq!(drawn(-60, Some(5)), "···▐│····");
        assert_eq!(drawn(-1250, Some(25)), "··██│····");
        assert_eq!(drawn(-9000, Some(25)), "◀███│····");
        assert_eq!(drawn(-9000, None), "◀███│····");
        assert_eq!(bar(None, None, None, 4), "         ");
        assert_eq!(bar(Some(Rate::ONE), Some(Rate::ZERO), None, 4), "         ");
        assert_eq!(head(4), " buy│sell");
    }
}
