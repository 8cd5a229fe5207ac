//! Figures per arm as exact sums.

use crate::domain::measure::{Guard, Metric, Scale};

/// What a customer was drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// Gets what the flow decides.
    Treatment,
    /// Gets no offer.
    Holdout,
}

/// Customers of one arm and their figures, in whole units of the metric. Every sum is exact: it is
/// none beyond 128 bits, and never rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// How many customers.
    pub n: u64,
    /// Customers whose figure is not zero.
    pub events: u64,
    /// Customers with at least one positive outcome whose value is above 0.
    pub buyers: u64,
    /// Sum of the figures.
    pub sum: Option<i128>,
    /// Sum of their squares.
    pub squares: Option<u128>,
    /// Sums of the second figure; zero where there is none.
    pub paired: Paired,
}

/// Sums of a second figure per customer: the covariate in 1/10,000, or of a ratio the denominator.
/// A customer without one counts as 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paired {
    /// Sum of the second figures.
    pub sum: Option<i128>,
    /// Sum of their squares.
    pub squares: Option<u128>,
    /// Sum of first times second figure.
    pub products: Option<i128>,
}

/// What one customer adds to a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    /// The figure of the metric, in whole units of the metric.
    pub value: i128,
    /// True with at least one positive outcome whose value is above 0.
    pub is_buyer: bool,
    /// The second figure; 0 without one.
    pub paired: i128,
}

impl Default for Sample {
    fn default() -> Self {
        let paired = Paired::default();
        Self { n: 0, events: 0, buyers: 0, sum: Some(0), squares: Some(0), paired }
    }
}

impl Default for Paired {
    fn default() -> Self {
        Self { sum: Some(0), squares: Some(0), products: Some(0) }
    }
}

impl From<Figure> for Sample {
    fn from(figure: Figure) -> Self {
        let Figure { value, is_buyer, paired } = figure;
        Self {
            n: 1,
            events: u64::from(value != 0),
            buyers: u64::from(is_buyer),
            sum: Some(value),
            squares: square(value),
            paired: Paired {
                sum: Some(paired),
                squares: square(paired),
                products: value.checked_mul(paired),
            },
        }
    }
}

impl Sample {
    /// Counts one customer.
    pub fn add(&mut self, figure: Figure) {
        *self = self.with(&figure.into());
    }

    /// The customers of both samples.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self {
            n: self.n + other.n,
            events: self.events + other.events,
            buyers: self.buyers + other.buyers,
            sum: plus(self.sum, other.sum),
            squares: plus_squares(self.squares, other.squares),
            paired: Paired {
                sum: plus(self.paired.sum, other.paired.sum),
                squares: plus_squares(self.paired.squares, other.paired.squares),
                products: plus(self.paired.products, other.paired.products),
            },
        }
    }

    /// The customers of which a verdict needs enough.
    pub fn guarded(&self, guard: Guard) -> u64 {
        match guard {
            Guard::Events | Guard::ManyEvents => self.events,
            Guard::Buyers => self.buyers,
        }
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
        Some(centered(self.n, self.squares?, self.sum?)? / (units * units))
    }

    /// Sample variance of the second figures.
    pub fn paired_variance(&self, units: f64) -> Option<f64> {
        Some(centered(self.n, self.paired.squares?, self.paired.sum?)? / (units * units))
    }

    /// Sample covariance of first and second figure; `units` is the product of both units. Its
    /// numerator n Σxy − Σx Σy is exact.
    pub fn covariance(&self, units: f64) -> Option<f64> {
        if self.n < 2 {
            return None;
        }
        let n = i128::from(self.n);
        let product = self.sum?.checked_mul(self.paired.sum?)?;
        let numerator = n.checked_mul(self.paired.products?)?.checked_sub(product)?;
        Some(numerator as f64 / (n * (n - 1)) as f64 / units)
    }

    /// Mean and variance per customer as arms show them; of a ratio total by total, and the
    /// variance that its error comes from.
    pub fn moments(&self, metric: &Metric) -> (Option<f64>, Option<f64>) {
        match metric.scale {
            Scale::Ratio => self.ratio().unzip(),
            Scale::Rate | Scale::Amount => (self.mean(metric.units), self.variance(metric.units)),
        }
    }

    /// Total of the figures by total of the second ones, and n times the variance of that ratio by
    /// the delta method; none without a denominator.
    pub fn ratio(&self) -> Option<(f64, f64)> {
        let (total, base) = (self.sum?, self.paired.sum.filter(|base| *base > 0)?);
        let ratio = total as f64 / base as f64;
        let covariance = self.covariance(1.0)?;
        let variance =
            self.variance(1.0)? - ratio * (2.0 * covariance - ratio * self.paired_variance(1.0)?);
        let mean = base as f64 / self.n as f64;
        Some((ratio, variance.max(0.0) / (mean * mean)))
    }
}

/// Variance of whole numbers from their exact sums.
fn centered(n: u64, squares: u128, sum: i128) -> Option<f64> {
    if n < 2 {
        return None;
    }
    let (n, magnitude) = (u128::from(n), sum.unsigned_abs());
    let numerator = n.checked_mul(squares)?.checked_sub(magnitude.checked_mul(magnitude)?)?;
    Some(numerator as f64 / (n * (n - 1)) as f64)
}

fn square(value: i128) -> Option<u128> {
    value.unsigned_abs().checked_mul(value.unsigned_abs())
}

fn plus(one: Option<i128>, two: Option<i128>) -> Option<i128> {
    one?.checked_add(two?)
}

fn plus_squares(one: Option<u128>, two: Option<u128>) -> Option<u128> {
    one?.checked_add(two?)
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
        values.into_iter().for_each(|value| sample.add(Figure { value, ..Figure::default() }));
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

    /// numpy.cov([1, 2, 4], [10, 30, 20])[0, 1] is 5; a shift must not change a bit of it.
    #[test]
    fn a_large_shift_leaves_the_covariance_exact() {
        for shift in [0, 1_000_000_000_000] {
            let mut sample = Sample::default();
            for (value, paired) in [(1, 10), (2, 30), (4, 20)] {
                let (value, paired) = (value + shift, paired - shift);
                sample.add(Figure { value, paired, is_buyer: true });
            }
            assert_eq!(sample.covariance(1.0), Some(5.0), "{shift}");
            assert_eq!(sample.paired_variance(1.0), Some(100.0));
            assert_eq!((sample.n, sample.buyers), (3, 3));
        }
    }
}
