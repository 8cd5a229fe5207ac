//! OutcomeService: takes outcomes, one or many.

use chrono::{DateTime, Utc};
use proffer_proto::decision::v1::{self as proto, outcome_service_server::OutcomeService};
use prost::Message as _;
use serve::{Problem, code_name, metadata};
use tonic::{Request, Response, Status};
use wire::amount;

use super::spawned;
use crate::{
    deciding::respond::{Accepted, Reported, Respond},
    domain::{
        outcome::{FUTURE_MAX, Report, VALUE_MAX},
        request::{id_fault, text_fault},
    },
    messages::instant,
};

/// What customers did.
pub struct Outcomes(pub Respond);

/// Most outcomes of a bulk report.
pub const BULK_MAX: usize = 1_000;

/// The report, or all its faults.
fn read(reported: proto::OutcomeReport, now: DateTime<Utc>) -> Result<Report, Problem> {
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
        if let Some(message) = text_fault(text) {
            fault(field, message);
        }
    }
    if reported.rank.is_some_and(|rank| rank < 1) {
        fault("rank", "must be 1 or more".to_owned());
    }
    if reported.rank.is_some() && reported.decision_id.is_empty() {
        fault("decision_id", "is required with `rank`".to_owned());
    }
    let value_e4 = reported_amount(&reported, &mut fault);
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
        customer_id: reported.customer_id,
        key: reported.outcome,
        decision_id: reported.decision_id,
        rank: reported.rank,
        offer_id: reported.offer_id,
        channel: reported.channel,
        value_e4,
        occurred_at,
        idempotency_key: reported.idempotency_key,
    })
}

/// The amount, which has two names, in 1/10,000 of the currency; all faults by field.
fn reported_amount(
    reported: &proto::OutcomeReport,
    fault: &mut impl FnMut(&str, String),
) -> Option<i64> {
    let mut amounts = Vec::new();
    for (field, value) in
        [("value", &reported.value), ("conversion_value", &reported.conversion_value)]
    {
        let Some(value) = value else { continue };
        match amount::read(value, -VALUE_MAX..=VALUE_MAX) {
            Ok(amount) => amounts.extend(amount),
            Err(message) => fault(field, message),
        }
    }
    if let [value, other] = amounts[..]
        && value != other
    {
        fault("conversion_value", "differs from `value`; give one of them".to_owned());
    }
    amounts.first().copied()
}

impl Outcomes {
    /// Records reports: each is accepted or refused, in their order.
    async fn record(
        &self,
        tenant: String,
        reports: Vec<proto::OutcomeReport>,
    ) -> Result<Vec<Result<Accepted, Problem>>, Status> {
        let respond = self.0.clone();
        // Spawned: a caller that disconnects does not undo a write.
        spawned(async move {
            let receipt = respond.receive();
            let read = |report: proto::OutcomeReport| {
                let body = report.encode_to_vec();
                Ok(Reported { report: read(report, receipt.at)?, body })
            };
            let reported = reports.into_iter().map(read).collect();
            respond.record(&tenant, receipt, reported).await
        })
        .await
    }
}

#[tonic::async_trait]
impl OutcomeService for Outcomes {
    async fn respond(
        &self,
        request: Request<proto::RespondRequest>,
    ) -> Result<Response<proto::RespondResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let report = request.into_inner().outcome.unwrap_or_default();
        let accepted = self.record(tenant, vec![report]).await?.pop();
        let lost = || serve::internal(&"an outcome was neither recorded nor refused");
        let Accepted { outcome_id, is_duplicate } = accepted.ok_or_else(lost)??;
        Ok(Response::new(proto::RespondResponse { outcome_id, duplicate: is_duplicate }))
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
        let recorded = self.record(tenant, reported).await?;
        let mut answer = proto::BulkRespondResponse::default();
        for (index, recorded) in (0..).zip(recorded) {
            let mut result = proto::BulkRespondResult { index, ..Default::default() };
            match recorded {
                Ok(Accepted { outcome_id, is_duplicate }) => {
                    answer.accepted += 1;
                    (result.outcome_id, result.duplicate) = (Some(outcome_id), is_duplicate);
                }
                Err(refused) => {
                    answer.refused += 1;
                    result.error = Some(outcome_fault(refused));
                }
            }
            answer.results.push(result);
        }
        Ok(Response::new(answer))
    }
}

fn outcome_fault(refused: Problem) -> proto::OutcomeFault {
    let reason = refused.reason_name().to_owned();
    let status = Status::from(refused);
    let (code, message) = (code_name(status.code()).to_owned(), status.message().to_owned());
    proto::OutcomeFault { code, message, reason }
}
