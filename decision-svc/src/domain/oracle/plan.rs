//! Offer by offer: computed, qualified, scored; then sorted.

use formula::rule::{Refusal, Verdict};

use crate::domain::{
    compile::Facts,
    flow::{Flow, ScoreMethod, Step, Weights},
    oracle::compile::{OracleFlow, OracleOffer, OracleRule, Program},
    rank::{Factors, PROPENSITY_PRIOR, RELEVANCE_PRIOR, Worth},
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
    pub propensity_source: &'static str,
    /// The computed fields.
    pub computed: Fields,
}

/// Plans one decision.
pub fn plan(compiled: &OracleFlow, facts: &Facts<'_>, exclude_offers: &[String]) -> OraclePlan {
    let flow = &compiled.flow;
    let mut refused = Vec::new();
    let mut ranked = Vec::new();
    let mut qualified = 0;
    for candidate in &compiled.offers {
        let offer = &candidate.offer;
        let refusal = |code: &str, reason: String| Refused::unranked(&offer.id, &offer.name, code, reason);
        if exclude_offers.contains(&offer.id) {
            refused.push(refusal("excluded", "excluded by the request".to_owned()));
            continue;
        }
        let program = match &candidate.program {
            Ok(program) => program,
            Err(why) => {
                refused.push(refusal("rule_invalid", format!("its rules cannot be applied: {why}")));
                continue;
            }
        };
        let computed = program.compute(facts);
        if let Some(failed) = flow.has("qualify").then(|| first_failure(program, facts, &computed)).flatten() {
            refused.push(Refused::not_qualified(&offer.id, &offer.name, failed));
            continue;
        }
        qualified += 1;
        let relevance = relevance(program, facts, &computed);
        let (propensity, propensity_source) = propensity(flow, candidate);
        let factors = Factors::of(&Worth::of(offer), propensity, relevance);
        match factors.score(&weights(flow)) {
            Some(score) => ranked.push(OracleRanked {
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
                computed: program.shown(&computed),
            }),
            None => refused.push(refusal("not_ranked", "its score is not a number".to_owned())),
        }
    }
    ranked.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then(b.priority.total_cmp(&a.priority)).then_with(|| a.offer_id.cmp(&b.offer_id))
    });
    let stages = stages(compiled, qualified, ranked.len());
    OraclePlan { stages, ranked, refused }
}

fn stages(compiled: &OracleFlow, qualified: usize, ranked: usize) -> Vec<Stage> {
    let mut count = compiled.offers_in_all;
    let mut stages = Vec::new();
    for node in &compiled.flow.nodes {
        let entered = count;
        count = match node.step {
            Step::Inventory(_) => compiled.offers.len(),
            Step::Qualify => qualified,
            Step::Rank(_) => ranked,
            _ => entered,
        };
        stages.push(Stage { node: node.id.clone(), type_name: node.step.type_name(), entered, left: count });
    }
    stages
}

fn first_failure(program: &Program, facts: &Facts<'_>, computed: &[formula::Value]) -> Option<Refusal> {
    program.rules.iter().find_map(|rule| match rule.evaluate(facts, computed) {
        Verdict::True => None,
        Verdict::False(refusal) | Verdict::Unknown(refusal) => Some(refusal),
    })
}

fn relevance(program: &Program, facts: &Facts<'_>, computed: &[formula::Value]) -> f64 {
    let all = program.affinities.len();
    let holds = |rule: &&OracleRule| matches!(rule.evaluate(facts, computed), Verdict::True);
    match all {
        0 => RELEVANCE_PRIOR,
        _ => program.affinities.iter().filter(holds).count() as f64 / all as f64,
    }
}

fn propensity(flow: &Flow, candidate: &OracleOffer) -> (f64, &'static str) {
    let is_by_priority = |node: &crate::domain::flow::Node| node.step == Step::Score(ScoreMethod::Priority);
    if flow.nodes.iter().any(is_by_priority) {
        return (candidate.offer.priority / 100.0, "priority of the offer");
    }
    (PROPENSITY_PRIOR, "prior: no data")
}

fn weights(flow: &Flow) -> Weights {
    flow.nodes
        .iter()
        .find_map(|node| match node.step {
            Step::Rank(weights) => Some(weights),
            _ => None,
        })
        .unwrap_or_default()
}
