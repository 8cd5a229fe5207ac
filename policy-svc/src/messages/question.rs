//! Questions and outcomes from proto, checked.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use proffer_proto::{
    policy::v1 as proto,
    values::v1::{Value, value::Kind},
};

use super::{TEXT_BYTES_MAX, id_fault, instant, text_fault};
use crate::domain::{
    Faults,
    question::{Candidate, FieldValue, Outcome, Question},
};

/// Candidates of one question.
pub const CANDIDATES_MAX: usize = 500;
/// Outcomes that may come along with a question.
pub const PENDING_MAX: usize = 100;
/// Outcomes of one delivery.
pub const DELIVERY_MAX: usize = 500;
/// Highest cost of a contact, in 1/10,000 of the currency.
const COST_MAX: i64 = 10_000_000_000_000;
/// Fields of a customer's record.
const FIELDS_MAX: usize = 1_000;

/// What a question is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A slot or a contact: it needs a channel.
    Contact,
    /// A judgment, of now or of an instant of the past.
    Check,
    /// A judgment of recorded facts.
    Replay,
}

/// The question, or all its faults. `candidates` says how many offers it may have.
pub fn question(
    asked: proto::ContactQuestion,
    candidates: std::ops::RangeInclusive<usize>,
    purpose: Purpose,
) -> Result<Question, Faults> {
    let mut faults = Faults::new();
    let mut fault =
        |path: &str, message: String| faults.push((format!("question.{path}"), message));
    if let Some(message) = id_fault(&asked.customer_id) {
        fault("customer_id", message);
    }
    if asked.channel.is_empty() && purpose == Purpose::Contact {
        fault("channel", "is required: nobody is contacted without a channel".to_owned());
    }
    let now =
        asked.now.as_ref().map_or_else(|| Err("is required".to_owned()), instant).unwrap_or_else(
            |message| {
                fault("now", message);
                DateTime::<Utc>::default()
            },
        );
    let as_of = asked.as_of.as_ref().map(instant).transpose().unwrap_or_else(|message| {
        fault("as_of", message);
        None
    });
    if asked.as_of.is_some() && purpose != Purpose::Check {
        fault(
            "as_of",
            "is allowed only in Check: a slot is given and a contact committed now".to_owned(),
        );
    }
    if let Some(negative) = asked.policy_revision.filter(|revision| *revision < 0) {
        fault("policy_revision", format!("is {negative}; it must be 0 or more"));
    }
    faults.extend(text_faults(&asked));
    faults.extend(count_faults(&asked, &candidates));
    let mut offers = BTreeSet::new();
    for (index, candidate) in asked.candidates.iter().enumerate().take(*candidates.end()) {
        let path = format!("question.candidates[{index}]");
        faults.extend(subject_faults(candidate, &path, true));
        if !offers.insert(&candidate.offer_id) && !candidate.offer_id.is_empty() {
            faults.push((format!("{path}.offer_id"), "is given twice".to_owned()));
        }
    }
    let mut pending = Vec::new();
    for (index, fact) in asked.pending_outcomes.into_iter().enumerate().take(PENDING_MAX) {
        let path = format!("question.pending_outcomes[{index}]");
        if fact.customer_id != asked.customer_id {
            faults.push((
                format!("{path}.customer_id"),
                "is not the customer of the question".to_owned(),
            ));
        }
        match outcome(fact, &path) {
            Ok(outcome) => pending.push(outcome),
            Err(found) => faults.extend(found),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Question {
        customer_id: asked.customer_id,
        channel: asked.channel,
        now,
        fields: asked
            .customer_fields
            .into_iter()
            .map(|(name, value)| (name, field(value)))
            .collect(),
        candidates: asked.candidates.into_iter().map(candidate).collect(),
        pending,
        as_of,
        policy_revision: asked.policy_revision,
        flow_id: asked.flow_id,
    })
}

/// Texts of the question that are too long, or no texts.
fn text_faults(asked: &proto::ContactQuestion) -> Faults {
    let texts = [("channel", &asked.channel), ("flow_id", &asked.flow_id)];
    let fault = |(field, text): (&str, &String)| {
        Some((format!("question.{field}"), text_fault(text, TEXT_BYTES_MAX)?))
    };
    texts.into_iter().filter_map(fault).collect()
}

/// Lists of the question that are too long, or too short.
fn count_faults(
    asked: &proto::ContactQuestion,
    candidates: &std::ops::RangeInclusive<usize>,
) -> Faults {
    let mut faults = Faults::new();
    let too_many =
        |count: usize, max: usize| format!("has {count}, which exceeds the maximum {max}");
    let bounds = [
        ("customer_fields", asked.customer_fields.len(), FIELDS_MAX),
        ("candidates", asked.candidates.len(), *candidates.end()),
        ("pending_outcomes", asked.pending_outcomes.len(), PENDING_MAX),
    ];
    for (field, count, max) in bounds {
        if count > max {
            faults.push((format!("question.{field}"), too_many(count, max)));
        }
    }
    if asked.candidates.len() < *candidates.start() {
        faults.push(("question.candidates".to_owned(), "is required: the offer".to_owned()));
    }
    faults
}

/// An outcome, or all its faults.
pub fn outcome(fact: proto::OutcomeFact, path: &str) -> Result<Outcome, Faults> {
    let mut faults = Faults::new();
    let mut fault =
        |field: &str, message: String| faults.push((format!("{path}.{field}"), message));
    for (field, id) in
        [("outcome_id", &fact.outcome_id), ("customer_id", &fact.customer_id), ("key", &fact.key)]
    {
        if let Some(message) = id_fault(id) {
            fault(field, message);
        }
    }
    if let Some(message) = id_fault(&fact.decision_id).filter(|_| !fact.decision_id.is_empty()) {
        fault("decision_id", message);
    }
    if let Some(message) = text_fault(&fact.channel, TEXT_BYTES_MAX) {
        fault("channel", message);
    }
    if fact.customer_seq < 1 {
        fault("customer_seq", format!("is {}; it must be 1 or more", fact.customer_seq));
    }
    if fact.rank < 0 {
        fault("rank", format!("is {}; it must be 0 or more", fact.rank));
    }
    let mut at = |field: &str, at: Option<&prost_types::Timestamp>| {
        at.map(instant).transpose().unwrap_or_else(|message| {
            fault(field, message);
            None
        })
    };
    let occurred_at = at("occurred_at", fact.occurred_at.as_ref());
    let received_at = at("received_at", fact.received_at.as_ref());
    let offer = fact.offer.unwrap_or_default();
    faults.extend(subject_faults(&offer, &format!("{path}.offer"), false));
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Outcome {
        outcome_id: fact.outcome_id,
        customer_id: fact.customer_id,
        customer_seq: fact.customer_seq,
        key: fact.key,
        counts_as_contact: fact.counts_as_contact,
        releases: fact.releases,
        decision_id: fact.decision_id,
        rank: i64::from(fact.rank),
        flow_id: fact.flow_id,
        offer: candidate(offer),
        channel: fact.channel,
        occurred_at,
        received_at,
    })
}

/// An outcome may be about no offer.
fn subject_faults(candidate: &proto::OfferSubject, path: &str, is_required: bool) -> Faults {
    let mut faults = Faults::new();
    let is_given = is_required || !candidate.offer_id.is_empty();
    if let Some(message) = id_fault(&candidate.offer_id).filter(|_| is_given) {
        faults.push((format!("{path}.offer_id"), message));
    }
    if let Some(message) = cost_fault(candidate.cost_ten_thousandths) {
        faults.push((format!("{path}.cost_ten_thousandths"), message));
    }
    for (field, text) in [
        ("category", &candidate.category),
        ("category_id", &candidate.category_id),
        ("subcategory", &candidate.subcategory),
        ("purpose", &candidate.purpose),
    ] {
        if let Some(message) = text_fault(text, TEXT_BYTES_MAX) {
            faults.push((format!("{path}.{field}"), message));
        }
    }
    faults
}

fn candidate(found: proto::OfferSubject) -> Candidate {
    Candidate {
        offer_id: found.offer_id,
        category: found.category,
        category_id: found.category_id,
        subcategory: found.subcategory,
        purpose: wire::purpose::or_default(found.purpose),
        cost: found.cost_ten_thousandths,
    }
}

fn cost_fault(cost: i64) -> Option<String> {
    (!(0..=COST_MAX).contains(&cost)).then(|| format!("is {cost}; it must be 0 to {COST_MAX}"))
}

fn field(value: Value) -> FieldValue {
    match value.kind {
        None => FieldValue::Null,
        Some(Kind::StringValue(text)) => FieldValue::Text(text),
        Some(Kind::BooleanValue(is)) => FieldValue::Boolean(is),
        Some(Kind::IntegerValue(number)) => FieldValue::Number(number.to_string()),
        Some(Kind::DoubleValue(number)) => FieldValue::Number(number.to_string()),
        Some(Kind::DecimalValue(number)) => FieldValue::Number(number),
        Some(Kind::ListValue(_)) => FieldValue::Other,
    }
}
