//! From plan and judgement to the answer. Pure.

use chrono::{DateTime, Utc};

use crate::domain::{
    judgement::{Grant, Judgement, PolicyVerdict, Refusal, Verdict},
    plan::{Plan, Ranked},
    reason::Reason,
    trace::Refused,
};

/// What is known when the answer is made.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// Why nothing could be planned: customer unknown or unreadable.
    pub obstacle: Option<Refusal>,
    /// The plan.
    pub plan: &'a Plan,
    /// What policy said; none when it was not asked or did not answer.
    pub judgement: Option<&'a Judgement>,
    /// The experiment that holds the customer out.
    pub held_out_of: Option<&'a str>,
    /// Offers wanted.
    pub limit: usize,
}

/// The answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The offers.
    pub offers: Vec<Offered>,
    /// Why nothing, or less than asked.
    pub refusal: Option<Refusal>,
    /// Offers a held-out customer would have received.
    pub ghost_offers: Vec<String>,
    /// When contact policies refuse every offer: when they would let one through.
    pub next_allowed_at: Option<DateTime<Utc>>,
    /// Candidates refused by policy or outranked.
    pub refused: Vec<Refused>,
    /// Reason code of the offers ranked lower than the plan tells, and how many they are.
    pub unasked: Option<(Reason, usize)>,
    /// When the slots lapse.
    pub reserved_until: Option<DateTime<Utc>>,
    /// Slots of an earlier run that this one does not use.
    pub unused: Vec<Grant>,
    /// Offers policy let through.
    pub passed: usize,
}

/// An offer in the answer.
#[derive(Clone, Debug)]
pub struct Offered {
    /// The offer as ranked.
    pub ranked: Ranked,
    /// Its place, from 1.
    pub rank: i32,
    /// The contact verdict in short.
    pub contact_policy: String,
    /// Every policy that looked at it.
    pub policies: Vec<PolicyVerdict>,
}

/// Makes the answer.
pub fn decide(inputs: &Inputs<'_>) -> Answer {
    let Inputs { obstacle, plan, judgement, held_out_of, limit } = inputs;
    let mut answer = Answer::default();
    if let Some(obstacle) = obstacle {
        answer.refusal = Some(obstacle.clone());
        return answer;
    }
    if plan.ranked.is_empty() {
        answer.refusal = Some(nothing(plan));
        return answer;
    }
    let Some(judgement) = judgement else {
        answer.refusal = Some(match held_out_of {
            Some(experiment) => holdout(experiment),
            None => refusal(
                Reason::PolicyUnavailable,
                "contact policies cannot be checked now; nothing is offered",
            ),
        });
        return answer;
    };
    let passes =
        |ranked: &&Ranked| judgement.refusal.is_none() && verdict(judgement, ranked).is_none();
    answer.passed = plan.ranked.iter().filter(passes).count();
    let chosen = chosen(plan, judgement, *limit);
    for ranked in &plan.ranked {
        if !chosen.iter().any(|(offered, _)| offered.offer_id == ranked.offer_id) {
            answer.refused.push(refused(judgement, ranked));
        }
    }
    let unasked = plan.ranked_in_all.saturating_sub(plan.ranked.len());
    if unasked > 0 {
        let why =
            judgement.refusal.as_ref().map_or(Reason::Outranked, |refusal| refusal.reason_code);
        answer.unasked = Some((why, unasked));
    }
    let first_refused = plan.ranked.iter().find_map(|ranked| verdict(judgement, ranked));
    if let Some(experiment) = held_out_of {
        answer.ghost_offers =
            chosen.into_iter().map(|(ranked, _)| ranked.offer_id.clone()).collect();
        answer.refusal = Some(holdout(experiment));
        return answer;
    }
    if chosen.len() < *limit {
        answer.refusal = judgement.refusal.clone().or(first_refused);
    }
    if chosen.is_empty() && judgement.refusal.is_none() {
        answer.next_allowed_at = plan
            .ranked
            .iter()
            .filter_map(|ranked| found(judgement, ranked)?.next_allowed_at())
            .min();
    }
    if let Some(grants) = &judgement.grants {
        let is_used =
            |grant: &&Grant| chosen.iter().any(|(ranked, _)| ranked.offer_id == grant.offer_id);
        answer.unused = grants.iter().filter(|grant| !is_used(grant)).cloned().collect();
        answer.reserved_until =
            grants.iter().filter(is_used).map(|grant| grant.reserved_until).min();
    }
    answer.offers = chosen
        .into_iter()
        .map(|(ranked, rank)| {
            let verdict = found(judgement, ranked);
            Offered {
                ranked: ranked.clone(),
                rank,
                contact_policy: verdict.map(|verdict| verdict.summary.clone()).unwrap_or_default(),
                policies: policies(verdict),
            }
        })
        .collect();
    answer
}

/// Granted offers under the ranks they are held by; without reservation the first that pass.
fn chosen<'a>(plan: &'a Plan, judgement: &Judgement, limit: usize) -> Vec<(&'a Ranked, i32)> {
    if let Some(grants) = &judgement.grants {
        let granted = |ranked: &'a Ranked| {
            grants
                .iter()
                .find(|grant| grant.offer_id == ranked.offer_id)
                .map(|grant| (ranked, grant.rank))
        };
        let mut chosen: Vec<_> = plan.ranked.iter().filter_map(granted).collect();
        chosen.sort_by_key(|(_, rank)| *rank);
        return chosen;
    }
    let passes =
        |ranked: &&Ranked| judgement.refusal.is_none() && verdict(judgement, ranked).is_none();
    plan.ranked.iter().filter(passes).take(limit).zip(1..).collect()
}

fn verdict(judgement: &Judgement, ranked: &Ranked) -> Option<Refusal> {
    match found(judgement, ranked) {
        Some(verdict) => verdict.refusal.clone(),
        None => Some(refusal(Reason::Outranked, "too many better offers were sent to policy")),
    }
}

fn found<'a>(judgement: &'a Judgement, ranked: &Ranked) -> Option<&'a Verdict> {
    judgement.verdicts.iter().find(|verdict| verdict.offer_id == ranked.offer_id)
}

fn policies(verdict: Option<&Verdict>) -> Vec<PolicyVerdict> {
    verdict.map(|verdict| verdict.policies.clone()).unwrap_or_default()
}

fn refused(judgement: &Judgement, ranked: &Ranked) -> Refused {
    let outranked = || refusal(Reason::Outranked, "better offers filled the limit");
    let why =
        judgement.refusal.clone().or_else(|| verdict(judgement, ranked)).unwrap_or_else(outranked);
    Refused {
        offer_id: ranked.offer_id.clone(),
        name: ranked.name.clone(),
        reason_code: why.reason_code,
        reason: why.reason,
        rule: None,
        was_ranked: true,
        is_refused_by_policy: found(judgement, ranked)
            .is_some_and(|verdict| verdict.refusal.is_some()),
        policies: policies(found(judgement, ranked)),
    }
}

fn nothing(plan: &Plan) -> Refusal {
    let refused = plan.refused_in_all();
    if refused == 0 {
        return refusal(Reason::NoCandidates, "the flow's inventory holds no active offer");
    }
    refusal(
        Reason::NothingQualified,
        &format!("the customer qualifies for none of {} offers", refused),
    )
}

fn holdout(experiment: &str) -> Refusal {
    refusal(Reason::Holdout, &format!("customer is held out of experiment `{experiment}`"))
}

/// A refusal without an instant.
pub fn refusal(reason_code: Reason, reason: &str) -> Refusal {
    Refusal { reason_code, reason: reason.to_owned(), deliver_after: None }
}
