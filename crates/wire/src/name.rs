//! Names, and what may stand in their place: a reference is an id, or a name in any case and with
//! any space around it. Knows no messages, so that `domain/` may use it.

/// Known names a message lists when none is near.
const KNOWN_LISTED: usize = 8;
/// Longest name that is compared with known ones, in bytes.
const COMPARED_BYTES_MAX: usize = 126;
/// Known names that one is compared with.
const COMPARED_MAX: usize = 20_000;

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
    let few = known.clone().take(COMPARED_MAX);
    let near = is_short.then(|| formula::nearest(name.trim(), few)).flatten();
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
