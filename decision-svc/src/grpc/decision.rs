//! DecisionService.

use futures::{StreamExt as _, stream::BoxStream};
use proffer_proto::decision::v1::{self as proto, decision_service_server::DecisionService};
use prost::Message as _;
use serve::{Problem, metadata};
use tonic::{Code, Request, Response, Status, Streaming};

use super::{
    Context, REQUEST_BYTES_MAX, instant, reason_code::into_proto, recommend::Run,
    recommend_batch as batch, record::KeptRecord,
};
use crate::{
    domain::{
        decide::refusal,
        judgement::Refusal,
        reason::Reason,
        request::{
            ITEMS_MAX, LIMIT_DEFAULT, LIMIT_MAX, MinRevisions, Question, TEXT_BYTES_MAX, id_fault,
            text_fault,
        },
        scalar::Fields,
    },
    neighbours::{catalog, policy, scalar},
};

/// Deciding, and the record.
pub struct Decisions(pub Context);

/// The question, or all its faults.
pub(super) fn parse(asked: &proto::RecommendRequest) -> Result<Question, Problem> {
    // Batches are larger, and come by the same service.
    if asked.encoded_len() > REQUEST_BYTES_MAX {
        return Err(Problem::limit("request", asked.encoded_len(), REQUEST_BYTES_MAX));
    }
    let mut faults: Vec<(String, String)> = Vec::new();
    let mut fault = |field: &str, message: String| faults.push((field.to_owned(), message));
    if let Some(message) = id_fault(&asked.customer_id) {
        fault("customer_id", message);
    }
    if !asked.request_id.is_empty()
        && let Some(message) = id_fault(&asked.request_id)
    {
        fault("request_id", message);
    }
    let flow = if asked.flow.is_empty() { &asked.flow_id } else { &asked.flow };
    if flow.is_empty() {
        fault("flow", "is required: id or name of a decision flow".to_owned());
    }
    if !asked.flow.is_empty() && !asked.flow_id.is_empty() && asked.flow != asked.flow_id {
        fault("flow_id", "names another flow than `flow`; give one of them".to_owned());
    }
    for (field, text) in
        [("channel", &asked.channel), ("flow", flow), ("placement", &asked.placement)]
    {
        if let Some(message) = text_fault(text) {
            fault(field, message);
        }
    }
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        fault("limit", format!("is {limit}; it must be 1 to {LIMIT_MAX}"));
    }
    for (field, count) in
        [("attributes", asked.attributes.len()), ("exclude_offers", asked.exclude_offers.len())]
    {
        if count > ITEMS_MAX {
            fault(field, format!("holds {count}, which exceeds the maximum {ITEMS_MAX}"));
        }
    }
    let mut attributes = Fields::new();
    for (name, value) in &asked.attributes {
        match scalar::parse(value) {
            Ok(Some(value)) => drop(attributes.insert(name.clone(), value)),
            Ok(None) => {}
            Err(message) => fault(&format!("attributes.{name}"), message),
        }
        if name.is_empty() || name.len() > TEXT_BYTES_MAX || name.chars().any(char::is_control) {
            fault(
                "attributes",
                format!("a name must have 1 to {TEXT_BYTES_MAX} bytes without control characters"),
            );
        }
    }
    let at = asked.at.as_ref().map(instant).transpose().unwrap_or_else(|message| {
        fault("at", message);
        None
    });
    if at.is_some() && !asked.dry_run {
        fault("at", "is allowed only with `dryRun`: a decision is made now".to_owned());
    }
    let min_revisions = MinRevisions::parse(&asked.min_revision).unwrap_or_else(|message| {
        fault("min_revision", message);
        MinRevisions::default()
    });
    if !faults.is_empty() {
        return Err(Problem::invalid_fields(faults));
    }
    Ok(Question {
        customer_id: asked.customer_id.clone(),
        channel: asked.channel.clone(),
        flow: flow.clone(),
        placement: asked.placement.clone(),
        limit: usize::try_from(limit).unwrap_or(1),
        attributes,
        exclude_offers: asked.exclude_offers.clone(),
        request_id: asked.request_id.clone(),
        is_holding: asked.hold.unwrap_or(true),
        is_dry_run: asked.dry_run,
        at,
        is_explained: asked.explain,
        min_revisions,
    })
}

/// Longest wait for a decision that runs in its own task; it goes on when the caller has gone.
pub(super) async fn in_its_own_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    tokio::spawn(work).await.map_err(|error| serve::internal(&error))?
}

impl Context {
    pub(super) async fn kept(&self, tenant: &str, decision_id: &str) -> Result<KeptRecord, Status> {
        let found = self
            .store
            .decision(tenant, decision_id)
            .await
            .map_err(|error| serve::store_status(&error))?;
        let found = found.ok_or_else(|| Problem::not_found("decision", decision_id))?;
        Ok(KeptRecord::read(&found.record))
    }

    async fn commit(
        &self,
        tenant: &str,
        asked: proto::CommitDecisionRequest,
    ) -> Result<proto::CommitDecisionResponse, Status> {
        let kept = self.kept(tenant, &asked.decision_id).await?;
        let shown = kept.shown.clone().unwrap_or_default();
        let rank = asked.rank.unwrap_or(1);
        let offer = kept.offers.iter().find(|offer| offer.rank == rank);
        let offer = offer.ok_or_else(|| Problem::not_found("rank", &rank.to_string()))?;
        let unavailable = || {
            no_go(refusal(
                Reason::Unavailable,
                "the contact cannot be judged now; try again shortly",
            ))
        };
        let flow = self.flows.get(tenant, &shown.flow_id).await.ok();
        let flow = flow.and_then(|flow| super::flow_config::parse(&flow).ok());
        let schema = flow
            .as_ref()
            .map_or(crate::domain::flow::DEFAULT_SCHEMA, |flow| flow.schema())
            .to_owned();
        let (customer, pending) = tokio::join!(
            catalog::customer(&*self.neighbours.catalog, tenant, &shown.customer_id, &schema),
            self.store.pending(tenant, &shown.customer_id, policy::PENDING_MAX as i64 + 1),
        );
        let pending = pending.map_err(|error| serve::store_status(&error))?;
        let Ok(customer) = customer else { return Ok(unavailable()) };
        if pending.len() > policy::PENDING_MAX {
            return Ok(unavailable());
        }
        let record = customer.record.unwrap_or_default();
        let question = policy::Question {
            customer_id: &shown.customer_id,
            channel: &shown.channel,
            now: self.clock.now(),
            record: &record,
            pending: &pending,
            as_of: None,
        };
        let candidate = offer.subject.clone().unwrap_or_default();
        match policy::commit(
            &*self.neighbours.gate,
            tenant,
            question,
            candidate,
            &asked.decision_id,
            rank,
        )
        .await
        {
            Ok(Ok(contact_id)) => Ok(proto::CommitDecisionResponse {
                go: true,
                contact_id: Some(contact_id),
                ..Default::default()
            }),
            Ok(Err(refusal)) => Ok(no_go(refusal)),
            Err(status) if status.code() == Code::Unavailable => Ok(unavailable()),
            Err(status) => Err(status),
        }
    }
}

fn no_go(refusal: Refusal) -> proto::CommitDecisionResponse {
    proto::CommitDecisionResponse {
        go: false,
        reason: refusal.reason,
        reason_code: into_proto(refusal.reason_code).into(),
        deliver_after: refusal.deliver_after,
        contact_id: None,
    }
}

#[tonic::async_trait]
impl DecisionService for Decisions {
    async fn recommend(
        &self,
        request: Request<proto::RecommendRequest>,
    ) -> Result<Response<proto::RecommendResponse>, Status> {
        let stopwatch = self.0.clock.stopwatch();
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner();
        let run = Run { tenant, question: parse(&asked)?, asked, stopwatch };
        let context = self.0.clone();
        let is_dry_run = run.question.is_dry_run;
        let deciding = async move { context.recommend(run).await };
        // A dry run writes nothing: it may end with its caller, and needs no task.
        let decision =
            if is_dry_run { Box::pin(deciding).await } else { in_its_own_task(deciding).await };
        Ok(Response::new(proto::RecommendResponse { decision: Some(decision?) }))
    }

    async fn recommend_batch(
        &self,
        request: Request<proto::RecommendBatchRequest>,
    ) -> Result<Response<proto::RecommendBatchResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let requests = request.into_inner().requests;
        batch::limits(&requests)?;
        let context = self.0.clone();
        let results =
            in_its_own_task(async move { Ok(batch::results(&context, &tenant, requests).await) })
                .await?;
        Ok(Response::new(proto::RecommendBatchResponse { results: batch::fitted(results) }))
    }

    type RecommendStreamStream = BoxStream<'static, Result<proto::RecommendStreamResponse, Status>>;

    async fn recommend_stream(
        &self,
        request: Request<Streaming<proto::RecommendStreamRequest>>,
    ) -> Result<Response<Self::RecommendStreamStream>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        Ok(Response::new(batch::answers(self.0.clone(), tenant, request.into_inner()).boxed()))
    }

    async fn get_decision(
        &self,
        request: Request<proto::GetDecisionRequest>,
    ) -> Result<Response<proto::GetDecisionResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let kept = self.0.kept(&tenant, &request.into_inner().decision_id).await?;
        Ok(Response::new(proto::GetDecisionResponse { decision: kept.shown }))
    }

    async fn list_decisions(
        &self,
        request: Request<proto::ListDecisionsRequest>,
    ) -> Result<Response<proto::ListDecisionsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner();
        if let Some(message) = id_fault(&asked.customer_id) {
            return Err(Problem::invalid_field("customer_id", message).into());
        }
        let (size, after) =
            history::page(asked.page_size, &asked.page_token).map_err(Problem::invalid_fields)?;
        let before = match after.split_once(' ') {
            None => (i64::MAX, ""),
            Some((us, id)) => (us.parse().unwrap_or(i64::MAX), id),
        };
        let found =
            self.0.store.decisions(&tenant, &asked.customer_id, before, i64::from(size) + 1).await;
        let found = found.map_err(|error| serve::store_status(&error))?;
        let page = found.iter().take(size as usize);
        let next_page_token = match page.clone().next_back() {
            Some(last) if found.len() > size as usize => {
                history::token(&format!("{} {}", last.decided_us, last.decision_id))
            }
            _ => String::new(),
        };
        let decisions = page.filter_map(|row| KeptRecord::read(&row.record).shown).collect();
        Ok(Response::new(proto::ListDecisionsResponse { decisions, next_page_token }))
    }

    async fn commit_decision(
        &self,
        request: Request<proto::CommitDecisionRequest>,
    ) -> Result<Response<proto::CommitDecisionResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let (context, asked) = (self.0.clone(), request.into_inner());
        let answer = in_its_own_task(async move { context.commit(&tenant, asked).await }).await?;
        Ok(Response::new(answer))
    }

    async fn release_decision(
        &self,
        request: Request<proto::ReleaseDecisionRequest>,
    ) -> Result<Response<proto::ReleaseDecisionResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner();
        if asked.rank.is_some_and(|rank| rank < 1) {
            return Err(Problem::invalid_field("rank", "must be 1 or more").into());
        }
        let kept = self.0.kept(&tenant, &asked.decision_id).await?;
        let customer_id = kept.shown.unwrap_or_default().customer_id;
        let (gate, rank) = (&*self.0.neighbours.gate, asked.rank.unwrap_or_default());
        let released =
            policy::release(gate, &tenant, &customer_id, &asked.decision_id, rank).await?;
        Ok(Response::new(proto::ReleaseDecisionResponse { released }))
    }

    async fn explain(
        &self,
        request: Request<proto::ExplainRequest>,
    ) -> Result<Response<proto::ExplainResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        Ok(Response::new(self.0.explain(&tenant, &request.into_inner()).await?))
    }

    async fn replay(
        &self,
        request: Request<proto::ReplayRequest>,
    ) -> Result<Response<proto::ReplayResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        Ok(Response::new(self.0.replay(&tenant, &request.into_inner().decision_id).await?))
    }

    async fn list_candidates(
        &self,
        request: Request<proto::ListCandidatesRequest>,
    ) -> Result<Response<proto::ListCandidatesResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner();
        let (size, after) =
            history::page(asked.page_size, &asked.page_token).map_err(Problem::invalid_fields)?;
        let size = usize::try_from(size).unwrap_or_default();
        Ok(Response::new(self.0.candidates(&tenant, &asked.decision_id, size, &after).await?))
    }
}
