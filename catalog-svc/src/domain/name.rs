//! Checks names of fields and words, quotes text of callers in errors, and hints at known names.

/// Longest field name, in bytes.
pub const FIELD_NAME_MAX: usize = 63;
/// Longest free word about an offer, in characters.
pub const WORD_MAX: usize = 200;
/// Characters of input that a message quotes.
const QUOTED_MAX: usize = 64;
/// Known names a message lists when none is near.
const KNOWN_LISTED: usize = 8;

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
        return Some("must not hold control characters".to_owned());
    }
    (length > WORD_MAX)
        .then(|| format!("has {length} characters, which exceeds the maximum {WORD_MAX}"))
}

/// Input as a message quotes it: not endless and without control characters.
pub fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(QUOTED_MAX).collect();
    if text.chars().count() > QUOTED_MAX {
        shown.push('…');
    }
    shown
}

/// Names the known name that was likely meant, else some of the known ones.
pub fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    // A long name is no slip of the finger, and comparing it would be slow.
    let near =
        (name.len() <= FIELD_NAME_MAX * 2).then(|| formula::nearest(name, known.clone())).flatten();
    if let Some(near) = near {
        return format!("; did you mean `{near}`?");
    }
    let mut listed: Vec<&str> = known.take(KNOWN_LISTED).collect();
    listed.dedup();
    if listed.is_empty() { String::new() } else { format!("; known are {}", listed.join(", ")) }
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

    #[test]
    fn a_hint_names_the_nearest_or_lists_some() {
        let known = ["lifetimePurchases", "timezone"];
        assert_eq!(hint("timezon", known.into_iter()), "; did you mean `timezone`?");
        assert_eq!(hint("colour", known.into_iter()), "; known are lifetimePurchases, timezone");
        assert_eq!(hint("colour", [].into_iter()), "");
    }

    #[test]
    fn quoted_input_is_short_and_printable() {
        assert_eq!(quoted("a\u{7}b"), "ab");
        assert_eq!(quoted(&"é".repeat(70)), format!("{}…", "é".repeat(64)));
    }
}
