//! The memory of running programs: the texts of constants, records and results, and the stack.

use std::{cmp::Ordering, collections::HashMap, fmt::Write as _};

use foldhash::fast::RandomState;

use super::{Datum, Record, Text, Why, Word};
use crate::{Cause, Number, Value, rule::Pattern};

/// Bytes of the texts that programs may write for one decision. What goes beyond it is null.
pub const WRITTEN_BYTES_MAX: usize = 1024 * 1024;

/// The texts and patterns of programs, each once.
#[derive(Clone, Debug, Default)]
pub struct Constants {
    all: String,
    patterns: HashMap<Box<str>, Pattern, RandomState>,
    known: HashMap<Box<str>, Text, RandomState>,
}

/// What programs write while they run; used again and again.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pub(super) written: String,
    pub(super) stack: Vec<Word>,
}

/// The texts of constants, record and memory, to be read.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    constants: &'a str,
    record: &'a str,
    written: &'a str,
}

impl Constants {
    /// The handle of a text; none when there is no room for more.
    pub fn keep(&mut self, text: &str) -> Option<Text> {
        if let Some(known) = self.known.get(text) {
            return Some(*known);
        }
        let handle = Text::of_constants(self.all.len(), text.len())?;
        self.all.push_str(text);
        self.known.insert(text.into(), handle);
        Some(handle)
    }

    /// An equal pattern that is kept, so that patterns and their memory are shared.
    pub(super) fn pattern(&mut self, pattern: &Pattern) -> Pattern {
        let known = self.patterns.entry(pattern.as_str().into());
        known.or_insert_with(|| pattern.clone()).clone()
    }

    /// A value that owns its text, as a constant.
    pub fn datum(&mut self, value: &Value) -> Option<Datum> {
        Some(match value {
            Value::Null(_) => Datum::Null(Why::Null),
            Value::Number(number) => Datum::Number(*number),
            Value::Exact(exact) => Datum::Exact(*exact),
            Value::String(text) => Datum::Text(self.keep(text)?),
            Value::Boolean(is) => Datum::Boolean(*is),
            Value::Date(date) => Datum::Date(*date),
            Value::Timestamp(at) => Datum::Timestamp(*at),
        })
    }

    /// The constant that equals a text that comes from outside, if there is one.
    pub fn known(&self, text: &str) -> Option<Datum> {
        self.known.get(text).copied().map(Datum::Text)
    }

    /// The texts, with those of a record and a memory.
    pub fn texts<'a>(&'a self, record: &'a Record, memory: &'a Memory) -> Texts<'a> {
        Texts { constants: &self.all, record: &record.texts, written: &memory.written }
    }
}

impl Memory {
    /// Forgets everything but its room.
    pub fn clear(&mut self) {
        self.written.clear();
        self.stack.clear();
    }

    /// Bytes that it takes up.
    pub fn size(&self) -> usize {
        self.written.capacity() + self.stack.capacity() * size_of::<Word>()
    }

    /// Keeps a text.
    pub fn text(&mut self, text: &str) -> Datum {
        let start = self.written.len();
        self.written.push_str(text);
        self.since(start)
    }

    /// What was written from `start` on; it is taken back when there is too much.
    pub(super) fn since(&mut self, start: usize) -> Datum {
        if self.written.len() > WRITTEN_BYTES_MAX {
            self.written.truncate(start);
            return Datum::Null(Why::NoRoom);
        }
        let handle = Text::of_memory(start, self.written.len().saturating_sub(start));
        handle.map_or(Datum::Null(Why::TextTooLong), Datum::Text)
    }

    /// Writes a kept text once more, at the end.
    pub(super) fn append(&mut self, text: Text, constants: &Constants, record: &Record) {
        let (start, end) = text.range();
        if text.is_constant() {
            self.written.push_str(constants.all.get(start..end).unwrap_or_default());
        } else if text.is_of_record() {
            self.written.push_str(record.texts.get(start..end).unwrap_or_default());
        } else if self.written.is_char_boundary(start) && self.written.is_char_boundary(end) {
            self.written.extend_from_within(start..end);
        }
    }

    /// Writes what a value looks like.
    pub(super) fn spell(&mut self, value: Datum) -> Datum {
        let start = self.written.len();
        match value {
            Datum::Text(_) | Datum::Null(_) => return value,
            // Writing to a string cannot fail.
            Datum::Number(number) => drop(write!(self.written, "{}", Number::Double(number))),
            Datum::Exact(exact) => drop(write!(self.written, "{exact}")),
            Datum::Boolean(is) => drop(write!(self.written, "{is}")),
            Datum::Date(date) => drop(write!(self.written, "{date}")),
            Datum::Timestamp(at) => drop(write!(self.written, "{}", Value::Timestamp(at))),
        }
        self.since(start)
    }
}

impl<'a> Texts<'a> {
    /// The text of a handle.
    pub fn get(self, text: Text) -> &'a str {
        let (start, end) = text.range();
        let whole = match (text.is_constant(), text.is_of_record()) {
            (true, _) => self.constants,
            (_, true) => self.record,
            _ => self.written,
        };
        whole.get(start..end).unwrap_or_default()
    }

    /// The order of two values of one type; text by code point.
    pub(super) fn order(self, left: Datum, right: Datum) -> Option<Ordering> {
        match (left, right) {
            (Datum::Number(a), Datum::Number(b)) => a.partial_cmp(&b),
            (Datum::Exact(_), _) | (_, Datum::Exact(_)) => {
                left.as_number()?.order(right.as_number()?)
            }
            (Datum::Text(a), Datum::Text(b)) if a == b => Some(Ordering::Equal),
            (Datum::Text(a), Datum::Text(b)) => Some(self.get(a).cmp(self.get(b))),
            (Datum::Boolean(a), Datum::Boolean(b)) => Some(a.cmp(&b)),
            (Datum::Date(a), Datum::Date(b)) => Some(a.cmp(&b)),
            (Datum::Timestamp(a), Datum::Timestamp(b)) => Some(a.cmp(&b)),
            _ => None,
        }
    }

    /// Whether two values are of one type and equal.
    pub(super) fn is_equal(self, left: Datum, right: Datum) -> bool {
        match (left, right) {
            (Datum::Text(a), Datum::Text(b)) => {
                a == b || (a.bytes == b.bytes && self.get(a) == self.get(b))
            }
            _ => self.order(left, right).is_some_and(Ordering::is_eq),
        }
    }

    /// The value with its own text; `cause` explains a null.
    pub fn value(self, datum: Datum, cause: &dyn Fn(Why) -> String) -> Value {
        match datum {
            Datum::Null(why) => Value::Null(Cause::new(cause(why))),
            Datum::Number(number) => Value::Number(number),
            Datum::Exact(exact) => Value::Exact(exact),
            Datum::Text(text) => Value::String(self.get(text).into()),
            Datum::Boolean(is) => Value::Boolean(is),
            Datum::Date(date) => Value::Date(date),
            Datum::Timestamp(at) => Value::Timestamp(at),
        }
    }
}
