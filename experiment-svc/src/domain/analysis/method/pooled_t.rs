//! The t test and interval of two means with the pooled variance.
//!
//! Where few customers buy and a few of them buy much, a small holdout that happens to miss the big
//! spenders has a low mean and a low variance. An unpooled statistic then runs high in the very
//! direction that finance looks for.

use super::{Error, Method, Split};
use crate::domain::analysis::{Interval, tail::t_quantile};

pub(super) const METHOD: Method = Method {
    name: "pooled_t",
    description: "t, pooled variance",
    interval: Some(interval),
    error: Some(error),
};

fn error(split: &Split) -> Error {
    let [treated, held_out] = split.arms().map(|arm| arm.n);
    Error {
        variance: split.pooled_variance() * (1.0 / treated + 1.0 / held_out),
        degrees_of_freedom: Some(treated + held_out - 2.0),
    }
}

fn interval(split: &Split) -> Option<Interval> {
    let Error { variance, degrees_of_freedom } = error(split);
    // Without any variation there is no measure of the error, and an interval of no width would
    // mislead.
    let half = t_quantile(degrees_of_freedom?)? * variance.sqrt();
    (half > 0.0).then_some([split.difference - half, split.difference + half])
}
