//! What flows, weight profiles and models have in common: create, get, list, update, delete.

use std::future::Future;

pub(crate) use history::resource_service as service;
use history::{Author, Collection, Page, Resource};
use serve::{Problem, metadata};
use tonic::{Status, metadata::MetadataMap};

use super::Context;

/// A resource that is checked before it is written.
pub trait Checked: Resource {
    /// Where such resources are.
    fn collection(context: &Context) -> &Collection<Self>;

    /// Fills in what was left out and checks the rest: warnings, or the refusal.
    fn check(
        context: &Context,
        tenant: &str,
        resource: &mut Self,
    ) -> impl Future<Output = Result<Vec<String>, Status>> + Send;
}

/// Writes a new resource.
pub async fn create<R: Checked>(
    context: &Context,
    metadata: &MetadataMap,
    resource: Option<R>,
) -> Result<R, Status> {
    let author = Author::of(metadata, &context.clock)?;
    let mut resource = resource.ok_or_else(|| Problem::invalid_field(R::KIND, "is required"))?;
    let warnings = R::check(context, &author.tenant, &mut resource).await?;
    let mut stored = R::collection(context).create(&author, resource).await?;
    stored.warn(warnings);
    Ok(stored)
}

/// Reads a resource by id or name.
pub async fn get<R: Checked>(
    context: &Context,
    metadata: &MetadataMap,
    named: &str,
) -> Result<R, Status> {
    let tenant = metadata::tenant(metadata)?;
    Ok(R::collection(context).get(&tenant, named).await?)
}

/// A page of resources by id.
pub async fn list<R: Checked>(
    context: &Context,
    metadata: &MetadataMap,
    page_size: i32,
    page_token: &str,
) -> Result<Page<R>, Status> {
    let tenant = metadata::tenant(metadata)?;
    Ok(R::collection(context).list(&tenant, page_size, page_token).await?)
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
    let paths = mask.unwrap_or_default().paths;
    let collection = R::collection(context);
    let mut draft =
        collection.merge(&author.tenant, named, patch.unwrap_or_default(), &paths).await?;
    let warnings = R::check(context, &author.tenant, &mut draft.resource).await?;
    let mut stored = collection.update(&author, draft).await?;
    stored.warn(warnings);
    Ok(stored)
}

/// Deletes the resource of this id or name.
pub async fn delete<R: Checked>(
    context: &Context,
    metadata: &MetadataMap,
    named: &str,
    etag: &str,
) -> Result<(), Status> {
    let author = Author::of(metadata, &context.clock)?;
    Ok(R::collection(context).delete(&author, named, etag).await?)
}
