//! Questions asked together: those about one customer in their order, those about different customers side by side, so
//! that the writer takes them all with one commit.

use std::collections::BTreeMap;

use futures::future::join_all;
use proffer_proto::policy::v1::{self as proto, gate_answer, gate_question::Kind};
use serve::Problem;
use tonic::Status;

use super::Context;

/// One answer per question, in their order. They write: run it in a task of its own.
pub async fn answers(context: &Context, tenant: &str, questions: Vec<proto::GateQuestion>) -> Vec<proto::GateAnswer> {
    let mut by_customer: BTreeMap<String, Vec<(usize, Option<Kind>)>> = BTreeMap::new();
    for (place, question) in questions.into_iter().enumerate() {
        by_customer.entry(customer_of(question.kind.as_ref())).or_default().push((place, question.kind));
    }
    let customers = by_customer.into_values().map(|asked| async move {
        let mut answers = Vec::with_capacity(asked.len());
        for (place, kind) in asked {
            let kind = Some(answer(context, tenant, kind).await.unwrap_or_else(fault));
            answers.push((place, proto::GateAnswer { kind }));
        }
        answers
    });
    let mut answers: Vec<_> = join_all(customers).await.into_iter().flatten().collect();
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn customer_of(kind: Option<&Kind>) -> String {
    let question = match kind {
        Some(Kind::Reserve(asked)) => asked.question.as_ref(),
        Some(Kind::Check(asked)) => asked.question.as_ref(),
        None => None,
    };
    question.map(|question| question.customer_id.clone()).unwrap_or_default()
}

async fn answer(context: &Context, tenant: &str, kind: Option<Kind>) -> Result<gate_answer::Kind, Status> {
    match kind {
        Some(Kind::Reserve(asked)) => context.reserve(tenant, asked).await.map(gate_answer::Kind::Reserve),
        Some(Kind::Check(asked)) => context.check(tenant, asked).await.map(gate_answer::Kind::Check),
        None => Err(Problem::invalid_field("kind", "is required: reserve or check").into()),
    }
}

fn fault(status: Status) -> gate_answer::Kind {
    gate_answer::Kind::Fault(proto::GateFault {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: status.details().to_vec(),
    })
}
