//! OutcomeService: takes outcomes, one or many, and lists those of a customer.

use proffer_proto::{
    decision::v1::{self as proto, outcome_service_server::OutcomeService},
    errors::v1::ItemFault,
};
use prost::Message as _;
use serve::{Problem, metadata};
use tonic::{Request, Response, Status};

use super::{outcome_list, spawned};
use crate::{
    deciding::respond::{Accepted, Reported, Respond},
    messages::report,
};

/// What customers did.
pub struct Outcomes(pub Respond);

/// Most outcomes of a bulk report.
pub const BULK_MAX: usize = 1_000;

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
            let read = |reported: proto::OutcomeReport| {
                let body = reported.encode_to_vec();
                Ok(Reported { report: report::read(reported, receipt.at)?, body })
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

    async fn respond_batch(
        &self,
        request: Request<proto::RespondBatchRequest>,
    ) -> Result<Response<proto::RespondBatchResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let proto::RespondBatchRequest { outcomes: reported, mut unread } = request.into_inner();
        if reported.len() > BULK_MAX {
            return Err(Problem::limit("outcomes", reported.len(), BULK_MAX).into());
        }
        let (skipped, reported): (Vec<_>, Vec<_>) =
            (0..).zip(reported).partition(|(index, _)| unread.contains_key(index));
        let (places, reports): (Vec<i32>, Vec<_>) = reported.into_iter().unzip();
        let recorded = self.record(tenant, reports).await?.into_iter();
        let recorded = recorded.map(|recorded| recorded.map_err(outcome_fault));
        let mut recorded: Vec<_> = places.into_iter().zip(recorded).collect();
        recorded.extend(
            skipped
                .into_iter()
                .filter_map(|(index, _)| unread.remove(&index).map(|fault| (index, Err(fault)))),
        );
        recorded.sort_by_key(|(index, _)| *index);
        let mut answer = proto::RespondBatchResponse::default();
        for (index, recorded) in recorded {
            let mut result = proto::RespondBatchResult { index, ..Default::default() };
            match recorded {
                Ok(Accepted { outcome_id, is_duplicate }) => {
                    answer.accepted += 1;
                    (result.outcome_id, result.duplicate) = (Some(outcome_id), is_duplicate);
                }
                Err(fault) => {
                    answer.refused += 1;
                    result.error = Some(fault);
                }
            }
            answer.results.push(result);
        }
        Ok(Response::new(answer))
    }

    async fn list_outcomes(
        &self,
        request: Request<proto::ListOutcomesRequest>,
    ) -> Result<Response<proto::ListOutcomesResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        outcome_list::page(&self.0, &tenant, request.into_inner()).await.map(Response::new)
    }
}

/// A refusal with paths that begin within the outcome.
fn outcome_fault(refused: Problem) -> ItemFault {
    let mut fault = serve::item_fault(&refused.into());
    let within = |text: &str| text.replace("`outcome.", "`");
    fault.message = within(&fault.message);
    for violation in &mut fault.field_violations {
        violation.description = within(&violation.description);
        if let Some(field) = violation.field.strip_prefix("outcome.") {
            violation.field = field.to_owned();
        }
    }
    fault
}
