//! Calls to experiment-svc: reads experiments, delivers arms, exposures and outcomes.

use proffer_proto::{experiment::v1 as proto, values::v1::ConfigurationChange};
use prost::Message as _;
use tonic::Status;

use super::{Ledger, call::call, instant};
use crate::domain::{
    assignment::Arm,
    outcome::ResolvedOutcome,
    snapshot::{Experiment, Experiments},
};

/// Applies one change.
pub fn apply(experiments: &mut Experiments, change: &ConfigurationChange) {
    if change.kind != "experiment" {
        return;
    }
    if change.deleted {
        experiments.experiments.remove(&change.id);
    } else if let Ok(found) = proto::Experiment::decode(change.resource.as_slice()) {
        experiments.experiments.insert(change.id.clone(), experiment(change.id.clone(), &found));
    }
}

fn experiment(id: String, found: &proto::Experiment) -> Experiment {
    let last = found.epochs.last();
    let status = found.status();
    Experiment {
        id,
        flow: wire::reference::meant(&found.references, "decision_flow", &found.flow_id),
        salt: found.salt.clone(),
        holdout_basis_points: last.map_or(0, |epoch| epoch.holdout_basis_points.unsigned_abs()),
        epoch: last.map_or(1, |epoch| epoch.epoch),
        starts_at: instant(found.starts_at).unwrap_or_default(),
        planned_end: instant(found.planned_end).unwrap_or_default(),
        is_running: status == proto::ExperimentStatus::Running,
        is_shipped: found.shipped == Some(true),
        is_binding: status != proto::ExperimentStatus::Draft,
    }
}

/// The message about an arm.
pub fn assignment_message(customer_id: &str, arm: &Arm) -> Vec<u8> {
    let entry = proto::ledger_entry::Entry::Assignment(proto::AssignmentEntry {
        experiment_id: arm.experiment_id.clone(),
        customer_id: customer_id.to_owned(),
        arm: if arm.is_holdout { proto::Arm::Holdout } else { proto::Arm::Treatment }.into(),
        epoch: arm.epoch,
        assigned_at: Some(history::timestamp(serve::from_micros(arm.assigned_us))),
    });
    proto::LedgerEntry { entry: Some(entry) }.encode_to_vec()
}

/// The message about an exposure.
pub fn exposure_message(customer_id: &str, arm: &Arm, decision_id: &str, at_us: i64) -> Vec<u8> {
    let entry = proto::ledger_entry::Entry::Exposure(proto::ExposureEntry {
        experiment_id: arm.experiment_id.clone(),
        customer_id: customer_id.to_owned(),
        decision_id: decision_id.to_owned(),
        ghost: arm.is_holdout,
        at: Some(history::timestamp(serve::from_micros(at_us))),
    });
    proto::LedgerEntry { entry: Some(entry) }.encode_to_vec()
}

/// The message about an outcome.
pub fn outcome_message(outcome: &ResolvedOutcome) -> Vec<u8> {
    let entry = proto::ledger_entry::Entry::Outcome(proto::OutcomeEntry {
        outcome_id: outcome.outcome_id.clone(),
        customer_id: outcome.report.customer_id.clone(),
        key: outcome.report.key.clone(),
        positive: outcome.of_type.is_positive,
        value_e4: outcome.report.value_e4.unwrap_or_default(),
        occurred_at: Some(history::timestamp(outcome.occurred_at)),
        received_at: Some(history::timestamp(outcome.received_at)),
    });
    proto::LedgerEntry { entry: Some(entry) }.encode_to_vec()
}

/// Ships entries that were encoded by the functions above.
pub async fn deliver(
    ledger: &Ledger,
    tenant: &str,
    payloads: &[&[u8]],
    counted_through_us: i64,
) -> Result<(), Status> {
    // Refused like an entry that experiment-svc refuses: its row waits and is parked.
    let read = |payload: &&[u8]| {
        proto::LedgerEntry::decode(*payload).map_err(|e| Status::invalid_argument(e.to_string()))
    };
    let entries = payloads.iter().map(read).collect::<Result<_, _>>()?;
    let counted_through = Some(history::timestamp(serve::from_micros(counted_through_us)));
    let request = proto::DeliverEntriesRequest { entries, counted_through };
    let method = "proffer.internal.experiment.v1.LedgerService/DeliverEntries";
    call(method, tenant, request, |request| ledger.deliver_entries(request)).await.map(drop)
}
