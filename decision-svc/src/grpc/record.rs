//! The answer and the kept record, as proto.

use std::collections::BTreeMap;

use proffer_proto::{decision::v1 as proto, policy::v1 as policy};
use prost::Message as _;

use super::{facts::KeptFacts, reason_code::into_proto};
use crate::{
    domain::{
        creative::ReadyCreative,
        decide::{Answer, Offered},
        judgement::PolicyVerdict,
        outcome::DecidedOffer,
        plan::Plan,
        rank::Factors,
        reason::Reason,
        trace::{FailedRule, Refused, Stage},
    },
    neighbours::scalar,
};

/// Refused candidates that had not come to ranking are listed up to here; the rest is counted.
pub const EXPLAIN_CANDIDATES_MAX: usize = 500;
/// What policies found about refused candidates is listed up to here, so that a record stays small.
pub const REFUSED_POLICIES_MAX: usize = 500;

/// What the trace says beside plan and answer.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// Where local time was read.
    pub timezone: String,
    /// Where the zone comes from.
    pub timezone_source: String,
    /// Version of the time zone database.
    pub tz_version: String,
    /// Consent sources that spoke.
    pub consent_sources: Vec<String>,
    /// Notes.
    pub notes: Vec<String>,
    /// List all refused candidates.
    pub is_explained: bool,
}

/// The trace of a decision.
pub fn trace(plan: &Plan, answer: &Answer, about: &Circumstances) -> proto::DecisionTrace {
    let mut refused_by_reason = BTreeMap::new();
    let mut add = |reason: Reason, many: usize| {
        *refused_by_reason.entry(reason.code().to_owned()).or_insert(0) += count(many)
    };
    plan.refused_by_reason.iter().for_each(|(reason, many)| add(*reason, *many));
    answer.refused.iter().for_each(|refused| add(refused.reason_code, 1));
    answer.unasked.iter().for_each(|(reason, many)| add(*reason, *many));
    let mut room = REFUSED_POLICIES_MAX;
    let ranked = answer.refused.iter().map(|refused| {
        let is_told = refused.is_refused_by_policy || about.is_explained;
        // All that looked at a candidate, or none: a part would read as if the others had not.
        let told = if is_told && refused.policies.len() <= room {
            refused.policies.as_slice()
        } else {
            &[]
        };
        room -= told.len();
        proto::RefusedCandidate { policies: policy_verdicts(told), ..refused_candidate(refused) }
    });
    let ranked: Vec<_> = ranked.collect();
    let others = plan
        .refused
        .iter()
        .filter(|_| about.is_explained)
        .take(EXPLAIN_CANDIDATES_MAX)
        .map(refused_candidate);
    proto::DecisionTrace {
        stages: plan.stages.iter().map(|stage| stage_trace(stage, answer, plan)).collect(),
        refused: ranked.into_iter().chain(others).collect(),
        timezone: about.timezone.clone(),
        timezone_source: about.timezone_source.clone(),
        tz_version: about.tz_version.clone(),
        consent_sources: about.consent_sources.clone(),
        notes: about.notes.clone(),
        refused_by_reason,
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn stage_trace(stage: &Stage, answer: &Answer, plan: &Plan) -> proto::StageTrace {
    // Policy is asked once, after the ranking; its mark and what follows the ranking show what it
    // let through.
    let (entered, left) = match stage.type_name {
        "contact_policy" => (plan.ranked_in_all, answer.passed),
        "response" => (answer.passed, answer.offers.len()),
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
    let verdict = |found: &PolicyVerdict| policy::PolicyVerdict {
        policy_id: found.policy_id.clone(),
        rule_type: found.rule_type.clone(),
        passed: found.is_passed,
        contacts: found.contacts,
        reserved: found.reserved,
        limit: found.limit,
        window_seconds: found.window_seconds,
        next_allowed_at: found.next_allowed_at.map(history::timestamp),
        lifted_by: found.lifted_by.clone(),
    };
    found.iter().map(verdict).collect()
}

/// An offer of the answer.
pub fn offer_decision(offered: &Offered) -> proto::OfferDecision {
    let ranked = &offered.ranked;
    let mandate = ranked.mandate.as_ref().filter(|_| ranked.is_mandatory);
    let computed = scalar::fields_into_proto(&ranked.computed);
    proto::OfferDecision {
        offer_id: ranked.offer_id.clone(),
        name: ranked.name.clone(),
        score: ranked.score,
        rank: offered.rank,
        trace: Some(proto::OfferTrace {
            qualified: !ranked.is_mandatory,
            computed_fields: computed.clone(),
            contact_policy: offered.contact_policy.clone(),
            uplift_segment: proto::UpliftSegment::Uncertain.into(),
            cate: None,
            factors: Some(factors(&ranked.factors)),
            propensity_source: ranked.propensity_source.to_string(),
            policies: policy_verdicts(&offered.policies),
            mandatory: mandate.map(|mandate| mandate.reason.clone()).unwrap_or_default(),
        }),
        personalization: computed,
        creative: ranked.creative.as_deref().map(creative),
    }
}

fn creative(found: &ReadyCreative) -> proto::OfferCreative {
    proto::OfferCreative {
        creative_id: found.id.clone(),
        name: found.name.clone(),
        placement: found.placement_named.clone(),
        content: scalar::fields_into_proto(&found.content),
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

/// The stored form of a record: what is shown, and what later calls about the decision need.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeptRecord {
    /// What is shown.
    #[prost(message, optional, tag = "1")]
    pub shown: Option<proto::DecisionRecord>,
    /// The offers with their categories.
    #[prost(message, repeated, tag = "2")]
    pub offers: Vec<KeptOffer>,
    /// What it rested on; none in records of versions before facts were kept.
    #[prost(message, optional, tag = "3")]
    pub facts: Option<KeptFacts>,
}

/// An offer as it was decided.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeptOffer {
    /// Its place, from 1.
    #[prost(int32, tag = "1")]
    pub rank: i32,
    /// What it is about.
    #[prost(message, optional, tag = "2")]
    pub subject: Option<policy::OfferSubject>,
}

impl KeptRecord {
    /// The record to be stored for an answer.
    pub fn of(shown: proto::DecisionRecord, facts: KeptFacts, answer: &Answer) -> Self {
        let offer = |offered: &Offered| KeptOffer {
            rank: offered.rank,
            subject: Some((&offered.ranked.subject).into()),
        };
        Self {
            shown: Some(shown),
            offers: answer.offers.iter().map(offer).collect(),
            facts: Some(facts),
        }
    }

    /// The stored bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// The record from its stored bytes.
    pub fn read(bytes: &[u8]) -> Self {
        // INVARIANT: written by `bytes` above.
        Self::decode(bytes).unwrap_or_default()
    }

    /// The offers, for reports about them.
    pub fn decided_offers(&self) -> Vec<DecidedOffer> {
        let offer = |kept: &KeptOffer| DecidedOffer {
            rank: kept.rank,
            subject: kept.subject.clone().unwrap_or_default().into(),
        };
        self.offers.iter().map(offer).collect()
    }
}
