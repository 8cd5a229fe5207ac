//! Everything a tenant has configured, as the domain knows it, for checking one resource against
//! the others.

use proffer_proto::catalog::v1 as proto;
use tonic::Status;

use super::{Context, behavioral_metric, category, offer, schema, status::refused};
use crate::domain::{catalogue::Catalogue, offer::Offer};

/// The schemas, categories and behavioral metrics of a tenant.
pub async fn catalogue(context: &Context, tenant: &str) -> Result<Catalogue, Status> {
    let (schemas, categories) = (context.schemas.all(tenant), context.categories.all(tenant));
    let (schemas, categories, metrics) =
        futures::try_join!(schemas, categories, context.metrics.all(tenant)).map_err(refused)?;
    let metrics: Vec<_> = metrics.iter().map(behavioral_metric::stored).collect();
    let (schemas, categories) =
        (schemas.iter().map(schema::stored), categories.iter().map(category::stored));
    Ok(Catalogue::new(schemas.collect(), categories.collect()).with_metrics(&metrics))
}

/// The offers of a tenant. What of a stored offer cannot be read any more shows when it is checked.
pub async fn offers(context: &Context, tenant: &str) -> Result<Vec<Offer>, Status> {
    let found: Vec<proto::Offer> = context.offers.all(tenant).await.map_err(refused)?;
    Ok(found.iter().map(|found| offer::parse(found).0).collect())
}

/// Runs a check of everything against everything where it holds up no other call.
pub async fn aside<T: Send + 'static>(
    check: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Status> {
    tokio::task::spawn_blocking(check).await.map_err(|error| serve::internal(&error))
}
