//! Amounts of money, in 1/10,000 of the currency's unit.

use std::ops::RangeInclusive;

use proffer_proto::values::v1::{Value, value::Kind};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};

use crate::decimal;

/// Parts of one unit of the currency.
pub const PARTS: i64 = 10_000;
/// Decimals of an amount.
const DECIMALS_MAX: u32 = 4;

/// An amount however it was written: as a decimal, a whole number, text, or a double that lost
/// nothing. `None` for null. `bounds` are in parts.
pub fn read(value: &Value, bounds: RangeInclusive<i64>) -> Result<Option<i64>, String> {
    exact(value)?.map(|text| parts(&text, bounds)).transpose()
}

/// An amount as plain decimal text, with the decimals as they were written; `None` for null.
pub fn exact(value: &Value) -> Result<Option<String>, String> {
    match &value.kind {
        None => Ok(None),
        Some(Kind::IntegerValue(number)) => Ok(Some(number.to_string())),
        Some(Kind::DoubleValue(number)) => decimal::from_double(*number).map(Some),
        Some(Kind::DecimalValue(text) | Kind::StringValue(text)) => {
            decimal::exact(text.trim()).map(Some)
        }
        Some(Kind::BooleanValue(is)) => {
            Err(format!("must be a decimal number, not the boolean {is}"))
        }
        Some(Kind::ListValue(_)) => Err("must be a decimal number, not a list".to_owned()),
    }
}

/// The amount of a plain decimal text, as [`decimal::exact`] gives it.
pub fn parts(exact: &str, bounds: RangeInclusive<i64>) -> Result<i64, String> {
    let fault = || format!("`{exact}` is not a decimal number");
    let amount = Decimal::from_str_exact(exact).map_err(|_| fault())?.normalize();
    let (least, most) = (unit(*bounds.start()), unit(*bounds.end()));
    if amount < least || amount > most {
        return Err(format!("is {amount}; it must be {least} to {most}"));
    }
    if amount.scale() > DECIMALS_MAX {
        return Err(format!("is {amount}; it may have at most {DECIMALS_MAX} decimals"));
    }
    (amount * Decimal::from(PARTS)).to_i64().ok_or_else(fault)
}

/// An amount as text, exact and without trailing zeros.
pub fn text(parts: i64) -> String {
    unit(parts).to_string()
}

fn unit(parts: i64) -> Decimal {
    Decimal::new(parts, DECIMALS_MAX).normalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Option<Kind>, expected: Result<Option<i64>, &str>) {
        let got = read(&Value { kind: kind.clone() }, 0..=1_000_000_000 * PARTS);
        assert_eq!(got.as_ref().map(|found| *found).map_err(String::as_str), expected, "{kind:?}");
    }

    fn decimal(text: &str) -> Option<Kind> {
        Some(Kind::DecimalValue(text.to_owned()))
    }

    #[test]
    fn an_amount_is_exact_to_four_decimals_however_it_is_written() {
        check(None, Ok(None));
        check(decimal("0.05"), Ok(Some(500)));
        check(Some(Kind::StringValue(" 0.0500000".into())), Ok(Some(500)));
        check(Some(Kind::DoubleValue(0.05)), Ok(Some(500)));
        check(Some(Kind::IntegerValue(3)), Ok(Some(30_000)));
        check(decimal("1e3"), Ok(Some(10_000_000)));
        check(decimal("-0.0"), Ok(Some(0)));
        check(decimal("0.00001"), Err("is 0.00001; it may have at most 4 decimals"));
        check(decimal("999999999.9999"), Ok(Some(9_999_999_999_999)));
        assert_eq!(
            (text(500), text(-1), text(30_000)),
            ("0.05".into(), "-0.0001".into(), "3".into())
        );
    }

    #[test]
    fn an_amount_outside_its_bounds_is_named_with_them() {
        check(decimal("1000000000.0001"), Err("is 1000000000.0001; it must be 0 to 1000000000"));
        check(Some(Kind::IntegerValue(-1)), Err("is -1; it must be 0 to 1000000000"));
        let of_budget = parts("0", 1..=1_000_000_000_000 * PARTS);
        assert_eq!(of_budget, Err("is 0; it must be 0.0001 to 1000000000000".to_owned()));
    }

    #[test]
    fn what_is_no_number_is_no_amount() {
        check(Some(Kind::StringValue("cheap".into())), Err("`cheap` is not a decimal number"));
        check(
            Some(Kind::BooleanValue(true)),
            Err("must be a decimal number, not the boolean true"),
        );
        assert!(read(&Value { kind: Some(Kind::DoubleValue(0.1 + 0.2)) }, 0..=PARTS).is_err());
    }
}
