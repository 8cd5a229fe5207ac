//! Prints the trace of a decision as proto messages.

use std::collections::BTreeMap;

use proffer_proto::{decision::v1 as proto, policy::v1 as policy};

use super::reason_code::into_proto;
use crate::domain::{
    case::Case,
    conclude::{Answer, Conclusion},
    judgment::PolicyVerdict,
    plan::{Plan, REFUSED_MAX},
    rank::Factors,
    reason::Reason,
    trace::{FailedRule, Refused, Stage},
};

/// Verdicts of policies on refused candidates that a trace lists, so that a record stays small.
const REFUSED_POLICIES_MAX: usize = 500;

/// The trace of a decision.
pub fn trace(case: &Case, conclusion: &Conclusion) -> proto::DecisionTrace {
    let Conclusion { plan, judgment, answer, notes } = conclusion;
    let is_explained = case.question.is_explained;
    let consent_sources = judgment.as_ref().map(|judgment| judgment.consent_sources.clone());
    let others = plan.refused.iter().filter(|_| is_explained).take(REFUSED_MAX);
    let mut refused = refused_of_ranked(answer, is_explained);
    refused.extend(others.map(refused_candidate));
    proto::DecisionTrace {
        stages: plan.stages.iter().map(|stage| stage_trace(stage, case, conclusion)).collect(),
        refused,
        timezone: case.moment.zone.name().to_owned(),
        timezone_source: case.facts.timezone_source.clone(),
        tz_version: chrono_tz::IANA_TZDB_VERSION.to_owned(),
        consent_sources: consent_sources.unwrap_or_default(),
        notes: notes.clone(),
        refused_by_reason: refused_by_reason(plan, answer),
    }
}

fn refused_by_reason(plan: &Plan, answer: &Answer) -> BTreeMap<String, i32> {
    let mut counts = BTreeMap::new();
    let mut add = |reason: Reason, many: usize| {
        *counts.entry(reason.as_str().to_owned()).or_insert(0) += count(many)
    };
    plan.refused_by_reason.iter().for_each(|(reason, many)| add(*reason, *many));
    answer.refused.iter().for_each(|refused| add(refused.reason_code, 1));
    answer.unasked.iter().for_each(|(reason, many)| add(*reason, *many));
    counts
}

/// Ranked candidates that are not offered, each with what all policies found about it or with
/// nothing: a part would read as if the others had not looked.
fn refused_of_ranked(answer: &Answer, is_explained: bool) -> Vec<proto::RefusedCandidate> {
    let mut room = REFUSED_POLICIES_MAX;
    let listed = answer.refused.iter().map(|refused| {
        let is_wanted = refused.is_refused_by_policy || is_explained;
        let has_room = refused.policies.len() <= room;
        let policies = refused.policies.iter().filter(|_| is_wanted && has_room);
        let policies: Vec<_> = policies.map(policy_verdict).collect();
        room -= policies.len();
        proto::RefusedCandidate { policies, ..refused_candidate(refused) }
    });
    listed.collect()
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn stage_trace(stage: &Stage, case: &Case, conclusion: &Conclusion) -> proto::StageTrace {
    let Conclusion { plan, answer, .. } = conclusion;
    let is_shown = case.facts.held_out.as_ref().is_none_or(|it| it.is_answered_alike);
    let offers = if is_shown { answer.would_be_offers() } else { &[] };
    // policy-svc judges once, after the ranking: the stages of its node and of the response show
    // what it let through, in both arms.
    let (entered, left) = match stage.type_name {
        "contact_policy" => (plan.ranked_in_all, answer.passed),
        "response" => (answer.passed, offers.len()),
        _ => (stage.entered, stage.left),
    };
    let (node, r#type) = (stage.node.clone(), stage.type_name.to_owned());
    proto::StageTrace { node, r#type, entered: count(entered), left: count(left) }
}

fn refused_candidate(refused: &Refused) -> proto::RefusedCandidate {
    proto::RefusedCandidate {
        offer_id: refused.offer_id.clone(),
        name: refused.name.clone(),
        reason_code: into_proto(refused.reason_code).into(),
        reason: refused.reason.clone(),
        rule: refused.rule.clone().map(failed_rule),
        policies: Vec::new(),
    }
}

/// A rule that did not hold.
pub fn failed_rule(rule: FailedRule) -> proto::FailedRule {
    let FailedRule { field, op, expected, actual, unknown } = rule;
    proto::FailedRule { field, op, expected, actual, unknown }
}

/// What policies found.
pub fn policy_verdicts(found: &[PolicyVerdict]) -> Vec<policy::PolicyVerdict> {
    found.iter().map(policy_verdict).collect()
}

fn policy_verdict(found: &PolicyVerdict) -> policy::PolicyVerdict {
    policy::PolicyVerdict {
        policy_id: found.policy_id.clone(),
        rule_type: found.rule_type.clone(),
        passed: found.is_passed,
        contacts: found.contacts,
        reserved: found.reserved,
        limit: found.limit,
        window_seconds: found.window_seconds,
        next_allowed_at: found.next_allowed_at.map(history::timestamp),
        lifted_by: found.lifted_by.clone(),
    }
}

/// The factors of a score.
pub fn factors(factors: &Factors) -> proto::RankFactors {
    proto::RankFactors {
        propensity: factors.propensity,
        relevance: factors.relevance,
        impact: factors.impact,
        emphasis: factors.emphasis,
        uplift: factors.uplift,
    }
}
