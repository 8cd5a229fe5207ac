//! Names, and what may stand in their place: a reference is an id, or a name in any case and with
//! any space around it. Knows no messages, so that `domain/` may use it.

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

#[cfg(test)]
mod tests {
    use super::*;

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
