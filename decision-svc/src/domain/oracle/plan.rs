//! The oracle's plan: computes, qualifies and scores offer by offer, then sorts.

use std::{ops::Deref, sync::Arc};

use formula::{Value, rule::Verdict};

use crate::domain::{
    candidate::Candidate,
    creative::ReadyCreative,
    facts::Facts,
    oracle::{
        compile::{OracleFlow, OracleOffer, OracleProgram, OracleRule},
        node::{self, Passage},
    },
    rank::{Factors, RELEVANCE_PRIOR},
    reason::Reason,
    responses::Evidence,
    scalar::Fields,
    score::{Estimate, PROPENSITY_PRIOR, PropensitySource, Uplift, drawn},
    step::Step,
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
    pub propensity_source: PropensitySource,
    /// Effect of contact; none without an uplift model.
    pub uplift: Option<Uplift>,
    /// The probability with which the flow's gate lets customer and offer pass.
    pub gate_probability: f64,
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

/// A refused offer, and the index of the node that left it out; none for what every flow leaves out
/// at its first such node.
type LeftOut = (Option<usize>, Refused);

/// Plans one decision.
pub fn plan(compiled: &OracleFlow, facts: &Facts<'_>, exclude_offers: &[String]) -> OraclePlan {
    let mut plan = OraclePlan::default();
    let (mut mandatory, mut left_out) = (Vec::new(), Vec::new());
    for offer in &compiled.offers {
        match considered(compiled, offer, facts, exclude_offers) {
            Ok(ranked) if ranked.is_mandatory => mandatory.push(ranked),
            Ok(ranked) => plan.ranked.push(ranked),
            Err(refused) => left_out.push(*refused),
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
    plan.stages = stages(compiled, &left_out);
    plan.refused = left_out.into_iter().map(|(_, refused)| refused).collect();
    plan
}

/// One offer's way through the flow.
fn considered(
    compiled: &OracleFlow,
    considered: &OracleOffer,
    facts: &Facts<'_>,
    exclude_offers: &[String],
) -> Result<OracleRanked, Box<LeftOut>> {
    let (flow, offer) = (&compiled.flow, &considered.candidate);
    let refusal = |index: Option<usize>, code: Reason, reason: String| {
        Box::new((index, Refused::unranked(&offer.offer_id, &offer.name, code, reason)))
    };
    if exclude_offers.contains(&offer.offer_id) {
        return Err(refusal(None, Reason::Excluded, "excluded by the request".to_owned()));
    }
    if let Some(obstacle) = offer.schedule.obstacle(facts.moment.now) {
        let inventory = flow.nodes.iter().position(|node| matches!(node.step, Step::Inventory(_)));
        return Err(refusal(inventory, Reason::NotScheduled, obstacle));
    }
    let invalid = |why: &String| {
        refusal(None, Reason::RuleInvalid, format!("its rules cannot be applied: {why}"))
    };
    let program = considered.program.as_ref().map_err(invalid)?;
    let is_mandatory =
        offer.mandate.as_ref().is_some_and(|mandate| facts.moment.now < mandate.expires_at);
    let computed = program.compute(facts);
    let effects = &*compiled.effects;
    let passage =
        Passage { offer: considered, program, facts, computed: &computed, is_mandatory, effects };
    for (index, node) in flow.nodes.iter().enumerate() {
        if let Some(refused) = node::refusal(&node.step, &passage) {
            return Err(Box::new((Some(index), refused)));
        }
    }
    let (factors, score, estimate) = match scored(compiled, &passage) {
        Ok(scored) => scored,
        Err(why) => {
            // Without such a node no stage counts the offer out.
            let rank = flow.nodes.iter().position(|node| matches!(node.step, Step::Rank(_)));
            return Err(refusal(rank.or(Some(usize::MAX)), Reason::NotRanked, why));
        }
    };
    Ok(OracleRanked {
        candidate: offer.clone(),
        score,
        factors,
        propensity_source: match evidence(compiled, offer, facts) {
            found if online(compiled, facts).is_some() => {
                let version = facts.online.map_or(0, |online| online.version);
                PropensitySource::Online(version, found.unwrap_or_default())
            }
            Some(evidence) if seed(compiled, facts).is_some() => PropensitySource::Drawn(evidence),
            Some(evidence) => PropensitySource::Counted(evidence),
            None => PropensitySource::Named(estimate.source.into()),
        },
        uplift: estimate.uplift,
        gate_probability: passage.gate_probability(flow.min_uplift()),
        is_mandatory,
        creative: passage.creative(flow.settings()).cloned(),
        computed: program.shown(&computed),
    })
}

/// Factors, score and estimate of an offer; or why it has no score.
fn scored<'f>(
    compiled: &'f OracleFlow,
    passage: &Passage<'_>,
) -> Result<(Factors, f64, Estimate<'f>), String> {
    let Passage { program, facts, computed, is_mandatory, .. } = *passage;
    let candidate = &passage.offer.candidate;
    let inputs = program.inputs(facts, computed);
    let number = |index: usize| Some(inputs.get(index)?.as_number()?.to_double());
    let flow = &compiled.flow;
    let mut estimate = flow.score_method().estimate(candidate, number);
    if let Some((shift, slope)) = online(compiled, facts) {
        let shrunk = evidence(compiled, candidate, facts).unwrap_or_default().propensity();
        let odds = libm::log(shrunk / (1.0 - shrunk));
        let sum = (odds + slope * odds + shift).clamp(-35.0, 35.0);
        let odds = libm::exp(-sum.abs());
        estimate.propensity = if sum < 0.0 { odds / (odds + 1.0) } else { 1.0 / (1.0 + odds) };
    } else if let Some(evidence) = evidence(compiled, candidate, facts) {
        estimate.propensity = match seed(compiled, facts) {
            Some(seed) => drawn(seed, &candidate.offer_id, evidence.posterior()),
            None => evidence.propensity(),
        };
    }
    if let Some((_, found)) = passage.says(false) {
        estimate.uplift = found;
    }
    let affinities = affinities(program, facts, computed);
    let relevance = match facts.engagement.filter(|_| flow.learns_relevance()) {
        Some(engagement) => engagement.relevance(affinities),
        None => affinities.unwrap_or(RELEVANCE_PRIOR),
    };
    let mut factors = estimate.factors(&candidate.worth, relevance);
    if is_mandatory {
        if factors.propensity.is_nan() {
            factors.propensity = PROPENSITY_PRIOR;
        }
        return Ok((factors, 1.0, estimate));
    }
    let score = factors.score(&flow.weights()).ok_or_else(|| no_score(&inputs))?;
    Ok((factors, score, estimate))
}

/// What is known of the responses to an offer, where the flow learns from it.
fn evidence(compiled: &OracleFlow, offer: &Candidate, facts: &Facts<'_>) -> Option<Evidence> {
    let responses = facts.responses.filter(|_| compiled.flow.score_method().learns());
    let known = responses.and_then(|responses| responses.evidence(offer));
    known.or_else(|| seed(compiled, facts).map(|_| Evidence::default()))
}

/// Shift and slope of the online model, where it gives the propensity.
fn online(compiled: &OracleFlow, facts: &Facts<'_>) -> Option<(f64, f64)> {
    let online = facts.online.filter(|online| online.is_used)?;
    compiled.flow.score_method().learns().then_some((online.shift, online.slope))
}

/// What propensities are drawn by, where they are.
fn seed(compiled: &OracleFlow, facts: &Facts<'_>) -> Option<u64> {
    let flow = &compiled.flow;
    facts.seed.filter(|_| flow.explores() && flow.score_method().learns())
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

/// Candidates through each node, counted by where they were left out.
fn stages(compiled: &OracleFlow, left_out: &[LeftOut]) -> Vec<Stage> {
    let count = |at: Option<usize>| left_out.iter().filter(|(index, _)| *index == at).count();
    let (mut left, mut anywhere) = (compiled.offers_in_all, count(None));
    let mut stages = Vec::new();
    for (index, node) in compiled.flow.nodes.iter().enumerate() {
        let entered = left;
        if matches!(node.step, Step::Inventory(_)) {
            left = compiled.offers.len();
        } else if node::is_leaving_out(&node.step) {
            left -= std::mem::take(&mut anywhere);
        }
        left -= count(Some(index));
        let type_name = node.step.type_name();
        stages.push(Stage { node: node.id.clone(), type_name, entered, left });
    }
    stages
}

/// The share of the affinities that are true; none without any.
fn affinities(program: &OracleProgram, facts: &Facts<'_>, computed: &[Value]) -> Option<f64> {
    let all = program.affinities.len();
    let is_true = |rule: &&OracleRule| matches!(rule.evaluate(facts, computed), Verdict::True);
    let count = program.affinities.iter().filter(is_true).count();
    (all > 0).then(|| count as f64 / all as f64)
}
