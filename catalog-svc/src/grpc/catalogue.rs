//! Reads all configuration of a tenant as domain values, to check one resource against the others.

use futures::try_join;
use history::ServiceContext as _;
use proffer_proto::catalog::v1::{BehavioralMetric, Category, Offer, Schema};
use tonic::Status;

use super::{Context, parse};
use crate::domain::{catalogue::Catalogue, offer};

/// The schemas, categories and behavioral metrics of a tenant.
pub async fn catalogue(context: &Context, tenant: &str) -> Result<Catalogue, Status> {
    let (schemas, categories) = (context.stored::<Schema>(), context.stored::<Category>());
    let metrics = context.stored::<BehavioralMetric>();
    let (schemas, categories, metrics) =
        try_join!(schemas.all(tenant), categories.all(tenant), metrics.all(tenant))?;
    let metrics: Vec<_> = metrics.iter().map(parse::behavioral_metric).collect();
    let schemas = schemas.iter().map(parse::schema).collect();
    let categories = categories.iter().map(parse::category).collect();
    Ok(Catalogue::new(schemas, categories).with_metrics(&metrics))
}

/// The offers of a tenant. What of a stored offer cannot be read any more shows when it is checked.
pub async fn offers(context: &Context, tenant: &str) -> Result<Vec<offer::Offer>, Status> {
    let found = context.stored::<Offer>().all(tenant).await?;
    Ok(found.iter().map(|found| parse::offer(found).0).collect())
}
