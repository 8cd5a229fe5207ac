//! Newcombe's interval of the difference of two proportions: a hybrid of the Wilson intervals of
//! both, right with few events and at unequal arms, where Wald's is not.

use super::{Comparison, Estimate, Method};
use crate::domain::analysis::{Interval, comparison::Moments, tail::normal_quantile};

pub(super) const METHOD: Method =
    Method { name: "newcombe", description: "Newcombe's hybrid of Wilson intervals", estimate };

fn estimate(comparison: &Comparison) -> Estimate {
    let z = normal_quantile();
    let (mut below, mut above) = (0.0, 0.0);
    for split in &comparison.splits {
        let [rate, base] = split.arms().map(|arm| arm.mean);
        let [[low, high], [base_low, base_high]] = split.arms().map(|arm| wilson(&arm, z));
        let squared = split.weight * split.weight;
        below += squared * (square(rate - low) + square(base_high - base));
        above += squared * (square(high - rate) + square(base - base_low));
    }
    let difference = comparison.difference();
    let interval = [difference - below.sqrt(), difference + above.sqrt()];
    Estimate::of_interval(difference, Some(interval))
}

/// Wilson's score interval of one rate.
fn wilson(arm: &Moments, z: f64) -> Interval {
    let (n, rate, squared) = (arm.n, arm.mean, z * z);
    let center = rate + squared / (2.0 * n);
    let half = z * (rate * (1.0 - rate) / n + squared / (4.0 * n * n)).sqrt();
    let scale = 1.0 + squared / n;
    [(center - half) / scale, (center + half) / scale]
}

fn square(x: f64) -> f64 {
    x * x
}
