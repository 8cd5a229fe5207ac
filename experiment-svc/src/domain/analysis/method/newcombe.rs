//! Newcombe's interval of the difference of two proportions: a hybrid of the Wilson intervals of
//! both, right with few events and at unequal arms, where Wald's is not.

use super::{Method, Split};
use crate::domain::analysis::{Interval, comparison::Moments, tail::NORMAL_QUANTILE};

pub(super) const METHOD: Method = Method {
    name: "newcombe",
    description: "Newcombe's hybrid of Wilson intervals",
    interval: Some(interval),
    error: None,
};

fn interval(split: &Split) -> Option<Interval> {
    let [rate, base] = split.arms().map(|arm| arm.mean);
    let [[low, high], [base_low, base_high]] = split.arms().map(|arm| wilson(&arm));
    let below = (rate - low).hypot(base_high - base);
    let above = (high - rate).hypot(base - base_low);
    Some([split.difference - below, split.difference + above])
}

/// Wilson's score interval of one rate.
fn wilson(arm: &Moments) -> Interval {
    let (n, rate, z) = (arm.n, arm.mean, NORMAL_QUANTILE);
    let squared = z * z;
    let center = rate + squared / (2.0 * n);
    let half = z * (rate * (1.0 - rate) / n + squared / (4.0 * n * n)).sqrt();
    let scale = 1.0 + squared / n;
    [(center - half) / scale, (center + half) / scale]
}
