//! A batch of questions. Questions about one customer are answered in order, customers
//! concurrently, so that the writer commits them together. Customers that are only checked are read
//! in one statement. Where a budget binds, what one customer takes may be missing to the next: then
//! all are answered in order.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use futures::future::join_all;
use proffer_proto::policy::v1::{self as proto, gate_answer, gate_question::Kind};
use serve::Problem;
use tonic::Status;

use super::{Context, checked, checking, reservation, reserved, status};
use crate::gate::{Answered, Asked, Checking};

/// A question with its number in the batch.
type Numbered = (usize, Option<Kind>);
/// The answer to the question of a number.
type Outcome = (usize, Result<gate_answer::Kind, Status>);

/// One answer per question, in their order. Spawn it: cancelling it could lose a reserved slot.
pub async fn answers(
    context: &Context,
    tenant: &str,
    questions: Vec<proto::GateQuestion>,
) -> Vec<proto::GateAnswer> {
    let questions: Vec<_> =
        questions.into_iter().map(|question| question.kind).enumerate().collect();
    let is_reserving = questions.iter().any(|(_, kind)| matches!(kind, Some(Kind::Reserve(_))));
    // Without a configuration each question says so itself.
    let is_bound = is_reserving && context.gate.has_budgets(tenant).await.unwrap_or_default();
    let mut answers = match is_bound {
        true => in_order(context, tenant, questions).await,
        false => by_customer(context, tenant, questions).await,
    };
    answers.sort_by_key(|(number, _)| *number);
    let told =
        |answer: Result<_, Status>| proto::GateAnswer { kind: Some(answer.unwrap_or_else(fault)) };
    answers.into_iter().map(|(_, answer)| told(answer)).collect()
}

async fn by_customer(context: &Context, tenant: &str, questions: Vec<Numbered>) -> Vec<Outcome> {
    let mut by_customer: BTreeMap<String, Vec<Numbered>> = BTreeMap::new();
    for (number, kind) in questions {
        by_customer.entry(customer_of(kind.as_ref())).or_default().push((number, kind));
    }
    let (mut checks, mut others, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for asked in by_customer.into_values() {
        if asked.iter().any(|(_, kind)| !matches!(kind, Some(Kind::Check(_)))) {
            others.push(asked);
            continue;
        }
        for (number, kind) in asked {
            match read(kind) {
                Ok(Asked::Check(checking)) => checks.push((number, checking)),
                Ok(Asked::Reserve(..)) => {}
                Err(problem) => answers.push((number, Err(problem.into()))),
            }
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
    answers.extend(checks.into_iter().chain(others.into_iter().flatten()));
    answers
}

/// Answers all in order: in stretches of different customers, one after the other.
async fn in_order(context: &Context, tenant: &str, questions: Vec<Numbered>) -> Vec<Outcome> {
    let (mut answers, mut stretch, mut customers) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (number, kind) in questions {
        match read(kind) {
            Err(problem) => answers.push((number, Err(problem.into()))),
            Ok(asked) => {
                if !customers.insert(asked.question().customer_id.clone()) {
                    answers.extend(a_stretch(context, tenant, mem::take(&mut stretch)).await);
                    customers = BTreeSet::from([asked.question().customer_id.clone()]);
                }
                stretch.push((number, asked));
            }
        }
    }
    answers.extend(a_stretch(context, tenant, stretch).await);
    answers
}

async fn a_stretch(context: &Context, tenant: &str, asked: Vec<(usize, Asked)>) -> Vec<Outcome> {
    // Questions that write nothing take nothing from each other.
    if !asked.iter().any(|(_, asked)| asked.is_reserve()) {
        let check = |(number, asked)| match asked {
            Asked::Check(checking) => Some((number, checking)),
            Asked::Reserve(..) => None,
        };
        return check_all(context, tenant, asked.into_iter().filter_map(check).collect()).await;
    }
    let (numbers, asked): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
    match context.gate.in_order(tenant, &asked).await.map_err(status) {
        Ok(answers) => {
            let answers = answers.into_iter().map(|answer| match answer.map_err(status)? {
                Answered::Reserved(answer) => reserved(answer).map(gate_answer::Kind::Reserve),
                Answered::Checked(found) => Ok(gate_answer::Kind::Check(checked(*found))),
            });
            numbers.into_iter().zip(answers).collect()
        }
        Err(failed) => numbers.into_iter().map(|number| (number, Err(failed.clone()))).collect(),
    }
}

/// What a question asks, or all its faults.
fn read(kind: Option<Kind>) -> Result<Asked, Problem> {
    match kind {
        Some(Kind::Reserve(asked)) => {
            reservation(asked).map(|(question, order)| Asked::Reserve(question, order))
        }
        Some(Kind::Check(asked)) => checking(asked).map(Asked::Check),
        None => Err(Problem::invalid_field("kind", "is required: reserve or check")),
    }
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
    match read(kind)? {
        Asked::Reserve(question, order) => {
            let answer = context.gate.reserve(tenant, question, order).await.map_err(status)?;
            reserved(answer).map(gate_answer::Kind::Reserve)
        }
        Asked::Check(checking) => {
            let found = context.gate.check(tenant, checking).await.map_err(status)?;
            Ok(gate_answer::Kind::Check(checked(found)))
        }
    }
}

/// Answers questions that write nothing; their customers are read together.
async fn check_all(context: &Context, tenant: &str, asked: Vec<(usize, Checking)>) -> Vec<Outcome> {
    let (numbers, questions): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
    match context.gate.check_all(tenant, questions).await.map_err(status) {
        Ok(judged) => {
            let judged = judged
                .into_iter()
                .map(|judged| judged.map(checked).map(gate_answer::Kind::Check).map_err(status));
            numbers.into_iter().zip(judged).collect()
        }
        Err(failed) => numbers.into_iter().map(|number| (number, Err(failed.clone()))).collect(),
    }
}

fn fault(status: Status) -> gate_answer::Kind {
    gate_answer::Kind::Fault(proto::GateFault {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: status.details().to_vec(),
    })
}
