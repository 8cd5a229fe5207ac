//! Converts scalar values between proto and domain.

use proffer_proto::values::v1::{Value, ValueList, value::Kind};
use wire::decimal;

use crate::domain::scalar::{Fields, Scalar};

/// A value; `None` for null. The error is the fault of the field.
pub fn parse(value: &Value) -> Result<Option<Scalar>, String> {
    match wire::value::fault(value) {
        Some(fault) => Err(fault),
        None => Ok(read(value)),
    }
}

/// A value that has been checked.
fn read(value: &Value) -> Option<Scalar> {
    Some(match value.kind.as_ref()? {
        Kind::StringValue(text) => Scalar::String(text.clone()),
        Kind::IntegerValue(number) => Scalar::Integer(*number),
        Kind::DoubleValue(number) => Scalar::Double(*number),
        Kind::BooleanValue(is) => Scalar::Boolean(*is),
        Kind::DecimalValue(text) => Scalar::Decimal(decimal::exact(text).ok()?),
        Kind::ListValue(list) => Scalar::List(list.values.iter().filter_map(read).collect()),
    })
}

/// Values that were checked when they were written, by name; nulls are left out.
pub fn fields<'a>(values: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Fields {
    let read = |(name, value): (&String, &Value)| Some((name.clone(), read(value)?));
    values.into_iter().filter_map(read).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_as_strictly_as_records_and_rules() {
        let check = |kind: Kind, expected: Result<Scalar, &str>| {
            let got = parse(&Value { kind: Some(kind.clone()) });
            assert_eq!(got, expected.map(Some).map_err(str::to_owned), "{kind:?}");
        };
        let decimal = |text: &str| Kind::DecimalValue(text.to_owned());
        check(decimal("1e3"), Ok(Scalar::Decimal("1000".to_owned())));
        for wrong in ["1_000", "+1", ".5", "5."] {
            check(decimal(wrong), Err(&format!("`{wrong}` is not a decimal number")));
        }
        let list = ValueList { values: vec![Value::default()] };
        check(Kind::ListValue(list), Err("must not contain null"));
    }
}
