//! The t test of two means with the pooled variance.
//!
//! Where few customers buy and a few of them buy much, a small holdout that happens to miss the big
//! spenders has a low mean and a low variance. An unpooled statistic then runs high in the very
//! direction that finance looks for.

use super::{Comparison, Estimate, Method, Test};
use crate::domain::analysis::{satterthwaite::CombinedVariance, tail::t_p};

pub(super) const METHOD: Method =
    Method { name: "pooled_t", description: "t test, pooled variance", estimate };

fn estimate(comparison: &Comparison) -> Estimate {
    let mut pooled = CombinedVariance::default();
    for split in &comparison.splits {
        let (treated, held_out) = (split.treatment, split.holdout);
        let squares = (treated.n - 1.0) * treated.variance + (held_out.n - 1.0) * held_out.variance;
        let degrees_of_freedom = treated.n + held_out.n - 2.0;
        let squared = split.weight * split.weight;
        let spread = 1.0 / treated.n + 1.0 / held_out.n;
        pooled.add(squared * squares / degrees_of_freedom * spread, degrees_of_freedom);
    }
    let difference = comparison.difference();
    let statistic = difference / pooled.variance.sqrt();
    let test = t_p(statistic, pooled.degrees_of_freedom()).map(|p| Test { statistic, p });
    Estimate::of_test(difference, test.filter(|_| pooled.variance > 0.0))
}
