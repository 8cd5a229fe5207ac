//! DecisionService: parses requests, calls the use cases and prints their answers.

use futures::{StreamExt as _, stream::BoxStream};
use proffer_proto::{
    decision::v1::{self as proto, decision_service_server::DecisionService},
    difference::Difference,
};
use serve::{Clock, Problem, metadata};
use tonic::{Request, Response, Status, Streaming};

use super::{batch, candidate::outcome_of, decision_list, explain, spawned};
use crate::{
    deciding::{
        ENGINE, candidates::Candidates, commit::Commit, explain::Explain, kept::KeptRecord,
        recommend::Recommend, release::Release, replay::Replay,
    },
    domain::{judgment::Refusal, request::id_fault},
    messages::reason_code,
    store::{DecisionName, Store},
};

/// Deciding, and the record. Cheap to clone.
#[derive(Clone)]
pub struct Decisions {
    /// Records.
    pub store: Store,
    /// Decides.
    pub recommend: Recommend,
    /// Commits contacts.
    pub commit: Commit,
    /// Releases slots.
    pub release: Release,
    /// Explains.
    pub explain: Explain,
    /// Replays.
    pub replay: Replay,
    /// Lists candidates.
    pub candidates: Candidates,
    /// The time.
    pub clock: Clock,
}

fn commit_response(answer: Result<String, Refusal>) -> proto::CommitDecisionResponse {
    match answer {
        Ok(contact_id) => proto::CommitDecisionResponse {
            go: true,
            contact_id: Some(contact_id),
            ..Default::default()
        },
        Err(refusal) => proto::CommitDecisionResponse {
            go: false,
            reason: refusal.reason,
            reason_code: reason_code::into_proto(refusal.reason_code).into(),
            deliver_after: refusal.deliver_after,
            contact_id: None,
        },
    }
}

/// The decision that a call is about; its customer may be left out.
fn named<'a>(decision_id: &'a str, customer_id: &'a str) -> Result<DecisionName<'a>, Problem> {
    let customer_id = Some(customer_id).filter(|id| !id.is_empty());
    match customer_id.and_then(id_fault) {
        Some(message) => Err(Problem::invalid_field("customer_id", message)),
        None => Ok(DecisionName { decision_id, customer_id }),
    }
}

fn difference(found: Difference) -> proto::Difference {
    proto::Difference { path: found.path, was: found.was, now: found.now }
}

#[tonic::async_trait]
impl DecisionService for Decisions {
    async fn recommend(
        &self,
        request: Request<proto::RecommendRequest>,
    ) -> Result<Response<proto::RecommendResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let call = batch::call(&self.recommend, request.into_inner())?;
        let recommend = self.recommend.clone();
        let is_dry_run = call.question.is_dry_run;
        let deciding = async move { recommend.one(&tenant, call).await };
        // A dry run writes nothing: it may end with its caller, and needs no task.
        let decision = if is_dry_run { Box::pin(deciding).await } else { spawned(deciding).await };
        Ok(Response::new(proto::RecommendResponse { decision: Some(decision?) }))
    }

    async fn recommend_batch(
        &self,
        request: Request<proto::RecommendBatchRequest>,
    ) -> Result<Response<proto::RecommendBatchResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let proto::RecommendBatchRequest { requests, unread } = request.into_inner();
        batch::limits(&requests)?;
        let recommend = self.recommend.clone();
        let deciding =
            async move { Ok(batch::results(&recommend, &tenant, requests, unread).await) };
        let results = spawned(deciding).await?;
        Ok(Response::new(proto::RecommendBatchResponse { results: batch::fitted(results) }))
    }

    type RecommendStreamStream = BoxStream<'static, Result<proto::RecommendStreamResponse, Status>>;

    async fn recommend_stream(
        &self,
        request: Request<Streaming<proto::RecommendStreamRequest>>,
    ) -> Result<Response<Self::RecommendStreamStream>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        Ok(Response::new(
            batch::answers(self.recommend.clone(), tenant, request.into_inner()).boxed(),
        ))
    }

    async fn get_decision(
        &self,
        request: Request<proto::GetDecisionRequest>,
    ) -> Result<Response<proto::GetDecisionResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner();
        let name = named(&asked.decision_id, &asked.customer_id)?;
        let kept = KeptRecord::find(&self.store, &tenant, name).await?;
        Ok(Response::new(proto::GetDecisionResponse { decision: kept.shown }))
    }

    async fn list_decisions(
        &self,
        request: Request<proto::ListDecisionsRequest>,
    ) -> Result<Response<proto::ListDecisionsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let kept = (&self.store, &self.commit.flows);
        decision_list::page(kept, &tenant, request.into_inner()).await.map(Response::new)
    }

    async fn commit_decision(
        &self,
        request: Request<proto::CommitDecisionRequest>,
    ) -> Result<Response<proto::CommitDecisionResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let (commit, asked) = (self.commit.clone(), request.into_inner());
        let rank = checked_rank(asked.rank)?.unwrap_or(1);
        let committing = async move {
            let name = named(&asked.decision_id, &asked.customer_id)?;
            commit.commit(&tenant, name, rank).await
        };
        Ok(Response::new(commit_response(spawned(committing).await?)))
    }

    async fn release_decision(
        &self,
        request: Request<proto::ReleaseDecisionRequest>,
    ) -> Result<Response<proto::ReleaseDecisionResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner();
        let rank = checked_rank(asked.rank)?.unwrap_or_default();
        let name = named(&asked.decision_id, &asked.customer_id)?;
        let released = self.release.release(&tenant, name, rank).await?;
        Ok(Response::new(proto::ReleaseDecisionResponse { released }))
    }

    async fn explain(
        &self,
        request: Request<proto::ExplainRequest>,
    ) -> Result<Response<proto::ExplainResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let question = explain::read(request.into_inner(), self.clock.now())?;
        let explanation = self.explain.explain(&tenant, &question).await?;
        Ok(Response::new(explain::response(explanation)))
    }

    async fn replay(
        &self,
        request: Request<proto::ReplayRequest>,
    ) -> Result<Response<proto::ReplayResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner();
        let name = named(&asked.decision_id, &asked.customer_id)?;
        let replayed = self.replay.replay(&tenant, name).await?;
        Ok(Response::new(proto::ReplayResponse {
            identical: replayed.differences.is_empty(),
            differences: replayed.differences.into_iter().map(difference).collect(),
            engine: ENGINE.to_owned(),
            recorded_engine: replayed.recorded_engine,
        }))
    }

    async fn list_candidates(
        &self,
        request: Request<proto::ListCandidatesRequest>,
    ) -> Result<Response<proto::ListCandidatesResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner();
        let listing = history::Listing::new(&["candidates", &asked.decision_id]);
        let (size, after) =
            listing.page(asked.page_size, &asked.page_token).map_err(Problem::invalid_fields)?;
        let size = usize::try_from(size).unwrap_or_default();
        let name = named(&asked.decision_id, &asked.customer_id)?;
        let page = self.candidates.page(&tenant, name, (size, &after)).await?;
        let last = page.candidates.last().filter(|_| page.has_more);
        let next_page_token = last.map(|last| listing.token(&last.offer_id));
        let outcomes = page.candidates.iter().map(|it| outcome_of(it, &page.conclusion));
        Ok(Response::new(proto::ListCandidatesResponse {
            candidates: outcomes.collect(),
            next_page_token: next_page_token.unwrap_or_default(),
        }))
    }
}

/// The rank of an offer as a call names it.
fn checked_rank(rank: Option<i32>) -> Result<Option<i32>, Problem> {
    if rank.is_some_and(|rank| rank < 1) {
        return Err(Problem::invalid_field("rank", "must be 1 or more"));
    }
    Ok(rank)
}
