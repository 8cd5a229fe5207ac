//! Figures per arm, as exact sums.

use super::{Customer, strata::Strata};
use crate::domain::metric::Metric;

/// Arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// Gets what the flow decides.
    Treatment,
    /// Gets nothing.
    Holdout,
}

/// Customers of one arm and their figures, in whole units of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Customers.
    pub n: u64,
    /// Customers whose figure is not zero.
    pub events: u64,
    /// Sum of the figures; none when it passed 128 bits, which no ledger's limits let it do.
    pub(super) sum: Option<i128>,
    /// Sum of their squares, likewise.
    pub(super) squares: Option<u128>,
}

impl Default for Sample {
    fn default() -> Self {
        Self { n: 0, events: 0, sum: Some(0), squares: Some(0) }
    }
}

impl Sample {
    /// Counts one customer.
    pub fn add(&mut self, value: i128) {
        let magnitude = value.unsigned_abs();
        *self = self.with(&Self {
            n: 1,
            events: u64::from(value != 0),
            sum: Some(value),
            squares: magnitude.checked_mul(magnitude),
        });
    }

    /// Both samples together.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        let sum = self.sum.zip(other.sum).and_then(|(one, two)| one.checked_add(two));
        let squares = self.squares.zip(other.squares).and_then(|(one, two)| one.checked_add(two));
        Self { n: self.n + other.n, events: self.events + other.events, sum, squares }
    }

    /// Sum of the figures.
    pub fn total(&self, units: f64) -> Option<f64> {
        Some(self.sum? as f64 / units)
    }

    /// Mean figure.
    pub fn mean(&self, units: f64) -> Option<f64> {
        if self.n == 0 { None } else { Some(self.sum? as f64 / (self.n as f64 * units)) }
    }

    /// Sample variance. The numerator n Σx² − (Σx)² is exact: in doubles it would cancel.
    pub fn variance(&self, units: f64) -> Option<f64> {
        if self.n < 2 {
            return None;
        }
        let n = u128::from(self.n);
        let magnitude = self.sum?.unsigned_abs();
        let numerator =
            n.checked_mul(self.squares?)?.checked_sub(magnitude.checked_mul(magnitude)?)?;
        Some(numerator as f64 / (n * (n - 1)) as f64 / (units * units))
    }
}

/// Both arms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// The treated.
    pub treatment: Sample,
    /// The held out.
    pub holdout: Sample,
}

impl Pair {
    /// Customers of both.
    pub fn n(&self) -> u64 {
        self.treatment.n + self.holdout.n
    }

    /// One arm of the two.
    pub fn of(&mut self, arm: Arm) -> &mut Sample {
        match arm {
            Arm::Treatment => &mut self.treatment,
            Arm::Holdout => &mut self.holdout,
        }
    }
}

/// All customers of an experiment on one metric.
#[derive(Clone, Debug)]
pub struct Counts {
    /// The metric.
    pub metric: Metric,
    /// Everyone assigned.
    pub(super) assigned: Strata,
    /// Those who received, or would have received, an offer.
    pub(super) matched: Strata,
}

impl Counts {
    /// Nobody yet.
    pub fn new(metric: Metric) -> Self {
        Self { metric, assigned: Strata::default(), matched: Strata::default() }
    }

    /// Counts one customer.
    pub fn add(&mut self, customer: &Customer) {
        let Customer { arm, epoch, .. } = *customer;
        self.assigned.add(epoch, arm, self.metric.value(&customer.since_assignment));
        if let Some(behavior) = &customer.since_exposure {
            self.matched.add(epoch, arm, self.metric.value(behavior));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: impl IntoIterator<Item = i128>) -> Sample {
        let mut sample = Sample::default();
        values.into_iter().for_each(|value| sample.add(value));
        sample
    }

    /// numpy.var([4 … 16], ddof=1) is 15.1666…; shifting every value must not change a bit of it.
    #[test]
    fn a_large_shift_leaves_the_variance_exact() {
        for shift in [0, 1_000_000_000, 10_000_000_000_000] {
            let shifted = sample((4..=16).map(|value| value + shift));
            assert_eq!(shifted.variance(1.0), Some(91.0 / 6.0), "{shift}");
            assert_eq!(shifted.mean(1.0), Some(10.0 + shift as f64));
        }
    }

    #[test]
    fn one_customer_has_no_variance_and_none_no_mean() {
        assert_eq!(
            (sample([]).mean(1.0), sample([]).variance(1.0), sample([]).total(1.0)),
            (None, None, Some(0.0))
        );
        assert_eq!((sample([5]).mean(1.0), sample([5]).variance(1.0)), (Some(5.0), None));
    }

    #[test]
    fn a_sum_beyond_128_bits_is_no_figure_instead_of_a_wrong_one() {
        let huge = sample([i128::MAX, i128::MAX]);
        assert_eq!(
            (huge.n, huge.mean(1.0), huge.variance(1.0), huge.total(1.0)),
            (2, None, None, None)
        );
        let large = sample([i128::from(u64::MAX); 3]);
        assert_eq!(large.variance(1.0), None, "squares fit, n times their sum does not");
    }

    #[test]
    fn refunds_count_with_their_sign() {
        let sample = sample([-20_000, 0, 50_000]);
        assert_eq!(
            (sample.events, sample.total(10_000.0), sample.mean(10_000.0)),
            (2, Some(3.0), Some(1.0))
        );
    }
}
