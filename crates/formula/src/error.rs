//! The error of a formula that does not parse or type-check: position, message, source.

use std::fmt;

/// A fault with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormulaError {
    /// Byte offset in the source, from 0.
    pub position: usize,
    /// What is wrong and what was expected.
    pub message: String,
    /// The beginning of the source.
    excerpt: String,
}

/// Characters of the source that an error quotes.
const EXCERPT_CHARS: usize = 60;

impl FormulaError {
    pub(crate) fn new(position: usize, message: impl Into<String>) -> Self {
        Self { position, message: message.into(), excerpt: String::new() }
    }

    pub(crate) fn about(self, source: &str) -> Self {
        let mut excerpt: String = source.chars().take(EXCERPT_CHARS).collect();
        if excerpt.len() < source.len() {
            excerpt.push('…');
        }
        Self { excerpt, ..self }
    }
}

impl fmt::Display for FormulaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "formula `{}`: {} at column {}", self.excerpt, self.message, self.position + 1)
    }
}

impl std::error::Error for FormulaError {}
