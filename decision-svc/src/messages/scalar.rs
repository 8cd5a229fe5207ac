//! Converts scalar values between proto and domain.

use proffer_proto::values::v1::{Value, ValueList, value::Kind};

use rust_decimal::Decimal;

use crate::domain::scalar::{Fields, Scalar};

/// Longest text value, in bytes.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Most values in a list.
pub const LIST_MAX: usize = 1_000;

/// A value; `None` for null. The error is the fault of the field.
pub fn parse(value: &Value) -> Result<Option<Scalar>, String> {
    let Some(kind) = &value.kind else { return Ok(None) };
    Ok(Some(match kind {
        Kind::StringValue(text) if text.len() > TEXT_BYTES_MAX => {
            return Err(format!(
                "has {} bytes, which exceeds the maximum {TEXT_BYTES_MAX}",
                text.len()
            ));
        }
        Kind::StringValue(text) if text.contains('\0') => {
            return Err("must not hold a null character".to_owned());
        }
        Kind::StringValue(text) => Scalar::String(text.clone()),
        Kind::IntegerValue(number) => Scalar::Integer(*number),
        Kind::DoubleValue(number) if !number.is_finite() => {
            return Err("must be a finite number".to_owned());
        }
        Kind::DoubleValue(number) => Scalar::Double(*number),
        Kind::BooleanValue(is) => Scalar::Boolean(*is),
        Kind::DecimalValue(text) => match Decimal::from_str_exact(text)
            .or_else(|_| Decimal::from_scientific(text))
        {
            Ok(number) => Scalar::Decimal(number.to_string()),
            Err(_) => return Err(format!("`{text}` is not a decimal number of at most 28 digits")),
        },
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
                    Some(Kind::ListValue(_)) => {
                        return Err("must not hold lists of lists".to_owned());
                    }
                    _ => items.extend(parse(item)?),
                }
            }
            Scalar::List(items)
        }
    }))
}

/// Values by name; nulls are left out, and so is what does not parse (it was checked where it was
/// written).
pub fn fields<'a>(values: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Fields {
    let parsed = |(name, value): (&String, &Value)| Some((name.clone(), parse(value).ok()??));
    values.into_iter().filter_map(parsed).collect()
}

/// A value as proto carries it.
pub fn into_proto(scalar: &Scalar) -> Value {
    let kind = match scalar {
        Scalar::String(text) => Kind::StringValue(text.clone()),
        Scalar::Integer(number) => Kind::IntegerValue(*number),
        Scalar::Double(number) => Kind::DoubleValue(*number),
        Scalar::Boolean(is) => Kind::BooleanValue(*is),
        Scalar::Decimal(text) => Kind::DecimalValue(text.clone()),
        Scalar::List(items) => {
            Kind::ListValue(ValueList { values: items.iter().map(into_proto).collect() })
        }
    };
    Value { kind: Some(kind) }
}

/// Values by name as proto carries them.
pub fn fields_into_proto(fields: &Fields) -> std::collections::BTreeMap<String, Value> {
    fields.iter().map(|(name, scalar)| (name.clone(), into_proto(scalar))).collect()
}
