//! Offer by offer: computed, qualified, scored; then sorted.

use std::{ops::Deref, sync::Arc};

use formula::{
    Value,
    rule::{Refusal, Verdict},
};

use crate::domain::{
    candidate::Candidate,
    creative::{self, ReadyCreative},
    facts::Facts,
    flow::{Flow, Step},
    oracle::compile::{OracleFlow, OracleOffer, OracleRule, Program},
    plan::no_creative,
    rank::{Factors, RELEVANCE_PRIOR},
    reason::Reason,
    scalar::Fields,
    score::{PROPENSITY_PRIOR, Uplift},
    trace::{Refused, Stage},
};

/// Offers in ranking order and what became of the others.
#[derive(Clone, Debug, Default)]
pub struct OraclePlan {
    /// Candidates through each step.
    pub stages: Vec<Stage>,
    /// Best first.
    pub ranked: Vec<OracleRanked>,
    /// The others, by offer id.
    pub refused: Vec<Refused>,
}

/// An offer a customer qualifies for. Dereferences to the candidate it is.
#[derive(Clone, Debug)]
pub struct OracleRanked {
    /// What does not depend on the customer.
    pub candidate: Candidate,
    /// The rank score.
    pub score: f64,
    /// The factors of the score.
    pub factors: Factors,
    /// Where the propensity comes from.
    pub propensity_source: String,
    /// Effect of contact; none without an uplift model.
    pub uplift: Option<Uplift>,
    /// It ranks above the others whatever its factors are.
    pub is_mandatory: bool,
    /// What it says.
    pub creative: Option<Arc<ReadyCreative>>,
    /// The computed fields.
    pub computed: Fields,
}

impl Deref for OracleRanked {
    type Target = Candidate;

    fn deref(&self) -> &Candidate {
        &self.candidate
    }
}

/// Plans one decision.
pub fn plan(compiled: &OracleFlow, facts: &Facts<'_>, exclude_offers: &[String]) -> OraclePlan {
    let mut plan = OraclePlan::default();
    let mut mandatory = Vec::new();
    for candidate in &compiled.offers {
        match considered(&compiled.flow, candidate, facts, exclude_offers) {
            Ok(ranked) if ranked.is_mandatory => mandatory.push(ranked),
            Ok(ranked) => plan.ranked.push(ranked),
            Err(refused) => plan.refused.push(*refused),
        }
    }
    plan.ranked.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then(b.worth.priority.total_cmp(&a.worth.priority))
            .then_with(|| a.offer_id.cmp(&b.offer_id))
    });
    mandatory.sort_by(|a, b| {
        b.worth.priority.total_cmp(&a.worth.priority).then_with(|| a.offer_id.cmp(&b.offer_id))
    });
    plan.ranked.splice(0..0, mandatory);
    plan.stages = stages(compiled, &plan);
    plan
}

/// One offer's way through the flow.
fn considered(
    flow: &Flow,
    considered: &OracleOffer,
    facts: &Facts<'_>,
    exclude_offers: &[String],
) -> Result<OracleRanked, Box<Refused>> {
    let offer = &considered.candidate;
    let refusal = |code: Reason, reason: String| {
        Box::new(Refused::unranked(&offer.offer_id, &offer.name, code, reason))
    };
    if exclude_offers.contains(&offer.offer_id) {
        return Err(refusal(Reason::Excluded, "excluded by the request".to_owned()));
    }
    if let Some(obstacle) = offer.schedule.obstacle(facts.moment.now) {
        return Err(refusal(Reason::NotScheduled, obstacle));
    }
    let invalid =
        |why: &String| refusal(Reason::RuleInvalid, format!("its rules cannot be applied: {why}"));
    let program = considered.program.as_ref().map_err(invalid)?;
    let is_mandatory =
        offer.mandate.as_ref().is_some_and(|mandate| facts.moment.now < mandate.expires_at);
    let computed = program.compute(facts);
    let failed = |code: Reason, rules: &[OracleRule]| {
        let failed = first_failure(rules, facts, &computed);
        failed.map_or(Ok(()), |failed| {
            Err(Box::new(Refused::failed(&offer.offer_id, &offer.name, code, failed)))
        })
    };
    if flow.has("qualify") && !is_mandatory {
        failed(Reason::NotQualified, &program.rules)?;
    }
    failed(Reason::Filtered, &program.filters)?;
    let how = flow.creative_match();
    let creative = how.and_then(|how| creative::chosen(&considered.creatives, how, facts.surface));
    if how.is_some_and(|how| how.is_required) && creative.is_none() {
        return Err(refusal(Reason::NoCreative, no_creative(facts)));
    }
    let inputs = program.inputs(facts, &computed);
    let number = |index: usize| match inputs.get(index) {
        Some(Value::Number(number)) => Some(*number),
        _ => None,
    };
    let estimate = flow.score_method().estimate(offer, number);
    let mut factors = estimate.factors(&offer.worth, relevance(program, facts, &computed));
    let score = match (is_mandatory, factors.score(&flow.weights())) {
        (true, _) => {
            if factors.propensity.is_nan() {
                factors.propensity = PROPENSITY_PRIOR;
            }
            1.0
        }
        (false, Some(score)) => score,
        (false, None) => return Err(refusal(Reason::NotRanked, no_score(&inputs))),
    };
    Ok(OracleRanked {
        candidate: offer.clone(),
        score,
        factors,
        propensity_source: estimate.source.to_owned(),
        uplift: estimate.uplift,
        is_mandatory,
        creative: creative.cloned(),
        computed: program.shown(&computed),
    })
}

fn no_score(inputs: &[Value]) -> String {
    let cause = inputs.iter().find_map(|input| match input {
        Value::Null(cause) => Some(cause),
        _ => None,
    });
    match cause {
        Some(cause) => format!("its score is not a number: {cause}"),
        None => "its score is not a number".to_owned(),
    }
}

/// Candidates through each step, counted by what became of them.
fn stages(compiled: &OracleFlow, plan: &OraclePlan) -> Vec<Stage> {
    let refused =
        |code: Reason| plan.refused.iter().filter(|refused| refused.reason_code == code).count();
    let mut count = compiled.offers_in_all;
    let mut stages = Vec::new();
    for node in &compiled.flow.nodes {
        let entered = count;
        count = match node.step {
            Step::Inventory(_) => compiled.offers.len() - refused(Reason::NotScheduled),
            Step::Qualify => {
                entered
                    - refused(Reason::Excluded)
                    - refused(Reason::RuleInvalid)
                    - refused(Reason::NotQualified)
            }
            Step::Filter(_) => {
                let before = compiled.offers.len()
                    - refused(Reason::NotScheduled)
                    - refused(Reason::NotQualified);
                before
                    - refused(Reason::Excluded)
                    - refused(Reason::RuleInvalid)
                    - refused(Reason::Filtered)
            }
            Step::MatchCreatives(_) => plan.ranked.len() + refused(Reason::NotRanked),
            Step::Rank(_) => plan.ranked.len(),
            _ => entered,
        };
        stages.push(Stage {
            node: node.id.clone(),
            type_name: node.step.type_name(),
            entered,
            left: count,
        });
    }
    stages
}

fn first_failure(rules: &[OracleRule], facts: &Facts<'_>, computed: &[Value]) -> Option<Refusal> {
    rules.iter().find_map(|rule| match rule.evaluate(facts, computed) {
        Verdict::True => None,
        Verdict::False(refusal) | Verdict::Unknown(refusal) => Some(refusal),
    })
}

fn relevance(program: &Program, facts: &Facts<'_>, computed: &[Value]) -> f64 {
    let all = program.affinities.len();
    let holds = |rule: &&OracleRule| matches!(rule.evaluate(facts, computed), Verdict::True);
    match all {
        0 => RELEVANCE_PRIOR,
        _ => program.affinities.iter().filter(holds).count() as f64 / all as f64,
    }
}
