//! Names, and what may stand in their place: a reference is an id, or a name in any case and with
//! any space around it. Knows no messages, so that `domain/` may use it.

/// Known names a message lists when none is near.
const KNOWN_LISTED: usize = 8;
/// Longest name that is compared with known ones, in bytes.
const COMPARED_BYTES_MAX: usize = 126;
/// Most hints for one request. A request with more misspelled names has another fault.
pub const HINTS_MAX: usize = 10;

/// How many hints a request may still have. One for a whole request, however many parts it has:
/// each hint compares a name with all that are known.
#[derive(Debug)]
pub struct Hints(usize);

impl Default for Hints {
    fn default() -> Self {
        Self(HINTS_MAX)
    }
}

impl Hints {
    /// [`hint`], or nothing after the tenth.
    pub fn hint<'a>(&mut self, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
        let Some(left) = self.0.checked_sub(1) else { return String::new() };
        self.0 = left;
        hint(name, known)
    }
}

/// A name as it is compared: without space around it, in lower case.
pub fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

/// True when both are one name.
pub fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim(), other.trim());
    one == other || one.to_lowercase() == other.to_lowercase()
}

/// True when a reference means the thing of this id and name.
pub fn is_named(reference: &str, id: &str, name: &str) -> bool {
    reference.trim() == id || is_same(reference, name)
}

/// Names the known name that was likely meant, else some of the known ones.
pub fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    // A long name is no slip of the finger, and comparing it would be slow.
    let is_short = name.len() <= COMPARED_BYTES_MAX;
    let near = is_short.then(|| formula::nearest(name.trim(), known.clone())).flatten();
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
    fn a_hint_names_the_nearest_or_lists_some() {
        let known = ["lifetimePurchases", "timezone"];
        assert_eq!(hint("timezon", known.into_iter()), "; did you mean `timezone`?");
        assert_eq!(hint("colour", known.into_iter()), "; known are lifetimePurchases, timezone");
        assert_eq!(hint("colour", [].into_iter()), "");
    }

    #[test]
    fn the_eleventh_misspelled_name_of_a_request_has_no_hint() {
        let mut hints = Hints::default();
        for _ in 0..HINTS_MAX {
            assert_eq!(
                hints.hint("timezon", ["timezone"].into_iter()),
                "; did you mean `timezone`?"
            );
        }
        assert_eq!(hints.hint("timezon", ["timezone"].into_iter()), "");
    }

    #[test]
    fn names_compare_without_case_and_outer_spaces() {
        assert_eq!(folded(" Home HERO\t"), "home hero");
        assert!(is_same(" Home HERO", "home hero"));
        assert!(is_same("ÄRZTE", "ärzte "));
        assert!(!is_same("Home hero", "Homehero"));
    }

    #[test]
    fn a_reference_is_an_id_as_it_is_or_a_name() {
        assert!(is_named(" cat_apparel ", "cat_apparel", "Apparel"));
        assert!(is_named(" APPAREL", "cat_apparel", "Apparel "));
        assert!(!is_named("CAT_APPAREL", "cat_apparel", "Apparel"));
    }
}
