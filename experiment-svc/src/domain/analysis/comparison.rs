//! What every method compares: the arms of each split as moments, and over all splits as means.

use super::{
    Sample,
    strata::{Strata, Stratum},
};
use crate::domain::measure::{Metric, Scale};

/// The splits in which the arms can be compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Those with two customers in each arm.
    pub splits: Vec<Split>,
    /// The treated, over all splits.
    pub treatment: ArmMean,
    /// The held out, over all splits.
    pub holdout: ArmMean,
}

/// The arms of one split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// Its share of all comparable customers.
    pub weight: f64,
    /// Customers that get what the flow decides.
    pub treatment: Moments,
    /// Customers that get no offer.
    pub holdout: Moments,
}

/// The customers of one arm in one split, in units of the metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Customers, two or more.
    pub n: f64,
    /// Customers with a figure other than zero.
    pub events: f64,
    /// Mean per customer.
    pub mean: f64,
    /// Variance per customer: of a rate p(1 − p), else the sample variance.
    pub variance: f64,
}

/// A mean over all splits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ArmMean {
    /// The means of the splits, weighted.
    pub mean: f64,
    /// Variance of that mean.
    pub variance: f64,
}

impl Comparison {
    /// Compares the arms on `metric`; none without a split that has two customers in each arm.
    pub fn of(metric: &Metric, strata: &Strata) -> Option<Self> {
        let (mut treatment, mut holdout) = (ArmMean::default(), ArmMean::default());
        let mut splits = Vec::new();
        for Stratum { weight, arms } in strata.comparable() {
            let split = Split {
                weight,
                treatment: Moments::of(metric, &arms.treatment)?,
                holdout: Moments::of(metric, &arms.holdout)?,
            };
            treatment.add(weight, split.treatment);
            holdout.add(weight, split.holdout);
            splits.push(split);
        }
        (!splits.is_empty()).then_some(Self { splits, treatment, holdout })
    }

    /// Mean of treatment minus mean of holdout.
    pub fn difference(&self) -> f64 {
        self.treatment.mean - self.holdout.mean
    }
}

impl Split {
    /// Treatment, then holdout.
    pub fn arms(&self) -> [Moments; 2] {
        [self.treatment, self.holdout]
    }
}

impl Moments {
    fn of(metric: &Metric, sample: &Sample) -> Option<Self> {
        let (n, events) = (sample.n as f64, sample.events as f64);
        let (mean, variance) = match metric.scale {
            Scale::Rate => (events / n, events / n * (1.0 - events / n)),
            Scale::Amount | Scale::Ratio => {
                (sample.mean(metric.units)?, sample.variance(metric.units)?)
            }
        };
        Some(Self { n, events, mean, variance })
    }
}

impl ArmMean {
    fn add(&mut self, weight: f64, arm: Moments) {
        self.mean += weight * arm.mean;
        self.variance += weight * weight * arm.variance / arm.n;
    }
}
