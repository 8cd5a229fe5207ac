//! What every method compares: the arms of each split as moments, and over all splits as means.
//!
//! Splits are combined as the incremental total is: by their treated. What the treated of a split
//! gained is their number times the difference of that split, so the difference over all splits is
//! the sum of these gains per treated customer.

use super::{Interval, Pair, Sample, strata::Stratum};
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
    /// Its number.
    pub epoch: i32,
    /// Its share of the treated in all comparable splits.
    pub weight: f64,
    /// Mean of treatment minus mean of holdout: one division of whole numbers.
    pub difference: f64,
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
    /// Mean per customer; of a ratio, total by total.
    pub mean: f64,
    /// n times the variance of that mean: of a rate p(1 − p), of an amount the sample variance, of
    /// a ratio the sample variance of (figure − ratio × denominator) / mean denominator.
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
    /// Compares the arms of these splits on `metric`; none without any, when a sum exceeds 128
    /// bits, or when an arm has nothing to divide a ratio by.
    pub fn of(metric: &Metric, strata: &[Stratum]) -> Option<Self> {
        let split = |stratum: &Stratum| Split::of(metric, *stratum);
        let splits: Option<Vec<_>> = strata.iter().map(split).collect();
        Self::new(splits?)
    }

    /// Combines splits; none without any.
    pub fn new(splits: Vec<Split>) -> Option<Self> {
        let (mut treatment, mut holdout) = (ArmMean::default(), ArmMean::default());
        for split in &splits {
            treatment.add(split.weight, split.treatment);
            holdout.add(split.weight, split.holdout);
        }
        (!splits.is_empty()).then_some(Self { splits, treatment, holdout })
    }

    /// Mean of treatment minus mean of holdout.
    pub fn difference(&self) -> f64 {
        match &self.splits[..] {
            [only] => only.difference,
            splits => splits.iter().map(|split| split.weight * split.difference).sum(),
        }
    }

    /// Customers of both arms.
    pub fn n(&self) -> f64 {
        self.splits.iter().map(|split| split.treatment.n + split.holdout.n).sum()
    }

    /// The interval of the difference from those of the splits, which are independent: the
    /// distances between a split's difference and its bounds add up as squares, weighted. None
    /// when a split has none: its difference would count as exact.
    pub fn combined(&self, of: impl Fn(&Split) -> Option<Interval>) -> Option<Interval> {
        if let [only] = &self.splits[..] {
            return of(only);
        }
        let (mut below, mut above) = (0.0, 0.0);
        for split in &self.splits {
            let [low, high] = of(split)?;
            below += square(split.weight * (split.difference - low));
            above += square(split.weight * (high - split.difference));
        }
        let difference = self.difference();
        Some([difference - below.sqrt(), difference + above.sqrt()])
    }
}

impl Split {
    /// None where a sum exceeds 128 bits, or a ratio has nothing to divide by.
    pub fn of(metric: &Metric, stratum: Stratum) -> Option<Self> {
        let Stratum { epoch, weight, arms } = stratum;
        Some(Self {
            epoch,
            weight,
            difference: difference(metric, &arms)?,
            treatment: Moments::of(metric, &arms.treatment)?,
            holdout: Moments::of(metric, &arms.holdout)?,
        })
    }

    /// Treatment, then holdout.
    pub fn arms(&self) -> [Moments; 2] {
        [self.treatment, self.holdout]
    }

    /// The variance that both arms share if their customers do not differ.
    pub fn pooled_variance(&self) -> f64 {
        let [treated, held_out] = self.arms();
        let squares = (treated.n - 1.0) * treated.variance + (held_out.n - 1.0) * held_out.variance;
        squares / (treated.n + held_out.n - 2.0)
    }
}

impl Moments {
    /// None where a sum exceeds 128 bits, or a ratio has nothing to divide by.
    fn of(metric: &Metric, sample: &Sample) -> Option<Self> {
        let (n, events) = (sample.n as f64, sample.events as f64);
        let (mean, variance) = match metric.scale {
            Scale::Rate => (events / n, events / n * (1.0 - events / n)),
            Scale::Amount => (sample.mean(metric.units)?, sample.variance(metric.units)?),
            Scale::Ratio => sample.ratio()?,
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

/// The difference between the arms of one split. The numerator is a whole number, so nothing
/// cancels, however large the sums are.
fn difference(metric: &Metric, arms: &Pair) -> Option<f64> {
    let (treated, held_out) = (&arms.treatment, &arms.holdout);
    let [base, held_out_base] = match metric.scale {
        Scale::Rate | Scale::Amount => [treated.n.into(), held_out.n.into()],
        Scale::Ratio => [treated.paired.sum?, held_out.paired.sum?],
    };
    let gained = treated.sum?.checked_mul(held_out_base)?;
    let numerator = gained.checked_sub(held_out.sum?.checked_mul(base)?)?;
    Some(numerator as f64 / (base.checked_mul(held_out_base)? as f64 * metric.units))
}

/// The difference of the second figures of one split, likewise.
pub fn paired_difference(arms: &Pair, units: f64) -> Option<f64> {
    let (treated, held_out) = (&arms.treatment, &arms.holdout);
    let numerator = treated
        .paired
        .sum?
        .checked_mul(held_out.n.into())?
        .checked_sub(held_out.paired.sum?.checked_mul(treated.n.into())?)?;
    Some(numerator as f64 / (treated.n as f64 * held_out.n as f64 * units))
}

fn square(x: f64) -> f64 {
    x * x
}
