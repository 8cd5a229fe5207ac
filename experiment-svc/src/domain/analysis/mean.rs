//! The difference of two means.
//!
//! The interval is Welch's. The test takes the pooled variance: where few customers buy and a few
//! of them buy much, a small holdout that happens to miss the big spenders has a low mean and a low
//! variance, and an unpooled statistic runs high in just the direction that finance is told about.

use super::{
    Effect, Estimate, Sample, Test,
    strata::Stratum,
    tail::{t_p, t_quantile},
};

/// A variance put together from independent parts, each with the degrees of freedom it was
/// estimated with.
#[derive(Clone, Copy, Debug, Default)]
struct Combined {
    variance: f64,
    squares: f64,
}

impl Combined {
    fn add(&mut self, variance: f64, degrees_of_freedom: f64) {
        self.variance += variance;
        self.squares += variance * variance / degrees_of_freedom;
    }

    /// Satterthwaite's degrees of freedom; for a single part its own.
    fn degrees_of_freedom(&self) -> f64 {
        self.variance * self.variance / self.squares
    }
}

/// What separates the arms; none without a split that has both.
pub fn effect(strata: &[Stratum], units: f64) -> Option<Effect> {
    if strata.is_empty() {
        return None;
    }
    let (mut treatment, mut holdout) = (Estimate::default(), Estimate::default());
    let (mut welch, mut pooled) = (Combined::default(), Combined::default());
    for Stratum { weight, arms } in strata {
        let squared = weight * weight;
        let mut within = 0.0;
        for (sample, estimate) in [(&arms.treatment, &mut treatment), (&arms.holdout, &mut holdout)]
        {
            let (mean, variance) = (sample.mean(units)?, sample.variance(units)?);
            let (n, free) = (sample.n as f64, sample.n as f64 - 1.0);
            let of_mean = squared * variance / n;
            estimate.mean += weight * mean;
            estimate.variance += of_mean;
            welch.add(of_mean, free);
            within += free * variance;
        }
        let free = arms.n() as f64 - 2.0;
        pooled.add(
            squared * within / free * (one_over(&arms.treatment) + one_over(&arms.holdout)),
            free,
        );
    }
    let difference = treatment.mean - holdout.mean;
    let interval = t_quantile(welch.degrees_of_freedom()).map(|quantile| {
        let half = quantile * welch.variance.sqrt();
        [difference - half, difference + half]
    });
    let statistic = difference / pooled.variance.sqrt();
    let test = t_p(statistic, pooled.degrees_of_freedom()).map(|p| Test { statistic, p });
    Some(Effect {
        difference,
        // Without any variation there is no measure of the error, and an interval of no width would
        // lie.
        interval: interval.filter(|_| welch.variance > 0.0),
        newcombe: None,
        test: test.filter(|_| pooled.variance > 0.0),
        treatment,
        holdout,
    })
}

fn one_over(sample: &Sample) -> f64 {
    1.0 / sample.n as f64
}
