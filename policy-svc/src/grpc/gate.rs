//! ContactGateService, called by decision-svc: reserve, check, judge recorded facts again, commit,
//! release, and deliver outcomes.

mod batch;

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt as _};
use history::Heartbeat;
use proffer_proto::policy::v1::{self as proto, contact_gate_service_server::ContactGateService};
use serve::{Problem, metadata};
use tonic::{Request, Response, Status};

use super::{Context, in_its_own_task, status::status};
use crate::{
    domain::{Faults, facts::Facts, question::Question, verdict::Judgment},
    gate::{Basis, Checking, Committed, Order, ReserveAnswer, kept},
    messages::{
        facts, id_fault, instant, judgment,
        question::{CANDIDATES_MAX, DELIVERY_MAX, Purpose, outcome, question},
    },
};

/// The gate that every contact passes.
pub struct GateService(pub Context);

/// Questions of one batch.
const BATCH_MAX: usize = 256;
/// Slots one call may want.
const SLOTS_MAX: i32 = 50;

/// The fault of an id that must be given, as a list.
fn id_faults(path: &str, id: &str) -> Faults {
    id_fault(id).map(|message| (path.to_owned(), message)).into_iter().collect()
}

/// What is asked, or all faults of the request.
fn valid<T>(found: Result<T, Faults>, mut others: Faults) -> Result<T, Problem> {
    match found {
        Ok(found) if others.is_empty() => Ok(found),
        found => {
            others.extend(found.err().unwrap_or_default());
            Err(Problem::invalid_fields(others))
        }
    }
}

impl Context {
    /// Judges and holds slots. It writes: run it in a task of its own.
    pub async fn reserve(
        &self,
        tenant: &str,
        asked: proto::ReserveRequest,
    ) -> Result<proto::ReserveResponse, Status> {
        let (question, order) = reservation(asked)?;
        let answer = self.gate.reserve(tenant, question, order).await.map_err(status)?;
        reserved(answer)
    }

    /// Judges.
    pub async fn check(
        &self,
        tenant: &str,
        asked: proto::CheckRequest,
    ) -> Result<proto::CheckResponse, Status> {
        let found = self.gate.check(tenant, checking(asked)?).await.map_err(status)?;
        Ok(checked(found))
    }
}

/// What a request to hold slots asks.
fn reservation(asked: proto::ReserveRequest) -> Result<(Arc<Question>, Order), Problem> {
    let mut faults = id_faults("decision_id", &asked.decision_id);
    if !asked.request_id.is_empty() {
        faults.extend(id_faults("request_id", &asked.request_id));
    }
    let limit = usize::try_from(asked.limit).unwrap_or_default();
    if !(1..=SLOTS_MAX).contains(&asked.limit) {
        faults
            .push(("limit".to_owned(), format!("is {}; it must be 1 to {SLOTS_MAX}", asked.limit)));
    }
    let question = valid(
        question(asked.question.unwrap_or_default(), 0..=CANDIDATES_MAX, Purpose::Contact),
        faults,
    )?;
    let order = Order { decision_id: asked.decision_id, request_id: asked.request_id, limit };
    Ok((Arc::new(question), order))
}

/// What a request for a judgment asks.
fn checking(asked: proto::CheckRequest) -> Result<Checking, Problem> {
    let found = question(asked.question.unwrap_or_default(), 0..=CANDIDATES_MAX, Purpose::Check);
    let question = Arc::new(valid(found, limit_faults(asked.limit))?);
    let limit = usize::try_from(asked.limit).ok().filter(|limit| *limit > 0);
    Ok(Checking { question, limit })
}

/// The fault of a number of slots that may be left out, as a list.
fn limit_faults(limit: i32) -> Faults {
    let fault = || ("limit".to_owned(), format!("is {limit}; it must be 0 to {SLOTS_MAX}"));
    (!(0..=SLOTS_MAX).contains(&limit)).then(fault).into_iter().collect()
}

/// What was reserved, now or by an earlier call of the same request.
fn reserved(answer: ReserveAnswer) -> Result<proto::ReserveResponse, Status> {
    match answer {
        ReserveAnswer::Judged(reserved) => {
            let facts = printed_facts(&reserved.basis);
            let mut response = kept::reserved(*reserved);
            if let Some(judgment) = &mut response.judgment {
                judgment.facts = facts;
            }
            Ok(response)
        }
        ReserveAnswer::Repeated(kept) => {
            kept::decoded(&kept).map_err(|error| serve::internal(&error))
        }
    }
}

fn printed_facts(basis: &Basis) -> Option<proto::ContactFacts> {
    Some(facts::recorded(&basis.facts, basis.fields_read.iter().cloned()))
}

fn checked((found, basis): (Judgment, Basis)) -> proto::CheckResponse {
    let facts = printed_facts(&basis);
    let judgment = proto::Judgment { facts, ..judgment::judgment(found) };
    proto::CheckResponse { judgment: Some(judgment) }
}

#[tonic::async_trait]
impl ContactGateService for GateService {
    async fn reserve(
        &self,
        request: Request<proto::ReserveRequest>,
    ) -> Result<Response<proto::ReserveResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let (context, asked) = (self.0.clone(), request.into_inner());
        in_its_own_task(async move { context.reserve(&tenant, asked).await })
            .await
            .map(Response::new)
    }

    async fn check(
        &self,
        request: Request<proto::CheckRequest>,
    ) -> Result<Response<proto::CheckResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        self.0.check(&tenant, request.into_inner()).await.map(Response::new)
    }

    async fn batch_reserve(
        &self,
        request: Request<proto::BatchReserveRequest>,
    ) -> Result<Response<proto::BatchReserveResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let questions = request.into_inner().questions;
        if questions.len() > BATCH_MAX {
            return Err(Problem::limit("questions", questions.len(), BATCH_MAX).into());
        }
        let context = self.0.clone();
        let answers =
            in_its_own_task(async move { Ok(batch::answers(&context, &tenant, questions).await) })
                .await?;
        Ok(Response::new(proto::BatchReserveResponse { answers }))
    }

    async fn evaluate_facts(
        &self,
        request: Request<proto::EvaluateFactsRequest>,
    ) -> Result<Response<proto::EvaluateFactsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner();
        let mut faults = limit_faults(asked.limit);
        let known = facts::facts(asked.facts.unwrap_or_default()).unwrap_or_else(|found| {
            faults.extend(found);
            Facts::default()
        });
        let configured_at =
            asked.configured_at.as_ref().map(instant).transpose().unwrap_or_else(|message| {
                faults.push(("configured_at".to_owned(), message));
                None
            });
        let question = valid(
            question(asked.question.unwrap_or_default(), 0..=CANDIDATES_MAX, Purpose::Replay),
            faults,
        )?;
        let revision = match configured_at {
            Some(at) => self.0.history.revision_at(&tenant, at).await?,
            None => asked.revision,
        };
        let limit = usize::try_from(asked.limit).ok().filter(|limit| *limit > 0);
        let question = Arc::new(question);
        let found = self.0.gate.replay(&tenant, revision, question.clone(), &known, limit).await;
        let found = found.map_err(status)?;
        let granted = found.granted.iter().filter_map(|index| question.candidates.get(*index));
        let granted = granted
            .map(|candidate| candidate.offer_id.clone())
            .filter(|_| limit.is_some())
            .collect();
        let judgment = Some(judgment::judgment(found));
        Ok(Response::new(proto::EvaluateFactsResponse { judgment, granted }))
    }

    async fn commit_contact(
        &self,
        request: Request<proto::CommitContactRequest>,
    ) -> Result<Response<proto::CommitContactResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner();
        let mut faults = id_faults("decision_id", &asked.decision_id);
        if asked.rank < 0 {
            faults.push(("rank".to_owned(), format!("is {}; it must be 1 or more", asked.rank)));
        }
        let rank = i64::from(asked.rank.max(1));
        let question =
            valid(question(asked.question.unwrap_or_default(), 1..=1, Purpose::Contact), faults)?;
        let (gate, decision_id) = (self.0.gate.clone(), asked.decision_id);
        let committed = in_its_own_task(async move {
            let committed = gate.commit(&tenant, Arc::new(question), &decision_id, rank).await;
            committed.map_err(status)
        });
        Ok(Response::new(match committed.await? {
            Committed::Go(contact_id) => {
                proto::CommitContactResponse { go: true, contact_id, refusal: None }
            }
            Committed::NoGo(refusal) => proto::CommitContactResponse {
                go: false,
                contact_id: String::new(),
                refusal: Some(judgment::refusal(refusal)),
            },
        }))
    }

    async fn release_contact(
        &self,
        request: Request<proto::ReleaseContactRequest>,
    ) -> Result<Response<proto::ReleaseContactResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let asked = request.into_inner();
        let mut faults = id_faults("customer_id", &asked.customer_id);
        faults.extend(id_faults("decision_id", &asked.decision_id));
        if asked.rank < 0 {
            faults.push(("rank".to_owned(), format!("is {}; it must be 0 or more", asked.rank)));
        }
        valid(Ok(()), faults)?;
        let rank = (asked.rank > 0).then_some(i64::from(asked.rank));
        let gate = self.0.gate.clone();
        let released = in_its_own_task(async move {
            let released = gate.release(&tenant, &asked.customer_id, asked.decision_id, rank).await;
            released.map_err(status)
        });
        let released = i32::try_from(released.await?).unwrap_or(i32::MAX);
        Ok(Response::new(proto::ReleaseContactResponse { released }))
    }

    async fn deliver_outcomes(
        &self,
        request: Request<proto::DeliverOutcomesRequest>,
    ) -> Result<Response<proto::DeliverOutcomesResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let facts = request.into_inner().outcomes;
        if facts.len() > DELIVERY_MAX {
            return Err(Problem::limit("outcomes", facts.len(), DELIVERY_MAX).into());
        }
        let (mut outcomes, mut faults) = (Vec::with_capacity(facts.len()), Faults::new());
        for (index, fact) in facts.into_iter().enumerate() {
            match outcome(fact, &format!("outcomes[{index}]")) {
                Ok(outcome) => outcomes.push(outcome),
                Err(found) => faults.extend(found),
            }
        }
        valid(Ok(()), faults)?;
        let gate = self.0.gate.clone();
        in_its_own_task(async move { gate.deliver(&tenant, outcomes).await.map_err(status) })
            .await?;
        Ok(Response::new(proto::DeliverOutcomesResponse {}))
    }

    async fn get_policy_head(
        &self,
        request: Request<proto::GetPolicyHeadRequest>,
    ) -> Result<Response<proto::GetPolicyHeadResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let head_revision = self.0.history.head(&tenant).await?;
        Ok(Response::new(proto::GetPolicyHeadResponse { head_revision }))
    }

    type WatchPolicyStream =
        Pin<Box<dyn Stream<Item = Result<proto::WatchPolicyResponse, Status>> + Send>>;

    async fn watch_policy(
        &self,
        request: Request<proto::WatchPolicyRequest>,
    ) -> Result<Response<Self::WatchPolicyStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        let pages =
            self.0.history.watch_call(&metadata, request.after_revision, Heartbeat::None)?.map(
                |page| {
                    let (changes, head_revision) = page?;
                    Ok(proto::WatchPolicyResponse { changes, head_revision })
                },
            );
        Ok(Response::new(Box::pin(pages)))
    }
}
