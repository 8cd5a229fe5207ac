//! A [`Datum`] in two machine words, the form in registers. A processor stalls when it copies an
//! enum as a whole that was just written in parts; two words are forwarded at once.

use chrono::{DateTime, Datelike as _, NaiveDate};

use super::{
    Datum, Text, Why,
    datum::{Argument, Mixed, Operands},
};
use crate::{Exact, Number, Type, ast::Operator, function::Function};

const NULL: u64 = 0;
const NUMBER: u64 = 1;
const TEXT: u64 = 2;
const BOOLEAN: u64 = 3;
const DATE: u64 = 4;
/// The nanoseconds are in the bits above it.
const TIMESTAMP: u64 = 5;
/// The sign is in the next bit, the scale in the byte after next, and 32 bits of the digits are in
/// the upper half.
const EXACT: u64 = 6;

/// The value of a register.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    kind: u64,
    bits: u64,
}

impl Word {
    /// Not known.
    pub fn null(why: Why) -> Self {
        Self { kind: NULL, bits: packed(why) }
    }

    /// A number, or null when it is none.
    #[inline]
    pub(super) fn finite(number: f64) -> Self {
        if number.is_finite() { Self::number(number) } else { Datum::number(number).into() }
    }

    /// A number that is one.
    pub(super) fn number(number: f64) -> Self {
        Self { kind: NUMBER, bits: number.to_bits() }
    }

    /// True or false.
    pub fn boolean(is: bool) -> Self {
        Self { kind: BOOLEAN, bits: u64::from(is) }
    }

    /// A date by its days since the last of December of the year 0.
    pub(crate) fn of_days(days: i32) -> Self {
        Self { kind: DATE, bits: u64::from(days as u32) }
    }

    /// Whether it is not known.
    pub fn is_null(self) -> bool {
        self.kind == NULL
    }

    /// The number, if it is a double.
    #[inline]
    pub fn as_number(self) -> Option<f64> {
        (self.kind == NUMBER).then_some(f64::from_bits(self.bits))
    }

    /// The number as a double, if it is one.
    #[inline]
    pub fn to_double(self) -> Option<f64> {
        self.as_number().or_else(|| self.as_exact().map(Exact::to_double))
    }

    /// The number that no double is, if it is one.
    #[inline(never)]
    pub(super) fn as_exact(self) -> Option<Exact> {
        if self.kind & 0xFF != EXACT {
            return None;
        }
        let digits = u128::from(self.kind >> 32) << 64 | u128::from(self.bits);
        Some(Exact::from_parts(self.kind & 0x100 != 0, (self.kind >> 16 & 0xFF) as u32, digits))
    }

    /// The number, if it is one.
    pub(super) fn any_number(self) -> Option<Number> {
        self.as_number().map(Number::Double).or_else(|| self.as_exact().map(Number::Exact))
    }

    /// The truth, if it is one.
    pub fn as_boolean(self) -> Option<bool> {
        (self.kind == BOOLEAN).then_some(self.bits != 0)
    }

    /// The days of a date since the last of December of the year 0, if it is one.
    pub(super) fn as_days(self) -> Option<i32> {
        (self.kind == DATE).then_some(self.bits as i32)
    }

    /// What equal values that come from outside have in common, and only they. None for null, which
    /// equals nothing, and for a text that equals no constant.
    pub fn key(self) -> Option<(u64, u64)> {
        match self.kind {
            NULL => None,
            TEXT if !self.text().is_constant() => None,
            // Adding zero turns -0 into 0, which it equals.
            NUMBER => Some((NUMBER, (f64::from_bits(self.bits) + 0.0).to_bits())),
            kind => Some((kind, self.bits)),
        }
    }

    fn text(self) -> Text {
        Text { start: self.bits as u32, bytes: (self.bits >> 32) as u32 }
    }

    /// Whether it is of a type; null is of none.
    pub(super) fn is_a(self, of_type: Type) -> bool {
        let kind = match of_type {
            Type::Number => return self.kind == NUMBER || self.kind & 0xFF == EXACT,
            Type::Any => return !self.is_null(),
            Type::String => TEXT,
            Type::Boolean => BOOLEAN,
            Type::Date => DATE,
            Type::Timestamp => return self.kind & 0xFF == TIMESTAMP,
        };
        self.kind == kind
    }

    /// The value.
    pub fn datum(self) -> Datum {
        // INVARIANT: words are made of data only, so what does not fit below cannot be.
        match self.kind & 0xFF {
            NUMBER => Datum::Number(f64::from_bits(self.bits)),
            EXACT => self.as_exact().map_or(Datum::Null(Why::Null), Datum::Exact),
            TEXT => Datum::Text(self.text()),
            BOOLEAN => Datum::Boolean(self.bits != 0),
            DATE => Datum::Date(
                NaiveDate::from_num_days_from_ce_opt(self.bits as i32).unwrap_or_default(),
            ),
            TIMESTAMP => {
                let at = DateTime::from_timestamp(self.bits as i64, (self.kind >> 8) as u32);
                Datum::Timestamp(at.unwrap_or_default())
            }
            _ => Datum::Null(unpacked(self.bits)),
        }
    }
}

impl From<Datum> for Word {
    fn from(datum: Datum) -> Self {
        let (kind, bits) = match datum {
            Datum::Null(why) => (NULL, packed(why)),
            Datum::Number(number) => (NUMBER, number.to_bits()),
            Datum::Exact(exact) => {
                let (is_negative, scale, digits) = exact.parts();
                let kind = EXACT | u64::from(is_negative) << 8 | u64::from(scale) << 16;
                (kind | ((digits >> 64) as u64) << 32, digits as u64)
            }
            Datum::Text(Text { start, bytes }) => (TEXT, u64::from(start) | u64::from(bytes) << 32),
            Datum::Boolean(is) => (BOOLEAN, u64::from(is)),
            Datum::Date(date) => return Self::of_days(date.num_days_from_ce()),
            Datum::Timestamp(at) => {
                (TIMESTAMP | u64::from(at.timestamp_subsec_nanos()) << 8, at.timestamp() as u64)
            }
        };
        Self { kind, bits }
    }
}

const TYPES: [Type; 5] = [Type::Number, Type::String, Type::Boolean, Type::Date, Type::Timestamp];

/// The causes that say no more than themselves.
const PLAIN: [Why; 16] = [
    Why::Null,
    Why::NotANumber,
    Why::Overflow,
    Why::DivisionByZero,
    Why::RemainderByZero,
    Why::Arguments,
    Why::NoArguments,
    Why::ReversedBounds,
    Why::Digits,
    Why::PartOfDay,
    Why::DateRange,
    Why::NotADate,
    Why::NotATimestamp,
    Why::TextTooLong,
    Why::Unmatched,
    Why::NoRoom,
];
/// The first number of a plain cause.
const PLAIN_FIRST: u64 = 5;

/// A few small numbers in one, behind the lowest byte.
fn bytes<const N: usize>(lowest: u64, others: [u64; N]) -> u64 {
    others.into_iter().zip(1..).fold(lowest, |all, (other, place)| all | other << (8 * place))
}

fn number_of<T: PartialEq>(all: impl Iterator<Item = T>, wanted: &T) -> u64 {
    all.zip(0..).find(|(one, _)| one == wanted).map_or(0, |(_, number)| number)
}

/// The lowest byte: 0 for a register, 1 to 4 for what names types, then the plain ones.
fn packed(why: Why) -> u64 {
    let of_type = |wanted: Type| number_of(TYPES.into_iter(), &wanted);
    let function = |wanted: Function| number_of(functions(), &wanted);
    match why {
        Why::Register(register) => u64::from(register) << 8,
        Why::Misfit(found, wanted) => bytes(1, [of_type(found), of_type(wanted)]),
        Why::Operands(Operands { operator, left, right }) => {
            let operator = number_of(Operator::ALL.into_iter(), &operator);
            bytes(2, [operator, of_type(left), of_type(right)])
        }
        Why::Argument(Argument { function: of, index, count, found }) => {
            let [low, high] = index.to_le_bytes().map(u64::from);
            let [few, many] = count.to_le_bytes().map(u64::from);
            bytes(3, [function(of), low, high, few, many, of_type(found)])
        }
        Why::Mixed(Mixed { function: of, one, other }) => {
            bytes(4, [function(of), of_type(one), of_type(other)])
        }
        plain => PLAIN_FIRST + number_of(PLAIN.into_iter(), &plain),
    }
}

fn functions() -> impl Iterator<Item = Function> {
    Function::NAMES.iter().map(|(_, function)| *function)
}

fn unpacked(bits: u64) -> Why {
    let byte = |place: u32| (bits >> (8 * place) & 0xFF) as u8;
    let of_type = |place: u32| TYPES.get(usize::from(byte(place))).copied().unwrap_or(Type::Number);
    let function = || functions().nth(usize::from(byte(1))).unwrap_or(Function::Today);
    match byte(0) {
        0 => Why::Register((bits >> 8) as u32),
        1 => Why::Misfit(of_type(1), of_type(2)),
        2 => {
            let operator = Operator::ALL.get(usize::from(byte(1))).copied();
            let operator = operator.unwrap_or(Operator::Equal);
            Why::Operands(Operands { operator, left: of_type(2), right: of_type(3) })
        }
        3 => Why::Argument(Argument {
            function: function(),
            index: u16::from_le_bytes([byte(2), byte(3)]),
            count: u16::from_le_bytes([byte(4), byte(5)]),
            found: of_type(6),
        }),
        4 => Why::Mixed(Mixed { function: function(), one: of_type(2), other: of_type(3) }),
        plain => {
            let number = u64::from(plain) - PLAIN_FIRST;
            PLAIN.get(number as usize).copied().unwrap_or(Why::Null)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_datum_it_was_made_of() {
        let dates = [NaiveDate::MIN, NaiveDate::MAX, NaiveDate::default()];
        let instants =
            ["1815-12-10T00:00:00.000000001Z", "2026-06-30T23:59:60.5Z", "2026-11-26T10:00:00Z"];
        let misfits =
            TYPES.iter().flat_map(|found| TYPES.map(|wanted| Why::Misfit(*found, wanted)));
        let whys = PLAIN.into_iter().chain(misfits).chain([0, 7, u32::MAX].map(Why::Register));
        let pairs = || TYPES.into_iter().flat_map(|one| TYPES.map(|other| (one, other)));
        let operands = Operator::ALL.into_iter().flat_map(|operator| {
            pairs().map(move |(left, right)| Why::Operands(Operands { operator, left, right }))
        });
        let mixed = functions().flat_map(|function| {
            pairs().map(move |(one, other)| Why::Mixed(Mixed { function, one, other }))
        });
        let arguments = functions().flat_map(|function| {
            TYPES.map(|found| Why::Argument(Argument { function, index: 511, count: 512, found }))
        });
        let whys = whys.chain(operands).chain(mixed).chain(arguments);
        let all = [0.0, -0.0, 1.5, f64::MAX, f64::MIN_POSITIVE].map(Datum::Number).into_iter();
        let exact = [
            "9007199254740993",
            "-9007199254740993",
            "0.1234567890123456789012345678",
            "-9999999999999999999999999999",
        ];
        let all = all.chain(exact.map(|text| Number::parse(text).unwrap().into()));
        let all = all.chain([true, false].map(Datum::Boolean));
        let all = all.chain(dates.map(Datum::Date));
        let all = all.chain(instants.map(|at| Datum::Timestamp(at.parse().unwrap())));
        let all = all.chain(
            [(0, 0), (u32::MAX, 1), (7, u32::MAX)]
                .map(|(start, bytes)| Datum::Text(Text { start, bytes })),
        );
        for datum in all.chain(whys.map(Datum::Null)) {
            let word = Word::from(datum);
            assert_eq!(format!("{:?}", word.datum()), format!("{datum:?}"));
            assert_eq!(word.is_null(), matches!(datum, Datum::Null(_)));
            assert!(
                TYPES
                    .iter()
                    .all(|of_type| word.is_a(*of_type) == (datum.type_of() == Some(*of_type)))
            );
        }
    }
}
