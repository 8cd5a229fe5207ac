//! The difference of two rates.
//!
//! The test asks "is there no effect?" and takes its variance under that assumption: pooled. The
//! interval does not assume it: unpooled. So the two may disagree by a hair, and a verdict asks for
//! both.

use super::{
    Effect, Estimate, Interval, Sample, Test,
    strata::Stratum,
    tail::{normal_p, normal_quantile},
};

/// What separates the arms; none without a split that has both.
pub fn effect(strata: &[Stratum]) -> Option<Effect> {
    if strata.is_empty() {
        return None;
    }
    let z = normal_quantile();
    let (mut treatment, mut holdout) = (Estimate::default(), Estimate::default());
    let (mut pooled, mut below, mut above) = (0.0, 0.0, 0.0);
    for Stratum { weight, arms } in strata {
        let (treated, held_out) = (&arms.treatment, &arms.holdout);
        let (rate, base) = (rate(treated), self::rate(held_out));
        let squared = weight * weight;
        let share = (treated.events + held_out.events) as f64 / arms.n() as f64;
        pooled +=
            squared * share * (1.0 - share) * (1.0 / treated.n as f64 + 1.0 / held_out.n as f64);
        add(&mut treatment, *weight, rate, treated);
        add(&mut holdout, *weight, base, held_out);
        let ([low, high], [base_low, base_high]) = (wilson(treated, z), wilson(held_out, z));
        below += squared * (square(rate - low) + square(base_high - base));
        above += squared * (square(high - rate) + square(base - base_low));
    }
    let difference = treatment.mean - holdout.mean;
    let unpooled = treatment.variance + holdout.variance;
    let statistic = difference / pooled.sqrt();
    Some(Effect {
        difference,
        // Without any variation there is no measure of the error, and an interval of no width would
        // lie.
        interval: (unpooled > 0.0)
            .then(|| [difference - z * unpooled.sqrt(), difference + z * unpooled.sqrt()]),
        newcombe: Some([difference - below.sqrt(), difference + above.sqrt()]),
        test: (pooled > 0.0).then(|| Test { statistic, p: normal_p(statistic) }),
        treatment,
        holdout,
    })
}

fn add(estimate: &mut Estimate, weight: f64, rate: f64, sample: &Sample) {
    estimate.mean += weight * rate;
    estimate.variance += weight * weight * rate * (1.0 - rate) / sample.n as f64;
}

fn rate(sample: &Sample) -> f64 {
    sample.events as f64 / sample.n as f64
}

/// Wilson's score interval of one rate.
fn wilson(sample: &Sample, z: f64) -> Interval {
    let (n, rate, squared) = (sample.n as f64, rate(sample), z * z);
    let center = rate + squared / (2.0 * n);
    let half = z * (rate * (1.0 - rate) / n + squared / (4.0 * n * n)).sqrt();
    let scale = 1.0 + squared / n;
    [(center - half) / scale, (center + half) / scale]
}

fn square(x: f64) -> f64 {
    x * x
}
