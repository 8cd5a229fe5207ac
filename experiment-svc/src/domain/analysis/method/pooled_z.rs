//! The z test of two proportions. It asks "is there no effect?" and takes its variance under that
//! assumption: pooled. An interval does not assume it, so the two may disagree by a hair.

use super::{Error, Method, Split};

pub(super) const METHOD: Method = Method {
    name: "pooled_z",
    description: "z test of two proportions, pooled variance",
    interval: None,
    error: Some(error),
};

fn error(split: &Split) -> Error {
    let (treated, held_out) = (split.treatment, split.holdout);
    let share = (treated.events + held_out.events) / (treated.n + held_out.n);
    let spread = 1.0 / treated.n + 1.0 / held_out.n;
    Error { variance: share * (1.0 - share) * spread, degrees_of_freedom: None }
}
