//! Values between messages and the domain.

use chrono::{DateTime, Datelike as _, Utc};
use formula::rule::Literal;
use proffer_proto::values::v1::{Value, value::Kind};

use crate::domain::{
    decimal,
    field_value::{FieldValue, Given, TEXT_BYTES_MAX},
    rule::LIST_MAX,
};

/// A value as it arrived.
pub fn given(value: &Value) -> Given<'_> {
    match &value.kind {
        None => Given::Null,
        Some(Kind::StringValue(text)) => Given::Text(text),
        Some(Kind::IntegerValue(number)) => Given::Integer(*number),
        Some(Kind::DoubleValue(number)) => Given::Double(*number),
        Some(Kind::BooleanValue(is)) => Given::Boolean(*is),
        Some(Kind::DecimalValue(text)) => Given::Decimal(text),
        Some(Kind::ListValue(_)) => Given::List,
    }
}

/// A field's value as messages carry it.
pub fn into_proto(value: FieldValue) -> Value {
    let kind = match value {
        FieldValue::Text(text) => Kind::StringValue(text),
        FieldValue::Integer(number) => Kind::IntegerValue(number),
        FieldValue::Decimal(text) => Kind::DecimalValue(text),
        FieldValue::Boolean(is) => Kind::BooleanValue(is),
        calendar @ (FieldValue::Date(_) | FieldValue::Timestamp(_)) => {
            Kind::StringValue(calendar.calendar_text().unwrap_or_default())
        }
    };
    Value { kind: Some(kind) }
}

/// Writes decimals plainly (`1e3` as `1000`), so that every reader of a stored value understands
/// it; what is no decimal stays as it is and is refused by [`literal`].
pub fn settle(value: &mut Value) {
    match &mut value.kind {
        Some(Kind::DecimalValue(text)) => {
            if let Ok(exact) = decimal::exact(text) {
                *text = exact;
            }
        }
        // Lists of lists are refused, so that one level is all there is.
        Some(Kind::ListValue(list)) => {
            for item in &mut list.values {
                if let Some(Kind::DecimalValue(text)) = &mut item.kind
                    && let Ok(exact) = decimal::exact(text)
                {
                    *text = exact;
                }
            }
        }
        _ => {}
    }
}

/// An instant; a fault when it is out of range.
pub fn instant(at: &prost_types::Timestamp) -> Result<DateTime<Utc>, String> {
    let nanos = u32::try_from(at.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let found = nanos.and_then(|nanos| DateTime::from_timestamp(at.seconds, nanos));
    found
        .filter(|at| (1..=9999).contains(&at.year()))
        .ok_or_else(|| "must be an instant of the years 1 to 9999".to_owned())
}

/// A value as rules compare with it. A fault says what is wrong.
pub fn literal(value: Option<&Value>) -> Result<Literal, String> {
    let Some(kind) = value.and_then(|value| value.kind.as_ref()) else { return Ok(Literal::None) };
    Ok(match kind {
        Kind::StringValue(text) if text.len() > TEXT_BYTES_MAX => {
            return Err(format!(
                "has {} bytes, which exceeds the maximum {TEXT_BYTES_MAX}",
                text.len()
            ));
        }
        Kind::StringValue(text) if text.contains('\0') => {
            return Err("must not hold a null character".to_owned());
        }
        Kind::StringValue(text) => Literal::String(text.clone()),
        Kind::IntegerValue(number) => Literal::Number(*number as f64),
        Kind::DoubleValue(number) if !number.is_finite() => {
            return Err("must be a finite number".to_owned());
        }
        Kind::DoubleValue(number) => Literal::Number(*number),
        Kind::BooleanValue(is) => Literal::Boolean(*is),
        Kind::DecimalValue(text) => {
            let number = decimal::exact(text)?.parse::<f64>();
            Literal::Number(number.map_err(|_| format!("`{text}` is not a decimal number"))?)
        }
        Kind::ListValue(list) if list.values.len() > LIST_MAX => {
            return Err(format!(
                "holds {} values, which exceeds the maximum {LIST_MAX}",
                list.values.len()
            ));
        }
        Kind::ListValue(list) => {
            let mut items = Vec::with_capacity(list.values.len());
            for item in &list.values {
                match &item.kind {
                    None => return Err("must not hold null".to_owned()),
                    Some(Kind::ListValue(_)) => {
                        return Err("must not hold lists of lists".to_owned());
                    }
                    Some(_) => items.push(literal(Some(item))?),
                }
            }
            Literal::List(items)
        }
    })
}

#[cfg(test)]
mod tests {
    use proffer_proto::values::v1::ValueList;

    use super::*;

    fn value(kind: Kind) -> Value {
        Value { kind: Some(kind) }
    }

    fn list(values: Vec<Value>) -> Value {
        value(Kind::ListValue(ValueList { values }))
    }

    #[test]
    fn instants_are_of_the_years_1_to_9999() {
        let check = |seconds, nanos, is_right| {
            assert_eq!(
                instant(&prost_types::Timestamp { seconds, nanos }).is_ok(),
                is_right,
                "{seconds} {nanos}"
            );
        };
        check(-62_135_596_800, 0, true);
        check(-62_135_596_801, 999_999_999, false);
        check(253_402_300_799, 999_999_999, true);
        check(253_402_300_800, 0, false);
        check(i64::MAX, 0, false);
        check(0, -1, false);
        check(0, 1_000_000_000, false);
    }

    #[test]
    fn rules_compare_with_scalars_and_flat_lists() {
        let check = |found: Value, expected: Result<Literal, &str>| {
            assert_eq!(literal(Some(&found)), expected.map_err(str::to_owned), "{found:?}");
        };
        let one = || value(Kind::IntegerValue(1));
        check(one(), Ok(Literal::Number(1.0)));
        check(value(Kind::DecimalValue("19.90".into())), Ok(Literal::Number(19.9)));
        check(list(vec![one(), one()]), Ok(Literal::List(vec![Literal::Number(1.0); 2])));
        check(Value::default(), Ok(Literal::None));
        check(value(Kind::DecimalValue("x".into())), Err("`x` is not a decimal number"));
        check(value(Kind::DoubleValue(f64::NAN)), Err("must be a finite number"));
        check(value(Kind::StringValue("a\0".into())), Err("must not hold a null character"));
        check(list(vec![Value::default()]), Err("must not hold null"));
        check(list(vec![list(vec![])]), Err("must not hold lists of lists"));
        check(list(vec![one(); LIST_MAX]), Ok(Literal::List(vec![Literal::Number(1.0); LIST_MAX])));
        check(
            list(vec![one(); LIST_MAX + 1]),
            Err("holds 1001 values, which exceeds the maximum 1000"),
        );
    }
}
