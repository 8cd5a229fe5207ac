//! Converts experiments between proto and domain.

use history::{Resource as _, timestamp};
use proffer_proto::{decision::v1::DecisionFlow, experiment::v1 as proto};
use tonic::Status;
use wire::named::FLOW;

use super::instant;
use crate::domain::{
    Faults,
    experiment::{
        CUSTOMERS_DEFAULT, Covariate, EVERY_FLOW, Experiment, ExperimentDraft, Metrics, Source,
        SplitEpoch, Status as Stage, folded_flow, guardrail_text,
    },
    measure::{Guardrail, Metric},
    share,
    tally::Plan,
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
    let source = match proto::AssignmentSource::try_from(resource.assignment_source) {
        Ok(source) => source_of(source),
        Err(_) => {
            let message = format!("is {}; it must be flow or external", resource.assignment_source);
            faults.push(("assignment_source", message));
            Source::Flow
        }
    };
    let draft = ExperimentDraft {
        status,
        source,
        flow: resource.flow_id.clone(),
        holdout_percentage: resource.holdout_percentage,
        primary_metric: resource.primary_metric.clone(),
        duration: resource.duration.clone(),
        starts_at,
        salt: resource.salt.clone(),
        outcome_window_days: resource.outcome_window_days,
        expected_customers: resource.expected_customers,
        secondary_metrics: resource.secondary_metrics.clone(),
        guardrail_metrics: resource.guardrail_metrics.clone(),
        covariate: resource.covariate.clone(),
    };
    (draft, faults)
}

fn source_of(source: proto::AssignmentSource) -> Source {
    match source {
        proto::AssignmentSource::Unspecified | proto::AssignmentSource::Flow => Source::Flow,
        proto::AssignmentSource::External => Source::External,
    }
}

/// What each text says.
fn parsed<T>(
    texts: &[String],
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    texts.iter().map(|text| parse(text)).collect()
}

/// What a stored experiment measures. One of an earlier version that still runs has no guardrails
/// yet: it gets the usual ones. What a concluded one measures stays.
fn metrics(resource: &proto::Experiment) -> Result<Metrics, String> {
    let metrics = Metrics {
        primary: Metric::parse(&resource.primary_metric)?,
        secondary: parsed(&resource.secondary_metrics, Metric::parse)?,
        guardrails: parsed(&resource.guardrail_metrics, Guardrail::parse)?,
    };
    let is_concluded = resource.status() == proto::ExperimentStatus::Concluded;
    Ok(if is_concluded { metrics } else { metrics.guarded() })
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
            source: source_of(resource.assignment_source()),
            metrics: metrics(resource)?,
            duration: resource.duration.clone(),
            starts_at: at(&resource.starts_at)?,
            planned_end: at(&resource.planned_end)?,
            salt: resource.salt.clone(),
            epochs: resource.epochs.iter().map(epoch).collect::<Result<_, _>>()?,
            concluded_at: at(&resource.concluded_at)?,
            is_shipped: resource.shipped == Some(true),
            outcome_window_days: resource.outcome_window_days.map(i32::unsigned_abs),
            // Experiments of earlier versions have none.
            expected_customers: match resource.expected_customers {
                0 => CUSTOMERS_DEFAULT,
                stored => stored.unsigned_abs(),
            },
            covariate: match resource.covariate.as_str() {
                "" => None,
                text => Some(Covariate::parse(text)?),
            },
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
    let secondary = experiment.metrics.secondary.iter();
    let guardrails = experiment.metrics.guardrails.iter();
    proto::Experiment {
        status: status.into(),
        flow_id: experiment.flow.clone(),
        holdout_percentage: Some(share::percent(experiment.holdout_basis_points())),
        assignment_source: match experiment.source {
            Source::Flow => proto::AssignmentSource::Flow,
            Source::External => proto::AssignmentSource::External,
        }
        .into(),
        primary_metric: experiment.metrics.primary.name.clone(),
        secondary_metrics: secondary.map(|metric| metric.name.clone()).collect(),
        guardrail_metrics: guardrails.map(guardrail_text).collect(),
        outcome_window_days: experiment
            .outcome_window_days
            .map(|days| i32::try_from(days).unwrap_or(i32::MAX)),
        expected_customers: i64::try_from(experiment.expected_customers).unwrap_or(i64::MAX),
        covariate: experiment.covariate.as_ref().map(ToString::to_string).unwrap_or_default(),
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

/// What an experiment counts, and until when.
pub fn plan_of(stored: &proto::Experiment) -> Result<Plan, Status> {
    Ok(Plan::of(&stored.id, &self::stored(stored)?))
}

/// The flow of an experiment in the form in which two references are compared: the id it is bound
/// to. Before there is one, a name means the id that is made from it.
pub fn flow_id_of(experiment: &proto::Experiment) -> String {
    let reference = &experiment.flow_id;
    if let Some(id) = wire::reference::bound(&experiment.references, FLOW, reference) {
        return id.to_owned();
    }
    let folded = folded_flow(reference);
    if folded.starts_with("flow_") || folded == EVERY_FLOW {
        folded
    } else {
        history::made_id(DecisionFlow::PREFIX, &folded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_experiment_of_an_earlier_version_has_guardrails_while_it_runs() {
        let guardrails = |status: proto::ExperimentStatus| {
            let old = proto::Experiment {
                status: status.into(),
                primary_metric: "conversion_rate".to_owned(),
                ..Default::default()
            };
            stored(&old).unwrap().metrics.guardrails.len()
        };
        assert_eq!(guardrails(proto::ExperimentStatus::Running), 2);
        assert_eq!(guardrails(proto::ExperimentStatus::Concluded), 0, "what it measures stays");
    }
}
