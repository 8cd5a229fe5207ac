//! Parses the message of a category.

use proffer_proto::catalog::v1 as proto;
use wire::{output_type, status::is_active};

use crate::domain::category::{Category, ComputedField};

/// A stored category as names are resolved in it.
pub fn category(found: &proto::Category) -> Category {
    let computed = |field: &proto::ComputedField| ComputedField {
        name: field.name.clone(),
        formula: field.formula.clone(),
        output: output_type::parse(field.output_type).unwrap_or_default(),
    };
    Category {
        id: found.id.clone(),
        name: found.name.clone(),
        is_active: is_active(found.status),
        computed_fields: found.computed_fields.iter().map(computed).collect(),
    }
}
