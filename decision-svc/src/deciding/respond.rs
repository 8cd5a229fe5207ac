//! Respond: records outcomes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use history::Names;
use proffer_proto::errors::v1::ErrorReason;
use serve::{Problem, telemetry::trace};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use tonic::{Code, Status};
use wire::{name::hint, named::OUTCOME_TYPE};

use super::{
    ground::no_snapshot,
    kept::{self, KeptRecord},
    kept_outcome::KeptOutcome,
    new_id,
};
use crate::{
    domain::{
        contact_report::ContactReport,
        learning::Learning,
        offer_subject::OfferSubject,
        outcome::{DecidedOffer, Report, ResolvedOutcome},
        snapshot::{Catalog, OutcomeType, Snapshot, folded},
    },
    messages::report,
    neighbours::{
        experiment,
        follow::{self, Followers},
        policy,
    },
    receipt::{Receipt, Receipts},
    store::{NewOutcome, Recorded, Store},
};

/// A report as it came.
pub struct Reported {
    /// What it says.
    pub report: Report,
    /// Its message, encoded.
    pub body: Vec<u8>,
}

/// A recorded outcome.
pub struct Accepted {
    /// Its id.
    pub outcome_id: String,
    /// It had been recorded before.
    pub is_duplicate: bool,
}

/// The use case. Cheap to clone.
#[derive(Clone)]
pub struct Respond {
    /// Where outcomes are written.
    pub store: Store,
    /// Which types of outcome there are.
    pub followers: Followers,
    /// Which of them catalog-svc has now.
    pub names: Names,
    /// What was received and is not yet recorded.
    pub receipts: Receipts,
    /// Rung when there is something to deliver.
    pub bell: Arc<Notify>,
}

impl Respond {
    /// Receives reports now; the receipt ends when they are recorded.
    pub fn receive(&self) -> Receipt {
        self.receipts.receive()
    }

    /// Records reports in one transaction. Each is recorded or refused, in their order; those that
    /// are refused already stay so. Spawn it: a caller that disconnects does not undo a write.
    pub async fn record(
        &self,
        tenant: &str,
        receipt: Receipt,
        reported: Vec<Result<Reported, Problem>>,
    ) -> Result<Vec<Result<Accepted, Problem>>, Status> {
        let valid = || reported.iter().filter_map(|it| it.as_ref().ok()).map(|it| &it.report);
        let keys: Vec<&str> = valid().map(|report| report.key.as_str()).collect();
        let (snapshot, deleted) = self.snapshot_knowing(tenant, &keys).await;
        let named = self.named(tenant, valid(), snapshot, deleted).await?;
        let (mut answers, mut outcomes, mut new) = (Vec::new(), Vec::new(), Vec::new());
        for reported in reported {
            let outcome = reported.and_then(|Reported { report, body }| {
                let outcome = named.resolved(report, receipt.at)?;
                let new = new_outcome(&outcome, named.contact(&outcome), body)?;
                Ok((outcome, new))
            });
            answers.push(outcome.map(|(outcome, of_outcome)| {
                outcomes.push(outcome);
                new.push(of_outcome);
            }));
        }
        let mut recorded = self.write(tenant, &receipt, &new).await?.into_iter().zip(outcomes);
        let lost = || serve::internal(&"an outcome was neither recorded nor refused");
        let answer = |answer: Result<(), Problem>| match answer {
            Err(refused) => Ok(Err(refused)),
            Ok(()) => match recorded.next() {
                Some((recorded, outcome)) => Ok(named.accepted(recorded, &outcome)),
                None => Err(lost()),
            },
        };
        answers.into_iter().map(answer).collect()
    }

    async fn write(
        &self,
        tenant: &str,
        receipt: &Receipt,
        new: &[NewOutcome],
    ) -> Result<Vec<Recorded>, Status> {
        if new.is_empty() {
            return Ok(Vec::new());
        }
        // The caller has no answer any more and may report again. Another process may have counted
        // past the receipt by now.
        if receipt.is_overdue() {
            let message = "the outcomes could not be recorded in time; report them again";
            let problem = Problem::new(Code::DeadlineExceeded, ErrorReason::Unavailable, message);
            return Err(problem.into());
        }
        let recorded = self.store.write_outcomes(tenant, new).await;
        let recorded = recorded.map_err(|error| serve::store_status(&error))?;
        self.bell.notify_one();
        Ok(recorded)
    }

    /// The tenant's snapshot, once it has all outcome types `keys` or the wait is over, and those
    /// of the types in it that are deleted by now. Only system types need no look at catalog-svc.
    async fn snapshot_knowing(
        &self,
        tenant: &str,
        keys: &[&str],
    ) -> (Arc<Snapshot>, BTreeSet<String>) {
        let mut follower = self.followers.of(tenant);
        let open = open_keys(&follower.borrow(), keys);
        if open.is_empty() {
            let snapshot = follower.borrow().clone();
            return (snapshot, BTreeSet::new());
        }
        let existing = self.existing(tenant, &open).await;
        // Only types that their owner has can be on their way here.
        let wanted = existing.as_ref().unwrap_or(&open);
        let knows = |snapshot: &Snapshot| {
            let types = snapshot.catalog.as_ref().map(|catalog| &catalog.outcome_types);
            types.is_some_and(|types| wanted.iter().all(|key| types.contains_key(key)))
        };
        let (snapshot, _) = follow::wait_for(&mut follower, follow::SNAPSHOT_WAIT_MAX, knows).await;
        let deleted = existing.map(|existing| open.difference(&existing).cloned().collect());
        (snapshot, deleted.unwrap_or_default())
    }

    /// Those of the keys that catalog-svc has now; none when it does not answer.
    async fn existing(&self, tenant: &str, keys: &BTreeSet<String>) -> Option<BTreeSet<String>> {
        let heard = self.names.of_kind(OUTCOME_TYPE)?.now(tenant).await;
        let is_there = |key: &&String| heard.directory.listed(OUTCOME_TYPE, key).is_some();
        heard.is_current.then(|| keys.iter().filter(is_there).cloned().collect())
    }

    /// What the reports name.
    async fn named(
        &self,
        tenant: &str,
        reports: impl Iterator<Item = &Report>,
        snapshot: Arc<Snapshot>,
        deleted: BTreeSet<String>,
    ) -> Result<Named, Status> {
        let catalog = snapshot.catalog.clone().ok_or_else(no_snapshot)?;
        let ids = reports.map(|report| (&*report.customer_id, &*report.decision_id));
        let ids: BTreeSet<_> = ids.filter(|(_, decision_id)| !decision_id.is_empty()).collect();
        let ids: Vec<_> = ids.into_iter().collect();
        let found = self.store.decisions_of(tenant, &ids).await;
        let found = found.map_err(|error| serve::store_status(&error))?.into_iter();
        let found: BTreeMap<_, _> =
            found.map(|(ids, row)| (ids, KeptRecord::read(&row.record))).collect();
        let is_missing = |(customer_id, decision_id): &&(&str, &str)| {
            !found.contains_key(&((*customer_id).to_owned(), (*decision_id).to_owned()))
        };
        let missing: Vec<_> = ids.iter().filter(is_missing).map(|(_, id)| *id).collect();
        let of_others = self.store.known_decisions(tenant, &missing).await;
        let of_others = of_others.map_err(|error| serve::store_status(&error))?;
        let kept_since = match missing.is_empty() {
            true => None,
            false => self.store.kept_since(tenant).await.map_err(|it| serve::store_status(&it))?,
        };
        Ok(Named { found, of_others, kept_since, catalog, deleted, snapshot })
    }
}

/// What reports name.
struct Named {
    /// Decisions by customer and id.
    found: BTreeMap<(String, String), KeptRecord>,
    /// Ids of decisions of other customers than the reports say.
    of_others: BTreeSet<String>,
    /// When a decision is missing: the instant before which decisions were deleted.
    kept_since: Option<i64>,
    /// Types and offers.
    catalog: Arc<Catalog>,
    /// Types in the catalog that are deleted by now.
    deleted: BTreeSet<String>,
    /// Channels.
    snapshot: Arc<Snapshot>,
}

impl Named {
    /// The decision of a customer and id; `None` when the id is empty.
    fn decision(&self, report: &Report) -> Result<Option<&KeptRecord>, Problem> {
        let decision_id = report.decision_id.as_str();
        match self.found.get(&(report.customer_id.clone(), decision_id.to_owned())) {
            None if decision_id.is_empty() => Ok(None),
            None if self.of_others.contains(decision_id) => {
                let message = format!("`{decision_id}` is not a decision of this customer");
                Err(Problem::invalid_field("outcome.decision_id", message))
            }
            None => Err(kept::missing(decision_id, self.kept_since)),
            found => Ok(found),
        }
    }

    /// Finds what a report refers to: its type, its offer, its channel.
    fn resolved(
        &self,
        report: Report,
        received_at: DateTime<Utc>,
    ) -> Result<ResolvedOutcome, Problem> {
        let of_type = self.outcome_type(&report.key)?;
        let decision = self.decision(&report)?;
        let shown = decision.and_then(|decision| decision.shown.as_ref());
        let flow_id = shown.map(|shown| shown.flow_id.clone()).unwrap_or_default();
        let held_out_of = decision.map(KeptRecord::held_out_of).unwrap_or_default();
        let (offer, channel, may_contact) = match decision {
            None => (offer_named(&report.offer_id, &self.catalog)?, "", true),
            Some(decision) => {
                let offers = decision.decided_offers();
                let offer = report.offer_in(&offers).map_err(|(field, message)| {
                    Problem::invalid_field(format!("outcome.{field}"), message)
                })?;
                let channel = decision.shown.as_ref().map(kept::contact_channel);
                (offer.cloned(), channel.unwrap_or_default(), decision.may_contact())
            }
        };
        let channel = if report.channel.is_empty() { channel } else { &report.channel };
        Ok(ResolvedOutcome {
            outcome_id: new_id("out", received_at),
            of_type,
            offer,
            channel: channel.to_owned(),
            channel_key: self.channel_key(channel),
            may_contact,
            flow_id,
            held_out_of,
            occurred_at: report.occurred_at.unwrap_or(received_at),
            received_at,
            report,
        })
    }

    fn outcome_type(&self, key: &str) -> Result<OutcomeType, Problem> {
        let known = || {
            let types = self.catalog.outcome_types.values();
            types.filter(|of_type| !self.deleted.contains(&of_type.key))
        };
        known().find(|of_type| of_type.key == key).cloned().ok_or_else(|| {
            let known: Vec<_> = known().map(|of_type| of_type.key.as_str()).collect();
            let message = format!("`{key}` is not an outcome type; known are {}", known.join(", "));
            Problem::invalid_field("outcome.outcome", message)
        })
    }

    fn channel_key(&self, named: &str) -> String {
        let known = self.snapshot.policy.as_ref().and_then(|policy| policy.channel(named));
        known.map_or_else(|| folded(named), |channel| channel.id.clone())
    }

    /// What an outcome says about the contact of its decision.
    fn contact(&self, outcome: &ResolvedOutcome) -> Option<ContactReport> {
        let report = &outcome.report;
        let ids = (report.customer_id.clone(), report.decision_id.clone());
        let facts = self.found.get(&ids)?.facts.as_ref();
        let window_days = facts.map_or(0, |facts| facts.propensity_window_days);
        let window_days = match window_days {
            0 => Learning::default().propensity_window_days,
            days => days,
        };
        let channel = facts.map(|facts| facts.channel_id.as_str()).unwrap_or_default();
        let contact = ContactReport::of(outcome, channel, window_days)?;
        let learns = self.found.get(&ids).is_some_and(|record| record.online.is_some());
        Some(if learns { contact.online(outcome) } else { contact })
    }

    /// The answer to a report. One that says the same as an earlier one of its key is a duplicate,
    /// however it is spelled.
    fn accepted(&self, recorded: Recorded, outcome: &ResolvedOutcome) -> Result<Accepted, Problem> {
        match recorded {
            Recorded::Stored(outcome_id) => Ok(Accepted { outcome_id, is_duplicate: false }),
            Recorded::Duplicate(outcome_id) => Ok(Accepted { outcome_id, is_duplicate: true }),
            Recorded::Other { outcome_id, record } if self.says(&record, outcome) => {
                Ok(Accepted { outcome_id, is_duplicate: true })
            }
            Recorded::Other { .. } => {
                let key = outcome.report.retry_key();
                let message = format!("idempotency key `{key}` was used with another body");
                let problem =
                    Problem::new(Code::Aborted, ErrorReason::IdempotencyMismatch, message);
                Err(problem.with("key", key))
            }
        }
    }

    /// Whether a recorded report says the same as an outcome.
    fn says(&self, record: &[u8], outcome: &ResolvedOutcome) -> bool {
        let reported = KeptOutcome::read(record).report();
        let earlier = report::read(reported, outcome.received_at);
        let earlier = earlier.and_then(|report| self.resolved(report, outcome.received_at));
        earlier.is_ok_and(|earlier| earlier.is_same(outcome))
    }
}

/// The keys that are no system type of the snapshot.
fn open_keys(snapshot: &Snapshot, keys: &[&str]) -> BTreeSet<String> {
    let types = snapshot.catalog.as_ref().map(|catalog| &catalog.outcome_types);
    let is_system =
        |key: &str| types.and_then(|types| types.get(key)).is_some_and(|it| it.is_system);
    keys.iter().filter(|key| !is_system(key)).map(|key| (*key).to_owned()).collect()
}

/// The offer of a report that names no decision.
fn offer_named(named: &str, catalog: &Catalog) -> Result<Option<DecidedOffer>, Problem> {
    if named.is_empty() {
        return Ok(None);
    }
    let offer = catalog.offer(named).ok_or_else(|| {
        let names: Vec<_> = catalog.offers.values().map(|offer| offer.name.as_str()).collect();
        let hint = hint(named, names.iter().copied());
        let message = format!(
            "`{}` is not an offer{hint}; give an offer by id or name, or give the `decisionId`",
            wire::text::quoted(named)
        );
        Problem::invalid_field("outcome.offer_id", message)
    })?;
    let category = catalog.category(offer.category_reference());
    let category_id = category.map_or(offer.category_id.as_str(), |category| &category.id);
    Ok(Some(DecidedOffer { rank: 0, subject: OfferSubject::of(offer, category_id) }))
}

/// What is written of an outcome.
fn new_outcome(
    outcome: &ResolvedOutcome,
    contact: Option<ContactReport>,
    body: Vec<u8>,
) -> Result<NewOutcome, Problem> {
    let report = &outcome.report;
    let key = report.key(outcome.offer.as_ref()).ok_or_else(|| {
        let message = "is required without `decisionId` and `occurredAt`: \
                       it distinguishes a retry from a second outcome";
        Problem::invalid_field("outcome.idempotency_key", message)
    })?;
    Ok(NewOutcome {
        customer_id: report.customer_id.clone(),
        outcome_id: outcome.outcome_id.clone(),
        idempotency_key: key,
        body_hash: Sha256::digest(&body).to_vec(),
        outcome_key: report.key.clone(),
        decision_id: report.decision_id.clone(),
        occurred_us: outcome.occurred_at.timestamp_micros(),
        value_e4: report.value_e4,
        received_us: outcome.received_at.timestamp_micros(),
        record: KeptOutcome::of(outcome, body).bytes(),
        contact,
        policy_message: Box::new(policy::outcome_message(outcome)),
        experiment_message: experiment::outcome_message(outcome),
        cause: trace::cause(),
    })
}
