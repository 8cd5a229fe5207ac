//! Methods: each tests or bounds the difference between the arms in its own way.
//!
//! A method is one file in this folder. [`methods`] is the only list of them; it also says which
//! ones give the headline figures of a read-out.

mod newcombe;
mod pooled_t;
mod pooled_z;
mod wald;
mod welch;

use super::{
    Interval,
    comparison::{Comparison, Split},
    satterthwaite::CombinedVariance,
    tail,
};
use crate::domain::measure::Scale;

/// One way to look at a difference. It bounds, tests, or does both.
#[derive(Debug)]
pub struct Method {
    /// Its name in answers.
    pub name: &'static str,
    /// What it does, in the words of the field.
    pub description: &'static str,
    /// The 95 % interval of the difference in one split; none where nobody varies.
    interval: Option<fn(&Split) -> Option<Interval>>,
    /// What its test takes for the error of the difference in one split.
    error: Option<fn(&Split) -> Error>,
}

/// The error of a difference in one split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Error {
    /// Variance of the difference.
    pub variance: f64,
    /// Degrees of freedom of that estimate; none for a normal test.
    pub degrees_of_freedom: Option<f64>,
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
    /// p-value of "treatment is not above holdout".
    pub p_higher: f64,
    /// p-value of "treatment is not below holdout".
    pub p_lower: f64,
}

/// The methods of one scale.
#[derive(Clone, Copy, Debug)]
pub struct Methods {
    /// Its p decides the verdict.
    pub test: &'static Method,
    /// In each split the widest of these intervals is the headline, and decides the verdict with
    /// the test.
    pub intervals: &'static [&'static Method],
    /// Shown beside the headline; nothing rests on them.
    pub beside: &'static [&'static Method],
}

/// Every method, by the scale of the metric.
pub fn methods(scale: Scale) -> Methods {
    match scale {
        Scale::Rate => Methods {
            test: &pooled_z::METHOD,
            intervals: &[&newcombe::METHOD],
            beside: &[&wald::METHOD],
        },
        Scale::Amount | Scale::Ratio => Methods {
            test: &pooled_t::METHOD,
            intervals: &[&pooled_t::METHOD, &welch::METHOD],
            beside: &[],
        },
    }
}

impl Methods {
    /// All of them, those of the headline first.
    pub fn all(self) -> impl Iterator<Item = &'static Method> {
        let test = self.test.name;
        let others = self.intervals.iter().filter(move |method| method.name != test);
        [self.test].into_iter().chain(others.chain(self.beside).copied())
    }

    /// The widest headline interval of one split, and which method gave it.
    pub fn widest(self, split: &Split) -> Option<(&'static Method, Interval)> {
        let width = |[low, high]: Interval| high - low;
        let given = self.intervals.iter().filter_map(|method| {
            let interval = method.interval?;
            Some((*method, interval(split)?))
        });
        given.reduce(|one, two| if width(two.1) > width(one.1) { two } else { one })
    }
}

impl Method {
    /// What it says of a comparison.
    pub fn estimate(&self, comparison: &Comparison) -> Estimate {
        Estimate {
            difference: comparison.difference(),
            interval: self.interval.and_then(|interval| comparison.combined(interval)),
            test: self.test(comparison),
        }
    }

    /// Variance of the difference, as its test takes it; none when it is no test.
    pub fn variance(&self, comparison: &Comparison) -> Option<f64> {
        Some(self.errors(comparison)?.0.variance)
    }

    fn test(&self, comparison: &Comparison) -> Option<Test> {
        let (combined, is_normal) = self.errors(comparison)?;
        if combined.variance <= 0.0 {
            return None;
        }
        let statistic = comparison.difference() / combined.variance.sqrt();
        let free = combined.degrees_of_freedom();
        let upper = |statistic: f64| match is_normal {
            true => Some(tail::normal_upper(statistic)),
            false => tail::t_upper(statistic, free),
        };
        let p = 2.0 * upper(statistic.abs())?;
        Some(Test { statistic, p, p_higher: upper(statistic)?, p_lower: upper(-statistic)? })
    }

    /// The error over all splits, and whether it is that of a normal test.
    fn errors(&self, comparison: &Comparison) -> Option<(CombinedVariance, bool)> {
        let error = self.error?;
        let (mut combined, mut is_normal) = (CombinedVariance::default(), false);
        for split in &comparison.splits {
            let Error { variance, degrees_of_freedom } = error(split);
            is_normal |= degrees_of_freedom.is_none();
            let squared = split.weight * split.weight;
            combined.add(squared * variance, degrees_of_freedom.unwrap_or(f64::INFINITY));
        }
        Some((combined, is_normal))
    }
}
