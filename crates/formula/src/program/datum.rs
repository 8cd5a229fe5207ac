//! A value in a program: small, copyable, with texts as handles.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};

use super::{Register, Text};
use crate::{Cause, Exact, Number, Type, ast::Operator, check::unfit_operands, function::Function};

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Datum {
    /// Not known; says why.
    Null(Why),
    /// A double.
    Number(f64),
    /// A number that no double is.
    Exact(Exact),
    /// Text, kept in the constants, in the record or in the memory.
    Text(Text),
    /// True or false.
    Boolean(bool),
    /// A calendar date.
    Date(NaiveDate),
    /// An instant.
    Timestamp(DateTime<Utc>),
}

/// The operands that an operator cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operands {
    pub(super) operator: Operator,
    pub(super) left: Type,
    pub(super) right: Type,
}

/// An argument that a function cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    pub(super) function: Function,
    pub(super) index: u16,
    pub(super) count: u16,
    pub(super) found: Type,
}

/// Arguments of a function that must have one type and do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mixed {
    pub(super) function: Function,
    pub(super) one: Type,
    pub(super) other: Type,
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
    /// Operands of types that the operator does not take.
    Operands(Operands),
    /// An argument of a type that the function does not take.
    Argument(Argument),
    /// Arguments of different types.
    Mixed(Mixed),
    /// Arguments of a function.
    Arguments,
    /// A function without arguments.
    NoArguments,
    /// `clamp` with low above high.
    ReversedBounds,
    /// `round` to no number of digits.
    Digits,
    /// A date and a part of a day.
    PartOfDay,
    /// A date beyond the years of dates.
    DateRange,
    /// `date` of another text.
    NotADate,
    /// `timestamp` of another text.
    NotATimestamp,
    /// Longer than a text may be.
    TextTooLong,
    /// Longer than a text that a regular expression is matched with.
    Unmatched,
    /// More texts than programs may write for one decision.
    NoRoom,
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
            Self::Operands(Operands { operator, left, right }) => {
                return f.write_str(&unfit_operands(*operator, *left, *right));
            }
            Self::Argument(Argument { function, index, count, found }) => {
                let (index, count) = (usize::from(*index), usize::from(*count));
                return f.write_str(&function.misfit(index, count, *found));
            }
            Self::Mixed(Mixed { function, one, other }) => {
                return f.write_str(&function.mixed(*one, *other));
            }
            Self::Arguments => "arguments do not fit",
            Self::NoArguments => "no arguments",
            Self::ReversedBounds => "clamp bounds are reversed",
            Self::Digits => "round takes -15 to 15 whole digits",
            Self::PartOfDay => "a date moves by whole days",
            Self::DateRange => "a date outside the years 1 to 9999",
            Self::NotADate => "not a date",
            Self::NotATimestamp => "not a timestamp",
            Self::TextTooLong => "text too long",
            Self::Unmatched => return write!(f, "{}", Cause::unmatched()),
            Self::NoRoom => "the texts of the decision are too long",
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

    /// The number, if it is one.
    pub fn as_number(self) -> Option<Number> {
        match self {
            Self::Number(double) => Some(Number::Double(double)),
            Self::Exact(exact) => Some(Number::Exact(exact)),
            _ => None,
        }
    }

    /// The type; none for null.
    pub fn type_of(self) -> Option<Type> {
        match self {
            Self::Null(_) => None,
            Self::Number(_) | Self::Exact(_) => Some(Type::Number),
            Self::Text(_) => Some(Type::String),
            Self::Boolean(_) => Some(Type::Boolean),
            Self::Date(_) => Some(Type::Date),
            Self::Timestamp(_) => Some(Type::Timestamp),
        }
    }
}

impl From<Number> for Datum {
    fn from(number: Number) -> Self {
        match number {
            Number::Double(double) => Self::number(double),
            Number::Exact(exact) => Self::Exact(exact),
        }
    }
}
