//! A value in a program: small, copyable, with texts as handles.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};

use super::{Register, Text};
use crate::Type;

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Datum {
    /// Not known; says why.
    Null(Why),
    /// A double.
    Number(f64),
    /// Text, kept in the constants, in the record or in the memory.
    Text(Text),
    /// True or false.
    Boolean(bool),
    /// A calendar date.
    Date(NaiveDate),
    /// An instant.
    Timestamp(DateTime<Utc>),
}

/// Why a value is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The register's own reason, known to the code that fills it.
    Register(Register),
    /// Converted to a type it does not fit.
    Misfit(Type, Type),
    /// The literal.
    Null,
    /// Not a number.
    NotANumber,
    /// Too large.
    Overflow,
    /// Divided by zero.
    DivisionByZero,
    /// Remainder by zero.
    RemainderByZero,
    /// Operands of an operator.
    Operands,
    /// Arguments of a function.
    Arguments,
    /// A function without arguments.
    NoArguments,
    /// `clamp` with low above high.
    ReversedBounds,
    /// `round` to no number of digits.
    Digits,
    /// `date` of another text.
    NotADate,
    /// `timestamp` of another text.
    NotATimestamp,
    /// Longer than a text may be.
    TextTooLong,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Register(register) => return write!(f, "missing register {register}"),
            Self::Misfit(found, wanted) => return write!(f, "a {found} is not a {wanted}"),
            Self::Null => "null",
            Self::NotANumber => "not a number",
            Self::Overflow => "overflow",
            Self::DivisionByZero => "division by zero",
            Self::RemainderByZero => "remainder by zero",
            Self::Operands => "operands do not fit",
            Self::Arguments => "arguments do not fit",
            Self::NoArguments => "no arguments",
            Self::ReversedBounds => "clamp bounds are reversed",
            Self::Digits => "round takes -15 to 15 whole digits",
            Self::NotADate => "not a date",
            Self::NotATimestamp => "not a timestamp",
            Self::TextTooLong => "text too long",
        };
        f.write_str(text)
    }
}

impl Datum {
    /// A number, or null when it is none.
    pub(super) fn number(number: f64) -> Self {
        if number.is_nan() {
            Self::Null(Why::NotANumber)
        } else if number.is_infinite() {
            Self::Null(Why::Overflow)
        } else {
            Self::Number(number)
        }
    }

    /// The type; none for null.
    pub fn type_of(self) -> Option<Type> {
        match self {
            Self::Null(_) => None,
            Self::Number(_) => Some(Type::Number),
            Self::Text(_) => Some(Type::String),
            Self::Boolean(_) => Some(Type::Boolean),
            Self::Date(_) => Some(Type::Date),
            Self::Timestamp(_) => Some(Type::Timestamp),
        }
    }
}
