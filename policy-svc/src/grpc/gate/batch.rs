//! Questions asked together: those about one customer in their order, those about different
//! customers side by side, so that the writer takes them all with one commit. Who is only checked
//! is read together with all others like that.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::join_all;
use proffer_proto::policy::v1::{self as proto, gate_answer, gate_question::Kind};
use serve::Problem;
use tonic::Status;

use super::{CANDIDATES_MAX, Context, Faults, judgement, question, status, valid};

/// A question that waits for its answer, by place.
type Asked = (usize, Option<Kind>);
/// The answer to the question in a place.
type Answered = (usize, Result<gate_answer::Kind, Status>);

/// One answer per question, in their order. They write: run it in a task of its own.
pub async fn answers(
    context: &Context,
    tenant: &str,
    questions: Vec<proto::GateQuestion>,
) -> Vec<proto::GateAnswer> {
    let mut by_customer: BTreeMap<String, Vec<Asked>> = BTreeMap::new();
    for (place, question) in questions.into_iter().enumerate() {
        by_customer
            .entry(customer_of(question.kind.as_ref()))
            .or_default()
            .push((place, question.kind));
    }
    let (mut checks, mut others) = (Vec::new(), Vec::new());
    for asked in by_customer.into_values() {
        if asked.iter().all(|(_, kind)| matches!(kind, Some(Kind::Check(_)))) {
            checks.extend(asked);
        } else {
            others.push(asked);
        }
    }
    let others = others.into_iter().map(|asked| async move {
        let mut answers = Vec::with_capacity(asked.len());
        for (place, kind) in asked {
            answers.push((place, answer(context, tenant, kind).await));
        }
        answers
    });
    let (checks, others) = tokio::join!(checked(context, tenant, checks), join_all(others));
    let mut answers: Vec<Answered> =
        checks.into_iter().chain(others.into_iter().flatten()).collect();
    answers.sort_by_key(|(place, _)| *place);
    let told =
        |answer: Result<_, Status>| proto::GateAnswer { kind: Some(answer.unwrap_or_else(fault)) };
    answers.into_iter().map(|(_, answer)| told(answer)).collect()
}

fn customer_of(kind: Option<&Kind>) -> String {
    let question = match kind {
        Some(Kind::Reserve(asked)) => asked.question.as_ref(),
        Some(Kind::Check(asked)) => asked.question.as_ref(),
        None => None,
    };
    question.map(|question| question.customer_id.clone()).unwrap_or_default()
}

async fn answer(
    context: &Context,
    tenant: &str,
    kind: Option<Kind>,
) -> Result<gate_answer::Kind, Status> {
    match kind {
        Some(Kind::Reserve(asked)) => {
            context.reserve(tenant, asked).await.map(gate_answer::Kind::Reserve)
        }
        Some(Kind::Check(asked)) => {
            context.check(tenant, asked).await.map(gate_answer::Kind::Check)
        }
        None => Err(Problem::invalid_field("kind", "is required: reserve or check").into()),
    }
}

/// Answers questions that write nothing.
async fn checked(context: &Context, tenant: &str, asked: Vec<Asked>) -> Vec<Answered> {
    let (mut places, mut questions, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for (place, kind) in asked {
        let Some(Kind::Check(check)) = kind else { continue };
        match valid(
            question(check.question.unwrap_or_default(), 0..=CANDIDATES_MAX, true),
            Faults::new(),
        ) {
            Ok(question) => {
                places.push(place);
                questions.push(Arc::new(question));
            }
            Err(problem) => answers.push((place, Err(problem.into()))),
        }
    }
    let judged = match context.check_at_hand(tenant, &questions).await {
        Ok(judged) => judged,
        Err(error) => {
            let failed = status(error);
            answers.extend(places.into_iter().map(|place| (place, Err(failed.clone()))));
            return answers;
        }
    };
    for ((place, question), judged) in places.into_iter().zip(questions).zip(judged) {
        let judged = match judged {
            Some(judged) => Ok(judged),
            None => {
                let check =
                    |store: crate::store::Store, call| async move { store.check(&call).await };
                context.by_newest(tenant, question.as_ref().clone(), check).await
            }
        };
        let answer = |(judged, basis)| {
            let judgement = Some(judgement::judgement(judged, Some(basis)));
            gate_answer::Kind::Check(proto::CheckResponse { judgement })
        };
        answers.push((place, judged.map(answer)));
    }
    answers
}

fn fault(status: Status) -> gate_answer::Kind {
    gate_answer::Kind::Fault(proto::GateFault {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: status.details().to_vec(),
    })
}
