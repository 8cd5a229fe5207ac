//! Values between messages and the domain.

use proffer_proto::values::v1::{Value, value::Kind};

use crate::domain::field_value::{FieldValue, Given};

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
