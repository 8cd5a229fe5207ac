//! A [`Datum`] in two machine words, the form in registers. A processor stalls when it copies an
//! enum as a whole that was just written in parts; two words are forwarded at once.

use chrono::{DateTime, Datelike as _, NaiveDate};

use super::{Datum, Text, Why};
use crate::Type;

const NULL: u64 = 0;
const NUMBER: u64 = 1;
const TEXT: u64 = 2;
const BOOLEAN: u64 = 3;
const DATE: u64 = 4;
/// The nanoseconds are in the bits above it.
const TIMESTAMP: u64 = 5;

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

    /// The number, if it is one.
    pub fn as_number(self) -> Option<f64> {
        (self.kind == NUMBER).then_some(f64::from_bits(self.bits))
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
            Type::Number => NUMBER,
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
const PLAIN: [Why; 13] = [
    Why::Null,
    Why::NotANumber,
    Why::Overflow,
    Why::DivisionByZero,
    Why::RemainderByZero,
    Why::Operands,
    Why::Arguments,
    Why::NoArguments,
    Why::ReversedBounds,
    Why::Digits,
    Why::NotADate,
    Why::NotATimestamp,
    Why::TextTooLong,
];

/// The lowest byte: 0 for a register, 1 for a misfit, then the plain ones.
fn packed(why: Why) -> u64 {
    let number_of = |wanted: Type| {
        TYPES.iter().position(|of_type| *of_type == wanted).unwrap_or_default() as u64
    };
    match why {
        Why::Register(register) => u64::from(register) << 8,
        Why::Misfit(found, wanted) => 1 | number_of(found) << 8 | number_of(wanted) << 16,
        plain => 2 + PLAIN.iter().position(|other| *other == plain).unwrap_or_default() as u64,
    }
}

fn unpacked(bits: u64) -> Why {
    let type_of =
        |number: u64| TYPES.get((number & 0xFF) as usize).copied().unwrap_or(Type::Number);
    match bits & 0xFF {
        0 => Why::Register((bits >> 8) as u32),
        1 => Why::Misfit(type_of(bits >> 8), type_of(bits >> 16)),
        plain => PLAIN.get((plain - 2) as usize).copied().unwrap_or(Why::Null),
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
        let all = [0.0, -0.0, 1.5, f64::MAX, f64::MIN_POSITIVE].map(Datum::Number).into_iter();
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
