//! Categories: groups of offers with the computed fields their rules may use.

use std::collections::BTreeSet;

use formula::OutputType;

use super::{Faults, name::field_name_fault};

/// Most computed fields of a category.
pub const COMPUTED_FIELDS_MAX: usize = 50;

/// A category as names are resolved in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Category {
    /// Its id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Only active categories lend their fields in decisions.
    pub is_active: bool,
    /// In the order in which they are written.
    pub computed_fields: Vec<ComputedField>,
}

/// A field computed at decision time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComputedField {
    /// Its name.
    pub name: String,
    /// The formula.
    pub formula: String,
    /// What the result is converted to; none keeps the formula's own type.
    pub output: Option<OutputType>,
}

impl Category {
    /// The computed field of this name.
    pub fn field(&self, name: &str) -> Option<&ComputedField> {
        self.computed_fields.iter().find(|field| field.name == name)
    }

    /// Faults that need no other resource to be seen.
    pub fn faults(&self) -> Faults {
        let count = self.computed_fields.len();
        if count > COMPUTED_FIELDS_MAX {
            let message = format!("has {count}, which exceeds the maximum {COMPUTED_FIELDS_MAX}");
            return vec![("computed_fields".to_owned(), message)];
        }
        let mut faults = Faults::new();
        let mut seen = BTreeSet::new();
        for (index, field) in self.computed_fields.iter().enumerate() {
            let mut fault = |part: &str, message| {
                faults.push((format!("computed_fields[{index}].{part}"), message))
            };
            if let Some(message) = field_name_fault(&field.name) {
                fault("name", message);
            } else if !seen.insert(&field.name) {
                fault("name", format!("`{}` is used twice", field.name));
            }
            if field.formula.trim().is_empty() {
                fault("formula", "is required".to_owned());
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(fields: &[(&str, &str)]) -> Vec<String> {
        let field = |(name, formula): &(&str, &str)| ComputedField {
            name: (*name).into(),
            formula: (*formula).into(),
            output: None,
        };
        let computed_fields = fields.iter().map(field).collect();
        let found = Category { computed_fields, ..Default::default() }.faults();
        found.into_iter().map(|(path, message)| format!("{path} {message}")).collect()
    }

    #[test]
    fn names_stand_once_and_formulas_are_there() {
        assert_eq!(
            faults(&[("a", "1"), ("a", "2"), ("b", " "), ("b c", "1")]),
            [
                "computed_fields[1].name `a` is used twice",
                "computed_fields[2].formula is required",
                "computed_fields[3].name `b c` must match [A-Za-z_][A-Za-z0-9_]{0,62}",
            ]
        );
    }

    #[test]
    fn fifty_computed_fields_are_the_most() {
        let names: Vec<String> = (0..51).map(|n| format!("f{n}")).collect();
        let fields: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
        assert_eq!(faults(&fields[..50]), [""; 0]);
        assert_eq!(faults(&fields), ["computed_fields has 51, which exceeds the maximum 50"]);
    }
}
