//! Welch's interval of the difference of two means, which assumes no common variance.

use super::{Method, Split};
use crate::domain::analysis::{Interval, satterthwaite::CombinedVariance, tail::t_quantile};

pub(super) const METHOD: Method = Method {
    name: "welch",
    description: "Welch: t with unequal variances and Satterthwaite's degrees of freedom",
    interval: Some(interval),
    error: None,
};

fn interval(split: &Split) -> Option<Interval> {
    let mut combined = CombinedVariance::default();
    for arm in split.arms() {
        combined.add(arm.variance / arm.n, arm.n - 1.0);
    }
    // Without any variation there is no measure of the error, and an interval of no width would
    // mislead.
    let half = t_quantile(combined.degrees_of_freedom())? * combined.variance.sqrt();
    (half > 0.0).then_some([split.difference - half, split.difference + half])
}
