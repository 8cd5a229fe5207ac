//! Metrics beside the primary one: secondary metrics, corrected for their number, and guardrails.

use super::{Counts, Effect, holm::holm};
use crate::domain::measure::{Harm, Metric};

/// A guardrail needs so many customers with a figure, both arms together: below, the test is off.
const EVENTS_MIN: u64 = 10;

/// A declared metric beside the primary one, by assignment.
#[derive(Clone, Debug)]
pub struct Secondary {
    /// The metric.
    pub metric: Metric,
    /// What separates the arms; a fault says why nothing does.
    pub effect: Option<Effect>,
    /// The p-value by Holm over all secondary metrics.
    pub p_holm: Option<f64>,
}

/// A metric that must not get worse, by assignment.
#[derive(Clone, Debug)]
pub struct GuardrailResult {
    /// The metric.
    pub metric: Metric,
    /// The change that harms.
    pub harm: Harm,
    /// What separates the arms.
    pub effect: Option<Effect>,
    /// One-sided p of "it is not harmed"; none without enough data.
    pub p: Option<f64>,
}

impl GuardrailResult {
    /// True when it got worse: p is below 0.05.
    pub fn is_harmed(&self) -> bool {
        self.p.is_some_and(|p| p < super::SIGNIFICANCE)
    }
}

/// Every secondary metric, with the correction over all of them.
pub fn secondary(counts: &[Counts]) -> Vec<Secondary> {
    let effects: Vec<_> =
        counts.iter().map(|counts| Effect::of(&counts.metric, &counts.assigned)).collect();
    let ps: Vec<_> = effects.iter().map(|effect| Some(effect.as_ref()?.test?.p)).collect();
    let adjusted = holm(&ps).into_iter();
    let each = counts.iter().zip(effects).zip(adjusted);
    each.map(|((counts, effect), p_holm)| Secondary {
        metric: counts.metric.clone(),
        effect,
        p_holm,
    })
    .collect()
}

/// One guardrail.
pub fn guardrail(harm: Harm, counts: &Counts) -> GuardrailResult {
    let arms = counts.assigned.total();
    let effect = Effect::of(&counts.metric, &counts.assigned);
    let is_enough = arms.treatment.events + arms.holdout.events >= EVENTS_MIN;
    let test = effect.as_ref().and_then(|effect| effect.test).filter(|_| is_enough);
    let p = test.map(|test| match harm {
        Harm::Up => test.p_higher,
        Harm::Down => test.p_lower,
    });
    GuardrailResult { metric: counts.metric.clone(), harm, effect, p }
}
