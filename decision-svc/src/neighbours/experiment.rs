//! Calls to experiment-svc: reads experiments, delivers arms, exposures and outcomes.

use proffer_proto::{experiment::v1 as proto, values::v1::ConfigurationChange};
use prost::Message as _;
use tonic::Status;

use super::{
    Ledger,
    call::{call, messages},
    instant,
};
use crate::domain::{
    assignment::Arm,
    case::Case,
    conclude::Offered,
    outcome::ResolvedOutcome,
    scalar::Fields,
    snapshot::{Experiment, Experiments, Split},
};
use crate::messages::{effect_model, scalar};

/// Applies one change.
pub fn apply(experiments: &mut Experiments, change: &ConfigurationChange) {
    if change.kind == "effect_model" {
        return apply_effect_model(experiments, change);
    }
    if change.kind != "experiment" {
        return;
    }
    if change.deleted {
        experiments.experiments.remove(&change.id);
    } else if let Ok(found) = proto::Experiment::decode(change.resource.as_slice()) {
        experiments.experiments.insert(change.id.clone(), experiment(change.id.clone(), &found));
    }
}

/// A model that is about no flow scores nothing.
fn apply_effect_model(experiments: &mut Experiments, change: &ConfigurationChange) {
    let found = proto::EffectModel::decode(change.resource.as_slice()).ok();
    let found = found.filter(|found| !change.deleted && !found.flow_id.is_empty());
    let model = found.and_then(|found| {
        let model = effect_model::read(&found, (&change.id, change.revision))?;
        Some((found.flow_id, model))
    });
    experiments.put_effect_model(&change.id, model, change.revision);
}

fn experiment(id: String, found: &proto::Experiment) -> Experiment {
    let status = found.status();
    let split = |epoch: &proto::SplitEpoch| Split {
        epoch: epoch.epoch,
        holdout_basis_points: epoch.holdout_basis_points.unsigned_abs(),
    };
    Experiment {
        id,
        flow: wire::reference::meant(&found.references, "decision_flow", &found.flow_id),
        salt: found.salt.clone(),
        splits: found.epochs.iter().map(split).collect(),
        starts_at: instant(found.starts_at).unwrap_or_default(),
        planned_end: instant(found.planned_end).unwrap_or_default(),
        is_running: status == proto::ExperimentStatus::Running,
        is_binding: status != proto::ExperimentStatus::Draft && found.shipped != Some(true),
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

/// What a customer received, or would have received, for the first time.
#[derive(Clone, Copy, Debug)]
pub struct Exposure<'a> {
    /// The case that was decided.
    pub case: &'a Case,
    /// Id of the decision.
    pub decision_id: &'a str,
    /// The offers by rank.
    pub offers: &'a [Offered],
    /// What was known of the customer, and may leave the case.
    pub features: &'a Fields,
}

/// The message about the first exposure of a customer with this arm.
pub fn exposure_message(exposure: Exposure<'_>, arm: &Arm) -> Vec<u8> {
    let Exposure { case, decision_id, offers, features } = exposure;
    let ranked = offers.first().map(|offered| &offered.ranked);
    let first = ranked.map(|ranked| &ranked.subject);
    // A category that nobody created goes by its name.
    let category = first.map(|subject| match subject.category_id.as_str() {
        "" => subject.category.clone(),
        id => id.to_owned(),
    });
    let emptied_by = case.facts.held_out.as_ref().map(|it| it.experiment_id.clone());
    let channel = case.facts.surface.channel.as_ref().map(|(id, _)| id.clone());
    let entry = proto::ledger_entry::Entry::Exposure(proto::ExposureEntry {
        experiment_id: arm.experiment_id.clone(),
        customer_id: case.question.customer_id.clone(),
        decision_id: decision_id.to_owned(),
        ghost: arm.is_holdout,
        at: Some(history::timestamp(case.moment.now)),
        epoch: arm.epoch,
        flow_id: case.configuration.flow.id.clone(),
        offer_id: first.map(|subject| subject.offer_id.clone()).unwrap_or_default(),
        category_id: category.unwrap_or_default(),
        channel: channel.unwrap_or_else(|| case.question.channel.clone()),
        offer_ids: offers.iter().map(|offered| offered.ranked.offer_id.clone()).collect(),
        emptied_by: emptied_by.unwrap_or_default(),
        features: scalar::fields_into_proto(features),
        // Left out where every customer passes.
        gate_probability: ranked
            .map_or(0.0, |it| if it.gate_probability < 1.0 { it.gate_probability } else { 0.0 }),
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
        value_e4: outcome.report.value_e4,
        occurred_at: Some(history::timestamp(outcome.occurred_at)),
        received_at: Some(history::timestamp(outcome.received_at)),
        held_out_of: match outcome.of_type.is_impression {
            true => outcome.held_out_of.clone(),
            false => Vec::new(),
        },
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
    let entries = messages(payloads)?;
    let counted_through = Some(history::timestamp(serve::from_micros(counted_through_us)));
    let request = proto::DeliverEntriesRequest { entries, counted_through };
    let method = "proffer.internal.experiment.v1.LedgerService/DeliverEntries";
    call(method, tenant, request, |request| ledger.deliver_entries(request)).await.map(drop)
}
