//! Many questions in one call, or in a stream: each is read on its own and answered in its place.

use futures::{Stream, StreamExt as _, stream};
use proffer_proto::decision::v1 as proto;
use prost::Message as _;
use serve::Problem;
use tonic::{Status, Streaming};
use tonic_types::StatusExt as _;

use super::{
    Context,
    decision::{in_its_own_task, parse},
    recommend::Run,
};
use crate::domain::request::LIMIT_DEFAULT;

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

/// One result per question, in their order. It writes: run it in a task of its own.
pub async fn results(
    context: &Context,
    tenant: &str,
    requests: Vec<proto::RecommendRequest>,
) -> Vec<proto::RecommendResult> {
    let mut runs = Vec::with_capacity(requests.len());
    let mut faults = Vec::with_capacity(requests.len());
    for asked in requests {
        match parse(&asked) {
            Ok(question) => {
                let (tenant, stopwatch) = (tenant.to_owned(), context.clock.stopwatch());
                runs.push(Run { tenant, question, asked, stopwatch });
                faults.push(None);
            }
            Err(problem) => faults.push(Some(Status::from(problem))),
        }
    }
    let mut answers = context.recommend_all(runs).await.into_iter();
    let missing = || Err(serve::internal(&"a question without an answer"));
    let result = |fault: Option<Status>| match fault {
        Some(status) => result(Err(status)),
        None => result(answers.next().unwrap_or_else(missing)),
    };
    faults.into_iter().map(result).collect()
}

/// Answers a stream: what waits is decided together, and nothing more is read until its answers are
/// taken.
pub fn answers(
    context: Context,
    tenant: String,
    questions: Streaming<proto::RecommendStreamRequest>,
) -> impl Stream<Item = Result<proto::RecommendStreamResponse, Status>> {
    let waiting = questions.ready_chunks(WAITING_MAX);
    let answered = waiting.then(move |questions| {
        let (context, tenant) = (context.clone(), tenant.clone());
        async move {
            let (mut requests, mut broken) = (Vec::with_capacity(questions.len()), None);
            for question in questions {
                match question {
                    Ok(question) => requests.push(question.request.unwrap_or_default()),
                    Err(status) => broken = Some(Err(status)),
                }
            }
            let decided =
                in_its_own_task(async move { Ok(results(&context, &tenant, requests).await) })
                    .await;
            let mut answers: Vec<_> = match decided {
                Ok(results) => results
                    .into_iter()
                    .map(|result| Ok(proto::RecommendStreamResponse { result: Some(result) }))
                    .collect(),
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
            && let Some(decision) = &mut result.decision
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

fn result(answer: Result<proto::Decision, Status>) -> proto::RecommendResult {
    match answer {
        Ok(decision) => proto::RecommendResult { decision: Some(decision), error: None },
        Err(status) => proto::RecommendResult { decision: None, error: Some(fault(&status)) },
    }
}

fn fault(status: &Status) -> proto::RecommendFault {
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    proto::RecommendFault {
        code: serve::code_name(status.code()).to_owned(),
        reason,
        message: status.message().to_owned(),
    }
}
