//! What schemas, categories and offers have in common: create, get, list, update, delete.

use std::future::Future;

use history::{Author, Collection, HistoryError, Page, Resource, token};
pub(crate) use history::{resource_service as service, settle_status};
use serve::metadata;
use tonic::{Status, metadata::MetadataMap};

use super::{
    Context, PAGE_BYTES_MAX,
    status::{invalid_field, reference, refused},
};
use crate::domain::breakage::shorten;

/// How often an update that names no etag is tried over whatever somebody else wrote in between.
const UPDATE_ATTEMPTS: usize = 16;

/// A resource that is checked against the others before it is written.
pub trait Checked: Resource {
    /// Where such resources are.
    fn collection(context: &Context) -> &Collection<Self>;

    /// Fills in what was left out and checks the rest: warnings, or the refusal.
    fn check(
        context: &Context,
        tenant: &str,
        resource: &mut Self,
        stored: Option<&Self>,
    ) -> impl Future<Output = Result<Vec<String>, Status>> + Send;
}

/// Writes a new resource.
pub async fn create<R: Checked>(
    context: &Context,
    metadata: &MetadataMap,
    resource: Option<R>,
) -> Result<R, Status> {
    let author = Author::of(metadata, &context.clock)?;
    let mut resource = required(resource)?;
    let warnings = R::check(context, &author.tenant, &mut resource, None).await?;
    let stored = R::collection(context).create(&author, resource).await.map_err(refused)?;
    Ok(warned(stored, warnings))
}

/// Reads a resource by id or name.
pub async fn get<R: Checked>(
    context: &Context,
    metadata: &MetadataMap,
    named: &str,
) -> Result<R, Status> {
    let tenant = metadata::tenant(metadata)?;
    R::collection(context).get(&tenant, reference(R::KIND, named)?).await.map_err(refused)
}

/// A page of resources by id.
pub async fn list<R: Checked>(
    context: &Context,
    metadata: &MetadataMap,
    page_size: i32,
    page_token: &str,
) -> Result<Page<R>, Status> {
    let tenant = metadata::tenant(metadata)?;
    let mut page =
        R::collection(context).list(&tenant, page_size, page_token).await.map_err(refused)?;
    if let Some(next) = fit(&mut page.items) {
        page.next = token(&next);
    }
    Ok(page)
}

/// Cuts a page to the bytes an answer may have; the id to go on after when something was cut.
pub fn fit<R: Resource>(items: &mut Vec<R>) -> Option<String> {
    let mut bytes = 0;
    let is_over = |item: &R| {
        bytes += item.encoded_len();
        bytes > PAGE_BYTES_MAX
    };
    let kept = items.iter().position(is_over)?.max(1);
    (kept < items.len()).then(|| items.truncate(kept))?;
    items.last().map(|last| last.id().to_owned())
}

/// Changes the fields named by the mask.
pub async fn update<R: Checked>(
    context: &Context,
    metadata: &MetadataMap,
    named: &str,
    patch: Option<R>,
    mask: Option<prost_types::FieldMask>,
) -> Result<R, Status> {
    let author = Author::of(metadata, &context.clock)?;
    let named = reference(R::KIND, named)?;
    let patch = required(patch)?;
    let paths = mask.unwrap_or_default().paths;
    let mut attempts = if patch.etag().is_empty() { UPDATE_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        let merged =
            R::collection(context).merge(&author.tenant, named, patch.clone(), &paths).await;
        let mut draft = merged.map_err(refused)?;
        let warnings =
            R::check(context, &author.tenant, &mut draft.resource, Some(&draft.stored)).await?;
        match R::collection(context).update(&author, draft).await {
            Ok(stored) => return Ok(warned(stored, warnings)),
            Err(HistoryError::StaleEtag { .. }) if attempts > 0 => {}
            Err(error) => return Err(refused(error)),
        }
    }
}

/// Deletes the resource of this id or name.
///
/// A delete is never refused for what others need of it: what is broken by it is a refused
/// candidate until it is mended, and names it in the trace. The answer has no room for warnings, so
/// none are made.
pub async fn delete<R: Checked>(
    context: &Context,
    metadata: &MetadataMap,
    named: &str,
    etag: &str,
) -> Result<(), Status> {
    let author = Author::of(metadata, &context.clock)?;
    R::collection(context).delete(&author, reference(R::KIND, named)?, etag).await.map_err(refused)
}

fn required<R: Resource>(resource: Option<R>) -> Result<R, Status> {
    resource.ok_or_else(|| invalid_field(R::KIND, "is required"))
}

fn warned<R: Resource>(mut resource: R, mut warnings: Vec<String>) -> R {
    shorten(&mut warnings);
    resource.warn(warnings);
    resource
}
