//! A customer's record loaded for programs. It is loaded once and read by any number of
//! evaluations.

use super::{Datum, Register, Registers, Text, Why, Word};

/// Set in the number of a register that the record fills.
const RECORD: Register = 1 << 31;

/// A record.
#[derive(Clone, Debug, Default)]
pub struct Record {
    words: Vec<Word>,
    pub(super) texts: String,
}

/// What programs read: the record, and what else was filled for this evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The record.
    pub record: &'a Record,
    /// The others.
    pub registers: &'a Registers,
}

impl Record {
    /// Bytes that its texts take up.
    pub fn size(&self) -> usize {
        self.texts.capacity()
    }

    /// The register of a field by its number.
    pub fn register(field: usize) -> Register {
        RECORD | field as Register
    }

    /// The number of the field that fills a register, if it is one's.
    pub fn field(register: Register) -> Option<usize> {
        (register & RECORD != 0).then_some((register & !RECORD) as usize)
    }

    /// Forgets everything but its room: so many fields, all missing.
    pub fn clear(&mut self, fields: usize) {
        self.words.clear();
        self.words
            .extend((0..fields).map(|field| Word::null(Why::Register(Self::register(field)))));
        self.texts.clear();
    }

    /// Fills a field by its number.
    pub fn put(&mut self, field: usize, word: Word) {
        if let Some(place) = self.words.get_mut(field) {
            *place = word;
        }
    }

    /// Keeps a text.
    pub fn text(&mut self, text: &str) -> Datum {
        let start = self.texts.len();
        self.texts.push_str(text);
        Text::of_record(start, text.len()).map_or(Datum::Null(Why::TextTooLong), Datum::Text)
    }

    /// The value of one of its registers; none for another.
    #[inline]
    pub fn word(&self, register: Register) -> Option<Word> {
        let field = Self::field(register)?;
        Some(self.words.get(field).copied().unwrap_or(Word::null(Why::Register(register))))
    }
}

impl Inputs<'_> {
    /// The value of a register that has been filled.
    #[inline]
    pub(super) fn word(self, register: Register) -> Word {
        self.record.word(register).unwrap_or_else(|| self.registers.word(register))
    }
}
