//! Evaluates a function call in a program.

use chrono::{DateTime, Datelike as _, NaiveDate};

use super::{Datum, Text, Why, Word, run::Run};
use crate::{TEXT_BYTES_MAX, function::Function};

/// Arguments of a function that takes a fixed number of them, at most.
const FEW_MAX: usize = 3;

impl Run<'_> {
    /// What a function makes of the arguments that lie on the stack from `from` on.
    pub(super) fn call(&mut self, function: Function, from: usize) -> Word {
        let arguments = self.memory.stack.get(from..).unwrap_or_default();
        if let Some(null) = arguments.iter().find(|value| value.is_null()) {
            return *null;
        }
        let value = match (function, arguments) {
            (Function::In, [wanted, rest @ ..]) => {
                let (texts, wanted) = (self.texts(), wanted.datum());
                let is_wanted = |other: &Word| {
                    texts.order(wanted, other.datum()).is_some_and(|order| order.is_eq())
                };
                Datum::Boolean(rest.iter().any(is_wanted))
            }
            (Function::Min, numbers) => folded(numbers, f64::min),
            (Function::Max, numbers) => folded(numbers, f64::max),
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
            (_, [Datum::Number(x), rest @ ..]) => numeric(function, *x, rest),
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

    /// The texts on the stack from `from` on, one after the other.
    pub(super) fn concat(&mut self, from: usize) -> Datum {
        let start = self.memory.written.len();
        let mut at = from;
        while let Some(part) = self.memory.stack.get(at).copied() {
            if let Datum::Text(text) = part.datum() {
                self.memory.append(text, self.constants, self.inputs.record);
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
            (Function::Date, None) => match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
                Ok(date) => Datum::Date(date),
                Err(_) => Datum::Null(Why::NotADate),
            },
            (Function::Timestamp, None) => match DateTime::parse_from_rfc3339(text) {
                Ok(at) => Datum::Timestamp(at.to_utc()),
                Err(_) => Datum::Null(Why::NotATimestamp),
            },
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

fn folded(numbers: &[Word], pick: fn(f64, f64) -> f64) -> Datum {
    numbers
        .iter()
        .filter_map(|word| word.as_number())
        .reduce(pick)
        .map_or(Datum::Null(Why::NoArguments), Datum::number)
}

fn numeric(function: Function, x: f64, rest: &[Datum]) -> Datum {
    match (function, rest) {
        (Function::Round, [Datum::Number(digits)]) => rounded(x, *digits),
        (Function::Floor, []) => Datum::number(x.floor()),
        (Function::Ceil, []) => Datum::number(x.ceil()),
        (Function::Abs, []) => Datum::number(x.abs()),
        (Function::Sqrt, []) => Datum::number(libm::sqrt(x)),
        (Function::Log, []) => Datum::number(libm::log(x)),
        (Function::Log10, []) => Datum::number(libm::log10(x)),
        (Function::Exp, []) => Datum::number(libm::exp(x)),
        (Function::Pow, [Datum::Number(power)]) => Datum::number(libm::pow(x, *power)),
        (Function::Clamp, [Datum::Number(low), Datum::Number(high)]) if low > high => {
            Datum::Null(Why::ReversedBounds)
        }
        (Function::Clamp, [Datum::Number(low), Datum::Number(high)]) => {
            Datum::number(x.clamp(*low, *high))
        }
        _ => Datum::Null(Why::Arguments),
    }
}

/// Rounded to so many decimals, halves away from zero.
fn rounded(x: f64, digits: f64) -> Datum {
    if digits.fract() != 0.0 || digits.abs() > 15.0 {
        return Datum::Null(Why::Digits);
    }
    let scale = libm::pow(10.0, digits.abs());
    let result =
        if digits >= 0.0 { (x * scale).round() / scale } else { (x / scale).round() * scale };
    // A number too large to be scaled has no decimals to round. Adding zero turns -0 into 0.
    if result.is_finite() { Datum::number(result + 0.0) } else { Datum::number(x) }
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
