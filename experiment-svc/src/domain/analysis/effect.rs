//! The difference between the arms: every method's estimate, and the headline taken from them.

use super::{
    Interval,
    comparison::Comparison,
    method::{Estimate, Method, Test, methods},
    relative_lift::{self, RelativeLift},
    strata::Strata,
};
use crate::domain::measure::Metric;

/// What separates treatment from holdout.
#[derive(Clone, Debug)]
pub struct Effect {
    /// Mean of treatment minus mean of holdout.
    pub difference: f64,
    /// 95 % interval of the difference, by the method of the headline.
    pub interval: Option<Interval>,
    /// Test of no difference, by the method of the headline.
    pub test: Option<Test>,
    /// The difference relative to the mean of the holdout.
    pub relative_lift: RelativeLift,
    /// One estimate per method of the metric's scale.
    pub estimates: Vec<(&'static Method, Estimate)>,
}

impl Effect {
    /// The effect on `metric`; none without a split that has two customers in each arm.
    pub fn of(metric: &Metric, strata: &Strata) -> Option<Self> {
        let comparison = Comparison::of(metric, strata)?;
        let methods = methods(metric.scale);
        let estimate = |method: &Method| (method.estimate)(&comparison);
        let (test, interval) = (estimate(methods.test), estimate(methods.interval));
        Some(Self {
            difference: interval.difference,
            interval: interval.interval,
            test: test.test,
            relative_lift: relative_lift::fieller(comparison.treatment, comparison.holdout),
            estimates: methods.all().map(|method| (method, estimate(method))).collect(),
        })
    }
}
