//! Ids that callers choose, and short texts.

/// Longest id of a customer, decision, request or outcome, in bytes.
pub const ID_BYTES_MAX: usize = 128;
/// Characters of input that a message quotes.
const QUOTED_MAX: usize = 64;

/// What is wrong with an id that is required: 1 to 128 bytes without control characters.
pub fn id_fault(id: &str) -> Option<String> {
    if id.is_empty() { Some("is required".to_owned()) } else { text_fault(id, ID_BYTES_MAX) }
}

/// What is wrong with a text that may be empty: too many bytes, or control characters.
pub fn text_fault(text: &str, bytes_max: usize) -> Option<String> {
    let length = text.len();
    if length > bytes_max {
        return Some(format!("has {length} bytes, which exceeds the maximum {bytes_max}"));
    }
    text.chars().any(char::is_control).then(|| "must not contain control characters".to_owned())
}

/// What is wrong with a text of several lines: PostgreSQL stores no null character.
pub fn null_fault(text: &str) -> Option<String> {
    text.contains('\0').then(|| "must not contain a null character".to_owned())
}

/// Input as a message quotes it: at most 64 characters, none of them a control character.
pub fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(QUOTED_MAX).collect();
    if text.chars().count() > QUOTED_MAX {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_1_to_128_bytes_without_control_characters() {
        let check = |id: &str, expected: Option<&str>| {
            assert_eq!(id_fault(id).as_deref(), expected, "{id:?}");
        };
        for right in ["a", "a@b.c", "日本", " spaced ", "../etc", &"é".repeat(64)] {
            check(right, None);
        }
        for wrong in ["a\nb", "a\0b", "\u{7f}", "\u{85}"] {
            check(wrong, Some("must not contain control characters"));
        }
        check("", Some("is required"));
        check(&"a".repeat(129), Some("has 129 bytes, which exceeds the maximum 128"));
        assert_eq!(text_fault("", 3), None);
        assert_eq!(text_fault("abcd", 3), Some("has 4 bytes, which exceeds the maximum 3".into()));
        assert_eq!(null_fault("a\nb"), None);
    }

    #[test]
    fn quoted_input_is_short_and_printable() {
        assert_eq!(quoted("a\u{7}b"), "ab");
        assert_eq!(quoted(&"é".repeat(70)), format!("{}…", "é".repeat(64)));
    }
}
