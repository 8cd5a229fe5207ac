//! Figures per arm as exact sums.

/// What a customer was drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// Gets what the flow decides.
    Treatment,
    /// Gets no offer.
    Holdout,
}

/// Customers of one arm and their figures, in whole units of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// How many customers.
    pub n: u64,
    /// Customers whose figure is not zero.
    pub events: u64,
    /// Sum of the figures; none beyond 128 bits, which the ledger's limits exclude.
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
    /// Counts one customer's figure.
    pub fn add(&mut self, value: i128) {
        let magnitude = value.unsigned_abs();
        *self = self.with(&Self {
            n: 1,
            events: u64::from(value != 0),
            sum: Some(value),
            squares: magnitude.checked_mul(magnitude),
        });
    }

    /// The customers of both samples.
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

    /// Mean per customer; none without customers.
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

/// The two arms that are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// Customers that get what the flow decides.
    pub treatment: Sample,
    /// Customers that get no offer.
    pub holdout: Sample,
}

impl Pair {
    /// Customers of both arms.
    pub fn n(&self) -> u64 {
        self.treatment.n + self.holdout.n
    }

    /// The sample of one arm.
    pub fn of(&mut self, arm: Arm) -> &mut Sample {
        match arm {
            Arm::Treatment => &mut self.treatment,
            Arm::Holdout => &mut self.holdout,
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
