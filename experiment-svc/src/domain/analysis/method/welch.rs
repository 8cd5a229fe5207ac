//! Welch's interval of the difference of two means, which assumes no common variance.

use super::{Comparison, Estimate, Method};
use crate::domain::analysis::{satterthwaite::CombinedVariance, tail::t_quantile};

pub(super) const METHOD: Method = Method {
    name: "welch",
    description: "Welch: t with unequal variances and Satterthwaite's degrees of freedom",
    estimate,
};

fn estimate(comparison: &Comparison) -> Estimate {
    let mut combined = CombinedVariance::default();
    for split in &comparison.splits {
        for arm in split.arms() {
            let squared = split.weight * split.weight;
            combined.add(squared * arm.variance / arm.n, arm.n - 1.0);
        }
    }
    let difference = comparison.difference();
    let interval = t_quantile(combined.degrees_of_freedom()).map(|quantile| {
        let half = quantile * combined.variance.sqrt();
        [difference - half, difference + half]
    });
    // Without any variation there is no measure of the error, and an interval of no width would
    // mislead.
    Estimate::of_interval(difference, interval.filter(|_| combined.variance > 0.0))
}
