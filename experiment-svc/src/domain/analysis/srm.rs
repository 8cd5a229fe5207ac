//! Sample ratio mismatch: whether the arms have the sizes the split asks for. If they do not,
//! customers were lost or moved, and no difference between the arms means anything.

use super::{
    Pair,
    strata::Strata,
    tail::{binomial_p, chi_square_p},
};
use crate::domain::{experiment::SplitEpoch, share};

/// A p below this is an alarm: low, because the test is run on every read-out.
pub const ALARM: f64 = 0.001;
/// While an arm expects fewer customers the test is exact: the chi-square there is off.
const EXACT_BELOW: f64 = 10.0;

/// The test over all splits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleRatio {
    /// Every split that gives customers to both arms, oldest first.
    pub splits: Vec<SplitRatio>,
    /// Customers in an arm to which their split gives no share, or under a split the experiment
    /// never had.
    pub misplaced: u64,
}

/// The test of one split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitRatio {
    /// Number of the split.
    pub epoch: i32,
    /// Customers in treatment.
    pub treated: u64,
    /// Customers held out.
    pub held_out: u64,
    /// Customers the holdout should have.
    pub expected_held_out: f64,
    /// The chi-square; none when the test is the exact binomial one.
    pub chi_square: Option<f64>,
    /// The p-value.
    pub p: f64,
}

impl SampleRatio {
    /// The smallest p of the splits times their number, at most 1: so many tests find so small a p
    /// by chance. 0 when any customer is misplaced, 1 when nothing is tested.
    pub fn p(&self) -> f64 {
        if self.misplaced > 0 {
            return 0.0;
        }
        let smallest = self.splits.iter().map(|split| split.p).fold(1.0, f64::min);
        (smallest * self.splits.len().max(1) as f64).min(1.0)
    }

    /// Customers of the splits that are tested: treated, and held out.
    pub fn sizes(&self) -> (u64, u64) {
        let each = self.splits.iter().map(|split| (split.treated, split.held_out));
        each.fold((0, 0), |(treated, held_out), split| (treated + split.0, held_out + split.1))
    }

    /// The sum of the chi-squares, and of how many splits.
    pub fn chi_square(&self) -> (f64, usize) {
        let tested = self.splits.iter().filter_map(|split| split.chi_square);
        tested.fold((0.0, 0), |(sum, count), chi_square| (sum + chi_square, count + 1))
    }

    /// True when the sizes cannot be chance.
    pub fn is_alarm(&self) -> bool {
        self.p() < ALARM
    }
}

/// Tests the arms' sizes against the splits.
pub fn sample_ratio(epochs: &[SplitEpoch], assigned: &Strata) -> SampleRatio {
    let mut ratio = SampleRatio::default();
    for (number, arms) in assigned.iter() {
        let split = epochs.iter().find(|epoch| epoch.epoch == number);
        match split.map(|split| split.holdout_basis_points) {
            None => ratio.misplaced += arms.n(),
            Some(0) => ratio.misplaced += arms.holdout.n,
            Some(share::WHOLE) => ratio.misplaced += arms.treatment.n,
            Some(_) if arms.n() == 0 => {}
            Some(basis_points) => ratio.splits.push(split_ratio(number, arms, basis_points)),
        }
    }
    ratio
}

fn split_ratio(epoch: i32, arms: &Pair, basis_points: u32) -> SplitRatio {
    let share = f64::from(basis_points) / f64::from(share::WHOLE);
    let n = arms.n() as f64;
    let (expected, rest) = (n * share, n * (1.0 - share));
    let (treated, held_out) = (arms.treatment.n, arms.holdout.n);
    let exact = (expected.min(rest) < EXACT_BELOW).then(|| binomial_p(held_out, arms.n(), share));
    let (chi_square, p) = match exact.flatten() {
        Some(p) => (None, p),
        None => {
            // Two arms: both deviate by the same number of customers.
            let deviation = held_out as f64 - expected;
            let chi_square = deviation * deviation * (1.0 / expected + 1.0 / rest);
            (Some(chi_square), chi_square_p(chi_square, 1))
        }
    };
    SplitRatio { epoch, treated, held_out, expected_held_out: expected, chi_square, p }
}
