//! SchemaService.

use std::collections::BTreeMap;

use history::{Collection, Resource as _};
use proffer_proto::{
    catalog::v1::{self as proto, schema_service_server::SchemaService},
    errors::v1::ErrorReason,
};
use prost::Message as _;
use serve::Problem;
use tonic::{Code, Status};

use super::{
    Context, configuration,
    resource::{self, Checked, settle_status},
    status::{invalid, refused, within},
};
use crate::domain::{
    Faults,
    breakage::breakage,
    schema::{FieldDraft, FieldType, Retyped, Schema, parse_fields, retyped},
};

/// Revisions of a schema read at once.
const PAST_PAGE: i64 = 100;

/// The schemas of a tenant.
///
/// Deleting one is not refused for the records it has or the rules that need it. Its records stay
/// stored, out of sight: the id is never used again, so no other schema shows them. Rules that need
/// its fields are broken until another schema declares them.
pub struct Schemas(pub Context);

/// A stored schema as rules and records use it.
pub fn stored(found: &proto::Schema) -> Schema {
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

fn draft(field: &proto::SchemaField) -> FieldDraft<'_> {
    FieldDraft { name: &field.name, field_type: field_type(field), description: &field.description }
}

impl Checked for proto::Schema {
    fn collection(context: &Context) -> &Collection<Self> {
        &context.schemas
    }

    async fn check(
        context: &Context,
        tenant: &str,
        resource: &mut Self,
        stored_before: Option<&Self>,
    ) -> Result<Vec<String>, Status> {
        let mut faults: Faults = Collection::common_faults(resource);
        settle_status(Self::KIND, &mut resource.status, &mut faults);
        let drafts: Vec<_> = resource.fields.iter().map(draft).collect();
        let fields = match parse_fields(&drafts) {
            Ok(fields) if faults.is_empty() => fields,
            Ok(_) => return Err(invalid(faults)),
            Err(more) => {
                faults.extend(within(Self::KIND, more));
                return Err(invalid(faults));
            }
        };
        if let Some(before) = stored_before {
            let changes = changed_types(context, tenant, &stored(before), &fields).await?;
            if !changes.is_empty() {
                return Err(refuse_retyped(&changes));
            }
        }
        let before = configuration::catalogue(context, tenant).await?;
        let offers = configuration::offers(context, tenant).await?;
        let edited = stored(resource);
        let broken = configuration::aside(move || {
            breakage(&before, &before.with_schema(edited), &offers, None)
        })
        .await?;
        Ok(broken.warnings)
    }
}

/// Fields that would get another type than they have, or had before they were removed: the records
/// still hold values of that type, which come to light again when the field does.
async fn changed_types(
    context: &Context,
    tenant: &str,
    before: &Schema,
    wanted: &BTreeMap<String, FieldType>,
) -> Result<Vec<Retyped>, Status> {
    let mut changes = retyped(&before.fields, wanted);
    let added: BTreeMap<_, _> = wanted
        .iter()
        .filter(|(name, _)| !before.fields.contains_key(*name))
        .map(|(n, t)| (n.clone(), *t))
        .collect();
    let mut oldest = i64::MAX;
    // The log is read only when a field is added, which is rare.
    while !added.is_empty() {
        let past =
            context.history.past(tenant, proto::Schema::KIND, &before.id, oldest, PAST_PAGE).await;
        let past = past.map_err(refused)?;
        let Some(last) = past.last() else { break };
        oldest = last.revision;
        for entry in past.iter().filter_map(|entry| entry.payload.as_deref()) {
            let then = proto::Schema::decode(entry).map(|found| stored(&found)).unwrap_or_default();
            changes.extend(retyped(&then.fields, &added));
        }
        changes.sort_by(|a, b| a.field.cmp(&b.field));
        changes.dedup_by(|a, b| a.field == b.field);
    }
    Ok(changes)
}

fn refuse_retyped(changes: &[Retyped]) -> Status {
    let told = |change: &Retyped| {
        let (field, was, wanted) = (&change.field, change.was.word(), change.wanted.word());
        format!("field `{field}` is of type {was} and cannot become {wanted}")
    };
    let message = changes.iter().map(told).collect::<Vec<_>>().join("; ");
    let message = format!("{}: add a field of another name", super::status::clipped(&message));
    let first = changes.first().map(|change| change.field.clone()).unwrap_or_default();
    Problem::new(Code::FailedPrecondition, ErrorReason::FieldRetyped, message)
        .with("field", first)
        .into()
}

resource::service! {
    impl SchemaService for Schemas of Schema as schema, schemas {
        create_schema(CreateSchemaRequest) -> CreateSchemaResponse,
        get_schema(GetSchemaRequest) -> GetSchemaResponse,
        list_schemas(ListSchemasRequest) -> ListSchemasResponse,
        update_schema(UpdateSchemaRequest) -> UpdateSchemaResponse,
        delete_schema(DeleteSchemaRequest) -> DeleteSchemaResponse,
    }
}
