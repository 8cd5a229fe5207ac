//! Numbers: doubles, and exact decimals where a double would lose digits. Both compare exactly;
//! only arithmetic turns an exact number into a double.
//!
//! A double means the shortest decimal that reads back as it, as it is printed; from 2^53 on, where
//! every double is whole, its own value. So each double is one decimal number, and an [`Exact`] is
//! never equal to any double.

use std::{
    cmp::Ordering,
    fmt::{self, Write as _},
};

use rust_decimal::{Decimal, RoundingStrategy};

/// Significant digits that any double carries without loss.
const DOUBLE_DIGITS_MAX: usize = 15;
/// Doubles from here on are whole: 2^53.
const WHOLE: f64 = 9_007_199_254_740_992.0;
/// Digits to which `round` rounds, at most, before and behind the point.
pub(crate) const ROUND_DIGITS_MAX: i32 = 15;

/// A decimal number that no double is: up to 28 significant digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exact(Decimal);

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A finite double.
    Double(f64),
    /// A decimal that no double is.
    Exact(Exact),
}

impl Number {
    /// A decimal as text, such as `19.90` or `-7`; none for what is no number, infinite, or has an
    /// exponent and more than 15 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let double = text.parse::<f64>().ok().filter(|double| double.is_finite())?;
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        if digits <= DOUBLE_DIGITS_MAX {
            return Some(Self::Double(double));
        }
        let exact = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text));
        Some(exact.map_or(Self::Double(double), |exact| Self::of(exact, double)))
    }

    /// A whole number.
    pub fn whole(number: i64) -> Self {
        let double = number as f64;
        if double.abs() < WHOLE || double as i128 == i128::from(number) {
            Self::Double(double)
        } else {
            Self::Exact(Exact(Decimal::from(number)))
        }
    }

    /// A decimal, of which `double` is the nearest double.
    fn of(exact: Decimal, double: f64) -> Self {
        if decimal(double) == Some(exact) {
            Self::Double(double)
        } else {
            Self::Exact(Exact(exact.normalize()))
        }
    }

    fn of_decimal(exact: Decimal) -> Self {
        Self::of(exact, nearest(exact))
    }

    /// The nearest double.
    #[inline]
    pub fn to_double(self) -> f64 {
        match self {
            Self::Double(double) => double,
            Self::Exact(exact) => exact.to_double(),
        }
    }

    /// The whole number it is, when it is one of 64 bits.
    pub fn to_whole(self) -> Option<i64> {
        match self {
            Self::Double(double) if double.fract() == 0.0 => i64::try_from(double as i128).ok(),
            Self::Double(_) => None,
            Self::Exact(Exact(exact)) => {
                exact.fract().is_zero().then(|| i64::try_from(exact.trunc()).ok()).flatten()
            }
        }
    }

    pub(crate) fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(&b),
            (Self::Exact(a), Self::Exact(b)) => Some(a.0.cmp(&b.0)),
            (Self::Exact(a), Self::Double(b)) => a.order(b),
            (Self::Double(a), Self::Exact(b)) => b.order(a).map(Ordering::reverse),
        }
    }

    /// This number when `keeps` says so of its order to the other, else the other; doubles are
    /// picked by `pick`.
    pub(crate) fn pick(
        self,
        other: Self,
        pick: fn(f64, f64) -> f64,
        keeps: fn(Ordering) -> bool,
    ) -> Self {
        match (self, other) {
            (Self::Double(a), Self::Double(b)) => Self::Double(pick(a, b)),
            _ if self.order(other).is_some_and(keeps) => self,
            _ => other,
        }
    }

    /// The nearest number between two bounds; none when they are reversed.
    pub(crate) fn clamp(self, low: Self, high: Self) -> Option<Self> {
        if low.order(high)?.is_gt() {
            return None;
        }
        Some(match (self.order(low)?, self.order(high)?) {
            (Ordering::Less, _) => low,
            (_, Ordering::Greater) => high,
            _ => self,
        })
    }

    pub(crate) fn negated(self) -> Self {
        match self {
            // Adding zero turns -0 into 0.
            Self::Double(double) => Self::Double(-double + 0.0),
            Self::Exact(exact) => Self::Exact(Exact(-exact.0)),
        }
    }

    pub(crate) fn abs(self) -> Self {
        match self {
            Self::Double(double) => Self::Double(double.abs()),
            Self::Exact(exact) => Self::Exact(Exact(exact.0.abs())),
        }
    }

    pub(crate) fn floor(self) -> Self {
        match self {
            Self::Double(double) => Self::Double(double.floor()),
            Self::Exact(exact) => Self::of_decimal(exact.0.floor()),
        }
    }

    pub(crate) fn ceil(self) -> Self {
        match self {
            Self::Double(double) => Self::Double(double.ceil()),
            Self::Exact(exact) => Self::of_decimal(exact.0.ceil()),
        }
    }

    /// Rounded to a whole number, halves away from zero.
    pub(crate) fn round(self) -> Self {
        match self {
            // Adding zero turns -0 into 0.
            Self::Double(double) => Self::Double(double.round() + 0.0),
            Self::Exact(exact) => exact.rounded(0),
        }
    }

    /// Rounded to so many decimals, halves away from zero, as the decimal is written: 1.005 is
    /// 1.01 to two of them. None for a number of digits that is not whole or beyond 15.
    pub(crate) fn round_to(self, digits: Self) -> Option<Self> {
        let digits = digits.to_whole().and_then(|digits| i32::try_from(digits).ok())?;
        if digits.abs() > ROUND_DIGITS_MAX {
            return None;
        }
        Some(match self {
            Self::Double(double) => Self::Double(rounded(double, digits)),
            Self::Exact(exact) => exact.rounded(digits),
        })
    }
}

impl Exact {
    /// The nearest double.
    pub fn to_double(self) -> f64 {
        nearest(self.0)
    }

    /// The order relative to a double, never equal.
    fn order(self, double: f64) -> Option<Ordering> {
        let order = self.to_double().partial_cmp(&double)?;
        if order.is_ne() {
            return Some(order);
        }
        // INVARIANT: the shortest decimal of a double has no more digits than any other that reads
        // as it, so it is a `Decimal` as well.
        Some(decimal(double).map_or(Ordering::Equal, |other| self.0.cmp(&other)))
    }

    fn rounded(self, digits: i32) -> Number {
        match u32::try_from(digits) {
            Ok(digits) => Number::of_decimal(
                self.0.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero),
            ),
            Err(_) => {
                let scale = Decimal::from(10_i64.pow(digits.unsigned_abs()));
                let half = scale / Decimal::TWO;
                let rest = self.0 % scale;
                let low = self.0 - rest;
                let step = if rest.abs() >= half { scale } else { Decimal::ZERO };
                let step = if self.0.is_sign_negative() { -step } else { step };
                low.checked_add(step)
                    .map_or_else(|| Number::Double(self.to_double()), Number::of_decimal)
            }
        }
    }

    /// Its sign, scale and digits.
    pub(crate) fn parts(self) -> (bool, u32, u128) {
        (self.0.is_sign_negative(), self.0.scale(), self.0.mantissa().unsigned_abs())
    }

    /// Put together from its parts.
    pub(crate) fn from_parts(is_negative: bool, scale: u32, digits: u128) -> Self {
        let digits = i128::try_from(digits).unwrap_or_default();
        let digits = if is_negative { -digits } else { digits };
        // INVARIANT: the parts are those of a decimal.
        Self(Decimal::try_from_i128_with_scale(digits, scale).unwrap_or_default())
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The digits that a double of this size has, not the shortest that read back as it.
            Self::Double(double) if is_whole_decimal(*double) => write!(f, "{}", *double as i128),
            Self::Double(double) => write!(f, "{double}"),
            Self::Exact(exact) => write!(f, "{exact}"),
        }
    }
}

/// True for a double whose own value is a whole decimal of at most 28 digits.
fn is_whole_decimal(double: f64) -> bool {
    (WHOLE..1e28).contains(&double.abs())
}

/// The decimal that a double means; none beyond what a decimal can be.
fn decimal(double: f64) -> Option<Decimal> {
    if is_whole_decimal(double) {
        return Decimal::try_from_i128_with_scale(double as i128, 0).ok();
    }
    let mut text = Short::default();
    write!(text, "{double:e}").ok()?;
    let (mantissa, exponent) = text.as_str().split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let whole_digits = mantissa.find('.').unwrap_or(mantissa.len());
    let decimals = i32::try_from(mantissa.len().saturating_sub(whole_digits + 1)).ok()?;
    let digits: i128 =
        mantissa.bytes().filter(u8::is_ascii_digit).try_fold(0_i128, |all, digit| {
            all.checked_mul(10)?.checked_add(i128::from(digit - b'0'))
        })?;
    let digits = if double.is_sign_negative() { -digits } else { digits };
    let scale = decimals - exponent;
    match u32::try_from(scale) {
        Ok(scale) => Decimal::try_from_i128_with_scale(digits, scale).ok(),
        Err(_) => {
            let zeros = 10_i128.checked_pow(scale.unsigned_abs())?;
            Decimal::try_from_i128_with_scale(digits.checked_mul(zeros)?, 0).ok()
        }
    }
}

/// The double nearest to a decimal.
fn nearest(exact: Decimal) -> f64 {
    let mut text = Short::default();
    // INVARIANT: a decimal has at most 31 characters, and each is a double.
    let written = write!(text, "{exact}").ok();
    written.and_then(|()| text.as_str().parse().ok()).unwrap_or_default()
}

/// A double rounded to so many decimals, halves of the decimal it means away from zero.
fn rounded(double: f64, digits: i32) -> f64 {
    // INVARIANT: at most `ROUND_DIGITS_MAX` digits, so the power is exact.
    let power = 10_i64.pow(digits.unsigned_abs()) as f64;
    let scaled = if digits >= 0 { double * power } else { double / power };
    let size = scaled.abs();
    // Away from a half the rounding of the product decides nothing.
    if size < WHOLE / 4.0 && (size.fract() - 0.5).abs() > size * (4.0 * f64::EPSILON) {
        let whole = scaled.round();
        return if digits >= 0 { whole / power + 0.0 } else { whole * power + 0.0 };
    }
    rounded_as_written(double, digits).unwrap_or(double) + 0.0
}

/// The same digit by digit.
fn rounded_as_written(double: f64, digits: i32) -> Option<f64> {
    let mut text = Short::default();
    write!(text, "{double:e}").ok()?;
    let (mantissa, exponent) = text.as_str().split_once('e')?;
    let whole_digits = mantissa.find('.').unwrap_or(mantissa.len());
    let decimals = i32::try_from(mantissa.len().saturating_sub(whole_digits + 1)).ok()?;
    let number = mantissa
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0_u128, |all, digit| all * 10 + u128::from(digit - b'0'));
    let cut = decimals - exponent.parse::<i32>().ok()? - digits;
    let Some(cut) = u32::try_from(cut).ok().filter(|cut| *cut > 0) else { return Some(double) };
    let Some(unit) = 10_u128.checked_pow(cut) else { return Some(0.0) };
    let whole = number / unit + u128::from(number % unit >= unit / 2);
    let sign = if double < 0.0 { "-" } else { "" };
    let mut text = Short::default();
    write!(text, "{sign}{whole}e{}", -digits).ok()?;
    text.as_str().parse().ok()
}

/// A short text without allocation.
struct Short {
    bytes: [u8; 48],
    length: usize,
}

impl Default for Short {
    fn default() -> Self {
        Self { bytes: [0; 48], length: 0 }
    }
}

impl Short {
    fn as_str(&self) -> &str {
        // INVARIANT: only whole strings are written.
        std::str::from_utf8(self.bytes.get(..self.length).unwrap_or_default()).unwrap_or_default()
    }
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn numbers_compare_by_every_digit() {
        // Ascending.
        let all = [
            "-9007199254740993",
            "-9007199254740992",
            "-1",
            "0",
            "0.0999999999999999999999999999",
            "0.1",
            "0.1000000000000000000000000001",
            "0.1000000000000000055511151231",
            "1.005",
            "1.0050000000000000001",
            "1234567890.1234567",
            "1234567890.12345671",
            "9007199254740991",
            "9007199254740992",
            "9007199254740993",
            "9007199254740994",
            "1152921504606846975",
            "1152921504606846976",
            "1152921504606846977",
            "9223372036854775807",
            "9223372036854775808",
            "1234567890123456789012345678",
            "1e300",
        ];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert_eq!(number(a).order(number(b)), Some(i.cmp(&j)), "{a} {b}");
            }
        }
    }

    #[test]
    fn a_number_has_one_form_however_it_is_written() {
        for (one, other) in [
            ("0.1000000000000000000", "0.1"),
            ("100.00000000000000000000", "100"),
            ("9007199254740993.000", "9007199254740993"),
            ("1.2345678901234567890e19", "12345678901234567890"),
        ] {
            assert_eq!(number(one), number(other), "{one} {other}");
        }
        assert_eq!(Number::whole(9_007_199_254_740_993), number("9007199254740993"));
        assert_eq!(Number::whole(i64::MIN), number("-9223372036854775808"));
        assert_eq!(number("9007199254740993").to_whole(), Some(9_007_199_254_740_993));
        assert_eq!(number("9007199254740993.5").to_whole(), None);
        assert_eq!(Number::Double(1e20).to_whole(), None);
        assert_eq!(number("1152921504606846976").to_string(), "1152921504606846976");
        for none in ["", "x", "NaN", "inf", "1e999"] {
            assert_eq!(Number::parse(none), None, "{none}");
        }
    }

    #[test]
    fn rounding_goes_by_the_decimal_that_is_written() {
        let check = |text: &str, digits: i64, expected: &str| {
            let rounded = number(text).round_to(Number::whole(digits)).unwrap();
            assert_eq!(rounded.to_string(), expected, "{text} {digits}");
            let negative = number(text).negated().round_to(Number::whole(digits)).unwrap();
            assert_eq!(negative, rounded.negated(), "{text} {digits}");
        };
        check("1.005", 2, "1.01");
        check("2.675", 2, "2.68");
        check("8.575", 2, "8.58");
        check("0.615", 2, "0.62");
        check("1.255", 2, "1.26");
        check("1.0049999999999999", 2, "1");
        check("1.0049999999999999999", 2, "1");
        check("1.00500000000000000001", 2, "1.01");
        check("0.5", 0, "1");
        check("15", -1, "20");
        check("14.999999999999998", -1, "10");
        check("1250", -2, "1300");
        check("9007199254740993", 0, "9007199254740993");
        check("9007199254740993", -1, "9007199254740990");
        check("9007199254740995", -1, "9007199254741000");
        check("0.000000000000000499", 15, "0");
        check("0.0000000000000005", 15, "0.000000000000001");
        check("1e-300", 15, "0");
        check("4503599627370495.5", 0, "4503599627370496");
        assert_eq!(number("1").round_to(Number::whole(16)), None);
        assert_eq!(number("1").round_to(number("0.5")), None);
    }

    proptest! {
        /// The quick way and the one digit by digit come to the same.
        #[test]
        fn both_ways_of_rounding_agree(double in -1e9..1e9_f64, digits in -6..=12_i32) {
            let slow = rounded_as_written(double, digits).unwrap() + 0.0;
            let quick = rounded(double, digits);
            prop_assert_eq!(quick.to_bits(), slow.to_bits(), "{} {}", double, digits);
        }

        #[test]
        fn halves_of_prices_round_away_from_zero(cents in 0..10_000_000_u64) {
            let price = format!("{}.{:02}5", cents / 100, cents % 100);
            let up = cents + 1;
            let expected: f64 = format!("{}.{:02}", up / 100, up % 100).parse().unwrap();
            let found = number(&price).round_to(Number::whole(2)).unwrap();
            prop_assert_eq!(found, Number::Double(expected));
        }

        /// The order of two decimals is that of their digits, whichever of them are doubles.
        #[test]
        fn decimals_compare_as_decimals(
            a in "-?[0-9]{1,12}(\\.[0-9]{1,16})?",
            b in "-?[0-9]{1,12}(\\.[0-9]{1,16})?",
        ) {
            let exact = |text: &str| Decimal::from_str_exact(text).unwrap();
            prop_assert_eq!(number(&a).order(number(&b)), Some(exact(&a).cmp(&exact(&b))));
        }

        #[test]
        fn what_a_decimal_reads_as_is_what_it_prints(
            text in "-?[1-9][0-9]{0,13}\\.[0-9]{0,13}[1-9]",
        ) {
            prop_assert_eq!(number(&text).to_string(), text);
        }
    }
}
