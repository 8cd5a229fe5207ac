//! OutcomeService.

use std::collections::HashMap;

use proffer_proto::{
    decision::v1::{self as proto, outcome_service_server::OutcomeService},
    errors::v1::ErrorReason,
    experiment::v1 as experiment,
    policy::v1::OutcomeFact,
};
use prost::Message as _;
use serve::{Problem, metadata};
use sha2::{Digest as _, Sha256};
use tonic::{Code, Request, Response, Status};

use super::{Context, instant, new_id, record::KeptRecord};
use crate::{
    domain::{
        offer_subject::OfferSubject,
        outcome::{DecidedOffer, FUTURE_MAX, Report, value_e4},
        request::{TEXT_BYTES_MAX, id_fault},
        snapshot::{Catalog, OutcomeType, Snapshot},
    },
    neighbours::{follow, scalar},
    store::{NewOutcome, Recorded},
};

/// What customers did.
pub struct Outcomes(pub Context);

/// Most outcomes of a bulk report.
pub const BULK_MAX: usize = 1_000;

/// A fault by field, or another refusal.
type Refused = Problem;

fn parse(
    reported: &proto::OutcomeReport,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Report, Refused> {
    let mut faults: Vec<(String, String)> = Vec::new();
    let mut fault =
        |field: &str, message: String| faults.push((format!("outcome.{field}"), message));
    if let Some(message) = id_fault(&reported.customer_id) {
        fault("customer_id", message);
    }
    if reported.outcome.is_empty() {
        fault("outcome", "is required: key of an outcome type".to_owned());
    }
    let texts = [
        ("outcome", &reported.outcome),
        ("decision_id", &reported.decision_id),
        ("offer_id", &reported.offer_id),
        ("channel", &reported.channel),
        ("idempotency_key", &reported.idempotency_key),
    ];
    for (field, text) in texts {
        if text.len() > TEXT_BYTES_MAX {
            fault(
                field,
                format!("has {} bytes, which exceeds the maximum {TEXT_BYTES_MAX}", text.len()),
            );
        } else if text.chars().any(char::is_control) {
            fault(field, "must not hold control characters".to_owned());
        }
    }
    if reported.rank.is_some_and(|rank| rank < 1) {
        fault("rank", "must be 1 or more".to_owned());
    }
    if reported.rank.is_some() && reported.decision_id.is_empty() {
        fault("decision_id", "is required with `rank`".to_owned());
    }
    let mut amounts = Vec::new();
    for (field, value) in
        [("value", &reported.value), ("conversion_value", &reported.conversion_value)]
    {
        let Some(value) = value else { continue };
        match scalar::parse(value).and_then(|parsed| parsed.as_ref().map(value_e4).transpose()) {
            Ok(Some(amount)) => amounts.push(amount),
            Ok(None) => {}
            Err(message) => fault(field, message),
        }
    }
    if let [value, other] = amounts[..]
        && value != other
    {
        fault("conversion_value", "differs from `value`; give one of them".to_owned());
    }
    let occurred_at =
        reported.occurred_at.as_ref().map(instant).transpose().unwrap_or_else(|message| {
            fault("occurred_at", message);
            None
        });
    if occurred_at.is_some_and(|at| at > now + FUTURE_MAX) {
        fault("occurred_at", "is more than 5 minutes ahead".to_owned());
    }
    if !faults.is_empty() {
        return Err(Problem::invalid_fields(faults));
    }
    Ok(Report {
        customer_id: reported.customer_id.clone(),
        key: reported.outcome.clone(),
        decision_id: reported.decision_id.clone(),
        rank: reported.rank,
        offer_id: reported.offer_id.clone(),
        channel: reported.channel.clone(),
        value_e4: amounts.first().copied(),
        occurred_at,
        idempotency_key: reported.idempotency_key.clone(),
    })
}

impl Context {
    /// The tenant's snapshot, once it knows all `keys` or the wait is over.
    async fn snapshot_knowing(
        &self,
        tenant: &str,
        keys: &[&str],
    ) -> Result<std::sync::Arc<Snapshot>, Status> {
        let away = || serve::unavailable("decision", &"no snapshot yet");
        let mut follower = self.followers.of(tenant).await.ok_or_else(away)?;
        let knows = |snapshot: &Snapshot| {
            let types = snapshot.catalog.as_ref().map(|catalog| &catalog.outcome_types);
            types.is_some_and(|types| keys.iter().all(|key| types.contains_key(*key)))
        };
        let (snapshot, _) = follow::wait_for(&mut follower, follow::SNAPSHOT_WAIT_MAX, knows).await;
        if snapshot.catalog.is_none() { Err(away()) } else { Ok(snapshot) }
    }

    /// Records reports in one transaction: each is recorded or refused, in order.
    async fn report(
        &self,
        tenant: &str,
        reported: &[proto::OutcomeReport],
    ) -> Result<Vec<Result<Recorded, Refused>>, Status> {
        let receipt = self.receipts.receive();
        let now = receipt.at;
        let keys: Vec<&str> = reported.iter().map(|report| report.outcome.as_str()).collect();
        let snapshot = self.snapshot_knowing(tenant, &keys).await?;
        let catalog = snapshot.catalog.clone().unwrap_or_default();
        let mut records: HashMap<String, Option<KeptRecord>> = HashMap::new();
        let mut answers: Vec<Result<Recorded, Refused>> = Vec::with_capacity(reported.len());
        let mut new = Vec::new();
        let mut places = Vec::new();
        for (index, report) in reported.iter().enumerate() {
            let decision_id = &report.decision_id;
            if !decision_id.is_empty()
                && decision_id.len() <= TEXT_BYTES_MAX
                && !decision_id.contains('\0')
                && !records.contains_key(decision_id)
            {
                let found = self
                    .store
                    .decision(tenant, decision_id)
                    .await
                    .map_err(|error| serve::store_status(&error))?;
                records.insert(decision_id.clone(), found.map(|row| KeptRecord::read(&row.record)));
            }
            let kept = records.get(decision_id).and_then(Option::as_ref);
            match new_outcome(report, kept, &catalog, now) {
                Ok(outcome) => {
                    places.push(index);
                    new.push(outcome);
                    // Replaced below by what the store says.
                    answers.push(Ok(Recorded::Mismatch));
                }
                Err(refused) => answers.push(Err(refused)),
            }
        }
        if !new.is_empty() {
            let recorded = self
                .store
                .write_outcomes(tenant, &new)
                .await
                .map_err(|error| serve::store_status(&error))?;
            for (index, recorded) in places.into_iter().zip(recorded) {
                if let (Some(answer), Some(report)) = (answers.get_mut(index), reported.get(index))
                {
                    *answer = if recorded == Recorded::Mismatch {
                        Err(mismatch(report))
                    } else {
                        Ok(recorded)
                    };
                }
            }
            self.bell.notify_one();
        }
        Ok(answers)
    }
}

fn new_outcome(
    reported: &proto::OutcomeReport,
    kept: Option<&KeptRecord>,
    catalog: &Catalog,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<NewOutcome, Refused> {
    let report = parse(reported, now)?;
    let of_type = catalog.outcome_types.get(&report.key).ok_or_else(|| {
        let known: Vec<_> = catalog.outcome_types.keys().map(String::as_str).collect();
        let message =
            format!("`{}` is not an outcome type; known are {}", report.key, known.join(", "));
        Problem::invalid_field("outcome.outcome", message)
    })?;
    let (offer, channel) = match (report.decision_id.as_str(), kept) {
        ("", _) => (offer_named(&report.offer_id, catalog)?, report.channel.clone()),
        (decision_id, None) => return Err(Problem::not_found("decision", decision_id)),
        (decision_id, Some(kept)) => {
            let shown = kept.shown.clone().unwrap_or_default();
            if shown.customer_id != report.customer_id {
                let message = format!("`{decision_id}` is not a decision of this customer");
                return Err(Problem::invalid_field("outcome.decision_id", message));
            }
            let offers = kept.decided_offers();
            let offer = report.offer_in(&offers).map_err(|(field, message)| {
                Problem::invalid_field(format!("outcome.{field}"), message)
            })?;
            let channel =
                if report.channel.is_empty() { shown.channel } else { report.channel.clone() };
            (offer.cloned(), channel)
        }
    };
    let key = report.key(offer.as_ref().map(|offer| offer.rank)).ok_or_else(|| {
        let message = "is required without `decisionId` and `occurredAt`: it tells a retry from a second outcome";
        Problem::invalid_field("outcome.idempotency_key", message)
    })?;
    let outcome_id = new_id("out", now);
    let occurred_at = report.occurred_at.unwrap_or(now);
    let occurred = history::timestamp(occurred_at);
    let fact = fact(&report, of_type, offer.as_ref(), &outcome_id, &channel, occurred, now);
    let entry = experiment::ledger_entry::Entry::Outcome(experiment::OutcomeEntry {
        outcome_id: outcome_id.clone(),
        customer_id: report.customer_id.clone(),
        key: report.key.clone(),
        positive: of_type.is_positive,
        value_e4: report.value_e4.unwrap_or_default(),
        occurred_at: Some(occurred),
        received_at: Some(history::timestamp(now)),
    });
    Ok(NewOutcome {
        customer_id: report.customer_id.clone(),
        idempotency_key: key,
        body_hash: Sha256::digest(reported.encode_to_vec()).to_vec(),
        outcome_key: report.key.clone(),
        occurred_us: occurred_at.timestamp_micros(),
        value_e4: report.value_e4,
        received_us: now.timestamp_micros(),
        record: reported.encode_to_vec(),
        policy_message: Box::new(move |customer_seq| {
            OutcomeFact { customer_seq, ..fact.clone() }.encode_to_vec()
        }),
        experiment_message: experiment::LedgerEntry { entry: Some(entry) }.encode_to_vec(),
        outcome_id,
    })
}

/// The offer of a report that names no decision.
fn offer_named(named: &str, catalog: &Catalog) -> Result<Option<DecidedOffer>, Refused> {
    if named.is_empty() {
        return Ok(None);
    }
    let offer = catalog.offer(named).ok_or_else(|| {
        let message = format!(
            "`{named}` is not an offer; name an offer by id or name, or give the `decisionId`"
        );
        Problem::invalid_field("outcome.offer_id", message)
    })?;
    let category = catalog.category(&offer.category);
    let category_id = category.map(|category| category.id.as_str()).unwrap_or_default();
    Ok(Some(DecidedOffer { rank: 0, subject: OfferSubject::of(offer, category_id) }))
}

fn fact(
    report: &Report,
    of_type: &OutcomeType,
    offer: Option<&DecidedOffer>,
    outcome_id: &str,
    channel: &str,
    occurred: prost_types::Timestamp,
    now: chrono::DateTime<chrono::Utc>,
) -> OutcomeFact {
    let meaning = of_type.contact_meaning();
    OutcomeFact {
        outcome_id: outcome_id.to_owned(),
        customer_id: report.customer_id.clone(),
        customer_seq: 0,
        key: report.key.clone(),
        counts_as_contact: meaning.counts_as_contact,
        releases: meaning.releases,
        decision_id: report.decision_id.clone(),
        rank: offer.map_or(0, |offer| offer.rank),
        offer: offer.map(|offer| (&offer.subject).into()),
        channel: channel.to_owned(),
        occurred_at: Some(occurred),
        received_at: Some(history::timestamp(now)),
    }
}

fn mismatch(reported: &proto::OutcomeReport) -> Problem {
    let key = if reported.idempotency_key.is_empty() {
        &reported.decision_id
    } else {
        &reported.idempotency_key
    };
    let message = format!("idempotency key `{key}` was used with another body");
    Problem::new(Code::Aborted, ErrorReason::IdempotencyMismatch, message).with("key", key.as_str())
}

#[tonic::async_trait]
impl OutcomeService for Outcomes {
    async fn respond(
        &self,
        request: Request<proto::RespondRequest>,
    ) -> Result<Response<proto::RespondResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let reported = [request.into_inner().outcome.unwrap_or_default()];
        let context = self.0.clone();
        // In a task of its own: a caller that leaves does not undo what is being written.
        let recorded = tokio::spawn(async move { context.report(&tenant, &reported).await });
        let mut recorded = recorded.await.map_err(|error| serve::internal(&error))??;
        let (outcome_id, duplicate) = match recorded.pop() {
            Some(Ok(Recorded::Stored(id))) => (id, false),
            Some(Ok(Recorded::Duplicate(id))) => (id, true),
            Some(Err(refused)) => return Err(refused.into()),
            Some(Ok(Recorded::Mismatch)) | None => {
                return Err(serve::internal(&"an outcome was neither kept nor refused"));
            }
        };
        Ok(Response::new(proto::RespondResponse { outcome_id, duplicate }))
    }

    async fn bulk_respond(
        &self,
        request: Request<proto::BulkRespondRequest>,
    ) -> Result<Response<proto::BulkRespondResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let reported = request.into_inner().outcomes;
        if reported.len() > BULK_MAX {
            return Err(Problem::limit("outcomes", reported.len(), BULK_MAX).into());
        }
        let context = self.0.clone();
        let recorded = tokio::spawn(async move { context.report(&tenant, &reported).await });
        let recorded = recorded.await.map_err(|error| serve::internal(&error))??;
        let mut answer = proto::BulkRespondResponse::default();
        for (index, recorded) in (0..).zip(recorded) {
            let mut result = proto::BulkRespondResult { index, ..Default::default() };
            match recorded {
                Ok(Recorded::Stored(id)) => result.outcome_id = Some(id),
                Ok(Recorded::Duplicate(id)) => {
                    (result.outcome_id, result.duplicate) = (Some(id), true)
                }
                Ok(Recorded::Mismatch) => {}
                Err(refused) => result.error = Some(outcome_fault(refused)),
            }
            if result.error.is_some() {
                answer.refused += 1
            } else {
                answer.accepted += 1
            }
            answer.results.push(result);
        }
        Ok(Response::new(answer))
    }
}

fn outcome_fault(refused: Problem) -> proto::OutcomeFault {
    let status = Status::from(refused);
    let code = match status.code() {
        Code::NotFound => "NOT_FOUND",
        Code::Aborted => "IDEMPOTENCY_MISMATCH",
        _ => "INVALID_ARGUMENT",
    };
    proto::OutcomeFault { code: code.to_owned(), message: status.message().to_owned() }
}
