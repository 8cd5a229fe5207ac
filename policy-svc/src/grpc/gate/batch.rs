//! A batch of questions. Questions about one customer are answered in order, customers
//! concurrently, so that the writer commits them together. Customers that are only checked are read
//! in one statement.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::join_all;
use proffer_proto::policy::v1::{self as proto, gate_answer, gate_question::Kind};
use serve::Problem;
use tonic::Status;

use super::{CANDIDATES_MAX, Context, Faults, Purpose, checked, question, status, valid};

/// A question with its number in the batch.
type Numbered = (usize, Option<Kind>);
/// The answer to the question of a number.
type Answered = (usize, Result<gate_answer::Kind, Status>);

/// One answer per question, in their order. Spawn it: cancelling it could lose a reserved slot.
pub async fn answers(
    context: &Context,
    tenant: &str,
    questions: Vec<proto::GateQuestion>,
) -> Vec<proto::GateAnswer> {
    let mut by_customer: BTreeMap<String, Vec<Numbered>> = BTreeMap::new();
    for (number, question) in questions.into_iter().enumerate() {
        by_customer
            .entry(customer_of(question.kind.as_ref()))
            .or_default()
            .push((number, question.kind));
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
        for (number, kind) in asked {
            answers.push((number, answer(context, tenant, kind).await));
        }
        answers
    });
    let (checks, others) = tokio::join!(check_all(context, tenant, checks), join_all(others));
    let mut answers: Vec<Answered> =
        checks.into_iter().chain(others.into_iter().flatten()).collect();
    answers.sort_by_key(|(number, _)| *number);
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

/// Answers questions that write nothing; their customers are read together.
async fn check_all(context: &Context, tenant: &str, asked: Vec<Numbered>) -> Vec<Answered> {
    let (mut numbers, mut questions, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for (number, kind) in asked {
        let Some(Kind::Check(check)) = kind else { continue };
        match valid(
            question(check.question.unwrap_or_default(), 0..=CANDIDATES_MAX, Purpose::Check),
            Faults::new(),
        ) {
            Ok(question) => {
                numbers.push(number);
                questions.push(Arc::new(question));
            }
            Err(problem) => answers.push((number, Err(problem.into()))),
        }
    }
    match context.gate.check_all(tenant, questions).await.map_err(status) {
        Ok(judged) => answers.extend(numbers.into_iter().zip(judged).map(|(number, judged)| {
            let judged = judged.map(checked).map_err(status);
            (number, judged.map(gate_answer::Kind::Check))
        })),
        Err(failed) => {
            answers.extend(numbers.into_iter().map(|number| (number, Err(failed.clone()))));
        }
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
