//! Exact decimals that know what they measure: a price cannot be added to a quantity.
//!
//! This is the only file that names the decimal crate. Products and sums saturate instead of
//! panicking; quotients return `None` for a zero divisor or an overflow, so that every caller
//! says what a missing figure means to it.

use std::fmt;
use std::iter::Sum;
use std::marker::PhantomData;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};
use std::str::FromStr;

use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What an [`Amount`] measures. Types without values.
pub mod kind {
    /// Quote units per base unit.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct PriceKind;
    /// Base units; signed where it is a position (short is negative).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct QtyKind;
    /// Quote units (USDT).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct NotionalKind;
    /// A fraction without unit: 0.05 is five per cent.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct RateKind;
}

/// An exact decimal of one kind.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount<K> {
    value: Decimal,
    kind: PhantomData<K>,
}

// Not derived: a derive would ask that the kind be copied too, and a kind has no values.
impl<K> Clone for Amount<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Amount<K> {}

/// Quote units per base unit.
pub type Price = Amount<kind::PriceKind>;
/// Base units; signed where it is a position.
pub type Qty = Amount<kind::QtyKind>;
/// Quote units, for example USDT.
pub type Notional = Amount<kind::NotionalKind>;
/// A fraction without unit: 0.05 is five per cent.
pub type Rate = Amount<kind::RateKind>;

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a plain decimal number: {0:?}")]
pub struct NotANumber(pub String);

/// The most digits accepted before and after the point.
const MAX_INTEGER_DIGITS: usize = 14;
/// Digits of which any count fits 64 bits.
const SAFE_DIGITS: usize = 18;
/// As many as a quotient can have, so that whatever is written here reads back.
const MAX_FRACTION_DIGITS: usize = 28;

/// 2^51: whole numbers below it are exact in an `f64`, and so are their halves.
const EXACT_UP_TO: f64 = 2_251_799_813_685_248.0;

/// Exact in an `f64`.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];
/// Whole numbers below this are exact in an `f64`: 2^53.
const MOST_WHOLE: f64 = 9_007_199_254_740_992.0;

impl<K> Amount<K> {
    /// Zero.
    pub const ZERO: Self = Self::wrap(Decimal::ZERO);
    /// One.
    pub const ONE: Self = Self::wrap(Decimal::ONE);

    const fn wrap(value: Decimal) -> Self {
        Self { value, kind: PhantomData }
    }

    /// `mantissa / 10^scale`: `new(5, 2)` is 0.05.
    #[must_use]
    pub fn new(mantissa: i64, scale: u32) -> Self {
        Self::wrap(Decimal::new(mantissa, scale))
    }

    /// Whether it is exactly zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.value.is_zero()
    }

    /// Whether it is above zero.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.value.is_sign_positive() && !self.value.is_zero()
    }

    /// Whether it is below zero.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.value.is_sign_negative() && !self.value.is_zero()
    }

    /// The absolute value.
    #[must_use]
    pub fn abs(self) -> Self {
        Self::wrap(self.value.abs())
    }

    /// Rounds toward zero to a multiple of `step`; unchanged where the step is zero (a filter
    /// that is off).
    #[must_use]
    pub fn floor_to(self, step: Self) -> Self {
        if step.value.is_zero() {
            return self;
        }
        Self::wrap((self.value - self.value % step.value).normalize())
    }

    /// Rounds away from zero to a multiple of `step`; unchanged where the step is zero.
    #[must_use]
    pub fn ceil_to(self, step: Self) -> Self {
        let floor = self.floor_to(step);
        if floor.value == self.value {
            return floor;
        }
        let step = Self::wrap(step.value.abs());
        if self.is_negative() { floor - step } else { floor + step }
    }

    /// Whether it is a whole multiple of `step` (always, where the step is zero).
    #[must_use]
    pub fn is_multiple_of(&self, step: Self) -> bool {
        step.value.is_zero() || (self.value % step.value).is_zero()
    }

    /// Rounded half away from zero to `digits` after the point, for people.
    #[must_use]
    pub fn rounded(self, digits: u32) -> Self {
        Self::wrap(self.value.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero))
    }

    /// Digits after the point that are not trailing zeros.
    #[must_use]
    pub fn decimals(&self) -> u32 {
        self.value.normalize().scale()
    }

    /// The nearest `f64`, for screens and charts only, never for an order.
    #[must_use]
    pub fn approx(&self) -> f64 {
        self.value.to_f64().unwrap_or(f64::NAN)
    }

    /// An `f64` at most 2⁻⁵² of it away, found quickly: for what is compared with a guard.
    #[must_use]
    pub fn nearly(&self) -> f64 {
        let mantissa = self.value.mantissa();
        let whole = i64::try_from(mantissa).map_or_else(|_| mantissa as f64, |small| small as f64);
        match POWERS_OF_TEN.get(self.value.scale() as usize) {
            Some(power) => whole / power,
            None => self.approx(),
        }
    }

    /// The decimal nearest to a finite `f64`, at `digits` after the point. A decimal of at most 15 digits, before
    /// and after the point together, comes back exactly from the `f64` nearest to it.
    #[must_use]
    pub fn from_approx(value: f64, digits: u32) -> Option<Self> {
        // The decimal crate rounds an `f64` to some 15 digits by a way of its own, and small ones to fewer.
        if let Some(power) = POWERS_OF_TEN.get(digits as usize) {
            let whole = (value * power).round();
            if whole.abs() < MOST_WHOLE && whole / power == value {
                return Some(Self::new(whole as i64, digits));
            }
        }
        Decimal::from_f64(value).map(|value| Self::wrap(value).rounded(digits))
    }

    /// The decimal of `digits` after the point that a finite `f64` was made from.
    #[must_use]
    pub fn read_back(value: f64, digits: u32) -> Option<Self> {
        let scaled = value * POWERS_OF_TEN.get(digits as usize).copied().unwrap_or(f64::NAN);
        // Up to here the product is off by less than a half, so that the whole number next to it is right.
        if scaled.abs() < EXACT_UP_TO {
            return Some(Self::new((scaled + 0.5_f64.copysign(scaled)) as i64, digits));
        }
        Self::from_approx(value, digits)
    }

    fn ratio_of<A, B>(over: Amount<A>, under: Amount<B>) -> Option<Self> {
        over.value.checked_div(under.value).map(Self::wrap)
    }
}

fn ten(power: u32) -> Option<u128> {
    10_u128.checked_pow(power)
}

impl<K> From<u32> for Amount<K> {
    fn from(value: u32) -> Self {
        Self::wrap(Decimal::from(value))
    }
}

impl Notional {
    /// How many base units this buys at `price`.
    #[must_use]
    pub fn over_price(self, price: Price) -> Option<Qty> {
        Qty::ratio_of(self, price)
    }

    /// How many whole steps of a quantity this buys at `price`, and what part of a step is left; `None` where
    /// something is negative, or too large to be counted.
    #[must_use]
    pub fn over_price_in_steps(self, price: Price, step: Qty) -> Option<(i64, f64)> {
        let whole = |value: Decimal| u128::try_from(value.mantissa()).ok();
        let (value, unit) = (whole(self.value)?, whole(price.value)?.checked_mul(whole(step.value)?)?);
        let (above, below) = (price.value.scale() + step.value.scale(), self.value.scale());
        let (value, unit) = if above >= below {
            (value.checked_mul(ten(above - below)?)?, unit)
        } else {
            (value, unit.checked_mul(ten(below - above)?)?)
        };
        let steps = i64::try_from(value.checked_div(unit)?).ok()?;
        Some((steps, (value % unit) as f64 / unit as f64))
    }

    /// The price at which `qty` base units are worth this.
    #[must_use]
    pub fn over_qty(self, qty: Qty) -> Option<Price> {
        Price::ratio_of(self, qty)
    }

    /// `self / other`.
    #[must_use]
    pub fn over(self, other: Notional) -> Option<Rate> {
        Rate::ratio_of(self, other)
    }

    /// `self / rate`: the margin under a notional at a leverage, an equal share of a whole.
    #[must_use]
    pub fn over_rate(self, rate: Rate) -> Option<Notional> {
        Notional::ratio_of(self, rate)
    }
}

impl Price {
    /// `self / other`.
    #[must_use]
    pub fn over(self, other: Price) -> Option<Rate> {
        Rate::ratio_of(self, other)
    }

    /// The price half way between two.
    #[must_use]
    pub fn mid(self, other: Price) -> Price {
        (self + other) * Rate::new(5, 1)
    }
}

impl Qty {
    /// How many steps it is; `None` where it is not a whole number of them, or negative.
    #[must_use]
    pub fn in_steps(self, step: Qty) -> Option<i64> {
        let (steps, part) = Notional::wrap(self.value).over_price_in_steps(Price::ONE, step)?;
        (part == 0.0).then_some(steps)
    }

    /// `self / other`.
    #[must_use]
    pub fn over(self, other: Qty) -> Option<Rate> {
        Rate::ratio_of(self, other)
    }
}

impl Rate {
    /// `self / other`.
    #[must_use]
    pub fn over(self, other: Rate) -> Option<Rate> {
        Rate::ratio_of(self, other)
    }

    /// As basis points: 0.0001 is 1.
    #[must_use]
    pub fn bps(self) -> Rate {
        self * Rate::from(10_000)
    }

    /// From basis points: 1 is 0.0001.
    #[must_use]
    pub fn from_bps(bps: Rate) -> Rate {
        bps * Rate::new(1, 4)
    }
}

impl<K> Add for Amount<K> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::wrap(self.value.saturating_add(other.value))
    }
}

impl<K> Sub for Amount<K> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::wrap(self.value.saturating_sub(other.value))
    }
}

impl<K> AddAssign for Amount<K> {
    fn add_assign(&mut self, other: Self) {
        self.value = self.value.saturating_add(other.value);
    }
}

impl<K> SubAssign for Amount<K> {
    fn sub_assign(&mut self, other: Self) {
        self.value = self.value.saturating_sub(other.value);
    }
}

impl<K> Neg for Amount<K> {
    type Output = Self;
    fn neg(self) -> Self {
        Self::wrap(-self.value)
    }
}

impl<K> Sum for Amount<K> {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

/// Any amount scaled by a rate keeps its kind; a rate times a rate is a rate.
impl<K> Mul<Rate> for Amount<K> {
    type Output = Amount<K>;
    fn mul(self, rate: Rate) -> Amount<K> {
        Amount::wrap(self.value.saturating_mul(rate.value))
    }
}

impl Mul<Price> for Qty {
    type Output = Notional;
    fn mul(self, price: Price) -> Notional {
        Notional::wrap(self.value.saturating_mul(price.value))
    }
}

impl<K> fmt::Display for Amount<K> {
    /// Plain digits, never an exponent. With a precision, rounded half away from zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = match f.precision() {
            Some(digits) => {
                let mut rounded = self.rounded(digits as u32).value;
                rounded.rescale(digits as u32);
                rounded
            }
            None => self.value.normalize(),
        };
        let digits = plain.abs().to_string();
        f.pad_integral(plain.is_zero() || plain.is_sign_positive(), "", &digits)
    }
}

impl<K> fmt::Debug for Amount<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K> FromStr for Amount<K> {
    type Err = NotANumber;

    /// Accepts `-?digits[.digits]` and nothing else: no exponent, no underscore, no sign `+`, no
    /// NaN, and at most 14 digits before and 28 after the point.
    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let refuse = || NotANumber(text.chars().take(40).collect());
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (integer, fraction) = match unsigned.split_once('.') {
            Some((integer, fraction)) if !fraction.is_empty() => (integer, fraction),
            Some(_) => return Err(refuse()),
            None => (unsigned, ""),
        };
        let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if integer.is_empty()
            || integer.len() > MAX_INTEGER_DIGITS
            || fraction.len() > MAX_FRACTION_DIGITS
            || !digits_only(integer)
            || !digits_only(fraction)
        {
            return Err(refuse());
        }
        // Trailing zeros carry nothing and would use up the mantissa of a large number.
        let fraction = fraction.trim_end_matches('0');
        if integer.len() + fraction.len() <= SAFE_DIGITS {
            let digits = integer.bytes().chain(fraction.bytes()).map(|digit| i64::from(digit - b'0'));
            let whole = digits.fold(0, |whole, digit| whole * 10 + digit);
            let whole = if text.starts_with('-') { -whole } else { whole };
            return Ok(Self::new(whole, fraction.len() as u32));
        }
        let plain = if fraction.is_empty() { integer.to_owned() } else { format!("{integer}.{fraction}") };
        let value = Decimal::from_str_exact(&plain).map_err(|_| refuse())?;
        Ok(Self::wrap(if text.starts_with('-') { -value } else { value }))
    }
}

impl<K> Serialize for Amount<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K> Deserialize<'de> for Amount<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<K>(PhantomData<K>);
        impl<K> serde::de::Visitor<'_> for Visitor<K> {
            type Value = Amount<K>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Amount<K>, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Amount<K>, E> {
                value.to_string().parse().map_err(E::custom)
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Amount<K>, E> {
                value.to_string().parse().map_err(E::custom)
            }
            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Amount<K>, E> {
                // Rust prints the shortest digits that read back as the same float, so a number
                // written as 0.05 in a file arrives as exactly 0.05.
                value.to_string().parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor(PhantomData))
    }
}

/// A large amount as people say it, to one decimal: `14.4 B`, `367.5 M`, `9.9 k`, `512`.
#[must_use]
pub fn show_large<K>(amount: Amount<K>) -> String {
    let (mut shown, mut name) = (amount.value, "");
    for next in [" k", " M", " B"] {
        // Rounded first, so that 999 999 is 1.0 M and not 1000.0 k.
        let digits = if name.is_empty() { 0 } else { 1 };
        if Amount::<K>::wrap(shown).rounded(digits).value.abs() < Decimal::ONE_THOUSAND {
            break;
        }
        (shown, name) = (shown / Decimal::ONE_THOUSAND, next);
    }
    let digits = if name.is_empty() { 0 } else { 1 };
    format!("{:.digits$}{name}", Amount::<K>::wrap(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qty(text: &str) -> Qty {
        text.parse().unwrap()
    }

    #[test]
    fn steps_are_counted_exactly() {
        let count = |value: &str, price: &str, step: &str| {
            let value: Notional = value.parse().unwrap();
            value.over_price_in_steps(price.parse().unwrap(), step.parse().unwrap())
        };
        assert_eq!(count("200", "0.3", "0.1"), Some((6666, 2.0 / 3.0)));
        assert_eq!(count("200", "0.25", "0.1"), Some((8000, 0.0)));
        assert_eq!(count("19.999999999999999999999999", "2", "0.000001"), Some((9_999_999, 1.0 - 1e-18)));
        assert_eq!(count("1", "7", "0.002"), Some((71, 3.0 / 7.0)));
        for none in
            [("-1", "1", "1"), ("1", "0", "1"), ("1", "1", "0"), ("99999999999999", "0.0000001", "0.0000001")]
        {
            assert_eq!(count(none.0, none.1, none.2), None);
        }
        let steps = |qty: &str, step: &str| qty.parse::<Qty>().unwrap().in_steps(step.parse().unwrap());
        assert_eq!(
            [steps("1.50", "0.1"), steps("0", "0.1"), steps("1.55", "0.1"), steps("-1", "1")],
            [Some(15), Some(0), None, None]
        );
    }

    #[test]
    fn only_plain_decimals_are_numbers() {
        for text in
            ["0", "-0", "1", "-1.5", "0.00000001", "60000000000", "99999999999999.00000000000000000000"]
        {
            assert!(text.parse::<Price>().is_ok(), "{text}");
        }
        for text in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "+1",
            "1e5",
            "NaN",
            "inf",
            "1_000",
            " 1",
            "0x1",
            "١",
            "999999999999999",
        ] {
            assert!(text.parse::<Price>().is_err(), "{text}");
        }
    }

    #[test]
    fn rounding_to_a_step_goes_toward_zero() {
        for (value, step, floor, ceil) in [
            ("1.2345", "0.001", "1.234", "1.235"),
            ("-1.2345", "0.001", "-1.234", "-1.235"),
            ("7", "5", "5", "10"),
            ("0.3", "0.1", "0.3", "0.3"),
            ("12.5", "0", "12.5", "12.5"),
        ] {
            assert_eq!(qty(value).floor_to(qty(step)), qty(floor));
            assert_eq!(qty(value).ceil_to(qty(step)), qty(ceil));
        }
    }

    #[test]
    fn display_is_plain_and_precision_rounds_half_away_from_zero() {
        assert_eq!(qty("0.00000010").to_string(), "0.0000001");
        assert_eq!(format!("{:.2}", qty("1.005")), "1.01");
        assert_eq!(format!("{:.2}", qty("-1.005")), "-1.01");
        assert_eq!(format!("{:+.1}", qty("2")), "+2.0");
        assert_eq!(format!("{:>6}", qty("1.5")), "   1.5");
        assert_eq!(qty("-0").to_string(), "0");
    }

    #[test]
    fn large_amounts_are_said_with_their_unit() {
        for (amount, shown) in [
            ("14391120000.5", "14.4 B"),
            ("367477100", "367.5 M"),
            ("950000000", "950.0 M"),
            ("999949", "999.9 k"),
            ("999950", "1.0 M"),
            ("999.4", "999"),
            ("999.5", "1.0 k"),
            ("-20000000", "-20.0 M"),
            ("512.4", "512"),
            ("0", "0"),
        ] {
            assert_eq!(show_large(qty(amount)), shown);
        }
    }

    #[test]
    fn what_was_written_to_a_float_reads_back() {
        for text in
            ["0", "1", "0.1", "-0.3", "12345.6789", "0.00000001", "9999999.99999999", "2.675", "60000000000"]
        {
            let amount = qty(text);
            assert_eq!(Qty::read_back(amount.approx(), amount.decimals()), Some(amount), "{text}");
            assert!(
                (amount.nearly() / text.parse::<f64>().unwrap() - 1.0).abs() <= f64::EPSILON
                    || amount.is_zero()
            );
        }
        assert_eq!(Qty::read_back(f64::NAN, 2), None);
        assert_eq!(Qty::read_back(1e14, 3), Some(qty("99999999999999") + Qty::ONE));
    }

    #[test]
    fn products_saturate_and_quotients_refuse_zero() {
        let big: Qty = qty("99999999999999");
        let price: Price = "99999999999999".parse().unwrap();
        let notional = big * price;
        assert!((notional * Rate::from(u32::MAX) * Rate::from(u32::MAX)).is_positive());
        assert_eq!(Notional::ONE.over_price(Price::ZERO), None);
    }

    #[test]
    fn whatever_is_written_reads_back() {
        for (over, under) in [("1", "3"), ("40.0200001", "1962"), ("99999999999", "7")] {
            let over: Notional = over.parse().unwrap();
            let price = over.over_qty(qty(under)).unwrap();
            assert_eq!(price.to_string().parse::<Price>().unwrap(), price);
        }
    }

    #[test]
    fn json_reads_strings_and_numbers_and_writes_strings() {
        let read: Vec<Rate> = serde_json::from_str(r#"["0.05", 0.05, 3, -2]"#).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"["0.05","0.05","3","-2"]"#);
    }
}
