//! Schemas: which fields a customer record may have.

use std::collections::{BTreeMap, BTreeSet};

use formula::Type;

use super::{
    Faults,
    name::{field_name_fault, quoted},
};

/// Most fields of a schema.
pub const FIELDS_MAX: usize = 200;
/// Names of the parts of a record that are no fields of its schema.
pub const RESERVED: [&str; 3] = ["customerId", "version", "updatedAt"];
/// Longest description of a field, in characters.
pub const DESCRIPTION_MAX: usize = 2_000;
/// The schema that describes customers.
pub const CUSTOMER_SCHEMA: &str = "Customer";

/// Type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum FieldType {
    String,
    Integer,
    Decimal,
    Boolean,
    Date,
    Timestamp,
}

impl FieldType {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::String, Self::Integer, Self::Decimal, Self::Boolean, Self::Date, Self::Timestamp];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        }
    }

    /// As in "must be …".
    pub fn spoken(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Decimal => "a decimal number",
            Self::Boolean => "true or false",
            Self::Date => "a date",
            Self::Timestamp => "a timestamp",
        }
    }

    /// What formulas and rules see.
    pub fn formula_type(self) -> Type {
        match self {
            Self::String => Type::String,
            Self::Integer | Self::Decimal => Type::Number,
            Self::Boolean => Type::Boolean,
            Self::Date => Type::Date,
            Self::Timestamp => Type::Timestamp,
        }
    }
}

/// A schema as rules and records use it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Its id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Types by field.
    pub fields: BTreeMap<String, FieldType>,
}

/// A field as written, unchecked.
#[derive(Clone, Copy, Debug)]
pub struct FieldDraft<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type; none when it was left out or is unknown.
    pub field_type: Option<FieldType>,
    /// What it holds.
    pub description: &'a str,
}

/// A field whose type would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retyped {
    /// Its name.
    pub field: String,
    /// Its type so far.
    pub was: FieldType,
    /// Its type as asked for.
    pub wanted: FieldType,
}

/// Types by field, or all faults.
pub fn parse_fields(drafts: &[FieldDraft<'_>]) -> Result<BTreeMap<String, FieldType>, Faults> {
    let mut faults = Faults::new();
    if drafts.len() > FIELDS_MAX {
        faults.push((
            "fields".to_owned(),
            format!("has {}, which exceeds the maximum {FIELDS_MAX}", drafts.len()),
        ));
        return Err(faults);
    }
    let mut seen = BTreeSet::new();
    let mut fields = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        let mut fault =
            |part: &str, message: String| faults.push((format!("fields[{index}].{part}"), message));
        if let Some(message) = field_name_fault(draft.name) {
            fault("name", message);
        } else if RESERVED.contains(&draft.name) {
            fault("name", format!("`{}` is taken: every record has it", draft.name));
        } else if !seen.insert(draft.name) {
            fault("name", format!("`{}` is used twice", draft.name));
        }
        let length = draft.description.chars().count();
        if length > DESCRIPTION_MAX {
            fault(
                "description",
                format!("has {length} characters, which exceeds the maximum {DESCRIPTION_MAX}"),
            );
        }
        if draft.description.contains('\0') {
            fault("description", "must not contain a null character".to_owned());
        }
        match draft.field_type {
            Some(field_type) => drop(fields.insert(draft.name.to_owned(), field_type)),
            None => {
                let words: Vec<_> = FieldType::ALL.iter().map(|known| known.word()).collect();
                fault(
                    "type",
                    format!("of `{}` must be one of {}", quoted(draft.name), words.join(", ")),
                );
            }
        }
    }
    if faults.is_empty() { Ok(fields) } else { Err(faults) }
}

/// The fields that `wanted` gives another type than they had in `past`.
pub fn retyped<'a>(
    past: impl IntoIterator<Item = (&'a String, &'a FieldType)>,
    wanted: &BTreeMap<String, FieldType>,
) -> Vec<Retyped> {
    let change = |(field, was): (&'a String, &'a FieldType)| {
        let wanted = *wanted.get(field).filter(|wanted| *wanted != was)?;
        Some(Retyped { field: field.clone(), was: *was, wanted })
    };
    past.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(drafts: &[(&str, Option<FieldType>)]) -> Vec<String> {
        let drafts: Vec<_> = drafts
            .iter()
            .map(|(name, field_type)| FieldDraft { name, field_type: *field_type, description: "" })
            .collect();
        let found = parse_fields(&drafts).map(|_| Faults::new()).unwrap_or_else(|faults| faults);
        found.into_iter().map(|(path, message)| format!("{path} {message}")).collect()
    }

    #[test]
    fn every_fault_of_the_fields_is_told() {
        let string = Some(FieldType::String);
        assert_eq!(
            faults(&[
                ("a", string),
                ("a", string),
                ("customerId", string),
                ("9", string),
                ("b", None),
                ("", string)
            ]),
            [
                "fields[1].name `a` is used twice",
                "fields[2].name `customerId` is taken: every record has it",
                "fields[3].name `9` must match [A-Za-z_][A-Za-z0-9_]{0,62}",
                "fields[4].type of `b` must be one of string, integer, decimal, boolean, date, \
                 timestamp",
                "fields[5].name is required",
            ]
        );
    }

    #[test]
    fn two_hundred_fields_are_the_most() {
        let names: Vec<String> = (0..=FIELDS_MAX).map(|n| format!("f{n}")).collect();
        let drafts: Vec<_> =
            names.iter().map(|name| (name.as_str(), Some(FieldType::Date))).collect();
        assert_eq!(faults(&drafts[..FIELDS_MAX]), [""; 0]);
        assert_eq!(faults(&drafts), ["fields has 201, which exceeds the maximum 200"]);
    }

    #[test]
    fn a_field_keeps_its_type() {
        let was = BTreeMap::from([
            ("a".to_owned(), FieldType::String),
            ("gone".to_owned(), FieldType::Date),
        ]);
        let wanted = BTreeMap::from([
            ("a".to_owned(), FieldType::Integer),
            ("new".to_owned(), FieldType::Date),
        ]);
        let change =
            Retyped { field: "a".into(), was: FieldType::String, wanted: FieldType::Integer };
        assert_eq!(retyped(&was, &wanted), [change]);
        assert_eq!(retyped(&was, &was), []);
    }
}
