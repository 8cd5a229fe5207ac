//! Parses the message of a schema.

use proffer_proto::catalog::v1 as proto;

use crate::domain::schema::{FieldDraft, FieldType, Schema};

/// A stored schema as rules and records use it.
pub fn schema(found: &proto::Schema) -> Schema {
    let typed = |field: &proto::SchemaField| Some((field.name.clone(), field_type(field)?));
    let fields = found.fields.iter().filter_map(typed).collect();
    Schema { id: found.id.clone(), name: found.name.clone(), fields }
}

fn field_type(field: &proto::SchemaField) -> Option<FieldType> {
    Some(match proto::FieldType::try_from(field.r#type).ok()? {
        proto::FieldType::Unspecified => return None,
        proto::FieldType::String => FieldType::String,
        proto::FieldType::Integer => FieldType::Integer,
        proto::FieldType::Decimal => FieldType::Decimal,
        proto::FieldType::Boolean => FieldType::Boolean,
        proto::FieldType::Date => FieldType::Date,
        proto::FieldType::Timestamp => FieldType::Timestamp,
    })
}

/// A field as it was written, to be checked.
pub fn field_draft(field: &proto::SchemaField) -> FieldDraft<'_> {
    FieldDraft { name: &field.name, field_type: field_type(field), description: &field.description }
}
