//! RecommendBatch and RecommendStream: parses many requests and prints their answers within the
//! size limits. A faulty request does not affect the others.

use std::{collections::BTreeMap, sync::Arc};

use futures::{Stream, StreamExt as _, stream};
use proffer_proto::{
    decision::v1::{self as proto, recommend_result::Outcome},
    errors::v1::ItemFault,
};
use prost::Message as _;
use serve::Problem;
use tonic::{Status, Streaming};

use super::{REQUEST_BYTES_MAX, spawned};
use crate::{
    deciding::{batch::Call, recommend::Recommend},
    domain::request::LIMIT_DEFAULT,
    messages::question,
};

/// Questions of one batch.
pub const QUESTIONS_MAX: usize = 1_000;
/// Offers that the questions of one batch may want together.
pub const OFFERS_MAX: usize = 4_000;
/// Questions of a stream that are decided together when they wait together.
const WAITING_MAX: usize = 128;
/// Bytes of answers after which traces are left out.
const TRACES_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of answers after which computed values are left out as well.
const ANSWERS_BYTES_MAX: usize = 3 * 1024 * 1024;

/// What a batch may not have.
pub fn limits(requests: &[proto::RecommendRequest]) -> Result<(), Problem> {
    if requests.len() > QUESTIONS_MAX {
        return Err(Problem::limit("requests", requests.len(), QUESTIONS_MAX));
    }
    let wanted = |request: &proto::RecommendRequest| {
        usize::try_from(request.limit.unwrap_or(LIMIT_DEFAULT)).unwrap_or(0)
    };
    let offers = requests.iter().map(wanted).fold(0, usize::saturating_add);
    if offers > OFFERS_MAX {
        return Err(Problem::limit("requests.limit", offers, OFFERS_MAX));
    }
    Ok(())
}

/// One result per request, in their order. It writes: spawn it.
pub async fn results(
    recommend: &Recommend,
    tenant: &str,
    requests: Vec<proto::RecommendRequest>,
    mut unread: BTreeMap<i32, ItemFault>,
) -> Vec<proto::RecommendResult> {
    let mut calls = Vec::with_capacity(requests.len());
    let mut faults = Vec::with_capacity(requests.len());
    for (index, request) in (0..).zip(requests) {
        let read = match unread.remove(&index) {
            Some(fault) => Err(fault),
            None => call(recommend, request).map_err(|problem| fault(&problem.into())),
        };
        match read {
            Ok(call) => {
                calls.push(call);
                faults.push(None);
            }
            Err(fault) => faults.push(Some(fault)),
        }
    }
    let mut answers = recommend.all(tenant, calls).await.into_iter();
    let missing = || Err(serve::internal(&"a request without an answer"));
    let result = |faulty: Option<ItemFault>| match faulty {
        Some(fault) => result(Err(fault)),
        None => result(answers.next().unwrap_or_else(missing).map_err(|status| fault(&status))),
    };
    faults.into_iter().map(result).collect()
}

/// The call of a request, or all its faults.
pub fn call(recommend: &Recommend, request: proto::RecommendRequest) -> Result<Call, Problem> {
    let stopwatch = recommend.clock.stopwatch();
    // Batches are larger, and come by the same service.
    if request.encoded_len() > REQUEST_BYTES_MAX {
        return Err(Problem::bytes_limit("request", request.encoded_len(), REQUEST_BYTES_MAX));
    }
    let (question, faults) = question::read(&request);
    if !faults.is_empty() {
        return Err(Problem::invalid_fields(faults));
    }
    Ok(Call { question: Arc::new(question), request, stopwatch })
}

/// Answers a stream: requests that wait are decided together, and no more are read until their
/// answers are taken.
pub fn answers(
    recommend: Recommend,
    tenant: String,
    requests: Streaming<proto::RecommendStreamRequest>,
) -> impl Stream<Item = Result<proto::RecommendStreamResponse, Status>> {
    let answered = requests.ready_chunks(WAITING_MAX).then(move |waiting| {
        let (recommend, tenant) = (recommend.clone(), tenant.clone());
        async move {
            let (mut requests, mut broken) = (Vec::with_capacity(waiting.len()), None);
            for request in waiting {
                match request {
                    Ok(request) => requests.push(request.request.unwrap_or_default()),
                    Err(status) => broken = Some(Err(status)),
                }
            }
            let decided = spawned(async move {
                Ok(results(&recommend, &tenant, requests, BTreeMap::new()).await)
            });
            let response = |result| Ok(proto::RecommendStreamResponse { result: Some(result) });
            let mut answers: Vec<_> = match decided.await {
                Ok(results) => results.into_iter().map(response).collect(),
                Err(status) => vec![Err(status)],
            };
            answers.extend(broken);
            stream::iter(answers)
        }
    });
    answered.flatten()
}

/// Leaves out the traces of later decisions, and at last computed values, when all would not fit
/// one answer; the records hold them.
pub fn fitted(mut results: Vec<proto::RecommendResult>) -> Vec<proto::RecommendResult> {
    let mut bytes = 0;
    for result in &mut results {
        let size = result.encoded_len();
        if bytes + size > TRACES_BYTES_MAX
            && let Some(Outcome::Decision(decision)) = &mut result.outcome
        {
            decision.trace = None;
            decision.decisions.iter_mut().for_each(|offer| offer.trace = None);
            decision.degraded.push("trace_left_out".to_owned());
            if bytes + decision.encoded_len() > ANSWERS_BYTES_MAX {
                decision.decisions.iter_mut().for_each(|offer| offer.personalization.clear());
                decision.degraded.push("personalization_left_out".to_owned());
            }
        }
        bytes += result.encoded_len();
    }
    results
}

fn result(answer: Result<proto::Decision, ItemFault>) -> proto::RecommendResult {
    let outcome = match answer {
        Ok(decision) => Outcome::Decision(decision),
        Err(fault) => Outcome::Error(fault),
    };
    proto::RecommendResult { outcome: Some(outcome) }
}

fn fault(status: &Status) -> ItemFault {
    serve::item_fault(status)
}
