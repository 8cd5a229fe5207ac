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
    let all: f64 = units.iter().map(|unit| unit.count).sum();
    let positive: f64 = units.iter().filter(|unit| is_positive(unit)).map(|unit| unit.count).sum();
    let negative: f64 = units.iter().filter(|unit| !is_positive(unit)).map(|it| it.count).sum();
    if positive == 0.0 || negative == 0.0 {
        return None;
    }
    let (mut pairs, mut positive_above) = (0.0, 0.0);
    for tie in ties(&ranked(&propensity, &units)) {
        let sum = |of_positive: bool| -> f64 {
            let of = tie.iter().filter(|it| is_positive(&it.item) == of_positive);
            of.map(|it| it.item.count).sum()
        };
        let (own, negative) = (sum(true), sum(false));
        pairs += negative * (positive_above + own / 2.0);
        positive_above += own;
    }
    let loss = |(unit, propensity): (&Unit, &f64)| {
        let probability = propensity.clamp(PROBABILITY_MIN, 1.0 - PROBABILITY_MIN);
        -unit.count * libm::log(if is_positive(unit) { probability } else { 1.0 - probability })
    };
    let log_loss = units.iter().zip(&propensity).map(loss).sum::<f64>() / all;
    Some(Response { auc: pairs / (positive * negative), log_loss })
}
