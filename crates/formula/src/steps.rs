//! What programs cost at most, in steps. A step takes about a nanosecond on a processor of 2025. It
//! is counted from the program and never measured, so the same program costs the same everywhere.

use std::ops::AddAssign;

use crate::limit::{MATCHED_BYTES_MAX, TEXT_BYTES_MAX};

/// Bytes that a search or a comparison of texts takes in per step.
const BYTES_A_STEP: u64 = 16;
/// Steps for each byte of a text and state of a regular expression: measured 8 to 23 ns where its
/// automaton does not fit its memory, and far less where it does.
const STEPS_A_STATE: u64 = 8;

/// Steps of a program, apart by what they grow with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// The same for all values.
    fixed: u64,
    /// How often a text is read once.
    scans: u64,
    /// States of the regular expressions that read a text.
    states: u64,
}

impl Steps {
    /// So many, whatever the values are.
    pub const fn fixed(fixed: usize) -> Self {
        Self { fixed: fixed as u64, scans: 0, states: 0 }
    }

    /// One reading of a text.
    pub const fn scan() -> Self {
        Self { scans: 1, ..Self::fixed(4) }
    }

    /// A call of a function, which may read a text and write one.
    pub const fn call() -> Self {
        Self { scans: 4, ..Self::fixed(64) }
    }

    /// A regular expression of so many states.
    pub const fn states(states: usize) -> Self {
        Self { states: states as u64, ..Self::fixed(64) }
    }

    /// Steps at most, when no text has more bytes than `text_bytes`.
    pub fn with_texts_of(&self, text_bytes: usize) -> u64 {
        let scanned = self.scans.saturating_mul(text_bytes as u64 / BYTES_A_STEP);
        let matched = text_bytes.min(MATCHED_BYTES_MAX) as u64 * STEPS_A_STATE;
        self.fixed.saturating_add(scanned).saturating_add(self.states.saturating_mul(matched))
    }

    /// Steps at most, whatever the values are.
    pub fn most(&self) -> u64 {
        self.with_texts_of(TEXT_BYTES_MAX)
    }
}

impl AddAssign for Steps {
    fn add_assign(&mut self, other: Self) {
        self.fixed = self.fixed.saturating_add(other.fixed);
        self.scans = self.scans.saturating_add(other.scans);
        self.states = self.states.saturating_add(other.states);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_grow_with_the_longest_text_up_to_what_is_matched() {
        let mut steps = Steps::fixed(10);
        steps += Steps::scan();
        steps += Steps::states(100);
        assert_eq!(steps.with_texts_of(0), 10 + 4 + 64);
        assert_eq!(steps.with_texts_of(160), 78 + 10 + 100 * 160 * 8);
        let matched = 100 * 1024 * 8;
        assert_eq!(steps.with_texts_of(1024), 78 + 64 + matched);
        assert_eq!(steps.with_texts_of(2048), 78 + 128 + matched);
        assert_eq!(steps.most(), 78 + 4096 + matched);
    }
}
