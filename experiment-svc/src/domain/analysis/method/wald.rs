//! Wald's interval of the difference of two proportions.

use super::{Method, Split};
use crate::domain::analysis::{Interval, tail::NORMAL_QUANTILE};

pub(super) const METHOD: Method = Method {
    name: "wald",
    description: "Wald, unpooled variance",
    interval: Some(interval),
    error: None,
};

fn interval(split: &Split) -> Option<Interval> {
    let variance: f64 = split.arms().map(|arm| arm.variance / arm.n).iter().sum();
    let half = NORMAL_QUANTILE * variance.sqrt();
    // Without any variation there is no measure of the error, and an interval of no width would
    // mislead.
    (half > 0.0).then_some([split.difference - half, split.difference + half])
}
