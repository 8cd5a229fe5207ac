//! What one contact with an offer costs, in the tenant's currency.

use rust_decimal::Decimal;

use super::{
    field_value::{FieldValue, Given},
    schema::FieldType,
};

/// Most decimals of a cost.
pub const DECIMALS_MAX: u32 = 4;
/// Largest cost.
pub const COST_MAX: i64 = 1_000_000_000;

/// The cost as plain text, exact and without trailing zeros; none for null. A fault says what is
/// wrong.
pub fn exact(given: &Given<'_>) -> Result<Option<String>, String> {
    let Some(FieldValue::Decimal(text)) = FieldValue::read(FieldType::Decimal, given)? else {
        return Ok(None);
    };
    let cost: Decimal = text.parse().map_err(|_| format!("`{text}` is not a decimal number"))?;
    let cost = cost.normalize();
    if cost < Decimal::ZERO || cost > Decimal::from(COST_MAX) {
        return Err(format!("is {cost}; it must be 0 to {COST_MAX}"));
    }
    if cost.scale() > DECIMALS_MAX {
        return Err(format!("is {cost}; it may have at most {DECIMALS_MAX} decimals"));
    }
    Ok(Some(cost.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: Given<'_>, expected: Result<Option<&str>, &str>) {
        let got = exact(&given);
        assert_eq!(
            got.as_ref().map(Option::as_deref).map_err(String::as_str),
            expected,
            "{given:?}"
        );
    }

    #[test]
    fn a_cost_is_exact_to_four_decimals_however_it_is_written() {
        check(Given::Null, Ok(None));
        check(Given::Decimal("0.05"), Ok(Some("0.05")));
        check(Given::Text("0.0500000"), Ok(Some("0.05")));
        check(Given::Double(0.05), Ok(Some("0.05")));
        check(Given::Integer(3), Ok(Some("3")));
        check(Given::Decimal("1e3"), Ok(Some("1000")));
        check(Given::Decimal("-0.0"), Ok(Some("0")));
        check(Given::Decimal("0.0001"), Ok(Some("0.0001")));
        check(Given::Decimal("0.00001"), Err("is 0.00001; it may have at most 4 decimals"));
        check(Given::Decimal("999999999.9999"), Ok(Some("999999999.9999")));
    }

    #[test]
    fn a_cost_is_0_to_a_thousand_million() {
        check(Given::Integer(0), Ok(Some("0")));
        check(Given::Integer(1_000_000_000), Ok(Some("1000000000")));
        check(
            Given::Decimal("1000000000.0001"),
            Err("is 1000000000.0001; it must be 0 to 1000000000"),
        );
        check(Given::Integer(-1), Err("is -1; it must be 0 to 1000000000"));
        check(Given::Decimal("-0.0001"), Err("is -0.0001; it must be 0 to 1000000000"));
    }

    #[test]
    fn what_is_no_number_is_no_cost() {
        check(Given::Text("cheap"), Err("`cheap` is not a decimal number"));
        check(Given::Boolean(true), Err("must be a decimal number, not the boolean true"));
        check(Given::List, Err("must be a decimal number, not a list"));
        assert!(exact(&Given::Double(0.1 + 0.2)).is_err());
        assert!(exact(&Given::Double(f64::NAN)).is_err());
    }
}
