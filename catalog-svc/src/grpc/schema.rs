//! SchemaService: the checks of schemas; create, get, list, update and delete are in `history`.

use std::collections::BTreeMap;

use history::{Draft, Resource as _, ResourceKind};
use proffer_proto::{
    catalog::v1::{self as proto, schema_service_server::SchemaService},
    errors::v1::ErrorReason,
};
use prost::Message as _;
use serve::Problem;
use tonic::{Code, Status};

use super::{Context, blocking, catalogue, parse, status::clipped};
use crate::domain::{
    breakage::breakage,
    schema::{FieldType, Retyped, Schema, parse_fields, retyped},
};

/// Revisions of a schema read at once.
const PAST_PAGE: i64 = 100;

/// The schemas of a tenant.
///
/// Deleting one is not refused for the records it has or the rules that need it. Its records stay
/// stored, out of sight: the id is never used again, so no other schema shows them. Rules that need
/// its fields are broken until another schema declares them; the answer lists them.
pub struct Schemas(pub Context);

impl ResourceKind<Context> for proto::Schema {
    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        let drafts: Vec<_> = draft.resource.fields.iter().map(parse::field_draft).collect();
        let fields = match parse_fields(&drafts) {
            Ok(fields) => fields,
            Err(faults) => {
                draft.add_faults(faults);
                return draft.refuse_faults();
            }
        };
        draft.refuse_faults()?;
        let (context, tenant) = (draft.context, draft.tenant());
        if let Some(before) = &draft.stored {
            let changes = changed_types(context, tenant, &parse::schema(before), &fields).await?;
            if !changes.is_empty() {
                return Err(refuse_retyped(&changes));
            }
        }
        let before = catalogue::catalogue(context, tenant).await?;
        let offers = catalogue::offers(context, tenant).await?;
        let edited = parse::schema(&draft.resource);
        let broken =
            blocking(move || breakage(&before, &before.with_schema(edited), &offers, None)).await?;
        draft.warn(broken.warnings);
        Ok(())
    }

    async fn losses(context: &Context, tenant: &str, stored: &Self) -> Result<Vec<String>, Status> {
        let before = catalogue::catalogue(context, tenant).await?;
        let offers = catalogue::offers(context, tenant).await?;
        let id = stored.id.clone();
        let lost = move || breakage(&before, &before.without_schema(&id), &offers, None).warnings;
        blocking(lost).await
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
        let past = past?;
        let Some(last) = past.last() else { break };
        oldest = last.revision;
        for entry in past.iter().filter_map(|entry| entry.payload.as_deref()) {
            let then =
                proto::Schema::decode(entry).map(|found| parse::schema(&found)).unwrap_or_default();
            changes.extend(retyped(&then.fields, &added));
        }
        changes.sort_by(|a, b| a.field.cmp(&b.field));
        changes.dedup_by(|a, b| a.field == b.field);
    }
    Ok(changes)
}

fn refuse_retyped(changes: &[Retyped]) -> Status {
    let sentence = |change: &Retyped| {
        let (field, was, wanted) = (&change.field, change.was.word(), change.wanted.word());
        format!("field `{field}` is of type {was} and cannot become {wanted}")
    };
    let message = changes.iter().map(sentence).collect::<Vec<_>>().join("; ");
    let message = format!("{}: add a field of another name", clipped(&message));
    let first = changes.first().map(|change| change.field.clone()).unwrap_or_default();
    Problem::new(Code::FailedPrecondition, ErrorReason::FieldRetyped, message)
        .with("field", first)
        .into()
}

history::resource_service! {
    impl SchemaService for Schemas of Schema as schema, schemas by id {
        create create_schema(CreateSchemaRequest) -> CreateSchemaResponse,
        get get_schema(GetSchemaRequest) -> GetSchemaResponse,
        list list_schemas(ListSchemasRequest) -> ListSchemasResponse by [status],
        update update_schema(UpdateSchemaRequest) -> UpdateSchemaResponse,
        delete delete_schema(DeleteSchemaRequest) -> DeleteSchemaResponse,
    }
}
