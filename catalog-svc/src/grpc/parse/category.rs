//! Parses the message of a category.

use formula::OutputType;
use proffer_proto::{catalog::v1 as proto, values::v1::ResourceStatus};

use crate::domain::category::{Category, ComputedField};

/// A stored category as names are resolved in it.
pub fn category(found: &proto::Category) -> Category {
    let computed = |field: &proto::ComputedField| ComputedField {
        name: field.name.clone(),
        formula: field.formula.clone(),
        output: output_type(field.output_type).unwrap_or_default(),
    };
    Category {
        id: found.id.clone(),
        name: found.name.clone(),
        is_active: matches!(found.status(), ResourceStatus::Active | ResourceStatus::Unspecified),
        computed_fields: found.computed_fields.iter().map(computed).collect(),
    }
}

/// `None` for an unknown number, `Some(None)` when it was left out.
pub fn output_type(number: i32) -> Option<Option<OutputType>> {
    Some(match proto::OutputType::try_from(number).ok()? {
        proto::OutputType::Unspecified => None,
        proto::OutputType::Integer => Some(OutputType::Integer),
        proto::OutputType::Number => Some(OutputType::Number),
        proto::OutputType::Decimal => Some(OutputType::Decimal),
        proto::OutputType::Boolean => Some(OutputType::Boolean),
        proto::OutputType::String => Some(OutputType::String),
        proto::OutputType::Text => Some(OutputType::Text),
        proto::OutputType::Date => Some(OutputType::Date),
    })
}
