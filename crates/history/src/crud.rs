//! Create, get, list, update and delete, for every kind of resource of every service.
//!
//! - An update or delete with an etag fails with `ETAG_MISMATCH` when the resource has another one.
//!   Without an etag it overwrites whatever is there, also what another writer wrote meanwhile.
//! - An update changes the fields in its mask, all without a mask.
//! - A page ends after so many resources or so many bytes, whichever comes first.

use std::future::Future;

use database::{Transaction, within};
use proffer_proto::resource::Stamp;
use prost_types::FieldMask;
use serve::{Problem, metadata};
use tonic::{Status, metadata::MetadataMap};

use crate::{
    Author, Change, Draft, Filters, HistoryError, IdChoice, Page, Present, Resource, ResourceKind,
    ServiceContext, Write,
    built_in::{Start, built_in, refuse_built_in, system_resource, taken},
    collection::{payload, read},
    kind::draft::shortened,
};

/// How often a write without an etag is tried over what others wrote meanwhile. Each failed attempt
/// is another writer's success, so only that many writers at once exhaust it.
const ATTEMPTS_MAX: usize = 256;

/// Writes a new resource; a trial only checks.
pub async fn create<C: ServiceContext, R: ResourceKind<C>>(
    context: &C,
    metadata: &MetadataMap,
    resource: Option<R>,
    is_trial: bool,
) -> Result<R, Status> {
    let author = Author::of(metadata, context.clock())?;
    let mut draft = Draft::new(context, &author, required(resource)?, None);
    draft.is_trial = is_trial;
    draft.check().await?;
    refuse_built_in(&draft.resource)?;
    let id = match draft.resource.id() {
        "" => IdChoice::FromName { prefix: R::PREFIX },
        given => IdChoice::Given(given.to_owned()),
    };
    let (name, payload) = (draft.resource.name().to_owned(), payload(&draft.resource));
    match write(&draft, Write::Create { id, name, payload }).await {
        Err(HistoryError::AlreadyExists { attribute, .. }) if attribute == R::IDENTITY => {
            revive(draft).await
        }
        written => Ok(warned(written?, draft)),
    }
}

/// Reads a resource by id or name.
pub async fn get<C: ServiceContext, R: ResourceKind<C>>(
    context: &C,
    metadata: &MetadataMap,
    named: &str,
) -> Result<R, Status> {
    let tenant = metadata::tenant(metadata)?;
    if let Some(found) = built_in(named) {
        return Ok(found);
    }
    let found = context.stored::<R>().get(&tenant, named).await;
    let mut found = or_initial(found)?;
    R::show(context, &tenant, &mut found).await?;
    Ok(found)
}

/// Reads a page of the resources for which all filters hold: the built-in ones, then the others by
/// id. A page is short only at the end, and where the resources are large.
pub async fn list<C: ServiceContext, R: ResourceKind<C>>(
    context: &C,
    metadata: &MetadataMap,
    page_size: i32,
    page_token: &str,
    filters: Filters<R>,
) -> Result<Page<R>, Status> {
    let tenant = metadata::tenant(metadata)?;
    let listing = filters.listing();
    let (size, key) = listing.page(page_size, page_token).map_err(HistoryError::Invalid)?;
    let (size, mut built_in) = (usize::try_from(size).unwrap_or_default(), R::built_in());
    built_in.retain(|resource| filters.hold(resource));
    let built_in_count = built_in.len();
    let start = Start::parse(key, built_in_count)?;
    let mut items: Vec<R> = built_in.into_iter().skip(start.built_in).take(size).collect();
    let reached = start.built_in + items.len();
    if reached < built_in_count {
        return Ok(Page { items, next: listing.token(&Start::key(reached)) });
    }
    let room = size - items.len();
    let (stored, has_more) =
        filters.page(&context.stored::<R>(), &tenant, &start.after, room).await?;
    let next = match stored.last() {
        _ if !has_more => String::new(),
        Some(last) => listing.token(last.id()),
        None => listing.token(&Start::key(built_in_count)),
    };
    items.extend(stored);
    Ok(Page { items, next })
}

/// Changes the fields named by the mask; a trial only checks.
pub async fn update<C: ServiceContext, R: ResourceKind<C>>(
    context: &C,
    metadata: &MetadataMap,
    named: &str,
    (patch, mask): (Option<R>, Option<FieldMask>),
    is_trial: bool,
) -> Result<R, Status> {
    let author = Author::of(metadata, context.clock())?;
    if let Some(found) = built_in::<C, R>(named) {
        return Err(system_resource(&found));
    }
    let patch = required(patch)?;
    let paths = mask.unwrap_or_default().paths;
    let (patch, paths) = (&patch, paths.as_slice());
    rewrite(context, &author, named, patch.etag(), |mut draft: Draft<'_, C, R>| async move {
        draft.is_trial = is_trial;
        draft.merge(patch, paths)?;
        draft.check().await?;
        Ok(draft)
    })
    .await
}

/// Writes what `edit` makes of the stored resource; again from the start when another writer was
/// faster and `etag` is empty.
pub async fn rewrite<'a, C: ServiceContext, R: ResourceKind<C>, F>(
    context: &'a C,
    author: &'a Author,
    named: &str,
    etag: &str,
    edit: impl Fn(Draft<'a, C, R>) -> F + Send,
) -> Result<R, Status>
where
    F: Future<Output = Result<Draft<'a, C, R>, Status>> + Send,
{
    let mut attempts = 0;
    loop {
        attempts += 1;
        let found = context.history().named(&author.tenant, R::KIND, named).await;
        let expected = found.as_ref().ok().map(|present| present.etag.clone());
        if let Ok(present) = &found {
            refuse_stale::<R>(present, etag)?;
        }
        let stored: R = or_initial(found.map(|present| read(&present)))?;
        let draft = edit(Draft::new(context, author, stored.clone(), Some(stored))).await?;
        match overwrite(&draft, expected).await {
            Err(HistoryError::StaleEtag { .. }) if etag.is_empty() && attempts < ATTEMPTS_MAX => {}
            written => return Ok(warned(written?, draft)),
        }
    }
}

/// Deletes the resource of this id or name. The answer lists what loses it.
pub async fn delete<C: ServiceContext, R: ResourceKind<C>>(
    context: &C,
    metadata: &MetadataMap,
    named: &str,
    etag: &str,
) -> Result<Vec<String>, Status> {
    let author = Author::of(metadata, context.clock())?;
    if let Some(found) = built_in::<C, R>(named) {
        return Err(system_resource(&found));
    }
    let mut attempts = 0;
    loop {
        attempts += 1;
        let present = context.history().named(&author.tenant, R::KIND, named).await?;
        refuse_stale::<R>(&present, etag)?;
        let stored: R = read(&present);
        R::check_delete(&stored)?;
        let losses = R::losses(context, &author.tenant, &stored).await?;
        // Over the etag just read: what was checked is what is deleted.
        let (id, expected) = (present.id, Some(present.etag));
        match context.history().write(change::<R>(&author, Write::Delete { id, expected })).await {
            Err(HistoryError::StaleEtag { .. }) if etag.is_empty() && attempts < ATTEMPTS_MAX => {}
            written => return Ok(written.map(|_| shortened(losses))?),
        }
    }
}

/// Brings a deleted resource back under its own id, if its kind allows that.
async fn revive<C: ServiceContext, R: ResourceKind<C>>(
    draft: Draft<'_, C, R>,
) -> Result<R, Status> {
    let history = draft.context.history();
    let id = draft.resource.id().to_owned();
    let taken = || taken::<R>(R::IDENTITY, &id);
    let past = history.past(draft.tenant(), R::KIND, &id, i64::MAX, 2).await?;
    let mut payloads = past.iter().map(|entry| entry.payload.as_deref());
    let (Some(None), Some(Some(deleted))) = (payloads.next(), payloads.next()) else {
        return Err(taken().into());
    };
    let deleted = R::decode(deleted).unwrap_or_default();
    if !R::may_revive(&deleted, &draft.resource) {
        return Err(taken().into());
    }
    let (name, payload) = (draft.resource.name().to_owned(), payload(&draft.resource));
    Ok(warned(write(&draft, Write::Revive { id, name, payload }).await?, draft))
}

/// Writes over the state with this etag; creates what has none yet.
async fn overwrite<C: ServiceContext, R: ResourceKind<C>>(
    draft: &Draft<'_, C, R>,
    expected: Option<String>,
) -> Result<R, HistoryError> {
    let (id, name) = (draft.resource.id().to_owned(), draft.resource.name().to_owned());
    let payload = payload(&draft.resource);
    if expected.is_some() {
        return write(draft, Write::Update { id, name, payload, expected }).await;
    }
    let created = Write::Create { id: IdChoice::Given(id), name, payload };
    write(draft, created).await.map_err(|error| match error {
        // Another writer created it meanwhile.
        HistoryError::AlreadyExists { kind, value: id, .. } => {
            HistoryError::StaleEtag { kind, id, current: String::new() }
        }
        other => other,
    })
}

/// Writes the resource and what belongs to it in one transaction. A trial does the same and takes
/// it back, so that it finds whatever refuses the write.
async fn write<C: ServiceContext, R: ResourceKind<C>>(
    draft: &Draft<'_, C, R>,
    write: Write,
) -> Result<R, HistoryError> {
    let Draft { context, author, stored: before, .. } = draft;
    let history = context.history();
    let mut transaction = history.database.begin().await?;
    let is_trial = draft.is_trial;
    let present = history.write_in(&mut transaction, change::<R>(author, write)).await;
    let written: R = read(&present.map_err(named_identity::<R>)?);
    if let (None, Some(limit)) = (before, R::count_max(draft.context)) {
        refuse_too_many::<R>(&mut transaction, &author.tenant, limit).await?;
    }
    R::write_beside(&mut transaction, author, before.as_ref(), &written)
        .await
        .map_err(HistoryError::Refused)?;
    if is_trial {
        transaction.rollback().await?;
        return Ok(unwritten(written));
    }
    transaction.commit().await?;
    history.ring();
    Ok(written)
}

/// A resource without what only a write gives it.
fn unwritten<R: Resource>(mut resource: R) -> R {
    let id = resource.id().to_owned();
    resource.stamp(Stamp { id, ..Stamp::default() });
    resource
}

async fn refuse_too_many<R: Resource>(
    transaction: &mut Transaction,
    tenant: &str,
    limit: usize,
) -> Result<(), HistoryError> {
    let (count,): (i64,) = within!(transaction, connection => sqlx::query_as(
        "select count(*) from resource where tenant_id = $1 and kind = $2 and payload is not null")
        .bind(tenant).bind(R::KIND).fetch_one(connection))?;
    match usize::try_from(count) {
        Ok(count) if count <= limit => Ok(()),
        _ => Err(HistoryError::TooMany { kind: R::KIND, limit }),
    }
}

fn change<R: Resource>(author: &Author, write: Write) -> Change<'_> {
    Change { tenant: &author.tenant, actor: &author.actor, at: author.at, kind: R::KIND, write }
}

fn refuse_stale<R: Resource>(present: &Present, etag: &str) -> Result<(), HistoryError> {
    if etag.is_empty() || etag == present.etag {
        return Ok(());
    }
    let (id, current) = (present.id.clone(), present.etag.clone());
    Err(HistoryError::StaleEtag { kind: R::KIND, id, current })
}

/// What was found, or what exists before the first write.
fn or_initial<C: ServiceContext, R: ResourceKind<C>>(
    found: Result<R, HistoryError>,
) -> Result<R, HistoryError> {
    match found {
        Err(HistoryError::NotFound { kind, id, hint }) => {
            R::initial().ok_or(HistoryError::NotFound { kind, id, hint })
        }
        found => found,
    }
}

/// A taken id is called by the kind's own word for it.
fn named_identity<R: Resource>(error: HistoryError) -> HistoryError {
    match error {
        HistoryError::AlreadyExists { attribute: "id", value, .. } => {
            taken::<R>(R::IDENTITY, &value)
        }
        other => other,
    }
}

fn required<R: Resource>(resource: Option<R>) -> Result<R, Status> {
    resource.ok_or_else(|| Problem::invalid_field(R::KIND, "is required").into())
}

fn warned<C: ServiceContext, R: ResourceKind<C>>(mut written: R, draft: Draft<'_, C, R>) -> R {
    written.warn(shortened(draft.warnings));
    written
}
