//! A regular expression of a rule, with what it costs.

use regex::{Regex, RegexBuilder};
use regex_automata::nfa::thompson::NFA;

use crate::{limit::MATCHED_BYTES_MAX, steps::Steps};

/// Most memory of a compiled regular expression, in bytes.
pub const REGEX_BYTES_MAX: usize = 16 * 1024;
/// Most memory of the automaton that matching makes of it, in bytes. Beyond it matching is slower.
const AUTOMATON_BYTES_MAX: usize = 256 * 1024;
/// Deepest nesting of groups and repetitions.
const NESTING_MAX: u32 = 32;

/// A regular expression. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    states: usize,
}

impl Pattern {
    /// Compiles it; an error says what is wrong with it.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let built = RegexBuilder::new(pattern)
            .size_limit(REGEX_BYTES_MAX)
            .dfa_size_limit(AUTOMATON_BYTES_MAX)
            .nest_limit(NESTING_MAX)
            .build();
        let regex = built.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => format!(
                "the regular expression needs more than {REGEX_BYTES_MAX} bytes: repeat less, and \
                 write `[A-Za-z0-9_]` for `\\w` and `[0-9]` for `\\d`, which mean the letters and \
                 digits of all scripts"
            ),
            _ => format!("`{pattern}` is not a regular expression"),
        })?;
        // INVARIANT: what the library compiled under a limit compiles.
        let states = NFA::new(pattern).map_or(REGEX_BYTES_MAX, |nfa| nfa.states().len());
        Ok(Self { regex, states })
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// Whether it matches somewhere in a text.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// What it costs to match.
    pub fn steps(&self) -> Steps {
        Steps::states(self.states)
    }
}

/// Why a text is not matched, if it is too long.
pub fn is_too_long(text: &str) -> bool {
    text.len() > MATCHED_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_bounded_by_what_it_compiles_to() {
        for fits in ["^summer-[0-9]{4}$", "(?i)gold|silver", "^\\d+$", ".*[.]example[.](com|org)$"]
        {
            let pattern = Pattern::new(fits).unwrap();
            assert!(pattern.states > 2 && pattern.states < 1_000, "{fits}: {}", pattern.states);
        }
        let most = (1..10_000).find(|n| Pattern::new(&format!("a{{{n}}}")).is_err()).unwrap();
        assert!(Pattern::new(&format!("a{{{}}}", most - 1)).is_ok());
        assert!(most > 100, "{most}");
        let fault = Pattern::new("[ab]*a[ab]{3632}c").unwrap_err();
        assert!(fault.starts_with("the regular expression needs more than 16384 bytes"), "{fault}");
        assert_eq!(Pattern::new("(").unwrap_err(), "`(` is not a regular expression");
    }
}
