//! Prints the result of one candidate: its first reason for a refusal, or its rank in the answer.

use proffer_proto::decision::v1 as proto;

use crate::{
    domain::{candidate::Candidate, conclude::Conclusion, judgment::Refusal, reason::Reason},
    messages::{reason_code::into_proto, trace::failed_rule},
};

/// The outcome of a candidate of the flow's inventory. The conclusion must list the candidate.
pub fn outcome_of(candidate: &Candidate, conclusion: &Conclusion) -> proto::CandidateOutcome {
    let Conclusion { plan, answer, .. } = conclusion;
    let offer_id = &candidate.offer_id;
    let score =
        plan.ranked.iter().find(|ranked| ranked.offer_id == *offer_id).map(|ranked| ranked.score);
    let mut outcome = proto::CandidateOutcome {
        offer_id: offer_id.clone(),
        name: candidate.name.clone(),
        score,
        ..Default::default()
    };
    if let Some(offered) = answer.offers.iter().find(|offered| offered.ranked.offer_id == *offer_id)
    {
        outcome.rank = Some(offered.rank);
        return outcome;
    }
    let refused =
        plan.refused.iter().chain(&answer.refused).find(|refused| refused.offer_id == *offer_id);
    if let Some(refused) = refused {
        outcome.reason_code = into_proto(refused.reason_code).into();
        outcome.reason.clone_from(&refused.reason);
        outcome.rule = refused.rule.clone().map(failed_rule);
        return outcome;
    }
    // What applies to the whole decision: customer unknown, policy unavailable, held out.
    let Refusal { reason_code, reason, .. } = answer
        .refusal
        .clone()
        .unwrap_or_else(|| Refusal::new(Reason::Outranked, "better offers filled the limit"));
    (outcome.reason_code, outcome.reason) = (into_proto(reason_code).into(), reason);
    outcome
}
