//! Looks up the id that a reference of a resource is bound to. A resource stores its references
//! beside the text that the caller gave.

use proffer_proto::values::v1::Reference;

use crate::name::is_same;

/// The id that a reference of a kind is bound to; none while it is bound to nothing.
pub fn bound<'r>(references: &'r [Reference], kind: &str, named: &str) -> Option<&'r str> {
    let is_it = |found: &&Reference| found.kind == kind && is_same(&found.named, named);
    let found = references.iter().find(is_it)?;
    (!found.id.is_empty()).then_some(found.id.as_str())
}

/// The id that a reference is bound to, else the reference as it was given.
pub fn meant(references: &[Reference], kind: &str, named: &str) -> String {
    bound(references, kind, named).unwrap_or(named).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_reference_means_its_id_and_an_unbound_one_its_name() {
        let reference = |kind: &str, named: &str, id: &str| Reference {
            kind: kind.to_owned(),
            named: named.to_owned(),
            id: id.to_owned(),
        };
        let stored =
            [reference("category", "Home ", "cat_home"), reference("category", "Toys", "")];
        assert_eq!(bound(&stored, "category", " HOME"), Some("cat_home"));
        assert_eq!(bound(&stored, "offer", "Home"), None);
        assert_eq!(meant(&stored, "category", "home"), "cat_home");
        assert_eq!(meant(&stored, "category", "Toys"), "Toys");
    }
}
