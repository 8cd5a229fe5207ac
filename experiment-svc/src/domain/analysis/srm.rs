//! Sample ratio mismatch: whether the arms have the sizes the split asks for. If they do not,
//! customers were lost or moved, and no difference between the arms means anything.

use super::{Pair, strata::Strata, tail::chi_square_p};
use crate::domain::{experiment::SplitEpoch, share};

/// A p below this is an alarm: low, because the test is run on every read-out.
pub const ALARM: f64 = 0.001;

/// The test over all splits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleRatio {
    /// The statistic, summed over the splits.
    pub chi_square: f64,
    /// Degrees of freedom, summed likewise.
    pub degrees_of_freedom: u32,
    /// Upper tail; 0 when any customer is misplaced.
    pub p: f64,
    /// Customers in an arm to which their split gives no share, or under a split the experiment
    /// never had.
    pub misplaced: u64,
}

impl SampleRatio {
    /// True when the sizes cannot be chance.
    pub fn is_alarm(&self) -> bool {
        self.p < ALARM
    }
}

/// Tests the arms' sizes against the splits.
pub fn sample_ratio(epochs: &[SplitEpoch], assigned: &Strata) -> SampleRatio {
    let mut ratio = SampleRatio { chi_square: 0.0, degrees_of_freedom: 0, p: 1.0, misplaced: 0 };
    for (number, arms) in assigned.iter() {
        match epochs
            .iter()
            .find(|epoch| epoch.epoch == number)
            .map(|epoch| epoch.holdout_basis_points)
        {
            None => ratio.misplaced += arms.n(),
            Some(0) => ratio.misplaced += arms.holdout.n,
            Some(share::WHOLE) => ratio.misplaced += arms.treatment.n,
            Some(basis_points) => {
                ratio.chi_square +=
                    chi_square(arms, f64::from(basis_points) / f64::from(share::WHOLE));
                ratio.degrees_of_freedom += 1;
            }
        }
    }
    ratio.p = if ratio.misplaced > 0 {
        0.0
    } else {
        chi_square_p(ratio.chi_square, ratio.degrees_of_freedom)
    };
    ratio
}

/// Two arms: both deviate by the same number of customers.
fn chi_square(arms: &Pair, held_out: f64) -> f64 {
    let n = arms.n() as f64;
    let (expected, rest) = (n * held_out, n * (1.0 - held_out));
    let deviation = arms.holdout.n as f64 - expected;
    deviation * deviation * (1.0 / expected + 1.0 / rest)
}
