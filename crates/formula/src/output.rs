//! The declared type of a computed field, and the conversion of a value to it.

use crate::{Cause, Type, Value};

/// Declared type of a computed field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputType {
    /// A whole number; halves are rounded away from zero.
    Integer,
    /// A double.
    Number,
    /// A double, named for amounts.
    Decimal,
    /// True or false.
    Boolean,
    /// Text.
    String,
    /// Text, named for longer copy.
    Text,
    /// A calendar date.
    Date,
}

impl OutputType {
    /// The type of converted values.
    pub fn value_type(self) -> Type {
        match self {
            Self::Integer | Self::Number | Self::Decimal => Type::Number,
            Self::Boolean => Type::Boolean,
            Self::String | Self::Text => Type::String,
            Self::Date => Type::Date,
        }
    }

    /// True when values of this type can be converted.
    pub fn accepts(self, from: Type) -> bool {
        self.value_type() == from || from == Type::Any || matches!(self, Self::String | Self::Text)
    }

    /// The converted value; null with a cause when it does not fit. Anything becomes text.
    pub fn coerce(self, value: Value) -> Value {
        match (self, value) {
            (_, Value::Null(cause)) => Value::Null(cause),
            (Self::Integer, value) if let Some(number) = value.as_number() => number.round().into(),
            (Self::String | Self::Text, value @ Value::String(_)) => value,
            (Self::String | Self::Text, value) => Value::String(value.to_string().into()),
            (wanted, value) if value.type_of() == Some(wanted.value_type()) => value,
            (wanted, value) => match value.type_of() {
                Some(found) => Value::Null(Cause::misfit(found, wanted.value_type())),
                None => value,
            },
        }
    }
}
