//! Builds what is written for a decision: its record, and the rows of the same transaction.

use chrono::DateTime;
use prost::Message as _;
use serve::telemetry::trace;
use sha2::{Digest as _, Sha256};
use wire::reason;

use super::{batch::Call, kept::KeptRecord};
use crate::{
    domain::{
        assignment::BindingArm,
        case::Case,
        conclude::{Answer, Conclusion},
        feature,
        snapshot::Catalog,
    },
    neighbours::experiment::{self, Exposure},
    store::{NewArm, NewDecision, RequestRow},
};

/// The decision of a concluded case, to be written under `decision_id`. `catalog` is the newest.
pub fn new_decision(
    (tenant, decision_id): (&str, &str),
    call: &Call,
    case: &Case,
    arms: &[BindingArm],
    (conclusion, catalog): (&Conclusion, &Catalog),
    record: &KeptRecord,
) -> NewDecision {
    let customer_id = &case.question.customer_id;
    let decided_us = case.moment.now.timestamp_micros();
    let answer = &conclusion.answer;
    let offers = answer.would_be_offers();
    let is_answered = !offers.is_empty();
    // What could not be asked, or was asked of an old configuration, is no answer for a retry. Both
    // arms are alike: a ghost is an answer.
    let shown = record.shown.as_ref().and_then(|shown| shown.answer.as_ref());
    let is_stale = !is_answered && shown.is_some_and(|answer| !answer.degraded.is_empty());
    let is_kept = !answer.is_passing && !is_stale;
    // A customer who is not contacted is not exposed, and no arm was drawn.
    let is_exposed = case.question.is_contact && is_answered;
    let is_first = |it: &BindingArm| is_exposed && it.is_counting && it.arm.exposed_us.is_none();
    let features = arms.iter().any(is_first).then(|| feature::sent(case, catalog));
    let features = &features.unwrap_or_default();
    let arm = |it: &BindingArm| NewArm {
        arm: it.arm.clone(),
        drawn: it.is_new.then(|| experiment::assignment_message(customer_id, &it.arm)),
        exposure: is_first(it).then(|| {
            let exposure = Exposure { case, decision_id, offers, features };
            experiment::exposure_message(exposure, &it.arm)
        }),
    };
    let arms = arms.iter().map(arm).filter(|it| it.drawn.is_some() || it.exposure.is_some());
    NewDecision {
        tenant: tenant.to_owned(),
        decision_id: decision_id.to_owned(),
        customer_id: customer_id.clone(),
        decided_us,
        flow_id: case.configuration.flow.id.clone(),
        reason: shown.map_or("", |shown| reason::word(shown.reason_code())),
        record: record.bytes(),
        request: request(call, decision_id, decided_us, answer).filter(|_| is_kept),
        arms: arms.collect(),
        cause: trace::cause(),
    }
}

fn request(call: &Call, decision_id: &str, decided_us: i64, answer: &Answer) -> Option<RequestRow> {
    let request_id = &call.question.request_id;
    // A held-out answer is kept as long as a treated one.
    let deliver_after = answer.deliver_after.as_ref();
    let deliver_after = deliver_after.filter(|_| answer.would_be_offers().is_empty());
    let deliver_after = deliver_after.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    (!request_id.is_empty()).then(|| RequestRow {
        request_id: request_id.clone(),
        decision_id: decision_id.to_owned(),
        body_hash: body_hash(call),
        decided_us,
        deliver_after_us: deliver_after.map(|at| at.timestamp_micros()),
        now_us: decided_us,
    })
}

/// Tells a retry from another request with the same id.
pub fn body_hash(call: &Call) -> Vec<u8> {
    Sha256::digest(call.request.encode_to_vec()).to_vec()
}
