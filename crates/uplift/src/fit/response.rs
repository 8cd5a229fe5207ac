//! How well treated units with the outcome are separated from those without.

use super::{
    ranking::{ranked, ties},
    scores::Unit,
};

/// Probabilities nearer to 0 and 1 count as this near in the loss.
const PROBABILITY_MIN: f64 = 1e-15;

/// Figures of a propensity, over the treated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Response {
    /// Probability that a unit with the outcome has a larger propensity than one without; equal
    /// ones count half (Mann and Whitney 1947).
    pub auc: f64,
    /// Mean of −ln of the probability given to what happened.
    pub log_loss: f64,
}

/// The figures; none unless some of the treated have the outcome and some have not.
pub fn response(units: &[Unit], propensity: &[f64]) -> Option<Response> {
    let treated = units.iter().zip(propensity).filter(|(unit, _)| unit.is_treated);
    let (units, propensity): (Vec<Unit>, Vec<f64>) =
        treated.map(|(unit, propensity)| (*unit, *propensity)).unzip();
    let is_positive = |unit: &Unit| unit.outcome > 0.0;
    let positive = units.iter().filter(|unit| is_positive(unit)).count() as f64;
    let negative = units.len() as f64 - positive;
    if positive == 0.0 || negative == 0.0 {
        return None;
    }
    let (mut pairs, mut positive_above) = (0.0, 0.0);
    for tie in ties(&ranked(&propensity, &units)) {
        let own = tie.iter().filter(|it| is_positive(&it.item)).count() as f64;
        let negative = tie.len() as f64 - own;
        pairs += negative * (positive_above + own / 2.0);
        positive_above += own;
    }
    let loss = |(unit, propensity): (&Unit, &f64)| {
        let probability = propensity.clamp(PROBABILITY_MIN, 1.0 - PROBABILITY_MIN);
        -libm::log(if is_positive(unit) { probability } else { 1.0 - probability })
    };
    let log_loss = units.iter().zip(&propensity).map(loss).sum::<f64>() / units.len() as f64;
    Some(Response { auc: pairs / (positive * negative), log_loss })
}
