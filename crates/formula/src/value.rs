//! Values of the language, their types, and the cause of a null.

use std::{fmt, sync::Arc};

use chrono::{DateTime, NaiveDate, Utc};

use crate::{Exact, MATCHED_BYTES_MAX, Number as AnyNumber};

/// Type of a value. Null belongs to every type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// A number: compared exactly, and a double in arithmetic.
    Number,
    /// Text.
    String,
    /// True or false.
    Boolean,
    /// A calendar date.
    Date,
    /// An instant.
    Timestamp,
    /// The type that the value has when the formula is evaluated. No value is of this type itself.
    Any,
}

/// A type, or nothing for what is always null.
pub(crate) type MaybeType = Option<Type>;

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "number",
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Any => "single value",
        })
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not known; says why.
    Null(Cause),
    /// A finite double.
    Number(f64),
    /// A number that no double is.
    Exact(Exact),
    /// Text.
    String(Arc<str>),
    /// True or false.
    Boolean(bool),
    /// A calendar date.
    Date(NaiveDate),
    /// An instant.
    Timestamp(DateTime<Utc>),
}

/// Why a value is null: the first cause, such as `missing customer.lastPurchaseDate` or `division
/// by zero`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause(Arc<str>);

impl Cause {
    /// Any cause.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// A value of one type where another is needed.
    pub(crate) fn misfit(found: Type, wanted: Type) -> Self {
        Self::new(format!("a {found} is not a {wanted}"))
    }

    /// A text that is too long for a regular expression.
    pub(crate) fn unmatched() -> Self {
        Self::new(format!("a text over {MATCHED_BYTES_MAX} bytes is not matched"))
    }

    /// The name has no value.
    pub fn missing(name: &str) -> Self {
        Self::new(format!("missing {name}"))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value {
    /// A number, or null when it is none: overflow and NaN never pass for a result.
    pub(crate) fn number(number: f64) -> Self {
        if number.is_nan() {
            Self::Null(Cause::new("not a number"))
        } else if number.is_infinite() {
            Self::Null(Cause::new("overflow"))
        } else {
            Self::Number(number)
        }
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<AnyNumber> {
        match self {
            Self::Number(double) => Some(AnyNumber::Double(*double)),
            Self::Exact(exact) => Some(AnyNumber::Exact(*exact)),
            _ => None,
        }
    }

    /// The type; none for null.
    pub fn type_of(&self) -> Option<Type> {
        match self {
            Self::Null(_) => None,
            Self::Number(_) | Self::Exact(_) => Some(Type::Number),
            Self::String(_) => Some(Type::String),
            Self::Boolean(_) => Some(Type::Boolean),
            Self::Date(_) => Some(Type::Date),
            Self::Timestamp(_) => Some(Type::Timestamp),
        }
    }
}

impl From<AnyNumber> for Value {
    fn from(number: AnyNumber) -> Self {
        match number {
            AnyNumber::Double(double) => Self::Number(double),
            AnyNumber::Exact(exact) => Self::Exact(exact),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null(cause) => write!(f, "null ({cause})"),
            Self::Number(number) => AnyNumber::Double(*number).fmt(f),
            Self::Exact(exact) => exact.fmt(f),
            Self::String(text) => f.write_str(text),
            Self::Boolean(is) => write!(f, "{is}"),
            Self::Date(date) => write!(f, "{date}"),
            Self::Timestamp(at) => {
                f.write_str(&at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
            }
        }
    }
}
