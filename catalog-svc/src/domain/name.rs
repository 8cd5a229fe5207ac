//! Checks names of fields and words, and hints at known names.

pub use wire::{
    name::{HINTS_MAX, Hints, hint},
    text::quoted,
};

/// Longest field name, in bytes.
pub const FIELD_NAME_MAX: usize = 63;
/// Longest free word about an offer, in characters.
pub const WORD_MAX: usize = 200;

/// True for `[A-Za-z_][A-Za-z0-9_]{0,62}`.
pub fn is_field_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && text.len() <= FIELD_NAME_MAX
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What is wrong with a field name, if anything.
pub fn field_name_fault(text: &str) -> Option<String> {
    match text {
        "" => Some("is required".to_owned()),
        _ if is_field_name(text) => None,
        _ => Some(format!(
            "`{}` must match [A-Za-z_][A-Za-z0-9_]{{0,{}}}",
            quoted(text),
            FIELD_NAME_MAX - 1
        )),
    }
}

/// What is wrong with a short free text, if anything.
pub fn word_fault(text: &str) -> Option<String> {
    let length = text.chars().count();
    if text.chars().any(char::is_control) {
        return Some("must not contain control characters".to_owned());
    }
    (length > WORD_MAX)
        .then(|| format!("has {length} characters, which exceeds the maximum {WORD_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_name_is_a_word_of_the_formula_language() {
        for right in ["a", "_x", "lifetimePurchases", "A9", &"a".repeat(63)] {
            assert_eq!(field_name_fault(right), None, "{right}");
        }
        for wrong in ["", "9a", "a-b", "a b", "é", "a.b", "a\0", &"a".repeat(64)] {
            assert!(field_name_fault(wrong).is_some(), "{wrong}");
        }
    }
}
