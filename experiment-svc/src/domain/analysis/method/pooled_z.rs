//! The z test of two proportions. It asks "is there no effect?" and takes its variance under that
//! assumption: pooled. An interval does not assume it, so the two may disagree by a hair.

use super::{Comparison, Estimate, Method, Test};
use crate::domain::analysis::tail::normal_p;

pub(super) const METHOD: Method = Method {
    name: "pooled_z",
    description: "z test of two proportions, pooled variance",
    estimate,
};

fn estimate(comparison: &Comparison) -> Estimate {
    let mut variance = 0.0;
    for split in &comparison.splits {
        let (treated, held_out) = (split.treatment, split.holdout);
        let share = (treated.events + held_out.events) / (treated.n + held_out.n);
        let squared = split.weight * split.weight;
        variance += squared * share * (1.0 - share) * (1.0 / treated.n + 1.0 / held_out.n);
    }
    let difference = comparison.difference();
    let statistic = difference / variance.sqrt();
    let test = (variance > 0.0).then(|| Test { statistic, p: normal_p(statistic) });
    Estimate::of_test(difference, test)
}
