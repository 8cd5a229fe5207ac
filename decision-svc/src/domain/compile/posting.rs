//! Which groups a value leads to.

use std::collections::HashMap;

use chrono::Datelike as _;
use foldhash::fast::RandomState;
use formula::program::{Datum, Register, Texts};

/// Groups by the value of one register.
#[derive(Debug)]
pub(crate) struct Access {
    /// Whose value is looked up.
    pub register: Register,
    texts: HashMap<Box<str>, Vec<u32>, RandomState>,
    others: HashMap<Exact, Vec<u32>, RandomState>,
}

/// A value that is not text, so that equal values have equal keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Exact(u8, i64, u32);

/// A value to be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    Text(&'a str),
    Other(Exact),
}

impl<'a> Key<'a> {
    /// The key of a value; none for null, which equals nothing.
    pub fn of(value: Datum, texts: Texts<'a>) -> Option<Self> {
        Some(Self::Other(match value {
            Datum::Null(_) => return None,
            Datum::Text(text) => return Some(Self::Text(texts.get(text))),
            // Adding zero turns -0 into 0, which it equals.
            Datum::Number(number) => Exact(0, (number + 0.0).to_bits() as i64, 0),
            Datum::Boolean(is) => Exact(1, i64::from(is), 0),
            Datum::Date(date) => Exact(2, i64::from(date.num_days_from_ce()), 0),
            Datum::Timestamp(at) => Exact(3, at.timestamp(), at.timestamp_subsec_nanos()),
        }))
    }
}

impl Access {
    /// Nothing leads anywhere yet.
    pub fn new(register: Register) -> Self {
        Self { register, texts: HashMap::default(), others: HashMap::default() }
    }

    /// Leads from a value to a group.
    pub(super) fn lead(&mut self, key: Key<'_>, group: u32) {
        let groups = match key {
            Key::Text(text) => self.texts.entry(text.into()).or_default(),
            Key::Other(exact) => self.others.entry(exact).or_default(),
        };
        // A list may name a value twice.
        if groups.last() != Some(&group) {
            groups.push(group);
        }
    }

    /// Where a value leads.
    pub fn groups(&self, value: Datum, texts: Texts<'_>) -> &[u32] {
        let found = match Key::of(value, texts) {
            Some(Key::Text(text)) => self.texts.get(text),
            Some(Key::Other(exact)) => self.others.get(&exact),
            None => None,
        };
        found.map_or(&[], Vec::as_slice)
    }
}
