//! Values of attributes, rules, custom fields and affinities.

use formula::{Number, rule::Literal};
use proffer_proto::values::v1::{Value, value::Kind};

use crate::{decimal, text};

/// Longest text value, in bytes.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Most values in a list.
pub const LIST_MAX: usize = 1_000;

/// What is wrong with a value, whatever it is for; `None` for null and for what fits.
pub fn fault(value: &Value) -> Option<String> {
    match value.kind.as_ref()? {
        Kind::StringValue(text) if text.len() > TEXT_BYTES_MAX => {
            let length = text.len();
            Some(format!("has {length} bytes, which exceeds the maximum {TEXT_BYTES_MAX}"))
        }
        Kind::StringValue(text) => text::null_fault(text),
        Kind::DoubleValue(number) => {
            (!number.is_finite()).then(|| "must be a finite number".to_owned())
        }
        Kind::DecimalValue(text) => decimal::exact(text).err(),
        Kind::IntegerValue(_) | Kind::BooleanValue(_) => None,
        Kind::ListValue(list) if list.values.len() > LIST_MAX => {
            let count = list.values.len();
            Some(format!("has {count} values, which exceeds the maximum {LIST_MAX}"))
        }
        Kind::ListValue(list) => list.values.iter().find_map(|item| match &item.kind {
            None => Some("must not contain null".to_owned()),
            Some(Kind::ListValue(_)) => Some("must not contain lists of lists".to_owned()),
            Some(_) => fault(item),
        }),
    }
}

/// Brings a value into the form in which it is stored: decimals plainly, `1e3` as `1000`, so that
/// every reader of a stored value understands it. What [`fault`] refuses stays as it is.
pub fn settle(value: &mut Value) {
    match &mut value.kind {
        Some(Kind::DecimalValue(text)) => {
            if let Ok(exact) = decimal::exact(text) {
                *text = exact;
            }
        }
        // INVARIANT: messages are decoded with a limit of depth, so the recursion is bounded.
        Some(Kind::ListValue(list)) => list.values.iter_mut().for_each(settle),
        _ => {}
    }
}

/// A value as rules compare with it; a fault says what is wrong.
pub fn literal(value: Option<&Value>) -> Result<Literal, String> {
    let Some(value) = value else { return Ok(Literal::None) };
    match fault(value) {
        Some(fault) => Err(fault),
        None => Ok(plain(value)),
    }
}

fn plain(value: &Value) -> Literal {
    match &value.kind {
        None => Literal::None,
        Some(Kind::StringValue(text)) => Literal::String(text.clone()),
        Some(Kind::IntegerValue(number)) => Number::whole(*number).into(),
        Some(Kind::DoubleValue(number)) => Literal::Number(*number),
        Some(Kind::BooleanValue(is)) => Literal::Boolean(*is),
        // INVARIANT: `fault` has read it as a decimal.
        Some(Kind::DecimalValue(text)) => exact(text).map_or(Literal::None, Literal::from),
        Some(Kind::ListValue(list)) => Literal::List(list.values.iter().map(plain).collect()),
    }
}

/// A decimal as a number, with all its digits.
fn exact(text: &str) -> Option<Number> {
    Number::parse(&decimal::exact(text).ok()?)
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
    fn rules_compare_with_scalars_and_flat_lists() {
        let check = |found: Value, expected: Result<Literal, &str>| {
            assert_eq!(literal(Some(&found)), expected.map_err(str::to_owned), "{found:?}");
        };
        let one = || value(Kind::IntegerValue(1));
        check(one(), Ok(Literal::Number(1.0)));
        check(value(Kind::DecimalValue("19.90".into())), Ok(Literal::Number(19.9)));
        let exact = |text: &str| Ok(Literal::from(Number::parse(text).unwrap()));
        let card = 9_007_199_254_740_993;
        check(value(Kind::IntegerValue(card)), exact("9007199254740993"));
        assert_ne!(exact("9007199254740993"), exact("9007199254740992"));
        check(
            value(Kind::DecimalValue("1234567890.12345671".into())),
            exact("1234567890.12345671"),
        );
        check(list(vec![one(), one()]), Ok(Literal::List(vec![Literal::Number(1.0); 2])));
        check(Value::default(), Ok(Literal::None));
        check(value(Kind::DecimalValue("x".into())), Err("`x` is not a decimal number"));
        check(value(Kind::DecimalValue("1_0".into())), Err("`1_0` is not a decimal number"));
        check(value(Kind::DoubleValue(f64::NAN)), Err("must be a finite number"));
        check(value(Kind::StringValue("a\0".into())), Err("must not contain a null character"));
        check(list(vec![Value::default()]), Err("must not contain null"));
        check(list(vec![list(vec![])]), Err("must not contain lists of lists"));
        check(list(vec![one(); LIST_MAX]), Ok(Literal::List(vec![Literal::Number(1.0); LIST_MAX])));
        check(
            list(vec![one(); LIST_MAX + 1]),
            Err("has 1001 values, which exceeds the maximum 1000"),
        );
        let (limit, beyond) = ("x".repeat(TEXT_BYTES_MAX), "x".repeat(TEXT_BYTES_MAX + 1));
        assert_eq!(fault(&value(Kind::StringValue(limit))), None);
        check(
            value(Kind::StringValue(beyond)),
            Err("has 16385 bytes, which exceeds the maximum 16384"),
        );
    }
}
