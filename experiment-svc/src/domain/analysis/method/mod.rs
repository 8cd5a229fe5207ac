//! Methods: each tests or bounds the difference between the arms in its own way.
//!
//! A method is one file in this folder. [`methods`] is the only list of them; it also says which
//! ones give the headline figures of a read-out.

mod newcombe;
mod pooled_t;
mod pooled_z;
mod wald;
mod welch;

use super::{Interval, comparison::Comparison};
use crate::domain::measure::Scale;

/// One way to look at a difference.
#[derive(Debug)]
pub struct Method {
    /// Its name in answers.
    pub name: &'static str,
    /// What it does, in the words of the field.
    pub description: &'static str,
    /// What it says of a comparison.
    pub estimate: fn(&Comparison) -> Estimate,
}

/// What one method says. It gives an interval, a test, or both; either is absent where it has no
/// measure of the error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Mean of treatment minus mean of holdout.
    pub difference: f64,
    /// 95 % interval of the difference.
    pub interval: Option<Interval>,
    /// Test of no difference.
    pub test: Option<Test>,
}

/// The outcome of a test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// Its statistic: z or t, as the method says.
    pub statistic: f64,
    /// Two-sided p-value.
    pub p: f64,
}

/// The methods of one scale.
#[derive(Clone, Copy, Debug)]
pub struct Methods {
    /// Its p decides the verdict.
    pub test: &'static Method,
    /// Its interval is the headline, and decides the verdict with the test.
    pub interval: &'static Method,
    /// Shown beside the headline; nothing rests on them.
    pub beside: &'static [&'static Method],
}

/// Every method, by the scale of the metric.
pub fn methods(scale: Scale) -> Methods {
    match scale {
        Scale::Rate => Methods {
            test: &pooled_z::METHOD,
            interval: &wald::METHOD,
            beside: &[&newcombe::METHOD],
        },
        Scale::Amount | Scale::Ratio => {
            Methods { test: &pooled_t::METHOD, interval: &welch::METHOD, beside: &[] }
        }
    }
}

impl Methods {
    /// All of them, those of the headline first.
    pub fn all(self) -> impl Iterator<Item = &'static Method> {
        [self.test, self.interval].into_iter().chain(self.beside.iter().copied())
    }
}

impl Estimate {
    /// An interval without a test.
    fn of_interval(difference: f64, interval: Option<Interval>) -> Self {
        Self { difference, interval, test: None }
    }

    /// A test without an interval.
    fn of_test(difference: f64, test: Option<Test>) -> Self {
        Self { difference, interval: None, test }
    }
}
