//! What treatment earned in total: the gains of the splits, added up.

use super::{
    Effect, Interval,
    compared::comparable,
    strata::{Strata, Stratum},
};
use crate::domain::measure::{Metric, Scale};

/// Treated times difference, summed over the splits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IncrementalTotal {
    /// The sum.
    pub value: f64,
    /// Its 95 % interval.
    pub interval: Option<Interval>,
    /// The treated in it.
    pub treated: u64,
}

impl IncrementalTotal {
    /// The total of an effect. A ratio has none: its numerator depends on its denominator.
    ///
    /// The difference shown is the total per treated customer, so the bounds of the total are the
    /// bounds of the difference times the treated.
    pub fn of(metric: &Metric, strata: &Strata, effect: &Effect) -> Option<Self> {
        if metric.scale == Scale::Ratio {
            return None;
        }
        let compared = comparable(metric, strata);
        let treated: u64 = compared.iter().map(|split| split.arms.treatment.n).sum();
        let times = |x: f64| x * treated as f64;
        Some(Self {
            value: exact(metric, &compared).unwrap_or_else(|| times(effect.difference)),
            interval: effect.interval.map(|bounds| bounds.map(times)),
            treated,
        })
    }
}

/// Σ (Σx of the treated − treated × Σx of the held out / held out), in whole numbers but for the
/// remainders of the divisions; none beyond 128 bits.
fn exact(metric: &Metric, compared: &[Stratum]) -> Option<f64> {
    let (mut whole, mut rest) = (0_i128, 0.0);
    for split in compared {
        let (treated, held_out) = (split.arms.treatment, split.arms.holdout);
        let n = i128::from(held_out.n);
        let gained = treated.sum?.checked_mul(n)?;
        let gained = gained.checked_sub(held_out.sum?.checked_mul(treated.n.into())?)?;
        whole = whole.checked_add(gained.div_euclid(n))?;
        rest += gained.rem_euclid(n) as f64 / n as f64;
    }
    Some((whole as f64 + rest) / metric.units)
}
