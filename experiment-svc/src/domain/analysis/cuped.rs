//! CUPED: what a covariate from before the assignment explains is taken out of the figures, so that
//! the rest varies less (Deng, Xu, Kohavi and Walker, 2013). The covariate cannot depend on the
//! arm, so the difference stays what it was, and its interval narrows.

use super::{
    Effect,
    compared::comparable,
    comparison::{ArmMean, Comparison, Moments, Split, paired_difference},
    method::Test,
    relative_lift::Quotient,
    sample::Sample,
    strata::{Strata, Stratum},
};
use crate::domain::measure::{Metric, Scale};

/// The covariate is a whole number of 1/10,000.
const COVARIATE_UNITS: f64 = 10_000.0;

/// The effect on the adjusted figures.
#[derive(Clone, Debug)]
pub struct Cuped {
    /// Name of the covariate.
    pub covariate: String,
    /// What one unit of the covariate explains of the figure: the regression within the arms, all
    /// of them pooled.
    pub theta: f64,
    /// On the figures less theta times the covariate. Its lift is relative to the unadjusted mean
    /// of the holdout.
    pub effect: Effect,
    /// Share of the variance of the difference that is gone.
    pub variance_reduction: Option<f64>,
    /// Test of the covariate itself: the arms were drawn at random, so it should not differ.
    pub balance: Option<Test>,
}

/// The adjusted effect; a fault says why there is none.
pub fn cuped(metric: &Metric, name: Option<&str>, strata: &Strata) -> Result<Cuped, String> {
    let name = name.ok_or_else(|| "the experiment has no covariate".to_owned())?;
    if metric.scale == Scale::Ratio {
        return Err(
            "a ratio is not adjusted: it has a denominator in place of a covariate".to_owned()
        );
    }
    let strata = comparable(&as_amount(metric), strata);
    if strata.is_empty() {
        return Err(super::TWO_CUSTOMERS.to_owned());
    }
    let theta = theta(metric, &strata)?;
    let moments = |moments: fn(&Metric, f64, &Stratum) -> Option<Split>| {
        let splits: Option<Vec<_>> =
            strata.iter().map(|stratum| moments(metric, theta, stratum)).collect();
        splits.and_then(Comparison::new).ok_or_else(|| super::TOO_LARGE.to_owned())
    };
    let (adjusted, raw) = (moments(adjusted)?, moments(unadjusted)?);
    let balance = moments(covariate)?;
    let quotient = quotient(metric, theta, &strata, &adjusted, raw.holdout)
        .ok_or_else(|| super::TOO_LARGE.to_owned())?;
    let variance =
        |comparison: &Comparison| comparison.treatment.variance + comparison.holdout.variance;
    let before = variance(&raw);
    Ok(Cuped {
        covariate: name.to_owned(),
        theta,
        variance_reduction: (before > 0.0).then(|| 1.0 - variance(&adjusted) / before),
        balance: Effect::new(
            Scale::Amount,
            &balance,
            &Quotient::of_means(balance.difference(), balance.treatment, balance.holdout),
        )
        .test,
        effect: Effect::new(Scale::Amount, &adjusted, &quotient),
    })
}

/// Pooled over both arms of all splits, each around its own means.
fn theta(metric: &Metric, strata: &[Stratum]) -> Result<f64, String> {
    let (mut products, mut squares) = (0.0, 0.0);
    for arm in strata.iter().flat_map(|stratum| [stratum.arms.treatment, stratum.arms.holdout]) {
        let free = arm.n as f64 - 1.0;
        let covariance = arm.covariance(metric.units * COVARIATE_UNITS);
        let variance = arm.paired_variance(COVARIATE_UNITS);
        let (Some(covariance), Some(variance)) = (covariance, variance) else {
            return Err(super::TOO_LARGE.to_owned());
        };
        products += free * covariance;
        squares += free * variance;
    }
    if squares <= 0.0 {
        return Err("the covariate is the same for every customer".to_owned());
    }
    Ok(products / squares)
}

fn adjusted(metric: &Metric, theta: f64, stratum: &Stratum) -> Option<Split> {
    let raw = unadjusted(metric, theta, stratum)?;
    let arm = |moments: Moments, sample: &Sample| {
        let covariance = sample.covariance(metric.units * COVARIATE_UNITS)?;
        let explained =
            theta * (2.0 * covariance - theta * sample.paired_variance(COVARIATE_UNITS)?);
        let mean = moments.mean - theta * paired_mean(sample)?;
        Some(Moments { mean, variance: (moments.variance - explained).max(0.0), ..moments })
    };
    Some(Split {
        difference: raw.difference - theta * paired_difference(&stratum.arms, COVARIATE_UNITS)?,
        treatment: arm(raw.treatment, &stratum.arms.treatment)?,
        holdout: arm(raw.holdout, &stratum.arms.holdout)?,
        ..raw
    })
}

/// The figures as amounts: adjusted ones are no longer 0 and 1.
fn unadjusted(metric: &Metric, _theta: f64, stratum: &Stratum) -> Option<Split> {
    Split::of(&as_amount(metric), *stratum)
}

fn as_amount(metric: &Metric) -> Metric {
    Metric { scale: Scale::Amount, ..metric.clone() }
}

/// The covariate itself, in place of the figure.
fn covariate(_metric: &Metric, _theta: f64, stratum: &Stratum) -> Option<Split> {
    let arm = |sample: &Sample| {
        let variance = sample.paired_variance(COVARIATE_UNITS)?;
        Some(Moments { n: sample.n as f64, events: 0.0, mean: paired_mean(sample)?, variance })
    };
    Some(Split {
        epoch: stratum.epoch,
        weight: stratum.weight,
        difference: paired_difference(&stratum.arms, COVARIATE_UNITS)?,
        treatment: arm(&stratum.arms.treatment)?,
        holdout: arm(&stratum.arms.holdout)?,
    })
}

/// The adjusted difference over the unadjusted mean of the holdout, which varies with it.
fn quotient(
    metric: &Metric,
    theta: f64,
    strata: &[Stratum],
    adjusted: &Comparison,
    base: ArmMean,
) -> Option<Quotient> {
    let mut covariance = 0.0;
    for Stratum { weight, arms, .. } in strata {
        let held_out = &arms.holdout;
        let explained = theta * held_out.covariance(metric.units * COVARIATE_UNITS)?;
        let shared = held_out.variance(metric.units)? - explained;
        covariance -= weight * weight * shared / held_out.n as f64;
    }
    let variance = adjusted.treatment.variance + adjusted.holdout.variance;
    Some(Quotient { difference: adjusted.difference(), variance, base, covariance })
}

fn paired_mean(sample: &Sample) -> Option<f64> {
    Some(sample.paired.sum? as f64 / (sample.n as f64 * COVARIATE_UNITS))
}
