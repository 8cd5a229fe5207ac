//! The difference between the arms: every method's estimate, and the headline taken from them.

use super::{
    Interval,
    compared::comparable,
    comparison::{Comparison, Split},
    method::{Estimate, Method, Test, methods},
    relative_lift::{self, Quotient, RelativeLift},
    strata::Strata,
};
use crate::domain::measure::{Metric, Scale};

/// What separates treatment from holdout.
#[derive(Clone, Debug)]
pub struct Effect {
    /// Mean of treatment minus mean of holdout.
    pub difference: f64,
    /// 95 % interval of the difference: in each split the widest of the headline's methods.
    pub interval: Option<Interval>,
    /// Names of the methods that gave it, more than one only where splits differ.
    pub interval_methods: Vec<&'static str>,
    /// Test of no difference, by the method of the headline.
    pub test: Option<Test>,
    /// Name of that method.
    pub test_method: &'static str,
    /// The difference relative to the mean of the holdout.
    pub relative_lift: RelativeLift,
    /// One estimate per method of the metric's scale.
    pub estimates: Vec<(&'static Method, Estimate)>,
    /// The same by split, oldest first.
    pub splits: Vec<SplitEffect>,
    /// Variance of the difference under the test: pooled, combined over the splits.
    pub pooled_variance: f64,
    /// Customers of both arms in the splits that are compared.
    pub n: f64,
}

/// The difference in one split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitEffect {
    /// Number of the split.
    pub epoch: i32,
    /// Treated customers in the comparison.
    pub treated: u64,
    /// Held-out customers in the comparison.
    pub held_out: u64,
    /// Mean of treatment minus mean of holdout.
    pub difference: f64,
    /// The widest interval of the headline's methods, and which one gave it.
    pub interval: Option<(&'static str, Interval)>,
    /// Test of no difference.
    pub test: Option<Test>,
}

impl Effect {
    /// The effect on `metric`; none without a split that can be compared.
    pub fn of(metric: &Metric, strata: &Strata) -> Option<Self> {
        let comparison = Comparison::of(metric, &comparable(metric, strata))?;
        let (treatment, holdout) = (comparison.treatment, comparison.holdout);
        let quotient = Quotient::of_means(comparison.difference(), treatment, holdout);
        Some(Self::new(metric.scale, &comparison, &quotient))
    }

    /// The effect of a comparison, with what its lift is the quotient of.
    pub fn new(scale: Scale, comparison: &Comparison, lift: &Quotient) -> Self {
        let methods = methods(scale);
        let interval = |split: &Split| methods.widest(split).map(|(_, interval)| interval);
        let splits: Vec<_> =
            comparison.splits.iter().map(|split| SplitEffect::of(scale, split)).collect();
        let mut interval_methods: Vec<_> =
            splits.iter().filter_map(|split| Some(split.interval?.0)).collect();
        interval_methods.sort_unstable();
        interval_methods.dedup();
        Self {
            difference: comparison.difference(),
            interval: comparison.combined(interval),
            interval_methods,
            test: methods.test.estimate(comparison).test,
            test_method: methods.test.name,
            relative_lift: relative_lift::fieller(lift),
            estimates: methods.all().map(|method| (method, method.estimate(comparison))).collect(),
            splits,
            pooled_variance: methods.test.variance(comparison).unwrap_or_default(),
            n: comparison.n(),
        }
    }

    /// True when p and interval both exclude no effect.
    pub fn is_shown(&self) -> bool {
        let excludes = self.interval.is_some_and(|[low, high]| low > 0.0 || high < 0.0);
        excludes && self.test.is_some_and(|test| test.p < super::SIGNIFICANCE)
    }
}

impl SplitEffect {
    fn of(scale: Scale, split: &Split) -> Self {
        let methods = methods(scale);
        let alone = Comparison::new(vec![Split { weight: 1.0, ..*split }]);
        Self {
            epoch: split.epoch,
            treated: split.treatment.n as u64,
            held_out: split.holdout.n as u64,
            difference: split.difference,
            interval: methods.widest(split).map(|(method, interval)| (method.name, interval)),
            test: alone.and_then(|alone| methods.test.estimate(&alone).test),
        }
    }
}
