//! Whether the arms of the running experiments have the sizes of their splits.

use history::ServiceContext as _;
use proffer_proto::experiment::v1 as proto;
use tonic::Status;

use super::{Context, resource};
use crate::domain::analysis;

/// The name of each running experiment, with p of the sample-ratio test.
pub async fn of_running(context: &Context) -> Result<Vec<(String, f64)>, Status> {
    let status = |error| serve::store_status(&error);
    let mut found = Vec::new();
    for (tenant, id) in context.store.running().await.map_err(status)? {
        let stored: proto::Experiment = context.stored().get(&tenant, &id).await?;
        let experiment = resource::stored(&stored)?;
        let sizes = context.store.sizes(&tenant, &id).await.map_err(status)?;
        found.push((stored.name, analysis::sample_ratio_of(&experiment.epochs, &sizes).p()));
    }
    Ok(found)
}
