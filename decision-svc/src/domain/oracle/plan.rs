//! Offer by offer: computed, qualified, scored; then sorted.

use std::sync::Arc;

use formula::{
    Value,
    rule::{Refusal, Verdict},
};

use crate::domain::{
    compile::Facts,
    creative::{self, ReadyCreative},
    flow::{Flow, NamedModel, ScoreMethod, Step},
    oracle::compile::{OracleFlow, OracleOffer, OracleRule, Program},
    plan::no_creative,
    rank::{Factors, PROPENSITY_PRIOR, RELEVANCE_PRIOR, Worth},
    reason::Reason,
    scalar::Fields,
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

/// An offer a customer qualifies for.
#[derive(Clone, Debug)]
pub struct OracleRanked {
    /// The offer.
    pub offer_id: String,
    /// Its name.
    pub name: String,
    /// Category as the offer names it.
    pub category: String,
    /// Id of the category, when it is stored.
    pub category_id: String,
    /// A finer group.
    pub subcategory: String,
    /// Purpose of the contact.
    pub purpose: String,
    /// What one contact costs, in 1/10,000 of the currency.
    pub cost_e4: i64,
    /// Its priority, for ties.
    pub priority: f64,
    /// The rank score.
    pub score: f64,
    /// The factors of the score.
    pub factors: Factors,
    /// Where the propensity comes from.
    pub propensity_source: String,
    /// It stands above the others whatever its factors.
    pub is_mandatory: bool,
    /// What it says.
    pub creative: Option<Arc<ReadyCreative>>,
    /// The computed fields.
    pub computed: Fields,
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
            .then(b.priority.total_cmp(&a.priority))
            .then_with(|| a.offer_id.cmp(&b.offer_id))
    });
    mandatory.sort_by(|a, b| {
        b.priority.total_cmp(&a.priority).then_with(|| a.offer_id.cmp(&b.offer_id))
    });
    plan.ranked.splice(0..0, mandatory);
    plan.stages = stages(compiled, &plan);
    plan
}

/// One offer's way through the flow.
fn considered(
    flow: &Flow,
    candidate: &OracleOffer,
    facts: &Facts<'_>,
    exclude_offers: &[String],
) -> Result<OracleRanked, Box<Refused>> {
    let offer = &candidate.offer;
    let refusal = |code: Reason, reason: String| {
        Box::new(Refused::unranked(&offer.id, &offer.name, code, reason))
    };
    if exclude_offers.contains(&offer.id) {
        return Err(refusal(Reason::Excluded, "excluded by the request".to_owned()));
    }
    if let Some(obstacle) = offer.schedule.obstacle(facts.moment.now) {
        return Err(refusal(Reason::NotScheduled, obstacle));
    }
    let invalid =
        |why: &String| refusal(Reason::RuleInvalid, format!("its rules cannot be applied: {why}"));
    let program = candidate.program.as_ref().map_err(invalid)?;
    let is_mandatory =
        offer.mandate.as_ref().is_some_and(|mandate| facts.moment.now < mandate.expires_at);
    let computed = program.compute(facts);
    let failed = |code: Reason, rules: &[OracleRule]| {
        let failed = first_failure(rules, facts, &computed);
        failed.map_or(Ok(()), |failed| {
            Err(Box::new(Refused::failed(&offer.id, &offer.name, code, failed)))
        })
    };
    if flow.has("qualify") && !is_mandatory {
        failed(Reason::NotQualified, &program.rules)?;
    }
    failed(Reason::Filtered, &program.filters)?;
    let how = flow.creative_match();
    let creative = how.and_then(|how| creative::chosen(&candidate.creatives, how, facts.surface));
    if how.is_some_and(|how| how.is_required) && creative.is_none() {
        return Err(refusal(Reason::NoCreative, no_creative(facts)));
    }
    let estimate = program.score(facts, &computed);
    let (propensity, propensity_source) = propensity(flow, candidate, estimate.as_ref());
    let mut factors =
        Factors::of(&Worth::of(offer), propensity, relevance(program, facts, &computed));
    let score = match (is_mandatory, factors.score(&flow.weights()), estimate) {
        (true, ..) => {
            if factors.propensity.is_nan() {
                factors.propensity = PROPENSITY_PRIOR;
            }
            1.0
        }
        (false, Some(score), _) => score,
        (false, None, Some(Value::Null(cause))) => {
            return Err(refusal(Reason::NotRanked, format!("its score is not a number: {cause}")));
        }
        (false, None, _) => {
            return Err(refusal(Reason::NotRanked, "its score is not a number".to_owned()));
        }
    };
    Ok(OracleRanked {
        offer_id: offer.id.clone(),
        name: offer.name.clone(),
        category: offer.category.clone(),
        category_id: candidate.category_id.clone(),
        subcategory: offer.subcategory.clone(),
        purpose: offer.purpose.clone(),
        cost_e4: offer.cost_e4,
        priority: offer.priority,
        score,
        factors,
        propensity_source,
        is_mandatory,
        creative: creative.cloned(),
        computed: program.shown(&computed),
    })
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

fn propensity(flow: &Flow, candidate: &OracleOffer, estimate: Option<&Value>) -> (f64, String) {
    let number = match estimate {
        Some(Value::Number(number)) => *number,
        _ => f64::NAN,
    };
    match flow.score_method() {
        ScoreMethod::Priority => {
            (candidate.offer.priority / 100.0, "priority of the offer".to_owned())
        }
        ScoreMethod::Formula(_) => (number, "formula of the flow".to_owned()),
        ScoreMethod::Model(NamedModel { found: Some(found), .. }) => (number, found.title.clone()),
        ScoreMethod::Model(_) => (PROPENSITY_PRIOR, "prior: no model".to_owned()),
        ScoreMethod::Propensity => (PROPENSITY_PRIOR, "prior: no data".to_owned()),
    }
}
