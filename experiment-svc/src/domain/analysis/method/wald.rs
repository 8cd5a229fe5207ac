//! Wald's interval of the difference of two proportions.

use super::{Comparison, Estimate, Method};
use crate::domain::analysis::tail::normal_quantile;

pub(super) const METHOD: Method =
    Method { name: "wald", description: "Wald, unpooled variance", estimate };

fn estimate(comparison: &Comparison) -> Estimate {
    let difference = comparison.difference();
    let variance = comparison.treatment.variance + comparison.holdout.variance;
    let half = normal_quantile() * variance.sqrt();
    // Without any variation there is no measure of the error, and an interval of no width would
    // mislead.
    let interval = (variance > 0.0).then_some([difference - half, difference + half]);
    Estimate::of_interval(difference, interval)
}
