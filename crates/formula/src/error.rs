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
        write!(f, "formula `{}`: {}{AT}{}", self.excerpt, self.message, self.position + 1)
    }
}

impl std::error::Error for FormulaError {}

/// Between the text of a fault and its place.
const AT: &str = " at column ";

/// The byte offset, from 0, that the text of a [`FormulaError`] ends with; the text of others has
/// none. A fault travels as text, so this is how its place is found again.
pub fn position_in(text: &str) -> Option<usize> {
    let (fault, column) = text.rsplit_once(AT)?;
    if !fault.contains("formula `") {
        return None;
    }
    column.parse::<usize>().ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_fault_is_found_in_its_text() {
        for position in [0, 7, 4_095] {
            let fault = FormulaError::new(position, "expected `)` at column 3").about("round(x");
            assert_eq!(position_in(&fault.to_string()), Some(position));
        }
        for other in ["is required", "at column 3", "is not JSON at column 3", "formula `x`: no"] {
            assert_eq!(position_in(other), None, "{other}");
        }
    }
}
