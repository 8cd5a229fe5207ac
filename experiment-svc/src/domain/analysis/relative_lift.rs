//! The ratio of two means by Fieller's method.
//!
//! Dividing the interval of the difference by the holdout's mean would treat that mean as known; it
//! is estimated, often from few buyers.

use super::{Interval, comparison::ArmMean, tail::NORMAL_QUANTILE};

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

/// A difference over a mean, and how they vary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quotient {
    /// The difference.
    pub difference: f64,
    /// Its variance.
    pub variance: f64,
    /// What it is divided by: the holdout's mean and its variance.
    pub base: ArmMean,
    /// Covariance of the difference and that mean.
    pub covariance: f64,
}

impl Quotient {
    /// Of two independent means: the holdout's is in both parts of the fraction.
    pub fn of_means(difference: f64, treatment: ArmMean, holdout: ArmMean) -> Self {
        Self {
            difference,
            variance: treatment.variance + holdout.variance,
            base: holdout,
            covariance: -holdout.variance,
        }
    }
}

/// The lift, with the roots of Fieller's quadratic as its interval.
pub fn fieller(quotient: &Quotient) -> RelativeLift {
    let Quotient { difference, variance, base, covariance } = *quotient;
    let ArmMean { mean, variance: base_variance } = base;
    if mean.is_nan() || mean <= 0.0 {
        return RelativeLift::default();
    }
    let value = Some(difference / mean);
    if variance <= 0.0 {
        return RelativeLift { value, interval: None, g: None };
    }
    let squared = NORMAL_QUANTILE * NORMAL_QUANTILE;
    let g = squared * base_variance / (mean * mean);
    // (difference − r mean)² = z² (variance − 2 r covariance + r² base_variance), solved for r.
    let half_linear = difference * mean - squared * covariance;
    let square = mean * mean - squared * base_variance;
    let constant = difference * difference - squared * variance;
    let root = (half_linear * half_linear - square * constant).max(0.0).sqrt();
    let interval =
        (g < 1.0).then(|| [(half_linear - root) / square, (half_linear + root) / square]);
    RelativeLift { value, interval, g: Some(g) }
}
