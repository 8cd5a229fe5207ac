//! Ids of resources: their form, and how one is made from a name.

/// Longest id and longest generated stem, in bytes.
pub const ID_MAX: usize = 63;

/// How a new resource gets its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdChoice {
    /// As given; taken is an error.
    Given(String),
    /// Made from the prefix and the name: `off_apparel_20_back`, then `off_apparel_20_back_2`.
    FromName {
        /// Prefix of the kind, without underscore.
        prefix: &'static str,
    },
}

/// True for `[a-z][a-z0-9_]{0,62}`.
pub fn is_id(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && text.len() <= ID_MAX
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The id a resource of this name gets when no other has it.
pub fn made_id(prefix: &str, name: &str) -> String {
    nth_id(prefix, name, 1)
}

/// The `nth` id (from 1) made from a name: lower case, runs of other characters one `_`, cut at 63
/// bytes.
pub(crate) fn nth_id(prefix: &str, name: &str, nth: usize) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('_') && !slug.is_empty() {
            slug.push('_');
        }
    }
    let slug = slug.trim_end_matches('_');
    let suffix = match nth {
        1 if !slug.is_empty() => String::new(),
        n => format!("_{n}"),
    };
    let stem = if slug.is_empty() { prefix.to_owned() } else { format!("{prefix}_{slug}") };
    let cut: String = stem.chars().take(ID_MAX - suffix.len()).collect();
    format!("{}{suffix}", cut.trim_end_matches('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_from_the_name() {
        let check =
            |name: &str, nth, expected: &str| assert_eq!(nth_id("off", name, nth), expected);
        check("Apparel — 20% back", 1, "off_apparel_20_back");
        check("Apparel — 20% back", 2, "off_apparel_20_back_2");
        check("", 1, "off_1");
        check("東京", 3, "off_3");
        check(&"x".repeat(200), 1, &format!("off_{}", "x".repeat(59)));
        check(&"x".repeat(200), 12, &format!("off_{}_12", "x".repeat(56)));
        assert!(is_id(&nth_id("flow", "  Winback ", 1)));
        assert_eq!(nth_id("flow", "Winback", 1), "flow_winback");
    }

    #[test]
    fn ids_outside_the_alphabet_are_refused() {
        for wrong in ["", "A", "1a", "_a", "a-b", "ä", &"a".repeat(64)] {
            assert!(!is_id(wrong), "{wrong}");
        }
        assert!(is_id(&"a".repeat(63)));
    }
}
