//! Scalar values as stored and exchanged, and their conversion to values of formulas.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate};
use formula::{
    Cause, Type, Value,
    program::{Datum, Register, Why, Word},
};

/// A stored or exchanged value. Decimals keep their text, so nothing is rounded on the way.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Text; also dates and timestamps.
    String(String),
    /// A whole number.
    Integer(i64),
    /// A double.
    Double(f64),
    /// True or false.
    Boolean(bool),
    /// An exact decimal as text.
    Decimal(String),
    /// Several values.
    List(Vec<Scalar>),
}

/// Values by name.
pub type Fields = BTreeMap<String, Scalar>;

impl Scalar {
    /// The value as a formula sees it under a declared type; null with a cause when it does not
    /// fit.
    pub fn typed(&self, name: &str, declared: Type) -> Value {
        let misfit = || Value::Null(Cause::new(format!("{name} is not a {declared}")));
        match (declared, self) {
            (Type::Number, Self::Integer(number)) => Value::Number(*number as f64),
            (Type::Number, Self::Double(number)) if number.is_finite() => Value::Number(*number),
            (Type::Number, Self::Decimal(text)) => finite(text).map_or_else(misfit, Value::Number),
            (Type::String, Self::String(text)) => Value::String(text.as_str().into()),
            (Type::Boolean, Self::Boolean(is)) => Value::Boolean(*is),
            (Type::Date, Self::String(text)) => {
                NaiveDate::parse_from_str(text, "%Y-%m-%d").map_or_else(|_| misfit(), Value::Date)
            }
            (Type::Timestamp, Self::String(text)) => DateTime::parse_from_rfc3339(text)
                .map_or_else(|_| misfit(), |at| Value::Timestamp(at.to_utc())),
            _ => misfit(),
        }
    }

    /// As [`Self::typed`], for programs: the null of what does not fit names its register. `keep`
    /// keeps a text.
    pub fn word(
        &self,
        declared: Type,
        register: Register,
        keep: impl FnOnce(&str) -> Datum,
    ) -> Word {
        let misfit = Datum::Null(Why::Register(register));
        let datum = match (declared, self) {
            (Type::Number, Self::Integer(number)) => Datum::Number(*number as f64),
            (Type::Number, Self::Double(number)) if number.is_finite() => Datum::Number(*number),
            (Type::Number, Self::Decimal(text)) => finite(text).map_or(misfit, Datum::Number),
            (Type::String, Self::String(text)) => keep(text),
            (Type::Boolean, Self::Boolean(is)) => Datum::Boolean(*is),
            (Type::Date, Self::String(text)) => date(text).map_or(misfit, Datum::Date),
            (Type::Timestamp, Self::String(text)) => DateTime::parse_from_rfc3339(text)
                .map_or(misfit, |at| Datum::Timestamp(at.to_utc())),
            _ => misfit,
        };
        datum.into()
    }

    /// The type a value has by itself; none for lists.
    pub fn own_type(&self) -> Option<Type> {
        match self {
            Self::String(_) => Some(Type::String),
            Self::Integer(_) | Self::Double(_) | Self::Decimal(_) => Some(Type::Number),
            Self::Boolean(_) => Some(Type::Boolean),
            Self::List(_) => None,
        }
    }

    /// A formula's result as it is shown: whole numbers without a fraction; none for null.
    pub fn shown(value: &Value) -> Option<Self> {
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        match value {
            Value::Null(_) => None,
            Value::Number(number) if number.fract() == 0.0 && number.abs() <= EXACT_MAX => {
                Some(Self::Integer(*number as i64))
            }
            Value::Number(number) => Some(Self::Double(*number)),
            Value::String(text) => Some(Self::String(text.to_string())),
            Value::Boolean(is) => Some(Self::Boolean(*is)),
            Value::Date(date) => Some(Self::String(date.to_string())),
            Value::Timestamp(at) => {
                Some(Self::String(at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)))
            }
        }
    }
}

fn finite(decimal: &str) -> Option<f64> {
    decimal.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A date; the common form is read without the general parser.
fn date(text: &str) -> Option<NaiveDate> {
    let digits = |text: &[u8]| {
        text.iter().try_fold(0_u32, |number, byte| match byte {
            b'0'..=b'9' => Some(number * 10 + u32::from(byte - b'0')),
            _ => None,
        })
    };
    if let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes()
        && let (Some(year), Some(month), Some(day)) =
            (digits(&[*y1, *y2, *y3, *y4]), digits(&[*m1, *m2]), digits(&[*d1, *d2]))
    {
        return NaiveDate::from_ymd_opt(year as i32, month, day);
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}
