//! What the primary metric of an experiment showed, day by day.

use history::ServiceContext as _;
use proffer_proto::experiment::v1::Experiment;
use tonic::Status;

use super::{Context, failures::Failures, resource};
use crate::{
    domain::{
        analysis::{Day, Design, Findings, Past, Population},
        day,
    },
    store::OpenExperiment,
};

/// The snapshots of an experiment.
pub async fn past(context: &Context, tenant: &str, stored: &Experiment) -> Result<Past, Status> {
    let of = (stored.id.as_str(), stored.primary_metric.as_str());
    let rows = context.store.snapshots(tenant, of).await;
    let rows = rows.map_err(|error| serve::store_status(&error))?;
    let days = rows.iter().filter_map(|(number, shown)| day::read(*number, shown)).collect();
    Ok(Past { days })
}

/// Takes today's snapshot of every experiment that outcomes may still change, where there is none
/// yet. After the end or the conclusion a snapshot has figures, and says no early verdict.
pub async fn take(context: &Context) -> Result<(), Status> {
    let open = context.store.open_experiments().await;
    let mut failures = Failures::default();
    for open in open.map_err(|error| serve::store_status(&error))? {
        failures.note(&open.experiment_id, take_of(context, &open).await);
    }
    failures.first()
}

async fn take_of(context: &Context, open: &OpenExperiment) -> Result<(), Status> {
    let status = |error| serve::store_status(&error);
    let now = context.clock.now();
    let today = day::number(now.date_naive());
    let found = context.stored::<Experiment>().find(&open.tenant, &open.experiment_id).await?;
    let Some(stored) = found else { return Ok(()) };
    let (experiment, plan) = (resource::stored(&stored)?, resource::plan_of(&stored)?);
    if experiment.starts_at.is_none_or(|starts_at| starts_at > now) {
        return Ok(());
    }
    let metric = &experiment.metrics.primary;
    let taken = context.store.has_snapshots(&open.tenant, &stored.id, today).await;
    if taken.map_err(status)?.contains(&metric.name) {
        return Ok(());
    }
    let read = context.store.read(&open.tenant, &plan, metric.clone()).await.map_err(status)?;
    let design = Design::of(&experiment);
    let findings = Findings::of(&design, &read.counts, Population::Assigned, None);
    let shown = day::text(&Day::of(&design, metric, &findings, now));
    let of = (stored.id.as_str(), metric.name.as_str());
    context.store.put_snapshot(&open.tenant, of, today, &shown).await.map_err(status)
}
