//! Evaluates a function call in a program.

use std::cmp::Ordering;

use chrono::{Datelike as _, NaiveDate};

use super::{
    Datum, Text, Why, Word,
    datum::{Argument, Mixed},
    run::Run,
};
use crate::{
    Number, TEXT_BYTES_MAX, Type, calendar,
    function::{Function, Takes},
};

/// Arguments of a function that takes a fixed number of them, at most.
const FEW_MAX: usize = 3;

impl Run<'_> {
    /// What a function makes of the arguments that lie on the stack from `from` on.
    pub(super) fn call(&mut self, function: Function, from: usize) -> Word {
        let arguments = self.memory.stack.get(from..).unwrap_or_default();
        if let Some(null) = arguments.iter().find(|value| value.is_null()) {
            return *null;
        }
        if let Some(misfit) = misfit(function, arguments) {
            return Word::null(misfit);
        }
        let value = match (function, arguments) {
            (Function::In, [wanted, rest @ ..]) => {
                let (texts, wanted) = (self.texts(), wanted.datum());
                let is_wanted = |other: &Word| {
                    texts.order(wanted, other.datum()).is_some_and(|order| order.is_eq())
                };
                Datum::Boolean(rest.iter().any(is_wanted))
            }
            (Function::Min, numbers) => folded(numbers, f64::min, Ordering::is_le),
            (Function::Max, numbers) => folded(numbers, f64::max, Ordering::is_ge),
            (Function::Concat, _) => self.concat(from),
            (_, few) => {
                let mut data = [Datum::Null(Why::Arguments); FEW_MAX];
                data.iter_mut().zip(few).for_each(|(place, word)| *place = word.datum());
                let count = few.len();
                self.of_few(function, data.get(..count).unwrap_or_default())
            }
        };
        value.into()
    }

    fn of_few(&mut self, function: Function, arguments: &[Datum]) -> Datum {
        match (function, arguments) {
            (Function::Now, []) => Datum::Timestamp(self.moment.now),
            (_, [first, rest @ ..]) if let Some(x) = first.as_number() => {
                numeric(function, x, rest)
            }
            (_, [Datum::Text(text), rest @ ..]) => {
                self.textual(function, *text, rest.first().copied())
            }
            (Function::DaysBetween, [Datum::Date(from), Datum::Date(to)]) => {
                Datum::number((*to - *from).num_days() as f64)
            }
            (_, [Datum::Date(date)]) => calendar(function, *date),
            (_, [Datum::Timestamp(at)]) => {
                calendar(function, at.with_timezone(&self.moment.zone).date_naive())
            }
            _ => Datum::Null(Why::Arguments),
        }
    }

    /// The text written from `start` on, taken back when it is too long.
    fn bounded(&mut self, start: usize) -> Datum {
        if self.memory.written.len() - start > TEXT_BYTES_MAX {
            self.memory.written.truncate(start);
            return Datum::Null(Why::TextTooLong);
        }
        self.memory.since(start)
    }

    /// The values on the stack from `from` on, as one text.
    pub(super) fn concat(&mut self, from: usize) -> Datum {
        let start = self.memory.written.len();
        let mut at = from;
        while let Some(part) = self.memory.stack.get(at).copied() {
            match part.datum() {
                Datum::Text(text) => {
                    self.memory.append(text, self.constants, self.inputs.record);
                }
                other => drop(self.memory.spell(other)),
            }
            at += 1;
        }
        self.bounded(start)
    }

    fn textual(&mut self, function: Function, handle: Text, second: Option<Datum>) -> Datum {
        match function {
            Function::Lower => return self.cased(handle, false),
            Function::Upper => return self.cased(handle, true),
            _ => {}
        }
        let texts = self.texts();
        let text = texts.get(handle);
        match (function, second) {
            (Function::Trim, None) => {
                let trimmed = text.trim();
                let before = text.len() - text.trim_start().len();
                Datum::Text(handle.part(before, trimmed.len()))
            }
            (Function::Length, None) => Datum::number(text.chars().count() as f64),
            (Function::Contains, Some(Datum::Text(part))) => {
                Datum::Boolean(text.contains(texts.get(part)))
            }
            (Function::StartsWith, Some(Datum::Text(part))) => {
                Datum::Boolean(text.starts_with(texts.get(part)))
            }
            (Function::EndsWith, Some(Datum::Text(part))) => {
                Datum::Boolean(text.ends_with(texts.get(part)))
            }
            (Function::Date, None) => {
                calendar::date(text).map_or(Datum::Null(Why::NotADate), Datum::Date)
            }
            (Function::Timestamp, None) => {
                calendar::timestamp(text).map_or(Datum::Null(Why::NotATimestamp), Datum::Timestamp)
            }
            _ => Datum::Null(Why::Arguments),
        }
    }

    fn cased(&mut self, handle: Text, is_upper: bool) -> Datum {
        const SIGMA: char = '\u{3A3}';
        let text = self.texts().get(handle);
        if !is_upper && text.contains(SIGMA) {
            // The only letter whose lower case depends on its neighbors.
            let lower = text.to_lowercase();
            return self.memory.text(&lower);
        }
        let (mut left, start) = (text.len(), self.memory.written.len());
        while let Some(next) = {
            let text = self.texts().get(handle);
            text.get(text.len() - left..).and_then(|rest| rest.chars().next())
        } {
            left -= next.len_utf8();
            if is_upper {
                self.memory.written.extend(next.to_uppercase());
            } else {
                self.memory.written.extend(next.to_lowercase());
            }
        }
        self.memory.since(start)
    }
}

/// Why the function cannot take the arguments, none of them null; none when it can.
fn misfit(function: Function, arguments: &[Word]) -> Option<Why> {
    let count = arguments.len();
    let fits = |index: usize, word: &Word| match function.takes(index, count) {
        Takes::Only(wanted) => word.is_a(wanted),
        Takes::Calendar => word.is_a(Type::Date) || word.is_a(Type::Timestamp),
        Takes::Anything | Takes::Alike => true,
    };
    let wrong = arguments.iter().enumerate().find(|(index, word)| !fits(*index, word));
    if let Some((index, word)) = wrong {
        let found = word.datum().type_of()?;
        // INVARIANT: a formula has at most 512 parts.
        let (index, count) = (index as u16, count as u16);
        return Some(Why::Argument(Argument { function, index, count, found }));
    }
    match (function, arguments) {
        (Function::In, [first, rest @ ..]) => {
            let one = first.datum().type_of()?;
            let other = rest.iter().find(|other| !other.is_a(one))?.datum().type_of()?;
            Some(Why::Mixed(Mixed { function, one, other }))
        }
        _ => None,
    }
}

/// The least or greatest number.
fn folded(numbers: &[Word], pick: fn(f64, f64) -> f64, keeps: fn(Ordering) -> bool) -> Datum {
    numbers
        .iter()
        .filter_map(|word| word.any_number())
        .reduce(|a, b| a.pick(b, pick, keeps))
        .map_or(Datum::Null(Why::NoArguments), Datum::from)
}

fn numeric(function: Function, x: Number, rest: &[Datum]) -> Datum {
    let (first, second) = (rest.first().copied(), rest.get(1).copied());
    let (first, second) = (first.and_then(Datum::as_number), second.and_then(Datum::as_number));
    match (function, first, second) {
        (Function::Round, Some(digits), None) => {
            x.round_to(digits).map_or(Datum::Null(Why::Digits), Datum::from)
        }
        (Function::Floor, None, None) => x.floor().into(),
        (Function::Ceil, None, None) => x.ceil().into(),
        (Function::Abs, None, None) => x.abs().into(),
        (Function::Sqrt, None, None) => Datum::number(libm::sqrt(x.to_double())),
        (Function::Log, None, None) => Datum::number(libm::log(x.to_double())),
        (Function::Log10, None, None) => Datum::number(libm::log10(x.to_double())),
        (Function::Exp, None, None) => Datum::number(libm::exp(x.to_double())),
        (Function::Pow, Some(power), None) => {
            Datum::number(libm::pow(x.to_double(), power.to_double()))
        }
        (Function::Clamp, Some(low), Some(high)) => {
            x.clamp(low, high).map_or(Datum::Null(Why::ReversedBounds), Datum::from)
        }
        _ => Datum::Null(Why::Arguments),
    }
}

fn calendar(function: Function, date: NaiveDate) -> Datum {
    match function {
        Function::Year => Datum::number(f64::from(date.year())),
        Function::Month => Datum::number(f64::from(date.month())),
        Function::Day => Datum::number(f64::from(date.day())),
        Function::Weekday => Datum::number(f64::from(date.weekday().number_from_monday())),
        _ => Datum::Null(Why::Arguments),
    }
}
