//! Parses a request for an explanation and prints the answer.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use formula::rule::Trace;
use proffer_proto::{decision::v1 as proto, values::v1::ReasonCode};
use serve::Problem;

use super::candidate::outcome_of;
use crate::{
    deciding::explain::{ExplainQuestion, Explanation},
    domain::request::{id_fault, text_fault},
    messages::{
        instant,
        scalar::fields_into_proto,
        trace::{factors, policy_verdicts},
    },
};

/// What is to be explained, or all faults of the request.
pub fn read(
    request: proto::ExplainRequest,
    now: DateTime<Utc>,
) -> Result<ExplainQuestion, Problem> {
    let mut faults = Vec::new();
    if let Some(message) = id_fault(&request.customer_id) {
        faults.push(("customer_id".to_owned(), message));
    }
    if request.offer_id.is_empty() {
        faults.push(("offer_id".to_owned(), "is required: id or name of an offer".to_owned()));
    }
    for (field, text) in
        [("offer_id", &request.offer_id), ("flow", &request.flow), ("channel", &request.channel)]
    {
        if let Some(message) = text_fault(text) {
            faults.push((field.to_owned(), message));
        }
    }
    let at = request.at.as_ref().map(instant).transpose().unwrap_or_else(|message| {
        faults.push(("at".to_owned(), message));
        None
    });
    if at.is_some_and(|at| at > now) {
        faults.push(("at".to_owned(), "lies ahead; leave it out to explain now".to_owned()));
    }
    if !faults.is_empty() {
        return Err(Problem::invalid_fields(faults));
    }
    let proto::ExplainRequest { customer_id, offer_id: offer, flow, channel, .. } = request;
    Ok(ExplainQuestion { customer_id, offer, flow, channel, at })
}

/// Everything about the offer.
pub fn response(explanation: Explanation) -> proto::ExplainResponse {
    let outcome = outcome(&explanation);
    let Explanation { case, conclusion, mut notes, snapshot, offer, parts, based_on, unknown } =
        explanation;
    if !unknown.is_empty() {
        notes.push(
            "unknown fields are treated as missing; with their values the result may differ"
                .to_owned(),
        );
    }
    let ranked = &conclusion.plan.ranked;
    let index = ranked.iter().position(|ranked| ranked.offer_id == offer.id);
    let ahead = index.and_then(|index| ranked.get(index.checked_sub(1)?));
    let found = index.and_then(|index| ranked.get(index));
    let rank = index.and_then(|index| i32::try_from(index + 1).ok());
    let judgment = conclusion.judgment.as_ref();
    let verdict =
        judgment.and_then(|judgment| judgment.verdicts.iter().find(|it| it.offer_id == offer.id));
    let reworded = |text: String| reworded(text, &unknown, &based_on);
    proto::ExplainResponse {
        offered: outcome.rank.is_some(),
        reason_code: outcome.reason_code,
        reason: reworded(outcome.reason),
        rules: parts.rules.into_iter().map(|rule| rule_trace(rule, &reworded)).collect(),
        policies: verdict.map(|verdict| policy_verdicts(&verdict.policies)).unwrap_or_default(),
        computed_fields: fields_into_proto(&parts.computed),
        score: found.map(|ranked| ranked.score),
        factors: found.map(|ranked| factors(&ranked.factors)),
        rank,
        behind: ahead.map(|ahead| proto::BetterOffer {
            offer_id: ahead.offer_id.clone(),
            name: ahead.name.clone(),
            score: ahead.score,
            rank: rank.map_or(0, |rank| rank - 1),
        }),
        deliver_after: conclusion.answer.deliver_after.clone(),
        flow_id: case.configuration.flow.id.clone(),
        channel: case.question.channel.clone(),
        at: Some(history::timestamp(case.moment.now)),
        snapshot,
        notes,
        unknown_fields: unknown.iter().cloned().collect(),
        offer_id: offer.id,
        name: offer.name,
        based_on,
    }
}

/// What became of the offer.
fn outcome(explanation: &Explanation) -> proto::CandidateOutcome {
    let Explanation { case, conclusion, offer, .. } = explanation;
    let flow = &case.configuration.flow;
    let mut candidates = flow.offers.iter().map(|it| &it.candidate);
    if let Some(candidate) = candidates.find(|candidate| candidate.offer_id == offer.id) {
        return outcome_of(candidate, conclusion);
    }
    let reason = if offer.is_active {
        format!("category `{}` is not in the inventory of flow `{}`", offer.category, flow.id)
    } else {
        "only active offers take part".to_owned()
    };
    let reason_code = ReasonCode::NotInInventory.into();
    proto::CandidateOutcome { reason_code, reason, ..Default::default() }
}

/// A field that was not recorded is not called missing: it may have had a value.
fn reworded(text: String, unknown: &BTreeSet<String>, decision_id: &str) -> String {
    unknown.iter().fold(text, |text, field| {
        let named =
            if field.starts_with("metrics.") { field.clone() } else { format!("customer.{field}") };
        let missing = format!("missing {named}");
        let (mut reworded, mut rest) = (String::with_capacity(text.len()), text.as_str());
        while let Some((before, after)) = rest.split_once(&missing) {
            reworded.push_str(before);
            // Not the beginning of a longer name.
            match after.chars().next() {
                Some(next) if next.is_alphanumeric() || next == '_' => reworded.push_str(&missing),
                _ => reworded.push_str(&format!("{named} was not recorded by {decision_id}")),
            }
            rest = after;
        }
        reworded.push_str(rest);
        reworded
    })
}

fn rule_trace(trace: Trace, reworded: &impl Fn(String) -> String) -> proto::RuleTrace {
    let verdict = match trace.is {
        Some(true) => proto::RuleVerdict::Holds,
        Some(false) => proto::RuleVerdict::Fails,
        None => proto::RuleVerdict::Unknown,
    };
    proto::RuleTrace {
        verdict: verdict.into(),
        field: trace.field,
        op: trace.op,
        expected: trace.expected,
        actual: trace.actual,
        unknown: trace.cause.map(reworded),
        rules: trace.rules.into_iter().map(|rule| rule_trace(rule, reworded)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_recorded_is_not_called_missing() {
        let unknown = BTreeSet::from(["age".to_owned()]);
        let text =
            "missing customer.age; missing customer.ageGroup; missing customer.age".to_owned();
        let expected = "customer.age was not recorded by dec_1; missing customer.ageGroup; \
                        customer.age was not recorded by dec_1";
        assert_eq!(reworded(text, &unknown, "dec_1"), expected);
    }
}
