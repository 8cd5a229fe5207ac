//! LedgerService: takes arms, exposures and outcomes from decision-svc.

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream::BoxStream};
use history::{Heartbeat, is_id};
use proffer_proto::experiment::v1::{
    self as proto, ledger_entry::Entry, ledger_service_server::LedgerService,
};
use prost::Message as _;
use serve::{Problem, metadata};
use tonic::{Request, Response, Status};

use super::{Context, id_fault, instant};
use crate::store::{Assignment, Delivery, Exposure, Outcome};

/// Most entries of a delivery.
pub const ENTRIES_MAX: usize = 500;
/// Most offers of an exposure.
const OFFERS_MAX: usize = 50;
/// Most features of an exposure.
const FEATURES_MAX: usize = 500;
/// Largest amount of an outcome, in 1/10,000.
const VALUE_E4_MAX: u64 = 10_000_000_000_000;
/// Most faults reported for one delivery: they travel in headers, and the sender is a program.
const FAULTS_MAX: usize = 20;

/// What decision-svc calls: deliveries to the ledger, and the experiments to follow.
pub struct Ledger(pub Context);

#[tonic::async_trait]
impl LedgerService for Ledger {
    async fn deliver_entries(
        &self,
        request: Request<proto::DeliverEntriesRequest>,
    ) -> Result<Response<proto::DeliverEntriesResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let delivery = parse(request.into_inner())?;
        let delivered = self
            .0
            .store
            .deliver(&tenant, delivery)
            .await
            .map_err(|error| serve::store_status(&error))?;
        if delivered.other_arms > 0 {
            tracing::warn!(
                tenant,
                ignored = delivered.other_arms,
                "customers already had another arm; the first stays"
            );
        }
        tracing::debug!(tenant, stored = delivered.stored, "entries stored");
        Ok(Response::new(proto::DeliverEntriesResponse {}))
    }

    type WatchExperimentsStream =
        BoxStream<'static, Result<proto::WatchExperimentsResponse, Status>>;

    async fn watch_experiments(
        &self,
        request: Request<proto::WatchExperimentsRequest>,
    ) -> Result<Response<Self::WatchExperimentsStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        let pages = self
            .0
            .history
            .watch_call(&metadata, request.after_revision, Heartbeat::Every600Ms)?
            .map(|page| {
                let (changes, head_revision) = page?;
                Ok(proto::WatchExperimentsResponse { changes, head_revision })
            });
        Ok(Response::new(pages.boxed()))
    }
}

fn parse(request: proto::DeliverEntriesRequest) -> Result<Delivery, Problem> {
    if request.entries.len() > ENTRIES_MAX {
        return Err(Problem::limit("entries", request.entries.len(), ENTRIES_MAX));
    }
    let mut faults = Vec::new();
    let mut delivery = Delivery::default();
    for (index, entry) in request.entries.into_iter().enumerate() {
        let mut fields = Fields { path: format!("entries[{index}]"), faults: &mut faults };
        match entry.entry {
            Some(Entry::Assignment(entry)) => {
                delivery.assignments.extend(fields.within("assignment").assignment(entry))
            }
            Some(Entry::Exposure(entry)) => {
                delivery.exposures.extend(fields.within("exposure").exposure(entry))
            }
            Some(Entry::Outcome(entry)) => {
                delivery.outcomes.extend(fields.within("outcome").outcome(entry))
            }
            None => fields.faults.push((
                fields.path,
                "is required: an assignment, an exposure or an outcome".to_owned(),
            )),
        }
    }
    if let Some(through) = &request.counted_through {
        match instant(through) {
            Ok(through) => delivery.counted_through = Some(through),
            Err(fault) => faults.push(("counted_through".to_owned(), fault)),
        }
    }
    if faults.is_empty() {
        return Ok(delivery);
    }
    faults.truncate(FAULTS_MAX);
    Err(Problem::invalid_fields(faults))
}

/// The fields of one entry, and where their faults go.
struct Fields<'a> {
    path: String,
    faults: &'a mut Vec<(String, String)>,
}

impl Fields<'_> {
    fn within(&mut self, member: &str) -> &mut Self {
        self.path = format!("{}.{member}", self.path);
        self
    }

    fn fault(&mut self, field: &str, message: String) {
        self.faults.push((format!("{}.{field}", self.path), message));
    }

    fn assignment(&mut self, entry: proto::AssignmentEntry) -> Option<Assignment> {
        let is_holdout = match proto::Arm::try_from(entry.arm) {
            Ok(proto::Arm::Treatment) => Some(false),
            Ok(proto::Arm::Holdout) => Some(true),
            Ok(proto::Arm::Unspecified) | Err(_) => {
                self.fault("arm", "must be treatment or holdout".to_owned());
                None
            }
        };
        if entry.epoch < 1 {
            self.fault("epoch", format!("is {}; splits count from 1", entry.epoch));
        }
        let experiment_id = self.experiment_id(entry.experiment_id);
        let customer_id = self.id("customer_id", entry.customer_id);
        let assigned_at = self.instant("assigned_at", entry.assigned_at);
        Some(Assignment {
            experiment_id: experiment_id?,
            customer_id: customer_id?,
            is_holdout: is_holdout?,
            epoch: entry.epoch,
            assigned_at: assigned_at?,
        })
    }

    fn exposure(&mut self, entry: proto::ExposureEntry) -> Option<Exposure> {
        let experiment_id = self.experiment_id(entry.experiment_id);
        let customer_id = self.id("customer_id", entry.customer_id);
        let decision_id = self.id("decision_id", entry.decision_id);
        let at = self.instant("at", entry.at);
        if entry.epoch < 0 {
            self.fault("epoch", format!("is {}; splits count from 1", entry.epoch));
        }
        let flow_id = self.optional_id("flow_id", entry.flow_id);
        let offer_id = self.optional_id("offer_id", entry.offer_id);
        let category_id = self.optional_id("category_id", entry.category_id);
        let channel = self.optional_id("channel", entry.channel);
        let emptied_by = self.optional_id("emptied_by", entry.emptied_by);
        self.at_most("offer_ids", entry.offer_ids.len(), OFFERS_MAX);
        self.at_most("features", entry.features.len(), FEATURES_MAX);
        if let Some(fault) = entry.offer_ids.iter().find_map(|id| id_fault(id)) {
            self.fault("offer_ids", fault);
        }
        let gate_probability = entry.gate_probability;
        if !(0.0..=1.0).contains(&gate_probability) {
            self.fault("gate_probability", format!("is {gate_probability}; it must be 0 to 1"));
        }
        // Kept as it was sent: an entry with nothing but its features and the gate.
        let kept = proto::ExposureEntry {
            features: entry.features,
            gate_probability,
            ..Default::default()
        };
        let features = Some(kept.encode_to_vec()).filter(|bytes| !bytes.is_empty());
        Some(Exposure {
            experiment_id: experiment_id?,
            customer_id: customer_id?,
            decision_id: decision_id?,
            is_ghost: entry.ghost,
            at: at?,
            epoch: entry.epoch,
            flow_id: flow_id?,
            offer_id: offer_id?,
            category_id: category_id?,
            channel: channel?,
            offer_ids: json(&entry.offer_ids),
            emptied_by: emptied_by?,
            features,
        })
    }

    /// An id that earlier senders leave out.
    fn optional_id(&mut self, field: &str, id: String) -> Option<String> {
        if id.is_empty() { Some(id) } else { self.id(field, id) }
    }

    fn at_most(&mut self, field: &str, count: usize, max: usize) {
        if count > max {
            self.fault(field, format!("has {count}, which exceeds the maximum {max}"));
        }
    }

    fn outcome(&mut self, entry: proto::OutcomeEntry) -> Option<Outcome> {
        let too_large = entry.value_e4.filter(|value| value.unsigned_abs() > VALUE_E4_MAX);
        if let Some(value) = too_large {
            self.fault("value_e4", format!("is {value}, which exceeds the maximum {VALUE_E4_MAX}"));
        }
        let outcome_id = self.id("outcome_id", entry.outcome_id);
        let customer_id = self.id("customer_id", entry.customer_id);
        let key = self.id("key", entry.key);
        let occurred_at = self.instant("occurred_at", entry.occurred_at);
        let received_at = self.instant("received_at", entry.received_at);
        Some(Outcome {
            outcome_id: outcome_id?,
            customer_id: customer_id?,
            key: key?,
            is_positive: entry.positive,
            value_e4: entry.value_e4,
            occurred_at: occurred_at?,
            received_at: received_at?,
        })
    }

    fn id(&mut self, field: &str, id: String) -> Option<String> {
        match id_fault(&id) {
            Some(fault) => {
                self.fault(field, fault);
                None
            }
            None => Some(id),
        }
    }

    fn experiment_id(&mut self, id: String) -> Option<String> {
        let id = self.id("experiment_id", id)?;
        if is_id(&id) {
            return Some(id);
        }
        self.fault("experiment_id", format!("`{id}` must match [a-z][a-z0-9_]{{0,62}}"));
        None
    }

    fn instant(
        &mut self,
        field: &str,
        at: Option<prost_types::Timestamp>,
    ) -> Option<DateTime<Utc>> {
        let found = at.as_ref().ok_or_else(|| "is required".to_owned()).and_then(instant);
        found.map_err(|fault| self.fault(field, fault)).ok()
    }
}

/// Ids as a JSON array. They have no control characters.
fn json(ids: &[String]) -> String {
    let quoted = ids.iter().map(|id| id.replace('\\', "\\\\").replace('"', "\\\""));
    let quoted: Vec<_> = quoted.map(|id| format!("\"{id}\"")).collect();
    format!("[{}]", quoted.join(","))
}
