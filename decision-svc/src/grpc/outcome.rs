//! OutcomeService: takes outcomes, one or many.

use proffer_proto::decision::v1::{self as proto, outcome_service_server::OutcomeService};
use prost::Message as _;
use serve::{Problem, code_name, metadata};
use tonic::{Request, Response, Status};

use super::spawned;
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
