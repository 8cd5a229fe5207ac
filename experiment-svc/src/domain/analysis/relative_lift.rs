//! The ratio of two means by Fieller's method.
//!
//! Dividing the interval of the difference by the holdout's mean would treat that mean as known; it
//! is estimated, often from few buyers.

use super::{Interval, comparison::ArmMean, tail::normal_quantile};

/// Mean of treatment over mean of holdout, minus 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RelativeLift {
    /// The lift; none where the holdout's mean is not above zero.
    pub value: Option<f64>,
    /// Its 95 % interval; none when g is 1 or more.
    pub interval: Option<Interval>,
    /// Squared normal quantile times the squared relative error of the holdout's mean: at 1 that
    /// mean cannot be distinguished from zero, and the ratio has no bounded interval.
    pub g: Option<f64>,
}

/// The lift of two independent means.
pub fn fieller(treatment: ArmMean, holdout: ArmMean) -> RelativeLift {
    if holdout.mean <= 0.0 {
        return RelativeLift::default();
    }
    let ratio = treatment.mean / holdout.mean;
    if treatment.variance + holdout.variance <= 0.0 {
        return RelativeLift { value: Some(ratio - 1.0), interval: None, g: None };
    }
    let z = normal_quantile();
    let g = z * z * holdout.variance / (holdout.mean * holdout.mean);
    let spread = treatment.variance * (1.0 - g) + ratio * ratio * holdout.variance;
    let interval = (g < 1.0).then(|| {
        let half = z / holdout.mean * spread.sqrt();
        [(ratio - half) / (1.0 - g) - 1.0, (ratio + half) / (1.0 - g) - 1.0]
    });
    RelativeLift { value: Some(ratio - 1.0), interval, g: Some(g) }
}
