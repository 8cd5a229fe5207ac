//! Scalar values as stored and exchanged, and their conversion to values of formulas.

use std::collections::BTreeMap;

use formula::{
    Cause, Number, Type, Value, calendar,
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
            (Type::Number | Type::Any, Self::Integer(_) | Self::Double(_) | Self::Decimal(_)) => {
                self.number().map_or_else(misfit, Value::from)
            }
            (Type::String | Type::Any, Self::String(text)) => Value::String(text.as_str().into()),
            (Type::Boolean | Type::Any, Self::Boolean(is)) => Value::Boolean(*is),
            (Type::Date, Self::String(text)) => {
                calendar::date(text).map_or_else(misfit, Value::Date)
            }
            (Type::Timestamp, Self::String(text)) => {
                calendar::timestamp(text).map_or_else(misfit, Value::Timestamp)
            }
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
            (Type::Number | Type::Any, Self::Integer(_) | Self::Double(_) | Self::Decimal(_)) => {
                self.number().map_or(misfit, Datum::from)
            }
            (Type::String | Type::Any, Self::String(text)) => keep(text),
            (Type::Boolean | Type::Any, Self::Boolean(is)) => Datum::Boolean(*is),
            (Type::Date, Self::String(text)) => calendar::date(text).map_or(misfit, Datum::Date),
            (Type::Timestamp, Self::String(text)) => {
                calendar::timestamp(text).map_or(misfit, Datum::Timestamp)
            }
            _ => misfit,
        };
        datum.into()
    }

    /// The number, with all its digits, if it is one.
    pub fn number(&self) -> Option<Number> {
        match self {
            Self::Integer(number) => Some(Number::whole(*number)),
            Self::Double(number) => number.is_finite().then_some(Number::Double(*number)),
            Self::Decimal(text) => Number::parse(text),
            _ => None,
        }
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
        match value {
            Value::Null(_) => None,
            Value::Number(number) => {
                let whole = Number::Double(*number).to_whole();
                Some(whole.map_or(Self::Double(*number), Self::Integer))
            }
            Value::Exact(exact) => {
                let whole = Number::Exact(*exact).to_whole();
                Some(whole.map_or_else(|| Self::Decimal(exact.to_string()), Self::Integer))
            }
            Value::String(text) => Some(Self::String(text.to_string())),
            Value::Boolean(is) => Some(Self::Boolean(*is)),
            Value::Date(date) => Some(Self::String(date.to_string())),
            Value::Timestamp(at) => {
                Some(Self::String(at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)))
            }
        }
    }
}
