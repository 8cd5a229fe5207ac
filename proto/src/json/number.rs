//! Numbers as JSON text. Integers and decimals never pass through a double.

use std::borrow::Cow;

/// Significant digits of an exact decimal.
pub const DECIMAL_DIGITS_MAX: usize = 28;
/// Significant digits up to which a decimal of a record is printed as a JSON number: any reader's
/// double keeps them.
pub const NUMBER_DIGITS_MAX: usize = 15;
/// Exponents beyond this are not written out.
const EXPONENT_MAX: i64 = 64;

/// A number taken apart: (-1)^is_negative × digits × 10^-scale.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

/// Takes a number of JSON's grammar apart; anything else gives nothing.
fn parts(text: &str) -> Option<Parts<'_>> {
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
        Some(_) => return None,
        None => (mantissa, ""),
    };
    let has_needless_zero = whole.len() > 1 && whole.starts_with('0');
    (is_digits(whole) && !has_needless_zero).then_some(Parts {
        is_negative,
        whole,
        fraction,
        exponent,
    })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn read_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !is_digits(digits) {
        return None;
    }
    let size: i64 = digits.parse().unwrap_or(i64::MAX);
    Some(if text.starts_with('-') { -size } else { size })
}

/// The whole number that a text means, when it is one: `5`, `5.0` and `5e0` are five.
pub fn whole(text: &str) -> Option<i128> {
    let parts = parts(text)?;
    let fraction = parts.fraction.trim_end_matches('0');
    let digits = format!("{}{fraction}", parts.whole);
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    let shift = parts.exponent.saturating_sub(i64::try_from(fraction.len()).ok()?);
    let magnitude: i128 = if shift >= 0 {
        let factor = 10_i128.checked_pow(u32::try_from(shift).ok()?)?;
        digits.parse::<i128>().ok()?.checked_mul(factor)?
    } else {
        // The number is whole only if the digits behind the point are zeros of the whole part:
        // `50e-1`.
        let behind = usize::try_from(shift.unsigned_abs()).ok()?;
        let cut = digits.len().checked_sub(behind)?;
        let (ahead, rest) = digits.split_at_checked(cut)?;
        if rest.bytes().any(|digit| digit != b'0') {
            return None;
        }
        ahead.parse().ok()?
    };
    Some(if parts.is_negative { -magnitude } else { magnitude })
}

/// The text of an exact decimal: as written when it is plain, written out when it has an exponent.
/// Nothing when it has more than 28 digits before or after the point.
pub fn decimal(text: &str) -> Option<Cow<'_, str>> {
    let parts = parts(text)?;
    let plain = if parts.exponent == 0 && !text.contains(['e', 'E']) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(written_out(&parts)?)
    };
    let fraction = plain.split_once('.').map_or("", |(_, fraction)| fraction);
    (significant_digits(&plain) <= DECIMAL_DIGITS_MAX && fraction.len() <= DECIMAL_DIGITS_MAX)
        .then_some(plain)
}

fn written_out(parts: &Parts<'_>) -> Option<String> {
    if parts.exponent.abs() > EXPONENT_MAX {
        return None;
    }
    let shift = usize::try_from(parts.exponent.unsigned_abs()).ok()?;
    let zeros = "0".repeat(shift);
    let (whole, fraction) = if parts.exponent >= 0 {
        let padded = format!("{}{zeros}", parts.fraction);
        let (moved, rest) = padded.split_at_checked(shift)?;
        (format!("{}{moved}", parts.whole), rest.trim_end_matches('0').to_owned())
    } else {
        let padded = format!("{zeros}{}", parts.whole);
        let (rest, moved) = padded.split_at_checked(padded.len().checked_sub(shift)?)?;
        (rest.to_owned(), format!("{moved}{}", parts.fraction))
    };
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if parts.is_negative { "-" } else { "" };
    Some(if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    })
}

/// The nearest double; nothing when that is infinite.
pub fn double(text: &str) -> Option<f64> {
    parts(text)?;
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// True when a decimal's text is a JSON number.
pub fn is_json(decimal: &str) -> bool {
    !decimal.contains(['e', 'E']) && parts(decimal).is_some()
}

/// True when a decimal's text is a JSON number that any reader keeps exactly.
pub fn fits_double(decimal: &str) -> bool {
    is_json(decimal) && significant_digits(decimal) <= NUMBER_DIGITS_MAX
}

fn significant_digits(plain: &str) -> usize {
    let digits = plain.bytes().filter(u8::is_ascii_digit);
    digits.skip_while(|digit| *digit == b'0').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_exact_however_they_are_written() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("5", Some(5)),
            ("5.0", Some(5)),
            ("5e0", Some(5)),
            ("50e-1", Some(5)),
            ("0.5e1", Some(5)),
            ("0e999999999999999999999", Some(0)),
            ("9223372036854775807", Some(i128::from(i64::MAX))),
            ("-9223372036854775808", Some(i128::from(i64::MIN))),
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("5.5", None),
            ("5e-1", None),
            ("1e400", None),
            ("1e-99999999999999999999", None),
            ("01", None),
            ("1.", None),
            (".5", None),
            ("+1", None),
            ("1e", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(whole(text), expected, "{text}");
        }
    }

    #[test]
    fn decimals_keep_every_digit_up_to_twenty_eight() {
        for (text, expected) in [
            ("19.90", Some("19.90")),
            ("-0.10", Some("-0.10")),
            ("1e3", Some("1000")),
            ("1.25e1", Some("12.5")),
            ("1.5e-3", Some("0.0015")),
            ("12e-1", Some("1.2")),
            ("1E+2", Some("100")),
            ("0.1234567890123456789012345678", Some("0.1234567890123456789012345678")),
            ("0.12345678901234567890123456789", None),
            ("12345678901234567890123456789", None),
            ("1e-40", None),
            ("1e999999999999", None),
        ] {
            assert_eq!(decimal(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn doubles_are_finite() {
        assert_eq!(double("1.5"), Some(1.5));
        assert_eq!(double("1e308"), Some(1e308));
        assert_eq!(double("1e309"), None);
        assert_eq!(double("inf"), None);
        assert_eq!(double("NaN"), None);
    }

    #[test]
    fn only_what_a_double_keeps_is_printed_as_a_number_of_a_record() {
        assert!(fits_double("19.90"));
        assert!(fits_double("123456789012345"));
        assert!(fits_double("0.000123456789012345"));
        assert!(!fits_double("1234567890123456"));
        for wrong in ["1e3", "+1", "nine", "", "1."] {
            assert!(!is_json(wrong) && !fits_double(wrong), "{wrong}");
        }
        assert!(is_json("1234567890.1234567"));
    }
}
