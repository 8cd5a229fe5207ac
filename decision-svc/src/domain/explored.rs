//! With which probability the first offer of an answer came first, where the flow draws.

use crate::domain::{
    case::Case,
    plan::{Plan, Ranked},
    score::{Contender, PropensitySource, first_probability},
};

/// The probability; none where nothing is drawn. Offers ahead of it were refused by policies,
/// whatever is drawn. Those behind count as if policies let them through: the slot that it took may
/// be why they are refused.
pub fn explore_probability(case: &Case, plan: &Plan, first: &Ranked) -> Option<f64> {
    let flow = &case.configuration.flow;
    let seed = case.facts.seed.filter(|_| flow.explores())?;
    if first.is_mandatory {
        return Some(1.0);
    }
    let mut behind: Vec<&Ranked> =
        plan.ranked.iter().skip_while(|it| it.offer_id != first.offer_id).collect();
    behind.retain(|it| !it.is_mandatory);
    // The order of equal scores and priorities.
    behind.sort_by(|a, b| a.offer_id.cmp(&b.offer_id));
    let chosen = behind.iter().position(|it| it.offer_id == first.offer_id)?;
    let contenders: Option<Vec<Contender>> = behind.into_iter().map(contender).collect();
    Some(first_probability(seed, &contenders?, chosen, &flow.scoring.weights))
}

fn contender(ranked: &Ranked) -> Option<Contender> {
    let PropensitySource::Drawn(evidence) = ranked.propensity_source else { return None };
    let (factors, priority) = (ranked.factors, ranked.worth.priority);
    Some(Contender { posterior: evidence.posterior(), factors, priority })
}
