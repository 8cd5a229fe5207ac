//! Converts experiments between proto and domain.

use history::timestamp;
use proffer_proto::experiment::v1 as proto;
use tonic::Status;

use super::instant;
use crate::domain::{
    Faults,
    experiment::{Experiment, ExperimentDraft, SplitEpoch, Status as Stage},
    measure::Metric,
    share,
};

/// What is asked for, and the faults of what cannot be read.
pub fn draft(resource: &proto::Experiment) -> (ExperimentDraft, Faults) {
    let mut faults = Faults::new();
    let status = match proto::ExperimentStatus::try_from(resource.status) {
        Ok(proto::ExperimentStatus::Unspecified) => None,
        Ok(proto::ExperimentStatus::Draft) => Some(Stage::Draft),
        Ok(proto::ExperimentStatus::Running) => Some(Stage::Running),
        Ok(proto::ExperimentStatus::Concluded) => Some(Stage::Concluded),
        Err(_) => {
            faults.push(("status", format!("is {}; it must be draft or running", resource.status)));
            None
        }
    };
    let starts_at = resource.starts_at.as_ref().and_then(|at| match instant(at) {
        Ok(at) => Some(at),
        Err(fault) => {
            faults.push(("starts_at", fault));
            None
        }
    });
    let draft = ExperimentDraft {
        status,
        flow: resource.flow_id.clone(),
        holdout_percentage: resource.holdout_percentage,
        primary_metric: resource.primary_metric.clone(),
        duration: resource.duration.clone(),
        starts_at,
        salt: resource.salt.clone(),
    };
    (draft, faults)
}

/// An experiment as it was stored.
pub fn stored(resource: &proto::Experiment) -> Result<Experiment, Status> {
    let read = || {
        let at = |at: &Option<prost_types::Timestamp>| at.as_ref().map(instant).transpose();
        Ok::<_, String>(Experiment {
            status: match resource.status() {
                proto::ExperimentStatus::Draft => Stage::Draft,
                proto::ExperimentStatus::Concluded => Stage::Concluded,
                proto::ExperimentStatus::Unspecified | proto::ExperimentStatus::Running => {
                    Stage::Running
                }
            },
            flow: resource.flow_id.clone(),
            primary_metric: Metric::parse(&resource.primary_metric)?,
            duration: resource.duration.clone(),
            starts_at: at(&resource.starts_at)?,
            planned_end: at(&resource.planned_end)?,
            salt: resource.salt.clone(),
            epochs: resource.epochs.iter().map(epoch).collect::<Result<_, _>>()?,
            concluded_at: at(&resource.concluded_at)?,
            is_shipped: resource.shipped == Some(true),
        })
    };
    // INVARIANT: stored experiments were written by `into_proto` below.
    read().map_err(|fault| {
        serve::internal(&format!("experiment `{}` is not readable: {fault}", resource.id))
    })
}

fn epoch(epoch: &proto::SplitEpoch) -> Result<SplitEpoch, String> {
    Ok(SplitEpoch {
        epoch: epoch.epoch,
        holdout_basis_points: epoch.holdout_basis_points.unsigned_abs(),
        since: instant(&epoch.since.unwrap_or_default())?,
    })
}

/// `resource` with everything the domain decides.
pub fn into_proto(resource: proto::Experiment, experiment: &Experiment) -> proto::Experiment {
    let status = match experiment.status {
        Stage::Draft => proto::ExperimentStatus::Draft,
        Stage::Running => proto::ExperimentStatus::Running,
        Stage::Concluded => proto::ExperimentStatus::Concluded,
    };
    let epoch = |epoch: &SplitEpoch| proto::SplitEpoch {
        epoch: epoch.epoch,
        holdout_basis_points: i32::try_from(epoch.holdout_basis_points).unwrap_or(i32::MAX),
        since: Some(timestamp(epoch.since)),
    };
    proto::Experiment {
        status: status.into(),
        flow_id: experiment.flow.clone(),
        holdout_percentage: share::percent(experiment.holdout_basis_points()),
        primary_metric: experiment.primary_metric.name.clone(),
        duration: experiment.duration.clone(),
        starts_at: experiment.starts_at.map(timestamp),
        planned_end: experiment.planned_end.map(timestamp),
        salt: experiment.salt.clone(),
        concluded_at: experiment.concluded_at.map(timestamp),
        shipped: experiment.concluded_at.map(|_| experiment.is_shipped),
        epochs: experiment.epochs.iter().map(epoch).collect(),
        ..resource
    }
}
