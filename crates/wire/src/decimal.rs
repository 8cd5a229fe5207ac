//! Exact decimal numbers: read from text, never through a double.

use rust_decimal::Decimal;

/// Most significant digits.
pub const DIGITS_MAX: usize = 28;
/// Most significant digits that a double carries without loss.
const DOUBLE_DIGITS_MAX: usize = 15;
/// Whole doubles up to 2^53 are exact.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// Longest text of a decimal number, in bytes.
const TEXT_MAX: usize = 100;
/// Largest exponent read; far beyond what [`DIGITS_MAX`] digits can hold.
const EXPONENT_MAX: i32 = 100;

/// The number as plain text, exact: no exponent, no leading zeros, the fraction as long as it was
/// written.
pub fn exact(text: &str) -> Result<String, String> {
    let fault = || format!("`{}` is not a decimal number", crate::text::quoted(text));
    if text.len() > TEXT_MAX {
        return Err(format!("has more than {DIGITS_MAX} significant digits"));
    }
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        None => (unsigned, 0),
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| fault())?),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || mantissa.ends_with('.') {
        return Err(fault());
    }
    let digits = format!("{whole}{fraction}");
    if digits.bytes().all(|digit| digit == b'0') {
        return Ok(if fraction.is_empty() { "0".to_owned() } else { format!("0.{fraction}") });
    }
    if exponent.abs() > EXPONENT_MAX {
        return Err(format!("`{text}` has more than {DIGITS_MAX} significant digits"));
    }
    plain(sign, digits, fraction.len() as i32 - exponent)
}

/// Digits with `scale` of them behind the point; a negative scale appends zeros.
fn plain(sign: &str, digits: String, scale: i32) -> Result<String, String> {
    let zeros = usize::try_from(-scale).unwrap_or(0);
    let scale = usize::try_from(scale).unwrap_or(0);
    let digits = format!("{}{}", digits.trim_start_matches('0'), "0".repeat(zeros));
    if digits.len() > DIGITS_MAX || scale > DIGITS_MAX {
        return Err(format!(
            "has {} significant digits, which exceeds the maximum {DIGITS_MAX}",
            digits.len().max(scale)
        ));
    }
    let padded = format!("{}{digits}", "0".repeat((scale + 1).saturating_sub(digits.len())));
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    Ok(if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    })
}

/// A double as a decimal, when it has so few digits that nothing was lost on the way into it.
pub fn from_double(number: f64) -> Result<String, String> {
    if !number.is_finite() {
        return Err("must be a finite number".to_owned());
    }
    // The shortest text that reads back as this double is the text it was read from, up to 15
    // digits.
    let shortest = format!("{number:e}");
    let mantissa = shortest.split('e').next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let is_exact_whole = number.fract() == 0.0 && number.abs() <= WHOLE_MAX;
    if digits > DOUBLE_DIGITS_MAX && !is_exact_whole {
        return Err(format!(
            "{number} came as a double, which is not exact: send it as a decimal or a string"
        ));
    }
    exact(&shortest)
}

/// A double as a whole number, when it is one and nothing was lost on the way into it.
pub fn whole_from_double(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= WHOLE_MAX).then_some(number as i64)
}

/// The whole number a decimal text is, as `12`, `12.0` and `1e3` are; none when it is not one of 64
/// bits.
pub fn whole(text: &str) -> Option<i64> {
    let number: Decimal = exact(text).ok()?.parse().ok()?;
    number.fract().is_zero().then(|| i64::try_from(number.trunc()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_every_digit_as_written() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(exact(text).ok().as_deref(), expected, "{text}")
        };
        check("19.90", Some("19.90"));
        check("0", Some("0"));
        check("-0", Some("0"));
        check("0.00", Some("0.00"));
        check("007.5", Some("7.5"));
        check("-0.1", Some("-0.1"));
        check("1e3", Some("1000"));
        check("1.25E+1", Some("12.5"));
        check("12e-4", Some("0.0012"));
        check("1234567890123456789012345678", Some("1234567890123456789012345678"));
        check("0.0000000000000000000000000001", Some("0.0000000000000000000000000001"));
        check("0.1234567890123456789012345678", Some("0.1234567890123456789012345678"));
    }

    #[test]
    fn what_is_no_decimal_or_too_long_is_refused() {
        let long = "1".repeat(200);
        for wrong in [
            "",
            "-",
            ".5",
            "5.",
            "+1",
            "1,5",
            "1 ",
            "NaN",
            "inf",
            "0x1",
            "1e",
            "1e1.5",
            "--1",
            "1.2.3",
            "１",
            &long,
            "12345678901234567890123456789",
            "0.00000000000000000000000000001",
            "1e28",
            "1e-29",
            "1e2147483647",
            "1e99999999999",
        ] {
            assert!(exact(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_double_is_taken_only_when_nothing_was_lost() {
        let check = |number: f64, expected: Option<&str>| {
            assert_eq!(from_double(number).ok().as_deref(), expected, "{number}");
        };
        check(19.9, Some("19.9"));
        check(-0.0, Some("0"));
        check(1e3, Some("1000"));
        check(0.1 + 0.2, None);
        check(1e-7, Some("0.0000001"));
        check(f64::NAN, None);
        check(f64::INFINITY, None);
        check(1e300, None);
        check(1e20, Some("100000000000000000000"));
        check(9_007_199_254_740_991.0, Some("9007199254740991"));
        check(12_345_678_901_234_567_890.0, None);
        assert_eq!(whole_from_double(12.0), Some(12));
        assert_eq!(whole_from_double(12.5), None);
        assert_eq!(whole_from_double(1e20), None);
        assert_eq!(whole_from_double(f64::NAN), None);
    }

    #[test]
    fn whole_numbers_may_be_written_with_a_point_or_an_exponent() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(whole(text), expected, "{text}");
        check("12.0", Some(12));
        check("1e3", Some(1000));
        check("-7", Some(-7));
        check("9223372036854775807", Some(i64::MAX));
        check("-9223372036854775808", Some(i64::MIN));
        check("9223372036854775808", None);
        check("12.5", None);
    }

    /// decision-svc reads these texts with rust_decimal: each must mean the same number there.
    #[test]
    fn every_exact_text_is_a_rust_decimal() {
        proptest::proptest!(|(text in "-?[0-9]{1,14}(\\.[0-9]{1,14})?")| {
            let exact = exact(&text).unwrap();
            let ours: Decimal = exact.parse().unwrap();
            let theirs: Decimal = text.parse().unwrap();
            proptest::prop_assert_eq!(ours, theirs);
            proptest::prop_assert_eq!(Decimal::from_str_exact(&exact).unwrap().to_string(), exact);
        });
    }
}
